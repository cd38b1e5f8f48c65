//! Drivers of our own: every card that one is for boots by it, from an image that its ROM has fetched.

use super::{Scenario, media};
use crate::failure::{Context, Result, ensure};
use crate::lab::{Lab, boot_lines, check_digest, expect_user_space};
use crate::namespace::SERVER;
use crate::peer::Weather;
use crate::qemu::{self, Options, has_device, without_ethernet_class};
use crate::quirk::{self, Quirk};
use crate::{paths, text};
use std::thread;
use std::time::Duration;

/// A card by QEMU's name, the driver that is for it, and our ROMs for it without their suffix, in which SeaBIOS wants the
/// very device's id.
type Card = (&'static str, &'static str, &'static str);

/// The cards of QEMU, one of each kind.
const CARDS: [Card; 12] = [
    ("e1000", "e1000", "8086100e"),
    ("e1000e", "e1000", "808610d3"),
    ("i82551", "eepro100", "80861209"),
    ("i82557b", "eepro100", "80861229"),
    ("i82559er", "eepro100", "80861209"),
    (SINCE_QEMU_8, "igb", "808610c9"),
    (SLOW, "ns8390", "ns8390"),
    ("pcnet", "pcnet32", "pcnet32"),
    ("rtl8139", "rtl8139", "10ec8139"),
    (WITHOUT_ROM, "tulip", "tulip"),
    ("virtio-net-pci", "virtio-net", "virtio-net"),
    ("vmxnet3", "vmxnet3", "vmxnet3"),
];

/// Cards that differ little from one of those, so they boot only where a filter names them.
const SIBLINGS: [Card; 12] = [
    ("e1000-82544gc", "e1000", "8086100c"),
    ("e1000-82545em", "e1000", "8086100f"),
    ("i82550", "eepro100", "80861209"),
    ("i82557a", "eepro100", "80861229"),
    ("i82557c", "eepro100", "80861229"),
    ("i82558a", "eepro100", "80861229"),
    ("i82558b", "eepro100", "80861229"),
    ("i82559a", "eepro100", "80861229"),
    ("i82559b", "eepro100", "80861229"),
    ("i82559c", "eepro100", "80861229"),
    ("i82562", "eepro100", "80861209"),
    ("i82801", "eepro100", "80862449"),
];

/// A card that older emulators lack. QEMU has no ROM for it, either.
const SINCE_QEMU_8: &str = "igb";

/// A card whose memory holds nine frames, and is read word by word: after one that is lost, nothing else may be on its
/// way. It loads 4 MiB beside the kernel, in better weather.
const SLOW: &str = "ne2k_pci";

/// QEMU has no ROM for this one. Without one, the image starts from a CD.
const WITHOUT_ROM: &str = "tulip";

/// The same device as it was before version 1.
const LEGACY: &str = "virtio-net-pci,disable-modern=on,disable-legacy=off";

/// A device that wants an IOMMU, of which our driver knows nothing. There is none, and its ROM's driver agrees.
const REFUSED: &str = "virtio-net-pci,disable-legacy=on,iommu_platform=on";

/// A USB adapter, which by CDC-ECM tells the machine of another address than the emulator is told, and its driver's
/// image, which is built on request. It takes a frame at a time.
const USB: &str = "qemu-xhci,id=x0 -device usb-net,bus=x0.0";
const USB_IMAGE: &str = "usb-network.iso";

/// What drives it where it has no CDC-ECM. QEMU's has always, so that is hidden in a copy of QEMU.
const REMOTE_NDIS: &str = "rndis";

/// A keyboard that the BIOS reads by the same controller.
const USB_AND_KEYBOARD: &str = "qemu-xhci,id=x0 -device usb-kbd,bus=x0.0 -device usb-net,bus=x0.0";

/// A device of version 1 only, and our ROM for it.
const VIRTIO: &str = "virtio-net-pci,disable-legacy=on";
const VIRTIO_ROM: &str = "1af41041.mrom";

/// Some of a hundred frames lost, doubled, and out of order.
const WEATHER: Weather = Weather { loss: 10, duplication: 10, reordering: 10, noise: 0, delay: 0, seed: 78 };

const DRIZZLE: Weather = Weather { loss: 1, duplication: 1, reordering: 1, ..WEATHER };

/// The scenarios of this topic.
pub fn all() -> Vec<Scenario> {
    let mut all: Vec<Scenario> = CARDS.into_iter().flat_map(columns).collect();
    all.extend(SIBLINGS.into_iter().flat_map(columns).map(Scenario::by_name));
    all.push(Scenario::new(
        "drivers-virtio-legacy-kpxe",
        "ipxe.kpxe drives a virtio device from before version 1",
        300,
        |name| transfer(name, "ipxe.kpxe", LEGACY, "virtio-net"),
    ));
    all.push(
        Scenario::new(
            "drivers-usb-net-iso",
            "usb-network.iso drives a USB adapter: 4 MiB by HTTP bit-exact, with loss and the cable out for a while",
            300,
            |name| transfer(name, USB_IMAGE, USB, "cdc-ecm"),
        )
        .needs(USB_IMAGE),
    );
    all.push(
        Scenario::new("drivers-usb-rndis-iso", "the same, of an adapter that has RNDIS only", 300, |name| {
            transfer(name, USB_IMAGE, USB, REMOTE_NDIS)
        })
        .needs(USB_IMAGE),
    );
    all.push(
        Scenario::new(
            "drivers-usb-keyboard",
            "usb-network.iso leaves a controller alone by which the BIOS has its keyboard, says so, and takes keys",
            120,
            keyboard,
        )
        .needs(USB_IMAGE),
    );
    all.push(
        Scenario::new(
            "drivers-high-registers",
            "1af41041.mrom drives a virtio device whose registers lie above 4 GiB",
            120,
            |name| high(name, 4),
        )
        .needs(VIRTIO_ROM),
    );
    all.push(
        Scenario::new(
            "drivers-far-registers",
            "the same above 512 GiB, where no memory is mapped",
            120,
            |name| high(name, 256),
        )
        .needs(VIRTIO_ROM),
    );
    all.push(Scenario::new(
        "drivers-none",
        "ipxe.kpxe drives a card that its own driver refuses by the vendor's UNDI",
        120,
        undi,
    ));
    all.push(Scenario::new(
        "drivers-return",
        "ipxe.kkpxe drives a card without its interrupt line, gives both back, and returns to a working UNDI",
        120,
        leave,
    ));
    all.push(Scenario::new(
        "drivers-second",
        "ipxe.iso says why the first card's driver refuses it, and drives the second",
        120,
        second,
    ));
    all
}

/// How a card boots: our image is chain-loaded by its own ROM, or comes from a CD if it has none; and from our ROM alone,
/// that which a BIOS reads whole and the other one.
fn columns(card: Card) -> [Scenario; 3] {
    let (name, _, rom) = card;
    let kind = if [WITHOUT_ROM, SINCE_QEMU_8].contains(&name) { "iso" } else { "kpxe" };
    let from_rom = |kind| {
        let image = format!("{rom}.{kind}");
        booted(card, &image, kind, qemu::with_rom(name, &image)).needs(&image)
    };
    [booted(card, &format!("ipxe.{kind}"), kind, name.to_owned()), from_rom("rom"), from_rom("mrom")]
}

/// From an image of that kind; `model` is the card to the emulator.
fn booted((card, driver, _): Card, image: &str, kind: &str, model: String) -> Scenario {
    let size = if card == SLOW { 4 } else { 64 };
    let about = format!(
        "{image} drives {card} itself: {size} MiB by HTTP bit-exact, with loss and the cable out for a while"
    );
    let file = image.to_owned();
    let run = move |name: &str| transfer(name, &file, &model, driver);
    let is_missing = card == SINCE_QEMU_8 && !has_device(card);
    let obstacle = is_missing.then(|| format!("this QEMU has no {card}; RIG_QEMU names another"));
    Scenario { obstacle, ..Scenario::new(format!("drivers-{card}-{kind}"), about, 300, run) }
}

fn transfer(name: &str, image: &str, card: &str, driver: &str) -> Result<()> {
    let mut lab = Lab::try_new(name, image)?;
    let (size, weather) = match card {
        USB => (4, WEATHER),
        _ if card.starts_with(SLOW) => (4, DRIZZLE),
        _ => (64, WEATHER),
    };
    let file = lab.big_file(size)?;
    lab.script(&boot_lines(&format!("initrd http://{SERVER}/{size}M.bin /rig/big\n")))?;
    lab.usual_servers()?;
    lab.weather(weather);
    let mut options = Options { card: card.to_owned(), memory: 512, ..Options::default() };
    if driver == REMOTE_NDIS {
        options.emulator = Some(without_ethernet_class()?);
    }
    if image.ends_with("iso") {
        options = Options { medium: media::from_device(image, "ide-cd").medium, ..options };
    }
    let mut machine = lab.machine(&options)?;
    machine.expect(&format!("by {driver}, PCI 00:02.0"), 90)?;
    machine.expect(&format!("{size}M.bin"), 90)?;
    let mut control = machine.control()?;
    control.plug(false)?;
    thread::sleep(Duration::from_secs(3));
    control.plug(true)?;
    let before = lab.facts()?.frames_to_machine;
    expect_user_space(&mut machine, 200)?;
    let after = lab.facts()?.frames_to_machine - before;
    ensure(after > 500, || format!("{after} frames only were left to come when the cable was in again"))?;
    check_digest(&machine, "big", &file.sha256)?;
    let harmed = lab.facts()?.harmed;
    ensure(harmed > u64::from(weather.loss) * 20, || format!("the weather harmed {harmed} frames only"))
}

/// A virtio device beside one with so many GiB that the BIOS has to put what is like it above 4 GiB, each region at a
/// multiple of its size, the largest first.
fn high(name: &str, size: u64) -> Result<()> {
    let mut lab = Lab::try_new(name, VIRTIO_ROM)?;
    lab.script(&boot_lines(""))?;
    lab.usual_servers()?;
    let card = format!("pci-testdev,addr=9,membar={size}G -device {}", qemu::with_rom(VIRTIO, VIRTIO_ROM));
    let mut machine = lab.machine(&Options { card, ..Options::default() })?;
    machine.expect("by virtio-net, PCI 00:02.0", 60)?;
    let regions = machine.control()?.wide_regions()?;
    let is_high = regions.iter().any(|place| *place >= (2 * size) << 30);
    ensure(is_high, || format!("the BIOS has put regions at {regions:x?}"))?;
    expect_user_space(&mut machine, 60)
}

fn undi(name: &str) -> Result<()> {
    let mut lab = Lab::try_new(name, "ipxe.kpxe")?;
    lab.script(&boot_lines(""))?;
    lab.usual_servers()?;
    let mut machine = lab.machine(&Options { card: REFUSED.to_owned(), ..Options::default() })?;
    machine.expect("NIC-03", 60)?;
    machine.expect("by undionly, PCI 00:02.0", 60)?;
    expect_user_space(&mut machine, 60)
}

fn keyboard(name: &str) -> Result<()> {
    let mut lab = Lab::try_new(name, USB_IMAGE)?;
    lab.usual_servers()?;
    let medium = media::from_device(USB_IMAGE, "ide-cd").medium;
    let mut machine =
        lab.machine(&Options { card: USB_AND_KEYBOARD.to_owned(), medium, ..Options::default() })?;
    machine.expect("the BIOS runs the USB controller", 60)?;
    machine.expect("NIC-05", 10)?;
    machine.expect(text::SHELL_OFFER, 30)?;
    let mut control = machine.control()?;
    control.keys(&["ctrl", "b"])?;
    machine.expect(text::PROMPT, 30)?;
    control.type_line("echo RIG-MARK typed")?;
    machine.expect("RIG-MARK typed", 30)
}

/// A card that its driver refuses, and another one behind it.
fn second(name: &str) -> Result<()> {
    let mut lab = Lab::try_new(name, "ipxe.iso")?;
    lab.script(&boot_lines(""))?;
    lab.usual_servers()?;
    let card = format!("{REFUSED},addr=2,romfile= -device e1000,addr=5,romfile=");
    let medium = media::from_device("ipxe.iso", "ide-cd").medium;
    let mut machine = lab.machine(&Options { card, medium, ..Options::default() })?;
    machine.expect("NIC-03", 60)?;
    machine.expect("by e1000, PCI 00:05.0", 60)?;
    expect_user_space(&mut machine, 60)
}

fn leave(name: &str) -> Result<()> {
    /// INTx disable (PCI 2.3, section 6.2.2).
    const SILENT: u32 = 1 << 10;
    const IMAGE: &str = "ipxe.kkpxe";
    let mut lab = Lab::try_new(name, IMAGE)?;
    let image = std::fs::read(paths::images().join(IMAGE)).context(IMAGE)?;
    lab.tftp(IMAGE, &quirk::before(&image, Quirk::Return)?)?;
    lab.script("echo RIG-MARK driving\nsleep 5\nexit")?;
    lab.usual_servers()?;
    let mut machine = lab.machine(&Options::default())?;
    machine.expect("by e1000, PCI 00:02.0", 60)?;
    machine.expect("RIG-MARK driving", 60)?;
    let command = machine.control()?.card_command()?;
    ensure(command & SILENT != 0, || {
        format!("the card's command register is {command:#x} while it is driven")
    })?;
    machine.expect(text::LEAVING_RETURN, 30)?;
    // The answers to four calls, and to the packet that the last one has sent.
    machine.expect("RIG-MARK back, answered 0000000000000000, ARP 00020a4d0001;", 60)?;
    machine.expect(text::NEXT_DEVICE, 30)?;
    let command = machine.control()?.card_command()?;
    ensure(command & SILENT == 0, || format!("the card's command register is {command:#x} afterwards"))
}
