//! Memory below 1 MiB: the low block, memory that real-mode code can reach, and looking at what the BIOS left.

use base::SegOff;
use base::boot_info::BootInfo;
use core::arch::asm;
use core::cell::Cell;
use core::mem::offset_of;
use core::ptr::{self, NonNull};
use volatile::VolatilePtr;
use x86::controlregs::{self, Cr0, Cr4};
use x86::msr;

use crate::realmode::{self, Block, Registers};
use crate::vector_copy;

base::assembly!(
    "low.S",
    SELECTOR_CODE64 = SELECTOR_CODE64,
    SELECTOR_DATA = SELECTOR_DATA,
    SELECTOR_CODE16 = SELECTOR_CODE16,
    SELECTOR_DATA16 = SELECTOR_DATA16,
    SELECTOR_CODE32 = SELECTOR_CODE32,
    TEXT_BUFFER = TEXT_BUFFER,
    KIND_FAR = realmode::KIND_FAR,
    KIND_NEAR = realmode::KIND_NEAR,
    BLOCK_EAX = offset_of!(Block, registers) + offset_of!(Registers, eax),
    BLOCK_EBX = offset_of!(Block, registers) + offset_of!(Registers, ebx),
    BLOCK_ECX = offset_of!(Block, registers) + offset_of!(Registers, ecx),
    BLOCK_EDX = offset_of!(Block, registers) + offset_of!(Registers, edx),
    BLOCK_ESI = offset_of!(Block, registers) + offset_of!(Registers, esi),
    BLOCK_EDI = offset_of!(Block, registers) + offset_of!(Registers, edi),
    BLOCK_EBP = offset_of!(Block, registers) + offset_of!(Registers, ebp),
    BLOCK_DS = offset_of!(Block, registers) + offset_of!(Registers, ds),
    BLOCK_ES = offset_of!(Block, registers) + offset_of!(Registers, es),
    BLOCK_FLAGS = offset_of!(Block, registers) + offset_of!(Registers, flags),
    BLOCK_TARGET = offset_of!(Block, target),
    BLOCK_ARGUMENTS = offset_of!(Block, arguments),
    BLOCK_LONG_RSP = offset_of!(Block, long_rsp),
    BLOCK_KIND = offset_of!(Block, kind),
    BLOCK_TIMED_OUT = offset_of!(Block, timed_out),
);

/// Our own code.
pub(crate) const SELECTOR_CODE64: u16 = 0x08;
/// This and the next are where Linux wants them (boot protocol, "32-bit Boot Protocol").
const SELECTOR_CODE32: u16 = 0x10;
const SELECTOR_DATA: u16 = 0x18;
const SELECTOR_CODE16: u16 = 0x20;
const SELECTOR_DATA16: u16 = 0x28;
/// The task's selector, for its interrupt stacks.
pub(crate) const SELECTOR_TASK: u16 = 0x30;
/// The most characters that one downcall prints.
pub(crate) const TEXT_BUFFER: usize = 256;

unsafe extern "C" {
    /// Offsets in the low block, in the order of [`Symbol`].
    static low_symbols: [u16; Symbol::StackTop as usize + 1];
}

/// What the core knows by name in the low block; the order of `low_symbols` in low.S.
#[derive(Clone, Copy)]
pub(crate) enum Symbol {
    Down,
    Window,
    Nap,
    Print,
    Start,
    ReturnToCaller,
    StartProtected,
    Watchdog,
    Gdt,
    Gdtr,
    LongIdtr,
    Linear,
    LongCr0,
    LongCr3,
    LongCr4,
    LongEfer,
    RealCr0,
    RealCr4,
    RealEfer,
    Switches,
    WatchdogPrevious,
    WatchdogTicks,
    WatchdogBlock,
    WatchdogVector,
    AbandonedStack,
    TextBuffer,
    GuestResume,
    GuestReturned,
    GuestInt15,
    GuestInt15Previous,
    GuestTable,
    GuestInt1a,
    GuestInt1aPrevious,
    GuestCallByStack,
    GuestCallByRegisters,
    GuestPxenv,
    GuestCallProtected,
    GuestResumeProtected,
    StackBottom,
    StackTop,
}

impl Symbol {
    /// Its offset in the low block.
    pub(crate) fn offset(self) -> u16 {
        // SAFETY: the table is constant and as long as the enumeration.
        unsafe { low_symbols.get(self as usize).copied().unwrap_or(0) }
    }

    /// Where it is.
    pub(crate) fn address(self) -> u64 {
        u64::from(linear()) + u64::from(self.offset())
    }

    /// The variable of type `T` there.
    ///
    /// # Safety
    /// The symbol names a variable of that type and alignment 1 is enough for its reads.
    pub(crate) unsafe fn variable<T: Copy>(self) -> VolatilePtr<'static, T> {
        // SAFETY: the low block is mapped one to one, its addresses are not zero, and the type is the caller's word.
        unsafe {
            VolatilePtr::new(NonNull::new_unchecked(
                ptr::with_exposed_provenance_mut(self.address() as usize),
            ))
        }
    }
}

/// Where the descriptor of a selector is, in the table of our own.
pub(crate) fn descriptor<T>(selector: u16) -> *mut T {
    ptr::with_exposed_provenance_mut(Symbol::Gdt.address() as usize + usize::from(selector))
}

/// What is known about memory below 1 MiB. One processor, no interrupts in Rust: cells are enough.
struct Low {
    /// The low block's address; free base memory ends here while we run.
    linear: Cell<u32>,
    /// Where the next block on the real-mode stack ends.
    stack: Cell<u16>,
    /// Memory from here to the low block is handed out.
    allocated: Cell<u32>,
    /// KiB of base memory when we came.
    found_kib: Cell<u16>,
}

// SAFETY: there is one processor, and Rust is never interrupted.
unsafe impl Sync for Low {}

static LOW: Low =
    Low { linear: Cell::new(0), stack: Cell::new(0), allocated: Cell::new(0), found_kib: Cell::new(0) };

/// Nothing is handed out below this: the interrupt table, the BIOS data area and what a ROM keeps under its
/// boot sector's place (field note A14).
const LOWEST: u32 = 0x8000;

/// The word at 0040:0013, KiB of free base memory.
const BASE_MEMORY_KIB: usize = 0x413;

/// Fills the variables of the low block and takes its memory from the BIOS.
///
/// # Safety
/// As [`crate::init`].
pub(crate) unsafe fn init(info: &BootInfo) {
    LOW.linear.set(info.low);
    LOW.allocated.set(info.low);
    LOW.found_kib.set(info.base_memory_kib);
    LOW.stack.set(Symbol::StackTop.offset());
    // Bits 23:0 of a base are in one piece, and the block is below 1 MiB.
    let base_bits = u64::from(info.low) << 16;
    // SAFETY: the symbols name variables of these types, the selectors descriptors of the table, and the values are those
    // of the mode we are in.
    unsafe {
        for selector in [SELECTOR_CODE16, SELECTOR_DATA16] {
            let entry = descriptor::<u64>(selector);
            entry.write_unaligned(entry.read_unaligned() | base_bits);
        }
        let gdtr = Symbol::Gdtr.address() as usize;
        ptr::with_exposed_provenance_mut::<u32>(gdtr + 2).write_unaligned(low_u32(Symbol::Gdt.address()));
        Symbol::Linear.variable::<u32>().write(info.low);

        let cr0 = controlregs::cr0();
        let cr4 = controlregs::cr4();
        let efer = Efer::from_bits_retain(msr::rdmsr(msr::IA32_EFER));
        let real_cr0 = cr0 - (Cr0::CR0_ENABLE_PAGING | Cr0::CR0_PROTECTED_MODE | Cr0::CR0_WRITE_PROTECT);
        let real_cr4 = cr4 - Cr4::CR4_ENABLE_PAE;
        Symbol::LongCr0.variable::<u32>().write(low_u32(cr0.bits() as u64));
        Symbol::LongCr3.variable::<u32>().write(info.page_tables);
        Symbol::LongCr4.variable::<u32>().write(low_u32(cr4.bits() as u64));
        let long_efer = efer - Efer::ACTIVE;
        Symbol::LongEfer.variable::<u32>().write(low_u32(long_efer.bits()));
        Symbol::RealCr0.variable::<u32>().write(low_u32(real_cr0.bits() as u64));
        Symbol::RealCr4.variable::<u32>().write(low_u32(real_cr4.bits() as u64));
        let real_efer = long_efer - (Efer::LONG_MODE | Efer::NO_EXECUTE);
        Symbol::RealEfer.variable::<u32>().write(low_u32(real_efer.bits()));
        asm!("lgdt [{}]", in(reg) gdtr, options(readonly, nostack, preserves_flags));
    }
    set_base_memory_kib((info.low / 1024).to_le_bytes()[0..2].try_into().map_or(0, u16::from_le_bytes));
}

bitflags::bitflags! {
    /// The register IA32_EFER (Intel SDM volume 3, section 2.2.1).
    #[derive(Clone, Copy)]
    struct Efer: u64 {
        /// Paging enters long mode.
        const LONG_MODE = 1 << 8;
        /// Long mode is active; the processor's own.
        const ACTIVE = 1 << 10;
        /// Pages may forbid execution.
        const NO_EXECUTE = 1 << 11;
    }
}

/// The lower half of a value whose upper half is known to be zero.
fn low_u32(value: u64) -> u32 {
    (value & 0xffff_ffff) as u32
}

/// The low block's address.
pub fn linear() -> u32 {
    LOW.linear.get()
}

/// The low block's real-mode segment.
pub fn segment() -> u16 {
    ((linear() >> 4) & 0xffff) as u16
}

/// The lowest address that was handed out: free base memory ends here while our own code runs.
pub fn allocated() -> u32 {
    LOW.allocated.get()
}

/// Bytes of base memory that the low block and what was handed out beside it take.
pub fn in_use() -> u32 {
    (u32::from(LOW.found_kib.get()) * 1024).saturating_sub(LOW.allocated.get())
}

/// KiB of free base memory as the BIOS counts it now.
pub fn base_memory_kib() -> u16 {
    let mut word = [0; 2];
    read(BASE_MEMORY_KIB as u32, &mut word);
    u16::from_le_bytes(word)
}

/// KiB of free base memory when we came.
pub fn found_base_memory_kib() -> u16 {
    LOW.found_kib.get()
}

/// Tells the BIOS where free base memory ends.
pub(crate) fn set_base_memory_kib(kib: u16) {
    vector_copy::forget();
    // SAFETY: the BIOS data area is always there, and this word means just that.
    unsafe { ptr::with_exposed_provenance_mut::<u16>(BASE_MEMORY_KIB).write_volatile(kib) }
}

/// Ends free base memory below all that was handed out, for a program that runs while we stay.
pub(crate) fn lower_mark() {
    set_base_memory_kib((allocated() / 1024) as u16);
}

/// Ends it at the low block again. What the program took and has not given back counts as taken before us.
pub(crate) fn raise_mark() {
    let mark = u32::from(base_memory_kib()) * 1024;
    if mark < allocated() {
        LOW.found_kib.set((mark / 1024) as u16);
        LOW.allocated.set(mark & !0xfff);
    }
    set_base_memory_kib((linear() / 1024) as u16);
}

/// Four bytes of the BIOS data area that are for applications to talk to one another, at 0040:00F0.
const APPLICATION_AREA: usize = 0x4f0;

/// What is there.
pub(crate) fn application_area() -> [u8; 4] {
    let mut bytes = [0; 4];
    read(APPLICATION_AREA as u32, &mut bytes);
    bytes
}

/// Leaves a word for whoever comes next.
pub(crate) fn write_application_area(bytes: [u8; 4]) {
    // SAFETY: the BIOS data area is always there, and nothing of ours lies in it.
    unsafe { ptr::with_exposed_provenance_mut::<[u8; 4]>(APPLICATION_AREA).write_volatile(bytes) }
}

/// Copies from memory below 1 MiB; what lies outside reads as zero. A frame that a card has written over the interrupt
/// table is not read: the table is put back first ([`vector_copy`]).
///
/// The copy is done by the processor's string instruction: address 0 is memory here, which Rust's pointers deny.
pub fn read(address: u32, to: &mut [u8]) {
    if (address as usize) < vector_copy::LENGTH {
        vector_copy::restore();
    }
    to.fill(0);
    let room = 0x10_0000_u32.saturating_sub(address) as usize;
    let length = to.len().min(room);
    // SAFETY: the first mebibyte is mapped, and `to` has room for `length` bytes.
    unsafe {
        asm!("rep movsb", inout("rcx") length => _, inout("rsi") u64::from(address) => _,
            inout("rdi") to.as_mut_ptr() => _, options(nostack, preserves_flags));
    }
}

/// Where the next block goes, `length` bytes under the last one.
pub(crate) fn push_stack(length: u16) -> Option<(u16, u16)> {
    let before = LOW.stack.get();
    let now = before.checked_sub(length)? & !0xf;
    // A BIOS call may want a good kilobyte for itself.
    if now < Symbol::StackBottom.offset() + 0x600 {
        return None;
    }
    LOW.stack.set(now);
    Some((before, now))
}

/// Ends what [`push_stack`] began, or keeps what an abandoned call left on the stack.
pub(crate) fn set_stack(offset: u16) {
    LOW.stack.set(offset);
}

/// Memory below 1 MiB that real-mode code can reach, on pages without code. Given back when dropped, if no
/// younger piece is left.
#[derive(Debug)]
pub struct LowMemory {
    address: u32,
    length: usize,
    room: u32,
}

impl LowMemory {
    /// `length` zeroed bytes, at most 65520, from a page boundary; none if free base memory has no room.
    pub fn allocate(length: usize) -> Option<Self> {
        Self::allocate_aligned(length, 4096)
    }

    /// The same from a boundary of 1 KiB, the unit of the mark, where no code lies below.
    pub fn allocate_data(length: usize) -> Option<Self> {
        Self::allocate_aligned(length, 1024)
    }

    fn allocate_aligned(length: usize, alignment: u32) -> Option<Self> {
        let end = LOW.allocated.get();
        let address = end.checked_sub(u32::try_from(length).ok().filter(|length| *length <= 0xfff0)?)?;
        let address = address & !(alignment - 1);
        let room = end - address;
        if address < LOWEST {
            return None;
        }
        LOW.allocated.set(address);
        let mut memory = Self { address, length, room };
        memory.bytes_mut().fill(0);
        Some(memory)
    }

    /// Its first byte as real mode names it; the offset is 0.
    pub fn far(&self) -> SegOff {
        SegOff::new(((self.address >> 4) & 0xffff) as u16, 0)
    }

    /// Leaves the memory to real-mode code that stays: as if it had been taken before we came, free base memory ends
    /// at it when we leave. What was allocated before it must be left so, too, or be given back already.
    pub fn leave(self) {
        LOW.found_kib.set((self.address / 1024) as u16);
        core::mem::forget(self);
    }

    /// The bytes. Real-mode code may change them in every downcall, not in between.
    pub fn bytes(&self) -> &[u8] {
        // SAFETY: the range is mapped, ours alone, and nothing writes to it while Rust runs.
        unsafe {
            core::slice::from_raw_parts(ptr::with_exposed_provenance(self.address as usize), self.length)
        }
    }

    /// The bytes, to be written.
    pub fn bytes_mut(&mut self) -> &mut [u8] {
        // SAFETY: as for `bytes`, and `self` is borrowed alone.
        unsafe {
            core::slice::from_raw_parts_mut(
                ptr::with_exposed_provenance_mut(self.address as usize),
                self.length,
            )
        }
    }
}

impl Drop for LowMemory {
    fn drop(&mut self) {
        if LOW.allocated.get() == self.address {
            LOW.allocated.set(self.address + self.room);
        }
    }
}
