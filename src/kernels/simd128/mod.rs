//! The same kernels in WebAssembly SIMD128, equal to [`super::scalar`] bit for bit. Relaxed SIMD is not used.
