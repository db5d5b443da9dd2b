//! Sample networks, run by the engine itself, so that a change of weights is seen as a change of accuracy.

mod digits;

pub use digits::{Accuracy, CLASSES, DigitsNet, INK, PIXELS, TENSORS};
