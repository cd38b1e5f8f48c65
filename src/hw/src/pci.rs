//! PCI configuration space, by ports CF8h and CFCh (PCI Local Bus Specification 3.0, section 3.2.2.3.2).

pub use pci_types::{CommandRegister, PciAddress, PciHeader};

use pci_types::ConfigRegionAccess;
use x86::io;

const ADDRESS: u16 = 0xcf8;
const DATA: u16 = 0xcfc;
const ENABLE: u32 = 1 << 31;
/// The vendor of a function that is not there.
const NOBODY: u16 = 0xffff;

/// The two ports. What they cannot reach, segments other than 0 and offsets from 256 on, reads as all ones.
#[derive(Clone, Copy, Debug)]
pub struct Ports;

impl Ports {
    fn select(address: PciAddress, offset: u16) -> bool {
        let place = u32::from(address.bus()) << 16
            | u32::from(address.device()) << 11
            | u32::from(address.function()) << 8;
        let is_reachable = address.segment() == 0 && offset < 0x100;
        if is_reachable {
            // SAFETY: the address register only says what the data register means.
            unsafe { io::outl(ADDRESS, ENABLE | place | u32::from(offset & 0xfc)) };
        }
        is_reachable
    }
}

impl ConfigRegionAccess for Ports {
    unsafe fn read(&self, address: PciAddress, offset: u16) -> u32 {
        if !Self::select(address, offset) {
            return u32::MAX;
        }
        // SAFETY: reading configuration space changes nothing.
        unsafe { io::inl(DATA) }
    }

    unsafe fn write(&self, address: PciAddress, offset: u16, value: u32) {
        if Self::select(address, offset) {
            // SAFETY: what the register does is the caller's word.
            unsafe { io::outl(DATA, value) }
        }
    }
}

/// The address that PXE and BIOS structures write as `bbbbbbbb dddddfff`.
pub fn address(bus_device_function: u16) -> PciAddress {
    let [low, bus] = bus_device_function.to_le_bytes();
    PciAddress::new(0, bus, low >> 3, low & 7)
}

/// The other way round.
pub fn place(address: PciAddress) -> u16 {
    u16::from(address.bus()) << 8 | u16::from(address.device()) << 3 | u16::from(address.function())
}

/// Shows every function of every bus to `take`.
pub fn each(take: &mut dyn FnMut(PciHeader)) {
    let mut functions = 1;
    for place in 0..=u16::MAX {
        let header = PciHeader::new(address(place));
        if place & 7 == 0 {
            functions = 1;
        }
        if place & 7 >= functions || header.id(Ports).0 == NOBODY {
            continue;
        }
        if header.has_multiple_functions(Ports) {
            functions = 8;
        }
        take(header);
    }
}

/// Shows the place, vendor and device of every network card to `take`.
pub fn each_network_card(take: &mut dyn FnMut(u16, u16, u16)) {
    const NETWORK_CONTROLLER: u8 = 2;
    each(&mut |card| {
        if card.revision_and_class(Ports).1 == NETWORK_CONTROLLER {
            let (vendor, device) = card.id(Ports);
            take(place(card.address()), vendor, device);
        }
    });
}

/// Keeps the card from reading and writing memory, if it is the one of that vendor and device.
pub fn stop_bus_mastering(bus_device_function: u16, vendor: u16, device: u16) {
    let mut header = PciHeader::new(address(bus_device_function));
    if header.id(Ports) == (vendor, device) {
        header.update_command(Ports, |command| command.difference(CommandRegister::BUS_MASTER_ENABLE));
    }
}
