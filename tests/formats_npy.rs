//! npy headers as numpy writes them, and the exact error for each way they can be wrong.

mod formats_support;

use fewerbits::DType;
use fewerbits::formats::{Format, Layout};
use formats_support::{assert_error, list, npy, step_claimed};

fn header(descr: &str, fortran: &str, shape: &str) -> String {
    format!("{{'descr': {descr}, 'fortran_order': {fortran}, 'shape': {shape}, }}   \n")
}

#[test]
fn lists_the_array() {
    let file = npy(&header("'<f4'", "False", "(2, 3)"), 24);
    let listing = list(&file).unwrap();
    assert_eq!(listing.format, Format::Npy);
    let t = &listing.tensors[0];
    assert_eq!((t.name.as_str(), t.dtype, t.shape.dims()), ("array", DType::F32, &[2, 3][..]));
    assert_eq!(t.bytes, file.len() as u64 - 24..file.len() as u64);
    assert_eq!((t.layout == Layout::Fortran, t.big_endian), (false, false));
}

#[test]
fn fortran_order_means_something_from_two_axes_on() {
    let fortran =
        |shape: &str, n| list(&npy(&header("'|u1'", "True", shape), n)).unwrap().tensors[0].layout == Layout::Fortran;
    assert!(fortran("(2, 3)", 6));
    assert!(!fortran("(6,)", 6));
    assert!(!fortran("()", 1));
}

#[test]
fn every_element_type_that_numpy_can_hold_weights_in() {
    for (descr, dtype, big_endian) in [
        ("|b1", DType::Bool, false),
        ("|u1", DType::U8, false),
        ("|i1", DType::I8, false),
        (">i1", DType::I8, false),
        ("<u2", DType::U16, false),
        (">u2", DType::U16, true),
        ("<i2", DType::I16, false),
        ("<u4", DType::U32, false),
        ("<i4", DType::I32, false),
        (">i4", DType::I32, true),
        ("<u8", DType::U64, false),
        ("<i8", DType::I64, false),
        ("<f2", DType::F16, false),
        (">f2", DType::F16, true),
        (">f4", DType::F32, true),
        ("<f8", DType::F64, false),
        (">f8", DType::F64, true),
        ("|V2", DType::Bf16, false),
        ("<V2", DType::Bf16, false),
    ] {
        let file = npy(&header(&format!("'{descr}'"), "False", "(1,)"), dtype.bits() as usize / 8);
        let t = &list(&file).unwrap_or_else(|e| panic!("{descr}: {e}")).tensors[0];
        assert_eq!((t.dtype, t.big_endian), (dtype, big_endian), "{descr}");
    }
}

#[test]
fn the_literal_may_be_spelled_as_python_allows() {
    for (text, dims) in [
        ("{'shape':(3L,4L),'fortran_order':False,'descr':'|u1'}", &[3u64, 4][..]),
        (r#"{"descr": "|u1", "fortran_order": False, "shape": (12,)}"#, &[12]),
        ("  {\n'descr' : '|u1' ,\t'fortran_order' : False,\r\n'shape' : ( 3 , 4 , ) , }\n\n", &[3, 4]),
        ("{'descr': '|u1', 'fortran_order': False, 'shape': (), }", &[]),
    ] {
        let listing = list(&npy(text, dims.iter().product::<u64>() as usize)).unwrap_or_else(|e| panic!("{text}: {e}"));
        assert_eq!(listing.tensors[0].shape.dims(), dims);
    }
}

#[test]
fn versions_two_and_three_have_a_longer_length() {
    let text = header("'|u1'", "False", "(3,)");
    for version in [2, 3] {
        let mut file = vec![0x93, b'N', b'U', b'M', b'P', b'Y', version, 0];
        file.extend((text.len() as u32).to_le_bytes());
        file.extend(text.bytes());
        let at = file.len() as u64;
        file.extend([1, 2, 3]);
        assert_eq!(list(&file).unwrap().tensors[0].bytes, at..at + 3);
        for cut in 0..file.len() {
            assert!(list(&file[..cut]).is_err());
        }
        file[8..12].copy_from_slice(&((1u32 << 20) + 1).to_le_bytes());
        let want = ("malformed", None, Some(8), "at most 1048576 bytes", "1048577 bytes");
        assert_error(step_claimed(&file, 1 << 40), want);
    }
    let mut file = npy(&text, 3);
    file[6] = 4;
    assert_error(list(&file), ("unsupported", None, Some(6), "1.0, 2.0 or 3.0", "4.0"));
    file[6..8].copy_from_slice(&[1, 1]);
    assert_error(list(&file), ("unsupported", None, Some(6), "1.0, 2.0 or 3.0", "1.1"));
}

#[test]
fn refuses_element_types_that_are_not_numbers_here() {
    let kinds = "booleans, integers, f2, f4, f8, or bf16 (V2)";
    for (descr, message) in [
        ("|O", "Python objects (a pickle) are never read"),
        ("<c8", "complex numbers cannot be read"),
        ("<c16", "complex numbers cannot be read"),
        ("<U4", "text arrays cannot be read"),
        ("|S4", "text arrays cannot be read"),
        ("<M8[ns]", "dates cannot be read"),
        ("<V1", "one-byte floats in npy do not say which kind they are"),
        ("<f1", "one-byte floats in npy do not say which kind they are"),
        ("|V7", "the npy element type is not known"),
        ("<f16", "the npy element type is not known"),
        (">V2", "the npy element type is not known"),
        ("=f4", "the npy element type does not say its byte order"),
        ("|f4", "the npy element type does not say its byte order"),
        ("f4", "the npy element type is not known"),
        ("", "the npy element type is empty"),
    ] {
        let error = list(&npy(&header(&format!("'{descr}'"), "False", "(1,)"), 8)).unwrap_err();
        assert_eq!(error.message, message, "{descr}");
        assert_error(Err::<(), _>(error), ("unsupported", None, Some(20), kinds, &format!("{descr:?}")));
    }
    let file = npy(&header("[('x', '<f4'), ('y', '<f4')]", "False", "(1,)"), 8);
    let expected = "one element type, such as '<f4'";
    let found = "\"[('x', '<f4'), ('y', '<f4')], 'fortran_order': False, 'shape\"";
    assert_error(list(&file), ("unsupported", None, Some(20), expected, found));
}

#[test]
fn refuses_headers_that_numpy_does_not_write() {
    let keys = "descr, fortran_order and shape, each once";
    for (text, offset, expected, found) in [
        ("", 10, "'{'", "the end of the header"),
        ("[1]", 10, "'{'", "'['"),
        ("{'descr': '|u1', 'fortran_order': False, 'shape': (1,)", 64, "',' or '}'", "the end of the header"),
        ("{'descr': '|u1', 'fortran_order': False}", 50, "descr, fortran_order and shape", "the end of the header"),
        ("{'descr': '|u1', 'descr': '|u1'}", 27, keys, "\"descr\""),
        ("{'descr': '|u1', 'other': '|u1'}", 27, keys, "\"other\""),
        ("{'descr': 3}", 20, "a quoted string", "'3'"),
        ("{'descr': '|\\u1'}", 22, "a string of plain ASCII and its closing quote", "'\\'"),
        ("{'descr': '|u1", 24, "a string of plain ASCII and its closing quote", "the end of the header"),
        ("{'descr': '|u1', 'fortran_order': 0, 'shape': (1,)}", 44, "True or False", "'0'"),
        ("{'descr': '|u1', 'fortran_order': False, 'shape': 1}", 60, "'('", "'1'"),
        ("{'descr': '|u1', 'fortran_order': False, 'shape': (1)}", 62, "','", "')'"),
        ("{'descr': '|u1', 'fortran_order': False, 'shape': (-1,)}", 61, "an unsigned integer of 64 bits", "'-'"),
        ("{'descr': '|u1', 'fortran_order': False, 'shape': (1.5,)}", 62, "','", "'.'"),
        ("{'descr': '|u1', 'fortran_order': False, 'shape': (,)}", 61, "an unsigned integer of 64 bits", "','"),
        (
            "{'descr': '|u1', 'fortran_order': False, 'shape': (18446744073709551616,)}",
            61,
            "an unsigned integer of 64 bits",
            "'1'",
        ),
        (
            "{'descr': '|u1', 'fortran_order': False, 'shape': (1,)} x",
            66,
            "white space up to the end of the header",
            "'x'",
        ),
        ("{'descr': '|u1' 'fortran_order': False}", 26, "',' or '}'", "'''"),
    ] {
        assert_error(list(&npy(text, 1)), ("malformed", None, Some(offset), expected, found));
    }
    let text = header("'|u1'", "False", &format!("({})", "1,".repeat(65)));
    assert_error(list(&npy(&text, 1)), ("malformed", None, Some(189), "at most 64 dimensions", "'1'"));
}

#[test]
fn the_data_must_be_exactly_what_the_shape_asks_for() {
    let text = header("'<f4'", "False", "(2, 3)");
    let end = 10 + text.len() as u64;
    let expected = "24 bytes for F32 [2, 3]";
    assert_error(list(&npy(&text, 23)), ("truncated", None, Some(end + 23), expected, "23 bytes"));
    assert_error(list(&npy(&text, 25)), ("malformed", None, Some(end), expected, "25 bytes"));
    let text = header("'<f8'", "False", "(4611686018427387904,)");
    let end = 10 + text.len() as u64;
    let expected = "2^64 or more bytes for F64 [4611686018427387904]";
    assert_error(list(&npy(&text, 8)), ("truncated", None, Some(end + 8), expected, "8 bytes"));
    let text = header("'<f8'", "False", "(4294967296, 4294967296)");
    assert_error(list(&npy(&text, 0)), ("malformed", None, Some(60), "fewer elements", "[4294967296, 4294967296]"));
}

#[test]
fn truncation_at_every_byte_is_an_error() {
    let file = npy(&header("'<f4'", "False", "(2, 3)"), 24);
    list(&file).unwrap();
    for cut in 0..file.len() {
        let e = list(&file[..cut]).expect_err("a file cut short");
        let code = if cut < 6 { "unknown_format" } else { "truncated" };
        assert_eq!(e.code.as_str(), code, "cut at {cut}: {e}");
    }
}

#[test]
fn forty_gigabytes_list_without_being_read() {
    let file = npy(&header("'<f4'", "True", "(100000, 100000)"), 0);
    let step = step_claimed(&file, file.len() as u64 + 40_000_000_000).unwrap();
    let fewerbits::formats::Step::Done(listing) = step else { panic!("a listing") };
    assert_eq!(listing.tensors[0].bytes.end, file.len() as u64 + 40_000_000_000);
}
