//! What the linker made of the two link units, read from their ELF files.
//!
//! The *front* (crate `unpack`, `linker/unpack.ld`) is the prefix and the unpacker: flat bytes that begin the image.
//! The *core* (crate `firmware`, `linker/core.ld`) is what the payload is made of. Both linker scripts name exactly
//! the sections listed here; anything else that would need memory is an error, because nobody would load it.

use crate::PAGE;
use anyhow::{Context as _, Result, bail, ensure};
use object::read::elf::{ElfFile64, SectionHeader as _};
use object::{Endianness, Object as _, ObjectSection as _, elf};

/// Where the front is loaded and runs: where a PXE ROM puts what it has fetched.
pub const FRONT_ADDRESS: u64 = 0x7c00;
/// Where the core's text is linked.
pub const CORE_ADDRESS: u64 = 0xffff_ffff_8000_0000;

/// The core's parts, as the linker script names them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Core {
    /// Code; execution starts at its first byte.
    pub text: Vec<u8>,
    /// Read-only data.
    pub rodata: Vec<u8>,
    /// Initialised data.
    pub data: Vec<u8>,
    /// Bytes of zeroed memory after the data, a multiple of a page.
    pub bss_length: usize,
    /// The low block's bytes.
    pub low: Vec<u8>,
    /// Bytes that the low block needs in memory, a multiple of a page.
    pub low_memory_length: usize,
}

/// One section that needs memory.
struct Section {
    name: String,
    address: u64,
    length: usize,
    /// `None`: not in the file (`.bss`).
    bytes: Option<Vec<u8>>,
}

/// The sections of `elf` that need memory. All of `required` must be there and nothing that is not in `allowed`.
fn sections(elf: &[u8], required: &[&str], allowed: &[&str]) -> Result<Vec<Section>> {
    let file = ElfFile64::<Endianness>::parse(elf).context("not a 64-bit ELF file")?;
    let mut found = Vec::new();
    for section in file.sections() {
        let header = section.elf_section_header();
        let flags = header.sh_flags(Endianness::Little);
        if !flags.contains(elf::SHF_ALLOC) || section.size() == 0 {
            continue;
        }
        let name = section.name()?.to_owned();
        ensure!(
            allowed.contains(&name.as_str()),
            "section `{name}` needs memory at {:#x}, but is not one of {}: put it there in the linker script",
            section.address(),
            allowed.join(" "),
        );
        let nobits = header.sh_type(Endianness::Little) == elf::SHT_NOBITS;
        let bytes = if nobits { None } else { Some(section.data()?.to_vec()) };
        found.push(Section { name, address: section.address(), length: section.size().try_into()?, bytes });
    }
    for name in required {
        ensure!(found.iter().any(|section| section.name == *name), "section `{name}` is missing or empty");
    }
    found.sort_by_key(|section| section.address);
    Ok(found)
}

/// The first link unit's parts.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Front {
    /// The prefix and the unpacker, which begin each image.
    pub flat: Vec<u8>,
    /// The boot sector of disks and CDs.
    pub boot_sector: Vec<u8>,
    /// What a boot loader takes for the setup code of a Linux kernel.
    pub kernel_setup: Vec<u8>,
    /// What an option ROM begins with.
    pub rom: Vec<u8>,
    /// Its UNDI loader, which goes right behind, from a multiple of 4 on.
    pub rom_loader: Vec<u8>,
}

impl Front {
    /// The parts from the link unit's ELF file.
    pub fn from_elf(elf: &[u8]) -> Result<Self> {
        let names = [".prefix", ".unpack", ".boot_sector", ".kernel_setup", ".rom", ".rom_loader"];
        let (loaders, front): (Vec<_>, Vec<_>) =
            sections(elf, &names, &names)?.into_iter().partition(|section| section.address < FRONT_ADDRESS);
        let loader = |name| {
            let found = loaders.iter().find(|section| section.name == name);
            found.and_then(|section| section.bytes.clone()).unwrap_or_default()
        };
        Ok(Self {
            flat: flat(front)?,
            boot_sector: loader(".boot_sector"),
            kernel_setup: loader(".kernel_setup"),
            rom: loader(".rom"),
            rom_loader: loader(".rom_loader"),
        })
    }
}

/// The bytes of sections that lie one after the other from [`FRONT_ADDRESS`] on.
fn flat(sections: Vec<Section>) -> Result<Vec<u8>> {
    let mut bytes = Vec::new();
    for section in sections {
        let name = &section.name;
        let Some(content) = section.bytes else {
            bail!("section `{name}` has no bytes in the file: the unpacker must not have zeroed data (.bss)");
        };
        let gap = section.address.checked_sub(FRONT_ADDRESS + u64::try_from(bytes.len())?);
        let gap =
            gap.with_context(|| format!("section `{name}` overlaps what is before it, or is below 0x7c00"))?;
        ensure!(gap < 4096, "section `{name}` begins {gap} bytes after the end of what is before it");
        bytes.resize(bytes.len() + usize::try_from(gap)?, 0);
        bytes.extend(content);
    }
    Ok(bytes)
}

impl Core {
    /// The core's parts from its ELF file.
    pub fn from_elf(elf: &[u8]) -> Result<Self> {
        let allowed = [".text", ".rodata", ".data", ".bss", ".low", ".low_bss"];
        Self::from_sections(sections(elf, &[".text", ".low"], &allowed)?)
    }

    fn from_sections(sections: Vec<Section>) -> Result<Self> {
        let mut core = Self::default();
        let mut next = CORE_ADDRESS;
        let mut low_end = 0;
        for Section { name, address, length, bytes } in sections {
            let zeroed = matches!(name.as_str(), ".bss" | ".low_bss");
            ensure!(
                bytes.is_none() == zeroed,
                "section `{name}` {}",
                if zeroed { "has bytes in the file" } else { "has none" }
            );
            let end = address.checked_add(u64::try_from(length)?).context("a section ends beyond 64 bits")?;
            if name.starts_with(".low") {
                ensure!(
                    address >= low_end && (low_end > 0 || address == 0),
                    "section `{name}` begins at {address:#x}"
                );
                low_end = end;
            } else {
                ensure!(address == next, "section `{name}` begins at {address:#x} instead of {next:#x}");
                next = end.next_multiple_of(PAGE as u64);
            }
            let bytes = bytes.unwrap_or_default();
            match name.as_str() {
                ".text" => core.text = bytes,
                ".rodata" => core.rodata = bytes,
                ".data" => core.data = bytes,
                ".bss" => core.bss_length = length.next_multiple_of(PAGE),
                ".low" => core.low = bytes,
                _ => {}
            }
        }
        core.low_memory_length = usize::try_from(low_end)?.next_multiple_of(PAGE);
        ensure!(core.low_memory_length <= 0x1_0000, "the low block has {low_end} bytes and must fit 64 KiB");
        Ok(core)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn section(name: &str, address: u64, length: usize) -> Section {
        Section { name: name.to_owned(), address, length, bytes: Some(vec![0x90; length]) }
    }

    fn zeroed(name: &str, address: u64, length: usize) -> Section {
        Section { bytes: None, ..section(name, address, length) }
    }

    /// Sorted by address, as [`sections`] answers them.
    fn core() -> Vec<Section> {
        vec![
            section(".low", 0, 0x1010),
            zeroed(".low_bss", 0x1010, 0x1800),
            section(".text", CORE_ADDRESS, 0x1000),
            section(".data", CORE_ADDRESS + 0x1000, 5),
            zeroed(".bss", CORE_ADDRESS + 0x2000, 0x1001),
        ]
    }

    #[test]
    fn the_front_is_flat() {
        let front = flat(vec![section(".prefix", 0x7c00, 3), section(".unpack", 0x7c10, 2)]).unwrap();
        assert_eq!(front.len(), 18);
        assert_eq!(&front[..4], [0x90, 0x90, 0x90, 0]);
    }

    #[test]
    fn a_front_that_is_not_flat_is_refused() {
        assert!(flat(vec![section(".prefix", 0, 3)]).is_err());
        assert!(flat(vec![section(".prefix", 0x7c00, 3), section(".unpack", 0x7c02, 2)]).is_err());
        assert!(flat(vec![section(".prefix", 0x7c00, 3), section(".unpack", 0x9c00, 2)]).is_err());
        let error = flat(vec![zeroed(".prefix", 0x7c00, 3)]).unwrap_err().to_string();
        assert!(error.contains(".bss"), "{error}");
    }

    #[test]
    fn the_core_is_taken_apart() {
        let core = Core::from_sections(core()).unwrap();
        assert_eq!((core.text.len(), core.rodata.len(), core.data.len()), (0x1000, 0, 5));
        assert_eq!((core.bss_length, core.low.len(), core.low_memory_length), (0x2000, 0x1010, 0x3000));
    }

    #[test]
    fn a_core_with_holes_or_bytes_in_the_wrong_place_is_refused() {
        for (index, wrong) in [
            (0, section(".low", 0x10, 0x1000)),
            (0, zeroed(".low", 0, 0x1010)),
            (1, zeroed(".low_bss", 0x1000, 0x1800)),
            (1, zeroed(".low_bss", 0x1010, 0x1_0000)),
            (2, section(".text", CORE_ADDRESS + 0x1000, 0x1000)),
            (3, section(".data", CORE_ADDRESS + 0x1800, 5)),
            (4, section(".bss", CORE_ADDRESS + 0x2000, 0x1001)),
            (4, zeroed(".bss", u64::MAX - 1, 2)),
        ] {
            let mut sections = core();
            sections[index] = wrong;
            assert!(Core::from_sections(sections).is_err(), "{index}");
        }
    }

    #[test]
    fn sections_that_nobody_would_load_are_named() {
        // This test's own program is an ELF file with sections that no image has.
        let elf = std::fs::read(std::env::current_exe().unwrap()).unwrap();
        let error = Core::from_elf(&elf).unwrap_err().to_string();
        assert!(error.contains("needs memory at"), "{error}");
        let error = Front::from_elf(&elf[..100]).unwrap_err().to_string();
        assert!(error.contains("not a 64-bit ELF file"), "{error}");
    }
}
