//! The memory map as data: overlap rules, reservations, and places in it.
//!
//! Built once from what the BIOS reports. Where entries overlap, the most restrictive wins; usable memory is
//! rounded inward to whole pages, all else outward. What a PC cannot have as RAM is never usable, whatever the BIOS
//! says. There is no allocation, no sorting and nothing that can panic: the unpacker runs this before anything else.
#![no_std]

mod others;
mod sanitise;
mod search;

pub use others::Extended;
pub use search::find_top;

use base::PhysRange;
use base::boot_info::E820_CAPACITY;

/// Bytes of a page, the unit of the map.
pub const PAGE: u64 = 0x1000;

/// Boundaries that a map can hold: two for each entry of the BIOS, and some for the ranges that are struck off. A
/// map from the BIOS therefore always fits; the rest is for reservations.
const CAPACITY: usize = 2 * (E820_CAPACITY + 7) + 2;

/// Whose memory it is, of what was usable once.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Owner {
    /// The low block: our 16- and 32-bit code and its stack.
    Low,
    /// The core, its stack and its page tables.
    Core,
    /// The core's heap.
    Heap,
    /// The pages of images.
    Image,
    /// The ring of frames in base memory.
    FrameRing,
    /// Memory that devices write to.
    Dma,
    /// The vendor's PXE stack, or whoever else lowered the free-base-memory mark.
    Vendor,
    /// What is about to be started.
    Program,
}

/// What a range of memory is, the less restrictive first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// Nobody said anything about it.
    Hole,
    /// Free RAM.
    Usable,
    /// ACPI tables that an operating system may take once it has read them (E820 type 3).
    AcpiReclaimable,
    /// Memory of the firmware that must survive sleep (E820 type 4).
    AcpiNvs,
    /// Not for us (E820 type 2 and all that have no other name here).
    Reserved,
    /// RAM with errors in it (E820 type 5).
    Unusable,
    /// RAM that was usable and is taken.
    Owned(Owner),
}

/// The map has too many pieces to take one more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Full;

/// From this address up to the next step's, memory is of one kind.
#[derive(Clone, Copy, Debug)]
struct Step {
    start: u64,
    kind: Kind,
}

/// What lies where in physical memory, and whose it is.
///
/// # Invariants
/// The first `count` steps begin with one at address 0, ascend strictly, and no two neighbours are of one kind.
#[derive(Clone, Debug)]
pub struct MemoryMap {
    steps: [Step; CAPACITY],
    count: usize,
}

impl MemoryMap {
    /// A map of nothing.
    pub const fn new() -> Self {
        Self { steps: [Step { start: 0, kind: Kind::Hole }; CAPACITY], count: 1 }
    }

    /// All of the address space in order, in pieces of one kind.
    pub fn regions(&self) -> impl DoubleEndedIterator<Item = (PhysRange, Kind)> + '_ {
        (0..self.count).filter_map(|index| {
            let step = self.steps.get(index)?;
            let next = index + 1;
            let end = if next < self.count { self.steps.get(next)?.start } else { u64::MAX };
            Some((PhysRange::new(step.start, end), step.kind))
        })
    }

    /// Free memory: whole pages, ascending, disjoint, and no two ranges touch.
    pub fn usable(&self) -> impl DoubleEndedIterator<Item = PhysRange> + '_ {
        self.regions().filter(|(_, kind)| *kind == Kind::Usable).map(|(range, _)| range)
    }

    /// What `owner` has, ascending.
    pub fn owned(&self, owner: Owner) -> impl DoubleEndedIterator<Item = PhysRange> + '_ {
        self.regions().filter(move |(_, kind)| *kind == Kind::Owned(owner)).map(|(range, _)| range)
    }

    /// Gives to `owner` what is free in `range`, rounded outward to pages. The rest stays what it is.
    pub fn reserve(&mut self, range: PhysRange, owner: Owner) -> Result<(), Full> {
        self.paint(outward(range), Some(Kind::Usable), Kind::Owned(owner))
    }

    /// Frees what `owner` has in `range`, rounded outward to pages. The rest stays what it is.
    pub fn release(&mut self, range: PhysRange, owner: Owner) -> Result<(), Full> {
        self.paint(outward(range), Some(Kind::Owned(owner)), Kind::Usable)
    }

    /// Makes `to` of what is `from` in `range`; without `from`, of all that is less restricted. Changes nothing when
    /// there is no room. (Not generic, for the unpacker's sake.)
    fn paint(&mut self, range: PhysRange, from: Option<Kind>, to: Kind) -> Result<(), Full> {
        if range.is_empty() {
            return Ok(());
        }
        if self.count + 2 > CAPACITY {
            return Err(Full);
        }
        self.split(range.start());
        self.split(range.end());
        // One pass: change what lies inside, and keep only the steps that differ from the one before.
        let mut kept = 0;
        let mut last = None;
        for index in 0..self.count {
            let Some(mut step) = self.steps.get(index).copied() else { break };
            let changes = from.map_or(step.kind < to, |from| step.kind == from);
            if changes && range.start() <= step.start && step.start < range.end() {
                step.kind = to;
            }
            if last != Some(step.kind) {
                last = Some(step.kind);
                if let Some(slot) = self.steps.get_mut(kept) {
                    *slot = step;
                }
                kept += 1;
            }
        }
        self.count = kept;
        Ok(())
    }

    /// Makes a step begin at `at`. The caller has seen that there is room.
    fn split(&mut self, at: u64) {
        let mut inserted = Step { start: at, kind: Kind::Hole };
        let mut index = 0;
        for step in self.steps.iter().take(self.count) {
            if step.start == at {
                return;
            }
            if step.start > at {
                break;
            }
            inserted.kind = step.kind;
            index += 1;
        }
        self.count += 1;
        for step in self.steps.iter_mut().take(self.count).skip(index) {
            core::mem::swap(step, &mut inserted);
        }
    }
}

impl Default for MemoryMap {
    fn default() -> Self {
        Self::new()
    }
}

/// `range` with all pages that it touches.
fn outward(range: PhysRange) -> PhysRange {
    if range.is_empty() {
        return range;
    }
    let start = range.start() & !(PAGE - 1);
    PhysRange::new(start, range.end().saturating_add(PAGE - 1) & !(PAGE - 1))
}

/// The whole pages in `range`.
fn inward(range: PhysRange) -> PhysRange {
    let start = range.start().saturating_add(PAGE - 1) & !(PAGE - 1);
    PhysRange::new(start, range.end() & !(PAGE - 1))
}

#[cfg(test)]
mod tests {
    extern crate alloc;

    use super::*;
    use alloc::vec::Vec;
    use base::boot_info::E820Entry;
    use proptest::prelude::*;

    pub(crate) fn entry(start: u64, length: u64, kind: u32) -> E820Entry {
        E820Entry { start, length, kind, attributes: 1 }
    }

    fn map() -> MemoryMap {
        MemoryMap::from_e820(&[entry(0, 0xa_0000, 1), entry(0x10_0000, 0xff0_0000, 1)], 0)
    }

    #[test]
    fn what_is_reserved_is_not_free_and_comes_back_whole() {
        let mut map = map();
        let before: Vec<_> = map.usable().collect();
        map.reserve(PhysRange::new(0x20_0001, 0x20_1001), Owner::Heap).unwrap();
        assert!(!map.is_usable(PhysRange::new(0x20_0000, 0x20_0001)));
        assert!(!map.is_usable(PhysRange::new(0x20_1fff, 0x20_2000)));
        assert!(map.is_usable(PhysRange::new(0x20_2000, 0x20_3000)));
        let owned: Vec<_> = map.owned(Owner::Heap).collect();
        assert_eq!(owned, [PhysRange::new(0x20_0000, 0x20_2000)]);
        // Another owner's memory is neither taken nor freed.
        map.reserve(PhysRange::new(0x20_0000, 0x20_4000), Owner::Image).unwrap();
        map.release(PhysRange::new(0, u64::MAX), Owner::Image).unwrap();
        assert_eq!(map.owned(Owner::Heap).count(), 1);
        assert!(map.is_ram(PhysRange::new(0x1f_0000, 0x30_0000)));
        assert!(!map.is_ram(PhysRange::new(0xf_ffff, 0x30_0000)));
        map.release(PhysRange::new(0, u64::MAX), Owner::Heap).unwrap();
        assert_eq!(map.usable().collect::<Vec<_>>(), before);
    }

    #[test]
    fn reserving_makes_nothing_of_what_was_never_free() {
        let mut map = map();
        map.reserve(PhysRange::new(0, u64::MAX), Owner::Core).unwrap();
        map.release(PhysRange::new(0, u64::MAX), Owner::Core).unwrap();
        assert!(!map.is_usable(PhysRange::new(0xf_0000, 0xf_1000)));
        assert!(!map.is_usable(PhysRange::new(0, 0x1000)));
    }

    #[test]
    fn a_full_map_refuses_and_stays_as_it_is() {
        let mut map = map();
        let mut page = 0x100;
        while map.reserve(PhysRange::with_length(page * PAGE, PAGE), Owner::Image).is_ok() {
            page += 2;
            assert!(page < 0x1000, "a map without end");
        }
        let free: u64 = map.usable().map(PhysRange::length).sum();
        assert_eq!(map.release(PhysRange::with_length(0x100_0000, 1), Owner::Image), Err(Full));
        assert_eq!(map.usable().map(PhysRange::length).sum::<u64>(), free);
    }

    #[test]
    fn searches_find_the_ends() {
        let mut map = map();
        let all = PhysRange::new(0, 1 << 32);
        map.reserve(PhysRange::new(0xff0_0000, 0x1000_0000), Owner::Core).unwrap();
        assert_eq!(map.find_top(0x1800, 0x1000, all), Some(PhysRange::with_length(0xfef_e000, 0x1800)));
        assert_eq!(map.find_top(1, 0x20_0000, all), Some(PhysRange::with_length(0xfe0_0000, 1)));
        let low = PhysRange::new(0, 0x10_0000);
        assert_eq!(map.find_top(0x1000, 0x1000, low), Some(PhysRange::with_length(0x9_f000, 0x1000)));
        assert_eq!(map.find_top(0x10_0000, 1, low), None);
        assert_eq!(map.find_bottom(0x800, 0x800, low), Some(PhysRange::with_length(0x1000, 0x800)));
        assert_eq!(map.find_bottom(0x20_0000, 0x1_0000, all).unwrap().start(), 0x10_0000);
        assert_eq!(map.find_bottom(u64::MAX, 1, all), None);
        assert_eq!(map.find_top(u64::MAX, 1, all), None);
        assert_eq!(map.largest(all), Some(PhysRange::new(0x10_0000, 0xff0_0000)));
        assert_eq!(map.largest(PhysRange::new(0xa_0000, 0x10_0000)), None);
    }

    /// What a page is by the rules, worked out without a map.
    fn expected(entries: &[E820Entry], page: u64) -> bool {
        let page = PhysRange::with_length(page * PAGE, PAGE);
        let mut usable = false;
        for entry in entries {
            let range = PhysRange::with_length(entry.start, entry.length);
            if entry.kind == 1 {
                usable |= range.contains(page);
            } else if range.overlaps(page) && !range.is_empty() {
                return false;
            }
        }
        usable && page.start() != 0 && !(0xa_0000..0x10_0000).contains(&page.start())
    }

    pub(crate) fn entries() -> impl Strategy<Value = Vec<E820Entry>> {
        let one = (0u64..0x40_0000, 0u64..0x10_0000, 1u32..7).prop_map(|(start, length, kind)| {
            // Half of the edges lie on pages, so that neighbours touch.
            let mask = if kind % 2 == 0 { 0xfff } else { 0 };
            entry(start & !mask, length & !mask, if kind > 4 { 1 } else { kind })
        });
        prop::collection::vec(one, 0..40)
    }

    proptest! {
        #[test]
        fn each_page_is_what_its_most_restrictive_entry_says(entries in entries()) {
            let map = MemoryMap::from_e820(&entries, 0);
            for page in 0..0x520 {
                let range = PhysRange::with_length(page * PAGE, PAGE);
                prop_assert_eq!(map.is_usable(range), expected(&entries, page), "page {}", page);
            }
        }

        #[test]
        fn any_entries_give_a_sorted_disjoint_map(
            raw in prop::collection::vec((any::<u64>(), any::<u64>(), 0u32..8, any::<u32>()), 0..200),
            mark in any::<u16>(),
        ) {
            let entries: Vec<_> = raw
                .iter()
                .map(|&(start, length, kind, attributes)| E820Entry { start, length, kind, attributes })
                .collect();
            let map = MemoryMap::from_e820(&entries, mark);
            let mut end = 0;
            for (range, _) in map.regions() {
                prop_assert_eq!(range.start(), end);
                prop_assert!(!range.is_empty());
                end = range.end();
            }
            prop_assert_eq!(end, u64::MAX);
            let mut last = None;
            for free in map.usable() {
                prop_assert!(free.start().is_multiple_of(PAGE) && free.end().is_multiple_of(PAGE));
                prop_assert!(last < Some(free.start()));
                last = Some(free.end());
            }
        }

        #[test]
        fn reserve_and_release_keep_the_sum(
            entries in entries(),
            steps in prop::collection::vec((0u64..0x500, 1u64..40, any::<bool>()), 0..60),
        ) {
            let mut map = MemoryMap::from_e820(&entries, 0);
            let all = |map: &MemoryMap| {
                let owned: u64 = map.owned(Owner::Heap).map(PhysRange::length).sum();
                map.usable().map(PhysRange::length).sum::<u64>() + owned
            };
            let before = all(&map);
            for (page, pages, take) in steps {
                let range = PhysRange::with_length(page * PAGE, pages * PAGE);
                let done = if take { map.reserve(range, Owner::Heap) } else { map.release(range, Owner::Heap) };
                if done.is_ok() && take {
                    prop_assert!(map.usable().all(|free| !free.overlaps(range)));
                }
                prop_assert_eq!(all(&map), before);
            }
        }
    }
}
