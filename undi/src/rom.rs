//! The vendor's ROM on the bare machine: calls, the pump, the interrupt handler. All unsafe code of the crate.
//!
//! What a ROM's code does to memory cannot be proven. The blocks below are given to it, or to the assembly of
//! pump.S; everything else of ours it is trusted, like any BIOS service, not to touch.
#![allow(unsafe_code, reason = "calling 16-bit code; the rest of the crate sees the trait `Rom` only")]

use crate::abi::{self, Opcode, StartUndi, Status, UndiLoader};
use crate::control::{
    self, BLOCK_LENGTH, PumpControl, RECEIVE_SLOTS, SLOT_LENGTH, TRANSMIT_SLOTS, TransmitBlock,
};
use crate::driver::{Order, Outcome, Rom};
use crate::errors;
use crate::find::{Hints, Memory, VendorStack, Way, find};
use crate::option_rom::{self, OptionRom};
use alloc::string::String;
use alloc::vec::Vec;
use base::boot_info::BootInfo;
use base::{Duration, Error, MacAddress, SegOff};
use core::mem::{ManuallyDrop, offset_of};
use hw::guest::TableRoom;
use hw::interrupts::{self, Hook};
use hw::low::{self, LowMemory};
use hw::memory::PhysicalMemory;
use hw::realmode::{self, Registers};
use hw::{bios, clock, pic, vector_copy};
use zerocopy::{FromBytes, IntoBytes};

base::assembly!(
    "pump.S",
    PUMP_ENTRY = offset_of!(PumpControl, entry),
    PUMP_STAMP = offset_of!(PumpControl, stamp),
    PUMP_LIMIT = offset_of!(PumpControl, limit),
    PUMP_QUIET = offset_of!(PumpControl, quiet),
    PUMP_CANARY = offset_of!(PumpControl, canary),
    PUMP_CANARY_PLACE = vector_copy::CANARY,
    PUMP_SAVED_SP = offset_of!(PumpControl, saved_sp),
    PUMP_CALLS = offset_of!(PumpControl, calls),
    PUMP_ROUNDS = offset_of!(PumpControl, rounds),
    PUMP_ROOM = offset_of!(PumpControl, room),
    PUMP_WRITE = offset_of!(PumpControl, write),
    PUMP_SLOT_COUNT = offset_of!(PumpControl, slot_count),
    PUMP_PART = offset_of!(PumpControl, part),
    PUMP_PART_TOTAL = offset_of!(PumpControl, part_total),
    PUMP_FRAMES = offset_of!(PumpControl, frames),
    PUMP_DROPPED = offset_of!(PumpControl, dropped),
    PUMP_COMPLETED = offset_of!(PumpControl, completed),
    PUMP_TRANSMIT_NEXT = offset_of!(PumpControl, transmit_next),
    PUMP_TRANSMIT_LEFT = offset_of!(PumpControl, transmit_left),
    PUMP_TAKEN = offset_of!(PumpControl, taken),
    PUMP_REFUSED = offset_of!(PumpControl, refused),
    PUMP_INTERRUPTS = offset_of!(PumpControl, interrupts),
    PUMP_STRANGE = offset_of!(PumpControl, strange),
    PUMP_MASK_PORT = offset_of!(PumpControl, mask_port),
    PUMP_MASK_BIT = offset_of!(PumpControl, mask_bit),
    PUMP_LINE_OPEN = offset_of!(PumpControl, line_open),
    PUMP_LINE_WANTED = offset_of!(PumpControl, line_wanted),
    PUMP_LINE_LOST = offset_of!(PumpControl, line_lost),
    PUMP_STUB = offset_of!(PumpControl, stub),
    PUMP_BUSY = offset_of!(PumpControl, busy),
    PUMP_UNFINISHED = offset_of!(PumpControl, unfinished),
    PUMP_TRIGGERED = offset_of!(PumpControl, triggered),
    PUMP_PROCESS_FIRST = offset_of!(PumpControl, process_first),
    PUMP_ISR = offset_of!(PumpControl, isr),
    PUMP_ISR_FUNCTION = offset_of!(PumpControl, isr.function),
    PUMP_ISR_BUFFER_LENGTH = offset_of!(PumpControl, isr.buffer_length),
    PUMP_ISR_FRAME_LENGTH = offset_of!(PumpControl, isr.frame_length),
    PUMP_ISR_FRAME = offset_of!(PumpControl, isr.frame),
    PUMP_HANDLER_ISR = offset_of!(PumpControl, handler_isr),
    PUMP_HANDLER_ISR_FUNCTION = offset_of!(PumpControl, handler_isr.function),
    PUMP_LENGTHS = offset_of!(PumpControl, lengths),
    PUMP_SLOTS = offset_of!(PumpControl, slots),
    PUMP_TRANSMIT = offset_of!(PumpControl, transmit),
    PUMP_TRANSMIT_BLOCK = size_of::<TransmitBlock>(),
    PUMP_TRANSMIT_SLOTS = TRANSMIT_SLOTS,
    PUMP_SLOT_LENGTH = SLOT_LENGTH,
    PUMP_STRANGE_LIMIT = STRANGE_LIMIT,
    PUMP_UNDI_TRANSMIT = Opcode::TRANSMIT.0,
    PUMP_UNDI_ISR = Opcode::ISR.0,
    PUMP_OUT_OF_RESOURCES = Status::OUT_OF_RESOURCES.0,
    PUMP_ISR_START = abi::ISR_START,
    PUMP_ISR_PROCESS = abi::ISR_PROCESS,
    PUMP_ISR_GET_NEXT = abi::ISR_GET_NEXT,
    PUMP_ISR_OURS = abi::ISR_OURS,
    PUMP_ISR_RECEIVE = abi::ISR_RECEIVE,
    PUMP_ISR_TRANSMIT = abi::ISR_TRANSMIT,
);

/// Interrupts in one downcall that are not the card's before the line is given up.
const STRANGE_LIMIT: u16 = 8;
/// The longest that a call may take: some wait for the link.
const CALL_LIMIT: Duration = Duration::from_secs(15);
/// The longest that a downcall of the pump may take, which by itself is through in milliseconds.
const PUMP_LIMIT: Duration = Duration::from_secs(3);
/// Receive slots in one block of memory below 1 MiB.
const SLOTS_PER_BLOCK: usize = 32;
/// Offsets of fields of the shared block, which is far below 64 KiB long.
#[allow(clippy::cast_possible_truncation, reason = "see BLOCK_LENGTH")]
const PARAMETERS: u16 = offset_of!(PumpControl, parameters) as u16;
#[allow(clippy::cast_possible_truncation, reason = "see BLOCK_LENGTH")]
const SCRATCH: u16 = offset_of!(PumpControl, scratch) as u16;
/// Where the BIOS's own handlers are.
const BIOS_SEGMENT: u16 = 0xf000;

unsafe extern "C" {
    /// Offsets in the low block: `undi_attach`, `undi_pump`, `undi_interrupt`.
    static undi_routines: [u16; 3];
}

/// Memory below 1 MiB.
#[derive(Clone, Copy, Debug)]
pub struct BaseMemory;

impl Memory for BaseMemory {
    fn read(&self, address: u32, into: &mut [u8]) -> bool {
        low::read(address, into);
        u32::try_from(into.len()).ok().and_then(|length| address.checked_add(length)) <= Some(0x10_0000)
    }
}

/// Finds the stack of the ROM that started us; else what was found and is not sound.
pub fn locate(info: &BootInfo) -> Result<VendorStack, Vec<String>> {
    find(
        &BaseMemory,
        &Hints {
            stack: info.entry_stack_pointer,
            es_bx: info.entry_es_bx,
            int_1a: bios::pxe_installation_check(),
            free_end: free_end(),
        },
    )
}

/// Where free base memory ended when we came, and an UNDI that was loaded since begins.
fn free_end() -> u32 {
    u32::from(low::found_base_memory_kib()) * 1024
}

/// Loads the UNDI of an option ROM for the card at that place, into base memory that is taken for good, and starts it.
/// Meanwhile it is told that our memory is reserved; what it hides of the rest is left to it. `info` is what `memory` was
/// made of, `announce` is as in [`VendorRom::try_new`].
pub fn load(
    rom: &OptionRom,
    bus_device_function: u16,
    memory: &mut PhysicalMemory,
    info: &BootInfo,
    announce: fn(&'static str),
) -> Result<(VendorStack, VendorRom), Error> {
    let allocate = |length: u16| LowMemory::allocate(length.into()).ok_or_else(|| errors::NO_MEMORY.error());
    // In this order: what is freed later is freed from below, and some have only a stack in their data.
    let data = allocate(rom.data_size)?;
    let code = allocate(rom.code_size)?;
    let mut parameters = ManuallyDrop::new(allocate(LOADER_LENGTH)?);
    let mut table = TableRoom::try_new().ok_or_else(|| errors::NO_MEMORY.error())?;
    let hidden = memory.hide(&mut table, info).ok_or_else(|| errors::NO_MEMORY.error())?;
    let plug_and_play = plug_and_play();
    let mut start = StartUndi {
        status: 0.into(),
        ax: bus_device_function.into(),
        bx: u16::MAX.into(),
        dx: u16::MAX.into(),
        di: plug_and_play.offset.into(),
        es: plug_and_play.segment.into(),
    };
    let loader = UndiLoader {
        start,
        data_segment: data.far().segment.into(),
        code_segment: code.far().segment.into(),
        ..UndiLoader::default()
    };
    parameters.bytes_mut().copy_from_slice(loader.as_bytes());
    let far = parameters.far();
    let segments = [data.far().segment, code.far().segment, low::segment()];
    let taken = option_rom::taken(segments, info.base_memory_kib);
    data.leave();
    code.leave();
    announce(LOADER);
    let mut registers = Registers::default();
    // SAFETY: the loader comes from a ROM with the right signatures and checksums. It returns far (PXE 2.1 section
    // 3.1), and is given the two segments, which nobody else has, and the parameters to write to.
    let answer = unsafe {
        realmode::far_call(rom.loader, &mut registers, &[far.offset, far.segment], Some(CALL_LIMIT))
    };
    drop(hidden);
    if answer.is_err() {
        // It may go on writing to its parameters, which therefore stay.
        return Err(errors::HANGS.of(LOADER));
    }
    memory.heed_bios(&mut table);
    drop(table);
    let loader = UndiLoader::read_from_bytes(parameters.bytes()).unwrap_or_default();
    // SAFETY: the parameters are not used after this.
    unsafe { ManuallyDrop::drop(&mut parameters) };
    let is_loaded = registers.ax() == 0 && loader.start.status == 0;
    let hints = Hints {
        stack: loader.bang_pxe.into(),
        es_bx: loader.pxenv.into(),
        int_1a: None,
        free_end: free_end(),
    };
    let Some(stack) = find(&BaseMemory, &hints).ok().filter(|_| is_loaded) else {
        return Err(errors::REFUSED.of(LOADER));
    };
    let mut rom = VendorRom::try_new(&stack, announce)?;
    match rom.call(Opcode::START_UNDI, start.as_mut_bytes())? {
        Status::SUCCESS => {
            let stack = VendorStack { way: Way::Loader, undi: taken, base_code: <_>::default(), ..stack };
            Ok((stack, rom))
        }
        status => Err(errors::refused(&errors::REFUSED, Opcode::START_UNDI, status)),
    }
}

/// What is announced when an UNDI is loaded.
const LOADER: &str = "its UNDI loader";
#[allow(clippy::cast_possible_truncation, reason = "24 bytes")]
const LOADER_LENGTH: u16 = size_of::<UndiLoader>() as u16;

/// Where the BIOS has its Plug and Play installation check structure (PnP BIOS Specification 1.0A, section 4.4).
fn plug_and_play() -> SegOff {
    let mut signature = [0; 4];
    let has_it = |offset: &u16| {
        BaseMemory.read(u32::from(BIOS_SEGMENT) * 16 + u32::from(*offset), &mut signature);
        signature == *b"$PnP"
    };
    SegOff::new(BIOS_SEGMENT, (0..0xfff0).step_by(16).find(has_it).unwrap_or(u16::MAX))
}

/// The vendor's ROM, with the memory that its driver and ours share.
#[derive(Debug)]
pub struct VendorRom {
    entry: SegOff,
    block: ManuallyDrop<LowMemory>,
    rings: Vec<LowMemory>,
    hook: Option<(Hook, u8)>,
    announce: fn(&'static str),
    /// A call did not come back.
    dead: bool,
}

impl VendorRom {
    /// Takes the memory for the frames: 32 slots at least, 64 if there is room. The name of each call is handed to
    /// `announce` before it is made: a call that hangs with interrupts off cannot be left.
    pub fn try_new(stack: &VendorStack, announce: fn(&'static str)) -> Result<Self, Error> {
        let allocate = |length| LowMemory::allocate(length).ok_or_else(|| errors::NO_MEMORY.error());
        let block = ManuallyDrop::new(allocate(BLOCK_LENGTH)?);
        let mut rom =
            Self { entry: stack.entry, block, rings: Vec::new(), hook: None, announce, dead: false };
        rom.rings.push(allocate(SLOTS_PER_BLOCK * SLOT_LENGTH)?);
        rom.rings.extend(LowMemory::allocate(SLOTS_PER_BLOCK * SLOT_LENGTH));
        let count = rom.receive_slots();
        let control = control(&mut rom.block)?;
        let mut slots = control.slots.iter_mut();
        for ring in &rom.rings {
            let offsets = (0..=u16::MAX).step_by(SLOT_LENGTH).take(SLOTS_PER_BLOCK);
            for (offset, slot) in offsets.zip(&mut slots) {
                *slot = SegOff::new(ring.far().segment, offset).into();
            }
        }
        control.slot_count = u16::try_from(count).unwrap_or(0);
        control.entry = stack.entry.into();
        rom.attach(SegOff::default());
        Ok(rom)
    }

    /// Tells the assembly which block is shared, and, where it is not null, which handler was there before ours.
    fn attach(&self, old: SegOff) {
        let mut registers = Registers {
            es: self.block.far().segment,
            edx: u32::from(old.segment) << 16 | u32::from(old.offset),
            ..Registers::default()
        };
        // SAFETY: the first routine of the table is `undi_attach`, a near routine that writes two variables of its
        // own and returns. A call without a limit cannot time out.
        let _ = unsafe { realmode::low_call(routine(0), &mut registers, None) };
    }

    /// Gives back the memory for frames: calls can be made still, but no frame is moved any more.
    pub fn give_frames_back(&mut self) {
        // Memory goes back youngest first.
        while self.rings.pop().is_some() {}
        if let Ok(control) = control(&mut self.block) {
            control.slot_count = 0;
        }
    }

    fn hangs(&mut self, call: &'static str) -> Error {
        self.dead = true;
        if let Some((_, line)) = self.hook {
            pic::mask(line);
        }
        // The card may be at work still; what this call has hooked is there by right.
        vector_copy::take();
        errors::HANGS.of(call)
    }
}

/// The handler stays in the vector table where somebody hooked after us, and a call that was abandoned may go on
/// writing: then the block is never given back.
impl Drop for VendorRom {
    fn drop(&mut self) {
        self.give_frames_back();
        if self.hook.is_none() && !self.dead {
            // SAFETY: the block is not used after this, the value is being dropped.
            unsafe { ManuallyDrop::drop(&mut self.block) };
        }
    }
}

impl Memory for VendorRom {
    fn read(&self, address: u32, into: &mut [u8]) -> bool {
        BaseMemory.read(address, into)
    }
}

impl Rom for VendorRom {
    fn call(&mut self, opcode: Opcode, parameters: &mut [u8]) -> Result<Status, Error> {
        if self.dead {
            return Err(errors::HANGS.of(opcode.name()));
        }
        let segment = self.block.far().segment;
        let control = control(&mut self.block)?;
        let Some(shared) = control.parameters.get_mut(..parameters.len()) else {
            return Ok(Status::UNSUPPORTED);
        };
        (self.announce)(opcode.name());
        shared.copy_from_slice(parameters);
        control.busy = 1;
        vector_copy::take();
        let offset = PARAMETERS;
        let mut registers = Registers {
            ebx: opcode.0.into(),
            edi: offset.into(),
            es: segment,
            ds: segment,
            ..Registers::default()
        };
        // SAFETY: the entry point comes from a structure with the right signature, length and checksum, and is
        // called by both conventions of PXE 2.1; it returns far and is given the shared block to write to.
        let answer = unsafe {
            realmode::far_call(self.entry, &mut registers, &[opcode.0, offset, segment], Some(CALL_LIMIT))
        };
        if answer.is_err() {
            return Err(self.hangs(opcode.name()));
        }
        vector_copy::forget();
        let control = self::control(&mut self.block)?;
        control.busy = 0;
        // The exit code is in AX.
        let exit = registers.eax & 0xffff;
        let shared = control.parameters.get(..parameters.len()).unwrap_or_default();
        parameters.copy_from_slice(shared);
        let status = parameters.first_chunk().map_or(0, |status| u16::from_le_bytes(*status));
        Ok(match (exit, status) {
            (0, status) => Status(status),
            (_, 0) => Status::FAILURE,
            (_, status) => Status(status),
        })
    }

    fn scratch(&self) -> (SegOff, &[u8]) {
        let start = usize::from(SCRATCH);
        let bytes = self.block.bytes().get(start..start + SLOT_LENGTH).unwrap_or_default();
        (SegOff::new(self.block.far().segment, SCRATCH), bytes)
    }

    fn set_entry(&mut self, entry: SegOff) {
        self.entry = entry;
        if let Ok(control) = control(&mut self.block) {
            control.entry = entry.into();
        }
    }

    fn hook(&mut self, line: u8) {
        let vector = if line < 8 { 0x08 + line } else { 0x68 + line };
        let old = interrupts::vector(vector);
        let Ok(control) = control(&mut self.block) else { return };
        control.mask_port = if line < 8 { 0x21 } else { 0xa1 };
        control.mask_bit = 1 << (line & 7);
        // Nobody but our handler is to be called by the card, and that by the pump's leave only (field note A3).
        pic::mask(line);
        control.line_open = 0;
        control.line_lost = 0;
        // A second time it would be called by itself.
        if self.hook.is_some() || interrupts::is_hooked() {
            return;
        }
        control.stub = u8::from(old.segment == BIOS_SEGMENT);
        self.attach(old);
        // SAFETY: the third routine of the table is `undi_interrupt`, an interrupt handler. The low block stays as
        // long as the core, and the shared block until the hook is off.
        self.hook = Some((unsafe { interrupts::hook(vector, routine(2)) }, line));
    }

    fn unhook(&mut self) -> bool {
        let Some((hook, line)) = self.hook.take() else { return true };
        if let Err(hook) = hook.remove() {
            self.hook = Some((hook, line));
            return false;
        }
        if let Ok(control) = control(&mut self.block) {
            // So the pump leaves the line alone.
            (control.mask_port, control.line_open) = (0, 0);
        }
        true
    }

    fn receive_slots(&self) -> usize {
        (self.rings.len() * SLOTS_PER_BLOCK).min(RECEIVE_SLOTS)
    }

    fn frame(&self, slot: usize) -> &[u8] {
        let Ok((control, _)) = PumpControl::ref_from_prefix(self.block.bytes()) else { return &[] };
        let start = slot % SLOTS_PER_BLOCK * SLOT_LENGTH;
        let ring = self.rings.get(slot / SLOTS_PER_BLOCK);
        ring.and_then(|ring| ring.bytes().get(start..start + control.length(slot))).unwrap_or_default()
    }

    fn load(&mut self, slot: usize, frame: &[u8], station: MacAddress) -> bool {
        let segment = self.block.far().segment;
        control::load(self.block.bytes_mut(), segment, slot, frame, station.0)
    }

    fn reset(&mut self) {
        if let Ok(control) = control(&mut self.block) {
            control.write = 0;
            control.transmit_next = 0;
            control.part = 0;
            control.unfinished = 0;
            control.triggered = 0;
        }
    }

    fn pump(&mut self, order: &Order) -> Result<Outcome, Error> {
        if self.dead {
            return Err(errors::HANGS.of(Opcode::ISR.name()));
        }
        let segment = self.block.far().segment;
        let control = control(&mut self.block)?;
        control.give(order, clock::ticks_per_microsecond());
        control.canary = vector_copy::take();
        let mut registers = Registers { es: segment, ..Registers::default() };
        // SAFETY: the second routine of the table is `undi_pump`. It writes to the shared block and to the slots
        // that `try_new` put into it, all of them `LowMemory` of this value, and calls the ROM as `call` does.
        let answer = unsafe { realmode::low_call(routine(1), &mut registers, Some(PUMP_LIMIT)) };
        if answer.is_err() {
            let name = match self::control(&mut self.block)?.busy {
                0 => "an interrupt",
                opcode => Opcode(opcode.into()).name(),
            };
            return Err(self.hangs(name));
        }
        Ok(self::control(&mut self.block)?.outcome(vector_copy::restorations()))
    }
}

/// The control block on the first page of `block`.
fn control(block: &mut LowMemory) -> Result<&mut PumpControl, Error> {
    match PumpControl::mut_from_prefix(block.bytes_mut()) {
        Ok((control, _)) => Ok(control),
        // It is page-aligned and long enough.
        Err(_) => Err(errors::NO_MEMORY.error()),
    }
}

/// The offset of a routine of pump.S in the low block.
fn routine(index: usize) -> u16 {
    // SAFETY: the table is constant and has three words.
    unsafe { undi_routines.get(index).copied().unwrap_or(0) }
}
