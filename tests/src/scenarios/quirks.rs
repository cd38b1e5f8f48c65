//! The PXE ROM of the tests, as it should be and with each of its quirks.
//!
//! With a quirk the firmware boots a Debian kernel by HTTP all the same; where nothing can work, it says so and leaves
//! to the next boot device.

use super::Scenario;
use super::autoboot::expect_ending;
use crate::failure::{Failure, Result, ensure};
use crate::lab::{KKPXE, KPXE, Lab, PXE, boot_lines, expect_user_space};
use crate::namespace::SERVER;
use crate::qemu::Machine;
use crate::rom::Quirk;
use crate::text::{self, Ending};
use crate::{peer, quirk};
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
    all.extend([KKPXE, KPXE, PXE].map(|image| {
        let suffix = image.trim_start_matches("undionly.");
        memory(suffix, image, "all that was freed, and no more", &[])
    }));
    all.extend([
        memory(
            "timer-hooked",
            KPXE,
            "what a base code had that hooks INT 08h, and takes that off under our watchdog",
            &[(Quirk::TimerHooked, 1)],
        ),
        memory(
            "timer-at-open",
            KPXE,
            "all that was freed, though OPEN hooks INT 08h over our watchdog until CLOSE",
            &[(Quirk::TimerAtOpen, 1)],
        ),
        memory(
            "timer-stays",
            KPXE,
            "nothing, as INT 08h leads through our watchdog still",
            &[(Quirk::TimerAtOpen, 2)],
        ),
        memory(
            "line-at-open",
            KPXE,
            "nothing, as the card's interrupt leads through our handler still",
            &[(Quirk::LineAtOpen, 1)],
        ),
    ]);
    for quirk in [
        Quirk::IrqSilent,
        Quirk::IrqStuck,
        Quirk::IrqZero,
        Quirk::StartNever,
        Quirk::ProcessLocks,
        Quirk::IsrEndless,
        Quirk::UnloadFails,
        Quirk::UnloadHangs,
        Quirk::UnloadStays,
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
    for quirk in [Quirk::StopFails, Quirk::StopHangs, Quirk::StopStays] {
        all.push(boots(&quirk.name(), PXE, "it does not keep the kernel from booting", &[(quirk, 1)]));
    }
    all.extend([
        boots(
            "line-stuck",
            KPXE,
            "interrupts without end, and no OURS",
            &[(Quirk::IrqStuck, 1), (Quirk::StartNever, 1)],
        ),
        boots("transmit-late", KPXE, "frames are sent within 55 ms", &[(Quirk::TransmitLate, 1)]),
        boots("initialize-fails", KPXE, "INITIALIZE fails six times", &[(Quirk::InitializeFails, 6)]),
        boots(
            "part-lost",
            KPXE,
            "frames come in parts, and of some the rest never",
            &[(Quirk::Parts, 1), (Quirk::PartLost, 1)],
        ),
        boots("deep-stack", KPXE, "calls use 3 KiB of stack", &[(Quirk::DeepStack, 12)]),
        ends(
            "initialize-fails-always",
            "the card never starts",
            text::CARD_NOT_STARTED,
            &[(Quirk::InitializeFails, 255)],
        ),
        Scenario::new("quirks-transmit-hangs", "TRANSMIT never comes back: it is named", BOUND, |name| {
            let (_lab, mut machine) =
                machine(name, KPXE, "echo RIG-MARK unreachable", &[(Quirk::TransmitHangs, 1)])?;
            machine.expect("did not come back from UNDI_TRANSMIT", 150)?;
            expect_ending(&mut machine, text::VENDOR_HANG)
        })
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
        Scenario::new(
            "quirks-start-by-interrupt",
            "START says OURS in the card's interrupt only: frames are found by that",
            BOUND,
            |name| {
                let (_lab, mut machine) =
                    machine(name, KPXE, &boot_lines(""), &[(Quirk::StartByInterrupt, 1)])?;
                machine.expect(text::BY_INTERRUPT, 150)?;
                expect_user_space(&mut machine, 150)
            },
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

/// The kernel's own prints show that it has what the image freed, and leaves alone what is in use: it reserves all from
/// the mark (0040:0013) on, whatever SeaBIOS's memory map says, which knows nothing of ROMs.
fn memory(what: &str, image: &'static str, about: &str, quirks: &'static [(Quirk, u8)]) -> Scenario {
    let about = format!("{image}: the kernel has {about}");
    Scenario::new(format!("quirks-memory-{what}"), about, BOUND, move |name| {
        let lines = boot_lines("").replace(" quiet ", " memblock=debug ");
        let (_lab, mut machine) = machine(name, image, &format!("pxestat\n{lines}"), quirks)?;
        machine.expect(text::USER_SPACE, 150)?;
        let number = |before: &str, after: &str, radix| {
            let text = machine.transcript().between(before, after).unwrap_or_default();
            let number = text.get(text.len().saturating_sub(8)..).unwrap_or(&text);
            u32::from_str_radix(number, radix)
                .map_err(|_| Failure(format!("{number:?} between {before:?} and {after:?} is no number")))
        };
        let found_kib = number("base memory: ", " KiB when we came", 10)?;
        let found = found_kib << 10;
        let undi = number("UNDI segments: ", ":0+", 16)? << 4;
        let map = number("BIOS-e820: [mem 0x0000000000000000-", "] usable", 16)? + 1;
        let reserved = number("reserved[0x1]", "-0x00000000000fffff]", 16)?;
        let wanted = match image {
            // A handler of ours stays in what we have of base memory then.
            _ if matches!(quirks, [(Quirk::TimerAtOpen, 2) | (Quirk::LineAtOpen, _)]) => {
                found - (number("Base memory in use: ", " KiB", 10)? << 10)
            }
            KKPXE => found,
            // The base code lies below the UNDI, whose code lies below its data.
            KPXE => undi - UNDI_CODE,
            _ => KERNEL_LIMIT,
        };
        ensure(map == BIOS_MARK && reserved == wanted && wanted > 0, || {
            format!("free up to {reserved:#x}; it was {found:#x}, and the UNDI lies at {undi:#x}")
        })?;
        let (base_code, its_undi, now) = match image {
            KKPXE => ("kept, as the image asks", "kept, as the image asks", None),
            KPXE => ("given up", "kept, as the image asks", Some((wanted, "what is kept lies there"))),
            _ => ("given up", "given up", Some((BIOS_MARK, "BIOS data lies there"))),
        };
        let memory = now
            .map(|(end, why)| format!("base memory: {found_kib} KiB before, {} KiB now: {why}", end >> 10));
        let parts = [format!("base code: {base_code}"), format!("UNDI: {its_undi}")];
        // Foreseen by `pxestat`, and so it came.
        for line in parts.iter().chain(&memory) {
            let count = machine.transcript().count(line);
            ensure(count == 2, || format!("{line:?} was said {count} times"))?;
        }
        Ok(())
    })
}

/// Where SeaBIOS's extended data area begins: the end of base memory that no ROM has taken from.
const BIOS_MARK: u32 = 639 << 10;
/// From here on the kernel reserves base memory in any case.
const KERNEL_LIMIT: u32 = 0x9f000;
/// The page of the ROM's UNDI that has its code.
const UNDI_CODE: u32 = 0x1000;

/// A script is fetched by HTTP, and the image leaves.
fn leaves_with(name: &str, image: &str, quirks: &[(Quirk, u8)]) -> Result<()> {
    let (_lab, mut machine) = machine(name, image, "echo RIG-MARK leaving\nexit", quirks)?;
    machine.expect("RIG-MARK leaving", 90)?;
    if image == KKPXE {
        machine.expect(text::ROM_RETURNED, 30)?;
    }
    machine.expect(text::NEXT_DEVICE, 30)
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
