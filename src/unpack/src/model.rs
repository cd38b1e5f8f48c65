//! The model: what the next bit of the payload probably is, by all that came before.
//!
//! It is a context-mixing model. Each of several contexts - the bytes before, the place in an instruction, what came
//! after the last place where the same bytes stood - has a counter of its own for each bit of the next byte, which
//! learns how often it is a 1. Their guesses are added up in the logistic domain, with weights that learn which of them
//! to trust where. The packer and the unpacker run the same model over the same bytes, so nothing of it is in the
//! image.
//!
//! Unpacking is most of the time that an image takes to start, and most of that time is what [`Model::byte`] does for
//! each bit. There it calls nothing, checks no index, branches little and looks up in tables what it can: a firmware is
//! often tried in an emulator, to which each instruction is dear, calls and branches most. All that a context has for
//! half a byte lies in half a line of the cache.

#![allow(
    clippy::indexing_slicing,
    reason = "each index is limited by its type, a shift or a mask, so that no check is left"
)]
#![allow(clippy::cast_possible_truncation, reason = "each cast takes the bits that its line is about")]

use crate::x86::Instruction;
use core::cell::Cell;
use zerocopy::FromZeros;

/// The model of an image that is to start soon.
pub type Quick = Memory<6, 0x1_0000, 1>;
/// The model of an image that must be small, and may take more memory and time.
pub type Dense = Memory<7, 0x4_0000, 3>;

/// The memory of a model that asks so many contexts of each byte, has room for so many pairs of groups, and so many
/// ways to choose the weights of guesses.
#[derive(FromZeros)]
#[repr(C)]
pub struct Memory<const CONTEXTS: usize, const PAIRS: usize, const WAYS: usize> {
    /// What each context has taught, by its hash.
    groups: [[Group; 2]; PAIRS],
    /// What becomes of a counter by a 0, and by a 1.
    steps: [[Cell<u16>; 1 << 16]; 2],
    /// The logarithm of the odds that a counter gives.
    log_odds: [Cell<i16>; 1 << 16],
    /// Where the bytes before the current place stood the last time, by their hash.
    positions: [Cell<u32>; 1 << POSITION_BITS],
    /// Whether a place in the code, by the lowest bits of its number, is what something before jumps to or calls.
    /// Only a model with several ways uses it.
    targets: [Cell<bool>; 1 << TARGET_BITS],
    /// How much each guess is worth, in 1 / 2 to the power of [`WEIGHT_BITS`]: the sum of a weight from each way. All learn
    /// alike, each from the bits that it is for.
    weights: [[[Cell<i32>; CONTEXTS]; SETS]; WAYS],
    /// The probability, in 1/65536, that a logarithm of odds stands for, from -12 to 12 times [`ONE`].
    probabilities: [Cell<u16>; 24 * ONE as usize],
}

/// The counters of a context for four bits: one for each beginning of those bits, by its bits below a 1. The first
/// place, which no beginning has, is for a part of the context's hash.
type Group = [Cell<u16>; 16];

const POSITION_BITS: u32 = 16;
const TARGET_BITS: u32 = 19;
/// How many bytes ahead the next target of a jump or call is looked for.
const NEAR: u32 = 16;
/// The most contexts of a byte.
pub(crate) const MOST_CONTEXTS: usize = 7;
/// Sets of weights of each way to choose them, a power of two.
const SETS: usize = 1 << 13;
/// Of the ways - by the half of the byte and the place in an instruction and the match, the opcode, or the bits before and
/// how many contexts are known - the last one.
const BY_BITS: usize = 2;
const _: () =
    assert!(2 * Match::CLASSES * Instruction::PLACES <= SETS && Instruction::OPCODE_PARTS * 2 <= SETS);

/// A counter has 13 bits of probability, and below them 3 bits that count how often it was corrected, to 7 times.
const COUNT_BITS: u32 = 3;
const COUNT: u16 = (1 << COUNT_BITS) - 1;
/// A counter that has learnt nothing. (Its bytes are equal so that four stores make a new group.)
const NEW: u16 = 0x8080;
/// How far a counter is corrected, by how often it was before, in 1/65536: one over that number and 1.2, so that the
/// first bits count almost alike. At last it forgets as fast as it learns.
static RATES: [u16; 1 << COUNT_BITS] = [54613, 29789, 20480, 15604, 12603, 10570, 9102, 7992];

/// Binary places of a weight.
const WEIGHT_BITS: u32 = 28;
/// The sum of the weights of each guess at first.
const WEIGHT: i32 = 5 << (WEIGHT_BITS - 4);
/// How much slower weights learn than the product of guess and error says, as a power of 2.
const WEIGHT_DELAY: u32 = 5;
/// From a guess that was wrong by less, in 1/65536, nothing is learnt. This takes no time, and what is certain stays so.
const ERROR: i32 = 800;
/// The logarithm of odds of 2 to 1.
const ONE: i32 = 256;
/// Odds of 2 to the power of 12 and more are taken for less than that.
const LOG_ODDS_LIMIT: i32 = 12 * ONE - 1;

/// The model, between two bytes.
pub struct Model<'a, const CONTEXTS: usize, const PAIRS: usize, const WAYS: usize> {
    memory: &'a Memory<CONTEXTS, PAIRS, WAYS>,
    instruction: Instruction,
    /// Bytes from the last instruction's end to the next place that something before jumps to or calls, at most [`NEAR`].
    to_target: u32,
    found: Match,
    /// The last four bytes, the last one lowest.
    last: u32,
    /// A digest of the letters since the last byte that was none.
    word: u32,
}

/// An earlier place where the same bytes stood.
#[derive(Default)]
struct Match {
    /// What came after it.
    position: usize,
    /// How many bytes are the same; 0 without such a place.
    length: usize,
}

/// Does `$body` for each number below `$end` as the constant `$index`, without a loop. Only what is done for every bit is
/// worth the bytes.
macro_rules! for_each {
    ($index:ident, $end:expr, $body:expr) => {
        for_each!(@ $index, $end, $body, 0 1 2 3 4 5 6)
    };
    (@ $index:ident, $end:expr, $body:expr, $($number:literal)*) => {
        $({
            const $index: usize = $number;
            if $index < $end {
                $body
            }
        })*
    };
}

impl<'a, const CONTEXTS: usize, const PAIRS: usize, const WAYS: usize> Model<'a, CONTEXTS, PAIRS, WAYS> {
    /// A model that has learnt nothing.
    #[inline(never)]
    pub fn new(memory: &'a mut Memory<CONTEXTS, PAIRS, WAYS>) -> Self {
        memory.groups.as_flattened().as_flattened().iter().for_each(|counter| counter.set(NEW));
        memory.positions.iter().for_each(|position| position.set(0));
        if WAYS > 1 {
            memory.targets.iter().for_each(|target| target.set(false));
        }
        for (way, weights) in memory.weights.iter().enumerate() {
            let first = if way == 0 { WEIGHT } else { 0 };
            weights.as_flattened().iter().for_each(|weight| weight.set(first));
        }
        for (steps, target) in memory.steps.iter().zip([0, 0xffff]) {
            for (counter, step) in (0..=u16::MAX).zip(steps) {
                step.set(corrected(counter, target));
            }
        }
        for (counter, log_odds) in (0..).zip(&memory.log_odds) {
            let probability = (counter & !u32::from(COUNT)) | (1 << (COUNT_BITS - 1));
            log_odds.set((logarithm(probability) - logarithm(65_536 - probability)) as i16);
        }
        for (log_odds, entry) in (-12 * ONE..).zip(&memory.probabilities) {
            entry.set(probability(log_odds));
        }
        Self {
            memory,
            instruction: Instruction::CODE,
            to_target: NEAR,
            found: Match::default(),
            last: 0,
            word: 0,
        }
    }

    /// Goes on by the byte that comes after `before`, of which only the last one is new, and answers it. `is_code`
    /// tells whether that last one is code. `code` is told how probable it is that the next bit is a 1, in 1/65536 and
    /// never 0 or 1, and says what it is.
    #[inline(always)]
    pub fn byte(&mut self, before: &[u8], is_code: bool, mut code: impl FnMut(u32) -> bool) -> u8 {
        let (hashes, sets) = self.contexts(before, is_code);
        let memory = self.memory;
        let mut byte = 1;
        for half in [0, 1] {
            let mut groups = [&memory.groups[0][0]; CONTEXTS];
            let mut known = 0;
            for (group, hash) in groups.iter_mut().zip(hashes) {
                *group = find_group(&memory.groups, hash ^ byte << 16);
                known += usize::from(group[1].get() & COUNT > 0);
            }
            let mut bits = 1_usize;
            while bits < 16 {
                let mut weights = [&memory.weights[0][0]; WAYS];
                for_each!(I, WAYS, {
                    let more = if I == BY_BITS { known << 8 | bits << 1 } else { 0 };
                    weights[I] = &memory.weights[I][(sets[I] | more | half) & (SETS - 1)];
                });
                let mut inputs = [0_i64; CONTEXTS];
                let mut sum = 0;
                for_each!(I, CONTEXTS, {
                    inputs[I] = memory.log_odds[usize::from(groups[I][bits & 15].get())].get().into();
                    let mut weight = 0_i32;
                    for_each!(J, WAYS, weight = weight.wrapping_add(weights[J][I].get()));
                    sum += inputs[I] * i64::from(weight);
                });
                let mut log_odds = (sum >> WEIGHT_BITS) as i32;
                if !(-LOG_ODDS_LIMIT..=LOG_ODDS_LIMIT).contains(&log_odds) {
                    log_odds = log_odds.signum() * LOG_ODDS_LIMIT;
                }
                let probability = memory.probabilities[(log_odds + 12 * ONE) as usize].get();
                let bit = code(probability.into());
                let error = (if bit { 0xffff } else { 0 }) - i32::from(probability);
                if !(-ERROR..=ERROR).contains(&error) {
                    let steps = &memory.steps[usize::from(bit)];
                    let error = i64::from(error >> WEIGHT_DELAY);
                    // With many weights, a loop is worth its time.
                    if WAYS > 1 {
                        for index in 0..CONTEXTS {
                            correct(&weights, index, inputs[index] * error);
                            step(&groups[index][bits & 15], steps);
                        }
                    } else {
                        for_each!(I, CONTEXTS, {
                            correct(&weights, I, inputs[I] * error);
                            step(&groups[I][bits & 15], steps);
                        });
                    }
                }
                bits = bits << 1 | usize::from(bit);
            }
            byte = byte << 4 | bits as u32 & 15;
        }
        byte as u8
    }

    /// The hashes of the contexts of the byte after `before`, and the number of its set of weights by each way.
    #[inline(never)]
    fn contexts(&mut self, before: &[u8], is_code: bool) -> ([u32; CONTEXTS], [usize; WAYS]) {
        if let Some(byte) = before.last() {
            self.last = self.last << 8 | u32::from(*byte);
            if is_code {
                self.instruction.advance(*byte);
                if WAYS > 1 && self.instruction.is_whole() {
                    self.instruction.follow(self.last);
                    self.find_target(before.len() as u32);
                }
            } else {
                self.instruction = Instruction::DATA
            }
            let letter = byte.to_ascii_lowercase();
            self.word = if letter.is_ascii_lowercase() { hash(self.word, letter.into()) } else { 0 };
        }
        self.find_match(before);
        let (last, instruction) = (self.last, &self.instruction);
        let class = self.found.class();
        let expected = before.get(self.found.position).copied().unwrap_or(0);
        let mut numbers = if is_code {
            instruction.contexts(last, (WAYS > 1).then_some(self.to_target))
        } else {
            // Tables have columns of four bytes.
            let column = (before.len() as u32 & 3) << 8;
            let one = last & 0xff;
            [0, one, column | one, column | last >> 24, last & 0xffff, last & 0xff_ffff, self.word]
        };
        if class > 0 {
            // A match says more than what stands there without one.
            numbers[0] = 1 << 31 | (class as u32) << 8 | u32::from(expected);
        }
        let place = instruction.place();
        let mut contexts = [0; CONTEXTS];
        for ((context, number), index) in contexts.iter_mut().zip(numbers).zip(0..) {
            *context = hash(number, place << 3 | index);
        }
        let by_place = class * Instruction::PLACES + place as usize;
        let by_way = [by_place << 1, instruction.opcode_part(self.to_target) << 1, instruction.part() << 5];
        let mut sets = [0; WAYS];
        sets.iter_mut().zip(by_way).for_each(|(set, number)| *set = number);
        (contexts, sets)
    }

    /// Notes where the instruction that ends at `position` goes to, and finds the next such place.
    #[inline(never)]
    fn find_target(&mut self, position: u32) {
        let target = |place: u32| &self.memory.targets[(place & ((1 << TARGET_BITS) - 1)) as usize];
        if let Some(place) = self.instruction.target(self.last, position) {
            target(place).set(true);
        }
        self.to_target = (0..NEAR).find(|ahead| target(position.wrapping_add(*ahead)).get()).unwrap_or(NEAR);
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
        let position = &self.memory.positions[(hash(self.last, 0) >> (32 - POSITION_BITS)) as usize];
        if found.length == 0 {
            found.position = position.get() as usize;
            let earlier = before.get(..found.position).unwrap_or_default();
            let pairs = earlier.iter().rev().zip(before.iter().rev()).take(Match::LONG);
            found.length = pairs.take_while(|(earlier, byte)| earlier == byte).count();
        }
        position.set(before.len() as u32);
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

/// Corrects the weights of the guess of that number.
#[inline(always)]
fn correct<const CONTEXTS: usize, const WAYS: usize>(
    weights: &[&[Cell<i32>; CONTEXTS]; WAYS],
    number: usize,
    change: i64,
) {
    for_each!(I, WAYS, {
        let weight = &weights[I][number];
        weight.set(weight.get().wrapping_add(change as i32));
    });
}

/// Moves a counter on.
#[inline(always)]
fn step(counter: &Cell<u16>, steps: &[Cell<u16>; 1 << 16]) {
    counter.set(steps[usize::from(counter.get())].get());
}

/// A hash of a context of this kind. Its upper bits are the place of the group, and its lower half tells groups apart.
#[inline(always)]
fn hash(context: u32, kind: u32) -> u32 {
    ((u64::from(kind) << 32 | u64::from(context)).wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 32) as u32
}

/// The group of the context with this hash.
#[inline(always)]
fn find_group<const PAIRS: usize>(groups: &[[Group; 2]; PAIRS], hash: u32) -> &Group {
    let pair = &groups[(hash >> (32 - PAIRS.ilog2())) as usize];
    let check = hash as u16;
    if pair[0][0].get() == check { &pair[0] } else { other_group(pair, check) }
}

/// The group of the context with this check, which is not the first of the pair. If there is none yet, it gets the one
/// of the two that has learnt less.
#[inline(never)]
fn other_group([first, second]: &[Group; 2], check: u16) -> &Group {
    if second[0].get() == check {
        return second;
    }
    let group = if first[1].get() & COUNT > second[1].get() & COUNT { second } else { first };
    group.iter().for_each(|counter| counter.set(NEW));
    group[0].set(check);
    group
}

/// What becomes of a counter that moves towards `target`, which is 0 or FFFFh.
fn corrected(counter: u16, target: u16) -> u16 {
    let count = counter & COUNT;
    // How far it is from the target, above the count: both ways are one.
    let flip = target & !COUNT;
    let distance = counter ^ flip;
    let rate = RATES[usize::from(count)];
    let step = (u32::from(distance & !COUNT) * u32::from(rate) + (1 << (15 + COUNT_BITS))) >> 16;
    ((distance - (step as u16 & !COUNT)) ^ flip) + u16::from(count < COUNT)
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
    use super::*;

    #[test]
    fn counters_move_towards_the_bit_and_both_ways_alike() {
        for before in 0..=u16::MAX {
            let (down, up) = (corrected(before, 0), corrected(before ^ !COUNT, 0xffff));
            assert_eq!(down, up ^ !COUNT, "{before:x}");
            assert!(down & !COUNT <= before & !COUNT, "{before:x}");
            assert_eq!(down & COUNT, COUNT.min((before & COUNT) + 1), "{before:x}");
        }
    }

    #[test]
    fn a_context_finds_its_counters_again_unless_others_displace_it() {
        let memory = Quick::new_box_zeroed().unwrap();
        let [busy, idle, new] = [0x1234_0001, 0x1234_0002, 0x1234_0003].map(|hash| (&memory.groups, hash));
        let counter = |(groups, hash)| &find_group(groups, hash)[1];
        let learn = |context| counter(context).set(corrected(counter(context).get(), 0));
        (0..3).for_each(|_| learn(busy));
        learn(idle);
        assert_eq!(counter(busy).get() & COUNT, 3);
        assert_eq!(counter(idle).get() & COUNT, 1);
        assert_eq!(counter(new).get(), NEW);
        assert_eq!(counter(busy).get() & COUNT, 3);
        assert_eq!(counter(idle).get(), NEW);
    }

    #[test]
    fn contexts_of_different_kinds_have_different_hashes() {
        let mut hashes = [0; 600];
        for (number, entry) in (0..).zip(&mut hashes) {
            *entry = hash(7, number);
        }
        hashes.sort_unstable();
        assert!(hashes.windows(2).all(|pair| pair[0] != pair[1]));
    }
}
