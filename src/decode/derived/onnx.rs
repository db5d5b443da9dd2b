//! Weights of ONNX models that are stored as codes and scales: `DequantizeLinear` of ONNX, `MatMulNBits` and `GatherBlockQuantized` of
//! com.microsoft. [`Method`] states the layouts.

use std::ops::Range;

use super::{Derivation, decode};
use crate::error::Result;
use crate::formats::derived::Method;
use crate::tensor::{DType, Shape, to_usize, try_vec};

/// Axis, block and whether there are zero points.
fn of_linear(of: &Derivation) -> (Option<usize>, Option<u64>, bool) {
    match of.method {
        Method::OnnxLinear { axis, block, zero_points } => (axis, block, zero_points),
        other => unreachable!("{other:?} is not linear"),
    }
}

/// Bits, block and whether there are zero points.
fn of_blocks(of: &Derivation) -> (u32, u64, bool) {
    match of.method {
        Method::OnnxMatMul { bits, block, zero_points } | Method::OnnxGather { bits, block, zero_points } => {
            (bits, block, zero_points)
        }
        other => unreachable!("{other:?} has no blocks"),
    }
}

pub(super) fn linear_fits(of: &Derivation, shape: &Shape) -> Option<()> {
    let (axis, block, zero_points) = of_linear(of);
    let [x, scale, zeros @ ..] = of.parts.as_slice() else { return None };
    let dims = shape.dims();
    let scales = match (axis, block) {
        (None, None) => 1,
        (Some(axis), None) => *dims.get(axis)?,
        (Some(axis), Some(block)) => {
            let mut dims = dims.to_vec();
            let axis = dims.get_mut(axis)?;
            *axis = axis.div_ceil(Some(block).filter(|&b| b > 0)?);
            (scale.shape.dims() == dims).then_some(())?;
            scale.shape.count()
        }
        (None, Some(_)) => return None,
    };
    let is_code = !x.dtype.is_blocks() && !matches!(x.dtype, DType::C64 | DType::F64 | DType::U64 | DType::I64);
    of.is_float(1)?;
    let zero_fits = match zeros {
        [] => !zero_points,
        [zero] => zero_points && zero.dtype == x.dtype && zero.shape.count() == scales,
        _ => false,
    };
    (is_code && x.shape == *shape && scale.shape.count() == scales && zero_fits).then_some(())
}

/// Which rows of a part are needed for rows of the tensor, as bytes, and the first of them. The whole part where rows share bytes or all
/// need the same.
fn rows_of(of: &Derivation, part: usize, rows: &Range<u64>) -> (Range<u64>, u64) {
    let (axis, block, _) = of_linear(of);
    // A vector is one row, whose scales lie along it.
    let is_vector = of.parts[0].shape.dims().len() == 1;
    let rows = match (part, axis, block) {
        (0, ..) => rows.clone(),
        _ if is_vector => return (of.whole(part), 0),
        (_, Some(0), block) => {
            let block = block.unwrap_or(1);
            rows.start / block..rows.end.div_ceil(block)
        }
        (_, Some(_), Some(_)) => rows.clone(),
        _ => return (of.whole(part), 0),
    };
    let (dtype, shape) = (of.parts[part].dtype, &of.parts[part].shape);
    // Of a vector each element is a row.
    let columns = if part == 0 { of.columns } else { shape.dims().iter().skip(1).product() };
    match dtype.byte_len(columns) {
        Some(row) if part > 0 || shape.dims().len() > 1 => (rows.start * row..rows.end * row, rows.start),
        _ => (of.whole(part), 0),
    }
}

pub(super) fn linear_needs(of: &Derivation, rows: Range<u64>) -> Vec<Range<u64>> {
    (0..of.parts.len()).map(|part| rows_of(of, part, &rows).0).collect()
}

/// Elements of a part, as numbers; one too many where half a byte is left over.
fn numbers(of: &Derivation, part: usize, bytes: &[u8]) -> Result<Vec<f32>> {
    let dtype = of.parts[part].dtype;
    let (elements, size) = dtype.block();
    let mut out = try_vec(0f32, bytes.len() / size as usize * elements as usize)?;
    decode(dtype, false, bytes, &mut out)?;
    Ok(out)
}

pub(super) fn linear(of: &Derivation, rows: Range<u64>, bytes: &[&[u8]], out: &mut [f32]) -> Result<()> {
    let (axis, block, zero_points) = of_linear(of);
    let columns = of.columns;
    let (_, first) = rows_of(of, 0, &rows);
    let codes = numbers(of, 0, bytes[0])?;
    let skip = to_usize((rows.start - first) * columns)?;
    out.copy_from_slice(&codes[skip..skip + out.len()]);
    let scales = numbers(of, 1, bytes[1])?;
    let zeros = if zero_points { numbers(of, 2, bytes[2])? } else { vec![] };
    let first_of = |part: usize| rows_of(of, part, &rows).1;
    let (first_scale, first_zero) = (first_of(1), if zero_points { first_of(2) } else { 0 });
    // A row as `outer × axis × inner`; of axis 0 the row itself is an index of it.
    let dims = of.parts[0].shape.dims();
    let (outer, along, inner): (u64, u64, u64) = match axis {
        None => (1, 1, columns),
        Some(0) => (1, 1, columns),
        Some(axis) => (dims[1..axis].iter().product(), dims[axis], dims[axis + 1..].iter().product()),
    };
    let step = block.unwrap_or(1);
    let blocks = along.div_ceil(step);
    // A vector is one row, and its axis lies in it.
    let (outer, along, inner, blocks) = if dims.len() == 1 && axis.is_some() {
        (1, columns, 1, columns.div_ceil(step))
    } else {
        (outer, along, inner, blocks)
    };
    for (row, values) in rows.zip(out.chunks_exact_mut(columns as usize)) {
        for (i, run) in values.chunks_exact_mut(inner as usize).enumerate() {
            let (o, a) = (i as u64 / along, i as u64 % along);
            debug_assert!(o < outer);
            // The scale of the run's first element, and by how much it moves within the run.
            let (at, moves) = match (axis, block) {
                (None, _) => (0, 0),
                (Some(_), None) if dims.len() == 1 => (a, 0),
                (Some(_), Some(_)) if dims.len() == 1 => (a / step, 0),
                (Some(0), None) => (row, 0),
                (Some(0), Some(_)) => (row / step * columns, 1),
                (Some(_), None) => (a, 0),
                (Some(_), Some(_)) => (((row * outer + o) * blocks + a / step) * inner, 1),
            };
            let per_row = match (axis, block) {
                (Some(0), None) => 1,
                (Some(0), Some(_)) => columns,
                (Some(_), Some(_)) => outer * blocks * inner,
                _ => 0,
            };
            let from = |first: u64| to_usize(at - if dims.len() == 1 { 0 } else { first * per_row });
            let (scale, zero) = (from(first_scale)?, from(first_zero)?);
            for (j, value) in run.iter_mut().enumerate() {
                let moved = j * moves;
                let zero = if zero_points { zeros[zero + moved] } else { 0.0 };
                *value = (*value - zero) * scales[scale + moved];
            }
        }
    }
    Ok(())
}

/// Whether bits and block can be packed, and the blocks of so many elements.
fn blocks(of: &Derivation, elements: u64) -> Option<u64> {
    let (bits, block, _) = of_blocks(of);
    (matches!(bits, 2 | 4 | 8) && block > 0 && block.checked_mul(bits.into())?.is_multiple_of(8)).then_some(())?;
    Some(elements.div_ceil(block))
}

pub(super) fn mat_mul_fits(of: &Derivation) -> Option<()> {
    let (bits, block, zero_points) = of_blocks(of);
    let (n, blocks) = (of.columns, blocks(of, of.rows)?);
    let bytes = n.checked_mul(blocks)?.checked_mul(block * u64::from(bits) / 8)?;
    let zeros = n.checked_mul(blocks.checked_mul(bits.into())?.div_ceil(8))?;
    fits(of, bytes, n.checked_mul(blocks)?, zeros, zero_points)
}

pub(super) fn gather_fits(of: &Derivation) -> Option<()> {
    let (bits, _, zero_points) = of_blocks(of);
    let (rows, blocks) = (of.rows, blocks(of, of.columns)?);
    let row_bits = of.columns.checked_mul(bits.into()).filter(|n| n.is_multiple_of(8))?;
    let zeros = rows.checked_mul(blocks.checked_mul(bits.into())?.div_ceil(8))?;
    fits(of, rows.checked_mul(row_bits / 8)?, rows.checked_mul(blocks)?, zeros, zero_points)
}

/// Bytes of codes, scales, and bytes of zero points.
fn fits(of: &Derivation, bytes: u64, scales: u64, zeros: u64, zero_points: bool) -> Option<()> {
    of.is_float(1)?;
    let is = |part: usize, count: u64| of.parts[part].dtype == DType::U8 && of.parts[part].shape.count() == count;
    let zero_fits = of.parts.len() == 2 + usize::from(zero_points) && (!zero_points || is(2, zeros));
    (is(0, bytes) && of.parts[1].shape.count() == scales && zero_fits).then_some(())
}

/// Code `index` of a packed run.
#[inline(always)]
fn code(bytes: &[u8], bits: u32, index: usize) -> f32 {
    let (in_byte, mask) = (8 / bits as usize, ((1u16 << bits) - 1) as u8);
    f32::from(bytes[index / in_byte] >> (bits as usize * (index % in_byte)) & mask)
}

pub(super) fn mat_mul(of: &Derivation, rows: Range<u64>, bytes: &[&[u8]], out: &mut [f32]) -> Result<()> {
    let (bits, block, _) = of_blocks(of);
    let n = of.columns as usize;
    let (blocks, blob) = (of.rows.div_ceil(block) as usize, (block * u64::from(bits) / 8) as usize);
    let scales = numbers(of, 1, bytes[1])?;
    let zero_row = (blocks * bits as usize).div_ceil(8);
    let middle = (1u32 << (bits - 1)) as f32;
    for (k, values) in rows.zip(out.chunks_exact_mut(n)) {
        let (at, within) = ((k / block) as usize, (k % block) as usize);
        for (column, value) in values.iter_mut().enumerate() {
            let index = column * blocks + at;
            let zero = bytes.get(2).map_or(middle, |zeros| code(&zeros[column * zero_row..], bits, at));
            *value = (code(&bytes[0][index * blob..], bits, within) - zero) * scales[index];
        }
    }
    Ok(())
}

pub(super) fn gather_needs(of: &Derivation, rows: Range<u64>) -> Vec<Range<u64>> {
    let (bits, block, zero_points) = of_blocks(of);
    let blocks = of.columns.div_ceil(block);
    let mut needs =
        vec![of.part_rows(0, rows.clone(), of.columns * u64::from(bits) / 8), of.part_rows(1, rows.clone(), blocks)];
    needs.extend(zero_points.then(|| of.part_rows(2, rows, (blocks * u64::from(bits)).div_ceil(8))));
    needs
}

pub(super) fn gather(of: &Derivation, rows: Range<u64>, bytes: &[&[u8]], out: &mut [f32]) -> Result<()> {
    let (bits, block, _) = of_blocks(of);
    let (columns, block) = (of.columns as usize, block as usize);
    let (row_bytes, blocks) = (columns * bits as usize / 8, columns.div_ceil(block));
    let scales = numbers(of, 1, bytes[1])?;
    let zero_row = (blocks * bits as usize).div_ceil(8);
    let middle = (1u32 << (bits - 1)) as f32;
    for (row, values) in (0..(rows.end - rows.start) as usize).zip(out.chunks_exact_mut(columns)) {
        let codes = &bytes[0][row * row_bytes..];
        for (i, value) in values.iter_mut().enumerate() {
            let at = i / block;
            let zero = bytes.get(2).map_or(middle, |zeros| code(&zeros[row * zero_row..], bits, at));
            *value = (code(codes, bits, i) - zero) * scales[row * blocks + at];
        }
    }
    Ok(())
}
