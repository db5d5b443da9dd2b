//! The readable forms: these are the specification of every kernel.

pub mod affine;
#[cfg(feature = "bench")]
pub mod anchors;
pub mod best;
pub mod binning;
pub mod codebook;
pub mod errors;
pub mod float;
pub mod ggml;
pub mod hqq;
#[cfg(feature = "full")]
pub mod llama;
pub mod nn;
mod numbers;
pub mod sums;

pub use ggml::{iq, mx, ternary};

use super::LANES;

/// Adds the lanes of a sum in the order that halving a vector gives: 4 apart, then 2, then 1.
#[must_use]
pub fn reduce(lanes: [f64; LANES]) -> f64 {
    let [a, b, c, d, e, f, g, h] = lanes;
    ((a + e) + (c + g)) + ((b + f) + (d + h))
}
