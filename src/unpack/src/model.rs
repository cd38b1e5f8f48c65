//! The model: what the next bit of the payload probably is, by all that came before.
//!
//! It is a context-mixing model. Each of several contexts - the bytes before, the place in an instruction - has a
//! counter of its own, which learns how often a 1 follows it; one more guess comes from the last place where the same
//! bytes stood. All guesses are added up in the logistic domain, with weights that learn which of them to trust
//! where. The packer and the unpacker run the same model over the same bytes, so nothing of it is in the image.
//!
//! The functions are not inlined: one large function has more variables than registers, and is longer than its parts.

use crate::mix;
use crate::x86::Instruction;
use zerocopy::{FromBytes, IntoBytes};

/// The memory of a model.
#[derive(FromBytes, IntoBytes)]
#[repr(C)]
pub struct Memory {
    /// What each context has taught, by [`Context::slot`].
    counters: [u16; 1 << COUNTER_BITS],
    /// Where the bytes before the current place stood the last time, by their digest.
    positions: [u32; 1 << POSITION_BITS],
    /// How much each guess is worth, by the place in an instruction and the match.
    weights: [[i32; INPUTS]; SETS],
    /// The logarithm of the odds that a counter gives, by its upper bits.
    log_odds: [i32; 1 << (16 - COUNT_BITS)],
    /// The probability, in 1/65536, that a logarithm of odds stands for, from -12 to 12 times [`ONE`].
    probabilities: [i32; 24 * ONE as usize],
}

const COUNTER_BITS: u32 = 21;
const POSITION_BITS: u32 = 16;
/// Contexts with counters.
const CONTEXTS: usize = 7;
/// All guesses: the last is that of the match.
const INPUTS: usize = CONTEXTS + 1;
/// Sets of weights: for each place in an instruction, without a match, with a short one, and with a long one.
const SETS: usize = 3 * Instruction::PLACES;
/// Bytes that must agree to make a match.
const MATCH_LENGTH: usize = 5;
/// Matches longer than this are all alike.
const MATCH_LENGTH_LIMIT: usize = 31;

/// A counter has 12 bits of probability, and below them 4 bits that count how often it was corrected.
const COUNT_BITS: u32 = 4;
const COUNT: u16 = (1 << COUNT_BITS) - 1;
/// A counter that has learnt nothing.
const NEW: u16 = 0x8000;
/// A counter is corrected this many times before it forgets as fast as it learns.
const COUNT_LIMIT: u16 = 10;
/// How far a counter is corrected, by how often it was before, in 1/65536: one over that number and 1.6, so that the
/// first bits count almost alike.
const RATES: [u16; 16] =
    [40960, 25206, 18204, 14247, 11702, 9929, 8623, 7620, 6826, 6182, 5650, 5201, 4819, 4489, 4201, 3947];

/// The weight of each guess at first, in 1/65536.
const WEIGHT: i32 = 20_000;
/// Weights that were wrong by less are left as they are, which takes no time.
const ERROR: i32 = 100;
/// The logarithm of odds of 2 to 1.
const ONE: i32 = 256;
/// Odds of 2 to the power of 12 and more are taken for less than that.
const LOG_ODDS_LIMIT: i32 = 12 * ONE - 1;

/// The model, between two bits.
pub struct Model<'a> {
    memory: &'a mut Memory,
    contexts: [Context; CONTEXTS],
    instruction: Instruction,
    found: Match,
    /// The bits of the current byte so far, below a 1.
    partial: u32,
    // What is to be learnt from: the guesses, their set of weights, and the probability that came of them.
    inputs: [i32; INPUTS],
    set: usize,
    probability: i32,
}

/// What came before, as one number; it has a counter for each bit of the next byte.
#[derive(Clone, Copy, Default)]
struct Context(u32);

impl Context {
    /// Where the counter for the bit after those of `partial` is: on one page for all bits of a byte, for the page's
    /// entry in the TLB takes longer to get than the counter.
    fn slot(self, partial: u32) -> usize {
        (self.0 >> (32 - COUNTER_BITS) ^ partial << 3) as usize
    }
}

/// An earlier place where the same bytes stood.
#[derive(Default)]
struct Match {
    /// What came after it, and how many bytes are the same; 0 without such a place.
    position: usize,
    length: usize,
    /// The byte at `position`, below a 1.
    byte: u32,
    /// What the next bit is if the bytes go on to be the same.
    bit: bool,
    counters: [u16; MATCH_LENGTH_LIMIT + 1],
}

impl<'a> Model<'a> {
    /// A model that has learnt nothing.
    #[inline(never)]
    pub fn new(memory: &'a mut Memory) -> Self {
        memory.counters.fill(NEW);
        memory.positions.fill(0);
        memory.weights.as_flattened_mut().fill(WEIGHT);
        for (probability, log_odds) in (8..).step_by(1 << COUNT_BITS).zip(&mut memory.log_odds) {
            *log_odds = logarithm(probability) - logarithm(65_536 - probability);
        }
        for (log_odds, entry) in (-12 * ONE..).zip(&mut memory.probabilities) {
            *entry = probability(log_odds);
        }
        Self {
            memory,
            contexts: Default::default(),
            instruction: Instruction::CODE,
            found: Match { counters: [NEW; MATCH_LENGTH_LIMIT + 1], ..Match::default() },
            partial: 0,
            inputs: [0; INPUTS],
            set: 0,
            probability: 0,
        }
    }

    /// Prepares for the byte after `before`. The bytes come one after the other: only the last one of `before` is new.
    /// `is_code` tells whether that one is code.
    #[inline(never)]
    pub fn begin(&mut self, before: &[u8], is_code: bool) {
        match before.last() {
            Some(byte) if is_code => self.instruction.advance(*byte),
            Some(_) => self.instruction = Instruction::DATA,
            None => {}
        }
        let mut backwards = before.iter().rev().map(|byte| u32::from(*byte));
        let [one, two, three] = [(); 3].map(|()| backwards.next().unwrap_or(0));
        let place = self.instruction.place();
        let contexts = [
            (0, one << 8 | two),
            (0, two << 8 | three),
            (place, 0),
            (place, one),
            (place, self.instruction.form()),
            (place, self.instruction.bytes()),
            (place, self.instruction.pair()),
        ];
        for (number, (context, (place, detail))) in (0..).zip(self.contexts.iter_mut().zip(contexts)) {
            *context = Context(mix(detail, place << 3 | number));
        }
        self.partial = 1;
        self.find_match(before);
    }

    /// Finds where the bytes at the end of `before` stood before.
    #[inline(never)]
    fn find_match(&mut self, before: &[u8]) {
        let found = &mut self.found;
        if found.length > 0 {
            found.length += 1;
            found.position += 1;
        }
        let Some(last) = before.last_chunk::<MATCH_LENGTH>() else { return };
        let key = last.iter().fold(0, |key, byte| mix(key, (*byte).into())) >> (32 - POSITION_BITS);
        let Some(position) = self.memory.positions.get_mut(key as usize) else { return };
        if found.length == 0 {
            found.position = *position as usize;
            let earlier = before.get(..found.position).unwrap_or_default();
            let pairs = earlier.iter().rev().zip(before.iter().rev()).take(MATCH_LENGTH_LIMIT);
            found.length = pairs.take_while(|(earlier, byte)| earlier == byte).count();
        }
        *position = u32::try_from(before.len()).unwrap_or(0);
        found.byte = 0x100 | before.get(found.position).copied().map_or(0, u32::from);
    }

    /// How probable it is that the next bit is a 1, in 1/65536; never 0 or 1.
    #[inline(never)]
    pub fn guess(&mut self) -> u32 {
        let memory = &*self.memory;
        let log_odds = |counter: Option<&u16>| {
            let log_odds =
                counter.and_then(|counter| memory.log_odds.get(usize::from(*counter >> COUNT_BITS)));
            log_odds.copied().unwrap_or(0)
        };
        for (context, input) in self.contexts.iter().zip(&mut self.inputs) {
            *input = log_odds(memory.counters.get(context.slot(self.partial)));
        }
        let found = &mut self.found;
        let bits_left = self.partial.leading_zeros() - 23;
        if found.byte >> bits_left != self.partial {
            found.length = 0;
        }
        found.bit = found.byte >> (bits_left - 1) & 1 != 0;
        let certainty = log_odds(found.counters.get(found.class()));
        self.inputs[CONTEXTS] = match (found.length, found.bit) {
            (0, _) => 0,
            (_, true) => certainty,
            (_, false) => -certainty,
        };
        let kind = match found.length {
            0 => 0,
            1..16 => 1,
            _ => 2,
        };
        self.set = kind * Instruction::PLACES + self.instruction.place() as usize;
        let weights = memory.weights.get(self.set).into_iter().flatten();
        let sum: i32 = weights.zip(&self.inputs).map(|(weight, input)| (weight * input) >> 8).sum();
        self.probability = memory.probability((sum >> 8).clamp(-LOG_ODDS_LIMIT, LOG_ODDS_LIMIT));
        self.probability.clamp(16, 65_520).unsigned_abs()
    }

    /// Learns what the bit was.
    #[inline(never)]
    pub fn learn(&mut self, bit: bool) {
        let error = ((if bit { 65_536 } else { 0 } - self.probability) * 3) >> 4;
        if error.abs() >= ERROR {
            for (weight, input) in
                self.memory.weights.get_mut(self.set).into_iter().flatten().zip(&self.inputs)
            {
                *weight += (input * error + (1 << 13)) >> 14;
            }
        }
        for context in &self.contexts {
            if let Some(counter) = self.memory.counters.get_mut(context.slot(self.partial)) {
                correct(counter, bit);
            }
        }
        let found = &mut self.found;
        let class = found.class();
        if let Some(counter) = found.counters.get_mut(class) {
            correct(counter, bit == found.bit);
        }
        self.partial = self.partial << 1 | u32::from(bit);
    }
}

impl Memory {
    /// What the table says; `log_odds` is within its limits.
    fn probability(&self, log_odds: i32) -> i32 {
        self.probabilities.get((log_odds + 12 * ONE) as usize).copied().unwrap_or(0)
    }
}

impl Match {
    /// Its counter.
    fn class(&self) -> usize {
        self.length.min(MATCH_LENGTH_LIMIT)
    }
}

/// Moves `counter` towards `bit`.
#[allow(clippy::cast_possible_truncation, reason = "the probability stays below 4096")]
fn correct(counter: &mut u16, bit: bool) {
    let count = *counter & COUNT;
    let rate = RATES.get(usize::from(count)).copied().map_or(0, u32::from);
    let probability = u32::from(*counter >> COUNT_BITS);
    let probability = if bit {
        probability + (((4095 - probability) * rate) >> 16)
    } else {
        probability - ((probability * rate) >> 16)
    };
    *counter = (probability << COUNT_BITS) as u16 | (count + 1).min(COUNT_LIMIT);
}

/// The probability, in 1/65536, with these odds, of which the logarithm is given as [`logarithm`] makes it.
fn probability(log_odds: i32) -> i32 {
    let size = log_odds.abs();
    let odds = (256 + (size & 0xff)) << (size >> 8);
    let smaller = (1 << 24) / (odds + 256);
    if log_odds > 0 { 65_536 - smaller } else { smaller }
}

/// The logarithm of `value`, in 1/256 of a power of 2; between two powers of 2 it is a straight line.
fn logarithm(value: u32) -> i32 {
    let whole = value.ilog2();
    ((whole << 8) + (((value << 8) >> whole) & 0xff)) as i32
}
