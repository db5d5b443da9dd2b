//! One and two levels beside zero: `binary` (XNOR-Net, Rastegari et al. 2016), `ternary` (TWN, Li et al. 2016) and `bitnet` (b1.58, Ma et al.
//! 2024).
//!
//! - **binary**: `α · sign(w)`, `α = mean |w|`, of each filter (a row of the matrix) or of the tensor; 0 and −0 count as positive.
//! - **ternary**: 0 up to `Δ = 0.7 · mean |w|`, beyond it `±α`, `α` the mean of the magnitudes beyond, which is the least-squares value
//!   for these codes.
//! - **bitnet**: `γ = mean |w|` of the tensor, at least 1e-5; `clamp(round(w · 1/γ), −1, 1) / (1/γ)` in f32, half to even, as its authors' code
//!   has it.
//!
//! Means are taken in f64 and rounded to f32.
//!
//! Packed layout: `α: f32` per run (`bitnet`: the value that a code of 1 has), then the codes: one bit each, 1 for `+α`, least significant
//! first; or trits, five in a byte (1.6 bits each), 0 for `−α`. Each row is padded to a byte.

use std::rc::Rc;

use super::Family;
use super::blocks::{EFFORT, NON_FINITE, WEIGHTING, search_of};
use super::catalogue::{ChoiceValue, Entry, Kind, OptionSpec, Resolved, Source};
use super::codebook::table::{from_bytes, next_below, to_bytes};
use super::codebook::{Book, Codec, Layout, Packing, Table, Weights, family};
use super::runs::Granularity;
use crate::error::Result;
use crate::kernels::best::Weighting;
use crate::kernels::codebook::magnitudes_above;
use crate::stats::CHUNK;
use crate::tensor::Shape;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kindred {
    Binary,
    Ternary,
    BitNet,
}

#[derive(Debug, Clone, Copy)]
struct Few {
    kind: Kindred,
    per_filter: bool,
    search: Option<Weighting>,
}

/// Mean of the magnitudes above a cut; 0 where there are none.
fn mean_above(x: &[f32], cut: f32) -> f64 {
    let (mut sum, mut count) = (0.0, 0);
    for chunk in x.chunks(CHUNK) {
        let (s, n) = magnitudes_above(chunk, cut);
        (sum, count) = (sum + s, count + n);
    }
    if count == 0 { 0.0 } else { sum / count as f64 }
}

impl Few {
    /// The table of scales, and what is cut where: one cut, or `−cut` and `cut` with what lies on them inside.
    fn table(&self, alphas: Vec<f32>, cuts: Vec<f32>, factors: Vec<f32>) -> Rc<dyn Codec> {
        let entries = if self.kind == Kindred::Binary { vec![-1.0, 1.0] } else { vec![-1.0, 0.0, 1.0] };
        Rc::new(Table {
            side: to_bytes(alphas.iter().copied()),
            factors,
            shown_scales: alphas.clone(),
            scales: alphas,
            cuts,
            len: entries.len(),
            entries,
            ..Table::default()
        })
    }
}

/// The value that least squares find for the codes of ±1 that a value leads to; `None` where there is none.
fn refitted(x: &[f32], alpha: f32, weighting: Weighting) -> Option<f32> {
    let cut = 0.5 * alpha;
    let next = match weighting {
        Weighting::None => mean_above(x, cut) as f32,
        Weighting::Squares => {
            let beyond = x.iter().map(|x| f64::from(x.abs())).filter(|m| m.is_finite() && *m > f64::from(cut));
            let (cubes, squares) = beyond.fold((0.0, 0.0), |(c, s), m| (c + m * m * m, s + m * m));
            if squares > 0.0 { (cubes / squares) as f32 } else { 0.0 }
        }
    };
    (next > 0.0 && next.is_finite()).then_some(next)
}

/// The value for codes of ±1 that least squares find, going back and forth between value and codes, from `alpha` on. Steps shrink by a nearly
/// constant share: after each two the value jumps to where they would end (Steffensen).
fn settled(x: &[f32], mut alpha: f32, weighting: Weighting) -> f32 {
    for _ in 0..12 {
        let Some(first) = refitted(x, alpha, weighting) else { break };
        let Some(second) = refitted(x, first, weighting) else { return first };
        let share = (second - first) / (first - alpha);
        alpha = if share > 0.0 && share < 0.95 { second + (second - first) * share / (1.0 - share) } else { second };
        if (second - first).abs() <= 1e-6 * second {
            break;
        }
    }
    alpha
}

/// The squared error in f64 of values `±value` where `beyond`, 0 elsewhere.
fn error(x: &[f32], value: f32, weighting: Weighting, beyond: impl Fn(f32) -> bool) -> f64 {
    let of = |x: f32| {
        let (magnitude, value) = (f64::from(x.abs()), if beyond(x) { f64::from(value) } else { 0.0 });
        let count = if weighting == Weighting::None { 1.0 } else { magnitude * magnitude };
        let error = count * (magnitude - value) * (magnitude - value);
        if x.is_finite() { error } else { 0.0 }
    };
    // Sums that do not wait for each other.
    let mut sums = [0.0; 8];
    for x in x.chunks(sums.len()) {
        sums.iter_mut().zip(x).for_each(|(sum, &x)| *sum += of(x));
    }
    sums.iter().sum()
}

/// Threshold and value of a run of `ternary`, as published.
fn ternary(x: &[f32], mean: f64) -> (f32, f32) {
    let delta = (0.7 * mean) as f32;
    (delta, mean_above(x, delta) as f32)
}

/// Threshold and value that the search finds, where they are better.
fn ternary_best(x: &[f32], mean: f64, weighting: Weighting) -> (f32, f32) {
    let published = ternary(x, mean);
    let alpha = settled(x, published.1, weighting);
    let found = (0.5 * alpha, alpha);
    let error = |(delta, alpha)| error(x, alpha, weighting, |x: f32| x.abs() > delta);
    if error(found) < error(published) { found } else { published }
}

/// The value of ±1 for an inverse of `bitnet`.
fn bitnet_value(inverse: f32) -> f32 {
    (1.0 / inverse).min(f32::MAX)
}

/// The inverse that the search finds for `bitnet`, where it is better than the published one.
fn bitnet_best(x: &[f32], published: f32, weighting: Weighting) -> f32 {
    let found = 1.0 / settled(x, bitnet_value(published), weighting);
    let error = |inverse: f32| error(x, bitnet_value(inverse), weighting, |x| (x * inverse).abs() > 0.5);
    if error(found) < error(published) { found } else { published }
}

/// Cuts for magnitudes above `cut`.
fn both_sides(cut: f32) -> [f32; 2] {
    [next_below(-cut), cut]
}

impl Book for Few {
    fn layout(&self, shape: &Shape) -> Result<Layout> {
        let (_, row) = shape.matrix();
        let granularity = match self.per_filter && row > 0 {
            true => Granularity::Group { size: crate::tensor::to_usize(row)? },
            false => Granularity::Tensor,
        };
        let binary = self.kind == Kindred::Binary;
        let packing = if binary { Packing::Bits(1) } else { Packing::Trits };
        let mut layout = Layout::new(shape, granularity, packing)?.with_side(4)?;
        layout.noun = if self.per_filter { "channel" } else { "tensor" };
        layout.first = if binary { 0 } else { -1 };
        Ok(layout)
    }

    fn fit(&self, weights: &Weights<'_>) -> Result<Rc<dyn Codec>> {
        let (mut alphas, mut cuts, mut factors) = (Vec::new(), Vec::new(), Vec::new());
        for run in 0..weights.layout.runs.len() {
            let x = weights.run(run);
            let mean = mean_above(x, -1.0);
            match self.kind {
                Kindred::Binary => alphas.push(mean as f32),
                Kindred::Ternary => {
                    let (delta, alpha) = match self.search {
                        Some(weighting) => ternary_best(x, mean, weighting),
                        None => ternary(x, mean),
                    };
                    alphas.push(alpha);
                    cuts.extend(both_sides(delta));
                }
                Kindred::BitNet => {
                    let published = 1.0 / (mean as f32).max(1e-5);
                    let inverse = self.search.map_or(published, |weighting| bitnet_best(x, published, weighting));
                    factors.push(inverse);
                    alphas.push(bitnet_value(inverse));
                }
            }
        }
        match self.kind {
            Kindred::Binary => cuts = vec![next_below(0.0)],
            Kindred::BitNet => cuts = both_sides(0.5).to_vec(),
            Kindred::Ternary => {}
        }
        Ok(self.table(alphas, cuts, factors))
    }

    fn read(&self, side: &[u8], _layout: &Layout) -> Result<Rc<dyn Codec>> {
        Ok(self.table(from_bytes(side), Vec::new(), Vec::new()))
    }
}

const fn per(default: &'static str) -> OptionSpec {
    OptionSpec {
        name: "per",
        title: "scale for each",
        help: "What shares a scale: a filter (a row of the matrix, all weights of one output) or the whole tensor.",
        kind: Kind::Choice {
            default,
            values: &[
                ChoiceValue { value: "filter", title: "filter" },
                ChoiceValue { value: "tensor", title: "tensor" },
            ],
        },
        when: None,
    }
}

fn build(entry: &Entry, options: &Resolved) -> Result<Rc<dyn Family>> {
    let kind = match entry.id {
        "binary" => Kindred::Binary,
        "ternary" => Kindred::Ternary,
        _ => Kindred::BitNet,
    };
    Ok(family(Few { kind, per_filter: options.choice("per") == "filter", search: search_of(options) }, options))
}

const fn entry(
    id: &'static str,
    bits: u32,
    summary: &'static str,
    (title, url): (&'static str, &'static str),
    options: &'static [OptionSpec],
) -> Entry {
    let source = Source { title, url };
    Entry { id, title: id, family: "binary", bits: Some(bits), block_size: None, summary, source, options, build }
}

/// The schemes for the catalogue.
pub const ENTRIES: &[Entry] = &[
    entry(
        "bitnet",
        2,
        "−1, 0 or 1 times the mean magnitude of the tensor, whichever is nearest.",
        ("Ma et al. 2024, The Era of 1-bit LLMs (BitNet b1.58)", "https://arxiv.org/abs/2402.17764"),
        &[EFFORT, WEIGHTING, NON_FINITE],
    ),
    entry(
        "ternary",
        2,
        "Small weights become 0, the others plus or minus the mean magnitude of those that are left.",
        ("Li et al. 2016, Ternary Weight Networks", "https://arxiv.org/abs/1605.04711"),
        &[per("tensor"), EFFORT, WEIGHTING, NON_FINITE],
    ),
    entry(
        "binary",
        1,
        "Only the sign of each weight is kept, and the mean magnitude of each filter.",
        ("Rastegari et al. 2016, XNOR-Net", "https://arxiv.org/abs/1603.05279"),
        &[per("filter"), NON_FINITE],
    ),
];
