//! Super-blocks of 256 weights, whose sub-blocks have scales of few bits: `q2_k q3_k q4_k q5_k q6_k iq4_xs`.
//!
//! Each sub-block is fitted alone. Then the unit of the scales (and that of the minima) is chosen among several by the true error of all
//! sub-blocks with their scales rounded, and last each sub-block takes the best of the scales around.

use half::f16;

use super::flat::{
    Range, ends, errors_of, even_codes, fit_both, iq4_rule, least_of, refit, searched, starts, table_codes,
};
use super::{Lanes, Rule, amax};
use crate::kernels::scalar::ggml::k::{put_nibbles, put_pairs};
use crate::kernels::{ggml, ggml_more};

/// How the scales of sub-blocks without minimum are stored.
struct Scales {
    /// Weights of a sub-block.
    len: usize,
    /// The magnitude of the outermost level.
    top: f32,
    /// Where their scales are searched.
    range: Range,
    /// The lowest code of a scale; the highest is one less than its negative.
    lowest: i32,
    /// Units of scales tried, in eights, up to this share above the one that puts the greatest on the lowest code.
    units: usize,
    /// That share.
    above: f32,
}

/// Half-precision unit, and the code of each sub-block's scale.
fn scales_of(x: &[f32], weights: &[f32], rule: &Rule, how: &Scales) -> Option<(f16, [i32; 16])> {
    let Scales { len, top, range, lowest, units, above } = *how;
    let mut fitted = [0.0; 16];
    let mut silence = [0.0; 16];
    for (j, (x, weights)) in x.chunks(len).zip(weights.chunks(len)).enumerate() {
        silence[j] = x.iter().zip(weights).map(|(x, w)| w * x * x).sum();
        let unit = amax(x) / top;
        if (1.0 / unit).is_finite() {
            fitted[j] = fit_both(x, weights, rule, unit, range).0;
        }
    }
    let extreme = super::extreme(&fitted);
    let first = extreme / lowest as f32;
    if !(1.0 / first).is_finite() {
        return None;
    }
    let code = |t: f32| (t.round_ties_even() as i32).clamp(lowest, -1 - lowest);
    let mut best = (f16::ZERO, f32::INFINITY);
    for pass in 0..units {
        let halves: [f16; 8] = std::array::from_fn(|l| {
            let share = (8 * pass + l) as f32 / (8 * units - 1) as f32;
            f16::from_f32(first * (0.97 + share * (0.03 + above)))
        });
        let d = halves.map(f16::to_f32);
        let mut totals = [0.0; 8];
        for (j, (x, weights)) in x.chunks(len).zip(weights.chunks(len)).enumerate() {
            let scales: Lanes = std::array::from_fn(|l| d[l] * code(fitted[j] / d[l]) as f32);
            add(&mut totals, &errors_of(x, weights, rule, &scales, None), &scales, |_| silence[j]);
        }
        let (l, error) = least_of(&totals);
        if error < best.1 {
            best = (halves[l], error);
        }
    }
    let d = best.0.to_f32();
    let mut codes = [0; 16];
    for (j, (x, weights)) in x.chunks(len).zip(weights.chunks(len)).enumerate() {
        let middle = code(fitted[j] / d);
        let near: [i32; 8] = std::array::from_fn(|l| (middle + l as i32 - 3).clamp(lowest, -1 - lowest));
        let scales = near.map(|code| d * code as f32);
        let mut errors = [0.0; 8];
        add(&mut errors, &errors_of(x, weights, rule, &scales, None), &scales, |_| silence[j]);
        codes[j] = near[least_of(&errors).0];
    }
    best.1.is_finite().then_some((best.0, codes))
}

/// Adds errors; a scale of 0 leaves what `silence` says.
fn add(totals: &mut Lanes, errors: &Lanes, scales: &Lanes, silence: impl Fn(usize) -> f32) {
    for l in 0..8 {
        totals[l] += if scales[l] == 0.0 { silence(l) } else { errors[l] };
    }
}

/// How the scales and minima of sub-blocks are stored.
struct Pairs {
    /// Weights of a sub-block.
    len: usize,
    /// The greatest code of a weight.
    most: f32,
    /// The greatest code of a scale and of a minimum.
    most_scale: i32,
    /// Refits of each start.
    rounds: usize,
    /// Pairs of units that all scales around are tried with, at most [`FINALISTS`].
    finalists: usize,
}

/// See [`Pairs`].
const FINALISTS: usize = 4;

/// A sub-block alone.
#[derive(Clone, Copy, Default)]
struct Fitted {
    scale: f32,
    low: f32,
    /// Mean code.
    middle: f32,
    /// `Σwx²`, `Σwx`, `Σw`
    moments: [f32; 3],
}

impl Fitted {
    /// The codes of the scale and of the negated minimum in these units: the minimum makes up for the rounding of the scale.
    fn codes(&self, d: f32, d_min: f32, most: i32) -> (i32, i32) {
        let scale = whole(self.scale / d, most);
        (scale, self.min_code(d * scale as f32, d_min, most))
    }

    fn min_code(&self, scale: f32, d_min: f32, most: i32) -> i32 {
        let low = self.low - (scale - self.scale) * self.middle;
        if d_min > 0.0 { whole(-low / d_min, most) } else { 0 }
    }

    /// The error of a scale of zero.
    fn silence(&self, low: f32) -> f32 {
        let [x2, x, w] = self.moments;
        x2 - 2.0 * low * x + low * low * w
    }
}

fn whole(t: f32, most: i32) -> i32 {
    (t.round_ties_even() as i32).clamp(0, most)
}

fn fit_pair(x: &[f32], weights: &[f32], rule: &Rule, how: &Pairs) -> Fitted {
    let (min, max) = ends(x);
    let (min, max) = (min.min(0.0), max.max(min.min(0.0)));
    let range = max - min;
    let total: f32 = weights.iter().sum();
    let sum = |f: fn(f32) -> f32| x.iter().zip(weights).map(|(&x, w)| w * f(x)).sum::<f32>();
    let mut best = Fitted { moments: [sum(|x| x * x), sum(|x| x), total], ..Fitted::default() };
    if !(how.most / range).is_finite() {
        return best;
    }
    let mut least = f32::INFINITY;
    let (mut scales, mut lows) = starts(min, range, how.most);
    for _ in 0..how.rounds {
        let errors = refit(x, weights, rule, total, &mut scales, &mut lows);
        let (l, error) = least_of(&errors);
        if error < least && lows[l] <= 0.0 {
            least = error;
            (best.scale, best.low) = (scales[l], lows[l]);
        }
        lows = lows.map(|low| if low > 0.0 { 0.0 } else { low });
    }
    let mut codes = [0; 32];
    let codes = &mut codes[..x.len()];
    even_codes(x, (0.0, how.most), best.scale, best.low, codes);
    best.middle = codes.iter().zip(weights).map(|(&code, w)| w * f32::from(code)).sum::<f32>() / total;
    if !best.middle.is_finite() {
        best.middle = 0.0;
    }
    best
}

/// The block's two half-precision units, and each sub-block's scale and minimum in them.
type Unitized = ([f16; 2], [(i32, i32); 16]);

/// Half-precision units of scales and minima, and codes of both for each sub-block.
fn pairs_of(x: &[f32], weights: &[f32], rule: &Rule, how: &Pairs) -> Option<Unitized> {
    let Pairs { len, most_scale, finalists, .. } = *how;
    let mut fitted = [Fitted::default(); 16];
    let count = 256 / len;
    for (fitted, (x, weights)) in fitted.iter_mut().zip(x.chunks(len).zip(weights.chunks(len))) {
        *fitted = fit_pair(x, weights, rule, how);
    }
    let fitted = &fitted[..count];
    let greatest = |f: fn(&Fitted) -> f32| fitted.iter().map(f).fold(0.0, f32::max) / most_scale as f32;
    let (d, d_min) = (greatest(|f| f.scale), greatest(|f| -f.low));
    if !(1.0 / d).is_finite() {
        return None;
    }
    // The best pairs of units, the best first.
    let mut ranked = [([f16::ZERO; 2], f32::INFINITY); FINALISTS];
    for i in 0..16 {
        let unit_min = f16::from_f32(d_min * (0.95 + 0.02 * (i % 8) as f32));
        let units: [f16; 8] = std::array::from_fn(|l| f16::from_f32(d * (0.95 + 0.01 * (i / 8 * 8 + l) as f32)));
        let (d, m) = (units.map(f16::to_f32), unit_min.to_f32());
        let mut totals = [0.0; 8];
        for (f, (x, weights)) in fitted.iter().zip(x.chunks(len).zip(weights.chunks(len))) {
            let codes = d.map(|d| f.codes(d, m, most_scale));
            let scales: Lanes = std::array::from_fn(|l| d[l] * codes[l].0 as f32);
            let lows: Lanes = std::array::from_fn(|l| -m * codes[l].1 as f32);
            add(&mut totals, &errors_of(x, weights, rule, &scales, Some(&lows)), &scales, |l| f.silence(lows[l]));
        }
        let (l, error) = least_of(&totals);
        if error < ranked[FINALISTS - 1].1 {
            ranked[FINALISTS - 1] = ([units[l], unit_min], error);
            let mut place = FINALISTS - 1;
            while place > 0 && ranked[place].1 < ranked[place - 1].1 {
                ranked.swap(place, place - 1);
                place -= 1;
            }
        }
    }
    let (mut best, mut least) = (None, f32::INFINITY);
    for (units, _) in ranked.into_iter().take(finalists).filter(|(_, error)| error.is_finite()) {
        let (codes, error) = codes_around(x, weights, rule, how, fitted, units);
        if error < least {
            (best, least) = (Some((units, codes)), error);
        }
    }
    best
}

/// The best of the scales and minima around those that were fitted, for each sub-block, and the error of all.
fn codes_around(
    x: &[f32],
    weights: &[f32],
    rule: &Rule,
    how: &Pairs,
    fitted: &[Fitted],
    units: [f16; 2],
) -> ([(i32, i32); 16], f32) {
    let Pairs { len, most_scale, .. } = *how;
    let [d, m] = units.map(f16::to_f32);
    let (mut codes, mut total) = ([(0, 0); 16], 0.0);
    for ((f, code), (x, weights)) in fitted.iter().zip(&mut codes).zip(x.chunks(len).zip(weights.chunks(len))) {
        let middle = f.codes(d, m, most_scale).0;
        let mut least = f32::INFINITY;
        for step in [0, 1, -1] {
            let near: [(i32, i32); 8] = std::array::from_fn(|l| {
                let scale = (middle + l as i32 - 4).clamp(0, most_scale);
                let min = f.min_code(d * scale as f32, m, most_scale);
                (scale, (min + step).clamp(0, most_scale))
            });
            let scales = near.map(|(s, _)| d * s as f32);
            let lows = near.map(|(_, low)| -m * low as f32);
            let mut errors = [0.0; 8];
            add(&mut errors, &errors_of(x, weights, rule, &scales, Some(&lows)), &scales, |l| f.silence(lows[l]));
            let (l, error) = least_of(&errors);
            if error < least {
                least = error;
                *code = near[l];
            }
        }
        total += least;
    }
    (codes, total)
}

/// Codes of weights with scales and minima as they are read. A scale of 0 has codes of zero.
fn codes_of(x: &[f32], ends: (f32, f32), len: usize, read: impl Fn(usize) -> (f32, f32)) -> [u8; 256] {
    let mut codes = [0; 256];
    for (j, (x, codes)) in x.chunks(len).zip(codes.chunks_mut(len)).enumerate() {
        let (scale, low) = read(j);
        if scale == 0.0 {
            codes.fill(-ends.0 as u8);
        } else {
            even_codes(x, ends, scale, low, codes);
        }
    }
    codes
}

fn put(half: f16, out: &mut [u8]) {
    out[..2].copy_from_slice(&half.to_le_bytes());
}

/// One bit of each weight: byte `l` holds those of weights `l`, `l + 32`, ….
fn put_bits(codes: &[u8; 256], bit: u32, out: &mut [u8]) {
    for (l, out) in out.iter_mut().enumerate() {
        *out = (0..8).fold(0, |byte, k| byte | (codes[l + 32 * k] >> bit & 1) << k);
    }
}

fn search_2(x: &[f32], weights: &[f32], out: &mut [u8]) -> bool {
    let how = Pairs { len: 16, most: 3.0, most_scale: 15, rounds: 3, finalists: 1 };
    let rule = Rule::Even { low: 0.0, high: 3.0 };
    let Some((units, pairs)) = pairs_of(x, weights, &rule, &how) else { return false };
    let [d, m] = units.map(f16::to_f32);
    let codes = codes_of(x, (0.0, 3.0), 16, |j| (d * pairs[j].0 as f32, -m * pairs[j].1 as f32));
    for (out, (scale, min)) in out.iter_mut().zip(pairs) {
        *out = (scale | min << 4) as u8;
    }
    put_pairs(&codes, 0, &mut out[16..80]);
    put(units[0], &mut out[80..]);
    put(units[1], &mut out[82..]);
    true
}

/// The head of `q4_k` and `q5_k`, and the codes.
fn search_45(x: &[f32], weights: &[f32], (most, finalists): (f32, usize), out: &mut [u8]) -> Option<[u8; 256]> {
    let how = Pairs { len: 32, most, most_scale: 63, rounds: 6, finalists };
    let rule = Rule::Even { low: 0.0, high: most };
    let (units, pairs) = pairs_of(x, weights, &rule, &how)?;
    let [d, m] = units.map(f16::to_f32);
    put(units[0], out);
    put(units[1], &mut out[2..]);
    let packed = &mut out[4..16];
    for j in 0..4 {
        let ((scale, min), (high_scale, high_min)) = (pairs[j], pairs[j + 4]);
        packed[j] = (scale | high_scale >> 4 << 6) as u8;
        packed[j + 4] = (min | high_min >> 4 << 6) as u8;
        packed[j + 8] = (high_scale & 15 | (high_min & 15) << 4) as u8;
    }
    Some(codes_of(x, (0.0, most), 32, |j| (d * pairs[j].0 as f32, -m * pairs[j].1 as f32)))
}

fn search_4(x: &[f32], weights: &[f32], out: &mut [u8]) -> bool {
    let Some(codes) = search_45(x, weights, (15.0, 1), out) else { return false };
    put_nibbles(&codes, &mut out[16..]);
    true
}

fn search_5(x: &[f32], weights: &[f32], out: &mut [u8]) -> bool {
    let Some(codes) = search_45(x, weights, (31.0, FINALISTS), out) else { return false };
    put_bits(&codes, 4, &mut out[16..48]);
    put_nibbles(&codes, &mut out[48..]);
    true
}

fn search_3(x: &[f32], weights: &[f32], out: &mut [u8]) -> bool {
    let rule = Rule::Even { low: -4.0, high: 3.0 };
    let how = Scales { len: 16, top: 4.0, range: Range::new(0.7, 1.6, 2), lowest: -32, units: 1, above: 0.1 };
    let Some((unit, scales)) = scales_of(x, weights, &rule, &how) else { return false };
    let d = unit.to_f32();
    let codes = codes_of(x, (-4.0, 3.0), 16, |j| (d * scales[j] as f32, 0.0));
    put_bits(&codes, 2, &mut out[..32]);
    put_pairs(&codes, 0, &mut out[32..96]);
    out[96..108].fill(0);
    for (j, scale) in scales.iter().enumerate() {
        let code = (scale + 32) as u8;
        out[96 + j % 8] |= (code & 15) << (j / 8 * 4);
        out[104 + j % 4] |= (code >> 4) << (j / 4 * 2);
    }
    put(unit, &mut out[108..]);
    true
}

fn search_6(x: &[f32], weights: &[f32], out: &mut [u8]) -> bool {
    let rule = Rule::Even { low: -32.0, high: 31.0 };
    let how = Scales { len: 16, top: 32.0, range: Range::new(0.7, 1.04, 6), lowest: -128, units: 2, above: 0.1 };
    let Some((unit, scales)) = scales_of(x, weights, &rule, &how) else { return false };
    let d = unit.to_f32();
    let codes = codes_of(x, (-32.0, 31.0), 16, |j| (d * scales[j] as f32, 0.0));
    for (h, codes) in codes.as_chunks::<128>().0.iter().enumerate() {
        for l in 0..64 {
            out[64 * h + l] = codes[l] & 15 | codes[l + 64] << 4;
        }
    }
    put_pairs(&codes, 4, &mut out[128..192]);
    for (out, scale) in out[192..].iter_mut().zip(scales) {
        *out = scale as i8 as u8;
    }
    put(unit, &mut out[208..]);
    true
}

fn search_xs(x: &[f32], weights: &[f32], out: &mut [u8]) -> bool {
    let rule = iq4_rule();
    let how = Scales { len: 32, top: 127.0, range: Range::new(0.8, 1.35, 2), lowest: -32, units: 2, above: 0.1 };
    let Some((unit, scales)) = scales_of(x, weights, &rule, &how) else { return false };
    put(unit, out);
    out[4..8].fill(0);
    let mut high = 0_u16;
    let nibbles = out[8..].as_chunks_mut::<16>().0;
    for ((x, scale), nibbles) in x.chunks(32).zip(scales).zip(nibbles) {
        let mut codes = [0; 32];
        let d = unit.to_f32() * scale as f32;
        table_codes(x, &rule, if scale == 0 { 0.0 } else { 1.0 / d }, &mut codes);
        super::flat::put_nibbles(&codes, nibbles);
    }
    for (i, scale) in scales[..8].iter().enumerate() {
        let stored = (scale + 32) as u16;
        out[4 + i / 2] |= ((stored & 15) as u8) << (i % 2 * 4);
        high |= stored >> 4 << (2 * i);
    }
    out[2..4].copy_from_slice(&high.to_le_bytes());
    true
}

searched! {
    /// Eight ranges, each refitted, for every sixteen weights; 128 pairs of units.
    q2_k: 256, 84, ggml::q2_k, ggml::from_q2_k, search_2;
    /// 16 scales of each sign for every sixteen weights; eight units.
    q3_k: 256, 110, ggml::q3_k, ggml::from_q3_k, search_3;
    /// Eight ranges, each refitted, for every 32 weights; 128 pairs of units.
    q4_k: 256, 144, ggml::q4_k, ggml::from_q4_k, search_4;
    /// Eight ranges, each refitted, for every 32 weights; 128 pairs of units, the best four with all scales around.
    q5_k: 256, 176, ggml::q5_k, ggml::from_q5_k, search_5;
    /// 48 scales of each sign for every sixteen weights; 16 units.
    q6_k: 256, 210, ggml::q6_k, ggml::from_q6_k, search_6;
    /// 16 scales of each sign for every 32 weights; 16 units.
    iq4_xs: 256, 136, ggml_more::iq4_xs, ggml_more::from_iq4_xs, search_xs;
}
