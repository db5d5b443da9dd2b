//! Model folders of Hugging Face as GGUF: the keys, the names and the order of rows that llama.cpp expects, for the architectures named in
//! [`ARCHITECTURES`]. Everything else is refused by name; a file of tensors alone is the caller's way out, and runs nowhere.
//!
//! Definition: llama.cpp's `conversion/{base,llama,bert,qwen}.py`, and what its loader reads. The tests hold a mapped folder against files
//! that PyPI's gguf wrote key by key and that llama.cpp ran with the logits of a numpy reference (`tests/data/hugging_face.py`).
//! The weights themselves are not touched here: [`Mapped::heads`] says which rows change places, and [`row_of`] where each comes from.

mod names;
mod tokenizer;

use serde::Deserialize;

use super::llama::Hints;
use crate::error::{Code, Error, Result};
use crate::formats::gguf::write::{NewValue, Tensor};
pub use crate::pack::interleave::row_of;
use crate::tensor::DType;

/// What `architectures` in `config.json` may say, and what GGUF calls it.
pub const ARCHITECTURES: [(&str, Architecture); 5] = [
    ("LlamaForCausalLM", Architecture::Llama),
    ("MistralForCausalLM", Architecture::Llama),
    ("Qwen2ForCausalLM", Architecture::Qwen2),
    ("BertModel", Architecture::Bert),
    ("BertForMaskedLM", Architecture::Bert),
];

/// An architecture of llama.cpp's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(missing_docs, reason = "the names are the definition")]
pub enum Architecture {
    Llama,
    Qwen2,
    Bert,
}

impl Architecture {
    /// `general.architecture`.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Architecture::Llama => "llama",
            Architecture::Qwen2 => "qwen2",
            Architecture::Bert => "bert",
        }
    }
}

/// The texts of a folder and its tensors.
#[derive(Debug, Clone, Copy)]
pub struct Folder<'a> {
    /// `config.json`.
    pub config: &'a str,
    /// `tokenizer.json`.
    pub tokenizer: &'a str,
    /// `tokenizer_config.json`, where there is one.
    pub tokenizer_config: Option<&'a str>,
    /// `1_Pooling/config.json` of a sentence encoder, where there is one.
    pub pooling: Option<&'a str>,
    /// The tensors by Hugging Face's names.
    pub tensors: &'a [Tensor<'a>],
}

/// A folder as GGUF has it.
#[derive(Debug, Clone, PartialEq)]
pub struct Mapping {
    /// Its architecture.
    pub architecture: Architecture,
    /// Its keys, but for those of a quantization.
    pub keys: Vec<(String, NewValue)>,
    /// Its tensors, in the folder's order, made ones at the end.
    pub tensors: Vec<Mapped>,
    /// What [`super::llama`] wants to know.
    pub hints: Hints,
    /// Tensors of the folder that llama.cpp has no use for.
    pub unused: Vec<usize>,
}

/// One tensor of the new file, not quantized yet.
#[derive(Debug, Clone, PartialEq)]
pub struct Mapped {
    /// Where its weights come from.
    pub from: From,
    /// Its name.
    pub name: String,
    /// Its dimensions, outermost first.
    pub dims: Vec<u64>,
    /// Its type: norms, biases and the embeddings of positions are f32 in llama.cpp.
    pub dtype: DType,
    /// Rows change places within so many heads: row i comes from [`row_of`].
    pub heads: Option<u64>,
}

/// Where weights come from.
#[derive(Debug, Clone, PartialEq)]
pub enum From {
    /// A tensor of the folder.
    Tensor(usize),
    /// Made from the configuration.
    Made(Vec<f32>),
}

/// The parts of `config.json` that matter.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Config {
    architectures: Vec<String>,
    vocab_size: Option<u64>,
    hidden_size: Option<u64>,
    intermediate_size: Option<u64>,
    num_hidden_layers: Option<u64>,
    num_attention_heads: Option<u64>,
    num_key_value_heads: Option<u64>,
    head_dim: Option<u64>,
    max_position_embeddings: Option<u64>,
    type_vocab_size: Option<u64>,
    rms_norm_eps: Option<f64>,
    layer_norm_eps: Option<f64>,
    rope_theta: Option<f64>,
    rope_scaling: Option<Rope>,
    rope_parameters: Option<Rope>,
    hidden_act: Option<String>,
    position_embedding_type: Option<String>,
    tie_word_embeddings: Option<bool>,
    use_sliding_window: Option<bool>,
}

/// How positions are stretched.
#[derive(Debug, Default, Clone, Deserialize)]
#[serde(default)]
struct Rope {
    #[serde(alias = "type")]
    rope_type: Option<String>,
    rope_theta: Option<f64>,
    factor: Option<f64>,
    low_freq_factor: Option<f64>,
    high_freq_factor: Option<f64>,
    original_max_position_embeddings: Option<f64>,
}

/// What `1_Pooling/config.json` says.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Pooling {
    pooling_mode_mean_tokens: bool,
    pooling_mode_cls_token: bool,
    pooling_mode_lasttoken: bool,
}

/// Maps a folder.
///
/// # Errors
/// `unsupported`, named: an architecture that is not in [`ARCHITECTURES`], a way of rotation, an activation, a tokenizer or a tensor that
/// llama.cpp would not run as the folder means it. `malformed` for texts that are not what they should be, and tensors that are missing or
/// of another shape than the configuration says.
pub fn map(folder: &Folder<'_>) -> Result<Mapping> {
    let config: Config = json(folder.config, "config.json")?;
    let said = config.architectures.first().map_or("", String::as_str);
    let architecture =
        ARCHITECTURES.iter().find(|(name, _)| *name == said).map(|(_, arch)| *arch).ok_or_else(|| {
            Error::new(Code::Unsupported, "models of this architecture cannot be made to run in llama.cpp here")
                .with_expected(ARCHITECTURES.map(|(name, _)| name).join(", "))
                .with_found(format!("{said:?} in config.json"))
        })?;
    let shape = Dimensions::of(&config, architecture)?;
    let mut keys = vec![("general.architecture".to_owned(), NewValue::Text(architecture.name().into()))];
    keys.push(("general.type".into(), NewValue::Text("model".into())));
    let name = |key: &str| format!("{}.{key}", architecture.name());
    let number =
        |n: u64| u32::try_from(n).map(NewValue::U32).map_err(|_| malformed("a number is too large").with_found(n));
    for (key, n) in [
        ("block_count", shape.layers),
        ("context_length", shape.context),
        ("embedding_length", shape.width),
        ("feed_forward_length", shape.inner),
        ("attention.head_count", shape.heads),
        ("attention.head_count_kv", shape.heads_kv),
    ] {
        keys.push((name(key), number(n)?));
    }
    let mut made = None;
    if architecture == Architecture::Bert {
        keys.push((name("attention.layer_norm_epsilon"), epsilon(config.layer_norm_eps, "layer_norm_eps")?));
        keys.push((name("attention.causal"), NewValue::Bool(false)));
        if let Some(pooling) = folder.pooling {
            keys.push((name("pooling_type"), NewValue::U32(pooling_type(&json(pooling, "1_Pooling/config.json")?)?)));
        }
        keys.push(("tokenizer.ggml.token_type_count".into(), number(config.type_vocab_size.unwrap_or(1))?));
    } else {
        keys.push((name("attention.layer_norm_rms_epsilon"), epsilon(config.rms_norm_eps, "rms_norm_eps")?));
        keys.push((name("rope.dimension_count"), number(shape.head_dim)?));
        if config.head_dim.is_some() {
            keys.push((name("attention.key_length"), number(shape.head_dim)?));
            keys.push((name("attention.value_length"), number(shape.head_dim)?));
        }
        made = rotation(&config, &shape, &name, &mut keys)?;
    }
    keys.push((name("vocab_size"), number(shape.vocabulary)?));
    tokenizer::keys(folder, architecture, shape.vocabulary, &mut keys)?;

    let tied = config.tie_word_embeddings == Some(true);
    let (mut tensors, unused) = names::map(folder.tensors, architecture, &shape, tied)?;
    if let Some(factors) = made {
        let dims = vec![factors.len() as u64];
        let name = "rope_freqs.weight".to_owned();
        tensors.push(Mapped { from: From::Made(factors), name, dims, dtype: DType::F32, heads: None });
    }
    let hints = Hints {
        architecture: architecture.name().into(),
        layers: shape.layers,
        heads: shape.heads,
        heads_kv: shape.heads_kv,
        experts: 0,
    };
    Ok(Mapping { architecture, keys, tensors, hints, unused })
}

/// The sizes of a model.
struct Dimensions {
    layers: u64,
    context: u64,
    width: u64,
    inner: u64,
    heads: u64,
    heads_kv: u64,
    head_dim: u64,
    vocabulary: u64,
    token_types: u64,
}

impl Dimensions {
    fn of(config: &Config, architecture: Architecture) -> Result<Dimensions> {
        let within = |value: Option<u64>, most: u64, what: &str| {
            value.filter(|&n| (1..=most).contains(&n)).ok_or_else(|| {
                malformed("config.json lacks a size").with_expected(what).with_found(format!("{value:?}"))
            })
        };
        let need = |value, what| within(value, 1 << 32, what);
        let (width, heads) =
            (need(config.hidden_size, "hidden_size")?, need(config.num_attention_heads, "num_attention_heads")?);
        let bert = architecture == Architecture::Bert;
        let wanted = if bert { "gelu" } else { "silu" };
        if let Some(act) = config.hidden_act.as_deref().filter(|&act| act != wanted) {
            return Err(unsupported("llama.cpp has another activation here").with_expected(wanted).with_found(act));
        }
        if let Some(kind) = config.position_embedding_type.as_deref().filter(|&kind| kind != "absolute") {
            return Err(unsupported("llama.cpp has other embeddings of positions here")
                .with_expected("absolute")
                .with_found(kind));
        }
        if config.use_sliding_window == Some(true) {
            return Err(unsupported("llama.cpp has no sliding window here").with_found("use_sliding_window: true"));
        }
        // Memory is taken for it before any tensor has to have this width.
        let head_dim = within(config.head_dim.or(Some(width / heads)), 1 << 16, "head_dim, at most 65,536")?;
        let shape = Dimensions {
            layers: need(config.num_hidden_layers, "num_hidden_layers")?,
            context: need(config.max_position_embeddings, "max_position_embeddings")?,
            width,
            inner: need(config.intermediate_size, "intermediate_size")?,
            heads,
            heads_kv: if bert {
                heads
            } else {
                need(config.num_key_value_heads.or(Some(heads)), "num_key_value_heads")?
            },
            head_dim,
            vocabulary: need(config.vocab_size, "vocab_size")?,
            token_types: config.type_vocab_size.unwrap_or(1),
        };
        if !head_dim.is_multiple_of(2) || !shape.heads.is_multiple_of(shape.heads_kv) {
            return Err(malformed("the heads in config.json do not fit together")
                .with_expected("heads of an even width, a multiple of those of keys and values")
                .with_found(format!("{heads} heads of {head_dim}, {} of keys and values", shape.heads_kv)));
        }
        Ok(shape)
    }
}

/// The keys of a rotation, and its factors where they are a tensor.
fn rotation(
    config: &Config,
    shape: &Dimensions,
    name: &dyn Fn(&str) -> String,
    keys: &mut Vec<(String, NewValue)>,
) -> Result<Option<Vec<f32>>> {
    let rope = config.rope_parameters.clone().or_else(|| config.rope_scaling.clone()).unwrap_or_default();
    let base = rope.rope_theta.or(config.rope_theta).unwrap_or(10_000.0);
    keys.push((name("rope.freq_base"), NewValue::F32(base as f32)));
    match rope.rope_type.as_deref() {
        None | Some("default") => Ok(None),
        Some("linear") => {
            let factor = rope.factor.ok_or_else(|| malformed("a linear rotation has no factor"))?;
            keys.push((name("rope.scaling.type"), NewValue::Text("linear".into())));
            keys.push((name("rope.scaling.factor"), NewValue::F32(factor as f32)));
            Ok(None)
        }
        Some("llama3") if config.architectures[0] == "LlamaForCausalLM" => {
            Ok(Some(llama3_factors(&rope, base, shape.head_dim)))
        }
        Some(other) => Err(unsupported("this way of stretching positions is not mapped")
            .with_expected("default, linear or, for Llama, llama3")
            .with_found(other)),
    }
}

/// By how much each frequency is divided, after Llama 3.1: the long waves by the factor, the short by nothing, between them smoothly.
fn llama3_factors(rope: &Rope, base: f64, head_dim: u64) -> Vec<f32> {
    let factor = rope.factor.unwrap_or(8.0) as f32;
    let low = rope.low_freq_factor.unwrap_or(1.0) as f32;
    let high = rope.high_freq_factor.unwrap_or(4.0) as f32;
    let context = rope.original_max_position_embeddings.unwrap_or(8192.0) as f32;
    let one = |i: u64| {
        let frequency = 1.0 / (base as f32).powf(i as f32 / head_dim as f32);
        let wave = 2.0 * std::f32::consts::PI / frequency;
        if wave < context / high {
            1.0
        } else if wave > context / low {
            factor
        } else {
            let smooth = (context / wave - low) / (high - low);
            1.0 / ((1.0 - smooth) / factor + smooth)
        }
    };
    (0..head_dim).step_by(2).map(one).collect()
}

fn epsilon(value: Option<f64>, what: &str) -> Result<NewValue> {
    let value = value.ok_or_else(|| malformed("config.json lacks a number").with_expected(what))?;
    Ok(NewValue::F32(value as f32))
}

/// `enum llama_pooling_type`.
fn pooling_type(pooling: &Pooling) -> Result<u32> {
    match (pooling.pooling_mode_mean_tokens, pooling.pooling_mode_cls_token, pooling.pooling_mode_lasttoken) {
        (true, false, false) => Ok(1),
        (false, true, false) => Ok(2),
        (false, false, true) => Ok(3),
        _ => Err(unsupported("llama.cpp has no such pooling").with_expected("one of mean, cls and last token")),
    }
}

fn json<'a, T: Deserialize<'a>>(text: &'a str, what: &str) -> Result<T> {
    serde_json::from_str(text).map_err(|e| malformed(&format!("{what} cannot be read")).with_found(format!("{e}")))
}

fn malformed(message: &str) -> Error {
    Error::new(Code::Malformed, message)
}

fn unsupported(message: &str) -> Error {
    Error::new(Code::Unsupported, message)
}
