//! Restarting the machine and switching it off.

use base::{Duration, SegOff};
use core::ptr;
use x86::io;

use crate::realmode::{self, Registers};
use crate::{bios, clock, exception, interrupts};

/// Restarts the machine; a warm restart skips the memory test.
pub fn reboot(warm: bool) -> ! {
    const RESET_FLAG: usize = 0x472;
    let flag: u16 = if warm { 0x1234 } else { 0 };
    // SAFETY: the word belongs to the BIOS, which reads it at its reset entry; the far call does not come back.
    unsafe {
        ptr::with_exposed_provenance_mut::<u16>(RESET_FLAG).write_volatile(flag);
        let _ = realmode::far_call(SegOff::new(0xffff, 0), &mut Registers::default(), &[], None);
    }
    loop {
        // SAFETY: pulses the reset line by the keyboard controller.
        unsafe { io::outb(0x64, 0xfe) };
        clock::spin(Duration::from_millis(100));
    }
}

/// Says so, and restarts the machine after half a minute or when a key is pressed.
pub fn reboot_soon() -> ! {
    exception::print(b"The machine restarts in 30 seconds, or when a key is pressed.\r\n");
    let end = clock::now() + Duration::from_secs(30);
    while clock::now() < end && bios::key().is_none() {
        interrupts::window();
    }
    reboot(false)
}

/// Switches the machine off by APM 1.2; comes back if the BIOS cannot.
pub fn power_off() {
    const SYSTEM: u8 = 0x15;
    let mut connect = Registers { eax: 0x5301, ..Registers::default() };
    realmode::interrupt(SYSTEM, &mut connect);
    let mut version = Registers { eax: 0x530e, ecx: 0x0102, ..Registers::default() };
    realmode::interrupt(SYSTEM, &mut version);
    let mut enable = Registers { eax: 0x5308, ebx: 1, ecx: 1, ..Registers::default() };
    realmode::interrupt(SYSTEM, &mut enable);
    let mut off = Registers { eax: 0x5307, ebx: 1, ecx: 3, ..Registers::default() };
    realmode::interrupt(SYSTEM, &mut off);
}
