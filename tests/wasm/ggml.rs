//! ggml's formats in SIMD128 against their scalar forms, byte for byte, and decoders bit for bit.

use crate::edges::{Random, assert_same_bits, table};
use crate::ggml_support::{Decode, Encode, generated, random_bytes};
use fewerbits::kernels::{ggml, scalar::ggml as scalar};
use wasm_bindgen_test::wasm_bindgen_test;

/// Name, weights and bytes of a block, and both forms of what writes and reads it.
type Codec = (&'static str, usize, usize, [Encode; 2], [Decode; 2]);

const CODECS: &[Codec] = &[
    ("q8_0", 32, 34, [ggml::q8_0, scalar::q8_0], [ggml::from_q8_0, scalar::from_q8_0]),
    ("q4_0", 32, 18, [ggml::q4_0, scalar::q4_0], [ggml::from_q4_0, scalar::from_q4_0]),
    ("q4_1", 32, 20, [ggml::q4_1, scalar::q4_1], [ggml::from_q4_1, scalar::from_q4_1]),
    ("q5_0", 32, 22, [ggml::q5_0, scalar::q5_0], [ggml::from_q5_0, scalar::from_q5_0]),
    ("q5_1", 32, 24, [ggml::q5_1, scalar::q5_1], [ggml::from_q5_1, scalar::from_q5_1]),
    ("q2_k", 256, 84, [ggml::q2_k, scalar::q2_k], [ggml::from_q2_k, scalar::from_q2_k]),
    ("q3_k", 256, 110, [ggml::q3_k, scalar::q3_k], [ggml::from_q3_k, scalar::from_q3_k]),
    ("q4_k", 256, 144, [ggml::q4_k, scalar::q4_k], [ggml::from_q4_k, scalar::from_q4_k]),
    ("q5_k", 256, 176, [ggml::q5_k, scalar::q5_k], [ggml::from_q5_k, scalar::from_q5_k]),
    ("q6_k", 256, 210, [ggml::q6_k, scalar::q6_k], [ggml::from_q6_k, scalar::from_q6_k]),
];

/// Finite weights; an odd start makes every load unaligned.
fn inputs() -> Vec<(String, Vec<f32>)> {
    let finite = |(_, x): &(String, Vec<f32>)| !x.is_empty() && x.iter().all(|x| x.is_finite());
    let mut all: Vec<_> = table().into_iter().filter(finite).collect();
    for kind in ["normal", "heavy", "bf16", "coarse", "wild"] {
        all.push((kind.to_owned(), generated(kind, 31, 1 << 15)));
    }
    let mut random = Random(0x1234_5677);
    for exponent in (-45..39).step_by(3) {
        let size = 10.0_f64.powi(exponent) as f32;
        let x = random.gaussians(2048, 1.0).iter().map(|x| (x * size).clamp(f32::MIN, f32::MAX)).collect();
        all.push((format!("gaussian · 1e{exponent}"), x));
    }
    let mixed = |random: &mut Random| {
        let size = 10.0_f64.powi((random.bits() % 60) as i32 - 40) as f32;
        let sign = random.bits() % 4;
        let offset = if random.bits().is_multiple_of(3) { size * 10.0 } else { 0.0 };
        (0..16)
            .map(|_| random.gaussian() * size + offset)
            .map(move |x| match sign {
                0 => x.abs(),
                1 => -x.abs(),
                _ => x,
            })
            .collect::<Vec<f32>>()
    };
    all.push(("sixteen of each size and sign".to_owned(), (0..4096).flat_map(|_| mixed(&mut random)).collect()));
    all
}

#[wasm_bindgen_test]
fn encoders_write_equal_bytes() {
    for (name, x) in inputs() {
        for (id, weights, bytes, [simd, plain], _) in CODECS {
            // Whole vectors of blocks and a rest; one element late, so that nothing is aligned.
            let len = (x.len() + 1).next_multiple_of(weights * 5).max(weights * 7);
            let cycled: Vec<f32> = x.iter().copied().cycle().take(len + 1).collect();
            let cycled = &cycled[1..];
            let (mut a, mut b) = (vec![0x11; len / weights * bytes], vec![0x22; len / weights * bytes]);
            simd(cycled, &mut a);
            plain(cycled, &mut b);
            for (i, (a, b)) in a.chunks(*bytes).zip(b.chunks(*bytes)).enumerate() {
                assert_eq!(a, b, "{id} on {name}, block {i}: {:?}", &cycled[i * weights..][..*weights]);
            }
        }
    }
}

#[wasm_bindgen_test]
fn any_number_of_blocks_is_written() {
    let x = Random(77).gaussians(256 * 9, 0.1);
    for (id, weights, bytes, [simd, plain], _) in CODECS {
        for blocks in 0..9 {
            let (mut a, mut b) = (vec![0x11; blocks * bytes], vec![0x22; blocks * bytes]);
            simd(&x[..blocks * weights], &mut a);
            plain(&x[..blocks * weights], &mut b);
            assert_eq!(a, b, "{blocks} blocks of {id}");
        }
    }
}

#[wasm_bindgen_test]
fn decoders_read_equal_values() {
    for (id, weights, bytes, _, [simd, plain]) in CODECS {
        for blocks in [0, 1, 5, 300] {
            let packed = random_bytes(7, blocks * bytes + 1);
            let (mut a, mut b) = (vec![1.0; blocks * weights], vec![2.0; blocks * weights]);
            simd(&packed[1..], &mut a);
            plain(&packed[1..], &mut b);
            assert_same_bits(&a, &b, id);
        }
    }
}
