//! The goldens of ggml's formats: inputs made or read, bytes and values compared. What the file holds: goldens/README.md.

#![allow(dead_code, reason = "each test file uses its own part")]

use std::collections::HashMap;

use serde_json::Value;

use crate::goldens;

/// Weights for each checksum of a large input.
const CHUNK: usize = 4096;

/// Writes whole blocks.
pub type Encode = fn(&[f32], &mut [u8]);

/// Reads whole blocks.
pub type Decode = fn(&[u8], &mut [f32]);

/// Blocks of one format, written and read.
pub struct Codec {
    pub name: &'static str,
    /// Weights of a block.
    pub weights: usize,
    /// Bytes of a block.
    pub bytes: usize,
    /// `None` for a format that is only read.
    pub encode: Option<Encode>,
    pub decode: Decode,
}

impl Codec {
    pub fn encode(&self, x: &[f32]) -> Vec<u8> {
        let mut out = vec![0xA5; x.len() / self.weights * self.bytes];
        (self.encode.expect("a format that is written"))(x, &mut out);
        out
    }

    pub fn decode(&self, bytes: &[u8]) -> Vec<f32> {
        let mut out = vec![9.0; bytes.len() / self.bytes * self.weights];
        (self.decode)(bytes, &mut out);
        out
    }
}

/// Holds a codec against every golden of its name; how many there were.
pub fn assert_goldens(codec: &Codec) -> usize {
    let mut inputs: HashMap<String, Vec<f32>> = HashMap::new();
    let mut tested = 0;
    for case in goldens::cases("ggml") {
        let Some(kind) = case["type"].as_str() else {
            inputs.insert(case["name"].as_str().unwrap().to_owned(), weights(&case));
            continue;
        };
        if kind != codec.name {
            continue;
        }
        tested += 1;
        let Some(input) = case["input"].as_str() else {
            assert_random(codec, &case);
            continue;
        };
        let what = format!("{kind} on {input}");
        let x = &inputs[input];
        let checks = |field: &str| goldens::ints(&case[field]).iter().map(|&v| v as u32).collect::<Vec<_>>();
        if case["chunks"].is_null() {
            let bytes = goldens::base64(&case["bytes"]);
            if codec.encode.is_some() && case["undefined"] != true {
                assert_same_blocks(&codec.encode(x), &bytes, codec, x, &what);
            }
            assert_eq!(crc_of_values(&codec.decode(&bytes)), case["values"].as_u64().unwrap() as u32, "values, {what}");
        } else if codec.encode.is_some() {
            let bytes = codec.encode(x);
            let chunk_bytes = CHUNK / codec.weights * codec.bytes;
            let ours: Vec<u32> = bytes.chunks(chunk_bytes).map(crc32).collect();
            assert_eq!(ours, checks("chunks"), "bytes, {what}");
            let ours: Vec<u32> = bytes.chunks(chunk_bytes).map(|bytes| crc_of_values(&codec.decode(bytes))).collect();
            assert_eq!(ours, checks("values"), "values, {what}");
        }
    }
    tested
}

fn assert_random(codec: &Codec, case: &Value) {
    assert_eq!(case["blockLen"], codec.weights, "{}", codec.name);
    assert_eq!(case["blockBytes"], codec.bytes, "{}", codec.name);
    let expected = goldens::ints(&case["values"]);
    let bytes = random_bytes(case["random"].as_u64().unwrap() as u32, expected.len() * codec.bytes);
    for (i, (block, expected)) in bytes.chunks(codec.bytes).zip(expected).enumerate() {
        let values = codec.decode(block);
        assert_eq!(i64::from(crc_of_values(&values)), expected, "{}: random block {i}, {values:?}", codec.name);
    }
}

/// Any bytes.
pub fn random_bytes(seed: u32, count: usize) -> Vec<u8> {
    (0..count as u32).map(|i| (mix(i.wrapping_add(mix(seed))) >> 24) as u8).collect()
}

fn assert_same_blocks(ours: &[u8], theirs: &[u8], codec: &Codec, x: &[f32], what: &str) {
    assert_eq!(ours.len(), theirs.len(), "{what}");
    for (i, (a, b)) in ours.chunks(codec.bytes).zip(theirs.chunks(codec.bytes)).enumerate() {
        assert_eq!(a, b, "{what}, block {i}: {:?}", &x[i * codec.weights..][..codec.weights]);
    }
}

/// The input that a case without a type describes.
fn weights(case: &Value) -> Vec<f32> {
    if !case["weights"].is_null() {
        let bytes = goldens::base64(&case["weights"]);
        return bytes.as_chunks::<4>().0.iter().map(|b| f32::from_le_bytes(*b)).collect();
    }
    let mut x = match case["tensor"].as_str() {
        Some(name) => goldens::sample_f32("digits.safetensors", name),
        None => {
            let number = |field: &str| case[field].as_u64().unwrap() as u32;
            generated(case["generated"].as_str().unwrap(), number("seed"), number("count"))
        }
    };
    x.truncate(x.len() / CHUNK * CHUNK);
    let bytes: Vec<u8> = x.iter().flat_map(|x| x.to_le_bytes()).collect();
    assert_eq!(u64::from(crc32(&bytes)), case["crc"].as_u64().unwrap(), "the input {}", case["name"]);
    x
}

/// The finalizer lowbias32.
fn mix(mut h: u32) -> u32 {
    h ^= h >> 16;
    h = h.wrapping_mul(0x7FEB_352D);
    h ^= h >> 15;
    h = h.wrapping_mul(0x846C_A68B);
    h ^ (h >> 16)
}

/// Nearly normal, of variance 1: twelve uniform numbers of 24 bits, added, and rounded once.
pub fn normals(seed: u32, count: u32) -> Vec<f32> {
    let seed = mix(seed);
    let one = |i: u32| {
        let total: i64 = (12 * i..12 * i + 12).map(|k| i64::from(mix(k.wrapping_add(seed)) >> 8)).sum();
        (total - (6 << 24)) as f32 / 16_777_216.0
    };
    (0..count).map(one).collect()
}

/// The large inputs. Each step is one correctly rounded f32 operation or exact.
pub fn generated(kind: &str, seed: u32, count: u32) -> Vec<f32> {
    let mut x = normals(seed, count);
    for (i, x) in x.iter_mut().enumerate() {
        let group = mix((i as u32 / 16).wrapping_add(seed * 7919));
        *x = match kind {
            "normal" => *x * 0.02,
            "heavy" => *x * *x * *x,
            "bf16" => f32::from_bits(x.to_bits() & 0xFFFF_0000),
            "coarse" => (*x * 8.0 + 0.5).floor() * 0.125,
            "wild" if (group / 2048).is_multiple_of(11) => 0.0,
            "wild" => {
                let size = f32::from_bits(((group % 29) + 107) << 23);
                let x = if (group / 32).is_multiple_of(5) { x.abs() } else { *x };
                let x = if (group / 256).is_multiple_of(5) { -x.abs() } else { x };
                x * size
            }
            other => panic!("no such input: {other}"),
        };
    }
    x
}

/// CRC-32 as zlib has it.
pub fn crc32(bytes: &[u8]) -> u32 {
    let step = |crc: u32, &byte: &u8| {
        (0..8).fold(crc ^ u32::from(byte), |c, _| if c & 1 == 1 { (c >> 1) ^ 0xEDB8_8320 } else { c >> 1 })
    };
    !bytes.iter().fold(!0, step)
}

fn crc_of_values(x: &[f32]) -> u32 {
    let bits = |x: &f32| if x.is_nan() { 0x7FC0_0000 } else { x.to_bits() };
    crc32(&x.iter().flat_map(|x| bits(x).to_le_bytes()).collect::<Vec<_>>())
}
