//! The wire format of protocol buffers: <https://protobuf.dev/programming-guides/encoding/>. Nothing of ONNX is known here.

use std::cell::Cell;
use std::ops::Range;

use crate::error::{Code, Error, Result};

/// The most bytes that a tag and what follows it (a number, or a length) can take.
pub(super) const MAX_HEADER: u64 = 20;

/// One field of a message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Field {
    pub(super) number: u32,
    pub(super) value: Value,
    /// From its tag to its end.
    pub(super) whole: Range<u64>,
}

/// What a field holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Value {
    Varint(u64),
    Fixed32(u32),
    Fixed64(u64),
    /// A length, and these bytes of the file: a string, a message, or packed numbers.
    Bytes(Range<u64>),
}

impl Value {
    fn name(&self) -> &'static str {
        match self {
            Value::Varint(_) => "a varint",
            Value::Fixed32(_) => "4 bytes",
            Value::Fixed64(_) => "8 bytes",
            Value::Bytes(_) => "bytes with a length",
        }
    }
}

impl Field {
    /// The bytes of a string, a message or packed numbers.
    pub(super) fn bytes(&self, what: &str) -> Result<Range<u64>> {
        match &self.value {
            Value::Bytes(bytes) => Ok(bytes.clone()),
            other => Err(self.wrong(what, "bytes with a length", other)),
        }
    }

    /// A number, as the bits of its 64.
    pub(super) fn varint(&self, what: &str) -> Result<u64> {
        match &self.value {
            Value::Varint(n) => Ok(*n),
            other => Err(self.wrong(what, "a varint", other)),
        }
    }

    fn wrong(&self, what: &str, expected: &str, found: &Value) -> Error {
        Error::new(Code::Malformed, format!("{what} is not stored as it must be"))
            .with_offset(self.whole.start)
            .with_expected(expected)
            .with_found(found.name())
    }
}

/// Reads a varint at the start of `bytes`: its value and its length; `None` when the bytes end inside it.
pub(super) fn varint(bytes: &[u8], at: u64) -> Result<Option<(u64, usize)>> {
    let mut value = 0u64;
    for (i, &byte) in bytes.iter().enumerate().take(10) {
        // The tenth byte holds bit 63 alone.
        if i == 9 && byte > 1 {
            return Err(Error::new(Code::Malformed, "a number is too long")
                .with_offset(at)
                .with_expected("a varint of 64 bits")
                .with_found(format_args!("tenth byte 0x{byte:02x}")));
        }
        value |= u64::from(byte & 0x7f) << (7 * i);
        if byte < 0x80 {
            return Ok(Some((value, i + 1)));
        }
    }
    Ok(None)
}

/// Reads the field that begins with `bytes` at offset `at` of a message that ends at `end`. `bytes` are the first [`MAX_HEADER`] of it,
/// or all that the message has left. `is_file`: the message is the file itself, which then ends early.
pub(super) fn field(bytes: &[u8], at: u64, end: u64, is_file: bool) -> Result<Field> {
    let early = || {
        let (code, message) = if is_file {
            (Code::Truncated, "the file ends inside a field")
        } else {
            (Code::Malformed, "a field runs past the message that holds it")
        };
        Error::new(code, message).with_offset(at)
    };
    let ended = || early().with_expected("a tag and what it announces").with_found(format_args!("{} bytes", end - at));
    let (tag, tag_len) = varint(bytes, at)?.ok_or_else(ended)?;
    let number = u32::try_from(tag >> 3).ok().filter(|n| (1..1 << 29).contains(n)).ok_or_else(|| {
        Error::new(Code::Malformed, "a field has a number that no field can have")
            .with_offset(at)
            .with_expected("1 to 536870911")
            .with_found(tag >> 3)
    })?;
    let rest = &bytes[tag_len..];
    let start = at + tag_len as u64;
    let (value, stop) = match tag & 7 {
        0 => {
            let (value, len) = varint(rest, start)?.ok_or_else(ended)?;
            (Value::Varint(value), start + len as u64)
        }
        1 => (Value::Fixed64(u64::from_le_bytes(*rest.first_chunk().ok_or_else(ended)?)), start + 8),
        5 => (Value::Fixed32(u32::from_le_bytes(*rest.first_chunk().ok_or_else(ended)?)), start + 4),
        2 => {
            let (len, len_len) = varint(rest, start)?.ok_or_else(ended)?;
            let body = start + len_len as u64;
            if len > end - body {
                return Err(early()
                    .with_expected(format_args!("{len} bytes of field {number}"))
                    .with_found(format_args!("{} bytes", end - body)));
            }
            (Value::Bytes(body..body + len), body + len)
        }
        other => {
            return Err(Error::new(Code::Malformed, "a field is stored in a way that ONNX never uses")
                .with_offset(at)
                .with_expected("wire type 0, 1, 2 or 5")
                .with_found(format_args!("wire type {other}")));
        }
    };
    Ok(Field { number, value, whole: at..stop })
}

/// What has been read of a file: runs of its bytes, in order, with what was skipped left out.
#[derive(Debug, Default)]
pub(super) struct Held {
    runs: Vec<(u64, Vec<u8>)>,
    total: u64,
    /// Bytes that numbers of varying length became.
    decoded: Cell<u64>,
}

impl Held {
    /// Keeps bytes that lie behind all that is held.
    pub(super) fn push(&mut self, at: u64, bytes: &[u8]) -> Result<()> {
        if bytes.is_empty() {
            return Ok(());
        }
        self.total += bytes.len() as u64;
        let short = |_| Error::new(Code::OutOfMemory, "not enough memory for the model's graph").with_offset(at);
        match self.runs.last_mut() {
            Some((start, run)) if *start + run.len() as u64 == at => {
                run.try_reserve(bytes.len()).map_err(short)?;
                run.extend_from_slice(bytes);
            }
            _ => {
                let mut run = Vec::new();
                run.try_reserve(bytes.len()).map_err(short)?;
                run.extend_from_slice(bytes);
                self.runs.push((at, run));
            }
        }
        Ok(())
    }

    /// How many bytes are held.
    pub(super) fn total(&self) -> u64 {
        self.total
    }

    /// Counts bytes that numbers of varying length become; says how many there are of all tensors so far.
    pub(super) fn decoded(&self, bytes: u64) -> u64 {
        let all = self.decoded.get().saturating_add(bytes);
        self.decoded.set(all);
        all
    }

    /// The held bytes from `at` on, none where it was skipped.
    fn from(&self, at: u64) -> &[u8] {
        let before = self.runs.partition_point(|(start, _)| *start <= at);
        let Some((start, run)) = before.checked_sub(1).map(|i| &self.runs[i]) else { return &[] };
        usize::try_from(at - start).ok().and_then(|skip| run.get(skip..)).unwrap_or_default()
    }

    /// These bytes, if they are held.
    pub(super) fn get(&self, range: &Range<u64>) -> Option<&[u8]> {
        let len = usize::try_from(range.end - range.start).ok()?;
        self.from(range.start).get(..len)
    }

    /// The fields of the message in `range`.
    pub(super) fn fields(&self, range: Range<u64>) -> Fields<'_> {
        Fields { held: self, at: range.start, end: range.end }
    }
}

/// The fields of a message, in order; ends after the first error.
pub(super) struct Fields<'a> {
    held: &'a Held,
    at: u64,
    end: u64,
}

impl Iterator for Fields<'_> {
    type Item = Result<Field>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.at >= self.end {
            return None;
        }
        let bytes = self.held.from(self.at);
        let most = (self.end - self.at).min(MAX_HEADER).min(bytes.len() as u64) as usize;
        let field = field(&bytes[..most], self.at, self.end, false);
        self.at = field.as_ref().map_or(self.end, |field| field.whole.end);
        Some(field)
    }
}
