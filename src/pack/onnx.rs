//! How ONNX stores quantized weights, each as codes and scales without zero points (the middle of the range is 0):
//!
//! - `DequantizeLinear` ([`Linear`]): codes in the weight's own order, `i8` or `i4` (low nibble first), and a scale for the whole, for each
//!   index of an axis, or for each block along an axis: <https://onnx.ai/onnx/operators/onnx__DequantizeLinear.html>.
//! - `MatMulNBits` of com.microsoft ([`Columns`]): of a weight `[K, N]` the blocks along K, `[N, K/block, block·bits/8]`, offset codes, low
//!   nibble first; scales `[N, K/block]`. The last block is filled up with the code of 0.
//! - `GatherBlockQuantized` of com.microsoft ([`Rows`]): of a table `[rows, columns]` offset codes `[rows, columns·bits/8]`, low nibble
//!   first, and a scale for each block of a row.
//!
//! 8 bits for an axis: scale = absmax/127, codes −127 … 127. In blocks the weight of largest magnitude (the first of them) has the code
//! −2^(bits−1), so scale = extreme / −2^(bits−1), which may be negative: at 4 bits that loses less than absmax/7 does. Codes are rounded to
//! even, of the scale as it is stored. A scale of 0, or below the least normal number, is 1.

use std::rc::Rc;

use half::f16;

use super::{Packer, Part};
use crate::decode::decode;
use crate::error::{Code, Error, Result};
use crate::tensor::{DType, Shape, to_usize, try_vec};

/// The types that scales have: that of the weights they make.
fn scale_type(name: &str) -> Result<DType> {
    DType::named(name).filter(|t| matches!(t, DType::F32 | DType::F16)).ok_or_else(|| {
        Error::new(Code::InvalidArgument, "scales cannot be of this type")
            .with_expected("F32 or F16")
            .with_found(format!("{name:?}"))
    })
}

/// For `DequantizeLinear`: `bits` 8 or 4; a scale for the whole where there is no `axis`, for each block of it where there is a `block`.
pub(super) fn linear(bits: u32, axis: Option<usize>, block: Option<u64>, scale: &str) -> Result<Rc<dyn Packer>> {
    check(matches!(bits, 4 | 8) && block != Some(0) && (block.is_none() || axis.is_some()), bits, block)?;
    Ok(Rc::new(Linear { bits, axis, block, scale: scale_type(scale)? }))
}

/// For `MatMulNBits`.
pub(super) fn columns(bits: u32, block: u64, scale: &str) -> Result<Rc<dyn Packer>> {
    check(is_block(bits, block), bits, Some(block))?;
    Ok(Rc::new(Columns { bits, block, scale: scale_type(scale)? }))
}

/// For `GatherBlockQuantized`.
pub(super) fn rows(bits: u32, block: u64, scale: &str) -> Result<Rc<dyn Packer>> {
    check(is_block(bits, block), bits, Some(block))?;
    Ok(Rc::new(Rows { bits, block, scale: scale_type(scale)? }))
}

/// What both contrib operators take.
fn is_block(bits: u32, block: u64) -> bool {
    matches!(bits, 4 | 8) && block.is_power_of_two() && (16..=1 << 16).contains(&block)
}

fn check(is_right: bool, bits: u32, block: Option<u64>) -> Result<()> {
    if is_right {
        return Ok(());
    }
    Err(Error::new(Code::InvalidArgument, "ONNX cannot store codes so")
        .with_expected("4 or 8 bits, and for com.microsoft blocks of a power of two from 16")
        .with_found(format!("{bits} bits, block {block:?}")))
}

/// The scale that gives `extreme` the code `-limit` (or `±limit`, where codes are symmetric), as it is stored.
fn scale_of(extreme: f32, limit: f32, is_symmetric: bool, dtype: DType) -> f32 {
    let scale = if is_symmetric { extreme.abs() / limit } else { extreme / -limit };
    // Rounded up, the scale of the largest weights may give a number that their type does not have: then the next smaller one.
    let (stored, least) = match dtype {
        DType::F16 => {
            let near = f16::from_f32(scale);
            let is_over = (near.to_f32() * limit).abs() > f16::MAX.to_f32();
            (f16::from_bits(near.to_bits() - u16::from(is_over)).to_f32(), f16::MIN_POSITIVE.to_f32())
        }
        _ => {
            let is_over = (scale * limit).is_infinite();
            (f32::from_bits(scale.to_bits() - u32::from(is_over)), f32::MIN_POSITIVE)
        }
    };
    if stored.abs() < least { 1.0 } else { stored }
}

/// The code of a weight.
#[inline(always)]
fn code(x: f32, scale: f32, low: f32, high: f32) -> i32 {
    (x / scale).round_ties_even().clamp(low, high) as i32
}

/// The largest magnitude wins, the first of equals.
#[inline(always)]
fn extreme(so_far: f32, x: f32) -> f32 {
    if x.abs() > so_far.abs() { x } else { so_far }
}

fn all_finite(values: &[f32]) -> Result<()> {
    match values.iter().position(|x| !x.is_finite()) {
        None => Ok(()),
        Some(at) => Err(Error::new(Code::NonFinite, "a weight is not finite")
            .with_offset(at as u64)
            .with_expected("finite weights")
            .with_found(values[at])),
    }
}

fn scale_bytes(scales: &[f32], dtype: DType) -> Vec<u8> {
    match dtype {
        DType::F16 => scales.iter().flat_map(|&s| f16::from_f32(s).to_le_bytes()).collect(),
        _ => scales.iter().flat_map(|s| s.to_le_bytes()).collect(),
    }
}

fn scales_from(bytes: &[u8], dtype: DType) -> Result<Vec<f32>> {
    let mut out = try_vec(0.0, bytes.len() / dtype.block().1 as usize)?;
    decode(dtype, false, bytes, &mut out)?;
    Ok(out)
}

fn too_many() -> Error {
    Error::new(Code::ShapeMismatch, "the tensor is too large").with_expected("fewer bits than 64 bits can count")
}

fn part(name: &'static str, dtype: DType, dims: Vec<u64>, by_rows: bool) -> Result<Part> {
    let byte_len = dtype.padded_len(Shape::new(&dims)?.count()).ok_or_else(too_many)?;
    Ok(Part { name, dtype, dims, byte_len, by_rows })
}

fn not_a_matrix(shape: &Shape) -> Error {
    Error::new(Code::ShapeMismatch, "this operator takes a matrix")
        .with_expected("2 dimensions")
        .with_found(format!("{:?}", shape.dims()))
}

/// See the [module](self).
struct Linear {
    bits: u32,
    axis: Option<usize>,
    block: Option<u64>,
    scale: DType,
}

/// A tensor seen along an axis: what is before it, the axis, what is after it, and how many of the axis share a scale.
struct View {
    outer: usize,
    axis: usize,
    inner: usize,
    block: usize,
    /// Scales differ in what is before the axis and after it, too.
    is_blocked: bool,
}

impl View {
    /// The scale of each element, in order; `each` is given the element's index and the scale's.
    fn walk(&self, mut each: impl FnMut(usize, usize)) {
        let blocks = self.axis.div_ceil(self.block);
        for outer in 0..self.outer {
            for axis in 0..self.axis {
                let at = (outer * self.axis + axis) * self.inner;
                let first =
                    if self.is_blocked { (outer * blocks + axis / self.block) * self.inner } else { axis / self.block };
                for inner in 0..self.inner {
                    each(at + inner, if self.is_blocked { first + inner } else { first });
                }
            }
        }
    }

    fn scales(&self) -> usize {
        let blocks = self.axis.div_ceil(self.block);
        if self.is_blocked { self.outer * blocks * self.inner } else { blocks }
    }
}

impl Linear {
    fn dtype(&self) -> DType {
        if self.bits == 8 { DType::I8 } else { DType::I4 }
    }

    fn axis_of(&self, shape: &Shape) -> Result<Option<usize>> {
        match self.axis {
            Some(axis) if axis >= shape.dims().len() => {
                Err(Error::new(Code::ShapeMismatch, "the tensor does not have the axis of the scales")
                    .with_expected(format!("an axis below {}", shape.dims().len()))
                    .with_found(axis))
            }
            axis => Ok(axis),
        }
    }

    fn scale_dims(&self, shape: &Shape) -> Result<Vec<u64>> {
        let dims = shape.dims();
        Ok(match (self.axis_of(shape)?, self.block) {
            (None, _) => vec![],
            (Some(axis), None) => vec![dims[axis]],
            (Some(axis), Some(block)) => {
                let mut dims = dims.to_vec();
                dims[axis] = dims[axis].div_ceil(block);
                dims
            }
        })
    }

    fn view(&self, shape: &Shape) -> Result<View> {
        let count = to_usize(shape.count())?;
        let Some(axis) = self.axis_of(shape)? else {
            return Ok(View { outer: 1, axis: count, inner: 1, block: count.max(1), is_blocked: false });
        };
        let dims = shape.dims();
        let product = |dims: &[u64]| if count == 0 { Ok(0) } else { to_usize(dims.iter().product()) };
        Ok(View {
            outer: product(&dims[..axis])?,
            axis: to_usize(dims[axis])?,
            inner: product(&dims[axis + 1..])?,
            block: to_usize(self.block.unwrap_or(1))?,
            is_blocked: self.block.is_some(),
        })
    }
}

impl Packer for Linear {
    fn parts(&self, shape: &Shape) -> Result<Vec<Part>> {
        let by_rows = self.apart(shape).is_some();
        let scale_dims = self.scale_dims(shape)?;
        Ok(vec![
            part("quantized", self.dtype(), shape.dims().to_vec(), by_rows)?,
            part("scale", self.scale, scale_dims, by_rows)?,
        ])
    }

    fn apart(&self, shape: &Shape) -> Option<u64> {
        let (rows, columns) = shape.matrix();
        let row_is_whole = self.dtype().byte_len(columns).is_some();
        match (self.axis?, self.block) {
            _ if !row_is_whole || shape.dims().len() < 2 => None,
            (0, None) => Some(1),
            (_, None) => None,
            (0, Some(block)) => {
                let share = columns.checked_mul(self.scale.block().1)?;
                (rows.is_multiple_of(block) && share.is_multiple_of(block)).then_some(block)
            }
            (_, Some(_)) => Some(1),
        }
    }

    fn pack(&self, values: &[f32], shape: &Shape) -> Result<Vec<Vec<u8>>> {
        all_finite(values)?;
        let view = self.view(shape)?;
        let mut scales = try_vec(0f32, view.scales())?;
        view.walk(|i, s| scales[s] = extreme(scales[s], values[i]));
        // Eight bits for each index of an axis keep to the symmetric range, as ONNX Runtime's own tools do.
        let is_symmetric = self.bits == 8;
        let limit = if is_symmetric { 127.0 } else { 8.0 };
        for scale in &mut scales {
            *scale = scale_of(*scale, limit, is_symmetric, self.scale);
        }
        let (low, high) = if is_symmetric { (-127.0, 127.0) } else { (-8.0, 7.0) };
        let mut codes = try_vec(0u8, if self.bits == 8 { values.len() } else { values.len().div_ceil(2) })?;
        match self.bits {
            8 => view.walk(|i, s| codes[i] = code(values[i], scales[s], low, high) as u8),
            _ => view.walk(|i, s| codes[i / 2] |= (code(values[i], scales[s], low, high) as u8 & 15) << (4 * (i % 2))),
        }
        Ok(vec![codes, scale_bytes(&scales, self.scale)])
    }

    fn unpack(&self, parts: &[Vec<u8>], shape: &Shape) -> Result<Vec<f32>> {
        let view = self.view(shape)?;
        let dtype = self.dtype();
        let (elements, size) = dtype.block();
        let mut out = try_vec(0f32, parts[0].len() / size as usize * elements as usize)?;
        decode(dtype, false, &parts[0], &mut out)?;
        out.truncate(to_usize(shape.count())?);
        let scales = scales_from(&parts[1], self.scale)?;
        view.walk(|i, s| out[i] *= scales[s]);
        Ok(out)
    }
}

/// Offset codes of one run of blocks, low nibble first, and their scales. `bytes` has room for the whole of the last block.
fn pack_blocks(values: &[f32], bits: u32, block: usize, dtype: DType, bytes: &mut [u8], scales: &mut [f32]) {
    let middle = 1i32 << (bits - 1);
    let (low, high) = (-middle as f32, (middle - 1) as f32);
    for ((values, scale), bytes) in values.chunks(block).zip(scales).zip(bytes.chunks_mut(block * bits as usize / 8)) {
        *scale = scale_of(values.iter().fold(0.0, |a, &x| extreme(a, x)), middle as f32, false, dtype);
        let at = |i: usize| values.get(i).map_or(middle, |&x| code(x, *scale, low, high) + middle) as u8;
        for (i, byte) in bytes.iter_mut().enumerate() {
            *byte = if bits == 8 { at(i) } else { at(2 * i) | at(2 * i + 1) << 4 };
        }
    }
}

/// The inverse of [`pack_blocks`].
fn unpack_blocks(bytes: &[u8], bits: u32, block: usize, scales: &[f32], values: &mut [f32]) {
    let middle = 1i32 << (bits - 1);
    for ((values, scale), bytes) in values.chunks_mut(block).zip(scales).zip(bytes.chunks(block * bits as usize / 8)) {
        for (i, value) in values.iter_mut().enumerate() {
            let code = if bits == 8 { bytes[i] } else { bytes[i / 2] >> (4 * (i % 2)) & 15 };
            *value = (i32::from(code) - middle) as f32 * scale;
        }
    }
}

/// See the [module](self).
struct Columns {
    bits: u32,
    block: u64,
    scale: DType,
}

impl Columns {
    /// K, N, blocks, bytes of a block.
    fn sizes(&self, shape: &Shape) -> Result<(usize, usize, usize, usize)> {
        let &[k, n] = shape.dims() else { return Err(not_a_matrix(shape)) };
        let blocks = k.div_ceil(self.block);
        Ok((to_usize(k)?, to_usize(n)?, to_usize(blocks)?, to_usize(self.block * u64::from(self.bits) / 8)?))
    }
}

impl Packer for Columns {
    fn parts(&self, shape: &Shape) -> Result<Vec<Part>> {
        let (_, n, blocks, blob) = self.sizes(shape)?;
        let (n, blocks) = (n as u64, blocks as u64);
        Ok(vec![
            part("quantized", DType::U8, vec![n, blocks, blob as u64], false)?,
            part("scales", self.scale, vec![n, blocks], false)?,
        ])
    }

    fn apart(&self, _: &Shape) -> Option<u64> {
        None
    }

    fn band(&self) -> Option<u64> {
        Some(self.block)
    }

    fn pack(&self, values: &[f32], shape: &Shape) -> Result<Vec<Vec<u8>>> {
        all_finite(values)?;
        let (k, n, blocks, blob) = self.sizes(shape)?;
        let mut bytes = try_vec(0u8, n * blocks * blob)?;
        let mut scales = try_vec(0f32, n * blocks)?;
        // A few columns at a time, so that what is read of each row is used while it is in the cache.
        const AT_ONCE: usize = 16;
        let mut columns = try_vec(0f32, AT_ONCE * k)?;
        for first in (0..n).step_by(AT_ONCE) {
            let some = AT_ONCE.min(n - first);
            for (i, row) in values.chunks_exact(n).enumerate() {
                for (j, &x) in row[first..first + some].iter().enumerate() {
                    columns[j * k + i] = x;
                }
            }
            for j in 0..some {
                let (at, column) = ((first + j) * blocks, &columns[j * k..(j + 1) * k]);
                let (bytes, scales) = (&mut bytes[at * blob..(at + blocks) * blob], &mut scales[at..at + blocks]);
                pack_blocks(column, self.bits, self.block as usize, self.scale, bytes, scales);
            }
        }
        Ok(vec![bytes, scale_bytes(&scales, self.scale)])
    }

    fn unpack(&self, parts: &[Vec<u8>], shape: &Shape) -> Result<Vec<f32>> {
        let (k, n, blocks, blob) = self.sizes(shape)?;
        let scales = scales_from(&parts[1], self.scale)?;
        let mut out = try_vec(0f32, k * n)?;
        let mut column = try_vec(0f32, k)?;
        for j in 0..n {
            let at = j * blocks..(j + 1) * blocks;
            let bytes = &parts[0][at.start * blob..at.end * blob];
            unpack_blocks(bytes, self.bits, self.block as usize, &scales[at], &mut column);
            for (row, &x) in out.chunks_exact_mut(n).zip(&column) {
                row[j] = x;
            }
        }
        Ok(out)
    }
}

/// See the [module](self).
struct Rows {
    bits: u32,
    block: u64,
    scale: DType,
}

impl Rows {
    /// Rows, columns, blocks of a row, bytes of a row.
    fn sizes(&self, shape: &Shape) -> Result<(usize, usize, usize, usize)> {
        let &[rows, columns] = shape.dims() else { return Err(not_a_matrix(shape)) };
        if !columns.is_multiple_of(self.block) {
            return Err(Error::new(Code::ShapeMismatch, "blocks do not divide the rows")
                .with_expected(format!("rows of a multiple of {}", self.block))
                .with_found(columns));
        }
        let row = columns.checked_mul(self.bits.into()).ok_or_else(too_many)? / 8;
        Ok((to_usize(rows)?, to_usize(columns)?, to_usize(columns / self.block)?, to_usize(row)?))
    }
}

impl Packer for Rows {
    fn parts(&self, shape: &Shape) -> Result<Vec<Part>> {
        let (rows, _, blocks, row) = self.sizes(shape)?;
        Ok(vec![
            part("quantized", DType::U8, vec![rows as u64, row as u64], true)?,
            part("scales", self.scale, vec![rows as u64, blocks as u64], true)?,
        ])
    }

    fn apart(&self, _: &Shape) -> Option<u64> {
        Some(1)
    }

    fn pack(&self, values: &[f32], shape: &Shape) -> Result<Vec<Vec<u8>>> {
        all_finite(values)?;
        let (rows, _, blocks, row) = self.sizes(shape)?;
        let mut bytes = try_vec(0u8, rows * row)?;
        let mut scales = try_vec(0f32, rows * blocks)?;
        // Rows are whole blocks, so they can be packed as one run of them.
        pack_blocks(values, self.bits, self.block as usize, self.scale, &mut bytes, &mut scales);
        Ok(vec![bytes, scale_bytes(&scales, self.scale)])
    }

    fn unpack(&self, parts: &[Vec<u8>], shape: &Shape) -> Result<Vec<f32>> {
        self.sizes(shape)?;
        let mut out = try_vec(0f32, to_usize(shape.count())?)?;
        unpack_blocks(&parts[0], self.bits, self.block as usize, &scales_from(&parts[1], self.scale)?, &mut out);
        Ok(out)
    }
}
