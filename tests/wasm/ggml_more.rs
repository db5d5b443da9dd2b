//! ggml's formats of unequal levels, ternary and small floats in SIMD128 against their scalar form, byte for byte.

use crate::edges::{Random, assert_same_bits, table};
use fewerbits::kernels::ggml_more as simd;
use fewerbits::kernels::scalar::{iq, mx, ternary};
use wasm_bindgen_test::wasm_bindgen_test;

type Encode = fn(&[f32], &mut [u8]);
type Decode = fn(&[u8], &mut [f32]);

struct Codec {
    name: &'static str,
    encode: [Encode; 2],
    decode: [Decode; 2],
}

macro_rules! codec {
    ($module:ident, $encode:ident, $decode:ident) => {
        Codec {
            name: stringify!($encode),
            encode: [simd::$encode, $module::$encode],
            decode: [simd::$decode, $module::$decode],
        }
    };
}

const CODECS: [Codec; 6] = [
    codec!(iq, iq4_nl, from_iq4_nl),
    codec!(iq, iq4_xs, from_iq4_xs),
    codec!(ternary, tq1_0, from_tq1_0),
    codec!(ternary, tq2_0, from_tq2_0),
    codec!(mx, mxfp4, from_mxfp4),
    codec!(mx, nvfp4, from_nvfp4),
];

/// Finite inputs of up to so many weights; each twice, at two alignments.
fn inputs() -> Vec<(String, Vec<f32>)> {
    let mut inputs: Vec<(String, Vec<f32>)> =
        table().into_iter().filter(|(_, x)| !x.is_empty() && x.iter().all(|x| x.is_finite())).collect();
    let mut random = Random(0xC0FF_EE11);
    // Blocks of every size, of 16, 32 and 256 weights.
    for (shift, name) in [(4, "sizes of 16"), (5, "sizes of 32"), (8, "sizes of 256")] {
        let mut x = random.gaussians(1 << 14, 1.0);
        for group in x.chunks_mut(1 << shift) {
            let size = 2.0_f32.powi((random.bits() % 250) as i32 - 126);
            group.iter_mut().for_each(|x| *x = (*x * size).clamp(f32::MIN, f32::MAX));
        }
        inputs.push((name.to_owned(), x));
    }
    let coarse = random.gaussians(1 << 13, 16.0).iter().map(|x| x.round() / 4.0).collect();
    inputs.push(("multiples of a quarter".to_owned(), coarse));
    let powers = (0..1 << 13).map(|i| f32::from_bits((random.bits() & 0xFF80_0000).wrapping_sub(i % 3)));
    inputs.push(("next to powers of two".to_owned(), powers.filter(|x| x.is_finite()).collect()));
    let bits = (0..1 << 14).map(|_| f32::from_bits(random.bits()));
    inputs.push(("any bits".to_owned(), bits.filter(|x| x.is_finite()).collect()));
    inputs.push(("gaussian".to_owned(), random.gaussians(1 << 15, 0.02)));
    inputs
}

#[wasm_bindgen_test]
fn bytes_and_values_are_equal() {
    for (name, x) in inputs() {
        for codec in &CODECS {
            let kind = simd::decode_block_type(codec.name).unwrap();
            for skip in [0, 3] {
                // Repeated to whole blocks, five at least: a number that four lanes leave a rest of.
                let blocks = x.len().div_ceil(kind.weights).max(5) | 1;
                let weights: Vec<f32> = std::iter::repeat_n(9.0, skip)
                    .chain(x.iter().copied().cycle())
                    .take(skip + blocks * kind.weights)
                    .collect();
                let weights = &weights[skip..];
                let what = format!("{} of {name}, shifted by {skip}", codec.name);
                let bytes = codec.encode.map(|encode| {
                    let mut bytes = vec![0xA5; blocks * kind.bytes];
                    encode(weights, &mut bytes);
                    bytes
                });
                for (i, (a, b)) in bytes[0].chunks(kind.bytes).zip(bytes[1].chunks(kind.bytes)).enumerate() {
                    assert_eq!(a, b, "{what}, block {i}: {:?}", &weights[i * kind.weights..][..kind.weights]);
                }
                let values = codec.decode.map(|decode| {
                    let mut values = vec![9.0; blocks * kind.weights];
                    decode(&bytes[1], &mut values);
                    values
                });
                assert_same_bits(&values[0], &values[1], &what);
            }
        }
    }
}

#[wasm_bindgen_test]
fn any_bytes_are_read_the_same() {
    let mut random = Random(7);
    for codec in &CODECS {
        let kind = simd::decode_block_type(codec.name).unwrap();
        let bytes: Vec<u8> = (0..513 * kind.bytes).map(|_| (random.bits() >> 13) as u8).collect();
        let values = codec.decode.map(|decode| {
            let mut values = vec![9.0; 513 * kind.weights];
            decode(&bytes, &mut values);
            values
        });
        assert_same_bits(&values[0], &values[1], codec.name);
    }
}
