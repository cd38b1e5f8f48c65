//! Registers, blocks of memory and codes of an xHCI controller ("eXtensible Host Controller Interface for Universal Serial
//! Bus", revision 1.2; sections as named).

/// The base address register that all registers are behind.
pub(crate) const BAR: u8 = 0;

/// Capability registers (section 5.3).
pub(crate) mod capability {
    /// Bits 7:0: where the operational registers are.
    pub(crate) const LENGTH: u32 = 0x00;
    /// Bits 31:24: how many ports there are.
    pub(crate) const STRUCTURE_1: u32 = 0x04;
    /// Bits 25:21 and 31:27: the high and low part of how many pages the controller wants for itself.
    pub(crate) const STRUCTURE_2: u32 = 0x08;
    /// Bit 2: contexts have 64 bytes. Bits 31:16: where the extended capabilities are, in units of 4 bytes.
    pub(crate) const PARAMETERS: u32 = 0x10;
    /// Where the doorbells are.
    pub(crate) const DOORBELLS: u32 = 0x14;
    /// Where the runtime registers are.
    pub(crate) const RUNTIME: u32 = 0x18;

    pub(crate) const LARGE_CONTEXTS: u32 = 1 << 2;
}

/// Operational registers (section 5.4).
pub(crate) mod operational {
    pub(crate) const COMMAND: u32 = 0x00;
    pub(crate) const STATUS: u32 = 0x04;
    /// Bit n: pages have 2 to the power of n + 12 bytes.
    pub(crate) const PAGE_SIZE: u32 = 0x08;
    /// The command ring, 64 bits.
    pub(crate) const COMMAND_RING: u32 = 0x18;
    /// The array of device contexts, 64 bits.
    pub(crate) const CONTEXTS: u32 = 0x30;
    /// Bits 7:0: how many slots for devices are in use.
    pub(crate) const CONFIGURE: u32 = 0x38;
    /// The status of the first port; each has 16 bytes.
    pub(crate) const PORTS: u32 = 0x400;
}

/// Bits of the command register.
pub(crate) mod command {
    pub(crate) const RUN: u32 = 1;
    pub(crate) const RESET: u32 = 1 << 1;
}

/// Bits of the status register.
pub(crate) mod status {
    pub(crate) const HALTED: u32 = 1;
    pub(crate) const SYSTEM_ERROR: u32 = 1 << 2;
    pub(crate) const NOT_READY: u32 = 1 << 11;
    pub(crate) const CONTROLLER_ERROR: u32 = 1 << 12;
}

/// Bits of a port's status (section 5.4.8).
pub(crate) mod port {
    pub(crate) const CONNECTED: u32 = 1;
    pub(crate) const ENABLED: u32 = 1 << 1;
    pub(crate) const RESET: u32 = 1 << 4;
    pub(crate) const POWER: u32 = 1 << 9;
    /// What is written back as it was read: power, indicators, and what wakes the machine. All others are changed by
    /// writing them as one, or cannot be changed.
    pub(crate) const KEPT: u32 = POWER | 3 << 14 | 7 << 25;

    /// The speed of the device (section 7.2.2.1.1).
    pub(crate) const fn speed(status: u32) -> u32 {
        status >> 10 & 0xf
    }
}

/// Speeds of devices, as [`port::speed`] says them.
pub(crate) mod speed {
    pub(crate) const FULL: u32 = 1;
    pub(crate) const LOW: u32 = 2;
    pub(crate) const HIGH: u32 = 3;
}

/// Runtime registers of the first interrupter (section 5.5.2).
pub(crate) mod runtime {
    /// Segments of the event ring.
    pub(crate) const SEGMENTS: u32 = 0x28;
    /// The table of these segments, 64 bits.
    pub(crate) const SEGMENT_TABLE: u32 = 0x30;
    /// The next event, 64 bits.
    pub(crate) const DEQUEUE: u32 = 0x38;
    /// Bit 3 of it, written as one: no event is being handled.
    pub(crate) const NOT_BUSY: u64 = 1 << 3;
}

/// Extended capabilities (section 7).
pub(crate) mod extended {
    /// USB Legacy Support (section 7.1).
    pub(crate) const LEGACY: u32 = 1;
    /// The BIOS owns the controller (section 7.1.1).
    pub(crate) const BIOS_OWNED: u32 = 1 << 16;
    /// The byte in which the operating system says that it does.
    pub(crate) const SYSTEM_OWNED: u32 = 3;
}

/// Kinds of entries of rings (section 6.4.6), in place in their last word, and flags beside.
pub(crate) mod trb {
    const fn kind(number: u32) -> u32 {
        number << 10
    }
    pub(crate) const KIND: u32 = kind(0x3f);

    pub(crate) const NORMAL: u32 = kind(1);
    pub(crate) const SETUP: u32 = kind(2);
    pub(crate) const DATA: u32 = kind(3);
    pub(crate) const STATUS: u32 = kind(4);
    pub(crate) const LINK: u32 = kind(6);
    pub(crate) const ENABLE_SLOT: u32 = kind(9);
    pub(crate) const DISABLE_SLOT: u32 = kind(10);
    pub(crate) const ADDRESS_DEVICE: u32 = kind(11);
    pub(crate) const CONFIGURE_ENDPOINT: u32 = kind(12);
    pub(crate) const EVALUATE_CONTEXT: u32 = kind(13);
    pub(crate) const RESET_ENDPOINT: u32 = kind(14);
    pub(crate) const SET_DEQUEUE: u32 = kind(16);
    pub(crate) const TRANSFER_EVENT: u32 = kind(32);
    pub(crate) const COMMAND_EVENT: u32 = kind(33);

    /// Whose the entry is.
    pub(crate) const CYCLE: u32 = 1;
    /// Of a link: the cycle bit means the opposite from there on.
    pub(crate) const TOGGLE: u32 = 1 << 1;
    /// A short packet is told of.
    pub(crate) const ON_SHORT: u32 = 1 << 2;
    /// Its end is told of.
    pub(crate) const ON_COMPLETION: u32 = 1 << 5;
    /// The data are in the entry itself.
    pub(crate) const IMMEDIATE: u32 = 1 << 6;
    /// Of a data or status stage: from the device.
    pub(crate) const IN: u32 = 1 << 16;
    /// Of a setup stage: data to the device follow, or from it.
    pub(crate) const DATA_OUT: u32 = 2 << 16;
    pub(crate) const DATA_IN: u32 = 3 << 16;

    /// The device that a command is for.
    pub(crate) const fn slot(number: u32) -> u32 {
        number << 24
    }

    /// The endpoint that a command is for, as [`Endpoint::index`](crate::descriptors::Endpoint::index) has it.
    pub(crate) const fn endpoint(index: u32) -> u32 {
        index << 16
    }
}

/// How a command or transfer ended (section 6.4.5).
pub(crate) mod completion {
    pub(crate) const SUCCESS: u32 = 1;
    pub(crate) const SHORT: u32 = 13;
}

/// Words of contexts (section 6.2).
pub(crate) mod context {
    /// The index of the input control context's word that says what is added.
    pub(crate) const ADDED: usize = 4;

    /// The first word of a slot context: a device on a port of the controller itself.
    pub(crate) const fn slot(speed: u32, last_endpoint: u32) -> u32 {
        last_endpoint << 27 | speed << 20
    }

    /// The second one.
    pub(crate) const fn port(port: u8) -> u32 {
        (port as u32) << 16
    }

    /// Types of endpoints.
    pub(crate) const BULK_OUT: u32 = 2;
    pub(crate) const CONTROL: u32 = 4;
    pub(crate) const BULK_IN: u32 = 6;
    pub(crate) const INTERRUPT_IN: u32 = 7;

    /// The second word of an endpoint context: three attempts, its type, and the most bytes of a packet.
    pub(crate) const fn endpoint(kind: u32, packet: u16) -> u32 {
        3 << 1 | kind << 3 | (packet as u32) << 16
    }
}
