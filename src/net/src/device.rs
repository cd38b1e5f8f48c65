//! The port as smoltcp sees it: at most one received frame, and the transmit queue.

use alloc::vec;
use link::{HEADER_LENGTH, TransmitQueue};
use smoltcp::phy::{self, Checksum, DeviceCapabilities, Medium};
use smoltcp::time::Instant;
use smoltcp::wire::TcpSeqNumber;

use crate::neighbours::{self, Neighbours};
use crate::packet::{ACKNOWLEDGE, Packet, TCP};

pub(crate) struct Device<'a> {
    /// The frame to be processed, if this is about one.
    pub(crate) frame: Option<&'a [u8]>,
    pub(crate) queue: &'a mut TransmitQueue,
    pub(crate) neighbours: &'a mut Neighbours,
    pub(crate) counters: &'a mut Counters,
    /// The largest IP packet, in bytes.
    pub(crate) mtu: usize,
    /// Whether smoltcp looks at the checksums of what it receives by TCP and UDP.
    pub(crate) is_checked: bool,
}

pub(crate) struct Receive<'a>(&'a [u8]);

pub(crate) struct Transmit<'a> {
    queue: &'a mut TransmitQueue,
    neighbours: &'a mut Neighbours,
    counters: &'a mut Counters,
}

/// Frames, counted since the beginning.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counters {
    /// What the card delivered.
    pub received: Tally,
    /// What was handed to the card.
    pub sent: Tally,
}

/// Frames by protocol.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// ARP.
    pub arp: u32,
    /// ICMP over IPv4.
    pub icmp: u32,
    /// TCP over IPv4.
    pub tcp: u32,
    /// UDP over IPv4.
    pub udp: u32,
    /// Others over IPv4.
    pub other: u32,
}

impl Tally {
    /// Counts a frame with IPv4 or ARP.
    pub(crate) fn count(&mut self, frame: &[u8]) {
        // The low byte of the EtherType, and the protocol of IPv4 (RFC 790).
        let counter = match frame.first_chunk::<24>().map(|frame| (frame[13], frame[23])) {
            Some((6, _)) => &mut self.arp,
            Some((_, 1)) => &mut self.icmp,
            Some((_, 6)) => &mut self.tcp,
            Some((_, 17)) => &mut self.udp,
            _ => &mut self.other,
        };
        *counter = counter.wrapping_add(1);
    }
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
        let Self { queue, neighbours, counters, .. } = self;
        queue.has_room().then_some(Transmit { queue, neighbours, counters })
    }

    fn capabilities(&self) -> DeviceCapabilities {
        // No burst size: smoltcp would cut the announced window without regard to its scale.
        let mut capabilities = DeviceCapabilities::default();
        capabilities.medium = Medium::Ethernet;
        capabilities.max_transmission_unit = self.mtu + HEADER_LENGTH;
        if !self.is_checked {
            capabilities.checksum.tcp = Checksum::Tx;
            capabilities.checksum.udp = Checksum::Tx;
        }
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
            None => {
                self.counters.sent.count(frame);
                self.queue.commit_over(says_all);
            }
        }
        result
    }
}

/// Whether `new` says all that the newest frame of `before` says: both only acknowledge the same connection's data, and
/// `new` acknowledges more of it, or as much and names what came out of order (RFC 2018), or is one of more than the
/// three that a sender counts to see a loss (RFC 5681 section 3.2). Or both are ICMP errors: what comes in a flood and is
/// for nobody is answered once for all frames that were received together (RFC 1812 section 4.3.2.8).
///
/// A driver receives many frames at once, and each would be answered. One answer is enough, and some cards take few:
/// QEMU's stock ROM for pcnet never sends again after 16 frames without one received.
fn says_all(new: &[u8], before: &mut dyn Iterator<Item = &[u8]>) -> bool {
    let Some(new) = Acknowledgement::parse(new) else {
        return is_error(new) && before.next().is_some_and(is_error);
    };
    let mut same = 0;
    for old in before.map_while(Acknowledgement::parse) {
        if old.connection != new.connection || old.number > new.number {
            break;
        }
        same += 1;
        if old.number < new.number || new.is_selective || same == DUPLICATES {
            return true;
        }
    }
    false
}

/// The acknowledgements of the same number that are worth sending.
const DUPLICATES: usize = 3;

/// Whether a frame of ours, which has no IP options, is the ICMP message "destination unreachable" (RFC 792).
fn is_error(frame: &[u8]) -> bool {
    // EtherType, protocol, type of message.
    frame.first_chunk::<35>().is_some_and(|frame| (frame[13], frame[23], frame[34]) == (0, 1, 3))
}

/// A TCP segment without data and flags.
struct Acknowledgement {
    /// Addresses and ports.
    connection: ([u8; 8], [u8; 4]),
    number: TcpSeqNumber,
    is_selective: bool,
}

impl Acknowledgement {
    fn parse(frame: &[u8]) -> Option<Self> {
        let packet = Packet::parse(frame).filter(|packet| packet.protocol == TCP)?;
        let (ports, segment) = packet.payload.split_first_chunk()?;
        let [_, _, _, _, number @ .., length, flags] = *segment.first_chunk::<10>()?;
        // In units of four bytes, five of them without options.
        let length = usize::from(length >> 4);
        (length >= 5 && packet.payload.len() == 4 * length && flags & FLAGS == ACKNOWLEDGE).then(|| Self {
            connection: (*packet.addresses, *ports),
            number: TcpSeqNumber(i32::from_be_bytes(number)),
            is_selective: length > 5,
        })
    }
}

/// Of the flags of a segment (RFC 9293 section 3.1), FIN, SYN, RST, PSH and ACK.
const FLAGS: u8 = 0x1f;

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::vec::Vec;

    /// A frame that acknowledges `number` of the connection from port `port`.
    fn acknowledgement(port: u8, number: u8, selective: bool, data: &[u8]) -> Vec<u8> {
        let (options, words): (&[u8], u8) = if selective { (&[1, 1, 1, 0], 6) } else { (&[], 5) };
        let length = u8::try_from(20 + 4 * usize::from(words) + data.len()).unwrap();
        let mut frame = vec![0; 12];
        frame.extend([8, 0, 0x45, 0, 0, length, 0, 0, 0, 0, 64, 6, 0, 0, 10, 0, 0, 1, 10, 0, 0, 2]);
        frame.extend([0, port, 0, 80, 0, 0, 0, 0, 0, 0, 0, number, words << 4, 0x10, 1, 0, 0, 0, 0, 0]);
        [&frame, options, data].concat()
    }

    fn replaces(new: &[u8], before: &[&[u8]]) -> bool {
        says_all(new, &mut before.iter().copied())
    }

    #[test]
    fn later_acknowledgements_replace_earlier_ones() {
        let plain = |number| acknowledgement(1, number, false, b"");
        assert!(replaces(&plain(2), &[&plain(1)]));
        assert!(!replaces(&plain(1), &[&plain(2)]));
        assert!(replaces(&acknowledgement(1, 1, true, b""), &[&plain(1)]));
        assert!(!replaces(&plain(2), &[&acknowledgement(2, 1, false, b"")]));
        assert!(!replaces(&plain(2), &[&acknowledgement(1, 1, false, b"data")]));
        assert!(!replaces(&acknowledgement(1, 2, false, b"data"), &[&plain(1)]));
        assert!(!replaces(&plain(2), &[b"not a frame"]));
    }

    #[test]
    fn a_sender_is_told_three_times() {
        let one = acknowledgement(1, 1, false, b"");
        assert!(!replaces(&one, &[&one]));
        assert!(!replaces(&one, &[&one, &one]));
        assert!(replaces(&one, &[&one, &one, &one]));
    }
}
