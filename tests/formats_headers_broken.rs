//! More headers of safetensors and npy that break a rule, beside those of their own tests: each with the error that it deserves, as
//! `tests/data/headers_broken.txt` holds it (`PRINT_ERRORS=1` prints what it would hold today).

mod formats_support;

use std::fs;
use std::path::Path;

use formats_support::{count_refused, list, npy, safetensors};

fn safetensors_files() -> Vec<(&'static str, Vec<u8>)> {
    let tensor = |rest: &str| safetensors(format!(r#"{{"w":{{{rest}}}}}"#), 4);
    let one = |dtype: &str, shape: &str, offsets: &str| {
        tensor(&format!(r#""dtype":{dtype},"shape":{shape},"data_offsets":{offsets}"#))
    };
    vec![
        ("header that is an array", safetensors("[]", 0)),
        ("header that is a word", safetensors("null", 0)),
        ("tensor that is a number", safetensors(r#"{"w":1}"#, 0)),
        ("tensor that is an array", safetensors(r#"{"w":["F32",[1],[0,4]]}"#, 4)),
        ("tensor that is null", safetensors(r#"{"w":null}"#, 0)),
        ("tensor without any field", safetensors(r#"{"w":{}}"#, 0)),
        ("metadata that is a text", safetensors(r#"{"__metadata__":"pt"}"#, 0)),
        ("metadata with an object", safetensors(r#"{"__metadata__":{"a":{}}}"#, 0)),
        ("type in small letters", one(r#""f32""#, "[1]", "[0,4]")),
        ("type that is empty", one(r#""""#, "[1]", "[0,4]")),
        ("type of ggml", one(r#""Q4_0""#, "[32]", "[0,18]")),
        ("shape that is null", one(r#""F32""#, "null", "[0,4]")),
        ("shape in a shape", one(r#""F32""#, "[[1]]", "[0,4]")),
        ("shape that is true", one(r#""F32""#, "[true]", "[0,4]")),
        ("offsets that are an object", one(r#""F32""#, "[1]", r#"{"begin":0,"end":4}"#)),
        ("negative offset", one(r#""F32""#, "[1]", "[-4,0]")),
        ("offset of 2^64", one(r#""F32""#, "[1]", "[0,18446744073709551616]")),
        ("no offsets in the pair", one(r#""F32""#, "[1]", "[]")),
        ("a tensor of one byte too few", one(r#""F32""#, "[1]", "[0,3]")),
        ("shape given twice", tensor(r#""dtype":"F32","shape":[1],"shape":[1],"data_offsets":[0,4]"#)),
        ("offsets given twice", tensor(r#""dtype":"F32","shape":[1],"data_offsets":[0,4],"data_offsets":[0,4]"#)),
        ("comma after the last field", tensor(r#""dtype":"F32","shape":[1],"data_offsets":[0,4],"#)),
        ("single quotes", safetensors("{'w':{}}", 0)),
        ("a line in a name", safetensors("{\"a\nb\":{}}", 0)),
        ("NaN", safetensors(r#"{"w":NaN}"#, 0)),
        ("a comment", safetensors("{/* */}", 0)),
        ("zeros after the header", safetensors("{}\0\0", 0)),
    ]
}

fn npy_files() -> Vec<(&'static str, Vec<u8>)> {
    let header = |descr: &str, order: &str, shape: &str| {
        npy(&format!("{{'descr': {descr}, 'fortran_order': {order}, 'shape': {shape}, }}\n"), 8)
    };
    let version = |major: u8, minor: u8| {
        let mut file = header("'<f4'", "False", "(2,)");
        (file[6], file[7]) = (major, minor);
        file
    };
    let length = |length: u16| {
        let mut file = header("'<f4'", "False", "(2,)");
        file[8..10].copy_from_slice(&length.to_le_bytes());
        file
    };
    vec![
        ("version 0", version(0, 0)),
        ("version 1.1", version(1, 1)),
        ("version 4", version(4, 0)),
        ("header of no bytes", length(0)),
        ("header that ends early", length(20)),
        ("header that reaches into the data", length(70)),
        ("header longer than the file", length(u16::MAX)),
        ("order in small letters", header("'<f4'", "false", "(2,)")),
        ("order that is None", header("'<f4'", "None", "(2,)")),
        ("shape that is a list", header("'<f4'", "False", "[2]")),
        ("shape that is a word", header("'<f4'", "False", "two")),
        ("shape with a word", header("'<f4'", "False", "('2',)")),
        ("shape in a shape", header("'<f4'", "False", "((2,),)")),
        ("shape without its end", npy("{'descr': '<f4', 'fortran_order': False, 'shape': (2,", 8)),
        ("a product", header("'<f4'", "False", "(1 * 2,)")),
        ("hexadecimal", header("'<f4'", "False", "(0x2,)")),
        ("type that is None", header("None", "False", "(2,)")),
        ("type that is a call", header("dtype('<f4')", "False", "(2,)")),
        ("type of bytes", header("b'<f4'", "False", "(2,)")),
        ("text that is not ASCII", npy("{'descr': '<f4é', 'fortran_order': False, 'shape': (2,)}", 8)),
        ("a key without quotes", npy("{descr: '<f4', 'fortran_order': False, 'shape': (2,)}", 8)),
        ("no colon", npy("{'descr' '<f4', 'fortran_order': False, 'shape': (2,)}", 8)),
        ("two literals", npy("{'descr': '<f4', 'fortran_order': False, 'shape': (2,)}{}", 8)),
        ("a pickle", b"\x93NUMPY\x01\x00\x04\x00\x80\x02N.".to_vec()),
    ]
}

#[test]
fn every_broken_header_gets_the_error_that_is_written_down() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/headers_broken.txt");
    let want = fs::read_to_string(path).unwrap_or_default();
    let report = |(name, file): &(&str, Vec<u8>)| match list(file) {
        Ok(listing) => format!("{name}: {} tensors listed", listing.tensors.len()),
        Err(e) => format!("{name}: {e} [{}]", e.code.as_str()).replace('\n', "\\n"),
    };
    let got: Vec<String> = safetensors_files().iter().chain(&npy_files()).map(report).collect();
    if std::env::var("PRINT_ERRORS").is_ok() {
        println!("{}", got.join("\n"));
    }
    assert_eq!(got, want.lines().collect::<Vec<_>>());
    assert!(got.iter().all(|line| line.ends_with(']')), "each is an error");
    safetensors_files().iter().for_each(|_| count_refused("safetensors"));
    npy_files().iter().for_each(|_| count_refused("npy"));
}
