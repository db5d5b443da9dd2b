//! The literal of an npy header, behind a right magic and length; the first byte says how much data follows.
#![no_main]

#[path = "../../tests/formats_support/mod.rs"]
mod formats_support;

use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: &[u8]| {
    let Some((&data, header)) = input.split_first() else { return };
    if let Ok(text) = std::str::from_utf8(header)
        && text.len() <= usize::from(u16::MAX)
    {
        formats_support::exercise(&formats_support::npy(text, usize::from(data)));
    }
});
