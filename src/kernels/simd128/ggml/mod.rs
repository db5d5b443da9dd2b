//! ggml's block formats.

mod k;
mod legacy;

pub use k::{from_q2_k, from_q3_k, from_q4_k, from_q5_k, from_q6_k, q2_k, q3_k, q4_k, q5_k, q6_k};
pub use legacy::{from_q4_0, from_q4_1, from_q5_0, from_q5_1, from_q8_0, q4_0, q4_1, q5_0, q5_1, q8_0};

use core::arch::wasm32::{
    f32x4_add, f32x4_convert_i32x4, f32x4_mul, f32x4_splat, i8x16_narrow_i16x8, i16x8_extend_high_i8x16,
    i16x8_extend_low_i8x16, i16x8_narrow_i32x4, i32x4_extend_high_i16x8, i32x4_extend_low_i16x8, i32x4_splat,
    i32x4_sub, v128, v128_and, v128_load, v128_store,
};

use super::store4;

/// Sixteen bytes.
#[inline(always)]
fn load_bytes(bytes: &[u8]) -> v128 {
    assert!(bytes.len() >= 16);
    // SAFETY: the assertion above guarantees 16 readable bytes; v128_load has no alignment requirement.
    unsafe { v128_load(bytes.as_ptr().cast()) }
}

#[inline(always)]
fn store_bytes(v: v128, out: &mut [u8]) {
    assert!(out.len() >= 16);
    // SAFETY: the assertion above guarantees 16 writable bytes; v128_store has no alignment requirement.
    unsafe { v128_store(out.as_mut_ptr().cast(), v) }
}

/// The half-precision number at a place of a block.
#[inline(always)]
fn half_at(block: &[u8], at: usize) -> f32 {
    let bits = u32::from(u16::from_le_bytes([block[at], block[at + 1]]));
    let (sign, exponent, mantissa) = (bits >> 15 << 31, bits >> 10 & 31, bits & 0x3FF);
    let magnitude = match exponent {
        0 => (mantissa as f32 * (1.0 / 16_777_216.0)).to_bits(),
        31 => 0x7F80_0000 | mantissa << 13,
        _ => (exponent + 112) << 23 | mantissa << 13,
    };
    f32::from_bits(sign | magnitude)
}

/// Sixteen signed codes times a scale plus an offset. An offset of −0 changes nothing.
#[inline(always)]
fn emit(codes: v128, scale: v128, offset: v128, out: &mut [f32; 16]) {
    let halves = [i16x8_extend_low_i8x16(codes), i16x8_extend_high_i8x16(codes)];
    for (h, half) in halves.into_iter().enumerate() {
        let quarters = [i32x4_extend_low_i16x8(half), i32x4_extend_high_i16x8(half)];
        for (q, quarter) in quarters.into_iter().enumerate() {
            let value = f32x4_mul(scale, f32x4_convert_i32x4(quarter));
            store4(f32x4_add(value, offset), &mut out[8 * h + 4 * q..]);
        }
    }
}

/// See [`crate::kernels::scalar::ggml::k::nearest`].
#[inline(always)]
fn nearest(t: v128) -> v128 {
    let bits = f32x4_add(t, f32x4_splat(12_582_912.0));
    i32x4_sub(v128_and(bits, i32x4_splat(0x007F_FFFF)), i32x4_splat(0x0040_0000))
}

/// Sixteen whole numbers as signed bytes, those that do not fit at the ends.
#[inline(always)]
fn narrow(t: [v128; 4]) -> v128 {
    i8x16_narrow_i16x8(i16x8_narrow_i32x4(t[0], t[1]), i16x8_narrow_i32x4(t[2], t[3]))
}
