//! VMware's paravirtual Ethernet device, version 3.
//!
//! There is no datasheet: registers, structures and commands are facts of the interface as its open drivers (Linux, the
//! BSDs) and QEMU's device have it in common. Sent frames and room for received ones go to the device in two rings; it
//! tells in two others what it has done. A generation bit in each entry, which turns with each time round, says whether
//! the entry is new. The device is polled: its interrupts stay masked.
#![no_std]
#![allow(clippy::cast_possible_truncation, reason = "numbers are cut into the sizes that fields have")]

#[cfg(test)]
extern crate alloc;

mod layout;
#[cfg(test)]
mod tests;

use base::{Error, Instant, MacAddress};
use hw::device::{Device, DeviceMemory};
use layout::{command, completion, device_register, queue, receive, register, shared, transmit};
use nic::{Counters, FRAME_CAPACITY, Identity, Link, Nic, PciIdentity, errors};

/// Descriptors of each ring, powers of two and multiples of 32. The second receive ring is for frames of several
/// buffers, which do not occur: it stays empty.
const RECEIVE_SLOTS: u32 = 128;
const TRANSMIT_SLOTS: u32 = 32;
/// What is received in either ring is told in one.
const RECEIVE_COMPLETIONS: u32 = 2 * RECEIVE_SLOTS;
/// Bytes of a descriptor and of a completion.
const ENTRY: usize = 16;
/// Bytes of a frame's buffer.
const BUFFER: usize = 2048;
/// Descriptors that are given back to the device at once.
const REFILL: u32 = 16;

/// What is shared: structures and rings on boundaries of 512 bytes, then buffers.
const SHARED: usize = 0;
const QUEUES: usize = 1024;
const RECEIVE_RING: usize = QUEUES + 2 * queue::LENGTH;
const SPARE_RING: usize = RECEIVE_RING + RECEIVE_SLOTS as usize * ENTRY;
const RECEIVED: usize = SPARE_RING + RECEIVE_SLOTS as usize * ENTRY;
const TRANSMIT_RING: usize = RECEIVED + RECEIVE_COMPLETIONS as usize * ENTRY;
const SENT: usize = TRANSMIT_RING + TRANSMIT_SLOTS as usize * ENTRY;
const RECEIVE_BUFFERS: usize = SENT + TRANSMIT_SLOTS as usize * ENTRY;
const TRANSMIT_BUFFERS: usize = RECEIVE_BUFFERS + RECEIVE_SLOTS as usize * BUFFER;

/// Bytes of memory that the driver and the device share.
pub const MEMORY: usize = TRANSMIT_BUFFERS + TRANSMIT_SLOTS as usize * BUFFER;

/// Whether the driver is for a card.
pub fn drives(vendor: u16, device: u16) -> bool {
    (vendor, device) == (0x15ad, 0x07b0)
}

/// A place in a ring, counted on without end. The count modulo the ring's size is the slot; how often it went round
/// decides the generation bit of what is new there.
const fn generation(count: u32, slots: u32) -> u32 {
    !(count / slots) & 1
}

const fn slot(count: u32, slots: u32) -> usize {
    (count % slots) as usize
}

/// A device.
#[derive(Debug)]
pub struct Vmxnet3<D: Device, M: DeviceMemory> {
    device: D,
    memory: M,
    identity: Identity,
    is_open: bool,
    /// Completions seen of received frames, descriptors given, and those whose frames were seen since.
    received: u32,
    given: u32,
    seen: u32,
    /// Completions seen of sent frames, and descriptors filled.
    sent: u32,
    filled: u32,
    counters: Counters,
}

impl<D: Device, M: DeviceMemory> Vmxnet3<D, M> {
    /// The driver of a device, which is reset and stays quiet. `memory` has [`MEMORY`] bytes.
    pub fn try_new(device: D, memory: M, pci: PciIdentity) -> Result<Self, Error> {
        if memory.length() < MEMORY {
            return Err(errors::NO_MEMORY.error());
        }
        let mut nic = Self {
            device,
            memory,
            identity: Identity::new("vmxnet3", pci),
            is_open: false,
            received: 0,
            given: 0,
            seen: 0,
            sent: 0,
            filled: 0,
            counters: Counters::default(),
        };
        // Each lists the versions that the device has, a bit each; ours is the first.
        for versions in [device_register::VERSIONS, device_register::UPT_VERSIONS] {
            match nic.device.read32(layout::DEVICE, versions) {
                u32::MAX => return Err(errors::NO_ANSWER.of("its registers are all ones")),
                list if list & 1 == 0 => {
                    return Err(errors::UNSUPPORTED.of("another version of its interface"));
                }
                _ => nic.device.write32(layout::DEVICE, versions, 1),
            }
        }
        nic.stop();
        let permanent = [command::PERMANENT_MAC_LOW, command::PERMANENT_MAC_HIGH].map(|half| nic.ask(half));
        let current = [device_register::MAC_LOW, device_register::MAC_HIGH];
        let current = current.map(|half| nic.device.read32(layout::DEVICE, half));
        nic.identity.set_address(MacAddress::from_registers(current))?;
        let permanent = Some(MacAddress::from_registers(permanent)).filter(|mac| mac.is_unicast());
        nic.identity.permanent_mac = permanent.unwrap_or(nic.identity.mac);
        Ok(nic)
    }

    fn order(&mut self, command: u32) {
        self.device.write32(layout::DEVICE, device_register::COMMAND, command);
    }

    /// What the device answers to a command.
    fn ask(&mut self, command: u32) -> u32 {
        self.order(command);
        self.device.read32(layout::DEVICE, device_register::COMMAND)
    }

    /// Stops everything: no interrupts, no frames, no access to memory. The device has done it when the order is given.
    fn stop(&mut self) {
        self.is_open = false;
        self.device.write32(layout::REGISTERS, register::INTERRUPT_MASK, 1);
        self.order(command::QUIESCE);
        self.order(command::RESET);
        self.device.set_bus_mastering(false);
    }

    /// Lays out what is shared and tells the device of it.
    fn start(&mut self) -> Result<(), Error> {
        let base = self.memory.address();
        let place = |offset: usize| base + offset as u64;
        self.memory.bytes_mut(0, RECEIVE_BUFFERS).fill(0);
        (self.received, self.given, self.seen, self.sent, self.filled) = (0, 0, 0, 0, 0);

        let at = SHARED;
        self.memory.write32(at + shared::MAGIC, shared::MAGIC_VALUE);
        self.memory.write32(at + shared::DRIVER_VERSION, 1);
        self.memory.write32(at + shared::GUEST, shared::GUEST_64_BITS);
        self.memory.write32(at + shared::VERSION, 1);
        self.memory.write32(at + shared::UPT_VERSION, 1);
        self.memory.write64(at + shared::QUEUES_ADDRESS, place(QUEUES));
        self.memory.write32(at + shared::QUEUES_LENGTH, 2 * queue::LENGTH as u32);
        self.memory.write32(at + shared::MTU, self.identity.mtu.into());
        self.memory.write32(at + shared::NUMBER_OF_QUEUES, shared::ONE_OF_EACH);
        self.memory.write32(at + shared::INTERRUPTS, shared::ONE_INTERRUPT);
        self.memory.write32(at + shared::INTERRUPT_CONTROL, shared::ALL_DISABLED);
        self.memory.write32(at + shared::RECEIVE_MODE, shared::OWN_AND_ALL_GROUPS);
        // Frames of all VLANs, whose tags stay in them.
        self.memory.bytes_mut(at + shared::VLAN_FILTER, shared::VLAN_FILTER_LENGTH).fill(0xff);

        let sending = QUEUES + queue::CONFIGURATION;
        self.memory.write64(sending + queue::RING, place(TRANSMIT_RING));
        self.memory.write64(sending + queue::TRANSMIT_COMPLETIONS, place(SENT));
        self.memory.write32(sending + queue::RING_SIZE, TRANSMIT_SLOTS);
        self.memory.write32(sending + queue::COMPLETIONS_SIZE, TRANSMIT_SLOTS);
        let receiving = sending + queue::LENGTH;
        self.memory.write64(receiving + queue::RING, place(RECEIVE_RING));
        self.memory.write64(receiving + queue::SECOND_RING, place(SPARE_RING));
        self.memory.write64(receiving + queue::RECEIVE_COMPLETIONS, place(RECEIVED));
        self.memory.write32(receiving + queue::RING_SIZE, RECEIVE_SLOTS);
        self.memory.write32(receiving + queue::SECOND_RING_SIZE, RECEIVE_SLOTS);
        self.memory.write32(receiving + queue::COMPLETIONS_SIZE, RECEIVE_COMPLETIONS);

        let [low, high] = self.identity.mac.to_registers();
        self.device.write32(layout::DEVICE, device_register::MAC_LOW, low);
        self.device.write32(layout::DEVICE, device_register::MAC_HIGH, high);
        self.device.set_bus_mastering(true);
        self.device.write32(layout::DEVICE, device_register::SHARED_LOW, base as u32);
        self.device.write32(layout::DEVICE, device_register::SHARED_HIGH, (base >> 32) as u32);
        if self.ask(command::ACTIVATE) != 0 {
            return Err(errors::NO_ANSWER.of("it refuses to be activated"));
        }
        // One descriptor is never the device's: with all of them, a full ring would look like an empty one.
        self.give(RECEIVE_SLOTS - 1);
        self.order(command::UPDATE_RECEIVE_MODE);
        self.order(command::UPDATE_VLAN_FILTER);
        Ok(())
    }

    /// Gives the device descriptors to receive into.
    fn give(&mut self, count: u32) {
        for _ in 0..count {
            let slot = slot(self.given, RECEIVE_SLOTS);
            let address = self.memory.address() + receive_buffer(slot) as u64;
            let generation = generation(self.given, RECEIVE_SLOTS);
            let descriptor = RECEIVE_RING + slot * ENTRY;
            self.memory.write64(descriptor, address);
            self.memory.write32(descriptor + 8, BUFFER as u32 | generation << receive::GENERATION);
            self.given = self.given.wrapping_add(1);
        }
        let next = slot(self.given, RECEIVE_SLOTS) as u32;
        self.device.write32(layout::REGISTERS, register::RECEIVE_PRODUCER, next);
    }

    /// Gives back the descriptors whose frames were seen.
    fn refill(&mut self) {
        let seen = core::mem::take(&mut self.seen);
        self.give(seen);
    }

    /// Where the next received frame is told of, if there is one.
    fn next_completion(&self) -> Option<usize> {
        let entry = RECEIVED + slot(self.received, RECEIVE_COMPLETIONS) * ENTRY;
        let is_new = self.memory.read32(entry + 12) >> completion::GENERATION;
        (is_new == generation(self.received, RECEIVE_COMPLETIONS)).then_some(entry)
    }

    /// Takes back the descriptors of frames that have been sent.
    fn reclaim(&mut self) {
        while self.sent != self.filled {
            let entry = SENT + slot(self.sent, TRANSMIT_SLOTS) * ENTRY;
            let word = self.memory.read32(entry + 12);
            if word >> completion::GENERATION != generation(self.sent, TRANSMIT_SLOTS) {
                break;
            }
            self.sent = self.sent.wrapping_add(1);
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

impl<D: Device, M: DeviceMemory> Nic for Vmxnet3<D, M> {
    fn identity(&self) -> &Identity {
        &self.identity
    }

    fn open(&mut self) -> Result<(), Error> {
        self.stop();
        if let Err(error) = self.start() {
            self.stop();
            return Err(error);
        }
        self.is_open = true;
        Ok(())
    }

    fn close(&mut self) {
        self.stop();
    }

    fn link(&mut self) -> Link {
        match self.ask(command::LINK) {
            // The device is gone.
            u32::MAX => Link::Down,
            answer if answer & 1 != 0 => Link::Up,
            _ => Link::Down,
        }
    }

    fn poll(&mut self, _now: Instant, _until: Instant) -> Result<(), Error> {
        if self.is_open {
            self.reclaim();
            if self.seen > 0 {
                self.refill();
            }
            // Events are written into what is shared, so no register has to be read.
            if self.memory.read32(SHARED + shared::EVENTS) & shared::QUEUE_ERRORS != 0 {
                return self.open();
            }
        }
        Ok(())
    }

    fn may_have_received(&self) -> bool {
        !self.is_open || self.next_completion().is_some()
    }

    fn receive(&mut self) -> Option<&[u8]> {
        // As many as there are slots: a device that fills them faster than we look must not keep us here.
        for _ in 0..RECEIVE_SLOTS {
            if !self.is_open {
                return None;
            }
            if self.seen >= REFILL {
                self.refill();
            }
            let entry = self.next_completion()?;
            self.received = self.received.wrapping_add(1);
            self.seen = (self.seen + 1).min(RECEIVE_SLOTS - 1);
            let index = self.memory.read32(entry);
            let length = self.memory.read32(entry + 8);
            let is_good = index & completion::WHOLE == completion::WHOLE && length & completion::ERROR == 0;
            let slot = (index & completion::INDEX) as usize;
            let length = (length & completion::LENGTH) as usize;
            if is_good && slot < RECEIVE_SLOTS as usize && length <= FRAME_CAPACITY {
                self.counters.received += 1;
                return Some(self.memory.bytes(receive_buffer(slot), length));
            }
            self.counters.receive_drops += 1;
        }
        None
    }

    fn can_transmit(&self) -> bool {
        self.is_open && self.filled.wrapping_sub(self.sent) < TRANSMIT_SLOTS - 1
    }

    fn transmit(&mut self, frame: &[u8]) -> bool {
        self.reclaim();
        if !self.can_transmit() {
            return false;
        }
        let slot = slot(self.filled, TRANSMIT_SLOTS);
        let buffer = self.memory.bytes_mut(transmit_buffer(slot), BUFFER);
        let Some(length) = nic::put_padded(frame, buffer) else {
            self.counters.send_errors += 1;
            return true;
        };
        let generation = generation(self.filled, TRANSMIT_SLOTS);
        let address = self.memory.address() + transmit_buffer(slot) as u64;
        let descriptor = TRANSMIT_RING + slot * ENTRY;
        self.memory.write64(descriptor, address);
        self.memory.write32(descriptor + 12, transmit::WHOLE_AND_TELL);
        self.memory.write32(descriptor + 8, length as u32 | generation << transmit::GENERATION);
        self.filled = self.filled.wrapping_add(1);
        let next = self::slot(self.filled, TRANSMIT_SLOTS) as u32;
        self.device.write32(layout::REGISTERS, register::TRANSMIT_PRODUCER, next);
        true
    }

    fn counters(&self) -> Counters {
        self.counters
    }

    fn frames_ahead(&self) -> u16 {
        // One slot is never the device's, and some wait to be given back.
        (RECEIVE_SLOTS - 1 - REFILL) as u16
    }
}
