//! The header of a container of Deep Compression: see [`super::deep`].

use std::ops::Range;

use super::deep::{HEAD, MAGIC, RECORD, STORED, VERSION};
use super::{MAX_DIMS, MAX_HEADER_BYTES};
use crate::error::{Code, Error, Result};
use crate::tensor::DType;

/// A tensor as it is written.
#[derive(Debug, Clone, Copy)]
pub struct Written<'a> {
    /// Its name.
    pub name: &'a str,
    /// Its type; `F32` of a record.
    pub dtype: DType,
    /// Its dimensions, outermost first.
    pub dims: &'a [u64],
    /// Its bytes.
    pub byte_len: u64,
    /// Whether they are a record.
    pub is_record: bool,
}

/// A header.
#[derive(Debug)]
pub struct Laid {
    /// Its bytes.
    pub bytes: Vec<u8>,
    /// Where the bytes of each tensor lie; the last ends where the file does.
    pub data: Vec<Range<u64>>,
    /// Where in the header that is said, start and end, 8 bytes each: its length does not hang on them.
    pub places: Vec<u64>,
}

/// The header of these tensors and notes; a note without a key is left out.
///
/// # Errors
/// `unsupported` for what the header has no room for.
pub fn header(tensors: &[Written<'_>], notes: &[(String, String)]) -> Result<Laid> {
    let notes: Vec<_> = notes.iter().filter(|(key, _)| !key.is_empty()).collect();
    let notes_len: usize = notes.iter().map(|(key, value)| 8 + key.len() + value.len()).sum();
    let tensor_len = |t: &Written<'_>| 4 + t.name.len() + 2 + t.dtype.name().len() + 1 + 8 * t.dims.len() + 16;
    let header_len = HEAD + (notes_len + tensors.iter().map(tensor_len).sum::<usize>()) as u64;
    if header_len > MAX_HEADER_BYTES {
        return Err(Error::new(Code::Unsupported, "the names and notes are too long for the container")
            .with_expected(format!("a header of at most {MAX_HEADER_BYTES} bytes"))
            .with_found(format!("{header_len} bytes")));
    }
    let mut out = MAGIC.to_vec();
    out.extend(VERSION.to_le_bytes());
    out.extend((tensors.len() as u32).to_le_bytes());
    out.extend(header_len.to_le_bytes());
    out.extend((notes.len() as u32).to_le_bytes());
    for (key, value) in &notes {
        text(&mut out, key);
        text(&mut out, value);
    }
    let mut at = header_len;
    let (mut data, mut places) = (Vec::with_capacity(tensors.len()), Vec::with_capacity(tensors.len()));
    for tensor in tensors {
        if tensor.name.is_empty() {
            return Err(Error::new(Code::Unsupported, "the container has no room for a tensor without a name"));
        }
        if tensor.dims.len() > MAX_DIMS {
            return Err(Error::new(Code::Unsupported, "the tensor has too many dimensions")
                .with_tensor(tensor.name)
                .with_found(tensor.dims.len()));
        }
        let place = at..at + tensor.byte_len;
        text(&mut out, tensor.name);
        out.push(if tensor.is_record { RECORD } else { STORED });
        out.push(tensor.dtype.name().len() as u8);
        out.extend(tensor.dtype.name().bytes());
        out.push(tensor.dims.len() as u8);
        out.extend(tensor.dims.iter().flat_map(|dim| dim.to_le_bytes()));
        places.push(out.len() as u64);
        out.extend(place.start.to_le_bytes());
        out.extend(place.end.to_le_bytes());
        at = place.end;
        data.push(place);
    }
    Ok(Laid { bytes: out, data, places })
}

fn text(out: &mut Vec<u8>, text: &str) {
    out.extend((text.len() as u32).to_le_bytes());
    out.extend(text.bytes());
}
