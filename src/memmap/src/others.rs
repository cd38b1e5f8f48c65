//! What other programs may see of memory while we stay in it.

use crate::{Kind, MemoryMap, Owner};
use base::PhysRange;
use base::boot_info::E820Entry;

const USABLE: u32 = 1;
const RESERVED: u32 = 2;
const MIB: u64 = 1 << 20;
/// The most KiB that INT 15h AH=88h tells of: SeaBIOS ends there, too.
const EXTENDED_LIMIT: u64 = 63 << 10;

/// Memory above 1 MiB by the calls that are older than E820h: what is free without a gap.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Extended {
    /// AX=E801h: KiB between 1 and 16 MiB.
    pub below_16m_kib: u16,
    /// AX=E801h: 64 KiB blocks from 16 MiB up.
    pub above_16m_blocks: u16,
    /// AH=88h: KiB from 1 MiB up.
    pub above_1m_kib: u16,
}

impl MemoryMap {
    /// The BIOS's `entries` as others may see them: what was usable there and is ours now, or lies in `base` (the
    /// memory from the free-base-memory mark to 640 KiB), is reserved; all else stays as the BIOS has it, in its order.
    pub fn shown_to_others(&self, entries: &[E820Entry], base: PhysRange, give: &mut dyn FnMut(E820Entry)) {
        for entry in entries {
            if entry.kind != USABLE {
                give(*entry);
                continue;
            }
            let whole = PhysRange::with_length(entry.start, entry.length);
            let mut piece = E820Entry { length: 0, ..*entry };
            let mut add = |end: u64, kind: u32| {
                let at = piece.start + piece.length;
                if end <= at {
                    return;
                }
                if kind != piece.kind && piece.length > 0 {
                    give(piece);
                    piece.start = at;
                }
                piece = E820Entry { length: end - piece.start, kind, ..piece };
            };
            let ours = self.regions().filter(|(range, kind)| {
                range.start() >= base.end() && matches!(kind, Kind::Owned(owner) if *owner != Owner::Vendor)
            });
            for hidden in core::iter::once(base).chain(ours.map(|(range, _)| range)) {
                let hidden = hidden.intersection(whole);
                if !hidden.is_empty() {
                    add(hidden.start(), USABLE);
                    add(hidden.end(), RESERVED);
                }
            }
            add(whole.end(), USABLE);
            if piece.length > 0 {
                give(piece);
            }
        }
    }

    /// What is free above 1 MiB, for the older calls.
    pub fn extended(&self) -> Extended {
        let free_from = |start: u64| {
            let first = PhysRange::with_length(start, 1);
            self.usable().find(|range| range.contains(first)).map_or(0, |range| range.end() - start)
        };
        let units =
            |length: u64, limit: u64, unit: u64| u16::try_from(length.min(limit) / unit).unwrap_or(u16::MAX);
        Extended {
            below_16m_kib: units(free_from(MIB), 15 * MIB, 1 << 10),
            above_16m_blocks: units(free_from(16 * MIB), u64::MAX, 1 << 16),
            above_1m_kib: units(free_from(MIB), EXTENDED_LIMIT << 10, 1 << 10),
        }
    }
}

#[cfg(test)]
mod tests {
    extern crate alloc;

    use super::*;
    use crate::PAGE;
    use crate::tests::{entries, entry};
    use alloc::vec;
    use alloc::vec::Vec;
    use proptest::prelude::*;

    const BASE: PhysRange = PhysRange::new(0x9_6000, 0xa_0000);

    fn shown(map: &MemoryMap, entries: &[E820Entry]) -> Vec<E820Entry> {
        let mut shown = Vec::new();
        map.shown_to_others(entries, BASE, &mut |entry| shown.push(entry));
        shown
    }

    #[test]
    fn what_is_ours_is_reserved_in_its_place() {
        let bios = [
            entry(0, 0x9_fc00, 1),
            entry(0x9_fc00, 0x400, 2),
            entry(0xf_0000, 0x1_0000, 2),
            entry(0x10_0000, 0x7f0_0000, 1),
            entry(0x800_0000, 0x1_0000, 3),
            entry(0x1_0000_0000, 0x1000_0000, 1),
        ];
        let mut map = MemoryMap::from_e820(&bios, 0x9c << 2);
        map.reserve(PhysRange::new(0x700_0000, 0x780_0000), Owner::Heap).unwrap();
        map.reserve(PhysRange::new(0x780_0000, 0x800_0000), Owner::Core).unwrap();
        map.reserve(PhysRange::new(0x400_0000, 0x400_0001), Owner::Image).unwrap();
        assert_eq!(
            shown(&map, &bios),
            vec![
                entry(0, 0x9_6000, 1),
                entry(0x9_6000, 0x9c00, 2),
                bios[1],
                bios[2],
                entry(0x10_0000, 0x3f0_0000, 1),
                entry(0x400_0000, 0x1000, 2),
                entry(0x400_1000, 0x2ff_f000, 1),
                entry(0x700_0000, 0x100_0000, 2),
                bios[4],
                bios[5],
            ]
        );
        let extended = Extended { below_16m_kib: 15 << 10, above_16m_blocks: 0x300, above_1m_kib: 63 << 10 };
        assert_eq!(map.extended(), extended);
        map.reserve(PhysRange::new(0x180_0000, 0x180_1000), Owner::Image).unwrap();
        map.reserve(PhysRange::new(0xa0_0000, 0xa0_1000), Owner::Image).unwrap();
        let extended = Extended { below_16m_kib: 9 << 10, above_16m_blocks: 0x80, above_1m_kib: 9 << 10 };
        assert_eq!(map.extended(), extended);
        assert_eq!(MemoryMap::new().extended(), Extended::default());
    }

    proptest! {
        #[test]
        fn nothing_that_is_ours_is_shown_as_free_and_nothing_else_is_hidden(
            entries in entries(),
            pieces in prop::collection::vec((0x100_u64..0x520, 1_u64..0x40), 0..8),
        ) {
            let before = MemoryMap::from_e820(&entries, 0);
            let mut map = before.clone();
            for (page, pages) in pieces {
                map.reserve(PhysRange::with_length(page * PAGE, pages * PAGE), Owner::Image).unwrap();
            }
            let shown = shown(&map, &entries);
            let after = MemoryMap::from_e820(&shown, 0);
            for page in 0..0x560 {
                let page = PhysRange::with_length(page * PAGE, PAGE);
                let is_hidden = BASE.overlaps(page) || before.is_usable(page) && !map.is_usable(page);
                prop_assert_eq!(after.is_usable(page), before.is_usable(page) && !is_hidden);
            }
            let length = |entries: &[E820Entry]| entries.iter().map(|entry| entry.length).sum::<u64>();
            prop_assert_eq!(length(&shown), length(&entries));
        }
    }
}
