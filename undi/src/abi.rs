//! The structures, numbers and names of the PXE specification 2.1: what both sides of UNDI use, and in
//! [`base_code`] and [`file`] what programs are offered beyond that.
//!
//! All fields are little-endian and unaligned, as in memory. Numbers that a ROM hands out are newtypes, never Rust
//! enums: any value may come.

use base::SegOff;
use static_assertions::const_assert_eq;
use zerocopy::little_endian::{U16, U32};
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout, Unaligned};

pub mod base_code;
pub mod file;

/// The number of a PXE API call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Opcode(pub u16);

impl Opcode {
    /// PXE 2.1 section 4.2: begins the use of an UNDI that was loaded.
    pub const START_UNDI: Self = Self(0x00);
    /// PXE 2.1 section 4.4: UNDI.
    pub const STARTUP: Self = Self(0x01);
    /// Undoes STARTUP.
    pub const CLEANUP: Self = Self(0x02);
    /// Resets and programs the adapter.
    pub const INITIALIZE: Self = Self(0x03);
    /// Resets the adapter; what was open is open again.
    pub const RESET_ADAPTER: Self = Self(0x04);
    /// Undoes INITIALIZE.
    pub const SHUTDOWN: Self = Self(0x05);
    /// Starts reception.
    pub const OPEN: Self = Self(0x06);
    /// Stops reception.
    pub const CLOSE: Self = Self(0x07);
    /// Sends one frame.
    pub const TRANSMIT: Self = Self(0x08);
    /// Says which multicasts are received.
    pub const SET_MCAST_ADDRESS: Self = Self(0x09);
    /// Gives the adapter another address.
    pub const SET_STATION_ADDRESS: Self = Self(0x0a);
    /// Says which frames are received.
    pub const SET_PACKET_FILTER: Self = Self(0x0b);
    /// Addresses, interrupt, sizes.
    pub const GET_INFORMATION: Self = Self(0x0c);
    /// Frames counted.
    pub const GET_STATISTICS: Self = Self(0x0d);
    /// Begins to count anew.
    pub const CLEAR_STATISTICS: Self = Self(0x0e);
    /// Lets the adapter test itself.
    pub const INITIATE_DIAGS: Self = Self(0x0f);
    /// Makes the adapter interrupt.
    pub const FORCE_INTERRUPT: Self = Self(0x10);
    /// The multicast MAC address of an IP address.
    pub const GET_MCAST_ADDRESS: Self = Self(0x11);
    /// Where the adapter sits.
    pub const GET_NIC_TYPE: Self = Self(0x12);
    /// Kind of the medium.
    pub const GET_IFACE_INFO: Self = Self(0x13);
    /// Interrupt service: START, PROCESS, GET_NEXT.
    pub const ISR: Self = Self(0x14);
    /// Section 4.2: unhooks the UNDI from the BIOS. UNDI_GET_STATE (section 4.4) has the same number.
    pub const STOP_UNDI: Self = Self(0x15);
    /// Section 4.2: removes the base code.
    pub const UNLOAD_STACK: Self = Self(0x70);
    /// Section 4.2: the packets of the ROM's own DHCP.
    pub const GET_CACHED_INFO: Self = Self(0x71);

    /// The call's name in the specification, without `PXENV_`.
    pub fn name(self) -> &'static str {
        match self {
            Self::START_UNDI => "START_UNDI",
            Self::STARTUP => "UNDI_STARTUP",
            Self::CLEANUP => "UNDI_CLEANUP",
            Self::INITIALIZE => "UNDI_INITIALIZE",
            Self::SHUTDOWN => "UNDI_SHUTDOWN",
            Self::OPEN => "UNDI_OPEN",
            Self::CLOSE => "UNDI_CLOSE",
            Self::TRANSMIT => "UNDI_TRANSMIT",
            Self::GET_INFORMATION => "UNDI_GET_INFORMATION",
            Self::GET_NIC_TYPE => "UNDI_GET_NIC_TYPE",
            Self::GET_IFACE_INFO => "UNDI_GET_IFACE_INFO",
            Self::ISR => "UNDI_ISR",
            Self::STOP_UNDI => "STOP_UNDI",
            Self::UNLOAD_STACK => "UNLOAD_STACK",
            Self::GET_CACHED_INFO => "GET_CACHED_INFO",
            _ => "a PXE call",
        }
    }
}

/// What a call answered (PXE 2.1 appendix: status codes).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Status(pub u16);

impl Status {
    /// Done.
    pub const SUCCESS: Self = Self(0x00);
    /// Failed, no reason given.
    pub const FAILURE: Self = Self(0x01);
    /// The call is not there.
    pub const UNSUPPORTED: Self = Self(0x03);
    /// The UNDI is still hooked and must stay in memory.
    pub const KEEP_UNDI: Self = Self(0x04);
    /// All must stay in memory.
    pub const KEEP_ALL: Self = Self(0x05);
    /// Try again later.
    pub const OUT_OF_RESOURCES: Self = Self(0x06);
    /// There is no such call, or not with these parameters.
    pub const BAD_FUNCTION: Self = Self(0x02);
    /// No answer to ARP.
    pub const ARP_TIMEOUT: Self = Self(0x11);
    /// UDP is not open.
    pub const UDP_CLOSED: Self = Self(0x18);
    /// UDP is open already.
    pub const UDP_OPEN: Self = Self(0x19);
    /// TFTP is not open.
    pub const TFTP_CLOSED: Self = Self(0x1a);
    /// TFTP is open already; of the file calls: nothing has come yet.
    pub const TFTP_OPEN: Self = Self(0x1b);
    /// The server does not answer.
    pub const TFTP_OPEN_TIMEOUT: Self = Self(0x32);
    /// The server does not answer any more.
    pub const TFTP_READ_TIMEOUT: Self = Self(0x35);
    /// The server answers with an error.
    pub const TFTP_ERROR: Self = Self(0x36);
    /// There is no way to the server.
    pub const TFTP_CANNOT_OPEN: Self = Self(0x38);
    /// The server does not have the file.
    pub const TFTP_NOT_FOUND: Self = Self(0x3b);
    /// The server does not give the file away.
    pub const TFTP_ACCESS_VIOLATION: Self = Self(0x3c);
    /// The server does not say how long the file is.
    pub const TFTP_NO_SIZE: Self = Self(0x3e);
    /// Packets cannot be so small.
    pub const TFTP_PACKET_SIZE: Self = Self(0x3f);
    /// No DHCP server answers.
    pub const DHCP_TIMEOUT: Self = Self(0x51);
    /// No carrier.
    pub const MEDIA_TEST_FAILED: Self = Self(0x61);
    /// The adapter cannot be made ready.
    pub const CANNOT_INITIALIZE: Self = Self(0x63);
    /// No station has such an address.
    pub const INVALID_MAC_ADDRESS: Self = Self(0x67);
    /// The adapter is not in the state for that call.
    pub const INVALID_STATE: Self = Self(0x6a);
    /// The frame cannot be sent.
    pub const TRANSMIT_ERROR: Self = Self(0x6b);
    /// A parameter makes no sense.
    pub const INVALID_PARAMETER: Self = Self(0x6c);

    /// The meaning, in words that fit after `CALL:`.
    pub fn text(self) -> &'static str {
        match self.0 {
            0x00 => "success",
            0x02 => "bad function",
            0x03 => "not supported",
            0x04 => "the UNDI must be kept",
            0x05 => "all must be kept",
            0x06 => "out of resources",
            0x60 => "invalid function",
            0x61 => "media test failed",
            0x62 => "cannot set up multicast",
            0x63 => "cannot initialize the card",
            0x64 => "cannot initialize the PHY",
            0x65 => "cannot read its configuration",
            0x66 => "cannot read its initial data",
            0x67 => "bad MAC address",
            0x68 => "bad EEPROM checksum",
            0x69 => "cannot set its interrupt handler",
            0x6a => "invalid state",
            0x6b => "transmit error",
            0x6c => "invalid parameter",
            _ => "failure",
        }
    }
}

/// A far pointer in a structure.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout, Unaligned,
)]
#[repr(C)]
pub struct FarPointer {
    /// Offset.
    pub offset: U16,
    /// Segment.
    pub segment: U16,
}

impl From<FarPointer> for SegOff {
    fn from(far: FarPointer) -> Self {
        Self::new(far.segment.get(), far.offset.get())
    }
}

impl From<SegOff> for FarPointer {
    fn from(far: SegOff) -> Self {
        Self { offset: far.offset.into(), segment: far.segment.into() }
    }
}

/// One entry of the segment table of [`BangPxe`].
#[derive(Clone, Copy, Debug, Default, FromBytes, IntoBytes, Immutable, KnownLayout, Unaligned)]
#[repr(C)]
pub struct SegmentDescriptor {
    /// Real-mode segment, or a selector.
    pub segment: U16,
    /// Its physical address.
    pub address: U32,
    /// Its bytes.
    pub size: U16,
}

/// `!PXE` (PXE 2.1 section 3.2).
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable, KnownLayout, Unaligned)]
#[repr(C)]
pub struct BangPxe {
    /// `!PXE`.
    pub signature: [u8; 4],
    /// Bytes of the structure, at least 0x58.
    pub length: u8,
    /// Makes the bytes of the structure add up to zero.
    pub checksum: u8,
    /// Zero.
    pub revision: u8,
    /// Zero.
    pub reserved: u8,
    /// The UNDI ROM id structure.
    pub undi_rom_id: FarPointer,
    /// The base-code ROM id structure.
    pub base_rom_id: FarPointer,
    /// The real-mode entry point.
    pub entry: FarPointer,
    /// The entry point for protected mode with a 32-bit stack.
    pub entry_esp: FarPointer,
    /// Called while a call waits; 0:0 none, ffff:ffff not wanted.
    pub status_callout: FarPointer,
    /// Zero.
    pub reserved_2: u8,
    /// Number of segment descriptors.
    pub segment_count: u8,
    /// First protected-mode selector.
    pub first_selector: U16,
    /// The stack.
    pub stack: SegmentDescriptor,
    /// Data of the UNDI.
    pub undi_data: SegmentDescriptor,
    /// Code of the UNDI.
    pub undi_code: SegmentDescriptor,
    /// The same, writable.
    pub undi_code_write: SegmentDescriptor,
    /// Data of the base code.
    pub base_data: SegmentDescriptor,
    /// Code of the base code.
    pub base_code: SegmentDescriptor,
    /// The same, writable.
    pub base_code_write: SegmentDescriptor,
}
const_assert_eq!(size_of::<BangPxe>(), 0x58);

/// `PXENV+` (PXE 2.1 section 3.3).
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable, KnownLayout, Unaligned)]
#[repr(C)]
pub struct PxenvPlus {
    /// `PXENV+`.
    pub signature: [u8; 6],
    /// Version of the API, 0x0201 for 2.1.
    pub version: U16,
    /// Bytes of the structure, at least 0x28.
    pub length: u8,
    /// Makes the bytes of the structure add up to zero.
    pub checksum: u8,
    /// The real-mode entry point.
    pub entry: FarPointer,
    /// Offset of the protected-mode entry point; not to be used.
    pub protected_offset: U32,
    /// Selector of it.
    pub protected_selector: U16,
    /// The stack's segment.
    pub stack_segment: U16,
    /// Its bytes.
    pub stack_size: U16,
    /// Code of the base code.
    pub base_code_segment: U16,
    /// Its bytes.
    pub base_code_size: U16,
    /// Data of the base code.
    pub base_data_segment: U16,
    /// Its bytes.
    pub base_data_size: U16,
    /// Data of the UNDI.
    pub undi_data_segment: U16,
    /// Its bytes.
    pub undi_data_size: U16,
    /// Code of the UNDI.
    pub undi_code_segment: U16,
    /// Its bytes.
    pub undi_code_size: U16,
    /// Where `!PXE` is; there since version 2.1 and length 0x2c.
    pub bang_pxe: FarPointer,
}
const_assert_eq!(size_of::<PxenvPlus>(), 0x2c);

/// The header of an option ROM (PCI Firmware Specification 3.0, section 5.1).
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable, KnownLayout, Unaligned)]
#[repr(C)]
pub struct RomHeader {
    /// 55h, AAh.
    pub signature: [u8; 2],
    /// Length in units of 512 bytes.
    pub blocks: u8,
    /// Code, and a checksum somewhere.
    pub code: [u8; 19],
    /// Offset of the [`UndiRomId`].
    pub undi: U16,
    /// Offset of the [`PciData`].
    pub pci: U16,
    /// Offset of the Plug and Play header.
    pub plug_and_play: U16,
}
const_assert_eq!(size_of::<RomHeader>(), 0x1c);

/// The PCI data structure of an option ROM, as far as it matters.
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable, KnownLayout, Unaligned)]
#[repr(C)]
pub struct PciData {
    /// `PCIR`.
    pub signature: [u8; 4],
    /// The card's vendor.
    pub vendor: U16,
    /// The card's device.
    pub device: U16,
    /// From revision 3 on: offset of a list of more devices, from this structure; 0 for none.
    pub device_list: U16,
    /// Bytes of the structure.
    pub length: U16,
    /// Of the structure.
    pub revision: u8,
    /// Class code: interface, subclass, class.
    pub class: [u8; 3],
    /// Length of the image in units of 512 bytes.
    pub blocks: U16,
    /// Of the code.
    pub code_revision: U16,
    /// 0 for PC BIOS.
    pub code_type: u8,
    /// 80h: the last image.
    pub indicator: u8,
    /// From revision 3 on: the most that stays after POST, in units of 512 bytes.
    pub runtime_blocks: U16,
}
const_assert_eq!(size_of::<PciData>(), 0x18);

/// The Plug and Play header of an option ROM (Plug and Play BIOS Specification 1.0A, section 3.2).
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable, KnownLayout, Unaligned)]
#[repr(C)]
pub struct PlugAndPlay {
    /// `$PnP`.
    pub signature: [u8; 4],
    /// Of the structure.
    pub revision: u8,
    /// Its length in units of 16 bytes.
    pub paragraphs: u8,
    /// Offset of another one; 0 for none.
    pub next: U16,
    /// Zero.
    pub reserved: u8,
    /// Makes its bytes add up to zero.
    pub checksum: u8,
    /// EISA's id of the device; 0 for PCI.
    pub device_id: [u8; 4],
    /// Offset of the manufacturer's name.
    pub manufacturer: U16,
    /// Offset of the product's name, by which a BIOS's menu calls it.
    pub product: U16,
    /// Class, subclass, interface.
    pub device_type: [u8; 3],
    /// How it is initialised, and whether it boots.
    pub indicators: u8,
    /// Offset of the boot connection vector; 0 for none.
    pub connection: U16,
    /// Offset of the disconnect vector; 0 for none.
    pub disconnect: U16,
    /// Offset of the bootstrap entry vector; 0 for none.
    pub boot: U16,
    /// Zero.
    pub reserved_too: U16,
    /// Offset of the static resource information vector; 0 for none.
    pub resources: U16,
}
const_assert_eq!(size_of::<PlugAndPlay>(), 0x20);

/// The UNDI ROM id structure (PXE 2.1 section 3.1).
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable, KnownLayout, Unaligned)]
#[repr(C)]
pub struct UndiRomId {
    /// `UNDI`.
    pub signature: [u8; 4],
    /// Bytes of the structure.
    pub length: u8,
    /// Makes them add up to zero.
    pub checksum: u8,
    /// Zero.
    pub revision: u8,
    /// Of the UNDI: 0, 1, 2 for 2.1.0.
    pub undi_revision: [u8; 3],
    /// Offset of the loader.
    pub loader: U16,
    /// Bytes of stack that the UNDI wants.
    pub stack_size: U16,
    /// Bytes of its data segment.
    pub data_size: U16,
    /// Bytes of its code segment.
    pub code_size: U16,
    /// `PCIR` for PCI.
    pub bus: [u8; 4],
}
const_assert_eq!(size_of::<UndiRomId>(), 0x16);

/// What an UNDI is started for. START_UNDI takes this.
#[derive(Clone, Copy, Debug, Default, FromBytes, IntoBytes, Immutable, KnownLayout, Unaligned)]
#[repr(C)]
pub struct StartUndi {
    /// Out.
    pub status: U16,
    /// AX as the BIOS has it when it calls the ROM of a PCI card: bus, device and function.
    pub ax: U16,
    /// BX: the card select number of an ISA card, else ffffh.
    pub bx: U16,
    /// DX: the read data port of ISA, else ffffh.
    pub dx: U16,
    /// DI: offset of the Plug and Play installation check structure.
    pub di: U16,
    /// ES: its segment.
    pub es: U16,
}
const_assert_eq!(size_of::<StartUndi>(), 12);

/// What the UNDI loader of a ROM is called with (PXE 2.1 section 3.1).
#[derive(Clone, Copy, Debug, Default, FromBytes, IntoBytes, Immutable, KnownLayout, Unaligned)]
#[repr(C)]
pub struct UndiLoader {
    /// The same as for START_UNDI.
    pub start: StartUndi,
    /// The segment that is to be the data segment.
    pub data_segment: U16,
    /// The segment that is to be the code segment.
    pub code_segment: U16,
    /// Out: `!PXE`.
    pub bang_pxe: FarPointer,
    /// Out: `PXENV+`.
    pub pxenv: FarPointer,
}
const_assert_eq!(size_of::<UndiLoader>(), 24);

/// UNDI_INITIALIZE.
#[derive(Clone, Copy, Debug, Default, FromBytes, IntoBytes, Immutable, KnownLayout, Unaligned)]
#[repr(C)]
pub struct Initialize {
    /// Out.
    pub status: U16,
    /// Physical address of a PROTOCOL.INI, 0 for none.
    pub protocol_ini: U32,
    /// Zero.
    pub reserved: [u8; 8],
}
const_assert_eq!(size_of::<Initialize>(), 14);

bitflags::bitflags! {
    /// What frames are received (`PktFilter` of UNDI_OPEN).
    #[derive(Clone, Copy, Debug)]
    pub struct PacketFilter: u16 {
        /// Those to the station itself.
        const DIRECTED = 1;
        /// Broadcasts.
        const BROADCAST = 2;
        /// Everything.
        const PROMISCUOUS = 4;
    }
}

/// A call that takes nothing and gives its status only.
#[derive(Clone, Copy, Debug, Default, FromBytes, IntoBytes, Immutable, KnownLayout, Unaligned)]
#[repr(C)]
pub struct Plain {
    /// Out.
    pub status: U16,
}
const_assert_eq!(size_of::<Plain>(), 2);

/// The most multicast addresses of one call (MAXNUM_MCADDR).
pub const MULTICAST_LIMIT: usize = 8;

/// Multicast addresses (`t_PXENV_UNDI_MCAST_ADDRESS`).
#[derive(Clone, Copy, Debug, Default, FromBytes, IntoBytes, Immutable, KnownLayout, Unaligned)]
#[repr(C)]
pub struct MulticastList {
    /// Number of addresses.
    pub count: U16,
    /// The addresses.
    pub addresses: [[u8; 16]; MULTICAST_LIMIT],
}
const_assert_eq!(size_of::<MulticastList>(), 130);

/// UNDI_RESET_ADAPTER and UNDI_SET_MCAST_ADDRESS.
#[derive(Clone, Copy, Debug, Default, FromBytes, IntoBytes, Immutable, KnownLayout, Unaligned)]
#[repr(C)]
pub struct SetMulticast {
    /// Out.
    pub status: U16,
    /// What is received from now on.
    pub multicast: MulticastList,
}
const_assert_eq!(size_of::<SetMulticast>(), 132);

/// UNDI_SET_STATION_ADDRESS.
#[derive(Clone, Copy, Debug, Default, FromBytes, IntoBytes, Immutable, KnownLayout, Unaligned)]
#[repr(C)]
pub struct SetStationAddress {
    /// Out.
    pub status: U16,
    /// The address; its first six bytes for Ethernet.
    pub address: [u8; 16],
}
const_assert_eq!(size_of::<SetStationAddress>(), 18);

/// UNDI_SET_PACKET_FILTER.
#[derive(Clone, Copy, Debug, Default, FromBytes, IntoBytes, Immutable, KnownLayout, Unaligned)]
#[repr(C)]
pub struct SetPacketFilter {
    /// Out.
    pub status: U16,
    /// [`PacketFilter`].
    pub filter: u8,
}
const_assert_eq!(size_of::<SetPacketFilter>(), 3);

/// UNDI_GET_STATISTICS.
#[derive(Clone, Copy, Debug, Default, FromBytes, IntoBytes, Immutable, KnownLayout, Unaligned)]
#[repr(C)]
pub struct Statistics {
    /// Out.
    pub status: U16,
    /// Frames sent.
    pub sent: U32,
    /// Frames received.
    pub received: U32,
    /// Frames received with a wrong checksum.
    pub checksum_errors: U32,
    /// Frames lost for want of buffers.
    pub resource_errors: U32,
}
const_assert_eq!(size_of::<Statistics>(), 18);

/// UNDI_GET_MCAST_ADDRESS.
#[derive(Clone, Copy, Debug, Default, FromBytes, IntoBytes, Immutable, KnownLayout, Unaligned)]
#[repr(C)]
pub struct GetMulticastAddress {
    /// Out.
    pub status: U16,
    /// The IP address.
    pub ip: [u8; 4],
    /// Out: the MAC address.
    pub mac: [u8; 16],
}
const_assert_eq!(size_of::<GetMulticastAddress>(), 22);

/// UNDI_GET_STATE.
#[derive(Clone, Copy, Debug, Default, FromBytes, IntoBytes, Immutable, KnownLayout, Unaligned)]
#[repr(C)]
pub struct GetState {
    /// Out.
    pub status: U16,
    /// Out: 1 started, 2 initialized, 3 opened.
    pub state: u8,
}
const_assert_eq!(size_of::<GetState>(), 3);

/// UNDI_OPEN.
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable, KnownLayout, Unaligned)]
#[repr(C)]
pub struct Open {
    /// Out.
    pub status: U16,
    /// Adapter specific; zero.
    pub flag: U16,
    /// [`PacketFilter`].
    pub filter: U16,
    /// The multicasts that are received.
    pub multicast: MulticastList,
}
const_assert_eq!(size_of::<Open>(), 136);

/// UNDI_TRANSMIT builds no header: the frame is complete.
pub const PROTOCOL_UNKNOWN: u8 = 0;
/// UNDI_TRANSMIT builds the header of IPv4.
pub const PROTOCOL_IP: u8 = 1;
/// UNDI_TRANSMIT builds the header of ARP.
pub const PROTOCOL_ARP: u8 = 2;
/// UNDI_TRANSMIT builds the header of RARP.
pub const PROTOCOL_RARP: u8 = 3;
/// [`Isr`] out: something else.
pub const PROTOCOL_OTHER: u8 = 4;
/// [`Isr`] out: the frame is for one station.
pub const FRAME_DIRECTED: u8 = 0;
/// [`Isr`] out: for all.
pub const FRAME_BROADCAST: u8 = 1;
/// [`Isr`] out: for a group.
pub const FRAME_MULTICAST: u8 = 2;
/// The destination is in the parameter block.
pub const TO_ADDRESS: u8 = 0;
/// The destination is everybody.
pub const TO_BROADCAST: u8 = 1;

/// UNDI_TRANSMIT.
#[derive(Clone, Copy, Debug, Default, FromBytes, IntoBytes, Immutable, KnownLayout, Unaligned)]
#[repr(C)]
pub struct Transmit {
    /// Out.
    pub status: U16,
    /// `PROTOCOL_*`.
    pub protocol: u8,
    /// `TO_*`.
    pub flag: u8,
    /// The destination's address.
    pub destination: FarPointer,
    /// The [`TransmitDescriptor`].
    pub descriptor: FarPointer,
    /// Zero.
    pub reserved: [U32; 2],
}
const_assert_eq!(size_of::<Transmit>(), 20);

/// A block of a frame that is sent.
#[derive(Clone, Copy, Debug, Default, FromBytes, IntoBytes, Immutable, KnownLayout, Unaligned)]
#[repr(C)]
pub struct TransmitBlock {
    /// 0: `data` is a physical address; 1: it is a far pointer.
    pub kind: u8,
    /// Zero.
    pub reserved: u8,
    /// Bytes.
    pub length: U16,
    /// Where they are.
    pub data: FarPointer,
}
const_assert_eq!(size_of::<TransmitBlock>(), 8);

/// The transmit buffer descriptor.
#[derive(Clone, Copy, Debug, Default, FromBytes, IntoBytes, Immutable, KnownLayout, Unaligned)]
#[repr(C)]
pub struct TransmitDescriptor {
    /// Bytes at `data`.
    pub length: U16,
    /// The bytes.
    pub data: FarPointer,
    /// Number of further blocks.
    pub block_count: U16,
    /// The further blocks.
    pub blocks: [TransmitBlock; 8],
}
const_assert_eq!(size_of::<TransmitDescriptor>(), 72);

/// UNDI_GET_INFORMATION.
#[derive(Clone, Copy, Debug, Default, FromBytes, IntoBytes, Immutable, KnownLayout, Unaligned)]
#[repr(C)]
pub struct Information {
    /// Out.
    pub status: U16,
    /// First I/O port.
    pub base_io: U16,
    /// Interrupt line; 0 and what is above 15 mean none (field note A4).
    pub interrupt: U16,
    /// Largest payload of a frame.
    pub mtu: U16,
    /// ARP hardware type.
    pub hardware_type: U16,
    /// Bytes of the addresses.
    pub address_length: U16,
    /// The address in use.
    pub current_address: [u8; 16],
    /// The address burnt in.
    pub permanent_address: [u8; 16],
    /// Segment of the ROM.
    pub rom_segment: U16,
    /// Receive buffers.
    pub receive_buffers: U16,
    /// Transmit buffers.
    pub transmit_buffers: U16,
}
const_assert_eq!(size_of::<Information>(), 50);

/// A PCI card, in [`NicType`].
pub const NIC_PCI: u8 = 2;
/// Put in before the call, to see whether the ROM writes a type at all (field note A9).
pub const NIC_UNSET: u8 = 0xff;

/// UNDI_GET_NIC_TYPE, with the union's PCI side.
#[derive(Clone, Copy, Debug, Default, FromBytes, IntoBytes, Immutable, KnownLayout, Unaligned)]
#[repr(C)]
pub struct NicType {
    /// Out.
    pub status: U16,
    /// 2 PCI, 3 plug and play, 4 CardBus.
    pub kind: u8,
    /// PCI vendor.
    pub vendor: U16,
    /// PCI device.
    pub device: U16,
    /// Base class, subclass, programming interface, revision.
    pub class: [u8; 4],
    /// Bus, device, function.
    pub bus_device_function: U16,
    /// Subsystem vendor.
    pub subsystem_vendor: U16,
    /// Subsystem device.
    pub subsystem_device: U16,
}
const_assert_eq!(size_of::<NicType>(), 17);

/// UNDI_GET_IFACE_INFO.
#[derive(Clone, Copy, Debug, Default, FromBytes, IntoBytes, Immutable, KnownLayout, Unaligned)]
#[repr(C)]
pub struct InterfaceInfo {
    /// Out.
    pub status: U16,
    /// Name of the medium, ASCII.
    pub kind: [u8; 16],
    /// Bits per second.
    pub speed: U32,
    /// Service flags.
    pub services: U32,
    /// Zero.
    pub reserved: [U32; 4],
}
const_assert_eq!(size_of::<InterfaceInfo>(), 42);

/// [`Isr`] in: is the interrupt yours?
pub const ISR_START: u16 = 1;
/// [`Isr`] in: serve it.
pub const ISR_PROCESS: u16 = 2;
/// [`Isr`] in: what else?
pub const ISR_GET_NEXT: u16 = 3;
/// [`Isr`] out of START: yes.
pub const ISR_OURS: u16 = 0;
/// [`Isr`] out of START: no.
pub const ISR_NOT_OURS: u16 = 1;
/// [`Isr`] out of PROCESS and GET_NEXT: nothing is left.
pub const ISR_DONE: u16 = 0;
/// [`Isr`] out of PROCESS and GET_NEXT: a frame has been sent.
pub const ISR_TRANSMIT: u16 = 2;
/// [`Isr`] out of PROCESS and GET_NEXT: a frame, or a part of one, is there.
pub const ISR_RECEIVE: u16 = 3;

/// UNDI_ISR.
#[derive(Clone, Copy, Debug, Default, FromBytes, IntoBytes, Immutable, KnownLayout, Unaligned)]
#[repr(C)]
pub struct Isr {
    /// Out.
    pub status: U16,
    /// In and out: `ISR_*`.
    pub function: U16,
    /// Bytes at `frame`.
    pub buffer_length: U16,
    /// Bytes of the whole frame with its header.
    pub frame_length: U16,
    /// Bytes of the header.
    pub header_length: U16,
    /// The bytes; gone after the next call.
    pub frame: FarPointer,
    /// `PROTOCOL_*`.
    pub protocol: u8,
    /// To whom the frame was sent.
    pub kind: u8,
}
const_assert_eq!(size_of::<Isr>(), 16);

/// UNLOAD_STACK.
#[derive(Clone, Copy, Debug, Default, FromBytes, IntoBytes, Immutable, KnownLayout, Unaligned)]
#[repr(C)]
pub struct UnloadStack {
    /// Out.
    pub status: U16,
    /// Zero.
    pub reserved: [u8; 10],
}
const_assert_eq!(size_of::<UnloadStack>(), 12);

/// GET_CACHED_INFO.
#[derive(Clone, Copy, Debug, Default, FromBytes, IntoBytes, Immutable, KnownLayout, Unaligned)]
#[repr(C)]
pub struct CachedInfo {
    /// Out.
    pub status: U16,
    /// 1 DISCOVER, 2 ACK, 3 the boot server's answer.
    pub kind: U16,
    /// In: room at `buffer`, or 0 to be given a pointer. Out: bytes of the packet.
    pub size: U16,
    /// The packet.
    pub buffer: FarPointer,
    /// Out, not by all: room of the ROM's own buffer.
    pub limit: U16,
}
const_assert_eq!(size_of::<CachedInfo>(), 12);

#[cfg(test)]
mod tests {
    use super::*;
    use core::mem::offset_of;

    #[test]
    fn the_fields_lie_where_the_specification_puts_them() {
        assert_eq!(offset_of!(BangPxe, entry), 0x10);
        assert_eq!(offset_of!(BangPxe, segment_count), 0x1d);
        assert_eq!(offset_of!(BangPxe, undi_data), 0x28);
        assert_eq!(offset_of!(BangPxe, base_data), 0x40);
        assert_eq!(offset_of!(PxenvPlus, entry), 0x0a);
        assert_eq!(offset_of!(PxenvPlus, base_code_segment), 0x18);
        assert_eq!(offset_of!(PxenvPlus, bang_pxe), 0x28);
        assert_eq!(offset_of!(Information, current_address), 12);
        assert_eq!(offset_of!(Information, permanent_address), 28);
        assert_eq!(offset_of!(NicType, bus_device_function), 11);
        assert_eq!(offset_of!(Isr, frame), 10);
        assert_eq!(offset_of!(CachedInfo, buffer), 6);
    }

    #[test]
    fn any_number_has_a_text() {
        for number in 0..=u16::MAX {
            assert!(!Status(number).text().is_empty() && !Opcode(number).name().is_empty());
        }
    }
}
