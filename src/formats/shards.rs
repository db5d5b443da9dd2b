//! The index of a model in several safetensors files, `model.safetensors.index.json` as Hugging Face writes it: an
//! object whose `weight_map` gives the file of every tensor. Other keys are skipped.

use std::collections::BTreeMap;

use super::excerpt;
use super::json::{Context, Got, Object, StringMap, Want, duplicate};
use crate::error::{Code, Error, Result};

/// Which file holds which tensor.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ShardIndex {
    /// Tensor name → file name, ordered by tensor name. Each file name is a plain name beside the index: no
    /// separator, no `..`, nothing absolute.
    pub weight_map: BTreeMap<String, String>,
}

impl ShardIndex {
    /// The files of the model, each once, in order of their names.
    #[must_use]
    pub fn files(&self) -> Vec<&str> {
        let mut files: Vec<&str> = self.weight_map.values().map(String::as_str).collect();
        files.sort_unstable();
        files.dedup();
        files
    }
}

/// Parses a whole index.
pub(super) fn parse(text: &[u8]) -> Result<ShardIndex> {
    let mut index = Fields { weight_map: None };
    Context::default().parse(text, 0, &mut index)?;
    let weight_map = index.weight_map.map(|map| map.entries).ok_or_else(|| {
        Error::new(Code::UnknownFormat, "the file is JSON and not an index of shards")
            .with_expected("an object with weight_map")
            .with_found("no weight_map")
    })?;
    if weight_map.is_empty() {
        return Err(Error::new(Code::Malformed, "the index of shards names no tensor")
            .with_expected("at least one tensor in weight_map")
            .with_found("none"));
    }
    for (tensor, file) in &weight_map {
        if !is_plain_name(file) {
            return Err(Error::new(Code::Malformed, "the index names a shard that does not lie beside it")
                .with_tensor(tensor)
                .with_expected("a file name without separators or '..'")
                .with_found(excerpt(file)));
        }
    }
    Ok(ShardIndex { weight_map })
}

/// Whether joining this name to a folder or a URL can only lead to a file in that folder.
///
/// `%`, `?` and `#` mean something in a URL, `:` a drive or a scheme; no writer of shards or of ONNX's external data uses them.
pub(super) fn is_plain_name(name: &str) -> bool {
    const FORBIDDEN: [char; 8] = ['/', '\\', ':', '%', '?', '#', '*', '|'];
    !name.is_empty()
        && name.len() <= 255
        && name != "."
        && !name.contains("..")
        && !name.contains(FORBIDDEN)
        && !name.chars().any(char::is_control)
        && name.trim() == name
}

/// The index: one key of it matters.
struct Fields {
    weight_map: Option<StringMap>,
}

impl Object for Fields {
    fn name(&self) -> &'static str {
        "an object with weight_map"
    }

    fn want(&mut self, key: &str) -> Result<Want<'_>> {
        if key != "weight_map" {
            return Ok(Want::Anything);
        }
        if self.weight_map.is_some() {
            return Err(duplicate("key", "weight_map"));
        }
        Ok(Want::Object(self.weight_map.insert(StringMap::new("tensor name"))))
    }

    fn take(&mut self, _: String, _: Got) -> Result<()> {
        Ok(())
    }
}
