//! From descriptions and link units to the bytes of an image.
//!
//! [`variants`] reads what images there are, [`link_unit`] what the linker made of the two link units, [`payload`]
//! packs the core, [`assemble`] puts the bytes together, [`media`] puts what no PXE ROM loads onto a disk, a CD or
//! behind a kernel's setup code, and [`rom`] makes the option ROM of a card. Nothing here reads a clock, an environment
//! or a path: equal input gives equal images.
#![allow(
    clippy::std_instead_of_alloc,
    clippy::std_instead_of_core,
    clippy::alloc_instead_of_core,
    reason = "runs on the host only"
)]

pub mod assemble;
pub mod link_unit;
pub mod media;
pub mod payload;
pub mod rom;
pub mod variants;

/// Bytes of a page: the unit of everything that the unpacker maps.
pub const PAGE: usize = 4096;
