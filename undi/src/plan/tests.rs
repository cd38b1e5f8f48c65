//! The planner against ROMs that answer anything, and memory that says anything.

use super::*;
use crate::find::{Way, find};
use alloc::vec;
use proptest::prelude::*;

const ENTRY: SegOff = SegOff::new(0x9a00, 0x10);
const ALL: Keep = Keep { undi: true, pxe: true };
const UNDI: Keep = Keep { undi: true, pxe: false };
const NOTHING: Keep = Keep { undi: false, pxe: false };
const CARD: Card = Card { alive: true, hooked: false, etherboot: false, line: Some(11) };
const CALLS: [Opcode; 3] = STEPS;
const DONE: Option<Status> = Some(Status::SUCCESS);

/// Base code 0x97000 to 0x98800, UNDI 0x98800 to 0x9b000, then BIOS data.
fn stack() -> VendorStack {
    let segment = |segment, size| Segment { segment, size };
    VendorStack {
        entry: ENTRY,
        structure: SegOff::new(0x9a00, 0x70),
        is_bang_pxe: true,
        way: Way::EntryStack,
        undi: [segment(0x9880, 0x1800), segment(0x9a00, 0x1000), segment(0x9a00, 0x1000)],
        base_code: [segment(0x9700, 0x800), segment(0x9780, 0x1000), segment(0, 0), segment(0x9700, 0x400)],
        findings: Vec::new(),
    }
}

const FOUND: u16 = 604;
const UNLOADED: u16 = 610;
const STOPPED: u16 = 620;

fn low(mark_kib: u16) -> [u8; LOW_MEMORY] {
    let mut low = [0; LOW_MEMORY];
    low[MARK..MARK + 2].copy_from_slice(&mark_kib.to_le_bytes());
    low[EXTENDED_DATA..EXTENDED_DATA + 2].copy_from_slice(&0x9b00_u16.to_le_bytes());
    low
}

fn set_vector(low: &mut [u8], number: usize, to: SegOff) {
    low[number * 4..number * 4 + 2].copy_from_slice(&to.offset.to_le_bytes());
    low[number * 4 + 2..number * 4 + 4].copy_from_slice(&to.segment.to_le_bytes());
}

struct Case {
    card: Card,
    keep: Keep,
    purpose: Purpose,
    answers: [Option<Status>; 3],
    found: Option<SegOff>,
    after: [u8; LOW_MEMORY],
}

impl Case {
    fn new(keep: Keep) -> Self {
        Self {
            card: CARD,
            keep,
            purpose: Purpose::System,
            answers: [DONE; 3],
            found: Some(ENTRY),
            after: low(FOUND),
        }
    }

    fn of(keep: Keep, purpose: Purpose) -> Self {
        Self { purpose, ..Self::new(keep) }
    }

    fn run(&self, stack: &VendorStack) -> (Vec<Opcode>, Departure) {
        let mut planner = Planner::new(stack, self.card, self.keep, self.purpose, &low(FOUND));
        let mut calls = Vec::new();
        while let Some((call, _)) = planner.next_call() {
            let place = CALLS.iter().position(|known| *known == call).unwrap();
            calls.push(call);
            planner.answered(call, self.answers[place], self.found);
        }
        (calls, planner.decide(&self.after))
    }
}

fn last(departure: &Departure) -> &str {
    departure.lines.last().unwrap()
}

#[test]
fn the_suffix_says_what_is_asked() {
    let asked = |keep, purpose| Case::of(keep, purpose).run(&stack()).0;
    assert_eq!(asked(ALL, Purpose::NextDevice), []);
    assert_eq!(asked(ALL, Purpose::System), CALLS[..1]);
    assert_eq!(asked(UNDI, Purpose::NextDevice), CALLS[..2]);
    assert_eq!(asked(NOTHING, Purpose::System), CALLS);
}

#[test]
fn what_was_given_up_is_freed() {
    let mark = |keep| Case::new(keep).run(&stack()).1.mark_kib;
    assert_eq!((mark(ALL), mark(UNDI), mark(NOTHING)), (FOUND, UNLOADED, STOPPED));
    let (_, departure) = Case::new(UNDI).run(&stack());
    assert_eq!(
        departure.lines,
        [
            "UNDI_SHUTDOWN: success",
            "UNLOAD_STACK: success",
            "base code: given up",
            "UNDI: kept, as the image asks",
            "base memory: 604 KiB before, 610 KiB now: what is kept lies there",
        ]
    );
    assert!(!departure.may_return);
    let (_, departure) = Case::new(NOTHING).run(&stack());
    assert_eq!(last(&departure), "base memory: 604 KiB before, 620 KiB now: BIOS data lies there");
}

#[test]
fn a_refused_unload_keeps_all_and_the_way_back() {
    let answers = [DONE, Some(Status::KEEP_ALL), DONE];
    let (calls, departure) = Case { answers, ..Case::new(NOTHING) }.run(&stack());
    assert_eq!(calls, CALLS[..2]);
    assert!(departure.may_return && departure.mark_kib == FOUND);
    assert_eq!(last(&departure), "UNDI: kept, as the base code needs it");
}

#[test]
fn a_refused_stop_keeps_the_undi() {
    let answers = [DONE, DONE, Some(Status::KEEP_UNDI)];
    let (_, departure) = Case { answers, ..Case::new(NOTHING) }.run(&stack());
    assert_eq!((departure.mark_kib, departure.may_return), (UNLOADED, false));
    assert!(departure.lines.contains(&"UNDI: kept, as the ROM refused".into()));
}

#[test]
fn an_undi_without_base_code_can_be_stopped() {
    let answers = [DONE, Some(Status::UNSUPPORTED), DONE];
    let mut stack = stack();
    stack.base_code = [Segment::default(); 4];
    stack.undi[0] = Segment { segment: 0x9700, size: 0x3000 };
    let (_, departure) = Case { answers, ..Case::new(NOTHING) }.run(&stack);
    assert_eq!(departure.mark_kib, STOPPED);
    assert!(!departure.lines.iter().any(|line| line.starts_with("base code: kept")));
}

#[test]
fn a_loaded_undi_has_no_base_code() {
    let mut stack = VendorStack { way: Way::Loader, base_code: [Segment::default(); 4], ..stack() };
    stack.undi[0] = Segment { segment: 0x9700, size: 0x3000 };
    for (keep, expected, mark, fate) in [
        (ALL, &CALLS[..1], FOUND, "UNDI: kept, as the image asks"),
        (UNDI, &CALLS[..1], FOUND, "UNDI: kept, as the image asks"),
        (NOTHING, &[Opcode::SHUTDOWN, Opcode::STOP_UNDI], STOPPED, "UNDI: given up"),
    ] {
        let (calls, departure) = Case::new(keep).run(&stack);
        assert_eq!((&calls[..], departure.mark_kib), (expected, mark));
        assert!(departure.lines.contains(&fate.into()));
        assert!(!departure.lines.iter().any(|line| line.starts_with("base code")), "{departure:?}");
    }
}

#[test]
fn a_call_that_does_not_come_back_is_the_last() {
    for (place, call) in CALLS.iter().enumerate() {
        let mut answers = [DONE; 3];
        answers[place] = None;
        let (calls, departure) = Case { answers, ..Case::new(NOTHING) }.run(&stack());
        assert_eq!(calls.last(), Some(call));
        assert!(!departure.may_return);
        assert_eq!(departure.mark_kib, if place == 2 { UNLOADED } else { FOUND });
    }
    let card = Card { alive: false, ..CARD };
    let (calls, departure) = Case { card, ..Case::new(ALL) }.run(&stack());
    assert_eq!((calls, departure.may_return), (vec![], false));
}

#[test]
fn a_handler_that_stays_keeps_the_undi() {
    let card = Card { hooked: true, ..CARD };
    let (calls, departure) = Case { card, ..Case::new(NOTHING) }.run(&stack());
    assert_eq!(calls, CALLS[..2]);
    // It lies below all that could be freed, and whoever hooked over it goes on to it.
    assert_eq!((departure.mark_kib, departure.mask, departure.may_return), (FOUND, Some(11), false));
    assert_eq!(
        last(&departure),
        "base memory: 604 KiB before, 604 KiB now: our interrupt handler has to stay"
    );
    let (calls, departure) = Case { card, ..Case::of(ALL, Purpose::NextDevice) }.run(&stack());
    assert_eq!((calls, departure.may_return), (vec![], false));
}

#[test]
fn etherboot_keeps_its_base_code_for_the_undi() {
    let card = Card { etherboot: true, ..CARD };
    let (calls, departure) = Case { card, ..Case::new(UNDI) }.run(&stack());
    assert_eq!(calls, CALLS[..1]);
    assert!(departure.lines.contains(&"base code: kept, as this ROM would take the UNDI along".into()));
    assert_eq!(Case { card, ..Case::new(NOTHING) }.run(&stack()).0, CALLS);
}

#[test]
fn an_entry_point_that_went_away_is_not_called() {
    let mut stack = stack();
    stack.entry = SegOff::new(0x9780, 0x10);
    for (found, count) in [(None, 2), (Some(stack.entry), 2), (Some(ENTRY), 3)] {
        assert_eq!(Case { found, ..Case::new(NOTHING) }.run(&stack).0.len(), count);
    }
}

#[test]
fn a_vector_stops_the_freeing_and_masks_its_line() {
    let mut after = low(FOUND);
    set_vector(&mut after, 0x1a, SegOff::new(0x9880, 0x900));
    let (_, departure) = Case { after, ..Case::new(NOTHING) }.run(&stack());
    assert_eq!((departure.mark_kib, departure.mask), (UNLOADED + 2, None));
    assert_eq!(last(&departure), "base memory: 604 KiB before, 612 KiB now: INT 1ah leads there");
    set_vector(&mut after, 0x73, SegOff::new(0x9700, 0));
    let (_, departure) = Case { after, ..Case::new(NOTHING) }.run(&stack());
    assert_eq!((departure.mark_kib, departure.mask), (FOUND, Some(11)));
}

#[test]
fn segments_that_reach_into_bios_data_do_not_free_it() {
    let mut stack = stack();
    stack.undi[1].size = 0x5fff;
    let (_, departure) = Case::new(NOTHING).run(&stack);
    assert_eq!(departure.mark_kib, STOPPED);
    assert_eq!(last(&departure), "base memory: 604 KiB before, 620 KiB now: BIOS data lies there");
}

#[test]
fn empty_segments_free_nothing_and_say_so() {
    let mut stack = stack();
    stack.base_code = [Segment::default(); 4];
    let (_, departure) = Case::new(UNDI).run(&stack);
    assert!(departure.lines.contains(&"base code: given up, which has no memory".into()));
    assert_eq!(departure.mark_kib, FOUND);
}

#[test]
fn what_a_rom_frees_by_itself_is_looked_at() {
    // It raised the mark to the end of its UNDI, which it has not stopped.
    let answers = [DONE, DONE, Some(Status::FAILURE)];
    let (_, departure) = Case { answers, after: low(STOPPED), ..Case::new(NOTHING) }.run(&stack());
    assert_eq!(departure.mark_kib, UNLOADED);
    // Where nothing is known to lie there, the ROM is believed.
    let mut stack = stack();
    stack.base_code = [Segment::default(); 4];
    let (_, departure) = Case { after: low(UNLOADED), ..Case::new(UNDI) }.run(&stack);
    assert_eq!(departure.mark_kib, UNLOADED);
}

#[test]
fn memory_that_another_program_took_stays_taken() {
    let (_, departure) = Case { after: low(FOUND - 10), ..Case::new(NOTHING) }.run(&stack());
    assert_eq!(departure.mark_kib, FOUND - 10);
}

#[test]
fn a_kib_that_is_shared_stays() {
    let mut stack = stack();
    stack.base_code[1].size = 0x1100;
    stack.undi[0] = Segment { segment: 0x98a0, size: 0x1600 };
    assert_eq!(Case::new(UNDI).run(&stack).1.mark_kib, UNLOADED);
}

#[test]
fn keeping_the_base_code_keeps_the_undi() {
    assert_eq!(Keep::from_bits(image_header::KEEP_PXE), ALL);
    assert_eq!(Keep::from_bits(image_header::KEEP_UNDI), UNDI);
    assert_eq!(Keep::from_bits(0), NOTHING);
}

#[test]
fn a_real_structure_is_planned_for() {
    let mut memory = vec![0; 0x10_0000];
    let at = SegOff::new(0x9a00, 0x70);
    memory[at.linear() as usize..][..0x58].copy_from_slice(&crate::fake::bang_pxe(ENTRY));
    memory[..LOW_MEMORY].copy_from_slice(&low(FOUND));
    let hints = crate::find::Hints { stack: at, ..crate::find::Hints::default() };
    let stack = find(&&memory[..], &hints).unwrap();
    let low = low(FOUND);
    let departure = Planner::new(&stack, CARD, NOTHING, Purpose::System, &low).foresee(&low);
    // There is a hole between base code and UNDI.
    assert_eq!(departure.mark_kib, UNLOADED);
}

/// A ROM as it should be, whose entry point and timer are the base code's until that is given up.
#[test]
fn what_is_foreseen_comes_true() {
    let mut stack = stack();
    stack.entry = SegOff::new(0x9780, 0x10);
    let mut before = low(FOUND);
    set_vector(&mut before, 0x1c, SegOff::new(0x9780, 0x20));
    set_vector(&mut before, 0x1a, SegOff::new(0x9a00, 0x20));
    for keep in [ALL, UNDI, NOTHING] {
        let mut after = before;
        if !keep.pxe {
            set_vector(&mut after, 0x1c, SegOff::default());
        }
        if !keep.undi {
            set_vector(&mut after, 0x1a, SegOff::default());
        }
        let (_, departure) = Case { after, ..Case::new(keep) }.run(&stack);
        let planner = Planner::new(&stack, CARD, keep, Purpose::System, &before);
        assert_eq!(planner.foresee(&before), departure);
    }
}

fn segments<const COUNT: usize>() -> impl Strategy<Value = [Segment; COUNT]> {
    let one = (0x9000u16..0xa400, prop_oneof![Just(0), 0u16..0x4000]);
    prop::collection::vec(one, COUNT).prop_map(|all| {
        let mut segments = [Segment::default(); COUNT];
        for (to, (segment, size)) in segments.iter_mut().zip(all) {
            *to = Segment { segment, size };
        }
        segments
    })
}

fn answer() -> impl Strategy<Value = Option<Status>> {
    prop_oneof![4 => Just(DONE), 2 => (0u16..0x70).prop_map(|status| Some(Status(status))), 1 => Just(None)]
}

fn pointer() -> impl Strategy<Value = SegOff> {
    (0x8000u16..0xa800, 0u16..0x800).prop_map(|(segment, offset)| SegOff::new(segment, offset))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]
    #[test]
    fn nothing_in_use_is_ever_freed(
        (undi, base_code) in (segments::<3>(), segments::<4>()),
        (structure, entry, found) in (pointer(), pointer(), prop::option::of(pointer())),
        answers in [answer(), answer(), answer()],
        (alive, hooked, etherboot) in (prop::bool::weighted(0.9), any::<bool>(), any::<bool>()),
        (keep, purpose) in (0u32..4, 0usize..2),
        (mark, freed) in (570u16..640, prop_oneof![3 => Just(0i16), 1 => -20i16..40]),
        starts_at_mark: bool,
        vectors in prop::collection::vec((1usize..256, pointer()), 0..3),
        extended_data in prop_oneof![Just(0x9fc0u16), 0x9000u16..0xa000],
    ) {
        let mut stack = VendorStack { undi, base_code, structure, entry, ..stack() };
        if starts_at_mark {
            stack.base_code[0] = Segment { segment: mark * 64, size: 0x1400 };
            stack.undi[0] = Segment { segment: mark * 64 + 0x140, size: 0x2000 };
        }
        let mut after = low(mark.saturating_add_signed(freed));
        after[EXTENDED_DATA..EXTENDED_DATA + 2].copy_from_slice(&extended_data.to_le_bytes());
        for (number, to) in &vectors {
            set_vector(&mut after, *number, *to);
        }
        let card = Card { alive, hooked, etherboot, line: Some(11) };
        let purpose = [Purpose::System, Purpose::NextDevice][purpose];
        let keep = Keep::from_bits(keep);
        let mut planner = Planner::new(&stack, card, keep, purpose, &low(mark));
        let mut calls = Vec::new();
        while let Some((call, _)) = planner.next_call() {
            prop_assert!(!calls.contains(&call), "asked twice");
            let place = CALLS.iter().position(|known| *known == call).unwrap();
            prop_assert!(calls.iter().all(|before| CALLS[..place].contains(before)), "out of order");
            calls.push(call);
            planner.answered(call, answers[place], found);
        }
        let granted = |call: Opcode| {
            let place = CALLS.iter().position(|known| *known == call).unwrap();
            calls.contains(&call) && answers[place] == DONE
        };
        let (unloaded, stopped) = (granted(Opcode::UNLOAD_STACK), granted(Opcode::STOP_UNDI));
        prop_assert!(!keep.pxe || !unloaded);
        prop_assert!(!keep.undi || !stopped);
        let departure = planner.decide(&after);
        prop_assert!(!departure.may_return || !(unloaded || stopped));
        let seen = word(&after, MARK);
        prop_assert!(departure.mark_kib >= mark.min(seen));
        prop_assert!(seen >= mark || departure.mark_kib == seen);
        prop_assert!(departure.mark_kib <= 640.max(mark));
        let freed = PhysRange::new(u64::from(mark) * KIB, u64::from(departure.mark_kib) * KIB);
        let free_of = |range: PhysRange| freed.intersection(range).is_empty();
        if !unloaded {
            prop_assert!(stack.base_code.iter().all(|segment| free_of(segment.range())));
        }
        if !stopped {
            prop_assert!(stack.undi.iter().all(|segment| free_of(segment.range())));
            prop_assert!(free_of(byte(structure)));
        }
        prop_assert!(vectors.iter().all(|(number, _)| free_of(vector(&after, u8::try_from(*number).unwrap()))));
        prop_assert!(free_of(byte(SegOff::new(extended_data, 0))));
        // All that is freed was somebody's who gave it up, or was freed by the ROM itself.
        for kib in mark..departure.mark_kib {
            let range = PhysRange::with_length(u64::from(kib) * KIB, KIB);
            let given_up = |segments: &[Segment]| segments.iter().any(|segment| segment.range().overlaps(range));
            prop_assert!(
                kib < seen || (unloaded && given_up(&stack.base_code)) || (stopped && given_up(&stack.undi))
            );
        }
    }
}
