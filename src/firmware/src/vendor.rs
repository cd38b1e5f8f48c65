//! The vendor's PXE stack: what was found of it, and what it keeps for us.

use alloc::boxed::Box;
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;
use base::Error;
use base::boot_info::BootInfo;
use base::image_header::{DRIVER_UNDI_ROM, ImageHeader};
use hw::guest::Pxe;
use undi::option_rom;
use undi::rom::BaseMemory;
use undi::{UndiNic, VendorRom, VendorStack, cached};

use crate::errors;

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

/// Finds the stack and the card that it drives. Where there is none, and the image may, the UNDI of the first card that
/// has one is loaded from its ROM.
pub(crate) fn find(info: &BootInfo, header: &ImageHeader) -> Result<(Vendor, UndiNic<VendorRom>), Error> {
    let (stack, rom) = match undi::rom::locate(info) {
        Ok(stack) => {
            let rom = VendorRom::try_new(&stack, announce)?;
            (stack, rom)
        }
        Err(_) if header.drivers & DRIVER_UNDI_ROM != 0 => load()?,
        Err(findings) => return Err(no_stack(&findings)),
    };
    let mut nic = UndiNic::try_new(rom)?;
    let rom = nic.rom();
    let cached = Cached {
        discover: cached::cached_packet(rom, cached::DISCOVER)?,
        ack: cached::cached_packet(rom, cached::ACK)?,
        reply: cached::cached_packet(rom, cached::REPLY)?,
    };
    Ok((Vendor { stack, cached }, nic))
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

/// A card's place as people write it: `00:03.0`.
pub(crate) fn shown(place: u16) -> String {
    format!("{:02x}:{:02x}.{}", place >> 8, place >> 3 & 0x1f, place & 7)
}

/// Shows which call of the ROM is made: with interrupts off it may hang, and then this is the last word. The line is
/// overwritten by what is said next.
fn announce(call: &'static str) {
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

fn no_stack(findings: &[String]) -> Error {
    let text: Box<str> = match findings.first() {
        Some(first) => first.as_str().into(),
        None => "no PXE stack is in memory".into(),
    };
    errors::NO_CARD.of(text)
}
