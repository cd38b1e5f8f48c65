//! Physical memory above 1 MiB: who has which pages, and taking all of it for the next program.

use alloc::vec::Vec;
use base::PhysRange;
use base::boot_info::{BootInfo, CORE_PLACE, E820_CAPACITY, E820Entry, HEAP_LENGTH};
use core::ptr;
use core::sync::atomic::{Ordering, compiler_fence};
use memmap::{Kind, MemoryMap, Owner, PAGE};

use crate::device::DeviceMemory;
use crate::guest::{self, Disguise, TableRoom};
use crate::realmode::{self, Registers};
use crate::{cpu, heap, low};

const GIB: u64 = 1 << 30;
/// What the unpacker has mapped, above base memory.
const PLACE: PhysRange = PhysRange::new(1 << 20, 4 * GIB);
/// Memory that is mapped, where there is some.
const REACH: PhysRange = PhysRange::new(4 * GIB, 512 * GIB);
/// Pages that more than what the unpacker has mapped is mapped by, as an address's bit that counts them.
const LARGE_PAGE: u32 = 21;
const GIB_PAGE: u32 = 30;

/// All memory, and what of it is taken. There is one.
#[derive(Debug)]
pub struct PhysicalMemory {
    map: MemoryMap,
    /// The page table of the fourth level, which is in use.
    tables: u64,
    /// All memory from 1 MiB to here is mapped one to one.
    end: u64,
    /// Pieces handed out and not yet back.
    pieces: usize,
    /// While a program has all other memory: what there is for us.
    kept: Option<PhysRange>,
}

/// Sets up the heap and the map of memory.
///
/// # Safety
/// As [`crate::init`].
pub(crate) unsafe fn init(info: &BootInfo) -> PhysicalMemory {
    let entries = info.e820.get(..info.e820_count as usize).unwrap_or(&[]);
    let mut map = MemoryMap::from_e820(entries, info.base_memory_kib);
    let _ = map.reserve(PhysRange::with_length(info.core, info.core_length), Owner::Core);
    let _ = map.reserve(PhysRange::new(info.low.into(), u64::from(info.base_memory_kib) * 1024), Owner::Low);
    let tables = info.page_tables.into();
    let mut memory = PhysicalMemory { map, tables, end: PLACE.end(), pieces: 0, kept: None };
    memory.grow_heap(HEAP_LENGTH);
    memory.map_reach();
    memory
}

/// The script that was appended to the image; empty for none.
pub fn script(info: &BootInfo) -> &[u8] {
    let whole = PhysRange::with_length(info.core, info.core_length);
    let range = PhysRange::with_length(info.script, info.script_length);
    if range.is_empty() || !whole.contains(range) {
        return &[];
    }
    // SAFETY: the unpacker put the copy at the end of the core's range, which is mapped and never handed out.
    unsafe {
        core::slice::from_raw_parts(
            ptr::with_exposed_provenance(range.start() as usize),
            range.length() as usize,
        )
    }
}

/// A copy of what the firmware keeps in memory below 4 GiB: of a range between 640 KiB and 1 MiB, or inside one entry
/// of the memory map that is not usable.
pub fn firmware_data(info: &BootInfo, range: PhysRange) -> Option<Vec<u8>> {
    const USABLE: u32 = 1;
    const UPPER: PhysRange = PhysRange::new(0xa_0000, 1 << 20);
    let is_mapped = |entry: &E820Entry| {
        let place = PhysRange::with_length(entry.start, entry.length).intersection(PLACE);
        entry.kind != USABLE && place.contains(range)
    };
    if !UPPER.contains(range) && !info.e820.iter().any(is_mapped) {
        return None;
    }
    let mut bytes = alloc::vec![0; range.length() as usize];
    // SAFETY: all below 4 GiB is mapped one to one, and nothing of ours lies in what is not usable memory.
    unsafe {
        ptr::copy_nonoverlapping(
            ptr::with_exposed_provenance(range.start() as usize),
            bytes.as_mut_ptr(),
            bytes.len(),
        );
    }
    Some(bytes)
}

/// Contiguous pages that their holder owns.
#[derive(Debug)]
pub struct Pages {
    range: PhysRange,
    length: usize,
}

impl Pages {
    /// The first `length` bytes of the pages, as last set.
    pub fn bytes(&self) -> &[u8] {
        // SAFETY: the range is mapped, and only this value hands it out.
        unsafe {
            core::slice::from_raw_parts(
                ptr::with_exposed_provenance(self.range.start() as usize),
                self.length,
            )
        }
    }

    /// All bytes of the pages.
    pub fn room_mut(&mut self) -> &mut [u8] {
        // SAFETY: the range is mapped, only this value hands it out, and it is borrowed alone.
        unsafe {
            core::slice::from_raw_parts_mut(
                ptr::with_exposed_provenance_mut(self.range.start() as usize),
                self.range.length() as usize,
            )
        }
    }

    /// Says how many bytes are in use; cut to the room there is.
    pub fn set_length(&mut self, length: usize) {
        self.length = length.min(self.room());
    }

    /// Bytes in use.
    pub fn length(&self) -> usize {
        self.length
    }

    /// Bytes of all pages.
    pub fn room(&self) -> usize {
        self.range.length() as usize
    }

    /// Where they lie.
    pub fn range(&self) -> PhysRange {
        self.range
    }
}

impl PhysicalMemory {
    /// The map, with what is taken marked.
    pub fn map(&self) -> &MemoryMap {
        &self.map
    }

    /// Where what is mapped ends; what is free above it is not to be had.
    pub fn end(&self) -> u64 {
        self.end
    }

    /// Bytes of the largest piece that is to be had.
    pub fn largest(&self) -> u64 {
        self.map.largest(self.place(PLACE.start())).map_or(0, PhysRange::length)
    }

    /// Where images may lie, from `start` on.
    fn place(&self, start: u64) -> PhysRange {
        self.within(PhysRange::new(start, self.end))
    }

    /// As much of `place` as is not a program's.
    fn within(&self, place: PhysRange) -> PhysRange {
        self.kept.map_or(place, |kept| kept.intersection(place))
    }

    /// Leaves all that is free to a program, but `length` bytes, or nothing if they are not to be had: what is
    /// allocated from now on comes from these. Returns the map with them taken.
    pub fn lend(&mut self, length: u64) -> MemoryMap {
        let mut map = self.map.clone();
        let kept = map.find_top(length, PAGE, PLACE);
        self.kept = Some(kept.filter(|kept| map.reserve(*kept, Owner::Image).is_ok()).unwrap_or_default());
        map
    }

    /// Whether a program has it.
    pub fn is_lent(&self) -> bool {
        self.kept.is_some()
    }

    /// Ends what [`lend`](Self::lend) began: the program is gone.
    pub fn take_back(&mut self) {
        self.kept = None;
    }

    /// Tells what is called meanwhile that all that is taken is reserved; none if base memory has no room to say so.
    pub fn hide<'a>(&self, table: &'a mut TableRoom, info: &BootInfo) -> Option<Disguise<'a>> {
        let entries = info.e820.get(..info.e820_count as usize).unwrap_or_default();
        guest::hide(table, &self.map, entries)
    }

    /// Leaves to whoever was called what INT 15h does not call usable any more (ACPI 6.5, section 15.1). Its answers are
    /// put where the table was by which memory was hidden meanwhile.
    pub fn heed_bios(&mut self, TableRoom { memory: room, .. }: &mut TableRoom) {
        const USABLE: u32 = 1;
        const SIGNATURE: u32 = u32::from_be_bytes(*b"SMAP");
        const LENGTH: usize = size_of::<E820Entry>();
        let mut number = 0;
        for _ in 0..E820_CAPACITY {
            let mut registers = Registers {
                eax: 0xe820,
                ebx: number,
                ecx: LENGTH as u32,
                edx: SIGNATURE,
                es: room.far().segment,
                ..Registers::default()
            };
            room.bytes_mut().fill(0);
            realmode::interrupt(0x15, &mut registers);
            if registers.carry() || registers.eax != SIGNATURE {
                return;
            }
            // SAFETY: an entry consists of integers, and the room for a table has as many bytes.
            let entry: E820Entry = unsafe { ptr::read_unaligned(room.bytes().as_ptr().cast()) };
            let above = PhysRange::new(PLACE.start(), u64::MAX);
            let above = above.intersection(PhysRange::with_length(entry.start, entry.length));
            if entry.kind != USABLE && self.map.reserve(above, Owner::Vendor).is_err() {
                return;
            }
            number = registers.ebx;
            if number == 0 {
                return;
            }
        }
    }

    /// Maps memory above 4 GiB: each GiB that is memory whole in one piece, if the processor can, and others that have
    /// some in pieces of 2 MiB.
    fn map_reach(&mut self) {
        /// CPUID leaf 80000001h, EDX: pages of 1 GiB.
        const HAS_GIB_PAGES: u32 = 1 << 26;
        let [_, features] = cpu::features(true);
        let top = self.map.usable().last().map_or(0, PhysRange::end).min(REACH.end());
        for number in REACH.start() / GIB..top.div_ceil(GIB) {
            let gib = PhysRange::with_length(number * GIB, GIB);
            let is_whole = features & HAS_GIB_PAGES != 0 && self.map.is_ram(gib);
            let page = if is_whole { GIB_PAGE } else { LARGE_PAGE };
            if self.map.largest(gib).is_some() && !self.map_pages(gib, page, 0) {
                return;
            }
            self.end = gib.end();
        }
    }

    /// Maps registers of a device, uncached, one to one; all below 4 GiB is. False if they are out of reach, or there
    /// is no memory for the tables.
    pub(crate) fn map_registers(&mut self, range: PhysRange) -> bool {
        /// Addresses from here on would have to have all bits above set.
        const HALF: u64 = 1 << 47;
        const UNCACHED: u64 = 1 << 3 | 1 << 4;
        range.end() <= PLACE.end() || range.end() <= HALF && self.map_pages(range, LARGE_PAGE, UNCACHED)
    }

    /// Maps the pages that `range` touches one to one, but what of them is mapped already; what caches do there is then
    /// up to the BIOS, as it is below 4 GiB. False if there is no memory for a table.
    fn map_pages(&mut self, range: PhysRange, page: u32, flags: u64) -> bool {
        let mut pages = range.start() >> page..range.end().div_ceil(1 << page);
        pages.all(|number| self.map_page(number << page, page, flags).is_some())
    }

    fn map_page(&mut self, address: u64, page: u32, flags: u64) -> Option<()> {
        const PRESENT_AND_WRITABLE: u64 = 0b11;
        const LARGE: u64 = 1 << 7;
        let (mut table, mut level) = (self.tables, 39);
        loop {
            let index = (address >> level & 0x1ff) as usize;
            let entry = ptr::with_exposed_provenance_mut::<u64>(table as usize).wrapping_add(index);
            // SAFETY: the tables in use lie below 4 GiB, which is mapped, and nobody else looks at them.
            let there = unsafe { entry.read_volatile() };
            if there == 0 {
                let next = match level == page {
                    true => address | LARGE | flags,
                    // A table, all of whose entries are zero.
                    false => self.allocate_for_device(PAGE as usize)?.start as u64,
                };
                // SAFETY: as above; nobody has used these addresses, as they were not mapped. What is there now is
                // memory that the map knows of, or a device's registers.
                unsafe { entry.write_volatile(next | PRESENT_AND_WRITABLE) };
            } else if level == page || there & LARGE != 0 {
                return Some(());
            } else {
                (table, level) = (there & !(PAGE - 1), level - 9);
            }
        }
    }

    /// Gives the heap so many bytes more, for good, if they can be had in one piece.
    pub fn grow_heap(&mut self, length: u64) {
        if let Some(range) = self.map.find_top(length, PAGE, self.within(CORE_PLACE))
            && self.map.reserve(range, Owner::Heap).is_ok()
        {
            // SAFETY: the range was free, is mapped one to one as it lies below 4 GiB, and is reserved for ever.
            unsafe { heap::add(range.start(), range.length() as usize) };
        }
    }

    /// Pages for `length` bytes, the lowest between `avoid` and 4 GiB, or else the lowest of all; their content is
    /// whatever was there.
    pub fn allocate(&mut self, length: u64, avoid: u64) -> Option<Pages> {
        let above = self.place(avoid.max(PLACE.start())).intersection(PLACE);
        let find = |place| self.map.find_bottom(length.max(1), PAGE, place);
        let range = find(above).or_else(|| find(self.place(PLACE.start())))?;
        self.take(range)
    }

    /// The same of all memory, if a program has it and there is so much: that ends what [`lend`](Self::lend) began.
    pub fn allocate_of_program(&mut self, length: u64, avoid: u64) -> Option<Pages> {
        let kept = self.kept.take()?;
        let pages = self.allocate(length, avoid);
        if pages.is_none() {
            self.kept = Some(kept);
        }
        pages
    }

    /// The largest free range above `avoid`, whole, or else the largest of all.
    pub fn allocate_largest(&mut self, avoid: u64) -> Option<Pages> {
        let largest = |start| self.map.largest(self.place(start));
        let range = largest(avoid.max(PLACE.start())).or_else(|| largest(PLACE.start()))?;
        self.take(range)
    }

    fn take(&mut self, range: PhysRange) -> Option<Pages> {
        let range = PhysRange::new(range.start(), range.end().checked_add(PAGE - 1)? & !(PAGE - 1));
        self.map.reserve(range, Owner::Image).ok()?;
        self.pieces += 1;
        Some(Pages { range, length: 0 })
    }

    /// Memory for a device, or a page table, zeroed, of which nothing comes back. As high as can be, out of the way of
    /// programs.
    pub fn allocate_for_device(&mut self, length: usize) -> Option<DmaMemory> {
        let range = self.map.find_top(length as u64, PAGE, self.within(PLACE))?;
        self.map.reserve(range, Owner::Dma).ok()?;
        let start = ptr::with_exposed_provenance_mut::<u8>(range.start() as usize);
        // SAFETY: the range was free, is mapped one to one as it lies below 4 GiB, and is reserved for ever.
        unsafe { start.write_bytes(0, length) };
        Some(DmaMemory { start: range.start() as usize, length })
    }

    /// Gives back the pages after the bytes in use.
    pub fn trim(&mut self, pages: &mut Pages) {
        let end = (pages.range.start() + pages.length.max(1) as u64).next_multiple_of(PAGE);
        let rest = PhysRange::new(end, pages.range.end());
        if self.map.release(rest, Owner::Image).is_ok() {
            pages.range = PhysRange::new(pages.range.start(), end.min(pages.range.end()));
        }
    }

    /// Gives the pages back.
    pub fn free(&mut self, pages: Pages) {
        self.pieces -= 1;
        // A map too full to take them back only loses them.
        let _ = self.map.release(pages.range, Owner::Image);
    }

    /// All memory that is not the core's, for placing the next program; none if pages are held elsewhere than in
    /// `held`.
    pub fn take_all(&mut self, held: Vec<Pages>) -> Result<FreeMemory<'_>, Vec<Pages>> {
        if held.len() != self.pieces {
            return Err(held);
        }
        Ok(FreeMemory { map: &self.map, place: self.place(PLACE.start()), held })
    }
}

/// All memory that is free or has images in it: the holder may put things anywhere.
#[derive(Debug)]
pub struct FreeMemory<'a> {
    map: &'a MemoryMap,
    /// What is mapped above 1 MiB, where there is memory.
    place: PhysRange,
    held: Vec<Pages>,
}

impl FreeMemory<'_> {
    /// Gives the pages of the images back. What was written over them is theirs now.
    pub fn into_pages(self) -> Vec<Pages> {
        self.held
    }

    /// The bytes of a range; none if any part of it is not mapped RAM that is free or holds images.
    pub fn bytes(&self, range: PhysRange) -> Option<&[u8]> {
        let start = self.claim(range)?;
        // SAFETY: `claim` proved the range; `self` is borrowed, so nobody writes to it through `self`.
        Some(unsafe { core::slice::from_raw_parts(start, range.length() as usize) })
    }

    /// The bytes of a range, to be written; none as for [`bytes`](Self::bytes).
    pub fn bytes_mut(&mut self, range: PhysRange) -> Option<&mut [u8]> {
        let start = self.claim(range)?;
        // SAFETY: `claim` proved the range; `self` is borrowed alone.
        Some(unsafe { core::slice::from_raw_parts_mut(start, range.length() as usize) })
    }

    /// Copies bytes as `memmove` does; false if one of the ranges is not to be had.
    pub fn copy(&mut self, from: u64, to: u64, length: u64) -> bool {
        let (from, to) = (PhysRange::with_length(from, length), PhysRange::with_length(to, length));
        let (Some(source), Some(target)) = (self.claim(from), self.claim(to)) else { return false };
        // SAFETY: `claim` proved both ranges; they may overlap.
        unsafe { ptr::copy(source, target, length as usize) };
        true
    }

    /// The address of a range that is ours to use: RAM by the map that is free or holds images - so it is neither
    /// the core's, its heap's nor the low block's, and no `Pages` hands it out, as all of them are in `held` -,
    /// mapped one to one, and not at address 0.
    fn claim(&self, range: PhysRange) -> Option<*mut u8> {
        let is_low = range.start() >= PAGE && range.end() <= low::allocated().into();
        if !is_low && !self.place.contains(range) {
            return None;
        }
        let mut regions = self.map.regions().filter(|(region, _)| region.overlaps(range));
        let is_ours = regions.all(|(_, kind)| matches!(kind, Kind::Usable | Kind::Owned(Owner::Image)));
        is_ours.then(|| ptr::with_exposed_provenance_mut(range.start() as usize))
    }
}

/// Memory that a device reads and writes, too.
///
/// # Invariants
/// `length` bytes from `start` are mapped one to one, aligned to a page, and nobody else's.
#[derive(Debug)]
pub struct DmaMemory {
    start: usize,
    length: usize,
}

impl DmaMemory {
    /// Where a number is; none if it is not whole inside, or not aligned.
    fn locate<T>(&self, offset: usize) -> Option<*mut T> {
        let is_inside = offset.checked_add(size_of::<T>()).is_some_and(|end| end <= self.length);
        (is_inside && offset.is_multiple_of(size_of::<T>()))
            .then(|| ptr::with_exposed_provenance_mut(self.start + offset))
    }

    /// Where a range of bytes is; none if it is not all inside. The device and we take turns with it: what was written
    /// before is done before, and what comes after is done after.
    fn range(&self, offset: usize, length: usize) -> Option<*mut u8> {
        compiler_fence(Ordering::SeqCst);
        let is_inside = offset.checked_add(length).is_some_and(|end| end <= self.length);
        is_inside.then(|| ptr::with_exposed_provenance_mut(self.start + offset))
    }
}

/// The two directions of one size of number. The processor keeps the order of reads and that of writes.
macro_rules! access {
    ($read:ident, $write:ident, $number:ty) => {
        fn $read(&self, offset: usize) -> $number {
            // SAFETY: `locate` proved that the number is inside and aligned.
            self.locate::<$number>(offset).map_or(0, |place| unsafe { place.read_volatile() })
        }

        fn $write(&mut self, offset: usize, value: $number) {
            compiler_fence(Ordering::SeqCst);
            if let Some(place) = self.locate::<$number>(offset) {
                // SAFETY: as above.
                unsafe { place.write_volatile(value) }
            }
        }
    };
}

impl DeviceMemory for DmaMemory {
    fn address(&self) -> u64 {
        self.start as u64
    }

    fn length(&self) -> usize {
        self.length
    }

    access!(read16, write16, u16);
    access!(read32, write32, u32);
    access!(read64, write64, u64);

    fn bytes(&self, offset: usize, length: usize) -> &[u8] {
        let Some(start) = self.range(offset, length) else { return &[] };
        // SAFETY: `range` proved the range; by contract of the trait the device does not write to it meanwhile.
        unsafe { core::slice::from_raw_parts(start, length) }
    }

    fn bytes_mut(&mut self, offset: usize, length: usize) -> &mut [u8] {
        let Some(start) = self.range(offset, length) else { return &mut [] };
        // SAFETY: as above, and `self` is borrowed alone.
        unsafe { core::slice::from_raw_parts_mut(start, length) }
    }
}
