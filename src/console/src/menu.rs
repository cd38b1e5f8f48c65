//! A list from which the user chooses.

use crate::panel::{Kind, Panel, Row};
use crate::{Colours, Dialogue, Key, Outcome, Size};
use alloc::string::String;
use alloc::vec::Vec;
use base::{Duration, Instant};
use core::fmt::Write;

/// A line of a menu.
#[derive(Clone, Debug, Default)]
pub struct Item {
    /// What is shown. Control sequences that colour it come through.
    pub text: String,
    /// Whether it only divides the others, and cannot be chosen.
    pub is_gap: bool,
    /// The number of the key that chooses it ([`Key::code`]), or that goes on behind a gap; 0 for none.
    pub key: u32,
}

/// A menu on the screen.
///
/// # Invariants
/// The highlighted item is never a gap.
#[derive(Clone, Debug)]
pub struct Menu {
    panel: Panel,
    keys: Vec<u32>,
    /// When the highlighted item is chosen by itself.
    end: Option<Instant>,
    /// Starts anew with each key; zero for never.
    retimeout: Duration,
    /// When the seconds on the screen are to change.
    next: Option<Instant>,
}

impl Menu {
    /// A menu that highlights the item with this number at first, or the next one that can be chosen; none if there
    /// is nothing to choose. After `timeout` the highlighted item is chosen. A key replaces what is left of it by
    /// `retimeout`. Zero is no time-out.
    pub fn new(title: &str, items: Vec<Item>, first: usize, size: Size) -> Option<Self> {
        let keys = base::list(items.iter().map(|item| item.key));
        let mut panel = Panel::new(title, "", size);
        let row =
            |item: Item| Row { kind: if item.is_gap { Kind::Gap } else { Kind::Item }, text: item.text };
        panel.rows = base::list(items.into_iter().map(row));
        panel.select(first);
        panel.current()?;
        Some(Self { panel, keys, end: None, retimeout: Duration::default(), next: None })
    }

    /// Starts the time: see [`new`](Self::new).
    #[must_use]
    pub fn with_timeout(mut self, timeout: Duration, retimeout: Duration, now: Instant) -> Self {
        self.retimeout = retimeout;
        self.start(timeout, now);
        self
    }

    /// The number of the highlighted item.
    pub fn highlighted(&self) -> usize {
        self.panel.current().unwrap_or_default()
    }

    /// The item or gap that has this key: the first one from the highlighted item on, else the first one at all.
    fn shortcut(&self, key: u32) -> Option<usize> {
        let find = |from: usize| {
            let keys = self.keys.get(from..)?;
            keys.iter().position(|own| *own == key).map(|place| from + place)
        };
        if key == 0 { None } else { find(self.highlighted()).or_else(|| find(0)) }
    }

    fn start(&mut self, timeout: Duration, now: Instant) {
        self.end = (timeout > Duration::default()).then(|| now + timeout);
        self.count(now);
    }

    /// Shows how much time is left.
    fn count(&mut self, now: Instant) {
        let mut text = String::new();
        self.next = self.end.map(|end| {
            let left = end.since(now).as_micros();
            let seconds = left.div_ceil(1_000_000);
            // Writing to a string cannot fail.
            let _ = write!(text, "Chosen in {seconds} s");
            now + Duration::from_micros(left.saturating_sub(seconds.saturating_sub(1) * 1_000_000))
        });
        self.panel.set_status(&text, false);
    }
}

impl Dialogue for Menu {
    fn key(&mut self, key: Key, now: Instant) -> Outcome {
        self.start(self.retimeout, now);
        match key {
            Key::Enter => return Outcome::Accepted,
            Key::Escape | Key::Control(b'c') => return Outcome::Cancelled,
            _ => {}
        }
        if !self.panel.navigate(key)
            && let Some(place) = self.shortcut(key.code())
        {
            self.panel.select(place);
            // From a gap the selection went on to the item behind it.
            if self.highlighted() == place {
                return Outcome::Accepted;
            }
        }
        Outcome::Going
    }

    fn pass(&mut self, now: Instant) -> Outcome {
        if self.end.is_some_and(|end| now >= end) {
            return Outcome::Accepted;
        }
        self.count(now);
        Outcome::Going
    }

    fn deadline(&self) -> Option<Instant> {
        self.next
    }

    fn draw(&mut self, colours: &Colours, out: &mut String) {
        self.panel.draw(colours, out);
    }

    fn redraw(&mut self) {
        self.panel.redraw();
    }
}
