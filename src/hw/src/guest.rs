//! Another real-mode program under us: how it is started, and how it comes back.
//!
//! It runs inside a downcall, on a stack of its own in the low block, and leaves that downcall by its far return. Then
//! its registers lie on its stack as a [`Frame`]. So no Rust code is ever entered from below.
//!
//! Meanwhile INT 15h tells it of memory from a table that is made before: what is ours is reserved there, and the
//! free-base-memory mark (INT 12h) lies below all that we have of base memory.

use alloc::vec::Vec;
use base::boot_info::E820Entry;
use base::{PhysRange, SegOff};
use core::mem::offset_of;
use core::ptr;
use static_assertions::const_assert_eq;

use crate::interrupts;
use crate::low::{self, LowMemory, Symbol};
use crate::memory::PhysicalMemory;
use crate::realmode::{self, Registers};

base::assembly!(
    "guest.S",
    GUEST_RETURNED = RETURNED,
    TABLE_COUNT = offset_of!(Table, count),
    TABLE_BELOW_16M = offset_of!(Table, below_16m_kib),
    TABLE_ABOVE_16M = offset_of!(Table, above_16m_blocks),
    TABLE_ABOVE_1M = offset_of!(Table, above_1m_kib),
    TABLE_ENTRIES = size_of::<Table>(),
    TABLE_ENTRY = size_of::<E820Entry>(),
);

/// Where a network boot program begins (PXE 2.1 section 4.4.5).
pub const ENTRY: u32 = 0x7c00;
/// Bytes of stack that a program is given; PXE 2.1 section 4.4.5 promises 1.5 KiB.
const STACK: u16 = 0xc00;
/// The most bytes that the table of memory takes.
pub const TABLE_LIMIT: usize = 0x1000;
/// Interrupts are open, and all other flags as after a reset.
const FLAGS: u32 = 1 << 9 | 1 << 1;
/// Memory's vector.
const SYSTEM_VECTOR: u8 = 0x15;
/// Base memory ends here.
const BASE_END: u64 = 0xa_0000;

/// Why a program has left its downcall: it returned.
const RETURNED: u32 = 0;

/// A program's registers, on its stack while it does not run. The assembly knows this layout by its order.
#[derive(Clone, Copy, Debug, Default)]
#[repr(C)]
struct Frame {
    gs: u16,
    fs: u16,
    es: u16,
    ds: u16,
    edi: u32,
    esi: u32,
    ebp: u32,
    esp: u32,
    ebx: u32,
    edx: u32,
    ecx: u32,
    eax: u32,
    reason: u32,
    flags: u32,
    /// Where it goes on.
    next: SegOff,
}

const_assert_eq!(size_of::<Frame>(), 52);

/// What lies on the stack of a program that begins: on top its registers, then what it finds there itself.
#[derive(Clone, Copy, Debug)]
#[repr(C)]
struct Start {
    frame: Frame,
    return_address: SegOff,
    bang_pxe: SegOff,
}

const START: u16 = 60;
const_assert_eq!(size_of::<Start>(), START as usize);

/// What INT 15h answers; the entries follow. The assembly knows this layout by its offsets.
#[derive(Clone, Copy, Debug)]
#[repr(C)]
struct Table {
    count: u32,
    below_16m_kib: u16,
    above_16m_blocks: u16,
    above_1m_kib: u16,
    reserved: u16,
}

/// What a network boot program is told of PXE.
#[derive(Clone, Copy, Debug, Default)]
pub struct Pxe {
    /// Where `!PXE` is.
    pub bang_pxe: SegOff,
    /// Where `PXENV+` is.
    pub pxenv: SegOff,
}

/// Runs the network boot program at [`ENTRY`] until it returns; AX is its answer. None, and nothing was done, if base
/// memory has no room for what it is to be told. `entries` is the BIOS's map of memory.
///
/// It may do with the machine what it likes, except to memory that it is told is reserved; it is trusted in that, like
/// any kernel.
pub fn run(pxe: Pxe, memory: &PhysicalMemory, entries: &[E820Entry]) -> Option<u16> {
    let _disguise = Disguise::try_new(memory, entries)?;
    let (stack_before, _) = low::push_stack(STACK)?;
    let stack = SegOff::new(low::segment(), stack_before - START);
    let frame = Frame {
        es: pxe.pxenv.segment,
        ebx: pxe.pxenv.offset.into(),
        edx: pxe.pxenv.linear(),
        flags: FLAGS,
        next: SegOff::new(0, ENTRY as u16),
        ..Frame::default()
    };
    let return_address = SegOff::new(low::segment(), Symbol::GuestReturned.offset());
    // SAFETY: `push_stack` has reserved the memory, which nothing uses until the program runs.
    unsafe {
        ptr::with_exposed_provenance_mut::<Start>(stack.linear() as usize).write_unaligned(Start {
            frame,
            return_address,
            bang_pxe: pxe.bang_pxe,
        });
    }
    let answer = resume(stack).map(|frame| (frame.eax & 0xffff) as u16);
    low::set_stack(stack_before);
    answer
}

/// Goes on with the program whose frame lies at `stack`, until it leaves again.
fn resume(stack: SegOff) -> Option<Frame> {
    let ebx = u32::from(stack.segment) << 16 | u32::from(stack.offset);
    let mut registers = Registers { ebx, ..Registers::default() };
    // SAFETY: the routine comes back when the program leaves. What the program does to memory is the word of `run`. A
    // call without a limit cannot time out.
    unsafe { realmode::low_call(Symbol::GuestResume.offset(), &mut registers, None) }.ok()?;
    let stack = SegOff::new((registers.ebx >> 16) as u16, registers.ebx as u16);
    let mut bytes = [0; size_of::<Frame>()];
    low::read(stack.linear(), &mut bytes);
    // SAFETY: a frame consists of integers, and there are as many bytes.
    Some(unsafe { ptr::read_unaligned(bytes.as_ptr().cast()) })
}

/// Whether another program has hooked INT 15h after us and left its hook there: then ours is called still.
pub fn is_hooked() -> bool {
    previous() != SegOff::default()
}

fn previous() -> SegOff {
    // SAFETY: the symbol names a variable of this type.
    unsafe { Symbol::GuestInt15Previous.variable::<SegOff>().read() }
}

/// Makes others see as reserved what is ours, while the value lives.
struct Disguise {
    /// What INT 15h answers.
    _table: LowMemory,
}

impl Disguise {
    fn try_new(memory: &PhysicalMemory, entries: &[E820Entry]) -> Option<Self> {
        // The table itself is in base memory that is ours: its room is taken before the mark is known.
        let mut table = LowMemory::allocate(TABLE_LIMIT)?;
        let mut shown = Vec::new();
        let base = PhysRange::new(low::allocated().into(), BASE_END);
        memory.map().shown_to_others(entries, base, &mut |entry| shown.push(entry));
        let extended = memory.map().extended();
        let head = Table {
            count: shown.len() as u32,
            below_16m_kib: extended.below_16m_kib,
            above_16m_blocks: extended.above_16m_blocks,
            above_1m_kib: extended.above_1m_kib,
            reserved: 0,
        };
        let (place, room) = table.bytes_mut().split_at_mut_checked(size_of::<Table>())?;
        if size_of_val(shown.as_slice()) > room.len() {
            return None;
        }
        // SAFETY: the places have room for both, as was seen, and they are integers without padding.
        unsafe {
            place.as_mut_ptr().cast::<Table>().write_unaligned(head);
            ptr::copy_nonoverlapping(
                shown.as_ptr().cast::<u8>(),
                room.as_mut_ptr(),
                size_of_val(shown.as_slice()),
            );
            Symbol::GuestTable.variable::<u16>().write(table.far().segment);
        }
        let handler = SegOff::new(low::segment(), Symbol::GuestInt15.offset());
        // Where another program hooked after us, ours is in the chain still.
        if !is_hooked() {
            // SAFETY: the symbols name the handler, which hands on what it does not answer, and its variable. The low block
            // stays as long as the core, and after it where the hook could not be taken off.
            unsafe {
                Symbol::GuestInt15Previous.variable().write(interrupts::vector(SYSTEM_VECTOR));
                interrupts::set_vector(SYSTEM_VECTOR, handler);
            }
        }
        low::lower_mark();
        Some(Self { _table: table })
    }
}

impl Drop for Disguise {
    fn drop(&mut self) {
        // SAFETY: the symbols name variables of these types, and the handler put back is the one that was found.
        unsafe {
            Symbol::GuestTable.variable::<u16>().write(0);
            let ours = SegOff::new(low::segment(), Symbol::GuestInt15.offset());
            if interrupts::vector(SYSTEM_VECTOR) == ours {
                interrupts::set_vector(SYSTEM_VECTOR, previous());
                Symbol::GuestInt15Previous.variable().write(SegOff::default());
            }
        }
        low::raise_mark();
    }
}
