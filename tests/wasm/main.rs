//! What only WebAssembly has: SIMD128 held against the scalar forms, bit for bit, and the face that JavaScript sees. One binary, since
//! each binary starts each browser once. Runs in Node and in browsers.
#![cfg(target_arch = "wasm32")]

#[path = "../edges/mod.rs"]
mod edges;
#[path = "../ggml_support/mod.rs"]
mod ggml_support;
#[path = "../goldens/mod.rs"]
mod goldens;

mod bindings;
mod effort;
mod float;
mod ggml;
mod ggml_more;
mod kernels;
mod nn;
mod nn_integer;
mod sample;
