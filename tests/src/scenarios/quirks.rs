//! The PXE ROM of the tests, as it should be and with each of its quirks.
//!
//! With a quirk the firmware boots a Debian kernel by HTTP all the same; where nothing can work, it says so and leaves
//! to the next boot device.

use super::Scenario;
use super::autoboot::{expect_ending, expect_error};
use super::leaving::expect_state;
use super::memory::BIOS_MARK;
use crate::failure::{Context, Failure, Result, ensure};
use crate::lab::{KKPXE, KPXE, Lab, PXE, boot_lines, expect_user_space};
use crate::namespace::SERVER;
use crate::qemu::Machine;
use crate::rom::Quirk;
use crate::text::{self, Ending};
use crate::{paths, peer, quirk};
use std::os::unix::net::UnixDatagram;
use std::thread;
use std::time::Duration;

const BOUND: u64 = 180;

/// The scenarios of this topic.
pub fn all() -> Vec<Scenario> {
    let mut all = vec![
        leaves(KKPXE),
        leaves(KPXE),
        leaves(PXE),
        boots("none", KPXE, "a vendor's ROM as it should be", &[]).quick(),
    ];
    for (quirk, mode) in [
        // Frames that come while the line is silent were found by polling.
        (Quirk::IrqSilent, &[text::BY_START] as &[_]),
        (Quirk::IrqStuck, BY_START),
        (Quirk::IrqZero, &[text::NO_LINE]),
        (Quirk::StartNever, BY_PROCESS),
        (Quirk::ProcessLocks, BY_START),
        (Quirk::IsrEndless, BY_START),
    ] {
        all.push(boots_by(
            &quirk.name(),
            "the kernel boots, and how frames were found is said",
            &[quirk],
            mode,
        ));
    }
    for quirk in [
        Quirk::TransmitBusy,
        Quirk::Parts,
        Quirk::BuffersReused,
        Quirk::ShortDropped,
        Quirk::HeaderRefused,
        Quirk::PromiscuousRefused,
        Quirk::ChecksumPxe,
        Quirk::ChecksumPxenv,
        Quirk::LengthPxe,
        Quirk::LengthPxenv,
        Quirk::ClobbersSegments,
        Quirk::ClobbersUpperHalves,
        Quirk::SetsDf,
        Quirk::SetsIf,
        Quirk::ClearsIf,
        Quirk::NicTypeUnset,
        Quirk::StationCurrent,
        Quirk::StationPermanent,
        Quirk::StationLength,
        Quirk::WildPointers,
    ] {
        all.push(boots(&quirk.name(), KPXE, "it does not keep the kernel from booting", &[(quirk, 1)]));
    }
    all.extend([
        boots_by(
            "line-stuck",
            "interrupts without end, and no OURS",
            &[Quirk::IrqStuck, Quirk::StartNever],
            &[text::LINE_MASKED],
        ),
        boots("transmit-late", KPXE, "frames are sent within 55 ms", &[(Quirk::TransmitLate, 1)]),
        boots("initialize-fails", KPXE, "INITIALIZE fails six times", &[(Quirk::InitializeFails, 6)]),
        boots(
            "part-lost",
            KPXE,
            "frames come in parts, and of some the rest never",
            &[(Quirk::Parts, 1), (Quirk::PartLost, 1)],
        ),
        boots(
            "goes-deaf",
            KPXE,
            "the card hears nothing after three frames, until it is opened again",
            &[(Quirk::GoesDeaf, 3)],
        ),
        boots_saying(
            "frame-at-zero",
            "the card writes every 64th frame over the interrupt table, and one in OPEN: it is put back",
            &[(Quirk::FrameAtZero, 64)],
            &[text::TABLE_PUT_BACK],
        ),
        boots("deep-stack", KPXE, "calls use 3 KiB of stack", &[(Quirk::DeepStack, 12)]),
        ends(
            "initialize-fails-always",
            "the card never starts",
            text::CARD_NOT_STARTED,
            &[(Quirk::InitializeFails, 255)],
        ),
        Scenario::new(
            "quirks-transmit-hangs",
            "TRANSMIT never comes back: the image says so, and leaves the machine as it was found",
            BOUND,
            hangs,
        )
        .quick(),
        reports(
            "station",
            "a stack whose card has no address is in the report",
            &[(Quirk::StationCurrent, 1), (Quirk::StationPermanent, 1)],
            &["!PXE at ", "UNDI segments: ", "base code segments: "],
        ),
        reports(
            "checksums",
            "structures that do not add up are in the report",
            &[(Quirk::ChecksumPxe, 1), (Quirk::ChecksumPxenv, 1)],
            &["passed over: !PXE at ", "passed over: PXENV+ at "],
        ),
        ends(
            "checksums",
            "neither structure adds up",
            text::NO_CARD,
            &[(Quirk::ChecksumPxe, 1), (Quirk::ChecksumPxenv, 1)],
        ),
        ends(
            "lengths",
            "both structures are too short",
            text::NO_CARD,
            &[(Quirk::LengthPxe, 0xb8), (Quirk::LengthPxenv, 0xe4)],
        ),
        ends(
            "station",
            "the card has no address",
            text::NO_STATION,
            &[(Quirk::StationCurrent, 1), (Quirk::StationPermanent, 1)],
        ),
        hears_nothing("wild-frames", "no frame is where it is said to be", Quirk::WildFrames, true),
        hears_nothing(
            "process-locks-silence",
            "nobody answers, and PROCESS must not be called without OURS",
            Quirk::ProcessLocks,
            false,
        ),
        ends(
            "timer-hooked-hangs",
            "INT 08h is the base code's, and TRANSMIT never comes back",
            text::VENDOR_HANG,
            &[(Quirk::TimerHooked, 1), (Quirk::TransmitHangs, 1)],
        ),
        boots_by(
            "start-by-interrupt",
            "START says OURS in the card's interrupt only: frames are found by that",
            &[Quirk::StartByInterrupt],
            &[text::BY_INTERRUPTS],
        ),
        boots(
            "line-open",
            KPXE,
            "the base code has the card's interrupt, and its line is open",
            &[(Quirk::LineOpen, 1)],
        ),
        Scenario::new(
            "quirks-line-open-exit",
            "a base code that waits for the card's interrupt finds its line open again",
            BOUND,
            |name| {
                let (_lab, mut machine) =
                    machine(name, KKPXE, "echo RIG-MARK leaving\nexit", &[(Quirk::LineOpen, 1)])?;
                machine.expect("RIG-MARK leaving", 90)?;
                machine.expect(text::LINE_OPEN, 30)?;
                machine.expect(text::NEXT_DEVICE, 30)
            },
        ),
        Scenario::new(
            "quirks-close-hangs-program",
            "a boot program is not given a stack whose CLOSE never came back",
            BOUND,
            |name| {
                let (mut machine, _lab) = program(name, "boot", &[(Quirk::CloseHangs, 1)])?;
                expect_ending(&mut machine, text::VENDOR_HANG)?;
                ensure(machine.transcript().count("RIG-MARK program") == 0, || "it was started".to_owned())
            },
        ),
        Scenario::new(
            "quirks-multicast",
            "spanning tree is heard on a card that filters: all frames are asked for",
            BOUND,
            hears_switch,
        ),
        Scenario::new(
            "quirks-transmit-very-late",
            "frames are sent after 220 ms: a script is fetched by HTTP",
            BOUND,
            |name| leaves_with(name, KPXE, &[(Quirk::TransmitLate, 5)]),
        ),
    ]);
    all
}

fn boots(what: &str, image: &'static str, about: &str, quirks: &[(Quirk, u8)]) -> Scenario {
    let quirks = quirks.to_vec();
    Scenario::new(format!("quirks-{what}"), about, BOUND, move |name| {
        let (_lab, mut machine) = machine(name, image, &boot_lines(""), &quirks)?;
        expect_user_space(&mut machine, 150)
    })
}

/// How frames are found where START knows of them; on a busy host the first one may take too long for polling alone.
const BY_START: &[&str] = &[text::BY_START, text::BY_INTERRUPTS];
const BY_PROCESS: &[&str] = &[text::BY_PROCESS];

/// The same, with one of the sentences in which the image says, when it leaves, how it has found frames.
fn boots_by(what: &str, about: &str, quirks: &[Quirk], mode: &'static [&'static str]) -> Scenario {
    let quirks: Vec<_> = quirks.iter().map(|quirk| (*quirk, 1)).collect();
    boots_saying(what, about, &quirks, mode)
}

/// The same of quirks with other values, and whatever it says.
fn boots_saying(what: &str, about: &str, quirks: &[(Quirk, u8)], texts: &'static [&'static str]) -> Scenario {
    let quirks = quirks.to_vec();
    Scenario::new(format!("quirks-{what}"), about, BOUND, move |name| {
        let (_lab, mut machine) = machine(name, KPXE, &boot_lines(""), &quirks)?;
        machine.expect_any(texts, 150)?;
        expect_user_space(&mut machine, 150)
    })
}

fn ends(what: &str, about: &str, ending: Ending, quirks: &'static [(Quirk, u8)]) -> Scenario {
    Scenario::new(format!("quirks-{what}"), about, BOUND, move |name| {
        let (_lab, mut machine) = machine(name, KPXE, "echo RIG-MARK unreachable", quirks)?;
        expect_ending(&mut machine, ending)
    })
}

/// A card that cannot be used: what was found of its stack is shown all the same.
fn reports(
    what: &str,
    about: &str,
    quirks: &'static [(Quirk, u8)],
    texts: &'static [&'static str],
) -> Scenario {
    Scenario::new(format!("quirks-report-{what}"), about, BOUND, move |name| {
        let mut lab = Lab::try_new(name, KPXE)?;
        lab.embed("echo RIG-MARK report\ndiag")?;
        lab.usual_servers()?;
        let options = lab.quirk_rom(quirks)?;
        let mut machine = lab.machine(&options)?;
        machine.expect("RIG-MARK report", 90)?;
        for text in texts {
            machine.expect(text, 30)?;
        }
        machine.expect("no PXE stack is in use", 30)
    })
}

/// DHCP is given up soon, whether servers answer or not.
fn hears_nothing(what: &str, about: &str, quirk: Quirk, is_answered: bool) -> Scenario {
    Scenario::new(format!("quirks-{what}"), about, BOUND, move |name| {
        let mut lab = Lab::try_new(name, KPXE)?;
        lab.embed("dhcp --timeout 4000")?;
        if !is_answered {
            lab.no_dhcp_for_image();
        }
        lab.usual_servers()?;
        let options = lab.quirk_rom(&[(quirk, 1)])?;
        expect_ending(&mut lab.machine(&options)?, text::NO_DHCP)
    })
}

/// A switch that does not forward yet tells so by multicasts.
fn hears_switch(name: &str) -> Result<()> {
    let mut lab = Lab::try_new(name, KPXE)?;
    lab.embed("dhcp --timeout 30000")?;
    lab.no_dhcp_for_image();
    lab.usual_servers()?;
    let options = lab.quirk_rom(&[])?;
    let mut machine = lab.machine(&options)?;
    machine.expect(text::BANNER, 60)?;
    // A rapid spanning tree message of a port that is neither learning nor forwarding (IEEE 802.1D-2004, 9.3.3).
    let mut frame = [0; 60];
    frame[..14].copy_from_slice(&[1, 0x80, 0xc2, 0, 0, 0, 2, 0, 0, 0, 0, 1, 0, 39]);
    frame[14..22].copy_from_slice(&[0x42, 0x42, 3, 0, 0, 2, 2, 0x0c]);
    let wire = UnixDatagram::unbound()?;
    (0..60)
        .any(|_| {
            // The card may not take it yet.
            let _ = wire.send_to(&frame, peer::MACHINE_SOCKET);
            thread::sleep(Duration::from_millis(500));
            machine.transcript().count(text::SPANNING_TREE) > 0
        })
        .then_some(())
        .ok_or_else(|| Failure::new("spanning tree was not heard"))
}

fn leaves(image: &'static str) -> Scenario {
    let suffix = image.trim_start_matches("undionly.");
    let about = format!("{image} leaves to the next boot device");
    Scenario::new(format!("quirks-none-exit-{suffix}"), about, BOUND, move |name| {
        leaves_with(name, image, &[])
    })
}

/// A script is fetched by HTTP, and the image leaves a machine that is as it was found, but for what was given up.
fn leaves_with(name: &str, image: &str, quirks: &[(Quirk, u8)]) -> Result<()> {
    let (_lab, mut machine) = machine_with_stub(name, image, "echo RIG-MARK leaving\nexit", quirks)?;
    machine.expect("RIG-MARK leaving", 90)?;
    if image == KKPXE {
        machine.expect(text::LEAVING_RETURN, 30)?;
        machine.expect(text::ROM_RETURNED, 30)?;
    } else {
        machine.expect(text::LEAVING_INT_18, 30)?;
    }
    let (before, after) = expect_state(&mut machine)?;
    after.ensure_quiet()?;
    after.ensure_no_new_hook(&before)?;
    // No vector leads below the mark: the timer's, which is the base code's, does not stay, nor INT 1Ah with the UNDI.
    let is_freed = match image {
        KPXE => after.mark_kib > before.mark_kib && u32::from(after.mark_kib) << 10 < BIOS_MARK,
        _ => u32::from(after.mark_kib) << 10 == BIOS_MARK,
    };
    ensure(is_freed && before.masks == after.masks, || format!("{before:x?} has become {after:x?}"))
}

/// The image says so and leaves; what the call may still use is as it was. The card is no bus master. It still asks for
/// an interrupt, as nobody may call its ROM any more; its line is masked.
fn hangs(name: &str) -> Result<()> {
    let quirks = [(Quirk::TransmitHangs, 1)];
    let (_lab, mut machine) = machine_with_stub(name, KPXE, "echo RIG-MARK unreachable", &quirks)?;
    machine.expect("did not come back from UNDI_TRANSMIT", 150)?;
    expect_error(&mut machine, text::VENDOR_HANG)?;
    machine.expect(text::CALL_NOT_BACK, 60)?;
    machine.expect(text::LEAVING_INT_18, 30)?;
    let (before, after) = expect_state(&mut machine)?;
    after.ensure_kept(&before)?;
    let is_quiet = before.masks == after.masks && before.is_bus_master() && !after.is_bus_master();
    ensure(is_quiet, || format!("{before:x?} has become {after:x?}"))
}

/// The machine of [`machine`], whose state is said before the image runs.
fn machine_with_stub(
    name: &str,
    image: &str,
    script: &str,
    quirks: &[(Quirk, u8)],
) -> Result<(Lab, Machine)> {
    let mut lab = Lab::try_new(name, image)?;
    let bytes = std::fs::read(paths::images().join(image)).context(image)?;
    lab.tftp(image, &quirk::before(&bytes, quirk::Quirk::State)?)?;
    lab.script(script)?;
    lab.usual_servers()?;
    let options = lab.quirk_rom(quirks)?;
    let machine = lab.machine(&options)?;
    Ok((lab, machine))
}

/// A machine whose script fetches a boot program, and goes on with `then`.
fn program(name: &str, then: &str, quirks: &[(Quirk, u8)]) -> Result<(Machine, Lab)> {
    let script = format!("kernel http://{SERVER}/program.nbp\n{then}");
    let mut lab = Lab::try_new(name, KKPXE)?;
    lab.script(&script)?;
    lab.www("program.nbp", &quirk::program(0)?)?;
    lab.usual_servers()?;
    let options = lab.quirk_rom(quirks)?;
    Ok((lab.machine(&options)?, lab))
}

/// The usual network, and the machine with the ROM of the tests.
fn machine(name: &str, image: &str, script: &str, quirks: &[(Quirk, u8)]) -> Result<(Lab, Machine)> {
    let mut lab = Lab::try_new(name, image)?;
    lab.script(script)?;
    lab.usual_servers()?;
    let options = lab.quirk_rom(quirks)?;
    let machine = lab.machine(&options)?;
    Ok((lab, machine))
}
