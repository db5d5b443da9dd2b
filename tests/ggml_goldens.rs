//! ggml's formats against llama.cpp's own library, byte for byte. What the goldens hold: goldens/README.md.

mod ggml_support;
mod goldens;

use fewerbits::Shape;
use fewerbits::kernels::ggml;
use fewerbits::quant::{Options, Scheme, catalogue};
use ggml_support::{Codec, Decode, Encode, assert_goldens, generated};

/// How many inputs each format has been written for.
const INPUTS: usize = 47;

fn assert_codec(name: &'static str, weights: usize, bytes: usize, encode: Encode, decode: Decode) {
    let tested = assert_goldens(&Codec { name, weights, bytes, encode: Some(encode), decode });
    assert!(tested >= INPUTS, "{name}: {tested} cases");
}

#[test]
fn q8_0_is_llama_cpps() {
    assert_codec("q8_0", 32, 34, ggml::q8_0, ggml::from_q8_0);
}

#[test]
fn q4_0_is_llama_cpps() {
    assert_codec("q4_0", 32, 18, ggml::q4_0, ggml::from_q4_0);
}

#[test]
fn q4_1_is_llama_cpps() {
    assert_codec("q4_1", 32, 20, ggml::q4_1, ggml::from_q4_1);
}

#[test]
fn q5_0_is_llama_cpps() {
    assert_codec("q5_0", 32, 22, ggml::q5_0, ggml::from_q5_0);
}

#[test]
fn q5_1_is_llama_cpps() {
    assert_codec("q5_1", 32, 24, ggml::q5_1, ggml::from_q5_1);
}

#[test]
fn q2_k_is_llama_cpps() {
    assert_codec("q2_k", 256, 84, ggml::q2_k, ggml::from_q2_k);
}

#[test]
fn q3_k_is_llama_cpps() {
    assert_codec("q3_k", 256, 110, ggml::q3_k, ggml::from_q3_k);
}

#[test]
fn q4_k_is_llama_cpps() {
    assert_codec("q4_k", 256, 144, ggml::q4_k, ggml::from_q4_k);
}

#[test]
fn q5_k_is_llama_cpps() {
    assert_codec("q5_k", 256, 176, ggml::q5_k, ggml::from_q5_k);
}

#[test]
fn q6_k_is_llama_cpps() {
    assert_codec("q6_k", 256, 210, ggml::q6_k, ggml::from_q6_k);
}

/// What the inspector shows of a weight is how its value comes about.
#[test]
fn every_block_is_shown_as_it_is_read() {
    for entry in catalogue().filter(|entry| entry.family == "ggml") {
        let weights = u64::from(entry.block_size.unwrap());
        let shape = Shape::new(&[4 * weights]).unwrap();
        let x = generated("wild", 21, 4 * weights as u32);
        let prepared = Scheme::new(entry.id, &Options::new()).unwrap().prepare(&x, &shape).unwrap();
        let bytes = prepared.encode(&x).unwrap();
        let codes = prepared.codes(&bytes).unwrap();
        let mut back = vec![0.0; x.len()];
        prepared.reconstruct(&x, 0, &mut back);
        for (i, &value) in back.iter().enumerate() {
            let levels = prepared.levels_at(&x, i);
            assert!(levels.contains(&value), "{} {i}: {value} is none of {levels:?}", entry.id);
            let trace = prepared.trace(&x, i);
            assert_eq!((trace.back, trace.code), (value, Some(codes[i])), "{} {i}", entry.id);
            let last = trace.steps.len() - 2;
            assert_eq!(trace.steps[last].value, f64::from(value), "{} {i}: {:?}", entry.id, trace.steps);
            let block = trace.block.unwrap();
            assert_eq!(block.parts.iter().map(|part| part.bytes).sum::<usize>(), block.bytes.len(), "{}", entry.id);
            for field in block.fields {
                let first: usize = block.parts[..field.part].iter().map(|part| part.bytes).sum();
                let part = first * 8..(first + block.parts[field.part].bytes) * 8;
                let (start, end) = (field.bit as usize, (field.bit + field.bits) as usize);
                assert!(part.start <= start && end <= part.end, "{}: {field:?} of weight {i}", entry.id);
            }
        }
    }
}
