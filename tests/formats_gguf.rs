//! GGUF: what PyPI's gguf wrote (`tests/data/gguf_files.py`), as it says it; every rule that a file can break, with the exact error; and headers
//! too large to be held.

mod formats_support;

use std::fs;
use std::path::{Path, PathBuf};

use fewerbits::DType;
use fewerbits::decode::{decode, unreadable};
use fewerbits::formats::gguf::{Text, Value, ValueType};
use fewerbits::formats::{Format, Listing, Reader, Step};
use formats_support::{Gguf, assert_error, exercise, gguf_array, gguf_text, list, step_claimed};
use serde_json::{Value as Json, json};

const U8: u32 = 0;
const U32: u32 = 4;
const I32: u32 = 5;
const F32: u32 = 6;
const BOOL: u32 = 7;
const TEXT: u32 = 8;
const ARRAY: u32 = 9;
const F64: u32 = 12;

fn corpus() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/gguf")
}

/// CRC-32 of zlib, over little-endian f32 with every NaN the same.
fn crc(values: &[f32]) -> u32 {
    let mut crc = !0u32;
    for v in values {
        let bits = if v.is_nan() { 0x7fc0_0000 } else { v.to_bits() };
        for byte in bits.to_le_bytes() {
            crc ^= u32::from(byte);
            for _ in 0..8 {
                crc = (crc >> 1) ^ (0xedb8_8320 & (crc & 1).wrapping_neg());
            }
        }
    }
    !crc
}

#[test]
fn every_file_of_the_corpus_holds_what_its_writer_says() {
    let expected: Json = serde_json::from_slice(&fs::read(corpus().join("expected.json")).unwrap()).unwrap();
    let expected = expected.as_object().unwrap();
    assert_eq!(expected.len(), 6);
    for (name, want) in expected {
        let file = fs::read(corpus().join(name)).unwrap();
        if let Some(why) = want.get("refused") {
            let error = list(&file).unwrap_err();
            assert_eq!((error.code.as_str(), &error.message), ("unsupported", &why.as_str().unwrap().to_owned()));
            continue;
        }
        let listing = exercise(&file).unwrap_or_else(|| panic!("{name}: {}", list(&file).unwrap_err()));
        assert_eq!(listing.format, Format::Gguf);
        let keys: serde_json::Map<_, _> = listing.metadata.iter().map(|(k, v)| (k.clone(), json!(v))).collect();
        assert_eq!(Json::Object(keys), want["keys"], "{name}");
        assert_eq!(listing.tensors.len(), want["tensors"].as_object().unwrap().len());
        for t in &listing.tensors {
            let want = &want["tensors"][&t.name];
            assert_eq!(
                (&want["dtype"], &want["shape"]),
                (&json!(t.dtype.name()), &json!(t.shape.dims())),
                "{}",
                t.name
            );
            assert_eq!(want["start"], json!(t.bytes.start), "{}", t.name);
            let bytes = &file[t.bytes.start as usize..t.bytes.end as usize];
            if unreadable(t.dtype).is_none() && !want["crc"].is_null() {
                let mut values = vec![0f32; t.shape.count() as usize];
                decode(t.dtype, false, bytes, &mut values).unwrap();
                assert_eq!(want["crc"], json!(crc(&values)), "{}", t.name);
            }
        }
    }
}

#[test]
fn every_type_of_ggml_that_a_file_may_hold_is_in_the_corpus_or_newer() {
    let listing = list(&fs::read(corpus().join("types.gguf")).unwrap()).unwrap();
    let held: Vec<DType> = listing.tensors.iter().map(|t| t.dtype).collect();
    for number in 0..1000 {
        let Some(dtype) = DType::from_ggml(number) else { continue };
        // PyPI's gguf does not know Q2_0 yet; llama.cpp's ggml.h has it as 42.
        assert!(held.contains(&dtype) || dtype == DType::Q2_0, "{}", dtype.name());
    }
    let q2_0 = Gguf::default().tensor("w", &[64, 3], 42, 0).data(54);
    assert_eq!(list(&q2_0.file()).unwrap().tensors[0].dtype, DType::Q2_0);
}

fn parsed(listing: &Listing) -> &fewerbits::formats::gguf::Header {
    listing.gguf.as_ref().expect("a GGUF file has a header")
}

#[test]
fn a_header_gives_values_by_type_and_where_each_pair_lies() {
    let file = fs::read(corpus().join("keys.gguf")).unwrap();
    let listing = list(&file).unwrap();
    let header = parsed(&listing);
    assert_eq!((header.version, header.alignment, header.architecture()), (3, 32, Some("keys")));
    assert_eq!(header.data_start, listing.tensors[0].bytes.start);
    assert_eq!(header.get("a.u8"), Some(&Value::Unsigned(ValueType::U8, 255)));
    assert_eq!(header.get("a.i8"), Some(&Value::Signed(ValueType::I8, -128)));
    assert_eq!(header.get("a.i16"), Some(&Value::Signed(ValueType::I16, -32768)));
    assert_eq!(header.get("a.i64"), Some(&Value::Signed(ValueType::I64, i64::MIN)));
    assert_eq!(header.get("a.f64"), Some(&Value::F64(0.1)));
    assert_eq!(header.get("a.bool"), Some(&Value::Bool(true)));
    assert_eq!(header.integer("a.u32"), Some(4_294_967_295));
    assert_eq!(header.integer("a.u64"), None, "more than 63 bits");
    assert_eq!(header.integer("a.text"), None);
    assert_eq!(header.first_integer("b.layers"), Some(0));
    let Some(Value::Array(layers)) = header.get("b.layers") else { panic!("an array") };
    assert_eq!((layers.of, layers.len, layers.integers[39]), (ValueType::I32, 40, 39));
    for key in &header.keys {
        let pair = &file[key.bytes.start as usize..key.bytes.end as usize];
        let name = gguf_text(&key.name);
        assert_eq!(&pair[..name.len()], name);
        let alone = Gguf { keys: vec![pair.to_vec()], ..Gguf::default() };
        let listing = list(&alone.file()).unwrap();
        assert_eq!(parsed(&listing).keys[0].value, key.value, "a pair taken from its range reads the same");
    }
}

#[test]
fn shapes_are_turned_and_a_tensor_without_dimensions_is_a_scalar() {
    let file = Gguf::default().tensor("a", &[32, 2, 3, 5], 2, 0).tensor("s", &[], 0, 544).data(544 + 4);
    let listing = exercise(&file.file()).unwrap();
    assert_eq!(listing.tensors[0].shape.dims(), [5, 3, 2, 32]);
    assert!(listing.tensors[1].shape.dims().is_empty());
    let start = listing.tensors[0].bytes.start;
    assert_eq!(listing.tensors[0].bytes, start..start + 540);
    assert_eq!(listing.tensors[1].bytes, start + 544..start + 548);
}

#[test]
fn the_padding_after_the_last_tensor_may_be_missing_and_more_may_follow() {
    let file = Gguf::default().tensor("w", &[3], 0, 0);
    assert_eq!(exercise(&file.clone().data(12).file()).unwrap().tensors.len(), 1);
    assert_eq!(exercise(&file.clone().data(32).file()).unwrap().tensors.len(), 1);
    assert_eq!(exercise(&file.data(100).file()).unwrap().tensors.len(), 1);
}

#[test]
fn a_header_without_end_is_not_followed() {
    let text = Gguf::default().key("k", TEXT, &(1u64 << 40).to_le_bytes()).key("l", U8, &[1]).file();
    let want = ("unsupported", None, Some((1 << 40) + 45), "at most 268435456 bytes", "more");
    assert_error(step_claimed(&text, 1 << 41), want);
    let strings = Gguf::default().key("k", ARRAY, &gguf_array(TEXT, (4 << 20) + 1, &[])).file();
    assert_error(step_claimed(&strings, 1 << 40), ("unsupported", None, Some(41), "at most 4194304", "4194305"));
}

/// A file with other bytes at an offset.
fn patched(file: Vec<u8>, at: usize, bytes: &[u8]) -> Vec<u8> {
    let mut file = file;
    file[at..at + bytes.len()].copy_from_slice(bytes);
    file
}

type Case<'a> = (&'a str, Vec<u8>, formats_support::Facts<'a>);

fn check_all(cases: Vec<Case<'_>>) {
    for (name, file, want) in cases {
        println!("{name}");
        assert_error(list(&file), want);
    }
}

#[test]
fn refuses_versions_it_cannot_read() {
    let with = |version: u32| Gguf { version, ..Gguf::default() }.file();
    let expected = "GGUF version 2 or 3, little-endian";
    check_all(vec![
        ("version 0", with(0), ("unsupported", None, Some(4), expected, "version 0")),
        ("version 1", with(1), ("unsupported", None, Some(4), expected, "version 1")),
        ("version 4", with(4), ("unsupported", None, Some(4), expected, "version 4")),
        ("big-endian 3", with(3 << 24), ("unsupported", None, Some(4), expected, "version 3, big-endian")),
        ("big-endian 2", with(2 << 24), ("unsupported", None, Some(4), expected, "version 2, big-endian")),
        ("the largest", with(u32::MAX), ("unsupported", None, Some(4), expected, "version 4294967295")),
    ]);
    let error = list(&with(3 << 24)).unwrap_err();
    assert_eq!(error.message, "big-endian GGUF files cannot be read");
}

#[test]
fn refuses_counts_that_the_file_has_no_room_for() {
    let g = Gguf::default();
    let counts = |tensors: u64, keys: u64, room: usize| [g.counts(tensors, keys), vec![0; room]].concat();
    check_all(vec![
        (
            "tensors, 2^64 - 1",
            counts(u64::MAX, 0, 0),
            ("truncated", None, Some(8), "at most 0", "18446744073709551615"),
        ),
        ("tensors, 2^63", counts(1 << 63, 0, 48), ("truncated", None, Some(8), "at most 2", "9223372036854775808")),
        ("tensors, one too many", counts(3, 0, 71), ("truncated", None, Some(8), "at most 2", "3")),
        ("keys, 2^64 - 1", counts(0, u64::MAX, 0), ("truncated", None, Some(16), "at most 0", "18446744073709551615")),
        ("keys, 2^31", counts(0, 1 << 31, 29), ("truncated", None, Some(16), "at most 2", "2147483648")),
        ("keys, one too many", counts(0, 3, 41), ("truncated", None, Some(16), "at most 2", "3")),
    ]);
    let start = g.counts(262_145, 0);
    let want = ("unsupported", None, Some(8), "at most 262144", "262145");
    assert_error(step_claimed(&start, 1 << 40), want);
    let start = g.counts(0, 65_537);
    assert_error(step_claimed(&start, 1 << 40), ("unsupported", None, Some(16), "at most 65536", "65537"));
}

#[test]
fn refuses_keys_that_break_a_rule() {
    let key = |name: &str, kind: u32, value: &[u8]| Gguf::default().key(name, kind, value).file();
    let long = "k".repeat(65_536);
    let two = |a: &str, b: &str| Gguf::default().key(a, U8, &[1]).key(b, U32, &[2, 0, 0, 0]).file();
    let zeros = [0; 64];
    let array = |of: u32, len: u64, values: &[u8]| key("k", ARRAY, &gguf_array(of, len, values));
    let huge_text = |len: u64| key("k", TEXT, &[&len.to_le_bytes()[..], &zeros].concat());
    check_all(vec![
        ("no name", key("", U8, &[1, 0]), ("malformed", None, Some(24), "1 to 65535 bytes", "0 bytes")),
        ("a long name", key(&long, U8, &[1]), ("malformed", None, Some(24), "at most 65535 bytes", "65536 bytes")),
        (
            "a name of 2^64 - 1 bytes",
            patched(key("k", U8, &[1]), 24, &u64::MAX.to_le_bytes()),
            ("malformed", None, Some(24), "at most 65535 bytes", "18446744073709551615 bytes"),
        ),
        (
            "a name that is not UTF-8",
            patched(key("kkk", U8, &[1]), 33, &[0xff]),
            ("malformed", None, Some(33), "UTF-8 text", "byte 0xff"),
        ),
        ("a name twice", two("k", "k"), ("malformed", None, Some(38), "unique keys", "\"k\"")),
        ("type 13", key("k", 13, &zeros), ("malformed", None, Some(33), "0 to 12", "13")),
        ("the largest type", key("k", u32::MAX, &zeros), ("malformed", None, Some(33), "0 to 12", "4294967295")),
        ("an array of type 13", array(13, 1, &zeros), ("malformed", None, Some(37), "0 to 12", "13")),
        (
            "an array of arrays",
            array(ARRAY, 1, &gguf_array(U8, 1, &[1])),
            ("malformed", None, Some(37), "elements that are no arrays", "arrays"),
        ),
        (
            "an empty array of arrays",
            array(ARRAY, 0, &[]),
            ("malformed", None, Some(37), "elements that are no arrays", "arrays"),
        ),
        (
            "an array too long",
            array(U32, 17, &zeros),
            ("truncated", None, Some(41), "at most 64 bytes", "an array of 17 integers"),
        ),
        (
            "an array whose bytes wrap",
            array(F64, 1 << 61, &zeros),
            ("truncated", None, Some(41), "at most 64 bytes", "an array of 2305843009213693952 floats"),
        ),
        (
            "an array of 2^64 - 1 truth values",
            array(BOOL, u64::MAX, &zeros),
            ("truncated", None, Some(41), "at most 64 bytes", "an array of 18446744073709551615 truth values"),
        ),
        (
            "more strings than lengths fit",
            array(TEXT, 9, &zeros),
            ("truncated", None, Some(41), "at most 64 bytes", "an array of 9 strings"),
        ),
        (
            "strings whose count wraps",
            array(TEXT, 1 << 61, &zeros),
            ("truncated", None, Some(41), "at most 64 bytes", "an array of 2305843009213693952 strings"),
        ),
        (
            "a string of an array too long",
            array(TEXT, 2, &[&gguf_text("ab")[..], &100u64.to_le_bytes(), &[0; 8]].concat()),
            ("truncated", None, Some(59), "at most 8 bytes", "a text of 100 bytes"),
        ),
        (
            "a string of an array of 2^64 - 1 bytes",
            array(TEXT, 1, &[&u64::MAX.to_le_bytes()[..], &[0; 8]].concat()),
            ("truncated", None, Some(49), "at most 8 bytes", "a text of 18446744073709551615 bytes"),
        ),
        ("a text too long", huge_text(65), ("truncated", None, Some(37), "at most 64 bytes", "a text of 65 bytes")),
        (
            "a text of 2^64 - 1 bytes",
            huge_text(u64::MAX),
            ("truncated", None, Some(37), "at most 64 bytes", "a text of 18446744073709551615 bytes"),
        ),
        (
            "a text whose end wraps",
            huge_text(u64::MAX - 44),
            ("truncated", None, Some(37), "at most 64 bytes", "a text of 18446744073709551571 bytes"),
        ),
    ]);
    // The message names the key.
    let error = list(&array(13, 1, &zeros)).unwrap_err();
    assert_eq!(error.message, "the key \"k\": its elements' type is not known");
}

#[test]
fn refuses_alignments_that_are_none() {
    let with = |kind: u32, value: &[u8]| {
        Gguf::default().key("general.alignment", kind, value).tensor("w", &[8], 0, 0).data(64).file()
    };
    let expected = "a power of two as u32 in general.alignment";
    check_all(vec![
        ("0", with(U32, &[0; 4]), ("malformed", None, Some(53), expected, "0")),
        ("3", with(U32, &3u32.to_le_bytes()), ("malformed", None, Some(53), expected, "3")),
        ("33", with(U32, &33u32.to_le_bytes()), ("malformed", None, Some(53), expected, "33")),
        ("the largest", with(U32, &[255; 4]), ("malformed", None, Some(53), expected, "4294967295")),
        ("an i32", with(I32, &32u32.to_le_bytes()), ("malformed", None, Some(49), expected, "type 5")),
        ("text", with(TEXT, &gguf_text("32")), ("malformed", None, Some(49), expected, "type 8")),
        (
            "an array",
            with(ARRAY, &gguf_array(U32, 1, &[32, 0, 0, 0])),
            ("malformed", None, Some(49), expected, "type 9"),
        ),
        (
            "2^31, which the file does not reach",
            with(U32, &(1u32 << 31).to_le_bytes()),
            ("truncated", Some("w"), Some(1 << 31), "32 bytes for F32 [8]", "0 bytes"),
        ),
    ]);
    let one = Gguf { alignment: 1, ..Gguf::default() };
    let one = one.key("general.alignment", U32, &1u32.to_le_bytes()).tensor("a", &[3], 24, 0).tensor("b", &[1], 0, 3);
    let listing = exercise(&one.data(7).file()).unwrap();
    assert_eq!(listing.tensors[1].bytes.start, listing.tensors[0].bytes.end, "an alignment of 1 pads nothing");
}

#[test]
fn refuses_tensors_that_break_a_rule() {
    let g = Gguf::default;
    let tensor = |ne: &[u64], kind: u32| g().tensor("w", ne, kind, 0).data(1024).file();
    let name = "n".repeat(64);
    let longest = "n".repeat(63);
    assert_eq!(list(&g().tensor(&longest, &[1], 0, 0).data(4).file()).unwrap().tensors[0].name, longest);
    // After the counts: a name of one letter ends at 33.
    let (dims, kind) = (33, |n: u64| Some(33 + 4 + 8 * n));
    let elements = "fewer than 2^63 elements";
    let types = "a type of ggml that files may hold";
    let unknown = |number: u32, found: &'static str| {
        ("unknown", tensor(&[32], number), ("unsupported", Some("w"), kind(1), types, found))
    };
    check_all(vec![
        (
            "a name of 64 bytes",
            g().tensor(&name, &[1], 0, 0).data(4).file(),
            ("malformed", None, Some(24), "at most 63 bytes", "64 bytes"),
        ),
        (
            "a name of 2^64 - 1 bytes",
            patched(tensor(&[1], 0), 24, &u64::MAX.to_le_bytes()),
            ("malformed", None, Some(24), "at most 63 bytes", "18446744073709551615 bytes"),
        ),
        (
            "a name that is not UTF-8",
            patched(tensor(&[1], 0), 32, &[0xc0]),
            ("malformed", None, Some(32), "UTF-8 text", "byte 0xc0"),
        ),
        (
            "a name twice",
            g().tensor("w", &[8], 0, 0).tensor("w", &[8], 0, 32).data(64).file(),
            ("malformed", Some("w"), Some(57), "unique names", "\"w\""),
        ),
        ("5 dimensions", tensor(&[1; 5], 0), ("malformed", Some("w"), Some(dims), "at most 4", "5")),
        (
            "2^32 - 1 dimensions",
            patched(tensor(&[1], 0), 33, &[255; 4]),
            ("malformed", Some("w"), Some(dims), "at most 4", "4294967295"),
        ),
        (
            "a dimension of 2^63",
            tensor(&[1 << 63], 0),
            ("malformed", Some("w"), Some(dims), elements, "[9223372036854775808]"),
        ),
        (
            "a product that wraps to 0",
            tensor(&[1 << 32, 1 << 32], 0),
            ("malformed", Some("w"), Some(dims), elements, "[4294967296, 4294967296]"),
        ),
        (
            "a product that wraps behind a zero",
            tensor(&[1 << 32, 0, 1 << 32], 0),
            ("malformed", Some("w"), Some(dims), elements, "[4294967296, 0, 4294967296]"),
        ),
        (
            "a product of 2^63",
            tensor(&[1 << 31, 1 << 32], 24),
            ("malformed", Some("w"), Some(dims), elements, "[4294967296, 2147483648]"),
        ),
        (
            "bytes that wrap",
            tensor(&[1 << 62], 28),
            ("malformed", Some("w"), Some(dims), "fewer than 2^61 bytes", "4611686018427387904 elements of F64"),
        ),
        unknown(4, "type 4 (Q4_2, which ggml dropped)"),
        unknown(5, "type 5 (Q4_3, which ggml dropped)"),
        unknown(9, "type 9 (Q8_1, which only exists while ggml computes)"),
        unknown(31, "type 31 (a rearranged Q4_0, which ggml dropped)"),
        unknown(33, "type 33 (a rearranged Q4_0, which ggml dropped)"),
        unknown(36, "type 36 (a rearranged IQ4_NL, which ggml dropped)"),
        unknown(43, "type 43"),
        unknown(u32::MAX, "type 4294967295"),
        (
            "a row that is no whole block of 32",
            tensor(&[48, 2], 2),
            ("malformed", Some("w"), Some(dims), "a multiple of 32 elements for Q4_0", "48 elements"),
        ),
        (
            "a row that is no whole block of 256, though the tensor is",
            tensor(&[128, 2], 12),
            ("malformed", Some("w"), Some(dims), "a multiple of 256 elements for Q4_K", "128 elements"),
        ),
        (
            "a scalar in blocks",
            tensor(&[], 8),
            ("malformed", Some("w"), Some(dims), "a multiple of 32 elements for Q8_0", "1 elements"),
        ),
    ]);
}

#[test]
fn refuses_offsets_that_are_not_the_padded_sum() {
    let two =
        |a: u64, b: u64, data: usize| Gguf::default().tensor("a", &[3], 0, a).tensor("b", &[3], 0, b).data(data).file();
    // The first states its offset at 49, the second at 82; the data begins at 96.
    let long = |data: usize| Gguf::default().tensor("a", &[1 << 61], 24, 0).data(data).file();
    check_all(vec![
        ("a first one not at 0", two(32, 64, 128), ("malformed", Some("a"), Some(49), "an offset of 0", "32")),
        ("a gap", two(0, 64, 128), ("malformed", Some("b"), Some(82), "an offset of 32", "64")),
        ("an overlap", two(0, 0, 128), ("malformed", Some("b"), Some(82), "an offset of 32", "0")),
        ("no padding between", two(0, 12, 128), ("malformed", Some("b"), Some(82), "an offset of 32", "12")),
        ("an unaligned one", two(0, 33, 128), ("malformed", Some("b"), Some(82), "an offset of 32", "33")),
        ("another order", two(32, 0, 128), ("malformed", Some("a"), Some(49), "an offset of 0", "32")),
        (
            "an offset that wraps",
            two(0, u64::MAX - 31, 128),
            ("malformed", Some("b"), Some(82), "an offset of 32", "18446744073709551584"),
        ),
        ("a short file", two(0, 32, 43), ("truncated", Some("b"), Some(128), "12 bytes for F32 [3]", "11 bytes")),
        ("no data at all", two(0, 32, 0), ("truncated", Some("a"), Some(96), "12 bytes for F32 [3]", "0 bytes")),
        (
            "a tensor of 2^61 bytes",
            long(100),
            ("malformed", Some("a"), Some(33), "fewer than 2^61 bytes", "2305843009213693952 elements of I8"),
        ),
    ]);
    let most = Gguf::default().tensor("a", &[(1 << 61) - 1], 24, 0).data(100).file();
    let want =
        ("truncated", Some("a"), Some(64), "2305843009213693951 bytes for I8 [2305843009213693951]", "100 bytes");
    assert_error(list(&most), want);
    // A file that claims to be as long as numbers go: sums must not wrap.
    let most = Gguf::default().tensor("a", &[(1 << 61) - 1], 24, 0).tensor("b", &[8], 24, 1 << 61).file();
    assert!(matches!(step_claimed(&most, u64::MAX), Ok(Step::Done(_))));
}

/// Eight kinds of items and two tensors; nothing is padded at the end.
fn small() -> Vec<u8> {
    let strings = [gguf_text("a"), gguf_text(""), gguf_text("ccc")].concat();
    Gguf::default()
        .key("general.architecture", TEXT, &gguf_text("llama"))
        .key("general.alignment", U32, &32u32.to_le_bytes())
        .key("x.rate", F32, &0.5f32.to_le_bytes())
        .key("x.tokens", ARRAY, &gguf_array(TEXT, 3, &strings))
        .key("x.scores", ARRAY, &gguf_array(F32, 2, &[0; 8]))
        .key("x.empty", ARRAY, &gguf_array(TEXT, 0, &[]))
        .tensor("a.weight", &[32, 2], 8, 0)
        .tensor("b.weight", &[8, 4], 0, 96)
        .data(96 + 128)
        .file()
}

#[test]
fn truncation_at_every_byte_is_an_error() {
    let file = small();
    assert_eq!(exercise(&file).unwrap().tensors.len(), 2);
    for cut in 0..file.len() {
        let e = list(&file[..cut]).expect_err("a file cut short");
        let code = if cut < 4 { "unknown_format" } else { "truncated" };
        assert_eq!(e.code.as_str(), code, "cut at {cut}: {e}");
    }
    for name in ["types.gguf", "keys.gguf", "aligned.gguf", "version2.gguf"] {
        let file = fs::read(corpus().join(name)).unwrap();
        let end = list(&file).unwrap().tensors.last().unwrap().bytes.end as usize;
        for cut in 0..end {
            assert!(list(&file[..cut]).is_err(), "{name} cut at {cut}");
        }
    }
}

/// Feeds a file to a reader, and says how many bytes were read and in how many pieces.
fn read_in_pieces(len: u64, byte: impl Fn(std::ops::Range<u64>) -> Vec<u8>) -> (Listing, u64, usize) {
    let mut reader = Reader::new(len);
    let (mut read, mut pieces) = (0, 0);
    let mut step = reader.step(&[]).unwrap();
    loop {
        match step {
            Step::Need(range) => {
                read += range.end - range.start;
                pieces += 1;
                assert!(range.end - range.start <= 4 << 20);
                step = reader.step(&byte(range)).unwrap();
            }
            Step::Done(listing) => return (listing, read, pieces),
            Step::Shards(_) => panic!("a listing"),
        }
    }
}

#[test]
fn a_tokenizer_of_megabytes_is_stepped_over() {
    let tokens = 250_000u64;
    let text: Vec<u8> = (0..tokens).flat_map(|i| gguf_text(&format!("token number {i}"))).collect();
    let layers: Vec<u8> = (0..80u32).flat_map(u32::to_le_bytes).collect();
    let file = Gguf::default()
        .key("tokens", ARRAY, &gguf_array(TEXT, tokens, &text))
        .key("scores", ARRAY, &gguf_array(F32, 4_000_000, &vec![0; 16_000_000]))
        .key("template", TEXT, &gguf_text(&"x".repeat(9_000_000)))
        .key("layers", ARRAY, &gguf_array(U32, 80, &layers))
        .key("last", BOOL, &[1])
        .tensor("w", &[8], 0, 0)
        .data(32)
        .file();
    let get = |range: std::ops::Range<u64>| file[range.start as usize..range.end as usize].to_vec();
    let (listing, read, pieces) = read_in_pieces(file.len() as u64, get);
    let shown = |key: &str| &listing.metadata.iter().find(|(k, _)| k == key).unwrap().1;
    assert_eq!(shown("tokens"), "[250000 strings]");
    assert_eq!(shown("scores"), "[4000000 floats]");
    assert_eq!(shown("template"), "[9000000 bytes of text]");
    assert_eq!(shown("layers"), "[80 integers]");
    assert_eq!(parsed(&listing).get("template"), Some(&Value::Text(Text::Long(9_000_000))));
    assert_eq!(listing.tensors.len(), 1);
    // The tokens are read; the scores and the template are not.
    assert!(read < text.len() as u64 + (9 << 20), "{read} bytes read, {pieces} pieces");
    assert!(pieces < 12, "{pieces}");
}

#[test]
fn the_smallest_pieces_give_the_same_listing() {
    // The reader asks for at most what is there: a file that ends at each place makes it ask again.
    let file = small();
    let whole = list(&file).unwrap();
    let padded = [&file[..], &vec![0; 1 << 20]].concat();
    let Step::Done(listing) = step_claimed(&padded, padded.len() as u64).unwrap() else { panic!("a listing") };
    assert_eq!(listing.tensors, whole.tensors);
    // Headers of many lengths, so that every kind of item lies across the end of the first piece.
    for fill in (65_536 - 400)..65_536usize {
        let text = "x".repeat(fill);
        let file = Gguf::default()
            .key("fill", ARRAY, &gguf_array(TEXT, 1, &gguf_text(&text)))
            .key("general.architecture", TEXT, &gguf_text("llama"))
            .key("x.tokens", ARRAY, &gguf_array(TEXT, 3, &[gguf_text("a"), gguf_text("bb"), gguf_text("")].concat()))
            .key("x.scores", ARRAY, &gguf_array(F32, 2, &[0; 8]))
            .tensor("w", &[8, 2], 0, 0)
            .data(64)
            .file();
        let listing = exercise(&file).unwrap();
        let tokens = &listing.metadata.iter().find(|(k, _)| k == "x.tokens").unwrap().1;
        assert_eq!(tokens, r#"["a", "bb", ""]"#, "{fill}");
        assert_eq!(parsed(&listing).architecture(), Some("llama"));
    }
}

#[test]
fn forty_gigabytes_list_without_being_read() {
    let mut g = Gguf::default();
    let (rows, mut at) = (28_672u64, 0u64);
    for i in 0..320 {
        g = g.tensor(&format!("blk.{i}.ffn_up.weight"), &[8192, rows], 12, at);
        at += rows * 8192 / 256 * 144;
    }
    let header = g.file();
    let len = header.len() as u64 + at;
    assert!(len > 40_000_000_000, "{len}");
    let get = |range: std::ops::Range<u64>| {
        let mut bytes = header[header.len().min(range.start as usize)..header.len().min(range.end as usize)].to_vec();
        bytes.resize((range.end - range.start) as usize, 0);
        bytes
    };
    let (listing, read, _) = read_in_pieces(len, get);
    assert_eq!(listing.tensors.len(), 320);
    assert_eq!(listing.tensors[319].bytes.end, len);
    assert!(read <= 64 << 10, "{read}");
}

#[test]
fn strings_that_hold_no_utf8_are_shown_all_the_same() {
    let file = Gguf::default().key("k", TEXT, &[&3u64.to_le_bytes()[..], b"a\xffb"].concat()).file();
    assert_eq!(list(&file).unwrap().metadata[0].1, "a\u{fffd}b");
}

#[test]
fn empty_tensors_take_no_bytes() {
    let file = Gguf::default().tensor("a", &[0, 3], 0, 0).tensor("b", &[2], 0, 0).data(8).file();
    let listing = exercise(&file).unwrap();
    assert_eq!(listing.tensors[0].bytes, listing.tensors[1].bytes.start..listing.tensors[1].bytes.start);
}
