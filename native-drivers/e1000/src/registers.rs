//! The registers and descriptors that the driver uses (8254x manual, chapters 3 and 13; for the advanced ones, 82576
//! datasheet, chapters 7 and 8). Offsets in bytes.

pub(crate) const CONTROL: u32 = 0x0000;
pub(crate) const STATUS: u32 = 0x0008;
/// EECD.
pub(crate) const MEMORY_CONTROL: u32 = 0x0010;
/// AUTO_RD of [`MEMORY_CONTROL`], and of a chipset's card LAN_INIT_DONE of [`STATUS`]: the card has loaded its memory.
pub(crate) const IS_LOADED: u32 = 1 << 9;
/// EERD: reads a word of the card's own memory.
pub(crate) const MEMORY_READ: u32 = 0x0014;
/// MDIC: reads and writes registers of a PHY. Here the write to the first one (BMCR) that has it wake and negotiate.
pub(crate) const MANAGEMENT: u32 = 0x0020;
pub(crate) const NEGOTIATE: u32 = 1 << 26 | 1 << 12 | 1 << 9;
/// R: that is done, or there is no such PHY.
pub(crate) const IS_MANAGED: u32 = 1 << 28;
/// PHYs 1 and 2. The second is where the chipsets' cards have these registers from the 82567 on (Linux' e1000e), and
/// others have none.
pub(crate) const PHYS: [u32; 2] = [1 << 21, 2 << 21];
/// EXTCNF_CTRL, and its bit that is set while the PHY is the driver's.
pub(crate) const PHY_OWNER: u32 = 0x0f00;
pub(crate) const PHY_IS_OURS: u32 = 1 << 5;
pub(crate) const RECEIVE_CONTROL: u32 = 0x0100;
pub(crate) const TRANSMIT_CONTROL: u32 = 0x0400;
/// TIPG: the gap between two frames.
pub(crate) const TRANSMIT_GAP: u32 = 0x0410;
pub(crate) const MULTICAST_TABLE: u32 = 0x5200;
pub(crate) const MULTICAST_TABLE_ENTRIES: u32 = 128;
pub(crate) const RECEIVE_ADDRESS_LOW: u32 = 0x5400;
pub(crate) const RECEIVE_ADDRESS_HIGH: u32 = 0x5404;

/// What lies behind the registers of each ring.
pub(crate) const RING_ADDRESS_LOW: u32 = 0x00;
pub(crate) const RING_ADDRESS_HIGH: u32 = 0x04;
pub(crate) const RING_LENGTH: u32 = 0x08;
/// SRRCTL: of a receive ring of the advanced format, buffers of 2 KiB with one descriptor each.
pub(crate) const RING_BUFFERS: u32 = 0x0c;
pub(crate) const RING_BUFFERS_ADVANCED: u32 = 2 | 1 << 25;
pub(crate) const RING_HEAD: u32 = 0x10;
pub(crate) const RING_TAIL: u32 = 0x18;
pub(crate) const RING_CONTROL: u32 = 0x28;
/// Of rings of the advanced format: the ring is in use.
pub(crate) const RING_ENABLE: u32 = 1 << 25;

/// Of an I219 (Linux' e1000e): the place in configuration space that says whether requests of the rings are under way,
/// FEXTNVM11 with the bit that lets them be emptied, and RXDCTL's thresholds for that: 31 descriptors to be fetched ahead
/// when 1 is there, counted as such.
pub(crate) const RINGS: u16 = 0x00e4;
pub(crate) const ARE_BUSY: u32 = 1 << 8;
pub(crate) const WORKAROUNDS: u32 = 0x5bbc;
pub(crate) const NO_REQUEST_FIX: u32 = 1 << 13;
pub(crate) const RING_FLUSH: u32 = 31 | 1 << 8 | 1 << 24;

/// Bits of [`CONTROL`].
pub(crate) mod control {
    /// GIO_MASTER_DISABLE: no new access to memory.
    pub(crate) const NO_MASTER: u32 = 1 << 2;
    /// SLU: the link is to come up.
    pub(crate) const LINK_UP: u32 = 1 << 6;
    /// RST.
    pub(crate) const RESET: u32 = 1 << 26;
    /// That, LRST, ILOS, VME and PHY_RST: link reset, inverted loss of signal, VLAN tags, reset of the PHY.
    pub(crate) const CLEARED: u32 = NO_MASTER | 1 << 3 | 1 << 7 | 1 << 30 | 1 << 31;
    /// ASDE: the MAC finds the PHY's speed out.
    pub(crate) const DETECT_SPEED: u32 = 1 << 5;
}

/// Bits of [`STATUS`].
pub(crate) mod status {
    pub(crate) const LINK_UP: u32 = 1 << 1;
    /// FUNC: which port of its card it is.
    pub(crate) const PORT: u32 = 3 << 2;
    /// GIO_MASTER_ENABLE: accesses to memory may be on their way.
    pub(crate) const IS_MASTER: u32 = 1 << 19;
}

/// Bits of [`RECEIVE_CONTROL`].
pub(crate) mod receive_control {
    pub(crate) const ENABLE: u32 = 1 << 1;
    /// EN, MPE, BAM and SECRC: on, with multicasts, by which switches tell of themselves, and broadcasts, and without
    /// the frame check sequence. Buffers have 2048 bytes.
    pub(crate) const RUN: u32 = ENABLE | 1 << 4 | 1 << 15 | 1 << 26;
}

/// Bits of [`TRANSMIT_CONTROL`].
pub(crate) mod transmit_control {
    /// PSP: short frames are padded.
    pub(crate) const PAD: u32 = 1 << 3;
    /// On, with 15 collisions at most and the collision distance of full duplex.
    pub(crate) const RUN: u32 = 1 << 1 | PAD | 0x0f << 4 | 0x40 << 12;
}

/// Where rings and masks are, and how the second half of each descriptor is read and written.
#[derive(Debug)]
pub(crate) struct Format {
    /// Registers of the rings.
    pub(crate) receive_ring: u32,
    pub(crate) transmit_ring: u32,
    pub(crate) interrupt_cause: u32,
    pub(crate) interrupt_mask_clear: u32,
    /// Of a receive descriptor: DD, EOP, and all errors of the wire; what checksums say is left to the stack.
    pub(crate) received: u64,
    pub(crate) whole: u64,
    pub(crate) errors: u64,
    /// Where its length is, of 16 bits.
    pub(crate) length_shift: u32,
    /// Of a transmit descriptor: EOP, IFCS and RS: a whole frame, with a check sequence, and tell when it was sent.
    pub(crate) send: u64,
    /// The length of all of a frame, which the advanced format wants beside the buffer's.
    pub(crate) whole_length: u64,
}

/// DD of a transmit descriptor.
pub(crate) const SENT: u64 = 1 << 32;

/// Receive: length, checksum, status, errors (CE, SE, SEQ, RXE), special. Transmit: length, checksum offset, command,
/// status, checksum start, special.
pub(crate) const LEGACY: Format = Format {
    receive_ring: 0x2800,
    transmit_ring: 0x3800,
    interrupt_cause: 0x00c0,
    interrupt_mask_clear: 0x00d8,
    received: 1 << 32,
    whole: 1 << 33,
    errors: 0b1001_0111 << 40,
    length_shift: 0,
    send: 0b1011 << 24,
    whole_length: 0,
};

/// Receive, as the card writes it: status, errors (RXE), length, VLAN. Transmit: length, kind (3: data), command (with
/// DEXT), status, length of the frame.
pub(crate) const ADVANCED: Format = Format {
    receive_ring: 0xc000,
    transmit_ring: 0xe000,
    interrupt_cause: 0x1500,
    interrupt_mask_clear: 0x150c,
    received: 1 << 0,
    whole: 1 << 1,
    errors: 1 << 31,
    length_shift: 32,
    send: 0b10_1011 << 24 | 3 << 20,
    whole_length: 1 << 46,
};
