//! Weights in ascending order, with sums of any stretch of them.

use crate::error::Result;
use crate::tensor::try_vec;

/// Elements between two stored sums.
const STRIDE: usize = 64;

/// Fewer weights than this are sorted by insertion.
const SMALL: usize = 1 << 7;

/// Sorts a few hundred values by insertion: little code, and what is nearly sorted takes no time. Equal ones keep their order.
pub fn sort_few<T: Copy>(values: &mut [T], in_order: impl Fn(&T, &T) -> bool) {
    for end in 1..values.len() {
        let value = values[end];
        let mut at = end;
        while at > 0 && !in_order(&values[at - 1], &value) {
            values[at] = values[at - 1];
            at -= 1;
        }
        values[at] = value;
    }
}

/// Finite weights, ascending.
#[derive(Debug, Default)]
pub struct Sorted {
    values: Vec<f32>,
    /// Sum of all before each element whose index is a multiple of [`STRIDE`].
    sums: Vec<f64>,
    keys: Vec<u32>,
    spare: Vec<u32>,
}

/// Bits that are ordered as the numbers are.
fn key(x: f32) -> u32 {
    // −0 is 0.
    let bits = (x + 0.0).to_bits();
    if bits >> 31 == 1 { !bits } else { bits | 1 << 31 }
}

fn value(key: u32) -> f32 {
    f32::from_bits(if key >> 31 == 1 { key & !(1 << 31) } else { !key })
}

impl Sorted {
    /// Takes other weights in; what memory there is is used again.
    pub fn fill(&mut self, x: &[f32]) -> Result<()> {
        if self.values.len() < x.len() {
            self.values = try_vec(0.0, x.len())?;
            self.keys = try_vec(0, x.len())?;
        }
        self.values.truncate(x.len());
        self.keys.truncate(x.len());
        for (key_of, &x) in self.keys.iter_mut().zip(x) {
            *key_of = key(x);
        }
        if x.len() < SMALL {
            sort_few(&mut self.keys, |a, b| a <= b);
        } else {
            self.radix_sort()?;
        }
        self.sums.clear();
        let mut sum = 0.0;
        for (values, keys) in self.values.chunks_mut(STRIDE).zip(self.keys.chunks(STRIDE)) {
            self.sums.push(sum);
            for (out, &key) in values.iter_mut().zip(keys) {
                *out = value(key);
                sum += f64::from(*out);
            }
        }
        Ok(())
    }

    /// Passes over digits of 8 bits for a few, of 11 bits for many; least significant first.
    fn radix_sort(&mut self) -> Result<()> {
        let width = if self.keys.len() < 1 << 14 { 8 } else { 11 };
        let mask = (1_u32 << width) - 1;
        if self.spare.len() < self.keys.len() {
            self.spare = try_vec(0, self.keys.len())?;
        }
        self.spare.truncate(self.keys.len());
        let mut places = vec![0_u32; 1 << width];
        for shift in (0..32).step_by(width) {
            places.fill(0);
            self.keys.iter().for_each(|key| places[(key >> shift & mask) as usize] += 1);
            let mut at = 0;
            for place in &mut places {
                (*place, at) = (at, at + *place);
            }
            for &key in &self.keys {
                let place = &mut places[(key >> shift & mask) as usize];
                self.spare[*place as usize] = key;
                *place += 1;
            }
            std::mem::swap(&mut self.keys, &mut self.spare);
        }
        Ok(())
    }

    /// The weights.
    pub fn values(&self) -> &[f32] {
        &self.values
    }

    /// How many weights are at most `limit`.
    pub fn count_to(&self, limit: f64) -> usize {
        self.values.partition_point(|&x| f64::from(x) <= limit)
    }

    /// Sum of the first `n`.
    pub fn sum_to(&self, n: usize) -> f64 {
        let stored = (n / STRIDE).min(self.sums.len().saturating_sub(1));
        let rest = &self.values[stored * STRIDE..n];
        self.sums.get(stored).copied().unwrap_or(0.0) + rest.iter().map(|&x| f64::from(x)).sum::<f64>()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_and_short_inputs_are_sorted_and_summed() {
        let mut sorted = Sorted::default();
        for n in [0, 1, 63, 64, 65, 20_000, 300] {
            let x: Vec<f32> = (0..n).map(|i: u32| (i.wrapping_mul(2_654_435_761) as i32) as f32 * 1e-3).collect();
            sorted.fill(&x).unwrap();
            let mut expected = x.clone();
            expected.sort_unstable_by(f32::total_cmp);
            assert_eq!(sorted.values(), expected);
            for to in [0, x.len() / 3, x.len()] {
                let sum: f64 = expected[..to].iter().map(|&x| f64::from(x)).sum();
                assert!((sorted.sum_to(to) - sum).abs() <= 1e-9 * sum.abs().max(1.0), "{n} {to}");
            }
        }
    }
}
