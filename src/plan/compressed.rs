//! Plans for compressed-tensors in safetensors, which transformers and vLLM load: the weights of linear layers as integers in groups
//! (`int4`), integers by rows (`int8`) or fp8 by rows (`fp8_e4m3`), and a `config.json` beside them that says so. One scheme for a file: that is
//! what its block of configuration can say in a line. What is no linear layer is named there as ignored.

use serde_json::Value as Json;

use super::model::Model;
use super::request::{Choice, Note, Plan, Request, SchemeChoice, Target, Wish, castable, is_plain};
use super::safetensors::{choose, is_cast, keep};
use crate::error::{Code, Error, Result};
use crate::formats::TensorInfo;
use crate::formats::compressed_write::{Quantization, config};
use crate::pack::Packing;
use crate::pack::compressed::Layout;
use crate::quant::{Options, Value};
use crate::tensor::DType;

/// The name by which it is asked for.
pub(super) const LAYOUT: &str = "compressed-tensors";

/// Weights that share a scale where nothing else is asked for: the first of these that divides every row, as W4A16 has 128.
const GROUPS: [u64; 3] = [128, 64, 32];

/// Models whose `c_…` are transposed and no linear layers to transformers.
const TRANSPOSED: [&str; 4] = ["gpt2", "openai-gpt", "imagegpt", "decision_transformer"];

pub(super) fn plan(model: &Model, request: &Request) -> Result<Plan> {
    let scheme = request.scheme.as_ref().ok_or_else(|| {
        Error::new(Code::InvalidArgument, "compressed-tensors has one scheme for all that is quantized")
            .with_expected("a scheme: int4, int8 or fp8_e4m3")
            .with_found("none")
    })?;
    let text = model.folder.texts.get("config.json").map(String::as_str);
    let about = About::of(text.unwrap_or("{}"));
    let all: Vec<&TensorInfo> = model.tensors().map(|(_, tensor)| tensor).collect();
    let rows = all.iter().filter(|tensor| about.left_alone(tensor).is_none()).filter_map(|t| t.shape.dims().last());
    let format = Stored::of(scheme, rows.copied())?;
    let mut choices = Vec::with_capacity(all.len());
    let mut ignored = Vec::new();
    for (index, tensor) in all.into_iter().enumerate() {
        if !is_plain(tensor) && castable(tensor.dtype).is_none() {
            return Err(Error::new(
                Code::Unsupported,
                "its elements are compressed or out of order, and f32 does not hold them",
            )
            .with_tensor(&tensor.name)
            .with_found(tensor.dtype.name()));
        }
        let choice = match request.tensors.get(&tensor.name) {
            Some(Wish::Word(_)) => keep(index, tensor, Note::new("asked", "kept, as asked")),
            Some(Wish::Scheme(own)) if is_cast(own) && own.id != "fp8_e4m3" => choose(index, tensor, own)?,
            Some(Wish::Scheme(own)) if format.is(own) => match about.unpackable(tensor) {
                None => format.choose(index, tensor)?,
                Some(why) => {
                    return Err(Error::new(Code::InvalidArgument, "it cannot be stored as compressed-tensors")
                        .with_tensor(&tensor.name)
                        .with_found(why.text));
                }
            },
            Some(Wish::Scheme(own)) => {
                return Err(Error::new(
                    Code::InvalidArgument,
                    "compressed-tensors has one scheme for all that is quantized",
                )
                .with_tensor(&tensor.name)
                .with_expected(format!("{}, f16, bf16 or keep", scheme.id))
                .with_found(&own.id));
            }
            None => match about.left_alone(tensor).or_else(|| format.unfit(tensor)) {
                Some(why) => keep(index, tensor, why),
                None => format.choose(index, tensor)?,
            },
        };
        if !matches!(choice.packing, Packing::Compressed { .. }) && tensor.shape.dims().len() == 2 {
            ignored.extend(tensor.name.strip_suffix(".weight"));
        }
        choices.push(choice);
    }
    ignored.extend(about.tied.iter().filter(|name| !ignored.contains(name)).copied().collect::<Vec<_>>());
    let quantization = Quantization { format: format.name(), bits: format.bits, group: format.group, ignore: &ignored };
    let mut beside = vec![("config.json".to_owned(), config(text.unwrap_or("{}"), &quantization)?)];
    let others = model.folder.texts.iter().filter(|(name, _)| *name != "config.json" && !name.contains('/'));
    beside.extend(others.map(|(name, text)| (name.clone(), text.clone())));
    let mut notes = Vec::new();
    if text.is_none() {
        let text = "no config.json lies beside the model: the one that is written says how the weights are stored, and nothing else";
        notes.push(Note::new("no_config", text));
    }
    Ok(Plan { to: Target::Safetensors, choices, notes, gguf: None, beside })
}

/// What `config.json` says of the layers.
struct About {
    /// Whether `c_…` are transposed.
    transposed: bool,
    /// Linear layers that share the weights of others, and are stored under those names.
    tied: &'static [&'static str],
}

impl About {
    fn of(config: &str) -> About {
        let config: Json = serde_json::from_str(config).unwrap_or_default();
        let class = config["architectures"][0].as_str().unwrap_or("");
        let tied: &[&str] = if class.ends_with("ForCausalLM") || class.ends_with("ForConditionalGeneration") {
            &["lm_head"]
        } else if class.ends_with("ForMaskedLM") || class.ends_with("ForPreTraining") {
            &["cls.predictions.decoder"]
        } else {
            &[]
        };
        About { transposed: config["model_type"].as_str().is_some_and(|name| TRANSPOSED.contains(&name)), tied }
    }

    /// Why a tensor is no weight of a linear layer, if it is not.
    fn unpackable(&self, tensor: &TensorInfo) -> Option<Note> {
        if !matches!(tensor.dtype, DType::F64 | DType::F32 | DType::F16 | DType::Bf16) {
            return Some(Note::new("not_float", format!("{} is no type of weights", tensor.dtype.name())));
        }
        if tensor.shape.dims().len() != 2 {
            return Some(Note::new("not_matrix", "it is no matrix"));
        }
        let Some(module) = tensor.name.strip_suffix(".weight") else {
            return Some(Note::new("not_weight", "its name does not end in weight"));
        };
        let last = last_of(module);
        if self.transposed && last.starts_with("c_") {
            return Some(Note::new("no_linear", "it is no linear layer to transformers"));
        }
        let is_table = module.to_ascii_lowercase().contains("embed")
            || matches!(last, "wte" | "wpe" | "shared" | "relative_attention_bias");
        is_table.then(|| Note::new("embedding", "a table of embeddings stays as it is"))
    }

    /// The same, or why it is better left as it is.
    fn left_alone(&self, tensor: &TensorInfo) -> Option<Note> {
        self.unpackable(tensor).or_else(|| match last_of(tensor.name.strip_suffix(".weight")?) {
            "lm_head" | "embed_out" => Some(Note::new("head", "the output stays as it is, as llm-compressor has it")),
            "gate" | "router" => Some(Note::new("delicate", "the routing of experts stays as it is")),
            _ => None,
        })
    }
}

fn last_of(module: &str) -> &str {
    module.rsplit('.').next().unwrap_or(module)
}

/// How the quantized weights of a file are stored.
struct Stored {
    layout: Layout,
    bits: u32,
    group: Option<u64>,
    id: String,
    options: Options,
}

impl Stored {
    fn of(scheme: &SchemeChoice, rows: impl Iterator<Item = u64>) -> Result<Stored> {
        let (layout, bits) = match scheme.id.as_str() {
            "int4" => (Layout::PackQuantized, 4),
            "int8" => (Layout::PackQuantized, 8),
            "fp8_e4m3" => (Layout::FloatQuantized, 8),
            other => {
                return Err(Error::new(Code::InvalidArgument, "compressed-tensors does not store this scheme here")
                    .with_expected("int4, int8 or fp8_e4m3")
                    .with_found(format!("{other:?}")));
            }
        };
        let mut options = scheme.options.clone();
        let says_group = !matches!(options.get("granularity"), Some(Value::Text(text)) if text != "group");
        let mut group = None;
        if bits == 4 && says_group {
            let rows: Vec<u64> = rows.collect();
            let divides = |group: &u64| rows.iter().all(|row| row % group == 0);
            let size = match options.get("groupSize") {
                Some(Value::Number(n)) => *n as u64,
                _ => GROUPS.into_iter().find(divides).unwrap_or(GROUPS[2]),
            };
            options.insert("granularity".into(), Value::Text("group".into()));
            options.insert("groupSize".into(), Value::Number(size as f64));
            group = Some(size);
        }
        let stored = Stored { layout, bits, group, id: scheme.id.clone(), options };
        stored.packing(DType::F32).packer()?;
        Ok(stored)
    }

    fn name(&self) -> &'static str {
        match self.layout {
            Layout::PackQuantized => "pack-quantized",
            Layout::FloatQuantized => "float-quantized",
        }
    }

    /// Whether a wish is what the whole file has.
    fn is(&self, own: &SchemeChoice) -> bool {
        own.id == self.id && own.options.iter().all(|(name, value)| self.options.get(name) == Some(value))
    }

    fn packing(&self, of: DType) -> Packing {
        let scale = if matches!(of, DType::F16 | DType::Bf16) { of } else { DType::F32 };
        let Stored { layout, id, options, .. } = self;
        Packing::Compressed { layout: *layout, scale: scale.name().into(), id: id.clone(), options: options.clone() }
    }

    /// Why the groups do not fit a tensor, if they do not.
    fn unfit(&self, tensor: &TensorInfo) -> Option<Note> {
        let row = tensor.shape.dims().last().copied().unwrap_or(0);
        let group = self.group.filter(|group| *group == 0 || row % group != 0)?;
        Some(Note::new("rows", format!("groups of {group} do not divide its rows of {row}")))
    }

    fn choose(&self, index: usize, tensor: &TensorInfo) -> Result<Choice> {
        let packing = self.packing(tensor.dtype);
        packing.packer()?.parts(&tensor.shape).map_err(|e| e.with_tensor(&tensor.name))?;
        let dtype = match (self.layout, self.group) {
            (Layout::FloatQuantized, _) => "FP8 per channel".to_owned(),
            (_, Some(group)) => format!("INT{} ×{group}", self.bits),
            (_, None) => format!("INT{} per channel", self.bits),
        };
        Ok(Choice { packing, dtype, left: None, ..keep(index, tensor, Note::new("", "")) })
    }
}
