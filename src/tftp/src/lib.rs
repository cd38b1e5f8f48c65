//! A TFTP client, sans-IO: it reads or writes one file.
//!
//! RFC 1350 with the options of RFC 2348 (block size), 2349 (size) and 7440 (window). What a server cannot do is left
//! out step by step: first the window (and blocks that may not fit the path), then all options. What is written is
//! short: only the block size is asked for.
//!
//! A [`Transfer`] is a value without sockets and clocks. The caller owns one UDP socket, hands in what arrives from
//! the server's address, sends what [`Transfer::output`] gives, and comes back at [`Transfer::deadline`].
#![no_std]

extern crate alloc;

pub mod errors;
mod packet;
mod timer;
mod transfer;

#[cfg(test)]
mod simulation;
#[cfg(test)]
mod writing;

pub use transfer::{MAXIMUM_OUTPUT, Options, SERVER_PORT, Transfer};
