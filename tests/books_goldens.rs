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
