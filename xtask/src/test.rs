//! `cargo xtask test`: everything there is to test, part by part; one failing part stops none of the others.

use crate::browsers::{self, Browser};
use crate::outcome::{Outcome, twice};
use crate::paths::{at, files_below, shown, target};
use crate::process::{self, Watched, capture, cargo, command, watch};
use crate::setup::{self, WASM_TARGET, node_tool};
use crate::summary::Report;
use crate::wasm::{self, Simd};
use crate::{fuzz, npm_package, python, site};
use anyhow::{Context, Result, bail};
use std::env;
use std::num::NonZero;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::thread;
use std::time::Duration;

/// No test is timed; this only ends what hangs.
const GUARD: Duration = Duration::from_secs(40 * 60);

/// Runs the parts whose name contains one of `filter` (all where there is none) and prints the summary. `long` adds the fuzz targets.
pub fn all(filter: &[String]) -> Result<()> {
    let is_long = filter.iter().any(|part| part == "long");
    let parts: Vec<String> = filter.iter().filter(|part| *part != "long").cloned().collect();
    let mut report = Report::new(&parts, env::var("CI").is_ok_and(|ci| ci == "true" || ci == "1"));
    run(&mut report);
    if is_long || parts.iter().any(|part| part.starts_with("fuzz")) {
        fuzz::all(&mut report);
    }
    print!("{}", report.text());
    if report.total().failed > 0 {
        // The summary's last line stays the last line.
        std::process::exit(1);
    }
    Ok(())
}

fn run(report: &mut Report) {
    let set_up = report.need("set-up", setup::all);
    report.part("format: Rust", || check(cargo().args(["fmt", "--all", "--check"])));
    report.part("rust: native", native_tests);
    consumers(report);
    report.part("rust: doc tests", || {
        let done = watch_plain(cargo().args(["test", "--package", "fewerbits", "--doc"]))?;
        Ok(Outcome::of_libtest(&done))
    });
    report.part("rust: xtask", || rust_tests(&["--package", "xtask"], Some("xtask"), &[]));
    report.part("lint: Rust, native", || {
        check(cargo().args(["clippy", "--package", "fewerbits", "--all-targets", "--", "-D", "warnings"]))
    });
    report.part("lint: Rust, wasm32", || {
        let mut clippy = wasm::with_features(cargo(), Simd::Simd128);
        clippy.args(["clippy", "--package", "fewerbits", "--all-targets", "--target", WASM_TARGET]);
        check(clippy.args(["--", "-D", "warnings"]))
    });
    report.part("lint: Rust, xtask", || {
        check(cargo().args([
            "clippy",
            "--package",
            "xtask",
            "--all-targets",
            "--profile",
            "xtask",
            "--",
            "-D",
            "warnings",
        ]))
    });
    if !set_up {
        return;
    }
    report.part("format: JS", || {
        let ignore = ["--ignore-path", ".gitignore", "--ignore-path", ".prettierignore"];
        check(node_tool("prettier/bin/prettier.cjs").current_dir(at("")).args(["--check", "."]).args(ignore))
    });
    report.part("lint: JS", || {
        let places = ["www", "tests", "benches", "xtask"].into_iter().filter(|place| at(place).is_dir());
        let config = ["--config", "www/eslint.config.js", "--max-warnings=0", "--no-warn-ignored"];
        check(node_tool("eslint/bin/eslint.js").current_dir(at("")).args(config).args(places))
    });

    let built = report.need("wasm build", wasm::build);
    for config in ["tsconfig.json", "tsconfig.worker.json", "tsconfig.lib.json", "tsconfig.tools.json"] {
        if built && has_inputs(config) {
            report.part(&format!("types: {config}"), || check(node_tool("typescript/bin/tsc").args(["-p", config])));
        }
    }
    let site = built && report.need("site build", site::build);
    if built {
        report.need("npm package build", npm_package::build);
    }
    report.part("js", || {
        if !built {
            bail!("not run: there is no wasm to test");
        }
        js_tests()
    });

    if built {
        peers(report);
    }

    let browsers = match browsers::prepare() {
        Ok(browsers) => browsers,
        Err(error) => {
            report.need("browsers", || Err(error));
            return;
        }
    };
    wasm_tests(report, &browsers);
    if built {
        engines(report, &browsers);
    }
    for (name, browser) in &browsers {
        let part = format!("page: {name}");
        match browser {
            Err(why) => report.skip(&part, why),
            Ok(_) if !site => report.part(&part, || bail!("not run: there is no dist/")),
            Ok(browser) => report.part(&part, || page_tests(browser)),
        }
    }
    goldens(report);
}

/// A check that passes or fails as a whole.
fn check(command: &mut Command) -> Result<Outcome> {
    Ok(Outcome::of_check(&watch_plain(command)?))
}

/// Watches a program that must not colour its output, since it is read.
fn watch_plain(command: &mut Command) -> Result<Watched> {
    command.env("CARGO_TERM_COLOR", "never").env("NO_COLOR", "1").env_remove("FORCE_COLOR");
    watch(command, GUARD)
}

/// Some of them have numpy open what was written, where there is a Python.
fn native_tests() -> Result<Outcome> {
    let python = python::environment()?.ok();
    let variables: Vec<_> = python.iter().map(|python| ("FEWERBITS_PYTHON", python.as_path())).collect();
    rust_tests(&["--package", "fewerbits"], None, &variables)
}

/// With nextest where it is installed, which runs each test in a process of its own; else with cargo.
fn rust_tests(packages: &[&str], profile: Option<&str>, variables: &[(&str, &Path)]) -> Result<Outcome> {
    let has_nextest = capture(cargo().args(["nextest", "--version"]), "nextest").is_ok();
    let mut tests = cargo();
    tests.envs(variables.iter().copied());
    if has_nextest {
        tests.args(["nextest", "run", "--no-fail-fast", "--no-tests=pass", "--all-targets"]).args(packages);
        tests.args(profile.map(|profile| ["--cargo-profile", profile]).into_iter().flatten());
        Ok(Outcome::of_nextest(&watch_plain(&mut tests)?))
    } else {
        tests.args(["test", "--no-fail-fast", "--all-targets"]).args(packages);
        tests.args(profile.map(|profile| ["--profile", profile]).into_iter().flatten());
        Ok(Outcome::of_libtest(&watch_plain(&mut tests)?))
    }
}

/// Whether a type-check configuration has any file to check: tsc calls an empty one an error.
fn has_inputs(config: &str) -> bool {
    match config {
        "tsconfig.worker.json" => files_below(&at("www/engine")).iter().any(|file| {
            file.file_name()
                .and_then(|name| name.to_str())
                .is_some_and(|name| name.starts_with("worker") && name.ends_with(".js"))
        }),
        "tsconfig.lib.json" => at("www/lib/index.js").is_file(),
        _ => true,
    }
}

/// The JavaScript tests that need no browser, against the wasm and the builds just made.
fn js_tests() -> Result<Outcome> {
    let files: Vec<PathBuf> = ["www", "tests/js"]
        .iter()
        .flat_map(|dir| files_below(&at(dir)))
        .filter(|file| file.to_str().is_some_and(|name| name.ends_with(".test.js")))
        .collect();
    if files.is_empty() {
        return Ok(Outcome::default());
    }
    let mut node = command("node");
    node.env("FEWERBITS_XTASK", env::current_exe().context("where xtask itself is")?);
    node_tests(node, &files, thread::available_parallelism().map_or(1, NonZero::get))
}

/// Runs test files with Node, so many at once.
fn node_tests(mut node: Command, files: &[PathBuf], at_once: usize) -> Result<Outcome> {
    node.args(["--test", "--test-reporter=spec"]).arg(format!("--test-concurrency={at_once}")).args(files);
    Ok(Outcome::of_node(&watch_plain(&mut node)?))
}

/// The page's end-to-end tests in one browser, on `dist/` under a sub-path.
fn page_tests(browser: &Browser) -> Result<Outcome> {
    let files: Vec<PathBuf> = files_below(&at("tests/e2e"))
        .into_iter()
        .filter(|file| file.to_str().is_some_and(|name| name.ends_with(".test.js")))
        .collect();
    if files.is_empty() {
        return Ok(Outcome::default());
    }
    // File by file, so that a second try is one of a file.
    files.iter().try_fold(Outcome::default(), |sum, file| {
        let outcome = twice(&shown(file), || {
            let mut node = command("node");
            node.env("FEWERBITS_BROWSERS", browser.name);
            node_tests(node, std::slice::from_ref(file), 1)
        })?;
        Ok(sum.plus(outcome))
    })
}

/// The crate's wasm-bindgen tests, compiled once and run in Node and in every engine, in a window and in a worker.
fn wasm_tests(report: &mut Report, browsers: &[(&str, Result<Browser, String>)]) {
    let in_browsers =
        browsers.iter().flat_map(|(name, _)| ["window", "worker"].map(|place| format!("wasm: {name}, {place}")));
    if !in_browsers.chain(["wasm: Node".to_owned()]).any(|part| report.wants(&part)) {
        return;
    }
    let mut binaries = Vec::new();
    if !report.need("wasm test build", || wasm_test_binaries().map(|built| binaries = built)) {
        return;
    }
    report.part("wasm: Node", || wasm_tests_in(&binaries, None, None));
    for (name, browser) in browsers {
        for (place, mode) in [("window", "WASM_BINDGEN_USE_BROWSER"), ("worker", "WASM_BINDGEN_USE_DEDICATED_WORKER")] {
            let part = format!("wasm: {name}, {place}");
            match browser {
                Err(why) => report.skip(&part, why),
                Ok(browser) => report.part(&part, || wasm_tests_in(&binaries, Some(browser), Some(mode))),
            }
        }
    }
}

fn wasm_tests_in(binaries: &[PathBuf], browser: Option<&Browser>, mode: Option<&str>) -> Result<Outcome> {
    let this = env::current_exe().context("where xtask itself is")?;
    let mut sum = Outcome::default();
    for binary in binaries {
        let run = || wasm_test(&this, binary, browser, mode);
        let name = binary.file_stem().unwrap_or_default().to_string_lossy();
        sum = sum.plus(if browser.is_some() { twice(&name, run)? } else { run()? });
    }
    Ok(sum)
}

fn wasm_test(this: &Path, binary: &Path, browser: Option<&Browser>, mode: Option<&str>) -> Result<Outcome> {
    let mut runner = match browser {
        Some(browser) if browser.needs_display() => {
            let mut screen = command("xvfb-run");
            screen.arg("--auto-servernum").arg(this);
            screen
        }
        _ => command(this),
    };
    runner.arg("wasm-test-runner").arg(binary);
    runner.env("WASM_BINDGEN_TEST_TIMEOUT", "1800").env("WASM_BINDGEN_TEST_DRIVER_TIMEOUT", "120");
    runner.envs(mode.map(|mode| (mode, "1")));
    if let Some(browser) = browser {
        for name in ["CHROMEDRIVER", "GECKODRIVER", "SAFARIDRIVER"] {
            runner.env_remove(name);
        }
        runner.envs(browser.for_wasm_tests()?);
    }
    Ok(Outcome::of_libtest(&watch_plain(&mut runner)?))
}

/// Builds the wasm tests and returns the binaries that hold any.
fn wasm_test_binaries() -> Result<Vec<PathBuf>> {
    println!("\n• building the wasm tests");
    let mut build = wasm::with_features(cargo(), Simd::Simd128);
    build.args(["test", "--no-run", "--package", "fewerbits", "--lib", "--tests", "--target", WASM_TARGET]);
    build.args(["--profile", "wasm-test", "--message-format=json-render-diagnostics"]);
    let output = build.stderr(std::process::Stdio::inherit()).output().context("building the wasm tests")?;
    if !output.status.success() {
        bail!("building the wasm tests failed ({})", output.status);
    }
    let mut binaries = Vec::new();
    for line in String::from_utf8_lossy(&output.stdout).lines() {
        let Ok(message) = serde_json::from_str::<serde_json::Value>(line) else { continue };
        let Some(binary) = message["executable"].as_str().filter(|_| message["profile"]["test"] == true) else {
            continue;
        };
        let mut list = process::command(env::current_exe()?);
        if capture(list.args(["wasm-test-runner", binary, "--list"]), "listing wasm tests")?.contains(": test") {
            binaries.push(PathBuf::from(binary));
        }
    }
    Ok(binaries)
}

/// Files written here, opened by the programs that they are for.
fn consumers(report: &mut Report) {
    const PART: &str = "consumers: ONNX Runtime";
    if !report.wants(PART) {
        return;
    }
    match python::environment() {
        Ok(Err(why)) => report.skip(PART, &why),
        Err(error) => report.part(PART, || Err(error)),
        Ok(Ok(python)) => report.part(PART, || {
            check(cargo().args(["build", "--package", "fewerbits", "--example", "shrink"]))?;
            let shrink = target().join("debug/examples").join(format!("shrink{}", env::consts::EXE_SUFFIX));
            let mut proof = python::script(&python, "tests/python/onnx_proof.py")?;
            Ok(Outcome::of_script(&watch_plain(proof.arg(shrink))?))
        }),
    }
}

/// The files that other implementations made, made again and compared.
fn goldens(report: &mut Report) {
    of_python(report, "goldens: Python", "tests/goldens/generate.py", &["--check"]);
}

/// What llama.cpp makes of what the engine writes.
fn peers(report: &mut Report) {
    of_python(report, "peers: llama.cpp", "tests/peers/best.py", &[]);
    of_python(report, "peers: plans run by llama.cpp", "tests/peers/plan.py", &[]);
    of_python(report, "consumers: llama.cpp", "tests/peers/runs.py", &[]);
}

/// The engines of other people's pages run files written here, in Chromium.
fn engines(report: &mut Report, browsers: &[(&str, Result<Browser, String>)]) {
    const PART: &str = "consumers: engines in Chromium";
    let Some((_, chromium)) = browsers.iter().find(|(name, _)| *name == "chromium") else { return };
    if !report.wants(PART) {
        return;
    }
    match (chromium, python::environment()) {
        (Err(why), _) => report.skip(PART, why),
        (_, Ok(Err(why))) => report.skip(PART, &why),
        (_, Err(error)) => report.part(PART, || Err(error)),
        (Ok(_), Ok(Ok(python))) => report.part(PART, || {
            let mut node = command("node");
            node.env("FEWERBITS_PYTHON", python);
            node_tests(node, &[at("tests/peers/web.test.js")], 1)
        }),
    }
}

/// A part that is a script in Python.
fn of_python(report: &mut Report, part: &str, script: &str, args: &[&str]) {
    if !report.wants(part) || !at(script).is_file() {
        return;
    }
    match python::environment() {
        Ok(Err(why)) => report.skip(part, &why),
        Err(error) => report.part(part, || Err(error)),
        Ok(Ok(python)) => {
            report.part(part, || Ok(Outcome::of_script(&watch_plain(python::script(&python, script)?.args(args))?)))
        }
    }
}
