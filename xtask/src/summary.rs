//! What the tests came to: a row per part, and one honest last line.

use crate::process::Watched;
use anyhow::Result;
use std::time::{Duration, Instant};

/// How many tests of a part passed, failed, were skipped.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    pub passed: u32,
    pub failed: u32,
    pub skipped: u32,
}

impl Counts {
    pub const ONE: Counts = Counts { passed: 1, failed: 0, skipped: 0 };

    pub fn plus(self, other: Counts) -> Counts {
        Counts {
            passed: self.passed + other.passed,
            failed: self.failed + other.failed,
            skipped: self.skipped + other.skipped,
        }
    }

    /// A program that failed without naming a failed test (it did not build, it crashed, it hung) is one failure.
    fn or_failed(mut self, program: &Watched) -> Counts {
        if !program.success() && self.failed == 0 {
            self.failed = 1;
        }
        self
    }

    /// A check that passes or fails as a whole.
    pub fn of_check(program: &Watched) -> Counts {
        if program.success() { Counts::ONE } else { Counts { failed: 1, ..Counts::default() } }
    }

    /// libtest and wasm-bindgen-test: `test result: ok. 3 passed; 0 failed; 1 ignored; …`, once per test binary.
    pub fn of_libtest(program: &Watched) -> Counts {
        let results = program.text.lines().filter_map(|line| line.trim_start().strip_prefix("test result: "));
        let counts = results.fold(Counts::default(), |sum, line| {
            sum.plus(Counts {
                passed: number_before(line, " passed"),
                failed: number_before(line, " failed"),
                skipped: number_before(line, " ignored"),
            })
        });
        counts.or_failed(program)
    }

    /// nextest: `Summary [   0.1s] 12 tests run: 10 passed (1 slow), 1 failed, 1 timed out, 2 skipped`.
    pub fn of_nextest(program: &Watched) -> Counts {
        let line = program.text.lines().rfind(|line| line.trim_start().starts_with("Summary [")).unwrap_or_default();
        let failed = [" failed", " timed out", " exec failed"].iter().map(|word| number_before(line, word)).sum();
        let counts =
            Counts { passed: number_before(line, " passed"), failed, skipped: number_before(line, " skipped") };
        counts.or_failed(program)
    }

    /// Node's test runner, spec reporter: lines `ℹ pass 3`, `ℹ fail 0`, `ℹ cancelled 0`, `ℹ skipped 0`, `ℹ todo 0`.
    pub fn of_node(program: &Watched) -> Counts {
        let value = |word: &str| -> u32 {
            let line = program.text.lines().rev().find_map(|line| line.trim().strip_prefix(&format!("ℹ {word} ")));
            line.and_then(|number| number.trim().parse().ok()).unwrap_or(0)
        };
        let counts = Counts {
            passed: value("pass"),
            failed: value("fail") + value("cancelled"),
            skipped: value("skipped") + value("todo"),
        };
        counts.or_failed(program)
    }

    /// A script of ours that may say `12 passed, 0 failed`; without that it is one check.
    pub fn of_script(program: &Watched) -> Counts {
        let line = program.text.lines().rfind(|line| line.contains(" passed, ") && line.contains(" failed"));
        let Some(line) = line else { return Counts::of_check(program) };
        let counts = Counts {
            passed: number_before(line, " passed"),
            failed: number_before(line, " failed"),
            skipped: number_before(line, " skipped"),
        };
        counts.or_failed(program)
    }
}

/// The number that stands directly before `word`, 0 where there is none.
fn number_before(line: &str, word: &str) -> u32 {
    let mut rest = line;
    while let Some(at) = rest.find(word) {
        let digits = rest[..at].rsplit(|c: char| !c.is_ascii_digit()).next().unwrap_or_default();
        if let Ok(number) = digits.parse() {
            return number;
        }
        rest = &rest[at + word.len()..];
    }
    0
}

struct Part {
    name: String,
    counts: Counts,
    note: String,
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
    pub fn part(&mut self, name: &str, run: impl FnOnce() -> Result<Counts>) {
        if !self.wants(name) {
            return;
        }
        println!("\n── {name} {}", "─".repeat(90_usize.saturating_sub(name.chars().count())));
        let started = Instant::now();
        let (counts, note) = match run() {
            Ok(counts) if counts == Counts::default() => (counts, "no tests".to_owned()),
            Ok(counts) => (counts, String::new()),
            Err(error) => {
                println!("error: {error:#}");
                let note = format!("{error:#}").lines().next().unwrap_or_default().to_owned();
                (Counts { failed: 1, ..Counts::default() }, note)
            }
        };
        self.push(name, counts, note, started.elapsed());
    }

    /// A part that cannot run here, and why.
    pub fn skip(&mut self, name: &str, why: &str) {
        if self.wants(name) {
            println!("\nskipped: {name}: {why}");
            self.push(name, Counts { skipped: 1, ..Counts::default() }, why.to_owned(), Duration::ZERO);
        }
    }

    /// Something the rest needs: a row only where it fails. Returns whether it stands.
    pub fn need(&mut self, name: &str, run: impl FnOnce() -> Result<()>) -> bool {
        let started = Instant::now();
        let Err(error) = run() else { return true };
        println!("\nerror: {name}: {error:#}");
        let note = format!("{error:#}").lines().next().unwrap_or_default().to_owned();
        self.push(name, Counts { failed: 1, ..Counts::default() }, note, started.elapsed());
        false
    }

    fn push(&mut self, name: &str, mut counts: Counts, mut note: String, took: Duration) {
        if self.strict && counts.skipped > 0 {
            let comma = if note.is_empty() { "" } else { "; " };
            note = format!("{note}{comma}{} skipped, which CI counts as failed", counts.skipped);
            counts.failed += counts.skipped;
            counts.skipped = 0;
        }
        self.parts.push(Part { name: name.to_owned(), counts, note, took });
    }

    /// The table and the last line.
    pub fn text(&self) -> String {
        let width = self.parts.iter().map(|part| part.name.chars().count()).max().unwrap_or(0).max(4);
        let mut text = format!("\n{:width$}  passed  failed  skipped     time\n", "part");
        for Part { name, counts, note, took } in &self.parts {
            let Counts { passed, failed, skipped } = counts;
            let mark = if *failed > 0 { "✗" } else { " " };
            let seconds = took.as_secs_f64();
            let row = format!("{name:width$}  {passed:6}  {failed:6}  {skipped:7}  {seconds:5.1} s {mark} {note}");
            text += row.trim_end();
            text.push('\n');
        }
        let Counts { passed, failed, skipped } = self.total();
        text + &format!("\n{passed} passed, {failed} failed, {skipped} skipped\n")
    }

    pub fn total(&self) -> Counts {
        self.parts.iter().fold(Counts::default(), |sum, part| sum.plus(part.counts))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::process::{command, watch};

    fn program(text: &str, code: i32) -> Watched {
        let seen = watch(command("sh").args(["-c", &format!("exit {code}")]), Duration::from_secs(30)).unwrap();
        Watched { text: text.to_owned(), ..seen }
    }

    fn counts(passed: u32, failed: u32, skipped: u32) -> Counts {
        Counts { passed, failed, skipped }
    }

    #[test]
    fn libtest_results_are_summed_over_binaries() {
        let text = "test result: ok. 3 passed; 0 failed; 1 ignored; 0 measured; 7 filtered out; finished in 0.1s\n\
                    noise\ntest result: FAILED. 2 passed; 4 failed; 0 ignored; 0 filtered out\n";
        assert_eq!(Counts::of_libtest(&program(text, 101)), counts(5, 4, 1));
    }

    #[test]
    fn a_program_that_fails_without_a_failed_test_counts_as_one() {
        assert_eq!(Counts::of_libtest(&program("error: could not compile", 101)), counts(0, 1, 0));
        assert_eq!(Counts::of_nextest(&program("", 1)), counts(0, 1, 0));
        assert_eq!(Counts::of_node(&program("", 1)), counts(0, 1, 0));
        let hung = Watched { status: None, text: "test result: ok. 3 passed; 0 failed".to_owned() };
        assert_eq!(Counts::of_libtest(&hung), counts(3, 1, 0));
    }

    #[test]
    fn nextest_summaries_with_every_word() {
        let text = "     Summary [   0.012s] 14 tests run: 10 passed (2 slow), 3 failed, 1 timed out, 5 skipped\n";
        assert_eq!(Counts::of_nextest(&program(text, 100)), counts(10, 4, 5));
        let text = "     Summary [   0.012s] 1 test run: 1 passed, 0 skipped\n";
        assert_eq!(Counts::of_nextest(&program(text, 0)), counts(1, 0, 0));
    }

    #[test]
    fn node_reports_with_every_word() {
        let text = "ℹ tests 9\nℹ suites 2\nℹ pass 4\nℹ fail 1\nℹ cancelled 1\nℹ skipped 2\nℹ todo 1\nℹ duration_ms 5\n";
        assert_eq!(Counts::of_node(&program(text, 1)), counts(4, 2, 3));
    }

    #[test]
    fn a_script_counts_or_is_one_check() {
        assert_eq!(Counts::of_script(&program("12 passed, 0 failed\n", 0)), counts(12, 0, 0));
        assert_eq!(Counts::of_script(&program("all equal\n", 0)), counts(1, 0, 0));
        assert_eq!(Counts::of_script(&program("differs\n", 1)), counts(0, 1, 0));
    }

    #[test]
    fn the_last_line_is_the_sum_and_ci_turns_skips_into_failures() {
        for (strict, last) in [(false, "2 passed, 1 failed, 1 skipped"), (true, "2 passed, 2 failed, 0 skipped")] {
            let mut report = Report::new(&[], strict);
            report.part("one", || Ok(counts(2, 0, 0)));
            report.part("two", || anyhow::bail!("broken"));
            report.skip("three", "no such browser");
            assert_eq!(report.text().lines().last(), Some(last));
        }
    }

    #[test]
    fn a_filter_leaves_out_other_parts() {
        let mut report = Report::new(&["e2e".to_owned()], false);
        report.part("e2e: webkit", || Ok(Counts::ONE));
        report.part("lint", || anyhow::bail!("must not run"));
        assert_eq!(report.total(), Counts::ONE);
    }
}
