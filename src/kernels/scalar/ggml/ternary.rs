//! `tq1_0` and `tq2_0`: −1, 0 and 1 times the greatest magnitude of 256 weights.
//!
//! A magnitude too small to have a finite reciprocal makes a block of zeros; the C code converts infinity to an integer there.

use super::{half_at, put_half};

/// Powers of three that bring a digit of a `tq1_0` byte to the top.
const POWERS: [u8; 5] = [1, 3, 9, 27, 81];

/// The greatest magnitude.
fn amax(x: &[f32; 256]) -> f32 {
    x.iter().fold(0.0, |m, x| m.max(x.abs()))
}

/// A scale, and its reciprocal.
pub fn scale(amax: f32) -> (f32, f32) {
    let id = 1.0 / amax;
    (amax, if id.is_finite() { id } else { 0.0 })
}

/// 0, 1 or 2, half away from zero.
fn digit(x: f32, id: f32) -> u8 {
    ((x * id).round() as i8 + 1) as u8
}

/// Five digits as a fraction of 243 in 256ths, rounded up, so that multiplying by three and taking the carry gives them back.
fn fraction(digits: u8) -> u8 {
    (u16::from(digits) * 256).div_ceil(243) as u8
}

/// First weight, first byte, bytes, digits in a byte: weights lie as far apart as there are bytes.
pub const STRETCHES: [(usize, usize, usize, usize); 3] = [(0, 0, 32, 5), (160, 32, 16, 5), (240, 48, 4, 4)];

/// The bytes of one stretch.
fn put((weight, byte, bytes, digits): (usize, usize, usize, usize), x: &[f32], id: f32, out: &mut [u8]) {
    for m in 0..bytes {
        let digit = |n: usize| if n < digits { digit(x[weight + m + n * bytes], id) } else { 0 };
        out[byte + m] = fraction((0..5).fold(0, |q, n| q * 3 + digit(n)));
    }
}

/// See [`crate::kernels::ggml_more::tq1_0`].
pub fn tq1_0(x: &[f32], out: &mut [u8]) {
    for (x, out) in x.as_chunks::<256>().0.iter().zip(out.as_chunks_mut::<54>().0) {
        let (d, id) = scale(amax(x));
        STRETCHES.into_iter().for_each(|stretch| put(stretch, x, id, out));
        put_half(d, &mut out[52..]);
    }
}

/// The digits of a `tq1_0` block.
pub fn put_tq1(codes: &[u8; 256], out: &mut [u8]) {
    for (weight, byte, bytes, digits) in STRETCHES {
        for m in 0..bytes {
            let digit = |n: usize| if n < digits { codes[weight + m + n * bytes] } else { 0 };
            out[byte + m] = fraction((0..5).fold(0, |q, n| q * 3 + digit(n)));
        }
    }
}

/// Digit `n` of a byte.
pub fn digit_of(byte: u8, n: usize) -> u8 {
    ((u16::from(byte.wrapping_mul(POWERS[n])) * 3) >> 8) as u8
}

/// Reads one stretch.
fn read((weight, byte, bytes, digits): (usize, usize, usize, usize), block: &[u8], out: &mut [f32]) {
    let d = half_at(block, 52);
    for (i, out) in out[weight..weight + bytes * digits].iter_mut().enumerate() {
        *out = (f32::from(digit_of(block[byte + i % bytes], i / bytes)) - 1.0) * d;
    }
}

/// Reads the last stretch.
pub fn read_last(block: &[u8], out: &mut [f32]) {
    read(STRETCHES[2], block, out);
}

/// See [`crate::kernels::ggml_more::from_tq1_0`].
pub fn from_tq1_0(bytes: &[u8], out: &mut [f32]) {
    for (block, out) in bytes.as_chunks::<54>().0.iter().zip(out.as_chunks_mut::<256>().0) {
        STRETCHES.into_iter().for_each(|stretch| read(stretch, block, out));
    }
}

/// See [`crate::kernels::ggml_more::tq2_0`].
pub fn tq2_0(x: &[f32], out: &mut [u8]) {
    for (x, out) in x.as_chunks::<256>().0.iter().zip(out.as_chunks_mut::<66>().0) {
        let (d, id) = scale(amax(x));
        for (x, out) in x.as_chunks::<128>().0.iter().zip(out[..64].as_chunks_mut::<32>().0) {
            for (m, out) in out.iter_mut().enumerate() {
                *out = (0..4).rev().fold(0, |q, n| q << 2 | digit(x[m + n * 32], id));
            }
        }
        put_half(d, &mut out[64..]);
    }
}

/// See [`crate::kernels::ggml_more::from_tq2_0`].
pub fn from_tq2_0(bytes: &[u8], out: &mut [f32]) {
    for (block, out) in bytes.as_chunks::<66>().0.iter().zip(out.as_chunks_mut::<256>().0) {
        let d = half_at(block, 64);
        for (bytes, out) in block[..64].as_chunks::<32>().0.iter().zip(out.as_chunks_mut::<128>().0) {
            for (i, out) in out.iter_mut().enumerate() {
                *out = (f32::from(bytes[i % 32] >> (i / 32 * 2) & 3) - 1.0) * d;
            }
        }
    }
}
