//! Matrix products with outputs in lanes. Layout and order: [`crate::kernels::llama`].
//!
//! A tile is `T` tokens by `B` blocks of eight outputs: `2·T·B` accumulators stay in registers. Four tokens share a block's weights; one token
//! alone takes four blocks, so that its sums do not wait for each other.

use core::arch::wasm32::{f32x4_add, f32x4_mul, f32x4_splat, v128, v128_load, v128_load32_splat};

use super::store4;
use crate::kernels::llama::{LANES, Matrix, check_products};

/// See [`crate::kernels::llama::products`].
pub fn products(x: &[f32], matrix: Matrix<'_>, out: &mut [f32]) {
    let (tokens, blocks) = check_products(x.len(), matrix, out.len());
    let many = tokens / 4 * 4;
    for b in 0..blocks {
        for t in (0..many).step_by(4) {
            tile::<4, 1>(x, matrix, (t, b), blocks, out);
        }
    }
    for t in many..tokens {
        let wide = blocks / 4 * 4;
        for b in (0..wide).step_by(4) {
            tile::<1, 4>(x, matrix, (t, b), blocks, out);
        }
        for b in wide..blocks {
            tile::<1, 1>(x, matrix, (t, b), blocks, out);
        }
    }
}

/// Tokens `t..t + T` by blocks `b..b + B`.
#[inline(always)]
fn tile<const T: usize, const B: usize>(
    x: &[f32],
    matrix: Matrix<'_>,
    (t, b): (usize, usize),
    blocks: usize,
    out: &mut [f32],
) {
    let (n, stride) = (matrix.inputs, matrix.stride);
    let x = &x[t * n..(t + T) * n];
    let weights = &matrix.blocks[b * stride..(b + B - 1) * stride + n * LANES];
    let mut sums = [[[f32x4_splat(0.0); 2]; B]; T];
    for i in 0..n {
        // SAFETY: i < n, so token r has an input i and block c, which begins at c · stride, eight weights for it, all within the slices above.
        unsafe {
            let w: [[v128; 2]; B] = core::array::from_fn(|c| {
                let at = weights.as_ptr().add(c * stride + i * LANES);
                [v128_load(at.cast()), v128_load(at.add(4).cast())]
            });
            for (r, sums) in sums.iter_mut().enumerate() {
                let x = v128_load32_splat(x.as_ptr().add(r * n + i).cast());
                for (sum, w) in sums.iter_mut().zip(w) {
                    *sum = [f32x4_add(sum[0], f32x4_mul(w[0], x)), f32x4_add(sum[1], f32x4_mul(w[1], x))];
                }
            }
        }
    }
    for (r, sums) in sums.into_iter().enumerate() {
        for (c, sum) in sums.into_iter().enumerate() {
            let out = &mut out[((t + r) * blocks + b + c) * LANES..][..LANES];
            store4(sum[0], out);
            store4(sum[1], &mut out[4..]);
        }
    }
}
