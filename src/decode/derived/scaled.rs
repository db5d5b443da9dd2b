//! Numbers of 8 bits with a scale for all, for each row, or for each block of rows and columns: compressed-tensors' `int-quantized` and
//! `float-quantized`, and fp8 in blocks of 128 × 128.

use std::ops::Range;

use super::Derivation;
use crate::error::Result;
use crate::formats::derived::Method;
use crate::tensor::DType;

/// Rows and columns of a block, and whether there are zero points.
fn block(of: &Derivation) -> (u64, u64, bool) {
    match of.method {
        Method::Scaled { rows, columns, zero_points } => (rows, columns, zero_points),
        other => unreachable!("{other:?} is not scaled"),
    }
}

pub(super) fn fits(of: &Derivation) -> Option<()> {
    let (rows, columns, zero_points) = block(of);
    let [weight, scale, ..] = of.parts.as_slice() else { return None };
    let is_byte =
        matches!(weight.dtype, DType::I8 | DType::F8E4M3 | DType::F8E5M2 | DType::F8E4M3Fnuz | DType::F8E5M2Fnuz);
    let scales =
        of.rows.div_ceil(Some(rows).filter(|&n| n > 0)?) * of.columns.div_ceil(Some(columns).filter(|&n| n > 0)?);
    let zero_fits = !zero_points || of.parts.get(2).is_some_and(|p| p.dtype == DType::I8 && p.shape == scale.shape);
    of.is_float(1)?;
    let fits = is_byte && weight.shape.matrix() == (of.rows, of.columns) && scale.shape.count() == scales && zero_fits;
    (fits && of.parts.len() == 2 + usize::from(zero_points)).then_some(())
}

/// The rows of scales that these rows of weights need.
fn scale_rows(of: &Derivation, rows: &Range<u64>) -> Range<u64> {
    let (block_rows, ..) = block(of);
    rows.start / block_rows..rows.end.div_ceil(block_rows)
}

pub(super) fn needs(of: &Derivation, rows: Range<u64>) -> Vec<Range<u64>> {
    let (_, block_columns, zero_points) = block(of);
    let (down, across) = (scale_rows(of, &rows), of.columns.div_ceil(block_columns));
    let mut needs = vec![of.part_rows(0, rows, of.columns), of.part_rows(1, down.clone(), across)];
    needs.extend(zero_points.then(|| of.part_rows(2, down, across)));
    needs
}

pub(super) fn decode_rows(of: &Derivation, rows: Range<u64>, bytes: &[&[u8]], out: &mut [f32]) -> Result<()> {
    let (block_rows, block_columns, _) = block(of);
    super::decode(of.parts[0].dtype, false, bytes[0], out)?;
    let scales = of.floats(1, bytes[1])?;
    let zeros = bytes.get(2).map(|zeros| of.floats(2, zeros)).transpose()?;
    let (columns, across) = (of.columns as usize, of.columns.div_ceil(block_columns) as usize);
    let first = scale_rows(of, &rows).start;
    for (row, values) in rows.zip(out.chunks_exact_mut(columns)) {
        let at = (row / block_rows - first) as usize * across;
        // A group as wide as the row or wider is the row.
        for (i, values) in values.chunks_mut(block_columns.min(of.columns) as usize).enumerate() {
            let scale = scales[at + i];
            let zero = zeros.as_ref().map_or(0.0, |zeros| zeros[at + i]);
            values.iter_mut().for_each(|v| *v = (*v - zero) * scale);
        }
    }
    Ok(())
}
