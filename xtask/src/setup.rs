//! What must stand before anything is built: the wasm target, Node and the npm packages.

use crate::paths::at;
use crate::process::{self, capture, command, on_path, run};
use crate::stamp::Stamp;
use anyhow::{Context, Result, bail};
use std::process::Command;

pub const WASM_TARGET: &str = "wasm32-unknown-unknown";

/// All of it. Where everything is in place this takes a fraction of a second.
pub fn all() -> Result<()> {
    wasm_target()?;
    node()?;
    npm_packages()
}

/// Rust's standard library for WebAssembly.
pub fn wasm_target() -> Result<()> {
    let libdir = capture(
        command("rustc").args(["--print", "target-libdir", "--target", WASM_TARGET]),
        "asking rustc where its WebAssembly library is",
    )?;
    if std::path::Path::new(libdir.trim()).is_dir() {
        return Ok(());
    }
    if on_path("rustup").is_none() {
        bail!(
            "Rust has no {WASM_TARGET} target here and there is no rustup to add it: install rustup (https://rustup.rs)"
        );
    }
    println!("• adding Rust's {WASM_TARGET} target");
    run(command("rustup").args(["target", "add", WASM_TARGET]), "rustup target add")
}

/// Node, at a version that the pinned tools admit.
pub fn node() -> Result<()> {
    let asked = "Fewerbits needs Node 20.19 or newer (https://nodejs.org)";
    let version = capture(command("node").arg("--version"), "asking Node for its version").context(asked)?;
    let version = version.trim();
    if !node_is_new_enough(version) {
        bail!("{asked}; this is {version}");
    }
    Ok(())
}

/// Vite's range: `^20.19.0 || >=22.12.0`.
fn node_is_new_enough(version: &str) -> bool {
    let mut parts = version.trim_start_matches('v').split('.').map(|part| part.parse::<u32>().unwrap_or(0));
    let (major, minor) = (parts.next().unwrap_or(0), parts.next().unwrap_or(0));
    match major {
        20 => minor >= 19,
        22 => minor >= 12,
        other => other >= 23,
    }
}

/// The npm packages that `www/package-lock.json` names, installed anew only when it or Node changed.
pub fn npm_packages() -> Result<()> {
    let node = capture(
        command("node").args(["-p", "process.version + process.platform + process.arch"]),
        "asking Node for its platform",
    )?;
    let stamp = Stamp::new(at("www/node_modules/.fewerbits-stamp"))
        .add(node.as_bytes())
        .add_file(&at("www/package.json"))?
        .add_file(&at("www/package-lock.json"))?;
    if stamp.is_done() {
        return Ok(());
    }
    println!("• installing the npm packages of www/package-lock.json");
    run(npm().arg("ci").args(["--no-audit", "--no-fund", "--loglevel=error"]), "npm ci in www/")?;
    stamp.done()
}

/// npm in `www/`.
pub fn npm() -> Command {
    let mut npm = process::command(if cfg!(windows) { "npm.cmd" } else { "npm" });
    npm.current_dir(at("www"));
    npm
}

/// A program from an npm package, run by Node in `www/`: `node_tool("vite/bin/vite.js")`.
pub fn node_tool(script: &str) -> Command {
    let mut node = command("node");
    node.arg(at("www/node_modules").join(script)).current_dir(at("www"));
    node
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn node_versions_that_the_tools_admit() {
        for good in ["v20.19.0", "v20.20.2", "v22.12.0", "v24.1.0", "v23.0.0"] {
            assert!(node_is_new_enough(good), "{good}");
        }
        for bad in ["v18.20.0", "v20.18.3", "v21.7.0", "v22.11.0", "", "nonsense"] {
            assert!(!node_is_new_enough(bad), "{bad}");
        }
    }
}
