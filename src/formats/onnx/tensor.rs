//! `TensorProto`: type, dimensions, and where its elements are. They may be raw bytes, packed numbers (which for floats are the same
//! bytes), numbers of varying length, or a range of another file.

use std::ops::Range;
use std::sync::Arc;

use super::model::{is_alone, pair, text};
use super::wire::{Field, Held, Value, varint};
use crate::error::{Code, Error, Result};
use crate::formats::shards::is_plain_name;
use crate::formats::{MAX_DIMS, excerpt};
use crate::tensor::{DType, Shape};

/// A tensor of a model.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tensor {
    /// Its field, tag and length included.
    pub whole: Range<u64>,
    /// Its name; empty in an attribute, mostly.
    pub name: String,
    /// The number by which ONNX names its type.
    pub data_type: u64,
    /// Dimensions, outermost first.
    pub shape: Shape,
    /// Its elements.
    pub data: Data,
    /// Its fields but for those of its data, with what is not understood.
    pub rest: Vec<Range<u64>>,
}

/// Where the elements of a tensor are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Data {
    /// Here in the file, as they are in memory.
    Here(Range<u64>),
    /// They were stored as numbers of varying length; these are their bytes, of all tensors together at most `MAX_DECODED`.
    Decoded(Arc<Vec<u8>>),
    /// In a file beside it.
    Beside {
        /// A plain name.
        file: String,
        /// The bytes of that file.
        bytes: Range<u64>,
    },
    /// Of a type that has no numbers to show: texts, complex numbers of 128 bits.
    None,
}

impl Tensor {
    /// How its elements are stored, if that is known here.
    #[must_use]
    pub fn dtype(&self) -> Option<DType> {
        dtype(self.data_type)
    }
}

/// The types, by ONNX's number.
const TYPES: [Option<DType>; 25] = [
    None,
    Some(DType::F32),
    Some(DType::U8),
    Some(DType::I8),
    Some(DType::U16),
    Some(DType::I16),
    Some(DType::I32),
    Some(DType::I64),
    None, // texts
    Some(DType::Bool),
    Some(DType::F16),
    Some(DType::F64),
    Some(DType::U32),
    Some(DType::U64),
    Some(DType::C64),
    None, // complex numbers of 128 bits
    Some(DType::Bf16),
    Some(DType::F8E4M3),
    Some(DType::F8E4M3Fnuz),
    Some(DType::F8E5M2),
    Some(DType::F8E5M2Fnuz),
    Some(DType::U4),
    Some(DType::I4),
    Some(DType::F4),
    Some(DType::F8E8M0),
];

/// The types that are known and not listed: texts, complex128, 2-bit integers.
const NOT_LISTED: [u64; 4] = [8, 15, 25, 26];

fn dtype(number: u64) -> Option<DType> {
    usize::try_from(number).ok().and_then(|i| TYPES.get(i).copied().flatten())
}

/// The number by which ONNX names a type.
#[must_use]
pub fn number_of(dtype: DType) -> Option<u64> {
    TYPES.iter().position(|&t| t == Some(dtype)).map(|i| i as u64)
}

/// The fields of a tensor's data: typed, raw, and in another file.
const DATA_FIELDS: [u32; 10] = [3, 4, 5, 6, 7, 9, 10, 11, 13, 14];

/// The most bytes that a model's numbers of varying length may become: one byte of the file can be eight in memory. As much as is kept of
/// the file itself.
const MAX_DECODED: u64 = 64 << 20;

/// Adds a range to others, to the last of them where it follows it.
pub(super) fn extend(ranges: &mut Vec<Range<u64>>, next: &Range<u64>) {
    match ranges.last_mut() {
        Some(last) if last.end == next.start => last.end = next.end,
        _ => ranges.push(next.clone()),
    }
}

/// Everything that a tensor's fields say, before it is held together.
#[derive(Default)]
struct Parts {
    name: String,
    data_type: u64,
    dims: Vec<u64>,
    raw: Option<Range<u64>>,
    /// Typed numbers: the field's number, and its bytes in the file if they are packed in one piece.
    typed: Option<(u32, Option<Range<u64>>)>,
    /// How many there are where they are not packed in one piece.
    numbers: u64,
    external: Option<Vec<(String, String)>>,
    is_external: bool,
    rest: Vec<Range<u64>>,
}

/// Reads a tensor.
pub(super) fn read(held: &Held, field: &Field) -> Result<Tensor> {
    let body = field.bytes("a tensor")?;
    let (at, end) = (body.start, body.end);
    let mut parts = Parts::default();
    for field in held.fields(body) {
        let field = field?;
        if !DATA_FIELDS.contains(&field.number) {
            extend(&mut parts.rest, &field.whole);
        }
        parts.take(held, &field).map_err(|e| name(e, &parts.name))?;
    }
    let tensor = parts.name.clone();
    parts.finish(held, field.whole.clone(), at..end).map_err(|e| name(e, &tensor))
}

fn name(e: Error, tensor: &str) -> Error {
    if tensor.is_empty() || e.tensor.is_some() { e } else { e.with_tensor(tensor) }
}

impl Parts {
    fn take(&mut self, held: &Held, field: &Field) -> Result<()> {
        match field.number {
            1 => {
                let dims = &mut self.dims;
                varints(held, field, "dims", |n| dims.push(n))?;
                if let Some(&negative) = self.dims.iter().find(|&&d| d > i64::MAX as u64) {
                    return Err(Error::new(Code::Malformed, "a dimension is negative")
                        .with_offset(field.whole.start)
                        .with_expected("0 or more")
                        .with_found(format_args!("{}", negative as i64)));
                }
                if self.dims.len() > MAX_DIMS {
                    return Err(Error::new(Code::Unsupported, "the tensor has too many dimensions")
                        .with_offset(field.whole.start)
                        .with_expected(format_args!("at most {MAX_DIMS}"))
                        .with_found("more"));
                }
            }
            2 => self.data_type = field.varint("data_type")?,
            3 => return Err(unsupported("a tensor in segments cannot be read", field)),
            4 | 5 | 7 | 10 | 11 => self.typed(held, field)?,
            8 => self.name = text(held, field, "a tensor's name")?,
            9 => {
                if self.raw.is_some() {
                    return Err(Error::new(Code::Malformed, "the tensor has its data twice")
                        .with_offset(field.whole.start)
                        .with_expected("raw_data once")
                        .with_found("another"));
                }
                self.raw = Some(field.bytes("raw_data")?);
            }
            13 => self.external.get_or_insert_default().push(pair(held, field, "external_data")?),
            14 => self.is_external = field.varint("data_location")? == 1,
            _ => {}
        }
        Ok(())
    }

    fn typed(&mut self, held: &Held, field: &Field) -> Result<()> {
        let again = self.typed.is_some();
        if self.typed.as_ref().is_some_and(|(number, _)| *number != field.number) {
            return Err(Error::new(Code::Malformed, "the tensor has its data in two fields")
                .with_offset(field.whole.start)
                .with_expected("one")
                .with_found(format_args!("field {}", field.number)));
        }
        let count = &mut self.numbers;
        // Packed floats lie there as they are in memory; the rest is decoded.
        let packed = match (&field.value, field.number) {
            (Value::Bytes(range), 4 | 10) if !again => Some(range.clone()),
            (Value::Bytes(_), 4 | 10) => {
                return Err(unsupported("packed floats in several pieces cannot be read", field));
            }
            (Value::Fixed32(_), 4) | (Value::Fixed64(_), 10) => {
                *count += 1;
                None
            }
            (_, 5 | 7 | 11) => {
                varints(held, field, "a tensor's data", |_| *count += 1)?;
                None
            }
            _ => return Err(field.bytes("a tensor's data").expect_err("neither bytes nor numbers of this field")),
        };
        if self.typed.as_ref().is_some_and(|(_, packed)| packed.is_some()) {
            return Err(unsupported("packed floats in several pieces cannot be read", field));
        }
        self.typed = Some((field.number, packed));
        Ok(())
    }

    fn finish(self, held: &Held, whole: Range<u64>, body: Range<u64>) -> Result<Tensor> {
        let at = body.start;
        let shape = Shape::new(&self.dims)
            .map_err(|e| e.with_code(Code::Malformed).with_offset(at).with_expected("fewer elements"))?;
        let Some(dtype) = dtype(self.data_type) else {
            if !NOT_LISTED.contains(&self.data_type) {
                return Err(Error::new(Code::Unsupported, "the element type is not known")
                    .with_offset(at)
                    .with_expected("data_type 1 to 26")
                    .with_found(self.data_type));
            }
            let Parts { name, data_type, rest, .. } = self;
            return Ok(Tensor { whole, name, data_type, shape, data: Data::None, rest });
        };
        let needed = dtype.padded_len(shape.count()).ok_or_else(|| {
            Error::new(Code::Malformed, "the tensor holds more bits than 64 bits can count")
                .with_offset(at)
                .with_expected("fewer elements")
                .with_found(format_args!("{:?}", shape.dims()))
        })?;
        let data = self.place(held, dtype, &shape, needed, body)?;
        let Parts { name, data_type, rest, .. } = self;
        Ok(Tensor { whole, name, data_type, shape, data, rest })
    }

    /// Finds the data and holds it against what the type and the shape ask for.
    fn place(&self, held: &Held, dtype: DType, shape: &Shape, needed: u64, body: Range<u64>) -> Result<Data> {
        let at = body.start;
        let places = [self.raw.is_some(), self.typed.is_some(), self.is_external];
        if places.iter().filter(|&&there| there).count() > 1 {
            return Err(Error::new(Code::Malformed, "the tensor has its data in two places")
                .with_offset(at)
                .with_expected("one of raw_data, typed data and external_data")
                .with_found("several"));
        }
        let want = || format!("{needed} bytes for {} {:?}", dtype.name(), shape.dims());
        let size = |message: &str, offset: u64, found: u64| {
            Error::new(Code::Malformed, message)
                .with_offset(offset)
                .with_expected(want())
                .with_found(format_args!("{found} bytes"))
        };
        if self.is_external {
            return self.beside(needed, at, &want());
        }
        if let Some(raw) = &self.raw {
            let found = raw.end - raw.start;
            if found != needed {
                return Err(size("raw_data has another size than the shape asks for", raw.start, found));
            }
            return Ok(Data::Here(raw.clone()));
        }
        let Some((number, packed)) = &self.typed else {
            return if needed == 0 { Ok(Data::Here(at..at)) } else { Err(size("the tensor has no data", at, 0)) };
        };
        if *number != typed_field(dtype) {
            return Err(Error::new(Code::Malformed, "the data is in the field of another type")
                .with_offset(at)
                .with_expected(format_args!("field {} for {}", typed_field(dtype), dtype.name()))
                .with_found(format_args!("field {number}")));
        }
        if let Some(packed) = packed {
            let found = packed.end - packed.start;
            if found != needed {
                return Err(size("the data has another size than the shape asks for", packed.start, found));
            }
            return Ok(Data::Here(packed.clone()));
        }
        let found = self.numbers.saturating_mul(width(dtype) as u64);
        if found != needed {
            return Err(size("the data has another size than the shape asks for", at, found));
        }
        if held.decoded(needed) > MAX_DECODED {
            return Err(Error::new(Code::Unsupported, "the model stores too much as numbers of varying length")
                .with_offset(at)
                .with_expected(format_args!("raw_data, or at most {MAX_DECODED} bytes of such numbers in all tensors"))
                .with_found(format_args!("{needed} bytes in this one")));
        }
        Ok(Data::Decoded(Arc::new(narrow(held, body, *number, dtype, needed)?)))
    }

    /// The range of another file.
    fn beside(&self, needed: u64, at: u64, want: &str) -> Result<Data> {
        let entries = self.external.as_deref().unwrap_or_default();
        let entry = |key: &str| entries.iter().rev().find(|(k, _)| k == key).map(|(_, value)| value.as_str());
        let file = entry("location").ok_or_else(|| {
            Error::new(Code::Malformed, "external data has no location")
                .with_offset(at)
                .with_expected("a file's name")
                .with_found("none")
        })?;
        if !is_plain_name(file) {
            return Err(Error::new(Code::Malformed, "external data does not lie beside the model")
                .with_offset(at)
                .with_expected("a file name without separators or '..'")
                .with_found(excerpt(file)));
        }
        let number = |key: &str| match entry(key) {
            None => Ok(None),
            Some(text) => text.parse::<u64>().map(Some).map_err(|_| {
                Error::new(Code::Malformed, format!("the {key} of external data is not a number"))
                    .with_offset(at)
                    .with_expected("a whole number")
                    .with_found(excerpt(text))
            }),
        };
        let offset = number("offset")?.unwrap_or(0);
        if let Some(length) = number("length")?.filter(|&length| length != needed) {
            return Err(Error::new(Code::Malformed, "external data has another size than the shape asks for")
                .with_offset(at)
                .with_expected(want)
                .with_found(format_args!("{length} bytes")));
        }
        let end = offset.checked_add(needed).filter(|&end| end <= i64::MAX as u64).ok_or_else(|| {
            Error::new(Code::Malformed, "external data lies beyond any file")
                .with_offset(at)
                .with_expected("an offset that 63 bits can count")
                .with_found(offset)
        })?;
        Ok(Data::Beside { file: file.to_owned(), bytes: offset..end })
    }
}

/// The field of typed data for this type.
fn typed_field(dtype: DType) -> u32 {
    match dtype {
        DType::F32 | DType::C64 => 4,
        DType::I64 => 7,
        DType::F64 => 10,
        DType::U32 | DType::U64 => 11,
        _ => 5,
    }
}

/// Bytes of memory for each number of typed data. Types of less than a byte have two elements in each; a complex number is two.
fn width(dtype: DType) -> usize {
    match dtype {
        DType::C64 => 4,
        _ => dtype.block().1 as usize,
    }
}

/// The numbers in the fields `number` of a tensor's `body`, as elements in memory, of which there are `needed` bytes.
fn narrow(held: &Held, body: Range<u64>, number: u32, dtype: DType, needed: u64) -> Result<Vec<u8>> {
    let (at, width) = (body.start, width(dtype));
    let short = || Error::new(Code::OutOfMemory, "not enough memory for the tensor's data").with_offset(at);
    let mut bytes = Vec::new();
    let needed = usize::try_from(needed).map_err(|_| short())?;
    bytes.try_reserve_exact(needed).map_err(|_| short())?;
    let mut misfit = None;
    let mut put = |n: u64| {
        let kept = n << (64 - 8 * width) >> (64 - 8 * width);
        let signed = (n as i64) << (64 - 8 * width) >> (64 - 8 * width);
        if n != kept && n as i64 != signed {
            misfit.get_or_insert(n);
        }
        bytes.extend_from_slice(&n.to_le_bytes()[..width]);
    };
    for field in held.fields(body) {
        let field = field?;
        match field.value {
            _ if field.number != number => {}
            Value::Fixed32(n) => put(n.into()),
            Value::Fixed64(n) => put(n),
            _ => drop(varints(held, &field, "a tensor's data", &mut put)?),
        }
    }
    match misfit {
        None => Ok(bytes),
        Some(n) => Err(Error::new(Code::Malformed, "a number does not fit the tensor's type")
            .with_offset(at)
            .with_expected(format_args!("{width} bytes for {}", dtype.name()))
            .with_found(format_args!("{}", n as i64))),
    }
}

/// Whole numbers of a repeated field: one, or packed ones. Says whether they were kept; long lists may have been skipped.
pub(super) fn varints(held: &Held, field: &Field, what: &str, mut each: impl FnMut(u64)) -> Result<bool> {
    if is_alone(field) {
        each(field.varint(what)?);
        return Ok(true);
    }
    let range = field.bytes(what)?;
    let Some(mut bytes) = held.get(&range) else { return Ok(range.start == range.end) };
    let mut at = range.start;
    while !bytes.is_empty() {
        let Some((n, len)) = varint(bytes, at)? else {
            return Err(Error::new(Code::Malformed, format!("{what} end inside a number"))
                .with_offset(at)
                .with_expected("a whole varint")
                .with_found(format_args!("{} bytes", bytes.len())));
        };
        each(n);
        bytes = &bytes[len..];
        at += len as u64;
    }
    Ok(true)
}

fn unsupported(message: &str, field: &Field) -> Error {
    Error::new(Code::Unsupported, message)
        .with_offset(field.whole.start)
        .with_expected("raw_data")
        .with_found(format_args!("field {}", field.number))
}
