//! Counting into bins: places four at a time, counts one at a time.

use core::arch::wasm32::{
    f32x4_add, f32x4_eq, f32x4_floor, f32x4_gt, f32x4_lt, f32x4_mul, f32x4_pmin, f32x4_splat, f32x4_sub, i32x4_splat,
    u32x4_extract_lane, v128, v128_and, v128_bitselect,
};

use super::super::binning::Axis;
use super::super::scalar::binning as scalar;
use super::load4;

/// 2²³: added to a whole number below it, it leaves the number in the low bits.
const MAGIC: f32 = 8_388_608.0;

/// What the places are computed from, in every lane.
struct Vectors {
    lo: v128,
    hi: v128,
    per_unit: v128,
    last: v128,
    above: v128,
    nan: v128,
}

impl Vectors {
    fn new(axis: &Axis, per_unit: f32) -> Vectors {
        let bins = axis.bins as f32;
        Vectors {
            lo: f32x4_splat(axis.lo),
            hi: f32x4_splat(axis.hi),
            per_unit: f32x4_splat(per_unit),
            last: f32x4_splat(bins - 1.0),
            above: f32x4_splat(bins + 1.0),
            nan: f32x4_splat(bins + 2.0),
        }
    }

    /// Four places in the table; each lies in `0..=bins + 2` whatever `x` is.
    #[inline(always)]
    fn slots(&self, x: v128) -> v128 {
        let place = f32x4_floor(f32x4_mul(f32x4_sub(x, self.lo), self.per_unit));
        let inside = f32x4_add(f32x4_pmin(place, self.last), f32x4_splat(1.0));
        let slot = v128_bitselect(f32x4_splat(0.0), inside, f32x4_lt(x, self.lo));
        let slot = v128_bitselect(self.above, slot, f32x4_gt(x, self.hi));
        let slot = v128_bitselect(slot, self.nan, f32x4_eq(x, x));
        v128_and(f32x4_add(slot, f32x4_splat(MAGIC)), i32x4_splat(0x7F_FFFF))
    }
}

#[inline(always)]
fn add4(slots: v128, table: &mut [u32]) {
    let mut add = |slot: u32| {
        // SAFETY: `Vectors::slots` gives at most bins + 2, and the entry point checked that the table has bins + 3 places.
        unsafe { *table.get_unchecked_mut(slot as usize) += 1 }
    };
    add(u32x4_extract_lane::<0>(slots));
    add(u32x4_extract_lane::<1>(slots));
    add(u32x4_extract_lane::<2>(slots));
    add(u32x4_extract_lane::<3>(slots));
}

pub fn count_bins(x: &[f32], axis: &Axis, table: &mut [u32]) {
    assert_eq!(table.len(), axis.table_len(), "table of this axis");
    let Some(per_unit) = axis.per_unit() else {
        return scalar::count_bins(x, axis, table);
    };
    let v = Vectors::new(axis, per_unit);
    let blocks = x.chunks_exact(4);
    let rest = blocks.remainder();
    for x in blocks {
        add4(v.slots(load4(x)), table);
    }
    scalar::count_bins(rest, axis, table);
}

pub fn count_error_bins(x: &[f32], y: &[f32], axis: &Axis, table: &mut [u32]) {
    assert_eq!(table.len(), axis.table_len(), "table of this axis");
    let Some(per_unit) = axis.per_unit() else {
        return scalar::count_error_bins(x, y, axis, table);
    };
    let v = Vectors::new(axis, per_unit);
    let whole = x.len() / 4 * 4;
    for (x, y) in x.chunks_exact(4).zip(y.chunks_exact(4)) {
        add4(v.slots(f32x4_sub(load4(x), load4(y))), table);
    }
    scalar::count_error_bins(&x[whole..], &y[whole..], axis, table);
}
