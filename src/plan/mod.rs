//! Which tensor gets which scheme, and why.

#[cfg(feature = "full")]
mod gguf;
#[cfg(feature = "full")]
mod llama;
#[cfg(feature = "full")]
mod request;
#[cfg(feature = "full")]
mod safetensors;
mod suggest;

#[cfg(feature = "full")]
pub use gguf::GgufDetails;
#[cfg(feature = "full")]
pub use request::{Choice, Model, Note, Plan, Request, Target, Wish, plan};
pub use suggest::{Reason, Suggestion, suggest};
