//! ggml's block formats: entry points. Each takes whole blocks, as many as fit.

use super::scalar;

/// `q8_0`: 32 weights, an f16 scale and 32 signed bytes, in 34 bytes.
pub fn q8_0(x: &[f32], out: &mut [u8]) {
    scalar::ggml::legacy::q8_0(x, out);
}

/// Reads [`q8_0`].
pub fn from_q8_0(bytes: &[u8], out: &mut [f32]) {
    scalar::ggml::legacy::from_q8_0(bytes, out);
}
