//! Affine quantization of contiguous weights: entry points and the types they share.

use super::dispatch;

/// How a quotient that lies between two codes becomes one of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rounding {
    /// To the nearest, ties to even: ONNX `QuantizeLinear`, numpy `rint`.
    TiesEven,
    /// To the nearest, ties away from zero: C `round`.
    TiesAway,
    /// Up with a probability equal to the fraction, from a counter-based generator: the result depends on the seed and on the
    /// element's index only, so neither chunking nor the instruction set changes it.
    Stochastic {
        /// Chooses the sequence.
        seed: u32,
    },
}

/// The integer grid of one run of weights: `value = scale · (code − zero_point)`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Grid {
    /// Distance of neighbouring levels. Not zero; negative where the signed extreme sits on the lowest code.
    pub scale: f32,
    /// The code that means 0.
    pub zero_point: i8,
    /// Lowest code.
    pub q_min: i8,
    /// Highest code.
    pub q_max: i8,
}

impl Grid {
    /// `q_min − zero_point` and `q_max − zero_point`: the range of steps from zero, exact in f32.
    #[must_use]
    pub fn step_range(&self) -> (f32, f32) {
        let zero = f32::from(self.zero_point);
        (f32::from(self.q_min) - zero, f32::from(self.q_max) - zero)
    }
}

/// Codes of weights on one grid: `clamp(round(x / scale) + zero_point, q_min, q_max)`, true f32 division.
///
/// `index` is the position of `x[0]` in its tensor; only stochastic rounding looks at it. NaN becomes the zero point.
///
/// # Panics
/// If `x` and `codes` differ in length.
pub fn encode(x: &[f32], index: usize, grid: Grid, rounding: Rounding, codes: &mut [i8]) {
    assert_eq!(x.len(), codes.len(), "one code per weight");
    dispatch!(affine::encode(x, index, grid, rounding, codes));
}

/// Steps from zero, `code − zero_point`, as f32: what [`encode`] finds, before it is an integer.
///
/// # Panics
/// If `x` and `out` differ in length.
pub fn steps(x: &[f32], index: usize, grid: Grid, rounding: Rounding, out: &mut [f32]) {
    assert_eq!(x.len(), out.len(), "one step count per weight");
    dispatch!(affine::steps(x, index, grid, rounding, out));
}

/// The same as [`steps`] with a scale and zero point for each element.
///
/// # Panics
/// If the slices differ in length.
pub fn steps_each(
    x: &[f32],
    index: usize,
    scales: &[f32],
    zero_points: &[f32],
    limits: (i8, i8),
    rounding: Rounding,
    out: &mut [f32],
) {
    assert!(x.len() == out.len() && x.len() == scales.len() && x.len() == zero_points.len(), "one of each per weight");
    super::scalar::affine::steps_each(x, index, scales, zero_points, limits, rounding, out);
}

/// Quantize and dequantize in one go: `scale · steps`, rounded once in f32 as ONNX `DequantizeLinear` does.
///
/// # Panics
/// If `x` and `out` differ in length.
pub fn reconstruct(x: &[f32], index: usize, grid: Grid, rounding: Rounding, out: &mut [f32]) {
    assert_eq!(x.len(), out.len(), "one value per weight");
    dispatch!(affine::reconstruct(x, index, grid, rounding, out));
}

/// [`reconstruct`] and [`encode`] at once.
///
/// # Panics
/// If the slices differ in length.
pub fn reconstruct_coded(x: &[f32], index: usize, grid: Grid, rounding: Rounding, codes: &mut [i8], out: &mut [f32]) {
    assert!(x.len() == out.len() && x.len() == codes.len(), "one of each per weight");
    dispatch!(affine::reconstruct_coded(x, index, grid, rounding, codes, out));
}

/// Grids of runs of equal length that follow each other.
#[derive(Debug, Clone, Copy)]
pub struct EvenRuns<'a> {
    /// Weights of a run.
    pub run_len: usize,
    /// One for each run.
    pub scales: &'a [f32],
    /// One for each run.
    pub zero_points: &'a [i8],
    /// Lowest and highest code.
    pub limits: (i8, i8),
}

impl EvenRuns<'_> {
    /// Calls `f` with each run's weights, the index of the first of them, its grid, and its place in `out`.
    #[inline(always)]
    pub(super) fn each(&self, x: &[f32], index: usize, out: &mut [f32], f: impl Fn(&[f32], usize, Grid, &mut [f32])) {
        let (q_min, q_max) = self.limits;
        let runs = x.chunks_exact(self.run_len).zip(out.chunks_exact_mut(self.run_len));
        for (i, ((x, out), (&scale, &zero_point))) in runs.zip(self.scales.iter().zip(self.zero_points)).enumerate() {
            f(x, index + i * self.run_len, Grid { scale, zero_point, q_min, q_max }, out);
        }
    }
}

/// [`reconstruct`] for many runs at once: what each costs beside its weights counts when runs are short.
///
/// # Panics
/// If the runs do not hold as many weights as `x` and `out`.
pub fn reconstruct_runs(x: &[f32], index: usize, runs: &EvenRuns<'_>, rounding: Rounding, out: &mut [f32]) {
    assert!(runs.run_len > 0 && x.len() == out.len(), "one value per weight");
    assert_eq!(x.len(), runs.run_len * runs.scales.len(), "whole runs");
    assert_eq!(runs.scales.len(), runs.zero_points.len(), "one of each per run");
    dispatch!(affine::reconstruct_runs(x, index, runs, rounding, out));
}

/// The same as [`reconstruct`] with a scale and zero point for each element.
///
/// # Panics
/// If the slices differ in length.
pub fn reconstruct_each(
    x: &[f32],
    index: usize,
    scales: &[f32],
    zero_points: &[f32],
    limits: (i8, i8),
    rounding: Rounding,
    out: &mut [f32],
) {
    steps_each(x, index, scales, zero_points, limits, rounding, out);
    for (value, scale) in out.iter_mut().zip(scales) {
        *value *= scale;
    }
}

/// Moves the steps of weights that are not zero off zero: one step towards the weight's own sign, to the other side where the grid ends
/// there. NaN stays where it is.
///
/// # Panics
/// If `x` and `steps` differ in length.
pub fn keep_non_zero(x: &[f32], grid: Grid, steps: &mut [f32]) {
    assert_eq!(x.len(), steps.len(), "one step count per weight");
    dispatch!(affine::keep_non_zero(x, grid, steps));
}

/// `Σ (x − Q(x))²` on a grid, for choosing between grids: multiplies by `1/scale` and sums in f32 within blocks of
/// [`ERROR_BLOCK`], so it is faster and coarser than [`super::compare`].
#[must_use]
pub fn grid_error(x: &[f32], grid: Grid) -> f64 {
    dispatch!(affine::grid_error(x, grid))
}

/// Elements whose squared errors [`grid_error`] adds in f32 before it goes on in f64.
pub const ERROR_BLOCK: usize = 256;
