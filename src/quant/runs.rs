//! Which weights share a scale: the runs that a granularity cuts a tensor into, and how codes are padded.

use crate::error::{Code, Error, Result};
use crate::kernels::bits::packed_len;
use crate::tensor::{Shape, to_usize};

/// What one scale is shared by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Granularity {
    /// The whole tensor.
    Tensor,
    /// Every index along one axis.
    Channel {
        /// That axis, 0 for the outermost.
        axis: usize,
    },
    /// So many neighbours in a row; the last group of a row may be short.
    Group {
        /// Weights per group, at least 1.
        size: usize,
    },
}

/// A tensor cut into runs. A run is a set of weights with one scale; a *segment* is a stretch of one run in memory.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Runs {
    granularity: Granularity,
    count: usize,
    rows: usize,
    row_len: usize,
    /// Channels along the axis, and elements of one channel that lie together.
    channels: usize,
    inner: usize,
}

impl Runs {
    /// Cuts a tensor of this shape.
    ///
    /// # Errors
    /// `invalid_option` when the axis is not one of the shape's or the group is empty; `out_of_memory` when the tensor cannot be
    /// addressed here.
    pub fn new(shape: &Shape, granularity: Granularity) -> Result<Runs> {
        let (rows, row_len) = shape.matrix();
        let (mut channels, mut inner) = (1, 1);
        match granularity {
            Granularity::Channel { axis } => {
                let Some(&n) = shape.dims().get(axis) else {
                    return Err(Error::new(Code::InvalidOption, "option axis: the tensor has no such axis")
                        .with_expected(format!("0 to {}", shape.dims().len().saturating_sub(1)))
                        .with_found(axis));
                };
                channels = n;
                inner = shape.dims()[axis + 1..].iter().product();
            }
            Granularity::Group { size: 0 } => {
                return Err(Error::new(Code::InvalidOption, "option groupSize: a group holds at least one weight"));
            }
            Granularity::Tensor | Granularity::Group { .. } => {}
        }
        Ok(Runs {
            granularity,
            count: to_usize(shape.count())?,
            rows: to_usize(rows)?,
            row_len: to_usize(row_len)?,
            channels: to_usize(channels)?,
            inner: to_usize(inner)?,
        })
    }

    /// Elements of the tensor.
    #[must_use]
    pub fn count(&self) -> usize {
        self.count
    }

    /// Elements of a row; see [`Shape::matrix`].
    #[must_use]
    pub fn row_len(&self) -> usize {
        self.row_len
    }

    /// How it was cut.
    #[must_use]
    pub fn granularity(&self) -> Granularity {
        self.granularity
    }

    #[inline]
    fn groups_per_row(&self, size: usize) -> usize {
        self.row_len.div_ceil(size)
    }

    /// Number of runs; none in an empty tensor.
    #[must_use]
    pub fn len(&self) -> usize {
        match self.granularity {
            _ if self.count == 0 => 0,
            Granularity::Tensor => 1,
            Granularity::Channel { .. } => self.channels,
            Granularity::Group { size } => self.rows * self.groups_per_row(size),
        }
    }

    /// Whether there is no run.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The run of an element, and where its segment ends.
    #[must_use]
    pub fn segment_at(&self, index: usize) -> (usize, usize) {
        match self.granularity {
            Granularity::Tensor => (0, self.count),
            Granularity::Channel { .. } => {
                let segment = index / self.inner;
                (segment % self.channels, (segment + 1) * self.inner)
            }
            Granularity::Group { size } => {
                let (row, column) = (index / self.row_len, index % self.row_len);
                let group = column / size;
                let end = ((group + 1) * size).min(self.row_len);
                (row * self.groups_per_row(size) + group, row * self.row_len + end)
            }
        }
    }

    /// Calls `f(run, start, end)` for each segment of `start..end`, in memory order.
    pub fn for_each_segment(&self, start: usize, end: usize, mut f: impl FnMut(usize, usize, usize)) {
        if start >= end {
            return;
        }
        // Division finds the first; the next follow by addition. Segments are `step` long, cut where a row ends.
        let (step, row_len, wrap) = match self.granularity {
            Granularity::Tensor => (self.count, self.count, 1),
            Granularity::Channel { .. } => (self.inner, self.inner, self.channels),
            Granularity::Group { size } => (size, self.row_len, usize::MAX),
        };
        let (mut run, mut stop) = self.segment_at(start);
        let mut row_end = (start / row_len + 1) * row_len;
        let mut at = start;
        loop {
            f(run, at, stop.min(end));
            if stop >= end {
                return;
            }
            at = stop;
            run = if run + 1 == wrap { 0 } else { run + 1 };
            if at == row_end {
                row_end += row_len;
            }
            stop = row_end.min(at.saturating_add(step));
        }
    }

    /// Weights of a run.
    #[must_use]
    #[inline]
    pub fn run_len(&self, run: usize) -> usize {
        match self.granularity {
            Granularity::Tensor => self.count,
            Granularity::Channel { .. } => self.count / self.channels.max(1),
            Granularity::Group { size } => {
                let group = run % self.groups_per_row(size);
                size.min(self.row_len - group * size)
            }
        }
    }

    /// The weights of a run: a slice where they lie together, else gathered into `scratch`.
    #[must_use]
    #[inline]
    pub fn values<'a>(&self, run: usize, x: &'a [f32], scratch: &'a mut Vec<f32>) -> &'a [f32] {
        match self.granularity {
            Granularity::Tensor => x,
            Granularity::Group { size } => {
                let per_row = self.groups_per_row(size);
                let start = run / per_row * self.row_len + run % per_row * size;
                &x[start..start + self.run_len(run)]
            }
            Granularity::Channel { axis: 0 } => &x[run * self.inner..(run + 1) * self.inner],
            Granularity::Channel { .. } => {
                scratch.clear();
                let starts = (run * self.inner..x.len()).step_by(self.channels * self.inner);
                starts.for_each(|start| scratch.extend_from_slice(&x[start..start + self.inner]));
                scratch
            }
        }
    }

    /// Length of the runs, where all are equally long and each lies after the one before.
    #[must_use]
    pub fn even_len(&self) -> Option<usize> {
        match self.granularity {
            _ if self.count == 0 => None,
            Granularity::Tensor => Some(self.count),
            Granularity::Channel { .. } => (self.channels * self.inner == self.count).then_some(self.inner),
            Granularity::Group { size } => self.row_len.is_multiple_of(size).then_some(size),
        }
    }

    /// Length of the pattern in which runs repeat, where segments are so short that a scale per element is faster.
    #[must_use]
    pub fn short_period(&self) -> Option<usize> {
        match self.granularity {
            Granularity::Channel { .. } if self.inner < 16 => Some(self.channels * self.inner),
            _ => None,
        }
    }

    /// The run of each element of one period; see [`Runs::short_period`].
    pub fn period_runs(&self) -> impl Iterator<Item = usize> + '_ {
        (0..self.channels).flat_map(|channel| std::iter::repeat_n(channel, self.inner))
    }

    /// Codes are padded to a byte after so many: a group, or else a row. Returns `(units per row, unit length)`.
    fn unit(&self) -> (usize, usize) {
        match self.granularity {
            Granularity::Group { size } => (self.groups_per_row(size), size.min(self.row_len)),
            _ => (1, self.row_len),
        }
    }

    /// Bytes that the codes take.
    #[must_use]
    pub fn codes_len(&self, bits: u32) -> usize {
        if self.count == 0 { 0 } else { self.rows * self.row_codes_len(bits) }
    }

    fn row_codes_len(&self, bits: u32) -> usize {
        let (units, unit_len) = self.unit();
        let last = self.row_len - (units - 1) * unit_len;
        (units - 1) * packed_len(unit_len, bits) + packed_len(last, bits)
    }

    /// Calls `f(start, end, byte_start, byte_end)` for each stretch of codes that is padded to a byte.
    pub fn for_each_unit(&self, bits: u32, mut f: impl FnMut(usize, usize, usize, usize)) {
        if self.count == 0 {
            return;
        }
        let (units, unit_len) = self.unit();
        let mut byte = 0;
        for row in 0..self.rows {
            for unit in 0..units {
                let start = row * self.row_len + unit * unit_len;
                let end = (start + unit_len).min((row + 1) * self.row_len);
                let byte_end = byte + packed_len(end - start, bits);
                f(start, end, byte, byte_end);
                byte = byte_end;
            }
        }
    }

    /// Whether the codes of the whole tensor are one stream without padding inside.
    #[must_use]
    pub fn codes_are_dense(&self, bits: u32) -> bool {
        let (_, unit_len) = self.unit();
        (unit_len * bits as usize).is_multiple_of(8) && (self.row_len * bits as usize).is_multiple_of(8)
    }

    /// Where the code of an element begins, in bits from the start of the codes.
    #[must_use]
    pub fn code_bit(&self, index: usize, bits: u32) -> u64 {
        let (_, unit_len) = self.unit();
        let (row, column) = (index / self.row_len, index % self.row_len);
        let byte = row * self.row_codes_len(bits) + column / unit_len * packed_len(unit_len, bits);
        byte as u64 * 8 + (column % unit_len) as u64 * u64::from(bits)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn runs(dims: &[u64], granularity: Granularity) -> Runs {
        Runs::new(&Shape::new(dims).unwrap(), granularity).unwrap()
    }

    #[test]
    fn segments_cover_every_element_once_and_agree_with_gathered_runs() {
        let x: Vec<f32> = (0..2 * 3 * 5).map(|i| i as f32).collect();
        for granularity in [
            Granularity::Tensor,
            Granularity::Channel { axis: 0 },
            Granularity::Channel { axis: 1 },
            Granularity::Channel { axis: 2 },
            Granularity::Group { size: 4 },
            Granularity::Group { size: 100 },
        ] {
            let runs = runs(&[2, 3, 5], granularity);
            let mut by_segment = vec![Vec::new(); runs.len()];
            let mut at = 0;
            runs.for_each_segment(0, x.len(), |run, start, end| {
                assert_eq!(start, at);
                at = end;
                by_segment[run].extend_from_slice(&x[start..end]);
            });
            assert_eq!(at, x.len());
            for (run, expected) in by_segment.iter().enumerate() {
                assert_eq!(runs.values(run, &x, &mut Vec::new()), expected, "{granularity:?} run {run}");
                assert_eq!(runs.run_len(run), expected.len());
            }
        }
    }

    #[test]
    fn the_last_group_of_a_row_may_be_short_and_is_padded_to_a_byte() {
        let runs = runs(&[2, 5], Granularity::Group { size: 2 });
        assert_eq!((runs.len(), runs.run_len(1), runs.run_len(2)), (6, 2, 1));
        assert_eq!(runs.codes_len(3), 6);
        let mut seen = Vec::new();
        runs.for_each_unit(3, |start, end, byte, byte_end| seen.push((start, end, byte, byte_end)));
        assert_eq!(seen[2], (4, 5, 2, 3));
        assert_eq!(runs.code_bit(5, 3), 24);
    }

    #[test]
    fn an_empty_tensor_has_no_runs() {
        for granularity in [Granularity::Tensor, Granularity::Channel { axis: 1 }, Granularity::Group { size: 4 }] {
            let runs = runs(&[3, 0], granularity);
            assert_eq!((runs.len(), runs.codes_len(4)), (0, 0));
        }
    }
}
