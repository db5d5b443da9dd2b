//! `deep`: Deep Compression (Han, Mao & Dally 2016) of a tensor. Small weights become zero, the others share a few values found by k-means,
//! where they stand is said by gaps, and codes and gaps each get Huffman's code. [`record`] has the bytes.
//!
//! Code 0 is a zero, so that `bits` bits tell of 2^bits − 1 shared values beside it. A weight that is zero already is never stored; weights that
//! have no more values than that keep them exactly, as those of a network whose shared values have been fine-tuned do.

mod record;

use std::cell::OnceCell;
use std::rc::Rc;

use super::blocks::NON_FINITE;
use super::catalogue::{ChoiceValue, Entry, Kind, OptionSpec, Resolved, Source};
use super::codebook::kmeans::{BITS, INIT, SEED, Start, cuts_between, shared_values};
use super::compact::ENTROPY;
use super::extents::Extents;
use super::prune::{self, Prune, Rule};
use super::trace::{RunInfo, Step, Trace};
use super::{Family, Fitted, Prepared};
use crate::error::{Code, Error, Result};
use crate::kernels::bits::packed_len;
use crate::kernels::{codebook, extent};
use crate::stats::CHUNK;
use crate::tensor::{Shape, to_usize, try_vec};

pub use record::{Record, Stages};

/// What becomes of each stage of a record of a tensor of `count` weights.
///
/// # Errors
/// `malformed`, `truncated`, as the record deserves.
pub fn stages(record: &[u8], count: u64) -> Result<Stages> {
    Ok(Record::parse(record, count)?.stages(count, record.len() as u64))
}

/// The weights of a record, which may hold anything, of a tensor of `count` weights.
///
/// # Errors
/// `malformed`, `truncated`, `out_of_memory`.
pub fn decode(record: &[u8], count: u64) -> Result<Vec<f32>> {
    let record = Record::parse(record, count)?;
    let mut codes = try_vec(0_u8, to_usize(count)?)?;
    record.spread(&mut codes);
    let (levels, mut out) = (record.levels(), try_vec(0.0_f32, codes.len())?);
    for (out, &code) in out.iter_mut().zip(&codes) {
        *out = levels[usize::from(code)];
    }
    Ok(out)
}

#[derive(Debug, Clone, Copy)]
struct Deep {
    bits: u32,
    start: Start,
    /// None: whatever is shortest.
    index_bits: Option<u32>,
    prune: Option<Prune>,
    entropy: bool,
    saturate: bool,
}

impl Deep {
    /// Shared values at most.
    fn values(&self) -> usize {
        (1 << self.bits) - 1
    }

    /// The shared values, and a code for each weight: 0 for what is pruned, zero or not a number.
    fn codes(&self, x: &[f32], rule: Option<Rule>) -> Result<(Vec<f32>, Vec<u8>)> {
        let stays = |index: usize, x: &[f32]| {
            let weight = x[index];
            weight != 0.0 && !weight.is_nan() && !rule.is_some_and(|rule| rule.prunes(x, index, weight))
        };
        let mut kept: Vec<f32> = Vec::new();
        kept.try_reserve_exact(x.len()).map_err(|_| Error::new(Code::OutOfMemory, "not enough memory"))?;
        kept.extend((0..x.len()).filter(|&i| stays(i, x) && x[i].is_finite()).map(|i| x[i]));
        let values = shared_values(&kept, self.values(), self.start)?;
        drop(kept);
        let mut codes = try_vec(0_u8, x.len())?;
        if values.is_empty() {
            return Ok((values, codes));
        }
        let cuts = cuts_between(&values);
        let (mut nearest, mut used) = (try_vec(0_i8, x.len().min(CHUNK))?, [false; 256]);
        for (c, chunk) in x.chunks(CHUNK).enumerate() {
            let nearest = &mut nearest[..chunk.len()];
            codebook::encode(chunk, 1.0, &cuts, nearest);
            for (i, &code) in nearest.iter().enumerate() {
                let index = c * CHUNK + i;
                if stays(index, x) {
                    codes[index] = code as u8 + 1;
                    used[usize::from(code as u8)] = true;
                }
            }
        }
        // A value that no weight has is not stored.
        let (mut renamed, mut stored) = ([0_u8; 257], Vec::new());
        for (i, &value) in values.iter().enumerate().filter(|(i, _)| used[*i]) {
            stored.push(value);
            renamed[i + 1] = stored.len() as u8;
        }
        codes.iter_mut().for_each(|code| *code = renamed[usize::from(*code)]);
        Ok((stored, codes))
    }
}

impl Family for Deep {
    fn byte_len(&self, shape: &Shape) -> Result<usize> {
        let count = to_usize(shape.count())?;
        let kept = self.prune.map_or(Ok(None), |prune| prune.kept_of(shape))?.unwrap_or(count);
        let bits = |index_bits| {
            // Each padding zero takes 2^index_bits zeros.
            let stored = if index_bits == 0 { count } else { kept + ((count - kept) >> index_bits) };
            packed_len(stored, self.bits) + packed_len(stored, index_bits)
        };
        let streams = match self.index_bits {
            Some(index_bits) => bits(index_bits),
            None => [0].into_iter().chain(record::INDEX_BITS).map(bits).min().unwrap_or_default(),
        };
        Ok(record::HEAD + 4 * self.values().min(kept) + streams)
    }

    fn is_len_exact(&self) -> bool {
        false
    }

    fn cost(&self) -> f64 {
        150.0
    }

    fn prepare(&self, values: &[f32], shape: &Shape, _known: &Extents) -> Result<Prepared> {
        if !self.saturate && !values.chunks(CHUNK).all(|chunk| extent(chunk).is_finite()) {
            return Err(super::non_finite(values));
        }
        let rule = self.prune.map(|prune| prune.fit(values, shape)).transpose()?.map(|(rule, _)| rule);
        let (levels, codes) = self.codes(values, rule)?;
        let index_bits =
            self.index_bits.unwrap_or_else(|| record::best_index_bits(&codes, self.bits, levels.len(), self.entropy));
        let record = Record::new(&codes, self.bits, index_bits, levels)?;
        Ok(Rc::new(Fit { deep: *self, rule, levels: record.levels(), codes, record, bytes: OnceCell::new() }))
    }

    fn decode(&self, bytes: &[u8], shape: &Shape) -> Result<Vec<f32>> {
        decode(bytes, shape.count())
    }
}

/// Deep Compression fitted to a tensor.
#[derive(Debug)]
struct Fit {
    deep: Deep,
    rule: Option<Rule>,
    /// What each code stands for: zero, then the shared values, ascending.
    levels: Vec<f32>,
    /// One for each weight.
    codes: Vec<u8>,
    record: Record,
    /// Made when they are first asked for.
    bytes: OnceCell<Vec<u8>>,
}

impl Fit {
    fn bytes(&self) -> &[u8] {
        self.bytes.get_or_init(|| self.record.to_bytes(self.deep.entropy))
    }

    fn level(&self, code: u8) -> f32 {
        self.levels[usize::from(code)]
    }

    /// What a weight would become in the place of element `index`.
    fn nearest(&self, values: &[f32], index: usize, x: f32) -> f32 {
        let is_zero = x == 0.0 || x.is_nan() || self.rule.is_some_and(|rule| rule.prunes(values, index, x));
        let shared = &self.levels[1..];
        let Some(last) = shared.len().checked_sub(1).filter(|_| !is_zero) else { return 0.0 };
        shared[cuts_between(shared).partition_point(|&cut| cut < x).min(last)]
    }
}

impl Fitted for Fit {
    fn reconstruct(&self, _values: &[f32], start: usize, out: &mut [f32]) {
        let codes = &self.codes[start..start + out.len()];
        out.iter_mut().zip(codes).for_each(|(out, &code)| *out = self.level(code));
    }

    fn encode(&self, _values: &[f32]) -> Result<Vec<u8>> {
        let bytes = self.bytes().to_vec();
        // Nothing leaves that does not come back.
        if Record::parse(&bytes, self.codes.len() as u64)? != self.record {
            return Err(Error::new(Code::VerificationFailed, "the record does not read back as it was"));
        }
        Ok(bytes)
    }

    fn encoded_len(&self, _values: &[f32]) -> Result<Option<usize>> {
        Ok(Some(self.bytes().len()))
    }

    fn codes(&self, bytes: &[u8]) -> Result<Vec<i32>> {
        let mut codes = try_vec(0_u8, self.codes.len())?;
        Record::parse(bytes, codes.len() as u64)?.spread(&mut codes);
        Ok(codes.into_iter().map(i32::from).collect())
    }

    fn runs(&self) -> usize {
        1
    }

    fn codebook(&self) -> Option<&[f32]> {
        Some(&self.levels)
    }

    fn run_at(&self, values: &[f32], index: usize) -> RunInfo {
        let levels = self.levels_at(values, index);
        let widest = levels.windows(2).map(|pair| pair[1] - pair[0]).fold(0.0, f32::max);
        RunInfo {
            index: 0,
            label: "tensor".to_owned(),
            count: self.codes.len(),
            scale: if widest > 0.0 && widest.is_finite() { widest } else { 1.0 },
            zero_point: 0,
            low: levels[0],
            high: levels[levels.len() - 1],
        }
    }

    fn levels_at(&self, _values: &[f32], _index: usize) -> Vec<f32> {
        let mut levels = self.levels[1..].to_vec();
        let at = levels.partition_point(|&level| level < 0.0);
        if levels.get(at) != Some(&0.0) {
            levels.insert(at, 0.0);
        }
        levels
    }

    fn respond(&self, values: &[f32], index: usize, x: &[f32], out: &mut [f32]) {
        assert_eq!(x.len(), out.len(), "one answer per value");
        out.iter_mut().zip(x).for_each(|(out, &x)| *out = self.nearest(values, index, x));
    }

    fn trace(&self, values: &[f32], index: usize) -> Trace {
        let (value, code) = (values[index], self.codes[index]);
        let back = self.level(code);
        let step = |op, title, value: f64| Step { op, title, operand: None, value };
        let mut steps = vec![step("float", "weight", f64::from(value))];
        match code {
            0 => steps.push(step("prune", "prune", 0.0)),
            _ => steps.push(step("code", "code", f64::from(code))),
        }
        steps.push(step("back", "value read back", f64::from(back)));
        let (bit, width) = self.record.bits_of(self.deep.entropy, index);
        let bytes = self.bytes();
        let at = |b: u64| bytes[((bit + b) / 8) as usize] >> ((bit + b) % 8) & 1 == 1;
        Trace {
            index,
            value,
            float_bits: value.to_bits(),
            run: self.run_at(values, index),
            steps,
            code: Some(i32::from(code)),
            bits: (0..u64::from(width)).rev().map(|b| if at(b) { '1' } else { '0' }).collect(),
            byte_offset: bit / 8,
            bit_offset: (bit % 8) as u32,
            back,
            error: value - back,
            block: None,
        }
    }
}

const INDEX_BITS: OptionSpec = OptionSpec {
    name: "indexBits",
    title: "bits of a gap",
    help: "Zeros before a stored weight are counted in so many bits; where more of them lie, a zero is stored. Automatic: whatever makes the \
           tensor smallest, a code for every weight too.",
    kind: Kind::Choice {
        default: "auto",
        values: &[
            ChoiceValue { value: "auto", title: "automatic" },
            ChoiceValue { value: "3", title: "3" },
            ChoiceValue { value: "4", title: "4" },
            ChoiceValue { value: "5", title: "5" },
            ChoiceValue { value: "6", title: "6" },
            ChoiceValue { value: "7", title: "7" },
            ChoiceValue { value: "8", title: "8" },
        ],
    },
    when: None,
};

/// What every scheme has, with other defaults: here weights are pruned and codes are Huffman's unless something else is asked for.
const AROUND: [OptionSpec; 6] = {
    let [prune, ratio, threshold, n, m] = prune::OPTIONS;
    let (Kind::Choice { values: prunes, .. }, Kind::Choice { values: entropies, .. }) = (prune.kind, ENTROPY.kind)
    else {
        panic!("both are choices")
    };
    [
        OptionSpec { kind: Kind::Choice { default: "ratio", values: prunes }, ..prune },
        ratio,
        threshold,
        n,
        m,
        OptionSpec { kind: Kind::Choice { default: "huffman", values: entropies }, ..ENTROPY },
    ]
};

fn build(_entry: &Entry, options: &Resolved) -> Result<Rc<dyn Family>> {
    Ok(Rc::new(Deep {
        bits: options.number("bits").unwrap_or_default() as u32,
        start: Start::from_options(options),
        index_bits: options.choice("indexBits").parse().ok(),
        prune: Prune::from_options(options)?,
        entropy: options.choice("entropy") == "huffman",
        saturate: options.choice("nonFinite") == "saturate",
    }))
}

/// The scheme for the catalogue.
pub(super) const ENTRIES: &[Entry] = &[Entry {
    id: "deep",
    title: "Deep Compression",
    family: "codebook",
    bits: None,
    block_size: None,
    summary: "Small weights become zero and are not stored; the others share a few values; places and codes take few bits by Huffman's code.",
    source: Source { title: "Han, Mao & Dally 2016, Deep Compression", url: "https://arxiv.org/abs/1510.00149" },
    options: &[
        AROUND[0], AROUND[1], AROUND[2], AROUND[3], AROUND[4], BITS, INIT, SEED, INDEX_BITS, AROUND[5], NON_FINITE,
    ],
    build,
}];
