//! Which weights of a mixed tensor become zero and which stay float.

use crate::error::Result;
use crate::tensor::try_vec;

/// Thresholds on magnitudes; ties are cut by element index, so each share is met exactly.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Split {
    /// Kept as float: magnitudes above `keep.0`, and those equal to it before index `keep.1`.
    keep: (u32, usize),
    /// Set to zero: magnitudes below `zero.0`, and those equal to it from index `zero.1` on.
    zero: (u32, usize),
    /// Number of weights kept as float.
    pub kept: usize,
}

/// Bits whose order is the order of magnitudes. What is not finite is never kept: NaN counts as nothing, ∞ as more than all.
fn magnitude(x: f32) -> u32 {
    if x.is_nan() { 0 } else { x.to_bits() & 0x7FFF_FFFF }
}

const INFINITE: u32 = 0x7F80_0000;

/// Weights kept as float by a share: `⌊ratio·count⌋`.
pub(super) fn kept_count(float_ratio: f64, count: usize) -> usize {
    (float_ratio * count as f64).floor() as usize
}

impl Split {
    pub fn new(x: &[f32], zero_ratio: f64, float_ratio: f64) -> Result<Split> {
        let kept = kept_count(float_ratio, x.len());
        let zeroed = kept_count(zero_ratio, x.len()).min(x.len() - kept);
        let mut keys = try_vec(0_u32, x.len())?;
        for (key, &x) in keys.iter_mut().zip(x) {
            *key = magnitude(x);
        }
        // Infinities are never kept: they count as no candidates, but the number of places stays.
        let infinite = keys.iter().filter(|&&k| k == INFINITE).count();
        let mut split = Split { keep: (u32::MAX, 0), zero: (0, usize::MAX), kept };
        if kept > 0 {
            let last = (x.len() - infinite).saturating_sub(kept);
            let (_, &mut threshold, above) = keys.select_nth_unstable(last.min(x.len() - 1));
            let above = above.iter().filter(|&&k| k > threshold && k != INFINITE).count();
            let ties = x.iter().enumerate().filter(|&(_, &x)| magnitude(x) == threshold);
            let limit = ties.map(|(i, _)| i).nth(kept - 1 - above.min(kept - 1)).map_or(x.len(), |i| i + 1);
            split.keep = (threshold, limit);
        }
        if zeroed > 0 {
            let (below, &mut threshold, _) = keys.select_nth_unstable(zeroed - 1);
            let below = below.iter().filter(|&&k| k < threshold).count();
            let ties = x.iter().enumerate().rev().filter(|&(_, &x)| magnitude(x) == threshold);
            split.zero = (threshold, ties.map(|(i, _)| i).nth(zeroed - 1 - below).unwrap_or(0));
        }
        Ok(split)
    }

    pub fn keeps(&self, x: f32, index: usize) -> bool {
        let key = magnitude(x);
        x.is_finite() && (key > self.keep.0 || (key == self.keep.0 && index < self.keep.1))
    }

    pub fn zeroes(&self, x: f32, index: usize) -> bool {
        let key = magnitude(x);
        key < self.zero.0 || (key == self.zero.0 && index >= self.zero.1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shares(x: &[f32], zero: f64, float: f64) -> (Vec<usize>, Vec<usize>) {
        let split = Split::new(x, zero, float).unwrap();
        let pick = |f: &dyn Fn(f32, usize) -> bool| (0..x.len()).filter(|&i| f(x[i], i)).collect::<Vec<_>>();
        (pick(&|x, i| split.zeroes(x, i)), pick(&|x, i| split.keeps(x, i)))
    }

    #[test]
    fn the_smallest_become_zero_and_the_largest_stay() {
        assert_eq!(shares(&[0.5, -3.0, 0.1, 2.0, -0.2], 0.4, 0.2), (vec![2, 4], vec![1]));
        assert_eq!(shares(&[0.5, -3.0], 0.0, 0.0), (vec![], vec![]));
    }

    #[test]
    fn ties_are_cut_so_that_each_share_is_exact_and_they_do_not_meet() {
        let x = [1.0; 10];
        assert_eq!(shares(&x, 0.5, 0.3), (vec![5, 6, 7, 8, 9], vec![0, 1, 2]));
        assert_eq!(shares(&x, 1.0, 0.3), (vec![3, 4, 5, 6, 7, 8, 9], vec![0, 1, 2]));
        assert_eq!(shares(&x, 1.0, 1.0), (vec![], (0..10).collect()));
    }
}
