//! The page: served while it is worked on, or built to `dist/`.

use crate::paths::{at, files_below};
use crate::process::{self, command, run};
use crate::setup::{self, node_tool};
use crate::wasm;
use anyhow::{Result, bail};
use std::process::Stdio;
use std::time::{Duration, SystemTime};

/// Sets everything up and serves the page with Vite until Ctrl-C. When a Rust source changes the module is built
/// again and the page reloads by itself.
pub fn serve(args: &[String]) -> Result<()> {
    setup::all()?;
    wasm::build()?;
    let mut vite = node_tool("vite/bin/vite.js");
    // Vite ends when its standard input does, if CI is not set and somebody reads it: holding the other end here leaves no server
    // behind even when this program is killed.
    vite.env_remove("CI").env("NODE_OPTIONS", "--import=data:text/javascript,process.stdin.resume()");
    let vite = vite.args(args).stdin(Stdio::piped()).spawn()?;
    let vite = process::end_with_this(vite)?;
    let mut seen = newest_source();
    loop {
        std::thread::sleep(Duration::from_millis(500));
        if let Some(status) = process::locked(&vite).try_wait()? {
            if !status.success() {
                bail!("the server ended ({status})");
            }
            return Ok(());
        }
        let newest = newest_source();
        if newest != seen {
            seen = newest;
            println!("• a Rust source changed: building again");
            if let Err(error) = wasm::build() {
                eprintln!("error: {error:#}\nthe page still runs the last good build");
            }
        }
    }
}

/// The youngest of the crate's files: when it changes, there is something to build.
fn newest_source() -> Option<SystemTime> {
    let mut files = files_below(&at("src"));
    files.push(at("Cargo.toml"));
    files.iter().filter_map(|file| file.metadata().ok()?.modified().ok()).max()
}

/// The static site in `dist/`, with its sizes. The wasm must have been built.
pub fn build() -> Result<()> {
    if !at("www/index.html").is_file() {
        bail!("there is no page to build: www/index.html is missing");
    }
    println!("• building the site to dist/");
    let _ = std::fs::remove_dir_all(at("dist")); // no older build passes for this one
    run(node_tool("vite/bin/vite.js").arg("build"), "vite build")?;
    let mut elements = node_tool("vite/bin/vite.js");
    run(elements.args(["build", "--config", "vite.elements.config.js"]), "vite build of the figures for other pages")?;
    run(command("node").args(["xtask/js/sizes.mjs", "dist"]), "measuring dist/")
}
