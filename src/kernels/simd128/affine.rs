//! Affine quantization, sixteen weights at a time.
//!
//! The limits are whole numbers, so clamping before rounding gives what clamping after it gives; and a clamped quotient is small
//! enough that adding 1.5·2²³ rounds it half to even and leaves the whole number in the low bits.

use core::arch::wasm32::{
    f32x4_add, f32x4_convert_u32x4, f32x4_div, f32x4_eq, f32x4_floor, f32x4_lt, f32x4_mul, f32x4_pmax, f32x4_pmin,
    f32x4_splat, f32x4_sub, f32x4_trunc, i8x16_add, i8x16_splat, i16x8_narrow_i32x4, i32x4_add, i32x4_mul, i32x4_splat,
    u8x16_narrow_i16x8, u32x4, u32x4_shr, v128, v128_and, v128_bitselect, v128_xor,
};

use super::super::affine::{ERROR_BLOCK, EvenRuns, Grid, Rounding};
use super::super::scalar::affine as scalar;
use super::{load4, store4, store16};

const MAGIC: f32 = 12_582_912.0;

/// A quotient as steps from zero plus [`MAGIC`], for one way of rounding.
trait Round: Copy {
    fn round(self, t: v128, index: usize) -> v128;
}

#[derive(Clone, Copy)]
struct Even;
#[derive(Clone, Copy)]
struct Away;
#[derive(Clone, Copy)]
struct Stochastic(u32);

impl Round for Even {
    #[inline(always)]
    fn round(self, t: v128, _index: usize) -> v128 {
        f32x4_add(t, f32x4_splat(MAGIC))
    }
}

impl Round for Away {
    #[inline(always)]
    fn round(self, t: v128, _index: usize) -> v128 {
        let half = v128_bitselect(t, f32x4_splat(0.499_999_97), i32x4_splat(i32::MIN));
        f32x4_add(f32x4_trunc(f32x4_add(t, half)), f32x4_splat(MAGIC))
    }
}

impl Round for Stochastic {
    #[inline(always)]
    fn round(self, t: v128, index: usize) -> v128 {
        let i = index as u32;
        let index = u32x4(i, i.wrapping_add(1), i.wrapping_add(2), i.wrapping_add(3));
        let seeded = i32x4_mul(i32x4_add(mix(index), i32x4_splat(self.0 as i32)), i32x4_splat(0x9E37_79B1_u32 as i32));
        let uniform = f32x4_mul(f32x4_convert_u32x4(u32x4_shr(mix(seeded), 8)), f32x4_splat(1.0 / 16_777_216.0));
        let floor = f32x4_floor(t);
        let up = v128_and(f32x4_lt(uniform, f32x4_sub(t, floor)), f32x4_splat(1.0));
        f32x4_add(f32x4_add(floor, up), f32x4_splat(MAGIC))
    }
}

#[inline(always)]
fn mix(h: v128) -> v128 {
    let h = v128_xor(h, u32x4_shr(h, 16));
    let h = i32x4_mul(h, i32x4_splat(0x7FEB_352D));
    let h = v128_xor(h, u32x4_shr(h, 15));
    let h = i32x4_mul(h, i32x4_splat(0x846C_A68B_u32 as i32));
    v128_xor(h, u32x4_shr(h, 16))
}

/// Scale and limits in every lane.
#[derive(Clone, Copy)]
struct Vectors {
    scale: v128,
    low: v128,
    high: v128,
}

impl Vectors {
    fn new(grid: Grid) -> Vectors {
        let (low, high) = grid.step_range();
        Vectors { scale: f32x4_splat(grid.scale), low: f32x4_splat(low), high: f32x4_splat(high) }
    }

    /// Four steps from zero, [`MAGIC`] added.
    #[inline(always)]
    fn magic_steps(&self, x: v128, index: usize, round: impl Round) -> v128 {
        let t = f32x4_div(x, self.scale);
        let t = v128_and(t, f32x4_eq(t, t)); // NaN to 0
        round.round(f32x4_pmin(f32x4_pmax(t, self.low), self.high), index)
    }
}

/// Sixteen codes from steps with [`MAGIC`] added. Steps reach ±255 when the zero point is at an end; their low byte is enough, since
/// step + `zero_point` lies in i8.
#[inline(always)]
fn pack16(magic_steps: [v128; 4], zero_point: v128) -> v128 {
    let [a, b, c, d] = magic_steps.map(|steps| v128_and(steps, i32x4_splat(0xFF)));
    i8x16_add(u8x16_narrow_i16x8(i16x8_narrow_i32x4(a, b), i16x8_narrow_i32x4(c, d)), zero_point)
}

pub fn encode(x: &[f32], index: usize, grid: Grid, rounding: Rounding, codes: &mut [i8]) {
    match rounding {
        Rounding::TiesEven => encode_with(x, index, grid, rounding, Even, codes),
        Rounding::TiesAway => encode_with(x, index, grid, rounding, Away, codes),
        Rounding::Stochastic { seed } => encode_with(x, index, grid, rounding, Stochastic(seed), codes),
    }
}

#[inline(always)]
fn encode_with(x: &[f32], index: usize, grid: Grid, rounding: Rounding, round: impl Round, codes: &mut [i8]) {
    let v = Vectors::new(grid);
    let zero_point = i8x16_splat(grid.zero_point);
    let whole = x.len() / 16 * 16;
    let (x16, x_rest) = x.split_at(whole);
    let (codes16, codes_rest) = codes.split_at_mut(whole);
    for (block, (x, codes)) in x16.chunks_exact(16).zip(codes16.chunks_exact_mut(16)).enumerate() {
        let i = index + block * 16;
        let steps = [0, 4, 8, 12].map(|k| v.magic_steps(load4(&x[k..]), i + k, round));
        store16(pack16(steps, zero_point), codes);
    }
    scalar::encode(x_rest, index + whole, grid, rounding, codes_rest);
}

pub fn reconstruct_coded(x: &[f32], index: usize, grid: Grid, rounding: Rounding, codes: &mut [i8], out: &mut [f32]) {
    // The other ways of rounding are rarely dragged: twice the work is less than twice the code.
    if rounding != Rounding::TiesEven {
        encode(x, index, grid, rounding, codes);
        return reconstruct(x, index, grid, rounding, out);
    }
    let v = Vectors::new(grid);
    let (zero_point, magic) = (i8x16_splat(grid.zero_point), f32x4_splat(MAGIC));
    let whole = x.len() / 16 * 16;
    let (x16, x_rest) = x.split_at(whole);
    let (codes16, codes_rest) = codes.split_at_mut(whole);
    let (out16, out_rest) = out.split_at_mut(whole);
    let blocks = x16.chunks_exact(16).zip(codes16.chunks_exact_mut(16)).zip(out16.chunks_exact_mut(16));
    for ((x, codes), out) in blocks {
        let steps = [0, 4, 8, 12].map(|k| v.magic_steps(load4(&x[k..]), 0, Even));
        for (k, steps) in steps.into_iter().enumerate() {
            store4(f32x4_mul(f32x4_sub(steps, magic), v.scale), &mut out[4 * k..]);
        }
        store16(pack16(steps, zero_point), codes);
    }
    scalar::reconstruct_coded(x_rest, index + whole, grid, rounding, codes_rest, out_rest);
}

pub fn steps(x: &[f32], index: usize, grid: Grid, rounding: Rounding, out: &mut [f32]) {
    match rounding {
        Rounding::TiesEven => map4(x, index, grid, Even, None, out),
        Rounding::TiesAway => map4(x, index, grid, Away, None, out),
        Rounding::Stochastic { seed } => map4(x, index, grid, Stochastic(seed), None, out),
    }
    let whole = x.len() / 4 * 4;
    scalar::steps(&x[whole..], index + whole, grid, rounding, &mut out[whole..]);
}

pub fn reconstruct(x: &[f32], index: usize, grid: Grid, rounding: Rounding, out: &mut [f32]) {
    let scale = Some(f32x4_splat(grid.scale));
    match rounding {
        Rounding::TiesEven => map4(x, index, grid, Even, scale, out),
        Rounding::TiesAway => map4(x, index, grid, Away, scale, out),
        Rounding::Stochastic { seed } => map4(x, index, grid, Stochastic(seed), scale, out),
    }
    let whole = x.len() / 4 * 4;
    scalar::reconstruct(&x[whole..], index + whole, grid, rounding, &mut out[whole..]);
}

pub fn reconstruct_runs(x: &[f32], index: usize, runs: &EvenRuns<'_>, rounding: Rounding, out: &mut [f32]) {
    if rounding == Rounding::TiesEven && runs.run_len.is_multiple_of(4) {
        runs.each(x, index, out, |x, i, grid, out| map4(x, i, grid, Even, Some(f32x4_splat(grid.scale)), out));
    } else {
        runs.each(x, index, out, |x, i, grid, out| reconstruct(x, i, grid, rounding, out));
    }
}

/// Steps from zero, times `factor` where there is one, of the whole groups of four.
#[inline(always)]
fn map4(x: &[f32], index: usize, grid: Grid, round: impl Round, factor: Option<v128>, out: &mut [f32]) {
    let v = Vectors::new(grid);
    let magic = f32x4_splat(MAGIC);
    for (block, (x, out)) in x.chunks_exact(4).zip(out.chunks_exact_mut(4)).enumerate() {
        let steps = f32x4_sub(v.magic_steps(load4(x), index + block * 4, round), magic);
        store4(factor.map_or(steps, |f| f32x4_mul(steps, f)), out);
    }
}

pub fn keep_non_zero(x: &[f32], grid: Grid, steps: &mut [f32]) {
    let (positive, negative) = scalar::off_zero(grid);
    let (positive4, negative4, zero) = (f32x4_splat(positive), f32x4_splat(negative), f32x4_splat(0.0));
    let whole = x.len() / 4 * 4;
    for (x, steps) in x.chunks_exact(4).zip(steps.chunks_exact_mut(4)) {
        let (x, step) = (load4(x), load4(steps));
        let fell = f32x4_eq(step, zero);
        let step = v128_bitselect(positive4, step, v128_and(fell, f32x4_lt(zero, x)));
        store4(v128_bitselect(negative4, step, v128_and(fell, f32x4_lt(x, zero))), steps);
    }
    scalar::keep_non_zero(&x[whole..], grid, &mut steps[whole..]);
}

pub fn grid_error(x: &[f32], grid: Grid) -> f64 {
    let v = Vectors::new(grid);
    let (low, high) = grid.step_range();
    let inverse = 1.0 / grid.scale;
    let (inverse4, magic) = (f32x4_splat(inverse), f32x4_splat(MAGIC));
    let mut total = 0.0;
    for block in x.chunks(ERROR_BLOCK) {
        let mut sum = f32x4_splat(0.0);
        let fours = block.chunks_exact(4);
        let rest = fours.remainder();
        for x in fours {
            let x = load4(x);
            let t = f32x4_pmin(f32x4_pmax(f32x4_mul(x, inverse4), v.low), v.high);
            let steps = f32x4_sub(f32x4_add(t, magic), magic);
            let e = f32x4_sub(x, f32x4_mul(steps, v.scale));
            sum = f32x4_add(sum, f32x4_mul(e, e));
        }
        let mut lanes = [0.0_f32; 4];
        store4(sum, &mut lanes);
        for (lane, &x) in lanes.iter_mut().zip(rest) {
            let t = x * inverse;
            let t = if t < low { low } else { t };
            let t = if high < t { high } else { t };
            let e = x - t.round_ties_even() * grid.scale;
            *lane += e * e;
        }
        total += f64::from(lanes[0] + lanes[2]) + f64::from(lanes[1] + lanes[3]);
    }
    total
}
