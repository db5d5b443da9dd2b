//! The float formats in WebAssembly: long inputs, which LLVM makes vectors of, against one value at a time.

use crate::edges::{assert_same_bits, for_each_input};
use fewerbits::kernels::float::{self, Narrow};
use fewerbits::kernels::scalar;
use wasm_bindgen_test::wasm_bindgen_test;

const FORMATS: [Narrow; 5] = [Narrow::F16, Narrow::BF16, Narrow::E4M3, Narrow::E5M2, Narrow::E2M1];

#[wasm_bindgen_test]
fn many_at_once_are_each_alone() {
    for_each_input(|name, x| {
        for format in FORMATS {
            for (scale, saturate) in [(1.0, false), (1.0, true), (0.013, true)] {
                let what = format!("{name}: {format:?}, {scale}, {saturate}");
                let (mut all, mut alone) = (vec![0; x.len()], vec![1; x.len()]);
                float::codes(format, x, scale, saturate, &mut all);
                for (x, code) in x.iter().zip(alone.chunks_mut(1)) {
                    float::codes(format, &[*x], scale, saturate, code);
                }
                // The sign of NaN is open in WebAssembly.
                let differ = (0..x.len()).find(|&i| all[i] != alone[i] && !x[i].is_nan());
                assert_eq!(differ, None, "{what}");
                let (mut values, mut back) = (vec![9.0; x.len()], vec![-9.0; x.len()]);
                float::values(format, &all, scale, &mut values);
                for (code, back) in all.chunks(1).zip(back.chunks_mut(1)) {
                    float::values(format, code, scale, back);
                }
                assert_same_bits(&values, &back, &what);
                let bits = format.bits();
                let mut bytes = vec![0; (x.len() * bits as usize).div_ceil(8)];
                float::pack(&all, bits, &mut bytes);
                let mut again = vec![0; x.len()];
                float::unpack(&bytes, bits, &mut again);
                assert_eq!(again, all, "{what}");
            }
        }
    });
}

#[wasm_bindgen_test]
fn every_code_comes_back() {
    for format in FORMATS {
        for code in 0..=format.largest {
            for code in [code, code | format.sign()] {
                assert_eq!(format.code(format.value(code)), code, "{format:?}");
            }
        }
    }
}

/// Every half, in every place of a vector among normal ones and among any, and every length of a rest.
#[wasm_bindgen_test]
fn halves_are_equal() {
    let normal = 0x3c01_u16.to_le_bytes();
    let check = |bytes: &[u8], what: &str| {
        let (mut simd, mut plain) = (vec![9.0; bytes.len() / 2], vec![-9.0; bytes.len() / 2]);
        float::halves(bytes, &mut simd);
        scalar::float::halves(bytes, &mut plain);
        let bits = |x: &[f32]| x.iter().map(|x| x.to_bits()).collect::<Vec<_>>();
        assert_eq!(bits(&simd), bits(&plain), "{what}");
    };
    let all: Vec<u8> = (0..=u16::MAX).flat_map(u16::to_le_bytes).collect();
    for skip in 0..16 {
        check(&all[2 * skip..], &format!("from the half {skip} on"));
        let alone: Vec<u8> = (0..=u16::MAX)
            .flat_map(|half| (0..16).map(move |place| if place == skip { half.to_le_bytes() } else { normal }))
            .flatten()
            .collect();
        check(&alone, &format!("alone at place {skip}"));
    }
    for len in 0..=67 {
        check(&all[2 * 0x3fe0..][..2 * len], &format!("{len} halves"));
    }
}
