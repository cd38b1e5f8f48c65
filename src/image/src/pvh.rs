//! The direct boot protocol of Xen's HVM guests (PVH), by which vmlinux of Linux and other ELF kernels start: where the
//! file says its entry is, and what the kernel is told.
//!
//! Sources: Xen, `docs/misc/pvh.pandoc`, `public/elfnote.h` and `public/arch-x86/hvm/start_info.h`.

use crate::bytes::{u32_at, u64_at};
use crate::executable::{File, Surroundings, words};
use crate::{Initrd, Kernel, Memory};
use alloc::vec;
use alloc::vec::Vec;
use base::PhysRange;

/// The most notes of a segment that are looked at. Linux has twenty.
const NOTES: usize = 64;

/// Where a kernel is entered by the notes in `place` of the file: a physical address. A note is three numbers - the
/// lengths of its owner and of what it says, and its kind - and both, each up to a multiple of four bytes.
pub(crate) fn entry(file: &File<'_, impl Memory>, place: PhysRange) -> Option<u64> {
    const OWNER: &[u8] = b"Xen\0";
    const PHYS32_ENTRY: u32 = 18;
    const HEAD: usize = 16;
    let mut offset = place.start();
    for _ in 0..NOTES {
        // With an owner of four bytes, and a number of up to eight.
        let mut note = [0; HEAD + 8];
        if offset >= place.end() || !file.read(offset, &mut note) {
            break;
        }
        let [owner, length, kind] = [0, 4, 8].map(|field| u32_at(&note, field));
        if kind == PHYS32_ENTRY && owner == 4 && note.get(12..HEAD) == Some(OWNER) {
            return match length {
                4 => Some(u32_at(&note, HEAD).into()),
                8 => Some(u64_at(&note, HEAD)),
                _ => None,
            };
        }
        let padded = |length: u32| u64::from(length).next_multiple_of(4);
        offset = offset.checked_add(12 + padded(owner) + padded(length))?;
    }
    None
}

/// What the kernel is told, as bytes for the address `base`: `hvm_start_info` of version 1, and behind it all that it
/// points to. Their number does not depend on that address.
pub(crate) fn start_info(
    kernel: &Kernel<'_>,
    modules: &[Initrd<'_>],
    surroundings: &Surroundings<'_>,
    base: u32,
) -> Vec<u8> {
    const MAGIC: u32 = 0x336e_c578;
    const VERSION: u32 = 1;
    const LENGTH: usize = 56;
    let mut out = vec![0; LENGTH];
    let here = |out: &Vec<u8>| u64::from(base) + out.len() as u64;
    let text = |out: &mut Vec<u8>, text: &[u8]| {
        let place = here(out);
        out.extend_from_slice(text);
        out.push(0);
        place
    };
    let command_line = text(&mut out, kernel.command_line);
    let texts = base::list(modules.iter().map(|module| text(&mut out, module.command_line)));
    out.resize(out.len().next_multiple_of(8), 0);
    let module_list = here(&out);
    for (module, text) in modules.iter().zip(texts) {
        long_words(&mut out, &[module.image.start(), module.image.length(), text, 0]);
    }
    let map = here(&out);
    let mut entries = 0;
    for entry in surroundings.memory_map() {
        long_words(&mut out, &[entry.start, entry.length, entry.kind.into()]);
        entries += 1;
    }
    let count = u32::try_from(modules.len()).unwrap_or(0);
    let acpi = surroundings.acpi.map_or(0, |(address, _)| address);
    let mut head = Vec::new();
    words(&mut head, &[MAGIC, VERSION, 0, count]);
    long_words(&mut head, &[module_list, command_line, acpi, map, entries]);
    out.iter_mut().zip(head).for_each(|(to, from)| *to = from);
    out
}

/// A list of 64-bit numbers; a number of 32 bits with zeros behind it is one, too.
fn long_words(to: &mut Vec<u8>, words: &[u64]) {
    words.iter().for_each(|word| to.extend_from_slice(&word.to_le_bytes()));
}
