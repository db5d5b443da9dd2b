//! The packed bytes of the affine schemes. The layout stands in the family's documentation.

use super::super::CodeUnit;
use super::super::runs::Runs;
use super::options::{Affine, Treatment};
use super::prepared::{Prepared, corrected, correction_runs, saturate};
use super::split::kept_count;
use crate::error::Result;
use crate::kernels::{self, bits};
use crate::stats::CHUNK;
use crate::tensor::{Shape, to_usize, try_vec};

/// Marks a place in the list of kept weights that holds none (fewer finite weights than places).
const NO_INDEX: u32 = u32::MAX;

/// Where the parts of a packed tensor lie, in bytes.
struct Parts {
    zero_points: usize,
    offsets: usize,
    codes: usize,
    kept_indices: usize,
    kept_values: usize,
    end: usize,
}

impl Parts {
    /// The layout of this scheme over these runs, with so many mean corrections and weights kept as float.
    fn new(affine: &Affine, runs: &Runs, corrections: usize, kept: usize) -> Parts {
        let zero_points = 4 * runs.len();
        let offsets = zero_points + if affine.symmetric { 0 } else { runs.len() };
        let codes = offsets + 4 * corrections;
        let kept_indices = codes + runs.codes_len(affine.bits);
        let kept_values = kept_indices + 4 * kept;
        Parts { zero_points, offsets, codes, kept_indices, kept_values, end: kept_values + 4 * kept }
    }
}

impl Affine {
    fn parts(&self, runs: &Runs, shape: &Shape) -> Result<Parts> {
        let corrections = if self.mean_correction { correction_runs(shape, self.granularity)?.len() } else { 0 };
        let kept = match self.treatment {
            Treatment::Mixed { float_ratio, .. } => kept_count(float_ratio, runs.count()),
            _ => 0,
        };
        // Counts fit, their bytes may not.
        let of_runs = (if self.symmetric { 4 } else { 5 }) * runs.len() as u64;
        let bytes = of_runs + runs.codes_len(self.bits) as u64 + 4 * corrections as u64 + 8 * kept as u64;
        to_usize(bytes)?;
        Ok(Parts::new(self, runs, corrections, kept))
    }

    pub(super) fn packed_len(&self, shape: &Shape) -> Result<usize> {
        Ok(self.parts(&Runs::new(shape, self.granularity)?, shape)?.end)
    }

    /// See [`super::super::Family::code_units`].
    pub(super) fn each_code_unit(&self, shape: &Shape, f: &mut dyn FnMut(CodeUnit)) -> Result<()> {
        let runs = Runs::new(shape, self.granularity)?;
        let first = self.parts(&runs, shape)?.codes;
        let bits = self.bits;
        if runs.codes_are_dense(bits) {
            f(CodeUnit { start: first, bits, count: runs.count(), high_first: false });
        } else {
            runs.for_each_unit(bits, |start, end, byte, _| {
                f(CodeUnit { start: first + byte, bits, count: end - start, high_first: false })
            });
        }
        Ok(())
    }

    pub(super) fn unpack(&self, bytes: &[u8], shape: &Shape) -> Result<Vec<f32>> {
        let runs = Runs::new(shape, self.granularity)?;
        let parts = self.parts(&runs, shape)?;
        let mut out = try_vec(0.0_f32, runs.count())?;
        let scales = floats(&bytes[..parts.zero_points]);
        let zero_points: Vec<i8> = bytes[parts.zero_points..parts.offsets].iter().map(|&b| b as i8).collect();
        let zero_of = |run: usize| zero_points.get(run).copied().map_or(0.0, f32::from);
        for_each_code(&bytes[parts.codes..parts.kept_indices], &runs, self.bits, |start, codes| {
            runs.for_each_segment(start, start + codes.len(), |run, from, to| {
                let (scale, zero) = (scales[run], zero_of(run));
                for (out, &code) in out[from..to].iter_mut().zip(&codes[from - start..to - start]) {
                    *out = (f32::from(code) - zero) * scale;
                }
            });
        })?;
        if scales.iter().any(|scale| !(scale * 255.0).is_finite()) {
            saturate(&mut out);
        }
        if self.mean_correction {
            let offsets = floats(&bytes[parts.offsets..parts.codes]);
            let channels = correction_runs(shape, self.granularity)?;
            channels.for_each_segment(0, out.len(), |channel, from, to| {
                out[from..to].iter_mut().for_each(|v| *v = corrected(*v, offsets[channel]));
            });
        }
        let indices = bytes[parts.kept_indices..parts.kept_values].as_chunks::<4>().0;
        let values = bytes[parts.kept_values..parts.end].as_chunks::<4>().0;
        for (index, value) in indices.iter().zip(values) {
            if let Some(out) = out.get_mut(u32::from_le_bytes(*index) as usize) {
                *out = f32::from_le_bytes(*value);
            }
        }
        Ok(out)
    }
}

fn floats(bytes: &[u8]) -> Vec<f32> {
    bytes.as_chunks::<4>().0.iter().map(|b| f32::from_le_bytes(*b)).collect()
}

/// Calls `f(start, codes)` for unpacked stretches of the codes, in element order.
fn for_each_code(packed: &[u8], runs: &Runs, width: u32, mut f: impl FnMut(usize, &[i8])) -> Result<()> {
    if runs.codes_are_dense(width) {
        // No padding anywhere: stretches of a multiple of 8 codes begin on a byte.
        let mut codes = [0; CHUNK];
        for (i, packed) in packed.chunks(bits::packed_len(CHUNK, width)).enumerate() {
            let start = i * CHUNK;
            let codes = &mut codes[..CHUNK.min(runs.count() - start)];
            bits::unpack(packed, width, codes);
            f(start, codes);
        }
        return Ok(());
    }
    let mut codes = try_vec(0_i8, runs.row_len())?;
    runs.for_each_unit(width, |start, end, byte, byte_end| {
        let codes = &mut codes[..end - start];
        bits::unpack(&packed[byte..byte_end], width, codes);
        f(start, codes);
    });
    Ok(())
}

impl Prepared {
    fn parts(&self) -> Parts {
        let corrections = self.offsets.as_ref().map_or(0, |(_, offsets)| offsets.len());
        Parts::new(&self.affine, &self.runs, corrections, self.split.map_or(0, |split| split.kept))
    }

    /// Where the code of an element begins in the packed tensor, in bits.
    pub(super) fn code_bit(&self, index: usize) -> u64 {
        self.parts().codes as u64 * 8 + self.runs.code_bit(index, self.affine.bits)
    }

    pub(super) fn pack(&self, x: &[f32]) -> Result<Vec<u8>> {
        let parts = self.parts();
        let mut bytes = try_vec(0_u8, parts.end)?;
        put(&mut bytes[..parts.zero_points], self.scales.iter().map(|v| v.to_le_bytes()));
        if !self.affine.symmetric {
            for (byte, &zero_point) in bytes[parts.zero_points..parts.offsets].iter_mut().zip(&self.zero_points) {
                *byte = zero_point as u8;
            }
        }
        if let Some((_, offsets)) = &self.offsets {
            put(&mut bytes[parts.offsets..parts.codes], offsets.iter().map(|v| v.to_le_bytes()));
        }
        self.encode_codes(x, &mut bytes[parts.codes..parts.kept_indices])?;
        if let Some(split) = self.split.filter(|split| split.kept > 0) {
            let (mut indices, mut values) = (vec![NO_INDEX; split.kept], vec![0.0_f32; split.kept]);
            let mut places = indices.iter_mut().zip(&mut values);
            split.for_each_stretch(0, x.len(), |from, to, cut| {
                let kept = (from..to).filter(|&i| cut.keeps(x[i]));
                for (i, (index, value)) in kept.zip(&mut places) {
                    (*index, *value) = (i as u32, x[i]);
                }
            });
            put(&mut bytes[parts.kept_indices..parts.kept_values], indices.iter().map(|v| v.to_le_bytes()));
            put(&mut bytes[parts.kept_values..], values.iter().map(|v| v.to_le_bytes()));
        }
        Ok(bytes)
    }

    fn encode_codes(&self, x: &[f32], out: &mut [u8]) -> Result<()> {
        let width = self.affine.bits;
        if self.runs.codes_are_dense(width) {
            let mut codes = [0; CHUNK];
            let stretches = x.chunks(CHUNK).zip(out.chunks_mut(bits::packed_len(CHUNK, width)));
            for (i, (x_chunk, out)) in stretches.enumerate() {
                let codes = &mut codes[..x_chunk.len()];
                self.codes_of(x, i * CHUNK, codes);
                bits::pack(codes, width, out);
            }
            return Ok(());
        }
        let mut codes = try_vec(0_i8, self.runs.row_len())?;
        self.runs.for_each_unit(width, |start, end, byte, byte_end| {
            let codes = &mut codes[..end - start];
            self.codes_of(x, start, codes);
            bits::pack(codes, width, &mut out[byte..byte_end]);
        });
        Ok(())
    }

    /// Codes of elements `start..start + codes.len()`.
    fn codes_of(&self, x: &[f32], start: usize, codes: &mut [i8]) {
        if self.affine.treatment == Treatment::Plain && self.runs.short_period().is_none() {
            self.runs.for_each_segment(start, start + codes.len(), |run, from, to| {
                let codes = &mut codes[from - start..to - start];
                kernels::encode(&x[from..to], from, self.grid(run), self.affine.rounding, codes);
            });
            return;
        }
        let mut steps = [0.0; CHUNK];
        for (i, codes) in codes.chunks_mut(CHUNK).enumerate() {
            let start = start + i * CHUNK;
            let steps = &mut steps[..codes.len()];
            self.steps(x, start, steps);
            self.runs.for_each_segment(start, start + steps.len(), |run, from, to| {
                let zero = f32::from(self.zero_points[run]);
                for (code, step) in codes[from - start..to - start].iter_mut().zip(&steps[from - start..to - start]) {
                    *code = (step + zero) as i8;
                }
            });
        }
    }

    pub(super) fn unpack_codes(&self, bytes: &[u8]) -> Result<Vec<i32>> {
        let parts = self.parts();
        let mut out = try_vec(0_i32, self.runs.count())?;
        for_each_code(&bytes[parts.codes..parts.kept_indices], &self.runs, self.affine.bits, |start, codes| {
            for (out, &code) in out[start..].iter_mut().zip(codes) {
                *out = i32::from(code);
            }
        })?;
        Ok(out)
    }
}

fn put(bytes: &mut [u8], values: impl Iterator<Item = [u8; 4]>) {
    for (bytes, value) in bytes.as_chunks_mut::<4>().0.iter_mut().zip(values) {
        *bytes = value;
    }
}
