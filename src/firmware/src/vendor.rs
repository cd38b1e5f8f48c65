//! The vendor's PXE stack: what was found of it, and what it keeps for us.

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;
use base::Error;
use base::boot_info::BootInfo;
use base::image_header::ImageHeader;
use hw::guest::Pxe;
use undi::{UndiNic, VendorStack, cached};

use crate::vendor_rom::{self, VendorRom};

/// The stack that started us.
pub(crate) struct Vendor {
    pub(crate) stack: VendorStack,
    pub(crate) cached: Cached,
}

/// The packets of the ROM's own DHCP exchange.
#[derive(Debug, Default)]
pub(crate) struct Cached {
    pub(crate) discover: Option<Vec<u8>>,
    pub(crate) ack: Option<Vec<u8>>,
    pub(crate) reply: Option<Vec<u8>>,
}

impl Vendor {
    /// Where a program that we start finds the stack: what the ROM that started us has told, and the structure that was
    /// found.
    pub(crate) fn pxe(&self, info: &BootInfo) -> Pxe {
        let told = Pxe { bang_pxe: info.entry_stack_pointer, pxenv: info.entry_es_bx };
        match self.stack.is_bang_pxe {
            true => Pxe { bang_pxe: self.stack.structure, ..told },
            false => Pxe { pxenv: self.stack.structure, ..told },
        }
    }
}

/// Finds the stack and the card that it drives.
pub(crate) fn find(info: &BootInfo, header: &ImageHeader) -> Result<(Vendor, UndiNic<VendorRom>), Error> {
    let (stack, rom) = vendor_rom::find(info, header)?;
    let mut nic = UndiNic::try_new(rom)?;
    let rom = nic.rom();
    let cached = Cached {
        discover: cached::cached_packet(rom, cached::DISCOVER)?,
        ack: cached::cached_packet(rom, cached::ACK)?,
        reply: cached::cached_packet(rom, cached::REPLY)?,
    };
    Ok((Vendor { stack, cached }, nic))
}

/// A card's place as people write it: `00:03.0`.
pub(crate) fn shown(place: u16) -> String {
    format!("{:02x}:{:02x}.{}", place >> 8, place >> 3 & 0x1f, place & 7)
}

/// Shows which call of the ROM is made: with interrupts off it may hang, and then this is the last word. The line is
/// overwritten by what is said next.
pub(crate) fn announce(call: &'static str) {
    // The BIOS cannot write between pixels that are ours.
    if hw::video::shows_pixels() {
        return;
    }
    hw::bios::print(format!("\r{call:ANNOUNCED$}\r").as_bytes());
}

/// Takes the last announcement off the screen.
pub(crate) fn hush() {
    announce("");
}

/// The longest name of a call.
const ANNOUNCED: usize = 24;
