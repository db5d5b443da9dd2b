//! The article's three listings as they are printed, bit for bit as numpy 2 runs them.
//!
//! Their formula is `round((x − min) / (max − min) · (max − min)) + min` with one pair `min`, `max` for both ranges, so the scale
//! cancels: it rounds x to whole numbers, half to even, and clamps nothing. numpy computes the bracket in f32 (`max − min` exactly, then
//! cast), Python rounds it to an exact integer, the sum is exact too, and the store into the array rounds to f32 by way of f64.

use crate::error::{Code, Error, Number, Result};
use crate::tensor::try_vec;

/// What `quantize_zero` returns: the values and how many were not zero.
#[derive(Debug, Clone, PartialEq)]
pub struct ZeroResult {
    /// One per weight; what was 0 or −0 is 0.
    pub values: Vec<f32>,
    /// Weights that were not zero.
    pub non_zero_count: u64,
}

/// The formula with its range checked.
struct Formula {
    min: f64,
    min_f32: f32,
    span_f32: f32,
}

impl Formula {
    fn new(min: f64, max: f64) -> Result<Formula> {
        let refuse = |expected: &str| {
            Err(Error::new(Code::InvalidArgument, "the formula has no such range")
                .with_expected(expected)
                .with_found(format_args!("min {}, max {}", Number(min), Number(max))))
        };
        if !min.is_finite() || !max.is_finite() {
            return refuse("min and max that are finite");
        }
        if min == max {
            return refuse("min and max that differ, since the formula divides by their difference");
        }
        let (min_f32, span_f32) = (min as f32, (max - min) as f32);
        if !min_f32.is_finite() || !span_f32.is_finite() || span_f32 == 0.0 {
            return refuse("min and max − min that f32 holds");
        }
        Ok(Formula { min, min_f32, span_f32 })
    }

    fn apply(&self, x: f32, index: usize) -> Result<f32> {
        let bracket = (x - self.min_f32) / self.span_f32 * self.span_f32;
        if !bracket.is_finite() {
            let what = if x.is_finite() { "the formula overflows f32 for a weight" } else { "a weight is not finite" };
            return Err(Error::new(Code::NonFinite, what).with_offset(index as u64).with_found(x));
        }
        // Both addends are exact in f64, so its sum is the exact sum rounded once: what Python's int + int gives when stored.
        Ok((f64::from(bracket.round_ties_even()) + self.min) as f32)
    }
}

fn map(x: &[f32], min: f64, max: f64, keep_zero: impl Fn(f32) -> f32) -> Result<Vec<f32>> {
    let formula = Formula::new(min, max)?;
    let mut out = try_vec(0.0, x.len())?;
    for (i, (out, &x)) in out.iter_mut().zip(x).enumerate() {
        *out = if x == 0.0 { keep_zero(x) } else { formula.apply(x, i)? };
    }
    Ok(out)
}

/// Listing 4.1, `quantize_zero`: zeros stay zero (−0 becomes 0), the others get the formula and are counted.
///
/// # Errors
/// `invalid_argument` for a range that is not finite or has no width; `non_finite` with the index for NaN, ±∞ and overflow.
pub fn quantize_zero(x: &[f32], min: f64, max: f64) -> Result<ZeroResult> {
    let values = map(x, min, max, |_| 0.0)?;
    Ok(ZeroResult { values, non_zero_count: x.iter().filter(|&&x| x != 0.0).count() as u64 })
}

/// Listing 4.2, `quantize_non_zero`: zeros are left as they are (−0 stays −0), the others get the formula.
///
/// # Errors
/// As [`quantize_zero`].
pub fn quantize_non_zero(x: &[f32], min: f64, max: f64) -> Result<Vec<f32>> {
    map(x, min, max, |x| x)
}

/// Listing 4.3, `quantize_mixed`: what listing 4.1 gives. `zero_ratio` is only checked: the listing computes a count from it and never
/// uses it.
///
/// # Errors
/// As [`quantize_zero`], and `invalid_argument` when `zero_ratio` is not finite.
pub fn quantize_mixed(x: &[f32], min: f64, max: f64, zero_ratio: f64) -> Result<Vec<f32>> {
    if !zero_ratio.is_finite() {
        return Err(Error::new(Code::InvalidArgument, "zeroRatio cannot be taken")
            .with_expected("a finite number")
            .with_found(zero_ratio));
    }
    map(x, min, max, |_| 0.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_articles_own_example() {
        let x = [1.2, 2.3, 3.4, 4.5, 5.6];
        let zero = quantize_zero(&x, -128.0, 127.0).unwrap();
        assert_eq!((zero.values.as_slice(), zero.non_zero_count), ([1.0, 2.0, 3.0, 4.0, 6.0].as_slice(), 5));
        assert_eq!(quantize_non_zero(&x, -128.0, 127.0).unwrap(), [1.0, 2.0, 3.0, 4.0, 6.0]);
        assert_eq!(quantize_mixed(&x, -128.0, 127.0, 0.5).unwrap(), [1.0, 2.0, 3.0, 4.0, 6.0]);
    }

    #[test]
    fn minus_zero_survives_only_the_second_listing() {
        let bits = |v: Vec<f32>| v[0].to_bits();
        assert_eq!(bits(quantize_zero(&[-0.0], -8.0, 7.0).unwrap().values), 0);
        assert_eq!(bits(quantize_non_zero(&[-0.0], -8.0, 7.0).unwrap()), (-0.0_f32).to_bits());
        assert_eq!(bits(quantize_mixed(&[-0.0], -8.0, 7.0, 0.5).unwrap()), 0);
    }

    #[test]
    fn what_python_raises_on_is_an_error_with_its_place() {
        let e = quantize_zero(&[1.0, f32::NAN], -8.0, 7.0).unwrap_err();
        assert_eq!((e.code, e.offset), (Code::NonFinite, Some(1)));
        assert!(quantize_zero(&[1.0], 3.0, 3.0).is_err());
        assert!(quantize_zero(&[f32::MAX], -8e37, -7e37).is_err());
    }
}
