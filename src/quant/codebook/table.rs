//! Levels in a table: one for all runs or one for each, times a scale.

use super::Codec;
use crate::kernels::codebook;

/// Codes count the cuts below `x · factor`; code `c` stands for `entries[c] · scale`.
#[derive(Debug, Default)]
pub struct Table {
    /// Side information.
    pub side: Vec<u8>,
    /// One factor per run; empty for 1.
    pub factors: Vec<f32>,
    /// One scale per run; empty for 1.
    pub scales: Vec<f32>,
    /// Ascending cuts of a table; one table, or one after the other for each run.
    pub cuts: Vec<f32>,
    /// Values by code, likewise.
    pub entries: Vec<f32>,
    /// Entries of one table; one more than its cuts.
    pub len: usize,
    /// The codes in the order of their values, where that is not the order of codes.
    pub order: &'static [i8],
    /// What is shown as the scales, one per run.
    pub shown_scales: Vec<f32>,
    /// Whether the entries were made for these weights.
    pub is_learned: bool,
}

impl Table {
    fn factor(&self, run: usize) -> f32 {
        self.factors.get(run).copied().unwrap_or(1.0)
    }

    fn scale(&self, run: usize) -> f32 {
        self.scales.get(run).copied().unwrap_or(1.0)
    }

    fn part<'a>(&self, run: usize, of: &'a [f32], len: usize) -> &'a [f32] {
        let start = if of.len() > len { run * len } else { 0 };
        &of[start..start + len]
    }
}

impl Codec for Table {
    fn side(&self) -> Vec<u8> {
        self.side.clone()
    }

    fn encode(&self, run: usize, x: &[f32], codes: &mut [i8]) {
        codebook::encode(x, self.factor(run), self.part(run, &self.cuts, self.len - 1), codes);
        if !self.order.is_empty() {
            codes.iter_mut().for_each(|code| *code = self.order[*code as usize]);
        }
    }

    fn decode(&self, run: usize, codes: &[i8], out: &mut [f32]) {
        codebook::decode(codes, self.part(run, &self.entries, self.len), self.scale(run), out);
    }

    fn levels(&self, run: usize) -> Vec<f32> {
        let scale = self.scale(run);
        self.part(run, &self.entries, self.len).iter().map(|entry| entry * scale).collect()
    }

    fn explain(&self, run: usize, x: f32, push: &mut dyn FnMut(&'static str, &'static str, f32, f32)) {
        if !self.factors.is_empty() {
            let factor = self.factor(run);
            push("normalize", "multiply by the inverse of the scale", factor, x * factor);
        }
    }

    fn scales(&self) -> Option<&[f32]> {
        (!self.shown_scales.is_empty()).then_some(&self.shown_scales)
    }

    fn codebook(&self) -> Option<&[f32]> {
        self.is_learned.then_some(&self.entries)
    }
}

/// `f32`s as bytes.
pub fn to_bytes(values: impl IntoIterator<Item = f32>) -> Vec<u8> {
    values.into_iter().flat_map(f32::to_le_bytes).collect()
}

/// The `f32`s of whole groups of four bytes.
pub fn from_bytes(bytes: &[u8]) -> Vec<f32> {
    bytes.as_chunks::<4>().0.iter().map(|b| f32::from_le_bytes(*b)).collect()
}

/// The next f32 below a finite number.
pub const fn next_below(x: f32) -> f32 {
    if x == 0.0 {
        return f32::from_bits(0x8000_0001);
    }
    let bits = x.to_bits();
    f32::from_bits(if bits >> 31 == 0 { bits - 1 } else { bits + 1 })
}
