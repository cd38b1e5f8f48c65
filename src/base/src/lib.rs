//! The shared vocabulary: addresses, time, errors, and what the parts of an image agree on.
//!
//! Everything here is plain data. No crate of the core is below this one.
#![no_std]

extern crate alloc;

pub mod address;
pub mod boot_info;
pub mod domain_name;
pub mod encoding;
pub mod error;
pub mod image_header;
pub mod list;
pub mod sink;
pub mod text;
pub mod time;

pub use address::{MacAddress, PhysAddr, PhysRange, SegOff};
pub use error::{Error, ErrorKind};
pub use list::list;
pub use sink::Sink;
pub use time::{Duration, Instant, earliest};

/// Assembles a file in AT&T syntax with constants of the Rust code, so that each number exists once.
///
/// `assembly!("file.S", NAME = value, ...)`: each name is an assembler symbol in the file. The path is relative
/// to the file with the call.
#[macro_export]
macro_rules! assembly {
    ($file:literal, $($name:ident = $value:expr),+ $(,)?) => {
        core::arch::global_asm!(
            $(concat!(".set ", stringify!($name), ", {", stringify!($name), "}"),)+
            include_str!($file),
            $($name = const $value,)+
            options(att_syntax),
        );
    };
}
