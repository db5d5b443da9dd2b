//! Fewerbits: see, quantize and shrink neural-network weights.
//!
//! | module | what lives there |
//! |---|---|
//! | [`tensor`], [`error`] | element types, shapes, checked counts; the error type: a stable code and its facts |
//! | [`kernels`] | loops over numbers: a scalar reference each, and the same in SIMD128 |
//! | [`formats`], [`decode`] | file headers: which bytes hold which tensor; stored elements of every type to `f32` |
//! | [`stats`] | summaries, quantiles, histograms, error metrics |
//! | [`quant`] | the schemes: weights to packed bytes and back |
//! | [`evaluate`], [`picture`] | what a scheme does to a tensor, in numbers and as an image, without storing the result |
//! | `pack` | how a file that is written stores one tensor |
//! | `pipeline` | a job as files, what goes where in them, and the tasks that make it |
//! | [`plan`] | which tensor gets which scheme, and why |
//! | [`nn`] | the sample network, run with any weights |
//! | `bindings` | the face for JavaScript, on wasm32 only |

#[cfg(target_arch = "wasm32")]
pub mod bindings;
pub mod decode;
pub mod error;
pub mod evaluate;
pub mod formats;
pub mod kernels;
pub mod nn;
#[cfg(feature = "full")]
pub mod pack;
pub mod picture;
#[cfg(feature = "full")]
pub mod pipeline;
pub mod plan;
pub mod quant;
pub mod stats;
pub mod tensor;

pub use error::{Code, Error, Result};
pub use tensor::{DType, Shape};
