//! The frames that wait for the card.

use alloc::vec::Vec;
use nic::{FRAME_CAPACITY, Nic};

use crate::tag::{self, Tag};

/// The most bytes of a frame, which leave room for a tag.
const CAPACITY: usize = FRAME_CAPACITY - tag::LENGTH;

/// A bounded queue of frames, allocated once.
///
/// A frame is written in place: [`reserve`](Self::reserve) lends the memory of the next one and
/// [`commit`](Self::commit) makes it part of the queue.
pub struct TransmitQueue {
    slots: Vec<Slot>,
    first: usize,
    used: usize,
}

#[derive(Clone)]
struct Slot {
    length: usize,
    bytes: [u8; CAPACITY],
}

impl TransmitQueue {
    /// Room for `capacity` frames.
    pub fn new(capacity: usize) -> Self {
        let mut slots = Vec::new();
        slots.resize(capacity, Slot { length: 0, bytes: [0; CAPACITY] });
        Self { slots, first: 0, used: 0 }
    }

    /// Whether another frame can be reserved.
    pub fn has_room(&self) -> bool {
        self.used < self.slots.len()
    }

    /// Whether no frame waits.
    pub fn is_empty(&self) -> bool {
        self.used == 0
    }

    /// The memory of the next frame, `length` bytes with no particular content. None if the queue is full or
    /// `length` is more than a frame without a tag may have: 1514.
    pub fn reserve(&mut self, length: usize) -> Option<&mut [u8]> {
        let index = self.next_index()?;
        let slot = self.slots.get_mut(index)?;
        slot.length = length;
        slot.bytes.get_mut(..length)
    }

    /// Queues the frame that was reserved last.
    pub fn commit(&mut self) {
        if self.next_index().is_some() {
            self.used += 1;
        }
    }

    /// Queues the frame that was reserved last; in place of the one before it, if `replaces(frame, before)` says so of it
    /// and of those that wait before it, the newest first.
    pub fn commit_over(&mut self, replaces: impl FnOnce(&[u8], &mut dyn Iterator<Item = &[u8]>) -> bool) {
        let Some(index) = self.next_index() else { return };
        let bytes = |distance: usize| {
            let slot = self.slots.get((self.first + distance) % self.slots.len())?;
            slot.bytes.get(..slot.length)
        };
        let Some(frame) = bytes(self.used) else { return };
        if self.used > 0 && replaces(frame, &mut (0..self.used).rev().filter_map(bytes)) {
            let last = (self.first + self.used - 1) % self.slots.len();
            self.slots.swap(last, index);
        } else {
            self.commit();
        }
    }

    /// Drops all frames.
    pub(crate) fn clear(&mut self) {
        self.used = 0;
    }

    /// Hands frames to the card until it takes no more, with that tag, for which `copy` is used. Returns how many it took.
    pub(crate) fn flush(
        &mut self,
        nic: &mut (impl Nic + ?Sized),
        tag: Option<Tag>,
        copy: &mut Vec<u8>,
    ) -> u64 {
        let mut taken = 0;
        while self.used > 0 && nic.can_transmit() {
            let frame = self.slots.get(self.first).and_then(|slot| slot.bytes.get(..slot.length));
            let Some(mut frame) = frame else { break };
            if let Some(tag) = tag {
                tag.put_in(frame, copy);
                frame = copy;
            }
            if !nic.transmit(frame) {
                break;
            }
            self.first = (self.first + 1) % self.slots.len().max(1);
            self.used -= 1;
            taken += 1;
        }
        taken
    }

    fn next_index(&self) -> Option<usize> {
        if !self.has_room() {
            return None;
        }
        (self.first + self.used).checked_rem(self.slots.len())
    }
}
