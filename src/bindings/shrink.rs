//! Planning and packing for JavaScript. `www/lib/shrink/` is the only user: it moves the bytes.

use std::collections::BTreeMap;

use js_sys::{Array, Uint8Array};
use serde::Serialize;
use wasm_bindgen::prelude::*;

use super::convert::object;
use super::formats::FormatReader;
use super::to_js;
use crate::error::{Code, Error, Result};
use crate::formats::crc32::{combine, crc32};
use crate::pack::interleave::Interleaved;
use crate::pack::{Bytes, Packing, Part, Stored, pack_and_verify};
use crate::pipeline::{Check, Content, File, Job, Placed, job};
use crate::plan::budget::ways;
use crate::plan::{Model, Note, Plan, Request, Target, plan};
use crate::quant::deep::stages;
use crate::tensor::{DType, Shape, to_usize};

/// A model that is planned and laid out. Its files are added in order, then `plan` is called, as often as wanted.
#[wasm_bindgen]
#[derive(Default)]
pub struct Planner {
    model: Model,
    texts: BTreeMap<String, String>,
    job: Job,
}

/// A plan as it crosses. What many tensors share stands once: packings and reasons are said by number, a name where it is a new one.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Planned<'a> {
    to: Target,
    notes: &'a [Note],
    packings: Vec<&'a Packing>,
    lefts: Vec<&'a Note>,
    choices: Vec<Chosen<'a>>,
    files: &'a [File],
    tasks: Vec<PlannedTask<'a>>,
    checks: &'a [Check],
    places: &'a [u64],
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Chosen<'a> {
    tensor: usize,
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<&'a str>,
    packing: usize,
    dtype: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    instead_of: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    left: Option<usize>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct PlannedTask<'a> {
    tensor: usize,
    packing: usize,
    dims: &'a [u64],
    rows_at_once: u64,
    apart: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    band: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    head_rows: Option<u64>,
    parts: &'a [Placed],
}

impl<'a> Planned<'a> {
    fn of(model: &'a Model, plan: &'a Plan, job: &'a Job) -> Planned<'a> {
        let tensors = model.tensors().map(|(_, tensor)| tensor.name.as_str());
        let names: Vec<&str> = tensors.chain(model.derived().map(|(_, derived)| derived.name.as_str())).collect();
        let (mut packings, mut lefts) = (Vec::new(), Vec::new());
        let choices = plan.choices.iter().map(|choice| Chosen {
            tensor: choice.tensor,
            name: (names.get(choice.tensor) != Some(&choice.name.as_str())).then_some(choice.name.as_str()),
            packing: number(&mut packings, &choice.packing),
            dtype: &choice.dtype,
            instead_of: choice.instead_of.as_deref(),
            left: choice.left.as_ref().map(|left| number(&mut lefts, left)),
        });
        let choices = choices.collect();
        let tasks = job.tasks.iter().map(|task| PlannedTask {
            tensor: task.tensor,
            packing: number(&mut packings, &task.packing),
            dims: &task.dims,
            rows_at_once: task.rows_at_once,
            apart: task.apart,
            band: task.band,
            head_rows: task.head_rows,
            parts: &task.parts,
        });
        let tasks = tasks.collect();
        let Plan { to, ref notes, .. } = *plan;
        Planned {
            to,
            notes,
            packings,
            lefts,
            choices,
            files: &job.files,
            tasks,
            checks: &job.checks,
            places: &job.places,
        }
    }
}

/// Where something stands in a list, to which it is added where it is not there yet. What was used last is looked at first.
fn number<'a, T: PartialEq>(all: &mut Vec<&'a T>, one: &'a T) -> usize {
    all.iter().rposition(|known| *known == one).unwrap_or_else(|| {
        all.push(one);
        all.len() - 1
    })
}

#[wasm_bindgen]
impl Planner {
    /// Of no files yet.
    #[wasm_bindgen(constructor)]
    #[must_use]
    pub fn new() -> Planner {
        Planner::default()
    }

    /// Adds a file that was listed; `name` is its tensor's, where the format has none (npy).
    pub fn add(&mut self, reader: &FormatReader, name: Option<String>) -> std::result::Result<(), JsValue> {
        let listing = reader.listing().ok_or_else(|| Error::new(Code::InvalidArgument, "the file is not listed yet"));
        let mut listing = listing.map_err(to_js)?.clone();
        if let (Some(name), [tensor]) = (name, listing.tensors.as_mut_slice()) {
            tensor.name = name;
        }
        self.model.parts.push(listing);
        Ok(())
    }

    /// Takes a text that lies beside the files, such as `config.json`.
    pub fn text(&mut self, name: String, text: String) {
        self.texts.insert(name, text);
    }

    /// All files and texts are there.
    pub fn ready(&mut self) {
        self.model.set_texts(std::mem::take(&mut self.texts));
    }

    /// Plans what the request, JSON, asks for, and lays the files out. The answer is JSON: see [`Planned`].
    pub fn plan(&mut self, request: &str) -> std::result::Result<String, JsValue> {
        let mut run = || {
            let request: Request = parse(request, "the request")?;
            let plan = plan(&self.model, &request)?;
            self.job = job(&self.model, &plan)?;
            serde_json::to_string(&Planned::of(&self.model, &plan, &self.job))
                .map_err(|e| Error::new(Code::OutOfMemory, e.to_string()))
        };
        run().map_err(to_js)
    }

    /// The ways that each tensor can be stored, for a request as JSON: `{schemes, kinds, tensors, notes}`, JSON too.
    pub fn ways(&self, request: &str) -> std::result::Result<String, JsValue> {
        let run = || {
            let ways = ways(&self.model, &parse(request, "the request")?)?;
            serde_json::to_string(&ways).map_err(|e| Error::new(Code::OutOfMemory, e.to_string()))
        };
        run().map_err(to_js)
    }

    /// The bytes of all segments that hold some, one after the other in the order of the files.
    #[must_use]
    pub fn literals(&self) -> Vec<u8> {
        let segments = self.job.files.iter().flat_map(|file| &file.segments);
        let bytes = segments.filter_map(|segment| match &segment.content {
            Content::Bytes(bytes) => Some(bytes.as_slice()),
            _ => None,
        });
        bytes.collect::<Vec<_>>().concat()
    }
}

/// Packs rows as one of a job's tasks says, reads them back and compares.
///
/// `bytes` are stored elements of `dtype`, `dims` the rows' matrix, `first` the tensor's element that they begin with; `headRows` is not 0
/// where rows of heads change places. The answer is
/// `{parts: Uint8Array[], count, energy, error2, maxAbs}`, the numbers sums over the weights. Both ends of the work stay in the caller's
/// memory, of which fresh pages cost as much as packing does: `room` is where the parts are put, one after the other, if they fit. It may
/// be the memory that holds `bytes`, from its beginning.
#[wasm_bindgen(js_name = packRows)]
#[allow(clippy::too_many_arguments, reason = "the boundary takes plain values")]
pub fn pack_rows(
    packing: &str,
    dtype: &str,
    big_endian: bool,
    bytes: &Uint8Array,
    dims: &[f64],
    first: f64,
    head_rows: f64,
    room: &Uint8Array,
) -> std::result::Result<JsValue, JsValue> {
    let run = || -> Result<JsValue> {
        let packing: Packing = parse(packing, "the packing")?;
        let dtype = DType::named(dtype).ok_or_else(|| {
            Error::new(Code::InvalidArgument, "no element type has this name").with_found(format!("{dtype:?}"))
        })?;
        let dims: Vec<u64> = dims.iter().map(|&d| d as u64).collect();
        let shape = Shape::new(&dims)?;
        let packer = packing.packer()?;
        let stored = Stored { dtype, big_endian, byte_len: u64::from(bytes.length()), first: first as u64 };
        let mut memory = Memory::new(bytes, room, &packer.parts(&shape)?, head_rows == 0.0)?;
        let fidelity = match head_rows as u64 {
            0 => pack_and_verify(&*packer, stored, &shape, &mut memory)?,
            head_rows => {
                let rows = shape.matrix().0;
                let row_bytes = to_usize(u64::from(bytes.length()).checked_div(rows).unwrap_or(0))?;
                if head_rows % 2 != 0 || rows == 0 || rows % head_rows != 0 || row_bytes == 0 {
                    return Err(Error::new(Code::ShapeMismatch, "the rows are no whole heads").with_found(rows));
                }
                let mut memory = Interleaved::new(&mut memory, rows, head_rows, row_bytes);
                pack_and_verify(&*packer, stored, &shape, &mut memory)?
            }
        };
        Ok(object([
            ("parts", memory.into_parts().into()),
            ("count", (shape.count() as f64).into()),
            ("energy", fidelity.energy.into()),
            ("error2", fidelity.error2.into()),
            ("maxAbs", fidelity.max.into()),
        ]))
    };
    run().map_err(to_js)
}

/// The caller's memory.
struct Memory<'a> {
    bytes: &'a Uint8Array,
    room: &'a Uint8Array,
    /// Bytes put in the room as they came: a single part no longer than what is read never reaches bytes that are still to be read.
    written: Option<u32>,
    /// Bytes that have been read.
    read: usize,
    /// Parts that wait for all to be read.
    parts: Vec<Vec<u8>>,
}

impl<'a> Memory<'a> {
    /// `in_order`: the bytes are read from the first to the last.
    fn new(bytes: &'a Uint8Array, room: &'a Uint8Array, parts: &[Part], in_order: bool) -> Result<Memory<'a>> {
        let at_once = in_order && parts.len() == 1 && parts[0].byte_len <= u64::from(bytes.length().min(room.length()));
        let waiting = if at_once { &[] } else { parts };
        let parts = waiting.iter().map(|part| with_room(part.byte_len)).collect::<Result<_>>()?;
        Ok(Memory { bytes, room, written: at_once.then_some(0), read: 0, parts })
    }

    fn into_parts(self) -> Array {
        if let Some(written) = self.written {
            return Array::of1(&self.room.subarray(0, written));
        }
        let total: usize = self.parts.iter().map(Vec::len).sum();
        let fits = total <= self.room.length() as usize;
        let mut at = 0;
        let copy = |part: &Vec<u8>| {
            if !fits {
                return Uint8Array::from(part.as_slice());
            }
            // Both ends lie within the room, whose length is 32 bits.
            let view = self.room.subarray(at as u32, (at + part.len()) as u32);
            view.copy_from(part);
            at += part.len();
            view
        };
        self.parts.iter().map(copy).collect()
    }
}

impl Bytes for Memory<'_> {
    fn read(&mut self, at: usize, out: &mut [u8]) {
        self.read = at + out.len();
        self.bytes.subarray(at as u32, self.read as u32).copy_to(out);
    }

    fn write(&mut self, part: usize, bytes: &[u8]) -> Result<()> {
        match &mut self.written {
            Some(written) => {
                let end = *written as usize + bytes.len();
                if end > self.read {
                    return Err(Error::new(Code::VerificationFailed, "a tensor took more bytes than planned")
                        .with_expected(format!("{} bytes at most", self.read))
                        .with_found(end));
                }
                self.room.subarray(*written, end as u32).copy_from(bytes);
                *written = end as u32;
            }
            None => self.parts[part].extend_from_slice(bytes),
        }
        Ok(())
    }
}

/// An empty vector with room for so many bytes.
fn with_room(byte_len: u64) -> Result<Vec<u8>> {
    let mut out = Vec::new();
    out.try_reserve_exact(to_usize(byte_len)?)
        .map_err(|_| Error::new(Code::OutOfMemory, "no memory for the packed bytes").with_found(byte_len))?;
    Ok(out)
}

/// Bytes after each stage of Deep Compression, of a record of a tensor of `count` weights: as JSON, see [`crate::quant::deep::Stages`].
#[wasm_bindgen(js_name = deepStages)]
pub fn deep_stages(record: &[u8], count: f64) -> std::result::Result<String, JsValue> {
    let run = || {
        let stages = stages(record, count as u64)?;
        serde_json::to_string(&stages).map_err(|e| Error::new(Code::OutOfMemory, e.to_string()))
    };
    run().map_err(to_js)
}

/// The CRC-32 of bytes; `crc` is that of the bytes before them, 0 of none.
#[wasm_bindgen(js_name = crc32)]
#[must_use]
pub fn crc32_js(crc: u32, bytes: &[u8]) -> u32 {
    crc32(crc, bytes)
}

/// The CRC-32 of two stretches, one after the other, the second of so many bytes.
#[wasm_bindgen(js_name = crc32Combine)]
#[must_use]
pub fn crc32_combine(first: u32, second: u32, second_len: f64) -> u32 {
    combine(first, second, second_len as u64)
}

fn parse<'a, T: serde::Deserialize<'a>>(json: &'a str, what: &str) -> Result<T> {
    serde_json::from_str(json)
        .map_err(|e| Error::new(Code::InvalidArgument, format!("{what} cannot be read")).with_found(e.to_string()))
}
