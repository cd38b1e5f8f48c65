//! The driver against a card of the tests: a right one, and one that does what it likes.

use super::*;
use alloc::vec;
use hw::device::{HOST_MEMORY_ADDRESS, Host, HostDevice, HostMemory};
use proptest::prelude::*;

const MAC: [u8; 6] = [0x52, 0x54, 0, 0x12, 0x34, 0x56];
/// OWN: the slot is the driver's.
const TRANSMIT_OWN: u32 = 1 << 13;
const PCI: PciIdentity = PciIdentity { bus_device_function: 0x10, vendor: 0x10ec, device: 0x8139 };

#[derive(Debug, Default)]
struct Card {
    command: u8,
    is_empty: bool,
    status: [u32; 4],
    /// To whom it listens: the receive configuration and the filter of multicasts.
    listens: u32,
    filter: u64,
    /// Where the driver reads and where the card writes.
    read: usize,
    written: usize,
    host: Host,
}

impl HostDevice for Card {
    fn host(&self) -> &Host {
        &self.host
    }

    fn host_mut(&mut self) -> &mut Host {
        &mut self.host
    }

    fn read(&self, _: u8, offset: u32, _: usize) -> u32 {
        match offset {
            0..6 => MAC[offset as usize].into(),
            0x10..0x20 => self.status[(offset as usize - 0x10) / 4],
            COMMAND => u32::from(self.command | if self.is_empty { BUFFER_EMPTY } else { 0 }),
            _ => 0,
        }
    }

    fn write(&mut self, _: u8, offset: u32, _: usize, value: u32) {
        match offset {
            0x10..0x20 => self.status[(offset as usize - 0x10) / 4] = value,
            COMMAND if value & u32::from(RESET) != 0 => {
                (self.command, self.is_empty, self.read, self.written) = (0, true, 0, 0);
            }
            COMMAND => self.command = value as u8,
            READ_PLACE => {
                self.read = usize::from((value as u16).wrapping_add(16)) % RING;
                self.is_empty = self.read == self.written;
            }
            // The configuration can be written only after the card is on.
            RECEIVE_CONFIGURATION if self.command & RECEIVE_ENABLE != 0 => self.listens = value,
            MULTICAST_FILTER => self.filter = self.filter & !u64::from(u32::MAX) | u64::from(value),
            0x0c => self.filter = self.filter & u64::from(u32::MAX) | u64::from(value) << 32,
            RECEIVE_ADDRESS => assert_eq!(u64::from(value), HOST_MEMORY_ADDRESS),
            _ => {}
        }
    }
}

impl Card {
    /// Whether it takes a frame from the wire for a station (datasheet, RCR, bits 1 to 3).
    fn hears(&self, station: [u8; 6]) -> bool {
        // The upper six bits of the address's check sequence, before it is inverted.
        let check = station.iter().fold(u32::MAX, |check, byte| {
            (0..8).fold(check, |check, bit| {
                let is_set = check >> 31 != u32::from(byte >> bit & 1);
                check << 1 ^ if is_set { 0x04c1_1db7 } else { 0 }
            })
        });
        match station {
            MAC => self.listens & 1 << 1 != 0,
            [0xff, 0xff, 0xff, 0xff, 0xff, 0xff] => self.listens & 1 << 3 != 0,
            [first, ..] => {
                first & 1 != 0 && self.listens & 1 << 2 != 0 && self.filter >> (check >> 26) & 1 != 0
            }
        }
    }
}

type Driver = Rtl8139<Card, HostMemory>;

fn driver() -> Driver {
    let mut driver = Rtl8139::try_new(Card::default(), HostMemory(vec![0; MEMORY]), PCI).unwrap();
    driver.open().unwrap();
    driver
}

/// What the card does with a frame from the wire: false if the ring has no room.
fn deliver(driver: &mut Driver, frame: &[u8], status: u16) -> bool {
    let card = &driver.device;
    let used = (card.written + RING - card.read) % RING;
    let length = (HEADER + frame.len() + CHECK_SEQUENCE).next_multiple_of(4);
    if used + length >= RING {
        return false;
    }
    assert!(card.host.is_master && card.command & RECEIVE_ENABLE != 0);
    let at = card.written;
    let header = u32::from(status) | ((frame.len() + CHECK_SEQUENCE) as u32) << 16;
    driver.memory.write32(at, header);
    driver.memory.bytes_mut(at + HEADER, frame.len()).copy_from_slice(frame);
    driver.device.written = (at + length) % RING;
    driver.device.is_empty = false;
    true
}

fn poll(driver: &mut Driver) {
    driver.poll(Instant::ZERO, Instant::ZERO).unwrap();
}

#[test]
fn frames_come_in_order_round_the_ring() {
    let mut driver = driver();
    assert_eq!(driver.identity().mac, MacAddress(MAC));
    let bursts = [1, 20, 21, 3, 21, 20, 21, 21, 1, 21, 21];
    let deliver = |driver: &mut Driver, frame: &[u8]| deliver(driver, frame, RECEIVE_OK);
    nic::receives_in_order(&mut driver, &bursts, deliver);
    nic::holds_what_it_promises(&mut driver, deliver);
}

#[test]
fn cards_that_others_sell_are_driven_but_not_what_is_no_8139() {
    for (vendor, device) in
        [(0x10ec, 0x8139), (0x1743, 0x8139), (0x126c, 0x1211), (0x1500, 0x1360), (0x14ea, 0xab07)]
    {
        assert!(drives(vendor, device), "{vendor:x}:{device:x}");
    }
    assert!(!drives(0x10ec, 0x8129) && !drives(0x10ec, 0x8169));
    assert!(CARDS.iter().enumerate().all(|(place, card)| !CARDS[..place].contains(card)));
}

#[test]
fn it_listens_to_itself_broadcasts_and_all_multicasts() {
    let driver = driver();
    for last in 0..=u8::MAX {
        // Spanning tree is 0, LACP 2, 802.1X 3.
        assert!(driver.device.hears([0x01, 0x80, 0xc2, 0, 0, last]), "{last}");
        assert!(driver.device.hears([0x01, 0, 0x5e, last, 0, 1]), "{last}");
    }
    assert!(driver.device.hears(MAC) && driver.device.hears([0xff; 6]));
    assert!(!driver.device.hears([0x52, 0x54, 0, 0x12, 0x34, 0x57]));
}

#[test]
fn a_ring_that_makes_no_sense_is_begun_anew() {
    for (length, status) in [(60, RECEIVE_OK | 1 << 2), (60, 0), (FRAME_CAPACITY + 1, RECEIVE_OK)] {
        let mut driver = driver();
        assert!(deliver(&mut driver, &vec![1; length], status));
        assert_eq!(driver.receive(), None);
        assert_eq!(driver.counters().receive_drops, 1);
        poll(&mut driver);
        assert!(!driver.may_have_received());
        assert!(deliver(&mut driver, &[2; 60], RECEIVE_OK));
        assert!(driver.may_have_received());
        assert_eq!(driver.receive(), Some(&[2; 60][..]));
    }
}

#[test]
fn frames_are_sent_padded_and_as_many_as_there_is_room_for() {
    nic::sends_padded(&mut driver(), TRANSMIT_SLOTS, |driver| {
        let send = |slot: usize| {
            let order = driver.device.status[slot];
            assert_eq!(order & TRANSMIT_OWN, 0);
            driver.device.status[slot] |= TRANSMIT_OWN | TRANSMIT_DONE;
            driver.memory.bytes(buffer(slot), (order & 0x1fff) as usize).to_vec()
        };
        (0..TRANSMIT_SLOTS).map(send).collect()
    });
}

#[test]
fn a_closed_card_is_quiet() {
    let mut driver = driver();
    driver.close();
    assert_eq!((driver.device.host.is_master, driver.device.command), (false, 0));
    assert!(!driver.transmit(&[0; 60]));
    assert_eq!(driver.receive(), None);
}

#[test]
fn a_card_that_is_gone_is_told() {
    let card = Card::default();
    card.host.lies.replace(vec![u32::MAX; 1000]);
    let error = Rtl8139::try_new(card, HostMemory(vec![0; MEMORY]), PCI).unwrap_err();
    assert!(error.is(&errors::NO_ANSWER), "{error}");
}

proptest! {
    /// Whatever the card says and writes, the driver neither panics nor hangs nor gives more than a frame.
    #[test]
    fn a_hostile_card_does_no_harm(
        lies in prop::collection::vec(any::<u32>(), 0..400),
        writes in prop::collection::vec((0..RING_ROOM, any::<u64>()), 0..300),
        steps in prop::collection::vec(any::<u8>(), 1..60),
    ) {
        let mut driver = driver();
        driver.device.host.lies.replace(lies);
        for (offset, value) in writes {
            driver.memory.write64(offset & !7, value);
        }
        nic::try_out(&mut driver, &steps, |driver| {
            driver.device.host.waited.set(0);
            driver.device.is_empty = false;
        });
    }
}
