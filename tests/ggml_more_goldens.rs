//! More of ggml's formats, and those that are only read, against llama.cpp's own library. What the goldens hold: goldens/README.md.

mod ggml_support;
mod goldens;

use fewerbits::kernels::ggml_more::{self as ggml, decode_block_type};
use ggml_support::{Codec, assert_goldens};

fn assert_codec(name: &'static str, encode: fn(&[f32], &mut [u8])) {
    let kind = decode_block_type(name).unwrap();
    let codec = Codec { name, weights: kind.weights, bytes: kind.bytes, encode: Some(encode), decode: kind.decode };
    let tested = assert_goldens(&codec);
    assert!(tested >= 47, "{name}: {tested} cases");
}

#[test]
fn iq4_nl_is_llama_cpps() {
    assert_codec("iq4_nl", ggml::iq4_nl);
}

#[test]
fn iq4_xs_is_llama_cpps() {
    assert_codec("iq4_xs", ggml::iq4_xs);
}

#[test]
fn tq1_0_is_llama_cpps() {
    assert_codec("tq1_0", ggml::tq1_0);
}

#[test]
fn tq2_0_is_llama_cpps() {
    assert_codec("tq2_0", ggml::tq2_0);
}

#[test]
fn mxfp4_is_llama_cpps() {
    assert_codec("mxfp4", ggml::mxfp4);
}

#[test]
fn nvfp4_is_llama_cpps() {
    assert_codec("nvfp4", ggml::nvfp4);
}

/// Any bytes, and blocks that the library wrote where it does so without an importance matrix.
#[test]
fn every_block_type_of_the_library_is_read_as_it_reads_it() {
    let mut names: Vec<String> =
        goldens::cases("ggml").iter().filter_map(|case| case["type"].as_str().map(str::to_owned)).collect();
    names.sort();
    names.dedup();
    assert!(names.len() >= 28, "{names:?}");
    for name in names.iter().filter(|name| !["f16", "bf16"].contains(&name.as_str())) {
        let kind = decode_block_type(name).unwrap_or_else(|| panic!("{name} is not read"));
        let codec =
            Codec { name: kind.name, weights: kind.weights, bytes: kind.bytes, encode: None, decode: kind.decode };
        assert!(assert_goldens(&codec) >= 1, "{name}");
    }
}

/// The library's f16 and bf16.
#[test]
fn half_and_bfloat16_are_llama_cpps() {
    use fewerbits::kernels::float::{Narrow, codes, pack, unpack, values};
    fn encode(format: Narrow, x: &[f32], out: &mut [u8]) {
        let mut made = vec![0; x.len()];
        codes(format, x, 1.0, false, &mut made);
        pack(&made, 16, out);
    }
    fn decode(format: Narrow, bytes: &[u8], out: &mut [f32]) {
        let mut made = vec![0; out.len()];
        unpack(bytes, 16, &mut made);
        values(format, &made, 1.0, out);
    }
    let f16 = Codec {
        name: "f16",
        weights: 1,
        bytes: 2,
        encode: Some(|x, out| encode(Narrow::F16, x, out)),
        decode: |bytes, out| decode(Narrow::F16, bytes, out),
    };
    let bf16 = Codec {
        name: "bf16",
        encode: Some(|x, out| encode(Narrow::BF16, x, out)),
        decode: |bytes, out| decode(Narrow::BF16, bytes, out),
        ..f16
    };
    assert!(assert_goldens(&f16) >= 47);
    assert!(assert_goldens(&bf16) >= 47);
}
