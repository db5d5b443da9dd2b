//! What searches of one block after the other are made of, and those of `iq4_nl` and `nvfp4`.

use half::f16;

use super::{FP4_TIMES_TWO, Lanes, Rule, amax, sums};
use crate::kernels::ggml_more;
use crate::kernels::scalar::ggml::{iq, mx};

/// Scales that are tried: `unit / k` for `8 · passes` values of `k`, from `from` on, `step` apart.
#[derive(Debug, Clone, Copy)]
pub struct Range {
    /// The first.
    pub from: f32,
    /// From each to the next.
    pub step: f32,
    /// Eight at a time.
    pub passes: usize,
}

impl Range {
    /// `8 · passes` values from `from` to `to`.
    #[must_use]
    pub const fn new(from: f32, to: f32, passes: usize) -> Range {
        Range { from, step: (to - from) / (8 * passes - 1) as f32, passes }
    }
}

/// The place of the least of eight numbers, and that number; infinity if all are NaN.
pub fn least_of(errors: &Lanes) -> (usize, f32) {
    let mut best = (0, f32::INFINITY);
    for (l, &error) in errors.iter().enumerate() {
        if error < best.1 {
            best = (l, error);
        }
    }
    best
}

/// The scale of least error for weights as multiples of it, and that error in units of `unit²`: infinity if there is none.
pub fn fit(x: &[f32], weights: &[f32], rule: &Rule, unit: f32, range: Range) -> (f32, f32) {
    let inverse_unit = 1.0 / unit;
    let mut best = (0.0, f32::INFINITY);
    for pass in 0..range.passes {
        let k: Lanes = std::array::from_fn(|l| range.from + range.step * (8 * pass + l) as f32);
        let s = sums(x, weights, &k.map(|k| k * inverse_unit), None, rule);
        let errors: Lanes = std::array::from_fn(|l| (s.uu[l] - s.qu[l] * s.qu[l] / s.qq[l]) / (k[l] * k[l]));
        let (l, error) = least_of(&errors);
        if error < best.1 {
            best = (unit / k[l] * (1.0 + s.qu[l] / s.qq[l]), error);
        }
    }
    best
}

/// Errors with these scales as they are. A scale of 0 has none.
pub fn errors_of(x: &[f32], weights: &[f32], rule: &Rule, scales: &Lanes, lows: Option<&Lanes>) -> Lanes {
    let s = sums(x, weights, &scales.map(|s| 1.0 / s), lows, rule);
    std::array::from_fn(|l| s.uu[l] * (scales[l] * scales[l]))
}

/// The half-precision number some steps away from a number; stays finite and keeps its sign.
pub fn half_near(x: f32, steps: i32) -> f16 {
    let bits = f16::from_f32(x).to_bits();
    let magnitude = (i32::from(bits & 0x7FFF) + steps).clamp(0, 0x7BFF) as u16;
    f16::from_bits(bits & 0x8000 | magnitude)
}

/// Codes of evenly spaced levels, from 0.
pub fn even_codes(x: &[f32], (low, high): (f32, f32), scale: f32, offset: f32, codes: &mut [u8]) {
    let (rule, inverse) = (Rule::Even { low, high }, 1.0 / scale);
    for (code, x) in codes.iter_mut().zip(x) {
        *code = (rule.level((x - offset) * inverse) - low) as i32 as u8;
    }
}

fn put(half: f16, out: &mut [u8]) {
    out[..2].copy_from_slice(&half.to_le_bytes());
}

/// Nibbles of weights half the length apart in a byte.
pub fn put_nibbles(codes: &[u8], out: &mut [u8]) {
    let (low, high) = codes.split_at(codes.len() / 2);
    for ((low, high), out) in low.iter().zip(high).zip(out) {
        *out = low & 15 | high << 4;
    }
}

/// High bits and nibbles of codes of five bits.
pub fn put_fives(codes: &[u8; 32], out: &mut [u8]) {
    let high = codes.iter().enumerate().fold(0_u32, |high, (j, code)| high | u32::from(code >> 4) << j);
    out[..4].copy_from_slice(&high.to_le_bytes());
    put_nibbles(codes, &mut out[4..]);
}

/// Shares of the range that are cut off at its two ends in the first tries, for numbers from 0 to 3, 15 and 31. Chosen on Gaussian weights,
/// one after the other, each the one that helped most.
const STARTS: [[(f32, f32); 8]; 3] = [
    [(0.08, 0.08), (0.14, 0.0), (0.0, 0.14), (0.16, 0.23), (-0.11, -0.13), (0.23, -0.15), (-0.15, 0.23), (0.2, 0.14)],
    [
        (0.01, 0.01),
        (-0.01, 0.03),
        (0.03, -0.01),
        (-0.07, 0.01),
        (0.02, 0.0),
        (0.0, 0.02),
        (-0.06, -0.01),
        (-0.07, -0.08),
    ],
    [
        (0.0, 0.0),
        (-0.03, 0.005),
        (-0.03, -0.03),
        (-0.005, 0.01),
        (0.01, -0.005),
        (-0.035, -0.065),
        (-0.03, -0.01),
        (-0.075, -0.07),
    ],
];

/// Eight scales and lows for weights from `min` on over `range`, as numbers from 0 to `most`.
pub fn starts(min: f32, range: f32, most: f32) -> (Lanes, Lanes) {
    let starts = STARTS[if most < 4.0 {
        0
    } else if most < 16.0 {
        1
    } else {
        2
    }];
    let scales = starts.map(|(low, high)| (1.0 - low - high) * range / most);
    (scales, starts.map(|(low, _)| min + low * range))
}

/// Scales and minima refitted to the levels that they lead to.
///
/// `t = (x − low)/scale`; the best line through the levels is `u = α + β·q`.
pub fn refit(x: &[f32], weights: &[f32], rule: &Rule, total: f32, scales: &mut Lanes, lows: &mut Lanes) -> Lanes {
    let s = sums(x, weights, &scales.map(|s| 1.0 / s), Some(lows), rule);
    let mut errors = [0.0; 8];
    for l in 0..8 {
        let determinant = total * s.qq[l] - s.q[l] * s.q[l];
        let beta = (total * s.qu[l] - s.q[l] * s.u[l]) / determinant;
        let alpha = (s.qq[l] * s.u[l] - s.q[l] * s.qu[l]) / determinant;
        errors[l] = (s.uu[l] - alpha * s.u[l] - beta * s.qu[l]) * (scales[l] * scales[l]);
        lows[l] += scales[l] * alpha;
        scales[l] *= 1.0 + beta;
    }
    errors
}

/// The least and the greatest.
pub fn ends(x: &[f32]) -> (f32, f32) {
    let min = x.iter().fold(x[0], |m, &x| if x < m { x } else { m });
    let max = x.iter().fold(x[0], |m, &x| if x > m { x } else { m });
    (min, max)
}

/// The levels of `iq4_nl`.
pub fn iq4_rule() -> Rule {
    Rule::table(iq::LEVELS.map(f32::from))
}

/// Codes of a table's levels.
pub fn table_codes(x: &[f32], rule: &Rule, inverse: f32, codes: &mut [u8]) {
    let Rule::Table { cuts, .. } = rule else { return };
    for (code, x) in codes.iter_mut().zip(x) {
        let t = x * inverse;
        *code = cuts.iter().map(|cut| u8::from(t > *cut)).sum();
    }
}

/// Scales of both signs, for levels that reach further on one side.
pub fn fit_both(x: &[f32], weights: &[f32], rule: &Rule, unit: f32, range: Range) -> (f32, f32) {
    let (a, b) = (fit(x, weights, rule, unit, range), fit(x, weights, rule, -unit, range));
    if b.1 < a.1 { b } else { a }
}

fn search_iq4(x: &[f32], weights: &[f32], out: &mut [u8]) -> bool {
    let unit = amax(x) / 127.0;
    if !(1.0 / unit).is_finite() {
        return false;
    }
    let rule = iq4_rule();
    let (scale, error) = fit_both(x, weights, &rule, unit, Range::new(0.8, 1.35, 2));
    let half = half_near(scale, 0);
    let mut codes = [0; 32];
    table_codes(x, &rule, 1.0 / half.to_f32(), &mut codes);
    put(half, out);
    put_nibbles(&codes, &mut out[2..]);
    error.is_finite()
}

/// Codes of E2M1 levels times two.
fn fp4_codes(x: &[f32], inverse: f32, codes: &mut [u8]) {
    const CODES: [u8; 13] = [0, 1, 2, 3, 4, 4, 5, 6, 6, 6, 7, 7, 7];
    for (code, x) in codes.iter_mut().zip(x) {
        let q = FP4_TIMES_TWO.level(x * inverse);
        let magnitude = CODES[(q.abs() as usize).min(12)];
        // There is no −0.
        *code = if q < 0.0 { magnitude | 8 } else { magnitude };
    }
}

/// [`errors_of`] in units of a scale's square.
#[must_use]
pub fn errors_in(x: &[f32], weights: &[f32], rule: &Rule, scales: &Lanes, unit: f32) -> Lanes {
    let s = sums(x, weights, &scales.map(|s| 1.0 / s), None, rule);
    std::array::from_fn(|l| {
        let scale = scales[l] / unit;
        s.uu[l] * (scale * scale)
    })
}

fn search_nv(x: &[f32], weights: &[f32], out: &mut [u8]) -> bool {
    let parts = x.chunks(16).zip(weights.chunks(16));
    let (scales, nibbles) = out.split_at_mut(4);
    for (((x, weights), scale), nibbles) in parts.zip(scales).zip(nibbles.chunks_mut(8)) {
        let first = mx::to_ue4m3(amax(x) / 6.0);
        let mut best = (first, f32::INFINITY);
        for pass in 0..2 {
            let tried: [u8; 8] =
                std::array::from_fn(|l| (i32::from(first) + 8 * pass + l as i32 - 7).clamp(0, 0x7E) as u8);
            let (l, error) = least_of(&errors_of(x, weights, &FP4_TIMES_TWO, &tried.map(mx::half_ue4m3), None));
            if error < best.1 {
                best = (tried[l], error);
            }
        }
        *scale = best.0;
        let mut codes = [0; 16];
        if best.0 > 0 {
            fp4_codes(x, 1.0 / mx::half_ue4m3(best.0), &mut codes);
        }
        put_nibbles(&codes, nibbles);
    }
    true
}

macro_rules! searched {
    ($($(#[$doc:meta])* $name:ident: $weights:literal, $bytes:literal, $reference:path, $decode:path, $search:path;)*) => {$(
        $(#[$doc])*
        pub fn $name(x: &[f32], weighting: $crate::kernels::best::Weighting, out: &mut [u8]) {
            let format = $crate::kernels::best::Searched {
                weights: $weights,
                bytes: $bytes,
                reference: $reference,
                decode: $decode,
                search: $search,
            };
            $crate::kernels::best::no_worse(&format, x, weighting, out);
        }
    )*};
}
pub(super) use searched;

searched! {
    /// 16 scales of each sign.
    iq4_nl: 32, 18, ggml_more::iq4_nl, ggml_more::from_iq4_nl, search_iq4;
    /// Sixteen scales.
    nvfp4: 64, 36, ggml_more::nvfp4, ggml_more::from_nvfp4, search_nv;
}
