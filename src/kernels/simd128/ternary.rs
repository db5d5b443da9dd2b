//! `tq1_0` and `tq2_0`, sixteen bytes at a time: weights that share a byte lie as far apart as there are bytes.

use core::arch::wasm32::{
    f32x4_extract_lane, f32x4_ge, f32x4_le, f32x4_mul, f32x4_splat, i8x16_gt, i8x16_narrow_i16x8, i8x16_splat,
    i8x16_swizzle, i16x8_narrow_i32x4, i32x4_max, i32x4_shuffle, i32x4_splat, i32x4_sub, u8x16_add, u8x16_ge,
    u8x16_shr, u8x16_splat, u8x16_sub, u32x4_extract_lane, v128, v128_and,
};

use super::super::scalar::ggml::ternary::{self as scalar, STRETCHES};
use super::super::scalar::ggml::{half_at, put_half};
use super::levels::{Levels, each, load_bytes, load_weights, store_bytes};

/// Codes count from −1.
const VALUES: Levels = Levels::of([-1, 0, 1, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]);

/// The greatest magnitude of finite weights, sixteen or a multiple: as whole numbers, the bits of magnitudes are in the same order.
#[inline(always)]
pub(super) fn amax(x: &[f32]) -> f32 {
    let magnitude = |x| v128_and(x, i32x4_splat(i32::MAX));
    let [mut a, mut b, mut c, mut d] = each(load_weights(x), magnitude);
    for x in x[16..].chunks_exact(16) {
        let x = each(load_weights(x), magnitude);
        (a, b, c, d) = (i32x4_max(a, x[0]), i32x4_max(b, x[1]), i32x4_max(c, x[2]), i32x4_max(d, x[3]));
    }
    let most = i32x4_max(i32x4_max(a, b), i32x4_max(c, d));
    let most = i32x4_max(most, i32x4_shuffle::<2, 3, 0, 1>(most, most));
    f32x4_extract_lane::<0>(i32x4_max(most, i32x4_shuffle::<1, 0, 3, 2>(most, most)))
}

/// The digits of sixteen weights: 0, 1 and 2. A product is 1 in magnitude at most, but for rounding.
#[inline(always)]
fn digits(x: &[f32], id: v128) -> v128 {
    let [a, b, c, d] = each(load_weights(x), |x| {
        let product = f32x4_mul(x, id);
        i32x4_sub(f32x4_le(product, f32x4_splat(-0.5)), f32x4_ge(product, f32x4_splat(0.5)))
    });
    let all = i8x16_narrow_i16x8(i16x8_narrow_i32x4(a, b), i16x8_narrow_i32x4(c, d));
    u8x16_add(all, i8x16_splat(1))
}

const fn up(q: usize) -> usize {
    (13 * q).div_ceil(243)
}

/// `⌈13·q/243⌉` at multiples of sixteen, and up to which of the sixteen from there it stays that: steps are more than sixteen apart.
const STEPS: ([u8; 16], [u8; 16]) = {
    let (mut first, mut stays) = ([0; 16], [15; 16]);
    let mut h = 0;
    while h < 16 {
        first[h] = up(16 * h) as u8;
        let mut j = 15;
        while up(16 * h + j) > up(16 * h) {
            j -= 1;
            stays[h] = j as u8;
        }
        h += 1;
    }
    (first, stays)
};

/// `⌈256·q/243⌉`, which is `q + ⌈13·q/243⌉`.
#[inline(always)]
fn fraction(q: v128) -> v128 {
    let (high, low) = (u8x16_shr(q, 4), v128_and(q, u8x16_splat(15)));
    let first = i8x16_swizzle(load_bytes(&STEPS.0), high);
    let beyond = i8x16_gt(low, i8x16_swizzle(load_bytes(&STEPS.1), high));
    u8x16_add(q, u8x16_sub(first, beyond))
}

pub fn tq1_0(x: &[f32], out: &mut [u8]) {
    for (x, out) in x.as_chunks::<256>().0.iter().zip(out.as_chunks_mut::<54>().0) {
        let (d, id) = scalar::scale(amax(x));
        let ids = f32x4_splat(id);
        for (weight, byte, bytes, _) in &STRETCHES[..2] {
            for m in (0..*bytes).step_by(16) {
                let mut q = digits(&x[weight + m..], ids);
                for n in 1..5 {
                    q = u8x16_add(u8x16_add(q, u8x16_add(q, q)), digits(&x[weight + m + n * bytes..], ids));
                }
                store_bytes(fraction(q), &mut out[byte + m..]);
            }
        }
        // Sixteen weights in four bytes: the digits of the second, third and fourth four are brought to the first.
        let last = digits(&x[240..], ids);
        let times3 = |q| u8x16_add(q, u8x16_add(q, q));
        let q = u8x16_add(times3(last), i32x4_shuffle::<1, 1, 1, 1>(last, last));
        let q = u8x16_add(times3(q), i32x4_shuffle::<2, 2, 2, 2>(last, last));
        let q = u8x16_add(times3(q), i32x4_shuffle::<3, 3, 3, 3>(last, last));
        let bytes = u32x4_extract_lane::<0>(fraction(times3(q)));
        out[48..52].copy_from_slice(&bytes.to_le_bytes());
        put_half(d, &mut out[52..]);
    }
}

pub fn tq2_0(x: &[f32], out: &mut [u8]) {
    for (x, out) in x.as_chunks::<256>().0.iter().zip(out.as_chunks_mut::<66>().0) {
        let (d, id) = scalar::scale(amax(x));
        let id = f32x4_splat(id);
        let (codes, scale) = out.split_at_mut(64);
        for (x, out) in x.as_chunks::<128>().0.iter().zip(codes.as_chunks_mut::<32>().0) {
            for m in [0, 16] {
                let mut q = digits(&x[m + 96..], id);
                for n in [64, 32, 0] {
                    let twice = u8x16_add(q, q);
                    q = u8x16_add(u8x16_add(twice, twice), digits(&x[m + n..], id));
                }
                store_bytes(q, &mut out[m..]);
            }
        }
        put_half(d, scale);
    }
}

pub fn from_tq1_0(bytes: &[u8], out: &mut [f32]) {
    for (block, out) in bytes.as_chunks::<54>().0.iter().zip(out.as_chunks_mut::<256>().0) {
        let d = f32x4_splat(half_at(block, 52));
        for (weight, byte, bytes, _) in &STRETCHES[..2] {
            for m in (0..*bytes).step_by(16) {
                let mut q = load_bytes(&block[byte + m..]);
                for n in 0..5 {
                    // The carry of three times the fraction.
                    let carries = u8x16_add(u8x16_ge(q, u8x16_splat(86)), u8x16_ge(q, u8x16_splat(171)));
                    let out = &mut out[weight + m + n * bytes..];
                    VALUES.put(u8x16_sub(u8x16_splat(0), carries), d, &mut out.as_chunks_mut().0[0]);
                    q = u8x16_add(q, u8x16_add(q, q));
                }
            }
        }
        scalar::read_last(block, out);
    }
}

pub fn from_tq2_0(bytes: &[u8], out: &mut [f32]) {
    for (block, out) in bytes.as_chunks::<66>().0.iter().zip(out.as_chunks_mut::<256>().0) {
        let d = f32x4_splat(half_at(block, 64));
        for (i, bytes) in block[..64].as_chunks::<16>().0.iter().enumerate() {
            let mut q = load_bytes(bytes);
            for n in 0..4 {
                let out = &mut out[i / 2 * 128 + i % 2 * 16 + n * 32..];
                VALUES.put(v128_and(q, u8x16_splat(3)), d, &mut out.as_chunks_mut().0[0]);
                q = u8x16_shr(q, 2);
            }
        }
    }
}
