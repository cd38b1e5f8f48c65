//! Giving up what an image does not want kept of the vendor's stack, when another program is started or we leave.
//!
//! `.kkpxe` gives up nothing. `.kpxe` shuts the card down and unloads the base code. `.pxe` asks STOP_UNDI as well,
//! once. Memory is freed only where it is proven to be the lowest in use and to be nobody's: what is asked, what was
//! answered and what was freed are told line by line.

use crate::abi::{self, Opcode, Status};
use crate::driver::{Rom, UndiNic};
use crate::find::{Memory, VendorStack, find_again};
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;
use base::{PhysAddr, PhysRange, SegOff, image_header};
use nic::Nic;
use zerocopy::{FromZeros, IntoBytes};

/// What an image wants kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Keep {
    /// The UNDI.
    pub undi: bool,
    /// The base code.
    pub pxe: bool,
}

impl Keep {
    /// From the field of the image header.
    pub fn from_bits(bits: u32) -> Self {
        Self { undi: bits & image_header::KEEP_UNDI != 0, pxe: bits & image_header::KEEP_PXE != 0 }
    }
}

/// What came of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Departure {
    /// What was asked, answered and freed, for the report.
    pub lines: Vec<String>,
    /// The free-base-memory mark (0040:0013) that is now true, in KiB, where it has risen.
    pub mark_kib: Option<u16>,
    /// Whether a far return into the vendor's stack is possible: nothing was unloaded.
    pub may_return: bool,
    /// A line that has to be masked, because its vector leads into the vendor's code.
    pub mask: Option<u8>,
}

/// Closes the card and gives up what `keep` does not name.
///
/// Our other hooks must be off. `own_kib` are the KiB that we ourselves hold between the mark and the vendor's
/// memory; `mark_kib` of the answer is without them.
pub fn leave<R: Rom>(nic: &mut UndiNic<R>, stack: &VendorStack, keep: Keep, own_kib: u16) -> Departure {
    nic.close();
    let mut departure = Departure { lines: Vec::new(), mark_kib: None, may_return: false, mask: None };
    if nic.is_hooked() {
        departure
            .lines
            .push("the interrupt handler stays: another program hooked the vector after us".into());
    }
    if !nic.is_alive() {
        departure.lines.push("nothing was unloaded: a call of the ROM has not come back".into());
        return departure;
    }
    departure.may_return = true;
    if keep.pxe && keep.undi {
        departure.lines.push("kept: PXE and UNDI, as the image asks".into());
        return departure;
    }
    let mut ask = |rom: &mut R, call: Opcode, parameters: &mut [u8]| {
        let answer = rom.call(call, parameters);
        let text = answer.as_ref().map_or("no answer", |status| status.text());
        departure.lines.push(format!("{}: {text}", call.name()));
        answer.ok()
    };
    let etherboot = nic.is_etherboot();
    let ours_on_top = !nic.is_hooked();
    let rom = nic.rom();
    let mut alive = ask(rom, Opcode::SHUTDOWN, &mut [0; 2]).is_some();
    let mut unloaded = false;
    let mut stopped = false;
    let mut reachable = true;
    // Such a ROM takes its UNDI along.
    if alive && !keep.pxe && !(etherboot && keep.undi) {
        let answer = ask(rom, Opcode::UNLOAD_STACK, abi::UnloadStack::new_zeroed().as_mut_bytes());
        alive = answer.is_some();
        unloaded = answer == Some(Status::SUCCESS);
        if unloaded {
            // The entry point may have been the base code's.
            let entry = PhysRange::with_length(stack.entry.linear().into(), 1);
            let gone = stack.base_code.iter().any(|segment| segment.range().overlaps(entry));
            match find_again(&*rom) {
                Some(again) => rom.set_entry(again.entry),
                None => reachable = !gone,
            }
        }
    }
    if alive && reachable && ours_on_top && !keep.undi {
        let answer = ask(rom, Opcode::STOP_UNDI, &mut [0; 2]);
        alive = answer.is_some();
        stopped = answer == Some(Status::SUCCESS);
    }
    departure.may_return = alive && !unloaded && !stopped;
    let verdict = decide(&observe(rom, stack, unloaded && alive, stopped && alive, own_kib));
    match verdict {
        Ok(mark_kib) => {
            departure.lines.push(format!("freed: base memory up to {mark_kib} KiB"));
            departure.mark_kib = Some(mark_kib);
        }
        Err(reason) => {
            departure.lines.push(["freed: nothing, ", reason].concat());
            if reason == VECTOR {
                departure.mask = nic.interrupt();
            }
        }
    }
    departure
}

/// All that decides over freeing.
#[derive(Clone, Debug)]
struct Observed {
    /// What was given up, with success.
    given_up: Vec<PhysRange>,
    /// What of the vendor's stays in use.
    kept: Vec<PhysRange>,
    /// The mark after the calls, without what is ours.
    mark_kib: u16,
    /// The interrupt vectors, ours removed.
    vectors: Vec<SegOff>,
}

fn observe<M: Memory>(
    memory: &M,
    stack: &VendorStack,
    unloaded: bool,
    stopped: bool,
    own_kib: u16,
) -> Observed {
    let at = |pointer: SegOff| PhysRange::with_length(pointer.linear().into(), 1);
    let base_code = stack.base_code.iter().map(|segment| segment.range());
    let undi = stack.undi.iter().map(|segment| segment.range());
    let (mut given_up, mut kept) = (Vec::new(), Vec::new());
    if unloaded { &mut given_up } else { &mut kept }.extend(base_code);
    if stopped {
        given_up.extend(undi);
    } else {
        kept.extend(undi.chain([at(stack.structure)]));
    }
    let mut mark = [0; 2];
    memory.read(0x413, &mut mark);
    let mut table = [0; 0x400];
    memory.read(0, &mut table);
    let (vectors, _) = table.as_chunks::<4>();
    let vectors = vectors
        .iter()
        .map(|[a, b, c, d]| SegOff::new(u16::from_le_bytes([*c, *d]), u16::from_le_bytes([*a, *b])));
    let mark_kib = u16::from_le_bytes(mark).saturating_add(own_kib);
    Observed { given_up, kept, mark_kib, vectors: vectors.collect() }
}

const VECTOR: &str = "an interrupt vector still leads there";
const KIB: u64 = 1024;

/// The mark that becomes true, in KiB, or why nothing can be freed.
fn decide(observed: &Observed) -> Result<u16, &'static str> {
    let mut ranges: Vec<PhysRange> = Vec::new();
    for range in observed.given_up.iter().filter(|range| !range.is_empty()) {
        let place = ranges.iter().position(|other| range.start() < other.start());
        ranges.insert(place.unwrap_or(ranges.len()), *range);
    }
    let Some(first) = ranges.first() else {
        return Err(if observed.given_up.is_empty() {
            "as nothing was given up"
        } else {
            "as the segments of what was given up are empty"
        });
    };
    let up = |address: u64| PhysAddr(address).align_up(KIB).map_or(u64::MAX, |address| address.0);
    let down = |address: u64| PhysAddr(address).align_down(KIB).0;
    let start = down(first.start());
    // The segments that follow one another without a hole of a whole KiB.
    let end = ranges
        .iter()
        .fold(first.end(), |end, range| if range.start() <= up(end) { end.max(range.end()) } else { end });
    let in_use = |range: PhysRange| observed.kept.iter().any(|kept| kept.overlaps(range));
    // The last KiB, begun by what is given up, may be gone on with by what is kept.
    let end = if in_use(PhysRange::new(down(end), up(end))) { down(end) } else { up(end) };
    let region = PhysRange::new(start, end);
    if start != u64::from(observed.mark_kib) * KIB {
        Err("as it does not begin at the mark of free base memory")
    } else if region.is_empty() || in_use(region) {
        Err("as what is kept lies there too")
    } else if observed.vectors.iter().any(|vector| {
        let target = u64::from(vector.linear());
        region.contains(PhysRange::with_length(target, 1))
    }) {
        Err(VECTOR)
    } else {
        match u16::try_from(end / KIB) {
            Ok(mark_kib @ ..=640) => Ok(mark_kib),
            _ => Err("as it does not lie in base memory"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fake::{FakeRom, bang_pxe};
    use crate::find::{Hints, find};
    use alloc::vec;
    use proptest::prelude::*;

    const PXE: SegOff = SegOff::new(0x9a00, 0x70);
    const ENTRY: SegOff = SegOff::new(0x9a00, 0x10);
    const ALL: Keep = Keep { undi: true, pxe: true };
    const UNDI: Keep = Keep { undi: true, pxe: false };
    const NOTHING: Keep = Keep { undi: false, pxe: false };
    /// Base code in the fake: 0x97000 to 0x98800; UNDI: 0x99800 to 0x9c000.
    const MARK: u16 = 604;

    fn machine() -> (FakeRom, VendorStack) {
        let mut rom = FakeRom::default();
        let at = PXE.linear() as usize;
        rom.memory[at..at + 0x58].copy_from_slice(&bang_pxe(ENTRY));
        rom.memory[0x413..0x415].copy_from_slice(&MARK.to_le_bytes());
        let stack = find(&&rom.memory[..], &Hints { stack: PXE, ..Hints::default() }).unwrap();
        (rom, stack)
    }

    fn left(rom: FakeRom, stack: &VendorStack, keep: Keep) -> (Departure, Vec<Opcode>) {
        let mut nic = UndiNic::try_new(rom).unwrap();
        nic.open().unwrap();
        nic.rom().calls.clear();
        let departure = leave(&mut nic, stack, keep, 0);
        let calls = nic.rom().calls.clone();
        (departure, calls)
    }

    #[test]
    fn kkpxe_gives_up_nothing() {
        let (rom, stack) = machine();
        let (departure, calls) = left(rom, &stack, ALL);
        assert_eq!(calls, [Opcode::CLOSE]);
        assert!(departure.may_return && departure.mark_kib.is_none());
    }

    #[test]
    fn kpxe_frees_the_base_code() {
        let (rom, stack) = machine();
        let (departure, calls) = left(rom, &stack, UNDI);
        assert_eq!(calls, [Opcode::CLOSE, Opcode::SHUTDOWN, Opcode::UNLOAD_STACK]);
        assert_eq!(departure.mark_kib, Some(610));
        assert!(!departure.may_return);
        assert_eq!(departure.lines.last().unwrap(), "freed: base memory up to 610 KiB");
    }

    #[test]
    fn pxe_stops_the_undi_once() {
        let (rom, stack) = machine();
        let (departure, calls) = left(rom, &stack, NOTHING);
        assert_eq!(calls, [Opcode::CLOSE, Opcode::SHUTDOWN, Opcode::UNLOAD_STACK, Opcode::STOP_UNDI]);
        // There is a hole between the two, so the run ends where the base code does.
        assert_eq!(departure.mark_kib, Some(610));
        let (mut rom, stack) = machine();
        rom.failing.push((Opcode::STOP_UNDI, Status::KEEP_UNDI, 99));
        let (departure, calls) = left(rom, &stack, NOTHING);
        assert_eq!(calls.iter().filter(|call| **call == Opcode::STOP_UNDI).count(), 1);
        assert_eq!(departure.lines[2], "STOP_UNDI: the UNDI must be kept");
        assert_eq!(departure.mark_kib, Some(610));
    }

    #[test]
    fn a_refused_unload_frees_nothing_and_leaves_the_way_back() {
        let (mut rom, stack) = machine();
        rom.failing.push((Opcode::UNLOAD_STACK, Status::KEEP_ALL, 99));
        let (departure, _) = left(rom, &stack, UNDI);
        assert_eq!((departure.mark_kib, departure.may_return), (None, true));
        assert_eq!(departure.lines.last().unwrap(), "freed: nothing, as nothing was given up");
    }

    #[test]
    fn a_moved_mark_and_a_vector_into_it_forbid_freeing() {
        let (mut rom, stack) = machine();
        rom.memory[0x413..0x415].copy_from_slice(&(MARK - 1).to_le_bytes());
        assert_eq!(left(rom, &stack, UNDI).0.mark_kib, None);
        let (mut rom, stack) = machine();
        rom.memory[0x1a * 4..0x1a * 4 + 4].copy_from_slice(&[0x10, 0, 0, 0x97]);
        let (departure, _) = left(rom, &stack, UNDI);
        assert_eq!((departure.mark_kib, departure.mask), (None, Some(11)));
    }

    #[test]
    fn an_entry_point_that_went_away_is_not_called() {
        let (mut rom, mut stack) = machine();
        stack.entry = SegOff::new(0x9700, 0x10);
        rom.memory[PXE.linear() as usize] = 0;
        let (_, calls) = left(rom, &stack, NOTHING);
        assert!(!calls.contains(&Opcode::STOP_UNDI));
    }

    #[test]
    fn a_rom_that_hangs_is_left_alone() {
        let (mut rom, stack) = machine();
        rom.hangs_at = Some(Opcode::SHUTDOWN);
        let (departure, calls) = left(rom, &stack, NOTHING);
        assert_eq!(calls, [Opcode::CLOSE, Opcode::SHUTDOWN]);
        assert_eq!((departure.may_return, departure.mark_kib), (false, None));
    }

    #[test]
    fn a_shared_kib_stays() {
        let kept = vec![PhysRange::new(0x9_8a00, 0x9_9000)];
        let given_up = vec![PhysRange::new(0x9_7000, 0x9_8900)];
        let observed = Observed { given_up, kept, mark_kib: MARK, vectors: Vec::new() };
        assert_eq!(decide(&observed), Ok(610));
    }

    proptest! {
        #[test]
        fn what_is_freed_is_never_in_use(
            given_up in prop::collection::vec((0x9_0000u64..0xa_4000, 0u64..0x4000), 0..4),
            kept in prop::collection::vec((0x9_0000u64..0xa_0000, 0u64..0x1000), 0..4),
            mark in 0u16..700, exact: bool,
        ) {
            let ranges = |all: Vec<(u64, u64)>| -> Vec<_> {
                all.into_iter().map(|(start, length)| PhysRange::with_length(start, length)).collect()
            };
            let given_up = ranges(given_up);
            let lowest = given_up.iter().filter(|r| !r.is_empty()).map(|r| r.start() / 1024).min();
            let mark_kib = if exact { lowest.map_or(mark, |kib| u16::try_from(kib).unwrap()) } else { mark };
            let observed = Observed { given_up, kept: ranges(kept), mark_kib, vectors: Vec::new() };
            if let Ok(after) = decide(&observed) {
                prop_assert!(after > mark_kib && after <= 640);
                let freed = PhysRange::new(u64::from(mark_kib) * 1024, u64::from(after) * 1024);
                prop_assert!(!observed.kept.iter().any(|kept| kept.overlaps(freed)));
            }
        }
    }
}
