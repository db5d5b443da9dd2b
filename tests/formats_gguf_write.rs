//! GGUF headers written and read again: whole copies of the corpus, replaced keys, new keys of every type, and what GGUF cannot hold.

mod formats_support;

use std::fs;
use std::path::Path;

use fewerbits::DType;
use fewerbits::formats::gguf::write::{NewValue, Pair, Piece, Tensor, Written, copied, header};
use fewerbits::formats::gguf::{Value, ValueType};
use fewerbits::formats::{Listing, Step};
use fewerbits::pipeline::job;
use fewerbits::plan::{Model, Request, plan};
use formats_support::{Gguf, assert_error, exercise, list, step_claimed};

fn corpus(name: &str) -> Vec<u8> {
    fs::read(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/gguf").join(name)).unwrap()
}

fn tensors(listing: &Listing) -> Vec<Tensor<'_>> {
    listing.tensors.iter().map(|t| Tensor { name: &t.name, dtype: t.dtype, dims: t.shape.dims() }).collect()
}

/// The header's bytes, where `source` is the file that keys are copied from.
fn head(written: &Written, source: &[u8]) -> Vec<u8> {
    let bytes = |piece: &Piece| match piece {
        Piece::Bytes(bytes) => bytes.clone(),
        Piece::Source(range) => source[range.start as usize..range.end as usize].to_vec(),
    };
    written.head.iter().flat_map(bytes).collect()
}

/// The file that a header promises, with this data in each tensor.
fn file(written: &Written, source: &[u8], data: impl Fn(usize) -> Vec<u8>) -> Vec<u8> {
    let mut file = head(written, source);
    for (i, place) in written.tensors.iter().enumerate() {
        assert!(file.len() as u64 <= place.start);
        file.resize(place.start as usize, 0);
        file.extend(data(i));
        assert_eq!(file.len() as u64, place.end);
    }
    assert!(file.len() as u64 <= written.file_len && written.file_len - (file.len() as u64) < 256);
    file.resize(written.file_len as usize, 0);
    file
}

#[test]
fn a_file_of_the_corpus_copied_key_by_key_is_the_same_file() {
    for name in ["types.gguf", "keys.gguf", "aligned.gguf"] {
        let original = corpus(name);
        let listing = list(&original).unwrap();
        let parsed = listing.gguf.as_ref().unwrap();
        let raw = |range: &std::ops::Range<u64>| &original[range.start as usize..range.end as usize];
        let pairs: Vec<_> = parsed.keys.iter().map(Pair::Copied).collect();
        let written = header(&pairs, &tensors(&listing)).unwrap();
        assert_eq!(written.head.len(), 3, "what lies together is copied together");
        let copy = file(&written, &original, |i| raw(&listing.tensors[i].bytes).to_vec());
        assert_eq!(copy, original, "{name}");
    }
}

#[test]
fn a_quantized_copy_keeps_every_key_and_says_what_it_is() {
    let original = corpus("aligned.gguf");
    let listing = list(&original).unwrap();
    let parsed = listing.gguf.as_ref().unwrap();
    let pairs = copied(parsed, 15);
    let changed = [
        Tensor { name: "a", dtype: DType::Q4_K, dims: &[2, 256] },
        Tensor { name: "b", dtype: DType::F16, dims: &[5] },
    ];
    let written = header(&pairs, &changed).unwrap();
    let second = file(&written, &original, |i| vec![0; [288, 10][i]]);
    let copy = list(&second).unwrap();
    let again = copy.gguf.as_ref().unwrap();
    assert_eq!((again.version, again.alignment), (3, 256));
    assert_eq!(again.integer("general.file_type"), Some(15));
    assert_eq!(again.integer("general.quantization_version"), Some(2));
    assert_eq!(again.architecture(), Some("aligned"));
    assert_eq!(again.keys.len(), parsed.keys.len() + 2);
    assert_eq!(copy.tensors[1].bytes.start, copy.tensors[0].bytes.start + 512);
    assert_eq!(written.file_len, copy.tensors[1].bytes.start + 256, "the last tensor is padded too");
    // Once more: keys that are there already change in their place.
    let third = header(&copied(again, 7), &changed).unwrap();
    let third = file(&third, &second, |i| vec![0; [288, 10][i]]);
    assert_eq!(third.len(), second.len());
    assert_eq!(list(&third).unwrap().gguf.unwrap().integer("general.file_type"), Some(7));
}

#[test]
fn a_model_in_several_files_becomes_one() {
    let split = [
        Pair::New("split.no", NewValue::U32(1)),
        Pair::New("split.count", NewValue::U32(2)),
        Pair::New("split.tensors.count", NewValue::I32(2)),
        Pair::New("general.architecture", NewValue::Text("llama".into())),
    ];
    let written = header(&split, &[]).unwrap();
    let listing = list(&head(&written, &[])).unwrap();
    let pairs = copied(listing.gguf.as_ref().unwrap(), 1);
    let names: Vec<_> = pairs.iter().map(Pair::name).collect();
    assert_eq!(names, ["general.architecture", "general.quantization_version", "general.file_type"]);
}

#[test]
fn new_keys_of_every_type_read_as_they_were_given() {
    let texts = vec!["a".to_owned(), String::new(), "名前".to_owned()];
    let pairs = [
        Pair::New("u", NewValue::U32(u32::MAX)),
        Pair::New("i", NewValue::I32(-5)),
        Pair::New("f", NewValue::F32(1e-5)),
        Pair::New("b", NewValue::Bool(true)),
        Pair::New("t", NewValue::Text("x".into())),
        Pair::New("ts", NewValue::Texts(texts)),
        Pair::New("is", NewValue::I32s(vec![1, -1])),
        Pair::New("fs", NewValue::F32s(vec![0.5, -2.0])),
        Pair::New("t", NewValue::Text("later".into())),
    ];
    let listing = exercise(&head(&header(&pairs, &[]).unwrap(), &[])).unwrap();
    let parsed = listing.gguf.as_ref().unwrap();
    let order: Vec<_> = parsed.keys.iter().map(|key| key.name.as_str()).collect();
    assert_eq!(order, ["u", "i", "f", "b", "t", "ts", "is", "fs"]);
    assert_eq!(parsed.get("u"), Some(&Value::Unsigned(ValueType::U32, u64::from(u32::MAX))));
    assert_eq!(parsed.get("i"), Some(&Value::Signed(ValueType::I32, -5)));
    assert_eq!(parsed.get("f"), Some(&Value::F32(1e-5)));
    assert_eq!(parsed.get("b"), Some(&Value::Bool(true)));
    assert_eq!(parsed.text("t"), Some("later"));
    let shown = |key: &str| listing.metadata.iter().find(|(k, _)| k == key).unwrap().1.as_str();
    assert_eq!(shown("f"), "0.00001");
    assert_eq!(shown("ts"), r#"["a", "", "名前"]"#);
    assert_eq!(shown("is"), "[1, -1]");
    assert_eq!(shown("fs"), "[0.5, -2]");
}

#[test]
fn refuses_what_gguf_cannot_hold() {
    let one = |name: &str, dtype: DType, dims: &[u64]| header(&[], &[Tensor { name, dtype, dims }]);
    let long = "n".repeat(64);
    let want = ("unsupported", Some(long.as_str()), None, "at most 63 bytes", "64 bytes");
    assert_error(one(&long, DType::F32, &[1]), want);
    assert_error(one("w", DType::F32, &[1; 5]), ("unsupported", Some("w"), None, "at most 4", "[1, 1, 1, 1, 1]"));
    assert_error(one("w", DType::F8E4M3, &[1]), ("unsupported", Some("w"), None, "", "F8_E4M3"));
    let want = ("unsupported", Some("w"), None, "a multiple of 256 elements for Q4_K", "384 elements");
    assert_error(one("w", DType::Q4_K, &[2, 384]), want);
    let want = ("unsupported", Some("w"), None, "a multiple of 32 elements for Q8_0", "1 elements");
    assert_error(one("w", DType::Q8_0, &[]), want);
    let want = ("unsupported", Some("w"), None, "", "[4294967296, 4294967296]");
    assert_error(one("w", DType::F32, &[1 << 32, 1 << 32]), want);
    let tensor = Tensor { name: "w", dtype: DType::F32, dims: &[1] };
    assert_error(header(&[], &[tensor, tensor]), ("unsupported", Some("w"), None, "unique names", ""));
    let big = Tensor { name: "a", dtype: DType::I8, dims: &[(1 << 61) - 1] };
    let names: Vec<String> = (0..9).map(|i| i.to_string()).collect();
    let many: Vec<_> = names.iter().map(|name| Tensor { name, ..big }).collect();
    assert_error(header(&[], &many), ("unsupported", Some("7"), None, "", "[2305843009213693951]"));
}

#[test]
fn refuses_keys_that_cannot_be_written() {
    let pair = |name: &'static str, value: NewValue| header(&[Pair::New(name, value)], &[]);
    let want = ("invalid_argument", None, None, "a name of 1 to 65535 bytes", "0 bytes");
    assert_error(pair("", NewValue::U32(1)), want);
    let expected = "a power of two as u32 in general.alignment";
    for value in [NewValue::U32(0), NewValue::U32(24), NewValue::I32(32), NewValue::Text("32".into())] {
        assert_error(pair("general.alignment", value), ("invalid_argument", None, None, expected, ""));
    }
    let want = ("unsupported", None, None, "at most 1048576", "2147483648");
    assert_error(pair("general.alignment", NewValue::U32(1 << 31)), want);
}

#[test]
fn refuses_a_gguf_file_of_little_but_padding() {
    // Tensors of 4 bytes, each at its megabyte: the most that a file may align by.
    let padded = |tensors: u64| {
        let mut file = Gguf::default().key("general.alignment", 4, &(1u32 << 20).to_le_bytes());
        for i in 0..tensors {
            file = file.tensor(&format!("t{i}"), &[1], 0, i << 20);
        }
        let Step::Done(listing) = step_claimed(&file.header(), (tensors + 1) << 20).unwrap() else { unreachable!() };
        let model = Model::of(vec![listing]);
        let request: Request = serde_json::from_str(r#"{"to":"gguf"}"#).unwrap();
        job(&model, &plan(&model, &request).unwrap())
    };
    let job = padded(64).unwrap();
    assert_eq!(job.files[0].byte_len, 65 << 20);
    assert_eq!(job.files[0].segments.iter().map(|s| s.content.byte_len()).sum::<u64>(), 65 << 20);
    let expected = "at most 67108864 bytes between the tensors";
    assert_error(padded(65).map(|job| job.files.len()), ("unsupported", None, None, expected, "68157180 bytes"));
}
