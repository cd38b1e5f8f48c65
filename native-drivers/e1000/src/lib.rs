//! Intel's gigabit Ethernet controllers from the 82543 on: the 8254x family, the 8257x family, and those in Intel's
//! chipsets (82562, 82566, 82567, 82577 to 82579, I217 to I219); those with several queues (82575, 82576, 82580, I350,
//! I210, I211), and the I225 and I226.
//!
//! One driver fits: all have the registers and the reset of the first. Those with several queues have them, and their
//! descriptors, in a [`Format`] of their own, of which the first queue is used. Written from the PCI/PCI-X Family of
//! Gigabit Ethernet Controllers Software Developer's Manual (317453, "8254x"), and from the datasheets of the 82574
//! (317694), the 82576 (320961) and the I210 (333016).
//!
//! The card is polled: its interrupts stay masked. What it has received lies in the driver's memory until the stack
//! has seen it, and is not copied.
#![no_std]
#![allow(clippy::cast_possible_truncation, reason = "numbers are cut into the halves that registers have")]

#[cfg(test)]
extern crate alloc;

mod ids;
mod registers;
#[cfg(test)]
mod tests;

pub use ids::drives;

use base::{Duration, Error, Instant, MacAddress};
use hw::device::{Device, DeviceMemory};
use ids::Family;
use nic::{Counters, FRAME_CAPACITY, Identity, Link, Nic, PciIdentity, errors};
use registers::{Format, control, receive_control, status, transmit_control};

/// Descriptors in the receive ring, a multiple of 8 (8254x manual, section 13.4.27).
const RECEIVE_SLOTS: usize = 256;
/// Descriptors in the transmit ring.
const TRANSMIT_SLOTS: usize = 16;
/// Bytes of a descriptor.
const DESCRIPTOR: usize = 16;
/// Bytes of a frame's buffer: the smallest that the card can be told of which holds a whole frame.
const BUFFER: usize = 2048;
/// Descriptors that are given back to the card at once. Telling it of each few is dear where the card is emulated
/// (BENCHMARKS.md).
const REFILL: usize = 32;

const TRANSMIT_RING: usize = RECEIVE_SLOTS * DESCRIPTOR;
const RECEIVE_BUFFERS: usize = TRANSMIT_RING + TRANSMIT_SLOTS * DESCRIPTOR;
const TRANSMIT_BUFFERS: usize = RECEIVE_BUFFERS + RECEIVE_SLOTS * BUFFER;

/// Bytes of memory that the driver and the card share.
pub const MEMORY: usize = TRANSMIT_BUFFERS + TRANSMIT_SLOTS * BUFFER;

/// A card.
#[derive(Debug)]
pub struct E1000<D: Device, M: DeviceMemory> {
    device: D,
    memory: M,
    family: Family,
    format: &'static Format,
    identity: Identity,
    is_open: bool,
    /// When the PHY is to be told to negotiate, unless there is a link by then.
    negotiation: Option<Instant>,
    /// The slot of the next frame to be received, and how many before it are still to be given back.
    next_received: usize,
    seen: usize,
    /// The slot of the next frame to be sent, and of the oldest one that may be on its way.
    next_sent: usize,
    oldest_sent: usize,
    counters: Counters,
}

impl<D: Device, M: DeviceMemory> E1000<D, M> {
    /// The driver of a card, which is reset and stays quiet. `memory` has [`MEMORY`] bytes.
    pub fn try_new(device: D, memory: M, pci: PciIdentity) -> Result<Self, Error> {
        let Some(family) = ids::family(pci.device) else {
            return Err(errors::UNSUPPORTED.of("to be of a family"));
        };
        if memory.length() < MEMORY {
            return Err(errors::NO_MEMORY.error());
        }
        let mut nic = Self {
            device,
            memory,
            family,
            format: family.format(),
            identity: Identity::new(family.name(), pci),
            is_open: false,
            negotiation: None,
            next_received: 0,
            seen: 0,
            next_sent: 0,
            oldest_sent: 0,
            counters: Counters::default(),
        };
        nic.reset()?;
        // The reset has loaded the address from the card's memory, or somebody else's word for it.
        let mac = nic.station_address();
        nic.identity.set_address(mac)?;
        nic.identity.permanent_mac = nic.memorized_address().unwrap_or(mac);
        Ok(nic)
    }

    fn read(&self, register: u32) -> u32 {
        self.device.read32(0, register)
    }

    fn write(&mut self, register: u32, value: u32) {
        self.device.write32(0, register, value);
    }

    /// Sets bits of a register.
    fn set(&mut self, register: u32, bits: u32) {
        self.write(register, self.read(register) | bits);
    }

    /// Waits until `bits` of a register are `value`; whether they became so in time.
    fn becomes(&self, register: u32, bits: u32, value: u32) -> bool {
        self.device.becomes(|device| device.read32(0, register) & bits == value)
    }

    /// Stops everything (8254x manual, section 14.3): no interrupts, no frames, no access to memory.
    fn reset(&mut self) -> Result<(), Error> {
        self.write(self.format.interrupt_mask_clear, u32::MAX);
        self.write(registers::RECEIVE_CONTROL, 0);
        self.write(registers::TRANSMIT_CONTROL, transmit_control::PAD);
        if self.is_open && self.family == Family::I219 {
            self.empty_rings();
        }
        self.is_open = false;
        let loading = self.family.loading();
        if loading.is_some() {
            // What is on its way over PCI Express ends first (82574 datasheet, CTRL and STATUS), if it ever does.
            self.set(registers::CONTROL, control::NO_MASTER);
            self.becomes(registers::STATUS, status::IS_MASTER, 0);
        }
        self.device.set_bus_mastering(false);
        self.set(registers::CONTROL, control::RESET);
        // Reading at once may hang the bus of an 82574 (datasheet, section 4.6.3.2), and a chipset's card for 20 ms
        // (Linux' e1000e). The first ones load their memory meanwhile.
        self.device.wait(Duration::from_millis(20));
        if !self.becomes(registers::CONTROL, control::RESET, 0) {
            return Err(errors::NO_ANSWER.of("its reset does not end"));
        }
        if let Some(register) = loading {
            // A card without a memory never says so, and tells by its address what it lacks.
            self.becomes(register, registers::IS_LOADED, registers::IS_LOADED);
        }
        self.write(self.format.interrupt_mask_clear, u32::MAX);
        // Reading takes back what was waiting.
        self.read(self.format.interrupt_cause);
        Ok(())
    }

    /// Has an I219 do what it has begun with our rings, or the reset would hang it until the machine loses its power
    /// (Linux' e1000e and FreeBSD's em, `flush_desc_rings`). It is a frame that goes nowhere, and a moment of receiving.
    fn empty_rings(&mut self) {
        const MOMENT: Duration = Duration::from_micros(250);
        let is_busy = |nic: &Self| nic.device.read_configuration(registers::RINGS) & registers::ARE_BUSY != 0;
        self.set(registers::WORKAROUNDS, registers::NO_REQUEST_FIX);
        if is_busy(self) {
            self.write(registers::TRANSMIT_CONTROL, transmit_control::RUN);
            self.transmit(&[]);
            self.device.wait(MOMENT);
        }
        if is_busy(self) {
            self.set(self.format.receive_ring + registers::RING_CONTROL, registers::RING_FLUSH);
            for control in [receive_control::ENABLE, 0] {
                self.write(registers::RECEIVE_CONTROL, control);
                self.device.wait(MOMENT);
            }
        }
    }

    /// The address that the card listens to.
    fn station_address(&self) -> MacAddress {
        let halves = [registers::RECEIVE_ADDRESS_LOW, registers::RECEIVE_ADDRESS_HIGH];
        MacAddress::from_registers(halves.map(|half| self.read(half)))
    }

    /// The address in the card's own memory, where it is read by a register (8254x manual, section 13.4.4). It is the
    /// first port's; those of others are made from it, or lie elsewhere.
    fn memorized_address(&mut self) -> Option<MacAddress> {
        let (shift, done) = self.family.memory_read()?;
        if self.read(registers::STATUS) & status::PORT != 0 {
            return None;
        }
        let mut bytes = [0; 6];
        for (number, bytes) in (0..).zip(bytes.chunks_exact_mut(2)) {
            self.write(registers::MEMORY_READ, 1 | number << shift);
            if !self.becomes(registers::MEMORY_READ, done, done) {
                return None;
            }
            let [_, _, low, high] = self.read(registers::MEMORY_READ).to_le_bytes();
            bytes.copy_from_slice(&[low, high]);
        }
        Some(MacAddress(bytes)).filter(|mac| mac.is_unicast())
    }

    /// Where the buffer of a receive slot is.
    fn receive_buffer(slot: usize) -> usize {
        RECEIVE_BUFFERS + slot * BUFFER
    }

    fn transmit_buffer(slot: usize) -> usize {
        TRANSMIT_BUFFERS + slot * BUFFER
    }

    /// Lays out both rings and tells the card of them (8254x manual, sections 14.4 and 14.5).
    fn start(&mut self) {
        let base = self.memory.address();
        let Format { receive_ring, transmit_ring, .. } = *self.format;
        for slot in 0..RECEIVE_SLOTS {
            self.give(slot);
        }
        for slot in 0..TRANSMIT_SLOTS {
            self.memory.write64(TRANSMIT_RING + slot * DESCRIPTOR + 8, 0);
        }
        (self.next_received, self.seen, self.next_sent, self.oldest_sent) = (0, 0, 0, 0);

        for entry in 0..registers::MULTICAST_TABLE_ENTRIES {
            self.write(registers::MULTICAST_TABLE + 4 * entry, 0);
        }
        if self.family.is_advanced() {
            self.write(receive_ring + registers::RING_BUFFERS, registers::RING_BUFFERS_ADVANCED);
        }
        for (ring, address, length) in [
            (receive_ring, base, RECEIVE_SLOTS * DESCRIPTOR),
            (transmit_ring, base + TRANSMIT_RING as u64, TRANSMIT_SLOTS * DESCRIPTOR),
        ] {
            let [low, high] = [address as u32, (address >> 32) as u32];
            self.write(ring + registers::RING_ADDRESS_LOW, low);
            self.write(ring + registers::RING_ADDRESS_HIGH, high);
            self.write(ring + registers::RING_LENGTH, length as u32);
            self.write(ring + registers::RING_HEAD, 0);
            self.write(ring + registers::RING_TAIL, 0);
            if self.family.is_advanced() {
                let ring_control = ring + registers::RING_CONTROL;
                self.set(ring_control, registers::RING_ENABLE);
            }
        }
        self.device.set_bus_mastering(true);
        if matches!(self.family, Family::Express | Family::Chipset | Family::I219) {
            // 82574 datasheet, section 10.2.6.9: the bit must be 1; the chipsets' by Linux' e1000e.
            self.set(transmit_ring + registers::RING_CONTROL, 1 << 22);
        }
        self.write(registers::TRANSMIT_GAP, self.family.transmit_gap());
        self.write(registers::TRANSMIT_CONTROL, transmit_control::RUN);
        self.write(registers::RECEIVE_CONTROL, receive_control::RUN);
        if self.family.is_advanced() {
            // The tail counts only after the ring has come into use.
            self.becomes(
                receive_ring + registers::RING_CONTROL,
                registers::RING_ENABLE,
                registers::RING_ENABLE,
            );
        }
        self.write(receive_ring + registers::RING_TAIL, RECEIVE_SLOTS as u32 - 1);
    }

    /// Lets the card receive into a slot. It writes over all of a descriptor of the advanced format.
    fn give(&mut self, slot: usize) {
        let address = self.memory.address() + Self::receive_buffer(slot) as u64;
        self.memory.write64(slot * DESCRIPTOR, address);
        self.memory.write64(slot * DESCRIPTOR + 8, 0);
    }

    /// Gives the buffers back whose frames were seen.
    fn refill(&mut self) {
        for behind in 1..=self.seen {
            let slot = (self.next_received + RECEIVE_SLOTS - behind) % RECEIVE_SLOTS;
            self.give(slot);
        }
        self.seen = 0;
        // The card stops one before the tail: the slot before the next one is the last that is its own.
        let last = (self.next_received + RECEIVE_SLOTS - 1) % RECEIVE_SLOTS;
        self.write(self.format.receive_ring + registers::RING_TAIL, last as u32);
    }

    /// Has the PHY wake and negotiate once if there is no link a second after the card was opened. Most do so by
    /// themselves, but not one that an operating system has put to sleep, nor QEMU's igb.
    fn negotiate(&mut self, now: Instant) {
        const NEVER: Instant = Instant::from_micros(u64::MAX);
        if now < *self.negotiation.get_or_insert(now + Duration::from_secs(1)) {
            return;
        }
        self.negotiation = Some(NEVER);
        if self.link() == Link::Down {
            // The firmware of some uses the PHY, too (82574 datasheet and Linux' e1000e, EXTCNF_CTRL).
            let is_shared = matches!(self.family, Family::Express | Family::Chipset | Family::I219);
            if is_shared {
                self.set(registers::PHY_OWNER, registers::PHY_IS_OURS);
                self.becomes(registers::PHY_OWNER, registers::PHY_IS_OURS, registers::PHY_IS_OURS);
            }
            for phy in registers::PHYS {
                self.write(registers::MANAGEMENT, registers::NEGOTIATE | phy);
                self.becomes(registers::MANAGEMENT, registers::IS_MANAGED, registers::IS_MANAGED);
            }
            if is_shared {
                self.write(registers::PHY_OWNER, self.read(registers::PHY_OWNER) & !registers::PHY_IS_OURS);
            }
        }
    }

    /// Takes back the slots of frames that have been sent.
    fn reclaim(&mut self) {
        while self.oldest_sent != self.next_sent {
            let word = self.memory.read64(TRANSMIT_RING + self.oldest_sent * DESCRIPTOR + 8);
            if word & registers::SENT == 0 {
                break;
            }
            self.oldest_sent = (self.oldest_sent + 1) % TRANSMIT_SLOTS;
            self.counters.sent += 1;
        }
    }
}

impl<D: Device, M: DeviceMemory> Nic for E1000<D, M> {
    fn identity(&self) -> &Identity {
        &self.identity
    }

    fn open(&mut self) -> Result<(), Error> {
        self.reset()?;
        let keep = self.read(registers::CONTROL) & !control::CLEARED;
        self.write(registers::CONTROL, keep | control::LINK_UP | self.family.speed_detection());
        self.start();
        self.negotiation = None;
        self.is_open = true;
        Ok(())
    }

    fn close(&mut self) {
        // A card that does not answer cannot be made quieter than by taking the bus from it, which was done.
        let _ = self.reset();
    }

    fn link(&mut self) -> Link {
        match self.read(registers::STATUS) {
            // The card is gone.
            u32::MAX => Link::Down,
            status if status & status::LINK_UP != 0 => Link::Up,
            _ => Link::Down,
        }
    }

    fn poll(&mut self, now: Instant, _until: Instant) -> Result<(), Error> {
        if self.is_open {
            self.reclaim();
            self.negotiate(now);
        }
        Ok(())
    }

    fn may_have_received(&self) -> bool {
        !self.is_open || self.memory.read64(self.next_received * DESCRIPTOR + 8) & self.format.received != 0
    }

    fn receive(&mut self) -> Option<&[u8]> {
        // As many as there are slots: a card that fills them faster than we look must not keep us here.
        for _ in 0..RECEIVE_SLOTS {
            if !self.is_open {
                return None;
            }
            if self.seen >= REFILL {
                self.refill();
            }
            let slot = self.next_received;
            let word = self.memory.read64(slot * DESCRIPTOR + 8);
            let Format { received, whole, errors, length_shift, .. } = *self.format;
            if word & received == 0 {
                return None;
            }
            self.next_received = (slot + 1) % RECEIVE_SLOTS;
            self.seen += 1;
            // The card says `is whole` of a frame's last buffer. One that does not fit into a buffer is not for us.
            let length = usize::from((word >> length_shift) as u16);
            let is_good = word & whole != 0 && word & errors == 0;
            if is_good && length <= FRAME_CAPACITY {
                self.counters.received += 1;
                return Some(self.memory.bytes(Self::receive_buffer(slot), length));
            }
            self.counters.receive_drops += 1;
        }
        None
    }

    fn can_transmit(&self) -> bool {
        self.is_open && (self.next_sent + 1) % TRANSMIT_SLOTS != self.oldest_sent
    }

    fn transmit(&mut self, frame: &[u8]) -> bool {
        self.reclaim();
        if !self.can_transmit() {
            return false;
        }
        let slot = self.next_sent;
        let buffer = self.memory.bytes_mut(Self::transmit_buffer(slot), BUFFER);
        let Some(length) = nic::put_padded(frame, buffer) else {
            self.counters.send_errors += 1;
            return true;
        };
        let descriptor = TRANSMIT_RING + slot * DESCRIPTOR;
        let address = self.memory.address() + Self::transmit_buffer(slot) as u64;
        let length = length as u64;
        self.memory.write64(descriptor, address);
        self.memory.write64(descriptor + 8, length | (self.format.whole_length * length) | self.format.send);
        self.next_sent = (slot + 1) % TRANSMIT_SLOTS;
        let next = self.next_sent as u32;
        self.write(self.format.transmit_ring + registers::RING_TAIL, next);
        true
    }

    fn counters(&self) -> Counters {
        self.counters
    }

    fn frames_ahead(&self) -> u16 {
        // One slot is never the card's, and some wait to be given back.
        (RECEIVE_SLOTS - 1 - REFILL) as u16
    }
}
