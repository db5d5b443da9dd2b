//! A pickle in a right archive, beside a byte order and a storage.
#![no_main]

#[path = "../../tests/formats_support/mod.rs"]
mod formats_support;

use libfuzzer_sys::fuzz_target;

fuzz_target!(|pickle: &[u8]| {
    let file = formats_support::stored_zip(&[("x/data.pkl", pickle), ("x/byteorder", b"little"), ("x/data/0", &[7; 64])]);
    formats_support::exercise(&file);
});
