//! The PXE/UNDI contract: ABI structures, finding the vendor's stack, and the client driver.
//!
//! Everything but [`rom`] is pure and runs on the host. `rom`, which exists on the bare machine only, holds all
//! unsafe code of the crate and the 16-bit assembly; the logic meets it through the trait [`driver::Rom`].
#![no_std]

extern crate alloc;

pub mod abi;
pub mod cached;
pub mod control;
pub mod driver;
pub mod errors;
pub mod export;
#[cfg(test)]
mod fake;
pub mod find;
pub mod leave;
pub mod lent;
pub mod option_rom;
pub mod plan;
mod quirks;
#[cfg(target_os = "none")]
pub mod rom;

pub use driver::{Rom, UndiNic};
pub use find::VendorStack;
pub use leave::{foresee, leave};
pub use plan::{Departure, Keep, Purpose};
#[cfg(target_os = "none")]
pub use rom::VendorRom;
