//! The browsers that tests run in, and their WebDrivers: found, or installed where that can be done.

use crate::debian;
use crate::paths::{at, target};
use crate::process::{capture, cargo, command, run};
use anyhow::{Context, Result};
use serde_json::{Value, json};
use std::fs;
use std::path::PathBuf;

/// Built once into `target/tools/`: Debian has no package of it.
const GECKODRIVER: &str = "0.36.0";

/// One engine, with what drives it.
pub struct Browser {
    pub name: &'static str,
    pub driver: PathBuf,
    pub binary: PathBuf,
}

const KNOWN: [(&str, &[&str]); 3] = [
    ("chromium", &["chromium", "chromium-driver"]),
    ("firefox", &["firefox-esr"]),
    ("webkit", &["webkit2gtk-driver", "xvfb", "xauth"]),
];

/// Every engine: the browser, or what is missing for it.
pub fn prepare() -> Result<Vec<(&'static str, Result<Browser, String>)>> {
    let found = look()?;
    let missing =
        |name: &str| is_missing(&found, name, "binary") || (name != "firefox" && is_missing(&found, name, "driver"));
    let mut groups: Vec<Vec<&str>> =
        KNOWN.iter().filter(|(name, _)| missing(name)).map(|(_, packages)| packages.to_vec()).collect();
    if debian::can_install() {
        let also = ["xvfb", "xauth", "fonts-noto-cjk"].into_iter().filter(|package| !debian::has(package)).collect();
        groups.push(also);
    }
    debian::install(&groups);

    let found = look()?;
    if !is_missing(&found, "firefox", "binary") && is_missing(&found, "firefox", "driver") {
        println!("• building geckodriver {GECKODRIVER} into target/tools, once");
        let mut install = cargo();
        install.args(["install", "geckodriver", "--locked", "--debug", "--version", GECKODRIVER, "--root"]);
        if let Err(error) = run(install.arg(at("target/tools")), "cargo install geckodriver") {
            println!("{error:#}");
        }
    }
    let found = look()?;
    let describe = |(name, packages): (&'static str, &[&str])| {
        let path = |what: &str| found[name][what].as_str().map(PathBuf::from);
        let browser = match (path("driver"), path("binary")) {
            (Some(driver), Some(binary)) => Ok(Browser { name, driver, binary }),
            (None, Some(_)) => Err(format!("{name} is here, its WebDriver is not (Debian: {})", packages.join(" "))),
            _ => Err(format!("{name} is not installed (Debian: {})", packages.join(" "))),
        };
        (name, browser)
    };
    Ok(KNOWN.into_iter().map(describe).collect())
}

/// The end-to-end harness knows where browsers lie; it is asked, so that there is one list.
fn look() -> Result<Value> {
    let text = capture(command("node").arg("tests/e2e/harness/find.js"), "looking for browsers")?;
    serde_json::from_str(&text).context("what find.js says")
}

fn is_missing(found: &Value, name: &str, what: &str) -> bool {
    found[name][what].is_null()
}

impl Browser {
    /// The variables by which wasm-bindgen's test runner finds this browser.
    pub fn for_wasm_tests(&self) -> Result<Vec<(&'static str, PathBuf)>> {
        let (driver, options) = match self.name {
            "chromium" => {
                ("CHROMEDRIVER", json!({ "goog:chromeOptions": { "binary": self.binary, "args": CHROMIUM_ARGS } }))
            }
            "firefox" => ("GECKODRIVER", json!({ "moz:firefoxOptions": { "binary": self.binary } })),
            // The runner speaks to it as to Safari's driver; by itself it starts MiniBrowser with --automation.
            _ => ("SAFARIDRIVER", json!({})),
        };
        let file = target().join("xtask-webdriver").join(self.name).with_extension("json");
        fs::create_dir_all(file.parent().expect("has one"))?;
        fs::write(&file, options.to_string())?;
        Ok(vec![(driver, self.driver.clone()), ("WASM_BINDGEN_TEST_WEBDRIVER_JSON", file)])
    }

    /// WebKitGTK has no headless mode: it needs a display, be it one without a screen.
    pub fn needs_display(&self) -> bool {
        self.name == "webkit" && std::env::var_os("DISPLAY").is_none() && std::env::var_os("WAYLAND_DISPLAY").is_none()
    }
}

const CHROMIUM_ARGS: [&str; 6] = [
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
];
