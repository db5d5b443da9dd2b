//! Exact quantiles: no sorting of large inputs, two counting passes over the values' order-preserving bits instead.

/// Below this selecting from a copy is the faster way.
const SELECT_BELOW: usize = 1 << 15;

/// One quantile of the finite values; see [`quantiles`].
#[must_use]
pub fn quantile(x: &[f32], q: f64) -> Option<f64> {
    quantiles(x, &[q]).map(|v| v[0])
}

/// Exact quantiles of the finite values, `q` in `[0, 1]` (clamped), linear interpolation between order statistics in f64: numpy's
/// `quantile` of the same values as f64. `None` when no value is finite.
#[must_use]
pub fn quantiles(x: &[f32], qs: &[f64]) -> Option<Vec<f64>> {
    if x.len() < SELECT_BELOW { by_selecting(x, qs) } else { by_counting(x, qs) }
}

/// The two order statistics around `q` and the weight of the upper one.
fn ranks(q: f64, count: usize) -> (usize, usize, f64) {
    let place = q.clamp(0.0, 1.0) * (count - 1) as f64;
    let low = place.floor() as usize;
    (low, (low + 1).min(count - 1), place - low as f64)
}

fn interpolate(a: f32, b: f32, weight: f64) -> f64 {
    let (a, b) = (f64::from(a), f64::from(b));
    // From the nearer end, as numpy does, so that equal ends give themselves. `+ 0.0` turns −0 into 0.
    (if weight >= 0.5 { b - (b - a) * (1.0 - weight) } else { a + (b - a) * weight }) + 0.0
}

fn by_selecting(x: &[f32], qs: &[f64]) -> Option<Vec<f64>> {
    let mut keys: Vec<u32> = x.iter().copied().filter(|x| x.is_finite()).map(key).collect();
    let count = keys.len();
    (count > 0).then(|| {
        qs.iter()
            .map(|&q| {
                let (low, high, weight) = ranks(q, count);
                let (_, &mut low_key, above) = keys.select_nth_unstable(low);
                let next = above.iter().min().copied().unwrap_or(low_key);
                let high_key = if high > low { next } else { low_key };
                interpolate(from_key(low_key), from_key(high_key), weight)
            })
            .collect()
    })
}

/// Bits whose unsigned order is the order of the numbers.
fn key(x: f32) -> u32 {
    let bits = x.to_bits();
    if bits >> 31 == 1 { !bits } else { bits | 0x8000_0000 }
}

fn from_key(key: u32) -> f32 {
    f32::from_bits(if key >> 31 == 1 { key & 0x7FFF_FFFF } else { !key })
}

fn by_counting(x: &[f32], qs: &[f64]) -> Option<Vec<f64>> {
    // Keys of −∞ and below, ∞ and above: whatever is not finite lies outside.
    let finite = key(f32::MIN)..=key(f32::MAX);
    let mut high_counts = vec![0_usize; 1 << 16];
    let mut count = 0;
    for &x in x {
        let key = key(x);
        if finite.contains(&key) {
            high_counts[(key >> 16) as usize] += 1;
            count += 1;
        }
    }
    if count == 0 {
        return None;
    }
    let wanted: Vec<_> = qs.iter().map(|&q| ranks(q, count)).collect();
    // Ascending, each once. They are few: inserting them brings no sort into the module.
    let mut sought: Vec<usize> = Vec::new();
    for rank in wanted.iter().flat_map(|&(low, high, _)| [low, high]) {
        if let Err(at) = sought.binary_search(&rank) {
            sought.insert(at, rank);
        }
    }

    // The bucket of upper bits that each sought rank falls into, and how many values lie before that bucket.
    let mut buckets: Vec<(usize, usize)> = Vec::new();
    let mut before = 0;
    let mut next = sought.iter().peekable();
    for (bucket, &n) in high_counts.iter().enumerate() {
        while next.next_if(|&&rank| rank < before + n).is_some() {
            if buckets.last().is_none_or(|&(last, _)| last != bucket) {
                buckets.push((bucket, before));
            }
        }
        before += n;
    }

    // Second pass: the lower bits of the values in those buckets. Place 0 of `slot` means none; buckets are at most twice the
    // quantiles asked for.
    let mut slot = vec![0_u32; 1 << 16];
    for (i, &(bucket, _)) in buckets.iter().enumerate() {
        slot[bucket] = i as u32 + 1;
    }
    let mut low_counts = vec![vec![0_u32; 1 << 16]; buckets.len()];
    for &x in x {
        let key = key(x);
        let place = slot[(key >> 16) as usize];
        if place != 0 && finite.contains(&key) {
            low_counts[place as usize - 1][(key & 0xFFFF) as usize] += 1;
        }
    }
    let value = |rank: usize| {
        let i = buckets.iter().rposition(|&(_, before)| before <= rank).unwrap_or(0);
        let (bucket, mut before) = buckets[i];
        for (low, &n) in low_counts[i].iter().enumerate() {
            before += n as usize;
            if rank < before {
                return from_key((bucket << 16 | low) as u32);
            }
        }
        f32::MAX
    };
    Some(wanted.into_iter().map(|(low, high, weight)| interpolate(value(low), value(high), weight)).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_ways_agree() {
        let mut state = 1_u32;
        let mut x: Vec<f32> = (0..5000)
            .map(|_| {
                state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                (state as i32 as f32) * 1e-9 * (state >> 20) as f32
            })
            .collect();
        x.extend([f32::NAN, -f32::NAN, f32::INFINITY, f32::NEG_INFINITY, 0.0, -0.0, f32::MAX, f32::MIN, 1e-40]);
        let qs = [0.0, 0.001, 0.25, 0.333, 0.5, 0.75, 0.999, 1.0];
        assert_eq!(by_selecting(&x, &qs), by_counting(&x, &qs));
        assert_eq!(by_counting(&[2.0; 10], &[0.3]), Some(vec![2.0]));
        assert_eq!(by_counting(&[f32::NAN], &[0.3]), None);
    }

    #[test]
    fn halfway_between_two_values_is_their_mean() {
        assert_eq!(quantile(&[4.0, 1.0, 3.0, 2.0], 0.5), Some(2.5));
        assert_eq!(quantile(&[], 0.5), None);
    }
}
