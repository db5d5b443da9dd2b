//! ggml's block formats, block by block, in the order of operations of llama.cpp's C code.

pub mod k;
pub mod legacy;

pub use k::{from_q2_k, from_q3_k, from_q4_k, from_q5_k, from_q6_k, q2_k, q3_k, q4_k, q5_k, q6_k};
pub use legacy::{from_q4_0, from_q4_1, from_q5_0, from_q5_1, from_q8_0, q4_0, q4_1, q5_0, q5_1, q8_0};
