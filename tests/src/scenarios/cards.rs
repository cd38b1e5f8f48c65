//! Every card whose stock ROM the emulator has boots a Debian kernel over HTTP, by either image.

use super::Scenario;
use crate::failure::Result;
use crate::lab::{KKPXE, KPXE, Lab, boot_lines, expect_user_space};
use crate::qemu::Options;

/// QEMU's names of the cards.
pub const CARDS: [&str; 8] =
    ["e1000", "e1000e", "i82559c", "ne2k_pci", "pcnet", "rtl8139", "virtio-net-pci", "vmxnet3"];

/// The scenarios of this topic.
pub fn all() -> Vec<Scenario> {
    let mut scenarios = Vec::new();
    for card in CARDS {
        for image in [KPXE, KKPXE] {
            let suffix = image.trim_start_matches("undionly.");
            let about = format!("{image} boots a Debian kernel by HTTP over the ROM of {card}");
            let scenario = Scenario::new(format!("cards-{card}-{suffix}"), about, 240, move |name| {
                boot(name, card, image)
            });
            let quick = matches!((card, image), ("e1000" | "virtio-net-pci", KPXE) | ("rtl8139", KKPXE));
            scenarios.push(if quick { scenario.quick() } else { scenario });
        }
    }
    scenarios
}

fn boot(name: &str, card: &str, image: &str) -> Result<()> {
    let mut lab = Lab::try_new(name, image)?;
    lab.script(&boot_lines(""))?;
    lab.usual_servers()?;
    let mut machine = lab.machine(&Options { card: card.to_owned(), ..Options::default() })?;
    expect_user_space(&mut machine, 200)
}
