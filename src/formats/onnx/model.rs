//! The structure of a model: graphs, nodes, tensors, and where each lies in the file. Field numbers as in `onnx.proto3` of ONNX 1.19:
//! <https://github.com/onnx/onnx/blob/v1.19.0/onnx/onnx.proto3>.

use std::collections::BTreeMap;
use std::ops::Range;

use super::tensor::{self, Tensor};
use super::wire::{Field, Held, Value};
use crate::error::{Code, Error, Result};

/// A model's structure. Ranges are of the file, so that what is not understood can be copied.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Model {
    /// The version of the file format: from 4 on initializers need not be inputs, from 10 on there are 4-bit integers.
    pub ir_version: u64,
    /// The field of it.
    pub ir_field: Range<u64>,
    /// The operator sets in use.
    pub opsets: Vec<Opset>,
    /// The author's notes and the producer's name.
    pub metadata: BTreeMap<String, String>,
    /// The main graph.
    pub graph: Graph,
    /// Bytes of the file.
    pub len: u64,
}

/// A set of operators, and its version.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Opset {
    /// Empty for ONNX's own.
    pub domain: String,
    /// The version that every node of the domain is read by.
    pub version: u64,
}

/// A graph.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Graph {
    /// Its field in what holds it, tag and length included.
    pub whole: Range<u64>,
    /// Its own fields.
    pub body: Range<u64>,
    /// In an order in which they can run.
    pub nodes: Vec<Node>,
    /// The constant tensors.
    pub initializers: Vec<Tensor>,
    /// What it takes: name, and the field that says so. Old models list initializers too.
    pub inputs: Vec<Named>,
    /// What it gives.
    pub outputs: Vec<Named>,
}

/// A name in a field.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Named {
    /// The name.
    pub name: String,
    /// The field that holds it, tag and length included.
    pub whole: Range<u64>,
}

/// An operation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Node {
    /// Its field in the graph, tag and length included.
    pub whole: Range<u64>,
    /// Its own name, which may be empty.
    pub name: String,
    /// What it does.
    pub op: String,
    /// Whose operator that is; empty for ONNX's own.
    pub domain: String,
    /// What it takes, empty where an optional input is left out.
    pub inputs: Vec<String>,
    /// What it gives.
    pub outputs: Vec<String>,
    /// Its attributes.
    pub attributes: Vec<Attribute>,
    /// Its fields but for inputs, operator, domain and attributes, with what is not understood.
    pub rest: Vec<Range<u64>>,
}

impl Node {
    /// The whole number of this attribute.
    #[must_use]
    pub fn int(&self, name: &str) -> Option<i64> {
        self.attributes.iter().find(|a| a.name == name).and_then(|a| match a.value {
            AttributeValue::Int(n) => Some(n),
            _ => None,
        })
    }

    /// The whole numbers of this attribute.
    #[must_use]
    pub fn ints(&self, name: &str) -> Option<&[i64]> {
        self.attributes.iter().find(|a| a.name == name).and_then(|a| match &a.value {
            AttributeValue::Ints(n) => Some(n.as_slice()),
            _ => None,
        })
    }

    /// Whether this is ONNX's own operator of the name.
    #[must_use]
    pub fn is(&self, op: &str) -> bool {
        self.op == op && is_onnx(&self.domain)
    }

    /// What it is called in messages.
    #[must_use]
    pub fn label(&self) -> &str {
        if self.name.is_empty() { &self.op } else { &self.name }
    }
}

/// An attribute of a node.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Attribute {
    /// Its name.
    pub name: String,
    /// Its value.
    pub value: AttributeValue,
}

/// What an attribute holds, as far as it matters here.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AttributeValue {
    /// One whole number.
    Int(i64),
    /// Several.
    Ints(Vec<i64>),
    /// A tensor (of `Constant`).
    Tensor(Tensor),
    /// The bodies of `If`, `Loop` and `Scan`.
    Graphs(Vec<Graph>),
    /// Numbers, texts and types that nothing here asks for.
    Other,
}

/// Whether this names ONNX's own operators.
#[must_use]
pub fn is_onnx(domain: &str) -> bool {
    matches!(domain, "" | "ai.onnx")
}

impl Model {
    /// The version of an operator set, if the model uses it. ONNX's own has two names.
    #[must_use]
    pub fn opset(&self, domain: &str) -> Option<u64> {
        let same = |other: &str| other == domain || is_onnx(other) && is_onnx(domain);
        self.opsets.iter().find(|opset| same(&opset.domain)).map(|opset| opset.version)
    }

    /// Reads the structure from what the walk has kept of a file of `len` bytes.
    pub(super) fn read(held: &Held, len: u64) -> Result<Model> {
        let mut model = Model {
            ir_version: 0,
            ir_field: 0..0,
            opsets: Vec::new(),
            metadata: BTreeMap::new(),
            graph: Graph::default(),
            len,
        };
        let mut graph = None;
        for field in held.fields(0..len) {
            let field = field?;
            match field.number {
                1 => {
                    model.ir_version = field.varint("ir_version")?;
                    model.ir_field = field.whole;
                }
                2 => drop(model.metadata.insert("producer_name".into(), text(held, &field, "producer_name")?)),
                3 => drop(model.metadata.insert("producer_version".into(), text(held, &field, "producer_version")?)),
                7 if graph.is_some() => {
                    return Err(Error::new(Code::Malformed, "the model has two graphs")
                        .with_offset(field.whole.start)
                        .with_expected("one graph")
                        .with_found("another"));
                }
                7 => graph = Some(Graph::read(held, &field)?),
                8 => model.opsets.push(opset(held, &field)?),
                14 => {
                    let (key, value) = pair(held, &field, "metadata_props")?;
                    model.metadata.insert(key, value);
                }
                _ => {}
            }
        }
        let missing = |what: &str| {
            Error::new(Code::Malformed, format!("the model has no {what}")).with_expected(what).with_found("none")
        };
        model.graph = graph.ok_or_else(|| missing("graph"))?;
        if model.opsets.is_empty() {
            return Err(missing("opset_import"));
        }
        model.check_names()?;
        Ok(model)
    }

    /// Initializers of the main graph have names, each its own.
    fn check_names(&self) -> Result<()> {
        let mut names: Vec<&Tensor> = self.graph.initializers.iter().collect();
        names.sort_by(|a, b| (&a.name, a.whole.start).cmp(&(&b.name, b.whole.start)));
        if let Some(nameless) = names.first().filter(|t| t.name.is_empty()) {
            return Err(Error::new(Code::Malformed, "an initializer has no name")
                .with_offset(nameless.whole.start)
                .with_expected("a name")
                .with_found("none"));
        }
        if let Some(pair) = names.windows(2).find(|pair| pair[0].name == pair[1].name) {
            return Err(Error::new(Code::Malformed, "two initializers have one name")
                .with_tensor(&pair[1].name)
                .with_offset(pair[1].whole.start)
                .with_expected("unique names")
                .with_found(format_args!("the same name at {}", pair[0].whole.start)));
        }
        Ok(())
    }
}

impl Graph {
    fn read(held: &Held, field: &Field) -> Result<Graph> {
        let body = field.bytes("a graph")?;
        let mut graph = Graph { whole: field.whole.clone(), body: body.clone(), ..Graph::default() };
        for field in held.fields(body) {
            let field = field?;
            match field.number {
                1 => graph.nodes.push(Node::read(held, &field)?),
                5 => graph.initializers.push(tensor::read(held, &field)?),
                11 => graph.inputs.push(named(held, &field, "an input")?),
                12 => graph.outputs.push(named(held, &field, "an output")?),
                _ => {}
            }
        }
        Ok(graph)
    }

    /// The graphs within: bodies of `If`, `Loop` and `Scan`, not those within them.
    pub fn inner(&self) -> impl Iterator<Item = &Graph> {
        let attributes = self.nodes.iter().flat_map(|node| &node.attributes);
        attributes.flat_map(|a| if let AttributeValue::Graphs(graphs) = &a.value { graphs.as_slice() } else { &[] })
    }
}

impl Node {
    fn read(held: &Held, field: &Field) -> Result<Node> {
        let mut node = Node {
            whole: field.whole.clone(),
            name: String::new(),
            op: String::new(),
            domain: String::new(),
            inputs: Vec::new(),
            outputs: Vec::new(),
            attributes: Vec::new(),
            rest: Vec::new(),
        };
        for field in held.fields(field.bytes("a node")?) {
            let field = field?;
            if !matches!(field.number, 1 | 4 | 5 | 7) {
                tensor::extend(&mut node.rest, &field.whole);
            }
            match field.number {
                1 => node.inputs.push(text(held, &field, "an input's name")?),
                2 => node.outputs.push(text(held, &field, "an output's name")?),
                3 => node.name = text(held, &field, "a node's name")?,
                4 => node.op = text(held, &field, "op_type")?,
                5 => node.attributes.push(Attribute::read(held, &field)?),
                7 => node.domain = text(held, &field, "a node's domain")?,
                _ => {}
            }
        }
        Ok(node)
    }
}

impl Attribute {
    fn read(held: &Held, field: &Field) -> Result<Attribute> {
        let (mut name, mut ints, mut graphs, mut value) =
            (String::new(), Vec::new(), Vec::new(), AttributeValue::Other);
        for field in held.fields(field.bytes("an attribute")?) {
            let field = field?;
            match field.number {
                1 => name = text(held, &field, "an attribute's name")?,
                3 => value = AttributeValue::Int(field.varint("an attribute's number")? as i64),
                5 => value = AttributeValue::Tensor(tensor::read(held, &field)?),
                6 | 11 => graphs.push(Graph::read(held, &field)?),
                // Lists too long to be kept are none that are asked for.
                8 => drop(tensor::varints(held, &field, "an attribute's numbers", |n| ints.push(n as i64))?),
                _ => {}
            }
        }
        if !graphs.is_empty() {
            value = AttributeValue::Graphs(graphs);
        } else if !ints.is_empty() {
            value = AttributeValue::Ints(ints);
        }
        Ok(Attribute { name, value })
    }
}

/// A string. It must be UTF-8 and of a length that a name has.
pub(super) fn text(held: &Held, field: &Field, what: &str) -> Result<String> {
    let range = field.bytes(what)?;
    let refuse = |expected: &str, found: String| {
        Error::new(Code::Malformed, format!("{what} is not a text"))
            .with_offset(range.start)
            .with_expected(expected)
            .with_found(found)
    };
    let bytes =
        held.get(&range).ok_or_else(|| refuse("at most 65536 bytes", format!("{} bytes", range.end - range.start)))?;
    let text = std::str::from_utf8(bytes).map_err(|e| {
        refuse("UTF-8", format!("byte 0x{:02x} after {} bytes", bytes[e.valid_up_to()], e.valid_up_to()))
    })?;
    Ok(text.to_owned())
}

/// A key and a value.
pub(super) fn pair(held: &Held, field: &Field, what: &str) -> Result<(String, String)> {
    let (mut key, mut value) = (String::new(), String::new());
    for field in held.fields(whole_message(held, field, what)?) {
        let field = field?;
        match field.number {
            1 => key = text(held, &field, what)?,
            2 => value = text(held, &field, what)?,
            _ => {}
        }
    }
    Ok((key, value))
}

fn opset(held: &Held, field: &Field) -> Result<Opset> {
    let mut opset = Opset { domain: String::new(), version: 0 };
    for field in held.fields(whole_message(held, field, "opset_import")?) {
        let field = field?;
        match field.number {
            1 => opset.domain = text(held, &field, "an operator set's domain")?,
            2 => opset.version = field.varint("an operator set's version")?,
            _ => {}
        }
    }
    Ok(opset)
}

fn named(held: &Held, field: &Field, what: &str) -> Result<Named> {
    let mut name = String::new();
    for field in held.fields(whole_message(held, field, what)?) {
        let field = field?;
        if field.number == 1 {
            name = text(held, &field, what)?;
        }
    }
    Ok(Named { name, whole: field.whole.clone() })
}

/// The fields of a message that is kept whole, unless it is larger than any of its kind.
fn whole_message(held: &Held, field: &Field, what: &str) -> Result<Range<u64>> {
    let range = field.bytes(what)?;
    if held.get(&range).is_none() && range.start < range.end {
        return Err(Error::new(Code::Unsupported, format!("{what} is too large"))
            .with_offset(range.start)
            .with_expected("at most 65536 bytes")
            .with_found(format_args!("{} bytes", range.end - range.start)));
    }
    Ok(range)
}

/// Whether a field holds a number by itself, not packed with others.
pub(super) fn is_alone(field: &Field) -> bool {
    !matches!(field.value, Value::Bytes(_))
}
