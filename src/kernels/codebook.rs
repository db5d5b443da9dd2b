//! Codes that choose from a table of levels: entry points.

use super::dispatch;

/// Codes of weights: how many of the `cuts` lie below `x · factor`, a product rounded to f32. NaN becomes 0. Codes above 127 wrap: they are
/// the bits of a `u8`.
///
/// `cuts` ascend; at most 255.
///
/// # Panics
/// If `x` and `codes` differ in length.
pub fn encode(x: &[f32], factor: f32, cuts: &[f32], codes: &mut [i8]) {
    assert_eq!(x.len(), codes.len(), "one code per weight");
    dispatch!(codebook::encode(x, factor, cuts, codes));
}

/// `entries[code] · scale`, rounded once; a code past the table stands for its last entry.
///
/// # Panics
/// If `codes` and `out` differ in length or there are no entries.
pub fn decode(codes: &[i8], entries: &[f32], scale: f32, out: &mut [f32]) {
    assert!(codes.len() == out.len() && !entries.is_empty(), "one value per code, at least one entry");
    dispatch!(codebook::decode(codes, entries, scale, out));
}

/// Sum in f64 and number of the finite magnitudes above `cut`; a negative cut takes all of them.
#[must_use]
pub fn magnitudes_above(x: &[f32], cut: f32) -> (f64, u64) {
    dispatch!(codebook::magnitudes_above(x, cut))
}
