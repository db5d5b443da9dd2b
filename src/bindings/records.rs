//! The crate's records as JavaScript objects, field by field: names in camelCase, what is absent `null` or left out. Written out
//! and not derived, because serde's way to a `JsValue` costs the module 6 KB.

use js_sys::{Array, Uint8Array};
use wasm_bindgen::prelude::*;

use super::convert::{object, set};
use crate::plan::{Reason, Suggestion};
use crate::quant::{
    BitField, Block, Entry, Kind, OptionSpec, Options, RunInfo, Scheme, Step, Trace, Value, When, catalogue,
};

/// An array of what `f` makes of each item.
fn array<T>(items: &[T], f: fn(&T) -> JsValue) -> JsValue {
    let out = Array::new();
    for item in items {
        out.push(&f(item));
    }
    out.into()
}

fn number(x: &f64) -> JsValue {
    (*x).into()
}

/// A scheme as `schemes` lists it.
pub(super) fn entry(e: &Entry) -> JsValue {
    object([
        ("id", e.id.into()),
        ("title", e.title.into()),
        ("family", e.family.into()),
        ("bits", e.bits.map_or(JsValue::NULL, Into::into)),
        ("blockSize", e.block_size.map_or(JsValue::NULL, Into::into)),
        ("summary", e.summary.into()),
        ("source", object([("title", e.source.title.into()), ("url", e.source.url.into())])),
        ("options", e.all_options().map(option).collect::<Array>().into()),
    ])
}

/// All schemes.
pub(super) fn entries() -> JsValue {
    catalogue().map(entry).collect::<Array>().into()
}

fn option(o: &OptionSpec) -> JsValue {
    let out = object([("name", o.name.into()), ("title", o.title.into()), ("help", o.help.into())]);
    let kind = |kind: &str, default: JsValue| {
        set(&out, "kind", kind);
        set(&out, "default", default);
    };
    let limits = |min: f64, max: f64| {
        set(&out, "min", min);
        set(&out, "max", max);
    };
    match o.kind {
        Kind::Flag { default } => kind("flag", default.into()),
        Kind::Choice { default, values } => {
            kind("choice", default.into());
            set(&out, "values", array(values, |v| object([("value", v.value.into()), ("title", v.title.into())])));
        }
        Kind::Integer { default, min, max, suggestions } => {
            kind("integer", default.into());
            limits(min, max);
            if !suggestions.is_empty() {
                set(&out, "suggestions", array(suggestions, number));
            }
        }
        Kind::Number { default, min, max, step, unit } => {
            kind("number", default.into());
            limits(min, max);
            if let Some(step) = step {
                set(&out, "step", step);
            }
            if let Some(unit) = unit {
                set(&out, "unit", unit);
            }
        }
    }
    if let Some(when) = o.when {
        let (name, value) = match when {
            When::On(name) => (name, JsValue::TRUE),
            When::Is(name, value) => (name, value.into()),
        };
        set(&out, "when", object([(name, Array::of1(&value).into())]));
    }
    out
}

/// `{id, ...options}`.
fn scheme_of(id: &str, options: &Options) -> JsValue {
    let out = object([("id", id.into())]);
    for (name, value) in options {
        match value {
            Value::Flag(flag) => set(&out, name, *flag),
            Value::Number(n) => set(&out, name, *n),
            Value::Text(text) => set(&out, name, text.as_str()),
        }
    }
    out
}

/// `{id, ...options}` with every option.
pub(super) fn scheme(scheme: &Scheme) -> JsValue {
    scheme_of(scheme.id(), scheme.options().values())
}

/// What `suggest` gives.
pub(super) fn suggestion(s: &Suggestion) -> JsValue {
    let reason = |r: &Reason| {
        object([("code", r.code.into()), ("text", r.text.as_str().into()), ("facts", array(&r.facts, number))])
    };
    object([("scheme", scheme_of(&s.id, &s.options)), ("reasons", array(&s.reasons, reason))])
}

/// A run of weights that share a scale.
pub(super) fn run(r: &RunInfo) -> JsValue {
    object([
        ("index", (r.index as f64).into()),
        ("label", r.label.as_str().into()),
        ("count", (r.count as f64).into()),
        ("scale", r.scale.into()),
        ("zeroPoint", r.zero_point.into()),
        ("low", r.low.into()),
        ("high", r.high.into()),
    ])
}

fn step(s: &Step) -> JsValue {
    let out = object([("op", s.op.into()), ("title", s.title.into()), ("value", s.value.into())]);
    if let Some(operand) = s.operand {
        set(&out, "operand", operand);
    }
    out
}

/// The way of one weight.
pub(super) fn trace(t: &Trace) -> JsValue {
    let field =
        |f: &BitField| object([("part", (f.part as f64).into()), ("bit", f.bit.into()), ("bits", f.bits.into())]);
    let block = |b: &Block| {
        let parts = array(b.parts, |p| object([("name", p.name.into()), ("bytes", (p.bytes as f64).into())]));
        object([
            ("offset", (b.offset as f64).into()),
            ("weights", (b.weights as f64).into()),
            ("bytes", Uint8Array::from(b.bytes.as_slice()).into()),
            ("parts", parts),
            ("fields", array(&b.fields, field)),
        ])
    };
    object([
        ("index", (t.index as f64).into()),
        ("value", t.value.into()),
        ("floatBits", t.float_bits.into()),
        ("run", run(&t.run)),
        ("steps", array(&t.steps, step)),
        ("code", t.code.map_or(JsValue::NULL, Into::into)),
        ("bits", t.bits.as_str().into()),
        ("byteOffset", (t.byte_offset as f64).into()),
        ("bitOffset", t.bit_offset.into()),
        ("back", t.back.into()),
        ("error", t.error.into()),
        ("block", t.block.as_ref().map_or(JsValue::NULL, block)),
    ])
}
