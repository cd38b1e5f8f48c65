//! What is booted: a Debian kernel from its package, an initrd made here from `busybox-static`, and broken kernels.
//!
//! Made once and kept under `target/payload`.

use crate::failure::{Context, Failure, Result, ensure};
use crate::paths;
use crate::process::{run, tool};
use crate::random::Random;
use std::collections::hash_map::RandomState;
use std::fs;
use std::hash::{BuildHasher as _, Hasher as _};
use std::path::{Path, PathBuf};
use std::process::Command;

/// The kernel that all scenarios boot, or another when it has got another name: depends on the package that has it.
const KERNEL_PACKAGE: &str = "linux-image-cloud-amd64";
/// The hypervisor Xen, a kernel for multiboot 1 and 2: the same.
const XEN_PACKAGE: &str = "xen-system-amd64";

/// What the initrd runs: it says what it was given, and switches the machine off.
const INIT: &str = "\
#!/bin/busybox sh
/bin/busybox mount -t proc proc /proc
# The serial port, whatever the console is.
/bin/busybox mknod /ttyS0 c 4 64
exec >/ttyS0
echo
echo \"RIG-MARK cmdline=$(/bin/busybox cat /proc/cmdline);\"
echo \"RIG-MARK bytes=$(/bin/busybox xxd -p /proc/cmdline);\"
for file in /rig/*; do
    [ -f \"$file\" ] || continue
    digest=$(/bin/busybox sha256sum \"$file\")
    echo \"RIG-MARK file=$file sha256=${digest%% *};\"
done
echo \"RIG-MARK userspace-up\"
/bin/busybox sleep 1
/bin/busybox poweroff -f
";

/// A file with pseudo-random content.
#[derive(Clone, Debug)]
pub struct BigFile {
    /// Where it is.
    pub path: PathBuf,
    /// Its digest, in hexadecimal.
    pub sha256: String,
}

/// Files that are ready to be served.
#[derive(Clone, Debug)]
pub struct Payload {
    /// The kernel.
    pub kernel: PathBuf,
    /// The initrd.
    pub initrd: PathBuf,
    /// The hypervisor Xen as its package has it: an ELF file, compressed by gzip.
    pub xen: PathBuf,
}

/// Gets or makes the files if they are not there, or not as they should be.
pub fn prepare() -> Result<Payload> {
    let folder = paths::payload();
    fs::create_dir_all(&folder).context(folder.display())?;
    let payload =
        Payload { kernel: folder.join("vmlinuz"), initrd: folder.join("initrd"), xen: folder.join("xen.gz") };
    if !payload.kernel.is_file() {
        fetch(&folder, KERNEL_PACKAGE, "linux-image-", |name| name.starts_with("vmlinuz-"), &payload.kernel)?;
    }
    if !payload.xen.is_file() {
        fetch(&folder, XEN_PACKAGE, "xen-hypervisor-", |name| name.ends_with(".gz"), &payload.xen)?;
    }
    let busybox = tool("busybox")?;
    let busybox = fs::read(&busybox).context(busybox.display())?;
    let initrd = initrd(&busybox);
    if fs::read(&payload.initrd).ok().as_ref() != Some(&initrd) {
        write_whole(&payload.initrd, &initrd)?;
    }
    Ok(payload)
}

/// A file of `mebibytes` MiB, always the same.
pub fn big_file(mebibytes: usize) -> Result<BigFile> {
    let path = paths::payload().join(format!("{mebibytes}M.bin"));
    if !path.is_file() {
        let seed = u64::try_from(mebibytes).unwrap_or_default();
        write_whole(&path, &Random::new(seed).bytes(mebibytes << 20))?;
    }
    let output = run(Command::new(tool("sha256sum")?).arg(&path))?;
    let sha256 = output.split_whitespace().next().unwrap_or_default().to_owned();
    ensure(sha256.len() == 64, || format!("sha256sum said {output}"))?;
    Ok(BigFile { path, sha256 })
}

/// How a kernel is broken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Flaw {
    /// Its last half is missing.
    Truncated,
    /// The signature `HdrS` of the boot protocol is overwritten.
    NoSignature,
    /// It says that it needs almost 4 GiB to unpack itself.
    TooLarge,
}

/// The kernel with a flaw.
pub fn flawed_kernel(flaw: Flaw) -> Result<Vec<u8>> {
    let path = paths::payload().join("vmlinuz");
    let mut kernel = fs::read(&path).context(path.display())?;
    ensure(kernel.get(0x202..0x206) == Some(b"HdrS"), || "the kernel is no bzImage".to_owned())?;
    match flaw {
        Flaw::Truncated => kernel.truncate(kernel.len() / 2),
        Flaw::NoSignature => kernel[0x202..0x206].fill(0),
        Flaw::TooLarge => kernel[0x260..0x264].copy_from_slice(&0xf000_0000_u32.to_le_bytes()),
    }
    Ok(kernel)
}

/// The file of Xen as its package has it, and decompressed.
pub fn xen() -> Result<[Vec<u8>; 2]> {
    let path = paths::payload().join("xen.gz");
    Ok([fs::read(&path).context(path.display())?, filtered("gzip", "-dc", &path)?])
}

/// The kernel as an ELF file, which the bzImage has inside, compressed (Linux boot protocol, `payload_offset`).
pub fn vmlinux() -> Result<Vec<u8>> {
    let path = paths::payload().join("vmlinuz");
    let kernel = fs::read(&path).context(path.display())?;
    let field = |at: usize| {
        let bytes = kernel.get(at..at + 4).and_then(|bytes| bytes.try_into().ok());
        bytes.map_or(0, |bytes| u32::from_le_bytes(bytes) as usize)
    };
    let setup_sectors = kernel.get(0x1f1).copied().map_or(0, usize::from);
    let start = (setup_sectors + 1) * 512 + field(0x248);
    // The last four bytes are the length of what is in it.
    let compressed = kernel.get(start..(start + field(0x24c)).saturating_sub(4)).unwrap_or_default();
    ensure(compressed.starts_with(&0x184c_2102_u32.to_le_bytes()), || {
        "the kernel is not compressed by lz4".into()
    })?;
    fs::write("vmlinux.lz4", compressed).context("vmlinux.lz4")?;
    filtered("lz4", "-dc", Path::new("vmlinux.lz4"))
}

/// The file as the program of that name compresses it.
pub fn compressed(program: &str, path: &Path) -> Result<Vec<u8>> {
    filtered(program, "-c", path)
}

fn filtered(program: &str, option: &str, path: &Path) -> Result<Vec<u8>> {
    let output = Command::new(tool(program)?).arg(option).arg(path).output().context(program)?;
    ensure(output.status.success(), || format!("{program} {option} {} fails", path.display()))?;
    Ok(output.stdout)
}

/// Downloads the package that `user` depends on and whose name begins with `prefix`, and takes a file of its `/boot`.
fn fetch(
    folder: &Path,
    user: &str,
    prefix: &str,
    wanted: impl Fn(&str) -> bool,
    target: &Path,
) -> Result<()> {
    let depends = run(Command::new(tool("apt-cache")?).args(["depends", user]))?;
    let package = depends
        .lines()
        .filter_map(|line| line.trim().strip_prefix("Depends: "))
        .find(|package| package.starts_with(prefix))
        .ok_or_else(|| Failure(format!("apt knows no {user}; run apt-get update")))?;
    println!("$ apt-get download {package}");
    run(Command::new(tool("apt-get")?).args(["download", package]).current_dir(folder))?;
    let unpacked = folder.join("unpacked");
    let archive = find(folder, |name| name.starts_with(prefix) && name.ends_with(".deb"))?;
    run(Command::new(tool("dpkg-deb")?).arg("-x").arg(&archive).arg(&unpacked))?;
    let image = find(&unpacked.join("boot"), wanted)?;
    write_whole(target, &fs::read(image)?)?;
    fs::remove_dir_all(&unpacked)?;
    fs::remove_file(archive)?;
    Ok(())
}

fn find(folder: &Path, wanted: impl Fn(&str) -> bool) -> Result<PathBuf> {
    for entry in fs::read_dir(folder).context(folder.display())? {
        let path = entry?.path();
        if path.file_name().and_then(|name| name.to_str()).is_some_and(&wanted) {
            return Ok(path);
        }
    }
    Err(Failure(format!("{}: the file that was to be made is not there", folder.display())))
}

/// Writes so that another process sees the whole file or none.
fn write_whole(path: &Path, bytes: &[u8]) -> Result<()> {
    // Process ids are those of a scenario's namespace: another one may have the same.
    let unique = RandomState::new().build_hasher().finish();
    let part = path.with_extension(format!("{unique:016x}"));
    fs::write(&part, bytes).context(part.display())?;
    fs::rename(&part, path).context(path.display())
}

fn initrd(busybox: &[u8]) -> Vec<u8> {
    let mut archive = Vec::new();
    for folder in ["bin", "proc", "rig"] {
        member(&mut archive, folder, 0o040_755, b"");
    }
    member(&mut archive, "bin/busybox", 0o100_755, busybox);
    member(&mut archive, "init", 0o100_755, INIT.as_bytes());
    member(&mut archive, "TRAILER!!!", 0, b"");
    archive
}

/// One member of a "new ASCII" cpio archive (Linux, Documentation/driver-api/early-userspace/buffer-format.rst).
fn member(archive: &mut Vec<u8>, name: &str, mode: u32, data: &[u8]) {
    let number = u32::try_from(archive.len()).unwrap_or(u32::MAX);
    let size = u32::try_from(data.len()).unwrap_or(u32::MAX);
    let name_size = u32::try_from(name.len() + 1).unwrap_or(u32::MAX);
    let fields = [number, mode, 0, 0, 1, 0, size, 0, 0, 0, 0, name_size, 0];
    archive.extend_from_slice(b"070701");
    for field in fields {
        archive.extend_from_slice(format!("{field:08x}").as_bytes());
    }
    archive.extend_from_slice(name.as_bytes());
    archive.push(0);
    archive.resize(archive.len().next_multiple_of(4), 0);
    archive.extend_from_slice(data);
    archive.resize(archive.len().next_multiple_of(4), 0);
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;
    use std::process::Stdio;

    #[test]
    fn cpio_reads_our_archive() {
        let archive = initrd(b"pretend");
        let mut cpio = Command::new("/usr/bin/cpio")
            .args(["-t", "--quiet"])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        cpio.stdin.take().unwrap().write_all(&archive).unwrap();
        let listing = cpio.wait_with_output().unwrap();
        assert!(listing.status.success());
        assert_eq!(String::from_utf8(listing.stdout).unwrap(), "bin\nproc\nrig\nbin/busybox\ninit\n");
    }
}
