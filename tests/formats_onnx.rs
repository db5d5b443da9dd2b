//! ONNX models: those that the onnx package wrote (`tests/data/onnx.py`), what is read of a large one, and files that break the format.

mod formats_support;

use std::fs;
use std::path::{Path, PathBuf};

use fewerbits::decode::derived::{Derivation, Part};
use fewerbits::decode::unreadable;
use fewerbits::formats::{Derived, Listing, Reader, Step, TensorInfo};
use formats_support::{Facts, count_refused, facts_of, list, onnx_values, step_claimed};
use serde_json::{Value, json};

/// The differences of a test's many cases, shown together at its end.
#[derive(Default)]
struct Cases(std::cell::RefCell<Vec<String>>);

impl Cases {
    /// Holds a result against the error that it must be.
    #[track_caller]
    fn refused<T: std::fmt::Debug>(&self, got: fewerbits::Result<T>, want: Facts<'_>) {
        let line = std::panic::Location::caller().line();
        match got {
            Ok(got) => self.0.borrow_mut().push(format!("{line}: not refused: {got:?}")),
            Err(e) if facts_of(&e) != want => {
                self.0.borrow_mut().push(format!("{line}: {:?}\n   instead of {want:?}", facts_of(&e)));
            }
            Err(_) => count_refused("onnx"),
        }
    }
}

impl Drop for Cases {
    fn drop(&mut self) {
        let wrong = self.0.take();
        assert!(wrong.is_empty() || std::thread::panicking(), "\n{}", wrong.join("\n"));
    }
}

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
    assert_eq!(expected.as_object().unwrap().len(), 10);
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

/// The values of a derived tensor, some rows at a time.
fn derived_values(file: &[u8], listing: &Listing, derived: &Derived, at_once: u64) -> Vec<f32> {
    let part = |&i: &usize| Part { dtype: listing.tensors[i].dtype, shape: listing.tensors[i].shape.clone() };
    let parts = derived.parts.iter().map(part).collect();
    let derivation = Derivation::new(derived.method, &derived.shape, parts).unwrap();
    let (rows, columns) = derived.shape.matrix();
    let mut all = Vec::new();
    for first in (0..rows).step_by(at_once as usize) {
        let rows = first..rows.min(first + at_once);
        let needs = derivation.needs(rows.clone());
        let bytes: Vec<&[u8]> = needs
            .iter()
            .zip(&derived.parts)
            .map(|(need, &i)| {
                let t = &listing.tensors[i];
                let here = &file[t.bytes.start as usize..t.bytes.end as usize];
                let stored = t.inline.as_deref().map_or(here, Vec::as_slice);
                &stored[need.start as usize..need.end as usize]
            })
            .collect();
        let mut out = vec![0.0; ((rows.end - rows.start) * columns) as usize];
        derivation.decode(rows, &bytes, &mut out).unwrap();
        all.extend(out);
    }
    all
}

#[test]
fn quantized_onnx_weights_are_listed_as_onnx_runtime_computes_them() {
    let expected = expected();
    let mut labels = Vec::new();
    for name in ["qdq.onnx", "vectors.onnx", "contrib.onnx"] {
        let file = read(name);
        let listing = list(&file).unwrap();
        let want = expected[name]["derived"].as_object().unwrap();
        assert_eq!(listing.derived.len(), want.len(), "{name}");
        for derived in &listing.derived {
            let want = &want[&derived.name];
            assert_eq!(json!(derived.shape.dims()), want["shape"], "{}", derived.name);
            for at_once in [1, 2, 3, 1000] {
                let got = derived_values(&file, &listing, derived, at_once);
                let want = want["f32"].as_str().unwrap().as_bytes().chunks(8);
                let want = want.map(|hex| u32::from_str_radix(std::str::from_utf8(hex).unwrap(), 16).unwrap());
                // A product with 0 has the sign that the sum around it gives it: 0 and −0 are one here.
                let bits = |v: f32| (v + 0.0).to_bits();
                let want: Vec<u32> = want.map(|b| bits(f32::from_bits(b))).collect();
                let got: Vec<u32> = got.into_iter().map(bits).collect();
                assert_eq!(got, want, "{name}: {} by {at_once}", derived.name);
            }
            labels.push(derived.label.clone());
        }
    }
    labels.sort();
    labels.dedup();
    assert_eq!(
        labels,
        [
            "INT4 GatherBlockQuantized ×16",
            "INT4 MatMulNBits ×16",
            "INT4 MatMulNBits ×32",
            "INT4 QDQ per channel",
            "INT4 QDQ ×16",
            "INT4 QDQ ×32",
            "INT8 GatherBlockQuantized ×16",
            "INT8 MatMulNBits ×16",
            "INT8 QDQ per channel",
            "INT8 QDQ per tensor",
            "INT8 QDQ ×4",
            "UINT4 GatherBlockQuantized ×16",
            "UINT4 QDQ per channel",
            "UINT4 QDQ ×16",
            "UINT8 QDQ per channel",
            "UINT8 QDQ per tensor",
            "UINT8 QDQ ×4",
        ]
    );
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

/// A model of one initializer with these fields.
fn tensor(fields: &[&[u8]]) -> Vec<u8> {
    model(&bytes(5, &fields.concat()))
}

fn dims(dims: &[u64]) -> Vec<u8> {
    dims.iter().flat_map(|&d| number(1, d)).collect()
}

fn named(name: &str) -> Vec<u8> {
    bytes(8, name.as_bytes())
}

/// Fields of an external tensor `w` of two f32.
fn external(entries: &[(&str, &str)]) -> Vec<u8> {
    let entries =
        entries.iter().flat_map(|(k, v)| bytes(13, &[bytes(1, k.as_bytes()), bytes(2, v.as_bytes())].concat()));
    [named("w"), dims(&[2]), number(2, 1), number(14, 1), entries.collect()].concat()
}

const WIRE: &str = "wire type 0, 1, 2 or 5";
const PLAIN: &str = "a file name without separators or '..'";

#[test]
fn refuses_models_that_break_the_wire_format() {
    let cases = Cases::default();
    let refused = |file: &[u8], want: Facts<'_>| cases.refused(list(file), want);
    let eight = number(1, 8);
    // Tags.
    refused(&[&eight[..], &[0x3a, 2, 0x03, 0]].concat(), ("malformed", None, Some(4), "1 to 536870911", "0"));
    refused(&model(&[0x0b]), ("malformed", None, Some(4), WIRE, "wire type 3"));
    refused(&model(&[0x0c]), ("malformed", None, Some(4), WIRE, "wire type 4"));
    refused(&model(&[0x0e]), ("malformed", None, Some(4), WIRE, "wire type 6"));
    refused(&model(&[0x0f]), ("malformed", None, Some(4), WIRE, "wire type 7"));
    refused(&model(&varint(u64::MAX)), ("malformed", None, Some(4), "1 to 536870911", "2305843009213693951"));
    refused(&model(&varint(536_870_912 << 3)), ("malformed", None, Some(4), "1 to 536870911", "536870912"));
    // Varints.
    let long = [&[0x08][..], &[0xff; 9], &[0x02]].concat();
    refused(&model(&long), ("malformed", None, Some(5), "a varint of 64 bits", "tenth byte 0x02"));
    refused(&model(&[0x80]), ("malformed", None, Some(4), "a tag and what it announces", "1 bytes"));
    refused(&model(&[0x08, 0x80]), ("malformed", None, Some(4), "a tag and what it announces", "2 bytes"));
    refused(&model(&[0x0d, 0, 0, 0]), ("malformed", None, Some(4), "a tag and what it announces", "4 bytes"));
    refused(&model(&[0x09, 0, 0]), ("malformed", None, Some(4), "a tag and what it announces", "3 bytes"));
    // Lengths that lie: of the graph, of a node, of a tensor's data, and one that wraps around.
    refused(&[&eight[..], &[0x3a, 100]].concat(), ("truncated", None, Some(2), "100 bytes of field 7", "0 bytes"));
    refused(&model(&[0x0a, 9, 0]), ("malformed", None, Some(4), "9 bytes of field 1", "1 bytes"));
    let lies = [&[0x4a][..], &varint(u64::MAX)].concat();
    refused(
        &tensor(&[&named("w"), &lies]),
        ("malformed", None, Some(9), "18446744073709551615 bytes of field 9", "0 bytes"),
    );
    let huge = [&eight[..], &[0x3a], &varint(1 << 62)].concat();
    refused(&huge, ("truncated", None, Some(2), "4611686018427387904 bytes of field 7", "0 bytes"));
    assert!(step_claimed(&huge, 1 << 63).is_err(), "the rest is zeros");
    // Messages within messages.
    let mut deep = bytes(4, b"If");
    for _ in 0..40 {
        deep = bytes(1, &bytes(5, &bytes(6, &deep)));
    }
    cases.refused(list(&model(&deep)), ("unsupported", None, Some(259), "at most 100 levels", "more"));
    let mut deeper = Vec::new();
    for _ in 0..20_000 {
        deeper = bytes(1, &bytes(5, &bytes(6, &deeper)));
    }
    assert_eq!(list(&model(&deeper)).unwrap_err().expected.as_deref(), Some("at most 100 levels"));
    // Fields stored as what they are not.
    refused(
        &[&eight[..], &opset(17), &number(7, 1)].concat(),
        ("malformed", None, Some(8), "bytes with a length", "a varint"),
    );
    refused(
        &[&eight[..], &opset(17), &bytes(1, b"x")].concat(),
        ("malformed", None, Some(8), "a varint", "bytes with a length"),
    );
    refused(&model(&number(1, 1)), ("malformed", None, Some(4), "bytes with a length", "a varint"));
    refused(&model(&[0x2d, 0, 0, 0, 0]), ("malformed", None, Some(4), "bytes with a length", "4 bytes"));
    refused(&tensor(&[&bytes(2, b"x")]), ("malformed", None, Some(6), "a varint", "bytes with a length"));
    refused(&tensor(&[&number(9, 0)]), ("malformed", None, Some(6), "bytes with a length", "a varint"));
    refused(&tensor(&[&[0x41], &[0; 8]]), ("malformed", None, Some(6), "bytes with a length", "8 bytes"));
    refused(&tensor(&[&bytes(1, &[0x80])]), ("malformed", None, Some(8), "a whole varint", "1 bytes"));
}

#[test]
fn refuses_models_that_lack_or_repeat_what_they_need() {
    let cases = Cases::default();
    let refused = |file: &[u8], want: Facts<'_>| cases.refused(list(file), want);
    refused(&[number(1, 8), opset(17)].concat(), ("malformed", None, None, "graph", "none"));
    refused(&[number(1, 8), bytes(7, b"")].concat(), ("malformed", None, None, "opset_import", "none"));
    let two = [number(1, 8), bytes(7, b""), bytes(7, b""), opset(17)].concat();
    refused(&two, ("malformed", None, Some(4), "one graph", "another"));
    let w = bytes(5, &[head("w", &[1]), bytes(9, &[0; 4])].concat());
    let again = model(&[w.clone(), w].concat());
    refused(&again, ("malformed", Some("w"), Some(19), "unique names", "the same name at 4"));
    refused(&tensor(&[&dims(&[0]), &number(2, 1)]), ("malformed", None, Some(4), "a name", "none"));
    let constant = |name: &str| {
        let t = [dims(&[1, 1]), number(2, 1), bytes(9, &[0; 4])].concat();
        let attribute = bytes(5, &[bytes(1, b"value"), bytes(5, &t)].concat());
        bytes(1, &[bytes(2, name.as_bytes()), bytes(4, b"Constant"), attribute].concat())
    };
    let twice = model(&[constant("k"), constant("k")].concat());
    refused(&twice, ("malformed", Some("k"), Some(66), "unique names", "the same name again"));
    // Texts.
    refused(&model(&bytes(1, &bytes(4, b"\xff"))), ("malformed", None, Some(8), "UTF-8", "byte 0xff after 0 bytes"));
    refused(&tensor(&[&bytes(8, b"ab\xc3")]), ("malformed", None, Some(8), "UTF-8", "byte 0xc3 after 2 bytes"));
    let long = bytes(8, &vec![b'x'; 70_000]);
    assert_eq!(list(&tensor(&[&long])).unwrap_err().found.as_deref(), Some("70000 bytes"));
    let long = model(&bytes(11, &bytes(1, &vec![b'x'; 70_000])));
    cases.refused(list(&long), ("unsupported", None, Some(10), "at most 65536 bytes", "70004 bytes"));
}

#[test]
fn refuses_onnx_tensors_whose_data_is_not_what_they_say() {
    let cases = Cases::default();
    let refused = |fields: &[&[u8]], want: Facts<'_>| cases.refused(list(&tensor(fields)), want);
    let w = named("w");
    let f32s = number(2, 1);
    let raw = |n: usize| bytes(9, &vec![0; n]);
    // Types and dimensions.
    refused(&[&w, &dims(&[1]), &raw(4)], ("unsupported", Some("w"), Some(6), "data_type 1 to 26", "0"));
    refused(&[&w, &number(2, 27), &raw(4)], ("unsupported", Some("w"), Some(6), "data_type 1 to 26", "27"));
    refused(&[&w, &number(2, 1 << 40)], ("unsupported", Some("w"), Some(6), "data_type 1 to 26", "1099511627776"));
    refused(&[&w, &dims(&[u64::MAX])], ("malformed", Some("w"), Some(9), "0 or more", "-1"));
    refused(&[&w, &dims(&[1; 65])], ("unsupported", Some("w"), Some(139), "at most 64", "more"));
    let wide = dims(&[1 << 40, 1 << 40]);
    refused(&[&w, &wide, &f32s], ("malformed", Some("w"), Some(6), "fewer elements", "[1099511627776, 1099511627776]"));
    let hidden = dims(&[0, 1 << 40, 1 << 40]);
    refused(
        &[&w, &hidden, &f32s],
        ("malformed", Some("w"), Some(6), "fewer elements", "[0, 1099511627776, 1099511627776]"),
    );
    let bits = dims(&[1 << 62]);
    refused(&[&w, &bits, &f32s], ("malformed", Some("w"), Some(6), "fewer elements", "[4611686018427387904]"));
    // Sizes.
    refused(&[&w, &dims(&[2]), &f32s, &raw(4)], ("malformed", Some("w"), Some(15), "8 bytes for F32 [2]", "4 bytes"));
    refused(&[&w, &dims(&[2]), &f32s, &raw(12)], ("malformed", Some("w"), Some(15), "8 bytes for F32 [2]", "12 bytes"));
    refused(&[&w, &f32s, &raw(0)], ("malformed", Some("w"), Some(13), "4 bytes for F32 []", "0 bytes"));
    refused(&[&w, &dims(&[0]), &f32s, &raw(4)], ("malformed", Some("w"), Some(15), "0 bytes for F32 [0]", "4 bytes"));
    refused(&[&w, &dims(&[2]), &f32s], ("malformed", Some("w"), Some(6), "8 bytes for F32 [2]", "0 bytes"));
    refused(
        &[&w, &dims(&[3]), &number(2, 22), &raw(1)],
        ("malformed", Some("w"), Some(15), "2 bytes for I4 [3]", "1 bytes"),
    );
    refused(
        &[&w, &dims(&[3]), &number(2, 23), &raw(3)],
        ("malformed", Some("w"), Some(15), "2 bytes for F4 [3]", "3 bytes"),
    );
    refused(
        &[&w, &dims(&[2]), &f32s, &bytes(4, &[0; 7])],
        ("malformed", Some("w"), Some(15), "8 bytes for F32 [2]", "7 bytes"),
    );
    let ints = number(2, 6);
    refused(
        &[&w, &dims(&[2]), &ints, &bytes(5, &[1])],
        ("malformed", Some("w"), Some(6), "8 bytes for I32 [2]", "4 bytes"),
    );
    refused(
        &[&w, &dims(&[1]), &ints, &bytes(5, &[1, 2])],
        ("malformed", Some("w"), Some(6), "4 bytes for I32 [1]", "8 bytes"),
    );
    refused(
        &[&w, &dims(&[1]), &ints, &bytes(5, &[0x80])],
        ("malformed", Some("w"), Some(15), "a whole varint", "1 bytes"),
    );
    // Places.
    let several = "one of raw_data, typed data and external_data";
    let one = dims(&[1]);
    refused(&[&w, &one, &f32s, &raw(4), &bytes(4, &[0; 4])], ("malformed", Some("w"), Some(6), several, "several"));
    refused(&[&w, &one, &f32s, &raw(4), &number(14, 1)], ("malformed", Some("w"), Some(6), several, "several"));
    refused(&[&w, &one, &f32s, &raw(4), &raw(4)], ("malformed", Some("w"), Some(19), "raw_data once", "another"));
    refused(
        &[&w, &one, &f32s, &bytes(4, &[0; 4]), &bytes(5, &[1])],
        ("malformed", Some("w"), Some(19), "one", "field 5"),
    );
    refused(&[&w, &one, &f32s, &bytes(5, &[1])], ("malformed", Some("w"), Some(6), "field 4 for F32", "field 5"));
    refused(
        &[&w, &one, &number(2, 7), &bytes(5, &[1])],
        ("malformed", Some("w"), Some(6), "field 7 for I64", "field 5"),
    );
    refused(
        &[&w, &one, &number(2, 11), &bytes(4, &[0; 4])],
        ("malformed", Some("w"), Some(6), "field 10 for F64", "field 4"),
    );
    refused(
        &[&w, &one, &number(2, 12), &bytes(5, &[1])],
        ("malformed", Some("w"), Some(6), "field 11 for U32", "field 5"),
    );
    refused(&[&w, &bytes(3, &[])], ("unsupported", Some("w"), Some(9), "raw_data", "field 3"));
    let two = dims(&[2]);
    refused(
        &[&w, &two, &f32s, &bytes(4, &[0; 4]), &bytes(4, &[0; 4])],
        ("unsupported", Some("w"), Some(19), "raw_data", "field 4"),
    );
    refused(
        &[&w, &two, &f32s, &bytes(4, &[0; 4]), &[0x25, 0, 0, 0, 0]],
        ("unsupported", Some("w"), Some(19), "raw_data", "field 4"),
    );
    refused(&[&w, &two, &f32s, &number(4, 1)], ("malformed", Some("w"), Some(13), "bytes with a length", "a varint"));
    // Numbers.
    let bytes_of_i8 = number(2, 3);
    refused(&[&w, &one, &bytes_of_i8, &number(5, 300)], ("malformed", Some("w"), Some(6), "1 bytes for I8", "300"));
    refused(
        &[&w, &one, &bytes_of_i8, &number(5, -129i64 as u64)],
        ("malformed", Some("w"), Some(6), "1 bytes for I8", "-129"),
    );
    refused(
        &[&w, &one, &number(2, 10), &number(5, 65536)],
        ("malformed", Some("w"), Some(6), "2 bytes for F16", "65536"),
    );
    // What is right, in the same words: unpacked numbers, and several packed runs of them.
    let listed = |fields: &[&[u8]]| onnx_values(&[], &list(&tensor(fields)).unwrap().tensors[0]);
    assert_eq!(listed(&[&w, &two, &bytes_of_i8, &number(5, -1i64 as u64), &bytes(5, &[7])]), [-1.0, 7.0]);
    assert_eq!(listed(&[&w, &two, &f32s, &[0x25, 0, 0, 0x80, 0x3f], &[0x25, 0, 0, 0, 0x40]]), [1.0, 2.0]);
    assert_eq!(listed(&[&w, &bytes(1, &[1, 2]), &bytes_of_i8, &bytes(5, &[3, 4])]), [3.0, 4.0]);
}

#[test]
fn refuses_external_data_that_does_not_lie_beside_the_model() {
    let cases = Cases::default();
    let refused = |entries: &[(&str, &str)], want: Facts<'_>| cases.refused(list(&tensor(&[&external(entries)])), want);
    for location in [
        "../w",
        "..",
        ".",
        "",
        "a/../w",
        "a/b",
        "/etc/passwd",
        "\\\\host\\w",
        "a\\b",
        "C:w",
        "file:w",
        "%2e%2e%2fw",
        "w?x",
        "w#x",
        " w",
        "w\u{0}",
        "w..x",
    ] {
        refused(&[("location", location)], ("malformed", Some("w"), Some(6), PLAIN, &format!("{location:?}")));
    }
    refused(&[], ("malformed", Some("w"), Some(6), "a file's name", "none"));
    refused(&[("offset", "0")], ("malformed", Some("w"), Some(6), "a file's name", "none"));
    let at = |offset: &str, found: &str, expected: &str| {
        refused(&[("location", "w.bin"), ("offset", offset)], ("malformed", Some("w"), Some(6), expected, found));
    };
    at("-1", "\"-1\"", "a whole number");
    at("", "\"\"", "a whole number");
    at("0x10", "\"0x10\"", "a whole number");
    at("18446744073709551616", "\"18446744073709551616\"", "a whole number");
    at("18446744073709551615", "18446744073709551615", "an offset that 63 bits can count");
    at("9223372036854775807", "9223372036854775807", "an offset that 63 bits can count");
    let length = |n: &str, expected: &str, found: &str| {
        refused(&[("location", "w.bin"), ("length", n)], ("malformed", Some("w"), Some(6), expected, found));
    };
    length("7", "8 bytes for F32 [2]", "7 bytes");
    length("18446744073709551615", "8 bytes for F32 [2]", "18446744073709551615 bytes");
    length("eight", "a whole number", "\"eight\"");
    let listing = list(&tensor(&[&external(&[("location", "w.bin"), ("offset", "24"), ("length", "8")])])).unwrap();
    assert_eq!((listing.tensors[0].file.as_deref(), &listing.tensors[0].bytes), (Some("w.bin"), &(24..32)));
}

#[test]
fn an_onnx_model_of_many_messages_is_refused_before_memory_is() {
    let file = model(&[0x0a, 0].repeat((1 << 20) + 1));
    let expected = "at most 1048576 nodes, attributes and tensors";
    Cases::default().refused(list(&file), ("unsupported", None, Some(2_097_157), expected, "more"));
}

/// A graph within these many others, each in an attribute of a node; both have names of so many bytes.
fn nested(graph: Vec<u8>, levels: usize, name: usize) -> Vec<u8> {
    let name = "n".repeat(name);
    (0..levels).fold(graph, |graph, _| {
        let body = bytes(5, &[bytes(1, name.as_bytes()), bytes(6, &graph)].concat());
        bytes(1, &[bytes(3, name.as_bytes()), bytes(4, b"If"), body].concat())
    })
}

#[test]
fn refuses_names_that_the_paths_of_inner_graphs_multiply() {
    let cases = Cases::default();
    let empty = |n: usize| -> Vec<u8> { (0..n).flat_map(|i| bytes(5, &head(&format!("w{i}"), &[0]))).collect() };
    let listed = list(&model(&nested(empty(2), 4, 511))).unwrap();
    assert_eq!(listed.tensors[1].name.len(), 4096 + 2);
    // The node that is too deep is the innermost: its graph's tensors would go by a path of 4098 bytes.
    let too_long = list(&model(&nested(empty(1), 3, 682)));
    cases.refused(too_long, ("unsupported", None, Some(2771), "at most 4096 bytes of names", "4098 bytes"));
    // 65,000 bytes in 30 levels, as names of 1000 tensors.
    let huge = list(&model(&nested(empty(1000), 30, 65_000)));
    cases.refused(huge, ("unsupported", None, Some(7), "at most 4096 bytes of names", "130002 bytes"));
    // Paths that are short enough, and said once, but in too many names.
    assert_eq!(list(&model(&nested(empty(4096), 4, 511))).unwrap().tensors.len(), 4096);
    let many = list(&model(&nested(empty(4097), 4, 511)));
    let expected = "at most 16777216 bytes of paths in all names";
    cases.refused(many, ("unsupported", Some("w4096"), Some(56_320), expected, "more"));
}

#[test]
fn refuses_numbers_of_varying_length_that_are_much_in_memory() {
    let cases = Cases::default();
    // Each byte is an element of eight.
    let ints = |name: &str, n: u64| {
        bytes(5, &[named(name), dims(&[n]), number(2, 7), bytes(7, &vec![5; n as usize])].concat())
    };
    let most = 64 << 20 >> 3;
    let listed = list(&model(&[ints("a", most - 3), ints("b", 3)].concat())).unwrap();
    assert_eq!(listed.tensors[1].inline.as_ref().unwrap().as_slice(), [5, 0, 0, 0, 0, 0, 0, 0].repeat(3));
    let expected = "raw_data, or at most 67108864 bytes of such numbers in all tensors";
    let one = list(&model(&ints("a", most + 1)));
    cases.refused(one, ("unsupported", Some("a"), Some(12), expected, "67108872 bytes in this one"));
    let two = list(&model(&[ints("a", most - 3), ints("b", 4)].concat()));
    cases.refused(two, ("unsupported", Some("b"), Some(8_388_634), expected, "32 bytes in this one"));
}

/// A node that dequantizes `codes` by `scale` into `output`.
fn dequantize(codes: &str, scale: &str, output: &str) -> Vec<u8> {
    let names = [bytes(1, codes.as_bytes()), bytes(1, scale.as_bytes()), bytes(2, output.as_bytes())].concat();
    bytes(1, &[names, bytes(4, b"DequantizeLinear")].concat())
}

/// An initializer of one element, f32 or i8.
fn one(name: &str, data_type: u64) -> Vec<u8> {
    let data = vec![0; if data_type == 1 { 4 } else { 1 }];
    bytes(5, &[dims(&[1]), number(2, data_type), named(name), bytes(9, &data)].concat())
}

fn derived_names(graph: &[Vec<u8>]) -> Vec<String> {
    list(&model(&graph.concat())).unwrap().derived.into_iter().map(|d| d.name).collect()
}

#[test]
fn derived_onnx_weights_of_one_name_are_numbered_and_each_is_listed_once() {
    let parts = [one("x", 3), one("s", 1), one("t", 1), one("u", 1), one("y (dequantized 2)", 1)].concat();
    let nodes = ["s", "t", "s", "t", "u", "t"].map(|scale| dequantize("x", scale, "y")).concat();
    assert_eq!(derived_names(&[parts, nodes]), ["y", "y (dequantized)", "y (dequantized 3)"]);
    // The name of a part is taken too.
    let graph = [one("x", 3), one("s", 1), dequantize("x", "s", "x"), dequantize("x", "s", "x")];
    assert_eq!(derived_names(&graph), ["x (dequantized)"]);
}

#[test]
fn many_derived_onnx_weights_of_one_name_take_no_longer_each() {
    // Two weights in turn, and different ones: names that grow with each of 30,000 are 12 GB long together.
    let parts = [one("x", 3), one("s", 1), one("t", 1)].concat();
    let nodes = ["s", "t"].map(|scale| dequantize("x", scale, "y")).concat().repeat(15_000);
    assert_eq!(derived_names(&[parts, nodes]), ["y", "y (dequantized)"]);
    const MANY: usize = 30_000;
    let parts = (0..MANY).map(|i| one(&format!("s{i}"), 1)).collect::<Vec<_>>().concat();
    let nodes = (0..MANY).map(|i| dequantize("x", &format!("s{i}"), "y")).collect::<Vec<_>>().concat();
    let names = derived_names(&[one("x", 3), parts, nodes]);
    assert_eq!((names.len(), names.last().unwrap().as_str()), (MANY, "y (dequantized 29999)"));
}
