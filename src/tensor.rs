//! Element types, shapes and checked counts. No numbers are computed here and nothing is read.

use crate::error::{Code, Error, Result};

/// How a stored element is laid out, little-endian unless a format says otherwise.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[allow(missing_docs, reason = "the names are the definition: the safetensors spelling of each type")]
pub enum DType {
    Bool,
    U8,
    I8,
    U16,
    I16,
    U32,
    I32,
    U64,
    I64,
    F16,
    Bf16,
    F32,
    F64,
    /// OCP FP8 E4M3: no infinities, NaN at ±0x7F (ml_dtypes `float8_e4m3fn`).
    F8E4M3,
    /// OCP FP8 E5M2: IEEE-like, with infinities.
    F8E5M2,
    /// `float8_e4m3fnuz`: bias 8, a single NaN at 0x80, no −0.
    F8E4M3Fnuz,
    /// `float8_e5m2fnuz`: bias 16, a single NaN at 0x80, no −0.
    F8E5M2Fnuz,
    /// OCP MX scale: 2^(byte − 127), NaN at 0xFF.
    F8E8M0,
    /// OCP MX FP6, packed 4 in 3 bytes.
    F6E2M3,
    /// OCP MX FP6, packed 4 in 3 bytes.
    F6E3M2,
    /// OCP MX FP4 E2M1, low nibble first.
    F4,
    /// Complex of two f32.
    C64,
}

impl DType {
    /// Bits of one element in storage.
    #[must_use]
    pub fn bits(self) -> u32 {
        match self {
            DType::F4 => 4,
            DType::F6E2M3 | DType::F6E3M2 => 6,
            DType::Bool
            | DType::U8
            | DType::I8
            | DType::F8E4M3
            | DType::F8E5M2
            | DType::F8E4M3Fnuz
            | DType::F8E5M2Fnuz
            | DType::F8E8M0 => 8,
            DType::U16 | DType::I16 | DType::F16 | DType::Bf16 => 16,
            DType::U32 | DType::I32 | DType::F32 => 32,
            DType::U64 | DType::I64 | DType::F64 | DType::C64 => 64,
        }
    }

    /// The name people see, in the safetensors spelling.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            DType::Bool => "BOOL",
            DType::U8 => "U8",
            DType::I8 => "I8",
            DType::U16 => "U16",
            DType::I16 => "I16",
            DType::U32 => "U32",
            DType::I32 => "I32",
            DType::U64 => "U64",
            DType::I64 => "I64",
            DType::F16 => "F16",
            DType::Bf16 => "BF16",
            DType::F32 => "F32",
            DType::F64 => "F64",
            DType::F8E4M3 => "F8_E4M3",
            DType::F8E5M2 => "F8_E5M2",
            DType::F8E4M3Fnuz => "F8_E4M3FNUZ",
            DType::F8E5M2Fnuz => "F8_E5M2FNUZ",
            DType::F8E8M0 => "F8_E8M0",
            DType::F6E2M3 => "F6_E2M3",
            DType::F6E3M2 => "F6_E3M2",
            DType::F4 => "F4",
            DType::C64 => "C64",
        }
    }

    /// Bytes that `count` elements take, or `None` when they do not end on a byte or overflow.
    #[must_use]
    pub fn byte_len(self, count: u64) -> Option<u64> {
        let bits = count.checked_mul(u64::from(self.bits()))?;
        (bits % 8 == 0).then_some(bits / 8)
    }
}

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

    #[test]
    fn sub_byte_types_must_end_on_a_byte() {
        assert_eq!(DType::F4.byte_len(3), None);
        assert_eq!(DType::F4.byte_len(4), Some(2));
        assert_eq!(DType::F6E2M3.byte_len(4), Some(3));
        assert_eq!(DType::F64.byte_len(u64::MAX), None);
    }
}
