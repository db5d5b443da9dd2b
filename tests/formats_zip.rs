//! npz files and PyTorch checkpoints as numpy and torch wrote them (`tests/data/zips.py`): what is inside, as they say it.

mod formats_support;

use std::fs;
use std::path::Path;

use formats_support::{list, values};
use serde_json::{Value, json};

fn zips(file: &str) -> Vec<u8> {
    fs::read(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/zips").join(file)).unwrap()
}

#[test]
fn every_archive_holds_what_its_writer_says() {
    let expected: Value = serde_json::from_slice(&zips("expected.json")).unwrap();
    for (name, want) in expected.as_object().unwrap() {
        let file = zips(name);
        if let Some(why) = want.get("refused") {
            let e = list(&file).expect_err(name);
            assert_eq!((e.code.as_str(), &json!(e.message)), ("unsupported", why), "{name}");
            continue;
        }
        let listing = list(&file).unwrap_or_else(|e| panic!("{name}: {e}"));
        let format = if name.ends_with(".npz") { "npz" } else { "torch" };
        assert_eq!(listing.format.as_str(), format, "{name}");
        let mut names: Vec<_> = listing.tensors.iter().map(|t| t.name.as_str()).collect();
        names.sort_unstable();
        let mut wanted: Vec<_> = want["tensors"].as_object().unwrap().keys().map(String::as_str).collect();
        wanted.sort_unstable();
        assert_eq!(names, wanted, "{name}");
        for t in &listing.tensors {
            let hex = values(&file, t).map(|v| v.iter().map(|v| format!("{:08x}", v.to_bits())).collect::<String>());
            let got = json!({"dtype": t.dtype.name(), "shape": t.shape.dims(), "f32": hex});
            assert!(
                got == want["tensors"][&t.name],
                "{name}: {}\n{:.300}\n{:.300}",
                t.name,
                got,
                want["tensors"][&t.name]
            );
        }
        let metadata = want.get("metadata").and_then(Value::as_object);
        assert_eq!(metadata.map_or(0, |m| m.len()), listing.metadata.len(), "{name}: {:?}", listing.metadata);
        for (key, text) in &listing.metadata {
            let want = &metadata.unwrap()[key];
            assert!(want.is_null() || want == text, "{name}: {key}: {text}");
        }
    }
}
