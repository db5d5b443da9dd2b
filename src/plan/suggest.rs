//! A scheme proposed from a distribution: the article's question 6.2, "how does one choose a suitable integer range?"

use crate::quant::{Options, Value};
use crate::stats::{Summary, quantiles};
use crate::tensor::Shape;

/// Signal-to-noise ratio that a proposal should reach, in dB: about 1 % of the weights' power is lost.
const WANTED_DB: f64 = 20.0;

/// A scheme with its reasons.
#[derive(Debug, Clone, PartialEq)]
pub struct Suggestion {
    /// The scheme's name.
    pub id: String,
    /// Its options that differ from the defaults.
    pub options: Options,
    /// One for each choice made: symmetry, width, grain, range.
    pub reasons: Vec<Reason>,
}

/// Why one choice was made.
#[derive(Debug, Clone, PartialEq)]
pub struct Reason {
    /// Which choice and which way, as a stable name, for translations.
    pub code: &'static str,
    /// A sentence.
    pub text: String,
    /// The numbers in the sentence, in order.
    pub facts: Vec<f64>,
}

/// Proposes symmetric or not, width, grain and range for weights with these statistics.
///
/// The rules, in order:
/// - **symmetry**: asymmetric when one side of zero reaches more than twice as far as the other.
/// - **range**: least squared error when the largest weight stands further than 8 standard deviations from zero or the excess kurtosis
///   is above 6; else min–max.
/// - **grain**: groups of 32 for 4 bits, where rows are at least that long; one scale per channel when the widest channel is over twice the
///   median one; else one for the tensor. Channel ranges are taken from `summary.channels` (axis 0).
/// - **width**: 4 bits when an evenly spaced grid over the range of a group (2.5 to 3 standard deviations for Gaussian weights) gives about 20 dB,
///   estimated as `20·log₁₀(std / step) + 10.8`; else 8.
#[must_use]
pub fn suggest(summary: &Summary, shape: &Shape) -> Suggestion {
    let mut options = Options::new();
    let mut reasons = Vec::new();
    let mut reason = |code, text: String, facts: &[f64]| reasons.push(Reason { code, text, facts: facts.to_vec() });
    let finite = summary.count.saturating_sub(summary.nan).saturating_sub(summary.infinite);
    if finite == 0 || summary.std.is_nan() || summary.std <= 0.0 || summary.min == summary.max {
        reason(
            "constant",
            "All weights are the same, so one level holds them and any width will do.".to_owned(),
            &[f64::from(summary.min)],
        );
        return Suggestion { id: "int8".to_owned(), options, reasons };
    }
    let (below, above) = (f64::from(-summary.min).max(0.0), f64::from(summary.max).max(0.0));
    let lopsided = below.max(above) > 2.0 * below.min(above);
    if lopsided {
        options.insert("symmetric".to_owned(), Value::Flag(false));
        reason(
            "asymmetric",
            format!(
                "The weights reach from {} to {}, much further on one side of zero, so a zero point saves the levels that a \
                 symmetric grid would leave empty.",
                short(f64::from(summary.min)),
                short(f64::from(summary.max)),
            ),
            &[f64::from(summary.min), f64::from(summary.max)],
        );
    } else {
        reason(
            "symmetric",
            format!(
                "The weights reach about as far below zero ({}) as above ({}), so a symmetric grid loses nothing and needs no zero \
                 point.",
                short(f64::from(summary.min)),
                short(f64::from(summary.max)),
            ),
            &[f64::from(summary.min), f64::from(summary.max)],
        );
    }

    let crest = f64::from(summary.abs_max) / summary.std;
    let heavy = crest > 8.0 || summary.kurtosis > 6.0;
    let (_, row_len) = shape.matrix();
    let grouped = row_len >= 32;
    // The step of a 4-bit grid over a group: few weights rarely hold an outlier, so its range is about 2.5 standard deviations.
    let reach = if grouped { crest.min(2.5) } else { crest };
    let four_bit_db = 20.0 * (7.0 / reach).log10() + 10.8;
    let width = if four_bit_db >= WANTED_DB - 0.5 && grouped { 4 } else { 8 };
    if width == 4 {
        reason(
            "width4",
            format!(
                "In groups of 32, 4 bits keep about {} dB of signal over noise: enough for most layers.",
                four_bit_db.round(),
            ),
            &[four_bit_db],
        );
    } else {
        let eight_bit_db = 20.0 * (127.0 / crest).log10() + 10.8;
        reason(
            "width8",
            format!(
                "The rows are too short for groups, so 4 bits would keep only about {} dB of signal over noise; 8 bits keep \
                 about {}.",
                four_bit_db.round(),
                eight_bit_db.round(),
            ),
            &[four_bit_db, eight_bit_db],
        );
    }

    let channel_spread = summary.channels.as_ref().and_then(|channels| {
        let reach: Vec<f32> = channels.min.iter().zip(&channels.max).map(|(a, b)| a.abs().max(b.abs())).collect();
        let (median, widest) = match quantiles(&reach, &[0.5, 1.0])?.as_slice() {
            &[median, widest] => (median, widest),
            _ => return None,
        };
        (reach.len() > 1 && median > 0.0).then(|| widest / median)
    });
    if width == 4 {
        options.insert("granularity".to_owned(), Value::Text("group".to_owned()));
        reason(
            "group",
            "A scale for each group of 32 costs one bit per weight and confines an outlier to its 31 neighbours."
                .to_owned(),
            &[32.0],
        );
    } else if let Some(spread) = channel_spread.filter(|&s| s > 2.0) {
        options.insert("granularity".to_owned(), Value::Text("channel".to_owned()));
        reason(
            "channel",
            format!(
                "The widest channel is {} times as wide as the median one, so each channel gets its own scale.",
                short(spread),
            ),
            &[spread],
        );
    } else {
        reason("tensor", "The channels are about equally wide, so one scale will do for all.".to_owned(), &[]);
    }

    if heavy {
        options.insert("range".to_owned(), Value::Text("mse".to_owned()));
        reason(
            "mse",
            format!(
                "The largest weight stands {} standard deviations from zero: clipping such outliers costs less than the coarse \
                 steps they force on all others.",
                short(crest),
            ),
            &[crest],
        );
    } else {
        reason(
            "minmax",
            format!(
                "The largest weight stands only {} standard deviations from zero, so nothing needs to be clipped.",
                short(crest),
            ),
            &[crest],
        );
    }
    Suggestion { id: format!("int{width}"), options, reasons }
}

/// About three significant digits, in powers of ten where that is shorter.
fn short(x: f64) -> String {
    if x == 0.0 || !x.is_finite() {
        return x.to_string();
    }
    let exponent = x.abs().log10().floor() as i32;
    let three_digits = |x: f64, exponent: i32| {
        let unit = 10_f64.powi((2 - exponent).min(300));
        (x * unit).round() / unit
    };
    if (-5..6).contains(&exponent) {
        return three_digits(x, exponent).to_string();
    }
    format!("{}e{exponent}", three_digits(x / 10_f64.powi(exponent), 0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_in_sentences_are_short() {
        let said: Vec<String> = [0.0, -0.193_494, 4.92, 1234.5, -8e37, 3.4e-40, 0.000_012_345].map(short).to_vec();
        assert_eq!(said, ["0", "-0.193", "4.92", "1230", "-8e37", "3.4e-40", "0.0000123"]);
    }
}
