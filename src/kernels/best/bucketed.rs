//! Scales for the levels of a table, tried on weights that were counted in buckets: a try looks up fifteen sums, where rounding every weight
//! would compare each with every cut.

use super::Range;

/// Equal parts of −1 … 1. A cut moves to the nearest edge of one, which costs little: weights beside a cut are as far from either level.
const BUCKETS: usize = 256;

/// The tries for a table of levels.
pub struct Ladder {
    /// What the sums Σq² and Σqx lose for each weight below a cut.
    losses: [[f64; 2]; 15],
    /// The greatest level and its square.
    greatest: [f64; 2],
    /// For each try the bucket from which on weights lie above each cut.
    tries: Vec<[u16; 15]>,
}

impl Ladder {
    /// Scales `unit / k` for all `k` of a range; levels ascend from −1 to 1.
    #[must_use]
    pub fn new(levels: &[f32; 16], range: Range) -> Ladder {
        let levels = levels.map(f64::from);
        let tries = (0..8 * range.passes).map(|i| {
            let k = f64::from(range.from + range.step * i as f32);
            std::array::from_fn(|c| {
                let cut = 0.5 * (levels[c] + levels[c + 1]) / k;
                ((cut + 1.0) * (0.5 * BUCKETS as f64)).round().clamp(0.0, BUCKETS as f64) as u16
            })
        });
        Ladder {
            losses: std::array::from_fn(|c| {
                let (low, high) = (levels[c], levels[c + 1]);
                [high * high - low * low, high - low]
            }),
            greatest: [levels[15] * levels[15], levels[15]],
            tries: tries.collect(),
        }
    }

    /// The scale of least error for weights as multiples of the levels, refitted to the weights of each; `None` where there is none.
    #[must_use]
    pub fn fit(&self, x: &[f32], weights: &[f32], unit: f32) -> Option<f32> {
        // Of all before a bucket: weights, and weights times x, in units.
        let mut before = [[0.0_f64; 2]; BUCKETS + 1];
        let inverse = 1.0 / unit;
        for (x, w) in x.iter().zip(weights) {
            let t = x * inverse;
            let bucket = ((t + 1.0) * (0.5 * BUCKETS as f32)).clamp(0.0, (BUCKETS - 1) as f32) as usize;
            let place = &mut before[bucket.min(BUCKETS - 1) + 1];
            place[0] += f64::from(*w);
            place[1] += f64::from(w * t);
        }
        let mut sums = [0.0; 2];
        for place in &mut before {
            sums = [sums[0] + place[0], sums[1] + place[1]];
            *place = sums;
        }
        let whole = [self.greatest[0] * sums[0], self.greatest[1] * sums[1]];
        let mut best = (0.0, 0.0);
        for cuts in &self.tries {
            let mut left = whole;
            for (loss, &cut) in self.losses.iter().zip(cuts) {
                let below = before[usize::from(cut).min(BUCKETS)];
                left = [left[0] - loss[0] * below[0], left[1] - loss[1] * below[1]];
            }
            // The error is Σx² less this, with the scale Σqx/Σq².
            let [qq, qx] = left;
            let gain = qx * qx / qq;
            if qx > 0.0 && gain > best.1 {
                best = (qx / qq, gain);
            }
        }
        (best.1 > 0.0).then_some((best.0 * f64::from(unit)) as f32)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernels::best::{Rule, Weighting, error, fill_weights, fit};

    #[test]
    fn counted_weights_lead_to_a_scale_as_good_as_rounded_ones() {
        let levels: [f32; 16] = std::array::from_fn(|i| ((i as f32 - 7.5) / 7.5).powi(3));
        let rule = Rule::table(levels);
        let range = Range::new(0.65, 1.2, 3);
        let ladder = Ladder::new(&levels, range);
        for n in [1, 2, 5, 64, 256, 4096] {
            for weighting in [Weighting::None, Weighting::Squares] {
                let (mut ours, mut theirs) = (0.0, 0.0);
                for seed in 0..40_u32 {
                    let x: Vec<f32> = (1..=n)
                        .map(|i: u32| (i.wrapping_add(seed << 16).wrapping_mul(2_654_435_761) as i32) as f32 * 1e-9)
                        .map(|x| x * x * x.abs())
                        .collect();
                    let unit = x.iter().fold(0.0, |m, x| f32::max(m, x.abs()));
                    let mut weights = vec![0.0; x.len()];
                    fill_weights(&x, weighting, &mut weights);
                    let of = |scale: f32| {
                        let back: Vec<f32> = x.iter().map(|x| rule.level(x / scale) * scale).collect();
                        error(&x, &weights, &back)
                    };
                    ours += of(ladder.fit(&x, &weights, unit).unwrap());
                    theirs += of(fit(&x, &weights, &rule, unit, range).0);
                }
                assert!(ours <= theirs * 1.003 + 1e-9, "{n} {weighting:?}: {ours} and {theirs}");
            }
        }
    }

    #[test]
    fn weights_of_nothing_have_no_scale() {
        let levels: [f32; 16] = std::array::from_fn(|i| (i as f32 - 7.5) / 7.5);
        let ladder = Ladder::new(&levels, Range::new(0.65, 1.2, 3));
        assert_eq!(ladder.fit(&[], &[], 1.0), None);
        for odd in [0.0, f32::NAN, f32::INFINITY, f32::MIN_POSITIVE] {
            let _ = ladder.fit(&[odd; 64], &[1.0; 64], odd);
        }
    }
}
