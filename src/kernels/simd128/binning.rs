//! Counting into bins: places four at a time, counts one at a time.

use core::arch::wasm32::{
    f32x4_add, f32x4_floor, f32x4_le, f32x4_mul, f32x4_pmax, f32x4_pmin, f32x4_splat, f32x4_sub, i8x16_splat, i16x8,
    i16x8_shl, i16x8_splat, i32x4, i32x4_add, i32x4_shl, i32x4_splat, u16x8_shr, u64x2_extract_lane, v128, v128_and,
    v128_or,
};

use super::super::binning::{Axis, CODE_WORD, column_bits};
use super::super::scalar::binning as scalar;
use super::{load4, load16};

/// 2²³: added to a whole number below it, it leaves the number in the low bits.
const MAGIC: f32 = 8_388_608.0;

/// What the rows are computed from, in every lane.
struct Vectors {
    lo: v128,
    hi: v128,
    per_unit: v128,
    last: v128,
}

impl Vectors {
    fn new(axis: &Axis, per_unit: f32) -> Vectors {
        Vectors {
            lo: f32x4_splat(axis.lo),
            hi: f32x4_splat(axis.hi),
            per_unit: f32x4_splat(per_unit),
            last: f32x4_splat(axis.bins as f32 - 1.0),
        }
    }

    /// Four rows of the table; each lies in `0..=bins + 1` whatever `x` is.
    #[inline(always)]
    fn slots(&self, x: v128) -> v128 {
        let place = f32x4_floor(f32x4_mul(f32x4_sub(x, self.lo), self.per_unit));
        // pmin(a, b) is `b < a ? b : a`: NaN becomes the last place.
        let place = f32x4_pmax(f32x4_pmin(self.last, place), f32x4_splat(-1.0));
        let row = v128_and(f32x4_add(place, f32x4_splat(MAGIC + 1.0)), i32x4_splat(0x7F_FFFF));
        // One more where x is above `hi` or NaN. A comparison gives 0 or −1.
        i32x4_add(row, i32x4_add(i32x4_splat(1), f32x4_le(x, self.hi)))
    }
}

/// Counts four values, given their rows; `COLUMNS` is [`Axis::columns`]. The places are computed four at a time and taken out two at a
/// time: taking out a lane costs as much as counting it.
#[inline(always)]
fn add4<const COLUMNS: usize>(slots: v128, table: &mut [u32]) {
    let places = if COLUMNS == 4 { i32x4_add(i32x4_shl(slots, 2), i32x4(0, 1, 2, 3)) } else { slots };
    let (low, high) = (u64x2_extract_lane::<0>(places), u64x2_extract_lane::<1>(places));
    for place in [low as u32, (low >> 32) as u32, high as u32, (high >> 32) as u32] {
        // SAFETY: `Vectors::slots` gives at most bins + 1, the column is below `COLUMNS`, and `count` checked that the table has (bins + 2)·COLUMNS
        // places.
        unsafe { *table.get_unchecked_mut(place as usize) += 1 }
    }
}

pub fn count_bins(x: &[f32], axis: &Axis, table: &mut [u32]) {
    let whole = x.len() / 4 * 4;
    let (x4, rest) = x.split_at(whole);
    count(
        axis,
        table,
        x4.chunks_exact(4).map(load4),
        |table| scalar::count_bins(rest, axis, table),
        |table| {
            scalar::count_bins(x, axis, table);
        },
    );
}

pub fn count_error_bins(x: &[f32], y: &[f32], axis: &Axis, table: &mut [u32]) {
    let whole = x.len() / 4 * 4;
    let (x4, x_rest) = x.split_at(whole);
    let (y4, y_rest) = y.split_at(whole);
    let errors = x4.chunks_exact(4).zip(y4.chunks_exact(4)).map(|(x, y)| f32x4_sub(load4(x), load4(y)));
    count(
        axis,
        table,
        errors,
        |table| scalar::count_error_bins(x_rest, y_rest, axis, table),
        |table| {
            scalar::count_error_bins(x, y, axis, table);
        },
    );
}

/// Counts vectors and then the rest; or everything in f64 where f32 cannot tell the bins.
#[inline(always)]
fn count(
    axis: &Axis,
    table: &mut [u32],
    vectors: impl Iterator<Item = v128>,
    rest: impl FnOnce(&mut [u32]),
    wide: impl FnOnce(&mut [u32]),
) {
    assert_eq!(table.len(), axis.table_len(), "table of this axis");
    let Some(per_unit) = axis.per_unit() else {
        return wide(table);
    };
    let v = Vectors::new(axis, per_unit);
    if axis.columns() == 4 {
        vectors.for_each(|x| add4::<4>(v.slots(x), table));
    } else {
        vectors.for_each(|x| add4::<1>(v.slots(x), table));
    }
    rest(table);
}

pub fn count_code_pairs(words: &[[i8; CODE_WORD]], bits: u32, table: &mut [u32]) {
    let column_bits = column_bits(bits, true);
    assert_eq!(table.len(), 1 << (2 * bits + column_bits), "a row for each pair");
    let mask = i8x16_splat((1 << bits) - 1);
    let columns = v128_and(i16x8(0, 1, 2, 3, 4, 5, 6, 7), i16x8_splat((1 << column_bits) - 1));
    for word in words {
        let codes = v128_and(load16(word), mask);
        let first = i16x8_shl(v128_and(codes, i16x8_splat(0xFF)), column_bits);
        let second = i16x8_shl(u16x8_shr(codes, 8), bits + column_bits);
        let places = v128_or(v128_or(first, second), columns);
        for four in [u64x2_extract_lane::<0>(places), u64x2_extract_lane::<1>(places)] {
            for place in [four as u16, (four >> 16) as u16, (four >> 32) as u16, (four >> 48) as u16] {
                // SAFETY: both codes are below 2^bits and the column below 2^column_bits, so the place is within the length that was checked.
                unsafe { *table.get_unchecked_mut(usize::from(place)) += 1 }
            }
        }
    }
}
