//! When to send again: RFC 6298, with jitter.

use base::{Duration, Instant};

const FIRST: Duration = Duration::from_millis(1000);
const SHORTEST: Duration = Duration::from_millis(50);
const LONGEST: Duration = Duration::from_secs(4);

/// The retransmission timer of one transfer.
pub(crate) struct Timer {
    /// Smoothed round-trip time and its variation in microseconds, once measured.
    measured: Option<(u64, u64)>,
    /// Waits since something last came that was new.
    pub(crate) retries: u8,
    /// When the packet left whose answer is to be measured; none after a repetition (Karn's rule).
    sent: Option<Instant>,
    /// When to send again.
    pub(crate) due: Instant,
    random: u32,
}

impl Timer {
    /// Due at once. `seed` makes the jitter of this machine differ from that of the others.
    pub(crate) fn new(seed: u32, now: Instant) -> Self {
        Self { measured: None, retries: 0, sent: None, due: now, random: seed | 1 }
    }

    /// Something new came: wait for the next of it.
    pub(crate) fn progress(&mut self, now: Instant) {
        if let Some(sent) = self.sent.take() {
            let sample = now.since(sent).as_micros();
            self.measured = Some(match self.measured {
                None => (sample, sample / 2),
                Some((smooth, variation)) => {
                    let variation = (variation / 4).saturating_mul(3) + smooth.abs_diff(sample) / 4;
                    ((smooth / 8).saturating_mul(7).saturating_add(sample / 8), variation)
                }
            });
        }
        self.retries = 0;
        self.wait(now);
    }

    /// A packet leaves that asks for something new.
    pub(crate) fn sent(&mut self, now: Instant) {
        self.sent = (self.retries == 0).then_some(now);
        self.wait(now);
    }

    fn wait(&mut self, now: Instant) {
        let time = match self.measured {
            None => FIRST,
            Some((smooth, variation)) => {
                Duration::from_micros(smooth.saturating_add(variation.saturating_mul(4))).max(SHORTEST)
            }
        };
        let time = time.times(1 << self.retries.min(7)).min(LONGEST);
        self.random ^= self.random << 13;
        self.random ^= self.random >> 17;
        self.random ^= self.random << 5;
        let jitter = time.as_micros() / 4 * u64::from(self.random >> 16) / 0x1_0000;
        self.due = now + time + Duration::from_micros(jitter);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wait(timer: &mut Timer, retries: u8) -> u64 {
        timer.retries = retries;
        timer.wait(Instant::ZERO);
        timer.due.as_micros()
    }

    #[test]
    fn waits_follow_the_round_trips() {
        let mut timer = Timer::new(7, Instant::ZERO);
        assert!((1_000_000..1_250_000).contains(&wait(&mut timer, 0)));
        timer.retries = 0;
        for i in 0..100 {
            let now = Instant::from_micros(i * 1_000_000);
            timer.sent(now);
            timer.progress(now + Duration::from_millis(200));
        }
        assert!((190_000..320_000).contains(&wait(&mut timer, 0)));
        assert!((390_000..640_000).contains(&wait(&mut timer, 1)));
        assert!((4_000_000..5_000_000).contains(&wait(&mut timer, 200)));
    }

    #[test]
    fn repeated_packets_are_not_measured() {
        let mut timer = Timer::new(7, Instant::ZERO);
        timer.retries = 1;
        timer.sent(Instant::ZERO);
        timer.progress(Instant::from_micros(10));
        assert_eq!(timer.measured, None);
    }
}
