//! The driver against a device of the tests, of both kinds: a right one, and one that does what it likes.

use super::*;
use alloc::vec;
use alloc::vec::Vec;
use hw::device::{HOST_MEMORY_ADDRESS, Host, HostDevice, HostMemory};
use proptest::prelude::*;

const MAC_BYTES: [u8; 6] = [0x52, 0x54, 0, 0x12, 0x34, 0x56];
const PCI: PciIdentity = PciIdentity { bus_device_function: 0x18, vendor: 0x1af4, device: 0x1000 };
const BAR: u8 = 4;
const DESCRIPTORS: u16 = 256;

/// A queue as the device knows it.
#[derive(Clone, Copy, Debug, Default)]
struct Shared {
    addresses: [u64; 3],
    size: u16,
    seen: u16,
    used: u16,
}

/// A device of version 1, or from before: the same in all that is asked of it here, but that the oldest ones want the
/// header in a buffer of its own.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Kind {
    #[default]
    Oldest,
    Old,
    Modern,
}

const KINDS: [Kind; 3] = [Kind::Oldest, Kind::Old, Kind::Modern];

#[derive(Debug, Default)]
struct Card {
    kind: Kind,
    status: u8,
    feature_half: u32,
    driver_features: u64,
    queue: u16,
    queues: [Shared; 2],
    rings: usize,
    host: Host,
    /// It has lied: the driver may believe in registers that are not there.
    is_hostile: bool,
    /// Where the first capability is, where that is none of the right ones.
    capability: Option<u8>,
}

impl Kind {
    fn feature(self) -> u64 {
        match self {
            Self::Oldest => 0,
            Self::Old => ANY_LAYOUT,
            Self::Modern => VERSION_1,
        }
    }
}

impl Card {
    const FEATURES: u64 = MAC | STATUS | MTU | 1 << 15 | 1 << 34;

    fn features(&self) -> u64 {
        Self::FEATURES | self.kind.feature()
    }

    /// What the device says of itself: address, link up, pairs of queues, MTU.
    fn configuration(offset: u32) -> u8 {
        let mut bytes = MAC_BYTES.to_vec();
        bytes.extend([1, 0, 1, 0, 0xdc, 5]);
        bytes.get(offset as usize).copied().unwrap_or(0)
    }
}

impl HostDevice for Card {
    fn host(&self) -> &Host {
        &self.host
    }

    fn host_mut(&mut self) -> &mut Host {
        &mut self.host
    }

    fn read(&self, bar: u8, offset: u32, _: usize) -> u32 {
        let queue = self.queues.get(usize::from(self.queue)).copied().unwrap_or_default();
        match (self.kind == Kind::Modern, bar, offset) {
            (false, 0, 0) => self.features() as u32,
            (false, 0, 0x0c) => queue.size.into(),
            (false, 0, 0x12) | (true, BAR, 0x14) => self.status.into(),
            (false, 0, 0x14..) => Self::configuration(offset - 0x14).into(),
            (true, BAR, 4) => (self.features() >> (32 * self.feature_half)) as u32,
            (true, BAR, 0x12) => 2,
            (true, BAR, 0x18) => queue.size.into(),
            (true, BAR, 0x1e) => u32::from(self.queue),
            (true, BAR, 0x200..0x300) => Self::configuration(offset - 0x200).into(),
            other => {
                assert!(self.is_hostile, "{other:x?} is read");
                u32::MAX
            }
        }
    }

    fn write(&mut self, bar: u8, offset: u32, _: usize, value: u32) {
        let selected = usize::from(self.queue);
        match (self.kind == Kind::Modern, bar, offset) {
            (false, 0, 0x04) => self.driver_features = value.into(),
            (false, 0, 0x08) => {
                let queue = &mut self.queues[selected % 2];
                let base = u64::from(value) << 12;
                let available = base + u64::from(queue.size) * 16;
                let used = (available + 6 + 2 * u64::from(queue.size)).next_multiple_of(4096);
                queue.addresses = [base, available, used];
            }
            (false, 0, 0x0e) | (true, BAR, 0x16) => self.queue = value as u16,
            (false, 0, 0x10) | (true, BAR, 0x100 | 0x104) => self.rings += 1,
            (false, 0, 0x12) | (true, BAR, 0x14) => {
                self.status = value as u8;
                if value == 0 {
                    self.queues = [Shared { size: DESCRIPTORS, ..Shared::default() }; 2];
                }
            }
            (true, BAR, 0x00 | 0x08) => self.feature_half = value,
            (true, BAR, 0x0c) => {
                let half = 32 * self.feature_half;
                self.driver_features =
                    self.driver_features & !(0xffff_ffff << half) | u64::from(value) << half;
            }
            (true, BAR, 0x18) => self.queues[selected % 2].size = value as u16,
            (true, BAR, 0x1c) => assert_eq!(value, 1),
            (true, BAR, 0x20..0x38) => {
                let address = &mut self.queues[selected % 2].addresses[(offset as usize - 0x20) / 8];
                let half = offset % 8 * 8;
                *address = *address & !(0xffff_ffff << half) | u64::from(value) << half;
            }
            other => assert!(self.is_hostile, "{other:x?} is written"),
        }
    }

    fn configuration(&self, offset: u16) -> u32 {
        /// Three capabilities of version 1, and one of another kind, which ends in itself.
        const CAPABILITIES: [u32; 16] = [
            0x0110_5009,
            4,
            0,
            0x38, // 40h: the common structure
            0x0214_6409,
            4,
            0x100,
            8,
            4, // 50h: notifications
            0x0410_7409,
            4,
            0x200,
            12, // 64h: configuration
            0x0000_7411,
            0,
            0, // 74h: MSI-X
        ];
        if offset >= 0x100 {
            return u32::MAX;
        }
        if let (Some(place), 0x34) = (self.capability, offset) {
            return place.into();
        }
        if self.capability == offset.try_into().ok() {
            return 0x0214_0009;
        }
        match (self.kind == Kind::Modern, offset) {
            (true, 0x04) => 1 << 20,
            (true, 0x34) => 0x40,
            (true, 0x40..0x80) => CAPABILITIES[(usize::from(offset) - 0x40) / 4],
            _ => 0,
        }
    }
}

type Driver = VirtioNet<Card, HostMemory>;

fn driver(kind: Kind) -> Driver {
    let card = Card { kind, ..Card::default() };
    let mut driver = VirtioNet::try_new(card, HostMemory(vec![0xcc; MEMORY]), PCI).unwrap();
    driver.open().unwrap();
    driver
}

/// The next buffer that the driver made available in a queue: offsets and lengths of its header and its frame.
fn next(driver: &mut Driver, number: usize) -> Option<(u16, [(usize, usize); 2])> {
    let memory = &driver.memory;
    let queue = &mut driver.transport.device.queues[number];
    let [descriptors, available, _] = queue.addresses.map(|address| (address - HOST_MEMORY_ADDRESS) as usize);
    if memory.read16(available + 2) == queue.seen {
        return None;
    }
    let head = memory.read16(available + 4 + 2 * usize::from(queue.seen % queue.size));
    queue.seen = queue.seen.wrapping_add(1);
    let at = |index: u16| descriptors + 16 * usize::from(index);
    let place = |index: u16| {
        let offset = (memory.read64(at(index)) - HOST_MEMORY_ADDRESS) as usize;
        (offset, memory.read32(at(index) + 8) as usize)
    };
    let first = place(head);
    let parts = if driver.transport.device.kind == Kind::Oldest {
        assert_eq!(memory.read16(at(head) + 12) & 1, 1);
        [first, place(memory.read16(at(head) + 14))]
    } else {
        assert_eq!(memory.read16(at(head) + 12) & 1, 0);
        let header = if driver.transport.is_modern() { 12 } else { 10 };
        [(first.0, header), (first.0 + header, first.1 - header)]
    };
    Some((head, parts))
}

/// Says that a buffer was used.
fn finish(driver: &mut Driver, number: usize, head: u16, length: usize) {
    let queue = &mut driver.transport.device.queues[number];
    let used = (queue.addresses[2] - HOST_MEMORY_ADDRESS) as usize;
    let entry = used + 4 + 8 * usize::from(queue.used % queue.size);
    driver.memory.write32(entry, head.into());
    driver.memory.write32(entry + 4, length as u32);
    queue.used = queue.used.wrapping_add(1);
    driver.memory.write16(used + 2, queue.used);
}

/// What the device does with a frame from the wire: false if it has no buffer.
fn deliver(driver: &mut Driver, frame: &[u8]) -> bool {
    let Some((head, [(header, header_length), (offset, room)])) = next(driver, 0) else { return false };
    assert!(driver.transport.device.host.is_master);
    driver.memory.bytes_mut(header, header_length).fill(0xee);
    driver.memory.bytes_mut(offset, frame.len().min(room)).copy_from_slice(frame);
    finish(driver, 0, head, header_length + frame.len());
    true
}

fn sent(driver: &mut Driver) -> Vec<Vec<u8>> {
    let mut frames = Vec::new();
    while let Some((head, [(header, header_length), (offset, length)])) = next(driver, 1) {
        assert!(driver.memory.bytes(header, header_length).iter().all(|byte| *byte == 0));
        frames.push(driver.memory.bytes(offset, length).to_vec());
        finish(driver, 1, head, 0);
    }
    frames
}

#[test]
fn both_kinds_say_who_they_are() {
    for kind in KINDS {
        let mut driver = driver(kind);
        assert_eq!((driver.identity().mac, driver.identity().mtu), (MacAddress(MAC_BYTES), 1500));
        assert_eq!(driver.link(), Link::Up);
        let card = &driver.transport.device;
        assert_eq!(card.driver_features, MAC | STATUS | MTU | kind.feature());
        assert_eq!(card.status & status::DRIVER_OK, status::DRIVER_OK);
        assert_eq!(driver.transport.is_modern(), kind == Kind::Modern);
    }
}

#[test]
fn frames_come_in_order_round_the_ring() {
    for kind in KINDS {
        let mut driver = driver(kind);
        nic::receives_in_order(&mut driver, &[1, 100, 112, 3, 112, 112, 64, 112, 1], deliver);
        assert!(driver.transport.device.rings > 10);
    }
}

#[test]
fn the_device_holds_as_many_frames_as_are_promised() {
    for (kind, frames) in KINDS.into_iter().zip([112, 240, 240]) {
        let mut driver = driver(kind);
        assert_eq!(driver.frames_ahead(), frames);
        nic::holds_what_it_promises(&mut driver, deliver);
    }
}

#[test]
fn frames_are_sent_padded_and_as_many_as_there_is_room_for() {
    for kind in KINDS {
        nic::sends_padded(&mut driver(kind), TRANSMIT_SLOTS.into(), sent);
    }
}

#[test]
fn frames_that_are_too_long_are_dropped() {
    let mut driver = driver(Kind::Modern);
    assert!(deliver(&mut driver, &[1; FRAME_CAPACITY + 1]));
    assert!(deliver(&mut driver, &[2; FRAME_CAPACITY]));
    assert_eq!(driver.receive(), Some(&[2; FRAME_CAPACITY][..]));
    assert_eq!(driver.counters().receive_drops, 1);
}

#[test]
fn a_closed_card_is_quiet() {
    let mut driver = driver(Kind::Modern);
    driver.close();
    assert!(!driver.transport.device.host.is_master);
    assert_eq!(driver.transport.device.status, 0);
    assert!(!driver.transmit(&[0; 60]));
    assert_eq!(driver.receive(), None);
    driver.open().unwrap();
    assert!(!driver.may_have_received());
    assert!(deliver(&mut driver, &[1; 60]));
    assert!(driver.may_have_received());
    assert_eq!(driver.receive(), Some(&[1; 60][..]));
}

#[test]
fn a_device_that_uses_what_it_does_not_have_is_closed() {
    for (kind, head) in [(Kind::Oldest, 1), (Kind::Modern, 256), (Kind::Oldest, 256), (Kind::Old, 0xfffe)] {
        let mut driver = driver(kind);
        finish(&mut driver, 0, head, 100);
        assert_eq!(driver.receive(), None);
        let error = driver.poll(Instant::ZERO, Instant::ZERO).unwrap_err();
        assert!(error.is(&errors::NO_ANSWER), "{error}");
        assert!(!driver.transport.device.host.is_master);
    }
    let mut driver = driver(Kind::Modern);
    for _ in 0..257 {
        finish(&mut driver, 1, 0, 0);
    }
    assert!(driver.poll(Instant::ZERO, Instant::ZERO).is_err());
}

#[test]
fn a_device_that_is_gone_is_told() {
    let card = Card::default();
    card.host.lies.replace(vec![u32::MAX; 1000]);
    let error = VirtioNet::try_new(card, HostMemory(vec![0; MEMORY]), PCI).unwrap_err();
    assert!(error.is(&errors::NO_ANSWER), "{error}");
}

#[test]
fn capabilities_at_the_end_of_configuration_space_do_no_harm() {
    for place in (0x80..=0xfc).step_by(4) {
        let card = Card { kind: Kind::Modern, is_hostile: true, capability: Some(place), ..Card::default() };
        // Without the others, it is one of before.
        assert!(!Transport::new(card).is_modern());
    }
}

proptest! {
    /// Whatever the device says and writes, the driver neither panics nor hangs nor gives more than a frame.
    #[test]
    fn a_hostile_device_does_no_harm(
        kind in prop::sample::select(&KINDS),
        lies in prop::collection::vec(any::<u32>(), 0..200),
        writes in prop::collection::vec((0..TRANSMIT_QUEUE * 2, any::<u64>()), 0..300),
        steps in prop::collection::vec(any::<u8>(), 1..60),
    ) {
        let mut driver = driver(kind);
        driver.transport.device.host.lies.replace(lies);
        driver.transport.device.is_hostile = true;
        for (offset, value) in writes {
            driver.memory.write64(offset & !7, value);
        }
        nic::try_out(&mut driver, &steps, |driver| driver.transport.device.host.waited.set(0));
    }
}
