//! The calls of the base code: TFTP and UDP (PXE 2.1 sections 4.2 to 4.4 and their structures).
//!
//! Addresses and ports are as on the wire, all other numbers little-endian.

use super::{FarPointer, Opcode};
use static_assertions::const_assert_eq;
use zerocopy::little_endian::{U16, U32};
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout, Unaligned, big_endian};

impl Opcode {
    /// Opens a file.
    pub const TFTP_OPEN: Self = Self(0x20);
    /// Closes it.
    pub const TFTP_CLOSE: Self = Self(0x21);
    /// The file's next packet.
    pub const TFTP_READ: Self = Self(0x22);
    /// A whole file.
    pub const TFTP_READ_FILE: Self = Self(0x23);
    /// A whole file, by multicast where the server offers that.
    pub const MTFTP_READ_FILE: Self = Self(0x24);
    /// How long a file is.
    pub const TFTP_GET_FSIZE: Self = Self(0x25);
    /// Begins the use of UDP.
    pub const UDP_OPEN: Self = Self(0x30);
    /// Ends it.
    pub const UDP_CLOSE: Self = Self(0x31);
    /// A datagram that has come.
    pub const UDP_READ: Self = Self(0x32);
    /// Sends a datagram.
    pub const UDP_WRITE: Self = Self(0x33);
    /// Loads a file to 0:7C00 and starts it in the caller's place.
    pub const RESTART_TFTP: Self = Self(0x73);
    /// Starts the base code.
    pub const START_BASE: Self = Self(0x75);
    /// Stops it.
    pub const STOP_BASE: Self = Self(0x76);
}

/// The name of a file, ended by a zero where it is shorter.
pub type FileName = [u8; 128];

/// TFTP_OPEN.
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable, KnownLayout, Unaligned)]
#[repr(C)]
pub struct TftpOpen {
    /// Out.
    pub status: U16,
    /// The server.
    pub server: [u8; 4],
    /// The way to it; zero for none.
    pub gateway: [u8; 4],
    /// The file.
    pub name: FileName,
    /// The server's port.
    pub port: big_endian::U16,
    /// In: bytes of a packet that are wished for, at least 512. Out: what they are.
    pub packet_size: U16,
}
const_assert_eq!(size_of::<TftpOpen>(), 142);

/// TFTP_READ.
#[derive(Clone, Copy, Debug, Default, FromBytes, IntoBytes, Immutable, KnownLayout, Unaligned)]
#[repr(C)]
pub struct TftpRead {
    /// Out.
    pub status: U16,
    /// Out: the packet's number, from 1.
    pub number: U16,
    /// Out: its bytes; fewer than all others have in the last one.
    pub size: U16,
    /// Where they go: room for a packet.
    pub buffer: FarPointer,
}
const_assert_eq!(size_of::<TftpRead>(), 10);

/// TFTP_READ_FILE, MTFTP_READ_FILE and RESTART_TFTP.
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable, KnownLayout, Unaligned)]
#[repr(C)]
pub struct TftpReadFile {
    /// Out.
    pub status: U16,
    /// The file.
    pub name: FileName,
    /// In: room. Out: the file's bytes.
    pub size: U32,
    /// Where it goes, a physical address.
    pub buffer: U32,
    /// The server.
    pub server: [u8; 4],
    /// The way to it; zero for none.
    pub gateway: [u8; 4],
    /// The group to listen to.
    pub group: [u8; 4],
    /// Our port of the group.
    pub client_port: big_endian::U16,
    /// The server's port.
    pub server_port: big_endian::U16,
    /// Seconds to wait for the transfer of another.
    pub open_timeout: U16,
    /// Seconds to wait before it is asked for.
    pub reopen_delay: U16,
}
const_assert_eq!(size_of::<TftpReadFile>(), 158);

/// TFTP_GET_FSIZE.
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable, KnownLayout, Unaligned)]
#[repr(C)]
pub struct TftpGetFileSize {
    /// Out.
    pub status: U16,
    /// The server.
    pub server: [u8; 4],
    /// The way to it; zero for none.
    pub gateway: [u8; 4],
    /// The file.
    pub name: FileName,
    /// Out: its bytes.
    pub size: U32,
}
const_assert_eq!(size_of::<TftpGetFileSize>(), 142);

/// UDP_OPEN.
#[derive(Clone, Copy, Debug, Default, FromBytes, IntoBytes, Immutable, KnownLayout, Unaligned)]
#[repr(C)]
pub struct UdpOpen {
    /// Out.
    pub status: U16,
    /// The station's address; zero to keep it.
    pub address: [u8; 4],
}
const_assert_eq!(size_of::<UdpOpen>(), 6);

/// UDP_READ.
#[derive(Clone, Copy, Debug, Default, FromBytes, IntoBytes, Immutable, KnownLayout, Unaligned)]
#[repr(C)]
pub struct UdpRead {
    /// Out.
    pub status: U16,
    /// Out: who sent it.
    pub source: [u8; 4],
    /// In: only what was sent to this address; zero for any. Out: to which it was.
    pub destination: [u8; 4],
    /// Out: the sender's port.
    pub source_port: big_endian::U16,
    /// In: only what was sent to this port; zero for any. Out: to which it was.
    pub destination_port: big_endian::U16,
    /// In: room. Out: bytes of the datagram that are there.
    pub size: U16,
    /// Where they go.
    pub buffer: FarPointer,
}
const_assert_eq!(size_of::<UdpRead>(), 20);

/// UDP_WRITE.
#[derive(Clone, Copy, Debug, Default, FromBytes, IntoBytes, Immutable, KnownLayout, Unaligned)]
#[repr(C)]
pub struct UdpWrite {
    /// Out.
    pub status: U16,
    /// To whom.
    pub destination: [u8; 4],
    /// The way there; zero for none.
    pub gateway: [u8; 4],
    /// Our port; zero for 2069.
    pub source_port: big_endian::U16,
    /// The port there.
    pub destination_port: big_endian::U16,
    /// Bytes.
    pub size: U16,
    /// Where they are.
    pub buffer: FarPointer,
}
const_assert_eq!(size_of::<UdpWrite>(), 20);

#[cfg(test)]
mod tests {
    use super::*;
    use core::mem::offset_of;

    #[test]
    fn the_fields_lie_where_the_specification_puts_them() {
        assert_eq!(offset_of!(TftpOpen, name), 10);
        assert_eq!(offset_of!(TftpOpen, port), 138);
        assert_eq!(offset_of!(TftpReadFile, size), 130);
        assert_eq!(offset_of!(TftpReadFile, server), 138);
        assert_eq!(offset_of!(TftpReadFile, client_port), 150);
        assert_eq!(offset_of!(TftpGetFileSize, size), 138);
        assert_eq!(offset_of!(UdpRead, source_port), 10);
        assert_eq!(offset_of!(UdpRead, buffer), 16);
        assert_eq!(offset_of!(UdpWrite, source_port), 10);
    }
}
