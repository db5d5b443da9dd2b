//! Model folders as GGUF: byte for byte the files that llama.cpp was seen to run (`tests/data/hugging_face.py`), and what is refused.

mod formats_support;

use std::fs;
use std::path::{Path, PathBuf};

use fewerbits::DType;
use fewerbits::decode::decode;
use fewerbits::formats::gguf::write::{FILE_TYPE_KEY, NewValue, Pair, Piece, QUANTIZATION_VERSION_KEY, Tensor, header};
use fewerbits::formats::{Listing, TensorInfo};
use fewerbits::pack::Packing;
use fewerbits::pipeline::Task;
use fewerbits::plan::hugging_face::{ARCHITECTURES, Folder, From, Mapping, map, row_of};
use fewerbits::plan::llama::{Preset, choose};
use fewerbits::quant::Options;
use formats_support::list;
use serde_json::{Value, json};

/// The texts and tensors of a folder.
struct Texts {
    config: String,
    tokenizer: String,
    settings: String,
    pooling: Option<String>,
    weights: Vec<u8>,
    listing: Listing,
}

fn at(folder: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/hugging_face").join(folder)
}

fn texts(folder: &str) -> Texts {
    let at = at(folder);
    let read = |name: &str| fs::read_to_string(at.join(name)).unwrap();
    let weights = fs::read(at.join("model.safetensors")).unwrap();
    Texts {
        config: read("config.json"),
        tokenizer: read("tokenizer.json"),
        settings: read("tokenizer_config.json"),
        pooling: fs::read_to_string(at.join("pooling.json")).ok(),
        listing: list(&weights).unwrap(),
        weights,
    }
}

fn tensors(listing: &[TensorInfo]) -> Vec<Tensor<'_>> {
    listing.iter().map(|t| Tensor { name: &t.name, dtype: t.dtype, dims: t.shape.dims() }).collect()
}

impl Texts {
    fn map(&self) -> fewerbits::Result<Mapping> {
        map(&Folder {
            config: &self.config,
            tokenizer: &self.tokenizer,
            tokenizer_config: Some(&self.settings),
            pooling: self.pooling.as_deref(),
            tensors: &tensors(&self.listing.tensors),
        })
    }

    /// The GGUF file of a mapping, nothing quantized.
    fn file(&self, mapping: &Mapping) -> Vec<u8> {
        let mut pairs: Vec<_> = mapping.keys.iter().map(|(name, value)| Pair::New(name, value.clone())).collect();
        pairs.push(Pair::New(QUANTIZATION_VERSION_KEY, NewValue::U32(2)));
        pairs.push(Pair::New(FILE_TYPE_KEY, NewValue::U32(0)));
        let new: Vec<_> =
            mapping.tensors.iter().map(|t| Tensor { name: &t.name, dtype: t.dtype, dims: &t.dims }).collect();
        let written = header(&pairs, &new).unwrap();
        let [Piece::Bytes(head)] = written.head.as_slice() else { panic!("nothing is copied") };
        let mut file = head.clone();
        for (mapped, place) in mapping.tensors.iter().zip(&written.tensors) {
            file.resize(place.start as usize, 0);
            let rows = mapped.dims[0];
            let (bytes, stored) = match &mapped.from {
                From::Made(values) => (values.iter().flat_map(|x| x.to_le_bytes()).collect(), DType::F32),
                From::Tensor(i) => {
                    let t = &self.listing.tensors[*i];
                    (self.weights[t.bytes.start as usize..t.bytes.end as usize].to_vec(), t.dtype)
                }
            };
            let bytes = if stored == mapped.dtype { bytes } else { to_f32(stored, &bytes) };
            let row_bytes = bytes.len() / rows as usize;
            for row in 0..rows {
                let from = mapped.heads.map_or(row, |heads| row_of(row, rows, heads)) as usize;
                file.extend(&bytes[from * row_bytes..][..row_bytes]);
            }
        }
        file.resize(written.file_len as usize, 0);
        file
    }
}

fn to_f32(dtype: DType, bytes: &[u8]) -> Vec<u8> {
    let mut values = vec![0.0; bytes.len() * 8 / dtype.bits() as usize];
    decode(dtype, false, bytes, &mut values).unwrap();
    values.iter().flat_map(|x| x.to_le_bytes()).collect()
}

#[test]
fn a_folder_becomes_the_file_that_llama_cpp_runs() {
    for (folder, unused) in [("llama", 0), ("mistral", 0), ("qwen2", 0), ("bert", 2)] {
        let texts = texts(folder);
        let mapping = texts.map().unwrap_or_else(|e| panic!("{folder}: {e}"));
        let ours = texts.file(&mapping);
        let theirs = fs::read(at(folder).join("expected.gguf")).unwrap();
        let (a, b) = (list(&ours).unwrap(), list(&theirs).unwrap());
        let names = |listing: &Listing| -> Vec<_> {
            let keys = &listing.gguf.as_ref().unwrap().keys;
            keys.iter().map(|key| (key.name.clone(), format!("{:?}", key.value))).collect()
        };
        assert_eq!(names(&a), names(&b), "{folder}: keys");
        assert_eq!(a.tensors, b.tensors, "{folder}: tensors");
        assert!(ours == theirs, "{folder}: bytes");
        assert_eq!(mapping.unused.len(), unused, "{folder}");
        // The presets take it from here.
        let new: Vec<_> =
            mapping.tensors.iter().map(|t| Tensor { name: &t.name, dtype: t.dtype, dims: &t.dims }).collect();
        let chosen = choose(Preset::Q8_0, &mapping.hints, &new).unwrap();
        assert!(chosen.iter().filter(|c| c.dtype == DType::Q8_0).count() >= 9, "{folder}");
    }
}

/// The folder with other values in its configuration.
fn changed(folder: &str, change: impl Fn(&mut Value)) -> Texts {
    let mut texts = texts(folder);
    let mut config: Value = serde_json::from_str(&texts.config).unwrap();
    change(&mut config);
    texts.config = config.to_string();
    texts
}

#[track_caller]
fn assert_refused(texts: &Texts, code: &str, message: &str, found: &str) {
    let error = texts.map().expect_err("this folder must be refused");
    assert_eq!((error.code.as_str(), error.message.as_str()), (code, message), "{error}");
    assert!(error.to_string().contains(found), "{error}");
}

#[test]
fn refuses_architectures_that_it_does_not_know() {
    let message = "models of this architecture cannot be made to run in llama.cpp here";
    for name in ["GPT2LMHeadModel", "Gemma3ForCausalLM", ""] {
        let texts = changed("llama", |config| config["architectures"] = json!([name]));
        assert_refused(&texts, "unsupported", message, &format!("{name:?} in config.json"));
        assert_refused(&texts, "unsupported", message, ARCHITECTURES[0].0);
    }
    assert_refused(&changed("llama", |config| config["architectures"] = json!([])), "unsupported", message, "\"\"");
}

#[test]
fn refuses_what_llama_cpp_would_run_otherwise() {
    let refused = |folder: &str, key: &str, value: Value, message: &str, found: &str| {
        let texts = changed(folder, |config| config[key] = value.clone());
        assert_refused(&texts, "unsupported", message, found);
    };
    refused("llama", "hidden_act", json!("relu"), "llama.cpp has another activation here", "relu");
    refused("bert", "hidden_act", json!("silu"), "llama.cpp has another activation here", "silu");
    let message = "llama.cpp has other embeddings of positions here";
    refused("bert", "position_embedding_type", json!("relative_key"), message, "relative_key");
    let message = "llama.cpp has no sliding window here";
    refused("qwen2", "use_sliding_window", json!(true), message, "use_sliding_window: true");
    let message = "this way of stretching positions is not mapped";
    refused("qwen2", "rope_scaling", json!({"type": "dynamic", "factor": 2}), message, "dynamic");
    refused("qwen2", "rope_scaling", json!({"rope_type": "llama3", "factor": 2}), message, "llama3");
}

#[test]
fn a_linear_rotation_is_two_keys() {
    let texts = changed("qwen2", |config| config["rope_scaling"] = json!({"type": "linear", "factor": 2.0}));
    let mapping = texts.map().unwrap();
    let key = |name: &str| mapping.keys.iter().find(|(key, _)| key == name).map(|(_, value)| value);
    assert_eq!(key("qwen2.rope.scaling.type"), Some(&NewValue::Text("linear".into())));
    assert_eq!(key("qwen2.rope.scaling.factor"), Some(&NewValue::F32(2.0)));
}

#[test]
fn refuses_configurations_that_do_not_fit() {
    let refused = |key: &str, value: Value, message: &str, found: &str| {
        assert_refused(&changed("llama", |config| config[key] = value.clone()), "malformed", message, found);
    };
    refused("hidden_size", Value::Null, "config.json lacks a size", "hidden_size");
    refused("hidden_size", json!(0), "config.json lacks a size", "hidden_size");
    refused("num_hidden_layers", json!(1u64 << 40), "config.json lacks a size", "num_hidden_layers");
    refused("head_dim", json!(4_000_000_000u64), "config.json lacks a size", "head_dim, at most 65,536");
    refused("rms_norm_eps", Value::Null, "config.json lacks a number", "rms_norm_eps");
    refused("num_key_value_heads", json!(3), "the heads in config.json do not fit together", "3 of keys and values");
    refused("head_dim", json!(7), "the heads in config.json do not fit together", "4 heads of 7");
    refused("num_hidden_layers", json!(3), "the folder lacks a tensor", "blk.2.attn_norm.weight");
    let message = "the tensor has another shape than config.json says";
    refused("intermediate_size", json!(64), message, "expected [32, 64], found [32, 48]");
    refused("hidden_size", json!("32"), "config.json cannot be read", "invalid type");
    refused(
        "vocab_size",
        json!(100_000),
        "the model has far more rows of embeddings than the tokenizer has tokens",
        "100000",
    );
    refused("vocab_size", json!(256), "the tokenizer has more tokens than the model", "301");
}

#[test]
fn refuses_tensors_that_have_no_place() {
    let texts = texts("llama");
    let mut more = tensors(&texts.listing.tensors);
    more.push(Tensor { name: "model.layers.0.self_attn.q_norm.weight", dtype: DType::F32, dims: &[8] });
    let folder = |tensors: &[Tensor<'_>]| {
        map(&Folder {
            config: &texts.config,
            tokenizer: &texts.tokenizer,
            tokenizer_config: None,
            pooling: None,
            tensors,
        })
        .map(drop)
    };
    let error = folder(&more).unwrap_err();
    assert_eq!(error.message, "llama.cpp has no place for this tensor");
    assert_eq!(error.tensor.as_deref(), Some("model.layers.0.self_attn.q_norm.weight"));
    more.pop();
    more[0].dtype = DType::I32;
    assert_eq!(folder(&more).unwrap_err().message, "only weights in floats are mapped");
    folder(&more[..0]).unwrap_err();
}

#[test]
fn refuses_tokenizers_without_a_name() {
    let mut texts = texts("llama");
    let original: Value = serde_json::from_str(&texts.tokenizer).unwrap();
    let mut with = |change: &dyn Fn(&mut Value)| {
        let mut tokenizer = original.clone();
        change(&mut tokenizer);
        texts.tokenizer = tokenizer.to_string();
        texts.map().map(|mapping| {
            let pre = mapping.keys.iter().find(|(key, _)| key == "tokenizer.ggml.pre").unwrap();
            let NewValue::Text(pre) = &pre.1 else { panic!("text") };
            pre.clone()
        })
    };
    let message = "llama.cpp's name for this way to cut words is not known here";
    let expression = "/pre_tokenizer/pretokenizers/0/pattern/Regex";
    let error = with(&|t| *t.pointer_mut(expression).unwrap() = json!("\\w+")).unwrap_err();
    assert_eq!((error.code.as_str(), error.message.as_str()), ("unsupported", message));
    let error = with(&|t| t["pre_tokenizer"] = json!({"type": "Whitespace"})).unwrap_err();
    assert_eq!((error.message.as_str(), error.found.as_deref()), (message, Some("Whitespace")));
    let error = with(&|t| t["model"]["type"] = json!("Unigram")).unwrap_err();
    assert_eq!(error.message, "this kind of tokenizer is not mapped for the architecture");
    let error = with(&|t| t["model"]["vocab"] = json!([1])).unwrap_err();
    assert_eq!(error.message, "the tokenizer has no vocabulary");
    let bytes = json!({"type": "ByteLevel", "use_regex": true});
    let gpt2 = with(&|t| {
        t["pre_tokenizer"] = bytes.clone();
        t["model"]["ignore_merges"] = json!(false);
    });
    assert_eq!(gpt2.unwrap(), "gpt-2");
    let digits = json!({"type": "Sequence", "pretokenizers": [{"type": "Digits", "individual_digits": true}, bytes]});
    let smollm = with(&|t| {
        t["pre_tokenizer"] = digits.clone();
        t["model"]["ignore_merges"] = json!(false);
    });
    assert_eq!(smollm.unwrap(), "smollm");
    assert_eq!(with(&|t| t["model"]["ignore_merges"] = json!(false)).unwrap(), "smaug-bpe");
    assert_eq!(with(&|t| t["model"]["merges"] = json!([["t", "h"]])).unwrap(), "llama-bpe");
}

#[test]
fn whole_heads_are_packed_at_once() {
    let task = |dims: &[u64], heads: u64, packing: &Packing| {
        let (mut task, _) = Task::new(0, packing, dims).unwrap();
        task.interleave(dims, heads).map(|()| (task.rows_at_once, task.head_rows.unwrap()))
    };
    let cast = Packing::Cast { dtype: "F16".into() };
    let blocks = Packing::Scheme { id: "q4_k".into(), options: Options::new() };
    for packing in [&cast, &blocks] {
        assert_eq!(task(&[8192, 4096], 64, packing).unwrap(), (512, 128));
        // A head of more weights than are packed at once elsewhere is still whole, and no more than one is.
        assert_eq!(task(&[512, 1 << 22], 4, packing).unwrap(), (128, 128));
        assert_eq!(task(&[8, 256], 2, packing).unwrap(), (8, 4));
        let error = task(&[9, 256], 2, packing).unwrap_err();
        assert_eq!((error.code.as_str(), error.found.as_deref()), ("shape_mismatch", Some("9")));
        task(&[6, 256], 2, packing).unwrap_err();
    }
    assert_eq!(task(&[32, 1], 4, &cast).unwrap(), (32, 8));
}
