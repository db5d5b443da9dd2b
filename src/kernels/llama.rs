//! What a llama is made of: matrix products with the outputs side by side, RMS norm, rotation, softmax, gated SiLU.
//!
//! A matrix `[outputs, inputs]` is stored in blocks of [`LANES`] outputs, `[block][input][LANES]`: so one input meets eight weights that lie
//! side by side, for one token as well as for many. The caches of attention have the same form: keys with positions for outputs, values with
//! positions for inputs. Every product is `((0 + w₀·x₀) + w₁·x₁) + …`, each product and each sum rounded to f32: it does not depend on how
//! many tokens go together.
//!
//! Only [`products`] has a vector form. The others are less than a tenth of the work, and LLVM vectorizes what matters in them: their
//! exponential is a polynomial, the same on every machine.
//!
//! Definition: `LlamaForCausalLM`, with the rotation of neighbouring pairs, as GGUF orders the rows.

use super::dispatch;

/// Outputs of a block.
pub const LANES: usize = 8;

/// Where [`products`] finds a matrix.
#[derive(Debug, Clone, Copy)]
pub struct Matrix<'a> {
    /// Blocks of outputs, each `[inputs][LANES]` at its beginning.
    pub blocks: &'a [f32],
    /// Values from one block to the next, at least `inputs · LANES`.
    pub stride: usize,
    /// Inputs of an output.
    pub inputs: usize,
}

/// `x`: `[tokens][inputs]`; `out`: `[tokens][outputs]`, `outputs` a multiple of [`LANES`], one block for every eight.
///
/// # Panics
/// When the lengths do not fit together.
pub fn products(x: &[f32], matrix: Matrix<'_>, out: &mut [f32]) {
    dispatch!(llama::products(x, matrix, out));
}

/// Checks the lengths of [`products`] and returns tokens and blocks.
pub(super) fn check_products(x: usize, matrix: Matrix<'_>, out: usize) -> (usize, usize) {
    assert!(matrix.inputs > 0 && x.is_multiple_of(matrix.inputs), "x is not whole tokens");
    let tokens = x / matrix.inputs;
    if tokens == 0 {
        assert_eq!(out, 0, "an output without tokens");
        return (0, 0);
    }
    assert!(out.is_multiple_of(tokens * LANES), "the output is not whole blocks");
    let blocks = out / tokens / LANES;
    let block = matrix.inputs.checked_mul(LANES).expect("a block's size overflows");
    assert!(matrix.stride >= block, "blocks overlap");
    let last = blocks.saturating_sub(1).checked_mul(matrix.stride).and_then(|n| n.checked_add(block));
    assert!(blocks == 0 || last.is_some_and(|n| n <= matrix.blocks.len()), "the matrix is too short");
    (tokens, blocks)
}

/// A matrix `[outputs, inputs]`, row-major, in blocks; outputs that fill up the last block are zero.
///
/// # Panics
/// When the values are not whole rows.
#[must_use]
pub fn packed(values: &[f32], inputs: usize) -> Vec<f32> {
    assert!(inputs > 0 && values.len().is_multiple_of(inputs), "the values are not whole rows");
    let mut out = vec![0.0; (values.len() / inputs).div_ceil(LANES) * LANES * inputs];
    for (block, rows) in out.chunks_exact_mut(inputs * LANES).zip(values.chunks(inputs * LANES)) {
        for (lane, row) in rows.chunks_exact(inputs).enumerate() {
            for (to, &v) in block[lane..].iter_mut().step_by(LANES).zip(row) {
                *to = v;
            }
        }
    }
    out
}

/// `x / √(mean(x²) + epsilon) · weight`, the mean in f64.
pub fn rms_norm(x: &[f32], weight: &[f32], epsilon: f32, out: &mut [f32]) {
    let mut sums = [0.0_f64; LANES];
    for run in x.chunks(LANES) {
        for (sum, &v) in sums.iter_mut().zip(run) {
            *sum += f64::from(v) * f64::from(v);
        }
    }
    let mean = super::scalar::reduce(sums) / x.len() as f64;
    let scale = (1.0 / (mean + f64::from(epsilon)).sqrt()) as f32;
    for ((out, x), weight) in out.iter_mut().zip(x).zip(weight) {
        *out = x * scale * weight;
    }
}

/// Turns neighbouring pairs of each head: `x`: `[heads][2 · pairs]`; `cos`, `sin`: one for each pair.
pub fn rotate(x: &mut [f32], cos: &[f32], sin: &[f32]) {
    for head in x.chunks_exact_mut(2 * cos.len()) {
        for ((pair, c), s) in head.chunks_exact_mut(2).zip(cos).zip(sin) {
            let (a, b) = (pair[0], pair[1]);
            pair[0] = a * c - b * s;
            pair[1] = a * s + b * c;
        }
    }
}

/// Softmax of `x · scale`, in place.
pub fn softmax(x: &mut [f32], scale: f32) {
    let most = x.iter().fold(f32::NEG_INFINITY, |m, &v| if v > m { v } else { m });
    let mut sums = [0.0_f32; LANES];
    for run in x.chunks_mut(LANES) {
        for (v, sum) in run.iter_mut().zip(&mut sums) {
            *v = exp((*v - most) * scale);
            *sum += *v;
        }
    }
    let total = super::scalar::reduce(sums.map(f64::from)) as f32;
    for v in x {
        *v /= total;
    }
}

/// `gate = gate · σ(gate) · up`.
pub fn gated_silu(gate: &mut [f32], up: &[f32]) {
    for (g, u) in gate.iter_mut().zip(up) {
        *g = *g / (1.0 + exp(-*g)) * u;
    }
}

/// e^x within two units in the last place: 0 below −87, the largest finite value's neighbourhood above 88; NaN stays.
#[must_use]
#[inline]
pub fn exp(x: f32) -> f32 {
    const MAGIC: f32 = 12_582_912.0; // 1.5 · 2²³: adding it rounds to a whole number, in the low bits
    if x < -87.0 {
        return 0.0;
    }
    let x = if x > 88.0 { 88.0 } else { x };
    let shifted = x * std::f32::consts::LOG2_E + MAGIC;
    let n = shifted - MAGIC;
    // ln 2 in two parts, after Cephes' expf, as are the coefficients.
    let r = x - n * 0.693_359_4 - n * -2.121_944_4e-4;
    let p = 1.987_569_1e-4;
    let p = p * r + 1.398_199_9e-3;
    let p = p * r + 8.333_452e-3;
    let p = p * r + 4.166_579_6e-2;
    let p = p * r + 1.666_666_5e-1;
    let p = p * r + 0.5;
    let value = p * r * r + r + 1.0;
    let power = f32::from_bits((shifted.to_bits() << 23).wrapping_add(127 << 23));
    value * power
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn exp_is_within_two_units_in_the_last_place() {
        let mut worst = 0;
        for i in -87_000..=88_000 {
            let x = i as f32 / 1000.0;
            let exact = f64::from(x).exp() as f32;
            worst = worst.max(exp(x).to_bits().abs_diff(exact.to_bits()));
        }
        assert!(worst <= 2, "{worst} units");
        assert_eq!(exp(f32::NEG_INFINITY), 0.0);
        assert!(exp(f32::INFINITY).is_finite() && exp(f32::NAN).is_nan());
    }

    #[test]
    fn softmax_of_what_is_hidden_is_zero() {
        let mut x = [1.0, 1.0, f32::NEG_INFINITY];
        softmax(&mut x, 2.0);
        assert_eq!(x, [0.5, 0.5, 0.0]);
    }

    #[test]
    fn products_are_those_of_the_rows() {
        let (inputs, outputs) = (3, 11);
        let w: Vec<f32> = (0..inputs * outputs).map(|i| i as f32 - 7.0).collect();
        let x = [1.0, -2.0, 0.5, 0.25, 4.0, -1.0];
        let blocks = packed(&w, inputs);
        let mut out = vec![f32::NAN; 2 * 16];
        products(&x, Matrix { blocks: &blocks, stride: inputs * LANES, inputs }, &mut out);
        for (t, out) in out.chunks(16).enumerate() {
            for (o, &found) in out.iter().enumerate() {
                let row = w.chunks(inputs).nth(o).unwrap_or(&[0.0; 3]);
                let expected: f32 = row.iter().zip(&x[t * inputs..]).map(|(w, x)| w * x).sum();
                assert_eq!(found, expected, "token {t}, output {o}");
            }
        }
    }
}
