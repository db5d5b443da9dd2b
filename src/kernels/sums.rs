//! Sums over weights: extent, moments, and the comparison of two tensors.

use super::dispatch;

/// What one look at the weights tells about their range.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Extent {
    /// Least value, NaN left out; +∞ when there is none. Never −0.
    pub min: f32,
    /// Greatest value, NaN left out; −∞ when there is none. Never −0.
    pub max: f32,
    /// Greatest magnitude; NaN or ∞ when any element is.
    pub abs_max: f32,
}

impl Extent {
    /// The extent of nothing.
    pub const EMPTY: Extent = Extent { min: f32::INFINITY, max: f32::NEG_INFINITY, abs_max: 0.0 };

    /// Whether every element was finite.
    #[must_use]
    pub fn is_finite(&self) -> bool {
        self.abs_max.is_finite()
    }

    /// The extent of both together.
    #[must_use]
    pub fn merge(self, other: Extent) -> Extent {
        Extent {
            min: if other.min < self.min { other.min } else { self.min },
            max: if other.max > self.max { other.max } else { self.max },
            abs_max: f32::from_bits(self.abs_max.to_bits().max(other.abs_max.to_bits())),
        }
    }
}

/// Range and largest magnitude in one pass.
#[must_use]
pub fn extent(x: &[f32]) -> Extent {
    dispatch!(sums::extent(x))
}

/// Count, mean and central moments of finite values, mergeable without loss.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Moments {
    /// Number of values.
    pub count: f64,
    /// Their mean.
    pub mean: f64,
    /// `Σ (x − mean)²`
    pub m2: f64,
    /// `Σ (x − mean)³`
    pub m3: f64,
    /// `Σ (x − mean)⁴`
    pub m4: f64,
}

impl Moments {
    /// The moments of both together (Pébay 2008, eq. 2.1 and 3.1).
    #[must_use]
    pub fn merge(self, other: Moments) -> Moments {
        if self.count == 0.0 {
            return other;
        }
        if other.count == 0.0 {
            return self;
        }
        let (na, nb) = (self.count, other.count);
        let n = na + nb;
        let delta = other.mean - self.mean;
        let (d2, d3) = (delta * delta, delta * delta * delta);
        Moments {
            count: n,
            mean: self.mean + delta * (nb / n),
            m2: self.m2 + other.m2 + d2 * na * nb / n,
            m3: self.m3
                + other.m3
                + d3 * na * nb * (na - nb) / (n * n)
                + 3.0 * delta * (na * other.m2 - nb * self.m2) / n,
            m4: self.m4
                + other.m4
                + d2 * d2 * na * nb * (na * na - na * nb + nb * nb) / (n * n * n)
                + 6.0 * d2 * (na * na * other.m2 + nb * nb * self.m2) / (n * n)
                + 4.0 * delta * (na * other.m3 - nb * self.m3) / n,
        }
    }
}

/// Moments of one chunk: its mean first, then the powers of the distances from it. Meant for chunks that stay in the cache;
/// [`Moments::merge`] joins them. All values finite.
#[must_use]
pub fn moments(x: &[f32]) -> Moments {
    dispatch!(sums::moments(x))
}

/// What the metrics need of one side alone.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Energy {
    /// `Σ x²`
    pub squares: f64,
    /// Zeros of either sign.
    pub zeros: u64,
}

/// The energy of one chunk of finite values.
#[must_use]
pub fn energy(x: &[f32]) -> Energy {
    dispatch!(sums::energy(x))
}

/// Sums over both sides that the error metrics are made of, of one chunk.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct CompareSums {
    /// `Σ (x − y)²`
    pub error2: f64,
    /// `Σ |x − y|`
    pub error_abs: f64,
    /// Greatest `|x − y|`.
    pub max: f64,
    /// Places where both are zero.
    pub both_zeros: u64,
}

/// Compares two equally long runs of finite values. Differences are taken in f64, so nothing overflows or cancels.
///
/// # Panics
/// If the lengths differ.
#[must_use]
pub fn compare(x: &[f32], y: &[f32]) -> CompareSums {
    assert_eq!(x.len(), y.len(), "compared runs have one length");
    dispatch!(sums::compare(x, y))
}

/// What the ratio of signal to noise is made of, of one chunk.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Fidelity {
    /// `Σ x²`
    pub energy: f64,
    /// `Σ (x − y)²`
    pub error2: f64,
    /// Greatest `|x − y|`; of finite values only.
    pub max: f64,
}

/// Elements of a run of [`fidelity`], whose sums are taken in f32 before they are added in f64.
pub const FIDELITY_RUN: usize = 128;

/// Squares below this are too near to the least f32 to be told from nothing.
const LEAST_SQUARE: f64 = 1e-30;

impl Fidelity {
    /// Both together.
    #[must_use]
    pub fn merge(self, other: Fidelity) -> Fidelity {
        Fidelity {
            energy: self.energy + other.energy,
            error2: self.error2 + other.error2,
            max: self.max.max(other.max),
        }
    }

    /// Whether every value was finite: NaN and infinities stay in the sums, and sums of squares of f32 do not overflow f64.
    #[must_use]
    pub fn is_finite(&self) -> bool {
        self.energy.is_finite() && self.error2.is_finite()
    }
}

/// [`compare`] and [`energy`] in one look, for a proof that costs little beside the packing: a difference and its square are rounded to
/// f32, as are the sums of runs of [`FIDELITY_RUN`], so that the results are good to about one in a million. Where squares leave the range of
/// f32, and where anything is not finite, it is those two that look.
///
/// # Panics
/// If the lengths differ.
#[must_use]
pub fn fidelity(x: &[f32], y: &[f32]) -> Fidelity {
    assert_eq!(x.len(), y.len(), "compared runs have one length");
    let fast = dispatch!(sums::fidelity(x, y));
    let is_told = |square: f64| square >= LEAST_SQUARE;
    if fast.is_finite() && is_told(fast.energy) && (fast.max == 0.0 || is_told(fast.max * fast.max)) {
        return fast;
    }
    let CompareSums { error2, max, .. } = compare(x, y);
    Fidelity { energy: energy(x).squares, error2, max }
}

/// `(Σ x·k, Σ k²)` in f64: what a least-squares scale for fixed codes is made of.
///
/// # Panics
/// If the lengths differ.
#[must_use]
pub fn products(x: &[f32], k: &[f32]) -> (f64, f64) {
    assert_eq!(x.len(), k.len(), "one step count per weight");
    dispatch!(sums::products(x, k))
}
