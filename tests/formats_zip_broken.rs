//! Archives and pickles that break a rule, or lie: each with the error that it deserves.

mod formats_support;

use std::fs;
use std::path::Path;

use formats_support::{Random, count_refused, exercise, list, npy, step_claimed, stored_zip};

/// An archive with a place for every fault: where its records begin.
#[derive(Clone)]
struct Archive {
    file: Vec<u8>,
    locals: Vec<usize>,
    entries: Vec<usize>,
    end: usize,
}

impl Archive {
    /// Of members, stored, or deflated where the name of the method says so.
    fn of(members: &[(&str, &[u8], bool)]) -> Archive {
        let (mut file, mut central, mut locals, mut at_entry) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
        for (name, content, deflate) in members {
            let data = if *deflate { miniz_oxide::deflate::compress_to_vec(content, 6) } else { content.to_vec() };
            let method = if *deflate { 8u16 } else { 0 };
            let sizes = [data.len() as u32, content.len() as u32].map(u32::to_le_bytes).concat();
            locals.push(file.len());
            at_entry.push(central.len());
            central.extend(b"PK\x01\x02\x14\0\x14\0\0\0");
            central.extend(method.to_le_bytes());
            central.extend([0; 8]);
            central.extend(&sizes);
            central.extend((name.len() as u16).to_le_bytes());
            central.extend([0; 12]);
            central.extend((file.len() as u32).to_le_bytes());
            central.extend(name.as_bytes());
            file.extend(b"PK\x03\x04\x14\0\0\0");
            file.extend(method.to_le_bytes());
            file.extend([0; 8]);
            file.extend(&sizes);
            file.extend((name.len() as u16).to_le_bytes());
            file.extend([0; 2]);
            file.extend(name.as_bytes());
            file.extend(data);
        }
        let entries = at_entry.iter().map(|at| at + file.len()).collect();
        let (start, count) = (file.len() as u32, members.len() as u16);
        let length = central.len() as u32;
        file.extend(central);
        let end = file.len();
        file.extend(b"PK\x05\x06\0\0\0\0");
        file.extend([count.to_le_bytes(), count.to_le_bytes()].concat());
        file.extend([length.to_le_bytes(), start.to_le_bytes()].concat());
        file.extend([0; 2]);
        Archive { file, locals, entries, end }
    }

    fn put(&self, at: usize, bytes: &[u8]) -> Vec<u8> {
        let mut file = self.file.clone();
        file[at..at + bytes.len()].copy_from_slice(bytes);
        file
    }

    fn insert(&self, at: usize, bytes: &[u8]) -> Vec<u8> {
        let mut file = self.file.clone();
        file.splice(at..at, bytes.iter().copied());
        file
    }
}

fn array(shape: &str, data: usize) -> Vec<u8> {
    npy(&format!("{{'descr': '<f4', 'fortran_order': False, 'shape': {shape}, }}\n"), data)
}

fn archives() -> Vec<(&'static str, Vec<u8>)> {
    let w = array("(2,)", 8);
    let a = Archive::of(&[("a.npy", &w, false), ("b.npy", &w, false)]);
    let d = Archive::of(&[("a.npy", &w, true)]);
    let one = |content: &[u8], deflate| Archive::of(&[("a.npy", content, deflate)]).file;
    let named = |name: &str| Archive::of(&[(name, &w, false)]).file;
    // One entry more: where it is put, the directory grows by so many bytes.
    let grown = |by: u32, mut file: Vec<u8>| {
        let at = file.len() - 10;
        let length = u32::from_le_bytes(file[at..at + 4].try_into().unwrap()) + by;
        file[at..at + 4].copy_from_slice(&length.to_le_bytes());
        file
    };
    let (e0, e1) = (a.entries[0], a.entries[1]);
    let lie = 4_294_967_294u32.to_le_bytes();
    let wide = |fields: &[u8], length: u16| {
        let extra = [&1u16.to_le_bytes()[..], &length.to_le_bytes(), fields].concat();
        let mut file = a.insert(e1 + 46 + 5, &extra);
        file[e1 + 30..e1 + 32].copy_from_slice(&(extra.len() as u16).to_le_bytes());
        file[e1 + 20..e1 + 28].fill(0xff);
        grown(extra.len() as u32, file)
    };
    let wide_end = |locator: u64, record: &[u8]| {
        let mut file = a.file[..a.end].to_vec();
        file.extend(record);
        file.extend(b"PK\x06\x07\0\0\0\0");
        file.extend(locator.to_le_bytes());
        file.extend(1u32.to_le_bytes());
        file.extend(&a.file[a.end..]);
        file
    };
    let record = |disk: u32, entries: u64, length: u64, start: u64| {
        let mut r = b"PK\x06\x06".to_vec();
        r.extend(44u64.to_le_bytes());
        r.extend([45, 0, 45, 0]);
        r.extend([disk.to_le_bytes(), 0u32.to_le_bytes()].concat());
        for n in [entries, entries, length, start] {
            r.extend(n.to_le_bytes());
        }
        r
    };
    let (start, length) = (a.entries[0] as u64, (a.end - a.entries[0]) as u64);
    vec![
        ("no end record", b"PK\x03\x04 and nothing else that an archive has".to_vec()),
        ("end record cut", a.file[..a.file.len() - 1].to_vec()),
        ("bytes after the end", a.insert(a.file.len(), b"x")),
        ("bytes before the start", a.insert(0, b"PK\x03\x04")),
        ("comment too short", a.put(a.end + 20, &[1, 0])),
        ("second disk", a.put(a.end + 4, &[1, 0])),
        ("directory on another disk", a.put(a.end + 6, &[1, 0])),
        ("directory starts late", a.put(a.end + 16, &(a.entries[0] as u32 + 1).to_le_bytes())),
        ("directory far away", a.put(a.end + 16, &lie)),
        ("directory of 4 GB", a.put(a.end + 12, &lie)),
        ("directory too short for its entries", a.put(a.end + 10, &[255, 255])),
        ("one entry less than told", a.put(a.end + 10, &[1, 0])),
        ("one entry more than told", a.put(a.end + 10, &[3, 0])),
        ("entry without its mark", a.put(e0, b"XX")),
        ("second entry without its mark", a.put(e1 + 3, &[9])),
        ("name beyond the directory", a.put(e1 + 28, &[255, 0])),
        ("extra beyond the directory", a.put(e1 + 30, &[255, 255])),
        ("comment of an entry beyond the directory", a.put(e1 + 32, &[1, 0])),
        ("name twice", a.put(e1 + 46, b"a")),
        ("entry leads to the other member", a.put(e0 + 42, &[a.locals[1] as u8, 0, 0, 0])),
        ("both lead to one member", a.put(e1 + 42, &[0, 0, 0, 0])),
        ("entry leads into the directory", a.put(e1 + 42, &(e0 as u32).to_le_bytes())),
        ("entry leads far away", a.put(e1 + 42, &lie)),
        ("entry leads to no member", a.put(e1 + 42, &[a.locals[1] as u8 + 1, 0, 0, 0])),
        ("member reaches into the next", a.put(e0 + 20, &[120, 0, 0, 0, 120, 0, 0, 0])),
        ("member reaches into the directory", a.put(e1 + 20, &[120, 0, 0, 0, 120, 0, 0, 0])),
        ("member of 4 GB", a.put(e1 + 20, &[lie, lie].concat())),
        ("two sizes of a stored member", a.put(e1 + 24, &[7])),
        ("own header without its mark", a.put(a.locals[1], b"XX")),
        ("own header of another method", a.put(a.locals[1] + 8, &[8, 0])),
        ("own header says encrypted", a.put(a.locals[1] + 6, &[1, 0])),
        ("own header has another name", a.put(a.locals[1] + 30, b"c")),
        ("own header has a longer name", a.put(a.locals[1] + 26, &[6, 0])),
        ("own header has another size", a.put(a.locals[1] + 18, &[1, 0, 0, 0])),
        ("own header has another unpacked size", a.put(a.locals[1] + 22, &[1, 0, 0, 0])),
        ("own header's extra pushes it over the next", a.put(a.locals[0] + 28, &[1, 0])),
        ("own header's extra of 64 KB", a.put(a.locals[1] + 28, &[255, 255])),
        ("encrypted", a.put(e0 + 8, &[1, 0])).pick(&a, e1 + 8, &[1, 0]),
        ("method unknown", a.put(e0 + 10, &[93, 0])).pick(&a, e1 + 10, &[93, 0]),
        ("zip64 field too short", wide(&[0; 4], 4)),
        ("zip64 field missing", wide(&[], 0)),
        ("zip64 field of one number", wide(&8u64.to_le_bytes(), 8)),
        ("zip64 size of 2^63", wide(&[(1u64 << 63).to_le_bytes(), (1u64 << 63).to_le_bytes()].concat(), 16)),
        ("zip64 size of 2^64 - 1", wide(&[0xff; 16], 16)),
        ("zip64 locator leads beyond the end", wide_end(u64::MAX, &[])),
        ("zip64 locator leads to itself", wide_end(a.end as u64, &[])),
        ("zip64 locator leads to something else", wide_end(start, &[0; 56])),
        ("zip64 record on another disk", wide_end(a.end as u64, &record(1, 2, length, start))),
        ("zip64 record with a sum beyond 2^64", wide_end(a.end as u64, &record(0, 2, u64::MAX, start))),
        ("zip64 record with too many entries", wide_end(a.end as u64, &record(0, 1 << 60, length, start))),
        ("zip64 record with another number", wide_end(a.end as u64, &record(0, 3, length - 1, start + 1))),
        ("neither npz nor checkpoint", named("readme.txt")),
        ("Keras", named("model.weights.h5")),
        ("pickle too deep in folders", named("a/b/data.pkl")),
        ("member is no array", one(b"not an array at all", false)),
        ("member is empty", one(b"", false)),
        ("member ends in its magic", one(&w[..7], false)),
        ("member ends in its length", one(&w[..9], false)),
        ("member ends in its header", one(&w[..40], false)),
        ("array longer than its shape", one(&array("(1,)", 8), false)),
        ("array shorter than its shape", one(&array("(3,)", 8), false)),
        ("array of too many elements", one(&array("(4294967296, 4294967296, 2)", 8), false)),
        ("array of another version", one(b"\x93NUMPY\x09\0\x10\0                ", false)),
        ("array with a broken literal", one(&npy("{'descr': '<f4'", 8), false)),
        ("array of objects", one(&npy("{'descr': '|O', 'fortran_order': False, 'shape': (2,), }", 8), false)),
        ("deflated array shorter than its shape", one(&array("(3,)", 8), true)),
        ("deflated member is no stream", d.put(d.locals[0] + 35, &[0xff; 8])),
        ("deflated member claims 4 GB", {
            let file = d.put(d.entries[0] + 24, &lie);
            Archive { file, ..d.clone() }.put(d.locals[0] + 22, &lie)
        }),
        ("deflated member ends early", {
            // A stream of the first 20 bytes that claims to be the whole.
            let mut short = Archive::of(&[("a.npy", &w[..20], true)]);
            let size = (w.len() as u32).to_le_bytes();
            short.file = short.put(short.entries[0] + 24, &size);
            short.put(short.locals[0] + 22, &size)
        }),
    ]
}

/// A second change to a case.
trait Pick {
    fn pick(self, a: &Archive, at: usize, bytes: &[u8]) -> Self;
}

impl Pick for (&'static str, Vec<u8>) {
    fn pick(self, a: &Archive, at: usize, bytes: &[u8]) -> Self {
        let file = Archive { file: self.1, ..a.clone() }.put(at, bytes);
        (self.0, file)
    }
}

/// A checkpoint with this pickle and a storage of 24 bytes.
fn checkpoint(pickle: &[u8]) -> Vec<u8> {
    stored_zip(&[("x/data.pkl", pickle), ("x/byteorder", b"little"), ("x/data/0", &[7; 24])])
}

fn text(s: &str) -> Vec<u8> {
    [b"X".as_slice(), &(s.len() as u32).to_le_bytes(), s.as_bytes()].concat()
}

fn global(name: &str) -> Vec<u8> {
    let (module, name) = name.split_once(' ').unwrap();
    format!("c{module}\n{name}\n").into_bytes()
}

fn int(n: i64) -> Vec<u8> {
    [b"\x8a\x08".as_slice(), &n.to_le_bytes()].concat()
}

fn tuple(items: &[Vec<u8>]) -> Vec<u8> {
    [b"(".to_vec(), items.concat(), b"t".to_vec()].concat()
}

fn ints(numbers: &[i64]) -> Vec<u8> {
    tuple(&numbers.iter().map(|&n| int(n)).collect::<Vec<_>>())
}

fn storage(class: &str, key: &str, count: i64) -> Vec<u8> {
    [tuple(&[text("storage"), global(class), text(key), text("cpu"), int(count)]), b"Q".to_vec()].concat()
}

fn rebuild(function: &str, arguments: &[Vec<u8>]) -> Vec<u8> {
    [global(function), tuple(arguments), b"R".to_vec()].concat()
}

fn tensor(storage: Vec<u8>, offset: i64, size: &[i64], strides: &[i64]) -> Vec<u8> {
    rebuild(
        "torch._utils _rebuild_tensor_v2",
        &[storage, int(offset), ints(size), ints(strides), b"\x89".to_vec(), b"N".to_vec()],
    )
}

/// A pickle of a dictionary with this value under `w`.
fn pickle(value: Vec<u8>) -> Vec<u8> {
    [b"\x80\x02}".to_vec(), text("w"), value, b"s.".to_vec()].concat()
}

fn pickles() -> Vec<(&'static str, Vec<u8>)> {
    let float = |count| storage("torch FloatStorage", "0", count);
    let good = tensor(float(6), 0, &[2, 3], &[3, 1]);
    let v2 = |arguments: &[Vec<u8>]| pickle(rebuild("torch._utils _rebuild_tensor_v2", arguments));
    let plain = |ops: &[u8]| [b"\x80\x02", ops].concat();
    vec![
        ("good", pickle(good.clone())),
        ("empty pickle", vec![]),
        ("no STOP", b"\x80\x02N".to_vec()),
        ("STOP on an empty stack", plain(b".")),
        ("protocol 6", b"\x80\x06N.".to_vec()),
        ("unknown opcode", plain(b"\xff.")),
        ("extension registry", plain(b"\x82\x01.")),
        ("text beyond the end", plain(b"X\xff\xff\xff\x7fabc.")),
        ("text of 2^63 bytes", plain(b"\x8d\0\0\0\0\0\0\0\x80abc.")),
        ("short text beyond the end", plain(b"\x8c\xffabc.")),
        ("number beyond the end", plain(b"J\0\0")),
        ("long of 2 GB", plain(b"\x8b\xff\xff\xff\x7f\0.")),
        ("frame cut", plain(b"\x95\0\0")),
        ("line without its end", plain(b"cos")),
        ("POP from an empty stack", plain(b"0N.")),
        ("mark that was not set", plain(b"t.")),
        ("DUP of nothing", plain(b"2.")),
        ("memo of nothing", plain(b"q\0.")),
        ("recall of what was not memorized", plain(b"h\x05.")),
        ("long recall of what was not memorized", plain(b"j\xff\xff\xff\xff.")),
        ("recall by a word", plain(b"gabc\n.")),
        ("key without a value", plain(b"}(Nu.")),
        ("item below the mark", plain(b"N(s.")),
        ("tuple of more than there is", plain(b"N\x87.")),
        ("global that is no text", plain(b"NN\x93.")),
        ("call without a callee", plain(b")R.")),
        ("call of nothing", plain(b"(o.")),
        ("state without an object", plain(b"Nb.")),
        ("no tensor at all", plain(b"}.")),
        ("a number", plain(b"K\x07.")),
        (
            "a function that would run",
            [b"\x80\x02".to_vec(), global("os system"), tuple(&[text("id")]), b"R.".to_vec()].concat(),
        ),
        (
            "an instruction to import",
            [b"\x80\x02".to_vec(), global("builtins __import__"), tuple(&[text("os")]), b"R.".to_vec()].concat(),
        ),
        ("a list that holds itself", plain(b"]q\0h\0a.")),
        ("lists 100,000 deep", plain(&[vec![b']'; 100_000], vec![b'a'; 99_999], b".".to_vec()].concat())),
        ("a million marks and more", plain(&vec![b'('; 1_000_001])),
        ("a million values and more", plain(&vec![b'N'; 1_000_001])),
        ("half a million nodes", plain(&b"]0".repeat(400_001))),
        ("no storage", v2(&[b"N".to_vec(), int(0), ints(&[1]), ints(&[1])])),
        (
            "storage of another kind of id",
            v2(&[[tuple(&[text("module")]), b"Q".to_vec()].concat(), int(0), ints(&[1]), ints(&[1])]),
        ),
        ("storage with a negative count", pickle(tensor(float(-1), 0, &[1], &[1]))),
        ("storage that is not there", pickle(tensor(storage("torch FloatStorage", "9", 6), 0, &[1], &[1]))),
        ("storage by a path", pickle(tensor(storage("torch FloatStorage", "../data.pkl", 6), 0, &[1], &[1]))),
        ("storage longer than its member", pickle(tensor(float(7), 0, &[1], &[1]))),
        ("storage of 2^63 elements", pickle(tensor(float(i64::MAX), 0, &[1], &[1]))),
        ("storage of quantized integers", pickle(tensor(storage("torch QInt8Storage", "0", 24), 0, &[1], &[1]))),
        ("storage of an unknown class", pickle(tensor(storage("os path", "0", 24), 0, &[1], &[1]))),
        (
            "untyped storage in version 2",
            pickle(tensor(storage("torch.storage UntypedStorage", "0", 24), 0, &[1], &[1])),
        ),
        (
            "type that is not known in version 3",
            pickle(rebuild(
                "torch._utils _rebuild_tensor_v3",
                &[
                    storage("torch.storage UntypedStorage", "0", 24),
                    int(0),
                    ints(&[1]),
                    ints(&[1]),
                    b"\x89".to_vec(),
                    b"N".to_vec(),
                    global("torch int1"),
                    b"N".to_vec(),
                ],
            )),
        ),
        (
            "version 3 without a type",
            pickle(rebuild(
                "torch._utils _rebuild_tensor_v3",
                &[storage("torch.storage UntypedStorage", "0", 24), int(0), ints(&[1]), ints(&[1])],
            )),
        ),
        ("quantized", pickle(rebuild("torch._utils _rebuild_qtensor", &[float(6), int(0), ints(&[1]), ints(&[1])]))),
        ("sparse", pickle(rebuild("torch._utils _rebuild_sparse_tensor", &[int(0)]))),
        ("too few arguments", v2(&[float(6), int(0)])),
        ("offset beyond the storage", pickle(tensor(float(6), 6, &[1], &[1]))),
        ("offset of 2^63 - 1", pickle(tensor(float(6), i64::MAX, &[1], &[1]))),
        ("negative offset", pickle(tensor(float(6), -1, &[1], &[1]))),
        ("negative size", pickle(tensor(float(6), 0, &[-1], &[1]))),
        ("negative stride", pickle(tensor(float(6), 5, &[2], &[-1]))),
        ("size beyond the storage", pickle(tensor(float(6), 0, &[7], &[1]))),
        ("stride beyond the storage", pickle(tensor(float(6), 0, &[2, 3], &[4, 1]))),
        ("size times stride beyond 2^64", pickle(tensor(float(6), 0, &[i64::MAX, 2], &[i64::MAX, 1]))),
        ("elements beyond 2^64", pickle(tensor(float(6), 0, &[i64::MAX, i64::MAX, 4], &[0, 0, 0]))),
        ("strides of another length", pickle(tensor(float(6), 0, &[2, 3], &[1]))),
        ("65 dimensions", pickle(tensor(float(6), 0, &[1; 65], &[1; 65]))),
        ("size that is no tuple", v2(&[float(6), int(0), int(3), ints(&[1])])),
        ("size of words", v2(&[float(6), int(0), tuple(&[text("3")]), ints(&[1])])),
        ("offset that is a word", v2(&[float(6), text("0"), ints(&[1]), ints(&[1])])),
    ]
}

fn report(name: &str, file: &[u8]) -> String {
    match list(file) {
        Ok(listing) => format!("{name}: {} tensors listed", listing.tensors.len()),
        Err(e) => format!("{name}: {} [{}]", e, e.code.as_str()),
    }
}

/// The errors, one a line, as `tests/data/broken.txt` holds them.
fn errors() -> String {
    let mut lines: Vec<String> = archives().iter().map(|(name, file)| report(name, file)).collect();
    lines.extend(pickles().iter().map(|(name, pickle)| report(name, &checkpoint(pickle))));
    let a = Archive::of(&[("x/data.pkl", b"N.", false), ("x/byteorder", b"middle", false)]);
    lines.push(report("byte order that is not known", &a.file));
    lines.iter().map(|line| format!("{}\n", line.replace('\n', "\\n"))).collect()
}

#[test]
fn every_broken_archive_gets_the_error_that_is_written_down() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/zips_broken.txt");
    let want = fs::read_to_string(path).unwrap_or_default();
    let got = errors();
    if std::env::var("PRINT_ERRORS").is_ok() {
        println!("{got}");
    }
    let mut want_lines = want.lines();
    for line in got.lines() {
        assert_eq!(Some(line), want_lines.next());
    }
    assert_eq!(want_lines.next(), None);
    let refused = got.lines().map(|line| line.ends_with(']'));
    for (i, _) in refused.enumerate().filter(|(_, is_refused)| *is_refused) {
        count_refused(if i < archives().len() { "zip_and_npz" } else { "torch" });
    }
}

/// The archives that others wrote.
fn bases() -> Vec<(String, Vec<u8>)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/zips");
    let mut files: Vec<_> = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|e| e == "npz" || e == "pt"))
        .map(|path| (path.file_name().unwrap().to_string_lossy().into_owned(), fs::read(&path).unwrap()))
        .collect();
    files.sort();
    assert!(files.len() > 15);
    files
}

#[test]
fn truncation_at_every_byte_is_an_error() {
    for (name, file) in bases().iter().filter(|(_, file)| file.len() < 5000) {
        for cut in 0..file.len() {
            assert!(step_claimed(&file[..cut], cut as u64).is_err(), "{name} cut at {cut}");
            // The rest of the file is zeros: its end record is gone.
            if cut < file.len() - 22 {
                let zeros = step_claimed(&file[..cut], file.len() as u64);
                assert!(zeros.is_err(), "{name}, zeros from {cut}");
            }
        }
    }
}

#[test]
fn mutated_archives_never_break_a_promise() {
    for (name, base) in bases() {
        let (mut listed, mut refused) = (0, 0);
        for round in 0..600u64 {
            let mut random = Random(round ^ 0x21b);
            let mut file = base.clone();
            // Mostly where numbers are: the directory at the end, the headers and the pickle at the start.
            for _ in 0..1 + random.below(3) {
                let window = file.len().min(1500);
                let at =
                    if random.below(2) == 0 { random.below(window) } else { file.len() - 1 - random.below(window) };
                match random.below(6) {
                    0 => file[at] ^= 1 << random.below(8),
                    1 => file[at] = random.next() as u8,
                    2 => file[at] = [0, 1, 0x7f, 0x80, 0xff, b'(', b'.', b'R', b'Q', b't'][random.below(10)],
                    3 if at + 4 < file.len() => file[at..at + 4].copy_from_slice(&[0xff; 4]),
                    4 if at + 8 < file.len() => {
                        let number = [0, 1, 1 << 31, 1 << 32, 1 << 62, u64::MAX][random.below(6)];
                        file[at..at + 8].copy_from_slice(&number.to_le_bytes());
                    }
                    _ => {
                        let other = random.below(file.len());
                        file.swap(at, other);
                    }
                }
            }
            let result = std::panic::catch_unwind(|| exercise(&file));
            match result.unwrap_or_else(|_| panic!("{name}, round {round}")) {
                Some(_) => listed += 1,
                None => refused += 1,
            }
        }
        assert!(refused > 60, "{name}: {listed} listed, {refused} refused");
    }
}
