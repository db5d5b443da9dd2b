//! llama-quantize's presets: for every tensor of the golden models the type that `llama_model_quantize` gives it, and the same bytes.

mod ggml_support;
mod goldens;

use std::collections::BTreeMap;

use fewerbits::decode::decode;
use fewerbits::formats::gguf::write::Tensor;
use fewerbits::pack::Packing;
use fewerbits::plan::llama::{Chosen, Hints, Left, Preset, choose};
use fewerbits::quant::Options;
use fewerbits::{DType, Shape};
use ggml_support::{crc32, normals};
use serde_json::Value;

/// A golden model: hints and tensors as the library saw them.
struct Model {
    hints: Hints,
    stored: DType,
    names: Vec<String>,
    dims: Vec<Vec<u64>>,
}

impl Model {
    fn of(case: &Value) -> Model {
        let number = |key: &str| case[key].as_u64().unwrap();
        let tensors = case["tensors"].as_array().unwrap();
        Model {
            hints: Hints {
                architecture: case["architecture"].as_str().unwrap().into(),
                layers: number("layers"),
                heads: number("heads"),
                heads_kv: number("headsKv"),
                experts: number("experts"),
            },
            stored: DType::named(case["stored"].as_str().unwrap()).unwrap(),
            names: tensors.iter().map(|t| t[0].as_str().unwrap().into()).collect(),
            dims: tensors.iter().map(|t| goldens::ints(&t[1]).iter().map(|&d| d as u64).collect()).collect(),
        }
    }

    /// Vectors stay f32.
    fn tensors(&self) -> Vec<Tensor<'_>> {
        self.names
            .iter()
            .zip(&self.dims)
            .map(|(name, dims)| Tensor { name, dtype: if dims.len() == 1 { DType::F32 } else { self.stored }, dims })
            .collect()
    }

    /// The stored bytes of a tensor, and the values that they mean.
    fn weights(&self, i: usize, dtype: DType) -> (Vec<u8>, Vec<f32>) {
        let count: u64 = self.dims[i].iter().product();
        let values: Vec<f32> = normals(i as u32, count as u32).iter().map(|x| x * 0.02).collect();
        let bytes = pack(dtype, &values, &self.dims[i]);
        let mut read = vec![0.0; values.len()];
        decode(dtype, false, &bytes, &mut read).unwrap();
        (bytes, read)
    }
}

fn pack(dtype: DType, values: &[f32], dims: &[u64]) -> Vec<u8> {
    let packing = if dtype.is_blocks() {
        Packing::Scheme { id: dtype.name().to_ascii_lowercase(), options: Options::new() }
    } else {
        Packing::Cast { dtype: dtype.name().into() }
    };
    // A row is the last axis in ggml.
    let row = *dims.last().unwrap();
    let shape = Shape::new(&[values.len() as u64 / row, row]).unwrap();
    packing.packer().unwrap().pack(values, &shape).unwrap().remove(0)
}

#[test]
fn every_preset_gives_each_tensor_the_type_and_the_bytes_of_llama_cpp() {
    let mut models = BTreeMap::new();
    let mut made: BTreeMap<(String, usize, &str), u32> = BTreeMap::new();
    let (mut tested, mut fallbacks, mut kinds) = (0, 0, BTreeMap::new());
    for case in goldens::cases("llama_quantize") {
        if let Some(name) = case["model"].as_str() {
            models.insert(name.to_owned(), Model::of(&case));
            continue;
        }
        let name = case["input"].as_str().unwrap().to_owned();
        let model = &models[&name];
        let preset = Preset::named(case["preset"].as_str().unwrap()).unwrap();
        let what = format!("{name}, {}", preset.name());
        let tensors = model.tensors();
        let chosen = choose(preset, &model.hints, &tensors).unwrap();
        let refused = case["refused"] == true;
        assert_eq!(chosen.iter().any(|c| c.wants_importance), refused, "{what}");
        if refused {
            continue;
        }
        assert_eq!(u64::from(preset.file_type()), case["fileType"].as_u64().unwrap());
        let want: Vec<&str> = case["types"].as_str().unwrap().split(' ').collect();
        let checksums = goldens::ints(&case["crc"]);
        for (i, (tensor, chosen)) in tensors.iter().zip(&chosen).enumerate() {
            assert_eq!(chosen.dtype.name(), want[i], "{what}: {} {:?}", tensor.name, tensor.dims);
            assert_eq!(chosen.left.is_some(), chosen.dtype == tensor.dtype, "{what}: {}", tensor.name);
            let crc = *made.entry((name.clone(), i, chosen.dtype.name())).or_insert_with(|| {
                let (stored, values) = model.weights(i, tensor.dtype);
                crc32(&if chosen.left.is_some() { stored } else { pack(chosen.dtype, &values, tensor.dims) })
            });
            assert_eq!(i64::from(crc), checksums[i], "{what}: bytes of {}", tensor.name);
            tested += 1;
            fallbacks += usize::from(chosen.instead_of.is_some());
            *kinds.entry(chosen.dtype.name()).or_insert(0) += 1;
        }
    }
    println!("{tested} tensors, {fallbacks} fallbacks, {kinds:?}");
    assert!(models.len() == 12 && tested > 18_000 && fallbacks > 2000, "{tested} tensors, {fallbacks} fallbacks");
    for dtype in Preset::all().map(|preset| preset.dtype().name()).filter(|&name| name != "F32" && name != "Q2_K") {
        assert!(kinds.contains_key(dtype), "{dtype}");
    }
}

fn one(preset: Preset, name: &str, dtype: DType, dims: &[u64]) -> Chosen {
    let hints = Hints { architecture: "llama".into(), layers: 4, heads: 4, heads_kv: 4, experts: 0 };
    choose(preset, &hints, &[Tensor { name, dtype, dims }]).unwrap()[0]
}

#[test]
fn a_choice_says_why_a_tensor_is_left_alone() {
    let left = |name: &str, dims: &[u64]| one(Preset::Q8_0, name, DType::F32, dims).left;
    assert_eq!(left("blk.0.attn_q.weight", &[256]), Some(Left::Vector));
    assert_eq!(left("blk.0.attn_q.weight", &[1, 256]), Some(Left::Vector));
    assert_eq!(left("blk.0.attn_q.bias", &[2, 256]), Some(Left::NoWeight));
    assert_eq!(left("blk.0.attn_norm.weight", &[2, 256]), Some(Left::Norm));
    assert_eq!(left("token_types.weight", &[2, 256]), Some(Left::Positions));
    assert_eq!(left("blk.0.ffn_gate_inp.weight", &[2, 256]), Some(Left::Delicate));
    assert_eq!(one(Preset::Q8_0, "a.weight", DType::I32, &[2, 256]).left, Some(Left::NotFloat));
    assert_eq!(one(Preset::Q8_0, "a.weight", DType::Q8_0, &[2, 256]).left, Some(Left::Already));
    assert_eq!(left("a.weight", &[2, 256]), None);
}

#[test]
fn a_fallback_names_what_was_wanted() {
    let chosen = one(Preset::Q4_K_M, "blk.1.attn_q.weight", DType::F32, &[8, 384]);
    assert_eq!((chosen.dtype, chosen.instead_of), (DType::Q5_0, Some(DType::Q4_K)));
    let chosen = one(Preset::Q4_K_M, "blk.1.attn_q.weight", DType::F32, &[8, 100]);
    assert_eq!((chosen.dtype, chosen.instead_of), (DType::F16, Some(DType::Q4_K)));
}

#[test]
fn hints_come_from_the_keys_of_a_file() {
    use fewerbits::formats::gguf::{Header, Key, Value, ValueType};
    let key = |name: &str, value: Value| Key { name: name.into(), bytes: 0..0, value };
    let text = |text: &str| Value::Text(fewerbits::formats::gguf::Text::Kept(text.into()));
    let number = |n| Value::Unsigned(ValueType::U32, n);
    let mut header = Header { version: 3, alignment: 32, data_start: 0, keys: vec![] };
    assert_eq!(Hints::of(&header).unwrap_err().expected.as_deref(), Some("the key general.architecture"));
    header.keys.push(key("general.architecture", text("qwen2")));
    assert_eq!(Hints::of(&header).unwrap_err().expected.as_deref(), Some("the key qwen2.block_count"));
    header.keys.push(key("qwen2.block_count", number(24)));
    header.keys.push(key("qwen2.attention.head_count", number(14)));
    let hints = Hints::of(&header).unwrap();
    assert_eq!((hints.layers, hints.heads, hints.heads_kv, hints.experts), (24, 14, 14, 0));
    header.keys.push(key("qwen2.attention.head_count_kv", number(2)));
    assert_eq!(Hints::of(&header).unwrap().heads_kv, 2);
    for name in ["glm5-next", "bailingmoe3"] {
        let hints = Hints { architecture: name.into(), ..hints.clone() };
        assert_eq!(choose(Preset::Q4_K_M, &hints, &[]).unwrap_err().code.as_str(), "unsupported");
    }
}

/// A file of a golden model's names and shapes, listed.
fn listed(model: &Model) -> fewerbits::formats::Listing {
    use fewerbits::formats::gguf::write::{NewValue, Pair, Piece, header};
    use fewerbits::formats::{Reader, Step};
    let arch = &model.hints.architecture;
    let keys: Vec<(String, u64)> = [
        ("block_count", model.hints.layers),
        ("attention.head_count", model.hints.heads),
        ("attention.head_count_kv", model.hints.heads_kv),
        ("expert_count", model.hints.experts),
    ]
    .map(|(key, n)| (format!("{arch}.{key}"), n))
    .into();
    let mut pairs = vec![Pair::New("general.architecture", NewValue::Text(arch.clone()))];
    pairs.extend(keys.iter().map(|(key, n)| Pair::New(key, NewValue::U32(*n as u32))));
    let written = header(&pairs, &model.tensors()).unwrap();
    let [Piece::Bytes(head)] = written.head.as_slice() else { panic!("nothing is copied") };
    let mut file = head.clone();
    file.resize(written.file_len as usize, 0);
    let mut reader = Reader::new(written.file_len);
    let mut step = reader.step(&[]).unwrap();
    while let Step::Need(range) = step {
        step = reader.step(&file[range.start as usize..range.end as usize]).unwrap();
    }
    let Step::Done(listing) = step else { panic!("a listing") };
    listing
}

#[test]
fn a_plan_by_preset_is_what_the_rules_say_with_reasons_and_notes() {
    let mut models = BTreeMap::new();
    let mut tested = 0;
    for case in goldens::cases("llama_quantize") {
        if let Some(name) = case["model"].as_str() {
            models.insert(name.to_owned(), listed(&Model::of(&case)));
            continue;
        }
        let listing = &models[case["input"].as_str().unwrap()];
        let model = fewerbits::plan::Model::of(vec![listing.clone()]);
        let request = serde_json::json!({"to": "gguf", "preset": case["preset"]});
        let plan = fewerbits::plan::plan(&model, &serde_json::from_value(request).unwrap()).unwrap();
        let says = |code: &str| plan.notes.iter().any(|note| note.code == code);
        assert_eq!(says("importance"), case["refused"] == true);
        assert_eq!(says("fallbacks"), plan.choices.iter().any(|c| c.instead_of.is_some()));
        if case["refused"] == true {
            continue;
        }
        assert_eq!(plan.gguf.as_ref().unwrap().file_type, case["fileType"].as_u64().unwrap() as u32);
        let types: Vec<&str> = plan.choices.iter().map(|choice| choice.dtype.as_str()).collect();
        assert_eq!(types.join(" "), case["types"].as_str().unwrap());
        for choice in &plan.choices {
            assert_eq!(choice.left.is_some(), choice.packing == Packing::Copy, "{choice:?}");
        }
        tested += 1;
    }
    assert!(tested > 240, "{tested}");
    let model = fewerbits::plan::Model::of(vec![models["bert"].clone()]);
    let request = serde_json::json!({"to": "gguf", "preset": "Q9"});
    let error = fewerbits::plan::plan(&model, &serde_json::from_value(request).unwrap()).unwrap_err();
    assert_eq!(error.message, "there is no such preset");
    assert!(error.expected.as_deref().unwrap().contains("Q4_K_M"));
}
