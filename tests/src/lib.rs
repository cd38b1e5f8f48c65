//! Scenarios that boot images in an emulator against real servers.
//!
//! A scenario runs in a process, a network and a folder of its own; its verdict comes from what the guest or a
//! server really did, over a serial line with explicit markers. Silence is failure, and everything has a bound.
#![allow(
    clippy::std_instead_of_core,
    clippy::std_instead_of_alloc,
    clippy::alloc_instead_of_core,
    clippy::indexing_slicing,
    reason = "this runs on the host, where std is at home and a panic is a failed test"
)]

pub mod bench;
pub mod bochs;
pub mod boot_server;
pub mod case;
pub mod counter;
pub mod expect;
pub mod failure;
pub mod frame;
pub mod lab;
pub mod namespace;
pub mod paths;
pub mod payload;
pub mod peer;
pub mod process;
pub mod qemu;
pub mod quirk;
pub mod random;
pub mod recorder;
pub mod rogue;
pub mod rom;
pub mod scenarios;
pub mod screen;
pub mod servers;
pub mod soak;
pub mod state;
pub mod text;
