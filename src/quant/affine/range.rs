//! From the weights of a run to the ends of its levels, and from the ends to a grid.

use super::options::{Affine, RangeRule};
use crate::kernels::{self, Grid};
use crate::stats::{CHUNK, Histogram, quantiles};

/// Runs longer than this are searched on a histogram of [`SEARCH_BINS`] bins, each standing for its middle.
const SEARCH_EXACT: usize = 1 << 16;
const SEARCH_BINS: usize = 1 << 13;

/// The grid of one run. `x` are its weights, all finite.
pub(super) fn grid_of_run(x: &[f32], affine: &Affine) -> Grid {
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
            let clip = entropy_threshold(x, extent.abs_max, affine.bits);
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
    let zero_point = (f64::from(q_min) - lo / scale).round_ties_even().clamp(f64::from(q_min), f64::from(q_max));
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

/// The share `r` of the range `[lo, hi]` whose grid `[r·lo, r·hi]` has the least squared error on `x`, as in GPTQ's search.
///
/// First r = 1, 0.92, …, 0.28, then ±0.02, ±0.04, ±0.06 around the best of these (at most 1). The larger share wins ties. Rounding is
/// half to even whatever the scheme rounds. Runs of more than 2¹⁶ weights are searched on a histogram of 2¹³ bins.
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
    let consider = |share: f64, best: &mut (f64, f64)| {
        let e = error(share);
        if e < best.1 {
            *best = (share, e);
        }
    };
    for k in 1..10 {
        consider(1.0 - 0.08 * f64::from(k), &mut best);
    }
    let coarse = best.0;
    for offset in [0.06, 0.04, 0.02, -0.02, -0.04, -0.06] {
        if coarse + offset < 1.0 {
            consider(coarse + offset, &mut best);
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

/// The clip of magnitudes that loses the least information: entropy calibration after Migacz (TensorRT, 2017).
///
/// With `H = 2^(bits−1)` half-levels, the magnitudes of `x` are counted in `B = min(2048, 16·H)` bins over `[0, abs_max]` (but not in
/// fewer than 4·H). For up to 128 evenly spaced lengths `i` from `H` to `B`: `P` is the first `i` bins with everything beyond added to the
/// last; `Q` is the first `i` bins without it, merged to `H` groups (bin `j` to group `⌊j·H/i⌋`), each group's mass shared equally by its
/// bins that are not empty. Both are normalized, `q` is at least 1e-6, and `Σ p·ln(p/q)` is taken. The longest of the best wins;
/// the clip is `i/B · abs_max`.
#[must_use]
pub fn entropy_threshold(x: &[f32], abs_max: f32, bits: u32) -> f32 {
    let half_levels = 1_usize << (bits - 1);
    let bins = (16 * half_levels).min(2048).max(4 * half_levels);
    if x.is_empty() || abs_max == 0.0 {
        return abs_max;
    }
    let counts = magnitude_counts(x, abs_max, bins);
    let step = (bins - half_levels).div_ceil(127).max(1);
    let mut best = (bins, f64::INFINITY);
    let mut length = bins;
    while length >= half_levels {
        let divergence = divergence(&counts, length, half_levels);
        if divergence < best.1 {
            best = (length, divergence);
        }
        length = match length.checked_sub(step) {
            Some(next) => next,
            None => break,
        };
    }
    (f64::from(abs_max) * best.0 as f64 / bins as f64) as f32
}

fn magnitude_counts(x: &[f32], abs_max: f32, bins: usize) -> Vec<f64> {
    let mut builder = crate::stats::HistogramBuilder::new(0.0, abs_max, bins);
    let mut magnitudes = Vec::with_capacity(CHUNK);
    for chunk in x.chunks(CHUNK) {
        magnitudes.clear();
        magnitudes.extend(chunk.iter().map(|x| x.abs()));
        builder.add(&magnitudes);
    }
    builder.finish().counts.iter().map(|&n| n as f64).collect()
}

/// `KL(P‖Q)` of [`entropy_threshold`] for one length.
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
