//! The safetensors header: <https://github.com/huggingface/safetensors#format>.
//!
//! Layout: `u64` little-endian header length `n`, `n` bytes of JSON, then the data. `data_offsets` count from the
//! end of the header. Stricter than the reference crate where that breaks its own specification (it keeps the last of
//! duplicate tensor keys), and free of its 32-bit limits (it counts bits in `usize`).

use std::collections::BTreeMap;
use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, MapAccess, SeqAccess, Visitor};

use super::json::{Context, Skip, StringMap, duplicate};
use super::{Format, Header, Kind, Listing, MAX_DIMS, MAX_HEADER_BYTES, TensorInfo, dtype_named, excerpt};
use crate::error::{Code, Error, Result};
use crate::tensor::{DType, Shape};

const METADATA: &str = "__metadata__";

/// The header that a length of `n` bytes promises in a file of `file_len` bytes.
pub(super) fn header(n: u64, file_len: u64) -> Result<Header> {
    if n > MAX_HEADER_BYTES {
        return Err(Error::new(Code::Malformed, "the safetensors header is too long")
            .with_offset(0)
            .with_expected(format_args!("at most {MAX_HEADER_BYTES} bytes"))
            .with_found(format_args!("{n} bytes")));
    }
    let end = 8 + n;
    if end > file_len {
        return Err(Error::new(Code::Truncated, "the file ends inside its safetensors header")
            .with_offset(file_len)
            .with_expected(format_args!("at least {end} bytes"))
            .with_found(format_args!("{file_len} bytes")));
    }
    Ok(Header { kind: Kind::Safetensors, end })
}

/// Lists the tensors of a file of `file_len` bytes whose JSON header is `header` (without the length before it).
pub(super) fn parse(header: &[u8], file_len: u64) -> Result<Listing> {
    if header.first() != Some(&b'{') {
        return Err(Error::new(Code::Malformed, "the safetensors header does not start with '{'")
            .with_offset(8)
            .with_expected("'{'")
            .with_found(header.first().map_or("an empty header".into(), |b| format!("byte 0x{b:02x}"))));
    }
    let cx = Context::default();
    let Raw { metadata, entries } = cx.parse(header, 8, HeaderSeed(&cx))?;
    let data_start = 8 + header.len() as u64;
    let tensors = place(entries, data_start, file_len)?;
    Ok(Listing { format: Format::Safetensors, metadata: metadata.into_iter().collect(), tensors })
}

/// Turns relative offsets into absolute ranges and holds the file to: no hole, no overlap, every byte used.
fn place(entries: BTreeMap<String, Entry>, data_start: u64, file_len: u64) -> Result<Vec<TensorInfo>> {
    let data_len = file_len - data_start;
    let mut entries: Vec<_> = entries.into_iter().collect();
    entries.sort_by_key(|(_, e)| (e.begin, e.end));
    let mut at = 0;
    let mut tensors = Vec::with_capacity(entries.len());
    for (name, Entry { dtype, shape, begin, end }) in entries {
        let here = data_start + at;
        let refuse = |code, message: &str| Error::new(code, message).with_tensor(&name).with_offset(here);
        if begin != at {
            let message = if begin > at {
                "bytes before this tensor belong to no tensor"
            } else {
                "the tensor overlaps the one before it"
            };
            return Err(refuse(Code::Malformed, message)
                .with_expected(format_args!("data_offsets from {at}"))
                .with_found(format_args!("{begin}")));
        }
        if end > data_len {
            return Err(refuse(Code::Truncated, "the file ends before the tensor does")
                .with_expected(format_args!("{end} bytes of data"))
                .with_found(format_args!("{data_len} bytes")));
        }
        tensors.push(TensorInfo {
            name,
            dtype,
            shape,
            bytes: data_start + begin..data_start + end,
            fortran_order: false,
            big_endian: false,
        });
        at = end;
    }
    if at != data_len {
        return Err(Error::new(Code::Malformed, "bytes after the last tensor belong to no tensor")
            .with_offset(data_start + at)
            .with_expected(format_args!("{at} bytes of data"))
            .with_found(format_args!("{data_len} bytes")));
    }
    Ok(tensors)
}

struct Raw {
    metadata: BTreeMap<String, String>,
    entries: BTreeMap<String, Entry>,
}

/// One tensor as the header states it, size checked against shape; offsets count from the end of the header.
struct Entry {
    dtype: DType,
    shape: Shape,
    begin: u64,
    end: u64,
}

struct HeaderSeed<'c>(&'c Context);

impl<'de> DeserializeSeed<'de> for HeaderSeed<'_> {
    type Value = Raw;

    fn deserialize<D: Deserializer<'de>>(self, d: D) -> std::result::Result<Raw, D::Error> {
        d.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for HeaderSeed<'_> {
    type Value = Raw;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object of tensors")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> std::result::Result<Raw, A::Error> {
        let cx = self.0;
        let mut metadata = None;
        let mut entries = BTreeMap::new();
        while let Some(key) = map.next_key::<String>()? {
            if key == METADATA {
                if metadata.is_some() {
                    return Err(cx.refuse(duplicate("key", METADATA)));
                }
                metadata = Some(map.next_value_seed(StringMap { cx, key: "metadata key" })?);
                continue;
            }
            if entries.contains_key(&key) {
                return Err(cx.refuse(duplicate("tensor name", &key).with_tensor(&key)));
            }
            cx.at_tensor(Some(&key));
            let entry = map.next_value_seed(EntrySeed(cx))?;
            cx.at_tensor(None);
            entries.insert(key, entry);
        }
        Ok(Raw { metadata: metadata.unwrap_or_default(), entries })
    }
}

struct EntrySeed<'c>(&'c Context);

impl<'de> DeserializeSeed<'de> for EntrySeed<'_> {
    type Value = Entry;

    fn deserialize<D: Deserializer<'de>>(self, d: D) -> std::result::Result<Entry, D::Error> {
        d.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for EntrySeed<'_> {
    type Value = Entry;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object with dtype, shape and data_offsets")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> std::result::Result<Entry, A::Error> {
        let cx = self.0;
        let (mut dtype, mut dims, mut offsets) = (None, None, None);
        while let Some(key) = map.next_key::<String>()? {
            let again = match key.as_str() {
                "dtype" => dtype.replace(map.next_value::<String>()?).is_some(),
                "shape" => dims.replace(map.next_value_seed(Integers { cx, max: MAX_DIMS })?).is_some(),
                "data_offsets" => offsets.replace(map.next_value_seed(Integers { cx, max: 2 })?).is_some(),
                _ => {
                    map.next_value_seed(Skip(cx))?;
                    false
                }
            };
            if again {
                return Err(cx.refuse(duplicate("key", &key)));
            }
        }
        let missing = |field: &str| {
            cx.refuse(Error::new(Code::Malformed, format!("the tensor has no {field}")).with_expected(field))
        };
        let dtype = dtype.ok_or_else(|| missing("dtype"))?;
        let dims = dims.ok_or_else(|| missing("shape"))?;
        let offsets = offsets.ok_or_else(|| missing("data_offsets"))?;
        check(&dtype, &dims, &offsets).map_err(|e| cx.refuse(e))
    }
}

/// Holds the span against what the element type and the shape ask for.
fn check(dtype: &str, dims: &[u64], offsets: &[u64]) -> Result<Entry> {
    let malformed = |message: &str| Error::new(Code::Malformed, message);
    let &[begin, end] = offsets else {
        return Err(malformed("data_offsets are not a pair")
            .with_expected("2 numbers")
            .with_found(format_args!("{} numbers", offsets.len())));
    };
    let dtype = dtype_named(dtype).ok_or_else(|| {
        Error::new(Code::Unsupported, "the element type is not known")
            .with_expected("a safetensors dtype")
            .with_found(excerpt(dtype))
    })?;
    let shape = Shape::new(dims).map_err(|e| Error { code: Code::Malformed, ..e }.with_expected("fewer elements"))?;
    let span = end.checked_sub(begin).ok_or_else(|| {
        malformed("data_offsets run backwards")
            .with_expected(format_args!("an end of at least {begin}"))
            .with_found(format_args!("{end}"))
    })?;
    let needed = dtype.byte_len(shape.count()).ok_or_else(|| {
        malformed("the tensor does not take a whole number of bytes that 64 bits can count")
            .with_expected("a multiple of 8 bits, less than 2^64")
            .with_found(format_args!("{} elements of {} bits", shape.count(), dtype.bits()))
    })?;
    if span != needed {
        return Err(malformed("data_offsets span another size than the shape asks for")
            .with_expected(format_args!("{needed} bytes for {} {dims:?}", dtype.name()))
            .with_found(format_args!("{span} bytes")));
    }
    Ok(Entry { dtype, shape, begin, end })
}

/// An array of at most `max` unsigned integers.
struct Integers<'c> {
    cx: &'c Context,
    max: usize,
}

impl<'de> DeserializeSeed<'de> for Integers<'_> {
    type Value = Vec<u64>;

    fn deserialize<D: Deserializer<'de>>(self, d: D) -> std::result::Result<Vec<u64>, D::Error> {
        d.deserialize_seq(self)
    }
}

impl<'de> Visitor<'de> for Integers<'_> {
    type Value = Vec<u64>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an array of unsigned integers")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> std::result::Result<Vec<u64>, A::Error> {
        let mut out = Vec::new();
        while let Some(n) = seq.next_element::<u64>()? {
            if out.len() == self.max {
                let error = Error::new(Code::Malformed, "the array of integers is too long")
                    .with_expected(format_args!("at most {}", self.max))
                    .with_found("more");
                return Err(self.cx.refuse(error));
            }
            out.push(n);
        }
        Ok(out)
    }
}
