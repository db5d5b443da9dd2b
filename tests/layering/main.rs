//! The house map, held: a forbidden import fails here. What may use what stands in the tables below, in Rust for `src/`
//! and in JavaScript for `www/`. Comments, strings and test code do not count; each rule is also shown to fail on
//! made-up sources.

#![cfg(not(target_arch = "wasm32"))] // reads the repository's files

mod javascript;
mod rust;

use std::fs;
use std::path::{Path, PathBuf};

/// A source: its path below the root it was read from, with `/`, and its text.
struct Source {
    path: String,
    text: String,
}

/// Every file below `dir` that `wanted` asks for, in a fixed order.
fn sources(dir: &str, wanted: impl Fn(&str) -> bool) -> Vec<Source> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join(dir);
    let mut found = Vec::new();
    let mut open = vec![root.clone()];
    while let Some(dir) = open.pop() {
        let Ok(entries) = fs::read_dir(&dir) else { continue };
        for path in entries.map(|entry| entry.expect("readable").path()) {
            let below = path.strip_prefix(&root).expect("below the root").to_str().expect("UTF-8").replace('\\', "/");
            if path.is_dir() {
                if !below.split('/').any(|part| part == "node_modules") {
                    open.push(path);
                }
            } else if wanted(&below) {
                found.push(Source { text: read(&path), path: below });
            }
        }
    }
    found.sort_by(|a, b| a.path.cmp(&b.path));
    found
}

fn read(path: &PathBuf) -> String {
    fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

#[cfg(test)]
fn made_up(files: &[(&str, &str)]) -> Vec<Source> {
    files.iter().map(|&(path, text)| Source { path: path.to_owned(), text: text.to_owned() }).collect()
}

#[test]
fn rust_modules_use_only_what_the_map_allows() {
    let sources = sources("src", |path| path.ends_with(".rs"));
    assert!(sources.iter().any(|source| source.path == "lib.rs"), "src/ was not found");
    let broken = rust::forbidden(&sources);
    assert!(broken.is_empty(), "\n{}\n", broken.join("\n"));
}

#[test]
fn page_modules_use_only_what_the_map_allows() {
    let sources = sources("www", |path| {
        (path.ends_with(".js") || path.ends_with(".mjs"))
            && !path.ends_with(".test.js")
            && !path.ends_with(".config.js")
            && !path.starts_with("lib/wasm/")
    });
    let broken = javascript::forbidden(&sources);
    assert!(broken.is_empty(), "\n{}\n", broken.join("\n"));
}
