//! What a received frame carries, as far as it decides who takes it in and whether it came whole.
//!
//! smoltcp adds up four bytes of a checksum in about seven instructions: a third of all that a received frame cost. Here
//! eight bytes are one instruction.

use link::{HEADER_LENGTH, ether_type};

pub(crate) const TCP: u8 = 6;
pub(crate) const UDP: u8 = 17;

/// The flag of a TCP segment that acknowledges (RFC 9293 section 3.1).
pub(crate) const ACKNOWLEDGE: u8 = 0x10;

/// An IPv4 packet (RFC 791 section 3.1).
pub(crate) struct Packet<'a> {
    pub(crate) protocol: u8,
    /// Part of a packet that is larger than a frame.
    pub(crate) is_fragment: bool,
    /// From where, and to where.
    pub(crate) addresses: &'a [u8; 8],
    pub(crate) payload: &'a [u8],
}

impl<'a> Packet<'a> {
    /// The packet in a frame; none where that is too short or not of IPv4.
    pub(crate) fn parse(frame: &'a [u8]) -> Option<Self> {
        let (header, packet) = frame.split_first_chunk::<HEADER_LENGTH>()?;
        let [.., kind_high, kind_low] = *header;
        if u16::from_be_bytes([kind_high, kind_low]) != ether_type::IPV4 {
            return None;
        }
        let [version_and_length, _, length @ .., _, _, fragment_high, fragment_low, _, protocol] =
            *packet.first_chunk::<10>()?;
        let header = usize::from(version_and_length & 0xf) * 4;
        Some(Self {
            protocol,
            // The bits "more fragments" and the offset.
            is_fragment: u16::from_be_bytes([fragment_high, fragment_low]) & 0x3fff != 0,
            addresses: packet.get(12..)?.first_chunk()?,
            payload: packet.get(header..u16::from_be_bytes(length).into())?,
        })
    }

    /// Whether the checksum of a whole TCP segment (RFC 9293 section 3.1) or UDP datagram (RFC 768) is right. All else
    /// is for others to judge.
    pub(crate) fn is_intact(&self) -> bool {
        let mut part = self.payload;
        if self.is_fragment {
            return true;
        }
        if self.protocol == UDP {
            let Some([_, _, _, _, high, low, checksum @ ..]) = part.first_chunk::<8>() else { return false };
            if *checksum == [0, 0] {
                return true;
            }
            let Some(datagram) = part.get(..u16::from_be_bytes([*high, *low]).into()) else { return false };
            part = datagram;
        } else if self.protocol != TCP {
            return true;
        }
        let Ok(length) = u16::try_from(part.len()) else { return false };
        let [addresses, length] =
            [u64::from_ne_bytes(*self.addresses), u16::from_ne_bytes(length.to_be_bytes()).into()];
        let protocol = u64::from(u16::from_ne_bytes([0, self.protocol]));
        // Everything, the checksum among it, adds up to ffffh.
        let all = folded(addresses) + length + protocol + sum(part);
        all.is_multiple_of(0xffff)
    }
}

/// Whether the checksum of an IPv4 header without options is right.
pub(crate) fn is_header_intact(header: &[u8; 20]) -> bool {
    let words = header.as_chunks().0.iter();
    words.map(|word| u64::from(u32::from_ne_bytes(*word))).sum::<u64>().is_multiple_of(0xffff)
}

/// The sum of 16-bit words, right but for multiples of ffffh, and below 2^34 (RFC 1071 section 2).
fn sum(bytes: &[u8]) -> u64 {
    let (blocks, rest) = bytes.as_chunks::<128>();
    let (words, last) = rest.as_chunks();
    // 2^64 leaves 1 when divided by ffffh.
    let (mut sum, mut carries) = (0, 0);
    for block in blocks {
        if let ([a, b, c, d], _) = block.as_chunks() {
            let (all, carry) = add(*d, add(*c, add(*b, add(*a, (sum, false)))));
            sum = all;
            carries += u64::from(carry);
        }
    }
    for word in words {
        let (all, carry) = sum.overflowing_add(u64::from_ne_bytes(*word));
        sum = all;
        carries += u64::from(carry);
    }
    let mut last_word = [0; 8];
    for (to, from) in last_word.iter_mut().zip(last) {
        *to = *from;
    }
    folded(sum) + folded(u64::from_ne_bytes(last_word)) + carries
}

/// A sum below 2^33: 2^32 leaves 1 as well.
fn folded(sum: u64) -> u64 {
    (sum & 0xffff_ffff) + (sum >> 32)
}

/// Adds 32 bytes, with the carry of what was added before. No loop: the compiler unrolls none where it compiles for
/// size, and keeps the carry where the processor has it only if nothing comes between.
#[inline(always)]
fn add(bytes: [u8; 32], before: (u64, bool)) -> (u64, bool) {
    let ([a, b, c, d], _) = bytes.as_chunks() else { return before };
    let step = |(sum, carry): (u64, bool), word: &[u8; 8]| sum.carrying_add(u64::from_ne_bytes(*word), carry);
    step(step(step(step(before, a), b), c), d)
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::vec;
    use alloc::vec::Vec;
    use proptest::prelude::*;
    use smoltcp::wire::{Ipv4Address, TcpPacket, UdpPacket};

    const ADDRESSES: [Ipv4Address; 2] = [Ipv4Address::new(10, 0, 0, 1), Ipv4Address::new(10, 0, 0, 2)];

    /// A frame with a part of a protocol whose checksum smoltcp has made.
    fn frame(protocol: u8, mut part: Vec<u8>, padding: usize) -> Vec<u8> {
        let [source, destination] = ADDRESSES.map(Into::into);
        let length = u16::try_from(part.len()).unwrap();
        if protocol == TCP {
            let mut segment = TcpPacket::new_unchecked(&mut part[..]);
            segment.set_header_len(20);
            segment.fill_checksum(&source, &destination);
        } else {
            let mut datagram = UdpPacket::new_unchecked(&mut part[..]);
            datagram.set_len(length);
            datagram.fill_checksum(&source, &destination);
        }
        let [high, low] = (length + 20).to_be_bytes();
        let mut frame = vec![0; 12];
        frame.extend([8, 0, 0x45, 0, high, low, 0, 0, 0, 0, 64, protocol, 0, 0, 10, 0, 0, 1, 10, 0, 0, 2]);
        frame.extend(part);
        frame.resize(frame.len() + padding, 0xee);
        frame
    }

    fn is_intact(frame: &[u8]) -> bool {
        Packet::parse(frame).unwrap().is_intact()
    }

    proptest! {
        #[test]
        fn what_is_damaged_is_seen(
            part in prop::collection::vec(any::<u8>(), 20..1480),
            protocol in prop::sample::select(&[TCP, UDP]),
            padding in 0..20_usize,
            place in any::<prop::sample::Index>(),
            bit in 0..8,
        ) {
            let length = part.len();
            let mut frame = frame(protocol, part, padding);
            prop_assert!(is_intact(&frame));
            let place = frame.len() - padding - 1 - place.index(length);
            frame[place] ^= 1_u8 << bit;
            prop_assert!(!is_intact(&frame) || frame[40..42] == [0, 0] && protocol == UDP);
        }

        #[test]
        fn anything_may_come(frame in prop::collection::vec(any::<u8>(), 0..100)) {
            let mut frame = frame;
            if let Some(kind) = frame.get_mut(12..15) {
                kind.copy_from_slice(&[8, 0, 0x45]);
            }
            let _ = Packet::parse(&frame).map(|packet| packet.is_intact());
        }
    }

    #[test]
    fn a_datagram_may_have_no_checksum() {
        let mut frame = frame(UDP, vec![7; 30], 0);
        frame[40..42].copy_from_slice(&[0, 0]);
        assert!(is_intact(&frame));
    }
}
