//! Keys, from the BIOS keyboard (INT 16h) and from a serial line (ANSI sequences).

use crate::charset::{self, Utf8};

/// A key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Key {
    /// A printable character.
    Char(char),
    /// Ctrl with a lower-case letter, where that has no name of its own below.
    Control(u8),
    /// Enter.
    Enter,
    /// Backspace.
    Backspace,
    /// Tab.
    Tab,
    /// Escape.
    Escape,
    /// Del.
    Delete,
    /// Ins.
    Insert,
    /// Cursor left.
    Left,
    /// Cursor right.
    Right,
    /// Cursor up.
    Up,
    /// Cursor down.
    Down,
    /// Home.
    Home,
    /// End.
    End,
    /// Page up.
    PageUp,
    /// Page down.
    PageDown,
    /// F1 to F12.
    Function(u8),
}

impl Key {
    /// The number that scripts know a key by: its Unicode number; for special keys 0x110000 plus the parameter of its
    /// ANSI sequence, written in hexadecimal digits as if they were decimal, and its last character: F8, which is
    /// `ESC [ 19 ~`, is 0x11197e.
    pub fn code(self) -> u32 {
        let special = |number: u32, last: u8| 0x11_0000 + (number << 8) + u32::from(last);
        match self {
            Self::Char(letter) => letter.into(),
            Self::Control(letter) => u32::from(letter & 0x1f),
            Self::Enter => 13,
            Self::Backspace => 8,
            Self::Tab => 9,
            Self::Escape => 27,
            Self::Up => special(0, b'A'),
            Self::Down => special(0, b'B'),
            Self::Right => special(0, b'C'),
            Self::Left => special(0, b'D'),
            Self::End => special(0, b'F'),
            Self::Home => special(0, b'H'),
            Self::Insert => special(2, b'~'),
            Self::Delete => special(3, b'~'),
            Self::PageUp => special(5, b'~'),
            Self::PageDown => special(6, b'~'),
            Self::Function(number) => {
                let parameter = FUNCTIONS.get(usize::from(number).wrapping_sub(1)).copied().unwrap_or(0);
                special(u32::from(parameter / 10 * 16 + parameter % 10), b'~')
            }
        }
    }

    /// The key that sends this byte, which is ASCII or of the BIOS's code page.
    fn from_byte(byte: u8) -> Option<Self> {
        Some(match byte {
            8 | 0x7f => Self::Backspace,
            9 => Self::Tab,
            10 | 13 => Self::Enter,
            27 => Self::Escape,
            1..=26 => Self::Control(byte + b'a' - 1),
            0 | 28..=31 => return None,
            _ => Self::Char(charset::from_bios(byte)),
        })
    }
}

/// The parameters of the ANSI sequences of F1 to F12.
const FUNCTIONS: [u8; 12] = [11, 12, 13, 14, 15, 17, 18, 19, 20, 21, 23, 24];

/// The key that INT 16h reported: AH is the scan code, AL the character.
pub(crate) fn bios_key(scan_code: u8, character: u8) -> Option<Key> {
    if character != 0 && character != 0xe0 {
        return Key::from_byte(character);
    }
    Some(match scan_code {
        0x3b..=0x44 => Key::Function(scan_code - 0x3a),
        0x85 | 0x86 => Key::Function(scan_code - 0x85 + 11),
        0x47 => Key::Home,
        0x48 => Key::Up,
        0x49 => Key::PageUp,
        0x4b => Key::Left,
        0x4d => Key::Right,
        0x4f => Key::End,
        0x50 => Key::Down,
        0x51 => Key::PageDown,
        0x52 => Key::Insert,
        0x53 => Key::Delete,
        _ => return None,
    })
}

/// Puts the bytes of a serial line together to keys.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SerialKeys {
    state: State,
    after_return: bool,
    utf8: Utf8,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum State {
    #[default]
    Ground,
    Escape,
    /// Behind `ESC [` or `ESC O`, with the first parameter so far.
    Sequence(u8),
    /// Behind the first parameter.
    Rest(u8),
}

impl SerialKeys {
    /// Takes a byte; some if that completes a key.
    pub fn feed(&mut self, byte: u8) -> Option<Key> {
        // A terminal may send CR LF for Enter, which is one key.
        let follows_return = core::mem::replace(&mut self.after_return, byte == b'\r');
        match self.state {
            State::Ground if byte == 27 => self.state = State::Escape,
            State::Ground if byte == b'\n' && follows_return => {}
            State::Ground => {
                let letter = self.utf8.feed(byte)?;
                return if letter.is_ascii() { Key::from_byte(byte) } else { Some(Key::Char(letter)) };
            }
            State::Escape if byte == b'[' || byte == b'O' => self.state = State::Sequence(0),
            State::Escape if byte == 27 => return Some(Key::Escape),
            State::Escape => self.state = State::Ground,
            State::Sequence(parameter) | State::Rest(parameter) => match byte {
                b'0'..=b'9' => {
                    if let State::Sequence(_) = self.state {
                        self.state =
                            State::Sequence(parameter.saturating_mul(10).saturating_add(byte - b'0'));
                    }
                }
                b' '..=b'?' => self.state = State::Rest(parameter),
                _ => {
                    self.state = State::Ground;
                    return sequence(parameter, byte);
                }
            },
        }
        None
    }

    /// Says that no byte came for a while (50 ms): an Escape that waits for more was the key itself.
    pub fn flush(&mut self) -> Option<Key> {
        let waited = core::mem::take(&mut self.state);
        (waited == State::Escape).then_some(Key::Escape)
    }

    /// Whether [`flush`](Self::flush) is to be called if nothing more comes.
    pub fn is_waiting(&self) -> bool {
        self.state != State::Ground
    }
}

fn sequence(parameter: u8, last: u8) -> Option<Key> {
    Some(match (last, parameter) {
        (b'A', _) => Key::Up,
        (b'B', _) => Key::Down,
        (b'C', _) => Key::Right,
        (b'D', _) => Key::Left,
        (b'F', _) | (b'~', 4 | 8) => Key::End,
        (b'H', _) | (b'~', 1 | 7) => Key::Home,
        (b'P'..=b'S', _) => Key::Function(last - b'P' + 1),
        (b'~', 2) => Key::Insert,
        (b'~', 3) => Key::Delete,
        (b'~', 5) => Key::PageUp,
        (b'~', 6) => Key::PageDown,
        (b'~', _) => {
            let place = FUNCTIONS.iter().position(|function| *function == parameter)?;
            Key::Function(u8::try_from(place).ok()? + 1)
        }
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::vec::Vec;
    use proptest::prelude::*;

    fn keys(bytes: &[u8]) -> Vec<Key> {
        let mut decoder = SerialKeys::default();
        let mut keys: Vec<_> = bytes.iter().filter_map(|byte| decoder.feed(*byte)).collect();
        keys.extend(decoder.flush());
        keys
    }

    #[test]
    fn sequences_become_keys() {
        let cases: [(&[u8], &[Key]); 10] = [
            (b"\x00\x1c\x1f", &[]),
            (b"a\x1b[A\x1b[1~", &[Key::Char('a'), Key::Up, Key::Home]),
            (b"\x1bOP\x1b[24~", &[Key::Function(1), Key::Function(12)]),
            (b"\x1b[3~\x7f\x08", &[Key::Delete, Key::Backspace, Key::Backspace]),
            (b"\x1b", &[Key::Escape]),
            (b"\x1b\x1b[B", &[Key::Escape, Key::Down]),
            (b"\r\nx\n", &[Key::Enter, Key::Char('x'), Key::Enter]),
            (b"\x02\x03", &[Key::Control(b'b'), Key::Control(b'c')]),
            (b"\x1b[1;5C", &[Key::Right]),
            (b"\x1b[999999999~\xc3\xa4z\xe4z", &[Key::Char('ä'), Key::Char('z'), Key::Char('z')]),
        ];
        for (bytes, expected) in cases {
            assert_eq!(keys(bytes), expected, "{bytes:?}");
        }
    }

    #[test]
    fn the_bios_tells_special_keys_by_scan_code() {
        assert_eq!(bios_key(0x1e, b'a'), Some(Key::Char('a')));
        assert_eq!(bios_key(0x28, 0x84), Some(Key::Char('ä')));
        assert_eq!(bios_key(0x47, 0xe0), Some(Key::Home));
        assert_eq!(bios_key(0x42, 0), Some(Key::Function(8)));
        assert_eq!(bios_key(0x86, 0), Some(Key::Function(12)));
        assert_eq!(bios_key(0x30, 2), Some(Key::Control(b'b')));
        assert_eq!((bios_key(0, 0), bios_key(0x0c, 0x1f)), (None, None));
    }

    #[test]
    fn scripts_know_keys_by_number() {
        assert_eq!(Key::Function(8).code(), 0x11_197e);
        assert_eq!(Key::Function(12).code(), 0x11_247e);
        assert_eq!(Key::Up.code(), 0x11_0041);
        assert_eq!(Key::Control(b'b').code(), 2);
        assert_eq!(Key::Char('s').code(), 115);
        assert_eq!(Key::Function(0).code(), 0x11_007e);
    }

    proptest! {
        #[test]
        fn any_bytes_are_fine(bytes in proptest::collection::vec(any::<u8>(), 0..60)) {
            prop_assert!(keys(&bytes).len() <= bytes.len() + 1);
        }

        #[test]
        fn any_scan_code_is_fine(scan_code in any::<u8>(), character in any::<u8>()) {
            let _ = bios_key(scan_code, character).map(Key::code);
        }
    }
}
