//! Installing what tests miss, where that can be done without asking: on Debian and Ubuntu, as root.

use crate::process::{capture, command, on_path};
use std::path::Path;

/// Whether packages may be installed here.
pub fn can_install() -> bool {
    let is_root = || capture(command("id").arg("-u"), "id").is_ok_and(|id| id.trim() == "0");
    Path::new("/etc/debian_version").exists() && on_path("apt-get").is_some() && is_root()
}

/// Whether a package is installed, as dpkg sees it.
pub fn has(package: &str) -> bool {
    let asked = capture(command("dpkg-query").args(["-W", "-f=${Status}", package]), "dpkg-query");
    asked.is_ok_and(|status| status.trim().ends_with(" installed"))
}

/// Installs groups of packages: all in one go, or each group by itself where that fails (one may not exist here).
pub fn install(groups: &[Vec<&str>]) {
    let groups: Vec<_> = groups.iter().filter(|group| !group.is_empty()).collect();
    if groups.is_empty() || !can_install() {
        return;
    }
    let mut all: Vec<&str> = groups.iter().flat_map(|group| group.iter().copied()).collect();
    all.sort_unstable();
    all.dedup();
    println!("• installing Debian packages: {}", all.join(" "));
    let said = capture(apt().arg("update"), "apt-get update").and_then(|_| apt_install(&all));
    if let Err(error) = said {
        println!("{error:#}");
        for group in groups {
            if let Err(error) = apt_install(group) {
                println!("{error:#}");
            }
        }
    }
}

fn apt_install(packages: &[&str]) -> anyhow::Result<()> {
    // Its pages of progress are shown only where it fails.
    capture(apt().args(["install", "--yes", "--no-install-recommends"]).args(packages), "apt-get install").map(drop)
}

fn apt() -> std::process::Command {
    let mut apt = command("apt-get");
    apt.args(["-qq", "-o", "Acquire::Retries=3"])
        .env("DEBIAN_FRONTEND", "noninteractive")
        .stdin(std::process::Stdio::null());
    apt
}
