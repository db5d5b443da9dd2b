//! ggml's formats against llama.cpp's own library, byte for byte. What the goldens hold: goldens/README.md.

mod ggml_support;
mod goldens;

use fewerbits::kernels::ggml;
use ggml_support::{Codec, assert_goldens};

/// How many inputs each format has been written for.
const INPUTS: usize = 47;

fn assert_codec(name: &'static str, weights: usize, bytes: usize, encode: fn(&[f32], &mut [u8]), decode: fn(&[u8], &mut [f32])) {
    let tested = assert_goldens(&Codec { name, weights, bytes, encode: Some(encode), decode });
    assert!(tested >= INPUTS, "{name}: {tested} cases");
}

#[test]
fn q8_0_is_llama_cpps() {
    assert_codec("q8_0", 32, 34, ggml::q8_0, ggml::from_q8_0);
}
