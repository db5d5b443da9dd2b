//! A file that may be anything, at its own length and at a length that it claims.
#![no_main]

#[path = "../../tests/formats_support/mod.rs"]
mod formats_support;

use libfuzzer_sys::fuzz_target;

fuzz_target!(|file: &[u8]| {
    formats_support::exercise(file);
    // A claim of up to 64 KiB more: beyond that a reader only asks for more of the same zeros.
    let more = file.first().copied().map_or(0, |b| u64::from(b) << 8);
    let _ = formats_support::step_claimed(file, file.len() as u64 + more);
});
