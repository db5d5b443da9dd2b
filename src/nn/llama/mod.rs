//! A llama, run in f32: tokens in, logits out, what was seen kept in caches of keys and values.
//!
//! Definition: Hugging Face's `LlamaForCausalLM` with rows and names as GGUF has them (`token_embd.weight`, `blk.0.attn_q.weight`, …): RMS norm,
//! rotation of neighbouring pairs without scaling, grouped-query attention, SwiGLU; the output is tied to the embedding where there is no
//! `output.weight`. The weights are whatever values were set: what quantization costs is seen by setting what it leaves.
//!
//! A token's logits do not depend on how many tokens were taken in one call, bit for bit.

mod bpe;
mod letters;

pub use bpe::Tokenizer;

use crate::error::{Code, Error, Result};
use crate::kernels::llama::{LANES, Matrix, gated_silu, packed, products, rms_norm, rotate, softmax};
use crate::tensor::try_vec;

/// Tokens that go through a layer together.
const CHUNK: usize = 32;
/// The most of each size, and of the values of a matrix and of all caches: what is larger is no sample network.
const MOST: usize = 1 << 16;
const MOST_VALUES: u64 = 1 << 26;

/// The sizes of a model, by GGUF's names.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Sizes {
    /// Tokens in the vocabulary.
    pub vocabulary: usize,
    /// `embedding_length`.
    pub width: usize,
    /// `block_count`.
    pub layers: usize,
    /// `attention.head_count`.
    pub heads: usize,
    /// `attention.head_count_kv`: heads of keys and values, each shared by as many heads of queries.
    pub heads_kv: usize,
    /// `feed_forward_length`.
    pub inner: usize,
    /// Positions that are kept: no text is longer.
    pub context: usize,
    /// `rope.freq_base`.
    pub base: f32,
    /// `attention.layer_norm_rms_epsilon`.
    pub epsilon: f32,
}

impl Sizes {
    fn head(&self) -> usize {
        self.width / self.heads
    }

    fn width_kv(&self) -> usize {
        self.heads_kv * self.head()
    }

    /// Whether they fit together and are a sample network's.
    ///
    /// # Errors
    /// `unsupported`.
    pub fn check(&self) -> Result<()> {
        let refuse = |what: &str, expected: &str| {
            let message = format!("a language model of this {what} cannot be run here");
            Err(Error::new(Code::Unsupported, message).with_expected(expected).with_found(format!("{self:?}")))
        };
        let counts = [self.vocabulary, self.width, self.layers, self.heads, self.heads_kv, self.inner, self.context];
        if counts.iter().any(|n| !(1..=MOST).contains(n)) {
            return refuse("size", "sizes from 1 to 65536");
        }
        let tallest = counts.into_iter().max().unwrap_or_default() as u64;
        let cached = [self.layers, self.context, self.width].iter().map(|&n| n as u64).product::<u64>();
        if tallest * self.width as u64 > MOST_VALUES || cached > MOST_VALUES {
            return refuse("size", "matrices and caches of up to 2²⁶ values");
        }
        if !self.width.is_multiple_of(self.heads) || !self.heads.is_multiple_of(self.heads_kv) {
            return refuse("division into heads", "heads that divide the width, in groups");
        }
        if !self.head().is_multiple_of(LANES) {
            return refuse("width of heads", "heads of a multiple of eight");
        }
        if !(self.base > 0.0 && self.base.is_finite() && self.epsilon >= 0.0 && self.epsilon.is_finite()) {
            return refuse("rotation or norm", "a positive base, an epsilon from 0");
        }
        Ok(())
    }
}

/// The matrices and norms of a layer, as GGUF names them between `blk.N.` and `.weight`.
const PARTS: [&str; 9] =
    ["attn_norm", "attn_q", "attn_k", "attn_v", "attn_output", "ffn_norm", "ffn_gate", "ffn_up", "ffn_down"];
const NORM: usize = 0;
const Q: usize = 1;
const K: usize = 2;
const V: usize = 3;
const OUTPUT: usize = 4;
const FFN_NORM: usize = 5;
const GATE: usize = 6;
const UP: usize = 7;
const DOWN: usize = 8;

/// A tensor: its shape, and its values, packed where it is a matrix. Empty where not set yet.
#[derive(Debug, Clone)]
struct Weight {
    rows: usize,
    columns: usize,
    values: Vec<f32>,
}

/// The model with its weights and what it has seen.
#[derive(Debug, Clone)]
pub struct LanguageModel {
    sizes: Sizes,
    embedding: Weight,
    norm: Weight,
    /// Of a model whose output is not tied to the embedding.
    output: Option<Weight>,
    layers: Vec<[Weight; PARTS.len()]>,
    caches: Vec<Cache>,
    /// `[context][pairs]`.
    cos: Vec<f32>,
    sin: Vec<f32>,
    /// Tokens seen.
    length: usize,
}

/// Keys and values of a layer.
#[derive(Debug, Clone)]
struct Cache {
    /// `[heads_kv][context / LANES][head][LANES]`.
    keys: Vec<f32>,
    /// `[heads_kv][head / LANES][context][LANES]`.
    values: Vec<f32>,
}

/// What a text cost.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Loss {
    /// `−ln p` of every token but the first, summed.
    pub nats: f64,
    /// Tokens that were predicted.
    pub tokens: usize,
}

impl LanguageModel {
    /// A model without weights. `tied`: the output is the embedding.
    ///
    /// # Errors
    /// `unsupported` for sizes that do not fit together or are no sample network's; `out_of_memory`.
    pub fn new(sizes: Sizes, tied: bool) -> Result<LanguageModel> {
        sizes.check()?;
        let matrix = |rows, columns| Weight { rows, columns, values: Vec::new() };
        let (width, inner, width_kv) = (sizes.width, sizes.inner, sizes.width_kv());
        let layer = || {
            [
                matrix(1, width),
                matrix(width, width),
                matrix(width_kv, width),
                matrix(width_kv, width),
                matrix(width, width),
                matrix(1, width),
                matrix(inner, width),
                matrix(inner, width),
                matrix(width, inner),
            ]
        };
        let room = sizes.context.next_multiple_of(LANES);
        let cache = || -> Result<Cache> {
            Ok(Cache { keys: try_vec(0.0, room * width_kv)?, values: try_vec(0.0, room * width_kv)? })
        };
        let pairs = sizes.head() / 2;
        let angle = |position: usize, pair: usize| {
            position as f64 * f64::from(sizes.base).powf(-(2.0 * pair as f64) / sizes.head() as f64)
        };
        let angles = || (0..sizes.context).flat_map(|t| (0..pairs).map(move |pair| angle(t, pair)));
        Ok(LanguageModel {
            embedding: matrix(sizes.vocabulary, width),
            norm: matrix(1, width),
            output: (!tied).then(|| matrix(sizes.vocabulary, width)),
            layers: (0..sizes.layers).map(|_| layer()).collect(),
            caches: (0..sizes.layers).map(|_| cache()).collect::<Result<_>>()?,
            cos: angles().map(|a| a.cos() as f32).collect(),
            sin: angles().map(|a| a.sin() as f32).collect(),
            length: 0,
            sizes,
        })
    }

    /// Its sizes.
    #[must_use]
    pub fn sizes(&self) -> &Sizes {
        &self.sizes
    }

    /// Tokens seen since the beginning.
    #[must_use]
    pub fn length(&self) -> usize {
        self.length
    }

    /// Sets a tensor by its name in GGUF, row-major. What was seen is forgotten.
    ///
    /// # Errors
    /// `unknown_tensor`; `shape_mismatch` when there are more or fewer values than the tensor has; `out_of_memory`.
    pub fn set(&mut self, name: &str, values: &[f32]) -> Result<()> {
        let weight = self.find(name)?;
        let count = weight.rows * weight.columns;
        if values.len() != count {
            return Err(Error::new(Code::ShapeMismatch, "the tensor's length is wrong")
                .with_tensor(name)
                .with_expected(format!("{count} values [{}, {}]", weight.rows, weight.columns))
                .with_found(format!("{} values", values.len())));
        }
        weight.values = if weight.rows == 1 { values.to_vec() } else { packed(values, weight.columns) };
        self.forget();
        Ok(())
    }

    fn find(&mut self, name: &str) -> Result<&mut Weight> {
        let unknown = || Error::new(Code::UnknownTensor, "the language model has no such tensor").with_tensor(name);
        let stem = name.strip_suffix(".weight").ok_or_else(unknown)?;
        match stem {
            "token_embd" => Ok(&mut self.embedding),
            "output_norm" => Ok(&mut self.norm),
            "output" => self.output.as_mut().ok_or_else(unknown),
            _ => {
                let (layer, part) = stem.strip_prefix("blk.").and_then(|s| s.split_once('.')).ok_or_else(unknown)?;
                let part = PARTS.iter().position(|known| *known == part).ok_or_else(unknown)?;
                let layer = layer.parse().ok().and_then(|i: usize| self.layers.get_mut(i)).ok_or_else(unknown)?;
                Ok(&mut layer[part])
            }
        }
    }

    /// Forgets what was seen.
    pub fn forget(&mut self) {
        self.length = 0;
        for cache in &mut self.caches {
            cache.keys.fill(0.0); // of weights that were not finite nothing must stay
            cache.values.fill(0.0);
        }
    }

    /// Takes tokens in and gives the logits after the last of them, `[vocabulary]`.
    ///
    /// # Errors
    /// `invalid_argument` while tensors are missing, for no tokens, tokens outside the vocabulary and more than the context holds; nothing is
    /// taken in then.
    pub fn feed(&mut self, tokens: &[u32]) -> Result<Vec<f32>> {
        let mut last = Vec::new();
        self.run(tokens, |_, logits| last = logits.to_vec(), Wanted::Last)?;
        Ok(last)
    }

    /// The same with the logits after every token, `[tokens][vocabulary]`.
    ///
    /// # Errors
    /// As [`LanguageModel::feed`].
    pub fn feed_all(&mut self, tokens: &[u32]) -> Result<Vec<f32>> {
        let mut all = Vec::new();
        self.run(tokens, |_, logits| all.extend_from_slice(logits), Wanted::All)?;
        Ok(all)
    }

    /// Reads tokens from the beginning and says what each cost after those before it.
    ///
    /// # Errors
    /// As [`LanguageModel::feed`], and for a single token.
    pub fn loss(&mut self, tokens: &[u32]) -> Result<Loss> {
        let Some((_, next)) = tokens.split_first().filter(|(_, next)| !next.is_empty()) else {
            return Err(Error::new(Code::InvalidArgument, "a loss needs two tokens or more"));
        };
        self.check_tokens(next)?;
        self.forget();
        let mut nats = 0.0;
        self.run(&tokens[..next.len()], |i, logits| nats += surprise(logits, next[i] as usize), Wanted::All)?;
        Ok(Loss { nats, tokens: next.len() })
    }

    fn check_tokens(&self, tokens: &[u32]) -> Result<()> {
        match tokens.iter().find(|&&t| t as usize >= self.sizes.vocabulary) {
            None => Ok(()),
            Some(token) => Err(Error::new(Code::InvalidArgument, "a token is not in the vocabulary")
                .with_expected(format!("0 to {}", self.sizes.vocabulary - 1))
                .with_found(token)),
        }
    }

    fn check(&self, tokens: &[u32]) -> Result<()> {
        let named = [("token_embd", &self.embedding), ("output_norm", &self.norm)];
        let named = named.into_iter().chain(self.output.iter().map(|w| ("output", w)));
        let mut missing: Vec<String> =
            named.filter(|(_, w)| w.values.is_empty()).map(|(n, _)| format!("{n}.weight")).collect();
        for (i, layer) in self.layers.iter().enumerate() {
            let parts = PARTS.iter().zip(layer).filter(|(_, w)| w.values.is_empty());
            missing.extend(parts.map(|(part, _)| format!("blk.{i}.{part}.weight")));
        }
        if !missing.is_empty() {
            return Err(
                Error::new(Code::InvalidArgument, "the language model lacks tensors").with_expected(missing.join(", "))
            );
        }
        if tokens.is_empty() {
            return Err(Error::new(Code::InvalidArgument, "there are no tokens"));
        }
        self.check_tokens(tokens)?;
        if tokens.len() > self.sizes.context - self.length {
            return Err(Error::new(Code::InvalidArgument, "the text is longer than the model's context")
                .with_expected(format!("at most {} tokens", self.sizes.context))
                .with_found(format!("{} after {}", tokens.len(), self.length)));
        }
        Ok(())
    }

    /// Takes tokens in; `each` is handed the number of a token and the logits after it.
    fn run(&mut self, tokens: &[u32], mut each: impl FnMut(usize, &[f32]), wanted: Wanted) -> Result<()> {
        self.check(tokens)?;
        let width = self.sizes.width;
        let outputs = self.output.as_ref().unwrap_or(&self.embedding).values.len() / width;
        for (n, chunk) in tokens.chunks(CHUNK).enumerate() {
            let mut x: Vec<f32> = chunk.iter().flat_map(|&t| self.embedding.row(t as usize)).collect();
            for layer in 0..self.layers.len() {
                self.attend(layer, &mut x);
                self.think(layer, &mut x);
            }
            self.length += chunk.len();
            let first = match wanted {
                Wanted::All => 0,
                Wanted::Last if (n + 1) * CHUNK < tokens.len() => continue,
                Wanted::Last => chunk.len() - 1,
            };
            let h = self.normed(&self.norm, &x[first * width..]);
            let mut logits = vec![0.0; (chunk.len() - first) * outputs];
            products(&h, self.output.as_ref().unwrap_or(&self.embedding).matrix(), &mut logits);
            for (i, logits) in logits.chunks_exact(outputs).enumerate() {
                each(n * CHUNK + first + i, &logits[..self.sizes.vocabulary]);
            }
        }
        Ok(())
    }

    fn normed(&self, weight: &Weight, x: &[f32]) -> Vec<f32> {
        let mut out = vec![0.0; x.len()];
        for (x, out) in x.chunks_exact(self.sizes.width).zip(out.chunks_exact_mut(self.sizes.width)) {
            rms_norm(x, &weight.values, self.sizes.epsilon, out);
        }
        out
    }

    /// Attention of a layer, added to `x`: `[tokens][width]` at the positions from `length` on.
    fn attend(&mut self, layer: usize, x: &mut [f32]) {
        let Sizes { width, heads, heads_kv, .. } = self.sizes;
        let (head, width_kv) = (self.sizes.head(), self.sizes.width_kv());
        let room = self.sizes.context.next_multiple_of(LANES);
        let weights = &self.layers[layer];
        let tokens = x.len() / width;
        let h = self.normed(&weights[NORM], x);
        let mut q = weights[Q].times(&h, tokens);
        let mut k = weights[K].times(&h, tokens);
        let v = weights[V].times(&h, tokens);

        let cache = &mut self.caches[layer];
        let pairs = head / 2;
        for t in 0..tokens {
            let position = self.length + t;
            let (cos, sin) = (&self.cos[position * pairs..][..pairs], &self.sin[position * pairs..][..pairs]);
            rotate(&mut q[t * width..][..width], cos, sin);
            let k = &mut k[t * width_kv..][..width_kv];
            rotate(k, cos, sin);
            let v = &v[t * width_kv..][..width_kv];
            for i in 0..width_kv {
                let (g, d) = (i / head, i % head);
                let key = g * room * head + (position / LANES * head + d) * LANES + position % LANES;
                let value = g * room * head + (d / LANES * room + position) * LANES + d % LANES;
                cache.keys[key] = k[i];
                cache.values[value] = v[i];
            }
        }

        let group = heads / heads_kv;
        let mut mixed = vec![0.0; tokens * width];
        let mut scores = vec![0.0; group * room];
        for t in 0..tokens {
            let seen = self.length + t + 1;
            let n = seen.next_multiple_of(LANES);
            for g in 0..heads_kv {
                let at = t * width + g * group * head;
                let queries = &q[at..at + group * head];
                let scores = &mut scores[..group * n];
                let keys = &cache.keys[g * room * head..][..room * head];
                products(queries, Matrix { blocks: keys, stride: head * LANES, inputs: head }, scores);
                for scores in scores.chunks_exact_mut(n) {
                    scores[seen..].fill(f32::NEG_INFINITY);
                    softmax(scores, 1.0 / (head as f32).sqrt());
                }
                let values = &cache.values[g * room * head..][..room * head];
                let values = Matrix { blocks: values, stride: room * LANES, inputs: n };
                products(scores, values, &mut mixed[at..at + group * head]);
            }
        }
        add(x, &weights[OUTPUT].times(&mixed, tokens));
    }

    /// The feed-forward part of a layer, added to `x`.
    fn think(&self, layer: usize, x: &mut [f32]) {
        let weights = &self.layers[layer];
        let tokens = x.len() / self.sizes.width;
        let h = self.normed(&weights[FFN_NORM], x);
        let mut gate = weights[GATE].times(&h, tokens);
        gated_silu(&mut gate, &weights[UP].times(&h, tokens));
        add(x, &weights[DOWN].times(&gate, tokens));
    }
}

/// After which tokens logits are wanted.
#[derive(Clone, Copy)]
enum Wanted {
    Last,
    All,
}

impl Weight {
    fn matrix(&self) -> Matrix<'_> {
        Matrix { blocks: &self.values, stride: self.columns * LANES, inputs: self.columns }
    }

    /// The products with `x`: `[tokens][columns]`, as `[tokens][rows]`.
    fn times(&self, x: &[f32], tokens: usize) -> Vec<f32> {
        let wide = self.rows.next_multiple_of(LANES);
        let mut out = vec![0.0; tokens * wide];
        products(x, self.matrix(), &mut out);
        if wide > self.rows {
            for t in 0..tokens {
                out.copy_within(t * wide..t * wide + self.rows, t * self.rows);
            }
            out.truncate(tokens * self.rows);
        }
        out
    }

    /// A row out of the blocks.
    fn row(&self, row: usize) -> impl Iterator<Item = f32> {
        let block = &self.values[row / LANES * self.columns * LANES..][..self.columns * LANES];
        block[row % LANES..].iter().step_by(LANES).copied()
    }
}

fn add(x: &mut [f32], y: &[f32]) {
    for (x, y) in x.iter_mut().zip(y) {
        *x += y;
    }
}

/// `−ln softmax(logits)[token]`.
fn surprise(logits: &[f32], token: usize) -> f64 {
    let most = logits.iter().fold(f32::NEG_INFINITY, |m, &v| m.max(v));
    let sum: f64 = logits.iter().map(|&v| f64::from(v - most).exp()).sum();
    sum.ln() - f64::from(logits[token] - most)
}

/// The first of the largest logits.
#[must_use]
pub fn greedy(logits: &[f32]) -> u32 {
    (0..logits.len()).reduce(|best, i| if logits[i] > logits[best] { i } else { best }).unwrap_or(0) as u32
}

/// A token drawn with probability softmax(logits / temperature); `draw` is 0…1.
#[must_use]
pub fn drawn(logits: &[f32], temperature: f64, draw: f64) -> u32 {
    let most = logits.iter().fold(f32::NEG_INFINITY, |m, &v| m.max(v));
    let weights = || logits.iter().map(|&v| (f64::from(v - most) / temperature).exp());
    let mut left = draw * weights().sum::<f64>();
    for (i, weight) in weights().enumerate() {
        left -= weight;
        if left < 0.0 {
            return i as u32;
        }
    }
    greedy(logits)
}
