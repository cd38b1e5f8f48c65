//! Multiboot 1 and 2: the header in the program's file, and what the program is told.
//!
//! Sources: "Multiboot Specification version 0.6.96" and "Multiboot2 Specification version 2.0"; section numbers are
//! theirs.

use crate::bytes::{u16_at, u32_at};
use crate::executable::{File, Layout, Segment, Surroundings, words};
use crate::plan::low32;
use crate::{Initrd, Kernel, Memory, errors};
use alloc::format;
use alloc::vec;
use alloc::vec::Vec;
use base::boot_info::E820Entry;
use base::{Error, PhysRange};
use memmap::{Kind, MemoryMap};

/// The header lies in so many first bytes: of multiboot 2 (3.1.1), and of multiboot 1 (3.1).
pub(crate) const SEARCH: usize = 32768;
const SEARCH_ONE: usize = 8192;
/// What the header begins with (3.1.2; 3.1.2).
const ONE: u32 = 0x1bad_b002;
const TWO: u32 = 0xe852_50d6;
/// What EAX says to the program (3.2; 3.3).
pub(crate) const ONE_LOADED: u32 = 0x2bad_b002;
pub(crate) const TWO_LOADED: u32 = 0x36d7_6289;
/// Flags of multiboot 1 that we obey: aligned modules, memory, a video mode (which is text), and addresses (3.1.2).
const ONE_KNOWN: u32 = 1 | 1 << 1 | 1 << 2 | ONE_ADDRESSES;
/// Those that a loader must know, or refuse.
const ONE_COMPULSORY: u32 = 0xffff;
const ONE_ADDRESSES: u32 = 1 << 16;
/// The last kind of information that multiboot 2 defines (3.6).
const LAST_INFORMATION: u32 = 21;

/// Which of the two.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Version {
    One,
    Two,
}

/// The header of a program.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Header {
    pub(crate) version: Version,
    /// Where the file's bytes go, unless its ELF headers say that.
    pub(crate) load: Option<Load>,
    /// Where it is entered, unless the ELF header says that.
    pub(crate) entry: Option<u32>,
}

/// The addresses in a header. An end that is 0 is that of the file, or that of what is loaded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Load {
    /// Where the header lies in the file.
    offset: u32,
    header_address: u32,
    load_address: u32,
    load_end: u32,
    bss_end: u32,
}

/// Whether a program that begins with `first` has a header of either kind.
pub(crate) fn is_multiboot(first: &[u8]) -> bool {
    find_two(first).is_some() || find_one(first).is_some()
}

fn find_one(first: &[u8]) -> Option<usize> {
    let end = first.len().min(SEARCH_ONE);
    (0..end.saturating_sub(11)).step_by(4).find(|place| {
        let sum = u32_at(first, place + 4).wrapping_add(u32_at(first, place + 8));
        u32_at(first, *place) == ONE && sum.wrapping_add(ONE) == 0
    })
}

fn find_two(first: &[u8]) -> Option<usize> {
    /// `architecture`: protected mode of i386.
    const I386: u32 = 0;
    let end = first.len().min(SEARCH);
    (0..end.saturating_sub(15)).step_by(8).find(|place| {
        let sum = u32_at(first, place + 8).wrapping_add(u32_at(first, place + 12));
        u32_at(first, *place) == TWO && u32_at(first, place + 4) == I386 && sum.wrapping_add(TWO) == 0
    })
}

impl Header {
    /// The header of the program called `name` that begins with `first`, if it has one. Of both kinds it is the second,
    /// by which the program is told more.
    pub(crate) fn find(name: &str, first: &[u8]) -> Result<Option<Self>, Error> {
        if let Some(place) = find_two(first) {
            return Self::parse_two(name, first, place).map(Some);
        }
        find_one(first).map(|place| Self::parse_one(name, first, place)).transpose()
    }

    fn parse_one(name: &str, first: &[u8], place: usize) -> Result<Self, Error> {
        let field = |index: usize| u32_at(first, place + 4 * index);
        let flags = field(1);
        let unknown = flags & ONE_COMPULSORY & !ONE_KNOWN;
        if unknown != 0 {
            return Err(errors::MULTIBOOT.of(format!("{name} has flags {unknown:#x}")));
        }
        let has_addresses = flags & ONE_ADDRESSES != 0;
        Ok(Self {
            version: Version::One,
            load: has_addresses.then(|| Load::parse(first, place, place + 12)),
            entry: has_addresses.then(|| field(7)),
        })
    }

    fn parse_two(name: &str, first: &[u8], place: usize) -> Result<Self, Error> {
        const OPTIONAL: u16 = 1;
        let mut header = Self { version: Version::Two, load: None, entry: None };
        let length = usize::try_from(u32_at(first, place + 8)).unwrap_or(usize::MAX);
        let end = place.saturating_add(length).min(first.len());
        let mut tag = place + 16;
        while tag + 8 <= end {
            let (kind, flags) = (u16_at(first, tag), u16_at(first, tag + 2));
            let size = usize::try_from(u32_at(first, tag + 4)).unwrap_or(usize::MAX);
            let words = first.get(tag + 8..tag.saturating_add(size).min(end)).unwrap_or_default();
            match kind {
                0 => return Ok(header),
                // What the program wants to be told: what has a meaning is told as far as this machine has it.
                1 if words.chunks_exact(4).all(|word| u32_at(word, 0) <= LAST_INFORMATION) => {}
                2 => header.load = Some(Load::parse(first, place, tag + 8)),
                3 => header.entry = Some(u32_at(first, tag + 8)),
                // Text is shown, modules are aligned, and what concerns EFI is for machines that have it. A program that
                // may be elsewhere can be where it says, too.
                4..=10 => {}
                _ if flags & OPTIONAL != 0 => {}
                _ => return Err(errors::MULTIBOOT.of(format!("{name} has a tag of kind {kind}"))),
            }
            // A tag is at least as long as its own head.
            tag = tag.saturating_add(size.max(8)).next_multiple_of(8);
        }
        Ok(header)
    }

    /// What is to be loaded by the header's addresses.
    pub(crate) fn layout(&self, file: &File<'_, impl Memory>) -> Result<Layout, Error> {
        let damaged = || errors::BAD_MULTIBOOT.of(file.name);
        let load = self.load.ok_or_else(damaged)?;
        let entry = self.entry.ok_or_else(damaged)?;
        let (start, offset) = load.start().ok_or_else(damaged)?;
        let rest = file.length().checked_sub(offset).ok_or_else(damaged)?;
        let length = match load.load_end {
            0 => rest,
            end => u64::from(end).checked_sub(start).filter(|length| *length <= rest).ok_or_else(damaged)?,
        };
        let end = u64::from(load.bss_end).max(start + length);
        let place = PhysRange::new(start, end);
        if !place.contains(PhysRange::with_length(entry.into(), 1)) {
            return Err(damaged());
        }
        Ok(Layout {
            segments: vec![Segment { offset, length, place }],
            instruction: entry.into(),
            is_pvh: false,
        })
    }
}

impl Load {
    /// The four addresses from `fields` on, of a header at `place`.
    fn parse(first: &[u8], place: usize, fields: usize) -> Self {
        let field = |index: usize| u32_at(first, fields + 4 * index);
        Self {
            offset: u32::try_from(place).unwrap_or(u32::MAX),
            header_address: field(0),
            load_address: field(1),
            load_end: field(2),
            bss_end: field(3),
        }
    }

    /// The first address, and the offset in the file of what goes there (3.1.3; 3.1.5).
    fn start(&self) -> Option<(u64, u64)> {
        const FROM_THE_FIRST_BYTE: u32 = u32::MAX;
        if self.load_address == FROM_THE_FIRST_BYTE {
            return Some((self.header_address.checked_sub(self.offset)?.into(), 0));
        }
        let before = self.header_address.checked_sub(self.load_address)?;
        Some((self.load_address.into(), self.offset.checked_sub(before)?.into()))
    }
}

/// What the program is told, as bytes for the address `base`. Their number does not depend on that.
pub(crate) fn information(
    header: &Header,
    kernel: &Kernel<'_>,
    modules: &[Initrd<'_>],
    surroundings: &Surroundings<'_>,
    map: &MemoryMap,
    base: u32,
) -> Vec<u8> {
    // The sizes of lower and upper memory, in KiB: the upper one from 1 MiB to the first hole.
    const MEBIBYTE: u64 = 1 << 20;
    let is_ram = |kind: &Kind| matches!(kind, Kind::Usable | Kind::Owned(_));
    let hole = map.regions().find(|(range, kind)| range.end() > MEBIBYTE && !is_ram(kind));
    let end = hole.map_or(MEBIBYTE, |(range, _)| range.start().max(MEBIBYTE));
    let sizes = [surroundings.base_memory_kib.into(), low32((end - MEBIBYTE) >> 10)];
    match header.version {
        Version::One => information_one(kernel, modules, surroundings, sizes, base),
        Version::Two => information_two(kernel, modules, surroundings, sizes),
    }
}

/// What a program or module is told of itself, in parts: where it is from, and its arguments.
fn words_of<'a>(uri: &'a str, arguments: &'a [u8]) -> [&'a [u8]; 4] {
    let between: &[u8] = if arguments.is_empty() { b"" } else { b" " };
    [uri.as_bytes(), between, arguments, &[0]]
}

/// Multiboot 1, section 3.3: a structure of fixed length, and behind it all that it points to.
fn information_one(
    kernel: &Kernel<'_>,
    modules: &[Initrd<'_>],
    surroundings: &Surroundings<'_>,
    sizes: [u32; 2],
    base: u32,
) -> Vec<u8> {
    /// Bytes of the structure, with all that later versions of the specification have added.
    const LENGTH: usize = 120;
    const MEMORY: u32 = 1;
    const COMMAND_LINE: u32 = 1 << 2;
    const MODULES: u32 = 1 << 3;
    const MEMORY_MAP: u32 = 1 << 6;
    const LOADER: u32 = 1 << 9;
    let mut out = vec![0; LENGTH];
    let here = |out: &Vec<u8>| base.wrapping_add(u32::try_from(out.len()).unwrap_or(0));
    let text = |out: &mut Vec<u8>, parts: &[&[u8]]| {
        let place = here(out);
        parts.iter().for_each(|part| out.extend_from_slice(part));
        place
    };
    let command_line = text(&mut out, &words_of(kernel.uri, kernel.command_line));
    let loader = text(&mut out, &[surroundings.loader.as_bytes(), &[0]]);
    let texts = modules.iter().map(|module| text(&mut out, &words_of(module.uri, module.command_line)));
    let texts = base::list(texts);
    out.resize(out.len().next_multiple_of(8), 0);
    let module_list = here(&out);
    for (module, text) in modules.iter().zip(texts) {
        words(&mut out, &[low32(module.image.start()), low32(module.image.end()), text, 0]);
    }
    let map = here(&out);
    for E820Entry { start, length, kind, .. } in surroundings.memory_map() {
        // The size of an entry, without that of its own field.
        words(&mut out, &[20]);
        out.extend_from_slice(&start.to_le_bytes());
        out.extend_from_slice(&length.to_le_bytes());
        words(&mut out, &[kind]);
    }
    let map_length = here(&out) - map;
    let count = u32::try_from(modules.len()).unwrap_or(0);
    let [lower, upper] = sizes;
    let flags = MEMORY | COMMAND_LINE | MODULES | MEMORY_MAP | LOADER;
    let mut head = Vec::new();
    let symbols = [0; 4];
    words(&mut head, &[flags, lower, upper, 0, command_line, count, module_list]);
    words(&mut head, &symbols);
    words(&mut head, &[map_length, map, 0, 0, 0, loader]);
    out.iter_mut().zip(head).for_each(|(to, from)| *to = from);
    out
}

/// Multiboot 2, section 3.6: tags.
fn information_two(
    kernel: &Kernel<'_>,
    modules: &[Initrd<'_>],
    surroundings: &Surroundings<'_>,
    sizes: [u32; 2],
) -> Vec<u8> {
    const TEXT_MODE: u8 = 2;
    let mut out = vec![0; 8];
    let mut tag = |kind: u32, parts: &[&[u8]]| {
        let length = 8 + parts.iter().map(|part| part.len()).sum::<usize>();
        words(&mut out, &[kind, u32::try_from(length).unwrap_or(0)]);
        parts.iter().for_each(|part| out.extend_from_slice(part));
        out.resize(out.len().next_multiple_of(8), 0);
    };
    tag(1, &words_of(kernel.uri, kernel.command_line));
    tag(2, &[surroundings.loader.as_bytes(), &[0]]);
    for module in modules {
        let [start, end] = [module.image.start(), module.image.end()].map(|end| low32(end).to_le_bytes());
        let [uri, between, arguments, zero] = words_of(module.uri, module.command_line);
        tag(3, &[&start, &end, uri, between, arguments, zero]);
    }
    let [lower, upper] = sizes;
    tag(4, &[&lower.to_le_bytes(), &upper.to_le_bytes()]);
    let mut map = Vec::new();
    // Bytes of an entry, and their version.
    words(&mut map, &[24, 0]);
    for E820Entry { start, length, kind, .. } in surroundings.memory_map() {
        map.extend_from_slice(&start.to_le_bytes());
        map.extend_from_slice(&length.to_le_bytes());
        words(&mut map, &[kind, 0]);
    }
    tag(6, &[&map]);
    // The text mode that is set: its memory, bytes a line, columns, rows, bits of a character, and what it is.
    let mut screen = Vec::new();
    words(&mut screen, &[0xb_8000, 0, 160, 80, 25]);
    screen.extend_from_slice(&[16, TEXT_MODE, 0, 0]);
    tag(8, &[&screen]);
    if let Some((_, pointer)) = surroundings.acpi {
        // The first version has 20 bytes, and the parts of later ones are behind them.
        tag(if pointer.len() > 20 { 15 } else { 14 }, &[pointer]);
    }
    tag(0, &[]);
    let length = u32::try_from(out.len()).unwrap_or(0);
    out.iter_mut().zip(length.to_le_bytes()).for_each(|(to, from)| *to = from);
    out
}
