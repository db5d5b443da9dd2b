//! Half to single precision, sixteen at a time.

use core::arch::wasm32::{
    f32x4_sub, i16x8_add, i16x8_lt, i16x8_min, i16x8_splat, i32x4_add, i32x4_extend_high_i16x8, i32x4_extend_low_i16x8,
    i32x4_gt, i32x4_lt, i32x4_shl, i32x4_splat, v128, v128_and, v128_any_true, v128_bitselect, v128_or,
};

use super::super::scalar;
use super::levels::load_bytes;
use super::store4;

/// The bias moves from 15 to 127.
const EXPONENT: i32 = 112 << 23;

/// Weights are normal numbers as a rule, which only take another bias. Sixteen with a zero, a subnormal number, an infinity or NaN
/// among them go the long way.
pub fn halves(bytes: &[u8], out: &mut [f32]) {
    let (blocks, rest) = bytes.as_chunks::<32>();
    let (outs, last) = out.as_chunks_mut::<16>();
    for (block, out) in blocks.iter().zip(outs) {
        let (a, b) = (load_bytes(block), load_bytes(&block[16..]));
        let four = [
            i32x4_extend_low_i16x8(a),
            i32x4_extend_high_i16x8(a),
            i32x4_extend_low_i16x8(b),
            i32x4_extend_high_i16x8(b),
        ];
        if v128_any_true(i16x8_lt(i16x8_min(exponent(a), exponent(b)), i16x8_splat(0x0800))) {
            for (k, four) in four.into_iter().enumerate() {
                store4(any(placed(four)), &mut out[4 * k..]);
            }
        } else {
            for (k, four) in four.into_iter().enumerate() {
                store4(i32x4_add(placed(four), i32x4_splat(EXPONENT)), &mut out[4 * k..]);
            }
        }
    }
    scalar::float::halves(rest, last);
}

/// The exponents and one more: of what is not normal below 2, because the largest becomes negative.
#[inline(always)]
fn exponent(halves: v128) -> v128 {
    i16x8_add(v128_and(halves, i16x8_splat(0x7c00)), i16x8_splat(0x0400))
}

/// Sign and magnitude where an `f32` has them. The halves come with their signs extended.
#[inline(always)]
fn placed(halves: v128) -> v128 {
    v128_and(i32x4_shl(halves, 13), i32x4_splat(0x8fff_e000_u32 as i32))
}

/// As [`scalar::float::half`].
#[inline(always)]
fn any(placed: v128) -> v128 {
    let magnitude = v128_and(placed, i32x4_splat(i32::MAX));
    let sign = v128_and(placed, i32x4_splat(i32::MIN));
    let twice = v128_and(i32x4_gt(magnitude, i32x4_splat(0x0f7f_ffff)), i32x4_splat(EXPONENT));
    let normal = i32x4_add(i32x4_add(magnitude, i32x4_splat(EXPONENT)), twice);
    let least = i32x4_splat(113 << 23);
    let subnormal = f32x4_sub(i32x4_add(magnitude, least), least);
    v128_or(sign, v128_bitselect(subnormal, normal, i32x4_lt(magnitude, i32x4_splat(0x0080_0000))))
}
