//! The digits network: reads handwritten digits of 8×8 pixels. How it was trained: models/PROVENANCE.md.
//!
//! ```text
//! image / 16  [1, 8, 8]
//! conv1 [32, 1, 3, 3] pad 1, ReLU, 2×2 max pool  -> [32, 4, 4]
//! conv2 [64, 32, 3, 3] pad 1, ReLU, 2×2 max pool -> [64, 2, 2]
//! fc1   [128, 256], ReLU                         -> [128]
//! fc2   [10, 128]                                -> [10] logits
//! ```
//!
//! Each layer's output is kept for all held-out images, so a change of one tensor costs only its own layer and those
//! after it. Inside, images go in blocks of [`LANES`] as [`crate::kernels::nn`] lays them out, block after block; the
//! last block is filled up with blank images.
//!
//! The same network also runs in integers: [`Arithmetic`].

use std::borrow::Cow;

use super::int8::Int8Net;
use super::xnor::XnorNet;
use crate::error::{Code, Error, Result};
use crate::kernels::nn::{Activation, LANES, conv3x3_relu, dense, max_pool2};

/// Pixels of an image.
pub const PIXELS: usize = 64;
/// Digits that an image can be.
pub const CLASSES: usize = 10;
/// The largest value of a pixel.
pub const INK: u8 = 16;

/// The network's tensors, in the order of its layers: name and shape. A layer is a weight and a bias.
pub const TENSORS: [(&str, &[usize]); 8] = [
    ("conv1.weight", &[32, 1, 3, 3]),
    ("conv1.bias", &[32]),
    ("conv2.weight", &[64, 32, 3, 3]),
    ("conv2.bias", &[64]),
    ("fc1.weight", &[128, 256]),
    ("fc1.bias", &[128]),
    ("fc2.weight", &[10, 128]),
    ("fc2.bias", &[10]),
];

pub(super) const LAYERS: usize = 4;
/// Values per image that go into each layer; the last entry is what comes out of the network.
pub(super) const WIDTHS: [usize; LAYERS + 1] = [PIXELS, 32 * 4 * 4, 64 * 2 * 2, 128, CLASSES];

/// The weights of a layer as `[outputs, channels, taps]`: a convolution has nine taps, fc1 a channel's four pixels.
pub(super) const DIMS: [[usize; 3]; LAYERS] = [[32, 1, 9], [64, 32, 9], [128, 64, 4], [10, 128, 1]];
/// Sides of the plane that a convolution works on.
pub(super) const PLANES: [(usize, usize); 2] = [(8, 8), (4, 4)];

/// The numbers that the network computes with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Arithmetic {
    /// f32 throughout.
    Float,
    /// Weights in int8, one scale for each output channel, symmetric and narrow; activations in 8 bits, one scale for each layer; sums in i32.
    /// What is done at each step: `nn/int8.rs`.
    Int8,
    /// conv2 and fc1 on signs, by XNOR and popcount (XNOR-Net); conv1 and fc2, the first and the last layer, in f32 as in the paper. What is
    /// done at each step: `nn/xnor.rs`.
    Xnor,
}

impl Arithmetic {
    /// By its name: `float`, `int8` or `xnor`.
    ///
    /// # Errors
    /// `invalid_option` with the known names.
    pub fn named(name: &str) -> Result<Arithmetic> {
        match name {
            "float" => Ok(Arithmetic::Float),
            "int8" => Ok(Arithmetic::Int8),
            "xnor" => Ok(Arithmetic::Xnor),
            _ => Err(Error::new(Code::InvalidOption, "the network does not compute in this arithmetic")
                .with_expected("float, int8, xnor")
                .with_found(name)),
        }
    }
}

/// How many held-out images the network reads rightly.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Accuracy {
    /// Images whose largest logit is their label's.
    pub correct: usize,
    /// All held-out images.
    pub total: usize,
}

impl Accuracy {
    /// `correct / total`, 0…1.
    #[must_use]
    pub fn ratio(self) -> f64 {
        self.correct as f64 / self.total as f64
    }
}

/// The network with its weights, the held-out images, and what is known of each layer's output.
#[derive(Debug, Clone, Default)]
pub struct DigitsNet {
    /// As [`TENSORS`]; empty where not set yet.
    pub(super) tensors: [Vec<f32>; TENSORS.len()],
    pub(super) labels: Vec<u8>,
    /// `values[l]` goes into layer l; `values[LAYERS]` are the logits. Each: blocks of `[WIDTHS[l]][LANES]`.
    pub(super) values: [Vec<f32>; LAYERS + 1],
    /// What int8 takes for the largest activations that go into conv2, fc1 and fc2.
    ranges: Option<[f32; 3]>,
    /// Layers from the first on whose output stands in `values`.
    current: usize,
}

impl DigitsNet {
    /// A network without weights and images.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Sets a tensor of [`TENSORS`], row-major. Any values are taken, NaN and infinities too. Setting the values that
    /// are there already costs nothing later.
    ///
    /// # Errors
    /// `unknown_tensor`; `shape_mismatch` when there are more or fewer values than the tensor has.
    pub fn set(&mut self, name: &str, values: &[f32]) -> Result<()> {
        let index = TENSORS.iter().position(|(known, _)| *known == name).ok_or_else(|| {
            Error::new(Code::UnknownTensor, "the digits network has no such tensor")
                .with_tensor(name)
                .with_expected(TENSORS.map(|(known, _)| known).join(", "))
        })?;
        let shape = TENSORS[index].1;
        let count: usize = shape.iter().product();
        if values.len() != count {
            return Err(Error::new(Code::ShapeMismatch, "the tensor's length is wrong")
                .with_tensor(name)
                .with_expected(format!("{count} values {shape:?}"))
                .with_found(format!("{} values", values.len())));
        }
        let tensor = &mut self.tensors[index];
        let same = tensor.len() == count && tensor.iter().zip(values).all(|(a, b)| a.to_bits() == b.to_bits());
        if !same {
            tensor.clear();
            tensor.extend_from_slice(values);
            self.current = self.current.min(index / 2);
        }
        Ok(())
    }

    /// Sets the images to be read: `images` is `[n, 8, 8]` with values 0…16, `labels` `[n]` with values 0…9, n > 0.
    ///
    /// # Errors
    /// `shape_mismatch` when the lengths do not fit, `invalid_argument` when a pixel or a label is out of range or there
    /// are no images. The images set before then stay.
    pub fn set_held_out(&mut self, images: &[u8], labels: &[u8]) -> Result<()> {
        if images.len() != labels.len().saturating_mul(PIXELS) {
            return Err(Error::new(Code::ShapeMismatch, "the held-out images do not fit the labels")
                .with_expected(format!("{PIXELS} pixels for each of {} labels", labels.len()))
                .with_found(format!("{} pixels", images.len())));
        }
        if labels.is_empty() {
            return Err(Error::new(Code::InvalidArgument, "there are no held-out images"));
        }
        check_all("a pixel is out of range", images, INK)?;
        check_all("a label is out of range", labels, CLASSES as u8 - 1)?;

        let blocks = labels.len().div_ceil(LANES);
        for (values, width) in self.values.iter_mut().zip(WIDTHS) {
            values.clear();
            values.resize(blocks * width * LANES, 0.0);
        }
        for (n, image) in images.chunks_exact(PIXELS).enumerate() {
            for (i, &pixel) in image.iter().enumerate() {
                self.values[0][at(n, i, PIXELS)] = f32::from(pixel) / f32::from(INK);
            }
        }
        self.labels = labels.to_vec();
        self.current = 0;
        Ok(())
    }

    /// Reads the held-out images in f32. An image counts as right when its label's logit is the first of the largest and
    /// none of its logits is NaN.
    ///
    /// # Errors
    /// `invalid_argument` when tensors or images are not set yet; it names them.
    pub fn accuracy(&mut self) -> Result<Accuracy> {
        self.accuracy_in(Arithmetic::Float)
    }

    /// The same in an arithmetic.
    ///
    /// # Errors
    /// As [`DigitsNet::accuracy`]; in integers also `non_finite` for a tensor with NaN or infinities and for activations that are not
    /// finite, and `unsupported` where the crate was built without them (feature `full`).
    pub fn accuracy_in(&mut self, arithmetic: Arithmetic) -> Result<Accuracy> {
        self.run()?;
        let logits = self.read(arithmetic)?;
        let right = self.labels.iter().enumerate().filter(|&(n, &label)| prediction(&logits, n) == Some(label.into()));
        Ok(Accuracy { correct: right.count(), total: self.labels.len() })
    }

    /// The logits of the held-out images in f32, row-major `[n, 10]`.
    ///
    /// # Errors
    /// As [`DigitsNet::accuracy`].
    pub fn logits(&mut self) -> Result<Vec<f32>> {
        self.logits_in(Arithmetic::Float)
    }

    /// The same in an arithmetic.
    ///
    /// # Errors
    /// As [`DigitsNet::accuracy_in`].
    pub fn logits_in(&mut self, arithmetic: Arithmetic) -> Result<Vec<f32>> {
        self.run()?;
        let logits = &self.read(arithmetic)?;
        Ok((0..self.labels.len()).flat_map(|n| (0..CLASSES).map(move |i| logits[at(n, i, CLASSES)])).collect())
    }

    /// The largest activations that go into conv2, fc1 and fc2, over the held-out images, in f32.
    ///
    /// # Errors
    /// As [`DigitsNet::accuracy`].
    pub fn ranges(&mut self) -> Result<[f32; 3]> {
        self.run()?;
        Ok(self.measured_ranges())
    }

    /// Sets what int8 takes for the largest activations that go into conv2, fc1 and fc2: ranges that were measured on other images. Without it
    /// they are measured on the held-out images themselves, whose labels play no part.
    pub fn set_ranges(&mut self, ranges: Option<[f32; 3]>) {
        self.ranges = ranges;
    }

    fn measured_ranges(&self) -> [f32; 3] {
        // Blank images that fill up the last block do not count.
        std::array::from_fn(|l| {
            let (values, width) = (&self.values[l + 1], WIDTHS[l + 1]);
            let values = (0..self.labels.len()).flat_map(|n| (0..width).map(move |i| values[at(n, i, width)]));
            values.fold(0.0, |most, v| if v <= most { most } else { v }) // NaN is kept
        })
    }

    /// The logits in blocks of `[CLASSES][LANES]`; all layers must be current.
    fn read(&self, arithmetic: Arithmetic) -> Result<Cow<'_, [f32]>> {
        if arithmetic == Arithmetic::Float {
            return Ok(Cow::Borrowed(&self.values[LAYERS]));
        }
        if !cfg!(feature = "full") {
            return Err(Error::new(Code::Unsupported, "this build of the engine computes in float only")
                .with_expected("the whole engine, with the feature `full`"));
        }
        Ok(Cow::Owned(match arithmetic {
            Arithmetic::Xnor => XnorNet::new(self)?.logits(),
            _ => self.int8()?.logits(),
        }))
    }

    /// The network in int8; all layers must be current.
    pub(crate) fn int8(&self) -> Result<Int8Net> {
        Int8Net::new(self, self.ranges.unwrap_or_else(|| self.measured_ranges()))
    }

    /// An error for the first tensor that is not finite: integers cannot stand for it.
    pub(super) fn check_finite(&self) -> Result<()> {
        match TENSORS.iter().zip(&self.tensors).find(|(_, t)| t.iter().any(|v| !v.is_finite())) {
            None => Ok(()),
            Some(((name, _), _)) => {
                Err(Error::new(Code::NonFinite, "integers cannot stand for NaN and infinities").with_tensor(*name))
            }
        }
    }

    /// Computes the layers that are not current.
    fn run(&mut self) -> Result<()> {
        let missing: Vec<&str> =
            TENSORS.iter().zip(&self.tensors).filter(|(_, t)| t.is_empty()).map(|((name, _), _)| *name).collect();
        if !missing.is_empty() {
            return Err(
                Error::new(Code::InvalidArgument, "the digits network lacks tensors").with_expected(missing.join(", "))
            );
        }
        if self.labels.is_empty() {
            return Err(Error::new(Code::InvalidArgument, "the digits network has no held-out images yet"));
        }
        for layer in self.current..LAYERS {
            self.run_layer(layer);
        }
        self.current = LAYERS;
        Ok(())
    }

    /// Computes a layer's output from its input.
    pub(crate) fn run_layer(&mut self, layer: usize) {
        let (before, after) = self.values.split_at_mut(layer + 1);
        run_layer(layer, &self.tensors, &before[layer], &mut after[0]);
    }
}

/// A layer in f32, on all blocks.
pub(super) fn run_layer(layer: usize, tensors: &[Vec<f32>], input: &[f32], output: &mut [f32]) {
    let inputs = input.chunks_exact(WIDTHS[layer] * LANES);
    let outputs = output.chunks_exact_mut(WIDTHS[layer + 1] * LANES);
    let (weights, bias) = (&tensors[2 * layer], &tensors[2 * layer + 1]);
    let mut convolved = vec![0.0; if layer < 2 { 4 * WIDTHS[layer + 1] * LANES } else { 0 }];
    for (input, output) in inputs.zip(outputs) {
        match layer {
            0 | 1 => {
                conv3x3_relu(input, weights, bias, PLANES[layer], &mut convolved);
                max_pool2(&convolved, PLANES[layer], output);
            }
            2 => dense(input, weights, bias, Activation::Relu, output),
            _ => dense(input, weights, bias, Activation::None, output),
        }
    }
}

/// The digit that image `n` is read as: the first of its largest logits; none when a logit is NaN.
fn prediction(logits: &[f32], n: usize) -> Option<usize> {
    let logit = |i: usize| logits[at(n, i, CLASSES)];
    if (0..CLASSES).any(|i| logit(i).is_nan()) {
        return None;
    }
    (0..CLASSES).reduce(|best, i| if logit(i) > logit(best) { i } else { best })
}

/// Where value `i` of image `n` stands in blocks of `[width][LANES]`.
pub(super) fn at(n: usize, i: usize, width: usize) -> usize {
    (n / LANES * width + i) * LANES + n % LANES
}

/// Errors when one of the values is above `largest`.
fn check_all(message: &str, values: &[u8], largest: u8) -> Result<()> {
    match values.iter().position(|&v| v > largest) {
        None => Ok(()),
        Some(i) => Err(Error::new(Code::InvalidArgument, message)
            .with_offset(i as u64)
            .with_expected(format!("0 to {largest}"))
            .with_found(values[i])),
    }
}
