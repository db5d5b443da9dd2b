//! The job of a safetensors file: the header, then every tensor in the order of the plan; and texts beside it.

use super::{Content, File, Job, Segment, Task};
use crate::error::Result;
use crate::formats::Format;
use crate::formats::safetensors_write::{Written, header};
use crate::pack::{Packing, Part};
use crate::plan::{Model, Plan};

/// The file's name, where there are others.
const NAME: &str = "model.safetensors";

pub(super) fn job(model: &Model, plan: &Plan) -> Result<Job> {
    let sources: Vec<_> = model.tensors().map(|(_, tensor)| tensor).collect();
    let mut tasks = Vec::with_capacity(plan.choices.len());
    let mut names: Vec<(String, Part)> = Vec::with_capacity(plan.choices.len());
    for choice in &plan.choices {
        if choice.packing == Packing::Copy {
            let tensor = sources[choice.tensor];
            let byte_len = tensor.bytes.end - tensor.bytes.start;
            let dims = tensor.shape.dims().to_vec();
            names.push((choice.name.clone(), Part { name: "", dtype: tensor.dtype, dims, byte_len, by_rows: true }));
            tasks.push((None, 1));
            continue;
        }
        let (task, parts) =
            Task::new(choice.tensor, &choice.packing, &choice.dims).map_err(|e| e.with_tensor(&choice.name))?;
        let literals = choice.packing.literals(&choice.dims);
        let all = parts.iter().chain(literals.iter().map(|(part, _)| part));
        names.extend(all.map(|part| (format!("{}{}", choice.name, suffix(part.name)), part.clone())));
        let count = parts.len() + literals.len();
        tasks.push((Some((task, parts, literals)), count));
    }
    let written: Vec<Written<'_>> = names
        .iter()
        .map(|(name, part)| Written { name, dtype: part.dtype, dims: &part.dims, byte_len: part.byte_len })
        .collect();
    let metadata = match model.parts.first() {
        Some(part) if part.format == Format::Safetensors => part.metadata.clone(),
        // Without it transformers takes the file for one of another framework.
        _ => vec![("format".to_owned(), "pt".to_owned())],
    };
    let head = header(&written, &metadata)?;
    let mut at = head.len() as u64;
    let mut segments = vec![Segment { at: 0, content: Content::Bytes(head) }];
    let mut done = Vec::new();
    let mut parts_left = names.iter().map(|(_, part)| part.byte_len);
    for ((task, n), choice) in tasks.into_iter().zip(&plan.choices) {
        let places: Vec<(usize, u64)> = parts_left
            .by_ref()
            .take(n)
            .map(|byte_len| {
                at += byte_len;
                (0, at - byte_len)
            })
            .collect();
        match task {
            Some((mut task, parts, literals)) => {
                task.place(&parts, &places)?;
                done.push(task);
                let rest = &places[parts.len()..];
                segments.extend(
                    rest.iter()
                        .zip(literals)
                        .map(|(&(_, at), (_, bytes))| Segment { at, content: Content::Bytes(bytes) }),
                );
            }
            None => {
                let byte_len = at - places[0].1;
                segments
                    .push(Segment { at: places[0].1, content: Content::Stored { tensor: choice.tensor, byte_len } });
            }
        }
    }
    let name = if plan.beside.is_empty() { "" } else { NAME };
    let mut files = vec![File { name: name.into(), byte_len: at, segments }];
    files.extend(plan.beside.iter().map(|(name, text)| {
        let bytes = text.clone().into_bytes();
        let byte_len = bytes.len() as u64;
        File { name: name.clone(), byte_len, segments: vec![Segment { at: 0, content: Content::Bytes(bytes) }] }
    }));
    Ok(Job { files, tasks: done, ..Job::default() })
}

fn suffix(part: &str) -> String {
    if part.is_empty() { String::new() } else { format!("_{part}") }
}
