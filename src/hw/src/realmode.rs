//! Downcalls: from long mode to real mode and back.
//!
//! Each call puts a [`Block`] on the real-mode stack of the low block and goes down with it; the assembly in low.S
//! says at its top what is saved where. Calls nest.

use base::{Duration, SegOff};
use core::arch::asm;
use core::ptr;
use static_assertions::const_assert_eq;

use crate::interrupts::{self, Chained};
use crate::low::{self, Symbol};
use crate::pic;
use crate::vector_copy;

/// The registers that cross between the modes.
#[derive(Clone, Copy, Debug, Default)]
#[repr(C)]
#[expect(missing_docs, reason = "the processor's manual names them")]
pub struct Registers {
    pub eax: u32,
    pub ebx: u32,
    pub ecx: u32,
    pub edx: u32,
    pub esi: u32,
    pub edi: u32,
    pub ebp: u32,
    pub ds: u16,
    pub es: u16,
    /// The flags after the call; before it they are not looked at.
    pub flags: u32,
}

impl Registers {
    /// Whether the carry flag is set, by which most BIOS services say that they failed.
    pub fn carry(&self) -> bool {
        self.flags & 1 != 0
    }

    /// The lower half of EAX.
    pub fn ax(&self) -> u16 {
        (self.eax & 0xffff) as u16
    }
}

/// One call in progress, on the real-mode stack. The assembly knows this layout by its offsets.
#[repr(C)]
pub(crate) struct Block {
    pub(crate) registers: Registers,
    pub(crate) target: SegOff,
    pub(crate) arguments: [u16; ARGUMENTS],
    pub(crate) long_rsp: u64,
    pub(crate) kind: u16,
    pub(crate) timed_out: u16,
    reserved: u32,
}

const_assert_eq!(size_of::<Registers>(), 36);
const_assert_eq!(size_of::<Block>(), 64);

/// Called with a far call, interrupts open.
pub(crate) const KIND_FAR: u16 = 0;
/// A near routine of the low block, interrupts closed.
pub(crate) const KIND_NEAR: u16 = 1;
/// Called as the INT instruction does.
const KIND_INTERRUPT: u16 = 2;

/// The most words that can be passed on the stack.
pub const ARGUMENTS: usize = 4;

/// A call did not come back in its time and was abandoned.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TimedOut;

/// Calls a BIOS service: `INT vector`.
pub fn interrupt(vector: u8, registers: &mut Registers) {
    // SAFETY: BIOS services return; what they are told to write to is in the registers, which is why the callers
    // in this crate only pass memory of the low block or `LowMemory`.
    let _ = unsafe { call(KIND_INTERRUPT, interrupts::vector(vector), registers, &[], None) };
}

/// The same, abandoned past `limit`.
pub(crate) fn interrupt_within(
    vector: u8,
    registers: &mut Registers,
    limit: Duration,
) -> Result<(), TimedOut> {
    // SAFETY: as for `interrupt`; what an abandoned call may still write to is not used again.
    unsafe { call(KIND_INTERRUPT, interrupts::vector(vector), registers, &[], Some(limit)) }
}

/// Calls `target` with `arguments` on the stack, the first one lowest, and interrupts open. Past `limit` the
/// call is abandoned; its stack and its memory must then be left alone for ever.
///
/// # Safety
/// There is a routine at `target` that returns far, keeps SS:SP, and writes only to memory that is not ours, or
/// that it was given for it.
pub unsafe fn far_call(
    target: SegOff,
    registers: &mut Registers,
    arguments: &[u16],
    limit: Option<Duration>,
) -> Result<(), TimedOut> {
    // SAFETY: by contract of this function.
    unsafe { call(KIND_FAR, target, registers, arguments, limit) }
}

/// Calls a near routine of the low block by its offset, with DS = CS and interrupts closed.
///
/// # Safety
/// There is a 16-bit routine at that offset, and it keeps to what [`far_call`] asks.
pub unsafe fn low_call(
    routine: u16,
    registers: &mut Registers,
    limit: Option<Duration>,
) -> Result<(), TimedOut> {
    registers.ds = low::segment();
    // SAFETY: by contract of this function.
    unsafe { call(KIND_NEAR, SegOff::new(low::segment(), routine), registers, &[], limit) }
}

/// Number of round trips between the modes since the start.
pub fn switches() -> u32 {
    // SAFETY: the symbol names a variable of this type.
    unsafe { Symbol::Switches.variable::<u32>().read() }
}

/// # Safety
/// As [`far_call`].
unsafe fn call(
    kind: u16,
    target: SegOff,
    registers: &mut Registers,
    arguments: &[u16],
    limit: Option<Duration>,
) -> Result<(), TimedOut> {
    vector_copy::restore();
    let Some((stack_before, offset)) = low::push_stack(const { size_of::<Block>() as u16 }) else {
        return Err(TimedOut);
    };
    let mut words = [0; ARGUMENTS];
    for (word, argument) in words.iter_mut().zip(arguments) {
        *word = *argument;
    }
    let block = ptr::with_exposed_provenance_mut::<Block>(low::linear() as usize + usize::from(offset));
    let watchdog = limit.map(|limit| Watchdog::arm(offset, limit));
    // SAFETY: the block lies on the real-mode stack, below what is in use; `low_down` keeps to the C convention,
    // and what the called code does to memory is the caller's contract. It may have changed any memory that Rust
    // shares with it, which the missing `nomem` tells the compiler.
    let timed_out = unsafe {
        block.write(Block {
            registers: *registers,
            target,
            arguments: words,
            long_rsp: 0,
            kind,
            timed_out: 0,
            reserved: 0,
        });
        asm!("call {down}", down = in(reg) Symbol::Down.address(), in("rsi") u64::from(low::linear()),
            in("rdi") u64::from(offset), clobber_abi("sysv64"));
        let block = block.read();
        *registers = block.registers;
        block.timed_out != 0
    };
    drop(watchdog);
    low::set_stack(stack_before);
    if timed_out {
        // SAFETY: the symbol names a variable of this type.
        let [offset, segment] = unsafe { Symbol::AbandonedStack.variable::<[u16; 2]>().read() };
        if segment == low::segment() && offset < stack_before {
            low::set_stack(offset);
        }
        return Err(TimedOut);
    }
    Ok(())
}

/// The watchdog, in place while the value lives.
struct Watchdog {
    masked: bool,
}

impl Watchdog {
    fn arm(block: u16, limit: Duration) -> Self {
        // A tick is 55 ms; one more, as the first may come at once.
        let ticks = u16::try_from(limit.as_millis() / 55 + 2).unwrap_or(u16::MAX);
        // SAFETY: the symbols name variables of these types.
        unsafe {
            Symbol::WatchdogBlock.variable::<u16>().write(block);
            Symbol::WatchdogTicks.variable::<u16>().write(ticks);
        }
        if !is_watching() {
            // A ROM that has hooked the timer finds nothing over it, and can take itself off. Its handler goes on to the
            // BIOS's, from which the other vector is called.
            let is_bios = interrupts::vector(TIMER_VECTOR).linear() >= ROM;
            let vector = if is_bios { TIMER_VECTOR } else { TICK_VECTOR };
            // SAFETY: the symbol names a variable of this type.
            unsafe { Symbol::WatchdogVector.variable::<u8>().write(vector) };
            watchdog().hook();
        }
        let masked = pic::is_masked(TIMER_LINE);
        if masked {
            pic::unmask(TIMER_LINE);
        }
        Self { masked }
    }
}

impl Drop for Watchdog {
    fn drop(&mut self) {
        // SAFETY: the symbol names a variable of this type.
        unsafe { Symbol::WatchdogTicks.variable::<u16>().write(0) };
        if self.masked {
            pic::mask(TIMER_LINE);
        }
        // Where somebody hooked after us, our handler stays in the chain and, without ticks, does nothing.
        watchdog().unhook();
    }
}

/// Where the watchdog is or was last.
fn watchdog() -> Chained {
    // SAFETY: the symbol names a variable of this type.
    let vector = unsafe { Symbol::WatchdogVector.variable::<u8>().read() };
    Chained { vector, handler: Symbol::Watchdog, previous: Symbol::WatchdogPrevious }
}

/// Whether the watchdog is in the chain of its vector: during a call with a limit, and afterwards where a ROM has hooked
/// over it.
pub(crate) fn is_watching() -> bool {
    watchdog().is_chained()
}

/// The interrupt of the timer, and the one that the BIOS calls from there.
const TIMER_VECTOR: u8 = 0x08;
const TICK_VECTOR: u8 = 0x1c;
const TIMER_LINE: u8 = 0;
/// Option ROMs and the BIOS lie from here on.
const ROM: u32 = 0xc_0000;
