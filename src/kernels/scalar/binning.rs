//! Counting into bins, value by value.

use crate::kernels::binning::{Axis, CODE_WORD, column_bits};

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

/// Counts codes one by one: code `i` of a word in column `i % 8`. Codes are taken eight at a time: a load costs as much as counting one.
pub fn count_codes(words: &[[i8; CODE_WORD]], bits: u32, table: &mut [u32]) {
    assert_eq!(table.len(), 8 << bits, "eight columns for each code");
    let mask = table.len() - 1;
    for eight in words.as_flattened().as_chunks::<8>().0 {
        let eight = u64::from_le_bytes(eight.map(|code| code as u8));
        for column in 0..8 {
            table[((eight >> (8 * column)) as usize) << 3 & mask | column] += 1;
        }
    }
}

/// See [`crate::kernels::count_code_pairs`].
pub fn count_code_pairs(words: &[[i8; CODE_WORD]], bits: u32, table: &mut [u32]) {
    let mask = (1 << bits) - 1;
    let column_bits = column_bits(bits, true);
    for word in words {
        for (i, [first, second]) in word.as_chunks().0.iter().enumerate() {
            let row = (*first as usize & mask) | (*second as usize & mask) << bits;
            table[row << column_bits | i & ((1 << column_bits) - 1)] += 1;
        }
    }
}
