//! The parts of the unpacker that are pure, so that they run and are tested on the host.
#![no_std]

pub mod branch;
pub mod code;
pub mod model;
mod x86;

/// A number that depends on all bits of both, the upper ones most.
#[inline(never)]
fn mix(one: u32, other: u32) -> u32 {
    let sum = one.wrapping_mul(0x2f0b_4c47).wrapping_add(other.wrapping_mul(0x9e37_79b1));
    (sum ^ sum >> 15).wrapping_mul(0x85eb_ca6b)
}
