//! The job of a GGUF file: its header, then every tensor in the order of the plan, zeros between them.

use super::{Content, File, Job, Segment, Task};
use crate::error::{Code, Error, Result};
use crate::formats::gguf::write::{self, NewValue, Pair, Piece, QUANTIZATION_VERSION, Tensor};
use crate::pack::Packing;
use crate::plan::{Model, Plan};
use crate::tensor::{DType, Shape};

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
    let tensors = tensors.collect::<Result<Vec<_>>>()?;
    let header = model.parts.first().and_then(|part| part.gguf.as_ref());
    let pairs = header.map_or_else(
        || {
            vec![
                Pair::New(write::QUANTIZATION_VERSION_KEY, NewValue::U32(QUANTIZATION_VERSION)),
                Pair::New(write::FILE_TYPE_KEY, NewValue::U32(file_type)),
            ]
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
    let ends = written.tensors.iter().skip(1).map(|next| next.start).chain([written.file_len]);
    for ((choice, place), end) in plan.choices.iter().zip(&written.tensors).zip(ends) {
        let byte_len = place.end - place.start;
        if choice.packing == Packing::Copy {
            segments.push(Segment { at: place.start, content: Content::Stored { tensor: choice.tensor, byte_len } });
        } else {
            let (mut task, parts) =
                Task::new(choice.tensor, &choice.packing, &choice.dims).map_err(|e| e.with_tensor(&choice.name))?;
            task.place(&parts, &[(0, place.start)])?;
            tasks.push(task);
        }
        if place.end < end {
            let zeros = vec![0; (end - place.end) as usize];
            segments.push(Segment { at: place.end, content: Content::Bytes(zeros) });
        }
    }
    Ok(Job { files: vec![File { name: String::new(), byte_len: written.file_len, segments }], tasks, checks: vec![] })
}
