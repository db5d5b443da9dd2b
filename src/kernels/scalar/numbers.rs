//! One number at a time: see [`Numbers`].

use half::f16;

use super::best::whole;
use crate::kernels::best::Numbers;

impl Numbers for f32 {
    const LANES: usize = 1;

    #[inline(always)]
    fn splat(x: f32) -> Self {
        x
    }

    #[inline(always)]
    fn each(f: impl Fn(usize) -> f32) -> Self {
        f(0)
    }

    #[inline(always)]
    fn blocks<const N: usize>(x: &[f32]) -> [Self; N] {
        std::array::from_fn(|i| x[i])
    }

    #[inline(always)]
    fn lane(self, _: usize) -> f32 {
        self
    }

    #[inline(always)]
    fn least(self, other: Self) -> Self {
        if self < other { self } else { other }
    }

    #[inline(always)]
    fn most(self, other: Self) -> Self {
        if self > other { self } else { other }
    }

    #[inline(always)]
    fn greater(self, than: Self, yes: Self, no: Self) -> Self {
        if self > than { yes } else { no }
    }

    #[inline(always)]
    fn whole(self) -> Self {
        whole(self)
    }

    #[inline(always)]
    fn truncated(self) -> Self {
        self.trunc()
    }

    #[inline(always)]
    fn magnitude(self) -> Self {
        self.abs()
    }

    #[inline(always)]
    fn half(self) -> Self {
        f16::from_f32(self).to_f32()
    }

    #[inline(always)]
    fn power(self) -> Self {
        f32::from_bits(self.to_bits() & 0x7F80_0000)
    }

    #[inline(always)]
    fn codes(x: &[f32; 32], offset: f32, inverse: f32, (low, high): (f32, f32)) -> [u8; 32] {
        x.map(|x| (whole(((x - offset) * inverse).most(low).least(high)) - low) as u8)
    }
}
