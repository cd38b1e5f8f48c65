//! xz: LZMA2 in a container.
//!
//! Sources: "The .xz File Format" 1.2.1 (tukaani.org; section numbers are its), and the LZMA specification in the public
//! domain SDK (lzma-specification.txt) with the chunks of LZMA2. Of filters there is LZMA2 alone.

use super::{Unpacker, crc32, crc64};
use crate::bytes::{u8_at, u32_at, u64_at};
use crate::{digest, errors};
use alloc::boxed::Box;
use alloc::vec;
use base::ErrorKind;

/// What an xz file begins with (2.1.1.1).
pub(super) const MAGIC: &[u8] = b"\xfd7zXZ\0";
/// And its last stream ends with (2.1.2.4).
const FOOTER_MAGIC: &[u8] = b"YZ";
/// Bytes of the stream's header, with magic, and of its footer.
const ENVELOPE: usize = 12;
/// LZMA2's number among the filters (5.3.1).
const LZMA2: u64 = 0x21;
/// Of a block's header: how many filters more than one, sizes that are named, and what must be zero (3.1.2).
const SIZES: [u8; 2] = [0x40, 0x80];
const NOT_SIZES: u8 = 0x3f;
/// Bytes of what ends the chunks of LZMA2.
const END: usize = 1;

type Outcome<T> = Result<T, &'static ErrorKind>;

/// An xz file that is being unpacked.
pub struct Xz {
    lzma: Box<Lzma>,
    /// Bytes of the archive that are used up, and bytes that are unpacked.
    taken: usize,
    made: usize,
    /// The kind of check (2.1.1.2).
    check: u8,
    /// The block at hand.
    block: Option<Block>,
    /// Blocks that are done.
    blocks: u64,
}

/// A block: where its data and what is unpacked of it begin, what it says of its lengths, and its CRC so far.
struct Block {
    start: usize,
    first: usize,
    lengths: [Option<u64>; 2],
    sum: u64,
}

impl Xz {
    /// The file with these bytes.
    pub fn try_new(archive: &[u8]) -> Outcome<Self> {
        let flags = part(archive, MAGIC.len(), 2)?;
        let [zero, check] = *flags else { return Err(&errors::BAD_ARCHIVE) };
        if zero != 0 || check > 15 {
            return Err(&errors::FOREIGN_ARCHIVE);
        }
        if u32_at(part(archive, MAGIC.len() + 2, 4)?, 0) != crc32(0, flags) {
            return Err(&errors::WRONG_SUM);
        }
        let lzma = Box::new(Lzma::new());
        Ok(Self { lzma, taken: ENVELOPE, made: 0, check, block: None, blocks: 0 })
    }

    /// Begins a block (3.1).
    fn begin(&mut self, archive: &[u8]) -> Outcome<()> {
        let length = (usize::from(u8_at(part(archive, self.taken, 1)?, 0)) + 1) * 4;
        let header = part(archive, self.taken, length)?;
        let (header, sum) = header.split_at_checked(length - 4).unwrap_or_default();
        if u32_at(sum, 0) != crc32(0, header) {
            return Err(&errors::WRONG_SUM);
        }
        let flags = u8_at(header, 1);
        let mut place = 2;
        let mut lengths = [None; 2];
        for (length, flag) in lengths.iter_mut().zip(SIZES) {
            if flags & flag != 0 {
                *length = Some(number(header, &mut place)?);
            }
        }
        let filter = number(header, &mut place)?;
        if flags & NOT_SIZES != 0 || filter != LZMA2 {
            return Err(&errors::FOREIGN_ARCHIVE);
        }
        self.taken += length;
        self.lzma.begin();
        self.block = Some(Block { start: self.taken, first: self.made, lengths, sum: 0 });
        Ok(())
    }

    /// Ends the block at hand: its lengths, padding, and check (3.3, 3.4).
    fn end(&mut self, archive: &[u8], room: &[u8]) -> Outcome<()> {
        let Some(block) = &self.block else { return Ok(()) };
        let taken = self.taken + END;
        let lengths = [taken - block.start, self.made - block.first].map(|length| length as u64);
        if block.lengths.iter().zip(lengths).any(|(said, is)| said.is_some_and(|said| said != is)) {
            return Err(&errors::WRONG_SUM);
        }
        let taken = taken + (taken - block.start).wrapping_neg() % 4;
        // 2.1.1.2
        const LENGTHS: [usize; 6] = [0, 4, 8, 16, 32, 64];
        let length = LENGTHS.get(usize::from(self.check.div_ceil(3))).copied().unwrap_or(0);
        let check = part(archive, taken, length)?;
        let content = room.get(block.first..self.made).unwrap_or_default();
        let is_right = match self.check {
            1 => u64::from(u32_at(check, 0)) == block.sum,
            4 => u64_at(check, 0) == block.sum,
            10 => digest("sha256", content).is_some_and(|digest| digest == check),
            _ => true,
        };
        self.taken = taken + length;
        self.blocks += 1;
        self.block = None;
        if is_right { Ok(()) } else { Err(&errors::WRONG_SUM) }
    }

    /// What comes after all blocks: the index, which has to count them and what is in them, and the footer (4, 2.1.2).
    fn finish(&mut self, archive: &[u8]) -> Outcome<usize> {
        let index = archive.get(self.taken..).unwrap_or_default();
        let mut place = 1;
        let count = number(index, &mut place)?;
        let mut sum = 0_u64;
        if count != self.blocks {
            return Err(&errors::WRONG_SUM);
        }
        for _ in 0..count {
            number(index, &mut place)?;
            sum = sum.wrapping_add(number(index, &mut place)?);
        }
        place = place.next_multiple_of(4);
        let right = crc32(0, part(index, 0, place)?);
        let is_right = u32_at(part(index, place, 4)?, 0) == right && sum == self.made as u64;
        let footer = part(index, place + 4, ENVELOPE)?;
        if is_right && footer.ends_with(FOOTER_MAGIC) { Ok(self.made) } else { Err(&errors::WRONG_SUM) }
    }
}

impl Unpacker for Xz {
    /// A block's header, a chunk of LZMA2, or all that is behind the blocks. What comes behind the first stream,
    /// padding mostly, is let be.
    fn step(&mut self, archive: &[u8], room: &mut [u8]) -> Outcome<Option<usize>> {
        let Some(block) = &mut self.block else {
            if u8_at(part(archive, self.taken, 1)?, 0) == 0 {
                return self.finish(archive).map(Some);
            }
            return self.begin(archive).map(|()| None);
        };
        let before = self.made;
        let is_last = self.lzma.chunk(archive, &mut self.taken, room, &mut self.made)?;
        let new = room.get(before..self.made).unwrap_or_default();
        block.sum = match self.check {
            1 => crc32(u32::try_from(block.sum).unwrap_or(0), new).into(),
            4 => crc64(block.sum, new),
            _ => 0,
        };
        if is_last {
            self.end(archive, room)?;
        }
        Ok(None)
    }

    fn made(&self) -> usize {
        self.made
    }
}

/// So many bytes from there on.
fn part(bytes: &[u8], place: usize, length: usize) -> Outcome<&[u8]> {
    bytes.get(place..).and_then(|rest| rest.get(..length)).ok_or(&errors::SHORT_ARCHIVE)
}

/// A number of variable length (1.2).
fn number(bytes: &[u8], place: &mut usize) -> Outcome<u64> {
    let mut number = 0;
    for shift in (0..63).step_by(7) {
        let byte = u8_at(part(bytes, *place, 1)?, 0);
        *place += 1;
        number |= u64::from(byte & 0x7f) << shift;
        if byte & 0x80 == 0 {
            return Ok(number);
        }
    }
    Err(&errors::BAD_ARCHIVE)
}

/// Where the probabilities of each kind begin, by their names in the specification.
mod model {
    pub(super) const IS_MATCH: usize = 0;
    pub(super) const IS_REP: usize = IS_MATCH + (STATES << 4);
    pub(super) const IS_REP_G0: usize = IS_REP + STATES;
    pub(super) const IS_REP_G1: usize = IS_REP_G0 + STATES;
    pub(super) const IS_REP_G2: usize = IS_REP_G1 + STATES;
    pub(super) const IS_REP0_LONG: usize = IS_REP_G2 + STATES;
    pub(super) const POS_SLOT: usize = IS_REP0_LONG + (STATES << 4);
    pub(super) const POS_SPECIAL: usize = POS_SLOT + (4 << 6);
    pub(super) const ALIGN: usize = POS_SPECIAL + 1 + 128 - 14;
    pub(super) const LENGTH: usize = ALIGN + 16;
    pub(super) const REP_LENGTH: usize = LENGTH + LENGTHS;
    pub(super) const LITERAL: usize = REP_LENGTH + LENGTHS;
    /// Contexts of the literals, at most: in LZMA2, lc + lp is 4 at most.
    pub(super) const COUNT: usize = LITERAL + (0x300 << 4);
    const STATES: usize = 12;
    /// Two choices, two tables for each of 16 positions, and one for all.
    const LENGTHS: usize = 2 + 2 * (16 << 3) + 256;
}

/// A probability of one half.
const EVEN: u16 = 1 << 10;

/// The state of LZMA between chunks.
struct Lzma {
    probabilities: Box<[u16]>,
    state: usize,
    distances: [usize; 4],
    /// Bits of the literal before, and of the position, that choose a context.
    literal_context: usize,
    literal_position: usize,
    position: usize,
    /// What is unpacked from here on can be looked back at; none before a chunk has said so.
    window: Option<usize>,
    has_properties: bool,
}

impl Lzma {
    fn new() -> Self {
        Self {
            probabilities: vec![EVEN; model::COUNT].into(),
            state: 0,
            distances: [0; 4],
            literal_context: 0,
            literal_position: 0,
            position: 0,
            window: None,
            has_properties: false,
        }
    }

    /// A new block begins.
    fn begin(&mut self) {
        self.window = None;
        self.has_properties = false;
    }

    fn reset(&mut self) {
        self.probabilities.fill(EVEN);
        self.state = 0;
        self.distances = [0; 4];
    }

    /// Unpacks a chunk. Returns whether it is the last, which has nothing in it, and is not taken.
    fn chunk(
        &mut self,
        archive: &[u8],
        taken: &mut usize,
        room: &mut [u8],
        made: &mut usize,
    ) -> Outcome<bool> {
        const LAST: u8 = 0;
        const COPY_AND_FORGET: u8 = 1;
        const COPY: u8 = 2;
        let rest = archive.get(*taken..).unwrap_or_default();
        let control = u8_at(part(rest, 0, 1)?, 0);
        if control == LAST {
            return Ok(true);
        }
        // Big-endian lengths, less one.
        let length = |place: usize| -> Outcome<usize> {
            let [a, b] = *part(rest, place, 2)? else { return Err(&errors::SHORT_ARCHIVE) };
            Ok(usize::from(u16::from_be_bytes([a, b])) + 1)
        };
        let is_packed = control & 0x80 != 0;
        // 1: the state is forgotten, 2: the properties are new, 3: what was unpacked is forgotten.
        let forgets = if is_packed { control >> 5 & 3 } else { 0 };
        let mut unpacked = length(1)?;
        if is_packed {
            unpacked += usize::from(control & 0x1f) << 16;
        } else if control > COPY {
            return Err(&errors::BAD_ARCHIVE);
        }
        if forgets == 3 || control == COPY_AND_FORGET {
            self.window = Some(*made);
            self.has_properties = false;
        }
        let Some(window) = self.window else { return Err(&errors::BAD_ARCHIVE) };
        let end = *made + unpacked;
        if end > room.len() {
            return Err(&errors::LARGE_ARCHIVE);
        }
        if !is_packed {
            let source = part(rest, 3, unpacked)?;
            room.get_mut(*made..end).unwrap_or_default().copy_from_slice(source);
            *taken += 3 + unpacked;
            *made = end;
            return Ok(false);
        }
        let packed = length(3)?;
        let mut place = 5;
        if forgets >= 2 {
            let properties = usize::from(u8_at(part(rest, place, 1)?, 0));
            place += 1;
            self.literal_context = properties % 9;
            self.literal_position = properties / 9 % 5;
            self.position = properties / 45;
            self.has_properties = self.literal_context + self.literal_position <= 4 && self.position <= 4;
        }
        if !self.has_properties {
            return Err(&errors::BAD_ARCHIVE);
        }
        if forgets >= 1 {
            self.reset();
        }
        let mut output = Output { bytes: room.get_mut(window..end).unwrap_or_default(), at: *made - window };
        let mut coder = Coder::new(part(rest, place, packed)?);
        self.unpack(&mut coder, &mut output)?;
        *taken += place + packed;
        *made = end;
        Ok(false)
    }

    /// Unpacks until the output is full.
    fn unpack(&mut self, coder: &mut Coder<'_>, output: &mut Output<'_>) -> Outcome<()> {
        let mask = |bits: usize| (1_usize << bits) - 1;
        let (position_mask, literal_mask) = (mask(self.position), mask(self.literal_position));
        while output.at < output.bytes.len() {
            let position = output.at & position_mask;
            let [rep0, rep1, rep2, rep3] = self.distances;
            if !self.bit(coder, model::IS_MATCH + (self.state << 4) + position) {
                let before = output.back(0);
                let context = (output.at & literal_mask) << self.literal_context
                    | usize::from(before) >> (8 - self.literal_context);
                let matched = if self.state >= 7 { Some(output.back(rep0)) } else { None };
                let literal = self.literal(coder, model::LITERAL + 0x300 * context, matched);
                output.push(literal);
                self.state = match self.state {
                    0..4 => 0,
                    state @ 4..10 => state - 3,
                    state => state - 6,
                };
                continue;
            }
            let was_literal = self.state < 7;
            let length = if !self.bit(coder, model::IS_REP + self.state) {
                let length = self.length(coder, model::LENGTH, position);
                self.distances = [self.distance(coder, length), rep0, rep1, rep2];
                self.state = if was_literal { 7 } else { 10 };
                length
            } else if !self.bit(coder, model::IS_REP_G0 + self.state) {
                if self.bit(coder, model::IS_REP0_LONG + (self.state << 4) + position) {
                    self.again(coder, position, was_literal)
                } else {
                    self.state = if was_literal { 9 } else { 11 };
                    1
                }
            } else {
                self.distances = if !self.bit(coder, model::IS_REP_G1 + self.state) {
                    [rep1, rep0, rep2, rep3]
                } else if !self.bit(coder, model::IS_REP_G2 + self.state) {
                    [rep2, rep0, rep1, rep3]
                } else {
                    [rep3, rep0, rep1, rep2]
                };
                self.again(coder, position, was_literal)
            };
            let [distance, ..] = self.distances;
            output.repeat(distance, length)?;
        }
        // A chunk uses up all of its bytes, and nothing is left over.
        if coder.at == coder.input.len() && coder.code == 0 { Ok(()) } else { Err(&errors::BAD_ARCHIVE) }
    }

    /// The length of a match at a distance that was there before.
    fn again(&mut self, coder: &mut Coder<'_>, position: usize, was_literal: bool) -> usize {
        self.state = if was_literal { 8 } else { 11 };
        self.length(coder, model::REP_LENGTH, position)
    }

    fn bit(&mut self, coder: &mut Coder<'_>, index: usize) -> bool {
        self.probabilities.get_mut(index).is_some_and(|probability| coder.bit(probability))
    }

    /// A number of so many bits, the highest first, each with a context of all before.
    fn tree(&mut self, coder: &mut Coder<'_>, base: usize, bits: usize) -> usize {
        let mut node = 1;
        for _ in 0..bits {
            node = node << 1 | usize::from(self.bit(coder, base + node));
        }
        node - (1 << bits)
    }

    /// The same, the lowest bit first.
    fn reverse_tree(&mut self, coder: &mut Coder<'_>, base: usize, bits: usize) -> usize {
        let mut node = 1;
        let mut number = 0;
        for shift in 0..bits {
            let bit = usize::from(self.bit(coder, base + node));
            node = node << 1 | bit;
            number |= bit << shift;
        }
        number
    }

    /// A byte; after a match, the one that the match would go on with is part of the context.
    fn literal(&mut self, coder: &mut Coder<'_>, base: usize, matched: Option<u8>) -> u8 {
        let mut symbol = 1;
        let mut offset = if matched.is_some() { 0x100 } else { 0 };
        let mut matched = usize::from(matched.unwrap_or(0));
        while symbol < 0x100 {
            matched <<= 1;
            let expected = matched & offset;
            let bit = self.bit(coder, base + offset + expected + symbol);
            symbol = symbol << 1 | usize::from(bit);
            offset &= if bit { expected } else { !expected };
        }
        symbol.to_le_bytes()[0]
    }

    fn length(&mut self, coder: &mut Coder<'_>, base: usize, position: usize) -> usize {
        let tables = base + 2;
        if !self.bit(coder, base) {
            2 + self.tree(coder, tables + (position << 3), 3)
        } else if !self.bit(coder, base + 1) {
            10 + self.tree(coder, tables + (16 << 3) + (position << 3), 3)
        } else {
            18 + self.tree(coder, tables + 2 * (16 << 3), 8)
        }
    }

    /// A distance, less one.
    fn distance(&mut self, coder: &mut Coder<'_>, length: usize) -> usize {
        let slot = self.tree(coder, model::POS_SLOT + ((length - 2).min(3) << 6), 6);
        if slot < 4 {
            return slot;
        }
        let bits = (slot >> 1) - 1;
        let distance = (2 | slot & 1) << bits;
        if slot < 14 {
            return distance + self.reverse_tree(coder, model::POS_SPECIAL + distance - slot, bits);
        }
        distance + (coder.direct(bits - 4) << 4) + self.reverse_tree(coder, model::ALIGN, 4)
    }
}

/// The range decoder. Behind its input it reads zeros; whoever uses it looks at the end how much it has read.
struct Coder<'a> {
    input: &'a [u8],
    at: usize,
    range: u32,
    code: u32,
}

impl<'a> Coder<'a> {
    fn new(input: &'a [u8]) -> Self {
        let mut coder = Self { input, at: 0, range: u32::MAX, code: 0 };
        // The first byte is zero: it is shifted out.
        (0..5).for_each(|_| coder.code = coder.code << 8 | coder.next());
        coder
    }

    fn next(&mut self) -> u32 {
        let byte = u8_at(self.input, self.at);
        self.at += 1;
        byte.into()
    }

    fn normalise(&mut self) {
        if self.range < 1 << 24 {
            self.range <<= 8;
            self.code = self.code << 8 | self.next();
        }
    }

    fn bit(&mut self, probability: &mut u16) -> bool {
        let bound = (self.range >> 11) * u32::from(*probability);
        let bit = self.code >= bound;
        if bit {
            self.range -= bound;
            self.code -= bound;
            *probability -= *probability >> 5;
        } else {
            self.range = bound;
            *probability += ((1 << 11) - *probability) >> 5;
        }
        self.normalise();
        bit
    }

    /// A number of so many bits that are even.
    fn direct(&mut self, bits: usize) -> usize {
        let mut number = 0;
        for _ in 0..bits {
            self.range >>= 1;
            let bit = self.code >= self.range;
            if bit {
                self.code -= self.range;
            }
            number = number << 1 | usize::from(bit);
            self.normalise();
        }
        number
    }
}

/// What can be looked back at, and behind it the room for a chunk.
struct Output<'a> {
    bytes: &'a mut [u8],
    at: usize,
}

impl Output<'_> {
    /// The byte before the last `distance` ones; zero where there is none.
    fn back(&self, distance: usize) -> u8 {
        self.at.checked_sub(distance + 1).map_or(0, |place| u8_at(self.bytes, place))
    }

    fn push(&mut self, byte: u8) {
        if let Some(place) = self.bytes.get_mut(self.at) {
            *place = byte;
        }
        self.at += 1;
    }

    /// Repeats what was `distance` + 1 bytes before.
    fn repeat(&mut self, distance: usize, length: usize) -> Outcome<()> {
        if distance >= self.at || length > self.bytes.len() - self.at {
            return Err(&errors::BAD_ARCHIVE);
        }
        for _ in 0..length {
            self.push(self.back(distance));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::archive::tests::{unpack_in_pieces, unpack_with, unpacks};
    use alloc::vec::Vec;
    use proptest::prelude::*;

    const DEFAULT: &[u8] = include_bytes!("fixtures/default.xz");

    fn unpack(archive: &[u8], room: usize) -> Outcome<Vec<u8>> {
        unpack_with(&mut Xz::try_new(archive)?, archive, room)
    }

    #[test]
    fn files_as_xz_makes_them() {
        unpacks(Xz::try_new, DEFAULT, true);
        // CRC-32, several blocks, unusual contexts.
        unpacks(Xz::try_new, include_bytes!("fixtures/blocks.xz"), true);
        // SHA-256, and blocks that say how long they are.
        unpacks(Xz::try_new, include_bytes!("fixtures/sha256.xz"), true);
        unpacks(Xz::try_new, include_bytes!("fixtures/none.xz"), false);
    }

    #[test]
    fn nothing_is_unpacked_to_nothing() {
        // xz -c /dev/null
        let empty =
            b"\xfd7zXZ\0\0\x04\xe6\xd6\xb4\x46\0\0\0\0\x1c\xdf\x44\x21\x1f\xb6\xf3\x7d\x01\0\0\0\0\x04YZ";
        assert_eq!(unpack(empty, 0).unwrap(), b"");
    }

    #[test]
    fn what_is_not_understood_is_said() {
        let filtered = include_bytes!("fixtures/filtered.xz");
        assert_eq!(unpack(filtered, 9999).unwrap_err(), &errors::FOREIGN_ARCHIVE);
        let mut other = DEFAULT.to_vec();
        other[6] = 1;
        assert_eq!(unpack(&other, 9999).unwrap_err(), &errors::FOREIGN_ARCHIVE);
        other[6] = 0;
        other[8] ^= 1;
        assert_eq!(unpack(&other, 9999).unwrap_err(), &errors::WRONG_SUM);
        assert_eq!(unpack(&DEFAULT[..7], 9999).unwrap_err(), &errors::SHORT_ARCHIVE);
    }

    proptest! {
        #[test]
        fn any_chunks_are_survived(
            control in any::<u8>(),
            noise in prop::collection::vec(any::<u8>(), 0..300),
            room in 0usize..1000,
        ) {
            // Behind the headers of a good file, which ask for no check.
            let mut file = include_bytes!("fixtures/none.xz")[..24].to_vec();
            file.push(control);
            file.extend(noise);
            let unpacked = unpack(&file, room);
            prop_assert_eq!(&unpack_in_pieces(Xz::try_new, &file, room, (0..file.len()).step_by(9)), &unpacked);
            if let Ok(content) = unpacked {
                prop_assert!(content.len() <= room);
            }
        }
    }
}
