//! The search for less error in WebAssembly: SIMD128 against scalar, bit for bit.

use crate::edges::{Random, assert_same_bits, for_each_input, table};
use crate::ggml_support::generated;
use fewerbits::kernels::best::{self, FP4_TIMES_TWO, Rule, Sums, Weighting, iq4_rule};
use fewerbits::kernels::scalar;
use wasm_bindgen_test::wasm_bindgen_test;

fn assert_same(ours: Sums, theirs: Sums, what: &str) {
    let parts = |s: Sums| [s.uu, s.qu, s.qq, s.u, s.q];
    for (a, b) in parts(ours).iter().zip(parts(theirs)) {
        assert_same_bits(a, &b, what);
    }
}

#[wasm_bindgen_test]
fn sums_are_equal() {
    let even = [(-8.0, 7.0), (0.0, 31.0), (-128.0, 127.0), (-1.0, 1.0)].map(|(low, high)| Rule::Even { low, high });
    for_each_input(|name, x| {
        let weights: Vec<f32> = x.iter().map(|x| x * x * 0.3).collect();
        for unit in [0.013_f32, 1.0, -3e4, 1e-30] {
            let inverse = std::array::from_fn(|l| (0.8 + 0.05 * l as f32) / unit);
            let low = std::array::from_fn(|l| unit * (l as f32 - 3.0));
            for rule in even.iter().chain(&[FP4_TIMES_TWO, iq4_rule()]) {
                for low in [None, Some(&low)] {
                    let ours = best::sums(x, &weights, &inverse, low, rule);
                    let theirs = scalar::best::sums(x, &weights, &inverse, low, rule);
                    assert_same(ours, theirs, &format!("{name}: {rule:?}, unit {unit}, {low:?}"));
                }
            }
        }
    });
}

type Best = fn(&[f32], Weighting, &mut [u8]);

/// Name, weights and bytes of a block, and both forms of its search.
const ABREAST: &[(&str, usize, usize, [Best; 2])] = &[
    ("q8_0", 32, 34, [best::q8_0, scalar::best::q8_0]),
    ("q4_0", 32, 18, [best::q4_0, scalar::best::q4_0]),
    ("q4_1", 32, 20, [best::q4_1, scalar::best::q4_1]),
    ("q5_0", 32, 22, [best::q5_0, scalar::best::q5_0]),
    ("q5_1", 32, 24, [best::q5_1, scalar::best::q5_1]),
    ("tq1_0", 256, 54, [best::tq1_0, scalar::best::tq1_0]),
    ("tq2_0", 256, 66, [best::tq2_0, scalar::best::tq2_0]),
    ("mxfp4", 32, 17, [best::mxfp4, scalar::best::mxfp4]),
];

/// Finite weights of every size and shape.
fn inputs() -> Vec<(String, Vec<f32>)> {
    let finite = |(_, x): &(String, Vec<f32>)| !x.is_empty() && x.iter().all(|x| x.is_finite());
    let mut all: Vec<_> = table().into_iter().filter(finite).collect();
    for kind in ["normal", "heavy", "bf16", "coarse", "wild"] {
        all.push((kind.to_owned(), generated(kind, 31, 1 << 13)));
    }
    let mut random = Random(0xBE57_0001);
    for exponent in (-45..39).step_by(2) {
        let size = 10.0_f64.powi(exponent) as f32;
        let offset = if exponent % 4 == 0 { size * 5.0 } else { 0.0 };
        let x = random.gaussians(1024, 1.0).iter().map(|x| (x * size + offset).clamp(f32::MIN, f32::MAX)).collect();
        all.push((format!("gaussian · 1e{exponent}"), x));
    }
    // Scales around the least numbers of half precision.
    for size in [3e-8, 6e-8, 1e-7, 4e-7, 2e-6, 6e-5, 1e-4, 6e4, 6.5e4, 7e4, 5e5] {
        let x = random.gaussians(1024, 1.0).iter().map(|x| x * size).collect();
        all.push((format!("gaussian · {size}"), x));
    }
    all
}

#[wasm_bindgen_test]
fn searches_side_by_side_write_equal_bytes() {
    for (name, x) in inputs() {
        for (id, weights, bytes, forms) in ABREAST {
            // Whole vectors of blocks and a rest; one element late, so that nothing is aligned.
            let blocks = x.len().div_ceil(*weights).max(5) | 1;
            let cycled: Vec<f32> = x.iter().copied().cycle().skip(1).take(blocks * weights + 1).collect();
            let cycled = &cycled[1..];
            for weighting in [Weighting::None, Weighting::Squares] {
                let [a, b] = forms.map(|write| {
                    let mut out = vec![0xA5; blocks * bytes];
                    write(cycled, weighting, &mut out);
                    out
                });
                for (i, (a, b)) in a.chunks(*bytes).zip(b.chunks(*bytes)).enumerate() {
                    let x = &cycled[i * weights..][..*weights];
                    assert_eq!(a, b, "{id}, {weighting:?}, on {name}, block {i}: {x:?}");
                }
            }
        }
    }
}

#[wasm_bindgen_test]
fn any_number_of_blocks_is_searched() {
    let x = Random(78).gaussians(256 * 9, 0.1);
    for (id, weights, bytes, [ours, theirs]) in ABREAST {
        for blocks in 0..10 {
            let x = &x[..(blocks * weights).min(x.len() / weights * weights)];
            let (mut a, mut b) = (vec![0x11; blocks * bytes], vec![0x11; blocks * bytes]);
            ours(x, Weighting::None, &mut a);
            theirs(x, Weighting::None, &mut b);
            assert_eq!(a, b, "{blocks} blocks of {id}");
        }
    }
}
