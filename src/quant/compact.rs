//! What stands before and after any scheme: pruning ([`super::prune`]), and Huffman's code over the codes ([`super::huffman`]).
//!
//! A pruned weight does not count for the scheme: it is handed on as NaN with `nonFinite: "saturate"`, which every scheme leaves out when it
//! looks for ranges and levels. It reads back as 0 whatever the scheme, and its code is not stored.
//!
//! Packed layout: the scheme's own bytes without the codes (scales, tables), in their order; the places of the weights that stay, if some were
//! pruned; then the codes of those that stay. Without entropy coding these are one dense stream of the scheme's own width. With it, a byte that is
//! 1 before a table and a stream of code words, or 0 before the dense stream where that is no longer.
//!
//! Where a scheme's codes cannot be told apart (blocks, several codes in a byte), the bytes that hold codes are taken whole: all of them are
//! stored, and they are the symbols.

use std::cell::OnceCell;
use std::rc::Rc;

use super::catalogue::{ChoiceValue, Entry, Kind, OptionSpec, Resolved, Value};
use super::extents::Extents;
use super::huffman::{BitReader, BitWriter, Words};
use super::prune::{self, Places, Prune, Rule};
use super::trace::{RunInfo, Step, Trace};
use super::{CodeUnit, Family, Fitted, Prepared, Tally};
use crate::error::{Code, Error, Result};
use crate::kernels::{bits, extent};
use crate::stats::CHUNK;
use crate::tensor::{Shape, to_usize, try_vec};

/// The options that every scheme has besides its own.
pub(super) const OPTIONS: &[OptionSpec] = if cfg!(feature = "full") { ALL } else { &[] };

const ALL: &[OptionSpec] = {
    let [a, b, c, d, e] = prune::OPTIONS;
    &[a, b, c, d, e, ENTROPY]
};

pub(super) const ENTROPY: OptionSpec = OptionSpec {
    name: "entropy",
    title: "entropy coding",
    help: "Writes frequent codes in fewer bits. Nothing is lost; how long the result is depends on the weights.",
    kind: Kind::Choice {
        default: "none",
        values: &[ChoiceValue { value: "none", title: "none" }, ChoiceValue { value: "huffman", title: "Huffman" }],
    },
    when: None,
};

/// The family of a scheme with these options.
pub(super) fn family(entry: &Entry, options: &Resolved) -> Result<Rc<dyn Family>> {
    // A scheme that prunes by itself stores what stays in its own way.
    if !cfg!(feature = "full") || entry.options.iter().any(|option| option.name == "prune") {
        return (entry.build)(entry, options);
    }
    let prune = Prune::from_options(options)?;
    let entropy = options.choice("entropy") == "huffman";
    if prune.is_none() && !entropy {
        return (entry.build)(entry, options);
    }
    let saturate = options.choice("nonFinite") == "saturate";
    let inner = match prune {
        Some(_) => (entry.build)(entry, &options.with("nonFinite", Value::Text("saturate".to_owned())))?,
        None => (entry.build)(entry, options)?,
    };
    Ok(Rc::new(Compact { inner, prune, entropy, saturate }))
}

#[derive(Clone)]
struct Compact {
    inner: Rc<dyn Family>,
    prune: Option<Prune>,
    entropy: bool,
    saturate: bool,
}

/// What the inner scheme's bytes are made of.
#[derive(Debug, Clone)]
struct Parts {
    /// All bytes of the inner scheme.
    inner_len: usize,
    /// Those that hold no codes.
    side_len: usize,
    units: Vec<CodeUnit>,
    /// Symbols in all units.
    symbols: usize,
    /// Bits of a symbol.
    width: u32,
    /// Whether each element has a symbol.
    by_element: bool,
    /// Bytes of the stored places.
    places_len: usize,
}

fn unit_len(unit: &CodeUnit) -> usize {
    bits::packed_len(unit.count, unit.bits)
}

fn wrong(what: &str) -> Error {
    Error::new(Code::ShapeMismatch, what)
}

impl Compact {
    fn parts(&self, shape: &Shape) -> Result<Parts> {
        let mut units: Vec<CodeUnit> = Vec::new();
        // Neighbours without a gap are one unit.
        let by_element = self.inner.code_units(shape, &mut |unit| match units.last_mut() {
            Some(last)
                if last.start + unit_len(last) == unit.start && (last.count * last.bits as usize).is_multiple_of(8) =>
            {
                last.count += unit.count;
            }
            _ => units.push(unit),
        })?;
        let inner_len = self.inner.byte_len(shape)?;
        let places_len = self.prune.map_or(Ok(0), |prune| prune.places_len(shape))?;
        Ok(Parts {
            inner_len,
            side_len: inner_len - units.iter().map(unit_len).sum::<usize>(),
            symbols: units.iter().map(|unit| unit.count).sum(),
            width: units.first().map_or(8, |unit| unit.bits),
            units,
            by_element,
            places_len,
        })
    }
}

impl Parts {
    /// Takes the inner scheme's bytes apart: `(side information, symbols)`.
    fn split(&self, inner: &[u8]) -> Result<(Vec<u8>, Vec<u8>)> {
        let mut side = Vec::with_capacity(self.side_len);
        let mut symbols = try_vec(0_u8, self.symbols)?;
        let (mut from, mut rest) = (0, &mut symbols[..]);
        let (mut bytes, mut codes) = (Vec::new(), Vec::new());
        for unit in &self.units {
            side.extend_from_slice(&inner[from..unit.start]);
            from = unit.start + unit_len(unit);
            let (own, others) = rest.split_at_mut(unit.count);
            rest = others;
            let packed = inner[unit.start..from].chunks(bits::packed_len(CHUNK, unit.bits));
            for (packed, own) in packed.zip(own.chunks_mut(CHUNK)) {
                bytes.clear();
                bytes.extend(packed.iter().map(|byte| if unit.high_first { byte.rotate_left(4) } else { *byte }));
                codes.resize(own.len(), 0);
                bits::unpack(&bytes, unit.bits, &mut codes);
                own.iter_mut().zip(&codes).for_each(|(symbol, code)| *symbol = *code as u8 & (0xFF >> (8 - unit.bits)));
            }
        }
        side.extend_from_slice(&inner[from..]);
        Ok((side, symbols))
    }

    /// Puts them together again.
    fn join(&self, mut side: &[u8], mut symbols: &[u8]) -> Result<Vec<u8>> {
        let mut inner = try_vec(0_u8, self.inner_len)?;
        let mut from = 0;
        let mut codes = Vec::new();
        for unit in &self.units {
            let (before, rest) = side.split_at(unit.start - from);
            inner[from..unit.start].copy_from_slice(before);
            side = rest;
            from = unit.start + unit_len(unit);
            let (own, rest) = symbols.split_at(unit.count);
            symbols = rest;
            let packed = inner[unit.start..from].chunks_mut(bits::packed_len(CHUNK, unit.bits));
            for (packed, own) in packed.zip(own.chunks(CHUNK)) {
                codes.clear();
                codes.extend(own.iter().map(|&symbol| symbol as i8));
                bits::pack(&codes, unit.bits, packed);
                if unit.high_first {
                    packed.iter_mut().for_each(|byte| *byte = byte.rotate_left(4));
                }
            }
        }
        inner[from..].copy_from_slice(side);
        Ok(inner)
    }

    /// Symbols that are stored: those of elements that stay, or all.
    fn stored(&self, symbols: Vec<u8>, places: Option<&Places>) -> Vec<u8> {
        match places.filter(|_| self.by_element) {
            Some(places) => places.of_kept(symbols),
            None => symbols,
        }
    }
}

impl Family for Compact {
    fn byte_len(&self, shape: &Shape) -> Result<usize> {
        let parts = self.parts(shape)?;
        let kept = match self.prune.filter(|_| parts.by_element) {
            Some(prune) => prune.kept_of(shape)?.unwrap_or(parts.symbols),
            None => parts.symbols,
        };
        Ok(parts.side_len + parts.places_len + usize::from(self.entropy) + bits::packed_len(kept, parts.width))
    }

    fn is_len_exact(&self) -> bool {
        !self.entropy && !matches!(self.prune, Some(Prune::Threshold(_)))
    }

    fn cost(&self) -> f64 {
        self.inner.cost() + 10.0
    }

    fn prepare(&self, values: &[f32], shape: &Shape, known: &Extents) -> Result<Prepared> {
        let (mut pruned, mut inner) = (None, None);
        if let Some(prune) = self.prune {
            if !self.saturate && !values.chunks(CHUNK).all(|chunk| extent(chunk).is_finite()) {
                return Err(super::non_finite(values));
            }
            let (rule, places) = prune.fit(values, shape)?;
            let mut masked = try_vec(0.0, values.len())?;
            masked.copy_from_slice(values);
            places.fill_pruned(0, f32::NAN, &mut masked);
            inner = Some(self.inner.prepare(&masked, shape, &Extents::default())?);
            pruned = Some(Pruned { prune, rule, places, masked });
        }
        let inner = inner.map_or_else(|| self.inner.prepare(values, shape, known), Ok)?;
        let fit = Fit {
            compact: self.clone(),
            parts: self.parts(shape)?,
            shape: shape.clone(),
            inner,
            pruned,
            coded: OnceCell::new(),
        };
        Ok(Rc::new(fit))
    }

    fn decode(&self, bytes: &[u8], shape: &Shape) -> Result<Vec<f32>> {
        let parts = self.parts(shape)?;
        let (inner, places) = self.unpack(bytes, shape, &parts)?;
        let mut out = self.inner.decode(&inner, shape)?;
        if let Some(places) = places {
            places.fill_pruned(0, 0.0, &mut out);
        }
        Ok(out)
    }
}

impl Compact {
    /// The inner scheme's bytes, with codes of 0 for pruned weights, and the places.
    fn unpack(&self, bytes: &[u8], shape: &Shape, parts: &Parts) -> Result<(Vec<u8>, Option<Places>)> {
        let head = parts.side_len + parts.places_len;
        let (Some(side), Some(stored_places), Some(codes)) =
            (bytes.get(..parts.side_len), bytes.get(parts.side_len..head), bytes.get(head..))
        else {
            return Err(wrong("the packed tensor ends before its codes").with_expected(head).with_found(bytes.len()));
        };
        let places = self.prune.map(|prune| prune.read(stored_places, shape)).transpose()?;
        let stays = places.as_ref().filter(|_| parts.by_element);
        let mut stored = try_vec(0_u8, stays.map_or(parts.symbols, |places| places.kept))?;
        self.read_codes(codes, parts, &mut stored)?;
        let symbols = match stays {
            None => stored,
            Some(places) => {
                let mut symbols = try_vec(0_u8, parts.symbols)?;
                let kept = symbols.iter_mut().enumerate().filter(|(i, _)| places.keeps(*i));
                kept.zip(stored).for_each(|((_, symbol), stored)| *symbol = stored);
                symbols
            }
        };
        Ok((parts.join(side, &symbols)?, places))
    }

    fn read_codes(&self, codes: &[u8], parts: &Parts, stored: &mut [u8]) -> Result<()> {
        let dense = if self.entropy {
            match codes.split_first() {
                Some((1, rest)) => {
                    let table_len = Words::table_len(parts.width);
                    let table =
                        rest.get(..table_len).ok_or_else(|| wrong("the table of the Huffman code is cut off"))?;
                    return Words::read(table)?.decode(&rest[table_len..], stored);
                }
                Some((0, rest)) => rest,
                _ => return Err(wrong("the codes begin with neither 0 nor 1")),
            }
        } else {
            codes
        };
        let expected = bits::packed_len(stored.len(), parts.width);
        if dense.len() != expected {
            return Err(wrong("these are not as many codes as weights stay")
                .with_expected(expected)
                .with_found(dense.len()));
        }
        let mut reader = BitReader::new(dense);
        for symbol in stored {
            *symbol = reader.peek(parts.width) as u8;
            reader.skip(parts.width);
        }
        Ok(())
    }
}

/// A scheme with pruning or entropy coding, fitted to a tensor.
struct Fit {
    compact: Compact,
    parts: Parts,
    shape: Shape,
    inner: Prepared,
    pruned: Option<Pruned>,
    /// Made when it is first asked for.
    coded: OnceCell<Coded>,
}

#[derive(Debug)]
struct Pruned {
    prune: Prune,
    rule: Rule,
    places: Places,
    /// The weights, NaN where one was pruned.
    masked: Vec<f32>,
}

/// The symbols of a tensor, and the words that are shorter than they.
#[derive(Debug)]
struct Coded {
    side: Vec<u8>,
    symbols: Vec<u8>,
    words: Option<Words>,
}

impl Fit {
    fn places(&self) -> Option<&Places> {
        self.pruned.as_ref().map(|pruned| &pruned.places)
    }

    /// What the inner scheme was fitted to.
    fn seen<'a>(&'a self, values: &'a [f32]) -> &'a [f32] {
        self.pruned.as_ref().map_or(values, |pruned| &pruned.masked)
    }

    fn is_pruned(&self, index: usize) -> bool {
        self.places().is_some_and(|places| !places.keeps(index))
    }

    fn coded(&self, values: &[f32]) -> Result<&Coded> {
        if let Some(coded) = self.coded.get() {
            return Ok(coded);
        }
        let (side, symbols) = self.parts.split(&self.inner.encode(self.seen(values))?)?;
        let symbols = self.parts.stored(symbols, self.places());
        let width = self.parts.width;
        let words = self.compact.entropy.then(|| Words::of(&symbols, width)).filter(|words| {
            let table_bits = Words::table_len(width) as u64 * 8;
            (words.bit_len(&symbols) + table_bits).div_ceil(8) < bits::packed_len(symbols.len(), width) as u64
        });
        Ok(self.coded.get_or_init(|| Coded { side, symbols, words }))
    }

    /// Where the codes begin: after the flag and the table, if there are such.
    fn codes_start(&self, coded: &Coded) -> usize {
        let table = coded.words.as_ref().map_or(0, |_| Words::table_len(self.parts.width));
        self.parts.side_len + self.parts.places_len + usize::from(self.compact.entropy) + table
    }

    /// First bit, number of bits and bits of what is stored for an element.
    fn stored_bits(&self, values: &[f32], index: usize, inner: &Trace) -> Option<(u64, u32, u64)> {
        let coded = self.coded(values).ok()?;
        let width = self.parts.width;
        let symbol = if self.parts.by_element {
            self.places().map_or(index, |places| places.kept_before(index))
        } else {
            // The symbol is the byte in which the inner scheme has the code.
            let byte = inner.byte_offset as usize;
            let mut before = 0;
            let unit = self.parts.units.iter().find(|unit| {
                let found = (unit.start..unit.start + unit_len(unit)).contains(&byte);
                before += if found { 0 } else { unit.count };
                found
            })?;
            before + byte - unit.start
        };
        let start = self.codes_start(coded) as u64 * 8;
        let own = *coded.symbols.get(symbol)?;
        Some(match &coded.words {
            None => (start + symbol as u64 * u64::from(width), width, u64::from(own)),
            Some(words) => {
                let (word, length) = words.word(own);
                (start + words.bit_len(&coded.symbols[..symbol]), length, u64::from(word))
            }
        })
    }
}

impl Fitted for Fit {
    fn reconstruct(&self, values: &[f32], start: usize, out: &mut [f32]) {
        self.inner.reconstruct(self.seen(values), start, out);
        if let Some(places) = self.places() {
            places.fill_pruned(start, 0.0, out);
        }
    }

    fn reconstruct_counted(&self, values: &[f32], start: usize, out: &mut [f32], tally: &mut Tally) -> bool {
        if self.places().is_some() {
            self.reconstruct(values, start, out);
            return false;
        }
        self.inner.reconstruct_counted(self.seen(values), start, out, tally)
    }

    fn encode(&self, values: &[f32]) -> Result<Vec<u8>> {
        let coded = self.coded(values)?;
        let mut out = coded.side.clone();
        if let Some(Pruned { prune, places, .. }) = &self.pruned {
            prune.write(places, &self.shape, &mut out);
        }
        let Some(words) = &coded.words else {
            out.extend(self.compact.entropy.then_some(0));
            let mut bits = BitWriter::new(&mut out);
            coded.symbols.iter().for_each(|&symbol| bits.put(u32::from(symbol), self.parts.width));
            bits.finish();
            return Ok(out);
        };
        out.push(1);
        out.extend_from_slice(&words.table());
        let start = out.len();
        words.write(&coded.symbols, &mut out);
        // Nothing leaves that does not come back.
        let mut back = try_vec(0_u8, coded.symbols.len())?;
        words.decode(&out[start..], &mut back)?;
        if back != coded.symbols {
            return Err(wrong("the Huffman code did not come back as it was written"));
        }
        Ok(out)
    }

    fn encoded_len(&self, values: &[f32]) -> Result<Option<usize>> {
        let coded = self.coded(values)?;
        let bits = match &coded.words {
            None => coded.symbols.len() as u64 * u64::from(self.parts.width),
            Some(words) => words.bit_len(&coded.symbols),
        };
        Ok(Some(self.codes_start(coded) + to_usize(bits.div_ceil(8))?))
    }

    fn codes(&self, bytes: &[u8]) -> Result<Vec<i32>> {
        let (inner, places) = self.compact.unpack(bytes, &self.shape, &self.parts)?;
        let mut codes = self.inner.codes(&inner)?;
        if let Some(places) = places {
            codes.iter_mut().enumerate().filter(|(i, _)| !places.keeps(*i)).for_each(|(_, code)| *code = 0);
        }
        Ok(codes)
    }

    fn reads_finite(&self) -> bool {
        self.inner.reads_finite()
    }

    fn runs(&self) -> usize {
        self.inner.runs()
    }

    fn scales(&self) -> Option<&[f32]> {
        self.inner.scales()
    }

    fn zero_points(&self) -> Option<&[i8]> {
        self.inner.zero_points()
    }

    fn codebook(&self) -> Option<&[f32]> {
        self.inner.codebook()
    }

    fn run_at(&self, values: &[f32], index: usize) -> RunInfo {
        self.inner.run_at(self.seen(values), index)
    }

    fn levels_at(&self, values: &[f32], index: usize) -> Vec<f32> {
        let mut levels = self.inner.levels_at(self.seen(values), index);
        if self.pruned.is_some() && !levels.contains(&0.0) {
            let at = levels.partition_point(|&level| level < 0.0);
            levels.insert(at, 0.0);
        }
        levels
    }

    fn respond(&self, values: &[f32], index: usize, x: &[f32], out: &mut [f32]) {
        self.inner.respond(self.seen(values), index, x, out);
        if let Some(Pruned { rule, .. }) = &self.pruned {
            for (&x, out) in x.iter().zip(out) {
                if rule.prunes(values, index, x) {
                    *out = 0.0;
                }
            }
        }
    }

    fn trace(&self, values: &[f32], index: usize) -> Trace {
        let value = values[index];
        let mut trace = self.inner.trace(self.seen(values), index);
        let (mut place, mut count, mut word) = (trace.byte_offset * 8 + u64::from(trace.bit_offset), 0, 0);
        if let Some(Pruned { prune, places, .. }) = self.pruned.as_ref().filter(|_| self.is_pruned(index)) {
            let step = |op, title, value: f32| Step { op, title, operand: None, value: f64::from(value) };
            trace.steps =
                vec![step("float", "weight", value), step("prune", "prune", 0.0), step("back", "value read back", 0.0)];
            (trace.code, trace.back) = (Some(0), 0.0);
            // What is stored of it is that it does not stay.
            let (bit, bits) = prune.place_bits(&self.shape, index);
            let mut stored = Vec::new();
            prune.write(places, &self.shape, &mut stored);
            (place, count) = (self.parts.side_len as u64 * 8 + bit, bits);
            word = (0..u64::from(bits)).rev().fold(0, |word, i| {
                let at = (bit + i) as usize;
                word << 1 | u64::from(stored[at / 8] >> (at % 8) & 1)
            });
        } else if let Some(found) = self.stored_bits(values, index, &trace) {
            (place, count, word) = found;
        }
        (trace.value, trace.float_bits, trace.error) = (value, value.to_bits(), value - trace.back);
        trace.bits = (0..count).rev().map(|i| if word >> i & 1 == 1 { '1' } else { '0' }).collect();
        (trace.byte_offset, trace.bit_offset) = (place / 8, (place % 8) as u32);
        // The blocks are taken apart.
        trace.block = None;
        trace
    }
}
