//! What a received frame carries, as far as it decides who takes it in and whether it came whole.
//!
//! smoltcp adds up four bytes of a checksum in about seven instructions: a third of all that a received frame cost.

use link::{HEADER_LENGTH, ether_type};

pub(crate) const TCP: u8 = 6;
pub(crate) const UDP: u8 = 17;

/// An IPv4 packet (RFC 791 section 3.1).
pub(crate) struct Packet<'a> {
    pub(crate) protocol: u8,
    /// Part of a packet that is larger than a frame.
    pub(crate) is_fragment: bool,
    /// From where, and to where.
    addresses: &'a [u8; 8],
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
        let [high, low] = length.to_be_bytes();
        // Everything, the checksum among it, adds up to ffffh.
        let all = sum(&[0, self.protocol, high, low]) + sum(self.addresses) + sum(part);
        all.is_multiple_of(0xffff)
    }
}

/// The sum of 16-bit words, right but for multiples of ffffh, and below 2^35 (RFC 1071 section 2).
fn sum(bytes: &[u8]) -> u64 {
    let (blocks, rest) = bytes.as_chunks::<32>();
    let mut sum = 0;
    for block in blocks {
        if let ([a, b, c, d], _) = block.as_chunks() {
            // No loop: the compiler unrolls none where it compiles for size.
            sum += word(*a) + word(*b) + word(*c) + word(*d);
        }
    }
    let (pairs, last) = rest.as_chunks();
    for pair in pairs {
        sum += u128::from(u16::from_ne_bytes(*pair));
    }
    if let Some(last) = last.first() {
        sum += u128::from(u16::from_ne_bytes([*last, 0]));
    }
    // 2^16, 2^32 and 2^64 leave 1 when divided by ffffh.
    let part = |sum: u128, bits| u64::try_from(sum & bits).unwrap_or(0);
    part(sum, 0xffff_ffff) + part(sum >> 32, 0xffff_ffff) + part(sum >> 64, 0xffff_ffff)
}

fn word(bytes: [u8; 8]) -> u128 {
    u64::from_ne_bytes(bytes).into()
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
