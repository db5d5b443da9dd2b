//! A scheme proposed from a distribution: the article's question 6.2, "how does one choose a suitable integer range?"

use crate::error::Number;
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
/// - **range**: least squared error when the farthest weight stands more than 8 standard deviations from the mean or the excess kurtosis
///   is above 6; else min–max.
/// - **grain**: groups of 32 for 4 bits, where rows are at least that long; one scale per channel when the widest channel is over twice the
///   median one; else one for the tensor. Channel ranges are taken from `summary.channels` (axis 0).
/// - **width**: 4 bits when an evenly spaced grid over the range of a group (2.5 to 3 standard deviations for Gaussian weights) gives about 20 dB,
///   estimated as `20·log₁₀(rms / step) + 10.8`; else 8.
#[must_use]
pub fn suggest(summary: &Summary, shape: &Shape) -> Suggestion {
    let mut options = Options::new();
    let mut reasons = Vec::new();
    let mut reason = |code, text: String, facts: &[f64]| reasons.push(Reason { code, text, facts: facts.to_vec() });
    let finite = summary.count.saturating_sub(summary.nan).saturating_sub(summary.infinite);
    if finite < summary.count {
        options.insert("nonFinite".to_owned(), Value::Text("saturate".to_owned()));
        reason(
            "saturate",
            format!(
                "{} NaN and {} infinite: a grid has no level for them, so NaN becomes 0 and an infinity the end of the range.",
                summary.nan, summary.infinite,
            ),
            &[summary.nan as f64, summary.infinite as f64],
        );
    }
    if let Some((code, text, fact)) = trivial(summary, finite) {
        reason(code, text, &[fact]);
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

    // The half-width that a grid has to cover, in standard deviations: from zero, or from the middle where there is a zero point.
    let reach_of_all = if lopsided {
        (f64::from(summary.max.max(0.0)) - f64::from(summary.min.min(0.0))) / 2.0
    } else {
        f64::from(summary.abs_max)
    };
    // Noise is a share of the step, signal the root of the mean square.
    let crest = reach_of_all / summary.mean.hypot(summary.std);
    let farthest = (f64::from(summary.max) - summary.mean).max(summary.mean - f64::from(summary.min)) / summary.std;
    let heavy = farthest > 8.0 || summary.kurtosis > 6.0;
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
                short(four_bit_db.round()),
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
                short(four_bit_db.round()),
                short(eight_bit_db.round()),
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
            format!(
                "A {} for each group of 32 costs {} per weight and confines an outlier to its 31 neighbours.",
                if lopsided { "scale and a zero point" } else { "scale" },
                if lopsided { "1.25 bits" } else { "one bit" },
            ),
            &[32.0, if lopsided { 1.25 } else { 1.0 }],
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
                "The farthest weight stands {} standard deviations from the mean: clipping such outliers costs less than the coarse \
                 steps they force on all others.",
                short(farthest),
            ),
            &[farthest],
        );
    } else {
        reason(
            "minmax",
            format!(
                "The farthest weight stands only {} standard deviations from the mean, so nothing needs to be clipped.",
                short(farthest),
            ),
            &[farthest],
        );
    }
    Suggestion { id: format!("int{width}"), options, reasons }
}

/// What there is to say of weights that leave nothing to choose: code, sentence and the number in it.
fn trivial(summary: &Summary, finite: u64) -> Option<(&'static str, String, f64)> {
    let (min, reach) = (f64::from(summary.min), f64::from(summary.abs_max));
    if summary.count == 0 {
        return Some(("empty", "The tensor holds no weights, so there is nothing to choose.".to_owned(), 0.0));
    }
    if finite == 0 {
        return Some(("nothing_finite", "No weight is a finite number, so no range can be found.".to_owned(), 0.0));
    }
    if reach == 0.0 {
        return Some(("zeros", "All weights are 0, which every width stores exactly.".to_owned(), 0.0));
    }
    // An affine scale below the least normal f32 becomes 1.
    if reach / 127.0 < f64::from(f32::MIN_POSITIVE) {
        let text = format!(
            "The largest weight is {}, so small that its scale is no normal 32-bit float: every weight becomes 0. Multiply the \
             weights by a power of two first.",
            short(reach),
        );
        return Some(("subnormal", text, reach));
    }
    if summary.std.is_nan() || summary.std <= 0.0 || summary.min == summary.max {
        let text = format!("All weights are {}, so one level holds them and any width will do.", short(min));
        return Some(("constant", text, min));
    }
    None
}

/// About three significant digits, in powers of ten where that is shorter; with a minus sign, not a hyphen.
fn short(x: f64) -> String {
    let exponent = x.abs().log10().floor() as i32;
    let three_digits = |x: f64, exponent: i32| {
        let unit = 10_f64.powi((2 - exponent).min(300));
        (x * unit).round() / unit
    };
    let text = if x == 0.0 || !x.is_finite() {
        Number(x).to_string()
    } else if (-5..6).contains(&exponent) {
        Number(three_digits(x, exponent)).to_string()
    } else {
        format!("{}e{exponent}", Number(three_digits(x / 10_f64.powi(exponent), 0)))
    };
    text.replace('-', "\u{2212}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_in_sentences_are_short() {
        let said: Vec<String> = [0.0, -0.193_494, 4.92, 1234.5, -8e37, 3.4e-40, 0.000_012_345].map(short).to_vec();
        assert_eq!(said, ["0", "−0.193", "4.92", "1230", "−8e37", "3.4e−40", "0.0000123"]);
    }
    fn suggested(x: &[f32]) -> (Suggestion, String) {
        let shape = Shape::new(&[x.len() as u64]).unwrap();
        let summary = crate::stats::summarize(x, &shape, &crate::stats::SummaryOptions::default()).unwrap();
        let suggestion = suggest(&summary, &shape);
        let said = suggestion.reasons.iter().map(|r| r.code).collect::<Vec<_>>().join(" ");
        assert!(
            suggestion
                .reasons
                .iter()
                .all(|r| r.text.ends_with('.') && !r.text.contains("-0") && !r.text.contains(" -"))
        );
        (suggestion, said)
    }

    #[test]
    fn what_is_not_finite_is_to_be_saturated() {
        let (found, said) = suggested(&[1.0, -2.0, f32::NAN, f32::INFINITY, 0.5, 0.25]);
        assert_eq!(found.options.get("nonFinite"), Some(&Value::Text("saturate".to_owned())));
        assert!(said.starts_with("saturate symmetric"), "{said}");
        assert_eq!(found.reasons[0].facts, [1.0, 1.0]);
        assert!(crate::quant::Scheme::new(&found.id, &found.options).is_ok());
        assert!(!suggested(&[1.0, -2.0, 0.5]).0.options.contains_key("nonFinite"));
    }

    #[test]
    fn weights_that_leave_nothing_to_choose_get_a_fitting_sentence() {
        assert_eq!(suggested(&[]).1, "empty");
        assert_eq!(suggested(&[f32::NAN; 4]).1, "saturate nothing_finite");
        assert_eq!(suggested(&[0.0, -0.0]).1, "zeros");
        assert_eq!(suggested(&[1e-40, -3e-41, 2e-42]).1, "subnormal");
        assert_eq!(suggested(&[2e-40; 3]).1, "subnormal");
        let (found, said) = suggested(&[-0.25; 5]);
        assert_eq!((said.as_str(), found.reasons[0].facts.as_slice()), ("constant", [-0.25].as_slice()));
        assert!(found.reasons[0].text.contains("−0.25"));
    }

    #[test]
    fn of_subnormal_weights_every_one_does_become_zero() {
        let x = [1e-40, -3e-41, 2e-42];
        let shape = Shape::new(&[3]).unwrap();
        let (found, _) = suggested(&x);
        let prepared = crate::quant::Scheme::new(&found.id, &found.options).unwrap().prepare(&x, &shape).unwrap();
        let mut back = [1.0; 3];
        prepared.reconstruct(&x, 0, &mut back);
        assert_eq!(back, [0.0; 3]);
    }
}
