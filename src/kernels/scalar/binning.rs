//! Counting into bins, value by value.

use crate::kernels::binning::Axis;

/// The place of a value in the table of [`crate::kernels::count_bins`].
#[must_use]
pub fn slot(x: f32, axis: &Axis) -> usize {
    if x.is_nan() {
        return axis.bins + 2;
    }
    if x < axis.lo {
        return 0;
    }
    if x > axis.hi {
        return axis.bins + 1;
    }
    let place = match axis.per_unit() {
        Some(per_unit) => ((x - axis.lo) * per_unit).floor() as usize,
        None => {
            let (lo, hi) = (f64::from(axis.lo), f64::from(axis.hi));
            ((f64::from(x) - lo) / (hi - lo) * axis.bins as f64).floor() as usize
        }
    };
    1 + place.min(axis.bins - 1)
}

/// See [`crate::kernels::count_bins`].
pub fn count_bins(x: &[f32], axis: &Axis, table: &mut [u32]) {
    for &x in x {
        table[slot(x, axis)] += 1;
    }
}

/// See [`crate::kernels::count_error_bins`].
pub fn count_error_bins(x: &[f32], y: &[f32], axis: &Axis, table: &mut [u32]) {
    for (x, y) in x.iter().zip(y) {
        table[slot(x - y, axis)] += 1;
    }
}
