//! `tokenizer.json` as llama.cpp's keys: byte-level BPE, the BPE of SentencePiece, WordPiece. A tokenizer is described there by the name of
//! a way to cut words, so what is written is only what has such a name.

use std::collections::{BTreeMap, HashMap};

use serde::Deserialize;
use serde_json::Value;

use super::{Architecture, Folder, json, malformed, unsupported};
use crate::error::Result;
use crate::formats::gguf::write::NewValue;

#[derive(Deserialize)]
struct Tokenizer {
    model: Model,
    #[serde(default)]
    added_tokens: Vec<Added>,
    #[serde(default)]
    normalizer: Value,
    #[serde(default)]
    pre_tokenizer: Value,
    #[serde(default)]
    post_processor: Value,
}

#[derive(Deserialize)]
struct Model {
    #[serde(rename = "type")]
    kind: Option<String>,
    #[serde(default)]
    vocab: Value,
    #[serde(default)]
    merges: Vec<Merge>,
    #[serde(default)]
    byte_fallback: bool,
    #[serde(default)]
    ignore_merges: bool,
    unk_token: Option<String>,
}

/// A merge, in the two spellings of `tokenizers`.
#[derive(Deserialize)]
#[serde(untagged)]
enum Merge {
    Text(String),
    Pair(String, String),
}

#[derive(Deserialize)]
struct Added {
    id: u64,
    content: String,
    #[serde(default)]
    special: bool,
}

/// The parts of `tokenizer_config.json` that matter.
#[derive(Default, Deserialize)]
#[serde(default)]
struct Settings {
    add_bos_token: Option<bool>,
    add_eos_token: Option<bool>,
    bos_token: Value,
    eos_token: Value,
    unk_token: Value,
    pad_token: Value,
    sep_token: Value,
    cls_token: Value,
    mask_token: Value,
    chat_template: Value,
}

/// `enum llama_token_type`.
mod kind {
    pub const NORMAL: i32 = 1;
    pub const UNKNOWN: i32 = 2;
    pub const CONTROL: i32 = 3;
    pub const USER_DEFINED: i32 = 4;
    pub const UNUSED: i32 = 5;
    pub const BYTE: i32 = 6;
}

/// Ways to cut words by the expression that does it, and llama.cpp's names of them.
const LLAMA3: &str = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+";
const QWEN2: &str =
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+";
const TEKKEN: &str = r"[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+|[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+";

pub(super) fn keys(
    folder: &Folder<'_>,
    architecture: Architecture,
    vocabulary: u64,
    keys: &mut Vec<(String, NewValue)>,
) -> Result<()> {
    let tokenizer: Tokenizer = json(folder.tokenizer, "tokenizer.json")?;
    let settings: Settings =
        folder.tokenizer_config.map(|text| json(text, "tokenizer_config.json")).transpose()?.unwrap_or_default();
    let mut vocab = Vocabulary::of(&tokenizer, vocabulary)?;
    let mut put = |key: &str, value: NewValue| keys.push((format!("tokenizer.ggml.{key}"), value));
    let byte_level = tokenizer.model.kind.as_deref() == Some("BPE") && !tokenizer.model.byte_fallback;
    let bert = architecture == Architecture::Bert;
    match tokenizer.model.kind.as_deref() {
        Some("WordPiece") if bert => {
            let normalizer = &tokenizer.normalizer;
            if normalizer["type"] != "BertNormalizer" {
                return Err(unsupported("llama.cpp has no such normalizer")
                    .with_expected("a BertNormalizer")
                    .with_found(normalizer["type"].to_string()));
            }
            vocab.mark_beginnings();
            put("model", NewValue::Text("bert".into()));
            let lowercase = normalizer["lowercase"].as_bool().unwrap_or(true);
            put("normalizer.lowercase", NewValue::Bool(lowercase));
            let strips = normalizer["strip_accents"].as_bool().unwrap_or(lowercase);
            put("normalizer.strip_accents", NewValue::Bool(strips));
        }
        Some("BPE") if byte_level && !bert => {
            put("model", NewValue::Text("gpt2".into()));
            put("pre", NewValue::Text(cut(&tokenizer)?.into()));
        }
        Some("BPE") if !bert => {
            put("model", NewValue::Text("llama".into()));
            put("pre", NewValue::Text("default".into()));
            put("scores", NewValue::F32s(vocab.scores(&tokenizer.model.merges)));
            put("add_space_prefix", NewValue::Bool(prepends_space(&tokenizer.normalizer)));
        }
        other => {
            return Err(unsupported("this kind of tokenizer is not mapped for the architecture")
                .with_expected(if bert { "WordPiece" } else { "BPE" })
                .with_found(format!("{other:?}")));
        }
    }
    put("tokens", NewValue::Texts(vocab.tokens));
    put("token_type", NewValue::I32s(vocab.kinds));
    if byte_level {
        put("merges", NewValue::Texts(tokenizer.model.merges.iter().map(Merge::text).collect()));
    }
    let unknown = settings.unk_token.clone();
    let unknown =
        if unknown.is_null() { tokenizer.model.unk_token.clone().map_or(Value::Null, Value::String) } else { unknown };
    let first = if bert && settings.bos_token.is_null() { &settings.cls_token } else { &settings.bos_token };
    for (key, token) in [
        ("bos_token_id", first),
        ("eos_token_id", &settings.eos_token),
        ("unknown_token_id", &unknown),
        ("seperator_token_id", &settings.sep_token),
        ("padding_token_id", &settings.pad_token),
        ("cls_token_id", &settings.cls_token),
        ("mask_token_id", &settings.mask_token),
    ] {
        if let Some(id) = token_text(token).and_then(|text| vocab.ids.get(text)) {
            put(key, NewValue::U32(*id));
        }
    }
    if !bert {
        let begins =
            settings.add_bos_token.unwrap_or_else(|| begins_with(&tokenizer.post_processor, token_text(first)));
        put("add_bos_token", NewValue::Bool(begins));
        if let Some(ends) = settings.add_eos_token {
            put("add_eos_token", NewValue::Bool(ends));
        }
    }
    if let Value::String(template) = &settings.chat_template {
        keys.push(("tokenizer.chat_template".into(), NewValue::Text(template.clone())));
    }
    Ok(())
}

/// Tokens by id.
struct Vocabulary {
    tokens: Vec<String>,
    kinds: Vec<i32>,
    ids: HashMap<String, u32>,
}

impl Vocabulary {
    /// As many tokens as the embeddings have rows: ids without a token are named as llama.cpp's converter does.
    fn of(tokenizer: &Tokenizer, rows: u64) -> Result<Vocabulary> {
        let Value::Object(vocab) = &tokenizer.model.vocab else {
            return Err(
                malformed("the tokenizer has no vocabulary").with_expected("an object of tokens in tokenizer.json")
            );
        };
        let mut by_id: BTreeMap<u64, (&str, i32)> = BTreeMap::new();
        for (token, id) in vocab {
            let id = id.as_u64().ok_or_else(|| malformed("a token has no id").with_found(format!("{token:?}")))?;
            let bytes =
                tokenizer.model.byte_fallback && token.len() == 6 && token.starts_with("<0x") && token.ends_with('>');
            by_id.insert(id, (token, if bytes { kind::BYTE } else { kind::NORMAL }));
        }
        for added in &tokenizer.added_tokens {
            by_id.insert(added.id, (&added.content, if added.special { kind::CONTROL } else { kind::USER_DEFINED }));
        }
        if let Some((&last, _)) = by_id.last_key_value().filter(|&(&last, _)| last >= rows) {
            return Err(malformed("the tokenizer has more tokens than the model")
                .with_expected(format_args!("ids below {rows}"))
                .with_found(last));
        }
        // As many names as rows of a tensor: but no more than a tokenizer has, since nothing has been held against the tensor yet.
        if rows > by_id.len() as u64 + 65_536 {
            return Err(malformed("the model has far more rows of embeddings than the tokenizer has tokens")
                .with_expected(format_args!("about {}", by_id.len()))
                .with_found(rows));
        }
        let unknown = tokenizer.model.unk_token.as_deref().filter(|_| tokenizer.model.byte_fallback);
        let (mut tokens, mut kinds, mut ids) = (Vec::new(), Vec::new(), HashMap::new());
        for id in 0..rows {
            let (token, token_kind) = match by_id.get(&id) {
                Some((token, _)) if unknown == Some(*token) => ((*token).to_owned(), kind::UNKNOWN),
                Some((token, token_kind)) => ((*token).to_owned(), *token_kind),
                None => (format!("[PAD{id}]"), kind::UNUSED),
            };
            ids.entry(token.clone()).or_insert(id as u32);
            tokens.push(token);
            kinds.push(token_kind);
        }
        Ok(Vocabulary { tokens, kinds, ids })
    }

    /// WordPiece marks the parts within a word, llama.cpp the beginnings.
    fn mark_beginnings(&mut self) {
        for (token, token_kind) in self.tokens.iter_mut().zip(&self.kinds) {
            if *token_kind != kind::CONTROL {
                *token = match token.strip_prefix("##") {
                    Some(rest) => rest.to_owned(),
                    None => format!("\u{2581}{token}"),
                };
            }
        }
    }

    /// SentencePiece merges by the score of the result, where `tokenizers` has an order of merges: the earlier the better.
    fn scores(&self, merges: &[Merge]) -> Vec<f32> {
        let mut scores = vec![0.0; self.tokens.len()];
        let mut scored = vec![false; self.tokens.len()];
        for (rank, merge) in merges.iter().enumerate() {
            if let Some(&id) = self.ids.get(&merge.joined())
                && !std::mem::replace(&mut scored[id as usize], true)
            {
                scores[id as usize] = -(rank as f32);
            }
        }
        for (i, token_kind) in self.kinds.iter().enumerate() {
            // Single letters are the least likely; the others are never merged to.
            if !scored[i] && *token_kind == kind::NORMAL {
                scores[i] = -(merges.len() as f32) - i as f32;
            }
        }
        scores
    }
}

impl Merge {
    fn text(&self) -> String {
        match self {
            Merge::Text(text) => text.clone(),
            Merge::Pair(a, b) => format!("{a} {b}"),
        }
    }

    fn joined(&self) -> String {
        match self {
            Merge::Text(text) => text.replacen(' ', "", 1),
            Merge::Pair(a, b) => format!("{a}{b}"),
        }
    }
}

/// The name of the way in which words are cut before byte-level BPE.
fn cut(tokenizer: &Tokenizer) -> Result<&'static str> {
    let steps: Vec<&Value> = match &tokenizer.pre_tokenizer {
        steps if steps["type"] == "Sequence" => steps["pretokenizers"].as_array().into_iter().flatten().collect(),
        step => vec![step],
    };
    let kinds: Vec<&str> = steps.iter().map(|step| step["type"].as_str().unwrap_or("none")).collect();
    let ignores = tokenizer.model.ignore_merges;
    let expression = || steps[0]["pattern"]["Regex"].as_str().unwrap_or_default();
    let name = match kinds.as_slice() {
        ["ByteLevel"] if steps[0]["use_regex"] != false && !ignores => Some("gpt-2"),
        ["Digits", "ByteLevel"]
            if steps[0]["individual_digits"] == true && steps[1]["use_regex"] != false && !ignores =>
        {
            Some("smollm")
        }
        ["Split", "ByteLevel"] if steps[1]["use_regex"] == false => match expression() {
            LLAMA3 if ignores => Some("llama-bpe"),
            LLAMA3 => Some("smaug-bpe"),
            QWEN2 if !ignores => Some("qwen2"),
            TEKKEN if ignores => Some("tekken"),
            _ => None,
        },
        _ => None,
    };
    name.ok_or_else(|| {
        unsupported("llama.cpp's name for this way to cut words is not known here")
            .with_expected("the pre-tokenizer of GPT-2, SmolLM, Llama 3, Qwen 2 or Tekken")
            .with_found(kinds.join(", "))
    })
}

/// Whether text is given a leading space.
fn prepends_space(normalizer: &Value) -> bool {
    let steps = normalizer["normalizers"].as_array().map_or(std::slice::from_ref(normalizer), Vec::as_slice);
    steps.iter().any(|step| step["type"] == "Prepend")
}

/// Whether a post-processor puts this token first.
fn begins_with(post_processor: &Value, token: Option<&str>) -> bool {
    let Some(token) = token else { return false };
    let steps = post_processor["processors"].as_array().map_or(std::slice::from_ref(post_processor), Vec::as_slice);
    steps.iter().any(|step| step["single"][0]["SpecialToken"]["id"] == token)
}

/// A token's text: `"<s>"` or `{"content": "<s>", …}`.
fn token_text(token: &Value) -> Option<&str> {
    token.as_str().or_else(|| token["content"].as_str())
}
