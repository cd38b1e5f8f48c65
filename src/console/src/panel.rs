//! What all dialogues have in common: a title, a list that scrolls, a line of help, and one field that is edited.
//!
//! ```text
//!  2               title
//!  3  ...
//!  4  first row of the list
//!  .
//! 22  last row of the list
//! 23  ...
//! 24  help, time left, or an alert
//! ```
//! The last row of the screen stays free: serial terminals have 24, and a screen would scroll from its last column.

use crate::ansi::push_sequence;
use crate::edit::Edit;
use crate::{Colours, Key, Pair};
use alloc::string::String;
use alloc::vec::Vec;
use base::Instant;

/// What came of a key, or of time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The dialogue goes on.
    Going,
    /// There is something to be done.
    Accepted,
    /// The user wants to leave.
    Cancelled,
}

/// Something on the whole screen that the user answers.
pub trait Dialogue {
    /// Takes a key.
    fn key(&mut self, key: Key, now: Instant) -> Outcome;

    /// Takes notice of the time. To be called when [`deadline`](Self::deadline) has passed.
    fn pass(&mut self, now: Instant) -> Outcome {
        let _ = now;
        Outcome::Going
    }

    /// When something will change without a key.
    fn deadline(&self) -> Option<Instant> {
        None
    }

    /// Prints what has changed since the last call. Afterwards the screen is to be cleaned by [`LEAVE`].
    fn draw(&mut self, colours: &Colours, out: &mut String);

    /// Something else was printed: the next [`draw`](Self::draw) begins with an empty screen.
    fn redraw(&mut self);
}

/// Leaves the screen of a dialogue: colours as usual, cleared, the cursor at the top and visible, where a line begins.
pub const LEAVE: &str = "\x1b[0m\x1b[2J\x1b[H\x1b[?25h\r";

/// How large the screen is, in characters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Size {
    /// Lines.
    pub rows: u8,
    /// Characters of a line.
    pub columns: u8,
}

impl Size {
    /// The smallest screen that dialogues fit on.
    pub const LEAST: Self = Self { rows: AROUND_LIST + 3, columns: 40 };
}

/// What a row of a list is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// To be chosen.
    Item,
    /// A text between items.
    Gap,
    /// What a field is for.
    Label,
    /// A text that can be edited.
    Field,
    /// The same, shown as stars.
    Secret,
    /// What is wrong with a field.
    Message,
}

#[derive(Clone, Debug)]
pub(crate) struct Row {
    pub(crate) kind: Kind,
    pub(crate) text: String,
}

#[derive(Clone, Debug)]
pub(crate) struct Panel {
    title: String,
    help: &'static str,
    size: Size,
    pub(crate) rows: Vec<Row>,
    /// The row that the user is at. It can be selected, unless none can.
    current: usize,
    /// The first row on the screen.
    top: usize,
    /// The editor of the current row, and the column in which it begins.
    edit: Option<Edit>,
    pub(crate) edit_column: usize,
    /// Shown in place of the help.
    status: String,
    alert: bool,
    shown: Shown,
}

/// What the screen shows.
#[derive(Clone, Copy, Debug, Default)]
struct Shown {
    screen: bool,
    rows: bool,
    top: usize,
    current: usize,
    edit: bool,
    status: bool,
}

/// Where the parts are, counted from 0.
const TITLE: u8 = 1;
const LIST: u8 = 3;
/// Rows that the list does not have.
const AROUND_LIST: u8 = 6;

impl Panel {
    pub(crate) fn new(title: &str, help: &'static str, size: Size) -> Self {
        let Size { rows, columns } = Size::LEAST;
        let size = Size { rows: size.rows.max(rows), columns: size.columns.max(columns) };
        Self {
            title: title.into(),
            help,
            size,
            rows: Vec::new(),
            current: 0,
            top: 0,
            edit: None,
            edit_column: 0,
            status: String::new(),
            alert: false,
            shown: Shown::default(),
        }
    }

    /// Everything is to be drawn anew.
    pub(crate) fn redraw(&mut self) {
        self.shown = Shown::default();
    }

    /// The rows are to be drawn anew.
    pub(crate) fn redraw_rows(&mut self) {
        self.shown.rows = false;
    }

    /// Replaces the list and its title, if that is another one.
    pub(crate) fn show(&mut self, title: &str, rows: Vec<Row>) {
        if title != self.title {
            self.title = title.into();
            self.current = 0;
            self.top = 0;
        }
        self.rows = rows;
        self.select(self.current);
        self.redraw();
    }

    /// Shows a text in the last line, in place of the help if it is not empty.
    pub(crate) fn set_status(&mut self, text: &str, alert: bool) {
        if text != self.status {
            self.status = text.into();
            self.alert = alert;
            self.shown.status = false;
        }
    }

    /// The row that the user is at, if it can be selected.
    pub(crate) fn current(&self) -> Option<usize> {
        self.can_select(self.current).then_some(self.current)
    }

    pub(crate) fn is_last(&self) -> bool {
        self.seek(self.current + 1, true).is_none()
    }

    /// Goes to a row, or to the nearest one behind or before it that can be selected.
    pub(crate) fn select(&mut self, row: usize) {
        self.current = self.nearest(row, true);
    }

    /// Takes a key that moves in the list; false if it is none.
    pub(crate) fn navigate(&mut self, key: Key) -> bool {
        let page = self.height();
        let (row, forward) = match key {
            Key::Up => (self.current.saturating_sub(1), false),
            Key::Down => (self.current + 1, true),
            Key::PageUp => (self.current.saturating_sub(page), false),
            Key::PageDown => (self.current + page, true),
            Key::Home => (0, true),
            Key::End => (self.rows.len(), false),
            Key::Tab => (self.seek(self.current + 1, true).unwrap_or(0), true),
            _ => return false,
        };
        let row = self.nearest(row, forward);
        if row != self.current {
            self.keep_edited();
            self.current = row;
        }
        true
    }

    /// The nearest row on this side that can be selected, else the nearest one on the other side.
    fn nearest(&self, start: usize, forward: bool) -> usize {
        self.seek(start, forward).or_else(|| self.seek(start, !forward)).unwrap_or(0)
    }

    /// The nearest row from `start` on that can be selected.
    fn seek(&self, start: usize, forward: bool) -> Option<usize> {
        let end = self.rows.len();
        let mut row = start.min(end);
        loop {
            if self.can_select(row) {
                return Some(row);
            }
            row = if forward { row + 1 } else { row.checked_sub(1)? };
            if row >= end {
                return None;
            }
        }
    }

    fn can_select(&self, row: usize) -> bool {
        self.rows.get(row).is_some_and(|row| matches!(row.kind, Kind::Item | Kind::Field | Kind::Secret))
    }

    /// Begins to edit a text in the current row.
    pub(crate) fn edit(&mut self, text: &str) {
        let mut edit = Edit::new(text, self.width().saturating_sub(self.edit_column));
        edit.secret = self.rows.get(self.current).is_some_and(|row| row.kind == Kind::Secret);
        self.edit = Some(edit);
    }

    /// The editor, if something is edited.
    pub(crate) fn editor(&mut self) -> Option<&mut Edit> {
        self.edit.as_mut()
    }

    /// Ends editing. Returns the text.
    pub(crate) fn edited(&mut self) -> Option<String> {
        self.edit.take().map(|edit| edit.text())
    }

    /// Ends editing, and keeps the text in the row.
    pub(crate) fn keep_edited(&mut self) {
        // Keys can come faster than they are drawn: this row may never have been shown as the current one.
        self.shown.rows &= self.current == self.shown.current;
        if let Some(text) = self.edited()
            && let Some(row) = self.rows.get_mut(self.current)
        {
            row.text = text;
        }
    }

    fn height(&self) -> usize {
        usize::from(self.size.rows - AROUND_LIST)
    }

    /// Columns of a row: the first and the last one stay free.
    fn width(&self) -> usize {
        usize::from(self.size.columns - 2)
    }

    /// Moves the list so that the current row is in sight, with the texts above and the message below it.
    fn scroll(&mut self) {
        let height = self.height();
        let texts = (1..height - 1)
            .take_while(|above| self.current.checked_sub(*above).is_some_and(|row| !self.can_select(row)));
        let first = self.current - texts.count();
        let mut end = self.current + 1;
        if end < self.rows.len() && !self.can_select(end) {
            end += 1;
        }
        self.top = self.top.min(first).max(end.saturating_sub(height));
    }

    pub(crate) fn draw(&mut self, colours: &Colours, out: &mut String) {
        self.scroll();
        let height = self.height();
        out.push_str("\x1b[?25l");
        if !self.shown.screen {
            colours.select(Pair::Normal, out);
            out.push_str("\x1b[2J");
            let width = self.width();
            let length = self.title.bytes().filter(|byte| byte & 0xc0 != 0x80).count();
            let room = width.saturating_sub(length) / 2;
            self.go_to(out, TITLE, 0);
            (0..room).for_each(|_| out.push(' '));
            push_cell(out, &self.title, width - room, false);
        }
        let all = !self.shown.rows || self.top != self.shown.top;
        let moved = self.current != self.shown.current || self.edit.is_some() != self.shown.edit;
        for (line, index) in (LIST..).zip(self.top..self.top + height) {
            if all || moved && (index == self.current || index == self.shown.current) {
                self.draw_row(line, index, colours, out);
            }
        }
        if all {
            colours.select(Pair::Normal, out);
            let more = [(LIST - 1, self.top > 0), (self.size.rows - 3, self.top + height < self.rows.len())];
            for (line, more) in more {
                self.go_to(out, line, 0);
                push_cell(out, if more { "..." } else { "" }, 4, false);
            }
        }
        if !self.shown.status {
            let pair = if self.alert { Pair::Alert } else { Pair::Normal };
            colours.select(pair, out);
            self.go_to(out, self.size.rows - 2, 0);
            let text = if self.status.is_empty() { self.help } else { &self.status };
            push_cell(out, text, self.width(), false);
        }
        self.shown = Shown {
            screen: true,
            rows: true,
            top: self.top,
            current: self.current,
            edit: self.edit.is_some(),
            status: true,
        };
        if let Some(mut edit) = self.edit.take() {
            colours.select(Pair::Edited, out);
            // No more rows than the screen has, of which there are 255 at most.
            let line = u8::try_from(self.current - self.top).unwrap_or_default();
            self.go_to(out, LIST + line, self.edit_column + edit.column());
            edit.draw(out);
            out.push_str("\x1b[?25h");
            self.edit = Some(edit);
        }
    }

    fn draw_row(&mut self, line: u8, index: usize, colours: &Colours, out: &mut String) {
        self.go_to(out, line, 0);
        let width = self.width();
        let selected = index == self.current;
        let Some(row) = self.rows.get(index) else {
            colours.select(Pair::Normal, out);
            return push_cell(out, "", width, false);
        };
        let pair = match row.kind {
            Kind::Item if selected => Pair::Selected,
            Kind::Gap => Pair::Separator,
            Kind::Field | Kind::Secret => Pair::Edited,
            Kind::Message if !row.text.is_empty() => Pair::Alert,
            _ => Pair::Normal,
        };
        colours.select(pair, out);
        match &mut self.edit {
            Some(edit) if selected => {
                edit.forget();
                push_cell(out, &row.text, self.edit_column, false);
                colours.select(Pair::Edited, out);
                push_cell(out, "", width - self.edit_column, false);
            }
            _ => push_cell(out, &row.text, width, row.kind == Kind::Secret),
        }
    }

    /// Moves the cursor to a column of a line.
    fn go_to(&self, out: &mut String, line: u8, column: usize) {
        // No column is beyond the screen's, of which there are 255 at most.
        let column = u8::try_from(column + 2).unwrap_or_default();
        push_sequence(out, &[line + 1, column], 'H');
    }
}

/// Prints a text in exactly so many columns. Of control sequences only colours (SGR) come through.
fn push_cell(out: &mut String, text: &str, width: usize, secret: bool) {
    let mut column = 0;
    // Where the sequence began that is being printed.
    let mut sequence = None;
    for letter in text.chars() {
        if sequence.is_none() && letter != '\x1b' {
            if column < width {
                let control = letter.is_control();
                out.push(if secret {
                    '*'
                } else if control {
                    ' '
                } else {
                    letter
                });
                column += 1;
            }
            continue;
        }
        let begin = *sequence.get_or_insert(out.len());
        let fits = match out.len() - begin {
            0 => true,
            1 => letter == '[',
            _ => matches!(letter, '0'..='9' | ';' | 'm'),
        };
        out.push(letter);
        if !fits {
            out.truncate(begin);
        }
        if !fits || letter == 'm' {
            sequence = None;
        }
    }
    out.truncate(sequence.unwrap_or(out.len()));
    (column..width).for_each(|_| out.push(' '));
}
