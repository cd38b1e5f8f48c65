//! The vendor's PXE stack: what was found of it, and what it keeps for us.

use alloc::boxed::Box;
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;
use base::Error;
use base::boot_info::BootInfo;
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

/// Finds the stack and the card that it drives.
pub(crate) fn find(info: &BootInfo) -> Result<(Vendor, UndiNic<VendorRom>), Error> {
    let stack = undi::rom::locate(info).map_err(|findings| no_stack(&findings))?;
    let mut nic = UndiNic::try_new(VendorRom::try_new(&stack, announce)?)?;
    let rom = nic.rom();
    let cached = Cached {
        discover: cached::cached_packet(rom, cached::DISCOVER)?,
        ack: cached::cached_packet(rom, cached::ACK)?,
        reply: cached::cached_packet(rom, cached::REPLY)?,
    };
    Ok((Vendor { stack, cached }, nic))
}

/// Shows which call of the ROM is made: with interrupts off it may hang, and then this is the last word. The line is
/// overwritten by what is said next.
fn announce(call: &'static str) {
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
