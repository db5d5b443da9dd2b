//! The layers of the sample networks: 3×3 convolution, 2×2 max pool, dense layer; eight images at a time.
//!
//! An activation of shape `[channels, height, width]` is stored for [`LANES`] images together, the image innermost:
//! `[channels][height][width][LANES]`. So one weight meets eight values that lie side by side, whatever the layer.
//! A dense layer sees the same memory as `[features][LANES]`.
//!
//! Definition: PyTorch's `Conv2d(kernel_size=3, padding=1)` (a cross-correlation), `MaxPool2d(2)` and `Linear`, in f32.
//! Every output is `((bias + w₀·x₀) + w₁·x₁) + …`, in the order in which the weights are stored, each product and each
//! sum rounded. Taps that fall on the padding are left out rather than multiplied by zero; that is the same number
//! unless the weight is NaN or infinite. NaN reaches every output that it is multiplied into and passes through ReLU
//! and max.

pub mod integer;

use super::dispatch;

/// Images that go through a kernel together: two vectors of four.
pub const LANES: usize = 8;

/// What a layer does to its sum before storing it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Activation {
    /// Stores the sum.
    None,
    /// Stores 0 where the sum is below 0. NaN and −0 stay.
    Relu,
}

/// A 3×3 convolution with stride 1 and one pixel of zero padding.
///
/// `input`: `[in_channels][height][width][LANES]`; `weights`: `[out_channels][in_channels][3][3]`; `bias`:
/// `[out_channels]`; `output`: `[out_channels][height][width][LANES]`.
///
/// # Panics
/// When the lengths do not fit together.
pub fn conv3x3(
    input: &[f32],
    weights: &[f32],
    bias: &[f32],
    (height, width): (usize, usize),
    activation: Activation,
    output: &mut [f32],
) {
    dispatch!(nn::conv3x3(input, weights, bias, (height, width), activation, output));
}

/// [`conv3x3`], then ReLU.
///
/// # Panics
/// As [`conv3x3`].
pub fn conv3x3_relu(input: &[f32], weights: &[f32], bias: &[f32], plane: (usize, usize), output: &mut [f32]) {
    conv3x3(input, weights, bias, plane, Activation::Relu, output);
}

/// Adds the products of a gradient with what went in to the gradient of weights: `sums[o][i] += Σ gradient[o][n] · input[i][n]`.
///
/// `gradient`: `[outputs][n]`; `input`: `[inputs][n]`, `n` a multiple of [`LANES`]; `sums`: `[outputs][inputs]`. Value `k` of `n` goes to lane
/// `k % LANES`, and the lanes are added 4 apart, then 2, then 1.
///
/// # Panics
/// When the lengths do not fit together.
#[cfg(feature = "full")]
pub fn outer(gradient: &[f32], input: &[f32], n: usize, sums: &mut [f32]) {
    dispatch!(nn::outer(gradient, input, n, sums));
}

/// Checks the lengths of [`outer`] and returns outputs and inputs.
#[cfg(feature = "full")]
pub(super) fn check_outer(gradient: usize, input: usize, n: usize, sums: usize) -> (usize, usize) {
    assert!(n > 0 && n.is_multiple_of(LANES), "n is not whole blocks");
    assert!(gradient.is_multiple_of(n) && input.is_multiple_of(n), "not whole rows");
    let (outputs, inputs) = (gradient / n, input / n);
    assert_eq!(Some(sums), outputs.checked_mul(inputs), "sums");
    (outputs, inputs)
}

/// The largest of each 2×2 square; NaN when one of the four is NaN; +0 when zeros of both signs are the largest.
///
/// `input`: `[channels][height][width][LANES]`, `height` and `width` even; `output`:
/// `[channels][height/2][width/2][LANES]`.
///
/// # Panics
/// When the lengths do not fit together or a side is odd.
pub fn max_pool2(input: &[f32], (height, width): (usize, usize), output: &mut [f32]) {
    dispatch!(nn::max_pool2(input, (height, width), output));
}

/// A dense layer. `input`: `[in][LANES]`; `weights`: `[out][in]`; `bias`: `[out]`; `output`: `[out][LANES]`.
///
/// # Panics
/// When the lengths do not fit together.
pub fn dense(input: &[f32], weights: &[f32], bias: &[f32], activation: Activation, output: &mut [f32]) {
    dispatch!(nn::dense(input, weights, bias, activation, output));
}

/// Checks the lengths of [`conv3x3`] and returns the number of input channels.
pub(super) fn check_conv(
    input: usize,
    weights: usize,
    bias: usize,
    (height, width): (usize, usize),
    output: usize,
) -> usize {
    let plane = height.checked_mul(width).and_then(|n| n.checked_mul(LANES)).expect("the plane's size overflows");
    assert!(plane > 0, "an empty plane");
    let in_channels = input / plane;
    assert_eq!(input % plane, 0, "the input is not whole channels");
    assert_eq!(Some(weights), bias.checked_mul(in_channels).and_then(|n| n.checked_mul(9)), "weights");
    assert_eq!(Some(output), bias.checked_mul(plane), "output");
    in_channels
}

/// Checks the lengths of [`max_pool2`] and returns the number of rows of `width` in the input.
pub(super) fn check_pool(input: usize, (height, width): (usize, usize), output: usize) -> usize {
    assert!(height % 2 == 0 && width % 2 == 0, "a side is odd");
    let row = width.checked_mul(LANES).expect("the row's size overflows");
    let plane = height.checked_mul(row).expect("the plane's size overflows");
    assert!(plane > 0, "an empty plane");
    assert_eq!(input % plane, 0, "the input is not whole channels");
    assert_eq!(output, input / 4, "output");
    input / row
}

/// Checks the lengths of [`dense`] and returns the number of input features.
pub(super) fn check_dense(input: usize, weights: usize, bias: usize, output: usize) -> usize {
    assert_eq!(input % LANES, 0, "the input is not whole features");
    assert_eq!(Some(weights), bias.checked_mul(input / LANES), "weights");
    assert_eq!(Some(output), bias.checked_mul(LANES), "output");
    input / LANES
}
