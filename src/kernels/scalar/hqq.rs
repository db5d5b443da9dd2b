//! Half-quadratic quantization, weight by weight.

use super::super::hqq::Grid;

/// Weights whose sums are taken in f32.
pub const BLOCK: usize = 64;
/// In so many lanes.
pub const WIDE: usize = 8;

/// `log₂(1 + t) / t` on 0…1 as a polynomial, the highest power first.
pub const LOG2: [f32; 7] =
    [0.020_490_83, -0.096_068_49, 0.215_592_17, -0.339_250_46, 0.477_706_86, -0.721_162_87, 1.442_693_3];

/// `2^f` on 0…1, likewise.
pub const EXP2: [f32; 6] = [0.001_895_108_6, 0.008_946_225, 0.055_863_258, 0.240_140_8, 0.693_154_6, 0.999_999_9];

#[inline(always)]
fn code(x: f32, grid: Grid) -> f32 {
    (x * grid.factor + grid.zero).round_ties_even().max(0.0).min(grid.high)
}

/// See [`crate::kernels::hqq::encode`].
pub fn encode(x: &[f32], grid: Grid, codes: &mut [i8]) {
    for (&x, out) in x.iter().zip(codes) {
        *out = code(x, grid) as u8 as i8;
    }
}

/// See [`crate::kernels::hqq::decode`].
pub fn decode(codes: &[i8], grid: Grid, out: &mut [f32]) {
    for (&code, out) in codes.iter().zip(out) {
        let value = (f32::from(code as u8) - grid.zero) * grid.scale;
        *out = value.clamp(f32::MIN, f32::MAX);
    }
}

/// See [`crate::kernels::hqq::step`].
#[must_use]
pub fn step(x: &[f32], grid: Grid, weight: f32) -> (f64, f64) {
    let (mut norm, mut zero) = (0.0, 0.0);
    for block in x.chunks(BLOCK) {
        let (mut norms, mut zeros) = ([0.0_f32; WIDE], [0.0_f32; WIDE]);
        let (whole, rest) = block.as_chunks::<WIDE>();
        for x in whole {
            for lane in 0..WIDE {
                let (n, z) = one(x[lane], grid, weight);
                norms[lane] += n;
                zeros[lane] += z;
            }
        }
        for (lane, &x) in rest.iter().enumerate() {
            let (n, z) = one(x, grid, weight);
            norms[lane] += n;
            zeros[lane] += z;
        }
        norm += norms.iter().map(|&n| f64::from(n)).sum::<f64>();
        zero += zeros.iter().map(|&z| f64::from(z)).sum::<f64>();
    }
    (norm, zero)
}

/// What one weight adds to the sums of [`step`].
#[must_use]
#[inline(always)]
pub fn one(x: f32, grid: Grid, weight: f32) -> (f32, f32) {
    let code = code(x, grid);
    let e = x - (code - grid.zero) * grid.scale;
    let magnitude = e.abs();
    let power = power(magnitude);
    let stays = (magnitude - power * weight).max(0.0).copysign(e);
    (magnitude * power, code - (x - stays) * grid.factor)
}

/// `x^(−0.3)` for `x ≥ 0`, to 2·10⁻⁶; anything below 10⁻³⁵ counts as that.
#[must_use]
#[inline(always)]
pub fn power(x: f32) -> f32 {
    let bits = x.max(1e-35).to_bits();
    let exponent = (bits >> 23) as i32 - 127;
    let t = f32::from_bits((bits & 0x007F_FFFF) | 0x3F80_0000) - 1.0;
    let log = polynomial(t, &LOG2) * t;
    let y = -0.3 * (exponent as f32 + log);
    let whole = y.floor();
    polynomial(y - whole, &EXP2) * f32::from_bits(((whole as i32 + 127) as u32) << 23)
}

#[inline(always)]
fn polynomial(x: f32, coefficients: &[f32]) -> f32 {
    coefficients[1..].iter().fold(coefficients[0], |sum, c| sum * x + c)
}
