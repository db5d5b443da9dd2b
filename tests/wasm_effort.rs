//! The sums of the search for less error in WebAssembly: SIMD128 against scalar, bit for bit. Runs in Node and in browsers.
#![cfg(target_arch = "wasm32")]

mod edges;

use edges::{assert_same_bits, for_each_input};
use fewerbits::kernels::best::{self, FP4_TIMES_TWO, Rule, Sums, iq4_rule};
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
