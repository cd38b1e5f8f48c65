//! Keys, as they come from the BIOS.

use alloc::collections::VecDeque;
use base::{Duration, Instant};
use hw::bios::{self, BiosKey};

/// Keys that are kept until somebody wants them.
const CAPACITY: usize = 32;
/// How often the BIOS itself is asked: some put keys into their buffer only then.
const ASK_INTERVAL: Duration = Duration::from_millis(100);

pub(crate) const CTRL_B: u8 = 0x02;
pub(crate) const CTRL_C: u8 = 0x03;

/// The keys that were pressed and not taken yet.
#[derive(Debug, Default)]
pub(crate) struct Keyboard {
    keys: VecDeque<BiosKey>,
    next_question: Instant,
    interrupted: bool,
}

impl Keyboard {
    /// Collects what was pressed. Ctrl-C is not a key but a wish, see [`take_interrupt`](Self::take_interrupt).
    pub(crate) fn poll(&mut self, now: Instant) {
        if now >= self.next_question {
            self.next_question = now + ASK_INTERVAL;
            bios::ask_for_key();
        }
        while let Some(key) = bios::key() {
            if key.ascii == CTRL_C {
                self.interrupted = true;
                self.keys.clear();
            } else if self.keys.len() < CAPACITY {
                self.keys.push_back(key);
            }
        }
    }

    /// Whether there is a key to take.
    pub(crate) fn waits(&self) -> bool {
        !self.keys.is_empty()
    }

    /// The oldest key.
    pub(crate) fn take(&mut self) -> Option<BiosKey> {
        self.keys.pop_front()
    }

    /// Whether this key was pressed; if so, all keys are forgotten.
    pub(crate) fn take_if_pressed(&mut self, ascii: u8) -> bool {
        let pressed = self.keys.iter().any(|key| key.ascii == ascii);
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
