//! What of the vendor's stack is asked to be given up, what is given up by that, and what is therefore kept and why.
//!
//! The planner is a value without a machine: answers and memory go in, calls and decisions come out. `leave` makes
//! the calls.
//!
//! The order is that of PXE 2.1 section 4.2: SHUTDOWN, UNLOAD_STACK, STOP_UNDI, each at most once (field note A6).
//! The UNDI is never stopped under a base code that stays. Base memory is freed KiB by KiB from its mark up, as far
//! as all was given up and nothing is seen to point there.

use crate::abi::{Opcode, Status};
use crate::find::{Segment, VendorStack, Way};
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;
use base::{PhysRange, SegOff, image_header};

/// What an image wants kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Keep {
    /// The UNDI.
    pub undi: bool,
    /// The base code, which needs the UNDI.
    pub pxe: bool,
}

impl Keep {
    /// From the field of the image header.
    pub fn from_bits(bits: u32) -> Self {
        let pxe = bits & image_header::KEEP_PXE != 0;
        Self { undi: pxe || bits & image_header::KEEP_UNDI != 0, pxe }
    }
}

/// Why we leave.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// For an operating system, which drives the card itself.
    System,
    /// For the next boot device.
    NextDevice,
}

/// What is known of the card when we leave.
#[derive(Clone, Copy, Debug)]
pub struct Card {
    /// No call of its ROM was abandoned.
    pub alive: bool,
    /// Our interrupt handler could not be taken off, as another program hooked the vector after us.
    pub hooked: bool,
    /// Its base code is one of those that take the UNDI along.
    pub etherboot: bool,
    /// Its interrupt line.
    pub line: Option<u8>,
}

/// What came of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Departure {
    /// What was asked, answered, kept and freed, for the report.
    pub lines: Vec<String>,
    /// The free-base-memory mark (0040:0013) that is true now, in KiB.
    pub mark_kib: u16,
    /// Whether a far return into the vendor's stack is possible: all of it is there still, and nothing of ours in it.
    pub may_return: bool,
    /// A line that has to be masked, because its vector leads into what was given up, or through our handler.
    pub mask: Option<u8>,
}

/// Decides step by step. Base memory of our own must be given back before.
#[derive(Clone, Debug)]
pub struct Planner<'a> {
    stack: &'a VendorStack,
    card: Card,
    purpose: Purpose,
    keep: Keep,
    /// The mark before anything was asked.
    mark_kib: u16,
    /// Calls that were thought of.
    steps: usize,
    /// The entry point that is true now.
    entry: Option<SegOff>,
    unloaded: bool,
    stopped: bool,
    /// There is no base code, or it is gone.
    undi_alone: bool,
    /// Nothing is asked: a part that is given up is taken to let go of its interrupts.
    foresees: bool,
    lines: Vec<String>,
}

const STEPS: [Opcode; 3] = [Opcode::SHUTDOWN, Opcode::UNLOAD_STACK, Opcode::STOP_UNDI];

/// Bytes of memory from 0 on that the planner wants to see: interrupt vectors and BIOS data area.
pub const LOW_MEMORY: usize = 0x500;
/// In the BIOS data area: the segment of its extension.
const EXTENDED_DATA: usize = 0x40e;
/// And KiB of free base memory.
const MARK: usize = 0x413;
const KIB: u64 = 1024;
const BASE_MEMORY_END: u16 = 640;

impl<'a> Planner<'a> {
    /// Nothing was asked yet.
    pub fn new(
        stack: &'a VendorStack,
        card: Card,
        keep: Keep,
        purpose: Purpose,
        low: &[u8; LOW_MEMORY],
    ) -> Self {
        Self {
            stack,
            card,
            purpose,
            keep,
            mark_kib: word(low, MARK),
            steps: 0,
            entry: Some(stack.entry),
            unloaded: false,
            stopped: false,
            undi_alone: stack.way == Way::Loader,
            foresees: false,
            lines: Vec::new(),
        }
    }

    /// The call that is to be made next, and by which entry point.
    pub fn next_call(&mut self) -> Option<(Opcode, SegOff)> {
        while let (Some(call), Some(entry), true) = (STEPS.get(self.steps), self.entry, self.card.alive) {
            self.steps += 1;
            let is_wanted = match *call {
                // A system finds the card as its driver expects it (field note A22).
                Opcode::SHUTDOWN => self.purpose == Purpose::System || !self.keep.pxe,
                Opcode::UNLOAD_STACK => !self.keep.pxe && !self.undi_alone && !self.takes_undi_along(),
                _ => !self.keep.undi && self.undi_alone && !self.card.hooked,
            };
            if is_wanted {
                return Some((*call, entry));
            }
        }
        None
    }

    fn takes_undi_along(&self) -> bool {
        self.card.etherboot && self.keep.undi
    }

    /// Takes in what `call` was answered; none if it did not come back. `found` is the entry point of the stack that
    /// memory holds now.
    pub fn answered(&mut self, call: Opcode, answer: Option<Status>, found: Option<SegOff>) {
        let text = answer.map_or("no answer", Status::text);
        self.lines.push(format!("{}: {text}", call.name()));
        self.card.alive = answer.is_some();
        let done = answer == Some(Status::SUCCESS);
        if call == Opcode::STOP_UNDI {
            self.stopped = done;
        } else if call == Opcode::UNLOAD_STACK {
            self.unloaded = done;
            self.undi_alone = done || answer == Some(Status::UNSUPPORTED);
            if done {
                let is_gone = |entry: &SegOff| reaches(&self.stack.base_code, byte(*entry));
                self.entry = found.or(self.entry).filter(|entry| !is_gone(entry));
            }
        }
    }

    /// What is free and what stays, by the memory `low` after the last call.
    pub fn decide(mut self, low: &[u8; LOW_MEMORY]) -> Departure {
        let is_missing = self.undi_alone && !self.unloaded && !self.base_code_has_memory();
        for (part, given_up, fate) in
            [("base code", self.unloaded, self.base_code()), ("UNDI", self.stopped, self.undi())]
                .into_iter()
                .skip(usize::from(is_missing))
        {
            self.lines.push(format!("{part}: {}{fate}", if given_up { "given up" } else { "kept, " }));
        }
        let (mark_kib, why) = self.free_from(low);
        if mark_kib != self.mark_kib || self.unloaded || self.stopped {
            let before = self.mark_kib;
            self.lines.push(format!("base memory: {before} KiB before, {mark_kib} KiB now{why}"));
        }
        Departure {
            mark_kib,
            may_return: self.card.alive && !self.card.hooked && !self.unloaded && !self.stopped,
            mask: self.card.line.filter(|line| {
                self.card.hooked
                    || self.is_given_up(vector(low, if *line < 8 { 0x08 + line } else { 0x68 + line }))
            }),
            lines: self.lines,
        }
    }

    /// The decision if every call succeeded, and did all that it should: memory is as it was, but for the interrupts of
    /// what is given up. The entry point is then in the UNDI.
    pub fn foresee(mut self, low: &[u8; LOW_MEMORY]) -> Departure {
        self.foresees = true;
        let [_, code, _] = self.stack.undi;
        while let Some((call, _)) = self.next_call() {
            self.answered(call, Some(Status::SUCCESS), Some(SegOff::new(code.segment, 0)));
        }
        self.decide(low)
    }

    /// Why the base code is where it is.
    fn base_code(&self) -> &'static str {
        if self.unloaded {
            if self.base_code_has_memory() { "" } else { ", which has no memory" }
        } else if self.keep.pxe {
            WISH
        } else if !self.card.alive {
            HANGS
        } else if self.takes_undi_along() {
            "as this ROM would take the UNDI along"
        } else {
            REFUSED
        }
    }

    fn base_code_has_memory(&self) -> bool {
        reaches(&self.stack.base_code, PhysRange::new(0, u64::MAX))
    }

    /// Why the UNDI is where it is.
    fn undi(&self) -> &'static str {
        if self.stopped {
            ""
        } else if self.keep.undi {
            WISH
        } else if !self.card.alive {
            HANGS
        } else if self.card.hooked {
            "as another program hooked its interrupt after us"
        } else if !self.undi_alone {
            "as the base code needs it"
        } else if self.entry.is_none() {
            "as its entry point went with the base code"
        } else {
            REFUSED
        }
    }

    /// Whether a part that was given up reaches into `range`.
    fn is_given_up(&self, range: PhysRange) -> bool {
        self.unloaded && reaches(&self.stack.base_code, range)
            || self.stopped && reaches(&self.stack.undi, range)
    }

    /// Whether a part that is kept does.
    fn is_kept(&self, range: PhysRange) -> bool {
        !self.unloaded && reaches(&self.stack.base_code, range)
            || !self.stopped
                && (reaches(&self.stack.undi, range)
                    || range.contains(byte(self.stack.structure))
                    || self.entry.is_some_and(|entry| range.contains(byte(entry))))
    }

    /// The mark that is true, in KiB, and what lies above it.
    fn free_from(&self, low: &[u8; LOW_MEMORY]) -> (u16, String) {
        // What a ROM frees by itself is given up as well, and as little trusted.
        let seen = word(low, MARK);
        let mut kib = self.mark_kib.min(seen);
        let extended_data = byte(SegOff::new(word(low, EXTENDED_DATA), 0));
        let why = loop {
            let range = PhysRange::with_length(u64::from(kib) * KIB, KIB);
            if seen < self.mark_kib {
                break ": another program has taken some";
            } else if self.card.hooked {
                // It lies below what could be freed.
                break ": our interrupt handler has to stay";
            } else if kib >= BASE_MEMORY_END {
                break "";
            } else if self.is_kept(range) {
                break ": what is kept lies there";
            } else if range.contains(extended_data) {
                break ": BIOS data lies there";
            } else if kib >= seen && !self.is_given_up(range) {
                break ": what lies there was not given up";
            }
            for number in 0..=0xff {
                let handler = vector(low, number);
                if range.contains(handler) && !(self.foresees && self.is_given_up(handler)) {
                    return (kib, format!(": INT {number:02x}h leads there"));
                }
            }
            kib += 1;
        };
        (kib, why.into())
    }
}

const WISH: &str = "as the image asks";
const HANGS: &str = "as a call of the ROM has not come back";
const REFUSED: &str = "as the ROM refused";

/// Puts another mark into a copy of low memory.
pub(crate) fn set_mark(low: &mut [u8; LOW_MEMORY], kib: u16) {
    if let Some(place) = low.get_mut(MARK..).and_then(|rest| rest.first_chunk_mut()) {
        *place = kib.to_le_bytes();
    }
}

/// The byte at a far pointer.
fn byte(at: SegOff) -> PhysRange {
    PhysRange::with_length(at.linear().into(), 1)
}

/// Whether one of the segments has a byte of `range`.
fn reaches(segments: &[Segment], range: PhysRange) -> bool {
    segments.iter().any(|segment| !segment.range().intersection(range).is_empty())
}

fn word(low: &[u8], at: usize) -> u16 {
    let bytes = low.get(at..).and_then(|rest| rest.first_chunk());
    bytes.map_or(0, |bytes| u16::from_le_bytes(*bytes))
}

/// The byte that an interrupt vector leads to.
fn vector(low: &[u8], number: u8) -> PhysRange {
    let at = usize::from(number) * 4;
    byte(SegOff::new(word(low, at + 2), word(low, at)))
}

#[cfg(test)]
mod tests;
