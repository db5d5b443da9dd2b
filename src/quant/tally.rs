//! How often each value is read back, counted by codes: where many weights share few levels, a level is looked at once for all of them.

use crate::kernels::{CodeCounts, Energy};
use crate::stats::HistogramBuilder;

/// Codes and the values that they stand for.
pub(super) type Levels = Vec<(u8, f32)>;

/// Distribution and energy of what is read back.
pub struct Tally {
    /// The distribution.
    pub histogram: HistogramBuilder,
    energy: Energy,
    /// Codes of the run that is being counted; those of all runs are equally wide.
    counts: Option<CodeCounts>,
    pending: u64,
    run: usize,
    /// Codes and values of the run's levels.
    levels: Levels,
}

/// Codes of one run.
pub(super) struct Codes<'a> {
    pub run: usize,
    /// How many weights the run has in all.
    pub run_len: usize,
    /// Width of a code.
    pub bits: u32,
    pub codes: &'a [i8],
}

impl Tally {
    /// Nothing counted yet.
    #[must_use]
    pub fn new(histogram: HistogramBuilder) -> Tally {
        Tally { histogram, energy: Energy::default(), counts: None, pending: 0, run: 0, levels: Vec::new() }
    }

    /// Whether it is faster to count the codes of runs of this length than what they stand for.
    pub(super) fn pays(run_len: usize, bits: u32) -> bool {
        CodeCounts::pays(bits, false, run_len)
    }

    /// Counts codes of a run. `levels` gives the low bits of all codes that occur in it and their values, which are finite.
    pub(super) fn add(&mut self, of: &Codes<'_>, levels: &dyn Fn(&mut Levels)) {
        let counts =
            self.counts.get_or_insert_with(|| CodeCounts::new(of.bits, CodeCounts::pays(of.bits, true, of.run_len)));
        if of.run != self.run || self.levels.is_empty() || self.pending + of.codes.len() as u64 > u64::from(u32::MAX) {
            close(counts, &self.levels, &mut self.histogram, &mut self.energy);
            self.levels.clear();
            levels(&mut self.levels);
            (self.run, self.pending) = (of.run, 0);
        }
        self.pending += of.codes.len() as u64;
        counts.add(of.codes);
    }

    /// The distribution, and the energy of all whose codes were counted.
    #[must_use]
    pub fn finish(mut self) -> (HistogramBuilder, Energy) {
        if let Some(mut counts) = self.counts {
            close(&mut counts, &self.levels, &mut self.histogram, &mut self.energy);
        }
        (self.histogram, self.energy)
    }
}

/// Looks at the levels of the run that was counted.
fn close(counts: &mut CodeCounts, levels: &[(u8, f32)], histogram: &mut HistogramBuilder, energy: &mut Energy) {
    if levels.is_empty() {
        return;
    }
    let counts = counts.take();
    for &(code, value) in levels {
        let n = counts[usize::from(code)];
        histogram.add_repeated(value, n);
        energy.squares += n as f64 * (f64::from(value) * f64::from(value));
        energy.zeros += if value == 0.0 { n } else { 0 };
    }
}
