//! Formats of blocks: so many neighbouring weights in so many bytes, each block by itself. A format says how blocks are written and read
//! and where in a block a weight lies ([`Format`]); all that a scheme does follows from that.

use std::cell::RefCell;
use std::rc::Rc;

use super::catalogue::{ChoiceValue, Kind, OptionSpec, Resolved, When};
use super::extents::Extents;
use super::trace::{BitField, Block, Part, RunInfo, Step, Trace};
use super::{CodeUnit, Family, Fitted, Prepared};
use crate::error::{Code, Error, Result};
use crate::kernels::best::Weighting;
use crate::kernels::extent;
use crate::stats::CHUNK;
use crate::tensor::{Shape, to_usize, try_vec};

/// Writes blocks.
pub type Encode = fn(&[f32], &mut [u8]);

/// Writes blocks that were searched for.
pub type EncodeBest = fn(&[f32], Weighting, &mut [u8]);

/// How blocks of one format are written and read.
#[derive(Debug)]
pub struct Format {
    /// The scheme's name.
    pub id: &'static str,
    /// Weights of a block; divides [`CHUNK`].
    pub weights: usize,
    /// Bytes of a block.
    pub bytes: usize,
    /// Writes whole blocks. All weights are finite.
    pub encode: Encode,
    /// The same with less squared error, never more in any block, for `effort: "best"`.
    pub encode_best: Option<EncodeBest>,
    /// Reads whole blocks.
    pub decode: fn(&[u8], &mut [f32]),
    /// The stretches of a block, in order and without gaps.
    pub parts: &'static [Part],
    /// How element `i` of a block is read.
    pub element: fn(&[u8], usize) -> Element,
    /// The bits that element `i` is read from, those of its code last.
    pub fields: fn(usize) -> Vec<BitField>,
}

/// How one element of a block is read: `scale · entries[code] + offset`, in f32, the product rounded before the sum.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Element {
    /// The scale that holds for it, all its factors multiplied.
    pub scale: f32,
    /// What is added; 0 in most formats.
    pub offset: f32,
    /// Which of the entries it is.
    pub code: usize,
    /// What codes stand for before the scale.
    pub entries: &'static [f32],
}

impl Element {
    fn value(&self, entry: f32) -> f32 {
        self.scale * entry + self.offset
    }
}

/// Blocks over rows, or over the tensor as if it were one row.
pub(super) const FLATTEN: OptionSpec = OptionSpec {
    name: "flatten",
    title: "run over rows",
    help: "Lets blocks run on from row to row where rows are no multiple of a block, the last filled up with zeros. No engine loads this.",
    kind: Kind::Flag { default: false },
    when: None,
};

/// What becomes of NaN and infinities.
pub(super) const NON_FINITE: OptionSpec = OptionSpec {
    name: "nonFinite",
    title: "NaN and infinities",
    help: "Refuse them, or turn NaN into 0 and infinities into the largest finite magnitude of the tensor.",
    kind: Kind::Choice {
        default: "error",
        values: &[
            ChoiceValue { value: "error", title: "refuse" },
            ChoiceValue { value: "saturate", title: "saturate" },
        ],
    },
    when: None,
};

/// How hard the encoder looks.
pub(super) const EFFORT: OptionSpec = OptionSpec {
    name: "effort",
    title: "effort",
    help: "The bytes that the reference writes, or a search for less error in the same bytes; the same engines load both.",
    kind: Kind::Choice {
        default: "reference",
        values: &[
            ChoiceValue { value: "reference", title: "as the reference" },
            ChoiceValue { value: "best", title: "least error" },
        ],
    },
    when: None,
};

/// What the search makes small.
pub(super) const WEIGHTING: OptionSpec = OptionSpec {
    name: "weighting",
    title: "error counted",
    help: "What the search makes small: the squared error, or the squared error times the weight's own square, so that large weights come back closer.",
    kind: Kind::Choice {
        default: "none",
        values: &[
            ChoiceValue { value: "none", title: "the same for all weights" },
            ChoiceValue { value: "squares", title: "by the weight's square" },
        ],
    },
    when: Some(When::Is("effort", "best")),
};

/// The weighting of the search that the options ask for, if they do.
pub(super) fn search_of(options: &Resolved) -> Option<Weighting> {
    match (options.choice("effort"), options.choice("weighting")) {
        ("best", "squares") => Some(Weighting::Squares),
        ("best", _) => Some(Weighting::None),
        _ => None,
    }
}

/// Options of a format that can be searched.
pub(super) const OPTIONS_WITH_EFFORT: &[OptionSpec] = &[EFFORT, WEIGHTING, FLATTEN, NON_FINITE];

/// A format with its options decided.
#[derive(Debug, Clone)]
pub(super) struct Blocks {
    format: &'static Format,
    best: Option<Weighting>,
    flatten: bool,
    saturate: bool,
}

impl Blocks {
    /// A format with the options of a scheme.
    pub(super) fn family(format: &'static Format, options: &Resolved) -> Rc<dyn Family> {
        Rc::new(Blocks {
            format,
            best: search_of(options),
            flatten: options.flag("flatten"),
            saturate: options.choice("nonFinite") == "saturate",
        })
    }

    /// Blocks of a tensor of this shape.
    fn count(&self, shape: &Shape) -> Result<usize> {
        let (_, row) = shape.matrix();
        let weights = self.format.weights as u64;
        if !self.flatten && shape.count() > 0 && !row.is_multiple_of(weights) {
            return Err(Error::new(
                Code::ShapeMismatch,
                format!("{} needs rows of a multiple of {weights} weights", self.format.id),
            )
            .with_expected(format!("rows divisible by {weights}, or the option flatten: true"))
            .with_found(format!("rows of {row}")));
        }
        to_usize(shape.count().div_ceil(weights))
    }
}

impl Family for Blocks {
    fn byte_len(&self, shape: &Shape) -> Result<usize> {
        let blocks = self.count(shape)?;
        blocks
            .checked_mul(self.format.bytes)
            .ok_or_else(|| Error::new(Code::OutOfMemory, "the packed tensor cannot be addressed here"))
    }

    fn prepare(&self, values: &[f32], shape: &Shape, _known: &Extents) -> Result<Prepared> {
        let blocks = self.count(shape)?;
        let finite = values.chunks(CHUNK).all(|chunk| extent(chunk).is_finite());
        if !finite && !self.saturate {
            return Err(super::non_finite(values));
        }
        // Infinities become this.
        let largest = (!finite).then(|| values.iter().filter(|x| x.is_finite()).fold(0.0_f32, |m, x| m.max(x.abs())));
        Ok(Rc::new(Fit {
            blocks: self.clone(),
            count: blocks,
            len: values.len(),
            largest,
            scratch: RefCell::default(),
        }))
    }

    fn decode(&self, bytes: &[u8], shape: &Shape) -> Result<Vec<f32>> {
        let Format { weights, bytes: block_bytes, decode, .. } = *self.format;
        let mut out = try_vec(0.0_f32, to_usize(shape.count())?)?;
        let whole = out.len() / weights;
        let (head, tail) = out.split_at_mut(whole * weights);
        decode(&bytes[..whole * block_bytes], head);
        if !tail.is_empty() {
            let mut last = vec![0.0; weights];
            decode(&bytes[whole * block_bytes..], &mut last);
            tail.copy_from_slice(&last[..tail.len()]);
        }
        Ok(out)
    }

    /// The bytes of all parts but scales and minima.
    fn code_units(&self, shape: &Shape, f: &mut dyn FnMut(CodeUnit)) -> Result<bool> {
        for block in 0..self.count(shape)? {
            let mut start = block * self.format.bytes;
            for part in self.format.parts {
                if !(part.name.contains("scale") || part.name.contains("min")) {
                    f(CodeUnit { start, bits: 8, count: part.bytes, high_first: false });
                }
                start += part.bytes;
            }
        }
        Ok(false)
    }
}

/// Blocks fitted to a tensor: nothing is kept but the way to write them, each block fits itself.
#[derive(Debug)]
struct Fit {
    blocks: Blocks,
    count: usize,
    /// Weights of the tensor.
    len: usize,
    /// The greatest finite magnitude, where some weights are not finite.
    largest: Option<f32>,
    scratch: RefCell<Scratch>,
}

#[derive(Debug, Default)]
struct Scratch {
    weights: Vec<f32>,
    bytes: Vec<u8>,
}

impl Fit {
    fn format(&self) -> &'static Format {
        self.blocks.format
    }

    /// Writes the blocks of `weights`, a multiple of a block's.
    fn write(&self, weights: &[f32], out: &mut [u8]) {
        match (self.blocks.best, self.format().encode_best) {
            (Some(weighting), Some(encode)) => encode(weights, weighting, out),
            _ => (self.format().encode)(weights, out),
        }
    }

    /// Calls `f(first element, weights, bytes)` for the blocks that hold elements `start..end`, some blocks at a time.
    fn for_each_stretch(&self, values: &[f32], start: usize, end: usize, mut f: impl FnMut(usize, usize, &[u8])) {
        let Format { weights, bytes, .. } = *self.format();
        let scratch = &mut *self.scratch.borrow_mut();
        let last = end.div_ceil(weights);
        let mut block = start / weights;
        while block < last {
            let blocks = (last - block).min(CHUNK / weights);
            let from = block * weights;
            let to = (from + blocks * weights).min(values.len());
            scratch.bytes.resize(blocks * bytes, 0);
            let stretch = &values[from..to];
            if stretch.len() == blocks * weights && self.largest.is_none() {
                self.write(stretch, &mut scratch.bytes);
            } else {
                scratch.weights.clear();
                scratch.weights.extend(stretch.iter().map(|&x| self.finite(x)));
                scratch.weights.resize(blocks * weights, 0.0);
                self.write(&scratch.weights, &mut scratch.bytes);
            }
            f(from, to, &scratch.bytes);
            block += blocks;
        }
    }

    fn finite(&self, x: f32) -> f32 {
        match self.largest {
            Some(largest) if x.is_infinite() => largest.copysign(x),
            Some(_) if x.is_nan() => 0.0,
            _ => x,
        }
    }

    /// The block of an element.
    fn block_at(&self, values: &[f32], index: usize) -> Vec<u8> {
        let start = index / self.format().weights * self.format().weights;
        let mut block = Vec::new();
        self.for_each_stretch(values, start, start + 1, |_, _, bytes| block = bytes.to_vec());
        block
    }
}

impl Fit {
    fn element(&self, values: &[f32], index: usize) -> Element {
        (self.format().element)(&self.block_at(values, index), index % self.format().weights)
    }
}

impl Element {
    /// The values of all codes, ascending.
    fn levels(&self) -> Vec<f32> {
        let mut levels: Vec<f32> = self.entries.iter().map(|&entry| self.value(entry)).collect();
        levels.sort_by(f32::total_cmp);
        levels.dedup();
        levels
    }
}

impl Fitted for Fit {
    fn reconstruct(&self, values: &[f32], start: usize, out: &mut [f32]) {
        let end = start + out.len();
        let weights = self.format().weights;
        self.for_each_stretch(values, start, end, |from, to, bytes| {
            let whole = bytes.len() / self.format().bytes * weights;
            if from >= start && from + whole <= end {
                (self.format().decode)(bytes, &mut out[from - start..from - start + whole]);
                return;
            }
            let mut back = vec![0.0; whole];
            (self.format().decode)(bytes, &mut back);
            let (first, last) = (from.max(start), to.min(end));
            out[first - start..last - start].copy_from_slice(&back[first - from..last - from]);
        });
    }

    fn encode(&self, values: &[f32]) -> Result<Vec<u8>> {
        let Format { weights, bytes, .. } = *self.format();
        let mut out = try_vec(0_u8, self.count * bytes)?;
        let whole = values.len() / weights;
        if self.largest.is_none() {
            self.write(&values[..whole * weights], &mut out[..whole * bytes]);
        }
        let done = if self.largest.is_none() { whole * weights } else { 0 };
        if done < values.len() {
            self.for_each_stretch(values, done, values.len(), |from, _, stretch| {
                let at = from / weights * bytes;
                out[at..at + stretch.len()].copy_from_slice(stretch);
            });
        }
        Ok(out)
    }

    fn codes(&self, bytes: &[u8]) -> Result<Vec<i32>> {
        let weights = self.format().weights;
        let mut out = try_vec(0_i32, self.len)?;
        for (codes, block) in out.chunks_mut(weights).zip(bytes.chunks_exact(self.format().bytes)) {
            for (i, code) in codes.iter_mut().enumerate() {
                *code = (self.format().element)(block, i).code as i32;
            }
        }
        Ok(out)
    }

    fn reads_finite(&self) -> bool {
        false
    }

    fn runs(&self) -> usize {
        self.count
    }

    fn run_at(&self, values: &[f32], index: usize) -> RunInfo {
        let element = self.element(values, index);
        let levels = element.levels();
        let weights = self.format().weights;
        let widest = levels.windows(2).map(|pair| pair[1] - pair[0]).fold(0.0, f32::max);
        let block = index / weights;
        RunInfo {
            index: block,
            label: format!("block {block}"),
            count: weights.min(values.len() - block * weights),
            scale: if widest > 0.0 { widest } else { 1.0 },
            zero_point: 0,
            low: levels.first().copied().unwrap_or(0.0),
            high: levels.last().copied().unwrap_or(0.0),
        }
    }

    fn levels_at(&self, values: &[f32], index: usize) -> Vec<f32> {
        self.element(values, index).levels()
    }

    fn respond(&self, values: &[f32], index: usize, x: &[f32], out: &mut [f32]) {
        assert_eq!(x.len(), out.len(), "one answer per value");
        let levels = self.levels_at(values, index);
        for (&x, out) in x.iter().zip(out) {
            *out = nearest(&levels, x);
        }
    }

    fn trace(&self, values: &[f32], index: usize) -> Trace {
        let Format { weights, bytes, parts, .. } = *self.format();
        let value = values[index];
        let block = self.block_at(values, index);
        let element = (self.format().element)(&block, index % weights);
        let mut back = [0.0];
        self.reconstruct(values, index, &mut back);
        let [back] = back;

        let entry = element.entries.get(element.code).copied().unwrap_or(0.0);
        let mut steps = Vec::new();
        let mut push = |op, title, operand, value: f64| steps.push(Step { op, title, operand, value });
        push("float", "weight", None, f64::from(value));
        let mut ratio = value;
        if element.offset != 0.0 {
            ratio -= element.offset;
            push("subtract", "subtract the block's minimum", Some(f64::from(element.offset)), f64::from(ratio));
        }
        if element.scale != 0.0 {
            push("divide", "divide by the scale", Some(f64::from(element.scale)), f64::from(ratio / element.scale));
        }
        push("entry", "take a level of the format", None, f64::from(entry));
        push("code", "code", None, element.code as f64);
        push("multiply", "multiply by the scale", Some(f64::from(element.scale)), f64::from(element.scale * entry));
        if element.offset != 0.0 {
            push("offset", "add the block's minimum", Some(f64::from(element.offset)), f64::from(back));
        }
        push("back", "value read back", None, f64::from(back));

        let fields = (self.format().fields)(index % weights);
        let code = fields.last().copied().unwrap_or(BitField { part: 0, bit: 0, bits: 0 });
        let offset = (index / weights * bytes) as u64;
        let bit = offset * 8 + u64::from(code.bit);
        Trace {
            index,
            value,
            float_bits: value.to_bits(),
            run: self.run_at(values, index),
            steps,
            code: Some(element.code as i32),
            bits: code.read(&block),
            byte_offset: bit / 8,
            bit_offset: (bit % 8) as u32,
            back,
            error: value - back,
            block: Some(Block { offset, weights, parts, fields, bytes: block }),
        }
    }
}

/// The level nearest to a value, the lower of two; the first for NaN.
fn nearest(levels: &[f32], x: f32) -> f32 {
    let above = levels.partition_point(|&level| level < x);
    match (above.checked_sub(1).map(|i| levels[i]), levels.get(above).copied()) {
        (Some(low), Some(high)) => {
            if f64::from(x) - f64::from(low) <= f64::from(high) - f64::from(x) {
                low
            } else {
                high
            }
        }
        (Some(only), None) | (None, Some(only)) => only,
        (None, None) => 0.0,
    }
}
