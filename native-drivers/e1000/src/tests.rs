//! The driver against a card of the tests: a right one, and one that does what it likes.

use super::*;
use alloc::vec;
use alloc::vec::Vec;
use core::cell::RefCell;
use hw::device::{HOST_MEMORY_ADDRESS, Host, HostDevice, HostMemory};
use proptest::prelude::*;

const MAC: [u8; 6] = [0x52, 0x54, 0, 0x12, 0x34, 0x56];
const PCI: PciIdentity = PciIdentity { bus_device_function: 0x10, vendor: 0x8086, device: 0x100e };
/// An 82574.
const EXPRESS_CARD: PciIdentity = PciIdentity { device: 0x10d3, ..PCI };
/// An I217.
const CHIPSET_CARD: PciIdentity = PciIdentity { device: 0x153a, ..PCI };
/// An I219.
const I219_CARD: PciIdentity = PciIdentity { device: 0x15b8, ..PCI };
/// An 82576, whose descriptors are of the advanced format.
const ADVANCED_CARD: PciIdentity = PciIdentity { device: 0x10c9, ..PCI };
/// One of each kind that starts in a way of its own.
const KINDS: [PciIdentity; 5] = [PCI, EXPRESS_CARD, CHIPSET_CARD, I219_CARD, ADVANCED_CARD];

/// Microseconds until accesses to memory end, and from a reset until the card may be read, until one on PCI has loaded
/// its memory, and until others have.
const BUSY: u64 = 300;
const QUIET: u64 = 20_000;
const LOADING: u64 = 5_000;
const SLOW_LOADING: u64 = 35_000;
/// Until the firmware lets go of the PHY, and until a register of that is written.
const OWNED: u64 = 10_000;
const MANAGING: u64 = 64;

/// Registers that keep what is written.
#[derive(Debug)]
struct Card {
    family: Family,
    registers: RefCell<Vec<(u32, u32)>>,
    host: Host,
    /// Which port it is. The memory has the first one's address, with its last bit inverted.
    port: u8,
    /// What the driver does too early is a failure of the test.
    is_strict: bool,
    /// When accesses to memory end; when the card may be read again, and when it has loaded its memory.
    idle_at: u64,
    quiet_until: u64,
    loaded_at: u64,
    /// When the PHY has what was written to it, and when it is ours, if it is to be.
    managed_at: u64,
    owned_at: u64,
    /// How many times a PHY was told something.
    told: usize,
    /// An I219 has begun something with its rings.
    is_transmit_ring_busy: bool,
    is_receive_ring_busy: bool,
}

impl Default for Card {
    fn default() -> Self {
        Self {
            family: Family::Pci,
            registers: RefCell::default(),
            host: Host::default(),
            port: 0,
            is_strict: true,
            idle_at: u64::MAX,
            quiet_until: 0,
            loaded_at: 0,
            managed_at: 0,
            owned_at: u64::MAX,
            told: 0,
            is_transmit_ring_busy: false,
            is_receive_ring_busy: false,
        }
    }
}

impl Card {
    fn get(&self, register: u32) -> u32 {
        self.registers.borrow().iter().rfind(|entry| entry.0 == register).map_or(0, |entry| entry.1)
    }

    fn is_of_a_chipset(&self) -> bool {
        matches!(self.family, Family::Chipset | Family::I219)
    }

    /// An I219 begins something with its rings when it is told to run, and does it when it is told how.
    fn turn_rings(&mut self, register: u32, value: u32) {
        let is_told = self.get(registers::WORKAROUNDS) & 1 << 13 != 0 && self.host.is_master;
        match register {
            registers::RECEIVE_CONTROL if value == receive_control::RUN => {
                self.is_transmit_ring_busy = true;
                self.is_receive_ring_busy = true;
            }
            0x3818 if is_told && self.get(registers::TRANSMIT_CONTROL) & 2 != 0 => {
                self.is_transmit_ring_busy = false;
            }
            registers::RECEIVE_CONTROL
                if value == 2
                    && is_told
                    && self.get(0x2828) == 0x0100_011f
                    && !self.is_transmit_ring_busy =>
            {
                self.is_receive_ring_busy = false;
            }
            _ => {}
        }
    }

    fn is_busy(&self) -> bool {
        self.family == Family::I219 && (self.is_transmit_ring_busy || self.is_receive_ring_busy)
    }

    fn is_past(&self, time: u64) -> bool {
        self.host.waited.get() >= time
    }

    /// A reset with nothing on its way, after which the card loads its memory for a while.
    fn reset(&mut self) {
        let is_express = self.family.loading().is_some();
        assert!(!self.is_strict || !self.host.is_master, "memory may be accessed");
        assert!(!self.is_strict || !is_express || self.is_past(self.idle_at), "memory is being accessed");
        assert!(!self.is_strict || !self.is_busy(), "the card hangs until it loses its power");
        let now = self.host.waited.get();
        self.idle_at = u64::MAX;
        self.quiet_until = now + QUIET;
        self.loaded_at = now + if is_express { SLOW_LOADING } else { LOADING };
    }

    /// Something is written to a PHY, of which there is one: where a card has it, and when it is the driver's.
    fn manage(&mut self, value: u32) {
        let is_shared = self.family == Family::Express || self.is_of_a_chipset();
        assert!(!self.is_strict || self.is_past(self.managed_at), "the PHY is still told something");
        assert!(!self.is_strict || !is_shared || self.is_past(self.owned_at), "the PHY is the firmware's");
        let phy = if self.is_of_a_chipset() { 2 } else { 1 };
        self.managed_at = self.host.waited.get() + MANAGING;
        self.told += 1;
        if value == 1 << 26 | phy << 21 | 0x1200 {
            self.set(registers::STATUS, status::LINK_UP);
        }
    }

    fn set(&self, register: u32, value: u32) {
        let mut registers = self.registers.borrow_mut();
        registers.retain(|entry| entry.0 != register);
        registers.push((register, value));
    }
}

impl HostDevice for Card {
    fn host(&self) -> &Host {
        &self.host
    }

    fn host_mut(&mut self) -> &mut Host {
        &mut self.host
    }

    fn configuration(&self, offset: u16) -> u32 {
        assert_eq!(offset, registers::RINGS);
        if self.is_busy() { 1 << 8 } else { 0 }
    }

    fn read(&self, bar: u8, register: u32, size: usize) -> u32 {
        assert_eq!((bar, register % 4, size), (0, 0, 4));
        assert!(!self.is_strict || self.is_past(self.quiet_until), "the bus hangs");
        let is_loaded = self.is_past(self.loaded_at);
        let loaded = if is_loaded { registers::IS_LOADED } else { 0 };
        match register {
            registers::RECEIVE_ADDRESS_LOW if is_loaded => {
                u32::from_le_bytes([MAC[0], MAC[1], MAC[2], MAC[3]])
            }
            registers::RECEIVE_ADDRESS_HIGH if is_loaded => {
                u32::from_le_bytes([MAC[4], MAC[5] ^ self.port << 4, 0, 0x80])
            }
            registers::MEMORY_CONTROL if !self.is_of_a_chipset() => loaded,
            registers::MANAGEMENT if !self.is_past(self.managed_at) => 0,
            registers::MANAGEMENT => registers::IS_MANAGED,
            registers::PHY_OWNER if self.is_past(self.owned_at) => registers::PHY_IS_OURS,
            registers::PHY_OWNER => 0,
            registers::STATUS => {
                let done = if self.is_of_a_chipset() { loaded } else { 0 };
                let master = if self.is_past(self.idle_at) { 0 } else { status::IS_MASTER };
                self.get(register) | done | master | u32::from(self.port) << 2
            }
            _ => self.get(register),
        }
    }

    fn write(&mut self, _: u8, register: u32, size: usize, value: u32) {
        assert_eq!(size, 4);
        self.turn_rings(register, value);
        let value = match register {
            registers::CONTROL if value & control::RESET != 0 => {
                self.reset();
                value & !(control::RESET | control::NO_MASTER)
            }
            registers::MANAGEMENT => {
                self.manage(value);
                value
            }
            registers::PHY_OWNER => {
                let is_wanted = value & registers::PHY_IS_OURS != 0;
                self.owned_at = if is_wanted { self.host.waited.get() + OWNED } else { u64::MAX };
                value
            }
            registers::CONTROL if value & control::NO_MASTER != 0 => {
                self.idle_at = self.host.waited.get() + BUSY;
                value
            }
            registers::MEMORY_READ => {
                let (shift, done) = self.family.memory_read().unwrap();
                let word = (value >> shift & 3) as usize * 2;
                done | u32::from_le_bytes([0, 0, MAC[word], MAC[word + 1] ^ u8::from(word == 4)])
            }
            _ => value,
        };
        self.set(register, value);
    }
}

type Driver = E1000<Card, HostMemory>;

fn driver_of(pci: PciIdentity) -> Driver {
    driver_of_port(pci, 0)
}

fn driver_of_port(pci: PciIdentity, port: u8) -> Driver {
    let card = Card { family: ids::family(pci.device).unwrap(), port, ..Card::default() };
    let mut driver = E1000::try_new(card, HostMemory(vec![0; MEMORY]), pci).unwrap();
    driver.open().unwrap();
    driver
}

fn driver() -> Driver {
    driver_of(PCI)
}

/// What the card says of a frame that is whole.
fn whole(driver: &Driver) -> u64 {
    driver.format.received | driver.format.whole
}

/// What the card does with a frame from the wire: false if the ring has no room.
fn deliver(driver: &mut Driver, frame: &[u8], flags: u64) -> bool {
    let ring = driver.format.receive_ring;
    let [head, tail] = [registers::RING_HEAD, registers::RING_TAIL].map(|at| driver.device.get(ring + at));
    if head == tail {
        return false;
    }
    let is_enabled = driver.device.get(ring + registers::RING_CONTROL) & registers::RING_ENABLE != 0;
    assert_eq!(is_enabled, driver.family.is_advanced());
    assert!(driver.device.host.is_master);
    let descriptor = head as usize * DESCRIPTOR;
    let buffer = (driver.memory.read64(descriptor) - HOST_MEMORY_ADDRESS) as usize;
    driver.memory.bytes_mut(buffer, frame.len()).copy_from_slice(frame);
    if driver.family.is_advanced() {
        assert_eq!(driver.memory.read64(descriptor + 8), 0, "a header's buffer");
        driver.memory.write64(descriptor, u64::MAX);
    }
    driver.memory.write64(descriptor + 8, (frame.len() as u64) << driver.format.length_shift | flags);
    driver.device.set(ring + registers::RING_HEAD, (head + 1) % RECEIVE_SLOTS as u32);
    true
}

/// The frames that the card finds in the transmit ring.
fn sent(driver: &mut Driver) -> Vec<Vec<u8>> {
    let ring = driver.format.transmit_ring;
    let wants_bit = driver.device.is_of_a_chipset() || driver.family == Family::Express;
    assert_eq!(driver.device.get(ring + registers::RING_CONTROL) & 1 << 22 != 0, wants_bit);
    let mut frames = Vec::new();
    loop {
        let [head, tail] =
            [registers::RING_HEAD, registers::RING_TAIL].map(|at| driver.device.get(ring + at));
        if head == tail {
            return frames;
        }
        let descriptor = TRANSMIT_RING + head as usize * DESCRIPTOR;
        let buffer = (driver.memory.read64(descriptor) - HOST_MEMORY_ADDRESS) as usize;
        let word = driver.memory.read64(descriptor + 8);
        assert_eq!(word & driver.format.send, driver.format.send);
        let length = word & 0xffff;
        assert_eq!(word >> 46, if driver.family.is_advanced() { length } else { 0 });
        frames.push(driver.memory.bytes(buffer, length as usize).to_vec());
        if driver.family.is_advanced() {
            driver.memory.write64(descriptor, u64::MAX);
        }
        driver.memory.write64(descriptor + 8, word | registers::SENT);
        driver.device.set(ring + registers::RING_HEAD, (head + 1) % TRANSMIT_SLOTS as u32);
    }
}

#[test]
fn a_phy_that_is_another_chip_is_not_for_us() {
    for device in [0x0438, 0x1511, 0x1524, 0x1538, 0x1f41] {
        assert!(!drives(0x8086, device), "{device:04x}");
    }
    assert!(drives(0x8086, 0x1521));
}

#[test]
fn addresses_come_from_the_card() {
    for (pci, name) in KINDS.into_iter().zip(["e1000", "e1000", "e1000", "e1000", "igb"]) {
        let driver = driver_of(pci);
        assert_eq!((driver.identity().mac, driver.identity().driver), (MacAddress(MAC), name));
        let last = if [CHIPSET_CARD, I219_CARD].contains(&pci) { 0x56 } else { 0x57 };
        assert_eq!(driver.identity().permanent_mac, MacAddress([0x52, 0x54, 0, 0x12, 0x34, last]));
    }
}

#[test]
fn the_second_port_has_an_address_of_its_own() {
    for pci in KINDS {
        let identity = driver_of_port(pci, 1).identity().clone();
        assert_eq!(identity.mac, MacAddress([0x52, 0x54, 0, 0x12, 0x34, 0x46]));
        assert_eq!(identity.permanent_mac, identity.mac);
    }
}

#[test]
fn frames_come_in_order_round_the_ring() {
    for pci in KINDS {
        let good = whole(&driver_of(pci));
        let deliver = |driver: &mut Driver, frame: &[u8]| deliver(driver, frame, good);
        let most = RECEIVE_SLOTS - 1 - REFILL;
        nic::receives_in_order(&mut driver_of(pci), &[1, 100, most, 3, most, 64, 1], deliver);
        nic::holds_what_it_promises(&mut driver_of(pci), deliver);
    }
}

#[test]
fn broken_frames_are_dropped_and_counted() {
    let mut driver = driver();
    let good = whole(&driver);
    for flags in [driver.format.received, good | 1 << 40, good | 1 << 47] {
        assert!(deliver(&mut driver, &[0; 60], flags));
    }
    assert!(deliver(&mut driver, &[0; FRAME_CAPACITY + 1], good));
    assert!(deliver(&mut driver, &[9; 60], good));
    assert_eq!(driver.receive(), Some(&[9; 60][..]));
    assert_eq!((driver.counters().received, driver.counters().receive_drops), (1, 4));
}

#[test]
fn frames_are_sent_padded_and_as_many_as_there_is_room_for() {
    for pci in KINDS {
        nic::sends_padded(&mut driver_of(pci), TRANSMIT_SLOTS - 1, sent);
    }
}

#[test]
fn a_phy_without_a_link_is_woken_once() {
    for (pci, is_asleep) in KINDS.into_iter().flat_map(|pci| [(pci, true), (pci, false)]) {
        let mut driver = driver_of(pci);
        let told = if is_asleep { registers::PHYS.len() } else { 0 };
        driver.device.set(registers::STATUS, if is_asleep { 0 } else { status::LINK_UP });
        for (second, expected) in [(5, 0), (6, told), (9, told)] {
            let now = Instant::ZERO + Duration::from_secs(second);
            driver.poll(now, now).unwrap();
            assert_eq!(driver.device.told, expected);
            assert_eq!(driver.link() == Link::Up, second < 9 && (!is_asleep || expected > 0));
            assert_eq!(driver.device.owned_at, u64::MAX, "the PHY is kept");
            if second == 6 {
                driver.device.set(registers::STATUS, 0);
            }
        }
    }
}

#[test]
fn a_closed_card_is_quiet() {
    let mut driver = driver();
    let good = whole(&driver);
    driver.close();
    assert!(!driver.device.host.is_master);
    assert_eq!(driver.device.get(registers::RECEIVE_CONTROL), 0);
    assert!(!driver.transmit(&[0; 60]));
    assert_eq!(driver.receive(), None);
    driver.open().unwrap();
    assert!(!driver.may_have_received());
    assert!(deliver(&mut driver, &[1; 60], good));
    assert!(driver.may_have_received());
    assert_eq!(driver.receive(), Some(&[1; 60][..]));
}

#[test]
fn the_rings_of_an_i219_are_emptied_before_its_reset() {
    let mut driver = driver_of(I219_CARD);
    for _ in 0..3 {
        assert!(driver.transmit(&[0; 60]));
        assert!(driver.device.is_busy());
        driver.close();
        assert!(!driver.device.is_busy());
        driver.open().unwrap();
    }
    // While it is open, too.
    driver.open().unwrap();
}

#[test]
fn a_card_that_is_gone_is_told() {
    let card = Card::default();
    card.host.lies.replace(vec![u32::MAX; 1000]);
    let error = E1000::try_new(card, HostMemory(vec![0; MEMORY]), PCI).unwrap_err();
    assert!(error.is(&errors::NO_ANSWER), "{error}");
    assert!(E1000::try_new(Card::default(), HostMemory(vec![0; MEMORY - 1]), PCI).is_err());
    assert!(
        E1000::try_new(Card::default(), HostMemory(vec![0; MEMORY]), PciIdentity { device: 1, ..PCI })
            .is_err()
    );
}

proptest! {
    /// Whatever the card says and writes, the driver neither panics nor hangs nor gives more than a frame.
    #[test]
    fn a_hostile_card_does_no_harm(
        lies in prop::collection::vec(any::<u32>(), 0..400),
        writes in prop::collection::vec((0..TRANSMIT_BUFFERS, any::<u64>()), 0..300),
        steps in prop::collection::vec(any::<u8>(), 1..60),
        pci in prop::sample::select(&KINDS[..]),
    ) {
        let mut driver = driver_of(pci);
        driver.device.is_strict = false;
        driver.device.host.lies.replace(lies);
        for (offset, value) in writes {
            driver.memory.write64(offset & !7, value);
        }
        nic::try_out(&mut driver, &steps, |driver| driver.device.host.waited.set(0));
    }
}
