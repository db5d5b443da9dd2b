//! Stored elements of every [`DType`] to `f32`, other orders to row-major, and weights of several parts to numbers. The inverse
//! direction is not here.
//!
//! Definitions: IEEE 754 for f16, f32 and f64; bfloat16 as the upper half of f32; OCP 8-bit Floating Point (2023) for
//! E4M3 and E5M2; OCP Microscaling Formats v1.0 for E8M0, E3M2, E2M3 and E2M1; `ml_dtypes` for the FNUZ kinds, and as
//! oracle for all of them (`tests/data/decode.py`). Every one of them but f64 and the wide integers is exact in f32;
//! those round to nearest even, and f64 past the range of f32 becomes infinite.
//!
//! The loops are plain, and shaped so that LLVM vectorizes the wide types: no branch, no call, fixed-size reads. f16, which most models are
//! stored in, has a kernel.

#[cfg(feature = "full")]
pub mod derived;
mod order;

use crate::error::{Code, Error, Number, Result};
use crate::kernels::float;
use crate::kernels::ggml_more::BlockType;
#[cfg(feature = "full")]
use crate::kernels::ggml_more::decode_block_type;
use crate::tensor::DType;

#[cfg(feature = "full")]
pub use order::repeated;
pub use order::{fortran_to_row_major, strided_to_row_major};

/// Why elements of this type cannot be decoded to `f32`, or `None` when they can.
#[must_use]
pub fn unreadable(dtype: DType) -> Option<&'static str> {
    match dtype {
        DType::C64 => Some("complex numbers have no place on one axis of values"),
        _ if dtype.is_blocks() && block_type(dtype).is_none() => Some("this build of the engine does not read blocks"),
        _ => None,
    }
}

/// ggml's blocks are read by the kernels of the whole engine.
#[cfg(feature = "full")]
fn block_type(dtype: DType) -> Option<&'static BlockType> {
    dtype.is_blocks().then(|| decode_block_type(&dtype.name().to_ascii_lowercase())).flatten()
}

#[cfg(not(feature = "full"))]
fn block_type(_: DType) -> Option<&'static BlockType> {
    None
}

/// Decodes `bytes` into `out`, element by element in storage order. NaN stays NaN, −0 stays −0.
///
/// `big_endian` says the order of the bytes within an element; types of one byte and less have none.
///
/// # Errors
/// `shape_mismatch` unless `bytes` holds exactly `out.len()` elements; `unsupported` for [`unreadable`] types.
pub fn decode(dtype: DType, big_endian: bool, bytes: &[u8], out: &mut [f32]) -> Result<()> {
    if let Some(why) = unreadable(dtype) {
        return Err(Error::new(Code::Unsupported, why).with_found(dtype.name()));
    }
    let needed = dtype.byte_len(out.len() as u64);
    if needed != Some(bytes.len() as u64) {
        return Err(Error::new(Code::ShapeMismatch, "the bytes are not the elements asked for")
            .with_expected(format_args!("{} elements of {} bits", out.len(), Number(dtype.bits())))
            .with_found(format_args!("{} bytes", bytes.len())));
    }
    if let Some(kind) = block_type(dtype) {
        (kind.decode)(bytes, out);
    } else if big_endian {
        wide::<true>(dtype, bytes, out)
    } else {
        wide::<false>(dtype, bytes, out)
    }
    Ok(())
}

/// Types of two bytes and more; the rest have no byte order and go on to [`narrow`].
fn wide<const BIG: bool>(dtype: DType, bytes: &[u8], out: &mut [f32]) {
    match dtype {
        DType::F16 if !BIG => float::halves(bytes, out),
        DType::F16 => each::<2, BIG>(bytes, out, |b| float::half(u16::from_le_bytes(b))),
        DType::Bf16 => each::<2, BIG>(bytes, out, |b| f32::from_bits(u32::from(u16::from_le_bytes(b)) << 16)),
        DType::F32 => each::<4, BIG>(bytes, out, f32::from_le_bytes),
        DType::F64 => each::<8, BIG>(bytes, out, |b| f64::from_le_bytes(b) as f32),
        DType::U16 => each::<2, BIG>(bytes, out, |b| f32::from(u16::from_le_bytes(b))),
        DType::I16 => each::<2, BIG>(bytes, out, |b| f32::from(i16::from_le_bytes(b))),
        DType::U32 => each::<4, BIG>(bytes, out, |b| u32::from_le_bytes(b) as f32),
        DType::I32 => each::<4, BIG>(bytes, out, |b| i32::from_le_bytes(b) as f32),
        DType::U64 => each::<8, BIG>(bytes, out, |b| u64::from_le_bytes(b) as f32),
        DType::I64 => each::<8, BIG>(bytes, out, |b| i64::from_le_bytes(b) as f32),
        _ => narrow(dtype, bytes, out),
    }
}

fn narrow(dtype: DType, bytes: &[u8], out: &mut [f32]) {
    let table = match dtype {
        DType::Bool => return each::<1, false>(bytes, out, |[b]| f32::from(u8::from(b != 0))),
        DType::U8 => return each::<1, false>(bytes, out, |[b]| f32::from(b)),
        DType::I8 => return each::<1, false>(bytes, out, |b| f32::from(i8::from_le_bytes(b))),
        DType::F4 => return pairs_of_4_bits(&E2M1, bytes, out),
        DType::I4 => return pairs_of_4_bits(&I4, bytes, out),
        DType::U4 => return pairs_of_4_bits(&U4, bytes, out),
        DType::F6E2M3 => return quads_of_6_bits(&E2M3, bytes, out),
        DType::F6E3M2 => return quads_of_6_bits(&E3M2, bytes, out),
        DType::F8E4M3 => &E4M3,
        DType::F8E5M2 => &E5M2,
        DType::F8E4M3Fnuz => &E4M3_FNUZ,
        DType::F8E5M2Fnuz => &E5M2_FNUZ,
        DType::F8E8M0 => &E8M0,
        other => unreachable!("{other:?} is wide or was refused"),
    };
    each::<1, false>(bytes, out, |[b]| table[usize::from(b)]);
}

/// One element from every `N` bytes, which reach `f` in little-endian order.
#[inline(always)]
fn each<const N: usize, const BIG: bool>(bytes: &[u8], out: &mut [f32], f: impl Fn([u8; N]) -> f32) {
    for (out, bytes) in out.iter_mut().zip(bytes.chunks_exact(N)) {
        let mut element: [u8; N] = bytes.try_into().expect("chunks of N");
        if BIG {
            element.reverse();
        }
        *out = f(element);
    }
}

fn pairs_of_4_bits(table: &[f32; 16], bytes: &[u8], out: &mut [f32]) {
    for (pair, &b) in out.chunks_exact_mut(2).zip(bytes) {
        pair[0] = table[usize::from(b & 15)];
        pair[1] = table[usize::from(b >> 4)];
    }
}

/// Four elements in three bytes: a stream of bits, least significant first.
fn quads_of_6_bits(table: &[f32; 64], bytes: &[u8], out: &mut [f32]) {
    for (quad, b) in out.chunks_exact_mut(4).zip(bytes.chunks_exact(3)) {
        let bits = u32::from_le_bytes([b[0], b[1], b[2], 0]);
        for (i, value) in quad.iter_mut().enumerate() {
            *value = table[(bits >> (6 * i)) as usize & 63];
        }
    }
}

/// What the all-ones exponent, or the code of −0, means in a small float.
#[derive(Clone, Copy)]
enum Special {
    /// Every code is a number.
    None,
    /// All ones below the sign is NaN; there are no infinities.
    OneNan,
    /// As in IEEE 754: infinity, and NaN above it.
    Ieee,
    /// The code of −0 is the only NaN; there are no infinities.
    NegativeZero,
}

static U4: [f32; 16] = [0.0, 1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0, 9.0, 10.0, 11.0, 12.0, 13.0, 14.0, 15.0];
static I4: [f32; 16] = [0.0, 1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, -8.0, -7.0, -6.0, -5.0, -4.0, -3.0, -2.0, -1.0];
static E2M1: [f32; 16] = table(2, 1, 1, Special::None);
static E2M3: [f32; 64] = table(2, 3, 1, Special::None);
static E3M2: [f32; 64] = table(3, 2, 3, Special::None);
static E4M3: [f32; 256] = table(4, 3, 7, Special::OneNan);
static E5M2: [f32; 256] = table(5, 2, 15, Special::Ieee);
static E4M3_FNUZ: [f32; 256] = table(4, 3, 8, Special::NegativeZero);
static E5M2_FNUZ: [f32; 256] = table(5, 2, 16, Special::NegativeZero);
static E8M0: [f32; 256] = {
    let mut out = [f32::NAN; 256];
    let mut code = 0;
    while code < 255 {
        out[code] = power_of_two(code as i32 - 127);
        code += 1;
    }
    out
};

/// The values of all codes of a float with `exponent` and `mantissa` bits below its sign.
const fn table<const N: usize>(exponent: u32, mantissa: u32, bias: i32, special: Special) -> [f32; N] {
    assert!(N == 1 << (1 + exponent + mantissa));
    let mut out = [0.0; N];
    let mut code = 0;
    while code < N {
        let below_sign = code & (N / 2 - 1);
        let e = (below_sign >> mantissa) as i32;
        let m = (below_sign & ((1 << mantissa) - 1)) as f32 * power_of_two(-(mantissa as i32));
        let top = e == (1 << exponent) - 1;
        let magnitude = match special {
            Special::OneNan if below_sign == N / 2 - 1 => f32::NAN,
            Special::NegativeZero if code == N / 2 => f32::NAN,
            Special::Ieee if top && m == 0.0 => f32::INFINITY,
            Special::Ieee if top => f32::NAN,
            _ if e == 0 => m * power_of_two(1 - bias),
            _ => (1.0 + m) * power_of_two(e - bias),
        };
        out[code] = if code < N / 2 { magnitude } else { -magnitude };
        code += 1;
    }
    out
}

/// `2^n` for `-127 ≤ n ≤ 127`.
const fn power_of_two(n: i32) -> f32 {
    f32::from_bits(if n == -127 { 1 << 22 } else { ((n + 127) as u32) << 23 })
}
