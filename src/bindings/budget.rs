//! Measuring samples and hitting sizes, for JavaScript. `www/lib/shrink/` is the only user.

use js_sys::{Float64Array, Uint8Array, Uint32Array};
use wasm_bindgen::prelude::*;

use super::convert::object;
use super::to_js;
use crate::decode::decode;
use crate::error::{Code, Error, Result};
use crate::pack::Packing;
use crate::pack::survey::{Sample, loss};
use crate::plan::budget::allocate::{self, Point};
use crate::tensor::{DType, Shape, to_usize, try_vec};

/// What packings lose on a sample of a tensor: `packings` is JSON, `bytes` the stored elements of `places` places of as many rows each,
/// `dims` their matrix, `count` the tensor's weights, `used` of each packing how many places it is measured on.
///
/// The answer holds two numbers for each packing: the relative squared error and its standard deviation, NaN where there is none.
#[wasm_bindgen(js_name = surveyRows)]
#[allow(clippy::too_many_arguments, reason = "the boundary takes plain values")]
pub fn survey_rows(
    packings: &str,
    dtype: &str,
    big_endian: bool,
    bytes: &Uint8Array,
    dims: &[f64],
    places: f64,
    count: f64,
    used: &[f64],
) -> std::result::Result<Float64Array, JsValue> {
    let run = || -> Result<Float64Array> {
        let packings: Vec<Packing> = serde_json::from_str(packings)
            .map_err(|e| Error::new(Code::InvalidArgument, "the packings cannot be read").with_found(e.to_string()))?;
        let dtype = DType::named(dtype).ok_or_else(|| {
            Error::new(Code::InvalidArgument, "no element type has this name").with_found(format!("{dtype:?}"))
        })?;
        let dims: Vec<u64> = dims.iter().map(|&d| d as u64).collect();
        let shape = Shape::new(&dims)?;
        if dtype.byte_len(shape.count()) != Some(u64::from(bytes.length())) {
            return Err(Error::new(Code::ShapeMismatch, "the bytes are not the rows' elements")
                .with_expected(format!("{} elements of {}", shape.count(), dtype.name()))
                .with_found(format!("{} bytes", bytes.length())));
        }
        let mut values = try_vec(0.0, to_usize(shape.count())?)?;
        decode(dtype, big_endian, &bytes.to_vec(), &mut values)?;
        let sample = Sample { values: &values, shape: &shape, places: places as u64, count: count as u64 };
        let mut out = Vec::with_capacity(packings.len() * 2);
        for (i, packing) in packings.iter().enumerate() {
            let found = loss(packing, &sample, used.get(i).map_or(u64::MAX, |&n| n as u64))?;
            out.extend([found.error, found.deviation]);
        }
        Ok(Float64Array::from(out.as_slice()))
    };
    run().map_err(to_js)
}

/// Bytes and costs of every item's points, ready for many budgets.
#[wasm_bindgen]
pub struct Allocator(allocate::Allocator);

#[wasm_bindgen]
impl Allocator {
    /// Item `i` has the points from `ends[i − 1]` to `ends[i]`; a cost that is not finite cannot be taken.
    #[wasm_bindgen(constructor)]
    pub fn new(ends: &[u32], bytes: &[f64], costs: &[f64]) -> std::result::Result<Allocator, JsValue> {
        let points: Vec<Point> =
            bytes.iter().zip(costs).map(|(&bytes, &cost)| Point { bytes: bytes as u64, cost }).collect();
        let mut start = 0;
        let items = ends.iter().map(|&end| {
            let from = std::mem::replace(&mut start, end as usize);
            points.get(from..start).map(<[Point]>::to_vec).ok_or_else(|| {
                Error::new(Code::InvalidArgument, "an item names points that there are not").with_found(end)
            })
        });
        let items = items.collect::<Result<Vec<_>>>().map_err(to_js)?;
        allocate::Allocator::new(items).map(Allocator).map_err(to_js)
    }

    /// The fewest bytes that can be reached.
    #[must_use]
    pub fn least(&self) -> f64 {
        self.0.least() as f64
    }

    /// Bytes and cost, one after the other, of every allocation on the hulls, from the smallest on.
    #[must_use]
    pub fn curve(&self) -> Float64Array {
        let flat: Vec<f64> = self.0.curve().iter().flat_map(|point| [point.bytes as f64, point.cost]).collect();
        Float64Array::from(flat.as_slice())
    }

    /// `{picks: Uint32Array, bytes, cost, price}` for a budget; `uniform` are choices, one after the other, that it shall not be worse than.
    pub fn fit(&self, budget: f64, uniform: &[u32], items: usize) -> std::result::Result<JsValue, JsValue> {
        let uniform: Vec<Vec<usize>> =
            uniform.chunks_exact(items.max(1)).map(|picks| picks.iter().map(|&pick| pick as usize).collect()).collect();
        let found = self.0.fit(budget as u64, &uniform).map_err(to_js)?;
        let picks: Vec<u32> = found.picks.iter().map(|&pick| pick as u32).collect();
        Ok(object([
            ("picks", Uint32Array::from(picks.as_slice()).into()),
            ("bytes", (found.bytes as f64).into()),
            ("cost", found.cost.into()),
            ("price", found.price.into()),
        ]))
    }
}
