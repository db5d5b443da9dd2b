//! Eight scales for the same weights at once, each in a lane of two vectors.

use core::arch::wasm32::{
    f32x4_add, f32x4_gt, f32x4_mul, f32x4_pmax, f32x4_pmin, f32x4_splat, f32x4_sub, i32x4_splat, v128, v128_and,
    v128_bitselect,
};

use super::numbers::Four;
use super::{load4, store4};
use crate::kernels::best::{Lanes, Rule, Sums, Weighting, abreast};

/// See [`crate::kernels::scalar::best::level`]: the operands stand in the order of its comparisons.
#[inline(always)]
fn clamp(t: v128, low: v128, high: v128) -> v128 {
    f32x4_pmin(high, f32x4_pmax(low, t))
}

#[inline(always)]
fn both(x: &Lanes) -> [v128; 2] {
    [load4(x), load4(&x[4..])]
}

/// Sums with the lows of the tries or without.
#[inline(always)]
fn one_rule<const LOW: bool>(
    x: &[f32],
    weights: &[f32],
    inverse: &Lanes,
    low: &Lanes,
    level: impl Fn(v128) -> v128,
) -> Sums {
    let (inverse, low) = (both(inverse), both(low));
    let mut all = [[f32x4_splat(0.0); 2]; 5];
    for (&x, &w) in x.iter().zip(weights) {
        let (x, w) = (f32x4_splat(x), f32x4_splat(w));
        for h in 0..2 {
            let t = f32x4_mul(if LOW { f32x4_sub(x, low[h]) } else { x }, inverse[h]);
            let q = level(t);
            let u = f32x4_sub(t, q);
            let (wu, wq) = (f32x4_mul(w, u), f32x4_mul(w, q));
            all[0][h] = f32x4_add(all[0][h], f32x4_mul(wu, u));
            all[1][h] = f32x4_add(all[1][h], f32x4_mul(wq, u));
            all[2][h] = f32x4_add(all[2][h], f32x4_mul(wq, q));
            if LOW {
                all[3][h] = f32x4_add(all[3][h], wu);
                all[4][h] = f32x4_add(all[4][h], wq);
            }
        }
    }
    let mut sums = Sums::default();
    let parts = [&mut sums.uu, &mut sums.qu, &mut sums.qq, &mut sums.u, &mut sums.q];
    for (part, [a, b]) in parts.into_iter().zip(all) {
        store4(a, part);
        store4(b, &mut part[4..]);
    }
    sums
}

pub fn sums(x: &[f32], weights: &[f32], inverse: &Lanes, low: Option<&Lanes>, rule: &Rule) -> Sums {
    let none = [0.0; 8];
    match rule {
        Rule::Even { low: least, high } => {
            let (least, high, magic) = (f32x4_splat(*least), f32x4_splat(*high), f32x4_splat(12_582_912.0));
            let level = |t| f32x4_sub(f32x4_add(clamp(t, least, high), magic), magic);
            match low {
                Some(low) => one_rule::<true>(x, weights, inverse, low, level),
                None => one_rule::<false>(x, weights, inverse, &none, level),
            }
        }
        Rule::Float { fraction, least, most } => {
            let (low, high) = (f32x4_splat(-most), f32x4_splat(*most));
            let (fraction, least, exponent) = (f32x4_splat(*fraction), f32x4_splat(*least), i32x4_splat(0x7F80_0000));
            one_rule::<false>(x, weights, inverse, &none, |t| {
                let t = clamp(t, low, high);
                let magic = f32x4_mul(f32x4_pmax(least, v128_and(t, exponent)), fraction);
                f32x4_sub(f32x4_add(t, magic), magic)
            })
        }
        Rule::Table { levels, cuts } => one_rule::<false>(x, weights, inverse, &none, |t| {
            let mut q = f32x4_splat(levels[0]);
            for (cut, level) in cuts.iter().zip(&levels[1..]) {
                q = v128_bitselect(f32x4_splat(*level), q, f32x4_gt(t, f32x4_splat(*cut)));
            }
            q
        }),
    }
}

/// The searches of [`abreast`], four blocks at a time.
macro_rules! abreast {
    ($($name:ident: $write:ident;)*) => {$(
        /// See [`crate::kernels::best::$name`].
        pub fn $name(x: &[f32], weighting: Weighting, out: &mut [u8]) {
            abreast::$write::<Four>(x, weighting, out);
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
