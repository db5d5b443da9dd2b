//! ggml's block formats, block by block, in the order of operations of llama.cpp's C code.

mod grids;
pub mod iq;
pub mod k;
pub mod legacy;
pub mod mx;
pub mod read_only;
pub mod ternary;

pub use k::{from_q2_k, from_q3_k, from_q4_k, from_q5_k, from_q6_k, q2_k, q3_k, q4_k, q5_k, q6_k};
pub use legacy::{from_q4_0, from_q4_1, from_q5_0, from_q5_1, from_q8_0, q4_0, q4_1, q5_0, q5_1, q8_0};

use half::f16;

/// A half-precision number.
pub(crate) fn half_at(block: &[u8], at: usize) -> f32 {
    f16::from_le_bytes([block[at], block[at + 1]]).to_f32()
}

/// Half precision, NaN as x86 makes it.
pub(crate) fn put_half(x: f32, out: &mut [u8]) {
    let bits = if x.is_nan() { 0xFE00 } else { f16::from_f32(x).to_bits() };
    out.copy_from_slice(&bits.to_le_bytes());
}

/// Half to even, by adding 1.5 · 2²³ and taking the low bits, whatever they are.
pub(crate) fn nearest_int(x: f32) -> i32 {
    ((x + 12_582_912.0).to_bits() & 0x7F_FFFF) as i32 - 0x40_0000
}
