//! File headers: which bytes hold which tensor. Parsers are handed bytes and never read; no numbers are computed.
//!
//! A [`Reader`] is made from the file's length alone. It says which byte range it needs next, is handed those bytes,
//! and ends with a [`Listing`] (or, for a model in several files, a [`ShardIndex`]). So a file on disk, a `Blob` and
//! HTTP Range requests are one code path, and only the header of a model is ever read:
//!
//! ```
//! use fewerbits::formats::{Reader, Step};
//! # fn main() -> fewerbits::Result<()> {
//! let file = b"\x39\0\0\0\0\0\0\0{\"w\":{\"dtype\":\"U8\",\"shape\":[2],\"data_offsets\":[0,2]}}    \x07\x08";
//! let mut reader = Reader::new(file.len() as u64);
//! let mut bytes: &[u8] = &[];
//! let listing = loop {
//!     match reader.step(bytes)? {
//!         Step::Need(range) => bytes = &file[range.start as usize..range.end as usize],
//!         Step::Done(listing) => break listing,
//!         Step::Shards(_) => unreachable!("this file is not an index of shards"),
//!     }
//! };
//! assert_eq!(listing.tensors[0].name, "w");
//! assert_eq!(listing.tensors[0].bytes, 65..67);
//! # Ok(())
//! # }
//! ```
//!
//! The format is found by content, never by the file's name. Everything here holds for hostile files: no panic, no
//! allocation by a number that the file claims, checked 64-bit arithmetic throughout (a model of 40 GB lists on
//! wasm32), and errors that name the tensor, the offset, what was expected and what was found.

mod json;
mod npy;
mod safetensors;
mod shards;
mod sniff;

use std::ops::Range;

use crate::error::{Code, Error, Result};
use crate::tensor::{DType, Shape};

pub use shards::ShardIndex;

/// Bytes asked for first. Most headers of whole models fit, so one request of a slow source is enough.
const PROBE_BYTES: u64 = 64 << 10;

/// Bytes asked for at once after that. A header is gathered in pieces: no large read, and memory grows only by what
/// the file really holds.
const PIECE_BYTES: u64 = 4 << 20;

/// The longest JSON header or index that is read: the limit that safetensors sets itself.
pub const MAX_HEADER_BYTES: u64 = 100_000_000;

/// The most dimensions that a tensor may have (numpy and PyTorch stop at 64 too).
pub const MAX_DIMS: usize = 64;

/// The formats that can be listed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Format {
    /// safetensors, one file.
    Safetensors,
    /// One numpy array.
    Npy,
}

impl Format {
    /// The format's name as scripts see it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Format::Safetensors => "safetensors",
            Format::Npy => "npy",
        }
    }
}

/// One tensor of a file: what it is and where its bytes lie.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TensorInfo {
    /// The name in the file; `array` for npy, which names nothing.
    pub name: String,
    /// How an element is stored.
    pub dtype: DType,
    /// Dimensions, outermost first.
    pub shape: Shape,
    /// Absolute byte range in the file. Its length is exactly what `dtype` and `shape` ask for.
    pub bytes: Range<u64>,
    /// Stored with the first axis fastest instead of the last (npy only).
    pub fortran_order: bool,
    /// Elements are stored most significant byte first (npy only).
    pub big_endian: bool,
}

/// What a file holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listing {
    /// The format found.
    pub format: Format,
    /// The author's notes: key and value, ordered by key.
    pub metadata: Vec<(String, String)>,
    /// The tensors, in the order of their bytes (empty ones of one offset by name).
    pub tensors: Vec<TensorInfo>,
}

/// What a [`Reader`] says after each step.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Step {
    /// Call [`Reader::step`] with exactly these bytes of the file.
    Need(Range<u64>),
    /// The file is a model; this is what it holds.
    Done(Listing),
    /// The file is an index: the model lies in other files.
    Shards(ShardIndex),
}

/// Lists a file without reading it: see the [module](self).
#[derive(Debug)]
pub struct Reader {
    len: u64,
    held: Vec<u8>,
    need: Option<Range<u64>>,
    header: Option<Header>,
}

/// What the first bytes say: whose header it is and where it ends in the file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Header {
    kind: Kind,
    end: u64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Safetensors,
    Npy,
    Json,
}

impl Reader {
    /// A reader for a file of `len` bytes. Begin with `step(&[])`.
    #[must_use]
    pub fn new(len: u64) -> Self {
        Reader { len, held: Vec::new(), need: None, header: None }
    }

    /// Takes the bytes that the last [`Step::Need`] named (none at first) and says what comes next.
    ///
    /// # Errors
    /// `unknown_format`, `malformed`, `truncated`, `unsupported` as the file deserves; `truncated` when fewer bytes
    /// come than were asked for; `invalid_argument` when more come; `out_of_memory`.
    pub fn step(&mut self, bytes: &[u8]) -> Result<Step> {
        let asked = self.need.take().unwrap_or(0..0);
        let got = bytes.len() as u64;
        let wanted = asked.end - asked.start;
        if got < wanted {
            return Err(Error::new(Code::Truncated, "the file ended early")
                .with_offset(asked.start + got)
                .with_expected(format_args!("{wanted} bytes"))
                .with_found(format_args!("{got} bytes")));
        }
        if got > wanted {
            return Err(Error::new(Code::InvalidArgument, "more bytes than were asked for")
                .with_offset(asked.start)
                .with_expected(format_args!("{wanted} bytes"))
                .with_found(format_args!("{got} bytes")));
        }
        self.held.try_reserve(bytes.len()).map_err(|_| {
            Error::new(Code::OutOfMemory, "not enough memory for the header").with_found(format_args!("{got} bytes"))
        })?;
        self.held.extend_from_slice(bytes);
        self.advance()
    }

    fn advance(&mut self) -> Result<Step> {
        let held = self.held.len() as u64;
        let header = match self.header {
            Some(header) => header,
            None if held < self.len.min(PROBE_BYTES) => return Ok(self.ask(self.len.min(PROBE_BYTES))),
            None => *self.header.insert(sniff::identify(&self.held, self.len)?),
        };
        if held < header.end {
            return Ok(self.ask(header.end.min(held + PIECE_BYTES)));
        }
        match header.kind {
            Kind::Safetensors => safetensors::parse(clip(&self.held, 8, header.end), self.len).map(Step::Done),
            Kind::Npy => npy::parse(clip(&self.held, 0, header.end), self.len).map(Step::Done),
            Kind::Json => shards::parse(&self.held).map(Step::Shards),
        }
    }

    fn ask(&mut self, end: u64) -> Step {
        let range = self.held.len() as u64..end;
        self.need = Some(range.clone());
        Step::Need(range)
    }
}

/// `held[start..end]`, empty where it is not held.
fn clip(held: &[u8], start: usize, end: u64) -> &[u8] {
    usize::try_from(end).ok().and_then(|end| held.get(start..end)).unwrap_or_default()
}

/// The element type of this safetensors name.
#[must_use]
pub fn dtype_named(name: &str) -> Option<DType> {
    const ALL: [DType; 22] = [
        DType::Bool,
        DType::U8,
        DType::I8,
        DType::U16,
        DType::I16,
        DType::U32,
        DType::I32,
        DType::U64,
        DType::I64,
        DType::F16,
        DType::Bf16,
        DType::F32,
        DType::F64,
        DType::F8E4M3,
        DType::F8E5M2,
        DType::F8E4M3Fnuz,
        DType::F8E5M2Fnuz,
        DType::F8E8M0,
        DType::F6E2M3,
        DType::F6E3M2,
        DType::F4,
        DType::C64,
    ];
    ALL.into_iter().find(|d| d.name() == name)
}

/// A stranger's text, short enough for an error message.
fn excerpt(text: &str) -> String {
    const MAX: usize = 80;
    match text.char_indices().nth(MAX) {
        Some((cut, _)) => format!("{:?}…", &text[..cut]),
        None => format!("{text:?}"),
    }
}
