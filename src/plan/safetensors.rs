//! Plans for safetensors: casts to a smaller float, or floats after any scheme, for study.

use super::request::{Choice, Model, Note, Plan, Request, SchemeChoice, Target, Wish};
use crate::error::{Code, Error, Result};
use crate::formats::TensorInfo;
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
    let choices = model.tensors().enumerate().map(|(index, (_, tensor))| {
        let wish = match request.tensors.get(&tensor.name) {
            Some(Wish::Scheme(scheme)) => Some(scheme),
            Some(Wish::Word(_)) => return Ok(keep(index, tensor, Note::new("asked", "kept, as asked"))),
            None => request.scheme.as_ref(),
        };
        match (wish, left_alone(tensor)) {
            (Some(scheme), None) => choose(index, tensor, scheme),
            (_, Some(why)) => Ok(keep(index, tensor, why)),
            (None, None) => Ok(keep(index, tensor, Note::new("no_scheme", "no scheme was chosen for it"))),
        }
    });
    let choices = choices.collect::<Result<Vec<_>>>()?;
    Ok(Plan { to: Target::Safetensors, choices, notes: vec![], gguf: None })
}

/// Why a tensor is no weight to be quantized, if it is not.
fn left_alone(tensor: &TensorInfo) -> Option<Note> {
    match tensor.dtype {
        DType::F64 | DType::F32 | DType::F16 | DType::Bf16 => None,
        _ => Some(Note::new("not_float", format!("{} is no type of weights", tensor.dtype.name()))),
    }
}

fn keep(index: usize, tensor: &TensorInfo, why: Note) -> Choice {
    Choice {
        tensor: index,
        name: tensor.name.clone(),
        packing: Packing::Copy,
        dtype: tensor.dtype.name().into(),
        dims: tensor.shape.dims().to_vec(),
        instead_of: None,
        left: Some(why),
    }
}

fn choose(index: usize, tensor: &TensorInfo, scheme: &SchemeChoice) -> Result<Choice> {
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
