//! The same kernels in WebAssembly SIMD128, equal to [`super::scalar`] bit for bit. Relaxed SIMD is not used.

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
pub mod iq;
mod levels;
#[cfg(feature = "full")]
pub mod llama;
pub mod mx;
pub mod nn;
mod numbers;
pub mod sums;
pub mod ternary;

use core::arch::wasm32::{f64x2_extract_lane, v128, v128_load, v128_store};

use super::LANES;

/// Loads four f32 from the start of a slice.
#[inline(always)]
fn load4(x: &[f32]) -> v128 {
    assert!(x.len() >= 4);
    // SAFETY: the assertion above guarantees 16 readable bytes; v128_load has no alignment requirement.
    unsafe { v128_load(x.as_ptr().cast()) }
}

/// Stores four f32 to the start of a slice.
#[inline(always)]
fn store4(v: v128, out: &mut [f32]) {
    assert!(out.len() >= 4);
    // SAFETY: the assertion above guarantees 16 writable bytes; v128_store has no alignment requirement.
    unsafe { v128_store(out.as_mut_ptr().cast(), v) }
}

/// Loads sixteen i8 from the start of a slice.
#[inline(always)]
fn load16(x: &[i8]) -> v128 {
    assert!(x.len() >= 16);
    // SAFETY: the assertion above guarantees 16 readable bytes; v128_load has no alignment requirement.
    unsafe { v128_load(x.as_ptr().cast()) }
}

/// Stores sixteen i8 to the start of a slice.
#[inline(always)]
fn store16(v: v128, out: &mut [i8]) {
    assert!(out.len() >= 16);
    // SAFETY: the assertion above guarantees 16 writable bytes; v128_store has no alignment requirement.
    unsafe { v128_store(out.as_mut_ptr().cast(), v) }
}

/// The eight f64 lanes of four vectors, in element order.
fn lanes(v: [v128; 4]) -> [f64; LANES] {
    let mut out = [0.0; LANES];
    for (pair, v) in out.chunks_exact_mut(2).zip(v) {
        pair[0] = f64x2_extract_lane::<0>(v);
        pair[1] = f64x2_extract_lane::<1>(v);
    }
    out
}
