//! Weights stored in several tensors, as their own libraries decode them (`tests/data/parts.py`).

mod formats_support;

use std::fs;
use std::path::Path;

use fewerbits::decode::derived::{Derivation, Part};
use fewerbits::formats::derived::Method;
use fewerbits::formats::{Derived, Listing};
use fewerbits::{DType, Shape};
use formats_support::{assert_error, list};
use serde_json::{Value, json};

fn parts(file: &str) -> Vec<u8> {
    fs::read(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/parts").join(file)).unwrap()
}

fn derivation(listing: &Listing, derived: &Derived) -> Derivation {
    let part = |&i: &usize| Part { dtype: listing.tensors[i].dtype, shape: listing.tensors[i].shape.clone() };
    Derivation::new(derived.method, &derived.shape, derived.parts.iter().map(part).collect()).unwrap()
}

/// Rows of a derived tensor, from exactly the bytes that they need.
fn rows(file: &[u8], listing: &Listing, derived: &Derived, rows: std::ops::Range<u64>) -> Vec<f32> {
    let of = derivation(listing, derived);
    let needs = of.needs(rows.clone());
    let bytes: Vec<&[u8]> = derived
        .parts
        .iter()
        .zip(&needs)
        .map(|(&i, need)| {
            let part = &listing.tensors[i].bytes;
            assert!(need.end <= part.end - part.start, "{need:?} of {part:?}");
            &file[(part.start + need.start) as usize..(part.start + need.end) as usize]
        })
        .collect();
    let mut out = vec![0.0; ((rows.end - rows.start) * derived.shape.matrix().1) as usize];
    of.decode(rows, &bytes, &mut out).unwrap();
    out
}

fn hex(values: &[f32]) -> String {
    values.iter().map(|v| format!("{:08x}", v.to_bits())).collect()
}

#[test]
fn every_library_finds_its_own_numbers_again() {
    let expected: Value = serde_json::from_slice(&parts("expected.json")).unwrap();
    for (name, want) in expected.as_object().unwrap() {
        let file = parts(name);
        let listing = list(&file).unwrap();
        let got: serde_json::Map<_, _> = listing
            .derived
            .iter()
            .map(|d| {
                let all = rows(&file, &listing, d, 0..d.shape.dims()[0]);
                let value = json!({"label": d.label, "shape": d.shape.dims(), "f32": hex(&all)});
                (d.name.clone(), value)
            })
            .collect();
        assert_eq!(got.keys().collect::<Vec<_>>(), want.as_object().unwrap().keys().collect::<Vec<_>>(), "{name}");
        for (tensor, want) in want.as_object().unwrap() {
            assert!(&got[tensor] == want, "{name}: {tensor}: {}", got[tensor]["label"]);
        }
    }
}

#[test]
fn any_rows_are_those_of_the_whole() {
    for name in ["awq.safetensors", "gptq.safetensors", "compressed.safetensors"] {
        let file = parts(name);
        let listing = list(&file).unwrap();
        for d in &listing.derived {
            let (count, columns) = d.shape.matrix();
            let all = rows(&file, &listing, d, 0..count);
            for start in 0..count {
                for end in start..=count {
                    let some = rows(&file, &listing, d, start..end);
                    let want = &all[(start * columns) as usize..(end * columns) as usize];
                    assert_eq!(hex(&some), hex(want), "{name}: {}, rows {start}..{end}", d.name);
                }
            }
        }
    }
}

/// A safetensors file of these tensors, all bytes 7.
fn made(tensors: &[(&str, &str, &[u64])]) -> Vec<u8> {
    let (mut header, mut at) = (serde_json::Map::new(), 0);
    for (name, dtype, shape) in tensors {
        let end = at + DType::named(dtype).unwrap().byte_len(shape.iter().product()).unwrap();
        header.insert((*name).to_owned(), json!({"dtype": dtype, "shape": shape, "data_offsets": [at, end]}));
        at = end;
    }
    formats_support::safetensors(Value::Object(header).to_string(), at as usize)
}

fn labels(tensors: &[(&str, &str, &[u64])]) -> Vec<String> {
    list(&made(tensors)).unwrap().derived.iter().map(|d| format!("{}: {}", d.name, d.label)).collect()
}

#[test]
fn parts_that_do_not_fit_are_only_listed_as_themselves() {
    let awq = |words: &[u64], zeros: &[u64], scales: &[u64], kind: &str| {
        labels(&[("w.qweight", "I32", words), ("w.qzeros", "I32", zeros), ("w.scales", kind, scales)])
    };
    assert_eq!(awq(&[16, 1], &[2, 1], &[2, 8], "F16"), ["w.weight: INT4 AWQ ×8"]);
    for none in [
        awq(&[16, 1], &[2, 1], &[2, 9], "F16"),
        awq(&[16, 1], &[3, 1], &[3, 8], "F16"),
        awq(&[16, 1], &[2, 1], &[2, 8], "I8"),
        awq(&[16, 1], &[1, 1], &[2, 8], "F16"),
        awq(&[16], &[2, 1], &[2, 8], "F16"),
        awq(&[0, 1], &[0, 1], &[0, 8], "F16"),
        labels(&[("w.qweight", "I32", &[16, 1]), ("w.scales", "F16", &[2, 8])]),
        labels(&[("qweight", "I32", &[2]), ("w.scales", "F16", &[2, 8])]),
        // A weight_shape that says another number of rows (all its bytes are 7).
        labels(&[
            ("w.weight_packed", "I32", &[4, 2]),
            ("w.weight_scale", "F16", &[4, 1]),
            ("w.weight_shape", "I64", &[2]),
        ]),
        labels(&[("w.weight", "I8", &[4, 2]), ("w.weight_scale", "F16", &[3])]),
        labels(&[("w.weight", "I8", &[4, 2]), ("w.weight_scale", "F16", &[5, 1])]),
        labels(&[("w.weight", "F16", &[4, 2]), ("w.weight_scale", "F16", &[4, 1])]),
    ] {
        assert_eq!(none, [""; 0]);
    }
    assert_eq!(labels(&[("w", "I8", &[4, 2]), ("w_scale", "F32", &[])]), ["w (dequantized): INT8 scaled per tensor"]);
    let deep = labels(&[("w.weight", "F8_E4M3", &[256, 130]), ("w.weight_scale_inv", "F32", &[2, 2])]);
    assert_eq!(deep, ["w.weight (dequantized): FP8 scaled ×128×128"]);
}

#[test]
fn one_name_for_each_tensor_whatever_they_are_called() {
    let listing = list(&made(&[
        ("w.qweight", "I32", &[16, 1]),
        ("w.qzeros", "I32", &[2, 1]),
        ("w.scales", "F16", &[2, 8]),
        ("w.weight", "F16", &[1]),
        ("w.weight (dequantized)", "F16", &[1]),
    ]));
    assert_eq!(listing.unwrap().derived[0].name, "w.weight (dequantized) (dequantized)");
}

#[test]
fn parts_that_contradict_each_other_are_refused_when_read() {
    // g_idx beyond the groups: every word is 0x07070707.
    let file = made(&[
        ("w.g_idx", "I32", &[32]),
        ("w.qweight", "I32", &[4, 8]),
        ("w.qzeros", "I32", &[2, 1]),
        ("w.scales", "F16", &[2, 8]),
    ]);
    let listing = list(&file).unwrap();
    let d = &listing.derived[0];
    let of = derivation(&listing, d);
    let bytes: Vec<&[u8]> = d
        .parts
        .iter()
        .map(|&i| {
            let range = &listing.tensors[i].bytes;
            &file[range.start as usize..range.end as usize]
        })
        .collect();
    let mut out = vec![0.0; 8 * 32];
    let refused = of.decode(0..8, &bytes, &mut out);
    assert_error(refused, ("malformed", None, Some(0), "2", "117901063"));
    let short = of.decode(0..8, &bytes[..3], &mut out).unwrap_err();
    assert_eq!(short.code.as_str(), "shape_mismatch");
    assert_eq!(of.decode(0..9, &bytes, &mut out).unwrap_err().code.as_str(), "shape_mismatch");
    assert_eq!(of.decode(0..8, &bytes, &mut out[1..]).unwrap_err().code.as_str(), "shape_mismatch");
}

#[test]
fn a_weight_shape_that_its_neighbours_do_not_share_is_refused_when_read() {
    let file = parts("compressed.safetensors");
    let listing = list(&file).unwrap();
    let d = listing.derived.iter().find(|d| d.name == "c4.weight").unwrap();
    let of = derivation(&listing, d);
    let needs = of.needs(0..5);
    let mut bytes: Vec<Vec<u8>> = needs.iter().map(|n| vec![0; (n.end - n.start) as usize]).collect();
    bytes[2][0] = 5;
    bytes[2][8] = 22;
    let slices: Vec<&[u8]> = bytes.iter().map(Vec::as_slice).collect();
    let refused = of.decode(0..5, &slices, &mut [0.0; 5 * 21]);
    assert_error(refused, ("malformed", None, None, "[5, 21]", "[5, 22]"));
}

#[test]
fn methods_that_a_script_makes_up_are_refused() {
    let part = |dtype, dims: &[u64]| Part { dtype, shape: Shape::new(dims).unwrap() };
    let shape = Shape::new(&[8, 16]).unwrap();
    let good = || vec![part(DType::I32, &[16, 1]), part(DType::F16, &[2, 8]), part(DType::I32, &[2, 1])];
    let refused = |method, parts| Derivation::new(method, &shape, parts).unwrap_err().code.as_str() == "shape_mismatch";
    assert!(Derivation::new(Method::Awq { bits: 4, group: 8 }, &shape, good()).is_ok());
    assert!(refused(Method::Awq { bits: 4, group: 0 }, good()));
    assert!(refused(Method::Awq { bits: 5, group: 8 }, good()));
    assert!(refused(Method::Awq { bits: 4, group: 8 }, good()[..2].to_vec()));
    assert!(refused(Method::Gptq { bits: 4, group: 8, ordered: true }, good()));
    assert!(refused(Method::Gptq { bits: 33, group: 8, ordered: false }, good()));
    assert!(refused(Method::Packed { bits: 0, group: 8, zero_points: false, ordered: false }, good()));
    assert!(refused(Method::Scaled { rows: 0, columns: 1, zero_points: false }, good()));
    let huge = vec![part(DType::I8, &[1, u64::MAX]), part(DType::F32, &[1])];
    let shape = Shape::new(&[1, u64::MAX]).unwrap();
    assert!(Derivation::new(Method::Scaled { rows: 1, columns: u64::MAX, zero_points: false }, &shape, huge).is_err());
}
