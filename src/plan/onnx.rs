//! Plans for ONNX from ONNX. What is quantized are weights that a node multiplies by or takes rows of: constant matrices of `MatMul`,
//! `Gemm`, the convolutions, `Gather`, and the recurrent layers. Each gets scales along its output channels, or in blocks along what is
//! summed over. Biases, norms, shapes and small tensors stay.
//!
//! Two layouts. `qdq`: `DequantizeLinear` of ONNX itself, of 8 bits from operator set 10 (one scale; from 13 one for each channel), of 4
//! bits and of blocks from 21. `contrib`: `MatMulNBits` and `GatherBlockQuantized` of com.microsoft, for any operator set; what they do not
//! take (`Gemm`, convolutions, a weight used in two ways) is done by 8 bits of the first layout. The operator set is never raised: without
//! a layout asked for, 4 bits are `qdq` from 21 and `contrib` before.

use std::collections::HashMap;

use super::model::Model;
use super::request::{Choice, Note, Plan, Request, SchemeChoice, Target, Wish};
use crate::error::{Code, Error, Result};
use crate::formats::TensorInfo;
use crate::formats::onnx::write::{Use, Uses};
use crate::formats::onnx::{self, Node};
use crate::pack::Packing;
use crate::quant::Value;
use crate::tensor::DType;

/// Fewer weights than this stay: their scales and node would take what they save.
const SMALL: u64 = 1024;

/// Weights that share a scale, where nothing else is asked for.
const BLOCK: u64 = 32;

/// The least block of com.microsoft's operators.
const LEAST_BLOCK: u64 = 16;

pub(super) fn plan(model: &Model, request: &Request) -> Result<Plan> {
    let [part] = model.parts.as_slice() else {
        return Err(not_onnx(format!("{} files", model.parts.len())));
    };
    let graph = part.onnx.as_deref().ok_or_else(|| not_onnx(part.format.as_str().into()))?;
    if let Some(preset) = &request.preset {
        return Err(Error::new(Code::InvalidArgument, "ONNX has no presets")
            .with_expected("a scheme: int8, int4 or f16")
            .with_found(format!("{preset:?}")));
    }
    let layout = match request.layout.as_deref() {
        None => None,
        Some("qdq") => Some(Layout::Qdq),
        Some("contrib") => Some(Layout::Contrib),
        Some(other) => {
            return Err(Error::new(Code::InvalidArgument, "ONNX has no such layout")
                .with_expected("qdq or contrib")
                .with_found(format!("{other:?}")));
        }
    };
    let initializers = graph.graph.initializers.iter().enumerate().map(|(i, t)| (t.name.as_str(), i)).collect();
    let planner = Planner { opset: graph.opset("").unwrap_or(0), uses: Uses::of(graph), layout, initializers };
    let mut choices = Vec::with_capacity(part.tensors.len());
    for (index, tensor) in part.tensors.iter().enumerate() {
        let wish = match request.tensors.get(&tensor.name) {
            Some(Wish::Scheme(scheme)) => Some(scheme),
            Some(Wish::Word(_)) => {
                choices.push(keep(index, tensor, Note::new("asked", "kept, as asked")));
                continue;
            }
            None => request.scheme.as_ref(),
        };
        choices.push(match wish {
            None => keep(index, tensor, Note::new("no_scheme", "no scheme was chosen for it")),
            Some(scheme) => planner.choose(index, tensor, &Wanted::of(scheme)?)?,
        });
    }
    let notes = planner.notes(graph, &choices);
    Ok(Plan { to: Target::Onnx, choices, notes, gguf: None, beside: vec![] })
}

fn not_onnx(found: String) -> Error {
    Error::new(Code::InvalidArgument, "ONNX is written from ONNX alone: weights by themselves have no graph")
        .with_expected("one ONNX model")
        .with_found(found)
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Layout {
    Qdq,
    Contrib,
}

/// What a scheme comes to in ONNX.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Wanted {
    F16,
    /// `block`: weights that share a scale; none for those of a channel. `per_channel` is false for one scale in all.
    Codes {
        bits: u32,
        block: Option<u64>,
        per_channel: bool,
    },
}

impl Wanted {
    fn of(scheme: &SchemeChoice) -> Result<Wanted> {
        let bits = match scheme.id.as_str() {
            "f16" => 16,
            "int8" => 8,
            "int4" => 4,
            other => {
                return Err(Error::new(Code::InvalidArgument, "ONNX cannot store this scheme")
                    .with_expected("int8, int4 or f16")
                    .with_found(format!("{other:?}")));
            }
        };
        let (mut block, mut per_channel) = ((bits == 4).then_some(BLOCK), true);
        for (name, value) in &scheme.options {
            match (name.as_str(), value) {
                ("groupSize", Value::Number(n)) if bits < 16 => block = Some(*n as u64),
                ("granularity", Value::Text(text)) if bits == 8 && text == "tensor" => per_channel = false,
                ("granularity", Value::Text(text)) if bits == 8 && text == "channel" => {}
                ("granularity", Value::Text(text)) if bits < 16 && text == "group" => block = block.or(Some(BLOCK)),
                ("symmetric", Value::Flag(true)) if bits < 16 => {}
                _ => {
                    return Err(Error::new(Code::InvalidOption, format!("ONNX cannot store {} so", scheme.id))
                        .with_expected("granularity and groupSize alone, symmetric")
                        .with_found(format!("{name}: {value}")));
                }
            }
        }
        Ok(if bits == 16 { Wanted::F16 } else { Wanted::Codes { bits, block, per_channel } })
    }
}

/// What a weight is to the nodes that use it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Role {
    /// The axis whose indices are outputs.
    channel: usize,
    /// The axis that is summed over (of a table: along its rows).
    along: usize,
}

struct Planner<'a> {
    opset: u64,
    uses: Uses<'a>,
    layout: Option<Layout>,
    initializers: HashMap<&'a str, usize>,
}

impl Planner<'_> {
    fn choose(&self, index: usize, tensor: &TensorInfo, wanted: &Wanted) -> Result<Choice> {
        if let Some(why) = self.left_alone(tensor) {
            return Ok(keep(index, tensor, why));
        }
        let (bits, block, per_channel) = match *wanted {
            Wanted::F16 if tensor.dtype == DType::F16 => {
                return Ok(keep(index, tensor, Note::new("is_already", "it is F16 already")));
            }
            Wanted::F16 => {
                let packing = Packing::Cast { dtype: "F16".into() };
                return Ok(Choice {
                    packing,
                    dtype: "F16".into(),
                    left: None,
                    ..keep(index, tensor, Note::new("", ""))
                });
            }
            Wanted::Codes { bits, block, per_channel } => (bits, block, per_channel),
        };
        let role = match self.role(tensor) {
            Ok(role) => role,
            Err(why) => return Ok(keep(index, tensor, why)),
        };
        let layout =
            self.layout.unwrap_or(if block.is_some() && self.opset < 21 { Layout::Contrib } else { Layout::Qdq });
        let scale = tensor.dtype.name().to_owned();
        let made = |packing, dtype: String, instead_of: Option<String>| {
            Ok(Choice { packing, dtype, instead_of, left: None, ..keep(index, tensor, Note::new("", "")) })
        };
        let of_blocks = |block: u64| format!("INT{bits} ×{block}");
        let mut instead_of = None;
        if let Some(block) = block {
            if layout == Layout::Contrib {
                if let Some((packing, block)) = self.contrib(tensor, bits, block, &scale)? {
                    return made(packing, of_blocks(block), None);
                }
                instead_of = Some(of_blocks(block));
            } else if self.opset < 21 {
                return Err(Error::new(Code::InvalidArgument, "the model's opset has no DequantizeLinear of blocks")
                    .with_tensor(&tensor.name)
                    .with_expected("ai.onnx 21 or later, or the layout contrib")
                    .with_found(self.opset));
            } else {
                let packing = Packing::OnnxLinear { bits, axis: Some(role.along), block: Some(block), scale };
                return made(packing, of_blocks(block), None);
            }
        }
        if tensor.dtype == DType::F16 && self.opset < 19 {
            let text = format!("DequantizeLinear gives F16 from opset 19 on, the model has {}", self.opset);
            return Ok(keep(index, tensor, Note::new("opset", text)));
        }
        if self.opset < 10 {
            let text = format!("DequantizeLinear is there from opset 10 on, the model has {}", self.opset);
            return Ok(keep(index, tensor, Note::new("opset", text)));
        }
        let axis = (per_channel && self.opset >= 13).then_some(role.channel);
        let name = if axis.is_some() { "INT8 per channel" } else { "INT8" };
        made(Packing::OnnxLinear { bits: 8, axis, block: None, scale }, name.into(), instead_of)
    }

    /// Why a tensor is no weight to be changed, if it is not.
    fn left_alone(&self, tensor: &TensorInfo) -> Option<Note> {
        let name = tensor.name.as_str();
        let dims = tensor.shape.dims().len();
        if !self.initializers.contains_key(name) {
            return Some(Note::new("inner", "it lies in a node"));
        }
        match tensor.dtype {
            DType::F32 | DType::F16 => {}
            other => return Some(Note::new("not_float", format!("{} is no type of weights here", other.name()))),
        }
        if dims < 2 {
            return Some(Note::new("vector", "biases and norms stay"));
        }
        if tensor.shape.count() < SMALL {
            return Some(Note::new("small", format!("fewer than {SMALL} weights")));
        }
        (self.uses.of_name(name).is_empty() && !self.uses.is_output(name))
            .then(|| Note::new("unused", "no node uses it"))
    }

    /// What a weight is: to the first node that says so, since the others take its floats as they come.
    fn role(&self, tensor: &TensorInfo) -> std::result::Result<Role, Note> {
        let rank = tensor.shape.dims().len();
        let uses = self.uses.of_name(&tensor.name);
        uses.iter().find_map(|u| self.role_in(u, rank, true)).ok_or_else(|| {
            let mut ops: Vec<&str> = uses.iter().map(|u| u.node.op.as_str()).collect();
            ops.sort_unstable();
            ops.dedup();
            Note::new("no_weight", format!("used by {}, as no weight", ops.join(", ")))
        })
    }

    /// `deeper`: through one node that only passes it on.
    fn role_in(&self, u: &Use<'_>, rank: usize, deeper: bool) -> Option<Role> {
        let Use { node, input, .. } = u;
        let role = |channel, along| Some(Role { channel, along });
        match (node.op.as_str(), input) {
            _ if !onnx::is_onnx(&node.domain) => None,
            ("MatMul", 1) => role(rank - 1, rank - 2),
            ("MatMul", 0) => role(rank - 2, rank - 1),
            ("Gemm", 0 | 1) => {
                let is_flipped = flag(node, if *input == 1 { "transB" } else { "transA" }) == (*input == 1);
                if is_flipped { role(0, 1) } else { role(1, 0) }
            }
            ("Conv" | "DeformConv", 1) => role(0, 1),
            ("ConvTranspose", 1) => role(1, 0),
            ("Gather", 0) => {
                let axis = node.int("axis").unwrap_or(0);
                let axis = if axis < 0 { axis + rank as i64 } else { axis };
                let axis = usize::try_from(axis).ok().filter(|&axis| axis < rank)?;
                role(axis, if axis == rank - 1 { 0 } else { rank - 1 })
            }
            ("LSTM" | "GRU" | "RNN", 1 | 2) if rank == 3 => role(1, 2),
            ("Transpose", 0) if deeper && rank == 2 && node.ints("perm").is_none_or(|perm| perm == [1, 0]) => {
                let Role { channel, along } = self.next(node, rank)?;
                role(along, channel)
            }
            ("Identity" | "Cast", 0) if deeper => self.next(node, rank),
            _ => None,
        }
    }

    fn next(&self, node: &Node, rank: usize) -> Option<Role> {
        self.uses.of_name(node.outputs.first()?).iter().find_map(|u| self.role_in(u, rank, false))
    }

    /// The packing for com.microsoft's operators, and the block, which may be smaller than the one asked for; none where they cannot.
    fn contrib(&self, tensor: &TensorInfo, bits: u32, block: u64, scale: &str) -> Result<Option<(Packing, u64)>> {
        let &[_, columns] = tensor.shape.dims() else { return Ok(None) };
        if !block.is_power_of_two() || !(LEAST_BLOCK..=1 << 16).contains(&block) {
            return Err(Error::new(Code::InvalidOption, "com.microsoft has no blocks of this size")
                .with_expected("a power of two from 16")
                .with_found(block));
        }
        let scale = scale.to_owned();
        if self.uses.only(&tensor.name, "MatMul") {
            return Ok(Some((Packing::OnnxMatMul { bits, block, scale }, block)));
        }
        if !self.uses.only(&tensor.name, "Gather") {
            return Ok(None);
        }
        let fits = block.min(1 << columns.trailing_zeros().min(16));
        Ok((fits >= LEAST_BLOCK).then_some((Packing::OnnxGather { bits, block: fits, scale }, fits)))
    }

    /// What is to be said of the whole model.
    fn notes(&self, model: &onnx::Model, choices: &[Choice]) -> Vec<Note> {
        let any = |f: fn(&Packing) -> bool| choices.iter().any(|choice| f(&choice.packing));
        let mut notes = Vec::new();
        if any(|p| matches!(p, Packing::OnnxLinear { bits: 8, axis: None, block: None, .. })) && self.opset < 13 {
            let text =
                format!("one scale for each weight, because opset {} has none for channels (13 has)", self.opset);
            notes.push(Note::new("per_tensor", text));
        }
        if any(|p| matches!(p, Packing::OnnxMatMul { .. } | Packing::OnnxGather { .. })) {
            notes.push(Note::new("contrib", "runs in ONNX Runtime alone: it uses operators of com.microsoft"));
        }
        if any(|p| matches!(p, Packing::OnnxLinear { bits: 4, .. })) && model.ir_version < 10 {
            let text = format!("the file's version becomes 10 for 4-bit integers (it was {})", model.ir_version);
            notes.push(Note::new("ir_version", text));
        }
        let by_opset = choices.iter().filter(|c| c.left.as_ref().is_some_and(|note| note.code == "opset")).count();
        if by_opset > 0 {
            let text = format!(
                "opset {} cannot express the scheme for {by_opset} weights; int8 takes 10 (13 for channels), F16 weights 19, or the layout \
                 contrib",
                self.opset
            );
            notes.push(Note::new("opset", text));
        }
        notes
    }
}

fn flag(node: &Node, name: &str) -> bool {
    node.int(name).unwrap_or(0) != 0
}

fn keep(index: usize, tensor: &TensorInfo, why: Note) -> Choice {
    Choice {
        tensor: index,
        name: tensor.name.clone(),
        packing: Packing::Copy,
        dtype: tensor.dtype.name().into(),
        dims: tensor.shape.dims().to_vec(),
        instead_of: None,
        left: Some(why),
    }
}
