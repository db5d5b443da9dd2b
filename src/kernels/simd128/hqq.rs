//! Half-quadratic quantization, eight weights at a time.

use core::arch::wasm32::{
    f32x4_abs, f32x4_add, f32x4_convert_i32x4, f32x4_floor, f32x4_mul, f32x4_nearest, f32x4_pmax, f32x4_pmin,
    f32x4_splat, f32x4_sub, i32x4_add, i32x4_shl, i32x4_splat, i32x4_sub, i32x4_trunc_sat_f32x4, u32x4_shr, v128,
    v128_and, v128_bitselect, v128_or,
};

use super::super::hqq::Grid;
use super::super::scalar::hqq::{self as scalar, BLOCK, EXP2, LOG2, WIDE};
use super::{load4, store4};

/// A grid in every lane.
struct Vectors {
    factor: v128,
    scale: v128,
    zero: v128,
    high: v128,
    weight: v128,
}

#[inline(always)]
fn polynomial(x: v128, coefficients: &[f32]) -> v128 {
    let mut sum = f32x4_splat(coefficients[0]);
    for &c in &coefficients[1..] {
        sum = f32x4_add(f32x4_mul(sum, x), f32x4_splat(c));
    }
    sum
}

/// See [`scalar::power`].
#[inline(always)]
fn power(x: v128) -> v128 {
    let bits = f32x4_pmax(f32x4_splat(1e-35), x);
    let exponent = i32x4_sub(u32x4_shr(bits, 23), i32x4_splat(127));
    let fraction = v128_or(v128_and(bits, i32x4_splat(0x007F_FFFF)), i32x4_splat(0x3F80_0000));
    let t = f32x4_sub(fraction, f32x4_splat(1.0));
    let log = f32x4_mul(polynomial(t, &LOG2), t);
    let y = f32x4_mul(f32x4_splat(-0.3), f32x4_add(f32x4_convert_i32x4(exponent), log));
    let whole = f32x4_floor(y);
    let part = polynomial(f32x4_sub(y, whole), &EXP2);
    let two_to_whole = i32x4_shl(i32x4_add(i32x4_trunc_sat_f32x4(whole), i32x4_splat(127)), 23);
    f32x4_mul(part, two_to_whole)
}

impl Vectors {
    /// See [`scalar::one`].
    #[inline(always)]
    fn four(&self, x: v128) -> (v128, v128) {
        let none = f32x4_splat(0.0);
        let rounded = f32x4_nearest(f32x4_add(f32x4_mul(x, self.factor), self.zero));
        let code = f32x4_pmin(f32x4_pmax(none, rounded), self.high);
        let e = f32x4_sub(x, f32x4_mul(f32x4_sub(code, self.zero), self.scale));
        let magnitude = f32x4_abs(e);
        let power = power(magnitude);
        let shrunk = f32x4_pmax(none, f32x4_sub(magnitude, f32x4_mul(power, self.weight)));
        let stays = v128_bitselect(e, shrunk, i32x4_splat(i32::MIN));
        let zero = f32x4_sub(code, f32x4_mul(f32x4_sub(x, stays), self.factor));
        (f32x4_mul(magnitude, power), zero)
    }
}

#[must_use]
pub fn step(x: &[f32], grid: Grid, weight: f32) -> (f64, f64) {
    let v = Vectors {
        factor: f32x4_splat(grid.factor),
        scale: f32x4_splat(grid.scale),
        zero: f32x4_splat(grid.zero),
        high: f32x4_splat(grid.high),
        weight: f32x4_splat(weight),
    };
    let (mut norm, mut zero) = (0.0, 0.0);
    for block in x.chunks(BLOCK) {
        let (mut norms4, mut zeros4) = ([f32x4_splat(0.0); 2], [f32x4_splat(0.0); 2]);
        let (whole, rest) = block.as_chunks::<WIDE>();
        for x in whole {
            for half in 0..2 {
                let (n, z) = v.four(load4(&x[4 * half..]));
                norms4[half] = f32x4_add(norms4[half], n);
                zeros4[half] = f32x4_add(zeros4[half], z);
            }
        }
        let (mut norms, mut zeros) = ([0.0; WIDE], [0.0; WIDE]);
        for half in 0..2 {
            store4(norms4[half], &mut norms[4 * half..]);
            store4(zeros4[half], &mut zeros[4 * half..]);
        }
        for (lane, &x) in rest.iter().enumerate() {
            let (n, z) = scalar::one(x, grid, weight);
            norms[lane] += n;
            zeros[lane] += z;
        }
        norm += norms.iter().map(|&n| f64::from(n)).sum::<f64>();
        zero += zeros.iter().map(|&z| f64::from(z)).sum::<f64>();
    }
    (norm, zero)
}
