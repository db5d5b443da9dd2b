//! The layout of an npz file that is written: stored members, each an npy array, as `numpy.load` opens them. Where every byte lies is known
//! before the first is written, but for the CRC-32 of each member: it stands after the member and in the central directory, so a file can
//! be written from its start to its end, or in any order with the checks at the last.

use std::collections::HashSet;
use std::ops::Range;

use crate::error::{Code, Error, Result};
use crate::tensor::DType;

/// An array to be written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Array<'a> {
    /// Its name; the member is called so with `.npy` after it.
    pub name: &'a str,
    /// Its element type.
    pub dtype: DType,
    /// Its dimensions, outermost first; the elements follow row-major, little-endian.
    pub dims: &'a [u64],
}

/// Where everything lies.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Layout {
    /// Literal bytes and their places, ascending.
    pub bytes: Vec<(u64, Vec<u8>)>,
    /// The elements of each array.
    pub data: Vec<Range<u64>>,
    /// What is written when the bytes of a member are known.
    pub checks: Vec<Check>,
    /// Bytes of the whole file.
    pub byte_len: u64,
}

/// The CRC-32 of a stretch of the file, written little-endian at two places, which hold zeros until then.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Check {
    /// The npy header and the elements.
    pub of: Range<u64>,
    /// After the member, and in the central directory.
    pub at: [u64; 2],
}

/// Sizes and places from here on stand in zip64 fields.
const WIDE: u64 = 0xffff_ffff;

/// 1 January 1980, the first day that the format knows: the same file every time.
const DATE: u16 = 0x21;

/// Names are UTF-8, and the CRC-32 follows the member.
const FLAGS: u16 = 0x0808;

/// Lays out a file of these arrays, in this order.
///
/// # Errors
/// `invalid_argument` for a name that is used twice or is too long; `unsupported` for an element type that numpy does not know.
pub fn layout(arrays: &[Array<'_>]) -> Result<Layout> {
    let (mut names, mut at) = (HashSet::new(), 0u64);
    let mut out = Layout { bytes: Vec::new(), data: Vec::new(), checks: Vec::new(), byte_len: 0 };
    let mut central = Vec::new();
    let mut crc_places = Vec::new();
    for array in arrays {
        let refuse = |message: &str| Error::new(Code::InvalidArgument, message).with_tensor(array.name);
        if !names.insert(array.name) {
            return Err(refuse("two arrays would have one name"));
        }
        let name = format!("{}.npy", array.name);
        let name_len = u16::try_from(name.len()).map_err(|_| {
            refuse("the name is too long for an archive")
                .with_expected(u64::from(u16::MAX - 4))
                .with_found(array.name.len())
        })?;
        let header = npy_header(array)?;
        let too_long = || refuse("the array is too long").with_found(format_args!("{:?}", array.dims));
        let count = array.dims.iter().try_fold(1u64, |n, &d| n.checked_mul(d)).ok_or_else(too_long)?;
        let data_len = array.dtype.byte_len(count).ok_or_else(too_long)?;
        let size = data_len
            .checked_add(header.len() as u64)
            .filter(|n| n.checked_add(at + (1 << 20)).is_some())
            .ok_or_else(too_long)?;
        let is_wide = size >= WIDE;

        let start = at;
        let mut local = Writer(b"PK\x03\x04".to_vec());
        local.u16(if is_wide { 45 } else { 20 }).u16(FLAGS).u16(0).u16(0).u16(DATE).u32(0);
        // With the sizes after the member these are 0, or what says that they are wide.
        let placeholder = if is_wide { WIDE as u32 } else { 0 };
        local.u32(placeholder).u32(placeholder).u16(name_len).u16(if is_wide { 20 } else { 0 });
        local.0.extend_from_slice(name.as_bytes());
        if is_wide {
            local.u16(1).u16(16).u64(size).u64(size);
        }
        let member_at = at + local.0.len() as u64;
        local.0.extend_from_slice(&header);
        let data_at = at + local.0.len() as u64;
        out.bytes.push((at, local.0));
        out.data.push(data_at..data_at + data_len);
        at = data_at + data_len;

        let mut after = Writer(b"PK\x07\x08".to_vec());
        after.u32(0);
        if is_wide {
            after.u64(size).u64(size)
        } else {
            after.u32(size as u32).u32(size as u32)
        };
        let after_at = at;
        at += after.0.len() as u64;
        out.bytes.push((after_at, after.0));
        out.checks.push(Check { of: member_at..after_at, at: [after_at + 4, 0] });

        let wide: Vec<u64> = [size, size, start].into_iter().filter(|&n| n >= WIDE).collect();
        let narrow = |n: u64| n.min(WIDE) as u32;
        let mut entry = Writer(b"PK\x01\x02".to_vec());
        let version = if wide.is_empty() { 20 } else { 45 };
        entry.u16(version).u16(version).u16(FLAGS).u16(0).u16(0).u16(DATE);
        crc_places.push(central.len() + entry.0.len());
        entry.u32(0).u32(narrow(size)).u32(narrow(size)).u16(name_len);
        entry.u16(if wide.is_empty() { 0 } else { 4 + 8 * wide.len() as u16 });
        entry.u16(0).u16(0).u16(0).u32(0).u32(narrow(start));
        entry.0.extend_from_slice(name.as_bytes());
        if !wide.is_empty() {
            entry.u16(1).u16(8 * wide.len() as u16);
            for n in wide {
                entry.u64(n);
            }
        }
        central.extend_from_slice(&entry.0);
    }
    for (check, place) in out.checks.iter_mut().zip(crc_places) {
        check.at[1] = at + place as u64;
    }
    let end = end_records(arrays.len() as u64, at, central.len() as u64);
    central.extend_from_slice(&end);
    out.byte_len = at + central.len() as u64;
    out.bytes.push((at, central));
    Ok(out)
}

/// The records after the central directory, which begins at `start`.
fn end_records(entries: u64, start: u64, length: u64) -> Vec<u8> {
    let mut end = Writer(Vec::new());
    let at = start + length;
    if entries >= 0xffff || start >= WIDE || length >= WIDE {
        end.0.extend_from_slice(b"PK\x06\x06");
        end.u64(44).u16(45).u16(45).u32(0).u32(0).u64(entries).u64(entries).u64(length).u64(start);
        end.0.extend_from_slice(b"PK\x06\x07");
        end.u32(0).u64(at).u32(1);
    }
    end.0.extend_from_slice(b"PK\x05\x06");
    let entries = entries.min(0xffff) as u16;
    end.u16(0).u16(0).u16(entries).u16(entries).u32(length.min(WIDE) as u32).u32(start.min(WIDE) as u32).u16(0);
    end.0
}

/// The header of an array, padded as numpy pads it.
fn npy_header(array: &Array<'_>) -> Result<Vec<u8>> {
    let descr = match array.dtype {
        DType::Bool => "|b1",
        DType::U8 => "|u1",
        DType::I8 => "|i1",
        DType::U16 => "<u2",
        DType::I16 => "<i2",
        DType::U32 => "<u4",
        DType::I32 => "<i4",
        DType::U64 => "<u8",
        DType::I64 => "<i8",
        DType::F16 => "<f2",
        DType::F32 => "<f4",
        DType::F64 => "<f8",
        // As ml_dtypes' bfloat16 is saved; without it numpy shows two opaque bytes.
        DType::Bf16 => "|V2",
        other => {
            return Err(Error::new(Code::Unsupported, "numpy has no elements of this type")
                .with_tensor(array.name)
                .with_expected("floats of 16 to 64 bits, integers or booleans")
                .with_found(other.name()));
        }
    };
    let dims: String = array.dims.iter().map(|d| format!("{d}, ")).collect();
    let shape = match array.dims {
        [one] => format!("({one},)"),
        _ => format!("({})", dims.trim_end_matches(", ")),
    };
    let mut text = format!("{{'descr': '{descr}', 'fortran_order': False, 'shape': {shape}, }}");
    // Magic, version and length take 10 bytes, the line feed one.
    let padded = (10 + text.len() + 1).next_multiple_of(64) - 10;
    let length =
        u16::try_from(padded).map_err(|_| Error::new(Code::InvalidArgument, "the array has too many dimensions"))?;
    text.extend(std::iter::repeat_n(' ', padded - text.len() - 1));
    let mut header = Writer(b"\x93NUMPY\x01\x00".to_vec());
    header.u16(length);
    header.0.extend_from_slice(text.as_bytes());
    header.0.push(b'\n');
    Ok(header.0)
}

/// Bytes, number by number.
struct Writer(Vec<u8>);

impl Writer {
    fn u16(&mut self, n: u16) -> &mut Self {
        self.0.extend_from_slice(&n.to_le_bytes());
        self
    }

    fn u32(&mut self, n: u32) -> &mut Self {
        self.0.extend_from_slice(&n.to_le_bytes());
        self
    }

    fn u64(&mut self, n: u64) -> &mut Self {
        self.0.extend_from_slice(&n.to_le_bytes());
        self
    }
}
