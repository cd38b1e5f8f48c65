//! Executables of the ELF.
//!
//! Source: "System V Application Binary Interface", chapters 4 (ELF header) and 5 (program header), and its supplements
//! for the Intel386 and AMD64 architectures.

use crate::Memory;
use crate::bytes::{u16_at, u32_at, u64_at};
use crate::executable::{File, Layout, Segment};
use crate::{errors, pvh};
use alloc::vec::Vec;
use base::{Error, PhysRange};

const MAGIC: &[u8] = b"\x7fELF";
/// `e_ident[EI_CLASS]` and `e_ident[EI_DATA]`: 32 or 64 bits, little-endian.
const IDENTITY_32: &[u8] = &[1, 1];
const IDENTITY_64: &[u8] = &[2, 1];
/// `e_machine`.
const EM_386: u16 = 3;
const EM_X86_64: u16 = 62;
/// `p_type` of what is loaded, and of notes.
const PT_LOAD: u32 = 1;
const PT_NOTE: u32 = 4;
/// Bytes of the ELF header, and of a program header, in the larger class.
const HEADER: usize = 64;
const PROGRAM_HEADER: usize = 56;
/// Programs have a few segments; with as many the file is damaged.
const SEGMENTS: usize = 64;

/// Whether a file that begins with `first` is one.
pub(crate) fn is_elf(first: &[u8]) -> bool {
    first.starts_with(MAGIC)
}

/// What is to be loaded of a file, and where it is entered. One for 64 bits is of use only where something says that it is
/// entered in 32-bit mode all the same: a header of multiboot, or a note.
pub(crate) fn layout(file: &File<'_, impl Memory>, has_multiboot: bool) -> Result<Layout, Error> {
    let foreign = || errors::FOREIGN_ELF.of(file.name);
    let damaged = || errors::BAD_ELF.of(file.name);
    let mut header = [0; HEADER];
    file.read(0, &mut header);
    let identity = header.get(4..6).unwrap_or_default();
    let is_64 = identity == IDENTITY_64;
    let machine = u16_at(&header, 18);
    if !(is_64 || identity == IDENTITY_32) || ![EM_386, EM_X86_64].contains(&machine) {
        return Err(foreign());
    }
    let word = |bytes: &[u8], offset_32: usize, offset_64: usize| {
        if is_64 { u64_at(bytes, offset_64) } else { u32_at(bytes, offset_32).into() }
    };
    let entry = word(&header, 24, 24);
    let table = word(&header, 28, 32);
    let (size, count) = if is_64 { (54, 56) } else { (42, 44) };
    let (size, count) = (u16_at(&header, size), u16_at(&header, count));
    let mut segments = Vec::new();
    let mut instruction = None;
    let mut note = None;
    for index in 0..u64::from(count) {
        let mut header = [0; PROGRAM_HEADER];
        let offset = table.checked_add(index * u64::from(size)).ok_or_else(damaged)?;
        if !file.read(offset, &mut header) {
            return Err(damaged());
        }
        let kind = u32_at(&header, 0);
        let offset = word(&header, 4, 8);
        let length = word(&header, 16, 32);
        let memory_length = word(&header, 20, 40);
        if kind == PT_NOTE {
            note = note.or_else(|| pvh::entry(file, PhysRange::with_length(offset, length)));
        }
        if kind != PT_LOAD || memory_length == 0 {
            continue;
        }
        let virtual_address = word(&header, 8, 16);
        let physical_address = match word(&header, 12, 24) {
            0 => virtual_address,
            address => address,
        };
        if length > memory_length || segments.len() == SEGMENTS {
            return Err(damaged());
        }
        // The entry may be named by either kind of address; what is a physical one is meant as such.
        let place = PhysRange::with_length(physical_address, memory_length);
        let linked = PhysRange::with_length(virtual_address, memory_length);
        let has = |range: PhysRange| range.start() <= entry && entry < range.end();
        if has(place) {
            instruction = Some(entry);
        } else if has(linked) {
            instruction = instruction.or(physical_address.checked_add(entry - virtual_address));
        }
        segments.push(Segment { offset, length, place });
    }
    // Multiboot tells a kernel more, so the note counts only without it.
    let is_loaded = |entry: u64| {
        let first = PhysRange::with_length(entry, 1);
        segments.iter().any(|segment| segment.place.contains(first))
    };
    let note = note.filter(|entry| !has_multiboot && is_loaded(*entry));
    if (is_64 || machine == EM_X86_64) && !has_multiboot && note.is_none() {
        return Err(foreign());
    }
    let instruction = note.or(instruction).ok_or_else(damaged)?;
    Ok(Layout { segments, instruction, is_pvh: note.is_some() })
}
