//! The vendor's UNDI: in memory, or in the ROM of a card.

use alloc::boxed::Box;
use alloc::format;
use alloc::string::String;
use base::Error;
use base::boot_info::BootInfo;
use hw::memory::PhysicalMemory;
use undi::{UndiNic, VendorStack, cached};

use crate::vendor::Cached;
use crate::{errors, vendor_loader};

pub(crate) use crate::vendor_loader::LOADS;
pub(crate) use undi::VendorRom;

/// What was found of the stack, in lines: also where it cannot be used.
pub(crate) type Found = String;

/// The stack that started us.
pub(crate) struct Vendor {
    stack: VendorStack,
    cached: Cached,
}

impl Vendor {
    /// What was found of it.
    pub(crate) fn stack(&self) -> &VendorStack {
        &self.stack
    }

    /// The packets that it has kept.
    pub(crate) fn cached(&self) -> &Cached {
        &self.cached
    }
}

/// Finds the stack and the card that it drives, and says in `found` what there is.
pub(crate) fn find(
    info: &BootInfo,
    memory: &mut PhysicalMemory,
    found: &mut Option<Found>,
) -> Result<(Vendor, UndiNic<VendorRom>), Error> {
    let (stack, rom) = locate(info, memory, found)?;
    let mut nic = UndiNic::try_new(rom)?;
    let rom = nic.rom();
    let cached = Cached {
        discover: cached::cached_packet(rom, cached::DISCOVER)?,
        ack: cached::cached_packet(rom, cached::ACK)?,
        reply: cached::cached_packet(rom, cached::REPLY)?,
    };
    Ok((Vendor { stack, cached }, nic))
}

/// The stack that is in memory. Where there is none, and the image may, the UNDI of the first card that has one is loaded
/// from its ROM.
fn locate(
    info: &BootInfo,
    memory: &mut PhysicalMemory,
    found: &mut Option<Found>,
) -> Result<(VendorStack, VendorRom), Error> {
    match undi::rom::locate(info) {
        Ok(stack) => {
            *found = Some(stack.describe());
            let rom = VendorRom::try_new(&stack, announce)?;
            Ok((stack, rom))
        }
        Err(findings) => {
            let found = found.insert(undi::find::passed_over(&findings));
            let loaded = vendor_loader::load(memory, info).unwrap_or_else(|| Err(no_stack(&findings)));
            if let Ok((stack, _)) = &loaded {
                found.push_str(&stack.describe());
            }
            loaded
        }
    }
}

fn no_stack(findings: &[String]) -> Error {
    let text: Box<str> = match findings.first() {
        Some(first) => first.as_str().into(),
        None => "no PXE stack is in memory".into(),
    };
    errors::NO_CARD.of(text)
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
