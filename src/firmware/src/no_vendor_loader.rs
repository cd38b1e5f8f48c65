//! In place of loading an UNDI from an option ROM, in a build that only uses what is in memory.

use base::Error;
use base::boot_info::BootInfo;
use hw::memory::PhysicalMemory;
use undi::VendorStack;

use crate::vendor_rom::VendorRom;

/// This build loads none.
pub(crate) const LOADS: bool = false;

/// Loads none.
pub(crate) fn load(_: &mut PhysicalMemory, _: &BootInfo) -> Option<Result<(VendorStack, VendorRom), Error>> {
    None
}
