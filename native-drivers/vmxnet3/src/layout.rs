//! Registers, commands and structures of the interface. Offsets in bytes; numbers are little-endian.

/// The region of the registers by which frames move.
pub(crate) const REGISTERS: u8 = 0;
/// The region of those by which the device is set up.
pub(crate) const DEVICE: u8 = 1;

/// Registers in [`REGISTERS`].
pub(crate) mod register {
    pub(crate) const INTERRUPT_MASK: u32 = 0x000;
    pub(crate) const TRANSMIT_PRODUCER: u32 = 0x600;
    pub(crate) const RECEIVE_PRODUCER: u32 = 0x800;
}

/// Registers in [`DEVICE`].
pub(crate) mod device_register {
    /// Of the interface, and of what passes through to hardware.
    pub(crate) const VERSIONS: u32 = 0x00;
    pub(crate) const UPT_VERSIONS: u32 = 0x08;
    /// Where the shared structure is.
    pub(crate) const SHARED_LOW: u32 = 0x10;
    pub(crate) const SHARED_HIGH: u32 = 0x18;
    pub(crate) const COMMAND: u32 = 0x20;
    pub(crate) const MAC_LOW: u32 = 0x28;
    pub(crate) const MAC_HIGH: u32 = 0x30;
}

/// What is written to the command register; those from F00D0000h on are answered in it.
pub(crate) mod command {
    pub(crate) const ACTIVATE: u32 = 0xcafe_0000;
    pub(crate) const QUIESCE: u32 = 0xcafe_0001;
    pub(crate) const RESET: u32 = 0xcafe_0002;
    pub(crate) const UPDATE_RECEIVE_MODE: u32 = 0xcafe_0003;
    pub(crate) const UPDATE_VLAN_FILTER: u32 = 0xcafe_0005;
    pub(crate) const LINK: u32 = 0xf00d_0002;
    pub(crate) const PERMANENT_MAC_LOW: u32 = 0xf00d_0003;
    pub(crate) const PERMANENT_MAC_HIGH: u32 = 0xf00d_0004;
}

/// The structure that the device is told of.
pub(crate) mod shared {
    pub(crate) const MAGIC: usize = 0;
    pub(crate) const MAGIC_VALUE: u32 = 0xbabe_fee1;
    pub(crate) const DRIVER_VERSION: usize = 8;
    /// What runs in the machine: its width in bits 1:0, its kind in bits 5:2, 1 for Linux.
    pub(crate) const GUEST: usize = 12;
    pub(crate) const GUEST_64_BITS: u32 = 2 | 1 << 2;
    pub(crate) const VERSION: usize = 16;
    pub(crate) const UPT_VERSION: usize = 20;
    pub(crate) const QUEUES_ADDRESS: usize = 40;
    pub(crate) const QUEUES_LENGTH: usize = 52;
    pub(crate) const MTU: usize = 56;
    /// Most buffers of a received frame (16 bits), transmit queues (8 bits), receive queues (8 bits).
    pub(crate) const NUMBER_OF_QUEUES: usize = 60;
    pub(crate) const ONE_OF_EACH: u32 = 1 | 1 << 16 | 1 << 24;
    /// Automatic masking, number of interrupts, the one for events, and the pace of each (8 bits each).
    pub(crate) const INTERRUPTS: usize = 80;
    pub(crate) const ONE_INTERRUPT: u32 = 1 << 8;
    pub(crate) const INTERRUPT_CONTROL: usize = 108;
    pub(crate) const ALL_DISABLED: u32 = 1;
    /// Which frames are received: to our address, broadcasts, all multicasts.
    pub(crate) const RECEIVE_MODE: usize = 120;
    pub(crate) const OWN_AND_ALL_GROUPS: u32 = 1 | 1 << 2 | 1 << 3;
    /// A bit for each VLAN.
    pub(crate) const VLAN_FILTER: usize = 136;
    pub(crate) const VLAN_FILTER_LENGTH: usize = 512;
    /// What happened; here what ends a queue.
    pub(crate) const EVENTS: usize = 696;
    pub(crate) const QUEUE_ERRORS: u32 = 1 << 0 | 1 << 1;
}

/// The structure of a queue: control, configuration, status and statistics. The one that sends comes first.
pub(crate) mod queue {
    pub(crate) const LENGTH: usize = 256;
    /// Where the fields below begin.
    pub(crate) const CONFIGURATION: usize = 16;
    pub(crate) const RING: usize = 0;
    pub(crate) const SECOND_RING: usize = 8;
    pub(crate) const TRANSMIT_COMPLETIONS: usize = 16;
    pub(crate) const RECEIVE_COMPLETIONS: usize = 16;
    pub(crate) const RING_SIZE: usize = 40;
    /// Of the second receive ring, or of a ring of headers, which is not used.
    pub(crate) const SECOND_RING_SIZE: usize = 44;
    pub(crate) const COMPLETIONS_SIZE: usize = 48;
}

/// A transmit descriptor's last two double words: length and generation, then flags.
pub(crate) mod transmit {
    pub(crate) const GENERATION: u32 = 14;
    /// EOP and CQ: the frame ends here, and a completion is wanted.
    pub(crate) const WHOLE_AND_TELL: u32 = 1 << 12 | 1 << 13;
}

/// A receive descriptor's third double word: length, kind (0 for a frame's first buffer) and generation.
pub(crate) mod receive {
    pub(crate) const GENERATION: u32 = 31;
}

/// A completion: of its four double words the first, the third and the last count.
pub(crate) mod completion {
    /// Of the first: which descriptor, and first and last of a frame's buffers.
    pub(crate) const INDEX: u32 = 0xfff;
    pub(crate) const WHOLE: u32 = 1 << 14 | 1 << 15;
    /// Of the third.
    pub(crate) const LENGTH: u32 = 0x3fff;
    pub(crate) const ERROR: u32 = 1 << 14;
    /// Of the last.
    pub(crate) const GENERATION: u32 = 31;
}
