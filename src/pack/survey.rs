//! What packings lose on a sample of a tensor's rows. Nothing is kept: rows are packed, read back, compared, and forgotten.
//!
//! A sample is several *places*, runs of as many rows each, spread evenly over the tensor. Of each place the sums `Σ(w − ŵ)²` and `Σw²` are
//! taken; the tensor's relative squared error is estimated by the ratio of their totals, and the deviation of that estimate by the usual
//! one of a ratio of sums (Cochran, *Sampling Techniques*, 6.4), with `R` the ratio, `P` places and a share `f` of the tensor in them:
//!
//! `√((1 − f) · P/(P−1) · Σ(eₚ − R·wₚ)²) / Σwₚ`

use super::{Packer, Packing};
use crate::error::{Code, Error, Result};
use crate::kernels::{self, Fidelity};
use crate::stats::CHUNK;
use crate::tensor::Shape;

/// What a packing loses on a sample.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Loss {
    /// `Σ(w − ŵ)² / Σw²`; 0 of a sample of zeros that stay zeros; NaN where it cannot be packed or read back as finite numbers.
    pub error: f64,
    /// The standard deviation of that estimate; 0 where all of the tensor was looked at, NaN where it cannot be told.
    pub deviation: f64,
}

/// A sample of rows.
#[derive(Debug, Clone, Copy)]
pub struct Sample<'a> {
    /// The weights of its places, one place after the other.
    pub values: &'a [f32],
    /// Rows of all places together, and their inner dimensions.
    pub shape: &'a Shape,
    /// So many, of as many rows each.
    pub places: u64,
    /// The tensor's weights, of which these are some.
    pub count: u64,
}

/// What a packing loses on the first `places` of a sample.
///
/// # Errors
/// `invalid_argument` for places that do not divide the rows, or weights that are not those of the shape; as [`Packing::packer`]. Weights
/// that cannot be packed are no error here.
pub fn loss(packing: &Packing, sample: &Sample<'_>, places: u64) -> Result<Loss> {
    let packer = packing.packer()?;
    let (rows, columns) = sample.shape.matrix();
    let fits = sample.places > 0 && rows.is_multiple_of(sample.places) && sample.values.len() as u64 == rows * columns;
    if !fits {
        return Err(Error::new(Code::InvalidArgument, "the sample is not of whole places")
            .with_expected(format!("{} places of rows of {columns}", sample.places))
            .with_found(format!("{rows} rows, {} weights", sample.values.len())));
    }
    let each = rows / sample.places;
    let (places, each) = match packer.apart(sample.shape) {
        Some(step) if sample.places > 1 && each.is_multiple_of(step.max(1)) => (places.clamp(1, sample.places), each),
        // What looks at all rows is shown all there are.
        _ => (1, rows),
    };
    let taken = (each * columns) as usize;
    let inner = sample.shape.dims().get(1..).unwrap_or_default();
    let dims: Vec<u64> = if sample.shape.dims().len() < 2 {
        sample.shape.dims().to_vec()
    } else {
        [each].iter().chain(inner).copied().collect()
    };
    let shape = Shape::new(&dims)?;
    let mut sums = Vec::with_capacity(places as usize);
    for values in sample.values.chunks(taken.max(1)).take(places as usize) {
        match fidelity(&*packer, values, &shape) {
            Some(fidelity) => sums.push(fidelity),
            None => return Ok(Loss { error: f64::NAN, deviation: f64::NAN }),
        }
    }
    let share = (places * each * columns) as f64 / sample.count.max(1) as f64;
    Ok(estimate(&sums, share))
}

/// The sums of one place; none where it cannot be packed.
fn fidelity(packer: &dyn Packer, values: &[f32], shape: &Shape) -> Option<Fidelity> {
    let packed = packer.pack(values, shape).ok()?;
    let back = packer.unpack(&packed, shape).ok()?;
    let chunks = values.chunks(CHUNK).zip(back.chunks(CHUNK));
    let sum = chunks.fold(Fidelity::default(), |sum, (x, y)| sum.merge(kernels::fidelity(x, y)));
    (sum.is_finite() && back.len() == values.len()).then_some(sum)
}

/// The ratio of the sums, and its deviation; `share` of the tensor is in them.
fn estimate(places: &[Fidelity], share: f64) -> Loss {
    let all = places.iter().fold(Fidelity::default(), |sum, place| sum.merge(*place));
    if all.error2 == 0.0 {
        return Loss { error: 0.0, deviation: 0.0 };
    }
    let error = all.error2 / all.energy;
    let n = places.len() as f64;
    let deviation = if share >= 1.0 {
        0.0
    } else if n < 2.0 {
        f64::NAN
    } else {
        let squares: f64 = places.iter().map(|place| (place.error2 - error * place.energy).powi(2)).sum();
        ((1.0 - share) * n / (n - 1.0) * squares).sqrt() / all.energy
    };
    Loss { error, deviation }
}
