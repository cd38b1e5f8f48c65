//! Keys, as they come from the BIOS and from the serial line.

use alloc::vec::Vec;
use base::{Duration, Instant};
use console::{Key, Keymap, SerialKeys};
use hw::{bios, serial};

/// Keys that are kept until somebody wants them.
const CAPACITY: usize = 32;
/// How often the BIOS itself is asked: some put keys into their buffer only then.
const ASK_INTERVAL: Duration = Duration::from_millis(100);
/// A terminal sends the bytes of a key without a pause as long as this.
const PAUSE: Duration = Duration::from_millis(50);

const CTRL_B: Key = Key::Control(b'b');
const CTRL_C: Key = Key::Control(b'c');

/// The keys that were pressed and not taken yet.
#[derive(Debug, Default)]
pub(crate) struct Keyboard {
    pub(crate) keymap: Keymap,
    keys: Vec<Key>,
    next_question: Instant,
    serial: SerialKeys,
    /// When the last byte came from the serial line.
    last_byte: Instant,
    interrupted: bool,
    /// Keys are those of a program that runs under us: none is looked at.
    pub(crate) is_lent: bool,
}

impl Keyboard {
    /// Collects what was pressed. Ctrl-C is not a key but a wish, see [`take_interrupt`](Self::take_interrupt).
    pub(crate) fn poll(&mut self, now: Instant) {
        if self.is_lent {
            return;
        }
        if now >= self.next_question {
            self.next_question = now + ASK_INTERVAL;
            bios::ask_for_key();
        }
        while let Some(key) = bios::key() {
            self.add(self.keymap.key(key.scan_code, key.ascii, bios::is_alt_gr_down()));
        }
        // No more than a UART can hold: somebody may send without end.
        for byte in (0..16).map_while(|_| serial::read()) {
            self.last_byte = now;
            let key = self.serial.feed(byte);
            self.add(key);
        }
        if self.serial.is_waiting() && now.since(self.last_byte) >= PAUSE {
            let key = self.serial.flush();
            self.add(key);
        }
    }

    fn add(&mut self, key: Option<Key>) {
        if key == Some(CTRL_C) {
            self.interrupted = true;
            self.keys.clear();
        } else if let Some(key) = key
            && self.keys.len() < CAPACITY
        {
            self.keys.push(key);
        }
    }

    /// Whether there is a key to take.
    pub(crate) fn waits(&self) -> bool {
        !self.keys.is_empty()
    }

    /// The oldest key.
    pub(crate) fn take(&mut self) -> Option<Key> {
        (!self.keys.is_empty()).then(|| self.keys.remove(0))
    }

    /// Whether Ctrl-B was pressed; if so, all keys are forgotten.
    pub(crate) fn take_shell_key(&mut self) -> bool {
        let pressed = self.keys.contains(&CTRL_B);
        if pressed {
            self.keys.clear();
        }
        pressed
    }

    /// Whether Ctrl-C was pressed since the last question.
    pub(crate) fn take_interrupt(&mut self) -> bool {
        core::mem::take(&mut self.interrupted)
    }
}
