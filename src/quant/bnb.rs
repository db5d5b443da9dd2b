//! bitsandbytes' 4-bit types (Dettmers et al. 2023, QLoRA): blocks over the flattened tensor, each divided by its largest magnitude.
//!
//! Codes are those of the CUDA kernels `dQuantizeNF4` and `dQuantizeFP4`: `x · (1/absmax)` in f32 against their printed thresholds. Where
//! the kernels leave it open: an absmax below 1e-38 counts as 1e-38 when it is divided by (as in the library's own CPU code), so a block of
//! zeros has codes of zero.
//!
//! Double quantization: the absmax of all blocks, less their mean, in 8-bit codes of the library's signed dynamic map, in blocks of 256 that
//! are divided by their own largest magnitude. Codes of weights are found with the absmax as it was before.
//!
//! Packed layout: `absmax: f32` per block, or with double quantization `mean: f32`, `absmax: f32` per 256 blocks and one byte per block;
//! then the codes, two in a byte, the first in the high nibble, as bitsandbytes packs them.

use std::rc::Rc;

use super::Family;
use super::blocks::{EFFORT, NON_FINITE, WEIGHTING, search_of};
use super::catalogue::{Entry, Kind, OptionSpec, Resolved, Source};
use super::codebook::sorted::sort_few;
use super::codebook::table::{from_bytes, next_below, to_bytes};
use super::codebook::{Book, Codec, Layout, Packing, Table, Weights, family};
use super::runs::Granularity;
use crate::error::{Code, Error, Result};
use crate::kernels::best::{self, Ladder, Range, Weighting};
use crate::kernels::{codebook, extent};
use crate::tensor::Shape;

/// The NormalFloat levels by code.
#[allow(clippy::excessive_precision, reason = "the digits that the reference prints")]
const NF4: [f32; 16] = [
    -1.0,
    -0.696_192_800_998_687_7,
    -0.525_073_051_452_636_7,
    -0.394_917_488_098_144_53,
    -0.284_441_381_692_886_35,
    -0.184_773_430_228_233_34,
    -0.091_050_036_251_544_95,
    0.0,
    0.079_580_299_556_255_34,
    0.160_930_201_411_247_25,
    0.246_112_301_945_686_34,
    0.337_915_241_718_292_24,
    0.440_709_829_330_444_34,
    0.562_617_003_917_694_1,
    0.722_956_836_223_602_3,
    1.0,
];

/// What lies above the i-th belongs to a code above i.
#[allow(
    clippy::excessive_precision,
    reason = "the digits that the reference prints; some lie near the middle of two f32"
)]
const NF4_CUTS: [f32; 15] = [
    -0.848_096_400_499_343_9,
    -0.610_632_926_225_662_2,
    -0.459_995_269_775_390_6,
    -0.339_679_434_895_515_44,
    -0.234_607_405_960_559_84,
    -0.137_911_733_239_889_14,
    -0.045_525_018_125_772_476,
    0.039_790_149_778_127_67,
    0.120_255_250_483_751_3,
    0.203_521_251_678_466_8,
    0.292_013_771_831_989_3,
    0.389_312_535_524_368_3,
    0.501_663_416_624_069_2,
    0.642_786_920_070_648_2,
    0.861_478_418_111_801_1,
];

/// The FP4 levels by code: sign bit, then an order of their own.
const FP4: [f32; 16] = [
    0.0,
    0.005_208_333_3,
    0.666_666_7,
    1.0,
    0.333_333_34,
    0.5,
    0.166_666_67,
    0.25,
    0.0,
    -0.005_208_333_3,
    -0.666_666_7,
    -1.0,
    -0.333_333_34,
    -0.5,
    -0.166_666_67,
    -0.25,
];

/// Codes by value: zero with a sign comes before zero.
const FP4_ORDER: [i8; 16] = [11, 10, 13, 12, 15, 14, 9, 8, 0, 1, 6, 7, 4, 5, 2, 3];

/// The thresholds that the kernel compares magnitudes with.
const FP4_MAGNITUDES: [f32; 7] =
    [0.002_604_17, 0.085_937_5, 0.208_333_33, 0.291_666_67, 0.416_666_7, 0.583_333, 0.833_333_3];

/// The same for signed values: a magnitude that equals a threshold belongs to the smaller one, on both sides.
const FP4_CUTS: [f32; 15] = {
    let mut cuts = [next_below(0.0); 15];
    let mut i = 0;
    while i < 7 {
        cuts[8 + i] = FP4_MAGNITUDES[i];
        cuts[6 - i] = next_below(-FP4_MAGNITUDES[i]);
        i += 1;
    }
    cuts
};

/// Blocks whose absmax share a scale of their own.
const NESTED: usize = 256;

#[derive(Debug, Clone, Copy)]
struct Bnb {
    fp4: bool,
    block_size: usize,
    double: bool,
    search: Option<Weighting>,
}

impl Bnb {
    /// Entries by code, cuts, and the codes in the order of their values.
    fn levels(&self) -> ([f32; 16], [f32; 15], &'static [i8]) {
        if self.fp4 { (FP4, FP4_CUTS, &FP4_ORDER) } else { (NF4, NF4_CUTS, &[]) }
    }

    /// Scales of less error, one for each block: searched where each is stored as it is; in double quantization, where blocks depend on
    /// each other, they stay as they are read and codes are found with those.
    fn search(&self, weights: &Weights<'_>, scales: &mut [f32], weighting: Weighting) {
        let (entries, cuts, order) = self.levels();
        let mut levels = entries;
        sort_few(&mut levels, |a, b| a <= b);
        let ladder = Ladder::new(&levels, Range::new(0.65, 1.2, 3));
        let (mut run, mut counts, mut codes, mut back) = (0, Vec::new(), Vec::new(), Vec::new());
        weights.each_run(&mut |x| {
            let reference = scales[run];
            counts.resize(x.len(), 0.0);
            best::fill_weights(x, weighting, &mut counts);
            codes.resize(x.len(), 0);
            back.resize(x.len(), 0.0);
            let mut error = |scale: f32| {
                codebook::encode(x, inverse(scale), &cuts, &mut codes);
                if !order.is_empty() {
                    codes.iter_mut().for_each(|code| *code = order[*code as usize]);
                }
                codebook::decode(&codes, &entries, scale, &mut back);
                best::error(x, &counts, &back)
            };
            let found = ladder.fit(x, &counts, reference).filter(|found| *found > 1e-38 && found.is_finite());
            if let Some(found) = found.filter(|&found| error(found) < error(reference)) {
                scales[run] = found;
            }
            run += 1;
        });
    }

    fn table(&self, scales: Vec<f32>, factors: Vec<f32>, side: Vec<u8>) -> Rc<dyn Codec> {
        let (entries, cuts, order) = self.levels();
        Rc::new(Table {
            side,
            factors,
            shown_scales: scales.clone(),
            scales,
            cuts: cuts.to_vec(),
            entries: entries.to_vec(),
            len: 16,
            order,
            ..Table::default()
        })
    }
}

/// `1/absmax` without overflow.
fn inverse(absmax: f32) -> f32 {
    1.0 / absmax.max(1e-38)
}

impl Book for Bnb {
    fn layout(&self, shape: &Shape) -> Result<Layout> {
        let flat = Shape::new(&[shape.count()])?;
        let size = self.block_size;
        let packing = Packing::HighFirst { pad: if self.fp4 { 0 } else { 7 } };
        let mut layout = Layout::new(&flat, Granularity::Group { size }, packing)?;
        layout.noun = "block";
        let mut layout = layout.with_side(4)?;
        let blocks = layout.runs.len();
        if self.double && blocks > 0 {
            layout.side_len = 4 + 4 * blocks.div_ceil(NESTED) + blocks;
        }
        Ok(layout)
    }

    fn fit(&self, weights: &Weights<'_>) -> Result<Rc<dyn Codec>> {
        let mut absmax = Vec::with_capacity(weights.layout.runs.len());
        weights.each_run(&mut |x| absmax.push(extent(x).abs_max));
        if let Some(weighting) = self.search.filter(|_| !self.double) {
            self.search(weights, &mut absmax, weighting);
        }
        let factors = absmax.iter().map(|&absmax| inverse(absmax)).collect();
        if !self.double || absmax.is_empty() {
            let side = to_bytes(absmax.iter().copied());
            return Ok(self.table(absmax, factors, side));
        }
        let nested = Nested::of(&absmax);
        if self.search.is_some() {
            let read = nested.read();
            let factors = read.iter().zip(&factors).map(|(&r, &f): (&f32, &f32)| if r > 0.0 { inverse(r) } else { f });
            return Ok(self.table(read.clone(), factors.collect(), nested.bytes()));
        }
        Ok(self.table(nested.read(), factors, nested.bytes()))
    }

    fn read(&self, side: &[u8], layout: &Layout) -> Result<Rc<dyn Codec>> {
        let blocks = layout.runs.len();
        let scales = if self.double && blocks > 0 {
            let (floats, codes) = side.split_at(layout.side_len - blocks);
            let floats = from_bytes(floats);
            Nested { mean: floats[0], absmax: floats[1..].to_vec(), codes: codes.iter().map(|&c| c as i8).collect() }
                .read()
        } else {
            from_bytes(side)
        };
        Ok(self.table(scales, Vec::new(), Vec::new()))
    }
}

/// The absmax of all blocks in 8 bits each.
struct Nested {
    mean: f32,
    absmax: Vec<f32>,
    codes: Vec<i8>,
}

impl Nested {
    fn of(values: &[f32]) -> Nested {
        let sum: f64 = values.iter().map(|&v| f64::from(v)).sum();
        let mean = (sum / values.len() as f64) as f32;
        let centred: Vec<f32> = values.iter().map(|v| v - mean).collect();
        let map = dynamic_map();
        let cuts: Vec<f32> = map.windows(2).map(|pair| (pair[0] + pair[1]) / 2.0).collect();
        let mut codes = vec![0; values.len()];
        let absmax = centred.chunks(NESTED).zip(codes.chunks_mut(NESTED)).map(|(x, codes)| {
            let absmax = extent(x).abs_max;
            codebook::encode(x, inverse(absmax), &cuts, codes);
            absmax
        });
        Nested { mean, absmax: absmax.collect(), codes }
    }

    fn bytes(&self) -> Vec<u8> {
        let mut bytes = to_bytes([self.mean].into_iter().chain(self.absmax.iter().copied()));
        bytes.extend(self.codes.iter().map(|&code| code as u8));
        bytes
    }

    fn read(&self) -> Vec<f32> {
        let map = dynamic_map();
        let each = self.codes.iter().enumerate();
        each.map(|(i, &code)| map[usize::from(code as u8)] * self.absmax[i / NESTED] + self.mean).collect()
    }
}

/// bitsandbytes' signed 8-bit dynamic map, ascending (`create_dynamic_map`): for each power of ten from 10⁻⁶ to 1 twice as many values as for
/// the one before, the middles of equal parts of 0.1 … 1; 0 and 1 besides. In f32, each step rounded as PyTorch rounds it on x86-64 with AVX2,
/// where its `linspace` multiplies and adds with one rounding.
#[must_use]
pub fn dynamic_map() -> [f32; 256] {
    let mut map = [0.0; 256];
    map[1] = 1.0;
    let mut n = 2;
    // Powers of ten that are not exact are rounded once, from f64.
    for (i, power) in [1e-6_f32, 1e-5, 1e-4, 1e-3, 1e-2, 1e-1, 1.0].into_iter().enumerate() {
        let parts = 1_usize << i;
        let step = 0.9_f32 / parts as f32;
        // As `linspace` counts: from the near end. Exact in f64, so that there is one rounding.
        let edge = |k: usize| {
            let near = k < parts.div_ceil(2);
            let (from, steps) = if near { (0.1_f32, k as f64) } else { (1.0, k as f64 - parts as f64) };
            (f64::from(from) + f64::from(step) * steps) as f32
        };
        for k in 0..parts {
            let value = power * ((edge(k) + edge(k + 1)) / 2.0);
            (map[n], map[n + 1]) = (value, -value);
            n += 2;
        }
    }
    sort_few(&mut map, |a, b| a <= b);
    map
}

const BLOCK_SIZE: OptionSpec = OptionSpec {
    name: "blockSize",
    title: "block size",
    help: "Neighbours in the flattened tensor that share an absmax: a power of two from 32 to 4096.",
    kind: Kind::Integer {
        default: 64.0,
        min: 32.0,
        max: 4096.0,
        suggestions: &[32.0, 64.0, 128.0, 256.0, 512.0, 1024.0, 2048.0, 4096.0],
    },
    when: None,
};

const DOUBLE_QUANT: OptionSpec = OptionSpec {
    name: "doubleQuant",
    title: "double quantization",
    help: "Quantizes the blocks' absmax too, to 8 bits: about 0.37 bits less per weight at blocks of 64.",
    kind: Kind::Flag { default: false },
    when: None,
};

fn build(entry: &Entry, options: &Resolved) -> Result<Rc<dyn Family>> {
    let size = options.number("blockSize").unwrap_or(64.0) as usize;
    if !size.is_power_of_two() {
        return Err(Error::new(Code::InvalidOption, "option blockSize: bitsandbytes has no such block")
            .with_expected("a power of two from 32 to 4096")
            .with_found(size));
    }
    let book = Bnb {
        fp4: entry.id == "bnb_fp4",
        block_size: size,
        double: options.flag("doubleQuant"),
        search: search_of(options),
    };
    Ok(family(book, options))
}

const fn entry(id: &'static str, summary: &'static str) -> Entry {
    Entry {
        id,
        title: id,
        family: "bnb",
        bits: Some(4),
        block_size: None,
        summary,
        source: Source { title: "Dettmers et al. 2023, QLoRA; bitsandbytes", url: "https://arxiv.org/abs/2305.14314" },
        options: &[BLOCK_SIZE, DOUBLE_QUANT, EFFORT, WEIGHTING, NON_FINITE],
        build,
    }
}

/// The bitsandbytes schemes for the catalogue.
pub const ENTRIES: &[Entry] = &[
    entry("nf4", "16 levels at the quantiles of a bell curve, times the largest magnitude of each block."),
    entry("bnb_fp4", "16 floating-point levels of bitsandbytes, times the largest magnitude of each block."),
];
