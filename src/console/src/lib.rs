//! What people see and press, as state: line editing, progress, tables, and the control sequences of terminals.
//!
//! Keys and numbers go in, the text that the screen must print comes out, in UTF-8. Nothing here knows a screen or a
//! keyboard. A line moves the cursor with backspace and carriage return only, and stays within 79 columns, so it
//! looks the same on a BIOS screen and on a serial line. [`Ansi`] is for screens that know no control sequences.
#![no_std]

extern crate alloc;

mod ansi;
mod charset;
mod edit;
mod keys;
mod progress;
mod table;
mod text;

pub use ansi::{Ansi, Display, Style};
pub use edit::{Edited, LineEdit};
pub use keys::{Key, SerialKeys, bios_key};
pub use progress::{Countdown, Progress};
pub use table::Table;
pub use text::{printable, printable_bytes};

/// The most characters of a line: the last column stays free, for there a screen would go to the next line.
pub const COLUMNS: usize = 79;
