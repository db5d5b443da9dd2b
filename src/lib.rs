//! Fewerbits: see, quantize and shrink neural-network weights.
//!
//! | module | what lives there |
//! |---|---|
//! | [`tensor`] | element types, shapes, checked counts |
//! | [`decode`] | stored elements of every type to `f32` |
//! | [`error`] | the error type: a stable code and its facts |
//! | [`kernels`] | loops over numbers: a scalar reference each, and the same in SIMD128 |
//! | [`formats`] | file headers: which bytes hold which tensor; no I/O, no numbers |

#[cfg(target_arch = "wasm32")]
mod bindings;
pub mod decode;
pub mod error;
pub mod formats;
pub mod kernels;
pub mod nn;
pub mod tensor;

pub use error::{Code, Error, Result};
pub use tensor::{DType, Shape};
