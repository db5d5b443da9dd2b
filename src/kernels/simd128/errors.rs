//! Sums and counts of errors, eight at a time.

use core::arch::wasm32::{
    f32x4_abs, f32x4_add, f32x4_extract_lane, f32x4_floor, f32x4_mul, f32x4_pmax, f32x4_splat, f32x4_sub, f64x2_add,
    f64x2_extract_lane, f64x2_promote_low_f32x4, f64x2_splat, i16x8, i16x8_narrow_i32x4, i32x4_dot_i16x8,
    i32x4_shuffle, i32x4_splat, i32x4_sub, u16x8_ge, u16x8_min, u16x8_splat, u64x2_extract_lane, v128, v128_any_true,
};

use super::super::errors::{ERROR_RUN, ErrorSums, Window};
use super::super::scalar::errors as scalar;
use super::load4;

/// 2²³: added to a whole number below it, it leaves the number in the low bits.
const MAGIC: f32 = 8_388_608.0;

/// What the columns are computed from, in every lane.
#[derive(Clone, Copy)]
struct Vectors {
    lo: v128,
    per_unit: v128,
    /// Added to a place, it leaves the column in the low bits; with `bits` taken away, in all.
    magic: v128,
    bits: v128,
}

impl Vectors {
    fn new(window: &Window) -> Vectors {
        Vectors {
            lo: f32x4_splat(window.lo),
            per_unit: f32x4_splat(window.per_unit),
            magic: f32x4_splat(MAGIC - window.first as f32),
            // A constant would be made anew in every round of the loop: by V8, for one.
            bits: i32x4_splat(core::hint::black_box(MAGIC).to_bits() as i32),
        }
    }

    /// Four columns; whatever lies outside the window becomes a negative number or one above all columns.
    #[inline(always)]
    fn columns(&self, error: v128) -> v128 {
        let place = f32x4_floor(f32x4_mul(f32x4_sub(error, self.lo), self.per_unit));
        i32x4_sub(f32x4_add(place, self.magic), self.bits)
    }

    /// Eight columns as u16; outside is above all columns.
    #[inline(always)]
    fn columns8(&self, errors: [v128; 2]) -> v128 {
        i16x8_narrow_i32x4(self.columns(errors[0]), self.columns(errors[1]))
    }
}

#[inline(always)]
fn errors8(x: &[f32], y: &[f32]) -> [v128; 2] {
    [f32x4_sub(load4(x), load4(y)), f32x4_sub(load4(&x[4..]), load4(&y[4..]))]
}

pub fn error_sums(x: &[f32], y: &[f32], window: &Window, pairs: &mut [u16]) -> ErrorSums {
    assert_eq!(pairs.len(), window.table_len(), "table of this window");
    if window.width == 0 { sums::<false>(x, y, window, pairs) } else { sums::<true>(x, y, window, pairs) }
}

/// The f64 lanes that runs are added to.
struct Lanes([v128; 2]);

impl Lanes {
    #[inline(always)]
    fn add(&mut self, run: [v128; 2]) {
        let v = f32x4_add(run[0], run[1]);
        self.0[0] = f64x2_add(self.0[0], f64x2_promote_low_f32x4(v));
        self.0[1] = f64x2_add(self.0[1], f64x2_promote_low_f32x4(i32x4_shuffle::<2, 3, 2, 3>(v, v)));
    }

    fn reduce_with(self, rest: [f32; 4]) -> f64 {
        let [a, b] = self.0;
        let mut lanes = [
            f64x2_extract_lane::<0>(a),
            f64x2_extract_lane::<1>(a),
            f64x2_extract_lane::<0>(b),
            f64x2_extract_lane::<1>(b),
        ];
        lanes.iter_mut().zip(rest).for_each(|(lane, rest)| *lane += f64::from(rest));
        scalar::reduce(lanes)
    }
}

#[inline(always)]
fn sums<const COUNTED: bool>(x: &[f32], y: &[f32], window: &Window, pairs: &mut [u16]) -> ErrorSums {
    let v = Vectors::new(window);
    let (none, stride) = (u16x8_splat(window.width), 2 * window.stride() as i16);
    // Places in bytes.
    let weights = i16x8(2, stride, 2, stride, 2, stride, 2, stride);
    let (mut error2, mut error_abs) = (Lanes([f64x2_splat(0.0); 2]), Lanes([f64x2_splat(0.0); 2]));
    let mut max = f32x4_splat(0.0);
    let ((x_runs, x_rest), (y_runs, y_rest)) = (x.as_chunks::<ERROR_RUN>(), y.as_chunks::<ERROR_RUN>());
    for (x, y) in x_runs.iter().zip(y_runs) {
        let (mut run2, mut run_abs) = ([f32x4_splat(0.0); 2], [f32x4_splat(0.0); 2]);
        for (x, y) in x.as_chunks::<8>().0.iter().zip(y.as_chunks::<8>().0) {
            let errors = errors8(x, y);
            for k in 0..2 {
                let magnitude = f32x4_abs(errors[k]);
                run2[k] = f32x4_add(run2[k], f32x4_mul(errors[k], errors[k]));
                run_abs[k] = f32x4_add(run_abs[k], magnitude);
                max = f32x4_pmax(max, magnitude);
            }
            if COUNTED {
                let places = i32x4_dot_i16x8(u16x8_min(v.columns8(errors), none), weights);
                let (low, high) = (u64x2_extract_lane::<0>(places), u64x2_extract_lane::<1>(places));
                for place in [low as u32, (low >> 32) as u32, high as u32, (high >> 32) as u32] {
                    // SAFETY: columns are at most `width`, so a place is at most 2·(width + stride·width), that of the last of stride² counts of two
                    // bytes, and the table was checked to have so many.
                    unsafe {
                        let count = pairs.as_mut_ptr().byte_add(place as usize);
                        *count = (*count).wrapping_add(1);
                    }
                }
            }
        }
        error2.add(run2);
        error_abs.add(run_abs);
    }
    let rest = scalar::run_sums(x_rest, y_rest);
    scalar::count_pairs(x_rest, y_rest, window, pairs);
    let max = f32x4_pmax(max, i32x4_shuffle::<2, 3, 0, 1>(max, max));
    let max = f32x4_extract_lane::<0>(f32x4_pmax(max, i32x4_shuffle::<1, 0, 3, 2>(max, max)));
    ErrorSums {
        error2: error2.reduce_with(rest.error2),
        error_abs: error_abs.reduce_with(rest.error_abs),
        max: if rest.max > max { rest.max } else { max },
    }
}

pub fn for_each_outside(x: &[f32], y: &[f32], window: &Window, mut f: impl FnMut(usize)) {
    let (v, none) = (Vectors::new(window), u16x8_splat(window.width));
    let whole = x.len() / 8 * 8;
    for (i, (x, y)) in x.chunks_exact(8).zip(y.chunks_exact(8)).enumerate() {
        if v128_any_true(u16x8_ge(v.columns8(errors8(x, y)), none)) {
            scalar::for_each_outside(x, y, window, |k| f(8 * i + k));
        }
    }
    scalar::for_each_outside(&x[whole..], &y[whole..], window, |k| f(whole + k));
}
