//! Numbers side by side: what a search that treats several blocks at once computes with. One form is a single `f32`, which is the
//! specification; in SIMD128 it is four, each in a lane. Both do the same operations in the same order, so their results are equal.

use std::ops::{Add, Div, Mul, Sub};

/// A number for each of [`Numbers::LANES`] blocks.
pub trait Numbers: Copy + Add<Output = Self> + Sub<Output = Self> + Mul<Output = Self> + Div<Output = Self> {
    /// How many there are.
    const LANES: usize;

    /// The same number for all.
    fn splat(x: f32) -> Self;

    /// A number for each lane.
    fn each(f: impl Fn(usize) -> f32) -> Self;

    /// Element `i` of each of [`Numbers::LANES`] neighbouring blocks of `N` weights in place `i`.
    fn blocks<const N: usize>(x: &[f32]) -> [Self; N];

    /// The number of one lane.
    fn lane(self, lane: usize) -> f32;

    /// The lesser; `other` where one is NaN.
    fn least(self, other: Self) -> Self;

    /// The greater; `other` where one is NaN.
    fn most(self, other: Self) -> Self;

    /// `yes` where it is greater than `than`, else `no`.
    fn greater(self, than: Self, yes: Self, no: Self) -> Self;

    /// The nearest whole number, half to even, for magnitudes below 2²².
    fn whole(self) -> Self;

    /// Without what follows the point.
    fn truncated(self) -> Self;

    /// Its magnitude.
    fn magnitude(self) -> Self;

    /// The nearest number in half precision.
    fn half(self) -> Self;

    /// The power of two at or below the magnitude of a normal number.
    fn power(self) -> Self;

    /// [`super::Rule::Even`] codes of 32 neighbouring weights, counted from `low`: of `(x − offset)·inverse`.
    fn codes(x: &[f32; 32], offset: f32, inverse: f32, ends: (f32, f32)) -> [u8; 32];
}
