//! Drivers of our own: every card that one is for boots by it, from an image that its ROM has fetched.

use super::Scenario;
use crate::failure::{Result, ensure};
use crate::lab::{Lab, boot_lines, check_digest, expect_user_space};
use crate::namespace::SERVER;
use crate::peer::Weather;
use crate::qemu::Options;
use crate::text;
use std::thread;
use std::time::Duration;

/// QEMU's names of the cards, and the driver that each is for.
const CARDS: [(&str, &str); 4] =
    [("e1000", "e1000"), ("e1000e", "e1000"), ("rtl8139", "rtl8139"), ("virtio-net-pci", "virtio-net")];

/// The same device as it was before version 1.
const LEGACY: &str = "virtio-net-pci,disable-modern=on,disable-legacy=off";

/// Some of a hundred frames lost, doubled, and out of order.
const WEATHER: Weather = Weather { loss: 10, duplication: 10, reordering: 10, noise: 0, delay: 0, seed: 78 };

/// The scenarios of this topic.
pub fn all() -> Vec<Scenario> {
    let mut all = Vec::new();
    for (card, driver) in CARDS {
        all.push(Scenario::new(
            format!("drivers-{card}-kpxe"),
            format!("ipxe.kpxe drives {card} itself: 64 MiB by HTTP bit-exact, with loss and the cable out for a while"),
            300,
            move |name| transfer(name, card, driver),
        ));
    }
    all.push(Scenario::new(
        "drivers-virtio-legacy-kpxe",
        "ipxe.kpxe drives a virtio device from before version 1",
        300,
        |name| transfer(name, LEGACY, "virtio-net"),
    ));
    all.push(Scenario::new(
        "drivers-none",
        "ipxe.kpxe drives a card that it has no driver for by the vendor's UNDI",
        120,
        undi,
    ));
    all.push(Scenario::new(
        "drivers-return",
        "ipxe.kkpxe gives a card that it has driven back to its ROM, and leaves to the next boot device",
        120,
        leave,
    ));
    all
}

fn transfer(name: &str, card: &str, driver: &str) -> Result<()> {
    let mut lab = Lab::try_new(name, "ipxe.kpxe")?;
    let file = lab.big_file(64)?;
    lab.script(&boot_lines(&format!("initrd http://{SERVER}/64M.bin /rig/big\n")))?;
    lab.usual_servers()?;
    lab.weather(WEATHER);
    let options = Options { card: card.to_owned(), memory: 512, ..Options::default() };
    let mut machine = lab.machine(&options)?;
    machine.expect(&format!("by {driver}, PCI 00:02.0"), 90)?;
    machine.expect("64M.bin", 90)?;
    let mut control = machine.control()?;
    control.plug(false)?;
    thread::sleep(Duration::from_secs(3));
    control.plug(true)?;
    expect_user_space(&mut machine, 200)?;
    check_digest(&machine, "big", &file.sha256)?;
    let harmed = lab.facts()?.harmed;
    ensure(harmed > 200, || format!("the weather harmed {harmed} frames only"))
}

fn undi(name: &str) -> Result<()> {
    let mut lab = Lab::try_new(name, "ipxe.kpxe")?;
    lab.script(&boot_lines(""))?;
    lab.usual_servers()?;
    let mut machine = lab.machine(&Options { card: "pcnet".to_owned(), ..Options::default() })?;
    machine.expect("by undionly, PCI 00:02.0", 60)?;
    expect_user_space(&mut machine, 60)
}

fn leave(name: &str) -> Result<()> {
    let mut lab = Lab::try_new(name, "ipxe.kkpxe")?;
    lab.script("echo RIG-MARK leaving\nexit")?;
    lab.usual_servers()?;
    let mut machine = lab.machine(&Options::default())?;
    machine.expect("by e1000, PCI 00:02.0", 60)?;
    machine.expect("RIG-MARK leaving", 60)?;
    machine.expect(text::NEXT_DEVICE, 60)
}
