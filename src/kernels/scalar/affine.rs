//! Affine quantization, element by element.

use crate::kernels::affine::{ERROR_BLOCK, EvenRuns, Grid, Rounding};

/// Ties away from zero by truncation: the largest f32 below one half, so that 0.49999997 does not become 1.
const JUST_BELOW_HALF: f32 = 0.499_999_97;

/// A number in `[0, 1)` with 24 bits from a seed and an element's index: the finalizer of the "lowbias32" search (Wellons 2018),
/// run twice so that neighbouring indices and seeds share nothing visible.
#[must_use]
pub fn uniform(seed: u32, index: u32) -> f32 {
    let hash = mix(mix(index).wrapping_add(seed).wrapping_mul(0x9E37_79B1));
    (hash >> 8) as f32 * (1.0 / 16_777_216.0)
}

fn mix(mut h: u32) -> u32 {
    h ^= h >> 16;
    h = h.wrapping_mul(0x7FEB_352D);
    h ^= h >> 15;
    h = h.wrapping_mul(0x846C_A68B);
    h ^ (h >> 16)
}

/// A quotient rounded to a whole number. NaN stays NaN.
#[must_use]
#[inline]
pub fn round(t: f32, rounding: Rounding, index: usize) -> f32 {
    match rounding {
        Rounding::TiesEven => t.round_ties_even(),
        Rounding::TiesAway => (t + JUST_BELOW_HALF.copysign(t)).trunc(),
        Rounding::Stochastic { seed } => {
            let floor = t.floor();
            let up = uniform(seed, index as u32) < t - floor;
            floor + if up { 1.0 } else { 0.0 }
        }
    }
}

/// Steps from zero: `clamp(round(x / scale), q_min − zero_point, q_max − zero_point)`, NaN to 0.
///
/// Clamping before the zero point is added equals clamping after it: all terms are small whole numbers.
#[must_use]
pub fn step(x: f32, scale: f32, (low, high): (f32, f32), rounding: Rounding, index: usize) -> f32 {
    let r = round(x / scale, rounding, index);
    if r.is_nan() {
        return 0.0;
    }
    // −0 becomes +0 so that a value is never −0 because a weight was small and negative.
    r.max(low).min(high) + 0.0
}

/// See [`crate::kernels::steps`].
#[inline]
pub fn steps(x: &[f32], index: usize, grid: Grid, rounding: Rounding, out: &mut [f32]) {
    let range = grid.step_range();
    for (i, (x, out)) in x.iter().zip(out).enumerate() {
        *out = step(*x, grid.scale, range, rounding, index + i);
    }
}

/// See [`crate::kernels::encode`].
#[inline]
pub fn encode(x: &[f32], index: usize, grid: Grid, rounding: Rounding, codes: &mut [i8]) {
    let range = grid.step_range();
    let zero = f32::from(grid.zero_point);
    for (i, (x, code)) in x.iter().zip(codes).enumerate() {
        *code = (step(*x, grid.scale, range, rounding, index + i) + zero) as i8;
    }
}

/// See [`crate::kernels::reconstruct`].
#[inline]
pub fn reconstruct(x: &[f32], index: usize, grid: Grid, rounding: Rounding, out: &mut [f32]) {
    let range = grid.step_range();
    for (i, (x, out)) in x.iter().zip(out).enumerate() {
        *out = step(*x, grid.scale, range, rounding, index + i) * grid.scale;
    }
}

/// See [`crate::kernels::reconstruct_coded`].
pub fn reconstruct_coded(x: &[f32], index: usize, grid: Grid, rounding: Rounding, codes: &mut [i8], out: &mut [f32]) {
    encode(x, index, grid, rounding, codes);
    reconstruct(x, index, grid, rounding, out);
}

/// See [`crate::kernels::reconstruct_runs`].
pub fn reconstruct_runs(x: &[f32], index: usize, runs: &EvenRuns<'_>, rounding: Rounding, out: &mut [f32]) {
    runs.each(x, index, out, |x, i, grid, out| reconstruct(x, i, grid, rounding, out));
}

/// See [`crate::kernels::steps_each`].
pub fn steps_each(
    x: &[f32],
    index: usize,
    scales: &[f32],
    zero_points: &[f32],
    (q_min, q_max): (i8, i8),
    rounding: Rounding,
    out: &mut [f32],
) {
    let (q_min, q_max) = (f32::from(q_min), f32::from(q_max));
    for (i, ((x, out), (scale, zero))) in x.iter().zip(out).zip(scales.iter().zip(zero_points)).enumerate() {
        *out = step(*x, *scale, (q_min - zero, q_max - zero), rounding, index + i);
    }
}

/// Where [`keep_non_zero`] sends positive and negative weights.
#[must_use]
pub fn off_zero(grid: Grid) -> (f32, f32) {
    let (low, high) = grid.step_range();
    let up = if high >= 1.0 { 1.0 } else { -1.0 };
    let down = if low <= -1.0 { -1.0 } else { 1.0 };
    if grid.scale > 0.0 { (up, down) } else { (down, up) }
}

/// See [`crate::kernels::keep_non_zero`].
pub fn keep_non_zero(x: &[f32], grid: Grid, steps: &mut [f32]) {
    let (positive, negative) = off_zero(grid);
    for (&x, step) in x.iter().zip(steps) {
        if *step == 0.0 && x > 0.0 {
            *step = positive;
        } else if *step == 0.0 && x < 0.0 {
            *step = negative;
        }
    }
}

/// See [`crate::kernels::grid_error`]. Element `i` of a block goes to lane `i % 4`.
#[must_use]
pub fn grid_error(x: &[f32], grid: Grid) -> f64 {
    let (low, high) = grid.step_range();
    let inverse = 1.0 / grid.scale;
    let mut total = 0.0;
    for block in x.chunks(ERROR_BLOCK) {
        let mut lanes = [0.0_f32; 4];
        for (i, &x) in block.iter().enumerate() {
            let t = x * inverse;
            let t = if t < low { low } else { t };
            let t = if high < t { high } else { t };
            let e = x - t.round_ties_even() * grid.scale;
            lanes[i % 4] += e * e;
        }
        total += f64::from(lanes[0] + lanes[2]) + f64::from(lanes[1] + lanes[3]);
    }
    total
}
