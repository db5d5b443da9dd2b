//! bitsandbytes, codebooks, binary, ternary and HQQ against others' results. What the goldens hold: goldens/README.md.

mod goldens;

use std::collections::HashMap;

use fewerbits::Shape;
use fewerbits::quant::{Options, Prepared, Scheme};
use fewerbits::stats::Comparison;
use serde_json::Value;

/// Calls `test` with each case of the topic that names a scheme, the scheme fitted to the case's input, and that input.
fn for_each_case(topic: &str, test: impl Fn(&Value, &str, &Scheme, &Prepared, &[f32], &Shape)) -> usize {
    let mut inputs = HashMap::new();
    let mut tested = 0;
    for case in goldens::cases(topic) {
        let Some(id) = case["scheme"].as_str() else {
            inputs.insert(case["name"].as_str().unwrap().to_owned(), goldens::f32s(&case["values"]));
            continue;
        };
        let title = format!("{id} on {}, {}", case["input"], case["options"]);
        let options: Options = serde_json::from_value(case["options"].clone()).unwrap();
        let scheme = Scheme::new(id, &options).unwrap_or_else(|e| panic!("{title}: {e}"));
        let x = &inputs[case["input"].as_str().unwrap()];
        let dims = match &case["shape"] {
            Value::Null => vec![x.len() as u64],
            shape => goldens::ints(shape).iter().map(|&d| d as u64).collect(),
        };
        let shape = Shape::new(&dims).unwrap();
        let prepared = scheme.prepare(x, &shape).unwrap_or_else(|e| panic!("{title}: {e}"));
        test(&case, &title, &scheme, &prepared, x, &shape);
        tested += 1;
    }
    tested
}

fn reconstructed(prepared: &Prepared, x: &[f32]) -> Vec<f32> {
    let mut back = vec![0.0; x.len()];
    prepared.reconstruct(x, 0, &mut back);
    back
}

/// Holds scales, codes, packed bytes and values against the topic's cases.
fn equal_in_everything(topic: &str) -> usize {
    for_each_case(topic, |case, title, scheme, prepared, x, shape| {
        assert_eq!(prepared.scales().unwrap(), goldens::f32s(&case["scales"]), "scales: {title}");
        let packed = prepared.encode(x).unwrap();
        let codes: Vec<i32> = goldens::bytes(&case["codes"]).into_iter().map(|b| i32::from(b as i8)).collect();
        assert_eq!(prepared.codes(&packed).unwrap(), codes, "codes: {title}");
        assert_eq!(packed, goldens::bytes(&case["packed"]), "packed: {title}");
        let values = goldens::f32s(&case["dequantized"]);
        assert_eq!(reconstructed(prepared, x), values, "values: {title}");
        assert_eq!(scheme.decode(&packed, shape).unwrap(), values, "values from bytes: {title}");
    })
}

#[test]
fn nf4_and_fp4_are_bitsandbytes() {
    let tested = equal_in_everything("bnb");
    assert!(tested >= 37, "{tested} cases");
}

/// Two to a byte, the first high, as one number each; the two zeros of FP4 as one.
fn nibbles(packed: &[u8], fp4: bool) -> Vec<u8> {
    let zero = |code: u8| if fp4 && code == 8 { 0 } else { code };
    packed.iter().flat_map(|byte| [zero(byte >> 4), zero(byte & 15)]).collect()
}

/// What the library made on a processor, where it has other cuts than in its CUDA kernels, which are the definition followed here, and its own
/// zeros of FP4, both read as 0. Its mean of absmax is a sum in f32, in the order of its processor: another last bit may bring one absmax of
/// hundreds over the middle of two codes.
#[test]
fn nf4_and_fp4_are_what_bitsandbytes_itself_makes() {
    let mut inputs: HashMap<String, Vec<f32>> = HashMap::new();
    for case in goldens::cases("bnb").into_iter().filter(|case| case["scheme"].is_null()) {
        inputs.insert(case["name"].as_str().unwrap().to_owned(), goldens::f32s(&case["values"]));
    }
    inputs.insert("trained".to_owned(), goldens::sample_f32("digits.safetensors", "fc1.weight")[..8192].to_vec());
    let (mut tested, mut others, mut other_means) = (0, 0, 0);
    for case in goldens::cases("bnb_library") {
        let Some(id) = case["scheme"].as_str() else {
            assert_eq!(
                fewerbits::quant::bnb::dynamic_map().to_vec(),
                goldens::f32s(&case["values"]),
                "the dynamic map"
            );
            continue;
        };
        let title = format!("{id} on {} in {}, {}", case["input"], case["dtype"], case["options"]);
        let x: Vec<f32> = inputs[case["input"].as_str().unwrap()]
            .iter()
            .map(|&x| match case["dtype"].as_str().unwrap() {
                "bfloat16" => half::bf16::from_f32(x).to_f32(),
                "float16" => half::f16::from_f32(x).to_f32(),
                _ => x,
            })
            .collect();
        let options: Options = serde_json::from_value(case["options"].clone()).unwrap();
        let scheme = Scheme::new(id, &options).unwrap();
        let shape = Shape::new(&[x.len() as u64]).unwrap();
        let packed = scheme.prepare(&x, &shape).unwrap().encode(&x).unwrap();
        let (side, codes) = packed.split_at(packed.len() - x.len().div_ceil(2));

        let (theirs, fp4) = (goldens::bytes(&case["packed"]), id == "bnb_fp4");
        let differ = nibbles(codes, fp4).iter().zip(nibbles(&theirs, fp4)).filter(|(a, b)| **a != *b).count();
        assert_eq!(differ as u64, case["otherCodes"].as_u64().unwrap(), "codes: {title}");
        others += differ;

        let floats =
            |bytes: &[u8]| -> Vec<f32> { bytes.as_chunks::<4>().0.iter().map(|b| f32::from_le_bytes(*b)).collect() };
        let absmax = goldens::f32s(&case["absmax"]);
        let mut same_side = true;
        if case["options"]["doubleQuant"] == true {
            let nested = goldens::bytes(&case["nested"]);
            let (floats, codes) = (floats(&side[..side.len() - nested.len()]), &side[side.len() - nested.len()..]);
            let mean = goldens::f32s(&case["mean"])[0];
            assert!((floats[0] - mean).abs() <= 2e-7 * mean, "mean: {title}");
            same_side = floats[0] == mean;
            other_means += usize::from(!same_side);
            let pairs = codes.iter().zip(&nested).filter(|(a, b)| a != b);
            if same_side {
                assert_eq!(floats[1..], absmax, "absmax: {title}");
                // Where all blocks have the same absmax any code reads as that.
                assert!(absmax == [0.0] || pairs.count() == 0, "codes of absmax: {title}");
            } else {
                let neighbours: Vec<u8> = pairs.map(|(a, b)| a.abs_diff(*b)).collect();
                assert!(neighbours.is_empty() || neighbours == [1], "codes of absmax: {title}: {neighbours:?}");
            }
        } else {
            assert_eq!(floats(side), absmax, "absmax: {title}");
        }
        if same_side && differ == 0 {
            let values = scheme.decode(&packed, &shape).unwrap();
            let bytes: Vec<u8> = values.iter().flat_map(|x| (x + 0.0).to_le_bytes()).collect();
            assert_eq!(
                u64::from(fewerbits::formats::crc32::crc32(0, &bytes)),
                case["values"].as_u64().unwrap(),
                "values: {title}"
            );
        }
        tested += 1;
    }
    assert!(tested == 60 && others <= 36 && other_means <= 10, "{tested} cases, {others}, {other_means}");
}

#[test]
fn binary_ternary_and_bitnet_are_as_their_papers_say() {
    let tested = equal_in_everything("binary");
    assert!(tested >= 35, "{tested} cases");
}

#[test]
fn codebooks_are_those_of_a_plain_lloyd() {
    let tested = for_each_case("codebook", |case, title, _, prepared, x, _| {
        let (ours, theirs) = (prepared.codebook().unwrap(), goldens::f32s(&case["codebook"]));
        let range = theirs[theirs.len() - 1] - theirs[0];
        for (a, b) in ours.iter().zip(&theirs) {
            assert!((a - b).abs() <= 1e-5 * range, "{title}: {ours:?}, {theirs:?}");
        }
        let error = Comparison::of(x, &reconstructed(prepared, x)).unwrap().mse * x.len() as f64;
        let expected = case["squaredError"].as_f64().unwrap();
        assert!((error - expected).abs() <= 1e-5 * expected, "{title}: {error}, {expected}");
    });
    assert!(tested >= 40, "{tested} cases");
}

#[test]
fn hqq_is_the_published_solver() {
    let objective = |x: &[f32], y: &[f32]| -> f64 {
        x.iter().zip(y).map(|(x, y)| (f64::from(*x) - f64::from(*y)).abs().powf(0.7)).sum()
    };
    let tested = for_each_case("hqq", |case, title, _, prepared, x, _| {
        assert_eq!(prepared.scales().unwrap(), goldens::f32s(&case["scales"]), "{title}");
        let back = reconstructed(prepared, x);
        let found = objective(x, &back);
        let number = |name: &str| case[name].as_f64().unwrap();
        assert!(found <= number("objective") * 1.01 + 1e-9, "{title}: {found}, {}", case["objective"]);
        assert!(found <= number("start") * 1.000_01 + 1e-9, "{title}: {found}, {} at the start", case["start"]);
        let theirs = goldens::f32s(&case["dequantized"]);
        let step = prepared.scales().unwrap().iter().copied().fold(0.0, f32::max);
        let far = back.iter().zip(&theirs).filter(|(a, b)| (*a - *b).abs() > 0.02 * step).count();
        assert!(far * 20 <= back.len(), "{title}: {far} of {} values are others", back.len());
    });
    assert!(tested >= 28, "{tested} cases");
}
