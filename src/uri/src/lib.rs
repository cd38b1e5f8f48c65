//! URIs by RFC 3986: parse, resolve, format, redact.
//!
//! What people write is taken as it is meant: characters that a URI may not hold (blanks, quotes, control
//! characters, letters beyond ASCII, a lone `%`) are percent-encoded while parsing. A [`Uri`] is therefore always
//! plain printable ASCII without blanks, and may be put into a request line.
#![no_std]

extern crate alloc;

pub mod errors;
mod parse;
mod percent;
mod resolve;

pub use parse::{MAXIMUM_LENGTH, Uri};
pub use percent::{decode, encode};
