//! The set `undi`: loading a card's UNDI from its option ROM, where none is in memory.

use super::Scenario;
use super::autoboot::expect_ending;
use super::memory;
use crate::failure::{Context, Result, ensure};
use crate::lab::{self, Lab, boot_lines, expect_user_space};
use crate::qemu::Options;
use crate::quirk::{self, Quirk};
use crate::text;

const KPXE: &str = "undi.kpxe";
const PXE: &str = "undi.pxe";
const UNDIONLY: &str = lab::KPXE;

/// What the UNDI of the tests takes of base memory, in whole pages: code and data. Our own part lies above.
const TAKEN: u32 = 48 << 10;

/// The scenarios of this topic.
pub fn all() -> Vec<Scenario> {
    vec![
        Scenario::new(
            "loader-linux",
            "the UNDI is loaded from the ROM of the tests, and stays",
            180,
            |name| linux(name, KPXE),
        )
        .quick(),
        Scenario::new(
            "loader-linux-pxe",
            "the UNDI is loaded, and stopped before Linux: all that it took is free",
            180,
            |name| linux(name, PXE),
        ),
        Scenario::new("loader-unloaded", "the UNDI is loaded again after it was unloaded", 180, unloaded),
        Scenario::new("loader-resident", "an UNDI in memory is used, and none is loaded", 180, resident),
        Scenario::new("loader-ipxe", "iPXE's ROM is not loaded: it would overwrite us", 120, ipxe),
        Scenario::new("loader-second-card", "of two cards one is left alone, and named", 180, |name| {
            second_card(name, KPXE)
        }),
        Scenario::new("loader-second-card-undionly", "the same without a loader", 180, |name| {
            second_card(name, UNDIONLY)
        }),
    ]
}

/// A lab whose image starts after the PXE stack has come to this.
fn lab(name: &str, image: &str, stack: Quirk) -> Result<Lab> {
    let mut lab = Lab::try_new(name, image)?;
    let bytes = std::fs::read(crate::paths::images().join(image)).context(image)?;
    lab.tftp(image, &quirk::before(&bytes, stack)?)?;
    lab.script(&boot_lines("pxestat\n"))?;
    lab.usual_servers()?;
    Ok(lab)
}

/// Base memory ends for the kernel where the image says: at the UNDI, if that stays.
fn linux(name: &str, image: &str) -> Result<()> {
    let mut lab = lab(name, image, Quirk::Forget)?;
    lab.script(&format!("pxestat\n{}", memory::lines()))?;
    let options = lab.quirk_rom(&[])?;
    let mut machine = lab.machine(&options)?;
    machine.expect(text::BY_LOADER, 60)?;
    let fate = if image == KPXE { text::KEPT_AS_ASKED } else { "given up" };
    machine.expect(&format!("UNDI: UNDI: {fate}"), 120)?;
    let undi = memory::undi(machine.transcript())?;
    if image == KPXE {
        return memory::expect_end(&mut machine, undi);
    }
    let before = format!("UNDI: base memory: {} KiB before, ", undi >> 10);
    machine.expect(&before, 30)?;
    machine.expect(" KiB now", 30)?;
    let now = memory::number(machine.transcript(), &before, " KiB now", 10)? << 10;
    ensure(now - undi >= TAKEN, || format!("of the UNDI at {undi:#x} all up to {now:#x} was freed only"))?;
    let base_code = machine.transcript().count("base code: kept");
    ensure(base_code == 0, || "a base code is kept where there is none".to_owned())?;
    memory::expect_end(&mut machine, now)
}

fn ipxe(name: &str) -> Result<()> {
    let mut lab = lab(name, KPXE, Quirk::Forget)?;
    let mut machine = lab.machine(&Options::default())?;
    expect_ending(&mut machine, text::ROM_OF_IPXE)
}

fn unloaded(name: &str) -> Result<()> {
    let mut lab = lab(name, KPXE, Quirk::Unload)?;
    let options = lab.quirk_rom(&[])?;
    let mut machine = lab.machine(&options)?;
    machine.expect(text::BY_LOADER, 60)?;
    expect_user_space(&mut machine, 150)
}

fn resident(name: &str) -> Result<()> {
    let mut lab = Lab::try_new(name, KPXE)?;
    lab.script(&boot_lines(""))?;
    lab.usual_servers()?;
    let options = lab.quirk_rom(&[])?;
    let mut machine = lab.machine(&options)?;
    machine.expect(text::BY_ROM, 60)?;
    expect_user_space(&mut machine, 150)
}

fn second_card(name: &str, image: &str) -> Result<()> {
    const LEFT_ALONE: &str = "card at 00:09.0 is left alone";
    let mut lab = Lab::try_new(name, image)?;
    lab.script(&boot_lines("ifstat\nifopen net1 || echo RIG-MARK no net1\n"))?;
    lab.usual_servers()?;
    // The first one has no wire.
    let card = "pcnet,addr=9 -device e1000".to_owned();
    let mut machine = lab.machine(&Options { card, ..Options::default() })?;
    machine.expect(text::BY_ROM, 90)?;
    machine.expect(LEFT_ALONE, 90)?;
    machine.expect("there is no network card net1", 30)?;
    machine.expect("RIG-MARK no net1", 10)?;
    let named = machine.transcript().count(LEFT_ALONE);
    // When it begins, and by ifstat.
    ensure(named == 1 + usize::from(image == KPXE), || format!("it was named {named} times"))?;
    expect_user_space(&mut machine, 150)
}
