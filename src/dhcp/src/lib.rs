//! A DHCP client that knows PXE: sans-IO, with the cached packets of the vendor's ROM.
//!
//! [`Packet`] owns one answer and looks options up in it. [`Client`] is the exchange with the servers, and
//! [`Lease`] what comes out of it - or out of the packets that the vendor's ROM has kept. A PXE server may send a
//! [`BootMenu`]; [`Discovery`] finds the boot server of the item that was chosen.
#![no_std]

extern crate alloc;

pub mod client;
pub mod config;
pub mod discovery;
pub mod errors;
pub mod lease;
pub mod menu;
pub mod offer;
pub mod packet;
mod random;

pub use client::{CLIENT_PORT, Client, OUTPUT_CAPACITY, State, Transmit};
pub use config::{ClientIdentifier, Config};
pub use discovery::Discovery;
pub use lease::{BootFile, Lease, Named, Route};
pub use menu::{BootItem, BootMenu, BootPrompt, LOCAL_BOOT};
pub use offer::Offer;
pub use packet::Packet;
