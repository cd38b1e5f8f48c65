//! A DNS resolver, sans-IO.
//!
//! [`Resolver`] looks up the IPv4 addresses of one name. Sources: RFC 1034, RFC 1035.
#![no_std]

extern crate alloc;

pub mod errors;
pub mod message;
pub mod resolver;

pub use resolver::{OUTPUT_CAPACITY, Resolver, State, TOTAL_TIME, Transmit};
