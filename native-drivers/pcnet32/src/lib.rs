//! AMD's PCnet-PCI II, PCnet-FAST and PCnet-FAST III Ethernet controllers, which VMware and VirtualBox play, too.
//!
//! By the datasheets of the Am79C970A (publication 19436), Am79C971 (20550) and Am79C973/975 (21510). Card and driver
//! share two rings of descriptors; a bit in each says whose it is, and the card looks for its own by itself. The card
//! is polled: its interrupts stay masked. The documents were not at hand when this was written, so numbers of
//! sections may be wrong.
#![no_std]
#![allow(clippy::cast_possible_truncation, reason = "numbers are cut into the sizes that registers have")]

#[cfg(test)]
extern crate alloc;

#[cfg(test)]
mod tests;

use base::{Error, Instant, MacAddress};
use hw::device::{Device, DeviceMemory};
use nic::ring::{ReceiveRing, TransmitRing};
use nic::{Counters, FRAME_CAPACITY, Identity, Link, Nic, PciIdentity, errors};

/// Descriptors in the receive ring, a power of two up to 512.
const RECEIVE_SLOTS: usize = 64;
const TRANSMIT_SLOTS: usize = 16;
/// Bytes of a descriptor in software style 2.
const DESCRIPTOR: usize = 16;
/// Bytes of a frame's buffer: with the check sequence, and below the 4096 that a descriptor can name.
const BUFFER: usize = 1536;
/// Bytes of the frame check sequence, which the card leaves in the buffer.
const CHECK_SEQUENCE: usize = 4;

/// Where the initialization block is, of 28 bytes, and what follows.
const INITIALIZATION: usize = 0;
const RECEIVE_RING: usize = 32;
const TRANSMIT_RING: usize = RECEIVE_RING + RECEIVE_SLOTS * DESCRIPTOR;
const RECEIVE_BUFFERS: usize = TRANSMIT_RING + TRANSMIT_SLOTS * DESCRIPTOR;
const TRANSMIT_BUFFERS: usize = RECEIVE_BUFFERS + RECEIVE_SLOTS * BUFFER;

/// Bytes of memory that the driver and the card share.
pub const MEMORY: usize = TRANSMIT_BUFFERS + TRANSMIT_SLOTS * BUFFER;

/// The region of the registers: ports.
const PORTS: u8 = 0;
/// The address of the card, as its maker wrote it: the first bytes of the region.
const ADDRESS: u32 = 0x00;
/// RDP: the control and status register that the index says.
const CONTROL_DATA: u32 = 0x10;

/// How the other registers are reached: by words after a reset of the hardware, by double words once anybody has
/// written one (Am79C970A, section "I/O Resources").
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Width {
    Words,
    DoubleWords,
}

impl Width {
    /// RAP: the number of the register that is read and written next.
    const fn index(self) -> u32 {
        match self {
            Self::Words => 0x12,
            Self::DoubleWords => 0x14,
        }
    }

    /// Reading it resets the card.
    const fn reset(self) -> u32 {
        match self {
            Self::Words => 0x14,
            Self::DoubleWords => 0x18,
        }
    }

    /// BDP: the bus configuration register that the index says.
    const fn bus_data(self) -> u32 {
        match self {
            Self::Words => 0x16,
            Self::DoubleWords => 0x1c,
        }
    }

    fn read(self, device: &impl Device, offset: u32) -> u16 {
        match self {
            Self::Words => device.read16(PORTS, offset),
            Self::DoubleWords => device.read32(PORTS, offset) as u16,
        }
    }

    fn write(self, device: &mut impl Device, offset: u32, value: u16) {
        match self {
            Self::Words => device.write16(PORTS, offset, value),
            Self::DoubleWords => device.write32(PORTS, offset, value.into()),
        }
    }
}

/// CSR0 and its bits.
const STATUS: u16 = 0;
const INITIALIZE: u16 = 1 << 0;
const START: u16 = 1 << 1;
const STOP: u16 = 1 << 2;
const TRANSMIT_DEMAND: u16 = 1 << 3;
/// TXON and RXON.
const RUNNING: u16 = 1 << 4 | 1 << 5;
const INITIALIZED: u16 = 1 << 8;
/// CSR1 and CSR2: where the initialization block is.
const BLOCK_LOW: u16 = 1;
const BLOCK_HIGH: u16 = 2;
/// CSR3, and all interrupts masked, with a transmitter that goes on after it ran out of bytes (DXSUFLO).
const MASKS: u16 = 3;
const ALL_MASKED: u16 = 0x5f00 | 1 << 6;
/// CSR12 to CSR14: the address that the card listens to.
const STATION_ADDRESS: u16 = 12;

/// BCR4: the first light. It shows the link, and nothing else, unless the card's memory says otherwise.
const LIGHT: u16 = 4;
const LIGHT_IS_ON: u16 = 1 << 15;
const LIGHT_SHOWS_LINK: u16 = 1 << 6;
const LIGHT_SHOWS_OTHERS: u16 = 0x13f;
/// BCR18, and bursts in both directions.
const BURSTS: u16 = 18;
const BURSTS_ON: u16 = 1 << 5 | 1 << 6;
/// BCR20, and descriptors of 32 bits for PCI.
const SOFTWARE_STYLE: u16 = 20;
const STYLE_PCI: u16 = 2;

/// Bits of a descriptor's second double word (sections "Receive Descriptors" and "Transmit Descriptors").
const OWNED_BY_CARD: u32 = 1 << 31;
const ERROR: u32 = 1 << 30;
/// STP and ENP: the first and the last of a frame's buffers.
const WHOLE: u32 = 1 << 25 | 1 << 24;
/// Of a receive descriptor's third double word.
const MESSAGE_LENGTH: u32 = 0xfff;

/// The cards: vendors and devices.
const CARDS: &[(u16, u16)] = &[
    (0x1022, 0x2000), // AMD Am79C970A, 971, 972, 973, 975
    (0x1022, 0x2001), // AMD Am79C978
];

/// Whether the driver is for a card.
pub fn drives(vendor: u16, device: u16) -> bool {
    CARDS.contains(&(vendor, device))
}

/// The length of a buffer as descriptors have it: negative, in 12 bits, below four ones.
const fn negative(length: usize) -> u32 {
    0xf000 | (0x1000 - length as u32) & 0xfff
}

/// A card.
#[derive(Debug)]
pub struct Pcnet32<D: Device, M: DeviceMemory> {
    device: D,
    memory: M,
    width: Width,
    identity: Identity,
    is_open: bool,
    receiving: ReceiveRing<RECEIVE_SLOTS>,
    sending: TransmitRing<TRANSMIT_SLOTS>,
    counters: Counters,
}

impl<D: Device, M: DeviceMemory> Pcnet32<D, M> {
    /// The driver of a card, which is reset and stays quiet. `memory` has [`MEMORY`] bytes.
    pub fn try_new(device: D, memory: M, pci: PciIdentity) -> Result<Self, Error> {
        if memory.length() < MEMORY {
            return Err(errors::NO_MEMORY.error());
        }
        let mut nic = Self {
            device,
            memory,
            width: Width::Words,
            identity: Identity::new("pcnet32", pci),
            is_open: false,
            receiving: ReceiveRing::default(),
            sending: TransmitRing::default(),
            counters: Counters::default(),
        };
        nic.reset()?;
        let permanent = MacAddress([0, 1, 2, 3, 4, 5].map(|byte| nic.device.read8(PORTS, ADDRESS + byte)));
        // A reset of the hardware has loaded this one from the card's memory; somebody else may have changed it.
        let station = MacAddress::from_words([0, 1, 2].map(|word| nic.control(STATION_ADDRESS + word)));
        nic.identity.set_address(if permanent.is_unicast() { permanent } else { station })?;
        Ok(nic)
    }

    /// A control and status register.
    fn control(&mut self, number: u16) -> u16 {
        self.width.write(&mut self.device, self.width.index(), number);
        self.width.read(&self.device, CONTROL_DATA)
    }

    fn set_control(&mut self, number: u16, value: u16) {
        self.width.write(&mut self.device, self.width.index(), number);
        self.width.write(&mut self.device, CONTROL_DATA, value);
    }

    /// A bus configuration register.
    fn bus(&mut self, number: u16) -> u16 {
        self.width.write(&mut self.device, self.width.index(), number);
        self.width.read(&self.device, self.width.bus_data())
    }

    fn set_bus(&mut self, number: u16, value: u16) {
        self.width.write(&mut self.device, self.width.index(), number);
        self.width.write(&mut self.device, self.width.bus_data(), value);
    }

    /// Stops everything: no interrupts, no frames, no access to memory. It also finds out how registers are reached.
    fn reset(&mut self) -> Result<(), Error> {
        const SOME_NUMBER: u16 = 88;
        self.is_open = false;
        // Of the two, one resets the card, and the other does nothing.
        for width in [Width::DoubleWords, Width::Words] {
            width.read(&self.device, width.reset());
        }
        self.device.set_bus_mastering(false);
        for width in [Width::Words, Width::DoubleWords] {
            self.width = width;
            let is_stopped = self.control(STATUS) == STOP;
            width.write(&mut self.device, width.index(), SOME_NUMBER);
            if is_stopped && width.read(&self.device, width.index()) == SOME_NUMBER {
                return Ok(());
            }
        }
        Err(errors::NO_ANSWER.of("its reset does not stop it"))
    }

    /// Lays out both rings and has the card read where they are (section "Initialization").
    fn start(&mut self) -> Result<(), Error> {
        let base = self.memory.address() as u32;
        for slot in 0..TRANSMIT_SLOTS {
            let descriptor = TRANSMIT_RING + slot * DESCRIPTOR;
            self.memory.write32(descriptor + 4, 0);
            self.memory.write32(descriptor, base + transmit_buffer(slot) as u32);
        }
        for slot in 0..RECEIVE_SLOTS {
            self.memory.write32(RECEIVE_RING + slot * DESCRIPTOR, base + receive_buffer(slot) as u32);
            self.give(slot);
        }
        (self.receiving, self.sending) = (ReceiveRing::default(), TransmitRing::default());

        let [address_low, address_high] = self.identity.mac.to_registers();
        let block = [
            RECEIVE_SLOTS.ilog2() << 20 | TRANSMIT_SLOTS.ilog2() << 28,
            address_low,
            address_high,
            // The filter lets all multicasts through.
            u32::MAX,
            u32::MAX,
            base + RECEIVE_RING as u32,
            base + TRANSMIT_RING as u32,
        ];
        for (offset, word) in (INITIALIZATION..).step_by(4).zip(block) {
            self.memory.write32(offset, word);
        }

        self.set_bus(SOFTWARE_STYLE, STYLE_PCI);
        let bursts = self.bus(BURSTS);
        self.set_bus(BURSTS, bursts | BURSTS_ON);
        self.set_control(MASKS, ALL_MASKED);
        let block = base + INITIALIZATION as u32;
        self.set_control(BLOCK_LOW, block as u16);
        self.set_control(BLOCK_HIGH, (block >> 16) as u16);
        self.device.set_bus_mastering(true);
        self.set_control(STATUS, INITIALIZE);
        let width = self.width;
        if !self.device.becomes(|device| width.read(device, CONTROL_DATA) & INITIALIZED != 0) {
            return Err(errors::NO_ANSWER.of("it does not read its initialization block"));
        }
        self.set_control(STATUS, INITIALIZED | START);
        Ok(())
    }

    /// Lets the card receive into a slot.
    fn give(&mut self, slot: usize) {
        let descriptor = RECEIVE_RING + slot * DESCRIPTOR;
        self.memory.write32(descriptor + 8, 0);
        self.memory.write32(descriptor + 4, OWNED_BY_CARD | negative(BUFFER));
    }

    /// Takes back the slots of frames that have been sent.
    fn reclaim(&mut self) {
        while let Some(oldest) = self.sending.oldest() {
            let status = self.memory.read32(TRANSMIT_RING + oldest * DESCRIPTOR + 4);
            match status {
                _ if status & OWNED_BY_CARD != 0 => break,
                _ if status & ERROR != 0 => self.counters.send_errors += 1,
                _ => self.counters.sent += 1,
            }
            self.sending.free_oldest();
        }
    }
}

/// Where the buffer of a receive slot is.
fn receive_buffer(slot: usize) -> usize {
    RECEIVE_BUFFERS + slot * BUFFER
}

fn transmit_buffer(slot: usize) -> usize {
    TRANSMIT_BUFFERS + slot * BUFFER
}

impl<D: Device, M: DeviceMemory> Nic for Pcnet32<D, M> {
    fn identity(&self) -> &Identity {
        &self.identity
    }

    fn open(&mut self) -> Result<(), Error> {
        self.reset()?;
        if let Err(error) = self.start() {
            self.close();
            return Err(error);
        }
        self.is_open = true;
        Ok(())
    }

    fn close(&mut self) {
        // A card that does not answer cannot be made quieter than by taking the bus from it, which was done.
        let _ = self.reset();
    }

    fn link(&mut self) -> Link {
        match self.bus(LIGHT) {
            // The card is gone.
            u16::MAX => Link::Down,
            light if light & LIGHT_SHOWS_LINK == 0 || light & LIGHT_SHOWS_OTHERS != 0 => Link::Unknown,
            light if light & LIGHT_IS_ON != 0 => Link::Up,
            _ => Link::Down,
        }
    }

    fn poll(&mut self, _now: Instant, _until: Instant) -> Result<(), Error> {
        if self.is_open {
            self.reclaim();
            if self.control(STATUS) & RUNNING != RUNNING {
                // It stops where it finds its rings in disorder.
                return self.open();
            }
        }
        Ok(())
    }

    fn may_have_received(&self) -> bool {
        let descriptor = RECEIVE_RING + self.receiving.next() * DESCRIPTOR;
        !self.is_open || self.memory.read32(descriptor + 4) & OWNED_BY_CARD == 0
    }

    fn receive(&mut self) -> Option<&[u8]> {
        // As many as there are slots: a card that fills them faster than we look must not keep us here.
        for _ in 0..RECEIVE_SLOTS {
            if !self.is_open {
                return None;
            }
            if let Some(shown) = self.receiving.take_shown() {
                self.give(shown);
            }
            let slot = self.receiving.next();
            let descriptor = RECEIVE_RING + slot * DESCRIPTOR;
            let status = self.memory.read32(descriptor + 4);
            if status & OWNED_BY_CARD != 0 {
                return None;
            }
            self.receiving.show();
            let length = (self.memory.read32(descriptor + 8) & MESSAGE_LENGTH) as usize;
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
        let slot = self.sending.next();
        let buffer = self.memory.bytes_mut(transmit_buffer(slot), BUFFER);
        let Some(length) = nic::put_padded(frame, buffer) else {
            self.counters.send_errors += 1;
            return true;
        };
        let descriptor = TRANSMIT_RING + slot * DESCRIPTOR;
        self.memory.write32(descriptor + 8, 0);
        self.memory.write32(descriptor + 4, OWNED_BY_CARD | WHOLE | negative(length));
        self.sending.send();
        self.set_control(STATUS, TRANSMIT_DEMAND);
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
