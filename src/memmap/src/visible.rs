//! The map for others.

use crate::sanitise::BASE_MEMORY_END;
use crate::{Kind, MemoryMap, Owner};
use base::PhysRange;
use base::boot_info::E820Entry;

impl MemoryMap {
    /// What the next program may see of the map of the BIOS: its entries as they are, but without the memory that has
    /// an owner, and without base memory above the lowest page of the low block and the vendor: that is the mark that
    /// INT 12h reports. An entry may so become several, or none. For the table that the INT 15h hook walks.
    pub fn visible<'a>(&'a self, entries: &'a [E820Entry]) -> impl Iterator<Item = E820Entry> + 'a {
        entries.iter().flat_map(move |entry| {
            let all = PhysRange::with_length(entry.start, entry.length);
            self.without_owner(entry.kind != 1).filter_map(move |range| {
                let part = all.intersection(range);
                let shown = E820Entry { start: part.start(), length: part.length(), ..*entry };
                (!part.is_empty()).then_some(shown)
            })
        })
    }

    /// The ranges without an owner, as few and as long as can be; one range of everything for `everything`.
    fn without_owner(&self, everything: bool) -> impl Iterator<Item = PhysRange> + '_ {
        let mut regions = self.regions();
        let kept = self.owned(Owner::Low).chain(self.owned(Owner::Vendor));
        let mark = kept.map(PhysRange::start).min().unwrap_or(BASE_MEMORY_END);
        core::iter::from_fn(move || {
            let mut found: Option<PhysRange> = None;
            for (range, kind) in regions.by_ref() {
                let hidden =
                    matches!(kind, Kind::Owned(_)) || (mark..BASE_MEMORY_END).contains(&range.start());
                if everything || !hidden {
                    let start = found.map_or(range.start(), PhysRange::start);
                    found = Some(PhysRange::new(start, range.end()));
                } else if found.is_some() {
                    break;
                }
            }
            found
        })
    }
}

#[cfg(test)]
mod tests {
    extern crate alloc;

    use super::*;
    use crate::Owner;
    use crate::tests::entry;
    use alloc::vec::Vec;

    #[test]
    fn what_has_an_owner_is_cut_out_of_ram_only() {
        let bios = [
            entry(0, 0x9_fc00, 1),
            entry(0x9_fc00, 0x400, 2),
            entry(0x10_0000, 0x300_0000, 1),
            entry(0x310_0000, 0x1_0000, 3),
        ];
        let mut map = MemoryMap::from_e820(&bios, 610);
        map.reserve(PhysRange::new(0x80_0000, 0x90_0000), Owner::Core).unwrap();
        map.reserve(PhysRange::new(0x90_0000, 0x98_0000), Owner::Heap).unwrap();
        let seen: Vec<_> = map.visible(&bios).collect();
        assert_eq!(
            seen,
            [
                entry(0, 0x9_8000, 1),
                entry(0x9_fc00, 0x400, 2),
                entry(0x10_0000, 0x70_0000, 1),
                entry(0x98_0000, 0x278_0000, 1),
                entry(0x310_0000, 0x1_0000, 3),
            ]
        );
    }

    #[test]
    fn with_nothing_owned_others_see_what_the_bios_says() {
        let bios = [entry(0, 0x9_fc00, 1), entry(5, 7, 12), entry(0x10_0000, 0x300_0001, 1)];
        let map = MemoryMap::from_e820(&bios, 0);
        assert_eq!(map.visible(&bios).collect::<Vec<_>>(), bios);
    }
}
