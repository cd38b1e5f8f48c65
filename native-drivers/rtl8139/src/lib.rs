//! Realtek's 8139 Fast Ethernet controllers, and those that others sell under names of their own.
//!
//! Written from the RTL8139D(L) datasheet (revision 1.3) and the RTL8139 Programming Guide. The card writes frames one
//! after the other into one ring of bytes; one that begins before the ring's end is written past it, whole, so that no
//! frame is ever in two pieces. It sends from four places in turn. The card is polled: its interrupts stay masked.
#![no_std]
#![allow(clippy::cast_possible_truncation, reason = "numbers are cut into the sizes that registers have")]

#[cfg(test)]
extern crate alloc;

#[cfg(test)]
mod tests;

use base::{Error, Instant, MacAddress};
use hw::device::{Device, DeviceMemory};
use nic::ring::TransmitRing;
use nic::{Counters, FRAME_CAPACITY, Identity, Link, Nic, PciIdentity, errors};

/// Bytes of the ring, as the receive configuration says.
const RING: usize = 32 * 1024;
/// The card writes its last frame past the ring's end, and an early part of a header.
const RING_ROOM: usize = RING + 2048;
/// Bytes before each frame: status and length.
const HEADER: usize = 4;
/// Bytes of the frame check sequence, which the card leaves in the ring.
const CHECK_SEQUENCE: usize = 4;
const TRANSMIT_SLOTS: usize = 4;
const BUFFER: usize = 2048;

/// Bytes of memory that the driver and the card share.
pub const MEMORY: usize = RING_ROOM + TRANSMIT_SLOTS * BUFFER;

/// The region of the registers: ports.
const PORTS: u8 = 0;

// Registers (datasheet, chapter 5). Offsets in bytes.
const ADDRESS: u32 = 0x00;
const MULTICAST_FILTER: u32 = 0x08;
const TRANSMIT_STATUS: u32 = 0x10;
const TRANSMIT_ADDRESS: u32 = 0x20;
const RECEIVE_ADDRESS: u32 = 0x30;
const COMMAND: u32 = 0x37;
/// CAPR: where the driver reads, less 16.
const READ_PLACE: u32 = 0x38;
const INTERRUPT_MASK: u32 = 0x3c;
const INTERRUPT_STATUS: u32 = 0x3e;
const TRANSMIT_CONFIGURATION: u32 = 0x40;
const RECEIVE_CONFIGURATION: u32 = 0x44;
const MEDIA_STATUS: u32 = 0x58;

/// Bits of [`COMMAND`].
const BUFFER_EMPTY: u8 = 1 << 0;
const TRANSMIT_ENABLE: u8 = 1 << 2;
const RECEIVE_ENABLE: u8 = 1 << 3;
const RESET: u8 = 1 << 4;

/// Frames for our address, multicasts, by which switches tell of themselves, and broadcasts, no frame in two pieces,
/// bursts without limit, a ring of 32 KiB, whole frames.
const RECEIVE_RUN: u32 = 1 << 1 | 1 << 2 | 1 << 3 | 1 << 7 | 7 << 8 | 2 << 11 | 7 << 13;
/// Bursts of 2048 bytes, and the usual gap between frames.
const TRANSMIT_RUN: u32 = 7 << 8 | 3 << 24;
/// Bits of a frame's transmit status, beside its length: when to begin, and what became of it.
const TRANSMIT_DONE: u32 = 1 << 15;
const TRANSMIT_ABORTED: u32 = 1 << 30;
const TRANSMIT_THRESHOLD: u32 = 8 << 16;
/// Of the media status: there is no link.
const NO_LINK: u8 = 1 << 2;

/// Bits of a frame's receive status.
const RECEIVE_OK: u16 = 1;
const RECEIVE_ERRORS: u16 = 0b11_1110;

/// The cards: vendors and devices, as Linux's 8139too lists them. Not the 8129, whose PHY is another chip.
const CARDS: &[(u16, u16)] = &[
    (0x10ec, 0x8139), // Realtek
    (0x10ec, 0x8138), // 8139B, CardBus
    (0x1113, 0x1211), // Accton MPX5030
    (0x1186, 0x1300), // D-Link DFE-538TX
    (0x1186, 0x1340), // D-Link DFE-690TXD
    (0x11db, 0x1234), // Sega
    (0x1259, 0xa117), // Allied Telesyn 81xx
    (0x1259, 0xa11e),
    (0x13d1, 0xab06), // AboCom FE2000VX
    (0x14ea, 0xab06), // Planex FNW-3603-TX
    (0x14ea, 0xab07), // FNW-3800-TX
    (0x021b, 0x8139), // Compaq HNE-300
    (0x4033, 0x1360), // Addtron
    (0x018a, 0x0106), // LevelOne FPC-0106TX
    (0x02ac, 0x1012), // SpeedStream 1012
    (0x126c, 0x1211), // Nortel
    (0x1432, 0x9130), // Edimax
    (0x1500, 0x1360), // Delta Electronics
    (0x1743, 0x8139), // Peppercon ROL/F-100
];

/// Whether the driver is for a card.
pub fn drives(vendor: u16, device: u16) -> bool {
    CARDS.contains(&(vendor, device))
}

/// A card.
#[derive(Debug)]
pub struct Rtl8139<D: Device, M: DeviceMemory> {
    device: D,
    memory: M,
    identity: Identity,
    is_open: bool,
    /// Where the next frame's header is in the ring.
    place: usize,
    /// The ring makes no sense any more: it is begun anew by the next poll.
    is_confused: bool,
    sending: TransmitRing<TRANSMIT_SLOTS>,
    counters: Counters,
}

impl<D: Device, M: DeviceMemory> Rtl8139<D, M> {
    /// The driver of a card, which is reset and stays quiet. `memory` has [`MEMORY`] bytes.
    pub fn try_new(device: D, memory: M, pci: PciIdentity) -> Result<Self, Error> {
        if memory.length() < MEMORY {
            return Err(errors::NO_MEMORY.error());
        }
        let mut nic = Self {
            device,
            memory,
            identity: Identity::new("rtl8139", pci),
            is_open: false,
            place: 0,
            is_confused: false,
            sending: TransmitRing::default(),
            counters: Counters::default(),
        };
        nic.reset()?;
        // What the card has loaded from its memory when it got power, or what another driver has set since: a reset leaves
        // it (datasheet, CR, bit 4).
        let mac = MacAddress([0, 1, 2, 3, 4, 5].map(|byte| nic.device.read8(PORTS, ADDRESS + byte)));
        nic.identity.set_address(mac)?;
        Ok(nic)
    }

    /// Stops everything: no interrupts, no frames, no access to memory.
    fn reset(&mut self) -> Result<(), Error> {
        self.is_open = false;
        self.device.write16(PORTS, INTERRUPT_MASK, 0);
        self.device.write8(PORTS, COMMAND, RESET);
        let is_over = self.device.becomes(|device| device.read8(PORTS, COMMAND) & RESET == 0);
        self.device.set_bus_mastering(false);
        if is_over { Ok(()) } else { Err(errors::NO_ANSWER.of("its reset does not end")) }
    }

    fn start(&mut self) {
        let base = self.memory.address() as u32;
        (self.place, self.is_confused, self.sending) = (0, false, TransmitRing::default());
        self.device.set_bus_mastering(true);
        self.device.write32(PORTS, RECEIVE_ADDRESS, base);
        for slot in 0..TRANSMIT_SLOTS {
            let address = base + buffer(slot) as u32;
            self.device.write32(PORTS, TRANSMIT_ADDRESS + 4 * slot as u32, address);
        }
        // The configuration can be written only after the card is on.
        self.device.write8(PORTS, COMMAND, TRANSMIT_ENABLE | RECEIVE_ENABLE);
        self.device.write32(PORTS, TRANSMIT_CONFIGURATION, TRANSMIT_RUN);
        self.device.write32(PORTS, MULTICAST_FILTER, u32::MAX);
        self.device.write32(PORTS, MULTICAST_FILTER + 4, u32::MAX);
        self.device.write32(PORTS, RECEIVE_CONFIGURATION, RECEIVE_RUN);
        self.device.write16(PORTS, INTERRUPT_MASK, 0);
    }

    /// Takes back the slots of frames that have been sent: the card sends them in order.
    fn reclaim(&mut self) {
        while let Some(oldest) = self.sending.oldest() {
            let status = self.device.read32(PORTS, TRANSMIT_STATUS + 4 * oldest as u32);
            match status {
                _ if status & TRANSMIT_DONE != 0 => self.counters.sent += 1,
                _ if status & TRANSMIT_ABORTED != 0 => self.counters.send_errors += 1,
                _ => break,
            }
            self.sending.free_oldest();
        }
    }

    /// Tells the card how far the ring has been read.
    fn give_back(&mut self) {
        // The card keeps 16 bytes away from this place (programming guide, section 3.2).
        self.device.write16(PORTS, READ_PLACE, (self.place as u16).wrapping_sub(16));
    }
}

/// Where the buffer of a transmit slot is.
fn buffer(slot: usize) -> usize {
    RING_ROOM + slot * BUFFER
}

impl<D: Device, M: DeviceMemory> Nic for Rtl8139<D, M> {
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
        if self.device.read8(PORTS, MEDIA_STATUS) & NO_LINK == 0 { Link::Up } else { Link::Down }
    }

    fn poll(&mut self, _now: Instant, _until: Instant) -> Result<(), Error> {
        if self.is_open {
            self.reclaim();
            // What happened is seen in the ring; a cause that stays set would only hide the next one.
            let causes = self.device.read16(PORTS, INTERRUPT_STATUS);
            self.device.write16(PORTS, INTERRUPT_STATUS, causes);
            if self.is_confused {
                return self.open();
            }
        }
        Ok(())
    }

    fn may_have_received(&self) -> bool {
        !self.is_open || self.is_confused || self.device.read8(PORTS, COMMAND) & BUFFER_EMPTY == 0
    }

    fn receive(&mut self) -> Option<&[u8]> {
        if !self.is_open || self.is_confused {
            return None;
        }
        // What was shown before is the card's again.
        self.give_back();
        if self.device.read8(PORTS, COMMAND) & BUFFER_EMPTY != 0 {
            return None;
        }
        let header = self.memory.read32(self.place);
        let (status, length) = (header as u16, (header >> 16) as usize);
        let frame = length.wrapping_sub(CHECK_SEQUENCE);
        let is_whole = status & RECEIVE_OK != 0 && status & RECEIVE_ERRORS == 0;
        if !is_whole || frame > FRAME_CAPACITY {
            // With a wrong length nobody knows where the next frame begins.
            self.counters.receive_drops += 1;
            self.is_confused = true;
            return None;
        }
        let start = self.place + HEADER;
        self.place = (start + length).next_multiple_of(4) % RING;
        self.counters.received += 1;
        Some(self.memory.bytes(start, frame))
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
        let Some(length) = nic::put_padded(frame, self.memory.bytes_mut(buffer(slot), BUFFER)) else {
            self.counters.send_errors += 1;
            return true;
        };
        // A status without the mark of the driver's own gives the slot to the card.
        let order = length as u32 | TRANSMIT_THRESHOLD;
        self.device.write32(PORTS, TRANSMIT_STATUS + 4 * slot as u32, order);
        self.sending.send();
        true
    }

    fn counters(&self) -> Counters {
        self.counters
    }

    fn frames_ahead(&self) -> u16 {
        // Of the largest frames, so many fit.
        (RING / (FRAME_CAPACITY + 16)) as u16
    }
}
