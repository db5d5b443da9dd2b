//! A JSON header behind a right length, held against the reference crate: what is listed here it lists alike, and what
//! is refused here it refuses too, but for what the format forbids and it lets pass.
#![no_main]

#[path = "../../tests/formats_support/mod.rs"]
mod formats_support;

use libfuzzer_sys::fuzz_target;
use safetensors::SafeTensors;

/// What the reference crate lets pass: duplicate keys, which it forbids; `null` metadata and arrays for objects, which
/// its derived parser takes; fields of any depth and tensors of any rank; products that a zero saves from overflow.
const STRICTER: [&str; 5] =
    ["twice", "nested too deeply", "array of integers is too long", "wrong kind", "more elements than 64 bits"];

fuzz_target!(|input: &[u8]| {
    let Some((&data, header)) = input.split_first() else { return };
    let mut text = b"{".to_vec();
    text.extend_from_slice(header);
    let file = formats_support::safetensors(text, usize::from(data));
    let ours = formats_support::exercise(&file);
    let theirs = SafeTensors::deserialize(&file);
    match (ours, theirs) {
        (Some(ours), Ok(theirs)) => {
            assert_eq!(ours.tensors.len(), theirs.len());
            for t in &ours.tensors {
                let view = theirs.tensor(&t.name).expect("the same names");
                assert_eq!(view.data(), &file[t.bytes.start as usize..t.bytes.end as usize]);
                assert!(view.shape().iter().map(|&d| d as u64).eq(t.shape.dims().iter().copied()));
                assert_eq!(view.dtype().to_string(), t.dtype.name());
            }
        }
        (Some(_), Err(e)) => panic!("listed here and refused there: {e:?}"),
        (None, Ok(_)) => {
            let error = formats_support::list(&file).expect_err("refused");
            assert!(STRICTER.iter().any(|s| error.message.contains(s)), "refused here and not there: {error}");
        }
        (None, Err(_)) => {}
    }
});
