//! The vendor's stack as a network boot program finds it that runs under us.
//!
//! Programs take what lies between the free-base-memory mark and the UNDI for the base code's. When that is unloaded they
//! clear it all and raise the mark, as iPXE's `.kpxe` does: up to the lower one of the UNDI's segments, and if the UNDI is
//! stopped, to the end of the other one. Here it is ours. So a program is shown copies of `!PXE` and `PXENV+` which say that
//! the UNDI begins and ends at the mark: nothing is to be freed. They lie there, too.

use crate::abi::{BangPxe, PxenvPlus, SegmentDescriptor};
use crate::find::{self, Memory};
use alloc::vec::Vec;
use base::SegOff;
use core::mem::offset_of;

/// Paragraphs that the copies take, from the mark on.
pub const ROOM: u16 = 0x21;
/// Where they lie: not where a memory scan looks, which is to find the vendor's own (PXE 2.1 section 3.1). A structure has
/// 255 bytes at most.
const BANG_PXE: u16 = 8;
const PXENV: u16 = 0x108;

/// Where the segments of the UNDI and their sizes are in a structure.
type Fields = [(usize, usize); 2];

const BANG_PXE_FIELDS: Fields = {
    const SIZE: usize = offset_of!(SegmentDescriptor, size);
    const DATA: usize = offset_of!(BangPxe, undi_data);
    const CODE: usize = offset_of!(BangPxe, undi_code);
    [(DATA, DATA + SIZE), (CODE, CODE + SIZE)]
};
const PXENV_FIELDS: Fields = [
    (offset_of!(PxenvPlus, undi_data_segment), offset_of!(PxenvPlus, undi_data_size)),
    (offset_of!(PxenvPlus, undi_code_segment), offset_of!(PxenvPlus, undi_code_size)),
];

/// Copies what is sound of `!PXE` and `PXENV+` to `room`, which is at offset 0 of `segment`, where the mark is to be.
/// Returns where the program finds both; of what is not sound there is no copy.
pub fn lend(
    memory: &dyn Memory,
    [bang_pxe, pxenv]: [SegOff; 2],
    segment: u16,
    room: &mut [u8],
) -> [SegOff; 2] {
    let mut put = |mut bytes: Vec<u8>, fields: Fields, checksum: usize, offset: u16| {
        for (segment_at, size_at) in fields {
            set(&mut bytes, segment_at, segment);
            set(&mut bytes, size_at, 0);
        }
        let sum = bytes.iter().fold(0, |sum: u8, byte| sum.wrapping_add(*byte));
        let checksum = bytes.get_mut(checksum)?;
        *checksum = checksum.wrapping_sub(sum);
        room.get_mut(offset.into()..)?.get_mut(..bytes.len())?.copy_from_slice(&bytes);
        Some(SegOff::new(segment, offset))
    };
    let copy = find::bang_pxe(memory, bang_pxe)
        .and_then(|bytes| put(bytes, BANG_PXE_FIELDS, offset_of!(BangPxe, checksum), BANG_PXE));
    let bang_pxe = copy.unwrap_or(bang_pxe);
    let copy = find::pxenv(memory, pxenv).and_then(|mut bytes| {
        // A pointer that leads to what is not sound is left as it is.
        if copy.is_some() && bytes.len() >= size_of::<PxenvPlus>() {
            set(&mut bytes, offset_of!(PxenvPlus, bang_pxe), bang_pxe.offset);
            set(&mut bytes, offset_of!(PxenvPlus, bang_pxe) + 2, bang_pxe.segment);
        }
        put(bytes, PXENV_FIELDS, offset_of!(PxenvPlus, checksum), PXENV)
    });
    [bang_pxe, copy.unwrap_or(pxenv)]
}

fn set(bytes: &mut [u8], at: usize, word: u16) {
    if let Some(place) = bytes.get_mut(at..).and_then(|rest| rest.first_chunk_mut()) {
        *place = word.to_le_bytes();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fake;
    use crate::find::{Hints, Segment, VendorStack, find};
    use alloc::vec;
    use proptest::prelude::*;

    const PXE: SegOff = SegOff::new(0x9a00, 0x70);
    const ENV: SegOff = SegOff::new(0x9a00, 0x120);
    const ENTRY: SegOff = SegOff::new(0x9a00, 0x10);
    const MARK: u16 = 0x7000;
    const ROOM_LENGTH: usize = ROOM as usize * 16;

    fn machine(version: u16) -> Vec<u8> {
        let mut memory = vec![0; 0x10_0000];
        put(&mut memory, PXE, &fake::bang_pxe(ENTRY));
        put(&mut memory, ENV, &fake::pxenv(ENTRY, version, PXE));
        memory[0x413..0x415].copy_from_slice(&(MARK >> 6).to_le_bytes());
        memory
    }

    fn put(memory: &mut [u8], at: SegOff, bytes: &[u8]) {
        memory[at.linear() as usize..][..bytes.len()].copy_from_slice(bytes);
    }

    /// What a program finds by one of the two pointers.
    fn lent(memory: &mut [u8], told: [SegOff; 2]) -> ([SegOff; 2], [Option<VendorStack>; 2]) {
        let mut room = [0; ROOM_LENGTH];
        let shown = lend(&&*memory, told, MARK, &mut room);
        put(memory, SegOff::new(MARK, 0), &room);
        let [stack, es_bx] = shown;
        let free_end = u32::from(MARK) << 4;
        let by = |hints| find(&&*memory, &Hints { free_end, ..hints }).ok();
        let found = [Hints { stack, ..Hints::default() }, Hints { es_bx, ..Hints::default() }].map(by);
        (shown, found)
    }

    #[test]
    fn the_undi_begins_and_ends_at_the_mark() {
        let mut memory = machine(0x0201);
        let (shown, [by_stack, by_registers]) = lent(&mut memory, [PXE, ENV]);
        assert_eq!(shown, [SegOff::new(MARK, BANG_PXE), SegOff::new(MARK, PXENV)]);
        for stack in [by_stack, by_registers] {
            let stack = stack.unwrap();
            assert_eq!((stack.entry, stack.structure, stack.is_bang_pxe), (ENTRY, shown[0], true));
            assert_eq!(stack.undi[..2], [Segment { segment: MARK, size: 0 }; 2]);
            // The base code is what it was, and so is the vendor's own.
            assert_eq!(stack.base_code[1], Segment { segment: 0x9700, size: 0x1800 });
        }
        let own = find(&&memory[..], &Hints { stack: PXE, ..Hints::default() }).unwrap();
        assert_eq!(own.undi[1], Segment { segment: 0x9a00, size: 0x2000 });
        let scanned = find(&&memory[..], &Hints::default()).unwrap();
        assert_eq!(scanned.structure.linear(), PXE.linear());
    }

    #[test]
    fn what_is_not_sound_is_not_copied() {
        let mut memory = machine(0x0200);
        memory[PXE.linear() as usize + 0x20] ^= 1;
        let (shown, [_, by_registers]) = lent(&mut memory, [PXE, ENV]);
        assert_eq!(shown, [PXE, SegOff::new(MARK, PXENV)]);
        let stack = by_registers.unwrap();
        assert_eq!((stack.is_bang_pxe, stack.undi[0].segment, stack.undi[1].segment), (false, MARK, MARK));
        let nowhere = SegOff::new(0xf000, 0xfff0);
        assert_eq!(lent(&mut memory, [nowhere, SegOff::default()]).0, [nowhere, SegOff::default()]);
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]
        #[test]
        fn never_panics_on_any_structure(
            near in prop::collection::vec((0_usize..0x100, any::<u8>()), 0..32),
            room in 0..ROOM_LENGTH + 1,
            told in any::<[(u16, u16); 2]>(), is_usual: bool,
        ) {
            let mut memory = machine(0x0201);
            for (offset, byte) in near {
                memory[PXE.linear() as usize + offset] = byte;
            }
            let told = told.map(|(segment, offset)| SegOff::new(segment, offset));
            lend(&&memory[..], if is_usual { [PXE, ENV] } else { told }, MARK, &mut vec![0; room]);
        }
    }
}
