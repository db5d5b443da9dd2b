//! npz files that are written: read back here, opened by numpy, and placed right beyond 4 GiB.
#![cfg(not(target_arch = "wasm32"))] // runs Python

mod formats_support;

use std::process::Command;

use fewerbits::DType;
use fewerbits::formats::crc32::crc32;
use fewerbits::formats::npz_write::{Array, Layout, layout};
use formats_support::{assert_error, list, step_claimed, values};

/// The file, with the elements of each array put where the layout says.
fn file(layout: &Layout, data: &[Vec<u8>]) -> Vec<u8> {
    let mut file = vec![0; layout.byte_len as usize];
    let mut put = |at: u64, bytes: &[u8]| file[at as usize..at as usize + bytes.len()].copy_from_slice(bytes);
    layout.bytes.iter().for_each(|(at, bytes)| put(*at, bytes));
    layout.data.iter().zip(data).for_each(|(range, bytes)| {
        assert_eq!(range.end - range.start, bytes.len() as u64);
        put(range.start, bytes);
    });
    for check in &layout.checks {
        let crc = crc32(0, &file[check.of.start as usize..check.of.end as usize]).to_le_bytes();
        for at in check.at {
            file[at as usize..at as usize + 4].copy_from_slice(&crc);
        }
    }
    file
}

fn sample() -> (Layout, Vec<Vec<u8>>) {
    let arrays = [
        Array { name: "layer.weight", dtype: DType::F32, dims: &[2, 3] },
        Array { name: "名前", dtype: DType::F16, dims: &[3] },
        Array { name: "empty", dtype: DType::I64, dims: &[0, 5] },
        Array { name: "scalar", dtype: DType::U8, dims: &[] },
        Array { name: "bool", dtype: DType::Bool, dims: &[2, 1, 1] },
    ];
    let floats: Vec<u8> = (0..6).flat_map(|i| (i as f32 - 2.5).to_le_bytes()).collect();
    let data = vec![floats, vec![0, 0x3c, 0, 0xc0, 0, 0x38], vec![], vec![7], vec![1, 0]];
    (layout(&arrays).unwrap(), data)
}

#[test]
fn what_is_written_reads_back() {
    let (layout, data) = sample();
    let file = file(&layout, &data);
    let listing = list(&file).unwrap();
    let got: Vec<_> =
        listing.tensors.iter().map(|t| (t.name.as_str(), t.dtype, t.shape.dims().to_vec(), t.bytes.clone())).collect();
    let at = &layout.data;
    assert_eq!(
        got,
        [
            ("layer.weight", DType::F32, vec![2, 3], at[0].clone()),
            ("名前", DType::F16, vec![3], at[1].clone()),
            ("empty", DType::I64, vec![0, 5], at[2].clone()),
            ("scalar", DType::U8, vec![], at[3].clone()),
            ("bool", DType::Bool, vec![2, 1, 1], at[4].clone()),
        ]
    );
    assert_eq!(values(&file, &listing.tensors[0]).unwrap(), [-2.5, -1.5, -0.5, 0.5, 1.5, 2.5]);
    assert_eq!(values(&file, &listing.tensors[1]).unwrap(), [1.0, -2.0, 0.5]);
    let mut end = 0;
    for (at, bytes) in &layout.bytes {
        assert!(*at >= end, "places ascend");
        end = at + bytes.len() as u64;
    }
    assert_eq!(end, layout.byte_len);
}

/// Python with numpy, where there is one.
fn numpy() -> Option<String> {
    let of_tests = std::env::var("FEWERBITS_PYTHON").ok();
    let candidates = of_tests.into_iter().chain(["target/python/bin/python", "python3"].map(str::to_owned));
    candidates.into_iter().find(|python| {
        Command::new(python).args(["-c", "import numpy"]).output().is_ok_and(|done| done.status.success())
    })
}

#[test]
fn numpy_opens_what_is_written() {
    let Some(python) = numpy() else {
        assert!(std::env::var("CI").is_err(), "numpy is needed for this test");
        return;
    };
    let (layout, data) = sample();
    let path = std::env::temp_dir().join(format!("fewerbits-{}.npz", std::process::id()));
    std::fs::write(&path, file(&layout, &data)).unwrap();
    let script = "
import sys, zipfile, numpy as np
assert zipfile.ZipFile(sys.argv[1]).testzip() is None
z = np.load(sys.argv[1])
print([(k, z[k].dtype.str, z[k].shape, z[k].ravel().tolist()) for k in z.files])";
    let done = Command::new(python).args(["-c", script]).arg(&path).env("PYTHONIOENCODING", "utf-8").output().unwrap();
    std::fs::remove_file(&path).unwrap();
    assert_eq!(
        String::from_utf8_lossy(&done.stdout).trim(),
        "[('layer.weight', '<f4', (2, 3), [-2.5, -1.5, -0.5, 0.5, 1.5, 2.5]), ('名前', '<f2', (3,), [1.0, -2.0, 0.5]), \
         ('empty', '<i8', (0, 5), []), ('scalar', '|u1', (), [7]), ('bool', '|b1', (2, 1, 1), [True, False])]",
        "{}",
        String::from_utf8_lossy(&done.stderr)
    );
}

/// A file of 20 GB, of which only the literal bytes exist.
#[test]
fn what_lies_beyond_4_gib_is_found_again() {
    let big = [1 << 16, 1 << 15];
    let arrays = ["a", "b", "c"].map(|name| Array { name, dtype: DType::F32, dims: &big });
    let layout = layout(&arrays).unwrap();
    let mut reader = fewerbits::formats::Reader::new(layout.byte_len);
    let mut step = reader.step(&[]).unwrap();
    while let fewerbits::formats::Step::Need(range) = &step {
        let mut bytes = vec![0; (range.end - range.start) as usize];
        for (at, literal) in &layout.bytes {
            let (start, end) = (range.start.max(*at), range.end.min(at + literal.len() as u64));
            if start < end {
                bytes[(start - range.start) as usize..(end - range.start) as usize]
                    .copy_from_slice(&literal[(start - at) as usize..(end - at) as usize]);
            }
        }
        step = reader.step(&bytes).unwrap();
    }
    let fewerbits::formats::Step::Done(listing) = step else { panic!("a listing") };
    let places: Vec<_> = listing.tensors.iter().map(|t| t.bytes.clone()).collect();
    assert_eq!(places, layout.data);
    assert!(layout.byte_len > 24 << 30);
    // The same start at another length is no archive.
    assert!(step_claimed(&layout.bytes[0].1, layout.byte_len).is_err());
}

#[test]
fn arrays_that_cannot_be_written_are_refused() {
    let one = |name, dtype, dims| layout(&[Array { name, dtype, dims }]);
    let want = ("unsupported", Some("w"), None, "floats of 16 to 64 bits, integers or booleans", "F8_E4M3");
    assert_error(one("w", DType::F8E4M3, &[1]), want);
    assert_error(
        one("w", DType::F32, &[u64::MAX, 2]),
        ("invalid_argument", Some("w"), None, "", "[18446744073709551615, 2]"),
    );
    assert_error(one("w", DType::F32, &[1 << 61]), ("invalid_argument", Some("w"), None, "", "[2305843009213693952]"));
    let array = Array { name: "w", dtype: DType::F32, dims: &[1] };
    assert_error(layout(&[array.clone(), array]), ("invalid_argument", Some("w"), None, "", ""));
    let long = "n".repeat(65_532);
    // An error quotes a long name's beginning.
    let quoted = format!("{}…", &long[..256]);
    assert_error(one(&long, DType::F32, &[1]), ("invalid_argument", Some(&quoted), None, "65531", "65532"));
}
