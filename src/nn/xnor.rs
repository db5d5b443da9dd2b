//! The digits network with its hidden layers on signs: XNOR-Net (Rastegari et al. 2016, *XNOR-Net: ImageNet Classification Using Binary
//! Convolutional Neural Networks*, section 3.2). Its block is batch normalization, binary activation, binary convolution:
//!
//! - **weights**: `α · sign(w)`, `α = mean |w|` of each filter;
//! - **activations**: `sign(x)` with `K`: the mean of |x| over the channels, `A`, then over each 3×3 square of `A` with zero padding; in a
//!   dense layer `K` is the mean of |x| over all inputs;
//! - **product**: `(sign(x) · sign(w)) · K · α`, the dot product by XNOR and popcount. Taps on the padding are left out.
//!
//! conv2 and fc1 are so computed; conv1 and fc2, the first and the last layer, stay in f32, as in the paper.
//!
//! The sample was trained in f32 and without batch normalization. After ReLU no activation is negative: the signs alone would all be +1. So
//! the normalization is made here from the images, as batch normalization would learn it: before the signs each channel loses its
//! mean (its deviation would change no sign); after the product each output channel gets the mean and the deviation that the layer has in f32.
//! A factor that all of a filter's outputs share, as α is, goes in that normalization: `gain` holds both. Labels play no part.
//!
//! Nothing is trained again, so this shows what the arithmetic does to a network that was not made for it: 254 of the 360 held-out images are
//! read rightly instead of 358 (with the signs and scales alone, not normalized, 36: chance).

use super::digits::{DIMS, DigitsNet, LAYERS, PLANES, WIDTHS, run_layer};
use crate::error::Result;
use crate::kernels::nn::integer::{SignWeights, binarize, box3x3, conv3x3_xnor, dense_xnor, scale_relu};
use crate::kernels::nn::{Activation, LANES, conv3x3_relu, dense, max_pool2};

/// The layers on signs.
const BINARY: [usize; 2] = [1, 2];

/// A layer on signs.
struct Layer {
    weights: SignWeights,
    /// What each input channel loses before its sign is taken.
    centers: Vec<f32>,
    /// `dot · K` times this, plus the offset, is the output.
    gains: Vec<f32>,
    offsets: Vec<f32>,
}

/// The network with what goes into each layer.
pub(crate) struct XnorNet {
    /// conv2, fc1.
    layers: Vec<Layer>,
    tensors: Vec<Vec<f32>>,
    /// As in [`DigitsNet`].
    values: [Vec<f32>; LAYERS + 1],
}

impl XnorNet {
    /// The network of these weights and images, normalized on these images. All layers of `net` must be current.
    pub(crate) fn new(net: &DigitsNet) -> Result<XnorNet> {
        net.check_finite()?;
        let values =
            std::array::from_fn(|l| if l < 2 { net.values[l].clone() } else { vec![0.0; net.values[l].len()] });
        let mut made = XnorNet { layers: Vec::new(), tensors: net.tensors.to_vec(), values };
        for l in BINARY {
            made.layers.push(Layer::new(net, l, &made.values[l]));
            made.run_layer(l); // the next layer is normalized on what really goes into it
        }
        Ok(made)
    }

    /// Computes a layer's output from its input.
    pub(crate) fn run_layer(&mut self, l: usize) {
        let (before, after) = self.values.split_at_mut(l + 1);
        match l.checked_sub(1).and_then(|i| self.layers.get(i)) {
            Some(layer) => layer.run(l, &before[l], &mut after[0]),
            None => run_layer(l, &self.tensors, &before[l], &mut after[0]),
        }
    }

    /// Reads the images: blocks of `[CLASSES][LANES]`.
    pub(crate) fn logits(mut self) -> Vec<f32> {
        self.run_layer(LAYERS - 1); // the others ran when they were normalized
        std::mem::take(&mut self.values[LAYERS])
    }
}

impl Layer {
    /// Layer `l` of the network, normalized for this input.
    fn new(net: &DigitsNet, l: usize, input: &[f32]) -> Layer {
        let dims @ [outputs, channels, taps] = DIMS[l];
        let (weights, bias, images) = (&net.tensors[2 * l], &net.tensors[2 * l + 1], net.labels.len());
        let means = moments(input, channels, WIDTHS[l] / channels, images);
        let mut layer = Layer {
            weights: SignWeights::new(weights, dims),
            centers: means.iter().map(|m| m.mean as f32).collect(),
            gains: Vec::with_capacity(outputs),
            offsets: Vec::with_capacity(outputs),
        };
        let positions = PLANES.get(l).map_or(1, |(height, width)| height * width);
        let (mut scaled, mut float) = (Vec::new(), Vec::new());
        layer.for_each_block(l, input, |_, dots, k| {
            scaled.extend(dots.iter().enumerate().map(|(i, &dot)| dot as f32 * k[i % k.len()]));
        });
        for input in net.values[l].chunks_exact(WIDTHS[l] * LANES) {
            float.extend(before_relu(l, input, weights, bias, positions));
        }
        let scaled = moments(&scaled, outputs, positions, images);
        let float = moments(&float, outputs, positions, images);
        for ((scaled, float), weights) in scaled.iter().zip(&float).zip(weights.chunks_exact(channels * taps)) {
            let alpha = weights.iter().map(|w| f64::from(w.abs())).sum::<f64>() / weights.len() as f64;
            // Without spread there is nothing to normalize: the product as it is, around the mean.
            let gain = if scaled.std > 0.0 { float.std / scaled.std } else { alpha };
            layer.gains.push(gain as f32);
            layer.offsets.push((float.mean - scaled.mean * gain) as f32);
        }
        layer
    }

    /// Calls `f(block, dots, K)` for each block of images.
    fn for_each_block(&self, l: usize, input: &[f32], mut f: impl FnMut(usize, &[i32], &[f32])) {
        let [outputs, channels, _] = DIMS[l];
        let plane = WIDTHS[l] / channels * LANES;
        let mut signs = vec![0; channels.div_ceil(32) * plane];
        let (mut magnitudes, mut k) = (vec![0.0; plane], vec![0.0; plane]);
        let mut dots = vec![0; outputs * if l < PLANES.len() { plane } else { LANES }];
        for (block, input) in input.chunks_exact(WIDTHS[l] * LANES).enumerate() {
            binarize(input, &self.centers, &mut signs, &mut magnitudes);
            match PLANES.get(l) {
                Some(&sides) => {
                    box3x3(&magnitudes, sides, &mut k);
                    conv3x3_xnor(&signs, &self.weights, sides, &mut dots);
                    f(block, &dots, &k);
                }
                None => {
                    let taps = (plane / LANES) as f32;
                    let mean = |lane: usize| magnitudes.iter().skip(lane).step_by(LANES).sum::<f32>() / taps;
                    dense_xnor(&signs, &self.weights, &mut dots);
                    f(block, &dots, &std::array::from_fn::<f32, LANES, _>(mean));
                }
            }
        }
    }

    fn run(&self, l: usize, input: &[f32], output: &mut [f32]) {
        let width = WIDTHS[l + 1] * LANES;
        let mut convolved = vec![0.0; if l < PLANES.len() { 4 * width } else { 0 }];
        self.for_each_block(l, input, |block, dots, k| {
            let output = &mut output[block * width..(block + 1) * width];
            match PLANES.get(l) {
                Some(&plane) => {
                    scale_relu(dots, k, &self.gains, &self.offsets, &mut convolved);
                    max_pool2(&convolved, plane, output);
                }
                None => scale_relu(dots, k, &self.gains, &self.offsets, output),
            }
        });
    }
}

/// A block of layer `l` in f32 without ReLU: `[outputs][positions][LANES]`.
fn before_relu(l: usize, input: &[f32], weights: &[f32], bias: &[f32], positions: usize) -> Vec<f32> {
    let mut output = vec![0.0; bias.len() * positions * LANES];
    match PLANES.get(l) {
        Some(&plane) => {
            // x = relu(x) − relu(−x); with every sign turned each product and sum is turned too.
            let turned = |values: &[f32]| values.iter().map(|v| -v).collect::<Vec<f32>>();
            let mut negative = output.clone();
            conv3x3_relu(input, weights, bias, plane, &mut output);
            conv3x3_relu(input, &turned(weights), &turned(bias), plane, &mut negative);
            output.iter_mut().zip(negative).for_each(|(x, n)| *x -= n);
        }
        None => dense(input, weights, bias, Activation::None, &mut output),
    }
    output
}

/// Mean and standard deviation of a channel.
struct Moments {
    mean: f64,
    std: f64,
}

/// Of each channel, over the first `images` images: `values` are blocks of `[channels][positions][LANES]`.
fn moments(values: &[f32], channels: usize, positions: usize, images: usize) -> Vec<Moments> {
    let plane = positions * LANES;
    let count = (images * positions) as f64;
    let sum = |channel: usize, f: &dyn Fn(f64) -> f64| {
        let mut sum = 0.0;
        for (block, values) in values.chunks_exact(channels * plane).enumerate() {
            let lanes = LANES.min(images - block * LANES);
            for values in values[channel * plane..(channel + 1) * plane].chunks_exact(LANES) {
                sum += values[..lanes].iter().map(|&v| f(f64::from(v))).sum::<f64>();
            }
        }
        sum / count
    };
    let of = |channel| {
        let mean = sum(channel, &|v| v);
        Moments { mean, std: sum(channel, &|v| (v - mean) * (v - mean)).sqrt() }
    };
    (0..channels).map(of).collect()
}
