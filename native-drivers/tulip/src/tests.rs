//! The driver against a card of the tests: a right one, and one that does what it likes.

use super::*;
use alloc::vec;
use alloc::vec::Vec;
use hw::device::{HOST_MEMORY_ADDRESS, Host, HostDevice, HostMemory};
use hw::microwire::{HostMicrowire, Wires};
use proptest::prelude::*;

const MAC: [u8; 6] = [0x52, 0x54, 0, 0x12, 0x34, 0x56];
const PCI: PciIdentity = PciIdentity { bus_device_function: 0x10, vendor: 0x1011, device: 0x0019 };
const ADMTEK: PciIdentity = PciIdentity { vendor: 0x1317, device: 0x0985, ..PCI };
const FULL: u16 = 1 << 8 | 1 << 7;
const HALF: u16 = 1 << 7 | 1 << 5;

#[derive(Debug)]
struct Card {
    registers: [u32; 64],
    serial: HostMicrowire,
    /// The number of the PHY, and its first registers.
    phy: u32,
    phy_registers: [u16; 6],
    /// What was last clocked out to the PHY, and how many bits in since.
    command: u32,
    inward: u32,
    /// Where the card is in its rings.
    received: usize,
    sent: usize,
    host: Host,
}

impl Card {
    fn new(words: &[u16]) -> Self {
        let mut card = Self {
            registers: [0; 64],
            serial: HostMicrowire::new(words, 64),
            phy: 1,
            phy_registers: [0, management::LINK, 0, 0, FULL, FULL],
            command: 0,
            inward: 0,
            received: 0,
            sent: 0,
            host: Host::default(),
        };
        card.registers[(STATION_ADDRESS / 4) as usize] = u32::from_le_bytes([MAC[0], MAC[1], MAC[2], MAC[3]]);
        card.registers[(STATION_ADDRESS / 4 + 1) as usize] = u32::from_le_bytes([MAC[4], MAC[5], 0, 0]);
        card
    }

    fn register(&mut self, offset: u32) -> &mut u32 {
        &mut self.registers[(offset / 4) as usize]
    }
}

/// The serial memory of a later board.
fn words() -> Vec<u16> {
    let mut words = vec![0x1234; 13];
    words[9] = 1 << 8 | 3;
    for (word, pair) in words[10..].iter_mut().zip(MAC.chunks_exact(2)) {
        *word = u16::from_le_bytes([pair[0], pair[1]]);
    }
    words
}

impl HostDevice for Card {
    fn host(&self) -> &Host {
        &self.host
    }

    fn host_mut(&mut self) -> &mut Host {
        &mut self.host
    }

    fn read(&self, bar: u8, offset: u32, size: usize) -> u32 {
        assert_eq!((bar, size), (PORTS, 4));
        if offset != SERIAL {
            return self.registers[(offset / 4) as usize];
        }
        let is_spoken_to = self.command >> 5 & 0x1ff == 0b0110 << 5 | self.phy;
        let value = self.phy_registers.get((self.command & 0x1f) as usize).copied().unwrap_or(0);
        let bit = match self.inward {
            _ if !is_spoken_to => true,
            0 => true,
            1 => false,
            bit => value >> (17 - bit.min(17)) & 1 != 0,
        };
        u32::from(bit) << 19 | if self.serial.output() { MICROWIRE_OUTPUT } else { 0 }
    }

    fn write(&mut self, _: u8, offset: u32, size: usize, value: u32) {
        assert_eq!(size, 4);
        match offset {
            BUS_MODE if value & RESET != 0 => {
                (*self.register(STATUS), *self.register(MODE)) = (0, 0);
                (self.received, self.sent) = (0, 0);
            }
            MODE => {
                assert!(self.host.is_master);
                *self.register(MODE) = value;
                *self.register(STATUS) = 3 << 17 | 6 << 20;
            }
            STATUS => *self.register(STATUS) &= !value,
            SERIAL if value & MICROWIRE == MICROWIRE => {
                let bit = |bit: u32| value & bit != 0;
                self.serial.set(Wires {
                    is_selected: bit(MICROWIRE_SELECT),
                    clock: bit(MICROWIRE_CLOCK),
                    data: bit(MICROWIRE_DATA),
                });
            }
            SERIAL if value & 1 << 16 != 0 => {
                if value & 1 << 18 == 0 {
                    self.command = self.command << 1 | value >> 17 & 1;
                    self.inward = 0;
                } else {
                    self.inward += 1;
                }
            }
            _ => *self.register(offset) = value,
        }
    }
}

type Driver = Tulip<Card, HostMemory>;

fn driver_of(pci: PciIdentity) -> Driver {
    let mut driver = Tulip::try_new(Card::new(&words()), HostMemory(vec![0; MEMORY]), pci).unwrap();
    driver.open().unwrap();
    driver
}

/// One whose filter is set.
fn driver() -> Driver {
    let mut driver = driver_of(PCI);
    assert_eq!(sent(&mut driver, 0).len(), 1);
    poll(&mut driver);
    // The duplex was not known when it was opened first.
    assert_eq!(sent(&mut driver, 0).len(), 1);
    poll(&mut driver);
    assert_eq!(driver.counters().sent, 0);
    driver
}

/// What the card does with a frame from the wire: false if the ring has no room.
fn deliver(driver: &mut Driver, frame: &[u8], flags: u32) -> bool {
    assert!(driver.device.host.is_master);
    let ring = (u64::from(*driver.device.register(RECEIVE_RING_ADDRESS)) - HOST_MEMORY_ADDRESS) as usize;
    let descriptor = ring + driver.device.received * DESCRIPTOR;
    if driver.memory.read32(descriptor) != OWNED_BY_CARD {
        *driver.device.register(STATUS) |= RECEIVE_UNAVAILABLE;
        return false;
    }
    let control = driver.memory.read32(descriptor + 4);
    assert!((control & 0x7ff) as usize >= frame.len());
    let buffer = (u64::from(driver.memory.read32(descriptor + 8)) - HOST_MEMORY_ADDRESS) as usize;
    driver.memory.bytes_mut(buffer, frame.len()).copy_from_slice(frame);
    driver.memory.write32(descriptor, ((frame.len() + CHECK_SEQUENCE) as u32) << 16 | flags);
    driver.device.received = if control & END_OF_RING != 0 { 0 } else { driver.device.received + 1 };
    true
}

/// What the card finds in the transmit ring.
fn sent(driver: &mut Driver, error: u32) -> Vec<Vec<u8>> {
    let ring = (u64::from(*driver.device.register(TRANSMIT_RING_ADDRESS)) - HOST_MEMORY_ADDRESS) as usize;
    let mut frames = Vec::new();
    loop {
        let descriptor = ring + driver.device.sent * DESCRIPTOR;
        if driver.memory.read32(descriptor) != OWNED_BY_CARD {
            return frames;
        }
        let control = driver.memory.read32(descriptor + 4);
        assert!([SEND_WHOLE, SETUP].contains(&(control & 0xfc00_0000 & !END_OF_RING | control & SETUP)));
        let buffer = (u64::from(driver.memory.read32(descriptor + 8)) - HOST_MEMORY_ADDRESS) as usize;
        frames.push(driver.memory.bytes(buffer, (control & 0x7ff) as usize).to_vec());
        driver.memory.write32(descriptor, error);
        driver.device.sent = if control & END_OF_RING != 0 { 0 } else { driver.device.sent + 1 };
    }
}

fn poll(driver: &mut Driver) {
    driver.poll(Instant::ZERO, Instant::ZERO).unwrap();
}

#[test]
fn chips_that_behave_otherwise_are_left_alone() {
    assert_eq!(family(0x8086, 0x0039), Some(Family::Dec));
    assert_eq!(family(0x1186, 0x1541), Some(Family::Admtek));
    // Media of their own (21040, 21041, Macronix), or registers (PNIC, ASIX, Davicom, ULi, Conexant, Xircom).
    for (vendor, device) in [
        (0x1011, 0x0002),
        (0x1011, 0x0014),
        (0x10d9, 0x0512),
        (0x10d9, 0x0531),
        (0x11ad, 0x0002),
        (0x11ad, 0xc115),
        (0x125b, 0x1400),
        (0x1282, 0x9102),
        (0x10b9, 0x5261),
        (0x14f1, 0x1803),
        (0x115d, 0x0003),
    ] {
        assert!(!drives(vendor, device), "{vendor:x}:{device:x}");
    }
    let is_new = |(place, card): (usize, &(Family, u16, u16))| {
        CARDS[..place].iter().all(|other| (other.1, other.2) != (card.1, card.2))
    };
    assert!(CARDS.iter().enumerate().all(is_new));
}

#[test]
fn the_address_is_found_in_both_formats() {
    assert_eq!(driver().identity().mac, MacAddress(MAC));
    let mut old: Vec<u16> = words()[10..].to_vec();
    old.push(0x4711);
    let old = [old.clone(), vec![0; 4], old, vec![7; 2]].concat();
    let driver = Tulip::try_new(Card::new(&old), HostMemory(vec![0; MEMORY]), PCI).unwrap();
    assert_eq!(driver.identity().mac, MacAddress(MAC));
}

#[test]
fn the_card_listens_to_us_and_to_all() {
    let mut driver = driver_of(PCI);
    let [frame] = sent(&mut driver, 0).try_into().unwrap();
    let addresses: Vec<Vec<u8>> =
        frame.chunks(12).map(|three| three.chunks(4).flat_map(|half| half[..2].to_vec()).collect()).collect();
    assert_eq!((addresses.len(), &addresses[0][..]), (16, &MAC[..]));
    assert!(addresses[1..].iter().all(|address| address == &[0xff; 6]));

    let mut driver = driver_of(ADMTEK);
    assert!(sent(&mut driver, 0).is_empty());
    assert_eq!(
        (driver.identity().mac, *driver.device.register(MULTICAST_FILTER + 4)),
        (MacAddress(MAC), u32::MAX)
    );
    assert!(deliver(&mut driver, &[3; 60], WHOLE));
    assert_eq!(driver.receive(), Some(&[3; 60][..]));
}

#[test]
fn frames_come_in_order_round_the_ring() {
    let deliver = |driver: &mut Driver, frame: &[u8]| deliver(driver, frame, WHOLE);
    nic::receives_in_order(&mut driver(), &[1, 63, 62, 3, 63, 20, 63], deliver);
}

#[test]
fn the_card_holds_as_many_frames_as_are_promised_and_goes_on_after_more() {
    let mut driver = driver();
    nic::holds_what_it_promises(&mut driver, |driver, frame| deliver(driver, frame, WHOLE));
    while deliver(&mut driver, &[0; 60], WHOLE) {}
    poll(&mut driver);
    assert_eq!(*driver.device.register(STATUS) & RECEIVE_UNAVAILABLE, 0);
    assert_eq!(*driver.device.register(RECEIVE_POLL), 1);
}

#[test]
fn broken_frames_are_dropped_and_counted() {
    let mut driver = driver();
    assert!(!driver.may_have_received());
    for flags in [0, WHOLE | ERROR, 1 << 9, 1 << 8] {
        assert!(deliver(&mut driver, &[0; 60], flags));
    }
    assert!(deliver(&mut driver, &[0; BUFFER - 4], WHOLE));
    assert!(deliver(&mut driver, &[9; 60], WHOLE));
    assert!(driver.may_have_received());
    assert_eq!(driver.receive(), Some(&[9; 60][..]));
    assert_eq!((driver.counters().received, driver.counters().receive_drops), (1, 5));
}

#[test]
fn frames_are_sent_padded_and_as_many_as_there_is_room_for() {
    let mut driver = driver();
    nic::sends_padded(&mut driver, TRANSMIT_SLOTS, |driver| sent(driver, 0));
    assert!(driver.transmit(&[1; FRAME_CAPACITY]));
    assert_eq!(sent(&mut driver, ERROR), [vec![1; FRAME_CAPACITY]]);
    poll(&mut driver);
    assert_eq!(driver.counters().send_errors, 1);
}

#[test]
fn the_duplex_is_what_the_phy_has_agreed_on() {
    let mut driver = driver();
    for (second, partner, is_full) in [(1, HALF, false), (2, FULL, true), (3, 0, false)] {
        driver.device.phy_registers[5] = partner;
        let now = Instant::ZERO + Duration::from_secs(second);
        driver.poll(now, now).unwrap();
        assert_eq!(*driver.device.register(MODE) & FULL_DUPLEX != 0, is_full);
    }
}

#[test]
fn the_link_is_the_phys() {
    let mut driver = driver();
    assert_eq!((driver.phy, driver.link()), (Some(1), Link::Up));
    driver.device.phy_registers[1] = 0x7800;
    assert_eq!(driver.link(), Link::Down);
    let mut card = Card::new(&words());
    card.phy = 99;
    let mut driver = Tulip::try_new(card, HostMemory(vec![0; MEMORY]), PCI).unwrap();
    assert_eq!((driver.phy, driver.link()), (None, Link::Unknown));
    let mut driver = driver_of(ADMTEK);
    assert_eq!(driver.link(), Link::Down);
    *driver.device.register(INNER_PHY_STATUS) = 4;
    assert_eq!(driver.link(), Link::Up);
}

#[test]
fn a_card_that_stopped_is_started_again() {
    for status in [3 << 17, 6 << 20, 3 << 17 | 6 << 20 | BUS_ERROR] {
        let mut driver = driver();
        *driver.device.register(STATUS) = status;
        poll(&mut driver);
        assert!(deliver(&mut driver, &[2; 60], WHOLE));
        assert_eq!(driver.receive(), Some(&[2; 60][..]));
    }
}

#[test]
fn a_closed_card_is_quiet() {
    let mut driver = driver();
    driver.close();
    assert_eq!((driver.device.host.is_master, *driver.device.register(MODE)), (false, 0));
    assert!(!driver.transmit(&[0; 60]));
    assert_eq!(driver.receive(), None);
}

#[test]
fn a_card_that_is_gone_or_has_no_address_is_told() {
    let card = Card::new(&words());
    card.host.lies.replace(vec![u32::MAX; 1000]);
    let error = Tulip::try_new(card, HostMemory(vec![0; MEMORY]), PCI).unwrap_err();
    assert!(error.is(&errors::NO_ANSWER), "{error}");
    let error = Tulip::try_new(Card::new(&[]), HostMemory(vec![0; MEMORY]), PCI).unwrap_err();
    assert!(error.is(&errors::NO_ADDRESS), "{error}");
    assert!(Tulip::try_new(Card::new(&words()), HostMemory(vec![0; MEMORY - 1]), PCI).is_err());
}

proptest! {
    /// Whatever the card says and writes, the driver neither panics nor hangs nor gives more than a frame.
    #[test]
    fn a_hostile_card_does_no_harm(
        lies in prop::collection::vec(any::<u32>(), 0..400),
        writes in prop::collection::vec((0..RECEIVE_BUFFERS, any::<u64>()), 0..300),
        steps in prop::collection::vec(any::<u8>(), 1..60),
    ) {
        let mut driver = driver();
        driver.device.host.lies.replace(lies);
        for (offset, value) in writes {
            driver.memory.write64(offset & !7, value);
        }
        nic::try_out(&mut driver, &steps, |driver| driver.device.host.waited.set(0));
    }
}
