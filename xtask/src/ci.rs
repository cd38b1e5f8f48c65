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
    beside_a_link(reproduce::reproduce, || test::fuzz(None, FUZZ_SECONDS))
}

/// Runs both at the same time: while an image is linked, that keeps one processor busy only.
fn beside_a_link(
    builds: impl FnOnce() -> Result<()> + Send,
    other: impl FnOnce() -> Result<()>,
) -> Result<()> {
    thread::scope(|scope| {
        let builds = scope.spawn(builds);
        let other = other();
        builds.join().map_err(|_| anyhow!("a thread of xtask panicked"))?.and(other)
    })
}

/// What needs no run of anything: format, lints, and the project's own rules.
pub(crate) fn checks() -> Result<()> {
    setup::need(Purpose::Check)?;
    shell::run(Command::new("cargo").args(["fmt", "--all", "--check"]))?;
    shell::run(Command::new("cargo").args(["fmt", "--check", "--manifest-path", test::FUZZ_MANIFEST]))?;
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
    beside_a_link(|| build::build(&[]), lint_fuzz_targets)
}

/// The fuzz targets are not members of the workspace. What they call changes more often than they are run.
fn lint_fuzz_targets() -> Result<()> {
    let mut clippy = Command::new("cargo");
    // Any path will do: libFuzzer is C++, which takes long to compile and is not linked here.
    clippy.env("CUSTOM_LIBFUZZER_PATH", "/dev/null");
    clippy.args(["clippy", "--manifest-path", test::FUZZ_MANIFEST, "--all-targets", "--", "-D", "warnings"]);
    shell::run(&mut clippy)
}
