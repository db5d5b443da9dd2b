//! The float formats against numpy and ml_dtypes. What the goldens hold: goldens/README.md.

mod goldens;

use std::collections::HashMap;

use fewerbits::Shape;
use fewerbits::kernels::float::{self, Narrow};
use fewerbits::quant::{Options, Scheme};

/// CRC-32 as zlib computes it.
fn crc(bytes: impl IntoIterator<Item = u8>) -> u64 {
    let step = |crc: u32| (0..8).fold(crc, |c, _| if c & 1 == 1 { 0xEDB8_8320 ^ c >> 1 } else { c >> 1 });
    u64::from(!bytes.into_iter().fold(!0, |crc, byte| crc >> 8 ^ step((crc ^ u32::from(byte)) & 0xFF)))
}

/// Of values, all NaN made one.
fn crc_values(x: &[f32]) -> u64 {
    crc(x.iter().flat_map(|x| if x.is_nan() { 0x7FC0_0000 } else { x.to_bits() }.to_le_bytes()))
}

fn format(name: &str) -> Narrow {
    match name {
        "f16" => Narrow::F16,
        "bf16" => Narrow::BF16,
        "fp8_e4m3" => Narrow::E4M3,
        "fp8_e5m2" => Narrow::E5M2,
        _ => Narrow::E2M1,
    }
}

/// As `ties` in goldens/float.py.
fn ties(format: Narrow) -> Vec<f32> {
    let mut values: Vec<f32> = (0..=format.largest).map(|code| format.value(code)).collect();
    let [.., before, last] = values[..] else { panic!("two values at least") };
    values.push((2.0 * f64::from(last) - f64::from(before)).min(f64::from(f32::MAX)) as f32);
    let middle = |pair: &[f32]| ((f64::from(pair[0]) + f64::from(pair[1])) / 2.0) as f32;
    let around = values.windows(2).flat_map(|pair| {
        let middle = middle(pair);
        [middle.next_down(), middle, middle.next_up()]
    });
    let near: Vec<f32> = around.filter(|x| x.is_finite()).collect();
    near.iter().copied().chain(near.iter().map(|x| -x)).collect()
}

#[test]
fn every_code_and_every_tie_is_as_numpy_and_ml_dtypes_have_it() {
    let mut tested = 0;
    for case in goldens::cases("float").iter().filter(|case| case["format"].is_string()) {
        let name = case["format"].as_str().unwrap();
        let format = format(name);
        assert_eq!(u64::from(format.bits()), case["width"].as_u64().unwrap());
        let all: Vec<u16> = (0..1_u32 << format.bits()).map(|code| code as u16).collect();
        let mut values = vec![0.0; all.len()];
        float::values(format, &all, 1.0, &mut values);
        assert_eq!(crc_values(&values), case["values"], "{name}: values");
        let near = ties(format);
        assert_eq!(near.len() as u64, case["ties"], "{name}");
        let mut codes = vec![0; near.len()];
        for (saturate, field) in [(false, "codes"), (true, "saturated")] {
            float::codes(format, &near, 1.0, saturate, &mut codes);
            assert_eq!(crc(codes.iter().flat_map(|c| c.to_le_bytes())), case[field], "{name}: {field}");
        }
        // A value that the format has is its own code.
        float::codes(format, &values, 1.0, false, &mut codes[..all.len()]);
        for (&code, &back) in all.iter().zip(&codes) {
            assert!(code == back || format.value(code).is_nan(), "{name}: {code:#x} and {back:#x}");
        }
        tested += 1;
    }
    assert_eq!(tested, 5);
}

#[test]
fn half_precision_is_that_of_the_half_crate() {
    let mut x = 1.0_f32;
    let mut inputs = vec![0.0, f32::MIN_POSITIVE, 65519.996, 65520.0, f32::MAX, f32::INFINITY];
    for _ in 0..100_000 {
        x = f32::from_bits(x.to_bits().wrapping_mul(1_664_525).wrapping_add(1_013_904_223));
        inputs.push(x);
    }
    inputs.retain(|x| !x.is_nan());
    let mut codes = vec![0; inputs.len()];
    float::codes(Narrow::F16, &inputs, 1.0, false, &mut codes);
    inputs.iter().zip(&codes).for_each(|(&x, &code)| assert_eq!(code, half::f16::from_f32(x).to_bits(), "{x}"));
    float::codes(Narrow::BF16, &inputs, 1.0, false, &mut codes);
    inputs.iter().zip(&codes).for_each(|(&x, &code)| assert_eq!(code, half::bf16::from_f32(x).to_bits(), "{x}"));
}

#[test]
fn what_is_not_finite_has_its_code() {
    for (format, nan, infinity) in [
        (Narrow::F16, 0x7E00, 0x7C00),
        (Narrow::BF16, 0x7FC0, 0x7F80),
        (Narrow::E4M3, 0x7F, 0x7F),
        (Narrow::E5M2, 0x7E, 0x7C),
        (Narrow::E2M1, 0, 7),
    ] {
        let mut codes = [0; 4];
        float::codes(format, &[f32::NAN, f32::INFINITY, f32::NEG_INFINITY, -0.0], 1.0, false, &mut codes);
        assert_eq!([codes[0] & (format.sign() - 1), codes[1]], [nan, infinity], "{format:?}");
        assert_eq!([codes[2], codes[3]], [infinity | format.sign(), format.sign()], "{format:?}");
        float::codes(format, &[f32::INFINITY], 1.0, true, &mut codes[..1]);
        assert_eq!(codes[0], format.largest);
    }
}

#[test]
fn scales_and_blocks_are_numpys() {
    let mut inputs = HashMap::new();
    let mut tested = 0;
    for case in goldens::cases("float") {
        if let Some(name) = case["name"].as_str() {
            let dims: Vec<u64> = goldens::ints(&case["shape"]).iter().map(|&d| d as u64).collect();
            inputs.insert(name.to_owned(), (goldens::f32s(&case["values"]), Shape::new(&dims).unwrap()));
        }
        let (Some(id), Some(input)) = (case["scheme"].as_str(), case["input"].as_str()) else { continue };
        let title = format!("{id} {} on {input}", case["options"]);
        let (x, shape) = &inputs[input];
        let options: Options = serde_json::from_value(case["options"].clone()).unwrap();
        let scheme = Scheme::new(id, &options).unwrap();
        let prepared = scheme.prepare(x, shape).unwrap();
        let bytes = prepared.encode(x).unwrap();
        assert_eq!(bytes, goldens::bytes(&case["bytes"]), "{title}");
        let read = scheme.decode(&bytes, shape).unwrap();
        assert_eq!(crc_values(&read), case["read"], "values: {title}");
        tested += 1;
    }
    assert!(tested > 150, "{tested}");
}

#[test]
fn levels_hold_every_weight_and_lie_within_the_run() {
    let x: Vec<f32> = (0..96).map(|i| (i as f32 * 0.7).sin() * 0.1).collect();
    let shape = Shape::new(&[3, 32]).unwrap();
    for (id, scale) in [
        ("f16", None),
        ("bf16", None),
        ("fp8_e4m3", None),
        ("fp8_e5m2", Some("channel")),
        ("fp4_e2m1", Some("tensor")),
        ("nv_nvfp4", None),
    ] {
        let options: Options =
            scale.iter().map(|s| ("scale".to_owned(), fewerbits::quant::Value::Text((*s).to_owned()))).collect();
        let scheme = Scheme::new(id, &options).unwrap();
        let prepared = scheme.prepare(&x, &shape).unwrap();
        let back = scheme.decode(&prepared.encode(&x).unwrap(), &shape).unwrap();
        for index in [0, 5, 40, 95] {
            let levels = prepared.levels_at(&x, index);
            let run = prepared.run_at(&x, index);
            assert!(levels.len() <= 4097 && levels.is_sorted(), "{id}");
            assert!(levels.contains(&back[index]), "{id}: {}", back[index]);
            assert!(levels[0] >= run.low && levels[levels.len() - 1] <= run.high, "{id}");
            assert!(run.scale > 0.0 && (x[index] - back[index]).abs() <= run.scale, "{id}");
            let block = prepared.trace(&x, index).block.unwrap();
            let [.., sign, exponent, fraction, code] = block.fields[..] else { panic!("{id}: four fields") };
            let parts = [sign, exponent, fraction].map(|field| field.read(&block.bytes)).concat();
            assert_eq!(parts, code.read(&block.bytes), "{id}");
        }
    }
}
