//! ggml's block formats, block by block, in the order of operations of llama.cpp's C code.

pub mod k;
pub mod legacy;
