//! GGUF, versions 2 and 3, little-endian: <https://github.com/ggml-org/ggml/blob/master/docs/gguf.md>, and where it is silent the rules
//! of llama.cpp's own reader (`ggml/src/gguf.cpp`), which are the stricter ones.
//!
//! A file is a header and data. The header holds typed keys (the architecture, the tokenizer, notes), then for each tensor its name, its
//! dimensions (innermost first: here they are turned), its type and its offset in the data. Every offset is the padded sum of the sizes
//! before it. What a key is lies here; [`read`] parses, [`write`](mod@write) makes headers.

#[cfg(feature = "full")]
pub(super) mod read;
#[cfg(feature = "full")]
pub mod write;

use std::ops::Range;

/// The first bytes of every file, whatever its byte order.
pub(super) const MAGIC: &[u8] = b"GGUF";

/// Tensors are aligned to this unless [`ALIGNMENT_KEY`] says otherwise.
pub const DEFAULT_ALIGNMENT: u32 = 32;

/// The key that gives the alignment, a u32.
pub const ALIGNMENT_KEY: &str = "general.alignment";

/// The most dimensions of a tensor (`GGML_MAX_DIMS`).
pub const MAX_DIMS: usize = 4;

/// The longest name of a tensor in bytes (`GGML_MAX_NAME` with its final zero).
pub const MAX_NAME_BYTES: usize = 63;

/// The longest key in bytes, by the specification.
pub const MAX_KEY_BYTES: usize = 65_535;

/// What the header says besides its tensors.
#[derive(Debug, Clone, PartialEq)]
pub struct Header {
    /// 2 or 3.
    pub version: u32,
    /// What tensors are aligned to in the file: a power of two.
    pub alignment: u32,
    /// Where the header ends and the data begins, padding included.
    pub data_start: u64,
    /// Every key, in the order of the file.
    pub keys: Vec<Key>,
}

/// One key and its value.
#[derive(Debug, Clone, PartialEq)]
pub struct Key {
    /// Its name.
    pub name: String,
    /// Where the pair lies in the file, from the length before its name to the last byte of its value: a writer may copy it as it is.
    pub bytes: Range<u64>,
    /// What it says.
    pub value: Value,
}

/// The value of a key, as far as it is kept.
#[derive(Debug, Clone, PartialEq)]
pub enum Value {
    /// Of the types u8 … u64.
    Unsigned(ValueType, u64),
    /// Of the types i8 … i64.
    Signed(ValueType, i64),
    /// An f32.
    F32(f32),
    /// An f64.
    F64(f64),
    /// A truth value.
    Bool(bool),
    /// Text; where it is longer than [`MAX_TEXT_BYTES`], nothing but its length is kept.
    Text(Text),
    /// So many elements of one type.
    Array(Array),
}

/// The longest text that is kept.
pub const MAX_TEXT_BYTES: u64 = 64 << 10;

/// The most numbers of an array that are kept: enough for a value for each layer.
pub const MAX_ARRAY_KEPT: u64 = 1024;

/// Text of a key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Text {
    /// The text; bytes that are no UTF-8 are replaced by U+FFFD.
    Kept(String),
    /// So many bytes of text.
    Long(u64),
}

/// An array of a key.
#[derive(Debug, Clone, PartialEq)]
pub struct Array {
    /// The type of its elements, which is no array.
    pub of: ValueType,
    /// How many.
    pub len: u64,
    /// Its numbers, as far as they are whole and at most [`MAX_ARRAY_KEPT`]; empty otherwise.
    pub integers: Vec<i64>,
    /// Short arrays in words, as metadata shows them.
    pub(super) shown: Option<String>,
}

/// The types of values, by their numbers in the file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(missing_docs, reason = "the names are the definition")]
pub enum ValueType {
    U8 = 0,
    I8 = 1,
    U16 = 2,
    I16 = 3,
    U32 = 4,
    I32 = 5,
    F32 = 6,
    Bool = 7,
    Text = 8,
    Array = 9,
    U64 = 10,
    I64 = 11,
    F64 = 12,
}

impl ValueType {
    const ALL: [ValueType; 13] = [
        ValueType::U8,
        ValueType::I8,
        ValueType::U16,
        ValueType::I16,
        ValueType::U32,
        ValueType::I32,
        ValueType::F32,
        ValueType::Bool,
        ValueType::Text,
        ValueType::Array,
        ValueType::U64,
        ValueType::I64,
        ValueType::F64,
    ];

    /// The type of this number.
    #[must_use]
    pub fn numbered(number: u32) -> Option<ValueType> {
        ValueType::ALL.get(number as usize).copied()
    }

    /// The number in the file.
    #[must_use]
    pub fn number(self) -> u32 {
        self as u32
    }

    /// Bytes of one value; none for text and arrays, which vary.
    #[must_use]
    pub fn size(self) -> Option<u64> {
        match self {
            ValueType::U8 | ValueType::I8 | ValueType::Bool => Some(1),
            ValueType::U16 | ValueType::I16 => Some(2),
            ValueType::U32 | ValueType::I32 | ValueType::F32 => Some(4),
            ValueType::U64 | ValueType::I64 | ValueType::F64 => Some(8),
            ValueType::Text | ValueType::Array => None,
        }
    }

    /// What many of them are called.
    #[must_use]
    pub fn plural(self) -> &'static str {
        match self {
            ValueType::Text => "strings",
            ValueType::Bool => "truth values",
            ValueType::F32 | ValueType::F64 => "floats",
            ValueType::Array => "arrays",
            _ => "integers",
        }
    }
}

impl Header {
    /// The value of this key.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&Value> {
        self.keys.iter().find(|key| key.name == name).map(|key| &key.value)
    }

    /// The text of this key, where it is text and kept.
    #[must_use]
    pub fn text(&self, name: &str) -> Option<&str> {
        match self.get(name)? {
            Value::Text(Text::Kept(text)) => Some(text),
            _ => None,
        }
    }

    /// The whole number of this key.
    #[must_use]
    pub fn integer(&self, name: &str) -> Option<i64> {
        self.get(name)?.integer()
    }

    /// The fraction of this key.
    #[must_use]
    pub fn float(&self, name: &str) -> Option<f64> {
        match self.get(name)? {
            Value::F32(value) => Some(f64::from(*value)),
            Value::F64(value) => Some(*value),
            _ => None,
        }
    }

    /// The texts of this key's array, which the header steps over: `head` is the beginning of the file, with the header whole.
    ///
    /// # Errors
    /// `malformed` when the key is missing, no array of texts, or not in `head` as the header found it.
    #[cfg(feature = "full")]
    pub fn texts<'a>(&self, name: &str, head: &'a [u8]) -> crate::Result<Vec<&'a str>> {
        let refuse = || crate::Error::new(crate::Code::Malformed, format!("the header has no array of texts {name}"));
        let key = self.keys.iter().find(|key| key.name == name).ok_or_else(refuse)?;
        let Value::Array(Array { of: ValueType::Text, len, .. }) = key.value else { return Err(refuse()) };
        let range =
            usize::try_from(key.bytes.start).ok().zip(usize::try_from(key.bytes.end).ok()).ok_or_else(refuse)?;
        // Before the texts: the name with its length, two types, a count.
        let pair = head.get(range.0..range.1).ok_or_else(refuse)?;
        let mut rest = pair.get(8 + name.len() + 4 + 4 + 8..).ok_or_else(refuse)?;
        let mut texts = Vec::new();
        for _ in 0..len {
            let (size, after) = rest.split_first_chunk().ok_or_else(refuse)?;
            let size = usize::try_from(u64::from_le_bytes(*size)).map_err(|_| refuse())?;
            let (text, after) = after.split_at_checked(size).ok_or_else(refuse)?;
            texts.push(std::str::from_utf8(text).map_err(|_| refuse())?);
            rest = after;
        }
        Ok(texts)
    }

    /// The whole number of this key for layer 0: keys about layers hold one for all, or an array.
    #[must_use]
    pub fn first_integer(&self, name: &str) -> Option<i64> {
        match self.get(name)? {
            Value::Array(array) => array.integers.first().copied(),
            value => value.integer(),
        }
    }

    /// `general.architecture`.
    #[must_use]
    pub fn architecture(&self) -> Option<&str> {
        self.text("general.architecture")
    }
}

impl Value {
    /// Its type in the file.
    #[must_use]
    pub fn value_type(&self) -> ValueType {
        match self {
            Value::Unsigned(kind, _) | Value::Signed(kind, _) => *kind,
            Value::F32(_) => ValueType::F32,
            Value::F64(_) => ValueType::F64,
            Value::Bool(_) => ValueType::Bool,
            Value::Text(_) => ValueType::Text,
            Value::Array(_) => ValueType::Array,
        }
    }

    /// A whole number, where it is one that 64 bits with a sign hold.
    #[must_use]
    pub fn integer(&self) -> Option<i64> {
        match self {
            Value::Unsigned(_, n) => i64::try_from(*n).ok(),
            Value::Signed(_, n) => Some(*n),
            _ => None,
        }
    }

    /// In words, as metadata shows it.
    #[cfg(feature = "full")]
    pub(super) fn shown(&self) -> String {
        match self {
            Value::Unsigned(_, n) => n.to_string(),
            Value::Signed(_, n) => n.to_string(),
            Value::F32(x) => x.to_string(),
            Value::F64(x) => x.to_string(),
            Value::Bool(b) => b.to_string(),
            Value::Text(Text::Kept(text)) => text.clone(),
            Value::Text(Text::Long(len)) => format!("[{len} bytes of text]"),
            Value::Array(Array { shown: Some(shown), .. }) => shown.clone(),
            Value::Array(Array { of, len, .. }) => format!("[{len} {}]", of.plural()),
        }
    }
}
