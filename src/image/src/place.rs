//! Moving blocks of memory to where they belong, in place.
//!
//! The blocks may lie in any order and on each other's destinations. What can be moved at once is, whole and once;
//! that is everything if the order of addresses stays the same. A ring of blocks that stand in each other's way is
//! solved by swapping: each swap brings some bytes to their final place and never moves them again.

use crate::Memory;
use alloc::vec::Vec;
use base::PhysRange;

/// One block on its way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Move {
    /// Where it is.
    pub from: u64,
    /// Where it goes.
    pub to: u64,
    /// Bytes.
    pub length: u64,
}

impl Move {
    fn source(&self) -> PhysRange {
        PhysRange::with_length(self.from, self.length)
    }

    fn target(&self) -> PhysRange {
        PhysRange::with_length(self.to, self.length)
    }
}

/// Bytes that are held outside of their places while two ranges are swapped.
const SCRATCH: usize = 2048;

/// Does all `moves`. No two may share a byte of their sources, nor of their targets; no range passes the end of the
/// address space.
pub fn place(moves: &[Move], memory: &mut impl Memory) {
    let mut waiting = base::list(moves.iter().filter(|block| block.length != 0).copied());
    // Each round brings at least one byte to its place.
    while !waiting.is_empty() {
        let clear = (0..waiting.len()).find(|index| is_clear(&waiting, *index));
        if let Some(index) = clear {
            let block = waiting.swap_remove(index);
            if block.from != block.to {
                memory.copy(block.from, block.to, block.length);
            }
        } else {
            exchange(&mut waiting, memory);
        }
    }
}

/// Whether nothing that waits lies where this block goes, but perhaps itself.
fn is_clear(waiting: &[Move], index: usize) -> bool {
    let target = waiting.get(index).map(Move::target).unwrap_or_default();
    waiting.iter().enumerate().all(|(other, block)| other == index || !block.source().overlaps(target))
}

/// Brings the beginning of the block with the lowest target to its place, and what lay there to where it came from.
/// In this order pieces are used up as fast as new ones are made.
fn exchange(waiting: &mut Vec<Move>, memory: &mut impl Memory) {
    let lowest = waiting.iter().enumerate().min_by_key(|(_, block)| block.to).map(|(index, _)| index);
    let Some(index) = lowest else { return };
    let block = waiting.swap_remove(index);
    let length = block.length.min(block.from.abs_diff(block.to));
    swap(block.from, block.to, length, memory);
    let rest = Move { from: block.from + length, to: block.to + length, length: block.length - length };
    waiting.push(rest);
    let pieces = core::mem::take(waiting);
    let swapped = PhysRange::with_length(block.to, length);
    for piece in pieces {
        // The parts of the piece before, in, and after the range that was swapped out.
        let ranges = [PhysRange::new(0, swapped.start()), swapped, PhysRange::new(swapped.end(), u64::MAX)];
        for range in ranges {
            let part = piece.source().intersection(range);
            if part.is_empty() {
                continue;
            }
            let skipped = part.start() - piece.from;
            let from = if range == swapped { part.start() - block.to + block.from } else { part.start() };
            waiting.push(Move { from, to: piece.to + skipped, length: part.length() });
        }
    }
}

/// Exchanges two ranges that share no byte.
fn swap(a: u64, b: u64, length: u64, memory: &mut impl Memory) {
    let mut scratch = [0; SCRATCH];
    let mut done = 0;
    while done < length {
        let count = usize::try_from(length - done).unwrap_or(SCRATCH).min(SCRATCH);
        let Some(piece) = scratch.get_mut(..count) else { return };
        memory.read(a + done, piece);
        memory.copy(b + done, a + done, count as u64);
        memory.write(b + done, piece);
        done += count as u64;
    }
}

#[cfg(test)]
#[allow(clippy::cast_possible_truncation, reason = "the memory of a test is small")]
mod tests {
    use super::*;
    use crate::fixture::Ram;
    use alloc::vec;
    use proptest::prelude::*;

    /// Runs `moves` on memory of random bytes and compares each target with what its source was.
    fn run(moves: &[Move]) -> u64 {
        let end = moves.iter().map(|block| block.source().end().max(block.target().end())).max().unwrap_or(0);
        let mut ram = Ram::new(end as usize);
        let mut state = 1u32;
        for byte in &mut ram.bytes {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            *byte = (state >> 24) as u8;
        }
        let before = ram.bytes.clone();
        place(moves, &mut ram);
        for block in moves {
            let source = &before[block.from as usize..][..block.length as usize];
            assert!(ram.slice(block.target()) == source, "{block:?} of {moves:?}");
        }
        ram.moved
    }

    /// Lays blocks of these lengths out, each by its place in `order` and after its gap.
    fn addresses(lengths: &[u64], order: &[usize], gaps: &[u64]) -> Vec<u64> {
        let mut addresses = vec![0; lengths.len()];
        let mut next = 0;
        for (index, gap) in order.iter().zip(gaps) {
            next += gap;
            addresses[*index] = next;
            next += lengths[*index];
        }
        addresses
    }

    fn moves(lengths: &[u64], from: &[u64], to: &[u64]) -> Vec<Move> {
        let all = lengths.iter().zip(from).zip(to);
        all.map(|((&length, &from), &to)| Move { from, to, length }).collect()
    }

    fn order(count: usize) -> impl Strategy<Value = Vec<usize>> {
        Just((0..count).collect::<Vec<_>>()).prop_shuffle()
    }

    fn gaps(count: usize) -> impl Strategy<Value = Vec<u64>> {
        prop::collection::vec(prop_oneof![3 => Just(0u64), 1 => 0u64..5000], count)
    }

    fn layouts() -> impl Strategy<Value = Vec<Move>> {
        prop::collection::vec(0u64..6000, 1..9).prop_flat_map(|lengths| {
            let count = lengths.len();
            (Just(lengths), order(count), order(count), gaps(count), gaps(count)).prop_map(
                |(lengths, from_order, to_order, from_gaps, to_gaps)| {
                    let from = addresses(&lengths, &from_order, &from_gaps);
                    moves(&lengths, &from, &addresses(&lengths, &to_order, &to_gaps))
                },
            )
        })
    }

    #[test]
    fn two_blocks_change_places_without_room() {
        for lengths in [[5000, 5000], [1, 9000], [9000, 1], [4096, 4095]] {
            let moved = run(&moves(&lengths, &[0, lengths[0]], &[lengths[1], 0]));
            assert!(moved <= 4 * (lengths[0] + lengths[1]), "{moved} bytes moved for {lengths:?}");
        }
    }

    #[test]
    fn blocks_in_reverse_order_without_room() {
        let lengths: Vec<u64> = (1..20).map(|index| index * 700).collect();
        let forth: Vec<usize> = (0..lengths.len()).collect();
        let back: Vec<usize> = (0..lengths.len()).rev().collect();
        let gaps = vec![0; lengths.len()];
        let moves = moves(&lengths, &addresses(&lengths, &forth, &gaps), &addresses(&lengths, &back, &gaps));
        let moved = run(&moves);
        let total: u64 = lengths.iter().sum();
        assert!(moved <= 6 * total, "{moved} bytes moved of {total}");
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(500))]

        #[test]
        fn everything_arrives(moves in layouts()) {
            run(&moves);
        }

        #[test]
        fn in_the_order_of_addresses_each_block_moves_once(moves in layouts()) {
            let mut sorted = moves.clone();
            sorted.sort_by_key(|block| block.from);
            let mut next = 0;
            for block in &mut sorted {
                // Squashed to the bottom, each with its distance from the one before halved.
                block.to = next + block.to % 3;
                next = block.to + block.length;
            }
            let once: u64 = sorted.iter().filter(|b| b.from != b.to).map(|b| b.length).sum();
            prop_assert_eq!(run(&sorted), once);
            let top = 200_000 - next;
            sorted.iter_mut().for_each(|block| block.to += top);
            let all: u64 = sorted.iter().map(|block| block.length).sum();
            prop_assert_eq!(run(&sorted), all);
        }

        #[test]
        fn pieces_stay_few(moves in layouts()) {
            let mut waiting: Vec<Move> = moves.iter().filter(|block| block.length != 0).copied().collect();
            let blocks = waiting.len();
            let mut ram = Ram::new(200_000);
            while !waiting.is_empty() {
                exchange(&mut waiting, &mut ram);
                waiting.retain(|piece| piece.from != piece.to);
                prop_assert!(waiting.len() <= 3 * blocks, "{} pieces of {blocks}", waiting.len());
            }
        }
    }
}
