//! A split virtqueue (Virtual I/O Device Version 1.2, section 2.7) whose every buffer is a header and a frame behind it.

use crate::transport::{Doorbell, QueueAddresses};
use core::sync::atomic::{Ordering, fence};
use hw::device::DeviceMemory;

/// The most descriptors of a queue that there is room for. A legacy device has as many as it likes.
pub(crate) const SIZE_LIMIT: u16 = 1024;
/// Bytes of a queue of that many: descriptors and available ring, and from a page of its own on the used ring.
pub(crate) const MEMORY: usize =
    used_offset(SIZE_LIMIT) + (6 + 8 * SIZE_LIMIT as usize).next_multiple_of(PAGE);
const PAGE: usize = 4096;
const DESCRIPTOR: usize = 16;

/// Flags of a descriptor.
const NEXT: u64 = 1 << 32;
const WRITE: u64 = 1 << 33;
/// What the driver says: no interrupts.
const NO_INTERRUPT: u16 = 1;
/// What the device says: no notifications.
const NO_NOTIFY: u16 = 1;

const fn available_offset(size: u16) -> usize {
    size as usize * DESCRIPTOR
}

const fn used_offset(size: u16) -> usize {
    (available_offset(size) + 6 + 2 * size as usize).next_multiple_of(PAGE)
}

/// A queue at `offset` of the driver's memory.
#[derive(Debug, Default)]
pub(crate) struct Queue {
    offset: usize,
    size: u16,
    /// The header has a descriptor of its own: a slot has two, not one.
    is_parted: bool,
    /// Entries that were ever made available, and ever taken back, modulo 2 to the power of 16.
    given: u16,
    taken: u16,
    /// What was made available and not told.
    is_news: bool,
    pub(crate) doorbell: Doorbell,
}

/// The device says that it used what it does not have.
#[derive(Debug)]
pub(crate) struct OutOfOrder;

impl Queue {
    /// An empty queue of `size` descriptors, a power of 2, of which a slot has two if it `is_parted`, else one.
    pub(crate) fn new(memory: &mut impl DeviceMemory, offset: usize, size: u16, is_parted: bool) -> Self {
        memory.bytes_mut(offset, MEMORY).fill(0);
        memory.write16(offset + available_offset(size), NO_INTERRUPT);
        Self { offset, size, is_parted, ..Self::default() }
    }

    /// Slots that it has.
    pub(crate) fn slots(&self) -> u16 {
        self.size >> u16::from(self.is_parted)
    }

    /// Where its parts are.
    pub(crate) fn addresses(&self, memory: &impl DeviceMemory) -> QueueAddresses {
        let base = memory.address() + self.offset as u64;
        QueueAddresses {
            descriptors: base,
            available: base + available_offset(self.size) as u64,
            used: base + used_offset(self.size) as u64,
        }
    }

    /// Says where a slot's header is, how long it and the frame behind it are, and whether the device writes them.
    pub(crate) fn describe(
        &mut self,
        memory: &mut impl DeviceMemory,
        slot: u16,
        offset: usize,
        [header, frame]: [usize; 2],
        is_written: bool,
    ) {
        let flags = if is_written { WRITE } else { 0 };
        let first = slot << u16::from(self.is_parted);
        let mut write = |descriptor: u16, offset: usize, length: usize, flags: u64| {
            let at = self.offset + usize::from(descriptor) * DESCRIPTOR;
            let address = memory.address() + offset as u64;
            memory.write64(at, address);
            memory.write64(at + 8, length as u64 | flags);
        };
        if self.is_parted {
            write(first, offset, header, flags | NEXT | u64::from(first + 1) << 48);
            write(first + 1, offset + header, frame, flags);
        } else {
            write(first, offset, header + frame, flags);
        }
    }

    /// Makes a slot available to the device, which is told by the next ring of the bell.
    pub(crate) fn give(&mut self, memory: &mut impl DeviceMemory, slot: u16) {
        let available = self.offset + available_offset(self.size);
        memory.write16(
            available + 4 + 2 * usize::from(self.given % self.size),
            slot << u16::from(self.is_parted),
        );
        self.given = self.given.wrapping_add(1);
        memory.write16(available + 2, self.given);
        self.is_news = true;
    }

    /// Whether there is something to take back.
    pub(crate) fn has_used(&self, memory: &impl DeviceMemory) -> bool {
        memory.read16(self.offset + used_offset(self.size) + 2) != self.taken
    }

    /// Takes back a slot that the device has used, with the number of bytes that it wrote.
    pub(crate) fn take(&mut self, memory: &impl DeviceMemory) -> Result<Option<(u16, u32)>, OutOfOrder> {
        let used = self.offset + used_offset(self.size);
        let done = memory.read16(used + 2).wrapping_sub(self.taken);
        if done == 0 {
            return Ok(None);
        }
        if done > self.given.wrapping_sub(self.taken) {
            return Err(OutOfOrder);
        }
        let entry = used + 4 + 8 * usize::from(self.taken % self.size);
        self.taken = self.taken.wrapping_add(1);
        let [head, length] = [entry, entry + 4].map(|offset| memory.read32(offset));
        match u16::try_from(head) {
            Ok(head) if head < self.size && !(self.is_parted && head % 2 == 1) => {
                Ok(Some((head >> u16::from(self.is_parted), length)))
            }
            _ => Err(OutOfOrder),
        }
    }

    /// Whether the device wants to be told of what is new.
    pub(crate) fn wants_ring(&mut self, memory: &impl DeviceMemory) -> bool {
        if !core::mem::take(&mut self.is_news) {
            return false;
        }
        // What was made available is to be seen before the flag is read, or both sides may wait (section 2.7.13.4).
        fence(Ordering::SeqCst);
        memory.read16(self.offset + used_offset(self.size)) & NO_NOTIFY == 0
    }
}
