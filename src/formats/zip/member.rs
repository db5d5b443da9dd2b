//! The content of a member, or its beginning.

use std::ops::Range;

use super::directory::Record;
use super::{Member, piece};
use crate::error::{Code, Error, Result};
use crate::formats::inflate::Inflate;

/// Bytes of a member's own header before its name.
const LOCAL_BYTES: u64 = 30;

/// Reads a member: its header, then as much of its content as is wanted.
#[derive(Debug)]
pub(in crate::formats) struct Opener {
    pub member: Member,
    /// Where its packed bytes begin, once its header is read.
    pub data_at: Option<u64>,
    /// The first bytes of the content.
    pub held: Vec<u8>,
    wanted: u64,
    /// Packed bytes that were read.
    read: u64,
    inflater: Option<Inflate>,
}

/// What comes next.
#[derive(Debug, PartialEq, Eq)]
pub(in crate::formats) enum Progress {
    Need(Range<u64>),
    /// [`Opener::held`] is as long as was wanted, or the whole content.
    Held,
}

impl Opener {
    /// Opens a member for its first `wanted` bytes.
    ///
    /// # Errors
    /// `unsupported` for a member that cannot be read.
    pub fn new(member: Member, wanted: u64) -> Result<Opener> {
        if let Some(why) = member.refused {
            return Err(Error::new(Code::Unsupported, why).with_tensor(&member.name).with_offset(member.at));
        }
        let inflater = member.is_deflated.then(Inflate::new);
        let wanted = wanted.min(member.size);
        Ok(Opener { member, data_at: None, held: Vec::new(), wanted, read: 0, inflater })
    }

    /// Asks for more of the content, some of which may have been read already.
    pub fn want(&mut self, wanted: u64) -> Result<()> {
        self.wanted = wanted.min(self.member.size).max(self.wanted);
        if self.inflater.is_some() {
            let held = self.inflate()?;
            self.hold(&held)?;
        }
        Ok(())
    }

    /// What to read next.
    pub fn next(&self) -> Progress {
        let Some(data_at) = self.data_at else {
            return Progress::Need(self.member.at..self.member.at + LOCAL_BYTES + self.member.name.len() as u64);
        };
        let ended = self.inflater.as_ref().is_some_and(Inflate::ended);
        if self.held.len() as u64 >= self.wanted || ended || self.read == self.member.packed {
            return Progress::Held;
        }
        let rest = data_at + self.read..data_at + self.member.packed;
        let missing = self.wanted - self.held.len() as u64;
        // Of a deflated member, a little more than it should take: its numbers may lie, so it is not believed for much.
        let most = if self.member.is_deflated { (missing / 2).max(4096) } else { missing };
        let need = piece(rest);
        Progress::Need(need.start..need.end.min(need.start.saturating_add(most)))
    }

    /// Takes the bytes that were asked for.
    pub fn take(&mut self, bytes: &[u8]) -> Result<Progress> {
        if self.data_at.is_none() {
            self.data_at = Some(data_at(&self.member, bytes)?);
            return Ok(self.next());
        }
        self.read += bytes.len() as u64;
        let held = match &mut self.inflater {
            None => bytes.to_vec(),
            Some(inflater) => {
                inflater.push(bytes.to_vec());
                self.inflate()?
            }
        };
        self.hold(&held)?;
        Ok(self.next())
    }

    fn hold(&mut self, bytes: &[u8]) -> Result<()> {
        let reserved = self.held.try_reserve(bytes.len());
        reserved.map_err(|_| Error::new(Code::OutOfMemory, "not enough memory for a member of the archive"))?;
        self.held.extend_from_slice(bytes);
        Ok(())
    }

    /// What comes out of the bytes pushed, up to what is wanted.
    fn inflate(&mut self) -> Result<Vec<u8>> {
        let most = crate::tensor::to_usize(self.wanted - self.held.len() as u64)?;
        let (data_at, inflater) =
            (self.data_at.unwrap_or_default(), self.inflater.as_mut().expect("a deflated member"));
        inflater.pull(most).map_err(|e| {
            let at = data_at + e.offset.unwrap_or_default();
            e.with_tensor(&self.member.name).with_offset(at)
        })
    }
}

/// Where the packed bytes of a member begin, from its own header (and the name after it), which is held to what the directory says.
pub(super) fn data_at(member: &Member, header: &[u8]) -> Result<u64> {
    let record = Record(header);
    let malformed = |message: &str| member.malformed(message).with_offset(member.at);
    if !header.starts_with(b"PK\x03\x04") {
        return Err(malformed("the central directory leads to something else than the member")
            .with_expected("PK 03 04")
            .with_found(format_args!("{:02x?}", &header[..4])));
    }
    let method = if member.is_deflated { 8 } else { 0 };
    if (record.u16(6) & 1, record.u16(8)) != (0, method) {
        return Err(malformed("the member is packed in another way than the central directory says")
            .with_expected(format_args!("method {method}"))
            .with_found(format_args!("method {}, flags {:#x}", record.u16(8), record.u16(6))));
    }
    let name = &header[LOCAL_BYTES as usize..];
    if usize::from(record.u16(26)) != name.len() || String::from_utf8_lossy(name) != member.name {
        return Err(malformed("the member has another name than the central directory says")
            .with_expected(crate::formats::excerpt(&member.name))
            .with_found(format_args!(
                "{} bytes, {}",
                record.u16(26),
                crate::formats::excerpt(&String::from_utf8_lossy(name))
            )));
    }
    // With bit 3 the sizes follow the content, and these are 0; with zip64 they are in an extra field.
    let sizes = [(record.u32(18), member.packed), (record.u32(22), member.size)];
    for (stated, size) in sizes {
        if record.u16(6) & 8 == 0 && stated != u32::MAX && u64::from(stated) != size {
            return Err(malformed("the member has another size than the central directory says")
                .with_expected(format_args!("{size} bytes"))
                .with_found(format_args!("{stated} bytes")));
        }
    }
    let data_at = member.at + LOCAL_BYTES + u64::from(record.u16(26)) + u64::from(record.u16(28));
    if data_at.checked_add(member.packed).is_none_or(|end| end > member.limit) {
        return Err(malformed("the member overlaps what comes after it")
            .with_expected(format_args!("an end at {} or before", member.limit))
            .with_found(format_args!("{data_at} + {}", member.packed)));
    }
    Ok(data_at)
}
