//! Packings that are a scheme's own bytes, records of Deep Compression, elements of another type, or floats that were rounded by a scheme.

use std::rc::Rc;

use super::{Packer, Part};
use crate::decode::decode;
use crate::error::{Code, Error, Result};
use crate::quant::{Options, Scheme, Value, entry};
use crate::tensor::{DType, Shape, to_usize, try_vec};

/// Elements of the type of this name.
pub(super) fn cast(dtype: &str) -> Result<Rc<dyn Packer>> {
    Ok(Rc::new(Cast::new(dtype)?))
}

/// The layout of the scheme itself, where a file has a type for it.
pub(super) fn own_layout(id: &str, options: &Options) -> Result<Rc<dyn Packer>> {
    let scheme = Scheme::new(id, options)?;
    let family = entry(id)?.family;
    let dtype = DType::named(&id.to_ascii_uppercase()).filter(|dtype| dtype.is_blocks());
    match dtype {
        Some(dtype) if family == "ggml" && scheme.is_len_exact() => Ok(Rc::new(Blocks { scheme, dtype })),
        _ => Err(Error::new(Code::InvalidOption, format!("no file stores {id} by itself, as blocks"))
            .with_expected("a scheme of the family ggml, without entropy coding")
            .with_found(id)),
    }
}

/// Floats of a type, after a scheme.
pub(super) fn rounded(dtype: &str, id: &str, options: &Options) -> Result<Rc<dyn Packer>> {
    Ok(Rc::new(Rounded { scheme: Scheme::new(id, options)?, cast: Cast::new(dtype)? }))
}

/// Records of Deep Compression.
pub(super) fn record(id: &str, options: &Options) -> Result<Rc<dyn Packer>> {
    if id != "deep" {
        return Err(Error::new(Code::InvalidOption, "a record is what the scheme deep makes")
            .with_expected("deep")
            .with_found(id));
    }
    Ok(Rc::new(Record { scheme: Scheme::new(id, options)? }))
}

/// The types that can be cast to, and the schemes that do it.
const CASTS: [(DType, &str); 5] = [
    (DType::F32, ""),
    (DType::F16, "f16"),
    (DType::Bf16, "bf16"),
    (DType::F8E4M3, "fp8_e4m3"),
    (DType::F8E5M2, "fp8_e5m2"),
];

struct Cast {
    dtype: DType,
    /// None for f32.
    scheme: Option<Scheme>,
}

impl Cast {
    fn new(name: &str) -> Result<Cast> {
        let Some((dtype, id)) = CASTS.iter().find(|(dtype, _)| dtype.name() == name) else {
            return Err(Error::new(Code::InvalidArgument, "weights cannot be cast to this type")
                .with_expected(CASTS.map(|(dtype, _)| dtype.name()).join(", "))
                .with_found(format!("{name:?}")));
        };
        let scheme = if id.is_empty() { None } else { Some(Scheme::new(id, &Options::new())?) };
        Ok(Cast { dtype: *dtype, scheme })
    }
}

impl Packer for Cast {
    fn parts(&self, shape: &Shape) -> Result<Vec<Part>> {
        one_part(self.dtype, shape)
    }

    fn apart(&self, _: &Shape) -> Option<u64> {
        Some(1)
    }

    fn grain(&self) -> Option<u64> {
        Some(1)
    }

    fn pack(&self, values: &[f32], shape: &Shape) -> Result<Vec<Vec<u8>>> {
        Ok(vec![match &self.scheme {
            Some(scheme) => scheme.prepare(values, shape)?.encode(values)?,
            None => bytes_of(values)?,
        }])
    }

    fn unpack(&self, parts: &[Vec<u8>], shape: &Shape) -> Result<Vec<f32>> {
        let mut out = try_vec(0.0, to_usize(shape.count())?)?;
        decode(self.dtype, false, &parts[0], &mut out)?;
        Ok(out)
    }
}

struct Blocks {
    scheme: Scheme,
    dtype: DType,
}

impl Packer for Blocks {
    fn parts(&self, shape: &Shape) -> Result<Vec<Part>> {
        self.scheme.byte_len(shape)?;
        one_part(self.dtype, shape)
    }

    fn apart(&self, _: &Shape) -> Option<u64> {
        self.grain().map(|_| 1)
    }

    fn grain(&self) -> Option<u64> {
        grain_of(&self.scheme)
    }

    fn pack(&self, values: &[f32], shape: &Shape) -> Result<Vec<Vec<u8>>> {
        Ok(vec![self.scheme.prepare(values, shape)?.encode(values)?])
    }

    fn unpack(&self, parts: &[Vec<u8>], shape: &Shape) -> Result<Vec<f32>> {
        self.scheme.decode(&parts[0], shape)
    }
}

struct Rounded {
    scheme: Scheme,
    cast: Cast,
}

impl Packer for Rounded {
    fn parts(&self, shape: &Shape) -> Result<Vec<Part>> {
        self.scheme.byte_len(shape)?;
        self.cast.parts(shape)
    }

    fn apart(&self, _: &Shape) -> Option<u64> {
        self.grain().map(|_| 1)
    }

    fn grain(&self) -> Option<u64> {
        grain_of(&self.scheme)
    }

    fn pack(&self, values: &[f32], shape: &Shape) -> Result<Vec<Vec<u8>>> {
        let mut back = try_vec(0.0, values.len())?;
        self.scheme.prepare(values, shape)?.reconstruct(values, 0, &mut back);
        self.cast.pack(&back, shape)
    }

    fn unpack(&self, parts: &[Vec<u8>], shape: &Shape) -> Result<Vec<f32>> {
        self.cast.unpack(parts, shape)
    }
}

struct Record {
    scheme: Scheme,
}

impl Packer for Record {
    fn parts(&self, shape: &Shape) -> Result<Vec<Part>> {
        let byte_len = self.scheme.byte_len(shape)? as u64;
        Ok(vec![Part { name: "", dtype: DType::F32, dims: shape.dims().to_vec(), byte_len, by_rows: false }])
    }

    fn apart(&self, _: &Shape) -> Option<u64> {
        None
    }

    fn pack(&self, values: &[f32], shape: &Shape) -> Result<Vec<Vec<u8>>> {
        Ok(vec![self.scheme.prepare(values, shape)?.encode(values)?])
    }

    fn unpack(&self, parts: &[Vec<u8>], shape: &Shape) -> Result<Vec<f32>> {
        self.scheme.decode(&parts[0], shape)
    }
}

/// Weights that a scheme's block holds, where blocks have no part in each other; a scheme that looks at more needs the whole tensor.
fn grain_of(scheme: &Scheme) -> Option<u64> {
    let entry = entry(scheme.id()).ok().filter(|entry| entry.family == "ggml")?;
    let is_off = |name| matches!(scheme.options().get(name), None | Some(Value::Flag(false)));
    let is_unpruned = match scheme.options().get("prune") {
        None => true,
        Some(Value::Text(how)) => how == "none",
        Some(_) => false,
    };
    (is_off("flatten") && is_unpruned).then_some(u64::from(entry.block_size?))
}

/// One part of this type, row by row.
fn one_part(dtype: DType, shape: &Shape) -> Result<Vec<Part>> {
    let (rows, columns) = shape.matrix();
    let byte_len = dtype.byte_len(columns).and_then(|row| row.checked_mul(rows)).ok_or_else(|| {
        Error::new(Code::ShapeMismatch, format!("rows of {columns} weights are no whole blocks of {}", dtype.name()))
            .with_expected(format!("rows of a multiple of {}", dtype.block().0))
            .with_found(columns)
    })?;
    Ok(vec![Part { name: "", dtype, dims: shape.dims().to_vec(), byte_len, by_rows: true }])
}

fn bytes_of(values: &[f32]) -> Result<Vec<u8>> {
    let mut out = try_vec(0, values.len() * 4)?;
    for (out, x) in out.chunks_exact_mut(4).zip(values) {
        out.copy_from_slice(&x.to_le_bytes());
    }
    Ok(out)
}
