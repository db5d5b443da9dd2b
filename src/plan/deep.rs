//! Plans for a container of Deep Compression: matrices become records, all else stays as it is.

use super::model::Model;
use super::request::{Choice, Note, Plan, Request, SchemeChoice, Target, Wish, castable, is_plain};
use super::safetensors::{choose, dequantized, is_cast, keep, left_alone, unfit};
use crate::error::{Code, Error, Result};
use crate::formats::{Format, TensorInfo};
use crate::pack::Packing;

/// The scheme whose bytes a record is.
const SCHEME: &str = "deep";

/// What people see as the type of a record.
const LABEL: &str = "DEEP";

pub(super) fn plan(model: &Model, request: &Request) -> Result<Plan> {
    if let Some(preset) = &request.preset {
        return Err(Error::new(Code::InvalidArgument, "a container of Deep Compression has no presets")
            .with_expected("a scheme")
            .with_found(format!("{preset:?}")));
    }
    let mut notes = vec![Note::new(
        "without_retraining",
        "without retraining: what pruning and shared values lose is not learned again",
    )];
    let mut choices = Vec::new();
    let is_own = model.format() == Some(Format::Safetensors);
    let parts = if is_own { vec![] } else { model.is_part_of_derived() };
    for (index, (_, tensor)) in model.tensors().enumerate().filter(|(index, _)| parts.get(*index) != Some(&true)) {
        if !is_plain(tensor) && castable(tensor.dtype).is_none() {
            let text = format!(
                "{} is left out: its {} elements are compressed or out of order, and f32 does not hold them",
                tensor.name,
                tensor.dtype.name()
            );
            notes.push(Note::new("left_out", text));
            continue;
        }
        choices.push(choice(request, index, tensor)?);
    }
    choices.extend(model.derived().filter(|_| !is_own).map(|(index, derived)| dequantized(index, derived)));
    Ok(Plan { to: Target::Deep, choices, notes, gguf: None, beside: vec![] })
}

fn choice(request: &Request, index: usize, tensor: &TensorInfo) -> Result<Choice> {
    Ok(match (request.tensors.get(&tensor.name), &request.scheme, left_alone(tensor)) {
        (Some(Wish::Scheme(scheme)), ..) => record(index, tensor, scheme)?,
        (Some(Wish::Word(_)), ..) => kept(index, tensor, Note::new("asked", "kept, as asked")),
        (None, _, Some(why)) => kept(index, tensor, why),
        (None, None, None) => kept(index, tensor, Note::new("no_scheme", "no scheme was chosen for it")),
        (None, Some(scheme), None) => match unfit(tensor, scheme)? {
            Some(why) => kept(index, tensor, why),
            None => record(index, tensor, scheme)?,
        },
    })
}

/// As it is; a record stays one.
fn kept(index: usize, tensor: &TensorInfo, why: Note) -> Choice {
    let choice = keep(index, tensor, why);
    if !tensor.deep {
        return choice;
    }
    Choice { packing: Packing::Copy, dtype: LABEL.to_owned(), ..choice }
}

fn record(index: usize, tensor: &TensorInfo, scheme: &SchemeChoice) -> Result<Choice> {
    if is_cast(scheme) {
        return choose(index, tensor, scheme);
    }
    if scheme.id != SCHEME {
        return Err(Error::new(Code::InvalidArgument, "a container of Deep Compression holds no such tensors")
            .with_tensor(&tensor.name)
            .with_expected("the scheme deep, or a cast")
            .with_found(&scheme.id));
    }
    scheme.check().map_err(|e| e.with_tensor(&tensor.name))?;
    let SchemeChoice { id, options } = scheme.clone();
    let packing = Packing::Record { id, options };
    Ok(Choice { packing, dtype: LABEL.to_owned(), left: None, ..keep(index, tensor, Note::new("", "")) })
}
