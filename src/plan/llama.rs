//! llama-quantize's presets: which type each tensor of a GGUF model gets under the name of a preset, without an importance matrix.
//!
//! Definition: `tensor_allows_quantization`, `llama_tensor_get_type_impl` and `tensor_type_fallback` of llama.cpp's `src/llama-quant.cpp` as
//! released with npm's `@node-llama-cpp/linux-x64` 3.22.1. The tests hold this module against that library, run on small models of several
//! architectures (`tests/goldens/llama_quantize.py`). What is not here: the bytes, which are the schemes' business.
//!
//! llama.cpp walks through the tensors layer by layer, by name within a layer, and counts those of a kind as it goes; so does [`choose`],
//! whatever the order of the file.

use super::request::Note;
use crate::error::{Code, Error, Result};
use crate::formats::gguf::Header;
use crate::formats::gguf::write::Tensor;
use crate::tensor::DType;

/// A preset by the name that llama-quantize knows it by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[allow(missing_docs, reason = "the names are the definition")]
#[allow(
    non_camel_case_types,
    reason = "llama.cpp's names end in numbers and letters after an underscore, and differ by them alone"
)]
pub enum Preset {
    F32,
    F16,
    BF16,
    Q8_0,
    Q4_0,
    Q4_1,
    Q5_0,
    Q5_1,
    Q2_K,
    Q2_K_S,
    Q3_K_S,
    Q3_K_M,
    Q3_K_L,
    Q4_K_S,
    Q4_K_M,
    Q5_K_S,
    Q5_K_M,
    Q6_K,
    IQ4_NL,
    IQ4_XS,
    TQ1_0,
    TQ2_0,
    MXFP4_MOE,
}

/// One row of [`TABLE`].
struct Row {
    preset: Preset,
    name: &'static str,
    /// `enum llama_ftype`.
    file_type: u32,
    /// What most tensors become.
    dtype: DType,
}

const fn row(preset: Preset, name: &'static str, file_type: u32, dtype: DType) -> Row {
    Row { preset, name, file_type, dtype }
}

/// Every preset, in the order of its variants.
const TABLE: [Row; 23] = [
    row(Preset::F32, "F32", 0, DType::F32),
    row(Preset::F16, "F16", 1, DType::F16),
    row(Preset::BF16, "BF16", 32, DType::Bf16),
    row(Preset::Q8_0, "Q8_0", 7, DType::Q8_0),
    row(Preset::Q4_0, "Q4_0", 2, DType::Q4_0),
    row(Preset::Q4_1, "Q4_1", 3, DType::Q4_1),
    row(Preset::Q5_0, "Q5_0", 8, DType::Q5_0),
    row(Preset::Q5_1, "Q5_1", 9, DType::Q5_1),
    row(Preset::Q2_K, "Q2_K", 10, DType::Q2_K),
    row(Preset::Q2_K_S, "Q2_K_S", 21, DType::Q2_K),
    row(Preset::Q3_K_S, "Q3_K_S", 11, DType::Q3_K),
    row(Preset::Q3_K_M, "Q3_K_M", 12, DType::Q3_K),
    row(Preset::Q3_K_L, "Q3_K_L", 13, DType::Q3_K),
    row(Preset::Q4_K_S, "Q4_K_S", 14, DType::Q4_K),
    row(Preset::Q4_K_M, "Q4_K_M", 15, DType::Q4_K),
    row(Preset::Q5_K_S, "Q5_K_S", 16, DType::Q5_K),
    row(Preset::Q5_K_M, "Q5_K_M", 17, DType::Q5_K),
    row(Preset::Q6_K, "Q6_K", 18, DType::Q6_K),
    row(Preset::IQ4_NL, "IQ4_NL", 25, DType::IQ4_NL),
    row(Preset::IQ4_XS, "IQ4_XS", 30, DType::IQ4_XS),
    row(Preset::TQ1_0, "TQ1_0", 36, DType::TQ1_0),
    row(Preset::TQ2_0, "TQ2_0", 37, DType::TQ2_0),
    row(Preset::MXFP4_MOE, "MXFP4_MOE", 38, DType::MXFP4),
];

/// Names that llama-quantize takes for others.
const ALIASES: [(&str, Preset); 3] = [("Q3_K", Preset::Q3_K_M), ("Q4_K", Preset::Q4_K_M), ("Q5_K", Preset::Q5_K_M)];

impl Preset {
    fn row(self) -> &'static Row {
        &TABLE[self as usize]
    }

    /// Every preset.
    pub fn all() -> impl Iterator<Item = Preset> {
        TABLE.iter().map(|row| row.preset)
    }

    /// The preset of this name, in whatever case.
    #[must_use]
    pub fn named(name: &str) -> Option<Preset> {
        let row = TABLE.iter().find(|row| row.name.eq_ignore_ascii_case(name)).map(|row| row.preset);
        row.or_else(|| ALIASES.iter().find(|(alias, _)| alias.eq_ignore_ascii_case(name)).map(|(_, preset)| *preset))
    }

    /// Its name.
    #[must_use]
    pub fn name(self) -> &'static str {
        self.row().name
    }

    /// The number that the file states as `general.file_type`.
    #[must_use]
    pub fn file_type(self) -> u32 {
        self.row().file_type
    }

    /// What most tensors become.
    #[must_use]
    pub fn dtype(self) -> DType {
        self.row().dtype
    }
}

/// What the rules want to know of a model besides its tensors.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Hints {
    /// `general.architecture`.
    pub architecture: String,
    /// Its blocks.
    pub layers: u64,
    /// Heads of a query, in the first layer.
    pub heads: u64,
    /// Heads of keys and values, in the first layer.
    pub heads_kv: u64,
    /// Experts of a layer; 0 where there are none.
    pub experts: u64,
}

impl Hints {
    /// As the keys of a GGUF file say.
    ///
    /// # Errors
    /// `unsupported` where the architecture or the number of its blocks is not stated: llama-quantize has no rules for such a file.
    pub fn of(header: &Header) -> Result<Hints> {
        let missing = |key: &str| {
            Error::new(Code::Unsupported, "the presets of llama-quantize are for whole models")
                .with_expected(format_args!("the key {key}"))
                .with_found("a file without it")
        };
        let architecture = header.architecture().ok_or_else(|| missing("general.architecture"))?;
        let number =
            |key: &str| header.first_integer(&format!("{architecture}.{key}")).and_then(|n| u64::try_from(n).ok());
        let layers = number("block_count").ok_or_else(|| missing(&format!("{architecture}.block_count")))?;
        let heads = number("attention.head_count").unwrap_or(0);
        Ok(Hints {
            architecture: architecture.to_owned(),
            layers,
            heads,
            heads_kv: number("attention.head_count_kv").unwrap_or(heads),
            experts: number("expert_count").unwrap_or(0),
        })
    }

    /// Heads of a query for each of keys and values.
    fn shared_by(&self) -> u64 {
        self.heads.checked_div(self.heads_kv).unwrap_or(0)
    }

    /// Whether llama.cpp takes it for a model of 70 billion weights, whose values have more than one user each.
    fn is_70b(&self) -> bool {
        match self.architecture.as_str() {
            "llama" => self.experts != 8 && self.layers == 80 && self.heads != self.heads_kv,
            "qwen2" | "deci" | "olmo" => self.layers == 80,
            "jais2" => self.layers == 68,
            _ => false,
        }
    }
}

/// What becomes of a tensor.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Chosen {
    /// The type it is stored in.
    pub dtype: DType,
    /// The type that the rules want, where the length of its rows does not allow it.
    pub instead_of: Option<DType>,
    /// Why it is left alone, if it is.
    pub left: Option<Left>,
    /// llama-quantize would refuse to do this without an importance matrix, because much is lost.
    pub wants_importance: bool,
}

/// Why a tensor is left alone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Left {
    /// It has one dimension: too little to save.
    Vector,
    /// Its name does not end in `weight`.
    NoWeight,
    /// A norm's weights: few, and every one counts.
    Norm,
    /// Embeddings of positions or of token types.
    Positions,
    /// A tensor that llama.cpp keeps by name: routing of experts, short convolutions, small projections.
    Delicate,
    /// It holds whole numbers.
    NotFloat,
    /// It is of the wanted type already.
    Already,
}

impl Left {
    /// In words.
    #[must_use]
    pub fn note(self) -> Note {
        match self {
            Left::Vector => Note::new("not_matrix", "it is no matrix"),
            Left::NoWeight => Note::new("not_weight", "its name does not end in weight"),
            Left::Norm => Note::new("norm", "norms stay as they are"),
            Left::Positions => Note::new("positions", "embeddings of positions and of token types stay as they are"),
            Left::Delicate => Note::new("delicate", "llama.cpp keeps this small tensor as it is"),
            Left::NotFloat => Note::new("not_float", "whole numbers are no weights"),
            Left::Already => Note::new("already", "it is of this type already"),
        }
    }
}

/// Tensors whose names hold one of these are kept.
const DELICATE: [&str; 34] = [
    "ffn_gate_inp.weight",
    "ffn_gate_tid2eid.weight",
    "altup",
    "laurel",
    "per_layer_model_proj",
    "ssm_conv1d",
    "shortconv.conv.weight",
    "indexer.k_proj.weight",
    "indexer.q_proj.weight",
    "time_mix_first.weight",
    "time_mix_w0.weight",
    "time_mix_w1.weight",
    "time_mix_w2.weight",
    "time_mix_v0.weight",
    "time_mix_v1.weight",
    "time_mix_v2.weight",
    "time_mix_a0.weight",
    "time_mix_a1.weight",
    "time_mix_a2.weight",
    "time_mix_g1.weight",
    "time_mix_g2.weight",
    "time_mix_decay_w1.weight",
    "time_mix_decay_w2.weight",
    "time_mix_lerp_fused.weight",
    "attn_rel_b.weight",
    ".position_embd",
    "sam.pos_embd",
    "sam.neck.",
    "sam.net_",
    ".rel_pos",
    ".patch_embd",
    ".patch_merger",
    "a.rvq.codebook",
    "mm.a.code_embd",
];

/// Architectures with rules of their own, which are not here.
const OTHER_RULES: [&str; 2] = ["glm5-next", "bailingmoe3"];

/// What a tensor is for, by its name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Output,
    TokenEmbedding,
    /// `attn_qkv`, `attn_kv_b` and `attn_v`: the values suffer most.
    Values,
    Keys,
    AttentionOutput,
    Down,
    Other,
}

impl Kind {
    fn of(name: &str) -> Kind {
        // In the order in which llama.cpp asks.
        const BY_PART: [(&str, Kind); 9] = [
            ("attn_qkv.weight", Kind::Values),
            ("attn_kv_b.weight", Kind::Values),
            ("attn_v.weight", Kind::Values),
            ("attn_k.weight", Kind::Keys),
            ("attn_q.weight", Kind::Other),
            ("attn_output.weight", Kind::AttentionOutput),
            ("ffn_up", Kind::Other),
            ("ffn_gate", Kind::Other),
            ("ffn_down", Kind::Down),
        ];
        match name {
            "output.weight" => Kind::Output,
            "token_embd.weight" | "per_layer_token_embd.weight" => Kind::TokenEmbedding,
            _ => BY_PART.iter().find(|(part, _)| name.contains(part)).map_or(Kind::Other, |(_, kind)| *kind),
        }
    }
}

/// What `preset` makes of each of these tensors, in their order; `dims` are outermost first.
///
/// # Errors
/// `unsupported` for an architecture with rules of its own; `malformed` where a layer's number that the rules need is not in the name.
pub fn choose(preset: Preset, hints: &Hints, tensors: &[Tensor<'_>]) -> Result<Vec<Chosen>> {
    if OTHER_RULES.contains(&hints.architecture.as_str()) {
        return Err(Error::new(Code::Unsupported, "llama-quantize has rules of its own for this architecture")
            .with_found(&hints.architecture));
    }
    let mut rules = Rules {
        preset,
        hints,
        tied: !tensors.iter().any(|t| Kind::of(t.name) == Kind::Output),
        values: tensors.iter().filter(|t| Kind::of(t.name) == Kind::Values).count() as u64,
        values_seen: 0,
        down_seen: 0,
    };
    let mut order: Vec<usize> = (0..tensors.len()).collect();
    order.sort_by_key(|&i| (layer_of(tensors[i].name), tensors[i].name));
    let mut chosen: Vec<Option<Chosen>> = vec![None; tensors.len()];
    for i in order {
        chosen[i] = Some(rules.choose(&tensors[i])?);
    }
    Ok(chosen.into_iter().map(|chosen| chosen.expect("each has been visited")).collect())
}

/// The number in `blk.N.…`; −1 for what belongs to no layer.
fn layer_of(name: &str) -> i64 {
    let digits = name.strip_prefix("blk.").map(|rest| &rest[..rest.bytes().take_while(u8::is_ascii_digit).count()]);
    digits.and_then(|digits| digits.parse().ok()).unwrap_or(-1)
}

/// The rules as they go through a model.
struct Rules<'a> {
    preset: Preset,
    hints: &'a Hints,
    /// The token embeddings serve as output too.
    tied: bool,
    /// How many tensors of values there are.
    values: u64,
    /// How many have been met.
    values_seen: u64,
    down_seen: u64,
}

impl Rules<'_> {
    fn choose(&mut self, tensor: &Tensor<'_>) -> Result<Chosen> {
        let left = |why| Chosen { dtype: tensor.dtype, instead_of: None, left: Some(why), wants_importance: false };
        if let Some(why) = left_alone(tensor) {
            return Ok(left(why));
        }
        let wanted = if self.preset.dtype().is_blocks() { self.wanted(tensor)? } else { self.preset.dtype() };
        let dtype = fallback(wanted, tensor.dims.last().copied().unwrap_or(1));
        let spared = matches!(Kind::of(tensor.name), Kind::Output | Kind::TokenEmbedding);
        Ok(Chosen {
            dtype,
            instead_of: (dtype != wanted).then_some(wanted),
            left: (dtype == tensor.dtype).then_some(Left::Already),
            wants_importance: self.preset == Preset::Q2_K_S && dtype == DType::Q2_K && !spared,
        })
    }

    /// The type by the rules, whatever the length of the rows.
    fn wanted(&mut self, tensor: &Tensor<'_>) -> Result<DType> {
        use Preset::{
            IQ4_NL, IQ4_XS, MXFP4_MOE, Q2_K, Q2_K_S, Q3_K_L, Q3_K_M, Q3_K_S, Q4_K_M, Q4_K_S, Q5_K_M, TQ1_0, TQ2_0,
        };
        let (preset, usual) = (self.preset, self.preset.dtype());
        let falcon = self.hints.architecture == "falcon";
        let eight = self.hints.experts == 8;
        let shared = self.hints.shared_by() >= 4;
        let kind = Kind::of(tensor.name);
        Ok(match kind {
            _ if kind == Kind::Output || (self.tied && kind == Kind::TokenEmbedding) => {
                let row = tensor.dims.last().copied().unwrap_or(1);
                let divides = row.is_multiple_of(usual.block().0);
                if preset == MXFP4_MOE || falcon || !divides || usual == DType::Q8_0 {
                    DType::Q8_0
                } else {
                    DType::Q6_K
                }
            }
            // Experts, which are stored as one tensor of three dimensions.
            _ if preset == MXFP4_MOE => match tensor.dims {
                [.., experts, _, _] if *experts > 1 => DType::MXFP4,
                _ => DType::Q8_0,
            },
            Kind::TokenEmbedding if matches!(preset, TQ1_0 | TQ2_0) => DType::Q4_K,
            Kind::Output | Kind::TokenEmbedding | Kind::Other => usual,
            Kind::Values => {
                let i = self.values_seen;
                self.values_seen += 1;
                let dtype = match preset {
                    Q2_K if shared => DType::Q4_K,
                    Q2_K => DType::Q3_K,
                    Q2_K_S if shared => DType::Q4_K,
                    Q3_K_M if i < 2 => DType::Q5_K,
                    Q3_K_M => DType::Q4_K,
                    Q3_K_L => DType::Q5_K,
                    IQ4_NL | IQ4_XS if shared => DType::Q5_K,
                    Q4_K_M | Q5_K_M if wants_more(i, self.values) => DType::Q6_K,
                    Q4_K_S if i < 4 => DType::Q5_K,
                    _ => usual,
                };
                match dtype {
                    _ if eight => DType::Q8_0,
                    DType::Q3_K | DType::Q4_K if self.hints.is_70b() => DType::Q5_K,
                    dtype => dtype,
                }
            }
            Kind::Keys if eight => DType::Q8_0,
            Kind::Keys => usual,
            Kind::Down => {
                let (i, n) = (self.down_layer(tensor.name)?, self.hints.layers);
                self.down_seen += 1;
                match preset {
                    Q2_K => DType::Q3_K,
                    Q2_K_S if i < n / 8 => DType::Q4_K,
                    Q3_K_M if i < n / 16 => DType::Q5_K,
                    Q3_K_M if !falcon || wants_more(i, n) => DType::Q4_K,
                    Q3_K_L if falcon => DType::Q4_K,
                    Q3_K_L => DType::Q5_K,
                    Q4_K_M if falcon && i < n / 16 => DType::Q6_K,
                    Q4_K_M if falcon && wants_more(i, n) => DType::Q5_K,
                    Q4_K_M if !falcon && wants_more(i, n) => DType::Q6_K,
                    IQ4_NL | IQ4_XS if i < n / 8 => DType::Q5_K,
                    Q5_K_M if wants_more(i, n) => DType::Q6_K,
                    Q4_K_S if !falcon && i < n / 8 => DType::Q5_K,
                    _ => usual,
                }
            }
            Kind::AttentionOutput if falcon => {
                if preset == Q3_K_L {
                    DType::Q4_K
                } else {
                    usual
                }
            }
            Kind::AttentionOutput if eight => match preset {
                Q2_K | Q3_K_S | Q3_K_M | Q4_K_S | Q4_K_M | IQ4_NL | IQ4_XS => DType::Q5_K,
                _ => usual,
            },
            Kind::AttentionOutput => match preset {
                Q2_K => DType::Q3_K,
                Q3_K_M => DType::Q4_K,
                Q3_K_L => DType::Q5_K,
                _ => usual,
            },
        })
    }

    /// Which layer an `ffn_down` is of: as many as have been met, but of a model of experts as its name says.
    fn down_layer(&self, name: &str) -> Result<u64> {
        if self.hints.experts <= 1 {
            return Ok(self.down_seen);
        }
        let layer = u64::try_from(layer_of(name)).ok().filter(|&layer| layer < self.hints.layers);
        layer.ok_or_else(|| {
            Error::new(Code::Malformed, "the name does not say of which layer the tensor is")
                .with_tensor(name)
                .with_expected(format_args!("blk.0 to blk.{}", self.hints.layers.saturating_sub(1)))
        })
    }
}

/// The first and the last eighth, and every third between them.
fn wants_more(i: u64, n: u64) -> bool {
    i < n / 8 || i >= 7 * n / 8 || (i - n / 8) % 3 == 2
}

/// Why llama-quantize would not quantize a tensor under any preset, if it would not.
pub(super) fn left_alone(tensor: &Tensor<'_>) -> Option<Left> {
    let name = tensor.name;
    // Dimensions of 1 outside the others are none in ggml.
    let outer = tensor.dims.len().saturating_sub(1);
    if tensor.dims[..outer].iter().all(|&d| d <= 1) {
        return Some(Left::Vector);
    }
    // A slip of llama.cpp's: it compares where "weight" begins with the name's length less 6, and for a name of five letters without
    // "weight" both are the same "nowhere".
    if !name.ends_with("weight") && name.len() != 5 {
        return Some(Left::NoWeight);
    }
    if name.contains("_norm.weight") {
        return Some(Left::Norm);
    }
    if name == "position_embd.weight" || name == "token_types.weight" {
        return Some(Left::Positions);
    }
    if DELICATE.iter().any(|part| name.contains(part)) {
        return Some(Left::Delicate);
    }
    match tensor.dtype {
        DType::I8 | DType::I16 | DType::I32 | DType::I64 => Some(Left::NotFloat),
        _ => None,
    }
}

/// The number of `enum llama_ftype` for a file whose weights mostly have this type: of its presets the one in the middle, as aliases are.
pub(super) fn file_type_of(dtype: DType) -> u32 {
    let alias = ALIASES.iter().map(|(_, preset)| *preset).find(|preset| preset.dtype() == dtype);
    let preset = alias.or_else(|| Preset::all().find(|preset| preset.dtype() == dtype));
    preset.map_or(Preset::F32.file_type(), Preset::file_type)
}

/// The type for rows that are no whole blocks of the wanted one.
pub(super) fn fallback(wanted: DType, row: u64) -> DType {
    let divides = |dtype: DType| row.is_multiple_of(dtype.block().0);
    if divides(wanted) {
        return wanted;
    }
    let smaller = match wanted {
        DType::IQ4_XS => DType::IQ4_NL,
        DType::Q2_K | DType::Q3_K | DType::TQ1_0 | DType::TQ2_0 => DType::Q4_0,
        DType::Q4_K => DType::Q5_0,
        DType::Q5_K => DType::Q5_1,
        DType::Q6_K => DType::Q8_0,
        dtype => dtype,
    };
    if divides(smaller) { smaller } else { DType::F16 }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_is_in_the_order_of_the_presets() {
        for (i, preset) in Preset::all().enumerate() {
            assert_eq!(preset as usize, i);
            assert_eq!(Preset::named(&preset.name().to_lowercase()), Some(preset));
        }
        assert_eq!(Preset::named("q4_k"), Some(Preset::Q4_K_M));
        assert_eq!(Preset::named("Q9"), None);
    }

    #[test]
    fn layers_are_read_as_numbers() {
        for (name, layer) in [("blk.12.attn_q.weight", 12), ("blk.x", -1), ("output.weight", -1), ("blk.", -1)] {
            assert_eq!(layer_of(name), layer, "{name}");
        }
    }
}
