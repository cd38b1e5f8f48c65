//! Addresses of memory and of network cards.

use core::fmt;
use core::net::Ipv4Addr;

/// A physical address.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PhysAddr(pub u64);

impl PhysAddr {
    /// The address rounded down to a multiple of `alignment`, a power of two.
    pub const fn align_down(self, alignment: u64) -> Self {
        Self(self.0 & !(alignment.wrapping_sub(1)))
    }

    /// The address rounded up to a multiple of `alignment`, a power of two; none past the end of the space.
    pub const fn align_up(self, alignment: u64) -> Option<Self> {
        match self.0.checked_add(alignment.wrapping_sub(1)) {
            Some(sum) => Some(Self(sum).align_down(alignment)),
            None => None,
        }
    }
}

impl fmt::Display for PhysAddr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:#x}", self.0)
    }
}

/// A half-open range of physical memory.
///
/// # Invariants
/// `start <= end`, kept by the constructors.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PhysRange {
    start: u64,
    end: u64,
}

impl PhysRange {
    /// From `start` up to but without `end`; empty where `end` lies below `start`.
    pub const fn new(start: u64, end: u64) -> Self {
        Self { start, end: if end < start { start } else { end } }
    }

    /// `length` bytes from `start`, cut off at the end of the address space.
    pub const fn with_length(start: u64, length: u64) -> Self {
        Self { start, end: start.saturating_add(length) }
    }

    /// The first address.
    pub const fn start(self) -> u64 {
        self.start
    }

    /// The address after the last one.
    pub const fn end(self) -> u64 {
        self.end
    }

    /// The number of bytes.
    pub const fn length(self) -> u64 {
        self.end - self.start
    }

    /// Whether it has no bytes.
    pub const fn is_empty(self) -> bool {
        self.start == self.end
    }

    /// Whether all of `other` lies in this range.
    pub const fn contains(self, other: Self) -> bool {
        self.start <= other.start && other.end <= self.end
    }

    /// Whether the two have a byte in common.
    pub const fn overlaps(self, other: Self) -> bool {
        self.start < other.end && other.start < self.end
    }

    /// What the two have in common, perhaps nothing.
    pub fn intersection(self, other: Self) -> Self {
        Self::new(self.start.max(other.start), self.end.min(other.end))
    }
}

/// A real-mode far pointer. It says where somebody claims that something is, and proves nothing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[repr(C)]
pub struct SegOff {
    /// Offset from the segment's start.
    pub offset: u16,
    /// Segment, in units of 16 bytes.
    pub segment: u16,
}

impl SegOff {
    /// `segment:offset`.
    pub const fn new(segment: u16, offset: u16) -> Self {
        Self { offset, segment }
    }

    /// The far pointer with the smallest offset for an address below 1 MiB.
    pub const fn from_linear(address: u32) -> Option<Self> {
        if address >= 0x10_0000 {
            return None;
        }
        let bytes = (address & 0xf).to_le_bytes();
        let paragraph = (address >> 4).to_le_bytes();
        Some(Self {
            offset: u16::from_le_bytes([bytes[0], 0]),
            segment: u16::from_le_bytes([paragraph[0], paragraph[1]]),
        })
    }

    /// The address it stands for, with A20 open.
    pub const fn linear(self) -> u32 {
        ((self.segment as u32) << 4) + self.offset as u32
    }

    /// Whether both halves are zero, which in PXE structures means "none".
    pub const fn is_null(self) -> bool {
        self.segment == 0 && self.offset == 0
    }
}

impl fmt::Display for SegOff {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:04x}:{:04x}", self.segment, self.offset)
    }
}

/// Whether two addresses are in one subnet: the first `prefix_length` bits are the same.
#[inline(never)]
pub fn are_near(one: Ipv4Addr, other: Ipv4Addr, prefix_length: u8) -> bool {
    (one.to_bits() ^ other.to_bits()).leading_zeros() >= prefix_length.into()
}

/// The link-layer address of an Ethernet card.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct MacAddress(pub [u8; 6]);

impl MacAddress {
    /// The address that all stations hear.
    pub const BROADCAST: Self = Self([0xff; 6]);

    /// Whether one station can have this address: not multicast, not all zero.
    pub const fn is_unicast(self) -> bool {
        let [a, b, c, d, e, f] = self.0;
        a & 1 == 0 && (a | b | c | d | e | f) != 0
    }

    /// As many cards have it in two registers: the first byte lowest, the upper half of the second zero.
    pub const fn to_registers(self) -> [u32; 2] {
        let [a, b, c, d, e, f] = self.0;
        [u32::from_le_bytes([a, b, c, d]), u32::from_le_bytes([e, f, 0, 0])]
    }

    /// Out of such registers; the upper half of the second does not count.
    pub const fn from_registers([low, high]: [u32; 2]) -> Self {
        let ([a, b, c, d], [e, f, _, _]) = (low.to_le_bytes(), high.to_le_bytes());
        Self([a, b, c, d, e, f])
    }

    /// Out of three words, as serial memories have them: the first byte lowest.
    pub const fn from_words([first, second, third]: [u16; 3]) -> Self {
        let ([a, b], [c, d], [e, f]) = (first.to_le_bytes(), second.to_le_bytes(), third.to_le_bytes());
        Self([a, b, c, d, e, f])
    }
}

impl fmt::Display for MacAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [a, b, c, d, e, g] = self.0;
        write!(f, "{a:02x}:{b:02x}:{c:02x}:{d:02x}:{e:02x}:{g:02x}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn far_pointers_reach_below_one_mebibyte_only() {
        assert_eq!(SegOff::from_linear(0x9_fc01), Some(SegOff::new(0x9fc0, 1)));
        assert_eq!(SegOff::new(0x9fc0, 1).linear(), 0x9_fc01);
        assert_eq!(SegOff::from_linear(0x10_0000), None);
    }

    #[test]
    fn a_prefix_tells_subnets_apart() {
        let [one, other] = [[192, 168, 7, 1], [192, 168, 6, 1]].map(Ipv4Addr::from_octets);
        assert!(are_near(one, other, 0) && are_near(one, other, 23) && !are_near(one, other, 24));
        assert!(are_near(one, one, 32) && !are_near(one, other, 32));
    }

    #[test]
    fn ranges_never_turn_around() {
        assert!(PhysRange::new(5, 3).is_empty());
        assert_eq!(PhysRange::new(0, 10).intersection(PhysRange::new(8, 20)), PhysRange::new(8, 10));
        assert!(!PhysRange::new(0, 10).overlaps(PhysRange::new(10, 20)));
        assert_eq!(PhysRange::with_length(u64::MAX - 1, 10).length(), 1);
    }

    #[test]
    fn cards_have_an_address_in_parts() {
        let mac = MacAddress([1, 2, 3, 4, 5, 6]);
        assert_eq!(mac.to_registers(), [0x0403_0201, 0x0605]);
        assert_eq!(MacAddress::from_registers([0x0403_0201, 0xffff_0605]), mac);
        assert_eq!(MacAddress::from_words([0x0201, 0x0403, 0x0605]), mac);
    }

    #[test]
    fn alignment_stops_at_the_end_of_the_space() {
        assert_eq!(PhysAddr(0x1001).align_up(0x1000), Some(PhysAddr(0x2000)));
        assert_eq!(PhysAddr(u64::MAX).align_up(0x1000), None);
    }
}
