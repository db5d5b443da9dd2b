//! Matrix products, one output after another. Layout and order: [`crate::kernels::llama`].

use crate::kernels::llama::{LANES, Matrix, check_products};

/// See [`crate::kernels::llama::products`].
pub fn products(x: &[f32], matrix: Matrix<'_>, out: &mut [f32]) {
    let (tokens, blocks) = check_products(x.len(), matrix, out.len());
    for t in 0..tokens {
        let x = &x[t * matrix.inputs..][..matrix.inputs];
        for b in 0..blocks {
            let block = &matrix.blocks[b * matrix.stride..][..matrix.inputs * LANES];
            let mut sums = [0.0_f32; LANES];
            for (weights, &x) in block.chunks_exact(LANES).zip(x) {
                for (sum, w) in sums.iter_mut().zip(weights) {
                    *sum += w * x;
                }
            }
            out[(t * blocks + b) * LANES..][..LANES].copy_from_slice(&sums);
        }
    }
}
