//! DEC's (later Intel's) 21140, 21143 and 21145 Fast Ethernet controllers with a PHY on MII, which QEMU and Hyper-V play, too,
//! and ADMtek's AN981 to AN985, which are like them.
//!
//! By the 21143 PCI/CardBus 10/100Mb/s Ethernet LAN Controller Hardware Reference Manual (278074, "manual") and the
//! datasheet of the AN983 ("AN983"). Card and driver share two rings of descriptors; a bit in each says whose it is.
//! A board's other media (the 21143's own 10BASE-T and its symbol port) are not driven. The card is polled: its
//! interrupts stay masked. The documents were not at hand when this was written, so numbers of sections may be wrong.
#![no_std]
#![allow(clippy::cast_possible_truncation, reason = "numbers are cut into the sizes that registers have")]

#[cfg(test)]
extern crate alloc;

mod management;
#[cfg(test)]
mod tests;

use base::{Duration, Error, Instant, MacAddress};
use hw::device::{Device, DeviceMemory};
use hw::microwire::Microwire;
use nic::ring::{ReceiveRing, TransmitRing};
use nic::{Counters, FRAME_CAPACITY, Identity, Link, Nic, PciIdentity, errors};

const RECEIVE_SLOTS: usize = 64;
const TRANSMIT_SLOTS: usize = 16;
/// Bytes of a descriptor.
const DESCRIPTOR: usize = 16;
/// Bytes of a frame's buffer: with the check sequence, a multiple of 4, and below the 2048 that a descriptor can name.
const BUFFER: usize = 1536;
/// Bytes of the frame check sequence, which the card leaves in the buffer.
const CHECK_SEQUENCE: usize = 4;

const TRANSMIT_RING: usize = RECEIVE_SLOTS * DESCRIPTOR;
const RECEIVE_BUFFERS: usize = TRANSMIT_RING + TRANSMIT_SLOTS * DESCRIPTOR;
const TRANSMIT_BUFFERS: usize = RECEIVE_BUFFERS + RECEIVE_SLOTS * BUFFER;

/// Bytes of memory that the driver and the card share.
pub const MEMORY: usize = TRANSMIT_BUFFERS + TRANSMIT_SLOTS * BUFFER;

/// The region of the registers: ports.
const PORTS: u8 = 0;

// Registers (manual, chapter 3). Offsets in bytes.
const BUS_MODE: u32 = 0x00;
const TRANSMIT_POLL: u32 = 0x08;
const RECEIVE_POLL: u32 = 0x10;
const RECEIVE_RING_ADDRESS: u32 = 0x18;
const TRANSMIT_RING_ADDRESS: u32 = 0x20;
const STATUS: u32 = 0x28;
const MODE: u32 = 0x30;
const INTERRUPT_MASK: u32 = 0x38;
/// CSR9: serial memory, and the PHY's management.
const SERIAL: u32 = 0x48;
/// CSR13: the 21143's own 10BASE-T.
const SIA: u32 = 0x68;

/// Bits of [`BUS_MODE`]: software reset; bursts of 16 double words, aligned to 8.
const RESET: u32 = 1 << 0;
const BUS_RUN: u32 = 16 << 8 | 1 << 14;

/// Bits of [`STATUS`]: no receive descriptor was the card's; the bus failed; what both processes do.
const RECEIVE_UNAVAILABLE: u32 = 1 << 7;
const BUS_ERROR: u32 = 1 << 13;
const RECEIVE_PROCESS: u32 = 7 << 17;
const TRANSMIT_PROCESS: u32 = 7 << 20;

/// Bits of [`MODE`]: receiver and transmitter on, all multicasts, the MII port, no signal after a frame (which only
/// 10 Mbit/s has), whole frames are sent, and one that must be 1.
const MODE_RUN: u32 = 1 << 1 | 1 << 7 | 1 << 13 | 1 << 18 | 1 << 19 | 1 << 21 | 1 << 25;
const FULL_DUPLEX: u32 = 1 << 9;

/// Bits of [`SERIAL`] for the memory: it is selected and read; its wires.
const MICROWIRE: u32 = 1 << 11 | 1 << 14;
const MICROWIRE_SELECT: u32 = 1 << 0;
const MICROWIRE_CLOCK: u32 = 1 << 1;
const MICROWIRE_DATA: u32 = 1 << 2;
const MICROWIRE_OUTPUT: u32 = 1 << 3;

/// A descriptor's first double word (manual, sections 4.2.1 and 4.2.2).
const OWNED_BY_CARD: u32 = 1 << 31;
const ERROR: u32 = 1 << 15;
/// Of a receive descriptor: first and last of a frame's buffers.
const WHOLE: u32 = 1 << 9 | 1 << 8;
/// A descriptor's second double word.
const END_OF_RING: u32 = 1 << 25;
const SEND_WHOLE: u32 = 1 << 30 | 1 << 29;
const SETUP: u32 = 1 << 27;
/// Bytes of a setup frame, which says to whom the card listens (manual, section 4.2.3).
const SETUP_LENGTH: usize = 192;

/// ADMtek: our address, the filter of multicasts, and BMSR of the PHY inside (AN983, section 3.2).
const STATION_ADDRESS: u32 = 0xa4;
const MULTICAST_FILTER: u32 = 0xac;
const INNER_PHY_STATUS: u32 = 0xb8;

/// How often the PHY is asked what it has agreed on.
const LOOK: Duration = Duration::from_secs(1);

/// What cards have in common.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Family {
    /// DEC: the address is in a serial memory, the filter is set by a frame, the PHY is outside.
    Dec,
    /// ADMtek: registers for all of these.
    Admtek,
}

/// The cards: vendors and devices, as listed in the PCI ID database. Which chip is on them, and that Linux's tulip driver
/// makes no difference between a 21143 and a 21145 with a PHY on MII, are facts from that driver.
const CARDS: &[(Family, u16, u16)] = &[
    (Family::Dec, 0x1011, 0x0009),    // DEC 21140
    (Family::Dec, 0x1011, 0x0019),    // DEC 21142, 21143
    (Family::Dec, 0x8086, 0x0039),    // Intel 21145
    (Family::Admtek, 0x1317, 0x0981), // ADMtek AN981
    (Family::Admtek, 0x1317, 0x0985), // AN983
    (Family::Admtek, 0x1317, 0x1985), // AN985
    (Family::Admtek, 0x1317, 0x9511), // ADM9511
    (Family::Admtek, 0x13d1, 0xab02), // AboCom
    (Family::Admtek, 0x13d1, 0xab03),
    (Family::Admtek, 0x13d1, 0xab08),
    (Family::Admtek, 0x104a, 0x0981), // STMicroelectronics
    (Family::Admtek, 0x104a, 0x2774),
    (Family::Admtek, 0x1259, 0xa120), // Allied Telesyn
    (Family::Admtek, 0x1113, 0x1216), // Accton
    (Family::Admtek, 0x1113, 0x9511),
    (Family::Admtek, 0x1186, 0x1541), // D-Link
    (Family::Admtek, 0x1186, 0x1561),
    (Family::Admtek, 0x1186, 0x1591),
    (Family::Admtek, 0x14ea, 0xab08), // Planex FNW-3602-TX
    (Family::Admtek, 0x17b3, 0xab08), // Hawking PN672TX
    (Family::Admtek, 0x1626, 0x8410), // TDK
    (Family::Admtek, 0x1737, 0xab08), // Linksys
    (Family::Admtek, 0x1737, 0xab09),
    (Family::Admtek, 0x10b7, 0x9300), // 3Com 3CSOHO100B-TX
];

fn family(vendor: u16, device: u16) -> Option<Family> {
    CARDS.iter().find(|card| (card.1, card.2) == (vendor, device)).map(|card| card.0)
}

/// Whether the driver is for a card.
pub fn drives(vendor: u16, device: u16) -> bool {
    family(vendor, device).is_some()
}

/// A card.
#[derive(Debug)]
pub struct Tulip<D: Device, M: DeviceMemory> {
    device: D,
    memory: M,
    family: Family,
    identity: Identity,
    is_open: bool,
    /// The number of the PHY, if there is one on MII, and whether it has agreed on full duplex.
    phy: Option<u32>,
    is_full_duplex: bool,
    next_look: Instant,
    receiving: ReceiveRing<RECEIVE_SLOTS>,
    sending: TransmitRing<TRANSMIT_SLOTS>,
    counters: Counters,
}

impl<D: Device, M: DeviceMemory> Tulip<D, M> {
    /// The driver of a card, which is reset and stays quiet. `memory` has [`MEMORY`] bytes.
    pub fn try_new(device: D, memory: M, pci: PciIdentity) -> Result<Self, Error> {
        let Some(family) = family(pci.vendor, pci.device) else {
            return Err(errors::UNSUPPORTED.of("to be of a family"));
        };
        if memory.length() < MEMORY {
            return Err(errors::NO_MEMORY.error());
        }
        let mut nic = Self {
            device,
            memory,
            family,
            identity: Identity::new("tulip", pci),
            is_open: false,
            phy: None,
            is_full_duplex: false,
            next_look: Instant::ZERO,
            receiving: ReceiveRing::default(),
            sending: TransmitRing::default(),
            counters: Counters::default(),
        };
        nic.reset()?;
        let mac = match family {
            Family::Dec => nic.memorized_address()?,
            Family::Admtek => {
                MacAddress::from_registers([0, 4].map(|offset| nic.read(STATION_ADDRESS + offset)))
            }
        };
        nic.identity.set_address(mac)?;
        if family == Family::Dec {
            nic.phy = management::find(&mut nic.device);
        }
        Ok(nic)
    }

    fn read(&self, register: u32) -> u32 {
        self.device.read32(PORTS, register)
    }

    fn write(&mut self, register: u32, value: u32) {
        self.device.write32(PORTS, register, value);
    }

    /// Stops everything: no interrupts, no frames, no access to memory (manual, section 4.3.1).
    fn reset(&mut self) -> Result<(), Error> {
        self.is_open = false;
        self.write(INTERRUPT_MASK, 0);
        self.write(BUS_MODE, RESET);
        // 50 cycles of the bus, and the longest burst before.
        self.device.wait(Duration::from_micros(100));
        self.device.set_bus_mastering(false);
        self.write(BUS_MODE, BUS_RUN);
        let processes = RECEIVE_PROCESS | TRANSMIT_PROCESS;
        let is_over = self.device.becomes(|device| device.read32(PORTS, STATUS) & processes == 0);
        self.write(INTERRUPT_MASK, 0);
        if is_over { Ok(()) } else { Err(errors::NO_ANSWER.of("its reset does not end")) }
    }

    /// The address in the serial memory: where DEC's format of later boards has it, or at the beginning, which older
    /// boards repeat after 16 bytes (Digital Semiconductor 21X4 Serial ROM Format, version 4.05, section 2).
    fn memorized_address(&mut self) -> Result<MacAddress, Error> {
        let serial = Microwire::<D> {
            set: |device, wires| {
                let bit = |is_set: bool, bit: u32| if is_set { bit } else { 0 };
                let value = bit(wires.is_selected, MICROWIRE_SELECT)
                    | bit(wires.clock, MICROWIRE_CLOCK)
                    | bit(wires.data, MICROWIRE_DATA);
                device.write32(PORTS, SERIAL, MICROWIRE | value);
            },
            get: |device| device.read32(PORTS, SERIAL) & MICROWIRE_OUTPUT != 0,
        };
        let words = serial.words::<13>(&mut self.device, 0);
        let Some([a, b, c, d, .., e, f, g, h, i]) = words else {
            return Err(errors::NO_ANSWER.of("its serial memory is not there"));
        };
        let is_repeated = [a, b, c, d] == [e, f, g, h];
        Ok(MacAddress::from_words(if is_repeated { [a, b, c] } else { [g, h, i] }))
    }

    /// Lays out both rings and starts both processes (manual, section 4.3).
    fn start(&mut self) {
        let base = self.memory.address() as u32;
        for slot in 0..TRANSMIT_SLOTS {
            let descriptor = TRANSMIT_RING + slot * DESCRIPTOR;
            self.memory.write32(descriptor, 0);
            self.memory.write32(descriptor + 8, base + transmit_buffer(slot) as u32);
        }
        for slot in 0..RECEIVE_SLOTS {
            let descriptor = slot * DESCRIPTOR;
            let end = if slot == RECEIVE_SLOTS - 1 { END_OF_RING } else { 0 };
            self.memory.write32(descriptor + 4, BUFFER as u32 | end);
            self.memory.write32(descriptor + 8, base + receive_buffer(slot) as u32);
            self.memory.write32(descriptor, OWNED_BY_CARD);
        }
        (self.receiving, self.sending) = (ReceiveRing::default(), TransmitRing::default());
        self.write(RECEIVE_RING_ADDRESS, base);
        self.write(TRANSMIT_RING_ADDRESS, base + TRANSMIT_RING as u32);
        self.device.set_bus_mastering(true);
        if self.family == Family::Dec {
            self.write(SIA, 0);
        }
        let duplex = if self.is_full_duplex { FULL_DUPLEX } else { 0 };
        self.write(MODE, MODE_RUN | duplex);
        self.set_filter();
    }

    /// Has the card listen to our address and to broadcasts.
    fn set_filter(&mut self) {
        if self.family == Family::Admtek {
            let [low, high] = self.identity.mac.to_registers();
            self.write(STATION_ADDRESS, low);
            self.write(STATION_ADDRESS + 4, high);
            self.write(MULTICAST_FILTER, u32::MAX);
            self.write(MULTICAST_FILTER + 4, u32::MAX);
            return;
        }
        let MacAddress([a, b, c, d, e, f]) = self.identity.mac;
        // 16 addresses, each in three double words of which the lower half counts: ours, then broadcasts.
        let ours = [[a, b], [c, d], [e, f]].into_iter();
        let words = ours.chain([[0xff; 2]; SETUP_LENGTH / 4 - 3]);
        let buffer = self.memory.bytes_mut(transmit_buffer(self.sending.next()), SETUP_LENGTH);
        for (double_word, [low, high]) in buffer.chunks_exact_mut(4).zip(words) {
            double_word.copy_from_slice(&[low, high, low, high]);
        }
        self.send(SETUP | SETUP_LENGTH as u32);
    }

    /// Gives the card the next transmit slot.
    fn send(&mut self, control: u32) {
        let slot = self.sending.next();
        let descriptor = TRANSMIT_RING + slot * DESCRIPTOR;
        let end = if slot == TRANSMIT_SLOTS - 1 { END_OF_RING } else { 0 };
        self.memory.write32(descriptor + 4, control | end);
        self.memory.write32(descriptor, OWNED_BY_CARD);
        self.sending.send();
        self.write(TRANSMIT_POLL, 1);
    }

    /// Takes back the slots of frames that have been sent.
    fn reclaim(&mut self) {
        while let Some(oldest) = self.sending.oldest() {
            let descriptor = TRANSMIT_RING + oldest * DESCRIPTOR;
            let status = self.memory.read32(descriptor);
            match status {
                _ if status & OWNED_BY_CARD != 0 => break,
                // The one that sets the filter is no frame of the wire.
                _ if self.memory.read32(descriptor + 4) & SETUP != 0 => {}
                _ if status & ERROR != 0 => self.counters.send_errors += 1,
                _ => self.counters.sent += 1,
            }
            self.sending.free_oldest();
        }
    }

    /// Whether the card has to be opened again, as the PHY has agreed on another duplex than it knows of.
    fn duplex_changed(&mut self, now: Instant) -> bool {
        let Some(phy) = self.phy.filter(|_| now >= self.next_look) else {
            return false;
        };
        self.next_look = now + LOOK;
        let is_full = management::is_full_duplex(&mut self.device, phy);
        core::mem::replace(&mut self.is_full_duplex, is_full) != is_full
    }
}

/// Where the buffer of a receive slot is.
fn receive_buffer(slot: usize) -> usize {
    RECEIVE_BUFFERS + slot * BUFFER
}

fn transmit_buffer(slot: usize) -> usize {
    TRANSMIT_BUFFERS + slot * BUFFER
}

impl<D: Device, M: DeviceMemory> Nic for Tulip<D, M> {
    fn identity(&self) -> &Identity {
        &self.identity
    }

    fn open(&mut self) -> Result<(), Error> {
        self.reset()?;
        self.start();
        self.is_open = true;
        Ok(())
    }

    fn close(&mut self) {
        // A card that does not answer cannot be made quieter than by taking the bus from it, which was done.
        let _ = self.reset();
    }

    fn link(&mut self) -> Link {
        let status = match (self.family, self.phy) {
            (Family::Admtek, _) => self.read(INNER_PHY_STATUS) as u16,
            (Family::Dec, Some(phy)) => {
                // A link that was lost is told once, even if it is there again: the second answer is of now.
                management::status(&mut self.device, phy);
                management::status(&mut self.device, phy)
            }
            (Family::Dec, None) => return Link::Unknown,
        };
        match status {
            // The card is gone.
            u16::MAX => Link::Down,
            status if status & management::LINK != 0 => Link::Up,
            _ => Link::Down,
        }
    }

    fn poll(&mut self, now: Instant, _until: Instant) -> Result<(), Error> {
        if !self.is_open {
            return Ok(());
        }
        self.reclaim();
        let status = self.read(STATUS);
        let has_stopped = status & RECEIVE_PROCESS == 0 || status & TRANSMIT_PROCESS == 0;
        if has_stopped || status & BUS_ERROR != 0 || self.duplex_changed(now) {
            return self.open();
        }
        if status & RECEIVE_UNAVAILABLE != 0 {
            self.write(STATUS, RECEIVE_UNAVAILABLE);
            self.write(RECEIVE_POLL, 1);
        }
        Ok(())
    }

    fn may_have_received(&self) -> bool {
        !self.is_open || self.memory.read32(self.receiving.next() * DESCRIPTOR) & OWNED_BY_CARD == 0
    }

    fn receive(&mut self) -> Option<&[u8]> {
        // As many as there are slots: a card that fills them faster than we look must not keep us here.
        for _ in 0..RECEIVE_SLOTS {
            if !self.is_open {
                return None;
            }
            if let Some(shown) = self.receiving.take_shown() {
                self.memory.write32(shown * DESCRIPTOR, OWNED_BY_CARD);
            }
            let slot = self.receiving.next();
            let status = self.memory.read32(slot * DESCRIPTOR);
            if status & OWNED_BY_CARD != 0 {
                return None;
            }
            self.receiving.show();
            let length = (status >> 16 & 0x3fff) as usize;
            let frame = length.wrapping_sub(CHECK_SEQUENCE);
            if status & (ERROR | WHOLE) == WHOLE && frame <= FRAME_CAPACITY {
                self.counters.received += 1;
                return Some(self.memory.bytes(receive_buffer(slot), frame));
            }
            self.counters.receive_drops += 1;
        }
        None
    }

    fn can_transmit(&self) -> bool {
        self.is_open && !self.sending.is_full()
    }

    fn transmit(&mut self, frame: &[u8]) -> bool {
        self.reclaim();
        if !self.can_transmit() {
            return false;
        }
        let buffer = self.memory.bytes_mut(transmit_buffer(self.sending.next()), BUFFER);
        match nic::put_padded(frame, buffer) {
            Some(length) => self.send(SEND_WHOLE | length as u32),
            None => self.counters.send_errors += 1,
        }
        true
    }

    fn counters(&self) -> Counters {
        self.counters
    }

    fn frames_ahead(&self) -> u16 {
        // The slot of the frame that is shown is not the card's.
        (RECEIVE_SLOTS - 1) as u16
    }
}
