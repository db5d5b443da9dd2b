//! Walks a model file and keeps what its structure is made of: every tag, length, name and small value, and none of the weights. A
//! payload is jumped over, so that a model is listed by reading little more than its graph.

use std::ops::Range;

use super::wire::{Field, Held, MAX_HEADER, Value, field};
use crate::error::{Code, Error, Result};

/// Bytes asked for at once after a jump.
const PIECE: u64 = 64 << 10;

/// And at most, when one piece follows the other.
const MAX_PIECE: u64 = 1 << 20;

/// Messages within messages: what protocol buffers themselves allow.
const MAX_DEPTH: usize = 100;

/// The most that is kept: what a model has besides its weights. Those of language models have a few MB.
const MAX_KEPT: u64 = 64 << 20;

/// Graphs, nodes, attributes and tensors; each costs more memory than the file gives it bytes.
const MAX_MESSAGES: u64 = 1 << 20;

/// Payloads up to here are kept, larger ones are skipped.
const SMALL_PAYLOAD: u64 = 64;

/// Names, notes and other values up to here are kept.
const SMALL_VALUE: u64 = 64 << 10;

/// The messages that are walked field by field. Others are kept whole, or skipped when they are large.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Message {
    Model,
    Graph,
    Node,
    Attribute,
    Tensor,
}

impl Message {
    /// The message in this field, if it is one to be walked.
    fn child(self, number: u32) -> Option<Message> {
        match (self, number) {
            (Message::Model, 7) | (Message::Attribute, 6 | 11) => Some(Message::Graph),
            (Message::Graph, 1) => Some(Message::Node),
            (Message::Node, 5) => Some(Message::Attribute),
            (Message::Graph, 5) | (Message::Attribute, 5 | 10) => Some(Message::Tensor),
            _ => None,
        }
    }

    /// The longest value of this field that is kept.
    fn kept(self, number: u32) -> u64 {
        match (self, number) {
            // Numbers of varying length: nothing can be read from their place, so they are decoded now.
            (Message::Tensor, 5 | 7 | 11) => u64::MAX,
            (Message::Tensor, 4 | 6 | 9 | 10) => SMALL_PAYLOAD,
            _ => SMALL_VALUE,
        }
    }
}

/// What the walk needs next.
pub(super) enum Walk {
    /// These bytes.
    Need(Range<u64>),
    /// Nothing: this is the file's structure.
    Done(Held),
}

/// The walk.
#[derive(Debug)]
pub(super) struct Scan {
    len: u64,
    at: u64,
    /// The messages around `at`, from the file itself inwards, and where each ends.
    stack: Vec<(Message, u64)>,
    /// A value being kept: up to here.
    keep_until: u64,
    held: Held,
    messages: u64,
    piece: u64,
}

fn too_large(at: u64, expected: String) -> Error {
    Error::new(Code::Unsupported, "the model's graph is too large")
        .with_offset(at)
        .with_expected(expected)
        .with_found("more")
}

impl Scan {
    pub(super) fn new(len: u64) -> Scan {
        let stack = vec![(Message::Model, len)];
        Scan { len, at: 0, stack, keep_until: 0, held: Held::default(), messages: 0, piece: PIECE }
    }

    /// Takes bytes that begin at `start`: the file's first, then those asked for.
    pub(super) fn take(&mut self, start: u64, bytes: &[u8]) -> Result<Walk> {
        let stop = start + bytes.len() as u64;
        let from = |at: u64| usize::try_from(at.saturating_sub(start)).ok().and_then(|i| bytes.get(i..)).unwrap_or(&[]);
        loop {
            if self.at < self.keep_until {
                let rest = from(self.at);
                let most = rest.len().min(usize::try_from(self.keep_until - self.at).unwrap_or(usize::MAX));
                self.keep(&rest[..most])?;
                if self.at < self.keep_until {
                    return Ok(self.ask(stop));
                }
            }
            while self.stack.last().is_some_and(|&(_, end)| end == self.at) {
                self.stack.pop();
            }
            let Some(&(message, end)) = self.stack.last() else {
                return Ok(Walk::Done(std::mem::take(&mut self.held)));
            };
            let rest = from(self.at);
            let wanted = (end - self.at).min(MAX_HEADER);
            if (rest.len() as u64) < wanted {
                return Ok(self.ask(stop));
            }
            let field = field(&rest[..wanted as usize], self.at, end, message == Message::Model)?;
            self.enter(message, &field, rest)?;
        }
    }

    /// Goes on behind the field's tag: into it, through it, or over it. `rest` begins with the field.
    fn enter(&mut self, message: Message, field: &Field, rest: &[u8]) -> Result<()> {
        let Value::Bytes(body) = &field.value else {
            return self.keep(&rest[..(field.whole.end - field.whole.start) as usize]);
        };
        self.keep(&rest[..(body.start - field.whole.start) as usize])?;
        if let Some(child) = message.child(field.number) {
            if self.stack.len() >= MAX_DEPTH {
                return Err(Error::new(Code::Unsupported, "the model is nested too deeply")
                    .with_offset(field.whole.start)
                    .with_expected(format_args!("at most {MAX_DEPTH} levels"))
                    .with_found("more"));
            }
            self.messages += 1;
            if self.messages > MAX_MESSAGES {
                return Err(too_large(
                    field.whole.start,
                    format!("at most {MAX_MESSAGES} nodes, attributes and tensors"),
                ));
            }
            self.stack.push((child, body.end));
        } else if body.end - body.start <= message.kept(field.number) {
            self.keep_until = body.end;
        } else {
            self.at = body.end;
        }
        Ok(())
    }

    fn keep(&mut self, bytes: &[u8]) -> Result<()> {
        self.held.push(self.at, bytes)?;
        self.at += bytes.len() as u64;
        if self.held.total() > MAX_KEPT {
            return Err(too_large(self.at, format!("at most {MAX_KEPT} bytes besides its weights")));
        }
        Ok(())
    }

    /// Asks for more, which follows `stop`, the end of what was given, or lies further on.
    fn ask(&mut self, stop: u64) -> Walk {
        self.piece =
            if self.at + MAX_HEADER >= stop && self.at <= stop { (2 * self.piece).min(MAX_PIECE) } else { PIECE };
        Walk::Need(self.at..self.len.min(self.at.saturating_add(self.piece)))
    }
}
