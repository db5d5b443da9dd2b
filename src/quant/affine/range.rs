//! From the weights of a run to the ends of its levels, and from the ends to a grid.

use super::options::{Affine, RangeRule};
use crate::kernels::{self, Grid};
use crate::stats::{CHUNK, Histogram, HistogramBuilder, quantiles};

/// Runs longer than this are searched on a histogram of [`SEARCH_BINS`] bins, each standing for its middle.
const SEARCH_EXACT: usize = 1 << 16;
const SEARCH_BINS: usize = 1 << 13;

/// The grid of one run. `x` are its weights, all finite; `pooled_share` is what [`pooled_entropy_share`] found, if it was asked.
pub(super) fn grid_of_run(x: &[f32], affine: &Affine, pooled_share: Option<f64>) -> Grid {
    let extent = kernels::extent(x);
    let (lo, hi) = if x.is_empty() { (0.0, 0.0) } else { (extent.min, extent.max) };
    let full_symmetric = affine.symmetric && !affine.narrow_range;
    match affine.range {
        RangeRule::MinMax if full_symmetric => full_grid(first_extreme(x, extent.abs_max), affine),
        RangeRule::MinMax => grid(lo, hi, affine),
        RangeRule::Manual { lo, hi } => grid(lo, hi, affine),
        RangeRule::Percentile(percent) => {
            let (lo, hi) = percentile_range(x, percent, affine.symmetric);
            grid(lo, hi, affine)
        }
        RangeRule::LeastSquares => {
            let share = least_squares_shrink(x, lo, hi, affine) as f32;
            if full_symmetric {
                full_grid(first_extreme(x, extent.abs_max) * share, affine)
            } else {
                grid(lo * share, hi * share, affine)
            }
        }
        RangeRule::Entropy => {
            let clip = match pooled_share {
                Some(share) => (f64::from(extent.abs_max) * share) as f32,
                None => entropy_threshold(x, extent.abs_max, affine.bits),
            };
            grid(lo.max(-clip), hi.min(clip), affine)
        }
    }
}

/// The first weight, in memory order, with the largest magnitude.
fn first_extreme(x: &[f32], abs_max: f32) -> f32 {
    x.iter().copied().find(|x| x.abs() == abs_max).unwrap_or(0.0)
}

/// The grid for a range; see the module's definition. A symmetric full grid of a range puts its end of larger magnitude (the
/// negative one when equal) on the lowest code.
pub(super) fn grid(lo: f32, hi: f32, affine: &Affine) -> Grid {
    let (q_min, q_max) = affine.limits();
    if affine.symmetric {
        if !affine.narrow_range {
            return full_grid(if hi.abs() > lo.abs() { hi } else { lo }, affine);
        }
        return normal(lo.abs().max(hi.abs()) / f32::from(q_max), 0, (q_min, q_max));
    }
    let (lo, hi) = (f64::from(lo.min(0.0)), f64::from(hi.max(0.0)));
    let scale = (hi - lo) / (f64::from(q_max) - f64::from(q_min));
    let (low, high) = (f64::from(q_min), f64::from(q_max));
    let place = (low - lo / scale).round_ties_even();
    // Not `clamp`: its panic prints floats, which is 6 KB of the gzipped module.
    let zero_point = if place < low { low } else { place.min(high) };
    normal(scale as f32, zero_point as i8, (q_min, q_max))
}

fn full_grid(extreme: f32, affine: &Affine) -> Grid {
    let (q_min, q_max) = affine.limits();
    normal(extreme / f32::from(q_min), 0, (q_min, q_max))
}

/// A scale below the least normal f32 becomes 1 with zero point 0.
fn normal(scale: f32, zero_point: i8, (q_min, q_max): (i8, i8)) -> Grid {
    if scale.abs() < f32::MIN_POSITIVE || scale.is_nan() {
        return Grid { scale: 1.0, zero_point: 0, q_min, q_max };
    }
    Grid { scale: scale.clamp(f32::MIN, f32::MAX), zero_point, q_min, q_max }
}

fn percentile_range(x: &[f32], percent: f64, symmetric: bool) -> (f32, f32) {
    let inside = percent / 100.0;
    if symmetric {
        let magnitudes: Vec<f32> = x.iter().map(|x| x.abs()).collect();
        let end = quantiles(&magnitudes, &[inside]).map_or(0.0, |q| q[0] as f32);
        return (-end, end);
    }
    let tail = (1.0 - inside) / 2.0;
    quantiles(x, &[tail, 1.0 - tail]).map_or((0.0, 0.0), |q| (q[0] as f32, q[1] as f32))
}

/// The share `r` of the range `[lo, hi]` whose grid `[r·lo, r·hi]` has a small squared error on `x`: a search over shares as in GPTQ's.
///
/// First `r = 2^(−k/4)` for k = 0, 1, … 24, until four in a row are no better than the best so far; then the best times `2^(±1/12)` and
/// `2^(±1/6)`, where that is at most 1. The larger share wins ties. Errors are those of half-even rounding whatever the scheme rounds.
/// Runs of more than 2¹⁶ weights are searched on a histogram of 2¹³ bins over the range, each bin standing for its middle.
#[must_use]
pub fn least_squares_shrink(x: &[f32], lo: f32, hi: f32, affine: &Affine) -> f64 {
    let sampled = (x.len() > SEARCH_EXACT && lo < hi).then(|| Histogram::new(x, lo, hi, SEARCH_BINS));
    let extreme = first_extreme(x, lo.abs().max(hi.abs()));
    let error = |share: f64| {
        let r = share as f32;
        let grid = if affine.symmetric && !affine.narrow_range {
            full_grid(extreme * r, affine)
        } else {
            grid(lo * r, hi * r, affine)
        };
        match &sampled {
            None => kernels::grid_error(x, grid),
            Some(histogram) => histogram_error(histogram, grid),
        }
    };
    let mut best = (1.0, error(1.0));
    let mut without_gain = 0;
    for k in 1..=24 {
        let share = (-f64::from(k) / 4.0).exp2();
        let e = error(share);
        if e < best.1 {
            best = (share, e);
            without_gain = 0;
        } else {
            without_gain += 1;
            if without_gain == 4 {
                break;
            }
        }
    }
    let coarse = best.0;
    for sixths in [1.0, 0.5, -0.5, -1.0] {
        let share = coarse * f64::exp2(sixths / 6.0);
        if share < 1.0 {
            let e = error(share);
            if e < best.1 {
                best = (share, e);
            }
        }
    }
    best.0
}

fn histogram_error(h: &Histogram, grid: Grid) -> f64 {
    let width = (f64::from(h.hi) - f64::from(h.lo)) / h.counts.len() as f64;
    let middles: Vec<f32> = (0..h.counts.len()).map(|i| (f64::from(h.lo) + (i as f64 + 0.5) * width) as f32).collect();
    let mut back = vec![0.0; middles.len()];
    kernels::reconstruct(&middles, 0, grid, kernels::Rounding::TiesEven, &mut back);
    let errors = middles.iter().zip(&back).map(|(x, y)| (f64::from(*x) - f64::from(*y)).powi(2));
    errors.zip(&h.counts).map(|(e2, &n)| e2 * n as f64).sum()
}

/// Runs shorter than this are pooled by [`pooled_entropy_share`].
pub(super) const ENTROPY_POOLED_BELOW: usize = 1 << 14;

/// The clip of magnitudes that loses the least information, as a share of the greatest: entropy calibration after Migacz
/// (TensorRT, 2017).
///
/// `counts` are the magnitudes over `[0, greatest]` in [`entropy_bins`] bins; `H = 2^(bits−1)` is the number of half-levels. For up to 128
/// evenly spaced lengths `i` from `H` to all bins: `P` is the first `i` bins with everything beyond added to the last; `Q` is the first `i`
/// bins without it, merged to `H` groups (bin `j` to group `⌊j·H/i⌋`), each group's mass shared equally by its bins that are not
/// empty. Both are normalized, `q` is at least 1e-6, and `Σ p·ln(p/q)` is taken. The longest of the best wins.
#[must_use]
pub fn entropy_share(counts: &[f64], bits: u32) -> f64 {
    let half_levels = 1_usize << (bits - 1);
    let bins = counts.len();
    let step = bins.saturating_sub(half_levels).div_ceil(127).max(1);
    let mut best = (bins, f64::INFINITY);
    let mut length = bins;
    while length >= half_levels {
        let divergence = divergence(counts, length, half_levels);
        if divergence < best.1 {
            best = (length, divergence);
        }
        match length.checked_sub(step) {
            Some(next) => length = next,
            None => break,
        }
    }
    best.0 as f64 / bins as f64
}

/// Bins of the magnitudes that [`entropy_share`] looks at: 16 per half-level, 2048 at most.
#[must_use]
pub fn entropy_bins(bits: u32) -> usize {
    (16 << (bits - 1)).min(2048)
}

/// The clip of one run of weights; see [`entropy_share`].
fn entropy_threshold(x: &[f32], abs_max: f32, bits: u32) -> f32 {
    if x.is_empty() || abs_max == 0.0 {
        return abs_max;
    }
    let mut builder = HistogramBuilder::new(0.0, abs_max, entropy_bins(bits));
    add_magnitudes(&mut builder, x, 1.0);
    (f64::from(abs_max) * entropy_share(&counts(builder), bits)) as f32
}

/// One share for all of a tensor's runs, where each is too short to tell much by itself: every magnitude counts as a share of its
/// run's greatest.
pub(super) fn pooled_entropy_share(bits: u32, each_run: impl FnOnce(&mut dyn FnMut(&[f32]))) -> f64 {
    let mut builder = HistogramBuilder::new(0.0, 1.0, entropy_bins(bits));
    let mut any = false;
    each_run(&mut |x| {
        let abs_max = kernels::extent(x).abs_max;
        if abs_max > 0.0 {
            any = true;
            add_magnitudes(&mut builder, x, abs_max);
        }
    });
    if any { entropy_share(&counts(builder), bits) } else { 1.0 }
}

fn add_magnitudes(builder: &mut HistogramBuilder, x: &[f32], unit: f32) {
    let mut magnitudes = [0.0; CHUNK];
    for chunk in x.chunks(CHUNK) {
        let magnitudes = &mut magnitudes[..chunk.len()];
        magnitudes.iter_mut().zip(chunk).for_each(|(m, x)| *m = x.abs() / unit);
        builder.add(magnitudes);
    }
}

fn counts(builder: HistogramBuilder) -> Vec<f64> {
    builder.finish().counts.iter().map(|&n| n as f64).collect()
}

/// `KL(P‖Q)` of [`entropy_share`] for one length.
fn divergence(counts: &[f64], length: usize, half_levels: usize) -> f64 {
    let inside = &counts[..length];
    let beyond: f64 = counts[length..].iter().sum();
    let p_total = inside.iter().sum::<f64>() + beyond;
    let q_total: f64 = inside.iter().sum();
    if p_total == 0.0 || q_total == 0.0 {
        return f64::INFINITY;
    }
    let mut sum = 0.0;
    let mut start = 0;
    for group in 0..half_levels {
        // The first bin of the next group: the least j with j·H/i ≥ group + 1.
        let end = ((group + 1) * length).div_ceil(half_levels);
        let mass: f64 = inside[start..end].iter().sum();
        let filled = inside[start..end].iter().filter(|&&n| n > 0.0).count() as f64;
        for (j, &n) in inside[start..end].iter().enumerate() {
            let n_with_rest = if start + j + 1 == length { n + beyond } else { n };
            if n_with_rest > 0.0 {
                let p = n_with_rest / p_total;
                let q = if n > 0.0 { mass / filled / q_total } else { 0.0 };
                sum += p * (p / q.max(1e-6)).ln();
            }
        }
        start = end;
    }
    sum
}
