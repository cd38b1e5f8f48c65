//! From what the BIOS says to a map that can be relied on.

use crate::{Kind, MemoryMap, Owner, PAGE, inward, outward};
use base::PhysRange;
use base::boot_info::{E820_CAPACITY, E820Entry};

/// Interrupt vectors and the BIOS data area.
const BIOS_DATA: PhysRange = PhysRange::new(0, PAGE);
/// The end of base memory.
pub(crate) const BASE_MEMORY_END: u64 = 0xa_0000;
/// Video memory and ROMs.
const ROM_SPACE: PhysRange = PhysRange::new(BASE_MEMORY_END, 0x10_0000);
/// The interrupt controllers and the system ROM. A PC has no RAM here.
pub(crate) const CONTROLLERS: PhysRange = PhysRange::new(0xfec0_0000, 0x1_0000_0000);
/// What is believed of an entry that claims RAM in [`CONTROLLERS`] (field note A14). Every machine with long mode
/// has this much.
const CREDIBLE_END: u64 = 64 << 20;

impl MemoryMap {
    /// The map that the BIOS reports by E820h, capped by the free-base-memory mark (40:13, in KiB).
    ///
    /// The first 128 entries count, in any order. One of no length is ignored, and so is one whose attribute bit 0
    /// is clear, unless that is so in all of them: then the BIOS does not know of attributes. A mark of 0 is none.
    pub fn from_e820(entries: &[E820Entry], base_memory_kib: u16) -> Self {
        let mut map = Self::new();
        for (range, kind) in ranges(entries) {
            map.restrict(range, kind);
        }
        map.restrict(BIOS_DATA, Kind::Reserved);
        map.restrict(ROM_SPACE, Kind::Reserved);
        map.restrict(CONTROLLERS, Kind::Reserved);
        if base_memory_kib != 0 {
            let mark = u64::from(base_memory_kib) << 10;
            // There is room for this one too, by the choice of the capacity.
            let _ = map.reserve(PhysRange::new(mark, BASE_MEMORY_END), Owner::Vendor);
        }
        map
    }

    /// Makes memory at least as restricted as `kind`. There is room for all that [`from_e820`](Self::from_e820) does.
    fn restrict(&mut self, range: PhysRange, kind: Kind) {
        let _ = self.paint(range, None, kind);
    }
}

/// What the BIOS's entries say, each by itself, in whole pages and without what is not believed.
pub(crate) fn ranges(entries: &[E820Entry]) -> impl Iterator<Item = (PhysRange, Kind)> {
    let has_attributes = entries.iter().any(|entry| entry.attributes & 1 != 0);
    let counts = move |entry: &&E820Entry| !has_attributes || entry.attributes & 1 != 0;
    entries.iter().take(E820_CAPACITY).filter(counts).filter_map(|entry| {
        let range = PhysRange::with_length(entry.start, entry.length);
        let kind = match entry.kind {
            1 => Kind::Usable,
            3 => Kind::AcpiReclaimable,
            4 => Kind::AcpiNvs,
            5 => Kind::Unusable,
            _ => Kind::Reserved,
        };
        let range = match kind {
            Kind::Usable if range.overlaps(CONTROLLERS) => {
                inward(PhysRange::new(range.start(), range.end().min(CREDIBLE_END)))
            }
            Kind::Usable => inward(range),
            _ => outward(range),
        };
        (!range.is_empty()).then_some((range, kind))
    })
}

#[cfg(test)]
mod tests {
    extern crate alloc;

    use super::*;
    use crate::tests::entry;
    use alloc::vec;
    use alloc::vec::Vec;

    /// What the prefix makes of the answer of a BIOS that only has INT 15h AX=E801h.
    ///
    /// `base_kib` is the word at 40:13, `low_kib` the KiB between 1 and 16 MiB (AX or CX), `high_64k` the units of 64 KiB
    /// from 16 MiB up (BX or DX).
    fn e801_entries(base_kib: u16, low_kib: u16, high_64k: u16) -> [E820Entry; 3] {
        let usable = |start, length| E820Entry { start, length, kind: 1, attributes: 1 };
        [
            usable(0, u64::from(base_kib) << 10),
            usable(1 << 20, u64::from(low_kib.min(15 << 10)) << 10),
            usable(16 << 20, u64::from(high_64k) << 16),
        ]
    }

    /// What it makes of that of a BIOS that only has INT 15h AH=88h, which counts the KiB above 1 MiB.
    fn memory_88_entries(base_kib: u16, extended_kib: u16) -> [E820Entry; 2] {
        let usable = |start, length| E820Entry { start, length, kind: 1, attributes: 1 };
        [usable(0, u64::from(base_kib) << 10), usable(1 << 20, u64::from(extended_kib) << 10)]
    }

    struct Fixture {
        name: &'static str,
        entries: Vec<E820Entry>,
        mark: u16,
        usable: &'static [(u64, u64)],
    }

    fn fixtures() -> Vec<Fixture> {
        let ignored = E820Entry { attributes: 0, ..entry(0x10_0000, 0x100_0000, 1) };
        vec![
            Fixture {
                name: "SeaBIOS, 256 MiB, a PXE ROM at work",
                entries: vec![
                    entry(0, 0x9_fc00, 1),
                    entry(0x9_fc00, 0x400, 2),
                    entry(0xf_0000, 0x1_0000, 2),
                    entry(0x10_0000, 0xfee_0000, 1),
                    entry(0xffe_0000, 0x2_0000, 2),
                    entry(0xfffc_0000, 0x4_0000, 2),
                ],
                mark: 625,
                usable: &[(0x1000, 0x9_c000), (0x10_0000, 0xffe_0000)],
            },
            Fixture {
                name: "6 GiB with a hole for PCI",
                entries: vec![
                    entry(0, 0xa_0000, 1),
                    entry(0x10_0000, 0xbff0_0000, 1),
                    entry(0x1_0000_0000, 0xc000_0000, 1),
                ],
                mark: 640,
                usable: &[(0x1000, 0xa_0000), (0x10_0000, 0xc000_0000), (0x1_0000_0000, 0x1_c000_0000)],
            },
            Fixture {
                name: "all 32-bit space as RAM",
                entries: vec![entry(0, 0x1_0000_0000, 1)],
                mark: 639,
                usable: &[(0x1000, 0x9_f000), (0x10_0000, 0x400_0000)],
            },
            Fixture {
                name: "unsorted and overlapping",
                entries: vec![
                    entry(0x200_0000, 0x100_0000, 1),
                    entry(0x180_0800, 0x100, 4),
                    entry(0, 0x9_0000, 1),
                    entry(0x10_0000, 0x200_0000, 1),
                    entry(0x280_0000, 0x1000, 3),
                ],
                mark: 0,
                usable: &[
                    (0x1000, 0x9_0000),
                    (0x10_0000, 0x180_0000),
                    (0x180_1000, 0x280_0000),
                    (0x280_1000, 0x300_0000),
                ],
            },
            Fixture {
                name: "an entry to be ignored, one of no length, and lengths past the end",
                entries: vec![
                    entry(0, 0xa_0000, 1),
                    ignored,
                    entry(0x50_0000, 0, 2),
                    entry(0x2_0000_0000, u64::MAX, 2),
                    entry(0x1_8000_0000, 0x1_0000_0000, 1),
                ],
                mark: 512,
                usable: &[(0x1000, 0x8_0000), (0x1_8000_0000, 0x2_0000_0000)],
            },
            Fixture {
                name: "a BIOS that leaves all attributes clear",
                entries: vec![ignored],
                mark: 0,
                usable: &[(0x10_0000, 0x110_0000)],
            },
            Fixture {
                name: "only E801, 64 MiB",
                entries: e801_entries(639, 0x3c00, 0x300).to_vec(),
                mark: 639,
                usable: &[(0x1000, 0x9_f000), (0x10_0000, 0x400_0000)],
            },
            Fixture {
                name: "only E801, with a hole at 15 MiB and all else claimed",
                entries: e801_entries(640, 0x3800, 0xffff).to_vec(),
                mark: 640,
                usable: &[(0x1000, 0xa_0000), (0x10_0000, 0xf0_0000), (0x100_0000, 0x400_0000)],
            },
            Fixture {
                name: "only 88h",
                entries: memory_88_entries(640, 0xfc00).to_vec(),
                mark: 600,
                usable: &[(0x1000, 0x9_6000), (0x10_0000, 0x400_0000)],
            },
            Fixture { name: "nothing", entries: vec![], mark: 640, usable: &[] },
        ]
    }

    #[test]
    fn maps_from_the_field() {
        for fixture in fixtures() {
            let map = MemoryMap::from_e820(&fixture.entries, fixture.mark);
            let usable: Vec<_> = map.usable().map(|range| (range.start(), range.end())).collect();
            assert_eq!(usable, fixture.usable, "{}", fixture.name);
        }
    }

    #[test]
    fn as_many_entries_as_there_can_be_all_fit() {
        let mut entries = vec![entry(0, 0xe000_0000, 1)];
        entries.extend(
            (1..E820_CAPACITY as u64).map(|n| entry(n * 0x10_0000 + 0x8000, 0x1000, 2 + (n & 1) as u32)),
        );
        let map = MemoryMap::from_e820(&entries, 600);
        for reserved in entries.iter().skip(1) {
            let range = PhysRange::with_length(reserved.start, reserved.length);
            assert!(map.usable().all(|free| !free.overlaps(range)));
        }
        assert_eq!(map.owned(Owner::Vendor).count(), 1);
        assert_eq!(map.usable().count(), E820_CAPACITY + 1);
    }
}
