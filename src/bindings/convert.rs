//! Between JavaScript values and the crate's types.

use js_sys::{Array, Float32Array, Float64Array, Object, Reflect};
use wasm_bindgen::prelude::*;

use crate::error::{Code, Error, Number, Result};
use crate::quant::{Options, Scheme, Value};
use crate::stats::{Histogram, Metrics, Summary};
use crate::tensor::{Shape, try_vec};

/// A JavaScript `Error` with the facts as properties.
pub(crate) fn to_js(error: Error) -> JsValue {
    let out = js_sys::Error::new(&error.to_string());
    out.set_name("FewerbitsError");
    set(&out, "code", error.code.as_str());
    for (name, fact) in [("tensor", &error.tensor), ("expected", &error.expected), ("found", &error.found)] {
        if let Some(fact) = fact {
            set(&out, name, fact);
        }
    }
    if let Some(offset) = error.offset {
        set(&out, "offset", offset as f64);
    }
    out.into()
}

/// Sets a property of an object made here; that cannot fail.
pub(super) fn set(target: &JsValue, name: &str, value: impl Into<JsValue>) {
    set_value(target, name, &value.into());
}

#[inline(never)]
fn set_value(target: &JsValue, name: &str, value: &JsValue) {
    let done = Reflect::set(target, &name.into(), value);
    debug_assert!(done.is_ok());
}

/// An object of these properties.
pub(super) fn object<const N: usize>(properties: [(&str, JsValue); N]) -> JsValue {
    object_of(&properties)
}

#[inline(never)]
fn object_of(properties: &[(&str, JsValue)]) -> JsValue {
    let out: JsValue = Object::new().into();
    for (name, value) in properties {
        set_value(&out, name, value);
    }
    out
}

/// Copies values in; memory that cannot be had is an error, not a trap.
pub(super) fn floats(values: &Float32Array) -> Result<Vec<f32>> {
    let mut out = try_vec(0.0_f32, values.length() as usize)?;
    values.copy_to(&mut out);
    Ok(out)
}

/// What a value from outside is, for an error: numbers and short texts as they are, everything else by its kind.
#[cold]
#[inline(never)]
pub(super) fn described(value: &JsValue) -> String {
    if let Some(text) = value.as_string() {
        return format!("{:?}", text.chars().take(40).collect::<String>());
    }
    if value.is_bigint() || value.is_symbol() || value.is_function() {
        return value.js_typeof().as_string().map_or_else(String::new, |kind| format!("a {kind}"));
    }
    if let Some(list) = value.dyn_ref::<Array>() {
        return format!("an array of {}", list.length());
    }
    if value.is_object() {
        return "an object".to_owned();
    }
    match (value.as_f64(), value.as_bool()) {
        (Some(number), _) => Number(number).to_string(),
        (_, Some(flag)) => flag.to_string(),
        _ if value.is_null() => "null".to_owned(),
        _ => "undefined".to_owned(),
    }
}

/// The items of an array, plain or typed. `Array::from` would run what else calls itself iterable, and what JavaScript throws must not pass
/// through here.
pub(super) fn items(value: &JsValue) -> Option<Array> {
    (Array::is_array(value) || js_sys::ArrayBuffer::is_view(value)).then(|| Array::from(value))
}

/// A shape from an array of whole numbers.
pub(super) fn shape(dims: &JsValue) -> Result<Shape> {
    let refuse = || {
        Error::new(Code::InvalidArgument, "a shape is an array of whole numbers, none below 0")
            .with_expected("for example [64, 128]")
            .with_found(described(dims))
    };
    let dims = items(dims)
        .ok_or_else(refuse)?
        .iter()
        .map(|d| {
            d.as_f64().filter(|d| (0.0..=9_007_199_254_740_992.0).contains(d) && d.fract() == 0.0).map(|d| d as u64)
        })
        .collect::<Option<Vec<u64>>>()
        .ok_or_else(refuse)?;
    Shape::new(&dims)
}

/// A scheme from `{id, ...options}`.
pub(super) fn scheme(value: &JsValue) -> Result<Scheme> {
    if !value.is_object() || Array::is_array(value) {
        return Err(Error::new(Code::InvalidArgument, "a scheme is an object with an id and its options")
            .with_expected("for example {id: \"int8\", granularity: \"channel\"}")
            .with_found(described(value)));
    }
    let mut id = None;
    let mut options = Options::new();
    for pair in Object::entries(value.unchecked_ref()).iter() {
        let pair = Array::from(&pair);
        let (name, value) = (pair.get(0).as_string().unwrap_or_default(), pair.get(1));
        if name == "id" {
            id = value.as_string();
            continue;
        }
        let known = match (value.as_bool(), value.as_f64(), value.as_string()) {
            (Some(flag), ..) => Value::Flag(flag),
            (_, Some(number), _) => Value::Number(number),
            (.., Some(text)) => Value::Text(text),
            _ if value.is_undefined() => continue,
            _ if name == "prune" => {
                prune(&value, &mut options)?;
                continue;
            }
            _ => {
                return Err(Error::new(Code::InvalidOption, format!("option {name:?} does not take this"))
                    .with_expected("true or false, a number or a text")
                    .with_found(described(&value)));
            }
        };
        options.insert(name, known);
    }
    let id = id.ok_or_else(|| {
        Error::new(Code::InvalidArgument, "the scheme has no id")
            .with_expected("for example {id: \"int8\"}")
            .with_found("no text under id")
    })?;
    Scheme::new(&id, &options)
}

/// `{ratio}`, `{threshold}` or `{nm: [n, m]}` as the options that they stand for.
fn prune(value: &JsValue, options: &mut Options) -> Result<()> {
    let refuse = || {
        Error::new(Code::InvalidOption, "option \"prune\" does not take this")
            .with_expected("{ratio: 0.5}, {threshold: 0.01} or {nm: [2, 4]}")
            .with_found(described(value))
    };
    // `Object.entries` and `Array.from` throw at what they do not take, and what JavaScript throws must not pass through here.
    if !value.is_object() {
        return Err(refuse());
    }
    let entries = Object::entries(value.unchecked_ref());
    if entries.length() != 1 {
        return Err(refuse());
    }
    let pair = Array::from(&entries.get(0));
    let (name, rule) = (pair.get(0).as_string().unwrap_or_default(), pair.get(1));
    let (names, numbers): (&[&str], _) = match name.as_str() {
        "ratio" => (&["pruneRatio"], Array::of1(&rule)),
        "threshold" => (&["pruneThreshold"], Array::of1(&rule)),
        "nm" if Array::is_array(&rule) => (&["pruneN", "pruneM"], Array::from(&rule)),
        _ => return Err(refuse()),
    };
    let numbers = numbers.iter().map(|n| n.as_f64()).collect::<Option<Vec<f64>>>().ok_or_else(refuse)?;
    if numbers.len() != names.len() {
        return Err(refuse());
    }
    options.extend(names.iter().zip(numbers).map(|(name, n)| ((*name).to_owned(), Value::Number(n))));
    options.insert("prune".to_owned(), Value::Text(name));
    Ok(())
}

/// Reads a property: absent and `undefined` are `None`.
pub(super) fn property(options: &JsValue, name: &str) -> Option<JsValue> {
    if !options.is_object() {
        return None;
    }
    Reflect::get(options, &name.into()).ok().filter(|v| !v.is_undefined() && !v.is_null())
}

/// A whole number among options.
pub(super) fn whole(options: &JsValue, name: &str, most: f64) -> Result<Option<usize>> {
    let Some(value) = property(options, name) else {
        return Ok(None);
    };
    value.as_f64().filter(|n| n.fract() == 0.0 && (0.0..=most).contains(n)).map(|n| Some(n as usize)).ok_or_else(|| {
        Error::new(Code::InvalidArgument, format!("{name} does not take this"))
            .with_expected(format!("a whole number from 0 to {}", Number(most)))
            .with_found(described(&value))
    })
}

/// A finite number among options.
pub(super) fn number(options: &JsValue, name: &str) -> Result<Option<f64>> {
    let Some(value) = property(options, name) else {
        return Ok(None);
    };
    value.as_f64().filter(|n| n.is_finite()).map(Some).ok_or_else(|| {
        Error::new(Code::InvalidArgument, format!("{name} does not take this"))
            .with_expected("a finite number")
            .with_found(described(&value))
    })
}

/// A range `[lo, hi]` among options.
pub(super) fn range(options: &JsValue, name: &str) -> Result<Option<(f64, f64)>> {
    let Some(value) = property(options, name) else {
        return Ok(None);
    };
    let pair = items(&value).unwrap_or_default();
    let (lo, hi) = (pair.get(0).as_f64(), pair.get(1).as_f64());
    match (lo, hi, pair.length()) {
        (Some(lo), Some(hi), 2) if lo.is_finite() && hi.is_finite() && lo <= hi => Ok(Some((lo, hi))),
        _ => Err(Error::new(Code::InvalidArgument, format!("{name} does not take this"))
            .with_expected("[low, high], both finite, low not above high")
            .with_found(described(&value))),
    }
}

/// Refuses names that a call does not know.
pub(super) fn only(options: &JsValue, known: &[&str]) -> Result<()> {
    if !options.is_object() {
        return Ok(());
    }
    for name in Object::keys(options.unchecked_ref::<Object>()).iter().filter_map(|name| name.as_string()) {
        if !known.contains(&name.as_str()) {
            return Err(Error::new(Code::UnknownOption, format!("there is no option {name:?}"))
                .with_expected(format!("one of {}", known.join(", ")))
                .with_found(format!("{name:?}")));
        }
    }
    Ok(())
}

pub(super) fn histogram(h: &Histogram) -> JsValue {
    let counts: Vec<f64> = h.counts.iter().map(|&n| n as f64).collect();
    object([
        ("lo", f64::from(h.lo).into()),
        ("hi", f64::from(h.hi).into()),
        ("counts", Float64Array::from(counts.as_slice()).into()),
        ("below", (h.below as f64).into()),
        ("above", (h.above as f64).into()),
    ])
}

pub(super) fn metrics(m: &Metrics) -> JsValue {
    object([
        ("count", (m.count as f64).into()),
        ("mse", m.mse.into()),
        ("rmse", m.rmse.into()),
        ("mae", m.mae.into()),
        ("maxAbs", m.max_abs.into()),
        ("maxAbsIndex", m.max_abs_index.map_or(JsValue::NULL, |i| (i as f64).into())),
        ("sqnrDb", m.sqnr_db.into()),
        ("cosine", m.cosine.into()),
        ("zeroed", m.zeroed.into()),
        ("zerosBefore", (m.zeros_before as f64).into()),
        ("zerosAfter", (m.zeros_after as f64).into()),
    ])
}

pub(super) fn summary(s: &Summary) -> JsValue {
    let quantiles: Array =
        s.quantiles.iter().map(|&(q, value)| object([("q", q.into()), ("value", value.into())])).collect();
    let out = object([
        ("count", (s.count as f64).into()),
        ("min", f64::from(s.min).into()),
        ("max", f64::from(s.max).into()),
        ("absMax", f64::from(s.abs_max).into()),
        ("mean", s.mean.into()),
        ("std", s.std.into()),
        ("skewness", s.skewness.into()),
        ("kurtosis", s.kurtosis.into()),
        ("zeros", (s.zeros as f64).into()),
        ("nan", (s.nan as f64).into()),
        ("infinite", (s.infinite as f64).into()),
        ("quantiles", quantiles.into()),
        ("quantilesExact", true.into()),
    ]);
    if let Some(h) = &s.histogram {
        set(&out, "histogram", histogram(h));
    }
    if let Some(c) = &s.channels {
        let channels = object([
            ("axis", (c.axis as f64).into()),
            ("min", Float32Array::from(c.min.as_slice()).into()),
            ("max", Float32Array::from(c.max.as_slice()).into()),
        ]);
        set(&out, "channels", channels);
    }
    out
}
