//! Training of the digits network: its gradients against central differences, and what it is for.
#![cfg(feature = "full")]

mod goldens;

use fewerbits::Code;
use fewerbits::nn::train::{Plan, Score, Trainer, fit};
use fewerbits::nn::{Random, TENSORS};

const WEIGHTS: &str = "digits.safetensors";
const PLAN: Plan = Plan { steps: 90, rate: 1e-3, seed: 1, shift: true, distil: None };

fn images(file: &str) -> (Vec<u8>, Vec<u8>) {
    (goldens::sample_tensor(file, "images").2, goldens::sample_tensor(file, "labels").2)
}

fn held_out() -> (Vec<u8>, Vec<u8>) {
    images("digits-heldout.safetensors")
}

fn training() -> (Vec<u8>, Vec<u8>) {
    images("digits-training.safetensors")
}

/// A trainer that starts from the shipped weights.
fn sample(plan: Plan) -> Trainer {
    let (images, labels) = training();
    let mut trainer = Trainer::new(&images, &labels, plan).unwrap();
    for (name, _) in TENSORS {
        trainer.set(name, &goldens::sample_f32(WEIGHTS, name)).unwrap();
    }
    trainer
}

fn matrices() -> impl Iterator<Item = &'static str> {
    TENSORS.iter().map(|(name, _)| *name).filter(|name| name.ends_with("weight"))
}

fn held_out_score(trainer: &Trainer) -> Score {
    let (images, labels) = held_out();
    trainer.score(&images, &labels).unwrap()
}

/// The network's mean loss in f64, one loop after another.
fn loss(weights: &[Vec<f64>], images: &[u8], labels: &[u8]) -> f64 {
    let conv_pool = |x: &[f64], side: usize, w: &[f64], b: &[f64]| -> Vec<f64> {
        let channels = x.len() / side / side;
        let half = side / 2;
        let mut out = vec![0.0; b.len() * half * half];
        for o in 0..b.len() {
            for i in 0..half * half {
                let mut most = 0.0_f64; // ReLU: never below 0
                for corner in 0..4 {
                    let (y, x0) = (i / half * 2 + corner / 2, i % half * 2 + corner % 2);
                    let mut sum = b[o];
                    for c in 0..channels {
                        for (ky, kx) in (0..9).map(|k| (k / 3, k % 3)) {
                            if (1..=side).contains(&(y + ky)) && (1..=side).contains(&(x0 + kx)) {
                                let pixel = x[(c * side + y + ky - 1) * side + x0 + kx - 1];
                                sum += pixel * w[(o * channels + c) * 9 + ky * 3 + kx];
                            }
                        }
                    }
                    most = most.max(sum);
                }
                out[o * half * half + i] = most;
            }
        }
        out
    };
    let dense = |x: &[f64], w: &[f64], b: &[f64]| -> Vec<f64> {
        let row = |o: usize| b[o] + w[o * x.len()..][..x.len()].iter().zip(x).map(|(w, x)| w * x).sum::<f64>();
        (0..b.len()).map(row).collect()
    };
    let mut total = 0.0;
    for (image, &label) in images.chunks(64).zip(labels) {
        let x: Vec<f64> = image.iter().map(|&p| f64::from(p) / 16.0).collect();
        let x = conv_pool(&x, 8, &weights[0], &weights[1]);
        let x = conv_pool(&x, 4, &weights[2], &weights[3]);
        let x: Vec<f64> = dense(&x, &weights[4], &weights[5]).into_iter().map(|v| v.max(0.0)).collect();
        let logits = dense(&x, &weights[6], &weights[7]);
        let sum: f64 = logits.iter().map(|v| v.exp()).sum();
        total += sum.ln() - logits[usize::from(label)];
    }
    total / labels.len() as f64
}

#[test]
fn gradients_are_central_differences() {
    // Weights as training begins with, since the trained network's loss on its own images is nearly flat; but no zero biases and no blank paper,
    // where ReLU and the pools have their kinks.
    let mut random = Random::new(7);
    let n = 11; // not whole blocks
    let images: Vec<u8> = (0..n * 64).map(|_| random.below(17) as u8).collect();
    let labels: Vec<u8> = (0..n).map(|_| random.below(10) as u8).collect();
    let (images, labels) = (&images[..], &labels[..]);
    let mut trainer = Trainer::new(images, labels, PLAN).unwrap();
    for (name, shape) in TENSORS.iter().filter(|(name, _)| name.ends_with("bias")) {
        trainer.set(name, &(0..shape[0]).map(|_| random.normal() as f32 * 0.1).collect::<Vec<_>>()).unwrap();
    }
    let weights: Vec<Vec<f64>> =
        TENSORS.iter().map(|(name, _)| trainer.weights(name).unwrap().iter().map(|&w| w.into()).collect()).collect();
    let (score, gradients) = trainer.gradients();
    assert!((score.loss - loss(&weights, images, labels)).abs() < 1e-5);

    for (t, (name, _)) in TENSORS.iter().enumerate() {
        let largest = gradients[t].iter().fold(0.0_f32, |m, g| m.max(g.abs()));
        assert!(largest > 1e-4, "{name} has a gradient");
        for _ in 0..24 {
            let i = random.below(weights[t].len());
            let at = |delta: f64| {
                let mut moved = weights.clone();
                moved[t][i] += delta;
                loss(&moved, images, labels)
            };
            let (step, found) = (1e-5, f64::from(gradients[t][i]));
            let expected = (at(step) - at(-step)) / (2.0 * step);
            let tolerance = 1e-4 * f64::from(largest);
            assert!((found - expected).abs() <= tolerance, "{name}[{i}]: {found}, by differences {expected}");
        }
    }
}

#[test]
fn the_shipped_network_scores_as_it_is_known_to() {
    let score = held_out_score(&sample(PLAN));
    assert_eq!((score.correct, score.total), (358, 360));
    assert!(score.loss < 0.1, "{score:?}");
}

#[test]
fn a_network_learns_from_nothing() {
    let (images, labels) = training();
    let mut trainer = Trainer::new(&images, &labels, Plan { steps: 180, rate: 2e-3, ..PLAN }).unwrap();
    assert!(held_out_score(&trainer).correct < 120);
    let first = trainer.run(20);
    trainer.run(130);
    let last = trainer.run(1000);
    assert_eq!((last.step, last.of), (180, 180));
    assert!(last.loss < first.loss / 4.0, "{first:?}, {last:?}");
    let score = held_out_score(&trainer);
    assert!(score.correct >= 335, "{score:?}");
    assert_eq!(trainer.run(10).step, 180, "nothing after the plan's end");
}

#[test]
fn the_same_seed_gives_the_same_network_and_another_another() {
    let run = |seed| {
        let mut trainer = sample(Plan { steps: 8, seed, ..PLAN });
        trainer.run(8);
        trainer.weights("fc1.weight").unwrap()
    };
    assert_eq!(run(1), run(1));
    assert_ne!(run(1), run(2));
}

/// Held-out loss and right images, the mean of three seeds.
fn learned(bits: u32, distil: Option<(f32, f32)>) -> (f64, f64) {
    let scores = [1, 2, 3].map(|seed| {
        let mut trainer = sample(Plan { seed, distil, ..PLAN });
        trainer.teach();
        matrices().for_each(|name| trainer.round(name, bits).unwrap());
        trainer.run(PLAN.steps);
        held_out_score(&trainer)
    });
    (scores.iter().map(|s| s.loss).sum::<f64>() / 3.0, scores.iter().map(|s| s.correct as f64).sum::<f64>() / 3.0)
}

/// The promise of the lesson's chapter 13. Rounding after training has the same grid and scales that are fitted to it.
#[test]
fn at_two_bits_learning_beats_rounding_after_training() {
    let mut after = sample(PLAN);
    matrices().for_each(|name| after.round(name, 2).unwrap());
    let after = held_out_score(&after);
    for distil in [None, Some((0.7, 3.0))] {
        let (loss, correct) = learned(2, distil);
        println!("rounded after training {after:?}; learned {loss} {correct}, distilled: {distil:?}");
        assert!(loss < 0.8 * after.loss && correct > after.correct as f64, "{loss}, {correct} against {after:?}");
    }
}

#[test]
fn rounded_weights_stand_on_their_codes() {
    let mut trainer = sample(Plan { steps: 4, ..PLAN });
    matrices().for_each(|name| trainer.round(name, 3).unwrap());
    trainer.run(4);
    for (name, shape) in TENSORS.iter().filter(|(name, _)| name.ends_with("weight")) {
        let weights = trainer.weights(name).unwrap();
        for row in weights.chunks(weights.len() / shape[0]) {
            let mut levels: Vec<u32> = row.iter().map(|w| w.abs().to_bits()).collect();
            levels.sort_unstable();
            levels.dedup();
            assert!(levels.len() <= 4, "{name}: 0 and three magnitudes at most");
        }
    }
}

/// Deep Compression's stages: pruned weights stay zero through retraining; shared ones stay shared through fine-tuning, and both mend what they broke.
#[test]
fn pruned_weights_stay_zero_and_shared_weights_stay_shared() {
    let mut trainer = sample(PLAN);
    matrices().for_each(|name| trainer.prune(name, 0.75).unwrap());
    let pruned = held_out_score(&trainer);
    trainer.run(PLAN.steps);
    let retrained = held_out_score(&trainer);
    println!("pruned {pruned:?}, retrained {retrained:?}");
    assert!(retrained.loss < pruned.loss && retrained.correct > pruned.correct);

    let values: Vec<(&str, Vec<f32>)> =
        TENSORS.iter().map(|(name, _)| (*name, trainer.weights(name).unwrap())).collect();
    let (images, labels) = training();
    let mut trainer = Trainer::new(&images, &labels, Plan { rate: 3e-4, ..PLAN }).unwrap();
    values.iter().for_each(|(name, values)| trainer.set(name, values).unwrap());
    matrices().for_each(|name| trainer.share(name, 3).unwrap());
    let shared = held_out_score(&trainer);
    trainer.run(PLAN.steps);
    let tuned = held_out_score(&trainer);
    println!("shared {shared:?}, fine-tuned {tuned:?}");
    assert!(tuned.loss < shared.loss);
    for (name, before) in values.iter().filter(|(name, _)| name.ends_with("weight")) {
        let after = trainer.weights(name).unwrap();
        assert!(before.iter().zip(&after).all(|(b, a)| *b != 0.0 || *a == 0.0), "{name}: zero stays zero");
        let zeros = after.iter().filter(|v| **v == 0.0).count();
        assert!(zeros >= after.len() * 3 / 4 - 1, "{name}: {zeros} of {}", after.len());
        let mut levels: Vec<u32> = after.iter().map(|w| w.to_bits()).collect();
        levels.sort_unstable();
        levels.dedup();
        assert!(levels.len() <= 9, "{name}: {} values", levels.len());
    }
}

#[test]
fn a_fitted_scale_is_no_worse_than_any_on_a_fine_grid_by_more_than_a_little() {
    let mut random = Random::new(3);
    for bits in 2..=4 {
        let row: Vec<f32> = (0..64).map(|_| random.normal() as f32).collect();
        let most = ((1 << (bits - 1)) - 1) as f32;
        let error = |s: f32| -> f32 {
            row.iter().map(|w| (w - (w / s).round_ties_even().clamp(-most, most) * s).powi(2)).sum()
        };
        let best = (1..=400).map(|i| error(i as f32 * 0.01)).fold(f32::INFINITY, f32::min);
        assert!(error(fit(&row, bits)) <= 1.05 * best, "{bits} bits: {} against {best}", error(fit(&row, bits)));
    }
    assert_eq!(fit(&[0.0; 4], 2), 0.0);
}

#[test]
fn what_cannot_be_learned_is_refused() {
    let (images, labels) = training();
    let with = |plan| Trainer::new(&images, &labels, plan).unwrap_err().code;
    assert_eq!(with(Plan { steps: 0, ..PLAN }), Code::InvalidArgument);
    assert_eq!(with(Plan { rate: f32::NAN, ..PLAN }), Code::InvalidArgument);
    assert_eq!(with(Plan { distil: Some((2.0, 1.0)), ..PLAN }), Code::InvalidArgument);
    assert_eq!(Trainer::new(&images[1..], &labels, PLAN).unwrap_err().code, Code::ShapeMismatch);
    assert_eq!(Trainer::new(&[], &[], PLAN).unwrap_err().code, Code::ShapeMismatch);
    assert_eq!(Trainer::new(&[17; 64], &[0], PLAN).unwrap_err().code, Code::InvalidArgument);
    assert_eq!(Trainer::new(&[0; 64], &[10], PLAN).unwrap_err().code, Code::InvalidArgument);
    let mut trainer = sample(PLAN);
    assert_eq!(trainer.set("fc3.weight", &[]).unwrap_err().code, Code::UnknownTensor);
    assert_eq!(trainer.set("fc2.bias", &[0.0; 9]).unwrap_err().code, Code::ShapeMismatch);
    assert_eq!(trainer.set("fc2.bias", &[f32::NAN; 10]).unwrap_err().code, Code::NonFinite);
    assert_eq!(trainer.round("fc1.weight", 1).unwrap_err().code, Code::InvalidArgument);
    assert_eq!(trainer.prune("fc1.weight", 1.5).unwrap_err().code, Code::InvalidArgument);
    assert_eq!(trainer.share("fc1.weight", 9).unwrap_err().code, Code::InvalidArgument);
}
