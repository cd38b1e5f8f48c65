//! From a program for protected mode - ELF, or with a header of multiboot - to a plan.

use crate::multiboot::{self, Header, Version};
use crate::place::Move;
use crate::plan::{BASE_MEMORY, HIGH_MEMORY, exclude, free_for_boot, low32, pages};
use crate::{Entry, Initrd, Kernel, Memory, Plan, elf, errors, pvh};
use alloc::format;
use alloc::vec;
use alloc::vec::Vec;
use base::boot_info::E820Entry;
use base::{Error, PhysRange};
use memmap::{MemoryMap, PAGE};

/// What a program is told of the machine.
#[derive(Clone, Copy, Debug)]
pub struct Surroundings<'a> {
    /// What we are called.
    pub loader: &'a str,
    /// The BIOS's memory map.
    pub e820: &'a [E820Entry],
    /// KiB of base memory that are free.
    pub base_memory_kib: u16,
    /// The root pointer of ACPI: where it is, and all of its bytes.
    pub acpi: Option<(u64, &'a [u8])>,
}

impl Surroundings<'_> {
    /// The entries of the BIOS's map that are not to be ignored (ACPI 3.0, "Extended Attributes"), without what is in use
    /// of base memory: not every ROM hides that there.
    pub(crate) fn memory_map(&self) -> impl Iterator<Item = E820Entry> {
        const USABLE: u32 = 1;
        let mark = u64::from(self.base_memory_kib) << 10;
        self.e820.iter().filter(|entry| entry.attributes & 1 != 0).filter_map(move |entry| {
            let mut entry = *entry;
            if entry.kind == USABLE && entry.start < BASE_MEMORY.end() {
                entry.length = entry.length.min(mark.saturating_sub(entry.start));
            }
            (entry.length != 0).then_some(entry)
        })
    }
}

/// A file in memory.
#[derive(Debug)]
pub(crate) struct File<'a, M> {
    pub(crate) name: &'a str,
    image: PhysRange,
    memory: &'a M,
}

impl<M: Memory> File<'_, M> {
    /// Bytes of the file.
    pub(crate) fn length(&self) -> u64 {
        self.image.length()
    }

    /// Fills `to` with the bytes from `offset` on, and zeroes what lies behind the end; false if not one byte is there.
    pub(crate) fn read(&self, offset: u64, to: &mut [u8]) -> bool {
        to.fill(0);
        let Some(rest) = self.length().checked_sub(offset).filter(|rest| *rest != 0) else { return false };
        let count = usize::try_from(rest).unwrap_or(usize::MAX).min(to.len());
        if let Some(to) = to.get_mut(..count) {
            self.memory.read(self.image.start() + offset, to);
        }
        true
    }
}

/// A part of a file, and where it goes. What the file does not fill of the place is zero.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Segment {
    /// Where it begins in the file, and how many bytes the file has of it.
    pub(crate) offset: u64,
    pub(crate) length: u64,
    /// Where it is loaded.
    pub(crate) place: PhysRange,
}

/// All of a file that is loaded, and where it is entered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Layout {
    pub(crate) segments: Vec<Segment>,
    pub(crate) instruction: u64,
    /// Whether it is entered, and told of the machine, by the protocol of [`pvh`].
    pub(crate) is_pvh: bool,
}

/// A list of 32-bit numbers.
pub(crate) fn words(to: &mut Vec<u8>, words: &[u32]) {
    words.iter().for_each(|word| to.extend_from_slice(&word.to_le_bytes()));
}

/// Plans the start of `kernel`, an ELF file or one with a multiboot header, with `modules` in their order, of which only
/// multiboot and PVH tell. The images and the map are as for [`plan_linux`](crate::plan_linux).
pub fn plan_executable(
    kernel: &Kernel<'_>,
    modules: &[Initrd<'_>],
    surroundings: &Surroundings<'_>,
    map: &MemoryMap,
    memory: &impl Memory,
) -> Result<Plan, Error> {
    let file = File { name: kernel.name, image: kernel.image, memory };
    let mut first = vec![0; multiboot::SEARCH.min(usize::try_from(file.length()).unwrap_or(usize::MAX))];
    file.read(0, &mut first);
    let header = Header::find(kernel.name, &first)?;
    let layout = match &header {
        Some(header) if header.load.is_some() => header.layout(&file)?,
        _ => elf::layout(&file, header.is_some())?,
    };
    let mut free = free_for_boot(map);
    let (mut moves, zeroes, program) = place_segments(&file, &layout, &mut free)?;
    let mut plan = Plan {
        moves: Vec::new(),
        zeroes,
        writes: Vec::new(),
        entry: Entry::Protected { instruction: low32(layout.instruction), eax: 0, ebx: 0, esi: 0 },
        parameters: PhysRange::default(),
        program,
        initrds: PhysRange::default(),
    };
    if header.is_some() || layout.is_pvh {
        let no_room = || errors::NO_MODULE_ROOM.of(kernel.name);
        let places = place_modules(modules, &mut free).ok_or_else(no_room)?;
        for (module, place) in modules.iter().zip(&places) {
            moves.push(Move { from: module.image.start(), to: place.start(), length: place.length() });
        }
        plan.initrds = hull(places.iter().copied());
        let placed = places.into_iter().zip(modules);
        let modules = base::list(placed.map(|(image, module)| Initrd { image, ..*module }));
        let inform = |base| match &header {
            Some(header) => multiboot::information(header, kernel, &modules, surroundings, map, base),
            None => pvh::start_info(kernel, &modules, surroundings, base),
        };
        let length = inform(0).len() as u64;
        let base = free
            .find_bottom(length, PAGE, BASE_MEMORY)
            .or_else(|| free.find_bottom(length, PAGE, HIGH_MEMORY))
            .ok_or_else(no_room)?;
        plan.parameters = base;
        plan.writes.push((base.start(), inform(low32(base.start()))));
        let eax = match header.map(|header| header.version) {
            Some(Version::One) => multiboot::ONE_LOADED,
            Some(Version::Two) => multiboot::TWO_LOADED,
            None => 0,
        };
        let entry = header.and_then(|header| header.entry);
        let instruction = entry.unwrap_or(low32(layout.instruction));
        plan.entry = Entry::Protected { instruction, eax, ebx: low32(base.start()), esi: 0 };
    }
    plan.moves = moves;
    Ok(plan)
}

/// Takes the places of all segments out of what is free. Returns what is to be moved there, what is to be zero, and from
/// where to where all of them reach.
fn place_segments(
    file: &File<'_, impl Memory>,
    layout: &Layout,
    free: &mut MemoryMap,
) -> Result<(Vec<Move>, Vec<PhysRange>, PhysRange), Error> {
    let mut moves = Vec::new();
    let mut zeroes = Vec::new();
    for (index, segment) in layout.segments.iter().enumerate() {
        let Segment { offset, length, place } = *segment;
        let source = PhysRange::with_length(offset, length);
        let is_whole = offset.checked_add(length).is_some_and(|end| end <= file.length());
        let mut others = layout.segments.iter().skip(index + 1);
        // No byte goes to two places, and none comes from two.
        let collides = others.any(|other| {
            let shared = PhysRange::with_length(other.offset, other.length).intersection(source);
            other.place.overlaps(place) || !shared.is_empty()
        });
        if !is_whole || collides {
            return Err(errors::BAD_ELF.of(file.name));
        }
        if !free.is_usable(place) || place.end() > HIGH_MEMORY.end() {
            let (start, end) = (place.start(), place.end());
            return Err(errors::NO_PROGRAM_ROOM.of(format!("{} is for {start:#x} to {end:#x}", file.name)));
        }
        moves.push(Move { from: file.image.start() + offset, to: place.start(), length });
        zeroes.push(PhysRange::new(place.start() + length, place.end()));
    }
    layout.segments.iter().for_each(|segment| exclude(free, segment.place));
    Ok((moves, zeroes, hull(layout.segments.iter().map(|segment| segment.place))))
}

/// Where the modules go, each on pages of its own: they stay where they are unless the program goes there.
fn place_modules(modules: &[Initrd<'_>], free: &mut MemoryMap) -> Option<Vec<PhysRange>> {
    let mut staying = Vec::new();
    for Initrd { image, .. } in modules {
        let whole = PhysRange::new(image.start(), pages(image.end()));
        let stays =
            HIGH_MEMORY.contains(whole) && free.is_usable(whole) && image.start().is_multiple_of(PAGE);
        if stays {
            exclude(free, *image);
        }
        staying.push(stays);
    }
    let mut places = Vec::new();
    for (Initrd { image, .. }, stays) in modules.iter().zip(staying) {
        let mut place = *image;
        if !stays {
            let found = free.find_bottom(image.length().max(1), PAGE, HIGH_MEMORY)?;
            exclude(free, found);
            place = PhysRange::with_length(found.start(), image.length());
        }
        places.push(place);
    }
    Some(places)
}

/// From the start of the first to the end of the last.
fn hull(ranges: impl Iterator<Item = PhysRange>) -> PhysRange {
    let joined = |all: PhysRange, range: PhysRange| {
        PhysRange::new(all.start().min(range.start()), all.end().max(range.end()))
    };
    ranges.reduce(joined).unwrap_or_default()
}

#[cfg(test)]
#[allow(clippy::cast_possible_truncation, reason = "the memory of a test is small")]
mod tests {
    use super::*;
    use crate::execute;
    use crate::fixture::Ram;
    use memmap::Owner;
    use proptest::prelude::*;

    const MIB: u64 = 1 << 20;
    const TOP: u64 = 8 * MIB;
    const E820: [E820Entry; 4] = [
        E820Entry { start: 0, length: 0xa_0000, kind: 1, attributes: 1 },
        E820Entry { start: MIB, length: TOP - MIB, kind: 1, attributes: 1 },
        E820Entry { start: TOP, length: 0x1000, kind: 3, attributes: 1 },
        E820Entry { start: 16 * MIB, length: 0x1000, kind: 1, attributes: 0 },
    ];

    /// A machine with 8 MiB, whose images lie from `next` on.
    struct Machine {
        ram: Ram,
        map: MemoryMap,
        next: u64,
    }

    impl Machine {
        fn new(first: u64) -> Self {
            Self { ram: Ram::new(TOP as usize), map: MemoryMap::from_e820(&E820, 608), next: first }
        }

        fn store(&mut self, bytes: &[u8]) -> PhysRange {
            let range = PhysRange::with_length(self.next, bytes.len() as u64);
            self.ram.bytes[self.next as usize..][..bytes.len()].copy_from_slice(bytes);
            self.map.reserve(range, Owner::Image).unwrap();
            self.next += pages(range.length());
            range
        }

        fn plan(&mut self, file: &[u8], modules: &[Initrd<'_>], acpi: Option<&[u8]>) -> Result<Plan, Error> {
            let kernel =
                Kernel { name: "kernel", uri: "/kernel", image: self.store(file), command_line: b"quiet" };
            let acpi = acpi.map(|pointer| (0xf_5000, pointer));
            let surroundings = Surroundings { loader: "us", e820: &E820, base_memory_kib: 608, acpi };
            plan_executable(&kernel, modules, &surroundings, &self.map, &self.ram)
        }

        fn bytes(&self, at: u64, length: u64) -> &[u8] {
            self.ram.slice(PhysRange::with_length(at, length))
        }

        fn word(&self, at: u64) -> u64 {
            u32::from_le_bytes(self.bytes(at, 4).try_into().unwrap()).into()
        }
    }

    /// Numbers of the ELF's widths, one behind the other.
    fn numbers(parts: &[(u64, usize)]) -> Vec<u8> {
        parts.iter().flat_map(|(value, width)| value.to_le_bytes().into_iter().take(*width)).collect()
    }

    /// One segment: offset, bytes in the file, virtual and physical address, bytes in memory.
    type Load = (u64, u64, u64, u64, u64);

    /// A file of `length` bytes with these segments; what is no header counts up.
    fn elf(is_64: bool, entry: u64, loads: &[Load], length: usize) -> Vec<u8> {
        let w = if is_64 { 8 } else { 4 };
        let (header, size, machine) = if is_64 { (64, 56, 62) } else { (52, 32, 3) };
        let count = loads.len() as u64 + 1;
        let mut out = vec![0x7f, b'E', b'L', b'F', if is_64 { 2 } else { 1 }, 1, 1];
        out.resize(16, 0);
        out.extend(numbers(&[(2, 2), (machine, 2), (1, 4), (entry, w), (header, w), (0, w), (0, 4)]));
        out.extend(numbers(&[(header, 2), (size, 2), (count, 2), (0, 2), (0, 2), (0, 2)]));
        // A note is not loaded.
        let others = loads.iter().map(|load| (1, *load));
        for (kind, (offset, filled, linked, place, memory)) in
            [(4, (0, 9, 0, 0, 9))].into_iter().chain(others)
        {
            out.extend(numbers(&[(kind, 4)]));
            if is_64 {
                out.extend(numbers(&[(7, 4)]));
            }
            out.extend(numbers(&[(offset, w), (linked, w), (place, w), (filled, w), (memory, w)]));
            out.extend(numbers(if is_64 { &[(16, 8)] } else { &[(7, 4), (16, 4)] }));
        }
        let filler = (out.len()..length).map(|index| (index % 251) as u8);
        out.extend(filler);
        out
    }

    /// A header of multiboot 1: its flags, and addresses.
    fn one(flags: u32, addresses: [u32; 5]) -> Vec<u8> {
        let sum = 0x1bad_b002_u32.wrapping_add(flags).wrapping_neg();
        let words = [0x1bad_b002, flags, sum].into_iter().chain(addresses);
        words.flat_map(u32::to_le_bytes).collect()
    }

    /// A header of multiboot 2: kind, flags and words of each tag.
    fn two(tags: &[(u16, u16, &[u32])]) -> Vec<u8> {
        let mut body = vec![];
        for (kind, flags, words) in tags.iter().chain([&(0, 0, &[][..])]) {
            body.extend(kind.to_le_bytes());
            body.extend(flags.to_le_bytes());
            body.extend((8 + 4 * words.len() as u32).to_le_bytes());
            words.iter().for_each(|word| body.extend(word.to_le_bytes()));
            body.resize(body.len().next_multiple_of(8), 0);
        }
        let length = 16 + body.len() as u32;
        let sum = 0xe852_50d6_u32.wrapping_add(length).wrapping_neg();
        let mut out: Vec<u8> = [0xe852_50d6, 0, length, sum].into_iter().flat_map(u32::to_le_bytes).collect();
        out.extend(body);
        out
    }

    fn with(mut file: Vec<u8>, offset: usize, bytes: &[u8]) -> Vec<u8> {
        file.resize(file.len().max(offset + bytes.len()), 0);
        file[offset..offset + bytes.len()].copy_from_slice(bytes);
        file
    }

    const LOADS: [Load; 2] =
        [(0x200, 0x800, 0xc020_0000, 2 * MIB, 0x800), (0xa00, 0x100, 0xc020_1000, 2 * MIB + 0x1000, 0x3000)];

    fn kind(result: Result<Plan, Error>) -> &'static base::ErrorKind {
        result.unwrap_err().kind()
    }

    #[test]
    fn a_program_without_multiboot_is_only_placed() {
        let mut machine = Machine::new(4 * MIB);
        let file = elf(false, 2 * MIB + 4, &LOADS, 0x1000);
        let plan = machine.plan(&file, &[], None).unwrap();
        assert_eq!(plan.program, PhysRange::new(2 * MIB, 2 * MIB + 0x4000));
        let entry = execute(&plan, &mut machine.ram);
        assert_eq!(entry, Entry::Protected { instruction: (2 * MIB + 4) as u32, eax: 0, ebx: 0, esi: 0 });
        assert_eq!(machine.bytes(2 * MIB, 0x800), &file[0x200..0xa00]);
        assert_eq!(machine.bytes(2 * MIB + 0x1000, 0x100), &file[0xa00..0xb00]);
        assert_eq!(machine.bytes(2 * MIB + 0x1100, 0x2f00), [0; 0x2f00]);
        // Between the segments nothing was touched.
        assert_eq!(machine.bytes(2 * MIB + 0x800, 0x800), [0xee; 0x800]);
    }

    #[test]
    fn entries_by_virtual_addresses_and_places_by_them() {
        let entry = |file: &[u8]| match Machine::new(4 * MIB).plan(file, &[], None).unwrap().entry {
            Entry::Protected { instruction, .. } => u64::from(instruction),
            Entry::Real { .. } => 0,
        };
        assert_eq!(entry(&elf(false, 0xc020_1008, &LOADS, 0x1000)), 2 * MIB + 0x1008);
        let by_virtual = [(0x200, 0x800, 3 * MIB, 0, 0x800)];
        assert_eq!(entry(&elf(false, 3 * MIB, &by_virtual, 0x1000)), 3 * MIB);
    }

    #[test]
    fn a_program_is_told_by_multiboot_1_what_it_needs() {
        let mut machine = Machine::new(4 * MIB);
        let first = Initrd { uri: "/a", image: machine.store(&[1; 5000]), command_line: b"one" };
        let second = Initrd { uri: "/b", image: machine.store(&[2; 9]), command_line: b"" };
        let file = with(elf(true, 2 * MIB, &LOADS, 0x1000), 0x204, &one(7, [0; 5]));
        let plan = machine.plan(&file, &[first, second], None).unwrap();
        let base = plan.parameters.start();
        let entry = execute(&plan, &mut machine.ram);
        let instruction = (2 * MIB) as u32;
        assert_eq!(entry, Entry::Protected { instruction, eax: 0x2bad_b002, ebx: base as u32, esi: 0 });
        assert!(BASE_MEMORY.contains(plan.parameters));
        let at = |index: u64| machine.word(base + 4 * index);
        assert_eq!([at(0), at(1), at(2)], [0x24d, 608, (TOP - MIB) >> 10]);
        assert_eq!(machine.bytes(at(4), 14), b"/kernel quiet\0");
        assert_eq!(at(5), 2);
        // Nothing stands in the modules' way, so they stay.
        let list: Vec<u64> = (0..8).map(|index| machine.word(at(6) + 4 * index)).collect();
        assert_eq!(list[..2], [first.image.start(), first.image.end()]);
        assert_eq!(machine.bytes(list[2], 7), b"/a one\0");
        assert_eq!(list[4..6], [second.image.start(), second.image.end()]);
        assert_eq!(machine.bytes(list[6], 3), b"/b\0");
        assert_eq!(machine.bytes(at(16), 3), b"us\0");
        // What is to be ignored of the map is left out.
        assert_eq!(at(11), 3 * 24);
        let map: Vec<u64> = (0..18).map(|index| machine.word(at(12) + 4 * index)).collect();
        assert_eq!(map[6..12], [20, MIB, 0, TOP - MIB, 0, 1]);
        assert_eq!(map[12..], [20, TOP, 0, 0x1000, 0, 3]);
    }

    #[test]
    fn a_program_is_told_by_multiboot_2_what_it_needs() {
        let mut machine = Machine::new(4 * MIB);
        let module = Initrd { uri: "/a", image: machine.store(&[1; 5000]), command_line: b"one" };
        let header = two(&[(1, 0, &[4, 6]), (3, 0, &[0x20_0010]), (10, 1, &[0, 0, 0, 0]), (99, 1, &[])]);
        // Both headers: the second is obeyed.
        let file = with(elf(false, 2 * MIB, &LOADS, 0x1000), 0x208, &header);
        let file = with(file, 0x400, &one(0x8003, [0; 5]));
        let pointer = [7; 36];
        let plan = machine.plan(&file, &[module], Some(&pointer)).unwrap();
        let base = plan.parameters.start();
        let entry = execute(&plan, &mut machine.ram);
        assert_eq!(
            entry,
            Entry::Protected { instruction: 0x20_0010, eax: 0x36d7_6289, ebx: base as u32, esi: 0 }
        );
        assert_eq!(machine.word(base), plan.parameters.length());
        let mut tags = vec![];
        let mut at = base + 8;
        while at < plan.parameters.end() {
            let length = machine.word(at + 4);
            tags.push((machine.word(at), machine.bytes(at + 8, length - 8).to_vec()));
            at = (at + length).next_multiple_of(8);
        }
        assert_eq!(at, plan.parameters.end());
        let kinds: Vec<u64> = tags.iter().map(|tag| tag.0).collect();
        assert_eq!(kinds, [1, 2, 3, 4, 6, 8, 15, 0]);
        assert_eq!(tags[0].1, b"/kernel quiet\0");
        assert_eq!(tags[1].1, b"us\0");
        let (start, end) = (module.image.start(), module.image.end());
        let mut expected = numbers(&[(start, 4), (end, 4)]);
        expected.extend(b"/a one\0");
        assert_eq!(tags[2].1, expected);
        assert_eq!(tags[3].1, numbers(&[(608, 4), ((TOP - MIB) >> 10, 4)]));
        assert_eq!(tags[4].1.len(), 8 + 3 * 24);
        assert_eq!(tags[4].1[8 + 48..], numbers(&[(TOP, 8), (0x1000, 8), (3, 4), (0, 4)]));
        assert_eq!(tags[6].1, pointer);
    }

    /// A file for 64 bits with these notes: owner, kind, and what they say.
    fn elf_with_notes(notes: &[(&[u8], u64, &[u8])]) -> Vec<u8> {
        const NOTES: usize = 0x180;
        let padded = |bytes: &[u8]| {
            let mut bytes = bytes.to_vec();
            bytes.resize(bytes.len().next_multiple_of(4), 0);
            bytes
        };
        let mut bytes = vec![];
        for (owner, kind, says) in notes {
            bytes.extend(numbers(&[(owner.len() as u64, 4), (says.len() as u64, 4), (*kind, 4)]));
            bytes.extend(padded(owner));
            bytes.extend(padded(says));
        }
        // The first program header is that of the notes.
        let file = with(elf(true, 2 * MIB, &LOADS, 0x1000), 64 + 8, &numbers(&[(NOTES as u64, 8)]));
        let file = with(file, 64 + 32, &numbers(&[(bytes.len() as u64, 8)]));
        with(file, NOTES, &bytes)
    }

    /// What is no entry: of another kind, and of another owner.
    const OTHER_NOTES: [(&[u8], u64, &[u8]); 2] = [(b"Xen\0", 6, b"linux\0"), (b"Other\0", 18, &[9; 4])];

    #[test]
    fn a_kernel_is_told_by_pvh_what_it_needs() {
        let entry = numbers(&[(2 * MIB + 8, 8)]);
        let mut notes = OTHER_NOTES.to_vec();
        notes.push((b"Xen\0", 18, &entry));
        let mut machine = Machine::new(4 * MIB);
        let first = Initrd { uri: "/a", image: machine.store(&[1; 5000]), command_line: b"one" };
        let second = Initrd { uri: "/b", image: machine.store(&[2; 9]), command_line: b"" };
        let plan = machine.plan(&elf_with_notes(&notes), &[first, second], Some(&[7; 36])).unwrap();
        let base = plan.parameters.start();
        let entry = execute(&plan, &mut machine.ram);
        let instruction = (2 * MIB + 8) as u32;
        assert_eq!(entry, Entry::Protected { instruction, eax: 0, ebx: base as u32, esi: 0 });
        let at = |address: u64| machine.word(address) | machine.word(address + 4) << 32;
        assert_eq!([0, 4, 8, 12].map(|field| machine.word(base + field)), [0x336e_c578, 1, 0, 2]);
        let [modules, command_line, acpi, map, entries] = [16, 24, 32, 40, 48].map(|field| at(base + field));
        assert_eq!(machine.bytes(command_line, 6), b"quiet\0");
        assert_eq!(acpi, 0xf_5000);
        assert_eq!([at(modules), at(modules + 8)], [first.image.start(), 5000]);
        assert_eq!(machine.bytes(at(modules + 16), 4), b"one\0");
        assert_eq!([at(modules + 32), at(modules + 40)], [second.image.start(), 9]);
        assert_eq!(machine.bytes(at(modules + 48), 1), b"\0");
        assert_eq!(entries, 3);
        let entry = |index: u64| [0, 8, 16].map(|field| at(map + 24 * index + field));
        assert_eq!([entry(1), entry(2)], [[MIB, TOP - MIB, 1], [TOP, 0x1000, 3]]);
        assert_eq!(map + 24 * 3, plan.parameters.end());
        // A header of multiboot says more.
        let mut machine = Machine::new(4 * MIB);
        let file = with(elf_with_notes(&notes), 0x204, &one(0, [0; 5]));
        let plan = machine.plan(&file, &[], None).unwrap();
        let instruction = (2 * MIB) as u32;
        assert!(
            matches!(plan.entry, Entry::Protected { instruction: at, eax: 0x2bad_b002, .. } if at == instruction)
        );
    }

    #[test]
    fn notes_that_name_no_entry_do_not_count() {
        let plan = |notes: &[_]| Machine::new(4 * MIB).plan(&elf_with_notes(notes), &[], None);
        let entry = numbers(&[(2 * MIB + 8, 8)]);
        let short = plan(&[(b"Xen\0", 18, &entry[..4])]).unwrap();
        assert!(
            matches!(short.entry, Entry::Protected { instruction, .. } if u64::from(instruction) == 2 * MIB + 8)
        );
        let beyond = numbers(&[(3 * MIB, 8)]);
        let mut late = vec![OTHER_NOTES[0]; 64];
        late.push((b"Xen\0", 18, &entry));
        for notes in [
            &[][..],
            &OTHER_NOTES,
            &[(b"Xen\0", 18, &beyond)],
            &[(b"Xen\0", 18, &entry[..6])],
            &[(b"Xen\0", 18, &[])],
            &[(b"Xen", 18, &entry)],
            &late,
        ] {
            assert_eq!(kind(plan(notes)), &errors::FOREIGN_ELF, "{notes:x?}");
        }
    }

    #[test]
    fn addresses_of_a_header_say_what_goes_where() {
        // The header at 100h of the file; loaded from 80h of it on.
        let (header, load) = (0x20_0080, 0x20_0000);
        let file: Vec<u8> = (0..0x1000).map(|index| (index % 251) as u8).collect();
        let plan = |addresses| {
            let mut machine = Machine::new(4 * MIB);
            let file = with(file.clone(), 0x100, &one(1 << 16, addresses));
            let plan = machine.plan(&file, &[], None)?;
            execute(&plan, &mut machine.ram);
            assert_eq!(machine.bytes(load.into(), 0x780), &file[0x80..0x800]);
            Ok::<_, Error>((plan, machine))
        };
        let (whole, _) = plan([header, load, 0, 0, load + 4]).unwrap();
        assert_eq!(whole.program, PhysRange::with_length(load.into(), 0xf80));
        let (cut, machine) = plan([header, load, 0x20_0780, 0x20_2000, load + 4]).unwrap();
        assert_eq!(cut.program, PhysRange::new(load.into(), 0x20_2000));
        assert_eq!(machine.bytes(0x20_0780, 0x1880), [0; 0x1880]);
        let bad = |addresses| plan(addresses).map(|(plan, _)| plan).unwrap_err().kind();
        for addresses in [
            [load, header, 0, 0, load],
            [load + 0x101, load, 0, 0, load],
            [header, load, 0x20_1000, 0, load],
            [header, load, load - 1, 0, load],
            [header, load, 0, 0, load - 1],
            [header, load, 0, 0, load + 0xf80],
        ] {
            assert_eq!(bad(addresses), &errors::BAD_MULTIBOOT, "{addresses:x?}");
        }
        // Multiboot 2 says it by tags.
        let addresses = [0x20_0100, u32::MAX, 0, 0];
        let file = with(file.clone(), 0x100, &two(&[(2, 0, &addresses), (3, 0, &[0x20_0004])]));
        let plan = Machine::new(4 * MIB).plan(&file, &[], None).unwrap();
        assert_eq!(plan.program, PhysRange::with_length(0x20_0000, 0x1000));
    }

    #[test]
    fn modules_make_way_for_the_program() {
        // The module and the file lie where the program goes, and swap their places with it.
        let mut machine = Machine::new(2 * MIB);
        let module = Initrd { uri: "", image: machine.store(&[5; 0x1801]), command_line: b"" };
        let file = with(elf(false, 2 * MIB, &LOADS, 0x1000), 0x204, &one(0, [0; 5]));
        let plan = machine.plan(&file, &[module], None).unwrap();
        execute(&plan, &mut machine.ram);
        assert_eq!(machine.bytes(2 * MIB, 0x800), &file[0x200..0xa00]);
        assert_eq!(plan.initrds.start() % PAGE, 0);
        assert!(!plan.initrds.overlaps(plan.program));
        assert_eq!(machine.ram.slice(plan.initrds), [5; 0x1801]);
    }

    #[test]
    fn each_error_says_what_is_wrong() {
        let plan = |file: &[u8]| kind(Machine::new(4 * MIB).plan(file, &[], None));
        let one_load = |load| plan(&elf(false, 2 * MIB, &[load], 0x1000));
        let whole = (0x200, 0x800, 2 * MIB, 2 * MIB, 0x1000);
        for load in [
            (0x200, 0x801, 2 * MIB, 2 * MIB, 0x800),
            (0x801, 0x800, 2 * MIB, 2 * MIB, 0x800),
            (0xffff_ff00, 0x800, 2 * MIB, 2 * MIB, 0x800),
            (0x200, 0x800, 3 * MIB, 3 * MIB, 0x800),
        ] {
            assert_eq!(one_load(load), &errors::BAD_ELF, "{load:x?}");
        }
        let shared = [whole, (0xa00, 0x10, 2 * MIB, 2 * MIB + 0xfff, 0x10)];
        assert_eq!(plan(&elf(false, 2 * MIB, &shared, 0x1000)), &errors::BAD_ELF);
        assert_eq!(one_load((0x200, 8, TOP, TOP, 8)), &errors::BAD_ELF);
        let around = elf(true, 2 * MIB + 8, &[(0x200, 0x800, 2 * MIB, u64::MAX, 0x800)], 0x1000);
        assert_eq!(plan(&with(around, 0x204, &one(0, [0; 5]))), &errors::BAD_ELF);
        let at_top = (0x200, 0x800, 2 * MIB, TOP - 8, 0x800);
        assert_eq!(one_load(at_top), &errors::NO_PROGRAM_ROOM);
        assert_eq!(plan(&elf(true, 2 * MIB, &[whole], 0x1000)), &errors::FOREIGN_ELF);
        assert_eq!(plan(&with(elf(false, 2 * MIB, &[whole], 0x1000), 18, &[40])), &errors::FOREIGN_ELF);
        assert_eq!(plan(b"\x7fELF"), &errors::FOREIGN_ELF);
        assert_eq!(plan(b""), &errors::FOREIGN_ELF);
        let multiboot = |header: &[u8]| plan(&with(elf(false, 2 * MIB, &[whole], 0x1000), 0x208, header));
        assert_eq!(multiboot(&one(8, [0; 5])), &errors::MULTIBOOT);
        assert_eq!(multiboot(&two(&[(11, 0, &[])])), &errors::MULTIBOOT);
        assert_eq!(multiboot(&two(&[(1, 0, &[4, 22])])), &errors::MULTIBOOT);
        assert_eq!(multiboot(&two(&[(2, 0, &[0, 0, 0, 0])])), &errors::BAD_MULTIBOOT);
        // No room for a module that must make way.
        let mut machine = Machine::new(2 * MIB);
        let module = Initrd { uri: "", image: machine.store(&[5; 0x1801]), command_line: b"" };
        machine.map.reserve(PhysRange::new(3 * MIB, TOP), Owner::Heap).unwrap();
        let large = [(0x200, 0x800, MIB, MIB, 2 * MIB - 0x1000)];
        let file = with(elf(false, MIB, &large, 0x1000), 0x204, &one(0, [0; 5]));
        assert_eq!(kind(machine.plan(&file, &[module], None)), &errors::NO_MODULE_ROOM);
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

        #[test]
        fn what_is_loaded_is_what_was_in_the_file(
            is_64: bool,
            parts in prop::collection::vec((1u64..0x3000, 0u64..0x3000, 0u64..0x2000), 1..5),
            modules in prop::collection::vec((1usize..0x4000, 0u64..4), 0..4),
            place in 0x10_0000u64..0x20_0000,
            images in 0x100u64..0x140,
        ) {
            let mut machine = Machine::new(images * PAGE);
            let mut loads = vec![];
            let (mut next, mut offset) = (place, 0x400);
            for (length, more, gap) in parts {
                loads.push((offset, length, next + 0x4000_0000, next, length + more));
                offset += length;
                next += length + more + gap;
            }
            let file = elf(is_64, place, &loads, offset as usize);
            let file = with(file, 0x300, &one(3, [0; 5]));
            let contents: Vec<Vec<u8>> =
                modules.iter().enumerate().map(|(index, (length, _))| vec![index as u8 + 1; *length]).collect();
            let mut stored = vec![];
            for (content, (_, gap)) in contents.iter().zip(&modules) {
                stored.push(Initrd { uri: "", image: machine.store(content), command_line: b"x" });
                machine.next += gap * PAGE;
            }
            let plan = machine.plan(&file, &stored, None).unwrap();
            execute(&plan, &mut machine.ram);
            for (offset, length, _, place, memory) in loads {
                let bytes = machine.bytes(place, memory);
                let (filled, zero) = bytes.split_at(length as usize);
                prop_assert!(filled == &file[offset as usize..][..length as usize]);
                prop_assert!(zero.iter().all(|byte| *byte == 0));
            }
            let base = plan.parameters.start();
            let list = machine.word(base + 24);
            prop_assert_eq!(machine.word(base + 20), contents.len() as u64);
            for (index, content) in contents.iter().enumerate() {
                let (start, end) = (machine.word(list + 16 * index as u64), machine.word(list + 16 * index as u64 + 4));
                prop_assert_eq!(start % PAGE, 0);
                prop_assert!(machine.ram.slice(PhysRange::new(start, end)) == content.as_slice());
            }
        }

        #[test]
        fn any_file_is_survived(
            noise in prop::collection::vec(any::<u8>(), 0..0x400),
            is_64: bool,
            values in prop::collection::vec((0usize..0x200, any::<u64>(), 1usize..9), 0..6),
            header in 0usize..5,
        ) {
            let mut file = elf(is_64, 2 * MIB, &LOADS, 0x400);
            match header {
                4 => file = elf_with_notes(&[OTHER_NOTES[0], (b"Xen\0", 18, &numbers(&[(2 * MIB, 8)]))]),
                1 => file = with(file, 0x150, &one(3, [0; 5])),
                2 => file = with(file, 0x150, &two(&[(2, 0, &[0x20_0000, u32::MAX, 0, 0]), (3, 0, &[0x20_0000])])),
                3 => file.extend(noise),
                _ => {}
            }
            for (place, value, width) in values {
                file = with(file, place, &value.to_le_bytes()[..width]);
            }
            let mut machine = Machine::new(4 * MIB);
            if let Ok(plan) = machine.plan(&file, &[], None) {
                prop_assert!(plan.program.end() <= TOP);
                execute(&plan, &mut machine.ram);
            }
        }
    }
}
