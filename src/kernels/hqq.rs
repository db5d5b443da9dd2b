//! Half-quadratic quantization of one group of weights: entry points.

use super::{dispatch, scalar};

/// What HQQ rounds onto: `code = clamp(round(x · factor + zero), 0, high)`, `value = (code − zero) · scale`, every step rounded to f32.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Grid {
    /// What weights are multiplied by.
    pub factor: f32,
    /// Its inverse.
    pub scale: f32,
    /// The code that would mean 0, not a whole number.
    pub zero: f32,
    /// The highest code.
    pub high: f32,
}

/// Codes of weights; those above 127 wrap, they are the bits of a `u8`.
///
/// # Panics
/// If `x` and `codes` differ in length.
pub fn encode(x: &[f32], grid: Grid, codes: &mut [i8]) {
    assert_eq!(x.len(), codes.len(), "one code per weight");
    scalar::hqq::encode(x, grid, codes);
}

/// Values of codes, ±FLT_MAX where they would overflow.
///
/// # Panics
/// If `codes` and `out` differ in length.
pub fn decode(codes: &[i8], grid: Grid, out: &mut [f32]) {
    assert_eq!(codes.len(), out.len(), "one value per code");
    scalar::hqq::decode(codes, grid, out);
}

/// `(Σ |e|^p, Σ z)`, `p` = 0.7: `e = x − value` is the error on the grid, `z = code − (x − w) · factor` the zero that would suit a weight whose
/// error may stay `w = sign(e) · max(0, |e| − |e|^(p−1) · weight)`.
#[must_use]
pub fn step(x: &[f32], grid: Grid, weight: f32) -> (f64, f64) {
    dispatch!(hqq::step(x, grid, weight))
}
