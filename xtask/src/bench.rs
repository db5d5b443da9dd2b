//! `cargo xtask bench [filter]`: the crate built twice, with and without SIMD, and measured side by side in one run.

use crate::paths::at;
use crate::process::{command, run};
use crate::setup;
use crate::wasm::{self, Simd};
use anyhow::{Result, bail};

/// Measures what `filter` names (all without one) in Node and in Chromium.
pub fn all(filter: &[String]) -> Result<()> {
    if !at("benches/bench.js").is_file() {
        bail!("there is nothing to measure: benches/bench.js is missing");
    }
    setup::all()?;
    let simd = wasm::build_for_bench(Simd::Simd128)?;
    let scalar = wasm::build_for_bench(Simd::Scalar)?;
    run(command("node").arg("xtask/js/bench.mjs").arg(&simd).arg(&scalar).args(filter), "the benchmark")
}
