//! `cargo xtask serve | build | test | bench`: everything this repository does beyond `cargo build`.
//!
//! | module | its subject |
//! |---|---|
//! | [`setup`] | what must stand before anything is built: wasm target, Node, npm packages |
//! | [`wasm`] | crate → wasm → JavaScript glue → optimized module |
//! | [`site`] | the page: served while it is worked on, or built to `dist/` |
//! | [`npm_package`] | the package in `pkg/` |
//! | [`test`] | every test there is |
//! | [`outcome`], [`summary`] | what a part of them came to, and all of them |
//! | [`fuzz`] | the parsers under random input |
//! | [`bench`] | SIMD against scalar, measured |
//! | [`browsers`], [`python`], [`debian`] | what tests need from outside, found or installed |
//! | [`process`], [`stamp`], [`paths`] | running programs, skipping what is done, where things lie |

mod bench;
mod browsers;
mod debian;
mod fuzz;
mod npm_package;
mod outcome;
mod paths;
mod process;
mod python;
mod setup;
mod site;
mod stamp;
mod summary;
mod test;
mod wasm;

use std::env;
use std::process::ExitCode;

const USAGE: &str = "\
cargo xtask serve            set up, build and serve the page; Ctrl-C ends it
cargo xtask build            the static site to dist/, the npm package to pkg/
cargo xtask test [part]      set up and run every test there is, or the parts so named
cargo xtask test long        the same, and each fuzz target for a minute; test fuzz runs these alone
cargo xtask bench [filter]   measure SIMD against scalar, ggml's formats against llama.cpp, the search for less error, and the page
cargo xtask wasm             only the wasm module and its glue, to www/lib/wasm/";

fn main() -> ExitCode {
    let args: Vec<String> = env::args().skip(1).collect();
    let done = match args.first().map(String::as_str) {
        Some("serve") => site::serve(&args[1..]),
        Some("wasm") => setup::all().and_then(|()| wasm::build()),
        Some("build") => build(),
        Some("test") => test::all(&args[1..]),
        Some("bench") => bench::all(&args[1..]),
        Some("wasm-test-runner") => wasm::run_tests(&args[1..]),
        Some("help" | "--help" | "-h") => {
            println!("{USAGE}");
            Ok(())
        }
        _ => Err(anyhow::anyhow!("which task?\n\n{USAGE}")),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("\nerror: {error:#}");
            ExitCode::FAILURE
        }
    }
}

/// Everything that is delivered.
fn build() -> anyhow::Result<()> {
    setup::all()?;
    wasm::build()?;
    site::build()?;
    npm_package::build()
}
