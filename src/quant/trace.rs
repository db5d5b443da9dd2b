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
    /// The block that the weight is read from, where the scheme has blocks.
    pub block: Option<Block>,
}

/// A packed block, and what its bytes mean.
#[derive(Debug, Clone, PartialEq)]
pub struct Block {
    /// Its first byte in the packed tensor.
    pub offset: u64,
    /// Weights that it holds.
    pub weights: usize,
    /// Its bytes.
    pub bytes: Vec<u8>,
    /// The stretches they form.
    pub parts: &'static [Part],
    /// The bits that this weight is read from, those of its code last.
    pub fields: Vec<BitField>,
}

/// A stretch of a block.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Part {
    /// What it holds, as a stable name: `scale`, `min`, `scales`, `codes`, `high bits`.
    pub name: &'static str,
    /// Its length in bytes.
    pub bytes: usize,
}

/// Neighbouring bits of a block.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BitField {
    /// The part they lie in.
    pub part: usize,
    /// The first, counted from the lowest bit of the block's first byte.
    pub bit: u32,
    /// How many.
    pub bits: u32,
}

impl BitField {
    /// The bits as digits, highest first.
    #[must_use]
    pub fn read(&self, block: &[u8]) -> String {
        let bit = |i: u32| block.get(i as usize / 8).is_some_and(|byte| byte >> (i % 8) & 1 == 1);
        (self.bit..self.bit + self.bits).rev().map(|i| if bit(i) { '1' } else { '0' }).collect()
    }
}
