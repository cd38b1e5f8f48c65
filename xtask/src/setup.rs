//! What must be installed, and installing it.

use crate::shell;
use crate::toolchain::{self, Toolchain};
use anyhow::{Context as _, Result, bail};
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::Command;

/// What a subcommand wants to do.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Purpose {
    /// Build images.
    Build,
    /// Build and run an image in the emulator.
    Run,
    /// Build, and boot all scenarios and benchmarks.
    Test,
    /// Run a fuzz target.
    Fuzz,
    /// Build images and check the sources.
    Check,
}

/// A Debian package, and how it shows that it, or what serves as well, is there: a program, or a file.
struct Package(&'static str, &'static str);

const BUILD: &[Package] = &[Package("binutils", "ld")];

const RUN: &[Package] = &[
    Package("qemu-system-x86", "qemu-system-x86_64"),
    Package("seabios", "/usr/share/seabios/bios-256k.bin"),
    Package("ipxe-qemu", "/usr/lib/ipxe/qemu/efi-e1000.rom"),
    Package("busybox-static", "/usr/share/doc/busybox-static"),
];

const TEST: &[Package] = &[
    Package("dnsmasq-base", "dnsmasq"),
    Package("isc-dhcp-server", "dhcpd"),
    Package("nginx-light", "nginx"),
    Package("atftpd", "atftpd"),
    Package("iproute2", "ip"),
    Package("cpio", "cpio"),
    Package("xz-utils", "xz"),
    Package("zstd", "zstd"),
    Package("lz4", "lz4"),
    Package("chrony", "chronyd"),
    Package("grub-common", "grub-mkimage"),
    Package("grub-pc-bin", "/usr/lib/grub/i386-pc/linux16.mod"),
    Package("ipxe", "/usr/lib/ipxe/undionly.kpxe"),
    // Any screen of Bochs would do; this one brings no desktop with it.
    Package("bochs-term", "/usr/lib/x86_64-linux-gnu/bochs/plugins/libbx_term_gui.so.0.0.0"),
    Package("bochs", "bochs"),
    Package("bochsbios", "/usr/share/bochs/BIOS-bochs-latest"),
    Package("vgabios", "/usr/share/vgabios/vgabios.bin"),
    Package("pxelinux", "/usr/lib/PXELINUX/lpxelinux.0"),
    Package("syslinux-common", "/usr/lib/syslinux/modules/bios/ldlinux.c32"),
    // The emulator's counter plugin is C.
    Package("gcc", "gcc"),
    Package("libc6-dev", "/usr/include/stdio.h"),
    Package("pkg-config", "pkg-config"),
    Package("libglib2.0-dev", "/usr/include/glib-2.0/glib.h"),
];

const FUZZ: &[Package] = &[Package("g++", "g++")];

/// Where programs are, besides in PATH: an ordinary user's PATH lacks them.
const SYSTEM_PROGRAMS: [&str; 2] = ["/usr/sbin", "/sbin"];

/// Installs all that any subcommand needs.
pub(crate) fn all() -> Result<()> {
    install(&missing(&[Purpose::Test, Purpose::Fuzz, Purpose::Check]))?;
    println!("Everything is there.");
    Ok(())
}

/// Installs what is missing for `purpose`, or says in one line what to install.
pub(crate) fn need(purpose: Purpose) -> Result<()> {
    install(&missing(&[purpose]))
}

fn missing(purposes: &[Purpose]) -> Vec<&'static str> {
    let for_any = |those: &[Purpose]| purposes.iter().any(|purpose| those.contains(purpose));
    let mut packages: Vec<&Package> = Vec::new();
    let builds = for_any(&[Purpose::Build, Purpose::Run, Purpose::Test, Purpose::Check]);
    packages.extend(BUILD.iter().filter(|_| builds));
    packages.extend(RUN.iter().filter(|_| for_any(&[Purpose::Run, Purpose::Test])));
    packages.extend(TEST.iter().filter(|_| for_any(&[Purpose::Test])));
    packages.extend(FUZZ.iter().filter(|_| for_any(&[Purpose::Fuzz])));
    let mut names: Vec<_> = packages.iter().filter(|package| !is_there(package.1)).map(|p| p.0).collect();
    if builds && matches!(Toolchain::find(), Toolchain::Debian) {
        if !toolchain::debian_is_complete() {
            names.extend(toolchain::DEBIAN_PACKAGES);
        }
        if for_any(&[Purpose::Check]) && !is_there("/usr/bin/cargo-clippy") {
            names.push(toolchain::DEBIAN_CLIPPY);
        }
    }
    names
}

/// Whether there is such a file, or a program of this name.
fn is_there(probe: &str) -> bool {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let folders = std::env::split_paths(&path).chain(SYSTEM_PROGRAMS.map(Into::into));
    if probe.starts_with('/') {
        Path::new(probe).exists()
    } else {
        folders.into_iter().any(|f| f.join(probe).exists())
    }
}

fn install(packages: &[&str]) -> Result<()> {
    if packages.is_empty() {
        return Ok(());
    }
    let line = format!("apt-get install --no-install-recommends {}", packages.join(" "));
    let root = shell::output(Command::new("id").arg("-u")).is_ok_and(|id| id.trim() == "0");
    if !root || !is_there("apt-get") {
        bail!("these packages are missing; as root on Debian 12: {line}");
    }
    let _quiet = NoServices::new()?;
    shell::run(Command::new("apt-get").arg("update"))?;
    let mut install = Command::new("apt-get");
    install.env("DEBIAN_FRONTEND", "noninteractive").args(["install", "-y", "--no-install-recommends"]);
    shell::run(install.args(packages))
}

/// While this lives, packages with servers are installed without their servers being started: the tests start their
/// own, and nobody wants a DHCP server to come up on the network that the machine is in.
struct NoServices {
    ours: bool,
}

impl NoServices {
    /// Debian asks this program whether it may start a service (invoke-rc.d(8)).
    const POLICY: &str = "/usr/sbin/policy-rc.d";

    fn new() -> Result<Self> {
        if Path::new(Self::POLICY).exists() {
            return Ok(Self { ours: false });
        }
        let cannot = || format!("cannot write {}", Self::POLICY);
        fs::write(Self::POLICY, "#!/bin/sh\nexit 101\n").with_context(cannot)?;
        fs::set_permissions(Self::POLICY, fs::Permissions::from_mode(0o755)).with_context(cannot)?;
        Ok(Self { ours: true })
    }
}

impl Drop for NoServices {
    fn drop(&mut self) {
        if self.ours && fs::remove_file(Self::POLICY).is_err() {
            eprintln!("warning: remove {} by hand, or no service will start any more", Self::POLICY);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn programs_and_files_are_found() {
        assert!(is_there("sh") && is_there("/usr"));
        assert!(!is_there("no-such-program") && !is_there("/no-such-file"));
    }
}
