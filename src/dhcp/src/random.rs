//! Numbers that spread retries and name exchanges. Nothing secret hangs on them.

use base::Duration;

/// A xorshift generator of 64 bits.
#[derive(Clone, Debug)]
pub(crate) struct Random(u64);

impl Random {
    pub(crate) fn new(seed: u64) -> Self {
        // Zero would stay zero; neighbouring seeds must not give neighbouring numbers.
        let mut random = Self(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1);
        for _ in 0..8 {
            random.next();
        }
        random
    }

    /// The next 32 bits, as bytes.
    pub(crate) fn next(&mut self) -> [u8; 4] {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        let [_, _, _, _, a, b, c, d] = self.0.to_le_bytes();
        [a, b, c, d]
    }

    /// A length of time between 80 % and 120 % of `mean`.
    pub(crate) fn around(&mut self, mean: Duration) -> Duration {
        let percent = 80 + u64::from(u32::from_le_bytes(self.next()) % 41);
        Duration::from_micros(mean.as_micros() / 100 * percent)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn jitter_stays_within_a_fifth_and_varies() {
        for seed in 0..50 {
            let mut random = Random::new(seed);
            let first = random.around(Duration::from_secs(10));
            let mut same = true;
            for _ in 0..50 {
                let length = random.around(Duration::from_secs(10));
                assert!((8_000..=12_000).contains(&length.as_millis()));
                same &= length == first;
            }
            assert!(!same);
        }
    }
}
