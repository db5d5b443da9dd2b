//! What the JSON headers share: strict string maps without duplicate keys, and errors that keep their facts.
//!
//! `serde_json` stops at 128 levels of nesting as long as values are visited recursively, so nothing here uses
//! `IgnoredAny`, which it skips without that limit.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::fmt;

use serde::de::{self, DeserializeSeed, Deserializer, MapAccess, SeqAccess, Visitor};

use super::excerpt;
use crate::error::{Code, Error, Result};

/// Carries what serde's errors cannot: the whole [`Error`], and which tensor was being read.
#[derive(Debug, Default)]
pub(super) struct Context {
    refused: RefCell<Option<Error>>,
    tensor: RefCell<Option<String>>,
    depth: Cell<u32>,
}

impl Context {
    /// Stops the parse with this error; its offset is filled in from the place where the parse stopped.
    pub fn refuse<E: de::Error>(&self, error: Error) -> E {
        *self.refused.borrow_mut() = Some(error);
        E::custom("refused")
    }

    /// Errors from here on are about this tensor.
    pub fn at_tensor(&self, name: Option<&str>) {
        *self.tensor.borrow_mut() = name.map(str::to_owned);
    }

    /// Parses all of `text`, which begins at byte `base` of the file, as one value.
    pub fn parse<'de, S: DeserializeSeed<'de>>(&self, text: &'de [u8], base: u64, seed: S) -> Result<S::Value> {
        let text = std::str::from_utf8(text).map_err(|e| {
            let at = e.valid_up_to();
            let byte = text.get(at).copied().unwrap_or_default();
            Error::new(Code::Malformed, "the header is not UTF-8")
                .with_offset(base + at as u64)
                .with_expected("UTF-8 text")
                .with_found(format_args!("byte 0x{byte:02x}"))
        })?;
        let mut json = serde_json::Deserializer::from_str(text);
        let value = seed.deserialize(&mut json).map_err(|e| self.explain(text, base, &e))?;
        self.at_tensor(None);
        json.end().map_err(|e| self.explain(text, base, &e))?;
        Ok(value)
    }

    fn explain(&self, text: &str, base: u64, e: &serde_json::Error) -> Error {
        let mut error = self.refused.borrow_mut().take().unwrap_or_else(|| plain(e));
        if error.offset.is_none() {
            error.offset = Some(base + position(text, e.line(), e.column()));
        }
        if error.tensor.is_none() {
            error.tensor = self.tensor.borrow_mut().take();
        }
        error
    }
}

/// serde's own complaint, its sentence taken apart into facts where it has them.
fn plain(e: &serde_json::Error) -> Error {
    let text = e.to_string();
    let sentence = text.rsplit_once(" at line ").map_or(text.as_str(), |(s, _)| s);
    let clipped: String = sentence.chars().take(160).collect();
    if e.is_data()
        && let Some((found, expected)) = clipped
            .strip_prefix("invalid ")
            .and_then(|s| s.split_once(": "))
            .and_then(|(_, s)| s.split_once(", expected "))
    {
        return Error::new(Code::Malformed, "the header holds a value of the wrong kind")
            .with_expected(expected)
            .with_found(found);
    }
    Error::new(Code::Malformed, "the header is not valid JSON").with_found(clipped)
}

/// The byte that serde_json means by a 1-based line and a column counted in bytes (0 before the line's first).
fn position(text: &str, line: usize, column: usize) -> u64 {
    let start = match line {
        0 | 1 => 0,
        _ => text.bytes().enumerate().filter(|&(_, b)| b == b'\n').nth(line - 2).map_or(0, |(at, _)| at + 1),
    };
    (start + column.saturating_sub(1)).min(text.len()) as u64
}

/// The error for a second use of a key.
pub(super) fn duplicate(what: &str, key: &str) -> Error {
    Error::new(Code::Malformed, format!("the same {what} twice")).with_expected("unique keys").with_found(excerpt(key))
}

/// An object of strings, each key once.
pub(super) struct StringMap<'c> {
    pub cx: &'c Context,
    /// What a key is, for the message.
    pub key: &'static str,
}

impl<'de> DeserializeSeed<'de> for StringMap<'_> {
    type Value = BTreeMap<String, String>;

    fn deserialize<D: Deserializer<'de>>(self, d: D) -> std::result::Result<Self::Value, D::Error> {
        d.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for StringMap<'_> {
    type Value = BTreeMap<String, String>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object of strings")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> std::result::Result<Self::Value, A::Error> {
        let mut out = BTreeMap::new();
        while let Some(key) = map.next_key::<String>()? {
            if out.contains_key(&key) {
                return Err(self.cx.refuse(duplicate(self.key, &key)));
            }
            let value = map.next_value::<String>()?;
            out.insert(key, value);
        }
        Ok(out)
    }
}

/// Any value, dropped. Unlike serde's `IgnoredAny` it recurses, so the parser's limit on depth holds.
pub(super) struct Skip<'c>(pub &'c Context);

impl<'de> DeserializeSeed<'de> for Skip<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, d: D) -> std::result::Result<(), D::Error> {
        const MAX_DEPTH: u32 = 64;
        let depth = self.0.depth.get() + 1;
        if depth > MAX_DEPTH {
            let error = Error::new(Code::Malformed, "the header is nested too deeply")
                .with_expected(format_args!("at most {MAX_DEPTH} levels"));
            return Err(self.0.refuse(error));
        }
        self.0.depth.set(depth);
        let result = d.deserialize_any(Skip(self.0));
        self.0.depth.set(depth - 1);
        result
    }
}

impl<'de> Visitor<'de> for Skip<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("any value")
    }

    fn visit_bool<E>(self, _: bool) -> std::result::Result<(), E> {
        Ok(())
    }

    fn visit_i64<E>(self, _: i64) -> std::result::Result<(), E> {
        Ok(())
    }

    fn visit_u64<E>(self, _: u64) -> std::result::Result<(), E> {
        Ok(())
    }

    fn visit_f64<E>(self, _: f64) -> std::result::Result<(), E> {
        Ok(())
    }

    fn visit_str<E>(self, _: &str) -> std::result::Result<(), E> {
        Ok(())
    }

    fn visit_unit<E>(self) -> std::result::Result<(), E> {
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> std::result::Result<(), A::Error> {
        while seq.next_element_seed(Skip(self.0))?.is_some() {}
        Ok(())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> std::result::Result<(), A::Error> {
        while map.next_key::<String>()?.is_some() {
            map.next_value_seed(Skip(self.0))?;
        }
        Ok(())
    }
}
