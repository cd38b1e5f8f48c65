//! The driver against a card of the tests: a right one, and one that does what it likes.

use super::*;
use alloc::vec;
use alloc::vec::Vec;
use hw::device::{HOST_MEMORY_ADDRESS, Host, HostDevice, HostMemory};
use proptest::prelude::*;

const MAC: [u8; 6] = [0x52, 0x54, 0, 0x12, 0x34, 0x56];
const PCI: PciIdentity = PciIdentity { bus_device_function: 0x10, vendor: 0x10ec, device: 0x8168 };

/// Registers by bytes, and those behind [`INNER`].
#[derive(Debug)]
struct Card {
    registers: [u8; 256],
    inner: u32,
    /// How often it was told to look for frames.
    kicks: usize,
    /// Where the card is in its rings.
    received: usize,
    sent: usize,
    host: Host,
}

impl Card {
    fn new(mac: [u8; 6]) -> Self {
        let mut registers = [0; 256];
        registers[..6].copy_from_slice(&mac);
        registers[MISCELLANEOUS as usize + 2] = (GATE >> 16) as u8;
        registers[PLUS_COMMAND as usize] = 0x70;
        registers[PHY_STATUS as usize] = LINK;
        Self { registers, inner: 3, kicks: 0, received: 0, sent: 0, host: Host::default() }
    }

    fn get(&self, offset: u32) -> u32 {
        u32::from_le_bytes(self.registers[offset as usize..][..4].try_into().unwrap())
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
        assert_eq!((bar, offset as usize % size), (PORTS, 0));
        if offset == INNER { self.inner } else { self.get(offset) }
    }

    fn write(&mut self, _: u8, offset: u32, size: usize, value: u32) {
        match (offset, size) {
            (COMMAND, 1) if value as u8 & RESET != 0 => {
                self.registers[COMMAND as usize] = 0;
                (self.received, self.sent) = (0, 0);
            }
            (INNER, 4) => {
                assert_eq!(value >> 16 & 0x7fff, 0xeb58 / 2);
                if value >> 31 != 0 {
                    self.inner = value & 0xffff;
                }
            }
            (0x38, 1) | (0x90, 2) => self.kicks += 1,
            (PLUS_COMMAND | RECEIVE_LIMIT, 2) | (TRANSMIT_LIMIT, 1) => {
                assert_eq!(self.registers[LOCK as usize], UNLOCKED);
                self.registers[offset as usize..][..size].copy_from_slice(&value.to_le_bytes()[..size]);
            }
            (TRANSMIT_CONFIGURATION | RECEIVE_CONFIGURATION, 4) => {
                assert_eq!(self.registers[COMMAND as usize], TRANSMIT_ENABLE | RECEIVE_ENABLE);
                self.registers[offset as usize..][..4].copy_from_slice(&value.to_le_bytes());
            }
            _ => self.registers[offset as usize..][..size].copy_from_slice(&value.to_le_bytes()[..size]),
        }
    }
}

type Driver = Rtl8169<Card, HostMemory>;

fn driver_of(vendor: u16, device: u16) -> Driver {
    let pci = PciIdentity { vendor, device, ..PCI };
    let mut driver = Rtl8169::try_new(Card::new(MAC), HostMemory(vec![0; MEMORY]), pci).unwrap();
    driver.open().unwrap();
    driver
}

fn driver() -> Driver {
    driver_of(PCI.vendor, PCI.device)
}

/// What the card does with a frame from the wire: false if the ring has no room.
fn deliver(driver: &mut Driver, frame: &[u8], flags: u32) -> bool {
    assert!(driver.device.host.is_master);
    let ring = (u64::from(driver.device.get(RECEIVE_RING_ADDRESS)) - HOST_MEMORY_ADDRESS) as usize;
    let descriptor = ring + driver.device.received * DESCRIPTOR;
    let word = driver.memory.read32(descriptor);
    if word & OWNED_BY_CARD == 0 {
        return false;
    }
    assert!((word & LENGTH) as usize >= frame.len());
    let buffer = (driver.memory.read64(descriptor + 8) - HOST_MEMORY_ADDRESS) as usize;
    driver.memory.bytes_mut(buffer, frame.len()).copy_from_slice(frame);
    driver.memory.write32(descriptor, word & END_OF_RING | flags | (frame.len() + CHECK_SEQUENCE) as u32);
    driver.device.received = if word & END_OF_RING != 0 { 0 } else { driver.device.received + 1 };
    true
}

/// The frames that the card finds in the transmit ring.
fn sent(driver: &mut Driver) -> Vec<Vec<u8>> {
    let ring = (u64::from(driver.device.get(TRANSMIT_RING_ADDRESS)) - HOST_MEMORY_ADDRESS) as usize;
    let mut frames = Vec::new();
    loop {
        let descriptor = ring + driver.device.sent * DESCRIPTOR;
        let word = driver.memory.read32(descriptor);
        if word & OWNED_BY_CARD == 0 {
            return frames;
        }
        assert_eq!(word & WHOLE, WHOLE);
        let buffer = (driver.memory.read64(descriptor + 8) - HOST_MEMORY_ADDRESS) as usize;
        frames.push(driver.memory.bytes(buffer, (word & 0xffff) as usize).to_vec());
        driver.memory.write32(descriptor, word & !OWNED_BY_CARD);
        driver.device.sent = if word & END_OF_RING != 0 { 0 } else { driver.device.sent + 1 };
    }
}

fn poll(driver: &mut Driver) {
    driver.poll(Instant::ZERO, Instant::ZERO).unwrap();
}

#[test]
fn each_family_is_set_up_in_its_way() {
    let pci = driver_of(0x10ec, 0x8169);
    assert_eq!(pci.device.get(PLUS_COMMAND) as u16, MULTIPLE);
    assert_eq!((pci.device.get(MISCELLANEOUS), pci.device.inner), (GATE, 3));
    let express = driver();
    assert_eq!(express.device.get(PLUS_COMMAND) as u16, 0);
    assert_eq!((express.device.get(MISCELLANEOUS), express.device.inner), (0, 3));
    let fast = driver_of(0x10ec, 0x8125);
    assert_eq!((fast.device.get(MISCELLANEOUS), fast.device.inner), (0, 2));
    for driver in [pci, express, fast] {
        assert_eq!((driver.identity().mac, driver.device.get(MULTICAST_FILTER)), (MacAddress(MAC), u32::MAX));
        assert_eq!(
            (driver.device.get(RECEIVE_CONFIGURATION) & 0xf, driver.device.get(LOCK) as u8),
            (0xe, LOCKED)
        );
    }
}

#[test]
fn frames_come_in_order_round_the_ring() {
    for device in [0x8169, 0x8168, 0x8125] {
        let driver = || driver_of(0x10ec, device);
        let deliver = |driver: &mut Driver, frame: &[u8]| deliver(driver, frame, WHOLE);
        nic::receives_in_order(&mut driver(), &[1, 127, 126, 3, 127, 20, 127], deliver);
        nic::holds_what_it_promises(&mut driver(), deliver);
    }
}

#[test]
fn broken_frames_are_dropped_and_counted() {
    let mut driver = driver();
    assert!(!driver.may_have_received());
    for flags in [0, WHOLE | ERROR, 1 << 29, 1 << 28] {
        assert!(deliver(&mut driver, &[0; 60], flags));
    }
    assert!(deliver(&mut driver, &[0; BUFFER - 4], WHOLE));
    assert!(deliver(&mut driver, &[9; 60], WHOLE));
    assert!(driver.may_have_received());
    assert_eq!(driver.receive(), Some(&[9; 60][..]));
    assert_eq!((driver.counters().received, driver.counters().receive_drops), (1, 5));
}

#[test]
fn frames_are_sent_padded_and_a_forgotten_order_is_given_again() {
    for device in [0x8168, 0x8125] {
        nic::sends_padded(&mut driver_of(0x10ec, device), TRANSMIT_SLOTS, |driver| {
            driver.device.kicks = 0;
            poll(driver);
            assert_eq!(driver.device.kicks, 1);
            let frames = sent(driver);
            poll(driver);
            assert_eq!(driver.device.kicks, 1);
            frames
        });
    }
}

#[test]
fn a_card_that_stopped_is_started_again() {
    let mut driver = driver();
    driver.device.registers[COMMAND as usize] = TRANSMIT_ENABLE;
    poll(&mut driver);
    assert!(deliver(&mut driver, &[2; 60], WHOLE));
    assert_eq!(driver.receive(), Some(&[2; 60][..]));
}

#[test]
fn a_closed_card_is_quiet() {
    let mut driver = driver();
    assert_eq!(driver.link(), Link::Up);
    driver.device.registers[PHY_STATUS as usize] = 0;
    assert_eq!(driver.link(), Link::Down);
    driver.close();
    assert_eq!((driver.device.host.is_master, driver.device.get(COMMAND) as u8), (false, 0));
    assert!(!driver.transmit(&[0; 60]));
    assert_eq!(driver.receive(), None);
}

#[test]
fn a_card_that_is_gone_or_has_no_address_is_told() {
    let card = Card::new(MAC);
    card.host.lies.replace(vec![u32::MAX; 1000]);
    let error = Rtl8169::try_new(card, HostMemory(vec![0; MEMORY]), PCI).unwrap_err();
    assert!(error.is(&errors::NO_ANSWER), "{error}");
    let error = Rtl8169::try_new(Card::new([0xff; 6]), HostMemory(vec![0; MEMORY]), PCI).unwrap_err();
    assert!(error.is(&errors::NO_ADDRESS), "{error}");
    assert!(Rtl8169::try_new(Card::new(MAC), HostMemory(vec![0; MEMORY - 1]), PCI).is_err());
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
