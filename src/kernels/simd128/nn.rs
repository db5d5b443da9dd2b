//! The sample networks' layers with images in lanes. Layouts, order and edges: [`crate::kernels::nn`].
//!
//! A tile is `R` output channels by eight images: `2·R` accumulators stay in registers while the inputs stream past,
//! each loaded once for `R` channels. With `R` = 4 that is eight accumulators, two inputs and a weight: they fit in
//! the sixteen vector registers of x86-64.

mod integer;

pub(in crate::kernels) use integer::{conv_int8, conv_xnor, dense_int8, dense_xnor, requantize};

use core::arch::wasm32::{
    f32x4_add, f32x4_max, f32x4_mul, f32x4_pmax, f32x4_splat, v128, v128_load, v128_load32_splat,
};

use super::{load4, store4};
#[cfg(feature = "full")]
use core::arch::wasm32::f32x4_extract_lane;

#[cfg(feature = "full")]
use crate::kernels::nn::check_outer;
use crate::kernels::nn::{Activation, LANES, check_conv, check_dense, check_pool};

/// Output channels of a tile.
const TILE: usize = 4;

/// See [`crate::kernels::nn::conv3x3`].
pub fn conv3x3(
    input: &[f32],
    weights: &[f32],
    bias: &[f32],
    (height, width): (usize, usize),
    activation: Activation,
    output: &mut [f32],
) {
    let in_channels = check_conv(input.len(), weights.len(), bias.len(), (height, width), output.len());
    let conv = Conv { input, weights, bias, in_channels, height, width, activation };
    let tiled = bias.len() / TILE * TILE;
    for o in (0..tiled).step_by(TILE) {
        conv.channels::<TILE>(o, output);
    }
    for o in tiled..bias.len() {
        conv.channels::<1>(o, output);
    }
}

/// A convolution whose lengths `check_conv` has passed.
struct Conv<'a> {
    input: &'a [f32],
    weights: &'a [f32],
    bias: &'a [f32],
    in_channels: usize,
    height: usize,
    width: usize,
    activation: Activation,
}

impl Conv<'_> {
    /// Output channels `o..o + R`, all positions.
    fn channels<const R: usize>(&self, o: usize, output: &mut [f32]) {
        for y in 0..self.height {
            for x in 0..self.width {
                // The columns of the kernel that do not fall on the padding: known to the compiler, so it unrolls them.
                let sums = match (x > 0, x + 1 < self.width) {
                    (true, true) => self.position::<R, 0, 3>(o, y, x),
                    (false, true) => self.position::<R, 1, 3>(o, y, x),
                    (true, false) => self.position::<R, 0, 2>(o, y, x),
                    (false, false) => self.position::<R, 1, 2>(o, y, x),
                };
                for (r, mut sum) in sums.into_iter().enumerate() {
                    let at = ((o + r) * self.height + y) * self.width + x;
                    if self.activation == Activation::Relu {
                        sum = sum.map(relu);
                    }
                    store(&mut output[at * LANES..(at + 1) * LANES], sum);
                }
            }
        }
    }

    /// The sums at (y, x) for output channels `o..o + R` over kernel columns `KX0..KX1`.
    #[inline(always)]
    fn position<const R: usize, const KX0: usize, const KX1: usize>(
        &self,
        o: usize,
        y: usize,
        x: usize,
    ) -> [[v128; 2]; R] {
        assert!(o + R <= self.bias.len() && y < self.height && x + KX0 >= 1 && x + KX1 <= self.width + 1);
        let ky0 = usize::from(y == 0);
        let ky1 = if y + 1 < self.height { 3 } else { 2 };
        let mut sums: [[v128; 2]; R] = core::array::from_fn(|r| [f32x4_splat(self.bias[o + r]); 2]);
        for c in 0..self.in_channels {
            for ky in ky0..ky1 {
                let row = (c * self.height + y + ky - 1) * self.width + x;
                let kernel_row = ((o * self.in_channels + c) * 3 + ky) * 3;
                for kx in KX0..KX1 {
                    // SAFETY: c < in_channels, and by the assertion and ky0, ky1 the pixel (y + ky − 1, x + kx − 1) is on
                    // the plane, o + r names an output channel; `check_conv` has tied both lengths to these counts.
                    unsafe {
                        let values = load(self.input.as_ptr().add((row + kx - 1) * LANES));
                        let weight = self.weights.as_ptr().add(kernel_row + kx);
                        add_products(&mut sums, values, weight, self.in_channels * 9);
                    }
                }
            }
        }
        sums
    }
}

/// See [`crate::kernels::nn::max_pool2`].
pub fn max_pool2(input: &[f32], (height, width): (usize, usize), output: &mut [f32]) {
    check_pool(input.len(), (height, width), output.len());
    let row = width * LANES;
    for (rows, out) in input.chunks_exact(2 * row).zip(output.chunks_exact_mut(row / 2)) {
        let (top, bottom) = rows.split_at(row);
        let squares = top.chunks_exact(2 * LANES).zip(bottom.chunks_exact(2 * LANES));
        for ((a, b), out) in squares.zip(out.chunks_exact_mut(LANES)) {
            let half = |i: usize| {
                let (top, bottom) = (
                    f32x4_max(load4(&a[i..]), load4(&a[LANES + i..])),
                    f32x4_max(load4(&b[i..]), load4(&b[LANES + i..])),
                );
                f32x4_max(top, bottom)
            };
            store(out, [half(0), half(4)]);
        }
    }
}

/// See [`crate::kernels::nn::dense`].
pub fn dense(input: &[f32], weights: &[f32], bias: &[f32], activation: Activation, output: &mut [f32]) {
    check_dense(input.len(), weights.len(), bias.len(), output.len());
    let tiled = bias.len() / TILE * TILE;
    for o in (0..tiled).step_by(TILE) {
        dense_tile::<TILE>(input, weights, bias, activation, o, output);
    }
    for o in tiled..bias.len() {
        dense_tile::<1>(input, weights, bias, activation, o, output);
    }
}

/// Outputs `o..o + R` of a dense layer.
fn dense_tile<const R: usize>(
    input: &[f32],
    weights: &[f32],
    bias: &[f32],
    activation: Activation,
    o: usize,
    output: &mut [f32],
) {
    let features = input.len() / LANES;
    let weights = &weights[o * features..(o + R) * features];
    let mut sums: [[v128; 2]; R] = core::array::from_fn(|r| [f32x4_splat(bias[o + r]); 2]);
    for i in 0..features {
        // SAFETY: i < features, so feature i is in `input` and column i in each of the R rows of `weights`.
        unsafe {
            let values = load(input.as_ptr().add(i * LANES));
            add_products(&mut sums, values, weights.as_ptr().add(i), features);
        }
    }
    for (r, mut sum) in sums.into_iter().enumerate() {
        if activation == Activation::Relu {
            sum = sum.map(relu);
        }
        store(&mut output[(o + r) * LANES..(o + r + 1) * LANES], sum);
    }
}

/// See [`crate::kernels::nn::outer`].
#[cfg(feature = "full")]
pub fn outer(gradient: &[f32], input: &[f32], n: usize, sums: &mut [f32]) {
    let (outputs, inputs) = check_outer(gradient.len(), input.len(), n, sums.len());
    let (rows, columns) = (outputs / 2 * 2, inputs / 2 * 2);
    for o in (0..rows).step_by(2) {
        for i in (0..columns).step_by(2) {
            outer_tile::<2, 2>(gradient, input, n, (o, i), sums);
        }
        if columns < inputs {
            outer_tile::<2, 1>(gradient, input, n, (o, columns), sums);
        }
    }
    if rows < outputs {
        for i in 0..inputs {
            outer_tile::<1, 1>(gradient, input, n, (rows, i), sums);
        }
    }
}

/// Outputs `o..o + R` by inputs `i..i + C`.
#[cfg(feature = "full")]
#[inline(always)]
fn outer_tile<const R: usize, const C: usize>(
    gradient: &[f32],
    input: &[f32],
    n: usize,
    (o, i): (usize, usize),
    sums: &mut [f32],
) {
    let inputs = input.len() / n;
    let gradient = &gradient[o * n..(o + R) * n];
    let input = &input[i * n..(i + C) * n];
    let mut lanes = [[[f32x4_splat(0.0); 2]; C]; R];
    for k in (0..n).step_by(LANES) {
        // SAFETY: k + LANES ≤ n, as n is whole blocks, so each of the R and C rows of the slices above has eight values at k.
        unsafe {
            let x: [[v128; 2]; C] = core::array::from_fn(|c| load(input.as_ptr().add(c * n + k)));
            for (r, lanes) in lanes.iter_mut().enumerate() {
                let g = load(gradient.as_ptr().add(r * n + k));
                for (lane, x) in lanes.iter_mut().zip(x) {
                    *lane = [f32x4_add(lane[0], f32x4_mul(g[0], x[0])), f32x4_add(lane[1], f32x4_mul(g[1], x[1]))];
                }
            }
        }
    }
    for (r, lanes) in lanes.into_iter().enumerate() {
        for (c, [low, high]) in lanes.into_iter().enumerate() {
            let four = f32x4_add(low, high); // a + e, b + f, c + g, d + h
            let (first, second) = (f32x4_extract_lane::<0>(four), f32x4_extract_lane::<1>(four));
            let (third, fourth) = (f32x4_extract_lane::<2>(four), f32x4_extract_lane::<3>(four));
            sums[(o + r) * inputs + i + c] += (first + third) + (second + fourth);
        }
    }
}

/// `sums[r] += values · weight[r · stride]`, the product and the sum each rounded.
///
/// # Safety
/// `weight + r · stride` must be readable for every r < R.
#[inline(always)]
unsafe fn add_products<const R: usize>(
    sums: &mut [[v128; 2]; R],
    values: [v128; 2],
    weight: *const f32,
    stride: usize,
) {
    for (r, sum) in sums.iter_mut().enumerate() {
        // SAFETY: the caller's.
        let w = unsafe { v128_load32_splat(weight.add(r * stride).cast()) };
        *sum = [f32x4_add(sum[0], f32x4_mul(values[0], w)), f32x4_add(sum[1], f32x4_mul(values[1], w))];
    }
}

/// Eight values.
///
/// # Safety
/// `at` must be the first of eight readable values.
#[inline(always)]
unsafe fn load(at: *const f32) -> [v128; 2] {
    // SAFETY: the caller's.
    unsafe { [v128_load(at.cast()), v128_load(at.add(4).cast())] }
}

#[inline(always)]
fn store(out: &mut [f32], values: [v128; 2]) {
    let (low, high) = out.split_at_mut(LANES / 2);
    store4(values[0], low);
    store4(values[1], high);
}

/// `x < 0 ? 0 : x`: NaN and −0 stay.
#[inline(always)]
fn relu(x: v128) -> v128 {
    f32x4_pmax(x, f32x4_splat(0.0))
}
