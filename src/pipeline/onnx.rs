//! The job of an ONNX model: the model's file copied with its weights replaced, and a file of data beside it where protocol buffers
//! cannot hold them.

use std::collections::HashMap;
use std::ops::Range;

use super::{Content, File, Job, Segment, Task};
use crate::error::{Code, Error, Result};
use crate::formats::onnx::Model as Graph;
use crate::formats::onnx::write::{Change, How, MAX_MODEL, Piece, Stored, write};
use crate::pack::{Packing, Part};
use crate::plan::{Model, Plan};

/// The files' names, where there are two.
const NAMES: [&str; 2] = ["model.onnx", "model.onnx.data"];

pub(super) fn job(model: &Model, plan: &Plan) -> Result<Job> {
    job_with_limit(model, plan, MAX_MODEL)
}

/// As [`super::job`], with data beside the model when it has more than `limit` bytes.
pub fn job_with_limit(model: &Model, plan: &Plan, limit: u64) -> Result<Job> {
    let source = model.parts.first().and_then(|part| Some((part, part.onnx.as_deref()?)));
    let (listing, graph) = source
        .ok_or_else(|| Error::new(Code::InvalidArgument, "ONNX is written from ONNX").with_expected("a model"))?;
    let initializers: HashMap<&str, usize> =
        graph.graph.initializers.iter().enumerate().map(|(i, t)| (t.name.as_str(), i)).collect();
    let mut changes = Vec::new();
    let mut tasks: Vec<(Task, Vec<Part>)> = Vec::new();
    for choice in plan.choices.iter().filter(|choice| choice.packing != Packing::Copy) {
        let named = |e: Error| e.with_tensor(&choice.name);
        let initializer = *initializers.get(choice.name.as_str()).ok_or_else(|| {
            named(Error::new(Code::InvalidArgument, "only initializers of the main graph can be changed"))
        })?;
        let (task, parts) = Task::new(choice.tensor, &choice.packing, &choice.dims).map_err(named)?;
        let stored = parts.iter().map(|part| Stored {
            suffix: if part.name.is_empty() { "f16" } else { part.name },
            dtype: part.dtype,
            dims: part.dims.clone(),
            byte_len: part.byte_len,
        });
        changes.push(Change { initializer, how: how(&choice.packing).map_err(named)?, parts: stored.collect() });
        tasks.push((task, parts));
    }
    let written = write(graph, &changes, NAMES[1], limit)?;
    let names = if written.data.is_empty() { ["", ""] } else { NAMES };
    let mut places: Vec<Vec<(usize, u64)>> = tasks.iter().map(|(_, parts)| vec![(0, 0); parts.len()]).collect();
    let mut files = Vec::new();
    let mut kept: Vec<(Range<u64>, usize)> = plan
        .choices
        .iter()
        .filter(|choice| choice.packing == Packing::Copy)
        .map(|choice| (&listing.tensors[choice.tensor], choice.tensor))
        .filter(|(tensor, _)| tensor.file.is_none() && tensor.inline.is_none() && !tensor.bytes.is_empty())
        .map(|(tensor, index)| (tensor.bytes.clone(), index))
        .collect();
    kept.sort_by_key(|(bytes, _)| bytes.start);
    let listed = listing.tensors.iter().map(|t| t.name.as_str()).zip(0..).collect();
    let stored = Sources { listed, kept, graph };
    for (pieces, name) in [written.model, written.data].into_iter().zip(names).filter(|(pieces, _)| !pieces.is_empty())
    {
        files.push(stored.file(files.len(), name, pieces, &mut places));
    }
    let mut done = Vec::with_capacity(tasks.len());
    for ((mut task, parts), places) in tasks.into_iter().zip(&places) {
        task.place(&parts, places)?;
        done.push(task);
    }
    Ok(Job { files, tasks: done, ..Job::default() })
}

/// What the nodes have to know of a packing.
fn how(packing: &Packing) -> Result<How> {
    Ok(match *packing {
        Packing::Cast { .. } => How::Cast,
        Packing::OnnxLinear { axis, block, .. } => How::Linear { axis: axis.map(|axis| axis as u64), block },
        Packing::OnnxMatMul { bits, block, .. } => How::MatMul { bits: bits.into(), block },
        Packing::OnnxGather { bits, block, .. } => How::Gather { bits: bits.into(), block },
        _ => {
            return Err(Error::new(Code::InvalidArgument, "ONNX cannot store a tensor so")
                .with_expected("a cast, onnx_linear, onnx_mat_mul or onnx_gather")
                .with_found(format!("{packing:?}")));
        }
    })
}

/// The model's tensors, to find those that are copied.
struct Sources<'a> {
    listed: HashMap<&'a str, usize>,
    /// The bytes of those that stay, in order: they are named where they are copied, so that they can be counted.
    kept: Vec<(Range<u64>, usize)>,
    graph: &'a Graph,
}

impl Sources<'_> {
    /// A file of these pieces; says where the parts of the tasks lie.
    fn file(&self, index: usize, name: &str, pieces: Vec<Piece>, places: &mut [Vec<(usize, u64)>]) -> File {
        let (mut at, mut segments) = (0, Vec::new());
        for piece in pieces {
            let byte_len = piece.byte_len();
            match piece {
                Piece::Bytes(bytes) => segments.push(Segment { at, content: Content::Bytes(bytes) }),
                Piece::Copy(range) => self.copy(at, range, &mut segments),
                Piece::Stored { initializer, byte_len } => {
                    // Whatever has data in another file has a type, and so is listed.
                    let name = self.graph.graph.initializers[initializer].name.as_str();
                    let tensor = self.listed.get(name).copied();
                    segments.extend(tensor.map(|tensor| Segment { at, content: Content::Stored { tensor, byte_len } }));
                }
                Piece::Part { change, part, .. } => places[change][part] = (index, at),
            }
            at += byte_len;
        }
        File { name: name.to_owned(), byte_len: at, segments }
    }

    /// A copy of the model's file, tensors in it by themselves.
    fn copy(&self, mut at: u64, range: Range<u64>, segments: &mut Vec<Segment>) {
        let mut from = range.start;
        let mut push = |from: &mut u64, to: u64, tensor: Option<usize>| {
            let byte_len = to - *from;
            let content = match tensor {
                Some(tensor) => Content::Stored { tensor, byte_len },
                None => Content::Copy { part: 0, range: *from..to },
            };
            if byte_len > 0 {
                segments.push(Segment { at, content });
            }
            at += byte_len;
            *from = to;
        };
        let first = self.kept.partition_point(|(bytes, _)| bytes.start < range.start);
        for (bytes, tensor) in self.kept[first..].iter().take_while(|(bytes, _)| bytes.end <= range.end) {
            push(&mut from, bytes.start, None);
            push(&mut from, bytes.end, Some(*tensor));
        }
        push(&mut from, range.end, None);
    }
}
