//! The setup header of a Linux kernel.
//!
//! Source: "The Linux/x86 Boot Protocol" of the kernel's documentation, versions 2.00 to 2.15, and its "Zero Page". Offsets are from the
//! start of the file; numbers are little-endian.

use crate::bytes::{u8_at, u16_at, u32_at};
use crate::{command_line, errors};
use base::{Error, PhysRange};

/// Where each field lies.
pub(crate) mod field {
    // In the boot sector's place, for kernels that are not entered in real mode ("Zero Page").
    pub(crate) const ACPI_RSDP_ADDR: usize = 0x70;
    pub(crate) const EXT_RAMDISK_IMAGE: usize = 0xc0;
    pub(crate) const EXT_RAMDISK_SIZE: usize = 0xc4;
    pub(crate) const E820_ENTRIES: usize = 0x1e8;
    pub(crate) const SETUP_HEADER_LIMIT: usize = 0x290;
    pub(crate) const E820_TABLE: usize = 0x2d0;

    pub(crate) const COMMAND_LINE_MAGIC: usize = 0x20;
    pub(crate) const COMMAND_LINE_OFFSET: usize = 0x22;
    pub(crate) const SETUP_SECTS: usize = 0x1f1;
    pub(crate) const SYSSIZE: usize = 0x1f4;
    pub(crate) const VID_MODE: usize = 0x1fa;
    pub(crate) const BOOT_FLAG: usize = 0x1fe;
    pub(crate) const HEADER_LENGTH: usize = 0x201;
    pub(crate) const HEADER: usize = 0x202;
    pub(crate) const VERSION: usize = 0x206;
    pub(crate) const TYPE_OF_LOADER: usize = 0x210;
    pub(crate) const LOADFLAGS: usize = 0x211;
    pub(crate) const SETUP_MOVE_SIZE: usize = 0x212;
    pub(crate) const CODE32_START: usize = 0x214;
    pub(crate) const RAMDISK_IMAGE: usize = 0x218;
    pub(crate) const RAMDISK_SIZE: usize = 0x21c;
    pub(crate) const HEAP_END_PTR: usize = 0x224;
    pub(crate) const CMD_LINE_PTR: usize = 0x228;
    pub(crate) const INITRD_ADDR_MAX: usize = 0x22c;
    pub(crate) const KERNEL_ALIGNMENT: usize = 0x230;
    pub(crate) const RELOCATABLE_KERNEL: usize = 0x234;
    pub(crate) const XLOADFLAGS: usize = 0x236;
    pub(crate) const CMDLINE_SIZE: usize = 0x238;
    pub(crate) const PREF_ADDRESS: usize = 0x258;
    pub(crate) const INIT_SIZE: usize = 0x260;
}

/// The most bytes of a file that [`Header::parse`] looks at.
pub const HEADER_END: usize = 0x264;
/// Bytes of a sector.
const SECTOR: u32 = 512;
/// The setup code, its data and its stack's lower end lie in this many bytes.
pub(crate) const SETUP_LIMIT: u32 = 0x8000;
/// Where protected-mode code is loaded that does not say otherwise.
pub(crate) const HIGH_ADDRESS: u64 = 0x10_0000;
/// Where that of a zImage is loaded, and where it must end.
const LOW: PhysRange = PhysRange::new(0x1_0000, 0x9_0000);
/// The highest byte of an initrd for a kernel that does not say.
const OLD_INITRD_ADDR_MAX: u32 = 0x37ff_ffff;
/// The longest command line for a kernel that does not say. (Such kernels cut it themselves.)
const OLD_CMDLINE_SIZE: u32 = 0x7ff;
/// How much larger a kernel becomes at most that does not say, as a factor.
const OLD_GROWTH: u64 = 4;
/// `loadflags`: the protected-mode code is for 1 MiB and above.
const LOADED_HIGH: u8 = 1;
/// `xloadflags`: it is of 64 bits, and what goes along with it may lie above 4 GiB.
const TAKES_ANY_ADDRESS: u16 = 0b11;

/// What the setup header says, with what the protocol prescribes for fields that this version does not have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Header {
    /// The boot protocol, 0x0200 and up.
    pub version: u16,
    /// Bytes of the file that are real-mode code, the boot sector included; at most 32 KiB.
    pub setup_length: u32,
    /// Bytes of the file after that.
    pub protected_length: u64,
    /// The field of this name. Bit 0: the protected-mode code is for 1 MiB and above, else for 10000h (a zImage).
    pub loadflags: u8,
    /// The highest address that a byte of the initrd may have.
    pub initrd_addr_max: u32,
    /// An initrd may lie anywhere if the kernel is not entered in real mode.
    pub takes_any_address: bool,
    /// What the address of protected-mode code elsewhere must be a multiple of; none if it must not be elsewhere.
    pub alignment: Option<u64>,
    /// The most bytes of the command line, without the final zero.
    pub cmdline_size: u32,
    /// From where the kernel wants to run, and how many bytes it needs there before it reads the memory map.
    pub runtime: Option<(u64, u64)>,
}

/// Whether a file that begins with `first` has the marks of a kernel.
pub(crate) fn is_kernel(first: &[u8]) -> bool {
    u16_at(first, field::BOOT_FLAG) == 0xaa55 && u32_at(first, field::HEADER) == u32::from_le_bytes(*b"HdrS")
}

impl Header {
    /// The header of the kernel called `name`, of `length` bytes, that begins with `first` ([`HEADER_END`] bytes, or all
    /// there are).
    pub fn parse(name: &str, first: &[u8], length: u64) -> Result<Self, Error> {
        if length < field::VERSION as u64 + 2 {
            return Err(errors::TRUNCATED_SETUP.of(name));
        }
        if u16_at(first, field::BOOT_FLAG) != 0xaa55 {
            return Err(errors::NOT_A_KERNEL.of(name));
        }
        if !is_kernel(first) {
            return Err(errors::NO_HEADER.of(name));
        }
        let version = u16_at(first, field::VERSION);
        if version < 0x200 {
            return Err(errors::TOO_OLD.of(name));
        }
        let sectors = match u8_at(first, field::SETUP_SECTS) {
            0 => 4,
            sectors => u32::from(sectors),
        };
        let setup_length = (sectors + 1) * SECTOR;
        if setup_length > SETUP_LIMIT {
            return Err(errors::SETUP_TOO_LONG.of(name));
        }
        let protected_length = length.checked_sub(setup_length.into()).filter(|rest| *rest != 0);
        let protected_length = protected_length.ok_or_else(|| errors::TRUNCATED_SETUP.of(name))?;
        let syssize = u64::from(u32_at(first, field::SYSSIZE)) * 16;
        // The field is rounded up; what the last paragraph lacks is not missing.
        if version >= 0x204 && syssize >= protected_length.saturating_add(16) {
            return Err(errors::TRUNCATED.of(name));
        }
        let since = |first_version: u16, offset: usize, before: u32| {
            if version >= first_version { u32_at(first, offset) } else { before }
        };
        let relocatable = version >= 0x205 && u8_at(first, field::RELOCATABLE_KERNEL) != 0;
        let alignment = u64::from(since(0x205, field::KERNEL_ALIGNMENT, 0));
        let preferred = u64::from(u32_at(first, field::PREF_ADDRESS + 4)) << 32;
        let preferred = preferred | u64::from(u32_at(first, field::PREF_ADDRESS));
        let init_size = u64::from(u32_at(first, field::INIT_SIZE));
        let loadflags = u8_at(first, field::LOADFLAGS);
        let any = u16_at(first, field::XLOADFLAGS) & TAKES_ANY_ADDRESS == TAKES_ANY_ADDRESS;
        Ok(Self {
            version,
            setup_length,
            protected_length,
            loadflags,
            initrd_addr_max: since(0x203, field::INITRD_ADDR_MAX, OLD_INITRD_ADDR_MAX),
            takes_any_address: version >= 0x20c && loadflags & LOADED_HIGH != 0 && any,
            alignment: (relocatable && alignment.is_power_of_two()).then_some(alignment),
            cmdline_size: since(0x206, field::CMDLINE_SIZE, OLD_CMDLINE_SIZE),
            runtime: (version >= 0x20a && init_size != 0).then_some((preferred, init_size)),
        })
    }

    /// Whether the protected-mode code is for 1 MiB and above.
    pub fn is_high(&self) -> bool {
        self.loadflags & LOADED_HIGH != 0
    }

    /// The address above all that an initrd may use, with this command line.
    pub fn initrd_ceiling(&self, command_line: &[u8]) -> u64 {
        let limit = command_line::memory_limit(command_line).unwrap_or(u64::MAX);
        if self.takes_any_address { limit } else { limit.min(self.near_ceiling()) }
    }

    /// The same, if the kernel is entered in real mode.
    pub(crate) fn near_ceiling(&self) -> u64 {
        u64::from(self.initrd_addr_max) + 1
    }

    /// Where the protected-mode part goes if memory is free there.
    pub fn usual_place(&self) -> PhysRange {
        let start = if self.is_high() { HIGH_ADDRESS } else { LOW.start() };
        PhysRange::with_length(start, self.protected_length)
    }

    /// Whether it can be at its usual place as far as its own size goes: a zImage ends below 90000h.
    pub(crate) fn fits_usual_place(&self) -> bool {
        self.is_high() || LOW.contains(self.usual_place())
    }

    /// The memory that the kernel writes to before it looks what else is there, when its protected-mode part was
    /// loaded at `loaded`: where it unpacks itself.
    pub fn runtime(&self, loaded: PhysRange) -> PhysRange {
        let Some((preferred, init_size)) = self.runtime else {
            let length = self.protected_length.saturating_mul(OLD_GROWTH);
            return PhysRange::with_length(loaded.start().max(HIGH_ADDRESS), length);
        };
        let start = match self.alignment {
            Some(alignment) => {
                let aligned =
                    base::PhysAddr(loaded.start()).align_up(alignment).map_or(u64::MAX, |start| start.0);
                aligned.max(preferred)
            }
            None => preferred,
        };
        PhysRange::with_length(start, init_size)
    }
}

#[cfg(test)]
#[allow(clippy::cast_possible_truncation, reason = "the memory of a test is small")]
mod tests {
    use super::*;
    use crate::fixture::File;
    use proptest::prelude::*;

    fn parse(file: &File) -> Result<Header, Error> {
        Header::parse("vmlinuz", &file.0, file.0.len() as u64)
    }

    fn modern() -> File {
        File::new(3, 0x2000, 0x100_0000)
    }

    #[test]
    fn a_kernel_of_today() {
        let header = parse(&modern()).unwrap();
        assert_eq!(
            header,
            Header {
                version: 0x20f,
                setup_length: 0x800,
                protected_length: 0x2000,
                loadflags: 1,
                initrd_addr_max: 0x7fff_ffff,
                takes_any_address: false,
                alignment: Some(0x1_0000),
                cmdline_size: 2047,
                runtime: Some((0x100_0000, 0x1_0000)),
            }
        );
        assert_eq!(header.usual_place(), PhysRange::new(0x10_0000, 0x10_2000));
        assert_eq!(header.runtime(header.usual_place()), PhysRange::new(0x100_0000, 0x101_0000));
        let elsewhere = PhysRange::new(0x200_1000, 0x200_3000);
        assert_eq!(header.runtime(elsewhere), PhysRange::new(0x201_0000, 0x202_0000));
        assert_eq!(header.initrd_ceiling(b"quiet"), 0x8000_0000);
        assert_eq!(header.initrd_ceiling(b"mem=64M"), 64 << 20);
        let free = parse(&modern().with(field::XLOADFLAGS, &[0x7f])).unwrap();
        assert_eq!(free.initrd_ceiling(b"quiet"), u64::MAX);
        assert_eq!(free.initrd_ceiling(b"mem=8G"), 8 << 30);
        for flags in [0, 1, 2] {
            assert!(!parse(&modern().with(field::XLOADFLAGS, &[flags])).unwrap().takes_any_address);
        }
        let low = modern().with(field::XLOADFLAGS, &[3]).with(field::LOADFLAGS, &[0]);
        assert!(!parse(&low).unwrap().takes_any_address);
    }

    #[test]
    fn older_versions_have_fewer_fields() {
        let at = |version| parse(&modern().version(version)).unwrap();
        assert_eq!(at(0x209).runtime, None);
        assert_eq!(at(0x205).cmdline_size, 0x7ff);
        let any = modern().with(field::XLOADFLAGS, &[3]).version(0x20b);
        assert!(!parse(&any).unwrap().takes_any_address);
        assert_eq!(at(0x204).alignment, None);
        assert_eq!(at(0x202).initrd_addr_max, 0x37ff_ffff);
        let old = at(0x202);
        assert_eq!(old.runtime(old.usual_place()), PhysRange::new(0x10_0000, 0x10_8000));
        let low = parse(&modern().version(0x200).with(field::LOADFLAGS, &[0])).unwrap();
        assert_eq!(low.usual_place(), PhysRange::new(0x1_0000, 0x1_2000));
        let four = File::new(4, 0x2000, 0).with(field::SETUP_SECTS, &[0]);
        assert_eq!(parse(&four).unwrap().setup_length, 5 * 512);
    }

    #[test]
    fn each_error_names_its_field() {
        let kind = |file: File| parse(&file).unwrap_err().kind();
        assert_eq!(kind(modern().with(field::BOOT_FLAG, &[0])), &errors::NOT_A_KERNEL);
        assert_eq!(kind(modern().with(field::HEADER, b"hdrs")), &errors::NO_HEADER);
        assert_eq!(kind(modern().version(0x1ff)), &errors::TOO_OLD);
        assert_eq!(kind(modern().with(field::SETUP_SECTS, &[64])), &errors::SETUP_TOO_LONG);
        assert_eq!(kind(modern().with(field::SETUP_SECTS, &[63])), &errors::TRUNCATED_SETUP);
        let cut = |length: usize| {
            let mut file = modern();
            file.0.truncate(length);
            file
        };
        assert_eq!(kind(cut(0x2800 - 16)), &errors::TRUNCATED);
        assert_eq!(kind(cut(0x800)), &errors::TRUNCATED_SETUP);
        assert_eq!(kind(cut(0x207)), &errors::TRUNCATED_SETUP);
        assert_eq!(kind(cut(0)), &errors::TRUNCATED_SETUP);
        // What a kernel lacks to a whole paragraph was never there.
        assert!(parse(&cut(0x2800 - 15)).is_ok());
        assert!(parse(&cut(0x2000).version(0x203)).is_ok());
        let odd = modern().with(field::KERNEL_ALIGNMENT, &3u32.to_le_bytes());
        assert_eq!(parse(&odd).unwrap().alignment, None);
    }

    proptest! {
        #[test]
        fn any_header_is_survived(
            noise in prop::collection::vec(any::<u8>(), 0x264),
            length in any::<u64>(),
            version in 0x1f0u16..0x220,
            keep in 0usize..0x270,
        ) {
            let mut file = File(noise).with(field::BOOT_FLAG, &[0x55, 0xaa]).with(field::HEADER, b"HdrS");
            file = file.version(version);
            file.0.truncate(keep);
            if let Ok(header) = Header::parse("x", &file.0, length) {
                prop_assert!(u64::from(header.setup_length) + header.protected_length == length);
                header.runtime(header.usual_place());
                header.initrd_ceiling(b"mem=1");
            }
        }
    }
}
