//! Blocks that are searched side by side, a block in each lane: `q8_0 q4_0 q5_0 q4_1 q5_1 tq1_0 tq2_0 mxfp4`.
//!
//! A try rounds every weight to its nearest level and takes the scale (and minimum) that fits these levels best, in least squares: with
//! levels `q` what is left of `Σx²` is `Σx² − (Σqx)²/Σq²`, so that the greatest `(Σqx)²/Σq²` is the least error. Where levels are many that
//! difference drowns in f32, and the rests `u = t − q` are summed instead, as in [`super::fit`].
//!
//! What the reference would write is computed along, and written where what was found is not better. Both errors are f32 sums of at most 256
//! squares; what is found must be less by [`MARGIN`], more than such sums can be wrong. A block whose errors do not fit into f32, or
//! whose scale half precision cannot hold, is the reference's.

use half::f16;

use super::flat::{put_fives, put_nibbles};
use super::{Numbers, Weighting};
use crate::kernels::scalar::ggml::{k::put_pairs, mx, ternary};
use crate::kernels::{dispatch, ggml, ggml_more};

/// What is found must have less than this share of the reference's error.
const MARGIN: f32 = 0.999_95;

/// Scale and offset for each lane, and 1 where they are better than the reference's, else 0.
struct Found<V> {
    scale: V,
    offset: V,
    better: V,
}

/// What errors of blocks of `N` weights count, where that is not 1.
#[inline(always)]
fn counts<V: Numbers, const W: bool, const N: usize>(x: &[V; N], amax: V) -> [V; N] {
    let mut counts = [V::splat(1.0); N];
    if W {
        for (count, &x) in counts.iter_mut().zip(x) {
            let share = x / amax;
            *count = share * share;
        }
    }
    counts
}

#[inline(always)]
fn weighed<V: Numbers, const W: bool>(count: V, x: V) -> V {
    if W { count * x } else { x }
}

/// The greatest magnitude, and the first weight that has it.
#[inline(always)]
fn extremes<V: Numbers, const N: usize>(x: &[V; N]) -> (V, V) {
    let (mut amax, mut extreme) = (V::splat(0.0), V::splat(0.0));
    for &x in x {
        let magnitude = x.magnitude();
        extreme = magnitude.greater(amax, x, extreme);
        amax = magnitude.most(amax);
    }
    (amax, extreme)
}

/// 1/d, or 0 where that overflows, as the reference has it.
#[inline(always)]
fn reciprocal<V: Numbers>(d: V) -> V {
    let id = V::splat(1.0) / d;
    V::splat(f32::INFINITY).greater(id.magnitude(), id, V::splat(0.0))
}

/// Errors of what `read` makes of weights, in units of `1/inverse`.
#[inline(always)]
fn error<V: Numbers, const W: bool, const N: usize>(
    x: &[V; N],
    counts: &[V; N],
    inverse: V,
    read: impl Fn(V) -> V,
) -> V {
    let mut sum = V::splat(0.0);
    for (&x, &count) in x.iter().zip(counts) {
        let e = (x - read(x)) * inverse;
        sum = sum + weighed::<V, W>(count, e) * e;
    }
    sum
}

/// The level nearest to `t`, of all whole numbers between two.
#[inline(always)]
fn nearest<V: Numbers>(t: V, (low, high): (V, V)) -> V {
    t.most(low).least(high).whole()
}

/// 1 where what was found is better.
#[inline(always)]
fn better<V: Numbers>(ours: V, theirs: V) -> V {
    (theirs * V::splat(MARGIN)).greater(ours, V::splat(1.0), V::splat(0.0))
}

/// The best scale of some tries, two at a time, since sums wait for each other: `k·unit_inverse` is the reciprocal of a scale. `FINE` where
/// levels are many.
#[inline(always)]
fn scaled<V: Numbers, const W: bool, const FINE: bool, const N: usize>(
    x: &[V; N],
    counts: &[V; N],
    ends: (V, V),
    unit_inverse: V,
    tries: &[[f32; 2]],
) -> V {
    let (mut best, mut scale) = (V::splat(f32::NEG_INFINITY), V::splat(0.0));
    for k in tries {
        let inverse = [unit_inverse * V::splat(k[0]), unit_inverse * V::splat(k[1])];
        let (mut uu, mut qu, mut qq) = ([V::splat(0.0); 2], [V::splat(0.0); 2], [V::splat(0.0); 2]);
        for (&x, &count) in x.iter().zip(counts) {
            for i in 0..2 {
                let t = x * inverse[i];
                let q = nearest(t, ends);
                let wq = weighed::<V, W>(count, q);
                if FINE {
                    let u = t - q;
                    uu[i] = uu[i] + weighed::<V, W>(count, u) * u;
                    qu[i] = qu[i] + wq * u;
                } else {
                    qu[i] = qu[i] + wq * x;
                }
                qq[i] = qq[i] + wq * q;
            }
        }
        for i in 0..2 {
            let share = qu[i] / qq[i];
            let (score, this) = if FINE {
                ((share * qu[i] - uu[i]) * V::splat(1.0 / (k[i] * k[i])), (V::splat(1.0) + share) / inverse[i])
            } else {
                (share * qu[i], share)
            };
            scale = score.greater(best, this, scale);
            best = score.greater(best, score, best);
        }
    }
    scale
}

/// Tries between two, evenly spaced.
const fn between<const N: usize>(from: f32, to: f32) -> [[f32; 2]; N] {
    let mut tries = [[0.0; 2]; N];
    let step = (to - from) / (2 * N - 1) as f32;
    let mut i = 0;
    while i < N {
        tries[i] = [from + step * (2 * i) as f32, from + step * (2 * i + 1) as f32];
        i += 1;
    }
    tries
}

/// `q4_0` and `q5_0`: a scale of the reference's sign.
#[inline(always)]
fn search_even<V: Numbers, const W: bool>(x: &[V; 32], low: f32, tries: &[[f32; 2]]) -> Found<V> {
    let ends = (V::splat(low), V::splat(-1.0 - low));
    let (amax, extreme) = extremes(x);
    let counts = counts::<V, W, 32>(x, amax);
    let d = scaled::<V, W, false, 32>(x, &counts, ends, V::splat(low) / extreme, tries).half();
    let inverse = V::splat(1.0) / d;
    let ours = error::<V, W, 32>(x, &counts, inverse, |x| nearest(x * inverse, ends) * d);
    // As `scalar::legacy::encode` has it.
    let theirs = extreme / V::splat(low);
    let (id, their_half) = (reciprocal(theirs), theirs.half());
    let theirs = error::<V, W, 32>(x, &counts, inverse, |x| {
        let code = (x * id + V::splat(0.5 - low)).truncated().least(V::splat(-2.0 * low - 1.0));
        (code + V::splat(low)) * their_half
    });
    Found { scale: d, offset: V::splat(0.0), better: better(ours, theirs) }
}

/// `q8_0`: steps of half precision count, so that the neighbours of the best scale are tried.
#[inline(always)]
fn search_8<V: Numbers, const W: bool>(x: &[V; 32]) -> Found<V> {
    const TRIES: &[[f32; 2]] = &between::<16>(0.86, 1.0);
    let ends = (V::splat(-128.0), V::splat(127.0));
    let (amax, extreme) = extremes(x);
    let counts = counts::<V, W, 32>(x, amax);
    let unit_inverse = V::splat(-128.0) / extreme;
    let scale = scaled::<V, W, true, 32>(x, &counts, ends, unit_inverse, TRIES);
    let (mut d, mut ours) = (scale, V::splat(f32::INFINITY));
    for step in [0.0, 0.0007, -0.0007, 0.0014] {
        let half = (scale * V::splat(1.0 + step)).half();
        let inverse = V::splat(1.0) / half;
        let this = error::<V, W, 32>(x, &counts, unit_inverse, |x| nearest(x * inverse, ends) * half);
        d = ours.greater(this, half, d);
        ours = ours.greater(this, this, ours);
    }
    let theirs = amax / V::splat(127.0);
    let (id, their_half) = (reciprocal(theirs), theirs.half());
    let theirs = error::<V, W, 32>(x, &counts, unit_inverse, |x| {
        let t = x * id;
        // Half away from zero; the largest f32 below one half does not become 1.
        let up = (t.magnitude() + V::splat(0.499_999_97)).truncated();
        V::splat(0.0).greater(t, V::splat(0.0) - up, up) * their_half
    });
    Found { scale: d, offset: V::splat(0.0), better: better(ours, theirs) }
}

/// Shares of the range that are cut off at its two ends in the first tries. Chosen on Gaussian weights, one after the other out of a grid, each
/// the one that helped most.
const STARTS_4: &[[(f32, f32); 2]] = &[
    [(0.01, 0.01), (0.03, -0.01)],
    [(0.0, 0.03), (-0.06, 0.01)],
    [(0.02, 0.0), (-0.02, 0.0)],
    [(-0.01, -0.05), (-0.01, 0.04)],
    [(-0.14, 0.01), (-0.06, -0.01)],
    [(0.02, 0.03), (0.0, -0.01)],
];
const STARTS_5: &[[(f32, f32); 2]] = &[
    [(0.0, 0.0), (0.0, -0.03)],
    [(-0.01, 0.01), (0.01, -0.01)],
    [(-0.03, -0.03), (-0.07, -0.03)],
    [(-0.03, -0.01), (0.01, 0.0)],
    [(0.0, 0.01), (-0.01, -0.03)],
    [(-0.03, -0.04), (-0.07, -0.07)],
    [(-0.04, -0.03), (-0.03, 0.0)],
    [(-0.03, -0.08), (0.01, 0.01)],
    [(-0.01, 0.0), (0.0, 0.02)],
];

/// Scale and mean code of the levels that `centred·inverse + shift` leads to, as least squares have them, and how much they explain.
#[inline(always)]
fn line<V: Numbers, const W: bool, const TRIES: usize>(
    centred: &[V; 32],
    counts: &[V; 32],
    total: V,
    ends: (V, V),
    inverse: [V; TRIES],
    shift: [V; TRIES],
) -> [(V, V, V); TRIES] {
    let (mut xq, mut q1, mut qq) = ([V::splat(0.0); TRIES], [V::splat(0.0); TRIES], [V::splat(0.0); TRIES]);
    for (&x, &count) in centred.iter().zip(counts) {
        for i in 0..TRIES {
            let q = nearest(x * inverse[i] + shift[i], ends);
            let wq = weighed::<V, W>(count, q);
            xq[i] = xq[i] + wq * x;
            q1[i] = q1[i] + wq;
            qq[i] = qq[i] + wq * q;
        }
    }
    std::array::from_fn(|i| {
        let middle = q1[i] / total;
        let scale = xq[i] / (qq[i] - middle * q1[i]);
        (scale * xq[i], scale, middle)
    })
}

/// `q4_1` and `q5_1`: a scale and a minimum.
#[inline(always)]
fn search_line<V: Numbers, const W: bool>(
    x: &[V; 32],
    most: f32,
    starts: &[[(f32, f32); 2]],
    rounds: usize,
) -> Found<V> {
    let ends = (V::splat(0.0), V::splat(most));
    let (mut min, mut max) = (x[0], x[0]);
    for &x in x {
        (min, max) = (x.least(min), x.most(max));
    }
    let counts = counts::<V, W, 32>(x, max.most(V::splat(0.0) - min));
    let (mut total, mut mean) = (V::splat(0.0), V::splat(0.0));
    for (&x, &count) in x.iter().zip(&counts) {
        total = total + count;
        mean = mean + weighed::<V, W>(count, x);
    }
    let mean = mean / total;
    let mut centred = *x;
    for x in &mut centred {
        *x = *x - mean;
    }
    let (range, below) = (max - min, mean - min);
    let steps = V::splat(most) / range;
    let mut best = (V::splat(f32::NEG_INFINITY), V::splat(0.0), V::splat(0.0));
    let keep = |best: &mut (V, V, V), (score, scale, middle): (V, V, V)| {
        best.1 = score.greater(best.0, scale, best.1);
        best.2 = score.greater(best.0, middle, best.2);
        best.0 = score.greater(best.0, score, best.0);
    };
    for pair in starts {
        let inverse = pair.map(|(low, high)| steps * V::splat(1.0 / (1.0 - low - high)));
        let shift = std::array::from_fn(|i| (below - range * V::splat(pair[i].0)) * inverse[i]);
        for found in line::<V, W, 2>(&centred, &counts, total, ends, inverse, shift) {
            keep(&mut best, found);
        }
    }
    for _ in 0..rounds {
        let [found] = line::<V, W, 1>(&centred, &counts, total, ends, [V::splat(1.0) / best.1], [best.2]);
        keep(&mut best, found);
    }
    let d = best.1.half();
    let low = (mean - d * best.2).half();
    let inverse = V::splat(1.0) / d;
    let ours = error::<V, W, 32>(x, &counts, inverse, |x| nearest((x - low) * inverse, ends) * d + low);
    // As `scalar::legacy::encode` has it.
    let theirs = range / V::splat(most);
    let (id, their_half, their_low) = (reciprocal(theirs), theirs.half(), min.half());
    let theirs = error::<V, W, 32>(x, &counts, inverse, |x| {
        let code = ((x - min) * id + V::splat(0.5)).truncated().least(V::splat(most));
        code * their_half + their_low
    });
    Found { scale: d, offset: low, better: better(ours, theirs) }
}

/// `tq1_0` and `tq2_0`.
#[inline(always)]
fn search_ternary<V: Numbers, const W: bool>(x: &[V; 256]) -> Found<V> {
    const TRIES: &[[f32; 2]] = &between::<4>(1.5, 4.0);
    let ends = (V::splat(-1.0), V::splat(1.0));
    let (amax, _) = extremes(x);
    let counts = counts::<V, W, 256>(x, amax);
    let d = scaled::<V, W, false, 256>(x, &counts, ends, V::splat(1.0) / amax, TRIES).half();
    let inverse = V::splat(1.0) / d;
    let ours = error::<V, W, 256>(x, &counts, inverse, |x| nearest(x * inverse, ends) * d);
    let (id, their_half) = (reciprocal(amax), amax.half());
    let theirs = error::<V, W, 256>(x, &counts, inverse, |x| {
        let t = x * id;
        let one = t.magnitude().greater(V::splat(0.499_999_97), their_half, V::splat(0.0));
        V::splat(0.0).greater(t, V::splat(0.0) - one, one)
    });
    Found { scale: d, offset: V::splat(0.0), better: better(ours, theirs) }
}

/// `mxfp4`: the exponents around the reference's; a block's best one is found as its scale.
#[inline(always)]
fn search_mx<V: Numbers, const W: bool>(x: &[V; 32]) -> Found<V> {
    const NEAR: [i32; 4] = [-1, 1, 2, 0];
    let (amax, _) = extremes(x);
    let counts = counts::<V, W, 32>(x, amax);
    let first = V::each(|lane| f32::from(mx::exponent_of(amax.lane(lane))));
    let unit_inverse = V::each(|lane| 1.0 / mx::half_power(mx::exponent_of(amax.lane(lane))));
    let (high, least, fraction) = (V::splat(12.0), V::splat(2.0), V::splat(6_291_456.0));
    let (mut best, mut exponent, mut theirs) = (V::splat(f32::INFINITY), first, V::splat(0.0));
    for near in NEAR {
        // Powers of two: exact.
        let (scale, inverse) = (2.0_f32.powi(near), 2.0_f32.powi(-near));
        let inverse = unit_inverse * V::splat(inverse);
        let mut sum = V::splat(0.0);
        for (&x, &count) in x.iter().zip(&counts) {
            let t = x * inverse;
            let inside = t.most(V::splat(0.0) - high).least(high);
            let magic = inside.power().most(least) * fraction;
            let u = t - ((inside + magic) - magic);
            sum = sum + weighed::<V, W>(count, u) * u;
        }
        theirs = sum * V::splat(scale * scale);
        exponent = best.greater(theirs, first + V::splat(near as f32), exponent);
        best = best.greater(theirs, theirs, best);
    }
    // Scales and reciprocals are normal numbers, and so are levels, in these bounds.
    let inside = V::splat(248.0).greater(first, best, theirs);
    let inside = first.greater(V::splat(4.0), inside, theirs);
    Found { scale: exponent, offset: V::splat(0.0), better: better(inside, theirs) }
}

/// Writes blocks of `N` weights and `BYTES` bytes: with `put` what is found, from its scale and offset.
#[inline(always)]
fn write<V: Numbers, const N: usize, const BYTES: usize>(
    x: &[f32],
    out: &mut [u8],
    reference: fn(&[f32], &mut [u8]),
    search: impl Fn(&[V; N]) -> Found<V>,
    put: impl Fn(&[f32; N], f32, f32, &mut [u8; BYTES]),
) {
    let (blocks, outs) = (x.as_chunks::<N>().0, out.as_chunks_mut::<BYTES>().0);
    for (blocks, outs) in blocks.chunks(V::LANES).zip(outs.chunks_mut(V::LANES)) {
        let found = if blocks.len() == V::LANES {
            search(&V::blocks(blocks.as_flattened()))
        } else {
            let mut filled = [[0.0; N]; 4];
            filled[..blocks.len()].copy_from_slice(blocks);
            search(&V::blocks(filled.as_flattened()))
        };
        for (lane, (x, out)) in blocks.iter().zip(outs).enumerate() {
            if found.better.lane(lane) > 0.0 {
                put(x, found.scale.lane(lane), found.offset.lane(lane), out);
            } else {
                reference(x, out);
            }
        }
    }
}

fn put_half(x: f32, out: &mut [u8]) {
    out[..2].copy_from_slice(&f16::from_f32(x).to_le_bytes());
}

/// With what each error counts as a constant.
macro_rules! weighted {
    ($weighting:ident, $search:ident, $($argument:expr),*) => {
        match $weighting {
            Weighting::None => |x: &_| $search::<V, false>(x $(, $argument)*),
            Weighting::Squares => |x: &_| $search::<V, true>(x $(, $argument)*),
        }
    };
}

/// See [`q8_0`].
pub(in crate::kernels) fn write_q8_0<V: Numbers>(x: &[f32], weighting: Weighting, out: &mut [u8]) {
    let search: fn(&[V; 32]) -> Found<V> = weighted!(weighting, search_8,);
    write::<V, 32, 34>(x, out, ggml::q8_0, search, |x, d, _, out| {
        put_half(d, out);
        let codes = V::codes(x, 0.0, 1.0 / d, (-128.0, 127.0));
        for (out, code) in out[2..].iter_mut().zip(codes) {
            *out = code.wrapping_sub(128);
        }
    });
}

/// See [`q4_0`].
pub(in crate::kernels) fn write_q4_0<V: Numbers>(x: &[f32], weighting: Weighting, out: &mut [u8]) {
    const TRIES: &[[f32; 2]] = &between::<4>(0.8, 1.2);
    let search: fn(&[V; 32]) -> Found<V> = weighted!(weighting, search_even, -8.0, TRIES);
    write::<V, 32, 18>(x, out, ggml::q4_0, search, |x, d, _, out| {
        put_half(d, out);
        put_nibbles(&V::codes(x, 0.0, 1.0 / d, (-8.0, 7.0)), &mut out[2..]);
    });
}

/// See [`q5_0`].
pub(in crate::kernels) fn write_q5_0<V: Numbers>(x: &[f32], weighting: Weighting, out: &mut [u8]) {
    const TRIES: &[[f32; 2]] = &between::<8>(0.85, 1.1);
    let search: fn(&[V; 32]) -> Found<V> = weighted!(weighting, search_even, -16.0, TRIES);
    write::<V, 32, 22>(x, out, ggml::q5_0, search, |x, d, _, out| {
        put_half(d, out);
        put_fives(&V::codes(x, 0.0, 1.0 / d, (-16.0, 15.0)), &mut out[2..]);
    });
}

/// See [`q4_1`].
pub(in crate::kernels) fn write_q4_1<V: Numbers>(x: &[f32], weighting: Weighting, out: &mut [u8]) {
    let search: fn(&[V; 32]) -> Found<V> = weighted!(weighting, search_line, 15.0, STARTS_4, 1);
    write::<V, 32, 20>(x, out, ggml::q4_1, search, |x, d, low, out| {
        put_half(d, out);
        put_half(low, &mut out[2..]);
        put_nibbles(&V::codes(x, low, 1.0 / d, (0.0, 15.0)), &mut out[4..]);
    });
}

/// See [`q5_1`].
pub(in crate::kernels) fn write_q5_1<V: Numbers>(x: &[f32], weighting: Weighting, out: &mut [u8]) {
    let search: fn(&[V; 32]) -> Found<V> = weighted!(weighting, search_line, 31.0, STARTS_5, 2);
    write::<V, 32, 24>(x, out, ggml::q5_1, search, |x, d, low, out| {
        put_half(d, out);
        put_half(low, &mut out[2..]);
        put_fives(&V::codes(x, low, 1.0 / d, (0.0, 31.0)), &mut out[4..]);
    });
}

/// Codes 0, 1 and 2.
fn digits<V: Numbers>(x: &[f32; 256], d: f32) -> [u8; 256] {
    let mut codes = [0; 256];
    for (x, codes) in x.as_chunks().0.iter().zip(codes.as_chunks_mut().0) {
        *codes = V::codes(x, 0.0, 1.0 / d, (-1.0, 1.0));
    }
    codes
}

/// See [`tq1_0`].
pub(in crate::kernels) fn write_tq1_0<V: Numbers>(x: &[f32], weighting: Weighting, out: &mut [u8]) {
    let search: fn(&[V; 256]) -> Found<V> = weighted!(weighting, search_ternary,);
    write::<V, 256, 54>(x, out, ggml_more::tq1_0, search, |x, d, _, out| {
        ternary::put_tq1(&digits::<V>(x, d), out);
        put_half(d, &mut out[52..]);
    });
}

/// See [`tq2_0`].
pub(in crate::kernels) fn write_tq2_0<V: Numbers>(x: &[f32], weighting: Weighting, out: &mut [u8]) {
    let search: fn(&[V; 256]) -> Found<V> = weighted!(weighting, search_ternary,);
    write::<V, 256, 66>(x, out, ggml_more::tq2_0, search, |x, d, _, out| {
        put_pairs(&digits::<V>(x, d), 0, out);
        put_half(d, &mut out[64..]);
    });
}

/// See [`mxfp4`].
pub(in crate::kernels) fn write_mxfp4<V: Numbers>(x: &[f32], weighting: Weighting, out: &mut [u8]) {
    let search: fn(&[V; 32]) -> Found<V> = weighted!(weighting, search_mx,);
    write::<V, 32, 17>(x, out, ggml_more::mxfp4, search, |x, exponent, _, out| {
        ggml_more::mxfp4_with(x, exponent as u8, out);
    });
}

macro_rules! entries {
    ($($(#[$doc:meta])* $name:ident;)*) => {$(
        $(#[$doc])*
        pub fn $name(x: &[f32], weighting: Weighting, out: &mut [u8]) {
            dispatch!(best::$name(x, weighting, out));
        }
    )*};
}

entries! {
    /// 32 scales and the neighbours of the best; unlike the reference it uses the code −128, and scales below zero.
    q8_0;
    /// Eight scales of the reference's sign.
    q4_0;
    /// 16 scales of the reference's sign.
    q5_0;
    /// Twelve ranges, the best of them refitted.
    q4_1;
    /// 18 ranges, the best of them refitted.
    q5_1;
    /// Eight scales.
    tq1_0;
    /// Eight scales.
    tq2_0;
    /// Four exponents.
    mxfp4;
}
