//! The tiny language model. See `LanguageModel` in `www/lib/lm.js`.

use js_sys::Float32Array;
use wasm_bindgen::prelude::*;

use super::convert::{floats, object, to_js};
use crate::error::{self, Code, Error};
use crate::formats::gguf::Header;
use crate::formats::{Listing, Reader, Step};
use crate::nn::Random;
use crate::nn::llama::{LanguageModel, Sizes, Tokenizer, drawn, greedy};
use crate::tensor::{to_usize, try_vec};

/// A llama with its tokenizer.
#[wasm_bindgen(js_name = WasmLanguageModel)]
pub struct Llama {
    model: LanguageModel,
    tokenizer: Tokenizer,
    /// What precedes a text, and what ends it.
    first: Option<u32>,
    last: Option<u32>,
    logits: Vec<f32>,
    random: Random,
}

#[wasm_bindgen(js_class = WasmLanguageModel)]
impl Llama {
    /// From the beginning of a GGUF file of `file_len` bytes, its header whole. At most `context` positions are kept. It has no weights yet.
    #[wasm_bindgen(constructor)]
    pub fn new(head: &[u8], file_len: f64, context: u32) -> Result<Llama, JsValue> {
        let run = || {
            let listing = listing(head, file_len as u64)?;
            let header = listing.gguf.as_ref().ok_or_else(|| unsupported("a language model is read from GGUF"))?;
            let tied = !listing.tensors.iter().any(|tensor| tensor.name == "output.weight");
            let tokenizer = tokenizer(header, head)?;
            let sizes = sizes(header, tokenizer.len(), context as usize)?;
            sizes.check()?;
            let token = |key: &str| {
                let number = header.integer(&format!("tokenizer.ggml.{key}_token_id"))?;
                u32::try_from(number).ok().filter(|&n| (n as usize) < tokenizer.len())
            };
            let (first, last) = (token("bos"), token("eos"));
            // Memory follows what the file holds, not what its keys claim.
            let square = (sizes.width * sizes.width) as u64;
            let holds = |layer: usize| {
                let name = format!("blk.{layer}.attn_q.weight");
                listing.tensors.iter().any(|tensor| tensor.name == name && tensor.shape.count() == square)
            };
            if let Some(layer) = (0..sizes.layers).find(|&layer| !holds(layer)) {
                return Err(Error::new(Code::Malformed, "the file lacks a layer of the model that it describes")
                    .with_tensor(format!("blk.{layer}.attn_q.weight"))
                    .with_expected(format!("{square} weights")));
            }
            let model = LanguageModel::new(sizes, tied)?;
            Ok(Llama { model, tokenizer, first, last, logits: Vec::new(), random: Random::new(0) })
        };
        run().map_err(to_js)
    }

    /// Its sizes.
    #[wasm_bindgen(unchecked_return_type = "Record<string, number>")]
    pub fn sizes(&self) -> JsValue {
        let sizes = self.model.sizes();
        let number = |n: usize| JsValue::from(n as f64);
        object([
            ("vocabulary", number(sizes.vocabulary)),
            ("width", number(sizes.width)),
            ("layers", number(sizes.layers)),
            ("heads", number(sizes.heads)),
            ("headsKv", number(sizes.heads_kv)),
            ("inner", number(sizes.inner)),
            ("context", number(sizes.context)),
        ])
    }

    /// Sets a tensor by its name in the file; the values are copied, and what was seen is forgotten.
    pub fn set(&mut self, name: &str, values: &Float32Array) -> Result<(), JsValue> {
        self.logits.clear();
        floats(values).and_then(|values| self.model.set(name, &values)).map_err(to_js)
    }

    /// The tokens of a text.
    pub fn encode(&self, text: &str) -> Vec<u32> {
        self.tokenizer.encode(text)
    }

    /// The bytes of tokens.
    pub fn decode(&self, tokens: &[u32]) -> Result<Vec<u8>, JsValue> {
        self.tokenizer.decode(tokens).map_err(to_js)
    }

    /// The token that precedes a text.
    #[wasm_bindgen(getter)]
    pub fn first(&self) -> Option<u32> {
        self.first
    }

    /// The token that ends a text.
    #[wasm_bindgen(getter)]
    pub fn last(&self) -> Option<u32> {
        self.last
    }

    /// Tokens seen.
    #[wasm_bindgen(getter)]
    pub fn length(&self) -> usize {
        self.model.length()
    }

    /// Forgets what was seen.
    pub fn forget(&mut self) {
        self.logits.clear();
        self.model.forget();
    }

    /// Takes tokens in.
    pub fn feed(&mut self, tokens: &[u32]) -> Result<(), JsValue> {
        self.logits = self.model.feed(tokens).map_err(to_js)?;
        Ok(())
    }

    /// The logits after what was seen.
    pub fn logits(&self) -> Vec<f32> {
        self.logits.clone()
    }

    /// Where the numbers for drawing begin.
    pub fn seed(&mut self, seed: f64) {
        self.random = Random::new(seed as u64);
    }

    /// The next token: the likeliest at temperature 0, else drawn. It is not taken in yet.
    pub fn choose(&mut self, temperature: f64) -> Result<u32, JsValue> {
        if self.logits.is_empty() {
            return Err(to_js(Error::new(Code::InvalidArgument, "nothing was taken in yet")));
        }
        Ok(match temperature > 0.0 {
            true => drawn(&self.logits, temperature, self.random.unit()),
            false => greedy(&self.logits),
        })
    }

    /// The logits after each of these tokens, read from the beginning: a row for each.
    #[wasm_bindgen(js_name = logitsOf)]
    pub fn logits_of(&mut self, tokens: &[u32]) -> Result<Vec<f32>, JsValue> {
        self.forget();
        let logits = self.model.feed_all(tokens).map_err(to_js);
        self.model.forget();
        logits
    }

    /// What tokens cost, read from the beginning: `[nats, tokens]`.
    pub fn loss(&mut self, tokens: &[u32]) -> Result<Vec<f64>, JsValue> {
        self.logits.clear();
        let loss = self.model.loss(tokens).map_err(to_js)?;
        Ok(vec![loss.nats, loss.tokens as f64])
    }
}

/// Reads a header that lies in memory; what is asked for beyond it is not looked at.
fn listing(head: &[u8], file_len: u64) -> error::Result<Listing> {
    let mut reader = Reader::new(file_len);
    let mut piece = Vec::new();
    loop {
        let need = match reader.step(&piece)? {
            Step::Need(need) => need,
            Step::Done(listing) => return Ok(listing),
            Step::Shards(_) => return Err(unsupported("a language model is read from GGUF")),
        };
        let (start, end) = (to_usize(need.start)?, to_usize(need.end)?);
        piece = try_vec(0_u8, end - start)?;
        let held = head.get(start..end.min(head.len())).unwrap_or_default();
        piece[..held.len()].copy_from_slice(held);
    }
}

fn tokenizer(header: &Header, head: &[u8]) -> error::Result<Tokenizer> {
    let said = [header.text("tokenizer.ggml.model"), header.text("tokenizer.ggml.pre")];
    if said != [Some("gpt2"), Some("gpt-2")] {
        return Err(unsupported("this tokenizer is not known here")
            .with_expected("gpt2, cut as gpt-2")
            .with_found(format!("{said:?}")));
    }
    let (tokens, merges) = ("tokenizer.ggml.tokens", "tokenizer.ggml.merges");
    Tokenizer::new(header.texts(tokens, head)?, header.texts(merges, head)?)
}

fn sizes(header: &Header, vocabulary: usize, context: usize) -> error::Result<Sizes> {
    let name = header.architecture().unwrap_or("nothing");
    if name != "llama" {
        return Err(unsupported("only a llama is run here").with_expected("llama").with_found(name));
    }
    if let Some(scaling) = header.text("llama.rope.scaling.type").filter(|&kind| kind != "none") {
        return Err(unsupported("stretched positions are not run here").with_found(scaling));
    }
    let given = |key: &str| header.first_integer(&format!("llama.{key}")).and_then(|n| usize::try_from(n).ok());
    let need = |key: &str| {
        given(key).filter(|&n| n > 0).ok_or_else(|| {
            Error::new(Code::Malformed, "the header lacks a size of the model").with_expected(format!("llama.{key}"))
        })
    };
    let heads = need("attention.head_count")?;
    let width = need("embedding_length")?;
    for key in ["rope.dimension_count", "attention.key_length", "attention.value_length"] {
        if given(key).is_some_and(|n| n.checked_mul(heads) != Some(width)) {
            return Err(unsupported("heads of this width are not run here").with_found(format!("llama.{key}")));
        }
    }
    if given("expert_count").is_some_and(|n| n > 0) {
        return Err(unsupported("a mixture of experts is not run here"));
    }
    Ok(Sizes {
        vocabulary,
        width,
        layers: need("block_count")?,
        heads,
        heads_kv: given("attention.head_count_kv").unwrap_or(heads),
        inner: need("feed_forward_length")?,
        context: need("context_length")?.min(context),
        base: header.float("llama.rope.freq_base").unwrap_or(10_000.0) as f32,
        epsilon: header.float("llama.attention.layer_norm_rms_epsilon").unwrap_or(1e-5) as f32,
    })
}

fn unsupported(message: &str) -> Error {
    Error::new(Code::Unsupported, message)
}
