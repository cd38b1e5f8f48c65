//! The machine: CPU, memory, clock, BIOS and the way to real mode and back.
//!
//! # Safety
//!
//! This crate may use `unsafe`; almost all others may not. Its safe functions rely on this being true, and the
//! unpacker makes it so before the core's first instruction:
//!
//! - One processor, in long mode at privilege level 0, with interrupts off. They are let in only in real mode.
//! - 0 to 4 GiB are mapped one to one, and [`init`] maps memory above, [`pci`] what devices have there; the core is
//!   mapped at its link address, with a guard page under its stack.
//! - [`init`] ran once, before anything else here is used.
//! - Nobody else writes to the low block, the core, or memory handed out by [`memory`] and [`low`].
//!
//! # Interrupts
//!
//! Rust runs with IF = 0, always. Interrupts happen in real mode only: in every downcall that asks for it, and in
//! [`interrupts::window`] and [`interrupts::nap`], which the firmware's loop calls at least every 50 ms. The
//! interrupt controllers are never remapped; vectors 0 to 31 of our table are exceptions.
//!
//! # On the host
//!
//! Only [`device`] and [`microwire`] exist there, which are what drivers are written against.
#![no_std]
#![allow(unsafe_code, reason = "this is the layer that the others are kept safe by")]
#![allow(
    clippy::cast_possible_truncation,
    reason = "addresses: usize has 64 bits on the one target of this crate"
)]

extern crate alloc;

#[cfg(target_os = "none")]
pub mod bios;
#[cfg(target_os = "none")]
pub mod clock;
#[cfg(target_os = "none")]
pub mod cpu;
pub mod device;
#[cfg(target_os = "none")]
pub mod exception;
#[cfg(target_os = "none")]
pub mod guest;
#[cfg(target_os = "none")]
pub mod heap;
#[cfg(target_os = "none")]
pub mod interrupts;
#[cfg(target_os = "none")]
pub mod leave;
#[cfg(target_os = "none")]
pub mod log;
#[cfg(target_os = "none")]
pub mod low;
#[cfg(target_os = "none")]
pub mod memory;
pub mod microwire;
#[cfg(target_os = "none")]
pub mod pci;
#[cfg(target_os = "none")]
pub mod pic;
#[cfg(target_os = "none")]
pub mod power;
#[cfg(target_os = "none")]
pub mod realmode;
#[cfg(target_os = "none")]
pub mod serial;
#[cfg(target_os = "none")]
pub mod vector_copy;
#[cfg(target_os = "none")]
pub mod video;

#[cfg(target_os = "none")]
use base::boot_info::BootInfo;

/// Takes the machine over from the unpacker. `build_id` is shown by the exception dump.
///
/// # Safety
/// Called once, first, with the record that the prefix and the unpacker made, and with the machine as they left it.
#[cfg(target_os = "none")]
pub unsafe fn init(info: &BootInfo, build_id: [u8; 8]) -> memory::PhysicalMemory {
    // SAFETY: each is called once, in the order in which they need each other; the rest is our own contract.
    unsafe {
        low::init(info);
        exception::init(build_id);
        clock::init(info);
        memory::init(info)
    }
}
