//! Time, from the time stamp counter. Zero is the first instruction of the image.

use base::boot_info::BootInfo;
use base::{Duration, Instant};
use core::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use x86::{io, time};

static TICKS_PER_MICROSECOND: AtomicU32 = AtomicU32::new(1000);
static START: AtomicU64 = AtomicU64::new(0);
/// What the clock of the PC is wrong by, in seconds, modulo 2^32.
static CORRECTION: AtomicU32 = AtomicU32::new(0);

/// Compares the counter with channel 2 of the interval timer, which nobody else uses.
///
/// The firmware of the machine, or the host of a virtual one, takes the processor away whenever it likes. The counter
/// is read outside of each window, so that such a pause can only make a window longer, and the shortest of several
/// short windows is right.
///
/// # Safety
/// As [`crate::init`].
pub(crate) unsafe fn init(info: &BootInfo) {
    START.store(u64::from(info.entry_tsc_high) << 32 | u64::from(info.entry_tsc_low), Ordering::Relaxed);
    // SAFETY: by contract of this function.
    let windows = (0..WINDOWS).filter_map(|_| unsafe { window() });
    if let Some(ticks) = windows.min() {
        let ticks = u32::try_from(ticks / WINDOW_MICROSECONDS).unwrap_or(u32::MAX);
        TICKS_PER_MICROSECOND.store(ticks.clamp(1, 100_000), Ordering::Relaxed);
    }
}

const WINDOWS: u32 = 10;
const WINDOW_MICROSECONDS: u64 = 1000;
/// 1193182 Hz: one millisecond.
const WINDOW_COUNT: [u8; 2] = 1193_u16.to_le_bytes();

/// Steps of the time stamp counter in a window; nothing on a machine without the timer.
///
/// # Safety
/// As [`crate::init`].
unsafe fn window() -> Option<u64> {
    const PORT_B: u16 = 0x61;
    const CHANNEL_2: u16 = 0x42;
    const COMMAND: u16 = 0x43;
    const OUTPUT: u8 = 1 << 5;
    /// A poll takes about a microsecond.
    const POLLS: u32 = 20_000;

    // SAFETY: these ports belong to the timer and to the speaker's gate, whose state is put back.
    unsafe {
        let gate = io::inb(PORT_B);
        io::outb(PORT_B, gate & !3 | 1);
        io::outb(COMMAND, 0b1011_0000);
        io::outb(CHANNEL_2, WINDOW_COUNT[0]);
        let start = time::rdtsc();
        io::outb(CHANNEL_2, WINDOW_COUNT[1]);
        let is_over = (0..POLLS).any(|_| io::inb(PORT_B) & OUTPUT != 0);
        let ticks = time::rdtsc().wrapping_sub(start);
        io::outb(PORT_B, gate);
        is_over.then_some(ticks)
    }
}

/// The time now.
pub fn now() -> Instant {
    // SAFETY: the prefix made sure that the processor has the counter.
    let ticks = unsafe { time::rdtsc() }.wrapping_sub(START.load(Ordering::Relaxed));
    Instant::from_micros(ticks / u64::from(ticks_per_microsecond()))
}

/// Looks without end whether something is so, as what a device writes to memory, until `end`.
pub fn spin_until(end: Instant, is_so: &dyn Fn() -> bool) {
    while !is_so() && now() < end {
        // A look is fifty instructions, and who waits for a device may be late by a microsecond.
        for _ in 0..4 {
            core::hint::spin_loop();
            core::hint::spin_loop();
            core::hint::spin_loop();
            core::hint::spin_loop();
        }
    }
}

/// Steps of the time stamp counter in a microsecond.
pub fn ticks_per_microsecond() -> u32 {
    TICKS_PER_MICROSECOND.load(Ordering::Relaxed)
}

/// Bits that differ from start to start: the counter's low bits. Good for spreading retries, not for secrets.
pub fn noise() -> u64 {
    // SAFETY: as in `now`.
    unsafe { time::rdtsc() }
}

/// Seconds since 1970: by the clock of the PC, which is taken for UTC, until [`set_unix_time`] corrects it.
pub fn unix_time() -> u32 {
    pc_time().wrapping_add(CORRECTION.load(Ordering::Relaxed))
}

/// From now on it is so many seconds since 1970. The clock of the PC stays as it is.
pub fn set_unix_time(seconds: u32) {
    CORRECTION.store(seconds.wrapping_sub(pc_time()), Ordering::Relaxed);
}

fn pc_time() -> u32 {
    const INDEX: u16 = 0x70;
    const DATA: u16 = 0x71;
    // SAFETY: reading the clock's registers changes nothing but its index.
    let read = |register: u8| unsafe {
        io::outb(INDEX, register);
        io::inb(DATA)
    };
    const STATUS_A: u8 = 0x0a;
    const STATUS_B: u8 = 0x0b;
    // An update takes 2 ms at most; then all registers hold for half a second.
    let end = now() + Duration::from_millis(10);
    while read(STATUS_A) & 0x80 != 0 && now() < end {}
    let is_binary = read(STATUS_B) & 4 != 0;
    base::time::unix_time([0, 2, 4, 7, 8, 9].map(|register| {
        let value = u32::from(read(register));
        if is_binary { value } else { (value >> 4) * 10 + (value & 15) }
    }))
}

/// Waits without doing anything else. For delays far below the 50 ms in which interrupts must be let in.
pub fn spin(length: Duration) {
    let end = now() + length;
    while now() < end {
        core::hint::spin_loop();
    }
}
