//! Elements that lie in another order than row-major.

use crate::error::{Code, Error, Result};
use crate::tensor::Shape;

/// Copies `values`, stored with the first axis of `shape` fastest, to `out` with the last axis fastest.
///
/// # Errors
/// `shape_mismatch` unless both hold exactly the elements of `shape`.
pub fn fortran_to_row_major(values: &[f32], shape: &Shape, out: &mut [f32]) -> Result<()> {
    if values.len() as u64 != shape.count() || out.len() != values.len() {
        return Err(Error::new(Code::ShapeMismatch, "the values are not the elements of the shape")
            .with_expected(format_args!("{} elements for {:?}", shape.count(), shape.dims()))
            .with_found(format_args!("{} and {}", values.len(), out.len())));
    }
    if values.is_empty() {
        return Ok(());
    }
    // A product of dimensions is an index from here on, and fits because the slices exist.
    let dims: Vec<usize> = shape.dims().iter().map(|&d| d as usize).collect();
    let (&[rows, ref middle @ .., columns], true) = (dims.as_slice(), dims.len() > 1) else {
        out.copy_from_slice(values);
        return Ok(());
    };
    // For each place in the middle axes: a transpose of first against last axis.
    let from_stride = values.len() / columns;
    let to_stride = out.len() / rows;
    for place in 0..middle.iter().product() {
        // `place` counts the middle axes with the last one fastest; they are stored with the first one fastest.
        let (mut rest, mut from, mut stride) = (place, 0, from_stride);
        for &d in middle.iter().rev() {
            stride /= d;
            from += rest % d * stride;
            rest /= d;
        }
        transpose(&values[from..], from_stride, &mut out[place * columns..], to_stride, rows, columns);
    }
    Ok(())
}

/// `to[i·to_stride + j] = from[i + j·from_stride]`, in squares that stay in cache.
fn transpose(from: &[f32], from_stride: usize, to: &mut [f32], to_stride: usize, rows: usize, columns: usize) {
    const SIDE: usize = 32;
    for i0 in (0..rows).step_by(SIDE) {
        for j0 in (0..columns).step_by(SIDE) {
            for i in i0..rows.min(i0 + SIDE) {
                for j in j0..columns.min(j0 + SIDE) {
                    to[i * to_stride + j] = from[i + j * from_stride];
                }
            }
        }
    }
}
