//! The formats of 32 weights with one scale.
//!
//! A scale too small to have a finite reciprocal makes a block of zeros. It rounds to zero in half precision anyway; the C code converts
//! infinity to an integer there, which is undefined.

use half::f16;

/// Weights of a block.
const WEIGHTS: usize = 32;

fn reciprocal(d: f32) -> f32 {
    let id = 1.0 / d;
    if id.is_finite() { id } else { 0.0 }
}

fn put_half(x: f32, out: &mut [u8]) {
    out.copy_from_slice(&f16::from_f32(x).to_le_bytes());
}

fn half_at(block: &[u8], at: usize) -> f32 {
    f16::from_le_bytes([block[at], block[at + 1]]).to_f32()
}

/// See [`crate::kernels::ggml::q8_0`].
pub fn q8_0(x: &[f32], out: &mut [u8]) {
    for (x, out) in x.as_chunks::<WEIGHTS>().0.iter().zip(out.as_chunks_mut::<34>().0) {
        let amax = x.iter().fold(0.0_f32, |m, x| m.max(x.abs()));
        let d = amax / 127.0;
        let id = reciprocal(d);
        let (scale, codes) = out.split_at_mut(2);
        put_half(d, scale);
        for (code, x) in codes.iter_mut().zip(x) {
            *code = (x * id).round() as i8 as u8;
        }
    }
}

/// See [`crate::kernels::ggml::from_q8_0`].
pub fn from_q8_0(bytes: &[u8], out: &mut [f32]) {
    for (block, out) in bytes.as_chunks::<34>().0.iter().zip(out.as_chunks_mut::<WEIGHTS>().0) {
        let d = half_at(block, 0);
        for (out, &code) in out.iter_mut().zip(&block[2..]) {
            *out = f32::from(code as i8) * d;
        }
    }
}

/// The fields of a block before the nibbles: a scale, a minimum or none, fifth bits or none.
#[derive(Clone, Copy)]
struct Layout {
    bits: u32,
    has_min: bool,
}

const Q4_0: Layout = Layout { bits: 4, has_min: false };
const Q4_1: Layout = Layout { bits: 4, has_min: true };
const Q5_0: Layout = Layout { bits: 5, has_min: false };
const Q5_1: Layout = Layout { bits: 5, has_min: true };

impl Layout {
    /// Where the fifth bits begin.
    const fn high(self) -> usize {
        if self.has_min { 4 } else { 2 }
    }

    /// Where the nibbles begin.
    const fn low(self) -> usize {
        self.high() + if self.bits == 5 { 4 } else { 0 }
    }

    const fn bytes(self) -> usize {
        self.low() + WEIGHTS / 2
    }
}

/// Codes count steps from a minimum, or from the far end of a range that reaches from the weight of largest magnitude, the first of them, to
/// just short of its negative.
fn encode(layout: Layout, x: &[f32], out: &mut [u8]) {
    let steps = 1 << layout.bits;
    for (x, out) in x.as_chunks::<WEIGHTS>().0.iter().zip(out.chunks_exact_mut(layout.bytes())) {
        let (d, offset, half) = if layout.has_min {
            let min = x.iter().fold(f32::MAX, |m, &x| if x < m { x } else { m });
            let max = x.iter().fold(f32::MIN, |m, &x| if x > m { x } else { m });
            put_half(min, &mut out[2..4]);
            ((max - min) / (steps - 1) as f32, min, 0.5)
        } else {
            let extreme = x.iter().fold(0.0_f32, |m, &x| if m.abs() < x.abs() { x } else { m });
            (extreme / -((steps / 2) as f32), 0.0, (steps / 2) as f32 + 0.5)
        };
        put_half(d, &mut out[..2]);
        let id = reciprocal(d);
        let codes = x.map(|x| (((x - offset) * id + half) as u8).min((steps - 1) as u8));
        for (j, out) in out[layout.low()..].iter_mut().enumerate() {
            *out = codes[j] & 15 | codes[j + 16] << 4;
        }
        if layout.bits == 5 {
            let high = codes.iter().enumerate().fold(0_u32, |high, (j, code)| high | u32::from(code >> 4) << j);
            out[layout.high()..layout.low()].copy_from_slice(&high.to_le_bytes());
        }
    }
}

fn decode(layout: Layout, bytes: &[u8], out: &mut [f32]) {
    let middle = if layout.has_min { 0 } else { 1 << (layout.bits - 1) };
    for (block, out) in bytes.chunks_exact(layout.bytes()).zip(out.as_chunks_mut::<WEIGHTS>().0) {
        let d = half_at(block, 0);
        let high = match layout.bits {
            5 => u32::from_le_bytes(std::array::from_fn(|i| block[layout.high() + i])),
            _ => 0,
        };
        for (j, out) in out.iter_mut().enumerate() {
            let low = block[layout.low() + j % 16] >> (j / 16 * 4) & 15;
            let code = i32::from(low) + ((high >> j & 1) << 4) as i32;
            let value = (code - middle) as f32 * d;
            *out = if layout.has_min { value + half_at(block, 2) } else { value };
        }
    }
}

/// See [`crate::kernels::ggml::q4_0`].
pub fn q4_0(x: &[f32], out: &mut [u8]) {
    encode(Q4_0, x, out);
}

/// Reads [`q4_0`].
pub fn from_q4_0(bytes: &[u8], out: &mut [f32]) {
    decode(Q4_0, bytes, out);
}

/// See [`crate::kernels::ggml::q4_1`].
pub fn q4_1(x: &[f32], out: &mut [u8]) {
    encode(Q4_1, x, out);
}

/// Reads [`q4_1`].
pub fn from_q4_1(bytes: &[u8], out: &mut [f32]) {
    decode(Q4_1, bytes, out);
}

/// See [`crate::kernels::ggml::q5_0`].
pub fn q5_0(x: &[f32], out: &mut [u8]) {
    encode(Q5_0, x, out);
}

/// Reads [`q5_0`].
pub fn from_q5_0(bytes: &[u8], out: &mut [f32]) {
    decode(Q5_0, bytes, out);
}

/// See [`crate::kernels::ggml::q5_1`].
pub fn q5_1(x: &[f32], out: &mut [u8]) {
    encode(Q5_1, x, out);
}

/// Reads [`q5_1`].
pub fn from_q5_1(bytes: &[u8], out: &mut [f32]) {
    decode(Q5_1, bytes, out);
}
