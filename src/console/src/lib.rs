//! What people see and press, as state: lines that are edited, progress, tables, menus, forms, and the control sequences
//! of terminals.
//!
//! Keys and numbers go in, the text that the screen must print comes out, in UTF-8. Nothing here knows a screen or a
//! keyboard. A line moves the cursor with backspace and carriage return only, and stays within 79 columns, so it
//! looks the same on a BIOS screen and on a serial line. A [`Dialogue`] has the screen for itself and moves by control
//! sequences; [`Ansi`] is for screens that know none, such as a [`Framebuffer`].
#![no_std]

extern crate alloc;

mod ansi;
mod charset;
mod colours;
mod config;
mod edit;
mod form;
mod framebuffer;
mod keymap;
mod keys;
mod menu;
mod panel;
mod progress;
mod table;
#[cfg(test)]
mod tests;
mod text;
mod video;

pub use ansi::{Ansi, Colour, Display, Style};
pub use colours::{Colours, DEFAULT, MAGIC, Pair};
pub use config::{Config, Entry, Request};
pub use edit::{Edited, LineEdit};
pub use form::{Field, Form};
pub use framebuffer::{FONT_LENGTH, Framebuffer, Margins, Surface};
pub use keymap::Keymap;
pub use keys::{Key, SerialKeys};
pub use menu::{Item, Menu};
pub use panel::{Dialogue, LEAVE, Outcome, Size};
pub use progress::{Countdown, Progress};
pub use table::Table;
pub use text::{printable, printable_bytes};
pub use video::{MODE_INFO_LENGTH, VideoMode};

/// The most characters of a line: the last column stays free, for there a screen would go to the next line.
pub const COLUMNS: usize = 79;
