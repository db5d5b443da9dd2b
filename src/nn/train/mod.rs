//! Training of the digits network: its backward pass, Adam, and the ways in which weights are kept small while they learn.
//!
//! - **Straight-through rounding** (Bengio 2013; Jacob 2018): the forward pass uses weights rounded to `bits`, gradients go to the float weights
//!   behind them as if nothing had been rounded. Codes are symmetric and narrow, one scale for each output channel, refitted at every step by
//!   least squares ([`form::fit`]).
//! - **Distillation** (Hinton 2015): beside the labels, the softened output of the float network is what is learned from.
//! - **Masked retraining** and **centroid fine-tuning** (Deep Compression, Han 2016): pruned weights stay zero; weights that share a value have
//!   their gradients summed and move together.
//!
//! The loss is the mean cross entropy over a batch. Seeds decide order, shifts and initial weights: the same seed gives the same network on the
//! same machine, and SIMD gives what scalar gives, bit for bit.

mod form;
mod gradient;

pub use form::fit;

use crate::error::{Code, Error, Result};
use crate::kernels::nn::LANES;
use crate::nn::digits::{CLASSES, INK, LAYERS, PIXELS, TENSORS, at};
use crate::nn::random::Random;
use form::Form;
use gradient::{Pass, Targets};

/// Images of a step: whole blocks.
const BATCH: usize = 32;
/// Adam's two memories, and what keeps its quotient finite.
const MEMORY: [f32; 2] = [0.9, 0.999];
const TINY: f32 = 1e-8;

/// How a network learns.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Plan {
    /// Steps in all, of 32 images each; the rate falls to 0 along half a cosine.
    pub steps: u32,
    /// The rate at the start.
    pub rate: f32,
    /// Order, shifts, initial weights.
    pub seed: u64,
    /// Shifts images by up to a pixel each way.
    pub shift: bool,
    /// Learn from the teacher too: the share of its part in the loss, 0…1, and its temperature.
    pub distil: Option<(f32, f32)>,
}

/// Where training stands.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Progress {
    /// Steps done, of the plan's.
    pub step: u32,
    /// The plan's steps.
    pub of: u32,
    /// Mean cross entropy with the labels over the last call's images, in nats.
    pub loss: f64,
    /// Share of the last call's images that were read rightly.
    pub accuracy: f64,
}

/// What weights do on images.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Score {
    /// Mean cross entropy in nats.
    pub loss: f64,
    /// Images whose largest logit is their label's.
    pub correct: usize,
    /// All images.
    pub total: usize,
}

/// A network that learns.
#[derive(Debug, Clone)]
pub struct Trainer {
    images: Vec<u8>,
    labels: Vec<u8>,
    plan: Plan,
    /// The float weights, those that Adam moves.
    weights: Vec<Vec<f32>>,
    /// Adam's means of gradients and of their squares.
    moments: [Vec<Vec<f32>>; 2],
    forms: Vec<Form>,
    teacher: Option<Vec<Vec<f32>>>,
    random: Random,
    /// Images still to come in this turn through all.
    order: Vec<usize>,
    step: u32,
}

impl Trainer {
    /// A network with initial weights (He's normal ones) that will learn from `images` `[n, 8, 8]`, 0…16, and `labels` `[n]`, 0…9.
    ///
    /// # Errors
    /// `shape_mismatch`, `invalid_argument` for images and labels that do not fit, and for a plan out of range.
    pub fn new(images: &[u8], labels: &[u8], plan: Plan) -> Result<Trainer> {
        check_images(images, labels)?;
        let share =
            plan.distil.is_none_or(|(share, heat)| (0.0..=1.0).contains(&share) && (1.0..=100.0).contains(&heat));
        if !(plan.steps > 0 && plan.rate > 0.0 && plan.rate <= 1.0 && share) {
            return Err(Error::new(Code::InvalidArgument, "nothing can be learned by this plan")
                .with_expected("steps from 1, a rate above 0 up to 1, a share of 0 to 1, a temperature of 1 to 100")
                .with_found(format!("{plan:?}")));
        }
        let mut random = Random::new(plan.seed);
        let mut initial = |shape: &[usize]| -> Vec<f32> {
            let (count, inputs) = (shape.iter().product(), shape[1..].iter().product::<usize>());
            let std = if shape.len() > 1 { (2.0 / inputs as f64).sqrt() } else { 0.0 };
            (0..count).map(|_| (std * random.normal()) as f32).collect()
        };
        let weights: Vec<Vec<f32>> = TENSORS.iter().map(|(_, shape)| initial(shape)).collect();
        let zeros: Vec<Vec<f32>> = weights.iter().map(|w| vec![0.0; w.len()]).collect();
        Ok(Trainer {
            images: images.to_vec(),
            labels: labels.to_vec(),
            plan,
            moments: [zeros.clone(), zeros],
            forms: vec![Form::Float; TENSORS.len()],
            weights,
            teacher: None,
            random,
            order: Vec::new(),
            step: 0,
        })
    }

    /// Begins a tensor at given values.
    ///
    /// # Errors
    /// `unknown_tensor`, `shape_mismatch`, `non_finite`.
    pub fn set(&mut self, name: &str, values: &[f32]) -> Result<()> {
        let index = index_of(name)?;
        let count = self.weights[index].len();
        if values.len() != count {
            return Err(Error::new(Code::ShapeMismatch, "the tensor's length is wrong")
                .with_tensor(name)
                .with_expected(format!("{count} values"))
                .with_found(format!("{} values", values.len())));
        }
        if let Some(i) = values.iter().position(|v| !v.is_finite()) {
            return Err(Error::new(Code::NonFinite, "training starts from finite weights")
                .with_tensor(name)
                .with_offset(i as u64));
        }
        self.weights[index] = values.to_vec();
        Ok(())
    }

    /// Makes the weights as they are now the teacher.
    pub fn teach(&mut self) {
        self.teacher = Some(self.effective());
    }

    /// From now on a tensor's weights are rounded in the forward pass: 2 to 8 bits, one scale for each output channel.
    ///
    /// # Errors
    /// `unknown_tensor`; `invalid_argument` for another width.
    pub fn round(&mut self, name: &str, bits: u32) -> Result<()> {
        if !(2..=8).contains(&bits) {
            return Err(Error::new(Code::InvalidArgument, "weights are not rounded to so many bits")
                .with_expected("2 to 8")
                .with_found(bits));
        }
        self.forms[index_of(name)?] = Form::Rounded { bits };
        Ok(())
    }

    /// Sets this share of a tensor's weights to zero, the smallest ones, where they stay.
    ///
    /// # Errors
    /// `unknown_tensor`; `invalid_argument` for a share outside 0…1.
    pub fn prune(&mut self, name: &str, ratio: f64) -> Result<()> {
        let index = index_of(name)?;
        if !(0.0..=1.0).contains(&ratio) {
            return Err(Error::new(Code::InvalidArgument, "a share is between 0 and 1").with_found(ratio));
        }
        self.forms[index] = Form::pruned(&mut self.weights[index], ratio);
        Ok(())
    }

    /// Makes a tensor's weights share 2^`bits` − 1 values beside zero, found by k-means from a linear start; pruned weights stay zero and take no
    /// part. From now on the values learn, not the weights.
    ///
    /// # Errors
    /// `unknown_tensor`; `invalid_argument` for other than 1 to 8 bits.
    pub fn share(&mut self, name: &str, bits: u32) -> Result<()> {
        let index = index_of(name)?;
        if !(1..=8).contains(&bits) {
            return Err(Error::new(Code::InvalidArgument, "weights do not share so many values")
                .with_expected("1 to 8 bits")
                .with_found(bits));
        }
        let form = Form::shared(&self.weights[index], bits);
        self.weights[index] = form.effective(&self.weights[index], TENSORS[index].1[0]);
        self.forms[index] = form;
        Ok(())
    }

    /// A tensor as the forward pass sees it.
    ///
    /// # Errors
    /// `unknown_tensor`.
    pub fn weights(&self, name: &str) -> Result<Vec<f32>> {
        let index = index_of(name)?;
        Ok(self.forms[index].effective(&self.weights[index], TENSORS[index].1[0]))
    }

    fn effective(&self) -> Vec<Vec<f32>> {
        let each = self.forms.iter().zip(&self.weights).zip(TENSORS);
        each.map(|((form, weights), (_, shape))| form.effective(weights, shape[0])).collect()
    }

    /// Takes so many steps, fewer where the plan ends.
    pub fn run(&mut self, steps: u32) -> Progress {
        let (mut loss, mut correct, mut seen) = (0.0, 0, 0);
        for _ in 0..steps.min(self.plan.steps - self.step) {
            let (images, labels) = self.batch();
            let (score, gradients) = self.gradients_of(&images, &labels);
            self.learn(&gradients);
            loss += score.loss * score.total as f64;
            correct += score.correct;
            seen += score.total;
        }
        let total = seen.max(1) as f64;
        Progress { step: self.step, of: self.plan.steps, loss: loss / total, accuracy: correct as f64 / total }
    }

    /// The next images in blocks, and their labels.
    fn batch(&mut self) -> (Vec<f32>, Vec<u8>) {
        let mut images = vec![0.0; BATCH * PIXELS];
        let mut labels = vec![0; BATCH];
        for n in 0..BATCH {
            if self.order.is_empty() {
                self.order = (0..self.labels.len()).collect();
                self.random.shuffle(&mut self.order);
            }
            let image = self.order.pop().unwrap_or(0);
            let mut shift = || if self.plan.shift { self.random.below(3) as isize - 1 } else { 0 };
            let (down, right) = (shift(), shift());
            for i in 0..PIXELS {
                let (y, x) = ((i / 8) as isize - down, (i % 8) as isize - right);
                let inside = (0..8).contains(&y) && (0..8).contains(&x);
                let ink = if inside { self.images[image * PIXELS + (y * 8 + x) as usize] } else { 0 };
                images[at(n, i, PIXELS)] = f32::from(ink) / f32::from(INK);
            }
            labels[n] = self.labels[image];
        }
        (images, labels)
    }

    /// Loss and gradients of the float weights on images in blocks: of what is rounded, straight through; of what is shared or pruned, as it moves.
    fn gradients_of(&self, images: &[f32], labels: &[u8]) -> (Score, Vec<Vec<f32>>) {
        let weights = self.effective();
        let soft = self.plan.distil.zip(self.teacher.as_ref()).map(|((share, heat), teacher)| {
            let logits = Pass::forward(teacher, images).logits().to_vec();
            (share, heat, logits)
        });
        let pass = Pass::forward(&weights, images);
        let targets = Targets { labels, soft: soft.as_ref().map(|(share, heat, logits)| (*share, *heat, &logits[..])) };
        let (score, mut gradients) = pass.backward(&weights, &targets);
        for (form, gradient) in self.forms.iter().zip(&mut gradients) {
            form.turn(gradient);
        }
        (score, gradients)
    }

    /// Loss and gradients, by tensor in the network's order, over all images, for tests: unshifted, and with respect to the weights that the forward
    /// pass uses, before any form acts.
    #[must_use]
    pub fn gradients(&self) -> (Score, Vec<Vec<f32>>) {
        let weights = self.effective();
        let images = blocks_of(&self.images);
        let pass = Pass::forward(&weights, &images);
        pass.backward(&weights, &Targets { labels: &self.labels, soft: None })
    }

    /// A step of Adam.
    fn learn(&mut self, gradients: &[Vec<f32>]) {
        let through = f64::from(self.step) / f64::from(self.plan.steps);
        let rate = f64::from(self.plan.rate) * 0.5 * (1.0 + (std::f64::consts::PI * through).cos());
        self.step += 1;
        let [first, second] = MEMORY.map(|m| 1.0 - f64::from(m).powi(self.step as i32));
        let (rate, root) = ((rate / first) as f32, (1.0 / second) as f32);
        let [means, squares] = &mut self.moments;
        for (i, gradient) in gradients.iter().enumerate() {
            let moments = means[i].iter_mut().zip(&mut squares[i]);
            for ((w, (m, v)), g) in self.weights[i].iter_mut().zip(moments).zip(gradient) {
                *m += (1.0 - MEMORY[0]) * (g - *m);
                *v += (1.0 - MEMORY[1]) * (g * g - *v);
                *w -= rate * *m / ((*v * root).sqrt() + TINY);
            }
        }
    }

    /// What the weights, as the forward pass uses them, do on images `[n, 8, 8]` with their labels.
    ///
    /// # Errors
    /// As [`Trainer::new`].
    pub fn score(&self, images: &[u8], labels: &[u8]) -> Result<Score> {
        check_images(images, labels)?;
        let pass = Pass::forward(&self.effective(), &blocks_of(images));
        Ok(pass.score(labels))
    }
}

/// Images in blocks, the last filled up with blank ones.
fn blocks_of(images: &[u8]) -> Vec<f32> {
    let count = images.len() / PIXELS;
    let mut out = vec![0.0; count.next_multiple_of(LANES) * PIXELS];
    for (n, image) in images.chunks_exact(PIXELS).enumerate() {
        for (i, &pixel) in image.iter().enumerate() {
            out[at(n, i, PIXELS)] = f32::from(pixel) / f32::from(INK);
        }
    }
    out
}

fn index_of(name: &str) -> Result<usize> {
    TENSORS.iter().position(|(known, _)| *known == name).ok_or_else(|| {
        Error::new(Code::UnknownTensor, "the digits network has no such tensor")
            .with_tensor(name)
            .with_expected(TENSORS.map(|(known, _)| known).join(", "))
    })
}

fn check_images(images: &[u8], labels: &[u8]) -> Result<()> {
    if labels.is_empty() || images.len() != labels.len().saturating_mul(PIXELS) {
        return Err(Error::new(Code::ShapeMismatch, "the images do not fit the labels")
            .with_expected(format!("{PIXELS} pixels for each of one or more labels"))
            .with_found(format!("{} pixels, {} labels", images.len(), labels.len())));
    }
    let wrong = images.iter().any(|&p| p > INK) || labels.iter().any(|&l| usize::from(l) >= CLASSES);
    if wrong {
        return Err(Error::new(Code::InvalidArgument, "a pixel or a label is out of range")
            .with_expected(format!("pixels to {INK}, labels to {}", CLASSES - 1)));
    }
    Ok(())
}

const _: () = assert!(TENSORS.len() == 2 * LAYERS && BATCH.is_multiple_of(LANES));
