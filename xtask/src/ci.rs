//! `cargo xtask ci`: everything that must hold before a change goes in.

use crate::setup::{self, Purpose};
use crate::toolchain::Toolchain;
use crate::{build, reproduce, shell, size, test, tidy};
use anyhow::Result;
use std::process::Command;

/// How long each fuzz target runs here; a thorough run is `cargo xtask fuzz`.
const FUZZ_SECONDS: u64 = 10;

/// Runs all checks, the quick ones first.
pub(crate) fn ci() -> Result<()> {
    checks()?;
    size::size()?;
    test::test(None, &[])?;
    test::fuzz(None, FUZZ_SECONDS)?;
    reproduce::reproduce()
}

/// What needs no run of anything: format, lints, and the project's own rules.
pub(crate) fn checks() -> Result<()> {
    setup::need(Purpose::Check)?;
    shell::run(Command::new("cargo").args(["fmt", "--all", "--check"]))?;
    shell::run(Command::new("cargo").args(["clippy", "--all-targets", "--", "-D", "warnings"]))?;
    for (package, part) in [("hw", "--lib"), ("undi", "--lib"), ("unpack", "--bins"), ("firmware", "--bins")]
    {
        let mut clippy = Toolchain::find().clippy();
        shell::run(clippy.args(["--package", package, part, "--all-features", "--", "-D", "warnings"]))?;
    }
    tidy::tidy()?;
    build::build(&[])
}
