//! The notes and tensors of a container of Deep Compression behind a right head; or a record, of as many weights as it is said to have.
#![no_main]

#[path = "../../tests/formats_support/mod.rs"]
mod formats_support;

use fewerbits::quant::deep::{Record, decode};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: &[u8]| {
    let [tensors, notes, data, rest @ ..] = input else { return };
    if *tensors < 255 {
        let (body, data) = rest.split_at(rest.len().saturating_sub(usize::from(*data)));
        formats_support::exercise(&formats_support::deep((*tensors).into(), (*notes).into(), body, data));
        return;
    }
    let count = u64::from(*notes) << (data % 48);
    let Ok(record) = Record::parse(rest, count) else { return };
    // What is read is little more than the bytes had room for, and is written so that it reads the same.
    assert!(count <= (rest.len() as u64 * 8 + 1) * 256);
    for entropy in [false, true] {
        assert_eq!(Record::parse(&record.to_bytes(entropy), count).expect("what is written reads"), record);
    }
    assert_eq!(decode(rest, count).expect("a record decodes").len() as u64, count);
});
