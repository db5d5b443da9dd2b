//! Plans for npz, for people who want to look in Python: every tensor as an array that numpy knows, quantized ones as the floats that a
//! reader of them gets.

use super::model::Model;
use super::request::{Choice, Plan, Request, Target};
use super::safetensors::{by_request, each, lost};
use crate::error::{Code, Error, Result};
use crate::formats::TensorInfo;
use crate::pack::Packing;
use crate::tensor::DType;

pub(super) fn plan(model: &Model, request: &Request) -> Result<Plan> {
    if let Some(preset) = &request.preset {
        return Err(Error::new(Code::InvalidArgument, "npz has no presets")
            .with_expected("a scheme")
            .with_found(format!("{preset:?}")));
    }
    let lost = |tensor: &TensorInfo| {
        let is_lost = lost(tensor).is_some() || tensor.dtype == DType::C64;
        is_lost.then_some("cannot be written as an array")
    };
    let choice = |index, tensor: &_| by_request(request, index, tensor).map(known_to_numpy);
    let (choices, notes) = each(model, false, lost, choice)?;
    Ok(Plan { to: Target::Npz, choices, notes, gguf: None, beside: vec![] })
}

/// A type that numpy does not have becomes f32, which holds all its numbers.
fn known_to_numpy(choice: Choice) -> Choice {
    let known = DType::named(&choice.dtype).is_some_and(|dtype| {
        use DType::{Bf16, Bool, F16, F32, F64, I8, I16, I32, I64, U8, U16, U32, U64};
        matches!(dtype, Bool | U8 | I8 | U16 | I16 | U32 | I32 | U64 | I64 | F16 | Bf16 | F32 | F64)
    });
    if known {
        return choice;
    }
    let packing = match choice.packing {
        Packing::Rounded { id, options, .. } => Packing::Rounded { dtype: "F32".into(), id, options },
        // A cast to a small float, with the numbers that it leaves.
        Packing::Cast { dtype } if dtype.starts_with("F8_") => {
            let id = if dtype == "F8_E4M3" { "fp8_e4m3" } else { "fp8_e5m2" };
            Packing::Rounded { dtype: "F32".into(), id: id.into(), options: Default::default() }
        }
        _ => Packing::Cast { dtype: "F32".into() },
    };
    Choice { packing, dtype: "F32".into(), ..choice }
}
