//! `mxfp4` and `nvfp4`. The code with the least error is found from thresholds, the middles between levels, where these are exact; blocks
//! of which that is not sure go the scalar way.

use core::arch::wasm32::{
    f32x4_abs, f32x4_add, f32x4_ceil, f32x4_gt, f32x4_mul, f32x4_splat, i8x16_narrow_i16x8, i8x16_ne, i8x16_shl,
    i8x16_shuffle, i16x8_narrow_i32x4, i32x4_add, i32x4_splat, i32x4_sub, i64x2_shuffle, u8x16_min, u8x16_narrow_i16x8,
    u8x16_shr, u8x16_splat, u8x16_sub, u8x16_swizzle, v128, v128_and, v128_or,
};

use super::super::scalar::ggml::mx::{self as scalar, LEVELS, exponent_of, half_power, half_ue4m3, to_ue4m3};
use super::levels::{Levels, bytes, each, load_bytes, load_weights, store_bytes};
use super::ternary::amax;

const MAGIC: f32 = 12_582_912.0;
const VALUES: Levels = Levels::of(LEVELS);

/// The magnitude's code for `⌈2·|x| / scale⌉`: a middle goes to the lower level.
const LOW: v128 = bytes([0, 0, 1, 1, 2, 2, 3, 3, 4, 4, 4, 5, 5, 5, 5, 6]);
const HIGH: v128 = bytes([6, 6, 6, 6, 6, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7]);

/// The sign of sixteen weights as the highest bit of a code: as whole numbers they saturate to the end on their side.
#[inline(always)]
fn signs([a, b, c, d]: [v128; 4]) -> v128 {
    let all = i8x16_narrow_i16x8(i16x8_narrow_i32x4(a, b), i16x8_narrow_i32x4(c, d));
    v128_and(u8x16_shr(all, 4), u8x16_splat(8))
}

/// Codes from magnitudes and signs; there is no −0.
#[inline(always)]
fn with_signs(magnitudes: v128, x: [v128; 4]) -> v128 {
    v128_or(magnitudes, v128_and(signs(x), i8x16_ne(magnitudes, u8x16_splat(0))))
}

/// The codes of sixteen weights, `twice` being two over the scale, a power of two.
#[inline(always)]
fn codes(x: [v128; 4], twice: v128) -> v128 {
    let magic = f32x4_splat(MAGIC);
    let [a, b, c, d] = each(x, |x| i32x4_sub(f32x4_add(f32x4_ceil(f32x4_mul(f32x4_abs(x), twice)), magic), magic));
    let n = u8x16_narrow_i16x8(i16x8_narrow_i32x4(a, b), i16x8_narrow_i32x4(c, d));
    let n = u8x16_min(n, u8x16_splat(31));
    let high = u8x16_swizzle(HIGH, u8x16_sub(n, u8x16_splat(16)));
    with_signs(v128_or(u8x16_swizzle(LOW, n), high), x)
}

pub fn mxfp4(x: &[f32], out: &mut [u8]) {
    for (x, out) in x.as_chunks::<32>().0.iter().zip(out.as_chunks_mut::<17>().0) {
        mxfp4_with(x, exponent_of(amax(x)), out);
    }
}

pub fn mxfp4_with(x: &[f32; 32], exponent: u8, out: &mut [u8; 17]) {
    // Levels beyond f32, or a scale whose inverse is: compared one by one.
    if !(3..252).contains(&exponent) {
        scalar::mxfp4_with(x, exponent, out);
        return;
    }
    out[0] = exponent;
    // 2 / half_power(exponent)
    let twice = f32x4_splat(f32::from_bits((256 - u32::from(exponent)) << 23));
    let (low, high) = (codes(load_weights(x), twice), codes(load_weights(&x[16..]), twice));
    store_bytes(v128_or(low, i8x16_shl(high, 4)), &mut out[1..]);
}

pub fn from_mxfp4(bytes: &[u8], out: &mut [f32]) {
    for (block, out) in bytes.as_chunks::<17>().0.iter().zip(out.as_chunks_mut::<32>().0) {
        VALUES.put_nibbles(load_bytes(&block[1..]), f32x4_splat(half_power(block[0])), out);
    }
}

/// Half the sums of neighbouring magnitudes.
const MIDDLES: [f32; 7] = [0.5, 1.5, 2.5, 3.5, 5.0, 7.0, 10.0];

/// The codes of sixteen weights under any scale, the product of which with a middle is exact.
#[inline(always)]
fn codes_by_comparison(x: [v128; 4], scale: f32) -> v128 {
    let [a, b, c, d, e, f, g] = MIDDLES;
    let threshold = |middle| f32x4_splat(middle * scale);
    let (t1, t2, t3, t4) = (threshold(a), threshold(b), threshold(c), threshold(d));
    let (t5, t6, t7) = (threshold(e), threshold(f), threshold(g));
    let [a, b, c, d] = each(x, |x| {
        let magnitude = f32x4_abs(x);
        let count = i32x4_add(f32x4_gt(magnitude, t1), f32x4_gt(magnitude, t2));
        let count = i32x4_add(i32x4_add(count, f32x4_gt(magnitude, t3)), f32x4_gt(magnitude, t4));
        let count = i32x4_add(i32x4_add(count, f32x4_gt(magnitude, t5)), f32x4_gt(magnitude, t6));
        i32x4_sub(i32x4_splat(0), i32x4_add(count, f32x4_gt(magnitude, t7)))
    });
    with_signs(i8x16_narrow_i16x8(i16x8_narrow_i32x4(a, b), i16x8_narrow_i32x4(c, d)), x)
}

pub fn nvfp4(x: &[f32], out: &mut [u8]) {
    for (x, out) in x.as_chunks::<64>().0.iter().zip(out.as_chunks_mut::<36>().0) {
        let mut scales = [0; 4];
        for (x, scale) in x.as_chunks::<16>().0.iter().zip(&mut scales) {
            *scale = to_ue4m3(amax(x) / 6.0);
        }
        // Where the scale is 0 all levels are equal; where it is the greatest, weights may be so far from all that errors are.
        if scales.iter().any(|&scale| scale == 0 || scale == 0x7E) {
            scalar::nvfp4(x, out);
            continue;
        }
        out[..4].copy_from_slice(&scales);
        for (pair, out) in out[4..].as_chunks_mut::<16>().0.iter_mut().enumerate() {
            let part = |i: usize| codes_by_comparison(load_weights(&x[16 * i..]), half_ue4m3(scales[i]));
            let (a, b) = (part(2 * pair), part(2 * pair + 1));
            let low = i64x2_shuffle::<0, 2>(a, b);
            let high = i64x2_shuffle::<1, 3>(a, b);
            store_bytes(v128_or(low, i8x16_shl(high, 4)), out);
        }
    }
}

pub fn from_nvfp4(bytes: &[u8], out: &mut [f32]) {
    for (block, out) in bytes.as_chunks::<36>().0.iter().zip(out.as_chunks_mut::<64>().0) {
        for (pair, out) in out.as_chunks_mut::<32>().0.iter_mut().enumerate() {
            let nibbles = load_bytes(&block[4 + 16 * pair..]);
            let low = v128_and(nibbles, u8x16_splat(15));
            let high = u8x16_shr(nibbles, 4);
            let halves = [
                i8x16_shuffle::<0, 1, 2, 3, 4, 5, 6, 7, 16, 17, 18, 19, 20, 21, 22, 23>(low, high),
                i8x16_shuffle::<8, 9, 10, 11, 12, 13, 14, 15, 24, 25, 26, 27, 28, 29, 30, 31>(low, high),
            ];
            for (i, out) in out.as_chunks_mut::<16>().0.iter_mut().enumerate() {
                VALUES.put(halves[i], f32x4_splat(half_ue4m3(block[2 * pair + i])), out);
            }
        }
    }
}
