//! The first code of the core, and the only module here with `unsafe`.
//!
//! What is true on entry: the unpacker mapped the core, chose the low block's place and filled the record that it
//! passes in RDI. The stack is still the prefix's, in memory that is about to be reused.
#![allow(unsafe_code, reason = "entry from the unpacker")]

use base::boot_info::BootInfo;

core::arch::global_asm!(
    "
    .section .text.entry, \"ax\"
    .globl core_start
core_start:
    movabsq $core_stack_top, %rsp
    xorl    %ebp, %ebp
    call    {start}
    ud2
    .text
    ",
    start = sym start,
    options(att_syntax),
);

extern "C" fn start(info: &BootInfo) -> ! {
    let info = info.clone();
    // SAFETY: this is the first thing that runs.
    let mut memory = unsafe { hw::init(&info, *b"01234567") };
    hw::bios::print(b"hello from long mode\r\n");
    let x = alloc::vec![1u8; 100000];
    hw::bios::print(if x[500] == 1 { b"heap ok\r\n" } else { b"heap bad\r\n" });
    let p = memory.allocate(1 << 20, base::PhysRange::new(0, 0));
    hw::bios::print(if p.is_some() { b"pages ok\r\n" } else { b"no pages\r\n" });
    loop {
        if let Some(k) = hw::bios::key() {
            hw::bios::print(&[k.ascii]);
            if k.ascii == b'q' {
                hw::leave::next_boot_device()
            }
            if k.ascii == b'x' {
                unsafe { core::arch::asm!("ud2") }
            }
        }
        hw::interrupts::nap();
    }
}

#[panic_handler]
fn panic(_: &core::panic::PanicInfo<'_>) -> ! {
    // SAFETY: raises the exception whose handler prints what is known.
    unsafe { core::arch::asm!("ud2", options(noreturn)) }
}
