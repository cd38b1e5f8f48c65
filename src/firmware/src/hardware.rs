//! What the machine says of itself, as settings.

use alloc::boxed::Box;
use alloc::vec::Vec;
use base::boot_info::BootInfo;
use settings::{Kind, Scope, Source, Tag, swap_fields};

use crate::machine::Machine;

/// A holder of settings that are looked up when they are asked for.
enum Holder {
    /// The structures, and whether UUIDs are of mixed order.
    Smbios(Vec<u8>, bool),
    Pci,
    Cpuid,
    Builtin,
}

impl Source for Holder {
    fn value(&self, tag: Tag) -> Option<(Kind, Vec<u8>)> {
        let [_, _, _, _, third, second, offset, length] = tag.0.to_be_bytes();
        let mut kind = Kind::Hex;
        let mut data = Vec::new();
        match self {
            Self::Smbios(table, is_mixed) => {
                let structure = smbios::find(table, second, third)?;
                if length == 0 {
                    return Some((Kind::String, structure.string(offset.into())?.into_bytes()));
                }
                data.extend_from_slice(structure.bytes(offset.into(), length.into())?);
                if tag == Tag::UUID {
                    structure.uuid(offset.into())?;
                    if *is_mixed {
                        data = swap_fields(data);
                    }
                }
            }
            // Configuration space is little-endian, settings are not.
            Self::Pci => {
                for index in (0..length).rev() {
                    let place = u16::from_be_bytes([third, second]);
                    data.push(hw::pci::byte(place, offset.wrapping_add(index)));
                }
            }
            Self::Cpuid if tag == Tag::CPU_VENDOR => data = hw::cpu::vendor(),
            Self::Cpuid if tag == Tag::CPU_MODEL => data = hw::cpu::name(),
            Self::Cpuid => {
                kind = Kind::Uint32;
                let leaf = u32::from(third & 0x80) << 24 | u32::from(length);
                let registers = hw::cpu::registers(leaf, (third & 0x7f).into());
                data.extend_from_slice(&registers.get(usize::from(offset))?.to_be_bytes());
            }
            Self::Builtin if tag == Tag::LOG => {
                hw::log::last(hw::log::CAPACITY, &mut |part| data.extend_from_slice(part));
            }
            Self::Builtin => data.extend_from_slice(&hw::clock::unix_time().to_be_bytes()),
        }
        Some((kind, data))
    }
}

/// Makes them known.
pub(crate) fn publish(machine: &mut Machine) {
    let (table, is_mixed) = smbios_table(&machine.info).unwrap_or_default();
    let settings = &mut machine.settings;
    let mut publish = |name: &[u8], scope, holder: Holder| {
        if let Ok(block) = settings.block(name) {
            settings.set_source(block, scope, Some(Box::new(holder)));
        }
    };
    publish(b"smbios", Scope::Smbios, Holder::Smbios(table, is_mixed));
    publish(b"pci", Scope::Pci, Holder::Pci);
    publish(b"cpuid", Scope::Cpuid, Holder::Cpuid);
    publish(b"builtin", Scope::Builtin, Holder::Builtin);
    let mut size = 0;
    for entry in &machine.info.e820 {
        if entry.kind == 1 {
            size += entry.length >> 10;
        }
    }
    if let Ok(block) = settings.block(b"memmap") {
        let [.., a, b, c, d] = (size >> 10).to_be_bytes();
        settings.publish(block, b"memsize", Kind::Int32, Some(&[a, b, c, d]));
    }
}

/// All SMBIOS structures, and whether UUIDs in them are of mixed order.
pub(crate) fn smbios_table(info: &BootInfo) -> Option<(Vec<u8>, bool)> {
    let (range, is_mixed) = smbios::find_table(&hw::memory::firmware_data(info, smbios::SEARCH)?)?;
    Some((hw::memory::firmware_data(info, range)?, is_mixed))
}

/// The machine's UUID as its structure has it; none if the machine has none.
pub(crate) fn uuid(info: &BootInfo) -> Option<[u8; 16]> {
    const UUID: usize = 8;
    smbios::find(&smbios_table(info)?.0, smbios::SYSTEM, 0)?.uuid(UUID).copied()
}
