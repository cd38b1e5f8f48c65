//! Network boot programs of others on our own PXE stack: each is to find its files by our services and to boot Linux.
//!
//! The machine has no other PXE stack: its card has a ROM of ours. Only what is named `cd` has none, and the image comes
//! from a CD; and what is named `vendor` has the ROM of the usual card.

use super::{Scenario, media};
use crate::failure::{Context, Result, ensure};
use crate::lab::{KPXE, Lab, boot_lines, expect_user_space};
use crate::namespace::{ATFTP, SERVER};
use crate::process::{run, tool};
use crate::qemu::{self, Machine, Options};
use crate::{paths, servers, text};
use image_variants::assemble::embed_script;
use std::fs;
use std::path::Path;
use std::process::Command;

/// The scenarios of this topic.
pub fn all() -> Vec<Scenario> {
    let tftp = format!("tftp://{SERVER}");
    let http = format!("http://{SERVER}");
    let pxelinux = |name: &str, about: &str, server: &str, program: Program| {
        let server = server.to_owned();
        Scenario::new(name, about, 600, move |name| linux(name, &server, &program))
    };
    let usual = vec![
        pxelinux("nbp-pxelinux-http", "pxelinux.0 that came by HTTP boots Linux by HTTP", &http, PXELINUX),
        pxelinux(
            "nbp-lpxelinux-http",
            "lpxelinux.0 that came by HTTP drives the card by our UNDI and boots Linux by HTTP",
            &http,
            LPXELINUX,
        ),
        Scenario::new("nbp-ipxe", "Debian's undionly.kpxe boots Linux by our UNDI", 300, ipxe),
        Scenario::new(
            "nbp-ipxe-vendor",
            "Debian's undionly.kpxe, started by ours on the vendor's UNDI, boots Linux",
            300,
            |name| ipxe_on_vendor(name, false),
        ),
        Scenario::new("nbp-ipxe-vendor-exit", "the same comes back to ours", 300, |name| {
            ipxe_on_vendor(name, true)
        }),
    ];
    // By TFTP a kernel takes most of a minute; a small one is in `leaving`.
    let slow = vec![
        pxelinux("nbp-pxelinux", "pxelinux.0 boots Linux by TFTP from beside itself", &tftp, PXELINUX),
        pxelinux(
            "nbp-lpxelinux",
            "lpxelinux.0 drives the card by our UNDI and boots Linux by TFTP",
            &tftp,
            LPXELINUX,
        ),
        Scenario::new(
            "nbp-pxelinux-options",
            "options 209 and 210 that a script has set lead pxelinux.0 to another server's files",
            600,
            options,
        ),
        pxelinux("nbp-com32", "a menu and linux.c32, which PXELINUX runs, boot Linux", &tftp, MENU),
        Scenario::new("nbp-memdisk", "memdisk, started by PXELINUX, boots a floppy disk", 600, memdisk),
        Scenario::new("nbp-grub", "GRUB drives the card by our UNDI and boots Linux by TFTP", 600, grub),
        Scenario::new(
            "nbp-own",
            "our undionly.kpxe on our own ROM starts pxelinux.0, which boots Linux",
            600,
            |name| own(name, ROM, &rom()),
        ),
        Scenario::new("nbp-own-cd", "the same, on our image of a CD", 600, |name| {
            own(name, "ipxe.iso", &media::from_device("ipxe.iso", "ide-cd"))
        }),
    ];
    usual.into_iter().chain(slow.into_iter().map(Scenario::by_name)).collect()
}

/// Our ROM of the card. Of ROMs only this one is built without being asked for.
const ROM: &str = "virtio-net.mrom";

/// A machine whose card has it.
fn rom() -> Options {
    Options { card: qemu::with_rom("virtio-net-pci", ROM), ..Options::default() }
}

/// PXELINUX in one of its forms, with its modules and its configuration.
struct Program {
    file: &'static str,
    modules: &'static [&'static str],
    configuration: &'static str,
}

const CONFIGURATION: &str = "DEFAULT linux\nLABEL linux\nKERNEL vmlinuz\nINITRD initrd\n\
     APPEND console=ttyS0,115200 panic=-1 no_timer_check quiet rig=on\n";
const PXELINUX: Program =
    Program { file: paths::PXELINUX, modules: &["ldlinux.c32"], configuration: CONFIGURATION };
const LPXELINUX: Program = Program { file: paths::LPXELINUX, ..PXELINUX };
/// The menu is left to itself until it starts the only item.
const MENU: Program = Program {
    modules: &["ldlinux.c32", "libcom32.c32", "libutil.c32", "menu.c32", "linux.c32"],
    configuration: "UI menu.c32\nTIMEOUT 10\nLABEL linux\nMENU DEFAULT\nCOM32 linux.c32\n\
         APPEND vmlinuz initrd=initrd console=ttyS0,115200 panic=-1 no_timer_check quiet rig=on\n",
    ..PXELINUX
};

/// Where programs and their files are: not where DHCP's own boot file is.
const FOLDER: &str = "programs";

impl Program {
    fn name(&self) -> &str {
        self.file.rsplit('/').next().unwrap_or_default()
    }

    /// Lets both servers have it, and the kernel beside it.
    fn provide(&self, lab: &Lab) -> Result<()> {
        for root in ["tftp", "www"] {
            let folder = Path::new(root).join(FOLDER);
            fs::create_dir_all(folder.join("pxelinux.cfg"))?;
            fs::write(folder.join("pxelinux.cfg/default"), self.configuration)?;
            copy(self.file.as_ref(), &folder.join(self.name()))?;
            for module in self.modules {
                copy(&Path::new(paths::SYSLINUX_MODULES).join(module), &folder.join(module))?;
            }
        }
        lab.link_payload(FOLDER)
    }
}

fn copy(from: &Path, to: &Path) -> Result<()> {
    fs::copy(from, to).context(from.display()).map(drop)
}

/// A machine that starts the script of the laboratory by our own driver, without any other PXE stack.
fn start(lab: &mut Lab) -> Result<Machine> {
    let mut machine = lab.machine(&rom())?;
    machine.expect("by virtio-net, PCI 00:02.0; no PXE stack", 60)?;
    Ok(machine)
}

/// A program that finds its files beside itself.
fn linux(name: &str, server: &str, program: &Program) -> Result<()> {
    let mut lab = Lab::try_new(name, ROM)?;
    program.provide(&lab)?;
    lab.script(&format!("chain {server}/{FOLDER}/{}", program.name()))?;
    lab.usual_servers()?;
    let mut machine = start(&mut lab)?;
    expect_user_space(&mut machine, 570)?;
    let (log, sent) = if server.starts_with("http") {
        ("nginx/access.log", format!("GET /{FOLDER}/vmlinuz"))
    } else {
        ("dnsmasq.log", format!("/{FOLDER}/vmlinuz to "))
    };
    ensure(lab.log(log)?.contains(&sent), || format!("{log} does not say: {sent}"))
}

/// The options of a script count more than the place of the program; the kernel is on another server.
fn options(name: &str) -> Result<()> {
    let mut lab = Lab::try_new(name, ROM)?;
    PXELINUX.provide(&lab)?;
    lab.tftp("pxelinux.0", &fs::read(paths::PXELINUX)?)?;
    lab.script(&format!(
        "set 209:string pxelinux.cfg/default\nset 210:string tftp://{ATFTP}/{FOLDER}/\n\
         chain tftp://{SERVER}/pxelinux.0"
    ))?;
    lab.usual_servers()?;
    let server = servers::atftpd(&lab.tftp_root())?;
    lab.keep(server);
    let mut machine = start(&mut lab)?;
    expect_user_space(&mut machine, 570)?;
    let log = lab.log("atftpd.log")?;
    ensure(log.contains(&format!("{FOLDER}/vmlinuz")), || "atftpd was not asked for the kernel".to_owned())
}

/// The floppy disk is an image of ours, which reads itself by memdisk's INT 13h, and finds another script.
fn memdisk(name: &str) -> Result<()> {
    let mut lab = Lab::try_new(name, ROM)?;
    let memdisk = Program {
        configuration: "DEFAULT disk\nLABEL disk\nKERNEL memdisk\nINITRD floppy.img\n",
        ..PXELINUX
    };
    memdisk.provide(&lab)?;
    let folder = lab.tftp_root().join(FOLDER);
    copy(paths::MEMDISK.as_ref(), &folder.join("memdisk"))?;
    copy(&paths::images().join("ipxe.dsk"), &folder.join("floppy.img"))?;
    lab.script(&format!("chain tftp://{SERVER}/{FOLDER}/pxelinux.0"))?;
    lab.usual_servers()?;
    let mut machine = start(&mut lab)?;
    machine.expect("Starting pxelinux.0", 60)?;
    lab.script(&format!("echo RIG-MARK floppy\n{}", boot_lines("")))?;
    machine.expect("RIG-MARK floppy", 60)?;
    expect_user_space(&mut machine, 60)
}

/// GRUB's core, which finds its configuration where DHCP has its files from.
fn grub(name: &str) -> Result<()> {
    let mut lab = Lab::try_new(name, ROM)?;
    let folder = lab.tftp_root().join(FOLDER);
    fs::create_dir_all(&folder)?;
    lab.link_payload(FOLDER)?;
    fs::write(
        folder.join("grub.cfg"),
        format!(
            "echo RIG-MARK grub\nlinux (pxe)/{FOLDER}/vmlinuz console=ttyS0,115200 panic=-1 no_timer_check quiet rig=on\n\
             initrd (pxe)/{FOLDER}/initrd\nboot\n"
        ),
    )?;
    let core = folder.join("core.0");
    run(Command::new(tool("grub-mkimage")?)
        .args(["-O", "i386-pc-pxe", "-p", &format!("(pxe)/{FOLDER}"), "-o"])
        .arg(&core)
        .args(["pxe", "tftp", "linux", "echo", "boot", "normal"]))?;
    lab.script(&format!("chain tftp://{SERVER}/{FOLDER}/core.0"))?;
    lab.usual_servers()?;
    let mut machine = start(&mut lab)?;
    machine.expect("RIG-MARK grub", 60)?;
    expect_user_space(&mut machine, 570)
}

/// What both iPXE and we are told by DHCP: a script, which they tell apart.
fn ipxe(name: &str) -> Result<()> {
    let mut lab = Lab::try_new(name, ROM)?;
    lab.tftp("theirs.kpxe", &fs::read(paths::IPXE).context(paths::IPXE)?)?;
    lab.script(&format!(
        "iseq ${{buildarch}} x86_64 || goto theirs\nchain tftp://{SERVER}/theirs.kpxe\n\
         :theirs\necho RIG-MARK theirs ${{netX/chip}} ${{version}}\n{}",
        boot_lines("")
    ))?;
    lab.usual_servers()?;
    let mut machine = start(&mut lab)?;
    machine.expect("RIG-MARK theirs undionly 1.", 60)?;
    expect_user_space(&mut machine, 60)
}

/// iPXE unloads the vendor's base code, and clears and frees what it takes for its memory. Where it comes back, it has
/// stopped the UNDI as well, and the script goes on without a network.
fn ipxe_on_vendor(name: &str, comes_back: bool) -> Result<()> {
    let mut lab = Lab::try_new(name, KPXE)?;
    lab.tftp("theirs.kpxe", &fs::read(paths::IPXE).context(paths::IPXE)?)?;
    let end = if comes_back { "exit".to_owned() } else { boot_lines("") };
    lab.script(&format!(
        "iseq ${{buildarch}} x86_64 || goto theirs\n\
         chain tftp://{SERVER}/theirs.kpxe && echo RIG-MARK back\nexit\n\
         :theirs\necho RIG-MARK theirs ${{netX/chip}} ${{version}}\n{end}"
    ))?;
    lab.usual_servers()?;
    let mut machine = lab.machine(&Options::default())?;
    machine.expect("RIG-MARK theirs undionly 1.", 90)?;
    if !comes_back {
        return expect_user_space(&mut machine, 60);
    }
    machine.expect(undi::errors::REFUSED.id(), 60)?;
    machine.expect("RIG-MARK back", 10)?;
    machine.expect(text::NEXT_DEVICE, 30)
}

/// Three deep: our driver, our UNDI client on our UNDI, and a program on that, which is told of the second one's place.
fn own(name: &str, image: &str, options: &Options) -> Result<()> {
    let mut lab = Lab::try_new(name, image)?;
    PXELINUX.provide(&lab)?;
    let second = fs::read(paths::images().join("undionly.kpxe")).context("undionly.kpxe")?;
    let script = format!("#!ipxe\ndhcp\nchain tftp://{SERVER}/{FOLDER}/pxelinux.0\n");
    lab.tftp(
        &format!("{FOLDER}/second.kpxe"),
        &embed_script(&second, script.as_bytes()).context("embedding")?,
    )?;
    lab.script(&format!("chain tftp://{SERVER}/{FOLDER}/second.kpxe"))?;
    lab.usual_servers()?;
    let mut machine = lab.machine(options)?;
    machine.expect("by virtio-net, PCI 00:02.0; no PXE stack", 60)?;
    machine.expect(text::BY_ROM, 60)?;
    expect_user_space(&mut machine, 570)
}
