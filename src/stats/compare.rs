//! How far a candidate lies from its reference.

use crate::error::{Code, Error, Result};
use crate::kernels::errors::ErrorSums;
use crate::kernels::{self, CompareSums, Energy};

use super::CHUNK;

/// Error metrics of a candidate against a reference of the same length.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Metrics {
    /// Elements compared.
    pub count: u64,
    /// Mean squared error.
    pub mse: f64,
    /// Root of the mean squared error.
    pub rmse: f64,
    /// Mean absolute error.
    pub mae: f64,
    /// Greatest absolute error.
    pub max_abs: f64,
    /// Index of the first element with that error; `None` of nothing.
    pub max_abs_index: Option<u64>,
    /// Signal-to-quantization-noise ratio, `10·log₁₀(Σx²/Σ(x−y)²)` in dB; ∞ without any error, −∞ for errors on an all-zero
    /// reference.
    pub sqnr_db: f64,
    /// Cosine of the angle between both, as vectors; 1 when both are all zero, 0 when one is.
    pub cosine: f64,
    /// Share of all elements that were not zero and became zero, in `[0, 1]`.
    pub zeroed: f64,
    /// Zeros in the reference.
    pub zeros_before: u64,
    /// Zeros in the candidate.
    pub zeros_after: u64,
}

/// Gathers [`Metrics`] chunk by chunk.
#[derive(Debug, Clone, Default)]
pub struct Comparison {
    sums: CompareSums,
    reference: Energy,
    /// Whether the reference's energy was given, all of it.
    reference_known: bool,
    candidate: Energy,
    count: u64,
    max_index: Option<u64>,
}

impl Comparison {
    /// Compares a whole pair.
    ///
    /// # Errors
    /// `shape_mismatch` when the lengths differ, `non_finite` when either holds NaN or infinities.
    pub fn of(reference: &[f32], candidate: &[f32]) -> Result<Metrics> {
        if reference.len() != candidate.len() {
            return Err(Error::new(Code::ShapeMismatch, "reference and candidate differ in length")
                .with_expected(reference.len())
                .with_found(candidate.len()));
        }
        let mut comparison = Comparison::default();
        for (x, y) in reference.chunks(CHUNK).zip(candidate.chunks(CHUNK)) {
            for (which, values) in [("reference", x), ("candidate", y)] {
                if let Some(at) = values.iter().position(|v| !v.is_finite()) {
                    return Err(Error::new(Code::NonFinite, format!("the {which} holds a value that is not finite"))
                        .with_offset(comparison.count + at as u64)
                        .with_found(values[at]));
                }
            }
            comparison.add(x, y);
        }
        Ok(comparison.metrics())
    }

    /// A comparison whose reference has this energy: [`Comparison::add`] need not sum it up again.
    #[must_use]
    pub fn with_reference(energy: Energy) -> Comparison {
        Comparison { reference: energy, reference_known: true, ..Comparison::default() }
    }

    /// The energy of the reference, as far as it was added.
    #[must_use]
    pub fn reference(&self) -> Energy {
        self.reference
    }

    /// Adds the next chunk; both finite.
    ///
    /// # Panics
    /// If the lengths differ.
    pub fn add(&mut self, x: &[f32], y: &[f32]) {
        self.add_errors(x, y);
        self.add_candidate(kernels::energy(y));
    }

    /// Adds energy of the candidate, for chunks that were added without it.
    pub fn add_candidate(&mut self, energy: Energy) {
        self.candidate.squares += energy.squares;
        self.candidate.zeros += energy.zeros;
    }

    /// Adds all of the next chunk but the energy of the candidate; both finite.
    ///
    /// # Panics
    /// If the lengths differ.
    pub fn add_errors(&mut self, x: &[f32], y: &[f32]) {
        self.add_errors_as(x, y, kernels::compare(x, y));
    }

    /// The same of a chunk whose errors were summed up in f32. Zeros in both are looked for where the reference is known to have zeros.
    ///
    /// # Panics
    /// If the lengths differ.
    pub fn add_summed_errors(&mut self, x: &[f32], y: &[f32], sums: &ErrorSums) {
        if !sums.is_told() || x.is_empty() {
            return self.add_errors(x, y);
        }
        let has_zeros = !self.reference_known || self.reference.zeros > 0;
        let zero_in_both = |(&x, &y): (&f32, &f32)| u32::from(x == 0.0 && y == 0.0);
        let both_zeros = if has_zeros { x.iter().zip(y).map(zero_in_both).sum() } else { 0 };
        // The greatest error is told in f64 where f32 tells that it is in this chunk.
        let (mut max, error) = (f64::from(sums.max), |(&x, &y): (&f32, &f32)| (f64::from(x) - f64::from(y)).abs());
        if max > self.sums.max || self.max_index.is_none() {
            max = x.iter().zip(y).map(error).fold(0.0, f64::max);
        }
        let (error2, error_abs) = (sums.error2, sums.error_abs);
        self.add_errors_as(x, y, CompareSums { error2, error_abs, max, both_zeros: u64::from(both_zeros) });
    }

    fn add_errors_as(&mut self, x: &[f32], y: &[f32], s: CompareSums) {
        let t = &mut self.sums;
        if s.max > t.max || (self.max_index.is_none() && !x.is_empty()) {
            t.max = s.max;
            let at = x.iter().zip(y).position(|(&x, &y)| (f64::from(x) - f64::from(y)).abs() == s.max);
            self.max_index = at.map(|i| self.count + i as u64);
        }
        t.error2 += s.error2;
        t.error_abs += s.error_abs;
        t.both_zeros += s.both_zeros;
        if !self.reference_known {
            let energy = kernels::energy(x);
            self.reference.squares += energy.squares;
            self.reference.zeros += energy.zeros;
        }
        self.count += x.len() as u64;
    }

    /// The metrics of everything added.
    #[must_use]
    pub fn metrics(&self) -> Metrics {
        let s = &self.sums;
        let (x2, y2) = (self.reference.squares, self.candidate.squares);
        let n = (self.count as f64).max(1.0);
        let sqnr_db = match (x2 == 0.0, s.error2 == 0.0) {
            (_, true) => f64::INFINITY,
            (true, false) => f64::NEG_INFINITY,
            _ => 10.0 * (x2 / s.error2).log10(),
        };
        let cosine = match (x2 == 0.0, y2 == 0.0) {
            (true, true) => 1.0,
            (false, false) if s.error2 == 0.0 => 1.0,
            // x·y = (x² + y² − (x−y)²) / 2
            (false, false) => ((x2 + y2 - s.error2) / (2.0 * x2.sqrt() * y2.sqrt())).clamp(-1.0, 1.0),
            _ => 0.0,
        };
        Metrics {
            count: self.count,
            mse: s.error2 / n,
            rmse: (s.error2 / n).sqrt(),
            mae: s.error_abs / n,
            max_abs: s.max,
            max_abs_index: self.max_index,
            sqnr_db,
            cosine,
            zeroed: (self.candidate.zeros - s.both_zeros) as f64 / n,
            zeros_before: self.reference.zeros,
            zeros_after: self.candidate.zeros,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_of_three_and_four_have_an_rmse_of_root_twelve_and_a_half() {
        let m = Comparison::of(&[0.0, 1.0], &[3.0, -3.0]).unwrap();
        assert_eq!(m.rmse, 12.5_f64.sqrt());
        assert_eq!((m.mae, m.max_abs, m.max_abs_index), (3.5, 4.0, Some(1)));
        assert!((m.sqnr_db - 10.0 * (1.0_f64 / 25.0).log10()).abs() < 1e-12);
        assert!((m.cosine - (-3.0 / (18.0_f64).sqrt())).abs() < 1e-12);
    }

    #[test]
    fn zeros_are_counted_before_and_after() {
        let m = Comparison::of(&[0.0, 1.0, -0.0, 2.0], &[0.0, -0.0, 5.0, 2.0]).unwrap();
        assert_eq!((m.zeroed, m.zeros_before, m.zeros_after), (0.25, 2, 2));
    }

    #[test]
    fn nothing_and_no_error_are_defined() {
        let m = Comparison::of(&[], &[]).unwrap();
        assert_eq!((m.mse, m.max_abs_index, m.cosine), (0.0, None, 1.0));
        assert_eq!(Comparison::of(&[2.0], &[2.0]).unwrap().sqnr_db, f64::INFINITY);
        assert_eq!(Comparison::of(&[0.0], &[2.0]).unwrap().sqnr_db, f64::NEG_INFINITY);
        let m = Comparison::of(&[f32::MAX, f32::MIN], &[f32::MIN, f32::MAX]).unwrap();
        assert!(m.mse.is_finite() && m.cosine == -1.0);
    }

    #[test]
    fn values_that_are_not_finite_are_refused_with_their_place() {
        let e = Comparison::of(&[0.0, f32::NAN], &[0.0, 0.0]).unwrap_err();
        assert_eq!((e.code, e.offset), (Code::NonFinite, Some(1)));
    }
}
