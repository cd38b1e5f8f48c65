//! A controller and devices of the tests, right or hostile, and what a driver has to bear with from them.
#![allow(
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "no part of the driver: what is wrong here is to be seen"
)]
#![cfg_attr(not(test), allow(dead_code, reason = "the driver's own tests look at more of the controller"))]

pub(crate) mod card;
pub(crate) mod shared;

use crate::registers::speed;
use crate::{MEMORY, UsbNetwork};
use alloc::vec;
use alloc::vec::Vec;
use card::{Card, Gadget};
use core::cell::RefCell;
use hw::device::Lies;
use nic::{Counters, Nic, PciIdentity};
use shared::Shared;

/// QEMU's controller.
pub(crate) const PCI: PciIdentity = PciIdentity { bus_device_function: 0x18, vendor: 0x1b36, device: 0x000d };

/// Plays a controller to the driver, which does these steps of [`nic::try_out`]. Whatever is said, the driver neither
/// panics nor hangs nor gives more than a frame, and it takes the bus from a controller that is not at work. The
/// driver's name and what it has sent and received; none if it found no adapter.
///
/// `kind` has bits: the adapter speaks Remote NDIS; contexts are large; twice its speed; USB Legacy Support is there;
/// the controller wants pages; a keyboard is on the first port, or what is on it is silent. Of `pieces`, the first is
/// what is said in place of registers, and the second in place of memory, as [`Lies`] has them. Then: what becomes of
/// events; the adapter's configuration and its device descriptor, which are right ones where these are empty. All
/// others begin with what happens before a step, and how often: see [`Happening`]. As long as the first three are
/// empty, and nothing happens that a right controller does not do, what the driver does is looked at as well.
pub fn play<'a>(
    kind: u8,
    steps: &[u8],
    mut pieces: impl Iterator<Item = &'a [u8]>,
) -> Option<(&'static str, Counters)> {
    let mut piece = || pieces.next().unwrap_or_default();
    let [said, memory_said, twists, configuration, device] = [(); 5].map(|()| piece());
    let has = |bit: u8| kind >> bit & 1 != 0;
    let (speed, packet) =
        [(speed::HIGH, 512), (speed::FULL, 64), (4, 1024), (speed::LOW, 8)][usize::from(kind >> 2 & 3)];
    let mut gadget = match has(0) {
        false => Gadget::adapter(speed, packet),
        true => Gadget::remote_ndis([2, 2, 0xff], speed, packet),
    };
    for (place, bytes) in [(&mut gadget.configurations[0], configuration), (&mut gadget.device, device)] {
        if !bytes.is_empty() {
            *place = bytes.to_vec();
        }
    }
    let (words, mut happenings): (Vec<_>, Vec<_>) =
        pieces.filter_map(Happening::new).partition(|happening| happening.kind == Happening::WORDS);
    happenings.reverse();
    gadget.gossip = words.iter().map(|happening| happening.bytes.to_vec()).collect();
    let other = match (has(6), has(7)) {
        (false, false) => None,
        (true, _) => Some(Gadget::keyboard()),
        _ => Some(Gadget::silent()),
    };

    let mut memory = Shared::new(MEMORY);
    let mut card = Card::new(&memory, vec![other, Some(gadget)]);
    card.has_large_contexts = has(1);
    card.legacy = has(4).then_some(0);
    card.own_pages = if has(5) { 33 } else { 0 };
    card.twists = twists.to_vec();
    card.is_hostile = [said, memory_said].iter().any(|lies| !lies.is_empty());
    card.said = RefCell::new(Lies::new(said));
    memory.said = RefCell::new(Lies::new(memory_said));
    let mut driver = UsbNetwork::try_new(card, memory, PCI).ok()?;
    nic::try_all(
        &mut driver,
        steps,
        |driver| driver.controller.device.host.is_master,
        |driver| {
            let card = &mut driver.controller.device;
            card.host.waited.set(0);
            if let Some(happening) = happenings.pop() {
                happening.befall(card);
            }
        },
    );
    Some((driver.identity().driver, driver.counters()))
}

/// Something that a controller or its device does, and how often.
struct Happening<'a> {
    kind: u8,
    times: u8,
    bytes: &'a [u8],
}

impl<'a> Happening<'a> {
    /// The adapter receives a transfer, and tells something by its notification endpoint.
    const TRANSFER: u8 = 0;
    const NOTIFICATION: u8 = 1;
    /// An event, as memory has it.
    const EVENT: u8 = 2;
    /// A transfer fails at the endpoint of that index.
    const FAILURE: u8 = 3;
    /// A port has this status, behind its number.
    const PORT: u8 = 4;
    /// The controller is gone or back, sends nothing or does, carries out nothing or does: a bit for each.
    const MOOD: u8 = 5;
    /// The adapter is pulled out.
    const FAREWELL: u8 = 6;
    /// What a device of Remote NDIS says before each answer, from the beginning on.
    const WORDS: u8 = 7;

    /// From a piece of input: the low three bits of its first byte are the kind, the others how often.
    fn new(piece: &'a [u8]) -> Option<Self> {
        let (first, bytes) = piece.split_first()?;
        Some(Self { kind: first & 7, times: 1 + (first >> 3), bytes })
    }

    fn befall(&self, card: &mut Card) {
        let first = self.bytes.first().copied().unwrap_or_default();
        for _ in 0..self.times {
            match self.kind {
                Self::TRANSFER => _ = card.deliver(self.bytes),
                Self::NOTIFICATION => _ = card.notify(self.bytes),
                Self::EVENT => card.tell(self.bytes),
                Self::FAILURE => card.fail(u32::from(first) % 32),
                Self::PORT => card.set_port(self.bytes),
                Self::MOOD => {
                    (card.is_gone, card.is_slow, card.is_mute) =
                        (first & 1 != 0, first & 2 != 0, first & 4 != 0);
                    card.is_hostile |= card.is_gone;
                }
                Self::FAREWELL => card.unplug(1),
                _ => {}
            }
        }
    }
}
