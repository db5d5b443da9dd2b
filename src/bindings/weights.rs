//! A tensor held in wasm memory, and a quantized one.

use std::cell::RefCell;
use std::rc::Rc;

use js_sys::{Float32Array, Int32Array, Uint8Array};
use wasm_bindgen::prelude::*;

use super::convert::{
    floats, histogram, metrics, number, object, only, range, scheme, set, shape, summary, to_js, whole,
};
use super::records;
use crate::decode::decode;
use crate::error::{Code, Error, Result};
use crate::evaluate::{EvaluateOptions, Known, bits_per_weight, evaluate_prepared};
use crate::picture::{Picture, Window, draw};
use crate::quant::{Extents, Prepared, Scheme};
use crate::stats::{SummaryOptions, summarize};
use crate::tensor::{DType, Shape, to_usize, try_vec};

/// Fitted schemes that are remembered: one for each side of a comparison.
const REMEMBERED: usize = 2;

/// A tensor held in wasm memory. See `Weights` in `www/lib/weights.js`.
#[wasm_bindgen(js_name = WasmWeights)]
pub struct Weights {
    shape: Shape,
    values: Vec<f32>,
    filled: usize,
    fitted: RefCell<Vec<(Scheme, Prepared)>>,
    extents: Extents,
    known: RefCell<Known>,
}

#[wasm_bindgen(js_class = WasmWeights)]
impl Weights {
    /// Holds a copy of `values`.
    #[wasm_bindgen(constructor)]
    pub fn new(values: &Float32Array, dims: &JsValue) -> std::result::Result<Weights, JsValue> {
        let run = || {
            let shape = shape(dims)?;
            if shape.count() != u64::from(values.length()) {
                return Err(Error::new(Code::ShapeMismatch, "the shape does not hold the values given")
                    .with_expected(format!("{} values for {:?}", shape.count(), shape.dims()))
                    .with_found(values.length()));
            }
            let values = floats(values)?;
            Ok(Weights::with(shape, values.len(), values))
        };
        run().map_err(to_js)
    }

    /// Room for a tensor of this shape, to be filled by `push`.
    pub fn allocate(dims: &JsValue) -> std::result::Result<Weights, JsValue> {
        let run = || {
            let shape = shape(dims)?;
            let values = try_vec(0.0, to_usize(shape.count())?)?;
            Ok(Weights::with(shape, 0, values))
        };
        run().map_err(to_js)
    }

    fn with(shape: Shape, filled: usize, values: Vec<f32>) -> Weights {
        Weights {
            shape,
            values,
            filled,
            fitted: RefCell::default(),
            extents: Extents::default(),
            known: RefCell::default(),
        }
    }

    /// Decodes the next stored elements: `bytes` of the named type.
    pub fn push(&mut self, dtype: &str, big_endian: bool, bytes: &[u8]) -> std::result::Result<(), JsValue> {
        let mut run = || {
            let dtype = DType::named(dtype).ok_or_else(|| {
                Error::new(Code::InvalidArgument, "there is no such element type").with_found(format!("{dtype:?}"))
            })?;
            let (elements, size) = dtype.block();
            let count = bytes.len() as u64 / size * elements;
            let end = self.filled as u64 + count;
            if end > self.values.len() as u64 {
                return Err(Error::new(Code::ShapeMismatch, "more elements than the shape holds")
                    .with_expected(self.values.len())
                    .with_found(end));
            }
            decode(dtype, big_endian, bytes, &mut self.values[self.filled..end as usize])?;
            self.filled = end as usize;
            self.fitted.borrow_mut().clear();
            self.extents = Extents::default();
            *self.known.borrow_mut() = Known::default();
            Ok(())
        };
        run().map_err(to_js)
    }

    /// Number of elements.
    #[wasm_bindgen(getter)]
    #[must_use]
    pub fn count(&self) -> f64 {
        self.values.len() as f64
    }

    /// Rows and columns of the tensor seen as a matrix.
    #[must_use]
    pub fn matrix(&self) -> Vec<f64> {
        let (rows, columns) = self.shape.matrix();
        vec![rows as f64, columns as f64]
    }

    /// A copy of the values `start..end`.
    pub fn slice(&self, start: usize, end: usize) -> std::result::Result<Float32Array, JsValue> {
        let values = self.values.get(start..end).ok_or_else(|| {
            to_js(
                Error::new(Code::InvalidArgument, "there are no such elements")
                    .with_expected(format!("a range within 0…{}", self.values.len()))
                    .with_found(format!("{start}…{end}")),
            )
        })?;
        Ok(Float32Array::from(values))
    }

    /// See `stats`.
    pub fn stats(&self, options: &JsValue) -> std::result::Result<JsValue, JsValue> {
        let run = || {
            let options = summary_options(options)?;
            Ok(summary(&summarize(&self.values, &self.shape, &options)?))
        };
        run().map_err(to_js)
    }

    /// See `suggest`.
    pub fn suggest(&self) -> std::result::Result<JsValue, JsValue> {
        let run = || {
            let axis = (self.shape.dims().len() > 1).then_some(0);
            let options = SummaryOptions { bins: 0, quantiles: vec![], axis, ..SummaryOptions::default() };
            let summary = summarize(&self.values, &self.shape, &options)?;
            Ok(records::suggestion(&crate::plan::suggest(&summary, &self.shape)))
        };
        run().map_err(to_js)
    }

    fn fitted(&self, scheme: &Scheme) -> Result<Prepared> {
        let mut fitted = self.fitted.borrow_mut();
        if let Some(at) = fitted.iter().position(|(known, _)| known == scheme) {
            let entry = fitted.remove(at);
            let prepared = Rc::clone(&entry.1);
            fitted.push(entry);
            return Ok(prepared);
        }
        let prepared = scheme.prepare_knowing(&self.values, &self.shape, &self.extents)?;
        if fitted.len() == REMEMBERED {
            fitted.remove(0);
        }
        fitted.push((scheme.clone(), Rc::clone(&prepared)));
        Ok(prepared)
    }

    /// See `evaluate`.
    pub fn evaluate(&self, of: &JsValue, options: &JsValue) -> std::result::Result<JsValue, JsValue> {
        let run = || {
            only(options, &["bins", "range", "errorBins", "errorRange", "at"])?;
            let scheme = scheme(of)?;
            let defaults = EvaluateOptions::default();
            let options = EvaluateOptions {
                bins: whole(options, "bins", 4_194_304.0)?.unwrap_or(defaults.bins),
                range: range(options, "range")?.map(narrow),
                error_bins: whole(options, "errorBins", 4_194_304.0)?.unwrap_or(defaults.error_bins),
                error_range: number(options, "errorRange")?.map(|w| w as f32),
                at: whole(options, "at", 9e15)?.unwrap_or(0),
            };
            let prepared = self.fitted(&scheme)?;
            let known = &mut self.known.borrow_mut();
            let e = evaluate_prepared(&self.values, &self.shape, &scheme, &prepared, &options, known)?;
            let out = object([
                ("scheme", records::scheme(&scheme)),
                ("count", (e.count as f64).into()),
                ("byteLength", (e.byte_len as f64).into()),
                ("bitsPerWeight", e.bits_per_weight.into()),
                ("metrics", metrics(&e.metrics)),
                ("reference", histogram(&e.reference)),
                ("histogram", histogram(&e.quantized)),
                ("error", histogram(&e.errors)),
                ("runs", (e.runs as f64).into()),
                ("run", e.run.as_ref().map_or(JsValue::NULL, records::run)),
                ("levels", Float32Array::from(e.levels.as_slice()).into()),
            ]);
            Ok(out)
        };
        run().map_err(to_js)
    }

    fn element(&self, index: f64) -> Result<usize> {
        if index >= 0.0 && index < self.values.len() as f64 && index.fract() == 0.0 {
            return Ok(index as usize);
        }
        Err(Error::new(Code::InvalidArgument, "there is no element of this index")
            .with_expected(format!("a whole number below {}", self.values.len()))
            .with_found(index))
    }

    /// What each of `samples` evenly spaced values from `lo` to `hi` would become in the place of element `at`.
    pub fn staircase(
        &self,
        of: &JsValue,
        at: f64,
        lo: f32,
        hi: f32,
        samples: usize,
    ) -> std::result::Result<JsValue, JsValue> {
        let run = || {
            let scheme = scheme(of)?;
            let at = self.element(at)?;
            let n = samples.clamp(2, 1 << 16);
            let (from, to) = (f64::from(lo), f64::from(hi));
            let x: Vec<f32> = (0..n).map(|i| (from + (to - from) * i as f64 / (n - 1) as f64) as f32).collect();
            let mut y = vec![0.0; n];
            self.fitted(&scheme)?.respond(&self.values, at, &x, &mut y);
            Ok(object([("x", Float32Array::from(x.as_slice()).into()), ("y", Float32Array::from(y.as_slice()).into())]))
        };
        run().map_err(to_js)
    }

    /// The way of one weight.
    pub fn trace(&self, of: &JsValue, index: f64) -> std::result::Result<JsValue, JsValue> {
        let run = || {
            let scheme = scheme(of)?;
            let index = self.element(index)?;
            let trace = records::trace(&self.fitted(&scheme)?.trace(&self.values, index));
            let (_, columns) = self.shape.matrix();
            let mut rest = index as u64;
            let mut coordinates: Vec<f64> = Vec::new();
            for &dim in self.shape.dims().iter().rev() {
                coordinates.push((rest % dim) as f64);
                rest /= dim;
            }
            coordinates.reverse();
            set(&trace, "coordinates", js_sys::Array::from_iter(coordinates.into_iter().map(JsValue::from)));
            set(&trace, "row", (index as u64 / columns) as f64);
            set(&trace, "column", (index as u64 % columns) as f64);
            Ok(trace)
        };
        run().map_err(to_js)
    }

    /// A window of the matrix as `width × height` values; see `image` in `www/lib/weights.js`.
    pub fn image(&self, of: &JsValue, options: &JsValue) -> std::result::Result<Float32Array, JsValue> {
        let run = || {
            only(options, &["kind", "rows", "columns", "width", "height"])?;
            let (rows, columns) = self.shape.matrix();
            let (all_rows, all_columns) = ((0.0, rows as f64), (0.0, columns as f64));
            let (r, c) =
                (range(options, "rows")?.unwrap_or(all_rows), range(options, "columns")?.unwrap_or(all_columns));
            let window = Window {
                rows: r,
                columns: c,
                width: whole(options, "width", 8192.0)?.unwrap_or(256),
                height: whole(options, "height", 8192.0)?.unwrap_or(256),
            };
            let kind = super::convert::property(options, "kind").and_then(|v| v.as_string());
            let fitted = if of.is_null() || of.is_undefined() { None } else { Some(self.fitted(&scheme(of)?)?) };
            let picture = match (kind.as_deref(), &fitted) {
                (None | Some("values"), None) => Picture::Weights,
                (None | Some("values"), Some(fitted)) => Picture::Quantized(fitted),
                (Some("error"), Some(fitted)) => Picture::Error(fitted),
                (Some("error"), None) => {
                    return Err(Error::new(Code::InvalidArgument, "there is no error without a scheme"));
                }
                (Some(other), _) => {
                    return Err(Error::new(Code::InvalidArgument, "kind does not take this")
                        .with_expected("\"values\" or \"error\"")
                        .with_found(format!("{other:?}")));
                }
            };
            Ok(Float32Array::from(draw(&self.values, &self.shape, &picture, &window)?.as_slice()))
        };
        run().map_err(to_js)
    }

    /// See `quantize`.
    pub fn quantize(&self, of: &JsValue) -> std::result::Result<Quantized, JsValue> {
        let run = || {
            let scheme = scheme(of)?;
            let prepared = self.fitted(&scheme)?;
            let bytes = prepared.encode(&self.values)?;
            Ok(Quantized { scheme, shape: self.shape.clone(), prepared, bytes })
        };
        run().map_err(to_js)
    }

    /// What the scheme makes of the weights, without packing them.
    pub fn reconstruct(&self, of: &JsValue) -> std::result::Result<Float32Array, JsValue> {
        let run = || {
            let mut out = try_vec(0.0_f32, self.values.len())?;
            self.fitted(&scheme(of)?)?.reconstruct(&self.values, 0, &mut out);
            Ok(Float32Array::from(out.as_slice()))
        };
        run().map_err(to_js)
    }
}

/// Ends of a range as weights have them.
fn narrow((lo, hi): (f64, f64)) -> (f32, f32) {
    (lo as f32, hi as f32)
}

/// Each may take 256 KiB while they are looked for.
const MOST_QUANTILES: u32 = 1024;

pub(super) fn summary_options(options: &JsValue) -> Result<SummaryOptions> {
    only(options, &["bins", "range", "axis", "quantiles"])?;
    let defaults = SummaryOptions::default();
    let quantiles = match super::convert::property(options, "quantiles") {
        None => defaults.quantiles,
        Some(list) => super::convert::items(&list)
            .filter(|list| list.length() <= MOST_QUANTILES)
            .and_then(|list| list.iter().map(|q| q.as_f64().filter(|q| (0.0..=1.0).contains(q))).collect())
            .ok_or_else(|| {
                Error::new(Code::InvalidArgument, "quantiles does not take this")
                    .with_expected(format!("an array of at most {MOST_QUANTILES} numbers from 0 to 1"))
                    .with_found(super::convert::described(&list))
            })?,
    };
    Ok(SummaryOptions {
        bins: whole(options, "bins", 4_194_304.0)?.unwrap_or(defaults.bins),
        range: range(options, "range")?.map(narrow),
        quantiles,
        axis: whole(options, "axis", 63.0)?,
    })
}

/// A quantized tensor. See `Quantized` in `www/lib/weights.js`.
#[wasm_bindgen(js_name = WasmQuantized)]
pub struct Quantized {
    scheme: Scheme,
    shape: Shape,
    prepared: Prepared,
    bytes: Vec<u8>,
}

#[wasm_bindgen(js_class = WasmQuantized)]
impl Quantized {
    /// A copy of the packed bytes.
    #[must_use]
    pub fn bytes(&self) -> Uint8Array {
        Uint8Array::from(self.bytes.as_slice())
    }

    /// One integer code per weight.
    pub fn codes(&self) -> std::result::Result<Int32Array, JsValue> {
        self.prepared.codes(&self.bytes).map(|codes| Int32Array::from(codes.as_slice())).map_err(to_js)
    }

    /// One scale per run.
    #[must_use]
    pub fn scales(&self) -> Option<Float32Array> {
        self.prepared.scales().map(Float32Array::from)
    }

    /// One zero point per run.
    #[must_use]
    #[wasm_bindgen(js_name = zeroPoints)]
    pub fn zero_points(&self) -> Option<Int32Array> {
        let widened: Vec<i32> = self.prepared.zero_points()?.iter().map(|&z| i32::from(z)).collect();
        Some(Int32Array::from(widened.as_slice()))
    }

    /// The values that codes stand for, one table or one per run.
    #[must_use]
    pub fn codebook(&self) -> Option<Float32Array> {
        self.prepared.codebook().map(Float32Array::from)
    }

    /// Bytes of the packed tensor.
    #[must_use]
    #[wasm_bindgen(js_name = byteLength, getter)]
    pub fn byte_length(&self) -> f64 {
        self.bytes.len() as f64
    }

    /// The true figure, everything counted.
    #[must_use]
    #[wasm_bindgen(js_name = bitsPerWeight, getter)]
    pub fn bits_per_weight(&self) -> f64 {
        bits_per_weight(self.bytes.len() as u64, self.shape.count())
    }

    /// `{id, ...options}` with every option.
    #[must_use]
    pub fn scheme(&self) -> JsValue {
        records::scheme(&self.scheme)
    }

    /// The weights read back from the bytes.
    pub fn dequantize(&self) -> std::result::Result<Float32Array, JsValue> {
        self.scheme.decode(&self.bytes, &self.shape).map(|v| Float32Array::from(v.as_slice())).map_err(to_js)
    }
}
