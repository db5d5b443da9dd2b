//! An affine scheme fitted to one tensor: its grids, and what becomes of weights on them.

use std::rc::Rc;

use super::super::extents::Extents;
use super::super::runs::{Granularity, Runs};
use super::super::tally::{Codes, Tally};
use super::super::trace::{RunInfo, Step, Trace};
use super::super::{CodeUnit, Family, Fitted};
use super::options::{Affine, Treatment};
use super::range::{ENTROPY_POOLED_BELOW, grid, grid_of_run, pooled_entropy_share};
use super::split::Split;
use crate::error::Result;
use crate::kernels::best::{self, Range, Rule, Weighting};
use crate::kernels::{self, EvenRuns, Extent, Grid, extent};
use crate::stats::CHUNK;
use crate::tensor::{Shape, try_vec};

/// An affine scheme fitted to one tensor.
#[derive(Debug, Clone)]
pub struct Prepared {
    pub(super) affine: Affine,
    pub(super) runs: Runs,
    pub(super) scales: Vec<f32>,
    /// One per run; all 0 when symmetric.
    pub(super) zero_points: Vec<i8>,
    /// What is added to the values of a channel, with mean correction.
    pub(super) offsets: Option<(Runs, Vec<f32>)>,
    pub(super) split: Option<Split>,
    /// Whether some run has a level beyond f32.
    overflows: bool,
    /// A scale and zero point per element of one period, where channels alternate quickly.
    each: Option<Each>,
}

#[derive(Debug, Clone)]
struct Each {
    scales: Vec<f32>,
    zero_points: Vec<f32>,
}

/// The runs of the mean correction: the channels of the channel axis, else rows; a vector is one channel.
pub(super) fn correction_runs(shape: &Shape, granularity: Granularity) -> Result<Runs> {
    Runs::new(
        shape,
        match granularity {
            Granularity::Channel { axis } => Granularity::Channel { axis },
            _ if shape.dims().len() < 2 => Granularity::Tensor,
            _ => Granularity::Channel { axis: 0 },
        },
    )
}

impl Family for Affine {
    fn byte_len(&self, shape: &Shape) -> Result<usize> {
        self.packed_len(shape)
    }

    fn prepare(&self, values: &[f32], shape: &Shape, known: &Extents) -> Result<super::super::Prepared> {
        Ok(Rc::new(self.fit(values, shape, known)?))
    }

    fn decode(&self, bytes: &[u8], shape: &Shape) -> Result<Vec<f32>> {
        self.unpack(bytes, shape)
    }

    fn code_units(&self, shape: &Shape, f: &mut dyn FnMut(CodeUnit)) -> Result<bool> {
        self.each_code_unit(shape, f)?;
        Ok(true)
    }
}

impl Affine {
    fn fit(&self, x: &[f32], shape: &Shape, known: &Extents) -> Result<Prepared> {
        let runs = Runs::new(shape, self.granularity)?;
        let split = match self.treatment {
            Treatment::Mixed { zero_ratio, float_ratio } => Some(Split::new(x, zero_ratio, float_ratio)?),
            _ => None,
        };
        let grids = self.grids(x, shape, &runs, split.as_ref(), known)?;
        let mut prepared = Prepared {
            affine: self.clone(),
            scales: grids.iter().map(|g| g.scale).collect(),
            zero_points: grids.iter().map(|g| g.zero_point).collect(),
            offsets: None,
            split,
            overflows: false,
            each: None,
            runs,
        };
        prepared.spread();
        if self.refit {
            prepared.refit(x);
            prepared.spread();
        }
        // The page's first build does not hold the search: it refuses the option.
        if let Some(weighting) = self.search.filter(|_| cfg!(feature = "full")) {
            prepared.search(x, weighting);
            prepared.spread();
        }
        prepared.overflows = (0..prepared.runs.len()).any(|run| overflows(prepared.grid(run)));
        if self.mean_correction {
            prepared.correct_means(x, shape)?;
        }
        Ok(prepared)
    }

    /// One grid per run.
    fn grids(
        &self,
        x: &[f32],
        shape: &Shape,
        runs: &Runs,
        split: Option<&Split>,
        known: &Extents,
    ) -> Result<Vec<Grid>> {
        use super::options::RangeRule::{Entropy, MinMax};
        let keeps_floats = split.is_some_and(|split| split.kept > 0);
        // Min–max of narrow or asymmetric grids needs the runs' extents only: one pass, which also finds what is not finite.
        if self.range == MinMax && !keeps_floats && (self.narrow_range || !self.symmetric) {
            let extents = known.of(x, shape, runs)?;
            if extents.iter().all(Extent::is_finite) {
                return Ok(extents.iter().map(|e| grid(e.min, e.max, self)).collect());
            }
        }
        let all_finite = x.chunks(1 << 16).all(|chunk| extent(chunk).is_finite());
        if !all_finite && !self.saturate {
            return Err(super::super::non_finite(x));
        }
        // Rarely some weights do not count: they are marked, and each run is gathered without them.
        let mut marked = Vec::new();
        if !all_finite || keeps_floats {
            marked = try_vec(0.0_f32, x.len())?;
            for (mark, &x) in marked.iter_mut().zip(x) {
                *mark = if x.is_finite() { x } else { f32::NAN };
            }
            if let Some(split) = split {
                split.for_each_stretch(0, x.len(), |from, to, cut| {
                    for (mark, &x) in marked[from..to].iter_mut().zip(&x[from..to]) {
                        *mark = if cut.keeps(x) { f32::NAN } else { *mark };
                    }
                });
            }
        }
        let (mut gathered, mut kept) = (Vec::new(), Vec::new());
        let mut each_run = |f: &mut dyn FnMut(&[f32])| {
            for run in 0..runs.len() {
                if marked.is_empty() {
                    f(runs.values(run, x, &mut gathered));
                } else {
                    kept.clear();
                    kept.extend(runs.values(run, &marked, &mut gathered).iter().copied().filter(|x| !x.is_nan()));
                    f(&kept);
                }
            }
        };
        let short = !runs.is_empty() && runs.run_len(0) < ENTROPY_POOLED_BELOW;
        let pooled = (self.range == Entropy && short).then(|| pooled_entropy_share(self.bits, &mut each_run));
        let mut grids = Vec::with_capacity(runs.len());
        each_run(&mut |x| grids.push(grid_of_run(x, self, pooled)));
        Ok(grids)
    }
}

impl Prepared {
    /// Scales and zero points per element of a period, for channels along an inner axis.
    fn spread(&mut self) {
        self.each = self.runs.short_period().filter(|_| !self.runs.is_empty()).map(|_| Each {
            scales: self.runs.period_runs().map(|run| self.scales[run]).collect(),
            zero_points: self.runs.period_runs().map(|run| f32::from(self.zero_points[run])).collect(),
        });
    }

    #[inline]
    pub(super) fn grid(&self, run: usize) -> Grid {
        let (q_min, q_max) = self.affine.limits();
        Grid { scale: self.scales[run], zero_point: self.zero_points[run], q_min, q_max }
    }

    /// Least-squares scales for the codes as they are: `Σ x·k / Σ k²` over the weights that the grid holds.
    fn refit(&mut self, x: &[f32]) {
        let mut sums = vec![(0.0_f64, 0.0_f64); self.runs.len()];
        let (mut steps, mut held) = ([0.0; CHUNK], Vec::new());
        for (start, chunk) in starts(x) {
            let steps = &mut steps[..chunk.len()];
            self.steps(x, start, steps);
            held.clear();
            held.extend(chunk.iter().enumerate().map(|(i, &x)| {
                let counts = x.is_finite() && !self.split.is_some_and(|split| split.keeps(x, start + i));
                if counts { x } else { 0.0 }
            }));
            self.runs.for_each_segment(start, start + chunk.len(), |run, from, to| {
                let range = from - start..to - start;
                let (xk, k2) = kernels::products(&held[range.clone()], &steps[range]);
                sums[run].0 += xk;
                sums[run].1 += k2;
            });
        }
        let (q_min, q_max) = self.affine.limits();
        for ((scale, &zero_point), (xk, k2)) in self.scales.iter_mut().zip(&self.zero_points).zip(sums) {
            let fitted = (xk / k2) as f32;
            // The change of Σ(x − s·k)²; only an improvement is taken, so rounding the scale to f32 cannot make it worse.
            let (old, new) = (f64::from(*scale), f64::from(fitted));
            let change = (new - old) * ((new + old) * k2 - 2.0 * xk);
            let grid = Grid { scale: fitted, zero_point, q_min, q_max };
            if fitted.is_normal() && !overflows(grid) && change < 0.0 {
                *scale = fitted;
            }
        }
    }

    /// Scales and zero points of less error: many scales for each of a few zero points around the one there is, in long runs on every n-th
    /// weight; what is found is taken where the error of the whole run is less. Runs with weights that are not finite stay as they are.
    fn search(&mut self, x: &[f32], weighting: Weighting) {
        const RANGES: [Range; 2] = [Range::new(0.8, 1.6, 6), Range::new(1.65, 5.0, 3)];
        const SAMPLE: usize = 1 << 14;
        let (q_min, q_max) = self.affine.limits();
        let (mut gathered, mut sample, mut counts, mut back) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
        for run in 0..self.runs.len() {
            let x = self.runs.values(run, x, &mut gathered);
            if !extent(x).is_finite() {
                continue;
            }
            sample.clear();
            sample.extend(x.iter().copied().step_by(x.len().div_ceil(SAMPLE).max(1)));
            counts.resize(sample.len(), 0.0);
            best::fill_weights(&sample, weighting, &mut counts);
            let first = self.grid(run);
            let (mut found, mut least) = (first, f32::INFINITY);
            let around = if self.affine.symmetric { 0 } else { 2 };
            for zero_point in first.zero_point.saturating_sub(around)..=first.zero_point.saturating_add(around) {
                let zero = f32::from(zero_point.clamp(q_min, q_max));
                let rule = Rule::Even { low: f32::from(q_min) - zero, high: f32::from(q_max) - zero };
                for range in RANGES {
                    let (scale, error) = best::fit(&sample, &counts, &rule, first.scale, range);
                    if error < least && scale.is_normal() {
                        least = error;
                        found = Grid { scale, zero_point: zero as i8, ..first };
                    }
                }
            }
            back.resize(x.len(), 0.0);
            counts.resize(x.len(), 0.0);
            best::fill_weights(x, weighting, &mut counts);
            let mut error = |grid: Grid| {
                kernels::reconstruct(x, 0, grid, self.affine.rounding, &mut back);
                best::error(x, &counts, &back)
            };
            if !overflows(found) && error(found) < error(first) {
                (self.scales[run], self.zero_points[run]) = (found.scale, found.zero_point);
            }
        }
    }

    /// Mean of what each channel lost. Weights kept as float lose nothing.
    fn correct_means(&mut self, x: &[f32], shape: &Shape) -> Result<()> {
        let runs = correction_runs(shape, self.affine.granularity)?;
        let mut sums = vec![(0.0_f64, 0_u64); runs.len()];
        let mut back = [0.0; CHUNK];
        for (start, chunk) in starts(x) {
            let back = &mut back[..chunk.len()];
            self.reconstruct(x, start, back);
            runs.for_each_segment(start, start + chunk.len(), |run, from, to| {
                for i in from..to {
                    let x = x[i];
                    if x.is_finite() && !self.keeps(x, i) {
                        sums[run].0 += f64::from(x) - f64::from(back[i - start]);
                        sums[run].1 += 1;
                    }
                }
            });
        }
        let means = sums.iter().map(|&(sum, n)| if n == 0 { 0.0 } else { (sum / n as f64) as f32 }).collect();
        self.offsets = Some((runs, means));
        Ok(())
    }

    fn keeps(&self, x: f32, index: usize) -> bool {
        self.split.is_some_and(|split| split.keeps(x, index))
    }

    /// Steps from zero, `code − zero_point`, of elements `start..start + out.len()`, treatment included.
    pub(super) fn steps(&self, x: &[f32], start: usize, out: &mut [f32]) {
        let rounding = self.affine.rounding;
        let limits = self.affine.limits();
        if let Some(each) = &self.each {
            for_each_period(start, out, each.scales.len(), |at, period, out| {
                let (scales, zeros) = (&each.scales[period.clone()], &each.zero_points[period]);
                kernels::steps_each(&x[at..at + out.len()], at, scales, zeros, limits, rounding, out);
            });
        } else {
            self.runs.for_each_segment(start, start + out.len(), |run, from, to| {
                kernels::steps(&x[from..to], from, self.grid(run), rounding, &mut out[from - start..to - start]);
            });
        }
        self.treat(x, start, out);
    }

    /// Applies the treatment to steps from zero.
    fn treat(&self, x: &[f32], start: usize, steps: &mut [f32]) {
        match self.affine.treatment {
            Treatment::Plain => {}
            Treatment::KeepNonZero => {
                self.runs.for_each_segment(start, start + steps.len(), |run, from, to| {
                    kernels::keep_non_zero(&x[from..to], self.grid(run), &mut steps[from - start..to - start]);
                });
            }
            Treatment::Mixed { .. } => {
                let Some(split) = self.split else { return };
                split.for_each_stretch(start, start + steps.len(), |from, to, cut| {
                    for (step, &x) in steps[from - start..to - start].iter_mut().zip(&x[from..to]) {
                        *step = if cut.zeroes(x) | cut.keeps(x) { 0.0 } else { *step };
                    }
                });
            }
        }
    }

    /// Whether what is read back is a level of its run and nothing else, and runs are long.
    fn counts_codes(&self) -> bool {
        let plain = self.affine.treatment == Treatment::Plain && self.offsets.is_none() && !self.overflows;
        plain && self.runs.even_len().is_some_and(|len| Tally::pays(len, self.affine.bits))
    }

    fn reconstruct_plain(&self, x: &[f32], start: usize, out: &mut [f32]) {
        let rounding = self.affine.rounding;
        let whole = self.runs.even_len().filter(|len| start.is_multiple_of(*len) && out.len() >= *len);
        let mut at = start;
        if let Some(run_len) = whole {
            let runs = start / run_len..(start + out.len()) / run_len;
            at = runs.end * run_len;
            let (scales, zero_points) = (&self.scales[runs.clone()], &self.zero_points[runs]);
            let even = EvenRuns { run_len, scales, zero_points, limits: self.affine.limits() };
            kernels::reconstruct_runs(&x[start..at], start, &even, rounding, &mut out[..at - start]);
        }
        self.runs.for_each_segment(at, start + out.len(), |run, from, to| {
            kernels::reconstruct(&x[from..to], from, self.grid(run), rounding, &mut out[from - start..to - start]);
        });
    }

    /// Steps times their scale.
    pub(super) fn scale_steps(&self, start: usize, out: &mut [f32]) {
        self.runs.for_each_segment(start, start + out.len(), |run, from, to| {
            out[from - start..to - start].iter_mut().for_each(|v| *v *= self.scales[run]);
        });
    }

    /// Adds the mean correction.
    pub(super) fn finish(&self, start: usize, out: &mut [f32]) {
        if let Some((runs, offsets)) = &self.offsets {
            runs.for_each_segment(start, start + out.len(), |channel, from, to| {
                out[from - start..to - start].iter_mut().for_each(|v| *v = corrected(*v, offsets[channel]));
            });
        }
    }

    fn offset_at(&self, index: usize) -> f32 {
        self.offsets.as_ref().map_or(0.0, |(runs, offsets)| offsets[runs.segment_at(index).0])
    }

    fn ends(&self, grid: Grid, index: usize) -> (f32, f32) {
        let (low, high) = grid.step_range();
        let offset = self.offset_at(index);
        (corrected(low * grid.scale, offset), corrected(high * grid.scale, offset))
    }
}

impl Fitted for Prepared {
    fn reconstruct(&self, x: &[f32], start: usize, out: &mut [f32]) {
        let plain = self.affine.treatment == Treatment::Plain;
        match (&self.each, plain) {
            (None, true) => self.reconstruct_plain(x, start, out),
            (Some(each), true) => {
                for_each_period(start, out, each.scales.len(), |at, period, out| {
                    let (scales, zeros) = (&each.scales[period.clone()], &each.zero_points[period]);
                    let (limits, rounding) = (self.affine.limits(), self.affine.rounding);
                    kernels::reconstruct_each(&x[at..at + out.len()], at, scales, zeros, limits, rounding, out);
                });
            }
            (_, false) => {
                self.steps(x, start, out);
                self.scale_steps(start, out);
            }
        }
        if self.overflows {
            saturate(out);
        }
        self.finish(start, out);
        if let Some(split) = self.split {
            split.for_each_stretch(start, start + out.len(), |from, to, cut| {
                for (out, &x) in out[from - start..to - start].iter_mut().zip(&x[from..to]) {
                    *out = if cut.keeps(x) { x } else { *out };
                }
            });
        }
    }

    fn reconstruct_counted(&self, x: &[f32], start: usize, out: &mut [f32], tally: &mut Tally) -> bool {
        if !self.counts_codes() {
            self.reconstruct(x, start, out);
            return false;
        }
        let mut codes = [0; CHUNK];
        self.runs.for_each_segment(start, start + out.len(), |run, from, to| {
            let grid = self.grid(run);
            for from in (from..to).step_by(CHUNK) {
                let to = to.min(from + CHUNK);
                let codes = &mut codes[..to - from];
                let out = &mut out[from - start..to - start];
                kernels::reconstruct_coded(&x[from..to], from, grid, self.affine.rounding, codes, out);
                let of = Codes { run, run_len: self.runs.run_len(run), bits: self.affine.bits, codes };
                tally.add(&of, &|levels| {
                    levels.extend((grid.q_min..=grid.q_max).map(|q| {
                        let step = f32::from(q) - f32::from(grid.zero_point);
                        (q as u8 & (0xFF >> (8 - self.affine.bits)), step * grid.scale)
                    }));
                });
            }
        });
        true
    }

    fn encode(&self, values: &[f32]) -> Result<Vec<u8>> {
        self.pack(values)
    }

    fn codes(&self, bytes: &[u8]) -> Result<Vec<i32>> {
        self.unpack_codes(bytes)
    }

    fn runs(&self) -> usize {
        self.runs.len()
    }

    fn scales(&self) -> Option<&[f32]> {
        Some(&self.scales)
    }

    fn zero_points(&self) -> Option<&[i8]> {
        (!self.affine.symmetric).then_some(&self.zero_points)
    }

    fn run_at(&self, _values: &[f32], index: usize) -> RunInfo {
        let (run, _) = self.runs.segment_at(index);
        let grid = self.grid(run);
        let (a, b) = self.ends(grid, index);
        let label = match self.runs.granularity() {
            Granularity::Tensor => "tensor".to_owned(),
            Granularity::Channel { .. } => format!("channel {run}"),
            Granularity::Group { .. } => format!("group {run}"),
        };
        RunInfo {
            index: run,
            label,
            count: self.runs.run_len(run),
            scale: grid.scale,
            zero_point: i32::from(grid.zero_point),
            low: a.min(b),
            high: a.max(b),
        }
    }

    fn levels_at(&self, _values: &[f32], index: usize) -> Vec<f32> {
        if self.runs.is_empty() {
            return Vec::new();
        }
        let grid = self.grid(self.runs.segment_at(index).0);
        let offset = self.offset_at(index);
        let zero = i32::from(grid.zero_point);
        let mut levels: Vec<f32> = (i32::from(grid.q_min)..=i32::from(grid.q_max))
            .map(|q| corrected((q - zero) as f32 * grid.scale, offset))
            .collect();
        if grid.scale < 0.0 {
            levels.reverse();
        }
        levels
    }

    fn respond(&self, _values: &[f32], index: usize, x: &[f32], out: &mut [f32]) {
        assert_eq!(x.len(), out.len(), "one answer per value");
        if self.runs.is_empty() {
            return out.fill(0.0);
        }
        let grid = self.grid(self.runs.segment_at(index).0);
        let offset = self.offset_at(index);
        kernels::steps(x, index, grid, self.affine.rounding, out);
        if self.affine.treatment == Treatment::KeepNonZero {
            kernels::keep_non_zero(x, grid, out);
        }
        for (out, &x) in out.iter_mut().zip(x) {
            let step = if self.split.is_some_and(|split| split.zeroes(x, index)) { 0.0 } else { *out };
            *out = if self.keeps(x, index) { x } else { corrected(step * grid.scale, offset) };
        }
    }

    fn trace(&self, values: &[f32], index: usize) -> Trace {
        let value = values[index];
        let (run, _) = self.runs.segment_at(index);
        let grid = self.grid(run);
        let (low, high) = grid.step_range();
        let zero = f64::from(grid.zero_point);
        let mut steps = Vec::new();
        let mut push = |op, title, operand, value: f64| steps.push(Step { op, title, operand, value });

        let quotient = value / grid.scale;
        let rounded = kernels::scalar::affine::round(quotient, self.affine.rounding, index);
        let mut step = [0.0];
        self.steps(values, index, &mut step);
        let [step] = step;
        let mut back = [0.0];
        self.reconstruct(values, index, &mut back);
        let [back] = back;

        push("float", "weight", None, f64::from(value));
        push("divide", "divide by the scale", Some(f64::from(grid.scale)), f64::from(quotient));
        push("round", "round", None, f64::from(rounded));
        if !(low..=high).contains(&rounded) {
            let end = if rounded > high { high } else { low };
            push("clamp", "clip to the last level", Some(f64::from(end)), f64::from(end));
        }
        let clamped = if rounded.is_nan() { 0.0 } else { rounded.max(low).min(high) };
        if step != clamped {
            let (op, title) = match self.affine.treatment {
                Treatment::KeepNonZero => ("nonzero", "move away from zero"),
                _ if self.keeps(value, index) => ("keep", "keep as float"),
                _ => ("zero", "set to zero"),
            };
            push(op, title, None, f64::from(step));
        }
        if !self.affine.symmetric {
            push("add", "add the zero point", Some(zero), f64::from(step) + zero);
        }
        let code = (f64::from(step) + zero) as i32;
        push("code", "code", None, f64::from(code));
        if !self.affine.symmetric {
            push("subtract", "subtract the zero point", Some(zero), f64::from(step));
        }
        if self.keeps(value, index) {
            push("kept", "read the float kept apart", None, f64::from(back));
        } else {
            push("multiply", "multiply by the scale", Some(f64::from(grid.scale)), f64::from(step * grid.scale));
            let offset = self.offset_at(index);
            if self.offsets.is_some() {
                push("offset", "add the channel's mean correction", Some(f64::from(offset)), f64::from(back));
            }
        }
        push("back", "value read back", None, f64::from(back));

        let bits = self.affine.bits;
        let bit = self.code_bit(index);
        Trace {
            index,
            value,
            float_bits: value.to_bits(),
            run: self.run_at(values, index),
            steps,
            code: Some(code),
            bits: (0..bits).rev().map(|b| if code >> b & 1 == 1 { '1' } else { '0' }).collect(),
            byte_offset: bit / 8,
            bit_offset: (bit % 8) as u32,
            back,
            error: value - back,
            block: None,
        }
    }
}

/// Whether the outermost level lies beyond f32.
fn overflows(grid: Grid) -> bool {
    let (low, high) = grid.step_range();
    !(grid.scale * high.max(-low)).is_finite()
}

/// Turns infinities into the greatest finite values.
pub(super) fn saturate(values: &mut [f32]) {
    values.iter_mut().for_each(|v| *v = v.clamp(f32::MIN, f32::MAX));
}

/// A value with its channel's mean correction; the sum of finite numbers stays finite.
pub(super) fn corrected(value: f32, offset: f32) -> f32 {
    (value.clamp(f32::MIN, f32::MAX) + offset).clamp(f32::MIN, f32::MAX)
}

/// A tensor chunk by chunk, with each chunk's start.
fn starts(x: &[f32]) -> impl Iterator<Item = (usize, &[f32])> {
    x.chunks(CHUNK).enumerate().map(|(i, chunk)| (i * CHUNK, chunk))
}

/// Calls `f(start, period range, out)` for the pieces of `out` that lie within one period each.
fn for_each_period(
    start: usize,
    out: &mut [f32],
    period: usize,
    mut f: impl FnMut(usize, std::ops::Range<usize>, &mut [f32]),
) {
    let (mut at, mut rest) = (start, out);
    while !rest.is_empty() {
        let phase = at % period;
        let (piece, others) = rest.split_at_mut((period - phase).min(rest.len()));
        f(at, phase..phase + piece.len(), piece);
        at += piece.len();
        rest = others;
    }
}
