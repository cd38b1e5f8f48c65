//! The parts of the unpacker that are pure, so that they run and are tested on the host.
#![no_std]

pub mod branch;
pub mod lzma;
