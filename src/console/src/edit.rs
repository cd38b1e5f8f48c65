//! A line that the user edits.

use crate::{COLUMNS, Key};
use alloc::string::String;
use alloc::vec::Vec;

/// What a key did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Edited {
    /// The line is being edited.
    Going,
    /// Enter: the line is ready.
    Entered,
    /// Ctrl-C.
    Cancelled,
}

/// An editor for one line after the other, with a history.
///
/// A line that is too long for the screen is shown in part and moves under the cursor.
#[derive(Clone, Debug, Default)]
pub struct LineEdit {
    line: Vec<u8>,
    cursor: usize,
    /// Oldest first.
    history: Vec<Vec<u8>>,
    /// The place in the history that is shown; its length for the line being written.
    recalled: usize,
    /// The line that was being written before the history was looked at.
    draft: Vec<u8>,
    /// Columns that the prompt leaves for the line.
    width: usize,
    /// The part of the line on the screen.
    shown: Vec<u8>,
    /// Where the screen's cursor is in it.
    column: usize,
    /// The first byte of the line that is on the screen.
    left: usize,
}

/// How long a line may become.
const LENGTH: usize = 4096;
/// How many lines are remembered.
const HISTORY: usize = 32;

impl LineEdit {
    /// No line, no history.
    pub fn new() -> Self {
        Self::default()
    }

    /// Begins a line. Returns what to print: the prompt and the line as it is at first.
    pub fn begin(&mut self, prompt: &str, line: &[u8]) -> String {
        let mut out = crate::text::shortened(prompt, COLUMNS / 2);
        self.width = COLUMNS - out.len();
        self.line = line.iter().copied().filter(|byte| (b' '..=b'~').contains(byte)).take(LENGTH).collect();
        self.cursor = self.line.len();
        self.recalled = self.history.len();
        self.draft.clear();
        self.shown.clear();
        self.column = 0;
        self.left = 0;
        self.draw(&mut out);
        out
    }

    /// Takes a key. Returns what to print, and whether the line is over; then [`line`](Self::line) is the result.
    pub fn key(&mut self, key: Key) -> (String, Edited) {
        let mut state = Edited::Going;
        match key {
            Key::Char(byte) if self.line.len() < LENGTH => {
                self.line.insert(self.cursor, byte);
                self.cursor += 1;
            }
            Key::Enter => state = Edited::Entered,
            Key::Control(b'c') => state = Edited::Cancelled,
            Key::Left | Key::Control(b'b') => self.cursor = self.cursor.saturating_sub(1),
            Key::Right | Key::Control(b'f') => self.cursor = (self.cursor + 1).min(self.line.len()),
            Key::Home | Key::Control(b'a') => self.cursor = 0,
            Key::End | Key::Control(b'e') => self.cursor = self.line.len(),
            Key::Backspace => self.delete(self.cursor.saturating_sub(1), self.cursor),
            Key::Delete | Key::Control(b'd') => self.delete(self.cursor, self.cursor + 1),
            Key::Control(b'k') => self.delete(self.cursor, self.line.len()),
            Key::Control(b'u') => self.delete(0, self.line.len()),
            Key::Control(b'w') => self.delete(self.word(), self.cursor),
            Key::Up | Key::Control(b'p') => self.recall(self.recalled.checked_sub(1)),
            Key::Down | Key::Control(b'n') => self.recall(Some(self.recalled + 1)),
            _ => {}
        }
        let mut out = String::new();
        if state == Edited::Entered {
            self.cursor = self.line.len();
            self.remember();
        }
        self.draw(&mut out);
        if state != Edited::Going {
            out.push_str("\r\n");
        }
        (out, state)
    }

    /// The line as it is.
    pub fn line(&self) -> &[u8] {
        &self.line
    }

    /// Prints the line anew, after something else was printed over it.
    pub fn redraw(&mut self, prompt: &str) -> String {
        let mut out = crate::text::shortened(prompt, COLUMNS / 2);
        self.shown.clear();
        self.column = 0;
        self.draw(&mut out);
        out
    }

    fn delete(&mut self, from: usize, to: usize) {
        self.line.drain(from.min(self.line.len())..to.min(self.line.len()));
        self.cursor = from.min(self.line.len());
    }

    /// Where the word before the cursor begins.
    fn word(&self) -> usize {
        let before = self.line.get(..self.cursor).unwrap_or_default().trim_ascii_end();
        before.iter().rposition(|byte| *byte == b' ').map_or(0, |place| place + 1)
    }

    fn recall(&mut self, place: Option<usize>) {
        let Some(place) = place.filter(|place| *place <= self.history.len()) else { return };
        if self.recalled == self.history.len() {
            self.draft.clone_from(&self.line);
        }
        self.recalled = place;
        self.line.clone_from(self.history.get(place).unwrap_or(&self.draft));
        self.cursor = self.line.len();
    }

    fn remember(&mut self) {
        if self.line.is_empty() || self.history.last() == Some(&self.line) {
            return;
        }
        if self.history.len() == HISTORY {
            self.history.remove(0);
        }
        self.history.push(self.line.clone());
    }

    /// Prints the difference between what the screen has and what it should have.
    fn draw(&mut self, out: &mut String) {
        let half = self.width / 2;
        if self.cursor < self.left || self.cursor >= self.left + self.width {
            self.left = self.cursor.saturating_sub(half);
        }
        let end = self.line.len().min((self.left + self.width).saturating_sub(1));
        let wanted: Vec<u8> = self.line.get(self.left..end).unwrap_or_default().to_vec();
        let same = wanted.iter().zip(&self.shown).take_while(|(new, old)| new == old).count();
        let old = core::mem::replace(&mut self.shown, wanted).len();
        let new = self.shown.len();
        if same < new || same < old {
            self.go(out, same);
            for byte in self.shown.get(same..).unwrap_or_default() {
                out.push(char::from(*byte));
            }
            (new..old).for_each(|_| out.push(' '));
            self.column = new.max(old);
        }
        self.go(out, self.cursor - self.left);
    }

    /// Moves the screen's cursor.
    fn go(&mut self, out: &mut String, column: usize) {
        (column..self.column).for_each(|_| out.push('\x08'));
        for byte in self.shown.get(self.column..column).unwrap_or_default() {
            out.push(char::from(*byte));
        }
        self.column = column;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// One line of a screen.
    #[derive(Default)]
    struct Screen {
        cells: Vec<u8>,
        column: usize,
    }

    impl Screen {
        fn print(&mut self, text: &str) {
            for byte in text.bytes() {
                match byte {
                    8 => self.column = self.column.checked_sub(1).expect("backspace at the margin"),
                    _ => {
                        if self.column == self.cells.len() {
                            self.cells.push(b' ');
                        }
                        self.cells[self.column] = byte;
                        self.column += 1;
                        assert!(self.column <= COLUMNS);
                    }
                }
            }
        }

        fn text(&self) -> &str {
            core::str::from_utf8(&self.cells).unwrap().trim_end()
        }
    }

    fn typed(edit: &mut LineEdit, screen: &mut Screen, text: &str) {
        for byte in text.bytes() {
            screen.print(&edit.key(Key::Char(byte)).0);
        }
    }

    fn press(edit: &mut LineEdit, screen: &mut Screen, keys: &[Key]) {
        for key in keys {
            screen.print(&edit.key(*key).0);
        }
    }

    #[test]
    fn typing_prints_one_character() {
        let mut edit = LineEdit::new();
        assert_eq!(edit.begin("> ", b"ab"), "> ab");
        assert_eq!(edit.key(Key::Char(b'c')), ("c".into(), Edited::Going));
        assert_eq!(edit.key(Key::Backspace), ("\x08 \x08".into(), Edited::Going));
        assert_eq!(edit.key(Key::Home), ("\x08\x08".into(), Edited::Going));
        assert_eq!(edit.key(Key::Char(b'x')), ("xab\x08\x08".into(), Edited::Going));
        assert_eq!(edit.key(Key::Enter), ("ab\r\n".into(), Edited::Entered));
        assert_eq!(edit.line(), b"xab");
    }

    #[test]
    fn words_and_ends_are_cut() {
        let mut edit = LineEdit::new();
        let mut screen = Screen::default();
        screen.print(&edit.begin("> ", b""));
        typed(&mut edit, &mut screen, "kernel linux quiet  ");
        press(&mut edit, &mut screen, &[Key::Control(b'w')]);
        assert_eq!(screen.text(), "> kernel linux");
        press(&mut edit, &mut screen, &[Key::Left, Key::Left, Key::Control(b'w')]);
        assert_eq!(screen.text(), "> kernel x");
        press(&mut edit, &mut screen, &[Key::Control(b'd'), Key::Left, Key::Left, Key::Control(b'k')]);
        assert_eq!(screen.text(), "> kerne");
        press(&mut edit, &mut screen, &[Key::Control(b'a'), Key::Delete]);
        assert_eq!(screen.text(), "> erne");
        press(&mut edit, &mut screen, &[Key::Control(b'u')]);
        assert_eq!((screen.text(), edit.line()), (">", &b""[..]));
    }

    #[test]
    fn the_history_keeps_the_draft() {
        let mut edit = LineEdit::new();
        let mut screen = Screen::default();
        for line in ["one", "two", "two", ""] {
            edit.begin("> ", b"");
            typed(&mut edit, &mut Screen::default(), line);
            let _ = edit.key(Key::Enter);
        }
        screen.print(&edit.begin("> ", b""));
        typed(&mut edit, &mut screen, "dra");
        press(&mut edit, &mut screen, &[Key::Up, Key::Up, Key::Up]);
        assert_eq!(screen.text(), "> one");
        press(&mut edit, &mut screen, &[Key::Down, Key::Down, Key::Down]);
        assert_eq!((screen.text(), edit.line()), ("> dra", &b"dra"[..]));
    }

    #[test]
    fn a_line_may_be_cancelled_and_printed_again() {
        let mut edit = LineEdit::new();
        edit.begin("> ", b"text");
        assert_eq!(edit.redraw("> "), "> text");
        assert_eq!(edit.key(Key::Control(b'c')), ("\r\n".into(), Edited::Cancelled));
    }

    #[test]
    fn long_lines_end() {
        let mut edit = LineEdit::new();
        edit.begin("> ", &[b'x'; 10_000]);
        let _ = edit.key(Key::Char(b'y'));
        assert_eq!(edit.line().len(), LENGTH);
    }

    fn any_key() -> impl Strategy<Value = Key> {
        prop_oneof![
            6 => (b' '..=b'~').prop_map(Key::Char),
            3 => prop::sample::select(&b"abefdkuwpnz"[..]).prop_map(Key::Control),
            3 => prop::sample::select(&[
                Key::Left, Key::Right, Key::Home, Key::End, Key::Up, Key::Down, Key::Backspace, Key::Delete, Key::Tab,
            ][..]),
        ]
    }

    proptest! {
        #[test]
        fn the_screen_shows_the_line_at_the_cursor(
            first in "[ -~]{0,200}",
            keys in proptest::collection::vec(any_key(), 0..200),
        ) {
            let mut edit = LineEdit { history: [b"old".to_vec(), [b'h'; 150].to_vec()].into(), ..LineEdit::new() };
            let mut screen = Screen::default();
            screen.print(&edit.begin("> ", first.as_bytes()));
            for key in keys {
                screen.print(&edit.key(key).0);
                prop_assert!(edit.cursor <= edit.line.len());
                prop_assert_eq!(screen.column, 2 + edit.cursor - edit.left);
                let end = edit.line.len().min(edit.left + edit.width - 1);
                let mut cells = screen.cells.clone();
                cells.resize(COLUMNS, b' ');
                let visible = &edit.line[edit.left..end];
                prop_assert_eq!(&cells[2..2 + visible.len()], visible);
                prop_assert!(cells[2 + visible.len()..].iter().all(|cell| *cell == b' '));
            }
        }
    }
}
