//! The parts of the unpacker that are pure, so that they run and are tested on the host.
#![no_std]

extern crate alloc;

pub mod code;
pub mod model;
pub mod operands;
mod x86;
