//! The shared vocabulary: addresses, time, errors, and what the parts of an image agree on.
//!
//! Everything here is plain data. No crate of the core is below this one.
#![no_std]

extern crate alloc;

pub mod address;
pub mod boot_info;
pub mod error;
pub mod image_header;
pub mod sink;
pub mod time;

pub use address::{MacAddress, PhysAddr, PhysRange, SegOff};
pub use error::{Error, ErrorKind};
pub use sink::Sink;
pub use time::{Duration, Instant};
