//! ggml's block formats, as llama.cpp writes them on x86-64 without an importance matrix.

use std::rc::Rc;

use half::f16;

mod more;

pub use more::ENTRIES as MORE;

use super::Family;
use super::blocks::{Blocks, Element, Format, OPTIONS_WITH_EFFORT};
use super::catalogue::{Entry, Resolved, Source};
use super::trace::{BitField, Part};
use crate::error::{Code, Error, Result};
use crate::kernels::{best, ggml};

const fn entry(id: &'static str, bits: u32, block_size: u32, summary: &'static str) -> Entry {
    Entry {
        id,
        title: id,
        family: "ggml",
        bits: Some(bits),
        block_size: Some(block_size),
        summary,
        source: Source {
            title: "llama.cpp, ggml-quants.c",
            url: "https://github.com/ggml-org/llama.cpp/blob/master/ggml/src/ggml-quants.c",
        },
        options: OPTIONS_WITH_EFFORT,
        build,
    }
}

fn build(entry: &Entry, options: &Resolved) -> Result<Rc<dyn Family>> {
    let format = FORMATS.iter().find(|format| format.id == entry.id);
    format.map(|format| Blocks::family(format, options)).ok_or_else(|| Error::new(Code::UnknownScheme, entry.id))
}

/// The ggml schemes for the catalogue.
pub const ENTRIES: &[Entry] = &[
    entry("q8_0", 8, 32, "32 weights share one half-precision scale; each is a whole number from −127 to 127."),
    entry(
        "q4_0",
        4,
        32,
        "32 weights share one half-precision scale; the one of largest magnitude becomes −8, the others lie between −8 and 7.",
    ),
    entry(
        "q4_1",
        4,
        32,
        "32 weights share a scale and a minimum in half precision; each is one of 16 steps up from the minimum.",
    ),
    entry(
        "q5_0",
        5,
        32,
        "32 weights share one half-precision scale; the one of largest magnitude becomes −16, the others lie between −16 and 15.",
    ),
    entry(
        "q5_1",
        5,
        32,
        "32 weights share a scale and a minimum in half precision; each is one of 32 steps up from the minimum.",
    ),
    entry(
        "q2_k",
        2,
        256,
        "16 weights share a scale and a minimum of 4 bits, found by a search; 256 share the half-precision units of these.",
    ),
    entry(
        "q3_k",
        3,
        256,
        "16 weights share a scale of 6 bits, found while codes move one by one; 256 share its half-precision unit.",
    ),
    entry(
        "q4_k",
        4,
        256,
        "32 weights share a scale and a minimum of 6 bits, found by a search; 256 share the half-precision units of these.",
    ),
    entry("q5_k", 5, 256, "As q4_k with one more bit for each weight."),
    entry("q6_k", 6, 256, "16 weights share a scale of 8 bits, found by a search; 256 share its half-precision unit."),
];

const fn part(name: &'static str, bytes: usize) -> Part {
    Part { name, bytes }
}

const fn bits(part: usize, bit: usize, bits: u32) -> BitField {
    BitField { part, bit: bit as u32, bits }
}

fn half(block: &[u8], at: usize) -> f32 {
    f16::from_le_bytes([block[at], block[at + 1]]).to_f32()
}

/// An element whose codes are whole numbers, the lowest `low` and as many as `bits` bits can tell.
fn whole(scale: f32, offset: f32, code: u32, low: i32, bits: u32) -> Element {
    let first = (128 + low) as usize;
    Element { scale, offset, code: code as usize, entries: &WHOLE[first..first + (1 << bits)] }
}

/// The unsigned number in some bits of a block, those of each field above those of the field before.
fn number(block: &[u8], fields: &[BitField]) -> u32 {
    fields.iter().rev().fold(0, |number, field| {
        let (byte, shift) = (field.bit as usize / 8, field.bit % 8);
        number << field.bits | (u32::from(block[byte]) >> shift & ((1 << field.bits) - 1))
    })
}

/// Weights `i` and `i + 16` of a block of 32 share a byte.
fn nibble(part: usize, byte: usize, i: usize) -> BitField {
    bits(part, 8 * (byte + i % 16) + i / 16 * 4, 4)
}

/// One of 256 pairs of bits: weights 32 apart share a byte, within each half of the super-block.
fn pair(part: usize, byte: usize, i: usize) -> BitField {
    bits(part, 8 * (byte + i / 128 * 32 + i % 32) + i % 128 / 32 * 2, 2)
}

/// One of 256 bits: weights 32 apart share a byte.
fn single(part: usize, byte: usize, i: usize) -> BitField {
    bits(part, 8 * (byte + i % 32) + i / 32, 1)
}

/// Scale and minimum of `q4_k` and `q5_k`, six bits in one place or two, lowest first.
fn sixes(j: usize) -> (Vec<BitField>, Vec<BitField>) {
    if j < 4 {
        (vec![bits(2, 8 * (4 + j), 6)], vec![bits(2, 8 * (8 + j), 6)])
    } else {
        (
            vec![bits(2, 8 * (8 + j), 4), bits(2, 8 * j + 6, 2)],
            vec![bits(2, 8 * (8 + j) + 4, 4), bits(2, 8 * (4 + j) + 6, 2)],
        )
    }
}

/// An element of `q4_k` and `q5_k` whose code is known.
fn super_element(block: &[u8], i: usize, code: u32, bits: u32) -> Element {
    let (scale, min) = sixes(i / 32);
    let (scale, min) = (number(block, &scale) as f32, number(block, &min) as f32);
    whole(half(block, 0) * scale, -(half(block, 2) * min), code, 0, bits)
}

/// The fields of `q4_k` and `q5_k` before the code.
fn super_fields(i: usize, codes: &[BitField]) -> Vec<BitField> {
    let (scale, min) = sixes(i / 32);
    [&[bits(0, 0, 16), bits(1, 16, 16)][..], &scale, &min, codes].concat()
}

/// The scale of `q3_k`, six bits in two places, lowest first.
fn scale_of_q3(j: usize) -> [BitField; 2] {
    [bits(2, 8 * (96 + j % 8) + j / 8 * 4, 4), bits(2, 8 * (104 + j % 4) + j / 4 * 2, 2)]
}

/// Low nibbles of `q4_k` and `q5_k`.
fn nibble_of_256(part: usize, byte: usize, i: usize) -> BitField {
    bits(part, 8 * (byte + i / 64 * 32 + i % 32) + i % 64 / 32 * 4, 4)
}

/// Low nibbles of `q6_k`.
fn nibble_of_q6(i: usize) -> BitField {
    bits(0, 8 * (i / 128 * 64 + i % 64) + i % 128 / 64 * 4, 4)
}

/// All of llama.cpp's formats that are written.
#[cfg(all(feature = "bench", target_arch = "wasm32"))]
pub(crate) fn formats() -> impl Iterator<Item = &'static Format> {
    FORMATS.iter().chain(more::FORMATS)
}

/// How each of them is written and read.
const FORMATS: &[Format] = &[
    Format {
        id: "q8_0",
        weights: 32,
        bytes: 34,
        encode: ggml::q8_0,
        encode_best: Some(best::q8_0),
        decode: ggml::from_q8_0,
        parts: &[part("scale", 2), part("codes", 32)],
        element: |block, i| whole(half(block, 0), 0.0, u32::from(block[2 + i] ^ 0x80), -128, 8),
        fields: |i| vec![bits(0, 0, 16), bits(1, 16 + 8 * i, 8)],
    },
    Format {
        id: "q4_0",
        weights: 32,
        bytes: 18,
        encode: ggml::q4_0,
        encode_best: Some(best::q4_0),
        decode: ggml::from_q4_0,
        parts: &[part("scale", 2), part("codes", 16)],
        element: |block, i| whole(half(block, 0), 0.0, number(block, &[nibble(1, 2, i)]), -8, 4),
        fields: |i| vec![bits(0, 0, 16), nibble(1, 2, i)],
    },
    Format {
        id: "q4_1",
        weights: 32,
        bytes: 20,
        encode: ggml::q4_1,
        encode_best: Some(best::q4_1),
        decode: ggml::from_q4_1,
        parts: &[part("scale", 2), part("min", 2), part("codes", 16)],
        element: |block, i| whole(half(block, 0), half(block, 2), number(block, &[nibble(2, 4, i)]), 0, 4),
        fields: |i| vec![bits(0, 0, 16), bits(1, 16, 16), nibble(2, 4, i)],
    },
    Format {
        id: "q5_0",
        weights: 32,
        bytes: 22,
        encode: ggml::q5_0,
        encode_best: Some(best::q5_0),
        decode: ggml::from_q5_0,
        parts: &[part("scale", 2), part("high bits", 4), part("codes", 16)],
        element: |block, i| whole(half(block, 0), 0.0, number(block, &[nibble(2, 6, i), bits(1, 16 + i, 1)]), -16, 5),
        fields: |i| vec![bits(0, 0, 16), bits(1, 16 + i, 1), nibble(2, 6, i)],
    },
    Format {
        id: "q5_1",
        weights: 32,
        bytes: 24,
        encode: ggml::q5_1,
        encode_best: Some(best::q5_1),
        decode: ggml::from_q5_1,
        parts: &[part("scale", 2), part("min", 2), part("high bits", 4), part("codes", 16)],
        element: |block, i| {
            whole(half(block, 0), half(block, 2), number(block, &[nibble(3, 8, i), bits(2, 32 + i, 1)]), 0, 5)
        },
        fields: |i| vec![bits(0, 0, 16), bits(1, 16, 16), bits(2, 32 + i, 1), nibble(3, 8, i)],
    },
    Format {
        id: "q2_k",
        weights: 256,
        bytes: 84,
        encode: ggml::q2_k,
        encode_best: Some(best::q2_k),
        decode: ggml::from_q2_k,
        parts: &[part("scales", 16), part("codes", 64), part("scale", 2), part("min", 2)],
        element: |block, i| {
            let (scale, min) = (block[i / 16] & 15, block[i / 16] >> 4);
            let code = number(block, &[pair(1, 16, i)]);
            whole(half(block, 80) * f32::from(scale), -(half(block, 82) * f32::from(min)), code, 0, 2)
        },
        fields: |i| {
            let scales = [bits(0, i / 16 * 8, 4), bits(0, i / 16 * 8 + 4, 4)];
            [&[bits(2, 640, 16), bits(3, 656, 16)][..], &scales, &[pair(1, 16, i)]].concat()
        },
    },
    Format {
        id: "q3_k",
        weights: 256,
        bytes: 110,
        encode: ggml::q3_k,
        encode_best: Some(best::q3_k),
        decode: ggml::from_q3_k,
        parts: &[part("high bits", 32), part("codes", 64), part("scales", 12), part("scale", 2)],
        element: |block, i| {
            let scale = number(block, &scale_of_q3(i / 16)) as f32 - 32.0;
            whole(half(block, 108) * scale, 0.0, number(block, &[pair(1, 32, i), single(0, 0, i)]), -4, 3)
        },
        fields: |i| [&[bits(3, 864, 16)][..], &scale_of_q3(i / 16), &[single(0, 0, i), pair(1, 32, i)]].concat(),
    },
    Format {
        id: "q4_k",
        weights: 256,
        bytes: 144,
        encode: ggml::q4_k,
        encode_best: Some(best::q4_k),
        decode: ggml::from_q4_k,
        parts: &[part("scale", 2), part("min", 2), part("scales", 12), part("codes", 128)],
        element: |block, i| super_element(block, i, number(block, &[nibble_of_256(3, 16, i)]), 4),
        fields: |i| super_fields(i, &[nibble_of_256(3, 16, i)]),
    },
    Format {
        id: "q5_k",
        weights: 256,
        bytes: 176,
        encode: ggml::q5_k,
        encode_best: Some(best::q5_k),
        decode: ggml::from_q5_k,
        parts: &[part("scale", 2), part("min", 2), part("scales", 12), part("high bits", 32), part("codes", 128)],
        element: |block, i| super_element(block, i, number(block, &[nibble_of_256(4, 48, i), single(3, 16, i)]), 5),
        fields: |i| super_fields(i, &[single(3, 16, i), nibble_of_256(4, 48, i)]),
    },
    Format {
        id: "q6_k",
        weights: 256,
        bytes: 210,
        encode: ggml::q6_k,
        encode_best: Some(best::q6_k),
        decode: ggml::from_q6_k,
        parts: &[part("codes", 128), part("high bits", 64), part("scales", 16), part("scale", 2)],
        element: |block, i| {
            let scale = half(block, 208) * f32::from(block[192 + i / 16] as i8);
            whole(scale, 0.0, number(block, &[nibble_of_q6(i), pair(1, 128, i)]), -32, 6)
        },
        fields: |i| vec![bits(3, 1664, 16), bits(2, 1536 + i / 16 * 8, 8), pair(1, 128, i), nibble_of_q6(i)],
    },
];

/// −128 … 127.
static WHOLE: [f32; 256] = {
    let mut entries = [0.0; 256];
    let mut i = 0;
    while i < 256 {
        entries[i] = i as f32 - 128.0;
        i += 1;
    }
    entries
};
