//! Training of the digits network. See `Trainer` in `www/lib/trainer.js`.

use js_sys::Float32Array;
use wasm_bindgen::prelude::*;

use super::convert::{floats, object, to_js};
use crate::nn::train::{Plan, Progress, Score, Trainer};

/// A network that learns.
#[wasm_bindgen(js_name = WasmTrainer)]
pub struct Training(Trainer);

#[wasm_bindgen(js_class = WasmTrainer)]
impl Training {
    /// With initial weights. `share` below 0: no teacher is listened to.
    #[wasm_bindgen(constructor)]
    #[allow(clippy::too_many_arguments, reason = "numbers cross most cheaply one by one")]
    pub fn new(
        images: &[u8],
        labels: &[u8],
        steps: u32,
        rate: f32,
        seed: f64,
        shift: bool,
        share: f32,
        temperature: f32,
    ) -> Result<Training, JsValue> {
        let distil = (share >= 0.0).then_some((share, temperature));
        let plan = Plan { steps, rate, seed: seed as u64, shift, distil };
        Trainer::new(images, labels, plan).map(Training).map_err(to_js)
    }

    /// Begins a tensor at given values; they are copied.
    pub fn set(&mut self, name: &str, values: &Float32Array) -> Result<(), JsValue> {
        floats(values).and_then(|values| self.0.set(name, &values)).map_err(to_js)
    }

    /// Makes the weights as they are now the teacher.
    pub fn teach(&mut self) {
        self.0.teach();
    }

    /// Rounds a tensor in the forward pass from now on.
    pub fn round(&mut self, name: &str, bits: u32) -> Result<(), JsValue> {
        self.0.round(name, bits).map_err(to_js)
    }

    /// Sets a share of a tensor to zero for good.
    pub fn prune(&mut self, name: &str, ratio: f64) -> Result<(), JsValue> {
        self.0.prune(name, ratio).map_err(to_js)
    }

    /// Makes a tensor's weights share 2^bits − 1 values beside zero.
    pub fn share(&mut self, name: &str, bits: u32) -> Result<(), JsValue> {
        self.0.share(name, bits).map_err(to_js)
    }

    /// A tensor as the forward pass sees it.
    pub fn weights(&self, name: &str) -> Result<Vec<f32>, JsValue> {
        self.0.weights(name).map_err(to_js)
    }

    /// Takes steps.
    #[wasm_bindgen(unchecked_return_type = "{step: number, of: number, loss: number, accuracy: number}")]
    pub fn run(&mut self, steps: u32) -> JsValue {
        let Progress { step, of, loss, accuracy } = self.0.run(steps);
        object([("step", step.into()), ("of", of.into()), ("loss", loss.into()), ("accuracy", accuracy.into())])
    }

    /// What the weights do on images.
    #[wasm_bindgen(unchecked_return_type = "{loss: number, correct: number, total: number, accuracy: number}")]
    pub fn score(&self, images: &[u8], labels: &[u8]) -> Result<JsValue, JsValue> {
        let Score { loss, correct, total } = self.0.score(images, labels).map_err(to_js)?;
        Ok(object([
            ("loss", loss.into()),
            ("correct", (correct as f64).into()),
            ("total", (total as f64).into()),
            ("accuracy", (correct as f64 / total as f64).into()),
        ]))
    }
}
