//! The registers and descriptors that the driver uses (8254x manual, chapters 3 and 13). Offsets in bytes.

pub(crate) const CONTROL: u32 = 0x0000;
pub(crate) const STATUS: u32 = 0x0008;
/// EERD: reads a word of the card's own memory.
pub(crate) const MEMORY_READ: u32 = 0x0014;
pub(crate) const INTERRUPT_CAUSE: u32 = 0x00c0;
pub(crate) const INTERRUPT_MASK_CLEAR: u32 = 0x00d8;
pub(crate) const RECEIVE_CONTROL: u32 = 0x0100;
pub(crate) const TRANSMIT_CONTROL: u32 = 0x0400;
/// TIPG: the gap between two frames.
pub(crate) const TRANSMIT_GAP: u32 = 0x0410;
pub(crate) const MULTICAST_TABLE: u32 = 0x5200;
pub(crate) const MULTICAST_TABLE_ENTRIES: u32 = 128;
pub(crate) const RECEIVE_ADDRESS_LOW: u32 = 0x5400;
pub(crate) const RECEIVE_ADDRESS_HIGH: u32 = 0x5404;

/// The registers of the rings, and what lies behind each.
pub(crate) const RECEIVE_RING: u32 = 0x2800;
pub(crate) const TRANSMIT_RING: u32 = 0x3800;
pub(crate) const RING_ADDRESS_LOW: u32 = 0x00;
pub(crate) const RING_ADDRESS_HIGH: u32 = 0x04;
pub(crate) const RING_LENGTH: u32 = 0x08;
pub(crate) const RING_HEAD: u32 = 0x10;
pub(crate) const RING_TAIL: u32 = 0x18;
pub(crate) const RING_CONTROL: u32 = 0x28;

/// Bits of [`CONTROL`].
pub(crate) mod control {
    /// SLU: the link is to come up.
    pub(crate) const LINK_UP: u32 = 1 << 6;
    /// RST.
    pub(crate) const RESET: u32 = 1 << 26;
    /// LRST, ILOS, VME and PHY_RST: link reset, inverted loss of signal, VLAN tags, reset of the PHY.
    pub(crate) const CLEARED: u32 = 1 << 3 | 1 << 7 | 1 << 30 | 1 << 31;
    /// ASDE: the MAC finds the PHY's speed out.
    pub(crate) const DETECT_SPEED: u32 = 1 << 5;
}

/// Bits of [`STATUS`].
pub(crate) mod status {
    pub(crate) const LINK_UP: u32 = 1 << 1;
}

/// Bits of [`RECEIVE_CONTROL`].
pub(crate) mod receive_control {
    /// EN, BAM and SECRC: on, with broadcasts, and without the frame check sequence. Buffers have 2048 bytes.
    pub(crate) const RUN: u32 = 1 << 1 | 1 << 15 | 1 << 26;
}

/// Bits of [`TRANSMIT_CONTROL`].
pub(crate) mod transmit_control {
    /// PSP: short frames are padded.
    pub(crate) const PAD: u32 = 1 << 3;
    /// On, with 15 collisions at most and the collision distance of full duplex.
    pub(crate) const RUN: u32 = 1 << 1 | PAD | 0x0f << 4 | 0x40 << 12;
}

/// The second half of a receive descriptor: length, checksum, status, errors, special.
pub(crate) mod receive_descriptor {
    pub(crate) const LENGTH: u64 = 0xffff;
    /// DD.
    pub(crate) const DONE: u64 = 1 << 32;
    /// EOP.
    pub(crate) const WHOLE: u64 = 1 << 33;
    /// CE, SE, SEQ and RXE; what checksums say is left to the stack.
    pub(crate) const ERRORS: u64 = 0b1001_0111 << 40;
}

/// The second half of a transmit descriptor: length, checksum offset, command, status, checksum start, special.
pub(crate) mod transmit_descriptor {
    /// EOP, IFCS and RS: a whole frame, with a check sequence, and tell when it was sent.
    pub(crate) const SEND: u64 = 0b1011 << 24;
    /// DD.
    pub(crate) const DONE: u64 = 1 << 32;
}
