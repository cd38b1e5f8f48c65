//! TCP segments that continue one another are given to smoltcp as one.
//!
//! A driver receives many frames at once, and most of what a segment costs does not depend on its length. Only what
//! continues a segment that smoltcp has just taken in without an answer is held back: that one was the next in order.
//! All that is out of order, and all that the other side is to hear of at once, smoltcp sees by itself.

use alloc::vec::Vec;
use link::HEADER_LENGTH;
use smoltcp::wire::Ipv4Packet;

use crate::packet::{self, ACKNOWLEDGE, Packet, TCP};

/// Bytes of a header without options: of IPv4 (RFC 791 section 3.1), and of TCP (RFC 9293 section 3.1).
const IP_HEADER: usize = 20;
const TCP_HEADER: usize = 20;
/// Bytes before the data.
const HEADERS: usize = HEADER_LENGTH + IP_HEADER + TCP_HEADER;
/// An IPv4 packet has no more than 65,535 bytes.
const CAPACITY: usize = HEADER_LENGTH + 0xffff;
/// The flag of a segment that is to be handed over at once.
const PUSH: u8 = 0x08;

/// Segments on their way to smoltcp.
#[derive(Default)]
pub(crate) struct Run {
    /// The headers of one that smoltcp has taken in, but with the sequence number of what follows it, and the data that
    /// did follow. Empty if nothing is waited for.
    frame: Vec<u8>,
    /// The sequence number of what continues that data.
    next: u32,
}

impl Run {
    /// From now on what continues `frame` is held back, if that is a segment with data and nothing unusual.
    pub(crate) fn begin(&mut self, frame: &[u8], packet: &Packet<'_>) {
        self.frame.clear();
        let (Some(headers), Some(data)) = (frame.first_chunk::<HEADERS>(), packet.payload.get(TCP_HEADER..))
        else {
            return;
        };
        let is_segment = packet.protocol == TCP && !packet.is_fragment && !data.is_empty();
        let is_plain = headers[14] == 0x45 && headers[46] == 0x50 && headers[47] & !PUSH == ACKNOWLEDGE;
        if is_segment && is_plain && self.frame.try_reserve_exact(CAPACITY).is_ok() {
            self.frame.extend_from_slice(headers);
            self.advance(headers, data);
            self.empty();
        }
    }

    /// Holds the data of `frame`, which is intact but for its IPv4 header, back if it continues what came before.
    pub(crate) fn hold(&mut self, frame: &[u8], packet: &Packet<'_>) -> bool {
        let (Some(before), Some(headers), Some(data)) = (
            self.frame.first_chunk::<HEADERS>(),
            frame.first_chunk::<HEADERS>(),
            packet.payload.get(TCP_HEADER..),
        ) else {
            return false;
        };
        let continues = are_alike(before, headers)
            && !data.is_empty()
            && sequence_number(headers) == self.next
            && self.frame.len() + data.len() <= CAPACITY
            && frame.get(HEADER_LENGTH..).and_then(<[u8]>::first_chunk).is_some_and(packet::is_header_intact);
        if continues {
            self.advance(headers, data);
            self.frame.extend_from_slice(data);
        }
        continues
    }

    fn advance(&mut self, headers: &[u8; HEADERS], data: &[u8]) {
        let length = u32::try_from(data.len()).unwrap_or(0);
        self.next = sequence_number(headers).wrapping_add(length);
    }

    /// What is held back, as one frame, if there is anything.
    pub(crate) fn frame(&mut self) -> Option<&[u8]> {
        let (_, packet) = self.frame.split_at_mut_checked(HEADER_LENGTH)?;
        let length = u16::try_from(packet.len()).ok().filter(|_| packet.len() > IP_HEADER + TCP_HEADER)?;
        let mut packet = Ipv4Packet::new_unchecked(packet);
        packet.set_total_len(length);
        packet.fill_checksum();
        Some(&self.frame)
    }

    /// Smoltcp has taken in what was held back; what continues it is held back in turn.
    pub(crate) fn empty(&mut self) {
        self.frame.truncate(HEADERS);
        if let Some(place) = self.frame.get_mut(38..42) {
            place.copy_from_slice(&self.next.to_be_bytes());
        }
    }

    /// Nothing is held back any more.
    pub(crate) fn end(&mut self) {
        self.frame.clear();
    }
}

/// Whether headers are the same but for lengths, identifications, checksums, sequence numbers, and that data is to be
/// pushed.
fn are_alike(before: &[u8; HEADERS], headers: &[u8; HEADERS]) -> bool {
    const ALL: u8 = 0xff;
    let differ = |a: &[u8; 8], b: &[u8; 8], mask| {
        (u64::from_ne_bytes(*a) ^ u64::from_ne_bytes(*b)) & u64::from_ne_bytes(mask)
    };
    // No loop, and no table: the compiler would copy it first.
    let (([a, b, c, d, e, f], a_rest), ([g, h, i, j, k, l], b_rest)) =
        (before.as_chunks(), headers.as_chunks())
    else {
        return false;
    };
    let differences = differ(a, g, [ALL; 8])
        | differ(b, h, [ALL; 8])
        | differ(c, i, [0, 0, 0, 0, ALL, ALL, ALL, ALL])
        | differ(d, j, [0, 0, ALL, ALL, ALL, ALL, ALL, ALL])
        | differ(e, k, [ALL, ALL, ALL, ALL, ALL, ALL, 0, 0])
        | differ(f, l, [0, 0, ALL, ALL, ALL, ALL, ALL, !PUSH]);
    // The window.
    differences == 0 && a_rest.first_chunk::<2>() == b_rest.first_chunk()
}

fn sequence_number(headers: &[u8; HEADERS]) -> u32 {
    u32::from_be_bytes([headers[38], headers[39], headers[40], headers[41]])
}
