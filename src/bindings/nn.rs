//! The sample networks in JavaScript.

use wasm_bindgen::prelude::*;

use crate::bindings::to_js;
use crate::nn;

#[wasm_bindgen(typescript_custom_section)]
const TYPES: &str = "
/** How many held-out images were read rightly; `accuracy` is correct/total, 0…1. */
export interface Accuracy { correct: number; total: number; accuracy: number; }
";

/// The network for handwritten digits with its held-out images. It takes tensors of the shipped `digits.safetensors` or
/// any of their shape; a change of one costs only its own layer and those after it. Free it with `free()`.
#[wasm_bindgen]
#[derive(Default)]
pub struct DigitsNet(nn::DigitsNet);

#[wasm_bindgen]
impl DigitsNet {
    /// A network without weights and images.
    #[wasm_bindgen(constructor)]
    pub fn new() -> DigitsNet {
        DigitsNet::default()
    }

    /// Sets the tensor `name` (`conv1.weight`, `conv1.bias`, … `fc2.bias`) to `values`, row-major; they are copied.
    /// Throws `unknown_tensor`, `shape_mismatch`.
    pub fn set(&mut self, name: &str, values: &[f32]) -> Result<(), JsValue> {
        self.0.set(name, values).map_err(to_js)
    }

    /// Sets the images to be read: `images` `[n, 8, 8]` with values 0…16, `labels` `[n]` with values 0…9. Throws
    /// `shape_mismatch`, `invalid_argument`; the images set before then stay.
    #[wasm_bindgen(js_name = setHeldOut)]
    pub fn set_held_out(&mut self, images: &[u8], labels: &[u8]) -> Result<(), JsValue> {
        self.0.set_held_out(images, labels).map_err(to_js)
    }

    /// Reads the held-out images; an image with a NaN among its logits counts as wrong. Throws `invalid_argument` when
    /// tensors or images are missing.
    #[wasm_bindgen(unchecked_return_type = "Accuracy")]
    pub fn accuracy(&mut self) -> Result<JsValue, JsValue> {
        let nn::Accuracy { correct, total } = self.0.accuracy().map_err(to_js)?;
        let out = js_sys::Object::new();
        for (key, value) in [
            ("correct", correct as f64),
            ("total", total as f64),
            ("accuracy", nn::Accuracy { correct, total }.ratio()),
        ] {
            js_sys::Reflect::set(&out, &key.into(), &value.into())?;
        }
        Ok(out.into())
    }

    /// The logits of the held-out images, `[n, 10]`, as a copy. Throws as `accuracy`.
    pub fn logits(&mut self) -> Result<Vec<f32>, JsValue> {
        self.0.logits().map_err(to_js)
    }
}
