//! The sample networks.

use js_sys::Float32Array;
use wasm_bindgen::prelude::*;

use super::convert::{floats, object, to_js};
#[cfg(feature = "full")]
use crate::nn::PreparedNet;
use crate::nn::{Arithmetic, DigitsNet};

/// The digits network with its held-out images. See `DigitsNet` in `www/lib/digits.js`.
#[wasm_bindgen(js_name = WasmDigitsNet)]
#[derive(Default)]
pub struct Digits(DigitsNet);

#[wasm_bindgen(js_class = WasmDigitsNet)]
impl Digits {
    /// A network without weights and images.
    #[wasm_bindgen(constructor)]
    pub fn new() -> Digits {
        Digits::default()
    }

    /// Sets a tensor; the values are copied.
    pub fn set(&mut self, name: &str, values: &Float32Array) -> Result<(), JsValue> {
        floats(values).and_then(|values| self.0.set(name, &values)).map_err(to_js)
    }

    /// Sets the images to be read; they are copied.
    #[wasm_bindgen(js_name = setHeldOut)]
    pub fn set_held_out(&mut self, images: &[u8], labels: &[u8]) -> Result<(), JsValue> {
        self.0.set_held_out(images, labels).map_err(to_js)
    }

    /// Reads the images in an arithmetic, named as [`Arithmetic::named`] has it.
    #[wasm_bindgen(unchecked_return_type = "{correct: number, total: number, accuracy: number}")]
    pub fn accuracy(&mut self, arithmetic: &str) -> Result<JsValue, JsValue> {
        let found = Arithmetic::named(arithmetic).and_then(|a| self.0.accuracy_in(a)).map_err(to_js)?;
        Ok(object([
            ("correct", (found.correct as f64).into()),
            ("total", (found.total as f64).into()),
            ("accuracy", found.ratio().into()),
        ]))
    }

    /// The network made ready for an arithmetic, for timing.
    #[cfg(feature = "full")]
    pub fn prepare(&mut self, arithmetic: &str) -> Result<Prepared, JsValue> {
        Arithmetic::named(arithmetic).and_then(|a| PreparedNet::new(&mut self.0, a)).map(Prepared).map_err(to_js)
    }

    /// The logits, `[n, 10]`.
    pub fn logits(&mut self, arithmetic: &str) -> Result<Vec<f32>, JsValue> {
        Arithmetic::named(arithmetic).and_then(|a| self.0.logits_in(a)).map_err(to_js)
    }
}

/// See `DigitsNet.prepare` in `www/lib/digits.js`.
#[cfg(feature = "full")]
#[wasm_bindgen(js_name = WasmPreparedNet)]
pub struct Prepared(PreparedNet);

#[cfg(feature = "full")]
#[wasm_bindgen(js_class = WasmPreparedNet)]
impl Prepared {
    /// All layers over all images.
    pub fn run(&mut self) {
        self.0.run();
    }
}
