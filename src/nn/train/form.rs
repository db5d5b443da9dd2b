//! What the forward pass makes of a tensor's weights, and what a gradient becomes on its way back.

/// How often a scale and its codes are fitted to each other.
const FITS: usize = 4;
/// Shares of the largest weight that a fit starts from.
const STARTS: [f32; 4] = [0.4, 0.6, 0.8, 1.0];
const LLOYD_TURNS: usize = 40;

/// How a tensor's weights are kept.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Form {
    /// As they are.
    Float,
    /// Rounded, one scale for each output channel.
    Rounded { bits: u32 },
    /// Some are zero for good: `kept` says which are not.
    Pruned { kept: Vec<bool> },
    /// Weights of the same number have the same value; number 0 is zero for good.
    Shared { numbers: Vec<u16>, count: usize },
}

impl Form {
    /// Sets the smallest weights to zero: exactly `ratio` of them, to the next whole number down; of equals the first.
    pub(super) fn pruned(weights: &mut [f32], ratio: f64) -> Form {
        let gone = (ratio * weights.len() as f64) as usize;
        let mut order: Vec<usize> = (0..weights.len()).collect();
        order.sort_by(|&a, &b| weights[a].abs().total_cmp(&weights[b].abs()));
        let mut kept = vec![true; weights.len()];
        for &i in &order[..gone] {
            kept[i] = false;
            weights[i] = 0.0;
        }
        Form::Pruned { kept }
    }

    /// Gathers the weights that are not zero around 2^bits − 1 values (Lloyd, from values evenly over their range, as Deep Compression does): a
    /// code of so many bits tells of these and of zero.
    pub(super) fn shared(weights: &[f32], bits: u32) -> Form {
        let count = (1_u32 << bits) - 1;
        let mut values: Vec<f32> = weights.iter().copied().filter(|&w| w != 0.0).collect();
        values.sort_by(f32::total_cmp);
        let (low, high) = (values.first().copied().unwrap_or(0.0), values.last().copied().unwrap_or(0.0));
        let step = (f64::from(high) - f64::from(low)) / f64::from((count - 1).max(1));
        let mut centres: Vec<f64> = (0..count).map(|i| f64::from(low) + step * f64::from(i)).collect();
        for _ in 0..LLOYD_TURNS {
            let mut sums = vec![(0.0, 0_u32); centres.len()];
            for &v in &values {
                let sum = &mut sums[nearest(&centres, v)];
                *sum = (sum.0 + f64::from(v), sum.1 + 1);
            }
            let moved: Vec<f64> =
                centres.iter().zip(&sums).map(|(&c, &(sum, n))| if n > 0 { sum / f64::from(n) } else { c }).collect();
            if moved == centres {
                break;
            }
            centres = moved;
        }
        let number = |&w: &f32| if w == 0.0 { 0 } else { nearest(&centres, w) as u16 + 1 };
        Form::Shared { numbers: weights.iter().map(number).collect(), count: count as usize + 1 }
    }

    /// The weights of the forward pass. `channels`: outputs, for which scales are apart.
    pub(super) fn effective(&self, weights: &[f32], channels: usize) -> Vec<f32> {
        match self {
            // Pruned weights are zero and never move; shared ones are equal and move together once they have been made so.
            Form::Float | Form::Pruned { .. } => weights.to_vec(),
            Form::Rounded { bits } => {
                let rows = weights.chunks(weights.len() / channels);
                rows.flat_map(|row| rounded(row, *bits)).collect()
            }
            Form::Shared { numbers, count } => {
                let means = sums_of(numbers, *count, weights);
                numbers.iter().map(|&n| means[usize::from(n)].0 / means[usize::from(n)].1).map(|v| v as f32).collect()
            }
        }
    }

    /// A gradient of the effective weights as one of those behind them.
    pub(super) fn turn(&self, gradient: &mut [f32]) {
        match self {
            Form::Float | Form::Rounded { .. } => {}
            Form::Pruned { kept } => {
                for (g, _) in gradient.iter_mut().zip(kept).filter(|(_, kept)| !**kept) {
                    *g = 0.0;
                }
            }
            Form::Shared { numbers, count } => {
                let sums = sums_of(numbers, *count, gradient);
                for (g, &n) in gradient.iter_mut().zip(numbers) {
                    *g = if n == 0 { 0.0 } else { sums[usize::from(n)].0 as f32 };
                }
            }
        }
    }
}

/// The sum over each number, and how many there are (at least 1).
fn sums_of(numbers: &[u16], count: usize, values: &[f32]) -> Vec<(f64, f64)> {
    let mut sums = vec![(0.0, 0.0); count];
    for (&n, &v) in numbers.iter().zip(values) {
        let sum = &mut sums[usize::from(n)];
        *sum = (sum.0 + f64::from(v), sum.1 + 1.0);
    }
    sums.iter().map(|&(sum, n)| (sum, f64::max(n, 1.0))).collect()
}

/// The nearest of values in rising order; of two the lower.
fn nearest(centres: &[f64], value: f32) -> usize {
    let value = f64::from(value);
    let after = centres.partition_point(|&c| c < value).min(centres.len() - 1);
    if after > 0 && value - centres[after - 1] <= centres[after] - value { after - 1 } else { after }
}

fn rounded(row: &[f32], bits: u32) -> impl Iterator<Item = f32> {
    let most = ((1 << (bits - 1)) - 1) as f32;
    let scale = fit(row, bits);
    row.iter().map(move |&w| if scale > 0.0 { (w / scale).round_ties_even().clamp(-most, most) * scale } else { 0.0 })
}

/// The scale of codes −(2^(bits−1)−1) … 2^(bits−1)−1 for some weights: of several starts, each fitted to its codes by least squares a few times,
/// the one that leaves the least squared error. 0 for zeros.
#[must_use]
pub fn fit(row: &[f32], bits: u32) -> f32 {
    let most = ((1 << (bits - 1)) - 1) as f32;
    let largest = row.iter().fold(0.0_f32, |m, w| m.max(w.abs()));
    let mut best = (f64::INFINITY, 0.0);
    for start in STARTS {
        let mut scale = largest * start / most;
        for _ in 0..FITS {
            if !scale.is_normal() {
                break;
            }
            // With q the codes, Σ(w − s·q)² is least at s = Σwq / Σq², and is Σw² − (Σwq)² / Σq² there.
            let (mut cross, mut square) = (0.0_f32, 0.0_f32);
            for &w in row {
                let q = (w / scale).round_ties_even().clamp(-most, most);
                cross += w * q;
                square += q * q;
            }
            if square == 0.0 {
                break;
            }
            let gained = f64::from(cross) * f64::from(cross) / f64::from(square);
            scale = cross / square;
            if -gained < best.0 {
                best = (-gained, scale);
            }
        }
    }
    best.1
}
