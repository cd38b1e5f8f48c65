//! `cargo xtask reproduce`: whether another copy of the sources, in another folder, gives the same bytes.

use crate::{build, shell};
use anyhow::{Context as _, Result, ensure};
use std::fs;
use std::process::Command;

/// Builds all images here and in a fresh clone of the last commit, and compares them.
pub(crate) fn reproduce() -> Result<()> {
    let changes = shell::output(Command::new("git").args(["status", "--porcelain", "--untracked-files=no"]))?;
    ensure!(changes.is_empty(), "only commits are built twice: commit or take back first\n{changes}");
    build::build(&[])?;
    let copy = shell::target().join("reproduce");
    if copy.exists() {
        fs::remove_dir_all(&copy).with_context(|| format!("cannot remove {}", copy.display()))?;
    }
    shell::run(Command::new("git").args(["clone", "--quiet", "."]).arg(&copy))?;
    let mut cargo = Command::new("cargo");
    // Its own xtask builds it, into its own folder.
    cargo.args(["xtask", "build"]).env("CARGO_TARGET_DIR", copy.join("target"));
    shell::run_in(&copy, &mut cargo)?;
    for plan in build::plans()?.into_iter().filter(|plan| !plan.on_request) {
        let same = fs::read(build::bin(&plan.name))? == fs::read(copy.join("bin").join(&plan.name))?;
        ensure!(same, "{} differs from that of the clone in {}", plan.name, copy.display());
        println!("{}: the same bytes", plan.name);
    }
    fs::remove_dir_all(&copy).with_context(|| format!("cannot remove {}", copy.display()))
}
