//! Loops over numbers. Each has a scalar form in [`scalar`], which is the specification, and may have the same
//! in SIMD128; the two are equal bit for bit. This file holds the safe entry points and is the only place that
//! chooses between them.

pub mod scalar;
#[cfg(all(target_arch = "wasm32", target_feature = "simd128"))]
#[allow(unsafe_code, reason = "the only place that loads and stores vectors through pointers")]
pub mod simd128;
