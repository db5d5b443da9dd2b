//! Every rule of safetensors, each with a file that breaks exactly it and the exact error that must come.

mod formats_support;

use std::time::Instant;

use fewerbits::DType;
use fewerbits::formats::{Format, Reader, Step};
use formats_support::{assert_error, list, safetensors, step_claimed};

fn one(dtype: &str, shape: &str, offsets: &str) -> String {
    format!(r#"{{"w":{{"dtype":"{dtype}","shape":{shape},"data_offsets":{offsets}}}}}"#)
}

/// Where the data of a file with this header begins.
fn data_start(header: &str) -> u64 {
    8 + header.len() as u64
}

#[test]
fn lists_tensors_by_place_with_metadata() {
    let header = r#"{"b":{"dtype":"BF16","shape":[3],"data_offsets":[8,14]},
        "__metadata__":{"z":"1","format":"pt"},
        "empty":{"dtype":"F32","shape":[0,5],"data_offsets":[8,8]},
        "a":{"dtype":"F32","shape":[2,1],"data_offsets":[0,8]},
        "scalar":{"dtype":"U8","shape":[],"data_offsets":[14,15]}}   "#;
    let listing = list(&safetensors(header, 15)).unwrap();
    let at = data_start(header);
    assert_eq!(listing.format, Format::Safetensors);
    assert_eq!(listing.metadata, [("format".into(), "pt".into()), ("z".into(), "1".into())]);
    let seen: Vec<_> =
        listing.tensors.iter().map(|t| (t.name.as_str(), t.dtype, t.shape.dims(), t.bytes.clone())).collect();
    assert_eq!(
        seen,
        [
            ("a", DType::F32, &[2, 1][..], at..at + 8),
            ("empty", DType::F32, &[0, 5], at + 8..at + 8),
            ("b", DType::Bf16, &[3], at + 8..at + 14),
            ("scalar", DType::U8, &[], at + 14..at + 15),
        ]
    );
}

#[test]
fn every_dtype_of_the_format_is_known() {
    for (name, bits) in [
        ("BOOL", 8),
        ("F4", 4),
        ("F6_E2M3", 6),
        ("F6_E3M2", 6),
        ("U8", 8),
        ("I8", 8),
        ("F8_E5M2", 8),
        ("F8_E4M3", 8),
        ("F8_E8M0", 8),
        ("F8_E4M3FNUZ", 8),
        ("F8_E5M2FNUZ", 8),
        ("I16", 16),
        ("U16", 16),
        ("F16", 16),
        ("BF16", 16),
        ("I32", 32),
        ("U32", 32),
        ("F32", 32),
        ("C64", 64),
        ("F64", 64),
        ("I64", 64),
        ("U64", 64),
    ] {
        let file = safetensors(one(name, "[8]", &format!("[0,{bits}]")), bits);
        let listing = list(&file).unwrap_or_else(|e| panic!("{name}: {e}"));
        assert_eq!(listing.tensors[0].dtype.name(), name);
    }
}

#[test]
fn a_file_without_tensors_is_a_file() {
    assert_eq!(list(&safetensors("{}", 0)).unwrap().tensors, []);
}

#[test]
fn refuses_a_header_longer_than_the_limit() {
    let mut file = safetensors("{}", 0);
    file[..8].copy_from_slice(&100_000_001u64.to_le_bytes());
    let want = ("malformed", None, Some(0), "at most 100000000 bytes", "100000001 bytes");
    assert_error(step_claimed(&file, 1 << 40), want);
    file[..8].copy_from_slice(&u64::MAX.to_le_bytes());
    let want = ("malformed", None, Some(0), "at most 100000000 bytes", "18446744073709551615 bytes");
    assert_error(step_claimed(&file, 1 << 40), want);
}

#[test]
fn refuses_a_header_that_runs_past_the_end() {
    let mut file = safetensors("{}", 0);
    file[0] = 3;
    assert_error(list(&file), ("truncated", None, Some(10), "at least 11 bytes", "10 bytes"));
}

#[test]
fn refuses_a_header_that_does_not_start_with_a_brace() {
    let file = safetensors(" {}", 0);
    assert_error(list(&file), ("malformed", None, Some(8), "'{'", "byte 0x20"));
    let mut file = safetensors("{}", 0);
    file[0] = 0;
    assert_error(list(&file), ("malformed", None, Some(8), "'{'", "an empty header"));
}

#[test]
fn refuses_a_header_that_is_not_utf8() {
    let want = ("malformed", None, Some(11), "UTF-8 text", "byte 0xff");
    assert_error(list(&safetensors(b"{\"a\xff\":1}", 0)), want);
}

#[test]
fn refuses_what_is_not_json() {
    let found = "expected `,` or `}`";
    assert_error(list(&safetensors(r#"{"__metadata__":{} x"#, 0)), ("malformed", None, Some(27), "", found));
    assert_error(list(&safetensors("{} {", 0)), ("malformed", None, Some(11), "", "trailing characters"));
    let found = "EOF while parsing an object";
    assert_error(list(&safetensors("{", 0)), ("malformed", None, Some(8), "", found));
    let found = "unexpected end of hex escape";
    assert_error(list(&safetensors(r#"{"\ud800":1}"#, 0)), ("malformed", None, Some(16), "", found));
}

#[test]
fn refuses_a_tensor_name_used_twice() {
    let tensor = r#"{"dtype":"U8","shape":[1],"data_offsets":[0,1]}"#;
    let file = safetensors(format!(r#"{{"a":{tensor},"a":{tensor}}}"#), 1);
    assert_error(list(&file), ("malformed", Some("a"), Some(63), "unique keys", "\"a\""));
    // The same name, spelled with an escape.
    let file = safetensors(format!(r#"{{"a":{tensor},"\u0061":{tensor}}}"#), 1);
    assert_error(list(&file), ("malformed", Some("a"), Some(68), "unique keys", "\"a\""));
}

#[test]
fn refuses_metadata_keys_used_twice() {
    let file = safetensors(r#"{"__metadata__":{"k":"1","k":"2"}}"#, 0);
    assert_error(list(&file), ("malformed", None, Some(35), "unique keys", "\"k\""));
    let file = safetensors(r#"{"__metadata__":{},"__metadata__":{}}"#, 0);
    assert_error(list(&file), ("malformed", None, Some(40), "unique keys", "\"__metadata__\""));
}

#[test]
fn refuses_metadata_that_is_not_strings() {
    let file = safetensors(r#"{"__metadata__":{"k":1}}"#, 0);
    assert_error(list(&file), ("malformed", None, Some(29), "a string", "integer `1`"));
    let file = safetensors(r#"{"__metadata__":["k"]}"#, 0);
    assert_error(list(&file), ("malformed", None, Some(23), "an object of strings", "sequence"));
    let file = safetensors(r#"{"__metadata__":null}"#, 0);
    assert_error(list(&file), ("malformed", None, Some(27), "an object of strings", "null"));
}

#[test]
fn refuses_a_tensor_field_used_twice_or_missing() {
    let file = safetensors(r#"{"w":{"dtype":"U8","dtype":"U8","shape":[1],"data_offsets":[0,1]}}"#, 1);
    assert_error(list(&file), ("malformed", Some("w"), Some(38), "unique keys", "\"dtype\""));
    for (field, rest) in [
        ("dtype", r#""shape":[1],"data_offsets":[0,1]"#),
        ("shape", r#""dtype":"U8","data_offsets":[0,1]"#),
        ("data_offsets", r#""dtype":"U8","shape":[1]"#),
    ] {
        let file = safetensors(format!(r#"{{"w":{{{rest}}}}}"#), 1);
        assert_error(list(&file), ("malformed", Some("w"), Some(8 + 6 + rest.len() as u64), field, ""));
    }
}

#[test]
fn fields_of_a_later_version_are_skipped() {
    let header = r#"{"w":{"dtype":"U8","x":[{"y":null,"z":[1.5,-1,true,"s"]}],"shape":[1],"data_offsets":[0,1]}}"#;
    assert_eq!(list(&safetensors(header, 1)).unwrap().tensors.len(), 1);
}

#[test]
fn refuses_an_unknown_dtype() {
    let file = safetensors(one("F9", "[1]", "[0,1]"), 1);
    assert_error(list(&file), ("unsupported", Some("w"), Some(59), "a safetensors dtype", "\"F9\""));
    let file = safetensors(r#"{"w":{"dtype":3,"shape":[1],"data_offsets":[0,1]}}"#, 1);
    assert_error(list(&file), ("malformed", Some("w"), Some(22), "a string", "integer `3`"));
}

#[test]
fn refuses_a_shape_that_is_not_unsigned_integers() {
    for (shape, offset, found) in [
        ("[-1]", 37, "integer `-1`"),
        ("[1.5]", 38, "floating point `1.5`"),
        ("[\"1\"]", 38, "string \"1\""),
        ("[18446744073709551616]", 55, "floating point `1.84467441e19`"),
    ] {
        let expected = "u64";
        assert_error(
            list(&safetensors(one("U8", shape, "[0,1]"), 1)),
            ("malformed", Some("w"), Some(offset), expected, found),
        );
    }
    let file = safetensors(one("U8", "3", "[0,1]"), 1);
    assert_error(list(&file), ("malformed", Some("w"), Some(35), "an array of unsigned integers", "integer `3`"));
}

#[test]
fn refuses_a_shape_whose_product_wraps() {
    let file = safetensors(one("U8", "[4294967296,4294967296]", "[0,0]"), 0);
    let found = "[4294967296, 4294967296]";
    assert_error(list(&file), ("malformed", Some("w"), Some(79), "fewer elements", found));
    // A zero must not hide it.
    let file = safetensors(one("U8", "[0,4294967296,4294967296]", "[0,0]"), 0);
    let found = "[0, 4294967296, 4294967296]";
    assert_error(list(&file), ("malformed", Some("w"), Some(81), "fewer elements", found));
    // The count fits, the bits do not.
    let file = safetensors(one("F64", "[4611686018427387904]", "[0,0]"), 0);
    let expected = "a multiple of 8 bits, less than 2^64";
    let found = "4611686018427387904 elements of 64 bits";
    assert_error(list(&file), ("malformed", Some("w"), Some(78), expected, found));
}

#[test]
fn refuses_more_dimensions_than_any_writer_has() {
    let shape = format!("[{}1]", "1,".repeat(64));
    let file = safetensors(one("U8", &shape, "[0,1]"), 1);
    assert_error(list(&file), ("malformed", Some("w"), Some(165), "at most 64", "more"));
}

#[test]
fn refuses_elements_that_do_not_end_on_a_byte() {
    let file = safetensors(one("F4", "[3]", "[0,2]"), 2);
    let expected = "a multiple of 8 bits, less than 2^64";
    assert_error(list(&file), ("malformed", Some("w"), Some(59), expected, "3 elements of 4 bits"));
}

#[test]
fn refuses_a_span_that_the_shape_does_not_ask_for() {
    let file = safetensors(one("F32", "[2,3]", "[0,20]"), 20);
    assert_error(list(&file), ("malformed", Some("w"), Some(63), "24 bytes for F32 [2, 3]", "20 bytes"));
}

#[test]
fn refuses_offsets_that_run_backwards() {
    let file = safetensors(one("U8", "[0]", "[5,4]"), 5);
    assert_error(list(&file), ("malformed", Some("w"), Some(59), "an end of at least 5", "4"));
}

#[test]
fn refuses_offsets_that_are_not_a_pair() {
    let file = safetensors(one("U8", "[1]", "[0]"), 1);
    assert_error(list(&file), ("malformed", Some("w"), Some(57), "2 numbers", "1 numbers"));
    let file = safetensors(one("U8", "[1]", "[0,1,2]"), 1);
    assert_error(list(&file), ("malformed", Some("w"), Some(60), "at most 2", "more"));
}

fn two(a: &str, b: &str) -> String {
    format!(
        r#"{{"a":{{"dtype":"U8","shape":[4],"data_offsets":{a}}},"b":{{"dtype":"U8","shape":[4],"data_offsets":{b}}}}}"#
    )
}

#[test]
fn refuses_a_hole() {
    let header = two("[0,4]", "[5,9]");
    let want = ("malformed", Some("b"), Some(data_start(&header) + 4), "data_offsets from 4", "5");
    assert_error(list(&safetensors(header, 9)), want);
    let header = one("U8", "[4]", "[1,5]");
    let want = ("malformed", Some("w"), Some(data_start(&header)), "data_offsets from 0", "1");
    assert_error(list(&safetensors(header, 5)), want);
}

#[test]
fn refuses_an_overlap() {
    let header = two("[3,7]", "[0,4]");
    let want = ("malformed", Some("a"), Some(data_start(&header) + 4), "data_offsets from 4", "3");
    assert_error(list(&safetensors(header, 7)), want);
    // The same bytes twice.
    let header = two("[0,4]", "[0,4]");
    let want = ("malformed", Some("b"), Some(data_start(&header) + 4), "data_offsets from 4", "0");
    assert_error(list(&safetensors(header, 4)), want);
}

#[test]
fn refuses_bytes_after_the_last_tensor() {
    let header = one("U8", "[4]", "[0,4]");
    let want = ("malformed", None, Some(data_start(&header) + 4), "4 bytes of data", "5 bytes");
    assert_error(list(&safetensors(header, 5)), want);
}

#[test]
fn refuses_a_tensor_past_the_end() {
    let header = two("[0,4]", "[4,8]");
    let want = ("truncated", Some("b"), Some(data_start(&header) + 4), "8 bytes of data", "7 bytes");
    assert_error(list(&safetensors(header, 7)), want);
    let header = one("U8", "[18446744073709551615]", "[0,18446744073709551615]");
    let expected = "a multiple of 8 bits, less than 2^64";
    let found = "18446744073709551615 elements of 8 bits";
    assert_error(list(&safetensors(header, 7)), ("malformed", Some("w"), Some(97), expected, found));
    let header = one("U8", "[2305843009213693951]", "[0,2305843009213693951]");
    let want = ("truncated", Some("w"), Some(data_start(&header)), "2305843009213693951 bytes of data", "7 bytes");
    assert_error(list(&safetensors(header, 7)), want);
}

#[test]
fn truncation_at_every_byte_is_an_error() {
    let file = safetensors(two("[0,4]", "[4,8]"), 8);
    list(&file).unwrap();
    for cut in 0..file.len() {
        let e = list(&file[..cut]).expect_err("a file cut short");
        let code = if cut < 8 { "unknown_format" } else { "truncated" };
        assert_eq!(e.code.as_str(), code, "cut at {cut}: {e}");
    }
}

/// Found by fuzzing: an error was longer than the file that it was about.
#[test]
fn an_error_quotes_the_beginning_of_a_long_name() {
    let name = "\u{7f}".repeat(100_000);
    let e = list(&safetensors(format!(r#"{{"{name}":{{"dtype":"F33","shape":[1],"data_offsets":[0,4]}}}}"#), 4))
        .unwrap_err();
    assert_eq!(e.tensor, Some(format!("{}…", &name[..256])));
    assert!(e.to_string().len() < 4000, "{e}");
    let e =
        list(&safetensors(format!(r#"{{"w":{{"dtype":"{name}","shape":[1],"data_offsets":[0,4]}}}}"#), 4)).unwrap_err();
    let found = e.found.as_deref().unwrap();
    assert!(found.starts_with("\"\\u{7f}") && found.len() < 1100, "{found}");
}

#[test]
fn deep_nesting_is_an_error() {
    for (open, close) in [("[", "]"), (r#"{"a":"#, "}")] {
        for depth in [63, 64, 65, 200, 100_000, 10_000_000 / open.len()] {
            let inner = format!("{}0{}", open.repeat(depth), close.repeat(depth));
            let header = format!(r#"{{"w":{{"x":{inner},"dtype":"U8","shape":[1],"data_offsets":[0,1]}}}}"#);
            let result = list(&safetensors(header, 1));
            assert_eq!(result.is_ok(), depth < 64, "{depth}: {result:?}");
            if let Err(e) = result {
                assert_eq!((e.code.as_str(), e.tensor.as_deref()), ("malformed", Some("w")));
                assert_eq!(e.expected.as_deref(), Some("at most 64 levels"));
            }
        }
        let header = format!(r#"{{"w":{}"#, open.repeat(100_000));
        assert_eq!(list(&safetensors(header, 0)).unwrap_err().code.as_str(), "malformed");
        let header = format!(r#"{{"__metadata__":{}"#, open.repeat(100_000));
        assert_eq!(list(&safetensors(header, 0)).unwrap_err().code.as_str(), "malformed");
    }
}

#[test]
fn forty_gigabytes_list_without_being_read() {
    let (a, b) = (25_000_000_000u64, 40_000_000_000u64);
    let header = format!(
        r#"{{"a":{{"dtype":"F16","shape":[125000,100000],"data_offsets":[0,{a}]}},"b":{{"dtype":"F4","shape":[30000000000],"data_offsets":[{a},{b}]}}}}"#
    );
    let file = safetensors(&header, 0);
    let at = file.len() as u64;
    let Step::Done(listing) = step_claimed(&file, at + b).unwrap() else { panic!("a listing") };
    assert_eq!(listing.tensors[0].bytes, at..at + a);
    assert_eq!(listing.tensors[1].bytes, at + a..at + b);
    assert_eq!(listing.tensors[1].shape.count(), 30_000_000_000);
}

#[test]
fn the_reader_asks_in_order_and_takes_exactly_what_it_asked_for() {
    let name = "n".repeat(9 << 20);
    let file = safetensors(format!(r#"{{"{name}":{{"dtype":"U8","shape":[1],"data_offsets":[0,1]}}}}"#), 1);
    let mut reader = Reader::new(file.len() as u64);
    let (mut step, mut ranges) = (reader.step(&[]).unwrap(), Vec::new());
    while let Step::Need(range) = step {
        step = reader.step(&file[range.start as usize..range.end as usize]).unwrap();
        ranges.push(range);
    }
    assert_eq!(ranges[0], 0..65_536);
    assert!(ranges.windows(2).all(|w| w[0].end == w[1].start));
    assert!(ranges.iter().all(|r| r.end - r.start <= 4 << 20));
    assert!(matches!(step, Step::Done(_)));

    let mut reader = Reader::new(100);
    reader.step(&[]).unwrap();
    assert_error(reader.step(&[0; 99]), ("truncated", None, Some(99), "100 bytes", "99 bytes"));
    let mut reader = Reader::new(100);
    reader.step(&[]).unwrap();
    assert_error(reader.step(&[0; 101]), ("invalid_argument", None, Some(0), "100 bytes", "101 bytes"));
}

/// Not a benchmark: a bound that only a quadratic parser breaks, with room for a busy machine.
#[test]
fn five_thousand_tensors_list_in_milliseconds() {
    let header: Vec<_> = (0..5000)
        .map(|i| {
            let (from, to) = (i * 4096, (i + 1) * 4096);
            format!(r#""model.layers.{i}.mlp.up_proj.weight":{{"dtype":"F32","shape":[32,32],"data_offsets":[{from},{to}]}}"#)
        })
        .collect();
    let file = safetensors(format!("{{{}}}", header.join(",")), 0);
    let started = Instant::now();
    let Step::Done(listing) = step_claimed(&file, file.len() as u64 + 5000 * 4096).unwrap() else {
        panic!("a listing")
    };
    let took = started.elapsed();
    assert_eq!(listing.tensors.len(), 5000);
    assert!(took.as_millis() < 1000, "{took:?}");
    println!("5,000 tensors: {took:?}");
}
