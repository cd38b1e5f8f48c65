//! From a Linux kernel, its initrds and the memory map to a plan.

use crate::bytes::u8_at;
use crate::bzimage::{HEADER_END, HIGH_ADDRESS, Header, field};
use crate::place::Move;
use crate::plan::{BASE_MEMORY, HIGH_MEMORY, exclude, free_for_boot, low32, pages};
use crate::{Entry, Initrd, Kernel, Memory, Plan, Surroundings, command_line, cpio, errors};
use alloc::format;
use alloc::vec;
use alloc::vec::Vec;
use base::{Error, PhysRange};
use memmap::{MemoryMap, PAGE};

/// No documented loader: the protocol's number for all others.
const TYPE_OF_LOADER: u8 = 0xff;
/// `loadflags`: heap_end_ptr is valid.
const CAN_USE_HEAP: u8 = 0x80;
/// Says in the boot sector that a command line is there (before 2.02).
const COMMAND_LINE_MAGIC: u16 = 0xa33f;
/// The end of heap and stack, from the segment's start: as the protocol advises, and the least that will do.
const HEAP_ENDS: [u16; 2] = [0xe000, 0x9000];
/// The same for a kernel that wants to lie at [`OLD_SEGMENT`].
const OLD_HEAP_END: u16 = 0x9800;
/// Where setup code is loaded that cannot lie elsewhere.
const OLD_SEGMENT: u64 = 0x9_0000;
/// The first version of the protocol that is told where ACPI's root pointer is.
const KNOWS_ACPI: u16 = 0x20e;
/// What `screen_info` begins with: the cursor's column and row, memory and page that do not matter, VGA's mode 3 of 80
/// columns; 25 rows, that it is VGA, and the height of a character. The row is the last, so that nothing is written over.
const SCREEN: [u8; 17] = [0, 24, 0, 0, 0, 0, 3, 80, 0, 0, 0, 0, 0, 0, 25, 1, 16];
/// Bytes of `boot_params`.
const ZERO_PAGE: usize = 4096;
/// Entries of `e820_table`, and bytes of one.
const E820_LIMIT: u8 = 128;
const E820_LENGTH: usize = 20;

/// The bytes that an image of `length` bytes takes among the initrds: payload and cpio headers in whole pages.
pub fn initrd_length(command_line: &[u8], length: u64) -> u64 {
    let headers = cpio::headers(command_line, 0).len() as u64;
    pages(headers).saturating_add(pages(length))
}

/// The bytes that all initrds may have together ([`initrd_length`] of each): the longest range below `ceiling` and
/// clear of `exclusions` that is free, or in use by images, which will be moved.
///
/// For a kernel at hand, the ceiling is [`Header::initrd_ceiling`], and the exclusions are [`Header::usual_place`] and
/// [`Header::runtime`] of it.
pub fn budget(map: &MemoryMap, ceiling: u64, exclusions: &[PhysRange]) -> u64 {
    let mut free = free_for_boot(map);
    exclusions.iter().for_each(|range| exclude(&mut free, *range));
    free.largest(initrd_space(ceiling)).map_or(0, |range| range.length() & !(PAGE - 1))
}

/// Refuses initrds that `need` more bytes ([`initrd_length`] of each) than the [`budget`] has. To be asked before a
/// download, too.
pub fn check_budget(need: u64, budget: u64) -> Result<(), Error> {
    if need <= budget {
        return Ok(());
    }
    let object =
        format!("they need {} KiB, there are {} KiB in one piece", need.div_ceil(1024), budget >> 10);
    Err(errors::NO_INITRD_ROOM.of(object))
}

/// Plans the boot of `kernel`, with `initrds` joined in their order.
///
/// It is entered in real mode, where it asks the BIOS for all that it wants to know, unless the initrds do not fit where
/// it then takes them: such a kernel, if it is one that takes them anywhere, is told of its `surroundings`.
///
/// The images lie in memory that belongs to [`Owner::Image`](memmap::Owner), and no two share a byte. They may be moved, and all else
/// of that owner be overwritten. What other owners have is left alone until the kernel is entered, so all that is used
/// on the way there must have one.
pub fn plan_linux(
    kernel: &Kernel<'_>,
    initrds: &[Initrd<'_>],
    surroundings: &Surroundings<'_>,
    map: &MemoryMap,
    memory: &impl Memory,
) -> Result<Plan, Error> {
    let length = kernel.image.length();
    let mut first = [0; HEADER_END];
    let seen = usize::try_from(length).unwrap_or(HEADER_END).min(HEADER_END);
    if let Some(first) = first.get_mut(..seen) {
        memory.read(kernel.image.start(), first);
    }
    let header = Header::parse(kernel.name, &first, length)?;
    let mut free = free_for_boot(map);

    let protected_mode = protected_place(kernel.name, &header, map, &free)?;
    exclude(&mut free, protected_mode);
    let mut moves = vec![Move {
        from: kernel.image.start() + u64::from(header.setup_length),
        to: protected_mode.start(),
        length: protected_mode.length(),
    }];

    let (real_mode, heap_end) = real_place(kernel, &header, &free)?;
    exclude(&mut free, real_mode);
    exclude(&mut free, header.runtime(protected_mode));

    let ceiling = header.initrd_ceiling(kernel.command_line);
    let place = initrd_place(initrds, &free, header.near_ceiling().min(ceiling), ceiling)?;
    let mut zeroes = Vec::new();
    let mut writes = Vec::new();
    let mut next = place.start();
    for initrd in initrds {
        let length = initrd.image.length();
        let headers = cpio::headers(initrd.command_line, u32::try_from(length).unwrap_or(u32::MAX));
        if !headers.is_empty() && length > u32::MAX.into() {
            return Err(errors::NO_INITRD_ROOM.of("one that gets a path has more than 4 GiB"));
        }
        let payload = next + pages(headers.len() as u64);
        let begin = payload - headers.len() as u64;
        if !headers.is_empty() {
            zeroes.push(PhysRange::new(next, begin));
            writes.push((begin, headers));
        }
        moves.push(Move { from: initrd.image.start(), to: payload, length });
        next = payload + pages(length);
        zeroes.push(PhysRange::new(payload + length, next));
    }

    let mut setup = vec![0; header.setup_length as usize];
    memory.read(kernel.image.start(), &mut setup);
    fill_in(&mut setup, &header, kernel.command_line, real_mode.start(), heap_end, protected_mode, place);
    let mut text = kernel.command_line.to_vec();
    text.push(0);
    let base = real_mode.start();
    let segment = u16::try_from(base >> 4).unwrap_or(0);
    let mut entry = Entry::Real { segment, code_segment: segment + 0x20, instruction: 0, stack: heap_end };
    if place.end() > header.near_ceiling() {
        setup = zero_page(&setup, &header, place, surroundings);
        entry =
            Entry::Protected { instruction: low32(protected_mode.start()), eax: 0, ebx: 0, esi: low32(base) };
    }
    writes.push((base, setup));
    writes.push((base + u64::from(heap_end), text));
    Ok(Plan { moves, zeroes, writes, entry, parameters: real_mode, program: protected_mode, initrds: place })
}

fn initrd_space(ceiling: u64) -> PhysRange {
    PhysRange::new(HIGH_MEMORY.start(), ceiling & !(PAGE - 1))
}

/// Where the protected-mode part goes.
fn protected_place(
    name: &str,
    header: &Header,
    map: &MemoryMap,
    free: &MemoryMap,
) -> Result<PhysRange, Error> {
    let usual = header.usual_place();
    let is_free = header.fits_usual_place() && free.is_usable(usual);
    // Where it unpacks itself, our own code is no longer needed. What an old kernel does there is not known.
    let can_run = header.runtime.is_none() || map.is_ram(header.runtime(usual));
    if is_free && can_run {
        return Ok(usual);
    }
    if let Some(alignment) = header.alignment.filter(|_| header.is_high()) {
        let lowest = header.runtime.map_or(0, |(preferred, _)| preferred).max(HIGH_ADDRESS);
        let room = header.runtime(usual).length().max(header.protected_length);
        let within = HIGH_MEMORY.intersection(PhysRange::new(lowest, u64::MAX));
        if let Some(found) = free.find_bottom(room, alignment, within) {
            return Ok(PhysRange::with_length(found.start(), header.protected_length));
        }
    }
    Err(if is_free { errors::NO_INIT_ROOM.of(name) } else { errors::NO_KERNEL_ROOM.of(name) })
}

/// Where the setup part and the command line go, and the end of heap and stack in it.
fn real_place(kernel: &Kernel<'_>, header: &Header, free: &MemoryMap) -> Result<(PhysRange, u16), Error> {
    let text = kernel.command_line.len() as u64;
    if text > header.cmdline_size.into() {
        let object = format!("it has {} bytes, the kernel takes {}", text, header.cmdline_size);
        return Err(errors::COMMAND_LINE_TOO_LONG.of(object));
    }
    let is_old = header.version < 0x202 || !header.is_high();
    let heap_ends: &[u16] = if is_old { &[OLD_HEAP_END] } else { &HEAP_ENDS };
    for heap_end in heap_ends {
        let length = u64::from(*heap_end) + text + 1;
        let found = if is_old {
            let place = PhysRange::with_length(OLD_SEGMENT, length);
            (place.length() <= 0x1_0000 && free.is_usable(place)).then_some(place)
        } else {
            free.find_bottom(length, 16, BASE_MEMORY)
        };
        if let Some(place) = found {
            return Ok((place, *heap_end));
        }
    }
    Err(errors::NO_BASE_MEMORY.of(kernel.name))
}

/// Where all initrds go: as high as they can below `near`, or else as low as they can below `ceiling`.
fn initrd_place(
    initrds: &[Initrd<'_>],
    free: &MemoryMap,
    near: u64,
    ceiling: u64,
) -> Result<PhysRange, Error> {
    let lengths = initrds.iter().map(|initrd| initrd_length(initrd.command_line, initrd.image.length()));
    let need = lengths.fold(0, u64::saturating_add);
    if need == 0 {
        return Ok(PhysRange::default());
    }
    let space = initrd_space(ceiling);
    check_budget(need, free.largest(space).map_or(0, PhysRange::length))?;
    let place = free.find_top(need, PAGE, initrd_space(near));
    place.or_else(|| free.find_bottom(need, PAGE, space)).ok_or_else(|| errors::NO_INITRD_ROOM.error())
}

/// Fills in what a loader fills in.
fn fill_in(
    setup: &mut [u8],
    header: &Header,
    arguments: &[u8],
    base: u64,
    heap_end: u16,
    protected_mode: PhysRange,
    initrds: PhysRange,
) {
    let mut put = |offset: usize, bytes: &[u8]| put(setup, offset, bytes);
    put(field::TYPE_OF_LOADER, &[TYPE_OF_LOADER]);
    put(field::RAMDISK_IMAGE, &halves(initrds.start())[0]);
    put(field::RAMDISK_SIZE, &halves(initrds.length())[0]);
    if let Some(mode) = command_line::video_mode(arguments) {
        put(field::VID_MODE, &mode.to_le_bytes());
    }
    if protected_mode != header.usual_place() {
        put(field::CODE32_START, &low32(protected_mode.start()).to_le_bytes());
    }
    if header.version >= 0x201 {
        put(field::HEAP_END_PTR, &(heap_end - 0x200).to_le_bytes());
        put(field::LOADFLAGS, &[header.loadflags | CAN_USE_HEAP]);
    }
    if header.version >= 0x202 {
        put(field::CMD_LINE_PTR, &low32(base + u64::from(heap_end)).to_le_bytes());
    } else {
        let moved = u64::from(heap_end) + arguments.len() as u64 + 1;
        put(field::COMMAND_LINE_MAGIC, &COMMAND_LINE_MAGIC.to_le_bytes());
        put(field::COMMAND_LINE_OFFSET, &heap_end.to_le_bytes());
        put(field::SETUP_MOVE_SIZE, &u16::try_from(moved).unwrap_or(u16::MAX).to_le_bytes());
    }
}

/// What a kernel is told that does not ask the BIOS: the header in `setup`, filled in, and around it what it would have
/// asked for ("32-bit Boot Protocol", "Zero Page").
fn zero_page(setup: &[u8], header: &Header, initrds: PhysRange, surroundings: &Surroundings<'_>) -> Vec<u8> {
    let mut page = vec![0; ZERO_PAGE];
    let end = field::HEADER + usize::from(u8_at(setup, field::HEADER_LENGTH));
    let end = end.min(field::SETUP_HEADER_LIMIT);
    put(&mut page, field::SETUP_SECTS, setup.get(field::SETUP_SECTS..end).unwrap_or_default());
    put(&mut page, 0, &SCREEN);
    if let Some((address, _)) = surroundings.acpi.filter(|_| header.version >= KNOWS_ACPI) {
        put(&mut page, field::ACPI_RSDP_ADDR, &address.to_le_bytes());
    }
    put(&mut page, field::EXT_RAMDISK_IMAGE, &halves(initrds.start())[1]);
    put(&mut page, field::EXT_RAMDISK_SIZE, &halves(initrds.length())[1]);
    let mut place = field::E820_TABLE;
    for (entry, count) in surroundings.memory_map().zip(1..=E820_LIMIT) {
        put(&mut page, place, &entry.start.to_le_bytes());
        put(&mut page, place + 8, &entry.length.to_le_bytes());
        put(&mut page, place + 16, &entry.kind.to_le_bytes());
        put(&mut page, field::E820_ENTRIES, &[count]);
        place += E820_LENGTH;
    }
    page
}

fn put(to: &mut [u8], offset: usize, bytes: &[u8]) {
    for (to, from) in to.iter_mut().skip(offset).zip(bytes) {
        *to = *from;
    }
}

/// The lower and the upper half of a number.
fn halves(value: u64) -> [[u8; 4]; 2] {
    let [a, b, c, d, e, f, g, h] = value.to_le_bytes();
    [[a, b, c, d], [e, f, g, h]]
}

#[cfg(test)]
#[allow(clippy::cast_possible_truncation, reason = "the memory of a test is small")]
mod tests {
    use super::*;
    use crate::execute;
    use crate::fixture::{File, Ram};
    use base::boot_info::E820Entry;
    use memmap::Owner;
    use proptest::prelude::*;

    const MIB: u64 = 1 << 20;
    /// Where the machine of these tests has its core: at the top.
    const TOP: u64 = 8 * MIB;
    const E820: [E820Entry; 3] = [
        E820Entry { start: 0, length: 0x9_fc00, kind: 1, attributes: 1 },
        E820Entry { start: 2 << 32, length: 1 << 33, kind: 1, attributes: 0 },
        E820Entry { start: 1 << 32, length: 1 << 33, kind: 2, attributes: 1 },
    ];
    const SURROUNDINGS: Surroundings<'_> = Surroundings {
        loader: "us",
        e820: &E820,
        base_memory_kib: 639,
        acpi: Some((0xf_1234_5678, b"RSD PTR ")),
    };

    /// A machine with RAM up to `TOP`, whose base memory ends at 608 KiB, with files in it from 4 MiB on.
    struct Machine {
        ram: Ram,
        map: MemoryMap,
        next: u64,
    }

    impl Machine {
        fn new() -> Self {
            let ram = |start, length| E820Entry { start, length, kind: 1, attributes: 1 };
            let map = MemoryMap::from_e820(&[ram(0, 0xa_0000), ram(MIB, TOP - MIB)], 608);
            Self { ram: Ram::new(TOP as usize), map, next: 4 * MIB }
        }

        fn reserve(mut self, start: u64, end: u64, owner: Owner) -> Self {
            self.map.reserve(PhysRange::new(start, end), owner).unwrap();
            self
        }

        fn store(&mut self, bytes: &[u8]) -> PhysRange {
            let range = PhysRange::with_length(self.next, bytes.len() as u64);
            self.store_at(range.start(), bytes);
            self.next += pages(range.length());
            range
        }

        fn store_at(&mut self, at: u64, bytes: &[u8]) {
            self.ram.bytes[at as usize..][..bytes.len()].copy_from_slice(bytes);
            self.map.reserve(PhysRange::with_length(at, bytes.len() as u64), Owner::Image).unwrap();
        }

        fn plan(&mut self, file: &File, arguments: &str, initrds: &[Initrd<'_>]) -> Result<Plan, Error> {
            let image = self.store(&file.0);
            let kernel = Kernel { name: "vmlinuz", uri: "", image, command_line: arguments.as_bytes() };
            plan_linux(&kernel, initrds, &SURROUNDINGS, &self.map, &self.ram)
        }

        fn u32(&self, at: u64) -> u64 {
            let bytes = self.ram.slice(PhysRange::with_length(at, 4));
            u32::from_le_bytes(bytes.try_into().unwrap()).into()
        }
    }

    fn modern() -> File {
        File::new(7, 0x2_0000, 2 * MIB)
    }

    fn kind(result: Result<Plan, Error>) -> &'static base::ErrorKind {
        result.unwrap_err().kind()
    }

    #[test]
    fn a_kernel_and_two_initrds() {
        let mut machine = Machine::new().reserve(TOP - MIB, TOP, Owner::Core);
        let first = Initrd { uri: "", image: machine.store(&[1; 5000]), command_line: b"" };
        let second = Initrd { uri: "", image: machine.store(&[2; 3]), command_line: b"etc/x mode=600" };
        let file = modern();
        let plan = machine.plan(&file, "quiet vga=ask", &[first, second]).unwrap();
        let entry = execute(&plan, &mut machine.ram);
        let expected = Entry::Real { segment: 0x1000, code_segment: 0x1020, instruction: 0, stack: 0xe000 };
        assert_eq!(entry, expected);
        // The protected part at 1 MiB, the setup part as it was but for what a loader fills in.
        assert_eq!(machine.ram.slice(plan.program), &file.0[0x1000..]);
        assert_eq!(plan.program.start(), MIB);
        let setup = machine.ram.slice(PhysRange::with_length(0x1_0000, 0x1000));
        let initrds = PhysRange::new(TOP - MIB - 0x4000, TOP - MIB);
        let filled = file
            .with(field::TYPE_OF_LOADER, &[0xff])
            .with(field::LOADFLAGS, &[0x81])
            .with(field::VID_MODE, &[0xfd, 0xff])
            .with(field::HEAP_END_PTR, &[0x00, 0xde])
            .with(field::CMD_LINE_PTR, &0x1_e000u32.to_le_bytes())
            .with(field::RAMDISK_IMAGE, &(initrds.start() as u32).to_le_bytes())
            .with(field::RAMDISK_SIZE, &(initrds.length() as u32).to_le_bytes());
        assert_eq!(setup, &filled.0[..0x1000]);
        assert_eq!(machine.ram.slice(PhysRange::with_length(0x1_e000, 14)), b"quiet vga=ask\0");
        // The initrds joined below the core, each in whole pages.
        assert_eq!(plan.initrds, initrds);
        let mut expected = vec![1; 5000];
        expected.resize(0x2000, 0);
        let headers = cpio::headers(b"etc/x mode=600", 3);
        expected.resize(0x3000 - headers.len(), 0);
        expected.extend_from_slice(&headers);
        expected.extend_from_slice(&[2; 3]);
        expected.resize(0x4000, 0);
        assert_eq!(machine.ram.slice(initrds), expected);
    }

    /// A kernel that takes an initrd below 3 MiB, or anywhere.
    fn far() -> File {
        let file = modern().with(field::INITRD_ADDR_MAX, &0x2f_ffffu32.to_le_bytes());
        file.with(field::XLOADFLAGS, &[3]).with(field::HEADER_LENGTH, &[0x6a])
    }

    #[test]
    fn a_large_initrd_lies_anywhere_and_the_kernel_is_told_all() {
        let mut machine = Machine::new();
        let bytes: Vec<u8> = (0..3 * MIB).map(|index| (index % 253) as u8).collect();
        let large = Initrd { uri: "", image: machine.store(&bytes), command_line: b"" };
        let file = far();
        let plan = machine.plan(&file, "quiet", &[large]).unwrap();
        // As low as it can above where the kernel unpacks itself.
        assert_eq!(plan.initrds, PhysRange::with_length(2 * MIB + 0x1_0000, 3 * MIB));
        let entry = execute(&plan, &mut machine.ram);
        assert_eq!(entry, Entry::Protected { instruction: MIB as u32, eax: 0, ebx: 0, esi: 0x1_0000 });
        assert!(machine.ram.slice(plan.initrds) == bytes);
        assert_eq!(machine.ram.slice(plan.program), &file.0[0x1000..]);
        let mut expected = vec![0; ZERO_PAGE];
        let mut put =
            |offset: usize, bytes: &[u8]| expected[offset..offset + bytes.len()].copy_from_slice(bytes);
        let filled = file
            .with(field::TYPE_OF_LOADER, &[0xff])
            .with(field::LOADFLAGS, &[0x81])
            .with(field::HEAP_END_PTR, &[0x00, 0xde])
            .with(field::CMD_LINE_PTR, &0x1_e000u32.to_le_bytes())
            .with(field::RAMDISK_IMAGE, &(plan.initrds.start() as u32).to_le_bytes())
            .with(field::RAMDISK_SIZE, &(plan.initrds.length() as u32).to_le_bytes());
        put(0x1f1, &filled.0[0x1f1..0x26c]);
        put(6, &[3, 80]);
        put(1, &[24]);
        put(14, &[25, 1, 16]);
        put(0x70, &0xf_1234_5678u64.to_le_bytes());
        put(0x1e8, &[2]);
        put(0x2d0, &[0, 0, 0, 0, 0, 0, 0, 0, 0, 0xfc, 9, 0, 0, 0, 0, 0, 1, 0, 0, 0]);
        put(0x2e4, &[0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 2, 0, 0, 0, 2, 0, 0, 0]);
        assert_eq!(machine.ram.slice(PhysRange::with_length(0x1_0000, ZERO_PAGE as u64)), expected);
        assert_eq!(machine.ram.slice(PhysRange::with_length(0x1_e000, 6)), b"quiet\0");
    }

    #[test]
    fn what_fits_below_lies_below() {
        let plan = |file: &File, length: usize| {
            let mut machine = Machine::new();
            let initrd = Initrd { uri: "", image: machine.store(&vec![7; length]), command_line: b"" };
            machine.plan(file, "", &[initrd])
        };
        let room = 3 * MIB as usize - 0x21_0000;
        let near = plan(&far(), room).unwrap();
        assert_eq!(near.initrds.end(), 3 * MIB);
        assert!(matches!(near.entry, Entry::Real { .. }));
        let beyond = plan(&far(), room + 1).unwrap();
        assert!(beyond.initrds.end() > 3 * MIB);
        assert!(matches!(beyond.entry, Entry::Protected { .. }));
        // A kernel of 32 bits, one that takes none above 4 GiB, and one that is too old to say.
        for other in [far().with(field::XLOADFLAGS, &[2]), far().with(field::XLOADFLAGS, &[1])] {
            assert_eq!(kind(plan(&other, room + 1)), &errors::NO_INITRD_ROOM);
        }
        assert_eq!(kind(plan(&far().version(0x20b), room + 1)), &errors::NO_INITRD_ROOM);
        // One that is not told of ACPI.
        let plan = plan(&far().version(0x20d), room + 1).unwrap();
        assert!(plan.writes[0].1[0x70..0x78].iter().all(|byte| *byte == 0));
    }

    #[test]
    fn both_halves_of_an_address_are_told() {
        let header = Header::parse("x", &far().0, far().0.len() as u64).unwrap();
        let initrds = PhysRange::with_length(0x12_3456_7000, 0x5_0000_1000);
        let mut setup = far().0[..0x1000].to_vec();
        fill_in(&mut setup, &header, b"", 0x1_0000, 0xe000, header.usual_place(), initrds);
        let page = zero_page(&setup, &header, initrds, &SURROUNDINGS);
        assert_eq!(page[field::RAMDISK_IMAGE..][..8], [0, 0x70, 0x56, 0x34, 0, 0x10, 0, 0]);
        assert_eq!(page[field::EXT_RAMDISK_IMAGE..][..8], [0x12, 0, 0, 0, 5, 0, 0, 0]);
        // What is to be ignored of the map is left out.
        assert_eq!(page[field::E820_ENTRIES], 2);
        assert_eq!(page[field::E820_TABLE + E820_LENGTH..][..8], (1_u64 << 32).to_le_bytes());
        // What is in use of base memory, as well.
        let page =
            zero_page(&setup, &header, initrds, &Surroundings { base_memory_kib: 608, ..SURROUNDINGS });
        assert_eq!(page[field::E820_TABLE + 8..][..8], (608_u64 << 10).to_le_bytes());
        // No header reaches into what is behind it, and no table has more entries than its place.
        let many = [E820[0]; 200];
        setup[field::HEADER_LENGTH] = 0xff;
        let page = zero_page(&setup, &header, initrds, &Surroundings { e820: &many, ..SURROUNDINGS });
        assert!(page[0x290..0x2d0].iter().all(|byte| *byte == 0));
        assert_eq!(page[field::E820_ENTRIES], 128);
        assert!(page[0xcd0..].iter().all(|byte| *byte == 0));
    }

    #[test]
    fn an_old_kernel_lies_where_it_always_did() {
        let mut machine = Machine::new();
        machine.map.release(PhysRange::new(0x9_8000, 0xa_0000), Owner::Vendor).unwrap();
        let plan = machine.plan(&modern().version(0x201), "ro", &[]).unwrap();
        let entry = execute(&plan, &mut machine.ram);
        assert!(matches!(entry, Entry::Real { segment: 0x9000, stack: 0x9800, .. }));
        assert_eq!(machine.u32(0x9_0020), 0x9800_a33f);
        assert_eq!(machine.u32(0x9_0212) & 0xffff, 0x9803);
        assert_eq!(machine.u32(0x9_021c), 0);
        assert_eq!(machine.ram.slice(PhysRange::with_length(0x9_9800, 3)), b"ro\0");
        // It cannot lie elsewhere.
        let mut machine = Machine::new();
        assert_eq!(kind(machine.plan(&modern().version(0x201), "", &[])), &errors::NO_BASE_MEMORY);
        // A zImage goes to 10000h, and must end below 90000h.
        let mut machine = Machine::new();
        machine.map.release(PhysRange::new(0x9_8000, 0xa_0000), Owner::Vendor).unwrap();
        let low = modern().version(0x202).with(field::LOADFLAGS, &[0]);
        let plan = machine.plan(&low, "", &[]).unwrap();
        assert_eq!(plan.program, PhysRange::with_length(0x1_0000, 0x2_0000));
        let low = File::new(7, 0x8_0001, 0).version(0x202).with(field::LOADFLAGS, &[0]);
        assert_eq!(kind(machine.plan(&low, "", &[])), &errors::NO_KERNEL_ROOM);
    }

    #[test]
    fn base_memory_in_use_is_left_alone() {
        let mut machine = Machine::new().reserve(0x1_0000, 0x4_0000, Owner::Low);
        assert_eq!(machine.plan(&modern(), "", &[]).unwrap().parameters.start(), 0x4_0000);
        // Where it is narrow, a smaller heap will do.
        let mut machine = Machine::new().reserve(0x1_a000, 0xa_0000, Owner::Low);
        let plan = machine.plan(&modern(), "x", &[]).unwrap();
        assert_eq!(plan.parameters, PhysRange::new(0x1_0000, 0x1_9002));
        assert!(matches!(plan.entry, Entry::Real { stack: 0x9000, .. }));
        let mut machine = Machine::new().reserve(0x1_9000, 0xa_0000, Owner::Low);
        assert_eq!(kind(machine.plan(&modern(), "x", &[])), &errors::NO_BASE_MEMORY);
    }

    #[test]
    fn a_relocatable_kernel_goes_where_there_is_room() {
        let mut machine = Machine::new().reserve(MIB, MIB + 1, Owner::Core);
        let plan = machine.plan(&modern(), "", &[]).unwrap();
        assert_eq!(plan.program, PhysRange::with_length(2 * MIB, 0x2_0000));
        execute(&plan, &mut machine.ram);
        assert_eq!(machine.u32(0x1_0214), 2 * MIB);
        let mut machine = Machine::new().reserve(MIB, MIB + 1, Owner::Core);
        let fixed = modern().with(field::RELOCATABLE_KERNEL, &[0]);
        assert_eq!(kind(machine.plan(&fixed, "", &[])), &errors::NO_KERNEL_ROOM);
        let far = File::new(7, 0x2_0000, 64 * MIB);
        assert_eq!(kind(machine.plan(&far, "", &[])), &errors::NO_KERNEL_ROOM);
        let mut machine = Machine::new();
        assert_eq!(kind(machine.plan(&far, "", &[])), &errors::NO_INIT_ROOM);
        let huge = modern().with(field::INIT_SIZE, &u32::MAX.to_le_bytes());
        assert_eq!(kind(machine.plan(&huge, "", &[])), &errors::NO_INIT_ROOM);
    }

    #[test]
    fn what_does_not_fit_is_refused_with_figures() {
        let mut machine = Machine::new();
        let long = "x".repeat(2048);
        assert_eq!(kind(machine.plan(&modern(), &long, &[])), &errors::COMMAND_LINE_TOO_LONG);
        assert!(machine.plan(&modern(), &long[1..], &[]).is_ok());
        let image = PhysRange::new(4 * MIB, 6 * MIB);
        let error =
            machine.plan(&modern(), "mem=4M", &[Initrd { uri: "", image, command_line: b"" }]).unwrap_err();
        assert!(error.is(&errors::NO_INITRD_ROOM));
        assert_eq!(error.object(), "they need 2048 KiB, there are 1984 KiB in one piece");
        let header = Header::parse("x", &modern().0, modern().0.len() as u64).unwrap();
        let exclusions = [header.usual_place(), header.runtime(header.usual_place())];
        assert_eq!(budget(&machine.map, header.initrd_ceiling(b"mem=4M"), &exclusions), 1984 << 10);
        assert!(check_budget(1984 << 10, 1984 << 10).is_ok());
        assert_eq!(budget(&machine.map, 0, &[]), 0);
        // What the kernel itself takes at 1 MiB and where it unpacks is not for initrds.
        let mut machine =
            Machine::new().reserve(2 * MIB, 4 * MIB, Owner::Heap).reserve(5 * MIB, TOP, Owner::Heap);
        let image = PhysRange::with_length(5 * MIB, MIB - 0x1_f000);
        let elsewhere = File::new(7, 0x2_0000, 4 * MIB);
        assert_eq!(
            kind(machine.plan(&elsewhere, "mem=2M", &[Initrd { uri: "", image, command_line: b"" }])),
            &errors::NO_INITRD_ROOM
        );
        let image = PhysRange::with_length(5 * MIB, MIB - 0x2_0000);
        assert!(machine.plan(&elsewhere, "mem=2M", &[Initrd { uri: "", image, command_line: b"" }]).is_ok());
        let short = PhysRange::with_length(4 * MIB, 100);
        let kernel = Kernel { name: "k", uri: "", image: short, command_line: b"" };
        assert_eq!(
            kind(plan_linux(&kernel, &[], &SURROUNDINGS, &machine.map, &machine.ram)),
            &errors::TRUNCATED_SETUP
        );
    }

    /// Pages of images, in the order of their addresses; whose they are; and how many pages are free before each.
    fn layouts() -> impl Strategy<Value = Vec<(usize, u64, u64, bool)>> {
        let length = prop_oneof![1usize..200_000, 400_000usize..2_000_000];
        let gap = prop_oneof![Just(0u64), 0u64..3];
        prop::collection::vec((length, any::<u64>(), gap, any::<bool>()), 1..8)
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        #[test]
        fn every_byte_arrives_and_nothing_else_changes(
            layout in layouts(),
            start in prop_oneof![Just(MIB), MIB..3 * MIB],
            core in prop_oneof![(4 * MIB..7 * MIB, 1u64..0x8_0000), Just((TOP - 1, 1))],
            protected_length in 1usize..0x8_0000,
            tight: bool,
        ) {
            let core = PhysRange::with_length(core.0, core.1);
            let mut machine = Machine::new().reserve(core.start(), core.end(), Owner::Core);
            // The first of the layout is the kernel; the others are initrds, joined in the order of their keys.
            let file = File::new(7, protected_length, 2 * MIB);
            let mut order: Vec<_> = (0..layout.len()).collect();
            order.sort_by_key(|index| layout[*index].1);
            let mut files = vec![];
            let mut at = pages(start);
            for (index, &(length, key, gap, wrapped)) in layout.iter().enumerate() {
                // There is always room for the kernel, and for small initrds.
                let length = if at + length as u64 > TOP - 2 * MIB { length.min(5000) } else { length };
                let bytes = if index == order[0] {
                    file.0.clone()
                } else {
                    (0..length).map(|offset| (offset as u64 * 7 + key) as u8).collect()
                };
                at += gap * PAGE;
                let mut range = PhysRange::with_length(at, bytes.len() as u64);
                if range.overlaps(PhysRange::new(core.start() & !(PAGE - 1), core.end())) {
                    range = PhysRange::with_length(pages(core.end()), bytes.len() as u64);
                }
                prop_assume!(range.end() <= TOP);
                machine.store_at(range.start(), &bytes);
                at = pages(range.end());
                files.push((range, bytes, if wrapped { "a/b mkdir=1" } else { "" }));
            }
            if tight {
                // No memory at all but what the images have, 1 MiB and the kernel's.
                let rest = PhysRange::new(3 * MIB, TOP);
                machine.map.reserve(rest, Owner::Heap).unwrap();
            }
            let before = machine.ram.bytes.clone();
            let initrds: Vec<_> = order[1..]
                .iter()
                .map(|index| Initrd { uri: "", image: files[*index].0, command_line: files[*index].2.as_bytes() })
                .collect();
            let kernel = Kernel { name: "k", uri: "", image: files[order[0]].0, command_line: b"quiet" };
            let planned = plan_linux(&kernel, &initrds, &SURROUNDINGS, &machine.map, &machine.ram);
            let header = Header::parse("k", &file.0, file.0.len() as u64).unwrap();
            let exclusions = [header.usual_place(), header.runtime(header.usual_place())];
            let need: u64 = initrds.iter().map(|i| initrd_length(i.command_line, i.image.length())).sum();
            let fits = need <= budget(&machine.map, header.initrd_ceiling(b"quiet"), &exclusions);
            let plan = match planned {
                Ok(plan) => plan,
                Err(error) => {
                    prop_assert!(error.is(&errors::NO_INITRD_ROOM) && !fits, "{}", error);
                    return Ok(());
                }
            };
            prop_assert!(fits);
            execute(&plan, &mut machine.ram);

            prop_assert!(machine.ram.slice(plan.program) == &file.0[0x1000..]);
            let mut expected = vec![];
            for index in &order[1..] {
                let (_, bytes, line) = &files[*index];
                let headers = cpio::headers(line.as_bytes(), bytes.len() as u32);
                expected.resize(expected.len().next_multiple_of(4096) + pages(headers.len() as u64) as usize, 0);
                let begin = expected.len() - headers.len();
                expected[begin..].copy_from_slice(&headers);
                expected.extend_from_slice(bytes);
                expected.resize(expected.len().next_multiple_of(4096), 0);
            }
            prop_assert!(machine.ram.slice(plan.initrds) == expected);
            let parts = [plan.parameters, plan.program, plan.initrds];
            for (index, part) in parts.iter().enumerate() {
                prop_assert!(parts[index + 1..].iter().all(|other| !part.overlaps(*other)));
            }
            prop_assert!(!plan.initrds.overlaps(header.runtime(plan.program)));
            // All that is not a part, or an image's, is as it was.
            for (range, kind) in machine.map.regions() {
                if kind != memmap::Kind::Owned(Owner::Image) && range.start() < TOP {
                    for at in (range.start()..range.end().min(TOP)).step_by(256) {
                        let inside = parts.iter().any(|part| part.contains(PhysRange::with_length(at, 1)));
                        prop_assert!(inside || machine.ram.bytes[at as usize] == before[at as usize]);
                    }
                }
            }
        }

        #[test]
        fn any_kernel_is_survived(
            noise in prop::collection::vec(any::<u8>(), 0x80),
            version in 0x200u16..0x210,
            arguments in "(mem=[0-9]{1,12}[KMG]? )?(vga=[0-9a-fx]{0,6})?",
        ) {
            let file = File::new(7, 0x100, 0).with(0x208, &noise[..0x60]).version(version);
            let file = file.with(field::INIT_SIZE, &noise[0x60..0x64]);
            let mut machine = Machine::new();
            let initrd = Initrd { uri: "", image: machine.store(&[5; 77]), command_line: b"x" };
            if let Ok(plan) = machine.plan(&file, &arguments, &[initrd]) {
                execute(&plan, &mut machine.ram);
            }
        }
    }
}
