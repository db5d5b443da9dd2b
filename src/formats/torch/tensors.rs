//! The tensors in a tree of pickled values, with their names: keys and positions from the root, joined by dots.
//!
//! What rebuilds a tensor is told by name (`torch/_utils.py`): `_rebuild_tensor_v2` and its kin, `_rebuild_parameter`, and
//! `torch._tensor._rebuild_from_type_v2`, which calls one of them. A whole module's `_parameters`, `_buffers` and `_modules` are walked as
//! its `state_dict` would list them.

use std::collections::{BTreeSet, HashMap, HashSet};

use super::pickle::{Kind, MAX_TEXT_BYTES, Node, Tree, Value};
use crate::error::{Code, Error, Result};
use crate::formats::{MAX_DIMS, excerpt};
use crate::tensor::{DType, Shape};

/// Levels of dictionaries and lists that are looked into.
const MAX_DEPTH: usize = 64;

/// The most tensors that are listed.
const MOST_TENSORS: usize = 100_000;

/// The longest name.
const MAX_NAME_BYTES: usize = 1000;

/// A tensor as the pickle states it.
#[derive(Debug)]
pub(super) struct Stated {
    pub name: String,
    /// The key of its storage.
    pub key: String,
    pub dtype: DType,
    /// Bytes of the storage.
    pub storage: u64,
    /// Index of its first element in the storage.
    pub offset: u64,
    pub shape: Shape,
    pub strides: Vec<u64>,
}

/// What was found.
#[derive(Debug, Default)]
pub(super) struct Found {
    pub tensors: Vec<Stated>,
    /// Tensors that cannot be read, by name, and why.
    pub refused: Vec<(String, Error)>,
    /// Names that the pickle would have called, beside those of tensors and plain containers.
    pub uncalled: BTreeSet<String>,
}

/// Walks the tree.
pub(super) fn find(tree: &Tree<'_>) -> Result<Found> {
    let mut walk = Walk {
        tree,
        found: Found::default(),
        seen: HashSet::new(),
        states: HashSet::new(),
        names: HashSet::new(),
        numbers: HashMap::new(),
    };
    walk.value(tree.root, String::new(), 0);
    if walk.names.len() >= MOST_TENSORS {
        return Err(Error::new(Code::Unsupported, "the checkpoint holds more tensors than are read")
            .with_expected(format_args!("fewer than {MOST_TENSORS}"))
            .with_found(format_args!("{MOST_TENSORS} or more")));
    }
    Ok(walk.found)
}

struct Walk<'t> {
    tree: &'t Tree<'t>,
    found: Found,
    /// Containers that were walked: each is listed where it is met first.
    seen: HashSet<usize>,
    /// States that were looked at.
    states: HashSet<usize>,
    names: HashSet<String>,
    /// Names that were given more than once, and the last number that one of them got.
    numbers: HashMap<String, usize>,
}

/// What a call makes.
enum Made {
    Tensor(Result<(Storage, u64, Vec<u64>, Vec<u64>)>),
    /// The same as this value.
    Same(Value),
    /// Something with state, or nothing of interest.
    Other,
}

struct Storage {
    key: String,
    dtype: DType,
    bytes: u64,
}

impl Walk<'_> {
    fn value(&mut self, value: Value, name: String, depth: usize) {
        let Value::Node(index) = value else { return };
        let tree = self.tree;
        let node = &tree.nodes[index];
        if let Kind::Call(_) = node.kind {
            match made(tree, node, &mut self.found.uncalled, 0) {
                Made::Tensor(tensor) => return self.tensor(tensor, name),
                Made::Same(value) => {
                    return if depth < MAX_DEPTH {
                        self.value(value, name, depth + 1)
                    };
                }
                Made::Other => {}
            }
        }
        if depth >= MAX_DEPTH || name.len() > MAX_NAME_BYTES || !self.seen.insert(index) {
            return;
        }
        match node.kind {
            Kind::List | Kind::Tuple => {
                for (i, &item) in node.items.iter().enumerate() {
                    self.value(item, join(&name, &i.to_string()), depth + 1);
                }
            }
            Kind::Persistent => {}
            Kind::Dict | Kind::Call(_) => {
                self.pairs(&node.pairs, &name, depth);
                if let (Kind::Call(_), Some(state)) = (node.kind, node.state) {
                    self.state(state, name, depth);
                }
            }
        }
    }

    fn pairs(&mut self, pairs: &[(Value, Value)], name: &str, depth: usize) {
        // What is no node holds no tensor.
        for &(key, value) in pairs.iter().filter(|(_, value)| matches!(value, Value::Node(_))) {
            if let Some(key) = key_text(self.tree, key) {
                self.value(value, join(name, &key), depth + 1);
            }
        }
    }

    /// The state of an object: of a module what its `state_dict` names, of others what it holds.
    fn state(&mut self, state: Value, name: String, depth: usize) {
        let Value::Node(index) = state else { return };
        // Objects may share one; what it holds is listed where it is met first.
        if !self.states.insert(index) {
            return;
        }
        let node = &self.tree.nodes[index];
        let inner = |key: &str| {
            let pair = node.pairs.iter().find(|(k, _)| key_text(self.tree, *k).as_deref() == Some(key));
            pair.map(|&(_, value)| value)
        };
        let inside = ["_parameters", "_buffers", "_modules"].map(inner);
        if inside == [None; 3] {
            return self.value(state, name, depth + 1);
        }
        for value in inside.into_iter().flatten() {
            self.value(value, name.clone(), depth + 1);
        }
    }

    fn tensor(&mut self, tensor: Result<(Storage, u64, Vec<u64>, Vec<u64>)>, name: String) {
        if self.names.len() >= MOST_TENSORS {
            return;
        }
        let name = self.unique(if name.is_empty() { "tensor".to_owned() } else { name });
        let stated = tensor.and_then(|(storage, offset, size, strides)| {
            let shape = Shape::new(&size).map_err(|e| e.with_code(Code::Malformed))?;
            Ok((storage, offset, shape, strides))
        });
        match stated {
            Ok((Storage { key, dtype, bytes }, offset, shape, strides)) => {
                self.found.tensors.push(Stated { name, key, dtype, storage: bytes, offset, shape, strides });
            }
            Err(e) => {
                let e = e.with_tensor(&name);
                self.found.refused.push((name, e));
            }
        }
    }

    /// A key with a dot in it can spell the path of another tensor.
    fn unique(&mut self, name: String) -> String {
        if self.names.insert(name.clone()) {
            return name;
        }
        let number = self.numbers.entry(name.clone()).or_insert(1);
        loop {
            *number += 1;
            let unique = format!("{name} ({number})");
            if self.names.insert(unique.clone()) {
                return unique;
            }
        }
    }
}

/// Of a long key its beginning: so many characters lie in any text of [`MAX_TEXT_BYTES`].
fn join(name: &str, key: &str) -> String {
    let key: String = key.chars().take(MAX_TEXT_BYTES / 4).collect();
    if name.is_empty() { key } else { format!("{name}.{key}") }
}

fn key_text(tree: &Tree<'_>, key: Value) -> Option<String> {
    match key {
        Value::Text(span) => Some(tree.text(span).into_owned()),
        Value::Int(n) => Some(n.to_string()),
        _ => None,
    }
}

/// Looks at a call.
fn made(tree: &Tree<'_>, node: &Node, uncalled: &mut BTreeSet<String>, depth: usize) -> Made {
    let Kind::Call(Value::Global(callee)) = node.kind else { return Made::Other };
    let arguments = node.items.first().and_then(|&tuple| tree.sequence(tuple)).unwrap_or_default();
    let name = tree.global(callee);
    match name.as_str() {
        "torch._utils._rebuild_tensor" | "torch._utils._rebuild_tensor_v2" => {
            Made::Tensor(rebuild(tree, arguments, None))
        }
        "torch._utils._rebuild_tensor_v3" => Made::Tensor(rebuild(tree, arguments, Some(arguments.get(6).copied()))),
        "torch._utils._rebuild_parameter" | "torch._utils._rebuild_parameter_with_state" | "torch.Size" => {
            arguments.first().map_or(Made::Other, |&value| Made::Same(value))
        }
        "torch._tensor._rebuild_from_type_v2" => match *arguments {
            [Value::Global(inner), _, arguments, ..] if depth == 0 => {
                let kind = Kind::Call(Value::Global(inner));
                made(tree, &Node { kind, items: vec![arguments], ..Node::default() }, uncalled, 1)
            }
            _ => Made::Other,
        },
        "collections.OrderedDict" | "collections.defaultdict" | "builtins.dict" | "__builtin__.dict" => Made::Other,
        _ if name.starts_with("torch._utils._rebuild") => {
            Made::Tensor(Err(Error::new(Code::Unsupported, "tensors of this kind are not read")
                .with_expected("a plain tensor (`dequantize()` or `to_dense()` makes one)")
                .with_found(excerpt(&name))))
        }
        _ => {
            // Modules are walked by their state; the rest is named.
            if uncalled.len() < 20 {
                uncalled.insert(name.chars().take(200).collect());
            }
            Made::Other
        }
    }
}

/// The arguments of `_rebuild_tensor_v2`: storage, offset, size, strides. `dtype` is given where the storage has none.
fn rebuild(
    tree: &Tree<'_>,
    arguments: &[Value],
    dtype: Option<Option<Value>>,
) -> Result<(Storage, u64, Vec<u64>, Vec<u64>)> {
    let malformed = |what: &str| Error::new(Code::Malformed, format!("the pickle rebuilds a tensor from {what}"));
    let &[id, offset, size, strides, ..] = arguments else {
        return Err(malformed("too few arguments").with_expected(4).with_found(arguments.len()));
    };
    let numbers = |value: Value, what: &str| -> Result<Vec<u64>> {
        // `torch.Size` is a call whose argument is the tuple.
        let value = match tree.node(value) {
            Some(Node { kind: Kind::Call(_), items, .. }) => {
                items.first().and_then(|&t| tree.sequence(t)).and_then(|a| a.first().copied()).unwrap_or(value)
            }
            _ => value,
        };
        let items = tree.sequence(value).filter(|items| items.len() <= MAX_DIMS);
        let items = items.ok_or_else(|| malformed(&format!("{what} not given as at most {MAX_DIMS} numbers")))?;
        let number = |item: &Value| match item {
            Value::Int(n) if *n >= 0 => Ok(*n as u64),
            other => Err(malformed(&format!("{what} not made of whole numbers")).with_found(shown(tree, *other))),
        };
        items.iter().map(number).collect()
    };
    let (size, strides) = (numbers(size, "a size")?, numbers(strides, "strides")?);
    if size.len() != strides.len() {
        return Err(malformed("a size and strides of different lengths")
            .with_expected(size.len())
            .with_found(strides.len()));
    }
    let Value::Int(offset @ 0..) = offset else {
        return Err(malformed("an offset that is not a whole number").with_found(shown(tree, offset)));
    };
    Ok((storage(tree, id, dtype)?, offset as u64, size, strides))
}

/// A value as people can compare it.
fn shown(tree: &Tree<'_>, value: Value) -> String {
    match value {
        Value::Int(n) => n.to_string(),
        Value::Text(span) => excerpt(&tree.text(span)),
        Value::Global(global) => excerpt(&tree.global(global)),
        Value::None => "None".into(),
        _ => "something else".into(),
    }
}

/// The persistent id of a storage: `('storage', class, key, location, count)`.
fn storage(tree: &Tree<'_>, id: Value, dtype: Option<Option<Value>>) -> Result<Storage> {
    let malformed = |what: &str| Error::new(Code::Malformed, what);
    let id = tree.node(id).filter(|node| node.kind == Kind::Persistent).and_then(|node| node.items.first().copied());
    let id = id.and_then(|id| tree.sequence(id)).unwrap_or_default();
    let &[Value::Text(kind), Value::Global(class), key, _, Value::Int(count @ 0..), ..] = id else {
        return Err(malformed("a tensor without a storage").with_expected("('storage', class, key, location, count)"));
    };
    if let Value::Text(span) = key
        && span.len() > MAX_TEXT_BYTES
    {
        return Err(malformed("the key of a storage is too long")
            .with_expected(format_args!("at most {MAX_TEXT_BYTES} bytes"))
            .with_found(format_args!("{} bytes", span.len())));
    }
    let key = key_text(tree, key).filter(|_| tree.text(kind) == "storage");
    let key = key.ok_or_else(|| malformed("a tensor without a storage").with_expected("a key of its storage"))?;
    let class = tree.text(class.name);
    let named = match dtype {
        None => of_storage(&class),
        Some(Some(Value::Global(dtype))) => of_dtype(&tree.text(dtype.name)),
        Some(_) => None,
    };
    let dtype = named.ok_or_else(|| {
        let found = match dtype {
            Some(Some(Value::Global(dtype))) => tree.global(dtype),
            _ => class.clone().into_owned(),
        };
        Error::new(Code::Unsupported, "elements of this type are not read")
            .with_expected("floats, integers, booleans or complex64")
            .with_found(excerpt(&found))
    })?;
    let size = if class == "UntypedStorage" { 1 } else { dtype.block().1 };
    let bytes = (count as u64).checked_mul(size).ok_or_else(|| malformed("a storage of more than 2^64 bytes"))?;
    Ok(Storage { key, dtype, bytes })
}

/// The element type of a typed storage.
fn of_storage(class: &str) -> Option<DType> {
    Some(match class {
        "FloatStorage" => DType::F32,
        "DoubleStorage" => DType::F64,
        "HalfStorage" => DType::F16,
        "BFloat16Storage" => DType::Bf16,
        "ByteStorage" => DType::U8,
        "CharStorage" => DType::I8,
        "ShortStorage" => DType::I16,
        "IntStorage" => DType::I32,
        "LongStorage" => DType::I64,
        "BoolStorage" => DType::Bool,
        "ComplexFloatStorage" => DType::C64,
        _ => return None,
    })
}

/// The element type of this name in `torch`.
fn of_dtype(name: &str) -> Option<DType> {
    Some(match name {
        "float32" => DType::F32,
        "float64" => DType::F64,
        "float16" => DType::F16,
        "bfloat16" => DType::Bf16,
        "uint8" => DType::U8,
        "int8" => DType::I8,
        "uint16" => DType::U16,
        "int16" => DType::I16,
        "uint32" => DType::U32,
        "int32" => DType::I32,
        "uint64" => DType::U64,
        "int64" => DType::I64,
        "bool" => DType::Bool,
        "complex64" => DType::C64,
        "float8_e4m3fn" => DType::F8E4M3,
        "float8_e5m2" => DType::F8E5M2,
        "float8_e4m3fnuz" => DType::F8E4M3Fnuz,
        "float8_e5m2fnuz" => DType::F8E5M2Fnuz,
        "float8_e8m0fnu" => DType::F8E8M0,
        _ => return None,
    })
}
