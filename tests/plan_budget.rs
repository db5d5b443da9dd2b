//! The allocator against brute force and against itself: what fits a budget, and what it loses.

use fewerbits::Code;
use fewerbits::plan::budget::{Allocation, Allocator, Point};

/// A small generator: what fails is found again by its seed.
struct Random(u64);

impl Random {
    fn of(seed: u64) -> Random {
        Random(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15))
    }

    fn below(&mut self, n: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 11) % n
    }

    /// Items of points that are anything: dominated, equal, of no cost, such that cannot be taken.
    fn items(&mut self, most: u64, points: u64) -> Vec<Vec<Point>> {
        let n = 1 + self.below(most);
        (0..n)
            .map(|_| {
                let size = 1 + self.below(60);
                let mut item: Vec<Point> = (0..1 + self.below(points))
                    .map(|_| {
                        let bits = self.below(16);
                        let noise = 0.5 + self.below(1000) as f64 / 1000.0;
                        let cost = if self.below(9) == 0 { f64::NAN } else { noise * 4_f64.powi(-(bits as i32)) };
                        Point { bytes: bits * size, cost }
                    })
                    .collect();
                item.push(Point { bytes: 16 * size, cost: 0.0 });
                item
            })
            .collect()
    }

    /// The same scheme for all: any point of each item that can be taken.
    fn uniform(&mut self, items: &[Vec<Point>]) -> Vec<usize> {
        items.iter().map(|points| self.below(points.len() as u64) as usize).collect()
    }
}

/// The least cost of any choice within a budget.
fn brute_force(items: &[Vec<Point>], budget: u64) -> Option<f64> {
    let Some((first, rest)) = items.split_first() else { return Some(0.0) };
    first
        .iter()
        .filter(|point| point.cost.is_finite() && point.bytes <= budget)
        .filter_map(|point| Some(point.cost + brute_force(rest, budget - point.bytes)?))
        .min_by(f64::total_cmp)
}

fn sum(items: &[Vec<Point>], picks: &[usize]) -> Point {
    items.iter().zip(picks).fold(Point { bytes: 0, cost: 0.0 }, |sum, (points, &pick)| Point {
        bytes: sum.bytes + points[pick].bytes,
        cost: sum.cost + points[pick].cost,
    })
}

/// None of these choices that fits costs less than what was found.
fn assert_none_better(items: &[Vec<Point>], budget: u64, found: &Allocation, rivals: &[Vec<usize>], seed: u64) {
    for picks in rivals {
        let other = sum(items, picks);
        let is_better = other.bytes <= budget && other.cost < found.cost;
        assert!(!is_better, "seed {seed}, budget {budget}: {other:?} against {found:?}");
    }
}

fn check(items: &[Vec<Point>], budget: u64, found: &Allocation, seed: u64) {
    let sum = sum(items, &found.picks);
    assert_eq!(sum.bytes, found.bytes, "seed {seed}");
    assert_eq!(sum.cost, found.cost, "seed {seed}");
    assert!(sum.cost.is_finite() && sum.bytes <= budget, "seed {seed}, budget {budget}: {found:?}");
}

#[test]
fn an_allocation_is_within_one_step_of_the_optimum() {
    let mut exact = 0;
    let mut cases = 0;
    for seed in 1..400 {
        let mut random = Random::of(seed);
        let items = random.items(5, 6);
        let allocator = Allocator::new(items.clone()).unwrap();
        let most = allocator.curve().last().unwrap().bytes;
        // The largest gain of a step on any hull: the optimum lies above the hulls, the allocation at most a step above them.
        let step = allocator.curve().windows(2).map(|pair| pair[0].cost - pair[1].cost).fold(0.0, f64::max);
        for _ in 0..8 {
            let budget = allocator.least() + random.below(most - allocator.least() + 2);
            let found = allocator.fit(budget, &[]).unwrap();
            check(&items, budget, &found, seed);
            let optimum = brute_force(&items, budget).unwrap();
            assert!(found.cost >= optimum - 1e-12, "seed {seed}: better than the optimum");
            assert!(found.cost <= optimum + step + 1e-12, "seed {seed}, budget {budget}: {} of {optimum}", found.cost);
            cases += 1;
            exact += usize::from(found.cost <= optimum + 1e-12);
        }
    }
    assert!(exact * 10 >= cases * 7, "the optimum was found in {exact} of {cases} cases");
}

#[test]
fn no_uniform_choice_that_fits_is_better() {
    for seed in 1..600 {
        let mut random = Random::of(seed + 1000);
        let items = random.items(40, 9);
        let allocator = Allocator::new(items.clone()).unwrap();
        let most = allocator.curve().last().unwrap().bytes;
        let uniform: Vec<Vec<usize>> = (0..6).map(|_| random.uniform(&items)).collect();
        for _ in 0..6 {
            let budget = allocator.least() + random.below(most - allocator.least() + 2);
            let found = allocator.fit(budget, &uniform).unwrap();
            check(&items, budget, &found, seed);
            assert_none_better(&items, budget, &found, &uniform, seed);
        }
    }
}

#[test]
fn of_many_items_no_uniform_choice_is_better_and_the_hulls_are_nearly_reached() {
    for seed in 1..12 {
        let mut random = Random::of(seed);
        let items: Vec<Vec<Point>> = (0..200).flat_map(|_| random.items(8, 12)).collect();
        let allocator = Allocator::new(items.clone()).unwrap();
        let [least, most] = [allocator.least(), allocator.curve().last().unwrap().bytes];
        let budgets: Vec<u64> = (0..8).map(|share| least + (most - least) * share / 8).collect();
        // Hard to be better than: what was found for these budgets and for a little less.
        let rivals = budgets.iter().flat_map(|&budget| [budget, budget.saturating_sub(60).max(least)]);
        let uniform: Vec<Vec<usize>> = rivals.map(|budget| allocator.fit(budget, &[]).unwrap().picks).collect();
        for budget in budgets {
            let found = allocator.fit(budget, &uniform).unwrap();
            check(&items, budget, &found, seed);
            assert_none_better(&items, budget, &found, &uniform, seed);
            let on_hull = allocator.curve().iter().rfind(|point| point.bytes <= budget).unwrap();
            assert!(found.cost <= on_hull.cost, "seed {seed}: {} above {}", found.cost, on_hull.cost);
        }
    }
}

#[test]
fn of_many_items_the_best_uniform_choice_is_no_better_by_however_little() {
    // The step that gains most for a byte comes first and leaves no room for the larger one, which gains a little more: 0.001 of thousands.
    let first = vec![Point { bytes: 0, cost: 10.0 }, Point { bytes: 99, cost: 0.001 }];
    let better = vec![Point { bytes: 0, cost: 10.0 }, Point { bytes: 100, cost: 0.0 }];
    for others in [0, 100, 1000, 10_000] {
        let fixed = vec![Point { bytes: 0, cost: 1.0 }];
        let items: Vec<Vec<Point>> = [first.clone(), better.clone()].into_iter().chain(vec![fixed; others]).collect();
        let choice = |a: usize, b: usize| [a, b].into_iter().chain(vec![0; others]).collect::<Vec<usize>>();
        let allocator = Allocator::new(items.clone()).unwrap();
        let alone = allocator.fit(100, &[]).unwrap();
        assert_eq!(alone.picks[..2], [1, 0], "the case is none");
        let best = sum(&items, &choice(0, 1));
        let found = allocator.fit(100, &[choice(0, 0), choice(0, 1), choice(1, 0), choice(1, 1)]).unwrap();
        check(&items, 100, &found, 0);
        assert!(best.cost < alone.cost && found.cost <= best.cost, "{others} others: {found:?} above {best:?}");
    }
}

#[test]
fn more_bytes_never_lose_more_on_the_hulls() {
    let mut random = Random::of(7);
    let items = random.items(60, 12);
    let allocator = Allocator::new(items).unwrap();
    for pair in allocator.curve().windows(2) {
        assert!(pair[0].bytes < pair[1].bytes && pair[0].cost > pair[1].cost);
    }
    for pair in allocator.curve().windows(3) {
        let slope = |a: Point, b: Point| (a.cost - b.cost) / (b.bytes - a.bytes) as f64;
        assert!(slope(pair[0], pair[1]) >= slope(pair[1], pair[2]) * (1.0 - 1e-9));
    }
    for (i, point) in allocator.curve().iter().enumerate() {
        let found = allocator.fit(point.bytes, &[]).unwrap();
        assert!(found.cost <= point.cost + 1e-9, "after {i} steps: {} of {}", found.cost, point.cost);
    }
    assert_eq!(allocator.fit(u64::MAX, &[]).unwrap().price, 0.0);
}

#[test]
fn a_budget_below_the_least_is_refused_with_the_least() {
    let point = |bytes, cost| Point { bytes, cost };
    let items = vec![
        vec![point(10, 1.0), point(20, 0.5)],
        // What cannot be taken counts for nothing.
        vec![point(5, f64::NAN), point(7, 2.0)],
    ];
    let allocator = Allocator::new(items).unwrap();
    assert_eq!(allocator.least(), 17);
    let refused = allocator.fit(16, &[]).unwrap_err();
    assert_eq!(refused.code, Code::Unreachable);
    assert_eq!(refused.expected.as_deref(), Some("at least 17 bytes"));
    assert_eq!(allocator.fit(17, &[]).unwrap().picks, [0, 1]);
    assert_eq!(allocator.fit(27, &[]).unwrap().picks, [1, 1]);
}

#[test]
fn what_cannot_be_allocated_is_refused() {
    let refused = |items| Allocator::new(items).unwrap_err().code;
    assert_eq!(refused(vec![vec![]]), Code::InvalidArgument);
    assert_eq!(refused(vec![vec![Point { bytes: 1, cost: f64::INFINITY }]]), Code::InvalidArgument);
    let huge = Point { bytes: u64::MAX, cost: 0.0 };
    assert_eq!(refused(vec![vec![huge], vec![huge]]), Code::InvalidArgument);
    let allocator = Allocator::new(vec![vec![Point { bytes: 1, cost: 0.0 }]]).unwrap();
    assert_eq!(allocator.fit(5, &[vec![1]]).unwrap_err().code, Code::InvalidArgument);
    assert_eq!(allocator.fit(5, &[vec![]]).unwrap_err().code, Code::InvalidArgument);
    assert_eq!(Allocator::new(vec![]).unwrap().fit(0, &[]).unwrap().picks, [0; 0]);
}

#[test]
fn what_is_left_is_spent_on_points_off_the_hull() {
    let point = |bytes, cost| Point { bytes, cost };
    // The second point lies above the line from the first to the third.
    let items = vec![vec![point(0, 1.0), point(50, 0.9), point(100, 0.0)]];
    let allocator = Allocator::new(items).unwrap();
    assert_eq!(allocator.curve().len(), 2);
    assert_eq!(allocator.fit(99, &[]).unwrap().picks, [1]);
    assert_eq!(allocator.fit(100, &[]).unwrap().picks, [2]);
}
