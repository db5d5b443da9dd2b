//! The container of Deep Compression, `.fbdc`: `docs/deep-compression.md` defines it. Tensors that are compressed are records
//! ([`crate::quant::deep`] reads them); the others lie in it as they were.
//!
//! Layout, little-endian: magic, version, number of tensors, length of the header, number of notes; the notes; the tensors' names, types,
//! dimensions and places; the data, without gaps, to the end of the file.

use std::collections::HashSet;
use std::ops::Range;

use super::{Format, Header, HeaderKind, Listing, MAX_DIMS, MAX_HEADER_BYTES, TensorInfo, excerpt};
use crate::error::{Code, Error, Result};
use crate::tensor::{DType, Shape};

/// The first bytes of a file. The line end shows a transfer that changes them.
pub(super) const MAGIC: &[u8; 8] = b"FBDEEP\r\n";

/// The only version.
pub(super) const VERSION: u32 = 1;

/// Bytes before the notes.
pub(super) const HEAD: u64 = 28;

/// Tensors whose bytes are as they were, and records.
pub(super) const STORED: u8 = 0;
pub(super) const RECORD: u8 = 1;

/// Bytes of a record at least, and weights that a bit of it can stand for: one that is stored and the 255 zeros before it.
const LEAST_RECORD: u64 = 20;
const MOST_PER_BIT: u64 = 256;

/// The fewest bytes of a note (two empty texts) and of a tensor (no name, no dimensions).
const LEAST_NOTE: u64 = 8;
const LEAST_TENSOR: u64 = 4 + 1 + 1 + 1 + 16;

/// Where the header of the file that starts with `start` ends.
pub(super) fn header(start: &[u8], file_len: u64) -> Result<Header> {
    let Some(head) = start.first_chunk::<{ HEAD as usize }>() else {
        return Err(ends_early(file_len, HEAD));
    };
    let version = u32_at(head, 8);
    if version != VERSION {
        return Err(Error::new(Code::Unsupported, "the version of the container is not known")
            .with_offset(8)
            .with_expected(VERSION)
            .with_found(version));
    }
    let end = u64::from_le_bytes(*head[16..].first_chunk().unwrap_or(&[0; 8]));
    if !(HEAD..=MAX_HEADER_BYTES).contains(&end) {
        return Err(malformed("the header cannot be so long", 16)
            .with_expected(format_args!("{HEAD} to {MAX_HEADER_BYTES} bytes"))
            .with_found(format_args!("{end} bytes")));
    }
    if end > file_len { Err(ends_early(file_len, end)) } else { Ok(Header { kind: HeaderKind::Deep, end }) }
}

/// Lists the tensors of a file of `file_len` bytes that begins with `header`.
pub(super) fn parse(header: &[u8], file_len: u64) -> Result<Listing> {
    let (tensors, notes) = (u32_at(header, 12), u32_at(header, 24));
    let mut cursor = Cursor { bytes: header, at: HEAD as usize };
    cursor.has_room(u64::from(notes), LEAST_NOTE, "notes", 24)?;
    let mut metadata: Vec<(String, String)> = Vec::new();
    let mut keys = HashSet::new();
    for _ in 0..notes {
        let at = cursor.at;
        let (key, value) = (cursor.text("the key of a note")?, cursor.text("a note")?);
        if key.is_empty() || !keys.insert(key.clone()) {
            let what = if key.is_empty() { "a note has no key" } else { "two notes have one key" };
            return Err(malformed(what, at as u64).with_expected("a key of its own").with_found(excerpt(&key)));
        }
        metadata.push((key, value));
    }
    metadata.sort();
    cursor.has_room(u64::from(tensors), LEAST_TENSOR, "tensors", 12)?;
    let mut names = HashSet::new();
    let mut listed = Vec::new();
    let mut next = header.len() as u64;
    for _ in 0..tensors {
        let at = cursor.at as u64;
        let tensor = cursor.tensor(next, file_len)?;
        if tensor.name.is_empty() || !names.insert(tensor.name.clone()) {
            let what = if tensor.name.is_empty() { "a tensor has no name" } else { "two tensors have one name" };
            return Err(malformed(what, at).with_expected("a name of its own").with_found(excerpt(&tensor.name)));
        }
        next = tensor.bytes.end;
        listed.push(tensor);
    }
    if cursor.at < header.len() {
        return Err(malformed("bytes of the header belong to nothing", cursor.at as u64)
            .with_expected(format_args!("a header of {} bytes", cursor.at))
            .with_found(format_args!("{} bytes", header.len())));
    }
    if next != file_len {
        return Err(malformed("bytes after the last tensor belong to no tensor", next)
            .with_expected(format_args!("a file of {next} bytes"))
            .with_found(format_args!("{file_len} bytes")));
    }
    Ok(Listing::new(Format::Deep, metadata, listed))
}

fn malformed(what: &str, at: u64) -> Error {
    Error::new(Code::Malformed, what).with_offset(at)
}

fn ends_early(file_len: u64, needed: u64) -> Error {
    Error::new(Code::Truncated, "the file ends inside its header")
        .with_offset(file_len)
        .with_expected(format_args!("at least {needed} bytes"))
        .with_found(format_args!("{file_len} bytes"))
}

fn u32_at(bytes: &[u8], at: usize) -> u32 {
    bytes.get(at..).and_then(|b| b.first_chunk()).map_or(0, |b| u32::from_le_bytes(*b))
}

/// A place in the header. Offsets are offsets in the file, because `bytes` starts with it.
struct Cursor<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Cursor<'a> {
    fn left(&self) -> u64 {
        (self.bytes.len() - self.at) as u64
    }

    /// Refuses a number of things that the rest of the header has no room for.
    fn has_room(&self, count: u64, least: u64, what: &str, at: u64) -> Result<()> {
        let room = self.left() / least;
        if count <= room {
            return Ok(());
        }
        Err(malformed(&format!("the header has no room for its {what}"), at)
            .with_expected(format_args!("at most {room}"))
            .with_found(count))
    }

    fn take(&mut self, count: u64, what: &str) -> Result<&'a [u8]> {
        let rest = self.bytes.get(self.at..).unwrap_or_default();
        let taken = usize::try_from(count).ok().and_then(|count| rest.get(..count)).ok_or_else(|| {
            malformed(&format!("the header ends in {what}"), self.at as u64)
                .with_expected(format_args!("{count} bytes"))
                .with_found(format_args!("{} bytes", rest.len()))
        })?;
        self.at += taken.len();
        Ok(taken)
    }

    fn u8(&mut self, what: &str) -> Result<u8> {
        self.take(1, what).map(|bytes| bytes[0])
    }

    fn u64(&mut self, what: &str) -> Result<u64> {
        let bytes = self.take(8, what)?;
        Ok(bytes.first_chunk().map_or(0, |bytes| u64::from_le_bytes(*bytes)))
    }

    fn text(&mut self, what: &str) -> Result<String> {
        let count = u32_at(self.take(4, what)?, 0);
        let at = self.at as u64;
        let bytes = self.take(u64::from(count), what)?;
        std::str::from_utf8(bytes).map(str::to_owned).map_err(|e| {
            malformed(&format!("{what} is not UTF-8"), at + e.valid_up_to() as u64)
                .with_expected("UTF-8")
                .with_found(format_args!("byte 0x{:02x}", bytes[e.valid_up_to()]))
        })
    }

    /// A tensor whose bytes begin at `next`.
    fn tensor(&mut self, next: u64, file_len: u64) -> Result<TensorInfo> {
        let name = self.text("the name of a tensor")?;
        self.rest_of_tensor(&name, next, file_len).map_err(|e| e.with_tensor(&name))
    }

    fn rest_of_tensor(&mut self, name: &str, next: u64, file_len: u64) -> Result<TensorInfo> {
        let at = self.at as u64;
        let coding = self.u8("how a tensor is stored")?;
        if coding > RECORD {
            return Err(malformed("nothing is stored so", at).with_expected("0 or 1").with_found(coding));
        }
        let at = self.at as u64;
        let dtype = self.dtype()?;
        if coding == RECORD && dtype != DType::F32 {
            return Err(malformed("a record has weights of one type alone", at)
                .with_expected("F32")
                .with_found(dtype.name()));
        }
        let at = self.at as u64;
        let rank = self.u8("the number of dimensions")?;
        if usize::from(rank) > MAX_DIMS {
            return Err(malformed("the tensor has too many dimensions", at)
                .with_expected(format_args!("at most {MAX_DIMS}"))
                .with_found(rank));
        }
        let dims = (0..rank).map(|_| self.u64("the dimensions")).collect::<Result<Vec<u64>>>()?;
        let shape = Shape::new(&dims)
            .map_err(|e| e.with_code(Code::Malformed).with_offset(at).with_expected("fewer elements"))?;
        let at = self.at as u64;
        let bytes = self.u64("the place of the data")?..self.u64("the place of the data")?;
        self.check_place(&bytes, next, file_len, at)?;
        check_len(coding, dtype, &shape, bytes.end - bytes.start, at)?;
        let plain = TensorInfo::plain(name.to_owned(), dtype, shape, bytes);
        Ok(TensorInfo { deep: coding == RECORD, ..plain })
    }

    fn dtype(&mut self) -> Result<DType> {
        let count = self.u8("the type of a tensor")?;
        let at = self.at as u64;
        let name = String::from_utf8_lossy(self.take(count.into(), "the type of a tensor")?);
        DType::named(&name).ok_or_else(|| {
            malformed("no element type has this name", at)
                .with_expected("a name such as F32")
                .with_found(excerpt(&name))
        })
    }

    fn check_place(&self, bytes: &Range<u64>, next: u64, file_len: u64, at: u64) -> Result<()> {
        if bytes.start != next {
            return Err(malformed("the tensor does not begin where the data before it ends", at)
                .with_expected(next)
                .with_found(bytes.start));
        }
        if bytes.end < bytes.start {
            return Err(malformed("the tensor ends before it begins", at + 8)
                .with_expected(format_args!("at least {}", bytes.start))
                .with_found(bytes.end));
        }
        if bytes.end > file_len {
            return Err(Error::new(Code::Truncated, "the file ends before the tensor does")
                .with_offset(file_len)
                .with_expected(format_args!("at least {} bytes", bytes.end))
                .with_found(format_args!("{file_len} bytes")));
        }
        Ok(())
    }
}

/// Holds the bytes of a tensor to its dimensions.
fn check_len(coding: u8, dtype: DType, shape: &Shape, found: u64, at: u64) -> Result<()> {
    let refuse = |what: &str| malformed(what, at).with_found(format_args!("{found} bytes"));
    if coding == STORED {
        let needed = dtype.padded_len(shape.count());
        return match needed {
            Some(needed) if needed == found => Ok(()),
            _ => Err(refuse("the tensor has other bytes than its dimensions ask for").with_expected(format_args!(
                "{} for {} {:?}",
                needed.map_or("whole blocks, in 64 bits,".into(), |n| format!("{n} bytes")),
                dtype.name(),
                shape.dims()
            ))),
        };
    }
    if found < LEAST_RECORD {
        return Err(refuse("a record is longer than this").with_expected(format_args!("at least {LEAST_RECORD} bytes")));
    }
    let most = found.saturating_mul(8 * MOST_PER_BIT);
    if shape.count() > most {
        return Err(refuse("a record of so few bytes has no room for the tensor's weights")
            .with_expected(format_args!("room for {:?}", shape.dims())));
    }
    Ok(())
}
