//! The fields of a graph in a model that is right, its operator set first: listed or refused, planned and laid out.
#![no_main]

#[path = "../../tests/formats_support/mod.rs"]
mod formats_support;

use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: &[u8]| {
    let Some((&opset, graph)) = input.split_first() else { return };
    let mut file = vec![0x08, 8, 0x42, 2, 0x10, opset & 0x7f, 0x3a];
    let mut len = graph.len();
    while len >= 0x80 {
        file.push(len as u8 | 0x80);
        len >>= 7;
    }
    file.push(len as u8);
    file.extend_from_slice(graph);
    formats_support::exercise(&file);
});
