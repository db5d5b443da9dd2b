//! The formats of [`crate::kernels::ggml_more`]: levels of unequal distance, ternary, small floats.

use std::rc::Rc;

use super::super::Family;
use super::super::blocks::{Blocks, Element, Format};
use super::super::catalogue::{Entry, Resolved};
use super::super::trace::BitField;
use super::{bits, half, nibble, number, pair, part};
use crate::error::{Code, Error, Result};
use crate::kernels::best;
use crate::kernels::ggml_more::{self as kernels, FP4_LEVELS, IQ4_LEVELS, TQ1_STRETCHES};

const fn entry(id: &'static str, bits: u32, block_size: u32, summary: &'static str) -> Entry {
    Entry { build, ..super::entry(id, bits, block_size, summary) }
}

fn build(entry: &Entry, options: &Resolved) -> Result<Rc<dyn Family>> {
    let format = FORMATS.iter().find(|format| format.id == entry.id);
    format.map(|format| Blocks::family(format, options)).ok_or_else(|| Error::new(Code::UnknownScheme, entry.id))
}

/// The schemes for the catalogue.
pub const ENTRIES: &[Entry] = &[
    entry("iq4_nl", 4, 32, "32 weights share one half-precision scale; the 16 levels lie closer together near zero."),
    entry("iq4_xs", 4, 256, "As iq4_nl with scales of 6 bits; 256 weights share their half-precision unit."),
    entry("tq1_0", 2, 256, "256 weights become −1, 0 or 1 times their greatest magnitude, five of them in a byte."),
    entry("tq2_0", 2, 256, "256 weights become −1, 0 or 1 times their greatest magnitude, four of them in a byte."),
    entry("mxfp4", 4, 32, "32 weights share a power of two; each is a 4-bit float."),
    entry(
        "nvfp4",
        4,
        64,
        "16 weights share an 8-bit float scale, four such groups make a block; each weight is a 4-bit float.",
    ),
];

const fn floats(levels: [i8; 16]) -> [f32; 16] {
    let mut floats = [0.0; 16];
    let mut i = 0;
    while i < 16 {
        floats[i] = levels[i] as f32;
        i += 1;
    }
    floats
}

static IQ4: [f32; 16] = floats(IQ4_LEVELS);
static FP4: [f32; 16] = floats(FP4_LEVELS);
static DIGITS: [f32; 4] = [-1.0, 0.0, 1.0, 2.0];

fn element(scale: f32, code: u32, entries: &'static [f32]) -> Element {
    Element { scale, offset: 0.0, code: code as usize, entries }
}

/// The code of weight `i` of an `iq4_xs` block.
fn nibble_of_xs(i: usize) -> BitField {
    nibble(3, 8 + i / 32 * 16, i % 32)
}

/// The byte and the digit in it of weight `i` of a `tq1_0` block.
fn digit_of_tq1(i: usize) -> (usize, usize) {
    let find = |&(weight, _, bytes, digits): &(usize, usize, usize, usize)| i < weight + bytes * digits;
    let (weight, byte, bytes, _) = TQ1_STRETCHES.into_iter().find(find).unwrap_or(TQ1_STRETCHES[2]);
    (byte + (i - weight) % bytes, (i - weight) / bytes)
}

/// The code of weight `i` of an `nvfp4` block.
fn nibble_of_nv(i: usize) -> BitField {
    bits(1, 8 * (4 + i / 16 * 8 + i % 8) + i % 16 / 8 * 4, 4)
}

/// How each of them is written and read.
pub(super) const FORMATS: &[Format] = &[
    Format {
        id: "iq4_nl",
        weights: 32,
        bytes: 18,
        encode: kernels::iq4_nl,
        encode_best: Some(best::iq4_nl),
        decode: kernels::from_iq4_nl,
        parts: &[part("scale", 2), part("codes", 16)],
        element: |block, i| element(half(block, 0), number(block, &[nibble(1, 2, i)]), &IQ4),
        fields: |i| vec![bits(0, 0, 16), nibble(1, 2, i)],
    },
    Format {
        id: "iq4_xs",
        weights: 256,
        bytes: 136,
        encode: kernels::iq4_xs,
        encode_best: Some(best::iq4_xs),
        decode: kernels::from_iq4_xs,
        parts: &[part("scale", 2), part("high bits", 2), part("scales", 4), part("codes", 128)],
        element: |block, i| element(kernels::iq4_xs_scale(block, i / 32), number(block, &[nibble_of_xs(i)]), &IQ4),
        fields: |i| vec![bits(0, 0, 16), bits(1, 16 + i / 32 * 2, 2), bits(2, 32 + i / 32 * 4, 4), nibble_of_xs(i)],
    },
    Format {
        id: "tq1_0",
        weights: 256,
        bytes: 54,
        encode: kernels::tq1_0,
        encode_best: Some(best::tq1_0),
        decode: kernels::from_tq1_0,
        parts: &[part("codes", 52), part("scale", 2)],
        element: |block, i| {
            let (byte, digit) = digit_of_tq1(i);
            element(half(block, 52), kernels::digit_of(block[byte], digit).into(), &DIGITS[..3])
        },
        // Five weights share the bits of a byte.
        fields: |i| vec![bits(1, 416, 16), bits(0, 8 * digit_of_tq1(i).0, 8)],
    },
    Format {
        id: "tq2_0",
        weights: 256,
        bytes: 66,
        encode: kernels::tq2_0,
        encode_best: Some(best::tq2_0),
        decode: kernels::from_tq2_0,
        parts: &[part("codes", 64), part("scale", 2)],
        element: |block, i| element(half(block, 64), number(block, &[pair(0, 0, i)]), &DIGITS),
        fields: |i| vec![bits(1, 512, 16), pair(0, 0, i)],
    },
    Format {
        id: "mxfp4",
        weights: 32,
        bytes: 17,
        encode: kernels::mxfp4,
        encode_best: Some(best::mxfp4),
        decode: kernels::from_mxfp4,
        parts: &[part("scale", 1), part("codes", 16)],
        element: |block, i| element(kernels::half_power(block[0]), number(block, &[nibble(1, 1, i)]), &FP4),
        fields: |i| vec![bits(0, 0, 8), nibble(1, 1, i)],
    },
    Format {
        id: "nvfp4",
        weights: 64,
        bytes: 36,
        encode: kernels::nvfp4,
        encode_best: Some(best::nvfp4),
        decode: kernels::from_nvfp4,
        parts: &[part("scales", 4), part("codes", 32)],
        element: |block, i| element(kernels::half_ue4m3(block[i / 16]), number(block, &[nibble_of_nv(i)]), &FP4),
        fields: |i| vec![bits(0, i / 16 * 8, 8), nibble_of_nv(i)],
    },
];
