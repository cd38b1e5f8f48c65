//! The packed form of a payload: an arithmetic code of its bits, by the guesses of the model.
//!
//! A bit that was guessed with probability p takes -log2 p bits. The code is a number between 0 and 1: each bit
//! narrows the interval in which it lies, the more the less it was expected. Of the interval the width is kept, in units
//! that get finer by 32 bits when it falls below 2 to the power of 32; the unpacker keeps how far the code lies above the
//! interval's low end, and the packer that end. The first four bytes are a checksum of what was packed.

use crate::model::{Memory, Model};
use alloc::vec::Vec;

/// Why a payload could not be unpacked: it is not what was packed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Damaged;

/// Unpacks `packed` into `output`, whose first `code_length` bytes are machine code.
#[inline(never)]
pub fn decode<const CONTEXTS: usize, const PAIRS: usize, const WAYS: usize>(
    packed: &[u8],
    output: &mut [u8],
    code_length: usize,
    memory: &mut Memory<CONTEXTS, PAIRS, WAYS>,
) -> Result<(), Damaged> {
    let (sum, packed) = packed.split_first_chunk().ok_or(Damaged)?;
    let mut packed = packed.iter();
    // The code has no more bytes than it needs; those that follow are 0.
    let mut next = || (0..4).fold(0, |word, _| word << 8 | packed.next().copied().map_or(0, u64::from));
    let mut width = u64::MAX;
    let mut above = next() << 32 | next();
    let mut model = Model::new(memory);
    for position in 0..output.len() {
        let (before, rest) = output.split_at_mut(position);
        let Some(byte) = rest.first_mut() else { break };
        *byte = model.byte(before, position <= code_length, |probability| {
            let ones = ones(width, probability);
            let bit = above < ones;
            if bit {
                width = ones;
            } else {
                width -= ones;
                above -= ones;
            }
            if width < FINER {
                width <<= 32;
                above = above << 32 | next();
            }
            bit
        });
    }
    if checksum(output) == u32::from_le_bytes(*sum) { Ok(()) } else { Err(Damaged) }
}

/// Packs `data`, whose first `code_length` bytes are machine code.
pub fn encode<const CONTEXTS: usize, const PAIRS: usize, const WAYS: usize>(
    data: &[u8],
    code_length: usize,
    memory: &mut Memory<CONTEXTS, PAIRS, WAYS>,
) -> Vec<u8> {
    let mut packed = checksum(data).to_le_bytes().to_vec();
    let mut width = u64::MAX;
    let mut low = 0;
    let mut model = Model::new(memory);
    for (position, byte) in data.iter().enumerate() {
        let mut bits = (0..8).rev().map(|place| byte >> place & 1 != 0);
        model.byte(data.get(..position).unwrap_or_default(), position <= code_length, |probability| {
            let bit = bits.next().unwrap_or(false);
            let ones = ones(width, probability);
            if bit {
                width = ones;
            } else {
                width -= ones;
                low = raise(&mut packed, low, ones);
            }
            if width < FINER {
                width <<= 32;
                packed.extend(low.to_be_bytes().iter().take(4));
                low <<= 32;
            }
            bit
        });
    }
    // Of all numbers in the interval, the one that needs the fewest bytes.
    let end = (0..=8_usize).find_map(|count| {
        let rest = u64::MAX.checked_shr(8 * u32::try_from(count).ok()?).unwrap_or(0);
        (rest < width).then_some((count, rest))
    });
    let (count, rest) = end.unwrap_or_default();
    let code = raise(&mut packed, low, rest) & !rest;
    packed.extend(code.to_be_bytes().iter().take(count));
    packed
}

/// Of an interval that is narrower, the units get finer.
const FINER: u64 = 1 << 32;

/// How much of an interval of this `width`, from its low end on, stands for a 1, which has this probability in 1/65536.
/// It is never all or nothing, as the interval is never narrower than [`FINER`].
#[inline(always)]
fn ones(width: u64, probability: u32) -> u64 {
    (width >> 16) * u64::from(probability)
}

/// The sum of `low` and `more`. What does not fit it is carried into the number `packed` whose end it is.
fn raise(packed: &mut [u8], low: u64, more: u64) -> u64 {
    let (sum, mut carry) = low.overflowing_add(more);
    for byte in packed.iter_mut().rev() {
        (*byte, carry) = byte.overflowing_add(carry.into());
        if !carry {
            break;
        }
    }
    sum
}

fn checksum(data: &[u8]) -> u32 {
    data.iter().fold(0, |sum, byte| mix(sum, (*byte).into()))
}

/// A number that depends on all bits of both, the upper ones most.
fn mix(one: u32, other: u32) -> u32 {
    let sum = one.wrapping_mul(0x2f0b_4c47).wrapping_add(other.wrapping_mul(0x9e37_79b1));
    (sum ^ sum >> 15).wrapping_mul(0x85eb_ca6b)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Dense;
    use alloc::vec;
    use zerocopy::FromZeros as _;

    fn packed(data: &[u8], code_length: usize) -> Vec<u8> {
        encode(data, code_length, &mut *Dense::new_box_zeroed().unwrap())
    }

    fn unpacked(packed: &[u8], length: usize, code_length: usize) -> Result<Vec<u8>, Damaged> {
        let mut output = vec![0; length];
        let mut memory = Dense::new_box_zeroed().unwrap();
        decode(packed, &mut output, code_length, &mut *memory).map(|()| output)
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
        for index in 0..packed.len() {
            assert_eq!(unpacked(&packed[..index], data.len(), 0), Err(Damaged), "{index}");
        }
        // Of the last byte, some bits may be of no importance.
        for index in 0..packed.len() - 1 {
            let mut damaged = packed.clone();
            damaged[index] ^= 0x10;
            assert_eq!(unpacked(&damaged, data.len(), 0), Err(Damaged), "{index}");
        }
    }

    #[test]
    fn a_carry_goes_as_far_as_it_must() {
        let mut packed = [1, 2, 0xff, 0xff];
        assert_eq!(raise(&mut packed, 5, 6), 11);
        assert_eq!(packed, [1, 2, 0xff, 0xff]);
        assert_eq!(raise(&mut packed, u64::MAX, 3), 2);
        assert_eq!(packed, [1, 3, 0, 0]);
    }

    #[test]
    fn nothing_is_packed_and_unpacked_too() {
        assert_eq!(unpacked(&packed(b"", 0), 0, 0), Ok(vec![]));
        assert_eq!(unpacked(b"", 0, 0), Err(Damaged));
    }
}
