//! What people see, and what the log keeps.

use alloc::boxed::Box;
use alloc::string::String;
use alloc::vec::Vec;
use base::Error;
use console::{Ansi, COLUMNS, Colours, Dialogue, Display, Size, Style};
use core::fmt::{self, Write};

use crate::graphics::Pixels;

/// Prints a line and logs it: `say!(machine.screen, "{} is here", name)`.
macro_rules! say {
    ($screen:expr, $($argument:tt)*) => {
        $screen.line(format_args!($($argument)*))
    };
}
pub(crate) use say;

/// The screen, written to by whole pieces: each costs one downcall.
#[derive(Default)]
pub(crate) struct Screen {
    ansi: Ansi,
    pub(crate) colours: Colours,
    /// The screen in pixels; none while the BIOS shows text.
    pub(crate) pixels: Option<Box<Pixels>>,
    /// The last byte that was printed.
    last: u8,
}

impl Screen {
    /// Prints a line of ours. What cannot be printed is replaced: names from outside may be in it.
    pub(crate) fn line(&mut self, text: fmt::Arguments<'_>) {
        let mut line = String::new();
        // Formatting into a string fails only where a part says so, and none of ours does.
        let _ = line.write_fmt(text);
        line.push('\n');
        self.say(&self.wrapped(line.as_bytes()));
    }

    /// Prints text of ours, line feeds and all.
    pub(crate) fn say(&mut self, text: &[u8]) {
        self.raw(&with_returns(&clean(text)));
    }

    /// Prints what a script says, byte for byte.
    pub(crate) fn print(&mut self, text: &[u8]) {
        self.raw(&with_returns(text));
    }

    /// Keeps text of ours in the log only.
    pub(crate) fn log(text: &str) {
        hw::log::append(&with_returns(text.as_bytes()));
    }

    /// Prints text that need not be in the log: it is made of what is known already.
    pub(crate) fn show(&mut self, text: &[u8]) {
        self.emit(&with_returns(&clean(text)));
    }

    /// Shows an error: the sentence, and what to try.
    pub(crate) fn error(&mut self, error: &Error) {
        say!(self, "{error}");
        say!(self, "  Try: {}", error.kind().hint());
    }

    /// Draws what changes: it is not logged.
    pub(crate) fn draw(&mut self, text: &str) {
        if !text.is_empty() {
            self.emit(text.as_bytes());
        }
    }

    /// Draws a line over itself, cut to the screen's width: it begins with a carriage return, and may end with one.
    pub(crate) fn overwrite(&mut self, line: &str) {
        self.draw(line.get(..=self.width()).unwrap_or(line));
        if line.ends_with('\r') {
            self.draw("\r");
        }
    }

    /// Draws what has changed of a dialogue.
    pub(crate) fn refresh(&mut self, dialogue: &mut dyn Dialogue) {
        let mut out = String::new();
        dialogue.draw(&self.colours, &mut out);
        self.draw(&out);
    }

    /// Draws the last state of such a line, and logs it.
    pub(crate) fn keep(&mut self, text: &str) {
        self.raw(&with_returns(text.as_bytes()));
    }

    fn raw(&mut self, text: &[u8]) {
        hw::log::append(text);
        self.emit(text);
    }

    fn emit(&mut self, text: &[u8]) {
        hw::serial::write(text, self.pixels.is_none());
        self.last = text.last().copied().unwrap_or(self.last);
        match &mut self.pixels {
            Some(pixels) => self.ansi.print(text, &mut **pixels),
            None => self.ansi.print(text, &mut Bios),
        }
    }

    /// Whether the cursor is where a line begins.
    pub(crate) fn begins_line(&self) -> bool {
        matches!(self.last, b'\r' | b'\n')
    }

    /// How large the screen is.
    pub(crate) fn size(&self) -> Size {
        if let Some(pixels) = &self.pixels {
            return pixels.size();
        }
        let (rows, columns) = hw::bios::screen_size();
        Size { rows, columns }
    }

    /// The most characters of a line.
    pub(crate) fn width(&self) -> usize {
        COLUMNS.min(usize::from(self.size().columns) - 1)
    }

    /// Lets the BIOS show text, if that is not so. The screen is clear then.
    pub(crate) fn show_text(&mut self) {
        if self.pixels.take().is_some() {
            hw::video::set_text_mode();
            self.colours.set_picture(false);
        }
    }

    /// Breaks a line between words where it would be longer than the screen is wide; what follows is set in.
    fn wrapped(&self, line: &[u8]) -> Vec<u8> {
        let width = self.width();
        let mut out = Vec::with_capacity(line.len() + 8);
        let mut column = 0;
        for word in line.split_inclusive(|byte| *byte == b' ') {
            if column + word.len() > width + 1 && column > INDENT.len() {
                out.push(b'\n');
                out.extend_from_slice(INDENT);
                column = INDENT.len();
            }
            out.extend_from_slice(word);
            column += word.len();
        }
        out
    }
}

/// The BIOS's screen: INT 10h.
struct Bios;

impl Display for Bios {
    fn text(&mut self, text: &[u8], style: Style) {
        let attribute = style.vga();
        // Text as usual goes the simplest way: a BIOS that copies its screen to a serial line sees it once.
        if attribute == PLAIN {
            return hw::bios::print(text);
        }
        for piece in text.chunk_by(|left, right| left.is_ascii_control() == right.is_ascii_control()) {
            if piece.first().is_some_and(u8::is_ascii_control) {
                hw::bios::print(piece);
            } else {
                hw::bios::print_coloured(piece, attribute);
            }
        }
    }

    fn go(&mut self, row: u8, column: u8) {
        hw::bios::move_cursor(row, column);
    }

    fn clear(&mut self, style: Style) {
        hw::bios::clear_screen(style.vga());
    }

    fn show_cursor(&mut self, visible: bool) {
        hw::bios::show_cursor(visible);
    }
}

/// White on black.
const PLAIN: u8 = 7;

const INDENT: &[u8] = b"  ";

/// Replaces all that is neither printable nor a line feed.
fn clean(text: &[u8]) -> Vec<u8> {
    let printable = |byte: &u8| if matches!(byte, b'\n' | b' '..=b'~') { *byte } else { b'?' };
    base::list(text.iter().map(printable))
}

/// Puts a carriage return before each line feed that has none.
fn with_returns(text: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(text.len() + 8);
    for byte in text {
        if *byte == b'\n' && out.last() != Some(&b'\r') {
            out.push(b'\r');
        }
        out.push(*byte);
    }
    out
}
