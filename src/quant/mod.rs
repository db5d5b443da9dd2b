//! Quantization schemes: from weights to packed bytes and back.
//!
//! A scheme is chosen by name and options ([`catalogue`]); [`Scheme::prepare`] looks at the weights and fixes everything that is
//! shared (scales, zero points); the [`Prepared`] scheme then turns any stretch of weights into what a reader of the packed bytes
//! will get, writes the bytes, and explains what happens to one weight. One file or folder per family.

pub mod affine;
pub mod article;
mod catalogue;
mod runs;
mod trace;

pub use catalogue::{ChoiceValue, Entry, Kind, OptionSpec, Options, Resolved, Source, Value, When, catalogue, entry};
pub use runs::{Granularity, Runs};
pub use trace::{RunInfo, Step, Trace};

use crate::error::{Code, Error, Result};
use crate::tensor::Shape;

/// A scheme with every option decided.
#[derive(Debug, Clone, PartialEq)]
pub struct Scheme {
    id: &'static str,
    options: Resolved,
    family: Family,
}

#[derive(Debug, Clone, PartialEq)]
enum Family {
    Affine(affine::Affine),
}

impl Scheme {
    /// The scheme of a name with these options, the others at their defaults.
    ///
    /// # Errors
    /// `unknown_scheme`, `unknown_option`, `invalid_option`.
    pub fn new(id: &str, options: &Options) -> Result<Scheme> {
        let entry = entry(id)?;
        let options = entry.resolve(options)?;
        let family = Family::Affine(affine::Affine::from_options(entry, &options)?);
        Ok(Scheme { id: entry.id, options, family })
    }

    /// Its name.
    #[must_use]
    pub fn id(&self) -> &'static str {
        self.id
    }

    /// All its options with their values.
    #[must_use]
    pub fn options(&self) -> &Resolved {
        &self.options
    }

    /// Bytes of a packed tensor of this shape, known without its values.
    ///
    /// # Errors
    /// As [`Runs::new`].
    pub fn byte_len(&self, shape: &Shape) -> Result<usize> {
        match &self.family {
            Family::Affine(affine) => affine.byte_len(shape),
        }
    }

    /// Looks at the weights and fixes what is shared: one scale and zero point per run.
    ///
    /// # Errors
    /// `shape_mismatch`; `non_finite` with how many and the first index, unless the scheme saturates them; `invalid_option` for an
    /// axis the shape does not have.
    pub fn prepare(&self, values: &[f32], shape: &Shape) -> Result<Prepared> {
        if values.len() as u64 != shape.count() {
            return Err(Error::new(
                Code::ShapeMismatch,
                format!("the shape {:?} does not hold the values given", shape.dims()),
            )
            .with_expected(format!("{} values", shape.count()))
            .with_found(values.len()));
        }
        match &self.family {
            Family::Affine(affine) => Ok(Prepared::Affine(affine.prepare(values, shape)?)),
        }
    }

    /// Weights from packed bytes of anywhere: the inverse of [`Prepared::encode`].
    ///
    /// # Errors
    /// `shape_mismatch` when the bytes are not as many as the shape needs.
    pub fn decode(&self, bytes: &[u8], shape: &Shape) -> Result<Vec<f32>> {
        let expected = self.byte_len(shape)?;
        if bytes.len() != expected {
            return Err(Error::new(
                Code::ShapeMismatch,
                format!("these are not the bytes of a tensor of shape {:?} packed as {}", shape.dims(), self.id),
            )
            .with_expected(format!("{expected} bytes"))
            .with_found(bytes.len()));
        }
        match &self.family {
            Family::Affine(affine) => affine.decode(bytes, shape),
        }
    }
}

/// A scheme fitted to one tensor. `values` below are always the whole tensor it was fitted to.
#[derive(Debug, Clone)]
pub enum Prepared {
    /// Uniform levels.
    Affine(affine::Prepared),
}

impl Prepared {
    /// What a reader of the packed bytes gets for elements `start..start + out.len()`.
    ///
    /// # Panics
    /// If the stretch does not lie in `values`.
    pub fn reconstruct(&self, values: &[f32], start: usize, out: &mut [f32]) {
        match self {
            Prepared::Affine(p) => p.reconstruct(values, start, out),
        }
    }

    /// The packed bytes.
    ///
    /// # Errors
    /// `out_of_memory`.
    pub fn encode(&self, values: &[f32]) -> Result<Vec<u8>> {
        match self {
            Prepared::Affine(p) => p.encode(values),
        }
    }

    /// Integer codes read back from packed bytes, in element order.
    ///
    /// # Errors
    /// `out_of_memory`.
    pub fn codes(&self, bytes: &[u8]) -> Result<Vec<i32>> {
        match self {
            Prepared::Affine(p) => p.codes(bytes),
        }
    }

    /// Number of runs that share a scale.
    #[must_use]
    pub fn runs(&self) -> usize {
        match self {
            Prepared::Affine(p) => p.runs().len(),
        }
    }

    /// One scale per run, where the scheme has scales.
    #[must_use]
    pub fn scales(&self) -> Option<&[f32]> {
        match self {
            Prepared::Affine(p) => Some(p.scales()),
        }
    }

    /// One zero point per run, where the scheme has them.
    #[must_use]
    pub fn zero_points(&self) -> Option<&[i8]> {
        match self {
            Prepared::Affine(p) => p.zero_points(),
        }
    }

    /// The run that holds element `index`.
    ///
    /// # Panics
    /// If there is no such element.
    #[must_use]
    pub fn run_at(&self, index: usize) -> RunInfo {
        match self {
            Prepared::Affine(p) => p.run_at(index),
        }
    }

    /// All values that element `index` could become, ascending.
    #[must_use]
    pub fn levels_at(&self, index: usize) -> Vec<f32> {
        match self {
            Prepared::Affine(p) => p.levels_at(index),
        }
    }

    /// What each of `x` would become in the place of element `index`.
    ///
    /// # Panics
    /// If `x` and `out` differ in length.
    pub fn respond(&self, index: usize, x: &[f32], out: &mut [f32]) {
        match self {
            Prepared::Affine(p) => p.respond(index, x, out),
        }
    }

    /// The way of one weight: float → scale → code → bits → value.
    ///
    /// # Panics
    /// If there is no such element.
    #[must_use]
    pub fn trace(&self, values: &[f32], index: usize) -> Trace {
        match self {
            Prepared::Affine(p) => p.trace(values, index),
        }
    }
}
