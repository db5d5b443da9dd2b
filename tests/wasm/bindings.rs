//! The face that JavaScript sees, called with JavaScript values.

use fewerbits::bindings::{Weights, compare, dequantize, packed_length, schemes, stats};
use js_sys::{Array, Float32Array, JSON, Reflect};
use wasm_bindgen::{JsCast, JsValue};
use wasm_bindgen_test::wasm_bindgen_test;

/// A JavaScript value from JSON.
fn js(json: &str) -> JsValue {
    JSON::parse(json).unwrap()
}

fn get(value: &JsValue, name: &str) -> JsValue {
    Reflect::get(value, &name.into()).unwrap()
}

fn number(value: &JsValue, name: &str) -> f64 {
    get(value, name).as_f64().unwrap_or_else(|| panic!("{name} is no number"))
}

/// Code, and the text that tells it to people, of a refusal.
fn refusal<T>(result: Result<T, JsValue>) -> (String, String) {
    let error = result.err().expect("an error");
    assert!(error.is_instance_of::<js_sys::Error>(), "an Error");
    let text = |name| get(&error, name).as_string().unwrap();
    (text("code"), text("message"))
}

fn weights() -> Weights {
    let values = Float32Array::from([0.5_f32, -1.0, 0.25, 0.75, -0.1, 0.9].as_slice());
    Weights::new(&values, &js("[2, 3]")).unwrap()
}

#[wasm_bindgen_test]
fn the_catalogue_is_plain_objects() {
    let all = Array::from(&schemes());
    assert!(all.length() >= 10);
    let int8 = all.get(0);
    assert_eq!(get(&int8, "id").as_string().unwrap(), "int8");
    assert_eq!(number(&int8, "bits"), 8.0);
    assert!(get(&int8, "blockSize").is_null());
    let options = Array::from(&get(&int8, "options"));
    let names: Vec<String> = options.iter().map(|o| get(&o, "name").as_string().unwrap()).collect();
    assert!(names.contains(&"granularity".to_owned()), "{names:?}");
    let axis = options.iter().find(|o| get(o, "name") == "axis").unwrap();
    assert_eq!(JSON::stringify(&get(&axis, "when")).unwrap(), r#"{"granularity":["channel"]}"#);
}

#[wasm_bindgen_test]
fn quantized_bytes_go_out_and_come_back() {
    let scheme = js(r#"{"id": "int4", "granularity": "channel", "axis": 1, "symmetric": false}"#);
    let quantized = weights().quantize(&scheme).unwrap();
    let bytes = quantized.bytes();
    assert_eq!(f64::from(bytes.length()), packed_length(&js("[2, 3]"), &scheme).unwrap());
    assert_eq!(quantized.scales().unwrap().length(), 3);
    assert_eq!(quantized.zero_points().unwrap().length(), 3);
    assert_eq!(quantized.codes().unwrap().length(), 6);
    let back = dequantize(&bytes.to_vec(), &js("[2, 3]"), &scheme).unwrap();
    assert_eq!(back.to_vec(), quantized.dequantize().unwrap().to_vec());
    assert_eq!(quantized.bits_per_weight(), f64::from(bytes.length()) * 8.0 / 6.0);
}

#[wasm_bindgen_test]
fn an_evaluation_has_every_figure() {
    let of = js(r#"{"id": "int3"}"#);
    let e = weights().evaluate(&of, &js(r#"{"bins": 16, "range": [-1, 1], "at": 4}"#)).unwrap();
    assert_eq!(number(&e, "count"), 6.0);
    assert_eq!(Float32Array::from(get(&e, "levels")).length(), 7);
    for histogram in ["reference", "histogram", "error"] {
        let counts = js_sys::Float64Array::from(get(&get(&e, histogram), "counts")).to_vec();
        let outside = number(&get(&e, histogram), "below") + number(&get(&e, histogram), "above");
        assert_eq!(counts.iter().sum::<f64>() + outside, 6.0, "{histogram}");
    }
    assert_eq!(get(&get(&e, "scheme"), "rounding").as_string().unwrap(), "even");
    assert!(number(&get(&e, "metrics"), "sqnrDb") > 10.0);
    let trace = weights().trace(&of, 4.0).unwrap();
    assert_eq!(Array::from(&get(&trace, "coordinates")).to_vec(), [1.0, 1.0].map(JsValue::from));
}

#[wasm_bindgen_test]
fn statistics_and_metrics_are_numbers() {
    let values = Float32Array::from([1.0_f32, 2.0, 3.0, f32::NAN].as_slice());
    let s = stats(&values, &js("[4]"), &js(r#"{"bins": 2, "quantiles": [0.5]}"#)).unwrap();
    assert_eq!((number(&s, "mean"), number(&s, "nan")), (2.0, 1.0));
    let m = compare(&values.slice(0, 2), &values.slice(1, 3), &JsValue::UNDEFINED).unwrap();
    assert_eq!((number(&m, "mse"), number(&m, "maxAbsIndex")), (1.0, 0.0));
}

#[wasm_bindgen_test]
fn stored_elements_are_decoded_as_they_come() {
    let mut held = Weights::allocate(&js("[3]")).unwrap();
    held.push("F32", false, &1.5_f32.to_le_bytes()).unwrap();
    held.push("BF16", true, &[0x40, 0x00, 0xC0, 0x40]).unwrap();
    assert_eq!(held.slice(0, 3).unwrap().to_vec(), [1.5, 2.0, -3.0]);
    assert_eq!(refusal(held.push("F32", false, &[0; 4])).0, "shape_mismatch");
}

#[wasm_bindgen_test]
fn refusals_are_errors_with_codes() {
    let (code, text) = refusal(weights().quantize(&js(r#"{"id": "int9"}"#)));
    assert!(code == "unknown_scheme" && text.contains("int8"), "{text}");
    let (code, text) = refusal(weights().quantize(&js(r#"{"id": "int8", "grain": "tensor"}"#)));
    assert!(code == "unknown_option" && text.contains("granularity"), "{text}");
    let (code, text) = refusal(weights().quantize(&js(r#"{"id": "int8", "groupSize": "many"}"#)));
    assert!(code == "invalid_option" && text.contains("whole number"), "{text}");
    assert_eq!(refusal(weights().quantize(&js("7"))).0, "invalid_argument");
    assert_eq!(refusal(weights().evaluate(&js(r#"{"id": "int8"}"#), &js(r#"{"bin": 3}"#))).0, "unknown_option");
    assert_eq!(refusal(Weights::allocate(&js("[1e15]"))).0, "out_of_memory");
    assert_eq!(refusal(Weights::new(&Float32Array::new_with_length(5), &js("[2, 3]"))).0, "shape_mismatch");
    let nan = Weights::new(&Float32Array::from([1.0, f32::NAN].as_slice()), &js("[2]")).unwrap();
    let error = nan.quantize(&js(r#"{"id": "int8"}"#)).err().unwrap();
    assert_eq!((get(&error, "code"), number(&error, "offset")), ("non_finite".into(), 1.0));
}
