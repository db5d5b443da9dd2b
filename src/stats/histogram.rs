//! Histograms with equal bins.

use super::CHUNK;
use crate::kernels::errors::{ErrorSums, Window, error_sums, for_each_outside};
use crate::kernels::{Axis, count_bins, count_error_bins, extent, scalar};

/// Counts over equal bins. Bin `i` holds `lo + i·w ≤ x < lo + (i+1)·w` with `w = (hi − lo)/bins`; the last also `hi`.
///
/// The bin of a value is computed in f32: within one rounding of an inner edge it may be either neighbour.
#[derive(Debug, Clone, PartialEq)]
pub struct Histogram {
    /// Left edge of the first bin.
    pub lo: f32,
    /// Right edge of the last bin.
    pub hi: f32,
    /// Values in each bin.
    pub counts: Vec<u64>,
    /// Values below `lo`, −∞ included.
    pub below: u64,
    /// Values above `hi`, ∞ included.
    pub above: u64,
    /// NaN.
    pub nan: u64,
}

impl Histogram {
    /// Counts `x` over `[lo, hi]`. Bins are limited to 1…2²²; a range of no width is widened around its value.
    #[must_use]
    pub fn new(x: &[f32], lo: f32, hi: f32, bins: usize) -> Histogram {
        let mut builder = HistogramBuilder::new(lo, hi, bins);
        builder.add(x);
        builder.finish()
    }
}

impl Histogram {
    /// Counts the errors `x − y` of finite values over `±half_width`.
    ///
    /// # Panics
    /// If the lengths differ.
    #[must_use]
    pub fn of_errors(x: &[f32], y: &[f32], half_width: f32, bins: usize) -> Histogram {
        assert_eq!(x.len(), y.len(), "compared runs have one length");
        let half_width = half_width.min(f32::MAX);
        let mut builder = HistogramBuilder::new(-half_width, half_width, bins);
        x.chunks(CHUNK).zip(y.chunks(CHUNK)).for_each(|(x, y)| builder.add_errors(x, y));
        builder.finish()
    }
}

/// Adds chunks to a [`Histogram`].
#[derive(Debug, Clone)]
pub struct HistogramBuilder {
    axis: Axis,
    /// Counts since the last flush, in 32 bits for speed.
    table: Vec<u32>,
    pending: u64,
    totals: Vec<u64>,
    nan: u64,
    /// The bins around zero, counted by pairs of errors.
    window: Window,
    pairs: Vec<u16>,
    pending_pairs: usize,
}

impl HistogramBuilder {
    /// An empty histogram over `[lo, hi]`.
    #[must_use]
    pub fn new(lo: f32, hi: f32, bins: usize) -> HistogramBuilder {
        let axis = Axis::new(lo, hi, bins);
        HistogramBuilder {
            axis,
            table: vec![0; axis.table_len()],
            pending: 0,
            totals: vec![0; axis.bins + 2],
            nan: 0,
            window: Window::NONE,
            pairs: Vec::new(),
            pending_pairs: 0,
        }
    }

    /// Makes ready for many errors by [`HistogramBuilder::add_and_sum_errors`].
    #[must_use]
    pub fn for_errors(mut self) -> HistogramBuilder {
        let Some(per_unit) = self.axis.per_unit() else { return self };
        self.window = Window::around_zero(self.axis.lo, per_unit, self.axis.bins);
        self.pairs = vec![0; self.window.table_len()];
        self
    }

    /// Counts a chunk's values.
    pub fn add(&mut self, x: &[f32]) {
        for x in x.chunks(CHUNK) {
            self.add_finite(x);
            if !extent(x).is_finite() {
                self.nan += x.iter().filter(|x| x.is_nan()).count() as u64;
            }
        }
    }

    /// Counts a chunk's values, which are known to be finite.
    pub fn add_finite(&mut self, x: &[f32]) {
        self.make_room(x.len());
        count_bins(x, &self.axis, &mut self.table);
    }

    /// Counts a finite value that occurs `n` times.
    pub fn add_repeated(&mut self, value: f32, n: u64) {
        self.totals[scalar::binning::slot(value, &self.axis)] += n;
    }

    /// Counts a chunk's errors `x − y`; both finite.
    pub fn add_errors(&mut self, x: &[f32], y: &[f32]) {
        self.make_room(x.len());
        count_error_bins(x, y, &self.axis, &mut self.table);
    }

    /// Counts a chunk's errors `x − y` and sums them up; both finite.
    ///
    /// # Panics
    /// If the lengths differ, or exceed [`CHUNK`].
    pub fn add_and_sum_errors(&mut self, x: &[f32], y: &[f32]) -> ErrorSums {
        assert!(x.len() <= CHUNK, "a chunk's pairs fit in 16-bit counts");
        if self.window.width == 0 {
            self.add_errors(x, y);
            return error_sums(x, y, &Window::NONE, &mut []);
        }
        if self.pending_pairs + x.len().div_ceil(2) > usize::from(u16::MAX) {
            self.flush_pairs();
        }
        self.pending_pairs += x.len().div_ceil(2);
        let sums = error_sums(x, y, &self.window, &mut self.pairs);
        if sums.max > self.window.reach {
            let mut elsewhere = 0;
            for_each_outside(x, y, &self.window, |i| {
                self.totals[scalar::binning::slot(x[i] - y[i], &self.axis)] += 1;
                elsewhere += 1;
            });
            // Steps of other sizes than the axis was made for: pairs do not pay.
            if elsewhere > x.len() / 16 {
                self.flush_pairs();
                self.window = Window::NONE;
                self.pairs = Vec::new();
            }
        }
        sums
    }

    /// Errors that lie elsewhere are in the last column and row: they were counted one by one.
    fn flush_pairs(&mut self) {
        let (stride, width) = (self.window.stride(), usize::from(self.window.width));
        let inside = 1 + self.window.first as usize..;
        let mut firsts = vec![0_u32; stride];
        for (row, total) in self.pairs.chunks_exact(stride).zip(self.totals[inside.clone()].iter_mut().take(width)) {
            *total += u64::from(row.iter().map(|&n| u32::from(n)).sum::<u32>());
        }
        for row in self.pairs.chunks_exact(stride) {
            firsts.iter_mut().zip(row).for_each(|(first, &n)| *first += u32::from(n));
        }
        self.totals[inside].iter_mut().zip(&firsts[..width]).for_each(|(total, &n)| *total += u64::from(n));
        self.pairs.fill(0);
        self.pending_pairs = 0;
    }

    fn make_room(&mut self, len: usize) {
        if self.pending + len as u64 > u64::from(u32::MAX) {
            self.flush();
        }
        self.pending += len as u64;
    }

    fn flush(&mut self) {
        for (total, count) in self.totals.iter_mut().zip(self.axis.rows(&self.table)) {
            *total += count;
        }
        self.table.fill(0);
        self.pending = 0;
    }

    /// The histogram of all chunks added.
    #[must_use]
    pub fn finish(mut self) -> Histogram {
        self.flush();
        if self.window.width > 0 {
            self.flush_pairs();
        }
        let bins = self.axis.bins;
        Histogram {
            lo: self.axis.lo,
            hi: self.axis.hi,
            counts: self.totals[1..=bins].to_vec(),
            below: self.totals[0],
            // The kernel counts NaN as above.
            above: self.totals[bins + 1] - self.nan,
            nan: self.nan,
        }
    }
}

const _: () = assert!((CHUNK as u64) < u32::MAX as u64, "a chunk fits in the 32-bit counts");

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn edges_belong_right_but_the_last_edge_belongs_left() {
        let h = Histogram::new(&[0.0, 1.0, 2.0, 3.0, 4.0, -0.1, 4.1], 0.0, 4.0, 4);
        assert_eq!(h.counts, [1, 1, 1, 2]);
        assert_eq!((h.below, h.above, h.nan), (1, 1, 0));
    }

    #[test]
    fn what_is_not_a_number_is_counted_apart() {
        let h = Histogram::new(&[f32::NAN, f32::INFINITY, f32::NEG_INFINITY, 0.5], 0.0, 1.0, 2);
        assert_eq!((h.counts.as_slice(), h.below, h.above, h.nan), ([0, 1].as_slice(), 1, 1, 1));
    }

    #[test]
    fn ranges_that_f32_cannot_divide_still_count_right() {
        let h = Histogram::new(&[f32::MIN, -1e37, 1e37, f32::MAX], f32::MIN, f32::MAX, 2);
        assert_eq!(h.counts, [2, 2]);
        let tiny = f32::from_bits(1);
        let h = Histogram::new(&[0.0, tiny, 2.0 * tiny, 3.0 * tiny], 0.0, 4.0 * tiny, 4);
        assert_eq!(h.counts, [1, 1, 1, 1]);
    }

    #[test]
    fn a_constant_has_a_bin() {
        let h = Histogram::new(&[5.0; 3], 5.0, 5.0, 3);
        assert_eq!(h.counts.iter().sum::<u64>(), 3);
        let h = Histogram::new(&[f32::MAX; 3], f32::MAX, f32::MAX, 3);
        assert_eq!(h.counts.iter().sum::<u64>(), 3);
    }
}
