//! Data as `miniz_oxide` packs it, and data that nobody would pack.

use crate::*;
use alloc::vec;
use alloc::vec::Vec;
use miniz_oxide::deflate::compress_to_vec;
use miniz_oxide::inflate::decompress_to_vec_with_limit;
use proptest::prelude::*;

extern crate alloc;

/// What is unpacked into so much room, in steps of that many bytes, and how many bytes of `packed` that took.
fn unpack(packed: &[u8], room: usize, step: usize) -> Result<(Vec<u8>, usize), Fault> {
    let mut room = vec![0; room];
    let mut bytes = packed.iter().copied();
    let mut inflate = Inflate::default();
    while !inflate.run(&mut || bytes.next(), &mut room, inflate.made + step)? {}
    room.truncate(inflate.made);
    Ok((room, packed.len() - bytes.len()))
}

/// The same of data that comes in pieces of so many bytes: each time it ends too early, it goes on with more.
fn unpack_in_pieces(packed: &[u8], room: usize, size: usize) -> Result<(Vec<u8>, usize), Fault> {
    let mut room = vec![0; room];
    let mut inflate = Inflate::default();
    for end in (0..packed.len()).step_by(size).chain([packed.len()]) {
        let mut bytes = packed[inflate.taken..end].iter().copied();
        match inflate.run(&mut || bytes.next(), &mut room, usize::MAX) {
            Err(Fault::Short) => {}
            run => return run.map(|_| (room[..inflate.made].to_vec(), inflate.taken)),
        }
    }
    Err(Fault::Short)
}

fn fault(packed: &[u8], room: usize) -> Fault {
    unpack(packed, room, 1).unwrap_err()
}

/// Numbers of so many bits, the first one lowest, as bytes.
fn bits(numbers: &[(u32, u32)]) -> Vec<u8> {
    let mut out = Vec::new();
    let mut place = 0;
    for (number, count) in numbers {
        for bit in 0..*count {
            if place % 8 == 0 {
                out.push(0);
            }
            *out.last_mut().unwrap() |= ((number >> bit & 1) << (place % 8)) as u8;
            place += 1;
        }
    }
    out
}

/// A last block with codes of its own: how many lengths of literals and distances it says there are, and a code of
/// lengths in which symbol 0 has the code 0, 1 the code 10, 2 the code 110 and 18 the code 111, in bits as they come.
fn own_codes(literals: u32, distances: u32, rest: &[(u32, u32)]) -> Vec<u8> {
    let mut numbers = vec![(1, 1), (2, 2), (literals - 257, 5), (distances - 1, 5), (14, 4)];
    numbers.extend(ORDER[..18].iter().map(|symbol| match symbol {
        0 => (1, 3),
        1 => (2, 3),
        2 | 18 => (3, 3),
        _ => (0, 3),
    }));
    numbers.extend(rest);
    numbers.extend([(0, 16); 3]);
    bits(&numbers)
}

const ZERO: (u32, u32) = (0b0, 1);
const ONE: (u32, u32) = (0b01, 2);
const TWO: (u32, u32) = (0b011, 3);
/// So many zeros, 11 to 138.
fn zeros(count: u32) -> (u32, u32) {
    (0b111 | (count - 11) << 3, 10)
}

#[test]
fn as_the_field_packs_it() {
    // printf 'hello, hello, hello\n' | gzip -9, without head and tail.
    let packed = [0xcb, 0x48, 0xcd, 0xc9, 0xc9, 0xd7, 0x51, 0xc8, 0x40, 0xa2, 0xb8, 0x00];
    assert_eq!(unpack(&packed, 20, 7), Ok((b"hello, hello, hello\n".to_vec(), packed.len())));
    assert_eq!(fault(&packed, 19), Fault::Large);
    for length in 0..packed.len() {
        assert_eq!(fault(&packed[..length], 20), Fault::Short, "{length}");
    }
}

#[test]
fn stored_blocks_begin_at_a_byte() {
    assert_eq!(unpack(b"\x00\x01\x00\xfe\xffa\x01\x02\x00\xfd\xffbc", 3, 1), Ok((b"abc".to_vec(), 13)));
    assert_eq!(unpack(b"\x00\0\0\xff\xff\x01\0\0\xff\xff!", 0, 1), Ok((vec![], 10)));
    assert_eq!(fault(b"\x01\x01\x00\xfe\xfea", 3), Fault::Bad);
    assert_eq!(fault(b"\x01\x02\x00\xfd\xffa", 3), Fault::Short);
    assert_eq!(fault(b"\x07", 3), Fault::Bad);
}

#[test]
fn distances_end_where_the_data_begins() {
    // With the fixed code: a literal `a`, then three bytes of distance 1, or of distance 2.
    let literal = (0x89, 8);
    let three = (0b100_0000, 7);
    for (distance, is_there) in [(0b00000, true), (0b10000, false), (0b01111, false), (0b11111, false)] {
        let packed = bits(&[(1, 1), (1, 2), literal, three, (distance, 5), (0, 7 + 16)]);
        let unpacked = unpack(&packed, 9, 9);
        assert_eq!(
            unpacked.map(|(content, _)| content == b"aaaa"),
            is_there.then_some(true).ok_or(Fault::Bad)
        );
    }
    // A length that there is not: symbol 286, whose code is 11000110.
    assert_eq!(fault(&bits(&[(1, 1), (1, 2), literal, (0b0110_0011, 8), (0, 16)]), 900), Fault::Bad);
}

#[test]
fn codes_use_up_all_bits_and_no_more() {
    // Literals `a` and END of one bit each, and one code of one bit for distances, or none, or two bits, or three of one.
    let literals = [zeros(97), ONE, zeros(138), zeros(20), ONE];
    let with = |distances: u32, rest: &[(u32, u32)], content: (u32, u32)| {
        own_codes(257, distances, &[&literals, rest, &[content]].concat())
    };
    let (a, end) = ((0, 1), (1, 1));
    assert_eq!(unpack(&with(1, &[ONE], end), 9, 1).unwrap().0, b"");
    assert_eq!(unpack(&with(1, &[ZERO], end), 9, 1).unwrap().0, b"");
    assert_eq!(unpack(&with(1, &[ZERO], a), 9, 9), Err(Fault::Large));
    assert_eq!(unpack(&with(2, &[ONE, ONE], end), 9, 1).unwrap().0, b"");
    assert_eq!(fault(&with(1, &[TWO], end), 9), Fault::Bad);
    assert_eq!(fault(&with(3, &[ONE, ONE, ONE], end), 9), Fault::Bad);
    assert_eq!(fault(&with(3, &[ONE, ONE, TWO], end), 9), Fault::Bad);
    assert_eq!(fault(&with(3, &[ONE, TWO, ZERO], end), 9), Fault::Bad);
    // More zeros than there are lengths.
    assert_eq!(fault(&with(1, &[zeros(11)], end), 9), Fault::Bad);
    // More literals or distances than there are.
    assert_eq!(fault(&own_codes(287, 1, &[zeros(138), zeros(138), zeros(11), ONE]), 9), Fault::Bad);
    assert_eq!(fault(&with(31, &[zeros(31)], end), 9), Fault::Bad);
    assert_eq!(unpack(&with(30, &[zeros(30)], end), 9, 1).unwrap().0, b"");
    // The code of lengths may not stand alone: one bit for the symbol 0, four lengths written.
    assert_eq!(
        fault(&bits(&[(1, 1), (2, 2), (0, 5), (0, 5), (0, 4), (0, 9), (1, 3), (0, 32)]), 9),
        Fault::Bad
    );
    // A length before there is any to repeat: symbols 16 and 0 have one bit each.
    let repeats = bits(&[(1, 1), (2, 2), (0, 5), (0, 5), (0, 4), (1, 3), (0, 6), (1, 3), (1, 1), (0, 32)]);
    assert_eq!(fault(&repeats, 9), Fault::Bad);
}

#[test]
fn heads_of_zlib() {
    for head in [[0x78, 0x01], [0x78, 0x9c], [0x78, 0xda], [0x08, 0x1d], [0x58, 0x85]] {
        assert!(is_zlib(head), "{head:x?}");
    }
    // A wrong check, a window too large, another method, a dictionary.
    for head in [[0x78, 0x9d], [0x88, 0x1c], [0x77, 0x85], [0x78, 0xbb]] {
        assert!(!is_zlib(head), "{head:x?}");
    }
}

/// In a room that the last 32 KiB are moved to the front of whenever it is full.
#[test]
fn the_window_may_move() {
    let mut state = 1_u32;
    let content: Vec<u8> = (0..150_000)
        .map(|_| {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (state >> 30) as u8
        })
        .collect();
    let packed = compress_to_vec(&content, 6);
    let mut bytes = packed.iter().copied();
    let (mut room, mut unpacked) = (vec![0; 2 * WINDOW + LONGEST], Vec::new());
    let mut inflate = Inflate::default();
    loop {
        let before = inflate.made;
        let is_all = inflate.run(&mut || bytes.next(), &mut room, 2 * WINDOW).unwrap();
        unpacked.extend_from_slice(&room[before..inflate.made]);
        if is_all {
            break;
        }
        room.copy_within(inflate.made - WINDOW..inflate.made, 0);
        inflate.made = WINDOW;
    }
    assert!(unpacked == content);
}

/// What comes out is what the other one says of the same data; the room is large enough.
fn agrees(packed: &[u8]) {
    const ROOM: usize = 1 << 16;
    let ours = unpack(packed, ROOM, 1000).map(|(content, _)| content);
    assert_eq!(unpack_in_pieces(packed, ROOM, 1).map(|(content, _)| content), ours);
    let theirs = decompress_to_vec_with_limit(packed, ROOM);
    assert_eq!(ours.as_ref().ok(), theirs.as_ref().ok(), "{packed:x?}");
}

proptest! {
    #[test]
    fn what_was_packed_is_unpacked(
        pieces in prop::collection::vec((prop::collection::vec(any::<u8>(), 1..40), 1_usize..40), 0..40),
        level in 0_u8..10,
        step in 1_usize..70_000,
        behind in prop::collection::vec(any::<u8>(), 0..3),
    ) {
        let content: Vec<u8> = pieces.iter().flat_map(|(piece, count)| piece.repeat(*count)).collect();
        let packed = compress_to_vec(&content, level);
        let length = packed.len();
        let packed = [packed, behind].concat();
        prop_assert!(unpack(&packed, content.len(), step) == Ok((content.clone(), length)));
        prop_assert!(unpack_in_pieces(&packed, content.len(), 1 + step % 50) == Ok((content.clone(), length)));
        if let Some(less) = content.len().checked_sub(1) {
            prop_assert_eq!(unpack(&packed, less, step), Err(Fault::Large));
        }
    }

    #[test]
    fn any_bytes_are_what_they_are_to_others(mut noise in prop::collection::vec(any::<u8>(), 1..300), kind in 0_u8..4) {
        noise[0] = noise[0] & !6 | kind << 1;
        agrees(&noise);
    }

    #[test]
    fn data_with_a_wrong_bit_is_what_it_is_to_others(
        content in prop::collection::vec(0_u8..20, 0..2000), level in 1_u8..10, place: prop::sample::Index, bit in 0_u32..8,
    ) {
        let mut packed = compress_to_vec(&content, level);
        let place = place.index(packed.len());
        packed[place] ^= 1_u8 << bit;
        agrees(&packed);
    }
}
