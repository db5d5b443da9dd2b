//! llama-quantize's rules: which tensors it quantizes, to which types under which preset, and what it falls back to.

use super::request::Note;
use crate::error::{Code, Error, Result};
use crate::formats::gguf::Header;
use crate::tensor::DType;

/// A tensor as the rules see it.
#[derive(Debug, Clone, Copy)]
pub struct Tensor<'a> {
    /// Its name, as llama.cpp knows it.
    pub name: &'a str,
    /// Dimensions, outermost first.
    pub dims: &'a [u64],
    /// What it is stored as.
    pub dtype: DType,
}

/// What a preset makes of a tensor.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Choice {
    /// The type it gets.
    pub dtype: DType,
    /// The type that the rules meant, where its shape did not allow it.
    pub instead_of: Option<DType>,
    /// Why it is left as it is, if it is.
    pub left: Option<Note>,
}

/// What a preset makes of a model.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Types {
    /// For each tensor.
    pub tensors: Vec<Choice>,
    /// The number of the preset in `enum llama_ftype`.
    pub file_type: u32,
}

/// The types that a preset gives.
///
/// # Errors
/// `invalid_argument` for a preset that there is not.
pub fn types(_: Option<&Header>, tensors: &[Tensor<'_>], preset: &str) -> Result<Types> {
    let first = tensors.first().map(|t| format!("{} {:?} {}", t.name, t.dims, t.dtype.name()));
    Err(Error::new(Code::InvalidArgument, format!("there is no such preset for {first:?}"))
        .with_found(format!("{preset:?}")))
}

/// Why llama-quantize would not quantize a tensor, if it would not.
#[must_use]
pub fn left_alone(_architecture: &str, name: &str, dims: &[u64]) -> Option<Note> {
    if !name.ends_with("weight") {
        return Some(Note::new("not_weight", "its name does not end in weight"));
    }
    if dims.len() < 2 {
        return Some(Note::new("not_matrix", "it is no matrix"));
    }
    if name.ends_with("_norm.weight") {
        return Some(Note::new("norm", "norms stay as they are"));
    }
    None
}

/// The type that is used where blocks of this one do not divide the rows.
#[must_use]
pub fn fallback(dtype: DType) -> DType {
    match dtype {
        DType::Q4_K => DType::Q5_0,
        DType::Q5_K => DType::Q5_1,
        DType::Q6_K => DType::Q8_0,
        DType::Q2_K | DType::Q3_K | DType::TQ1_0 | DType::TQ2_0 => DType::Q4_0,
        DType::IQ4_XS => DType::IQ4_NL,
        _ => DType::F16,
    }
}

/// The number of `enum llama_ftype` for a file whose weights mostly have this type.
#[must_use]
pub fn file_type_of(dtype: DType) -> u32 {
    match dtype {
        DType::F16 => 1,
        DType::Q4_0 => 2,
        DType::Q4_1 => 3,
        DType::Q8_0 => 7,
        DType::Q5_0 => 8,
        DType::Q5_1 => 9,
        DType::Q2_K => 10,
        DType::Q3_K => 12,
        DType::Q4_K => 15,
        DType::Q5_K => 17,
        DType::Q6_K => 18,
        DType::IQ4_NL => 25,
        DType::IQ4_XS => 30,
        DType::Bf16 => 32,
        DType::TQ1_0 => 36,
        DType::TQ2_0 => 37,
        DType::MXFP4 => 38,
        _ => 0,
    }
}
