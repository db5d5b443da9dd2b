//! The index of shards, and files that are something else: each named for what it is.

mod formats_support;

use formats_support::{assert_error, list, safetensors, shards, step_claimed};

#[test]
fn an_index_gives_the_file_of_every_tensor() {
    let index = shards(
        br#" {"metadata": {"total_size": 12, "nested": [{"a": null}]},
             "weight_map": {"b": "model-00002-of-00002.safetensors", "a": "model-00001-of-00002.safetensors",
                            "c": "model-00001-of-00002.safetensors"}}
        "#,
    )
    .unwrap();
    assert_eq!(index.weight_map["b"], "model-00002-of-00002.safetensors");
    assert_eq!(index.files(), ["model-00001-of-00002.safetensors", "model-00002-of-00002.safetensors"]);
}

#[test]
fn refuses_a_shard_that_does_not_lie_beside_the_index() {
    for name in [
        "../x.safetensors",
        "..",
        ".",
        "",
        "a/b.safetensors",
        "/x.safetensors",
        "a\\b",
        "C:x",
        "https://x",
        "%2e%2e%2fx",
        "x?y",
        "x#y",
        " x",
        "x\u{0}",
        "x..y",
    ] {
        let index = serde_json::json!({"weight_map": {"w": name}}).to_string();
        let expected = "a file name without separators or '..'";
        assert_error(shards(index.as_bytes()), ("malformed", Some("w"), None, expected, &format!("{name:?}")));
    }
}

#[test]
fn refuses_an_index_that_says_a_thing_twice() {
    let want = ("malformed", None, Some(25), "unique keys", "\"a\"");
    assert_error(shards(br#"{"weight_map":{"a":"x","a":"y"}}"#), want);
    let want = ("malformed", None, Some(35), "unique keys", "\"weight_map\"");
    assert_error(shards(br#"{"weight_map":{"a":"x"},"weight_map":{"b":"y"}}"#), want);
}

#[test]
fn refuses_json_that_is_not_an_index() {
    let want = ("unknown_format", None, None, "an object with weight_map", "no weight_map");
    assert_error(shards(br#"{"architectures":["X"]}"#), want);
    let want = ("malformed", None, None, "at least one tensor in weight_map", "none");
    assert_error(shards(br#"{"weight_map":{}}"#), want);
    assert_error(shards(br#"{"weight_map":{"a":1}}"#), ("malformed", None, Some(19), "a string", "integer `1`"));
    assert_error(shards(b"{\"a\": "), ("malformed", None, Some(5), "", "EOF while parsing a value"));
    let want = ("unknown_format", None, Some(0), "at most 100000000 bytes", "100000001 bytes");
    assert_error(step_claimed(b"{  \"weight_map\"", 100_000_001), want);
    let deep = format!("{{\"x\":{}", "[".repeat(100_000));
    assert_eq!(shards(deep.as_bytes()).unwrap_err().expected.as_deref(), Some("at most 64 levels"));
}

#[test]
fn truncation_of_an_index_at_every_byte_is_an_error() {
    let text = br#"{"metadata":{"total_size":12},"weight_map":{"a":"x.safetensors"}}"#;
    shards(text).unwrap();
    for cut in 0..text.len() {
        assert!(step_claimed(&text[..cut], cut as u64).is_err(), "cut at {cut}");
    }
}

#[test]
fn a_foreign_file_is_named_for_what_it_is() {
    let expected = "a safetensors, GGUF, ONNX, npy, npz, PyTorch or Deep Compression file, or an index of shards";
    for (start, code, found) in [
        (
            &b"\x80\x02\x8a\x0al\xfc\x9cF\xf9 j\xa8P\x19."[..],
            "unsupported",
            "a Python pickle (an old PyTorch checkpoint)",
        ),
        (b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\x03", "unsupported", "a gzip archive"),
        (b"\x28\xb5\x2f\xfd\x04\x00\x00\x00\x00\x00", "unsupported", "a zstd archive"),
        (b"\x89HDF\r\n\x1a\n\x00\x00", "unsupported", "an HDF5 file (Keras)"),
        (b"\x1c\x00\x00\x00TFL3\x14\x00", "unsupported", "a TensorFlow Lite model"),
        (b"<!DOCTYPE html>\n<html>", "unknown_format", "a web page"),
        (b"\xef\xbb\xbf\n <HTML lang='en'>", "unknown_format", "a web page"),
        (b"<?xml version='1.0'?><Error><Code>AccessDenied</Code></Error>", "unknown_format", "a web page"),
        (
            b"version https://git-lfs.github.com/spec/v1\noid sha256:4d7a\nsize 12345\n",
            "unknown_format",
            "a Git LFS pointer",
        ),
        (b"%PDF-1.7\n....", "unknown_format", "a PDF document"),
    ] {
        assert_error(list(start), (code, None, Some(0), expected, found));
    }
}

#[test]
fn an_unknown_file_shows_how_it_begins() {
    let expected = "a safetensors, GGUF, ONNX, npy, npz, PyTorch or Deep Compression file, or an index of shards";
    let known = |start: &[u8], found: &str| {
        assert_error(list(start), ("unknown_format", None, Some(0), expected, found));
    };
    known(b"", "no bytes");
    known(b"hello", "\"hello\"");
    known(b"hello world, this is text", "\"hello world, thi\"");
    known(b"abcdefgh{", "\"abcdefgh{\"");
    known(
        &[0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16],
        "00 01 02 03 04 05 06 07 08 09 0a 0b 0c 0d 0e 0f",
    );
}

/// The first bytes of a safetensors file are a length, and may look like anything.
#[test]
fn a_header_length_that_looks_like_a_magic_is_still_safetensors() {
    for length in [0x8b1fusize, 0x0280, 0x0380, 0x0480, 0x12_0708, 0x0a7b, 0x7b22] {
        let header = format!("{{}}{}", " ".repeat(length - 2));
        assert_eq!(list(&safetensors(header, 0)).unwrap().tensors, [], "{length}");
    }
}
