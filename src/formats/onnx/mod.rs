//! ONNX: <https://github.com/onnx/onnx/blob/v1.19.0/docs/IR.md>. A model is one message of protocol buffers: a graph with its nodes,
//! and the weights between them.
//!
//! `scan` walks the file and jumps over the weights; `model` reads the structure from what was kept; here it becomes a listing.
//! Listed are the initializers of all graphs, and tensors of `Constant` nodes that have two dimensions or more (the others are shapes
//! and factors). Texts and other types without numbers are left out. [`write`] makes another model of the structure.

mod derived;
mod encode;
mod model;
mod scan;
mod tensor;
mod wire;
pub mod write;

use std::collections::HashSet;
use std::sync::Arc;

pub use model::{Attribute, AttributeValue, Graph, Model, Named, Node, Opset, is_onnx};
pub use tensor::{Data, Tensor, number_of};

use super::{Format, Listing, Step, TensorInfo};
use crate::error::{Code, Error, Result};
use scan::{Scan, Walk};

/// The longest path to an inner graph.
const MAX_PATH: usize = 4 << 10;

/// The most bytes of paths in all names together: a file says a path once, and each tensor behind it is named by it.
const MAX_PATHS: usize = 16 << 20;

/// Reads a model's structure, and lists its tensors.
#[derive(Debug)]
pub(super) struct Parser {
    len: u64,
    scan: Scan,
}

impl Parser {
    /// For a file of `len` bytes.
    pub(super) fn new(len: u64) -> Parser {
        Parser { len, scan: Scan::new(len) }
    }
}

impl super::Parser for Parser {
    fn take(&mut self, at: u64, bytes: &[u8]) -> Result<Step> {
        match self.scan.take(at, bytes)? {
            Walk::Need(range) => Ok(Step::Need(range)),
            Walk::Done(held) => Model::read(&held, self.len).and_then(list).map(Step::Done),
        }
    }
}

/// What people see of a model.
fn list(model: Model) -> Result<Listing> {
    let mut tensors = Tensors::default();
    tensors.graph(&model.graph, "")?;
    let mut metadata = model.metadata.clone();
    metadata.insert("ir_version".into(), model.ir_version.to_string());
    for opset in &model.opsets {
        let domain = if is_onnx(&opset.domain) { "ai.onnx" } else { &opset.domain };
        metadata.insert(format!("opset {domain}"), opset.version.to_string());
    }
    let derived = derived::find(&model.graph, &tensors.list);
    let listing = Listing::new(Format::Onnx, metadata.into_iter().collect(), tensors.list);
    Ok(Listing { derived, onnx: Some(Arc::new(model)), ..listing })
}

/// The tensors found so far.
#[derive(Default)]
struct Tensors {
    list: Vec<TensorInfo>,
    names: HashSet<String>,
    /// Bytes of paths in the names.
    paths: usize,
}

impl Tensors {
    /// Adds a graph's, and those of the graphs within it, which go by the path of nodes that leads to them.
    fn graph(&mut self, graph: &Graph, path: &str) -> Result<()> {
        for tensor in &graph.initializers {
            self.add(path, &tensor.name, tensor)?;
        }
        for node in &graph.nodes {
            for attribute in &node.attributes {
                match &attribute.value {
                    AttributeValue::Tensor(tensor) if node.is("Constant") && tensor.shape.dims().len() > 1 => {
                        let name = node.outputs.first().map_or("", String::as_str);
                        self.add(path, name, tensor)?;
                    }
                    AttributeValue::Graphs(graphs) => {
                        let path = inner(path, node, attribute)?;
                        for graph in graphs {
                            self.graph(graph, &path)?;
                        }
                    }
                    _ => {}
                }
            }
        }
        Ok(())
    }

    fn add(&mut self, path: &str, name: &str, tensor: &Tensor) -> Result<()> {
        let Some(dtype) = tensor.dtype() else { return Ok(()) };
        self.paths += path.len();
        if self.paths > MAX_PATHS {
            return Err(Error::new(Code::Unsupported, "the paths of inner graphs make names too long")
                .with_tensor(name)
                .with_offset(tensor.whole.start)
                .with_expected(format_args!("at most {MAX_PATHS} bytes of paths in all names"))
                .with_found("more"));
        }
        let name = format!("{path}{name}");
        if !self.names.insert(name.clone()) {
            return Err(Error::new(Code::Malformed, "two tensors have one name")
                .with_tensor(name)
                .with_offset(tensor.whole.start)
                .with_expected("unique names")
                .with_found("the same name again"));
        }
        let plain = |bytes| TensorInfo::plain(name, dtype, tensor.shape.clone(), bytes);
        self.list.push(match &tensor.data {
            Data::Here(bytes) => plain(bytes.clone()),
            Data::Decoded(bytes) => TensorInfo { inline: Some(bytes.clone()), ..plain(0..bytes.len() as u64) },
            Data::Beside { file, bytes } => TensorInfo { file: Some(file.clone()), ..plain(bytes.clone()) },
            Data::None => return Ok(()),
        });
        Ok(())
    }
}

/// The path to the graphs in an attribute of a node that `path` leads to.
fn inner(path: &str, node: &Node, attribute: &Attribute) -> Result<String> {
    let len = path.len() + node.label().len() + attribute.name.len() + 2;
    if len > MAX_PATH {
        return Err(Error::new(Code::Unsupported, "the path to an inner graph is too long")
            .with_offset(node.whole.start)
            .with_expected(format_args!("at most {MAX_PATH} bytes of names"))
            .with_found(format_args!("{len} bytes")));
    }
    Ok(format!("{path}{}/{}/", node.label(), attribute.name))
}
