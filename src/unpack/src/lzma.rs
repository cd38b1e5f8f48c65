//! A decoder of raw LZMA1 streams with lc = 3, lp = 0, pb = 0, without header or end marker.
//!
//! Written from the format's specification (lzma-specification.txt in the LZMA SDK, public domain).

/// Why a stream could not be decoded: it ends too early, or refers to what is not there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Damaged;

/// Bytes of scratch memory, as 16-bit words, that [`decode`] needs for its probabilities.
pub const PROBABILITIES: usize = LITERAL + (0x300 << LITERAL_CONTEXT_BITS);

/// Decodes `input` until `output` is full.
pub fn decode(
    input: &[u8],
    output: &mut [u8],
    probabilities: &mut [u16; PROBABILITIES],
) -> Result<(), Damaged> {
    probabilities.fill(HALF);
    let mut coder = Coder::new(input, probabilities)?;
    let mut state = 0;
    let mut distances = [0_usize; 4];
    let mut position = 0;

    while position < output.len() {
        if !coder.bit(IS_MATCH + state)? {
            let byte = literal(&mut coder, output, position, state, distances[0])?;
            *output.get_mut(position).ok_or(Damaged)? = byte;
            position += 1;
            state = match state {
                0..4 => 0,
                4..10 => state - 3,
                _ => state - 6,
            };
            continue;
        }
        let after_literal = state < 7;
        let length;
        if !coder.bit(IS_REPEAT + state)? {
            distances = [distances[0], distances[0], distances[1], distances[2]];
            length = coder.length(MATCH_LENGTH)?;
            distances[0] = distance(&mut coder, length)?;
            state = if after_literal { 7 } else { 10 };
        } else {
            let short = if !coder.bit(IS_REPEAT_0 + state)? {
                !coder.bit(IS_REPEAT_0_LONG + state)?
            } else {
                distances = if !coder.bit(IS_REPEAT_1 + state)? {
                    [distances[1], distances[0], distances[2], distances[3]]
                } else if !coder.bit(IS_REPEAT_2 + state)? {
                    [distances[2], distances[0], distances[1], distances[3]]
                } else {
                    [distances[3], distances[0], distances[1], distances[2]]
                };
                false
            };
            if short {
                length = 1;
                state = if after_literal { 9 } else { 11 };
            } else {
                length = coder.length(REPEAT_LENGTH)?;
                state = if after_literal { 8 } else { 11 };
            }
        }
        // One byte after the other: source and target overlap where the distance is shorter than the length.
        let back = distances[0] + 1;
        for _ in 0..length {
            let byte = *output.get(position.wrapping_sub(back)).ok_or(Damaged)?;
            *output.get_mut(position).ok_or(Damaged)? = byte;
            position += 1;
        }
    }
    Ok(())
}

fn literal(
    coder: &mut Coder<'_>,
    output: &[u8],
    position: usize,
    state: usize,
    distance: usize,
) -> Result<u8, Damaged> {
    let previous = output.get(position.wrapping_sub(1)).copied().unwrap_or(0);
    let base = LITERAL + 0x300 * usize::from(previous >> (8 - LITERAL_CONTEXT_BITS));
    let mut symbol = 1;
    if state >= 7 {
        let mut matched = usize::from(*output.get(position.wrapping_sub(distance + 1)).ok_or(Damaged)?);
        while symbol < 0x100 {
            matched <<= 1;
            let expected = matched & 0x100;
            let bit = usize::from(coder.bit(base + 0x100 + expected + symbol)?);
            symbol = symbol << 1 | bit;
            if expected != bit << 8 {
                break;
            }
        }
    }
    while symbol < 0x100 {
        symbol = symbol << 1 | usize::from(coder.bit(base + symbol)?);
    }
    Ok(symbol.to_le_bytes()[0])
}

fn distance(coder: &mut Coder<'_>, length: usize) -> Result<usize, Damaged> {
    let slot_table = DISTANCE_SLOT + (length - 2).min(3) * 64;
    let slot = coder.tree(slot_table, 6)?;
    if slot < 4 {
        return Ok(slot);
    }
    let bits = (slot >> 1) - 1;
    let base = (2 | slot & 1) << bits;
    if slot < 14 {
        return Ok(base + coder.reverse_tree(DISTANCE_SPECIAL + base - slot, bits)?);
    }
    let high = coder.direct(bits - 4)?;
    Ok(base + (high << 4) + coder.reverse_tree(DISTANCE_ALIGN, 4)?)
}

/// The range decoder with all its probabilities.
struct Coder<'a> {
    input: core::slice::Iter<'a, u8>,
    probabilities: &'a mut [u16; PROBABILITIES],
    range: u32,
    code: u32,
}

impl<'a> Coder<'a> {
    fn new(input: &'a [u8], probabilities: &'a mut [u16; PROBABILITIES]) -> Result<Self, Damaged> {
        let mut coder = Self { input: input.iter(), probabilities, range: u32::MAX, code: 0 };
        // The first byte is always zero.
        for _ in 0..5 {
            coder.shift()?;
        }
        Ok(coder)
    }

    fn shift(&mut self) -> Result<(), Damaged> {
        self.code = self.code << 8 | u32::from(*self.input.next().ok_or(Damaged)?);
        Ok(())
    }

    fn normalize(&mut self) -> Result<(), Damaged> {
        if self.range < 1 << 24 {
            self.range <<= 8;
            self.shift()?;
        }
        Ok(())
    }

    fn bit(&mut self, index: usize) -> Result<bool, Damaged> {
        self.normalize()?;
        let probability = self.probabilities.get_mut(index).ok_or(Damaged)?;
        let bound = (self.range >> PROBABILITY_BITS) * u32::from(*probability);
        if self.code < bound {
            self.range = bound;
            *probability += ((1 << PROBABILITY_BITS) - *probability) >> ADAPTATION_SHIFT;
            Ok(false)
        } else {
            self.range -= bound;
            self.code -= bound;
            *probability -= *probability >> ADAPTATION_SHIFT;
            Ok(true)
        }
    }

    fn direct(&mut self, count: usize) -> Result<usize, Damaged> {
        let mut value = 0;
        for _ in 0..count {
            self.normalize()?;
            self.range >>= 1;
            let bit = self.code >= self.range;
            if bit {
                self.code -= self.range;
            }
            value = value << 1 | usize::from(bit);
        }
        Ok(value)
    }

    fn tree(&mut self, table: usize, bits: usize) -> Result<usize, Damaged> {
        let mut symbol = 1;
        for _ in 0..bits {
            symbol = symbol << 1 | usize::from(self.bit(table + symbol)?);
        }
        Ok(symbol - (1 << bits))
    }

    fn reverse_tree(&mut self, table: usize, bits: usize) -> Result<usize, Damaged> {
        let mut symbol = 1;
        let mut value = 0;
        for place in 0..bits {
            let bit = usize::from(self.bit(table + symbol)?);
            symbol = symbol << 1 | bit;
            value |= bit << place;
        }
        Ok(value)
    }

    fn length(&mut self, table: usize) -> Result<usize, Damaged> {
        if !self.bit(table)? {
            Ok(2 + self.tree(table + LENGTH_LOW, 3)?)
        } else if !self.bit(table + 1)? {
            Ok(10 + self.tree(table + LENGTH_MIDDLE, 3)?)
        } else {
            Ok(18 + self.tree(table + LENGTH_HIGH, 8)?)
        }
    }
}

const LITERAL_CONTEXT_BITS: usize = 3;
const PROBABILITY_BITS: u32 = 11;
const ADAPTATION_SHIFT: u32 = 5;
const HALF: u16 = 1 << (PROBABILITY_BITS - 1);
const STATES: usize = 12;

// Where each table of probabilities begins. With pb = 0 there is one position state.
const IS_MATCH: usize = 0;
const IS_REPEAT: usize = IS_MATCH + STATES;
const IS_REPEAT_0: usize = IS_REPEAT + STATES;
const IS_REPEAT_1: usize = IS_REPEAT_0 + STATES;
const IS_REPEAT_2: usize = IS_REPEAT_1 + STATES;
const IS_REPEAT_0_LONG: usize = IS_REPEAT_2 + STATES;
const DISTANCE_SLOT: usize = IS_REPEAT_0_LONG + STATES;
const DISTANCE_SPECIAL: usize = DISTANCE_SLOT + 4 * 64;
const DISTANCE_ALIGN: usize = DISTANCE_SPECIAL + 128;
const MATCH_LENGTH: usize = DISTANCE_ALIGN + 16;
const REPEAT_LENGTH: usize = MATCH_LENGTH + LENGTH_TABLE;
const LITERAL: usize = REPEAT_LENGTH + LENGTH_TABLE;

const LENGTH_LOW: usize = 2;
const LENGTH_MIDDLE: usize = LENGTH_LOW + 8;
const LENGTH_HIGH: usize = LENGTH_MIDDLE + 8;
const LENGTH_TABLE: usize = LENGTH_HIGH + 256;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn short_and_senseless_streams_are_errors() {
        let mut probabilities = [0; PROBABILITIES];
        let mut output = [0; 64];
        assert_eq!(decode(&[], &mut output, &mut probabilities), Err(Damaged));
        // All ones decodes to matches before there is anything to match.
        assert_eq!(decode(&[0xff; 64], &mut output, &mut probabilities), Err(Damaged));
    }

    #[test]
    fn a_stream_of_zeros_is_a_stream_of_literal_zeros() {
        let mut probabilities = [0; PROBABILITIES];
        let mut output = [1; 64];
        assert_eq!(decode(&[0; 32], &mut output, &mut probabilities), Ok(()));
        assert_eq!(output, [0; 64]);
    }
}
