//! The npm package in `pkg/`: the face in `www/lib/`, its wasm, and types made from its JSDoc.

use crate::paths::{at, files_below, shown};
use crate::process::{capture, command, run};
use crate::setup::node_tool;
use anyhow::{Context, Result};
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
    let elements = at("dist/elements");
    for file in files_below(&elements) {
        copy(&file, &pkg.join("elements").join(file.strip_prefix(&elements)?))?;
    }
    let mut tsc = node_tool("typescript/bin/tsc");
    tsc.args(["-p", "tsconfig.lib.json", "--noEmit", "false", "--declaration", "--emitDeclarationOnly", "--outDir"]);
    run(tsc.arg(pkg.join("lib")), "making the package's types from its JSDoc")?;
    for name in ["README.md", "LICENSE-MIT", "LICENSE-APACHE"] {
        if at(name).is_file() {
            copy(&at(name), &pkg.join(name))?;
        }
    }
    fs::write(pkg.join("package.json"), manifest(lib.join("cli.js").is_file())?)?;
    verify(&pkg)
}

/// Everything but tests and what builds leave behind.
fn is_delivered(file: &Path) -> bool {
    let name = file.file_name().and_then(|name| name.to_str()).unwrap_or_default();
    let is_page_only = name == "first.js" || file.parent().is_some_and(|dir| dir.ends_with("lib/wasm/first"));
    !name.starts_with('.') && !name.ends_with(".test.js") && !is_page_only
}

/// `package.json`, as text: the order of the conditions in `exports` matters, `types` first.
fn manifest(has_cli: bool) -> Result<String> {
    let cargo = fs::read_to_string(at("Cargo.toml"))?;
    let field = |name: &str| {
        let line = cargo.lines().find(|line| line.starts_with(&format!("{name} = \"")));
        line.and_then(|line| line.split('"').nth(1)).with_context(|| format!("{name} in Cargo.toml"))
    };
    let (version, license) = (field("version")?, field("license")?);
    // What runs ONNX models is the user's choice, and large: the package asks for it where it is needed, and brings none.
    let runtime = format!("^{}", locked_version("onnxruntime-web")?);
    let bin = if has_cli { "\n  \"bin\": { \"fewerbits\": \"./lib/cli.js\" }," } else { "" };
    Ok(format!(
        r#"{{
  "name": "fewerbits",
  "version": "{version}",
  "description": "See, quantize and shrink neural-network weights, in the browser and in Node",
  "license": "{license}",
  "type": "module",
  "engines": {{ "node": ">=20.19" }},
  "sideEffects": ["./elements/*.js"],
  "types": "./lib/index.d.ts",{bin}
  "exports": {{
    ".": {{ "types": "./lib/index.d.ts", "default": "./lib/index.js" }},
    "./elements": "./elements/elements.js",
    "./elements/*": "./elements/*",
    "./fewerbits_bg.wasm": "./lib/wasm/fewerbits_bg.wasm",
    "./package.json": "./package.json"
  }},
  "files": ["lib", "elements", "LICENSE-MIT", "LICENSE-APACHE"],
  "peerDependencies": {{ "onnxruntime-web": "{runtime}" }},
  "peerDependenciesMeta": {{ "onnxruntime-web": {{ "optional": true }} }},
  "keywords": ["quantization", "neural-network", "weights", "wasm", "simd", "safetensors"]
}}
"#
    ))
}

/// The version of a package that www/ is tested with, exact.
fn locked_version(name: &str) -> Result<String> {
    let manifest = fs::read_to_string(at("www/package.json"))?;
    let entry = format!("\"{name}\": \"");
    let version = manifest.split_once(&entry).and_then(|(_, rest)| rest.split('"').next());
    Ok(version.with_context(|| format!("{name} in www/package.json"))?.to_owned())
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
        assert!(!is_delivered(Path::new("www/lib/wasm/first/fewerbits_bg.wasm")));
    }

    #[test]
    fn the_manifest_takes_its_version_from_the_crate_and_offers_the_command_only_where_it_is() {
        let parse = |text: String| serde_json::from_str::<serde_json::Value>(&text).unwrap();
        let with = parse(manifest(true).unwrap());
        assert_eq!(with["version"], env!("CARGO_PKG_VERSION"));
        assert_eq!(with["bin"]["fewerbits"], "./lib/cli.js");
        assert_eq!(parse(manifest(false).unwrap()).get("bin"), None);
    }
}
