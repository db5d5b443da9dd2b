//! `cargo xtask bench [filter]`: the crate built twice, with and without SIMD, and measured side by side in one run.

use crate::paths::at;
use crate::process::{command, run};
use crate::wasm::{self, Simd};
use crate::{setup, site};
use anyhow::{Result, bail};

/// Measures what `filter` names: the kernels of that name in Node and in Chromium, with `nn` the sample network's layers there, with `page`
/// the page, with `quality` what schemes lose; kernels and page without one.
pub fn all(filter: &[String]) -> Result<()> {
    if filter == ["quality"] {
        return quality();
    }
    let page_only = filter == ["page"];
    if !page_only {
        kernels(filter)?;
    }
    if page_only || filter.is_empty() {
        page()?;
    }
    Ok(())
}

/// What every scheme loses at its width.
fn quality() -> Result<()> {
    setup::all()?;
    wasm::build()?;
    run(command("node").arg("benches/quality.mjs"), "the table of qualities")
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
