//! What goes wrong ends in the right sentence and in the countdown to the next boot device.

use super::Scenario;
use super::autoboot::expect_ending;
use crate::failure::{Context, Result, ensure};
use crate::lab::{KPXE, Lab, SCRIPT_URI, boot_lines, check_digest, expect_user_space};
use crate::namespace::{ROGUE, SERVER};
use crate::payload::{Flaw, flawed_kernel};
use crate::process::{run, tool};
use crate::qemu::{Options, with_rom};
use crate::quirk::{self, Quirk};
use crate::random::Random;
use crate::rogue::{Http, Tftp};
use crate::servers::Dnsmasq;
use crate::text::{self, Ending};
use std::process::Command;
use std::thread;
use std::time::Duration;

/// A ROM that is packed densely.
const ROM: &str = "virtio-net.rom";

/// The bound of most: the ROM's start, one failure with its retries, the countdown.
const BOUND: u64 = 240;

/// The scenarios of this topic.
pub fn all() -> Vec<Scenario> {
    let chain = |path: &str| format!("chain {path}");
    let rogue = |name: &str, about: &str, wanted: Ending, server: fn() -> Http| {
        Scenario::new(format!("errors-{name}"), about, BOUND, move |name| {
            server().start_in(name, &format!("chain http://{ROGUE}/file"), wanted)
        })
    };
    let script = |name: &str, about: &str, wanted: Ending, lines: String| {
        Scenario::new(format!("errors-{name}"), about, BOUND, move |name| fails(name, &lines, wanted))
    };
    let kernel = |name: &str, about: &str, wanted: Ending, flaw: Flaw| {
        Scenario::new(format!("errors-{name}"), about, BOUND, move |name| bad_kernel(name, flaw, wanted))
    };
    vec![
        Scenario::new(
            "errors-small-machine",
            "a machine with too little memory is told how much, and boots the next device; with so much, a script runs",
            BOUND,
            |name| small_machines(name, KPXE, "e1000", 9),
        )
        .quick(),
        Scenario::new("errors-small-machine-rom", "the same of a ROM that is packed densely", BOUND, |name| {
            small_machines(name, ROM, &with_rom("virtio-net-pci", ROM), 19)
        })
        .needs(ROM),
        Scenario::new("errors-old-processor", "the same of a processor of 32 bits", BOUND, |name| {
            let says = "This firmware needs a 64-bit processor (long mode), and this one has none.";
            let mut lab = Lab::try_new(name, KPXE)?;
            lab.usual_servers()?;
            refuses(&mut lab, &Options { processor: "qemu32".to_owned(), ..Options::default() }, says)
        }),
        Scenario::new("errors-no-dhcp", "no DHCP server answers our image", BOUND, no_dhcp).quick(),
        Scenario::new("errors-no-file", "DHCP names no file", BOUND, no_file),
        script(
            "dns",
            "a host name that nobody knows",
            text::DNS_UNKNOWN,
            chain("http://nowhere.rig.test/file"),
        )
        .quick(),
        script(
            "tftp-missing",
            "TFTP has no such file",
            text::TFTP_MISSING,
            chain(&format!("tftp://{SERVER}/nothing")),
        )
        .quick(),
        Scenario::new("errors-tftp-dies", "the TFTP server dies in the middle", BOUND, |name| {
            rogue_tftp(name, Tftp::Dies(noise()), &[text::ASKING_AGAIN], text::TFTP_SILENT)
        }),
        Scenario::new("errors-tftp-tsize", "TFTP sends more than it announced", BOUND, |name| {
            rogue_tftp(name, Tftp::MoreThanAnnounced(noise()), &[], text::TFTP_TOO_MUCH)
        }),
        rogue("http-dies", "the HTTP server dies in the middle", text::HTTP_DEAD, || Http::Dies(noise()))
            .quick(),
        rogue("http-stalls", "the HTTP server falls silent in the middle", text::HTTP_SILENT, || {
            Http::Stalls(noise())
        }),
        rogue("http-403", "HTTP 403", text::HTTP_FORBIDDEN, || Http::Status("403 Forbidden")),
        rogue("http-404", "HTTP 404", text::HTTP_MISSING, || Http::Status("404 Not Found")).quick(),
        rogue("http-500", "HTTP 500", text::HTTP_FAILED, || Http::Status("500 Internal Server Error")),
        rogue("http-redirects", "HTTP redirects without end", text::HTTP_REDIRECTS, || Http::RedirectLoop),
        rogue("http-short", "a body shorter than announced", text::HTTP_SHORT, || Http::Short(noise())),
        Scenario::new(
            "errors-http-long",
            "a body longer than announced: a warning, and a boot",
            BOUND,
            long_body,
        ),
        kernel("kernel-truncated", "half a kernel", text::KERNEL_TRUNCATED, Flaw::Truncated).quick(),
        kernel("kernel-signature", "a kernel without HdrS", text::KERNEL_SIGNATURE, Flaw::NoSignature),
        kernel("kernel-too-large", "a kernel that does not fit", text::KERNEL_TOO_LARGE, Flaw::TooLarge),
        script(
            "command",
            "a script with an unknown command",
            text::UNKNOWN_COMMAND,
            "frobnicate now".to_owned(),
        ),
        Scenario::new(
            "errors-exception",
            "an exception is dumped, with the build and a known line",
            BOUND,
            exception,
        )
        .quick(),
        Scenario::new(
            "errors-vendor-hang",
            "a call of the vendor's driver never comes back",
            BOUND,
            vendor_hang,
        )
        .quick(),
    ]
}

/// Half a mebibyte.
fn noise() -> Vec<u8> {
    Random::new(5).bytes(512 << 10)
}

/// The script fails with that sentence, and the machine goes on to the next boot device.
fn fails(name: &str, lines: &str, wanted: Ending) -> Result<()> {
    let mut lab = Lab::try_new(name, KPXE)?;
    lab.script(lines)?;
    lab.usual_servers()?;
    ends_in(lab, wanted)
}

fn ends_in(mut lab: Lab, wanted: Ending) -> Result<()> {
    let mut machine = lab.machine(&Options::default())?;
    expect_ending(&mut machine, wanted)
}

impl Http {
    fn start_in(self, name: &str, lines: &str, wanted: Ending) -> Result<()> {
        let mut lab = Lab::try_new(name, KPXE)?;
        lab.script(lines)?;
        lab.usual_servers()?;
        self.start()?;
        ends_in(lab, wanted)
    }
}

/// Ends in an error, and says each of `said` before.
fn rogue_tftp(name: &str, server: Tftp, said: &[&str], wanted: Ending) -> Result<()> {
    let mut lab = Lab::try_new(name, KPXE)?;
    lab.script(&format!("chain tftp://{ROGUE}/file"))?;
    lab.usual_servers()?;
    server.start()?;
    let mut machine = lab.machine(&Options::default())?;
    said.iter().try_for_each(|text| machine.expect(text, 60))?;
    expect_ending(&mut machine, wanted)
}

fn bad_kernel(name: &str, flaw: Flaw, wanted: Ending) -> Result<()> {
    let mut lab = Lab::try_new(name, KPXE)?;
    lab.www("broken", &flawed_kernel(flaw)?)?;
    lab.script(&format!("kernel http://{SERVER}/broken\nboot"))?;
    lab.usual_servers()?;
    ends_in(lab, wanted)
}

/// The image needs so many MiB of memory above 32 MiB. Of what a machine has, its BIOS and ROMs keep a part of one.
fn small_machines(name: &str, image: &str, card: &str, needed: u32) -> Result<()> {
    let mut lab = Lab::try_new(name, image)?;
    lab.big_file(4)?;
    lab.script(&format!("imgfetch http://{SERVER}/4M.bin\necho RIG-MARK enough\nexit"))?;
    lab.usual_servers()?;
    let machine = |memory| Options { memory: 32 + memory, card: card.to_owned(), ..Options::default() };
    let says = format!("This firmware needs {needed} MiB of memory above 32 MiB, and the BIOS reports less.");
    // With little less there is room for the core, but not for its heap.
    for memory in [needed - 4, needed - 1, needed] {
        refuses(&mut lab, &machine(memory), &says).context(format!("{memory} MiB"))?;
    }
    let mut machine = lab.machine(&machine(needed + 1))?;
    machine.expect("RIG-MARK enough", 90)?;
    machine.expect(text::NEXT_DEVICE, 30)
}

/// The image cannot run on this machine.
fn refuses(lab: &mut Lab, options: &Options, says: &str) -> Result<()> {
    let mut machine = lab.machine(options)?;
    machine.expect(says, 60)?;
    machine.expect(text::NEXT_DEVICE, 60)
}

fn no_dhcp(name: &str) -> Result<()> {
    let mut lab = Lab::try_new(name, KPXE)?;
    lab.dnsmasq(&Dnsmasq::Full { rom: Some(KPXE), ipxe: Some(SCRIPT_URI) })?;
    lab.no_dhcp_for_image();
    ends_in(lab, text::NO_DHCP)
}

fn no_file(name: &str) -> Result<()> {
    let mut lab = Lab::try_new(name, KPXE)?;
    lab.dnsmasq(&Dnsmasq::Full { rom: Some(KPXE), ipxe: None })?;
    ends_in(lab, text::NO_FILE)
}

fn long_body(name: &str) -> Result<()> {
    let mut lab = Lab::try_new(name, KPXE)?;
    let mut body = b"exactly this".to_vec();
    let announced = body.len();
    body.extend_from_slice(&[b'!'; 5000]);
    lab.script(&boot_lines(&format!("initrd http://{ROGUE}/file /rig/note\n")))?;
    lab.usual_servers()?;
    Http::Long { body, announced }.start()?;
    let mut machine = lab.machine(&Options::default())?;
    machine.expect(text::SURPLUS, 100)?;
    expect_user_space(&mut machine, 200)?;
    // echo -n 'exactly this' | sha256sum
    check_digest(&machine, "note", "3ecb355cac0490f19a6e35b3e0edc14ee524d2e351170ce1907246c91bf0e693")
}

/// A non-maskable interrupt is an exception that no code of the core causes.
fn exception(name: &str) -> Result<()> {
    let mut lab = Lab::try_new(name, KPXE)?;
    // Nobody can read the dump unless the screen shows text again.
    lab.script("echo RIG-MARK waiting\nconsole --x 640\nsleep 100")?;
    lab.usual_servers()?;
    let mut machine = lab.machine(&Options { screen: true, ..Options::default() })?;
    machine.expect("RIG-MARK waiting", 90)?;
    let mut control = machine.control()?;
    control.expect_screen("pixels", 20, |screen| screen.size() == (640, 480))?;
    let mut attempts = 0;
    while !control.interrupt_core()? {
        attempts += 1;
        ensure(attempts < 2000, || "the core is never seen running".to_owned())?;
        thread::sleep(Duration::from_millis(7));
    }
    let patience = Duration::from_secs(10);
    machine.transcript().wait(0, &[text::DUMP_END], &[], patience)?;
    let image = std::fs::read(crate::paths::images().join(KPXE))?;
    let header = base::image_header::ImageHeader::read(&image).unwrap_or_default();
    let build: String = header.build_id.iter().map(|byte| format!("{byte:02x}")).collect();
    ensure(machine.transcript().count(&format!("build {build}")) == 1, || {
        format!("no build {build} in the dump")
    })?;
    ensure(machine.transcript().count("exception 02") == 1, || {
        "not the exception that was raised".to_owned()
    })?;
    let address = machine.transcript().between("rip ", "cr2").unwrap_or_default();
    let mut symbolize = Command::new(tool("addr2line")?);
    symbolize.arg("--exe").arg(crate::paths::images().join("undionly.elf")).arg(format!("0x{address}"));
    let line = run(&mut symbolize)?;
    ensure(line.contains(".rs:"), || format!("{address} is at {line}"))
}

fn vendor_hang(name: &str) -> Result<()> {
    let mut lab = Lab::try_new(name, KPXE)?;
    let image = std::fs::read(crate::paths::images().join(KPXE))?;
    let quirky = quirk::before(&image, Quirk::Hang)?;
    ensure(quirky.len() > image.len(), || "the quirk is not in the image".to_owned())?;
    lab.tftp(KPXE, &quirky)?;
    lab.script("echo RIG-MARK unreachable")?;
    lab.usual_servers()?;
    ends_in(lab, text::VENDOR_HANG)
}
