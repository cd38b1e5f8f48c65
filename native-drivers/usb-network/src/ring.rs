//! Rings of transfer request blocks, TRBs (xHCI 1.2, sections 4.9 and 6.4).
//!
//! A cycle bit in each entry, whose meaning turns with each time round, says whether the entry is its reader's.

use crate::registers::trb;
use hw::device::DeviceMemory;

/// Bytes of an entry.
pub(crate) const ENTRY: usize = 16;

/// A ring that the driver fills: commands, or an endpoint's transfers.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Ring {
    offset: usize,
    /// Entries, without the last one, which links to the first.
    slots: usize,
    next: usize,
    cycle: u32,
}

impl Ring {
    /// An empty ring of so many entries at `offset`, and one more that links back.
    pub(crate) fn new(memory: &mut impl DeviceMemory, offset: usize, slots: usize) -> Self {
        memory.bytes_mut(offset, (slots + 1) * ENTRY).fill(0);
        Self { offset, slots, next: 0, cycle: trb::CYCLE }
    }

    /// Where the next entry will be, with its cycle bit, as the controller is told of rings.
    pub(crate) fn dequeue(&self, memory: &impl DeviceMemory) -> u64 {
        (memory.address() + (self.offset + self.next * ENTRY) as u64) | u64::from(self.cycle)
    }

    /// Gives an entry to the controller; where it is.
    pub(crate) fn push(
        &mut self,
        memory: &mut impl DeviceMemory,
        parameter: u64,
        status: u32,
        control: u32,
    ) -> u64 {
        let offset = self.offset + self.next * ENTRY;
        put(memory, offset, parameter, status, control | self.cycle);
        self.next += 1;
        if self.next >= self.slots {
            let first = memory.address() + self.offset as u64;
            let link = trb::LINK | trb::TOGGLE | self.cycle;
            put(memory, self.offset + self.slots * ENTRY, first, 0, link);
            self.next = 0;
            self.cycle ^= trb::CYCLE;
        }
        memory.address() + offset as u64
    }
}

/// Writes an entry, the word with the cycle bit last.
fn put(memory: &mut impl DeviceMemory, offset: usize, parameter: u64, status: u32, control: u32) {
    memory.write64(offset, parameter);
    memory.write32(offset + 8, status);
    memory.write32(offset + 12, control);
}

/// What the controller tells.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Event {
    /// The entry that it is about.
    pub(crate) entry: u64,
    /// One of [`completion`](crate::registers::completion).
    pub(crate) code: u32,
    /// Bytes of the entry that were not transferred.
    pub(crate) rest: usize,
    control: u32,
}

impl Event {
    /// One of [`trb`].
    pub(crate) fn kind(&self) -> u32 {
        self.control & trb::KIND
    }

    /// The device that it is about.
    pub(crate) fn slot(&self) -> u32 {
        self.control >> 24
    }

    /// The endpoint, as [`Endpoint::index`](crate::descriptors::Endpoint::index) has it.
    pub(crate) fn endpoint(&self) -> u32 {
        self.control >> 16 & 0x1f
    }
}

/// The ring that the controller fills (section 4.9.4), of one segment.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct EventRing {
    offset: usize,
    slots: usize,
    next: usize,
    cycle: u32,
}

impl EventRing {
    /// An empty ring of so many entries at `offset`.
    pub(crate) fn new(memory: &mut impl DeviceMemory, offset: usize, slots: usize) -> Self {
        memory.bytes_mut(offset, slots * ENTRY).fill(0);
        Self { offset, slots, next: 0, cycle: trb::CYCLE }
    }

    /// Whether there is an event.
    pub(crate) fn has_event(&self, memory: &impl DeviceMemory) -> bool {
        memory.read32(self.offset + self.next * ENTRY + 12) & trb::CYCLE == self.cycle
    }

    /// The next event.
    pub(crate) fn take(&mut self, memory: &impl DeviceMemory) -> Option<Event> {
        if !self.has_event(memory) {
            return None;
        }
        let at = self.offset + self.next * ENTRY;
        let status = memory.read32(at + 8);
        let event = Event {
            entry: memory.read64(at),
            code: status >> 24,
            rest: (status & 0xff_ffff) as usize,
            control: memory.read32(at + 12),
        };
        self.next += 1;
        if self.next >= self.slots {
            self.next = 0;
            self.cycle ^= trb::CYCLE;
        }
        Some(event)
    }

    /// Where the next event will be.
    pub(crate) fn dequeue(&self, memory: &impl DeviceMemory) -> u64 {
        memory.address() + (self.offset + self.next * ENTRY) as u64
    }
}
