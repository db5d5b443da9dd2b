//! What can be chosen of the float formats.

use std::rc::Rc;

use super::super::Family;
use super::super::blocks::{Blocks, EFFORT, FLATTEN, NON_FINITE, OPTIONS_WITH_EFFORT, WEIGHTING, search_of};
use super::super::catalogue::{ChoiceValue, Entry, Kind, OptionSpec, Resolved, Source, When};
use super::fitted::{Float, Scaling};
use super::mx;
use crate::error::{Code, Error, Result};
use crate::kernels::float::Narrow;

const fn value(value: &'static str, title: &'static str) -> ChoiceValue {
    ChoiceValue { value, title }
}

const fn overflow(default: &'static str, values: &'static [ChoiceValue]) -> OptionSpec {
    OptionSpec {
        name: "overflow",
        title: "overflow",
        help: "What a weight beyond the greatest finite value becomes.",
        kind: Kind::Choice { default, values },
        when: None,
    }
}

const SATURATE: ChoiceValue = value("saturate", "greatest value");

const TO_INFINITY: OptionSpec = overflow("infinity", &[value("infinity", "infinity"), SATURATE]);

const SCALE: OptionSpec = OptionSpec {
    name: "scale",
    title: "scale",
    help: "What shares a scale that puts the weight of largest magnitude on the greatest value of the format.",
    kind: Kind::Choice {
        default: "none",
        values: &[value("none", "none"), value("tensor", "per tensor"), value("channel", "per channel")],
    },
    when: None,
};

const AXIS: OptionSpec = OptionSpec {
    name: "axis",
    title: "axis",
    help: "The axis along which each index is a channel, 0 for the outermost.",
    kind: Kind::Integer { default: 0.0, min: 0.0, max: 7.0, suggestions: &[] },
    when: Some(When::Is("scale", "channel")),
};

const ELEMENT: OptionSpec = OptionSpec {
    name: "element",
    title: "element",
    help: "The float that each weight is stored as: more fraction bits or more range.",
    kind: Kind::Choice { default: "e4m3", values: &[value("e4m3", "E4M3"), value("e5m2", "E5M2")] },
    when: None,
};

const IEEE: Source = Source { title: "IEEE 754-2019, binary16", url: "https://doi.org/10.1109/IEEESTD.2019.8766229" };
const BFLOAT16: Source = Source { title: "BFLOAT16, Intel 2018", url: "https://arxiv.org/abs/1905.12322" };
const FP8: Source = Source {
    title: "OCP 8-bit Floating Point Specification (OFP8), 2023",
    url: "https://www.opencompute.org/documents/ocp-8-bit-floating-point-specification-ofp8-revision-1-0-2023-12-01-pdf-1",
};
const MX: Source = Source {
    title: "OCP Microscaling Formats (MX) v1.0, 2023",
    url: "https://www.opencompute.org/documents/ocp-microscaling-formats-mx-v1-0-spec-final-pdf",
};
const NVIDIA: Source = Source {
    title: "NVIDIA TensorRT Model Optimizer, NVFP4",
    url: "https://github.com/NVIDIA/TensorRT-Model-Optimizer",
};

const fn entry(
    id: &'static str,
    bits: u32,
    block_size: Option<u32>,
    summary: &'static str,
    source: Source,
    options: &'static [OptionSpec],
) -> Entry {
    Entry { id, title: id, family: "float", bits: Some(bits), block_size, summary, source, options, build }
}

/// The float schemes for the catalogue.
pub const ENTRIES: &[Entry] = &[
    entry("f16", 16, None, "Half precision: 5 exponent bits, 10 fraction bits.", IEEE, &[TO_INFINITY, NON_FINITE]),
    entry(
        "bf16",
        16,
        None,
        "The upper half of a 32-bit float: its whole range, 7 fraction bits.",
        BFLOAT16,
        &[TO_INFINITY, NON_FINITE],
    ),
    entry(
        "fp8_e4m3",
        8,
        None,
        "8-bit float: 4 exponent bits, 3 fraction bits, up to 448.",
        FP8,
        &[SCALE, AXIS, overflow("saturate", &[SATURATE, value("nan", "NaN")]), NON_FINITE],
    ),
    entry(
        "fp8_e5m2",
        8,
        None,
        "8-bit float: 5 exponent bits, 2 fraction bits, up to 57344.",
        FP8,
        &[SCALE, AXIS, overflow("saturate", &[SATURATE, value("infinity", "infinity")]), NON_FINITE],
    ),
    entry(
        "fp4_e2m1",
        4,
        None,
        "4-bit float: 0, ½, 1, 1½, 2, 3, 4, 6 and their negatives; of use with a scale.",
        MX,
        &[SCALE, AXIS, NON_FINITE],
    ),
    entry(
        "ocp_mxfp8",
        8,
        Some(32),
        "32 weights share a power of two; each is an 8-bit float.",
        MX,
        &[ELEMENT, EFFORT, WEIGHTING, FLATTEN, NON_FINITE],
    ),
    entry("ocp_mxfp4", 4, Some(32), "32 weights share a power of two; each is a 4-bit float.", MX, OPTIONS_WITH_EFFORT),
    entry(
        "nv_nvfp4",
        4,
        Some(16),
        "16 weights share an 8-bit float scale, all blocks a 32-bit one; each weight is a 4-bit float.",
        NVIDIA,
        OPTIONS_WITH_EFFORT,
    ),
];

fn build(entry: &Entry, o: &Resolved) -> Result<Rc<dyn Family>> {
    let format = match entry.id {
        "f16" => Narrow::F16,
        "bf16" => Narrow::BF16,
        "fp8_e4m3" => Narrow::E4M3,
        "fp8_e5m2" => Narrow::E5M2,
        "fp4_e2m1" | "nv_nvfp4" => Narrow::E2M1,
        "ocp_mxfp4" => return Ok(Blocks::family(&mx::FP4, o)),
        "ocp_mxfp8" if o.choice("element") == "e5m2" => return Ok(Blocks::family(&mx::FP8_E5M2, o)),
        "ocp_mxfp8" => return Ok(Blocks::family(&mx::FP8_E4M3, o)),
        other => return Err(Error::new(Code::UnknownScheme, other)),
    };
    let scaling = match o.choice("scale") {
        _ if entry.id == "nv_nvfp4" => Scaling::Blocks { flatten: o.flag("flatten") },
        "tensor" => Scaling::Tensor,
        "channel" => Scaling::Channel { axis: o.number("axis").unwrap_or_default() as usize },
        _ => Scaling::None,
    };
    Ok(Rc::new(Float {
        format,
        scaling,
        saturate_overflow: matches!(o.choice("overflow"), "saturate" | ""),
        saturate: o.choice("nonFinite") == "saturate",
        search: search_of(o),
    }))
}
