//! Weights that a graph stores as codes and scales, found by the nodes that take them. A node whose parts do not fit together is no
//! reason to refuse the model: its parts are listed, and that is all.

use std::collections::{HashMap, HashSet};

use super::model::{Graph, Node, is_onnx};
use crate::formats::TensorInfo;
use crate::formats::derived::{Derived, Method};
use crate::tensor::{DType, Shape};

/// What names of codes end in; without it they are the weight's.
const SUFFIXES: [&str; 6] = ["_quantized", "_quant", "_q", "_Q4", "_Q8", "_Q2"];

/// The derived tensors of the main graph, whose listed tensors are `tensors`.
pub(super) fn find(graph: &Graph, tensors: &[TensorInfo]) -> Vec<Derived> {
    let index: HashMap<&str, usize> = tensors.iter().enumerate().map(|(i, t)| (t.name.as_str(), i)).collect();
    let finder = Finder { tensors, index };
    let mut found: Vec<Derived> = Vec::new();
    let mut seen: HashSet<(String, Vec<usize>)> = HashSet::new();
    let mut names: HashSet<String> = HashSet::new();
    // The last number that a name got.
    let mut numbers: HashMap<String, usize> = HashMap::new();
    for node in &graph.nodes {
        let Some(mut derived) = finder.derive(node) else { continue };
        // A weight that several nodes take is one.
        if !seen.insert((derived.name.clone(), derived.parts.clone())) {
            continue;
        }
        let is_taken = |name: &str| finder.index.contains_key(name) || names.contains(name);
        if is_taken(&derived.name) {
            let number = numbers.entry(derived.name.clone()).or_default();
            let base = derived.name.clone();
            while is_taken(&derived.name) {
                *number += 1;
                derived.name = match *number {
                    1 => format!("{base} (dequantized)"),
                    n => format!("{base} (dequantized {n})"),
                };
            }
        }
        names.insert(derived.name.clone());
        found.push(derived);
    }
    found
}

struct Finder<'a> {
    tensors: &'a [TensorInfo],
    index: HashMap<&'a str, usize>,
}

impl Finder<'_> {
    fn derive(&self, node: &Node) -> Option<Derived> {
        match (node.op.as_str(), node.domain.as_str()) {
            ("DequantizeLinear", domain) if is_onnx(domain) || domain == "com.microsoft" => self.linear(node),
            ("MatMulNBits", "com.microsoft") => self.mat_mul(node),
            ("GatherBlockQuantized", "com.microsoft") => self.gather(node),
            _ => None,
        }
    }

    /// These inputs of a node, all of them listed: their indices. The last may be left out.
    fn parts(&self, node: &Node, inputs: [usize; 3]) -> Option<Vec<usize>> {
        let input = |i: usize| node.inputs.get(i).map(String::as_str).filter(|name| !name.is_empty());
        let [codes, scale, zeros] = inputs;
        let mut parts = vec![*self.index.get(input(codes)?)?, *self.index.get(input(scale)?)?];
        if let Some(zeros) = input(zeros) {
            parts.push(*self.index.get(zeros)?);
        }
        Some(parts)
    }

    fn dims(&self, part: usize) -> &[u64] {
        self.tensors[part].shape.dims()
    }

    fn linear(&self, node: &Node) -> Option<Derived> {
        let parts = self.parts(node, [0, 1, 2])?;
        let name = node.outputs.first()?.clone();
        self.scaled(name, parts, node.int("axis").unwrap_or(1), node.int("block_size").unwrap_or(0), "QDQ")
    }

    /// Codes that have the weight's own shape.
    fn scaled(&self, name: String, parts: Vec<usize>, axis: i64, block: i64, how: &str) -> Option<Derived> {
        let (dims, scale) = (self.dims(parts[0]), self.dims(parts[1]));
        let axis = usize::try_from(if axis < 0 { axis + dims.len() as i64 } else { axis }).ok();
        let axis = axis.filter(|&axis| axis < dims.len());
        let is_one = scale.iter().product::<u64>() == 1 && scale.len() < 2;
        let (axis, block) = match u64::try_from(block).ok()? {
            0 if is_one => (None, None),
            0 => (Some(axis.filter(|&axis| scale == [dims[axis]])?), None),
            block => {
                let mut want = dims.to_vec();
                want[axis?] = dims[axis?].div_ceil(block);
                (scale == want).then_some((axis, Some(block)))?
            }
        };
        let zero_points = parts.len() == 3;
        if zero_points {
            let (x, zeros) = (&self.tensors[parts[0]], &self.tensors[parts[2]]);
            (zeros.dtype == x.dtype && zeros.shape.count() == self.tensors[parts[1]].shape.count()).then_some(())?;
        }
        let kind = kind(self.tensors[parts[0]].dtype)?;
        self.floats(parts[1])?;
        let share = match (axis, block) {
            (None, _) => "per tensor".to_owned(),
            (Some(_), None) => "per channel".to_owned(),
            (Some(_), Some(block)) => format!("×{block}"),
        };
        let (shape, label) = (self.tensors[parts[0]].shape.clone(), format!("{kind} {how} {share}"));
        Some(Derived { name, shape, label, parts, method: Method::OnnxLinear { axis, block, zero_points } })
    }

    fn mat_mul(&self, node: &Node) -> Option<Derived> {
        if node.inputs.get(4).is_some_and(|order| !order.is_empty()) {
            return None;
        }
        let parts = self.parts(node, [1, 2, 3])?;
        let (bits, block) = bits_and_block(node, 32)?;
        let size = |name: &str| node.int(name).and_then(|n| u64::try_from(n).ok()).filter(|&n| n > 0);
        let (k, n) = (size("K")?, size("N")?);
        let blocks = k.div_ceil(block);
        let codes = n.checked_mul(blocks)?.checked_mul(block.checked_mul(bits.into())? / 8)?;
        let zeros = n.checked_mul(blocks.checked_mul(bits.into())?.div_ceil(8))?;
        self.packed(&parts, codes, n.checked_mul(blocks)?, zeros)?;
        let method = Method::OnnxMatMul { bits, block, zero_points: parts.len() == 3 };
        let (name, label) = (self.base(parts[0]), format!("INT{bits} MatMulNBits ×{block}"));
        Some(Derived { name, shape: Shape::new(&[k, n]).ok()?, label, parts, method })
    }

    fn gather(&self, node: &Node) -> Option<Derived> {
        let parts = self.parts(node, [0, 2, 3])?;
        let name = self.base(parts[0]);
        let axis = node.int("quantize_axis").unwrap_or(1);
        let (bits, block) = bits_and_block(node, 128)?;
        if matches!(self.tensors[parts[0]].dtype, DType::I4 | DType::U4) {
            return self.scaled(name, parts, axis, i64::try_from(block).ok()?, "GatherBlockQuantized");
        }
        let &[rows, row_bytes] = self.dims(parts[0]) else { return None };
        if !matches!(axis, 1 | -1) || node.int("gather_axis").unwrap_or(0) != 0 {
            return None;
        }
        let columns = row_bytes.checked_mul(8)? / u64::from(bits);
        let blocks = columns.div_ceil(block);
        let zeros = rows.checked_mul(blocks.checked_mul(bits.into())?.div_ceil(8))?;
        self.packed(&parts, rows.checked_mul(row_bytes)?, rows.checked_mul(blocks)?, zeros)?;
        let method = Method::OnnxGather { bits, block, zero_points: parts.len() == 3 };
        let label = format!("INT{bits} GatherBlockQuantized ×{block}");
        Some(Derived { name, shape: Shape::new(&[rows, columns]).ok()?, label, parts, method })
    }

    /// Codes and zero points in so many bytes, and so many scales.
    fn packed(&self, parts: &[usize], codes: u64, scales: u64, zeros: u64) -> Option<()> {
        let bytes = |part: usize| Some(&self.tensors[part]).filter(|t| t.dtype == DType::U8).map(|t| t.shape.count());
        self.floats(parts[1])?;
        let zero_fits = parts.get(2).is_none_or(|&part| bytes(part) == Some(zeros));
        (bytes(parts[0]) == Some(codes) && self.tensors[parts[1]].shape.count() == scales && zero_fits).then_some(())
    }

    /// Scales must be floats of whole bytes.
    fn floats(&self, part: usize) -> Option<()> {
        matches!(self.tensors[part].dtype, DType::F32 | DType::F16 | DType::Bf16).then_some(())
    }

    /// The weight's name, from that of its codes.
    fn base(&self, codes: usize) -> String {
        let name = self.tensors[codes].name.as_str();
        SUFFIXES.iter().find_map(|end| name.strip_suffix(end)).unwrap_or(name).to_owned()
    }
}

fn bits_and_block(node: &Node, block: i64) -> Option<(u32, u64)> {
    let bits = node.int("bits").unwrap_or(4);
    let block = node.int("block_size").unwrap_or(block);
    let bits = u32::try_from(bits).ok().filter(|bits| matches!(bits, 2 | 4 | 8))?;
    Some((bits, u64::try_from(block).ok().filter(|&block| block > 0 && block <= 1 << 32 && block.is_multiple_of(8))?))
}

/// What people call codes of this type.
fn kind(dtype: DType) -> Option<&'static str> {
    Some(match dtype {
        DType::I8 => "INT8",
        DType::U8 => "UINT8",
        DType::I4 => "INT4",
        DType::U4 => "UINT4",
        DType::I16 => "INT16",
        DType::U16 => "UINT16",
        DType::I32 => "INT32",
        DType::F8E4M3 | DType::F8E5M2 | DType::F8E4M3Fnuz | DType::F8E5M2Fnuz => "FP8",
        DType::F4 => "FP4",
        _ => return None,
    })
}
