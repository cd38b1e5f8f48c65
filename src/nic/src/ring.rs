//! Whose the slots of a ring of descriptors are, for cards that mark each descriptor that they are done with.

/// The slots of received frames. All are the card's, but the one whose frame is shown.
#[derive(Clone, Copy, Debug, Default)]
pub struct ReceiveRing<const SLOTS: usize> {
    next: usize,
    is_shown: bool,
}

impl<const SLOTS: usize> ReceiveRing<SLOTS> {
    /// The slot of the next frame.
    pub fn next(&self) -> usize {
        self.next
    }

    /// Goes on: the next slot's frame is shown now.
    pub fn show(&mut self) {
        self.next = (self.next + 1) % SLOTS;
        self.is_shown = true;
    }

    /// The slot whose frame was shown, if there is one. It is not shown any more, and the caller gives it to the card.
    pub fn take_shown(&mut self) -> Option<usize> {
        core::mem::take(&mut self.is_shown).then_some((self.next + SLOTS - 1) % SLOTS)
    }
}

/// The slots of frames that are sent in order.
#[derive(Clone, Copy, Debug, Default)]
pub struct TransmitRing<const SLOTS: usize> {
    next: usize,
    /// How many slots before the next one are the card's.
    sending: usize,
}

impl<const SLOTS: usize> TransmitRing<SLOTS> {
    /// The slot of the next frame, which is free unless the ring is full.
    pub fn next(&self) -> usize {
        self.next
    }

    /// Whether all slots are the card's.
    pub fn is_full(&self) -> bool {
        self.sending >= SLOTS
    }

    /// The next slot is the card's now.
    pub fn send(&mut self) {
        self.next = (self.next + 1) % SLOTS;
        self.sending += 1;
    }

    /// The slot that the card has had for longest, if it has any.
    pub fn oldest(&self) -> Option<usize> {
        (self.sending > 0).then_some((self.next + SLOTS - self.sending % SLOTS) % SLOTS)
    }

    /// The oldest slot is free again.
    pub fn free_oldest(&mut self) {
        self.sending = self.sending.saturating_sub(1);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_received_frame_is_shown_at_a_time() {
        let mut ring = ReceiveRing::<3>::default();
        assert_eq!((ring.next(), ring.take_shown()), (0, None));
        for slot in [0, 1, 2, 0] {
            assert_eq!(ring.next(), slot);
            ring.show();
            assert_eq!(ring.take_shown(), Some(slot));
            assert_eq!(ring.take_shown(), None);
        }
    }

    #[test]
    fn frames_are_sent_in_order_until_the_ring_is_full() {
        let mut ring = TransmitRing::<4>::default();
        assert_eq!((ring.oldest(), ring.is_full()), (None, false));
        for slot in 0..4 {
            assert_eq!((ring.next(), ring.is_full()), (slot, false));
            ring.send();
        }
        assert!(ring.is_full());
        for slot in 0..4 {
            assert_eq!(ring.oldest(), Some(slot));
            ring.free_oldest();
        }
        assert_eq!(ring.oldest(), None);
        ring.free_oldest();
        ring.send();
        assert_eq!((ring.oldest(), ring.next()), (Some(0), 1));
    }
}
