//! A DHCP client that knows PXE: sans-IO, with the cached packets of the vendor's ROM.
//!
//! [`Packet`] owns one answer and looks options up in it. [`Client`] is the exchange with the servers, and
//! [`Lease`] what comes out of it - or out of the packets that the vendor's ROM has kept.
#![no_std]

extern crate alloc;

pub mod client;
pub mod config;
pub mod errors;
pub mod lease;
pub mod offer;
pub mod packet;
mod random;

pub use client::{CLIENT_PORT, Client, OUTPUT_CAPACITY, State, Transmit};
pub use config::{ClientIdentifier, Config};
pub use lease::{BootFile, Lease, Named, Route};
pub use offer::Offer;
pub use packet::Packet;
