//! What the JSON headers share: objects read key by key, strict string maps without duplicate keys, and errors that
//! keep their facts. An [`Object`] says what each of its keys takes; one visitor reads them all, which keeps
//! serde's generic code in the module to one copy.
//!
//! `serde_json` stops at 128 levels of nesting as long as values are visited recursively, so nothing here uses
//! `IgnoredAny`, which it skips without that limit.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::fmt;

use serde::de::{self, DeserializeSeed, Deserializer, MapAccess, SeqAccess, Unexpected, Visitor};

use super::excerpt;
use crate::error::{Code, Error, Number, Result};

/// Carries what serde's errors cannot: the whole [`Error`], and which tensor was being read.
#[derive(Debug, Default)]
pub(super) struct Context {
    refused: RefCell<Option<Error>>,
    tensor: RefCell<Option<String>>,
    depth: Cell<u32>,
    /// The bracket of an array or object that was refused as a whole.
    refused_at: Cell<Option<char>>,
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

    /// Parses all of `text`, which begins at byte `base` of the file, as one object.
    pub fn parse(&self, text: &[u8], base: u64, object: &mut dyn Object) -> Result<()> {
        let text = std::str::from_utf8(text).map_err(|e| {
            let at = e.valid_up_to();
            let byte = text.get(at).copied().unwrap_or_default();
            Error::new(Code::Malformed, "the header is not UTF-8")
                .with_offset(base + at as u64)
                .with_expected("UTF-8 text")
                .with_found(format_args!("byte 0x{byte:02x}"))
        })?;
        let mut json = serde_json::Deserializer::from_str(text);
        let seed = Seed { cx: self, want: Want::Object(object) };
        seed.deserialize(&mut json).map_err(|e| self.explain(text, base, &e))?;
        self.at_tensor(None);
        json.end().map_err(|e| self.explain(text, base, &e))
    }

    fn explain(&self, text: &str, base: u64, e: &serde_json::Error) -> Error {
        let mut error = self.refused.borrow_mut().take().unwrap_or_else(|| plain(e));
        if error.offset.is_none() {
            let mut at = position(text, e.line(), e.column());
            // The parser has entered what was refused as a whole, and may have looked for its end; the last byte
            // taken is the one before its bracket.
            if let Some(bracket) = self.refused_at.take() {
                at = text.get(..=at).and_then(|read| read.rfind(bracket)).map_or(at, |b| b.saturating_sub(1));
            }
            error.offset = Some(base + at as u64);
        }
        match self.tensor.borrow_mut().take() {
            Some(tensor) if error.tensor.is_none() => error.with_tensor(tensor),
            _ => error,
        }
    }
}

/// serde_json's own complaint: it is about syntax, values of the wrong kind are refused by [`Seed`].
fn plain(e: &serde_json::Error) -> Error {
    let text = e.to_string();
    let sentence = text.rsplit_once(" at line ").map_or(text.as_str(), |(s, _)| s);
    Error::new(Code::Malformed, "the header is not valid JSON").with_found(clip(sentence))
}

fn clip(text: &str) -> String {
    text.chars().take(160).collect()
}

/// The byte that serde_json means by a 1-based line and a column counted in bytes (0 before the line's first).
fn position(text: &str, line: usize, column: usize) -> usize {
    let start = match line {
        0 | 1 => 0,
        _ => text.bytes().enumerate().filter(|&(_, b)| b == b'\n').nth(line - 2).map_or(0, |(at, _)| at + 1),
    };
    (start + column.saturating_sub(1)).min(text.len())
}

/// The error for a second use of a key.
pub(super) fn duplicate(what: &str, key: &str) -> Error {
    Error::new(Code::Malformed, format!("the same {what} twice")).with_expected("unique keys").with_found(excerpt(key))
}

/// What a key takes.
pub(super) enum Want<'a> {
    /// A string.
    Text,
    /// An array of at most so many unsigned integers.
    Integers(usize),
    /// An object.
    Object(&'a mut dyn Object),
    /// Any value, dropped. Unlike serde's `IgnoredAny` it recurses, so the parser's limit on depth holds.
    Anything,
    /// An element of [`Want::Integers`].
    Integer,
}

/// What a key held.
pub(super) enum Got {
    Text(String),
    Integers(Vec<u64>),
    Integer(u64),
    /// An object, which has taken its keys itself, or what was dropped.
    Nothing,
}

/// An object that takes its keys one by one. An error stops the parse where it stands.
pub(super) trait Object {
    /// What it is, for errors.
    fn name(&self) -> &'static str;

    /// What this key takes; its value comes next.
    fn want(&mut self, key: &str) -> Result<Want<'_>>;

    /// Takes the value that was wanted.
    fn take(&mut self, key: String, value: Got) -> Result<()>;

    /// There are no more keys.
    fn end(&mut self) -> Result<()> {
        Ok(())
    }
}

/// An object of strings, each key once.
pub(super) struct StringMap {
    pub entries: BTreeMap<String, String>,
    /// What a key is, for the message.
    pub key: &'static str,
}

impl StringMap {
    pub fn new(key: &'static str) -> Self {
        StringMap { entries: BTreeMap::new(), key }
    }
}

impl Object for StringMap {
    fn name(&self) -> &'static str {
        "an object of strings"
    }

    fn want(&mut self, key: &str) -> Result<Want<'_>> {
        if self.entries.contains_key(key) { Err(duplicate(self.key, key)) } else { Ok(Want::Text) }
    }

    fn take(&mut self, key: String, value: Got) -> Result<()> {
        if let Got::Text(value) = value {
            self.entries.insert(key, value);
        }
        Ok(())
    }
}

/// An object whose keys do not matter.
struct Ignored;

impl Object for Ignored {
    fn name(&self) -> &'static str {
        "any value"
    }

    fn want(&mut self, _: &str) -> Result<Want<'_>> {
        Ok(Want::Anything)
    }

    fn take(&mut self, _: String, _: Got) -> Result<()> {
        Ok(())
    }
}

/// Reads one value as what is wanted there.
struct Seed<'c, 'w> {
    cx: &'c Context,
    want: Want<'w>,
}

impl Seed<'_, '_> {
    fn takes_anything(&self) -> bool {
        matches!(self.want, Want::Anything)
    }

    /// What comes of a value that only [`Want::Anything`] takes.
    fn dropped<E: de::Error>(self, found: Unexpected<'_>) -> std::result::Result<Got, E> {
        if self.takes_anything() { Ok(Got::Nothing) } else { Err(self.wrong(found)) }
    }

    #[cold]
    #[inline(never)]
    fn wrong<E: de::Error>(self, found: Unexpected<'_>) -> E {
        let expected = match self.want {
            Want::Text => "a string",
            Want::Integers(_) => "an array of unsigned integers",
            Want::Integer => "u64",
            Want::Object(object) => object.name(),
            Want::Anything => "any value",
        };
        self.cx.refused_at.set(match found {
            Unexpected::Seq => Some('['),
            Unexpected::Map => Some('{'),
            _ => None,
        });
        let error = Error::new(Code::Malformed, "the header holds a value of the wrong kind");
        self.cx.refuse(error.with_expected(expected).with_found(clip(&named(found))))
    }
}

/// What stood there. serde's own words for it would bring the printing of floats.
fn named(found: Unexpected<'_>) -> String {
    match found {
        Unexpected::Bool(v) => format!("boolean `{v}`"),
        Unexpected::Unsigned(v) => format!("integer `{v}`"),
        Unexpected::Signed(v) => format!("integer `{v}`"),
        Unexpected::Str(v) => format!("string {v:?}"),
        Unexpected::Seq => "sequence".to_owned(),
        Unexpected::Map => "map".to_owned(),
        Unexpected::Other(v) => v.to_owned(),
        _ => "another value".to_owned(),
    }
}

/// A number that is no integer.
fn floating(v: f64) -> String {
    let digits = Number(v).to_string();
    let point = if v.fract() == 0.0 && !digits.contains('e') { ".0" } else { "" };
    format!("floating point `{digits}{point}`")
}

impl<'de> DeserializeSeed<'de> for Seed<'_, '_> {
    type Value = Got;

    fn deserialize<D: Deserializer<'de>>(self, d: D) -> std::result::Result<Got, D::Error> {
        const MAX_DEPTH: u32 = 64;
        if !self.takes_anything() {
            return d.deserialize_any(self);
        }
        let cx = self.cx;
        let depth = cx.depth.get() + 1;
        if depth > MAX_DEPTH {
            let error = Error::new(Code::Malformed, "the header is nested too deeply")
                .with_expected(format_args!("at most {MAX_DEPTH} levels"));
            return Err(cx.refuse(error));
        }
        cx.depth.set(depth);
        let result = d.deserialize_any(self);
        cx.depth.set(depth - 1);
        result
    }
}

impl<'de> Visitor<'de> for Seed<'_, '_> {
    type Value = Got;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("what the header takes here")
    }

    fn visit_bool<E: de::Error>(self, v: bool) -> std::result::Result<Got, E> {
        self.dropped(Unexpected::Bool(v))
    }

    fn visit_i64<E: de::Error>(self, v: i64) -> std::result::Result<Got, E> {
        self.dropped(Unexpected::Signed(v))
    }

    fn visit_u64<E: de::Error>(self, v: u64) -> std::result::Result<Got, E> {
        if matches!(self.want, Want::Integer) { Ok(Got::Integer(v)) } else { self.dropped(Unexpected::Unsigned(v)) }
    }

    fn visit_f64<E: de::Error>(self, v: f64) -> std::result::Result<Got, E> {
        if self.takes_anything() { Ok(Got::Nothing) } else { Err(self.wrong(Unexpected::Other(&floating(v)))) }
    }

    fn visit_str<E: de::Error>(self, v: &str) -> std::result::Result<Got, E> {
        if matches!(self.want, Want::Text) { Ok(Got::Text(v.to_owned())) } else { self.dropped(Unexpected::Str(v)) }
    }

    fn visit_unit<E: de::Error>(self) -> std::result::Result<Got, E> {
        self.dropped(Unexpected::Other("null"))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> std::result::Result<Got, A::Error> {
        let cx = self.cx;
        let (max, mut out) = match self.want {
            Want::Integers(max) => (max, Vec::new()),
            Want::Anything => {
                while seq.next_element_seed(Seed { cx, want: Want::Anything })?.is_some() {}
                return Ok(Got::Nothing);
            }
            _ => return Err(self.wrong(Unexpected::Seq)),
        };
        while let Some(n) = seq.next_element_seed(Seed { cx, want: Want::Integer })? {
            if out.len() == max {
                let error = Error::new(Code::Malformed, "the array of integers is too long")
                    .with_expected(format_args!("at most {max}"))
                    .with_found("more");
                return Err(cx.refuse(error));
            }
            if let Got::Integer(n) = n {
                out.push(n);
            }
        }
        Ok(Got::Integers(out))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> std::result::Result<Got, A::Error> {
        let cx = self.cx;
        let mut ignored = Ignored;
        let object: &mut dyn Object = match self.want {
            Want::Object(object) => object,
            Want::Anything => &mut ignored,
            _ => return Err(self.wrong(Unexpected::Map)),
        };
        while let Some(key) = map.next_key::<String>()? {
            let want = object.want(&key).map_err(|e| cx.refuse(e))?;
            let value = map.next_value_seed(Seed { cx, want })?;
            object.take(key, value).map_err(|e| cx.refuse(e))?;
        }
        object.end().map_err(|e| cx.refuse(e))?;
        Ok(Got::Nothing)
    }
}
