//! What happens to one weight, told step by step, in words that need no knowledge of the scheme.

/// A run of weights that share a scale.
#[derive(Debug, Clone, PartialEq)]
pub struct RunInfo {
    /// Its number.
    pub index: usize,
    /// What it is: "tensor", "channel 3", "group 17".
    pub label: String,
    /// Weights in it.
    pub count: usize,
    /// Distance of neighbouring levels.
    pub scale: f32,
    /// The code that means 0.
    pub zero_point: i32,
    /// Lowest level: what is below is clipped to it.
    pub low: f32,
    /// Highest level.
    pub high: f32,
}

/// One operation on the way.
#[derive(Debug, Clone, PartialEq)]
pub struct Step {
    /// What is done, as a stable name.
    pub op: &'static str,
    /// The same for people.
    pub title: &'static str,
    /// What it is done with.
    pub operand: Option<f64>,
    /// What comes out.
    pub value: f64,
}

/// The way of one weight.
#[derive(Debug, Clone, PartialEq)]
pub struct Trace {
    /// Element index, row-major.
    pub index: usize,
    /// The weight.
    pub value: f32,
    /// Its 32 bits.
    pub float_bits: u32,
    /// The run it lies in.
    pub run: RunInfo,
    /// From the weight to what is read back.
    pub steps: Vec<Step>,
    /// The integer stored, where there is one.
    pub code: Option<i32>,
    /// The stored bits, highest first.
    pub bits: String,
    /// Byte of the packed tensor in which the code begins.
    pub byte_offset: u64,
    /// Bit of that byte, 0 for the lowest.
    pub bit_offset: u32,
    /// What is read back.
    pub back: f32,
    /// `value − back`.
    pub error: f32,
}
