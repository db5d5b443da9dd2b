//! Which tensor gets which scheme, and why.

#[cfg(feature = "full")]
pub mod budget;
#[cfg(feature = "full")]
mod compressed;
#[cfg(feature = "full")]
mod deep;
#[cfg(feature = "full")]
mod gguf;
#[cfg(feature = "full")]
pub mod hugging_face;
#[cfg(feature = "full")]
pub mod llama;
#[cfg(feature = "full")]
mod model;
#[cfg(feature = "full")]
mod npz;
#[cfg(feature = "full")]
mod onnx;
#[cfg(feature = "full")]
mod request;
#[cfg(feature = "full")]
mod safetensors;
mod suggest;

#[cfg(feature = "full")]
pub use gguf::GgufDetails;
#[cfg(feature = "full")]
pub use model::{Folder, Model};
#[cfg(feature = "full")]
pub use request::{Choice, Note, Plan, Request, SchemeChoice, Target, Wish, plan};
pub use suggest::{Reason, Suggestion, suggest};
