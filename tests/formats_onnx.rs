//! ONNX models: those that the onnx package wrote (`tests/data/onnx.py`), what is read of a large one, and files that break the format.

mod formats_support;

use std::fs;
use std::path::{Path, PathBuf};

use fewerbits::decode::unreadable;
use fewerbits::formats::{Listing, Reader, Step, TensorInfo};
use formats_support::{list, onnx_values};
use serde_json::{Value, json};

fn corpus() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/corpus/onnx")
}

fn read(name: &str) -> Vec<u8> {
    fs::read(corpus().join(name)).unwrap()
}

fn expected() -> Value {
    serde_json::from_slice(&read("expected.json")).unwrap()
}

/// The tensor as expected.json describes one.
fn describe(file: &[u8], t: &TensorInfo) -> Value {
    let beside = t.file.as_ref().map(|name| read(name));
    let hex = unreadable(t.dtype).is_none().then(|| {
        let values = onnx_values(beside.as_deref().unwrap_or(file), t);
        values.iter().map(|v| format!("{:08x}", v.to_bits())).collect::<String>()
    });
    json!({"dtype": t.dtype.name(), "shape": t.shape.dims(), "f32": hex})
}

#[test]
fn every_onnx_model_of_the_corpus_holds_what_its_writer_says() {
    let expected = expected();
    assert_eq!(expected.as_object().unwrap().len(), 8);
    for (name, want) in expected.as_object().unwrap() {
        let file = read(name);
        let listing = list(&file).unwrap_or_else(|e| panic!("{name}: {e}"));
        let got: serde_json::Map<_, _> = listing.tensors.iter().map(|t| (t.name.clone(), describe(&file, t))).collect();
        for (tensor, want) in want["tensors"].as_object().unwrap() {
            assert_eq!(got.get(tensor), Some(want), "{name}: {tensor}");
        }
        assert_eq!(got.len(), want["tensors"].as_object().unwrap().len(), "{name}");
    }
}

#[test]
fn onnx_metadata_names_the_versions_and_the_author() {
    let listing = list(&read("mlp.onnx")).unwrap();
    let metadata: Vec<_> = listing.metadata.iter().map(|(k, v)| (k.as_str(), v.as_str())).collect();
    assert_eq!(
        metadata,
        [("author", "测试"), ("ir_version", "8"), ("opset ai.onnx", "17"), ("producer_name", "corpus")]
    );
    let listing = list(&read("contrib.onnx")).unwrap();
    assert!(listing.metadata.contains(&("opset com.microsoft".into(), "1".into())));
}

#[test]
fn truncation_of_an_onnx_model_at_every_byte_is_an_error() {
    for name in ["external.onnx", "inner.onnx", "typed.onnx", "qdq.onnx"] {
        let file = read(name);
        for cut in 0..file.len() {
            let result = list(&file[..cut]);
            // Metadata is last in external.onnx: cut before it, what is left is a model.
            let is_whole = name == "external.onnx" && file[cut..].starts_with(b"\x72");
            assert!(result.is_err() || is_whole, "{name} cut at {cut}");
        }
    }
}

/// Lists a model of `len` bytes by its reader, `read` gives the bytes; returns the listing and the ranges read.
fn list_counting(len: u64, mut read: impl FnMut(std::ops::Range<u64>) -> Vec<u8>) -> (Listing, Vec<u64>) {
    let mut reader = Reader::new(len);
    let (mut bytes, mut reads) = (Vec::new(), Vec::new());
    loop {
        match reader.step(&bytes).unwrap() {
            Step::Need(range) => {
                reads.push(range.end - range.start);
                bytes = read(range);
            }
            Step::Done(listing) => return (listing, reads),
            Step::Shards(_) => unreachable!(),
        }
    }
}

/// A varint.
fn varint(mut n: u64) -> Vec<u8> {
    let mut out = Vec::new();
    while n >= 0x80 {
        out.push(n as u8 | 0x80);
        n >>= 7;
    }
    out.push(n as u8);
    out
}

/// A field with a length.
fn bytes(number: u64, body: &[u8]) -> Vec<u8> {
    [varint(number << 3 | 2), varint(body.len() as u64), body.to_vec()].concat()
}

/// A field that is a number.
fn number(field: u64, n: u64) -> Vec<u8> {
    [varint(field << 3), varint(n)].concat()
}

/// A model of this graph's fields.
fn model(graph: &[u8]) -> Vec<u8> {
    [number(1, 8), bytes(7, graph), opset(17)].concat()
}

fn opset(version: u64) -> Vec<u8> {
    bytes(8, &[bytes(1, b""), number(2, version)].concat())
}

/// An f32 tensor's fields but for its data.
fn head(name: &str, dims: &[u64]) -> Vec<u8> {
    let dims: Vec<u8> = dims.iter().flat_map(|&d| number(1, d)).collect();
    [dims, number(2, 1), bytes(8, name.as_bytes())].concat()
}

#[test]
fn a_large_onnx_model_is_listed_without_its_weights() {
    // 300 initializers of 1 MB each, in a file that exists only where it is read.
    const SIZE: u64 = 1 << 20;
    let mut pieces: Vec<(Vec<u8>, u64)> = Vec::new();
    for i in 0..300 {
        let fields = head(&format!("layer.{i}.weight"), &[512, 512]);
        let length = fields.len() as u64 + 1 + varint(SIZE).len() as u64 + SIZE;
        let start = [varint(5 << 3 | 2), varint(length), fields, varint(9 << 3 | 2), varint(SIZE)].concat();
        pieces.push((start, SIZE));
    }
    let graph: u64 = pieces.iter().map(|(start, size)| start.len() as u64 + size).sum();
    let front = [number(1, 8), varint(7 << 3 | 2), varint(graph)].concat();
    let mut map: Vec<(u64, Vec<u8>)> = vec![(0, front.clone())];
    let mut at = front.len() as u64;
    for (start, size) in pieces {
        map.push((at, start.clone()));
        at += start.len() as u64 + size;
    }
    map.push((at, opset(17)));
    let len = at + opset(17).len() as u64;
    let (listing, reads) = list_counting(len, |range| {
        let mut out = vec![0; (range.end - range.start) as usize];
        for (at, bytes) in &map {
            for (i, b) in bytes.iter().enumerate().filter(|(i, _)| range.contains(&(at + *i as u64))) {
                out[(at + i as u64 - range.start) as usize] = *b;
            }
        }
        out
    });
    assert_eq!(listing.tensors.len(), 300);
    assert!(listing.tensors.windows(2).all(|pair| pair[0].bytes.end < pair[1].bytes.start));
    assert!(reads.len() <= 302, "{} reads", reads.len());
    assert!(reads.iter().sum::<u64>() <= 302 * (64 << 10));
}

#[test]
fn a_small_onnx_model_is_listed_in_one_read() {
    let file = read("qdq.onnx");
    let (_, reads) = list_counting(file.len() as u64, |range| file[range.start as usize..range.end as usize].to_vec());
    assert_eq!(reads, [file.len() as u64]);
}

#[test]
fn an_onnx_model_reads_the_same_in_pieces_of_any_size() {
    // Many small nodes, so that the pieces' edges fall everywhere; the payloads are longer than a piece.
    let mut graph = Vec::new();
    for i in 0..5000u64 {
        let name = format!("node_{i}_{}", "x".repeat((i % 97) as usize));
        graph.extend(bytes(1, &[bytes(1, b"a"), bytes(2, name.as_bytes()), bytes(4, b"Relu")].concat()));
        if i % 500 == 0 {
            let data = vec![7; 4 * (20_000 + i as usize)];
            let fields = [head(&format!("w{i}"), &[20_000 + i]), bytes(9, &data)].concat();
            graph.extend(bytes(5, &fields));
        }
    }
    let file = model(&graph);
    let (listing, reads) = list_counting(file.len() as u64, |r| file[r.start as usize..r.end as usize].to_vec());
    assert_eq!(listing.tensors.len(), 10);
    assert_eq!(listing.onnx.unwrap().graph.nodes.len(), 5000);
    assert!(reads.iter().skip(1).all(|&n| n >= 64 << 10 || n == *reads.last().unwrap()), "{reads:?}");
    for t in &listing.tensors {
        assert!(file[t.bytes.start as usize..t.bytes.end as usize].iter().all(|&b| b == 7));
    }
}
