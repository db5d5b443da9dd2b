//! The K-quants. The search runs with a sub-block in each lane, so that every sum keeps its order; two groups of four are in flight, since
//! the sums wait for each other. What the search's fast rounding does not cover goes to the scalar form, super-block by super-block.

use core::arch::wasm32::{
    f32x4_abs, f32x4_add, f32x4_convert_i32x4, f32x4_div, f32x4_eq, f32x4_gt, f32x4_le, f32x4_lt, f32x4_mul, f32x4_ne,
    f32x4_nearest, f32x4_neg, f32x4_pmax, f32x4_pmin, f32x4_splat, f32x4_sqrt, f32x4_sub, i8x16_add, i8x16_max,
    i8x16_min, i8x16_shl, i8x16_splat, i8x16_sub, i32x4, i32x4_all_true, i32x4_max, i32x4_min, i32x4_shuffle,
    i32x4_splat, u8x16_shr, v128, v128_and, v128_andnot, v128_any_true, v128_bitselect, v128_or,
};

use super::super::{load4, store4};
use super::{emit, half_at, load_bytes, narrow, nearest, store_bytes};
use crate::kernels::scalar::ggml::k::{self as scalar, ALL_ZERO, SEARCH_2, SEARCH_4, SEARCH_5, Search, WEIGHTS};

/// Four sub-blocks, one in each lane, twice.
type Pair = [v128; 2];

const NONE: v128 = i32x4(0, 0, 0, 0);

/// Eight neighbouring sub-blocks, element by element.
#[inline(always)]
fn transpose<const LEN: usize>(x: &[f32]) -> [Pair; LEN] {
    let mut out = [[NONE; 2]; LEN];
    for g in 0..2 {
        for i in (0..LEN).step_by(4) {
            let [a, b, c, d]: [v128; 4] = std::array::from_fn(|j| load4(&x[(4 * g + j) * LEN + i..]));
            let (ab, cd) = (i32x4_shuffle::<0, 4, 1, 5>(a, b), i32x4_shuffle::<0, 4, 1, 5>(c, d));
            let (ef, gh) = (i32x4_shuffle::<2, 6, 3, 7>(a, b), i32x4_shuffle::<2, 6, 3, 7>(c, d));
            out[i][g] = i32x4_shuffle::<0, 1, 4, 5>(ab, cd);
            out[i + 1][g] = i32x4_shuffle::<2, 3, 6, 7>(ab, cd);
            out[i + 2][g] = i32x4_shuffle::<0, 1, 4, 5>(ef, gh);
            out[i + 3][g] = i32x4_shuffle::<2, 3, 6, 7>(ef, gh);
        }
    }
    out
}

#[inline(always)]
fn both(f: impl FnMut(usize) -> v128) -> Pair {
    std::array::from_fn(f)
}

#[inline(always)]
fn store_pair(pair: Pair, out: &mut [f32]) {
    store4(pair[0], out);
    store4(pair[1], &mut out[4..]);
}

/// What the search finds for sixteen sub-blocks at most: scale and negated minimum of each, and the minimum and reciprocal scale that its
/// codes came from.
struct Fits {
    scales: [f32; 16],
    mins: [f32; 16],
    from: [f32; 16],
    inverses: [f32; 16],
}

impl Fits {
    const EMPTY: Fits = Fits { scales: [0.0; 16], mins: [0.0; 16], from: [0.0; 16], inverses: [0.0; 16] };
}

/// Weighted error of these codes.
#[inline(always)]
fn error<const LEN: usize, const ABSOLUTE: bool>(
    x: &[Pair; LEN],
    weights: &[Pair; LEN],
    codes: &[Pair; LEN],
    scale: Pair,
    min: Pair,
) -> Pair {
    let mut sum = [f32x4_splat(0.0); 2];
    for i in 0..LEN {
        for g in 0..2 {
            let e = f32x4_sub(f32x4_add(f32x4_mul(scale[g], codes[i][g]), min[g]), x[i][g]);
            let size = if ABSOLUTE { f32x4_abs(e) } else { f32x4_mul(e, e) };
            sum[g] = f32x4_add(sum[g], f32x4_mul(weights[i][g], size));
        }
    }
    sum
}

/// Codes of a try and its weighted sums of codes, of their squares and of their products with the weights. `CLAMPED` where a code could
/// be above `most`.
#[inline(always)]
fn pass<const LEN: usize, const CLAMPED: bool>(
    x: &[Pair; LEN],
    weights: &[Pair; LEN],
    codes: &mut [Pair; LEN],
    min: Pair,
    inverse: Pair,
    most: v128,
) -> [Pair; 3] {
    let zero = f32x4_splat(0.0);
    let (mut sum_l, mut sum_l2, mut sum_xl) = ([zero; 2], [zero; 2], [zero; 2]);
    for i in 0..LEN {
        for g in 0..2 {
            let x = x[i][g];
            let t = f32x4_nearest(f32x4_mul(inverse[g], f32x4_sub(x, min[g])));
            let l = f32x4_pmax(if CLAMPED { f32x4_pmin(t, most) } else { t }, zero);
            codes[i][g] = l;
            let wl = f32x4_mul(weights[i][g], l);
            sum_l[g] = f32x4_add(sum_l[g], wl);
            sum_l2[g] = f32x4_add(sum_l2[g], f32x4_mul(wl, l));
            sum_xl[g] = f32x4_add(sum_xl[g], f32x4_mul(wl, x));
        }
    }
    [sum_l, sum_l2, sum_xl]
}

/// [`Search::fit`] for eight sub-blocks, written to `fits` from `at` on. False where the fast rounding might differ: then nothing that it
/// wrote counts.
fn fit<const LEN: usize, const ABSOLUTE: bool>(search: &Search, x: &[f32], fits: &mut Fits, at: usize) -> bool {
    let x = &transpose::<LEN>(x);
    let zero = f32x4_splat(0.0);
    let most = f32x4_splat(search.most);

    let mut root = [zero; 2];
    if !ABSOLUTE {
        for x in x {
            root = both(|g| f32x4_add(root[g], f32x4_mul(x[g], x[g])));
        }
        root = root.map(|sum| f32x4_sqrt(f32x4_div(sum, f32x4_splat(32.0))));
    }
    let mut weights = [[NONE; 2]; LEN];
    for (weight, x) in weights.iter_mut().zip(x) {
        *weight = both(|g| f32x4_add(root[g], f32x4_abs(x[g])));
    }

    let (mut least, mut max) = (x[0], x[0]);
    let mut sum_w = weights[0];
    let mut sum_x = both(|g| f32x4_mul(sum_w[g], x[0][g]));
    for (x, weight) in x.iter().zip(&weights).skip(1) {
        for g in 0..2 {
            least[g] = f32x4_pmin(least[g], x[g]);
            max[g] = f32x4_pmax(max[g], x[g]);
            sum_w[g] = f32x4_add(sum_w[g], weight[g]);
            sum_x[g] = f32x4_add(sum_x[g], f32x4_mul(weight[g], x[g]));
        }
    }
    let mut min = both(|g| v128_andnot(least[g], f32x4_gt(least[g], zero)));
    let flat = both(|g| f32x4_eq(max[g], min[g]));
    // Any finite range will do for a lane that is flat: nothing found in it counts.
    let range = |min: &Pair| both(|g| v128_bitselect(f32x4_splat(1.0), f32x4_sub(max[g], min[g]), flat[g]));
    // Whether every product that is rounded lies where both ways to round agree.
    let in_range = |min: &Pair, inverse: &Pair| {
        let limit = f32x4_splat(4e6);
        let within = |t: v128| f32x4_le(f32x4_abs(t), limit);
        let [a, b] = both(|g| {
            let high = within(f32x4_mul(inverse[g], f32x4_sub(max[g], min[g])));
            let low = within(f32x4_mul(inverse[g], f32x4_sub(least[g], min[g])));
            v128_and(f32x4_gt(inverse[g], zero), v128_and(high, low))
        });
        v128_and(a, b)
    };
    let code = |x: v128, min: v128, inverse: v128| {
        let t = f32x4_nearest(f32x4_mul(inverse, f32x4_sub(x, min)));
        f32x4_pmax(f32x4_pmin(t, most), zero)
    };

    let mut codes = [[NONE; 2]; LEN];
    let ranges = range(&min);
    let mut inverse = both(|g| f32x4_div(most, ranges[g]));
    let mut scale = both(|g| f32x4_div(f32x4_splat(1.0), inverse[g]));
    let mut good = in_range(&min, &inverse);
    for (codes, x) in codes.iter_mut().zip(x) {
        *codes = both(|g| code(x[g], min[g], inverse[g]));
    }
    let mut best = error::<LEN, ABSOLUTE>(x, &weights, &codes, scale, min);
    let mut from = min;
    for i in 0..=search.last {
        let ranges = range(&min);
        let this_inverse = both(|g| f32x4_div(f32x4_splat(search.steps(i)), ranges[g]));
        good = v128_and(good, in_range(&min, &this_inverse));
        let clamped = search.steps(i) > search.most + 0.45;
        let [sum_l, sum_l2, sum_xl] = if clamped {
            pass::<LEN, true>(x, &weights, &mut codes, min, this_inverse, most)
        } else {
            pass::<LEN, false>(x, &weights, &mut codes, min, this_inverse, most)
        };
        let difference = |a, b, c, d| f32x4_sub(f32x4_mul(a, b), f32x4_mul(c, d));
        let determinant = both(|g| difference(sum_w[g], sum_l2[g], sum_l[g], sum_l[g]));
        let mut this_scale = both(|g| f32x4_div(difference(sum_w[g], sum_xl[g], sum_x[g], sum_l[g]), determinant[g]));
        let mut this_min = both(|g| f32x4_div(difference(sum_l2[g], sum_x[g], sum_l[g], sum_xl[g]), determinant[g]));
        for g in 0..2 {
            let above = f32x4_gt(this_min[g], zero);
            this_min[g] = v128_andnot(this_min[g], above);
            this_scale[g] = v128_bitselect(f32x4_div(sum_xl[g], sum_l2[g]), this_scale[g], above);
        }
        let this_error = error::<LEN, ABSOLUTE>(x, &weights, &codes, this_scale, this_min);
        for g in 0..2 {
            let solved = v128_andnot(f32x4_gt(determinant[g], zero), flat[g]);
            let better = v128_and(solved, f32x4_lt(this_error[g], best[g]));
            best[g] = v128_bitselect(this_error[g], best[g], better);
            scale[g] = v128_bitselect(this_scale[g], scale[g], better);
            from[g] = v128_bitselect(min[g], from[g], better);
            inverse[g] = v128_bitselect(this_inverse[g], inverse[g], better);
            min[g] = v128_bitselect(this_min[g], min[g], better);
        }
    }
    store_pair(both(|g| v128_andnot(scale[g], flat[g])), &mut fits.scales[at..]);
    store_pair(min.map(|min| f32x4_neg(min)), &mut fits.mins[at..]);
    store_pair(from, &mut fits.from[at..]);
    store_pair(both(|g| v128_andnot(inverse[g], flat[g])), &mut fits.inverses[at..]);
    i32x4_all_true(good)
}

/// Sixteen weights rounded once more with the scale and minimum that a reader gets; where the scale is zero, as the search had them.
#[inline(always)]
fn requantize(x: &[f32], d: f32, min: f32, fits: &Fits, j: usize, most: i8) -> v128 {
    let codes = if d == 0.0 {
        let (from, inverse) = (f32x4_splat(fits.from[j]), f32x4_splat(fits.inverses[j]));
        narrow(std::array::from_fn(|k| nearest(f32x4_mul(inverse, f32x4_sub(load4(&x[4 * k..]), from)))))
    } else {
        let (d, min) = (f32x4_splat(d), f32x4_splat(min));
        narrow(std::array::from_fn(|k| nearest(f32x4_div(f32x4_add(load4(&x[4 * k..]), min), d))))
    };
    i8x16_max(i8x16_min(codes, i8x16_splat(most)), i8x16_splat(0))
}

/// Bits `at` and above of codes `128·h + l`, `+ 32`, `+ 64`, `+ 96` to a byte.
#[inline(always)]
fn put_pairs(codes: &[v128; 16], take: impl Fn(v128) -> v128, out: &mut [u8]) {
    for h in 0..2 {
        for l in 0..2 {
            let part = |k: usize| take(codes[8 * h + 2 * k + l]);
            let low = v128_or(part(0), i8x16_shl(part(1), 2));
            let high = v128_or(i8x16_shl(part(2), 4), i8x16_shl(part(3), 6));
            store_bytes(v128_or(low, high), &mut out[32 * h + 16 * l..]);
        }
    }
}

/// One bit of each code to a byte of eight weights 32 apart; `take` leaves that bit as the lowest.
#[inline(always)]
fn put_singles(codes: &[v128; 16], take: impl Fn(v128) -> v128, out: &mut [u8]) {
    for l in 0..2 {
        let mut byte = take(codes[l]);
        byte = v128_or(byte, i8x16_shl(take(codes[2 + l]), 1));
        byte = v128_or(byte, i8x16_shl(take(codes[4 + l]), 2));
        byte = v128_or(byte, i8x16_shl(take(codes[6 + l]), 3));
        byte = v128_or(byte, i8x16_shl(take(codes[8 + l]), 4));
        byte = v128_or(byte, i8x16_shl(take(codes[10 + l]), 5));
        byte = v128_or(byte, i8x16_shl(take(codes[12 + l]), 6));
        byte = v128_or(byte, i8x16_shl(take(codes[14 + l]), 7));
        store_bytes(byte, &mut out[16 * l..]);
    }
}

pub fn q2_k(x: &[f32], out: &mut [u8]) {
    for (x, block) in x.as_chunks::<WEIGHTS>().0.iter().zip(out.as_chunks_mut::<84>().0) {
        let mut fits = Fits::EMPTY;
        let good =
            fit::<16, true>(&SEARCH_2, &x[..128], &mut fits, 0) & fit::<16, true>(&SEARCH_2, &x[128..], &mut fits, 8);
        if !good {
            scalar::q2_k(x, block);
            continue;
        }
        let (d, d_min) = scalar::scales_2(&fits.scales, &fits.mins, block);
        let codes: [v128; 16] = std::array::from_fn(|j| {
            let (scale, min) = (f32::from(block[j] & 15), f32::from(block[j] >> 4));
            requantize(&x[16 * j..], d * scale, d_min * min, &fits, j, 3)
        });
        put_pairs(&codes, |codes| codes, &mut block[16..80]);
    }
}

/// Codes of `q4_k` and `q5_k`; `block` gets its scales.
#[inline(always)]
fn codes_45(search: &Search, x: &[f32; WEIGHTS], block: &mut [u8]) -> Option<[v128; 16]> {
    let mut fits = Fits::EMPTY;
    if !fit::<32, false>(search, x, &mut fits, 0) {
        return None;
    }
    let (d, d_min) = scalar::scales_45(&fits.scales, &fits.mins, block);
    let mut codes = [NONE; 16];
    for (j, codes) in codes.as_chunks_mut::<2>().0.iter_mut().enumerate() {
        let (scale, min) = scalar::scale_45(block, j);
        let (d, min) = (d * f32::from(scale), d_min * f32::from(min));
        *codes = std::array::from_fn(|h| requantize(&x[32 * j + 16 * h..], d, min, &fits, j, search.most as i8));
    }
    Some(codes)
}

#[inline(always)]
fn put_nibbles(codes: &[v128; 16], out: &mut [u8]) {
    for (p, codes) in codes.as_chunks::<4>().0.iter().enumerate() {
        for l in 0..2 {
            let low = v128_and(codes[l], i8x16_splat(15));
            store_bytes(v128_or(low, i8x16_shl(codes[2 + l], 4)), &mut out[32 * p + 16 * l..]);
        }
    }
}

pub fn q4_k(x: &[f32], out: &mut [u8]) {
    for (x, block) in x.as_chunks::<WEIGHTS>().0.iter().zip(out.as_chunks_mut::<144>().0) {
        match codes_45(&SEARCH_4, x, block) {
            Some(codes) => put_nibbles(&codes, &mut block[16..]),
            None => scalar::q4_k(x, block),
        }
    }
}

pub fn q5_k(x: &[f32], out: &mut [u8]) {
    for (x, block) in x.as_chunks::<WEIGHTS>().0.iter().zip(out.as_chunks_mut::<176>().0) {
        match codes_45(&SEARCH_5, x, block) {
            Some(codes) => {
                put_singles(&codes, |codes| u8x16_shr(codes, 4), &mut block[16..48]);
                put_nibbles(&codes, &mut block[48..]);
            }
            None => scalar::q5_k(x, block),
        }
    }
}

/// The first weight of the largest magnitude in each lane, and which lanes are zero.
#[inline(always)]
fn extremes(x: &[Pair; 16]) -> (Pair, Pair) {
    let (mut amax, mut extreme) = ([f32x4_splat(0.0); 2], [f32x4_splat(0.0); 2]);
    for x in x {
        for g in 0..2 {
            let magnitude = f32x4_abs(x[g]);
            extreme[g] = v128_bitselect(x[g], extreme[g], f32x4_gt(magnitude, amax[g]));
            amax[g] = f32x4_pmax(amax[g], magnitude);
        }
    }
    (extreme, both(|g| f32x4_lt(amax[g], f32x4_splat(ALL_ZERO))))
}

/// The sums of tries of [`fit_6`], two at once, since each sum waits for the one before. With at most 32.4 steps to the extreme no code lies
/// `BELOW` −32; `ABOVE` 31 one lies only where a weight on the other side of zero is almost as large.
#[inline(always)]
fn sums_6<const BELOW: bool, const ABOVE: bool, const TRIES: usize>(
    x: &[Pair; 16],
    weights: &[Pair; 16],
    weighted: &[Pair; 16],
    inverses: [Pair; TRIES],
) -> [(Pair, Pair); TRIES] {
    let zero = f32x4_splat(0.0);
    let mut sums = [([zero; 2], [zero; 2]); TRIES];
    for i in 0..16 {
        for g in 0..2 {
            for k in 0..TRIES {
                let t = f32x4_nearest(f32x4_mul(inverses[k][g], x[i][g]));
                let l = if ABOVE { f32x4_pmin(t, f32x4_splat(31.0)) } else { t };
                let l = if BELOW { f32x4_pmax(l, f32x4_splat(-32.0)) } else { l };
                let (sum_xl, sum_l2) = &mut sums[k];
                sum_xl[g] = f32x4_add(sum_xl[g], f32x4_mul(weighted[i][g], l));
                sum_l2[g] = f32x4_add(sum_l2[g], f32x4_mul(f32x4_mul(weights[i][g], l), l));
            }
        }
    }
    sums
}

/// `scalar::fit_6` for eight sub-blocks: the scales, and the reciprocals that their codes come from, 0 for a sub-block of zeros.
fn fit_6(x: &[f32], scales: &mut [f32], inverses: &mut [f32]) {
    let x = &transpose::<16>(x);
    let zero = f32x4_splat(0.0);
    let (extreme, is_zero) = extremes(x);
    let (mut weights, mut weighted) = ([[NONE; 2]; 16], [[NONE; 2]; 16]);
    for i in 0..16 {
        weights[i] = both(|g| f32x4_mul(x[i][g], x[i][g]));
        weighted[i] = both(|g| f32x4_mul(weights[i][g], x[i][g]));
    }
    let (mut min, mut max) = (x[0], x[0]);
    for x in x {
        for g in 0..2 {
            (min[g], max[g]) = (f32x4_pmin(min[g], x[g]), f32x4_pmax(max[g], x[g]));
        }
    }
    // Products are rounded monotonously: no other one is greater than these.
    let above = |inverse: Pair| {
        let limit = f32x4_splat(31.4);
        let [a, b] = both(|g| {
            let over = |x| f32x4_gt(f32x4_mul(inverse[g], x), limit);
            v128_or(over(min[g]), over(max[g]))
        });
        v128_any_true(v128_or(a, b))
    };
    let inverse = |i: i32| {
        let steps = f32x4_splat(-(32.0 + 0.1 * i as f32));
        both(|g| v128_andnot(f32x4_div(steps, extreme[g]), is_zero[g]))
    };
    let mut chosen = inverse(0);
    let [(sum_xl, sum_l2)] = sums_6::<false, true, 1>(x, &weights, &weighted, [chosen]);
    let mut scale = both(|g| v128_and(f32x4_div(sum_xl[g], sum_l2[g]), f32x4_ne(sum_l2[g], zero)));
    let mut best = both(|g| f32x4_mul(scale[g], sum_xl[g]));
    for [i, j] in [[-9, -8], [-7, -6], [-5, -4], [-3, -2], [-1, 1], [2, 3], [4, 5], [6, 7], [8, 9]] {
        let inverses = [inverse(i), inverse(j)];
        let sums = match (j >= 5, above(inverses[1])) {
            (false, false) => sums_6::<false, false, 2>(x, &weights, &weighted, inverses),
            (false, true) => sums_6::<false, true, 2>(x, &weights, &weighted, inverses),
            (true, false) => sums_6::<true, false, 2>(x, &weights, &weighted, inverses),
            (true, true) => sums_6::<true, true, 2>(x, &weights, &weighted, inverses),
        };
        for ((sum_xl, sum_l2), inverse) in sums.into_iter().zip(inverses) {
            for g in 0..2 {
                let more = f32x4_gt(f32x4_mul(sum_xl[g], sum_xl[g]), f32x4_mul(best[g], sum_l2[g]));
                let better = v128_and(f32x4_gt(sum_l2[g], zero), more);
                let this = f32x4_div(sum_xl[g], sum_l2[g]);
                chosen[g] = v128_bitselect(inverse[g], chosen[g], better);
                scale[g] = v128_bitselect(this, scale[g], better);
                best[g] = v128_bitselect(f32x4_mul(this, sum_xl[g]), best[g], better);
            }
        }
    }
    store_pair(both(|g| v128_andnot(scale[g], is_zero[g])), scales);
    store_pair(chosen, inverses);
}

/// Sixteen weights as codes around `middle`, which becomes 0.
#[inline(always)]
fn centred(t: [v128; 4], middle: i8) -> v128 {
    let codes = i8x16_max(i8x16_min(narrow(t), i8x16_splat(middle - 1)), i8x16_splat(-middle));
    i8x16_add(codes, i8x16_splat(middle))
}

pub fn q6_k(x: &[f32], out: &mut [u8]) {
    for (x, block) in x.as_chunks::<WEIGHTS>().0.iter().zip(out.as_chunks_mut::<210>().0) {
        let (mut scales, mut inverses) = ([0.0; 16], [0.0; 16]);
        fit_6(&x[..128], &mut scales, &mut inverses);
        fit_6(&x[128..], &mut scales[8..], &mut inverses[8..]);
        let Some(read) = scalar::scales_6(&scales, block) else {
            block.fill(0);
            continue;
        };
        let codes: [v128; 16] = std::array::from_fn(|j| {
            let x = |k: usize| load4(&x[16 * j + 4 * k..]);
            if read[j] != 0.0 {
                let d = f32x4_splat(read[j]);
                centred(std::array::from_fn(|k| nearest(f32x4_div(x(k), d))), 32)
            } else if inverses[j] != 0.0 {
                let inverse = f32x4_splat(inverses[j]);
                centred(std::array::from_fn(|k| nearest(f32x4_mul(inverse, x(k)))), 32)
            } else {
                NONE
            }
        });
        for h in 0..2 {
            for l in 0..4 {
                let (low, high) = (codes[8 * h + l], codes[8 * h + 4 + l]);
                let bytes = v128_or(v128_and(low, i8x16_splat(15)), i8x16_shl(high, 4));
                store_bytes(bytes, &mut block[64 * h + 16 * l..]);
            }
        }
        put_pairs(&codes, |codes| u8x16_shr(codes, 4), &mut block[128..192]);
    }
}

/// `scalar::fit_3`'s scales for sixteen sub-blocks, all in flight: each step of the descent waits long for the one before.
fn fit_3(x: &[f32; WEIGHTS], scales: &mut [f32; 16]) {
    let halves: [[Pair; 16]; 2] = [transpose::<16>(&x[..128]), transpose::<16>(&x[128..])];
    let join = |a: Pair, b: Pair| [a[0], a[1], b[0], b[1]];
    let zero = f32x4_splat(0.0);
    let mut x = [[NONE; 4]; 16];
    for (i, x) in x.iter_mut().enumerate() {
        *x = join(halves[0][i], halves[1][i]);
    }
    let (first, second) = (extremes(&halves[0]), extremes(&halves[1]));
    let (extreme, is_zero) = (join(first.0, second.0), join(first.1, second.1));
    let clamped = |t: v128| {
        let l = i32x4_max(i32x4_min(nearest(t), i32x4_splat(3)), i32x4_splat(-4));
        f32x4_convert_i32x4(l)
    };
    let inverse: [v128; 4] = std::array::from_fn(|g| v128_andnot(f32x4_div(f32x4_splat(-4.0), extreme[g]), is_zero[g]));
    let (mut sum_xl, mut sum_l2) = ([zero; 4], [zero; 4]);
    let mut at = [[NONE; 4]; 16];
    for (x, at) in x.iter().zip(&mut at) {
        for g in 0..4 {
            let l = clamped(f32x4_mul(inverse[g], x[g]));
            let w = f32x4_mul(x[g], x[g]);
            sum_xl[g] = f32x4_add(sum_xl[g], f32x4_mul(f32x4_mul(w, x[g]), l));
            sum_l2[g] = f32x4_add(sum_l2[g], f32x4_mul(f32x4_mul(w, l), l));
            at[g] = l;
        }
    }
    for _ in 0..5 {
        let mut changed = NONE;
        for (x, at) in x.iter().zip(&mut at) {
            let (mut xl, mut l2, mut new, mut moves) = ([NONE; 4], [NONE; 4], [NONE; 4], [NONE; 4]);
            for g in 0..4 {
                let (x, l) = (x[g], at[g]);
                let w = f32x4_mul(x, x);
                xl[g] = f32x4_sub(sum_xl[g], f32x4_mul(f32x4_mul(w, x), l));
                l2[g] = f32x4_sub(sum_l2[g], f32x4_mul(f32x4_mul(w, l), l));
                new[g] = clamped(f32x4_div(f32x4_mul(x, l2[g]), xl[g]));
                moves[g] = v128_and(f32x4_gt(xl[g], zero), f32x4_ne(new[g], l));
            }
            // Mostly every code stays: the next step need not wait for the sums.
            if !v128_any_true(v128_or(v128_or(moves[0], moves[1]), v128_or(moves[2], moves[3]))) {
                continue;
            }
            for g in 0..4 {
                let w = f32x4_mul(x[g], x[g]);
                let new_xl = f32x4_add(xl[g], f32x4_mul(f32x4_mul(w, x[g]), new[g]));
                let new_l2 = f32x4_add(l2[g], f32x4_mul(f32x4_mul(w, new[g]), new[g]));
                let ours = f32x4_mul(f32x4_mul(new_xl, new_xl), sum_l2[g]);
                let theirs = f32x4_mul(f32x4_mul(sum_xl[g], sum_xl[g]), new_l2);
                let moves = v128_and(moves[g], v128_and(f32x4_gt(new_l2, zero), f32x4_gt(ours, theirs)));
                at[g] = v128_bitselect(new[g], at[g], moves);
                sum_xl[g] = v128_bitselect(new_xl, sum_xl[g], moves);
                sum_l2[g] = v128_bitselect(new_l2, sum_l2[g], moves);
                changed = v128_or(changed, moves);
            }
        }
        if !v128_any_true(changed) {
            break;
        }
    }
    for (g, scales) in scales.as_chunks_mut::<4>().0.iter_mut().enumerate() {
        let scale = v128_and(f32x4_div(sum_xl[g], sum_l2[g]), f32x4_gt(sum_l2[g], zero));
        store4(v128_andnot(scale, is_zero[g]), scales);
    }
}

pub fn q3_k(x: &[f32], out: &mut [u8]) {
    for (x, block) in x.as_chunks::<WEIGHTS>().0.iter().zip(out.as_chunks_mut::<110>().0) {
        let mut scales = [0.0; 16];
        fit_3(x, &mut scales);
        let read = scalar::scales_3(&scales, block);
        let subs = x.as_chunks::<16>().0;
        let codes: [v128; 16] = std::array::from_fn(|j| {
            if read[j] != 0.0 {
                let d = f32x4_splat(read[j]);
                return centred(std::array::from_fn(|k| nearest(f32x4_div(load4(&subs[j][4 * k..]), d))), 4);
            }
            // Rare but for zeros: the codes of the descent.
            let mut codes = [0; 16];
            scalar::fit_3(&subs[j], &mut codes);
            load_bytes(&codes)
        });
        put_singles(&codes, |codes| u8x16_shr(codes, 2), &mut block[..32]);
        put_pairs(&codes, |codes| v128_and(codes, i8x16_splat(3)), &mut block[32..96]);
    }
}

/// Two bits of each code of a sub-block of sixteen.
#[inline(always)]
fn pairs_at(bytes: &[u8], j: usize) -> v128 {
    let v = load_bytes(&bytes[j / 8 * 32 + j % 2 * 16..]);
    let v = match j / 2 % 4 {
        0 => v,
        1 => u8x16_shr(v, 2),
        2 => u8x16_shr(v, 4),
        _ => u8x16_shr(v, 6),
    };
    v128_and(v, i8x16_splat(3))
}

/// One bit of each code of a sub-block of sixteen, moved to the place of `to`.
#[inline(always)]
fn singles_at(bytes: &[u8], j: usize, to: u32) -> v128 {
    let v = load_bytes(&bytes[j % 2 * 16..]);
    v128_and(i8x16_shl(u8x16_shr(v, j as u32 / 2), to), i8x16_splat(1 << to))
}

pub fn from_q2_k(bytes: &[u8], out: &mut [f32]) {
    for (block, out) in bytes.as_chunks::<84>().0.iter().zip(out.as_chunks_mut::<WEIGHTS>().0) {
        let (d, d_min) = (half_at(block, 80), half_at(block, 82));
        for (j, out) in out.as_chunks_mut::<16>().0.iter_mut().enumerate() {
            let (scale, min) = (f32::from(block[j] & 15), f32::from(block[j] >> 4));
            emit(pairs_at(&block[16..80], j), f32x4_splat(d * scale), f32x4_splat(-(d_min * min)), out);
        }
    }
}

pub fn from_q3_k(bytes: &[u8], out: &mut [f32]) {
    for (block, out) in bytes.as_chunks::<110>().0.iter().zip(out.as_chunks_mut::<WEIGHTS>().0) {
        let d = half_at(block, 108);
        for (j, out) in out.as_chunks_mut::<16>().0.iter_mut().enumerate() {
            let codes = v128_or(pairs_at(&block[32..96], j), singles_at(&block[..32], j, 2));
            let scale = d * f32::from(scalar::scale_3(block, j));
            emit(i8x16_sub(codes, i8x16_splat(4)), f32x4_splat(scale), f32x4_splat(-0.0), out);
        }
    }
}

/// Four bits of sixteen codes of `q4_k` and `q5_k`.
#[inline(always)]
fn nibbles_at(bytes: &[u8], j: usize) -> v128 {
    let v = load_bytes(&bytes[j / 4 * 32 + j % 2 * 16..]);
    if j % 4 < 2 { v128_and(v, i8x16_splat(15)) } else { u8x16_shr(v, 4) }
}

#[inline(always)]
fn decode_45(block: &[u8], out: &mut [f32; WEIGHTS], codes: impl Fn(usize) -> v128) {
    let (d, d_min) = (half_at(block, 0), half_at(block, 2));
    for (j, out) in out.as_chunks_mut::<16>().0.iter_mut().enumerate() {
        let (scale, min) = scalar::scale_45(block, j / 2);
        let (scale, offset) = (d * f32::from(scale), -(d_min * f32::from(min)));
        emit(codes(j), f32x4_splat(scale), f32x4_splat(offset), out);
    }
}

pub fn from_q4_k(bytes: &[u8], out: &mut [f32]) {
    for (block, out) in bytes.as_chunks::<144>().0.iter().zip(out.as_chunks_mut::<WEIGHTS>().0) {
        decode_45(block, out, |j| nibbles_at(&block[16..], j));
    }
}

pub fn from_q5_k(bytes: &[u8], out: &mut [f32]) {
    for (block, out) in bytes.as_chunks::<176>().0.iter().zip(out.as_chunks_mut::<WEIGHTS>().0) {
        decode_45(block, out, |j| v128_or(nibbles_at(&block[48..], j), singles_at(&block[16..48], j, 4)));
    }
}

pub fn from_q6_k(bytes: &[u8], out: &mut [f32]) {
    for (block, out) in bytes.as_chunks::<210>().0.iter().zip(out.as_chunks_mut::<WEIGHTS>().0) {
        let d = half_at(block, 208);
        for (j, out) in out.as_chunks_mut::<16>().0.iter_mut().enumerate() {
            let v = load_bytes(&block[j / 8 * 64 + j % 4 * 16..]);
            let low = if j % 8 < 4 { v128_and(v, i8x16_splat(15)) } else { u8x16_shr(v, 4) };
            let codes = v128_or(low, i8x16_shl(pairs_at(&block[128..192], j), 4));
            let scale = d * f32::from(block[192 + j] as i8);
            emit(i8x16_sub(codes, i8x16_splat(32)), f32x4_splat(scale), f32x4_splat(-0.0), out);
        }
    }
}
