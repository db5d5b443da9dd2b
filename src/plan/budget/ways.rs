//! The ways that each tensor of a model can be stored in a format: those that the format's own plans give it under one scheme for all, each
//! with its exact bytes, and as it is. Rules of the format (what is left alone, what blocks that do not divide a row fall back to) are those
//! of [`crate::plan`], which is asked once for each scheme.

use std::collections::HashMap;

use serde::{Deserialize, Serialize};

use super::Role;
use super::roles::Roles;
use crate::error::{Code, Error, Result};
use crate::formats::gguf::DEFAULT_ALIGNMENT;
use crate::pack::Packing;
use crate::plan::{Choice, Model, Note, Request, SchemeChoice, Target, plan};
use crate::quant::{Options, Value};
use crate::tensor::{DType, Shape};

/// What is asked for.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Asked {
    /// The format that is written.
    pub to: Target,
    /// The schemes that a tensor can take; by default all that make sense in the format.
    #[serde(default)]
    pub schemes: Option<Vec<SchemeChoice>>,
    /// Which of the target's ways to store quantized tensors, where it has several.
    #[serde(default)]
    pub layout: Option<String>,
    /// How hard schemes search that do not say so themselves.
    #[serde(default)]
    pub effort: Option<String>,
}

/// What a tensor becomes, whichever it is.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Kind {
    /// How it is stored.
    pub packing: Packing,
    /// The scheme by which a recipe asks for it; none to keep it as it is.
    pub scheme: Option<SchemeChoice>,
    /// The type that people see.
    pub dtype: String,
    /// Nanoseconds that a weight takes to be measured, roughly.
    pub cost: f64,
}

/// A way for one tensor.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Way {
    /// Which of [`Ways::kinds`].
    pub kind: usize,
    /// Its bytes in the file, with the zeros up to the next tensor where the format aligns them.
    pub bytes: u64,
    /// Rows cannot be packed apart: what a sample of them loses is an estimate of another kind.
    pub whole: bool,
}

/// A tensor that has a choice.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct TensorWays {
    /// Which tensor of the model.
    pub tensor: usize,
    /// Its name in the model.
    pub name: String,
    /// Its part in the model.
    pub role: Role,
    /// What a packing sees.
    pub dims: Vec<u64>,
    /// Its ways, each kind once.
    pub ways: Vec<Way>,
    /// Of each scheme for all which way it comes to.
    pub uniform: Vec<usize>,
}

/// All tensors that have a choice, in the order of the file that is written.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Ways {
    /// The schemes that were tried for all.
    pub schemes: Vec<SchemeChoice>,
    /// What tensors become.
    pub kinds: Vec<Kind>,
    /// The tensors.
    pub tensors: Vec<TensorWays>,
    /// Schemes of the default that this model cannot have.
    pub notes: Vec<Note>,
}

/// What a format's tensors can be by default.
#[must_use]
pub fn default_schemes(to: Target) -> Vec<SchemeChoice> {
    let plain = |ids: &[&str]| {
        ids.iter().map(|&id| SchemeChoice { id: id.into(), options: Options::new() }).collect::<Vec<_>>()
    };
    let grouped = |id: &str, size: f64| {
        let group = ("granularity".to_owned(), Value::Text("group".into()));
        let options = Options::from([group, ("groupSize".to_owned(), Value::Number(size))]);
        SchemeChoice { id: id.into(), options }
    };
    match to {
        Target::Gguf => plain(&[
            "q8_0", "q6_k", "q5_k", "q4_k", "q3_k", "q2_k", "q5_1", "q5_0", "q4_1", "q4_0", "iq4_nl", "iq4_xs",
            "mxfp4", "nvfp4", "tq2_0", "tq1_0", "bf16", "f16",
        ]),
        Target::Onnx => {
            let mut schemes = plain(&["int8", "f16"]);
            schemes.extend([32.0, 64.0, 128.0].map(|size| grouped("int4", size)));
            schemes
        }
        Target::Safetensors => plain(&["fp8_e4m3", "fp8_e5m2", "bf16", "f16"]),
        Target::Npz => plain(&["f16"]),
        // Sizes of records are the most that they can be: what is written is smaller.
        Target::Deep => [(8.0, 0.2), (6.0, 0.4), (5.0, 0.5), (4.0, 0.6), (3.0, 0.7)]
            .map(|(bits, share)| {
                let options = [("bits", bits), ("pruneRatio", share)];
                let options = options.map(|(name, value)| (name.to_owned(), Value::Number(value)));
                SchemeChoice { id: "deep".into(), options: Options::from(options) }
            })
            .to_vec(),
    }
}

/// The ways of a model.
///
/// # Errors
/// As [`plan`] for the schemes that were asked for; of the default ones those that the model cannot have are left out, with a note.
pub fn ways(model: &Model, asked: &Asked) -> Result<Ways> {
    let request = |scheme| Request {
        to: asked.to,
        preset: None,
        scheme,
        layout: asked.layout.clone(),
        effort: asked.effort.clone(),
        tensors: Default::default(),
    };
    if asked.layout.as_deref() == Some("compressed-tensors") {
        return Err(Error::new(
            Code::InvalidArgument,
            "a file of compressed-tensors has one scheme, so no size is met by mixing them",
        )
        .with_expected("a scheme, or another layout"));
    }
    let kept = plan(model, &request(None))?;
    let mut plans = Vec::new();
    let mut found = Ways { schemes: vec![], kinds: vec![], tensors: vec![], notes: vec![] };
    for scheme in asked.schemes.clone().unwrap_or_else(|| default_schemes(asked.to)) {
        match plan(model, &request(Some(scheme.clone()))) {
            Ok(plan) => {
                plans.push(plan);
                found.schemes.push(scheme);
            }
            Err(why) if asked.schemes.is_none() => {
                found.notes.push(Note::new("scheme_left_out", format!("{} is left out: {why}", scheme.id)));
            }
            Err(why) => return Err(why),
        }
    }
    let by_tensor: Vec<HashMap<usize, &Choice>> =
        plans.iter().map(|plan| plan.choices.iter().map(|choice| (choice.tensor, choice)).collect()).collect();
    let measure = Measure::of(model, asked.to);
    let roles = Roles::of(measure.names.iter().copied(), model.architecture());
    let mut kinds = HashMap::new();
    for kept in &kept.choices {
        let choices: Vec<&Choice> = by_tensor.iter().map(|of| *of.get(&kept.tensor).unwrap_or(&kept)).collect();
        if choices.iter().all(|choice| choice.packing == kept.packing) {
            continue;
        }
        let mut ways: Vec<Way> = Vec::new();
        let mut place = |choice: &Choice, asked: Option<&SchemeChoice>| -> Result<usize> {
            let key = (serde_json::to_string(&choice.packing).unwrap_or_default(), choice.dtype.clone());
            let kinds_found = &mut found.kinds;
            let kind = *kinds.entry(key).or_insert_with(|| {
                kinds_found.push(kind(choice, asked));
                kinds_found.len() - 1
            });
            if let Some(at) = ways.iter().position(|way| way.kind == kind) {
                return Ok(at);
            }
            let (bytes, whole) = measure.of_choice(choice).map_err(|e| e.with_tensor(&choice.name))?;
            ways.push(Way { kind, bytes, whole });
            Ok(ways.len() - 1)
        };
        place(kept, None)?;
        let uniform = choices
            .iter()
            .zip(&found.schemes)
            .map(|(choice, scheme)| place(choice, Some(scheme)))
            .collect::<Result<Vec<usize>>>()?;
        let quantized = choices.iter().find(|choice| choice.packing != Packing::Copy);
        let name = measure.names[kept.tensor].to_owned();
        found.tensors.push(TensorWays {
            tensor: kept.tensor,
            role: roles.role(&name),
            name,
            dims: quantized.map_or_else(|| kept.dims.clone(), |choice| choice.dims.clone()),
            ways,
            uniform,
        });
    }
    Ok(found)
}

/// What a choice is, by the name that a recipe asks for it. Blocks may be others than the scheme for all, whose own do not divide the rows.
fn kind(choice: &Choice, asked: Option<&SchemeChoice>) -> Kind {
    let plain = |id: &str| SchemeChoice { id: id.into(), options: Options::new() };
    let scheme = match &choice.packing {
        Packing::Copy => None,
        Packing::Cast { dtype } => asked.map(|_| match DType::named(dtype) {
            Some(DType::F8E4M3) => plain("fp8_e4m3"),
            Some(DType::F8E5M2) => plain("fp8_e5m2"),
            _ => plain(&dtype.to_ascii_lowercase()),
        }),
        Packing::Scheme { id, options } => Some(SchemeChoice { id: id.clone(), options: options.clone() }),
        _ => asked.cloned(),
    };
    let cost = scheme.as_ref().and_then(|scheme| scheme.check().ok()).map_or(1.0, |scheme| scheme.cost());
    Kind { packing: choice.packing.clone(), scheme, dtype: choice.dtype.clone(), cost }
}

/// Sizes of a model's tensors as a format stores them.
struct Measure<'a> {
    names: Vec<&'a str>,
    stored: Vec<u64>,
    alignment: u64,
}

impl<'a> Measure<'a> {
    fn of(model: &'a Model, to: Target) -> Measure<'a> {
        let names = model.tensors().map(|(_, t)| t.name.as_str()).chain(model.derived().map(|(_, d)| d.name.as_str()));
        let header = model.parts.first().and_then(|part| part.gguf.as_ref());
        let alignment = header.map_or(DEFAULT_ALIGNMENT, |header| header.alignment);
        Measure {
            names: names.collect(),
            stored: model.tensors().map(|(_, t)| t.bytes.end - t.bytes.start).collect(),
            alignment: if to == Target::Gguf { u64::from(alignment.max(1)) } else { 1 },
        }
    }

    /// The bytes of a choice, and whether the tensor must be packed whole.
    fn of_choice(&self, choice: &Choice) -> Result<(u64, bool)> {
        let too_large = || Error::new(Code::Unsupported, "the tensor is larger than 64 bits can count");
        let (bytes, whole) = match &choice.packing {
            Packing::Copy => (self.stored.get(choice.tensor).copied().unwrap_or(0), false),
            packing => {
                let shape = Shape::new(&choice.dims)?;
                let packer = packing.packer()?;
                let parts = packer.parts(&shape)?;
                let literals = packing.literals(&choice.dims);
                let mut all = parts.iter().chain(literals.iter().map(|(part, _)| part)).map(|part| part.byte_len);
                let bytes = all.try_fold(0_u64, u64::checked_add).ok_or_else(too_large)?;
                (bytes, packer.apart(&shape).is_none())
            }
        };
        Ok((bytes.checked_next_multiple_of(self.alignment).ok_or_else(too_large)?, whole))
    }
}
