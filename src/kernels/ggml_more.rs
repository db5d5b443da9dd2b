//! More of ggml's block formats, entry points: levels of unequal distance, ternary, small floats; and every format that is only read.
//! Each takes whole blocks, as many as fit, of finite weights.

use super::scalar::ggml::{iq, mx, read_only, ternary};
use super::{dispatch, ggml};

pub use iq::LEVELS as IQ4_LEVELS;
pub use iq::scale_of_xs as iq4_xs_scale;
pub use mx::LEVELS as FP4_LEVELS;
pub use mx::{half_power, half_ue4m3};
pub use ternary::{STRETCHES as TQ1_STRETCHES, digit_of};

/// `iq4_nl`: 32 weights in 18 bytes: an f16 scale and 32 nibbles that stand for [`IQ4_LEVELS`].
pub fn iq4_nl(x: &[f32], out: &mut [u8]) {
    dispatch!(iq::iq4_nl(x, out));
}

/// Reads [`iq4_nl`].
pub fn from_iq4_nl(bytes: &[u8], out: &mut [f32]) {
    dispatch!(iq::from_iq4_nl(bytes, out));
}

/// `iq4_xs`: 256 weights in 136 bytes: an f16 scale, for each 32 weights a scale of six bits, nibbles as in [`iq4_nl`].
pub fn iq4_xs(x: &[f32], out: &mut [u8]) {
    dispatch!(iq::iq4_xs(x, out));
}

/// Reads [`iq4_xs`].
pub fn from_iq4_xs(bytes: &[u8], out: &mut [f32]) {
    dispatch!(iq::from_iq4_xs(bytes, out));
}

/// `tq1_0`: 256 weights in 54 bytes: five digits of base 3 in a byte, and an f16 scale.
pub fn tq1_0(x: &[f32], out: &mut [u8]) {
    dispatch!(ternary::tq1_0(x, out));
}

/// Reads [`tq1_0`].
pub fn from_tq1_0(bytes: &[u8], out: &mut [f32]) {
    dispatch!(ternary::from_tq1_0(bytes, out));
}

/// `tq2_0`: 256 weights in 66 bytes: two bits each, and an f16 scale.
pub fn tq2_0(x: &[f32], out: &mut [u8]) {
    dispatch!(ternary::tq2_0(x, out));
}

/// Reads [`tq2_0`].
pub fn from_tq2_0(bytes: &[u8], out: &mut [f32]) {
    dispatch!(ternary::from_tq2_0(bytes, out));
}

/// `mxfp4`: 32 weights in 17 bytes: the exponent of a scale and 32 E2M1 codes.
pub fn mxfp4(x: &[f32], out: &mut [u8]) {
    dispatch!(mx::mxfp4(x, out));
}

/// A block of [`mxfp4`] with another exponent than its own.
pub fn mxfp4_with(x: &[f32; 32], exponent: u8, out: &mut [u8; 17]) {
    dispatch!(mx::mxfp4_with(x, exponent, out));
}

/// Reads [`mxfp4`].
pub fn from_mxfp4(bytes: &[u8], out: &mut [f32]) {
    dispatch!(mx::from_mxfp4(bytes, out));
}

/// `nvfp4`: 64 weights in 36 bytes: for each sixteen an E4M3 scale, and 64 E2M1 codes.
pub fn nvfp4(x: &[f32], out: &mut [u8]) {
    dispatch!(mx::nvfp4(x, out));
}

/// Reads [`nvfp4`].
pub fn from_nvfp4(bytes: &[u8], out: &mut [f32]) {
    dispatch!(mx::from_nvfp4(bytes, out));
}

/// How blocks of one of ggml's types are read.
#[derive(Debug, Clone, Copy)]
pub struct BlockType {
    /// The type's name, in lower case.
    pub name: &'static str,
    /// Weights of a block.
    pub weights: usize,
    /// Bytes of a block.
    pub bytes: usize,
    /// Reads as many whole blocks as there are bytes and room for.
    pub decode: fn(&[u8], &mut [f32]),
}

const fn block(name: &'static str, weights: usize, bytes: usize, decode: fn(&[u8], &mut [f32])) -> BlockType {
    BlockType { name, weights, bytes, decode }
}

/// Every block type that is read.
const BLOCK_TYPES: &[BlockType] = &[
    block("q4_0", 32, 18, ggml::from_q4_0),
    block("q4_1", 32, 20, ggml::from_q4_1),
    block("q5_0", 32, 22, ggml::from_q5_0),
    block("q5_1", 32, 24, ggml::from_q5_1),
    block("q8_0", 32, 34, ggml::from_q8_0),
    block("q2_k", 256, 84, ggml::from_q2_k),
    block("q3_k", 256, 110, ggml::from_q3_k),
    block("q4_k", 256, 144, ggml::from_q4_k),
    block("q5_k", 256, 176, ggml::from_q5_k),
    block("q6_k", 256, 210, ggml::from_q6_k),
    block("q8_k", 256, 292, read_only::q8_k),
    block("iq4_nl", 32, 18, from_iq4_nl),
    block("iq4_xs", 256, 136, from_iq4_xs),
    block("iq3_xxs", 256, 98, read_only::iq3_xxs),
    block("iq3_s", 256, 110, read_only::iq3_s),
    block("iq2_xxs", 256, 66, read_only::iq2_xxs),
    block("iq2_xs", 256, 74, read_only::iq2_xs),
    block("iq2_s", 256, 82, read_only::iq2_s),
    block("iq1_s", 256, 50, read_only::iq1_s),
    block("iq1_m", 256, 56, read_only::iq1_m),
    block("tq1_0", 256, 54, from_tq1_0),
    block("tq2_0", 256, 66, from_tq2_0),
    block("mxfp4", 32, 17, from_mxfp4),
    block("nvfp4", 64, 36, from_nvfp4),
    block("q1_0", 128, 18, read_only::q1_0),
    block("q2_0", 64, 18, read_only::q2_0),
];

/// How blocks of the type of this name are read, if there is one; names as in [`BlockType::name`].
#[must_use]
pub fn decode_block_type(name: &str) -> Option<&'static BlockType> {
    BLOCK_TYPES.iter().find(|kind| kind.name == name)
}
