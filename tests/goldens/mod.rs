//! Reads the golden files. What they hold and how they were made: README.md.

#![allow(dead_code, reason = "each test file uses its own part")]

use std::path::PathBuf;

use serde_json::Value;

/// The cases of `tests/goldens/<topic>.jsonl`.
pub fn cases(topic: &str) -> Vec<Value> {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join(format!("tests/goldens/{topic}.jsonl"));
    let text = std::fs::read_to_string(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
    let case = |line| serde_json::from_str(line).unwrap_or_else(|e| panic!("{}: {e}: {line}", path.display()));
    text.lines().map(case).collect()
}

/// Floats from the hex digits of their bits.
pub fn f32s(field: &Value) -> Vec<f32> {
    let digits = field.as_str().expect("a string of hex digits");
    assert_eq!(digits.len() % 8, 0, "eight hex digits per value");
    let bits = digits.as_bytes().chunks_exact(8).map(|d| std::str::from_utf8(d).expect("ASCII"));
    bits.map(|d| f32::from_bits(u32::from_str_radix(d, 16).expect("hex digits"))).collect()
}

/// Bytes from hex digits.
pub fn bytes(field: &Value) -> Vec<u8> {
    let digits = field.as_str().expect("a string of hex digits").as_bytes().chunks_exact(2);
    digits.map(|d| u8::from_str_radix(std::str::from_utf8(d).expect("ASCII"), 16).expect("hex digits")).collect()
}

/// Bytes from base64 with padding.
pub fn base64(field: &Value) -> Vec<u8> {
    let digit = |d: u8| match d {
        b'A'..=b'Z' => d - b'A',
        b'a'..=b'z' => d - b'a' + 26,
        b'0'..=b'9' => d - b'0' + 52,
        b'+' => 62,
        b'/' => 63,
        _ => panic!("not base64: {d}"),
    };
    let text = field.as_str().expect("a string of base64").trim_end_matches('=').as_bytes();
    let quads = text.chunks(4).flat_map(|quad| {
        let bits = quad.iter().fold(0_u32, |bits, &d| bits << 6 | u32::from(digit(d))) << (6 * (4 - quad.len()));
        bits.to_be_bytes().into_iter().skip(1).take(quad.len() * 3 / 4)
    });
    quads.collect()
}

/// Whole numbers.
pub fn ints(field: &Value) -> Vec<i64> {
    field.as_array().expect("an array").iter().map(|v| v.as_i64().expect("a whole number")).collect()
}

/// A safetensors file of the shipped sample: `(dtype, shape, bytes)` of a tensor. It trusts the file.
pub fn sample_tensor(file: &str, name: &str) -> (String, Vec<usize>, Vec<u8>) {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("www/public/models").join(file);
    let raw = std::fs::read(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
    let header_len = u64::from_le_bytes(raw[..8].try_into().unwrap()) as usize;
    let (header, data) = raw[8..].split_at(header_len);
    let header: Value = serde_json::from_slice(header).expect("a JSON header");
    let entry = &header[name];
    let [from, to] = ints(&entry["data_offsets"])[..] else { panic!("no tensor {name} in {file}") };
    let shape = ints(&entry["shape"]).into_iter().map(|d| d as usize).collect();
    (entry["dtype"].as_str().unwrap().to_owned(), shape, data[from as usize..to as usize].to_vec())
}

/// The values of an F32 tensor of the shipped sample.
pub fn sample_f32(file: &str, name: &str) -> Vec<f32> {
    let (dtype, _, bytes) = sample_tensor(file, name);
    assert_eq!(dtype, "F32");
    bytes.chunks_exact(4).map(|b| f32::from_le_bytes(b.try_into().unwrap())).collect()
}
