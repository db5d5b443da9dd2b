//! The shipped language model against llama.cpp and numpy, and its edges.
#![cfg(feature = "full")]

mod goldens;

use std::path::PathBuf;

use fewerbits::decode::decode;
use fewerbits::formats::{Listing, Reader, Step};
use fewerbits::nn::llama::{LanguageModel, Sizes, Tokenizer, drawn, greedy};
use fewerbits::{Code, Shape};

fn file() -> Vec<u8> {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("www/public/models/rust-docs.gguf");
    std::fs::read(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display()))
}

fn listing(file: &[u8]) -> Listing {
    let mut reader = Reader::new(file.len() as u64);
    let mut piece: &[u8] = &[];
    loop {
        match reader.step(piece).unwrap() {
            Step::Need(need) => piece = &file[need.start as usize..need.end as usize],
            Step::Done(listing) => return listing,
            Step::Shards(_) => panic!("shards"),
        }
    }
}

/// The model with other weights, where `change` makes them.
fn model_with(context: usize, change: impl Fn(&str, &Shape, Vec<f32>) -> Vec<f32>) -> LanguageModel {
    let file = file();
    let listing = listing(&file);
    let header = listing.gguf.as_ref().unwrap();
    let number = |key: &str| header.integer(&format!("llama.{key}")).unwrap() as usize;
    let sizes = Sizes {
        vocabulary: number("vocab_size"),
        width: number("embedding_length"),
        layers: number("block_count"),
        heads: number("attention.head_count"),
        heads_kv: number("attention.head_count_kv"),
        inner: number("feed_forward_length"),
        context,
        base: header.float("llama.rope.freq_base").unwrap() as f32,
        epsilon: header.float("llama.attention.layer_norm_rms_epsilon").unwrap() as f32,
    };
    let mut model = LanguageModel::new(sizes, true).unwrap();
    for tensor in &listing.tensors {
        let mut values = vec![0.0; tensor.shape.count() as usize];
        let bytes = &file[tensor.bytes.start as usize..tensor.bytes.end as usize];
        decode(tensor.dtype, false, bytes, &mut values).unwrap();
        model.set(&tensor.name, &change(&tensor.name, &tensor.shape, values)).unwrap();
    }
    model
}

fn model() -> LanguageModel {
    model_with(512, |_, _, values| values)
}

fn tokenizer() -> Tokenizer {
    let file = file();
    let header = listing(&file).gguf.unwrap();
    let texts = |name: &str| header.texts(name, &file).unwrap();
    Tokenizer::new(texts("tokenizer.ggml.tokens"), texts("tokenizer.ggml.merges")).unwrap()
}

fn tokens(case: &serde_json::Value, field: &str) -> Vec<u32> {
    goldens::ints(&case[field]).into_iter().map(|t| t as u32).collect()
}

fn cases(name: &str) -> Vec<serde_json::Value> {
    goldens::cases("lm").into_iter().filter(|case| case["name"] == name).collect()
}

#[test]
fn tokens_are_llama_cpps_and_give_the_text_back() {
    let tokenizer = tokenizer();
    for case in cases("text") {
        let text = case["text"].as_str().unwrap();
        let found = tokenizer.encode(text);
        assert_eq!(found, tokens(&case, "tokens"), "{text:?}");
        assert_eq!(tokenizer.decode(&found).unwrap(), text.as_bytes());
    }
}

#[test]
fn logits_are_numpys() {
    let mut model = model();
    for case in cases("prompt") {
        model.forget();
        let logits = model.feed(&tokens(&case, "tokens")).unwrap();
        let expected = goldens::f32s(&case["logits"]);
        assert_eq!(logits.len(), expected.len());
        let worst = logits.iter().zip(&expected).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
        assert!(worst < 1e-3, "{}: logits differ by up to {worst}", case["text"]);
    }
}

/// The shipped file in llama.cpp and here: the same next token after every prefix.
#[test]
fn the_likeliest_tokens_are_llama_cpps() {
    let mut model = model();
    for case in cases("prompt") {
        let expected = tokens(&case, "greedy");
        model.forget();
        let mut logits = model.feed(&tokens(&case, "tokens")).unwrap();
        for (i, &next) in expected.iter().enumerate() {
            assert_eq!(greedy(&logits), next, "{}: token {i}", case["text"]);
            logits = model.feed(&[next]).unwrap();
        }
    }
}

#[test]
fn loss_on_held_out_text_is_numpys() {
    let case = &cases("heldout")[0];
    let mut model = model();
    let (mut nats, mut count) = (0.0, 0);
    for window in tokens(case, "tokens").chunks(256) {
        let loss = model.loss(&[&[0], window].concat()).unwrap();
        nats += loss.nats;
        count += loss.tokens;
    }
    let expected = case["nats"].as_f64().unwrap();
    assert_eq!(count, 1024);
    assert!((nats - expected).abs() < 1e-5 * expected, "{nats}, numpy's {expected}");
}

#[test]
fn a_text_in_pieces_gives_the_same_bits_as_at_once() {
    let given: Vec<u32> = (0..75).map(|i| i * 37 % 1000 + 1).collect();
    let mut model = model();
    let at_once = model.feed_all(&given).unwrap();
    assert_eq!(at_once.len(), 75 * 1024);
    model.forget();
    let mut in_pieces = Vec::new();
    for piece in [&given[..1], &given[1..3], &given[3..10], &given[10..43], &given[43..]] {
        in_pieces.extend(model.feed_all(piece).unwrap());
    }
    assert!(at_once.iter().zip(&in_pieces).all(|(a, b)| a.to_bits() == b.to_bits()));
    assert_eq!(model.length(), 75);
    model.forget();
    assert_eq!(model.feed(&given).unwrap(), at_once[74 * 1024..]);
}

#[test]
fn weights_that_are_not_finite_leave_nothing_behind() {
    let mut model = model();
    let expected = model.feed(&[0, 5, 9]).unwrap();
    let file = file();
    let listing = listing(&file);
    let tensor = listing.tensors.iter().find(|t| t.name == "blk.1.attn_v.weight").unwrap();
    let mut values = vec![0.0; tensor.shape.count() as usize];
    decode(tensor.dtype, false, &file[tensor.bytes.start as usize..tensor.bytes.end as usize], &mut values).unwrap();
    model.set(&tensor.name, &vec![f32::NAN; values.len()]).unwrap();
    assert!(model.feed(&[0, 5, 9]).unwrap().iter().all(|v| v.is_nan()));
    model.set(&tensor.name, &values).unwrap();
    assert_eq!(model.feed(&[0, 5, 9]).unwrap(), expected);
}

#[test]
fn what_cannot_be_run_is_refused() {
    let sizes = *model().sizes();
    let with = |sizes| LanguageModel::new(sizes, true).unwrap_err().code;
    assert_eq!(with(Sizes { width: 0, ..sizes }), Code::Unsupported);
    assert_eq!(with(Sizes { heads: 3, ..sizes }), Code::Unsupported);
    assert_eq!(with(Sizes { heads: 64, heads_kv: 2, ..sizes }), Code::Unsupported, "heads of four");
    assert_eq!(with(Sizes { layers: usize::MAX, ..sizes }), Code::Unsupported);
    assert_eq!(with(Sizes { context: 65_536, layers: 65_536, ..sizes }), Code::Unsupported, "caches too large");
    assert_eq!(with(Sizes { width: 65_536, ..sizes }), Code::Unsupported, "matrices too large");
    assert_eq!(with(Sizes { base: f32::NAN, ..sizes }), Code::Unsupported);
    let mut empty = LanguageModel::new(sizes, true).unwrap();
    let missing = empty.feed(&[0]).unwrap_err();
    assert_eq!(missing.code, Code::InvalidArgument);
    assert!(missing.expected.as_ref().unwrap().contains("blk.0.attn_q.weight"));
    for name in ["output.weight", "blk.9.attn_q.weight", "blk.0.attn_z.weight", "blk.x", "token_embd"] {
        assert_eq!(empty.set(name, &[]).unwrap_err().code, Code::UnknownTensor, "{name}");
    }
    assert_eq!(empty.set("output_norm.weight", &[1.0]).unwrap_err().code, Code::ShapeMismatch);
    let mut small = model_with(8, |_, _, values| values);
    assert_eq!(small.feed(&[]).unwrap_err().code, Code::InvalidArgument);
    assert_eq!(small.feed(&[1024]).unwrap_err().code, Code::InvalidArgument);
    assert_eq!(small.feed(&[0; 9]).unwrap_err().code, Code::InvalidArgument);
    assert_eq!(small.length(), 0, "nothing was taken in");
    small.feed(&[0; 8]).unwrap();
    assert_eq!(small.feed(&[0]).unwrap_err().code, Code::InvalidArgument);
    assert_eq!(small.loss(&[0]).unwrap_err().code, Code::InvalidArgument);
}

#[test]
fn drawing_follows_the_probabilities() {
    let logits = [0.0, 2.0_f32.ln(), f32::NEG_INFINITY, 0.0];
    let found: Vec<u32> = [0.0, 0.24, 0.26, 0.74, 0.76, 0.999].iter().map(|&d| drawn(&logits, 1.0, d)).collect();
    assert_eq!(found, [0, 0, 1, 1, 3, 3]);
    assert_eq!(drawn(&logits, 0.01, 0.5), 1, "cold: the likeliest");
    assert_eq!(greedy(&[1.0, 3.0, 3.0]), 1, "the first of equals");
}
