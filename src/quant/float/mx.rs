//! OCP microscaling: 32 floats and the power of two that they share.
//!
//! The scale is `2^(⌊log₂ absmax⌋ − e)`, `e` the exponent of the element's greatest value (8, 15, 2), not below 2^−127; elements are
//! `x / scale`, rounded to nearest even and saturated. A block of zeros has the least scale.

use super::super::blocks::{Element, Encode, EncodeBest, Format};
use super::super::trace::{BitField, Part};
use super::fields;
use crate::kernels::best::{self, Rule, Weighting};
use crate::kernels::float::{self, Narrow};

const LEN: usize = 32;

/// `2^(code − 127)`.
fn scale(code: u8) -> f32 {
    f32::from_bits(if code == 0 { 1 << 22 } else { u32::from(code) << 23 })
}

/// The exponent of the greatest value.
fn top(format: Narrow) -> u32 {
    (u32::from(format.largest) >> format.fraction) - format.bias()
}

fn encode(format: Narrow, x: &[f32], out: &mut [u8]) {
    let mut codes = [0; LEN];
    for (x, out) in x.as_chunks::<LEN>().0.iter().zip(out.chunks_exact_mut(1 + LEN * format.bits() as usize / 8)) {
        let largest = x.iter().fold(0, |most, x| most.max(x.to_bits() & 0x7FFF_FFFF));
        out[0] = (largest >> 23).saturating_sub(top(format)) as u8;
        float::codes(format, x, scale(out[0]), true, &mut codes);
        float::pack(&codes, format.bits(), &mut out[1..]);
    }
}

/// Eight exponents around the reference's.
fn encode_best(format: Narrow, x: &[f32], weighting: Weighting, out: &mut [u8]) {
    encode(format, x, out);
    let rule = Rule::Float {
        fraction: 1.5 * (1_u32 << (23 - format.fraction)) as f32,
        least: format.value(1 << format.fraction),
        most: format.max(),
    };
    let (mut codes, mut weights, mut back, mut found) = ([0; LEN], [1.0; LEN], [0.0; LEN], [0; 33]);
    for (x, out) in x.as_chunks::<LEN>().0.iter().zip(out.chunks_exact_mut(1 + LEN * format.bits() as usize / 8)) {
        best::fill_weights(x, weighting, &mut weights);
        let first = out[0].saturating_sub(3);
        let tried: [u8; 8] = std::array::from_fn(|l| first.saturating_add(l as u8).min(254));
        let (l, _) = best::least_of(&best::errors_in(x, &weights, &rule, &tried.map(scale), scale(out[0])));
        let found = &mut found[..out.len()];
        found[0] = tried[l];
        float::codes(format, x, scale(found[0]), true, &mut codes);
        float::pack(&codes, format.bits(), &mut found[1..]);
        let mut error = |bytes: &[u8]| {
            decode(format, bytes, &mut back);
            best::error(x, &weights, &back)
        };
        if error(found) < error(out) {
            out.copy_from_slice(found);
        }
    }
}

fn decode(format: Narrow, bytes: &[u8], out: &mut [f32]) {
    let mut codes = [0; LEN];
    let blocks = bytes.chunks_exact(1 + LEN * format.bits() as usize / 8);
    for (block, out) in blocks.zip(out.as_chunks_mut::<LEN>().0) {
        // E8M0 has one NaN, which makes all of the block NaN.
        let scale = if block[0] == 255 { f32::NAN } else { scale(block[0]) };
        float::unpack(&block[1..], format.bits(), &mut codes);
        float::values(format, &codes, scale, out);
    }
}

/// What each code stands for. NaN and infinity, which no encoder writes, are the greatest finite value here: these are levels.
const fn entries<const N: usize>(format: Narrow) -> [f32; N] {
    let mut entries = [0.0; N];
    let mut code = 0;
    while code < N {
        let below_sign = code as u32 & (N as u32 / 2 - 1);
        let magnitude = if below_sign > format.largest as u32 { format.largest as u32 } else { below_sign };
        let wide = magnitude << (23 - format.fraction);
        let value = if magnitude >> format.fraction == 0 {
            let one = (128 - format.bias()) << 23;
            f32::from_bits(wide + one) - f32::from_bits(one)
        } else {
            f32::from_bits(wide + ((127 - format.bias()) << 23))
        };
        entries[code] = if code < N / 2 { value } else { -value };
        code += 1;
    }
    entries
}

static E4M3: [f32; 256] = entries(Narrow::E4M3);
static E5M2: [f32; 256] = entries(Narrow::E5M2);
static E2M1: [f32; 16] = entries(Narrow::E2M1);

fn element(entries: &'static [f32], block: &[u8], code: u8) -> Element {
    Element { scale: scale(block[0]), offset: 0.0, code: usize::from(code), entries }
}

fn with_scale(format: Narrow, i: usize) -> Vec<BitField> {
    let mut all = vec![BitField { part: 0, bit: 0, bits: 8 }];
    all.extend(fields(format, 1, 8 + i as u32 * format.bits()));
    all
}

const fn format(
    id: &'static str,
    bytes: usize,
    parts: &'static [Part],
    (encode, encode_best): (Encode, EncodeBest),
    decode: fn(&[u8], &mut [f32]),
    element: fn(&[u8], usize) -> Element,
    fields: fn(usize) -> Vec<BitField>,
) -> Format {
    Format { id, weights: LEN, bytes, encode, encode_best: Some(encode_best), decode, parts, element, fields }
}

const PARTS_8: &[Part] = &[Part { name: "scale", bytes: 1 }, Part { name: "codes", bytes: 32 }];
const PARTS_4: &[Part] = &[Part { name: "scale", bytes: 1 }, Part { name: "codes", bytes: 16 }];

pub(super) static FP8_E4M3: Format = format(
    "ocp_mxfp8",
    33,
    PARTS_8,
    (|x, out| encode(Narrow::E4M3, x, out), |x, weighting, out| encode_best(Narrow::E4M3, x, weighting, out)),
    |bytes, out| decode(Narrow::E4M3, bytes, out),
    |block, i| element(&E4M3, block, block[1 + i]),
    |i| with_scale(Narrow::E4M3, i),
);

pub(super) static FP8_E5M2: Format = format(
    "ocp_mxfp8",
    33,
    PARTS_8,
    (|x, out| encode(Narrow::E5M2, x, out), |x, weighting, out| encode_best(Narrow::E5M2, x, weighting, out)),
    |bytes, out| decode(Narrow::E5M2, bytes, out),
    |block, i| element(&E5M2, block, block[1 + i]),
    |i| with_scale(Narrow::E5M2, i),
);

pub(super) static FP4: Format = format(
    "ocp_mxfp4",
    17,
    PARTS_4,
    (|x, out| encode(Narrow::E2M1, x, out), |x, weighting, out| encode_best(Narrow::E2M1, x, weighting, out)),
    |bytes, out| decode(Narrow::E2M1, bytes, out),
    |block, i| element(&E2M1, block, block[1 + i / 2] >> (i % 2 * 4) & 15),
    |i| with_scale(Narrow::E2M1, i),
);
