//! Planning and packing for JavaScript. `www/lib/shrink/` is the only user: it moves the bytes.

use js_sys::{Array, Uint8Array};
use serde::Serialize;
use wasm_bindgen::prelude::*;

use super::convert::object;
use super::formats::FormatReader;
use super::to_js;
use crate::error::{Code, Error, Result};
use crate::pack::{Packed, Packing, Stored, pack_and_verify};
use crate::pipeline::{Content, Job, job};
use crate::plan::{Model, Plan, Request, plan};
use crate::tensor::{DType, Shape};

/// A model that is planned and laid out. Its files are added in order, then `plan` is called, as often as wanted.
#[wasm_bindgen]
#[derive(Default)]
pub struct Planner {
    model: Model,
    job: Job,
}

#[derive(Serialize)]
struct Planned<'a> {
    #[serde(flatten)]
    plan: &'a Plan,
    job: &'a Job,
}

#[wasm_bindgen]
impl Planner {
    /// Of no files yet.
    #[wasm_bindgen(constructor)]
    #[must_use]
    pub fn new() -> Planner {
        Planner::default()
    }

    /// Adds a file that was listed.
    pub fn add(&mut self, reader: &FormatReader) -> std::result::Result<(), JsValue> {
        let listing = reader.listing().ok_or_else(|| Error::new(Code::InvalidArgument, "the file is not listed yet"));
        self.model.parts.push(listing.map_err(to_js)?.clone());
        Ok(())
    }

    /// Plans what the request, JSON, asks for, and lays the files out. The answer is JSON: `{to, choices, notes, job}`.
    pub fn plan(&mut self, request: &str) -> std::result::Result<String, JsValue> {
        let mut run = || {
            let request: Request = parse(request, "the request")?;
            let plan = plan(&self.model, &request)?;
            self.job = job(&self.model, &plan)?;
            serde_json::to_string(&Planned { plan: &plan, job: &self.job })
                .map_err(|e| Error::new(Code::OutOfMemory, e.to_string()))
        };
        run().map_err(to_js)
    }

    /// The bytes of a segment that holds some.
    pub fn bytes(&self, file: usize, segment: usize) -> std::result::Result<Uint8Array, JsValue> {
        match self.job.files.get(file).and_then(|file| file.segments.get(segment)).map(|segment| &segment.content) {
            Some(Content::Bytes(bytes)) => Ok(Uint8Array::from(bytes.as_slice())),
            _ => Err(to_js(Error::new(Code::InvalidArgument, "there is no such segment of bytes"))),
        }
    }
}

/// Packs rows as one of a job's tasks says, reads them back and compares.
///
/// `bytes` are stored elements of `dtype`, `dims` the rows' matrix, `first` the tensor's element that they begin with. The answer is
/// `{parts: Uint8Array[], count, energy, error2, maxAbs}`, the numbers sums over the weights. The parts lie in `room` where they fit, which
/// may be the memory that `bytes` came in: fresh memory costs as much as packing does.
#[wasm_bindgen(js_name = packRows)]
pub fn pack_rows(
    packing: &str,
    dtype: &str,
    big_endian: bool,
    bytes: &[u8],
    dims: &[f64],
    first: f64,
    room: &Uint8Array,
) -> std::result::Result<JsValue, JsValue> {
    let run = || -> Result<JsValue> {
        let packing: Packing = parse(packing, "the packing")?;
        let dtype = DType::named(dtype).ok_or_else(|| {
            Error::new(Code::InvalidArgument, "no element type has this name").with_found(format!("{dtype:?}"))
        })?;
        let dims: Vec<u64> = dims.iter().map(|&d| d as u64).collect();
        let shape = Shape::new(&dims)?;
        let stored = Stored { dtype, big_endian, bytes, first: first as u64 };
        let Packed { parts, fidelity } = pack_and_verify(&*packing.packer()?, stored, &shape)?;
        let parts = into_room(&parts, room);
        Ok(object([
            ("parts", parts.into()),
            ("count", (shape.count() as f64).into()),
            ("energy", fidelity.energy.into()),
            ("error2", fidelity.error2.into()),
            ("maxAbs", fidelity.max.into()),
        ]))
    };
    run().map_err(to_js)
}

/// Copies of parts, one after the other in `room` or each in memory of its own.
fn into_room(parts: &[Vec<u8>], room: &Uint8Array) -> Array {
    let total: usize = parts.iter().map(Vec::len).sum();
    let fits = total <= room.length() as usize;
    let mut at = 0;
    let copy = |part: &Vec<u8>| {
        if !fits {
            return Uint8Array::from(part.as_slice());
        }
        // Both ends lie within the room, whose length is 32 bits.
        let end = at + part.len();
        let view = room.subarray(at as u32, end as u32);
        view.copy_from(part);
        at = end;
        view
    };
    parts.iter().map(copy).collect()
}

fn parse<'a, T: serde::Deserialize<'a>>(json: &'a str, what: &str) -> Result<T> {
    serde_json::from_str(json)
        .map_err(|e| Error::new(Code::InvalidArgument, format!("{what} cannot be read")).with_found(e.to_string()))
}
