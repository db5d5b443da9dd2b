//! Weights that a file stores in several tensors: packed codes, scales, zero points. Each is listed as one [`Derived`] tensor besides
//! its parts; the numbers are `crate::decode::derived`'s.
//!
//! In safetensors they are told by names and shapes, because `config.json` is not always there:
//!
//! - AWQ (AutoAWQ, `gemm`): `qweight` I32 `[in, out·bits/32]`, `qzeros` I32 `[groups, out·bits/32]`, `scales` `[groups, out]`.
//! - GPTQ (AutoGPTQ, version 1): `qweight` I32 `[in·bits/32, out]`, `qzeros` I32 `[groups, out·bits/32]`, `scales` `[groups, out]`,
//!   `g_idx` I32 `[in]`, the group of each input.
//! - compressed-tensors, `pack-quantized`: `weight_packed` I32 `[out, in/(32/bits)]`, `weight_scale` `[out, groups]`, `weight_shape`
//!   with `out` and `in`, and where it is asymmetric `weight_zero_point` I32 `[out/(32/bits), groups]`; `weight_g_idx` as in GPTQ.
//! - compressed-tensors, `int-quantized` and `float-quantized`, and fp8 in blocks: `weight` I8 or F8, `weight_scale` (or
//!   `weight_scale_inv`) with a number for the whole, for each row, or for each block.
//!
//! In ONNX they are told by the nodes that take them; `crate::formats::onnx` finds those.
//!
//! The shapes of `pack-quantized` fit several numbers of bits, so one `weight_shape` is read for each kind of shape that occurs.

use crate::tensor::Shape;

/// A tensor that is stored in several.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Derived {
    /// A name that no part has.
    pub name: String,
    /// Dimensions of the numbers, outermost first.
    pub shape: Shape,
    /// How it is stored, for people: `INT4 AWQ ×128`.
    pub label: String,
    /// Its parts, by their index in the listing, in the order that the method says.
    pub parts: Vec<usize>,
    /// How the parts make numbers.
    pub method: Method,
}

/// How the parts of a [`Derived`] tensor make numbers. `group`: so many inputs share a scale.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "full", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "full", serde(rename_all = "camelCase", tag = "is"))]
pub enum Method {
    /// `[qweight, scales, qzeros]`: `(q − zero) · scale`, with 8 codes of a word in the order 0, 2, 4, 6, 1, 3, 5, 7.
    Awq {
        /// Of a code; 4.
        bits: u32,
        /// Inputs that share a scale.
        group: u64,
    },
    /// `[qweight, scales, qzeros]` and `g_idx` where `ordered`: `(q − (zero + 1)) · scale`, codes dense along the inputs.
    Gptq {
        /// Of a code: 2, 3, 4 or 8.
        bits: u32,
        /// Inputs that share a scale, but where `ordered`.
        group: u64,
        /// Whether `g_idx` says the group of each input.
        ordered: bool,
    },
    /// compressed-tensors `pack-quantized`: `[weight_packed, weight_scale, weight_shape]`, then `weight_zero_point` where
    /// `zero_points`, then `weight_g_idx` where `ordered`. Codes are offset by half their range.
    Packed {
        /// Of a code: 2, 4 or 8 (others are packed in one way by old releases and in another by new ones).
        bits: u32,
        /// Inputs that share a scale, but where `ordered`.
        group: u64,
        /// Whether zero points are there.
        zero_points: bool,
        /// Whether `weight_g_idx` says the group of each input.
        ordered: bool,
    },
    /// `[weight, scale]` and zero points where `zero_points`: `(w − zero) · scale`, a scale for each block of so many rows and columns.
    Scaled {
        /// Rows that share a scale.
        rows: u64,
        /// Columns that share a scale.
        columns: u64,
        /// Whether zero points, of the scales' shape, are there.
        zero_points: bool,
    },
    /// ONNX's `DequantizeLinear`: `[x, scale]` and zero points, of the scale's shape and x's type, where `zero_points`:
    /// `(x − zero) · scale`. There is one scale where there is no `axis`, and one for each index of it where there is no `block`.
    OnnxLinear {
        /// The axis of the scales.
        axis: Option<usize>,
        /// So many of the axis share a scale, with each index of the other axes.
        block: Option<u64>,
        /// Whether zero points are there.
        zero_points: bool,
    },
    /// `MatMulNBits` of com.microsoft, of a weight `[K, N]`: `[B, scales]` and packed zero points where `zero_points`, which are half the
    /// codes' range where not. Codes `[N, K/block, block·bits/8]`, low nibble first.
    OnnxMatMul {
        /// Of a code: 2, 4 or 8.
        bits: u32,
        /// So many along K share a scale.
        block: u64,
        /// Whether zero points, each row of them packed to a byte, are there.
        zero_points: bool,
    },
    /// `GatherBlockQuantized` of com.microsoft, of codes in bytes: `[data, scales]` and zero points as in [`Method::OnnxMatMul`]. Codes
    /// `[rows, columns·bits/8]`, low nibble first; blocks along the columns.
    OnnxGather {
        /// Of a code: 4 or 8.
        bits: u32,
        /// So many of a row share a scale.
        block: u64,
        /// Whether zero points are there.
        zero_points: bool,
    },
}

#[cfg(feature = "full")]
pub(super) use find::Probe;

#[cfg(feature = "full")]
mod find {
    use std::collections::{BTreeMap, HashMap};
    use std::mem::take;

    use super::{Derived, Method, Shape};
    use crate::error::Result;
    use crate::formats::{Listing, Parser, Step, TensorInfo};
    use crate::tensor::DType;

    /// Kinds of shapes of `pack-quantized` weights that are looked into. A model has about six.
    const MOST_PROBES: usize = 64;

    /// `[rows, packed columns, groups]` of a `pack-quantized` weight.
    type Kind = (u64, u64, u64);

    /// Adds the derived tensors of a safetensors listing, after a look at some `weight_shape`s.
    #[derive(Debug)]
    pub(in crate::formats) struct Probe {
        listing: Listing,
        /// What is still to be read: the kind, and the `weight_shape` that tells.
        asked: Vec<(Kind, usize)>,
        /// How many inputs a weight of this kind has.
        inputs: BTreeMap<Kind, u64>,
    }

    impl Probe {
        /// A probe of `listing`, and its first step.
        pub(in crate::formats) fn new(listing: Listing) -> (Probe, Step) {
            let names = Names::of(&listing.tensors);
            let mut kinds = BTreeMap::new();
            for (base, packed) in names.ending_with("weight_packed") {
                if let Some((kind, shape)) = names.packed(base, packed) {
                    kinds.entry(kind).or_insert(shape);
                }
            }
            let asked = kinds.into_iter().take(MOST_PROBES).collect();
            let mut probe = Probe { listing, asked, inputs: BTreeMap::new() };
            let step = probe.next();
            (probe, step)
        }

        fn next(&mut self) -> Step {
            if let Some(&(_, shape)) = self.asked.last() {
                return Step::Need(self.listing.tensors[shape].bytes.clone());
            }
            let derived = Names::of(&self.listing.tensors).derive(&self.inputs);
            let Listing { format, metadata, tensors, .. } = &mut self.listing;
            Step::Done(Listing { derived, ..Listing::new(*format, take(metadata), take(tensors)) })
        }
    }

    impl Parser for Probe {
        fn take(&mut self, _: u64, bytes: &[u8]) -> Result<Step> {
            let numbers: Option<Vec<u64>> = match bytes.len() {
                16 => Some(bytes.chunks_exact(8).map(|b| u64::from_le_bytes(b.try_into().expect("8 bytes"))).collect()),
                8 => Some(
                    bytes.chunks_exact(4).map(|b| u32::from_le_bytes(b.try_into().expect("4 bytes")).into()).collect(),
                ),
                _ => None,
            };
            if let (Some((kind, _)), Some([rows, inputs])) = (self.asked.pop(), numbers.as_deref())
                && *rows == kind.0
            {
                self.inputs.insert(kind, *inputs);
            }
            Ok(self.next())
        }
    }

    /// The tensors of a listing, by name.
    struct Names<'a> {
        tensors: &'a [TensorInfo],
        index: HashMap<&'a str, usize>,
    }

    impl<'a> Names<'a> {
        fn of(tensors: &'a [TensorInfo]) -> Self {
            Names { tensors, index: tensors.iter().enumerate().map(|(i, t)| (t.name.as_str(), i)).collect() }
        }

        /// The tensors whose last name is `last`: what comes before it, and their index.
        fn ending_with(&self, last: &str) -> impl Iterator<Item = (&'a str, usize)> {
            self.tensors.iter().enumerate().filter_map(move |(i, t)| {
                let base = t.name.strip_suffix(last)?;
                (base.is_empty() || base.ends_with('.')).then_some((base, i))
            })
        }

        /// A part by its name, if it is a matrix (or vector) of one of these types.
        fn part(&self, name: &str, dtypes: &[DType]) -> Option<usize> {
            let index = *self.index.get(name)?;
            dtypes.contains(&self.tensors[index].dtype).then_some(index)
        }

        fn matrix(&self, index: usize) -> Option<[u64; 2]> {
            match *self.tensors[index].shape.dims() {
                [rows, columns] if rows > 0 && columns > 0 => Some([rows, columns]),
                _ => None,
            }
        }

        fn derive(&self, inputs: &BTreeMap<Kind, u64>) -> Vec<Derived> {
            let mut all = Vec::new();
            for (i, tensor) in self.tensors.iter().enumerate() {
                let name = tensor.name.as_str();
                let last = name.rsplit('.').next().unwrap_or(name);
                let base = &name[..name.len() - last.len()];
                let found = match last {
                    "qweight" => self.awq(base, i).or_else(|| self.gptq(base, i)),
                    "weight_packed" => self.pack_quantized(base, i, inputs),
                    _ => self.scaled(name, i),
                };
                all.extend(found);
            }
            all
        }

        fn named(
            &self,
            name: String,
            shape: [u64; 2],
            label: String,
            parts: Vec<usize>,
            method: Method,
        ) -> Option<Derived> {
            let mut name = name;
            while self.index.contains_key(name.as_str()) {
                name.push_str(" (dequantized)");
            }
            Some(Derived { name, shape: Shape::new(&shape).ok()?, label, parts, method })
        }

        fn awq(&self, base: &str, qweight: usize) -> Option<Derived> {
            let scales = self.part(&format!("{base}scales"), &FLOATS)?;
            let qzeros = self.part(&format!("{base}qzeros"), &[DType::I32])?;
            self.part(&self.tensors[qweight].name, &[DType::I32])?;
            let ([inputs, words], [groups, outputs]) = (self.matrix(qweight)?, self.matrix(scales)?);
            if words.checked_mul(8) != Some(outputs) || self.matrix(qzeros)? != [groups, words] || inputs % groups != 0
            {
                return None;
            }
            let group = inputs / groups;
            let label = format!("INT4 AWQ {}", share(group, groups));
            let method = Method::Awq { bits: 4, group };
            self.named(format!("{base}weight"), [outputs, inputs], label, vec![qweight, scales, qzeros], method)
        }

        fn gptq(&self, base: &str, qweight: usize) -> Option<Derived> {
            let scales = self.part(&format!("{base}scales"), &FLOATS)?;
            let qzeros = self.part(&format!("{base}qzeros"), &[DType::I32])?;
            self.part(&self.tensors[qweight].name, &[DType::I32])?;
            let ([words, outputs], [groups, columns]) = (self.matrix(qweight)?, self.matrix(scales)?);
            let [zero_groups, zero_words] = self.matrix(qzeros)?;
            if columns != outputs || zero_groups != groups {
                return None;
            }
            let (code_bits, zero_bits) = (words.checked_mul(32)?, zero_words.checked_mul(32)?);
            let bits = [2u32, 3, 4, 8].into_iter().find(|&bits| {
                outputs.checked_mul(bits.into()) == Some(zero_bits) && code_bits % u64::from(bits) == 0
            })?;
            let inputs = code_bits / u64::from(bits);
            let order = self.part(&format!("{base}g_idx"), &[DType::I32]);
            let ordered = order.is_some_and(|i| self.tensors[i].shape.dims() == [inputs]);
            let group = if ordered { uneven(inputs, groups)? } else { even(inputs, groups)? };
            let label = format!("INT{bits} GPTQ {}", share(group, groups));
            let parts = [qweight, scales, qzeros].into_iter().chain(order.filter(|_| ordered)).collect();
            self.named(format!("{base}weight"), [outputs, inputs], label, parts, Method::Gptq { bits, group, ordered })
        }

        /// The kind of a `pack-quantized` weight and the index of its `weight_shape`.
        fn packed(&self, base: &str, packed: usize) -> Option<(Kind, usize)> {
            self.part(&self.tensors[packed].name, &[DType::I32])?;
            let scale = self.part(&format!("{base}weight_scale"), &FLOATS)?;
            let shape = self.part(&format!("{base}weight_shape"), &[DType::I64, DType::I32])?;
            let ([rows, words], [scale_rows, groups]) = (self.matrix(packed)?, self.matrix(scale)?);
            let fits = scale_rows == rows && self.tensors[shape].shape.dims() == [2];
            fits.then_some(((rows, words, groups), shape))
        }

        fn pack_quantized(&self, base: &str, packed: usize, inputs: &BTreeMap<Kind, u64>) -> Option<Derived> {
            let (kind @ (rows, words, groups), shape) = self.packed(base, packed)?;
            let inputs = *inputs.get(&kind)?;
            let bits =
                [4, 8, 2].into_iter().find(|&bits| inputs > 0 && inputs.div_ceil(u64::from(32 / bits)) == words)?;
            let group = even(inputs, groups)?;
            let scale = self.part(&format!("{base}weight_scale"), &FLOATS)?;
            let zero = self.part(&format!("{base}weight_zero_point"), &[DType::I32]);
            let zero = zero.filter(|&i| self.tensors[i].shape.dims() == [rows.div_ceil(u64::from(32 / bits)), groups]);
            let order = self.part(&format!("{base}weight_g_idx"), &[DType::I32]);
            let order = order.filter(|&i| self.tensors[i].shape.dims() == [inputs]);
            let label = format!("INT{bits} compressed-tensors {}", share(group, groups));
            let method = Method::Packed { bits, group, zero_points: zero.is_some(), ordered: order.is_some() };
            let parts = [packed, scale, shape].into_iter().chain(zero).chain(order).collect();
            self.named(format!("{base}weight"), [rows, inputs], label, parts, method)
        }

        /// One number of 8 bits each, and a scale for all, for each row, or for each block.
        fn scaled(&self, name: &str, weight: usize) -> Option<Derived> {
            let kind = match self.tensors[weight].dtype {
                DType::I8 => "INT8",
                DType::F8E4M3 | DType::F8E5M2 | DType::F8E4M3Fnuz | DType::F8E5M2Fnuz => "FP8",
                _ => return None,
            };
            let [rows, columns] = self.matrix(weight)?;
            let scale = ["_scale", "_scale_inv"].iter().find_map(|end| self.part(&format!("{name}{end}"), &FLOATS))?;
            let (down, across) = match *self.tensors[scale].shape.dims() {
                [] | [1] => (1, 1),
                [n] if n == rows => (n, 1),
                [down, across] if down > 0 && across > 0 => (down, across),
                _ => return None,
            };
            let is_row = down == rows || (down, across) == (1, 1);
            let (block_rows, block_columns) = match is_row {
                true => (even(rows, down)?, even(columns, across)?),
                false => (uneven(rows, down)?, uneven(columns, across)?),
            };
            let zero = self.part(&format!("{name}_zero_point"), &[DType::I8]);
            let zero = zero.filter(|&i| self.tensors[i].shape == self.tensors[scale].shape);
            let how = match (down, across) {
                (1, 1) => "per tensor".to_owned(),
                (_, 1) if down == rows => "per row".to_owned(),
                _ if down == rows => format!("×{block_columns}"),
                _ => format!("×{block_rows}×{block_columns}"),
            };
            let method = Method::Scaled { rows: block_rows, columns: block_columns, zero_points: zero.is_some() };
            let parts = [weight, scale].into_iter().chain(zero).collect();
            self.named(name.to_owned(), [rows, columns], format!("{kind} scaled {how}"), parts, method)
        }
    }

    /// What scales are stored in.
    const FLOATS: [DType; 3] = [DType::F16, DType::Bf16, DType::F32];

    /// How many of `count` share one of `groups`, where all groups are alike.
    fn even(count: u64, groups: u64) -> Option<u64> {
        (groups > 0 && count.is_multiple_of(groups)).then(|| count / groups).filter(|&group| group > 0)
    }

    /// The same where the last may be short: then it is a power of two.
    fn uneven(count: u64, groups: u64) -> Option<u64> {
        if groups < 2 {
            return even(count, groups);
        }
        let power = count.div_ceil(groups).checked_next_power_of_two();
        power.filter(|&group| count.div_ceil(group) == groups).or_else(|| even(count, groups))
    }

    fn share(group: u64, groups: u64) -> String {
        if groups == 1 { "per row".to_owned() } else { format!("×{group}") }
    }
}
