//! PyTorch checkpoints of the zip kind (`torch.save` since 1.6): `data.pkl`, `byteorder`, and a member `data/KEY` for each storage.
//!
//! Definition: `torch/serialization.py` and `caffe2/serialize/inline_container.cc`. The pickle is interpreted, never executed
//! ([`pickle`]); tensors are views of storages ([`tensors`]), several of one storage too.

mod pickle;
mod tensors;

use std::collections::HashMap;
use std::ops::Range;

use super::zip::{Member, Opener, Progress};
use super::{Format, Layout, Listing, Parser, Step, TensorInfo, excerpt};
use crate::error::{Code, Error, Result};
use crate::tensor::Shape;

/// Storages whose own headers are read. Of more, these are a sample, if the rest lie as PyTorch lays them.
const MOST_OPENED: usize = 64;

/// PyTorch aligns storages to this.
const ALIGNMENT: u64 = 64;

/// Lists a checkpoint.
#[derive(Debug)]
pub(super) struct Torch {
    members: Vec<Member>,
    /// What comes before `data.pkl` in the names of the archive.
    prefix: String,
    stage: Stage,
    open: Option<Opener>,
    big_endian: bool,
    found: tensors::Found,
    /// The storages that tensors use, by key.
    storages: HashMap<String, Storage>,
    /// Keys of the storages whose headers are still to be read.
    unopened: Vec<String>,
    pickle: usize,
}

/// A storage: its member, and where its bytes begin, as far as that is known.
#[derive(Debug)]
struct Storage {
    member: usize,
    start: Option<u64>,
    is_opened: bool,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Stage {
    Start,
    ByteOrder,
    Pickle,
    Storage(String),
}

impl Torch {
    pub(super) fn new(members: Vec<Member>, pickle: usize) -> Torch {
        let prefix = members[pickle].name.trim_end_matches("data.pkl").to_owned();
        Torch {
            members,
            prefix,
            stage: Stage::Start,
            open: None,
            big_endian: false,
            found: tensors::Found::default(),
            storages: HashMap::new(),
            unopened: Vec::new(),
            pickle,
        }
    }

    fn open(&mut self, stage: Stage, member: usize, wanted: u64) -> Result<()> {
        self.open = Some(Opener::new(self.members[member].clone(), wanted)?);
        self.stage = stage;
        Ok(())
    }

    fn start(&mut self) -> Result<()> {
        let byte_order = format!("{}byteorder", self.prefix);
        match self.members.iter().position(|m| m.name == byte_order) {
            Some(member) => self.open(Stage::ByteOrder, member, 16),
            None => self.open_pickle(),
        }
    }

    fn open_pickle(&mut self) -> Result<()> {
        let member = &self.members[self.pickle];
        if member.size > pickle::MAX_PICKLE_BYTES {
            return Err(Error::new(Code::Unsupported, "the pickle is too long")
                .with_tensor(&member.name)
                .with_expected(format_args!("at most {} bytes", pickle::MAX_PICKLE_BYTES))
                .with_found(format_args!("{} bytes", member.size)));
        }
        self.open(Stage::Pickle, self.pickle, member.size)
    }

    /// What was read says where to go on.
    fn opened(&mut self, open: Opener) -> Result<()> {
        match self.stage.clone() {
            Stage::Start => self.start(),
            Stage::ByteOrder => {
                self.big_endian = match open.held.as_slice() {
                    b"little" => false,
                    b"big" => true,
                    other => {
                        return Err(Error::new(Code::Malformed, "the checkpoint's byte order is not known")
                            .with_tensor(&open.member.name)
                            .with_expected("little or big")
                            .with_found(excerpt(&String::from_utf8_lossy(other))));
                    }
                };
                self.open_pickle()
            }
            Stage::Pickle => {
                let at = open.data_at.filter(|_| !open.member.is_deflated).unwrap_or(0);
                if (open.held.len() as u64) < open.member.size {
                    return Err(Error::new(Code::Truncated, "the deflated pickle ends before its size")
                        .with_tensor(&open.member.name)
                        .with_expected(format_args!("{} bytes", open.member.size))
                        .with_found(format_args!("{} bytes", open.held.len())));
                }
                let tree = pickle::run(&open.held).map_err(|mut e| {
                    e.offset = e.offset.map(|offset| offset + at);
                    e.with_tensor(&open.member.name)
                })?;
                self.found = tensors::find(&tree)?;
                self.place_storages()
            }
            Stage::Storage(key) => {
                let storage = self.storages.get_mut(&key).expect("asked for by its key");
                let is_as_told = storage.start.is_none_or(|start| Some(start) == open.data_at);
                (storage.start, storage.is_opened) = (open.data_at, true);
                if !is_as_told {
                    // Not PyTorch's own layout: every header is read.
                    let rest = self.storages.iter().filter(|(_, storage)| !storage.is_opened);
                    self.unopened = rest.map(|(key, _)| key.clone()).collect();
                }
                Ok(())
            }
        }
    }

    /// Finds the members of the storages that tensors use.
    fn place_storages(&mut self) -> Result<()> {
        let by_name: HashMap<&str, usize> =
            self.members.iter().enumerate().map(|(i, m)| (m.name.as_str(), i)).collect();
        for tensor in &self.found.tensors {
            if self.storages.contains_key(&tensor.key) {
                continue;
            }
            let name = format!("{}data/{}", self.prefix, tensor.key);
            let Some(&member) = by_name.get(name.as_str()) else {
                return Err(Error::new(Code::Malformed, "the archive lacks the storage of the tensor")
                    .with_tensor(&tensor.name)
                    .with_expected(format_args!("a member {}", excerpt(&name)))
                    .with_found(format_args!("{} other members", by_name.len())));
            };
            let start = aligned(&self.members[member]);
            self.storages.insert(tensor.key.clone(), Storage { member, start, is_opened: false });
        }
        let mut keys: Vec<String> = self.storages.keys().cloned().collect();
        keys.sort_by_key(|key| self.storages[key].member);
        let every = keys.len().div_ceil(MOST_OPENED).max(1);
        let is_opened = |(i, key): &(usize, String)| i % every == 0 || self.storages[key].start.is_none();
        self.unopened = keys.into_iter().enumerate().filter(is_opened).map(|(_, key)| key).rev().collect();
        Ok(())
    }

    fn done(&mut self) -> Result<Listing> {
        let found = std::mem::take(&mut self.found);
        let mut infos = Vec::new();
        for tensor in found.tensors {
            infos.push(self.place(tensor)?);
        }
        infos.sort_by_key(|a| (a.bytes.start, a.bytes.end));
        if infos.is_empty() {
            if let Some((_, e)) = found.refused.into_iter().next() {
                return Err(e);
            }
            let uncalled: Vec<_> = found.uncalled.into_iter().collect();
            return Err(Error::new(Code::Unsupported, "the checkpoint holds no tensor")
                .with_expected("tensors in dictionaries, lists or modules")
                .with_found(if uncalled.is_empty() {
                    "none".into()
                } else {
                    format!("objects of {}", uncalled.join(", "))
                }));
        }
        let mut metadata: Vec<_> =
            found.refused.into_iter().map(|(name, e)| (format!("not read: {name}"), e.message.clone())).collect();
        if !found.uncalled.is_empty() {
            let names: Vec<_> = found.uncalled.into_iter().collect();
            metadata.push(("not executed".into(), names.join(", ")));
        }
        metadata.sort();
        Ok(Listing::new(Format::Torch, metadata, infos))
    }

    /// Where a tensor lies in the file.
    fn place(&self, tensor: tensors::Stated) -> Result<TensorInfo> {
        let tensors::Stated { name, key, dtype, storage, offset, shape, strides } = tensor;
        let Storage { member, start, .. } = self.storages[&key];
        let member = &self.members[member];
        let start = start.expect("every storage was opened or lies aligned");
        let malformed = |message: &str| Error::new(Code::Malformed, message).with_tensor(&name).with_offset(start);
        if storage > member.size {
            return Err(malformed("the storage is longer than its member")
                .with_expected(format_args!("{storage} bytes"))
                .with_found(format_args!("{} bytes", member.size)));
        }
        let (_, size) = dtype.block();
        let span =
            span(&shape, &strides, offset).and_then(|s| Some(s.start.checked_mul(size)?..s.end.checked_mul(size)?));
        let Some(span) = span.filter(|span| span.end <= storage) else {
            return Err(malformed("the tensor reaches beyond its storage")
                .with_expected(format_args!("{storage} bytes"))
                .with_found(format_args!("{} {:?} by {strides:?} from element {offset}", dtype.name(), shape.dims())));
        };
        let layout = if is_row_major(&shape, &strides) { Layout::RowMajor } else { Layout::Strided(strides) };
        let (bytes, deflated) = match member.is_deflated {
            true => (start..start + member.packed, Some(span.start)),
            false => (start + span.start..start + span.end, None),
        };
        let big_endian = self.big_endian && size > 1;
        let crc = member.crc.filter(|_| layout == Layout::RowMajor && span == (0..member.size));
        Ok(TensorInfo { layout, big_endian, deflated, crc, ..TensorInfo::plain(name, dtype, shape, bytes) })
    }
}

impl Parser for Torch {
    fn take(&mut self, _: u64, bytes: &[u8]) -> Result<Step> {
        if self.stage == Stage::Start {
            self.start()?;
        } else if let Some(open) = &mut self.open
            && let Progress::Need(range) = open.take(bytes)?
        {
            return Ok(Step::Need(range));
        }
        loop {
            if let Some(open) = self.open.take() {
                if let Progress::Need(range) = open.next() {
                    self.open = Some(open);
                    return Ok(Step::Need(range));
                }
                self.opened(open)?;
                continue;
            }
            let Some(key) = self.unopened.pop() else { return self.done().map(Step::Done) };
            let member = self.storages[&key].member;
            // The header alone says where the bytes begin.
            self.open(Stage::Storage(key), member, 0)?;
        }
    }
}

/// Where PyTorch's writer puts the bytes of a stored member, if what follows them leaves no other place: aligned, and at the end of the
/// room before the next member's header, but for the record (of 16 bytes, or 24) that repeats the sizes.
fn aligned(member: &Member) -> Option<u64> {
    if member.is_deflated || member.refused.is_some() {
        return None;
    }
    let least = member.at + 30 + member.name.len() as u64;
    let fits = |after: u64| {
        let start = member.limit.checked_sub(after)?.checked_sub(member.size)?;
        (start >= least && start - least < ALIGNMENT + 28 && start % ALIGNMENT == 0).then_some(start)
    };
    [16, 24, 0].into_iter().find_map(fits)
}

/// The elements of a storage from the first that a view uses to the last.
fn span(shape: &Shape, strides: &[u64], offset: u64) -> Option<Range<u64>> {
    if shape.count() == 0 {
        return Some(offset..offset);
    }
    let mut end = offset.checked_add(1)?;
    for (&d, &stride) in shape.dims().iter().zip(strides) {
        end = end.checked_add((d - 1).checked_mul(stride)?)?;
    }
    Some(offset..end)
}

/// Whether the elements lie in order and without gaps; strides of axes of one element say nothing.
fn is_row_major(shape: &Shape, strides: &[u64]) -> bool {
    let mut run = 1;
    shape.count() == 0
        || shape.dims().iter().zip(strides).rev().filter(|(d, _)| **d != 1).all(|(&d, &stride)| {
            let fits = stride == run;
            run *= d;
            fits
        })
}
