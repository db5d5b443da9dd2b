//! The integer layers, one image after another. Layouts and bounds: [`crate::kernels::nn::integer`].

use crate::kernels::nn::LANES;
use crate::kernels::nn::integer::{Layer, PAIR};

/// The bias and two products for each word. See [`crate::kernels::nn::integer::conv3x3_int8`].
pub(in crate::kernels) fn conv_int8(layer: &Layer<'_>, input: &[u8], bias: &[i32], output: &mut [i32]) {
    conv(layer, output, |o| bias[o], |sum, word, unit, lane| sum + pair(word, &input[unit * PAIR + 2 * lane..]));
}

/// See [`crate::kernels::nn::integer::dense_int8`].
pub(in crate::kernels) fn dense_int8(layer: &Layer<'_>, input: &[u8], bias: &[i32], output: &mut [i32]) {
    dense(layer, output, |o| bias[o], |sum, word, unit, lane| sum + pair(word, &input[unit * PAIR + 2 * lane..]));
}

/// The products of the two weights of a word.
fn pair(word: u32, x: &[u8]) -> i32 {
    let [low, high] = [word as i16, (word >> 16) as i16];
    i32::from(low) * i32::from(x[0]) + i32::from(high) * i32::from(x[1])
}

/// The taps on the plane, less twice the signs that differ. See [`crate::kernels::nn::integer::conv3x3_xnor`].
pub(in crate::kernels) fn conv_xnor(layer: &Layer<'_>, input: &[u32], output: &mut [i32]) {
    conv(layer, output, |_| 0, |sum, word, unit, lane| sum - 2 * differing(word, input[unit * LANES + lane]));
    for (position, (y, x)) in positions(layer).enumerate() {
        let taps = (0..9).filter(|&tap| tap_at(layer, (y, x), tap).is_some()).count();
        for o in 0..layer.outputs {
            let at = (o * layer.height * layer.width + position) * LANES;
            output[at..at + LANES].iter_mut().for_each(|dot| *dot += (layer.channels * taps) as i32);
        }
    }
}

/// See [`crate::kernels::nn::integer::dense_xnor`].
pub(in crate::kernels) fn dense_xnor(layer: &Layer<'_>, input: &[u32], output: &mut [i32]) {
    let all = (layer.channels * layer.taps) as i32;
    dense(layer, output, |_| all, |sum, word, unit, lane| sum - 2 * differing(word, input[unit * LANES + lane]));
}

fn differing(word: u32, x: u32) -> i32 {
    (word ^ x).count_ones() as i32
}

/// See [`crate::kernels::nn::integer::requantize`].
pub(in crate::kernels) fn requantize(sums: &[i32], multipliers: &[f32], output: &mut [u8]) {
    let plane = sums.len().checked_div(multipliers.len()).unwrap_or(0);
    output.fill(0); // the channel that fills up the last pair
    for (c, &multiplier) in multipliers.iter().enumerate() {
        for (i, &sum) in sums[c * plane..(c + 1) * plane].iter().enumerate() {
            let code = (sum as f32 * multiplier).round_ties_even() as i32; // saturates; NaN becomes 0
            output[(c / 2 * plane + i) * 2 + c % 2] = code.clamp(0, 255) as u8;
        }
    }
}

fn positions(layer: &Layer<'_>) -> impl Iterator<Item = (usize, usize)> + use<> {
    let width = layer.width;
    (0..layer.height * width).map(move |at| (at / width, at % width))
}

/// The pixel that a tap of the kernel around (y, x) falls on; none on the padding.
fn tap_at(layer: &Layer<'_>, (y, x): (usize, usize), tap: usize) -> Option<usize> {
    let (y, x) = ((y + tap / 3).checked_sub(1)?, (x + tap % 3).checked_sub(1)?);
    (y < layer.height && x < layer.width).then_some(y * layer.width + x)
}

/// `add(sum, word of weights, unit of the input, image)`.
fn conv(
    layer: &Layer<'_>,
    output: &mut [i32],
    start: impl Fn(usize) -> i32,
    add: impl Fn(i32, u32, usize, usize) -> i32,
) {
    let plane = layer.height * layer.width;
    for o in 0..layer.outputs {
        for (position, at) in positions(layer).enumerate() {
            let mut sums = [start(o); LANES];
            for group in 0..layer.groups {
                for tap in 0..9 {
                    let Some(pixel) = tap_at(layer, at, tap) else { continue };
                    let word = layer.words[(o * layer.groups + group) * 9 + tap];
                    for (lane, sum) in sums.iter_mut().enumerate() {
                        *sum = add(*sum, word, group * plane + pixel, lane);
                    }
                }
            }
            output[(o * plane + position) * LANES..][..LANES].copy_from_slice(&sums);
        }
    }
}

fn dense(
    layer: &Layer<'_>,
    output: &mut [i32],
    start: impl Fn(usize) -> i32,
    add: impl Fn(i32, u32, usize, usize) -> i32,
) {
    let units = layer.groups * layer.taps;
    for o in 0..layer.outputs {
        let mut sums = [start(o); LANES];
        for (unit, &word) in layer.words[o * units..(o + 1) * units].iter().enumerate() {
            for (lane, sum) in sums.iter_mut().enumerate() {
                *sum = add(*sum, word, unit, lane);
            }
        }
        output[o * LANES..][..LANES].copy_from_slice(&sums);
    }
}
