//! A job as data: the files that are written, what stands where in them, and for each tensor that is packed the rows it can be packed by.
//! No bytes are read or written here, and no thread is known: whoever runs the job reads source ranges, has rows packed
//! ([`crate::pack`]) and writes at the places given, in any order. Everything's size is known before the first byte: of records of Deep
//! Compression, whose weights decide it, when they have been packed.

mod deep;
mod gguf;
mod npz;
mod onnx;
mod safetensors;

use std::ops::Range;
use std::rc::Rc;

use serde::Serialize;

use crate::error::{Code, Error, Result};
use crate::pack::{Packer, Packing, Part};
use crate::plan::{Model, Plan, Target};
use crate::tensor::Shape;

/// Weights packed at once, at most, where rows can be packed apart: 8 MB as f32.
pub const CHUNK_WEIGHTS: u64 = 2 << 20;

pub use onnx::job_with_limit as onnx_job_with_limit;

/// What is to be done.
#[derive(Debug, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Job {
    /// The files written.
    pub files: Vec<File>,
    /// The tensors packed; each part lies in a segment of a file.
    pub tasks: Vec<Task>,
    /// Checks that are filled in when the bytes they are of are known.
    pub checks: Vec<Check>,
    /// Where in the first segment of the first file it is said where each tensor lies, in the order of the plan: start and end, `u64` each. Empty
    /// unless parts may turn out shorter than planned; then all that is packed is packed before the first byte is written.
    pub places: Vec<u64>,
}

/// The CRC-32 of a stretch of a file, four bytes little-endian at two places of segments that hold zeros there.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Check {
    /// Which file.
    pub file: usize,
    /// What is checked.
    pub of: Range<u64>,
    /// Where the check stands.
    pub at: [u64; 2],
}

/// The job that makes a planned model.
///
/// # Errors
/// `shape_mismatch` for a tensor that cannot be packed as planned; `invalid_argument`, `unsupported` for what the format cannot hold.
pub fn job(model: &Model, plan: &Plan) -> Result<Job> {
    match plan.to {
        Target::Safetensors => safetensors::job(model, plan),
        Target::Onnx => onnx::job(model, plan),
        Target::Gguf => gguf::job(model, plan),
        Target::Npz => npz::job(model, plan),
        Target::Deep => deep::job(model, plan),
    }
}

/// A file that is written.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct File {
    /// Its name; empty for the one that bears the name of the whole.
    pub name: String,
    /// Its bytes.
    pub byte_len: u64,
    /// What is written without being packed, in ascending order of place.
    pub segments: Vec<Segment>,
}

/// A stretch of a file that is no packed tensor.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Segment {
    /// Where it begins.
    pub at: u64,
    /// What stands there.
    #[serde(flatten)]
    pub content: Content,
}

/// What a segment holds.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum Content {
    /// These bytes.
    #[serde(serialize_with = "as_len")]
    Bytes(Vec<u8>),
    /// Bytes of a source file: of the model's part of this number.
    #[serde(rename_all = "camelCase")]
    Copy {
        /// Which file of the model.
        part: usize,
        /// Its bytes.
        range: Range<u64>,
    },
    /// The stored bytes of a tensor of the model.
    #[serde(rename_all = "camelCase")]
    Stored {
        /// Which tensor.
        tensor: usize,
        /// How many bytes.
        byte_len: u64,
    },
}

fn as_len<S: serde::Serializer>(bytes: &[u8], s: S) -> std::result::Result<S::Ok, S::Error> {
    s.serialize_u64(bytes.len() as u64)
}

impl Content {
    /// How many bytes.
    #[must_use]
    pub fn byte_len(&self) -> u64 {
        match self {
            Content::Bytes(bytes) => bytes.len() as u64,
            Content::Copy { range, .. } => range.end - range.start,
            Content::Stored { byte_len, .. } => *byte_len,
        }
    }
}

/// A tensor that is packed.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Task {
    /// Which tensor of the model.
    pub tensor: usize,
    /// How.
    pub packing: Packing,
    /// The matrix that the packing sees: rows of so many weights. A convolution's filters are kept as they are in `dims`.
    pub dims: Vec<u64>,
    /// Rows that are packed at once; all of them where they cannot be packed apart.
    pub rows_at_once: u64,
    /// Whether rows say nothing of each other: then a few tell of all.
    pub apart: bool,
    /// Rows of a band, where what is packed of them lies in stretches: see [`Packer::band`].
    pub band: Option<u64>,
    /// Rows of a head, where those of each change places as they are read ([`crate::pack::interleave`]).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub head_rows: Option<u64>,
    /// Where its parts go.
    pub parts: Vec<Placed>,
}

/// Where a part lies.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Placed {
    /// Which file.
    pub file: usize,
    /// Where it begins.
    pub at: u64,
    /// Its bytes.
    pub byte_len: u64,
    /// The bytes of each row; of a part that is given whole, all.
    pub row_bytes: Option<u64>,
}

impl Task {
    /// A tensor packed so, its parts not placed yet; `dims` is what the packing sees.
    ///
    /// # Errors
    /// As [`Packing::packer`] and [`Packer::parts`].
    pub fn new(tensor: usize, packing: &Packing, dims: &[u64]) -> Result<(Task, Vec<Part>)> {
        let shape = Shape::new(dims)?;
        let packer: Rc<dyn Packer> = packing.packer()?;
        let parts = packer.parts(&shape)?;
        // Rows too long to be packed at once are cut where the packing allows it.
        let shape = match packer.grain() {
            Some(grain) if shape.matrix().1 > CHUNK_WEIGHTS && grain > 0 && shape.count() % grain == 0 => {
                Shape::new(&[shape.count() / grain, grain])?
            }
            _ => shape,
        };
        let (rows, columns) = shape.matrix();
        let band = packer.band().filter(|&band| packer.apart(&shape).is_none() && rows > band);
        let rows_at_once = match packer.apart(&shape).or(band) {
            None | Some(0) => rows,
            Some(step) => (CHUNK_WEIGHTS / columns.max(1) / step * step).clamp(step, rows.max(step)).min(rows.max(1)),
        };
        let task = Task {
            tensor,
            packing: packing.clone(),
            dims: shape.dims().to_vec(),
            rows_at_once: rows_at_once.max(1),
            apart: packer.apart(&shape).or(packer.band()).is_some_and(|step| step > 0),
            band: band.filter(|_| rows_at_once < rows),
            head_rows: None,
            parts: vec![],
        };
        Ok((task, parts))
    }

    /// Has the rows of each of so many heads change places; `dims` are those that the task was made with.
    ///
    /// # Errors
    /// `shape_mismatch` for rows that are no whole heads of an even number of rows.
    pub fn interleave(&mut self, dims: &[u64], heads: u64) -> Result<()> {
        let (rows, columns) = Shape::new(dims)?.matrix();
        let head_rows = rows.checked_div(heads).filter(|n| n * heads == rows && n % 2 == 0 && *n > 0);
        let head_rows = head_rows.ok_or_else(|| {
            Error::new(Code::ShapeMismatch, "the rows are no heads")
                .with_expected(format!("{heads} heads of an even number of rows"))
                .with_found(rows)
        })?;
        // Whole heads are read at once, whatever the packing could do with less; all of them where it takes nothing less than the whole.
        let must_be_whole = self.dims == dims && self.rows_at_once >= rows;
        if !must_be_whole {
            self.rows_at_once = ((CHUNK_WEIGHTS / columns.max(1) / head_rows).max(1) * head_rows).min(rows);
        }
        self.dims = dims.to_vec();
        self.head_rows = Some(head_rows);
        Ok(())
    }

    /// Says where the parts go, in their order.
    ///
    /// # Errors
    /// `invalid_argument` for a part whose rows do not take equal shares of it.
    pub fn place(&mut self, parts: &[Part], places: &[(usize, u64)]) -> Result<()> {
        let rows = Shape::new(&self.dims)?.matrix().0;
        for (part, &(file, at)) in parts.iter().zip(places) {
            let row_bytes = part.by_rows.then(|| part.byte_len / rows.max(1));
            if row_bytes.is_some_and(|bytes| bytes * rows != part.byte_len) && rows > self.rows_at_once {
                return Err(Error::new(Code::InvalidArgument, "rows that are packed apart do not take equal shares")
                    .with_expected(format!("a multiple of {rows} bytes"))
                    .with_found(part.byte_len));
            }
            self.parts.push(Placed { file, at, byte_len: part.byte_len, row_bytes });
        }
        Ok(())
    }
}
