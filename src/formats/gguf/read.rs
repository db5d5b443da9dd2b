//! The parser. It takes the header piece by piece and holds only what has not been understood yet: a tokenizer's strings are stepped
//! over as they come, long arrays of numbers and long texts are never read at all.

use std::collections::HashSet;
use std::ops::Range;

use super::{
    ALIGNMENT_KEY, Array, DEFAULT_ALIGNMENT, Header, Key, MAGIC, MAX_ARRAY_KEPT, MAX_DIMS, MAX_KEY_BYTES,
    MAX_NAME_BYTES, MAX_TEXT_BYTES, Text, Value, ValueType,
};
use crate::error::{Code, Error, Result};
use crate::formats::{Format, Listing, PIECE_BYTES, PROBE_BYTES, Step, TensorInfo, excerpt};
use crate::tensor::{DType, Shape};

/// More than any model has, and little enough to be held.
const MAX_KEYS: u64 = 65_536;
const MAX_TENSORS: u64 = 262_144;

/// Where a header must end, and the most strings that are stepped over: the largest tokenizers have 300,000 in 10 MB. Without a limit a
/// file of zeros would be read to its end.
const MAX_HEADER_BYTES: u64 = 256 << 20;
const MAX_STRINGS: u64 = 4 << 20;

/// The longest array whose elements metadata shows, and the longest text in one.
const SHOWN_ELEMENTS: u64 = 8;
const SHOWN_TEXT_BYTES: u64 = 80;

/// All texts together that are kept.
const TEXT_BUDGET: u64 = 8 << 20;

/// The fewest bytes of a key (a name of one letter, a type, a value of one byte) and of a tensor (no name, no dimensions).
const LEAST_KEY_BYTES: u64 = 8 + 1 + 4 + 1;
const LEAST_TENSOR_BYTES: u64 = 8 + 4 + 4 + 8;

/// Reads a header: what is listed so far and what comes next.
#[derive(Debug)]
pub(in crate::formats) struct Parser {
    file_len: u64,
    /// Bytes of the file from `at` on that are not understood yet.
    held: Vec<u8>,
    at: u64,
    /// Bytes to ask for next: more each time.
    piece: u64,
    next: Next,
    version: u32,
    keys_left: u64,
    tensors_left: u64,
    text_kept: u64,
    keys: Vec<Key>,
    key_names: HashSet<String>,
    alignment: Option<u32>,
    tensors: Vec<Entry>,
    tensor_names: HashSet<String>,
}

/// What the next bytes are.
#[derive(Debug)]
enum Next {
    Start,
    /// Keys as long as any are left, then tensors.
    Entries,
    /// Strings of an array.
    Strings {
        name: String,
        start: u64,
        len: u64,
        left: u64,
        shown: Vec<String>,
    },
}

/// A tensor as the header states it.
#[derive(Debug)]
struct Entry {
    name: String,
    dtype: DType,
    shape: Shape,
    byte_len: u64,
    offset: u64,
    /// Where the header states the offset.
    stated_at: u64,
}

/// Why reading an item stopped.
enum Stop {
    /// It ends there, or later; nothing of it has been taken.
    More(u64),
    Refused(Error),
}

impl From<Error> for Stop {
    fn from(error: Error) -> Stop {
        Stop::Refused(error)
    }
}

type Item<T> = std::result::Result<T, Stop>;

impl Parser {
    pub(in crate::formats) fn new(file_len: u64) -> Parser {
        Parser {
            file_len,
            held: Vec::new(),
            at: 0,
            piece: PROBE_BYTES,
            next: Next::Start,
            version: 0,
            keys_left: 0,
            tensors_left: 0,
            text_kept: 0,
            keys: Vec::new(),
            key_names: HashSet::new(),
            alignment: None,
            tensors: Vec::new(),
            tensor_names: HashSet::new(),
        }
    }
}

impl crate::formats::Parser for Parser {
    fn take(&mut self, at: u64, bytes: &[u8]) -> Result<Step> {
        debug_assert_eq!(at, self.at + self.held.len() as u64, "what was asked for");
        let earlier = std::mem::take(&mut self.held);
        let mut joined = earlier;
        let held = if joined.is_empty() {
            bytes
        } else {
            joined.try_reserve(bytes.len()).map_err(|_| {
                Error::new(Code::OutOfMemory, "not enough memory for the header")
                    .with_found(format_args!("{} bytes", bytes.len()))
            })?;
            joined.extend_from_slice(bytes);
            &joined
        };
        let mut cursor = Cursor { held, base: self.at, at: self.at, file_len: self.file_len };
        let need = loop {
            let from = cursor.at;
            match self.item(&mut cursor) {
                Ok(false) => {}
                Ok(true) => return self.finish(cursor.at).map(Step::Done),
                Err(Stop::Refused(error)) => return Err(error),
                Err(Stop::More(end)) => {
                    // The strings of an array are taken one by one; of anything else the beginning is read again.
                    if !matches!(self.next, Next::Strings { .. }) {
                        cursor.at = from;
                    }
                    break end;
                }
            }
        };
        if need > self.file_len || need == u64::MAX {
            return Err(Error::new(Code::Truncated, "the file ends inside its GGUF header")
                .with_offset(self.file_len)
                .with_expected(format_args!("at least {need} bytes"))
                .with_found(format_args!("{} bytes", self.file_len)));
        }
        if need > MAX_HEADER_BYTES {
            return Err(Error::new(Code::Unsupported, "the GGUF header is longer than any model's")
                .with_offset(cursor.at)
                .with_expected(format_args!("at most {MAX_HEADER_BYTES} bytes"))
                .with_found("more"));
        }
        let kept = cursor.rest().to_vec();
        self.at = cursor.at;
        let start = self.at + kept.len() as u64;
        self.held = kept;
        let end = self.file_len.min(start.saturating_add(self.piece.max(need.saturating_sub(start).min(PIECE_BYTES))));
        self.piece = (4 * self.piece).min(PIECE_BYTES);
        Ok(Step::Need(start..end))
    }
}

impl Parser {
    /// Takes the next item: says whether it was the last.
    fn item(&mut self, cursor: &mut Cursor<'_>) -> Item<bool> {
        match &mut self.next {
            Next::Start => self.start(cursor)?,
            Next::Strings { left: 1.., .. } => self.strings(cursor)?,
            Next::Strings { .. } => self.strings_end(cursor.at),
            Next::Entries if self.keys_left > 0 => self.key(cursor)?,
            Next::Entries if self.tensors_left > 0 => self.tensor(cursor)?,
            Next::Entries => return Ok(true),
        }
        Ok(false)
    }

    /// Magic, version and counts.
    fn start(&mut self, cursor: &mut Cursor<'_>) -> Item<()> {
        cursor.bytes(MAGIC.len() as u64)?;
        let version = cursor.u32()?;
        let refuse = |message: &str, found: String| {
            Error::new(Code::Unsupported, message)
                .with_offset(4)
                .with_expected("GGUF version 2 or 3, little-endian")
                .with_found(found)
        };
        match version {
            2 | 3 => {}
            1 => return Err(refuse("GGUF version 1 cannot be read: convert the model anew", "version 1".into()).into()),
            _ if version & 0xffff == 0 && version != 0 => {
                let found = format!("version {}, big-endian", version.swap_bytes());
                return Err(refuse("big-endian GGUF files cannot be read", found).into());
            }
            _ => return Err(refuse("this version of GGUF is not known", format!("version {version}")).into()),
        }
        self.version = version;
        let (tensors_at, tensors) = (cursor.at, cursor.u64()?);
        let (keys_at, keys) = (cursor.at, cursor.u64()?);
        let room = self.file_len - cursor.at;
        let count = |what: &str, at: u64, n: u64, least: u64, most: u64| {
            let refuse = |code, message: String, expected: u64| {
                Error::new(code, message)
                    .with_offset(at)
                    .with_expected(format_args!("at most {expected}"))
                    .with_found(n)
            };
            if n > room / least {
                return Err(refuse(
                    Code::Truncated,
                    format!("the header counts more {what} than the file has room for"),
                    room / least,
                ));
            }
            if n > most {
                return Err(refuse(
                    Code::Unsupported,
                    format!("the header counts more {what} than any model has"),
                    most,
                ));
            }
            Ok(())
        };
        count("tensors", tensors_at, tensors, LEAST_TENSOR_BYTES, MAX_TENSORS)?;
        count("keys", keys_at, keys, LEAST_KEY_BYTES, MAX_KEYS)?;
        (self.tensors_left, self.keys_left) = (tensors, keys);
        self.next = Next::Entries;
        Ok(())
    }

    /// One key with its value, or up to the strings of an array.
    fn key(&mut self, cursor: &mut Cursor<'_>) -> Item<()> {
        let start = cursor.at;
        let len = cursor.u64()?;
        if len == 0 {
            return Err(Error::new(Code::Malformed, "a key has no name")
                .with_offset(start)
                .with_expected(format_args!("1 to {MAX_KEY_BYTES} bytes"))
                .with_found("0 bytes")
                .into());
        }
        let name = cursor.name(len, MAX_KEY_BYTES, start, "a key")?;
        if self.key_names.contains(&name) {
            return Err(Error::new(Code::Malformed, "a key is used twice")
                .with_offset(start)
                .with_expected("unique keys")
                .with_found(excerpt(&name))
                .into());
        }
        let (type_at, number) = (cursor.at, cursor.u32()?);
        let about = |message: &str| Error::new(Code::Malformed, format!("the key {}: {message}", excerpt(&name)));
        let kind =
            ValueType::numbered(number).ok_or_else(|| unknown_type(about("its type is not known"), type_at, number))?;
        if name == ALIGNMENT_KEY {
            self.alignment = Some(alignment(kind, type_at, cursor)?);
        }
        let value = match kind {
            ValueType::Text => Value::Text(self.text(cursor, &name)?),
            ValueType::Array => {
                let (of_at, number) = (cursor.at, cursor.u32()?);
                let of = ValueType::numbered(number)
                    .ok_or_else(|| unknown_type(about("its elements' type is not known"), of_at, number))?;
                let (len_at, len) = (cursor.at, cursor.u64()?);
                // Of text, each length alone.
                let bytes = match of {
                    ValueType::Array => {
                        return Err(about("it is an array of arrays")
                            .with_offset(of_at)
                            .with_expected("elements that are no arrays")
                            .with_found("arrays")
                            .into());
                    }
                    kind => len.checked_mul(kind.size().unwrap_or(8)),
                };
                let room = cursor.room();
                let Some(bytes) = bytes.filter(|&bytes| bytes <= room) else {
                    return Err(too_long(&name, len_at, format_args!("an array of {len} {}", of.plural()), room).into());
                };
                if of == ValueType::Text {
                    if len > MAX_STRINGS {
                        return Err(about("it has more strings than any tokenizer")
                            .with_code(Code::Unsupported)
                            .with_offset(len_at)
                            .with_expected(format_args!("at most {MAX_STRINGS}"))
                            .with_found(len)
                            .into());
                    }
                    // Taken once, so that its strings can be stepped over one by one.
                    self.next = Next::Strings { name, start, len, left: len, shown: Vec::new() };
                    return Ok(());
                }
                Value::Array(numbers(of, len, bytes, cursor)?)
            }
            kind => scalar(kind, cursor)?,
        };
        self.add_key(name, start..cursor.at, value);
        Ok(())
    }

    fn add_key(&mut self, name: String, bytes: Range<u64>, value: Value) {
        self.key_names.insert(name.clone());
        self.keys.push(Key { name, bytes, value });
        self.keys_left -= 1;
    }

    fn text(&mut self, cursor: &mut Cursor<'_>, name: &str) -> Item<Text> {
        let (at, len) = (cursor.at, cursor.u64()?);
        if len > cursor.room() {
            return Err(too_long(name, at, format_args!("a text of {len} bytes"), cursor.room()).into());
        }
        if len > MAX_TEXT_BYTES || self.text_kept + len > TEXT_BUDGET {
            cursor.skip(len);
            return Ok(Text::Long(len));
        }
        let text = String::from_utf8_lossy(cursor.bytes(len)?).into_owned();
        self.text_kept += len;
        Ok(Text::Kept(text))
    }

    /// Steps over strings, as many as are held.
    fn strings(&mut self, cursor: &mut Cursor<'_>) -> Item<()> {
        let Next::Strings { name, len, left, shown, .. } = &mut self.next else { unreachable!("called for strings") };
        let shows = *len <= SHOWN_ELEMENTS;
        while *left > 0 {
            let at = cursor.at;
            let bytes = cursor.u64()?;
            let room = cursor.room();
            if bytes > room {
                return Err(too_long(name, at, format_args!("a text of {bytes} bytes"), room).into());
            }
            if shows && bytes <= SHOWN_TEXT_BYTES {
                match cursor.bytes(bytes) {
                    Ok(text) => shown.push(format!("{:?}", String::from_utf8_lossy(text))),
                    Err(stop) => {
                        cursor.at = at;
                        return Err(stop);
                    }
                }
            } else {
                cursor.skip(bytes);
            }
            *left -= 1;
        }
        Ok(())
    }

    fn strings_end(&mut self, end: u64) {
        let Next::Strings { name, start, len, shown, .. } = std::mem::replace(&mut self.next, Next::Entries) else {
            unreachable!("called for strings")
        };
        let shown = (shown.len() as u64 == len).then(|| format!("[{}]", shown.join(", ")));
        let array = Array { of: ValueType::Text, len, integers: Vec::new(), shown };
        self.add_key(name, start..end, Value::Array(array));
    }

    fn tensor(&mut self, cursor: &mut Cursor<'_>) -> Item<()> {
        let start = cursor.at;
        let len = cursor.u64()?;
        let name = cursor.name(len, MAX_NAME_BYTES, start, "a tensor's name")?;
        if self.tensor_names.contains(&name) {
            return Err(Error::new(Code::Malformed, "a tensor name is used twice")
                .with_tensor(&name)
                .with_offset(start)
                .with_expected("unique names")
                .with_found(excerpt(&name))
                .into());
        }
        let refuse = |code, message: &str, at: u64| Error::new(code, message).with_tensor(&name).with_offset(at);
        let (dims_at, n_dims) = (cursor.at, cursor.u32()?);
        if n_dims as usize > MAX_DIMS {
            return Err(refuse(Code::Malformed, "the tensor has too many dimensions", dims_at)
                .with_expected(format_args!("at most {MAX_DIMS}"))
                .with_found(n_dims)
                .into());
        }
        // Innermost first in the file.
        let mut dims = [1; MAX_DIMS];
        let dims = &mut dims[..n_dims as usize];
        for dim in dims.iter_mut().rev() {
            *dim = cursor.u64()?;
        }
        let (type_at, number) = (cursor.at, cursor.u32()?);
        let (stated_at, offset) = (cursor.at, cursor.u64()?);

        let shape = Shape::new(dims).ok().filter(|shape| {
            // Signed in ggml: each dimension, and their product even without the zeros.
            let product = dims.iter().filter(|&&d| d != 0).product::<u64>();
            i64::try_from(product).is_ok() && i64::try_from(shape.count()).is_ok()
        });
        let shape = shape.ok_or_else(|| {
            refuse(Code::Malformed, "the tensor holds more elements than ggml can count", dims_at)
                .with_expected("fewer than 2^63 elements")
                .with_found(format!("{dims:?}"))
        })?;
        let dtype = DType::from_ggml(number).ok_or_else(|| {
            refuse(Code::Unsupported, "the tensor's type is not known", type_at)
                .with_expected("a type of ggml that files may hold")
                .with_found(type_name(number))
        })?;
        let row = dims.last().copied().unwrap_or(1);
        let (block, _) = dtype.block();
        if row % block != 0 {
            return Err(refuse(Code::Malformed, "the tensor's rows are no whole blocks", dims_at)
                .with_expected(format_args!("a multiple of {block} elements for {}", dtype.name()))
                .with_found(format_args!("{row} elements"))
                .into());
        }
        let byte_len = dtype.byte_len(shape.count()).ok_or_else(|| {
            refuse(Code::Malformed, "the tensor holds more bytes than 64 bits can count", dims_at)
                .with_expected("fewer than 2^61 bytes")
                .with_found(format_args!("{} elements of {}", shape.count(), dtype.name()))
        })?;
        self.tensor_names.insert(name.clone());
        self.tensors.push(Entry { name, dtype, shape, byte_len, offset, stated_at });
        self.tensors_left -= 1;
        Ok(())
    }

    /// All items are taken; the header ends at `end`.
    fn finish(&mut self, end: u64) -> Result<Listing> {
        let alignment = self.alignment.unwrap_or(DEFAULT_ALIGNMENT);
        let tensors = std::mem::take(&mut self.tensors);
        let align = u64::from(alignment);
        // A file without tensors need not be padded.
        let data_start = if tensors.is_empty() { end } else { end.checked_next_multiple_of(align).unwrap_or(u64::MAX) };
        let tensors = place(tensors, data_start, align, self.file_len)?;
        let keys = std::mem::take(&mut self.keys);
        let mut metadata: Vec<_> = keys.iter().map(|key| (key.name.clone(), key.value.shown())).collect();
        metadata.sort();
        let gguf = Header { version: self.version, alignment, data_start, keys };
        Ok(Listing { gguf: Some(gguf), ..Listing::new(Format::Gguf, metadata, tensors) })
    }
}

/// Turns offsets into absolute ranges. Each must be the padded sum of what lies before it; the padding of the last may be missing, and
/// what follows it belongs to nobody.
fn place(entries: Vec<Entry>, data_start: u64, align: u64, file_len: u64) -> Result<Vec<TensorInfo>> {
    let mut at: u64 = 0;
    let mut tensors = Vec::with_capacity(entries.len());
    for Entry { name, dtype, shape, byte_len, offset, stated_at } in entries {
        if offset != at {
            let message = if offset > at {
                "bytes before this tensor belong to no tensor"
            } else {
                "the tensor overlaps the one before it"
            };
            return Err(Error::new(Code::Malformed, message)
                .with_tensor(&name)
                .with_offset(stated_at)
                .with_expected(format_args!("an offset of {at}"))
                .with_found(offset));
        }
        let start = data_start.checked_add(at);
        let end = start.and_then(|start| start.checked_add(byte_len));
        let (Some(start), Some(end)) = (start, end.filter(|&end| end <= file_len)) else {
            return Err(Error::new(Code::Truncated, "the file ends before the tensor does")
                .with_tensor(&name)
                .with_offset(start.unwrap_or(u64::MAX))
                .with_expected(format_args!("{byte_len} bytes for {} {:?}", dtype.name(), shape.dims()))
                .with_found(format_args!("{} bytes", file_len.saturating_sub(start.unwrap_or(u64::MAX)))));
        };
        at = (at + byte_len).checked_next_multiple_of(align).unwrap_or(u64::MAX);
        tensors.push(TensorInfo::plain(name, dtype, shape, start..end));
    }
    Ok(tensors)
}

fn alignment(kind: ValueType, type_at: u64, cursor: &Cursor<'_>) -> Item<u32> {
    let refuse = |message: &str, at: u64, found: String| {
        Error::new(Code::Malformed, message)
            .with_offset(at)
            .with_expected(format_args!("a power of two as u32 in {ALIGNMENT_KEY}"))
            .with_found(found)
    };
    if kind != ValueType::U32 {
        return Err(refuse("the alignment has a wrong type", type_at, format!("type {}", kind.number())).into());
    }
    let mut ahead = *cursor;
    let (at, value) = (ahead.at, ahead.u32()?);
    if !value.is_power_of_two() {
        return Err(refuse("the alignment is not a power of two", at, value.to_string()).into());
    }
    Ok(value)
}

fn scalar(kind: ValueType, cursor: &mut Cursor<'_>) -> Item<Value> {
    let size = kind.size().expect("text and arrays are taken apart");
    Ok(value(kind, cursor.bytes(size)?))
}

/// The value of one scalar's bytes.
fn value(kind: ValueType, bytes: &[u8]) -> Value {
    let mut wide = [0; 8];
    wide[..bytes.len()].copy_from_slice(bytes);
    let n = u64::from_le_bytes(wide);
    // The sign moves to the top and back.
    let unused = 64 - 8 * bytes.len() as u32;
    let signed = ((n << unused) as i64) >> unused;
    match kind {
        ValueType::U8 | ValueType::U16 | ValueType::U32 | ValueType::U64 => Value::Unsigned(kind, n),
        ValueType::I8 | ValueType::I16 | ValueType::I32 | ValueType::I64 => Value::Signed(kind, signed),
        ValueType::F32 => Value::F32(f32::from_bits(n as u32)),
        ValueType::F64 => Value::F64(f64::from_bits(n)),
        ValueType::Bool => Value::Bool(n != 0),
        ValueType::Text | ValueType::Array => unreachable!("taken apart by the caller"),
    }
}

/// An array of numbers: kept if it is short, stepped over if not.
fn numbers(of: ValueType, len: u64, bytes: u64, cursor: &mut Cursor<'_>) -> Item<Array> {
    if len > MAX_ARRAY_KEPT {
        cursor.skip(bytes);
        return Ok(Array { of, len, integers: Vec::new(), shown: None });
    }
    let size = of.size().expect("numbers have a size") as usize;
    let values: Vec<Value> = cursor.bytes(bytes)?.chunks_exact(size).map(|bytes| value(of, bytes)).collect();
    let shown = (len <= SHOWN_ELEMENTS)
        .then(|| format!("[{}]", values.iter().map(Value::shown).collect::<Vec<_>>().join(", ")));
    let integers: Option<Vec<i64>> = values.iter().map(Value::integer).collect();
    Ok(Array { of, len, integers: integers.unwrap_or_default(), shown })
}

fn unknown_type(about: Error, at: u64, number: u32) -> Error {
    about.with_offset(at).with_expected("0 to 12").with_found(number)
}

/// A length that the file has no room for.
fn too_long(key: &str, at: u64, found: std::fmt::Arguments<'_>, room: u64) -> Error {
    Error::new(Code::Truncated, format!("the key {}: its value runs past the end of the file", excerpt(key)))
        .with_offset(at)
        .with_expected(format_args!("at most {room} bytes"))
        .with_found(found)
}

/// The names of numbers that are no [`DType`]: types that files no longer hold, or never did.
fn type_name(number: u32) -> String {
    let name = match number {
        4 => "Q4_2, which ggml dropped",
        5 => "Q4_3, which ggml dropped",
        9 => "Q8_1, which only exists while ggml computes",
        31..=33 => "a rearranged Q4_0, which ggml dropped",
        36..=38 => "a rearranged IQ4_NL, which ggml dropped",
        _ => return format!("type {number}"),
    };
    format!("type {number} ({name})")
}

/// Reads bytes that are held; says how far it would have to see where they are not.
#[derive(Clone, Copy)]
struct Cursor<'a> {
    held: &'a [u8],
    /// Where `held` lies in the file.
    base: u64,
    /// The place in the file; it may lie past what is held.
    at: u64,
    file_len: u64,
}

impl<'a> Cursor<'a> {
    /// Bytes of the file from here on.
    fn room(&self) -> u64 {
        self.file_len - self.at
    }

    /// What is held from here on.
    fn rest(&self) -> &'a [u8] {
        usize::try_from(self.at - self.base).ok().and_then(|from| self.held.get(from..)).unwrap_or_default()
    }

    /// The next `n` bytes. No more are asked for than the caller has bounded.
    fn bytes(&mut self, n: u64) -> Item<&'a [u8]> {
        let end = self.at.checked_add(n).ok_or(Stop::More(u64::MAX))?;
        let taken = usize::try_from(n).ok().and_then(|n| self.rest().get(..n)).ok_or(Stop::More(end))?;
        self.at = end;
        Ok(taken)
    }

    /// Steps over bytes that the file has, held or not.
    fn skip(&mut self, n: u64) {
        self.at += n;
    }

    fn u32(&mut self) -> Item<u32> {
        Ok(u32::from_le_bytes(self.bytes(4)?.try_into().expect("four bytes")))
    }

    fn u64(&mut self) -> Item<u64> {
        Ok(u64::from_le_bytes(self.bytes(8)?.try_into().expect("eight bytes")))
    }

    /// A name of `len` bytes, whose length stands at `start`.
    fn name(&mut self, len: u64, most: usize, start: u64, what: &str) -> Item<String> {
        let refuse = |message: String| Error::new(Code::Malformed, message);
        if len > most as u64 {
            return Err(refuse(format!("{what} is too long"))
                .with_offset(start)
                .with_expected(format_args!("at most {most} bytes"))
                .with_found(format_args!("{len} bytes"))
                .into());
        }
        let at = self.at;
        let bytes = self.bytes(len)?;
        match std::str::from_utf8(bytes) {
            Ok(name) => Ok(name.to_owned()),
            Err(e) => Err(refuse(format!("{what} is not UTF-8"))
                .with_offset(at + e.valid_up_to() as u64)
                .with_expected("UTF-8 text")
                .with_found(format_args!("byte 0x{:02x}", bytes[e.valid_up_to()]))
                .into()),
        }
    }
}
