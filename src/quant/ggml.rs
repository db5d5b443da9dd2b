//! ggml's block formats, as llama.cpp writes them on x86-64 without an importance matrix.

use std::rc::Rc;

use half::f16;

use super::Family;
use super::blocks::{Blocks, Element, Format, OPTIONS};
use super::catalogue::{Entry, Resolved, Source};
use super::trace::{BitField, Part};
use crate::error::{Code, Error, Result};
use crate::kernels::ggml;

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
        options: OPTIONS,
        build,
    }
}

fn build(entry: &Entry, options: &Resolved) -> Result<Rc<dyn Family>> {
    let format = FORMATS.iter().find(|format| format.id == entry.id);
    format.map(|format| Blocks::family(format, options)).ok_or_else(|| Error::new(Code::UnknownScheme, entry.id))
}

/// The ggml schemes for the catalogue.
pub const ENTRIES: &[Entry] =
    &[entry("q8_0", 8, 32, "32 weights share one half-precision scale; each is a whole number from −127 to 127.")];

const FORMATS: &[Format] = &[Format {
    id: "q8_0",
    weights: 32,
    bytes: 34,
    encode: ggml::q8_0,
    encode_best: None,
    decode: ggml::from_q8_0,
    parts: &[Part { name: "scale", bytes: 2 }, Part { name: "codes", bytes: 32 }],
    element: |block, i| Element {
        scale: f16::from_le_bytes([block[0], block[1]]).to_f32(),
        offset: 0.0,
        code: (block[2 + i] as i8 as i32 + 128) as usize,
        entries: &SIGNED_BYTES,
    },
    fields: |i| vec![BitField { part: 0, bit: 0, bits: 16 }, BitField { part: 1, bit: 16 + 8 * i as u32, bits: 8 }],
}];

/// −128 … 127.
const SIGNED_BYTES: [f32; 256] = {
    let mut entries = [0.0; 256];
    let mut i = 0;
    while i < 256 {
        entries[i] = i as f32 - 128.0;
        i += 1;
    }
    entries
};
