//! The sample network against numpy, and its edges.

mod goldens;

use fewerbits::Code;
use fewerbits::nn::{DigitsNet, TENSORS};

const WEIGHTS: &str = "digits.safetensors";
const HELD_OUT: &str = "digits-heldout.safetensors";

fn held_out() -> (Vec<u8>, Vec<u8>) {
    (goldens::sample_tensor(HELD_OUT, "images").2, goldens::sample_tensor(HELD_OUT, "labels").2)
}

/// The shipped network with its held-out images.
fn sample() -> DigitsNet {
    let mut net = DigitsNet::new();
    for (name, shape) in TENSORS {
        assert_eq!(goldens::sample_tensor(WEIGHTS, name).1, shape, "{name}");
        net.set(name, &goldens::sample_f32(WEIGHTS, name)).unwrap();
    }
    let (images, labels) = held_out();
    net.set_held_out(&images, &labels).unwrap();
    net
}

/// The shipped network with a few images: for tests where more would show no more.
fn small_sample() -> DigitsNet {
    let mut net = sample();
    let (images, labels) = held_out();
    net.set_held_out(&images[..20 * 64], &labels[..20]).unwrap();
    net
}

fn argmax(row: &[f32]) -> i64 {
    (0..row.len()).reduce(|best, i| if row[i] > row[best] { i } else { best }).unwrap() as i64
}

#[test]
fn logits_are_numpys() {
    let golden = &goldens::cases("digits")[0];
    assert_eq!(golden["name"], "float");
    let expected = goldens::f32s(&golden["logits"]);
    let mut net = sample();
    let logits = net.logits().unwrap();
    assert_eq!(logits.len(), expected.len());
    let worst = logits.iter().zip(&expected).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
    assert!(worst <= 1e-4, "logits differ by up to {worst}");
    assert_eq!(logits.chunks(10).map(argmax).collect::<Vec<_>>(), goldens::ints(&golden["predicted"]));
    let accuracy = net.accuracy().unwrap();
    assert_eq!((accuracy.correct as u64, accuracy.total), (golden["correct"].as_u64().unwrap(), 360));
    assert!(accuracy.ratio() >= 0.97);
}

/// int8, int4, … as the affine scheme has them, written out here: the network is under test, not the scheme.
#[test]
fn accuracy_with_rounded_weights_is_numpys() {
    for golden in &goldens::cases("digits")[1..] {
        let name = golden["name"].as_str().unwrap();
        if name.ends_with("arithmetic") {
            continue; // tests/nn_integer.rs
        }
        let bits: u32 = name[3..].parse().unwrap();
        let highest = ((1 << (bits - 1)) - 1) as f32;
        let mut net = sample();
        for (tensor, _) in TENSORS.iter().filter(|(name, _)| name.ends_with("weight")) {
            let values = goldens::sample_f32(WEIGHTS, tensor);
            let scale = values.iter().fold(0.0, |m: f32, v| m.max(v.abs())) / highest;
            let rounded: Vec<f32> = values.iter().map(|v| (v / scale).round_ties_even() * scale).collect();
            net.set(tensor, &rounded).unwrap();
        }
        assert_eq!(net.accuracy().unwrap().correct as u64, golden["correct"].as_u64().unwrap(), "{name}");
    }
}

#[test]
fn a_change_of_any_tensor_reaches_the_logits_as_if_computed_afresh() {
    let mut net = small_sample();
    let original = net.logits().unwrap();
    for (name, _) in TENSORS {
        let values = goldens::sample_f32(WEIGHTS, name);
        let changed: Vec<f32> = values.iter().map(|v| v * 0.9 + 0.01).collect();
        net.set(name, &changed).unwrap();
        let after = net.logits().unwrap();
        assert_ne!(after, original, "{name}");

        let mut fresh = small_sample();
        fresh.set(name, &changed).unwrap();
        assert_eq!(after, fresh.logits().unwrap(), "{name}");

        net.set(name, &values).unwrap();
        assert_eq!(net.logits().unwrap(), original, "{name} set back");
    }
}

/// Any number of images, also such as do not fill the last block; each is read as it is among all.
#[test]
fn a_part_of_the_images_gives_the_same_logits() {
    let (images, labels) = held_out();
    let mut net = sample();
    let all = net.logits().unwrap();
    for n in [1, 2, 3, 7, 8, 9, 15, 16, 17, 67, 359] {
        net.set_held_out(&images[..n * 64], &labels[..n]).unwrap();
        assert_eq!(net.logits().unwrap(), all[..n * 10], "{n} images");
        assert_eq!(net.accuracy().unwrap().total, n);
    }
    net.set_held_out(&images, &labels).unwrap();
    assert_eq!(net.logits().unwrap(), all, "all again");
}

#[test]
fn an_unknown_tensor_is_refused_with_the_known_ones() {
    let error = DigitsNet::new().set("conv3.weight", &[]).unwrap_err();
    assert_eq!(error.code, Code::UnknownTensor);
    assert_eq!(error.tensor.as_deref(), Some("conv3.weight"));
    assert!(error.expected.as_deref().unwrap().contains("fc2.bias"));
}

#[test]
fn a_wrong_length_is_refused_and_changes_nothing() {
    let mut net = sample();
    let before = net.logits().unwrap();
    for values in [vec![], vec![0.0; 9], vec![0.0; 11]] {
        let error = net.set("fc2.bias", &values).unwrap_err();
        assert_eq!(error.code, Code::ShapeMismatch);
        assert_eq!(error.expected.as_deref(), Some("10 values [10]"));
        assert_eq!(error.found, Some(format!("{} values", values.len())));
    }
    assert_eq!(net.logits().unwrap(), before);
}

#[test]
fn missing_tensors_and_images_are_named() {
    let mut net = DigitsNet::new();
    let error = net.accuracy().unwrap_err();
    assert_eq!(error.code, Code::InvalidArgument);
    assert!(error.to_string().contains("conv1.weight, conv1.bias, conv2.weight"), "{error}");
    for (name, shape) in TENSORS {
        net.set(name, &vec![0.0; shape.iter().product()]).unwrap();
    }
    let error = net.logits().unwrap_err();
    assert_eq!(error.code, Code::InvalidArgument);
    assert!(error.to_string().contains("held-out images"), "{error}");
}

#[test]
fn held_out_images_are_checked_and_a_refusal_keeps_the_old_ones() {
    let mut net = sample();
    let before = net.accuracy().unwrap();
    let refused = [
        (vec![0; 63], vec![0; 1], Code::ShapeMismatch),
        (vec![0; 64], vec![0; 2], Code::ShapeMismatch),
        (vec![], vec![], Code::InvalidArgument),
        (vec![17; 64], vec![0; 1], Code::InvalidArgument),
        (vec![0; 64], vec![10; 1], Code::InvalidArgument),
    ];
    for (images, labels, code) in refused {
        assert_eq!(net.set_held_out(&images, &labels).unwrap_err().code, code);
        assert_eq!(net.accuracy().unwrap(), before);
    }
}

#[test]
fn nan_weights_make_every_answer_wrong() {
    for (name, _) in TENSORS {
        let mut net = small_sample();
        let mut values = goldens::sample_f32(WEIGHTS, name);
        values.fill(f32::NAN);
        net.set(name, &values).unwrap();
        assert_eq!(net.accuracy().unwrap().correct, 0, "{name}");
    }
}

/// One NaN among the weights is not lost in ReLU or in the pool: it reaches the logits of the images that meet it.
#[test]
fn one_nan_weight_reaches_the_logits() {
    for (name, _) in TENSORS {
        let mut net = small_sample();
        let mut values = goldens::sample_f32(WEIGHTS, name);
        values[4] = f32::NAN; // of a 3×3 kernel: the middle, which never falls on the padding
        net.set(name, &values).unwrap();
        assert_eq!(net.accuracy().unwrap().correct, 0, "{name}");
        assert!(net.logits().unwrap().chunks(10).all(|row| row.iter().any(|v| v.is_nan())), "{name}");
    }
}

#[test]
fn huge_and_infinite_weights_do_not_panic() {
    for value in [f32::INFINITY, f32::NEG_INFINITY, f32::MAX, f32::MIN, f32::MIN_POSITIVE / 2.0, -0.0] {
        for (name, shape) in TENSORS {
            let mut net = small_sample();
            net.set(name, &vec![value; shape.iter().product()]).unwrap();
            assert!(net.accuracy().unwrap().total == 20);
        }
    }
}

/// All logits equal: the first digit is the answer, so as many are right as there are zeros.
#[test]
fn a_tie_is_read_as_the_first_digit() {
    let mut net = sample();
    net.set("fc2.weight", &[0.0; 1280]).unwrap();
    net.set("fc2.bias", &[1.0; 10]).unwrap();
    let zeros = held_out().1.iter().filter(|&&label| label == 0).count();
    assert_eq!(net.accuracy().unwrap().correct, zeros);
}
