//! NE2000 cards on PCI: Realtek's RTL8029 and others with the core of National Semiconductor's DP8390.
//!
//! By the datasheets of the DP8390D and of the RTL8029AS. The card has 16 KiB of memory of its own, in pages of 256
//! bytes: a few for the frame that is sent, and a ring for those that are received. The driver reads and writes them
//! through a port ("remote DMA"), so the card never touches the machine's memory. The card is polled: its interrupts
//! stay masked. The documents were not at hand when this was written, so numbers of sections may be wrong.
#![no_std]
#![allow(clippy::cast_possible_truncation, reason = "numbers are cut into the sizes that registers have")]

#[cfg(test)]
extern crate alloc;

#[cfg(test)]
mod tests;

use base::{Duration, Error, Instant, MacAddress};
use hw::device::{Device, DeviceMemory};
use nic::{Counters, FRAME_CAPACITY, Identity, Link, Nic, PciIdentity, errors};

/// Bytes of memory: one frame, which is read from the card and shown.
pub const MEMORY: usize = 2048;

/// The card's pages: where its memory begins, where the ring does, and where it ends.
const TRANSMIT_PAGE: u8 = 0x40;
const RING_START: u8 = TRANSMIT_PAGE + FRAME_PAGES;
const RING_STOP: u8 = 0x80;
/// Of a card with half of the memory.
const RING_STOP_SHORT: u8 = 0x60;
/// Pages of the largest frame, with its header and its check sequence.
const FRAME_PAGES: u8 = 6;
/// Bytes before each frame in the ring: status, page of the next, and bytes of this one with its check sequence.
const HEADER: usize = 4;
const CHECK_SEQUENCE: usize = 4;
/// Where the card's address is, each byte twice.
const ADDRESS: u16 = 0;

/// The region of the registers: ports.
const PORTS: u8 = 0;

// Registers (DP8390D, section 10; RTL8029AS, chapter 5). Offsets in bytes; those from 1 to 15 are in pages.
const COMMAND: u32 = 0x00;
const PAGE_START: u32 = 0x01;
const PAGE_STOP: u32 = 0x02;
/// The last page that the driver has read.
const BOUNDARY: u32 = 0x03;
/// What became of the last frame, when read; where it is, when written.
const TRANSMIT_STATUS: u32 = 0x04;
const TRANSMIT_COUNT: u32 = 0x05;
const EVENTS: u32 = 0x07;
const REMOTE_ADDRESS: u32 = 0x08;
const REMOTE_COUNT: u32 = 0x0a;
const RECEIVE_CONFIGURATION: u32 = 0x0c;
const TRANSMIT_CONFIGURATION: u32 = 0x0d;
const DATA_CONFIGURATION: u32 = 0x0e;
const INTERRUPT_MASK: u32 = 0x0f;
/// On page 1: our address, the page that the card writes next, and the filter of multicasts.
const STATION_ADDRESS: u32 = 0x01;
const CURRENT: u32 = 0x07;
const MULTICAST_FILTER: u32 = 0x08;
/// On all pages.
const DATA: u32 = 0x10;
const RESET: u32 = 0x1f;

/// Values of [`COMMAND`]: what the card does, no remote DMA or which, and the page of registers.
const STOP: u8 = 0x21;
const START: u8 = 0x22;
const REMOTE_READ: u8 = 0x0a;
const REMOTE_WRITE: u8 = 0x12;
const TRANSMIT: u8 = 0x26;
const SECOND_PAGE: u8 = 0x40;
/// The bit that is set while a frame is being sent.
const TRANSMITTING: u8 = 1 << 2;

/// Bits of [`EVENTS`].
const OVERWRITTEN: u8 = 1 << 4;
const REMOTE_DONE: u8 = 1 << 6;
const IS_RESET: u8 = 1 << 7;

/// Words, no loopback, bursts of 8 bytes inside of the card.
const DATA_RUN: u8 = 0x49;
/// Broadcasts and multicasts, beside what is for our address.
const RECEIVE_RUN: u8 = 0x0c;
/// While it is being set up: to receive nothing, and to send to itself only.
const RECEIVE_NOTHING: u8 = 0x20;
const LOOPBACK: u8 = 0x02;
/// Of a frame's receive status and of [`TRANSMIT_STATUS`].
const IS_GOOD: u8 = 1 << 0;

/// Longer than 16 attempts to send can take (DP8390D, section 11).
const SENDING_LIMIT: Duration = Duration::from_millis(1500);

/// A kind of card.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Kind {
    vendor: u16,
    device: u16,
    /// The port of data has 32 bits.
    is_wide: bool,
    ring_stop: u8,
}

const fn kind(vendor: u16, device: u16) -> Kind {
    Kind { vendor, device, is_wide: true, ring_stop: RING_STOP }
}

/// The cards. Width and memory of the odd ones are known from drivers in use.
const CARDS: &[Kind] = &[
    kind(0x10ec, 0x8029),                                        // Realtek RTL8029
    kind(0x1050, 0x0940),                                        // Winbond W89C940
    kind(0x1050, 0x5a5a),                                        // Winbond W89C940F
    kind(0x10bd, 0x0e34),                                        // SureCom NE34
    Kind { is_wide: false, ..kind(0x1106, 0x0926) },             // VIA VT86C926
    kind(0x1186, 0x0300),                                        // D-Link DE-528
    kind(0x11f6, 0x1401),                                        // Compex ReadyLink 2000
    Kind { is_wide: false, ..kind(0x12c3, 0x0058) },             // Holtek HT80232
    Kind { ring_stop: RING_STOP_SHORT, ..kind(0x12c3, 0x5598) }, // Holtek HT80229
    kind(0x4a14, 0x5000),                                        // NetVin NV5000SC
    kind(0x8e2e, 0x3000),                                        // KTI ET32P2
];

fn kind_of(vendor: u16, device: u16) -> Option<Kind> {
    CARDS.iter().find(|kind| (kind.vendor, kind.device) == (vendor, device)).copied()
}

/// Whether the driver is for a card.
pub fn drives(vendor: u16, device: u16) -> bool {
    kind_of(vendor, device).is_some()
}

/// A card's registers, and its memory behind them.
#[derive(Debug)]
struct Chip<D> {
    device: D,
    kind: Kind,
}

impl<D: Device> Chip<D> {
    fn read(&self, register: u32) -> u8 {
        self.device.read8(PORTS, register)
    }

    fn write(&mut self, register: u32, value: u8) {
        self.device.write8(PORTS, register, value);
    }

    /// Two registers, the lower half first.
    fn write_pair(&mut self, register: u32, value: u16) {
        let [low, high] = value.to_le_bytes();
        self.write(register, low);
        self.write(register + 1, high);
    }

    /// Has the card move `length` bytes, a multiple of 4, from or to its memory at `address`, through the port of data.
    fn begin_remote(&mut self, command: u8, address: u16, length: usize) {
        self.write(COMMAND, START);
        self.write(EVENTS, REMOTE_DONE);
        self.write_pair(REMOTE_COUNT, length as u16);
        self.write_pair(REMOTE_ADDRESS, address);
        self.write(COMMAND, command);
    }

    /// Reads from the card's memory.
    fn read_card(&mut self, address: u16, bytes: &mut [u8]) {
        let length = bytes.len().next_multiple_of(4);
        self.begin_remote(REMOTE_READ, address, length);
        for quad in bytes.chunks_mut(4) {
            let read = match self.kind.is_wide {
                true => self.device.read32(PORTS, DATA).to_le_bytes(),
                false => {
                    let [a, b] = self.device.read16(PORTS, DATA).to_le_bytes();
                    let [c, d] = self.device.read16(PORTS, DATA).to_le_bytes();
                    [a, b, c, d]
                }
            };
            for (byte, read) in quad.iter_mut().zip(read) {
                *byte = read;
            }
        }
    }

    fn is_in_ring(&self, page: u8) -> bool {
        (RING_START..self.kind.ring_stop).contains(&page)
    }

    /// The page that the card writes next.
    fn current(&mut self) -> u8 {
        self.write(COMMAND, START | SECOND_PAGE);
        let current = self.read(CURRENT);
        self.write(COMMAND, START);
        current
    }
}

/// A card.
#[derive(Debug)]
pub struct Ns8390<D: Device, M: DeviceMemory> {
    chip: Chip<D>,
    memory: M,
    identity: Identity,
    is_open: bool,
    /// The page of the next frame to be received.
    next: u8,
    /// The ring makes no sense any more: it is begun anew by the next poll.
    is_confused: bool,
    is_sending: bool,
    /// When sending has taken too long.
    deadline: Option<Instant>,
    counters: Counters,
}

impl<D: Device, M: DeviceMemory> Ns8390<D, M> {
    /// The driver of a card, which is reset and stays quiet. `memory` has [`MEMORY`] bytes.
    pub fn try_new(device: D, memory: M, pci: PciIdentity) -> Result<Self, Error> {
        let Some(kind) = kind_of(pci.vendor, pci.device) else {
            return Err(errors::UNSUPPORTED.of("to be of a family"));
        };
        if memory.length() < MEMORY {
            return Err(errors::NO_MEMORY.error());
        }
        let mut nic = Self {
            chip: Chip { device, kind },
            memory,
            identity: Identity::new("ns8390", pci),
            is_open: false,
            next: RING_START,
            is_confused: false,
            is_sending: false,
            deadline: None,
            counters: Counters::default(),
        };
        nic.reset()?;
        nic.chip.write(DATA_CONFIGURATION, DATA_RUN);
        let mut doubled = [0; 12];
        nic.chip.read_card(ADDRESS, &mut doubled);
        nic.chip.write(COMMAND, STOP);
        let mut mac = MacAddress([0; 6]);
        for (byte, twice) in mac.0.iter_mut().zip(doubled.chunks_exact(2)) {
            *byte = twice.first().copied().unwrap_or_default();
        }
        nic.identity.set_address(mac)?;
        Ok(nic)
    }

    /// Stops everything: no interrupts, no frames (DP8390D, section 7).
    fn reset(&mut self) -> Result<(), Error> {
        self.is_open = false;
        let value = self.chip.read(RESET);
        self.chip.write(RESET, value);
        // A card that cannot tell, as some cannot, is stopped nevertheless.
        let _ = self.chip.device.becomes(|device| device.read8(PORTS, EVENTS) & IS_RESET != 0);
        self.chip.write(COMMAND, STOP);
        self.chip.write(INTERRUPT_MASK, 0);
        self.chip.write(EVENTS, u8::MAX);
        self.chip.write_pair(REMOTE_COUNT, 0);
        let is_stopped = self.chip.read(COMMAND) == STOP;
        if is_stopped { Ok(()) } else { Err(errors::NO_ANSWER.of("its reset does not stop it")) }
    }

    /// Sets the card up and starts it, in the order of the DP8390D's section 7.
    fn start(&mut self) {
        self.chip.write(DATA_CONFIGURATION, DATA_RUN);
        self.chip.write(RECEIVE_CONFIGURATION, RECEIVE_NOTHING);
        self.chip.write(TRANSMIT_CONFIGURATION, LOOPBACK);
        self.chip.write(PAGE_START, RING_START);
        self.chip.write(PAGE_STOP, self.chip.kind.ring_stop);
        self.chip.write(BOUNDARY, RING_START);
        self.chip.write(COMMAND, STOP | SECOND_PAGE);
        for (register, byte) in (STATION_ADDRESS..).zip(self.identity.mac.0) {
            self.chip.write(register, byte);
        }
        for register in MULTICAST_FILTER..MULTICAST_FILTER + 8 {
            self.chip.write(register, u8::MAX);
        }
        // One page of the ring is always between what was read and what will be.
        self.next = RING_START + 1;
        self.chip.write(CURRENT, self.next);
        self.chip.write(COMMAND, START);
        self.chip.write(TRANSMIT_CONFIGURATION, 0);
        self.chip.write(RECEIVE_CONFIGURATION, RECEIVE_RUN);
        (self.is_confused, self.is_sending, self.deadline) = (false, false, None);
    }

    /// Takes note of a frame that has been sent.
    fn reclaim(&mut self) {
        if self.is_sending && self.chip.read(COMMAND) & TRANSMITTING == 0 {
            (self.is_sending, self.deadline) = (false, None);
            match self.chip.read(TRANSMIT_STATUS) & IS_GOOD {
                0 => self.counters.send_errors += 1,
                _ => self.counters.sent += 1,
            }
        }
    }

    /// Reads the next frame from the ring; its length, if it is whole and good.
    fn take(&mut self) -> Option<usize> {
        let page = self.next;
        let mut header = [0; HEADER];
        self.chip.read_card(u16::from(page) << 8, &mut header);
        let [status, next, low, high] = header;
        let length = usize::from(u16::from_le_bytes([low, high])).wrapping_sub(CHECK_SEQUENCE);
        if !self.chip.is_in_ring(next) || status & IS_GOOD == 0 || length > FRAME_CAPACITY {
            return None;
        }
        // What does not fit before the ring's end is at its beginning.
        let before = usize::from(self.chip.kind.ring_stop - page) * 256 - HEADER;
        let (head, tail) = self.memory.bytes_mut(0, length).split_at_mut_checked(length.min(before))?;
        self.chip.read_card((u16::from(page) << 8) + HEADER as u16, head);
        if !tail.is_empty() {
            self.chip.read_card(u16::from(RING_START) << 8, tail);
        }
        self.next = next;
        let boundary = if next == RING_START { self.chip.kind.ring_stop - 1 } else { next - 1 };
        self.chip.write(BOUNDARY, boundary);
        Some(length)
    }
}

impl<D: Device, M: DeviceMemory> Nic for Ns8390<D, M> {
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
        // A card that does not answer has no way to our memory.
        let _ = self.reset();
    }

    fn link(&mut self) -> Link {
        Link::Unknown
    }

    fn poll(&mut self, now: Instant, _until: Instant) -> Result<(), Error> {
        if !self.is_open {
            return Ok(());
        }
        self.reclaim();
        let deadline = *self.deadline.get_or_insert(now + SENDING_LIMIT);
        if !self.is_sending {
            self.deadline = None;
        }
        // A ring that was overwritten has to be begun anew (DP8390D, section 7): what is in it is lost, as more is.
        let is_overwritten = self.chip.read(EVENTS) & OVERWRITTEN != 0;
        if self.is_confused || is_overwritten || self.is_sending && now >= deadline {
            return self.open();
        }
        Ok(())
    }

    fn receive(&mut self) -> Option<&[u8]> {
        if !self.is_open || self.is_confused {
            return None;
        }
        let current = self.chip.current();
        if current == self.next {
            return None;
        }
        let length = if self.chip.is_in_ring(current) { self.take() } else { None };
        let Some(length) = length else {
            // With a wrong header nobody knows where the next frame begins.
            self.counters.receive_drops += 1;
            self.is_confused = true;
            return None;
        };
        self.counters.received += 1;
        Some(self.memory.bytes(0, length))
    }

    fn can_transmit(&self) -> bool {
        self.is_open && !self.is_sending && !self.is_confused
    }

    fn transmit(&mut self, frame: &[u8]) -> bool {
        self.reclaim();
        if !self.can_transmit() {
            return false;
        }
        let mut padded = [0; FRAME_PAGES as usize * 256];
        let Some(length) = nic::put_padded(frame, &mut padded) else {
            self.counters.send_errors += 1;
            return true;
        };
        let address = u16::from(TRANSMIT_PAGE) << 8;
        self.chip.begin_remote(REMOTE_WRITE, address, length.next_multiple_of(4));
        let (quads, _) = padded.as_chunks::<4>();
        for [a, b, c, d] in quads.iter().take(length.div_ceil(4)).copied() {
            if self.chip.kind.is_wide {
                self.chip.device.write32(PORTS, DATA, u32::from_le_bytes([a, b, c, d]));
            } else {
                self.chip.device.write16(PORTS, DATA, u16::from_le_bytes([a, b]));
                self.chip.device.write16(PORTS, DATA, u16::from_le_bytes([c, d]));
            }
        }
        // The last bytes may still be on their way into the card's memory.
        if !self.chip.device.becomes(|device| device.read8(PORTS, EVENTS) & REMOTE_DONE != 0) {
            self.is_confused = true;
            self.counters.send_errors += 1;
            return true;
        }
        self.chip.write(TRANSMIT_STATUS, TRANSMIT_PAGE);
        self.chip.write_pair(TRANSMIT_COUNT, length as u16);
        self.chip.write(COMMAND, TRANSMIT);
        self.is_sending = true;
        true
    }

    fn counters(&self) -> Counters {
        self.counters
    }

    fn frames_ahead(&self) -> u16 {
        u16::from((self.chip.kind.ring_stop - RING_START - 1) / FRAME_PAGES)
    }
}
