//! Line editing, progress and tables, as state.
//!
//! Keys and numbers go in, the text that the screen must print comes out. Nothing here knows a screen or a keyboard.
//! The output is ASCII, moves the cursor with backspace and carriage return only, and stays within 79 columns, so it
//! looks the same on a BIOS screen and on a serial line.
#![no_std]

extern crate alloc;

mod edit;
mod keys;
mod progress;
mod table;
mod text;

pub use edit::{Edited, LineEdit};
pub use keys::{Key, SerialKeys, bios_key};
pub use progress::{Countdown, Progress};
pub use table::Table;
pub use text::{printable, printable_bytes};

/// The most characters of a line: the last column stays free, for there a screen would go to the next line.
pub const COLUMNS: usize = 79;
