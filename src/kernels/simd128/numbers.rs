//! Four blocks side by side, one in each lane: see [`Numbers`].

use core::arch::wasm32::{
    f32x4_abs, f32x4_add, f32x4_div, f32x4_gt, f32x4_mul, f32x4_nearest, f32x4_pmax, f32x4_pmin, f32x4_splat,
    f32x4_sub, f32x4_trunc, i16x8_narrow_i32x4, i32x4_add, i32x4_shuffle, i32x4_splat, i32x4_sub, u8x16_narrow_i16x8,
    u32x4_ge, u32x4_lt, u32x4_shr, v128, v128_and, v128_bitselect, v128_or,
};
use std::ops::{Add, Div, Mul, Sub};

use super::levels::store_bytes;
use super::{load4, store4};
use crate::kernels::best::Numbers;

/// Four numbers.
#[derive(Clone, Copy)]
pub struct Four(v128);

macro_rules! operator {
    ($trait:ident, $name:ident, $instruction:ident) => {
        impl $trait for Four {
            type Output = Four;

            #[inline(always)]
            fn $name(self, other: Four) -> Four {
                Four($instruction(self.0, other.0))
            }
        }
    };
}

operator!(Add, add, f32x4_add);
operator!(Sub, sub, f32x4_sub);
operator!(Mul, mul, f32x4_mul);
operator!(Div, div, f32x4_div);

impl Numbers for Four {
    const LANES: usize = 4;

    #[inline(always)]
    fn splat(x: f32) -> Self {
        Four(f32x4_splat(x))
    }

    #[inline(always)]
    fn each(f: impl Fn(usize) -> f32) -> Self {
        Four(load4(&[f(0), f(1), f(2), f(3)]))
    }

    #[inline(always)]
    fn blocks<const N: usize>(x: &[f32]) -> [Self; N] {
        let mut out = [Four(f32x4_splat(0.0)); N];
        for (i, out) in out.as_chunks_mut::<4>().0.iter_mut().enumerate() {
            let row = |b: usize| load4(&x[b * N + 4 * i..]);
            let (a, b, c, d) = (row(0), row(1), row(2), row(3));
            let (ab, cd) = (i32x4_shuffle::<0, 4, 1, 5>(a, b), i32x4_shuffle::<0, 4, 1, 5>(c, d));
            let (ef, gh) = (i32x4_shuffle::<2, 6, 3, 7>(a, b), i32x4_shuffle::<2, 6, 3, 7>(c, d));
            out[0] = Four(i32x4_shuffle::<0, 1, 4, 5>(ab, cd));
            out[1] = Four(i32x4_shuffle::<2, 3, 6, 7>(ab, cd));
            out[2] = Four(i32x4_shuffle::<0, 1, 4, 5>(ef, gh));
            out[3] = Four(i32x4_shuffle::<2, 3, 6, 7>(ef, gh));
        }
        out
    }

    #[inline(always)]
    fn lane(self, lane: usize) -> f32 {
        let mut lanes = [0.0; 4];
        store4(self.0, &mut lanes);
        lanes[lane]
    }

    #[inline(always)]
    fn least(self, other: Self) -> Self {
        Four(f32x4_pmin(other.0, self.0))
    }

    #[inline(always)]
    fn most(self, other: Self) -> Self {
        Four(f32x4_pmax(other.0, self.0))
    }

    #[inline(always)]
    fn greater(self, than: Self, yes: Self, no: Self) -> Self {
        Four(v128_bitselect(yes.0, no.0, f32x4_gt(self.0, than.0)))
    }

    #[inline(always)]
    fn whole(self) -> Self {
        Four(f32x4_nearest(self.0))
    }

    #[inline(always)]
    fn truncated(self) -> Self {
        Four(f32x4_trunc(self.0))
    }

    #[inline(always)]
    fn magnitude(self) -> Self {
        Four(f32x4_abs(self.0))
    }

    #[inline(always)]
    fn half(self) -> Self {
        let sign = v128_and(self.0, f32x4_splat(-0.0));
        let magnitude = f32x4_abs(self.0);
        let odd = v128_and(u32x4_shr(magnitude, 13), i32x4_splat(1));
        let up = i32x4_add(i32x4_add(magnitude, i32x4_splat(0xFFF)), odd);
        let normal = v128_and(up, i32x4_splat(!0x1FFF));
        // Next to one half an f32 is as coarse as a half-precision number below its normal ones.
        let half = f32x4_splat(0.5);
        let subnormal = f32x4_sub(f32x4_add(magnitude, half), half);
        let finite = v128_bitselect(subnormal, normal, u32x4_lt(magnitude, i32x4_splat(113 << 23)));
        let overflow = u32x4_ge(normal, i32x4_splat(0x4780_0000));
        Four(v128_or(sign, v128_bitselect(f32x4_splat(f32::INFINITY), finite, overflow)))
    }

    #[inline(always)]
    fn power(self) -> Self {
        Four(v128_and(self.0, i32x4_splat(0x7F80_0000)))
    }

    #[inline(always)]
    fn codes(x: &[f32; 32], offset: f32, inverse: f32, (low, high): (f32, f32)) -> [u8; 32] {
        let mut out = [0; 32];
        let (offset, inverse, magic) = (Four::splat(offset), Four::splat(inverse), f32x4_splat(12_582_912.0));
        let (low, high) = (Four::splat(low), Four::splat(high));
        for (x, out) in x.as_chunks::<16>().0.iter().zip(out.as_chunks_mut::<16>().0) {
            let code = |i: usize| {
                let t = ((Four(load4(&x[4 * i..])) - offset) * inverse).most(low).least(high);
                // The low bits of the sum are the whole number.
                i32x4_sub(f32x4_add((t.whole() - low).0, magic), magic)
            };
            let (a, b, c, d) = (code(0), code(1), code(2), code(3));
            store_bytes(u8x16_narrow_i16x8(i16x8_narrow_i32x4(a, b), i16x8_narrow_i32x4(c, d)), out);
        }
        out
    }
}
