//! Where something fits.

use crate::sanitise::{CONTROLLERS, ranges};
use crate::{Kind, MemoryMap, PAGE};
use base::boot_info::E820Entry;
use base::{PhysAddr, PhysRange};

/// The highest free place in `within` for `length` bytes, from a page's start on, by the BIOS's `entries` as they are.
/// Above 1 MiB and below 4 GiB that is the same as [`MemoryMap::find_top`] finds in their map; the unpacker has no room for
/// a map.
pub fn find_top(entries: &[E820Entry], length: u64, within: PhysRange) -> Option<PhysRange> {
    let mut end = within.end().min(CONTROLLERS.start());
    let mut above = end;
    // From `above` to `end` all is free. What is below `above`, down to where the next entry begins or ends, is of one kind.
    while above > within.start() {
        let (mut is_usable, mut is_restricted, mut below) = (false, false, within.start());
        for (range, kind) in ranges(entries) {
            for edge in [range.start(), range.end()] {
                if edge < above {
                    below = below.max(edge);
                }
            }
            if range.start() < above && above <= range.end() {
                match kind {
                    Kind::Usable => is_usable = true,
                    _ => is_restricted = true,
                }
            }
        }
        above = below;
        if !is_usable || is_restricted {
            end = below;
        }
        let start = end.checked_sub(length)? & !(PAGE - 1);
        if start >= above {
            return Some(PhysRange::with_length(start, length));
        }
    }
    None
}

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

#[cfg(test)]
mod tests {
    extern crate alloc;

    use super::*;
    use crate::tests::entries;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn a_place_by_the_entries_is_that_of_their_map(
            entries in entries(),
            length in 1_u64..0x20_0000,
            start in 0x10_0000_u64..0x50_0000,
            space in 0_u64..0x50_0000,
        ) {
            let within = PhysRange::with_length(start & !(PAGE - 1), space);
            let map = MemoryMap::from_e820(&entries, 0);
            prop_assert_eq!(find_top(&entries, length, within), map.find_top(length, PAGE, within));
        }

        #[test]
        fn any_entries_give_the_place_of_their_map(
            raw in prop::collection::vec((any::<u64>(), any::<u64>(), 0_u32..4, any::<u32>()), 0..9),
            length in 1_u64..0x1000_0000,
        ) {
            let entries: alloc::vec::Vec<_> = raw
                .iter()
                .map(|&(start, length, kind, attributes)| E820Entry {
                    start: start >> 31,
                    length: length >> 33,
                    kind,
                    attributes,
                })
                .collect();
            let within = PhysRange::new(32 << 20, 4 << 30);
            let map = MemoryMap::from_e820(&entries, 0);
            prop_assert_eq!(find_top(&entries, length, within), map.find_top(length, PAGE, within));
        }
    }
}
