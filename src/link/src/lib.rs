//! Layer 2: what is done with an Ethernet frame before and after IP.
//!
//! A [`Port`] owns a card. What comes in is sorted by EtherType: IPv4 and ARP go to the network stack as slices of
//! the driver's own buffers; the protocols that a switch speaks with its ports are watched, so that the firmware
//! can say why nothing comes ([`Port::blocked`]); the rest is counted and dropped. What goes out is written into a
//! small [`TransmitQueue`], because the stack answers a frame while it still borrows it from the card. A port that is
//! given a [`Tag`] is one of that VLAN: the stack above sees no tags, and no other frames.
//!
//! In each round of the loop the stack puts what is due into the queue, [`Port::poll`] moves frames between card and
//! driver, and the stack takes frames from the port and puts its answers in the queue.
#![no_std]

extern crate alloc;

mod port;
mod queue;
mod tag;
mod watch;

pub use port::{Counters, Port, Received};
pub use queue::TransmitQueue;
pub use tag::Tag;
pub use watch::{Blocked, Reason};

/// EtherTypes that are told apart here (IEEE 802 numbers).
pub mod ether_type {
    /// Values below this one are the length of an IEEE 802.3 frame.
    pub const FIRST: u16 = 0x0600;
    /// IPv4.
    pub const IPV4: u16 = 0x0800;
    /// ARP.
    pub const ARP: u16 = 0x0806;
    /// A frame with a VLAN tag (IEEE 802.1Q).
    pub const VLAN: u16 = 0x8100;
    /// The slow protocols, LACP among them (IEEE 802.3 annex 57A).
    pub const SLOW: u16 = 0x8809;
    /// EAP over LAN (IEEE 802.1X).
    pub const EAPOL: u16 = 0x888e;
    /// LLDP (IEEE 802.1AB).
    pub const LLDP: u16 = 0x88cc;
}

/// Bytes of an Ethernet header: destination, source, EtherType.
pub const HEADER_LENGTH: usize = 14;
