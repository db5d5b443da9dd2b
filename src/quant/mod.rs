//! Quantization schemes: from weights to packed bytes and back.
//!
//! A scheme is chosen by name and options ([`catalogue`]); [`Scheme::prepare`] looks at the weights and fixes everything that is
//! shared (scales, zero points); the [`Fitted`] scheme then turns any stretch of weights into what a reader of the packed bytes
//! will get, writes the bytes, and explains what happens to one weight. One file or folder per family.

pub mod affine;
pub mod article;
pub mod binary;
mod blocks;
pub mod bnb;
mod catalogue;
pub mod codebook;
mod compact;
pub mod deep;
mod extents;
pub mod float;
pub mod ggml;
pub mod hqq;
mod huffman;
mod prune;
mod runs;
mod tally;
mod trace;

pub use catalogue::{ChoiceValue, Entry, Kind, OptionSpec, Options, Resolved, Source, Value, When, catalogue, entry};
pub use extents::Extents;
pub use runs::{Granularity, Runs};
pub use tally::Tally;
pub use trace::{BitField, Block, Part, RunInfo, Step, Trace};

use std::fmt;
use std::rc::Rc;

use crate::error::{Code, Error, Result};
use crate::tensor::Shape;

/// The families' schemes, in the order in which they are best shown.
const FAMILIES: &[&[Entry]] = if cfg!(feature = "full") { ALL } else { FIRST };

const ALL: &[&[Entry]] = &[
    affine::ENTRIES,
    float::ENTRIES,
    ggml::ENTRIES,
    ggml::MORE,
    bnb::ENTRIES,
    codebook::kmeans::ENTRIES,
    deep::ENTRIES,
    binary::ENTRIES,
    hqq::ENTRIES,
];

/// The families of the module that a page loads first. Nothing refers to the others there, so it does not hold them.
const FIRST: &[&[Entry]] = &[affine::ENTRIES];

/// A family's part of a scheme: everything decided but the weights.
pub(crate) trait Family {
    /// See [`Scheme::byte_len`].
    fn byte_len(&self, shape: &Shape) -> Result<usize>;

    /// See [`Scheme::is_len_exact`].
    fn is_len_exact(&self) -> bool {
        true
    }

    /// See [`Scheme::cost`].
    fn cost(&self) -> f64 {
        5.0
    }

    /// See [`Scheme::prepare_knowing`]; `values` are as many as the shape holds.
    fn prepare(&self, values: &[f32], shape: &Shape, known: &Extents) -> Result<Prepared>;

    /// See [`Scheme::decode`]; `bytes` are as many as [`Family::byte_len`] says, if that is exact.
    fn decode(&self, bytes: &[u8], shape: &Shape) -> Result<Vec<f32>>;

    /// Calls `f` with the stretches of the packed bytes that hold codes, in ascending order; all else is side information. `true` if
    /// they are the codes of the elements, in order and one for each; otherwise they are just bytes.
    ///
    /// # Errors
    /// As [`Family::byte_len`].
    fn code_units(&self, shape: &Shape, f: &mut dyn FnMut(CodeUnit)) -> Result<bool> {
        f(CodeUnit { start: 0, bits: 8, count: self.byte_len(shape)?, high_first: false });
        Ok(false)
    }
}

/// A stretch of packed codes, least significant bit first, padded to a byte.
#[derive(Debug, Clone, Copy)]
pub(crate) struct CodeUnit {
    /// Its first byte.
    pub start: usize,
    /// Bits of a code, 1 to 8.
    pub bits: u32,
    /// How many codes.
    pub count: usize,
    /// Whether the high nibble of each byte comes first.
    pub high_first: bool,
}

/// A scheme with every option decided.
#[derive(Clone)]
pub struct Scheme {
    id: &'static str,
    options: Resolved,
    family: Rc<dyn Family>,
}

/// The same name and the same options are the same scheme.
impl PartialEq for Scheme {
    fn eq(&self, other: &Scheme) -> bool {
        self.id == other.id && self.options == other.options
    }
}

// By hand, like that of `Fitted`: the module would otherwise hold the code that prints every float of every family.
impl fmt::Debug for Scheme {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Scheme").field("id", &self.id).field("options", &self.options).finish()
    }
}

impl fmt::Debug for dyn Fitted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Fitted")
    }
}

impl Scheme {
    /// The scheme of a name with these options, the others at their defaults.
    ///
    /// # Errors
    /// `unknown_scheme`, `unknown_option`, `invalid_option`.
    pub fn new(id: &str, options: &Options) -> Result<Scheme> {
        let entry = entry(id)?;
        let options = entry.resolve(options)?;
        let family = compact::family(entry, &options)?;
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

    /// Bytes of a packed tensor of this shape, known without its values; the most that they can be where [`Scheme::is_len_exact`] is false.
    ///
    /// # Errors
    /// As [`Runs::new`]; `shape_mismatch` where blocks of a fixed size do not divide the rows.
    pub fn byte_len(&self, shape: &Shape) -> Result<usize> {
        self.family.byte_len(shape)
    }

    /// Whether [`Scheme::byte_len`] is what every tensor takes. With entropy coding, or pruned by a threshold, the weights decide, and
    /// [`Fitted::encoded_len`] tells.
    #[must_use]
    pub fn is_len_exact(&self) -> bool {
        self.family.is_len_exact()
    }

    /// Nanoseconds that one weight takes to be evaluated, to within a factor of a few: enough to tell what follows a hand at once on a large
    /// tensor from what takes seconds.
    #[must_use]
    pub fn cost(&self) -> f64 {
        let searches = self.options.choice("effort") == "best";
        self.family.cost() + if searches { 100.0 } else { 0.0 }
    }

    /// Looks at the weights and fixes what is shared: one scale and zero point per run.
    ///
    /// # Errors
    /// `shape_mismatch`; `non_finite` with how many and the first index, unless the scheme saturates them; `invalid_option` for an
    /// axis the shape does not have.
    pub fn prepare(&self, values: &[f32], shape: &Shape) -> Result<Prepared> {
        self.prepare_knowing(values, shape, &Extents::default())
    }

    /// The same, with what was found out about this tensor when other schemes were prepared for it.
    ///
    /// # Errors
    /// As [`Scheme::prepare`].
    pub fn prepare_knowing(&self, values: &[f32], shape: &Shape, known: &Extents) -> Result<Prepared> {
        if values.len() as u64 != shape.count() {
            return Err(Error::new(
                Code::ShapeMismatch,
                format!("the shape {:?} does not hold the values given", shape.dims()),
            )
            .with_expected(format!("{} values", shape.count()))
            .with_found(values.len()));
        }
        self.family.prepare(values, shape, known)
    }

    /// Weights from packed bytes of anywhere: the inverse of [`Fitted::encode`].
    ///
    /// # Errors
    /// `shape_mismatch` when the bytes are not as many as the shape needs.
    pub fn decode(&self, bytes: &[u8], shape: &Shape) -> Result<Vec<f32>> {
        let expected = self.byte_len(shape)?;
        if self.is_len_exact() && bytes.len() != expected {
            return Err(Error::new(
                Code::ShapeMismatch,
                format!("these are not the bytes of a tensor of shape {:?} packed as {}", shape.dims(), self.id),
            )
            .with_expected(format!("{expected} bytes"))
            .with_found(bytes.len()));
        }
        self.family.decode(bytes, shape)
    }
}

/// A scheme fitted to one tensor, whatever its family.
pub type Prepared = Rc<dyn Fitted>;

/// What a scheme does once it is fitted to a tensor. `values` below are always the whole tensor it was fitted to.
pub trait Fitted {
    /// What a reader of the packed bytes gets for elements `start..start + out.len()`.
    ///
    /// # Panics
    /// If the stretch does not lie in `values`.
    fn reconstruct(&self, values: &[f32], start: usize, out: &mut [f32]);

    /// The same, which also counts what is read back where that is faster with the codes at hand; `false` where it did not.
    ///
    /// # Panics
    /// As [`Fitted::reconstruct`].
    fn reconstruct_counted(&self, values: &[f32], start: usize, out: &mut [f32], _tally: &mut Tally) -> bool {
        self.reconstruct(values, start, out);
        false
    }

    /// The packed bytes.
    ///
    /// # Errors
    /// `out_of_memory`.
    fn encode(&self, values: &[f32]) -> Result<Vec<u8>>;

    /// Bytes that [`Fitted::encode`] will give, where the scheme's [`Scheme::byte_len`] is not exact.
    ///
    /// # Errors
    /// `out_of_memory`.
    fn encoded_len(&self, _values: &[f32]) -> Result<Option<usize>> {
        Ok(None)
    }

    /// Integer codes read back from packed bytes, in element order.
    ///
    /// # Errors
    /// `out_of_memory`; `unsupported` for a scheme without integer codes.
    fn codes(&self, bytes: &[u8]) -> Result<Vec<i32>>;

    /// Whether all that is read back is finite. A half-precision scale may overflow, and its block then reads as infinities and NaN.
    fn reads_finite(&self) -> bool {
        true
    }

    /// Number of runs that share a scale.
    fn runs(&self) -> usize;

    /// One scale per run, where the scheme has them apart from the codes.
    fn scales(&self) -> Option<&[f32]> {
        None
    }

    /// One zero point per run, where the scheme has them.
    fn zero_points(&self) -> Option<&[i8]> {
        None
    }

    /// The values that codes stand for, where the scheme stores a table of them.
    fn codebook(&self) -> Option<&[f32]> {
        None
    }

    /// The run that holds element `index`.
    ///
    /// # Panics
    /// If there is no such element.
    fn run_at(&self, values: &[f32], index: usize) -> RunInfo;

    /// All values that element `index` could become, ascending.
    fn levels_at(&self, values: &[f32], index: usize) -> Vec<f32>;

    /// What each of `x` would become in the place of element `index`, everything shared staying as it is.
    ///
    /// # Panics
    /// If `x` and `out` differ in length.
    fn respond(&self, values: &[f32], index: usize, x: &[f32], out: &mut [f32]);

    /// The way of one weight: float → scale → code → bits → value.
    ///
    /// # Panics
    /// If there is no such element.
    fn trace(&self, values: &[f32], index: usize) -> Trace;
}

/// The refusal of weights that are not finite.
fn non_finite(x: &[f32]) -> Error {
    let how_many = x.iter().filter(|x| !x.is_finite()).count();
    let first = x.iter().position(|x| !x.is_finite()).unwrap_or(0);
    Error::new(Code::NonFinite, format!("{how_many} weights are NaN or infinite, the first"))
        .with_offset(first as u64)
        .with_expected("finite weights, or the option nonFinite: \"saturate\"")
        .with_found(x.get(first).copied().unwrap_or(f32::NAN))
}
