//! Sixteen codes at once: what they stand for by table, blocks of nibbles, and the bytes they lie in.

use core::arch::wasm32::{
    f32x4_mul, i8x16_shuffle, i16x8_shuffle, u8x16, u8x16_shr, u8x16_splat, u8x16_swizzle, v128, v128_and, v128_load,
    v128_store,
};

use super::{load4, store4};

/// Loads sixteen bytes from the start of a slice.
#[inline(always)]
pub(super) fn load_bytes(x: &[u8]) -> v128 {
    assert!(x.len() >= 16);
    // SAFETY: the assertion above guarantees 16 readable bytes; v128_load has no alignment requirement.
    unsafe { v128_load(x.as_ptr().cast()) }
}

/// Stores sixteen bytes to the start of a slice.
#[inline(always)]
pub(super) fn store_bytes(v: v128, out: &mut [u8]) {
    assert!(out.len() >= 16);
    // SAFETY: the assertion above guarantees 16 writable bytes; v128_store has no alignment requirement.
    unsafe { v128_store(out.as_mut_ptr().cast(), v) }
}

/// Sixteen weights from the start of a slice.
#[inline(always)]
pub(super) fn load_weights(x: &[f32]) -> [v128; 4] {
    [load4(x), load4(&x[4..]), load4(&x[8..]), load4(&x[12..])]
}

/// `f` of each. An array's own `map` is a call at the inlining threshold that the module is built with.
#[inline(always)]
pub(super) fn each([a, b, c, d]: [v128; 4], f: impl Fn(v128) -> v128) -> [v128; 4] {
    [f(a), f(b), f(c), f(d)]
}

/// A table of sixteen bytes.
#[inline(always)]
pub(super) const fn bytes(t: [u8; 16]) -> v128 {
    u8x16(t[0], t[1], t[2], t[3], t[4], t[5], t[6], t[7], t[8], t[9], t[10], t[11], t[12], t[13], t[14], t[15])
}

/// Up to sixteen values that bfloat16 has: the two upper bytes of each as an `f32`.
#[derive(Clone, Copy)]
pub(super) struct Levels {
    low: v128,
    high: v128,
}

impl Levels {
    /// Halves of the values given.
    pub(super) const fn of_halves<const N: usize>(twice: [i32; N]) -> Levels {
        let (mut low, mut high) = ([0; 16], [0; 16]);
        let mut i = 0;
        while i < N {
            let [.., a, b] = (twice[i] as f32 / 2.0).to_le_bytes();
            (low[i], high[i]) = (a, b);
            i += 1;
        }
        Levels { low: bytes(low), high: bytes(high) }
    }

    pub(super) const fn of(values: [i8; 16]) -> Levels {
        let mut twice = [0; 16];
        let mut i = 0;
        while i < 16 {
            twice[i] = values[i] as i32 * 2;
            i += 1;
        }
        Levels::of_halves(twice)
    }

    /// The values of sixteen codes below 16, four to a vector.
    #[inline(always)]
    pub(super) fn get(&self, codes: v128) -> [v128; 4] {
        let (low, high) = (u8x16_swizzle(self.low, codes), u8x16_swizzle(self.high, codes));
        let a = i8x16_shuffle::<0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5, 21, 6, 22, 7, 23>(low, high);
        let b = i8x16_shuffle::<8, 24, 9, 25, 10, 26, 11, 27, 12, 28, 13, 29, 14, 30, 15, 31>(low, high);
        let zero = u8x16_splat(0);
        [
            i16x8_shuffle::<0, 8, 1, 9, 2, 10, 3, 11>(zero, a),
            i16x8_shuffle::<0, 12, 1, 13, 2, 14, 3, 15>(zero, a),
            i16x8_shuffle::<0, 8, 1, 9, 2, 10, 3, 11>(zero, b),
            i16x8_shuffle::<0, 12, 1, 13, 2, 14, 3, 15>(zero, b),
        ]
    }

    /// Writes the values of sixteen codes times `scale`.
    #[inline(always)]
    pub(super) fn put(&self, codes: v128, scale: v128, out: &mut [f32; 16]) {
        let v = self.get(codes);
        for i in 0..4 {
            store4(f32x4_mul(v[i], scale), &mut out[4 * i..]);
        }
    }

    /// Writes the values of the low nibbles of sixteen bytes and then of the high ones, times `scale`.
    #[inline(always)]
    pub(super) fn put_nibbles(&self, nibbles: v128, scale: v128, out: &mut [f32; 32]) {
        let halves = out.as_chunks_mut::<16>().0;
        self.put(v128_and(nibbles, u8x16_splat(15)), scale, &mut halves[0]);
        self.put(u8x16_shr(nibbles, 4), scale, &mut halves[1]);
    }
}
