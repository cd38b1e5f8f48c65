//! The calls by which iPXE lets programs read any address it can download from, and run its commands.
//!
//! From its public description, "PXE extensions", and from what its callers do (PXELINUX, GRUB4DOS).

use super::{FarPointer, Opcode};
use static_assertions::const_assert_eq;
use zerocopy::little_endian::{U16, U32};
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout, Unaligned};

impl Opcode {
    /// Opens a file by its address.
    pub const FILE_OPEN: Self = Self(0xe0);
    /// Closes it.
    pub const FILE_CLOSE: Self = Self(0xe1);
    /// Whether there is something to be read.
    pub const FILE_SELECT: Self = Self(0xe2);
    /// The next bytes.
    pub const FILE_READ: Self = Self(0xe3);
    /// How long the file is.
    pub const GET_FILE_SIZE: Self = Self(0xe4);
    /// Runs a command.
    pub const FILE_EXEC: Self = Self(0xe5);
    /// Which of these calls there are.
    pub const FILE_API_CHECK: Self = Self(0xe6);
    /// What is to be called when we leave for good; none of our images has it.
    pub const FILE_EXIT_HOOK: Self = Self(0xe7);
    /// The program's arguments.
    pub const FILE_CMDLINE: Self = Self(0xe8);
}

/// FILE_OPEN.
#[derive(Clone, Copy, Debug, Default, FromBytes, IntoBytes, Immutable, KnownLayout, Unaligned)]
#[repr(C)]
pub struct FileOpen {
    /// Out.
    pub status: U16,
    /// Out: the file's handle.
    pub handle: U16,
    /// The address, ended by a zero.
    pub name: FarPointer,
    /// Zero.
    pub reserved: U32,
}
const_assert_eq!(size_of::<FileOpen>(), 12);

/// FILE_CLOSE.
#[derive(Clone, Copy, Debug, Default, FromBytes, IntoBytes, Immutable, KnownLayout, Unaligned)]
#[repr(C)]
pub struct FileClose {
    /// Out.
    pub status: U16,
    /// The file.
    pub handle: U16,
}
const_assert_eq!(size_of::<FileClose>(), 4);

/// [`FileSelect`] out: FILE_READ has an answer.
pub const READY_TO_READ: u16 = 1;

/// FILE_SELECT.
#[derive(Clone, Copy, Debug, Default, FromBytes, IntoBytes, Immutable, KnownLayout, Unaligned)]
#[repr(C)]
pub struct FileSelect {
    /// Out.
    pub status: U16,
    /// The file.
    pub handle: U16,
    /// Out: [`READY_TO_READ`] or 0.
    pub ready: U16,
}
const_assert_eq!(size_of::<FileSelect>(), 6);

/// FILE_READ.
#[derive(Clone, Copy, Debug, Default, FromBytes, IntoBytes, Immutable, KnownLayout, Unaligned)]
#[repr(C)]
pub struct FileRead {
    /// Out.
    pub status: U16,
    /// The file.
    pub handle: U16,
    /// In: room. Out: bytes; 0 at the end of the file.
    pub size: U16,
    /// Where they go.
    pub buffer: FarPointer,
}
const_assert_eq!(size_of::<FileRead>(), 10);

/// GET_FILE_SIZE.
#[derive(Clone, Copy, Debug, Default, FromBytes, IntoBytes, Immutable, KnownLayout, Unaligned)]
#[repr(C)]
pub struct GetFileSize {
    /// Out.
    pub status: U16,
    /// The file.
    pub handle: U16,
    /// Out: its bytes.
    pub size: U32,
}
const_assert_eq!(size_of::<GetFileSize>(), 8);

/// FILE_EXEC.
#[derive(Clone, Copy, Debug, Default, FromBytes, IntoBytes, Immutable, KnownLayout, Unaligned)]
#[repr(C)]
pub struct FileExec {
    /// Out.
    pub status: U16,
    /// The command, ended by a zero.
    pub command: FarPointer,
}
const_assert_eq!(size_of::<FileExec>(), 6);

/// [`FileApiCheck`] in.
pub const API_CHECK_IN: u32 = 0x91d4_47b2;
/// [`FileApiCheck`] out.
pub const API_CHECK_OUT: u32 = 0xe9c1_7b20;
/// Who provides the calls: the number that all callers have met so far, `gPXE`.
pub const API_PROVIDER: u32 = 0x4558_5067;

/// FILE_API_CHECK.
#[derive(Clone, Copy, Debug, Default, FromBytes, IntoBytes, Immutable, KnownLayout, Unaligned)]
#[repr(C)]
pub struct FileApiCheck {
    /// Out.
    pub status: U16,
    /// Bytes of this structure.
    pub size: U16,
    /// In: [`API_CHECK_IN`]. Out: [`API_CHECK_OUT`].
    pub magic: U32,
    /// Out: [`API_PROVIDER`].
    pub provider: U32,
    /// Out: bit n for the call e0h + n.
    pub mask: U32,
    /// Out: zero.
    pub flags: U32,
}
const_assert_eq!(size_of::<FileApiCheck>(), 20);

/// FILE_CMDLINE.
#[derive(Clone, Copy, Debug, Default, FromBytes, IntoBytes, Immutable, KnownLayout, Unaligned)]
#[repr(C)]
pub struct FileCommandLine {
    /// Out.
    pub status: U16,
    /// In: room. Out: bytes of the arguments with the zero that ends them; 0 if there are none.
    pub size: U16,
    /// Where they go.
    pub buffer: FarPointer,
}
const_assert_eq!(size_of::<FileCommandLine>(), 8);
