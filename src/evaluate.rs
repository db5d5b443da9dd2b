//! What a scheme does to a tensor, in one pass and without storing anything: metrics, both histograms, levels.

use crate::error::{Code, Error, Result};
use crate::kernels::{Energy, energy, extent};
use crate::quant::{Prepared, RunInfo, Scheme, Tally};
use crate::stats::{CHUNK, Comparison, Histogram, HistogramBuilder, Metrics};
use crate::tensor::Shape;

/// What [`evaluate`] shall look at.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct EvaluateOptions {
    /// Bins of the float and quantized histograms.
    pub bins: usize,
    /// Their common range; from the least to the greatest of weights and levels when absent.
    pub range: Option<(f32, f32)>,
    /// Bins of the error histogram, which spans ± the greatest error of a weight that is not clipped (half a step), or what
    /// `error_range` says.
    pub error_bins: usize,
    /// Half-width of the error histogram; one step of the run at `at` when absent.
    pub error_range: Option<f32>,
    /// The element whose run and levels are shown.
    pub at: usize,
}

impl Default for EvaluateOptions {
    fn default() -> Self {
        EvaluateOptions { bins: 256, range: None, error_bins: 128, error_range: None, at: 0 }
    }
}

/// A scheme's effect on a tensor.
#[derive(Debug, Clone, PartialEq)]
pub struct Evaluation {
    /// Weights in the tensor.
    pub count: u64,
    /// Bytes of the packed tensor, scales and padding included.
    pub byte_len: u64,
    /// The same per weight, in bits; 0 for an empty tensor.
    pub bits_per_weight: f64,
    /// How far the result lies from the weights; of [`LONG`] tensors the sums of errors are good to one in ten million.
    pub metrics: Metrics,
    /// Distribution of the weights.
    pub reference: Histogram,
    /// Distribution of what they become, over the same bins.
    pub quantized: Histogram,
    /// Distribution of `weight − result`.
    pub errors: Histogram,
    /// Runs that share a scale.
    pub runs: usize,
    /// The run at `at`; `None` in an empty tensor.
    pub run: Option<RunInfo>,
    /// All values that the element at `at` could become, ascending.
    pub levels: Vec<f32>,
}

/// Weights from which on errors are summed up in f32, in runs of [`ERROR_RUN`](crate::kernels::errors::ERROR_RUN): so many runs that what each is
/// rounded by averages out to less than one in ten million.
pub const LONG: usize = 1 << 18;

/// Bits that each weight takes, everything counted.
#[must_use]
pub fn bits_per_weight(byte_len: u64, count: u64) -> f64 {
    if count == 0 { 0.0 } else { byte_len as f64 * 8.0 / count as f64 }
}

/// Evaluates a scheme on a tensor.
///
/// # Errors
/// As [`Scheme::prepare`].
pub fn evaluate(values: &[f32], shape: &Shape, scheme: &Scheme, options: &EvaluateOptions) -> Result<Evaluation> {
    let prepared = scheme.prepare(values, shape)?;
    evaluate_prepared(values, shape, scheme, &prepared, options, &mut Known::default())
}

/// What earlier evaluations of the same tensor found out about the weights themselves.
#[derive(Debug, Clone, Default)]
pub struct Known {
    reference: Option<Histogram>,
    energy: Option<Energy>,
}

/// The same with what is known already: the fitted scheme, and what other schemes left in `known`.
///
/// # Errors
/// `invalid_argument` for an element that there is not; as [`Scheme::byte_len`].
pub fn evaluate_prepared(
    values: &[f32],
    shape: &Shape,
    scheme: &Scheme,
    prepared: &Prepared,
    options: &EvaluateOptions,
    known: &mut Known,
) -> Result<Evaluation> {
    if options.at >= values.len().max(1) {
        return Err(Error::new(Code::InvalidArgument, "there is no element of this index")
            .with_expected(format!("below {}", values.len()))
            .with_found(options.at));
    }
    let run = (!values.is_empty()).then(|| prepared.run_at(values, options.at));
    let (lo, hi) = options.range.unwrap_or_else(|| whole_range(values, run.as_ref()));
    let step = run.as_ref().map_or(1.0, |run| run.scale.abs());
    let half_width = options.error_range.filter(|w| w.is_finite() && *w > 0.0).unwrap_or(step);

    // A scheme that refuses what is not finite has looked at every weight.
    let finite = scheme.options().choice("nonFinite") != "saturate";

    let drawn = known.reference.take().filter(|h| h.counts.len() == options.bins && (h.lo, h.hi) == (lo, hi));
    let mut reference = drawn.is_none().then(|| HistogramBuilder::new(lo, hi, options.bins));
    let mut tally = Tally::new(HistogramBuilder::new(lo, hi, options.bins));
    let mut errors = HistogramBuilder::new(-half_width, half_width, options.error_bins);
    // The page's first build sees the sample only.
    let is_long = cfg!(feature = "full") && values.len() >= LONG;
    if is_long {
        errors = errors.for_errors();
    }
    // What is saturated stands for itself, so the reference depends on the scheme.
    let known_energy = known.energy.filter(|_| finite);
    let mut comparison = known_energy.map_or_else(Comparison::default, Comparison::with_reference);
    let mut scratch = Vec::new();
    let mut back = [0.0; CHUNK];
    for (i, chunk) in values.chunks(CHUNK).enumerate() {
        let back = &mut back[..chunk.len()];
        let counted = prepared.reconstruct_counted(values, i * CHUNK, back, &mut tally);
        if let Some(reference) = &mut reference {
            if finite { reference.add_finite(chunk) } else { reference.add(chunk) }
        }
        if !counted {
            if prepared.reads_finite() {
                tally.histogram.add_finite(back)
            } else {
                tally.histogram.add(back)
            }
            comparison.add_candidate(energy(back));
        }
        let chunk = if finite { chunk } else { saturated(chunk, back, &mut scratch) };
        if is_long {
            let sums = errors.add_and_sum_errors(chunk, back);
            comparison.add_summed_errors(chunk, back, &sums);
        } else {
            errors.add_errors(chunk, back);
            comparison.add_errors(chunk, back);
        }
    }
    let (quantized, counted_energy) = tally.finish();
    comparison.add_candidate(counted_energy);
    let byte_len = match prepared.encoded_len(values)? {
        Some(len) => len as u64,
        None => scheme.byte_len(shape)? as u64,
    };
    let counted = reference.map(HistogramBuilder::finish).or(drawn);
    let reference = counted.unwrap_or_else(|| Histogram::new(&[], lo, hi, options.bins));
    known.reference = Some(reference.clone());
    if finite {
        known.energy = Some(comparison.reference());
    }
    Ok(Evaluation {
        count: values.len() as u64,
        byte_len,
        bits_per_weight: bits_per_weight(byte_len, values.len() as u64),
        metrics: comparison.metrics(),
        reference,
        quantized: quantized.finish(),
        errors: errors.finish(),
        runs: prepared.runs(),
        levels: if run.is_some() { prepared.levels_at(values, options.at) } else { Vec::new() },
        run,
    })
}

/// The range that holds the finite weights and the levels of a run.
fn whole_range(values: &[f32], run: Option<&RunInfo>) -> (f32, f32) {
    let (mut lo, mut hi) = (f32::INFINITY, f32::NEG_INFINITY);
    let mut scratch = Vec::new();
    for chunk in values.chunks(CHUNK) {
        let e = extent(crate::stats::finite(chunk, &mut scratch));
        (lo, hi) = (lo.min(e.min), hi.max(e.max));
    }
    if let Some(run) = run {
        (lo, hi) = (lo.min(run.low), hi.max(run.high));
    }
    (lo.max(f32::MIN), hi.min(f32::MAX))
}

/// The weights with what is not finite replaced by what it became: it was saturated on purpose and is no error to measure.
fn saturated<'a>(chunk: &'a [f32], back: &[f32], scratch: &'a mut Vec<f32>) -> &'a [f32] {
    if extent(chunk).is_finite() {
        return chunk;
    }
    scratch.clear();
    scratch.extend(chunk.iter().zip(back).map(|(&x, &y)| if x.is_finite() { x } else { y }));
    scratch
}
