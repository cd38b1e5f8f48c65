//! The set `undi`: loading a card's UNDI from its option ROM, where none is in memory.

use super::Scenario;
use super::autoboot::expect_ending;
use crate::failure::{Context, Result};
use crate::lab::{Lab, boot_lines, expect_user_space};
use crate::qemu::Options;
use crate::quirk::{self, Quirk};
use crate::text;

const KPXE: &str = "undi.kpxe";
const PXE: &str = "undi.pxe";

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
        Scenario::new("loader-linux-pxe", "the UNDI is loaded, and stopped before Linux", 180, |name| {
            linux(name, PXE)
        }),
        Scenario::new("loader-ipxe", "iPXE's ROM is not loaded: it would overwrite us", 120, ipxe),
        Scenario::new("loader-second-card", "of two cards with ROMs one is left alone", 180, second_card),
    ]
}

/// A lab whose image starts where no PXE stack can be found.
fn lab(name: &str, image: &str) -> Result<Lab> {
    let mut lab = Lab::try_new(name, image)?;
    let bytes = std::fs::read(crate::paths::images().join(image)).context(image)?;
    lab.tftp(image, &quirk::before(&bytes, Quirk::Forget)?)?;
    lab.script(&boot_lines("pxestat\n"))?;
    lab.usual_servers()?;
    Ok(lab)
}

fn linux(name: &str, image: &str) -> Result<()> {
    let mut lab = lab(name, image)?;
    let options = lab.quirk_rom(&[])?;
    let mut machine = lab.machine(&options)?;
    machine.expect(text::BY_LOADER, 60)?;
    expect_user_space(&mut machine, 150)
}

fn ipxe(name: &str) -> Result<()> {
    let mut lab = lab(name, KPXE)?;
    let mut machine = lab.machine(&Options::default())?;
    expect_ending(&mut machine, text::ROM_OF_IPXE)
}

fn second_card(name: &str) -> Result<()> {
    let mut lab = Lab::try_new(name, KPXE)?;
    lab.script(&boot_lines(""))?;
    lab.usual_servers()?;
    // The first one has no wire.
    let card = "pcnet,addr=9 -device e1000".to_owned();
    let mut machine = lab.machine(&Options { card, ..Options::default() })?;
    machine.expect("card at 00:09.0 is left alone", 90)?;
    expect_user_space(&mut machine, 150)
}
