//! Plans for GGUF: one scheme or a preset of llama-quantize's for the tensors that it would quantize, single wishes before both.
//! A model that is GGUF keeps its names, its keys and its order. A folder whose architecture and tokenizer are known is mapped to those of
//! llama.cpp, which runs it then; of any other model only the tensors are taken over, under their own names.

use std::collections::HashMap;
use std::rc::Rc;

use super::hugging_face::{From, Mapped, Mapping};
use super::llama::{self, Chosen, Hints, Left, Preset};
use super::model::Model;
use super::request::{Choice, Note, Plan, Request, SchemeChoice, Target, Wish, castable, is_plain};
use crate::error::{Code, Error, Result};
use crate::formats::gguf::write::Tensor;
use crate::formats::gguf::{MAX_DIMS, MAX_NAME_BYTES};
use crate::formats::{Derived, Format};
use crate::pack::Packing;
use crate::quant::{Options, Value};
use crate::tensor::{DType, Shape};

/// What the header of the new file says besides its tensors.
#[derive(Debug, Clone, PartialEq)]
pub struct GgufDetails {
    /// `general.file_type`: what most tensors are.
    pub file_type: u32,
    /// A folder's keys, and the tensors that are made for it.
    pub folder: Option<Rc<Mapping>>,
}

/// Types of weights that are not blocks.
const FLOATS: [(&str, DType); 3] = [("f32", DType::F32), ("f16", DType::F16), ("bf16", DType::Bf16)];

/// A tensor to be planned.
struct Candidate<'a> {
    index: usize,
    name: &'a str,
    /// Its name and type in a file of which nothing is quantized, of a folder that is mapped.
    mapped: Option<&'a Mapped>,
    shape: &'a Shape,
    /// What it is stored as; `None` of a weight that is stored in several tensors.
    dtype: Option<DType>,
    /// Whether its bytes can be copied as they lie.
    plain: bool,
}

impl Candidate<'_> {
    /// As the rules of llama-quantize see it.
    fn as_written(&self) -> Tensor<'_> {
        let dtype = self.mapped.map(|mapped| mapped.dtype).or(self.dtype).unwrap_or(DType::F16);
        Tensor { name: self.target(), dtype, dims: self.shape.dims() }
    }

    /// Its name in the file that is written.
    fn target(&self) -> &str {
        self.mapped.map_or(self.name, |mapped| &mapped.name)
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
    let mut notes: Vec<Note> = (model.format() != Some(Format::Gguf)).then(|| runs(model)).into_iter().collect();
    let folder = model.folder.mapping.as_ref().and_then(|mapping| mapping.as_ref().ok());
    let all = candidates(model, folder.map(Rc::as_ref), &mut notes);
    let preset = request.preset.as_deref().map(|name| by_rules(model, folder, &all, name)).transpose()?;
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
    if request.effort.as_deref() == Some("best") {
        choices.iter_mut().for_each(search);
    }
    let fallbacks = choices.iter().filter(|choice| choice.instead_of.is_some()).count();
    if fallbacks > 0 {
        let text = format!("{fallbacks} tensors take another type, because blocks do not divide their rows");
        notes.push(Note::new("fallbacks", text));
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
    let gguf = Some(GgufDetails { file_type, folder: folder.cloned() });
    Ok(Plan { to: Target::Gguf, choices, notes, gguf, beside: vec![] })
}

/// Lets a scheme search that has this option and says nothing of it.
fn search(choice: &mut Choice) {
    if let Packing::Scheme { id, options } = &mut choice.packing {
        let is_new = !options.contains_key("effort");
        let mut searching = options.clone();
        searching.entry("effort".into()).or_insert_with(|| Value::Text("best".into()));
        let scheme = SchemeChoice { id: id.clone(), options: searching };
        if is_new && scheme.check().is_ok() {
            *options = scheme.options;
        }
    }
}

/// Whether llama.cpp will run the file, and if not, why.
fn runs(model: &Model) -> Note {
    const ALONE: &str = "tensors only: llama.cpp cannot run this file";
    match &model.folder.mapping {
        Some(Ok(mapping)) => Note::new("runs", format!("runs in llama.cpp, as {}", mapping.architecture.name())),
        Some(Err(why)) => Note::new("not_mapped", format!("{ALONE}, because {why}")),
        None => Note::new("tensors_only", format!("{ALONE}, because no config.json lies beside the model")),
    }
}

/// The tensors of a model that GGUF can hold, in its order; of a folder that is mapped those that llama.cpp has a use for.
fn candidates<'a>(model: &'a Model, folder: Option<&'a Mapping>, notes: &mut Vec<Note>) -> Vec<Candidate<'a>> {
    let mut all = Vec::new();
    let parts_of_others: Vec<bool> = model.is_part_of_derived();
    for (index, (_, tensor)) in model.tensors().enumerate().filter(|(index, _)| !parts_of_others[*index]) {
        all.push(Candidate {
            index,
            name: &tensor.name,
            mapped: None,
            shape: &tensor.shape,
            dtype: Some(tensor.dtype),
            plain: is_plain(tensor),
        });
    }
    for (index, derived) in model.derived() {
        let Derived { name, shape, .. } = derived;
        all.push(Candidate { index, name, mapped: None, shape, dtype: None, plain: false });
    }
    if let Some(folder) = folder {
        return mapped(all, folder, notes);
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

/// The tensors that a mapping names, in its order.
fn mapped<'a>(all: Vec<Candidate<'a>>, folder: &'a Mapping, notes: &mut Vec<Note>) -> Vec<Candidate<'a>> {
    let mut by_index: HashMap<usize, Candidate<'a>> = all.into_iter().map(|tensor| (tensor.index, tensor)).collect();
    for index in &folder.unused {
        if let Some(Candidate { name, .. }) = by_index.remove(index) {
            notes.push(Note::new("no_use", format!("{name} is left out: llama.cpp has no use for it")));
        }
    }
    let take = |mapped: &'a Mapped| match mapped.from {
        From::Tensor(index) => Some(Candidate { mapped: Some(mapped), ..by_index.remove(&index)? }),
        From::Made(_) => None,
    };
    folder.tensors.iter().filter_map(take).collect()
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
fn by_rules(
    model: &Model,
    folder: Option<&Rc<Mapping>>,
    all: &[Candidate<'_>],
    name: &str,
) -> Result<(Preset, Vec<Chosen>)> {
    let preset = Preset::named(name).ok_or_else(|| {
        Error::new(Code::InvalidArgument, "there is no such preset")
            .with_expected(Preset::all().map(Preset::name).collect::<Vec<_>>().join(", "))
            .with_found(format!("{name:?}"))
    })?;
    let header = model.parts.first().and_then(|part| part.gguf.as_ref());
    let hints = match (header, folder) {
        (Some(header), _) => Hints::of(header)?,
        (None, Some(folder)) => folder.hints.clone(),
        (None, None) => Hints::default(),
    };
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
    let is_interleaved = tensor.mapped.is_some_and(|mapped| mapped.heads.is_some());
    let packing = match dtype {
        _ if tensor.dtype == Some(dtype) && tensor.plain && !is_interleaved => Packing::Copy,
        DType::F32 | DType::F16 | DType::Bf16 => Packing::Cast { dtype: dtype.name().into() },
        _ => Packing::Scheme { id: dtype.name().to_ascii_lowercase(), options: options.clone() },
    };
    // What blocks see is the innermost axis, whatever lies around it.
    let row = match tensor.shape.dims() {
        // Rows of a bias change places as those of its weight do.
        [_] if is_interleaved => 1,
        dims => dims.last().copied().unwrap_or(1),
    };
    let rows = tensor.shape.count().checked_div(row).unwrap_or(0);
    Choice {
        tensor: tensor.index,
        name: tensor.target().to_owned(),
        packing,
        dtype: dtype.name().into(),
        dims: vec![rows, row],
        instead_of: None,
        left: None,
    }
}

fn keep(tensor: &Candidate<'_>, why: Note) -> Choice {
    if let Some(mapped) = tensor.mapped {
        return Choice { left: Some(why), ..become_type(tensor, mapped.dtype, &Options::new()) };
    }
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
