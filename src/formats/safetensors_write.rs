//! The header of a safetensors file that is written: <https://github.com/huggingface/safetensors#format>.

use serde::Serialize;
use serde::ser::SerializeMap;

use crate::error::{Code, Error, Result};
use crate::tensor::DType;

/// A tensor to be written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Written<'a> {
    /// Its name.
    pub name: &'a str,
    /// Its element type.
    pub dtype: DType,
    /// Its dimensions, outermost first.
    pub dims: &'a [u64],
    /// Its bytes.
    pub byte_len: u64,
}

/// The bytes before the data, padded to 8. The tensors' bytes follow in the order given, without gaps.
///
/// # Errors
/// `invalid_argument` for a name that is used twice.
pub fn header(tensors: &[Written<'_>], metadata: &[(String, String)]) -> Result<Vec<u8>> {
    let mut names: Vec<&str> = tensors.iter().map(|t| t.name).collect();
    names.sort_unstable();
    if let Some(twice) = names.windows(2).find(|pair| pair[0] == pair[1]) {
        return Err(Error::new(Code::InvalidArgument, "two tensors would have one name").with_tensor(twice[0]));
    }
    let json = serde_json::to_vec(&Header { tensors, metadata })
        .map_err(|e| Error::new(Code::OutOfMemory, "the header could not be written").with_found(e.to_string()))?;
    let padded = json.len().next_multiple_of(8);
    let mut out = Vec::with_capacity(8 + padded);
    out.extend_from_slice(&(padded as u64).to_le_bytes());
    out.extend_from_slice(&json);
    out.resize(8 + padded, b' ');
    Ok(out)
}

struct Header<'a> {
    tensors: &'a [Written<'a>],
    metadata: &'a [(String, String)],
}

#[derive(Serialize)]
struct Entry<'a> {
    dtype: &'static str,
    shape: &'a [u64],
    data_offsets: [u64; 2],
}

struct Notes<'a>(&'a [(String, String)]);

impl Serialize for Notes<'_> {
    fn serialize<S: serde::Serializer>(&self, s: S) -> std::result::Result<S::Ok, S::Error> {
        s.collect_map(self.0.iter().map(|(k, v)| (k, v)))
    }
}

impl Serialize for Header<'_> {
    fn serialize<S: serde::Serializer>(&self, s: S) -> std::result::Result<S::Ok, S::Error> {
        let mut map = s.serialize_map(None)?;
        if !self.metadata.is_empty() {
            map.serialize_entry("__metadata__", &Notes(self.metadata))?;
        }
        let mut at = 0;
        for t in self.tensors {
            let data_offsets = [at, at + t.byte_len];
            map.serialize_entry(t.name, &Entry { dtype: t.dtype.name(), shape: t.dims, data_offsets })?;
            at += t.byte_len;
        }
        map.end()
    }
}
