//! Pickles, interpreted: the opcodes of protocols 0 to 5 build a tree of plain values. Nothing is imported and nothing is called: a name
//! and its arguments stay a [`Node::Call`], and what knows the few names that rebuild tensors looks at them afterwards.
//!
//! Definition: CPython's `pickletools.py`, which documents every opcode.
//!
//! What a pickle may build is bounded. Nodes are shared and may form cycles, as in Python; who walks them must count.

use std::collections::HashMap;
use std::ops::Range;

use crate::error::{Code, Error, Result};

/// The longest pickle: that of a checkpoint with ten thousand tensors is 2 MB long.
pub(super) const MAX_PICKLE_BYTES: u64 = 32 << 20;

/// The most that is looked at of a text. One text may be memorized and meant a million times.
pub(super) const MAX_TEXT_BYTES: usize = 1000;

/// The most nodes, values on the stack, memorized values, and elements of all nodes together.
const MOST: [(&str, usize); 4] =
    [("nodes", 400_000), ("values on the stack", 1_000_000), ("memos", 800_000), ("elements", 1_000_000)];

/// A value: small, and copied freely.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Value {
    None,
    Bool(bool),
    Int(i64),
    /// A number that is of no use here: a float, or an integer beyond 64 bits.
    Number,
    /// Text, by its place in the pickle.
    Text(Span),
    /// Bytes, sets, buffers: of no use here.
    Opaque,
    /// A name: `module name`.
    Global(Global),
    Node(usize),
}

/// A range of the pickle.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Span {
    start: u32,
    end: u32,
}

impl Span {
    /// How many bytes.
    pub fn len(self) -> usize {
        (self.end - self.start) as usize
    }

    fn range(self) -> Range<usize> {
        self.start as usize..self.end as usize
    }
}

/// Module and name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Global {
    pub module: Span,
    pub name: Span,
}

/// What other values are made of.
#[derive(Debug, Default)]
pub(super) struct Node {
    pub kind: Kind,
    /// Elements of a list or a tuple; of a call the tuple of its arguments; a persistent id.
    pub items: Vec<Value>,
    /// Pairs of a dictionary, in the order in which they were set; a call may have them too.
    pub pairs: Vec<(Value, Value)>,
    /// What `__setstate__` would have been given.
    pub state: Option<Value>,
}

#[derive(Debug, Default, Clone, Copy, PartialEq)]
pub(super) enum Kind {
    #[default]
    List,
    Tuple,
    Dict,
    /// This, called.
    Call(Value),
    Persistent,
}

/// What a pickle builds.
#[derive(Debug)]
pub(super) struct Tree<'a> {
    pickle: &'a [u8],
    pub nodes: Vec<Node>,
    pub root: Value,
}

impl Tree<'_> {
    /// The text of a span, of a longer one than [`MAX_TEXT_BYTES`] its beginning; what is not UTF-8 is replaced.
    pub fn text(&self, span: Span) -> std::borrow::Cow<'_, str> {
        let bytes = &self.pickle[span.range()];
        String::from_utf8_lossy(&bytes[..bytes.len().min(MAX_TEXT_BYTES)])
    }

    /// `module.name`, of each its [text](Tree::text).
    pub fn global(&self, global: Global) -> String {
        format!("{}.{}", self.text(global.module), self.text(global.name))
    }

    pub fn node(&self, value: Value) -> Option<&Node> {
        match value {
            Value::Node(i) => self.nodes.get(i),
            _ => None,
        }
    }

    /// The elements of a tuple or a list.
    pub fn sequence(&self, value: Value) -> Option<&[Value]> {
        let node = self.node(value)?;
        matches!(node.kind, Kind::Tuple | Kind::List).then_some(node.items.as_slice())
    }
}

/// Runs a pickle. Offsets in errors count from its start.
pub(super) fn run(pickle: &[u8]) -> Result<Tree<'_>> {
    if pickle.len() as u64 > MAX_PICKLE_BYTES {
        return Err(Error::new(Code::Unsupported, "the pickle is too long")
            .with_expected(format_args!("at most {MAX_PICKLE_BYTES} bytes"))
            .with_found(format_args!("{} bytes", pickle.len())));
    }
    let mut machine = Machine { pickle, ..Machine::default() };
    loop {
        if let Some(root) = machine.step()? {
            return Ok(Tree { pickle, nodes: machine.nodes, root });
        }
        let counts =
            [machine.nodes.len(), machine.stack.len() + machine.marks.len(), machine.memo.len(), machine.elements];
        if let Some((count, (what, most))) = counts.iter().zip(MOST).find(|&(&count, (_, most))| count > most) {
            return Err(Error::new(Code::Unsupported, "the pickle builds more than is read")
                .with_offset(machine.op_at as u64)
                .with_expected(format_args!("at most {most} {what}"))
                .with_found(count));
        }
    }
}

#[derive(Default)]
struct Machine<'a> {
    pickle: &'a [u8],
    at: usize,
    /// Where the opcode being run stands.
    op_at: usize,
    stack: Vec<Value>,
    /// Heights of the stack.
    marks: Vec<usize>,
    memo: HashMap<u64, Value>,
    nodes: Vec<Node>,
    /// Of all nodes.
    elements: usize,
}

impl Machine<'_> {
    fn malformed(&self, message: &str) -> Error {
        let op = self.pickle.get(self.op_at).map_or("the end".into(), |op| format!("opcode 0x{op:02x}"));
        Error::new(Code::Malformed, message).with_offset(self.op_at as u64).with_found(op)
    }

    /// The next `length` bytes, after which so many are skipped. `run` has seen that 32 bits hold their places.
    fn advance(&mut self, length: usize, skip: usize) -> Span {
        let span = Span { start: self.at as u32, end: (self.at + length) as u32 };
        self.at += length + skip;
        span
    }

    fn bytes(&mut self, count: u64) -> Result<Span> {
        let left = (self.pickle.len() - self.at) as u64;
        if count > left {
            return Err(Error::new(Code::Truncated, "the pickle ends inside an opcode")
                .with_offset(self.op_at as u64)
                .with_expected(format_args!("{count} bytes more"))
                .with_found(format_args!("{left} bytes")));
        }
        Ok(self.advance(count as usize, 0))
    }

    /// A little-endian number of `N` bytes, N ≤ 8.
    fn uint<const N: usize>(&mut self) -> Result<u64> {
        let span = self.bytes(N as u64)?;
        let mut number = [0; 8];
        number[..N].copy_from_slice(&self.pickle[span.range()]);
        Ok(u64::from_le_bytes(number))
    }

    /// As many bytes as the `N` bytes before them say.
    fn counted<const N: usize>(&mut self) -> Result<Span> {
        let count = self.uint::<N>()?;
        self.bytes(count)
    }

    /// Up to a line feed, which is skipped.
    fn line(&mut self) -> Result<Span> {
        let length = self.pickle[self.at..].iter().position(|&b| b == b'\n');
        let Some(length) = length else {
            return Err(Error::new(Code::Truncated, "the pickle ends inside a line")
                .with_offset(self.op_at as u64)
                .with_expected("a line feed")
                .with_found("the end"));
        };
        Ok(self.advance(length, 1))
    }

    /// A signed number of any length, little-endian.
    fn long(&self, span: Span) -> Value {
        let bytes = &self.pickle[span.range()];
        if bytes.len() > 8 {
            return Value::Number;
        }
        let sign = if bytes.last().is_some_and(|b| b & 0x80 != 0) { 0xff } else { 0 };
        let mut number = [sign; 8];
        number[..bytes.len()].copy_from_slice(bytes);
        Value::Int(i64::from_le_bytes(number))
    }

    /// A number in decimal, with Python 2's `L`.
    fn decimal(&self, span: Span) -> Value {
        let text = std::str::from_utf8(&self.pickle[span.range()]).unwrap_or_default();
        text.trim_end_matches('L').parse().map_or(Value::Number, Value::Int)
    }

    fn pop(&mut self) -> Result<Value> {
        let floor = self.marks.last().copied().unwrap_or(0);
        if self.stack.len() <= floor {
            return Err(self.malformed("the pickle takes a value from an empty stack"));
        }
        Ok(self.stack.pop().expect("higher than its floor"))
    }

    fn top(&self) -> Result<Value> {
        self.stack.last().copied().ok_or_else(|| self.malformed("the pickle takes a value from an empty stack"))
    }

    /// Everything above the last mark.
    fn pop_mark(&mut self) -> Result<Vec<Value>> {
        let Some(mark) = self.marks.pop() else {
            return Err(self.malformed("the pickle looks for a mark that was not set"));
        };
        Ok(self.stack.split_off(mark.min(self.stack.len())))
    }

    fn node(&mut self, kind: Kind, items: Vec<Value>) -> Value {
        self.elements += items.len();
        self.nodes.push(Node { kind, items, ..Node::default() });
        Value::Node(self.nodes.len() - 1)
    }

    fn dict(&mut self, items: &[Value]) -> Result<Value> {
        let value = self.node(Kind::Dict, Vec::new());
        self.set(value, items)?;
        Ok(value)
    }

    fn set(&mut self, target: Value, items: &[Value]) -> Result<()> {
        if !items.len().is_multiple_of(2) {
            return Err(self.malformed("the pickle sets a key without a value"));
        }
        if let Value::Node(i) = target {
            self.elements += items.len() / 2;
            self.nodes[i].pairs.extend(items.chunks_exact(2).map(|pair| (pair[0], pair[1])));
        }
        Ok(())
    }

    fn append(&mut self, items: Vec<Value>) -> Result<()> {
        if let Value::Node(i) = self.top()? {
            self.elements += items.len();
            self.nodes[i].items.extend(items);
        }
        Ok(())
    }

    /// A tuple of the last `N` values.
    fn tuple<const N: usize>(&mut self) -> Result<Value> {
        let mut items = Vec::with_capacity(N);
        for _ in 0..N {
            items.push(self.pop()?);
        }
        items.reverse();
        Ok(self.node(Kind::Tuple, items))
    }

    /// `callee(*arguments)`, as a node whose one item is the arguments.
    fn call(&mut self, callee: Value, arguments: Value) -> Value {
        self.node(Kind::Call(callee), vec![arguments])
    }

    fn remembered(&self, key: u64) -> Result<Value> {
        self.memo.get(&key).copied().ok_or_else(|| {
            self.malformed("the pickle recalls what it did not memorize").with_expected(format_args!("memo {key}"))
        })
    }

    fn key_of(&self, span: Span) -> Result<u64> {
        let text = std::str::from_utf8(&self.pickle[span.range()]).ok();
        text.and_then(|t| t.parse().ok()).ok_or_else(|| self.malformed("the key of a memo is not a number"))
    }

    fn global(&mut self, module: Value, name: Value) -> Result<Value> {
        match (module, name) {
            (Value::Text(module), Value::Text(name)) => Ok(Value::Global(Global { module, name })),
            _ => Err(self.malformed("the pickle names a global by something else than text")),
        }
    }

    /// Runs one opcode; the root at the end.
    fn step(&mut self) -> Result<Option<Value>> {
        self.op_at = self.at;
        let Some(&op) = self.pickle.get(self.at) else {
            return Err(Error::new(Code::Truncated, "the pickle ends without its STOP")
                .with_offset(self.at as u64)
                .with_expected("opcode 0x2e")
                .with_found("the end"));
        };
        self.at += 1;
        let value = match op {
            b'.' => return self.pop().map(Some),
            // Protocol and frames say nothing new.
            0x80 => return self.protocol(),
            0x95 => return self.uint::<8>().map(|_| None),
            b'(' => {
                self.marks.push(self.stack.len());
                return Ok(None);
            }
            b'0' => return self.discard(),
            b'1' => return self.pop_mark().map(|_| None),
            b'q' | b'r' | b'p' | 0x94 => return self.memorize(op),
            b'a' | b'e' | b'u' | b's' | 0x90 | b'b' => return self.change(op),
            b'N' => Value::None,
            0x88 => Value::Bool(true),
            0x89 => Value::Bool(false),
            b'K' => Value::Int(self.uint::<1>()? as i64),
            b'M' => Value::Int(self.uint::<2>()? as i64),
            b'J' => Value::Int(i64::from(self.uint::<4>()? as u32 as i32)),
            0x8a => {
                let span = self.counted::<1>()?;
                self.long(span)
            }
            0x8b => {
                let span = self.counted::<4>()?;
                self.long(span)
            }
            b'I' => {
                let span = self.line()?;
                match &self.pickle[span.range()] {
                    b"00" => Value::Bool(false),
                    b"01" => Value::Bool(true),
                    _ => self.decimal(span),
                }
            }
            b'L' => {
                let span = self.line()?;
                self.decimal(span)
            }
            b'F' => self.line().map(|_| Value::Number)?,
            b'G' => self.bytes(8).map(|_| Value::Number)?,
            b'X' => Value::Text(self.counted::<4>()?),
            0x8c => Value::Text(self.counted::<1>()?),
            0x8d => Value::Text(self.counted::<8>()?),
            // Python 2's strings, which torch of old wrote for names.
            b'U' => Value::Text(self.counted::<1>()?),
            b'T' => Value::Text(self.counted::<4>()?),
            b'V' => Value::Text(self.line()?),
            b'S' => {
                let span = self.line()?;
                let quoted = span.end - span.start >= 2;
                Value::Text(if quoted { Span { start: span.start + 1, end: span.end - 1 } } else { span })
            }
            b'C' => self.counted::<1>().map(|_| Value::Opaque)?,
            b'B' => self.counted::<4>().map(|_| Value::Opaque)?,
            0x8e | 0x96 => self.counted::<8>().map(|_| Value::Opaque)?,
            0x97 => Value::Opaque,
            0x98 => return Ok(None),
            b']' => self.node(Kind::List, Vec::new()),
            b')' => self.node(Kind::Tuple, Vec::new()),
            b'}' => self.node(Kind::Dict, Vec::new()),
            0x8f => self.node(Kind::List, Vec::new()),
            b'l' | 0x91 => {
                let items = self.pop_mark()?;
                self.node(Kind::List, items)
            }
            b't' => {
                let items = self.pop_mark()?;
                self.node(Kind::Tuple, items)
            }
            b'd' => {
                let items = self.pop_mark()?;
                self.dict(&items)?
            }
            0x85 => self.tuple::<1>()?,
            0x86 => self.tuple::<2>()?,
            0x87 => self.tuple::<3>()?,
            b'2' => self.top()?,
            b'h' => {
                let key = self.uint::<1>()?;
                self.remembered(key)?
            }
            b'j' => {
                let key = self.uint::<4>()?;
                self.remembered(key)?
            }
            b'g' => {
                let line = self.line()?;
                let key = self.key_of(line)?;
                self.remembered(key)?
            }
            b'c' | 0x93 | b'i' | b'o' | b'R' | 0x81 | 0x92 => self.name_or_call(op)?,
            b'P' => {
                let line = self.line()?;
                self.node(Kind::Persistent, vec![Value::Text(line)])
            }
            b'Q' => {
                let id = self.pop()?;
                self.node(Kind::Persistent, vec![id])
            }
            _ => return Err(self.malformed("the pickle has an opcode that is not known")),
        };
        self.stack.push(value);
        Ok(None)
    }

    fn protocol(&mut self) -> Result<Option<Value>> {
        match self.uint::<1>()? {
            0..=5 => Ok(None),
            other => Err(Error::new(Code::Unsupported, "the pickle is of a protocol that is not known")
                .with_offset(self.op_at as u64)
                .with_expected("0 to 5")
                .with_found(other)),
        }
    }

    fn discard(&mut self) -> Result<Option<Value>> {
        // POP takes a mark where there is nothing above it.
        if self.marks.last() == Some(&self.stack.len()) {
            self.marks.pop();
        } else {
            self.pop()?;
        }
        Ok(None)
    }

    fn memorize(&mut self, op: u8) -> Result<Option<Value>> {
        let key = match op {
            b'q' => self.uint::<1>()?,
            b'r' => self.uint::<4>()?,
            b'p' => {
                let line = self.line()?;
                self.key_of(line)?
            }
            _ => self.memo.len() as u64,
        };
        let value = self.top()?;
        self.memo.insert(key, value);
        Ok(None)
    }

    /// Opcodes that change what lies on the stack.
    fn change(&mut self, op: u8) -> Result<Option<Value>> {
        match op {
            b'a' => {
                let item = self.pop()?;
                self.append(vec![item])?;
            }
            b'e' | 0x90 => {
                let items = self.pop_mark()?;
                self.append(items)?;
            }
            b's' => {
                let value = self.pop()?;
                let key = self.pop()?;
                let target = self.top()?;
                self.set(target, &[key, value])?;
            }
            b'u' => {
                let items = self.pop_mark()?;
                let target = self.top()?;
                self.set(target, &items)?;
            }
            _ => {
                let state = self.pop()?;
                if let Value::Node(i) = self.top()? {
                    self.nodes[i].state = Some(state);
                }
            }
        }
        Ok(None)
    }

    fn name_or_call(&mut self, op: u8) -> Result<Value> {
        match op {
            b'c' => {
                let (module, name) = (self.line()?, self.line()?);
                Ok(Value::Global(Global { module, name }))
            }
            0x93 => {
                let name = self.pop()?;
                let module = self.pop()?;
                self.global(module, name)
            }
            b'i' => {
                let (module, name) = (self.line()?, self.line()?);
                let items = self.pop_mark()?;
                let arguments = self.node(Kind::Tuple, items);
                Ok(self.call(Value::Global(Global { module, name }), arguments))
            }
            b'o' => {
                let mut items = self.pop_mark()?.into_iter();
                let callee = items.next().ok_or_else(|| self.malformed("the pickle calls nothing"))?;
                let arguments = self.node(Kind::Tuple, items.collect());
                Ok(self.call(callee, arguments))
            }
            _ => {
                if op == 0x92 {
                    self.pop()?; // keyword arguments
                }
                let arguments = self.pop()?;
                let callee = self.pop()?;
                Ok(self.call(callee, arguments))
            }
        }
    }
}
