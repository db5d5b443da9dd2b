//! Uniform (affine) quantization: `code = clamp(round(x / scale) + zero_point)`, `value = scale · (code − zero_point)`.
//!
//! Definition: ONNX `QuantizeLinear` / `DequantizeLinear` (true f32 division, half to even, saturation) with signed codes of 2 to
//! 8 bits; the range maps to it as in Jacob et al. 2018 and ONNX Runtime's `compute_scale_zp`:
//!
//! - **symmetric, narrow** (default): `scale = absmax / (2^(b−1) − 1)`, zero point 0, codes −(2^(b−1)−1) … 2^(b−1)−1.
//! - **symmetric, full**: the weight of largest magnitude (the first in memory order) goes to code −2^(b−1), so
//!   `scale = extreme / −2^(b−1)`, negative where the extreme is positive.
//! - **asymmetric**: the range is widened to hold 0; `scale = (hi − lo)/(2^b − 1)` in f64, `zero_point = clamp(round_half_even(
//!   q_min − lo/scale))` with that f64 scale, then the scale is rounded to f32.
//! - a scale below the least normal f32 becomes 1 with zero point 0.
//! - a level that overflows f32 (an end near ±FLT_MAX, where ONNX gives ±∞) is ±FLT_MAX.
//!
//! `refit` rounds once, replaces each scale by the least-squares one for the codes found (`Σ x·k / Σ k²`, `k = code − zero_point`), and rounds
//! again on the new grid. `correction: mean` adds to every value of a channel (of the channel axis, else of a row) what its mean lost;
//! 0 is then no longer exact.
//!
//! On the same grid stand the three ways of the article, as they are meant: `zero` (small weights fall to zero), `nonzero` (a
//! weight that would fall on the zero point moves one code towards its own sign), `mixed` (a share of the smallest becomes zero, a
//! share of the largest stays float, the range is that of the others).
//!
//! Packed layout, little-endian, no header: `scale: f32` per run; `zero_point: i8` per run if asymmetric; the mean correction, `f32` per
//! channel, if chosen; codes as a dense bit stream, least significant bit first, each row or group padded to a byte; for `mixed` the
//! kept weights' element indices (`u32`, ascending) and then their values (`f32`).

mod options;
mod packed;
mod prepared;
mod range;
mod split;

pub(super) use split::Split;

pub use options::{Affine, ENTRIES, RangeRule, Treatment};
pub use prepared::Prepared;
pub use range::{entropy_bins, entropy_share, least_squares_shrink};
