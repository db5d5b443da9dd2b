//! Everything one wants to know of a tensor before it is quantized.

use super::{CHUNK, Histogram, finite, quantiles};
use crate::error::{Code, Error, Result};
use crate::kernels::{Extent, Moments, extent, moments};
use crate::tensor::{Shape, to_usize};

/// What [`summarize`] shall compute besides the moments.
#[derive(Debug, Clone, PartialEq)]
pub struct SummaryOptions {
    /// Number of histogram bins; 0 for no histogram.
    pub bins: usize,
    /// Range of the histogram; the finite minimum and maximum when absent.
    pub range: Option<(f32, f32)>,
    /// The quantiles wanted, each in `[0, 1]`.
    pub quantiles: Vec<f64>,
    /// The axis whose channels' ranges are wanted.
    pub axis: Option<usize>,
}

impl Default for SummaryOptions {
    fn default() -> Self {
        SummaryOptions {
            bins: 256,
            range: None,
            quantiles: vec![0.0, 0.001, 0.01, 0.05, 0.25, 0.5, 0.75, 0.95, 0.99, 0.999, 1.0],
            axis: None,
        }
    }
}

/// Least and greatest finite value of each channel along an axis; 0 and 0 for a channel without a finite value.
#[derive(Debug, Clone, PartialEq)]
pub struct ChannelRanges {
    /// The axis that counts channels.
    pub axis: usize,
    /// One minimum per channel.
    pub min: Vec<f32>,
    /// One maximum per channel.
    pub max: Vec<f32>,
}

/// Statistics of a tensor. NaN and infinities are counted and otherwise left out. Of no finite value every number is 0.
#[derive(Debug, Clone, PartialEq)]
pub struct Summary {
    /// Elements, finite or not.
    pub count: u64,
    /// Least finite value.
    pub min: f32,
    /// Greatest finite value.
    pub max: f32,
    /// Greatest finite magnitude.
    pub abs_max: f32,
    /// Arithmetic mean.
    pub mean: f64,
    /// Standard deviation of the population (divisor n, not n − 1).
    pub std: f64,
    /// Third standardized moment; 0 for a constant.
    pub skewness: f64,
    /// Fourth standardized moment minus 3 (0 for a Gaussian); 0 for a constant.
    pub kurtosis: f64,
    /// Elements equal to 0, −0 included.
    pub zeros: u64,
    /// NaN elements.
    pub nan: u64,
    /// Infinite elements.
    pub infinite: u64,
    /// `(q, value)`, exact.
    pub quantiles: Vec<(f64, f64)>,
    /// Distribution over the bins asked for.
    pub histogram: Option<Histogram>,
    /// Ranges per channel, when asked for.
    pub channels: Option<ChannelRanges>,
}

/// Statistics of `values`. One pass for range, moments and counts; the histogram and the quantiles read the values again.
///
/// # Errors
/// `shape_mismatch` when the shape does not hold as many values; `invalid_argument` for an axis that the shape does not have.
pub fn summarize(values: &[f32], shape: &Shape, options: &SummaryOptions) -> Result<Summary> {
    check_count(values, shape)?;
    let mut range = Extent::EMPTY;
    let mut total = Moments::default();
    let (mut zeros, mut nan, mut infinite) = (0, 0, 0);
    let mut scratch = Vec::new();
    for chunk in values.chunks(CHUNK) {
        let kept = finite(chunk, &mut scratch);
        range = range.merge(extent(kept));
        total = total.merge(moments(kept));
        zeros += kept.iter().filter(|&&x| x == 0.0).count() as u64;
        if kept.len() < chunk.len() {
            nan += chunk.iter().filter(|x| x.is_nan()).count() as u64;
            infinite += chunk.iter().filter(|x| x.is_infinite()).count() as u64;
        }
    }
    let none = total.count == 0.0;
    let (min, max) = if none { (0.0, 0.0) } else { (range.min, range.max) };
    let spread = min < max;
    let variance = if spread { total.m2 / total.count } else { 0.0 };
    let mean = if none {
        0.0
    } else if spread {
        total.mean
    } else {
        f64::from(min)
    };
    let histogram = (options.bins > 0).then(|| {
        let (lo, hi) = options.range.unwrap_or((min, max));
        Histogram::new(values, lo, hi, options.bins)
    });
    let found = quantiles(values, &options.quantiles).unwrap_or_else(|| vec![0.0; options.quantiles.len()]);
    let channels = options.axis.map(|axis| channel_ranges(values, shape, axis)).transpose()?;
    Ok(Summary {
        count: values.len() as u64,
        min,
        max,
        abs_max: range.abs_max,
        mean,
        std: variance.sqrt(),
        skewness: if variance > 0.0 { total.m3 / total.count / variance.powf(1.5) } else { 0.0 },
        kurtosis: if variance > 0.0 { total.m4 / total.count / (variance * variance) - 3.0 } else { 0.0 },
        zeros,
        nan,
        infinite,
        quantiles: options.quantiles.iter().copied().zip(found).collect(),
        histogram,
        channels,
    })
}

fn check_count(values: &[f32], shape: &Shape) -> Result<()> {
    if shape.count() == values.len() as u64 {
        return Ok(());
    }
    Err(Error::new(Code::ShapeMismatch, format!("the shape {:?} does not hold the values given", shape.dims()))
        .with_expected(format!("{} values", shape.count()))
        .with_found(values.len()))
}

/// The extent of each channel along `axis`, non-finite values included.
///
/// # Errors
/// `shape_mismatch`, and `invalid_argument` for an axis that the shape does not have.
pub fn channel_extents(values: &[f32], shape: &Shape, axis: usize) -> Result<Vec<Extent>> {
    check_count(values, shape)?;
    let Some(&channels) = shape.dims().get(axis) else {
        return Err(Error::new(Code::InvalidArgument, "there is no such axis")
            .with_expected(format!("an axis below {}", shape.dims().len()))
            .with_found(axis));
    };
    let channels = to_usize(channels)?;
    if values.is_empty() {
        return Ok(vec![Extent::EMPTY; channels]);
    }
    let inner = to_usize(shape.dims()[axis + 1..].iter().product())?;
    let mut extents = vec![Extent::EMPTY; channels];
    for slab in values.chunks_exact(channels * inner) {
        if inner == 1 {
            for (e, &x) in extents.iter_mut().zip(slab) {
                *e = e.merge(Extent { min: x, max: x, abs_max: x.abs() });
            }
        } else {
            for (e, run) in extents.iter_mut().zip(slab.chunks_exact(inner)) {
                *e = e.merge(extent(run));
            }
        }
    }
    for e in &mut extents {
        (e.min, e.max) = (e.min + 0.0, e.max + 0.0);
    }
    Ok(extents)
}

fn channel_ranges(values: &[f32], shape: &Shape, axis: usize) -> Result<ChannelRanges> {
    let mut extents = channel_extents(values, shape, axis)?;
    if extents.iter().any(|e| !e.is_finite()) {
        // Rare: a channel holds NaN or infinities; look again without them.
        let cleaned: Vec<f32> = values.iter().map(|&x| if x.is_finite() { x } else { f32::NAN }).collect();
        extents = channel_extents(&cleaned, shape, axis)?;
    }
    let of = |e: &Extent| if e.min <= e.max { (e.min, e.max) } else { (0.0, 0.0) };
    let (min, max) = extents.iter().map(of).unzip();
    Ok(ChannelRanges { axis, min, max })
}
