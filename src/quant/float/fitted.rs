//! A float format fitted to one tensor.

use std::rc::Rc;

use super::super::extents::Extents;
use super::super::runs::{Granularity, Runs};
use super::super::trace::{BitField, Block, Part, RunInfo, Step, Trace};
use super::super::{Family, Fitted, Prepared, non_finite};
use super::fields;
use crate::error::{Code, Error, Result};
use crate::kernels::best::{self, Weighting};
use crate::kernels::float::{self, Narrow};
use crate::stats::CHUNK;
use crate::tensor::{Shape, to_usize, try_vec};

/// What shares a scale.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Scaling {
    None,
    Tensor,
    Channel {
        axis: usize,
    },
    /// Blocks of [`BLOCK`] with an E4M3 scale each, under one of the tensor.
    Blocks {
        flatten: bool,
    },
}

/// A float scheme with every option decided.
#[derive(Debug, Clone)]
pub(super) struct Float {
    pub format: Narrow,
    pub scaling: Scaling,
    /// Overflow becomes the greatest finite value.
    pub saturate_overflow: bool,
    /// What is not finite in the tensor is replaced.
    pub saturate: bool,
    /// Whether scales of blocks are searched, and what counts then.
    pub search: Option<Weighting>,
}

/// Weights of a block.
const BLOCK: usize = 16;
/// Bytes of a block: a scale and 16 codes.
const BLOCK_BYTES: usize = 9;
/// Levels of a 16-bit format that are listed on each side of a weight.
const LEVELS_EACH_SIDE: i32 = 2048;

impl Float {
    /// The runs that share a scale; for none one run, the tensor.
    fn runs(&self, shape: &Shape) -> Result<Runs> {
        match self.scaling {
            Scaling::Channel { axis } => Runs::new(shape, Granularity::Channel { axis }),
            Scaling::Blocks { flatten } => {
                let (_, row) = shape.matrix();
                if !flatten && shape.count() > 0 && !row.is_multiple_of(BLOCK as u64) {
                    return Err(Error::new(Code::ShapeMismatch, "nv_nvfp4 needs rows of a multiple of 16 weights")
                        .with_expected("rows divisible by 16, or the option flatten: true")
                        .with_found(format!("rows of {row}")));
                }
                Runs::new(&Shape::new(&[shape.count()])?, Granularity::Group { size: BLOCK })
            }
            _ => Runs::new(shape, Granularity::Tensor),
        }
    }

    /// Bytes before the codes, or before the blocks.
    fn header(&self, runs: &Runs) -> usize {
        match self.scaling {
            Scaling::None => 0,
            _ if runs.is_empty() => 0,
            Scaling::Blocks { .. } => 4,
            _ => 4 * runs.len(),
        }
    }

    fn len(&self, runs: &Runs) -> usize {
        let codes = match self.scaling {
            Scaling::Blocks { .. } => BLOCK_BYTES * runs.len(),
            _ if self.format.bits() == 16 => 2 * runs.count(),
            _ => runs.codes_len(self.format.bits()),
        };
        self.header(runs) + codes
    }

    /// The code of an element begins at this bit of the packed tensor.
    fn code_bit(&self, runs: &Runs, index: usize) -> u64 {
        let bits = self.format.bits();
        let at = match self.scaling {
            Scaling::Blocks { .. } => (index / BLOCK * BLOCK_BYTES * 8 + 8) as u64 + (index % BLOCK) as u64 * 4,
            _ if bits == 16 => index as u64 * 16,
            _ => runs.code_bit(index, bits),
        };
        self.header(runs) as u64 * 8 + at
    }

    /// Calls `f(start, end, first byte, end byte)` for stretches of codes that fill bytes, all but the last of a multiple of a block.
    fn for_each_stretch(&self, runs: &Runs, mut f: impl FnMut(usize, usize, usize, usize)) {
        let (bits, header) = (self.format.bits(), self.header(runs));
        if let Scaling::Blocks { .. } = self.scaling {
            for block in 0..runs.len() {
                let at = header + block * BLOCK_BYTES;
                f(block * BLOCK, ((block + 1) * BLOCK).min(runs.count()), at + 1, at + BLOCK_BYTES);
            }
            return;
        }
        let mut whole = |start: usize, end: usize, byte: usize| {
            for from in (start..end).step_by(CHUNK) {
                let to = (from + CHUNK).min(end);
                let byte = byte + (from - start) * bits as usize / 8;
                f(from, to, byte, byte + ((to - from) * bits as usize).div_ceil(8));
            }
        };
        if bits == 16 || runs.codes_are_dense(bits) {
            whole(0, runs.count(), header);
        } else {
            runs.for_each_unit(bits, |start, end, byte, _| whole(start, end, header + byte));
        }
    }

    /// Scales that put these magnitudes on the greatest value. With them the tensor's, and each block's code, where blocks have one.
    fn scales(&self, peaks: &[f32]) -> (Vec<f32>, f32, Vec<u8>) {
        match self.scaling {
            Scaling::None => (vec![1.0; peaks.len()], 1.0, Vec::new()),
            Scaling::Blocks { .. } => {
                let (most, block_most) = (self.format.max(), Narrow::E4M3.max());
                let tensor = scale_for(peaks.iter().fold(0.0, |m, &peak| f32::max(m, peak)), most * block_most);
                // No block has scale 0.
                let code = |peak: &f32| Narrow::E4M3.code(peak / most / tensor).max(1) as u8;
                let codes: Vec<u8> = peaks.iter().map(code).collect();
                (codes.iter().map(|&code| block_scale(code, tensor)).collect(), tensor, codes)
            }
            _ => (peaks.iter().map(|&peak| scale_for(peak, self.format.max())).collect(), 1.0, Vec::new()),
        }
    }
}

impl Float {
    /// The code of a block's scale with the least error, of sixteen around the reference's.
    fn best_code(&self, x: &[f32], reference: u8, tensor: f32, weighting: Weighting) -> u8 {
        let mut weights = [1.0; BLOCK];
        let weights = &mut weights[..x.len()];
        best::fill_weights(x, weighting, weights);
        let (mut found, mut least) = (reference, f32::INFINITY);
        let last = Narrow::E4M3.largest as u8;
        for first in [reference.saturating_sub(7), reference.saturating_add(1)] {
            let tried: [u8; 8] = std::array::from_fn(|l| first.saturating_add(l as u8).clamp(1, last));
            let scales = tried.map(|code| block_scale(code, tensor));
            // The levels are twice those of the format.
            let errors = best::errors_in(x, weights, &best::FP4_TIMES_TWO, &scales.map(|s| 0.5 * s), tensor);
            let (l, error) = best::least_of(&errors);
            if error < least {
                (found, least) = (tried[l], error);
            }
        }
        if self.error_with(x, weights, found, tensor) < self.error_with(x, weights, reference, tensor) {
            found
        } else {
            reference
        }
    }

    /// The true error of a block with this code of its scale.
    fn error_with(&self, x: &[f32], weights: &[f32], code: u8, tensor: f32) -> f64 {
        let (mut codes, mut back) = ([0; BLOCK], [0.0; BLOCK]);
        let (codes, back) = (&mut codes[..x.len()], &mut back[..x.len()]);
        let scale = block_scale(code, tensor);
        float::codes(self.format, x, scale, true, codes);
        float::values(self.format, codes, scale, back);
        best::error(x, weights, back)
    }
}

fn block_scale(code: u8, tensor: f32) -> f32 {
    Narrow::E4M3.value(u16::from(code)) * tensor
}

/// `peak / most`, made so that `most` times it is finite; 1 where that is below the least normal number.
fn scale_for(peak: f32, most: f32) -> f32 {
    let mut scale = peak / most;
    if scale < f32::MIN_POSITIVE {
        return 1.0;
    }
    while !(scale * most).is_finite() {
        scale = scale.next_down();
    }
    scale
}

impl Family for Float {
    fn byte_len(&self, shape: &Shape) -> Result<usize> {
        Ok(self.len(&self.runs(shape)?))
    }

    fn prepare(&self, values: &[f32], shape: &Shape, known: &Extents) -> Result<Prepared> {
        let runs = self.runs(shape)?;
        let extents = known.of(values, shape, &runs)?;
        let finite = extents.iter().all(|e| e.is_finite());
        if !finite && !self.saturate {
            return Err(non_finite(values));
        }
        let magnitude = |x: &f32| if x.is_finite() { x.abs() } else { 0.0 };
        let largest = (!finite).then(|| values.iter().map(magnitude).fold(0.0, f32::max));
        let peaks: Vec<f32> = match largest {
            None => extents.iter().map(|e| e.abs_max).collect(),
            Some(largest) => {
                let mut gathered = Vec::new();
                let one = |x: &f32| if x.is_infinite() { largest } else { magnitude(x) };
                (0..runs.len())
                    .map(|run| runs.values(run, values, &mut gathered).iter().map(one).fold(0.0, f32::max))
                    .collect()
            }
        };
        let (mut scales, tensor_scale, mut block_codes) = self.scales(&peaks);
        if let Some(weighting) = self.search.filter(|_| finite) {
            let mut gathered = Vec::new();
            for (run, code) in block_codes.iter_mut().enumerate() {
                let x = runs.values(run, values, &mut gathered);
                *code = self.best_code(x, *code, tensor_scale, weighting);
                scales[run] = block_scale(*code, tensor_scale);
            }
        }
        let peak = peaks.iter().fold(0.0, |m, &peak| f32::max(m, peak));
        Ok(Rc::new(Fit { float: self.clone(), runs, scales, tensor_scale, block_codes, peak, largest }))
    }

    fn decode(&self, bytes: &[u8], shape: &Shape) -> Result<Vec<f32>> {
        let runs = self.runs(shape)?;
        let mut out = try_vec(0.0_f32, to_usize(shape.count())?)?;
        let floats: Vec<f32> =
            bytes[..self.header(&runs)].as_chunks::<4>().0.iter().map(|b| f32::from_le_bytes(*b)).collect();
        let mut codes = [0; CHUNK];
        self.for_each_stretch(&runs, |start, end, byte, byte_end| {
            let codes = &mut codes[..end - start];
            float::unpack(
                &bytes[byte..byte + (codes.len() * self.format.bits() as usize).div_ceil(8)],
                self.format.bits(),
                codes,
            );
            runs.for_each_segment(start, end, |run, from, to| {
                let scale = match self.scaling {
                    Scaling::None => 1.0,
                    Scaling::Blocks { .. } => block_scale(bytes[byte_end - BLOCK_BYTES], floats[0]),
                    _ => floats[run],
                };
                float::values(self.format, &codes[from - start..to - start], scale, &mut out[from..to]);
            });
        });
        Ok(out)
    }
}

/// See [`Float`].
#[derive(Debug)]
struct Fit {
    float: Float,
    runs: Runs,
    /// What values of codes are multiplied by, one for each run.
    scales: Vec<f32>,
    tensor_scale: f32,
    block_codes: Vec<u8>,
    /// The largest magnitude.
    peak: f32,
    /// The greatest finite magnitude, where some weights are not finite.
    largest: Option<f32>,
}

impl Fit {
    /// Codes of elements `start..start + codes.len()`.
    fn codes_of(&self, values: &[f32], start: usize, codes: &mut [u16]) {
        let (format, saturate) = (self.float.format, self.float.saturate_overflow);
        let mut scratch = Vec::new();
        self.runs.for_each_segment(start, start + codes.len(), |run, from, to| {
            let mut x = &values[from..to];
            if let Some(largest) = self.largest {
                scratch.clear();
                scratch.extend(x.iter().map(|&x| finite(x, largest)));
                x = &scratch;
            }
            float::codes(format, x, self.scales[run], saturate, &mut codes[from - start..to - start]);
        });
    }

    fn values_of(&self, codes: &[u16], start: usize, out: &mut [f32]) {
        self.runs.for_each_segment(start, start + codes.len(), |run, from, to| {
            let (codes, out) = (&codes[from - start..to - start], &mut out[from - start..to - start]);
            float::values(self.float.format, codes, self.scales[run], out);
        });
    }

    fn code_at(&self, values: &[f32], index: usize) -> u16 {
        let mut code = [0];
        self.codes_of(values, index, &mut code);
        code[0]
    }

    fn scale_at(&self, index: usize) -> f32 {
        self.scales[self.runs.segment_at(index).0]
    }

    /// The code of the greatest level that is shown: that of the largest magnitude, without a scale.
    fn top(&self) -> i32 {
        let format = self.float.format;
        i32::from(if self.float.scaling == Scaling::None { format.code(self.peak).max(1) } else { format.largest })
    }

    /// The value of a code below the sign, negative for a negative one.
    fn level(&self, code: i32, scale: f32) -> f32 {
        let value = self.float.format.value(code.unsigned_abs() as u16) * scale;
        if code < 0 { -value } else { value }
    }
}

fn finite(x: f32, largest: f32) -> f32 {
    match x {
        x if x.is_nan() => 0.0,
        x if x.is_infinite() => largest.copysign(x),
        x => x,
    }
}

impl Fitted for Fit {
    fn reconstruct(&self, values: &[f32], start: usize, out: &mut [f32]) {
        let mut codes = [0; CHUNK];
        for (i, out) in out.chunks_mut(CHUNK).enumerate() {
            let codes = &mut codes[..out.len()];
            self.codes_of(values, start + i * CHUNK, codes);
            self.values_of(codes, start + i * CHUNK, out);
        }
    }

    fn encode(&self, values: &[f32]) -> Result<Vec<u8>> {
        let mut out = try_vec(0_u8, self.float.len(&self.runs))?;
        let header = self.float.header(&self.runs);
        let tensor = [self.tensor_scale];
        let floats = if self.block_codes.is_empty() { self.scales.as_slice() } else { &tensor };
        out[..header].as_chunks_mut::<4>().0.iter_mut().zip(floats).for_each(|(b, x)| *b = x.to_le_bytes());
        for (block, code) in out[header..].chunks_exact_mut(BLOCK_BYTES).zip(&self.block_codes) {
            block[0] = *code;
        }
        let bits = self.float.format.bits();
        let mut codes = [0; CHUNK];
        self.float.for_each_stretch(&self.runs, |start, end, byte, _| {
            let codes = &mut codes[..end - start];
            self.codes_of(values, start, codes);
            float::pack(codes, bits, &mut out[byte..byte + (codes.len() * bits as usize).div_ceil(8)]);
        });
        Ok(out)
    }

    fn codes(&self, bytes: &[u8]) -> Result<Vec<i32>> {
        let bits = self.float.format.bits();
        let mut out = try_vec(0_i32, self.runs.count())?;
        let mut codes = [0; CHUNK];
        self.float.for_each_stretch(&self.runs, |start, end, byte, _| {
            let codes = &mut codes[..end - start];
            float::unpack(&bytes[byte..byte + (codes.len() * bits as usize).div_ceil(8)], bits, codes);
            out[start..end].iter_mut().zip(codes).for_each(|(out, code)| *out = i32::from(*code));
        });
        Ok(out)
    }

    fn reads_finite(&self) -> bool {
        self.float.saturate_overflow || self.float.scaling != Scaling::None || {
            let mut code = [0];
            float::codes(self.float.format, &[self.peak], 1.0, false, &mut code);
            code[0] <= self.float.format.largest
        }
    }

    fn runs(&self) -> usize {
        self.runs.len()
    }

    fn scales(&self) -> Option<&[f32]> {
        (self.float.scaling != Scaling::None).then_some(&self.scales)
    }

    fn run_at(&self, _values: &[f32], index: usize) -> RunInfo {
        let (run, _) = self.runs.segment_at(index);
        let (scale, top) = (self.scales[run], self.top());
        let label = match self.float.scaling {
            Scaling::Channel { .. } => format!("channel {run}"),
            Scaling::Blocks { .. } => format!("block {run}"),
            _ => "tensor".to_owned(),
        };
        let high = self.level(top, scale);
        RunInfo {
            index: run,
            label,
            count: self.runs.run_len(run),
            scale: high - self.level(top - 1, scale),
            zero_point: 0,
            low: -high,
            high,
        }
    }

    fn levels_at(&self, values: &[f32], index: usize) -> Vec<f32> {
        if self.runs.is_empty() {
            return Vec::new();
        }
        let format = self.float.format;
        let (top, scale) = (self.top(), self.scale_at(index));
        let (mut low, mut high) = (-top, top);
        if format.bits() == 16 {
            let code = self.code_at(values, index);
            let magnitude = i32::from((code & (format.sign() - 1)).min(format.largest));
            let at = if code & format.sign() == 0 { magnitude } else { -magnitude };
            (low, high) = (low.max(at - LEVELS_EACH_SIDE), high.min(at + LEVELS_EACH_SIDE));
        }
        (low..=high).map(|code| self.level(code, scale)).collect()
    }

    fn respond(&self, _values: &[f32], index: usize, x: &[f32], out: &mut [f32]) {
        assert_eq!(x.len(), out.len(), "one answer per value");
        if self.runs.is_empty() {
            return out.fill(0.0);
        }
        let scale = self.scale_at(index);
        let mut codes = [0; CHUNK];
        for (x, out) in x.chunks(CHUNK).zip(out.chunks_mut(CHUNK)) {
            let codes = &mut codes[..x.len()];
            float::codes(self.float.format, x, scale, self.float.saturate_overflow, codes);
            float::values(self.float.format, codes, scale, out);
        }
    }

    fn trace(&self, values: &[f32], index: usize) -> Trace {
        let format = self.float.format;
        let value = values[index];
        let (code, scale) = (self.code_at(values, index), self.scale_at(index));
        let entry = format.value(code);
        let back = entry * scale;
        let scaled = self.float.scaling != Scaling::None;
        let mut steps = Vec::new();
        let mut push = |op, title, operand, value: f64| steps.push(Step { op, title, operand, value });
        push("float", "weight", None, f64::from(value));
        if scaled {
            push("divide", "divide by the scale", Some(f64::from(scale)), f64::from(value / scale));
        }
        push("entry", "take a level of the format", None, f64::from(entry));
        push("code", "code", None, f64::from(code));
        if scaled {
            push("multiply", "multiply by the scale", Some(f64::from(scale)), f64::from(back));
        }
        push("back", "value read back", None, f64::from(back));

        let bits = format.bits();
        let bit = self.float.code_bit(&self.runs, index);
        // A weight in bytes of its own is a block of one; two codes of half a byte are one of two.
        let (weights, parts): (usize, &'static [Part]) = match (self.float.scaling, bits) {
            (Scaling::Blocks { .. }, _) => {
                (BLOCK, &[Part { name: "scale", bytes: 1 }, Part { name: "codes", bytes: BLOCK_BYTES - 1 }])
            }
            (_, 16) => (1, &[Part { name: "codes", bytes: 2 }]),
            (_, 8) => (1, &[Part { name: "codes", bytes: 1 }]),
            _ => (2, &[Part { name: "codes", bytes: 1 }]),
        };
        let offset = match self.float.scaling {
            Scaling::Blocks { .. } => (self.float.header(&self.runs) + index / BLOCK * BLOCK_BYTES) as u64,
            _ => bit / 8,
        };
        let mut shown = fields(format, parts.len() - 1, (bit - offset * 8) as u32).to_vec();
        if weights == BLOCK {
            shown.insert(0, BitField { part: 0, bit: 0, bits: 8 });
        }
        let bytes: usize = parts.iter().map(|part| part.bytes).sum();
        Trace {
            index,
            value,
            float_bits: value.to_bits(),
            run: self.run_at(values, index),
            steps,
            code: Some(i32::from(code)),
            bits: (0..bits).rev().map(|b| if code >> b & 1 == 1 { '1' } else { '0' }).collect(),
            byte_offset: bit / 8,
            bit_offset: (bit % 8) as u32,
            back,
            error: value - back,
            block: Some(Block {
                offset,
                weights,
                parts,
                fields: shown,
                bytes: self.bytes_of(values, index, weights, bytes),
            }),
        }
    }
}

impl Fit {
    /// The packed bytes of the block that [`Fitted::trace`] shows.
    fn bytes_of(&self, values: &[f32], index: usize, weights: usize, bytes: usize) -> Vec<u8> {
        let bits = self.float.format.bits();
        let (start, end) = match self.float.scaling {
            Scaling::Blocks { .. } => (index / BLOCK * BLOCK, index / BLOCK * BLOCK + BLOCK),
            // Pairs begin anew in each row.
            _ if weights == 2 => {
                let start = index - index % self.runs.row_len() % 2;
                (start, (start + 2).min((index / self.runs.row_len() + 1) * self.runs.row_len()))
            }
            _ => (index, index + 1),
        };
        let mut codes = vec![0; end.min(values.len()) - start];
        self.codes_of(values, start, &mut codes);
        codes.resize(weights, 0);
        let mut out = vec![0; bytes];
        let header = if weights == BLOCK { 1 } else { 0 };
        if let Some(&code) = self.block_codes.get(index / BLOCK) {
            out[0] = code;
        }
        float::pack(&codes, bits, &mut out[header..]);
        out
    }
}
