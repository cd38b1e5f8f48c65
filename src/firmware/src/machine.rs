//! The machine: all parts, and the loop that drives them.

use alloc::boxed::Box;
use alloc::string::String;
use alloc::vec::Vec;
use base::boot_info::BootInfo;
use base::image_header::ImageHeader;
use base::{Duration, Error, Instant};
use console::{Countdown, Key, LineEdit};
use hw::memory::PhysicalMemory;
use script::errors::CANCELLED;
use script::{Drafts, Images};
use settings::Tree;

use crate::keyboard::Keyboard;
use crate::network::{Network, ROUND};
use crate::preferences::Preferences;
use crate::screen::Screen;
use crate::store::Store;
use crate::vendor::{Found, Vendor};

/// Everything there is. One value, made at start, handed down to whoever acts.
pub(crate) struct Machine {
    pub(crate) info: Box<BootInfo>,
    pub(crate) header: ImageHeader,
    pub(crate) memory: PhysicalMemory,
    pub(crate) screen: Screen,
    pub(crate) keyboard: Keyboard,
    pub(crate) preferences: Preferences,
    pub(crate) settings: Tree,
    pub(crate) images: Images,
    pub(crate) drafts: Drafts,
    pub(crate) store: Store,
    pub(crate) vendor: Option<Vendor>,
    /// What was found of the vendor's stack, also if its card cannot be used.
    pub(crate) found: Option<Found>,
    /// A program has had the vendor's stack, and nobody knows what it has unloaded: there is no return into it.
    pub(crate) vendor_was_lent: bool,
    /// A call of the vendor's ROM did not come back before a card was found.
    pub(crate) vendor_hangs: bool,
    /// The interrupt controllers' masks when we came.
    pub(crate) found_masks: u16,
    /// The interrupt line of the vendor's card when we leave.
    pub(crate) line: Option<u8>,
    pub(crate) network: Option<Network>,
    pub(crate) editor: LineEdit,
    /// What was tried to boot, and what came of it.
    pub(crate) tried: Vec<(String, String)>,
    /// Ctrl-B asks for a shell now.
    pub(crate) shell_key: bool,
    last_window: Instant,
}

/// The longest time in which interrupts are not let in.
const WINDOW_INTERVAL: Duration = Duration::from_millis(40);

impl Machine {
    pub(crate) fn new(info: BootInfo, header: ImageHeader, memory: PhysicalMemory) -> Self {
        Self {
            info: Box::new(info),
            header,
            memory,
            screen: Screen::default(),
            keyboard: Keyboard::default(),
            preferences: Preferences::default(),
            settings: Tree::new(),
            images: Images::new(),
            drafts: Drafts::new(),
            store: Store::default(),
            vendor: None,
            found: None,
            vendor_was_lent: false,
            vendor_hangs: false,
            found_masks: hw::pic::masks(),
            line: None,
            network: None,
            editor: LineEdit::new(),
            tried: Vec::new(),
            shell_key: false,
            last_window: Instant::ZERO,
        }
    }

    /// One round of the loop: the network, the interrupt window, the keyboard. Bounded work; returns at `until` or
    /// earlier. This is where Ctrl-C is noticed, and nowhere else.
    pub(crate) fn round(&mut self, until: Instant) -> Result<Instant, Error> {
        let start = hw::clock::now();
        let until = until.min(start + ROUND);
        match &mut self.network {
            Some(network) => network.step(until),
            None if start < until => hw::interrupts::nap(),
            None => {}
        }
        let now = hw::clock::now();
        if now.since(self.last_window) >= WINDOW_INTERVAL {
            self.last_window = now;
            hw::interrupts::window();
        }
        self.obey_settings();
        self.keyboard.poll(now);
        let asks_for_shell = self.shell_key && self.keyboard.take_shell_key();
        if asks_for_shell || self.keyboard.take_interrupt() {
            return Err(CANCELLED.error());
        }
        Ok(now)
    }

    /// Runs the loop until `predicate` has an answer, or until `deadline`, when there is none.
    pub(crate) fn run_until<T>(
        &mut self,
        deadline: Instant,
        mut predicate: impl FnMut(&mut Self, Instant) -> Option<T>,
    ) -> Result<Option<T>, Error> {
        loop {
            let now = self.round(deadline)?;
            if let Some(answer) = predicate(self, now) {
                return Ok(Some(answer));
            }
            if now >= deadline {
                return Ok(None);
            }
        }
    }

    /// Waits for a key, with a line that says what for and how long. It is drawn only where a line begins, so that nothing
    /// that a script has printed is lost, and is taken away again.
    pub(crate) fn count_down(
        &mut self,
        text: &str,
        end: Instant,
        predicate: fn(&mut Self) -> Option<Key>,
    ) -> Result<Option<Key>, Error> {
        let mut countdown = Countdown::new(text, end);
        let is_shown = self.screen.begins_line();
        let result = self.run_until(end, |machine, now| {
            let line = countdown.update(now).filter(|_| is_shown);
            machine.screen.overwrite(&line.unwrap_or_default());
            predicate(machine)
        });
        if is_shown {
            self.screen.overwrite(&countdown.clear());
        }
        result
    }

    /// Notes what was tried and how it ended, for the table at the end.
    pub(crate) fn note(&mut self, what: impl Into<String>, result: impl Into<String>) {
        self.tried.push((what.into(), result.into()));
    }
}
