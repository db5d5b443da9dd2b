//! Any bytes as elements of any type: no panic, and an element's value does not depend on its place or its neighbours.
#![no_main]

use fewerbits::DType;
use fewerbits::decode::{decode, unreadable};
use libfuzzer_sys::fuzz_target;

const NAMES: [&str; 34] = [
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
    "I4",
    "U4",
    "Q8_0",
    "Q4_0",
    "Q5_1",
    "Q3_K",
    "Q4_K",
    "Q6_K",
    "IQ4_XS",
    "IQ2_XXS",
    "TQ1_0",
    "NVFP4",
];

fuzz_target!(|input: &[u8]| {
    let [kind, order, bytes @ ..] = input else { return };
    let dtype = DType::named(NAMES[usize::from(*kind) % NAMES.len()]).expect("a known name");
    let big_endian = order & 1 == 1;
    let (step, step_bytes) = dtype.block();
    let (step, step_bytes) = (step as usize, step_bytes as usize);
    let mut all = vec![0.0; bytes.len() / step_bytes * step];
    let is_whole = bytes.len().is_multiple_of(step_bytes);
    let result = decode(dtype, big_endian, bytes, &mut all);
    assert_eq!(result.is_ok(), is_whole && unreadable(dtype).is_none());
    if result.is_err() {
        return;
    }
    // One NaN is as good as another.
    let bits = |values: &[f32]| values.iter().map(|v| if v.is_nan() { !0 } else { v.to_bits() }).collect::<Vec<_>>();
    for (bytes, all) in bytes.chunks(step_bytes).zip(all.chunks(step)) {
        let mut alone = vec![0.0; step];
        decode(dtype, big_endian, bytes, &mut alone).expect("whole elements decode");
        assert_eq!(bits(&alone), bits(all));
    }
});
