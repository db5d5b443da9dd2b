//! What is asked of a plan, and what a plan is: for every tensor of a model how it will be stored, or why it is left alone.

use std::collections::{BTreeMap, HashSet};
use std::fmt;
use std::rc::Rc;

use serde::de::value::MapAccessDeserializer;
use serde::de::{self, MapAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize};

use super::gguf::{self, GgufDetails};
use super::model::Model;
use super::{deep, npz, onnx, safetensors};
use crate::error::{Code, Error, Result};
use crate::formats::{Layout, TensorInfo};
use crate::pack::{Packing, Recent};
use crate::quant::{Options, Scheme, Value};
use crate::tensor::DType;

/// Whether a tensor's bytes can be copied as they lie: row-major, little-endian, plain. Others are written element by element.
pub(super) fn is_plain(tensor: &TensorInfo) -> bool {
    tensor.layout == Layout::RowMajor && !tensor.big_endian && tensor.deflated.is_none() && !tensor.deep
}

/// The type that a tensor keeps its numbers in where its bytes cannot be copied, if there is one.
pub(super) fn castable(dtype: DType) -> Option<DType> {
    match dtype {
        DType::F16 | DType::Bf16 | DType::F32 | DType::F8E4M3 | DType::F8E5M2 => Some(dtype),
        // Every whole number of these is exact in f32; of f64 the nearest is kept.
        DType::F64 | DType::I8 | DType::U8 | DType::I16 | DType::U16 | DType::Bool => Some(DType::F32),
        _ => None,
    }
}

/// The format that is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[allow(missing_docs, reason = "the names are the definition")]
pub enum Target {
    Safetensors,
    Gguf,
    Onnx,
    Npz,
    Deep,
}

/// What shall become of a model.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Request {
    /// The format that is written.
    pub to: Target,
    /// A named set of rules of the target, such as `Q4_K_M`.
    #[serde(default)]
    pub preset: Option<String>,
    /// One scheme for every tensor that is quantized at all.
    #[serde(default)]
    pub scheme: Option<SchemeChoice>,
    /// Which of the target's ways to store quantized tensors, where it has several.
    #[serde(default)]
    pub layout: Option<String>,
    /// How hard schemes search that do not say so themselves: `reference` or `best`.
    #[serde(default)]
    pub effort: Option<String>,
    /// What single tensors shall become, by name; stronger than the rest.
    #[serde(default)]
    pub tensors: BTreeMap<String, Wish>,
}

/// A scheme by name with options.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct SchemeChoice {
    /// Its name.
    pub id: String,
    /// Its options.
    #[serde(flatten)]
    pub options: Options,
}

impl SchemeChoice {
    /// Refuses names and options that there are not.
    ///
    /// # Errors
    /// `unknown_scheme`, `unknown_option`, `invalid_option`.
    pub fn check(&self) -> Result<Rc<Scheme>> {
        thread_local!(static MADE: Recent<SchemeChoice, Scheme> = const { Recent::new() });
        MADE.with(|made| made.get(self, || Scheme::new(&self.id, &self.options).map(Rc::new)))
    }
}

/// What a single tensor shall become.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(untagged)]
pub enum Wish {
    /// `"keep"`: it stays as it is.
    Word(String),
    /// It is quantized so.
    Scheme(SchemeChoice),
}

/// Read in one go: what serde derives keeps every wish aside to look at it twice, and a slider asks for thousands in each plan.
impl<'de> Deserialize<'de> for Wish {
    fn deserialize<D: Deserializer<'de>>(from: D) -> std::result::Result<Self, D::Error> {
        struct Read;

        impl<'de> Visitor<'de> for Read {
            type Value = Wish;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("\"keep\" or a scheme {id, …}")
            }

            fn visit_str<E: de::Error>(self, word: &str) -> std::result::Result<Wish, E> {
                Ok(Wish::Word(word.to_owned()))
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> std::result::Result<Wish, A::Error> {
                let mut options = Options::deserialize(MapAccessDeserializer::new(map))?;
                match options.remove("id") {
                    Some(Value::Text(id)) => Ok(Wish::Scheme(SchemeChoice { id, options })),
                    _ => Err(de::Error::missing_field("id")),
                }
            }
        }

        from.deserialize_any(Read)
    }
}

/// A sentence, and the code by which a page says it in another language.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Note {
    /// Stable.
    pub code: &'static str,
    /// In English.
    pub text: String,
}

impl Note {
    /// A note.
    #[must_use]
    pub fn new(code: &'static str, text: impl Into<String>) -> Note {
        Note { code, text: text.into() }
    }
}

/// How one tensor will be stored.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Choice {
    /// Which tensor of the model.
    pub tensor: usize,
    /// Its name in the file that is written.
    pub name: String,
    /// How it is stored.
    pub packing: Packing,
    /// The type that people see: of the target's own naming, such as `Q4_K` or `F16`.
    pub dtype: String,
    /// What the packing sees: rows of so many weights.
    pub dims: Vec<u64>,
    /// The type that was asked for, where the tensor's shape did not allow it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub instead_of: Option<String>,
    /// Why it is not quantized, if it is not.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub left: Option<Note>,
}

/// How all tensors of a model will be stored.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Plan {
    /// The format that is written.
    pub to: Target,
    /// Tensor by tensor, in the order in which they are written.
    pub choices: Vec<Choice>,
    /// What is to be said of the whole.
    pub notes: Vec<Note>,
    /// Of GGUF what its header says.
    #[serde(skip)]
    pub gguf: Option<GgufDetails>,
    /// Texts that are written beside the model, by name.
    #[serde(skip)]
    pub beside: Vec<(String, String)>,
}

/// Plans.
///
/// # Errors
/// `invalid_argument` for a request that the model or the target cannot meet; `unknown_tensor` for a wish about a tensor that the model
/// does not have; `unknown_scheme`, `unknown_option`, `invalid_option`.
pub fn plan(model: &Model, request: &Request) -> Result<Plan> {
    let tensors = model.tensors().map(|(_, tensor)| tensor.name.as_str());
    let names: HashSet<&str> = tensors.chain(model.derived().map(|(_, derived)| derived.name.as_str())).collect();
    for (name, wish) in &request.tensors {
        if !names.contains(name.as_str()) {
            return Err(Error::new(Code::UnknownTensor, "the recipe names a tensor that the model does not have")
                .with_tensor(name)
                .with_found(format!("{} other tensors", model.tensors().count())));
        }
        match wish {
            Wish::Scheme(scheme) => drop(scheme.check().map_err(|e| e.with_tensor(name))?),
            Wish::Word(word) if word == "keep" => {}
            Wish::Word(word) => {
                return Err(Error::new(Code::InvalidArgument, "a tensor cannot become this")
                    .with_tensor(name)
                    .with_expected("\"keep\" or a scheme {id, …}")
                    .with_found(format!("{word:?}")));
            }
        }
    }
    if let Some(scheme) = &request.scheme {
        scheme.check()?;
    }
    match request.effort.as_deref() {
        None | Some("reference") => {}
        Some("best") if request.to == Target::Gguf => {}
        Some("best") => {
            return Err(Error::new(Code::Unsupported, "what this format stores is not searched for")
                .with_expected("GGUF, or effort \"reference\"")
                .with_found("effort \"best\""));
        }
        Some(effort) => {
            return Err(Error::new(Code::InvalidArgument, "there is no such effort")
                .with_expected("reference, best")
                .with_found(format!("{effort:?}")));
        }
    }
    match request.to {
        Target::Safetensors => safetensors::plan(model, request),
        Target::Onnx => onnx::plan(model, request),
        Target::Gguf => gguf::plan(model, request),
        Target::Npz => npz::plan(model, request),
        Target::Deep => deep::plan(model, request),
    }
}
