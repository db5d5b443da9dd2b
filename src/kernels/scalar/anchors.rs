//! Anchors of benchmarks.

/// See [`crate::kernels::anchors::convert_and_store`].
pub fn convert_and_store(x: &[f32], codes: &mut [i8]) {
    for (x, code) in x.iter().zip(codes) {
        *code = (x + 12_582_912.0).to_bits() as i8;
    }
}
