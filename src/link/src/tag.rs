//! The tag by which the frames of a VLAN are known on a wire that carries several (IEEE 802.1Q-2018, 9.6).

use alloc::vec::Vec;
use nic::{FRAME_CAPACITY, FRAME_MINIMUM};

use crate::{HEADER_LENGTH, ether_type};

/// Bytes of the two addresses, behind which a tag stands.
const ADDRESSES: usize = 12;
/// Bytes of a tag: its EtherType, and what this type holds.
pub(crate) const LENGTH: usize = 4;

/// The VLAN of frames, and the priority of those that are sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Tag(u16);

impl Tag {
    /// A tag of that VLAN, 0 to 4094, and priority, 0 to 7. VLAN 0 is none: its tag only carries a priority.
    pub fn new(vlan: u16, priority: u8) -> Self {
        Self(vlan & 0x0fff | u16::from(priority) << 13)
    }

    /// The number of the VLAN.
    pub fn vlan(self) -> u16 {
        self.0 & 0x0fff
    }

    /// The priority of what is sent.
    pub fn priority(self) -> u16 {
        self.0 >> 13
    }

    /// The tag of a frame that has one; none where the frame ends within it.
    pub(crate) fn of(frame: &[u8]) -> Option<Self> {
        let tag = frame.get(HEADER_LENGTH..)?.first_chunk::<2>()?;
        Some(Self(u16::from_be_bytes(*tag)))
    }

    /// Copies `frame` with this tag put in. It is padded so that it is as long as a frame must be also when a switch has
    /// taken the tag off.
    pub(crate) fn put_in(self, frame: &[u8], into: &mut Vec<u8>) {
        let (addresses, rest) = frame.split_at_checked(ADDRESSES).unwrap_or((frame, &[]));
        into.clear();
        for part in [addresses, &ether_type::VLAN.to_be_bytes(), &self.0.to_be_bytes(), rest] {
            into.extend_from_slice(part);
        }
        into.resize(into.len().max(FRAME_MINIMUM + LENGTH), 0);
    }
}

/// Copies `frame` without its tag; nothing of one that is longer than any may be.
pub(crate) fn take_off(frame: &[u8], into: &mut Vec<u8>) {
    into.clear();
    if frame.len() <= FRAME_CAPACITY {
        into.extend_from_slice(frame.get(..ADDRESSES).unwrap_or_default());
        into.extend_from_slice(frame.get(ADDRESSES + LENGTH..).unwrap_or_default());
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_short_frame_is_padded_below_its_tag() {
        let arp = [&[0xff; 6][..], &[2, 0, 0, 0, 0, 1], &[8, 6], &[7; 28]].concat();
        let mut tagged = Vec::new();
        Tag::new(100, 5).put_in(&arp, &mut tagged);
        assert_eq!(tagged.len(), 64);
        assert_eq!((&tagged[..12], &tagged[12..16]), (&arp[..12], &[0x81, 0, 0xa0, 100][..]));
        assert_eq!((&tagged[16..46], &tagged[46..]), (&arp[12..], &[0; 18][..]));
        // The longest frame that may be tagged becomes the longest there is.
        Tag::new(4094, 0).put_in(&[1; FRAME_CAPACITY - LENGTH], &mut tagged);
        assert_eq!((tagged.len(), &tagged[12..16]), (FRAME_CAPACITY, &[0x81, 0, 0x0f, 0xfe][..]));
    }

    proptest! {
        #[test]
        fn what_is_put_in_is_taken_off(
            frame in prop::collection::vec(any::<u8>(), 14..1515),
            vlan in 0..4095_u16,
            priority in 0..8_u8,
        ) {
            let (mut tagged, mut plain) = (Vec::new(), Vec::new());
            let tag = Tag::new(vlan, priority);
            tag.put_in(&frame, &mut tagged);
            prop_assert_eq!(Tag::of(&tagged), Some(tag));
            prop_assert_eq!(tag.vlan(), vlan);
            take_off(&tagged, &mut plain);
            prop_assert_eq!(&plain[..frame.len()], &frame[..]);
            prop_assert!(plain.len() == frame.len().max(60) && plain[frame.len()..].iter().all(|byte| *byte == 0));
        }
    }
}
