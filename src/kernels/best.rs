//! A search for less squared error in the bytes of a format, for `effort: "best"`: ggml's formats, and what other families build upon.
//!
//! Many scales are tried. A try rounds every weight to its nearest level, then takes the scale (and minimum) that fits these levels best, in
//! least squares. With `t = x / scale`, levels `q` and rests `u = t − q` the error left is `Σu² − (Σqu)²/Σq²`, in units of the scale: it
//! does not suffer from cancellation, and it is the error after the refit. The range of scales reaches far above the greatest magnitude,
//! where the best one often lies. Scales that are stored coarsely (half precision, 6 bits, …) are tried with their neighbours, at their
//! true values.
//!
//! What is found is decoded, and kept where its true error is less than that of the reference's bytes ([`no_worse`]). So no block is worse
//! than the reference's, whatever the weights.
//!
//! With [`Weighting::Squares`] errors count `x²` as much, in the search and in that comparison.

pub(in crate::kernels) mod abreast;
mod bucketed;
mod flat;
mod nested;
mod numbers;

pub use abreast::{mxfp4, q4_0, q4_1, q5_0, q5_1, q8_0, tq1_0, tq2_0};
pub use bucketed::Ladder;
pub use flat::*;
pub use nested::*;
pub use numbers::Numbers;

use super::dispatch;

/// One number for each of eight tries.
pub type Lanes = [f32; 8];

/// How much the error of a weight counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Weighting {
    /// All the same.
    #[default]
    None,
    /// As much as the weight's square.
    Squares,
}

/// The levels that weights are rounded to.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Rule {
    /// All whole numbers from `low` to `high`.
    Even {
        /// The lowest.
        low: f32,
        /// The highest.
        high: f32,
    },
    /// Floats of few bits.
    Float {
        /// `1.5 · 2^(23 − f)`, `f` the bits of the fraction.
        fraction: f32,
        /// The least normal number.
        least: f32,
        /// The greatest.
        most: f32,
    },
    /// Sixteen numbers, ascending.
    Table {
        /// These.
        levels: [f32; 16],
        /// The middles between them; what lies above belongs to the next.
        cuts: [f32; 15],
    },
}

/// `E2M1` times two, as ggml counts.
pub const FP4_TIMES_TWO: Rule = Rule::Float { fraction: 6_291_456.0, least: 2.0, most: 12.0 };

impl Rule {
    /// A table with its cuts in the middles.
    #[must_use]
    pub fn table(levels: [f32; 16]) -> Rule {
        Rule::Table { levels, cuts: std::array::from_fn(|i| 0.5 * (levels[i] + levels[i + 1])) }
    }

    /// The level nearest to `t`; ties are decided somehow.
    #[must_use]
    pub fn level(&self, t: f32) -> f32 {
        super::scalar::best::level(self, t)
    }
}

/// Weighted sums over some weights for each of eight tries: `t = (x − low)·inverse`, `q` its level, `u = t − q`.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Sums {
    /// `Σu²`
    pub uu: Lanes,
    /// `Σqu`
    pub qu: Lanes,
    /// `Σq²`
    pub qq: Lanes,
    /// `Σu`, where there is a `low`
    pub u: Lanes,
    /// `Σq`, where there is a `low`
    pub q: Lanes,
}

/// The sums of eight tries. Only evenly spaced levels have a `low`.
///
/// # Panics
/// If there are not as many `weights` as `x`.
#[must_use]
pub fn sums(x: &[f32], weights: &[f32], inverse: &Lanes, low: Option<&Lanes>, rule: &Rule) -> Sums {
    assert_eq!(x.len(), weights.len(), "one weight for each");
    dispatch!(best::sums(x, weights, inverse, low, rule))
}

/// What an error of each weight counts; relative to the greatest.
pub fn fill_weights(x: &[f32], weighting: Weighting, weights: &mut [f32]) {
    match weighting {
        Weighting::None => weights.fill(1.0),
        Weighting::Squares => {
            let unit = amax(x);
            for (w, x) in weights.iter_mut().zip(x) {
                let share = x / unit;
                *w = share * share;
            }
        }
    }
}

/// The greatest magnitude.
fn amax(x: &[f32]) -> f32 {
    x.iter().fold(0.0, |m, x| if x.abs() > m { x.abs() } else { m })
}

/// The first weight of the greatest magnitude.
fn extreme(x: &[f32]) -> f32 {
    x.iter().fold(0.0_f32, |m, &x| if x.abs() > m.abs() { x } else { m })
}

/// `Σ w·(x − y)²` in f64, four sums.
#[must_use]
pub fn error(x: &[f32], weights: &[f32], y: &[f32]) -> f64 {
    let mut sums = [0.0_f64; 4];
    for ((x, w), y) in x.chunks(4).zip(weights.chunks(4)).zip(y.chunks(4)) {
        for (((sum, x), w), y) in sums.iter_mut().zip(x).zip(w).zip(y) {
            let e = f64::from(*x) - f64::from(*y);
            *sum += f64::from(*w) * e * e;
        }
    }
    (sums[0] + sums[1]) + (sums[2] + sums[3])
}

/// A format that can be searched.
pub struct Searched {
    /// Weights of a block, at most 256.
    pub weights: usize,
    /// Bytes of a block, at most 210.
    pub bytes: usize,
    /// Writes blocks as the reference.
    pub reference: fn(&[f32], &mut [u8]),
    /// Reads blocks.
    pub decode: fn(&[u8], &mut [f32]),
    /// Writes a block of few errors, from weights and what each counts; `false` where it has nothing to say.
    pub search: fn(&[f32], &[f32], &mut [u8]) -> bool,
}

/// The reference's blocks, or what the search finds where that has a lesser true error.
pub fn no_worse(format: &Searched, x: &[f32], weighting: Weighting, out: &mut [u8]) {
    (format.reference)(x, out);
    let (mut counts, mut back, mut found) = ([1.0; 256], [0.0; 256], [0; 210]);
    let (counts, back) = (&mut counts[..format.weights], &mut back[..format.weights]);
    let found = &mut found[..format.bytes];
    for (x, out) in x.chunks_exact(format.weights).zip(out.chunks_exact_mut(format.bytes)) {
        fill_weights(x, weighting, counts);
        if !(format.search)(x, counts, found) {
            continue;
        }
        (format.decode)(out, back);
        let theirs = error(x, counts, back);
        (format.decode)(found, back);
        let ours = error(x, counts, back);
        if ours < theirs || (ours.is_finite() && !theirs.is_finite()) {
            out.copy_from_slice(found);
        }
    }
}
