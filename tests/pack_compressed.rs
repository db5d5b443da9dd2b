//! compressed-tensors as it is written: what was packed is found again by the reader that `tests/formats_derived.rs` holds to the library.

mod formats_support;

use fewerbits::Shape;
use fewerbits::decode::derived::{Derivation, Part};
use fewerbits::formats::compressed_write::{Quantization, config};
use fewerbits::formats::safetensors_write::{Written, header};
use fewerbits::pack::Packing;
use formats_support::{Random, assert_error, list};
use serde_json::{Value, json};

fn packing(value: Value) -> Packing {
    serde_json::from_value(value).unwrap()
}

fn weights(count: usize, seed: u64) -> Vec<f32> {
    let mut random = Random(seed);
    (0..count).map(|_| (random.next() % 20_001) as f32 / 10_000.0 - 1.0).collect()
}

/// The file of one packed tensor.
fn file(packing: &Packing, values: &[f32], dims: &[u64]) -> Vec<u8> {
    let shape = Shape::new(dims).unwrap();
    let packer = packing.packer().unwrap();
    let mut parts = packer.parts(&shape).unwrap();
    let mut bytes = packer.pack(values, &shape).unwrap();
    for (part, literal) in packing.literals(dims) {
        parts.push(part);
        bytes.push(literal);
    }
    let suffix = |name: &str| if name.is_empty() { String::new() } else { format!("_{name}") };
    let names: Vec<String> = parts.iter().map(|p| format!("l.weight{}", suffix(p.name))).collect();
    let written: Vec<Written<'_>> = parts
        .iter()
        .zip(&names)
        .map(|(p, name)| Written { name, dtype: p.dtype, dims: &p.dims, byte_len: p.byte_len })
        .collect();
    let mut file = header(&written, &[]).unwrap();
    for (part, bytes) in parts.iter().zip(bytes) {
        assert_eq!(part.byte_len, bytes.len() as u64, "{}", part.name);
        file.extend(bytes);
    }
    file
}

/// The numbers that the reader makes of a file's one derived tensor, and its label.
fn read(file: &[u8]) -> (String, Vec<f32>) {
    let listing = list(file).unwrap();
    let [d] = listing.derived.as_slice() else { panic!("one derived tensor: {:?}", listing.derived) };
    let parts = d.parts.iter().map(|&i| &listing.tensors[i]);
    let stated = parts.clone().map(|t| Part { dtype: t.dtype, shape: t.shape.clone() }).collect();
    let bytes: Vec<&[u8]> = parts.map(|t| &file[t.bytes.start as usize..t.bytes.end as usize]).collect();
    let mut out = vec![0.0; d.shape.count() as usize];
    let derivation = Derivation::new(d.method, &d.shape, stated).unwrap();
    derivation.decode(0..d.shape.dims()[0], &bytes, &mut out).unwrap();
    (d.label.clone(), out)
}

#[test]
fn what_is_packed_is_listed_and_read_again() {
    let packed = |id: &str, scale: &str, group: Option<u64>| {
        let mut value = json!({"pack": "compressed", "layout": "pack-quantized", "scale": scale, "id": id});
        if let Some(group) = group {
            value["granularity"] = json!("group");
            value["groupSize"] = json!(group);
        }
        value
    };
    let plain =
        |layout: &str, id: &str, scale: &str| json!({"pack": "compressed", "layout": layout, "scale": scale, "id": id});
    // The step of each: the largest magnitude is 1, over the largest code; half of it is the most that rounding takes.
    for (value, dims, label, half_step) in [
        (packed("int4", "F32", Some(32)), [6, 64], "INT4 compressed-tensors ×32", 0.5 / 7.0),
        (packed("int4", "BF16", Some(16)), [5, 48], "INT4 compressed-tensors ×16", 0.5 / 7.0),
        (packed("int4", "F16", None), [3, 21], "INT4 compressed-tensors per row", 0.5 / 7.0),
        (packed("int8", "F32", None), [4, 18], "INT8 compressed-tensors per row", 0.5 / 127.0),
        (packed("int2", "F32", Some(32)), [2, 64], "INT2 compressed-tensors ×32", 0.5),
        (packed("int8", "BF16", None), [7, 10], "INT8 compressed-tensors per row", 0.5 / 127.0),
        (plain("float-quantized", "fp8_e4m3", "BF16"), [7, 10], "FP8 scaled per row", 1.0 / 32.0),
        (plain("float-quantized", "fp8_e4m3", "F32"), [2, 300], "FP8 scaled per row", 1.0 / 32.0),
    ] {
        let packing = packing(value.clone());
        let values = weights((dims[0] * dims[1]) as usize, 3);
        let file = file(&packing, &values, &dims);
        let (got, back) = read(&file);
        assert_eq!(got, label, "{value}");
        // A rounded scale moves the ends by its own error, at most 2⁻⁸ of a weight.
        let most = values.iter().zip(&back).map(|(x, y)| (x - y).abs()).fold(0.0, f32::max);
        assert!(most <= half_step * 1.01 + 1.0 / 256.0, "{value}: {most}");
        let shape = Shape::new(&dims).unwrap();
        let packer = packing.packer().unwrap();
        let unpacked = packer.unpack(&packer.pack(&values, &shape).unwrap(), &shape).unwrap();
        assert_eq!(unpacked, back, "{value}: the proof reads what everyone reads");
    }
}

#[test]
fn rows_packed_apart_are_those_of_the_whole() {
    for value in [
        json!({"pack": "compressed", "layout": "pack-quantized", "scale": "BF16", "id": "int4", "granularity": "group", "groupSize": 16}),
        json!({"pack": "compressed", "layout": "pack-quantized", "scale": "F32", "id": "int8"}),
        json!({"pack": "compressed", "layout": "float-quantized", "scale": "F16", "id": "fp8_e4m3"}),
    ] {
        let packer = packing(value).packer().unwrap();
        let values = weights(9 * 32, 4);
        let whole = packer.pack(&values, &Shape::new(&[9, 32]).unwrap()).unwrap();
        let mut apart = vec![Vec::new(); whole.len()];
        for rows in values.chunks(4 * 32) {
            let shape = Shape::new(&[rows.len() as u64 / 32, 32]).unwrap();
            for (all, part) in apart.iter_mut().zip(packer.pack(rows, &shape).unwrap()) {
                all.extend(part);
            }
        }
        assert_eq!(apart, whole);
    }
}

#[test]
fn zeros_and_the_ends_of_the_range_survive() {
    let value = json!({"pack": "compressed", "layout": "float-quantized", "scale": "F32", "id": "fp8_e4m3"});
    let values = [0.0, -0.0, 448.0, -448.0, 1.0, 0.5, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0];
    let (_, back) = read(&file(&packing(value), &values, &[2, 6]));
    assert_eq!(back, values);
    let value = json!({"pack": "compressed", "layout": "pack-quantized", "scale": "F32", "id": "int4"});
    let (_, back) = read(&file(&packing(value), &[0.0, 7.0, -7.0, 3.0, 0.0, 0.0, 0.0, 0.0], &[2, 4]));
    assert_eq!(back, [0.0, 7.0, -7.0, 3.0, 0.0, 0.0, 0.0, 0.0]);
}

#[test]
fn what_the_layouts_cannot_hold_is_refused() {
    let refused = |value: Value| packing(value).packer().err().expect("refused").code.as_str();
    let with = |layout: &str, id: &str, more: Value| {
        let mut value = json!({"pack": "compressed", "layout": layout, "scale": "F32", "id": id});
        value.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        value
    };
    assert_eq!(refused(with("pack-quantized", "int3", json!({}))), "invalid_option");
    assert_eq!(refused(with("pack-quantized", "fp8_e4m3", json!({}))), "invalid_option");
    assert_eq!(refused(with("float-quantized", "fp8_e5m2", json!({}))), "invalid_option");
    assert_eq!(refused(with("pack-quantized", "int4", json!({"symmetric": false}))), "invalid_option");
    assert_eq!(refused(with("pack-quantized", "int4", json!({"entropy": "huffman"}))), "invalid_option");
    assert_eq!(refused(with("pack-quantized", "int4", json!({"noSuchOption": 1}))), "unknown_option");
    let mut value = with("pack-quantized", "int4", json!({}));
    value["scale"] = json!("F64");
    assert_eq!(refused(value), "invalid_argument");
    let packer =
        packing(with("pack-quantized", "int4", json!({"granularity": "group", "groupSize": 32}))).packer().unwrap();
    let shape = |dims: &[u64]| Shape::new(dims).unwrap();
    assert_error(packer.parts(&shape(&[2, 33])), ("shape_mismatch", None, None, "rows of a multiple of 32", "33"));
    assert_error(packer.parts(&shape(&[2, 3, 32])), ("shape_mismatch", None, None, "2 dimensions", "[2, 3, 32]"));
    assert_error(packer.parts(&shape(&[32])), ("shape_mismatch", None, None, "2 dimensions", "[32]"));
}

#[test]
fn config_json_says_how_the_weights_are_stored() {
    let q = Quantization { format: "pack-quantized", bits: 4, group: Some(128), ignore: &["lm_head"] };
    let text = config(r#"{"model_type": "llama", "torch_dtype": "bfloat16"}"#, &q).unwrap();
    let value: Value = serde_json::from_str(&text).unwrap();
    assert_eq!(value["model_type"], "llama");
    let block = &value["quantization_config"];
    assert_eq!((&block["quant_method"], &block["format"]), (&json!("compressed-tensors"), &json!("pack-quantized")));
    let weights = &block["config_groups"]["group_0"]["weights"];
    let want = [
        ("num_bits", json!(4)),
        ("group_size", json!(128)),
        ("strategy", json!("group")),
        ("type", json!("int")),
        ("symmetric", json!(true)),
    ];
    for (key, want) in want {
        assert_eq!(weights[key], want, "{key}");
    }
    let channel = config("{}", &Quantization { format: "float-quantized", bits: 8, group: None, ignore: &[] }).unwrap();
    assert!(channel.contains("\"strategy\": \"channel\"") && channel.contains("\"type\": \"float\""));
    assert_eq!(config("[]", &q).unwrap_err().code.as_str(), "malformed");
    assert_error(config(&text, &q), ("unsupported", None, None, "", "compressed-tensors"));
}
