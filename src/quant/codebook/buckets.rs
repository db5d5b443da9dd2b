//! Many weights in narrow buckets: how many lie below a limit, and their sum, without sorting them all. Only buckets in which limits lie are
//! sorted, and in those the answers are exact.

use super::sorted::Sorted;
use crate::error::Result;
use crate::kernels::extent;
use crate::stats::CHUNK;
use crate::tensor::try_vec;

/// Fewer weights than this are sorted.
pub const MANY: usize = 1 << 18;

/// So many that their counts and sums stay in the second cache.
const BUCKETS: usize = 1 << 15;

/// 2²³: added to a number from 0 to below it, it leaves the nearest whole number in the low bits.
const MAGIC: f32 = 8_388_608.0;

/// Finite weights, counted and summed by equal buckets from the least to the greatest.
pub struct Buckets<'a> {
    x: &'a [f32],
    lo: f32,
    hi: f32,
    per_unit: f32,
    /// Weights in all buckets before each, and the sum of those.
    before: Vec<(u32, f64)>,
    /// For each bucket that was looked at the place of its weights in `inside`.
    starts: Vec<Option<u32>>,
    inside: Sorted,
}

impl<'a> Buckets<'a> {
    /// Counts the weights; `None` where f32 cannot tell the buckets.
    pub fn new(x: &'a [f32]) -> Result<Option<Buckets<'a>>> {
        let all = extent(x);
        let per_unit = (BUCKETS - 1) as f32 / (all.max - all.min);
        if !per_unit.is_normal() || !(all.max - all.min).is_normal() || u32::try_from(x.len()).is_err() {
            return Ok(None);
        }
        let mut buckets = Buckets {
            x,
            lo: all.min,
            hi: all.max,
            per_unit,
            before: try_vec((0, 0.0), BUCKETS + 1)?,
            starts: try_vec(None, BUCKETS)?,
            inside: Sorted::default(),
        };
        let (mut counts, mut sums) = (try_vec(0_u32, BUCKETS)?, try_vec(0.0_f64, BUCKETS)?);
        let mut places = [0; CHUNK];
        for x in x.chunks(CHUNK) {
            buckets.places(x, &mut places);
            for (&x, &place) in x.iter().zip(&places) {
                counts[usize::from(place) % BUCKETS] += 1;
                sums[usize::from(place) % BUCKETS] += f64::from(x);
            }
        }
        for i in 0..BUCKETS {
            let (n, sum) = buckets.before[i];
            buckets.before[i + 1] = (n + counts[i], sum + sums[i]);
        }
        Ok(Some(buckets))
    }

    /// The bucket of a value from `lo` to `hi`; it never falls while the value rises.
    #[inline(always)]
    fn place(&self, x: f32) -> u16 {
        ((x - self.lo) * self.per_unit + MAGIC).to_bits() as u16
    }

    fn places(&self, x: &[f32], out: &mut [u16; CHUNK]) {
        for (place, &x) in out.iter_mut().zip(x) {
            *place = self.place(x);
        }
    }

    /// The greatest f32 up to a limit, and its bucket; `None` of a limit below all weights.
    fn bucket_of(&self, limit: f64) -> Option<(f32, usize)> {
        let rounded = limit as f32;
        let limit = if f64::from(rounded) > limit { super::table::next_below(rounded) } else { rounded };
        (limit >= self.lo).then(|| (limit, usize::from(self.place(limit.min(self.hi))) % BUCKETS))
    }

    /// How many weights are at most `limit`, and their sum; as if the weights of a bucket were spread evenly over it.
    pub fn estimate(&self, limit: f64) -> (usize, f64) {
        let Some((_, bucket)) = self.bucket_of(limit) else { return (0, 0.0) };
        let ((n, sum), (n_to, sum_to)) = (self.before[bucket], self.before[bucket + 1]);
        if limit >= f64::from(self.hi) || n_to == n {
            return (n_to as usize, sum_to);
        }
        let width = 1.0 / f64::from(self.per_unit);
        let edge = f64::from(self.lo) + (bucket as f64 - 0.5) * width;
        let taken = (f64::from(n_to - n) * ((limit - edge) / width).clamp(0.0, 1.0)).floor();
        let share = taken / f64::from(n_to - n);
        // The mean of the lower part lies below that of all by half of what lacks.
        let mean = (sum_to - sum) / f64::from(n_to - n) - 0.5 * width * (1.0 - share);
        (n as usize + taken as usize, sum + taken * mean)
    }

    /// The same exactly; `None` in a bucket that [`Buckets::look_at`] did not look at.
    pub fn below(&self, limit: f64) -> Option<(usize, f64)> {
        let Some((limit, bucket)) = self.bucket_of(limit) else { return Some((0, 0.0)) };
        if limit >= self.hi {
            let (n, sum) = self.before[BUCKETS];
            return Some((n as usize, sum));
        }
        let (n, sum) = self.before[bucket];
        let start = self.starts[bucket]? as usize;
        let end = self.inside.count_to(f64::from(limit)).max(start);
        Some((n as usize + end - start, sum + self.inside.sum_to(end) - self.inside.sum_to(start)))
    }

    /// Sorts the weights in the buckets of these limits and beside them; false where these are so many that all could be sorted.
    pub fn look_at(&mut self, limits: impl Iterator<Item = f64>) -> Result<bool> {
        let mut wanted = try_vec(false, BUCKETS)?;
        for limit in limits {
            if let Some((_, bucket)) = self.bucket_of(limit) {
                wanted[bucket.saturating_sub(1)..(bucket + 2).min(BUCKETS)].fill(true);
            }
        }
        let mut total = 0;
        for (i, start) in self.starts.iter_mut().enumerate() {
            *start = wanted[i].then_some(total);
            total += if wanted[i] { self.before[i + 1].0 - self.before[i].0 } else { 0 };
        }
        if total as usize > self.x.len() / 8 {
            return Ok(false);
        }
        let mut found = try_vec(0.0, total as usize)?;
        let mut n = 0;
        let mut places = [0; CHUNK];
        for x in self.x.chunks(CHUNK) {
            self.places(x, &mut places);
            for (&x, &place) in x.iter().zip(&places) {
                // Without a branch: what is not wanted is written over.
                if let Some(out) = found.get_mut(n) {
                    *out = x;
                }
                n += usize::from(wanted[usize::from(place) % BUCKETS]);
            }
        }
        self.inside.fill(&found)?;
        Ok(true)
    }

    /// About the weight of this rank, counted from 0.
    pub fn at(&self, rank: usize) -> f64 {
        let rank = rank as u32;
        let after = self.before.partition_point(|&(n, _)| n <= rank).min(BUCKETS);
        let ((n, _), (n_to, _)) = (self.before[after.saturating_sub(1)], self.before[after]);
        let share = (f64::from(rank.saturating_sub(n)) + 0.5) / f64::from((n_to - n).max(1));
        let place = after.saturating_sub(1) as f64 - 0.5 + share.min(1.0);
        (f64::from(self.lo) + place / f64::from(self.per_unit)).clamp(f64::from(self.lo), f64::from(self.hi))
    }

    /// How many weights there are.
    pub fn count(&self) -> usize {
        self.x.len()
    }

    /// The least and the greatest weight.
    pub fn ends(&self) -> (f32, f32) {
        (self.lo, self.hi)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn weights() -> Vec<f32> {
        let mut state = 1_u32;
        let mut uniform = || {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            f64::from(state >> 8) / f64::from(1 << 24)
        };
        (0..MANY).map(|_| ((0..6).map(|_| uniform()).sum::<f64>() - 3.0) as f32).collect()
    }

    #[test]
    fn limits_are_answered_as_by_the_sorted_weights() {
        let x = weights();
        let mut sorted = Sorted::default();
        sorted.fill(&x).unwrap();
        let mut buckets = Buckets::new(&x).unwrap().unwrap();
        let limits = [-9.0, f64::from(buckets.lo), -1.0, -0.0, 1e-9, 0.7, f64::from(buckets.hi), 9.0];
        assert!(buckets.below(0.7).is_none());
        assert!(buckets.look_at(limits.into_iter()).unwrap());
        for limit in limits {
            let n = sorted.count_to(limit);
            let (found, sum) = buckets.below(limit).unwrap();
            assert_eq!(found, n, "{limit}");
            assert!((sum - sorted.sum_to(n)).abs() < 1e-6, "{limit}: {sum}");
            let (about, sum) = buckets.estimate(limit);
            assert!(about.abs_diff(n) < 30 && (sum - sorted.sum_to(n)).abs() < 50.0, "{limit}: {about} of {n}, {sum}");
        }
        for rank in [0, 100, MANY / 3, MANY - 1] {
            assert!((buckets.at(rank) - f64::from(sorted.values()[rank])).abs() < 0.01, "{rank}");
        }
    }

    #[test]
    fn what_lies_in_a_few_buckets_is_left_to_sorting() {
        let mut x = weights();
        x[5] = 1e9;
        assert!(!Buckets::new(&x).unwrap().unwrap().look_at([0.0].into_iter()).unwrap());
        assert!(Buckets::new(&vec![3.0; MANY]).unwrap().is_none());
        x[6] = f32::MAX;
        x[7] = f32::MIN;
        assert!(Buckets::new(&x).unwrap().is_none());
    }
}
