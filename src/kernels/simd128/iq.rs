//! `iq4_nl` and `iq4_xs`. The search runs on four blocks at once, one in each lane, so that every sum is added in the order of the
//! weights, as the scalar form adds it.
//!
//! 1. A weight times `id` is rounded down to a half; a table says which code that is ([`codes`]).
//! 2. Over the fifteen tries `id` changes by less than the ratio of neighbouring thresholds: a weight takes one of two neighbouring codes.
//!    The first try tells which two; they are looked up once, with what each adds to the two sums; a try is then a product, a comparison and a choice for each weight.
//! 3. The codes that are written are found once more, for one block at a time.

use core::arch::wasm32::{
    f32x4_abs, f32x4_add, f32x4_div, f32x4_eq, f32x4_floor, f32x4_ge, f32x4_gt, f32x4_lt, f32x4_mul, f32x4_neg,
    f32x4_pmax, f32x4_pmin, f32x4_splat, i8x16_shl, i16x8_add, i16x8_shr, i16x8_shuffle, i16x8_splat, i32x4_shuffle,
    u8x16_add, u8x16_narrow_i16x8, u8x16_shr, u8x16_splat, u8x16_sub, u8x16_swizzle, v128, v128_and, v128_andnot,
    v128_any_true, v128_bitselect, v128_or, v128_xor,
};

use super::super::scalar::ggml::iq::{self as scalar, LEAST, LEVELS, TRIES, put_scales, reciprocal};
use super::super::scalar::ggml::{half_at, put_half};
use super::levels::{Levels, bytes, each, load_bytes, load_weights, store_bytes};
use super::{load4, store4};

const MAGIC: f32 = 12_582_912.0;
const VALUES: Levels = Levels::of(LEVELS);

/// Twice the middles between neighbouring levels: whole numbers.
const TWICE_MIDDLES: [i32; 15] = {
    let mut middles = [0; 15];
    let mut i = 0;
    while i < 15 {
        middles[i] = LEVELS[i] as i32 + LEVELS[i + 1] as i32;
        i += 1;
    }
    middles
};

/// The lower of the two codes that a weight takes over all tries, by its code in the first, where magnitudes are greatest: a code below
/// zero may only rise later, one above only fall.
const fn lower_of(code: usize) -> usize {
    if code < 8 { code } else { code - 1 }
}

/// Twice the entry of a table of halves at the lower code of each code, or one further on.
const fn by_first<const N: usize>(twice: [i32; N], further: usize) -> Levels {
    let mut entries = [0; 16];
    let mut code = 0;
    while code < 16 {
        entries[code] = twice[lower_of(code) + further];
        code += 1;
    }
    Levels::of_halves(entries)
}

const TWICE_LEVELS: [i32; 16] = {
    let mut levels = [0; 16];
    let mut i = 0;
    while i < 16 {
        levels[i] = 2 * LEVELS[i] as i32;
        i += 1;
    }
    levels
};

/// The two values and the threshold between them.
const LOWER: Levels = by_first(TWICE_LEVELS, 0);
const UPPER: Levels = by_first(TWICE_LEVELS, 1);
const MIDDLES: Levels = by_first(TWICE_MIDDLES, 0);

/// For each bucket of sixteen whole numbers from −256 on, which holds one threshold at most: `(entry + n % 16) / 16` is the number of
/// thresholds up to `n`.
const BUCKETS: [u8; 32] = {
    let mut buckets = [0; 32];
    let mut bucket = 0;
    while bucket < 32 {
        let start = bucket as i32 * 16 - 256;
        let (mut below, mut inside) = (0, 0);
        let mut i = 0;
        while i < 15 {
            if TWICE_MIDDLES[i] < start {
                below += 1;
            } else if TWICE_MIDDLES[i] < start + 16 {
                inside = 16 - (TWICE_MIDDLES[i] - start);
            }
            i += 1;
        }
        buckets[bucket] = (below * 16 + inside) as u8;
        bucket += 1;
    }
    buckets
};
const LOW_BUCKETS: v128 = half_of_buckets(0);
const HIGH_BUCKETS: v128 = half_of_buckets(16);

const fn half_of_buckets(first: usize) -> v128 {
    let mut half = [0; 16];
    let mut i = 0;
    while i < 16 {
        half[i] = BUCKETS[first + i];
        i += 1;
    }
    bytes(half)
}

/// The codes of sixteen numbers: of the nearest level, the upper one in the middle, the last for NaN.
#[inline(always)]
fn codes(x: [v128; 4]) -> v128 {
    let [a, b, c, d] = each(x, |x| {
        let x = f32x4_pmax(f32x4_pmin(f32x4_splat(127.5), x), f32x4_splat(-128.0));
        f32x4_add(f32x4_floor(f32x4_add(x, x)), f32x4_splat(MAGIC))
    });
    let ab = i16x8_shuffle::<0, 2, 4, 6, 8, 10, 12, 14>(a, b);
    let cd = i16x8_shuffle::<0, 2, 4, 6, 8, 10, 12, 14>(c, d);
    let bucket = |n| i16x8_add(i16x8_shr(n, 4), i16x8_splat(16));
    let buckets = u8x16_narrow_i16x8(bucket(ab), bucket(cd));
    let within = |n| v128_and(n, i16x8_splat(15));
    let within = u8x16_narrow_i16x8(within(ab), within(cd));
    let high = u8x16_swizzle(HIGH_BUCKETS, u8x16_sub(buckets, u8x16_splat(16)));
    let entries = v128_or(u8x16_swizzle(LOW_BUCKETS, buckets), high);
    u8x16_shr(u8x16_add(entries, within), 4)
}

/// What a weight of each of four blocks may add.
#[derive(Clone, Copy)]
struct Choice {
    x: v128,
    /// From here on `id · x` has the upper code.
    threshold: v128,
    /// `x²·q·x` for the lower code, and its bits that differ for the upper one.
    qx: v128,
    qx_change: v128,
    /// `x²·q·q` likewise.
    q2: v128,
    q2_change: v128,
}

/// `x²·q·x` and `x²·q·q`.
#[inline(always)]
fn terms(x: v128, q: v128) -> (v128, v128) {
    let wq = f32x4_mul(f32x4_mul(x, x), q);
    (f32x4_mul(wq, x), f32x4_mul(wq, q))
}

/// Tries at once: enough for the sums not to wait for one another, and few enough for the registers there are.
const AT_ONCE: usize = 3;

/// The greatest magnitude of each lane, and the first number that has it.
#[inline(always)]
fn largest(x: &[v128; 32]) -> (v128, v128) {
    let (mut low, mut high) = (x[0], x[0]);
    for &x in &x[1..] {
        (low, high) = (f32x4_pmin(low, x), f32x4_pmax(high, x));
    }
    let (below, above) = (f32x4_abs(low), f32x4_abs(high));
    let amax = f32x4_pmax(below, above);
    let mut max = v128_bitselect(high, low, f32x4_gt(above, below));
    if v128_any_true(f32x4_eq(low, f32x4_neg(high))) {
        // Both signs have it: the first counts.
        for &x in x.iter().rev() {
            max = v128_bitselect(x, max, f32x4_eq(f32x4_abs(x), amax));
        }
    }
    (amax, max)
}

/// See [`scalar::search`], for four blocks.
fn search(blocks: [&[f32; 32]; 4]) -> v128 {
    let mut x = [f32x4_splat(0.0); 32];
    for (i, x) in x.as_chunks_mut::<4>().0.iter_mut().enumerate() {
        let [a, b, c, d] = blocks;
        *x = transpose([load4(&a[4 * i..]), load4(&b[4 * i..]), load4(&c[4 * i..]), load4(&d[4 * i..])]);
    }
    let (amax, max) = largest(&x);
    let first = f32x4_splat(f32::from(LEVELS[0]));
    let id = f32x4_div(f32x4_splat(1.0), f32x4_div(f32x4_neg(max), first));
    let tried = |i: i32| f32x4_div(f32x4_splat((i + i32::from(LEVELS[0])) as f32), max);
    let end = tried(-TRIES);

    let (mut qx, mut q2) = (f32x4_splat(0.0), f32x4_splat(0.0));
    let zero = f32x4_splat(0.0);
    let mut choices = [Choice { x: zero, threshold: zero, qx: zero, qx_change: zero, q2: zero, q2_change: zero }; 32];
    for (x, choices) in x.as_chunks::<4>().0.iter().zip(choices.as_chunks_mut::<4>().0) {
        for (x, q) in x.iter().zip(VALUES.get(codes(each(*x, |x| f32x4_mul(id, x))))) {
            let (more_qx, more_q2) = terms(*x, q);
            (qx, q2) = (f32x4_add(qx, more_qx), f32x4_add(q2, more_q2));
        }
        let codes = codes(each(*x, |x| f32x4_mul(end, x)));
        let (thresholds, lower, upper) = (MIDDLES.get(codes), LOWER.get(codes), UPPER.get(codes));
        for i in 0..4 {
            let (qx, q2) = terms(x[i], lower[i]);
            let (upper_qx, upper_q2) = terms(x[i], upper[i]);
            let (qx_change, q2_change) = (v128_xor(qx, upper_qx), v128_xor(q2, upper_q2));
            choices[i] = Choice { x: x[i], threshold: thresholds[i], qx, qx_change, q2, q2_change };
        }
    }
    let mut scale = f32x4_div(qx, q2);
    let mut best = f32x4_mul(scale, qx);
    for start in (-TRIES..=TRIES).step_by(AT_ONCE) {
        let ids = [tried(start), tried(start + 1), tried(start + 2)];
        for (qx, q2) in sums(&choices, ids) {
            let better = f32x4_gt(f32x4_mul(qx, qx), f32x4_mul(best, q2));
            let better = v128_and(better, f32x4_gt(q2, f32x4_splat(0.0)));
            scale = v128_bitselect(f32x4_div(qx, q2), scale, better);
            best = v128_bitselect(f32x4_mul(scale, qx), best, better);
        }
    }
    v128_andnot(scale, f32x4_lt(amax, f32x4_splat(LEAST)))
}

/// The two sums of some tries.
#[inline(always)]
fn sums(choices: &[Choice; 32], ids: [v128; AT_ONCE]) -> [(v128, v128); AT_ONCE] {
    let mut sums = [(f32x4_splat(0.0), f32x4_splat(0.0)); AT_ONCE];
    for choice in choices {
        for (id, (qx, q2)) in ids.iter().zip(&mut sums) {
            let upper = f32x4_ge(f32x4_mul(*id, choice.x), choice.threshold);
            *qx = f32x4_add(*qx, v128_xor(choice.qx, v128_and(choice.qx_change, upper)));
            *q2 = f32x4_add(*q2, v128_xor(choice.q2, v128_and(choice.q2_change, upper)));
        }
    }
    sums
}

/// Rows to columns.
#[inline(always)]
fn transpose([a, b, c, d]: [v128; 4]) -> [v128; 4] {
    let (ab, cd) = (i32x4_shuffle::<0, 4, 1, 5>(a, b), i32x4_shuffle::<0, 4, 1, 5>(c, d));
    let (ab2, cd2) = (i32x4_shuffle::<2, 6, 3, 7>(a, b), i32x4_shuffle::<2, 6, 3, 7>(c, d));
    [
        i32x4_shuffle::<0, 1, 4, 5>(ab, cd),
        i32x4_shuffle::<2, 3, 6, 7>(ab, cd),
        i32x4_shuffle::<0, 1, 4, 5>(ab2, cd2),
        i32x4_shuffle::<2, 3, 6, 7>(ab2, cd2),
    ]
}

fn search4(blocks: [&[f32; 32]; 4]) -> [f32; 4] {
    let mut scales = [0.0; 4];
    store4(search(blocks), &mut scales);
    scales
}

/// The codes of 32 weights, those of weights `i` and `i + 16` in a byte.
#[inline(always)]
fn put_codes(x: &[f32; 32], id: f32, out: &mut [u8; 16]) {
    let id = f32x4_splat(id);
    let half = |x: &[f32]| codes(each(load_weights(x), |x| f32x4_mul(id, x)));
    store_bytes(v128_or(half(&x[..16]), i8x16_shl(half(&x[16..]), 4)), out);
}

pub fn iq4_nl(x: &[f32], out: &mut [u8]) {
    let (blocks, bytes) = (x.as_chunks::<32>().0, out.as_chunks_mut::<18>().0);
    for (blocks, bytes) in blocks.chunks(4).zip(bytes.chunks_mut(4)) {
        // The last blocks once more where there are fewer than four.
        let scales = search4(core::array::from_fn(|i| &blocks[i.min(blocks.len() - 1)]));
        for ((x, scale), out) in blocks.iter().zip(scales).zip(bytes) {
            let (head, codes) = out.split_at_mut(2);
            put_half(scale, head);
            put_codes(x, reciprocal(scale), &mut codes.as_chunks_mut().0[0]);
        }
    }
}

pub fn iq4_xs(x: &[f32], out: &mut [u8]) {
    for (x, out) in x.as_chunks::<256>().0.iter().zip(out.as_chunks_mut::<136>().0) {
        let blocks = x.as_chunks::<32>().0;
        let mut scales = [0.0; 8];
        for (blocks, scales) in blocks.as_chunks::<4>().0.iter().zip(scales.as_chunks_mut::<4>().0) {
            *scales = search4(blocks.each_ref());
        }
        let inverses = put_scales(&scales, out);
        for ((x, id), out) in blocks.iter().zip(inverses).zip(out[8..].as_chunks_mut::<16>().0) {
            put_codes(x, id, out);
        }
    }
}

pub fn from_iq4_nl(bytes: &[u8], out: &mut [f32]) {
    for (block, out) in bytes.as_chunks::<18>().0.iter().zip(out.as_chunks_mut::<32>().0) {
        VALUES.put_nibbles(load_bytes(&block[2..]), f32x4_splat(half_at(block, 0)), out);
    }
}

pub fn from_iq4_xs(bytes: &[u8], out: &mut [f32]) {
    for (block, out) in bytes.as_chunks::<136>().0.iter().zip(out.as_chunks_mut::<256>().0) {
        for (i, out) in out.as_chunks_mut::<32>().0.iter_mut().enumerate() {
            let scale = f32x4_splat(scalar::scale_of_xs(block, i));
            VALUES.put_nibbles(load_bytes(&block[8 + 16 * i..]), scale, out);
        }
    }
}
