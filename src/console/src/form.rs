//! Fields that the user fills in.

use crate::panel::{Kind, Panel, Row};
use crate::{Colours, Dialogue, Key, Outcome, Size};
use alloc::string::String;
use alloc::vec::Vec;
use base::Instant;

/// A field of a form, or a text between fields.
#[derive(Clone, Debug, Default)]
pub struct Field {
    /// What it is for.
    pub label: String,
    /// What it holds at first; none for a text only.
    pub value: Option<String>,
    /// Whether stars are shown in place of what it holds.
    pub secret: bool,
}

/// A form on the screen. It stays there until what was filled in is [taken](Form::value).
///
/// # Invariants
/// There is an editor, and it is that of the current field, unless there are no fields.
#[derive(Clone, Debug)]
pub struct Form {
    panel: Panel,
    /// The row of each field's text.
    places: Vec<usize>,
}

const HELP: &str = "Enter: next field   Ctrl-X: done   Esc: cancel";

impl Form {
    /// A form that begins with the first field.
    pub fn new(title: &str, fields: Vec<Field>, size: Size) -> Self {
        let mut panel = Panel::new(title, HELP, size);
        let mut places = Vec::with_capacity(fields.len());
        for field in fields {
            let kind = if field.value.is_some() { Kind::Label } else { Kind::Gap };
            panel.rows.push(Row { kind, text: field.label });
            places.push(panel.rows.len());
            if let Some(text) = field.value {
                let kind = if field.secret { Kind::Secret } else { Kind::Field };
                panel.rows.push(Row { kind, text });
                panel.rows.push(Row { kind: Kind::Message, text: String::new() });
            }
        }
        let mut form = Self { panel, places };
        form.go(0);
        form
    }

    /// What was filled into a field, by its number.
    pub fn value(&self, field: usize) -> &str {
        self.row(field).map_or("", |row| &row.text)
    }

    /// Says what is wrong with a field, and goes there.
    pub fn refuse(&mut self, field: usize, message: &str) {
        let Some(place) = self.places.get(field).copied() else { return };
        if let Some(row) = self.panel.rows.get_mut(place + 1).filter(|row| row.kind == Kind::Message) {
            row.text = message.into();
            self.panel.redraw_rows();
            self.panel.keep_edited();
            self.go(place);
        }
    }

    fn row(&self, field: usize) -> Option<&Row> {
        self.panel.rows.get(*self.places.get(field)?)
    }

    /// Edits the field in this row, or the next one.
    fn go(&mut self, row: usize) {
        self.panel.select(row);
        self.edit();
    }

    /// Edits the current field, unless it is being edited.
    fn edit(&mut self) {
        if self.panel.editor().is_none()
            && let Some(row) = self.panel.current().and_then(|current| self.panel.rows.get(current))
        {
            let text = row.text.clone();
            self.panel.edit(&text);
        }
    }

    fn submit(&mut self) -> Outcome {
        self.panel.keep_edited();
        self.edit();
        for row in self.panel.rows.iter_mut().filter(|row| row.kind == Kind::Message) {
            row.text.clear();
        }
        self.panel.redraw_rows();
        Outcome::Accepted
    }
}

impl Dialogue for Form {
    fn key(&mut self, key: Key, _: Instant) -> Outcome {
        let key = match key {
            Key::Escape | Key::Control(b'c') => return Outcome::Cancelled,
            Key::Control(b'x') => return self.submit(),
            Key::Enter if self.panel.is_last() => return self.submit(),
            Key::Enter => Key::Down,
            _ => key,
        };
        if self.panel.navigate(key) {
            self.edit();
        } else if let Some(editor) = self.panel.editor() {
            editor.key(key);
        }
        Outcome::Going
    }

    fn draw(&mut self, colours: &Colours, out: &mut String) {
        self.panel.draw(colours, out);
    }

    fn redraw(&mut self) {
        self.panel.redraw();
    }
}
