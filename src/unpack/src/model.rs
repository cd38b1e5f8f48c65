//! The model: what the next bit of the payload probably is, by all that came before.
//!
//! It is a context-mixing model. Each of several contexts - the bytes before, the place in an instruction, what came
//! after the last place where the same bytes stood - has a counter of its own for each bit of the next byte, which
//! learns how often it is a 1. Their guesses are added up in the logistic domain, with weights that learn which of them
//! to trust where. The packer and the unpacker run the same model over the same bytes, so nothing of it is in the
//! image.
//!
//! Unpacking is most of the time that an image takes to start, and most of that time is what [`Model::byte`] does for
//! each bit. There it calls nothing, checks no index and branches little: a firmware is often tried in an emulator, to
//! which calls and branches are dear. All that a context has for half a byte lies in half a line of the cache.

#![allow(
    clippy::indexing_slicing,
    reason = "each index is limited by its type, a shift or a mask, so that no check is left"
)]
#![allow(clippy::cast_possible_truncation, reason = "each cast takes the bits that its line is about")]

use crate::mix;
use crate::x86::Instruction;
use core::cell::Cell;
use zerocopy::{FromBytes, IntoBytes};

/// The memory of a model.
#[derive(FromBytes, IntoBytes)]
#[repr(C)]
pub struct Memory {
    /// What each context has taught, by its hash.
    groups: [[Group; 2]; 1 << GROUP_BITS],
    /// Where the bytes before the current place stood the last time, by their hash.
    positions: [u32; 1 << POSITION_BITS],
    /// How much each guess is worth, in 1/65536, by the place in an instruction and the match.
    weights: [[i32; CONTEXTS]; SETS],
    /// The logarithm of the odds that a counter gives, by its upper bits.
    log_odds: [i16; 1 << (16 - COUNT_BITS)],
    /// The probability, in 1/65536, that a logarithm of odds stands for, from -12 to 12 times [`ONE`].
    probabilities: [u16; 24 * ONE as usize],
}

/// The counters of a context for four bits: one for each beginning of those bits, by its bits below a 1. The first
/// place, which no beginning has, is for a part of the context's hash.
type Group = [u16; 16];

const GROUP_BITS: u32 = 16;
const POSITION_BITS: u32 = 16;
const CONTEXTS: usize = 6;
/// Sets of weights: for each place in an instruction, by [`Match::class`].
const SETS: usize = Match::CLASSES * Instruction::PLACES;

/// A counter has 13 bits of probability, and below them 3 bits that count how often it was corrected, to 7 times.
const COUNT_BITS: u32 = 3;
const COUNT: u16 = (1 << COUNT_BITS) - 1;
/// A counter that has learnt nothing. (Its bytes are equal so that four stores make a new group.)
const NEW: u16 = 0x8080;
/// How far a counter is corrected, by how often it was before, in 1/65536: one over that number and 1.2, so that the
/// first bits count almost alike. At last it forgets as fast as it learns.
static RATES: [u16; 1 << COUNT_BITS] = [54613, 29789, 20480, 15604, 12603, 10570, 9102, 7992];

/// The weight of each guess at first.
const WEIGHT: i32 = 20_000;
/// From a guess that was wrong by less, in 1/65536, nothing is learnt. This takes no time, and what is certain stays so.
const ERROR: i32 = 800;
/// The logarithm of odds of 2 to 1.
const ONE: i32 = 256;
/// Odds of 2 to the power of 12 and more are taken for less than that.
const LOG_ODDS_LIMIT: i32 = 12 * ONE - 1;

/// The model, between two bytes.
pub struct Model<'a> {
    groups: &'a [Cell<[Group; 2]>; 1 << GROUP_BITS],
    positions: &'a mut [u32; 1 << POSITION_BITS],
    weights: &'a mut [[i32; CONTEXTS]; SETS],
    log_odds: &'a [i16; 1 << (16 - COUNT_BITS)],
    probabilities: &'a [u16; 24 * ONE as usize],
    instruction: Instruction,
    found: Match,
    /// The last four bytes, the last one lowest.
    last: u32,
}

/// An earlier place where the same bytes stood.
#[derive(Default)]
struct Match {
    /// What came after it.
    position: usize,
    /// How many bytes are the same; 0 without such a place.
    length: usize,
}

impl<'a> Model<'a> {
    /// A model that has learnt nothing.
    #[inline(never)]
    pub fn new(memory: &'a mut Memory) -> Self {
        memory.groups.as_flattened_mut().as_flattened_mut().fill(NEW);
        memory.positions.fill(0);
        memory.weights.as_flattened_mut().fill(WEIGHT);
        for (probability, log_odds) in
            (1 << (COUNT_BITS - 1)..).step_by(1 << COUNT_BITS).zip(&mut memory.log_odds)
        {
            *log_odds = (logarithm(probability) - logarithm(65_536 - probability)) as i16;
        }
        for (log_odds, entry) in (-12 * ONE..).zip(&mut memory.probabilities) {
            *entry = probability(log_odds);
        }
        Self {
            groups: Cell::from_mut(&mut memory.groups).as_array_of_cells(),
            positions: &mut memory.positions,
            weights: &mut memory.weights,
            log_odds: &memory.log_odds,
            probabilities: &memory.probabilities,
            instruction: Instruction::CODE,
            found: Match::default(),
            last: 0,
        }
    }

    /// Goes on by the byte that comes after `before`, of which only the last one is new, and answers it. `is_code`
    /// tells whether that last one is code. `code` is told how probable it is that the next bit is a 1, in 1/65536 and
    /// never 0 or 1, and says what it is.
    #[inline(always)]
    pub fn byte(&mut self, before: &[u8], is_code: bool, mut code: impl FnMut(u32) -> bool) -> u8 {
        let (hashes, set) = self.contexts(before, is_code);
        let Some(weights) = self.weights.get_mut(set) else { return 0 };
        let mut byte = 1;
        for _ in 0..2 {
            let groups = hashes.map(|hash| group(self.groups, hash ^ byte << 17));
            let mut inputs = [0; CONTEXTS];
            let mut bits = 1;
            for _ in 0..4 {
                let mut sum = 0;
                for ((group, input), weight) in groups.iter().zip(&mut inputs).zip(&*weights) {
                    *input = self.log_odds[usize::from(group[bits & 15].get() >> COUNT_BITS)].into();
                    sum += i64::from(*input) * i64::from(*weight);
                }
                let log_odds = ((sum >> 16) as i32).clamp(-LOG_ODDS_LIMIT, LOG_ODDS_LIMIT);
                let probability = self.probabilities[(log_odds + 12 * ONE) as usize];
                let bit = code(probability.into());
                let target = if bit { 0xffff } else { 0 };
                let error = i32::from(target) - i32::from(probability);
                if error.abs() >= ERROR {
                    for ((group, input), weight) in groups.iter().zip(&inputs).zip(&mut *weights) {
                        *weight += (input * error + (1 << 15)) >> 16;
                        correct(&group[bits & 15], target);
                    }
                }
                bits = bits << 1 | usize::from(bit);
            }
            byte = byte << 4 | bits as u32 & 15;
        }
        byte as u8
    }

    /// The hashes of the contexts of the byte after `before`, and the number of its set of weights.
    #[inline(never)]
    fn contexts(&mut self, before: &[u8], is_code: bool) -> ([u32; CONTEXTS], usize) {
        if let Some(byte) = before.last() {
            self.last = self.last << 8 | u32::from(*byte);
            if is_code { self.instruction.advance(*byte) } else { self.instruction = Instruction::DATA }
        }
        self.find_match(before);
        let (last, instruction) = (self.last, &self.instruction);
        let class = self.found.class();
        let expected = before.get(self.found.position).copied().unwrap_or(0);
        let found = if class == 0 { 0 } else { (class as u32) << 8 | u32::from(expected) };
        let one = last & 0xff;
        let contexts = if is_code {
            [found, 0, instruction.kind(), instruction.mod_rm(one), instruction.pair(), instruction.bytes()]
        } else {
            // Tables have columns of four bytes.
            let column = (before.len() as u32 & 3) << 8;
            [found, one, column | one, column | last >> 24, last & 0xffff, last & 0xff_ffff]
        };
        let place = instruction.place();
        let mut number = 0;
        let hashes = contexts.map(|context| {
            number += 1;
            mix(context, place << 3 | number)
        });
        (hashes, class * Instruction::PLACES + place as usize)
    }

    /// Finds where the bytes at the end of `before` stood before.
    #[inline(never)]
    fn find_match(&mut self, before: &[u8]) {
        let found = &mut self.found;
        if found.length > 0 && before.get(found.position) == before.last() {
            found.length += 1;
            found.position += 1;
        } else {
            found.length = 0;
        }
        let position = &mut self.positions[(mix(self.last, 0) >> (32 - POSITION_BITS)) as usize];
        if found.length == 0 {
            found.position = *position as usize;
            let earlier = before.get(..found.position).unwrap_or_default();
            let pairs = earlier.iter().rev().zip(before.iter().rev()).take(Match::LONG);
            found.length = pairs.take_while(|(earlier, byte)| earlier == byte).count();
        }
        *position = before.len() as u32;
    }
}

impl Match {
    /// Matches that are longer are all alike.
    const LONG: usize = 20;
    /// Numbers that [`class`](Self::class) may give.
    const CLASSES: usize = 5;

    /// How far it is to be trusted.
    fn class(&self) -> usize {
        match self.length {
            0 => 0,
            1..6 => 1,
            6..10 => 2,
            10..Self::LONG => 3,
            Self::LONG.. => 4,
        }
    }
}

/// The group of the context with this hash. If there is none yet, it gets one of the two that it may have: the one that
/// has learnt less.
#[inline(always)]
fn group(groups: &[Cell<[Group; 2]>; 1 << GROUP_BITS], hash: u32) -> &[Cell<u16>; 16] {
    let check = hash as u16;
    let pair = groups[(hash >> (32 - GROUP_BITS)) as usize].as_array_of_cells();
    let (first, second) = (pair[0].as_array_of_cells(), pair[1].as_array_of_cells());
    if first[0].get() == check {
        return first;
    }
    if second[0].get() == check {
        return second;
    }
    let group = if first[1].get() & COUNT > second[1].get() & COUNT { second } else { first };
    group.iter().for_each(|counter| counter.set(NEW));
    group[0].set(check);
    group
}

/// Moves `counter` towards `target`, which is 0 or FFFFh.
#[inline(always)]
fn correct(counter: &Cell<u16>, target: u16) {
    let before = counter.get();
    let count = before & COUNT;
    // How far it is from the target, above the count: both ways are one.
    let flip = target & !COUNT;
    let distance = before ^ flip;
    let rate = RATES[usize::from(count)];
    let step = (u32::from(distance & !COUNT) * u32::from(rate) + (1 << (15 + COUNT_BITS))) >> 16;
    counter.set(((distance - (step as u16 & !COUNT)) ^ flip) + u16::from(count < COUNT));
}

/// The probability, in 1/65536, with these odds, of which the logarithm is given as [`logarithm`] makes it.
fn probability(log_odds: i32) -> u16 {
    let size = log_odds.abs();
    let odds = (256 + (size & 0xff)) << (size >> 8);
    let smaller = (1 << 24) / (odds + 256);
    (if log_odds > 0 { 65_536 - smaller } else { smaller }).clamp(16, 65_520) as u16
}

/// The logarithm of `value`, in 1/256 of a power of 2; between two powers of 2 it is a straight line.
fn logarithm(value: u32) -> i32 {
    let whole = value.ilog2();
    ((whole << 8) + (((value << 8) >> whole) & 0xff)) as i32
}

#[cfg(test)]
mod tests {
    extern crate std;
    use super::*;
    use std::vec;

    #[test]
    fn counters_move_towards_the_bit_and_both_ways_alike() {
        for before in 0..=u16::MAX {
            let [down, up] = [before, before ^ !COUNT].map(Cell::new);
            correct(&down, 0);
            correct(&up, 0xffff);
            assert_eq!(down.get(), up.get() ^ !COUNT, "{before:x}");
            assert!(down.get() & !COUNT <= before & !COUNT, "{before:x}");
            assert_eq!(down.get() & COUNT, COUNT.min((before & COUNT) + 1), "{before:x}");
        }
    }

    #[test]
    fn a_context_finds_its_counters_again_unless_others_displace_it() {
        let mut memory = vec![[[NEW; 16]; 2]; 1 << GROUP_BITS].into_boxed_slice();
        let memory: &mut [_; 1 << GROUP_BITS] = (&mut *memory).try_into().unwrap();
        let groups = Cell::from_mut(memory).as_array_of_cells();
        let [busy, idle, new] = [0x1234_0001, 0x1234_0002, 0x1234_0003];
        (0..3).for_each(|_| correct(&group(groups, busy)[1], 0));
        correct(&group(groups, idle)[1], 0);
        assert_eq!(group(groups, busy)[1].get() & COUNT, 3);
        assert_eq!(group(groups, idle)[1].get() & COUNT, 1);
        assert_eq!(group(groups, new)[1].get(), NEW);
        assert_eq!(group(groups, busy)[1].get() & COUNT, 3);
        assert_eq!(group(groups, idle)[1].get(), NEW);
    }
}
