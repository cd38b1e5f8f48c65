//! What `cargo xtask run` boots if no script is named: a Debian kernel with an initrd made of `busybox-static`.
//!
//! Made once and kept in `target/demonstration`.

use crate::shell;
use anyhow::{Context as _, Result};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// What the initrd says when it has come up.
pub(crate) const MARKER: &str = "BOOT-DEMO: user space reached";

/// Depends on Debian's newest kernel for virtual machines.
const KERNEL_PACKAGE: &str = "linux-image-cloud-amd64";

const SCRIPT: &str = "\
#!ipxe
kernel vmlinuz initrd=initrd.img console=ttyS0,115200 panic=-1 no_timer_check quiet
initrd initrd.img
boot
";

/// Makes what is missing, and answers the script. All that it names lies beside it.
pub(crate) fn prepare() -> Result<PathBuf> {
    let folder = shell::target().join("demonstration");
    fs::create_dir_all(&folder).with_context(|| format!("cannot make {}", folder.display()))?;
    let kernel = folder.join("vmlinuz");
    if !kernel.exists() {
        fetch_kernel(&folder, &kernel)
            .with_context(|| format!("cannot get a kernel from {KERNEL_PACKAGE}"))?;
    }
    let busybox =
        fs::read("/bin/busybox").context("cannot read busybox: the package busybox-static is missing")?;
    fs::write(folder.join("initrd.img"), initrd(&busybox))?;
    let script = folder.join("demonstration.ipxe");
    fs::write(&script, SCRIPT)?;
    Ok(script)
}

fn fetch_kernel(folder: &Path, kernel: &Path) -> Result<()> {
    let depends = shell::output(Command::new("apt-cache").args(["depends", KERNEL_PACKAGE]))?;
    let package = depends.lines().find_map(|line| line.trim().strip_prefix("Depends: "));
    let package = package.context("apt knows no such package: run `apt-get update` as root")?;
    let unpacked = folder.join("unpacked");
    fs::create_dir_all(&unpacked)?;
    // Downloaded into the working folder; the sandbox of apt's own user cannot write there, which is no harm.
    shell::run_in(&unpacked, Command::new("apt-get").args(["download", package]))?;
    let archive = find(&unpacked, ".deb")?;
    shell::run(Command::new("dpkg-deb").arg("-x").arg(archive).arg(&unpacked))?;
    fs::copy(find(&unpacked.join("boot"), "vmlinuz-")?, kernel)?;
    fs::remove_dir_all(&unpacked)?;
    Ok(())
}

/// The first file in `folder` whose name has this `part`.
fn find(folder: &Path, part: &str) -> Result<PathBuf> {
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        if entry.file_name().to_string_lossy().contains(part) {
            return Ok(entry.path());
        }
    }
    anyhow::bail!("there is no `{part}` in {}", folder.display())
}

/// An archive for the kernel to unpack as its first file system.
fn initrd(busybox: &[u8]) -> Vec<u8> {
    let init = format!(
        "#!/bin/busybox sh\n/bin/busybox uname -a\necho '{MARKER}'\n/bin/busybox sleep 1\n/bin/busybox poweroff -f\n"
    );
    let mut archive = Vec::new();
    member(&mut archive, "bin", 0o040_755, b"");
    member(&mut archive, "bin/busybox", 0o100_755, busybox);
    member(&mut archive, "init", 0o100_755, init.as_bytes());
    member(&mut archive, "TRAILER!!!", 0, b"");
    archive
}

/// Appends a member in the format "newc" (Linux, Documentation/driver-api/early-userspace/buffer-format.rst).
fn member(archive: &mut Vec<u8>, name: &str, mode: u32, content: &[u8]) {
    let fields = [0, u64::from(mode), 0, 0, 1, 0, content.len() as u64, 0, 0, 0, 0, name.len() as u64 + 1, 0];
    archive.extend(b"070701");
    fields.iter().for_each(|field| archive.extend(format!("{field:08x}").bytes()));
    archive.extend(name.bytes().chain([0]));
    archive.resize(archive.len().next_multiple_of(4), 0);
    archive.extend(content);
    archive.resize(archive.len().next_multiple_of(4), 0);
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Names and contents of an archive's members.
    fn members(archive: &[u8]) -> Vec<(String, Vec<u8>)> {
        let mut members = Vec::new();
        let mut rest = archive;
        while !rest.is_empty() {
            let field = |number: usize| {
                let digits = std::str::from_utf8(&rest[6 + 8 * number..14 + 8 * number]).unwrap();
                usize::from_str_radix(digits, 16).unwrap()
            };
            assert_eq!(&rest[..6], b"070701");
            let (size, name_size) = (field(6), field(11));
            let content = (110 + name_size).next_multiple_of(4);
            assert_eq!(rest[109 + name_size], 0);
            let name = String::from_utf8(rest[110..109 + name_size].to_vec()).unwrap();
            members.push((name, rest[content..content + size].to_vec()));
            rest = &rest[(content + size).next_multiple_of(4)..];
        }
        members
    }

    #[test]
    fn the_archive_is_in_the_format_of_the_kernel() {
        let members = members(&initrd(b"pretend"));
        let names: Vec<_> = members.iter().map(|member| member.0.as_str()).collect();
        assert_eq!(names, ["bin", "bin/busybox", "init", "TRAILER!!!"]);
        assert_eq!(members[1].1, b"pretend");
        assert!(members[2].1.starts_with(b"#!/bin/busybox sh\n"));
    }
}
