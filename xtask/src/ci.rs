//! `cargo xtask ci`: everything that must hold before a change goes in.

use crate::setup::{self, Purpose};
use crate::toolchain::Toolchain;
use crate::{build, reproduce, shell, size, test, tidy};
use anyhow::{Result, anyhow};
use std::process::Command;
use std::thread;

/// How long each fuzz target runs here; a thorough run is `cargo xtask fuzz`.
const FUZZ_SECONDS: u64 = 5;

/// Runs all checks, the quick ones first.
pub(crate) fn ci() -> Result<()> {
    checks()?;
    size::size()?;
    test::test(None, &[])?;
    // Both mostly compile, and while an image is linked that keeps one processor busy only.
    thread::scope(|scope| {
        let copy = scope.spawn(reproduce::reproduce);
        let fuzzed = test::fuzz(None, FUZZ_SECONDS);
        copy.join().map_err(|_| anyhow!("`cargo xtask reproduce` panicked"))?.and(fuzzed)
    })
}

/// What needs no run of anything: format, lints, and the project's own rules.
pub(crate) fn checks() -> Result<()> {
    setup::need(Purpose::Check)?;
    shell::run(Command::new("cargo").args(["fmt", "--all", "--check"]))?;
    shell::run(Command::new("cargo").args(["clippy", "--all-targets", "--", "-D", "warnings"]))?;
    // The modules that stand in for parts are there only where these parts are not.
    const ALL: &str = "--all-features";
    for (package, part, features) in [
        ("hw", "--lib", ALL),
        ("undi", "--lib", ALL),
        ("unpack", "--bins", ALL),
        ("firmware", "--bins", ALL),
        ("firmware", "--bins", "--features=e1000"),
    ] {
        let mut clippy = Toolchain::find().clippy();
        shell::run(clippy.args(["--package", package, part, features, "--", "-D", "warnings"]))?;
    }
    tidy::tidy()?;
    build::build(&[])
}
