//! Codes packed in words of 32 bits: AWQ, GPTQ and compressed-tensors' `pack-quantized`. `src/formats/derived.rs` states the layouts.
//!
//! AWQ and GPTQ store `[in, out]`, numbers are `[out, in]` as in PyTorch: any rows need the whole of every part, and are written in
//! tiles, so that both sides stay in cache.

use std::ops::Range;

use super::{Derivation, malformed};
use crate::error::Result;
use crate::formats::derived::Method;
use crate::tensor::{DType, try_vec};

/// Where AWQ puts output `8c + i` in its word: the inverse of 0, 2, 4, 6, 1, 3, 5, 7.
const AWQ_PLACES: [u32; 8] = [0, 4, 1, 5, 2, 6, 3, 7];

/// Inputs of one tile.
const TILE: usize = 32;

pub(super) fn fits(of: &Derivation) -> Option<()> {
    let (rows, columns) = (of.rows, of.columns);
    let groups = |group: u64| Some(columns.div_ceil(Some(group).filter(|&g| g > 0)?));
    let optional = match of.method {
        Method::Awq { bits, group } => {
            let (words, groups) = (rows / 8, groups(group)?);
            (bits == 4 && rows % 8 == 0).then_some(())?;
            of.is(0, DType::I32, &[columns, words])?;
            of.is_float(1)?;
            of.is(1, of.parts[1].dtype, &[groups, rows])?;
            of.is(2, DType::I32, &[groups, words])?;
            0
        }
        Method::Gptq { bits, group, ordered } => {
            matches!(bits, 2 | 3 | 4 | 8).then_some(())?;
            let (bits, groups) = (u64::from(bits), groups(group)?);
            let words = |count: u64| count.checked_mul(bits).filter(|n| n % 32 == 0).map(|n| n / 32);
            of.is(0, DType::I32, &[words(columns)?, rows])?;
            of.is_float(1)?;
            of.is(1, of.parts[1].dtype, &[groups, rows])?;
            of.is(2, DType::I32, &[groups, words(rows)?])?;
            if ordered { of.is(3, DType::I32, &[columns]) } else { Some(()) }?;
            usize::from(ordered)
        }
        Method::Packed { bits, group, zero_points, ordered } => {
            matches!(bits, 2 | 4 | 8).then_some(())?;
            let (in_word, groups) = (u64::from(32 / bits), groups(group)?);
            of.is(0, DType::I32, &[rows, columns.div_ceil(in_word)])?;
            of.is_float(1)?;
            of.is(1, of.parts[1].dtype, &[rows, groups])?;
            of.is(2, DType::I64, &[2]).or_else(|| of.is(2, DType::I32, &[2]))?;
            if zero_points { of.is(3, DType::I32, &[rows.div_ceil(in_word), groups]) } else { Some(()) }?;
            let order = 3 + usize::from(zero_points);
            if ordered { of.is(order, DType::I32, &[columns]) } else { Some(()) }?;
            usize::from(zero_points) + usize::from(ordered)
        }
        other => unreachable!("{other:?} is not packed"),
    };
    (of.parts.len() == 3 + optional).then_some(())
}

pub(super) fn needs(of: &Derivation, rows: Range<u64>) -> Vec<Range<u64>> {
    let Method::Packed { bits, group, zero_points, ordered } = of.method else {
        return (0..of.parts.len()).map(|i| of.whole(i)).collect();
    };
    let (in_word, groups) = (u64::from(32 / bits), of.columns.div_ceil(group));
    let mut needs = vec![
        of.part_rows(0, rows.clone(), of.columns.div_ceil(in_word)),
        of.part_rows(1, rows.clone(), groups),
        of.whole(2),
    ];
    needs.extend(zero_points.then(|| of.part_rows(3, rows.start / in_word..rows.end.div_ceil(in_word), groups)));
    needs.extend(ordered.then(|| of.whole(of.parts.len() - 1)));
    needs
}

/// Word `index` of a part.
#[inline(always)]
fn word(bytes: &[u8], index: usize) -> u32 {
    u32::from_le_bytes(bytes[4 * index..4 * index + 4].try_into().expect("4 bytes"))
}

/// The group of each input: in order, or as the part says.
fn groups_of(of: &Derivation, group: u64, groups: usize, order: Option<&[u8]>) -> Result<Vec<u32>> {
    let mut of_input = try_vec(0u32, of.columns as usize)?;
    for (i, place) in of_input.iter_mut().enumerate() {
        *place = order.map_or((i as u64 / group) as u32, |order| word(order, i));
        if *place as usize >= groups {
            return Err(malformed("g_idx gives an input a group that is not there", groups, *place as i32)
                .with_offset(i as u64));
        }
    }
    Ok(of_input)
}

/// Rows of scales `[groups, all]`, of each the same range.
fn scales_of(of: &Derivation, bytes: &[u8], all: usize, range: &Range<usize>) -> Result<Vec<f32>> {
    let size = of.parts[1].dtype.block().1 as usize;
    let mut scales = Vec::new();
    for row in bytes.chunks_exact(all * size) {
        scales.extend(of.floats(1, &row[range.start * size..range.end * size])?);
    }
    Ok(scales)
}

pub(super) fn awq(of: &Derivation, group: u64, rows: Range<u64>, bytes: &[&[u8]], out: &mut [f32]) -> Result<()> {
    let (outputs, inputs) = (of.rows as usize, of.columns as usize);
    let (rows, words) = (rows.start as usize..rows.end as usize, outputs / 8);
    let scales = scales_of(of, bytes[1], outputs, &rows)?;
    let groups = groups_of(of, group, scales.len() / rows.len(), None)?;
    for first in (0..inputs).step_by(TILE) {
        for row in rows.clone() {
            let shift = 4 * AWQ_PLACES[row % 8];
            let to = &mut out[(row - rows.start) * inputs..][..inputs];
            for (i, value) in to.iter_mut().enumerate().skip(first).take(TILE) {
                let group = groups[i] as usize;
                let code = word(bytes[0], i * words + row / 8) >> shift & 15;
                let zero = word(bytes[2], group * words + row / 8) >> shift & 15;
                *value = (code as f32 - zero as f32) * scales[group * rows.len() + row - rows.start];
            }
        }
    }
    Ok(())
}

pub(super) fn gptq(
    of: &Derivation,
    bits: u32,
    group: u64,
    ordered: bool,
    rows: Range<u64>,
    bytes: &[&[u8]],
    out: &mut [f32],
) -> Result<()> {
    let (outputs, inputs) = (of.rows as usize, of.columns as usize);
    let rows = rows.start as usize..rows.end as usize;
    let (mask, zero_words) = ((1u32 << bits) - 1, outputs * bits as usize / 32);
    let scales = scales_of(of, bytes[1], outputs, &rows)?;
    let groups = groups_of(of, group, scales.len() / rows.len(), ordered.then(|| bytes[3]))?;
    // Code `i` of a dense stream, least significant bit first, whose words lie `stride` apart from `at`.
    let code = |words: &[u8], i: usize, at: usize, stride: usize| {
        let bit = i * bits as usize;
        let (index, shift) = (bit / 32, bit as u32 % 32);
        let low = word(words, at + index * stride) >> shift;
        let high = if shift + bits > 32 { word(words, at + (index + 1) * stride) << (32 - shift) } else { 0 };
        (low | high) & mask
    };
    for first in (0..inputs).step_by(TILE) {
        for row in rows.clone() {
            let to = &mut out[(row - rows.start) * inputs..][..inputs];
            for (i, value) in to.iter_mut().enumerate().skip(first).take(TILE) {
                let group = groups[i] as usize;
                // Stored less one, within its bits: AutoGPTQ adds the one and masks again.
                let zero = (code(bytes[2], row, group * zero_words, 1) + 1) & mask;
                *value = (code(bytes[0], i, row, outputs) as f32 - zero as f32)
                    * scales[group * rows.len() + row - rows.start];
            }
        }
    }
    Ok(())
}

pub(super) fn pack_quantized(of: &Derivation, rows: Range<u64>, bytes: &[&[u8]], out: &mut [f32]) -> Result<()> {
    let Method::Packed { bits, group, zero_points, ordered } = of.method else { unreachable!("pack-quantized") };
    let stated: Vec<u64> = match of.parts[2].dtype {
        DType::I64 => bytes[2].chunks_exact(8).map(|b| u64::from_le_bytes(b.try_into().expect("8 bytes"))).collect(),
        _ => (0..2).map(|i| word(bytes[2], i).into()).collect(),
    };
    if stated != [of.rows, of.columns] {
        let expected = format!("{:?}", [of.rows, of.columns]);
        return Err(malformed("weight_shape is not what its neighbours lead to", expected, format!("{stated:?}")));
    }
    let (in_word, mask, columns) = (32 / bits as usize, (1u32 << bits) - 1, of.columns as usize);
    let (words, across) = (columns.div_ceil(in_word), of.columns.div_ceil(group) as usize);
    let scales = of.floats(1, bytes[1])?;
    let groups = groups_of(of, group, across, ordered.then(|| bytes[bytes.len() - 1]))?;
    let half = (mask / 2 + 1) as f32;
    let mut zeros = try_vec(half, across)?;
    let first_zero_row = rows.start as usize / in_word;
    for (i, row) in (rows.start as usize..rows.end as usize).enumerate() {
        if zero_points {
            for (g, zero) in zeros.iter_mut().enumerate() {
                let packed = word(bytes[3], (row / in_word - first_zero_row) * across + g);
                *zero = (packed >> (bits as usize * (row % in_word)) & mask) as f32;
            }
        }
        let scales = &scales[i * across..][..across];
        let to = &mut out[i * columns..][..columns];
        for (w, values) in to.chunks_mut(in_word).enumerate() {
            let packed = word(bytes[0], i * words + w);
            for (j, value) in values.iter_mut().enumerate() {
                let group = groups[w * in_word + j] as usize;
                *value = ((packed >> (bits as usize * j) & mask) as f32 - zeros[group]) * scales[group];
            }
        }
    }
    Ok(())
}
