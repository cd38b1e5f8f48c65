//! Images that no PXE ROM loads: from disks, CDs and boot loaders, with a driver of ours for the card, whose ROM is not
//! there.

use super::Scenario;
use crate::failure::Result;
use crate::lab::{Lab, boot_lines, expect_user_space};
use crate::namespace::SERVER;
use crate::qemu::Options;
use crate::{paths, text};

/// The scenarios of this topic.
pub fn all() -> Vec<Scenario> {
    let linux = |name: &str, what: &str, image: &'static str, device: &'static str| {
        let about = format!("{image} boots Linux by HTTP from {what}");
        Scenario::new(format!("media-{name}"), about, 120, move |name| boot(name, image, device))
    };
    vec![
        linux("usb", "a hard disk", "ipxe.usb", "ide-hd"),
        linux("floppy", "a floppy disk", "ipxe.dsk", FLOPPY),
        linux("cd", "a CD", "ipxe.iso", "ide-cd"),
        Scenario::new("media-kernel", "ipxe.lkrn runs its command line as a script", 120, command_line),
        Scenario::new("media-kernel-initrd", "ipxe.lkrn runs its initrd as a script", 120, initrd),
        Scenario::new("media-exit", "exit of ipxe.iso leads to the next boot device", 120, exit),
    ]
}

/// In place of a device: the floppy drive that every PC has.
const FLOPPY: &str = "floppy";

/// A machine whose card has no ROM.
fn machine(medium: &[&str]) -> Options {
    let medium = medium.iter().map(|word| (*word).to_owned()).collect();
    Options { card: "virtio-net-pci,romfile=".to_owned(), medium, ..Options::default() }
}

/// One that boots from the image on a device of that kind, before anything else.
fn from_device(image: &str, device: &str) -> Options {
    let image = paths::images().join(image);
    let drive = format!("format=raw,snapshot=on,file={}", image.display());
    if device == FLOPPY {
        return machine(&["-drive", &format!("if=floppy,{drive}"), "-global", "isa-fdc.bootindexA=0"]);
    }
    let device = format!("{device},drive=m0,bootindex=0");
    machine(&["-drive", &format!("if=none,id=m0,{drive}"), "-device", &device])
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
        lab.machine(&machine(&["-kernel", &kernel, "-initrd", "script.ipxe", "-append", "not this"]))?;
    machine.expect("RIG-MARK initrd", 60)?;
    expect_user_space(&mut machine, 60)
}

fn exit(name: &str) -> Result<()> {
    let mut lab = Lab::try_new(name, "ipxe.iso")?;
    lab.script("echo RIG-MARK leaving\nexit")?;
    lab.usual_servers()?;
    let mut machine = lab.machine(&from_device("ipxe.iso", "ide-cd"))?;
    machine.expect("RIG-MARK leaving", 60)?;
    machine.expect(text::NEXT_DEVICE, 60)
}
