//! The driver against a card of the tests: a right one, and one that does what it likes.

use super::*;
use alloc::vec;
use alloc::vec::Vec;
use core::cell::RefCell;
use hw::device::{HOST_MEMORY_ADDRESS, Host, HostDevice, HostMemory};
use proptest::prelude::*;

const MAC: [u8; 6] = [0x52, 0x54, 0, 0x12, 0x34, 0x56];
const PCI: PciIdentity = PciIdentity { bus_device_function: 0x10, vendor: 0x1022, device: 0x2000 };

#[derive(Debug)]
struct State {
    /// The reset keeps how registers are reached, as it does on real cards.
    width: Width,
    index: u16,
    control: [u16; 128],
    bus: [u16; 128],
}

#[derive(Debug)]
struct Card {
    state: RefCell<State>,
    mac: [u8; 6],
    /// It initializes and starts when told to.
    works: bool,
    /// Where the card is in its rings.
    received: usize,
    sent: usize,
    host: Host,
}

impl Card {
    fn new(width: Width) -> Self {
        let mut state = State { width, index: 7, control: [7; 128], bus: [0; 128] };
        state.bus[usize::from(LIGHT)] = LIGHT_SHOWS_LINK | 1 << 7 | LIGHT_IS_ON;
        Self {
            state: RefCell::new(state),
            mac: MAC,
            works: true,
            received: 0,
            sent: 0,
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
        if offset < 6 {
            return self.mac[offset as usize].into();
        }
        let mut state = self.state.borrow_mut();
        if (size == 4) != (state.width == Width::DoubleWords) {
            return 0;
        }
        let index = usize::from(state.index) % 128;
        match offset {
            CONTROL_DATA => state.control[index].into(),
            _ if offset == state.width.index() => state.index.into(),
            _ if offset == state.width.bus_data() => state.bus[index].into(),
            _ => {
                assert_eq!(offset, state.width.reset());
                (state.control[0], state.index) = (STOP, 0);
                0
            }
        }
    }

    fn write(&mut self, _: u8, offset: u32, size: usize, value: u32) {
        let mut state = self.state.borrow_mut();
        if (size == 4) != (state.width == Width::DoubleWords) {
            assert_ne!((offset, size), (CONTROL_DATA, 4), "this would change the width");
            return;
        }
        let (index, value) = (usize::from(state.index) % 128, value as u16);
        match offset {
            CONTROL_DATA if index == 0 => {
                if value & INITIALIZE != 0 && self.works {
                    assert_eq!(state.bus[usize::from(SOFTWARE_STYLE)], STYLE_PCI);
                    state.control[0] = INITIALIZED;
                    (self.received, self.sent) = (0, 0);
                }
                if value & START != 0 {
                    state.control[0] |= RUNNING;
                }
            }
            CONTROL_DATA => state.control[index] = value,
            _ if offset == state.width.index() => state.index = value,
            _ if offset == state.width.bus_data() => state.bus[index] = value,
            _ => panic!("{offset:x}"),
        }
    }
}

type Driver = Pcnet32<Card, HostMemory>;

fn driver() -> Driver {
    let mut driver = Pcnet32::try_new(Card::new(Width::Words), HostMemory(vec![0; MEMORY]), PCI).unwrap();
    driver.open().unwrap();
    driver
}

/// What the card does with a frame from the wire: false if the ring has no room.
fn deliver(driver: &mut Driver, frame: &[u8], flags: u32) -> bool {
    assert!(driver.device.host.is_master);
    let block = [1, 2].map(|number| u32::from(driver.device.state.borrow().control[number]));
    assert_eq!(u64::from(block[0] | block[1] << 16), HOST_MEMORY_ADDRESS);
    let ring = (u64::from(driver.memory.read32(20)) - HOST_MEMORY_ADDRESS) as usize;
    let slots = 1 << (driver.memory.read32(0) >> 20 & 0xf);
    let descriptor = ring + driver.device.received * DESCRIPTOR;
    let word = driver.memory.read32(descriptor + 4);
    if word & OWNED_BY_CARD == 0 {
        return false;
    }
    assert!(0x1000 - (word & 0xfff) as usize >= frame.len() + CHECK_SEQUENCE || flags & WHOLE != WHOLE);
    let buffer = (u64::from(driver.memory.read32(descriptor)) - HOST_MEMORY_ADDRESS) as usize;
    driver.memory.bytes_mut(buffer, frame.len()).copy_from_slice(frame);
    driver.memory.write32(descriptor + 8, (frame.len() + CHECK_SEQUENCE) as u32);
    driver.memory.write32(descriptor + 4, word & !OWNED_BY_CARD | flags);
    driver.device.received = (driver.device.received + 1) % slots;
    true
}

/// The frames that the card finds in the transmit ring.
fn sent(driver: &mut Driver, error: u32) -> Vec<Vec<u8>> {
    let ring = (u64::from(driver.memory.read32(24)) - HOST_MEMORY_ADDRESS) as usize;
    let mut frames = Vec::new();
    loop {
        let descriptor = ring + driver.device.sent * DESCRIPTOR;
        let word = driver.memory.read32(descriptor + 4);
        if word & OWNED_BY_CARD == 0 {
            return frames;
        }
        assert_eq!((word & WHOLE, word & 0xf000), (WHOLE, 0xf000));
        let buffer = (u64::from(driver.memory.read32(descriptor)) - HOST_MEMORY_ADDRESS) as usize;
        frames.push(driver.memory.bytes(buffer, 0x1000 - (word & 0xfff) as usize).to_vec());
        driver.memory.write32(descriptor + 4, word & !OWNED_BY_CARD | error);
        driver.device.sent = (driver.device.sent + 1) % TRANSMIT_SLOTS;
    }
}

fn poll(driver: &mut Driver) {
    driver.poll(Instant::ZERO, Instant::ZERO).unwrap();
}

#[test]
fn a_card_is_driven_by_words_or_by_double_words() {
    for width in [Width::Words, Width::DoubleWords] {
        let mut driver = Pcnet32::try_new(Card::new(width), HostMemory(vec![0; MEMORY]), PCI).unwrap();
        driver.open().unwrap();
        assert_eq!((driver.width, driver.identity().mac), (width, MacAddress(MAC)));
        assert!(deliver(&mut driver, &[5; 60], WHOLE));
        assert_eq!(driver.receive(), Some(&[5; 60][..]));
    }
}

#[test]
fn frames_come_in_order_round_the_ring() {
    let deliver = |driver: &mut Driver, frame: &[u8]| deliver(driver, frame, WHOLE);
    nic::receives_in_order(&mut driver(), &[1, 63, 62, 3, 63, 20, 63], deliver);
    nic::holds_what_it_promises(&mut driver(), deliver);
}

#[test]
fn broken_frames_are_dropped_and_counted() {
    let mut driver = driver();
    assert!(!driver.may_have_received());
    for flags in [0, WHOLE | ERROR, 1 << 25, 1 << 24] {
        assert!(deliver(&mut driver, &[0; 60], flags));
    }
    assert!(driver.may_have_received());
    assert!(deliver(&mut driver, &[0; BUFFER - 4], WHOLE));
    assert!(deliver(&mut driver, &[9; 60], WHOLE));
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
fn a_card_that_stopped_is_started_again() {
    let mut driver = driver();
    driver.device.state.borrow_mut().control[0] = START;
    poll(&mut driver);
    assert!(deliver(&mut driver, &[2; 60], WHOLE));
    assert_eq!(driver.receive(), Some(&[2; 60][..]));
}

#[test]
fn a_card_that_does_not_initialize_stays_quiet() {
    let mut driver = driver();
    driver.device.works = false;
    assert!(driver.open().is_err_and(|error| error.is(&errors::NO_ANSWER)));
    assert!(!driver.device.host.is_master && !driver.can_transmit());
}

#[test]
fn the_light_shows_the_link() {
    let mut driver = driver();
    let mut link = |light| {
        driver.device.state.borrow_mut().bus[usize::from(LIGHT)] = light;
        driver.link()
    };
    assert_eq!(link(LIGHT_SHOWS_LINK | 1 << 7 | LIGHT_IS_ON), Link::Up);
    assert_eq!(link(LIGHT_SHOWS_LINK | 1 << 7), Link::Down);
    assert_eq!(link(LIGHT_SHOWS_LINK | 1 << 4), Link::Unknown);
    assert_eq!(link(u16::MAX), Link::Down);
}

#[test]
fn a_closed_card_is_quiet() {
    let mut driver = driver();
    driver.close();
    assert_eq!((driver.device.host.is_master, driver.device.state.borrow().control[0]), (false, STOP));
    assert!(!driver.transmit(&[0; 60]));
    assert_eq!(driver.receive(), None);
}

#[test]
fn a_card_that_is_gone_or_has_no_address_is_told() {
    let card = Card::new(Width::Words);
    card.host.lies.replace(vec![u32::MAX; 1000]);
    let error = Pcnet32::try_new(card, HostMemory(vec![0; MEMORY]), PCI).unwrap_err();
    assert!(error.is(&errors::NO_ANSWER), "{error}");
    let mut card = Card::new(Width::Words);
    (card.mac, card.state.get_mut().control) = ([0xff; 6], [0; 128]);
    let error = Pcnet32::try_new(card, HostMemory(vec![0; MEMORY]), PCI).unwrap_err();
    assert!(error.is(&errors::NO_ADDRESS), "{error}");
    assert!(Pcnet32::try_new(Card::new(Width::Words), HostMemory(vec![0; MEMORY - 1]), PCI).is_err());
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
