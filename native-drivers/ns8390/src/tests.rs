//! The driver against a card of the tests: a right one, and one that does what it likes.

use super::*;
use alloc::vec;
use alloc::vec::Vec;
use core::cell::RefCell;
use hw::device::{Host, HostDevice, HostMemory};
use proptest::prelude::*;

const MAC: [u8; 6] = [0x52, 0x54, 0, 0x12, 0x34, 0x56];
const PCI: PciIdentity = PciIdentity { bus_device_function: 0x10, vendor: 0x10ec, device: 0x8029 };
const PAGES: usize = 0x80;

#[derive(Debug)]
struct State {
    command: u8,
    events: u8,
    /// Both pages of registers, as written.
    first: [u8; 16],
    second: [u8; 16],
    memory: Vec<u8>,
    remote_address: usize,
    remote_count: usize,
}

impl State {
    /// One access to the port of data, of up to 4 bytes.
    fn remote(&mut self, size: usize, mut each: impl FnMut(&mut u8)) {
        assert!(self.remote_count >= size, "more is moved than was said");
        for _ in 0..size {
            each(&mut self.memory[self.remote_address]);
            self.remote_address += 1;
        }
        self.remote_count -= size;
        if self.remote_count == 0 {
            self.events |= REMOTE_DONE;
        }
    }
}

#[derive(Debug)]
struct Card {
    state: RefCell<State>,
    width: usize,
    /// What was sent; each stays on its way until the test says otherwise.
    sent: Vec<Vec<u8>>,
    host: Host,
}

impl Card {
    fn new(mac: [u8; 6], width: usize) -> Self {
        let mut memory = vec![0; PAGES * 256];
        for (number, byte) in mac.into_iter().enumerate() {
            memory[2 * number..][..2].fill(byte);
        }
        let state = State {
            command: 0,
            events: 0,
            first: [0; 16],
            second: [0; 16],
            memory,
            remote_address: 0,
            remote_count: 0,
        };
        Self { state: RefCell::new(state), width, sent: Vec::new(), host: Host::default() }
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
        assert_eq!((bar, size), (PORTS, if offset == DATA { self.width } else { 1 }));
        let mut state = self.state.borrow_mut();
        let is_second = state.command & SECOND_PAGE != 0;
        match offset {
            DATA => {
                assert_eq!(state.command & 0x38, 0x08);
                let (mut value, mut shift) = (0, 0);
                state.remote(size, |byte| {
                    value |= u32::from(*byte) << shift;
                    shift += 8;
                });
                value
            }
            RESET => {
                (state.command, state.events) = (STOP, IS_RESET);
                0
            }
            COMMAND => state.command.into(),
            CURRENT if is_second => state.second[7].into(),
            EVENTS => state.events.into(),
            TRANSMIT_STATUS => IS_GOOD.into(),
            _ => panic!("{offset:x}"),
        }
    }

    fn write(&mut self, _: u8, offset: u32, size: usize, value: u32) {
        assert_eq!(size, if offset == DATA { self.width } else { 1 });
        let state = self.state.get_mut();
        let is_second = state.command & SECOND_PAGE != 0;
        let byte = value as u8;
        match offset {
            COMMAND => {
                // The bit goes out by itself when the frame was sent.
                let transmitting = state.command & TRANSMITTING;
                state.command = byte | if byte & 1 == 0 { transmitting } else { 0 };
                if byte & 0x18 != 0 {
                    let pair =
                        |at: usize| usize::from(u16::from_le_bytes([state.first[at], state.first[at + 1]]));
                    (state.remote_address, state.remote_count) = (pair(8), pair(10));
                }
                if byte & TRANSMITTING != 0 {
                    assert_eq!(transmitting, 0, "a frame is on its way");
                    let start = usize::from(state.first[4]) * 256;
                    let length = usize::from(u16::from_le_bytes([state.first[5], state.first[6]]));
                    self.sent.push(state.memory[start..][..length].to_vec());
                }
            }
            DATA => {
                assert_eq!(state.command & 0x38, 0x10);
                let mut bytes = value.to_le_bytes().into_iter();
                state.remote(size, |byte| *byte = bytes.next().unwrap());
            }
            RESET => {}
            _ if is_second => state.second[offset as usize] = byte,
            EVENTS => state.events &= !byte,
            _ => state.first[offset as usize] = byte,
        }
    }
}

type Driver = Ns8390<Card, HostMemory>;

fn driver_of(width: usize, device: u16, vendor: u16) -> Driver {
    let pci = PciIdentity { vendor, device, ..PCI };
    let mut driver = Ns8390::try_new(Card::new(MAC, width), HostMemory(vec![0; MEMORY]), pci).unwrap();
    driver.open().unwrap();
    driver
}

fn driver() -> Driver {
    driver_of(4, PCI.device, PCI.vendor)
}

/// What the card does with a frame from the wire: false if the ring has no room.
fn deliver(driver: &mut Driver, frame: &[u8], status: u8) -> bool {
    let state = driver.chip.device.state.get_mut();
    assert_eq!((state.command & 3, state.first[0xc], state.second[1..7].to_vec()), (2, 0x0c, MAC.to_vec()));
    let (start, stop, boundary) = (state.first[1], state.first[2], state.first[3]);
    let current = state.second[7];
    let size = usize::from(stop - start);
    let pages = (HEADER + frame.len() + CHECK_SEQUENCE).div_ceil(256);
    let free = (usize::from(boundary) + size - usize::from(current)) % size;
    if pages >= if free == 0 { size } else { free + 1 } {
        return false;
    }
    let next = start + ((usize::from(current - start) + pages) % size) as u8;
    let [low, high] = ((frame.len() + CHECK_SEQUENCE) as u16).to_le_bytes();
    let bytes = [status, next, low, high].into_iter().chain(frame.iter().copied()).chain([0xcc; 4]);
    for (place, byte) in bytes.enumerate() {
        let offset = (usize::from(current - start) * 256 + place) % (size * 256);
        state.memory[usize::from(start) * 256 + offset] = byte;
    }
    state.second[7] = next;
    true
}

/// The frames that were sent.
fn sent(driver: &mut Driver) -> Vec<Vec<u8>> {
    let card = &mut driver.chip.device;
    card.state.get_mut().command &= !TRANSMITTING;
    core::mem::take(&mut card.sent)
}

fn poll(driver: &mut Driver) {
    driver.poll(Instant::ZERO, Instant::ZERO).unwrap();
}

#[test]
fn frames_come_in_order_round_the_ring() {
    for (width, vendor, device) in [(4, 0x10ec, 0x8029), (2, 0x1106, 0x0926), (4, 0x12c3, 0x5598)] {
        let mut driver = driver_of(width, device, vendor);
        assert_eq!((driver.identity().mac, driver.link()), (MacAddress(MAC), Link::Unknown));
        let bursts = [1, 4, 4, 3, 4, 4, 4, 4, 1, 4, 2, 4, 4];
        nic::receives_in_order(&mut driver, &bursts, |driver, frame| deliver(driver, frame, IS_GOOD));
    }
}

#[test]
fn the_card_holds_as_many_frames_as_are_promised() {
    let mut driver = driver();
    assert_eq!(driver.frames_ahead(), 9);
    nic::holds_what_it_promises(&mut driver, |driver, frame| deliver(driver, frame, IS_GOOD));
}

#[test]
fn a_ring_that_makes_no_sense_is_begun_anew() {
    let harms: [fn(&mut State); 5] = [
        |state| state.memory[usize::from(RING_START + 1) * 256] = 0,
        |state| state.memory[usize::from(RING_START + 1) * 256 + 1] = RING_STOP,
        |state| state.memory[usize::from(RING_START + 1) * 256 + 3] = 6,
        |state| state.second[7] = TRANSMIT_PAGE,
        |state| state.events |= OVERWRITTEN,
    ];
    for (number, harm) in harms.into_iter().enumerate() {
        let mut driver = driver();
        assert!(deliver(&mut driver, &[1; 60], IS_GOOD));
        harm(driver.chip.device.state.get_mut());
        if number < 4 {
            assert_eq!(driver.receive(), None);
            assert_eq!((driver.counters().receive_drops, driver.receive()), (1, None));
        }
        poll(&mut driver);
        assert!(deliver(&mut driver, &[2; 60], IS_GOOD));
        assert_eq!(driver.receive(), Some(&[2; 60][..]));
    }
}

#[test]
fn frames_are_sent_padded_one_by_one() {
    for (width, vendor, device) in [(4, 0x10ec, 0x8029), (2, 0x12c3, 0x0058)] {
        let mut driver = driver_of(width, device, vendor);
        for round in 1..6_u8 {
            assert!(driver.transmit(&[round; 21]));
            assert!(!driver.can_transmit() && !driver.transmit(&[0; 60]));
            assert_eq!(sent(&mut driver), [[vec![round; 21], vec![0; 39]].concat()]);
            poll(&mut driver);
            assert_eq!(driver.counters().sent, u64::from(round));
        }
        let frame: Vec<u8> = (0..FRAME_CAPACITY).map(|place| place as u8).collect();
        assert!(driver.transmit(&frame));
        assert_eq!(sent(&mut driver), [frame]);
    }
}

#[test]
fn a_card_that_never_ends_sending_is_started_again() {
    let mut driver = driver();
    assert!(driver.transmit(&[1; 60]));
    for (millis, is_ready) in [(0, false), (1000, false), (1400, false), (1501, true)] {
        let now = Instant::ZERO + Duration::from_millis(millis);
        driver.poll(now, now).unwrap();
        assert_eq!(driver.can_transmit(), is_ready);
    }
}

#[test]
fn a_card_that_does_not_take_a_frame_gets_no_other_before_it_is_started_again() {
    let mut driver = driver();
    driver.chip.device.host.lies.replace(vec![0; 1000]);
    assert!(driver.transmit(&[0; 60]));
    let waited = driver.chip.device.host.waited.get();
    assert!(!driver.can_transmit() && !driver.transmit(&[0; 60]));
    assert_eq!(driver.chip.device.host.waited.get(), waited);
    driver.chip.device.host.lies.replace(vec![]);
    poll(&mut driver);
    assert!(driver.transmit(&[0; 60]));
    assert_eq!(driver.counters().send_errors, 1);
}

#[test]
fn a_closed_card_is_quiet() {
    let mut driver = driver();
    driver.close();
    assert_eq!(driver.chip.device.state.get_mut().command, STOP);
    assert!(!driver.transmit(&[0; 60]));
    assert_eq!(driver.receive(), None);
}

#[test]
fn a_card_that_is_gone_or_has_no_address_is_told() {
    let card = Card::new(MAC, 4);
    card.host.lies.replace(vec![u32::MAX; 1000]);
    let error = Ns8390::try_new(card, HostMemory(vec![0; MEMORY]), PCI).unwrap_err();
    assert!(error.is(&errors::NO_ANSWER), "{error}");
    let error = Ns8390::try_new(Card::new([0xff; 6], 4), HostMemory(vec![0; MEMORY]), PCI).unwrap_err();
    assert!(error.is(&errors::NO_ADDRESS), "{error}");
    assert!(Ns8390::try_new(Card::new(MAC, 4), HostMemory(vec![0; MEMORY - 1]), PCI).is_err());
}

proptest! {
    /// Whatever the card says and writes, the driver neither panics nor hangs nor gives more than a frame.
    #[test]
    fn a_hostile_card_does_no_harm(
        lies in prop::collection::vec(any::<u32>(), 0..400),
        writes in prop::collection::vec((RING_START..RING_STOP, any::<[u8; 4]>()), 0..60),
        steps in prop::collection::vec(any::<u8>(), 1..60),
    ) {
        let mut driver = driver();
        for (page, header) in writes {
            driver.chip.device.state.get_mut().memory[usize::from(page) * 256..][..4].copy_from_slice(&header);
        }
        let mut lies = lies;
        nic::try_out(&mut driver, &steps, |driver| {
            driver.chip.device.host.waited.set(0);
            driver.chip.device.state.get_mut().command = START;
            driver.chip.device.host.lies.replace(lies.split_off(lies.len() - lies.len().min(9)));
        });
    }
}
