//! A line that the user edits.

use crate::{COLUMNS, Key};
use alloc::string::String;
use alloc::vec::Vec;
use base::text::lossy;

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
#[derive(Clone, Debug, Default)]
pub struct LineEdit {
    prompt: String,
    edit: Edit,
    /// Oldest first.
    history: Vec<Vec<char>>,
    /// The place in the history that is shown; its length for the line being written.
    recalled: usize,
    /// The line that was being written before the history was looked at.
    draft: Vec<char>,
}

/// How many lines are remembered.
const HISTORY: usize = 32;

impl LineEdit {
    /// No line, no history.
    pub fn new() -> Self {
        Self::default()
    }

    /// Begins a line of at most `width` columns. Returns what to print: the prompt and the line as it is at first.
    pub fn begin(&mut self, prompt: &str, line: &[u8], width: usize) -> String {
        self.prompt = crate::text::shortened(prompt, width / 2);
        self.edit = Edit::new(&lossy(line), width - self.prompt.len());
        self.recalled = self.history.len();
        self.draft.clear();
        self.redraw()
    }

    /// Takes a key. Returns what to print, and whether the line is over; then [`line`](Self::line) is the result.
    pub fn key(&mut self, key: Key) -> (String, Edited) {
        let mut state = Edited::Going;
        match key {
            Key::Enter => state = Edited::Entered,
            Key::Control(b'c') => state = Edited::Cancelled,
            Key::Up | Key::Control(b'p') => self.recall(self.recalled.checked_sub(1)),
            Key::Down | Key::Control(b'n') => self.recall(Some(self.recalled + 1)),
            _ => self.edit.key(key),
        }
        if state == Edited::Entered {
            self.edit.cursor = self.edit.line.len();
            self.remember();
        }
        let mut out = String::new();
        self.edit.draw(&mut out);
        if state != Edited::Going {
            out.push_str("\r\n");
        }
        (out, state)
    }

    /// The line as it is, in UTF-8.
    pub fn line(&self) -> Vec<u8> {
        self.edit.text().into_bytes()
    }

    /// Prints the line anew, after something else was printed over it.
    pub fn redraw(&mut self) -> String {
        let mut out = self.prompt.clone();
        self.edit.forget();
        self.edit.draw(&mut out);
        out
    }

    /// Completes the word before the cursor as far as it can only be one of `commands`, or of `names` if it is not
    /// the first word of a command. If that adds nothing, what the word may become is listed. Returns what to print.
    pub fn complete(&mut self, commands: &[&str], names: &[&str]) -> String {
        let mut out = String::new();
        let before = self.edit.line.get(..self.edit.cursor).unwrap_or_default();
        let begin =
            before.iter().rposition(|letter| matches!(letter, ' ' | '{')).map_or(0, |place| place + 1);
        let (before, word) = before.split_at_checked(begin).unwrap_or_default();
        let word: String = word.iter().collect();
        let last = before.iter().rfind(|letter| **letter != ' ');
        let words = if matches!(last, None | Some('|' | '&' | ';')) { commands } else { names };
        let end = if before.last() == Some(&'{') { '}' } else { ' ' };

        let mut fitting = words.to_vec();
        fitting.retain(|name| name.starts_with(&word));
        let Some(first) = fitting.first() else { return out };
        let mut common = *first;
        for other in &fitting {
            while !other.starts_with(common) {
                let mut shorter = common.chars();
                shorter.next_back();
                common = shorter.as_str();
            }
        }
        let only = fitting.iter().all(|name| name == first);
        if !only && common.len() == word.len() {
            let mut column = COLUMNS;
            for name in fitting {
                let name = crate::text::shortened(name, COLUMNS);
                let fits = column + 2 + name.len() <= COLUMNS;
                out.push_str(if fits { "  " } else { "\r\n" });
                column = if fits { column + 2 } else { 0 } + name.len();
                out.push_str(&name);
            }
            out.push_str("\r\n");
            out.push_str(&self.redraw());
            return out;
        }
        for letter in common.get(word.len()..).unwrap_or_default().chars() {
            self.edit.key(Key::Char(letter));
        }
        if only {
            self.edit.key(Key::Char(end));
        }
        self.edit.draw(&mut out);
        out
    }

    fn recall(&mut self, place: Option<usize>) {
        let Some(place) = place.filter(|place| *place <= self.history.len()) else { return };
        if self.recalled == self.history.len() {
            self.draft.clone_from(&self.edit.line);
        }
        self.recalled = place;
        self.edit.line.clone_from(self.history.get(place).unwrap_or(&self.draft));
        self.edit.cursor = self.edit.line.len();
    }

    fn remember(&mut self) {
        if self.edit.line.is_empty() || self.history.last() == Some(&self.edit.line) {
            return;
        }
        if self.history.len() == HISTORY {
            self.history.remove(0);
        }
        self.history.push(self.edit.line.clone());
    }
}

/// Text under a cursor, and how much of it the screen shows.
///
/// Text that is too long for its place is shown in part and moves under the cursor. It is drawn where the screen's
/// cursor is, with spaces and backspaces only. Each character is taken to be one column wide.
#[derive(Clone, Debug, Default)]
pub(crate) struct Edit {
    line: Vec<char>,
    cursor: usize,
    /// Whether stars are shown in place of the characters.
    pub(crate) secret: bool,
    /// Columns that there are for the line.
    width: usize,
    /// The part of the line on the screen.
    shown: Vec<char>,
    /// Where the screen's cursor is in it.
    column: usize,
    /// The first character of the line that is on the screen.
    left: usize,
}

/// How long a line may become.
const LENGTH: usize = 4096;

impl Edit {
    /// Text that may be edited in a place of `width` columns, not yet drawn, with the cursor at its end.
    pub(crate) fn new(text: &str, width: usize) -> Self {
        let line = base::list(text.chars().filter(|letter| !letter.is_control()).take(LENGTH));
        Self { cursor: line.len(), line, width, ..Self::default() }
    }

    /// Takes a key. Those that do not edit do nothing.
    pub(crate) fn key(&mut self, key: Key) {
        match key {
            Key::Char(letter) if self.line.len() < LENGTH && !letter.is_control() => {
                self.line.insert(self.cursor, letter);
                self.cursor += 1;
            }
            Key::Left | Key::Control(b'b') => self.cursor = self.cursor.saturating_sub(1),
            Key::Right | Key::Control(b'f') => self.cursor = (self.cursor + 1).min(self.line.len()),
            Key::Home | Key::Control(b'a') => self.cursor = 0,
            Key::End | Key::Control(b'e') => self.cursor = self.line.len(),
            Key::Backspace => self.delete(self.cursor.saturating_sub(1), self.cursor),
            Key::Delete | Key::Control(b'd') => self.delete(self.cursor, self.cursor + 1),
            Key::Control(b'k') => self.delete(self.cursor, self.line.len()),
            Key::Control(b'u') => self.delete(0, self.line.len()),
            Key::Control(b'w') => self.delete(self.word(), self.cursor),
            _ => {}
        }
    }

    /// The text as it is.
    pub(crate) fn text(&self) -> String {
        self.line.iter().collect()
    }

    /// Where the last drawing left the screen's cursor, in columns from the first one of the text.
    pub(crate) fn column(&self) -> usize {
        self.column
    }

    /// The screen shows nothing any more, and its cursor is in the first column.
    pub(crate) fn forget(&mut self) {
        self.shown.clear();
        self.column = 0;
    }

    fn delete(&mut self, from: usize, to: usize) {
        self.line.drain(from.min(self.line.len())..to.min(self.line.len()));
        self.cursor = from.min(self.line.len());
    }

    /// Where the word before the cursor begins.
    fn word(&self) -> usize {
        let before = self.line.get(..self.cursor).unwrap_or_default();
        let end = before.iter().rposition(|letter| *letter != ' ').map_or(0, |place| place + 1);
        let word = before.get(..end).unwrap_or_default();
        word.iter().rposition(|letter| *letter == ' ').map_or(0, |place| place + 1)
    }

    /// Prints the difference between what the screen has and what it should have.
    pub(crate) fn draw(&mut self, out: &mut String) {
        if self.cursor < self.left || self.cursor >= self.left + self.width {
            self.left = self.cursor.saturating_sub(self.width / 2);
        }
        let end = self.line.len().min((self.left + self.width).saturating_sub(1));
        let mut wanted = self.line.get(self.left..end).unwrap_or_default().to_vec();
        if self.secret {
            wanted.fill('*');
        }
        let same = wanted.iter().zip(&self.shown).take_while(|(new, old)| new == old).count();
        let old = core::mem::replace(&mut self.shown, wanted).len();
        let new = self.shown.len();
        if same < new || same < old {
            self.go(out, same);
            out.extend(self.shown.get(same..).unwrap_or_default());
            (new..old).for_each(|_| out.push(' '));
            self.column = new.max(old);
        }
        self.go(out, self.cursor - self.left);
    }

    /// Moves the screen's cursor.
    fn go(&mut self, out: &mut String, column: usize) {
        (column..self.column).for_each(|_| out.push('\x08'));
        out.extend(self.shown.get(self.column..column).unwrap_or_default());
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
            screen.print(&edit.key(Key::Char(byte.into())).0);
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
        assert_eq!(edit.begin("> ", b"ab", COLUMNS), "> ab");
        assert_eq!(edit.key(Key::Char('c')), ("c".into(), Edited::Going));
        assert_eq!(edit.key(Key::Backspace), ("\x08 \x08".into(), Edited::Going));
        assert_eq!(edit.key(Key::Home), ("\x08\x08".into(), Edited::Going));
        assert_eq!(edit.key(Key::Char('x')), ("xab\x08\x08".into(), Edited::Going));
        assert_eq!(edit.key(Key::Enter), ("ab\r\n".into(), Edited::Entered));
        assert_eq!(edit.line(), b"xab");
    }

    #[test]
    fn words_and_ends_are_cut() {
        let mut edit = LineEdit::new();
        let mut screen = Screen::default();
        screen.print(&edit.begin("> ", b"", COLUMNS));
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
        assert_eq!((screen.text(), edit.line()), (">", b"".to_vec()));
    }

    #[test]
    fn the_history_keeps_the_draft() {
        let mut edit = LineEdit::new();
        let mut screen = Screen::default();
        for line in ["one", "two", "two", ""] {
            edit.begin("> ", b"", COLUMNS);
            typed(&mut edit, &mut Screen::default(), line);
            let _ = edit.key(Key::Enter);
        }
        screen.print(&edit.begin("> ", b"", COLUMNS));
        typed(&mut edit, &mut screen, "dra");
        press(&mut edit, &mut screen, &[Key::Up, Key::Up, Key::Up]);
        assert_eq!(screen.text(), "> one");
        press(&mut edit, &mut screen, &[Key::Down, Key::Down, Key::Down]);
        assert_eq!((screen.text(), edit.line()), ("> dra", b"dra".to_vec()));
    }

    #[test]
    fn a_line_may_be_cancelled_and_printed_again() {
        let mut edit = LineEdit::new();
        edit.begin("> ", b"text", COLUMNS);
        assert_eq!(edit.redraw(), "> text");
        assert_eq!(edit.key(Key::Control(b'c')), ("\r\n".into(), Edited::Cancelled));
    }

    #[test]
    fn long_lines_end() {
        let mut edit = LineEdit::new();
        edit.begin("> ", &[b'x'; 10_000], COLUMNS);
        let _ = edit.key(Key::Char('y'));
        assert_eq!(edit.line().len(), LENGTH);
    }

    fn any_key() -> impl Strategy<Value = Key> {
        prop_oneof![
            6 => proptest::char::range(' ', '~').prop_map(Key::Char),
            3 => prop::sample::select(&b"abefdkuwpnz"[..]).prop_map(Key::Control),
            3 => prop::sample::select(&[
                Key::Left, Key::Right, Key::Home, Key::End, Key::Up, Key::Down, Key::Backspace, Key::Delete, Key::Tab,
            ][..]),
        ]
    }

    #[test]
    fn characters_beyond_ascii_are_one_column() {
        let mut edit = LineEdit::new();
        assert_eq!(edit.begin("> ", "Tür\x1b\u{9b}\n".as_bytes(), COLUMNS), "> Tür");
        assert_eq!(edit.key(Key::Left).0, "\x08");
        assert_eq!(edit.key(Key::Backspace).0, "\x08r \x08\x08");
        assert_eq!(edit.key(Key::Char('ö')).0, "ör\x08");
        assert_eq!(edit.line(), "Tör".as_bytes());
    }

    const COMMANDS: [&str; 5] = ["ifconf", "iflinkwait", "ifopen", "imgstat", "show"];
    const NAMES: [&str; 4] = ["net0/ip", "net0/mac", "näher", "bad\x1b[2J"];

    /// What is printed and what the line is after a Tab behind this line.
    fn completed(line: &str) -> (String, String) {
        let mut edit = LineEdit::new();
        edit.begin("> ", line.as_bytes(), COLUMNS);
        let out = edit.complete(&COMMANDS, &NAMES);
        (out, String::from_utf8(edit.line()).unwrap())
    }

    #[test]
    fn a_tab_completes_words() {
        for (line, wanted) in [
            ("sh", "show "),
            ("im", "imgstat "),
            ("show ne", "show net0/"),
            ("show net0/m", "show net0/mac "),
            ("echo ${net0/i", "echo ${net0/ip}"),
            ("echo ${nä", "echo ${näher}"),
            ("ifopen && sh", "ifopen && show "),
            ("ifopen ; sh", "ifopen ; show "),
            ("show bad", "show bad[2J "),
            ("xyz", "xyz"),
            ("show xyz", "show xyz"),
        ] {
            let (out, after) = completed(line);
            assert_eq!(after, wanted);
            assert_eq!(out, wanted[line.len()..]);
        }
    }

    #[test]
    fn what_a_word_may_become_is_listed() {
        assert_eq!(completed("if").0, "\r\nifconf  iflinkwait  ifopen\r\n> if");
        let mut edit = LineEdit::new();
        edit.begin("> ", b"", COLUMNS);
        let names: Vec<_> = (0..40).map(|number| alloc::format!("name-{number:02}")).collect();
        let names: Vec<_> = names.iter().map(String::as_str).collect();
        let mut screen = Vec::new();
        let out = edit.complete(&names, &[]);
        assert_eq!(out, "name-");
        screen.extend(edit.complete(&names, &[]).lines().map(String::from));
        assert!(screen.iter().all(|line| line.len() <= COLUMNS && line.trim_end() == line), "{screen:?}");
        assert_eq!(screen.concat().matches("name-").count(), 41);
        assert_eq!(screen.last().unwrap(), "> name-");
    }

    proptest! {
        #[test]
        fn the_screen_shows_the_line_at_the_cursor(
            first in "[ -~]{0,200}",
            keys in proptest::collection::vec(any_key(), 0..200),
        ) {
            let history = [['o'; 3].to_vec(), ['h'; 150].to_vec()].into();
            let mut edit = LineEdit { history, ..LineEdit::new() };
            let mut screen = Screen::default();
            screen.print(&edit.begin("> ", first.as_bytes(), COLUMNS));
            for key in keys {
                screen.print(&edit.key(key).0);
                let edit = &edit.edit;
                prop_assert!(edit.cursor <= edit.line.len());
                prop_assert_eq!(screen.column, 2 + edit.cursor - edit.left);
                let end = edit.line.len().min(edit.left + edit.width - 1);
                let mut cells: Vec<_> = screen.cells.iter().copied().map(char::from).collect();
                cells.resize(COLUMNS, ' ');
                let visible = &edit.line[edit.left..end];
                prop_assert_eq!(&cells[2..2 + visible.len()], visible);
                prop_assert!(cells[2 + visible.len()..].iter().all(|cell| *cell == ' '));
            }
        }
    }
}
