//! A small seeded generator (SplitMix64): the same seed gives the same network weather and the same files.

/// The generator.
#[derive(Clone, Debug)]
pub struct Random(u64);

impl Random {
    /// From a seed.
    pub const fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// The next 64 bits.
    pub fn next_bits(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// True with a chance of `permille` in 1000.
    pub fn chance(&mut self, permille: u16) -> bool {
        self.next_bits() % 1000 < u64::from(permille)
    }

    /// `length` bytes.
    pub fn bytes(&mut self, length: usize) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(length + 8);
        while bytes.len() < length {
            bytes.extend_from_slice(&self.next_bits().to_le_bytes());
        }
        bytes.truncate(length);
        bytes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_seed_gives_the_same_bytes() {
        assert_eq!(Random::new(7).bytes(1001), Random::new(7).bytes(1001));
        assert_ne!(Random::new(7).bytes(16), Random::new(8).bytes(16));
    }

    #[test]
    fn chances_are_about_right() {
        let mut random = Random::new(1);
        let hits = (0..100_000).filter(|_| random.chance(20)).count();
        assert!((1_700..2_300).contains(&hits), "{hits}");
    }
}
