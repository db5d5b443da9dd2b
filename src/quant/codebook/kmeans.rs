//! `kmeans`: levels anywhere, found by Lloyd's iteration (Deep Compression, Han et al. 2016; for known densities Lloyd 1957 and Max 1960).
//!
//! In one dimension the weights of a level are neighbours in ascending order. So the weights are sorted once, sums of stretches are at
//! hand, and an iteration costs a few searches per level, whatever the number of weights. It is exact: each weight counts with its own
//! value. Levels are kept in f64 and rounded to f32 at the end; codes are then the nearest of the rounded levels, the lower of two.
//!
//! Hundreds of thousands of weights are counted in buckets instead, and only those of them sorted in which a cut between two levels comes to
//! lie: the levels are the means of their weights exactly, too, and a few passes over the weights find them.
//!
//! Starts: `linear` from the least to the greatest weight, `density` at the quantiles (i + ½)/2^bits, `random` at weights chosen by chance. A level
//! without weights stays where it is. The iteration ends when no weight changes its level, when no level moves by 10⁻⁷ of the range, or after
//! [`ITERATIONS`].
//!
//! Packed layout: for each run 2^bits levels (`f32`, ascending), then the codes, dense, each row or group padded to a byte.

use std::rc::Rc;

use super::super::Family;
use super::super::blocks::NON_FINITE;
use super::super::catalogue::{ChoiceValue, Entry, Kind, OptionSpec, Resolved, Source, When};
use super::super::runs::Granularity;
use super::buckets::{Buckets, MANY};
use super::sorted::{Sorted, sort_few};
use super::table::{from_bytes, next_below, to_bytes};
use super::{Book, Codec, Layout, Packing, Table, Weights, family};
use crate::error::Result;
use crate::kernels::scalar::affine::uniform;
use crate::tensor::Shape;

/// Iterations at most.
pub const ITERATIONS: usize = 500;

/// Times that many weights are looked through for those near the cuts, at most: cuts rarely leave the buckets that they were found in.
const LOOKS: usize = 4;

/// Where the levels stand first.
#[derive(Debug, Clone, Copy)]
pub(in super::super) enum Start {
    Linear,
    Density,
    Random(u32),
}

impl Start {
    /// The one that options choose.
    pub fn from_options(options: &Resolved) -> Start {
        match options.choice("init") {
            "density" => Start::Density,
            "random" => Start::Random(options.number("seed").unwrap_or_default() as u32),
            _ => Start::Linear,
        }
    }
}

/// At most `count` values that finite weights share, ascending: their own where those are so few, else the means of the weights nearest to each.
pub(in super::super) fn shared_values(x: &[f32], count: usize, start: Start) -> Result<Vec<f32>> {
    if let Some(own) = few_values(x, count) {
        return Ok(own);
    }
    let book = KMeans { bits: 8, levels: count, granularity: Granularity::Tensor, start };
    let mut values: Vec<f32> = book.levels_of(x, &mut Sorted::default())?.iter().map(|&level| level as f32).collect();
    values.dedup();
    Ok(values)
}

/// The values of weights, ascending, if they are no more than `count`.
fn few_values(x: &[f32], count: usize) -> Option<Vec<f32>> {
    let mut values: Vec<f32> = Vec::new();
    for &x in x {
        let at = values.partition_point(|&value| value < x);
        if values.get(at) != Some(&x) {
            if values.len() == count {
                return None;
            }
            values.insert(at, x);
        }
    }
    Some(values)
}

/// The cuts between ascending values: a weight belongs to the nearest, of two to the lower.
pub(in super::super) fn cuts_between(values: &[f32]) -> Vec<f32> {
    values.windows(2).map(|pair| cut(pair[0], pair[1])).collect()
}

#[derive(Debug, Clone, Copy)]
struct KMeans {
    bits: u32,
    /// Levels of a table: all that a code tells.
    levels: usize,
    granularity: Granularity,
    start: Start,
}

impl KMeans {
    fn table(&self, entries: Vec<f32>) -> Table {
        let side = to_bytes(entries.iter().copied());
        Table { side, entries, len: self.levels, is_learned: true, ..Table::default() }
    }

    /// The first levels, ascending, given the ends and the weight of each rank.
    fn starts(&self, n: usize, (lo, hi): (f32, f32), at: impl Fn(usize) -> f64) -> Vec<f64> {
        let k = self.levels;
        let (lo, hi) = (f64::from(lo), f64::from(hi));
        let at = |share: f64| at(((share * n as f64) as usize).min(n - 1));
        let mut starts: Vec<f64> = (0..k)
            .map(|i| match self.start {
                Start::Linear => lo + (hi - lo) * (i as f64 / (k - 1).max(1) as f64),
                Start::Density => at((i as f64 + 0.5) / k as f64),
                Start::Random(seed) => at(f64::from(uniform(seed, i as u32))),
            })
            .collect();
        sort_few(&mut starts, |a, b| a <= b);
        starts
    }

    /// The levels of the weights of a run. `sorted` lends its memory.
    fn levels_of(&self, x: &[f32], sorted: &mut Sorted) -> Result<Vec<f64>> {
        if x.is_empty() {
            return Ok(vec![0.0; self.levels]);
        }
        if x.len() >= MANY
            && let Some(levels) = self.levels_of_many(x)?
        {
            return Ok(levels);
        }
        sorted.fill(x)?;
        let values = sorted.values();
        let (lo, hi) = (values[0], values[values.len() - 1]);
        let mut levels = self.starts(values.len(), (lo, hi), |rank| f64::from(values[rank]));
        let mut below = |limit| {
            let n = sorted.count_to(limit);
            (n, sorted.sum_to(n))
        };
        lloyd(&mut levels, f64::from(hi) - f64::from(lo), below(f64::INFINITY), &mut below);
        Ok(levels)
    }

    /// The same of many weights, which are counted in buckets: first by about how many lie below a limit, then exactly. `None` where they are
    /// not spread over the buckets.
    fn levels_of_many(&self, x: &[f32]) -> Result<Option<Vec<f64>>> {
        let Some(mut buckets) = Buckets::new(x)? else { return Ok(None) };
        let (lo, hi) = buckets.ends();
        let (range, all) = (f64::from(hi) - f64::from(lo), buckets.estimate(f64::INFINITY));
        let mut levels = self.starts(buckets.count(), (lo, hi), |rank| buckets.at(rank));
        lloyd(&mut levels, range, all, &mut |limit| buckets.estimate(limit));
        for _ in 0..LOOKS {
            if !buckets.look_at(levels.windows(2).map(|pair| f64::midpoint(pair[0], pair[1])))? {
                return Ok(None);
            }
            let mut is_exact = true;
            lloyd(&mut levels, range, all, &mut |limit| {
                buckets.below(limit).unwrap_or_else(|| {
                    is_exact = false;
                    buckets.estimate(limit)
                })
            });
            if is_exact {
                break;
            }
        }
        Ok(Some(levels))
    }
}

/// Lloyd's iteration from these levels, ascending. `below` gives how many weights are at most a limit, and their sum; `all` those of all.
fn lloyd(levels: &mut [f64], range: f64, all: (usize, f64), below: &mut dyn FnMut(f64) -> (usize, f64)) {
    let mut ends = vec![usize::MAX; levels.len()];
    for _ in 0..ITERATIONS {
        let (mut changed, mut moved) = (false, 0.0_f64);
        let (mut start, mut sum) = (0, 0.0);
        for i in 0..levels.len() {
            let (end, sum_to) = match levels.get(i + 1) {
                // Levels after this one have not moved yet.
                Some(next) => below(f64::midpoint(levels[i], *next)),
                None => all,
            };
            changed |= end != ends[i];
            ends[i] = end;
            if end > start {
                let mean = (sum_to - sum) / (end - start) as f64;
                moved = moved.max((mean - levels[i]).abs());
                levels[i] = mean;
            }
            (start, sum) = (end, sum_to);
        }
        if !changed || moved <= 1e-7 * range {
            return;
        }
    }
}

/// The greatest f32 that is nearer to `low` than to `high` or as near: what lies above belongs to `high`.
fn cut(low: f32, high: f32) -> f32 {
    let middle = f64::midpoint(f64::from(low), f64::from(high));
    let rounded = middle as f32;
    if f64::from(rounded) > middle { next_below(rounded) } else { rounded }
}

impl Book for KMeans {
    fn layout(&self, shape: &Shape) -> Result<Layout> {
        Layout::new(shape, self.granularity, Packing::Bits(self.bits))?.with_side(4 * self.levels)
    }

    fn cost(&self) -> f64 {
        80.0
    }

    fn fit(&self, weights: &Weights<'_>) -> Result<Rc<dyn Codec>> {
        let mut entries: Vec<f32> = Vec::new();
        let mut sorted = Sorted::default();
        let mut failed = Ok(());
        weights.each_run(&mut |x| {
            if failed.is_err() {
                return;
            }
            match self.levels_of(x, &mut sorted) {
                Ok(levels) => entries.extend(levels.iter().map(|&level| level as f32)),
                Err(error) => failed = Err(error),
            }
        });
        failed?;
        let cuts = entries.chunks(self.levels).flat_map(cuts_between).collect();
        Ok(Rc::new(Table { cuts, ..self.table(entries) }))
    }

    fn read(&self, side: &[u8], _layout: &Layout) -> Result<Rc<dyn Codec>> {
        Ok(Rc::new(self.table(from_bytes(side))))
    }
}

pub(in super::super) const BITS: OptionSpec = OptionSpec {
    name: "bits",
    title: "bits",
    help: "Width of a code; each bit less halves the number of levels.",
    kind: Kind::Integer { default: 4.0, min: 1.0, max: 8.0, suggestions: &[] },
    when: None,
};

pub(in super::super) const INIT: OptionSpec = OptionSpec {
    name: "init",
    title: "start",
    help: "Where the levels stand first: evenly from the least weight to the greatest, with equally many weights each, or on weights \
           chosen by chance.",
    kind: Kind::Choice {
        default: "linear",
        values: &[
            ChoiceValue { value: "linear", title: "linear" },
            ChoiceValue { value: "density", title: "density" },
            ChoiceValue { value: "random", title: "random" },
        ],
    },
    when: None,
};

pub(in super::super) const SEED: OptionSpec = OptionSpec {
    name: "seed",
    title: "seed",
    help: "Chooses the sequence of chances; the same seed gives the same codes.",
    kind: Kind::Integer { default: 0.0, min: 0.0, max: u32::MAX as f64, suggestions: &[] },
    when: Some(When::Is("init", "random")),
};

const GRANULARITY: OptionSpec = OptionSpec {
    name: "granularity",
    title: "grain",
    help: "What shares one table of levels. A table costs 4 bytes per level.",
    kind: Kind::Choice {
        default: "tensor",
        values: &[
            ChoiceValue { value: "tensor", title: "tensor" },
            ChoiceValue { value: "channel", title: "channel" },
            ChoiceValue { value: "group", title: "group" },
        ],
    },
    when: None,
};

const AXIS: OptionSpec = OptionSpec {
    name: "axis",
    title: "axis",
    help: "The axis along which each index is a channel, 0 for the outermost.",
    kind: Kind::Integer { default: 0.0, min: 0.0, max: 7.0, suggestions: &[] },
    when: Some(When::Is("granularity", "channel")),
};

const GROUP_SIZE: OptionSpec = OptionSpec {
    name: "groupSize",
    title: "group size",
    help: "Neighbours in a row that share a table; the last group of a row may be short.",
    kind: Kind::Integer { default: 1024.0, min: 1.0, max: 1_048_576.0, suggestions: &[256.0, 1024.0, 4096.0] },
    when: Some(When::Is("granularity", "group")),
};

fn build(_entry: &Entry, options: &Resolved) -> Result<Rc<dyn Family>> {
    let number = |name| options.number(name).unwrap_or_default();
    let book = KMeans {
        bits: number("bits") as u32,
        levels: 1 << number("bits") as u32,
        granularity: match options.choice("granularity") {
            "channel" => Granularity::Channel { axis: number("axis") as usize },
            "group" => Granularity::Group { size: number("groupSize") as usize },
            _ => Granularity::Tensor,
        },
        start: Start::from_options(options),
    };
    Ok(family(book, options))
}

/// The scheme for the catalogue.
pub const ENTRIES: &[Entry] = &[Entry {
    id: "kmeans",
    title: "k-means codebook",
    family: "codebook",
    bits: None,
    block_size: None,
    summary: "A table of levels that lie where the weights are, each the mean of the weights nearest to it.",
    source: Source {
        title: "Han et al. 2016, Deep Compression; Lloyd 1957 and Max 1960",
        url: "https://arxiv.org/abs/1510.00149",
    },
    options: &[BITS, INIT, SEED, GRANULARITY, AXIS, GROUP_SIZE, NON_FINITE],
    build,
}];
