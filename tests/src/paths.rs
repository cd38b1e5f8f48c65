//! Where things are: images to test, cached payloads, and the folder of each scenario.

use std::path::{Path, PathBuf};
use std::sync::OnceLock;

/// The project's root.
pub fn root() -> PathBuf {
    let tests = Path::new(env!("CARGO_MANIFEST_DIR"));
    tests.parent().unwrap_or(tests).to_owned()
}

/// The environment variable that names a folder of cases to be replayed instead of ours.
const CASES: &str = "RIG_CASES";

/// Where the cases are that scenarios replay.
pub fn cases() -> PathBuf {
    std::env::var_os(CASES).map_or_else(|| root().join("tests/cases"), PathBuf::from)
}

/// Cargo's target directory.
pub fn target() -> PathBuf {
    std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| root().join("target"), |path| root().join(path))
}

/// Where the images under test are: `--bin DIR` of the two programs, else `bin/` of the project.
pub fn images() -> PathBuf {
    IMAGES.get().cloned().unwrap_or_else(|| root().join("bin"))
}

/// Takes the images under test from another folder. The first call counts.
pub fn choose_images(folder: PathBuf) {
    let _ = IMAGES.set(folder);
}

static IMAGES: OnceLock<PathBuf> = OnceLock::new();

/// Where kernels and other files that scenarios share are kept between runs.
pub fn payload() -> PathBuf {
    target().join("payload")
}

/// The folder of one scenario: its servers' files, and its logs.
pub fn scenario(name: &str) -> PathBuf {
    target().join("boot").join(name)
}

/// Debian's iPXE image, a contender of `bench`.
pub const IPXE: &str = "/usr/lib/ipxe/undionly.kpxe";
/// The one that keeps the vendor's base code.
pub const IPXE_KEEPING: &str = "/usr/lib/ipxe/undionly.kkpxe";
/// The one with drivers of its own.
pub const IPXE_NATIVE: &str = "/usr/lib/ipxe/ipxe.pxe";
/// Debian's PXELINUX, which uses the base code of the PXE stack.
pub const PXELINUX: &str = "/usr/lib/PXELINUX/pxelinux.0";
/// Debian's PXELINUX with TCP, a contender of `bench`.
pub const LPXELINUX: &str = "/usr/lib/PXELINUX/lpxelinux.0";
/// The folder of its modules.
pub const SYSLINUX_MODULES: &str = "/usr/lib/syslinux/modules/bios";
/// Boots a disk image.
pub const MEMDISK: &str = "/usr/lib/syslinux/memdisk";
/// The core module that it loads.
pub const LDLINUX: &str = "/usr/lib/syslinux/modules/bios/ldlinux.c32";
