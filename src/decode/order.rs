//! Elements that lie in another order than row-major.

use crate::error::{Code, Error, Result};
use crate::tensor::Shape;

/// Copies `values`, stored with the first axis of `shape` fastest, to `out` with the last axis fastest.
///
/// # Errors
/// `shape_mismatch` unless both hold exactly the elements of `shape`.
pub fn fortran_to_row_major(values: &[f32], shape: &Shape, out: &mut [f32]) -> Result<()> {
    let before = |axis| shape.dims()[..axis].iter().product();
    let strides: Vec<u64> = match shape.count() {
        0 => vec![0; shape.dims().len()], // the product of the others need not fit
        _ => (0..shape.dims().len()).map(before).collect(),
    };
    strided_to_row_major(values, shape, &strides, out)
}

/// Copies the elements of a view to `out`, the last axis fastest. `values` is its span, from its first element to its last; from one
/// index of an axis to the next it goes `strides` elements on.
///
/// # Errors
/// `shape_mismatch` unless `values` is exactly that span and `out` holds the elements of `shape`.
pub fn strided_to_row_major(values: &[f32], shape: &Shape, strides: &[u64], out: &mut [f32]) -> Result<()> {
    let span = span(shape, strides);
    if span != Some(values.len() as u64) || out.len() as u64 != shape.count() {
        return Err(Error::new(Code::ShapeMismatch, "the values are not the elements of the shape")
            .with_expected(format_args!("{span:?} elements for {:?} by {strides:?}", shape.dims()))
            .with_found(format_args!("{} and {}", values.len(), out.len())));
    }
    if out.is_empty() {
        return Ok(());
    }
    // Axes of one index say nothing. What is left fits, because the slices exist.
    let axes: Vec<(usize, usize)> =
        shape.dims().iter().zip(strides).filter(|(d, _)| **d > 1).map(|(&d, &s)| (d as usize, s as usize)).collect();
    let Some((&(columns, step), outer)) = axes.split_last() else {
        out.fill(values[0]);
        return Ok(());
    };
    // The axis along which the elements lie closest goes with the last axis: a transpose of the two for each place of the others.
    let nearest = (0..outer.len()).min_by_key(|&i| outer[i].1).filter(|&i| outer[i].1 < step);
    let mut to = out.len();
    let places: Vec<(usize, usize, usize)> = outer
        .iter()
        .map(|&(d, stride)| {
            to /= d;
            (d, stride, to)
        })
        .collect();
    let (rows, row_step, row_to) = nearest.map_or((1, 0, 0), |i| places[i]);
    let others: Vec<_> =
        places.iter().enumerate().filter(|(i, _)| Some(*i) != nearest).map(|(_, &place)| place).collect();
    for place in 0..others.iter().map(|(d, ..)| d).product() {
        let (mut rest, mut from, mut to) = (place, 0, 0);
        for &(d, stride, to_stride) in others.iter().rev() {
            from += rest % d * stride;
            to += rest % d * to_stride;
            rest /= d;
        }
        if rows == 1 {
            let out = &mut out[to..to + columns];
            if step == 1 {
                out.copy_from_slice(&values[from..from + columns]);
            } else {
                out.iter_mut().enumerate().for_each(|(j, v)| *v = values[from + j * step]);
            }
        } else {
            transpose(&values[from..], (row_step, step), &mut out[to..], row_to, rows, columns);
        }
    }
    Ok(())
}

/// Why a view cannot be read: few stored elements may be claimed very often, by a stride of 0 or by strides that overlap.
#[cfg(feature = "full")]
#[must_use]
pub fn repeated(shape: &Shape, strides: &[u64]) -> Option<&'static str> {
    const MOST: u64 = 1 << 31;
    let repeats = span(shape, strides).is_none_or(|span| shape.count() > span);
    (repeats && shape.count() > MOST).then_some("the view repeats few stored elements more often than is read")
}

/// Elements from the first of a view to its last.
fn span(shape: &Shape, strides: &[u64]) -> Option<u64> {
    if strides.len() != shape.dims().len() {
        return None;
    }
    let mut last = 0u64;
    for (&d, &stride) in shape.dims().iter().zip(strides) {
        last = last.checked_add(d.saturating_sub(1).checked_mul(stride)?)?;
    }
    if shape.count() == 0 { Some(0) } else { last.checked_add(1) }
}

/// `to[i·to_stride + j] = from[i·steps.0 + j·steps.1]`, in squares that stay in cache.
fn transpose(from: &[f32], steps: (usize, usize), to: &mut [f32], to_stride: usize, rows: usize, columns: usize) {
    const SIDE: usize = 32;
    for i0 in (0..rows).step_by(SIDE) {
        for j0 in (0..columns).step_by(SIDE) {
            for i in i0..rows.min(i0 + SIDE) {
                for j in j0..columns.min(j0 + SIDE) {
                    to[i * to_stride + j] = from[i * steps.0 + j * steps.1];
                }
            }
        }
    }
}
