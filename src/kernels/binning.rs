//! Counting values into equal bins.

use super::{dispatch, scalar};

/// Equal bins over `[lo, hi]`: bin `i` holds `lo + i·w ≤ x < lo + (i+1)·w`, the last bin also `hi` itself.
///
/// The index is computed in f32, so a value within one rounding of an inner edge may be counted on either side of it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Axis {
    /// Left edge of the first bin.
    pub lo: f32,
    /// Right edge of the last bin; above `lo`.
    pub hi: f32,
    /// Number of bins, at least 1.
    pub bins: usize,
    /// `bins / (hi − lo)`; 0 where the index has to be computed in f64.
    per_unit: f32,
}

impl Axis {
    /// An axis over a finite, non-empty range. A range of no width is widened around its value, so that a constant has a bin.
    #[must_use]
    pub fn new(lo: f32, hi: f32, bins: usize) -> Axis {
        let (mut lo, mut hi) = if lo <= hi { (lo, hi) } else { (0.0, 0.0) };
        if lo == hi {
            let half = (lo.abs() * 0.5).max(0.5);
            (lo, hi) = ((lo - half).max(f32::MIN), (hi + half).min(f32::MAX));
        }
        let bins = bins.clamp(1, 1 << 22);
        let per_unit = (bins as f64 / (f64::from(hi) - f64::from(lo))) as f32;
        // f32 arithmetic needs hi − lo and the factor to be normal numbers; else `scalar::binning` works in f64.
        let narrow = (hi - lo).is_finite() && per_unit.is_normal() && (hi - lo).is_normal();
        Axis { lo, hi, bins, per_unit: if narrow { per_unit } else { 0.0 } }
    }

    /// Bins per unit of x, or `None` where f32 cannot tell the bins.
    #[must_use]
    pub fn per_unit(&self) -> Option<f32> {
        (self.per_unit > 0.0).then_some(self.per_unit)
    }

    /// Columns of the table: neighbouring values are counted apart, because a count that was just stored is slow to load again. Many
    /// bins are rarely hit twice in a row, and their table has to stay small.
    #[must_use]
    pub fn columns(&self) -> usize {
        if self.bins <= 4096 { 4 } else { 1 }
    }

    /// Length of the table that [`count_bins`] adds to: rows for below, the bins and above, each of [`Axis::columns`] counts.
    #[must_use]
    pub fn table_len(&self) -> usize {
        (self.bins + 2) * self.columns()
    }

    /// The counts of a table, its columns added: below, the bins, above.
    pub fn rows<'a>(&self, table: &'a [u32]) -> impl Iterator<Item = u64> + 'a {
        table.chunks_exact(self.columns()).map(|row| row.iter().map(|&n| u64::from(n)).sum())
    }
}

/// Adds each value to its bin. Row 0 counts values below `lo`, rows `1..=bins` the bins, row `bins + 1` those above `hi`; element `i` of the
/// call is counted in column `i % columns`. Values are not NaN (one would be counted as above).
///
/// # Panics
/// If the table is not [`Axis::table_len`] long.
pub fn count_bins(x: &[f32], axis: &Axis, table: &mut [u32]) {
    assert_eq!(table.len(), axis.table_len(), "table of this axis");
    dispatch!(binning::count_bins(x, axis, table));
}

/// Counts the errors `x − y` (f32) like [`count_bins`].
///
/// # Panics
/// If the lengths differ or the table is not [`Axis::table_len`] long.
pub fn count_error_bins(x: &[f32], y: &[f32], axis: &Axis, table: &mut [u32]) {
    assert_eq!(x.len(), y.len(), "compared runs have one length");
    assert_eq!(table.len(), axis.table_len(), "table of this axis");
    dispatch!(binning::count_error_bins(x, y, axis, table));
}

/// How often each code occurs.
///
/// Narrow codes may be counted two by two, which halves the counts that are loaded and stored, but makes the table longer.
#[derive(Debug, Clone)]
pub struct CodeCounts {
    bits: u32,
    in_pairs: bool,
    /// Counts in columns as in [`Axis::columns`], of codes or of pairs.
    table: Vec<u32>,
    /// Counts of codes that were left over from whole words of [`CODE_WORD`].
    singles: [u32; 256],
}

/// Codes that are counted at a time.
pub const CODE_WORD: usize = 16;

/// Counts codes of up to 6 bits two by two: the row of a pair is the first code plus 2^bits times the second, low bits only; the column of pair
/// `i` of a word is `i % columns`.
///
/// # Panics
/// If the table does not have a row of 2^[`column_bits`] columns for each pair.
pub fn count_code_pairs(words: &[[i8; CODE_WORD]], bits: u32, table: &mut [u32]) {
    assert_eq!(table.len(), 1 << (2 * bits + column_bits(bits, true)), "a row for each pair");
    dispatch!(binning::count_code_pairs(words, bits, table));
}

/// Rows of a [`CodeCounts`] table lie so many counts apart, as a power of two.
#[must_use]
pub fn column_bits(bits: u32, in_pairs: bool) -> u32 {
    if in_pairs { 12_u32.saturating_sub(2 * bits).min(3) } else { 3 }
}

impl CodeCounts {
    /// No codes yet. All have the same bits above the lowest `bits`, 1 to 8, or all are signed numbers of that width.
    #[must_use]
    pub fn new(bits: u32, in_pairs: bool) -> CodeCounts {
        let (bits, in_pairs) = (bits.clamp(1, 8), in_pairs && bits <= 6);
        let rows = if in_pairs { 2 * bits } else { bits };
        CodeCounts { bits, in_pairs, table: vec![0; 1 << (rows + column_bits(bits, in_pairs))], singles: [0; 256] }
    }

    /// Whether so many codes are more than what [`CodeCounts::take`] looks at, by far.
    #[must_use]
    pub fn pays(bits: u32, in_pairs: bool, codes: usize) -> bool {
        codes >> (if in_pairs { 2 * bits + 6 } else { bits + 4 }) > 0
    }

    /// Adds each code to its count; fewer than 2³² between two calls of [`CodeCounts::take`].
    pub fn add(&mut self, codes: &[i8]) {
        let (words, rest) = codes.as_chunks::<CODE_WORD>();
        if self.in_pairs {
            count_code_pairs(words, self.bits, &mut self.table);
        } else {
            scalar::binning::count_codes(words, self.bits, &mut self.table);
        }
        for &code in rest {
            self.singles[usize::from(code as u8 & self.mask())] += 1;
        }
    }

    fn mask(&self) -> u8 {
        0xFF >> (8 - self.bits)
    }

    /// The counts by the low bits of the codes; what follows is counted from none.
    pub fn take(&mut self) -> [u64; 256] {
        let mut counts = self.singles.map(u64::from);
        let columns = 1 << column_bits(self.bits, self.in_pairs);
        for (row, columns) in self.table.chunks_exact(columns).enumerate() {
            let n: u64 = columns.iter().map(|&n| u64::from(n)).sum();
            counts[row & usize::from(self.mask())] += n;
            if self.in_pairs {
                counts[row >> self.bits] += n;
            }
        }
        self.table.fill(0);
        self.singles.fill(0);
        counts
    }
}
