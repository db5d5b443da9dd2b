//! The end record and the central directory.

use std::collections::HashSet;
use std::ops::Range;

use super::{Member, piece};
use crate::error::{Code, Error, Result};
use crate::formats::MAX_HEADER_BYTES;

/// The end record with the longest comment, and the zip64 locator before it.
pub(super) const END_BYTES: u64 = 22 + 65_535 + 20;

const END: &[u8] = b"PK\x05\x06";
const LOCATOR: &[u8] = b"PK\x06\x07";
const END_64: &[u8] = b"PK\x06\x06";
const ENTRY: &[u8] = b"PK\x01\x02";

/// Bytes of an entry before its name.
const ENTRY_BYTES: usize = 46;

/// Bytes that one byte of a deflate stream can become: 258 by two bits.
const MOST_RATIO: u64 = 1032;

/// Reads little-endian numbers at fixed places of a record that is held whole.
#[derive(Clone, Copy)]
pub(super) struct Record<'a>(pub &'a [u8]);

impl Record<'_> {
    pub fn u16(self, at: usize) -> u16 {
        u16::from_le_bytes(self.0[at..at + 2].try_into().expect("2 bytes"))
    }

    pub fn u32(self, at: usize) -> u32 {
        u32::from_le_bytes(self.0[at..at + 4].try_into().expect("4 bytes"))
    }

    pub fn u64(self, at: usize) -> u64 {
        u64::from_le_bytes(self.0[at..at + 8].try_into().expect("8 bytes"))
    }
}

/// What the end of the archive says.
#[derive(Debug, Clone)]
pub(super) struct End {
    entries: u64,
    central: Range<u64>,
    /// Where the first end record begins: the directory ends there.
    at: u64,
}

impl End {
    /// Finds the end record in the last bytes of the file, which begin at `at`; with the zip64 record to read, where there is one.
    pub fn find(at: u64, tail: &[u8]) -> Result<(End, Option<Range<u64>>)> {
        let missing = || {
            Error::new(Code::Truncated, "the zip archive has no end record: it may be cut off")
                .with_offset(at + tail.len() as u64)
                .with_expected("an end record whose comment ends with the file")
                .with_found("none")
        };
        let ends_file =
            |&i: &usize| tail[i..].starts_with(END) && i + 22 + usize::from(Record(tail).u16(i + 20)) == tail.len();
        let last = tail.len().checked_sub(22).ok_or_else(missing)?;
        let found = (0..=last).rev().find(ends_file).ok_or_else(missing)?;
        let record = Record(&tail[found..]);
        let refuse = |message: &str| Error::new(Code::Unsupported, message).with_offset(at + found as u64);
        let disks = (record.u16(4), record.u16(6));
        if !matches!(disks, (0, 0) | (0xffff, 0xffff)) {
            return Err(refuse("archives in several files cannot be read")
                .with_expected("disk 0 of 0")
                .with_found(format_args!("disk {} of {}", disks.0, disks.1)));
        }
        let (size, start) = (u64::from(record.u32(12)), u64::from(record.u32(16)));
        let end = End { entries: record.u16(10).into(), central: start..start + size, at: at + found as u64 };
        let locator = found.checked_sub(20).map(|i| Record(&tail[i..found])).filter(|r| r.0.starts_with(LOCATOR));
        let Some(locator) = locator else { return Ok((end, None)) };
        let at = locator.u64(8);
        let need = at..at.saturating_add(56);
        if need.end > end.at - 20 {
            return Err(Error::new(Code::Malformed, "the zip64 locator leads nowhere")
                .with_offset(end.at - 20)
                .with_expected(format_args!("a record before {}", end.at - 20))
                .with_found(at));
        }
        Ok((end, Some(need)))
    }

    /// The same, as the zip64 end record at `at` says it.
    pub fn with_64(&self, at: u64, bytes: &[u8]) -> Result<End> {
        let record = Record(bytes);
        let malformed = |message: &str| Error::new(Code::Malformed, message).with_offset(at);
        if !bytes.starts_with(END_64) {
            return Err(malformed("the zip64 locator leads to something else")
                .with_expected("PK 06 06")
                .with_found(format_args!("{:02x?}", &bytes[..4])));
        }
        if (record.u32(16), record.u32(20)) != (0, 0) {
            return Err(malformed("archives in several files cannot be read").with_code(Code::Unsupported));
        }
        let (entries, size, start) = (record.u64(32), record.u64(40), record.u64(48));
        let end = start.checked_add(size).ok_or_else(|| {
            malformed("the central directory ends beyond 2^64").with_found(format_args!("{start} + {size}"))
        })?;
        Ok(End { entries, central: start..end, at })
    }
}

/// The central directory, as far as it is read.
#[derive(Debug)]
pub(super) struct Central {
    end: End,
    held: Vec<u8>,
}

impl Central {
    pub fn new(end: End) -> Result<Central> {
        let Range { start, end: stop } = end.central;
        let malformed = |message: &str| Error::new(Code::Malformed, message).with_offset(end.at);
        if stop != end.at {
            return Err(malformed("the central directory does not end where the end record begins")
                .with_expected(format_args!("an end at {}", end.at))
                .with_found(format_args!("{start} + {}", stop - start)));
        }
        if stop - start > MAX_HEADER_BYTES {
            return Err(malformed("the central directory is too long")
                .with_expected(format_args!("at most {MAX_HEADER_BYTES} bytes"))
                .with_found(format_args!("{} bytes", stop - start)));
        }
        if end.entries.checked_mul(ENTRY_BYTES as u64).is_none_or(|least| least > stop - start) {
            return Err(malformed("the central directory is too short for its entries")
                .with_expected(format_args!("{} entries of {ENTRY_BYTES} bytes or more", end.entries))
                .with_found(format_args!("{} bytes", stop - start)));
        }
        Ok(Central { end, held: Vec::new() })
    }

    /// What is still to be read.
    pub fn need(&self) -> Option<Range<u64>> {
        let rest = self.end.central.start + self.held.len() as u64..self.end.central.end;
        (!rest.is_empty()).then(|| piece(rest))
    }

    pub fn take(&mut self, bytes: &[u8]) -> Result<Option<Range<u64>>> {
        self.held
            .try_reserve(bytes.len())
            .map_err(|_| Error::new(Code::OutOfMemory, "not enough memory for the central directory"))?;
        self.held.extend_from_slice(bytes);
        Ok(self.need())
    }

    /// The members in the order of their bytes.
    pub fn members(&self) -> Result<Vec<Member>> {
        let (mut members, mut names, mut at) = (Vec::new(), HashSet::new(), 0);
        while at < self.held.len() {
            let here = self.end.central.start + at as u64;
            let (member, length) = entry(&self.held[at..], here)?;
            if !names
                .insert(&self.held[at + ENTRY_BYTES..at + ENTRY_BYTES + usize::from(Record(&self.held[at..]).u16(28))])
            {
                return Err(member.malformed("the archive has two members of this name").with_offset(here));
            }
            at += length;
            // A folder has no bytes.
            if !(member.name.ends_with('/') && member.size == 0) {
                members.push(member);
            }
        }
        let found = names.len() as u64;
        if found != self.end.entries {
            return Err(Error::new(
                Code::Malformed,
                "the central directory has another number of entries than its end says",
            )
            .with_offset(self.end.at)
            .with_expected(format_args!("{} entries", self.end.entries))
            .with_found(format_args!("{found}")));
        }
        members.sort_by_key(|m: &Member| m.at);
        let mut limit = self.end.central.start;
        for member in members.iter_mut().rev() {
            let least = member.at.saturating_add(30 + member.name.len() as u64).saturating_add(member.packed);
            if least > limit {
                let (message, code) = if limit == self.end.central.start {
                    ("the member reaches into the central directory", Code::Malformed)
                } else {
                    ("the member overlaps the one after it", Code::Malformed)
                };
                return Err(Error::new(code, message)
                    .with_tensor(&member.name)
                    .with_offset(member.at)
                    .with_expected(format_args!("an end at {limit} or before"))
                    .with_found(least));
            }
            member.limit = limit;
            limit = member.at;
        }
        Ok(members)
    }
}

/// One entry of the directory, which lies at `at` in the file, and its length.
fn entry(bytes: &[u8], at: u64) -> Result<(Member, usize)> {
    let malformed = |message: &str| Error::new(Code::Malformed, message).with_offset(at);
    if !bytes.starts_with(ENTRY) || bytes.len() < ENTRY_BYTES {
        return Err(malformed("the central directory holds something else than an entry")
            .with_expected("PK 01 02 and 42 bytes more")
            .with_found(format_args!("{:02x?}", &bytes[..bytes.len().min(4)])));
    }
    let record = Record(bytes);
    let (name_len, extra_len, comment_len) = (record.u16(28), record.u16(30), record.u16(32));
    let extra_at = ENTRY_BYTES + usize::from(name_len);
    let comment_at = extra_at + usize::from(extra_len);
    let length = comment_at + usize::from(comment_len);
    if length > bytes.len() {
        return Err(malformed("an entry reaches beyond the central directory")
            .with_expected(format_args!("at most {} bytes", bytes.len()))
            .with_found(format_args!("{length} bytes")));
    }
    let name = String::from_utf8_lossy(&bytes[ENTRY_BYTES..extra_at]).into_owned();
    let (flags, method) = (record.u16(8), record.u16(10));
    let mut member = Member {
        name,
        is_deflated: method == 8,
        packed: record.u32(20).into(),
        size: record.u32(24).into(),
        crc: Some(record.u32(16)).filter(|crc| *crc != 0),
        at: record.u32(42).into(),
        limit: 0,
        refused: match (flags & 1, method) {
            (1, _) => Some("the member is encrypted"),
            (_, 0 | 8) => None,
            _ => Some("the member is packed by a method that is not read (only stored and deflated are)"),
        },
    };
    zip64(&mut member, &bytes[extra_at..comment_at]).map_err(|e| e.with_offset(at))?;
    if method == 0 && member.packed != member.size && member.refused.is_none() {
        return Err(member
            .malformed("a stored member has two sizes")
            .with_offset(at)
            .with_expected(format_args!("{} bytes", member.size))
            .with_found(format_args!("{} bytes", member.packed)));
    }
    if member.is_deflated && member.packed.saturating_mul(MOST_RATIO).saturating_add(MOST_RATIO) < member.size {
        return Err(member
            .malformed("a deflated member claims more than deflate can hold")
            .with_offset(at)
            .with_expected(format_args!("at most {MOST_RATIO} bytes for each of {}", member.packed))
            .with_found(format_args!("{} bytes", member.size)));
    }
    Ok((member, length))
}

/// Takes what does not fit in 32 bits from the entry's extra fields.
fn zip64(member: &mut Member, mut extra: &[u8]) -> Result<()> {
    const WIDE: u64 = 0xffff_ffff;
    let mut wide: Option<&[u8]> = None;
    while extra.len() >= 4 {
        let (id, length) = (Record(extra).u16(0), usize::from(Record(extra).u16(2)));
        let Some(field) = extra.get(4..4 + length) else { break };
        if id == 1 {
            wide = Some(field);
        }
        extra = &extra[4 + length..];
    }
    let name = member.name.clone();
    for value in [&mut member.size, &mut member.packed, &mut member.at] {
        if *value == WIDE
            && let Some(field) = &mut wide
        {
            let Some((first, rest)) = field.split_first_chunk::<8>() else {
                return Err(Error::new(Code::Malformed, "the zip64 field of a member is too short")
                    .with_expected("8 bytes for each number that 32 bits do not hold")
                    .with_tensor(&name)
                    .with_found(format_args!("{} bytes", field.len())));
            };
            *value = u64::from_le_bytes(*first);
            *field = rest;
        }
    }
    Ok(())
}
