//! The schemes against ONNX Runtime and numpy. What the goldens hold: goldens/README.md.

mod goldens;

use std::collections::HashMap;

use fewerbits::Shape;
use fewerbits::quant::{Options, Prepared, Scheme, article};
use fewerbits::stats::{Comparison, Histogram, SummaryOptions, summarize};
use serde_json::Value;

/// Calls `test` with each case of the topic that names a scheme, the scheme and the case's input.
fn for_each_case(topic: &str, test: impl Fn(&Value, &Scheme, &[f32])) -> usize {
    let mut inputs = HashMap::new();
    let mut tested = 0;
    for case in goldens::cases(topic) {
        let Some(id) = case["scheme"].as_str() else {
            inputs.insert(case["name"].as_str().unwrap().to_owned(), goldens::f32s(&case["values"]));
            continue;
        };
        let options: Options = serde_json::from_value(case["options"].clone()).unwrap();
        let scheme = Scheme::new(id, &options).unwrap_or_else(|e| panic!("{}: {e}", title(&case)));
        test(&case, &scheme, &inputs[case["input"].as_str().unwrap()]);
        tested += 1;
    }
    tested
}

fn title(case: &Value) -> String {
    format!("{} on {}, {}", case["scheme"].as_str().unwrap(), case["input"].as_str().unwrap(), case["options"])
}

fn bits(x: &[f32]) -> Vec<u32> {
    x.iter().map(|x| x.to_bits()).collect()
}

fn zero_points(prepared: &Prepared) -> Vec<i64> {
    let runs = prepared.runs();
    prepared.zero_points().map_or(vec![0; runs], |z| z.iter().map(|&z| i64::from(z)).collect())
}

/// A golden's codes: one i8 each.
fn golden_codes(case: &Value) -> Vec<i32> {
    goldens::bytes(&case["codes"]).into_iter().map(|b| i32::from(b as i8)).collect()
}

fn reconstructed(prepared: &Prepared, x: &[f32]) -> Vec<f32> {
    let mut back = vec![0.0; x.len()];
    prepared.reconstruct(x, 0, &mut back);
    back
}

#[test]
fn affine_is_onnx_runtimes() {
    let tested = for_each_case("affine", |case, scheme, x| {
        let title = title(case);
        let dims: Vec<u64> = goldens::ints(&case["shape"]).iter().map(|&d| d as u64).collect();
        let shape = Shape::new(&dims).unwrap();
        let prepared = scheme.prepare(x, &shape).unwrap();
        assert_eq!(bits(prepared.scales().unwrap()), bits(&goldens::f32s(&case["scales"])), "scales: {title}");
        assert_eq!(zero_points(&prepared), goldens::ints(&case["zeroPoints"]), "zero points: {title}");
        let packed = prepared.encode(x).unwrap();
        assert_eq!(prepared.codes(&packed).unwrap(), golden_codes(case), "codes: {title}");
        // Where ONNX Runtime's value overflows f32, ours is the greatest finite one.
        let values =
            goldens::f32s(&case["dequantized"]).iter().map(|v| v.clamp(f32::MIN, f32::MAX)).collect::<Vec<_>>();
        let values = bits(&values);
        assert_eq!(bits(&reconstructed(&prepared, x)), values, "values: {title}");
        assert_eq!(bits(&scheme.decode(&packed, &shape).unwrap()), values, "values from bytes: {title}");
        // The codes come last in the packed bytes.
        assert!(packed.ends_with(&goldens::bytes(&case["packed"])), "packed: {title}");
    });
    assert!(tested > 800, "{tested} cases");
}

#[test]
fn the_other_options_are_numpys() {
    let tested = for_each_case("choices", |case, scheme, x| {
        let title = title(case);
        let prepared = scheme.prepare(x, &Shape::new(&[x.len() as u64]).unwrap()).unwrap();
        let scale = prepared.scales().unwrap()[0];
        let expected_scale = goldens::f32s(&case["scales"])[0];
        if let Some(best) = case["squaredError"].as_f64() {
            let error = Comparison::of(x, &reconstructed(&prepared, x)).unwrap().mse * x.len() as f64;
            assert!(error <= best * 1.001, "squared error {error}, {best} can be had: {title}");
        }
        let searched = case["options"]["range"] == "mse";
        if searched && scale != expected_scale {
            return; // another share with as small an error
        }
        assert_eq!(scale, expected_scale, "scale: {title}");
        assert_eq!(zero_points(&prepared), goldens::ints(&case["zeroPoints"]), "zero point: {title}");
        if case["options"]["refit"] == true {
            return; // the codes that the scale was fitted to need not be the nearest on the new grid
        }
        let codes = prepared.codes(&prepared.encode(x).unwrap()).unwrap();
        assert_eq!(codes, golden_codes(case), "codes: {title}");
        if !case["dequantized"].is_null() {
            let values = goldens::f32s(&case["dequantized"]);
            assert_eq!(reconstructed(&prepared, x), values, "values: {title}");
        }
    });
    assert!(tested > 400, "{tested} cases");
}

#[test]
fn the_articles_listings_are_numpys() {
    for case in goldens::cases("article") {
        let x = goldens::f32s(&case["values"]);
        let (min, max) = (case["min"].as_f64().unwrap(), case["max"].as_f64().unwrap());
        let title = format!("{}, min {min}, max {max}", case["name"]);
        let ours = [
            ("zero", article::quantize_zero(&x, min, max).map(|r| r.values)),
            ("nonzero", article::quantize_non_zero(&x, min, max)),
            ("mixed", article::quantize_mixed(&x, min, max, 0.5)),
        ];
        for (listing, ours) in ours {
            let golden = &case[listing];
            match ours {
                Ok(values) => {
                    assert!(golden["error"].is_null(), "numpy raises {}: {listing}, {title}", golden["error"]);
                    assert_eq!(bits(&values), bits(&goldens::f32s(&golden["values"])), "{listing}, {title}");
                }
                // The listings look at min and max only when a weight is not zero; here a bad range is always refused.
                Err(error) => {
                    let all_zero = x.iter().all(|&x| x == 0.0);
                    assert!(all_zero || !golden["error"].is_null(), "{error}, numpy gives values: {listing}, {title}");
                }
            }
        }
        if let Some(count) = case["zero"]["count"].as_u64()
            && let Ok(result) = article::quantize_zero(&x, min, max)
        {
            assert_eq!(result.non_zero_count, count, "{title}");
        }
    }
}

#[test]
fn statistics_are_numpys() {
    for case in goldens::cases("stats") {
        let name = case["name"].as_str().unwrap();
        let x = goldens::f32s(&case["values"]);
        let shape = Shape::new(&[x.len() as u64]).unwrap();
        let summary = summarize(&x, &shape, &SummaryOptions::default()).unwrap();
        let number = |field: &str| case[field].as_f64().unwrap_or(0.0);
        let size = f64::from(summary.abs_max);
        let near = |ours: f64, field: &str, tolerance: f64| {
            let expected = number(field);
            assert!((ours - expected).abs() <= tolerance, "{field} is {ours}, numpy's {expected}: {name}");
        };
        assert_eq!(summary.count, case["count"].as_u64().unwrap(), "{name}");
        assert_eq!(summary.zeros, case["zeros"].as_u64().unwrap(), "{name}");
        assert_eq!(vec![summary.min], goldens::f32s(&case["min"]), "{name}");
        assert_eq!(vec![summary.max], goldens::f32s(&case["max"]), "{name}");
        near(summary.mean, "mean", 1e-12 * size);
        near(summary.std, "std", 1e-9 * number("std"));
        near(summary.skewness, "skewness", 1e-6);
        near(summary.kurtosis, "kurtosis", 1e-6 * (1.0 + number("kurtosis").abs()));
        for (golden, (q, value)) in case["quantiles"].as_array().unwrap().iter().zip(&summary.quantiles) {
            assert_eq!(golden["q"].as_f64().unwrap(), *q);
            let expected = golden["value"].as_f64().unwrap();
            assert!((value - expected).abs() <= 1e-12 * expected.abs(), "quantile {q}: {value}, {expected}: {name}");
        }
        for golden in case["histograms"].as_array().into_iter().flatten() {
            let counts: Vec<u64> = goldens::ints(&golden["counts"]).iter().map(|&n| n as u64).collect();
            let end = |field: &str| golden[field].as_f64().unwrap() as f32;
            let ours = Histogram::new(&x, end("lo"), end("hi"), counts.len());
            assert_eq!(ours.counts, counts, "{name}");
            assert_eq!(Some(ours.below), golden["below"].as_u64(), "{name}");
            assert_eq!(Some(ours.above), golden["above"].as_u64(), "{name}");
        }
    }
}
