//! The header of a new file: from keys and a list of tensors to its literal bytes and the place of every tensor, before any of them
//! exists. Version 3, little-endian. Keys of another file are not even read: the header says which of that file's bytes stand where.
//! The data itself is written by whoever has it, each tensor padded with zeros to the next one's place.
//!
//! ```
//! use fewerbits::formats::gguf::write::{NewValue, Pair, Piece, Tensor, header};
//! use fewerbits::DType;
//! # fn main() -> fewerbits::Result<()> {
//! let pairs = [Pair::New("general.architecture", NewValue::Text("llama".into()))];
//! let tensors = [Tensor { name: "output.weight", dtype: DType::Q8_0, dims: &[2, 32] }];
//! let written = header(&pairs, &tensors)?;
//! let [Piece::Bytes(head)] = written.head.as_slice() else { panic!("nothing is copied") };
//! assert_eq!(written.tensors[0], head.len() as u64..head.len() as u64 + 68);
//! assert_eq!(written.file_len, head.len() as u64 + 96);
//! # Ok(())
//! # }
//! ```

use std::collections::{HashMap, HashSet};
use std::ops::Range;

use super::{
    ALIGNMENT_KEY, DEFAULT_ALIGNMENT, Header, Key, MAGIC, MAX_DIMS, MAX_KEY_BYTES, MAX_NAME_BYTES, Value, ValueType,
};
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
    /// A key of another file of version 2 or 3, as its bytes are there.
    Copied(&'a Key),
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

/// A stretch of the new file's header.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Piece {
    /// These bytes.
    Bytes(Vec<u8>),
    /// The bytes of this range of the file that keys are copied from.
    Source(Range<u64>),
}

/// The header of a new file, and where everything goes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Written {
    /// The start of the file, up to the data of the first tensor.
    pub head: Vec<Piece>,
    /// The bytes of each tensor in the file, in order. From one's end to the next one's start there are zeros.
    pub tensors: Vec<Range<u64>>,
    /// The whole file, with the zeros after the last tensor.
    pub file_len: u64,
}

/// The keys of `header` as a quantized copy has them: every one as it is, without those of a split model, `general.file_type` and
/// `general.quantization_version` set anew.
#[must_use]
pub fn copied(header: &Header, file_type: u32) -> Vec<Pair<'_>> {
    let kept = header.keys.iter().filter(|key| !SPLIT_KEYS.contains(&key.name.as_str()));
    let mut pairs: Vec<_> = kept.map(Pair::Copied).collect();
    pairs.push(Pair::New(QUANTIZATION_VERSION_KEY, NewValue::U32(QUANTIZATION_VERSION)));
    pairs.push(Pair::New(FILE_TYPE_KEY, NewValue::U32(file_type)));
    pairs
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

    let mut head = Head { pieces: Vec::new(), bytes: MAGIC.to_vec(), len: 0 };
    head.bytes.extend(3u32.to_le_bytes());
    head.bytes.extend((tensors.len() as u64).to_le_bytes());
    head.bytes.extend((pairs.len() as u64).to_le_bytes());
    for pair in pairs {
        match pair {
            Pair::Copied(key) => head.copy(&key.bytes),
            Pair::New(name, value) => {
                text(&mut head.bytes, name);
                value.put(&mut head.bytes);
            }
        }
    }
    for (tensor, offset) in tensors.iter().zip(&offsets) {
        text(&mut head.bytes, tensor.name);
        head.bytes.extend((tensor.dims.len() as u32).to_le_bytes());
        for dim in tensor.dims.iter().rev() {
            head.bytes.extend(dim.to_le_bytes());
        }
        head.bytes.extend(tensor.dtype.ggml().expect("checked when laid out").to_le_bytes());
        head.bytes.extend(offset.start.to_le_bytes());
    }
    let too_large = || Error::new(Code::Unsupported, "the file is larger than 64 bits can count");
    let (head, start) = head.finish(alignment).ok_or_else(too_large)?;
    let file_len = start.checked_add(data_len).ok_or_else(too_large)?;
    let tensors = offsets.into_iter().map(|offset| start + offset.start..start + offset.end).collect();
    Ok(Written { head, tensors, file_len })
}

/// The header as it grows.
struct Head {
    pieces: Vec<Piece>,
    /// What comes after the pieces.
    bytes: Vec<u8>,
    /// Bytes of all pieces.
    len: u64,
}

impl Head {
    /// Ends the bytes as a piece.
    fn cut(&mut self) {
        if !self.bytes.is_empty() {
            self.len += self.bytes.len() as u64;
            self.pieces.push(Piece::Bytes(std::mem::take(&mut self.bytes)));
        }
    }

    /// Neighbours of the source are one piece.
    fn copy(&mut self, range: &Range<u64>) {
        self.cut();
        self.len = self.len.saturating_add(range.end - range.start);
        match self.pieces.last_mut() {
            Some(Piece::Source(last)) if last.end == range.start => last.end = range.end,
            _ => self.pieces.push(Piece::Source(range.clone())),
        }
    }

    /// The pieces and their bytes, padded.
    fn finish(mut self, alignment: u64) -> Option<(Vec<Piece>, u64)> {
        let len = self.len.checked_add(self.bytes.len() as u64)?;
        let end = len.checked_next_multiple_of(alignment)?;
        self.bytes.resize(self.bytes.len() + to_usize(end - len).ok()?, 0);
        self.cut();
        Some((self.pieces, end))
    }
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
        Some(Pair::Copied(Key { value: Value::Unsigned(ValueType::U32, value), .. })) => u32::try_from(*value).ok(),
        Some(_) => None,
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
            Pair::Copied(key) => &key.name,
            Pair::New(name, _) => name,
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
