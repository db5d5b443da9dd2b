//! Calls that hold nothing afterwards.

use js_sys::Float32Array;
use wasm_bindgen::prelude::*;

use super::convert::{
    floats, histogram, items, metrics, number, object, only, property, scheme, set, shape, summary, to_js, whole,
};
use super::records;
use super::weights::summary_options;
use crate::plan;
use crate::quant::article;
use crate::stats::{ChannelRanges, Comparison, Histogram, Summary, summarize};

/// See `schemes`.
#[wasm_bindgen]
#[must_use]
pub fn schemes() -> JsValue {
    records::entries()
}

/// See `stats`.
#[wasm_bindgen]
pub fn stats(values: &Float32Array, dims: &JsValue, options: &JsValue) -> std::result::Result<JsValue, JsValue> {
    let run = || {
        let shape = shape(dims)?;
        let options = summary_options(options)?;
        Ok(summary(&summarize(&floats(values)?, &shape, &options)?))
    };
    run().map_err(to_js)
}

/// See `suggest`: statistics as `stats` gives them.
#[wasm_bindgen]
pub fn suggest(statistics: &JsValue, dims: &JsValue) -> std::result::Result<JsValue, JsValue> {
    let run = || {
        let field = |name| number(statistics, name).map(Option::unwrap_or_default);
        let channels = property(statistics, "channels").map(|c| {
            let side = |name| {
                property(&c, name).and_then(|v| items(&v)).map(|v| Float32Array::new(&v).to_vec()).unwrap_or_default()
            };
            ChannelRanges { axis: 0, min: side("min"), max: side("max") }
        });
        let summary = Summary {
            count: field("count")? as u64,
            min: field("min")? as f32,
            max: field("max")? as f32,
            abs_max: field("absMax")? as f32,
            mean: field("mean")?,
            std: field("std")?,
            skewness: field("skewness")?,
            kurtosis: field("kurtosis")?,
            zeros: field("zeros")? as u64,
            nan: field("nan")? as u64,
            infinite: field("infinite")? as u64,
            quantiles: Vec::new(),
            histogram: None,
            channels,
        };
        Ok(records::suggestion(&plan::suggest(&summary, &shape(dims)?)))
    };
    run().map_err(to_js)
}

/// See `compare`.
#[wasm_bindgen]
pub fn compare(
    reference: &Float32Array,
    candidate: &Float32Array,
    options: &JsValue,
) -> std::result::Result<JsValue, JsValue> {
    let run = || {
        only(options, &["bins"])?;
        let bins = whole(options, "bins", 4_194_304.0)?.unwrap_or(128);
        let (reference, candidate) = (floats(reference)?, floats(candidate)?);
        let found = Comparison::of(&reference, &candidate)?;
        let out = metrics(&found);
        if bins > 0 {
            set(&out, "error", histogram(&Histogram::of_errors(&reference, &candidate, found.max_abs as f32, bins)));
        }
        Ok(out)
    };
    run().map_err(to_js)
}

/// See `dequantize`.
#[wasm_bindgen]
pub fn dequantize(bytes: &[u8], dims: &JsValue, of: &JsValue) -> std::result::Result<Float32Array, JsValue> {
    let run = || Ok(Float32Array::from(scheme(of)?.decode(bytes, &shape(dims)?)?.as_slice()));
    run().map_err(to_js)
}

/// Bytes that a packed tensor takes, known from its shape alone.
#[wasm_bindgen(js_name = packedLength)]
pub fn packed_length(dims: &JsValue, of: &JsValue) -> std::result::Result<f64, JsValue> {
    let run = || Ok(scheme(of)?.byte_len(&shape(dims)?)? as f64);
    run().map_err(to_js)
}

/// See `packedLengthIsExact`.
#[wasm_bindgen(js_name = packedLengthIsExact)]
pub fn packed_length_is_exact(of: &JsValue) -> std::result::Result<bool, JsValue> {
    scheme(of).map(|scheme| scheme.is_len_exact()).map_err(to_js)
}

/// See `evaluationCost`.
#[wasm_bindgen(js_name = evaluationCost)]
pub fn evaluation_cost(of: &JsValue) -> std::result::Result<f64, JsValue> {
    scheme(of).map(|scheme| scheme.cost()).map_err(to_js)
}

/// See `article.quantizeZero`.
#[wasm_bindgen(js_name = articleZero)]
pub fn article_zero(values: &Float32Array, min: f64, max: f64) -> std::result::Result<JsValue, JsValue> {
    let run = || {
        let result = article::quantize_zero(&floats(values)?, min, max)?;
        Ok(object([
            ("values", Float32Array::from(result.values.as_slice()).into()),
            ("nonZeroCount", (result.non_zero_count as f64).into()),
        ]))
    };
    run().map_err(to_js)
}

/// See `article.quantizeNonZero`.
#[wasm_bindgen(js_name = articleNonZero)]
pub fn article_non_zero(values: &Float32Array, min: f64, max: f64) -> std::result::Result<Float32Array, JsValue> {
    let run = || Ok(Float32Array::from(article::quantize_non_zero(&floats(values)?, min, max)?.as_slice()));
    run().map_err(to_js)
}

/// See `article.quantizeMixed`.
#[wasm_bindgen(js_name = articleMixed)]
pub fn article_mixed(
    values: &Float32Array,
    min: f64,
    max: f64,
    zero_ratio: f64,
) -> std::result::Result<Float32Array, JsValue> {
    let run = || Ok(Float32Array::from(article::quantize_mixed(&floats(values)?, min, max, zero_ratio)?.as_slice()));
    run().map_err(to_js)
}

/// Whether this module was built with vector instructions.
#[wasm_bindgen(js_name = hasSimd)]
#[must_use]
pub fn has_simd() -> bool {
    cfg!(target_feature = "simd128")
}
