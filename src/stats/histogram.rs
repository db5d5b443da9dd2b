//! Histograms with equal bins.

use super::CHUNK;
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
}

impl HistogramBuilder {
    /// An empty histogram over `[lo, hi]`.
    #[must_use]
    pub fn new(lo: f32, hi: f32, bins: usize) -> HistogramBuilder {
        let axis = Axis::new(lo, hi, bins);
        HistogramBuilder { axis, table: vec![0; axis.table_len()], pending: 0, totals: vec![0; axis.bins + 2], nan: 0 }
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
