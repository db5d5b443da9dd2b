//! What became of a part of the tests: counts read from what its program printed, and the lines that say what failed.

use crate::process::Watched;
use anyhow::Result;

/// How many tests passed, failed, were skipped.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    pub passed: u32,
    pub failed: u32,
    pub skipped: u32,
}

impl Counts {
    pub const ONE: Counts = Counts { passed: 1, failed: 0, skipped: 0 };
    pub const FAILED: Counts = Counts { passed: 0, failed: 1, skipped: 0 };

    pub fn plus(self, other: Counts) -> Counts {
        Counts {
            passed: self.passed + other.passed,
            failed: self.failed + other.failed,
            skipped: self.skipped + other.skipped,
        }
    }
}

/// Counts, and what the summary says of them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Outcome {
    pub counts: Counts,
    /// Behind the row of the part.
    pub notes: Vec<String>,
    /// What the program printed about what failed.
    pub failures: Vec<String>,
}

impl From<Counts> for Outcome {
    fn from(counts: Counts) -> Self {
        Self { counts, ..Self::default() }
    }
}

impl Outcome {
    /// A program that failed without naming a failed test (it did not build, it crashed, it hung) is one failure.
    fn new(mut counts: Counts, program: &Watched) -> Self {
        if !program.success() && counts.failed == 0 {
            counts.failed = 1;
        }
        let failures = if counts.failed > 0 { vec![failures_in(&program.text)] } else { Vec::new() };
        Self { counts, failures, ..Self::default() }
    }

    pub fn plus(mut self, other: Outcome) -> Self {
        self.counts = self.counts.plus(other.counts);
        self.notes.extend(other.notes);
        self.failures.extend(other.failures);
        self
    }

    /// A check that passes or fails as a whole.
    pub fn of_check(program: &Watched) -> Self {
        Self::new(if program.success() { Counts::ONE } else { Counts::FAILED }, program)
    }

    /// libtest and wasm-bindgen-test: `test result: ok. 3 passed; 0 failed; 1 ignored; …`, once per test binary.
    pub fn of_libtest(program: &Watched) -> Self {
        let results = program.text.lines().filter_map(|line| line.trim_start().strip_prefix("test result: "));
        let counts = results.fold(Counts::default(), |sum, line| {
            sum.plus(Counts {
                passed: number_before(line, " passed"),
                failed: number_before(line, " failed"),
                skipped: number_before(line, " ignored"),
            })
        });
        Self::new(counts, program)
    }

    /// nextest: `Summary [   0.1s] 12 tests run: 10 passed (1 slow), 1 failed, 1 timed out, 2 skipped`.
    pub fn of_nextest(program: &Watched) -> Self {
        let line = program.text.lines().rfind(|line| line.trim_start().starts_with("Summary [")).unwrap_or_default();
        let failed = [" failed", " timed out", " exec failed"].iter().map(|word| number_before(line, word)).sum();
        let counts =
            Counts { passed: number_before(line, " passed"), failed, skipped: number_before(line, " skipped") };
        Self::new(counts, program)
    }

    /// Node's test runner, spec reporter: lines `ℹ pass 3`, `ℹ fail 0`, `ℹ cancelled 0`, `ℹ skipped 0`, `ℹ todo 0`.
    pub fn of_node(program: &Watched) -> Self {
        let value = |word: &str| -> u32 {
            let line = program.text.lines().rev().find_map(|line| line.trim().strip_prefix(&format!("ℹ {word} ")));
            line.and_then(|number| number.trim().parse().ok()).unwrap_or(0)
        };
        let counts = Counts {
            passed: value("pass"),
            failed: value("fail") + value("cancelled"),
            skipped: value("skipped") + value("todo"),
        };
        Self::new(counts, program)
    }

    /// A script of ours that may say `12 passed, 0 failed`; without that it is one check.
    pub fn of_script(program: &Watched) -> Self {
        let line = program.text.lines().rfind(|line| line.contains(" passed, ") && line.contains(" failed"));
        let Some(line) = line else { return Self::of_check(program) };
        let counts = Counts {
            passed: number_before(line, " passed"),
            failed: number_before(line, " failed"),
            skipped: number_before(line, " skipped"),
        };
        Self::new(counts, program)
    }
}

/// Runs `what` in a browser; where it fails, once more. Browsers and their drivers fail by themselves now and then; what passes at the
/// second try passes, and the summary says so and shows what failed at the first.
pub fn twice(what: &str, mut run: impl FnMut() -> Result<Outcome>) -> Result<Outcome> {
    let first = run()?;
    if first.counts.failed == 0 {
        return Ok(first);
    }
    println!("\n• {what}: {} failed; once more", first.counts.failed);
    let mut second = run()?;
    if second.counts.failed == 0 {
        second.notes.push(format!("{what}: {} failed at the first try, none at the second", first.counts.failed));
        second.failures = first.failures;
    }
    Ok(second)
}

/// Lines enough to know what failed, and not more.
const LINES: usize = 60;

/// The part of what a test runner printed that tells of its failures: from where it begins to list them; else the last lines.
fn failures_in(text: &str) -> String {
    let lines: Vec<&str> = text.lines().map(str::trim_end).filter(|line| !line.is_empty()).collect();
    let lists_failures = |line: &&str| {
        let line = line.trim_start();
        line == "failures:" || line.starts_with("✖ failing tests") || line.starts_with("FAIL [")
    };
    match lines.iter().position(lists_failures) {
        Some(at) => lines[at..].iter().take(LINES).copied().collect::<Vec<_>>().join("\n"),
        None => lines[lines.len().saturating_sub(LINES / 2)..].join("\n"),
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::process::{command, watch};
    use std::time::Duration;

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
        assert_eq!(Outcome::of_libtest(&program(text, 101)).counts, counts(5, 4, 1));
    }

    #[test]
    fn a_program_that_fails_without_a_failed_test_counts_as_one() {
        assert_eq!(Outcome::of_libtest(&program("error: could not compile", 101)).counts, counts(0, 1, 0));
        assert_eq!(Outcome::of_nextest(&program("", 1)).counts, counts(0, 1, 0));
        assert_eq!(Outcome::of_node(&program("", 1)).counts, counts(0, 1, 0));
        let hung = Watched { status: None, text: "test result: ok. 3 passed; 0 failed".to_owned() };
        assert_eq!(Outcome::of_libtest(&hung).counts, counts(3, 1, 0));
    }

    #[test]
    fn nextest_summaries_with_every_word() {
        let text = "     Summary [   0.012s] 14 tests run: 10 passed (2 slow), 3 failed, 1 timed out, 5 skipped\n";
        assert_eq!(Outcome::of_nextest(&program(text, 100)).counts, counts(10, 4, 5));
        let text = "     Summary [   0.012s] 1 test run: 1 passed, 0 skipped\n";
        assert_eq!(Outcome::of_nextest(&program(text, 0)).counts, counts(1, 0, 0));
    }

    #[test]
    fn node_reports_with_every_word() {
        let text = "ℹ tests 9\nℹ suites 2\nℹ pass 4\nℹ fail 1\nℹ cancelled 1\nℹ skipped 2\nℹ todo 1\nℹ duration_ms 5\n";
        assert_eq!(Outcome::of_node(&program(text, 1)).counts, counts(4, 2, 3));
    }

    #[test]
    fn a_script_counts_or_is_one_check() {
        assert_eq!(Outcome::of_script(&program("12 passed, 0 failed\n", 0)).counts, counts(12, 0, 0));
        assert_eq!(Outcome::of_script(&program("all equal\n", 0)).counts, counts(1, 0, 0));
        assert_eq!(Outcome::of_script(&program("differs\n", 1)).counts, counts(0, 1, 0));
    }

    #[test]
    fn what_failed_is_quoted_and_what_passed_is_not() {
        let text = "test a ... ok\ntest b ... FAIL\n\nfailures:\n\n---- b output ----\n    panicked at b.rs:1\n";
        assert_eq!(Outcome::of_libtest(&program(text, 0)).failures, Vec::<String>::new());
        let failures = Outcome::of_libtest(&program(text, 1)).failures;
        assert_eq!(failures, ["failures:\n---- b output ----\n    panicked at b.rs:1"]);
        assert_eq!(Outcome::of_check(&program("first\n\nerror: last\n", 1)).failures, ["first\nerror: last"]);
    }

    #[test]
    fn a_second_try_counts_and_is_told() {
        let run = |codes: &[i32]| {
            let mut codes = codes.iter();
            let outcome = twice("b.test.js", || Ok(Outcome::of_check(&program("why", *codes.next().unwrap()))));
            (outcome.unwrap(), codes.len())
        };
        assert_eq!(run(&[0, 1]), (Counts::ONE.into(), 1));
        let (flaky, left) = run(&[1, 0]);
        assert_eq!((flaky.counts, left), (Counts::ONE, 0));
        assert_eq!(flaky.notes, ["b.test.js: 1 failed at the first try, none at the second"]);
        assert_eq!(flaky.failures, ["why"]);
        let (broken, _) = run(&[1, 1]);
        assert_eq!((broken.counts, broken.notes.len(), broken.failures.len()), (Counts::FAILED, 0, 1));
    }
}
