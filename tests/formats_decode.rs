//! Stored elements against numpy and ml_dtypes (`tests/data/decode.py`), every code of every type of up to 16 bits.

use fewerbits::decode::{decode, fortran_to_row_major, repeated, unreadable};
use fewerbits::{DType, Shape};
use serde_json::Value;

fn golden() -> Value {
    serde_json::from_str(include_str!("data/decode.json")).unwrap()
}

fn words(hex: &Value) -> Vec<u32> {
    let hex = hex.as_str().unwrap();
    (0..hex.len() / 8).map(|i| u32::from_str_radix(&hex[8 * i..8 * i + 8], 16).unwrap()).collect()
}

/// The f32 bits of all elements, NaN made one.
fn bits(dtype: DType, big_endian: bool, bytes: &[u8]) -> Vec<u32> {
    let mut out = vec![f32::MAX; bytes.len() * 8 / dtype.bits() as usize];
    decode(dtype, big_endian, bytes, &mut out).unwrap();
    out.iter().map(|v| if v.is_nan() { 0x7fc0_0000 } else { v.to_bits() }).collect()
}

/// Codes as a stream of `width` bits each, least significant first.
fn pack(codes: impl Iterator<Item = u32>, width: u32) -> Vec<u8> {
    let (mut bytes, mut held, mut n) = (Vec::new(), 0u64, 0);
    for code in codes {
        held |= u64::from(code) << n;
        n += width;
        while n >= 8 {
            bytes.push(held as u8);
            held >>= 8;
            n -= 8;
        }
    }
    assert_eq!(n, 0, "the codes end on a byte");
    bytes
}

#[test]
fn every_code_of_the_small_types_is_what_ml_dtypes_says() {
    let golden = golden();
    let all = golden["codes"].as_object().unwrap();
    assert_eq!(all.len(), 8);
    for (name, want) in all {
        let dtype = DType::named(name).unwrap();
        let got = bits(dtype, false, &pack(0..1 << dtype.bits() as u32, dtype.bits() as u32));
        for (code, (got, want)) in got.iter().zip(words(want)).enumerate() {
            assert_eq!(*got, want, "{name} code {code:#04x}: {} and {}", f32::from_bits(*got), f32::from_bits(want));
        }
    }
}

#[test]
fn every_code_of_f16_and_bf16_is_what_numpy_and_ml_dtypes_say() {
    let golden = golden();
    for (name, big_endian) in [("F16", false), ("F16", true), ("BF16", false), ("BF16", true)] {
        let codes = (0..=u16::MAX).flat_map(|c| if big_endian { c.to_be_bytes() } else { c.to_le_bytes() });
        let got = bits(DType::named(name).unwrap(), big_endian, &codes.collect::<Vec<_>>());
        let hash = got
            .iter()
            .flat_map(|w| w.to_le_bytes())
            .fold(0xcbf2_9ce4_8422_2325u64, |h, b| (h ^ u64::from(b)).wrapping_mul(0x0100_0000_01b3));
        assert_eq!(format!("{hash:016x}"), golden["fnv1a"][name].as_str().unwrap(), "{name}");
        if name == "F16" {
            for (code, got) in (0..=u16::MAX).zip(got) {
                let want = half::f16::from_bits(code).to_f32();
                assert_eq!(f32::from_bits(got).is_nan(), want.is_nan());
                assert!(want.is_nan() || got == want.to_bits(), "{code:#06x}");
            }
        }
    }
}

#[test]
fn wide_numbers_round_as_numpy_rounds_them() {
    let golden = golden();
    for (name, case) in golden["elements"].as_object().unwrap() {
        let dtype = DType::named(name).unwrap();
        let stored = case["stored"].as_str().unwrap();
        let bytes: Vec<u8> =
            (0..stored.len() / 2).map(|i| u8::from_str_radix(&stored[2 * i..2 * i + 2], 16).unwrap()).collect();
        assert_eq!(bits(dtype, false, &bytes), words(&case["f32"]), "{name}");
        let swapped: Vec<u8> = bytes.chunks(dtype.bits() as usize / 8).flat_map(|e| e.iter().rev().copied()).collect();
        assert_eq!(bits(dtype, true, &swapped), words(&case["f32"]), "{name}, big-endian");
    }
}

#[test]
fn f32_passes_through_and_bool_is_zero_or_one() {
    let values = [0.0f32, -0.0, 1.5, f32::MIN_POSITIVE, 1e-45, f32::MAX, f32::INFINITY, f32::NEG_INFINITY, f32::NAN];
    let stored: Vec<u8> = values.iter().flat_map(|v| v.to_le_bytes()).collect();
    assert_eq!(bits(DType::F32, false, &stored), values.map(f32::to_bits));
    let stored: Vec<u8> = values.iter().flat_map(|v| v.to_be_bytes()).collect();
    assert_eq!(bits(DType::F32, true, &stored), values.map(f32::to_bits));
    let mut out = [9.0; 4];
    decode(DType::Bool, false, &[0, 1, 2, 255], &mut out).unwrap();
    assert_eq!(out, [0.0, 1.0, 1.0, 1.0]);
}

#[test]
fn every_length_and_start_decodes_alike() {
    let bytes: Vec<u8> = (0..1024u32).map(|i| (i.wrapping_mul(2_654_435_761) >> 24) as u8).collect();
    for dtype in [DType::F16, DType::Bf16, DType::F32, DType::F64, DType::F8E4M3, DType::F6E2M3, DType::F4, DType::I64]
    {
        let step = dtype.block().0 as usize;
        let all = bits(dtype, false, &bytes[..dtype.byte_len(96).unwrap() as usize]);
        for start in (0..8).step_by(step) {
            for n in (0..=67).step_by(step) {
                let at = |i: usize| dtype.byte_len(i as u64).unwrap() as usize;
                let got = bits(dtype, false, &bytes[at(start)..at(start + n)]);
                assert_eq!(got, all[start..start + n], "{dtype:?} {start}+{n}");
            }
        }
    }
}

#[test]
fn bytes_that_are_not_the_elements_are_refused() {
    let mut out = [0.0; 3];
    let e = decode(DType::F32, false, &[0; 11], &mut out).unwrap_err();
    assert_eq!((e.code.as_str(), e.expected.as_deref()), ("shape_mismatch", Some("3 elements of 32 bits")));
    assert_eq!(e.found.as_deref(), Some("11 bytes"));
    assert!(decode(DType::F4, false, &[0; 2], &mut out).is_err());
    assert!(unreadable(DType::C64).is_some());
    let e = decode(DType::C64, false, &[0; 24], &mut out).unwrap_err();
    assert_eq!((e.code.as_str(), e.found.as_deref()), ("unsupported", Some("C64")));
}

#[test]
fn fortran_order_becomes_row_major() {
    for dims in [
        &[][..],
        &[5],
        &[2, 3],
        &[3, 2],
        &[1, 7],
        &[7, 1],
        &[33, 65],
        &[2, 3, 4],
        &[4, 1, 3],
        &[2, 3, 4, 5],
        &[3, 2, 1, 2, 3],
        &[0, 4],
        &[4, 0],
        &[2, 0, 3],
    ] {
        let shape = Shape::new(dims).unwrap();
        let n = shape.count() as usize;
        // Each value is its own row-major index; it lies where Fortran order puts that index.
        let mut stored = vec![f32::NAN; n];
        for index in 0..n {
            let (mut rest, mut place, mut stride) = (index, 0, n);
            for &d in dims.iter().rev() {
                stride /= d as usize;
                place += rest % d as usize * stride;
                rest /= d as usize;
            }
            stored[place] = index as f32;
        }
        let mut out = vec![f32::NAN; n];
        fortran_to_row_major(&stored, &shape, &mut out).unwrap();
        assert_eq!(out, (0..n).map(|i| i as f32).collect::<Vec<_>>(), "{dims:?}");
    }
    let shape = Shape::new(&[2, 3]).unwrap();
    assert!(fortran_to_row_major(&[0.0; 5], &shape, &mut [0.0; 5]).is_err());
    assert!(fortran_to_row_major(&[0.0; 6], &shape, &mut [0.0; 5]).is_err());
}

#[test]
fn a_view_that_repeats_few_elements_very_often_is_told_from_a_large_one() {
    let is_refused = |dims: &[u64], strides: &[u64]| repeated(&Shape::new(dims).unwrap(), strides).is_some();
    // A stride of 0; and one that overlaps: 119,999 stored elements as 3,600,000,000.
    assert!(is_refused(&[60_000, 60_000], &[0, 1]));
    assert!(is_refused(&[60_000, 60_000], &[1, 1]));
    assert!(is_refused(&[60_000, 60_000], &[59_999, 1]));
    // As many as are stored, in either order; with gaps; of one index.
    assert!(!is_refused(&[60_000, 60_000], &[60_000, 1]));
    assert!(!is_refused(&[60_000, 60_000], &[1, 60_000]));
    assert!(!is_refused(&[60_000, 60_000], &[120_000, 2]));
    assert!(!is_refused(&[1, 60_000, 60_000], &[0, 60_000, 1]));
    // Few enough to be read, or none.
    assert!(!is_refused(&[1 << 16, 1 << 15], &[0, 1]));
    assert!(is_refused(&[1 << 16, (1 << 15) + 1], &[0, 1]));
    assert!(!is_refused(&[0, 60_000, 60_000], &[1, 1, 1]));
}
