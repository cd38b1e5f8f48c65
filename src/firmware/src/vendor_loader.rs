//! Loading the UNDI of a card from its option ROM, where none is in memory.

use base::Error;
use base::boot_info::BootInfo;
use hw::memory::PhysicalMemory;
use undi::rom::BaseMemory;
use undi::{VendorRom, VendorStack, option_rom};

use crate::errors;
use crate::vendor::shown;
use crate::vendor_rom::announce;

/// This build does that.
pub(crate) const LOADS: bool = true;

/// Loads the UNDI of the first card that has one.
pub(crate) fn load(
    memory: &mut PhysicalMemory,
    info: &BootInfo,
) -> Option<Result<(VendorStack, VendorRom), Error>> {
    let mut found = Err(errors::NO_CARD.of("no card has an UNDI in its ROM"));
    hw::pci::each_network_card(&mut |place, vendor, device| {
        if found.is_err()
            && let Some(rom) = option_rom::find(&BaseMemory, vendor, device)
        {
            found = if rom.is_ipxe { Err(errors::IPXE_ROM.of(shown(place))) } else { Ok((place, rom)) };
        }
    });
    Some(found.and_then(|(place, rom)| undi::rom::load(&rom, place, memory, info, announce)))
}
