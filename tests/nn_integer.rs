//! The integer layers against naive sums over signed numbers, and the network in integers against ONNX Runtime.

mod edges;
mod goldens;

use edges::Random;
use fewerbits::Code;
use fewerbits::kernels::nn::LANES;
use fewerbits::kernels::nn::integer::{
    Int8Weights, MAX_BIAS, MAX_FAN_IN, SignWeights, binarize, box3x3, conv3x3_int8, conv3x3_xnor, dense_int8,
    dense_xnor, max_pool2_sums, requantize, scale_relu,
};
use fewerbits::nn::{Arithmetic, DigitsNet, TENSORS};

const WEIGHTS: &str = "digits.safetensors";
const HELD_OUT: &str = "digits-heldout.safetensors";

/// A layer's numbers, plain: `x[image][channel][pixel]`, weights `[output][channel][tap]`.
struct Plain {
    x: Vec<Vec<Vec<i64>>>,
    w: Vec<Vec<Vec<i64>>>,
    channels: usize,
    /// `None`: a dense layer whose taps are the plane.
    plane: Option<(usize, usize)>,
}

impl Plain {
    fn random(
        random: &mut Random,
        outputs: usize,
        channels: usize,
        taps: usize,
        plane: Option<(usize, usize)>,
        mut draw: impl FnMut(&mut Random, bool) -> i64,
    ) -> Plain {
        let pixels = plane.map_or(taps, |(h, w)| h * w);
        let mut grid = |n: usize, m: usize, is_weight: bool| -> Vec<Vec<i64>> {
            (0..n).map(|_| (0..m).map(|_| draw(random, is_weight)).collect()).collect()
        };
        let x = (0..LANES).map(|_| grid(channels, pixels, false)).collect();
        let w = (0..outputs).map(|_| grid(channels, taps, true)).collect();
        Plain { x, w, channels, plane }
    }

    /// What the layer gives: `[output][position][image]`, by nothing but products and sums; the padding is zeros.
    fn naive(&self, bias: &[i32]) -> Vec<i32> {
        let mut out = Vec::new();
        for (filter, &bias) in self.w.iter().zip(bias) {
            let (height, width) = self.plane.unwrap_or((1, 1));
            for at in 0..height * width {
                for image in &self.x {
                    let mut sum = i64::from(bias);
                    for (values, taps) in image.iter().zip(filter) {
                        for (tap, w) in taps.iter().enumerate() {
                            sum += w * match self.plane {
                                None => values[tap],
                                Some(_) => {
                                    let y = (at / width + tap / 3) as i64 - 1;
                                    let x = (at % width + tap % 3) as i64 - 1;
                                    let inside = (0..height as i64).contains(&y) && (0..width as i64).contains(&x);
                                    if inside { values[y as usize * width + x as usize] } else { 0 }
                                }
                            };
                        }
                    }
                    out.push(i32::try_from(sum).expect("the stated bound holds"));
                }
            }
        }
        out
    }

    fn dims(&self, taps: usize) -> [usize; 3] {
        [self.w.len(), self.channels, taps]
    }

    fn pixels(&self, taps: usize) -> usize {
        self.plane.map_or(taps, |(h, w)| h * w)
    }

    /// `[channels/2][pixels][LANES][2]`.
    fn pairs(&self, pixels: usize) -> Vec<u8> {
        let mut out = vec![0; self.channels.div_ceil(2) * pixels * 2 * LANES];
        for (lane, image) in self.x.iter().enumerate() {
            for (c, values) in image.iter().enumerate() {
                for (p, &v) in values.iter().enumerate() {
                    out[((c / 2 * pixels + p) * LANES + lane) * 2 + c % 2] = u8::try_from(v).unwrap();
                }
            }
        }
        out
    }

    /// `[channels/32][pixels][LANES]`.
    fn words(&self, pixels: usize) -> Vec<u32> {
        let mut out = vec![0; self.channels.div_ceil(32) * pixels * LANES];
        for (lane, image) in self.x.iter().enumerate() {
            for (c, values) in image.iter().enumerate() {
                for (p, &v) in values.iter().enumerate() {
                    out[(c / 32 * pixels + p) * LANES + lane] |= u32::from(v > 0) << (c % 32);
                }
            }
        }
        out
    }

    fn run_int8(&self, taps: usize, bias: &[i32]) -> Vec<i32> {
        let codes: Vec<i8> = self.w.iter().flatten().flatten().map(|&v| i8::try_from(v).unwrap()).collect();
        let weights = Int8Weights::new(&codes, self.dims(taps));
        let input = self.pairs(self.pixels(taps));
        let mut out = vec![-1; self.w.len() * self.plane.map_or(1, |(h, w)| h * w) * LANES];
        match self.plane {
            Some(plane) => conv3x3_int8(&input, &weights, bias, plane, &mut out),
            None => dense_int8(&input, &weights, bias, &mut out),
        }
        out
    }

    fn run_xnor(&self, taps: usize) -> Vec<i32> {
        let signs: Vec<f32> = self.w.iter().flatten().flatten().map(|&v| v as f32 * 0.3).collect();
        let weights = SignWeights::new(&signs, self.dims(taps));
        let input = self.words(self.pixels(taps));
        let mut out = vec![-1; self.w.len() * self.plane.map_or(1, |(h, w)| h * w) * LANES];
        match self.plane {
            Some(plane) => conv3x3_xnor(&input, &weights, plane, &mut out),
            None => dense_xnor(&input, &weights, &mut out),
        }
        out
    }
}

/// Outputs and channels around pairs, tiles and words; planes that are nothing but border, and larger ones.
const COUNTS: [(usize, usize); 10] =
    [(0, 3), (1, 1), (2, 2), (3, 5), (4, 31), (5, 32), (6, 33), (9, 64), (4, 67), (2, 0)];
const PLANES: [(usize, usize); 7] = [(1, 1), (1, 2), (2, 1), (2, 2), (3, 5), (4, 4), (8, 8)];

/// Calls `f(what, random, outputs, channels, taps, plane)`.
fn for_each_layer(mut f: impl FnMut(&str, &mut Random, usize, usize, usize, Option<(usize, usize)>)) {
    let mut seed = 0;
    for (outputs, channels) in COUNTS {
        let convs = PLANES.map(|plane| (9, Some(plane)));
        let denses = [1, 2, 4, 9, 17, 67].map(|taps| (taps, None));
        for (taps, plane) in convs.into_iter().chain(denses) {
            seed += 1;
            let what = format!("{channels}→{outputs}, {taps} taps on {plane:?}, seed {seed}");
            f(&what, &mut Random(seed), outputs, channels, taps, plane);
        }
    }
}

#[test]
fn int8_layers_are_naive_sums() {
    for_each_layer(|what, random, outputs, channels, taps, plane| {
        let draw = |r: &mut Random, is_weight| {
            let bits = i64::from(r.bits() >> 8 & 0xff);
            if is_weight { bits - 128 } else { bits }
        };
        let plain = Plain::random(random, outputs, channels, taps, plane, draw);
        let bias: Vec<i32> = (0..outputs).map(|_| random.bits() as i32 / 2).collect();
        assert_eq!(plain.run_int8(taps, &bias), plain.naive(&bias), "{what}");
    });
}

#[test]
fn int8_layers_are_naive_sums_at_the_extremes() {
    for_each_layer(|what, random, outputs, channels, taps, plane| {
        for (w, x) in [(-128, 255), (127, 255), (-128, 0), (0, 255), (-127, 255)] {
            let plain =
                Plain::random(random, outputs, channels, taps, plane, |_, is_weight| if is_weight { w } else { x });
            for bias in [MAX_BIAS, -MAX_BIAS, 0] {
                let bias = vec![bias; outputs];
                assert_eq!(plain.run_int8(taps, &bias), plain.naive(&bias), "{what}, {w} × {x}");
            }
        }
    });
}

/// The bound that the module states: the largest fan-in, all products extreme, the largest bias.
#[test]
fn the_largest_int8_layer_does_not_overflow() {
    for (w, bias) in [(-128, -MAX_BIAS), (127, MAX_BIAS)] {
        let draw = |_: &mut Random, is_weight| if is_weight { w } else { 255 };
        let plain = Plain::random(&mut Random(1), 1, MAX_FAN_IN / 4, 4, None, draw);
        let sums = plain.run_int8(4, &[bias]);
        assert_eq!(sums, plain.naive(&[bias]));
        assert_eq!(i64::from(sums[0]), i64::from(bias) + w * 255 * MAX_FAN_IN as i64);
    }
}

#[test]
fn xnor_layers_are_naive_sums_of_signs() {
    for_each_layer(|what, random, outputs, channels, taps, plane| {
        let draw = |r: &mut Random, _| if r.bits() >> 16 & 1 == 0 { -1 } else { 1 };
        let plain = Plain::random(random, outputs, channels, taps, plane, draw);
        assert_eq!(plain.run_xnor(taps), plain.naive(&vec![0; outputs]), "{what}");
        for (w, x) in [(1, 1), (1, -1), (-1, -1)] {
            let plain =
                Plain::random(random, outputs, channels, taps, plane, |_, is_weight| if is_weight { w } else { x });
            assert_eq!(plain.run_xnor(taps), plain.naive(&vec![0; outputs]), "{what}, {w} × {x}");
        }
    });
}

/// Every count must leave its byte in time: the largest fan-in, all signs different.
#[test]
fn the_largest_xnor_layer_counts_right() {
    let plain =
        Plain::random(&mut Random(1), 1, MAX_FAN_IN / 4, 4, None, |_, is_weight| if is_weight { 1 } else { -1 });
    assert_eq!(plain.run_xnor(4), vec![-(MAX_FAN_IN as i32); LANES]);
}

#[test]
fn zeros_of_both_signs_count_as_positive() {
    let weights = SignWeights::new(&[0.0, -0.0, 1e-45, -1e-45], [1, 4, 1]);
    let (mut signs, mut magnitudes) = ([0; LANES], [f32::NAN; LANES]);
    let input: Vec<f32> = [2.0, -0.5, 0.5, 0.0].into_iter().flat_map(|v| [v; LANES]).collect();
    binarize(&input, &[2.0, 0.0, 0.5, -0.0], &mut signs, &mut magnitudes);
    assert_eq!(signs, [0b1101; LANES]);
    assert_eq!(magnitudes, [0.125; LANES]);
    let mut dots = [0; LANES];
    dense_xnor(&signs, &weights, &mut dots);
    assert_eq!(dots, [1 - 1 + 1 - 1; LANES]);
}

#[test]
fn requantize_rounds_half_to_even_and_saturates() {
    let cases: [(i32, f32, u8); 15] = [
        (0, 1.0, 0),
        (1, 0.5, 0),
        (3, 0.5, 2),
        (5, 0.5, 2),
        (-1, 1.0, 0),
        (255, 1.0, 255),
        (256, 1.0, 255),
        (509, 0.5, 254),
        (i32::MAX, 1.0, 255),
        (i32::MIN, 1.0, 0),
        (i32::MAX, f32::MAX, 255),
        (i32::MIN, f32::MAX, 0),
        (0, f32::INFINITY, 0),
        (7, f32::NAN, 0),
        (70_000, 1.0, 255),
    ];
    for (sum, multiplier, code) in cases {
        for channels in [1_usize, 2, 3] {
            let mut out = vec![9; channels.div_ceil(2) * 2 * LANES];
            requantize(&vec![sum; channels * LANES], &vec![multiplier; channels], &mut out);
            for (i, &found) in out.iter().enumerate() {
                let channel = i / (2 * LANES) * 2 + i % 2;
                assert_eq!(found, if channel < channels { code } else { 0 }, "{sum} · {multiplier}");
            }
        }
    }
}

#[test]
fn pool_scale_and_box_are_what_they_say() {
    let lanes = |values: &[i32]| values.iter().flat_map(|&v| [v; LANES]).collect::<Vec<i32>>();
    let mut out = vec![0; 2 * LANES];
    max_pool2_sums(&lanes(&[1, i32::MIN, -5, -6, 3, 2, -9, -7]), (2, 4), &mut out);
    assert_eq!(out, lanes(&[3, -5]));

    let ones = vec![1.0; 6 * LANES];
    let mut k = vec![0.0; 6 * LANES];
    box3x3(&ones, (2, 3), &mut k);
    let expected = [4.0, 6.0, 4.0, 4.0, 6.0, 4.0].map(|n: f32| n / 9.0);
    assert_eq!(k, expected.iter().flat_map(|&v| [v; LANES]).collect::<Vec<f32>>());

    let mut y = vec![0.0; 2 * LANES];
    scale_relu(&lanes(&[3, -4]), &[0.5; LANES], &[2.0, 1.0], &[1.0, 1.0], &mut y);
    assert_eq!(y[0], 4.0);
    assert_eq!(y[LANES], 0.0);
}

#[test]
#[should_panic(expected = "a bias is out of range")]
fn a_bias_that_could_overflow_is_refused() {
    let weights = Int8Weights::new(&[1], [1, 1, 1]);
    dense_int8(&[0; 2 * LANES], &weights, &[MAX_BIAS + 1], &mut [0; LANES]);
}

#[test]
#[should_panic(expected = "a fan-in of")]
fn a_fan_in_that_could_overflow_is_refused() {
    let _ = Int8Weights::new(&vec![1; MAX_FAN_IN + 1], [1, MAX_FAN_IN + 1, 1]);
}

fn sample(images: std::ops::Range<usize>) -> DigitsNet {
    let mut net = DigitsNet::new();
    for (name, _) in TENSORS {
        net.set(name, &goldens::sample_f32(WEIGHTS, name)).unwrap();
    }
    let (pixels, labels) = (goldens::sample_tensor(HELD_OUT, "images").2, goldens::sample_tensor(HELD_OUT, "labels").2);
    net.set_held_out(&pixels[images.start * 64..images.end * 64], &labels[images]).unwrap();
    net
}

/// What src/nn/ and the README say. Nothing was trained for these arithmetics.
#[test]
fn the_sample_reads_its_images_in_every_arithmetic() {
    let mut net = sample(0..360);
    let correct = [Arithmetic::Float, Arithmetic::Int8, Arithmetic::Xnor].map(|a| net.accuracy_in(a).unwrap().correct);
    assert_eq!(correct, [358, 358, 254]);
}

fn golden(name: &str) -> serde_json::Value {
    goldens::cases("digits").into_iter().find(|case| case["name"] == name).expect("a case")
}

/// With the ranges that the golden was made with every logit is the same f32: integers have no order of summation.
#[test]
fn int8_logits_are_onnx_runtimes() {
    let golden = golden("int8 arithmetic");
    let [conv2, fc1, fc2] = goldens::f32s(&golden["ranges"])[..] else { panic!("three ranges") };
    let mut net = sample(0..360);
    let own = net.ranges().unwrap();
    assert!(own.iter().zip([conv2, fc1, fc2]).all(|(a, b)| (a - b).abs() <= 1e-5 * b), "ranges {own:?}");
    net.set_ranges(Some([conv2, fc1, fc2]));
    assert_eq!(net.logits_in(Arithmetic::Int8).unwrap(), goldens::f32s(&golden["logits"]));
    assert_eq!(net.accuracy_in(Arithmetic::Int8).unwrap().correct as u64, golden["correct"].as_u64().unwrap());
}

#[test]
fn xnor_logits_are_numpys() {
    let golden = golden("xnor arithmetic");
    let mut net = sample(0..360);
    let (ours, theirs) = (net.logits_in(Arithmetic::Xnor).unwrap(), goldens::f32s(&golden["logits"]));
    // An activation so near its channel's mean that f32 and f64 disagree about its sign may turn a few logits.
    let far = ours.iter().zip(&theirs).filter(|(a, b)| (*a - *b).abs() > 1e-2).count();
    assert!(far <= ours.len() / 100, "{far} of {} logits differ", ours.len());
    assert_eq!(net.accuracy_in(Arithmetic::Xnor).unwrap().correct as u64, golden["correct"].as_u64().unwrap());
}

/// int8's ranges come from 60 images here, and the other 300 are read: measuring them on the read images themselves tells nothing.
#[test]
fn ranges_of_other_images_serve_as_well() {
    let ranges = sample(0..60).ranges().unwrap();
    let mut net = sample(60..360);
    let own = net.accuracy_in(Arithmetic::Int8).unwrap().correct;
    net.set_ranges(Some(ranges));
    let others = net.accuracy_in(Arithmetic::Int8).unwrap().correct;
    assert!(own.abs_diff(others) <= 1, "{own} with ranges of its own, {others} with those of others");
    net.set_ranges(None);
    assert_eq!(net.accuracy_in(Arithmetic::Int8).unwrap().correct, own);
}

/// Blank images that fill up a block take no part in ranges and normalization.
#[test]
fn a_part_of_the_images_is_read_alone() {
    for n in [1, 7, 9] {
        let mut net = sample(0..n);
        for arithmetic in [Arithmetic::Int8, Arithmetic::Xnor] {
            let logits = net.logits_in(arithmetic).unwrap();
            assert_eq!(logits.len(), n * 10);
            assert!(logits.iter().all(|v| v.is_finite()), "{arithmetic:?} of {n} images");
        }
    }
}

#[test]
fn a_change_of_any_tensor_reaches_every_arithmetic() {
    for arithmetic in [Arithmetic::Int8, Arithmetic::Xnor] {
        let mut net = sample(0..20);
        let original = net.logits_in(arithmetic).unwrap();
        for (name, _) in TENSORS {
            let values = goldens::sample_f32(WEIGHTS, name);
            let changed: Vec<f32> = values.iter().map(|v| -v * 0.7 + 0.05).collect();
            net.set(name, &changed).unwrap();
            assert_ne!(net.logits_in(arithmetic).unwrap(), original, "{arithmetic:?} {name}");
            net.set(name, &values).unwrap();
            assert_eq!(net.logits_in(arithmetic).unwrap(), original, "{arithmetic:?} {name} set back");
        }
    }
}

#[test]
fn odd_weights_are_refused_or_read_without_panic() {
    for arithmetic in [Arithmetic::Int8, Arithmetic::Xnor] {
        for (name, shape) in TENSORS {
            let count = shape.iter().product();
            for value in [0.0, -0.0, 1e-45, f32::MIN_POSITIVE, f32::MAX, f32::MIN, 1e30] {
                let mut net = sample(0..9);
                net.set(name, &vec![value; count]).unwrap();
                match net.accuracy_in(arithmetic) {
                    Ok(accuracy) => assert_eq!(accuracy.total, 9),
                    Err(error) => assert_eq!(error.code, Code::NonFinite, "{name} of {value}"),
                }
            }
            for value in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY] {
                let mut net = sample(0..9);
                net.set(name, &vec![value; count]).unwrap();
                let error = net.accuracy_in(arithmetic).unwrap_err();
                assert_eq!((error.code, error.tensor.as_deref()), (Code::NonFinite, Some(name)));
            }
        }
    }
}

#[test]
fn an_unknown_arithmetic_is_refused_with_the_known_ones() {
    let error = Arithmetic::named("int4").unwrap_err();
    assert_eq!(error.code, Code::InvalidOption);
    assert_eq!(error.expected.as_deref(), Some("float, int8, xnor"));
}
