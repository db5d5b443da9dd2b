//! Drives a `Reader` over bytes in memory, and writes small files with exactly the fault that a test wants.
#![allow(dead_code, reason = "each test binary uses a part of it")]

use fewerbits::decode::derived::{Derivation, Part};
use fewerbits::decode::{decode, fortran_to_row_major, strided_to_row_major, unreadable};
use fewerbits::formats::gguf::Header;
use fewerbits::formats::{Format, Layout, Listing, Reader, ShardIndex, Step, TensorInfo};
use fewerbits::pipeline::job;
use fewerbits::plan::{Model, Request, plan};
use fewerbits::{Error, Result};

/// Runs the reader over `start`, the first bytes of a file that claims to be `len` bytes long.
pub fn step_claimed(start: &[u8], len: u64) -> Result<Step> {
    let mut reader = Reader::new(len);
    let mut step = reader.step(&[])?;
    while let Step::Need(range) = step {
        let held = start.len() as u64;
        assert!(range.start < range.end && range.end <= len, "the reader asks for {range:?} of {len} bytes");
        let end = range.end.min(held);
        let mut bytes = start[range.start.min(held) as usize..end as usize].to_vec();
        // What the test does not give is zeros, as in a sparse file; the reader must not ask for much of it.
        assert!(range.end - range.start <= 4 << 20);
        bytes.resize((range.end - range.start) as usize, 0);
        step = reader.step(&bytes)?;
    }
    Ok(step)
}

pub fn list(file: &[u8]) -> Result<Listing> {
    match step_claimed(file, file.len() as u64)? {
        Step::Done(listing) => Ok(listing),
        other => panic!("expected a listing, got {other:?}"),
    }
}

pub fn shards(file: &[u8]) -> Result<ShardIndex> {
    match step_claimed(file, file.len() as u64)? {
        Step::Shards(index) => Ok(index),
        other => panic!("expected an index of shards, got {other:?}"),
    }
}

/// A safetensors file of this header, unpadded, and this many bytes of data.
pub fn safetensors(header: impl AsRef<[u8]>, data: usize) -> Vec<u8> {
    let header = header.as_ref();
    let mut file = (header.len() as u64).to_le_bytes().to_vec();
    file.extend_from_slice(header);
    file.extend(std::iter::repeat_n(7, data));
    file
}

/// An npy file of version 1.0 with this header text and this many bytes of data.
pub fn npy(header: &str, data: usize) -> Vec<u8> {
    let mut file = b"\x93NUMPY\x01\x00".to_vec();
    file.extend((header.len() as u16).to_le_bytes());
    file.extend_from_slice(header.as_bytes());
    file.extend(std::iter::repeat_n(7, data));
    file
}

/// A GGUF file, item by item, right or wrong as the test wants it.
#[derive(Clone)]
pub struct Gguf {
    pub version: u32,
    pub keys: Vec<Vec<u8>>,
    pub tensors: Vec<Vec<u8>>,
    pub alignment: usize,
    pub data: usize,
}

impl Default for Gguf {
    fn default() -> Gguf {
        Gguf { version: 3, keys: Vec::new(), tensors: Vec::new(), alignment: 32, data: 0 }
    }
}

impl Gguf {
    pub fn key(mut self, name: &str, kind: u32, value: &[u8]) -> Gguf {
        self.keys.push([&gguf_text(name)[..], &kind.to_le_bytes(), value].concat());
        self
    }

    /// `ne` as the file has it: innermost first.
    pub fn tensor(mut self, name: &str, ne: &[u64], kind: u32, offset: u64) -> Gguf {
        let mut bytes = gguf_text(name);
        bytes.extend((ne.len() as u32).to_le_bytes());
        ne.iter().for_each(|n| bytes.extend(n.to_le_bytes()));
        bytes.extend(kind.to_le_bytes());
        bytes.extend(offset.to_le_bytes());
        self.tensors.push(bytes);
        self
    }

    pub fn data(mut self, bytes: usize) -> Gguf {
        self.data = bytes;
        self
    }

    /// Magic, version and counts.
    pub fn counts(&self, tensors: u64, keys: u64) -> Vec<u8> {
        [b"GGUF", &self.version.to_le_bytes()[..], &tensors.to_le_bytes(), &keys.to_le_bytes()].concat()
    }

    pub fn header(&self) -> Vec<u8> {
        let mut file = self.counts(self.tensors.len() as u64, self.keys.len() as u64);
        file.extend(self.keys.concat());
        file.extend(self.tensors.concat());
        file
    }

    pub fn file(&self) -> Vec<u8> {
        let mut file = self.header();
        if !self.tensors.is_empty() {
            file.resize(file.len().next_multiple_of(self.alignment), 0);
        }
        file.extend(std::iter::repeat_n(7, self.data));
        file
    }
}

/// A container of Deep Compression of what stands in `body` after the head, and this data.
pub fn deep(tensors: u32, notes: u32, body: &[u8], data: &[u8]) -> Vec<u8> {
    let header_len = (28 + body.len() as u64).to_le_bytes();
    [b"FBDEEP\r\n", &1_u32.to_le_bytes()[..], &tensors.to_le_bytes(), &header_len, &notes.to_le_bytes(), body, data]
        .concat()
}

/// A text of such a container.
pub fn deep_text(text: &str) -> Vec<u8> {
    [&(text.len() as u32).to_le_bytes()[..], text.as_bytes()].concat()
}

/// A tensor of such a container, as its header has it.
pub fn deep_tensor(name: &str, coding: u8, dtype: &str, dims: &[u64], place: std::ops::Range<u64>) -> Vec<u8> {
    let dims: Vec<u8> = [dims.len() as u8].into_iter().chain(dims.iter().flat_map(|dim| dim.to_le_bytes())).collect();
    let dtype = [&[dtype.len() as u8], dtype.as_bytes()].concat();
    [&deep_text(name)[..], &[coding], &dtype, &dims, &place.start.to_le_bytes(), &place.end.to_le_bytes()].concat()
}

/// A string of GGUF: its length and its bytes.
pub fn gguf_text(text: &str) -> Vec<u8> {
    [&(text.len() as u64).to_le_bytes()[..], text.as_bytes()].concat()
}

/// An array of GGUF, without the type of the value.
pub fn gguf_array(of: u32, len: u64, values: &[u8]) -> Vec<u8> {
    [&of.to_le_bytes()[..], &len.to_le_bytes(), values].concat()
}

/// A zip archive of stored members.
pub fn stored_zip(members: &[(&str, &[u8])]) -> Vec<u8> {
    let (mut file, mut central) = (Vec::new(), Vec::new());
    for (name, content) in members {
        let sizes = [content.len() as u32; 2].map(u32::to_le_bytes).concat();
        let name_len = (name.len() as u16).to_le_bytes();
        central.extend([b"PK\x01\x02".as_slice(), &[0; 16], &sizes, &name_len, &[0; 12]].concat());
        central.extend((file.len() as u32).to_le_bytes());
        central.extend(name.as_bytes());
        file.extend(
            [b"PK\x03\x04".as_slice(), &[0; 14], &sizes, &name_len, &[0; 2], name.as_bytes(), content].concat(),
        );
    }
    let (start, count) = ((file.len() as u32).to_le_bytes(), (members.len() as u16).to_le_bytes());
    let length = (central.len() as u32).to_le_bytes();
    file.extend([central.as_slice(), b"PK\x05\x06\0\0\0\0", &count, &count, &length, &start, &[0; 2]].concat());
    file
}

/// The facts of an error, as tests write them down: code, tensor, offset, expected, found.
pub type Facts<'a> = (&'a str, Option<&'a str>, Option<u64>, &'a str, &'a str);

#[track_caller]
pub fn assert_error(got: Result<impl std::fmt::Debug>, want: Facts<'_>) {
    let e: Error = got.expect_err("this file must be refused");
    assert_eq!(facts_of(&e), want, "\n{e}");
    count_refused(&test_binary());
}

/// One case more in which a file was refused with the error expected: `tests/broken_cases.sh` counts these lines.
pub fn count_refused(of: &str) {
    println!("refused: {of}");
}

/// `gguf` in the tests of `formats_gguf.rs`.
pub fn test_binary() -> String {
    let path = std::env::current_exe().unwrap_or_default();
    let name = path.file_stem().and_then(|name| name.to_str()).unwrap_or_default();
    name.split('-').next().unwrap_or_default().trim_start_matches("formats_").to_owned()
}

pub fn facts_of(e: &Error) -> Facts<'_> {
    let [expected, found] = [&e.expected, &e.found].map(|fact| fact.as_deref().unwrap_or(""));
    (e.code.as_str(), e.tensor.as_deref(), e.offset, expected, found)
}

/// Bytes of a view from its first element to its last.
fn span_bytes(t: &TensorInfo) -> u64 {
    let Layout::Strided(strides) = &t.layout else { return t.dtype.byte_len(t.shape.count()).unwrap() };
    if t.shape.count() == 0 {
        return 0;
    }
    let last: u64 = t.shape.dims().iter().zip(strides).map(|(d, s)| (d - 1) * s).sum();
    t.dtype.byte_len(last + 1).unwrap()
}

/// The stored bytes of a tensor, inflated where they are deflated; nothing when the stream ends before them.
pub fn stored(file: &[u8], t: &TensorInfo) -> Option<Vec<u8>> {
    let bytes = &file[t.bytes.start as usize..t.bytes.end as usize];
    let Some(skip) = t.deflated else { return Some(bytes.to_vec()) };
    let end = skip.checked_add(span_bytes(t))?;
    let all = miniz_oxide::inflate::decompress_to_vec_with_limit(bytes, (1 << 20) + end.min(1 << 20) as usize);
    all.ok()?.get(skip as usize..end as usize).map(<[u8]>::to_vec)
}

/// The numbers of a tensor, row-major; nothing where there are none.
pub fn values(file: &[u8], t: &TensorInfo) -> Option<Vec<f32>> {
    if unreadable(t.dtype).is_some() {
        return None;
    }
    let bytes = stored(file, t)?;
    if t.deep {
        return fewerbits::quant::deep::decode(&bytes, t.shape.count()).ok();
    }
    let mut values = vec![0.0; bytes.len() * t.dtype.block().0 as usize / t.dtype.block().1 as usize];
    decode(t.dtype, t.big_endian, &bytes, &mut values).expect("a listed tensor decodes");
    let mut out = vec![0.0; t.shape.count() as usize];
    match &t.layout {
        Layout::RowMajor => return Some(values),
        Layout::Fortran => fortran_to_row_major(&values, &t.shape, &mut out).expect("and reorders"),
        Layout::Strided(strides) => strided_to_row_major(&values, &t.shape, strides, &mut out).expect("and gathers"),
    }
    Some(out)
}

/// A seeded generator for tests (splitmix64).
pub struct Random(pub u64);

impl Random {
    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// Below `n`, which is not 0.
    pub fn below(&mut self, n: usize) -> usize {
        (self.next() % n as u64) as usize
    }
}

/// What must hold for every listing, whoever wrote the file: tensors lie in the file, each with exactly the bytes that its type and shape
/// ask for; names are unique; and in formats that promise it, one lies after the other.
pub fn check_listing(listing: &Listing, file_len: u64) {
    if listing.onnx.is_some() {
        return check_onnx(listing, file_len);
    }
    let gguf = listing.gguf.as_ref();
    let archive = matches!(listing.format, Format::Npz | Format::Torch);
    let mut at = listing.tensors.first().map_or(file_len, |t| t.bytes.start);
    for t in &listing.tensors {
        assert!(t.bytes.start <= t.bytes.end && t.bytes.end <= file_len, "{t:?}");
        if listing.format == Format::Deep {
            let len = t.bytes.end - t.bytes.start;
            assert!(t.deep || t.dtype.padded_len(t.shape.count()) == Some(len), "{t:?}");
        } else if t.deflated.is_none() {
            assert_eq!(span_bytes(t), t.bytes.end - t.bytes.start, "{t:?}");
        }
        if let Some(header) = gguf {
            at = (at - header.data_start).next_multiple_of(header.alignment.into()) + header.data_start;
        }
        assert!(if archive { t.bytes.start >= at || t.shape.count() == 0 } else { t.bytes.start == at }, "{t:?}");
        at = if archive { t.bytes.start.max(at) } else { t.bytes.end };
        let (rows, columns) = t.shape.matrix();
        assert_eq!(rows.checked_mul(columns), Some(t.shape.count()));
    }
    match gguf {
        Some(header) => check_header(header, at.min(file_len)),
        None => assert!(archive || at == file_len),
    }
    let mut names: Vec<_> = listing.tensors.iter().map(|t| &t.name).collect();
    names.sort();
    names.dedup();
    assert_eq!(names.len(), listing.tensors.len(), "names are unique");
    for d in &listing.derived {
        assert!(d.parts.iter().all(|&i| i < listing.tensors.len()), "{d:?}");
    }
}

/// Tensors of ONNX lie where they like: in the file, beside it, or in the listing itself. Each has the bytes that it asks for, where
/// half a byte may be left over.
fn check_onnx(listing: &Listing, file_len: u64) {
    for t in &listing.tensors {
        assert_eq!(t.dtype.padded_len(t.shape.count()), t.bytes.end.checked_sub(t.bytes.start), "{t:?}");
        match (&t.file, &t.inline) {
            (None, None) => assert!(t.bytes.end <= file_len, "{t:?}"),
            (None, Some(inline)) => assert_eq!(t.bytes, 0..inline.len() as u64),
            (Some(file), inline) => assert!(inline.is_none() && !file.contains(['/', '\\']) && !file.contains("..")),
        }
    }
    let mut names: Vec<_> = listing.tensors.iter().map(|t| &t.name).collect();
    names.sort();
    names.dedup();
    assert_eq!(names.len(), listing.tensors.len(), "names are unique");
}

/// The stored bytes of a tensor that is not beside the file, and its elements as numbers.
pub fn onnx_values(file: &[u8], t: &TensorInfo) -> Vec<f32> {
    let here = || file[t.bytes.start as usize..t.bytes.end as usize].to_vec();
    let bytes = t.inline.as_deref().cloned().unwrap_or_else(here);
    let (elements, size) = t.dtype.block();
    let mut values = vec![0.0; bytes.len() / size as usize * elements as usize];
    decode(t.dtype, t.big_endian, &bytes, &mut values).expect("a listed tensor decodes");
    values.truncate(t.shape.count() as usize);
    values
}

/// The stored bytes of a part, here or in the listing itself.
fn part_bytes<'a>(file: &'a [u8], t: &'a TensorInfo) -> &'a [u8] {
    let here = || &file[t.bytes.start as usize..t.bytes.end as usize];
    t.inline.as_deref().map_or_else(here, Vec::as_slice)
}

/// Weights of several parts are made from exactly the bytes that they need, all rows at once as one at a time; or are refused.
fn decode_derived(file: &[u8], listing: &Listing) {
    let mut left = 1u64 << 18;
    for d in &listing.derived {
        let parts: Vec<_> = d.parts.iter().map(|&i| &listing.tensors[i]).collect();
        let (rows, columns) = d.shape.matrix();
        let count = d.shape.count();
        if parts.iter().any(|t| t.file.is_some()) || count > left {
            continue;
        }
        left -= count;
        let made = parts.iter().map(|t| Part { dtype: t.dtype, shape: t.shape.clone() }).collect();
        let Ok(of) = Derivation::new(d.method, &d.shape, made) else { continue };
        let decode = |rows: std::ops::Range<u64>| {
            let needs = of.needs(rows.clone());
            let slice = |(t, need): (&&'_ TensorInfo, &std::ops::Range<u64>)| {
                part_bytes(file, t)[need.start as usize..need.end as usize].to_vec()
            };
            let bytes: Vec<Vec<u8>> = parts.iter().zip(&needs).map(slice).collect();
            let bytes: Vec<&[u8]> = bytes.iter().map(Vec::as_slice).collect();
            let mut out = vec![0.0; ((rows.end - rows.start) * columns) as usize];
            let bits = |v: &f32| if v.is_nan() { !0 } else { v.to_bits() };
            of.decode(rows, &bytes, &mut out).map(|()| out.iter().map(bits).collect::<Vec<u32>>())
        };
        match decode(0..rows) {
            Ok(all) => {
                for row in [0, rows / 2, rows.saturating_sub(1)].into_iter().filter(|&row| row < rows) {
                    let want = &all[(row * columns) as usize..((row + 1) * columns) as usize];
                    assert!(decode(row..row + 1).is_ok_and(|got| got == want), "row {row} of {d:?}");
                }
            }
            Err(e) => assert_eq!(e.code.as_str(), "malformed", "{d:?}"),
        }
    }
}

/// What is listed can be planned and laid out, or is refused; every byte of what is written has its place.
fn shrink_onnx(listing: &Listing, file_len: u64) {
    let model = Model::of(vec![listing.clone()]);
    for request in [
        r#"{"to":"onnx"}"#,
        r#"{"to":"onnx","scheme":{"id":"int8"}}"#,
        r#"{"to":"onnx","scheme":{"id":"int4"}}"#,
        r#"{"to":"onnx","scheme":{"id":"f16"},"layout":"contrib"}"#,
    ] {
        let request: Request = serde_json::from_str(request).unwrap();
        let Ok(plan) = plan(&model, &request) else { continue };
        let Ok(job) = job(&model, &plan) else { continue };
        let mut places: Vec<(u64, u64)> = job.files[0].segments.iter().map(|s| (s.at, s.content.byte_len())).collect();
        places.extend(job.tasks.iter().flat_map(|task| &task.parts).map(|part| (part.at, part.byte_len)));
        places.sort_unstable();
        let end = places.iter().fold(0, |at, (start, len)| {
            assert_eq!(at, *start);
            at + len
        });
        assert_eq!(end, job.files[0].byte_len);
        assert!(request.scheme.is_some() || end == file_len || listing.tensors.iter().any(|t| t.file.is_some()));
    }
}

/// Keys lie one after the other before the data.
fn check_header(header: &Header, data_start: u64) {
    assert!(header.alignment.is_power_of_two());
    let mut at = 24;
    for key in &header.keys {
        assert_eq!(key.bytes.start, at, "{key:?}");
        assert!(key.bytes.end > at + 12, "{key:?}");
        at = key.bytes.end;
    }
    assert!(at <= data_start);
}

/// Lists a file that may be anything, checks what comes out, and decodes what can be decoded.
pub fn exercise(file: &[u8]) -> Option<Listing> {
    match step_claimed(file, file.len() as u64) {
        Ok(Step::Done(listing)) => {
            check_listing(&listing, file.len() as u64);
            decode_derived(file, &listing);
            if listing.onnx.is_some() {
                shrink_onnx(&listing, file.len() as u64);
            }
            for t in &listing.tensors {
                if listing.onnx.is_some() {
                    if t.file.is_none() && unreadable(t.dtype).is_none() {
                        onnx_values(file, t);
                    }
                    continue;
                }
                // A view of few elements may claim very many.
                if t.shape.count() <= 1 << 22 {
                    values(file, t);
                }
            }
            Some(listing)
        }
        Ok(Step::Shards(index)) => {
            assert!(!index.files().is_empty());
            for name in index.files() {
                assert!(!name.contains(['/', '\\']) && !name.contains("..") && !name.is_empty());
            }
            None
        }
        Ok(Step::Need(_)) => unreachable!("step_claimed runs to the end"),
        Err(e) => {
            assert!(!e.message.is_empty() && e.to_string().len() < 6000);
            None
        }
    }
}
