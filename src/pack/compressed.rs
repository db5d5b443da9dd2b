//! The layouts of compressed-tensors, which transformers and vLLM load. `src/formats/derived.rs` states them; they are read back by
//! `crate::decode::derived`, the reader of everyone's such files.
//!
//! Scales come from the scheme of integers, with its range rules and searches; they are rounded to the type they are stored in, and only
//! then are the codes made, so that nothing is lost twice. For fp8 a row's scale is its largest magnitude over 448.

use std::rc::Rc;

use serde::{Deserialize, Serialize};

use super::{Packer, Part};
use crate::decode::decode;
use crate::decode::derived::{Derivation, Part as Stored};
use crate::error::{Code, Error, Result};
use crate::formats::derived::Method;
use crate::quant::{Options, Scheme, Value};
use crate::tensor::{DType, Shape, to_usize, try_vec};

/// Which layout.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Layout {
    /// Codes of 2, 4 or 8 bits in words of 32, a scale for each group of a row, or for each row.
    PackQuantized,
    /// fp8 E4M3, a scale for each row.
    FloatQuantized,
}

/// The largest number of fp8 E4M3.
const FP8_MAX: f32 = 448.0;

/// A packer of this layout; scales are stored as `scale`: F32, F16 or BF16.
///
/// # Errors
/// `unknown_scheme`, `unknown_option`, `invalid_option` for options that the layout cannot hold; `invalid_argument` for the type of the scales.
pub(super) fn packer(layout: Layout, scale: &str, id: &str, options: &Options) -> Result<Rc<dyn Packer>> {
    let scale =
        DType::named(scale).filter(|d| matches!(d, DType::F32 | DType::F16 | DType::Bf16)).ok_or_else(|| {
            Error::new(Code::InvalidArgument, "scales are not stored in this type")
                .with_expected("F32, F16 or BF16")
                .with_found(format!("{scale:?}"))
        })?;
    let fits = match layout {
        Layout::PackQuantized => matches!(id, "int2" | "int4" | "int8"),
        Layout::FloatQuantized => id == "fp8_e4m3",
    };
    if !fits {
        return Err(Error::new(Code::InvalidOption, "the layout does not hold codes of this scheme")
            .with_expected("int2, int4 or int8 packed, or fp8_e4m3")
            .with_found(id));
    }
    if layout == Layout::FloatQuantized {
        let elements = Scheme::new(id, options)?;
        return Ok(Rc::new(Floats { scale, elements }));
    }
    let is = |name: &str, value: &str| matches!(options.get(name), Some(Value::Text(text)) if text == value);
    let group = match options.get("groupSize") {
        _ if !is("granularity", "group") => None,
        Some(Value::Number(n)) => Some(*n as u64),
        _ => Some(32),
    };
    // What the layout has no place for is refused, what it prescribes is set.
    let mut options = options.clone();
    if matches!(options.get("symmetric"), Some(Value::Flag(false))) {
        return Err(Error::new(Code::InvalidOption, "zero points are not written").with_expected("symmetric: true"));
    }
    options.insert("symmetric".into(), Value::Flag(true));
    if group.is_none() {
        options.insert("granularity".into(), Value::Text("channel".into()));
        options.insert("axis".into(), Value::Number(0.0));
    }
    let scheme = Scheme::new(id, &options)?;
    let plain = |name: &str| matches!(scheme.options().get(name), None | Some(Value::Flag(false))) || is(name, "none");
    let is_set = |name: &&str| options.contains_key(*name) && !plain(name);
    if !scheme.is_len_exact() || ["prune", "correction"].iter().any(is_set) {
        return Err(Error::new(
            Code::InvalidOption,
            "the layout has no place for pruning, corrections or entropy coding",
        ));
    }
    let bits = match id {
        "int2" => 2,
        "int4" => 4,
        _ => 8,
    };
    Ok(Rc::new(Integers { scale, scheme, bits, group }))
}

/// The parts whose bytes follow from the shape: `weight_shape` of `pack-quantized`.
pub(super) fn literals(layout: Layout, dims: &[u64]) -> Vec<(Part, Vec<u8>)> {
    if layout != Layout::PackQuantized {
        return vec![];
    }
    let bytes = dims.iter().flat_map(|d| d.to_le_bytes()).collect::<Vec<_>>();
    let dims = vec![dims.len() as u64];
    vec![(Part { name: "shape", dtype: DType::I64, dims, byte_len: bytes.len() as u64, by_rows: false }, bytes)]
}

/// Rows and columns of a matrix.
fn matrix(shape: &Shape) -> Result<(u64, u64)> {
    match *shape.dims() {
        [rows, columns] => Ok((rows, columns)),
        _ => Err(Error::new(Code::ShapeMismatch, "compressed-tensors holds matrices only")
            .with_expected("2 dimensions")
            .with_found(format!("{:?}", shape.dims()))),
    }
}

fn part(name: &'static str, dtype: DType, dims: [u64; 2]) -> Result<Part> {
    let byte_len = dims[0].checked_mul(dims[1]).and_then(|count| dtype.byte_len(count));
    let byte_len = byte_len.ok_or_else(|| Error::new(Code::ShapeMismatch, "the part is too large to be counted"))?;
    Ok(Part { name, dtype, dims: dims.to_vec(), byte_len, by_rows: true })
}

/// Scales as they are stored, and as they are read back.
fn store_scales(scales: &mut [f32], dtype: DType) -> Result<Vec<u8>> {
    let bytes = match dtype {
        DType::F16 => cast(scales, "f16")?,
        DType::Bf16 => cast(scales, "bf16")?,
        _ => scales.iter().flat_map(|s| s.to_le_bytes()).collect(),
    };
    decode(dtype, false, &bytes, scales)?;
    Ok(bytes)
}

fn cast(values: &[f32], id: &str) -> Result<Vec<u8>> {
    let shape = Shape::new(&[values.len() as u64])?;
    Scheme::new(id, &Options::new())?.prepare(values, &shape)?.encode(values)
}

/// Numbers read back by the reader of such files.
fn read(method: Method, shape: &Shape, parts: Vec<Stored>, bytes: &[&[u8]]) -> Result<Vec<f32>> {
    let derivation = Derivation::new(method, shape, parts)?;
    let mut out = try_vec(0f32, to_usize(shape.count())?)?;
    derivation.decode(0..shape.matrix().0, bytes, &mut out)?;
    Ok(out)
}

fn stored(part: &Part) -> Result<Stored> {
    Ok(Stored { dtype: part.dtype, shape: Shape::new(&part.dims)? })
}

struct Integers {
    /// The type of the scales.
    scale: DType,
    scheme: Scheme,
    bits: u32,
    /// Weights that share a scale; `None` for all of a row.
    group: Option<u64>,
}

impl Integers {
    /// Groups of a row, and weights of each.
    fn groups(&self, columns: u64) -> Result<(u64, u64)> {
        let group = self.group.unwrap_or(columns).max(1);
        if !columns.is_multiple_of(group) {
            return Err(Error::new(Code::ShapeMismatch, "groups do not divide the rows")
                .with_expected(format!("rows of a multiple of {group}"))
                .with_found(columns));
        }
        Ok((columns / group, group))
    }

    fn words(&self, columns: u64) -> u64 {
        columns.div_ceil(u64::from(32 / self.bits))
    }
}

impl Packer for Integers {
    fn parts(&self, shape: &Shape) -> Result<Vec<Part>> {
        let (rows, columns) = matrix(shape)?;
        let codes = part("packed", DType::I32, [rows, self.words(columns)])?;
        Ok(vec![codes, part("scale", self.scale, [rows, self.groups(columns)?.0])?])
    }

    fn apart(&self, _: &Shape) -> Option<u64> {
        Some(1)
    }

    fn pack(&self, values: &[f32], shape: &Shape) -> Result<Vec<Vec<u8>>> {
        let (rows, columns) = matrix(shape)?;
        let (groups, group) = self.groups(columns)?;
        if values.is_empty() {
            return self.parts(shape)?.iter().map(|p| try_vec(0, to_usize(p.byte_len)?)).collect();
        }
        let fitted = self.scheme.prepare(values, shape)?;
        let mut scales = fitted.scales().unwrap_or_default().to_vec();
        if scales.len() as u64 != rows * groups {
            return Err(Error::new(Code::InvalidOption, "the scheme does not give one scale for each group")
                .with_expected(rows * groups)
                .with_found(scales.len()));
        }
        let scale_bytes = store_scales(&mut scales, self.scale)?;
        let half = 1i32 << (self.bits - 1);
        let mut codes = try_vec(0u8, to_usize(self.parts(shape)?[0].byte_len)?)?;
        let row_bytes = codes.len() / rows as usize;
        for ((row, codes), scales) in values
            .chunks_exact(columns as usize)
            .zip(codes.chunks_exact_mut(row_bytes))
            .zip(scales.chunks_exact(groups as usize))
        {
            for (i, x) in row.iter().enumerate() {
                let code =
                    (x / scales[i / group as usize]).round_ties_even().clamp(-half as f32, (half - 1) as f32) as i32;
                // Offset by half the range; several to a byte, low bits first, as in a little-endian word.
                let bit = i * self.bits as usize;
                codes[bit / 8] |= ((code + half) as u8) << (bit % 8);
            }
        }
        Ok(vec![codes, scale_bytes])
    }

    fn unpack(&self, parts: &[Vec<u8>], shape: &Shape) -> Result<Vec<f32>> {
        let (rows, columns) = matrix(shape)?;
        let group = self.groups(columns)?.1;
        let mut all = self.parts(shape)?.iter().map(stored).collect::<Result<Vec<_>>>()?;
        let [codes, scales] = parts else {
            return Err(Error::new(Code::ShapeMismatch, "codes and scales are needed").with_found(parts.len()));
        };
        let method = Method::Packed { bits: self.bits, group, zero_points: false, ordered: false };
        let (literal, shape_bytes) = literals(Layout::PackQuantized, &[rows, columns]).remove(0);
        all.push(stored(&literal)?);
        read(method, shape, all, &[codes, scales, &shape_bytes])
    }
}

struct Floats {
    /// The type of the scales.
    scale: DType,
    elements: Scheme,
}

impl Packer for Floats {
    fn parts(&self, shape: &Shape) -> Result<Vec<Part>> {
        let (rows, columns) = matrix(shape)?;
        Ok(vec![part("", DType::F8E4M3, [rows, columns])?, part("scale", self.scale, [rows, 1])?])
    }

    fn apart(&self, _: &Shape) -> Option<u64> {
        Some(1)
    }

    fn pack(&self, values: &[f32], shape: &Shape) -> Result<Vec<Vec<u8>>> {
        let (rows, columns) = matrix(shape)?;
        if values.is_empty() {
            return self.parts(shape)?.iter().map(|p| try_vec(0, to_usize(p.byte_len)?)).collect();
        }
        let mut scales = try_vec(1f32, to_usize(rows)?)?;
        for (scale, row) in scales.iter_mut().zip(values.chunks_exact(columns as usize)) {
            let most = row.iter().fold(0f32, |most, x| most.max(x.abs()));
            *scale = Some(most / FP8_MAX).filter(|s| *s >= f32::MIN_POSITIVE).unwrap_or(1.0);
        }
        let scale_bytes = store_scales(&mut scales, self.scale)?;
        let mut over = try_vec(0f32, values.len())?;
        for ((over, row), scale) in
            over.chunks_exact_mut(columns as usize).zip(values.chunks_exact(columns as usize)).zip(&scales)
        {
            over.iter_mut().zip(row).for_each(|(over, x)| *over = x / scale);
        }
        Ok(vec![self.elements.prepare(&over, shape)?.encode(&over)?, scale_bytes])
    }

    fn unpack(&self, parts: &[Vec<u8>], shape: &Shape) -> Result<Vec<f32>> {
        let columns = matrix(shape)?.1;
        let all = self.parts(shape)?.iter().map(stored).collect::<Result<Vec<_>>>()?;
        let bytes: Vec<&[u8]> = parts.iter().map(Vec::as_slice).collect();
        read(Method::Scaled { rows: 1, columns: columns.max(1), zero_points: false }, shape, all, &bytes)
    }
}
