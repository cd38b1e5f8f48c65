//! Zstandard.
//!
//! Source: RFC 8878; section numbers are its. The checksum is XXH64 (xxhash.com, "XXH64 algorithm description"). There are
//! no dictionaries.

use super::Unpacker;
use crate::bytes::{u8_at, u16_at, u32_at, u64_at};
use crate::errors;
use alloc::boxed::Box;
use alloc::vec;
use alloc::vec::Vec;
use base::ErrorKind;

/// What a frame begins with (3.1.1).
pub(super) const MAGIC: &[u8] = &[0x28, 0xb5, 0x2f, 0xfd];
/// And a frame that is passed over, in all but its lowest four bits (3.1.2).
const SKIPPABLE: u32 = 0x184d_2a50;
/// The most bytes that a block makes (3.1.1.2.4).
const BLOCK_LIMIT: usize = 128 << 10;

type Outcome<T> = Result<T, &'static ErrorKind>;

const BAD: &ErrorKind = &errors::BAD_ARCHIVE;

/// A zstd file that is being unpacked.
pub struct Zstd {
    /// Bytes of the archive that are used up, and bytes that are unpacked.
    taken: usize,
    made: usize,
    frame: Option<Frame>,
    tables: Box<Tables>,
}

/// A frame at hand: where what is in it begins, how much it says that is, and its sum.
struct Frame {
    start: usize,
    length: Option<u64>,
    sum: Option<Sum>,
    /// Whether all of its blocks are unpacked.
    is_over: bool,
}

/// What one block leaves to the next.
struct Tables {
    huffman: Option<Huffman>,
    sequences: [Option<Fse>; 3],
    offsets: [usize; 3],
    literals: Vec<u8>,
}

impl Zstd {
    /// A file with nothing taken from it yet.
    pub fn new() -> Self {
        let tables =
            Tables { huffman: None, sequences: [const { None }; 3], offsets: [0; 3], literals: Vec::new() };
        Self { taken: 0, made: 0, frame: None, tables: Box::new(tables) }
    }

    /// The next so many bytes.
    fn take<'a>(&mut self, archive: &'a [u8], length: usize) -> Outcome<&'a [u8]> {
        let part = part(archive, self.taken, length)?;
        self.taken += length;
        Ok(part)
    }

    /// Begins a frame (3.1.1.1) if there is `room` for what it says that is in it, or passes one over; false if there is
    /// none any more.
    fn begin(&mut self, archive: &[u8], room: usize) -> Outcome<bool> {
        const SINGLE_SEGMENT: u8 = 1 << 5;
        const RESERVED: u8 = 1 << 3;
        const CHECKSUM: u8 = 1 << 2;
        const DICTIONARY: u8 = 3;
        let Ok(magic) = part(archive, self.taken, 4) else {
            return if self.taken == 0 { Err(&errors::SHORT_ARCHIVE) } else { Ok(false) };
        };
        if u32_at(magic, 0) & !0xf == SKIPPABLE {
            let length = u32_at(part(archive, self.taken + 4, 4)?, 0);
            self.take(archive, 8)?;
            self.take(archive, usize::try_from(length).map_err(|_| BAD)?)?;
            return Ok(true);
        }
        // What comes behind the frames, padding mostly, is let be.
        if magic != MAGIC {
            return if self.taken == 0 { Err(BAD) } else { Ok(false) };
        }
        self.take(archive, 4)?;
        let flags = u8_at(self.take(archive, 1)?, 0);
        if flags & RESERVED != 0 || flags & DICTIONARY != 0 {
            return Err(&errors::FOREIGN_ARCHIVE);
        }
        let is_single = flags & SINGLE_SEGMENT != 0;
        if !is_single {
            // The window: what is unpacked is all there to look back at.
            self.take(archive, 1)?;
        }
        let length = match flags >> 6 {
            0 if !is_single => None,
            0 => Some(u64::from(u8_at(self.take(archive, 1)?, 0))),
            1 => Some(u64::from(u16_at(self.take(archive, 2)?, 0)) + 256),
            2 => Some(u64::from(u32_at(self.take(archive, 4)?, 0))),
            _ => Some(u64_at(self.take(archive, 8)?, 0)),
        };
        if length.is_some_and(|length| length > (room - self.made) as u64) {
            return Err(&errors::LARGE_ARCHIVE);
        }
        let sum = (flags & CHECKSUM != 0).then(|| Sum::new(self.made));
        self.frame = Some(Frame { start: self.made, length, sum, is_over: false });
        self.tables.huffman = None;
        self.tables.sequences = [const { None }; 3];
        self.tables.offsets = [1, 4, 8];
        Ok(true)
    }

    /// Unpacks a block (3.1.1.2) of the frame at hand, which begins at `start`.
    fn block(&mut self, archive: &[u8], room: &mut [u8], start: usize) -> Outcome<()> {
        let [a, b, c] = *self.take(archive, 3)? else { return Err(BAD) };
        let header = u32::from_le_bytes([a, b, c, 0]);
        let length = usize::try_from(header >> 3).map_err(|_| BAD)?;
        if length > BLOCK_LIMIT {
            return Err(BAD);
        }
        let frame = room.get_mut(start..).unwrap_or_default();
        let mut output = Output { bytes: frame, at: self.made - start };
        match header >> 1 & 3 {
            0 => output.append(self.take(archive, length)?)?,
            1 => {
                let byte = u8_at(self.take(archive, 1)?, 0);
                output.reserve(length)?.fill(byte);
            }
            2 => {
                let end = output.at + BLOCK_LIMIT;
                let packed = self.take(archive, length)?;
                self.tables.block(packed, &mut output)?;
                if output.at > end {
                    return Err(BAD);
                }
            }
            _ => return Err(BAD),
        }
        self.made = start + output.at;
        if let Some(frame) = &mut self.frame {
            frame.is_over = header & 1 != 0;
            if let Some(sum) = &mut frame.sum {
                sum.update(room.get(..self.made).unwrap_or_default());
            }
        }
        Ok(())
    }

    /// Ends the frame at hand: its length and its checksum.
    fn end(&mut self, archive: &[u8], room: &[u8]) -> Outcome<()> {
        let Some(frame) = &self.frame else { return Ok(()) };
        let length = (self.made - frame.start) as u64;
        let mut is_right = frame.length.is_none_or(|said| said == length);
        if let Some(sum) = &frame.sum {
            is_right &= u32_at(part(archive, self.taken, 4)?, 0) == sum.finish(room, self.made, frame.start);
            self.taken += 4;
        }
        self.frame = None;
        if is_right { Ok(()) } else { Err(&errors::WRONG_SUM) }
    }
}

impl Default for Zstd {
    fn default() -> Self {
        Self::new()
    }
}

impl Unpacker for Zstd {
    /// A frame's header, a block, or a frame's end.
    fn step(&mut self, archive: &[u8], room: &mut [u8]) -> Outcome<Option<usize>> {
        let taken = self.taken;
        let step = match &self.frame {
            None => self.begin(archive, room.len()).map(|is_there| (!is_there).then_some(self.made)),
            Some(Frame { is_over: true, .. }) => self.end(archive, room).map(|()| None),
            Some(Frame { start, .. }) => self.block(archive, room, *start).map(|()| None),
        };
        if step.is_err() {
            self.taken = taken;
        }
        step
    }

    fn made(&self) -> usize {
        self.made
    }
}

fn part(bytes: &[u8], place: usize, length: usize) -> Outcome<&[u8]> {
    bytes.get(place..).and_then(|rest| rest.get(..length)).ok_or(&errors::SHORT_ARCHIVE)
}

/// The same inside of a block, whose bytes are all there.
fn piece<'a>(bytes: &mut &'a [u8], length: usize) -> Outcome<&'a [u8]> {
    let (piece, rest) = bytes.split_at_checked(length).ok_or(BAD)?;
    *bytes = rest;
    Ok(piece)
}

fn byte(bytes: &mut &[u8]) -> Outcome<usize> {
    Ok(u8_at(piece(bytes, 1)?, 0).into())
}

/// The eight bytes from there on as a number, with zeros behind the end.
fn word(bytes: &[u8], place: usize) -> u64 {
    let rest = bytes.get(place..).unwrap_or_default();
    if let Some(word) = rest.first_chunk() {
        return u64::from_le_bytes(*word);
    }
    rest.iter().rev().fold(0, |word, byte| word << 8 | u64::from(*byte))
}

/// The codes of lengths above those that stand for themselves: how many more bits follow (3.1.1.3.2.1.1). Each begins
/// where the one before ends.
const LITERAL_BITS: [u8; 20] = [1, 1, 1, 1, 2, 2, 3, 3, 4, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16];
const MATCH_BITS: [u8; 21] = [1, 1, 1, 1, 2, 2, 3, 3, 4, 4, 5, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16];
/// The codes that stand for themselves.
const LITERAL_CODES: usize = 16;
const MATCH_CODES: usize = 32;
const SHORTEST_MATCH: usize = 3;

/// The tables of literals' lengths, offsets and matches' lengths: the accuracy and the numbers of symbols that there may
/// be, and the distribution where the file has none (3.1.1.3.2.2).
const KINDS: [(u32, usize, u32, &[i16]); 3] = [
    (
        9,
        36,
        6,
        &[
            4, 3, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 1, 1, 1, 2, 2, 2, 2, 2, 2, 2, 2, 2, 3, 2, 1, 1, 1, 1, 1,
            -1, -1, -1, -1,
        ],
    ),
    (8, 32, 5, &[1, 1, 1, 1, 1, 1, 2, 2, 2, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, -1, -1, -1, -1, -1]),
    (
        9,
        53,
        6,
        &[
            1, 4, 3, 2, 2, 2, 2, 2, 2, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1,
            1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, -1, -1, -1, -1, -1, -1, -1,
        ],
    ),
];

impl Tables {
    /// Unpacks a block that is compressed: literals, then what is put between them (3.1.1.3).
    fn block(&mut self, mut rest: &[u8], output: &mut Output<'_>) -> Outcome<()> {
        self.literals(&mut rest)?;
        let count = match byte(&mut rest)? {
            count @ 0..128 => count,
            high @ 128..255 => (high - 128) << 8 | byte(&mut rest)?,
            _ => usize::from(u16_at(piece(&mut rest, 2)?, 0)) + 0x7f00,
        };
        if count == 0 {
            return output.append(&self.literals);
        }
        let modes = byte(&mut rest)?;
        if modes & 3 != 0 {
            return Err(BAD);
        }
        for ((table, kind), shift) in self.sequences.iter_mut().zip(KINDS).zip([6, 4, 2]) {
            let (accuracy, symbols, usual_accuracy, usual) = kind;
            match modes >> shift & 3 {
                0 => *table = Some(Fse::new(usual_accuracy, usual)?),
                1 => *table = Some(Fse::single(byte(&mut rest)?, symbols)?),
                2 => *table = Some(Fse::read(&mut rest, accuracy, symbols)?),
                _ => {}
            }
        }
        let [Some(literals), Some(offsets), Some(matches)] = &self.sequences else { return Err(BAD) };
        let mut bits = Backward::new(rest)?;
        let mut states = [literals, offsets, matches].map(|table| bits.read(table.accuracy));
        let mut rest = self.literals.as_slice();
        for number in 0..count {
            let [literal, offset, length] =
                [literals.symbol(states[0]), offsets.symbol(states[1]), matches.symbol(states[2])];
            let offset = (1 << offset) + bits.read(u32::from(offset));
            let length = SHORTEST_MATCH + lengthen(length, MATCH_CODES, &MATCH_BITS, &mut bits);
            let literal = lengthen(literal, LITERAL_CODES, &LITERAL_BITS, &mut bits);
            if number + 1 < count {
                states[0] = literals.next(states[0], &mut bits);
                states[2] = matches.next(states[2], &mut bits);
                states[1] = offsets.next(states[1], &mut bits);
            }
            let distance = back(&mut self.offsets, offset, literal == 0);
            output.append(piece(&mut rest, literal)?)?;
            output.repeat(distance, length)?;
        }
        bits.end()?;
        output.append(rest)
    }

    /// Unpacks the literals (3.1.1.3.1).
    fn literals(&mut self, rest: &mut &[u8]) -> Outcome<()> {
        let first = u8_at(rest, 0);
        let (kind, format) = (first & 3, first >> 2 & 3);
        let is_packed = kind >= 2;
        // Bytes of the header, and bits of each length in it.
        let (header, width) = match (is_packed, format) {
            (false, 0 | 2) => (1, 5),
            (false, 1) => (2, 12),
            (false, _) => (3, 20),
            (true, 0 | 1) => (3, 10),
            (true, 2) => (4, 14),
            (true, _) => (5, 18),
        };
        let bits = word(piece(rest, header)?, 0) >> if width == 5 { 3 } else { 4 };
        let number = |value: u64| usize::try_from(value & ((1 << width) - 1)).unwrap_or(0);
        let length = number(bits);
        if length > BLOCK_LIMIT {
            return Err(BAD);
        }
        self.literals.clear();
        match kind {
            0 => self.literals.extend_from_slice(piece(rest, length)?),
            1 => self.literals.resize(length, u8_at(piece(rest, 1)?, 0)),
            _ => {
                let mut packed = piece(rest, number(bits >> width))?;
                if kind == 2 {
                    self.huffman = Some(Huffman::read(&mut packed)?);
                }
                let huffman = self.huffman.as_ref().ok_or(BAD)?;
                if format == 0 {
                    return huffman.unpack(packed, length, &mut self.literals);
                }
                let lengths = piece(&mut packed, 6)?;
                let quarter = length.div_ceil(4);
                for place in [0, 2, 4] {
                    let stream = piece(&mut packed, u16_at(lengths, place).into())?;
                    huffman.unpack(stream, quarter, &mut self.literals)?;
                }
                let last = length.checked_sub(3 * quarter).ok_or(BAD)?;
                huffman.unpack(packed, last, &mut self.literals)?;
            }
        }
        Ok(())
    }
}

/// The length that a code and the bits behind it stand for.
fn lengthen(code: u8, own: usize, more: &[u8], bits: &mut Backward<'_>) -> usize {
    let code = usize::from(code);
    let Some(number) = code.checked_sub(own) else { return code };
    let before: usize = more.iter().take(number).map(|bits| 1 << bits).sum();
    own + before + bits.read(more.get(number).copied().unwrap_or(0).into())
}

/// The distance that an offset stands for: one of the last three, or its own (3.1.1.5).
fn back(last: &mut [usize; 3], offset: usize, no_literals: bool) -> usize {
    let [first, second, third] = *last;
    let distance = match offset - 1 + usize::from(no_literals && offset <= 3) {
        0 => return first,
        1 => {
            *last = [second, first, third];
            return second;
        }
        2 => third,
        3 if offset == 3 => first.wrapping_sub(1),
        _ => offset - 3,
    };
    *last = [distance, first, second];
    distance
}

/// Bits that are read from the last to the first (4.1). Before the first one there are zeros; whoever uses it looks at the
/// end how many were read.
struct Backward<'a> {
    bytes: &'a [u8],
    /// Bits that are left; below zero, how many more were read.
    left: isize,
}

impl<'a> Backward<'a> {
    fn new(bytes: &'a [u8]) -> Outcome<Self> {
        // The highest bit that is set says where they begin.
        let last = bytes.last().copied().filter(|last| *last != 0).ok_or(BAD)?;
        let left = bytes.len() * 8 - 1 - last.leading_zeros() as usize;
        Ok(Self { bytes, left: left.cast_signed() })
    }

    /// The next bits, at most 32, without taking them.
    fn peek(&self, count: u32) -> usize {
        let low = self.left - count as isize;
        let place = low.max(0).cast_unsigned();
        let missing = (place.cast_signed() - low).cast_unsigned();
        if missing >= count as usize {
            return 0;
        }
        let bits = word(self.bytes, place / 8) >> (place % 8) & ((1 << (count as usize - missing)) - 1);
        usize::try_from(bits << missing).unwrap_or(0)
    }

    fn read(&mut self, count: u32) -> usize {
        let bits = self.peek(count);
        self.left -= count as isize;
        bits
    }

    /// All were read, and none more.
    fn end(&self) -> Outcome<()> {
        if self.left == 0 { Ok(()) } else { Err(BAD) }
    }
}

/// A table of finite state entropy (4.1): for each state its symbol, the bits to read, and what to add to them.
struct Fse {
    accuracy: u32,
    states: Vec<(u8, u8, u16)>,
}

impl Fse {
    /// A table in which each symbol has so many states; less than none is one, at the end.
    fn new(accuracy: u32, distribution: &[i16]) -> Outcome<Self> {
        let size = 1_usize << accuracy;
        let mut states = vec![(0, 0, 0); size];
        let mut high = size;
        for (symbol, _) in (0..).zip(distribution).filter(|(_, count)| **count < 0) {
            high = high.checked_sub(1).ok_or(BAD)?;
            states.get_mut(high).ok_or(BAD)?.0 = symbol;
        }
        let step = (size >> 1) + (size >> 3) + 3;
        let mut place = 0;
        for (symbol, count) in (0..).zip(distribution) {
            for _ in 0..*count {
                states.get_mut(place).ok_or(BAD)?.0 = symbol;
                place = (place + step) & (size - 1);
                while place >= high && high != 0 {
                    place = (place + step) & (size - 1);
                }
            }
        }
        let mut next: Vec<usize> = distribution.iter().map(|count| count.unsigned_abs().into()).collect();
        for (symbol, bits, base) in &mut states {
            let next = next.get_mut(usize::from(*symbol)).ok_or(BAD)?;
            let count = accuracy.checked_sub(next.checked_ilog2().ok_or(BAD)?).ok_or(BAD)?;
            *bits = u8::try_from(count).map_err(|_| BAD)?;
            *base = u16::try_from((*next << count).checked_sub(size).ok_or(BAD)?).map_err(|_| BAD)?;
            *next += 1;
        }
        Ok(Self { accuracy, states })
    }

    /// A table of one symbol.
    fn single(symbol: usize, symbols: usize) -> Outcome<Self> {
        let symbol = u8::try_from(symbol).ok().filter(|_| symbol < symbols).ok_or(BAD)?;
        Ok(Self { accuracy: 0, states: vec![(symbol, 0, 0)] })
    }

    /// A table as a file describes it (4.1.1).
    fn read(rest: &mut &[u8], limit: u32, symbols: usize) -> Outcome<Self> {
        let mut place = 0;
        let mut take = |count: u32| {
            let bits = word(rest, place / 8) >> (place % 8) & ((1 << count) - 1);
            place += count as usize;
            i32::try_from(bits).unwrap_or(0)
        };
        let accuracy = take(4).unsigned_abs() + 5;
        if accuracy > limit {
            return Err(BAD);
        }
        let mut left = 1 << accuracy;
        let mut distribution = Vec::new();
        while left > 0 {
            if distribution.len() >= symbols {
                return Err(BAD);
            }
            // Small numbers have a bit less.
            let bits = (left + 1_i32).ilog2();
            let small = (2 << bits) - 1 - (left + 1);
            let mut value = take(bits);
            if value >= small {
                value |= take(1) << bits;
                if value >= 1 << bits {
                    value -= small;
                }
            }
            let count = i16::try_from(value - 1).map_err(|_| BAD)?;
            left -= i32::from(count.unsigned_abs());
            distribution.push(count);
            if count == 0 {
                loop {
                    let more = take(2);
                    let length = distribution.len() + more.unsigned_abs() as usize;
                    if length > symbols {
                        return Err(BAD);
                    }
                    distribution.resize(length, 0);
                    if more != 3 {
                        break;
                    }
                }
            }
        }
        piece(rest, place.div_ceil(8))?;
        if left == 0 { Self::new(accuracy, &distribution) } else { Err(BAD) }
    }

    fn symbol(&self, state: usize) -> u8 {
        self.states.get(state).map_or(0, |(symbol, ..)| *symbol)
    }

    fn next(&self, state: usize, bits: &mut Backward<'_>) -> usize {
        let (_, count, base) = self.states.get(state).copied().unwrap_or_default();
        usize::from(base) + bits.read(count.into())
    }
}

/// A table of a Huffman code (4.2): for so many bits, the symbol that they begin with and the bits of it.
struct Huffman {
    bits: u32,
    entries: Vec<(u8, u8)>,
}

impl Huffman {
    /// A table as a file describes it, by the weights of its symbols (4.2.1).
    fn read(rest: &mut &[u8]) -> Outcome<Self> {
        const LONGEST: u32 = 11;
        const SYMBOLS: usize = 255;
        let mut weights = Vec::new();
        let first = byte(rest)?;
        if let Some(count) = first.checked_sub(127) {
            let packed = piece(rest, count.div_ceil(2))?;
            weights.extend(packed.iter().flat_map(|pair| [pair >> 4, pair & 0xf]));
            weights.truncate(count);
        } else {
            let mut packed = piece(rest, first)?;
            let table = Fse::read(&mut packed, 6, 13)?;
            let mut bits = Backward::new(packed)?;
            let mut states = [bits.read(table.accuracy), bits.read(table.accuracy)];
            loop {
                let [state, other] = states;
                if weights.len() >= SYMBOLS {
                    return Err(BAD);
                }
                weights.push(table.symbol(state));
                let next = table.next(state, &mut bits);
                if bits.left < 0 {
                    weights.push(table.symbol(other));
                    break;
                }
                states = [other, next];
            }
        }
        if weights.iter().any(|weight| u32::from(*weight) > LONGEST) {
            return Err(BAD);
        }
        // The last weight is what the others leave.
        let sum: usize = weights.iter().filter(|weight| **weight != 0).map(|weight| 1 << (weight - 1)).sum();
        let bits = sum.checked_ilog2().ok_or(BAD)? + 1;
        let last = (1 << bits) - sum;
        if bits > LONGEST || !last.is_power_of_two() || weights.len() > SYMBOLS {
            return Err(BAD);
        }
        weights.push((last.ilog2() + 1).to_le_bytes()[0]);
        // By weight, and then by symbol, each has as many entries as its weight stands for.
        let mut entries = Vec::new();
        for weight in 1..=weights.iter().copied().max().unwrap_or(0) {
            let length = (bits + 1).to_le_bytes()[0].checked_sub(weight).ok_or(BAD)?;
            for (symbol, _) in (0..=u8::MAX).zip(&weights).filter(|(_, other)| **other == weight) {
                entries.resize(entries.len() + (1 << (weight - 1)), (symbol, length));
            }
        }
        Ok(Self { bits, entries })
    }

    /// Adds so many symbols of a stream (4.2.2).
    fn unpack(&self, stream: &[u8], count: usize, to: &mut Vec<u8>) -> Outcome<()> {
        let mut bits = Backward::new(stream)?;
        for _ in 0..count {
            let (symbol, length) = self.entries.get(bits.peek(self.bits)).copied().ok_or(BAD)?;
            bits.left -= isize::from(length);
            to.push(symbol);
        }
        bits.end()
    }
}

/// What is in a frame, and room behind it.
struct Output<'a> {
    bytes: &'a mut [u8],
    at: usize,
}

impl Output<'_> {
    /// The next so many bytes, to be filled.
    fn reserve(&mut self, length: usize) -> Outcome<&mut [u8]> {
        let room = self.bytes.get_mut(self.at..).and_then(|rest| rest.get_mut(..length));
        self.at += length;
        room.ok_or(&errors::LARGE_ARCHIVE)
    }

    fn append(&mut self, bytes: &[u8]) -> Outcome<()> {
        self.reserve(bytes.len())?.copy_from_slice(bytes);
        Ok(())
    }

    fn repeat(&mut self, distance: usize, length: usize) -> Outcome<()> {
        let from = self.at.checked_sub(distance).filter(|_| distance != 0).ok_or(BAD)?;
        let at = self.at;
        self.reserve(length)?;
        if distance >= length {
            self.bytes.copy_within(from..from + length, at);
            return Ok(());
        }
        for place in from..from + length {
            let byte = u8_at(self.bytes, place);
            if let Some(to) = self.bytes.get_mut(place + distance) {
                *to = byte;
            }
        }
        Ok(())
    }
}

const PRIMES: [u64; 5] = [
    0x9e37_79b1_85eb_ca87,
    0xc2b2_ae3d_27d4_eb4f,
    0x1656_67b1_9e37_79f9,
    0x85eb_ca77_c2b2_ae63,
    0x27d4_eb2f_1656_67c5,
];

/// XXH64 of bytes that stay where they are: up to where it is of them, and its four lanes.
struct Sum {
    done: usize,
    lanes: [u64; 4],
}

impl Sum {
    const STRIPE: usize = 32;

    /// Of the bytes from there on.
    fn new(start: usize) -> Self {
        let [first, second, ..] = PRIMES;
        let lanes = [first.wrapping_add(second), second, 0, first.wrapping_neg()];
        Self { done: start, lanes }
    }

    fn round(lane: u64, word: u64) -> u64 {
        let [first, second, ..] = PRIMES;
        lane.wrapping_add(word.wrapping_mul(second)).rotate_left(31).wrapping_mul(first)
    }

    /// Takes all whole stripes up to the end of `bytes`.
    fn update(&mut self, bytes: &[u8]) {
        for stripe in bytes.get(self.done..).unwrap_or_default().chunks_exact(Self::STRIPE) {
            for (number, lane) in self.lanes.iter_mut().enumerate() {
                *lane = Self::round(*lane, u64_at(stripe, number * 8));
            }
            self.done += Self::STRIPE;
        }
    }

    /// The lower half of the sum of the bytes from `start` to `end`.
    fn finish(&self, bytes: &[u8], end: usize, start: usize) -> u32 {
        let [first, second, third, fourth, fifth] = PRIMES;
        let mut sum = fifth;
        if self.done != start {
            let turned = self.lanes.iter().zip([1, 7, 12, 18]).map(|(lane, turn)| lane.rotate_left(turn));
            sum = turned.fold(0, u64::wrapping_add);
            for lane in self.lanes {
                sum = (sum ^ Self::round(0, lane)).wrapping_mul(first).wrapping_add(fourth);
            }
        }
        sum = sum.wrapping_add((end - start) as u64);
        let mut rest = bytes.get(self.done..end).unwrap_or_default();
        while let Some((_, behind)) = rest.split_at_checked(8) {
            sum = (sum ^ Self::round(0, u64_at(rest, 0)))
                .rotate_left(27)
                .wrapping_mul(first)
                .wrapping_add(fourth);
            rest = behind;
        }
        if let Some((_, behind)) = rest.split_at_checked(4) {
            let word = u64::from(u32_at(rest, 0)).wrapping_mul(first);
            sum = (sum ^ word).rotate_left(23).wrapping_mul(second).wrapping_add(third);
            rest = behind;
        }
        for byte in rest {
            sum = (sum ^ u64::from(*byte).wrapping_mul(fifth)).rotate_left(11).wrapping_mul(first);
        }
        sum = (sum ^ sum >> 33).wrapping_mul(second);
        sum = (sum ^ sum >> 29).wrapping_mul(third);
        let [a, b, c, d, ..] = (sum ^ sum >> 32).to_le_bytes();
        u32::from_le_bytes([a, b, c, d])
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::archive::tests::{unpack_in_pieces, unpack_with, unpacks};
    use proptest::prelude::*;

    fn begin(_: &[u8]) -> Outcome<Zstd> {
        Ok(Zstd::new())
    }

    fn unpack(archive: &[u8], room: usize) -> Outcome<Vec<u8>> {
        unpack_with(&mut Zstd::new(), archive, room)
    }

    #[test]
    fn files_as_zstd_makes_them() {
        unpacks(begin, include_bytes!("fixtures/default.zst"), true);
        unpacks(begin, include_bytes!("fixtures/best.zst"), true);
        unpacks(begin, include_bytes!("fixtures/unchecked.zst"), false);
        // Two frames, and one between them that is passed over.
        unpacks(begin, include_bytes!("fixtures/stored.zst"), false);
    }

    #[test]
    fn blocks_of_each_kind() {
        // A frame that says that it has 6 bytes: three as they are, and one three times.
        let head = [0x28, 0xb5, 0x2f, 0xfd, 0x20, 6];
        let blocks = [0x18, 0, 0, b'a', b'b', b'c', 0x1b, 0, 0, b'd'];
        let file = [&head[..], &blocks].concat();
        assert_eq!(unpack(&file, 6).unwrap(), b"abcddd");
        assert_eq!(unpack(&file, 5).unwrap_err(), &errors::LARGE_ARCHIVE);
        assert_eq!(unpack(&file[..15], 6).unwrap_err(), &errors::SHORT_ARCHIVE);
        let with = |place: usize, byte: u8| {
            let mut file = file.clone();
            file[place] = byte;
            unpack(&file, 6).unwrap_err()
        };
        assert_eq!(with(5, 5), &errors::WRONG_SUM);
        // A dictionary, a reserved bit, a reserved kind, more than a block may have.
        assert_eq!(with(4, 0x21), &errors::FOREIGN_ARCHIVE);
        assert_eq!(with(4, 0x28), &errors::FOREIGN_ARCHIVE);
        assert_eq!(with(6, 0x1e), &errors::BAD_ARCHIVE);
        assert_eq!(with(8, 0xff), &errors::BAD_ARCHIVE);
        assert_eq!(with(0, 0), &errors::BAD_ARCHIVE);
        assert_eq!(unpack(&[], 6).unwrap_err(), &errors::SHORT_ARCHIVE);
    }

    #[test]
    fn sums_are_those_of_the_field() {
        // The published values of XXH64 without a seed.
        let sum = |bytes: &[u8]| {
            let mut sum = Sum::new(0);
            sum.update(bytes);
            sum.finish(bytes, bytes.len(), 0)
        };
        assert_eq!(sum(b""), 0x51d8_e999);
        assert_eq!(sum(b"abc"), 0xad77_0999);
        assert_eq!(sum(b"Nobody inspects the spammish repetition"), 0x8a37_8bf1);
    }

    proptest! {
        #[test]
        fn any_block_is_survived(
            noise in prop::collection::vec(any::<u8>(), 0..300),
            room in 0usize..1000,
        ) {
            let mut file = vec![0x28, 0xb5, 0x2f, 0xfd, 0, 0x58];
            let header = (noise.len() << 3 | 5).to_le_bytes();
            file.extend(&header[..3]);
            file.extend(noise);
            let unpacked = unpack(&file, room);
            prop_assert_eq!(&unpack_in_pieces(begin, &file, room, (0..file.len()).step_by(9)), &unpacked);
            if let Ok(content) = unpacked {
                prop_assert!(content.len() <= room);
            }
        }
    }
}
