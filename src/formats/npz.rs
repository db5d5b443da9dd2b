//! npz: a zip archive of npy arrays, as `numpy.savez` and `savez_compressed` write it. A tensor is named as its member, without `.npy`.

use super::crc32::{combine, crc32};
use super::zip::{Member, Opener, Progress};
use super::{Format, Listing, Parser, Step, TensorInfo, npy};
use crate::error::{Code, Error, Result};

/// Bytes of each array that are read first: numpy pads its header to 64 bytes, and most take 128.
const FIRST_BYTES: u64 = 256;

/// Lists the arrays of an archive.
#[derive(Debug)]
pub(super) struct Npz {
    /// Still to be opened, the last first.
    members: Vec<Member>,
    open: Option<Opener>,
    tensors: Vec<TensorInfo>,
    /// Arrays of text, dates, objects: why they are not listed.
    skipped: Vec<Error>,
}

impl Npz {
    pub(super) fn new(mut members: Vec<Member>) -> Npz {
        members.retain(|m| m.name.ends_with(".npy"));
        members.reverse();
        Npz { members, open: None, tensors: Vec::new(), skipped: Vec::new() }
    }

    fn done(&mut self) -> Result<Step> {
        if self.tensors.is_empty() && !self.skipped.is_empty() {
            return Err(self.skipped.remove(0));
        }
        let skipped = self
            .skipped
            .iter()
            .map(|e| (format!("not read: {}", e.tensor.as_deref().unwrap_or("")), e.message.clone()));
        let mut metadata: Vec<_> = skipped.collect();
        metadata.sort();
        let tensors = std::mem::take(&mut self.tensors);
        Ok(Step::Done(Listing::new(Format::Npz, metadata, tensors)))
    }
}

impl Parser for Npz {
    fn take(&mut self, _: u64, bytes: &[u8]) -> Result<Step> {
        let mut progress = match &mut self.open {
            Some(open) => open.take(bytes)?,
            None => Progress::Held,
        };
        loop {
            if let Progress::Need(range) = progress {
                return Ok(Step::Need(range));
            }
            if let Some(mut open) = self.open.take() {
                match array(&mut open) {
                    Ok(None) => {
                        progress = open.next();
                        self.open = Some(open);
                        continue;
                    }
                    Ok(Some(tensor)) => self.tensors.push(tensor),
                    Err(e) if e.code == Code::Unsupported => self.skipped.push(e),
                    Err(e) => return Err(e),
                }
            }
            let Some(member) = self.members.pop() else { return self.done() };
            match Opener::new(member, FIRST_BYTES) {
                Ok(open) => {
                    progress = open.next();
                    self.open = Some(open);
                }
                Err(e) => self.skipped.push(e),
            }
        }
    }
}

/// The array of a member, or nothing when more of it must be read first.
fn array(open: &mut Opener) -> Result<Option<TensorInfo>> {
    let (name, size) = (open.member.name.strip_suffix(".npy").unwrap_or_default().to_owned(), open.member.size);
    let data_at = open.data_at.unwrap_or_default();
    let deflated = open.member.is_deflated;
    // Offsets in a stored member are offsets in the file; in a deflated one they count its content.
    let locate = |mut e: Error| {
        e.offset = e.offset.map(|offset| if deflated { offset } else { offset.saturating_add(data_at) });
        e.with_tensor(&name)
    };
    if !open.held.starts_with(npy::MAGIC) {
        let found = open.held[..open.held.len().min(6)].to_vec();
        return Err(locate(Error::new(Code::Malformed, "the member is not an npy array").with_offset(0))
            .with_expected("93 4e 55 4d 50 59")
            .with_found(format_args!("{found:02x?}")));
    }
    let header = npy::header(&open.held, size).map_err(locate)?;
    if (open.held.len() as u64) < header.end {
        open.want(header.end)?;
        if open.next() == Progress::Held && (open.held.len() as u64) < header.end {
            return Err(locate(Error::new(Code::Truncated, "the deflated member ends before its size"))
                .with_expected(format_args!("{size} bytes"))
                .with_found(format_args!("{} bytes", open.held.len())));
        }
        if open.next() != Progress::Held {
            return Ok(None);
        }
    }
    let listing = npy::parse(&open.held[..header.end as usize], size).map_err(locate)?;
    let array = listing.tensors.into_iter().next().expect("npy lists one array");
    let bytes = match deflated {
        true => data_at..data_at + open.member.packed,
        false => data_at + array.bytes.start..data_at + array.bytes.end,
    };
    // The archive's is of the header as well, which has been read: adding it once more takes it out.
    let (head, length) = (crc32(0, &open.held[..header.end as usize]), size - header.end);
    let crc = open.member.crc.map(|whole| combine(head, whole, length));
    Ok(Some(TensorInfo { name, bytes, deflated: deflated.then_some(array.bytes.start), crc, ..array }))
}
