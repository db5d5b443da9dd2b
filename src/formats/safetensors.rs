//! The safetensors header: <https://github.com/huggingface/safetensors#format>.
//!
//! Layout: `u64` little-endian header length `n`, `n` bytes of JSON, then the data. `data_offsets` count from the
//! end of the header. Stricter than the reference crate where that breaks its own specification (it keeps the last of
//! duplicate tensor keys), and free of its 32-bit limits (it counts bits in `usize`).

use std::cmp::Ordering;
use std::collections::BTreeMap;

use super::json::{Context, Got, Object, StringMap, Want, duplicate};
use super::{Format, Header, HeaderKind, Listing, MAX_DIMS, MAX_HEADER_BYTES, TensorInfo, excerpt};
use crate::error::{Code, Error, Number, Result};
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
    Ok(Header { kind: HeaderKind::Safetensors, end })
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
    let mut fields = Fields { cx: &cx, metadata: None, entries: BTreeMap::new(), entry: EntryFields::default() };
    cx.parse(header, 8, &mut fields)?;
    let Fields { metadata, entries, .. } = fields;
    let data_start = 8 + header.len() as u64;
    let tensors = place(entries, data_start, file_len)?;
    let metadata = metadata.map(|map| map.entries.into_iter().collect()).unwrap_or_default();
    Ok(Listing::new(Format::Safetensors, metadata, tensors))
}

/// Turns relative offsets into absolute ranges and holds the file to: no hole, no overlap, every byte used.
fn place(entries: BTreeMap<String, Entry>, data_start: u64, file_len: u64) -> Result<Vec<TensorInfo>> {
    let data_len = file_len - data_start;
    let mut entries: Vec<_> = entries.into_iter().collect();
    sort(&mut entries, in_order_of_bytes);
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
        tensors.push(TensorInfo::plain(name, dtype, shape, data_start + begin..data_start + end));
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

/// Heapsort: a headers' worth of tensors is sorted in no time, and the module is spared 3 KB of the standard library's sort.
fn sort<T>(items: &mut [T], order: fn(&T, &T) -> Ordering) {
    let n = items.len();
    for step in (1..n + n / 2).rev() {
        // First the heap is made, from its last parent up; then its greatest goes to the end, one after the other.
        let (mut parent, end) = if step >= n { (step - n, n) } else { (0, step) };
        if step < n {
            items.swap(0, step);
        }
        while let Some(mut child) = Some(2 * parent + 1).filter(|&child| child < end) {
            if child + 1 < end && order(&items[child], &items[child + 1]).is_lt() {
                child += 1;
            }
            if order(&items[parent], &items[child]).is_ge() {
                break;
            }
            items.swap(parent, child);
            parent = child;
        }
    }
}

/// By offset, tensors of one place (empty ones) by name. A call, because a sort holds many copies of its comparison.
#[inline(never)]
fn in_order_of_bytes((a, x): &(String, Entry), (b, y): &(String, Entry)) -> Ordering {
    (x.begin, x.end, a).cmp(&(y.begin, y.end, b))
}

/// One tensor as the header states it, size checked against shape; offsets count from the end of the header.
struct Entry {
    dtype: DType,
    shape: Shape,
    begin: u64,
    end: u64,
}

/// The header: tensors by name, and the author's notes.
struct Fields<'c> {
    cx: &'c Context,
    metadata: Option<StringMap>,
    entries: BTreeMap<String, Entry>,
    /// The tensor being read.
    entry: EntryFields,
}

impl Object for Fields<'_> {
    fn name(&self) -> &'static str {
        "an object of tensors"
    }

    fn want(&mut self, key: &str) -> Result<Want<'_>> {
        if key == METADATA {
            if self.metadata.is_some() {
                return Err(duplicate("key", METADATA));
            }
            return Ok(Want::Object(self.metadata.insert(StringMap::new("metadata key"))));
        }
        if self.entries.contains_key(key) {
            return Err(duplicate("tensor name", key).with_tensor(key));
        }
        self.cx.at_tensor(Some(key));
        self.entry = EntryFields::default();
        Ok(Want::Object(&mut self.entry))
    }

    fn take(&mut self, key: String, _: Got) -> Result<()> {
        self.cx.at_tensor(None);
        if let Some(entry) = self.entry.checked.take() {
            self.entries.insert(key, entry);
        }
        Ok(())
    }
}

/// One tensor, key by key.
#[derive(Default)]
struct EntryFields {
    dtype: Option<String>,
    dims: Option<Vec<u64>>,
    offsets: Option<Vec<u64>>,
    /// What they come to, once all are there.
    checked: Option<Entry>,
}

impl Object for EntryFields {
    fn name(&self) -> &'static str {
        "an object with dtype, shape and data_offsets"
    }

    fn want(&mut self, key: &str) -> Result<Want<'_>> {
        Ok(match key {
            "dtype" => Want::Text,
            "shape" => Want::Integers(MAX_DIMS),
            "data_offsets" => Want::Integers(2),
            _ => Want::Anything,
        })
    }

    fn take(&mut self, key: String, value: Got) -> Result<()> {
        let again = match value {
            Got::Text(dtype) => self.dtype.replace(dtype).is_some(),
            Got::Integers(dims) if key == "shape" => self.dims.replace(dims).is_some(),
            Got::Integers(offsets) => self.offsets.replace(offsets).is_some(),
            _ => false,
        };
        if again { Err(duplicate("key", &key)) } else { Ok(()) }
    }

    fn end(&mut self) -> Result<()> {
        let missing =
            |field: &str| Error::new(Code::Malformed, format!("the tensor has no {field}")).with_expected(field);
        let dtype = self.dtype.take().ok_or_else(|| missing("dtype"))?;
        let dims = self.dims.take().ok_or_else(|| missing("shape"))?;
        let offsets = self.offsets.take().ok_or_else(|| missing("data_offsets"))?;
        self.checked = Some(check(&dtype, &dims, &offsets)?);
        Ok(())
    }
}

/// The element type of this name, if it is one of safetensors' own.
fn dtype_named(name: &str) -> Option<DType> {
    DType::named(name).filter(|dtype| !dtype.is_blocks() && !matches!(dtype, DType::I4 | DType::U4))
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
    let shape = Shape::new(dims).map_err(|e| e.with_code(Code::Malformed).with_expected("fewer elements"))?;
    let span = end.checked_sub(begin).ok_or_else(|| {
        malformed("data_offsets run backwards")
            .with_expected(format_args!("an end of at least {begin}"))
            .with_found(format_args!("{end}"))
    })?;
    let needed = dtype.byte_len(shape.count()).ok_or_else(|| {
        malformed("the tensor does not take a whole number of bytes that 64 bits can count")
            .with_expected("a multiple of 8 bits, less than 2^64")
            .with_found(format_args!("{} elements of {} bits", shape.count(), Number(dtype.bits())))
    })?;
    if span != needed {
        return Err(malformed("data_offsets span another size than the shape asks for")
            .with_expected(format_args!("{needed} bytes for {} {dims:?}", dtype.name()))
            .with_found(format_args!("{span} bytes")));
    }
    Ok(Entry { dtype, shape, begin, end })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sort_orders_as_the_standard_library_does() {
        let mut state = 7_u32;
        for n in 0..200 {
            let mut items: Vec<u32> = (0..n)
                .map(|_| {
                    state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                    state >> 27
                })
                .collect();
            let mut expected = items.clone();
            expected.sort_unstable();
            sort(&mut items, u32::cmp);
            assert_eq!(items, expected, "{n} items");
        }
    }
}
