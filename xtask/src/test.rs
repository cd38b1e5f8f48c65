//! Tests, benchmarks and fuzzing: what others of the project do, with what they need made first.

use crate::setup::{self, Purpose};
use crate::{build, shell};
use anyhow::{Context as _, Result, bail};
use clap::ValueEnum;
use std::fs;
use std::process::Command;

/// The two kinds of test.
#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Kind {
    /// Unit, property and simulation tests: seconds
    Host,
    /// Scenarios that boot images in the emulator: minutes
    Boot,
}

/// Runs the tests of `kind`, or all, that `filters` choose.
pub(crate) fn test(kind: Option<Kind>, filters: &[String]) -> Result<()> {
    setup::need(Purpose::Test)?;
    if kind != Some(Kind::Boot) {
        host(filters)?;
    }
    if kind != Some(Kind::Host) {
        rig_on_request("boot", filters)?;
    }
    Ok(())
}

fn host(filters: &[String]) -> Result<()> {
    shell::run(Command::new("cargo").args(["test", "--"]).args(filters))?;
    // Not a default member, as its program exists on the bare machine only; its library is tested all the same.
    shell::run(Command::new("cargo").args(["test", "--package", "unpack", "--lib", "--"]).args(filters))
}

/// The same as [`rig`], with those images, too, that are built on request only and the program needs for its arguments:
/// `boot` or `bench`.
pub(crate) fn rig_on_request(name: &str, arguments: &[String]) -> Result<()> {
    if !arguments.iter().any(|word| ["--list", "--help", "-h"].contains(&word.as_str())) {
        let images = shell::output(program(name).arg("--images").args(arguments))?;
        let images: Vec<_> = images.lines().map(str::to_owned).collect();
        if !images.is_empty() {
            build::build(&images)?;
        }
    }
    rig(name, arguments)
}

/// Builds the images and runs a program of the crate `tests` on them.
pub(crate) fn rig(name: &str, arguments: &[String]) -> Result<()> {
    setup::need(Purpose::Test)?;
    build::build(&[])?;
    shell::run(program(name).args(arguments))
}

/// A program of the crate `tests`.
fn program(name: &str) -> Command {
    let mut cargo = Command::new("cargo");
    cargo.args(["run", "--quiet", "--package", "tests", "--bin", name, "--"]);
    cargo
}

/// The fuzz targets' own workspace, in the root of ours.
pub(crate) const FUZZ_MANIFEST: &str = "tests/fuzz/Cargo.toml";

/// What lets libFuzzer see which code an input reaches: LLVM's SanitizerCoverage, the flags of cargo-fuzz.
const COVERAGE: &str = "-Cpasses=sancov-module -Cllvm-args=-sanitizer-coverage-level=4 \
    -Cllvm-args=-sanitizer-coverage-inline-8bit-counters -Cllvm-args=-sanitizer-coverage-pc-table \
    -Cllvm-args=-sanitizer-coverage-trace-compares --cfg fuzzing";

/// The names of the fuzz targets.
pub(crate) fn fuzz_targets() -> Result<Vec<String>> {
    let folder = shell::root().join("tests/fuzz/targets");
    let mut names = Vec::new();
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if let Some(name) = path.file_stem().filter(|_| path.extension().is_some_and(|end| end == "rs")) {
            names.push(name.to_string_lossy().into_owned());
        }
    }
    names.sort();
    Ok(names)
}

/// Runs one fuzz target, or each, for so many seconds.
pub(crate) fn fuzz(target: Option<&str>, seconds: u64) -> Result<()> {
    setup::need(Purpose::Fuzz)?;
    let known = fuzz_targets()?;
    if let Some(target) = target.filter(|target| !known.iter().any(|name| name == target)) {
        bail!("there is no fuzz target `{target}`; there are {}", known.join(" "));
    }
    for name in known.iter().filter(|name| target.is_none_or(|target| target == name.as_str())) {
        let mut cargo = Command::new("cargo");
        // With a target named, the flags do not go to build scripts.
        cargo.env("RUSTFLAGS", COVERAGE).env("CARGO_BUILD_TARGET", "x86_64-unknown-linux-gnu");
        let folder = shell::root().join("tests/fuzz");
        let (found, artifacts) = (folder.join("target/corpus").join(name), folder.join("artifacts"));
        for folder in [&found, &artifacts] {
            fs::create_dir_all(folder).with_context(|| format!("cannot make {}", folder.display()))?;
        }
        cargo.args(["run", "--release", "--manifest-path", FUZZ_MANIFEST, "--bin", name, "--"]);
        // What is found goes into the first folder; the second is the one that git keeps.
        cargo.arg(&found).arg(folder.join("corpus").join(name));
        // One input must be through within seconds: a loop without end is a failure like a panic.
        cargo.arg("-timeout=20").arg(format!("-artifact_prefix={}/", artifacts.display()));
        shell::run(cargo.arg(format!("-max_total_time={seconds}")))?;
    }
    Ok(())
}
