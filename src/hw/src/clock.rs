//! Time, from the time stamp counter. Zero is the first instruction of the image.

use base::boot_info::BootInfo;
use base::{Duration, Instant};
use core::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use x86::{io, time};

static TICKS_PER_MICROSECOND: AtomicU32 = AtomicU32::new(1000);
static START: AtomicU64 = AtomicU64::new(0);

/// Compares the counter with channel 2 of the interval timer, which nobody else uses.
///
/// # Safety
/// As [`crate::init`].
pub(crate) unsafe fn init(info: &BootInfo) {
    const PORT_B: u16 = 0x61;
    const CHANNEL_2: u16 = 0x42;
    const COMMAND: u16 = 0x43;
    const OUTPUT: u8 = 1 << 5;
    const MICROSECONDS: u64 = 10_000;
    // 1193182 Hz: ten milliseconds.
    const COUNT: [u8; 2] = 11_932_u16.to_le_bytes();

    START.store(u64::from(info.entry_tsc_high) << 32 | u64::from(info.entry_tsc_low), Ordering::Relaxed);
    // SAFETY: these ports belong to the timer and to the speaker's gate, whose state is put back.
    unsafe {
        let gate = io::inb(PORT_B);
        io::outb(PORT_B, gate & !3 | 1);
        io::outb(COMMAND, 0b1011_0000);
        io::outb(CHANNEL_2, COUNT[0]);
        io::outb(CHANNEL_2, COUNT[1]);
        let start = time::rdtsc();
        let mut polls = 0_u32;
        // A machine without this timer must not hold us: the count of polls is the bound.
        while io::inb(PORT_B) & OUTPUT == 0 && polls < 100_000 {
            polls += 1;
        }
        let ticks = time::rdtsc().wrapping_sub(start) / MICROSECONDS;
        io::outb(PORT_B, gate);
        TICKS_PER_MICROSECOND
            .store(u32::try_from(ticks.clamp(1, 100_000)).unwrap_or(1000), Ordering::Relaxed);
    }
}

/// The time now.
pub fn now() -> Instant {
    // SAFETY: the prefix made sure that the processor has the counter.
    let ticks = unsafe { time::rdtsc() }.wrapping_sub(START.load(Ordering::Relaxed));
    Instant::from_micros(ticks / u64::from(ticks_per_microsecond()))
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

/// Waits without doing anything else. For delays far below the 50 ms in which interrupts must be let in.
pub fn spin(length: Duration) {
    let end = now() + length;
    while now() < end {
        core::hint::spin_loop();
    }
}
