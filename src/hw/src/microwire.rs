//! The small serial memories with a Microwire bus (93C46, 93C56, 93C66) in which cards keep their addresses.
//!
//! Their four wires are bits of a register, which differs from card to card: a driver says how it sets and reads them.

use crate::device::Device;
use base::Duration;

/// Longer than each half of the slowest memory's clock.
const HALF_A_CLOCK: Duration = Duration::from_micros(3);
/// A start bit, and the two bits of READ.
const READ: [bool; 3] = [true, true, false];

/// The wires to the memory.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Wires {
    /// CS.
    pub is_selected: bool,
    /// SK.
    pub clock: bool,
    /// DI.
    pub data: bool,
}

/// How a card's driver reaches the memory.
#[derive(Clone, Copy, Debug)]
pub struct Microwire<D> {
    /// Sets the wires.
    pub set: fn(&mut D, Wires),
    /// Reads the wire that comes back, DO.
    pub get: fn(&D) -> bool,
}

impl<D: Device> Microwire<D> {
    /// Reads words of 16 bits from word `first` on; none if there is no memory.
    pub fn words<const N: usize>(&self, device: &mut D, first: u16) -> Option<[u16; N]> {
        let width = self.address_width(device)?;
        let mut words = [0; N];
        for (word, place) in words.iter_mut().zip(first..) {
            self.begin(device);
            for bit in (0..width).rev() {
                self.clock(device, place >> bit & 1 != 0);
            }
            for _ in 0..16 {
                *word = *word << 1 | u16::from(self.clock(device, false));
            }
        }
        self.end(device);
        Some(words)
    }

    /// How many bits an address has: the memory pulls its wire down with the last one. It is 6 or 8.
    fn address_width(&self, device: &mut D) -> Option<u16> {
        self.begin(device);
        let width = (1..=8).find(|_| !self.clock(device, false));
        self.end(device);
        width.filter(|width| *width >= 6)
    }

    fn begin(&self, device: &mut D) {
        self.end(device);
        for bit in READ {
            self.clock(device, bit);
        }
    }

    fn end(&self, device: &mut D) {
        (self.set)(device, Wires::default());
        device.wait(HALF_A_CLOCK);
    }

    /// One clock; what the memory says at its end.
    fn clock(&self, device: &mut D, data: bool) -> bool {
        for clock in [false, true, false] {
            (self.set)(device, Wires { is_selected: true, clock, data });
            device.wait(HALF_A_CLOCK);
        }
        (self.get)(device)
    }
}

/// A memory for the tests of drivers.
#[cfg(not(target_os = "none"))]
#[derive(Clone, Debug)]
pub struct HostMicrowire {
    /// What is in it: 64 words, or up to 256.
    pub words: alloc::vec::Vec<u16>,
    wires: Wires,
    /// The bits that came in since it was selected.
    bits: alloc::vec::Vec<bool>,
    output: bool,
}

#[cfg(not(target_os = "none"))]
impl HostMicrowire {
    /// A memory that begins with these words.
    pub fn new(words: &[u16], length: usize) -> Self {
        let mut words = words.to_vec();
        words.resize(length, 0);
        Self { words, wires: Wires::default(), bits: alloc::vec::Vec::new(), output: true }
    }

    /// What it says.
    pub fn output(&self) -> bool {
        self.output
    }

    /// The driver sets its wires.
    pub fn set(&mut self, wires: Wires) {
        if !wires.is_selected {
            self.bits.clear();
            self.output = true;
        } else if wires.clock && !self.wires.clock && (wires.data || !self.bits.is_empty()) {
            self.bits.push(wires.data);
            let width = if self.words.len() > 64 { 8 } else { 6 };
            let number = |bits: &[bool]| bits.iter().fold(0, |sum, bit| sum << 1 | usize::from(*bit));
            let address = self.bits.get(3..3 + width).map(number);
            self.output = match (self.bits.len() - 1).checked_sub(3 + width) {
                _ if self.bits.get(..3) != Some(&READ) => true,
                Some(bit @ 0..16) => {
                    let word = address.and_then(|address| self.words.get(address)).copied();
                    word.unwrap_or_default() >> (15 - bit) & 1 != 0
                }
                // The zero before the first bit.
                _ => address.is_none(),
            };
        }
        self.wires = wires;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::device::{Host, HostDevice};

    struct Card(Host, HostMicrowire);

    impl HostDevice for Card {
        fn host(&self) -> &Host {
            &self.0
        }

        fn host_mut(&mut self) -> &mut Host {
            &mut self.0
        }

        fn read(&self, _: u8, _: u32, _: usize) -> u32 {
            self.1.output().into()
        }

        fn write(&mut self, _: u8, _: u32, _: usize, value: u32) {
            self.1.set(Wires { is_selected: value & 1 != 0, clock: value & 2 != 0, data: value & 4 != 0 });
        }
    }

    const MICROWIRE: Microwire<Card> = Microwire {
        set: |card, wires| {
            let bits = [wires.is_selected, wires.clock, wires.data];
            card.write8(0, 0, bits.iter().rev().fold(0, |sum, bit| sum << 1 | u8::from(*bit)));
        },
        get: |card| card.read8(0, 0) & 1 != 0,
    };

    #[test]
    fn words_are_read_whatever_the_size() {
        for length in [64, 128, 256] {
            let words: alloc::vec::Vec<u16> =
                (0..length as u16).map(|word| word.wrapping_mul(40503)).collect();
            let mut card = Card(Host::default(), HostMicrowire::new(&words, length));
            assert_eq!(MICROWIRE.words(&mut card, 0), Some([0, 40503, 40503_u16.wrapping_mul(2)]));
            assert_eq!(MICROWIRE.words(&mut card, 62).as_ref(), words[62..].first_chunk::<2>());
        }
    }

    #[test]
    fn what_is_no_memory_is_told() {
        for lie in [0, 1] {
            let mut card = Card(Host::default(), HostMicrowire::new(&[], 64));
            card.0.lies.replace(alloc::vec![lie; 1000]);
            assert_eq!(MICROWIRE.words::<3>(&mut card, 0), None);
        }
    }
}
