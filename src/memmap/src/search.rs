//! Where something fits.

use crate::{Kind, MemoryMap};
use base::{PhysAddr, PhysRange};

impl MemoryMap {
    /// The highest free place in `within` for `length` bytes, its start a multiple of `alignment`, a power of two.
    pub fn find_top(&self, length: u64, alignment: u64, within: PhysRange) -> Option<PhysRange> {
        self.usable().rev().find_map(|free| {
            let free = free.intersection(within);
            let start = PhysAddr(free.end().checked_sub(length)?).align_down(alignment).0;
            (start >= free.start() && !free.is_empty()).then(|| PhysRange::with_length(start, length))
        })
    }

    /// The lowest free place in `within` for `length` bytes, its start a multiple of `alignment`, a power of two.
    pub fn find_bottom(&self, length: u64, alignment: u64, within: PhysRange) -> Option<PhysRange> {
        self.usable().find_map(|free| {
            let free = free.intersection(within);
            let start = PhysAddr(free.start()).align_up(alignment)?.0;
            let end = start.checked_add(length)?;
            (end <= free.end() && !free.is_empty()).then(|| PhysRange::new(start, end))
        })
    }

    /// The longest free range in `within`, the highest of several.
    pub fn largest(&self, within: PhysRange) -> Option<PhysRange> {
        let free = self.usable().map(|free| free.intersection(within));
        free.filter(|free| !free.is_empty()).max_by_key(|free| free.length())
    }

    /// Whether all of `range` is free.
    pub fn is_usable(&self, range: PhysRange) -> bool {
        range.is_empty() || self.usable().any(|free| free.contains(range))
    }

    /// Whether all of `range` is RAM, free or not.
    pub fn is_ram(&self, range: PhysRange) -> bool {
        let mut parts = self.regions().filter(|(part, _)| part.overlaps(range));
        parts.all(|(_, kind)| matches!(kind, Kind::Usable | Kind::Owned(_)))
    }
}
