//! The digits network made ready for one arithmetic, so that running it can be timed alone.

use super::digits::LAYERS;
use super::int8::Int8Net;
use super::xnor::XnorNet;
use super::{Arithmetic, DigitsNet};
use crate::error::Result;

/// Weights quantized, scales found, images in place: [`PreparedNet::run`] does nothing but the four layers over all images.
pub struct PreparedNet(Made);

enum Made {
    Float(Box<DigitsNet>),
    Int8(Box<Int8Net>),
    Xnor(Box<XnorNet>),
}

impl PreparedNet {
    /// # Errors
    /// As [`DigitsNet::accuracy_in`].
    pub fn new(net: &mut DigitsNet, arithmetic: Arithmetic) -> Result<PreparedNet> {
        net.logits()?;
        Ok(PreparedNet(match arithmetic {
            Arithmetic::Float => Made::Float(Box::new(net.clone())),
            Arithmetic::Int8 => Made::Int8(Box::new(net.int8()?)),
            Arithmetic::Xnor => Made::Xnor(Box::new(XnorNet::new(net)?)),
        }))
    }

    /// All layers over all images.
    pub fn run(&mut self) {
        for layer in 0..LAYERS {
            match &mut self.0 {
                Made::Float(net) => net.run_layer(layer),
                Made::Int8(net) => net.run_layer(layer),
                Made::Xnor(net) => net.run_layer(layer),
            }
        }
    }
}
