//! The editor of settings: one block at a time.

use crate::panel::{Kind, Panel, Row};
use crate::text::printable;
use crate::{Colours, Dialogue, Key, Outcome, Size};
use alloc::string::String;
use alloc::vec::Vec;
use base::Instant;

/// A line of the editor: a setting, or a block of settings that can be entered.
#[derive(Clone, Debug, Default)]
pub struct Entry {
    /// The name.
    pub name: String,
    /// The block that the value comes from; empty for the one that is shown.
    pub origin: String,
    /// The value as text; none for a block.
    pub value: Option<String>,
}

/// What the user wants, by the number of the entry.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Request {
    /// Show this block.
    Enter(usize),
    /// Give the setting a value. An empty one deletes it.
    Store(usize, String),
}

/// The editor of settings on the screen. What there is is given by the caller, who also does what is asked.
#[derive(Clone, Debug)]
pub struct Config {
    panel: Panel,
    /// The values, which the screen may show in part; none for blocks.
    values: Vec<Option<String>>,
    request: Option<Request>,
}

const HELP: &str = "Enter: edit, or go there   Ctrl-D: delete   Ctrl-X: leave";
/// The columns of names and origins, with a space behind.
const NAME: usize = 24;
const ORIGIN: usize = 14;

impl Config {
    /// An empty editor.
    pub fn new(size: Size) -> Self {
        let mut panel = Panel::new("", HELP, size);
        panel.edit_column = NAME + ORIGIN;
        Self { panel, values: Vec::new(), request: None }
    }

    /// Shows the entries of a block, also after a change of them. With the same title the place in the list is kept.
    pub fn show(&mut self, title: &str, entries: Vec<Entry>) {
        let mut rows = Vec::with_capacity(entries.len());
        self.values.clear();
        for entry in entries {
            let mut text = String::new();
            for (cell, width) in [(&entry.name, NAME), (&entry.origin, ORIGIN)] {
                let end = text.len() + width;
                text.push_str(&crate::text::shortened(cell, width - 1));
                (text.len()..end).for_each(|_| text.push(' '));
            }
            text.push_str(entry.value.as_deref().map(printable).as_deref().unwrap_or("..."));
            rows.push(Row { kind: Kind::Item, text });
            self.values.push(entry.value);
        }
        self.panel.show(title, rows);
    }

    /// Says why what was asked for could not be done.
    pub fn refuse(&mut self, message: &str) {
        self.panel.set_status(message, true);
    }

    /// What was asked for when a key was [accepted](Outcome::Accepted).
    pub fn request(&mut self) -> Option<Request> {
        self.request.take()
    }
}

impl Dialogue for Config {
    fn key(&mut self, key: Key, _: Instant) -> Outcome {
        self.panel.set_status("", false);
        if let Some(editor) = self.panel.editor() {
            match key {
                Key::Enter => {}
                Key::Escape | Key::Control(b'c') => {
                    self.panel.edited();
                    return Outcome::Going;
                }
                _ => {
                    editor.key(key);
                    return Outcome::Going;
                }
            }
        } else if matches!(key, Key::Control(b'x' | b'c') | Key::Escape) {
            return Outcome::Cancelled;
        } else if self.panel.navigate(key) {
            return Outcome::Going;
        }
        let Some(current) = self.panel.current() else { return Outcome::Going };
        let value = self.values.get(current).and_then(Option::as_deref);
        self.request = match (key, value) {
            (Key::Enter, None) => Some(Request::Enter(current)),
            (Key::Enter, Some(value)) => match self.panel.edited() {
                Some(text) => Some(Request::Store(current, text)),
                None => {
                    self.panel.edit(value);
                    None
                }
            },
            (Key::Control(b'd'), Some(_)) => Some(Request::Store(current, String::new())),
            _ => None,
        };
        if self.request.is_some() { Outcome::Accepted } else { Outcome::Going }
    }

    fn draw(&mut self, colours: &Colours, out: &mut String) {
        self.panel.draw(colours, out);
    }

    fn redraw(&mut self) {
        self.panel.redraw();
    }
}
