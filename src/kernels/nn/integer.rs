//! The sample networks' layers in integers: int8 weights on 8-bit activations, and ±1 weights on ±1 activations (XNOR and popcount).
//!
//! **int8.** A weight is an `i8`, an activation a `u8` whose zero point is 0 (activations here are never negative; the same numbers as signed
//! int8 with zero point −128). Sums are exact in i32: a layer has at most [`MAX_FAN_IN`] inputs for each output and biases within
//! ±[`MAX_BIAS`], so no sum leaves ±(2³⁰ + 2¹⁵·255·128) < 2³¹. These are ONNX's `ConvInteger` and `MatMulInteger` with a bias added.
//!
//! **XNOR.** A weight and an activation are bits: 1 for +1, 0 for −1. A product of signs is an XNOR, so a dot product of n signs is
//! `n − 2·popcount(w ⊕ x)` (Rastegari et al. 2016, *XNOR-Net*). Taps that fall on the padding are left out.
//!
//! Layouts put what one instruction takes side by side. Activations: `[channels/2][height][width][LANES][2]` bytes (pairs of channels),
//! or `[channels/32][height][width][LANES]` words of 32 signs, the first channel in the lowest bit; channels are filled up with zeros. Weights: a
//! 32-bit word for each tap and pair (two i16) or 32 channels (bits). A dense layer on `[channels][height][width]` is one whose taps are
//! the plane. A sum is exact whatever its order, so there is no order to keep.

use super::{LANES, check_pool};
use crate::kernels::dispatch;

/// Inputs that an output may have: channels × taps.
pub const MAX_FAN_IN: usize = 1 << 15;
/// The largest magnitude of an int8 layer's bias.
pub const MAX_BIAS: i32 = 1 << 30;

/// Rows of weights are filled up with zero rows to a multiple of this: output channels that the SIMD form computes together.
pub(in crate::kernels) const TILE: usize = 4;

/// A layer's weights, `[outputs, up to a multiple of TILE][groups][taps]`.
#[derive(Debug, Clone)]
struct Words {
    words: Vec<u32>,
    outputs: usize,
    channels: usize,
    taps: usize,
    /// Words that hold all channels of a tap.
    groups: usize,
}

impl Words {
    /// `bits(i)` is what weight `i` of `[outputs][channels][taps]` adds to a word that holds `per_word` of them, in its lowest place.
    fn new(dims: [usize; 3], per_word: usize, bits: impl Fn(usize) -> u32) -> Words {
        let [outputs, channels, taps] = dims;
        let fan_in = channels.checked_mul(taps).expect("the fan-in overflows");
        assert!(taps > 0 && fan_in <= MAX_FAN_IN, "a fan-in of {fan_in}");
        let groups = channels.div_ceil(per_word);
        let mut words = vec![0; outputs.next_multiple_of(TILE) * groups * taps];
        for i in 0..outputs * fan_in {
            let (o, c, tap) = (i / fan_in, i / taps % channels, i % taps);
            words[(o * groups + c / per_word) * taps + tap] |= bits(i) << (c % per_word * (32 / per_word));
        }
        Words { words, outputs, channels, taps, groups }
    }
}

/// The weights of an int8 layer.
#[derive(Debug, Clone)]
pub struct Int8Weights(Words);

/// The weights of an XNOR layer.
#[derive(Debug, Clone)]
pub struct SignWeights(Words);

impl Int8Weights {
    /// From `codes`, row-major `[outputs, channels, taps]`.
    ///
    /// # Panics
    /// When the length does not fit, there are no taps, or an output has more than [`MAX_FAN_IN`] inputs.
    #[must_use]
    pub fn new(codes: &[i8], dims: [usize; 3]) -> Int8Weights {
        assert_eq!(Some(codes.len()), count(dims), "weights");
        Int8Weights(Words::new(dims, 2, |i| u32::from(i16::from(codes[i]) as u16)))
    }
}

impl SignWeights {
    /// The signs of `weights`, row-major `[outputs, channels, taps]`. Zeros of both signs count as +1, as does NaN.
    ///
    /// # Panics
    /// As [`Int8Weights::new`].
    #[must_use]
    pub fn new(weights: &[f32], dims: [usize; 3]) -> SignWeights {
        assert_eq!(Some(weights.len()), count(dims), "weights");
        SignWeights(Words::new(dims, 32, |i| u32::from(!(weights[i] < 0.0))))
    }
}

fn count(dims: [usize; 3]) -> Option<usize> {
    dims.iter().try_fold(1_usize, |n, &d| n.checked_mul(d))
}

/// A layer whose lengths have been checked, for both kinds of weights and both forms of each kernel.
#[derive(Debug, Clone, Copy)]
pub(in crate::kernels) struct Layer<'a> {
    /// `[outputs, up to a multiple of TILE][groups][taps]`.
    pub words: &'a [u32],
    pub outputs: usize,
    /// Real channels; the rest of the groups is filled up.
    pub channels: usize,
    pub groups: usize,
    pub taps: usize,
    /// Of the input and the output: the whole plane for a convolution, 1×1 for a dense layer.
    pub height: usize,
    pub width: usize,
}

impl<'a> Layer<'a> {
    /// A convolution where `plane` is given, else a dense layer. `input` counts units: what one word of weights meets, for LANES images.
    fn new(weights: &'a Words, plane: Option<(usize, usize)>, input: usize, output: usize) -> Layer<'a> {
        let &Words { ref words, outputs, channels, taps, groups } = weights;
        let (height, width) = plane.unwrap_or((1, 1));
        let positions = height.checked_mul(width).expect("the plane's size overflows");
        if plane.is_some() {
            assert!(positions > 0 && taps == 9, "a 3×3 convolution on a plane");
        }
        let per_group = if plane.is_some() { positions } else { taps };
        assert_eq!(Some(input), groups.checked_mul(per_group), "input");
        assert_eq!(Some(output), outputs.checked_mul(positions).and_then(|n| n.checked_mul(LANES)), "output");
        Layer { words, outputs, channels, groups, taps, height, width }
    }
}

/// Bytes of activations that one word of int8 weights meets.
pub(in crate::kernels) const PAIR: usize = 2 * LANES;

fn int8<'a>(
    input: &[u8],
    weights: &'a Int8Weights,
    bias: &[i32],
    plane: Option<(usize, usize)>,
    output: &[i32],
) -> Layer<'a> {
    assert_eq!(input.len() % PAIR, 0, "the input is not whole pairs of channels");
    assert_eq!(bias.len(), weights.0.outputs, "bias");
    assert!(bias.iter().all(|b| (-MAX_BIAS..=MAX_BIAS).contains(b)), "a bias is out of range");
    Layer::new(&weights.0, plane, input.len() / PAIR, output.len())
}

fn xnor<'a>(input: &[u32], weights: &'a SignWeights, plane: Option<(usize, usize)>, output: &[i32]) -> Layer<'a> {
    assert_eq!(input.len() % LANES, 0, "the input is not whole words");
    Layer::new(&weights.0, plane, input.len() / LANES, output.len())
}

/// A 3×3 convolution with stride 1 and one pixel of zero padding.
///
/// `input`: `[channels/2][height][width][LANES][2]`; `weights` with 9 taps; `bias`: `[outputs]`; `output`:
/// `[outputs][height][width][LANES]`.
///
/// # Panics
/// When the lengths do not fit together or a bias is beyond [`MAX_BIAS`].
pub fn conv3x3_int8(input: &[u8], weights: &Int8Weights, bias: &[i32], plane: (usize, usize), output: &mut [i32]) {
    let layer = int8(input, weights, bias, Some(plane), output);
    dispatch!(nn::conv_int8(&layer, input, bias, output));
}

/// A dense layer. `input`: `[channels/2][taps][LANES][2]`; `bias`: `[outputs]`; `output`: `[outputs][LANES]`.
///
/// # Panics
/// As [`conv3x3_int8`].
pub fn dense_int8(input: &[u8], weights: &Int8Weights, bias: &[i32], output: &mut [i32]) {
    let layer = int8(input, weights, bias, None, output);
    dispatch!(nn::dense_int8(&layer, input, bias, output));
}

/// A 3×3 convolution of signs with stride 1, its padding left out.
///
/// `input`: `[channels/32][height][width][LANES]`; `weights` with 9 taps; `output`: `[outputs][height][width][LANES]`.
///
/// # Panics
/// When the lengths do not fit together.
pub fn conv3x3_xnor(input: &[u32], weights: &SignWeights, plane: (usize, usize), output: &mut [i32]) {
    let layer = xnor(input, weights, Some(plane), output);
    dispatch!(nn::conv_xnor(&layer, input, output));
}

/// A dense layer of signs. `input`: `[channels/32][taps][LANES]`; `output`: `[outputs][LANES]`.
///
/// # Panics
/// As [`conv3x3_xnor`].
pub fn dense_xnor(input: &[u32], weights: &SignWeights, output: &mut [i32]) {
    let layer = xnor(input, weights, None, output);
    dispatch!(nn::dense_xnor(&layer, input, output));
}

/// Sums to the next layer's activations: `clamp(round_half_even(f32(sum) · multiplier), 0, 255)`, one multiplier for each channel; NaN
/// becomes 0. Negative sums become 0, so this is ReLU as well.
///
/// `sums`: `[channels][positions][LANES]`; `multipliers`: `[channels]`; `output`: `[channels/2][positions][LANES][2]`.
///
/// # Panics
/// When the lengths do not fit together.
pub fn requantize(sums: &[i32], multipliers: &[f32], output: &mut [u8]) {
    let channels = multipliers.len();
    let positions = sums.len().checked_div(channels * LANES).unwrap_or(0);
    assert_eq!(sums.len(), channels * positions * LANES, "the sums are not whole channels");
    assert_eq!(output.len(), channels.div_ceil(2) * positions * PAIR, "output");
    dispatch!(nn::requantize(sums, multipliers, output));
}

/// The largest of each 2×2 square. `input`: `[channels][height][width][LANES]`, `height` and `width` even; `output`:
/// `[channels][height/2][width/2][LANES]`.
///
/// # Panics
/// When the lengths do not fit together or a side is odd.
pub fn max_pool2_sums(input: &[i32], (height, width): (usize, usize), output: &mut [i32]) {
    check_pool(input.len(), (height, width), output.len());
    let row = width * LANES;
    for (rows, out) in input.chunks_exact(2 * row).zip(output.chunks_exact_mut(row / 2)) {
        let (top, bottom) = rows.split_at(row);
        let squares = top.chunks_exact(2 * LANES).zip(bottom.chunks_exact(2 * LANES));
        for ((a, b), out) in squares.zip(out.chunks_exact_mut(LANES)) {
            for lane in 0..LANES {
                out[lane] = a[lane].max(a[LANES + lane]).max(b[lane].max(b[LANES + lane]));
            }
        }
    }
}

/// What XNOR-Net makes of an input: the signs of `x − center`, 0 counting as +1, and their mean magnitude over the channels.
///
/// `input`: `[channels][positions][LANES]`; `centers`: `[channels]`; `signs`: `[channels/32][positions][LANES]`; `magnitudes`:
/// `[positions][LANES]`, summed in f32 in the order of the channels.
///
/// # Panics
/// When the lengths do not fit together or there are no channels.
pub fn binarize(input: &[f32], centers: &[f32], signs: &mut [u32], magnitudes: &mut [f32]) {
    let (channels, plane) = (centers.len(), magnitudes.len());
    assert!(plane > 0 && plane % LANES == 0 && channels > 0, "an empty or broken plane");
    assert_eq!(Some(input.len()), channels.checked_mul(plane), "input");
    assert_eq!(Some(signs.len()), channels.div_ceil(32).checked_mul(plane), "signs");
    signs.fill(0);
    magnitudes.fill(0.0);
    for (c, (&center, values)) in centers.iter().zip(input.chunks_exact(plane)).enumerate() {
        let words = &mut signs[c / 32 * plane..][..plane];
        for ((x, word), magnitude) in values.iter().zip(words).zip(&mut *magnitudes) {
            let x = x - center;
            *word |= u32::from(!(x < 0.0)) << (c % 32);
            *magnitude += x.abs();
        }
    }
    let each = 1.0 / channels as f32;
    for magnitude in magnitudes {
        *magnitude *= each;
    }
}

/// XNOR-Net's `K`: the mean of each 3×3 square of a map of magnitudes, the padding counting as zeros.
///
/// `magnitudes`, `output`: `[height][width][LANES]`.
///
/// # Panics
/// When the lengths do not fit together.
pub fn box3x3(magnitudes: &[f32], (height, width): (usize, usize), output: &mut [f32]) {
    let plane = height.checked_mul(width).and_then(|n| n.checked_mul(LANES));
    assert!(plane == Some(magnitudes.len()) && plane == Some(output.len()), "a plane");
    for (at, out) in output.chunks_exact_mut(LANES).enumerate() {
        let (y, x) = (at / width, at % width);
        let mut sum = [0.0; LANES];
        for near_y in y.saturating_sub(1)..(y + 2).min(height) {
            for near_x in x.saturating_sub(1)..(x + 2).min(width) {
                let values = &magnitudes[(near_y * width + near_x) * LANES..][..LANES];
                for (s, v) in sum.iter_mut().zip(values) {
                    *s += v;
                }
            }
        }
        out.copy_from_slice(&sum.map(|s| s / 9.0));
    }
}

/// Dot products of signs to numbers, then ReLU: `max(0, (f32(dot) · K) · gain + offset)`; NaN stays.
///
/// `dots`, `output`: `[channels][positions][LANES]`; `k`: `[positions][LANES]`; `gains`, `offsets`: `[channels]`.
///
/// # Panics
/// When the lengths do not fit together.
pub fn scale_relu(dots: &[i32], k: &[f32], gains: &[f32], offsets: &[f32], output: &mut [f32]) {
    assert!(!k.is_empty() && gains.len() == offsets.len() && dots.len() == output.len(), "lengths");
    assert_eq!(Some(dots.len()), gains.len().checked_mul(k.len()), "dots");
    let channels = dots.chunks_exact(k.len()).zip(output.chunks_exact_mut(k.len()));
    for ((dots, output), (gain, offset)) in channels.zip(gains.iter().zip(offsets)) {
        for ((dot, k), out) in dots.iter().zip(k).zip(output) {
            let y = *dot as f32 * k * gain + offset;
            *out = if y < 0.0 { 0.0 } else { y };
        }
    }
}
