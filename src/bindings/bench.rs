//! Single kernels on one large tensor, for `benches/bench.js`. Each call returns a number that depends on its work.

use wasm_bindgen::prelude::*;

use crate::decode::decode;
use crate::evaluate::{EvaluateOptions, evaluate};
use crate::kernels::best::Weighting;
use crate::kernels::{self, Axis, Grid, Moments, Rounding};
use crate::nn::{DigitsNet, INK, Int8Net, PIXELS, TENSORS, XnorNet};
use crate::quant::{Options, Scheme, Value, ggml};
use crate::stats::{CHUNK, Comparison};
use crate::tensor::{DType, Shape};

/// A tensor with room for every result.
#[wasm_bindgen]
pub struct Bench {
    x: Vec<f32>,
    y: Vec<f32>,
    codes: Vec<i8>,
    halves: Vec<u8>,
    packed: Vec<u8>,
    shape: Shape,
}

const GRID: Grid = Grid { scale: 0.004, zero_point: 0, q_min: -127, q_max: 127 };

#[wasm_bindgen]
impl Bench {
    /// `rows × 4096` weights, made from `values` by repeating them.
    #[wasm_bindgen(constructor)]
    #[must_use]
    pub fn new(values: &[f32], rows: usize) -> Bench {
        let n = rows * 4096;
        let x: Vec<f32> = values.iter().copied().cycle().take(n).collect();
        let halves = x.iter().flat_map(|&x| half::f16::from_f32(x).to_le_bytes()).collect();
        let shape = Shape::new(&[rows as u64, 4096]).unwrap_or_else(|_| unreachable!("a small shape"));
        Bench { y: vec![0.0; n], codes: vec![0; n], packed: Vec::new(), halves, shape, x }
    }

    /// f32 to f32: the memory limit.
    pub fn copy(&mut self) -> f64 {
        self.y.copy_from_slice(&self.x);
        f64::from(self.y[self.y.len() / 2])
    }

    /// Bare convert and store, f32 to i8.
    pub fn convert(&mut self) -> f64 {
        kernels::anchors::convert_and_store(&self.x, &mut self.codes);
        self.last()
    }

    fn last(&self) -> f64 {
        self.codes.last().map_or(0.0, |&c| f64::from(c))
    }

    /// Least, greatest, largest magnitude.
    pub fn extent(&mut self) -> f64 {
        f64::from(kernels::extent(&self.x).abs_max)
    }

    /// int8 codes with a given scale.
    pub fn encode(&mut self) -> f64 {
        kernels::encode(&self.x, 0, GRID, Rounding::TiesEven, &mut self.codes);
        self.last()
    }

    /// Min–max, then int8 codes.
    #[wasm_bindgen(js_name = rangeAndEncode)]
    pub fn range_and_encode(&mut self) -> f64 {
        let scale = kernels::extent(&self.x).abs_max / 127.0;
        kernels::encode(&self.x, 0, Grid { scale, ..GRID }, Rounding::TiesEven, &mut self.codes);
        self.last()
    }

    /// int8 with stochastic rounding.
    pub fn stochastic(&mut self) -> f64 {
        kernels::encode(&self.x, 0, GRID, Rounding::Stochastic { seed: 1 }, &mut self.codes);
        self.last()
    }

    /// Quantize and dequantize, f32 to f32.
    pub fn reconstruct(&mut self) -> f64 {
        kernels::reconstruct(&self.x, 0, GRID, Rounding::TiesEven, &mut self.y);
        f64::from(self.y[self.y.len() / 2])
    }

    /// Mean and central moments.
    pub fn moments(&mut self) -> f64 {
        self.x.chunks(CHUNK).fold(Moments::default(), |all, chunk| all.merge(kernels::moments(chunk))).m4
    }

    /// Every error metric.
    pub fn compare(&mut self) -> f64 {
        let mut comparison = Comparison::default();
        for (x, y) in self.x.chunks(CHUNK).zip(self.y.chunks(CHUNK)) {
            comparison.add(x, y);
        }
        comparison.metrics().mse
    }

    /// A histogram of 512 bins.
    pub fn histogram(&mut self) -> f64 {
        let axis = Axis::new(-0.5, 0.5, 512);
        let mut table = vec![0; axis.table_len()];
        kernels::count_bins(&self.x, &axis, &mut table);
        f64::from(table[1024])
    }

    /// Stored f16 to f32.
    #[wasm_bindgen(js_name = decodeF16)]
    pub fn decode_f16(&mut self) -> f64 {
        let done = decode(DType::F16, false, &self.halves, &mut self.y);
        if done.is_ok() { f64::from(self.y[7]) } else { f64::NAN }
    }

    /// Stored bf16 to f32 (of the same bytes).
    #[wasm_bindgen(js_name = decodeBf16)]
    pub fn decode_bf16(&mut self) -> f64 {
        let done = decode(DType::Bf16, false, &self.halves, &mut self.y);
        if done.is_ok() { f64::from(self.y[7]) } else { f64::NAN }
    }

    /// int4 in groups of 32: fit, encode, pack.
    #[wasm_bindgen(js_name = int4Groups)]
    pub fn int4_groups(&mut self) -> f64 {
        let packed = int4_groups().prepare(&self.x, &self.shape).and_then(|prepared| prepared.encode(&self.x));
        packed.map_or(f64::NAN, |bytes| f64::from(bytes[bytes.len() / 2]))
    }

    /// The fused evaluation that dragging uses, int4 per tensor: fit, quantize, metrics, three histograms.
    pub fn evaluate(&mut self) -> f64 {
        self.evaluation(&scheme("int4", &[]))
    }

    /// The same, int4 in groups of 32.
    #[wasm_bindgen(js_name = evaluateGroups)]
    pub fn evaluate_groups(&mut self) -> f64 {
        self.evaluation(&int4_groups())
    }

    /// The ggml formats by name.
    #[wasm_bindgen(js_name = ggmlFormats)]
    #[must_use]
    pub fn ggml_formats() -> Vec<String> {
        ggml::formats().map(|format| format.id.to_owned()).collect()
    }

    /// Writes all weights in one of them.
    #[wasm_bindgen(js_name = ggmlEncode)]
    pub fn ggml_encode(&mut self, id: &str) -> f64 {
        let Some(format) = ggml::formats().find(|format| format.id == id) else { return f64::NAN };
        self.packed.resize(self.x.len() / format.weights * format.bytes, 0);
        (format.encode)(&self.x, &mut self.packed);
        f64::from(self.packed[self.packed.len() / 2])
    }

    /// The same with the search for less error.
    #[wasm_bindgen(js_name = ggmlBest)]
    pub fn ggml_best(&mut self, id: &str) -> f64 {
        let Some(format) = ggml::formats().find(|format| format.id == id) else { return f64::NAN };
        let Some(encode) = format.encode_best else { return f64::NAN };
        self.packed.resize(self.x.len() / format.weights * format.bytes, 0);
        encode(&self.x, Weighting::None, &mut self.packed);
        f64::from(self.packed[self.packed.len() / 2])
    }

    /// Reads back what was written last, in the same format.
    #[wasm_bindgen(js_name = ggmlDecode)]
    pub fn ggml_decode(&mut self, id: &str) -> f64 {
        let Some(format) = ggml::formats().find(|format| format.id == id) else { return f64::NAN };
        (format.decode)(&self.packed, &mut self.y);
        f64::from(self.y[self.y.len() / 2])
    }

    /// What was written last.
    #[wasm_bindgen(js_name = packedBytes)]
    #[must_use]
    pub fn packed_bytes(&self) -> Vec<u8> {
        self.packed.clone()
    }

    fn evaluation(&self, scheme: &Scheme) -> f64 {
        let options = EvaluateOptions { range: Some((-0.5, 0.5)), bins: 512, ..EvaluateOptions::default() };
        evaluate(&self.x, &self.shape, scheme, &options).map_or(f64::NAN, |e| e.metrics.mse)
    }
}

fn int4_groups() -> Scheme {
    scheme("int4", &[("granularity", Value::Text("group".to_owned()))])
}

fn scheme(id: &str, options: &[(&str, Value)]) -> Scheme {
    let options: Options = options.iter().map(|(name, value)| ((*name).to_owned(), value.clone())).collect();
    Scheme::new(id, &options).unwrap_or_else(|e| unreachable!("{e}"))
}

/// The sample network in its three arithmetics, with made-up weights and images, for `benches/nn.js`.
#[wasm_bindgen]
pub struct NetworkBench {
    float: DigitsNet,
    int8: Int8Net,
    xnor: XnorNet,
}

#[wasm_bindgen]
impl NetworkBench {
    /// A network that reads so many images at a time.
    #[wasm_bindgen(constructor)]
    pub fn new(images: usize) -> Result<NetworkBench, JsValue> {
        let mut state = 1_u32;
        let mut random = move || {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            state >> 8
        };
        let mut float = DigitsNet::new();
        let mut fill = || -> crate::Result<()> {
            for (name, shape) in TENSORS {
                let weights: Vec<f32> =
                    (0..shape.iter().product()).map(|_| random() as f32 / (1 << 26) as f32 - 0.125).collect();
                float.set(name, &weights)?;
            }
            let pixels: Vec<u8> = (0..images * PIXELS).map(|_| (random() % (u32::from(INK) + 1)) as u8).collect();
            float.set_held_out(&pixels, &vec![0; images])
        };
        fill().and_then(|()| float.logits()).map_err(super::convert::to_js)?;
        let made = float.int8().and_then(|int8| XnorNet::new(&float).map(|xnor| (int8, xnor)));
        let (int8, xnor) = made.map_err(super::convert::to_js)?;
        Ok(NetworkBench { float, int8, xnor })
    }

    /// One layer over all images; 0 is float, 1 int8, 2 XNOR.
    pub fn layer(&mut self, arithmetic: usize, layer: usize) {
        match arithmetic {
            0 => self.float.run_layer(layer),
            1 => self.int8.run_layer(layer),
            _ => self.xnor.run_layer(layer),
        }
    }
}
