//! What the tests came to: what failed, a row per part, and one honest last line.

use crate::outcome::{Counts, Outcome};
use anyhow::Result;
use std::time::{Duration, Instant};

struct Part {
    name: String,
    outcome: Outcome,
    took: Duration,
}

/// All parts, in the order in which they ran.
pub struct Report {
    parts: Vec<Part>,
    filter: Vec<String>,
    /// `CI=true`: a skip is a failure.
    strict: bool,
}

impl Report {
    /// A report over the parts whose name contains one of `filter`; over all where it is empty.
    pub fn new(filter: &[String], strict: bool) -> Self {
        Self { parts: Vec::new(), filter: filter.to_vec(), strict }
    }

    pub fn wants(&self, name: &str) -> bool {
        self.filter.is_empty() || self.filter.iter().any(|part| name.contains(part.as_str()))
    }

    /// Runs a part, whatever became of those before it.
    pub fn part(&mut self, name: &str, run: impl FnOnce() -> Result<Outcome>) {
        if !self.wants(name) {
            return;
        }
        println!("\n── {name} {}", "─".repeat(90_usize.saturating_sub(name.chars().count())));
        let started = Instant::now();
        let mut outcome = run().unwrap_or_else(|error| failed(&error));
        if outcome.counts == Counts::default() {
            outcome.notes.push("no tests".to_owned());
        }
        self.push(name, outcome, started.elapsed());
    }

    /// A part that cannot run here, and why.
    pub fn skip(&mut self, name: &str, why: &str) {
        if self.wants(name) {
            println!("\nskipped: {name}: {why}");
            let counts = Counts { skipped: 1, ..Counts::default() };
            self.push(name, Outcome { counts, notes: vec![why.to_owned()], failures: Vec::new() }, Duration::ZERO);
        }
    }

    /// Something the rest needs: a row only where it fails. Returns whether it stands.
    pub fn need(&mut self, name: &str, run: impl FnOnce() -> Result<()>) -> bool {
        let started = Instant::now();
        let Err(error) = run() else { return true };
        self.push(name, failed(&error), started.elapsed());
        false
    }

    fn push(&mut self, name: &str, mut outcome: Outcome, took: Duration) {
        let counts = &mut outcome.counts;
        if self.strict && counts.skipped > 0 {
            outcome.notes.push(format!("{} skipped, which CI counts as failed", counts.skipped));
            counts.failed += counts.skipped;
            counts.skipped = 0;
        }
        self.parts.push(Part { name: name.to_owned(), outcome, took });
    }

    /// What failed, the table and the last line.
    pub fn text(&self) -> String {
        let mut text = String::new();
        for Part { name, outcome, .. } in &self.parts {
            for failures in &outcome.failures {
                text += &format!("\n── what failed: {name}\n{failures}\n");
            }
        }
        let width = self.parts.iter().map(|part| part.name.chars().count()).max().unwrap_or(0).max(4);
        text += &format!("\n{:width$}  passed  failed  skipped     time\n", "part");
        for Part { name, outcome, took } in &self.parts {
            let Counts { passed, failed, skipped } = outcome.counts;
            let mark = if failed > 0 { "✗" } else { " " };
            let seconds = took.as_secs_f64();
            let row = format!("{name:width$}  {passed:6}  {failed:6}  {skipped:7}  {seconds:5.1} s {mark} ");
            text += (row + &outcome.notes.join("; ")).trim_end();
            text.push('\n');
        }
        let Counts { passed, failed, skipped } = self.total();
        text + &format!("\n{passed} passed, {failed} failed, {skipped} skipped\n")
    }

    pub fn total(&self) -> Counts {
        self.parts.iter().fold(Counts::default(), |sum, part| sum.plus(part.outcome.counts))
    }
}

/// A part that did not come to run.
fn failed(error: &anyhow::Error) -> Outcome {
    let text = format!("{error:#}");
    println!("\nerror: {text}");
    Outcome {
        counts: Counts::FAILED,
        notes: vec![text.lines().next().unwrap_or_default().to_owned()],
        failures: Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn counts(passed: u32, failed: u32, skipped: u32) -> Counts {
        Counts { passed, failed, skipped }
    }

    #[test]
    fn the_last_line_is_the_sum_and_ci_turns_skips_into_failures() {
        for (strict, last) in [(false, "2 passed, 1 failed, 1 skipped"), (true, "2 passed, 2 failed, 0 skipped")] {
            let mut report = Report::new(&[], strict);
            report.part("one", || Ok(counts(2, 0, 0).into()));
            report.part("two", || anyhow::bail!("broken"));
            report.skip("three", "no such browser");
            assert_eq!(report.text().lines().last(), Some(last));
        }
    }

    #[test]
    fn a_filter_leaves_out_other_parts() {
        let mut report = Report::new(&["e2e".to_owned()], false);
        report.part("e2e: webkit", || Ok(Counts::ONE.into()));
        report.part("lint", || anyhow::bail!("must not run"));
        assert_eq!(report.total(), Counts::ONE);
    }

    #[test]
    fn what_failed_stands_before_the_table() {
        let mut report = Report::new(&[], false);
        let failures = vec!["panicked at b.rs:1".to_owned()];
        report.part("wasm", || Ok(Outcome { counts: Counts::FAILED, notes: Vec::new(), failures }));
        assert!(report.text().starts_with("\n── what failed: wasm\npanicked at b.rs:1\n\npart "), "{}", report.text());
    }
}
