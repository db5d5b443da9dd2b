//! What a broken file may cost: cut at every byte, or claiming what it likes, no file of the corpus makes its reader hold 64 MB.

mod allocations;
mod formats_support;

use std::fs;
use std::path::Path;

use allocations::cost;
use formats_support::step_claimed;

const LIMIT: usize = 64 << 20;

// The only test here: others beside it would be counted too.
#[test]
fn a_file_cut_at_any_byte_or_claiming_any_length_takes_little_memory() {
    let data = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data");
    let (mut files, mut greatest) = (0, 0);
    for folder in ["corpus", "corpus/onnx", "corpus/sharded", "deep", "gguf", "parts", "zips"] {
        for entry in fs::read_dir(data.join(folder)).unwrap() {
            let path = entry.unwrap().path();
            if !path.is_file() || path.ends_with("expected.json") {
                continue;
            }
            let file = fs::read(&path).unwrap();
            files += 1;
            let step = if file.len() < 6000 { 1 } else { 61 };
            for cut in (0..file.len()).step_by(step) {
                let (_, held, _) = cost(|| {
                    // As it is cut, with zeros up to its own length, and as the start of a file of 40 GB.
                    let _ = step_claimed(&file[..cut], cut as u64);
                    let _ = step_claimed(&file[..cut], file.len() as u64);
                    if cut % 16 == 0 {
                        let _ = step_claimed(&file[..cut], 40 << 30);
                    }
                });
                assert!(held <= LIMIT, "{}, cut at {cut}: {held} bytes", path.display());
                greatest = greatest.max(held);
            }
        }
    }
    assert!(files > 60, "{files} files");
    println!("{files} files, {greatest} bytes at most");
}
