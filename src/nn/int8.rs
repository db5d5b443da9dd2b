//! The digits network in 8-bit integers.
//!
//! - **Weights**: int8, symmetric and narrow, one scale for each output channel: `s_w = max|w| / 127`, codes −127…127.
//! - **Activations**: `u8`, zero point 0, one scale for each layer. They are never negative (pixels, and what ReLU leaves), so nothing of the
//!   range is lost; as signed int8 the zero point would be −128. A pixel is its own code, 0…16 at scale 1/16, without error. Between layers
//!   the scale is `range / 255`, the range being the largest activation over some images.
//! - **Sums**: i32, exact. The bias has the scale `s_x · s_w`, rounded half to even and held to ±2³⁰.
//! - **Between layers**: 2×2 max pool on the sums, then `clamp(round_half_even(f32(sum) · m), 0, 255)` with `m = s_x · s_w / s_y` as f32,
//!   computed in f64: ONNX's `QLinearConv` with a float rescale. That never falls as the sum grows, so the pool may go first.
//! - **Logits**: `f32(sum) · (s_x · s_w)`.
//!
//! A scale below the least normal f32 becomes 1, as in the affine schemes.

use super::digits::{CLASSES, DIMS, DigitsNet, INK, LAYERS, PLANES, WIDTHS};
use crate::error::{Code, Error, Result};
use crate::kernels::nn::LANES;
use crate::kernels::nn::integer::{Int8Weights, MAX_BIAS, conv3x3_int8, dense_int8, max_pool2_sums, requantize};
use crate::kernels::{Grid, Rounding, encode, extent};

/// A layer: its weights and how its sums go on.
struct Layer {
    weights: Int8Weights,
    bias: Vec<i32>,
    /// For each output: a sum times this is the next layer's code, in the last layer the logit.
    multipliers: Vec<f32>,
}

/// The network with what goes into each layer.
pub(crate) struct Int8Net {
    layers: [Layer; LAYERS],
    /// `codes[l]` goes into layer l: blocks of `[channels/2][positions][LANES][2]`.
    codes: [Vec<u8>; LAYERS],
    /// Blocks of `[CLASSES][LANES]`.
    logits: Vec<f32>,
}

/// Channels that go into each layer.
const fn channels(layer: usize) -> usize {
    DIMS[layer][1]
}

impl Int8Net {
    /// The network of these weights and images; `ranges` are the largest activations that go into conv2, fc1 and fc2.
    pub(crate) fn new(net: &DigitsNet, ranges: [f32; 3]) -> Result<Int8Net> {
        net.check_finite()?;
        if ranges.iter().any(|range| !range.is_finite()) {
            return Err(Error::new(Code::NonFinite, "the network's activations are not finite"));
        }
        // What goes into each layer; the logits are not quantized.
        let [into_conv2, into_fc1, into_fc2] = ranges.map(|range| f64::from(usable(range / 255.0)));
        let scales = [1.0 / f64::from(INK), into_conv2, into_fc1, into_fc2, 1.0];
        let layers = std::array::from_fn(|l| {
            Layer::new(&net.tensors[2 * l], &net.tensors[2 * l + 1], DIMS[l], scales[l], scales[l + 1])
        });

        let blocks = net.labels.len().div_ceil(LANES);
        let codes = std::array::from_fn(|l| {
            let positions = WIDTHS[l] / channels(l);
            vec![0; blocks * channels(l).next_multiple_of(2) * positions * LANES]
        });
        let mut made = Int8Net { layers, codes, logits: vec![0.0; blocks * CLASSES * LANES] };
        // One channel: the second of its pair stays zero.
        for (code, pixel) in made.codes[0].chunks_exact_mut(2).zip(&net.values[0]) {
            code[0] = (pixel * f32::from(INK)) as u8;
        }
        Ok(made)
    }

    /// Computes a layer's output from its input.
    pub(crate) fn run_layer(&mut self, l: usize) {
        let Layer { weights, bias, multipliers } = &self.layers[l];
        let (before, after) = self.codes.split_at_mut(l + 1);
        let inputs = before[l].chunks_exact(channels(l).next_multiple_of(2) * (WIDTHS[l] / channels(l)) * LANES);
        let width = WIDTHS[l + 1] * LANES; // even channels from here on: no filling
        let (mut sums, mut pooled) = (vec![0; if l < 2 { 4 * width } else { width }], vec![0; width]);
        for (block, input) in inputs.enumerate() {
            let out = block * width..(block + 1) * width;
            match PLANES.get(l) {
                Some(&plane) => {
                    conv3x3_int8(input, weights, bias, plane, &mut sums);
                    max_pool2_sums(&sums, plane, &mut pooled);
                    requantize(&pooled, multipliers, &mut after[0][out]);
                }
                None => {
                    dense_int8(input, weights, bias, &mut sums);
                    match after.first_mut() {
                        Some(codes) => requantize(&sums, multipliers, &mut codes[out]),
                        None => {
                            let logits = self.logits[out].chunks_exact_mut(LANES);
                            for ((logits, sums), m) in logits.zip(sums.chunks_exact(LANES)).zip(multipliers) {
                                logits.iter_mut().zip(sums).for_each(|(logit, sum)| *logit = *sum as f32 * m);
                            }
                        }
                    }
                }
            }
        }
    }

    /// Reads the images: blocks of `[CLASSES][LANES]`.
    pub(crate) fn logits(mut self) -> Vec<f32> {
        (0..LAYERS).for_each(|l| self.run_layer(l));
        self.logits
    }
}

impl Layer {
    /// From f32 weights `[outputs, channels, taps]`, the scale of what goes in and of what comes out.
    fn new(weights: &[f32], bias: &[f32], dims: [usize; 3], scale_in: f64, scale_out: f64) -> Layer {
        let mut codes = vec![0; weights.len()];
        let row = dims[1] * dims[2];
        let mut layer = Layer {
            weights: Int8Weights::new(&[], [0, 0, 1]),
            bias: Vec::with_capacity(bias.len()),
            multipliers: Vec::with_capacity(bias.len()),
        };
        for ((weights, codes), bias) in weights.chunks_exact(row).zip(codes.chunks_exact_mut(row)).zip(bias) {
            let scale = usable(extent(weights).abs_max / 127.0);
            encode(weights, 0, Grid { scale, zero_point: 0, q_min: -127, q_max: 127 }, Rounding::TiesEven, codes);
            let step = scale_in * f64::from(scale);
            let most = f64::from(MAX_BIAS);
            layer.bias.push((f64::from(*bias) / step).round_ties_even().clamp(-most, most) as i32);
            layer.multipliers.push((step / scale_out) as f32);
        }
        layer.weights = Int8Weights::new(&codes, dims);
        layer
    }
}

/// A scale that may be divided by.
fn usable(scale: f32) -> f32 {
    if scale >= f32::MIN_POSITIVE { scale } else { 1.0 }
}
