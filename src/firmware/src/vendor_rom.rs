//! The vendor's UNDI: in memory, or in the ROM of a card.

use alloc::boxed::Box;
use alloc::string::String;
use base::Error;
use base::boot_info::BootInfo;
use base::image_header::{DRIVER_UNDI_ROM, ImageHeader};
use undi::rom::BaseMemory;
use undi::{VendorStack, option_rom};

use crate::errors;
use crate::vendor::{announce, shown};

pub(crate) use undi::VendorRom;

/// The stack that is in memory. Where there is none, and the image may, the UNDI of the first card that has one is loaded
/// from its ROM.
pub(crate) fn find(info: &BootInfo, header: &ImageHeader) -> Result<(VendorStack, VendorRom), Error> {
    match undi::rom::locate(info) {
        Ok(stack) => {
            let rom = VendorRom::try_new(&stack, announce)?;
            Ok((stack, rom))
        }
        Err(_) if header.drivers & DRIVER_UNDI_ROM != 0 => load(),
        Err(findings) => Err(no_stack(&findings)),
    }
}

/// Loads the UNDI of the first card that has one.
fn load() -> Result<(VendorStack, VendorRom), Error> {
    let mut found = Err(errors::NO_CARD.of("no card has an UNDI in its ROM"));
    hw::pci::each_network_card(&mut |place, vendor, device| {
        if found.is_err()
            && let Some(rom) = option_rom::find(&BaseMemory, vendor, device)
        {
            found = if rom.is_ipxe { Err(errors::IPXE_ROM.of(shown(place))) } else { Ok((place, rom)) };
        }
    });
    let (place, rom) = found?;
    undi::rom::load(&rom, place, announce)
}

fn no_stack(findings: &[String]) -> Error {
    let text: Box<str> = match findings.first() {
        Some(first) => first.as_str().into(),
        None => "no PXE stack is in memory".into(),
    };
    errors::NO_CARD.of(text)
}
