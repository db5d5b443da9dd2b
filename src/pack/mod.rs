//! How a file that is written stores one tensor: as it was, as elements of another type, or as the codes, scales and zero points of a
//! quantization. A [`Packing`] is plain data, so that a recipe can name it; [`Packing::packer`] makes of it what turns rows of weights
//! into the bytes of one or several parts, and back for the proof. Where the parts lie in the file is the writer's business.

mod onnx;
mod scheme;

use std::rc::Rc;

use serde::{Deserialize, Serialize};

use crate::error::{Code, Error, Result};
use crate::kernels;
use crate::quant::Options;
use crate::stats::{CHUNK, Comparison, Metrics};
use crate::tensor::{DType, Shape};

/// How a tensor is stored.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "pack", rename_all = "snake_case")]
pub enum Packing {
    /// The stored bytes, as they are.
    Copy,
    /// Elements of this type: `F32`, `F16`, `BF16`, `F8_E4M3`, `F8_E5M2`.
    Cast {
        /// The type's name.
        dtype: String,
    },
    /// A scheme's own layout, one part: ggml's blocks.
    Scheme {
        /// The scheme's name.
        id: String,
        /// Its options.
        #[serde(flatten)]
        options: Options,
    },
    /// Floats after a scheme: what a reader of the quantized tensor would get, for study.
    Rounded {
        /// The type they are stored in.
        dtype: String,
        /// The scheme's name.
        id: String,
        /// Its options.
        #[serde(flatten)]
        options: Options,
    },
    /// ONNX's `DequantizeLinear`: codes and scales.
    OnnxLinear {
        /// Of a code: 8 or 4.
        bits: u32,
        /// The axis whose indices have scales of their own; none for one scale.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        axis: Option<usize>,
        /// So many of the axis share a scale, with each index of the other axes; none for all.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        block: Option<u64>,
        /// The scales' type: `F32` or `F16`.
        scale: String,
    },
    /// `MatMulNBits` of com.microsoft, of a weight `[K, N]`.
    OnnxMatMul {
        /// Of a code: 4 or 8.
        bits: u32,
        /// So many along K share a scale: a power of two from 16.
        block: u64,
        /// The scales' type: `F32` or `F16`.
        scale: String,
    },
    /// `GatherBlockQuantized` of com.microsoft, of a table whose rows are gathered.
    OnnxGather {
        /// Of a code: 4 or 8.
        bits: u32,
        /// So many of a row share a scale: a power of two from 16.
        block: u64,
        /// The scales' type: `F32` or `F16`.
        scale: String,
    },
}

impl Packing {
    /// What packs.
    ///
    /// # Errors
    /// `unknown_scheme`, `unknown_option`, `invalid_option`; `invalid_argument` for a type that cannot be cast to, and for
    /// [`Packing::Copy`], which packs nothing.
    pub fn packer(&self) -> Result<Rc<dyn Packer>> {
        match self {
            Packing::Copy => Err(Error::new(Code::InvalidArgument, "bytes that are copied are not packed")),
            Packing::Cast { dtype } => scheme::cast(dtype),
            Packing::Scheme { id, options } => scheme::own_layout(id, options),
            Packing::Rounded { dtype, id, options } => scheme::rounded(dtype, id, options),
            Packing::OnnxLinear { bits, axis, block, scale } => onnx::linear(*bits, *axis, *block, scale),
            Packing::OnnxMatMul { bits, block, scale } => onnx::columns(*bits, *block, scale),
            Packing::OnnxGather { bits, block, scale } => onnx::rows(*bits, *block, scale),
        }
    }
}

/// One of the tensors that a tensor is stored as.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Part {
    /// What it holds: empty for the weights themselves, else a short name such as `scale`.
    pub name: &'static str,
    /// Its element type in the file.
    pub dtype: DType,
    /// Its dimensions in the file, outermost first.
    pub dims: Vec<u64>,
    /// Its bytes.
    pub byte_len: u64,
    /// Whether the bytes of each row follow those of the row before, as many for each. A part that does not is given whole.
    pub by_rows: bool,
}

/// Turns weights into the bytes of parts. `shape` is the tensor's own when all of it is packed at once, and of fewer rows where
/// [`Packer::apart`] allows it.
pub trait Packer {
    /// The parts that a tensor of this shape is stored as, known without its weights.
    ///
    /// # Errors
    /// `shape_mismatch` for a tensor that cannot be stored so.
    fn parts(&self, shape: &Shape) -> Result<Vec<Part>>;

    /// Rows can be packed apart from the others, in multiples of so many (the last ones excepted); `None` where a tensor must be whole.
    fn apart(&self, shape: &Shape) -> Option<u64>;

    /// The bytes of each part.
    ///
    /// # Errors
    /// `non_finite`, `shape_mismatch`, `out_of_memory`.
    fn pack(&self, values: &[f32], shape: &Shape) -> Result<Vec<Vec<u8>>>;

    /// What a reader gets from these bytes.
    ///
    /// # Errors
    /// `shape_mismatch`, `out_of_memory`.
    fn unpack(&self, parts: &[Vec<u8>], shape: &Shape) -> Result<Vec<f32>>;
}

/// Packed rows and the proof: they were read back and compared with the weights.
#[derive(Debug)]
pub struct Packed {
    /// The bytes of each part.
    pub parts: Vec<Vec<u8>>,
    /// How far they lie from the weights.
    pub metrics: Metrics,
    /// Σ of the weights' squares: with the errors' it gives the ratio of many such runs together.
    pub energy: f64,
}

/// Packs, reads back and compares.
///
/// # Errors
/// As [`Packer::pack`]; `verification_failed` where the bytes read back as other than finite numbers.
pub fn pack_and_verify(packer: &dyn Packer, values: &[f32], shape: &Shape) -> Result<Packed> {
    let parts = packer.pack(values, shape)?;
    let back = packer.unpack(&parts, shape)?;
    let metrics = Comparison::of(values, &back).map_err(|e| {
        if e.code == Code::NonFinite && values.iter().all(|x| x.is_finite()) {
            Error::new(Code::VerificationFailed, "what was packed reads back as numbers that are not finite")
                .with_expected("weights within the range of the type and its scales")
        } else {
            e
        }
    })?;
    let energy = values.chunks(CHUNK).map(|x| kernels::energy(x).squares).sum();
    Ok(Packed { parts, metrics, energy })
}
