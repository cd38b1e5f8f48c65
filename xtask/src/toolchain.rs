//! The toolchain of the firmware: the one in use if it has the library's sources, else Debian's.

use crate::shell;
use std::path::Path;
use std::process::Command;

/// Flags of every crate of the image. One set for both link units, so that `core` is built once.
///
/// A panic becomes a `ud2` without text or place; the exception dump and `cargo xtask symbolize` find the line.
const FLAGS: &[&str] = &[
    "-Zunstable-options",
    "-Cpanic=immediate-abort",
    "-Zfmt-debug=none",
    "-Zlocation-detail=none",
    // Digests in the form that is small, and without instructions that the target does not have.
    "--cfg=sha2_backend=\"soft\"",
    "--cfg=sha2_backend_soft=\"compact\"",
    // LLVM does some things for speed also where it is asked for size. Small copies become calls, a `match` compares
    // instead of jumping by a table, and no constant or address is kept in a register for later, where it would
    // have to be saved.
    "-Cllvm-args=--max-store-memcpy=1 --min-jump-table-entries=1000 --disable-machine-licm --disable-machine-cse \
     --disable-constant-hoisting --disable-lsr --pre-RA-sched=list-hybrid",
];

/// Debian's packages of a Rust with sources, for when rustup has none.
pub(crate) const DEBIAN_PACKAGES: &[&str] = &["rustc-web", "cargo-web", "rust-web-src"];

/// The package of its clippy, which only checks need.
pub(crate) const DEBIAN_CLIPPY: &str = "rust-web-clippy";

/// A cargo that can build the firmware.
pub(crate) enum Toolchain {
    /// The active one of rustup.
    Active,
    /// Debian's, in `/usr/bin`.
    Debian,
}

impl Toolchain {
    /// The one to use: `Debian` is the answer also where it is yet to be installed.
    pub(crate) fn find() -> Self {
        let sysroot = shell::output(without_outer_cargo(Command::new("rustc").args(["--print", "sysroot"])));
        match sysroot {
            Ok(sysroot) if has_sources(Path::new(sysroot.trim())) && sysroot.trim() != "/usr" => Self::Active,
            _ => Self::Debian,
        }
    }

    /// `cargo rustc` with all flags of the firmware; the caller adds the package.
    pub(crate) fn rustc(&self) -> Command {
        self.command("cargo", "rustc")
    }

    /// `cargo clippy` in the same way.
    pub(crate) fn clippy(&self) -> Command {
        self.command("cargo-clippy", "clippy")
    }

    fn command(&self, program: &str, subcommand: &str) -> Command {
        let mut command = match self {
            Self::Active => Command::new(program),
            Self::Debian => Command::new(Path::new("/usr/bin").join(program)),
        };
        without_outer_cargo(&mut command);
        if matches!(self, Self::Debian) {
            command.env("RUSTC", "/usr/bin/rustc").env("CARGO", "/usr/bin/cargo");
        }
        // The paths of this machine are cut off, so that the same sources give the same bytes everywhere.
        let remap = format!("--remap-path-prefix={}=", shell::root().display());
        let flags: Vec<_> = FLAGS.iter().copied().chain([remap.as_str()]).collect();
        command
            .env("RUSTC_BOOTSTRAP", "1")
            .arg(subcommand)
            .args(["-Z", "build-std=core,alloc"])
            .args(["-Z", "build-std-features=compiler-builtins-mem,optimize_for_size"])
            .args(["-Z", "json-target-spec"])
            .args(["--target", "x86_64-ipxe.json"])
            .arg("--target-dir")
            .arg(shell::target().join("firmware"))
            .arg("--release")
            .arg("--config")
            .arg(format!("build.rustflags={flags:?}"));
        command
    }
}

/// Whether a toolchain at `sysroot` has the library's sources.
fn has_sources(sysroot: &Path) -> bool {
    sysroot.join("lib/rustlib/src/rust/library/core").is_dir()
}

/// Whether all of [`DEBIAN_PACKAGES`] are installed.
pub(crate) fn debian_is_complete() -> bool {
    let programs = ["/usr/bin/rustc", "/usr/bin/cargo"];
    has_sources(Path::new("/usr")) && programs.iter().all(|program| Path::new(program).exists())
}

/// Takes out of the environment what the cargo that runs us put there for its own toolchain.
pub(crate) fn without_outer_cargo(command: &mut Command) -> &mut Command {
    for (name, _) in std::env::vars_os() {
        let name = name.to_string_lossy().into_owned();
        let ours = matches!(name.as_str(), "CARGO_HOME" | "RUSTUP_HOME") || name.starts_with("CARGO_HTTP");
        let theirs = ["CARGO", "RUSTC", "RUSTDOC", "RUSTFLAGS", "RUSTUP_TOOLCHAIN", "LD_LIBRARY_PATH"];
        if !ours && theirs.iter().any(|prefix| name.starts_with(prefix)) {
            command.env_remove(name);
        }
    }
    command
}
