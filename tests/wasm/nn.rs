//! The sample network's layers in SIMD128 against their scalar forms, bit for bit, and the network in wasm.

use crate::sample;
use fewerbits::kernels::llama::{self, Matrix};
use fewerbits::kernels::nn::{Activation, LANES};
use fewerbits::kernels::{nn, scalar};
use wasm_bindgen_test::wasm_bindgen_test;

/// Which values a test draws.
#[derive(Debug, Clone, Copy)]
enum Kind {
    Ordinary,
    /// Zeros of both signs, subnormal, huge: products and sums that overflow or vanish.
    Extreme,
    /// The same with NaN and infinities.
    NonFinite,
}

/// xorshift32: the seed is the test's, so a failure can be had again.
struct Random(u32);

impl Random {
    fn next(&mut self) -> u32 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 17;
        self.0 ^= self.0 << 5;
        self.0
    }

    fn values(&mut self, len: usize, kind: Kind) -> Vec<f32> {
        const EXTREME: [f32; 10] = [0.0, -0.0, 1e-45, -3e-42, 1e-38, -1.0, 1e30, -3e38, f32::MAX, f32::MIN_POSITIVE];
        const NON_FINITE: [f32; 3] = [f32::NAN, f32::INFINITY, f32::NEG_INFINITY];
        (0..len)
            .map(|_| {
                let ordinary = (self.next() >> 8) as f32 / (1 << 23) as f32 - 1.0;
                match (kind, self.next() % 64) {
                    (Kind::Extreme | Kind::NonFinite, n @ 0..20) => EXTREME[n as usize / 2],
                    (Kind::NonFinite, n @ 20..23) => NON_FINITE[n as usize - 20],
                    _ => ordinary,
                }
            })
            .collect()
    }
}

/// Equal bits, except that one NaN is as good as another: wasm leaves a NaN's bits open.
fn assert_same(simd: &[f32], scalar: &[f32], what: &str) {
    for (i, (a, b)) in simd.iter().zip(scalar).enumerate() {
        let same = a.to_bits() == b.to_bits() || a.is_nan() && b.is_nan();
        assert!(
            same,
            "{what}: value {i} is {a:?} ({:#010x}) in SIMD, {b:?} ({:#010x}) in scalar",
            a.to_bits(),
            b.to_bits()
        );
    }
}

const KINDS: [Kind; 3] = [Kind::Ordinary, Kind::Extreme, Kind::NonFinite];

#[wasm_bindgen_test]
fn convolution_is_equal_to_scalar() {
    let planes = [(1, 1), (1, 2), (2, 1), (2, 2), (3, 5), (4, 4), (8, 8)];
    for kind in KINDS {
        for plane @ (height, width) in planes {
            for (inputs, outputs) in [(1, 1), (1, 4), (2, 3), (3, 5), (7, 8), (0, 2), (2, 0)] {
                let seed = 1 + (height * 8 + width * 64 + inputs * 512 + outputs * 4096) as u32;
                let mut random = Random(seed);
                let x = random.values(inputs * height * width * LANES, kind);
                let w = random.values(outputs * inputs * 9, kind);
                let b = random.values(outputs, kind);
                let mut simd = vec![f32::NAN; outputs * height * width * LANES];
                let mut plain = simd.clone();
                nn::conv3x3_relu(&x, &w, &b, plane, &mut simd);
                scalar::nn::conv3x3(&x, &w, &b, plane, Activation::Relu, &mut plain);
                assert_same(&simd, &plain, &format!("{kind:?} {plane:?} {inputs}→{outputs}, seed {seed}"));
            }
        }
    }
}

#[wasm_bindgen_test]
fn convolution_without_relu_is_equal_to_scalar() {
    let mut random = Random(77);
    let (x, w, b) =
        (random.values(3 * 16 * LANES, Kind::Extreme), random.values(5 * 27, Kind::Ordinary), vec![-1.0; 5]);
    let mut simd = vec![f32::NAN; 5 * 16 * LANES];
    let mut plain = simd.clone();
    nn::conv3x3(&x, &w, &b, (4, 4), Activation::None, &mut simd);
    scalar::nn::conv3x3(&x, &w, &b, (4, 4), Activation::None, &mut plain);
    assert_same(&simd, &plain, "no ReLU");
    assert!(simd.iter().any(|v| *v < 0.0));
}

#[wasm_bindgen_test]
fn outer_products_are_equal_to_scalar() {
    for kind in KINDS {
        for (inputs, outputs, blocks) in
            [(0, 1, 1), (1, 0, 1), (1, 1, 1), (2, 3, 2), (9, 5, 4), (4, 4, 16), (33, 10, 3)]
        {
            let mut random = Random(1 + (inputs * 8 + outputs * 512 + blocks * 4096) as u32);
            let n = blocks * LANES;
            let (g, x) = (random.values(outputs * n, kind), random.values(inputs * n, kind));
            let mut simd = random.values(outputs * inputs, Kind::Ordinary);
            let mut plain = simd.clone();
            nn::outer(&g, &x, n, &mut simd);
            scalar::nn::outer(&g, &x, n, &mut plain);
            assert_same(&simd, &plain, &format!("{kind:?} {inputs}×{outputs}, {n}"));
        }
    }
}

#[wasm_bindgen_test]
fn products_are_equal_to_scalar() {
    for kind in KINDS {
        for (inputs, blocks, tokens, gap) in [
            (1, 1, 1, 0),
            (3, 2, 1, 8),
            (8, 4, 1, 0),
            (5, 9, 1, 0),
            (7, 1, 4, 0),
            (16, 3, 6, 24),
            (64, 5, 9, 0),
            (67, 2, 0, 0),
        ] {
            let mut random = Random(1 + (inputs * 8 + blocks * 512 + tokens * 4096) as u32);
            let stride = inputs * LANES + gap;
            let (x, w) = (random.values(tokens * inputs, kind), random.values(blocks * stride, kind));
            let matrix = Matrix { blocks: &w, stride, inputs };
            let mut simd = vec![f32::NAN; tokens * blocks * LANES];
            let mut plain = simd.clone();
            llama::products(&x, matrix, &mut simd);
            scalar::llama::products(&x, matrix, &mut plain);
            assert_same(&simd, &plain, &format!("{kind:?} {inputs} inputs, {blocks} blocks, {tokens} tokens"));
        }
    }
}

#[wasm_bindgen_test]
fn max_pool_is_equal_to_scalar() {
    for kind in KINDS {
        for plane @ (height, width) in [(2, 2), (2, 6), (4, 2), (4, 4), (8, 8)] {
            for channels in [0, 1, 3, 8] {
                let seed = 1 + (height * 8 + width * 64 + channels * 512) as u32;
                let mut random = Random(seed);
                let x = random.values(channels * height * width * LANES, kind);
                let mut simd = vec![f32::NAN; x.len() / 4];
                let mut plain = simd.clone();
                nn::max_pool2(&x, plane, &mut simd);
                scalar::nn::max_pool2(&x, plane, &mut plain);
                assert_same(&simd, &plain, &format!("{kind:?} {plane:?} ×{channels}, seed {seed}"));
            }
        }
    }
}

#[wasm_bindgen_test]
fn dense_is_equal_to_scalar() {
    for kind in KINDS {
        for activation in [Activation::None, Activation::Relu] {
            for (inputs, outputs) in [(0, 5), (1, 1), (3, 2), (5, 4), (16, 7), (67, 10), (256, 0), (256, 12)] {
                let seed = 1 + (inputs * 8 + outputs * 4096) as u32;
                let mut random = Random(seed);
                let x = random.values(inputs * LANES, kind);
                let w = random.values(outputs * inputs, kind);
                let b = random.values(outputs, kind);
                let mut simd = vec![f32::NAN; outputs * LANES];
                let mut plain = simd.clone();
                nn::dense(&x, &w, &b, activation, &mut simd);
                scalar::nn::dense(&x, &w, &b, activation, &mut plain);
                assert_same(&simd, &plain, &format!("{kind:?} {activation:?} {inputs}→{outputs}, seed {seed}"));
            }
        }
    }
}

#[wasm_bindgen_test]
fn the_sample_reads_its_held_out_images() {
    let accuracy = sample::network().accuracy().unwrap();
    assert_eq!((accuracy.correct, accuracy.total), (358, 360));
}
