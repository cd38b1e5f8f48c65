//! Leaving to the next boot device: by which way, and in which state that finds the machine.

use super::Scenario;
use crate::failure::{Failure, Result, ensure};
use crate::lab::{KKPXE, KPXE, Lab, PXE};
use crate::qemu::{Machine, Options};
use crate::quirk::{self, Quirk};
use crate::text;

/// The scenarios of this topic.
pub fn all() -> Vec<Scenario> {
    let state = |name: &str, image: &'static str| {
        let about = format!("after exit of {image} the machine is as it was found");
        Scenario::new(name, about, 120, move |name| state(name, image))
    };
    vec![
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

/// What [`text::NEXT_DEVICE`] or the stub before our image said of the machine.
struct State {
    mark_kib: u16,
    masks: u16,
    vectors: u16,
    map: u16,
    card: u16,
}

impl State {
    fn said_by(machine: &Machine, who: &str) -> Result<Self> {
        let state = machine.transcript().between(&format!("RIG-MARK {who}"), ";");
        let state = state.ok_or_else(|| Failure(format!("{who} says nothing of its state")))?;
        let field = |name: &str| {
            let digits = state.split_once(&format!("{name}=")).and_then(|(_, rest)| rest.get(..4));
            let value = digits.and_then(|digits| u16::from_str_radix(digits, 16).ok());
            value.ok_or_else(|| Failure(format!("{state} says no {name}")))
        };
        Ok(Self {
            mark_kib: field("mark")?,
            masks: field("masks")?,
            vectors: field("vectors")?,
            map: field("map")?,
            card: field("card")?,
        })
    }
}

/// Interrupt masks, and as far as the UNDI is kept also vectors and both ways to see memory, are as at our first
/// instruction; and the card, which was a bus master then, is none.
fn state(name: &str, image: &str) -> Result<()> {
    let mut lab = lab(name, image, Quirk::State)?;
    let mut machine = lab.machine(&Options::default())?;
    machine.expect("RIG-MARK leaving", 90)?;
    machine.expect(text::LEAVING_INT_18, 30)?;
    machine.expect(text::NEXT_DEVICE, 30)?;
    machine.expect(";", 10)?;
    let (before, after) = (State::said_by(&machine, "entry")?, State::said_by(&machine, "next-device")?);
    let is_same = (before.mark_kib, before.vectors, before.map) == (after.mark_kib, after.vectors, after.map);
    // The stock ROMs have hooks that hide their memory, and take them off when their UNDI is stopped.
    let is_freed = after.mark_kib > before.mark_kib && before.map != after.map;
    ensure(if image == PXE { is_freed } else { is_same }, || "memory or vectors have changed".to_owned())?;
    ensure(before.masks == after.masks, || "the interrupt masks have changed".to_owned())?;
    const BUS_MASTER: u16 = 1 << 2;
    ensure(before.card & BUS_MASTER != 0 && after.card == before.card & !BUS_MASTER, || {
        format!("the card's command was {:04x} and is {:04x}", before.card, after.card)
    })
}

fn returns(name: &str) -> Result<()> {
    let mut lab = lab(name, KKPXE, Quirk::State)?;
    let mut machine = lab.machine(&Options::default())?;
    machine.expect("RIG-MARK leaving", 90)?;
    machine.expect(text::LEAVING_RETURN, 30)?;
    machine.expect(text::NEXT_DEVICE, 30)
}

fn int_18(name: &str) -> Result<()> {
    let mut lab = lab(name, KPXE, Quirk::Int18)?;
    let mut machine = lab.machine(&Options::default())?;
    machine.expect(text::LEAVING_INT_18, 90)?;
    machine.expect(text::LEAVING_DISK, 30)?;
    machine.expect(text::NEXT_DEVICE, 30)
}
