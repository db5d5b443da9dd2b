//! What can be chosen of the affine schemes, in words and as types.

use std::rc::Rc;

use super::super::Family;
use super::super::blocks::{EFFORT, WEIGHTING, search_of};
use super::super::catalogue::{ChoiceValue, Entry, Kind, OptionSpec, Resolved, Source, When};
use super::super::runs::Granularity;
use crate::error::{Code, Error, Result};
use crate::kernels::Rounding;
use crate::kernels::best::Weighting;

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
    /// Whether scales and zero points are searched, and what counts then.
    pub search: Option<Weighting>,
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
                        .with_expected(format!("at most {}", crate::error::Number(f64::from(hi))))
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
            search: search_of(o),
        })
    }
}

const fn flag(name: &'static str, title: &'static str, help: &'static str, default: bool) -> OptionSpec {
    OptionSpec { name, title, help, kind: Kind::Flag { default }, when: None }
}

const fn choice(
    name: &'static str,
    title: &'static str,
    help: &'static str,
    default: &'static str,
    values: &'static [ChoiceValue],
) -> OptionSpec {
    OptionSpec { name, title, help, kind: Kind::Choice { default, values }, when: None }
}

const fn value(value: &'static str, title: &'static str) -> ChoiceValue {
    ChoiceValue { value, title }
}

const fn end_of_range(name: &'static str, title: &'static str, help: &'static str, default: f64) -> OptionSpec {
    let (min, max) = (f32::MIN as f64, f32::MAX as f64);
    let kind = Kind::Number { default, min, max, step: None, unit: None };
    OptionSpec { name, title, help, kind, when: Some(When::Is("range", "manual")) }
}

const fn ratio(name: &'static str, title: &'static str, help: &'static str, default: f64) -> OptionSpec {
    let kind = Kind::Number { default, min: 0.0, max: 1.0, step: Some(0.01), unit: None };
    OptionSpec { name, title, help, kind, when: None }
}

const SYMMETRIC_HELP: &str =
    "One scale and no zero point: the levels lie evenly around 0. Without it the levels span the range that is there.";

const NARROW_RANGE: OptionSpec = OptionSpec {
    name: "narrowRange",
    title: "narrow range",
    help: "As many levels below 0 as above. Without it the weight of largest magnitude sits on the extra level.",
    kind: Kind::Flag { default: true },
    when: Some(When::On("symmetric")),
};

const GRANULARITY: OptionSpec = choice(
    "granularity",
    "grain",
    "What shares one scale.",
    "tensor",
    &[value("tensor", "tensor"), value("channel", "channel"), value("group", "group")],
);

const AXIS: OptionSpec = OptionSpec {
    name: "axis",
    title: "axis",
    help: "The axis along which each index is a channel, 0 for the outermost.",
    kind: Kind::Integer { default: 0.0, min: 0.0, max: 7.0, suggestions: &[] },
    when: Some(When::Is("granularity", "channel")),
};

const GROUP_SIZE: OptionSpec = OptionSpec {
    name: "groupSize",
    title: "group size",
    help: "Neighbours in a row that share a scale; the last group of a row may be short.",
    kind: Kind::Integer { default: 32.0, min: 1.0, max: 1_048_576.0, suggestions: &[16.0, 32.0, 64.0, 128.0, 256.0] },
    when: Some(When::Is("granularity", "group")),
};

const RANGE: OptionSpec = choice(
    "range",
    "range",
    "Where the outermost levels lie; weights beyond them are clipped.",
    "minmax",
    &[
        value("minmax", "min–max"),
        value("percentile", "percentile"),
        value("mse", "least squared error"),
        value("kl", "least information lost (KL)"),
        value("manual", "by hand"),
    ],
);

const PERCENTILE: OptionSpec = OptionSpec {
    name: "percentile",
    title: "percentile",
    help: "Share of the weights that stays inside the range.",
    kind: Kind::Number { default: 99.9, min: 50.0, max: 100.0, step: Some(0.1), unit: Some("%") },
    when: Some(When::Is("range", "percentile")),
};

const RANGE_LOW: OptionSpec =
    end_of_range("rangeLow", "low end", "Weights below it are clipped to the lowest level.", -1.0);

const RANGE_HIGH: OptionSpec =
    end_of_range("rangeHigh", "high end", "Weights above it are clipped to the highest level.", 1.0);

const ROUNDING: OptionSpec = choice(
    "rounding",
    "rounding",
    "What happens to a weight between two levels: to the nearest (ties to the even code, or away from zero), or by chance.",
    "even",
    &[value("even", "half to even"), value("away", "half away from zero"), value("stochastic", "stochastic")],
);

const SEED: OptionSpec = OptionSpec {
    name: "seed",
    title: "seed",
    help: "Chooses the sequence of chances; the same seed gives the same codes.",
    kind: Kind::Integer { default: 0.0, min: 0.0, max: u32::MAX as f64, suggestions: &[] },
    when: Some(When::Is("rounding", "stochastic")),
};

const REFIT: OptionSpec = flag(
    "refit",
    "refit scales",
    "After rounding, fits each scale to the codes found by least squares, and rounds once more.",
    false,
);

const CORRECTION: OptionSpec = choice(
    "correction",
    "bias correction",
    "Adds to each channel what its mean lost. Costs one float per channel, and 0 is no longer exact.",
    "none",
    &[value("none", "none"), value("mean", "mean per channel")],
);

const NON_FINITE: OptionSpec = choice(
    "nonFinite",
    "NaN and infinities",
    "Refuse them, or turn NaN into 0 and infinities into the outermost levels.",
    "error",
    &[value("error", "refuse"), value("saturate", "saturate")],
);

const BITS: OptionSpec = OptionSpec {
    name: "bits",
    title: "bits",
    help: "Width of a code; each bit less halves the number of levels.",
    kind: Kind::Integer { default: 8.0, min: 2.0, max: 8.0, suggestions: &[] },
    when: None,
};

const ZERO_RATIO: OptionSpec =
    ratio("zeroRatio", "share set to zero", "This share of the weights, the smallest ones, becomes zero.", 0.5);

const FLOAT_RATIO: OptionSpec = ratio(
    "floatRatio",
    "share kept as float",
    "This share of the weights, the largest ones, stays float: 8 bytes each, index and value.",
    0.01,
);

/// The options of every affine scheme after those of its own.
macro_rules! options {
    ($symmetric:literal $(, $own:expr)*) => {
        &[
            $($own,)*
            flag("symmetric", "symmetric", SYMMETRIC_HELP, $symmetric),
            NARROW_RANGE, GRANULARITY, AXIS, GROUP_SIZE, RANGE, PERCENTILE, RANGE_LOW, RANGE_HIGH, ROUNDING, SEED, REFIT,
            CORRECTION, NON_FINITE,
        ]
    };
}

const INT_OPTIONS: &[OptionSpec] = options!(true, EFFORT, WEIGHTING);

const fn int(id: &'static str, bits: u32) -> Entry {
    Entry {
        id,
        title: id,
        family: "affine",
        bits: Some(bits),
        block_size: None,
        summary: "Equally spaced levels: divide by a scale, round, keep the whole number.",
        source: Source {
            title: "Jacob et al. 2018, Quantization and Training of Neural Networks; ONNX QuantizeLinear",
            url: "https://arxiv.org/abs/1712.05877",
        },
        options: INT_OPTIONS,
        build,
    }
}

fn build(entry: &Entry, options: &Resolved) -> Result<Rc<dyn Family>> {
    let affine = Affine::from_options(entry, options)?;
    if affine.search.is_some() && !cfg!(feature = "full") {
        return Err(Error::new(Code::Unsupported, "this build of the engine does not search")
            .with_expected("the whole engine, with the feature `full`"));
    }
    Ok(Rc::new(affine))
}

const fn article(
    id: &'static str,
    title: &'static str,
    summary: &'static str,
    options: &'static [OptionSpec],
) -> Entry {
    let source =
        Source { title: "The article on quantization that Fewerbits starts from, read as it is meant", url: "" };
    Entry { id, title, family: "article", bits: None, block_size: None, summary, source, options, build }
}

/// The affine schemes for the catalogue.
pub const ENTRIES: &[Entry] = &[
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
        options!(false, BITS),
    ),
    article(
        "nonzero",
        "non-zero quantization",
        "No weight that is not zero becomes zero: it moves one level towards its own sign instead.",
        options!(false, BITS),
    ),
    article(
        "mixed",
        "mixed quantization",
        "The smallest weights become zero, the largest stay float, the others become whole numbers.",
        options!(false, BITS, ZERO_RATIO, FLOAT_RATIO),
    ),
];
