//! Lines that change while something goes on.

use crate::COLUMNS;
use crate::text::{push_size, shortened};
use alloc::string::String;
use base::{Duration, Instant};
use core::fmt::Write;

/// A line that is printed over itself. It remembers how long it was, and covers what is left over.
#[derive(Clone, Debug, Default)]
struct Line {
    length: usize,
}

impl Line {
    fn replace(&mut self, mut text: String) -> String {
        text.truncate(COLUMNS);
        let length = text.len();
        (length..self.length).for_each(|_| text.push(' '));
        self.length = length;
        text.insert(0, '\r');
        text
    }
}

/// How a transfer goes on: name, percent, size, rate and time left, on one line.
#[derive(Clone, Debug)]
pub struct Progress {
    name: String,
    started: Instant,
    drawn: Option<Instant>,
    /// What had come when the line was last drawn.
    received: u64,
    /// Bytes per second, smoothed; 0 until it is known.
    rate: u64,
    line: Line,
}

/// The least time between two drawings.
const INTERVAL: Duration = Duration::from_millis(250);
/// The columns that the name may take.
const NAME: usize = 32;

impl Progress {
    /// A transfer that begins now. `name` is for the user: an address without passwords.
    pub fn new(name: &str, now: Instant) -> Self {
        let name = shortened(name, NAME);
        Self { name, started: now, drawn: None, received: 0, rate: 0, line: Line::default() }
    }

    /// So many bytes are there, of `total` if that is known. Returns what to print, at most four times a second.
    pub fn update(&mut self, now: Instant, received: u64, total: Option<u64>) -> Option<String> {
        let since = now.since(self.drawn.unwrap_or(self.started));
        if self.drawn.is_some() && since < INTERVAL {
            return None;
        }
        if since >= INTERVAL {
            let latest = per_second(received.saturating_sub(self.received), since);
            self.rate = if self.rate == 0 {
                latest
            } else {
                (self.rate / 4).saturating_mul(3).saturating_add(latest / 4)
            };
        }
        self.drawn = Some(now);
        self.received = received;
        let mut out = self.name.clone();
        out.push_str("  ");
        if let Some(total) = total.filter(|total| *total > 0) {
            // Exact up to 2^57 bytes, which no memory holds.
            let percent = received.min(total).saturating_mul(100) / total;
            // Writing to a string cannot fail.
            let _ = write!(out, "{percent:3}%  ");
            push_size(&mut out, total);
        } else {
            push_size(&mut out, received);
        }
        if self.rate > 0 {
            out.push_str("  ");
            push_size(&mut out, self.rate);
            out.push_str("/s");
            if let Some(total) = total {
                let seconds = total.saturating_sub(received).div_ceil(self.rate);
                out.push_str("  ");
                push_time(&mut out, seconds);
                out.push_str(" left");
            }
        }
        Some(self.line.replace(out))
    }

    /// The transfer is complete. Returns the last state of the line, and a line feed.
    pub fn finish(&mut self, now: Instant, received: u64) -> String {
        let time = now.since(self.started);
        let mut out = self.name.clone();
        out.push_str("  ");
        push_size(&mut out, received);
        let _ = write!(out, " in {time}, ");
        push_size(&mut out, per_second(received, time));
        out.push_str("/s");
        let mut out = self.line.replace(out);
        out.push_str("\r\n");
        out
    }

    /// The transfer failed. Returns what ends the line, so that the reason can follow.
    pub fn abandon(&mut self) -> &'static str {
        if self.drawn.is_some() { "\r\n" } else { "" }
    }
}

fn per_second(bytes: u64, time: Duration) -> u64 {
    // Exact up to 2^44 bytes.
    bytes.saturating_mul(1_000_000) / time.as_micros().max(1)
}

/// `45 s`, `3 min 20 s`, `2 h 5 min`, `over a day`.
fn push_time(out: &mut String, seconds: u64) {
    let (minutes, hours) = (seconds / 60, seconds / 3600);
    let _ = match hours {
        0 if minutes == 0 => write!(out, "{seconds} s"),
        0 => write!(out, "{minutes} min {} s", seconds % 60),
        1..=23 => write!(out, "{hours} h {} min", minutes % 60),
        _ => write!(out, "over a day"),
    };
}

/// A line that says what is waited for, and counts the seconds down.
#[derive(Clone, Debug)]
pub struct Countdown {
    text: String,
    end: Instant,
    shown: Option<u64>,
    line: Line,
}

impl Countdown {
    /// Waits until `end` for what `text` says.
    pub fn new(text: &str, end: Instant) -> Self {
        Self { text: shortened(text, COLUMNS - 12), end, shown: None, line: Line::default() }
    }

    /// Whether the time is over.
    pub fn is_over(&self, now: Instant) -> bool {
        now >= self.end
    }

    /// What to print, if the seconds have changed.
    pub fn update(&mut self, now: Instant) -> Option<String> {
        let left = self.end.since(now).as_micros().div_ceil(1_000_000);
        if self.shown == Some(left) {
            return None;
        }
        self.shown = Some(left);
        let mut out = self.text.clone();
        let _ = write!(out, " {} s", left.min(999_999));
        Some(self.line.replace(out))
    }

    /// Takes the line off the screen.
    pub fn clear(&mut self) -> String {
        self.shown = None;
        let mut out = self.line.replace(String::new());
        out.push('\r');
        out
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn at(millis: u64) -> Instant {
        Instant::ZERO + Duration::from_millis(millis)
    }

    #[test]
    fn a_transfer_is_one_line() {
        let mut progress = Progress::new("http://boot.example/vmlinuz", at(0));
        let total = Some(8 << 20);
        assert_eq!(progress.update(at(0), 0, total).unwrap(), "\rhttp://boot.example/vmlinuz    0%  8.0 MiB");
        assert_eq!(progress.update(at(200), 1 << 20, total), None);
        assert_eq!(
            progress.update(at(1000), 2 << 20, total).unwrap(),
            "\rhttp://boot.example/vmlinuz   25%  8.0 MiB  2.0 MiB/s  3 s left"
        );
        let last = progress.finish(at(4000), 8 << 20);
        assert!(last.starts_with("\rhttp://boot.example/vmlinuz  8.0 MiB in 4.0 s, 2.0 MiB/s  "), "{last}");
        assert!(last.ends_with(" \r\n"));
    }

    #[test]
    fn an_unknown_length_shows_what_came() {
        let mut progress = Progress::new("x\x1b[2J", at(0));
        assert_eq!(progress.abandon(), "");
        assert_eq!(progress.update(at(500), 5 << 10, None).unwrap(), "\rx?[2J  5.0 KiB  10.0 KiB/s");
        assert_eq!(progress.abandon(), "\r\n");
    }

    #[test]
    fn seconds_are_counted_down() {
        let mut countdown = Countdown::new("Ctrl-B for a shell, else the next boot device in", at(10_000));
        assert_eq!(
            countdown.update(at(0)).unwrap(),
            "\rCtrl-B for a shell, else the next boot device in 10 s"
        );
        assert_eq!(countdown.update(at(500)), None);
        assert_eq!(
            countdown.update(at(1500)).unwrap(),
            "\rCtrl-B for a shell, else the next boot device in 9 s "
        );
        assert!(!countdown.is_over(at(9_999)) && countdown.is_over(at(10_000)));
        assert_eq!(countdown.clear().trim_matches('\r').trim(), "");
    }

    #[test]
    fn long_times_are_rounded() {
        for (seconds, text) in
            [(59, "59 s"), (200, "3 min 20 s"), (7500, "2 h 5 min"), (u64::MAX, "over a day")]
        {
            let mut out = String::new();
            push_time(&mut out, seconds);
            assert_eq!(out, text);
        }
    }

    proptest! {
        #[test]
        fn every_line_fits_and_covers_the_last(
            name in ".{0,80}",
            steps in proptest::collection::vec((any::<u64>(), any::<u64>(), any::<Option<u64>>()), 1..20),
        ) {
            let mut progress = Progress::new(&name, at(0));
            let mut before = 0;
            for (time, received, total) in steps {
                let Some(out) = progress.update(Instant::from_micros(time), received, total) else { continue };
                let text = out.strip_prefix('\r').unwrap();
                prop_assert!(text.len() <= COLUMNS && text.len() >= before);
                prop_assert!(text.bytes().all(|byte| (b' '..=b'~').contains(&byte)));
                before = text.trim_end().len();
            }
            prop_assert!(progress.finish(at(5), u64::MAX).len() <= COLUMNS + 3);
        }
    }
}
