//! ggml's block formats that are read and not written: IQ1, IQ2 and IQ3 with their codebooks, `q8_k`, `q1_0` and `q2_0`.

use super::grids::{Grid, IQ1_S, IQ2_S, IQ2_XS, IQ2_XXS, IQ3_S, IQ3_XXS};
use super::half_at;

/// Seven sign bits, and an eighth that makes their number even.
fn even_signs(seven: u32) -> u8 {
    let seven = seven as u8 & 127;
    seven | (seven.count_ones() as u8 & 1) << 7
}

/// Scaled entries of a codebook, negative where a bit of `signs` is set, lowest bit first.
fn signed<const N: usize>(entry: &[i8; N], scale: f32, signs: u8, out: &mut [f32]) {
    for (j, (out, &value)) in out.iter_mut().zip(entry).enumerate() {
        let value = scale * f32::from(value);
        *out = if signs >> j & 1 == 1 { -value } else { value };
    }
}

/// The same of one entry of 8 or two of 4.
fn eight<const N: usize>(grid: &Grid<N>, indices: [usize; 2], scale: f32, signs: u8, out: &mut [f32]) {
    let entries = grid.entries();
    for (half, (index, out)) in indices.iter().zip(out.chunks_mut(N)).enumerate() {
        signed(&entries[*index], scale, signs >> (half * N), out);
    }
}

fn word(block: &[u8], at: usize) -> u32 {
    u32::from_le_bytes([block[at], block[at + 1], block[at + 2], block[at + 3]])
}

fn short(block: &[u8], at: usize) -> u32 {
    u32::from(u16::from_le_bytes([block[at], block[at + 1]]))
}

/// Four bits of a row of them.
fn nibble(bytes: &[u8], i: usize) -> f32 {
    f32::from(bytes[i / 2] >> (i % 2 * 4) & 15)
}

/// Calls `f(block, i, out)` for every eight weights, the `i`-th of their block of 256.
fn eights<const BYTES: usize>(bytes: &[u8], out: &mut [f32], f: impl Fn(&[u8; BYTES], usize, &mut [f32])) {
    for (block, out) in bytes.as_chunks::<BYTES>().0.iter().zip(out.as_chunks_mut::<256>().0) {
        out.chunks_exact_mut(8).enumerate().for_each(|(i, out)| f(block, i, out));
    }
}

/// 66 bytes: an f16 scale; for each 32 weights four indices and a word of signs and a scale of four bits.
pub fn iq2_xxs(bytes: &[u8], out: &mut [f32]) {
    eights::<66>(bytes, out, |b, i, out| {
        let signs = word(b, 6 + i / 4 * 8);
        let scale = half_at(b, 0) * (0.5 + (signs >> 28) as f32) * 0.25;
        let index = usize::from(b[2 + i / 4 * 8 + i % 4]);
        eight(&IQ2_XXS, [index, 0], scale, even_signs(signs >> (7 * (i % 4))), out);
    });
}

/// 74 bytes: an f16 scale, for each 8 weights an index of 9 bits and 7 of signs, for each 16 a scale of four bits.
pub fn iq2_xs(bytes: &[u8], out: &mut [f32]) {
    eights::<74>(bytes, out, |b, i, out| {
        let code = short(b, 2 + 2 * i);
        let scale = half_at(b, 0) * (0.5 + nibble(&b[66..], i / 2)) * 0.25;
        eight(&IQ2_XS, [code as usize & 511, 0], scale, even_signs(code >> 9), out);
    });
}

/// 82 bytes: an f16 scale, 32 low bytes of indices, 32 of signs, 8 of two high bits each, for each 16 weights a scale of four bits.
pub fn iq2_s(bytes: &[u8], out: &mut [f32]) {
    eights::<82>(bytes, out, |b, i, out| {
        let high = usize::from(b[66 + i / 4] >> (2 * (i % 4)) & 3);
        let scale = half_at(b, 0) * (0.5 + nibble(&b[74..], i / 2)) * 0.25;
        eight(&IQ2_S, [usize::from(b[2 + i]) | high << 8, 0], scale, b[34 + i], out);
    });
}

/// 98 bytes: an f16 scale, 64 indices, for each 32 weights a word of signs and a scale of four bits.
pub fn iq3_xxs(bytes: &[u8], out: &mut [f32]) {
    eights::<98>(bytes, out, |b, i, out| {
        let signs = word(b, 66 + i / 4 * 4);
        let scale = half_at(b, 0) * (0.5 + (signs >> 28) as f32) * 0.5;
        let indices = [b[2 + 2 * i], b[3 + 2 * i]].map(usize::from);
        eight(&IQ3_XXS, indices, scale, even_signs(signs >> (7 * (i % 4))), out);
    });
}

/// 110 bytes: an f16 scale, 64 low bytes of indices, 8 of a high bit each, 32 of signs, for each 32 weights a scale of four bits.
pub fn iq3_s(bytes: &[u8], out: &mut [f32]) {
    eights::<110>(bytes, out, |b, i, out| {
        let high = usize::from(b[66 + i / 4] >> (2 * (i % 4)));
        let scale = half_at(b, 0) * (1.0 + 2.0 * nibble(&b[106..], i / 4));
        let indices = [usize::from(b[2 + 2 * i]) | (high & 1) << 8, usize::from(b[3 + 2 * i]) | (high & 2) << 7];
        eight(&IQ3_S, indices, scale, b[74 + i], out);
    });
}

/// An entry of −1, 0 and 1, all moved by an eighth.
fn moved(index: u32, scale: f32, down: bool, out: &mut [f32]) {
    let delta = if down { -0.125 } else { 0.125 };
    for (out, &value) in out.iter_mut().zip(&IQ1_S.entries()[index as usize]) {
        *out = scale * (f32::from(value) + delta);
    }
}

/// 50 bytes: an f16 scale, 32 low bytes of indices, for each 32 weights a word of high bits, a scale of three bits and which way to move.
pub fn iq1_s(bytes: &[u8], out: &mut [f32]) {
    eights::<50>(bytes, out, |b, i, out| {
        let high = short(b, 34 + i / 4 * 2);
        let scale = half_at(b, 0) * (2 * (high >> 12 & 7) + 1) as f32;
        let index = u32::from(b[2 + i]) | (high >> (3 * (i % 4)) & 7) << 8;
        moved(index, scale, high & 0x8000 != 0, out);
    });
}

/// 56 bytes: 32 low bytes of indices, 32 nibbles of high bits and which way to move, 16 scales of three bits and an f16 scale among them.
pub fn iq1_m(bytes: &[u8], out: &mut [f32]) {
    eights::<56>(bytes, out, |b, i, out| {
        let top: [u8; 4] = std::array::from_fn(|k| b[49 + 2 * k] >> 4);
        let d = half_at(&[top[0] | top[1] << 4, top[2] | top[3] << 4], 0);
        let scale = d * (2 * (short(b, 48 + i / 8 * 2) >> (3 * (i / 2 % 4)) & 7) + 1) as f32;
        let high = u32::from(b[32 + i / 2] >> (4 * (i % 2)));
        moved(u32::from(b[i]) | (high & 7) << 8, scale, high & 8 != 0, out);
    });
}

/// 292 bytes: an f32 scale, 256 signed bytes, and sums of sixteen of them each.
pub fn q8_k(bytes: &[u8], out: &mut [f32]) {
    for (block, out) in bytes.as_chunks::<292>().0.iter().zip(out.as_chunks_mut::<256>().0) {
        let scale = f32::from_bits(word(block, 0));
        out.iter_mut().zip(&block[4..]).for_each(|(out, &code)| *out = scale * f32::from(code as i8));
    }
}

/// 128 weights in 18 bytes: an f16 scale and a bit each, set for + and clear for −.
pub fn q1_0(bytes: &[u8], out: &mut [f32]) {
    for (block, out) in bytes.as_chunks::<18>().0.iter().zip(out.as_chunks_mut::<128>().0) {
        let scale = half_at(block, 0);
        for (byte, out) in block[2..].iter().zip(out.as_chunks_mut::<8>().0) {
            *out = std::array::from_fn(|i| if byte >> i & 1 == 1 { scale } else { -scale });
        }
    }
}

/// 64 weights in 18 bytes: an f16 scale and two bits each, which count from −1.
pub fn q2_0(bytes: &[u8], out: &mut [f32]) {
    for (block, out) in bytes.as_chunks::<18>().0.iter().zip(out.as_chunks_mut::<64>().0) {
        let scale = half_at(block, 0);
        for (byte, out) in block[2..].iter().zip(out.as_chunks_mut::<4>().0) {
            *out = std::array::from_fn(|i| (f32::from(byte >> (2 * i) & 3) - 1.0) * scale);
        }
    }
}
