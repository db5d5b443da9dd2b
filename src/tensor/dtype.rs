//! How elements are stored.

/// How a stored element is laid out, little-endian unless a format says otherwise.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[allow(
    missing_docs,
    reason = "the names are the definition: the safetensors spelling of each type, ggml's of its blocks"
)]
#[allow(non_camel_case_types, reason = "ggml's names end in a number after an underscore, and differ by it alone")]
pub enum DType {
    Bool,
    U8,
    I8,
    U16,
    I16,
    U32,
    I32,
    U64,
    I64,
    F16,
    Bf16,
    F32,
    F64,
    /// OCP FP8 E4M3: no infinities, NaN at ±0x7F (ml_dtypes `float8_e4m3fn`).
    F8E4M3,
    /// OCP FP8 E5M2: IEEE-like, with infinities.
    F8E5M2,
    /// `float8_e4m3fnuz`: bias 8, a single NaN at 0x80, no −0.
    F8E4M3Fnuz,
    /// `float8_e5m2fnuz`: bias 16, a single NaN at 0x80, no −0.
    F8E5M2Fnuz,
    /// OCP MX scale: 2^(byte − 127), NaN at 0xFF.
    F8E8M0,
    /// OCP MX FP6, packed 4 in 3 bytes.
    F6E2M3,
    /// OCP MX FP6, packed 4 in 3 bytes.
    F6E3M2,
    /// OCP MX FP4 E2M1, low nibble first.
    F4,
    /// Complex of two f32.
    C64,
    /// Signed 4-bit integers, low nibble first.
    I4,
    /// Unsigned 4-bit integers, low nibble first.
    U4,
    Q4_0,
    Q4_1,
    Q5_0,
    Q5_1,
    Q8_0,
    Q2_K,
    Q3_K,
    Q4_K,
    Q5_K,
    Q6_K,
    Q8_K,
    IQ2_XXS,
    IQ2_XS,
    IQ3_XXS,
    IQ1_S,
    IQ4_NL,
    IQ3_S,
    IQ2_S,
    IQ4_XS,
    IQ1_M,
    TQ1_0,
    TQ2_0,
    MXFP4,
    NVFP4,
    Q1_0,
    Q2_0,
}

/// One row of [`TABLE`].
struct Layout {
    dtype: DType,
    name: &'static str,
    /// The fewest elements that end on a byte, or that share a scale.
    elements: u64,
    /// Their bytes.
    bytes: u64,
    /// The number by which GGUF names the type.
    ggml: Option<u32>,
}

const fn row(dtype: DType, name: &'static str, elements: u64, bytes: u64, ggml: Option<u32>) -> Layout {
    Layout { dtype, name, elements, bytes, ggml }
}

/// Every type, in the order of its variants. The blocks' sizes are those of `ggml-common.h`, the numbers those of `enum ggml_type`.
const TABLE: &[Layout] = &[
    row(DType::Bool, "BOOL", 1, 1, None),
    row(DType::U8, "U8", 1, 1, None),
    row(DType::I8, "I8", 1, 1, Some(24)),
    row(DType::U16, "U16", 1, 2, None),
    row(DType::I16, "I16", 1, 2, Some(25)),
    row(DType::U32, "U32", 1, 4, None),
    row(DType::I32, "I32", 1, 4, Some(26)),
    row(DType::U64, "U64", 1, 8, None),
    row(DType::I64, "I64", 1, 8, Some(27)),
    row(DType::F16, "F16", 1, 2, Some(1)),
    row(DType::Bf16, "BF16", 1, 2, Some(30)),
    row(DType::F32, "F32", 1, 4, Some(0)),
    row(DType::F64, "F64", 1, 8, Some(28)),
    row(DType::F8E4M3, "F8_E4M3", 1, 1, None),
    row(DType::F8E5M2, "F8_E5M2", 1, 1, None),
    row(DType::F8E4M3Fnuz, "F8_E4M3FNUZ", 1, 1, None),
    row(DType::F8E5M2Fnuz, "F8_E5M2FNUZ", 1, 1, None),
    row(DType::F8E8M0, "F8_E8M0", 1, 1, None),
    row(DType::F6E2M3, "F6_E2M3", 4, 3, None),
    row(DType::F6E3M2, "F6_E3M2", 4, 3, None),
    row(DType::F4, "F4", 2, 1, None),
    row(DType::C64, "C64", 1, 8, None),
    row(DType::I4, "I4", 2, 1, None),
    row(DType::U4, "U4", 2, 1, None),
    row(DType::Q4_0, "Q4_0", 32, 18, Some(2)),
    row(DType::Q4_1, "Q4_1", 32, 20, Some(3)),
    row(DType::Q5_0, "Q5_0", 32, 22, Some(6)),
    row(DType::Q5_1, "Q5_1", 32, 24, Some(7)),
    row(DType::Q8_0, "Q8_0", 32, 34, Some(8)),
    row(DType::Q2_K, "Q2_K", 256, 84, Some(10)),
    row(DType::Q3_K, "Q3_K", 256, 110, Some(11)),
    row(DType::Q4_K, "Q4_K", 256, 144, Some(12)),
    row(DType::Q5_K, "Q5_K", 256, 176, Some(13)),
    row(DType::Q6_K, "Q6_K", 256, 210, Some(14)),
    row(DType::Q8_K, "Q8_K", 256, 292, Some(15)),
    row(DType::IQ2_XXS, "IQ2_XXS", 256, 66, Some(16)),
    row(DType::IQ2_XS, "IQ2_XS", 256, 74, Some(17)),
    row(DType::IQ3_XXS, "IQ3_XXS", 256, 98, Some(18)),
    row(DType::IQ1_S, "IQ1_S", 256, 50, Some(19)),
    row(DType::IQ4_NL, "IQ4_NL", 32, 18, Some(20)),
    row(DType::IQ3_S, "IQ3_S", 256, 110, Some(21)),
    row(DType::IQ2_S, "IQ2_S", 256, 82, Some(22)),
    row(DType::IQ4_XS, "IQ4_XS", 256, 136, Some(23)),
    row(DType::IQ1_M, "IQ1_M", 256, 56, Some(29)),
    row(DType::TQ1_0, "TQ1_0", 256, 54, Some(34)),
    row(DType::TQ2_0, "TQ2_0", 256, 66, Some(35)),
    row(DType::MXFP4, "MXFP4", 32, 17, Some(39)),
    row(DType::NVFP4, "NVFP4", 64, 36, Some(40)),
    row(DType::Q1_0, "Q1_0", 128, 18, Some(41)),
    row(DType::Q2_0, "Q2_0", 64, 18, Some(42)),
];

impl DType {
    fn layout(self) -> &'static Layout {
        &TABLE[self as usize]
    }

    /// The name people see: the safetensors spelling, or ggml's.
    #[must_use]
    pub fn name(self) -> &'static str {
        self.layout().name
    }

    /// The type of this [`DType::name`].
    #[must_use]
    pub fn named(name: &str) -> Option<DType> {
        TABLE.iter().find(|row| row.name == name).map(|row| row.dtype)
    }

    /// The type that GGUF files name by this number.
    #[must_use]
    pub fn from_ggml(number: u32) -> Option<DType> {
        TABLE.iter().find(|row| row.ggml == Some(number)).map(|row| row.dtype)
    }

    /// The number by which GGUF files name this type, if they can.
    #[must_use]
    pub fn ggml(self) -> Option<u32> {
        self.layout().ggml
    }

    /// The least that can be stored: so many elements in so many bytes. One element, the few of less than a byte that end on
    /// one, or the block of ggml that shares a scale.
    #[must_use]
    pub fn block(self) -> (u64, u64) {
        let Layout { elements, bytes, .. } = self.layout();
        (*elements, *bytes)
    }

    /// Whether elements are stored in blocks with a scale of their own, as ggml's are.
    #[must_use]
    pub fn is_blocks(self) -> bool {
        self as usize >= DType::Q4_0 as usize
    }

    /// Bits of one element in storage; of a block its share, which may be a fraction.
    #[must_use]
    pub fn bits(self) -> f64 {
        let (elements, bytes) = self.block();
        (8 * bytes) as f64 / elements as f64
    }

    /// Bytes that `count` elements take, or `None` when they are no whole blocks or 64 bits cannot count their bits.
    #[must_use]
    pub fn byte_len(self, count: u64) -> Option<u64> {
        let (elements, bytes) = self.block();
        if !count.is_multiple_of(elements) {
            None
        } else {
            (count / elements).checked_mul(bytes).filter(|n| n.checked_mul(8).is_some())
        }
    }
}

impl DType {
    /// As [`DType::byte_len`], but the last byte of 4-bit integers may be half used, as ONNX stores them.
    #[must_use]
    pub fn padded_len(self, count: u64) -> Option<u64> {
        match self {
            DType::I4 | DType::U4 | DType::F4 => self.byte_len(count.checked_next_multiple_of(2)?),
            _ => self.byte_len(count),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_is_in_the_order_of_the_types() {
        for (i, row) in TABLE.iter().enumerate() {
            assert_eq!(row.dtype as usize, i, "{}", row.name);
            assert_eq!(DType::named(row.name), Some(row.dtype));
            assert!(row.ggml.is_none_or(|number| DType::from_ggml(number) == Some(row.dtype)), "{}", row.name);
        }
    }

    #[test]
    fn sub_byte_types_must_end_on_a_byte() {
        assert_eq!(DType::F4.byte_len(3), None);
        assert_eq!(DType::F4.byte_len(4), Some(2));
        assert_eq!(DType::F6E2M3.byte_len(4), Some(3));
        assert_eq!(DType::F64.byte_len(u64::MAX), None);
        assert_eq!(DType::Q4_K.byte_len(512), Some(288));
        assert_eq!(DType::Q4_K.byte_len(128), None);
    }
}
