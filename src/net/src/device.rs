//! The port as smoltcp sees it: at most one received frame, and the transmit queue.

use alloc::vec;
use link::{HEADER_LENGTH, TransmitQueue};
use smoltcp::phy::{self, DeviceCapabilities, Medium};
use smoltcp::time::Instant;

use crate::neighbours::{self, Neighbours};

pub(crate) struct Device<'a> {
    /// The frame to be processed, if this is about one.
    pub(crate) frame: Option<&'a [u8]>,
    pub(crate) queue: &'a mut TransmitQueue,
    pub(crate) neighbours: &'a mut Neighbours,
    /// The largest IP packet, in bytes.
    pub(crate) mtu: usize,
}

pub(crate) struct Receive<'a>(&'a [u8]);

pub(crate) struct Transmit<'a> {
    queue: &'a mut TransmitQueue,
    neighbours: &'a mut Neighbours,
}

impl phy::Device for Device<'_> {
    type RxToken<'b>
        = Receive<'b>
    where
        Self: 'b;
    type TxToken<'b>
        = Transmit<'b>
    where
        Self: 'b;

    fn receive(&mut self, timestamp: Instant) -> Option<(Receive<'_>, Transmit<'_>)> {
        let frame = self.frame.take()?;
        Some((Receive(frame), self.transmit(timestamp)?))
    }

    fn transmit(&mut self, _timestamp: Instant) -> Option<Transmit<'_>> {
        self.queue.has_room().then_some(Transmit { queue: self.queue, neighbours: self.neighbours })
    }

    fn capabilities(&self) -> DeviceCapabilities {
        // No burst size: smoltcp would cut the announced window without regard to its scale.
        let mut capabilities = DeviceCapabilities::default();
        capabilities.medium = Medium::Ethernet;
        capabilities.max_transmission_unit = self.mtu + HEADER_LENGTH;
        capabilities
    }
}

impl phy::RxToken for Receive<'_> {
    fn consume<R, F: FnOnce(&[u8]) -> R>(self, take: F) -> R {
        take(self.0)
    }
}

impl phy::TxToken for Transmit<'_> {
    fn consume<R, F: FnOnce(&mut [u8]) -> R>(self, length: usize, fill: F) -> R {
        let Some(frame) = self.queue.reserve(length) else {
            // Never with an MTU that fits a frame; smoltcp must be given its buffer nevertheless.
            return fill(&mut vec![0; length]);
        };
        let result = fill(frame);
        // smoltcp asks for one neighbour a second in all. We ask ourselves instead.
        match neighbours::wanted_by(frame) {
            Some(address) => self.neighbours.miss(address),
            None => self.queue.commit(),
        }
        result
    }
}
