//! The wasm-bindgen face: convert, call, convert back.

pub mod formats;

use js_sys::Reflect;
use wasm_bindgen::JsValue;

use crate::error::Error;

/// A JavaScript `Error` with the facts as properties.
fn js_error(e: Error) -> JsValue {
    let error = JsValue::from(js_sys::Error::new(&e.to_string()));
    let set = |key: &str, value: JsValue| Reflect::set(&error, &key.into(), &value).unwrap_or_default();
    set("code", e.code.as_str().into());
    let facts = [("tensor", &e.tensor), ("expected", &e.expected), ("found", &e.found)];
    for (key, value) in facts {
        if let Some(value) = value {
            set(key, value.into());
        }
    }
    if let Some(offset) = e.offset {
        set("offset", (offset as f64).into());
    }
    error
}
