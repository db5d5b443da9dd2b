//! Codes that choose from a table of levels, sixteen weights at a time.

use core::arch::wasm32::{
    f32x4_abs, f32x4_gt, f32x4_lt, f32x4_mul, f32x4_splat, f64x2_add, f64x2_promote_low_f32x4, f64x2_splat,
    i8x16_shuffle, i8x16_swizzle, i16x8_narrow_i32x4, i32x4_bitmask, i32x4_splat, i32x4_sub, u8x16_min,
    u8x16_narrow_i16x8, u8x16_splat, v128, v128_and,
};

use super::super::LANES;
use super::super::scalar::codebook::{self as scalar, FEW};
use super::super::scalar::reduce;
use super::{lanes, load4, load16, store4, store16};

pub fn encode(x: &[f32], factor: f32, cuts: &[f32], codes: &mut [i8]) {
    if cuts.len() > FEW {
        return scalar::encode(x, factor, cuts, codes);
    }
    let scale = f32x4_splat(factor);
    let whole = x.len() / 16 * 16;
    let (x16, x_rest) = x.split_at(whole);
    let (codes16, codes_rest) = codes.split_at_mut(whole);
    for (x, codes) in x16.chunks_exact(16).zip(codes16.chunks_exact_mut(16)) {
        let t = [0, 4, 8, 12].map(|i| f32x4_mul(load4(&x[i..]), scale));
        let mut below = [i32x4_splat(0); 4];
        for &cut in cuts {
            let cut = f32x4_splat(cut);
            // A comparison that holds is −1 in its lane.
            for (below, t) in below.iter_mut().zip(t) {
                *below = i32x4_sub(*below, f32x4_lt(cut, t));
            }
        }
        let [a, b, c, d] = below;
        store16(u8x16_narrow_i16x8(i16x8_narrow_i32x4(a, b), i16x8_narrow_i32x4(c, d)), codes);
    }
    scalar::encode(x_rest, factor, cuts, codes_rest);
}

pub fn decode(codes: &[i8], entries: &[f32], scale: f32, out: &mut [f32]) {
    if entries.len() > 16 {
        return scalar::decode(codes, entries, scale, out);
    }
    // The scaled entries, one plane for each of their four bytes.
    let mut planes = [[0_i8; 16]; 4];
    for (i, entry) in entries.iter().enumerate() {
        for (plane, byte) in planes.iter_mut().zip((entry * scale).to_le_bytes()) {
            plane[i] = byte as i8;
        }
    }
    let planes = planes.map(|plane| load16(&plane));
    let last = u8x16_splat((entries.len() - 1) as u8);
    let whole = codes.len() / 16 * 16;
    let (codes16, codes_rest) = codes.split_at(whole);
    let (out16, out_rest) = out.split_at_mut(whole);
    for (codes, out) in codes16.chunks_exact(16).zip(out16.chunks_exact_mut(16)) {
        let codes = u8x16_min(load16(codes), last);
        let [a, b, c, d] = planes.map(|plane| i8x16_swizzle(plane, codes));
        let (ab_low, ab_high) = interleave_bytes(a, b);
        let (cd_low, cd_high) = interleave_bytes(c, d);
        for (i, (ab, cd)) in [(ab_low, cd_low), (ab_high, cd_high)].into_iter().enumerate() {
            let (low, high) = interleave_pairs(ab, cd);
            store4(low, &mut out[i * 8..]);
            store4(high, &mut out[i * 8 + 4..]);
        }
    }
    scalar::decode(codes_rest, entries, scale, out_rest);
}

#[inline(always)]
fn interleave_bytes(a: v128, b: v128) -> (v128, v128) {
    (
        i8x16_shuffle::<0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5, 21, 6, 22, 7, 23>(a, b),
        i8x16_shuffle::<8, 24, 9, 25, 10, 26, 11, 27, 12, 28, 13, 29, 14, 30, 15, 31>(a, b),
    )
}

#[inline(always)]
fn interleave_pairs(a: v128, b: v128) -> (v128, v128) {
    (
        i8x16_shuffle::<0, 1, 16, 17, 2, 3, 18, 19, 4, 5, 20, 21, 6, 7, 22, 23>(a, b),
        i8x16_shuffle::<8, 9, 24, 25, 10, 11, 26, 27, 12, 13, 28, 29, 14, 15, 30, 31>(a, b),
    )
}

#[must_use]
pub fn magnitudes_above(x: &[f32], cut: f32) -> (f64, u64) {
    let (cut4, infinity) = (f32x4_splat(cut), f32x4_splat(f32::INFINITY));
    let mut sums = [f64x2_splat(0.0); 4];
    let mut count = 0;
    let whole = x.len() / LANES * LANES;
    for x in x[..whole].chunks_exact(LANES) {
        for half in 0..2 {
            let magnitude = f32x4_abs(load4(&x[4 * half..]));
            let counts = v128_and(f32x4_gt(magnitude, cut4), f32x4_lt(magnitude, infinity));
            count += u64::from(i32x4_bitmask(counts).count_ones());
            let magnitude = v128_and(magnitude, counts);
            let high = i8x16_shuffle::<8, 9, 10, 11, 12, 13, 14, 15, 0, 1, 2, 3, 4, 5, 6, 7>(magnitude, magnitude);
            sums[2 * half] = f64x2_add(sums[2 * half], f64x2_promote_low_f32x4(magnitude));
            sums[2 * half + 1] = f64x2_add(sums[2 * half + 1], f64x2_promote_low_f32x4(high));
        }
    }
    let mut sums = lanes(sums);
    for (sum, x) in sums.iter_mut().zip(&x[whole..]) {
        let magnitude = x.abs();
        if magnitude > cut && magnitude < f32::INFINITY {
            *sum += f64::from(magnitude);
            count += 1;
        }
    }
    (reduce(sums), count)
}
