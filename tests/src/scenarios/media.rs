//! Images that no PXE ROM loads: from disks, CDs and boot loaders, with a driver of ours for the card, whose ROM is not
//! there.

use super::Scenario;
use crate::failure::{Context, Result};
use crate::lab::{Lab, boot_lines, expect_user_space};
use crate::namespace::SERVER;
use crate::process::{run, tool};
use crate::qemu::{Machine, Options};
use crate::{paths, text};
use std::process::Command;

/// The scenarios of this topic.
pub fn all() -> Vec<Scenario> {
    let linux = |name: &str, what: &str, image: &'static str, device: &'static str| {
        let about = format!("{image} boots Linux by HTTP from {what}");
        Scenario::new(format!("media-{name}"), about, 120, move |name| boot(name, image, device))
    };
    vec![
        linux("usb", "a hard disk", "ipxe.usb", "ide-hd"),
        linux("usb-stick", "a USB stick", "ipxe.usb", USB_STICK).by_name(),
        linux("floppy", "a floppy disk", "ipxe.dsk", FLOPPY),
        linux("cd", "a CD", "ipxe.iso", "ide-cd"),
        Scenario::new("media-kernel", "ipxe.lkrn runs its command line as a script", 120, command_line),
        Scenario::new("media-kernel-initrd", "ipxe.lkrn runs its initrd as a script", 120, initrd),
        Scenario::new("media-grub-command", "GRUB's own words are no part of the command", 300, |name| {
            let command = format!("dhcp && echo RIG-MARK command && chain http://{SERVER}/boot.ipxe");
            grub(name, &command, None, "RIG-MARK command")
        }),
        Scenario::new("media-grub-script", "GRUB loads a script of 200 KiB as initrd", 300, |name| {
            let padding = "# nothing, many times over\n".repeat(8000);
            let script =
                format!("#!ipxe\n{padding}dhcp\necho RIG-MARK initrd\nchain http://{SERVER}/boot.ipxe\n");
            grub(name, "", Some(&script), "RIG-MARK initrd")
        })
        .quick(),
        Scenario::new(
            "media-grub-both",
            "GRUB hands over a command and a script that it chains",
            300,
            |name| {
                let script = format!("#!ipxe\necho RIG-MARK both\nchain http://{SERVER}/boot.ipxe\n");
                grub(name, "dhcp && chain <INITRD>", Some(&script), "RIG-MARK both")
            },
        ),
        Scenario::new(
            "media-grub-plain",
            "GRUB starts ipxe.lkrn, which asks DHCP what to boot",
            300,
            |name| grub(name, "", None, "by virtio-net"),
        ),
        Scenario::new("media-grub-shell", "GRUB starts the shell, in which the user boots", 300, grub_shell),
        Scenario::new("media-grub-too-long", "an initrd that is too long ends in a sentence", 300, too_long),
        Scenario::new("media-exit", "exit of ipxe.iso leads to the next boot device", 120, exit),
    ]
}

/// In place of a device: the floppy drive that every PC has.
pub(super) const FLOPPY: &str = "floppy";

/// A device of a controller that a PC of the emulator's kind does not have by itself.
const USB_STICK: &str = "usb-storage";

/// A machine whose card has no ROM.
fn machine(medium: &[&str]) -> Options {
    let medium = medium.iter().map(|word| (*word).to_owned()).collect();
    Options { card: "virtio-net-pci,romfile=".to_owned(), medium, ..Options::default() }
}

/// One that boots from the image on a device of that kind, before anything else.
pub(super) fn from_device(image: &str, device: &str) -> Options {
    let image = paths::images().join(image);
    let drive = format!("format=raw,snapshot=on,file={}", image.display());
    if device == FLOPPY {
        return machine(&["-drive", &format!("if=floppy,{drive}"), "-global", "isa-fdc.bootindexA=0"]);
    }
    let controller: &[&str] = if device == USB_STICK { &["-device", "qemu-xhci"] } else { &[] };
    let (drive, device) = (format!("if=none,id=m0,{drive}"), format!("{device},drive=m0,bootindex=0"));
    machine(&[controller, &["-drive", &drive, "-device", &device]].concat())
}

fn boot(name: &str, image: &str, device: &str) -> Result<()> {
    let mut lab = Lab::try_new(name, image)?;
    lab.script(&boot_lines(""))?;
    lab.usual_servers()?;
    let mut machine = lab.machine(&from_device(image, device))?;
    machine.expect("by virtio-net, PCI 00:02.0; no PXE stack", 60)?;
    expect_user_space(&mut machine, 60)
}

fn command_line(name: &str) -> Result<()> {
    let mut lab = Lab::try_new(name, "ipxe.lkrn")?;
    lab.www("chained.ipxe", format!("#!ipxe\n{}", boot_lines("")).as_bytes())?;
    lab.usual_servers()?;
    let kernel = paths::images().join("ipxe.lkrn").display().to_string();
    let command = format!("dhcp && echo RIG-MARK command && chain http://{SERVER}/chained.ipxe");
    let mut machine = lab.machine(&machine(&["-kernel", &kernel, "-append", &command]))?;
    machine.expect("RIG-MARK command", 60)?;
    expect_user_space(&mut machine, 60)
}

fn initrd(name: &str) -> Result<()> {
    let mut lab = Lab::try_new(name, "ipxe.lkrn")?;
    std::fs::write("script.ipxe", format!("#!ipxe\ndhcp\necho RIG-MARK initrd\n{}", boot_lines("")))?;
    lab.usual_servers()?;
    let kernel = paths::images().join("ipxe.lkrn").display().to_string();
    let mut machine =
        lab.machine(&machine(&["-kernel", &kernel, "-initrd", "script.ipxe", "-append", "initrd=a"]))?;
    machine.expect("RIG-MARK initrd", 60)?;
    expect_user_space(&mut machine, 60)
}

/// A disk from which GRUB starts `ipxe.lkrn` with this command line and initrd.
fn grub_disk(command: &str, initrd: Option<&str>) -> Result<Vec<u8>> {
    const MODULES: &str = "/usr/lib/grub/i386-pc";
    let mut lines = format!(
        "linux16 (memdisk)/ipxe.lkrn {}\n",
        command.replace("&&", "'&&'").replace('<', "'<").replace('>', ">'")
    );
    let mut files = vec!["ipxe.lkrn"];
    std::fs::copy(paths::images().join("ipxe.lkrn"), "ipxe.lkrn")?;
    if let Some(script) = initrd {
        std::fs::write("script.ipxe", script)?;
        lines += "initrd16 (memdisk)/script.ipxe\n";
        files.push("script.ipxe");
    }
    std::fs::write("grub.cfg", lines + "boot\n")?;
    run(Command::new(tool("tar")?).args(["-cf", "memdisk.tar", "--format=ustar"]).args(files))?;
    run(Command::new(tool("grub-mkimage")?)
        .args(["-O", "i386-pc", "-d", MODULES, "-p", "(memdisk)/", "-c", "grub.cfg"])
        .args(["-m", "memdisk.tar", "-o", "core.img", "biosdisk", "memdisk", "tar", "linux16", "boot"]))?;
    let mut disk = std::fs::read(format!("{MODULES}/boot.img")).context(MODULES)?;
    disk.extend(std::fs::read("core.img").context("core.img")?);
    disk.resize(disk.len().next_multiple_of(1 << 16), 0);
    Ok(disk)
}

fn start_grub(lab: &mut Lab, command: &str, initrd: Option<&str>) -> Result<Machine> {
    std::fs::write("grub.img", grub_disk(command, initrd)?)?;
    let drive = "if=none,id=m0,format=raw,snapshot=on,file=grub.img";
    lab.machine(&machine(&["-drive", drive, "-device", "ide-hd,drive=m0,bootindex=0"]))
}

fn grub(name: &str, command: &str, initrd: Option<&str>, mark: &str) -> Result<()> {
    let mut lab = Lab::try_new(name, "ipxe.lkrn")?;
    lab.script(&boot_lines(""))?;
    lab.usual_servers()?;
    let mut machine = start_grub(&mut lab, command, initrd)?;
    machine.expect(mark, 150)?;
    expect_user_space(&mut machine, 150)
}

fn grub_shell(name: &str) -> Result<()> {
    let mut lab = Lab::try_new(name, "ipxe.lkrn")?;
    lab.script(&boot_lines(""))?;
    lab.usual_servers()?;
    let mut machine = start_grub(&mut lab, "shell", None)?;
    machine.expect(text::PROMPT, 150)?;
    machine.control()?.type_line("dhcp")?;
    machine.expect(text::PROMPT, 60)?;
    machine.control()?.type_line("autoboot")?;
    expect_user_space(&mut machine, 150)
}

fn too_long(name: &str) -> Result<()> {
    let mut lab = Lab::try_new(name, "ipxe.lkrn")?;
    let script = format!("#!ipxe\n{}", "# nothing\n".repeat(30_000));
    let mut machine = start_grub(&mut lab, "", Some(&script))?;
    machine.expect("iPXE: initrd over 256 KiB", 150)?;
    // The BIOS takes no second hard disk.
    machine.expect("Booting from Floppy", 60)
}

fn exit(name: &str) -> Result<()> {
    let mut lab = Lab::try_new(name, "ipxe.iso")?;
    lab.script("echo RIG-MARK leaving\nexit")?;
    lab.usual_servers()?;
    let mut machine = lab.machine(&from_device("ipxe.iso", "ide-cd"))?;
    machine.expect("RIG-MARK leaving", 60)?;
    machine.expect(text::NEXT_DEVICE, 60)
}
