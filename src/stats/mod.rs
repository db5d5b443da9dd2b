//! What the weights look like, and how two versions of them differ: summaries, quantiles, histograms, error metrics.
//! Nothing here quantizes.

mod compare;
mod histogram;
mod quantiles;
mod summary;

pub use compare::{Comparison, Metrics};
pub use histogram::{Histogram, HistogramBuilder};
pub use quantiles::{quantile, quantiles};
pub use summary::{ChannelRanges, Summary, SummaryOptions, channel_extents, summarize};

/// Elements handled at a time: small enough that a second look finds them in the first-level cache.
pub const CHUNK: usize = 2048;

/// The finite values of a chunk: the chunk itself when all are, else a filtered copy in `scratch`.
pub(crate) fn finite<'a>(chunk: &'a [f32], scratch: &'a mut Vec<f32>) -> &'a [f32] {
    if crate::kernels::extent(chunk).is_finite() {
        return chunk;
    }
    scratch.clear();
    scratch.extend(chunk.iter().copied().filter(|x| x.is_finite()));
    scratch
}
