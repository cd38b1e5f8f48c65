//! A boot that is planned, whatever is booted.

use crate::Memory;
use crate::place::{Move, place};
use alloc::vec::Vec;
use base::PhysRange;
use memmap::{MemoryMap, Owner, PAGE};

/// What is booted, as it was loaded.
#[derive(Clone, Copy, Debug)]
pub struct Kernel<'a> {
    /// What people call it.
    pub name: &'a str,
    /// Where it is from, of which multiboot tells.
    pub uri: &'a str,
    /// Where the file lies.
    pub image: PhysRange,
    /// Its arguments.
    pub command_line: &'a [u8],
}

/// What goes along with it, as it was loaded: an initrd of Linux, or a module of multiboot or PVH.
#[derive(Clone, Copy, Debug)]
pub struct Initrd<'a> {
    /// Where it is from, of which multiboot tells.
    pub uri: &'a str,
    /// Where the file lies.
    pub image: PhysRange,
    /// For Linux, empty or what [`cpio::headers`](crate::cpio::headers) takes; else what the module is told.
    pub command_line: &'a [u8],
}

/// The processor's state at the first instruction of what is booted. Interrupts are off.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Entry {
    /// In real mode.
    Real {
        /// For DS, ES, FS, GS and SS.
        segment: u16,
        /// For CS.
        code_segment: u16,
        /// For IP.
        instruction: u16,
        /// For SP.
        stack: u16,
    },
    /// In protected mode with flat 32-bit segments, without paging.
    Protected {
        /// For EIP.
        instruction: u32,
        /// For EAX.
        eax: u32,
        /// For EBX.
        ebx: u32,
        /// For ESI.
        esi: u32,
    },
}

/// All that is to be done to boot something.
#[derive(Clone, Debug)]
pub struct Plan {
    pub(crate) moves: Vec<Move>,
    pub(crate) zeroes: Vec<PhysRange>,
    pub(crate) writes: Vec<(u64, Vec<u8>)>,
    /// How it is entered.
    pub entry: Entry,
    /// What it is told: Linux's setup part, its heap and stack, and the command line, or the information of multiboot or PVH;
    /// empty where it is told nothing.
    pub parameters: PhysRange,
    /// The program itself, in protected mode; from the first of its segments to the last.
    pub program: PhysRange,
    /// All initrds together, or from the first module to the last; empty without any.
    pub initrds: PhysRange,
}

/// Does what was planned. Returns how the kernel is to be entered.
///
/// All images are destroyed; the memory map is to be what the kernel shall see when it is entered.
pub fn execute(plan: &Plan, memory: &mut impl Memory) -> Entry {
    place(&plan.moves, memory);
    plan.zeroes.iter().filter(|range| !range.is_empty()).for_each(|range| memory.zero(*range));
    plan.writes.iter().for_each(|(to, bytes)| memory.write(*to, bytes));
    plan.entry
}

/// Where what real-mode code reads may be loaded. Below are the BIOS's data and boot sectors.
pub(crate) const BASE_MEMORY: PhysRange = PhysRange::new(0x1_0000, 0xa_0000);
/// Where protected-mode code and what goes along may be loaded.
pub(crate) const HIGH_MEMORY: PhysRange = PhysRange::new(0x10_0000, 1 << 32);

/// What a boot may overwrite.
pub(crate) fn free_for_boot(map: &MemoryMap) -> MemoryMap {
    const ALL: PhysRange = PhysRange::new(0, u64::MAX);
    let mut free = map.clone();
    // A map too full for this keeps the images' pages: then there is less room, and no harm.
    let _ = free.release(ALL, Owner::Image);
    free
}

/// Takes `range` out of what is free. In a map too full for that, nothing is free any more.
pub(crate) fn exclude(free: &mut MemoryMap, range: PhysRange) {
    if free.reserve(range, Owner::Program).is_err() {
        *free = MemoryMap::new();
    }
}

/// `bytes` rounded up to whole pages.
pub(crate) fn pages(bytes: u64) -> u64 {
    bytes.saturating_add(PAGE - 1) & !(PAGE - 1)
}

/// A 32-bit address or length. Whoever asks knows that the value lies below 4 GiB.
pub(crate) fn low32(value: u64) -> u32 {
    u32::try_from(value).unwrap_or(0)
}
