//! Base memory after the ROM of the tests: what the image has given up is the kernel's, and what is in use is not.
//!
//! SeaBIOS's memory map (INT 15h, E820) knows nothing of ROMs, nor does the ROM of the tests hook it; so the kernel's own
//! print of that map shows all up to SeaBIOS's data as usable, whatever is kept. What hides it is the mark (0040:0013,
//! INT 12h): Linux reserves base memory from there on, and shows that as `memblock` reservation. Both are asked for.

use super::Scenario;
use crate::expect::Transcript;
use crate::failure::{Failure, Result, ensure};
use crate::lab::{KPXE, Lab, PXE, boot_lines};
use crate::qemu::Machine;
use crate::rom::Quirk;
use crate::text::{self, CALL_NOT_BACK, KEPT_AS_ASKED, KEPT_AS_REFUSED};

/// Where SeaBIOS's extended data area begins: the end of base memory that no ROM has taken from.
pub const BIOS_MARK: u32 = 639 << 10;
/// From here on the kernel reserves base memory in any case.
const KERNEL_LIMIT: u32 = 0x9f000;
/// The page of the ROM's UNDI that has its code, below its data.
const UNDI_CODE: u32 = 0x1000;

/// Where base memory begins that the kernel must leave alone.
#[derive(Clone, Copy)]
enum Kept {
    /// Nothing is free that was not free before.
    All,
    /// The base code is free, which lies below the UNDI.
    Undi,
    /// All is free.
    Nothing,
    /// Nothing is free, nor is what we had: a handler of ours is still in a chain.
    Ours,
}

/// The end of the line about base memory, where there is one.
type Reason = Option<&'static str>;

/// The scenarios of this topic.
pub fn all() -> Vec<Scenario> {
    const KEPT: Reason = Some("what is kept lies there");
    const BIOS: Reason = Some("BIOS data lies there");
    const TIMER: Reason = Some("INT 1ch leads there");
    const CLOCK: Reason = Some("INT 1ah leads there");
    const GIVEN_UP: &str = "given up";
    let usual = |set: &str, image: String, fates, kept, why| {
        let suffix = image.trim_start_matches(set).to_owned();
        let name = if set == "undionly." { suffix } else { format!("{set}{suffix}").replace('.', "-") };
        let about = format!("{image}: the kernel has the memory that was freed, and no more");
        Scenario::new(format!("quirks-memory-{name}"), about, 180, move |name| {
            memory(name, &image, &[], &[], fates, kept, why)
        })
    };
    let mut all = Vec::new();
    for set in ["undionly.", "undi."] {
        for (suffix, fates, kept, why) in [
            ("kkpxe", [KEPT_AS_ASKED, KEPT_AS_ASKED], Kept::All, None),
            ("kpxe", [GIVEN_UP, KEPT_AS_ASKED], Kept::Undi, KEPT),
            ("pxe", [GIVEN_UP, GIVEN_UP], Kept::Nothing, BIOS),
        ] {
            let scenario = usual(set, format!("{set}{suffix}"), fates, kept, why);
            all.push(if set == "undi." { scenario.by_name() } else { scenario });
        }
    }
    let refused = [KEPT_AS_REFUSED, KEPT_AS_ASKED];
    for (quirk, image, answer, fates, kept, why) in [
        (Quirk::UnloadFails, KPXE, "UNLOAD_STACK: all must be kept", refused, Kept::All, None),
        (
            Quirk::UnloadHangs,
            KPXE,
            "UNLOAD_STACK: no answer",
            [CALL_NOT_BACK, KEPT_AS_ASKED],
            Kept::All,
            None,
        ),
        (Quirk::UnloadStays, KPXE, "UNLOAD_STACK: success", [GIVEN_UP, KEPT_AS_ASKED], Kept::All, TIMER),
        (
            Quirk::StopFails,
            PXE,
            "STOP_UNDI: the UNDI must be kept",
            [GIVEN_UP, KEPT_AS_REFUSED],
            Kept::Undi,
            KEPT,
        ),
        (Quirk::StopHangs, PXE, "STOP_UNDI: no answer", [GIVEN_UP, CALL_NOT_BACK], Kept::Undi, KEPT),
        (Quirk::StopStays, PXE, "STOP_UNDI: success", [GIVEN_UP, GIVEN_UP], Kept::Undi, CLOCK),
    ] {
        let about = "a kernel boots, with the memory that nothing is seen to use";
        all.push(Scenario::new(format!("quirks-{}", quirk.name()), about, 180, move |name| {
            memory(name, image, &[(quirk, 1)], &[answer], fates, kept, why)
        }));
    }
    for (what, about, quirk, kept) in [
        (
            "timer-hooked",
            "INT 08h is the base code's until that is unloaded",
            (Quirk::TimerHooked, 1),
            Kept::Undi,
        ),
        (
            "timer-at-open",
            "OPEN hooks INT 08h over our watchdog, until CLOSE",
            (Quirk::TimerAtOpen, 1),
            Kept::Undi,
        ),
        ("timer-stays", "INT 08h leads through our watchdog still", (Quirk::TimerAtOpen, 2), Kept::Ours),
        (
            "line-at-open",
            "the card's interrupt leads through our handler still",
            (Quirk::LineAtOpen, 1),
            Kept::Ours,
        ),
    ] {
        all.push(Scenario::new(format!("quirks-{what}"), about, 180, move |name| {
            memory(name, KPXE, &[quirk], &[], [GIVEN_UP, KEPT_AS_ASKED], kept, None)
        }));
    }
    all
}

/// The image says what the ROM has answered, what becomes of base code and UNDI, and why base memory ends where it does;
/// and that is where it ends for the kernel.
fn memory(
    name: &str,
    image: &str,
    quirks: &[(Quirk, u8)],
    answers: &[&str],
    fates: [&str; 2],
    kept: Kept,
    why: Reason,
) -> Result<()> {
    let mut lab = Lab::try_new(name, image)?;
    lab.script(&format!("pxestat\n{}", lines()))?;
    lab.usual_servers()?;
    let options = lab.quirk_rom(quirks)?;
    let mut machine = lab.machine(&options)?;
    machine.expect("Booting vmlinuz", 120)?;
    for answer in answers {
        machine.expect(&format!("UNDI: {answer}"), 30)?;
    }
    for (part, fate) in ["base code", "UNDI"].into_iter().zip(fates) {
        machine.expect(&format!("UNDI: {part}: {fate}"), 30)?;
    }
    let found = number(machine.transcript(), "base memory: ", " KiB when we came", 10)? << 10;
    let end = match kept {
        Kept::All => found,
        Kept::Undi => undi(machine.transcript())?,
        Kept::Nothing => BIOS_MARK,
        Kept::Ours => {
            machine.expect("Base memory in use: ", 30)?;
            machine.expect(" KiB", 5)?;
            found - (number(machine.transcript(), "Base memory in use: ", " KiB", 10)? << 10)
        }
    };
    if let Some(why) = why {
        let (before, now) = (found >> 10, end >> 10);
        machine.expect(&format!("UNDI: base memory: {before} KiB before, {now} KiB now: {why}"), 30)?;
    }
    if quirks.is_empty() {
        // Foreseen by `pxestat`, and so it came.
        for (part, fate) in ["base code", "UNDI"].into_iter().zip(fates) {
            let count = machine.transcript().count(&format!("{part}: {fate}"));
            ensure(count == 2, || format!("what becomes of the {part} was said {count} times"))?;
        }
        let count = machine.transcript().count(&format!(" KiB before, {} KiB now", end >> 10));
        ensure(count == why.map_or(0, |_| 2), || format!("what is freed was said {count} times"))?;
    }
    expect_end(&mut machine, end)
}

/// The script lines that boot a kernel that says how it sees memory.
pub fn lines() -> String {
    boot_lines("").replace(" quiet ", " memblock=debug ")
}

/// Base memory ends there for the kernel, which sees what the BIOS knows of it.
pub fn expect_end(machine: &mut Machine, end: u32) -> Result<()> {
    machine.expect(text::USER_SPACE, 150)?;
    let transcript = machine.transcript();
    let map = number(transcript, "BIOS-e820: [mem 0x0000000000000000-", "] usable", 16)? + 1;
    let reserved = number(transcript, "reserved[0x1]", "-0x00000000000fffff]", 16)?;
    ensure(map == BIOS_MARK && reserved == end.min(KERNEL_LIMIT), || {
        format!("base memory ends at {reserved:#x}, not at {end:#x}, and at {map:#x} by the map")
    })?;
    machine.expect_power_off(20)
}

/// Where the UNDI's code lies, by `pxestat`: below its data.
pub fn undi(transcript: &Transcript) -> Result<u32> {
    Ok((number(transcript, "UNDI segments: ", ":0+", 16)? << 4) - UNDI_CODE)
}

/// The number between two texts, of at most eight digits.
pub fn number(transcript: &Transcript, before: &str, after: &str, radix: u32) -> Result<u32> {
    let text = transcript.between(before, after).unwrap_or_default();
    let digits = text.get(text.len().saturating_sub(8)..).unwrap_or(&text);
    u32::from_str_radix(digits, radix)
        .map_err(|_| Failure(format!("{digits:?} between {before:?} and {after:?} is no number")))
}
