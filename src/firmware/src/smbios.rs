//! What the BIOS says of the machine in its SMBIOS tables.

use alloc::vec::Vec;
use base::boot_info::BootInfo;

/// All structures; empty where there are none.
pub(crate) fn table(info: &BootInfo) -> Vec<u8> {
    hw::memory::firmware_data(info, smbios::SEARCH)
        .and_then(|bytes| smbios::find_table(&bytes))
        .and_then(|range| hw::memory::firmware_data(info, range))
        .unwrap_or_default()
}

/// The machine's UUID as its structure has it; none if the machine has none.
pub(crate) fn uuid(info: &BootInfo) -> Option<[u8; 16]> {
    const UUID: usize = 8;
    smbios::find(&table(info), smbios::SYSTEM)?.uuid(UUID).copied()
}
