//! The fuzz targets of `fuzz/`, each run for a minute: `cargo xtask test long` runs them after everything else, `cargo xtask test fuzz` alone.
//!
//! libFuzzer needs LLVM's coverage counters, which the stable compiler makes when LLVM itself is asked for them: these are the flags of
//! cargo-fuzz, but for the address sanitizer, which the crate's safe code does without.

use crate::outcome::{Counts, Outcome};
use crate::paths::{at, target};
use crate::process::{capture, cargo, command, on_path, watch};
use crate::summary::Report;
use anyhow::{Context, Result, bail};
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

const SECONDS: u32 = 60;

/// A target, folders with files to begin with, and words that its inputs are made of.
const TARGETS: [(&str, &[&str], Option<&str>); 8] = [
    (
        "any_file",
        &[
            "tests/data/corpus",
            "tests/data/corpus/onnx",
            "tests/data/corpus/sharded",
            "tests/data/deep",
            "tests/data/gguf",
            "tests/data/parts",
            "tests/data/zips",
        ],
        None,
    ),
    ("safetensors_header", &["fuzz/seeds/safetensors_header"], Some("json.dict")),
    ("npy_header", &["fuzz/seeds/npy_header"], Some("npy.dict")),
    ("gguf_header", &["fuzz/seeds/gguf_header"], Some("gguf.dict")),
    ("onnx_graph", &["fuzz/seeds/onnx_graph"], None),
    ("checkpoint", &["fuzz/seeds/checkpoint"], Some("pickle.dict")),
    ("deep_container", &["fuzz/seeds/deep_container"], None),
    ("decode", &["fuzz/seeds/decode"], None),
];

const FLAGS: &str = "--cfg fuzzing -Cdebug-assertions -Ccodegen-units=1 -Cpasses=sancov-module \
    -Cllvm-args=-sanitizer-coverage-level=4 -Cllvm-args=-sanitizer-coverage-inline-8bit-counters \
    -Cllvm-args=-sanitizer-coverage-pc-table -Cllvm-args=-sanitizer-coverage-trace-compares";

/// A part of the report for each target.
pub fn all(report: &mut Report) {
    if !TARGETS.iter().any(|(name, ..)| report.wants(&part(name))) {
        return;
    }
    if on_path("c++").is_none() {
        TARGETS.iter().for_each(|(name, ..)| report.skip(&part(name), "libFuzzer is made with a C++ compiler"));
        return;
    }
    match build() {
        Err(error) => {
            report.need("fuzz: build", || Err(error));
        }
        Ok(programs) => {
            for (name, seeds, words) in TARGETS {
                report.part(&part(name), || run(&programs, name, seeds, words));
            }
        }
    }
}

fn part(target: &str) -> String {
    format!("fuzz: {target}")
}

/// Builds all targets; where they lie.
fn build() -> Result<PathBuf> {
    let about = capture(command("rustc").arg("-vV"), "asking rustc where it is")?;
    let host = about.lines().find_map(|line| line.strip_prefix("host: ")).context("rustc names no host")?;
    let folder = target().join("fuzz");
    let mut build = cargo();
    // With a target named, build scripts are made without these flags.
    build.env_remove("CARGO_ENCODED_RUSTFLAGS").env("RUSTFLAGS", FLAGS);
    build.args(["build", "--locked", "--release", "--bins", "--target", host, "--manifest-path"]);
    build.arg(at("fuzz/Cargo.toml")).arg("--target-dir").arg(&folder);
    crate::process::run(&mut build, "building the fuzz targets")?;
    Ok(folder.join(host).join("release"))
}

/// A minute of one target. What it finds stays in `target/fuzz/corpus`, from where the next run goes on; what breaks it, in
/// `target/fuzz/artifacts`.
fn run(programs: &Path, name: &str, seeds: &[&str], words: Option<&str>) -> Result<Outcome> {
    let [corpus, artifacts] = ["corpus", "artifacts"].map(|kind| target().join("fuzz").join(kind).join(name));
    fs::create_dir_all(&corpus)?;
    fs::create_dir_all(&artifacts)?;
    let mut fuzz = command(programs.join(name));
    fuzz.arg(corpus).args(seeds.iter().map(|seeds| at(seeds)));
    fuzz.args(words.map(|words| format!("-dict={}", at("fuzz").join(words).display())));
    fuzz.arg(format!("-artifact_prefix={}/", artifacts.display()));
    // No input of a few kilobytes has a reason to ask for much; most of this is libFuzzer's own.
    fuzz.args([format!("-max_total_time={SECONDS}"), "-rss_limit_mb=512".into(), "-timeout=10".into()]);
    fuzz.args(["-verbosity=0", "-print_final_stats=1"]);
    let done = watch(&mut fuzz, Duration::from_secs(10 * u64::from(SECONDS)))?;
    if !done.success() {
        bail!("{name}: the input that breaks it lies in {}", artifacts.display());
    }
    Ok(Counts::ONE.into())
}
