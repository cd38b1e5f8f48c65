//! The network device of virtual machines (Virtual I/O Device Version 1.2, section 5.1), of version 1 and before.
//!
//! The device is polled: it is asked for no interrupts. What it has received lies in the driver's memory until the
//! stack has seen it, and is not copied.
#![no_std]
#![allow(clippy::cast_possible_truncation, reason = "numbers are cut into the halves that registers have")]

extern crate alloc;

mod queue;
#[cfg(test)]
mod tests;
mod transport;

use base::{Error, Instant, MacAddress};
use hw::device::{Device, DeviceMemory};
use nic::{Counters, FRAME_CAPACITY, Identity, Link, Nic, PciIdentity, errors};
use queue::Queue;
use transport::{Transport, VERSION_1, status};

/// Frames that the device may have room for; fewer where its queue is short.
const RECEIVE_SLOTS: u16 = 256;
/// Frames that may wait to be sent.
const TRANSMIT_SLOTS: u16 = 16;
/// Bytes of the buffer for a frame and the header before it.
const BUFFER: usize = 2048;
/// Slots that are given back to the device at once.
const REFILL: u16 = 16;
const RECEIVE: u16 = 0;
const TRANSMIT: u16 = 1;

const TRANSMIT_QUEUE: usize = queue::MEMORY;
const RECEIVE_BUFFERS: usize = 2 * queue::MEMORY;
const TRANSMIT_BUFFERS: usize = RECEIVE_BUFFERS + RECEIVE_SLOTS as usize * BUFFER;

/// Bytes of memory that the driver and the device share.
pub const MEMORY: usize = TRANSMIT_BUFFERS + TRANSMIT_SLOTS as usize * BUFFER;

/// Features (section 5.1.3).
const MTU: u64 = 1 << 3;
const MAC: u64 = 1 << 5;
const STATUS: u64 = 1 << 16;
/// A header and its frame may be one buffer (section 6.3); so it is always with version 1.
const ANY_LAYOUT: u64 = 1 << 27;

/// Whether the driver is for a card.
pub fn drives(vendor: u16, device: u16) -> bool {
    /// Transitional, and of version 1 only (section 5.1.1 and 4.1.2).
    const DEVICES: [u16; 2] = [0x1000, 0x1041];
    vendor == 0x1af4 && DEVICES.contains(&device)
}

/// A card.
#[derive(Debug)]
pub struct VirtioNet<D: Device, M: DeviceMemory> {
    transport: Transport<D>,
    memory: M,
    identity: Identity,
    features: u64,
    is_open: bool,
    /// The device used what it does not have.
    is_broken: bool,
    receive: Queue,
    transmit: Queue,
    /// The slot that the stack looks at.
    shown: Option<u16>,
    /// Slots given back and not told, at most [`REFILL`].
    refilled: u16,
    /// Bit n: slot n is on its way.
    sending: u16,
    counters: Counters,
}

impl<D: Device, M: DeviceMemory> VirtioNet<D, M> {
    /// The driver of a card, which is reset and stays quiet. `memory` has [`MEMORY`] bytes.
    pub fn try_new(device: D, memory: M, pci: PciIdentity) -> Result<Self, Error> {
        if memory.length() < MEMORY {
            return Err(errors::NO_MEMORY.error());
        }
        let mut nic = Self {
            transport: Transport::new(device),
            memory,
            identity: Identity::new("virtio-net", pci),
            features: 0,
            is_open: false,
            is_broken: false,
            receive: Queue::default(),
            transmit: Queue::default(),
            shown: None,
            refilled: 0,
            sending: 0,
            counters: Counters::default(),
        };
        nic.negotiate()?;
        let bytes = [0, 1, 2, 3, 4, 5].map(|offset| nic.transport.configuration(offset));
        let mac = if nic.features & MAC == 0 { [0; 6] } else { bytes };
        nic.identity.set_address(MacAddress(mac))?;
        if nic.features & MTU != 0 {
            let [low, high] = [10, 11].map(|offset| nic.transport.configuration(offset));
            nic.identity.mtu = u16::from_le_bytes([low, high]).clamp(576, 1500);
        }
        nic.close();
        Ok(nic)
    }

    /// The steps of section 3.1.1 up to the features.
    fn negotiate(&mut self) -> Result<(), Error> {
        self.transport.reset()?;
        self.transport.announce(status::ACKNOWLEDGE);
        self.transport.announce(status::DRIVER);
        self.features = self.transport.negotiate(VERSION_1 | ANY_LAYOUT | MAC | STATUS | MTU)?;
        Ok(())
    }

    /// Sets up a queue and gives it to the device.
    fn queue(&mut self, number: u16, offset: usize, slots: u16) -> Result<Queue, Error> {
        let is_parted = self.features & (VERSION_1 | ANY_LAYOUT) == 0;
        let size = self.transport.queue_size(number, slots << u16::from(is_parted));
        if !size.is_power_of_two() || !(2..=queue::SIZE_LIMIT).contains(&size) {
            return Err(errors::UNSUPPORTED.of(alloc::format!("a queue of {size}")));
        }
        let mut queue = Queue::new(&mut self.memory, offset, size, is_parted);
        queue.doorbell = self.transport.enable_queue(queue.addresses(&self.memory));
        Ok(queue)
    }

    fn start(&mut self) -> Result<(), Error> {
        self.negotiate()?;
        // QEMU's device looks its queues up in memory when it is told of them.
        self.transport.device.set_bus_mastering(true);
        let header = self.header_length();
        self.receive = self.queue(RECEIVE, 0, RECEIVE_SLOTS)?;
        self.transmit = self.queue(TRANSMIT, TRANSMIT_QUEUE, TRANSMIT_SLOTS)?;
        for slot in 0..self.receive_slots() {
            let lengths = [header, BUFFER - header];
            self.receive.describe(&mut self.memory, slot, receive_buffer(slot), lengths, true);
        }
        // The headers of frames to be sent are all zero.
        self.memory.bytes_mut(TRANSMIT_BUFFERS, MEMORY - TRANSMIT_BUFFERS).fill(0);
        (self.shown, self.refilled, self.sending) = (None, 0, 0);
        self.transport.announce(status::DRIVER_OK);
        for slot in 0..self.receive_slots() {
            self.receive.give(&mut self.memory, slot);
        }
        self.tell();
        Ok(())
    }

    /// Frames that the device may have room for.
    fn receive_slots(&self) -> u16 {
        RECEIVE_SLOTS.min(self.receive.slots())
    }

    /// Bytes of the header before each frame (section 5.1.6).
    fn header_length(&self) -> usize {
        if self.transport.is_modern() { 12 } else { 10 }
    }

    /// Tells the device of what is new in both queues.
    fn tell(&mut self) {
        self.refilled = 0;
        for (number, queue) in [(RECEIVE, &mut self.receive), (TRANSMIT, &mut self.transmit)] {
            if queue.wants_ring(&self.memory) {
                self.transport.ring(queue.doorbell, number);
            }
        }
    }

    /// Gives the slot back that the stack has looked at.
    fn give_back(&mut self) {
        if let Some(slot) = self.shown.take() {
            self.receive.give(&mut self.memory, slot);
            self.refilled += 1;
            if self.refilled >= REFILL {
                self.tell();
            }
        }
    }

    /// Takes back the slots of frames that have been sent.
    fn reclaim(&mut self) {
        loop {
            match self.transmit.take(&self.memory) {
                Ok(None) => return,
                Ok(Some((slot, _))) if slot < TRANSMIT_SLOTS => self.sending &= !(1 << slot),
                _ => {
                    self.is_broken = true;
                    return;
                }
            }
            self.counters.sent += 1;
        }
    }

    /// The first slot that is not on its way.
    fn free_slot(&self) -> Option<u16> {
        let slot = self.sending.trailing_ones() as u16;
        let slots = TRANSMIT_SLOTS.min(self.transmit.slots());
        (self.is_open && slot < slots).then_some(slot)
    }
}

fn receive_buffer(slot: u16) -> usize {
    RECEIVE_BUFFERS + usize::from(slot) * BUFFER
}

fn transmit_buffer(slot: u16) -> usize {
    TRANSMIT_BUFFERS + usize::from(slot) * BUFFER
}

impl<D: Device, M: DeviceMemory> Nic for VirtioNet<D, M> {
    fn identity(&self) -> &Identity {
        &self.identity
    }

    fn open(&mut self) -> Result<(), Error> {
        let result = self.start();
        self.is_broken = false;
        self.is_open = result.is_ok();
        if result.is_err() {
            self.close();
        }
        result
    }

    fn close(&mut self) {
        self.is_open = false;
        // A device that does not answer cannot be made quieter than by taking the bus from it.
        let _ = self.transport.reset();
        self.transport.device.set_bus_mastering(false);
    }

    fn link(&mut self) -> Link {
        match self.features & STATUS {
            0 => Link::Unknown,
            _ if self.transport.configuration(6) & 1 != 0 => Link::Up,
            _ => Link::Down,
        }
    }

    fn poll(&mut self, _now: Instant, _until: Instant) -> Result<(), Error> {
        if !self.is_open {
            return Ok(());
        }
        self.give_back();
        self.tell();
        self.reclaim();
        if self.is_broken {
            // It is not listened to any more.
            self.close();
            return Err(errors::NO_ANSWER.of("its queue is out of order"));
        }
        Ok(())
    }

    fn may_have_received(&self) -> bool {
        !self.is_open || self.receive.has_used(&self.memory)
    }

    fn receive(&mut self) -> Option<&[u8]> {
        // As many as there are slots: a device that fills them faster than we look must not keep us here.
        for _ in 0..self.receive_slots() {
            if !self.is_open {
                return None;
            }
            self.give_back();
            let (slot, length) = match self.receive.take(&self.memory) {
                Ok(None) => return None,
                Ok(Some((slot, length))) if slot < self.receive_slots() => (slot, length),
                _ => {
                    self.is_broken = true;
                    return None;
                }
            };
            self.shown = Some(slot);
            let header = self.header_length();
            let length = (length as usize).wrapping_sub(header);
            if length <= FRAME_CAPACITY {
                self.counters.received += 1;
                return Some(self.memory.bytes(receive_buffer(slot) + header, length));
            }
            self.counters.receive_drops += 1;
        }
        None
    }

    fn can_transmit(&self) -> bool {
        self.free_slot().is_some()
    }

    fn transmit(&mut self, frame: &[u8]) -> bool {
        self.reclaim();
        let Some(slot) = self.free_slot() else { return false };
        let (offset, header) = (transmit_buffer(slot), self.header_length());
        let buffer = self.memory.bytes_mut(offset + header, BUFFER - header);
        let Some(length) = nic::put_padded(frame, buffer) else {
            self.counters.send_errors += 1;
            return true;
        };
        self.transmit.describe(&mut self.memory, slot, offset, [header, length], false);
        self.transmit.give(&mut self.memory, slot);
        self.sending |= 1 << slot;
        self.tell();
        true
    }

    fn counters(&self) -> Counters {
        self.counters
    }

    fn frames_ahead(&self) -> u16 {
        self.receive_slots().saturating_sub(REFILL).max(1)
    }
}
