//! Hitting a size: which of its ways to be stored each tensor gets, so that all together fit a budget and lose as little as possible.
//!
//! - [`roles`]: what a tensor is to the model, and how much its error counts.
//! - [`ways`]: the ways that a model's tensors can be stored in a format, each with its exact bytes.
//! - [`allocate`]: bytes and costs to a choice for each. It knows neither tensors nor files.
//!
//! The cost of a way is the tensor's *relative* squared error, `Σ(w − ŵ)² / Σw²`, times the weight of its role; costs add up over tensors.
//! Neither the tensor's size nor its magnitude counts: a large embedding does not outvote the layers that compute. Errors are measured
//! elsewhere ([`crate::pack::survey`]).

pub mod allocate;
pub mod roles;
pub mod ways;

pub use allocate::{Allocation, Allocator, Point};
pub use roles::Role;
pub use ways::{Way, Ways, ways};
