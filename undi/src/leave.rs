//! Giving up what an image does not want kept of the vendor's stack, when another program is started or we leave.
//!
//! What to ask for and what follows from the answers is decided by [`plan`](crate::plan).

use crate::abi::{Opcode, UnloadStack};
use crate::driver::{Rom, UndiNic};
use crate::find::{Memory, VendorStack, find_again};
use crate::plan::{self, Card, Departure, Keep, LOW_MEMORY, Planner, Purpose};
use nic::Nic;
use zerocopy::{FromZeros, IntoBytes};

/// Closes the card and gives up what `keep` does not name, as far as `purpose` allows.
///
/// Our other hooks must be off, and the free-base-memory mark as we found it: so the ROM sees what it left.
pub fn leave<R: Rom>(nic: &mut UndiNic<R>, stack: &VendorStack, keep: Keep, purpose: Purpose) -> Departure {
    nic.close();
    let mut planner = Planner::new(stack, nic.card(), keep, purpose, &low_memory(nic.rom()));
    let rom = nic.rom();
    while let Some((call, entry)) = planner.next_call() {
        rom.set_entry(entry);
        // The parameters of all of them are a status and zeros.
        let mut parameters = UnloadStack::new_zeroed();
        let length = if call == Opcode::UNLOAD_STACK { size_of::<UnloadStack>() } else { 2 };
        let answer = rom.call(call, parameters.as_mut_bytes().get_mut(..length).unwrap_or_default()).ok();
        planner.answered(call, answer, find_again(&*rom, stack).map(|stack| stack.entry));
    }
    planner.decide(&low_memory(rom))
}

/// What would come of [`leave`] for a system, if the ROM granted all of it and memory stayed as it is but for our own,
/// without which the mark is `mark_kib`.
pub fn foresee<R: Rom>(nic: &mut UndiNic<R>, stack: &VendorStack, keep: Keep, mark_kib: u16) -> Departure {
    let card = Card { hooked: false, ..nic.card() };
    let mut low = low_memory(nic.rom());
    plan::set_mark(&mut low, mark_kib);
    let purpose = Purpose::System;
    Planner::new(stack, card, keep, purpose, &low).foresee(&low)
}

fn low_memory(memory: &dyn Memory) -> [u8; LOW_MEMORY] {
    let mut low = [0; LOW_MEMORY];
    memory.read(0, &mut low);
    low
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::abi::Status;
    use crate::fake::{FakeRom, bang_pxe};
    use crate::find::{Hints, find};
    use alloc::vec::Vec;
    use base::SegOff;

    const PXE: SegOff = SegOff::new(0x9a00, 0x70);
    const ENTRY: SegOff = SegOff::new(0x9a00, 0x10);
    const NOTHING: Keep = Keep { undi: false, pxe: false };

    /// Base code in the fake: 0x97000 to 0x98800; UNDI: 0x99800 to 0x9c000.
    fn left(change: impl Fn(&mut FakeRom)) -> (Departure, Vec<Opcode>) {
        let mut rom = FakeRom::default();
        let at = PXE.linear() as usize;
        rom.memory[at..at + 0x58].copy_from_slice(&bang_pxe(ENTRY));
        rom.memory[0x413..0x415].copy_from_slice(&604_u16.to_le_bytes());
        let stack = find(&&rom.memory[..], &Hints { stack: PXE, ..Hints::default() }).unwrap();
        change(&mut rom);
        let mut nic = UndiNic::try_new(rom).unwrap();
        nic.open().unwrap();
        nic.rom().calls.clear();
        let departure = leave(&mut nic, &stack, NOTHING, Purpose::System);
        let calls = nic.rom().calls.clone();
        (departure, calls)
    }

    #[test]
    fn the_plan_is_carried_out() {
        let (departure, calls) = left(|_| {});
        assert_eq!(calls, [Opcode::CLOSE, Opcode::SHUTDOWN, Opcode::UNLOAD_STACK, Opcode::STOP_UNDI]);
        assert_eq!((departure.mark_kib, departure.may_return), (610, false));
        let (departure, calls) = left(|rom| rom.failing.push((Opcode::STOP_UNDI, Status::KEEP_UNDI, 99)));
        assert_eq!(calls.iter().filter(|call| **call == Opcode::STOP_UNDI).count(), 1);
        assert_eq!(departure.mark_kib, 610);
    }

    #[test]
    fn a_rom_that_hangs_is_left_alone() {
        let (departure, calls) = left(|rom| rom.hangs_at = Some(Opcode::SHUTDOWN));
        assert_eq!(calls, [Opcode::CLOSE, Opcode::SHUTDOWN]);
        assert_eq!((departure.may_return, departure.mark_kib), (false, 604));
        let (departure, calls) = left(|rom| rom.hangs_at = Some(Opcode::CLOSE));
        assert_eq!((calls.len(), departure.may_return), (1, false));
    }

    #[test]
    fn a_handler_that_stays_keeps_the_undi() {
        let (departure, calls) = left(|rom| rom.hooked_over = true);
        assert!(!calls.contains(&Opcode::STOP_UNDI));
        assert_eq!((departure.mark_kib, departure.may_return), (604, false));
    }
}
