//! Kinds of images: the hypervisor Xen by both versions of multiboot, ELF, Linux by PVH, compressed files, and Linux with
//! an initrd that does not fit below 4 GiB.

use super::Scenario;
use super::autoboot::expect_ending;
use crate::failure::{Failure, Result, ensure};
use crate::lab::{KPXE, Lab, boot_lines, check_digest, expect_user_space};
use crate::namespace::{ROGUE, SERVER};
use crate::payload;
use crate::process::{run, tool};
use crate::qemu::{Machine, Options};
use crate::quirk;
use crate::random::Random;
use crate::rogue::Http;
use crate::text::{self, Ending};
use std::path::Path;
use std::process::Command;

/// The scenarios of this topic.
pub fn all() -> Vec<Scenario> {
    vec![
        Scenario::new(
            "images-multiboot",
            "Xen by multiboot 2 starts Debian's kernel, its module",
            240,
            |name| multiboot(name, 2),
        )
        .quick(),
        Scenario::new("images-multiboot-1", "the same by multiboot 1", 240, |name| multiboot(name, 1)),
        Scenario::new("images-multiboot-truncated", "half of Xen is refused", 240, truncated),
        Scenario::new("images-gzip", "compressed scripts, files and programs are unpacked", 120, |name| {
            unpacked(name, KPXE, "gzip")
        })
        .quick(),
        Scenario::new("images-xz", "the same by xz", 120, |name| unpacked(name, ALL_DRIVERS, "xz")),
        Scenario::new("images-zstd", "the same by zstd", 120, |name| unpacked(name, ALL_DRIVERS, "zstd")),
        Scenario::new("images-xz-damaged", "an xz file with a wrong byte is refused", 240, |name| {
            bad_archive(name, ALL_DRIVERS, "xz", |file| damage(file), text::ARCHIVE_DAMAGED)
        }),
        Scenario::new("images-zstd-damaged", "a zstd file with a wrong byte is refused", 240, |name| {
            bad_archive(name, ALL_DRIVERS, "zstd", |file| damage(file), text::ARCHIVE_DAMAGED)
        }),
        Scenario::new(
            "images-gzip-linux",
            "a compressed kernel boots, and initrds stay as they are",
            240,
            linux,
        ),
        Scenario::new("images-gzip-truncated", "half of a compressed file is refused", 240, |name| {
            let truncate = |file: &mut Vec<u8>| file.truncate(file.len() / 2);
            bad_archive(name, KPXE, "gzip", truncate, text::ARCHIVE_TRUNCATED)
        }),
        Scenario::new("images-gzip-damaged", "a compressed file with a wrong byte is refused", 240, |name| {
            bad_archive(name, KPXE, "gzip", |file| damage(file), text::ARCHIVE_DAMAGED)
        }),
        Scenario::new(
            "images-gzip-streams",
            "a compressed program is unpacked while it comes",
            240,
            |name| streams(name, KPXE, "gzip"),
        ),
        Scenario::new("images-xz-streams", "the same by xz", 240, |name| streams(name, ALL_DRIVERS, "xz")),
        Scenario::new("images-gzip-streams-tftp", "the same by TFTP", 240, streams_by_tftp),
        Scenario::new("images-gzip-resumes", "the same by HTTP where the connection breaks", 240, |name| {
            breaks(name, KPXE, "gzip", false)
        }),
        Scenario::new("images-xz-changes", "nothing is left of a file that changes meanwhile", 240, |name| {
            breaks(name, ALL_DRIVERS, "xz", true)
        }),
        Scenario::new("images-initrd-far", "an initrd goes above 4 GiB where it must", 240, |name| {
            far_initrd(name, "max", 0)
        }),
        Scenario::new(
            "images-initrd-far-2m",
            "the same on a processor without pages of 1 GiB",
            240,
            |name| far_initrd(name, "max,pdpe1gb=off", 0),
        ),
        Scenario::new(
            "images-initrd-far-refused",
            "a kernel that takes none there gets none, before it is downloaded",
            120,
            |name| far_initrd(name, "max", ABOVE_4G),
        ),
        Scenario::new("images-elf", "an ELF file finds protected mode as it is to be", 120, |name| {
            elf(name, quirk::executable, "ELF")
        }),
        Scenario::new("images-elf-64", "one of 64 bits by multiboot does so, too", 120, |name| {
            elf(name, quirk::executable_of_64_bits, "Multiboot")
        }),
        Scenario::new("images-elf-linux", "vmlinux, an ELF kernel of 64 bits, boots by PVH", 240, vmlinux),
    ]
}

/// What Xen is told: its console, and to stay with what it has to say.
const XEN: &str = "com1=115200,8n1,0x3f8,4 console=com1 loglvl=all noreboot rig=xen";

/// The lines that boot Xen from that file, with a kernel and an initrd as modules.
fn xen_lines(file: &str) -> String {
    format!(
        "kernel http://{SERVER}/{file} {XEN}\nmodule http://{SERVER}/vmlinuz console=hvc0 rig=on\n\
         module http://{SERVER}/initrd\nimgstat\nboot"
    )
}

/// Xen, which obeys the version of multiboot that its loader does: as its package has it, or decompressed and without the
/// header of version 2.
fn multiboot(name: &str, version: u8) -> Result<()> {
    let mut lab = Lab::try_new(name, KPXE)?;
    let [mut xen, elf] = payload::xen()?;
    if version == 1 {
        xen = elf;
        let header = xen.windows(4).position(|word| word == 0xe852_50d6_u32.to_le_bytes());
        let header = header.and_then(|place| xen.get_mut(place..place + 4));
        header.into_iter().for_each(|header| header.fill(0));
    }
    lab.www("xen", &xen)?;
    lab.script(&xen_lines("xen"))?;
    lab.usual_servers()?;
    let mut machine = lab.machine(&Options { memory: 512, ..Options::default() })?;
    machine.expect(if version == 1 { "[Multiboot]" } else { "[gzip]" }, 90)?;
    expect_xen(&mut machine)
}

/// Xen says who has started it and with which arguments, and unpacks its first module, a kernel, to whose domain it gives
/// the second. The kernel itself does not come far on the emulator's processor.
fn expect_xen(machine: &mut Machine) -> Result<()> {
    machine.expect("(XEN) Xen version", 60)?;
    machine.expect("(XEN) Bootloader: iPXE 2.0.0+rs", 30)?;
    machine.expect("Dom0 kernel: 64-bit", 120)?;
    let line = machine.transcript();
    ensure(line.between("(XEN) Command line: ", "rig=xen").is_some(), || "Xen got no arguments".to_owned())?;
    machine.expect("Init. ramdisk:", 30)
}

fn truncated(name: &str) -> Result<()> {
    let mut lab = Lab::try_new(name, KPXE)?;
    let [_, mut xen] = payload::xen()?;
    xen.truncate(xen.len() / 2);
    lab.www("xen", &xen)?;
    lab.script(&xen_lines("xen"))?;
    lab.usual_servers()?;
    let mut machine = lab.machine(&Options::default())?;
    expect_ending(&mut machine, text::PROGRAM_TRUNCATED)
}

fn elf(name: &str, program: fn() -> Result<Vec<u8>>, kind: &str) -> Result<()> {
    let mut lab = Lab::try_new(name, KPXE)?;
    lab.www("program", &program()?)?;
    lab.script(&format!("kernel http://{SERVER}/program\nimgstat\nboot"))?;
    lab.usual_servers()?;
    let mut machine = lab.machine(&Options::default())?;
    machine.expect(&format!("[{kind}]"), 90)?;
    machine.expect("RIG-MARK program=piazf;", 30)?;
    machine.expect_power_off(20)
}

/// Debian's kernel without what makes it a bzImage, with its initrd and arguments.
fn vmlinux(name: &str) -> Result<()> {
    let mut lab = Lab::try_new(name, KPXE)?;
    lab.www("vmlinux", &payload::vmlinux()?)?;
    lab.script(&boot_lines("imgstat\n").replace("/vmlinuz", "/vmlinux"))?;
    lab.usual_servers()?;
    let mut machine = lab.machine(&Options { memory: 512, ..Options::default() })?;
    machine.expect("[ELF]", 90)?;
    expect_user_space(&mut machine, 150)
}

/// The image that has all drivers, and unpacks all kinds of archives.
const ALL_DRIVERS: &str = "ipxe.kpxe";

/// A script, a file whose digest is then told, and a program, compressed by that program.
fn unpacked(name: &str, image: &str, packer: &str) -> Result<()> {
    let mut lab = Lab::try_new(name, image)?;
    serve(&lab, packer, "program.gz", &quirk::executable()?)?;
    // What compresses, and what does not.
    let mut content = Random::new(3).bytes(FILE);
    content.extend(quirk::executable()?.repeat(20));
    serve(&lab, packer, "file.gz", &content)?;
    let script = format!(
        "#!ipxe\nimgextract --name file http://{SERVER}/file.gz\nsha256sum file\n\
         kernel http://{SERVER}/program.gz\nimgstat\nboot\n"
    );
    let inner = serve(&lab, packer, "inner.ipxe.gz", script.as_bytes())?;
    let lines =
        format!("features {packer} && chain --sha256 {} http://{SERVER}/inner.ipxe.gz", sha256(&inner)?);
    lab.script(&lines)?;
    lab.usual_servers()?;
    let mut machine = lab.machine(&Options::default())?;
    machine.expect(&format!("{}  file", sha256(&content)?), 90)?;
    machine.expect(&format!("[{packer}]"), 20)?;
    machine.expect("RIG-MARK program=piazf;", 30)?;
    machine.expect_power_off(20)
}

/// Bytes of a file that is compressed.
const FILE: usize = 300_000;

/// Lets HTTP serve a file as that program compresses it; returns that.
fn serve(lab: &Lab, packer: &str, name: &str, content: &[u8]) -> Result<Vec<u8>> {
    std::fs::write("plain", content)?;
    let packed = payload::compressed(packer, Path::new("plain"))?;
    lab.www(name, &packed)?;
    Ok(packed)
}

fn sha256(content: &[u8]) -> Result<String> {
    std::fs::write("digested", content)?;
    let output = run(Command::new(tool("sha256sum")?).arg("digested"))?;
    Ok(output.split_whitespace().next().unwrap_or_default().to_owned())
}

fn linux(name: &str) -> Result<()> {
    let mut lab = Lab::try_new(name, KPXE)?;
    serve(&lab, "gzip", "vmlinuz.gz", &std::fs::read(lab.tftp_root().join("vmlinuz"))?)?;
    let packed = serve(&lab, "gzip", "file.gz", &Random::new(3).bytes(FILE))?;
    let lines = boot_lines(&format!("initrd http://{SERVER}/file.gz /rig/packed\n"));
    lab.script(&lines.replace("/vmlinuz", "/vmlinuz.gz"))?;
    lab.usual_servers()?;
    let mut machine = lab.machine(&Options { memory: 512, ..Options::default() })?;
    expect_user_space(&mut machine, 150)?;
    check_digest(&machine, "packed", &sha256(&packed)?)
}

/// Of the kernel's `xloadflags` (at 236h): an initrd may lie above 4 GiB.
const ABOVE_4G: u8 = 1 << 1;

/// Most memory lies above 4 GiB, and an initrd is larger than what lies below. Without one of its flags, the kernel takes
/// it there only.
fn far_initrd(name: &str, processor: &str, cleared: u8) -> Result<()> {
    let mut lab = Lab::try_new(name, KPXE)?;
    let mut kernel = std::fs::read(lab.tftp_root().join("vmlinuz"))?;
    kernel[0x236] &= !cleared;
    lab.www("vmlinuz", &kernel)?;
    let big = lab.big_file(8)?;
    lab.script(&boot_lines(&format!("initrd http://{SERVER}/8M.bin /rig/big\n")))?;
    lab.usual_servers()?;
    let options = Options {
        memory: 1536,
        memory_below: Some(80),
        processor: processor.to_owned(),
        ..Options::default()
    };
    let mut machine = lab.machine(&options)?;
    if cleared != 0 {
        expect_ending(&mut machine, text::NO_MEMORY)?;
        let budget = machine.transcript().between("it needs 8192 KiB, there are ", " KiB");
        ensure(budget.is_some(), || "it does not say how much may be sent".to_owned())?;
        let log = lab.log("nginx/access.log")?;
        let sent = log.split_once("/8M.bin HTTP/1.1\" 200 ").and_then(|(_, rest)| rest.split(' ').next());
        let sent: Option<usize> = sent.and_then(|sent| sent.parse().ok());
        return ensure(sent.is_some_and(|sent| sent < 4 << 20), || format!("{sent:?} bytes were sent"));
    }
    machine.expect("KiB at 0x100000000, setup", 150)?;
    expect_user_space(&mut machine, 150)?;
    check_digest(&machine, "big", &big.sha256)
}

/// Two MiB that begin with a program, and as that program compresses it. The end does not compress.
fn large_program(lab: &Lab, packer: &str) -> Result<Vec<u8>> {
    let mut content = quirk::executable()?.repeat(300);
    content.truncate(2 * MIB - FILE);
    content.resize(2 * MIB - FILE, 0);
    content.extend(Random::new(3).bytes(FILE));
    serve(lab, packer, "unused", &content)
}

const MIB: usize = 1 << 20;

/// Starts a program from a server that does with the compressed file as it likes, or from one that serves TFTP, and
/// returns how many KiB of it are unpacked when the last byte has come.
fn runs_streamed(mut lab: Lab, server: Option<Http>) -> Result<usize> {
    let address = server.as_ref().map_or(format!("tftp://{SERVER}"), |_| format!("http://{ROGUE}"));
    lab.script(&format!("kernel {address}/program.gz\nimgstat\nboot"))?;
    lab.usual_servers()?;
    server.map_or(Ok(()), Http::start)?;
    let mut machine = lab.machine(&Options::default())?;
    machine.expect("KiB are there already", 150)?;
    let unpacked = machine.transcript().between("Unpacking program.gz: ", " KiB are there already");
    machine.expect("RIG-MARK program=piazf;", 60)?;
    machine.expect_power_off(20)?;
    let unpacked = unpacked.and_then(|unpacked| unpacked.parse().ok());
    unpacked.ok_or_else(|| Failure::new("it does not say how much is unpacked"))
}

/// While the server holds back the last 16 KiB, all that can be is unpacked. Of xz all of a chunk has to be there, and
/// these are of 64 KiB at most.
fn streams(name: &str, image: &str, packer: &str) -> Result<()> {
    let lab = Lab::try_new(name, image)?;
    let packed = large_program(&lab, packer)?;
    let unpacked = runs_streamed(lab, Some(Http::HoldsBack(packed, 16 << 10)))?;
    ensure(unpacked + 16 + 64 >= 2 * MIB / 1024, || format!("only {unpacked} KiB are unpacked"))
}

/// The connection breaks in the middle, and then the file goes on, or is another one.
fn breaks(name: &str, image: &str, packer: &str, changes: bool) -> Result<()> {
    let lab = Lab::try_new(name, image)?;
    let packed = large_program(&lab, packer)?;
    let server = if changes {
        let other = serve(&lab, packer, "unused", &[&[0; MIB][..], &Random::new(4).bytes(MIB)].concat())?;
        Http::Breaks(other, Some(packed))
    } else {
        Http::Breaks(packed, None)
    };
    runs_streamed(lab, Some(server)).map(drop)
}

fn streams_by_tftp(name: &str) -> Result<()> {
    let lab = Lab::try_new(name, KPXE)?;
    lab.tftp("program.gz", &large_program(&lab, "gzip")?)?;
    let unpacked = runs_streamed(lab, None)?;
    ensure(unpacked >= 1024, || format!("only {unpacked} KiB are unpacked"))
}

/// Makes a byte in the middle wrong.
fn damage(file: &mut [u8]) {
    let place = file.len() / 2;
    file[place] ^= 0x10;
}

fn bad_archive(
    name: &str,
    image: &str,
    packer: &str,
    damage: impl Fn(&mut Vec<u8>),
    wanted: Ending,
) -> Result<()> {
    let mut lab = Lab::try_new(name, image)?;
    let mut file = serve(&lab, packer, "file.gz", &Random::new(3).bytes(FILE))?;
    damage(&mut file);
    lab.www("file.gz", &file)?;
    lab.script(&format!("chain http://{SERVER}/file.gz"))?;
    lab.usual_servers()?;
    let mut machine = lab.machine(&Options::default())?;
    expect_ending(&mut machine, wanted)
}
