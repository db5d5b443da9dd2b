//! What a quantizer cannot be faster than: loops that do less than it has to. For benchmarks only.

use super::dispatch;

/// Rounds by adding 1.5·2²³ and stores the low byte: reads and writes as much as [`super::encode`], and neither divides nor clamps.
///
/// # Panics
/// If the slices differ in length.
pub fn convert_and_store(x: &[f32], codes: &mut [i8]) {
    assert_eq!(x.len(), codes.len(), "one code per weight");
    dispatch!(anchors::convert_and_store(x, codes));
}
