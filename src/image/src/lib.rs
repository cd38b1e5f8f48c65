//! Recognise, unpack, plan and place what can be booted.
//!
//! Nothing here touches memory by itself: physical memory is reached through [`Memory`], which the firmware provides
//! and the tests play. A boot is first planned whole ([`plan_linux`], [`plan_executable`]), with every reason why it cannot work as an error, and
//! then executed ([`execute`]), which cannot fail and from which there is no way back.
#![no_std]

extern crate alloc;

mod archive;
mod bytes;
pub mod bzimage;
pub mod command_line;
pub mod cpio;
mod digest;
mod elf;
pub mod errors;
mod executable;
#[cfg(test)]
#[allow(clippy::cast_possible_truncation, reason = "the memory of a test is small")]
mod fixture;
mod handed_over;
mod linux;
mod memory;
mod multiboot;
mod place;
mod plan;
mod pvh;
mod recognise;

pub use archive::{Deflate, Unpacker, Xz, Zstd};
pub use digest::digest;
pub use executable::{Surroundings, plan_executable};
pub use handed_over::{HandedOver, handed_over};
pub use linux::{budget, check_budget, initrd_length, plan_linux};
pub use memory::Memory;
pub use place::{Move, place};
pub use plan::{Entry, Initrd, Kernel, Plan, execute};
pub use recognise::{Format, RECOGNISE_LENGTH, recognise};
