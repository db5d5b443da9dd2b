//! Any bytes as elements of any type: no panic, and an element's value does not depend on its place or its neighbours.
#![no_main]

use fewerbits::decode::{decode, unreadable, whole_elements};
use libfuzzer_sys::fuzz_target;

const NAMES: [&str; 22] = [
    "BOOL",
    "U8",
    "I8",
    "U16",
    "I16",
    "U32",
    "I32",
    "U64",
    "I64",
    "F16",
    "BF16",
    "F32",
    "F64",
    "F8_E4M3",
    "F8_E5M2",
    "F8_E4M3FNUZ",
    "F8_E5M2FNUZ",
    "F8_E8M0",
    "F6_E2M3",
    "F6_E3M2",
    "F4",
    "C64",
];

fuzz_target!(|input: &[u8]| {
    let [kind, order, bytes @ ..] = input else { return };
    let dtype = DType::named(NAMES[usize::from(*kind) % NAMES.len()]).expect("a known name");
    let big_endian = order & 1 == 1;
    let count = bytes.len() * 8 / dtype.bits() as usize;
    let mut all = vec![0.0; count];
    let whole = dtype.byte_len(count as u64) == Some(bytes.len() as u64);
    let result = decode(dtype, big_endian, bytes, &mut all);
    assert_eq!(result.is_ok(), whole && unreadable(dtype).is_none());
    if result.is_err() {
        return;
    }
    let step = whole_elements(dtype) as usize;
    let step_bytes = dtype.byte_len(step as u64).expect("whole bytes") as usize;
    for (bytes, all) in bytes.chunks(step_bytes).zip(all.chunks(step)) {
        let mut alone = [0.0; 4];
        decode(dtype, big_endian, bytes, &mut alone[..step]).expect("whole elements decode");
        let bits = |values: &[f32]| values.iter().map(|v| v.to_bits()).collect::<Vec<_>>();
        assert_eq!(bits(&alone[..step]), bits(all));
    }
});
