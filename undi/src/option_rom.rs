//! UNDIs in option ROMs, to be loaded where none is in memory.
//!
//! A BIOS leaves the ROMs that it ran between C0000h and F0000h, on multiples of 512 bytes. What is looked at: the header
//! and its checksum, the PCI data structure (PCI Firmware Specification 3.0, section 5.1), and the UNDI ROM id
//! structure (PXE 2.1 section 3.1).

use crate::abi::{PciData, PlugAndPlay, RomHeader, UndiRomId};
use crate::find::{Memory, Segment};
use base::SegOff;
use zerocopy::{FromZeros, IntoBytes};

/// An UNDI that can be loaded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OptionRom {
    /// Its loader, to be called far.
    pub loader: SegOff,
    /// Bytes of the data segment that the loader is to be given, not 0.
    pub data_size: u16,
    /// Bytes of the code segment, not 0.
    pub code_size: u16,
    /// It is an iPXE or gPXE, whose loader also fills memory above 1 MiB whatever the memory map says: ours. What we
    /// make has such names, too, and obeys the map.
    pub is_ipxe: bool,
}

const START: u32 = 0xc_0000;
const END: u32 = 0xf_0000;
const BLOCK: u32 = 512;
/// In the UNDI ROM id structure: for a PCI card.
const PCI: [u8; 4] = *b"PCIR";
/// The manufacturer of ROMs of ours (`image-variants/prefix/rom.S`).
const OURS: &[u8; 12] = b"iPXE in Rust";
/// Code for PC BIOS, in the PCI data structure.
const PC_BIOS: u8 = 0;
/// The most devices that a list is followed for.
const DEVICES: u16 = 256;

/// The first UNDI for PCI cards of that vendor and device.
pub fn find(memory: &dyn Memory, vendor: u16, device: u16) -> Option<OptionRom> {
    let mut place = START;
    while place < END {
        let image = Image::at(memory, place);
        let undi = image.as_ref().and_then(|image| image.undi(vendor, device));
        if undi.is_some() {
            return undi;
        }
        place += image.map_or(BLOCK, |image| image.length);
    }
    None
}

/// What base memory has less while an UNDI is loaded, as its data, its code, and what is ours: the segments of its data
/// and code, which is below, and of what is ours above both, up to where base memory ended before.
///
/// All of it is free again without the UNDI, more than its own structure names.
pub fn taken([data, code, ours]: [u16; 3], base_memory_kib: u16) -> [Segment; 3] {
    let piece =
        |segment: u16, end: u16| Segment { segment, size: end.saturating_sub(segment).saturating_mul(16) };
    [piece(data, ours), piece(code, data), piece(ours, base_memory_kib.saturating_mul(64))]
}

/// A ROM whose bytes add up to zero.
struct Image<'a> {
    memory: &'a dyn Memory,
    place: u32,
    /// A multiple of 512, at least that.
    length: u32,
    header: RomHeader,
}

impl<'a> Image<'a> {
    fn at(memory: &'a dyn Memory, place: u32) -> Option<Self> {
        let mut header = RomHeader::new_zeroed();
        let is_there = memory.read(place, header.as_mut_bytes());
        let length = u32::from(header.blocks) * BLOCK;
        if !is_there || header.signature != [0x55, 0xaa] || length == 0 {
            return None;
        }
        let mut sum = 0_u8;
        let mut block = [0; BLOCK as usize];
        for block_place in (place..place + length).step_by(BLOCK as usize) {
            if !memory.read(block_place, &mut block) {
                return None;
            }
            sum = block.iter().fold(sum, |sum, byte| sum.wrapping_add(*byte));
        }
        (sum == 0).then_some(Self { memory, place, length, header })
    }

    /// Fills `into` from `offset` on, if all of it is inside the ROM.
    fn read(&self, offset: u16, into: &mut [u8]) -> Option<()> {
        let end = u32::from(offset) + u32::try_from(into.len()).ok()?;
        let is_inside = offset != 0 && end <= self.length;
        (is_inside && self.memory.read(self.place + u32::from(offset), into)).then_some(())
    }

    /// Its UNDI, if it has one and is for that device.
    fn undi(&self, vendor: u16, device: u16) -> Option<OptionRom> {
        let mut pci = PciData::new_zeroed();
        self.read(self.header.pci.get(), pci.as_mut_bytes())?;
        let is_for_pc = pci.signature == PCI && pci.code_type == PC_BIOS;
        if !is_for_pc || pci.vendor.get() != vendor || !self.serves(&pci, device) {
            return None;
        }
        let mut id = UndiRomId::new_zeroed();
        let at = self.header.undi.get();
        self.read(at, id.as_mut_bytes())?;
        let mut bytes = [0; 255];
        let bytes = bytes.get_mut(..usize::from(id.length).max(size_of::<UndiRomId>()))?;
        self.read(at, bytes)?;
        let sum = bytes.iter().fold(0_u8, |sum, byte| sum.wrapping_add(*byte));
        let (data_size, code_size) = (id.data_size.get(), id.code_size.get());
        let is_whole = sum == 0 && data_size != 0 && code_size != 0 && id.loader.get() != 0;
        (id.signature == *b"UNDI" && id.bus == PCI && is_whole).then(|| OptionRom {
            loader: SegOff::new(u16::try_from(self.place >> 4).unwrap_or(0), id.loader.get()),
            data_size,
            code_size,
            is_ipxe: self.is_ipxe(),
        })
    }

    /// Whether the ROM is for that device of its vendor: its own, or one of its list (from revision 3 on).
    fn serves(&self, pci: &PciData, device: u16) -> bool {
        let list = pci.device_list.get();
        if pci.device.get() == device || pci.revision < 3 || list == 0 {
            return pci.device.get() == device;
        }
        let mut entry = [0; 2];
        for number in 0..DEVICES {
            let at = self.header.pci.get().checked_add(list).and_then(|list| list.checked_add(number * 2));
            if at.and_then(|at| self.read(at, &mut entry)).is_none() || entry == [0; 2] {
                return false;
            }
            if u16::from_le_bytes(entry) == device {
                return true;
            }
        }
        false
    }

    /// Whether the Plug and Play header has the product's name of an iPXE or gPXE, and not our manufacturer's.
    fn is_ipxe(&self) -> bool {
        let (mut header, mut product, mut manufacturer) =
            (PlugAndPlay::new_zeroed(), [0; 4], [0; OURS.len()]);
        let at = self.header.plug_and_play.get();
        let is_there = self.read(at, header.as_mut_bytes()).is_some() && header.signature == *b"$PnP";
        is_there
            && self.read(header.product.get(), &mut product).is_some()
            && (product == *b"iPXE" || product == *b"gPXE")
            && (self.read(header.manufacturer.get(), &mut manufacturer).is_none() || manufacturer != *OURS)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::vec;
    use alloc::vec::Vec;

    const VENDOR: u16 = 0x10ec;
    const DEVICE: u16 = 0x8139;
    /// Where the structures lie in the ROM of the tests, as its header says.
    const UNDI: usize = 0x20;
    const PCI_DATA: usize = 0x40;
    const PLUG_AND_PLAY: usize = 0x60;
    const PRODUCT: usize = 0x80;
    const LIST: usize = 0x90;
    const MANUFACTURER: usize = 0xa0;

    /// A ROM of 1 KiB for [`DEVICE`].
    fn rom() -> Vec<u8> {
        let mut rom = vec![0; 1024];
        let mut put = |at: usize, bytes: &[u8]| rom[at..at + bytes.len()].copy_from_slice(bytes);
        put(0, &[0x55, 0xaa, 2]);
        put(0x16, b"\x20\0\x40\0\x60\0");
        put(UNDI, b"UNDI\x16\0\0\x00\x01\x02\x34\x01\x00\x06\x00\x10\x00\x20PCIR");
        put(PCI_DATA, b"PCIR\xec\x10\x39\x81\x50\0\x1c\0\x03\0\0\x02\x02\0\x01\0\0\x80");
        put(PLUG_AND_PLAY, b"$PnP\x01\x02");
        put(PLUG_AND_PLAY + 0xe, b"\xa0\0\x80\0");
        put(PRODUCT, b"Some card");
        put(LIST, &[0x67, 0x81, 0x68, 0x81, 0, 0, 0x99, 0x99]);
        seal(&mut rom);
        rom
    }

    fn seal(rom: &mut [u8]) {
        fn seal(bytes: &mut [u8], at: usize) {
            bytes[at] = 0;
            bytes[at] = bytes.iter().fold(0, |sum, byte| sum.wrapping_sub(*byte));
        }
        seal(&mut rom[UNDI..UNDI + 0x16], 5);
        seal(rom, 6);
    }

    fn found(roms: &[(usize, &[u8])], device: u16) -> Option<OptionRom> {
        let mut memory = vec![0xff; 0x10_0000];
        for (at, rom) in roms {
            memory[*at..at + rom.len()].copy_from_slice(rom);
        }
        find(&&memory[..], VENDOR, device)
    }

    #[test]
    fn the_rom_of_the_card_is_found() {
        let expected = OptionRom {
            loader: SegOff::new(0xcaa0, 0x134),
            data_size: 0x1000,
            code_size: 0x2000,
            is_ipxe: false,
        };
        assert_eq!(found(&[(0xc_aa00, &rom())], DEVICE), Some(expected));
        assert_eq!(found(&[(0xc_aa00, &rom())], 0x8140), None);
        // Not on a multiple of 512, or where the BIOS itself lies.
        assert_eq!(found(&[(0xc_aa10, &rom())], DEVICE), None);
        assert_eq!(found(&[(0xf_0000, &rom())], DEVICE), None);
    }

    #[test]
    fn all_that_was_taken_is_named() {
        let segment = |segment, size| Segment { segment, size };
        let expected = [segment(0x9000, 0x1000), segment(0x8e00, 0x2000), segment(0x9100, 0x5c00)];
        assert_eq!(taken([0x9000, 0x8e00, 0x9100], 603), expected);
        // What cannot be leaves something out.
        let [_, code, ours] = taken([0xffff, 0, 0x9000], 512);
        assert_eq!((code.size, ours.size), (0xffff, 0));
    }

    #[test]
    fn a_rom_inside_another_does_not_count() {
        let mut outer = vec![0; 4096];
        outer[..3].copy_from_slice(&[0x55, 0xaa, 8]);
        outer[1024..2048].copy_from_slice(&rom());
        outer[6] = outer.iter().fold(0, |sum: u8, byte| sum.wrapping_sub(*byte));
        assert_eq!(found(&[(0xc_0000, &outer)], DEVICE), None);
        // A wrong sum makes the outer one no ROM.
        outer[6] ^= 1;
        assert!(found(&[(0xc_0000, &outer)], DEVICE).is_some());
    }

    #[test]
    fn a_list_has_more_devices() {
        for (device, is_served) in [(0x8167, true), (0x8168, true), (0x9999, false), (0, false)] {
            assert_eq!(found(&[(0xc_0000, &rom())], device).is_some(), is_served, "{device:04x}");
        }
        let mut old = rom();
        old[PCI_DATA + 0xc] = 0;
        seal(&mut old);
        assert_eq!(found(&[(0xc_0000, &old)], 0x8167), None);
    }

    #[test]
    fn ipxe_is_known_by_its_name() {
        for (name, is_ipxe) in [(b"iPXE", true), (b"gPXE", true), (b"PXE ", false)] {
            let mut rom = rom();
            rom[PRODUCT..PRODUCT + 4].copy_from_slice(name);
            seal(&mut rom);
            assert_eq!(found(&[(0xc_0000, &rom)], DEVICE).unwrap().is_ipxe, is_ipxe);
            rom[MANUFACTURER..MANUFACTURER + OURS.len()].copy_from_slice(OURS);
            seal(&mut rom);
            assert!(!found(&[(0xc_0000, &rom)], DEVICE).unwrap().is_ipxe);
        }
    }

    #[test]
    fn what_is_not_sound_is_passed_over() {
        // Signatures, pointers beyond the end, no code, no data, no loader, not for PCI, not for a PC BIOS.
        for (at, byte) in [
            (0, 0),
            (0x17, 4),
            (0x19, 4),
            (UNDI, 0),
            (UNDI + 0xa, 0),
            (UNDI + 0xf, 0),
            (UNDI + 0x11, 0),
            (UNDI + 0x12, 0),
            (PCI_DATA, 0),
            (PCI_DATA + 4, 0),
            (PCI_DATA + 0x14, 3),
        ] {
            let mut rom = rom();
            rom[at] = byte;
            if at == UNDI + 0xa {
                rom[at + 1] = 0;
            }
            seal(&mut rom);
            assert_eq!(found(&[(0xc_0000, &rom)], DEVICE), None, "{at:#x}");
        }
        for at in [6, UNDI + 5] {
            let mut rom = rom();
            rom[at] ^= 1;
            rom[0x3ff] ^= u8::from(at != 6);
            assert_eq!(found(&[(0xc_0000, &rom)], DEVICE), None, "{at:#x}");
        }
    }
}
