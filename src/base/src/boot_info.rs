//! What the prefix found when the machine came to us, for the unpacker and the core.

use crate::{PhysRange, SegOff};

/// One entry of INT 15h AX=E820h, in the 24-byte form of ACPI 3.0.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(C)]
pub struct E820Entry {
    /// First address.
    pub start: u64,
    /// Number of bytes.
    pub length: u64,
    /// 1 is usable memory; all else is not.
    pub kind: u32,
    /// ACPI 3.0 extended attributes; bit 0 clear means "ignore this entry".
    pub attributes: u32,
}

/// Where the core and its heap lie: clear of what programs that we start expect to be free.
pub const CORE_PLACE: PhysRange = PhysRange::new(32 << 20, 4 << 30);

/// Bytes of the core's heap, for TCP windows, datagram buffers and everything that is not an image. The unpacker leaves
/// them free below the core.
pub const HEAP_LENGTH: u64 = 8 << 20;

/// The most entries that are taken over from the BIOS.
pub const E820_CAPACITY: usize = 128;

/// What lies on top of the caller's stack while we run, so that leaving can see whether it is still there.
pub const ENTRY_STACK_MAGIC: u32 = 0x6950_5845;

/// Bytes that the prefix pushed on the caller's stack, below the return address: the magic, GS, FS, ES, DS, the
/// general registers as PUSHAD does it, and the flags.
pub const ENTRY_STACK_SAVED: u16 = 4 + 4 * 2 + 8 * 4 + 4;

/// The state of the machine at our first instruction, collected by the prefix.
///
/// The prefix fills this in by offset, so the layout is part of its assembly.
#[derive(Clone, Debug)]
#[repr(C)]
pub struct BootInfo {
    /// The caller's stack: [`ENTRY_STACK_SAVED`] bytes of ours, then its return address.
    pub entry_stack: SegOff,
    /// ES:BX at entry, where a PXE ROM passes its `PXENV+`.
    pub entry_es_bx: SegOff,
    /// The far pointer above the return address, where a PXE ROM passes its `!PXE`.
    pub entry_stack_pointer: SegOff,
    /// The word at 0040:0013: KiB of free base memory.
    pub base_memory_kib: u16,
    /// The way A20 was opened, for the record: 0 was open, 1 BIOS, 2 port 92h, 3 keyboard controller.
    pub a20_method: u16,
    /// Address of the image in memory, its prefix first.
    pub image: u32,
    /// Number of entries in `e820`.
    pub e820_count: u32,
    /// The low half of the time stamp counter at our first instruction.
    pub entry_tsc_low: u32,
    /// The high half of it.
    pub entry_tsc_high: u32,
    /// Filled by the unpacker: where the core lies in memory.
    pub core: u64,
    /// Filled by the unpacker: bytes from there that the core, its stack and its page tables take.
    pub core_length: u64,
    /// Filled by the unpacker: where the low block lies.
    pub low: u32,
    /// Filled by the unpacker: the page tables in use (CR3).
    pub page_tables: u32,
    /// Filled by the unpacker: where the copy of the trailer's script lies, inside the core's range.
    pub script: u64,
    /// Filled by the unpacker: its length, 0 for none.
    pub script_length: u64,
    /// The BIOS's memory map.
    pub e820: [E820Entry; E820_CAPACITY],
}
