//! Plans for a container of Deep Compression: matrices become records, all else stays as it is.

use super::model::Model;
use super::request::{Choice, Note, Plan, Request, SchemeChoice, Target, Wish};
use super::safetensors::{choose, each, is_cast, keep, left_alone, lost, stays, unfit};
use crate::error::{Code, Error, Result};
use crate::formats::TensorInfo;
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
    let (choices, left_out) = each(model, stays(model), lost, |index, tensor| choice(request, index, tensor))?;
    let text = "without retraining: what pruning and shared values lose is not learned again";
    let notes = std::iter::once(Note::new("without_retraining", text)).chain(left_out).collect();
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
