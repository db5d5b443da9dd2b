//! Half-quadratic quantization (Badri and Shaji 2023), without data: groups of a row on an asymmetric grid whose zero is moved until
//! `Σ |w − value|^0.7` is small. A norm below 1 looks past outliers.
//!
//! As in the authors' solver: `factor = (2^b − 1)/(max − min)`, which stays, and `zero = −min · factor`. Then twenty times, with β from 10,
//! ×1.01 each time: `q = clamp(round(w · factor + zero))`, `e = w − (q − zero)/factor`, `zero = mean(q − (w − s) · factor)` where `s` is `e` shrunk by
//! `|e|^(−0.3)/β`. Theirs stops for the whole tensor when the mean |e| no longer falls; here each group keeps the best zero that it met, the
//! start among them, so no group ends worse than it began. Their floor of 10⁻⁴ for the range, made for half precision, is left out: a
//! group without any range has factor 1.
//!
//! Packed layout: for each group `scale: f32` (1/factor) and `zero: f32`, then the codes, dense, each group padded to a byte.

use std::rc::Rc;

use super::Family;
use super::blocks::NON_FINITE;
use super::catalogue::{Entry, Kind, OptionSpec, Resolved, Source};
use super::codebook::table::{from_bytes, to_bytes};
use super::codebook::{Book, Codec, Layout, Packing, Weights, family};
use super::runs::Granularity;
use crate::error::Result;
use crate::kernels::extent;
use crate::kernels::hqq::{self, Grid};
use crate::tensor::Shape;

/// Steps of the solver.
const STEPS: usize = 20;
/// β of the first step.
const BETA: f32 = 10.0;
/// What β is multiplied by after each step.
const KAPPA: f32 = 1.01;

#[derive(Debug, Clone, Copy)]
struct Hqq {
    bits: u32,
    group_size: usize,
}

/// One grid per group.
#[derive(Debug)]
struct Grids {
    factors: Vec<f32>,
    scales: Vec<f32>,
    zeros: Vec<f32>,
    high: f32,
}

impl Grids {
    fn grid(&self, run: usize) -> Grid {
        let factor = self.factors.get(run).copied().unwrap_or_default();
        Grid { factor, scale: self.scales[run], zero: self.zeros[run], high: self.high }
    }
}

/// The grid from the least to the greatest weight.
fn start(x: &[f32], high: f32) -> Grid {
    let e = extent(x);
    let factor = (f64::from(high) / (f64::from(e.max) - f64::from(e.min))) as f32;
    let (factor, lo) = if factor > 0.0 && factor.is_finite() { (factor, e.min) } else { (1.0, e.min.min(f32::MAX)) };
    Grid { factor, scale: (1.0 / factor).min(f32::MAX), zero: -lo * factor, high }
}

/// Moves the zero of a grid.
fn solve(x: &[f32], mut grid: Grid) -> Grid {
    let mut best = (f64::INFINITY, grid.zero);
    let mut beta = BETA;
    // One look more than steps: the last zero is judged too.
    for _ in 0..=STEPS {
        let (norm, zeros) = hqq::step(x, grid, 1.0 / beta);
        if norm < best.0 {
            best = (norm, grid.zero);
        }
        grid.zero = (zeros / x.len() as f64) as f32;
        beta *= KAPPA;
    }
    Grid { zero: best.1, ..grid }
}

impl Book for Hqq {
    fn layout(&self, shape: &Shape) -> Result<Layout> {
        Layout::new(shape, Granularity::Group { size: self.group_size }, Packing::Bits(self.bits))?.with_side(8)
    }

    fn cost(&self) -> f64 {
        300.0
    }

    fn fit(&self, weights: &Weights<'_>) -> Result<Rc<dyn Codec>> {
        let high = ((1_u32 << self.bits) - 1) as f32;
        let mut grids = Grids { factors: Vec::new(), scales: Vec::new(), zeros: Vec::new(), high };
        weights.each_run(&mut |x| {
            let grid =
                if x.is_empty() { Grid { factor: 1.0, scale: 1.0, zero: 0.0, high } } else { solve(x, start(x, high)) };
            grids.factors.push(grid.factor);
            grids.scales.push(grid.scale);
            grids.zeros.push(grid.zero);
        });
        Ok(Rc::new(grids))
    }

    fn read(&self, side: &[u8], _layout: &Layout) -> Result<Rc<dyn Codec>> {
        let pairs = from_bytes(side);
        let every_second = |from: usize| pairs.iter().skip(from).step_by(2).copied().collect();
        let high = ((1_u32 << self.bits) - 1) as f32;
        Ok(Rc::new(Grids { factors: Vec::new(), scales: every_second(0), zeros: every_second(1), high }))
    }
}

impl Codec for Grids {
    fn side(&self) -> Vec<u8> {
        to_bytes(self.scales.iter().zip(&self.zeros).flat_map(|(&scale, &zero)| [scale, zero]))
    }

    fn encode(&self, run: usize, x: &[f32], codes: &mut [i8]) {
        hqq::encode(x, self.grid(run), codes);
    }

    fn decode(&self, run: usize, codes: &[i8], out: &mut [f32]) {
        hqq::decode(codes, self.grid(run), out);
    }

    fn levels(&self, run: usize) -> Vec<f32> {
        let codes: Vec<i8> = (0..=self.high as u8).map(|code| code as i8).collect();
        let mut levels = vec![0.0; codes.len()];
        hqq::decode(&codes, self.grid(run), &mut levels);
        levels
    }

    fn explain(&self, run: usize, x: f32, push: &mut dyn FnMut(&'static str, &'static str, f32, f32)) {
        let Grid { factor, scale, zero, .. } = self.grid(run);
        push("divide", "divide by the scale", scale, x * factor);
        push("add", "add the zero point", zero, x * factor + zero);
    }

    fn scales(&self) -> Option<&[f32]> {
        Some(&self.scales)
    }
}

const BITS: OptionSpec = OptionSpec {
    name: "bits",
    title: "bits",
    help: "Width of a code; each bit less halves the number of levels.",
    kind: Kind::Integer { default: 4.0, min: 1.0, max: 8.0, suggestions: &[] },
    when: None,
};

const GROUP_SIZE: OptionSpec = OptionSpec {
    name: "groupSize",
    title: "group size",
    help: "Neighbours in a row that share a scale; the last group of a row may be short.",
    kind: Kind::Integer { default: 64.0, min: 1.0, max: 1_048_576.0, suggestions: &[16.0, 32.0, 64.0, 128.0, 256.0] },
    when: None,
};

fn build(_entry: &Entry, options: &Resolved) -> Result<Rc<dyn Family>> {
    let number = |name| options.number(name).unwrap_or_default();
    Ok(family(Hqq { bits: number("bits") as u32, group_size: number("groupSize") as usize }, options))
}

/// The scheme for the catalogue.
pub const ENTRIES: &[Entry] = &[Entry {
    id: "hqq",
    title: "hqq",
    family: "optimized",
    bits: None,
    block_size: None,
    summary: "Whole numbers on a grid for each group, whose zero is moved until few weights lie far off.",
    source: Source {
        title: "Badri and Shaji 2023, Half-Quadratic Quantization of Large Machine Learning Models",
        url: "https://mobiusml.github.io/hqq_blog/",
    },
    options: &[BITS, GROUP_SIZE, NON_FINITE],
    build,
}];
