//! What a tensor is to a model, told from its name as GGUF, Hugging Face and ONNX exports spell it.

use serde::Serialize;

/// A tensor's part in a model.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum Role {
    /// Tables whose rows are looked up: of tokens, of positions.
    Embedding,
    /// Queries, keys, values and what puts the heads together.
    Attention,
    /// The layers between, gates and experts.
    FeedForward,
    /// What gives the model's answer.
    Output,
    /// All else: norms, convolutions, names that say nothing.
    Other,
}

/// Parts of a name, in lower case, and what they mean; the first that is found decides.
const PARTS: [(&str, Role); 51] = {
    use Role::{Attention, Embedding, FeedForward, Other, Output};
    [
        ("norm", Other),
        ("ln_", Other),
        ("token_embd", Embedding),
        ("position_embd", Embedding),
        ("token_types", Embedding),
        ("embed_tokens", Embedding),
        ("embed_positions", Embedding),
        ("tok_embeddings", Embedding),
        ("word_embeddings", Embedding),
        ("position_embeddings", Embedding),
        ("token_type_embeddings", Embedding),
        ("wte.", Embedding),
        ("wpe.", Embedding),
        ("embedding.weight", Embedding),
        ("embeddings.weight", Embedding),
        ("lm_head", Output),
        ("classifier", Output),
        ("score.weight", Output),
        ("cls.predictions", Output),
        ("attn", Attention),
        ("attention", Attention),
        ("q_proj", Attention),
        ("k_proj", Attention),
        ("v_proj", Attention),
        ("o_proj", Attention),
        ("qkv", Attention),
        (".query", Attention),
        (".key", Attention),
        (".value", Attention),
        ("wq.", Attention),
        ("wk.", Attention),
        ("wv.", Attention),
        ("wo.", Attention),
        ("ffn", FeedForward),
        ("mlp", FeedForward),
        ("feed_forward", FeedForward),
        ("feedforward", FeedForward),
        ("intermediate.dense", FeedForward),
        ("output.dense", FeedForward),
        ("gate_proj", FeedForward),
        ("up_proj", FeedForward),
        ("down_proj", FeedForward),
        ("expert", FeedForward),
        ("c_fc", FeedForward),
        ("fc1", FeedForward),
        ("fc2", FeedForward),
        (".w1.", FeedForward),
        (".w2.", FeedForward),
        (".w3.", FeedForward),
        ("wi_", FeedForward),
        ("densereludense", FeedForward),
    ]
};

impl Role {
    /// Every role.
    pub const ALL: [Role; 5] = [Role::Embedding, Role::Attention, Role::FeedForward, Role::Output, Role::Other];

    /// As a tensor of this name has it.
    #[must_use]
    pub fn of(name: &str) -> Role {
        if name == "output.weight" {
            return Role::Output;
        }
        let name = name.to_ascii_lowercase();
        PARTS.iter().find(|(part, _)| name.contains(part)).map_or(Role::Other, |(_, role)| *role)
    }
}

#[cfg(test)]
mod tests {
    use super::Role::{self, Attention, Embedding, FeedForward, Other, Output};

    #[test]
    fn names_of_gguf_and_of_hugging_face_say_what_a_tensor_is() {
        for (name, role) in [
            ("token_embd.weight", Embedding),
            ("model.embed_tokens.weight", Embedding),
            ("embeddings.word_embeddings.weight", Embedding),
            ("transformer.wte.weight", Embedding),
            ("output.weight", Output),
            ("lm_head.weight", Output),
            ("blk.0.attn_output.weight", Attention),
            ("blk.3.attn_q.weight", Attention),
            ("model.layers.0.self_attn.o_proj.weight", Attention),
            ("encoder.layer.0.attention.output.dense.weight", Attention),
            ("blk.0.ffn_down.weight", FeedForward),
            ("blk.0.ffn_gate_exps.weight", FeedForward),
            ("model.layers.1.mlp.up_proj.weight", FeedForward),
            ("encoder.layer.0.output.dense.weight", FeedForward),
            ("blk.0.attn_norm.weight", Other),
            ("embeddings.LayerNorm.weight", Other),
            ("conv1.weight", Other),
            ("", Other),
        ] {
            assert_eq!(Role::of(name), role, "{name}");
        }
    }
}
