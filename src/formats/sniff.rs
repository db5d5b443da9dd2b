//! What a file is, from its first bytes. Formats that cannot be read are named, so that the message helps.

use super::{Header, HeaderKind, Kind, MAX_HEADER_BYTES, gguf, npy, safetensors};
use crate::error::{Code, Error, Result};

/// Recognizes the file by `start`, its first bytes (all of them when the file is short), and says where its header
/// ends.
pub(super) fn identify(start: &[u8], file_len: u64) -> Result<Kind> {
    if start.is_empty() {
        return Err(unknown("the file is empty", start));
    }
    if start.starts_with(npy::MAGIC) {
        return npy::header(start, file_len).map(Kind::Prefix);
    }
    let length = start.first_chunk::<8>().map(|b| u64::from_le_bytes(*b));
    // Before the foreign magics: a length of 35,615 bytes looks like gzip, one of 896 like a pickle.
    if let Some(n) = length.filter(|&n| n <= MAX_HEADER_BYTES && begins_header(&start[8..])) {
        return safetensors::header(n, file_len).map(Kind::Prefix);
    }
    #[cfg(feature = "full")]
    if is_onnx(start) {
        return Ok(Kind::Other(Box::new(super::onnx::Parser::new(file_len))));
    }
    #[cfg(feature = "full")]
    if start.starts_with(b"PK\x03\x04") || start.starts_with(b"PK\x05\x06") {
        return Ok(Kind::Other(Box::new(super::zip::Zip::new(file_len))));
    }
    #[cfg(feature = "full")]
    if start.starts_with(gguf::MAGIC) {
        return Ok(Kind::Other(Box::new(gguf::read::Parser::new(file_len))));
    }
    #[cfg(feature = "full")]
    if start.starts_with(super::deep::MAGIC) {
        return super::deep::header(start, file_len).map(Kind::Prefix);
    }
    if let Some(foreign) = FOREIGN.iter().find(|foreign| (foreign.is)(start)) {
        return Err(refuse(foreign.code, foreign.message, foreign.name.to_owned()));
    }
    if start.trim_ascii_start().first() == Some(&b'{') {
        return json(file_len).map(Kind::Prefix);
    }
    match length {
        None => Err(unknown("the file is too short for any known format", start)),
        Some(n) if start.get(8) == Some(&b'{') && !is_text(&start[..8]) => {
            safetensors::header(n, file_len).map(Kind::Prefix)
        }
        Some(_) => Err(unknown("the file is of no known format", start)),
    }
}

/// Whether this can be the start of a safetensors header, or of one that breaks the rule to begin with '{'.
fn begins_header(text: &[u8]) -> bool {
    text.is_empty() || text.trim_ascii_start().first() == Some(&b'{')
}

/// An index is read whole.
fn json(file_len: u64) -> Result<Header> {
    if file_len > MAX_HEADER_BYTES {
        return Err(Error::new(Code::UnknownFormat, "the file is JSON and too long for an index of shards")
            .with_offset(0)
            .with_expected(format_args!("at most {MAX_HEADER_BYTES} bytes"))
            .with_found(format_args!("{file_len} bytes")));
    }
    Ok(Header { kind: HeaderKind::Json, end: file_len })
}

fn unknown(message: &str, start: &[u8]) -> Error {
    refuse(Code::UnknownFormat, message, first_bytes(start))
}

fn refuse(code: Code, message: &str, found: String) -> Error {
    Error::new(code, message)
        .with_offset(0)
        .with_expected("a safetensors, GGUF, ONNX, npy, npz, PyTorch or Deep Compression file, or an index of shards")
        .with_found(found)
}

/// The first bytes as people can compare them: quoted text where it is text, hexadecimal where it is not.
fn first_bytes(start: &[u8]) -> String {
    let start = &start[..start.len().min(16)];
    match start {
        [] => "no bytes".into(),
        _ if is_text(start) => format!("{:?}", String::from_utf8_lossy(start)),
        _ => start.iter().map(|b| format!("{b:02x}")).collect::<Vec<_>>().join(" "),
    }
}

fn is_text(bytes: &[u8]) -> bool {
    bytes.iter().all(|b| matches!(b, b' '..=b'~' | b'\t' | b'\r' | b'\n'))
}

/// A file that is known and cannot be read.
struct Foreign {
    /// `unsupported` for a model or an archive of one, `unknown_format` for what is no model at all.
    code: Code,
    /// What it is, with its article.
    name: &'static str,
    /// Why it is refused, or what to do.
    message: &'static str,
    /// How it is recognized by its first bytes.
    is: fn(&[u8]) -> bool,
}

const NOT_YET: &str = "models of this format cannot be read yet";
const NOT: &str = "models of this format cannot be read";
const UNPACK: &str = "archives are not opened: unpack it first";

const FOREIGN: [Foreign; 12] = [
    Foreign {
        code: Code::UnknownFormat,
        name: "a Git LFS pointer",
        message: "this is not the file but what stands for it: fetch it with `git lfs pull`",
        is: |b| b.starts_with(b"version https://git-lfs.github.com/spec/"),
    },
    Foreign {
        code: Code::UnknownFormat,
        name: "a web page",
        message: "this is not a model: the address it came from may lead to an error or a sign-in page",
        is: is_html,
    },
    Foreign { code: Code::Unsupported, name: "a GGUF file", message: NOT_YET, is: |b| b.starts_with(gguf::MAGIC) },
    Foreign {
        code: Code::Unsupported,
        name: "a container of Deep Compression",
        message: NOT_YET,
        is: |b| b.starts_with(b"FBDEEP\r\n"),
    },
    Foreign {
        code: Code::Unsupported,
        name: "a zip archive (a PyTorch checkpoint or npz)",
        message: NOT_YET,
        is: |b| b.starts_with(b"PK\x03\x04") || b.starts_with(b"PK\x05\x06"),
    },
    Foreign {
        code: Code::Unsupported,
        name: "a Python pickle (an old PyTorch checkpoint)",
        message: "pickles are never executed: save it as safetensors",
        is: |b| matches!(b, [0x80, 2..=5, ..]),
    },
    Foreign { code: Code::Unsupported, name: "an ONNX model", message: NOT_YET, is: is_onnx },
    Foreign { code: Code::Unsupported, name: "a gzip archive", message: UNPACK, is: |b| b.starts_with(&[0x1f, 0x8b]) },
    Foreign {
        code: Code::Unsupported,
        name: "a zstd archive",
        message: UNPACK,
        is: |b| b.starts_with(&[0x28, 0xb5, 0x2f, 0xfd]),
    },
    Foreign {
        code: Code::Unsupported,
        name: "an HDF5 file (Keras)",
        message: NOT,
        is: |b| b.starts_with(b"\x89HDF\r\n\x1a\n"),
    },
    Foreign {
        code: Code::Unsupported,
        name: "a TensorFlow Lite model",
        message: NOT,
        is: |b| b.get(4..8) == Some(b"TFL3"),
    },
    Foreign {
        code: Code::UnknownFormat,
        name: "a PDF document",
        message: "this is not a model",
        is: |b| b.starts_with(b"%PDF-"),
    },
];

/// `ir_version`, which every writer puts first, and then another field of the model.
fn is_onnx(start: &[u8]) -> bool {
    matches!(start, [0x08, 1..=20, 0x12 | 0x1a | 0x22 | 0x28 | 0x32 | 0x3a | 0x42 | 0x72, ..])
}

fn is_html(start: &[u8]) -> bool {
    let start = start.strip_prefix(b"\xef\xbb\xbf").unwrap_or(start).trim_ascii_start();
    [&b"<!doctype"[..], b"<html", b"<?xml", b"<head", b"<!--"]
        .iter()
        .any(|tag| start.get(..tag.len()).is_some_and(|s| s.eq_ignore_ascii_case(tag)))
}
