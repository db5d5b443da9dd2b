//! Which weights of a mixed tensor become zero and which stay float.
//!
//! Both thresholds are order statistics of the magnitudes, found by counting: a first pass counts the upper bits of every magnitude, a
//! second the lower bits of those that share their upper bits with a threshold. Nothing is sorted and nothing copied.

use crate::error::Result;
use crate::tensor::try_vec;

/// Thresholds on magnitudes; ties are cut by element index, so each share is met exactly.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in super::super) struct Split {
    /// Kept as float: magnitudes above `keep.0`, and those equal to it before index `keep.1`.
    keep: (u32, usize),
    /// Set to zero: magnitudes below `zero.0`, and those equal to it from index `zero.1` on.
    zero: (u32, usize),
    /// Number of weights kept as float.
    pub kept: usize,
}

/// Bits whose order is the order of magnitudes. What is not finite is never kept: NaN counts as nothing, ∞ as more than all.
#[inline(always)]
fn magnitude(x: f32) -> u32 {
    let bits = x.to_bits() & 0x7FFF_FFFF;
    if bits > INFINITE { 0 } else { bits }
}

const INFINITE: u32 = 0x7F80_0000;

/// Lower bits of a magnitude, counted by the second pass.
const LOW_BITS: u32 = 16;

/// Weights that are searched as one: few enough to be in registers and cache, enough to be compared as vectors.
const BLOCK: usize = 64;

/// Weights kept as float by a share: `⌊ratio·count⌋`.
pub(super) fn kept_count(float_ratio: f64, count: usize) -> usize {
    (float_ratio * count as f64).floor() as usize
}

/// One order statistic of the magnitudes.
struct Place {
    /// Its bits.
    magnitude: u32,
    /// Magnitudes below it.
    below: usize,
    /// Magnitudes equal to it, itself among them.
    equal: usize,
}

impl Split {
    pub fn new(x: &[f32], zero_ratio: f64, float_ratio: f64) -> Result<Split> {
        let kept = kept_count(float_ratio, x.len());
        let zeroed = kept_count(zero_ratio, x.len()).min(x.len() - kept);
        let mut split = Split { keep: (u32::MAX, 0), zero: (0, usize::MAX), kept };
        if kept == 0 && zeroed == 0 {
            return Ok(split);
        }
        let high = high_counts(x)?;
        // Infinities are never kept: they count as no candidates, but the number of places stays.
        let infinite = high[(INFINITE >> LOW_BITS) as usize] as usize;
        let last = (x.len() - infinite).saturating_sub(kept).min(x.len() - 1);
        let [keep, zero] = places(x, &high, [last, zeroed.saturating_sub(1)])?;
        if kept > 0 {
            let above = (x.len() - infinite).saturating_sub(keep.below + keep.equal);
            let limit = nth_equal(x, keep.magnitude, kept - 1 - above.min(kept - 1)).map_or(x.len(), |i| i + 1);
            split.keep = (keep.magnitude, limit);
        }
        if zeroed > 0 {
            // Of the equal ones the last become zero.
            let first = zero.below + zero.equal - zeroed;
            split.zero = (zero.magnitude, nth_equal(x, zero.magnitude, first).unwrap_or(0));
        }
        Ok(split)
    }

    #[inline(always)]
    pub fn keeps(&self, x: f32, index: usize) -> bool {
        self.cut(index).keeps(x)
    }

    #[inline(always)]
    pub fn zeroes(&self, x: f32, index: usize) -> bool {
        self.cut(index).zeroes(x)
    }

    /// The limits for the element of this index.
    #[inline(always)]
    fn cut(&self, index: usize) -> Cut {
        Cut {
            zero_below: self.zero.0 + u32::from(index >= self.zero.1),
            keep_from: self.keep.0.saturating_add(u32::from(index >= self.keep.1)),
        }
    }

    /// Calls `f(from, to, cut)` for the stretches of `start..end` in which one cut holds: at most three, so that loops over weights
    /// need not look at the index.
    pub fn for_each_stretch(&self, start: usize, end: usize, mut f: impl FnMut(usize, usize, Cut)) {
        let (a, b) = (self.keep.1.clamp(start, end), self.zero.1.clamp(start, end));
        for (from, to) in [(start, a.min(b)), (a.min(b), a.max(b)), (a.max(b), end)] {
            if from < to {
                f(from, to, self.cut(from));
            }
        }
    }
}

/// Limits on magnitudes that hold wherever ties are cut the same way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in super::super) struct Cut {
    zero_below: u32,
    keep_from: u32,
}

impl Cut {
    #[inline(always)]
    pub fn keeps(self, x: f32) -> bool {
        let bits = x.to_bits() & 0x7FFF_FFFF;
        (bits >= self.keep_from) & (bits < INFINITE)
    }

    #[inline(always)]
    pub fn zeroes(self, x: f32) -> bool {
        magnitude(x) < self.zero_below
    }
}

/// How many weights have each value of the upper bits of their magnitude. Infinities have a place of their own, since NaN counts as 0.
fn high_counts(x: &[f32]) -> Result<Vec<u32>> {
    let mut counts = try_vec(0_u32, (INFINITE >> LOW_BITS) as usize + 1)?;
    for &x in x {
        counts[(magnitude(x) >> LOW_BITS) as usize] += 1;
    }
    Ok(counts)
}

/// The magnitudes that so many others precede in ascending order; each rank is below `x.len()`.
fn places<const N: usize>(x: &[f32], high: &[u32], ranks: [usize; N]) -> Result<[Place; N]> {
    let buckets = ranks.map(|rank| find(high, rank));
    let mut low = try_vec(0_u32, N << LOW_BITS)?;
    for block in x.chunks(BLOCK) {
        let is_in = |x: &f32| buckets.iter().any(|&(bucket, _)| magnitude(*x) >> LOW_BITS == bucket as u32);
        // A sum, because it runs as vectors where a search would stop at each weight.
        if block.iter().map(|x| u32::from(is_in(x))).sum::<u32>() > 0 {
            for &x in block {
                for (&(bucket, _), low) in buckets.iter().zip(low.chunks_exact_mut(1 << LOW_BITS)) {
                    if magnitude(x) >> LOW_BITS == bucket as u32 {
                        low[(magnitude(x) & 0xFFFF) as usize] += 1;
                    }
                }
            }
        }
    }
    Ok(std::array::from_fn(|i| {
        let ((bucket, before), low) = (buckets[i], &low[i << LOW_BITS..(i + 1) << LOW_BITS]);
        let (rest, below) = find(low, ranks[i] - before);
        Place { magnitude: (bucket << LOW_BITS | rest) as u32, below: before + below, equal: low[rest] as usize }
    }))
}

/// The place of the table in which the item of this rank is counted, and how many items come before that place.
fn find(counts: &[u32], rank: usize) -> (usize, usize) {
    let mut before = 0;
    for (place, &n) in counts.iter().enumerate() {
        if rank < before + n as usize {
            return (place, before);
        }
        before += n as usize;
    }
    unreachable!("every weight is counted")
}

/// The index of the `n`-th weight, from 0, of this magnitude.
fn nth_equal(x: &[f32], of: u32, mut n: usize) -> Option<usize> {
    for (i, block) in x.chunks(BLOCK).enumerate() {
        let equal = block.iter().map(|&x| u32::from(magnitude(x) == of)).sum::<u32>() as usize;
        if n < equal {
            let mut places = (0..block.len()).filter(|&at| magnitude(block[at]) == of);
            return places.nth(n).map(|at| i * BLOCK + at);
        }
        n -= equal;
    }
    None
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
    /// The definition: by magnitude and, among equals, by index, the first `zeroed` of all are zeroed and the last `kept` finite ones kept.
    fn by_sorting(x: &[f32], zero: f64, float: f64) -> (Vec<usize>, Vec<usize>) {
        let kept = kept_count(float, x.len());
        let zeroed = kept_count(zero, x.len()).min(x.len() - kept);
        let mut order: Vec<usize> = (0..x.len()).collect();
        // Of equals the later ones become zero and the earlier ones stay.
        order.sort_by_key(|&i| (magnitude(x[i]), std::cmp::Reverse(i)));
        let mut zeroes: Vec<usize> = order.iter().copied().take(zeroed).collect();
        // NaN has the magnitude 0 but is never kept; its place is not given to another.
        let candidates = order.iter().rev().copied().filter(|&i| !x[i].is_infinite()).take(kept);
        let mut keeps: Vec<usize> = candidates.filter(|&i| x[i].is_finite()).collect();
        zeroes.sort_unstable();
        keeps.sort_unstable();
        (zeroes, keeps)
    }

    #[test]
    fn counting_finds_what_sorting_defines() {
        let mut state = 0x1234_5678_u32;
        let mut random = move || {
            state ^= state << 13;
            state ^= state >> 17;
            state ^= state << 5;
            state
        };
        let odd = [f32::NAN, -f32::NAN, f32::INFINITY, f32::NEG_INFINITY, 0.0, -0.0, f32::MAX, f32::MIN, 1e-40, -1e-45];
        for round in 0..600 {
            let n = 1 + random() as usize % 300;
            let x: Vec<f32> = (0..n)
                .map(|_| match round % 4 {
                    // All different; few values and many ties; any bits; everything odd.
                    0 => random() as i32 as f32 * 1e-9,
                    1 => (random() % 5) as f32 - 2.0,
                    2 => f32::from_bits(random()),
                    _ => odd[random() as usize % odd.len()],
                })
                .collect();
            for (zero, float) in
                [(0.5, 0.01), (0.0, 0.3), (0.9, 0.1), (1.0, 0.0), (0.2, 0.9), (0.0, 1.0), (0.01, 0.005)]
            {
                let (zeroes, keeps) = by_sorting(&x, zero, float);
                assert_eq!(shares(&x, zero, float), (zeroes.clone(), keeps.clone()), "{zero} {float} {x:?}");
                let (start, end) = (random() as usize % n, n);
                let (mut zeroed, mut kept) = (Vec::new(), Vec::new());
                Split::new(&x, zero, float).unwrap().for_each_stretch(start, end, |from, to, cut| {
                    zeroed.extend((from..to).filter(|&i| cut.zeroes(x[i])));
                    kept.extend((from..to).filter(|&i| cut.keeps(x[i])));
                });
                assert!(zeroed.iter().eq(zeroes.iter().filter(|&&i| i >= start)));
                assert!(kept.iter().eq(keeps.iter().filter(|&&i| i >= start)));
            }
        }
    }
}
