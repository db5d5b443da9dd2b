//! Hugging Face's names of tensors and llama.cpp's, with the shape that each must have.

use super::{Architecture, Dimensions, From, Mapped, malformed, unsupported};
use crate::error::Result;
use crate::formats::gguf::write::Tensor;
use crate::tensor::DType;

/// A size by name.
#[derive(Clone, Copy)]
enum Size {
    Width,
    Inner,
    Queries,
    Values,
    Vocabulary,
    Context,
    TokenTypes,
}

use Size::{Context, Inner, Queries, TokenTypes, Values, Vocabulary, Width};

/// One tensor: its name there and here without `.weight` or `.bias`, and its shape; a bias has the first of it.
struct Row(&'static str, &'static str, &'static [Size]);

/// Of a Llama, Mistral or Qwen2 as a whole.
const DECODER: [Row; 3] = [
    Row("model.embed_tokens", "token_embd", &[Vocabulary, Width]),
    Row("model.norm", "output_norm", &[Width]),
    Row("lm_head", "output", &[Vocabulary, Width]),
];

/// Of one of its layers, after `model.layers.N.`.
const DECODER_LAYER: [Row; 9] = [
    Row("input_layernorm", "attn_norm", &[Width]),
    Row("self_attn.q_proj", "attn_q", &[Queries, Width]),
    Row("self_attn.k_proj", "attn_k", &[Values, Width]),
    Row("self_attn.v_proj", "attn_v", &[Values, Width]),
    Row("self_attn.o_proj", "attn_output", &[Width, Queries]),
    Row("post_attention_layernorm", "ffn_norm", &[Width]),
    Row("mlp.gate_proj", "ffn_gate", &[Inner, Width]),
    Row("mlp.up_proj", "ffn_up", &[Inner, Width]),
    Row("mlp.down_proj", "ffn_down", &[Width, Inner]),
];

/// Of a BERT as a whole.
const ENCODER: [Row; 4] = [
    Row("embeddings.word_embeddings", "token_embd", &[Vocabulary, Width]),
    Row("embeddings.position_embeddings", "position_embd", &[Context, Width]),
    Row("embeddings.token_type_embeddings", "token_types", &[TokenTypes, Width]),
    Row("embeddings.LayerNorm", "token_embd_norm", &[Width]),
];

/// Of one of its layers, after `encoder.layer.N.`.
const ENCODER_LAYER: [Row; 8] = [
    Row("attention.self.query", "attn_q", &[Queries, Width]),
    Row("attention.self.key", "attn_k", &[Values, Width]),
    Row("attention.self.value", "attn_v", &[Values, Width]),
    Row("attention.output.dense", "attn_output", &[Width, Queries]),
    Row("attention.output.LayerNorm", "attn_output_norm", &[Width]),
    Row("intermediate.dense", "ffn_up", &[Inner, Width]),
    Row("output.dense", "ffn_down", &[Width, Inner]),
    Row("output.LayerNorm", "layer_output_norm", &[Width]),
];

/// Tensors of an encoder that serve training, and frequencies that follow from the configuration.
fn is_unused(name: &str, tied: bool) -> bool {
    name == "embeddings.position_ids"
        || name.starts_with("pooler.")
        || name.starts_with("cls.")
        || name.ends_with(".rotary_emb.inv_freq")
        || (tied && name == "lm_head.weight")
}

pub(super) fn map(
    tensors: &[Tensor<'_>],
    architecture: Architecture,
    shape: &Dimensions,
    tied: bool,
) -> Result<(Vec<Mapped>, Vec<usize>)> {
    let bert = architecture == Architecture::Bert;
    let (whole, layers, prefix): (&[Row], &[Row], &str) =
        if bert { (&ENCODER, &ENCODER_LAYER, "encoder.layer.") } else { (&DECODER, &DECODER_LAYER, "model.layers.") };
    let (mut mapped, mut unused): (Vec<Mapped>, Vec<usize>) = (Vec::new(), Vec::new());
    for (i, tensor) in tensors.iter().enumerate() {
        let name = tensor.name.strip_prefix("bert.").unwrap_or(tensor.name);
        if is_unused(name, tied) {
            unused.push(i);
            continue;
        }
        let layer = name.strip_prefix(prefix).and_then(|rest| rest.split_once('.'));
        let layer = layer.and_then(|(n, rest)| Some((n.parse::<u64>().ok().filter(|&n| n < shape.layers)?, rest)));
        let (rows, rest) = layer.map_or((whole, name), |(_, rest)| (layers, rest));
        let row = rest.rsplit_once('.').and_then(|(base, kind)| {
            let row = rows.iter().find(|row| row.0 == base)?;
            // As TensorFlow's checkpoints of BERT have it.
            Some((
                row,
                match kind {
                    "weight" | "gamma" => "weight",
                    "bias" | "beta" => "bias",
                    _ => return None,
                },
            ))
        });
        let Some((Row(_, base, sizes), kind)) = row else {
            return Err(unsupported("llama.cpp has no place for this tensor").with_tensor(tensor.name));
        };
        let sizes = if kind == "bias" { &sizes[..1] } else { sizes };
        let dims: Vec<u64> = sizes.iter().map(|size| shape.size(*size)).collect();
        if dims != tensor.dims {
            return Err(malformed("the tensor has another shape than config.json says")
                .with_tensor(tensor.name)
                .with_expected(format!("{dims:?}"))
                .with_found(format!("{:?}", tensor.dims)));
        }
        let dtype = match tensor.dtype {
            DType::F32 | DType::F16 | DType::Bf16 | DType::F64 => {
                let kept = dims.len() > 1 && !matches!(*base, "position_embd" | "token_types");
                if kept && tensor.dtype != DType::F64 { tensor.dtype } else { DType::F32 }
            }
            other => {
                return Err(unsupported("only weights in floats are mapped")
                    .with_tensor(tensor.name)
                    .with_found(other.name()));
            }
        };
        let heads = match *base {
            "attn_q" if architecture == Architecture::Llama => Some(shape.heads),
            "attn_k" if architecture == Architecture::Llama => Some(shape.heads_kv),
            _ => None,
        };
        let name = match layer {
            Some((n, _)) => format!("blk.{n}.{base}.{kind}"),
            None => format!("{base}.{kind}"),
        };
        mapped.push(Mapped { from: From::Tensor(i), name, dims, dtype, heads });
    }
    check_all_there(&mapped, whole, layers, shape)?;
    Ok((mapped, unused))
}

/// llama.cpp refuses a model that lacks a weight; so do we, before writing it.
fn check_all_there(mapped: &[Mapped], whole: &[Row], layers: &[Row], shape: &Dimensions) -> Result<()> {
    let names: std::collections::HashSet<&str> = mapped.iter().map(|tensor| tensor.name.as_str()).collect();
    let in_layers = (0..shape.layers).flat_map(|n| layers.iter().map(move |row| format!("blk.{n}.{}.weight", row.1)));
    // The output may be the token embeddings again.
    let of_whole = whole.iter().filter(|row| row.1 != "output").map(|row| format!("{}.weight", row.1));
    match of_whole.chain(in_layers).find(|name| !names.contains(name.as_str())) {
        Some(missing) => Err(malformed("the folder lacks a tensor").with_tensor(missing)),
        None => Ok(()),
    }
}

impl Dimensions {
    fn size(&self, size: Size) -> u64 {
        match size {
            Width => self.width,
            Inner => self.inner,
            Queries => self.heads * self.head_dim,
            Values => self.heads_kv * self.head_dim,
            Vocabulary => self.vocabulary,
            Context => self.context,
            TokenTypes => self.token_types,
        }
    }
}
