//! Files that numpy, ml_dtypes, JAX and safetensors wrote (`tests/data/corpus.py`): what is inside, as they say it.

mod formats_support;

use std::fs;
use std::path::{Path, PathBuf};

use fewerbits::decode::{decode, fortran_to_row_major, unreadable};
use fewerbits::formats::{Layout, Listing, TensorInfo};
use formats_support::{list, shards};
use serde_json::{Value, json};

fn corpus() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/corpus")
}

/// The tensor as expected.json describes one.
fn describe(file: &[u8], t: &TensorInfo) -> Value {
    let hex = unreadable(t.dtype).is_none().then(|| {
        let mut values = vec![0f32; t.shape.count() as usize];
        decode(t.dtype, t.big_endian, &file[t.bytes.start as usize..t.bytes.end as usize], &mut values).unwrap();
        if t.layout == Layout::Fortran {
            let stored = values.clone();
            fortran_to_row_major(&stored, &t.shape, &mut values).unwrap();
        }
        values.iter().map(|v| format!("{:08x}", v.to_bits())).collect::<String>()
    });
    json!({"dtype": t.dtype.name(), "shape": t.shape.dims(), "f32": hex})
}

fn check(path: &str, parts: &[(Vec<u8>, Listing)], want: &Value) {
    let mut tensors = serde_json::Map::new();
    for (file, listing) in parts {
        for t in &listing.tensors {
            // npy names nothing; expected.json calls the array by the file's name.
            let name = if t.name == "array" { path.trim_end_matches(".npy") } else { &t.name };
            tensors.insert(name.to_owned(), describe(file, t));
        }
    }
    assert_eq!(Value::Object(tensors), want["tensors"], "{path}");
    if let Some(metadata) = want.get("metadata") {
        let got: serde_json::Map<_, _> = parts[0].1.metadata.iter().map(|(k, v)| (k.clone(), json!(v))).collect();
        assert_eq!(&Value::Object(got), metadata, "{path}");
    }
}

#[test]
fn every_file_of_the_corpus_holds_what_its_writer_says() {
    let expected: Value = serde_json::from_slice(&fs::read(corpus().join("expected.json")).unwrap()).unwrap();
    let expected = expected.as_object().unwrap();
    assert!(expected.len() > 20);
    for (path, want) in expected {
        let at = corpus().join(path);
        if at.is_dir() {
            let index = shards(&fs::read(at.join("model.safetensors.index.json")).unwrap()).unwrap();
            let files = index.files().into_iter().map(|name| fs::read(at.join(name)).unwrap());
            let parts: Vec<_> = files.map(|file| (file.clone(), list(&file).unwrap())).collect();
            check(path, &parts, want);
            continue;
        }
        let file = fs::read(&at).unwrap();
        match want.get("refused") {
            Some(why) => {
                let error = list(&file).unwrap_err();
                assert_eq!(error.code.as_str(), "unsupported", "{path}");
                assert_eq!(error.message, why.as_str().unwrap(), "{path}");
            }
            None => {
                let listing = list(&file).unwrap_or_else(|e| panic!("{path}: {e}"));
                check(path, &[(file, listing)], want);
            }
        }
    }
}

#[test]
fn truncation_of_a_real_file_at_every_byte_is_an_error() {
    for path in ["numpy.safetensors", "ml_dtypes.safetensors", "flax.safetensors", "c.npy", "version3.npy"] {
        let file = fs::read(corpus().join(path)).unwrap();
        for cut in 0..file.len() {
            assert!(list(&file[..cut]).is_err(), "{path} cut at {cut}");
        }
    }
}
