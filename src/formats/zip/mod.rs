//! Zip archives: which members there are and where their bytes lie. npz files and PyTorch checkpoints are such archives.
//!
//! Definition: PKWARE's APPNOTE.TXT 6.3.10, with zip64; stored and deflated members. The central directory is believed as far as it can be
//! held to account: members lie before it, one after the other, and each says at its own place what the directory says of it. The file
//! ends with the archive and the archive begins with the file: what is glued to either is refused.

mod directory;
mod member;

use std::ops::Range;

use super::npz::Npz;
use super::torch::Torch;
use super::{Parser, Step};
use crate::error::{Code, Error, Result};

use directory::{Central, END_BYTES, End};
pub(super) use member::{Opener, Progress};

/// One file of an archive, as the central directory states it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Member {
    pub name: String,
    /// Its bytes are a raw deflate stream.
    pub is_deflated: bool,
    /// Bytes in the archive.
    pub packed: u64,
    /// Bytes of its content.
    pub size: u64,
    /// The CRC-32 of its content, if the archive states it: PyTorch writes 0 where it is told not to compute it.
    pub crc: Option<u32>,
    /// Where its own header lies.
    pub at: u64,
    /// Where the next thing begins: no byte of this member lies there.
    pub limit: u64,
    /// Why its content cannot be had, where it cannot.
    pub refused: Option<&'static str>,
}

impl Member {
    /// An error about this member.
    fn malformed(&self, message: &str) -> Error {
        Error::new(Code::Malformed, message).with_tensor(&self.name)
    }
}

/// Lists an archive.
#[derive(Debug)]
pub(super) struct Zip {
    len: u64,
    stage: Stage,
}

#[derive(Debug)]
enum Stage {
    /// Looks for the end record.
    Start,
    Tail,
    /// Reads the zip64 end record.
    End64(End),
    Central(Central),
    Inside(Box<dyn Parser>),
}

impl Zip {
    pub(super) fn new(len: u64) -> Zip {
        Zip { len, stage: Stage::Start }
    }

    fn central(&mut self, end: End) -> Result<Step> {
        let central = Central::new(end)?;
        let need = central.need();
        self.stage = Stage::Central(central);
        match need {
            Some(range) => Ok(Step::Need(range)),
            None => self.inside(),
        }
    }

    /// The directory is held: what kind of archive it is.
    fn inside(&mut self) -> Result<Step> {
        let Stage::Central(central) = &mut self.stage else { unreachable!("called with the directory") };
        let members = central.members()?;
        let mut parser: Box<dyn Parser> = match kind(&members)? {
            Kind::Torch(pickle) => Box::new(Torch::new(members, pickle)),
            Kind::Npz => Box::new(Npz::new(members)),
        };
        let step = parser.take(0, &[])?;
        self.stage = Stage::Inside(parser);
        Ok(step)
    }
}

impl Parser for Zip {
    fn take(&mut self, at: u64, bytes: &[u8]) -> Result<Step> {
        match &mut self.stage {
            Stage::Start => {
                self.stage = Stage::Tail;
                Ok(Step::Need(self.len - self.len.min(END_BYTES)..self.len))
            }
            Stage::Tail => match End::find(at, bytes)? {
                (end, None) => self.central(end),
                (end, Some(need)) => {
                    self.stage = Stage::End64(end);
                    Ok(Step::Need(need))
                }
            },
            Stage::End64(end) => {
                let end = end.with_64(at, bytes)?;
                self.central(end)
            }
            Stage::Central(central) => match central.take(bytes)? {
                Some(need) => Ok(Step::Need(need)),
                None => self.inside(),
            },
            Stage::Inside(parser) => parser.take(at, bytes),
        }
    }
}

enum Kind {
    /// The member with this index is the pickle.
    Torch(usize),
    Npz,
}

/// What the names of the members say.
fn kind(members: &[Member]) -> Result<Kind> {
    let is_pickle =
        |m: &Member| m.name == "data.pkl" || m.name.matches('/').count() == 1 && m.name.ends_with("/data.pkl");
    if let Some(pickle) = members.iter().position(is_pickle) {
        return Ok(Kind::Torch(pickle));
    }
    if members.iter().any(|m| m.name.ends_with(".npy")) || members.is_empty() {
        return Ok(Kind::Npz);
    }
    let names: Vec<_> = members.iter().take(3).map(|m| super::excerpt(&m.name)).collect();
    let (message, found) = if members.iter().any(|m| m.name == "model.weights.h5") {
        ("models of this format cannot be read", "a Keras archive".to_owned())
    } else {
        ("the zip archive holds neither npy arrays nor a PyTorch checkpoint", names.join(", "))
    };
    Err(Error::new(Code::Unsupported, message)
        .with_offset(0)
        .with_expected("members that end in .npy, or data.pkl in a folder")
        .with_found(found))
}

/// `range`, cut to one piece.
fn piece(range: Range<u64>) -> Range<u64> {
    range.start..range.end.min(range.start + super::PIECE_BYTES)
}
