//! Float formats of 16 bits and fewer, and blocks of them.
//!
//! Definitions: IEEE 754 (binary16), bfloat16, OCP 8-bit Floating Point (E4M3, E5M2), OCP Microscaling Formats v1.0 (E2M1, E8M0 and the
//! blocks `ocp_mxfp8`, `ocp_mxfp4`), NVIDIA's NVFP4 as its Model Optimizer writes it. Oracle: `ml_dtypes` and numpy. Rounding is to
//! nearest even.
//!
//! **Scale** of `fp8_*` and `fp4_e2m1`: none, or for each run (tensor, channel) `absmax / greatest finite value` in f32, so that the
//! weight of largest magnitude lands on the greatest code; 1 where that falls below the least normal f32. `code = float(x / scale)` with
//! true division, `value = float · scale`.
//!
//! **Packed**, little-endian: the scales (`f32` each) if there are any, then the codes: two bytes, one byte, or two codes in a byte, low
//! half first, each row of 4-bit codes padded to a byte. `ocp_mxfp8` and `ocp_mxfp4`: blocks of 32 neighbours in a row, the scale (E8M0)
//! and the codes. `nv_nvfp4`: the tensor's scale (`f32`), then blocks of 16 neighbours, each a scale (E4M3) and 8 bytes of codes.
//!
//! **Levels** that are listed: those within the run's magnitude. Of the 16-bit formats at most 4096, around the weight.

mod fitted;
mod mx;
mod options;

pub use options::ENTRIES;

use crate::kernels::float::Narrow;
use crate::quant::trace::BitField;

/// Sign, exponent and fraction of a code that begins at `bit`, and the code as a whole.
fn fields(format: Narrow, part: usize, bit: u32) -> [BitField; 4] {
    let Narrow { exponent, fraction, .. } = format;
    [(fraction + exponent, 1), (fraction, exponent), (0, fraction), (0, format.bits())].map(|(at, bits)| BitField {
        part,
        bit: bit + at,
        bits,
    })
}
