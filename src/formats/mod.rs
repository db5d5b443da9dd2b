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

#[cfg(feature = "full")]
pub mod compressed_write;
#[cfg(feature = "full")]
pub mod crc32;
#[cfg(feature = "full")]
mod deep;
#[cfg(feature = "full")]
pub mod deep_write;
pub mod derived;
pub mod gguf;
#[cfg(feature = "full")]
pub mod inflate;
mod json;
mod npy;
#[cfg(feature = "full")]
mod npz;
#[cfg(feature = "full")]
pub mod npz_write;
#[cfg(feature = "full")]
pub mod onnx;
mod safetensors;
#[cfg(feature = "full")]
pub mod safetensors_write;
mod shards;
mod sniff;
#[cfg(feature = "full")]
mod torch;
#[cfg(feature = "full")]
mod zip;

use std::ops::Range;
use std::sync::Arc;

use crate::error::{Code, Error, Result};
use crate::tensor::{DType, Shape};

pub use derived::Derived;
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
    /// An ONNX model.
    Onnx,
    /// numpy arrays in a zip archive.
    Npz,
    /// A PyTorch checkpoint of the zip kind.
    Torch,
    /// GGUF, as llama.cpp reads it.
    Gguf,
    /// A container of Deep Compression.
    Deep,
}

impl Format {
    /// The format's name as scripts see it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Format::Safetensors => "safetensors",
            Format::Npy => "npy",
            Format::Onnx => "onnx",
            Format::Npz => "npz",
            Format::Torch => "torch",
            Format::Gguf => "gguf",
            Format::Deep => "deep",
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
    /// The file beside this one that holds the bytes, where it is another (ONNX's external data). A plain name, as in [`ShardIndex`].
    pub file: Option<String>,
    /// Absolute byte range in the file: exactly what `dtype` and `shape` ask for, but of strided, deflated and deeply compressed tensors. 4-bit integers of
    /// ONNX may leave half of the last byte unused.
    pub bytes: Range<u64>,
    /// The bytes themselves, where the file has them in another form (ONNX's numbers of varying length); `bytes` then says how many.
    pub inline: Option<Arc<Vec<u8>>>,
    /// In which order the elements lie.
    pub layout: Layout,
    /// Elements are stored most significant byte first (npy, npz).
    pub big_endian: bool,
    /// The bytes are a raw deflate stream (npz); it gives so many bytes to skip, then the elements.
    pub deflated: Option<u64>,
    /// The CRC-32 of the elements' bytes, inflated, where an archive's own says it: of a tensor that is all of its member.
    pub crc: Option<u32>,
    /// The bytes are a record of Deep Compression, which gives f32 and is read whole.
    pub deep: bool,
}

impl TensorInfo {
    /// A tensor that lies in the file as most do: row-major, little-endian, plain.
    #[must_use]
    pub fn plain(name: String, dtype: DType, shape: Shape, bytes: Range<u64>) -> TensorInfo {
        TensorInfo {
            name,
            dtype,
            shape,
            file: None,
            bytes,
            inline: None,
            layout: Layout::RowMajor,
            big_endian: false,
            deflated: None,
            crc: None,
            deep: false,
        }
    }
}

/// In which order the elements of a tensor lie in its bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Layout {
    /// The last axis fastest.
    RowMajor,
    /// The first axis fastest (npy, npz).
    Fortran,
    /// A view (PyTorch): so many elements from one index of an axis to the next, and the bytes are the span from the first element
    /// to the last.
    Strided(Vec<u64>),
}

/// What a file holds.
#[derive(Debug, Clone, PartialEq)]
pub struct Listing {
    /// The format found.
    pub format: Format,
    /// The author's notes: key and value, ordered by key.
    pub metadata: Vec<(String, String)>,
    /// The tensors, in the order of their bytes (empty ones of one offset by name, of GGUF as the header has them).
    pub tensors: Vec<TensorInfo>,
    /// Weights that are stored in several of them (only the whole engine looks for them).
    pub derived: Vec<Derived>,
    /// The structure of an ONNX model, from which another is written.
    #[cfg(feature = "full")]
    pub onnx: Option<Arc<onnx::Model>>,
    /// What else the header of a GGUF file says.
    pub gguf: Option<gguf::Header>,
}

impl Listing {
    /// A listing of tensors that are all there is to say.
    #[must_use]
    pub fn new(format: Format, metadata: Vec<(String, String)>, tensors: Vec<TensorInfo>) -> Listing {
        Listing {
            format,
            metadata,
            tensors,
            derived: Vec::new(),
            #[cfg(feature = "full")]
            onnx: None,
            gguf: None,
        }
    }
}

/// What a [`Reader`] says after each step.
#[derive(Debug, Clone, PartialEq)]
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
    kind: Option<Kind>,
}

/// Lists a format whose header is not one stretch at the start of the file.
trait Parser: std::fmt::Debug {
    /// Takes bytes of the file that begin at `at`: at first its start, then what was asked for. Says [`Step::Need`] or [`Step::Done`].
    fn take(&mut self, at: u64, bytes: &[u8]) -> Result<Step>;
}

/// What the first bytes say.
#[derive(Debug)]
enum Kind {
    /// The header ends there, and is parsed when it is held whole.
    Prefix(Header),
    /// The format asks for what it needs.
    #[allow(dead_code, reason = "the first build of the engine has no such format")]
    Other(Box<dyn Parser>),
}

/// A header at the start of the file: whose it is and where it ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Header {
    kind: HeaderKind,
    end: u64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum HeaderKind {
    Safetensors,
    Npy,
    Json,
    #[cfg(feature = "full")]
    Deep,
}

impl Reader {
    /// A reader for a file of `len` bytes. Begin with `step(&[])`.
    #[must_use]
    pub fn new(len: u64) -> Self {
        Reader { len, held: Vec::new(), need: None, kind: None }
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
        if let Some(Kind::Other(parser)) = &mut self.kind {
            let step = parser.take(asked.start, bytes)?;
            return Ok(self.note(step));
        }
        self.held.try_reserve(bytes.len()).map_err(|_| {
            Error::new(Code::OutOfMemory, "not enough memory for the header").with_found(format_args!("{got} bytes"))
        })?;
        self.held.extend_from_slice(bytes);
        self.advance()
    }

    fn advance(&mut self) -> Result<Step> {
        let held = self.held.len() as u64;
        if self.kind.is_none() {
            if held < self.len.min(PROBE_BYTES) {
                return Ok(self.ask(self.len.min(PROBE_BYTES)));
            }
            self.kind = Some(sniff::identify(&self.held, self.len)?);
        }
        let header = match &mut self.kind {
            Some(Kind::Prefix(header)) => *header,
            Some(Kind::Other(parser)) => {
                let step = parser.take(0, &std::mem::take(&mut self.held))?;
                return Ok(self.note(step));
            }
            None => unreachable!("identified above"),
        };
        if held < header.end {
            return Ok(self.ask(header.end.min(held + PIECE_BYTES)));
        }
        match header.kind {
            HeaderKind::Safetensors => {
                let listing = safetensors::parse(clip(&self.held, 8, header.end), self.len)?;
                Ok(self.with_derived(listing))
            }
            HeaderKind::Npy => npy::parse(clip(&self.held, 0, header.end), self.len).map(Step::Done),
            HeaderKind::Json => shards::parse(&self.held).map(Step::Shards),
            #[cfg(feature = "full")]
            HeaderKind::Deep => deep::parse(clip(&self.held, 0, header.end), self.len).map(Step::Done),
        }
    }

    /// A listing whose derived tensors are still to be found.
    #[cfg(feature = "full")]
    fn with_derived(&mut self, listing: Listing) -> Step {
        let (probe, step) = derived::Probe::new(listing);
        self.held = Vec::new();
        self.kind = Some(Kind::Other(Box::new(probe)));
        self.note(step)
    }

    #[cfg(not(feature = "full"))]
    fn with_derived(&mut self, listing: Listing) -> Step {
        Step::Done(listing)
    }

    /// Remembers what a parser asked for.
    fn note(&mut self, step: Step) -> Step {
        if let Step::Need(range) = &step {
            self.need = Some(range.clone());
        }
        step
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

/// A stranger's text, short enough for an error message.
fn excerpt(text: &str) -> String {
    const MAX: usize = 80;
    match text.char_indices().nth(MAX) {
        Some((cut, _)) => format!("{:?}…", &text[..cut]),
        None => format!("{text:?}"),
    }
}
