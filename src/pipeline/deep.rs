//! The job of a container of Deep Compression. How long a record is, its weights decide: what is laid out here is the most that it can be, and
//! whoever runs the job puts the places into the header when it knows them.

use super::{Content, File, Job, Segment, Task};
use crate::error::{Code, Error, Result};
use crate::formats::Format;
use crate::formats::deep_write::{Written, header};
use crate::pack::{Packing, Part};
use crate::plan::{Choice, Model, Plan};
use crate::tensor::DType;

/// What becomes of one tensor: packed, or as it was.
enum Made {
    Packed(Task, Vec<Part>),
    Stored { byte_len: u64, dtype: DType, is_record: bool },
}

pub(super) fn job(model: &Model, plan: &Plan) -> Result<Job> {
    let sources: Vec<_> = model.tensors().map(|(_, tensor)| tensor).collect();
    let made = plan.choices.iter().map(|choice| match choice.packing {
        Packing::Copy => {
            let tensor = sources.get(choice.tensor).ok_or_else(|| {
                Error::new(Code::InvalidArgument, "only stored tensors are copied").with_tensor(&choice.name)
            })?;
            let byte_len = tensor.bytes.end - tensor.bytes.start;
            Ok(Made::Stored { byte_len, dtype: tensor.dtype, is_record: tensor.deep })
        }
        _ => Task::new(choice.tensor, &choice.packing, &choice.dims)
            .map(|(task, parts)| Made::Packed(task, parts))
            .map_err(|e| e.with_tensor(&choice.name)),
    });
    let made: Vec<Made> = made.collect::<Result<_>>()?;
    let dims: Vec<Vec<u64>> = plan.choices.iter().map(|choice| dims_of(model, choice)).collect();
    let written: Vec<Written<'_>> = plan
        .choices
        .iter()
        .zip(&made)
        .zip(&dims)
        .map(|((choice, made), dims)| {
            let (dtype, byte_len, is_record) = match made {
                Made::Packed(_, parts) => {
                    (parts[0].dtype, parts[0].byte_len, matches!(choice.packing, Packing::Record { .. }))
                }
                Made::Stored { byte_len, dtype, is_record } => (*dtype, *byte_len, *is_record),
            };
            Written { name: &choice.name, dtype, dims, byte_len, is_record }
        })
        .collect();
    let notes = match model.parts.first() {
        Some(part) if matches!(part.format, Format::Safetensors | Format::Deep) => part.metadata.as_slice(),
        _ => &[],
    };
    let head = header(&written, notes)?;
    let byte_len = head.data.last().map_or(head.bytes.len() as u64, |place| place.end);
    let mut segments = vec![Segment { at: 0, content: Content::Bytes(head.bytes) }];
    let mut tasks = Vec::new();
    for ((choice, made), place) in plan.choices.iter().zip(made).zip(&head.data) {
        match made {
            Made::Packed(mut task, parts) => {
                task.place(&parts, &[(0, place.start)])?;
                tasks.push(task);
            }
            Made::Stored { byte_len, .. } => {
                segments.push(Segment { at: place.start, content: Content::Stored { tensor: choice.tensor, byte_len } })
            }
        }
    }
    Ok(Job {
        files: vec![File { name: String::new(), byte_len, segments }],
        tasks,
        places: head.places,
        ..Job::default()
    })
}

/// The dimensions that a tensor keeps: a task may cut it otherwise.
fn dims_of(model: &Model, choice: &Choice) -> Vec<u64> {
    let stored = model.tensors().nth(choice.tensor).map(|(_, tensor)| tensor.shape.dims().to_vec());
    stored.unwrap_or_else(|| choice.dims.clone())
}
