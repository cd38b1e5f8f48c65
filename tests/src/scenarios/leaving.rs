//! Leaving to the next boot device: by which way, and in which state that finds the machine.

use super::Scenario;
use crate::failure::{Result, ensure};
use crate::lab::{KKPXE, KPXE, Lab, PXE, boot_lines, expect_user_space};
use crate::namespace::SERVER;
use crate::qemu::{Machine, Options};
use crate::quirk::{self, Quirk};
use crate::state::State;
use crate::text;

/// An image with drivers of our own, which offers a PXE stack to what it starts.
const NATIVE: &str = "ipxe.kpxe";

/// The scenarios of this topic.
pub fn all() -> Vec<Scenario> {
    let state = |name: &str, image: &'static str| {
        let about = format!("after exit of {image} the machine is as it was found");
        Scenario::new(name, about, 120, move |name| state(name, image))
    };
    let program = |name: &str, image: &'static str, kib: u16| {
        let about = format!("a boot program that overwrites all free memory comes back to {image}");
        Scenario::new(name, about, 180, move |name| program(name, image, kib))
    };
    vec![
        program("leaving-program", KPXE, 16).quick(),
        program("leaving-program-native", NATIVE, 50),
        Scenario::new(
            "leaving-pxelinux",
            "pxelinux, started by a script, boots a small kernel",
            240,
            |name| pxelinux(name, KPXE, true),
        ),
        Scenario::new("leaving-pxelinux-native", "the same by our own PXE stack", 240, |name| {
            pxelinux(name, NATIVE, true)
        }),
        Scenario::new(
            "leaving-upcalls",
            "our own PXE stack is called a thousand times, nested",
            180,
            upcalls,
        )
        .quick(),
        Scenario::new(
            "leaving-calls",
            "each call of our own PXE stack, made rightly and wrongly, is answered rightly",
            180,
            |name| calls(name, false),
        ),
        Scenario::new("leaving-calls-unload", "the same, and then the base code is unloaded", 180, |name| {
            calls(name, true)
        }),
        Scenario::new(
            "leaving-protected",
            "our own PXE stack is called in 16-bit protected mode, rightly and wrongly",
            180,
            protected,
        ),
        Scenario::new(
            "leaving-exec",
            "a program's command that needs its memory ends it, and starts Linux",
            240,
            exec,
        ),
        Scenario::new(
            "leaving-read",
            "servers are done with a program that has read its files and calls no more",
            180,
            read,
        ),
        Scenario::new(
            "leaving-pxelinux-linux",
            "the same with Linux: 13 MiB in small packets",
            600,
            |name| pxelinux(name, KPXE, false),
        )
        .by_name(),
        state("leaving-state-pxe", PXE),
        state("leaving-state-kpxe", KPXE).quick(),
        Scenario::new("leaving-returns", "the image that keeps all returns into the ROM", 120, returns)
            .quick(),
        Scenario::new("leaving-int-18", "INT 18h comes back, so the first disk is started", 120, int_18)
            .quick(),
    ]
}

fn lab(name: &str, image: &str, quirk: Quirk) -> Result<Lab> {
    let mut lab = Lab::try_new(name, image)?;
    let bytes = std::fs::read(crate::paths::images().join(image))?;
    lab.tftp(image, &quirk::before(&bytes, quirk)?)?;
    // The card is used before, so that there is something to be quietened.
    lab.script("dhcp\necho RIG-MARK leaving\nexit")?;
    lab.usual_servers()?;
    Ok(lab)
}

/// Interrupt masks, and as far as the UNDI is kept also vectors and all ways to see memory, are as at our first
/// instruction; and the card, which was a bus master then, is quiet.
fn state(name: &str, image: &str) -> Result<()> {
    let (before, after) = states(name, image, text::LEAVING_INT_18)?;
    after.ensure_quiet()?;
    after.ensure_no_new_hook(&before)?;
    let is_else_alike = (before.command ^ after.command).is_power_of_two();
    ensure(is_else_alike, || format!("the card was set up anew: {before:x?} has become {after:x?}"))?;
    if image != PXE {
        return after.ensure_kept(&before);
    }
    // The stock ROMs have hooks that hide their memory, and take them off when their UNDI is stopped.
    let is_freed = after.mark_kib > before.mark_kib;
    let is_shown = after.map_kib() == Some(after.mark_kib.into());
    ensure(is_freed && is_shown, || format!("{before:x?} has become {after:x?}"))
}

/// The ROM takes down what is its own; this one leaves the card a bus master.
fn returns(name: &str) -> Result<()> {
    let (before, after) = states(name, KKPXE, text::LEAVING_RETURN)?;
    after.ensure_no_new_hook(&before)
}

/// The state of the machine before and after an image that leaves this way.
fn states(name: &str, image: &str, way: &str) -> Result<(State, State)> {
    let mut lab = lab(name, image, Quirk::State)?;
    let mut machine = lab.machine(&Options::default())?;
    machine.expect("RIG-MARK leaving", 90)?;
    machine.expect(way, 30)?;
    let (before, after) = expect_state(&mut machine)?;
    ensure(before.masks == after.masks, || "the interrupt masks have changed".to_owned())?;
    ensure(before.is_bus_master(), || format!("the card was not in use: {before:x?}"))?;
    Ok((before, after))
}

/// The state that the stub before our image found, and that of the next boot device, which is settled in any case.
pub fn expect_state(machine: &mut Machine) -> Result<(State, State)> {
    machine.expect(text::NEXT_DEVICE, 30)?;
    machine.expect(";", 10)?;
    let said = |who| State::said_by(machine.transcript(), who);
    let (before, after) = (said("entry")?, said("next-device")?);
    after.ensure_settled()?;
    Ok((before, after))
}

fn int_18(name: &str) -> Result<()> {
    let mut lab = lab(name, KPXE, Quirk::Int18)?;
    let mut machine = lab.machine(&Options::default())?;
    machine.expect(text::LEAVING_INT_18, 90)?;
    machine.expect(text::LEAVING_DISK, 30)?;
    machine.expect(text::NEXT_DEVICE, 30)
}

/// KiB of base memory that the stock ROM of the usual card leaves.
const VENDORS_MARK: u16 = 625;

/// What we keep outlives a program that takes all memory that INT 12h and INT 15h call free, the card works afterwards,
/// and the script sees how the program ended. We keep no more base memory than so many KiB.
fn program(name: &str, image: &str, kib: u16) -> Result<()> {
    let mut lab = Lab::try_new(name, image)?;
    lab.usual_servers()?;
    let kept = lab.big_file(4)?;
    lab.www("good.nbp", &quirk::program(0)?)?;
    lab.www("bad.nbp", &quirk::program(0x1234)?)?;
    lab.script(&format!(
        "imgfetch --name kept http://{SERVER}/4M.bin\n\
         chain http://{SERVER}/good.nbp && echo RIG-MARK good ||\n\
         chain http://{SERVER}/bad.nbp || echo RIG-MARK bad\n\
         sha256sum kept\n\
         imgfree\n{}",
        boot_lines("")
    ))?;
    let mut machine = lab.machine(&Options::default())?;
    for wanted in ["RIG-MARK program kib=", "RIG-MARK program ends", "RIG-MARK good"] {
        machine.expect(wanted, 120)?;
    }
    machine.expect("RIG-MARK program ends", 60)?;
    machine.expect_any(text::PROGRAM_FAILED, 30)?;
    machine.expect("RIG-MARK bad", 10)?;
    machine.expect(&kept.sha256, 30)?;
    let transcript = machine.transcript();
    for mark in transcript.all_between("RIG-MARK program kib=", "e801") {
        let ours = u16::from_str_radix(&mark, 16).ok().and_then(|mark| VENDORS_MARK.checked_sub(mark));
        ensure(ours.is_some_and(|ours| ours <= kib), || format!("base memory ends at {mark}h KiB"))?;
    }
    let usable: u64 = transcript
        .all_between("RIG-MARK memory start=", ";")
        .iter()
        .filter(|entry| entry.ends_with("kind=0001"))
        .filter_map(|entry| u64::from_str_radix(entry.split_once("length=")?.1.get(..16)?, 16).ok())
        .sum();
    // Two programs were told of 256 MiB, of which we and the ROM need a part.
    ensure(usable > 2 * (224 << 20), || format!("the programs were told of {usable:#x} bytes"))?;
    expect_user_space(&mut machine, 150)
}

/// Calls are answered by both conventions; those that come while one is answered are refused, and harm nothing.
fn upcalls(name: &str) -> Result<()> {
    let mut lab = Lab::try_new(name, NATIVE)?;
    lab.usual_servers()?;
    lab.tftp("greeting", b"RIG-MARK greeting\r\n")?;
    lab.www("upcall.nbp", &quirk::upcall()?)?;
    lab.script(&format!(
        "chain --autofree http://{SERVER}/upcall.nbp && echo RIG-MARK back\n{}",
        boot_lines("")
    ))?;
    let mut machine = lab.machine(&Options::default())?;
    for wanted in ["RIG-MARK greeting", "RIG-MARK upcalls answered=", "RIG-MARK back"] {
        machine.expect(wanted, 90)?;
    }
    expect_user_space(&mut machine, 150)
}

/// A program makes every call, and finds nothing wrong with the answers. With `unload` it gives the
/// base code up in the end; else another program takes its place and comes back.
fn calls(name: &str, unload: bool) -> Result<()> {
    let mut lab = Lab::try_new(name, NATIVE)?;
    lab.usual_servers()?;
    lab.tftp(quirk::CALLS_FILE, &quirk::calls_file())?;
    lab.www(quirk::CALLS_FILE, &quirk::calls_file())?;
    lab.www("calls.nbp", &quirk::calls(unload)?)?;
    lab.tftp("next.nbp", &quirk::again(0, 0)?)?;
    lab.www("inner.ipxe", b"#!ipxe\necho RIG-MARK command ${called}\n")?;
    lab.script(&format!(
        "chain --autofree http://{SERVER}/calls.nbp one two && echo RIG-MARK back ${{called}}\n{}",
        boot_lines("")
    ))?;
    let mut machine = lab.machine(&Options::default())?;
    // A command of the program's sets what the script sees afterwards, and starts another script.
    for wanted in ["RIG-MARK command 17", "RIG-MARK pxe calls, wrong: 0000;", "RIG-MARK back 17"] {
        machine.expect(wanted, 120)?;
    }
    expect_user_space(&mut machine, 150)
}

fn protected(name: &str) -> Result<()> {
    let mut lab = Lab::try_new(name, NATIVE)?;
    lab.usual_servers()?;
    lab.tftp(quirk::CALLS_FILE, &quirk::calls_file())?;
    lab.www("protected.nbp", &quirk::protected()?)?;
    lab.script(&format!(
        "chain --autofree http://{SERVER}/protected.nbp && echo RIG-MARK back\n{}",
        boot_lines("")
    ))?;
    let mut machine = lab.machine(&Options::default())?;
    for wanted in ["RIG-MARK protected, wrong: ;", "RIG-MARK back"] {
        machine.expect(wanted, 120)?;
    }
    expect_user_space(&mut machine, 150)
}

/// What is too large for the memory that is kept while a program runs, and Linux.
fn exec(name: &str) -> Result<()> {
    let mut lab = Lab::try_new(name, NATIVE)?;
    lab.usual_servers()?;
    let large = lab.big_file(4)?;
    lab.www("exec.nbp", &quirk::exec()?)?;
    lab.www(
        "exec.ipxe",
        format!(
            "#!ipxe\ngoto ${{turn}}\n:large\nimgfetch --name kept http://{SERVER}/4M.bin\nexit 1\n\
             :linux\n{}",
            boot_lines("")
        )
        .as_bytes(),
    )?;
    let chain = format!("chain --autofree http://{SERVER}/exec.nbp");
    lab.script(&format!(
        "set turn large\n{chain} || echo RIG-MARK ended\nsha256sum kept\nimgfree kept\n\
         set turn linux\n{chain}"
    ))?;
    let mut machine = lab.machine(&Options::default())?;
    for wanted in ["calls", "ended"] {
        machine.expect(&format!("RIG-MARK {wanted}"), 90)?;
    }
    machine.expect(&large.sha256, 30)?;
    machine.expect("RIG-MARK calls", 60)?;
    machine.expect(text::USER_SPACE, 150)?;
    ensure(machine.transcript().count("RIG-MARK goes on") == 0, || "a program went on".to_owned())
}

/// The connection to the web server is closed, and the TFTP server has the last acknowledgement.
fn read(name: &str) -> Result<()> {
    let mut lab = Lab::try_new(name, NATIVE)?;
    lab.usual_servers()?;
    lab.tftp(quirk::CALLS_FILE, &quirk::calls_file())?;
    lab.www(quirk::CALLS_FILE, &quirk::calls_file())?;
    lab.www("read.nbp", &quirk::read()?)?;
    lab.script(&format!("chain http://{SERVER}/read.nbp"))?;
    let mut machine = lab.machine(&Options::default())?;
    machine.expect("RIG-MARK read", 90)?;
    // Much less than servers wait: nginx 75 s, dnsmasq 2 s and more before it sends again.
    std::thread::sleep(std::time::Duration::from_secs(2));
    // Local address, remote address, state: 01 is an established connection.
    let connections = std::fs::read_to_string("/proc/self/net/tcp")?;
    let is_open = |line: &&str| {
        let mut fields = line.split_whitespace().skip(1);
        fields.next().is_some_and(|local| local.ends_with(":0050")) && fields.nth(1) == Some("01")
    };
    let open = connections.lines().find(is_open);
    ensure(open.is_none(), || format!("a connection stays open: {}", open.unwrap_or_default()))?;
    let sent = format!("/{} to ", quirk::CALLS_FILE);
    ensure(lab.log("dnsmasq.log")?.contains(&sent), || {
        "the TFTP server has not seen the end of the file".to_owned()
    })
}

fn pxelinux(name: &str, image: &str, is_small: bool) -> Result<()> {
    let mut lab = Lab::try_new(name, image)?;
    lab.usual_servers()?;
    lab.pxelinux(
        "DEFAULT linux\nLABEL linux\nKERNEL vmlinuz\nINITRD initrd\n\
         APPEND console=ttyS0,115200 panic=-1 no_timer_check quiet rig=on\n",
    )?;
    if is_small {
        lab.tftp("vmlinuz", &quirk::kernel()?)?;
        lab.tftp("initrd", &[0; 3000])?;
    }
    lab.script(&format!("chain tftp://{SERVER}/pxelinux.0"))?;
    let mut machine = lab.machine(&Options::default())?;
    if !is_small {
        return expect_user_space(&mut machine, 580);
    }
    machine.expect("RIG-MARK bytes=", 180)?;
    machine.expect(text::USER_SPACE, 10)
}
