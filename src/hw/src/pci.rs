//! PCI configuration space, by ports CF8h and CFCh (PCI Local Bus Specification 3.0, section 3.2.2.3.2).

pub use pci_types::{CommandRegister, PciAddress, PciHeader};

use base::{Duration, PhysRange};
use core::ptr;
use pci_types::{ConfigRegionAccess, HeaderType};
use x86::io;

use crate::clock;
use crate::device::Device;
use crate::memory::PhysicalMemory;

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

/// Lets the card read and write memory, or keeps it from that, if it is the one of that vendor and device.
pub fn set_bus_mastering(bus_device_function: u16, vendor: u16, device: u16, is_on: bool) {
    let mut header = PciHeader::new(address(bus_device_function));
    if header.id(Ports) == (vendor, device) {
        header.update_command(Ports, |mut command| {
            command.set(CommandRegister::BUS_MASTER_ENABLE, is_on);
            command
        });
    }
}

/// A function that a driver holds: its regions are known, and it answers in them.
#[derive(Debug)]
pub struct Function {
    header: PciHeader,
    regions: [Region; 6],
    /// Whether it had no interrupt line before.
    was_silent: bool,
}

/// Where the addresses of regions begin to be memory's. Below they are ports.
const MEMORY: u64 = 1 << 16;

/// What a base address register points to: ports, or memory that is mapped one to one.
#[derive(Clone, Copy, Debug, Default)]
struct Region {
    base: u64,
    /// Bytes; 0 for nothing, or what is out of reach.
    length: u32,
}

impl Function {
    /// Takes the function at a place, as [`place`] writes it, and maps its registers. Nothing of it is touched but the
    /// bits that let it answer.
    pub fn claim(bus_device_function: u16, memory: &mut PhysicalMemory) -> Self {
        let mut header = PciHeader::new(address(bus_device_function));
        let mut regions = regions(&header);
        for region in &mut regions {
            if !memory.map_registers(PhysRange::with_length(region.base, region.length.into())) {
                region.length = 0;
            }
        }
        let mut was_silent = false;
        header.update_command(Ports, |command| {
            was_silent = command.contains(CommandRegister::INTERRUPT_DISABLE);
            command | CommandRegister::IO_ENABLE | CommandRegister::MEMORY_ENABLE
        });
        Self { header, regions, was_silent }
    }

    /// Where `size` bytes at `offset` are, a port or an address; none if they are not all inside.
    fn locate(&self, bar: u8, offset: u32, size: u32) -> Option<u64> {
        let region = self.regions.get(usize::from(bar))?;
        let is_inside = offset.checked_add(size).is_some_and(|end| end <= region.length);
        (is_inside && offset.is_multiple_of(size)).then(|| region.base.wrapping_add(offset.into()))
    }
}

/// What the base address registers point to (PCI 3.0, section 6.2.5.1). Of one that has 64 bits the second half is
/// none.
fn regions(header: &PciHeader) -> [Region; 6] {
    const FIRST: u16 = 0x10;
    let mut regions = [Region::default(); 6];
    if header.header_type(Ports) == HeaderType::Endpoint {
        let mut rest = regions.iter_mut().zip((FIRST..).step_by(4));
        while let Some((place, offset)) = rest.next() {
            let is_wide;
            (*place, is_wide) = region(header.address(), offset);
            if is_wide {
                rest.next();
            }
        }
    }
    regions
}

/// What the base address register at `offset` points to, and whether it has 64 bits.
fn region(function: PciAddress, offset: u16) -> (Region, bool) {
    const PORTS: u32 = 1;
    /// Bits 2:1 say how many bits it has.
    const KIND: u32 = 0b110;
    const WIDE: u32 = 0b100;
    /// The bits that are no address.
    const FLAGS: u32 = 0xf;
    /// Bytes of a region that are mapped, if it has more.
    const REACH: u32 = 1 << 30;
    /// A region of ports has 256 bytes at most, so its size is not asked for.
    const PORTS_LENGTH: u32 = 0x100;

    // SAFETY: reading configuration space changes nothing.
    let read = |offset| unsafe { Ports.read(function, offset) };
    let low = read(offset);
    if low & PORTS != 0 {
        let base = u64::from(low & !3);
        let length = if base > 0 { PORTS_LENGTH.min(MEMORY.saturating_sub(base) as u32) } else { 0 };
        return (Region { base, length }, false);
    }
    let is_wide = low & KIND == WIDE;
    let high = if is_wide { read(offset + 4) } else { 0 };
    let base = u64::from(high) << 32 | u64::from(low & !FLAGS);
    if base < MEMORY {
        return (Region::default(), is_wide);
    }
    // SAFETY: nobody uses the function's memory while its registers say another place, and then they are as before.
    let sizes = unsafe {
        Ports.write(function, offset, !0);
        let sizes = Ports.read(function, offset) & !FLAGS;
        Ports.write(function, offset, low);
        sizes
    };
    // The lowest bit that can be set. Without one in the low half there are 4 GiB or more.
    let length = if sizes == 0 { REACH } else { REACH.min(sizes & sizes.wrapping_neg()) };
    (Region { base, length }, is_wide)
}

/// The two directions of one size of register.
macro_rules! access {
    ($read:ident, $write:ident, $number:ty, $input:ident, $output:ident) => {
        fn $read(&self, bar: u8, offset: u32) -> $number {
            match self.locate(bar, offset, size_of::<$number>() as u32) {
                // SAFETY: the register is in a region of this function, which its driver alone uses.
                Some(port) if port < MEMORY => unsafe { io::$input(port as u16) },
                Some(address) => {
                    let register = ptr::with_exposed_provenance::<$number>(address as usize);
                    // SAFETY: as above; the region is mapped, and the register is aligned.
                    unsafe { register.read_volatile() }
                }
                None => <$number>::MAX,
            }
        }

        fn $write(&mut self, bar: u8, offset: u32, value: $number) {
            match self.locate(bar, offset, size_of::<$number>() as u32) {
                // SAFETY: the register is in a region of this function, which its driver alone uses. What the device
                // does then is what its driver tells it: see the crate's module `device`.
                Some(port) if port < MEMORY => unsafe { io::$output(port as u16, value) },
                Some(address) => {
                    let register = ptr::with_exposed_provenance_mut::<$number>(address as usize);
                    // SAFETY: as above; the region is mapped, and the register is aligned.
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
        let is_silent = is_on || self.was_silent;
        self.header.update_command(Ports, |mut command| {
            command.set(CommandRegister::BUS_MASTER_ENABLE, is_on);
            // PCI 2.3, section 6.2.2, bit 10; before, it is reserved, and stays 0.
            command.set(CommandRegister::INTERRUPT_DISABLE, is_silent);
            command
        });
    }

    fn wait(&self, length: Duration) {
        clock::spin(length);
    }
}
