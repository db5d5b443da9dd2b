//! The sample network with its held-out images, as the page has it.

use fewerbits::nn::{DigitsNet, TENSORS};

const WEIGHTS: &[u8] = include_bytes!("../../www/public/models/digits.safetensors");
const HELD_OUT: &[u8] = include_bytes!("../../www/public/models/digits-heldout.safetensors");

pub fn network() -> DigitsNet {
    let mut net = DigitsNet::new();
    for (name, _) in TENSORS {
        let bytes = tensor(WEIGHTS, name).chunks_exact(4);
        net.set(name, &bytes.map(|b| f32::from_le_bytes(b.try_into().unwrap())).collect::<Vec<_>>()).unwrap();
    }
    net.set_held_out(tensor(HELD_OUT, "images"), tensor(HELD_OUT, "labels")).unwrap();
    net
}

/// A tensor's bytes in a safetensors file that is known to be good.
fn tensor<'a>(file: &'a [u8], name: &str) -> &'a [u8] {
    let header_len = u64::from_le_bytes(file[..8].try_into().unwrap()) as usize;
    let (header, data) = file[8..].split_at(header_len);
    let header: serde_json::Value = serde_json::from_slice(header).unwrap();
    let offset = |i: usize| header[name]["data_offsets"][i].as_u64().unwrap() as usize;
    &data[offset(0)..offset(1)]
}
