//! ONNX that is written: what is copied, what is refused. That ONNX Runtime runs it is for tests/python/onnx_proof.py to say.

mod formats_support;

use std::fs;
use std::path::Path;

use fewerbits::formats::onnx::write::{Change, How, MAX_MODEL, Piece, Stored, write};
use fewerbits::formats::onnx::{Data, Model};
use fewerbits::{Code, DType};
use formats_support::list;

fn read(name: &str) -> Vec<u8> {
    fs::read(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/corpus/onnx").join(name)).unwrap()
}

fn model(file: &[u8]) -> std::sync::Arc<Model> {
    list(file).unwrap().onnx.unwrap()
}

/// The bytes of pieces; parts are sevens.
fn bytes(file: &[u8], pieces: &[Piece]) -> Vec<u8> {
    pieces
        .iter()
        .flat_map(|piece| match piece {
            Piece::Bytes(bytes) => bytes.clone(),
            Piece::Copy(range) => file[range.start as usize..range.end as usize].to_vec(),
            Piece::Part { byte_len, .. } | Piece::Stored { byte_len, .. } => vec![7; *byte_len as usize],
        })
        .collect()
}

fn stored(suffix: &'static str, dtype: DType, dims: &[u64]) -> Stored {
    let byte_len = dtype.padded_len(dims.iter().product()).unwrap();
    Stored { suffix, dtype, dims: dims.to_vec(), byte_len }
}

fn change(initializer: usize, how: How, codes: (DType, &[u64]), scale: &[u64]) -> Change {
    let parts = vec![stored("quantized", codes.0, codes.1), stored("scale", DType::F32, scale)];
    Change { initializer, how, parts }
}

/// The perceptron's first weight, `[8, 6]`, by channel.
fn per_channel() -> Change {
    change(0, How::Linear { axis: Some(1), block: None }, (DType::I8, &[8, 6]), &[6])
}

#[test]
fn a_model_without_changes_is_copied_whole() {
    for name in ["mlp.onnx", "ir3.onnx", "typed.onnx", "raw.onnx", "inner.onnx", "qdq.onnx", "contrib.onnx"] {
        let file = read(name);
        let written = write(&model(&file), &[], "data", MAX_MODEL);
        let written = written.unwrap_or_else(|e| panic!("{name}: {e}"));
        assert_eq!(bytes(&file, &written.model), file, "{name}");
        assert!(written.data.is_empty());
    }
}

#[test]
fn what_is_written_reads_as_what_was_meant() {
    let file = read("mlp.onnx");
    let written = write(&model(&file), &[per_channel()], "data", MAX_MODEL).unwrap();
    let made = bytes(&file, &written.model);
    let listing = list(&made).unwrap();
    let names: Vec<_> = listing.tensors.iter().map(|t| (t.name.as_str(), t.dtype.name(), t.shape.dims())).collect();
    assert_eq!(names[..2], [("w1_quantized", "I8", &[8u64, 6][..]), ("w1_scale", "F32", &[6])]);
    assert_eq!(names.len(), 5);
    let nodes = &listing.onnx.as_ref().unwrap().graph.nodes;
    assert_eq!((nodes[0].op.as_str(), nodes[0].inputs.join(" ")), ("DequantizeLinear", "w1_quantized w1_scale".into()));
    assert_eq!((nodes[0].outputs.join(" "), nodes[0].int("axis")), ("w1".into(), Some(1)));
    assert_eq!(listing.derived[0].name, "w1");
    assert_eq!(listing.derived[0].label, "INT8 QDQ per channel");
    assert_eq!(listing.metadata, list(&file).unwrap().metadata, "no version is raised");
}

#[test]
fn new_names_are_names_that_nothing_has() {
    let file = read("mlp.onnx");
    let mut change = per_channel();
    change.parts[0].suffix = "";
    change.parts[1].suffix = "";
    let written = write(&model(&file), &[change], "data", MAX_MODEL).unwrap();
    let listing = list(&bytes(&file, &written.model)).unwrap();
    assert_eq!([&listing.tensors[0].name, &listing.tensors[1].name], ["w1_", "w1__2"]);
}

#[test]
fn a_model_of_version_3_declares_its_new_initializers_as_inputs() {
    let file = read("ir3.onnx");
    let per_tensor = change(0, How::Linear { axis: None, block: None }, (DType::I8, &[8, 6]), &[]);
    // Operator set 9 has no DequantizeLinear.
    let e = write(&model(&file), std::slice::from_ref(&per_tensor), "data", MAX_MODEL).unwrap_err();
    assert_eq!(
        (e.code, e.expected.as_deref(), e.found.as_deref()),
        (Code::InvalidArgument, Some("ai.onnx 10 or later"), Some("9"))
    );
    let f16 = Change { initializer: 0, how: How::Cast, parts: vec![stored("f16", DType::F16, &[8, 6])] };
    let made = bytes(&file, &write(&model(&file), &[f16], "data", MAX_MODEL).unwrap().model);
    let made = model(&made);
    let inputs: Vec<_> = made.graph.inputs.iter().map(|input| input.name.as_str()).collect();
    assert_eq!(inputs, ["w1_f16", "x", "b1", "w2", "b2"]);
}

#[test]
fn data_goes_beside_the_model_when_it_is_too_large() {
    let file = read("typed.onnx");
    let mut large = Vec::new();
    // A tensor of 2 KB and the model around it.
    let varint = |n: u64| if n < 128 { vec![n as u8] } else { vec![n as u8 | 128, (n >> 7) as u8] };
    let field = |number: u8, body: &[u8]| [&[number << 3 | 2][..], &varint(body.len() as u64), body].concat();
    let tensor = [&[8, 128, 4, 16, 1][..], &field(8, b"w"), &field(12, b"kept"), &field(9, &[3; 2048])].concat();
    large.extend([8, 8]);
    large.extend(field(7, &field(5, &tensor)));
    large.extend(field(8, &[16, 17]));
    let written = write(&model(&large), &[], "data", 1000).unwrap();
    let made = bytes(&large, &written.model);
    assert!(made.windows(4).any(|w| w == b"kept"), "what is not data stays with the tensor");
    let made = model(&made);
    let beside = Data::Beside { file: "data".into(), bytes: 0..2048 };
    assert_eq!((&made.graph.initializers[0].name[..], &made.graph.initializers[0].data), ("w", &beside));
    assert_eq!(bytes(&large, &written.data), [3; 2048]);
    let e = write(&model(&file), &[], "data", 100).unwrap_err();
    assert_eq!((e.code, e.expected.as_deref()), (Code::Unsupported, Some("at most 100 bytes")));
}

#[test]
fn changes_that_the_engine_would_misread_are_refused() {
    let file = read("mlp.onnx");
    let model = model(&file);
    let linear = |axis, block| How::Linear { axis, block };
    let dims: &[u64] = &[8, 6];
    for (change, expected, found) in [
        (change(9, linear(None, None), (DType::I8, dims), &[]), "one of 4", "9"),
        (change(0, linear(Some(2), None), (DType::I8, dims), &[6]), "an axis of [8, 6]", "Some(2), block None"),
        (change(0, linear(None, Some(2)), (DType::I8, dims), &[6]), "ai.onnx 21 or later", "17"),
        (change(0, linear(Some(0), Some(2)), (DType::I8, dims), &[4, 6]), "ai.onnx 21 or later", "17"),
        (change(0, linear(None, None), (DType::I4, dims), &[]), "ai.onnx 21 or later", "17"),
        (change(0, linear(Some(1), None), (DType::I8, dims), &[8]), "[6]", "[8]"),
        (change(0, linear(Some(1), None), (DType::I8, dims), &[1, 6]), "[6]", "[1, 6]"),
        (change(0, linear(None, None), (DType::I8, dims), &[1]), "[]", "[1]"),
        (change(0, linear(Some(1), None), (DType::I8, &[6, 8]), &[6]), "[8, 6]", "[6, 8]"),
        (change(0, How::Cast, (DType::F16, dims), &[6]), "1", "2"),
        (
            change(0, How::MatMul { bits: 4, block: 8 }, (DType::U8, dims), &[6]),
            "4 or 8 bits in blocks of a power of two from 16",
            "4 bits in blocks of 8",
        ),
        (
            change(0, How::MatMul { bits: 3, block: 32 }, (DType::U8, dims), &[6]),
            "4 or 8 bits in blocks of a power of two from 16",
            "3 bits in blocks of 32",
        ),
        (change(0, How::MatMul { bits: 4, block: 16 }, (DType::U8, &[6, 1, 16]), &[6, 1]), "[6, 1, 8]", "[6, 1, 16]"),
        (
            change(2, How::MatMul { bits: 4, block: 16 }, (DType::U8, &[6, 1, 8]), &[6, 1]),
            "MatMul of the main graph alone",
            "Gemm",
        ),
        (change(1, How::MatMul { bits: 4, block: 16 }, (DType::U8, &[6, 1, 8]), &[6, 1]), "2 dimensions", "[6]"),
        (
            change(0, How::Gather { bits: 4, block: 16 }, (DType::U8, &[8, 3]), &[8, 1]),
            "Gather of the main graph alone",
            "MatMul",
        ),
    ] {
        let e = write(&model, std::slice::from_ref(&change), "data", MAX_MODEL).expect_err(expected);
        assert_eq!(e.code, Code::InvalidArgument);
        assert_eq!((e.expected.as_deref(), e.found.as_deref()), (Some(expected), Some(found)), "{e}");
    }
    let e = write(&model, &[per_channel(), per_channel()], "data", MAX_MODEL).unwrap_err();
    assert_eq!(e.message, "an initializer is changed twice");
}
