//! From the crate to a module that runs: `cargo build` for wasm32, wasm-bindgen's glue, wasm-opt, a check.

use crate::paths::{self, at, shown};
use crate::process::{capture, cargo, command, run};
use crate::setup::{WASM_TARGET, node_tool};
use crate::stamp::Stamp;
use anyhow::{Context, Result, bail};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Changes whenever this file's steps do, so that what older steps made is made again.
const RECIPE: &str = "wasm-bindgen 0.2.130, binaryen 132, -O3, small functions inlined, 1";

/// Which vector instructions a module may use.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Simd {
    /// What is delivered.
    Simd128,
    /// The same crate compiled without: the honest scalar side of a benchmark, since LLVM vectorizes too.
    Scalar,
}

impl Simd {
    /// Loops are compiled for speed; code around them is not copied into its callers as readily as LLVM would, which takes 6 KB
    /// from the gzipped module. What a kernel calls in its loop asks to be inlined.
    fn rustflags(self) -> &'static str {
        match self {
            Simd::Simd128 => "-C target-feature=+simd128 -C llvm-args=-inline-threshold=50",
            Simd::Scalar => "-C target-feature=-simd128 -C llvm-args=-inline-threshold=50",
        }
    }

    fn name(self) -> &'static str {
        match self {
            Simd::Simd128 => "simd",
            Simd::Scalar => "scalar",
        }
    }
}

/// The delivered modules: the whole engine in `www/lib/wasm/`, and beside it in `first/` the part that a page starts with.
pub fn build() -> Result<()> {
    build_into(&at("www/lib/wasm"), Simd::Simd128, &[], paths::target())?;
    let first = paths::target().join("first");
    build_into(&at("www/lib/wasm/first"), Simd::Simd128, &["--no-default-features"], first)
}

/// The module of a benchmark, with the anchors that only a benchmark needs; where it lies.
pub fn build_for_bench(simd: Simd) -> Result<PathBuf> {
    let bench = paths::target().join("bench");
    let out = bench.join(simd.name());
    build_into(&out, simd, &["--features", "bench"], bench.join(format!("{}-build", simd.name())))?;
    Ok(out)
}

/// Builds `fewerbits.js`, `fewerbits_bg.wasm` and their `.d.ts` into `out`; skipped when cargo's output is what it was.
fn build_into(out: &Path, simd: Simd, features: &[&str], target_dir: PathBuf) -> Result<()> {
    let mut build = with_features(cargo(), simd);
    build.args(["build", "--package", "fewerbits", "--lib", "--release", "--target", WASM_TARGET]).args(features);
    run(build.arg("--target-dir").arg(&target_dir), "building the crate for wasm32")?;
    let raw = target_dir.join(WASM_TARGET).join("release/fewerbits.wasm");

    let stamp = Stamp::new(out.join(".stamp")).add(RECIPE.as_bytes()).add_file(&raw)?;
    let module = out.join("fewerbits_bg.wasm");
    if stamp.is_done() && module.is_file() && out.join("fewerbits.js").is_file() {
        return Ok(());
    }
    println!("• making {} from {}", shown(out), shown(&raw));
    // Made aside and moved as a whole: a page that is being served never sees half a build.
    let aside = paths::target().join("xtask-wasm").join(format!("{}{}", simd.name(), features.concat()));
    let _ = fs::remove_dir_all(&aside);
    fs::create_dir_all(&aside)?;
    bindgen(&raw, &aside)?;
    optimize(&aside.join("fewerbits_bg.wasm"))?;
    verify(&aside, simd)?;
    fs::create_dir_all(out)?;
    for file in paths::files_below(&aside) {
        fs::copy(&file, out.join(file.strip_prefix(&aside)?)).with_context(|| format!("copying {}", shown(&file)))?;
    }
    stamp.done()
}

/// A cargo command whose wasm code uses exactly these vector instructions, whatever RUSTFLAGS say outside.
pub fn with_features(mut cargo: Command, simd: Simd) -> Command {
    cargo.env_remove("CARGO_ENCODED_RUSTFLAGS").env("RUSTFLAGS", simd.rustflags());
    cargo
}

fn bindgen(raw: &Path, out: &Path) -> Result<()> {
    let args = [
        "wasm-bindgen".as_ref(),
        raw.as_os_str(),
        "--out-dir".as_ref(),
        out.as_os_str(),
        "--out-name".as_ref(),
        "fewerbits".as_ref(),
        "--target".as_ref(),
        "web".as_ref(),
        "--remove-producers-section".as_ref(),
    ];
    wasm_bindgen_cli::wasm_bindgen::run_cli_with_args(args).context("wasm-bindgen")
}

/// wasm-opt from the npm package, never from PATH: Debian's old one breaks such modules silently.
fn optimize(module: &Path) -> Result<()> {
    let optimized = module.with_extension("opt.wasm");
    let mut opt = node_tool("binaryen/bin/wasm-opt");
    // LLVM has inlined what the loops need; what wasm-opt would add to that is 2.4 KB of the gzipped module.
    opt.arg(module).args(["-O3", "-ocimfs=10", "-fimfs=10"]);
    run(opt.arg("-o").arg(&optimized), "wasm-opt")?;
    fs::rename(&optimized, module).context("keeping what wasm-opt wrote")
}

/// The module instantiates in Node through its own glue and holds SIMD exactly where it should.
fn verify(dir: &Path, simd: Simd) -> Result<()> {
    let module = dir.join("fewerbits_bg.wasm");
    let bytes = fs::read(&module)?;
    let needs_simd = !is_valid(&bytes, wasmparser::WasmFeatures::all() - wasmparser::WasmFeatures::SIMD);
    match simd {
        Simd::Scalar if needs_simd => bail!("the scalar module holds SIMD: a benchmark against it would say nothing"),
        Simd::Simd128 if !needs_simd => bail!("the module holds no SIMD: it was not built with simd128"),
        _ => {}
    }
    let script = "
        const [glue, wasm] = process.argv.slice(1);
        const { readFileSync } = await import('node:fs');
        const { pathToFileURL } = await import('node:url');
        const module = await import(pathToFileURL(glue).href);
        const exports = await module.default({ module_or_path: readFileSync(wasm) });
        if (!(exports.memory instanceof WebAssembly.Memory)) throw new Error('the module exports no memory');
    ";
    // The glue is an ES module; without a package.json that says so Node would guess from its syntax.
    fs::write(dir.join("package.json"), "{ \"type\": \"module\" }\n")?;
    let mut node = command("node");
    node.args(["--input-type=module", "--eval", script]).arg(dir.join("fewerbits.js")).arg(&module);
    capture(&mut node, "instantiating the module in Node")?;
    fs::remove_file(dir.join("package.json"))?;
    Ok(())
}

fn is_valid(module: &[u8], features: wasmparser::WasmFeatures) -> bool {
    wasmparser::Validator::new_with_features(features).validate_all(module).is_ok()
}

/// The runner that cargo starts for wasm32 test binaries (`.cargo/config.toml`).
pub fn run_tests(args: &[String]) -> Result<()> {
    let args = std::iter::once("wasm-bindgen-test-runner").chain(args.iter().map(String::as_str));
    wasm_bindgen_cli::wasm_bindgen_test_runner::run_cli_with_args(args)
}

#[cfg(test)]
mod tests {
    use super::*;

    // (module (func (result v128) v128.const i32x4 0 0 0 0))
    const WITH_SIMD: &[u8] = &[
        0, 97, 115, 109, 1, 0, 0, 0, 1, 5, 1, 96, 0, 1, 123, 3, 2, 1, 0, 10, 22, 1, 20, 0, 253, 12, 0, 0, 0, 0, 0, 0,
        0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 11,
    ];

    #[test]
    fn a_module_with_simd_is_told_from_one_without() {
        let all = wasmparser::WasmFeatures::all();
        assert!(is_valid(WITH_SIMD, all));
        assert!(!is_valid(WITH_SIMD, all - wasmparser::WasmFeatures::SIMD));
        assert!(is_valid(b"\0asm\x01\0\0\0", all - wasmparser::WasmFeatures::SIMD));
    }
}
