//! The driver against a card of the tests: a right one, and one that does what it likes.

use super::*;
use alloc::vec;
use alloc::vec::Vec;
use hw::device::{HOST_MEMORY_ADDRESS, Host, HostDevice, HostMemory};
use hw::microwire::{HostMicrowire, Wires};
use proptest::prelude::*;

const MAC: [u8; 6] = [0x52, 0x54, 0, 0x12, 0x34, 0x56];
const PCI: PciIdentity = PciIdentity { bus_device_function: 0x10, vendor: 0x8086, device: 0x1229 };
const ACTIVE: u8 = COMMANDS_ACTIVE;

#[derive(Debug)]
struct Card {
    status: u8,
    mask: u8,
    pointer: u32,
    /// Where both units are.
    commands: usize,
    receive: usize,
    serial: HostMicrowire,
    management: u32,
    phy_status: u16,
    host: Host,
}

impl Card {
    fn new(mac: [u8; 6]) -> Self {
        let [a, b, c] = [0, 2, 4].map(|at| u16::from_le_bytes([mac[at], mac[at + 1]]));
        Self {
            status: 0x55,
            mask: 0,
            pointer: 0,
            commands: 0,
            receive: 0,
            serial: HostMicrowire::new(&[a, b, c, 0, 0, 0, 0x4703], 64),
            management: 0,
            phy_status: PHY_LINK,
            host: Host::default(),
        }
    }
}

impl HostDevice for Card {
    fn host(&self) -> &Host {
        &self.host
    }

    fn host_mut(&mut self) -> &mut Host {
        &mut self.host
    }

    fn read(&self, bar: u8, offset: u32, size: usize) -> u32 {
        assert_eq!(bar, PORTS);
        match (offset, size) {
            (STATUS, 1) => self.status.into(),
            (COMMAND, 1) => 0,
            (SERIAL_MEMORY, 2) => {
                if self.serial.output() {
                    MICROWIRE_OUTPUT.into()
                } else {
                    0
                }
            }
            (MANAGEMENT, 4) => self.management,
            _ => panic!("{offset:x} {size}"),
        }
    }

    fn write(&mut self, _: u8, offset: u32, size: usize, value: u32) {
        let place = (u64::from(self.pointer).wrapping_sub(HOST_MEMORY_ADDRESS)) as usize;
        match (offset, size) {
            (COMMAND, 1) => {
                assert!(self.host.is_master);
                match value as u8 {
                    COMMANDS_START if place == ADDRESS_SETUP => {}
                    COMMANDS_START => {
                        assert_eq!(self.status & 0xc0, 0, "the unit is at work");
                        (self.status, self.commands) = (self.status | ACTIVE, place);
                    }
                    RECEIVE_START => {
                        assert_ne!(self.status & RECEIVE_STATE, RECEIVE_READY, "the unit is at work");
                        (self.status, self.receive) = (self.status & ACTIVE | RECEIVE_READY, place);
                    }
                    COMMANDS_BASE | RECEIVE_BASE => assert_eq!(self.pointer, 0),
                    _ => panic!("{value:x}"),
                }
            }
            (INTERRUPT_MASK, 1) => self.mask = value as u8,
            (POINTER, 4) => self.pointer = value,
            (PORT, 4) => (self.status, self.mask) = (0, 0),
            (SERIAL_MEMORY, 2) => {
                let bit = |bit: u16| value as u16 & bit != 0;
                self.serial.set(Wires {
                    is_selected: bit(MICROWIRE_SELECT),
                    clock: bit(MICROWIRE_CLOCK),
                    data: bit(MICROWIRE_DATA),
                });
            }
            (MANAGEMENT, 4) => {
                assert_eq!(value, 2 << 26 | 3 << 21 | 1 << 16, "BMSR of the PHY that the memory names");
                self.management = MANAGEMENT_READY | u32::from(self.phy_status);
                self.phy_status |= PHY_LINK;
            }
            _ => panic!("{offset:x} {size}"),
        }
    }
}

type Driver = Eepro100<Card, HostMemory>;

fn driver() -> Driver {
    let mut driver = Eepro100::try_new(Card::new(MAC), HostMemory(vec![0; MEMORY]), PCI).unwrap();
    driver.open().unwrap();
    driver
}

/// Where a structure's link leads to.
fn next(driver: &Driver, place: usize) -> usize {
    (u64::from(driver.memory.read32(place + 4)) - HOST_MEMORY_ADDRESS) as usize
}

/// What the card does with a frame from the wire: false if it has no room.
fn deliver(driver: &mut Driver, frame: &[u8], status: u16) -> bool {
    if driver.device.status & RECEIVE_STATE != RECEIVE_READY {
        return false;
    }
    assert!(driver.device.host.is_master);
    let place = driver.device.receive;
    assert_eq!((driver.memory.read16(place), driver.memory.read32(place + 8)), (0, BEHIND));
    assert!(usize::from(driver.memory.read16(place + 14)) >= frame.len());
    driver.memory.bytes_mut(place + HEADER, frame.len()).copy_from_slice(frame);
    driver.memory.write16(place + 12, 0xc000 | frame.len() as u16);
    driver.memory.write16(place, status);
    driver.device.receive = next(driver, place);
    if driver.memory.read16(place + 2) & LAST != 0 {
        driver.device.status = driver.device.status & !RECEIVE_STATE | 2 << 2;
    }
    true
}

/// The frames that the card finds behind its commands.
fn sent(driver: &mut Driver) -> Vec<Vec<u8>> {
    let mut frames = Vec::new();
    while driver.device.status & ACTIVE != 0 {
        let place = driver.device.commands;
        let command = driver.memory.read16(place + 2);
        assert_eq!((command & !LAST, driver.memory.read32(place + 8)), (SEND, BEHIND));
        let length = usize::from(driver.memory.read16(place + 12) & LENGTH);
        frames.push(driver.memory.bytes(place + HEADER, length).to_vec());
        driver.memory.write16(place, DONE | OK);
        driver.device.commands = next(driver, place);
        if command & LAST != 0 {
            driver.device.status &= !ACTIVE;
        }
    }
    frames
}

fn poll(driver: &mut Driver) {
    driver.poll(Instant::ZERO, Instant::ZERO).unwrap();
}

#[test]
fn the_card_is_set_up() {
    let driver = driver();
    assert_eq!((driver.identity().mac, driver.phy), (MacAddress(MAC), 3));
    assert_eq!(driver.memory.read16(ADDRESS_SETUP + 2), SET_ADDRESS);
    assert_eq!(driver.memory.bytes(ADDRESS_SETUP + 8, 6), MAC);
    assert_eq!(next(&driver, ADDRESS_SETUP), CONFIGURE);
    assert_eq!(driver.memory.read16(CONFIGURE + 2), SET_CONFIGURATION | LAST);
    assert_eq!(driver.memory.bytes(CONFIGURE + 8, 22), CONFIGURATION);
    assert_eq!(driver.device.mask, 1);
}

#[test]
fn frames_come_in_order_round_the_ring() {
    let deliver = |driver: &mut Driver, frame: &[u8]| deliver(driver, frame, DONE | OK);
    nic::receives_in_order(&mut driver(), &[1, 63, 62, 3, 63, 20, 63], deliver);
}

#[test]
fn the_card_holds_as_many_frames_as_are_promised_and_is_started_again_after_more() {
    let mut driver = driver();
    nic::holds_what_it_promises(&mut driver, |driver, frame| deliver(driver, frame, DONE | OK));
    for frames in [1, 17, 0] {
        while deliver(&mut driver, &[1; 60], DONE | OK) {}
        poll(&mut driver);
        assert!(!deliver(&mut driver, &[1; 60], DONE | OK), "there are frames to be seen first");
        let mut seen = 0;
        while driver.receive().is_some() {
            seen += 1;
        }
        assert!(seen >= 63);
        poll(&mut driver);
        for _ in 0..frames {
            assert!(deliver(&mut driver, &[3; 60], DONE | OK));
            assert_eq!(driver.receive(), Some(&[3; 60][..]));
        }
    }
}

#[test]
fn broken_frames_are_dropped_and_counted() {
    let mut driver = driver();
    assert!(!driver.may_have_received());
    assert!(deliver(&mut driver, &[0; 60], DONE));
    assert!(deliver(&mut driver, &[0; ROOM], DONE | OK));
    assert!(deliver(&mut driver, &[9; 60], DONE | OK));
    assert!(driver.may_have_received());
    assert_eq!(driver.receive(), Some(&[9; 60][..]));
    assert_eq!((driver.counters().received, driver.counters().receive_drops), (1, 2));
}

#[test]
fn frames_are_sent_in_order_and_those_that_come_meanwhile_wait() {
    nic::sends_padded(&mut driver(), TRANSMIT_SLOTS, |driver| {
        // The first is on its way alone; the others are sent together when it is done.
        let mut frames = sent(driver);
        assert_eq!(frames.len(), 1);
        poll(driver);
        frames.extend(sent(driver));
        frames
    });
}

#[test]
fn the_link_is_as_it_is_now() {
    let mut driver = driver();
    // Lost, and there again.
    driver.device.phy_status = 0;
    assert_eq!(driver.link(), Link::Up);
    driver.device.host.lies.replace(vec![MANAGEMENT_READY; 4]);
    assert_eq!(driver.link(), Link::Down);
    driver.device.host.lies.replace(vec![u32::MAX; 4]);
    assert_eq!(driver.link(), Link::Unknown);
}

#[test]
fn a_card_that_does_not_take_the_order_to_send_is_closed_and_told() {
    let mut driver = driver();
    // Of the status it is asked once before.
    driver.device.host.lies.replace([vec![1; 1000], vec![0]].concat());
    assert!(driver.transmit(&[0; 60]));
    let waited = driver.device.host.waited.get();
    assert!(!driver.can_transmit() && !driver.transmit(&[0; 60]));
    assert_eq!(driver.device.host.waited.get(), waited);
    driver.device.host.lies.replace(vec![]);
    let error = driver.poll(Instant::ZERO, Instant::ZERO).unwrap_err();
    assert!(error.is(&errors::NO_ANSWER) && !driver.device.host.is_master, "{error}");
    driver.open().unwrap();
    assert!(driver.can_transmit());
}

#[test]
fn a_closed_card_is_quiet() {
    let mut driver = driver();
    driver.close();
    assert_eq!((driver.device.host.is_master, driver.device.status, driver.device.mask), (false, 0, 1));
    assert!(!driver.transmit(&[0; 60]));
    assert_eq!(driver.receive(), None);
}

#[test]
fn a_card_that_is_gone_or_has_no_address_is_told() {
    let card = Card::new(MAC);
    card.host.lies.replace(vec![u32::MAX; 1000]);
    let error = Eepro100::try_new(card, HostMemory(vec![0; MEMORY]), PCI).unwrap_err();
    assert!(error.is(&errors::NO_ANSWER), "{error}");
    let error = Eepro100::try_new(Card::new([0xff; 6]), HostMemory(vec![0; MEMORY]), PCI).unwrap_err();
    assert!(error.is(&errors::NO_ADDRESS), "{error}");
    assert!(Eepro100::try_new(Card::new(MAC), HostMemory(vec![0; MEMORY - 1]), PCI).is_err());
    let mut driver = driver();
    driver.device.host.lies.replace(vec![u32::MAX; 1000]);
    assert!(driver.poll(Instant::ZERO, Instant::ZERO).is_err());
}

proptest! {
    /// Whatever the card says and writes, the driver neither panics nor hangs nor gives more than a frame.
    #[test]
    fn a_hostile_card_does_no_harm(
        lies in prop::collection::vec(any::<u32>(), 0..400),
        writes in prop::collection::vec((0..MEMORY, any::<u64>()), 0..300),
        steps in prop::collection::vec(any::<u8>(), 1..60),
    ) {
        let mut driver = driver();
        for (offset, value) in writes {
            // Beginnings of structures above all.
            driver.memory.write64(offset & !(SLOT - 1) | offset & 8 | RECEIVE, value);
        }
        let mut lies = lies;
        nic::try_out(&mut driver, &steps, |driver| {
            driver.device.host.waited.set(0);
            // The card of the tests insists on a right order of commands, which lies would break.
            driver.device.status = 0;
            driver.device.host.lies.replace(lies.split_off(lies.len() - lies.len().min(9)));
        });
    }
}
