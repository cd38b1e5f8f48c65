//! An HTTP/1.1 client, sans-IO (RFC 9110, RFC 9112).
//!
//! An [`Exchange`] is one request and its response over a byte stream that the caller owns. A [`Download`] is the
//! fetching of one file over as many exchanges as it takes: redirects, and resuming where a connection was lost.
#![no_std]

extern crate alloc;

mod chunked;
mod content;
mod download;
pub mod errors;
mod exchange;
mod head;
mod request;

#[cfg(test)]
mod scenarios;

pub use content::{Content, NoText};
pub use download::{Action, Download, Options, REDIRECT_LIMIT};
pub use exchange::{Exchange, Outcome};
pub use request::{Range, Request};
