//! The header of a new file: from keys and a list of tensors to its literal bytes and the place of every tensor, before any of them
//! exists. Version 3, little-endian. The data itself is written by whoever has it, each tensor padded with zeros to the next one's place.
//!
//! ```
//! use fewerbits::formats::gguf::write::{NewValue, Pair, Tensor, header};
//! use fewerbits::DType;
//! # fn main() -> fewerbits::Result<()> {
//! let pairs = [Pair::New("general.architecture", NewValue::Text("llama".into()))];
//! let tensors = [Tensor { name: "output.weight", dtype: DType::Q8_0, dims: &[2, 32] }];
//! let written = header(&pairs, &tensors)?;
//! assert_eq!(written.tensors[0], written.bytes.len() as u64..written.bytes.len() as u64 + 68);
//! assert_eq!(written.file_len, written.bytes.len() as u64 + 96);
//! # Ok(())
//! # }
//! ```

use std::collections::{HashMap, HashSet};
use std::ops::Range;

use super::{ALIGNMENT_KEY, DEFAULT_ALIGNMENT, Header, MAGIC, MAX_DIMS, MAX_KEY_BYTES, MAX_NAME_BYTES, ValueType};
use crate::error::{Code, Error, Result};
use crate::tensor::{DType, Shape, to_usize};

/// The key that says what most tensors are (`enum llama_ftype`).
pub const FILE_TYPE_KEY: &str = "general.file_type";

/// The key that says which layout of blocks is meant.
pub const QUANTIZATION_VERSION_KEY: &str = "general.quantization_version";

/// The only layout of blocks that there is today.
pub const QUANTIZATION_VERSION: u32 = 2;

/// The largest alignment that is written: a page of any machine, and no file of nothing but padding.
const MAX_ALIGNMENT: u64 = 1 << 20;

/// Keys of a model in several files, which the one file made from them must not have.
const SPLIT_KEYS: [&str; 3] = ["split.no", "split.count", "split.tensors.count"];

/// One key of the new file.
#[derive(Debug, Clone, PartialEq)]
pub enum Pair<'a> {
    /// A key of another file of version 2 or 3, as its [`Key::bytes`](super::Key::bytes) are.
    Copied(&'a str, &'a [u8]),
    /// A key made here.
    New(&'a str, NewValue),
}

/// A value made here.
#[derive(Debug, Clone, PartialEq)]
#[allow(missing_docs, reason = "the names are the types of the specification")]
pub enum NewValue {
    U32(u32),
    I32(i32),
    F32(f32),
    Bool(bool),
    Text(String),
    Texts(Vec<String>),
    I32s(Vec<i32>),
    F32s(Vec<f32>),
}

/// One tensor of the new file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Tensor<'a> {
    /// Its name.
    pub name: &'a str,
    /// How its elements are stored.
    pub dtype: DType,
    /// Dimensions, outermost first.
    pub dims: &'a [u64],
}

/// The header of a new file, and where everything goes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Written {
    /// The start of the file, up to the data of the first tensor.
    pub bytes: Vec<u8>,
    /// The bytes of each tensor in the file, in order. From one's end to the next one's start there are zeros.
    pub tensors: Vec<Range<u64>>,
    /// The whole file, with the zeros after the last tensor.
    pub file_len: u64,
}

/// The keys of `header` as a quantized copy has them: every one as it is, without those of a split model, `general.file_type` and
/// `general.quantization_version` set anew. `raw` holds the file's bytes from the first key on (`header.keys[0].bytes.start`).
///
/// # Errors
/// `invalid_argument` when `raw` ends before the keys do.
pub fn copied<'a>(header: &'a Header, raw: &'a [u8], file_type: u32) -> Result<Vec<Pair<'a>>> {
    let base = header.keys.first().map_or(0, |key| key.bytes.start);
    let mut pairs = Vec::with_capacity(header.keys.len() + 2);
    for key in header.keys.iter().filter(|key| !SPLIT_KEYS.contains(&key.name.as_str())) {
        let bytes = key.bytes.start.checked_sub(base).zip(key.bytes.end.checked_sub(base));
        let bytes = bytes.and_then(|(start, end)| raw.get(to_usize(start).ok()?..to_usize(end).ok()?));
        let bytes = bytes.ok_or_else(|| {
            Error::new(Code::InvalidArgument, "the bytes of the keys are not all there")
                .with_offset(key.bytes.start)
                .with_expected(format_args!("{} bytes", key.bytes.end - base))
                .with_found(format_args!("{} bytes", raw.len()))
        })?;
        pairs.push(Pair::Copied(&key.name, bytes));
    }
    pairs.push(Pair::New(QUANTIZATION_VERSION_KEY, NewValue::U32(QUANTIZATION_VERSION)));
    pairs.push(Pair::New(FILE_TYPE_KEY, NewValue::U32(file_type)));
    Ok(pairs)
}

/// The header of a file with these keys and tensors. Of two pairs with one name the later counts, in the place of the earlier.
///
/// # Errors
/// `unsupported` for what GGUF cannot hold: names over 63 bytes, more than 4 dimensions, element types without a number, rows that are no
/// whole blocks, a name used twice. `invalid_argument` for a key without a name or an alignment that is no power of two.
pub fn header(pairs: &[Pair<'_>], tensors: &[Tensor<'_>]) -> Result<Written> {
    let pairs = latest(pairs)?;
    let alignment = u64::from(alignment(&pairs)?);
    if alignment > MAX_ALIGNMENT {
        return Err(Error::new(Code::Unsupported, "the alignment would make a file of padding")
            .with_expected(format_args!("at most {MAX_ALIGNMENT}"))
            .with_found(alignment));
    }
    let (offsets, data_len) = lay_out(tensors, alignment)?;

    let mut bytes = MAGIC.to_vec();
    bytes.extend(3u32.to_le_bytes());
    bytes.extend((tensors.len() as u64).to_le_bytes());
    bytes.extend((pairs.len() as u64).to_le_bytes());
    for pair in pairs {
        match pair {
            Pair::Copied(_, pair) => bytes.extend_from_slice(pair),
            Pair::New(name, value) => {
                text(&mut bytes, name);
                value.put(&mut bytes);
            }
        }
    }
    for (tensor, offset) in tensors.iter().zip(&offsets) {
        text(&mut bytes, tensor.name);
        bytes.extend((tensor.dims.len() as u32).to_le_bytes());
        for dim in tensor.dims.iter().rev() {
            bytes.extend(dim.to_le_bytes());
        }
        bytes.extend(tensor.dtype.ggml().expect("checked when laid out").to_le_bytes());
        bytes.extend(offset.start.to_le_bytes());
    }
    bytes.resize(bytes.len().next_multiple_of(to_usize(alignment)?), 0);
    let start = bytes.len() as u64;
    let too_large = || Error::new(Code::Unsupported, "the file is larger than 64 bits can count");
    let file_len = start.checked_add(data_len).ok_or_else(too_large)?;
    let tensors = offsets.into_iter().map(|offset| start + offset.start..start + offset.end).collect();
    Ok(Written { bytes, tensors, file_len })
}

/// Every name once: the later pair in the place of the earlier.
fn latest<'p, 'a>(pairs: &'p [Pair<'a>]) -> Result<Vec<&'p Pair<'a>>> {
    let mut kept: Vec<&Pair<'_>> = Vec::with_capacity(pairs.len());
    let mut place = HashMap::new();
    for pair in pairs {
        let name = pair.name();
        if name.is_empty() || name.len() > MAX_KEY_BYTES {
            return Err(Error::new(Code::InvalidArgument, "a key cannot be written")
                .with_expected(format_args!("a name of 1 to {MAX_KEY_BYTES} bytes"))
                .with_found(format_args!("{} bytes", name.len())));
        }
        match place.get(name) {
            Some(&at) => kept[at] = pair,
            None => {
                place.insert(name, kept.len());
                kept.push(pair);
            }
        }
    }
    Ok(kept)
}

fn alignment(pairs: &[&Pair<'_>]) -> Result<u32> {
    let value = match pairs.iter().find(|pair| pair.name() == ALIGNMENT_KEY) {
        None => Some(DEFAULT_ALIGNMENT),
        Some(Pair::New(_, NewValue::U32(value))) => Some(*value),
        Some(Pair::New(..)) => None,
        // A u32 stands at the end of its pair.
        Some(Pair::Copied(_, bytes)) => bytes.last_chunk().map(|value| u32::from_le_bytes(*value)),
    };
    value.filter(|value| value.is_power_of_two()).ok_or_else(|| {
        Error::new(Code::InvalidArgument, "the alignment cannot be written")
            .with_expected(format_args!("a power of two as u32 in {ALIGNMENT_KEY}"))
    })
}

/// Where each tensor lies in the data, and how long the data is: each begins where the padding of the one before it ends.
fn lay_out(tensors: &[Tensor<'_>], alignment: u64) -> Result<(Vec<Range<u64>>, u64)> {
    let mut names = HashSet::new();
    let mut at: u64 = 0;
    let mut offsets = Vec::with_capacity(tensors.len());
    for tensor in tensors {
        let refuse = |message: &str| Error::new(Code::Unsupported, message).with_tensor(tensor.name);
        if tensor.name.len() > MAX_NAME_BYTES {
            return Err(refuse("GGUF has no room for this name")
                .with_expected(format_args!("at most {MAX_NAME_BYTES} bytes"))
                .with_found(format_args!("{} bytes", tensor.name.len())));
        }
        if !names.insert(tensor.name) {
            return Err(refuse("the name is used twice").with_expected("unique names"));
        }
        if tensor.dims.len() > MAX_DIMS {
            return Err(refuse("GGUF has no room for so many dimensions")
                .with_expected(format_args!("at most {MAX_DIMS}"))
                .with_found(format!("{:?}", tensor.dims)));
        }
        if tensor.dtype.ggml().is_none() {
            return Err(refuse("GGUF has no such element type").with_found(tensor.dtype.name()));
        }
        let (block, _) = tensor.dtype.block();
        let row = tensor.dims.last().copied().unwrap_or(1);
        if row % block != 0 {
            return Err(refuse("the rows are no whole blocks")
                .with_expected(format_args!("a multiple of {block} elements for {}", tensor.dtype.name()))
                .with_found(format_args!("{row} elements")));
        }
        let len = Shape::new(tensor.dims).ok().and_then(|shape| tensor.dtype.byte_len(shape.count()));
        let end = len.and_then(|len| at.checked_add(len));
        let next = end.and_then(|end| end.checked_next_multiple_of(alignment));
        let (Some(end), Some(next)) = (end, next) else {
            return Err(refuse("the tensor is larger than 64 bits can count").with_found(format!("{:?}", tensor.dims)));
        };
        offsets.push(at..end);
        at = next;
    }
    Ok((offsets, at))
}

fn text(bytes: &mut Vec<u8>, text: &str) {
    bytes.extend((text.len() as u64).to_le_bytes());
    bytes.extend_from_slice(text.as_bytes());
}

impl<'a> Pair<'a> {
    /// The name of the key.
    #[must_use]
    pub fn name(&self) -> &'a str {
        match self {
            Pair::Copied(name, _) | Pair::New(name, _) => name,
        }
    }
}

impl NewValue {
    /// The type, then the value.
    fn put(&self, bytes: &mut Vec<u8>) {
        let kind = |bytes: &mut Vec<u8>, kind: ValueType| bytes.extend(kind.number().to_le_bytes());
        let array = |bytes: &mut Vec<u8>, of: ValueType, len: usize| {
            kind(bytes, ValueType::Array);
            kind(bytes, of);
            bytes.extend((len as u64).to_le_bytes());
        };
        match self {
            NewValue::U32(n) => {
                kind(bytes, ValueType::U32);
                bytes.extend(n.to_le_bytes());
            }
            NewValue::I32(n) => {
                kind(bytes, ValueType::I32);
                bytes.extend(n.to_le_bytes());
            }
            NewValue::F32(x) => {
                kind(bytes, ValueType::F32);
                bytes.extend(x.to_le_bytes());
            }
            NewValue::Bool(b) => {
                kind(bytes, ValueType::Bool);
                bytes.push(u8::from(*b));
            }
            NewValue::Text(value) => {
                kind(bytes, ValueType::Text);
                text(bytes, value);
            }
            NewValue::Texts(values) => {
                array(bytes, ValueType::Text, values.len());
                values.iter().for_each(|value| text(bytes, value));
            }
            NewValue::I32s(values) => {
                array(bytes, ValueType::I32, values.len());
                bytes.extend(values.iter().flat_map(|n| n.to_le_bytes()));
            }
            NewValue::F32s(values) => {
                array(bytes, ValueType::F32, values.len());
                bytes.extend(values.iter().flat_map(|x| x.to_le_bytes()));
            }
        }
    }
}
