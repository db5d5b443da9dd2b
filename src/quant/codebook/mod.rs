//! Schemes whose codes choose from a few levels: what they share. A family says how a tensor is cut, what is found out about each run
//! ([`Book`]), and how codes stand for values ([`Codec`]); packing, tracing and reading back follow from that.
//!
//! Packed layout: the family's side information (scales, tables), then the codes as [`Packing`] says; each row or group is padded to a
//! byte.

mod buckets;
pub mod kmeans;
pub(super) mod sorted;
pub(super) mod table;

pub(super) use table::Table;

use std::cell::RefCell;
use std::fmt;
use std::rc::Rc;

use super::extents::Extents;
use super::runs::{Granularity, Runs};
use super::tally::{Codes, Tally};
use super::trace::{RunInfo, Step, Trace};
use super::{CodeUnit, Family, Fitted, Prepared};
use crate::error::{Code, Error, Result};
use crate::kernels::{bits, extent};
use crate::stats::CHUNK;
use crate::tensor::{Shape, to_usize, try_vec};

/// How codes become bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Packing {
    /// So many bits each, least significant first.
    Bits(u32),
    /// Two in a byte, the first in the high nibble; the last one alone has this beside it.
    HighFirst {
        /// Code of a zero.
        pad: u8,
    },
    /// Five of three values in a byte: `c₀ + 3·c₁ + 9·c₂ + 27·c₃ + 81·c₄`.
    Trits,
}

impl Packing {
    fn packed_len(self, count: usize) -> usize {
        match self {
            Packing::Bits(width) => bits::packed_len(count, width),
            Packing::HighFirst { .. } => count.div_ceil(2),
            Packing::Trits => count.div_ceil(5),
        }
    }

    fn pack(self, codes: &[i8], out: &mut [u8]) {
        match self {
            Packing::Bits(width) => bits::pack(codes, width, out),
            Packing::HighFirst { pad } => {
                for (byte, pair) in out.iter_mut().zip(codes.chunks(2)) {
                    *byte = (pair[0] as u8) << 4 | pair.get(1).map_or(pad, |&low| low as u8);
                }
            }
            Packing::Trits => {
                for (byte, five) in out.iter_mut().zip(codes.chunks(5)) {
                    *byte = five.iter().rev().fold(0, |sum, &code| sum * 3 + code as u8);
                }
            }
        }
    }

    fn unpack(self, bytes: &[u8], codes: &mut [i8]) {
        match self {
            Packing::Bits(width) => {
                bits::unpack(bytes, width, codes);
                let mask = (0xFF_u8 >> (8 - width)) as i8;
                codes.iter_mut().for_each(|code| *code &= mask);
            }
            Packing::HighFirst { .. } => {
                for (byte, pair) in bytes.iter().zip(codes.chunks_mut(2)) {
                    pair[0] = (byte >> 4) as i8;
                    pair.iter_mut().skip(1).for_each(|low| *low = (byte & 15) as i8);
                }
            }
            Packing::Trits => {
                for (&byte, five) in bytes.iter().zip(codes.chunks_mut(5)) {
                    let mut rest = byte;
                    for code in five {
                        *code = (rest % 3) as i8;
                        rest /= 3;
                    }
                }
            }
        }
    }

    /// First bit and number of the bits that code `i` of a unit is read from: the whole byte for trits.
    fn bits_of(self, i: usize) -> (u64, u32) {
        match self {
            Packing::Bits(width) => (i as u64 * u64::from(width), width),
            Packing::HighFirst { .. } => ((i / 2 * 8 + 4 * (1 - i % 2)) as u64, 4),
            Packing::Trits => ((i / 5 * 8) as u64, 8),
        }
    }
}

/// Where everything of a packed tensor lies.
#[derive(Debug, Clone)]
pub(super) struct Layout {
    /// Weights that share levels.
    pub runs: Runs,
    /// How codes are packed.
    pub packing: Packing,
    /// Bytes before the codes.
    pub side_len: usize,
    /// What a run is called.
    pub noun: &'static str,
    /// What code 0 is called: −1 where codes are signed.
    pub first: i32,
}

impl Layout {
    /// The layout for runs cut by a granularity, without side information yet.
    pub fn new(shape: &Shape, granularity: Granularity, packing: Packing) -> Result<Layout> {
        let noun = match granularity {
            Granularity::Tensor => "tensor",
            Granularity::Channel { .. } => "channel",
            Granularity::Group { .. } => "group",
        };
        Ok(Layout { runs: Runs::new(shape, granularity)?, packing, side_len: 0, noun, first: 0 })
    }

    /// The same with so many bytes of side information for each run.
    pub fn with_side(mut self, bytes_per_run: usize) -> Result<Layout> {
        self.side_len = self.runs.len().checked_mul(bytes_per_run).ok_or_else(too_long)?;
        Ok(self)
    }

    /// See [`Runs::for_each_segment`].
    fn for_each_segment(&self, start: usize, end: usize, f: &mut dyn FnMut(usize, usize, usize)) {
        self.runs.for_each_segment(start, end, f);
    }

    /// Codes are padded to a byte after so many: a group, or else a row.
    fn unit_len(&self) -> usize {
        match self.runs.granularity() {
            Granularity::Group { size } => size.min(self.runs.row_len()),
            _ => self.runs.row_len(),
        }
    }

    /// `(bytes of a row, bytes of one of its units)`
    fn row_bytes(&self) -> (usize, usize) {
        let (row, unit) = (self.runs.row_len(), self.unit_len());
        let full = self.packing.packed_len(unit);
        (row / unit * full + self.packing.packed_len(row % unit), full)
    }

    fn codes_len(&self) -> usize {
        if self.runs.count() == 0 { 0 } else { self.runs.count() / self.runs.row_len() * self.row_bytes().0 }
    }

    /// The byte of the codes at which the unit of element `index` begins, and the place of the element in it.
    fn place(&self, index: usize) -> (usize, usize) {
        let (row_bytes, unit_bytes) = self.row_bytes();
        let (row, column) = (index / self.runs.row_len(), index % self.runs.row_len());
        (row * row_bytes + column / self.unit_len() * unit_bytes, column % self.unit_len())
    }

    /// Calls `f(start, end, byte)` for each stretch of codes that is padded to a byte; one for all where nothing is padded.
    fn for_each_unit(&self, f: &mut dyn FnMut(usize, usize, usize)) {
        let (count, row) = (self.runs.count(), self.runs.row_len());
        let unit = self.unit_len();
        let whole_bytes = match self.packing {
            Packing::Bits(width) => 8 / (width & width.wrapping_neg()).min(8) as usize,
            Packing::HighFirst { .. } => 2,
            Packing::Trits => 5,
        };
        if count == 0 {
            return;
        }
        if unit.is_multiple_of(whole_bytes) && row.is_multiple_of(whole_bytes) {
            // Stretches of 120·8 codes end on a byte at every width.
            const STRETCH: usize = 960;
            for start in (0..count).step_by(STRETCH) {
                f(start, (start + STRETCH).min(count), self.packing.packed_len(start));
            }
            return;
        }
        let mut byte = 0;
        for row_start in (0..count).step_by(row) {
            for start in (row_start..row_start + row).step_by(unit) {
                let end = (start + unit).min(row_start + row);
                f(start, end, byte);
                byte += self.packing.packed_len(end - start);
            }
        }
    }
}

fn too_long() -> Error {
    Error::new(Code::OutOfMemory, "the packed tensor cannot be addressed here")
}

/// What a family of codes does: everything decided but the weights.
pub(super) trait Book: fmt::Debug {
    /// How a tensor is cut and packed.
    fn layout(&self, shape: &Shape) -> Result<Layout>;

    /// See [`super::Scheme::cost`].
    fn cost(&self) -> f64 {
        10.0
    }

    /// Finds the levels. What is not finite is left out.
    fn fit(&self, weights: &Weights<'_>) -> Result<Rc<dyn Codec>>;

    /// The levels from side information, which may hold anything.
    fn read(&self, side: &[u8], layout: &Layout) -> Result<Rc<dyn Codec>>;
}

/// How codes stand for values, run by run.
pub(super) trait Codec: fmt::Debug {
    /// The side information, as many bytes as the layout says.
    fn side(&self) -> Vec<u8>;

    /// Codes of finite weights of a run.
    fn encode(&self, run: usize, x: &[f32], codes: &mut [i8]);

    /// Values of codes of a run.
    fn decode(&self, run: usize, codes: &[i8], out: &mut [f32]);

    /// The value of each code of a run.
    fn levels(&self, run: usize) -> Vec<f32>;

    /// From a weight of a run to what is compared or rounded, for the inspector.
    fn explain(&self, run: usize, x: f32, push: &mut dyn FnMut(&'static str, &'static str, f32, f32));

    /// See [`Fitted::scales`].
    fn scales(&self) -> Option<&[f32]> {
        None
    }

    /// See [`Fitted::codebook`].
    fn codebook(&self) -> Option<&[f32]> {
        None
    }
}

/// The weights that a book is fitted to.
pub(super) struct Weights<'a> {
    pub values: &'a [f32],
    pub layout: &'a Layout,
    pub finite: bool,
}

impl Weights<'_> {
    /// The weights of a run that lies together, what is not finite among them.
    pub fn run(&self, run: usize) -> &[f32] {
        match self.layout.runs.even_len() {
            Some(len) => &self.values[run * len..(run + 1) * len],
            None => self.values,
        }
    }

    /// Calls `f` with the finite weights of each run.
    pub fn each_run(&self, f: &mut dyn FnMut(&[f32])) {
        let (mut gathered, mut kept) = (Vec::new(), Vec::new());
        for run in 0..self.layout.runs.len() {
            let x = self.layout.runs.values(run, self.values, &mut gathered);
            if self.finite {
                f(x);
            } else {
                kept.clear();
                kept.extend(x.iter().copied().filter(|x| x.is_finite()));
                f(&kept);
            }
        }
    }
}

/// A family of codes with what is common to all of them.
#[derive(Debug)]
struct Coded {
    book: Box<dyn Book>,
    saturate: bool,
}

/// The family of a book.
pub(super) fn family(book: impl Book + 'static, options: &super::Resolved) -> Rc<dyn Family> {
    Rc::new(Coded { book: Box::new(book), saturate: options.choice("nonFinite") == "saturate" })
}

impl Family for Coded {
    fn byte_len(&self, shape: &Shape) -> Result<usize> {
        let layout = self.book.layout(shape)?;
        layout.side_len.checked_add(layout.codes_len()).ok_or_else(too_long)
    }

    fn cost(&self) -> f64 {
        self.book.cost()
    }

    fn prepare(&self, values: &[f32], shape: &Shape, _known: &Extents) -> Result<Prepared> {
        let layout = self.book.layout(shape)?;
        let finite = values.chunks(CHUNK).all(|chunk| extent(chunk).is_finite());
        if !finite && !self.saturate {
            return Err(super::non_finite(values));
        }
        let codec = self.book.fit(&Weights { values, layout: &layout, finite })?;
        Ok(Rc::new(Fit { layout, codec, finite, scratch: RefCell::default() }))
    }

    fn decode(&self, bytes: &[u8], shape: &Shape) -> Result<Vec<f32>> {
        let layout = self.book.layout(shape)?;
        let mut out = try_vec(0.0_f32, to_usize(shape.count())?)?;
        let (side, packed) = bytes.split_at(layout.side_len);
        let codec = self.book.read(side, &layout)?;
        for_each_code(packed, &layout, &mut |start, codes| {
            layout.for_each_segment(start, start + codes.len(), &mut |run, from, to| {
                codec.decode(run, &codes[from - start..to - start], &mut out[from..to]);
            });
        });
        Ok(out)
    }

    fn code_units(&self, shape: &Shape, f: &mut dyn FnMut(CodeUnit)) -> Result<bool> {
        let layout = self.book.layout(shape)?;
        let (bits, high_first) = match layout.packing {
            Packing::Bits(width) => (width, false),
            Packing::HighFirst { .. } => (4, true),
            Packing::Trits => {
                let (start, count) = (layout.side_len, layout.codes_len());
                f(CodeUnit { start, bits: 8, count, high_first: false });
                return Ok(false);
            }
        };
        layout.for_each_unit(&mut |start, end, byte| {
            f(CodeUnit { start: layout.side_len + byte, bits, count: end - start, high_first });
        });
        Ok(true)
    }
}

/// Calls `f(start, codes)` for unpacked stretches of the codes, in element order.
fn for_each_code(packed: &[u8], layout: &Layout, f: &mut dyn FnMut(usize, &[i8])) {
    let mut codes = Vec::new();
    layout.for_each_unit(&mut |start, end, byte| {
        codes.resize(end - start, 0);
        let len = layout.packing.packed_len(end - start);
        layout.packing.unpack(&packed[byte..byte + len], &mut codes);
        f(start, &codes);
    });
}

/// A family of codes fitted to a tensor.
#[derive(Debug)]
struct Fit {
    layout: Layout,
    codec: Rc<dyn Codec>,
    finite: bool,
    scratch: RefCell<Scratch>,
}

#[derive(Debug, Default)]
struct Scratch {
    weights: Vec<f32>,
    codes: Vec<i8>,
}

/// NaN becomes 0, infinities the greatest finite numbers, which every scheme then clips to its outermost levels.
fn saturated(x: f32) -> f32 {
    if x.is_nan() { 0.0 } else { x.clamp(f32::MIN, f32::MAX) }
}

impl Fit {
    /// Codes of elements `start..start + codes.len()`.
    fn codes_of(&self, values: &[f32], start: usize, weights: &mut Vec<f32>, codes: &mut [i8]) {
        self.layout.for_each_segment(start, start + codes.len(), &mut |run, from, to| {
            let codes = &mut codes[from - start..to - start];
            let x = &values[from..to];
            if self.finite {
                return self.codec.encode(run, x, codes);
            }
            weights.clear();
            weights.extend(x.iter().map(|&x| saturated(x)));
            self.codec.encode(run, weights, codes);
        });
    }
}

impl Fitted for Fit {
    fn reconstruct(&self, values: &[f32], start: usize, out: &mut [f32]) {
        let Scratch { weights, codes } = &mut *self.scratch.borrow_mut();
        for (i, out) in out.chunks_mut(CHUNK).enumerate() {
            let start = start + i * CHUNK;
            codes.resize(out.len(), 0);
            self.codes_of(values, start, weights, codes);
            self.layout.for_each_segment(start, start + out.len(), &mut |run, from, to| {
                self.codec.decode(run, &codes[from - start..to - start], &mut out[from - start..to - start]);
            });
        }
    }

    fn reconstruct_counted(&self, values: &[f32], start: usize, out: &mut [f32], tally: &mut Tally) -> bool {
        let bits = match self.layout.packing {
            Packing::Bits(width) => width,
            Packing::HighFirst { .. } => 4,
            Packing::Trits => 2,
        };
        if !self.layout.runs.even_len().is_some_and(|len| Tally::pays(len, bits)) {
            self.reconstruct(values, start, out);
            return false;
        }
        let Scratch { weights, codes } = &mut *self.scratch.borrow_mut();
        for (i, out) in out.chunks_mut(CHUNK).enumerate() {
            let start = start + i * CHUNK;
            codes.resize(out.len(), 0);
            self.codes_of(values, start, weights, codes);
            self.layout.for_each_segment(start, start + out.len(), &mut |run, from, to| {
                let codes = &codes[from - start..to - start];
                self.codec.decode(run, codes, &mut out[from - start..to - start]);
                tally.add(&Codes { run, run_len: self.layout.runs.run_len(run), bits, codes }, &|out| {
                    out.extend((0..=u8::MAX).zip(self.codec.levels(run)))
                });
            });
        }
        true
    }

    fn encode(&self, values: &[f32]) -> Result<Vec<u8>> {
        let Layout { side_len, packing, .. } = self.layout;
        let mut out = try_vec(0_u8, side_len.checked_add(self.layout.codes_len()).ok_or_else(too_long)?)?;
        let (side, packed) = out.split_at_mut(side_len);
        side.copy_from_slice(&self.codec.side());
        let Scratch { weights, codes } = &mut *self.scratch.borrow_mut();
        self.layout.for_each_unit(&mut |start, end, byte| {
            codes.resize(end - start, 0);
            self.codes_of(values, start, weights, codes);
            let len = packing.packed_len(end - start);
            packing.pack(codes, &mut packed[byte..byte + len]);
        });
        Ok(out)
    }

    fn codes(&self, bytes: &[u8]) -> Result<Vec<i32>> {
        let mut out = try_vec(0_i32, self.layout.runs.count())?;
        for_each_code(&bytes[self.layout.side_len..], &self.layout, &mut |start, codes| {
            for (out, &code) in out[start..].iter_mut().zip(codes) {
                *out = i32::from(code as u8) + self.layout.first;
            }
        });
        Ok(out)
    }

    fn runs(&self) -> usize {
        self.layout.runs.len()
    }

    fn scales(&self) -> Option<&[f32]> {
        self.codec.scales()
    }

    fn codebook(&self) -> Option<&[f32]> {
        self.codec.codebook()
    }

    fn run_at(&self, values: &[f32], index: usize) -> RunInfo {
        let (run, _) = self.layout.runs.segment_at(index);
        let levels = self.levels_at(values, index);
        let widest = levels.windows(2).map(|pair| pair[1] - pair[0]).fold(0.0, f32::max);
        let noun = self.layout.noun;
        RunInfo {
            index: run,
            label: if noun == "tensor" { noun.to_owned() } else { format!("{noun} {run}") },
            count: self.layout.runs.run_len(run),
            scale: if widest > 0.0 && widest.is_finite() { widest } else { 1.0 },
            zero_point: 0,
            low: levels.first().copied().unwrap_or(0.0),
            high: levels.last().copied().unwrap_or(0.0),
        }
    }

    fn levels_at(&self, _values: &[f32], index: usize) -> Vec<f32> {
        if self.layout.runs.is_empty() {
            return Vec::new();
        }
        let mut levels = self.codec.levels(self.layout.runs.segment_at(index).0);
        sorted::sort_few(&mut levels, |a, b| a <= b);
        levels.dedup();
        levels
    }

    fn respond(&self, _values: &[f32], index: usize, x: &[f32], out: &mut [f32]) {
        assert_eq!(x.len(), out.len(), "one answer per value");
        if self.layout.runs.is_empty() {
            return out.fill(0.0);
        }
        let (run, _) = self.layout.runs.segment_at(index);
        let x: Vec<f32> = x.iter().map(|&x| saturated(x)).collect();
        let mut codes = vec![0; x.len()];
        self.codec.encode(run, &x, &mut codes);
        self.codec.decode(run, &codes, out);
    }

    fn trace(&self, values: &[f32], index: usize) -> Trace {
        let value = values[index];
        let (run, _) = self.layout.runs.segment_at(index);
        let (mut code, mut back) = ([0], [0.0]);
        self.codec.encode(run, &[saturated(value)], &mut code);
        self.codec.decode(run, &code, &mut back);
        let ([code], [back]) = (code, back);
        let stored = i32::from(code as u8);

        let mut steps = Vec::new();
        let mut push = |op, title, operand, value: f64| steps.push(Step { op, title, operand, value });
        push("float", "weight", None, f64::from(value));
        self.codec.explain(run, saturated(value), &mut |op, title, operand, value| {
            push(op, title, Some(f64::from(operand)), f64::from(value));
        });
        push("code", "code", None, f64::from(stored + self.layout.first));
        push("back", "value read back", None, f64::from(back));

        let (byte, place) = self.layout.place(index);
        let (bit, width) = self.layout.packing.bits_of(place);
        let bit = (self.layout.side_len + byte) as u64 * 8 + bit;
        let word = match self.layout.packing {
            Packing::Trits => self.trit_byte(values, index, place),
            _ => code as u8,
        };
        Trace {
            index,
            value,
            float_bits: value.to_bits(),
            run: self.run_at(values, index),
            steps,
            code: Some(stored + self.layout.first),
            bits: (0..width).rev().map(|b| if word >> b & 1 == 1 { '1' } else { '0' }).collect(),
            byte_offset: bit / 8,
            bit_offset: (bit % 8) as u32,
            back,
            error: value - back,
            block: None,
        }
    }
}

impl Fit {
    /// The byte that a trit shares with four others; `place` is its place in the unit.
    fn trit_byte(&self, values: &[f32], index: usize, place: usize) -> u8 {
        let start = index - place % 5;
        let column = index % self.layout.runs.row_len();
        let unit_end = (column - place + self.layout.unit_len()).min(self.layout.runs.row_len());
        let mut codes = [0; 5];
        let codes = &mut codes[..(index - column + unit_end - start).min(5)];
        self.codes_of(values, start, &mut Vec::new(), codes);
        let mut byte = [0];
        Packing::Trits.pack(codes, &mut byte);
        byte[0]
    }
}
