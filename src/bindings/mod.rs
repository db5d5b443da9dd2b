//! The wasm-bindgen face: convert, call, convert back. Loops over weights live elsewhere; `www/lib` gives this its final shape in
//! JavaScript and documents it there.

#[cfg(feature = "bench")]
mod bench;
#[cfg(feature = "full")]
mod budget;
mod calls;
mod convert;
mod formats;
#[cfg(feature = "full")]
mod llama;
mod nn;
mod records;
#[cfg(feature = "full")]
mod shrink;
#[cfg(feature = "full")]
mod train;
mod weights;

pub use calls::{compare, dequantize, packed_length, schemes, stats};
pub use weights::{Quantized, Weights};

use convert::to_js;
