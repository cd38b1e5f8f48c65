//! The control sequences of terminals (ECMA-48), for screens that know none: the BIOS's, a framebuffer.

use crate::DEFAULT;
use crate::charset::{self, Utf8};
use alloc::string::String;
use alloc::vec::Vec;
use core::fmt::Write;

/// A screen of characters, driven by [`Ansi`].
pub trait Display {
    /// Prints at the cursor: bytes of code page 437 and the control characters that INT 10h knows (7, 8, 10, 13).
    fn text(&mut self, text: &[u8], style: Style);
    /// Moves the cursor. Both count from 0 and may be larger than the screen.
    fn go(&mut self, row: u8, column: u8);
    /// Clears the whole screen. The cursor stays.
    fn clear(&mut self, style: Style);
    /// Shows or hides the cursor.
    fn show_cursor(&mut self, visible: bool);
}

/// A colour, for screens that have eight and for those that have all.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Colour {
    /// 0 to 7: black, red, green, yellow, blue, magenta, cyan, white; 9: as is usual.
    pub basic: u8,
    /// 24 bits: red, green, blue; none if the basic colour says it all.
    pub value: Option<u32>,
}

/// How characters look.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Style {
    /// The colour of the character itself.
    pub foreground: Colour,
    /// The colour behind it.
    pub background: Colour,
    /// In the brighter shade of the foreground.
    pub bold: bool,
}

impl Style {
    pub(crate) const PLAIN: Self = {
        let usual = Colour { basic: DEFAULT, value: None };
        Self { foreground: usual, background: usual, bold: false }
    };

    /// The attribute of a character in a text mode of VGA: white on black is 7.
    pub fn vga(self) -> u8 {
        /// VGA has blue at bit 0 and red at bit 2.
        const COLOURS: [u8; 8] = [0, 4, 2, 6, 1, 5, 3, 7];
        let colour = |number: u8, usual| COLOURS.get(usize::from(number)).copied().unwrap_or(usual);
        colour(self.background.basic, 0) << 4 | u8::from(self.bold) << 3 | colour(self.foreground.basic, 7)
    }
}

/// Reads what is printed, and tells a [`Display`] what to do.
///
/// Known are CUP, ED, SGR and DECTCEM (show or hide the cursor); everything else is left out. ED clears the whole
/// screen whatever its parameter says, as scripts are used to.
#[derive(Clone, Debug)]
pub struct Ansi {
    state: State,
    utf8: Utf8,
    style: Style,
    parameters: [u8; PARAMETERS],
    /// The parameter that is being read.
    current: usize,
    /// Behind `ESC [ ?`.
    private: bool,
}

/// The most parameters of a sequence: both colours by name and by value, after a reset.
const PARAMETERS: usize = 13;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Text,
    Escape,
    Sequence,
}

impl Default for Ansi {
    fn default() -> Self {
        Self {
            state: State::Text,
            utf8: Utf8::default(),
            style: Style::PLAIN,
            parameters: [0; PARAMETERS],
            current: 0,
            private: false,
        }
    }
}

impl Ansi {
    /// Takes what is printed, in UTF-8. Sequences may be divided between calls.
    pub fn print(&mut self, bytes: &[u8], display: &mut dyn Display) {
        let mut text = Vec::with_capacity(bytes.len());
        for byte in bytes {
            match (self.state, *byte) {
                (_, 27) => self.state = State::Escape,
                (State::Text, byte) => text.extend(self.utf8.feed(byte).map(charset::to_bios)),
                (State::Escape, b'[') => {
                    self.state = State::Sequence;
                    self.parameters = [0; PARAMETERS];
                    self.current = 0;
                    self.private = false;
                }
                (State::Sequence, digit @ b'0'..=b'9') => {
                    if let Some(parameter) = self.parameters.get_mut(self.current) {
                        *parameter = parameter.saturating_mul(10).saturating_add(digit - b'0');
                    }
                }
                (State::Sequence, b';') => self.current += 1,
                (State::Sequence, b'?') => self.private = true,
                (State::Sequence, b' '..=b'?') => {}
                (state, last) => {
                    if state == State::Sequence {
                        flush(&mut text, self.style, display);
                        self.execute(last, display);
                    }
                    self.state = State::Text;
                }
            }
        }
        flush(&mut text, self.style, display);
    }

    fn execute(&mut self, last: u8, display: &mut dyn Display) {
        let [first, second, ..] = self.parameters;
        match last {
            b'H' | b'f' => display.go(first.saturating_sub(1), second.saturating_sub(1)),
            b'J' => display.clear(self.style),
            b'h' | b'l' if self.private && first == 25 => display.show_cursor(last == b'h'),
            b'm' => self.select(),
            _ => {}
        }
    }

    /// Select graphic rendition.
    fn select(&mut self) {
        let mut parameters = self.parameters.iter().take(self.current + 1);
        let style = &mut self.style;
        while let Some(parameter) = parameters.next() {
            match parameter {
                0 => *style = Style::PLAIN,
                1 => style.bold = true,
                22 => style.bold = false,
                30..=49 => {
                    let colour = if *parameter < 40 { &mut style.foreground } else { &mut style.background };
                    match parameter % 10 {
                        // A value: 2, red, green, blue.
                        8 => {
                            let kind = parameters.next();
                            let mut part = || u32::from(parameters.next().copied().unwrap_or(0));
                            let value = part() << 16 | part() << 8 | part();
                            colour.value = (kind == Some(&2)).then_some(value);
                        }
                        basic => *colour = Colour { basic, value: None },
                    }
                }
                _ => {}
            }
        }
    }
}

/// Prints a control sequence: `ESC [`, parameters, and the character that says what it does.
pub(crate) fn push_sequence(out: &mut String, parameters: &[u8], last: char) {
    out.push_str("\x1b[");
    for (place, parameter) in parameters.iter().enumerate() {
        if place > 0 {
            out.push(';');
        }
        // Writing to a string cannot fail.
        let _ = write!(out, "{parameter}");
    }
    out.push(last);
}

fn flush(text: &mut Vec<u8>, style: Style, display: &mut dyn Display) {
    if !text.is_empty() {
        display.text(text, style);
        text.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::string::ToString;
    use proptest::prelude::*;

    /// Notes what it is told.
    #[derive(Default)]
    struct Notes(String);

    impl Display for Notes {
        fn text(&mut self, text: &[u8], style: Style) {
            write!(self.0, "{}:{:02x} ", text.escape_ascii(), style.vga()).unwrap();
            for (sign, colour) in [('f', style.foreground), ('b', style.background)] {
                colour.value.iter().for_each(|value| write!(self.0, "{sign}{value:06x} ").unwrap());
            }
        }

        fn go(&mut self, row: u8, column: u8) {
            write!(self.0, "go({row},{column}) ").unwrap();
        }

        fn clear(&mut self, style: Style) {
            write!(self.0, "clear:{:02x} ", style.vga()).unwrap();
        }

        fn show_cursor(&mut self, visible: bool) {
            write!(self.0, "cursor({visible}) ").unwrap();
        }
    }

    fn told(pieces: &[&[u8]]) -> String {
        let mut notes = Notes::default();
        let mut ansi = Ansi::default();
        pieces.iter().for_each(|piece| ansi.print(piece, &mut notes));
        notes.0.trim_end().to_string()
    }

    #[test]
    fn sequences_become_calls() {
        for (printed, calls) in [
            ("plain\r\n", "plain\\r\\n:07"),
            ("\x1b[2J\x1b[3;10Hx", "clear:07 go(2,9) x:07"),
            ("\x1b[H", "go(0,0)"),
            ("a\x1b[37;44mb\x1b[1mc\x1b[mz", "a:07 b:17 c:1f z:07"),
            ("\x1b[31mr\x1b[0;38;2;255;1;1;36;49mc", "r:04 c:03"),
            ("\x1b[36;38;2;255;1;2;44;48;2;3;4;5mc\x1b[31md", "c:13 fff0102 b030405 d:14 b030405"),
            ("\x1b[38;5;200;38mc\x1b[48;2;9m", "c:07"),
            ("\x1b[?25l\x1b[25h\x1b[?25h", "cursor(false) cursor(true)"),
            ("a\x1b[1\x1b[;;7Xb\x1bMc", "a:07 bc:07"),
            ("Menü \u{2502} ж", "Men\\x81 \\xb3 ?:07"),
        ] {
            assert_eq!(told(&[printed.as_bytes()]), calls);
        }
    }

    #[test]
    fn sequences_may_be_divided() {
        assert_eq!(told(&[b"\x1b", b"[3", b"7;4", b"1mx\xc3", b"\xa4"]), "x:47 \\x84:47");
    }

    proptest! {
        #[test]
        fn any_bytes_are_fine(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _ = told(&[&bytes]);
        }

        #[test]
        fn any_sequence_is_fine(text in "(\x1b\\[[0-9;?]{0,40}[A-Za-z])*") {
            let _ = told(&[text.as_bytes()]);
        }
    }
}
