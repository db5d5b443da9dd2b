//! How a file that is written stores one tensor: as it was, as elements of another type, or as the codes, scales and zero points of a
//! quantization. A [`Packing`] is plain data, so that a recipe can name it; [`Packing::packer`] makes of it what turns rows of weights
//! into the bytes of one or several parts, and back for the proof. Where the parts lie in the file is the writer's business.

pub mod compressed;
pub mod interleave;
mod onnx;
mod recent;
mod scheme;
pub mod survey;

use std::rc::Rc;

use serde::{Deserialize, Serialize};

use crate::decode::decode;
use crate::error::{Code, Error, Result};
use crate::kernels::{self, Fidelity};
use crate::quant::Options;
use crate::stats::CHUNK;
use crate::tensor::{DType, Shape, to_usize, try_vec};

pub(crate) use recent::Recent;

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
    /// A record of Deep Compression, one part, as long as its weights make it.
    Record {
        /// The scheme's name: `deep`.
        id: String,
        /// Its options.
        #[serde(flatten)]
        options: Options,
    },
    /// Codes and scales as compressed-tensors stores them.
    Compressed {
        /// Which of its layouts.
        layout: compressed::Layout,
        /// The type of the scales: `F32`, `F16`, `BF16`.
        scale: String,
        /// The scheme's name: `int2`, `int4`, `int8`, `fp8_e4m3`.
        id: String,
        /// Its options.
        #[serde(flatten)]
        options: Options,
    },
}

impl Packing {
    /// Parts whose bytes follow from the tensor's dimensions, beside those that a packer makes. They come after them.
    #[must_use]
    pub fn literals(&self, dims: &[u64]) -> Vec<(Part, Vec<u8>)> {
        match self {
            Packing::Compressed { layout, .. } => compressed::literals(*layout, dims),
            _ => vec![],
        }
    }

    /// What packs.
    ///
    /// # Errors
    /// `unknown_scheme`, `unknown_option`, `invalid_option`; `invalid_argument` for a type that cannot be cast to, and for
    /// [`Packing::Copy`], which packs nothing.
    pub fn packer(&self) -> Result<Rc<dyn Packer>> {
        thread_local!(static MADE: Recent<Packing, dyn Packer> = const { Recent::new() });
        MADE.with(|made| made.get(self, || self.make()))
    }

    fn make(&self) -> Result<Rc<dyn Packer>> {
        match self {
            Packing::Copy => Err(Error::new(Code::InvalidArgument, "bytes that are copied are not packed")),
            Packing::Cast { dtype } => scheme::cast(dtype),
            Packing::Scheme { id, options } => scheme::own_layout(id, options),
            Packing::Rounded { dtype, id, options } => scheme::rounded(dtype, id, options),
            Packing::Record { id, options } => scheme::record(id, options),
            Packing::OnnxLinear { bits, axis, block, scale } => onnx::linear(*bits, *axis, *block, scale),
            Packing::OnnxMatMul { bits, block, scale } => onnx::columns(*bits, *block, scale),
            Packing::OnnxGather { bits, block, scale } => onnx::rows(*bits, *block, scale),
            Packing::Compressed { layout, scale, id, options } => compressed::packer(*layout, scale, id, options),
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
    /// Its bytes; of a record the most that they can be.
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

    /// Where a tensor is packed as one run of weights, whatever its rows: so many of them, counted from the first, are packed apart from
    /// the others and fill bytes of their own.
    fn grain(&self) -> Option<u64> {
        None
    }

    /// Where rows are packed apart in bands of so many (the last one excepted) whose bytes do not follow each other: every column has a record
    /// in each part, and in it as many bytes for each band. A band is packed as a tensor of its rows.
    fn band(&self) -> Option<u64> {
        None
    }

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

/// Weights as a file stores them: whole rows of a tensor.
#[derive(Debug, Clone, Copy)]
pub struct Stored {
    /// Their type.
    pub dtype: DType,
    /// The order of the bytes of an element.
    pub big_endian: bool,
    /// How many bytes.
    pub byte_len: u64,
    /// Which element of the tensor the first one is: errors count from there.
    pub first: u64,
}

/// Where the stored bytes lie and where the packed ones go.
pub trait Bytes {
    /// The stored bytes from `at` on.
    fn read(&mut self, at: usize, out: &mut [u8]);

    /// The next bytes of a part.
    ///
    /// # Errors
    /// `out_of_memory`.
    fn write(&mut self, part: usize, bytes: &[u8]) -> Result<()>;
}

/// Weights that are decoded, packed, read back and compared at a time, where they can be packed apart: all of that finds them in the
/// processor's second-level cache.
const AT_ONCE: u64 = 1 << 15;

/// Decodes, packs, reads back and compares; says how far what was read back lies from the weights.
///
/// # Errors
/// As [`Packer::pack`]; `shape_mismatch` where the bytes are not the elements of the shape; `verification_failed` where the packed bytes
/// read back as other than finite numbers.
pub fn pack_and_verify(packer: &dyn Packer, stored: Stored, shape: &Shape, bytes: &mut dyn Bytes) -> Result<Fidelity> {
    let Stored { dtype, big_endian, byte_len, first } = stored;
    let count = shape.count();
    if dtype.byte_len(count) != Some(byte_len) {
        return Err(Error::new(Code::ShapeMismatch, "the bytes are not the rows' elements")
            .with_expected(format!("{count} elements of {}", dtype.name()))
            .with_found(format!("{byte_len} bytes")));
    }
    let pieces = Pieces::of(packer, dtype, shape);
    let piece_bytes = |weights| to_usize(dtype.byte_len(weights).unwrap_or(0));
    let mut read = try_vec(0_u8, piece_bytes(pieces.largest)?)?;
    let mut values = try_vec(0.0, to_usize(pieces.largest)?)?;
    let mut fidelity = Fidelity::default();
    let (mut from, mut at) = (0, 0);
    loop {
        let (weights, piece) = pieces.at(from)?;
        let read = &mut read[..piece_bytes(weights)?];
        let values = &mut values[..to_usize(weights)?];
        bytes.read(at, read);
        decode(dtype, big_endian, read, values)?;
        let packed = packer.pack(values, &piece).map_err(|e| further(e, first + from))?;
        let back = packer.unpack(&packed, &piece)?;
        fidelity = fidelity.merge(proof(values, &back).map_err(|e| further(e, first + from))?);
        for (part, packed) in packed.iter().enumerate() {
            bytes.write(part, packed)?;
        }
        (from, at) = (from + weights, at + read.len());
        if from >= count {
            return Ok(fidelity);
        }
    }
}

/// A tensor cut into stretches that are packed one after the other.
struct Pieces<'a> {
    whole: &'a Shape,
    /// Dimensions after the first, of each piece.
    inner: Vec<u64>,
    /// Weights of one step along the first dimension.
    step: u64,
    /// Weights of each piece but perhaps the last.
    largest: u64,
}

impl<'a> Pieces<'a> {
    fn of(packer: &dyn Packer, dtype: DType, whole: &'a Shape) -> Pieces<'a> {
        let count = whole.count();
        let uncut = Pieces { whole, inner: vec![], step: count, largest: count };
        let (rows, columns) = whole.matrix();
        let (inner, step, multiple) = match (packer.grain(), packer.apart(whole)) {
            (Some(grain), _) if grain > 0 && count.is_multiple_of(grain) => (vec![grain], grain, 1),
            (_, Some(multiple)) if multiple > 0 && rows > 1 => {
                (whole.dims().get(1..).unwrap_or_default().to_vec(), columns, multiple)
            }
            _ => return uncut,
        };
        let unit = step.saturating_mul(multiple);
        let largest = (AT_ONCE / unit.max(1)).max(1).saturating_mul(unit);
        // A piece must also hold whole blocks of the type it is stored in.
        if largest == 0 || largest >= count || dtype.byte_len(largest).is_none() {
            return uncut;
        }
        Pieces { whole, inner, step, largest }
    }

    /// The piece that begins with this weight: how many, and as which tensor they are packed.
    fn at(&self, from: u64) -> Result<(u64, Shape)> {
        let count = self.largest.min(self.whole.count() - from);
        if self.inner.is_empty() {
            return Ok((count, self.whole.clone()));
        }
        let dims: Vec<u64> = [count / self.step].into_iter().chain(self.inner.iter().copied()).collect();
        Ok((count, Shape::new(&dims)?))
    }
}

/// An error that counts elements of a piece, counted from the tensor's first.
fn further(mut error: Error, by: u64) -> Error {
    if error.code == Code::NonFinite {
        error.offset = error.offset.map(|at| at + by);
    }
    error
}

/// How far what was read back lies from the weights.
fn proof(values: &[f32], back: &[f32]) -> Result<Fidelity> {
    if values.len() != back.len() {
        return Err(Error::new(Code::VerificationFailed, "what was packed reads back as another number of weights")
            .with_expected(values.len())
            .with_found(back.len()));
    }
    let fidelity = values
        .chunks(CHUNK)
        .zip(back.chunks(CHUNK))
        .fold(Fidelity::default(), |sum, (x, y)| sum.merge(kernels::fidelity(x, y)));
    if fidelity.is_finite() {
        return Ok(fidelity);
    }
    match values.iter().position(|x| !x.is_finite()) {
        Some(at) => Err(Error::new(Code::NonFinite, "the weights hold a value that is not finite")
            .with_offset(at as u64)
            .with_found(values[at])),
        None => Err(Error::new(Code::VerificationFailed, "what was packed reads back as numbers that are not finite")
            .with_expected("weights within the range of the type and its scales")),
    }
}
