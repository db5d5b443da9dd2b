//! Eight scales for the same weights at once, each in a lane: what every search asks for. Sums run in the order of the weights, in f32.

use crate::kernels::best::{Lanes, Rule, Sums, Weighting, abreast};

/// Rounds to the nearest whole number, half to even; for |t| below 2²².
#[inline(always)]
pub fn whole(t: f32) -> f32 {
    (t + 12_582_912.0) - 12_582_912.0
}

#[inline(always)]
fn least(a: f32, b: f32) -> f32 {
    if a < b { a } else { b }
}

#[inline(always)]
fn greatest(a: f32, b: f32) -> f32 {
    if a > b { a } else { b }
}

/// The level nearest to `t`.
#[inline(always)]
pub fn level(rule: &Rule, t: f32) -> f32 {
    match rule {
        Rule::Even { low, high } => whole(least(greatest(t, *low), *high)),
        Rule::Float { fraction, least: smallest, most } => {
            let t = least(greatest(t, -most), *most);
            // The power of two at or below the magnitude says how coarse the levels are there.
            let power = greatest(f32::from_bits(t.to_bits() & 0x7F80_0000), *smallest);
            let magic = power * fraction;
            (t + magic) - magic
        }
        Rule::Table { levels, cuts } => {
            let mut q = levels[0];
            for (i, cut) in cuts.iter().enumerate() {
                q = if t > *cut { levels[i + 1] } else { q };
            }
            q
        }
    }
}

#[inline(always)]
fn one_rule<const LOW: bool>(
    x: &[f32],
    weights: &[f32],
    inverse: &Lanes,
    low: &Lanes,
    level: impl Fn(f32) -> f32,
) -> Sums {
    let mut sums = Sums::default();
    for (&x, &w) in x.iter().zip(weights) {
        for l in 0..8 {
            let t = if LOW { (x - low[l]) * inverse[l] } else { x * inverse[l] };
            let q = level(t);
            let u = t - q;
            let (wu, wq) = (w * u, w * q);
            sums.uu[l] += wu * u;
            sums.qu[l] += wq * u;
            sums.qq[l] += wq * q;
            if LOW {
                sums.u[l] += wu;
                sums.q[l] += wq;
            }
        }
    }
    sums
}

/// See [`crate::kernels::best::sums`].
#[inline(never)]
pub fn sums(x: &[f32], weights: &[f32], inverse: &Lanes, low: Option<&Lanes>, rule: &Rule) -> Sums {
    let none = [0.0; 8];
    match (rule, low) {
        (Rule::Even { low: a, high: b }, Some(low)) => {
            let rule = Rule::Even { low: *a, high: *b };
            one_rule::<true>(x, weights, inverse, low, |t| level(&rule, t))
        }
        (Rule::Even { low: a, high: b }, None) => {
            let rule = Rule::Even { low: *a, high: *b };
            one_rule::<false>(x, weights, inverse, &none, |t| level(&rule, t))
        }
        (Rule::Float { .. }, _) => one_rule::<false>(x, weights, inverse, &none, |t| level(rule, t)),
        (Rule::Table { .. }, _) => one_rule::<false>(x, weights, inverse, &none, |t| level(rule, t)),
    }
}

/// The searches of [`abreast`], a block at a time.
macro_rules! abreast {
    ($($name:ident: $write:ident;)*) => {$(
        /// See [`crate::kernels::best::$name`].
        pub fn $name(x: &[f32], weighting: Weighting, out: &mut [u8]) {
            abreast::$write::<f32>(x, weighting, out);
        }
    )*};
}

abreast! {
    q8_0: write_q8_0;
    q4_0: write_q4_0;
    q5_0: write_q5_0;
    q4_1: write_q4_1;
    q5_1: write_q5_1;
    tq1_0: write_tq1_0;
    tq2_0: write_tq2_0;
    mxfp4: write_mxfp4;
}
