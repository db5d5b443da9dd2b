//! ggml's block formats: entry points. Each takes whole blocks, as many as fit, of finite weights.

use super::dispatch;

/// `q8_0`: 32 weights in 34 bytes: an f16 scale and 32 signed bytes.
pub fn q8_0(x: &[f32], out: &mut [u8]) {
    dispatch!(ggml::q8_0(x, out));
}

/// Reads [`q8_0`].
pub fn from_q8_0(bytes: &[u8], out: &mut [f32]) {
    dispatch!(ggml::from_q8_0(bytes, out));
}

/// `q4_0`: 32 weights in 18 bytes: an f16 scale and 32 nibbles that count from −8.
pub fn q4_0(x: &[f32], out: &mut [u8]) {
    dispatch!(ggml::q4_0(x, out));
}

/// Reads [`q4_0`].
pub fn from_q4_0(bytes: &[u8], out: &mut [f32]) {
    dispatch!(ggml::from_q4_0(bytes, out));
}

/// `q4_1`: 32 weights in 20 bytes: an f16 scale and minimum and 32 nibbles.
pub fn q4_1(x: &[f32], out: &mut [u8]) {
    dispatch!(ggml::q4_1(x, out));
}

/// Reads [`q4_1`].
pub fn from_q4_1(bytes: &[u8], out: &mut [f32]) {
    dispatch!(ggml::from_q4_1(bytes, out));
}

/// `q5_0`: 32 weights in 22 bytes: an f16 scale, 32 high bits and 32 nibbles; codes count from −16.
pub fn q5_0(x: &[f32], out: &mut [u8]) {
    dispatch!(ggml::q5_0(x, out));
}

/// Reads [`q5_0`].
pub fn from_q5_0(bytes: &[u8], out: &mut [f32]) {
    dispatch!(ggml::from_q5_0(bytes, out));
}

/// `q5_1`: 32 weights in 24 bytes: an f16 scale and minimum, 32 high bits and 32 nibbles.
pub fn q5_1(x: &[f32], out: &mut [u8]) {
    dispatch!(ggml::q5_1(x, out));
}

/// Reads [`q5_1`].
pub fn from_q5_1(bytes: &[u8], out: &mut [f32]) {
    dispatch!(ggml::from_q5_1(bytes, out));
}

/// `q2_k`: 256 weights in 84 bytes: 16 bytes of a scale and a minimum for sixteen weights each, 256 codes of two bits, an f16 scale of the scales and one of the minima.
pub fn q2_k(x: &[f32], out: &mut [u8]) {
    dispatch!(ggml::q2_k(x, out));
}

/// Reads [`q2_k`].
pub fn from_q2_k(bytes: &[u8], out: &mut [f32]) {
    dispatch!(ggml::from_q2_k(bytes, out));
}

/// `q3_k`: 256 weights in 110 bytes: 256 high bits, 256 low pairs, 16 scales of six bits for sixteen weights each, their f16 scale.
pub fn q3_k(x: &[f32], out: &mut [u8]) {
    dispatch!(ggml::q3_k(x, out));
}

/// Reads [`q3_k`].
pub fn from_q3_k(bytes: &[u8], out: &mut [f32]) {
    dispatch!(ggml::from_q3_k(bytes, out));
}

/// `q4_k`: 256 weights in 144 bytes: an f16 scale of the scales and one of the minima, 8 scales and 8 minima of six bits for 32 weights each, 256 nibbles.
pub fn q4_k(x: &[f32], out: &mut [u8]) {
    dispatch!(ggml::q4_k(x, out));
}

/// Reads [`q4_k`].
pub fn from_q4_k(bytes: &[u8], out: &mut [f32]) {
    dispatch!(ggml::from_q4_k(bytes, out));
}

/// `q5_k`: 256 weights in 176 bytes: as [`q4_k`] with 256 high bits before the nibbles.
pub fn q5_k(x: &[f32], out: &mut [u8]) {
    dispatch!(ggml::q5_k(x, out));
}

/// Reads [`q5_k`].
pub fn from_q5_k(bytes: &[u8], out: &mut [f32]) {
    dispatch!(ggml::from_q5_k(bytes, out));
}

/// `q6_k`: 256 weights in 210 bytes: 256 nibbles, 256 high pairs, 16 signed bytes of scales for sixteen weights each, their f16 scale.
pub fn q6_k(x: &[f32], out: &mut [u8]) {
    dispatch!(ggml::q6_k(x, out));
}

/// Reads [`q6_k`].
pub fn from_q6_k(bytes: &[u8], out: &mut [f32]) {
    dispatch!(ggml::from_q6_k(bytes, out));
}
