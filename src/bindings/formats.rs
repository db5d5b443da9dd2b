//! The readers and the decoder for JavaScript. `www/lib/model.js` is their only user: it moves the bytes.

use js_sys::Float32Array;
use serde::{Serialize, Serializer};
use wasm_bindgen::prelude::*;

use super::to_js;
use crate::decode::{decode, fortran_to_row_major, unreadable};
#[cfg(feature = "full")]
use crate::decode::{derived, repeated, strided_to_row_major};
use crate::error::{Code, Error};
#[cfg(feature = "full")]
use crate::formats::derived::Method;
#[cfg(feature = "full")]
use crate::formats::inflate::Inflate;
use crate::formats::{Layout, Listing, Reader, Step, TensorInfo};
use crate::tensor::{DType, Shape, to_usize, try_vec};

/// Lists a file without reading it: tells which bytes it needs, and ends with what the file holds.
#[wasm_bindgen]
pub struct FormatReader {
    reader: Reader,
    #[cfg(feature = "full")]
    listing: Option<Listing>,
}

#[cfg(feature = "full")]
impl FormatReader {
    /// What the file holds, once it is known.
    pub(super) fn listing(&self) -> Option<&Listing> {
        self.listing.as_ref()
    }
}

#[wasm_bindgen]
impl FormatReader {
    /// A reader for a file of `byteLength` bytes. Begin with `step(new Uint8Array(0))`.
    #[wasm_bindgen(constructor)]
    #[must_use]
    pub fn new(#[wasm_bindgen(js_name = byteLength)] byte_length: f64) -> FormatReader {
        FormatReader {
            reader: Reader::new(byte_length as u64),
            #[cfg(feature = "full")]
            listing: None,
        }
    }

    /// Takes the bytes asked for (none at first). The answer is JSON, because `JSON.parse` makes ten thousand
    /// objects faster than ten thousand crossings: `{need: [start, end]}`, `{listing}` or `{weightMap}`.
    pub fn step(&mut self, bytes: &[u8]) -> Result<String, JsValue> {
        let answer = match self.reader.step(bytes).map_err(to_js)? {
            Step::Need(range) => serde_json::to_string(&Answer::Need(range.start, range.end)),
            Step::Done(listing) => {
                let answer = serde_json::to_string(&Answer::Listing(ListingJson::new(&listing)));
                #[cfg(feature = "full")]
                {
                    self.listing = Some(listing);
                }
                answer
            }
            Step::Shards(index) => serde_json::to_string(&Answer::WeightMap(&index.weight_map)),
        };
        answer.map_err(|e| to_js(Error::new(Code::OutOfMemory, e.to_string())))
    }
}

/// Decodes `bytes`, whole elements of the type with this safetensors name, into `out`.
#[wasm_bindgen(js_name = decodeInto)]
pub fn decode_into(dtype: &str, big_endian: bool, bytes: &[u8], out: &Float32Array) -> Result<(), JsValue> {
    let run = || {
        let mut values = try_vec(0f32, out.length() as usize)?;
        decode(element_type(dtype)?, big_endian, bytes, &mut values)?;
        out.copy_from(&values);
        Ok(())
    };
    run().map_err(to_js)
}

/// The values of a tensor stored with its first axis fastest, reordered to row-major.
#[wasm_bindgen(js_name = fortranToRowMajor)]
pub fn fortran_to_row_major_js(values: &[f32], shape: &[f64]) -> Result<Vec<f32>, JsValue> {
    let run = || {
        let dims: Vec<u64> = shape.iter().map(|&d| d as u64).collect();
        let shape = Shape::new(&dims)?;
        let mut out = try_vec(0f32, to_usize(shape.count().min(values.len() as u64))?)?;
        fortran_to_row_major(values, &shape, &mut out)?;
        Ok(out)
    };
    run().map_err(to_js)
}

/// The values of a view, from its first element to its last, gathered to row-major.
#[cfg(feature = "full")]
#[wasm_bindgen(js_name = stridedToRowMajor)]
pub fn strided_to_row_major_js(values: &[f32], shape: &[f64], strides: &[f64]) -> Result<Vec<f32>, JsValue> {
    let run = || {
        let whole = |numbers: &[f64]| numbers.iter().map(|&n| n as u64).collect::<Vec<_>>();
        let shape = Shape::new(&whole(shape))?;
        let mut out = try_vec(0f32, to_usize(shape.count())?)?;
        strided_to_row_major(values, &shape, &whole(strides), &mut out)?;
        Ok(out)
    };
    run().map_err(to_js)
}

/// A raw deflate stream, piece by piece: what comes out of one call is never more than was asked for, whatever the stream holds.
#[cfg(feature = "full")]
#[wasm_bindgen]
pub struct Inflater(Inflate);

#[cfg(feature = "full")]
#[wasm_bindgen]
impl Inflater {
    /// At the start of a stream.
    #[wasm_bindgen(constructor)]
    #[must_use]
    #[allow(clippy::new_without_default, reason = "a script calls it")]
    pub fn new() -> Inflater {
        Inflater(Inflate::new())
    }

    /// Hands over the next bytes of the stream; those before must have been used up.
    pub fn push(&mut self, bytes: Vec<u8>) {
        self.0.push(bytes);
    }

    /// The next bytes that come out, at most `most`. Fewer: more must be pushed, or the stream has ended.
    pub fn pull(&mut self, most: usize) -> Result<Vec<u8>, JsValue> {
        self.0.pull(most).map_err(to_js)
    }

    /// Whether the stream has ended.
    #[wasm_bindgen(getter)]
    #[must_use]
    pub fn ended(&self) -> bool {
        self.0.ended()
    }
}

/// The weights of a record of Deep Compression, of a tensor of `count`.
#[cfg(feature = "full")]
#[wasm_bindgen(js_name = decodeDeep)]
pub fn decode_deep(record: &[u8], count: f64) -> Result<Vec<f32>, JsValue> {
    crate::quant::deep::decode(record, count as u64).map_err(to_js)
}

fn element_type(name: &str) -> Result<DType, Error> {
    DType::named(name).ok_or_else(|| {
        Error::new(Code::InvalidArgument, "no element type has this name")
            .with_expected("a safetensors dtype, such as F32")
            .with_found(format_args!("{name:?}"))
    })
}

/// The numbers of a weight that is stored in several tensors.
#[cfg(feature = "full")]
#[wasm_bindgen]
pub struct Derivation {
    of: derived::Derivation,
    parts: Vec<Vec<u8>>,
}

#[cfg(feature = "full")]
#[wasm_bindgen]
impl Derivation {
    /// Of what a listing says of one: JSON `{method, shape, parts: [[dtype, shape]]}`.
    #[wasm_bindgen(constructor)]
    pub fn new(what: &str) -> Result<Derivation, JsValue> {
        let run = || {
            let what: DerivedFrom = serde_json::from_str(what).map_err(|e| {
                Error::new(Code::InvalidArgument, "this is no derived tensor").with_found(e.to_string())
            })?;
            let part = |(dtype, shape): &(String, Vec<u64>)| {
                Ok(derived::Part { dtype: element_type(dtype)?, shape: Shape::new(shape)? })
            };
            let parts: Vec<_> = what.parts.iter().map(part).collect::<Result<_, Error>>()?;
            let held = vec![Vec::new(); parts.len()];
            Ok(Derivation { of: derived::Derivation::new(what.method, &Shape::new(&what.shape)?, parts)?, parts: held })
        };
        run().map_err(to_js)
    }

    /// The bytes of each part that these rows need: start and end of the first, of the second, …
    #[must_use]
    pub fn needs(&self, start: f64, end: f64) -> Vec<f64> {
        self.of.needs(start as u64..end as u64).iter().flat_map(|n| [n.start as f64, n.end as f64]).collect()
    }

    /// Holds the bytes of a part, until others take their place.
    pub fn hold(&mut self, part: usize, bytes: Vec<u8>) -> Result<(), JsValue> {
        let held = self.parts.get_mut(part);
        *held.ok_or_else(|| to_js(Error::new(Code::InvalidArgument, "there is no such part").with_found(part)))? =
            bytes;
        Ok(())
    }

    /// Decodes rows from the parts held into `out`.
    pub fn decode(&self, start: f64, end: f64, out: &Float32Array) -> Result<(), JsValue> {
        let run = || {
            let mut values = try_vec(0f32, out.length() as usize)?;
            let parts: Vec<&[u8]> = self.parts.iter().map(Vec::as_slice).collect();
            self.of.decode(start as u64..end as u64, &parts, &mut values)?;
            out.copy_from(&values);
            Ok(())
        };
        run().map_err(to_js)
    }
}

#[cfg(feature = "full")]
#[derive(serde::Deserialize)]
struct DerivedFrom {
    method: Method,
    shape: Vec<u64>,
    parts: Vec<(String, Vec<u64>)>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
enum Answer<'a> {
    Need(u64, u64),
    Listing(ListingJson<'a>),
    WeightMap(&'a std::collections::BTreeMap<String, String>),
}

#[derive(Serialize)]
struct ListingJson<'a> {
    format: &'static str,
    #[serde(serialize_with = "as_map")]
    metadata: &'a [(String, String)],
    tensors: Vec<TensorJson<'a>>,
    #[cfg(feature = "full")]
    derived: Vec<DerivedJson<'a>>,
}

#[cfg(feature = "full")]
#[derive(Serialize)]
struct DerivedJson<'a> {
    name: &'a str,
    shape: &'a [u64],
    count: u64,
    row: (u64, u64),
    label: &'a str,
    parts: &'a [usize],
    method: Method,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct TensorJson<'a> {
    name: &'a str,
    dtype: &'static str,
    /// The least that can be read: so many elements in so many bytes.
    block: (u64, u64),
    shape: &'a [u64],
    count: u64,
    /// The matrix that blocks and groups see.
    row: (u64, u64),
    /// The file that holds it, where it is another.
    beside: Option<&'a str>,
    /// Its bytes in hexadecimal, where the file has them in another form.
    inline: Option<String>,
    start: u64,
    end: u64,
    fortran_order: bool,
    strides: Option<&'a [u64]>,
    big_endian: bool,
    deflated: Option<u64>,
    crc: Option<u32>,
    /// The bytes are a record of Deep Compression.
    deep: bool,
    unreadable: Option<&'static str>,
}

impl<'a> ListingJson<'a> {
    fn new(listing: &'a Listing) -> Self {
        let tensors = listing.tensors.iter().map(|t| TensorJson {
            name: &t.name,
            dtype: t.dtype.name(),
            block: t.dtype.block(),
            shape: t.shape.dims(),
            count: t.shape.count(),
            row: t.shape.matrix(),
            start: t.bytes.start,
            end: t.bytes.end,
            beside: t.file.as_deref(),
            inline: inline(t),
            fortran_order: t.layout == Layout::Fortran,
            strides: if let Layout::Strided(strides) = &t.layout { Some(strides) } else { None },
            big_endian: t.big_endian,
            deflated: t.deflated,
            crc: t.crc,
            deep: t.deep,
            unreadable: refused(t),
        });
        #[cfg(feature = "full")]
        let derived = listing.derived.iter().map(|d| DerivedJson {
            name: &d.name,
            shape: d.shape.dims(),
            count: d.shape.count(),
            row: d.shape.matrix(),
            label: &d.label,
            parts: &d.parts,
            method: d.method,
        });
        ListingJson {
            format: listing.format.as_str(),
            metadata: &listing.metadata,
            tensors: tensors.collect(),
            #[cfg(feature = "full")]
            derived: derived.collect(),
        }
    }
}

/// The bytes that a listing holds, in hexadecimal.
#[cfg(feature = "full")]
fn inline(t: &TensorInfo) -> Option<String> {
    let bytes = t.inline.as_deref()?;
    let mut digits = String::with_capacity(2 * bytes.len());
    for b in bytes {
        digits.extend([b >> 4, b & 15].map(|digit| char::from(b"0123456789abcdef"[usize::from(digit)])));
    }
    Some(digits)
}

/// No format of the first build has any.
#[cfg(not(feature = "full"))]
fn inline(_: &TensorInfo) -> Option<String> {
    None
}

/// Why a tensor is not read as numbers.
#[cfg(feature = "full")]
fn refused(t: &TensorInfo) -> Option<&'static str> {
    let Layout::Strided(strides) = &t.layout else { return unreadable(t.dtype) };
    unreadable(t.dtype).or_else(|| repeated(&t.shape, strides))
}

/// No format of the first build has views.
#[cfg(not(feature = "full"))]
fn refused(t: &TensorInfo) -> Option<&'static str> {
    unreadable(t.dtype)
}

fn as_map<S: Serializer>(pairs: &&[(String, String)], s: S) -> Result<S::Ok, S::Error> {
    s.collect_map(pairs.iter().map(|(k, v)| (k, v)))
}
