//! Deep Compression against a reader and a writer in numpy that were made from its document alone: goldens/README.md.

mod formats_support;
mod goldens;

use std::fs;
use std::path::Path;

use fewerbits::formats::crc32::crc32;
use fewerbits::quant::deep::{Record, decode, stages};
use formats_support::{list, stored, values};

#[test]
fn records_of_numpy_are_read_and_written_in_as_many_bytes() {
    let mut tested = 0;
    for case in goldens::cases("deep").iter().filter(|case| case["record"].is_string()) {
        let codes = goldens::bytes(&case["codes"]);
        let shared = goldens::f32s(&case["values"]);
        let record = goldens::bytes(&case["record"]);
        let bits = |name: &str| case[name].as_u64().unwrap() as u32;
        let want: Vec<u32> = codes
            .iter()
            .map(|&code| if code == 0 { 0.0_f32 } else { shared[usize::from(code) - 1] }.to_bits())
            .collect();
        let read = |record: &[u8]| {
            let weights = decode(record, codes.len() as u64).unwrap_or_else(|e| panic!("{}: {e}", case["name"]));
            weights.iter().map(|weight| weight.to_bits()).collect::<Vec<_>>()
        };
        assert_eq!(read(&record), want, "{}", case["name"]);
        let own = Record::new(&codes, bits("codeBits"), bits("indexBits"), shared.clone()).unwrap();
        assert_eq!(Record::parse(&record, codes.len() as u64).unwrap(), own, "{}", case["name"]);
        // Two codes of Huffman may differ in which of two equally frequent symbols has the longer word, never in their length.
        let bytes = own.to_bytes(true);
        assert_eq!(bytes.len(), record.len(), "{}", case["name"]);
        assert_eq!(read(&bytes), want, "{}", case["name"]);
        let found = stages(&bytes, codes.len() as u64).unwrap();
        assert_eq!(own.codes.len() as u64, case["stored"].as_u64().unwrap());
        let padding = if found.index_bits == 0 { 0 } else { case["padding"].as_u64().unwrap() };
        assert_eq!(found.padding, padding, "{}", case["name"]);
        tested += 1;
    }
    assert!(tested > 70, "{tested}");
}

#[test]
fn numpy_reads_the_containers_that_are_written_here_as_they_are_read_here() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/deep");
    let mut tested = 0;
    for case in goldens::cases("deep").iter().filter(|case| case["file"].is_string()) {
        let file = fs::read(folder.join(case["file"].as_str().unwrap())).unwrap();
        let listing = list(&file).unwrap();
        let tensor = listing.tensors.iter().find(|t| t.name == case["tensor"].as_str().unwrap()).unwrap();
        let dims: Vec<u64> = goldens::ints(&case["shape"]).iter().map(|&d| d as u64).collect();
        assert_eq!((tensor.dtype.name(), tensor.shape.dims()), (case["dtype"].as_str().unwrap(), &dims[..]));
        let bytes = match tensor.deep {
            true => values(&file, tensor).unwrap().iter().flat_map(|x| x.to_le_bytes()).collect(),
            false => stored(&file, tensor).unwrap(),
        };
        assert_eq!(u64::from(crc32(0, &bytes)), case["crc32"].as_u64().unwrap(), "{}", case["name"]);
        if tensor.deep {
            let found = stages(&stored(&file, tensor).unwrap(), tensor.shape.count()).unwrap();
            let number = |name: &str| case[name].as_u64().unwrap();
            assert_eq!((found.padding, found.values), (number("padding"), number("shared")));
            assert_eq!(found.weights - found.kept, number("zeros"));
        }
        tested += 1;
    }
    assert!(tested >= 8, "{tested}");
}
