//! The npy header: <https://numpy.org/doc/stable/reference/generated/numpy.lib.format.html>, versions 1.0–3.0.
//!
//! Layout: magic, version, header length (`u16` in version 1, `u32` after), a Python dict literal with exactly
//! `descr`, `fortran_order` and `shape`, then one array. The literal's grammar here is only what `numpy` writes:
//! strings without escapes, `True`, `False`, and tuples of integers (with Python 2's `L` suffix).
//! `ml_dtypes` saves bfloat16 as two opaque bytes (`V2`), and is read as such; its one-byte floats all look alike.

use super::{Format, Header, HeaderKind, Layout, Listing, MAX_DIMS, TensorInfo, excerpt};
use crate::error::{Code, Error, Result};
use crate::tensor::{DType, Shape};

pub(super) const MAGIC: &[u8] = b"\x93NUMPY";

/// The longest header that is read. numpy itself refuses more than 10,000 bytes by default.
const MAX_NPY_HEADER: u64 = 1 << 20;

/// Where the header of the file that starts with `start` ends.
pub(super) fn header(start: &[u8], file_len: u64) -> Result<Header> {
    let short = |needed: u64| {
        Error::new(Code::Truncated, "the file ends inside its npy header")
            .with_offset(file_len)
            .with_expected(format_args!("at least {needed} bytes"))
            .with_found(format_args!("{file_len} bytes"))
    };
    let &[major, minor] = start.get(6..8).and_then(|v| v.first_chunk()).ok_or_else(|| short(8))?;
    let (length, text_start) = match (major, minor) {
        (1, 0) => {
            let n = start.get(8..10).and_then(|v| v.first_chunk()).ok_or_else(|| short(10))?;
            (u64::from(u16::from_le_bytes(*n)), 10)
        }
        (2 | 3, 0) => {
            let n = start.get(8..12).and_then(|v| v.first_chunk()).ok_or_else(|| short(12))?;
            (u64::from(u32::from_le_bytes(*n)), 12)
        }
        _ => {
            return Err(Error::new(Code::Unsupported, "the npy version is not known")
                .with_offset(6)
                .with_expected("1.0, 2.0 or 3.0")
                .with_found(format_args!("{major}.{minor}")));
        }
    };
    if length > MAX_NPY_HEADER {
        return Err(Error::new(Code::Malformed, "the npy header is too long")
            .with_offset(8)
            .with_expected(format_args!("at most {MAX_NPY_HEADER} bytes"))
            .with_found(format_args!("{length} bytes")));
    }
    let end = text_start + length;
    if end > file_len { Err(short(end)) } else { Ok(Header { kind: HeaderKind::Npy, end }) }
}

/// Lists the array of a file of `file_len` bytes that begins with `header` (magic included).
pub(super) fn parse(header: &[u8], file_len: u64) -> Result<Listing> {
    let text_start = if header.get(6) == Some(&1) { 10 } else { 12 };
    let dict = Literal { bytes: header, at: text_start }.dict()?;
    let (dtype, big_endian) = element(&dict.descr.value).map_err(|e| e.with_offset(dict.descr.at))?;
    let shape = Shape::new(&dict.shape.value)
        .map_err(|e| e.with_code(Code::Malformed).with_offset(dict.shape.at).with_expected("fewer elements"))?;
    let start = header.len() as u64;
    let found = file_len.saturating_sub(start);
    let needed = dtype.byte_len(shape.count());
    if needed != Some(found) {
        let truncated = needed.is_none_or(|n| n > found);
        let (code, message) = if truncated {
            (Code::Truncated, "the file ends before its array does")
        } else {
            (Code::Malformed, "bytes after the array belong to nothing")
        };
        let needed = needed.map_or("2^64 or more".into(), |n| n.to_string());
        return Err(Error::new(code, message)
            .with_offset(if truncated { file_len } else { start })
            .with_expected(format_args!("{needed} bytes for {} {:?}", dtype.name(), shape.dims()))
            .with_found(format_args!("{found} bytes")));
    }
    // One axis has one order.
    let fortran = dict.fortran_order && shape.dims().len() > 1;
    let tensor = TensorInfo {
        layout: if fortran { Layout::Fortran } else { Layout::RowMajor },
        big_endian,
        ..TensorInfo::plain("array".into(), dtype, shape, start..file_len)
    };
    Ok(Listing::new(Format::Npy, Vec::new(), vec![tensor]))
}

/// The element type of a numpy type string, and whether it is stored big-endian.
fn element(descr: &str) -> Result<(DType, bool)> {
    let refuse = |what: &str| {
        Err(Error::new(Code::Unsupported, what)
            .with_expected("booleans, integers, f2, f4, f8, or bf16 (V2)")
            .with_found(excerpt(descr)))
    };
    let Some((order, kind)) = descr.split_at_checked(1) else {
        return refuse("the npy element type is empty");
    };
    let dtype = match kind {
        "b1" => DType::Bool,
        "u1" => DType::U8,
        "i1" => DType::I8,
        "u2" => DType::U16,
        "i2" => DType::I16,
        "u4" => DType::U32,
        "i4" => DType::I32,
        "u8" => DType::U64,
        "i8" => DType::I64,
        "f2" => DType::F16,
        "f4" => DType::F32,
        "f8" => DType::F64,
        "V2" if order != ">" => DType::Bf16,
        "c8" | "c16" | "c32" => return refuse("complex numbers cannot be read"),
        "O" | "O4" | "O8" => return refuse("Python objects (a pickle) are never read"),
        "V1" | "f1" => return refuse("one-byte floats in npy do not say which kind they are"),
        _ if kind.starts_with(['S', 'U', 'a']) => return refuse("text arrays cannot be read"),
        _ if kind.starts_with(['M', 'm']) => return refuse("dates cannot be read"),
        _ => return refuse("the npy element type is not known"),
    };
    match order {
        "<" => Ok((dtype, false)),
        ">" => Ok((dtype, dtype.bits() > 8.0)),
        "|" if dtype.bits() == 8.0 || dtype == DType::Bf16 => Ok((dtype, false)),
        _ => refuse("the npy element type does not say its byte order"),
    }
}

struct Dict {
    descr: Placed<String>,
    fortran_order: bool,
    shape: Placed<Vec<u64>>,
}

/// A value and where it stands in the file.
struct Placed<T> {
    value: T,
    at: u64,
}

/// A cursor over the dict literal. Offsets are offsets in the file, because `bytes` starts with it.
struct Literal<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl Literal<'_> {
    fn dict(mut self) -> Result<Dict> {
        let (mut descr, mut fortran_order, mut shape) = (None, None, None);
        self.expect(b'{')?;
        while self.peek() != Some(b'}') {
            let key_at = self.at;
            let key = self.string()?;
            self.expect(b':')?;
            self.peek();
            let at = self.at as u64;
            let again = match key.as_str() {
                "descr" => descr.replace(Placed { value: self.descr()?, at }).is_some(),
                "fortran_order" => fortran_order.replace(self.boolean()?).is_some(),
                "shape" => shape.replace(Placed { value: self.tuple()?, at }).is_some(),
                _ => true,
            };
            if again {
                return Err(Error::new(Code::Malformed, "the npy header has a key too many")
                    .with_offset(key_at as u64)
                    .with_expected("descr, fortran_order and shape, each once")
                    .with_found(excerpt(&key)));
            }
            if self.peek() == Some(b',') {
                self.at += 1;
            } else if self.peek() != Some(b'}') {
                return Err(self.refuse("',' or '}'"));
            }
        }
        self.at += 1;
        if self.peek().is_some() {
            return Err(self.refuse("white space up to the end of the header"));
        }
        match (descr, fortran_order, shape) {
            (Some(descr), Some(fortran_order), Some(shape)) => Ok(Dict { descr, fortran_order, shape }),
            _ => Err(self.refuse("descr, fortran_order and shape")),
        }
    }

    /// The next byte that is not white space; the cursor stands on it.
    fn peek(&mut self) -> Option<u8> {
        while matches!(self.bytes.get(self.at), Some(b' ' | b'\t' | b'\r' | b'\n')) {
            self.at += 1;
        }
        self.bytes.get(self.at).copied()
    }

    fn refuse(&mut self, expected: &str) -> Error {
        let found = match self.peek() {
            None => "the end of the header".into(),
            Some(b @ b' '..=b'~') => format!("'{}'", char::from(b)),
            Some(b) => format!("byte 0x{b:02x}"),
        };
        Error::new(Code::Malformed, "the npy header is not the Python literal that numpy writes")
            .with_offset(self.at as u64)
            .with_expected(expected)
            .with_found(found)
    }

    fn expect(&mut self, byte: u8) -> Result<()> {
        if self.peek() != Some(byte) {
            return Err(self.refuse(&format!("'{}'", char::from(byte))));
        }
        self.at += 1;
        Ok(())
    }

    fn string(&mut self) -> Result<String> {
        let Some(quote @ (b'\'' | b'"')) = self.peek() else {
            return Err(self.refuse("a quoted string"));
        };
        let text = &self.bytes[self.at + 1..];
        let end = text.iter().position(|&b| b == quote || !matches!(b, b' '..=b'~') || b == b'\\');
        match end {
            Some(end) if text[end] == quote => {
                self.at += end + 2;
                Ok(text[..end].iter().copied().map(char::from).collect())
            }
            end => {
                self.at += 1 + end.unwrap_or(text.len());
                Err(self.refuse("a string of plain ASCII and its closing quote"))
            }
        }
    }

    fn descr(&mut self) -> Result<String> {
        if matches!(self.peek(), Some(b'[' | b'(' | b'{')) {
            let end = self.bytes.len().min(self.at + 60);
            return Err(Error::new(Code::Unsupported, "structured arrays cannot be read")
                .with_offset(self.at as u64)
                .with_expected("one element type, such as '<f4'")
                .with_found(excerpt(String::from_utf8_lossy(&self.bytes[self.at..end]).trim_end())));
        }
        self.string()
    }

    fn boolean(&mut self) -> Result<bool> {
        self.peek();
        for (word, value) in [(&b"True"[..], true), (b"False", false)] {
            if self.bytes[self.at..].starts_with(word) {
                self.at += word.len();
                return Ok(value);
            }
        }
        Err(self.refuse("True or False"))
    }

    fn tuple(&mut self) -> Result<Vec<u64>> {
        let mut dims = Vec::new();
        self.expect(b'(')?;
        while self.peek() != Some(b')') {
            if dims.len() == MAX_DIMS {
                return Err(self.refuse("at most 64 dimensions"));
            }
            dims.push(self.integer()?);
            match self.peek() {
                Some(b',') => self.at += 1,
                // `(3)` is a number in Python, not a tuple.
                Some(b')') if dims.len() > 1 => {}
                _ => return Err(self.refuse("','")),
            }
        }
        self.at += 1;
        Ok(dims)
    }

    fn integer(&mut self) -> Result<u64> {
        self.peek();
        let rest = &self.bytes[self.at..];
        let digits = &rest[..rest.iter().take_while(|b| b.is_ascii_digit()).count()];
        let value = std::str::from_utf8(digits).ok().and_then(|d| d.parse().ok());
        let value = value.ok_or_else(|| self.refuse("an unsigned integer of 64 bits"))?;
        self.at += digits.len();
        if self.bytes.get(self.at) == Some(&b'L') {
            self.at += 1;
        }
        Ok(value)
    }
}
