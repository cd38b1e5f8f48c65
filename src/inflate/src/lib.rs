//! DEFLATE (RFC 1951; section numbers are its), unpacked byte by byte into memory that distances look back into.
//!
//! Small, not fast: there are no tables but the codes themselves, which are read bit by bit, and nothing is allocated.
#![no_std]

#[cfg(test)]
#[allow(clippy::cast_possible_truncation, reason = "bits and bytes of tests")]
mod tests;

/// What keeps data from being unpacked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// It ends before its end.
    Short,
    /// It is not DEFLATE.
    Bad,
    /// There is no room for all of it.
    Large,
}

/// Gives out the packed bytes, one after the other, and none behind the last.
pub type Input<'a> = dyn FnMut() -> Option<u8> + 'a;

/// How far back data may refer (2).
pub const WINDOW: usize = 32 << 10;
/// The most bytes that one symbol makes (3.2.5).
pub const LONGEST: usize = 258;

/// The most bits of a code (3.2.2 with 3.2.7).
const LONGEST_CODE: usize = 15;
/// The symbols of a code for literals and lengths, and of one for distances, with those that cannot come up (3.2.6).
const LITERALS: usize = 288;
const DISTANCES: usize = 32;
/// And without.
const USED_LITERALS: u32 = 286;
const USED_DISTANCES: u32 = 30;
/// The symbol that ends a block (3.2.5).
const END: u32 = 256;
/// The order in which the lengths of the code for lengths of codes are written (3.2.7).
const ORDER: [u8; 19] = [16, 17, 18, 0, 8, 7, 9, 6, 10, 5, 11, 4, 12, 3, 13, 2, 14, 1, 15];

/// Whether these are the two bytes before zlib's data: DEFLATE with a window that there is, no dictionary, and a check
/// (RFC 1950 section 2.2).
pub fn is_zlib([method, flags]: [u8; 2]) -> bool {
    let sum = u16::from_be_bytes([method, flags]);
    method & 0xf == 8 && method >> 4 <= 7 && flags & 1 << 5 == 0 && sum.is_multiple_of(31)
}

/// Data that is being unpacked.
pub struct Inflate {
    /// Bytes of the room that are made. Who moves them to its front makes this less; the last 32 KiB have to stay.
    pub made: usize,
    /// Bytes of the input that are used up. After [`Fault::Short`] the input has to go on from here.
    pub taken: usize,
    /// Bits that are taken of the input and not used up, the next one lowest, and how many: at most seven between two
    /// calls, so no byte is taken that does not belong to the data.
    held: u32,
    count: u32,
    /// What the rest of the block at hand is.
    block: Block,
    /// Whether it is the last one.
    is_last: bool,
    literals: Code,
    distances: Code,
}

enum Block {
    /// So many bytes as they are (3.2.4).
    Stored(u32),
    /// Symbols of the two codes.
    Coded,
}

impl Default for Inflate {
    fn default() -> Self {
        let (literals, distances) = (Code::default(), Code::default());
        Self {
            made: 0,
            taken: 0,
            held: 0,
            count: 0,
            block: Block::Stored(0),
            is_last: false,
            literals,
            distances,
        }
    }
}

impl Inflate {
    /// Unpacks of `input` into `room` until `made` is at least `until`, by at most [`LONGEST`] - 1 more, or all is made.
    /// Returns whether it is. After [`Fault::Short`] it can be called again, with more of the input; after any other fault
    /// there is nothing more to be had.
    pub fn run(&mut self, input: &mut Input<'_>, room: &mut [u8], until: usize) -> Result<bool, Fault> {
        while self.made < until {
            let before = (self.taken, self.held, self.count, self.is_last);
            let part = match self.block {
                Block::Stored(0) if self.is_last => return Ok(true),
                Block::Stored(0) => self.begin(input),
                Block::Stored(left) => self.stored(input, room, left - 1),
                Block::Coded => self.symbol(input, room),
            };
            if let Err(fault) = part {
                // Nothing was made of what is there of this part; all of it comes again.
                (self.taken, self.held, self.count, self.is_last) = before;
                return Err(fault);
            }
        }
        Ok(false)
    }

    /// The next so many bits, at most 16, the first one lowest (3.1.1).
    fn bits(&mut self, input: &mut Input<'_>, count: u32) -> Result<u32, Fault> {
        while self.count < count {
            self.held |= u32::from(input().ok_or(Fault::Short)?) << self.count;
            self.taken += 1;
            self.count += 8;
        }
        let bits = self.held & ((1 << count) - 1);
        self.held >>= count;
        self.count -= count;
        Ok(bits)
    }

    fn put(&mut self, room: &mut [u8], byte: u8) -> Result<(), Fault> {
        *room.get_mut(self.made).ok_or(Fault::Large)? = byte;
        self.made += 1;
        Ok(())
    }

    /// Begins a block (3.2.3).
    fn begin(&mut self, input: &mut Input<'_>) -> Result<(), Fault> {
        self.is_last = self.bits(input, 1)? != 0;
        let mut lengths = [0; LITERALS + DISTANCES];
        let mut literals = LITERALS;
        let mut distances = DISTANCES;
        match self.bits(input, 2)? {
            0 => {
                (self.held, self.count) = (0, 0);
                let length = self.bits(input, 16)?;
                if self.bits(input, 16)? != length ^ 0xffff {
                    return Err(Fault::Bad);
                }
                self.block = Block::Stored(length);
                return Ok(());
            }
            // The fixed codes (3.2.6).
            1 => {
                lengths.fill(5);
                for (symbol, length) in lengths.iter_mut().enumerate().take(LITERALS) {
                    *length = match symbol {
                        144..256 => 9,
                        256..280 => 7,
                        _ => 8,
                    };
                }
            }
            2 => {
                let [first, second] = [END + 1 + self.bits(input, 5)?, 1 + self.bits(input, 5)?];
                if first > USED_LITERALS || second > USED_DISTANCES {
                    return Err(Fault::Bad);
                }
                literals = first as usize;
                distances = second as usize;
                self.lengths(input, lengths.get_mut(..literals + distances).ok_or(Fault::Bad)?)?;
            }
            _ => return Err(Fault::Bad),
        }
        let (first, rest) = lengths.split_at_checked(literals).ok_or(Fault::Bad)?;
        self.literals = Code::new(first, false)?;
        self.distances = Code::new(rest.get(..distances).ok_or(Fault::Bad)?, false)?;
        self.block = Block::Coded;
        Ok(())
    }

    /// The lengths of the codes of a block that has its own (3.2.7).
    fn lengths(&mut self, input: &mut Input<'_>, lengths: &mut [u8]) -> Result<(), Fault> {
        let mut of_lengths = [0; ORDER.len()];
        let count = 4 + self.bits(input, 4)? as usize;
        for symbol in ORDER.iter().take(count) {
            if let Some(length) = of_lengths.get_mut(usize::from(*symbol)) {
                *length = (self.bits(input, 3)? & 7) as u8;
            }
        }
        self.literals = Code::new(&of_lengths, true)?;
        let mut last = None;
        let mut rest = lengths.iter_mut();
        while rest.len() > 0 {
            let symbol = (self.read(input, false)? & 0xff) as u8;
            let (length, bits, least) = match symbol {
                16 => (last.ok_or(Fault::Bad)?, 2, 3),
                17 => (0, 3, 3),
                18 => (0, 7, 11),
                _ => (symbol, 0, 1),
            };
            for _ in 0..least + self.bits(input, bits)? {
                *rest.next().ok_or(Fault::Bad)? = length;
            }
            last = Some(length);
        }
        Ok(())
    }

    /// A byte of a stored block, behind which so many are left (3.2.4).
    fn stored(&mut self, input: &mut Input<'_>, room: &mut [u8], left: u32) -> Result<(), Fault> {
        let byte = self.bits(input, 8)?;
        self.block = Block::Stored(left);
        self.put(room, (byte & 0xff) as u8)
    }

    /// A symbol of a coded block, and what it stands for (3.2.5).
    fn symbol(&mut self, input: &mut Input<'_>, room: &mut [u8]) -> Result<(), Fault> {
        let symbol = self.read(input, false)?;
        let length = match symbol {
            ..END => return self.put(room, (symbol & 0xff) as u8),
            END => {
                self.block = Block::Stored(0);
                return Ok(());
            }
            285 => 258,
            USED_LITERALS.. => return Err(Fault::Bad),
            _ => 3 + self.spread(input, symbol - END - 1, 2)?,
        };
        let distance = match self.read(input, true)? {
            USED_DISTANCES.. => return Err(Fault::Bad),
            symbol => 1 + self.spread(input, symbol, 1)?,
        };
        for _ in 0..length {
            let from = self.made.checked_sub(distance as usize).ok_or(Fault::Bad)?;
            let byte = room.get(from).copied().unwrap_or(0);
            self.put(room, byte)?;
        }
        Ok(())
    }

    /// A length or distance less the shortest one. Its symbols are in groups of 2^`group`: those of the first two
    /// groups stand for themselves, and each group behind takes a bit more, so the tables of 3.2.5 need not be written down.
    fn spread(&mut self, input: &mut Input<'_>, symbol: u32, group: u32) -> Result<u32, Fault> {
        let Some(bits) = (symbol >> group).checked_sub(1) else { return Ok(symbol) };
        let first = (1 << group) + (symbol & ((1 << group) - 1));
        Ok((first << bits) + self.bits(input, bits)?)
    }

    /// A symbol of the code for distances, or else of the one for literals and lengths.
    fn read(&mut self, input: &mut Input<'_>, is_distance: bool) -> Result<u32, Fault> {
        // How far the bits are behind the first code of their length, and the symbols of all shorter codes.
        let mut behind = 0;
        let mut shorter = 0;
        for length in 1..=LONGEST_CODE {
            behind = 2 * behind + self.bits(input, 1)? as usize;
            let code = if is_distance { &self.distances } else { &self.literals };
            let count = code.counts.get(length).copied().unwrap_or(0).into();
            if behind < count {
                return code.symbols.get(shorter + behind).copied().map(u32::from).ok_or(Fault::Bad);
            }
            behind -= count;
            shorter += count;
        }
        Err(Fault::Bad)
    }
}

/// A Huffman code, whose codes of one length are consecutive (3.2.2).
struct Code {
    /// How many symbols have codes of each length.
    counts: [u16; LONGEST_CODE + 1],
    /// The symbols in the order of their codes.
    symbols: [u16; LITERALS],
}

impl Default for Code {
    fn default() -> Self {
        Self { counts: [0; LONGEST_CODE + 1], symbols: [0; LITERALS] }
    }
}

impl Code {
    /// The code by the lengths of its symbols' codes. It has to use up all bits: only one code of one bit or none at all
    /// may stand alone (3.2.7), and not where the code `is_whole`.
    fn new(lengths: &[u8], is_whole: bool) -> Result<Self, Fault> {
        let mut code = Self::default();
        let mut places = code.symbols.iter_mut();
        // Codes that are free, counted by those of the longest length: 2^15 of them.
        let mut free = 1_usize << LONGEST_CODE;
        let mut longest = 0;
        for (length, count) in code.counts.iter_mut().enumerate().skip(1) {
            for (symbol, _) in (0_u16..).zip(lengths).filter(|(_, of)| usize::from(**of) == length) {
                *places.next().ok_or(Fault::Bad)? = symbol;
                free = free.checked_sub(1 << (LONGEST_CODE - length)).ok_or(Fault::Bad)?;
                *count += 1;
                longest = length;
            }
        }
        if free != 0 && (is_whole || longest > 1) { Err(Fault::Bad) } else { Ok(code) }
    }
}
