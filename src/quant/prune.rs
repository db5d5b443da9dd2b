//! Pruning by magnitude: which weights become zero, and how the places of the others are stored.
//!
//! - **ratio**: the `⌊ratio · count⌋` smallest; of equal ones the last in memory order.
//! - **threshold**: magnitudes below it.
//! - **nm**: of each M neighbours in a row the N largest stay (the first of equal ones); the last few of a row may be fewer than M.
//!
//! The places: a bit for each weight, 1 for one that stays, first weight lowest; for nm, group after group, the N indices of ⌈log₂ M⌉ bits
//! (2:4 has one bit per weight, 1:4 half a bit), or a bit for each weight where that is shorter. Padded to a byte at the end.

use super::affine::Split;
use super::catalogue::{ChoiceValue, Kind, OptionSpec, Resolved, When};
use super::huffman::{BitReader, BitWriter};
use crate::error::{Code, Error, Result};
use crate::tensor::{Shape, to_usize, try_vec};

/// What is pruned, decided but for the weights.
#[derive(Debug, Clone, Copy)]
pub(super) enum Prune {
    Ratio(f64),
    Threshold(f32),
    /// `n` of `m` stay.
    Nm(usize, usize),
}

/// A rule fitted to a tensor.
#[derive(Debug, Clone, Copy)]
pub(super) enum Rule {
    Smallest(Split),
    Below(f32),
    Nm { n: usize, m: usize, row: usize },
}

/// Which weights stay.
#[derive(Debug, Clone)]
pub(super) struct Places {
    /// A bit for each weight, first lowest.
    bits: Vec<u8>,
    /// Weights that stay.
    pub kept: usize,
}

impl Places {
    fn none(count: usize) -> Result<Places> {
        Ok(Places { bits: try_vec(0, count.div_ceil(8))?, kept: 0 })
    }

    fn keep(&mut self, index: usize) {
        self.bits[index / 8] |= 1 << (index % 8);
        self.kept += 1;
    }

    pub fn keeps(&self, index: usize) -> bool {
        self.bits[index / 8] >> (index % 8) & 1 == 1
    }

    /// Puts `value` where weights were pruned; `out` are elements from `start` on. Without a branch, since which stay is hard to foresee.
    pub fn fill_pruned(&self, start: usize, value: f32, out: &mut [f32]) {
        let head = out.len().min(start.next_multiple_of(8) - start);
        let (head, whole) = out.split_at_mut(head);
        for (i, out) in head.iter_mut().enumerate() {
            *out = if self.keeps(start + i) { *out } else { value };
        }
        let bytes = self.bits.get(start.div_ceil(8)..).unwrap_or_default();
        for (byte, eight) in bytes.iter().zip(whole.chunks_mut(8)) {
            for (lane, out) in eight.iter_mut().enumerate() {
                let stays = 0_u32.wrapping_sub(u32::from(byte >> lane & 1));
                *out = f32::from_bits(out.to_bits() & stays | value.to_bits() & !stays);
            }
        }
    }

    /// Those of a value for each weight that belong to weights that stay.
    pub fn of_kept(&self, mut values: Vec<u8>) -> Vec<u8> {
        let mut kept = 0;
        for index in 0..values.len() {
            values[kept] = values[index];
            kept += usize::from(self.keeps(index));
        }
        values.truncate(kept);
        values
    }

    /// How many before `index` stay.
    pub fn kept_before(&self, index: usize) -> usize {
        let whole: u32 = self.bits[..index / 8].iter().map(|byte| byte.count_ones()).sum();
        let rest = (index / 8 * 8..index).filter(|&i| self.keeps(i)).count();
        whole as usize + rest
    }
}

impl Prune {
    /// The rule that options choose, if any.
    pub fn from_options(options: &Resolved) -> Result<Option<Prune>> {
        let number = |name| options.number(name).unwrap_or_default();
        Ok(match options.choice("prune") {
            "ratio" => Some(Prune::Ratio(number("pruneRatio"))),
            "threshold" => Some(Prune::Threshold(number("pruneThreshold") as f32)),
            "nm" => {
                let (n, m) = (number("pruneN") as usize, number("pruneM") as usize);
                if n > m {
                    return Err(Error::new(
                        Code::InvalidOption,
                        "option pruneN: more weights cannot stay than there are",
                    )
                    .with_expected(format!("at most {m}, pruneM"))
                    .with_found(n));
                }
                Some(Prune::Nm(n, m))
            }
            _ => None,
        })
    }

    /// Weights that stay, where that does not hang on their values.
    pub fn kept_of(self, shape: &Shape) -> Result<Option<usize>> {
        let count = to_usize(shape.count())?;
        Ok(match self {
            Prune::Ratio(ratio) => Some(count - (ratio * count as f64).floor() as usize),
            Prune::Threshold(_) => None,
            Prune::Nm(n, m) => {
                let (_, row) = shape.matrix();
                let row = to_usize(row)?;
                Some(count.checked_div(row).unwrap_or(0) * (row / m * n + (row % m).min(n)))
            }
        })
    }

    /// Looks at the weights.
    pub fn fit(self, x: &[f32], shape: &Shape) -> Result<(Rule, Places)> {
        let mut places = Places::none(x.len())?;
        let (_, row) = shape.matrix();
        let rule = match self {
            Prune::Ratio(ratio) => Rule::Smallest(Split::new(x, ratio, 0.0)?),
            Prune::Threshold(limit) => Rule::Below(limit),
            Prune::Nm(n, m) => Rule::Nm { n, m, row: to_usize(row)? },
        };
        for (byte, (bits, eight)) in places.bits.iter_mut().zip(x.chunks(8)).enumerate() {
            for (lane, &weight) in eight.iter().enumerate() {
                *bits |= u8::from(!rule.prunes(x, byte * 8 + lane, weight)) << lane;
            }
            places.kept += bits.count_ones() as usize;
        }
        Ok((rule, places))
    }

    /// Bytes of the stored places.
    pub fn places_len(self, shape: &Shape) -> Result<usize> {
        let count = to_usize(shape.count())?;
        let mut bits = count;
        if let Prune::Nm(n, m) = self {
            bits = 0;
            for_each_group(shape, m, &mut |start, end| bits += group_bits(n, m, end - start).1);
        }
        Ok(bits.div_ceil(8))
    }

    /// Appends the stored places.
    pub fn write(self, places: &Places, shape: &Shape, out: &mut Vec<u8>) {
        let Prune::Nm(n, m) = self else {
            return out.extend_from_slice(&places.bits);
        };
        let mut bits = BitWriter::new(out);
        for_each_group(shape, m, &mut |start, end| {
            let (width, _) = group_bits(n, m, end - start);
            for index in start..end {
                let stays = places.keeps(index);
                if width == 0 {
                    bits.put(u32::from(stays), 1);
                } else if stays {
                    bits.put((index - start) as u32, width);
                }
            }
        });
        bits.finish();
    }

    /// Reads them, from as many bytes as [`Prune::places_len`] says.
    pub fn read(self, bytes: &[u8], shape: &Shape) -> Result<Places> {
        let count = to_usize(shape.count())?;
        let mut places = Places::none(count)?;
        let mut bits = BitReader::new(bytes);
        let mut take = |width: u32| {
            let word = bits.peek(width);
            bits.skip(width);
            word as usize
        };
        let Prune::Nm(n, m) = self else {
            (0..count).filter(|_| take(1) == 1).for_each(|index| places.keep(index));
            return Ok(places);
        };
        let mut broken = false;
        for_each_group(shape, m, &mut |start, end| {
            let (width, _) = group_bits(n, m, end - start);
            if width == 0 {
                (start..end).filter(|_| take(1) == 1).for_each(|index| places.keep(index));
                return;
            }
            let mut last = None;
            for _ in 0..n.min(end - start) {
                let index = start + take(width);
                if index >= end || last.is_some_and(|last| last >= index) {
                    broken = true;
                } else {
                    places.keep(index);
                    last = Some(index);
                }
            }
        });
        if broken || self.kept_of(shape)?.is_some_and(|kept| kept != places.kept) {
            return Err(Error::new(Code::ShapeMismatch, "the places of the weights that stay are broken"));
        }
        Ok(places)
    }

    /// First bit and number of the bits in the stored places that tell of an element.
    pub fn place_bits(self, shape: &Shape, index: usize) -> (u64, u32) {
        let Prune::Nm(n, m) = self else { return (index as u64, 1) };
        let (mut bit, mut found) = (0, (0, 0));
        for_each_group(shape, m, &mut |start, end| {
            let (_, total) = group_bits(n, m, end - start);
            if (start..end).contains(&index) {
                found = (bit, total as u32);
            }
            bit += total as u64;
        });
        found
    }
}

/// Bits of an index (0 where a bit for each weight is shorter) and of all that is stored of a group.
fn group_bits(n: usize, m: usize, len: usize) -> (u32, usize) {
    let width = m.next_power_of_two().trailing_zeros();
    let indices = n.min(len) * width as usize;
    if indices <= len { (width, indices) } else { (0, len) }
}

/// Calls `f(start, end)` for each M neighbours of each row.
fn for_each_group(shape: &Shape, m: usize, f: &mut dyn FnMut(usize, usize)) {
    let (rows, row) = shape.matrix();
    let (rows, row) = (rows as usize, row as usize);
    for row_start in (0..rows * row).step_by(row.max(1)) {
        for start in (row_start..row_start + row).step_by(m) {
            f(start, (start + m).min(row_start + row));
        }
    }
}

/// A magnitude to compare by; NaN counts as nothing.
fn magnitude(x: f32) -> f32 {
    if x.is_nan() { 0.0 } else { x.abs() }
}

impl Rule {
    /// Whether `weight` would be pruned in the place of element `index` of `x`.
    pub fn prunes(&self, x: &[f32], index: usize, weight: f32) -> bool {
        match *self {
            Rule::Smallest(split) => split.zeroes(weight, index),
            Rule::Below(limit) => weight.abs() < limit,
            Rule::Nm { n, m, row } => {
                let row_start = index / row * row;
                let start = row_start + (index - row_start) / m * m;
                let end = (start + m).min(row_start + row);
                let own = magnitude(weight);
                let larger = (start..end).filter(|&i| {
                    let other = magnitude(x[i]);
                    i != index && (other > own || other == own && i < index)
                });
                larger.count() >= n
            }
        }
    }
}

/// The options.
pub(super) const OPTIONS: [OptionSpec; 5] = [
    OptionSpec {
        name: "prune",
        title: "prune first",
        help: "Small weights become exactly zero before all else; only the others are stored, and the places of those.",
        kind: Kind::Choice {
            default: "none",
            values: &[
                ChoiceValue { value: "none", title: "none" },
                ChoiceValue { value: "ratio", title: "share" },
                ChoiceValue { value: "threshold", title: "threshold" },
                ChoiceValue { value: "nm", title: "N of M" },
            ],
        },
        when: None,
    },
    OptionSpec {
        name: "pruneRatio",
        title: "share pruned",
        help: "This share of the weights, the smallest ones, becomes zero.",
        kind: Kind::Number { default: 0.5, min: 0.0, max: 1.0, step: Some(0.01), unit: None },
        when: Some(When::Is("prune", "ratio")),
    },
    OptionSpec {
        name: "pruneThreshold",
        title: "threshold",
        help: "Weights of a smaller magnitude become zero.",
        kind: Kind::Number { default: 0.01, min: 0.0, max: f32::MAX as f64, step: None, unit: None },
        when: Some(When::Is("prune", "threshold")),
    },
    OptionSpec {
        name: "pruneN",
        title: "N that stay",
        help: "So many of each M neighbours stay, the largest.",
        kind: Kind::Integer { default: 2.0, min: 1.0, max: 32.0, suggestions: &[] },
        when: Some(When::Is("prune", "nm")),
    },
    OptionSpec {
        name: "pruneM",
        title: "of M",
        help: "Neighbours in a row of which N stay.",
        kind: Kind::Integer { default: 4.0, min: 2.0, max: 32.0, suggestions: &[] },
        when: Some(When::Is("prune", "nm")),
    },
];
