//! The sample networks' layers, one image after another. Layouts, order and edges: [`crate::kernels::nn`].

mod integer;

#[cfg_attr(target_feature = "simd128", allow(unused_imports, reason = "the vector forms stand in for these"))]
pub(in crate::kernels) use integer::{conv_int8, conv_xnor, dense_int8, dense_xnor, requantize};

#[cfg(feature = "full")]
use crate::kernels::nn::check_outer;
use crate::kernels::nn::{Activation, LANES, check_conv, check_dense, check_pool};

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
    for (o, &b) in bias.iter().enumerate() {
        for y in 0..height {
            for x in 0..width {
                let mut sum = [b; LANES];
                for c in 0..in_channels {
                    for ky in 0..3 {
                        for kx in 0..3 {
                            // The tap's pixel is (y + ky − 1, x + kx − 1); off the plane it is padding.
                            if (1..=height).contains(&(y + ky)) && (1..=width).contains(&(x + kx)) {
                                let at = ((c * height + y + ky - 1) * width + x + kx - 1) * LANES;
                                let w = weights[((o * in_channels + c) * 3 + ky) * 3 + kx];
                                add_product(&mut sum, &input[at..at + LANES], w);
                            }
                        }
                    }
                }
                let at = ((o * height + y) * width + x) * LANES;
                if activation == Activation::Relu {
                    sum = sum.map(relu);
                }
                output[at..at + LANES].copy_from_slice(&sum);
            }
        }
    }
}

/// See [`crate::kernels::nn::max_pool2`].
pub fn max_pool2(input: &[f32], (height, width): (usize, usize), output: &mut [f32]) {
    let rows = check_pool(input.len(), (height, width), output.len());
    for row in 0..rows / 2 {
        for x in 0..width / 2 {
            for lane in 0..LANES {
                let at = |dy: usize, dx: usize| input[((2 * row + dy) * width + 2 * x + dx) * LANES + lane];
                output[(row * (width / 2) + x) * LANES + lane] = max(max(at(0, 0), at(0, 1)), max(at(1, 0), at(1, 1)));
            }
        }
    }
}

/// See [`crate::kernels::nn::dense`].
pub fn dense(input: &[f32], weights: &[f32], bias: &[f32], activation: Activation, output: &mut [f32]) {
    let features = check_dense(input.len(), weights.len(), bias.len(), output.len());
    for (o, &b) in bias.iter().enumerate() {
        let mut sum = [b; LANES];
        for i in 0..features {
            add_product(&mut sum, &input[i * LANES..(i + 1) * LANES], weights[o * features + i]);
        }
        if activation == Activation::Relu {
            sum = sum.map(relu);
        }
        output[o * LANES..(o + 1) * LANES].copy_from_slice(&sum);
    }
}

/// See [`crate::kernels::nn::outer`].
#[cfg(feature = "full")]
pub fn outer(gradient: &[f32], input: &[f32], n: usize, sums: &mut [f32]) {
    let (_, inputs) = check_outer(gradient.len(), input.len(), n, sums.len());
    for (gradient, sums) in gradient.chunks_exact(n).zip(sums.chunks_exact_mut(inputs.max(1))) {
        for (input, sum) in input.chunks_exact(n).zip(sums) {
            let mut lanes = [0.0_f32; LANES];
            for (gradient, input) in gradient.chunks_exact(LANES).zip(input.chunks_exact(LANES)) {
                for ((lane, g), x) in lanes.iter_mut().zip(gradient).zip(input) {
                    *lane += g * x;
                }
            }
            let [a, b, c, d, e, f, g, h] = lanes;
            *sum += ((a + e) + (c + g)) + ((b + f) + (d + h));
        }
    }
}

fn add_product(sum: &mut [f32; LANES], values: &[f32], weight: f32) {
    for (s, v) in sum.iter_mut().zip(values) {
        *s += v * weight;
    }
}

fn relu(x: f32) -> f32 {
    if x < 0.0 { 0.0 } else { x }
}

/// IEEE 754-2019 `maximum`: NaN if either is NaN, and −0 below +0.
fn max(a: f32, b: f32) -> f32 {
    if a > b {
        a
    } else if b > a {
        b
    } else if a == b {
        f32::from_bits(a.to_bits() & b.to_bits()) // equal: the same bits, or zeros of two signs
    } else {
        f32::NAN
    }
}
