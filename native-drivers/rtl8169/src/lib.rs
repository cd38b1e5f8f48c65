//! Realtek's gigabit Ethernet controllers on PCI (8169, 8110) and PCI Express (8168, 8111), the Fast Ethernet ones like
//! them (8101E to 8106E), and those for 2.5 Gbit/s (8125).
//!
//! By the datasheets of the RTL8169 (revision 1.21) and the RTL8111B/RTL8168B (1.0). Of later ones there are none:
//! what they have elsewhere are facts from drivers in use (Linux's r8169). No emulator plays these cards. Card and
//! driver share two rings of descriptors; a bit in each says whose it is. The card is polled: its interrupts stay
//! masked. The documents were not at hand when this was written, so numbers of sections may be wrong.
#![no_std]
#![allow(clippy::cast_possible_truncation, reason = "numbers are cut into the sizes that registers have")]

#[cfg(test)]
extern crate alloc;

mod phy;
#[cfg(test)]
mod tests;

use base::{Error, Instant, MacAddress};
use hw::device::{Device, DeviceMemory};
use nic::ring::{ReceiveRing, TransmitRing};
use nic::{Counters, FRAME_CAPACITY, Identity, Link, Nic, PciIdentity, errors};

/// Descriptors in the receive ring; both rings begin at multiples of 256 bytes.
const RECEIVE_SLOTS: usize = 128;
const TRANSMIT_SLOTS: usize = 16;
/// Bytes of a descriptor.
const DESCRIPTOR: usize = 16;
/// Bytes of a frame's buffer, which begins at a multiple of 8: with the check sequence.
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

// Registers (RTL8169 datasheet, chapter 6). Offsets in bytes.
const ADDRESS: u32 = 0x00;
const MULTICAST_FILTER: u32 = 0x08;
const TRANSMIT_RING_ADDRESS: u32 = 0x20;
const COMMAND: u32 = 0x37;
const TRANSMIT_CONFIGURATION: u32 = 0x40;
const RECEIVE_CONFIGURATION: u32 = 0x44;
/// 9346CR: whether what configures the card can be written.
const LOCK: u32 = 0x50;
const PHY_STATUS: u32 = 0x6c;
/// Of the 8125: a register behind is written (bit 31, its number halved from bit 16 on, the value), or read.
const INNER: u32 = 0xb0;
/// RMS: the longest frame that is received.
const RECEIVE_LIMIT: u32 = 0xda;
/// C+CR: what is beyond the 8139.
const PLUS_COMMAND: u32 = 0xe0;
const RECEIVE_RING_ADDRESS: u32 = 0xe4;
/// MTPS: the longest frame that is sent, or how many bytes are waited for; in units of 128 or 32 bytes.
const TRANSMIT_LIMIT: u32 = 0xec;
/// MISC of the 8168G and later.
const MISCELLANEOUS: u32 = 0xf0;

/// Bits of [`COMMAND`].
const TRANSMIT_ENABLE: u8 = 1 << 2;
const RECEIVE_ENABLE: u8 = 1 << 3;
const RESET: u8 = 1 << 4;
/// Values of [`LOCK`].
const UNLOCKED: u8 = 0xc0;
const LOCKED: u8 = 0;
/// Bit of [`PHY_STATUS`].
const LINK: u8 = 1 << 1;
/// Bits of [`PLUS_COMMAND`]: addresses of 64 bits, checksums, and tags of VLANs taken out; multiple reads and writes.
const PLUS_OFF: u16 = 1 << 4 | 1 << 5 | 1 << 6;
const MULTIPLE: u16 = 1 << 3;
/// Bit of [`MISCELLANEOUS`]: nothing comes in from the PHY.
const GATE: u32 = 1 << 19;
/// The inner register of the 8125 whose first bit chooses other transmit descriptors.
const DESCRIPTOR_FORMAT: u32 = 0xeb58;
/// The longest there is.
const TRANSMIT_LIMIT_OFF: u8 = 0x3f;
/// The usual gap between frames, and bursts without limit.
const TRANSMIT_RUN: u32 = 3 << 24 | 7 << 8;
/// Frames for our address, multicasts, by which switches tell of themselves, and broadcasts; bursts without limit.
const RECEIVE_RUN: u32 = 1 << 1 | 1 << 2 | 1 << 3 | 7 << 8;

/// A descriptor's first double word (RTL8169 datasheet, chapter 9).
const OWNED_BY_CARD: u32 = 1 << 31;
const END_OF_RING: u32 = 1 << 30;
/// FS and LS: the first and the last of a frame's buffers.
const WHOLE: u32 = 1 << 29 | 1 << 28;
/// RES, of a receive descriptor.
const ERROR: u32 = 1 << 21;
const LENGTH: u32 = 0x3fff;

/// What cards have in common.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Family {
    /// 8169 and 8110, on PCI.
    Pci,
    /// 8168, 8111 and 810xE, on PCI Express.
    Express,
    /// 8125.
    Fast,
}

impl Family {
    /// The rest of the receive configuration of a chip: whole frames before they are moved, or how descriptors are
    /// fetched. Bit 11 keeps the 8168G and later from moving a frame's beginning early; the 8125B has it for pauses.
    fn receive_configuration(self, chip: u32) -> u32 {
        let late = if chip >= phy::LATE && chip & 0x7c0 != FIRST_FAST { 1 << 11 } else { 0 };
        late | match self {
            Self::Pci => 7 << 13,
            Self::Express => 1 << 14 | 1 << 15,
            Self::Fast => 8 << 27,
        }
    }
}

/// The bits of the transmit configuration, from bit 20 on, by which chips are known. Those that only tell revisions apart
/// are left out (Linux's r8169: XID).
const CHIP: u32 = 0x7cf;
/// The 8125A.
const FIRST_FAST: u32 = 0x600;

/// The cards: vendors and devices, as listed in the PCI ID database.
const CARDS: &[(Family, u16, u16)] = &[
    (Family::Pci, 0x10ec, 0x8167),     // Realtek RTL8110SC, RTL8169SC
    (Family::Pci, 0x10ec, 0x8169),     // RTL8169
    (Family::Pci, 0x1186, 0x4300),     // D-Link DGE-528T
    (Family::Pci, 0x1186, 0x4302),     // D-Link DGE-530T
    (Family::Pci, 0x1259, 0xc107),     // Allied Telesyn
    (Family::Pci, 0x16ec, 0x0116),     // US Robotics USR997902
    (Family::Pci, 0x1737, 0x1032),     // Linksys EG1032
    (Family::Express, 0x10ec, 0x8136), // RTL8101E to RTL8106E
    (Family::Express, 0x10ec, 0x8161), // RTL8111, sold by others
    (Family::Express, 0x10ec, 0x8168), // RTL8111, RTL8168, RTL8411
    (Family::Express, 0x0001, 0x8168), // the same, with a wrong vendor
    (Family::Fast, 0x10ec, 0x8125),    // RTL8125
    (Family::Fast, 0x10ec, 0x3000),    // Killer E3000
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
pub struct Rtl8169<D: Device, M: DeviceMemory> {
    device: D,
    memory: M,
    family: Family,
    chip: u32,
    identity: Identity,
    is_open: bool,
    receiving: ReceiveRing<RECEIVE_SLOTS>,
    sending: TransmitRing<TRANSMIT_SLOTS>,
    counters: Counters,
}

impl<D: Device, M: DeviceMemory> Rtl8169<D, M> {
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
            chip: 0,
            identity: Identity::new("rtl8169", pci),
            is_open: false,
            receiving: ReceiveRing::default(),
            sending: TransmitRing::default(),
            counters: Counters::default(),
        };
        nic.reset()?;
        nic.chip = nic.device.read32(PORTS, TRANSMIT_CONFIGURATION) >> 20 & CHIP;
        // What the card has loaded from its memory when it got power, or what another driver has set since: a reset leaves
        // it (RTL8169 datasheet, chapter 6, CR).
        let mac = MacAddress([0, 1, 2, 3, 4, 5].map(|byte| nic.device.read8(PORTS, ADDRESS + byte)));
        nic.identity.set_address(mac)?;
        Ok(nic)
    }

    fn write32(&mut self, register: u32, value: u32) {
        self.device.write32(PORTS, register, value);
    }

    fn mask_interrupts(&mut self) {
        match self.family {
            Family::Pci | Family::Express => self.device.write16(PORTS, 0x3c, 0),
            Family::Fast => self.write32(0x38, 0),
        }
    }

    /// Has the card look for frames to be sent.
    fn kick(&mut self) {
        match self.family {
            Family::Pci | Family::Express => self.device.write8(PORTS, 0x38, 1 << 6),
            Family::Fast => self.device.write16(PORTS, 0x90, 1),
        }
    }

    /// Stops everything: no interrupts, no frames, no access to memory.
    fn reset(&mut self) -> Result<(), Error> {
        self.is_open = false;
        self.mask_interrupts();
        self.device.write8(PORTS, COMMAND, RESET);
        let is_over = self.device.becomes(|device| device.read8(PORTS, COMMAND) & RESET == 0);
        self.device.set_bus_mastering(false);
        self.mask_interrupts();
        if is_over { Ok(()) } else { Err(errors::NO_ANSWER.of("its reset does not end")) }
    }

    /// Lays out both rings and starts the card.
    fn start(&mut self) {
        let base = self.memory.address() as u32;
        for slot in 0..TRANSMIT_SLOTS {
            let descriptor = TRANSMIT_RING + slot * DESCRIPTOR;
            self.memory.write64(descriptor, 0);
            self.memory.write64(descriptor + 8, (base + transmit_buffer(slot) as u32).into());
        }
        for slot in 0..RECEIVE_SLOTS {
            self.memory.write64(slot * DESCRIPTOR + 8, (base + receive_buffer(slot) as u32).into());
            self.give(slot);
        }
        (self.receiving, self.sending) = (ReceiveRing::default(), TransmitRing::default());

        self.device.write8(PORTS, LOCK, UNLOCKED);
        let command = self.device.read16(PORTS, PLUS_COMMAND) & !PLUS_OFF;
        let multiple = if self.family == Family::Pci { MULTIPLE } else { 0 };
        self.device.write16(PORTS, PLUS_COMMAND, command | multiple);
        self.device.write16(PORTS, RECEIVE_LIMIT, BUFFER as u16);
        self.device.write8(PORTS, TRANSMIT_LIMIT, TRANSMIT_LIMIT_OFF);
        if self.family != Family::Pci {
            let open = self.device.read32(PORTS, MISCELLANEOUS) & !GATE;
            self.write32(MISCELLANEOUS, open);
        }
        if self.family == Family::Fast {
            self.write32(INNER, DESCRIPTOR_FORMAT << 15);
            let format = self.device.read32(PORTS, INNER) & 0xfffe;
            self.write32(INNER, 1 << 31 | DESCRIPTOR_FORMAT << 15 | format);
        }
        for (register, address) in
            [(RECEIVE_RING_ADDRESS, base), (TRANSMIT_RING_ADDRESS, base + TRANSMIT_RING as u32)]
        {
            // Some take an address when its lower half is written.
            self.write32(register + 4, 0);
            self.write32(register, address);
        }
        self.device.set_bus_mastering(true);
        // The configuration can be written only after the card is on.
        self.device.write8(PORTS, COMMAND, TRANSMIT_ENABLE | RECEIVE_ENABLE);
        self.write32(TRANSMIT_CONFIGURATION, TRANSMIT_RUN);
        self.write32(MULTICAST_FILTER, u32::MAX);
        self.write32(MULTICAST_FILTER + 4, u32::MAX);
        self.write32(RECEIVE_CONFIGURATION, RECEIVE_RUN | self.family.receive_configuration(self.chip));
        self.device.write8(PORTS, LOCK, LOCKED);
        self.mask_interrupts();
    }

    /// Lets the card receive into a slot.
    fn give(&mut self, slot: usize) {
        let end = if slot == RECEIVE_SLOTS - 1 { END_OF_RING } else { 0 };
        self.memory.write32(slot * DESCRIPTOR + 4, 0);
        self.memory.write32(slot * DESCRIPTOR, OWNED_BY_CARD | end | BUFFER as u32);
    }

    /// Takes back the slots of frames that have been sent.
    fn reclaim(&mut self) {
        while let Some(oldest) = self.sending.oldest() {
            if self.memory.read32(TRANSMIT_RING + oldest * DESCRIPTOR) & OWNED_BY_CARD != 0 {
                break;
            }
            self.sending.free_oldest();
            self.counters.sent += 1;
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

impl<D: Device, M: DeviceMemory> Nic for Rtl8169<D, M> {
    fn identity(&self) -> &Identity {
        &self.identity
    }

    fn open(&mut self) -> Result<(), Error> {
        self.reset()?;
        // Without it there is no link, which is told where one is waited for.
        let _ = phy::wake(&mut self.device, self.chip, self.family == Family::Fast);
        self.start();
        self.is_open = true;
        Ok(())
    }

    fn close(&mut self) {
        // A card that does not answer cannot be made quieter than by taking the bus from it, which was done.
        let _ = self.reset();
    }

    fn link(&mut self) -> Link {
        match self.device.read8(PORTS, PHY_STATUS) {
            // The card is gone.
            u8::MAX => Link::Down,
            status if status & LINK != 0 => Link::Up,
            _ => Link::Down,
        }
    }

    fn poll(&mut self, _now: Instant, _until: Instant) -> Result<(), Error> {
        if self.is_open {
            self.reclaim();
            if self.sending.oldest().is_some() {
                // An 8168 forgets one of two orders that come close together.
                self.kick();
            }
            let command = self.device.read8(PORTS, COMMAND);
            if command & (TRANSMIT_ENABLE | RECEIVE_ENABLE) != TRANSMIT_ENABLE | RECEIVE_ENABLE {
                return self.open();
            }
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
                self.give(shown);
            }
            let slot = self.receiving.next();
            let status = self.memory.read32(slot * DESCRIPTOR);
            if status & OWNED_BY_CARD != 0 {
                return None;
            }
            self.receiving.show();
            let frame = ((status & LENGTH) as usize).wrapping_sub(CHECK_SEQUENCE);
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
        let end = if slot == TRANSMIT_SLOTS - 1 { END_OF_RING } else { 0 };
        let descriptor = TRANSMIT_RING + slot * DESCRIPTOR;
        self.memory.write32(descriptor + 4, 0);
        self.memory.write32(descriptor, OWNED_BY_CARD | end | WHOLE | length as u32);
        self.sending.send();
        self.kick();
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
