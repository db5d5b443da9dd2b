//! `iq4_nl` and `iq4_xs`: sixteen levels of unequal distance, and a scale found by trying sixteen.
//!
//! Sums run in the order of the weights, as in the C code; a block's arithmetic depends on that block alone.

use super::{half_at, nearest_int, put_half};

/// What codes stand for.
pub const LEVELS: [i8; 16] = [-127, -104, -83, -65, -49, -35, -22, -10, 1, 13, 25, 38, 53, 69, 89, 113];

/// Blocks whose greatest magnitude is below this have scale 0.
pub const LEAST: f32 = 1e-15;

/// Scales tried on each side of the first: the greatest magnitude goes to −127 − 7 … −127 + 7.
pub const TRIES: i32 = 7;

/// The code of the nearest level, the upper one in the middle between two; the last for NaN.
fn nearest(x: f32) -> u8 {
    let level = |i: usize| f32::from(LEVELS[i]);
    if x <= level(0) {
        return 0;
    }
    let upper = (1..15).find(|&i| x < level(i)).unwrap_or(15);
    (if x - level(upper - 1) < level(upper) - x { upper - 1 } else { upper }) as u8
}

/// The scale with the least error weighted by x², of the sixteen tried, in least squares for its codes.
pub fn search(x: &[f32; 32]) -> f32 {
    let (mut amax, mut max) = (0.0_f32, 0.0);
    for &x in x {
        if x.abs() > amax {
            (amax, max) = (x.abs(), x);
        }
    }
    if amax < LEAST {
        return 0.0;
    }
    let sums = |id: f32| {
        let (mut qx, mut q2) = (0.0_f32, 0.0_f32);
        for &x in x {
            let q = f32::from(LEVELS[usize::from(nearest(id * x))]);
            let w = x * x;
            qx += w * q * x;
            q2 += w * q * q;
        }
        (qx, q2)
    };
    let (qx, q2) = sums(1.0 / (-max / f32::from(LEVELS[0])));
    let mut scale = qx / q2;
    let mut best = scale * qx;
    for i in -TRIES..=TRIES {
        let (qx, q2) = sums((i + i32::from(LEVELS[0])) as f32 / max);
        if q2 > 0.0 && qx * qx > best * q2 {
            scale = qx / q2;
            best = scale * qx;
        }
    }
    scale
}

/// The codes of 32 weights, those of weights `i` and `i + 16` in a byte.
fn put_codes(x: &[f32; 32], id: f32, out: &mut [u8]) {
    for (i, out) in out.iter_mut().enumerate() {
        *out = nearest(id * x[i]) | nearest(id * x[i + 16]) << 4;
    }
}

/// `1 / d`, 0 for 0.
pub fn reciprocal(d: f32) -> f32 {
    if d == 0.0 { 0.0 } else { 1.0 / d }
}

/// See [`crate::kernels::ggml_more::iq4_nl`].
pub fn iq4_nl(x: &[f32], out: &mut [u8]) {
    for (x, out) in x.as_chunks::<32>().0.iter().zip(out.as_chunks_mut::<18>().0) {
        let scale = search(x);
        put_half(scale, &mut out[..2]);
        put_codes(x, reciprocal(scale), &mut out[2..]);
    }
}

fn read(nibbles: &[u8], scale: f32, out: &mut [f32]) {
    let (low, high) = out.split_at_mut(16);
    for ((&byte, low), high) in nibbles.iter().zip(low).zip(high) {
        *low = scale * f32::from(LEVELS[usize::from(byte & 15)]);
        *high = scale * f32::from(LEVELS[usize::from(byte >> 4)]);
    }
}

/// See [`crate::kernels::ggml_more::from_iq4_nl`].
pub fn from_iq4_nl(bytes: &[u8], out: &mut [f32]) {
    for (block, out) in bytes.as_chunks::<18>().0.iter().zip(out.as_chunks_mut::<32>().0) {
        read(&block[2..], half_at(block, 0), out);
    }
}

/// The head of an `iq4_xs` block from the scales of its eight sub-blocks; what each sub-block's weights are multiplied by.
pub fn put_scales(scales: &[f32; 8], out: &mut [u8]) -> [f32; 8] {
    let (mut amax, mut max) = (0.0_f32, 0.0);
    for &scale in scales {
        if scale.abs() > amax {
            (amax, max) = (scale.abs(), scale);
        }
    }
    let d = -max / 32.0;
    let id = reciprocal(d);
    put_half(d, &mut out[..2]);
    let mut high = 0_u16;
    out[4..8].fill(0);
    let inverses = std::array::from_fn(|i| {
        let l = nearest_int(id * scales[i]).clamp(-32, 31);
        let stored = (l + 32) as u16;
        out[4 + i / 2] |= ((stored & 15) as u8) << (i % 2 * 4);
        high |= stored >> 4 << (2 * i);
        reciprocal(d * l as f32)
    });
    out[2..4].copy_from_slice(&high.to_le_bytes());
    inverses
}

/// See [`crate::kernels::ggml_more::iq4_xs`].
pub fn iq4_xs(x: &[f32], out: &mut [u8]) {
    for (x, out) in x.as_chunks::<256>().0.iter().zip(out.as_chunks_mut::<136>().0) {
        let blocks = x.as_chunks::<32>().0;
        let inverses = put_scales(&std::array::from_fn(|i| search(&blocks[i])), out);
        for ((x, id), out) in blocks.iter().zip(inverses).zip(out[8..].as_chunks_mut::<16>().0) {
            put_codes(x, id, out);
        }
    }
}

/// The scale of sub-block `i` of an `iq4_xs` block.
pub fn scale_of_xs(block: &[u8], i: usize) -> f32 {
    let high = u16::from_le_bytes([block[2], block[3]]) >> (2 * i) & 3;
    let stored = u16::from(block[4 + i / 2] >> (i % 2 * 4) & 15) | high << 4;
    half_at(block, 0) * (f32::from(stored) - 32.0)
}

/// See [`crate::kernels::ggml_more::from_iq4_xs`].
pub fn from_iq4_xs(bytes: &[u8], out: &mut [f32]) {
    for (block, out) in bytes.as_chunks::<136>().0.iter().zip(out.as_chunks_mut::<256>().0) {
        let nibbles = block[8..].as_chunks::<16>().0;
        for (i, (nibbles, out)) in nibbles.iter().zip(out.as_chunks_mut::<32>().0).enumerate() {
            read(nibbles, scale_of_xs(block, i), out);
        }
    }
}
