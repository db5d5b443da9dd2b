//! Sample networks, run by the engine itself, so that a change of weights is seen as a change of accuracy.

mod digits;
mod int8;
#[cfg(feature = "full")]
mod prepared;
mod xnor;

pub use digits::{Accuracy, Arithmetic, CLASSES, DigitsNet, INK, PIXELS, TENSORS};
#[cfg(feature = "full")]
pub use prepared::PreparedNet;
#[cfg(all(feature = "bench", target_arch = "wasm32"))]
pub(crate) use {int8::Int8Net, xnor::XnorNet};
