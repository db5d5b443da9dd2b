//! Plans for GGUF: one scheme or a preset of llama-quantize's for the tensors that it would quantize, single wishes before both.
//! A model that is GGUF keeps its names, its keys and its order. Of another format only the tensors are taken over, under their own names.

use super::llama::{self, Chosen, Hints, Left, Preset};
use super::request::{Choice, Model, Note, Plan, Request, SchemeChoice, Target, Wish, castable, is_plain};
use crate::error::{Code, Error, Result};
use crate::formats::Format;
use crate::formats::gguf::write::Tensor;
use crate::formats::gguf::{MAX_DIMS, MAX_NAME_BYTES};
use crate::pack::Packing;
use crate::quant::Options;
use crate::tensor::{DType, Shape};

/// What the header of the new file says besides its tensors.
#[derive(Debug, Clone, PartialEq)]
pub struct GgufDetails {
    /// `general.file_type`: what most tensors are.
    pub file_type: u32,
}

/// Types of weights that are not blocks.
const FLOATS: [(&str, DType); 3] = [("f32", DType::F32), ("f16", DType::F16), ("bf16", DType::Bf16)];

/// A tensor to be planned.
struct Candidate<'a> {
    index: usize,
    name: &'a str,
    shape: &'a Shape,
    /// What it is stored as; `None` of a weight that is stored in several tensors.
    dtype: Option<DType>,
    /// Whether its bytes can be copied as they lie.
    plain: bool,
}

impl Candidate<'_> {
    /// As the rules of llama-quantize see it.
    fn as_written(&self) -> Tensor<'_> {
        Tensor { name: self.name, dtype: self.dtype.unwrap_or(DType::F16), dims: self.shape.dims() }
    }
}

pub(super) fn plan(model: &Model, request: &Request) -> Result<Plan> {
    if let Some(layout) = &request.layout {
        return Err(
            Error::new(Code::InvalidArgument, "GGUF has one way to store a tensor").with_found(format!("{layout:?}"))
        );
    }
    if request.preset.is_some() && request.scheme.is_some() {
        return Err(Error::new(Code::InvalidArgument, "a preset and a scheme exclude each other"));
    }
    let mut notes = Vec::new();
    let all = candidates(model, &mut notes);
    let preset = request.preset.as_deref().map(|name| by_rules(model, &all, name)).transpose()?;
    let mut choices = Vec::with_capacity(all.len());
    for (at, tensor) in all.iter().enumerate() {
        let choice = match request.tensors.get(tensor.name) {
            Some(Wish::Scheme(scheme)) => wanted(tensor, scheme, true)?,
            Some(Wish::Word(_)) => keep(tensor, Note::new("asked", "kept, as asked")),
            None => match (&preset, &request.scheme) {
                (Some((_, chosen)), _) => by_preset(tensor, &chosen[at]),
                (None, Some(scheme)) => match left_alone(tensor) {
                    Some(why) => keep(tensor, why),
                    None => wanted(tensor, scheme, false)?,
                },
                (None, None) => keep(tensor, Note::new("no_scheme", "no scheme was chosen for it")),
            },
        };
        choices.push(choice);
    }
    let fallbacks = choices.iter().filter(|choice| choice.instead_of.is_some()).count();
    if fallbacks > 0 {
        let text = format!("{fallbacks} tensors take another type, because blocks do not divide their rows");
        notes.push(Note::new("fallbacks", text));
    }
    if model.format() != Some(Format::Gguf) {
        let text = "tensors only: without the architecture and the tokenizer llama.cpp cannot run this file";
        notes.push(Note::new("tensors_only", text));
    }
    if let Some((preset, chosen)) = &preset {
        let wanting = chosen.iter().filter(|chosen| chosen.wants_importance).count();
        if wanting > 0 {
            let text = format!(
                "llama-quantize makes no {} without an importance matrix: {wanting} tensors lose much",
                preset.name()
            );
            notes.push(Note::new("importance", text));
        }
    }
    let file_type = preset.map_or_else(|| file_type(&choices, &all), |(preset, _)| preset.file_type());
    Ok(Plan { to: Target::Gguf, choices, notes, gguf: Some(GgufDetails { file_type }) })
}

/// The tensors of a model that GGUF can hold, in its order.
fn candidates<'a>(model: &'a Model, notes: &mut Vec<Note>) -> Vec<Candidate<'a>> {
    let mut all = Vec::new();
    let parts_of_others: Vec<bool> = model.is_part_of_derived();
    for (index, (_, tensor)) in model.tensors().enumerate().filter(|(index, _)| !parts_of_others[*index]) {
        all.push(Candidate {
            index,
            name: &tensor.name,
            shape: &tensor.shape,
            dtype: Some(tensor.dtype),
            plain: is_plain(tensor),
        });
    }
    for (index, derived) in model.derived() {
        all.push(Candidate { index, name: &derived.name, shape: &derived.shape, dtype: None, plain: false });
    }
    all.retain(|tensor| {
        let why = if tensor.name.len() > MAX_NAME_BYTES {
            Some(format!("its name is longer than {MAX_NAME_BYTES} bytes"))
        } else if tensor.shape.dims().len() > MAX_DIMS {
            Some(format!("it has more than {MAX_DIMS} dimensions"))
        } else if tensor.dtype.is_some_and(|dtype| dtype.ggml().is_none() && float_for(dtype).is_none()) {
            Some("GGUF has no type for its elements".to_owned())
        } else if !tensor.plain && tensor.dtype.is_some_and(|dtype| castable(dtype).is_none()) {
            Some("its elements are compressed or out of order, and f32 does not hold them".to_owned())
        } else {
            None
        };
        if let Some(why) = &why {
            notes.push(Note::new("left_out", format!("{} is left out: {why}", tensor.name)));
        }
        why.is_none()
    });
    all
}

/// The type that holds the numbers of a type that GGUF does not have.
fn float_for(dtype: DType) -> Option<DType> {
    match dtype {
        DType::F8E4M3 | DType::F8E5M2 | DType::F8E4M3Fnuz | DType::F8E5M2Fnuz => Some(DType::F16),
        _ => None,
    }
}

/// Why a tensor is not quantized by a scheme for all.
fn left_alone(tensor: &Candidate<'_>) -> Option<Note> {
    match tensor.dtype {
        None | Some(DType::F64 | DType::F32 | DType::F16 | DType::Bf16) => {}
        Some(dtype) if dtype.is_blocks() => {}
        Some(dtype) if float_for(dtype).is_some() => {}
        Some(dtype) => return Some(Note::new("not_float", format!("{} is no type of weights", dtype.name()))),
    }
    llama::left_alone(&tensor.as_written()).map(Left::note)
}

/// The types that a preset gives. A model that is no GGUF is only known by its names: no layer is better off than the others.
fn by_rules(model: &Model, all: &[Candidate<'_>], name: &str) -> Result<(Preset, Vec<Chosen>)> {
    let preset = Preset::named(name).ok_or_else(|| {
        Error::new(Code::InvalidArgument, "there is no such preset")
            .with_expected(Preset::all().map(Preset::name).collect::<Vec<_>>().join(", "))
            .with_found(format!("{name:?}"))
    })?;
    let header = model.parts.first().and_then(|part| part.gguf.as_ref());
    let hints = header.map_or_else(|| Ok(Hints::default()), Hints::of)?;
    let tensors: Vec<Tensor<'_>> = all.iter().map(Candidate::as_written).collect();
    Ok((preset, llama::choose(preset, &hints, &tensors)?))
}

fn by_preset(tensor: &Candidate<'_>, chosen: &Chosen) -> Choice {
    match chosen.left {
        Some(why) => keep(tensor, why.note()),
        None => {
            let instead_of = chosen.instead_of.map(|dtype| dtype.name().to_owned());
            Choice { instead_of, left: None, ..become_type(tensor, chosen.dtype, &Options::new()) }
        }
    }
}

/// The type that a scheme asks for, or the one that llama-quantize falls back to where blocks do not divide the rows. A wish by hand is
/// met or refused.
fn wanted(tensor: &Candidate<'_>, scheme: &SchemeChoice, by_hand: bool) -> Result<Choice> {
    let name = scheme.id.to_ascii_uppercase();
    let dtype = FLOATS.iter().find(|(id, _)| *id == scheme.id).map(|(_, dtype)| *dtype);
    let dtype = dtype.or_else(|| DType::named(&name).filter(|dtype| dtype.is_blocks())).ok_or_else(|| {
        Error::new(Code::InvalidArgument, "GGUF has no type for this scheme")
            .with_tensor(tensor.name)
            .with_expected("f32, f16, bf16, or a scheme of the family ggml")
            .with_found(&scheme.id)
    })?;
    let row = tensor.shape.dims().last().copied().unwrap_or(1);
    let fits = |dtype: DType| row.is_multiple_of(dtype.block().0);
    if fits(dtype) {
        return Ok(become_type(tensor, dtype, &scheme.options));
    }
    if by_hand {
        return Err(Error::new(Code::ShapeMismatch, format!("blocks of {} do not divide the rows", dtype.name()))
            .with_tensor(tensor.name)
            .with_expected(format!("rows of a multiple of {}", dtype.block().0))
            .with_found(row));
    }
    let other = llama::fallback(dtype, row);
    Ok(Choice { instead_of: Some(dtype.name().to_owned()), ..become_type(tensor, other, &Options::new()) })
}

fn become_type(tensor: &Candidate<'_>, dtype: DType, options: &Options) -> Choice {
    let packing = match dtype {
        _ if tensor.dtype == Some(dtype) && tensor.plain => Packing::Copy,
        DType::F32 | DType::F16 | DType::Bf16 => Packing::Cast { dtype: dtype.name().into() },
        _ => Packing::Scheme { id: dtype.name().to_ascii_lowercase(), options: options.clone() },
    };
    // What blocks see is the innermost axis, whatever lies around it.
    let row = tensor.shape.dims().last().copied().unwrap_or(1);
    let rows = tensor.shape.count().checked_div(row).unwrap_or(0);
    Choice {
        tensor: tensor.index,
        name: tensor.name.to_owned(),
        packing,
        dtype: dtype.name().into(),
        dims: vec![rows, row],
        instead_of: None,
        left: None,
    }
}

fn keep(tensor: &Candidate<'_>, why: Note) -> Choice {
    let stored = tensor.dtype.unwrap_or(DType::F16);
    let dtype = match castable(stored).filter(|_| !tensor.plain) {
        Some(cast) if cast.ggml().is_some() => cast,
        _ if stored.ggml().is_some() => stored,
        _ => float_for(stored).unwrap_or(DType::F32),
    };
    Choice { left: Some(why), ..become_type(tensor, dtype, &Options::new()) }
}

/// The number of llama.cpp's `enum llama_ftype` for the type that most weights have.
fn file_type(choices: &[Choice], all: &[Candidate<'_>]) -> u32 {
    let mut counts: Vec<(DType, u64)> = Vec::new();
    for (choice, tensor) in choices.iter().zip(all) {
        let Some(dtype) = DType::named(&choice.dtype) else { continue };
        match counts.iter_mut().find(|(known, _)| *known == dtype) {
            Some((_, count)) => *count += tensor.shape.count(),
            None => counts.push((dtype, tensor.shape.count())),
        }
    }
    let most = counts.iter().max_by_key(|(_, count)| *count).map_or(DType::F32, |(dtype, _)| *dtype);
    llama::file_type_of(most)
}
