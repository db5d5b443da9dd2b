//! The npm package in `pkg/`: the face in `www/lib/`, its wasm, and types made from its JSDoc.

use crate::paths::{at, files_below, shown};
use crate::process::{capture, command, run};
use crate::setup::node_tool;
use anyhow::{Context, Result};
use serde_json::{Value, json};
use std::fs;
use std::path::Path;

/// Writes `pkg/` anew. The wasm must have been built.
pub fn build() -> Result<()> {
    let (lib, pkg) = (at("www/lib"), at("pkg"));
    if !lib.join("index.js").is_file() {
        println!("• no npm package: there is no www/lib/index.js");
        return Ok(());
    }
    let _ = fs::remove_dir_all(&pkg);
    for file in files_below(&lib).iter().filter(|file| is_delivered(file)) {
        copy(file, &pkg.join("lib").join(file.strip_prefix(&lib)?))?;
    }
    let mut tsc = node_tool("typescript/bin/tsc");
    tsc.args(["-p", "tsconfig.lib.json", "--noEmit", "false", "--declaration", "--emitDeclarationOnly", "--outDir"]);
    run(tsc.arg(pkg.join("lib")), "making the package's types from its JSDoc")?;
    for name in ["README.md", "LICENSE-MIT", "LICENSE-APACHE"] {
        if at(name).is_file() {
            copy(&at(name), &pkg.join(name))?;
        }
    }
    let manifest = serde_json::to_string_pretty(&manifest(lib.join("cli.js").is_file())?)?;
    fs::write(pkg.join("package.json"), manifest + "\n")?;
    verify(&pkg)
}

/// Everything but tests and what builds leave behind.
fn is_delivered(file: &Path) -> bool {
    let name = file.file_name().and_then(|name| name.to_str()).unwrap_or_default();
    !name.starts_with('.') && !name.ends_with(".test.js")
}

fn manifest(has_cli: bool) -> Result<Value> {
    let cargo = fs::read_to_string(at("Cargo.toml"))?;
    let field = |name: &str| {
        let line = cargo.lines().find(|line| line.starts_with(&format!("{name} = \"")));
        line.and_then(|line| line.split('"').nth(1)).map(str::to_owned).with_context(|| format!("{name} in Cargo.toml"))
    };
    let page: Value = serde_json::from_slice(&fs::read(at("www/package.json"))?)?;
    let mut manifest = json!({
        "name": "fewerbits",
        "version": field("version")?,
        "description": "See, quantize and shrink neural-network weights, in the browser and in Node: Rust compiled to WebAssembly with SIMD128",
        "license": field("license")?,
        "type": "module",
        "engines": page["engines"],
        "sideEffects": false,
        "exports": {
            ".": { "types": "./lib/index.d.ts", "default": "./lib/index.js" },
            "./fewerbits_bg.wasm": "./lib/wasm/fewerbits_bg.wasm",
            "./package.json": "./package.json",
        },
        "types": "./lib/index.d.ts",
        "files": ["lib", "LICENSE-MIT", "LICENSE-APACHE"],
        "keywords": ["quantization", "neural-network", "weights", "wasm", "simd", "safetensors"],
    });
    if has_cli {
        manifest["bin"] = json!({ "fewerbits": "./lib/cli.js" });
    }
    Ok(manifest)
}

/// The package, found by its own name as a user's import finds it, comes up in Node.
fn verify(pkg: &Path) -> Result<()> {
    let script = "
        const face = await import('fewerbits');
        await face.init();
        if (face.schemes && face.schemes().length === 0) throw new Error('no schemes');
        console.log(Object.keys(face).sort().join(' '));
    ";
    let mut node = command("node");
    node.args(["--input-type=module", "--eval", script]).current_dir(pkg);
    let names = capture(&mut node, "importing the npm package in Node")?;
    println!("• {}: comes up in Node with {}", shown(pkg), names.trim());
    Ok(())
}

fn copy(from: &Path, to: &Path) -> Result<()> {
    fs::create_dir_all(to.parent().context("a directory to copy to")?)?;
    fs::copy(from, to).with_context(|| format!("copying {}", shown(from)))?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tests_and_stamps_stay_out_of_the_package() {
        assert!(is_delivered(Path::new("www/lib/index.js")));
        assert!(is_delivered(Path::new("www/lib/wasm/fewerbits_bg.wasm")));
        assert!(!is_delivered(Path::new("www/lib/sources.test.js")));
        assert!(!is_delivered(Path::new("www/lib/wasm/.stamp")));
    }

    #[test]
    fn the_manifest_takes_its_version_from_the_crate_and_offers_the_command_only_where_it_is() {
        let with = manifest(true).unwrap();
        assert_eq!(with["version"], env!("CARGO_PKG_VERSION"));
        assert_eq!(with["bin"]["fewerbits"], "./lib/cli.js");
        assert_eq!(manifest(false).unwrap().get("bin"), None);
    }
}
