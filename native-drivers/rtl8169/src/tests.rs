//! The driver against a card of the tests: a right one, and one that does what it likes.

use super::*;
use alloc::vec;
use alloc::vec::Vec;
use hw::device::{HOST_MEMORY_ADDRESS, Host, HostDevice, HostMemory};
use proptest::prelude::*;

const MAC: [u8; 6] = [0x52, 0x54, 0, 0x12, 0x34, 0x56];
const PCI: PciIdentity = PciIdentity { bus_device_function: 0x10, vendor: 0x10ec, device: 0x8168 };

/// Registers by bytes, those behind [`INNER`], and the PHY's.
#[derive(Debug)]
struct Card {
    registers: [u8; 256],
    inner: u32,
    phy: Phy,
    /// Register 1A8h behind ERIAR: whether the PHY's processor is let in (bits 31 to 26).
    extended: u32,
    /// The PHY is never done with what it was told.
    is_mute: bool,
    /// How often it was told to look for frames.
    kicks: usize,
    /// Where the card is in its rings.
    received: usize,
    sent: usize,
    host: Host,
}

/// What a PHY has: IEEE 802.3, section 22.2.4.
#[derive(Debug)]
struct Phy {
    registers: [u16; 256],
    /// How often it was told to negotiate anew.
    negotiations: usize,
}

/// A PHY that has negotiated and offers all that one for gigabits can.
const AWAKE: [(usize, u16); 5] = [(0, 0x1000), (1, 0x7949), (4, 0x0de1), (9, 0x0200), (0xea, 0x0080)];

impl Phy {
    fn new(values: &[(usize, u16)]) -> Self {
        let mut phy = Self { registers: [0; 256], negotiations: 0 };
        for (register, value) in values {
            phy.registers[*register] = *value;
        }
        phy
    }

    /// Of page 0, unless another one is chosen by register 31.
    fn read(&self, register: u32) -> u32 {
        let is_seen = register == 31 || self.registers[31] == 0;
        if is_seen { self.registers[register as usize].into() } else { 0xdead }
    }

    fn write(&mut self, register: u32, value: u32) {
        let mut value = value as u16;
        let is_seen = register == 31 || self.registers[31] == 0;
        assert!(is_seen, "register {register} of another page");
        if register == 0 {
            assert_eq!(value & 0x8c00, 0, "it stays awake");
            self.negotiations += usize::from(value & 0x1200 == 0x1200);
            value &= !0x0200;
        }
        self.registers[register as usize] = value;
    }

    /// Powered, joined to the card, negotiating, and offering gigabits if it can.
    fn is_ready(&self) -> bool {
        let [control, status, _, _, offered, ..] = self.registers;
        let is_whole = status & 1 << 8 == 0 || self.registers[9] & 0x0200 != 0;
        control & 0x1c00 == 0x1000 && offered & 0x01e0 == 0x01e0 && is_whole && self.registers[14] == 0
    }
}

impl Card {
    /// With this in the transmit configuration, by which a chip is known.
    fn chip(identity: u32) -> Self {
        let mut card = Self::new(MAC);
        card.registers[TRANSMIT_CONFIGURATION as usize..][..4]
            .copy_from_slice(&(identity << 20).to_le_bytes());
        // Shut, where there is such a gate.
        card.registers[0xd2] = 2;
        card
    }

    /// What is done by a register that says in bit 31 that it was told to write, or that it has read.
    fn access(&mut self, offset: u32, value: u32, answer: impl FnOnce(&mut Self, bool) -> u32) {
        let is_write = value >> 31 != 0;
        if self.is_mute {
            self.registers[offset as usize..][..4].copy_from_slice(&value.to_le_bytes());
            return;
        }
        let answer = answer(self, is_write);
        let done = if is_write { value & !(1 << 31) } else { value | 1 << 31 | answer };
        self.registers[offset as usize..][..4].copy_from_slice(&done.to_le_bytes());
    }

    fn new(mac: [u8; 6]) -> Self {
        let mut registers = [0; 256];
        registers[..6].copy_from_slice(&mac);
        registers[MISCELLANEOUS as usize + 2] = (GATE >> 16) as u8;
        registers[PLUS_COMMAND as usize] = 0x70;
        registers[PHY_STATUS as usize] = LINK;
        let phy = Phy::new(&AWAKE);
        Self {
            registers,
            inner: 3,
            phy,
            extended: 0,
            is_mute: false,
            kicks: 0,
            received: 0,
            sent: 0,
            host: Host::default(),
        }
    }

    fn manage(&mut self, register: u32, value: Option<u32>) -> u32 {
        let Some(value) = value else { return self.phy.read(register) };
        // The 8168G's processor is to be let in before power comes.
        let is_off = self.phy.registers[0] & 0x0800 != 0;
        let is_deaf = is_off && self.identity() & 0x7c0 == 0x4c0 && self.extended >> 26 != 0x3f;
        if register != 0 || !is_deaf {
            self.phy.write(register, value);
        }
        0
    }

    /// By which chip it is, as Linux's r8169 tells them apart.
    fn identity(&self) -> u32 {
        self.get(TRANSMIT_CONFIGURATION) >> 20 & 0x7cf
    }

    fn is_late(&self) -> bool {
        self.identity() >= 0x4c0
    }

    fn is_gated(&self) -> bool {
        matches!(self.identity(), 0x28a | 0x28b)
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
        match offset {
            INNER => self.inner,
            PHY_STATUS if !self.phy.is_ready() => 0,
            _ => self.get(offset),
        }
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
            // The PHY: bits 20:16 are its register; of later chips, A400h and twice the register, halved.
            (0x60, 4) => self.access(offset, value, |card, is_write| {
                let is_shut = card.is_gated() && card.get(0xd0) & 1 << 17 != 0;
                assert!(!card.is_late() && !is_shut);
                card.manage(value >> 16 & 0x1f, is_write.then_some(value & 0xffff))
            }),
            (0xb8, 4) => self.access(offset, value, |card, is_write| {
                assert!(card.is_late());
                let register = (value >> 16 & 0x7fff) - 0xa400 / 2;
                card.manage(register, is_write.then_some(value & 0xffff))
            }),
            (0x74, 4) => {
                assert_eq!(value & 0x7fff_ffff, 0xf1a8);
                self.access(offset, value, |card, is_write| {
                    let data = card.get(0x70);
                    if is_write {
                        card.extended = data;
                    }
                    0
                });
                let extended = self.extended.to_le_bytes();
                self.registers[0x70..0x74].copy_from_slice(&extended);
            }
            (0x38, 1) | (0x90, 2) => self.kicks += 1,
            (PLUS_COMMAND | RECEIVE_LIMIT, 2) | (TRANSMIT_LIMIT, 1) => {
                assert_eq!(self.registers[LOCK as usize], UNLOCKED);
                self.registers[offset as usize..][..size].copy_from_slice(&value.to_le_bytes()[..size]);
            }
            (TRANSMIT_CONFIGURATION | RECEIVE_CONFIGURATION, 4) => {
                assert_eq!(self.registers[COMMAND as usize], TRANSMIT_ENABLE | RECEIVE_ENABLE);
                let fixed = if offset == TRANSMIT_CONFIGURATION { 0xfcf << 20 } else { 0 };
                let value = value & !fixed | self.get(offset) & fixed;
                self.registers[offset as usize..][..4].copy_from_slice(&value.to_le_bytes());
            }
            _ => self.registers[offset as usize..][..size].copy_from_slice(&value.to_le_bytes()[..size]),
        }
    }
}

type Driver = Rtl8169<Card, HostMemory>;

fn driver_of(vendor: u16, device: u16) -> Driver {
    let chip = match device {
        0x8169 => 0x980,
        0x8168 => 0x541,
        _ => 0x641,
    };
    driver_for(Card::chip(chip), vendor, device)
}

fn driver_for(card: Card, vendor: u16, device: u16) -> Driver {
    let pci = PciIdentity { vendor, device, ..PCI };
    let mut driver = Rtl8169::try_new(card, HostMemory(vec![0; MEMORY]), pci).unwrap();
    driver.open().unwrap();
    driver
}

/// Chips, and the devices that they are on: a PCI card's, 8101E, 8168B, 8168C, 8168D, 8168DP, 8168E, 8105E, 8168F, 8411,
/// 8168G, 8168H, 8168EP, 8125A and 8125B.
const CHIPS: [(u32, u16); 15] = [
    (0x980, 0x8169),
    (0x340, 0x8136),
    (0x380, 0x8168),
    (0x3c2, 0x8168),
    (0x281, 0x8168),
    (0x28a, 0x8168),
    (0x2c1, 0x8168),
    (0x409, 0x8136),
    (0x480, 0x8168),
    (0x488, 0x8168),
    (0x4c0, 0x8168),
    (0x541, 0x8168),
    (0x502, 0x8168),
    (0x609, 0x8125),
    (0x641, 0x8125),
];

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
fn a_phy_that_sleeps_is_woken_and_offers_all_that_it_can() {
    // Without power, isolated, told its speed, and as it waits for a frame that wakes the machine.
    for (control, offered, gigabits) in [
        (0x0800, 0x0061, 0),
        (0x1800, 0x0de1, 0x0200),
        (0x1400, 0x0de1, 0x0200),
        (0x2100, 0x0de1, 0x0200),
        (0x1000, 0x0061, 0),
    ] {
        for (chip, device) in CHIPS {
            let mut card = Card::chip(chip);
            let is_old = matches!(chip & 0x7c0, 0x280 | 0x380 | 0x3c0);
            card.phy = Phy::new(&[(0, control), (1, 0x7949), (4, offered), (9, gigabits)]);
            card.phy.registers[31] = if card.is_late() { 0 } else { 2 };
            card.phy.registers[14] = if is_old && control & 0x0800 != 0 { 0x0200 } else { 0 };
            let mut driver = driver_for(card, 0x10ec, device);
            let card = &driver.device;
            assert!(card.phy.is_ready() && card.phy.negotiations == 1, "{chip:x}: {:x?}", card.phy.registers);
            assert_eq!(card.phy.registers[0xea] == 0x0080, device == 0x8125);
            let has_clock =
                !is_old && chip >= 0x2c0 && !matches!(chip, 0x340 | 0x488 | 0x980) || chip == 0x281;
            assert_eq!(card.registers[0x6f], if has_clock { 0xc0 } else { 0 }, "{chip:x}");
            assert_eq!(card.registers[0xd2], 2);
            assert_eq!(driver.link(), Link::Up);
        }
    }
}

#[test]
fn a_phy_that_works_keeps_its_link() {
    for (chip, device) in CHIPS {
        let mut driver = driver_for(Card::chip(chip), 0x10ec, device);
        driver.close();
        driver.open().unwrap();
        assert_eq!((driver.device.phy.negotiations, driver.link()), (0, Link::Up), "{chip:x}");
        assert!(driver.device.host.waited.get() < 10_000);
    }
}

#[test]
fn a_phy_that_is_not_there_is_not_waited_for_long() {
    for (chip, device) in CHIPS {
        let mut card = Card::chip(chip);
        card.phy = Phy::new(&[]);
        assert_eq!(driver_for(card, 0x10ec, device).link(), Link::Down);
        let mut card = Card::chip(chip);
        card.is_mute = true;
        let driver = driver_for(card, 0x10ec, device);
        assert!(driver.device.host.waited.get() < 50_000 && driver.device.phy.negotiations == 0);
    }
}

#[test]
fn later_chips_move_no_frame_early() {
    let bits = |(chip, device)| {
        driver_for(Card::chip(chip), 0x10ec, device).device.get(RECEIVE_CONFIGURATION) >> 11 & 1
    };
    assert_eq!(CHIPS.map(bits), [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 1, 0, 1]);
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
        (chip, device) in prop::sample::select(&CHIPS[..]),
    ) {
        let mut driver = driver_for(Card::chip(chip), 0x10ec, device);
        driver.device.host.lies.replace(lies);
        for (offset, value) in writes {
            driver.memory.write64(offset & !7, value);
        }
        nic::try_out(&mut driver, &steps, |driver| driver.device.host.waited.set(0));
    }
}
