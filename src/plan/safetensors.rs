//! Plans for safetensors: casts to a smaller float, or floats after any scheme, for study.

use super::compressed;
use super::model::Model;
use super::request::{Choice, Note, Plan, Request, SchemeChoice, Target, Wish, castable, is_plain};
use crate::error::{Code, Error, Result};
use crate::formats::{Derived, Format, TensorInfo};
use crate::pack::Packing;
use crate::tensor::DType;

/// Schemes that are nothing but a type of safetensors.
const CASTS: [(&str, DType); 5] = [
    ("f32", DType::F32),
    ("f16", DType::F16),
    ("bf16", DType::Bf16),
    ("fp8_e4m3", DType::F8E4M3),
    ("fp8_e5m2", DType::F8E5M2),
];

pub(super) fn plan(model: &Model, request: &Request) -> Result<Plan> {
    if let Some(preset) = &request.preset {
        return Err(Error::new(Code::InvalidArgument, "safetensors has no presets")
            .with_expected("a scheme")
            .with_found(format!("{preset:?}")));
    }
    match request.layout.as_deref() {
        None | Some("plain") => {}
        Some(compressed::LAYOUT) => return compressed::plan(model, request),
        Some(other) => {
            return Err(Error::new(Code::InvalidArgument, "safetensors has no such layout")
                .with_expected(format!("plain or {}", compressed::LAYOUT))
                .with_found(format!("{other:?}")));
        }
    }
    let choice = |index, tensor: &_| by_request(request, index, tensor).map(known);
    let (choices, notes) = each(model, stays(model), lost, choice)?;
    Ok(Plan { to: Target::Safetensors, choices, notes, gguf: None, beside: vec![] })
}

/// Whether weights that are stored in several tensors stay so: in safetensors; other formats' ways to do it have no names here.
pub(super) fn stays(model: &Model) -> bool {
    model.format() == Some(Format::Safetensors)
}

/// Why the elements of a tensor cannot be written at all.
pub(super) fn lost(tensor: &TensorInfo) -> Option<&'static str> {
    let is_lost = !is_plain(tensor) && castable(tensor.dtype).is_none();
    is_lost.then_some("are compressed or out of order, and f32 does not hold them")
}

/// A choice for each tensor, but for those that are `lost`, which is noted; weights in several tensors become floats unless they stay so.
pub(super) fn each(
    model: &Model,
    stays: bool,
    lost: impl Fn(&TensorInfo) -> Option<&'static str>,
    choice: impl Fn(usize, &TensorInfo) -> Result<Choice>,
) -> Result<(Vec<Choice>, Vec<Note>)> {
    let (mut choices, mut notes) = (Vec::new(), Vec::new());
    let parts = if stays { vec![] } else { model.is_part_of_derived() };
    for (index, (_, tensor)) in model.tensors().enumerate().filter(|(index, _)| parts.get(*index) != Some(&true)) {
        let Some(why) = lost(tensor) else {
            choices.push(choice(index, tensor)?);
            continue;
        };
        let text = format!("{} is left out: its {} elements {why}", tensor.name, tensor.dtype.name());
        notes.push(Note::new("left_out", text));
    }
    choices.extend(model.derived().filter(|_| !stays).map(|(index, derived)| dequantized(index, derived)));
    Ok((choices, notes))
}

/// What a request makes of one tensor.
pub(super) fn by_request(request: &Request, index: usize, tensor: &TensorInfo) -> Result<Choice> {
    Ok(match request.tensors.get(&tensor.name) {
        Some(Wish::Scheme(scheme)) => choose(index, tensor, scheme)?,
        Some(Wish::Word(_)) => keep(index, tensor, Note::new("asked", "kept, as asked")),
        None => match (&request.scheme, left_alone(tensor)) {
            (_, Some(why)) => keep(index, tensor, why),
            (None, None) => keep(index, tensor, Note::new("no_scheme", "no scheme was chosen for it")),
            (Some(scheme), None) => match unfit(tensor, scheme)? {
                Some(why) => keep(index, tensor, why),
                None => choose(index, tensor, scheme)?,
            },
        },
    })
}

/// A weight that is stored in several tensors, as the numbers that they make.
fn dequantized(index: usize, derived: &Derived) -> Choice {
    Choice {
        tensor: index,
        name: derived.name.clone(),
        packing: Packing::Cast { dtype: "F32".into() },
        dtype: "F32".into(),
        dims: derived.shape.dims().to_vec(),
        instead_of: None,
        left: Some(Note::new("dequantized", "its numbers, as a reader gets them")),
    }
}

/// A type that safetensors does not have becomes f32, which holds all its numbers.
fn known(choice: Choice) -> Choice {
    let is_foreign = |dtype: DType| dtype.is_blocks() || matches!(dtype, DType::I4 | DType::U4);
    match (&choice.packing, DType::named(&choice.dtype)) {
        (Packing::Copy, Some(dtype)) if is_foreign(dtype) => {
            let why = Note::new("dequantized", "its numbers, as a reader gets them");
            Choice { packing: Packing::Cast { dtype: "F32".into() }, dtype: "F32".into(), left: Some(why), ..choice }
        }
        _ => choice,
    }
}

/// Why a scheme for all does not become this tensor, if it does not: a vector is no matrix of weights, and blocks of a fixed size may not
/// divide the rows. A cast suits every tensor.
pub(super) fn unfit(tensor: &TensorInfo, scheme: &SchemeChoice) -> Result<Option<Note>> {
    if is_cast(scheme) {
        return Ok(None);
    }
    if tensor.shape.dims().len() < 2 {
        return Ok(Some(Note::new("not_matrix", "it is no matrix")));
    }
    Ok(match scheme.check()?.byte_len(&tensor.shape) {
        Err(e) if e.code == Code::ShapeMismatch => Some(Note::new("rows", format!("{e}"))),
        _ => None,
    })
}

pub(super) fn is_cast(scheme: &SchemeChoice) -> bool {
    scheme.options.is_empty() && CASTS.iter().any(|(id, _)| *id == scheme.id)
}

/// Why a tensor is no weight to be quantized, if it is not.
pub(super) fn left_alone(tensor: &TensorInfo) -> Option<Note> {
    match tensor.dtype {
        DType::F64 | DType::F32 | DType::F16 | DType::Bf16 => None,
        dtype if dtype.is_blocks() => None,
        _ => Some(Note::new("not_float", format!("{} is no type of weights", tensor.dtype.name()))),
    }
}

pub(super) fn keep(index: usize, tensor: &TensorInfo, why: Note) -> Choice {
    let cast = castable(tensor.dtype).filter(|_| !is_plain(tensor));
    let dtype = cast.unwrap_or(tensor.dtype).name();
    Choice {
        tensor: index,
        name: tensor.name.clone(),
        packing: cast.map_or(Packing::Copy, |dtype| Packing::Cast { dtype: dtype.name().into() }),
        dtype: dtype.into(),
        dims: tensor.shape.dims().to_vec(),
        instead_of: None,
        left: Some(why),
    }
}

pub(super) fn choose(index: usize, tensor: &TensorInfo, scheme: &SchemeChoice) -> Result<Choice> {
    let cast = CASTS.iter().find(|(id, _)| *id == scheme.id && scheme.options.is_empty());
    let (packing, dtype) = match cast {
        Some((_, dtype)) => (Packing::Cast { dtype: dtype.name().into() }, dtype.name().to_owned()),
        None => {
            // A type that holds what any scheme gives, as small as the tensor's own allows.
            let dtype = if tensor.dtype == DType::F16 { DType::F16 } else { DType::F32 };
            let SchemeChoice { id, options } = scheme.clone();
            (Packing::Rounded { dtype: dtype.name().into(), id, options }, dtype.name().to_owned())
        }
    };
    Ok(Choice { packing, dtype, left: None, ..keep(index, tensor, Note::new("", "")) })
}
