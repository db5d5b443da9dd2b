//! Ranges of the runs of a tensor, remembered between schemes that cut it alike.

use std::cell::RefCell;
use std::rc::Rc;

use super::runs::{Granularity, Runs};
use crate::error::Result;
use crate::kernels::{Extent, extent};
use crate::stats::channel_extents;
use crate::tensor::Shape;

/// Runs shorter than this are not remembered: their extents would take more room than they save time.
const SHORTEST: usize = 8;

/// What was found out about the runs of one tensor: another width or another rounding need not look again.
#[derive(Debug, Default)]
pub struct Extents(RefCell<Option<(Granularity, Rc<[Extent]>)>>);

impl Extents {
    /// The extent of each run. `x` is always the same tensor.
    pub(super) fn of(&self, x: &[f32], shape: &Shape, runs: &Runs) -> Result<Rc<[Extent]>> {
        if let Some((granularity, known)) = &*self.0.borrow()
            && *granularity == runs.granularity()
        {
            return Ok(Rc::clone(known));
        }
        let found: Rc<[Extent]> = run_extents(x, shape, runs)?.into();
        if found.len().saturating_mul(SHORTEST) <= x.len() {
            *self.0.borrow_mut() = Some((runs.granularity(), Rc::clone(&found)));
        }
        Ok(found)
    }
}

fn run_extents(x: &[f32], shape: &Shape, runs: &Runs) -> Result<Vec<Extent>> {
    if runs.is_empty() {
        return Ok(Vec::new());
    }
    match runs.granularity() {
        Granularity::Channel { axis } => channel_extents(x, shape, axis),
        _ => Ok((0..runs.len()).map(|run| extent(runs.values(run, x, &mut Vec::new()))).collect()),
    }
}
