//! What a tensor is to a model, told from its name as GGUF, Hugging Face and ONNX exports spell it, and from the names beside it: the table of
//! tokens of a model that continues text is its output too where it has no other.

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
    /// What gives the model's answer; a table of tokens that does both, too.
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

/// Parts of the names that tables of tokens have in models that continue text.
const TABLES: [&str; 4] = ["token_embd.", "embed_tokens.", "wte.", "tok_embeddings."];
/// Parts of names that only encoders have, which look tokens up and answer with vectors.
const ENCODERS: [&str; 5] = ["token_types", "token_type_embeddings", "bert.", "encoder.", "embeddings.tok_embeddings"];

/// What the tensors of one model are to it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Roles {
    /// The table of tokens is the output.
    tied: bool,
}

impl Roles {
    /// Of a model with tensors of these names; `architecture` as GGUF or a configuration states it.
    pub fn of<'a>(names: impl Iterator<Item = &'a str>, architecture: Option<&str>) -> Roles {
        let mut tied = !architecture.is_some_and(|name| {
            let name = name.to_ascii_lowercase();
            name.contains("bert") || name.contains("encoder")
        });
        for name in names {
            let name = name.to_ascii_lowercase();
            let is_encoder = ENCODERS.iter().any(|part| name.contains(part));
            tied &= !is_encoder && Role::of(&name) != Role::Output;
        }
        Roles { tied }
    }

    /// That of a tensor.
    #[must_use]
    pub fn role(self, name: &str) -> Role {
        let is_table = |name: &str| TABLES.iter().any(|part| name.to_ascii_lowercase().contains(part));
        match Role::of(name) {
            Role::Embedding if self.tied && is_table(name) => Role::Output,
            role => role,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Role::{self, Attention, Embedding, FeedForward, Other, Output};
    use super::Roles;

    #[test]
    fn a_table_of_tokens_is_the_output_of_a_model_that_has_no_other() {
        let of = |names: &[&str], architecture| Roles::of(names.iter().copied(), architecture).role(names[0]);
        assert_eq!(of(&["token_embd.weight", "blk.0.attn_q.weight"], Some("llama")), Output);
        assert_eq!(of(&["token_embd.weight", "output.weight"], Some("llama")), Embedding);
        assert_eq!(of(&["model.embed_tokens.weight", "model.norm.weight"], None), Output);
        assert_eq!(of(&["model.embed_tokens.weight", "lm_head.weight"], None), Embedding);
        assert_eq!(of(&["transformer.wte.weight", "transformer.wpe.weight"], None), Output);
        assert_eq!(of(&["transformer.wpe.weight", "transformer.wte.weight"], None), Embedding);
        // Encoders look tokens up, and that is all.
        assert_eq!(of(&["token_embd.weight", "token_types.weight"], None), Embedding);
        assert_eq!(of(&["token_embd.weight", "blk.0.attn_q.weight"], Some("nomic-bert")), Embedding);
        assert_eq!(of(&["embeddings.word_embeddings.weight"], None), Embedding);
        assert_eq!(of(&["model.embeddings.tok_embeddings.weight"], None), Embedding);
    }

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
