//! Containers of Deep Compression: written and read again, cut at every byte, and broken in every way that has an error of its own, as
//! `tests/data/deep_broken.txt` holds it (`PRINT_ERRORS=1` prints what it would hold today).

mod formats_support;

use std::fs;
use std::path::Path;

use fewerbits::DType;
use fewerbits::formats::Format;
use fewerbits::formats::deep_write::{Written, header};
use fewerbits::quant::deep::{Record, decode};
use formats_support::{Random, deep, deep_tensor, deep_text, exercise, list, step_claimed, values};

/// A record of 12 weights: 0 0 2.5 0 0 0 0 0 0 0 0 −1, with a padding zero.
fn record() -> Vec<u8> {
    let codes = [0, 0, 2, 0, 0, 0, 0, 0, 0, 0, 0, 1];
    Record::new(&codes, 2, 3, vec![-1.0, 2.5]).unwrap().to_bytes(true)
}

fn sample() -> (Vec<u8>, Vec<Vec<u8>>) {
    let record = record();
    let bias: Vec<u8> = [0.5_f32, -0.25].iter().flat_map(|x| x.to_le_bytes()).collect();
    let data = vec![record, bias, vec![1, 2, 3, 4], vec![]];
    let written = |name, dtype, dims, i: usize, is_record| Written {
        name,
        dtype,
        dims,
        byte_len: data[i].len() as u64,
        is_record,
    };
    let tensors = [
        written("fc.weight", DType::F32, &[3, 4][..], 0, true),
        written("fc.bias", DType::F32, &[2], 1, false),
        written("名前", DType::Bf16, &[1, 2], 2, false),
        written("empty", DType::I64, &[0, 5], 3, false),
    ];
    let notes = [("author".to_owned(), "nobody".to_owned()), ("z".to_owned(), String::new())];
    let laid = header(&tensors, &notes).unwrap();
    for (place, data) in laid.data.iter().zip(&data) {
        assert_eq!(place.end - place.start, data.len() as u64);
    }
    for (at, place) in laid.places.iter().zip(&laid.data) {
        let number = |at: usize| u64::from_le_bytes(laid.bytes[at..at + 8].try_into().unwrap());
        assert_eq!((number(*at as usize), number(*at as usize + 8)), (place.start, place.end));
    }
    ([laid.bytes, data.concat()].concat(), data)
}

#[test]
fn what_is_written_reads_back() {
    let (file, data) = sample();
    let listing = list(&file).unwrap();
    assert_eq!(listing.format, Format::Deep);
    assert_eq!(
        listing.metadata,
        [("author", "nobody"), ("z", "")].map(|(key, value)| (key.to_owned(), value.to_owned()))
    );
    let names: Vec<_> = listing.tensors.iter().map(|t| (t.name.as_str(), t.dtype, t.shape.dims(), t.deep)).collect();
    assert_eq!(
        names,
        [
            ("fc.weight", DType::F32, &[3, 4][..], true),
            ("fc.bias", DType::F32, &[2], false),
            ("名前", DType::Bf16, &[1, 2], false),
            ("empty", DType::I64, &[0, 5], false),
        ]
    );
    for (t, data) in listing.tensors.iter().zip(&data) {
        assert_eq!(&file[t.bytes.start as usize..t.bytes.end as usize], data);
    }
    let weights = values(&file, &listing.tensors[0]).unwrap();
    assert_eq!(weights, [0.0, 0.0, 2.5, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, -1.0]);
    assert_eq!(values(&file, &listing.tensors[1]).unwrap(), [0.5, -0.25]);
}

#[test]
fn a_container_cut_at_any_byte_is_refused_and_so_is_a_record() {
    let (file, _) = sample();
    for cut in 0..file.len() {
        assert!(list(&file[..cut]).is_err(), "cut at {cut}");
    }
    let record = record();
    for cut in 0..record.len() {
        assert!(decode(&record[..cut], 12).is_err(), "cut at {cut}");
    }
    assert!(decode(&record, 12).is_ok());
    for count in (0..12).chain(20..40) {
        assert!(decode(&record, count).is_err(), "{count} weights");
    }
}

/// The sample with one change: bytes put at a place from its start.
fn changed(at: usize, bytes: &[u8]) -> Vec<u8> {
    let (mut file, _) = sample();
    file[at..at + bytes.len()].copy_from_slice(bytes);
    file
}

fn broken_containers() -> Vec<(&'static str, Vec<u8>)> {
    let one = |tensor: Vec<u8>, data: &[u8]| deep(1, 0, &tensor, data);
    let at = |tensor: &[u8]| 28 + tensor.len() as u64;
    // A tensor that lies where it must: its header is as long whatever its place says.
    let placed = |name: &str, coding, dtype: &str, dims: &[u64], len: u64| {
        let start = at(&deep_tensor(name, coding, dtype, dims, 0..0));
        deep_tensor(name, coding, dtype, dims, start..start + len)
    };
    let moved = |by: i64| {
        let start = at(&deep_tensor("w", 0, "U8", &[2], 0..0)).wrapping_add_signed(by);
        one(deep_tensor("w", 0, "U8", &[2], start..start + 2), &[7; 2])
    };
    let with_byte = |offset: usize, byte: u8| {
        let mut tensor = placed("w", 0, "F32", &[1], 4);
        tensor[offset] = byte;
        one(tensor, &[0; 4])
    };
    let place = |start: u64, end: u64| one(deep_tensor("w", 0, "U8", &[2], start..end), &[7; 2]);
    let two = |second: &str| {
        let start = at(&[deep_tensor("w", 0, "U8", &[1], 0..0), deep_tensor(second, 0, "U8", &[1], 0..0)].concat());
        let tensors = [
            deep_tensor("w", 0, "U8", &[1], start..start + 1),
            deep_tensor(second, 0, "U8", &[1], start + 1..start + 2),
        ];
        deep(2, 0, &tensors.concat(), &[1, 2])
    };
    let note = |key: &str, value: &str| [deep_text(key), deep_text(value)].concat();
    let (whole, _) = sample();
    vec![
        ("magic alone", whole[..8].to_vec()),
        ("magic and version", whole[..12].to_vec()),
        ("head without its last byte", whole[..27].to_vec()),
        ("version 0", changed(8, &[0; 4])),
        ("version 2", changed(8, &[2, 0, 0, 0])),
        ("version in the other byte order", changed(8, &[0, 0, 0, 1])),
        ("header of no bytes", changed(16, &[0; 8])),
        ("header that ends in the head", changed(16, &27_u64.to_le_bytes())),
        ("header of 2^63 bytes", changed(16, &(1_u64 << 63).to_le_bytes())),
        ("header of 100 MB", changed(16, &100_000_001_u64.to_le_bytes())),
        ("header longer than the file", changed(16, &(whole.len() as u64 + 1).to_le_bytes())),
        ("header that ends too early", changed(16, &(at(&whole[28..204]) - 1).to_le_bytes())),
        ("one tensor too many", changed(12, &[5, 0, 0, 0])),
        ("one tensor too few", changed(12, &[3, 0, 0, 0])),
        ("2^32 − 1 tensors", changed(12, &[255; 4])),
        ("2^32 − 1 notes", changed(24, &[255; 4])),
        ("one note too many", changed(24, &[3, 0, 0, 0])),
        ("one note too few", changed(24, &[1, 0, 0, 0])),
        ("key longer than the header", changed(28, &[255, 255, 0, 0])),
        ("note of 2^32 − 1 bytes", changed(38, &[255; 4])),
        ("key without its length", deep(0, 1, &[1, 0, 0, 0, b'a', 0, 0, 0], &[])),
        ("key that is not UTF-8", deep(0, 1, &[1, 0, 0, 0, 0xff, 0, 0, 0, 0], &[])),
        ("note that is not UTF-8", deep(0, 1, &[1, 0, 0, 0, b'a', 2, 0, 0, 0, b'b', 0xc3], &[])),
        ("note without a key", deep(0, 1, &note("", "x"), &[])),
        ("two notes of one key", deep(0, 2, &[note("a", "1"), note("a", "2")].concat(), &[])),
        ("no tensor, but data", deep(0, 0, &[], &[1])),
        ("tensor without a name", one(placed("", 0, "U8", &[1], 1), &[1])),
        ("two tensors of one name", two("w")),
        ("name that is not UTF-8", with_byte(4, 0x80)),
        ("name longer than the header", with_byte(0, 200)),
        ("coding 2", one(placed("w", 2, "U8", &[1], 1), &[1])),
        ("coding 255", with_byte(5, 255)),
        ("type without a name", one(placed("w", 0, "", &[1], 1), &[1])),
        ("type in small letters", one(placed("w", 0, "f32", &[1], 4), &[0; 4])),
        ("type of a record", one(placed("w", 0, "DEEP", &[1], 4), &[0; 4])),
        ("type that is not ASCII", with_byte(7, 0xff)),
        ("type longer than the header", with_byte(6, 255)),
        ("record of f16", one(placed("w", 1, "F16", &[3, 4], 39), &[0; 39])),
        ("record of whole numbers", one(placed("w", 1, "I32", &[3, 4], 39), &[0; 39])),
        ("65 dimensions", one(placed("w", 0, "U8", &[1; 65], 1), &[1])),
        ("255 dimensions", with_byte(10, 255)),
        ("more dimensions than the header has", with_byte(10, 4)),
        ("dimensions whose product wraps", one(placed("w", 0, "U8", &[1 << 33, 1 << 33], 4), &[0; 4])),
        ("dimensions whose product wraps behind a zero", one(placed("w", 0, "U8", &[0, 1 << 33, 1 << 33], 0), &[])),
        ("bytes that wrap", one(placed("w", 0, "F64", &[1 << 61], 0), &[])),
        ("a byte between header and data", moved(1)),
        ("data in the header", moved(-1)),
        ("data at 0", place(0, 2)),
        ("data at 2^64 − 1", place(u64::MAX, u64::MAX)),
        ("end before the start", {
            let start = at(&deep_tensor("w", 0, "U8", &[2], 0..0));
            place(start, start - 1)
        }),
        ("end beyond the file", {
            let start = at(&deep_tensor("w", 0, "U8", &[2], 0..0));
            place(start, start + 3)
        }),
        ("end at 2^64 − 1", {
            let start = at(&deep_tensor("w", 0, "U8", &[2], 0..0));
            place(start, u64::MAX)
        }),
        ("a byte too few for the dimensions", one(placed("w", 0, "F32", &[2], 7), &[0; 7])),
        ("a byte too many for the dimensions", one(placed("w", 0, "F32", &[2], 9), &[0; 9])),
        ("half a block of ggml", one(placed("w", 0, "Q8_0", &[16], 17), &[0; 17])),
        ("record of 19 bytes", one(placed("w", 1, "F32", &[1], 19), &[0; 19])),
        ("record that claims 2^40 weights", one(placed("w", 1, "F32", &[1 << 20, 1 << 20], 39), &[0; 39])),
        ("a byte after the last tensor", [&whole[..], &[0]].concat()),
        ("the last byte missing", whole[..whole.len() - 1].to_vec()),
    ]
}

/// Head, shared values, codes and gaps, right or wrong.
fn parts(head: [u8; 4], stored: u64, codes_len: u64, rest: &[u8]) -> Vec<u8> {
    [&head[..], &stored.to_le_bytes(), &codes_len.to_le_bytes(), rest].concat()
}

/// Records of 12 weights.
fn broken_records() -> Vec<(&'static str, Vec<u8>)> {
    let good = record();
    let put = |at: usize, byte: u8| {
        let mut record = good.clone();
        record[at] = byte;
        record
    };
    let nan = f32::NAN.to_le_bytes();
    let one = 1_f32.to_le_bytes();
    let values = |bytes: &[u8]| [&one[..], bytes].concat();
    vec![
        ("no bytes", vec![]),
        ("half a head", good[..10].to_vec()),
        ("codes of 0 bits", put(0, 0)),
        ("codes of 9 bits", put(0, 9)),
        ("gaps of 1 bit", put(1, 1)),
        ("gaps of 2 bits", put(1, 2)),
        ("gaps of 9 bits", put(1, 9)),
        ("a flag that is not known", put(2, 4)),
        ("coded gaps where there are none", parts([1, 0, 2, 1], 12, 2, &values(&[255, 15]))),
        ("4 shared values of 2 bits", put(3, 4)),
        ("more shared values than bytes", parts([8, 3, 0, 200], 1, 1, &[0; 40])),
        ("a shared value that is NaN", parts([1, 3, 0, 1], 1, 1, &[&nan[..], &[1, 7]].concat())),
        ("more stored than weights", parts([1, 3, 0, 1], 13, 2, &values(&[255, 31, 0, 0, 0, 0, 0]))),
        ("2^64 − 1 stored", parts([1, 3, 0, 1], u64::MAX, 2, &values(&[255, 31]))),
        ("fewer codes than weights without gaps", parts([1, 0, 0, 1], 11, 2, &values(&[255, 7]))),
        ("codes longer than the record", parts([1, 3, 0, 1], 1, 9, &values(&[1, 0]))),
        ("codes of 2^64 − 1 bytes", parts([1, 3, 0, 1], 1, u64::MAX, &values(&[1, 0]))),
        ("a byte too many of codes", parts([1, 3, 0, 1], 2, 2, &values(&[3, 0, 7 | 3 << 3]))),
        ("a byte too few of codes", parts([8, 3, 0, 1], 2, 1, &values(&[1, 7 | 3 << 3]))),
        ("a byte too few of gaps", parts([1, 3, 0, 1], 3, 1, &values(&[7, 0]))),
        ("bytes after codes without gaps", parts([1, 0, 0, 1], 12, 2, &values(&[255, 15, 0]))),
        ("a code without a value", parts([2, 3, 0, 1], 2, 1, &values(&[1 | 2 << 2, 7 | 3 << 3]))),
        ("a stored weight without a code", parts([1, 3, 0, 1], 1, 0, &values(&[]))),
        ("none stored for 12", parts([1, 3, 0, 1], 0, 0, &values(&[]))),
        ("gaps beyond the end", parts([1, 3, 0, 1], 2, 1, &values(&[3, 7 | 7 << 3]))),
        ("gaps that end too early", parts([1, 3, 0, 1], 2, 1, &values(&[3, 1]))),
        ("a padding zero without its gap", parts([1, 3, 0, 1], 2, 1, &values(&[1, 7 | 3 << 3]))),
        ("a table cut off", parts([8, 3, 1, 1], 1, 1, &values(&[1, 7]))),
        ("a table with too many short words", parts([2, 3, 1, 1], 2, 3, &values(&[0x11, 0x01, 0, 7 | 3 << 3]))),
        ("a table without words", parts([2, 3, 1, 1], 2, 3, &values(&[0, 0, 0, 7 | 3 << 3]))),
        ("coded codes too few", parts([1, 3, 1, 1], 12, 2, &values(&[0x11, 255, 0, 0, 0, 0, 0]))),
        ("coded codes with a byte too many", parts([1, 3, 1, 1], 2, 3, &values(&[0x11, 3, 0, 7 | 3 << 3]))),
    ]
}

#[test]
fn every_broken_container_and_record_gets_the_error_that_is_written_down() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/deep_broken.txt");
    let want = fs::read_to_string(path).unwrap_or_default();
    let line = |name: &str, found: Result<String, fewerbits::Error>| match found {
        Ok(found) => format!("{name}: {found}"),
        Err(e) => format!("{name}: {e} [{}]", e.code.as_str()).replace('\n', "\\n"),
    };
    let containers = broken_containers();
    let records = broken_records();
    let mut got: Vec<String> = Vec::new();
    for (name, file) in &containers {
        got.push(line(name, list(file).map(|listing| format!("{} tensors listed", listing.tensors.len()))));
    }
    for (name, record) in &records {
        got.push(line(name, decode(record, 12).map(|weights| format!("{weights:?}"))));
    }
    if std::env::var("PRINT_ERRORS").is_ok() {
        println!("{}", got.join("\n"));
    }
    assert_eq!(got, want.lines().collect::<Vec<_>>());
    assert!(got.len() > 80 && got.iter().all(|line| line.ends_with(']')), "each is an error");
}

#[test]
fn mutated_containers_and_records_never_break_a_promise() {
    let (file, _) = sample();
    let record = record();
    let mut read = 0;
    for round in 0..20_000_u64 {
        let mut random = Random(round);
        let mut bytes = if round % 2 == 0 { file.clone() } else { record.clone() };
        for _ in 0..1 + random.below(3) {
            let at = random.below(bytes.len());
            match random.below(4) {
                0 => bytes[at] ^= 1 << random.below(8),
                1 => bytes[at] = [0, 1, 7, 127, 128, 255][random.below(6)],
                2 => bytes.truncate(at.max(1)),
                _ => bytes.insert(at, random.next() as u8),
            }
        }
        if round % 2 == 0 {
            read += usize::from(exercise(&bytes).is_some());
            let _ = step_claimed(&bytes, [bytes.len() as u64 + 9, 1 << 40, u64::MAX][random.below(3)]);
        } else if let Ok(weights) = decode(&bytes, [12, 13, 1 << 20, 1 << 62][random.below(4)]) {
            assert!(weights.iter().all(|weight| weight.is_finite()));
            read += 1;
        }
    }
    assert!(read > 100, "{read}");
}
