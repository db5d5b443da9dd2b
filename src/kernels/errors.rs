//! Errors of a long tensor, summed and counted in one look.

use super::dispatch;

/// Pairs of neighbouring errors that fall into the middle of an axis are counted in one table: half the counts to load and store, and the
/// table stays in the first cache.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Window {
    /// Left edge of the axis.
    pub lo: f32,
    /// Bins per unit.
    pub per_unit: f32,
    /// The first bin that is counted, below 2²².
    pub first: u32,
    /// How many are counted, at most [`Window::MOST`].
    pub width: u16,
    /// Errors up to this are inside, whatever their sign.
    pub reach: f32,
}

impl Window {
    /// So many bins at most: their table then takes 15 KB.
    pub const MOST: u16 = 86;
    /// A window that counts nothing.
    pub const NONE: Window = Window { lo: 0.0, per_unit: 0.0, first: 0, width: 0, reach: f32::INFINITY };

    /// So many bins around zero of an axis of so many, or all.
    #[must_use]
    pub fn around_zero(lo: f32, per_unit: f32, bins: usize) -> Window {
        let width = bins.min(usize::from(Window::MOST));
        let place = ((0.0 - lo) * per_unit).floor().clamp(0.0, bins as f32) as usize;
        let first = place.saturating_sub(width / 2).min(bins - width);
        // A bin less than there is room for: places are rounded.
        let edge = |bin: usize| lo + bin as f32 / per_unit;
        let reach = (-edge(first + 1)).min(edge((first + width).saturating_sub(1)));
        Window { lo, per_unit, first: first as u32, width: width as u16, reach: reach.max(-1.0) }
    }

    /// From one row of the table to the next. The last column and row stand for errors that lie elsewhere, and for a partner that lacks.
    #[must_use]
    pub fn stride(&self) -> usize {
        usize::from(self.width) + 1
    }

    /// Counts that [`error_sums`] adds to: pair `(a, b)` is counted at `a + stride·b`.
    #[must_use]
    pub fn table_len(&self) -> usize {
        if self.width == 0 { 0 } else { self.stride() * self.stride() }
    }
}

/// Sums over errors.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct ErrorSums {
    /// `Σ (x − y)²`
    pub error2: f64,
    /// `Σ |x − y|`
    pub error_abs: f64,
    /// Greatest `|x − y|`.
    pub max: f32,
}

/// Elements whose sums are taken in f32 before they are added in f64.
pub const ERROR_RUN: usize = 64;

/// Squares below this are too near to the least f32 to be told from nothing.
const LEAST_SQUARE: f64 = 1e-30;

impl ErrorSums {
    /// Whether f32 could hold the squares: else [`super::compare`] has to look.
    #[must_use]
    pub fn is_told(&self) -> bool {
        let max = f64::from(self.max);
        self.error2.is_finite() && (max == 0.0 || max * max >= LEAST_SQUARE)
    }
}

/// Sums of the errors `x − y`, and their bins in a window counted by pairs, each at most 65535 times.
///
/// Differences, squares and the sums of runs of [`ERROR_RUN`] are rounded to f32. A difference of a weight and a level at most half the weight
/// away is exact; the sums are good to ten in a million for the worst weights, and to one in ten million for many that differ.
///
/// # Panics
/// If the lengths differ, or the table is not [`Window::table_len`] long.
#[must_use]
pub fn error_sums(x: &[f32], y: &[f32], window: &Window, pairs: &mut [u16]) -> ErrorSums {
    assert_eq!(x.len(), y.len(), "compared runs have one length");
    assert_eq!(pairs.len(), window.table_len(), "table of this window");
    dispatch!(errors::error_sums(x, y, window, pairs))
}

/// Calls `f` with the index of each error that a window does not count.
///
/// # Panics
/// If the lengths differ.
pub fn for_each_outside(x: &[f32], y: &[f32], window: &Window, f: impl FnMut(usize)) {
    assert_eq!(x.len(), y.len(), "compared runs have one length");
    dispatch!(errors::for_each_outside(x, y, window, f));
}
