//! What can be chosen of the affine schemes, in words and as types.

use super::super::catalogue::{ChoiceValue, Entry, Kind, OptionSpec, Resolved, Source, Value, text, when};
use super::super::runs::Granularity;
use crate::error::{Code, Error, Result};
use crate::kernels::Rounding;

/// Where the ends of the levels come from.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum RangeRule {
    /// Least and greatest weight of the run.
    MinMax,
    /// Exact quantiles: this percentage of the weights lies inside, the rest is clipped, half at each end (symmetric: by
    /// magnitude).
    Percentile(f64),
    /// The share of the min–max range with the least squared error; see [`super::least_squares_shrink`].
    LeastSquares,
    /// The clip of least information lost; see [`super::entropy_share`]. Runs of fewer than 2¹⁴ weights share one clip, relative to
    /// their own greatest magnitude.
    Entropy,
    /// Given; the same for every run.
    Manual {
        /// Low end.
        lo: f32,
        /// High end.
        hi: f32,
    },
}

/// What is done with weights beside rounding.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Treatment {
    /// Nothing.
    Plain,
    /// No weight that is not zero becomes zero.
    KeepNonZero,
    /// The article's mixed quantization.
    Mixed {
        /// Share of the smallest magnitudes that becomes zero.
        zero_ratio: f64,
        /// Share of the largest magnitudes that stays float; goes first where both shares meet.
        float_ratio: f64,
    },
}

/// An affine scheme with every option decided.
#[derive(Debug, Clone, PartialEq)]
pub struct Affine {
    /// Bits of a code, 2 to 8.
    pub bits: u32,
    /// Zero point 0.
    pub symmetric: bool,
    /// Symmetric without the lowest code.
    pub narrow_range: bool,
    /// What shares a scale.
    pub granularity: Granularity,
    /// Where the ends come from.
    pub range: RangeRule,
    /// How quotients become codes.
    pub rounding: Rounding,
    /// Least-squares scale after the codes are fixed.
    pub refit: bool,
    /// Mean correction per channel.
    pub mean_correction: bool,
    /// NaN to 0 and infinities to the ends, instead of an error.
    pub saturate: bool,
    /// What else happens to weights.
    pub treatment: Treatment,
}

impl Affine {
    /// Lowest and highest code.
    #[must_use]
    pub fn limits(&self) -> (i8, i8) {
        let half = 1_i32 << (self.bits - 1);
        let low = if self.symmetric && self.narrow_range { 1 - half } else { -half };
        (low as i8, (half - 1) as i8)
    }

    pub(crate) fn from_options(entry: &Entry, o: &Resolved) -> Result<Affine> {
        let number = |name| o.number(name).unwrap_or_default();
        let treatment = match entry.id {
            "nonzero" => Treatment::KeepNonZero,
            "mixed" => Treatment::Mixed { zero_ratio: number("zeroRatio"), float_ratio: number("floatRatio") },
            _ => Treatment::Plain,
        };
        let granularity = match o.choice("granularity") {
            "channel" => Granularity::Channel { axis: number("axis") as usize },
            "group" => Granularity::Group { size: number("groupSize") as usize },
            _ => Granularity::Tensor,
        };
        let range = match o.choice("range") {
            "percentile" => RangeRule::Percentile(number("percentile")),
            "mse" => RangeRule::LeastSquares,
            "kl" => RangeRule::Entropy,
            "manual" => {
                let (lo, hi) = (number("rangeLow") as f32, number("rangeHigh") as f32);
                if lo > hi {
                    return Err(Error::new(Code::InvalidOption, "option rangeLow lies above rangeHigh")
                        .with_expected(format!("at most {hi}"))
                        .with_found(lo));
                }
                RangeRule::Manual { lo, hi }
            }
            _ => RangeRule::MinMax,
        };
        let rounding = match o.choice("rounding") {
            "away" => Rounding::TiesAway,
            "stochastic" => Rounding::Stochastic { seed: number("seed") as u32 },
            _ => Rounding::TiesEven,
        };
        Ok(Affine {
            bits: entry.bits.unwrap_or_else(|| number("bits") as u32),
            symmetric: o.flag("symmetric"),
            narrow_range: o.flag("narrowRange"),
            granularity,
            range,
            rounding,
            refit: o.flag("refit"),
            mean_correction: o.choice("correction") == "mean",
            saturate: o.choice("nonFinite") == "saturate",
            treatment,
        })
    }
}

fn choice(
    name: &'static str,
    title: &'static str,
    help: &'static str,
    default: &'static str,
    values: &[(&'static str, &'static str)],
) -> OptionSpec {
    let values = values.iter().map(|&(value, title)| ChoiceValue { value, title }).collect();
    OptionSpec { name, title, help, kind: Kind::Choice { default, values }, when: None }
}

fn options(symmetric: bool) -> Vec<OptionSpec> {
    let manual = || when("range", &[text("manual")]);
    vec![
        OptionSpec {
            name: "symmetric",
            title: "symmetric",
            help: "One scale and no zero point: the levels lie evenly around 0. Without it the levels span the range that is there.",
            kind: Kind::Flag { default: symmetric },
            when: None,
        },
        OptionSpec {
            name: "narrowRange",
            title: "narrow range",
            help: "As many levels below 0 as above. Without it the weight of largest magnitude sits on the extra level.",
            kind: Kind::Flag { default: true },
            when: when("symmetric", &[Value::Flag(true)]),
        },
        choice(
            "granularity",
            "grain",
            "What shares one scale.",
            "tensor",
            &[("tensor", "tensor"), ("channel", "channel"), ("group", "group")],
        ),
        OptionSpec {
            name: "axis",
            title: "axis",
            help: "The axis along which each index is a channel, 0 for the outermost.",
            kind: Kind::Integer { default: 0.0, min: 0.0, max: 7.0, suggestions: vec![] },
            when: when("granularity", &[text("channel")]),
        },
        OptionSpec {
            name: "groupSize",
            title: "group size",
            help: "Neighbours in a row that share a scale; the last group of a row may be short.",
            kind: Kind::Integer {
                default: 32.0,
                min: 1.0,
                max: 1_048_576.0,
                suggestions: vec![16.0, 32.0, 64.0, 128.0, 256.0],
            },
            when: when("granularity", &[text("group")]),
        },
        choice(
            "range",
            "range",
            "Where the outermost levels lie; weights beyond them are clipped.",
            "minmax",
            &[
                ("minmax", "min–max"),
                ("percentile", "percentile"),
                ("mse", "least squared error"),
                ("kl", "least information lost (KL)"),
                ("manual", "by hand"),
            ],
        ),
        OptionSpec {
            name: "percentile",
            title: "percentile",
            help: "Share of the weights that stays inside the range.",
            kind: Kind::Number { default: 99.9, min: 50.0, max: 100.0, step: Some(0.1), unit: Some("%") },
            when: when("range", &[text("percentile")]),
        },
        OptionSpec {
            name: "rangeLow",
            title: "low end",
            help: "Weights below it are clipped to the lowest level.",
            kind: Kind::Number {
                default: -1.0,
                min: f64::from(f32::MIN),
                max: f64::from(f32::MAX),
                step: None,
                unit: None,
            },
            when: manual(),
        },
        OptionSpec {
            name: "rangeHigh",
            title: "high end",
            help: "Weights above it are clipped to the highest level.",
            kind: Kind::Number {
                default: 1.0,
                min: f64::from(f32::MIN),
                max: f64::from(f32::MAX),
                step: None,
                unit: None,
            },
            when: manual(),
        },
        choice(
            "rounding",
            "rounding",
            "What happens to a weight between two levels: to the nearest (ties to the even code, or away from zero), or by chance.",
            "even",
            &[("even", "half to even"), ("away", "half away from zero"), ("stochastic", "stochastic")],
        ),
        OptionSpec {
            name: "seed",
            title: "seed",
            help: "Chooses the sequence of chances; the same seed gives the same codes.",
            kind: Kind::Integer { default: 0.0, min: 0.0, max: f64::from(u32::MAX), suggestions: vec![] },
            when: when("rounding", &[text("stochastic")]),
        },
        OptionSpec {
            name: "refit",
            title: "refit scales",
            help: "After rounding, fits each scale to the codes found by least squares, and rounds once more.",
            kind: Kind::Flag { default: false },
            when: None,
        },
        choice(
            "correction",
            "bias correction",
            "Adds to each channel what its mean lost. Costs one float per channel, and 0 is no longer exact.",
            "none",
            &[("none", "none"), ("mean", "mean per channel")],
        ),
        choice(
            "nonFinite",
            "NaN and infinities",
            "Refuse them, or turn NaN into 0 and infinities into the outermost levels.",
            "error",
            &[("error", "refuse"), ("saturate", "saturate")],
        ),
    ]
}

fn ratio(name: &'static str, title: &'static str, help: &'static str, default: f64) -> OptionSpec {
    let kind = Kind::Number { default, min: 0.0, max: 1.0, step: Some(0.01), unit: None };
    OptionSpec { name, title, help, kind, when: None }
}

/// The affine schemes for the catalogue.
#[must_use]
pub fn entries() -> Vec<Entry> {
    const JACOB: Source = Source {
        title: "Jacob et al. 2018, Quantization and Training of Neural Networks; ONNX QuantizeLinear",
        url: "https://arxiv.org/abs/1712.05877",
    };
    const ARTICLE: Source =
        Source { title: "The article on quantization that Fewerbits starts from, read as it is meant", url: "" };
    let int = |id, bits| Entry {
        id,
        title: id,
        family: "affine",
        bits: Some(bits),
        block_size: None,
        summary: "Equally spaced levels: divide by a scale, round, keep the whole number.",
        source: JACOB,
        options: options(true),
    };
    let article = |id, title, summary, own: Vec<OptionSpec>| {
        let bits = OptionSpec {
            name: "bits",
            title: "bits",
            help: "Width of a code; each bit less halves the number of levels.",
            kind: Kind::Integer { default: 8.0, min: 2.0, max: 8.0, suggestions: vec![] },
            when: None,
        };
        let mut all = vec![bits];
        all.extend(own);
        all.extend(options(false));
        Entry { id, title, family: "article", bits: None, block_size: None, summary, source: ARTICLE, options: all }
    };
    vec![
        int("int8", 8),
        int("int7", 7),
        int("int6", 6),
        int("int5", 5),
        int("int4", 4),
        int("int3", 3),
        int("int2", 2),
        article(
            "zero",
            "zero quantization",
            "Zero is a level of its own, and weights nearer to it than to the next level become zero.",
            vec![],
        ),
        article(
            "nonzero",
            "non-zero quantization",
            "No weight that is not zero becomes zero: it moves one level towards its own sign instead.",
            vec![],
        ),
        article(
            "mixed",
            "mixed quantization",
            "The smallest weights become zero, the largest stay float, the others become whole numbers.",
            vec![
                ratio(
                    "zeroRatio",
                    "share set to zero",
                    "This share of the weights, the smallest ones, becomes zero.",
                    0.5,
                ),
                ratio(
                    "floatRatio",
                    "share kept as float",
                    "This share of the weights, the largest ones, stays float: 8 bytes each, index and value.",
                    0.01,
                ),
            ],
        ),
    ]
}
