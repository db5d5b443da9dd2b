//! Bytes and costs to a choice for each item: the Lagrangian method for rate–distortion allocation (Shoham and Gersho 1988).
//!
//! Each item has points, one of which it takes. Of an item's points only those on its lower convex hull are optimal for some price λ of a byte;
//! from one to the next on the hull is a step, which costs bytes and saves so much of the cost for each of them. Taken in the order of that gain,
//! the steps of all items are the allocations for every λ; the last that fits the budget is found by bisection. What is left of the budget is
//! then spent greedily on any point, on a hull or not. Uniform choices that fit are improved in the same way, and the best of all is
//! taken: so no allocation is worse than a uniform one of at most its budget. With many items the first allocation is nearly optimal, and
//! improving others takes long: then only the best of the uniform choices is improved, and none where that could gain next to nothing (no
//! allocation costs less than the hulls do at the budget) and none costs less as it is.
//!
//! The first allocation is at most one step of the hull above the optimum (the optimum cannot lie below the hulls).

use std::cmp::Ordering;
use std::collections::BinaryHeap;

use crate::error::{Code, Error, Result};

/// An allocation within this share of what the hulls cost at the budget, which no allocation goes below, is good enough.
const NEAR: f64 = 1e-3;

/// Items of uniform choices that are improved, about: all choices of a few hundred items, one of thousands.
const IMPROVED: usize = 8192;

/// A way for an item.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Point {
    /// What it takes.
    pub bytes: u64,
    /// What it loses, at least 0; what is not finite cannot be taken.
    pub cost: f64,
}

/// A choice for each item.
#[derive(Debug, Clone, PartialEq)]
pub struct Allocation {
    /// Of each item which of its points.
    pub picks: Vec<usize>,
    /// All together.
    pub bytes: u64,
    /// All together.
    pub cost: f64,
    /// Cost that a byte saves where the budget ends: the λ of the last step. 0 where nothing is left to be saved.
    pub price: f64,
}

/// One step on the hull of an item.
#[derive(Debug, Clone, Copy)]
struct Step {
    item: usize,
    to: usize,
    bytes: u64,
    gain: f64,
}

impl Step {
    fn per_byte(&self) -> f64 {
        self.gain / self.bytes as f64
    }
}

/// Items made ready for allocations under many budgets.
#[derive(Debug, Clone)]
pub struct Allocator {
    items: Vec<Vec<Point>>,
    /// Of each item the point of the fewest bytes.
    least: Vec<usize>,
    /// The hulls' steps, the best first.
    steps: Vec<Step>,
    /// Bytes and cost after so many steps.
    after: Vec<Point>,
}

impl Allocator {
    /// Of these items.
    ///
    /// # Errors
    /// `invalid_argument` for an item without a point that can be taken, or more bytes than 64 bits can count.
    pub fn new(items: Vec<Vec<Point>>) -> Result<Allocator> {
        let mut least = Vec::with_capacity(items.len());
        let mut steps = Vec::new();
        let mut start = Point { bytes: 0, cost: 0.0 };
        let mut most: u64 = 0;
        for (item, points) in items.iter().enumerate() {
            let hull = hull(points);
            let Some(&first) = hull.first() else {
                return Err(
                    Error::new(Code::InvalidArgument, "an item has no point that can be taken").with_found(item)
                );
            };
            least.push(first);
            let largest = points.iter().map(|point| point.bytes).max().unwrap_or(0);
            most = most
                .checked_add(largest)
                .ok_or_else(|| Error::new(Code::InvalidArgument, "the items take more bytes than 64 bits can count"))?;
            start = Point { bytes: start.bytes + points[first].bytes, cost: start.cost + points[first].cost };
            steps.extend(hull.windows(2).map(|pair| Step {
                item,
                to: pair[1],
                bytes: points[pair[1]].bytes - points[pair[0]].bytes,
                gain: points[pair[0]].cost - points[pair[1]].cost,
            }));
        }
        // A stable sort: of equal gains the earlier item, and of an item the earlier step, comes first.
        steps.sort_by(|a, b| b.per_byte().total_cmp(&a.per_byte()));
        let mut after = vec![start];
        for step in &steps {
            let Point { bytes, cost } = after[after.len() - 1];
            after.push(Point { bytes: bytes + step.bytes, cost: cost - step.gain });
        }
        Ok(Allocator { items, least, steps, after })
    }

    /// The fewest bytes that any allocation takes.
    #[must_use]
    pub fn least(&self) -> u64 {
        self.after[0].bytes
    }

    /// Bytes and cost of the allocations on the hulls, from the smallest on.
    #[must_use]
    pub fn curve(&self) -> &[Point] {
        &self.after
    }

    /// The bytes and the cost of these picks.
    fn sum(&self, picks: &[usize]) -> Point {
        picks.iter().zip(&self.items).fold(Point { bytes: 0, cost: 0.0 }, |sum, (&pick, points)| Point {
            bytes: sum.bytes + points[pick].bytes,
            cost: sum.cost + points[pick].cost,
        })
    }

    /// The allocation that fits `budget` bytes and loses the least that is found. `uniform` are choices that it shall not be worse than, if
    /// they fit: each names a point of every item.
    ///
    /// # Errors
    /// `unreachable` where even the least bytes are too many; `invalid_argument` for a uniform choice of points that there are not.
    pub fn fit(&self, budget: u64, uniform: &[Vec<usize>]) -> Result<Allocation> {
        if self.least() > budget {
            return Err(Error::new(Code::Unreachable, "no choice of schemes is this small")
                .with_expected(format!("at least {} bytes", self.least()))
                .with_found(format!("{budget} bytes")));
        }
        let taken = self.after.partition_point(|point| point.bytes <= budget) - 1;
        let mut picks = self.least.clone();
        for step in &self.steps[..taken] {
            picks[step.item] = step.to;
        }
        let mut best = self.repaired(picks, budget);
        let price = self.steps.get(taken).map_or(0.0, Step::per_byte);
        let Point { bytes: at, cost } = self.after[taken];
        // The line on which the next step goes on.
        let bound = cost - price * (budget - at) as f64;
        let mut fitting = Vec::new();
        for picks in uniform {
            let is_known =
                picks.len() == self.items.len() && picks.iter().zip(&self.items).all(|(&i, of)| i < of.len());
            if !is_known {
                return Err(Error::new(Code::InvalidArgument, "a uniform choice names points that there are not"));
            }
            let sum = self.sum(picks);
            if sum.bytes <= budget && sum.cost.is_finite() {
                fitting.push((sum.cost, picks));
            }
        }
        // The best first: no allocation that is better than this one is worse than another.
        fitting.sort_by(|a, b| a.0.total_cmp(&b.0));
        for (cost, picks) in fitting.into_iter().take((IMPROVED / self.items.len().max(1)).max(1)) {
            if cost >= best.1.cost && best.1.cost <= bound * (1.0 + NEAR) {
                break;
            }
            let other = self.repaired(picks.clone(), budget);
            if other.1.cost < best.1.cost {
                best = other;
            }
        }
        let (picks, Point { bytes, cost }) = best;
        Ok(Allocation { picks, bytes, cost, price })
    }

    /// Spends what the picks leave of the budget, each time on the point that saves most for its bytes.
    fn repaired(&self, mut picks: Vec<usize>, budget: u64) -> (Vec<usize>, Point) {
        let mut left = budget - self.sum(&picks).bytes;
        let mut heap: BinaryHeap<Upgrade> =
            (0..picks.len()).filter_map(|item| self.upgrade(item, picks[item], left)).collect();
        while let Some(next) = heap.pop() {
            let (from, to) = (picks[next.item], next.to);
            // What did not fit when it came to the top is looked for again among the points that still do.
            let before = self.items[next.item][from].bytes;
            let after = self.items[next.item][to].bytes;
            if after <= before.saturating_add(left) {
                picks[next.item] = to;
                left = left + before - after;
            }
            heap.extend(self.upgrade(next.item, picks[next.item], left));
        }
        let sum = self.sum(&picks);
        (picks, sum)
    }

    /// The point of an item that saves most for its bytes, of those that fit; points of no more bytes come before all others.
    fn upgrade(&self, item: usize, from: usize, left: u64) -> Option<Upgrade> {
        let points = &self.items[item];
        let Point { bytes, cost } = points[from];
        let fitting = points.iter().enumerate().filter(|(_, p)| p.cost < cost && p.bytes <= bytes.saturating_add(left));
        fitting
            .map(|(to, p)| {
                let per_byte = (cost - p.cost) / p.bytes.saturating_sub(bytes) as f64;
                Upgrade { item, to, per_byte }
            })
            .max()
    }
}

/// A better point for an item.
#[derive(Debug, Clone, Copy)]
struct Upgrade {
    item: usize,
    to: usize,
    per_byte: f64,
}

impl Ord for Upgrade {
    fn cmp(&self, other: &Upgrade) -> Ordering {
        let earlier = |u: &Upgrade| std::cmp::Reverse((u.item, u.to));
        self.per_byte.total_cmp(&other.per_byte).then_with(|| earlier(self).cmp(&earlier(other)))
    }
}

impl PartialOrd for Upgrade {
    fn partial_cmp(&self, other: &Upgrade) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Upgrade {
    fn eq(&self, other: &Upgrade) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl Eq for Upgrade {}

/// The lower convex hull of the points that can be taken, from the fewest bytes on, every step a gain.
fn hull(points: &[Point]) -> Vec<usize> {
    let mut order: Vec<usize> = (0..points.len()).filter(|&i| points[i].cost.is_finite()).collect();
    order.sort_by(|&a, &b| points[a].bytes.cmp(&points[b].bytes).then(points[a].cost.total_cmp(&points[b].cost)));
    let slope = |from: usize, to: usize| {
        let (a, b) = (points[from], points[to]);
        (a.cost - b.cost) / (b.bytes - a.bytes) as f64
    };
    let mut hull: Vec<usize> = Vec::new();
    for at in order {
        if hull
            .last()
            .is_some_and(|&last| points[at].cost >= points[last].cost || points[at].bytes == points[last].bytes)
        {
            continue;
        }
        while let [.., before, last] = hull[..] {
            if slope(before, last) > slope(last, at) {
                break;
            }
            hull.pop();
        }
        hull.push(at);
    }
    hull
}
