//! A GGUF header behind a right magic, at its own length and at a length that it claims; what is listed is written again, and reads the same.
#![no_main]

#[path = "../../tests/formats_support/mod.rs"]
mod formats_support;

use fewerbits::formats::gguf::write::{Pair, Piece, Tensor, header};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: &[u8]| {
    let file = [b"GGUF", input].concat();
    let more = input.last().copied().map_or(0, |b| u64::from(b) << 8);
    let _ = formats_support::step_claimed(&file, file.len() as u64 + more);
    let Some(listing) = formats_support::exercise(&file) else { return };
    let parsed = listing.gguf.as_ref().expect("a GGUF file has a header");
    let pairs: Vec<_> = parsed.keys.iter().map(Pair::Copied).collect();
    let tensors: Vec<_> =
        listing.tensors.iter().map(|t| Tensor { name: &t.name, dtype: t.dtype, dims: t.shape.dims() }).collect();
    let Ok(written) = header(&pairs, &tensors) else { return };
    let mut again = Vec::new();
    for piece in &written.head {
        match piece {
            Piece::Bytes(bytes) => again.extend_from_slice(bytes),
            Piece::Source(range) => again.extend_from_slice(&file[range.start as usize..range.end as usize]),
        }
    }
    again.resize(written.file_len as usize, 0);
    let again = formats_support::list(&again).expect("what is written is read");
    assert_eq!(again.metadata, listing.metadata);
    assert_eq!(again.tensors.len(), listing.tensors.len());
    for ((a, b), place) in again.tensors.iter().zip(&listing.tensors).zip(&written.tensors) {
        assert_eq!((&a.name, a.dtype, &a.shape, &a.bytes), (&b.name, b.dtype, &b.shape, place));
    }
});
