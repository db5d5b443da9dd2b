//! Loops over numbers. Each has a scalar form in [`scalar`], which is the specification, and may have the same
//! in SIMD128; the two are equal bit for bit. This file holds the safe entry points and is the only place that
//! chooses between them. A loop that LLVM vectorizes well by itself has only the scalar form.
//!
//! Sums run in lanes: element `i` of a call goes to lane `i % LANES`, and [`scalar::reduce`] adds the lanes in a fixed order.
//! So a sum depends on the data alone, not on the instruction set.

pub mod scalar;
#[cfg(all(target_arch = "wasm32", target_feature = "simd128"))]
#[allow(unsafe_code, reason = "the only place that loads and stores vectors through pointers")]
#[allow(missing_docs, reason = "each function is documented at its entry point in `kernels`")]
pub mod simd128;

mod affine;
#[cfg(feature = "bench")]
pub mod anchors;
pub mod best;
mod binning;
pub mod bits;
pub mod codebook;
pub mod errors;
pub mod float;
pub mod ggml;
pub mod ggml_more;
pub mod hqq;
#[cfg(feature = "full")]
pub mod llama;
pub mod nn;
mod sums;

pub use affine::{
    ERROR_BLOCK, EvenRuns, Grid, Rounding, encode, grid_error, keep_non_zero, reconstruct, reconstruct_coded,
    reconstruct_each, reconstruct_runs, steps, steps_each,
};
pub use binning::{Axis, CodeCounts, column_bits, count_bins, count_code_pairs, count_error_bins};
pub use sums::{
    CompareSums, Energy, Extent, FIDELITY_RUN, Fidelity, Moments, compare, energy, extent, fidelity, moments, products,
};

/// Lanes of a sum: element `i` of a call is added to lane `i % LANES`.
pub const LANES: usize = 8;

/// Picks the SIMD form where the target has it, the scalar form elsewhere.
macro_rules! dispatch {
    ($module:ident :: $name:ident ( $($argument:expr),* $(,)? )) => {{
        #[cfg(all(target_arch = "wasm32", target_feature = "simd128"))]
        {
            $crate::kernels::simd128::$module::$name($($argument),*)
        }
        #[cfg(not(all(target_arch = "wasm32", target_feature = "simd128")))]
        {
            $crate::kernels::scalar::$module::$name($($argument),*)
        }
    }};
}
pub(crate) use dispatch;
