//! Kinds of images beside Linux: the hypervisor Xen by both versions of multiboot, and ELF.

use super::Scenario;
use super::autoboot::expect_ending;
use crate::failure::{Result, ensure};
use crate::lab::{KPXE, Lab};
use crate::namespace::SERVER;
use crate::payload;
use crate::qemu::{Machine, Options};
use crate::{quirk, text};

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
        Scenario::new("images-elf", "an ELF file finds protected mode as it is to be", 120, elf),
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

/// Xen, which obeys the version of multiboot that its loader does; without the header of version 2 it is 1.
fn multiboot(name: &str, version: u8) -> Result<()> {
    let mut lab = Lab::try_new(name, KPXE)?;
    let mut xen = payload::xen_elf()?;
    if version == 1 {
        let header = xen.windows(4).position(|word| word == 0xe852_50d6_u32.to_le_bytes());
        let header = header.and_then(|place| xen.get_mut(place..place + 4));
        header.into_iter().for_each(|header| header.fill(0));
    }
    lab.www("xen", &xen)?;
    lab.script(&xen_lines("xen"))?;
    lab.usual_servers()?;
    let mut machine = lab.machine(&Options { memory: 512, ..Options::default() })?;
    machine.expect("[Multiboot]", 90)?;
    expect_xen(&mut machine)
}

/// Xen says who has started it, with which arguments, and that its first module is a kernel.
fn expect_xen(machine: &mut Machine) -> Result<()> {
    machine.expect("(XEN) Xen version", 60)?;
    machine.expect("(XEN) Bootloader: iPXE 2.0.0+rs", 30)?;
    let line = machine.transcript();
    ensure(line.between("(XEN) Command line: ", "rig=xen").is_some(), || "Xen got no arguments".to_owned())?;
    machine.expect("Dom0 kernel: 64-bit", 120)
}

fn truncated(name: &str) -> Result<()> {
    let mut lab = Lab::try_new(name, KPXE)?;
    let mut xen = payload::xen_elf()?;
    xen.truncate(xen.len() / 2);
    lab.www("xen", &xen)?;
    lab.script(&xen_lines("xen"))?;
    lab.usual_servers()?;
    let mut machine = lab.machine(&Options::default())?;
    expect_ending(&mut machine, text::PROGRAM_TRUNCATED)
}

fn elf(name: &str) -> Result<()> {
    let mut lab = Lab::try_new(name, KPXE)?;
    lab.www("program", &quirk::executable()?)?;
    lab.script(&format!("kernel http://{SERVER}/program\nimgstat\nboot"))?;
    lab.usual_servers()?;
    let mut machine = lab.machine(&Options::default())?;
    machine.expect("[ELF]", 90)?;
    machine.expect("RIG-MARK program=piazf;", 30)?;
    machine.expect_power_off(20)
}
