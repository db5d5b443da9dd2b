//! The digits network forwards, keeping what each layer saw, and backwards.
//!
//! Everything goes in blocks of [`LANES`] images. The gradient of a layer's input is that layer with its weights turned round (a dense layer's
//! matrix transposed; a convolution's channels exchanged and its kernels turned by half a turn), so the kernels of the forward pass compute
//! it. The gradient of weights is [`outer`]; a convolution's input is spread out for it, nine taps for a channel.

use super::Score;
use crate::kernels::nn::{Activation, LANES, conv3x3, conv3x3_relu, dense, max_pool2, outer};
use crate::nn::digits::{CLASSES, DIMS, LAYERS, PLANES, WIDTHS, at};

/// What was computed for some images.
pub(super) struct Pass {
    blocks: usize,
    /// `values[l]` went into layer l, the last are the logits: blocks of `[WIDTHS[l]][LANES]`.
    values: Vec<Vec<f32>>,
    /// The convolutions' outputs before pooling: blocks of `[channels][height][width][LANES]`.
    convolved: [Vec<f32>; 2],
}

/// What is to be learned.
pub(super) struct Targets<'a> {
    pub labels: &'a [u8],
    /// The teacher's share of the loss, the temperature, and its logits in blocks.
    pub soft: Option<(f32, f32, &'a [f32])>,
}

impl Pass {
    /// Images in blocks of `[64][LANES]`.
    pub(super) fn forward(weights: &[Vec<f32>], images: &[f32]) -> Pass {
        let blocks = images.len() / WIDTHS[0] / LANES;
        let mut values = vec![images.to_vec()];
        let mut convolved = [Vec::new(), Vec::new()];
        for layer in 0..LAYERS {
            let (w, b) = (&weights[2 * layer], &weights[2 * layer + 1]);
            let (wide_in, wide_out) = (WIDTHS[layer] * LANES, WIDTHS[layer + 1] * LANES);
            let mut out = vec![0.0; blocks * wide_out];
            if layer < 2 {
                convolved[layer] = vec![0.0; 4 * out.len()];
            }
            for n in 0..blocks {
                let input = &values[layer][n * wide_in..][..wide_in];
                let out = &mut out[n * wide_out..][..wide_out];
                match layer {
                    0 | 1 => {
                        let full = &mut convolved[layer][4 * n * wide_out..][..4 * wide_out];
                        conv3x3_relu(input, w, b, PLANES[layer], full);
                        max_pool2(full, PLANES[layer], out);
                    }
                    2 => dense(input, w, b, Activation::Relu, out),
                    _ => dense(input, w, b, Activation::None, out),
                }
            }
            values.push(out);
        }
        Pass { blocks, values, convolved }
    }

    /// In blocks of `[CLASSES][LANES]`.
    pub(super) fn logits(&self) -> &[f32] {
        &self.values[LAYERS]
    }

    fn logits_of(&self, n: usize) -> [f32; CLASSES] {
        std::array::from_fn(|i| self.logits()[at(n, i, CLASSES)])
    }

    pub(super) fn score(&self, labels: &[u8]) -> Score {
        let mut score = Score { loss: 0.0, correct: 0, total: labels.len() };
        for (n, &label) in labels.iter().enumerate() {
            let logits = self.logits_of(n);
            let label = usize::from(label);
            score.loss -= f64::from(softmax(&logits, 1.0)[label]).max(f64::MIN_POSITIVE).ln() / labels.len() as f64;
            let best = (0..CLASSES).reduce(|best, i| if logits[i] > logits[best] { i } else { best });
            score.correct += usize::from(best == Some(label));
        }
        score
    }

    /// The gradient of the mean loss by each logit, in blocks; images that fill up the last block have none.
    fn logit_gradients(&self, targets: &Targets<'_>) -> Vec<f32> {
        let mut out = vec![0.0; self.logits().len()];
        let each = 1.0 / targets.labels.len() as f32;
        for (n, &label) in targets.labels.iter().enumerate() {
            let logits = self.logits_of(n);
            let p = softmax(&logits, 1.0);
            let (share, heat) = targets.soft.map_or((0.0, 1.0), |(share, heat, _)| (share, heat));
            let soft = targets.soft.map(|(_, heat, teacher)| {
                let teacher: [f32; CLASSES] = std::array::from_fn(|i| teacher[at(n, i, CLASSES)]);
                (softmax(&logits, heat), softmax(&teacher, heat))
            });
            for i in 0..CLASSES {
                let hard = p[i] - f32::from(u8::from(i == usize::from(label)));
                // The soft part is weighted by T², which its gradient's 1/T² asks for (Hinton 2015, section 2).
                let from_teacher = soft.as_ref().map_or(0.0, |(own, teacher)| heat * (own[i] - teacher[i]));
                out[at(n, i, CLASSES)] = each * ((1.0 - share) * hard + share * from_teacher);
            }
        }
        out
    }

    /// What the labels cost, and the gradient of the mean loss by each tensor.
    pub(super) fn backward(&self, weights: &[Vec<f32>], targets: &Targets<'_>) -> (Score, Vec<Vec<f32>>) {
        let mut gradients: Vec<Vec<f32>> = weights.iter().map(|w| vec![0.0; w.len()]).collect();
        let mut g = self.logit_gradients(targets);
        for layer in (0..LAYERS).rev() {
            let (w, b) = {
                let (w, b) = gradients[2 * layer..].split_at_mut(1);
                (&mut w[0], &mut b[0])
            };
            if layer < 2 {
                g = self.unpool(layer, &g);
                self.convolution_weights(layer, &g, w);
            } else {
                if layer == 2 {
                    stop_at_zero(&mut g, &self.values[layer + 1]);
                }
                self.dense_weights(layer, &g, w);
            }
            let plane = g.len() / self.blocks / b.len();
            for block in g.chunks_exact(plane * b.len()) {
                for (b, g) in b.iter_mut().zip(block.chunks_exact(plane)) {
                    *b += g.iter().map(|&g| f64::from(g)).sum::<f64>() as f32;
                }
            }
            if layer > 0 {
                g = self.inputs(layer, &weights[2 * layer], &g);
            }
        }
        (self.score(targets.labels), gradients)
    }

    /// The gradient before pooling and ReLU: it goes to the first of the largest of four, where that is above 0.
    fn unpool(&self, layer: usize, g: &[f32]) -> Vec<f32> {
        let (height, width) = PLANES[layer];
        let full = &self.convolved[layer];
        let mut out = vec![0.0; full.len()];
        let (row, half) = (width * LANES, width / 2);
        debug_assert_eq!(height % 2, 0);
        for (i, &g) in g.iter().enumerate() {
            let (lane, square) = (i % LANES, i / LANES);
            let corner = square / half * 2 * row + square % half * 2 * LANES + lane;
            let four = [corner, corner + LANES, corner + row, corner + row + LANES];
            let Some(at) = four.into_iter().reduce(|best, at| if full[at] > full[best] { at } else { best }) else {
                continue;
            };
            if full[at] > 0.0 {
                out[at] = g;
            }
        }
        out
    }

    /// The gradient of a layer's input from that of its output.
    fn inputs(&self, layer: usize, weights: &[f32], g: &[f32]) -> Vec<f32> {
        let [outputs, channels, taps] = DIMS[layer];
        let (wide_in, wide_out) = (WIDTHS[layer] * LANES, g.len() / self.blocks);
        let turned = if layer < 2 {
            exchanged(weights, outputs, channels, taps)
        } else {
            exchanged(weights, outputs, channels * taps, 1)
        };
        let zeros = vec![0.0; wide_in / LANES];
        let mut out = vec![0.0; self.blocks * wide_in];
        for (g, out) in g.chunks_exact(wide_out).zip(out.chunks_exact_mut(wide_in)) {
            if layer < 2 {
                conv3x3(g, &turned, &zeros[..channels], PLANES[layer], Activation::None, out);
            } else {
                dense(g, &turned, &zeros, Activation::None, out);
            }
        }
        out
    }

    fn dense_weights(&self, layer: usize, g: &[f32], sums: &mut [f32]) {
        let g = beside(g, self.blocks);
        let x = beside(&self.values[layer], self.blocks);
        outer(&g, &x, self.blocks * LANES, sums);
    }

    fn convolution_weights(&self, layer: usize, g: &[f32], sums: &mut [f32]) {
        let (height, width) = PLANES[layer];
        let n = height * width * LANES;
        let channels = DIMS[layer][1];
        let mut spread = vec![0.0; channels * 9 * n];
        let wide_in = WIDTHS[layer] * LANES;
        for (g, x) in g.chunks_exact(g.len() / self.blocks).zip(self.values[layer].chunks_exact(wide_in)) {
            for (x, taps) in x.chunks_exact(n).zip(spread.chunks_exact_mut(9 * n)) {
                for (tap, out) in taps.chunks_exact_mut(n).enumerate() {
                    shifted(x, (height, width), (tap / 3, tap % 3), out);
                }
            }
            outer(g, &spread, n, sums);
        }
    }
}

/// The pixels that a tap meets, as the places of its outputs lie; what it meets off the plane stays 0.
fn shifted(x: &[f32], (height, width): (usize, usize), (ky, kx): (usize, usize), out: &mut [f32]) {
    for y in 0..height {
        if !(1..=height).contains(&(y + ky)) {
            continue; // always of the same places, so what stands there is the 0 from the beginning
        }
        let (from, to) = (usize::from(kx == 0), width - usize::from(kx == 2));
        let source = ((y + ky - 1) * width + from + kx - 1) * LANES;
        let target = (y * width + from) * LANES;
        let len = (to - from) * LANES;
        out[target..target + len].copy_from_slice(&x[source..source + len]);
    }
}

/// `[outputs][inputs][taps]` as `[inputs][outputs][taps]`, the taps in reverse.
fn exchanged(weights: &[f32], outputs: usize, inputs: usize, taps: usize) -> Vec<f32> {
    let mut out = vec![0.0; weights.len()];
    for (i, &w) in weights.iter().enumerate() {
        let (o, c, k) = (i / taps / inputs, i / taps % inputs, i % taps);
        out[(c * outputs + o) * taps + taps - 1 - k] = w;
    }
    debug_assert_eq!(weights.len(), outputs * inputs * taps);
    out
}

/// Blocks of `[features][LANES]` as `[features][blocks · LANES]`.
fn beside(values: &[f32], blocks: usize) -> Vec<f32> {
    let features = values.len() / blocks / LANES;
    let mut out = Vec::with_capacity(values.len());
    for i in 0..features {
        for n in 0..blocks {
            out.extend_from_slice(&values[(n * features + i) * LANES..][..LANES]);
        }
    }
    out
}

/// What ReLU does to a gradient.
fn stop_at_zero(g: &mut [f32], values: &[f32]) {
    for (g, _) in g.iter_mut().zip(values).filter(|(_, v)| **v <= 0.0) {
        *g = 0.0;
    }
}

fn softmax(logits: &[f32; CLASSES], heat: f32) -> [f32; CLASSES] {
    let most = logits.iter().fold(f32::NEG_INFINITY, |m, &v| m.max(v));
    let e = logits.map(|v| crate::kernels::llama::exp((v - most) / heat));
    let sum: f32 = e.iter().sum();
    e.map(|e| e / sum)
}
