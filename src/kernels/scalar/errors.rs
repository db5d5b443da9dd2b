//! Sums and counts of errors, one by one.

use crate::kernels::errors::{ERROR_RUN, ErrorSums, Window};

/// Lanes of a run's sums.
const LANES: usize = 8;

/// The column of an error in the table of a window.
#[must_use]
#[inline]
pub fn column(error: f32, window: &Window) -> usize {
    let place = ((error - window.lo) * window.per_unit).floor() - window.first as f32;
    if place >= 0.0 && place < f32::from(window.width) { place as usize } else { usize::from(window.width) }
}

/// See [`crate::kernels::errors::error_sums`]. Element `i` of a run goes to lane `i % 8`; lanes four apart are added in f32, then all in f64.
pub fn error_sums(x: &[f32], y: &[f32], window: &Window, pairs: &mut [u16]) -> ErrorSums {
    let (mut error2, mut error_abs) = ([0.0; 4], [0.0; 4]);
    let mut sums = ErrorSums::default();
    for (x, y) in x.chunks(ERROR_RUN).zip(y.chunks(ERROR_RUN)) {
        let run = run_sums(x, y);
        for lane in 0..4 {
            error2[lane] += f64::from(run.error2[lane]);
            error_abs[lane] += f64::from(run.error_abs[lane]);
        }
        if run.max > sums.max {
            sums.max = run.max;
        }
        count_pairs(x, y, window, pairs);
    }
    ErrorSums { error2: reduce(error2), error_abs: reduce(error_abs), ..sums }
}

/// Adds four lanes.
#[must_use]
pub fn reduce([a, b, c, d]: [f64; 4]) -> f64 {
    (a + c) + (b + d)
}

/// The sums of at most [`ERROR_RUN`] errors.
pub struct RunSums {
    /// `Σ (x − y)²`, four lanes
    pub error2: [f32; 4],
    /// `Σ |x − y|`, four lanes
    pub error_abs: [f32; 4],
    /// Greatest `|x − y|`
    pub max: f32,
}

/// Sums up a run.
#[must_use]
pub fn run_sums(x: &[f32], y: &[f32]) -> RunSums {
    let (mut error2, mut error_abs, mut max) = ([0.0; LANES], [0.0; LANES], 0.0);
    for (i, (x, y)) in x.iter().zip(y).enumerate() {
        let error = x - y;
        error2[i % LANES] += error * error;
        error_abs[i % LANES] += error.abs();
        if error.abs() > max {
            max = error.abs();
        }
    }
    let folded = |lanes: [f32; LANES]| [0, 1, 2, 3].map(|i| lanes[i] + lanes[i + 4]);
    RunSums { error2: folded(error2), error_abs: folded(error_abs), max }
}

/// Counts the pairs of a run.
pub fn count_pairs(x: &[f32], y: &[f32], window: &Window, pairs: &mut [u16]) {
    if window.width == 0 {
        return;
    }
    let none = usize::from(window.width);
    for (x, y) in x.chunks(2).zip(y.chunks(2)) {
        let first = column(x[0] - y[0], window);
        let second = if let ([_, x], [_, y]) = (x, y) { column(x - y, window) } else { none };
        pairs[first + window.stride() * second] += 1;
    }
}

/// See [`crate::kernels::errors::for_each_outside`].
pub fn for_each_outside(x: &[f32], y: &[f32], window: &Window, mut f: impl FnMut(usize)) {
    for (i, (x, y)) in x.iter().zip(y).enumerate() {
        if column(x - y, window) == usize::from(window.width) {
            f(i);
        }
    }
}
