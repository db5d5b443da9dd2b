//! A model as plans see it: what its files list, and what lies beside them.

use std::collections::BTreeMap;
use std::rc::Rc;

use super::hugging_face::{self, Mapping};
use crate::error::{Code, Error, Result};
use crate::formats::gguf::write::Tensor;
use crate::formats::{Derived, Format, Listing, TensorInfo};
use crate::tensor::DType;

/// A model as its files list it; its tensors are counted through all files.
#[derive(Debug, Default, Clone)]
pub struct Model {
    /// Its files.
    pub parts: Vec<Listing>,
    /// What lies beside them.
    pub folder: Folder,
}

/// The texts that lie beside a model's files, and what llama.cpp would make of them.
#[derive(Debug, Default, Clone)]
pub struct Folder {
    /// By name: `config.json`, `tokenizer.json`, …
    pub texts: BTreeMap<String, String>,
    /// The model as GGUF has it, or why it cannot; `None` where there is no `config.json`, or it is GGUF already.
    pub mapping: Option<std::result::Result<Rc<Mapping>, Error>>,
}

impl Model {
    /// Of these files, with nothing beside them.
    #[must_use]
    pub fn of(parts: Vec<Listing>) -> Model {
        Model { parts, folder: Folder::default() }
    }

    /// Takes in what lies beside the files, which are all there by now.
    pub fn set_texts(&mut self, texts: BTreeMap<String, String>) {
        let is_gguf = self.format() == Some(Format::Gguf);
        let mapping = texts.get("config.json").filter(|_| !is_gguf).map(|config| self.map(config, &texts).map(Rc::new));
        self.folder = Folder { texts, mapping };
    }

    fn map(&self, config: &str, texts: &BTreeMap<String, String>) -> Result<Mapping> {
        let text = |name: &str| texts.get(name).map(String::as_str);
        let tokenizer = text("tokenizer.json").ok_or_else(|| {
            Error::new(Code::Unsupported, "the tokenizer is read from tokenizer.json alone").with_found("no such file")
        })?;
        let is_part = self.is_part_of_derived();
        let stored = self.tensors().enumerate().filter(|(index, _)| !is_part[*index]);
        let stored = stored.map(|(index, (_, t))| (index, &t.name, t.dtype, t.shape.dims()));
        // Numbers that are read from codes and scales become what most files hold.
        let derived = self.derived().map(|(index, d)| (index, &d.name, DType::F16, d.shape.dims()));
        let (places, tensors): (Vec<usize>, Vec<Tensor<'_>>) =
            stored.chain(derived).map(|(index, name, dtype, dims)| (index, Tensor { name, dtype, dims })).unzip();
        let mut mapping = hugging_face::map(&hugging_face::Folder {
            config,
            tokenizer,
            tokenizer_config: text("tokenizer_config.json"),
            pooling: text("1_Pooling/config.json"),
            tensors: &tensors,
        })?;
        for tensor in &mut mapping.tensors {
            if let hugging_face::From::Tensor(i) = &mut tensor.from {
                *i = places[*i];
            }
        }
        mapping.unused.iter_mut().for_each(|i| *i = places[*i]);
        Ok(mapping)
    }

    /// `general.architecture` of a GGUF.
    #[must_use]
    pub fn architecture(&self) -> Option<&str> {
        self.parts.first().and_then(|part| part.gguf.as_ref()).and_then(|header| header.architecture())
    }

    /// The tensors, each with the number of its file.
    pub fn tensors(&self) -> impl Iterator<Item = (usize, &TensorInfo)> {
        self.parts.iter().enumerate().flat_map(|(part, listing)| listing.tensors.iter().map(move |t| (part, t)))
    }

    /// The weights that are stored in several tensors. They are counted after all tensors.
    pub fn derived(&self) -> impl Iterator<Item = (usize, &Derived)> {
        let first = self.parts.iter().map(|part| part.tensors.len()).sum::<usize>();
        self.parts.iter().flat_map(|part| &part.derived).enumerate().map(move |(i, derived)| (first + i, derived))
    }

    /// Of each tensor whether it is a part of such a weight.
    #[must_use]
    pub fn is_part_of_derived(&self) -> Vec<bool> {
        let mut is_part = Vec::new();
        for part in &self.parts {
            let first = is_part.len();
            is_part.resize(first + part.tensors.len(), false);
            part.derived.iter().flat_map(|derived| &derived.parts).for_each(|&i| is_part[first + i] = true);
        }
        is_part
    }

    /// The format of its files.
    #[must_use]
    pub fn format(&self) -> Option<Format> {
        self.parts.first().map(|listing| listing.format)
    }
}
