//! The tables by which a BIOS names its machine (DMTF DSP0134, "System Management BIOS").
//!
//! An entry point lies on a 16-byte boundary between F0000h and 1 MiB and says where the structures are. Each has a
//! formatted part, whose first bytes are type and length, and strings behind it that the formatted part numbers
//! from 1.
#![no_std]

extern crate alloc;

use alloc::string::String;
use base::PhysRange;
use base::text::printable;

/// Where an entry point lies.
pub const SEARCH: PhysRange = PhysRange::new(0xf_0000, 0x10_0000);
/// The most bytes of structures that are of use.
pub const TABLE_LIMIT: u64 = 64 * 1024;

/// The structures' place, by an entry point in the bytes of [`SEARCH`], at most [`TABLE_LIMIT`] bytes; and whether the
/// first three fields of UUIDs are little-endian, as they are since version 2.6 (section 7.2.1).
///
/// The 64-bit entry point (version 3.0, section 5.2.2) goes before the 32-bit one (section 5.2.1).
pub fn find_table(bytes: &[u8]) -> Option<(PhysRange, bool)> {
    let sound = |signature: &[u8], length_at: usize| {
        bytes.chunks_exact(16).enumerate().find_map(|(place, line)| {
            if !line.starts_with(signature) {
                return None;
            }
            let entry = bytes.get(place * 16..)?;
            let entry = entry.get(..usize::from(*entry.get(length_at)?))?;
            let sum = entry.iter().fold(0u8, |sum, byte| sum.wrapping_add(*byte));
            (sum == 0).then_some(entry)
        })
    };
    let (start, length, is_mixed) = match sound(b"_SM3_", 6) {
        Some(entry) => (entry.get(0x10..0x18)?, entry.get(0x0c..0x10)?, true),
        None => {
            let entry = sound(b"_SM_", 5)?;
            (entry.get(0x18..0x1c)?, entry.get(0x16..0x18)?, entry.get(6..8)? >= &[2, 6][..])
        }
    };
    Some((PhysRange::with_length(number(start), number(length).min(TABLE_LIMIT)), is_mixed))
}

/// A little-endian number.
fn number(bytes: &[u8]) -> u64 {
    bytes.iter().rev().fold(0, |number, byte| number << 8 | u64::from(*byte))
}

/// One structure.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Structure<'a> {
    formatted: &'a [u8],
    strings: &'a [u8],
}

/// The BIOS (section 7.1): vendor 4, version 5, date 8.
pub const BIOS: u8 = 0;
/// The system (section 7.2): manufacturer 4, product 5, version 6, serial number 7, UUID 8.
pub const SYSTEM: u8 = 1;
/// The main board (section 7.3): manufacturer 4, product 5, version 6.
pub const BOARD: u8 = 2;
const END_OF_TABLE: u8 = 127;

/// One of the structures of that type in a table, counted from 0.
pub fn find(mut table: &[u8], wanted: u8, mut instance: u8) -> Option<Structure<'_>> {
    while let [kind, length, ..] = *table {
        let (formatted, rest) = table.split_at_checked(length.into()).filter(|_| length >= 4)?;
        // At least the two zero bytes of an empty list are there, so each round takes some of the table.
        let end = rest.windows(2).position(|pair| pair == [0, 0])?;
        if kind == wanted {
            if instance == 0 {
                return Some(Structure { formatted, strings: rest.get(..end)? });
            }
            instance -= 1;
        }
        if kind == END_OF_TABLE {
            return None;
        }
        table = rest.get(end + 2..)?;
    }
    None
}

impl<'a> Structure<'a> {
    /// The string whose number is at `offset`, without spaces around it; what cannot be printed is replaced.
    pub fn string(&self, offset: usize) -> Option<String> {
        let number = self.formatted.get(offset)?.checked_sub(1)?;
        let bytes = self.strings.split(|byte| *byte == 0).nth(number.into())?.trim_ascii();
        (!bytes.is_empty()).then(|| printable(bytes))
    }

    /// The bytes at `offset`.
    pub fn bytes(&self, offset: usize, length: usize) -> Option<&'a [u8]> {
        self.formatted.get(offset..)?.get(..length)
    }

    /// The UUID at `offset` as the structure has it; none where it is all zeros or all ones, which stand for unknown.
    pub fn uuid(&self, offset: usize) -> Option<&'a [u8; 16]> {
        let uuid = self.formatted.get(offset..)?.first_chunk()?;
        Some(uuid).filter(|uuid| **uuid != [0; 16] && **uuid != [0xff; 16])
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::vec;
    use alloc::vec::Vec;
    use proptest::prelude::*;

    fn entry(signature: &[u8], length: usize, sum_at: usize, fields: &[(usize, &[u8])]) -> Vec<u8> {
        let mut entry = vec![0; length];
        entry[..signature.len()].copy_from_slice(signature);
        entry[signature.len() + 1] = u8::try_from(length).unwrap();
        for (at, bytes) in fields {
            entry[*at..at + bytes.len()].copy_from_slice(bytes);
        }
        let sum = entry.iter().fold(0u8, |sum, byte| sum.wrapping_add(*byte));
        entry[sum_at] = sum.wrapping_neg();
        entry
    }

    fn entry_32(version: [u8; 2]) -> Vec<u8> {
        entry(b"_SM_", 0x1f, 4, &[(6, &version), (0x16, &[0x34, 0x01]), (0x18, &[0x20, 0x44, 0x0f, 0])])
    }

    fn entry_64() -> Vec<u8> {
        entry(b"_SM3_", 0x18, 5, &[(0x0c, &[0, 0, 2, 0]), (0x10, &[0, 0, 0, 0x7f, 1])])
    }

    fn structure(kind: u8, formatted: &[u8], strings: &[u8]) -> Vec<u8> {
        let length = u8::try_from(formatted.len() + 4).unwrap();
        [&[kind, length, 0, 0], formatted, strings, &[0, 0]].concat()
    }

    const UUID: [u8; 16] = *b"0123456789abcdef";

    fn table() -> Vec<u8> {
        [
            structure(BIOS, &[1, 2, 0, 0, 3], b"Vendor\0 1.0 \0\x01/02/2003"),
            structure(3, &[0; 9], b""),
            structure(SYSTEM, &[&[2, 1, 0, 9], &UUID[..]].concat(), b"Product\0Maker"),
            structure(END_OF_TABLE, &[], b""),
            structure(BOARD, &[1], b"behind the end"),
        ]
        .concat()
    }

    #[test]
    fn both_entry_points_are_found() {
        let mut bytes = vec![0; 0x400];
        for (version, is_mixed) in [([2, 5], false), ([2, 6], true), ([3, 0], true)] {
            bytes[0x100..0x11f].copy_from_slice(&entry_32(version));
            assert_eq!(find_table(&bytes), Some((PhysRange::with_length(0xf_4420, 0x134), is_mixed)));
        }
        bytes[0x200..0x218].copy_from_slice(&entry_64());
        assert_eq!(find_table(&bytes), Some((PhysRange::with_length(0x1_7f00_0000, TABLE_LIMIT), true)));
    }

    #[test]
    fn an_entry_point_must_be_whole_and_add_up() {
        for spoil in [5, 0x18] {
            let mut bytes = entry_32([2, 8]);
            bytes.resize(0x20, 0);
            bytes[spoil] ^= 0x40;
            assert_eq!(find_table(&bytes), None);
        }
        let mut bytes = vec![0; 0x40];
        bytes[8..0x27].copy_from_slice(&entry_32([2, 8]));
        assert_eq!(find_table(&bytes), None);
    }

    #[test]
    fn strings_and_uuid_are_read() {
        let table = table();
        let bios = find(&table, BIOS, 0).unwrap();
        assert_eq!(bios.string(4).as_deref(), Some("Vendor"));
        assert_eq!(bios.string(5).as_deref(), Some("1.0"));
        assert_eq!(bios.string(8).as_deref(), Some("?/02/2003"));
        let system = find(&table, SYSTEM, 0).unwrap();
        assert_eq!(system.string(4).as_deref(), Some("Maker"));
        assert_eq!((system.string(6), system.string(7), system.string(99)), (None, None, None));
        assert_eq!(system.uuid(8), Some(&UUID));
        assert_eq!((system.bytes(4, 2), system.bytes(20, 5)), (Some(&[2, 1][..]), None));
        assert_eq!(find(&table, SYSTEM, 1), None);
        assert_eq!(find(&table, BOARD, 0), None);
    }

    #[test]
    fn an_unknown_uuid_is_none() {
        for byte in [0, 0xff] {
            let table = structure(SYSTEM, &[byte; 20], b"");
            assert_eq!(find(&table, SYSTEM, 0).unwrap().uuid(8), None);
        }
        assert_eq!(find(&structure(SYSTEM, &[1; 19], b""), SYSTEM, 0).unwrap().uuid(8), None);
    }

    proptest! {
        #[test]
        fn any_table_is_read_to_its_end(
            cut in 0usize..200, writes in prop::collection::vec((0usize..150, any::<u8>()), 0..8), wanted: u8,
        ) {
            let mut table = table();
            for (at, byte) in writes {
                if let Some(place) = table.get_mut(at) {
                    *place = byte;
                }
            }
            table.truncate(cut);
            if let Some(structure) = find(&table, wanted, 0) {
                prop_assert_eq!(table.windows(2).any(|pair| pair == [0, 0]), true);
                let _ = (structure.string(4), structure.uuid(8));
            }
        }
    }
}
