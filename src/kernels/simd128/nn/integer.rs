//! The integer layers with images in lanes. Layouts and bounds: [`crate::kernels::nn::integer`].
//!
//! A tile is [`TILE`] output channels by eight images, as in the float layers. A word of weights is splatted over a vector; it meets
//! - int8: two channels of four images, in one `i32x4.dot_i16x8_s`;
//! - XNOR: 32 channels of four images, in `xor` and `i8x16.popcnt`. Counts stay in bytes over [`CHUNK`] words, 8 at most for each.

use core::arch::wasm32::{
    f32x4_convert_i32x4, f32x4_mul, f32x4_nearest, f32x4_splat, i8x16_add, i8x16_popcnt, i8x16_shuffle,
    i16x8_narrow_i32x4, i32x4_add, i32x4_dot_i16x8, i32x4_extadd_pairwise_u16x8, i32x4_shl, i32x4_splat, i32x4_sub,
    i32x4_trunc_sat_f32x4, u8x16_narrow_i16x8, u16x8_extadd_pairwise_u8x16, u16x8_load_extend_u8x8, v128, v128_load,
    v128_load32_splat, v128_store, v128_xor,
};

use crate::kernels::nn::LANES;
use crate::kernels::nn::integer::{Layer, PAIR, TILE};

/// Words after which counts leave their bytes: 8 · 16 < 256. A convolution's nine taps are fewer.
const CHUNK: usize = 16;

type Sums = [[v128; 2]; TILE];

/// What a word of weights does with the activations it meets.
trait Product {
    /// Bytes of activations that a word meets, for eight images.
    const UNIT: usize;

    /// # Safety
    /// `at` must be the first of `UNIT` readable bytes.
    unsafe fn load(at: *const u8) -> [v128; 2];

    /// Adds to a sum that [`Product::begin`] made.
    fn add(sum: v128, values: v128, word: v128) -> v128;

    /// What up to [`CHUNK`] words are added to.
    fn begin(total: v128) -> v128;

    /// The total after them.
    fn end(total: v128, sum: v128) -> v128;
}

struct Int8;

impl Product for Int8 {
    const UNIT: usize = PAIR;

    #[inline(always)]
    unsafe fn load(at: *const u8) -> [v128; 2] {
        // SAFETY: the caller's: sixteen bytes.
        unsafe { [u16x8_load_extend_u8x8(at), u16x8_load_extend_u8x8(at.add(8))] }
    }

    #[inline(always)]
    fn add(sum: v128, values: v128, word: v128) -> v128 {
        i32x4_add(sum, i32x4_dot_i16x8(values, word))
    }

    #[inline(always)]
    fn begin(total: v128) -> v128 {
        total
    }

    #[inline(always)]
    fn end(_: v128, sum: v128) -> v128 {
        sum
    }
}

struct Xnor;

impl Product for Xnor {
    const UNIT: usize = 4 * LANES;

    #[inline(always)]
    unsafe fn load(at: *const u8) -> [v128; 2] {
        // SAFETY: the caller's: 32 bytes.
        unsafe { [v128_load(at.cast()), v128_load(at.add(16).cast())] }
    }

    #[inline(always)]
    fn add(sum: v128, values: v128, word: v128) -> v128 {
        i8x16_add(sum, i8x16_popcnt(v128_xor(values, word)))
    }

    #[inline(always)]
    fn begin(_: v128) -> v128 {
        i32x4_splat(0)
    }

    /// A dot product falls by two for each sign that differs.
    #[inline(always)]
    fn end(total: v128, sum: v128) -> v128 {
        let differing = i32x4_extadd_pairwise_u16x8(u16x8_extadd_pairwise_u8x16(sum));
        i32x4_sub(total, i32x4_shl(differing, 1))
    }
}

/// See [`crate::kernels::nn::integer::conv3x3_int8`].
pub(in crate::kernels) fn conv_int8(layer: &Layer<'_>, input: &[u8], bias: &[i32], output: &mut [i32]) {
    conv::<Int8>(layer, input, |o, _| bias[o], output);
}

/// See [`crate::kernels::nn::integer::dense_int8`].
pub(in crate::kernels) fn dense_int8(layer: &Layer<'_>, input: &[u8], bias: &[i32], output: &mut [i32]) {
    dense::<Int8>(layer, input, |o| bias[o], output);
}

/// See [`crate::kernels::nn::integer::conv3x3_xnor`].
pub(in crate::kernels) fn conv_xnor(layer: &Layer<'_>, input: &[u32], output: &mut [i32]) {
    conv::<Xnor>(layer, bytes(input), |_, taps| (layer.channels * taps) as i32, output);
}

/// See [`crate::kernels::nn::integer::dense_xnor`].
pub(in crate::kernels) fn dense_xnor(layer: &Layer<'_>, input: &[u32], output: &mut [i32]) {
    let all = (layer.channels * layer.taps) as i32;
    dense::<Xnor>(layer, bytes(input), |_| all, output);
}

fn bytes(words: &[u32]) -> &[u8] {
    // SAFETY: the same memory; every byte of a u32 is a u8.
    unsafe { core::slice::from_raw_parts(words.as_ptr().cast(), words.len() * 4) }
}

/// `start(output, taps on the plane)`.
#[inline(always)]
fn conv<P: Product>(layer: &Layer<'_>, input: &[u8], start: impl Fn(usize, usize) -> i32, output: &mut [i32]) {
    let &Layer { words, outputs, groups, height, width, .. } = layer;
    let (plane, row) = (height * width, groups * 9);
    assert!(input.len() == groups * plane * P::UNIT && words.len() >= outputs.next_multiple_of(TILE) * row);
    for o in (0..outputs).step_by(TILE) {
        for y in 0..height {
            let (ky0, ky1) = (usize::from(y == 0), if y + 1 < height { 3 } else { 2 });
            for x in 0..width {
                let (kx0, kx1) = (usize::from(x == 0), if x + 1 < width { 3 } else { 2 });
                let taps = (ky1 - ky0) * (kx1 - kx0);
                let mut totals = starts(o, outputs, |o| start(o, taps));
                for group in 0..groups {
                    let mut sums = totals.map(|t| t.map(P::begin));
                    for ky in ky0..ky1 {
                        let unit = (group * height + y + ky - 1) * width + x;
                        let word = o * row + group * 9 + 3 * ky;
                        for kx in kx0..kx1 {
                            // SAFETY: by ky0, ky1, kx0 and kx1 the pixel (y + ky − 1, x + kx − 1) is on the plane, so its unit lies in
                            // `input`; words of TILE rows from row o on lie in `words`: the assertion above.
                            unsafe {
                                let values = P::load(input.as_ptr().add((unit + kx - 1) * P::UNIT));
                                add_words::<P>(&mut sums, values, words.as_ptr().add(word + kx), row);
                            }
                        }
                    }
                    end::<P>(&mut totals, sums);
                }
                store(totals, o, outputs, plane, y * width + x, output);
            }
        }
    }
}

#[inline(always)]
fn dense<P: Product>(layer: &Layer<'_>, input: &[u8], start: impl Fn(usize) -> i32, output: &mut [i32]) {
    let (words, outputs, row) = (layer.words, layer.outputs, layer.groups * layer.taps);
    assert!(input.len() == row * P::UNIT && words.len() >= outputs.next_multiple_of(TILE) * row);
    for o in (0..outputs).step_by(TILE) {
        let mut totals = starts(o, outputs, &start);
        for first in (0..row).step_by(CHUNK) {
            let mut sums = totals.map(|t| t.map(P::begin));
            for unit in first..(first + CHUNK).min(row) {
                // SAFETY: unit < row; `input` has row units and `words` TILE rows from row o on: the assertion above.
                unsafe {
                    let values = P::load(input.as_ptr().add(unit * P::UNIT));
                    add_words::<P>(&mut sums, values, words.as_ptr().add(o * row + unit), row);
                }
            }
            end::<P>(&mut totals, sums);
        }
        store(totals, o, outputs, 1, 0, output);
    }
}

/// What the sums of outputs `o..o + TILE` start from; those beyond the last output are not stored.
#[inline(always)]
fn starts(o: usize, outputs: usize, start: impl Fn(usize) -> i32) -> Sums {
    core::array::from_fn(|r| [i32x4_splat(start((o + r).min(outputs - 1))); 2])
}

/// # Safety
/// `word + r · stride` must be readable for every r < TILE.
#[inline(always)]
unsafe fn add_words<P: Product>(sums: &mut Sums, values: [v128; 2], word: *const u32, stride: usize) {
    for (r, sum) in sums.iter_mut().enumerate() {
        // SAFETY: the caller's.
        let w = unsafe { v128_load32_splat(word.add(r * stride)) };
        *sum = [P::add(sum[0], values[0], w), P::add(sum[1], values[1], w)];
    }
}

#[inline(always)]
fn end<P: Product>(totals: &mut Sums, sums: Sums) {
    for (total, sum) in totals.iter_mut().zip(sums) {
        *total = [P::end(total[0], sum[0]), P::end(total[1], sum[1])];
    }
}

#[inline(always)]
fn store(totals: Sums, o: usize, outputs: usize, plane: usize, position: usize, output: &mut [i32]) {
    for (r, total) in totals.into_iter().enumerate().take(outputs - o) {
        let out = &mut output[((o + r) * plane + position) * LANES..][..LANES];
        // SAFETY: `out` has eight values.
        unsafe {
            v128_store(out.as_mut_ptr().cast(), total[0]);
            v128_store(out.as_mut_ptr().add(4).cast(), total[1]);
        }
    }
}

/// See [`crate::kernels::nn::integer::requantize`].
pub(in crate::kernels) fn requantize(sums: &[i32], multipliers: &[f32], output: &mut [u8]) {
    let plane = sums.len().checked_div(multipliers.len()).unwrap_or(0);
    for (c, &low) in multipliers.iter().enumerate().step_by(2) {
        let first = &sums[c * plane..(c + 1) * plane];
        // Without a second channel the first stands in for it, times zero.
        let (second, high) =
            multipliers.get(c + 1).map_or((first, 0.0), |&high| (&sums[(c + 1) * plane..(c + 2) * plane], high));
        let units = first.chunks_exact(LANES).zip(second.chunks_exact(LANES));
        for ((a, b), out) in units.zip(output[c * plane..].chunks_exact_mut(PAIR)) {
            let codes = u8x16_narrow_i16x8(rescaled(a, low), rescaled(b, high));
            let pairs = i8x16_shuffle::<0, 8, 1, 9, 2, 10, 3, 11, 4, 12, 5, 13, 6, 14, 7, 15>(codes, codes);
            // SAFETY: `out` has sixteen bytes.
            unsafe { v128_store(out.as_mut_ptr().cast(), pairs) };
        }
    }
}

/// Eight sums, rescaled and rounded, as i16 saturated.
#[inline(always)]
fn rescaled(sums: &[i32], multiplier: f32) -> v128 {
    assert!(sums.len() >= LANES);
    let m = f32x4_splat(multiplier);
    let four = |at: usize| {
        // SAFETY: the assertion above: eight values.
        let sums = unsafe { v128_load(sums.as_ptr().add(at).cast()) };
        i32x4_trunc_sat_f32x4(f32x4_nearest(f32x4_mul(f32x4_convert_i32x4(sums), m)))
    };
    i16x8_narrow_i32x4(four(0), four(4))
}
