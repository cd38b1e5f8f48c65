//! What the machine has said so far, and waiting for what it should say.
//!
//! The emulated screen wraps lines at 80 columns and moves its cursor with escape sequences. So sequences are
//! stripped, and both the text and what is looked for are compared without any white space.

use crate::failure::{Failure, Result};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// Takes escape sequences and control characters out of a stream of bytes.
#[derive(Debug, Default)]
struct Stripper {
    state: Sequence,
}

#[derive(Debug, Default, PartialEq)]
enum Sequence {
    #[default]
    Outside,
    Escape,
    Parameters,
}

impl Stripper {
    /// The character that `byte` shows, if any.
    fn next(&mut self, byte: u8) -> Option<char> {
        match self.state {
            Sequence::Outside => match byte {
                0x1b => self.state = Sequence::Escape,
                b'\n' | b'\t' | b'\r' | 0x20..=0x7e => return Some(char::from(byte)),
                _ => {}
            },
            Sequence::Escape => {
                self.state = if byte == b'[' { Sequence::Parameters } else { Sequence::Outside };
            }
            Sequence::Parameters if (0x40..=0x7e).contains(&byte) => {
                self.state = Sequence::Outside;
                // Wherever the cursor goes, another line begins.
                return (byte == b'H').then_some('\n');
            }
            Sequence::Parameters => {}
        }
        None
    }
}

#[derive(Debug, Default)]
struct Said {
    stripper: Stripper,
    /// Readable, for reports.
    text: String,
    /// Without white space, for comparing.
    compact: String,
    ended: bool,
}

/// All that a machine has printed. One thread adds, others wait.
#[derive(Debug, Default)]
pub struct Transcript {
    said: Mutex<Said>,
    changed: Condvar,
}

fn compact(text: &str) -> String {
    text.chars().filter(|c| !c.is_whitespace()).collect()
}

impl Transcript {
    fn said(&self) -> MutexGuard<'_, Said> {
        self.said.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// More output.
    pub fn add(&self, bytes: &[u8]) {
        let said = &mut *self.said();
        for character in bytes.iter().filter_map(|&byte| said.stripper.next(byte)) {
            said.text.push(character);
            if !character.is_whitespace() {
                said.compact.push(character);
            }
        }
        self.changed.notify_all();
    }

    /// There will be no more output.
    pub fn end(&self) {
        self.said().ended = true;
        self.changed.notify_all();
    }

    /// The last `lines` lines, readable.
    pub fn tail(&self, lines: usize) -> String {
        tail(&self.said().text.replace('\r', ""), lines)
    }

    /// All lines as they were left, without blanks at their ends, readable: a carriage return begins one anew.
    pub fn lines(&self) -> Vec<String> {
        let left = |line: &str| line.trim_end().rsplit('\r').next().unwrap_or_default().to_owned();
        self.said().text.lines().map(left).collect()
    }

    /// How often `wanted` was said.
    pub fn count(&self, wanted: &str) -> usize {
        self.said().compact.matches(&compact(wanted)).count()
    }

    /// The text between `before` and `after`, without white space, where it was said first.
    pub fn between(&self, before: &str, after: &str) -> Option<String> {
        self.all_between(before, after).into_iter().next()
    }

    /// The same, wherever it was said.
    pub fn all_between(&self, before: &str, after: &str) -> Vec<String> {
        let (before, after) = (compact(before), compact(after));
        let said = self.said();
        let ends = said.compact.match_indices(&before).map(|(place, _)| place + before.len());
        ends.filter_map(|end| Some(said.compact.get(end..)?.split_once(&after)?.0.to_owned())).collect()
    }

    /// Waits until one of `wanted` is said at or after `from`; gives its index and the place behind it.
    /// One of `fatal`, the end of output, or the deadline is a failure. `fatal` is looked for from the beginning.
    pub fn wait(
        &self,
        from: usize,
        wanted: &[&str],
        fatal: &[&str],
        bound: Duration,
    ) -> Result<(usize, usize)> {
        let deadline = Instant::now() + bound;
        let wanted: Vec<String> = wanted.iter().map(|text| compact(text)).collect();
        let fatal: Vec<String> = fatal.iter().map(|text| compact(text)).collect();
        let mut said = self.said();
        loop {
            let fresh = said.compact.get(from..).unwrap_or_default();
            let hits = wanted.iter().enumerate();
            let hits = hits.filter_map(|(index, text)| Some((fresh.find(text.as_str())?, index, text.len())));
            if let Some((at, index, length)) = hits.min() {
                return Ok((index, from + at + length));
            }
            let failed = |why: &str| Failure(format!("expected {wanted:?}; {why}"));
            if let Some(text) = fatal.iter().find(|text| said.compact.contains(text.as_str())) {
                return Err(failed(&format!("the machine said {text:?}")));
            }
            if said.ended {
                return Err(failed("the machine ended"));
            }
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Err(failed(&format!("silence about it for {} s", bound.as_secs())));
            }
            said = self.changed.wait_timeout(said, left).unwrap_or_else(PoisonError::into_inner).0;
        }
    }
}

/// The last `lines` lines of a text that are not empty.
pub fn tail(text: &str, lines: usize) -> String {
    let all: Vec<&str> = text.lines().map(str::trim_end).filter(|line| !line.is_empty()).collect();
    all.get(all.len().saturating_sub(lines)..).unwrap_or_default().join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    const SOON: Duration = Duration::from_millis(20);

    #[test]
    fn sequences_and_wrapped_lines_do_not_matter() {
        let transcript = Transcript::default();
        transcript.add(b"\x1b[0;37mRIG-\x1b[2;1H\r\nMARK us");
        transcript.add(b"er\x1b");
        transcript.add(b"[Kspace-up\n");
        assert_eq!(transcript.wait(0, &["no", "RIG-MARK userspace-up"], &[], SOON), Ok((1, 20)));
        assert_eq!(transcript.tail(1), "MARK userspace-up");
    }

    #[test]
    fn lines_are_what_was_left_in_them() {
        let transcript = Transcript::default();
        transcript.add(b"UNDI_OPEN  \r           \rpassed  \r\n\r\na b\r\nlast");
        assert_eq!(transcript.lines(), ["passed", "", "a b", "last"]);
    }

    #[test]
    fn order_counts() {
        let transcript = Transcript::default();
        transcript.add(b"first second first");
        let (_, place) = transcript.wait(0, &["second"], &[], SOON).unwrap();
        assert_eq!(transcript.wait(place, &["first"], &[], SOON), Ok((0, 16)));
        assert!(transcript.wait(place, &["second"], &[], SOON).is_err());
        assert_eq!(transcript.count("first"), 2);
        assert_eq!(transcript.between("first", "first"), Some("second".to_owned()));
    }

    #[test]
    fn silence_fatal_words_and_the_end_are_failures() {
        let transcript = Transcript::default();
        assert!(transcript.wait(0, &["x"], &[], SOON).unwrap_err().0.contains("silence"));
        transcript.add(b"PANIC");
        assert!(transcript.wait(0, &["x"], &["PANIC"], SOON).unwrap_err().0.contains("PANIC"));
        transcript.end();
        assert!(transcript.wait(0, &["x"], &[], SOON).unwrap_err().0.contains("ended"));
    }
}
