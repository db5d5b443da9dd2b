//! The integer layers in SIMD128 against naive sums and, for numbers, against arithmetic written out; the network in wasm.

use crate::edges::Random;
use crate::sample;
use fewerbits::kernels::nn::LANES;
use fewerbits::kernels::nn::integer::{
    Int8Weights, MAX_BIAS, MAX_FAN_IN, SignWeights, conv3x3_int8, conv3x3_xnor, dense_int8, dense_xnor, requantize,
};
use fewerbits::nn::Arithmetic;
use wasm_bindgen_test::wasm_bindgen_test;

/// What a layer gives, `[outputs][positions][LANES]`: `x(image, channel, pixel)`, `w(output, channel, tap)`; no plane is a dense layer.
fn naive(
    [outputs, channels, taps]: [usize; 3],
    plane: Option<(usize, usize)>,
    bias: &[i32],
    x: impl Fn(usize, usize, usize) -> i64,
    w: impl Fn(usize, usize, usize) -> i64,
) -> Vec<i32> {
    let (height, width) = plane.unwrap_or((1, 1));
    let mut out = Vec::new();
    #[allow(clippy::needless_range_loop, reason = "the index is a channel of several arrays")]
    for o in 0..outputs {
        for at in 0..height * width {
            for image in 0..LANES {
                let mut sum = i64::from(bias[o]);
                for c in 0..channels {
                    for tap in 0..taps {
                        let (near_y, near_x) = (at / width + tap / 3, at % width + tap % 3);
                        let is_inside = (1..=height).contains(&near_y) && (1..=width).contains(&near_x);
                        sum += match plane {
                            None => x(image, c, tap) * w(o, c, tap),
                            Some(_) if is_inside => x(image, c, (near_y - 1) * width + near_x - 1) * w(o, c, tap),
                            Some(_) => 0,
                        };
                    }
                }
                out.push(i32::try_from(sum).expect("the stated bound holds"));
            }
        }
    }
    out
}

fn for_each_layer(mut f: impl FnMut([usize; 3], Option<(usize, usize)>, usize, &mut Random, &str)) {
    let counts = [(0, 3), (1, 1), (2, 2), (3, 5), (4, 31), (5, 32), (6, 33), (9, 64), (2, 0)];
    let planes = [(1, 1), (1, 2), (2, 1), (2, 2), (3, 5), (4, 4), (8, 8)];
    let mut seed = 0;
    for (outputs, channels) in counts {
        let convs = planes.map(|plane| (9, Some(plane)));
        for (taps, plane) in convs.into_iter().chain([1, 2, 4, 9, 17, 67].map(|taps| (taps, None))) {
            seed += 1;
            let pixels = plane.map_or(taps, |(h, w)| h * w);
            let what = format!("{channels}→{outputs}, {taps} taps on {plane:?}, seed {seed}");
            f([outputs, channels, taps], plane, pixels, &mut Random(seed), &what);
        }
    }
}

fn check_int8(
    dims @ [outputs, channels, taps]: [usize; 3],
    plane: Option<(usize, usize)>,
    pixels: usize,
    (input, codes, bias): (&[u8], &[i8], &[i32]),
    what: &str,
) {
    let expected = naive(
        dims,
        plane,
        bias,
        |image, c, p| i64::from(input[((c / 2 * pixels + p) * LANES + image) * 2 + c % 2]),
        |o, c, tap| i64::from(codes[(o * channels + c) * taps + tap]),
    );
    let weights = Int8Weights::new(codes, dims);
    let mut out = vec![-1; expected.len()];
    match plane {
        Some(plane) => conv3x3_int8(input, &weights, bias, plane, &mut out),
        None => dense_int8(input, &weights, bias, &mut out),
    }
    assert_eq!(out.len(), outputs * plane.map_or(1, |(h, w)| h * w) * LANES);
    assert_eq!(out, expected, "{what}");
}

#[wasm_bindgen_test]
fn int8_is_equal_to_naive_sums() {
    for_each_layer(|dims @ [outputs, channels, taps], plane, pixels, random, what| {
        let units = channels.div_ceil(2) * pixels * 2 * LANES;
        // What fills up the last pair meets weights of zero: it may be anything.
        let input: Vec<u8> = (0..units).map(|_| (random.bits() >> 8) as u8).collect();
        let codes: Vec<i8> = (0..outputs * channels * taps).map(|_| (random.bits() >> 8) as i8).collect();
        let bias: Vec<i32> = (0..outputs).map(|_| random.bits() as i32 / 2).collect();
        check_int8(dims, plane, pixels, (&input, &codes, &bias), what);
        for (w, x, b) in [(-128, 255, -MAX_BIAS), (127, 255, MAX_BIAS), (-128, 0, 0)] {
            let (input, codes) = (vec![x; input.len()], vec![w; codes.len()]);
            check_int8(dims, plane, pixels, (&input, &codes, &vec![b; outputs]), what);
        }
    });
    for (w, b) in [(-128, -MAX_BIAS), (127, MAX_BIAS)] {
        let dims = [1, MAX_FAN_IN / 4, 4];
        let input = vec![255; MAX_FAN_IN * LANES];
        check_int8(dims, None, 4, (&input, &vec![w; MAX_FAN_IN], &[b]), "the largest layer");
    }
}

fn check_xnor(
    dims @ [outputs, channels, taps]: [usize; 3],
    plane: Option<(usize, usize)>,
    pixels: usize,
    input: &[u32],
    signs: &[f32],
    what: &str,
) {
    let expected = naive(
        dims,
        plane,
        &vec![0; outputs],
        |image, c, p| if input[(c / 32 * pixels + p) * LANES + image] >> (c % 32) & 1 == 1 { 1 } else { -1 },
        |o, c, tap| signs[(o * channels + c) * taps + tap] as i64,
    );
    let weights = SignWeights::new(signs, dims);
    let mut out = vec![-1; expected.len()];
    match plane {
        Some(plane) => conv3x3_xnor(input, &weights, plane, &mut out),
        None => dense_xnor(input, &weights, &mut out),
    }
    assert_eq!(out, expected, "{what}");
}

#[wasm_bindgen_test]
fn xnor_is_equal_to_naive_sums_of_signs() {
    for_each_layer(|dims @ [outputs, channels, taps], plane, pixels, random, what| {
        let used = |group: usize| match channels - group * 32 {
            32.. => u32::MAX,
            rest => (1 << rest) - 1,
        };
        let words = channels.div_ceil(32) * pixels * LANES;
        let input: Vec<u32> =
            (0..words).map(|i| (random.bits() ^ random.bits() << 11) & used(i / (pixels * LANES))).collect();
        let count = outputs * channels * taps;
        let signs: Vec<f32> = (0..count).map(|_| if random.bits() >> 16 & 1 == 0 { -1.0 } else { 1.0 }).collect();
        check_xnor(dims, plane, pixels, &input, &signs, what);
        check_xnor(dims, plane, pixels, &vec![0; words], &vec![1.0; count], what);
        check_xnor(dims, plane, pixels, &vec![0; words], &vec![-1.0; count], what);
    });
    let (input, signs) = (vec![0; MAX_FAN_IN / 32 * LANES], vec![1.0; MAX_FAN_IN]);
    check_xnor([1, MAX_FAN_IN / 4, 4], None, 4, &input, &signs, "the largest layer");
}

#[wasm_bindgen_test]
fn requantize_is_equal_to_its_formula() {
    let mut random = Random(77);
    let extremes = [i32::MIN, i32::MIN + 1, -1, 0, 1, 3, 5, 127, 128, 255, 256, 16_777_217, i32::MAX];
    let multipliers =
        [0.0, 0.5, 1.0, 1e-7, 3e-5, 1.5, 255.0, f32::MAX, f32::INFINITY, f32::NAN, 1e-45, -1.0, f32::MIN_POSITIVE];
    for channels in [0, 1, 2, 3, 4, 7, 13] {
        for positions in [1, 2, 5, 16] {
            let sums: Vec<i32> = (0..channels * positions * LANES)
                .map(|i| if i % 3 == 0 { extremes[i / 3 % extremes.len()] } else { random.bits() as i32 >> (i % 25) })
                .collect();
            let multipliers = &multipliers[..channels];
            let mut out = vec![9; channels.div_ceil(2) * positions * 2 * LANES];
            requantize(&sums, multipliers, &mut out);
            for (i, &found) in out.iter().enumerate() {
                let plane = positions * LANES;
                let (c, at) = (i / (2 * plane) * 2 + i % 2, i / 2 % plane);
                let code = multipliers.get(c).map_or(0.0, |m| (sums[c * plane + at] as f32 * m).round_ties_even());
                assert_eq!(found, code as u8, "{channels} channels, {positions} positions, value {i}");
            }
        }
    }
}

#[wasm_bindgen_test]
fn the_sample_reads_its_images_in_every_arithmetic() {
    let mut net = sample::network();
    let correct = [Arithmetic::Float, Arithmetic::Int8, Arithmetic::Xnor].map(|a| net.accuracy_in(a).unwrap().correct);
    assert_eq!(correct, [358, 358, 254]);
}
