//! The job of an npz file: stored members, each an npy array, whose CRC-32 is filled in when their bytes are known.

use super::{Check, Content, File, Job, Segment, Task};
use crate::error::{Code, Error, Result};
use crate::formats::npz_write::{Array, layout};
use crate::pack::Packing;
use crate::plan::{Model, Plan};
use crate::tensor::{DType, Shape};

pub(super) fn job(model: &Model, plan: &Plan) -> Result<Job> {
    let shapes: Vec<&Shape> =
        model.tensors().map(|(_, t)| &t.shape).chain(model.derived().map(|(_, d)| &d.shape)).collect();
    let arrays = plan.choices.iter().map(|choice| {
        let dtype = DType::named(&choice.dtype).ok_or_else(|| {
            Error::new(Code::Unsupported, "numpy has no such type").with_tensor(&choice.name).with_found(&choice.dtype)
        })?;
        Ok(Array { name: &choice.name, dtype, dims: shapes[choice.tensor].dims() })
    });
    let laid_out = layout(&arrays.collect::<Result<Vec<_>>>()?)?;
    let mut segments: Vec<Segment> =
        laid_out.bytes.into_iter().map(|(at, bytes)| Segment { at, content: Content::Bytes(bytes) }).collect();
    let mut tasks = Vec::new();
    for (choice, place) in plan.choices.iter().zip(&laid_out.data) {
        if choice.packing == Packing::Copy {
            let byte_len = place.end - place.start;
            segments.push(Segment { at: place.start, content: Content::Stored { tensor: choice.tensor, byte_len } });
        } else {
            let (mut task, parts) =
                Task::new(choice.tensor, &choice.packing, &choice.dims).map_err(|e| e.with_tensor(&choice.name))?;
            task.place(&parts, &[(0, place.start)])?;
            tasks.push(task);
        }
    }
    segments.sort_by_key(|segment| segment.at);
    let checks = laid_out.checks.into_iter().map(|check| Check { file: 0, of: check.of, at: check.at }).collect();
    Ok(Job {
        files: vec![File { name: String::new(), byte_len: laid_out.byte_len, segments }],
        tasks,
        checks,
        places: vec![],
    })
}
