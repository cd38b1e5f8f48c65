//! The packed form of a payload: an arithmetic code of its bits, by the guesses of the model.
//!
//! A bit that was guessed with probability p takes -log2 p bits. The code is a number between 0 and 1: each bit
//! narrows the interval in which it lies, the more the less it was expected. Of the interval the two ends are kept, and
//! leading bytes in which they agree are settled. The first four bytes are a checksum of what was packed.

use crate::mix;
use crate::model::{Memory, Model};

/// Why a payload could not be unpacked: it is not what was packed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Damaged;

/// Unpacks `packed` into `output`, whose first `code_length` bytes are machine code.
#[inline(never)]
pub fn decode(
    packed: &[u8],
    output: &mut [u8],
    code_length: usize,
    memory: &mut Memory,
) -> Result<(), Damaged> {
    let (sum, packed) = packed.split_first_chunk().ok_or(Damaged)?;
    let mut packed = packed.iter();
    let mut interval = Interval::ALL;
    // The code has no more bytes than it needs; what follows is of no importance.
    let mut next = || packed.next().copied().map_or(0, u32::from);
    let mut value = 0;
    for _ in 0..4 {
        value = value << 8 | next();
    }
    let mut model = Model::new(memory);
    for position in 0..output.len() {
        let (before, rest) = output.split_at_mut(position);
        let Some(byte) = rest.first_mut() else { break };
        *byte = model.byte(before, position <= code_length, |probability| {
            let middle = interval.middle(probability);
            let bit = value <= middle;
            interval.narrow(middle, bit);
            while interval.settled().is_some() {
                value = value << 8 | next();
            }
            bit
        });
    }
    if checksum(output) == u32::from_le_bytes(*sum) { Ok(()) } else { Err(Damaged) }
}

/// Packs `data`, whose first `code_length` bytes are machine code, and passes the bytes to `emit`.
pub fn encode(data: &[u8], code_length: usize, memory: &mut Memory, mut emit: impl FnMut(u8)) {
    checksum(data).to_le_bytes().into_iter().for_each(&mut emit);
    let mut interval = Interval::ALL;
    let mut model = Model::new(memory);
    for (position, byte) in data.iter().enumerate() {
        let mut bits = (0..8).rev().map(|place| byte >> place & 1 != 0);
        model.byte(data.get(..position).unwrap_or_default(), position <= code_length, |probability| {
            let bit = bits.next().unwrap_or(false);
            interval.narrow(interval.middle(probability), bit);
            while let Some(byte) = interval.settled() {
                emit(byte);
            }
            bit
        });
    }
    interval.high.to_be_bytes().into_iter().for_each(emit);
}

/// Where the code may lie: between two numbers, both included, of which four bytes are not settled.
struct Interval {
    low: u32,
    high: u32,
}

impl Interval {
    const ALL: Self = Self { low: 0, high: u32::MAX };

    /// The last number that stands for a 1, which has this probability in 1/65536.
    fn middle(&self, probability: u32) -> u32 {
        let width = self.high - self.low;
        self.low + (width >> 16) * probability + (((width & 0xffff) * probability) >> 16)
    }

    fn narrow(&mut self, middle: u32, bit: bool) {
        if bit {
            self.high = middle;
        } else {
            self.low = middle + 1;
        }
    }

    /// Takes the first byte off if it is settled.
    fn settled(&mut self) -> Option<u8> {
        let [byte, ..] = self.low.to_be_bytes();
        let [other, ..] = self.high.to_be_bytes();
        (byte == other).then(|| {
            self.low <<= 8;
            self.high = self.high << 8 | 0xff;
            byte
        })
    }
}

fn checksum(data: &[u8]) -> u32 {
    data.iter().fold(0, |sum, byte| mix(sum, (*byte).into()))
}

#[cfg(test)]
mod tests {
    extern crate alloc;
    use super::*;
    use alloc::vec;
    use alloc::vec::Vec;
    use zerocopy::FromZeros as _;

    fn packed(data: &[u8], code_length: usize) -> Vec<u8> {
        let mut packed = Vec::new();
        let mut memory = Memory::new_box_zeroed().unwrap();
        encode(data, code_length, &mut memory, |byte| packed.push(byte));
        packed
    }

    fn unpacked(packed: &[u8], length: usize, code_length: usize) -> Result<Vec<u8>, Damaged> {
        let mut output = vec![0; length];
        let mut memory = Memory::new_box_zeroed().unwrap();
        decode(packed, &mut output, code_length, &mut memory).map(|()| output)
    }

    #[test]
    fn repetitions_take_almost_nothing() {
        let data: Vec<u8> = (0..=255).cycle().take(20_000).collect();
        let packed = packed(&data, 0);
        assert!(packed.len() < 800, "{}", packed.len());
        assert_eq!(unpacked(&packed, data.len(), 0), Ok(data));
    }

    #[test]
    fn senseless_bytes_take_hardly_more_than_themselves() {
        let mut state = 1_u32;
        let data: Vec<u8> = core::iter::repeat_with(|| {
            state = mix(state, 1);
            state.to_be_bytes()[0]
        })
        .take(20_000)
        .collect();
        let packed = packed(&data, 10_000);
        assert!(packed.len() < data.len() * 11 / 10, "{}", packed.len());
        assert_eq!(unpacked(&packed, data.len(), 10_000), Ok(data));
    }

    #[test]
    fn damage_is_noticed() {
        let data = b"It was the best of times, it was the worst of times.";
        let packed = packed(data, 0);
        assert_eq!(unpacked(&packed, data.len(), 0).as_deref(), Ok(&data[..]));
        for index in 0..packed.len() - 4 {
            let mut damaged = packed.clone();
            damaged[index] ^= 0x10;
            assert_eq!(unpacked(&damaged, data.len(), 0), Err(Damaged), "{index}");
            assert_eq!(unpacked(&packed[..index], data.len(), 0), Err(Damaged), "{index}");
        }
    }

    #[test]
    fn nothing_is_packed_and_unpacked_too() {
        assert_eq!(unpacked(&packed(b"", 0), 0, 0), Ok(vec![]));
        assert_eq!(unpacked(b"", 0, 0), Err(Damaged));
    }
}
