//! Python for the tests: an environment under `target/` with exactly `tests/python/requirements.txt` in it.

use crate::debian;
use crate::paths::{at, target};
use crate::process::{capture, command, run};
use crate::stamp::Stamp;
use anyhow::{Context, Result, bail};
use std::fs;
use std::path::{Path, PathBuf};

/// The versions that the pinned requirements have wheels for.
const ADMITTED: std::ops::RangeInclusive<u32> = 11..=13;

/// The environment's python; `Ok(Err(why))` where there is no Python to make one with.
pub fn environment() -> Result<Result<PathBuf, String>> {
    if find().is_none() && debian::can_install() {
        debian::install(&[vec!["python3", "python3-venv"]]);
    }
    let Some(python) = find() else {
        return Ok(Err(format!("no Python 3.{} to 3.{} here", ADMITTED.start(), ADMITTED.end())));
    };
    let version =
        capture(command(&python).args(["-c", "import sys; print(sys.version)"]), "asking Python for its version")?;
    let (dir, requirements) = (target().join("python"), at("tests/python/requirements.txt"));
    let inside = dir.join(if cfg!(windows) { "Scripts/python.exe" } else { "bin/python" });
    let stamp = Stamp::new(dir.join(".stamp")).add(version.as_bytes()).add_file(&requirements)?;
    if stamp.is_done() && inside.exists() {
        return Ok(Ok(inside));
    }
    println!("• making a Python environment in {}", dir.display());
    let _ = fs::remove_dir_all(&dir);
    if let Err(why) = create(&python, &dir) {
        return Ok(Err(format!("{why:#}")));
    }
    let mut pip = command(&inside);
    pip.args([
        "-m",
        "pip",
        "install",
        "--quiet",
        "--disable-pip-version-check",
        "--only-binary=:all:",
        "--requirement",
    ]);
    run(pip.arg(&requirements), "pip install")?;
    stamp.done()?;
    Ok(Ok(inside))
}

/// The first Python whose version is admitted.
fn find() -> Option<PathBuf> {
    let names = ["python3", "python3.13", "python3.12", "python3.11", "python"];
    names.iter().map(PathBuf::from).find(|python| {
        let script = "import sys; print(sys.version_info[0], sys.version_info[1])";
        let asked = capture(command(python).args(["-c", script]), "python");
        asked.ok().and_then(|text| minor_of(&text)).is_some_and(|minor| ADMITTED.contains(&minor))
    })
}

fn minor_of(version: &str) -> Option<u32> {
    version.trim().strip_prefix("3 ")?.parse().ok()
}

/// An environment with pip in it. Debian's Python has no ensurepip until python3-venv is installed.
fn create(python: &Path, dir: &Path) -> Result<()> {
    let with = |module: &str| capture(command(python).args(["-m", module]).arg(dir), "making a Python environment");
    if with("venv").is_ok() {
        return Ok(());
    }
    let _ = fs::remove_dir_all(dir);
    if debian::can_install() {
        debian::install(&[vec!["python3-venv"]]);
        if with("venv").is_ok() {
            return Ok(());
        }
        let _ = fs::remove_dir_all(dir);
    }
    if with("virtualenv").is_ok() {
        return Ok(());
    }
    let _ = fs::remove_dir_all(dir);
    bail!("this Python can make no environment (Debian: python3-venv, or virtualenv)")
}

/// A script run with the environment's Python, in the repository's root.
pub fn script(python: &Path, script: &str) -> Result<std::process::Command> {
    let path = at(script);
    path.metadata().with_context(|| format!("{script} is missing"))?;
    let mut run = command(python);
    run.arg(path).env("PYTHONDONTWRITEBYTECODE", "1").env("PYTHONUTF8", "1");
    Ok(run)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn python_versions_that_are_admitted() {
        for (text, admitted) in
            [("3 11\n", true), ("3 13\n", true), ("3 10\n", false), ("3 14\n", false), ("2 7\n", false)]
        {
            assert_eq!(minor_of(text).is_some_and(|minor| ADMITTED.contains(&minor)), admitted, "{text}");
        }
    }
}
