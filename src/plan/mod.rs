//! Which tensor gets which scheme, and why.

mod suggest;

pub use suggest::{Reason, Suggestion, suggest};
