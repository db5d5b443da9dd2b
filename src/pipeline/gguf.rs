//! The job of a GGUF file: its header, then every tensor in the order of the plan, zeros between them.

use std::collections::HashMap;

use super::{Content, File, Job, Segment, Task};
use crate::error::{Code, Error, Result};
use crate::formats::gguf::write::{self, NewValue, Pair, Piece, QUANTIZATION_VERSION, Tensor};
use crate::pack::Packing;
use crate::plan::hugging_face::From;
use crate::plan::{Model, Plan};
use crate::tensor::{DType, Shape};

/// The most zeros between tensors, which are held while the file is written: a thousand tensors at pages of 64 KB have half as many.
const MAX_ZEROS: u64 = 64 << 20;

pub(super) fn job(model: &Model, plan: &Plan) -> Result<Job> {
    let shapes: Vec<&Shape> =
        model.tensors().map(|(_, t)| &t.shape).chain(model.derived().map(|(_, d)| &d.shape)).collect();
    let file_type = plan.gguf.as_ref().map_or(0, |details| details.file_type);
    let tensors = plan.choices.iter().map(|choice| {
        let dtype = DType::named(&choice.dtype).ok_or_else(|| {
            Error::new(Code::Unsupported, "GGUF has no such type").with_tensor(&choice.name).with_found(&choice.dtype)
        })?;
        Ok(Tensor { name: &choice.name, dtype, dims: shapes[choice.tensor].dims() })
    });
    let mut tensors = tensors.collect::<Result<Vec<_>>>()?;
    let folder = plan.gguf.as_ref().and_then(|details| details.folder.as_deref());
    let mapped = folder.map_or(&[][..], |folder| &folder.tensors);
    let made = mapped.iter().filter_map(|tensor| match &tensor.from {
        From::Made(values) => Some((tensor, values)),
        From::Tensor(_) => None,
    });
    tensors.extend(made.clone().map(|(t, _)| Tensor { name: &t.name, dtype: t.dtype, dims: &t.dims }));
    let heads: HashMap<&str, u64> = mapped.iter().filter_map(|t| Some((t.name.as_str(), t.heads?))).collect();
    let header = model.parts.first().and_then(|part| part.gguf.as_ref());
    let pairs = header.map_or_else(
        || {
            let keys = folder.map_or(&[][..], |folder| &folder.keys);
            let mut pairs: Vec<_> = keys.iter().map(|(name, value)| Pair::New(name, value.clone())).collect();
            pairs.push(Pair::New(write::QUANTIZATION_VERSION_KEY, NewValue::U32(QUANTIZATION_VERSION)));
            pairs.push(Pair::New(write::FILE_TYPE_KEY, NewValue::U32(file_type)));
            pairs
        },
        |header| write::copied(header, file_type),
    );
    let written = write::header(&pairs, &tensors)?;
    let mut at = 0;
    let mut segments = Vec::new();
    for piece in written.head {
        let content = match piece {
            Piece::Bytes(bytes) => Content::Bytes(bytes),
            Piece::Source(range) => Content::Copy { part: 0, range },
        };
        let byte_len = content.byte_len();
        segments.push(Segment { at, content });
        at += byte_len;
    }
    let mut tasks = Vec::new();
    for (choice, place) in plan.choices.iter().zip(&written.tensors) {
        if choice.packing == Packing::Copy {
            let byte_len = place.end - place.start;
            segments.push(Segment { at: place.start, content: Content::Stored { tensor: choice.tensor, byte_len } });
        } else {
            let named = |e: Error| e.with_tensor(&choice.name);
            let (mut task, parts) = Task::new(choice.tensor, &choice.packing, &choice.dims).map_err(named)?;
            if let Some(heads) = heads.get(choice.name.as_str()) {
                task.interleave(&choice.dims, *heads).map_err(named)?;
            }
            task.place(&parts, &[(0, place.start)])?;
            tasks.push(task);
        }
    }
    for ((_, values), place) in made.zip(&written.tensors[plan.choices.len()..]) {
        let bytes = values.iter().flat_map(|x| x.to_le_bytes()).collect();
        segments.push(Segment { at: place.start, content: Content::Bytes(bytes) });
    }
    let ends = written.tensors.iter().skip(1).map(|next| next.start).chain([written.file_len]);
    let gaps = written.tensors.iter().zip(ends).filter(|(place, end)| place.end < *end);
    let zeros: u64 = gaps.clone().map(|(place, end)| end - place.end).sum();
    if zeros > MAX_ZEROS {
        return Err(Error::new(Code::Unsupported, "the alignment would make a file of padding")
            .with_expected(format_args!("at most {MAX_ZEROS} bytes between the tensors"))
            .with_found(format_args!("{zeros} bytes")));
    }
    segments.extend(gaps.map(|(place, end)| {
        let zeros = vec![0; (end - place.end) as usize];
        Segment { at: place.end, content: Content::Bytes(zeros) }
    }));
    segments.sort_by_key(|segment| segment.at);
    Ok(Job { files: vec![File { name: String::new(), byte_len: written.file_len, segments }], tasks, ..Job::default() })
}
