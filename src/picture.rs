//! A window of a tensor's matrix, drawn with one weight per pixel: real values, never averages, so that levels stay levels.

use crate::error::{Code, Error, Number, Result};
use crate::quant::Prepared;
use crate::tensor::{Shape, to_usize, try_vec};

/// What is drawn.
#[derive(Debug, Clone, Copy)]
pub enum Picture<'a> {
    /// The weights themselves.
    Weights,
    /// What they become.
    Quantized(&'a Prepared),
    /// `weight − result`.
    Error(&'a Prepared),
}

/// Which part of the matrix fills how many pixels. Ends may be fractional and need not lie within the matrix.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Window {
    /// First row and the end of rows.
    pub rows: (f64, f64),
    /// First column and the end of columns.
    pub columns: (f64, f64),
    /// Pixels across.
    pub width: usize,
    /// Pixels down.
    pub height: usize,
}

/// Draws a window: `height × width` values, row-major, NaN where the matrix has no weight. Pixel centres choose the weight.
///
/// # Errors
/// `invalid_argument` for a window that is not finite; `out_of_memory`.
pub fn draw(values: &[f32], shape: &Shape, picture: &Picture<'_>, window: &Window) -> Result<Vec<f32>> {
    let (rows, columns) = shape.matrix();
    let (rows, columns) = (to_usize(rows)?, to_usize(columns)?);
    let ends = [window.rows.0, window.rows.1, window.columns.0, window.columns.1];
    if ends.iter().any(|end| !end.is_finite()) {
        return Err(Error::new(Code::InvalidArgument, "the window is not finite")
            .with_found(ends.map(|end| Number(end).to_string()).join(", ")));
    }
    let mut out = try_vec(f32::NAN, window.width.saturating_mul(window.height))?;
    let column_of: Vec<Option<usize>> =
        (0..window.width).map(|i| place(window.columns, i, window.width, columns)).collect();
    let (Some(first), Some(last)) =
        (column_of.iter().flatten().min().copied(), column_of.iter().flatten().max().copied())
    else {
        return Ok(out);
    };
    // A whole stretch of a row is turned at once where most of it is shown; single weights where few are.
    let stretch = last - first + 1;
    let dense = stretch <= 4 * window.width;
    let mut line = try_vec(0.0_f32, if dense { stretch } else { 1 })?;
    let mut drawn: Option<(usize, usize)> = None;
    for (y, out_row) in (0..window.height).zip(0..) {
        let Some(row) = place(window.rows, y, window.height, rows) else {
            continue;
        };
        let (from, to) = (out_row * window.width, (out_row + 1) * window.width);
        if let Some((_, done)) = drawn.filter(|&(same, _)| same == row) {
            out.copy_within(done * window.width..(done + 1) * window.width, from);
            continue;
        }
        drawn = Some((row, out_row));
        let pixels = &mut out[from..to];
        let start = row * columns;
        if dense {
            fill(values, picture, start + first, &mut line);
            for (pixel, column) in pixels.iter_mut().zip(&column_of) {
                if let Some(column) = column {
                    *pixel = line[column - first];
                }
            }
        } else {
            for (pixel, column) in pixels.iter_mut().zip(&column_of) {
                if let Some(column) = column {
                    fill(values, picture, start + column, &mut line);
                    *pixel = line[0];
                }
            }
        }
    }
    Ok(out)
}

/// The row or column under the centre of pixel `i`.
fn place((from, to): (f64, f64), i: usize, pixels: usize, count: usize) -> Option<usize> {
    let at = (from + (to - from) * (i as f64 + 0.5) / pixels as f64).floor();
    (at >= 0.0 && at < count as f64).then_some(at as usize)
}

fn fill(values: &[f32], picture: &Picture<'_>, start: usize, out: &mut [f32]) {
    let x = &values[start..start + out.len()];
    match picture {
        Picture::Weights => out.copy_from_slice(x),
        Picture::Quantized(prepared) => prepared.reconstruct(values, start, out),
        Picture::Error(prepared) => {
            prepared.reconstruct(values, start, out);
            out.iter_mut().zip(x).for_each(|(y, x)| *y = x - *y);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_pixel_shows_the_weight_under_its_centre() {
        let values: Vec<f32> = (0..12).map(|i| i as f32).collect();
        let shape = Shape::new(&[3, 4]).unwrap();
        let whole = Window { rows: (0.0, 3.0), columns: (0.0, 4.0), width: 2, height: 3 };
        assert_eq!(draw(&values, &shape, &Picture::Weights, &whole).unwrap(), [1.0, 3.0, 5.0, 7.0, 9.0, 11.0]);
        let outside = Window { rows: (-1.0, 1.0), columns: (3.0, 5.0), width: 2, height: 2 };
        let drawn = draw(&values, &shape, &Picture::Weights, &outside).unwrap();
        assert_eq!(drawn.iter().map(|v| v.is_nan()).collect::<Vec<_>>(), [true, true, false, true]);
        assert_eq!(drawn[2], 3.0);
    }
}
