//! `cargo xtask bench [filter]`: the crate built twice, with and without SIMD, and measured side by side in one run.

use crate::paths::at;
use crate::process::{command, run};
use crate::wasm::{self, Simd};
use crate::{python, setup, site};
use anyhow::{Result, bail};
use std::ffi::OsString;

/// Measures what `filter` names: the kernels of that name in Node and in Chromium, with `page` the page, with `quality` what schemes lose,
/// with `ggml` and perhaps a part of a name ggml's formats, with `effort` what the search for less error gains and costs, with `shrink` whole
/// jobs on files, with `batch` several models on the page, with `plan` plans for a size beside presets, with `nn` the sample network's layers,
/// with `lm` what schemes cost the language model, with `train` what learning at few bits gains; all without one.
pub fn all(filter: &[String]) -> Result<()> {
    let first = filter.first().map(String::as_str);
    if !matches!(first, Some("page" | "ggml" | "quality" | "effort" | "shrink" | "batch" | "plan" | "lm" | "train")) {
        kernels(filter)?;
    }
    if matches!(first, None | Some("page")) {
        page()?;
    }
    if matches!(first, None | Some("quality")) {
        quality()?;
    }
    if matches!(first, None | Some("ggml")) {
        ggml(filter.get(1..).unwrap_or_default())?;
    }
    if matches!(first, None | Some("effort")) {
        effort()?;
    }
    if matches!(first, None | Some("shrink")) {
        shrink(filter.get(1..).unwrap_or_default())?;
    }
    if matches!(first, None | Some("plan")) {
        plan()?;
    }
    if matches!(first, None | Some("batch")) {
        batch()?;
    }
    for (name, script) in [("lm", "benches/lm.mjs"), ("train", "benches/train.mjs")] {
        if first.is_none_or(|first| first == name) {
            networks(script)?;
        }
    }
    Ok(())
}

/// Whole jobs in Node and in Chromium, from a file to a file, beside llama.cpp's own where Python and the library are; with `large` how much
/// memory a large model takes.
fn shrink(filter: &[String]) -> Result<()> {
    setup::all()?;
    wasm::build()?;
    let is_large = filter.first().is_some_and(|name| name == "large");
    if !is_large {
        let mut jobs = command("node");
        run(jobs.arg("benches/shrink.mjs").arg(python_or_not()?).args(filter), "the benchmark of whole jobs")?;
    }
    if is_large || filter.is_empty() {
        run(command("node").arg("benches/large.mjs"), "the benchmark of large models")?;
    }
    Ok(())
}

/// Plans for a size beside single schemes and llama-quantize's presets, and their time.
fn plan() -> Result<()> {
    setup::all()?;
    wasm::build()?;
    site::build()?;
    run(command("node").arg("benches/plan.mjs").arg(python_or_not()?), "the benchmark of plans for a size")
}

/// The memory that several models in one go take on the built page.
fn batch() -> Result<()> {
    setup::all()?;
    wasm::build()?;
    site::build()?;
    run(command("node").arg("benches/batch.mjs"), "the benchmark of several models")
}

/// A table of the sample networks.
fn networks(script: &str) -> Result<()> {
    setup::all()?;
    wasm::build()?;
    run(command("node").arg(script), "a table of the sample networks")
}

/// What every scheme loses at its width.
fn quality() -> Result<()> {
    setup::all()?;
    wasm::build()?;
    run(command("node").arg("benches/quality.mjs"), "the table of qualities")
}

/// ggml's formats beside llama.cpp's own library, where Python and the library are.
fn ggml(filter: &[String]) -> Result<()> {
    setup::all()?;
    let module = wasm::build_for_bench(Simd::Simd128)?;
    run(
        command("node").arg("benches/ggml.mjs").arg(&module).arg(python_or_not()?).args(filter),
        "the benchmark of ggml's formats",
    )
}

/// What the search for less error gains and costs.
fn effort() -> Result<()> {
    setup::all()?;
    wasm::build()?;
    let module = wasm::build_for_bench(Simd::Simd128)?;
    run(command("node").arg("benches/effort.mjs").arg(&module).arg(python_or_not()?), "the benchmark of the search")
}

/// The Python that calls llama.cpp's library; empty, and said, where there is none.
fn python_or_not() -> Result<OsString> {
    Ok(python::environment()?.map(|python| python.into_os_string()).unwrap_or_else(|why| {
        println!("Without llama.cpp's times: {why}");
        OsString::new()
    }))
}

/// How the built page follows a dragged control, in Chromium.
fn page() -> Result<()> {
    setup::all()?;
    wasm::build()?;
    site::build()?;
    run(command("node").arg("benches/page.mjs"), "the page's benchmark")
}

fn kernels(filter: &[String]) -> Result<()> {
    if !at("benches/bench.js").is_file() {
        bail!("there is nothing to measure: benches/bench.js is missing");
    }
    setup::all()?;
    let simd = wasm::build_for_bench(Simd::Simd128)?;
    let scalar = wasm::build_for_bench(Simd::Scalar)?;
    run(command("node").arg("xtask/js/bench.mjs").arg(&simd).arg(&scalar).args(filter), "the benchmark")
}
