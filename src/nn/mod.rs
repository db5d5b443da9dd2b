//! Sample networks, run by the engine itself, so that a change of weights is seen as a change of accuracy or loss.

mod digits;
mod int8;
#[cfg(feature = "full")]
pub mod llama;
#[cfg(feature = "full")]
mod prepared;
#[cfg(feature = "full")]
mod random;
#[cfg(feature = "full")]
pub mod train;
mod xnor;

pub use digits::{Accuracy, Arithmetic, CLASSES, DigitsNet, INK, PIXELS, TENSORS};
#[cfg(all(feature = "bench", target_arch = "wasm32"))]
pub(crate) use {int8::Int8Net, xnor::XnorNet};
#[cfg(feature = "full")]
pub use {prepared::PreparedNet, random::Random};
