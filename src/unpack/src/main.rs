//! The unpacker of images that are packed to be unpacked quickly.
#![cfg_attr(target_os = "none", no_std, no_main)]
#![allow(unsafe_code, reason = "the unpacker works on raw memory before there is anything safer")]
#![allow(
    clippy::cast_possible_truncation,
    reason = "addresses: usize has 64 bits on the one target of this program"
)]

#[cfg(not(target_os = "none"))]
fn main() {}

#[cfg(target_os = "none")]
mod bare;

/// The memory of the model by which the image is packed.
#[cfg(target_os = "none")]
type Memory = unpack::model::Quick;
