//! Numbers of a weight that is stored in several tensors ([`Derived`](crate::formats::Derived)), row by row.
//!
//! A [`Derivation`] says which bytes of each part some rows need, and makes the numbers of them. All arithmetic is in f32: codes and
//! zero points are small integers, so each number is rounded once, at the product with its scale.

mod onnx;
mod scaled;
mod words;

use std::ops::Range;

use super::decode;
use crate::error::{Code, Error, Result};
use crate::formats::derived::Method;
use crate::tensor::{DType, Shape, try_vec};

/// One part: how its elements are stored, and its dimensions.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Part {
    /// Type of an element.
    pub dtype: DType,
    /// Dimensions.
    pub shape: Shape,
}

/// How to make the numbers of one tensor.
#[derive(Debug, Clone)]
pub struct Derivation {
    method: Method,
    rows: u64,
    columns: u64,
    parts: Vec<Part>,
}

impl Derivation {
    /// A tensor of this shape from parts in the order that the method says.
    ///
    /// # Errors
    /// `shape_mismatch` when a part is missing or its type or shape are not what the method asks for.
    pub fn new(method: Method, shape: &Shape, parts: Vec<Part>) -> Result<Derivation> {
        let (rows, columns) = shape.matrix();
        let made = Derivation { method, rows, columns, parts };
        let fits = match method {
            Method::Awq { .. } | Method::Gptq { .. } | Method::Packed { .. } => words::fits(&made),
            Method::Scaled { .. } => scaled::fits(&made),
            Method::OnnxLinear { .. } => onnx::linear_fits(&made, shape),
            Method::OnnxMatMul { .. } => onnx::mat_mul_fits(&made),
            Method::OnnxGather { .. } => onnx::gather_fits(&made),
        };
        let is_counted = made.parts.iter().all(|part| part.dtype.padded_len(part.shape.count()).is_some());
        if fits.is_none() || !is_counted {
            let parts: Vec<_> = made.parts.iter().map(|p| (p.dtype.name(), p.shape.dims())).collect();
            return Err(Error::new(Code::ShapeMismatch, "the parts do not make a tensor of this shape")
                .with_expected(format_args!("parts of {method:?} for {:?}", shape.dims()))
                .with_found(format_args!("{parts:?}")));
        }
        Ok(made)
    }

    /// The bytes of each part that these rows are made of, counted from the start of the part.
    #[must_use]
    pub fn needs(&self, rows: Range<u64>) -> Vec<Range<u64>> {
        let rows = rows.start.min(self.rows)..rows.end.min(self.rows);
        match self.method {
            Method::Awq { .. } | Method::Gptq { .. } | Method::Packed { .. } => words::needs(self, rows),
            Method::Scaled { .. } => scaled::needs(self, rows),
            Method::OnnxLinear { .. } => onnx::linear_needs(self, rows),
            Method::OnnxMatMul { .. } => (0..self.parts.len()).map(|i| self.whole(i)).collect(),
            Method::OnnxGather { .. } => onnx::gather_needs(self, rows),
        }
    }

    /// Rows of the tensor, row-major, from exactly the bytes that [`Derivation::needs`] names.
    ///
    /// # Errors
    /// `shape_mismatch` when bytes or `out` have another length; `malformed` when the parts contradict each other.
    pub fn decode(&self, rows: Range<u64>, bytes: &[&[u8]], out: &mut [f32]) -> Result<()> {
        let is_inside = rows.start <= rows.end && rows.end <= self.rows;
        let needs = self.needs(rows.clone());
        let have_all = needs.iter().map(|need| need.end - need.start).eq(bytes.iter().map(|b| b.len() as u64));
        if !is_inside || !have_all || (rows.end - rows.start).checked_mul(self.columns) != Some(out.len() as u64) {
            return Err(Error::new(Code::ShapeMismatch, "the bytes are not the rows asked for")
                .with_expected(format_args!("rows {rows:?} of {} from bytes {needs:?}", self.rows))
                .with_found(format_args!("{:?} bytes", bytes.iter().map(|b| b.len()).collect::<Vec<_>>())));
        }
        if out.is_empty() {
            return Ok(());
        }
        match self.method {
            Method::Awq { group, .. } => words::awq(self, group, rows, bytes, out),
            Method::Gptq { bits, group, ordered } => words::gptq(self, bits, group, ordered, rows, bytes, out),
            Method::Packed { .. } => words::pack_quantized(self, rows, bytes, out),
            Method::Scaled { .. } => scaled::decode_rows(self, rows, bytes, out),
            Method::OnnxLinear { .. } => onnx::linear(self, rows, bytes, out),
            Method::OnnxMatMul { .. } => onnx::mat_mul(self, rows, bytes, out),
            Method::OnnxGather { .. } => onnx::gather(self, rows, bytes, out),
        }
    }

    /// Whether part `index` is of this type and these dimensions.
    fn is(&self, index: usize, dtype: DType, dims: &[u64]) -> Option<()> {
        let part = self.parts.get(index)?;
        (part.dtype == dtype && part.shape.dims() == dims).then_some(())
    }

    /// The bytes of so many rows of part `index`, each of `columns` elements of whole bytes.
    fn part_rows(&self, index: usize, rows: Range<u64>, columns: u64) -> Range<u64> {
        let (_, size) = self.parts[index].dtype.block();
        rows.start * columns * size..rows.end * columns * size
    }

    fn whole(&self, index: usize) -> Range<u64> {
        let part = &self.parts[index];
        0..part.dtype.padded_len(part.shape.count()).unwrap_or(0)
    }

    /// Elements of part `index`, as numbers.
    fn floats(&self, index: usize, bytes: &[u8]) -> Result<Vec<f32>> {
        let dtype = self.parts[index].dtype;
        let (elements, size) = dtype.block();
        let mut out = try_vec(0f32, bytes.len() / size as usize * elements as usize)?;
        decode(dtype, false, bytes, &mut out)?;
        Ok(out)
    }

    /// Whether part `index` is stored as floats of whole bytes.
    fn is_float(&self, index: usize) -> Option<()> {
        matches!(self.parts.get(index)?.dtype, DType::F16 | DType::Bf16 | DType::F32).then_some(())
    }
}

fn malformed(what: &str, expected: impl crate::error::Fact, found: impl crate::error::Fact) -> Error {
    Error::new(Code::Malformed, what).with_expected(expected).with_found(found)
}
