//! Another model of a model's structure: some initializers are stored as codes and scales (or as smaller floats), with a node that
//! makes floats of them, or with the node that used them replaced by one that takes codes. Everything else is copied as it stands,
//! with what is not understood here. No operator set is raised.
//!
//! A change that makes floats puts its node first in the graph and gives them the initializer's name, so that no other node is touched.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::ops::Range;

pub use super::encode::Piece;
use super::encode::Pieces;
use super::model::{AttributeValue, Graph, Model, Node};
use super::tensor::{Data, Tensor, number_of};
use crate::error::{Code, Error, Result};
use crate::tensor::DType;

/// The most bytes that a message of protocol buffers may have.
pub const MAX_MODEL: u64 = (1 << 31) - 1;

/// Data of fewer bytes stays in the model when the rest goes to a file beside it.
const SMALL: u64 = 1024;

/// Where data in the file beside begins: a page, so that it can be mapped into memory.
const ALIGNMENT: u64 = 4096;

/// The domain of ONNX Runtime's own operators.
const CONTRIB: &str = "com.microsoft";

/// What becomes of an initializer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    /// Its index among the graph's.
    pub initializer: usize,
    /// How it is stored.
    pub how: How,
    /// The tensors that it is stored as: codes and scales, or the smaller floats.
    pub parts: Vec<Stored>,
}

/// How an initializer is stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum How {
    /// Codes and scales, of which `DequantizeLinear` makes floats.
    Linear {
        /// The axis whose indices have scales of their own; none for one scale.
        axis: Option<u64>,
        /// So many of the axis share a scale.
        block: Option<u64>,
    },
    /// Floats of another type, which `Cast` makes the initializer's own.
    Cast,
    /// Codes and scales for `MatMulNBits`, which takes the place of the `MatMul`s.
    MatMul {
        /// Of a code.
        bits: u64,
        /// So many along K share a scale.
        block: u64,
    },
    /// Codes and scales for `GatherBlockQuantized`, which takes the place of the `Gather`s.
    Gather {
        /// Of a code.
        bits: u64,
        /// So many of a row share a scale.
        block: u64,
    },
}

/// A tensor that an initializer is stored as.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stored {
    /// What its name ends in.
    pub suffix: &'static str,
    /// Its element type.
    pub dtype: DType,
    /// Its dimensions.
    pub dims: Vec<u64>,
    /// Its bytes.
    pub byte_len: u64,
}

/// The files that are written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Written {
    /// The model.
    pub model: Vec<Piece>,
    /// The file beside it, where the model would be too large for one.
    pub data: Vec<Piece>,
}

/// Where an initializer is used.
#[derive(Debug, Clone, Copy)]
pub struct Use<'a> {
    /// By which node.
    pub node: &'a Node,
    /// As which of its inputs.
    pub input: usize,
    /// In a graph within the main graph.
    pub is_inner: bool,
}

/// Where each name of the main graph is used.
#[derive(Debug, Default)]
pub struct Uses<'a> {
    by_name: HashMap<&'a str, Vec<Use<'a>>>,
    outputs: HashSet<&'a str>,
}

impl<'a> Uses<'a> {
    /// Of a model.
    #[must_use]
    pub fn of(model: &'a Model) -> Uses<'a> {
        let mut uses = Uses::default();
        uses.add(&model.graph, false);
        uses
    }

    fn add(&mut self, graph: &'a Graph, is_inner: bool) {
        for node in &graph.nodes {
            for (input, name) in node.inputs.iter().enumerate().filter(|(_, name)| !name.is_empty()) {
                self.by_name.entry(name).or_default().push(Use { node, input, is_inner });
            }
        }
        self.outputs.extend(graph.outputs.iter().map(|output| output.name.as_str()));
        for inner in graph.inner() {
            self.add(inner, true);
        }
    }

    /// The uses of a name by nodes.
    #[must_use]
    pub fn of_name(&self, name: &str) -> &[Use<'a>] {
        self.by_name.get(name).map_or(&[], Vec::as_slice)
    }

    /// Whether a graph gives it.
    #[must_use]
    pub fn is_output(&self, name: &str) -> bool {
        self.outputs.contains(name)
    }

    /// Whether a weight is used by these nodes of the main graph alone, so that they can be replaced: `MatMul` as its second factor, or
    /// `Gather` along the first axis.
    #[must_use]
    pub fn only(&self, name: &str, op: &str) -> bool {
        let uses = self.of_name(name);
        let fits = |u: &Use<'_>| match op {
            "MatMul" => u.input == 1 && u.node.inputs.len() == 2,
            _ => u.input == 0 && u.node.int("axis").unwrap_or(0) == 0,
        };
        let once = |u: &Use<'_>| u.node.inputs.iter().filter(|input| *input == name).count() == 1;
        !uses.is_empty()
            && !self.is_output(name)
            && uses.iter().all(|u| u.node.is(op) && !u.is_inner && fits(u) && once(u))
    }
}

/// Lays out the model with these changes. Data goes to the file `beside` when the model would have more than `limit` bytes
/// ([`MAX_MODEL`]).
///
/// # Errors
/// `invalid_argument` for a change that the model or its operator sets do not allow; `unsupported` for a model in several files that
/// cannot be put together again.
pub fn write(model: &Model, changes: &[Change], beside: &str, limit: u64) -> Result<Written> {
    let mut writer = Writer::new(model, changes)?;
    let whole = writer.lay_out(None)?;
    if whole.model.iter().map(Piece::byte_len).sum::<u64>() <= limit {
        return Ok(whole);
    }
    let split = writer.lay_out(Some(beside))?;
    let len: u64 = split.model.iter().map(Piece::byte_len).sum();
    if len > limit {
        return Err(Error::new(Code::Unsupported, "the model is too large even with its weights beside it")
            .with_expected(format_args!("at most {limit} bytes"))
            .with_found(len));
    }
    Ok(split)
}

struct Writer<'a> {
    model: &'a Model,
    changes: &'a [Change],
    uses: Uses<'a>,
    /// The change of each initializer that has one.
    of: BTreeMap<usize, usize>,
    /// Every name in use.
    names: HashSet<String>,
    /// The names of the parts of each change, then of its node.
    given: Vec<(Vec<String>, String)>,
}

impl<'a> Writer<'a> {
    fn new(model: &'a Model, changes: &'a [Change]) -> Result<Writer<'a>> {
        let mut names = HashSet::new();
        collect_names(&model.graph, &mut names);
        let (uses, of) = (Uses::of(model), BTreeMap::new());
        let mut writer = Writer { model, changes, uses, of, names, given: Vec::new() };
        if has_data_beside_within(&model.graph) {
            return Err(Error::new(Code::Unsupported, "a graph within the graph has data in another file")
                .with_expected("data of the main graph alone in other files"));
        }
        for (i, change) in changes.iter().enumerate() {
            let Some(tensor) = model.graph.initializers.get(change.initializer) else {
                return Err(Error::new(Code::InvalidArgument, "the graph has no such initializer")
                    .with_expected(format_args!("one of {}", model.graph.initializers.len()))
                    .with_found(change.initializer));
            };
            writer.check(tensor, change).map_err(|e| e.with_tensor(&tensor.name))?;
            if writer.of.insert(change.initializer, i).is_some() {
                return Err(
                    Error::new(Code::InvalidArgument, "an initializer is changed twice").with_tensor(&tensor.name)
                );
            }
            let parts = change.parts.iter().map(|part| writer.unique(&format!("{}_{}", tensor.name, part.suffix)));
            let parts: Vec<String> = parts.collect();
            let node = writer.unique(&format!("{}_{}", tensor.name, change.how.op()));
            writer.given.push((parts, node));
        }
        Ok(writer)
    }

    /// Checks what the checker of ONNX leaves to the engine, which fails later or misreads.
    fn check(&self, tensor: &Tensor, change: &Change) -> Result<()> {
        let wrong = |message: &str, expected: String, found: String| {
            Err(Error::new(Code::InvalidArgument, message).with_expected(expected).with_found(found))
        };
        let dims = tensor.shape.dims();
        let opset = self.model.opset("").unwrap_or(0);
        let needs = |version: u64, what: &str| {
            if opset >= version {
                return Ok(());
            }
            wrong(&format!("the model's opset has no {what}"), format!("ai.onnx {version} or later"), opset.to_string())
        };
        let want: Vec<Vec<u64>> = match change.how {
            How::Cast => {
                needs(6, "Cast to a numbered type")?;
                vec![dims.to_vec()]
            }
            How::Linear { axis, block } => {
                needs(10, "DequantizeLinear")?;
                if axis.is_some() {
                    needs(13, "DequantizeLinear along an axis")?;
                }
                if block.is_some() || change.parts.first().is_some_and(|p| p.dtype == DType::I4) {
                    needs(21, "DequantizeLinear of 4 bits and of blocks")?;
                }
                if tensor.dtype() == Some(DType::F16) {
                    needs(19, "DequantizeLinear that gives F16")?;
                }
                let scale = match (axis, block) {
                    (None, None) => vec![],
                    (Some(axis), block) if axis < dims.len() as u64 && block != Some(0) => {
                        let axis = axis as usize;
                        match block {
                            None => vec![dims[axis]],
                            Some(block) => {
                                let mut scale = dims.to_vec();
                                scale[axis] = scale[axis].div_ceil(block);
                                scale
                            }
                        }
                    }
                    _ => {
                        return wrong(
                            "the scales have no such axis",
                            format!("an axis of {dims:?}"),
                            format!("{axis:?}, block {block:?}"),
                        );
                    }
                };
                vec![dims.to_vec(), scale]
            }
            How::MatMul { bits, block } => {
                let &[k, n] = dims else {
                    return wrong("MatMulNBits takes a matrix", "2 dimensions".into(), format!("{dims:?}"));
                };
                self.check_users(&tensor.name, "MatMul", bits, block)?;
                let blocks = k.div_ceil(block);
                vec![vec![n, blocks, block * bits / 8], vec![n, blocks]]
            }
            How::Gather { bits, block } => {
                let &[rows, columns] = dims else {
                    return wrong("GatherBlockQuantized takes a matrix", "2 dimensions".into(), format!("{dims:?}"));
                };
                self.check_users(&tensor.name, "Gather", bits, block)?;
                if !columns.is_multiple_of(block) {
                    return wrong(
                        "blocks do not divide the rows",
                        format!("a multiple of {block}"),
                        columns.to_string(),
                    );
                }
                vec![vec![rows, columns * bits / 8], vec![rows, columns / block]]
            }
        };
        if change.parts.len() != want.len() {
            return wrong(
                "the parts are not those of the operator",
                want.len().to_string(),
                change.parts.len().to_string(),
            );
        }
        for (part, want) in change.parts.iter().zip(&want) {
            if part.dims != *want {
                return wrong(
                    "a part has another shape than the operator takes",
                    format!("{want:?}"),
                    format!("{:?}", part.dims),
                );
            }
        }
        Ok(())
    }

    /// The nodes that are replaced must be all that use the weight.
    fn check_users(&self, name: &str, op: &str, bits: u64, block: u64) -> Result<()> {
        if !matches!(bits, 4 | 8) || !block.is_power_of_two() || !(16..=1 << 16).contains(&block) {
            return Err(Error::new(Code::InvalidArgument, "com.microsoft has no such codes")
                .with_expected("4 or 8 bits in blocks of a power of two from 16")
                .with_found(format_args!("{bits} bits in blocks of {block}")));
        }
        if let Some(version) = self.model.opset(CONTRIB).filter(|&version| version != 1) {
            return Err(Error::new(Code::InvalidArgument, "the model uses an unknown version of com.microsoft")
                .with_expected("version 1")
                .with_found(version));
        }
        if self.uses.only(name, op) {
            return Ok(());
        }
        let other = self.uses.of_name(name).iter().map(|u| u.node.op.as_str()).collect::<Vec<_>>().join(", ");
        Err(Error::new(Code::InvalidArgument, "the weight is used in another way too")
            .with_expected(format_args!("{op} of the main graph alone"))
            .with_found(other))
    }

    fn unique(&mut self, name: &str) -> String {
        let mut unique = name.to_owned();
        let mut n = 1;
        while !self.names.insert(unique.clone()) {
            n += 1;
            unique = format!("{name}_{n}");
        }
        unique
    }

    /// Both files, with the data in the file `beside`, if there is to be one.
    fn lay_out(&mut self, beside: Option<&str>) -> Result<Written> {
        let mut data = Pieces::default();
        let graph = &self.model.graph;
        let mut edits: Vec<(Range<u64>, Pieces)> = Vec::new();
        let start = graph.body.start;
        edits.push((start..start, self.first_nodes()));
        for input in &graph.inputs {
            let is_changed = self.of.keys().any(|&i| graph.initializers[i].name == input.name);
            if is_changed {
                edits.push((input.whole.clone(), Pieces::default()));
            }
        }
        for (i, tensor) in graph.initializers.iter().enumerate() {
            if let Some(new) = self.initializer(i, tensor, beside, &mut data) {
                edits.push((tensor.whole.clone(), new));
            }
        }
        for node in &graph.nodes {
            if let Some(new) = self.replacement(node) {
                edits.push((node.whole.clone(), new));
            }
        }
        edits.sort_by_key(|(range, _)| (range.start, range.end));
        let mut body = Pieces::default();
        body.edited(graph.body.clone(), edits);
        let mut new_graph = Pieces::default();
        new_graph.message(7, body);

        let mut edits = vec![(graph.whole.clone(), new_graph)];
        if self.needs_ir_10() && self.model.ir_version < 10 {
            let mut version = Pieces::default();
            version.number(1, 10);
            edits.push((self.model.ir_field.clone(), version));
        }
        if self.uses_contrib() && self.model.opset(CONTRIB).is_none() {
            let mut opset = Pieces::default();
            opset.text(1, CONTRIB);
            opset.number(2, 1);
            let mut field = Pieces::default();
            field.message(8, opset);
            edits.push((self.model.len..self.model.len, field));
        }
        edits.sort_by_key(|(range, _)| (range.start, range.end));
        let mut model = Pieces::default();
        model.edited(0..self.model.len, edits);
        Ok(Written { model: model.into_list(), data: data.into_list() })
    }

    fn uses_contrib(&self) -> bool {
        self.changes.iter().any(|change| matches!(change.how, How::MatMul { .. } | How::Gather { .. }))
    }

    /// 4-bit integers are of version 10 of the file format, which means nothing else to a model of version 4 or later.
    fn needs_ir_10(&self) -> bool {
        self.changes.iter().any(|change| change.parts.iter().any(|part| part.dtype == DType::I4))
    }

    /// What makes floats of the changed initializers, and their declarations as inputs, where the file format wants them.
    fn first_nodes(&self) -> Pieces {
        let mut out = Pieces::default();
        for (change, (parts, node)) in self.changes.iter().zip(&self.given) {
            let tensor = &self.model.graph.initializers[change.initializer];
            if matches!(change.how, How::Linear { .. } | How::Cast) {
                let mut body = Pieces::default();
                for part in parts {
                    body.text(1, part);
                }
                body.text(2, &tensor.name);
                body.text(3, node);
                body.text(4, change.how.op());
                match change.how {
                    How::Linear { axis, block } => {
                        if let Some(axis) = axis {
                            body.message(5, int("axis", axis));
                        }
                        if let Some(block) = block {
                            body.message(5, int("block_size", block));
                        }
                    }
                    _ => body.message(5, int("to", tensor.data_type)),
                }
                out.message(1, body);
            }
            // Before version 4 every initializer is an input.
            if self.model.ir_version < 4 && !self.needs_ir_10() {
                for (name, part) in parts.iter().zip(&change.parts) {
                    out.message(11, declaration(name, part));
                }
            }
        }
        out
    }

    /// What stands in the place of an initializer, unless it is copied as it is.
    fn initializer(&self, index: usize, tensor: &Tensor, beside: Option<&str>, data: &mut Pieces) -> Option<Pieces> {
        let mut out = Pieces::default();
        if let Some(&change) = self.of.get(&index) {
            for (i, (part, name)) in self.changes[change].parts.iter().zip(&self.given[change].0).enumerate() {
                let mut body = Pieces::default();
                for &dim in &part.dims {
                    body.number(1, dim);
                }
                body.number(2, number_of(part.dtype).unwrap_or_default());
                body.text(8, name);
                put_data(&mut body, Piece::Part { change, part: i, byte_len: part.byte_len }, beside, data);
                out.message(5, body);
            }
            return Some(out);
        }
        let piece = match &tensor.data {
            Data::Beside { bytes, .. } => Piece::Stored { initializer: index, byte_len: bytes.end - bytes.start },
            Data::Here(range) if beside.is_some() && range.end - range.start >= SMALL => Piece::Copy(range.clone()),
            _ => return None,
        };
        let mut body = Pieces::default();
        for range in &tensor.rest {
            body.copy(range.clone());
        }
        put_data(&mut body, piece, beside, data);
        out.message(5, body);
        Some(out)
    }

    /// What stands in the place of a node that uses a weight as codes.
    fn replacement(&self, node: &Node) -> Option<Pieces> {
        let input = if node.is("MatMul") { 1 } else { 0 };
        let name = node.inputs.get(input).filter(|_| node.is("MatMul") || node.is("Gather"))?;
        let (change, (parts, _)) = self.changes.iter().zip(&self.given).find(|(change, _)| {
            matches!(change.how, How::MatMul { .. } | How::Gather { .. })
                && self.model.graph.initializers[change.initializer].name == *name
        })?;
        let dims = self.model.graph.initializers[change.initializer].shape.dims();
        let mut body = Pieces::default();
        let other = node.inputs.get(1 - input).map_or("", String::as_str);
        let inputs = match change.how {
            How::MatMul { .. } => [other, &parts[0], &parts[1]],
            _ => [&parts[0], other, &parts[1]],
        };
        for input in inputs {
            body.text(1, input);
        }
        for range in &node.rest {
            body.copy(range.clone());
        }
        body.text(4, change.how.op());
        let attributes: &[(&str, u64)] = match change.how {
            How::MatMul { bits, block } => &[("K", dims[0]), ("N", dims[1]), ("bits", bits), ("block_size", block)],
            How::Gather { bits, block } => {
                &[("gather_axis", 0), ("quantize_axis", 1), ("bits", bits), ("block_size", block)]
            }
            How::Linear { .. } | How::Cast => &[],
        };
        for &(name, n) in attributes {
            body.message(5, int(name, n));
        }
        body.text(7, CONTRIB);
        let mut out = Pieces::default();
        out.message(1, body);
        Some(out)
    }
}

impl How {
    fn op(self) -> &'static str {
        match self {
            How::Linear { .. } => "DequantizeLinear",
            How::Cast => "Cast",
            How::MatMul { .. } => "MatMulNBits",
            How::Gather { .. } => "GatherBlockQuantized",
        }
    }
}

/// The data of a tensor: here, or in the file beside where there is one and it is large.
fn put_data(tensor: &mut Pieces, piece: Piece, beside: Option<&str>, data: &mut Pieces) {
    let len = piece.byte_len();
    let Some(location) = beside.filter(|_| len >= SMALL) else {
        tensor.start(9, len);
        tensor.push(piece);
        return;
    };
    let padding = data.len().next_multiple_of(ALIGNMENT) - data.len();
    data.push(Piece::Bytes(vec![0; padding as usize]));
    let entries = [("location", location.to_owned()), ("offset", data.len().to_string()), ("length", len.to_string())];
    for (key, value) in entries {
        let mut entry = Pieces::default();
        entry.text(1, key);
        entry.text(2, &value);
        tensor.message(13, entry);
    }
    tensor.number(14, 1);
    data.push(piece);
}

/// An attribute that is a whole number.
fn int(name: &str, n: u64) -> Pieces {
    const INT: u64 = 2;
    let mut out = Pieces::default();
    out.text(1, name);
    out.number(3, n);
    out.number(20, INT);
    out
}

/// `ValueInfoProto` of a tensor.
fn declaration(name: &str, part: &Stored) -> Pieces {
    let mut shape = Pieces::default();
    for &dim in &part.dims {
        let mut dimension = Pieces::default();
        dimension.number(1, dim);
        shape.message(1, dimension);
    }
    let mut tensor = Pieces::default();
    tensor.number(1, number_of(part.dtype).unwrap_or_default());
    tensor.message(2, shape);
    let mut kind = Pieces::default();
    kind.message(1, tensor);
    let mut out = Pieces::default();
    out.text(1, name);
    out.message(2, kind);
    out
}

fn collect_names(graph: &Graph, names: &mut HashSet<String>) {
    names.extend(graph.initializers.iter().map(|t| t.name.clone()));
    names.extend(graph.inputs.iter().chain(&graph.outputs).map(|value| value.name.clone()));
    for node in &graph.nodes {
        names.insert(node.name.clone());
        names.extend(node.inputs.iter().chain(&node.outputs).cloned());
    }
    for inner in graph.inner() {
        collect_names(inner, names);
    }
}

/// Whether a graph within this one, or a constant, has data in another file.
fn has_data_beside_within(graph: &Graph) -> bool {
    let is_beside = |t: &Tensor| matches!(t.data, Data::Beside { .. });
    let attributes = graph.nodes.iter().flat_map(|node| &node.attributes);
    attributes.into_iter().any(|a| matches!(&a.value, AttributeValue::Tensor(t) if is_beside(t)))
        || graph.inner().any(|inner| inner.initializers.iter().any(is_beside) || has_data_beside_within(inner))
}
