//! Another real-mode program under us: how it is started, calls up, and comes back.
//!
//! It runs inside a downcall, on a stack of its own in the low block, and leaves that downcall when it calls up; its
//! far return is the last time. Then its registers lie on its stack as a [`Frame`], and the next downcall goes on with
//! them. So no Rust code is ever entered from below: whoever answers is called by [`Program::run`], and may make downcalls.
//! A call up out of one of those, by an interrupt that the program has hooked, is refused.
//!
//! Meanwhile INT 15h tells it of memory from a table that is made before: what is ours is reserved there, and the
//! free-base-memory mark (INT 12h) lies below all that we have of base memory.

use alloc::vec::Vec;
use base::boot_info::{E820Entry, ENTRY_STACK_SAVED};
use base::{PhysRange, SegOff};
use core::mem::offset_of;
use core::ptr;
use memmap::MemoryMap;
use static_assertions::const_assert_eq;

use crate::interrupts::Chained;
use crate::low::{self, LowMemory, Symbol};
use crate::power;
use crate::realmode::{self, Registers};

base::assembly!(
    "guest.S",
    GUEST_RETURNED = RETURNED,
    GUEST_BY_STACK = BY_STACK,
    GUEST_BY_REGISTERS = BY_REGISTERS,
    GUEST_FAILURE = FAILURE,
    FRAME_EAX = offset_of!(Frame, eax),
    FRAME_REASON = offset_of!(Frame, reason),
    FRAME_ARGUMENTS = ARGUMENTS,
    FRAME_FLAGS = offset_of!(Frame, flags),
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
/// Bytes from a segment to the next one.
const PARAGRAPH: usize = 16;
/// The most bytes that the table of memory takes.
pub const TABLE_LIMIT: usize = 0xc00;
/// Interrupts are open, and all other flags as after a reset.
const FLAGS: u32 = 1 << 9 | 1 << 1;
/// Interrupt vectors and BIOS data end here.
const BIOS_DATA_END: u64 = 0x500;
/// Base memory ends here.
const BASE_END: u64 = 0xa_0000;

/// Why a program has left its downcall: it returned, or it called up by one of two conventions.
const RETURNED: u32 = 0;
const BY_STACK: u32 = 1;
const BY_REGISTERS: u32 = 2;
/// PXENV_EXIT_FAILURE (PXE 2.1 section 3.2).
const FAILURE: u16 = 1;

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

const_assert_eq!(size_of::<Frame>(), ARGUMENTS as usize);

/// What lies on the stack of a program that begins: on top its registers, then what it finds there itself.
#[derive(Clone, Copy, Debug)]
#[repr(C)]
struct Start {
    frame: Frame,
    return_address: SegOff,
    bang_pxe: SegOff,
}

const START: u16 = 60;
/// From a frame to the words that its program has pushed before it called.
const ARGUMENTS: u16 = 52;
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

/// A call up.
#[derive(Clone, Copy, Debug)]
pub struct Call {
    /// What is asked.
    pub opcode: u16,
    /// Where its parameters are.
    pub parameters: SegOff,
    /// Set for a call in protected mode: segments are selectors then.
    pub protected: Option<Protected>,
}

/// What selectors mean to a program that calls in protected mode.
#[derive(Clone, Copy, Debug)]
pub struct Protected {
    /// Its GDT.
    pub table: PhysRange,
    /// Its selector for its LDT, null if it has none.
    pub local: u16,
    /// Its selector for the low block's code.
    pub code: u16,
}

/// What becomes of a call up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Answer {
    /// It returns with this in AX, and with carry if that is not 0.
    Return(u16),
    /// Another program is at [`ENTRY`] and is entered as this one was, which is never gone on with.
    Restart,
    /// The program has ended as if it had returned with this in AX.
    End(u16),
}

/// Who answers calls up.
pub type Services<'a> = dyn FnMut(Call, &mut Memory<'_>) -> Answer + 'a;

/// The entry point whose parameters are on the stack, for `!PXE`: in real mode, and in 16-bit protected mode with a 16-bit
/// stack.
pub fn entry_by_stack() -> SegOff {
    SegOff::new(low::segment(), Symbol::GuestCallByStack.offset())
}

/// The same for 16-bit protected mode with a 32-bit stack. The selector is the caller's.
pub fn protected_entry() -> SegOff {
    SegOff::new(0, Symbol::GuestCallProtected.offset())
}

/// The entry point whose parameters are in registers, for `PXENV+`.
pub fn entry_by_registers() -> SegOff {
    SegOff::new(low::segment(), Symbol::GuestCallByRegisters.offset())
}

/// The network boot program at [`ENTRY`], and what it finds as long as this value lives.
///
/// It may do with the machine what it likes, except to memory that it is told is reserved; it is trusted in that, like
/// any kernel.
pub struct Program<'a> {
    pxe: Pxe,
    map: MemoryMap,
    disguise: Disguise<'a>,
}

/// Base memory for the table by which INT 15h answers a program. It is taken before a PXE stack of ours is: programs free
/// all that lies between the mark and the PXE stack they were started by, as iPXE's `.kpxe` does.
pub struct TableRoom {
    /// [`TABLE_LIMIT`] bytes.
    pub(crate) memory: LowMemory,
    /// Paragraphs of it that the table leaves to something else.
    taken: u16,
}

impl TableRoom {
    /// None if base memory has no room.
    pub fn try_new() -> Option<Self> {
        Some(Self { memory: LowMemory::allocate_data(TABLE_LIMIT)?, taken: 0 })
    }

    /// The first so many paragraphs, and their segment, for what the program is to find; the table goes behind them.
    pub fn take(&mut self, paragraphs: u16) -> (u16, &mut [u8]) {
        self.taken = paragraphs;
        let length = usize::from(paragraphs) * PARAGRAPH;
        (self.memory.far().segment, self.memory.bytes_mut().get_mut(..length).unwrap_or_default())
    }
}

impl<'a> Program<'a> {
    /// None if base memory has no room for what it is to be told. `entries` is the BIOS's map of memory, `map` says what
    /// of it is free for the program. Where `pxe` is ours, INT 1Ah tells of it.
    pub fn try_new(
        table: &'a mut TableRoom,
        pxe: Pxe,
        is_ours: bool,
        map: MemoryMap,
        entries: &[E820Entry],
    ) -> Option<Self> {
        let pxenv = if is_ours { pxe.pxenv } else { SegOff::default() };
        let disguise = Disguise::try_new(table, &map, entries, pxenv)?;
        Some(Self { pxe, map, disguise })
    }

    /// Runs it until it returns; AX is its answer. None if it has no room for its stack, or its stack is none any more.
    /// Without `services`, nobody answers calls.
    pub fn run(self, mut services: Option<&mut Services<'_>>) -> Option<u16> {
        let (stack_before, bottom) = low::push_stack(STACK)?;
        let place = u64::from(low::linear());
        let own = PhysRange::new(place + u64::from(bottom), place + u64::from(stack_before));
        let mut memory = Memory { map: &self.map, stack: own };
        let (mut place, mut ax) = (Place::Stack(begin(self.pxe, stack_before)), 0);
        let answer = loop {
            let call = match resume(&mut place, ax) {
                None => break None,
                Some(Left::Returned(status)) => break Some(status),
                Some(Left::Called(call)) => call,
            };
            let answer = call.zip(services.as_mut()).map(|(call, services)| services(call, &mut memory));
            match answer.unwrap_or(Answer::Return(FAILURE)) {
                Answer::Return(status) => ax = status,
                Answer::End(status) => break Some(status),
                Answer::Restart => (place, ax) = (Place::Stack(begin(self.pxe, stack_before)), 0),
            }
        };
        low::set_stack(stack_before);
        answer
    }

    /// Goes on with the program that has called our ROM's UNDI loader, and stays beneath it. `stack` is its stack as
    /// the prefix left it; the loader finds AX = 0, ES:BX and EDX leading to `PXENV+` and `!PXE`. It answers calls until
    /// one has released us: then nothing of ours is hooked any more, and whoever calls still is refused.
    ///
    /// All base memory that is not ours counts as the program's.
    pub fn stay(self, stack: SegOff, services: &mut ResidentServices<'_>) -> ! {
        let Self { pxe, map, disguise } = self;
        let mut disguise = Some(disguise);
        let end = u64::from(low::found_base_memory_kib()) * 1024;
        let mut memory = Memory { map: &map, stack: PhysRange::new(end, BASE_END) };
        adopt(pxe, stack);
        let (mut place, mut ax) = (Place::Stack(stack), 0);
        loop {
            ax = match resume(&mut place, ax) {
                Some(Left::Called(Some(call))) if disguise.is_some() => {
                    let (status, stays) = services(call, &mut memory);
                    if !stays {
                        // The mark is the program's.
                        let mark = low::base_memory_kib();
                        disguise = None;
                        low::set_base_memory_kib(mark);
                    }
                    status
                }
                Some(_) => FAILURE,
                // There is no way back to it.
                None => power::reboot_soon(),
            };
        }
    }
}

/// Who answers the calls of a program that we stay beneath: with AX, and whether we still do afterwards.
pub type ResidentServices<'a> = dyn FnMut(Call, &mut Memory<'_>) -> (u16, bool) + 'a;

/// Makes a frame of what the prefix has saved on the stack of the program that called the UNDI loader.
fn adopt(pxe: Pxe, stack: SegOff) {
    let mut bytes = [0; size_of::<Frame>()];
    low::read(stack.linear(), &mut bytes);
    // The magic number goes; the reason for leaving, which nobody reads, is new. Flags and return address stay.
    bytes.copy_within(size_of::<u32>()..offset_of!(Frame, flags), 0);
    // SAFETY: a frame consists of integers, and there are as many bytes. Those on the stack are the prefix's, and the
    // return address, which stays.
    unsafe {
        let saved: Frame = ptr::read_unaligned(bytes.as_ptr().cast());
        let bang_pxe = u32::from(pxe.bang_pxe.segment) << 16 | u32::from(pxe.bang_pxe.offset);
        ptr::with_exposed_provenance_mut::<Frame>(stack.linear() as usize).write_unaligned(Frame {
            es: pxe.pxenv.segment,
            ebx: pxe.pxenv.offset.into(),
            edx: bang_pxe,
            ..saved
        });
    }
}

// The flags are on top of both.
const_assert_eq!(offset_of!(Frame, flags) + size_of::<u32>(), ENTRY_STACK_SAVED as usize);

/// Puts the stack of a program that begins below `top` in the low block.
fn begin(pxe: Pxe, top: u16) -> SegOff {
    let stack = SegOff::new(low::segment(), top - START);
    let frame = Frame {
        es: pxe.pxenv.segment,
        ebx: pxe.pxenv.offset.into(),
        edx: pxe.pxenv.linear(),
        flags: FLAGS,
        next: SegOff::new(0, ENTRY as u16),
        ..Frame::default()
    };
    let return_address = SegOff::new(low::segment(), Symbol::GuestReturned.offset());
    // SAFETY: `run` has reserved the memory for the program, which does not run now.
    unsafe {
        ptr::with_exposed_provenance_mut::<Start>(stack.linear() as usize).write_unaligned(Start {
            frame,
            return_address,
            bang_pxe: pxe.bang_pxe,
        });
    }
    stack
}

/// Where a program goes on.
#[derive(Clone, Copy)]
enum Place {
    /// In real mode, with the frame that lies there.
    Stack(SegOff),
    /// In protected mode, where the assembly knows.
    Protected,
}

/// How a program has left.
enum Left {
    Returned(u16),
    /// None for a call by a convention that its mode has not.
    Called(Option<Call>),
}

/// Goes on with the program at `place`, which is told `ax`, until it leaves again, and says where it is then. None if its
/// stack is no stack any more.
fn resume(place: &mut Place, ax: u16) -> Option<Left> {
    let (routine, ebx) = match place {
        Place::Stack(stack) => {
            (Symbol::GuestResume, u32::from(stack.segment) << 16 | u32::from(stack.offset))
        }
        Place::Protected => (Symbol::GuestResumeProtected, 0),
    };
    let mut registers = Registers { eax: ax.into(), ebx, edx: (ax != 0).into(), ..Registers::default() };
    // SAFETY: the routine comes back when the program leaves, and a program that goes on in protected mode has left it so.
    // What the program does to memory is the word of `Program`. A call without a limit cannot time out.
    unsafe { realmode::low_call(routine.offset(), &mut registers, None) }.ok()?;
    let halves = |register: u32| ((register >> 16) as u16, register as u16);
    let (high, low) = halves(registers.ebx);
    if registers.eax == 0 {
        *place = Place::Protected;
        let (local, limit) = halves(registers.edi);
        let call = Call {
            opcode: low,
            parameters: SegOff::new(halves(registers.edx).1, high),
            protected: Some(Protected {
                table: PhysRange::with_length(registers.esi.into(), u64::from(limit) + 1),
                local,
                code: halves(registers.ebp).1,
            }),
        };
        return Some(Left::Called(Some(call).filter(|_| registers.ecx == BY_STACK)));
    }
    let stack = SegOff::new(high, low);
    *place = Place::Stack(stack);
    // A frame that goes round the end of its segment, or beyond 1 MiB, cannot be gone on with.
    stack.offset.checked_add(ARGUMENTS)?;
    let mut bytes = [0; size_of::<Frame>()];
    if stack.linear() + u32::from(ARGUMENTS) > 1 << 20 {
        return None;
    }
    low::read(stack.linear(), &mut bytes);
    // SAFETY: a frame consists of integers, and there are as many bytes.
    let frame: Frame = unsafe { ptr::read_unaligned(bytes.as_ptr().cast()) };
    let (opcode, parameters) = match frame.reason {
        BY_STACK => {
            let parameters = SegOff::new(word(stack, ARGUMENTS + 4), word(stack, ARGUMENTS + 2));
            (word(stack, ARGUMENTS), parameters)
        }
        BY_REGISTERS => (halves(frame.ebx).1, SegOff::new(frame.es, halves(frame.edi).1)),
        _ => return Some(Left::Returned(halves(frame.eax).1)),
    };
    Some(Left::Called(Some(Call { opcode, parameters, protected: None })))
}

/// A word on a program's stack.
fn word(stack: SegOff, distance: u16) -> u16 {
    let mut bytes = [0; 2];
    low::read(SegOff::new(stack.segment, stack.offset.wrapping_add(distance)).linear(), &mut bytes);
    u16::from_le_bytes(bytes)
}

/// Memory as a program may have it changed.
#[derive(Debug)]
pub struct Memory<'a> {
    map: &'a MemoryMap,
    /// The part of our stack that is the program's, or all that is above ours.
    stack: PhysRange,
}

impl Memory<'_> {
    /// The part of our base memory that is the program's stack, or what is above ours where we stay beneath it.
    pub fn stack(&self) -> PhysRange {
        self.stack
    }

    /// Copies from memory below 1 MiB, or from free memory above; false, and nothing copied, if it is other memory.
    pub fn read(&self, address: u32, into: &mut [u8]) -> bool {
        let range = PhysRange::with_length(address.into(), into.len() as u64);
        if range.end() <= 1 << 20 {
            low::read(address, into);
            return true;
        }
        let is_free = self.is_free(range);
        if is_free {
            let from = ptr::with_exposed_provenance::<u8>(address as usize);
            // SAFETY: free memory below 4 GiB is mapped one to one, and no part of ours.
            unsafe { ptr::copy_nonoverlapping(from, into.as_mut_ptr(), into.len()) }
        }
        is_free
    }

    /// Copies to memory that is not ours: free base memory, the program's stack, or free memory above 1 MiB. False, and
    /// nothing copied, if it is other memory.
    pub fn write(&mut self, address: u32, data: &[u8]) -> bool {
        let range = PhysRange::with_length(address.into(), data.len() as u64);
        let base = PhysRange::new(BIOS_DATA_END, low::allocated().into());
        let is_free = base.contains(range) || self.stack.contains(range) || self.is_free(range);
        if is_free {
            let to = ptr::with_exposed_provenance_mut::<u8>(address as usize);
            // SAFETY: this memory is mapped one to one, and nothing of ours lies in it.
            unsafe { ptr::copy_nonoverlapping(data.as_ptr(), to, data.len()) }
        }
        is_free
    }

    fn is_free(&self, range: PhysRange) -> bool {
        range.start() >= 1 << 20 && range.end() <= 1 << 32 && self.map.is_usable(range)
    }
}

/// Whether another program has hooked one of our vectors after us and left its hook there: then ours is called still.
pub(crate) fn is_hooked() -> bool {
    HOOKS.iter().any(Chained::is_chained)
}

/// Vectors that lead to us while a program runs, in the order in which they are hooked.
const HOOKS: [Chained; 2] = [
    Chained { vector: 0x15, handler: Symbol::GuestInt15, previous: Symbol::GuestInt15Previous },
    Chained { vector: 0x1a, handler: Symbol::GuestInt1a, previous: Symbol::GuestInt1aPrevious },
];

/// Tells others that what is ours is reserved, as long as the value lives.
pub fn hide<'a>(table: &'a mut TableRoom, map: &MemoryMap, entries: &[E820Entry]) -> Option<Disguise<'a>> {
    Disguise::try_new(table, map, entries, SegOff::default())
}

/// Takes our handlers off where nobody has hooked over them; where they stay, they tell nothing any more.
pub(crate) fn unhook() {
    HOOKS.iter().rev().for_each(Chained::unhook);
    // SAFETY: the symbols name variables of these types.
    unsafe {
        Symbol::GuestTable.variable::<u16>().write(0);
        Symbol::GuestPxenv.variable::<SegOff>().write(SegOff::default());
    }
}

/// Whether nobody has hooked over us.
pub fn is_on_top() -> bool {
    HOOKS.iter().all(Chained::is_on_top)
}

/// Makes others see as reserved what is ours, while the value lives.
pub struct Disguise<'a> {
    /// What INT 15h answers.
    _table: &'a LowMemory,
}

impl<'a> Disguise<'a> {
    fn try_new(
        TableRoom { memory, taken }: &'a mut TableRoom,
        map: &MemoryMap,
        entries: &[E820Entry],
        pxenv: SegOff,
    ) -> Option<Self> {
        let mut shown = Vec::new();
        let base = PhysRange::new(low::allocated().into(), BASE_END);
        map.shown_to_others(entries, base, &mut |entry| shown.push(entry));
        let extended = map.extended();
        let head = Table {
            count: shown.len() as u32,
            below_16m_kib: extended.below_16m_kib,
            above_16m_blocks: extended.above_16m_blocks,
            above_1m_kib: extended.above_1m_kib,
            reserved: 0,
        };
        let segment = memory.far().segment + *taken;
        let room = memory.bytes_mut().get_mut(usize::from(*taken) * PARAGRAPH..)?;
        let (place, room) = room.split_at_mut_checked(size_of::<Table>())?;
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
            Symbol::GuestTable.variable::<u16>().write(segment);
            Symbol::GuestPxenv.variable::<SegOff>().write(pxenv);
        }
        HOOKS.iter().for_each(Chained::hook);
        low::lower_mark();
        Some(Self { _table: memory })
    }
}

impl Drop for Disguise<'_> {
    fn drop(&mut self) {
        unhook();
        low::raise_mark();
    }
}
