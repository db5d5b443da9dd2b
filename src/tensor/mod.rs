//! Element types, shapes and checked counts. No numbers are computed here and nothing is read.

mod dtype;

pub use dtype::DType;

use crate::error::{Code, Error, Result};

/// A tensor's dimensions, outermost first, row-major. The product is checked when it is made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Shape {
    dims: Vec<u64>,
    count: u64,
}

impl Shape {
    /// A shape whose element count fits in 64 bits. No dimensions is a scalar: one element.
    ///
    /// # Errors
    /// `invalid_argument` when the product of the non-zero dimensions overflows.
    pub fn new(dims: &[u64]) -> Result<Self> {
        // The product of the non-zero dimensions must fit too: a zero must not hide an overflow from later arithmetic.
        dims.iter().filter(|&&d| d != 0).try_fold(1u64, |n, &d| n.checked_mul(d)).ok_or_else(|| {
            Error::new(Code::InvalidArgument, "the shape holds more elements than 64 bits can count")
                .with_found(format!("{dims:?}"))
        })?;
        Ok(Shape { dims: dims.to_vec(), count: dims.iter().product() })
    }

    /// The dimensions, outermost first.
    #[must_use]
    pub fn dims(&self) -> &[u64] {
        &self.dims
    }

    /// Number of elements.
    #[must_use]
    pub fn count(&self) -> u64 {
        self.count
    }

    /// The matrix that blocks and groups see: `(rows, row_len)`.
    ///
    /// A row is the innermost run that groups divide: the last axis of a matrix, the flattened filter
    /// (`in·kh·kw`) of a convolution, the whole of a vector. A scalar is one row of one.
    #[must_use]
    pub fn matrix(&self) -> (u64, u64) {
        match self.dims.as_slice() {
            [] => (1, 1),
            [n] => (1, *n),
            [rows, rest @ ..] => (*rows, rest.iter().product()),
        }
    }
}

/// The only way from a file's 64-bit number to an index on this machine (wasm32 counts in 32 bits).
///
/// # Errors
/// `out_of_memory` when the number cannot be addressed here.
pub fn to_usize(n: u64) -> Result<usize> {
    usize::try_from(n)
        .ok()
        .filter(|&n| n <= isize::MAX as usize)
        .ok_or_else(|| Error::new(Code::OutOfMemory, "more bytes than this machine can address").with_found(n))
}

/// A vector of `len` copies of `value`, or an error instead of an abort when memory is short.
///
/// # Errors
/// `out_of_memory`.
pub fn try_vec<T: Clone>(value: T, len: usize) -> Result<Vec<T>> {
    let mut v = Vec::new();
    v.try_reserve_exact(len).map_err(|_| {
        Error::new(Code::OutOfMemory, "not enough memory")
            .with_found(format!("a request for {} bytes", len.saturating_mul(std::mem::size_of::<T>())))
    })?;
    v.resize(len, value);
    Ok(v)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shape_refuses_a_product_that_wraps() {
        assert!(Shape::new(&[1 << 32, 1 << 32]).is_err());
        assert!(Shape::new(&[0, 1 << 32, 1 << 32]).is_err(), "a zero must not hide the overflow");
        assert_eq!(Shape::new(&[0, 1 << 32]).unwrap().count(), 0);
    }

    #[test]
    fn a_row_is_the_last_axis_or_the_flattened_filter() {
        let matrix = |d: &[u64]| Shape::new(d).unwrap().matrix();
        assert_eq!(matrix(&[]), (1, 1));
        assert_eq!(matrix(&[7]), (1, 7));
        assert_eq!(matrix(&[3, 4]), (3, 4));
        assert_eq!(matrix(&[32, 16, 3, 3]), (32, 144));
    }
}
