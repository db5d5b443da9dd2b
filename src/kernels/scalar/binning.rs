//! Counting into bins, value by value.

use crate::kernels::binning::Axis;

/// The row of a value in the table of [`crate::kernels::count_bins`].
#[must_use]
pub fn slot(x: f32, axis: &Axis) -> usize {
    let above = usize::from(x > axis.hi || x.is_nan());
    let last = axis.bins - 1;
    let place = match axis.per_unit() {
        Some(per_unit) => ((x - axis.lo) * per_unit).floor().min(last as f32).max(-1.0),
        None => {
            let (lo, hi) = (f64::from(axis.lo), f64::from(axis.hi));
            ((f64::from(x) - lo) / (hi - lo) * axis.bins as f64).floor().min(last as f64).max(-1.0) as f32
        }
    };
    (place + 1.0) as usize + above
}

/// See [`crate::kernels::count_bins`].
pub fn count_bins(x: &[f32], axis: &Axis, table: &mut [u32]) {
    let columns = axis.columns();
    for (i, &x) in x.iter().enumerate() {
        table[slot(x, axis) * columns + i % columns] += 1;
    }
}

/// See [`crate::kernels::count_error_bins`].
pub fn count_error_bins(x: &[f32], y: &[f32], axis: &Axis, table: &mut [u32]) {
    let columns = axis.columns();
    for (i, (x, y)) in x.iter().zip(y).enumerate() {
        table[slot(x - y, axis) * columns + i % columns] += 1;
    }
}
