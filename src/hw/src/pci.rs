//! PCI configuration space, by ports CF8h and CFCh (PCI Local Bus Specification 3.0, section 3.2.2.3.2).

pub use pci_types::{CommandRegister, PciAddress, PciHeader};

use base::Duration;
use core::ptr;
use pci_types::{Bar, ConfigRegionAccess, EndpointHeader};
use x86::io;

use crate::clock;
use crate::device::Device;

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

/// A byte of configuration space.
pub fn byte(bus_device_function: u16, offset: u8) -> u8 {
    // SAFETY: reading configuration space changes nothing.
    let word = unsafe { Ports.read(address(bus_device_function), offset.into()) };
    word.to_le_bytes().get(usize::from(offset & 3)).copied().unwrap_or_default()
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

/// Shows the place, vendor and device of every xHCI controller of USB to `take`.
pub fn each_usb_controller(take: &mut dyn FnMut(u16, u16, u16)) {
    /// Serial bus, USB, xHCI (xHCI 1.2, section 5.2.1).
    const XHCI: (u8, u8, u8) = (0x0c, 0x03, 0x30);
    each(&mut |controller| {
        let (_, class, subclass, interface) = controller.revision_and_class(Ports);
        if (class, subclass, interface) == XHCI {
            let (vendor, device) = controller.id(Ports);
            take(place(controller.address()), vendor, device);
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

/// A function that a driver holds: its regions are known, and it answers in them.
#[derive(Debug)]
pub struct Function {
    header: PciHeader,
    regions: [Region; 6],
}

/// What a base address register points to.
#[derive(Clone, Copy, Debug)]
enum Region {
    /// Nothing, or what is out of reach.
    None,
    Ports {
        base: u16,
        length: u32,
    },
    Memory {
        base: u32,
        length: u32,
    },
}

impl Function {
    /// Takes the function at a place, as [`place`] writes it. Nothing of it is touched but the bits that let it answer.
    pub fn claim(bus_device_function: u16) -> Self {
        let mut header = PciHeader::new(address(bus_device_function));
        let endpoint = EndpointHeader::from_header(PciHeader::new(header.address()), Ports);
        let regions = [0, 1, 2, 3, 4, 5].map(|number| region(endpoint.as_ref(), number));
        header.update_command(Ports, |command| {
            command | CommandRegister::IO_ENABLE | CommandRegister::MEMORY_ENABLE
        });
        Self { header, regions }
    }

    /// Where `size` bytes at `offset` are; none if they are not all inside.
    fn locate(&self, bar: u8, offset: u32, size: u32) -> Option<Location> {
        let fits = |length: u32| {
            offset.checked_add(size).is_some_and(|end| end <= length) && offset.is_multiple_of(size)
        };
        match *self.regions.get(usize::from(bar))? {
            Region::Ports { base, length } if fits(length) => {
                Some(Location::Port(base.wrapping_add(offset as u16)))
            }
            Region::Memory { base, length } if fits(length) => {
                Some(Location::Memory(base.wrapping_add(offset)))
            }
            _ => None,
        }
    }
}

fn region(endpoint: Option<&EndpointHeader>, number: u8) -> Region {
    match endpoint.and_then(|endpoint| endpoint.bar(number, Ports)) {
        Some(Bar::Io { port }) => match u16::try_from(port) {
            // The size of a region of ports is not asked for: it is 256 bytes at most (PCI 3.0, section 6.2.5.1).
            Ok(base) if base != 0 => Region::Ports { base, length: 0x100 },
            _ => Region::None,
        },
        Some(Bar::Memory32 { address, size, .. }) if address != 0 => {
            Region::Memory { base: address, length: size }
        }
        // Only what lies below 4 GiB is mapped.
        Some(Bar::Memory64 { address, size, .. }) if address != 0 => {
            match (u32::try_from(address), u32::try_from(size)) {
                (Ok(base), Ok(length)) if base.checked_add(length).is_some() => {
                    Region::Memory { base, length }
                }
                _ => Region::None,
            }
        }
        _ => Region::None,
    }
}

/// Where a register is.
enum Location {
    Port(u16),
    Memory(u32),
}

/// The two directions of one size of register.
macro_rules! access {
    ($read:ident, $write:ident, $number:ty, $input:ident, $output:ident) => {
        fn $read(&self, bar: u8, offset: u32) -> $number {
            match self.locate(bar, offset, size_of::<$number>() as u32) {
                // SAFETY: the register is in a region of this function, which its driver alone uses.
                Some(Location::Port(port)) => unsafe { io::$input(port) },
                Some(Location::Memory(address)) => {
                    let register = ptr::with_exposed_provenance::<$number>(address as usize);
                    // SAFETY: as above; the region is mapped, as all below 4 GiB is, and the register is aligned.
                    unsafe { register.read_volatile() }
                }
                None => <$number>::MAX,
            }
        }

        fn $write(&mut self, bar: u8, offset: u32, value: $number) {
            match self.locate(bar, offset, size_of::<$number>() as u32) {
                // SAFETY: the register is in a region of this function, which its driver alone uses. What the device
                // does then is what its driver tells it: see the crate's module `device`.
                Some(Location::Port(port)) => unsafe { io::$output(port, value) },
                Some(Location::Memory(address)) => {
                    let register = ptr::with_exposed_provenance_mut::<$number>(address as usize);
                    // SAFETY: as above; the region is mapped, as all below 4 GiB is, and the register is aligned.
                    unsafe { register.write_volatile(value) }
                }
                None => {}
            }
        }
    };
}

impl Device for Function {
    access!(read8, write8, u8, inb, outb);
    access!(read16, write16, u16, inw, outw);
    access!(read32, write32, u32, inl, outl);

    fn read_configuration(&self, offset: u16) -> u32 {
        // SAFETY: reading configuration space changes nothing.
        unsafe { Ports.read(self.header.address(), offset) }
    }

    fn set_bus_mastering(&mut self, is_on: bool) {
        self.header.update_command(Ports, |mut command| {
            command.set(CommandRegister::BUS_MASTER_ENABLE, is_on);
            command
        });
    }

    fn wait(&self, length: Duration) {
        clock::spin(length);
    }
}
