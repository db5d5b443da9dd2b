//! Codes that choose from a table of levels, weight by weight.

use super::reduce;
use crate::kernels::LANES;

/// More cuts than this are searched by halves.
pub const FEW: usize = 32;

/// See [`crate::kernels::codebook::encode`].
pub fn encode(x: &[f32], factor: f32, cuts: &[f32], codes: &mut [i8]) {
    if cuts.len() > FEW {
        return search(x, factor, cuts, codes);
    }
    for (&x, code) in x.iter().zip(codes) {
        let t = x * factor;
        *code = cuts.iter().filter(|&&cut| cut < t).count() as i8;
    }
}

/// The same by halving the cuts, always eight times and without a branch.
fn search(x: &[f32], factor: f32, cuts: &[f32], codes: &mut [i8]) {
    let mut padded = [f32::INFINITY; 256];
    padded[..cuts.len()].copy_from_slice(cuts);
    for (&x, code) in x.iter().zip(codes) {
        let t = x * factor;
        let mut below = 0_u8;
        for half in [128, 64, 32, 16, 8, 4, 2, 1] {
            let middle = padded[usize::from(below | (half - 1))];
            below |= if middle < t { half } else { 0 };
        }
        *code = below as i8;
    }
}

/// See [`crate::kernels::codebook::decode`].
pub fn decode(codes: &[i8], entries: &[f32], scale: f32, out: &mut [f32]) {
    let last = entries.len() - 1;
    for (&code, out) in codes.iter().zip(out) {
        *out = entries[usize::from(code as u8).min(last)] * scale;
    }
}

/// See [`crate::kernels::codebook::magnitudes_above`]. Element `i` goes to lane `i % LANES`.
#[must_use]
pub fn magnitudes_above(x: &[f32], cut: f32) -> (f64, u64) {
    let (mut sums, mut count) = ([0.0; LANES], 0);
    for (i, x) in x.iter().enumerate() {
        let magnitude = x.abs();
        if magnitude > cut && magnitude < f32::INFINITY {
            sums[i % LANES] += f64::from(magnitude);
            count += 1;
        }
    }
    (reduce(sums), count)
}
