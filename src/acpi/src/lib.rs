//! The tables of ACPI (ACPI Specification 6.5; section numbers are its): where they are, and the serial console that one
//! of them names.
//!
//! The crate `acpi` of others maps memory by a trait that must be `unsafe` and reads all of a machine; what is wanted
//! here is one table.
#![no_std]

extern crate alloc;

use alloc::vec::Vec;
use base::PhysRange;

/// Where the root pointer lies, on a 16-byte boundary, unless it is in the first KiB of the extended BIOS data area
/// (section 5.2.5.1).
pub const SEARCH: PhysRange = PhysRange::new(0xe_0000, 0x10_0000);
/// The most bytes of a table that are of use.
pub const TABLE_LIMIT: u32 = 64 * 1024;

/// Bytes of the header that all tables have (section 5.2.6).
const HEADER: usize = 36;

/// Reads memory; none where there is none of the firmware's.
pub type Read<'a> = &'a dyn Fn(PhysRange) -> Option<Vec<u8>>;

/// The list of all tables.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Root {
    address: u64,
    /// Bytes of an address in it.
    width: usize,
}

/// Finds the root pointer (section 5.2.5.3) in these bytes of the BIOS: at which of them, and its 20 bytes, or 36 from
/// revision 2 on.
pub fn find_root_pointer(bytes: &[u8]) -> Option<(usize, &[u8])> {
    bytes.chunks_exact(16).enumerate().find_map(|(place, line)| {
        if !line.starts_with(b"RSD PTR ") {
            return None;
        }
        let pointer = bytes.get(place * 16..)?;
        let sound = |length| pointer.get(..length).filter(|bytes| sum(bytes) == 0);
        let is_long = pointer.get(15) >= Some(&2);
        Some((place * 16, sound(36).filter(|_| is_long).or_else(|| sound(20))?))
    })
}

impl Root {
    /// The list that the root pointer names.
    pub fn new(pointer: &[u8]) -> Option<Self> {
        let list = Self { address: number(pointer.get(16..20)?), width: 4 };
        // From revision 2 on there is a second list, with longer addresses.
        let long = pointer.get(24..32).map_or(0, number);
        Some(if long == 0 { list } else { Self { address: long, width: 8 } })
    }

    /// The first table of that signature.
    pub fn table(self, signature: &[u8; 4], read: Read<'_>) -> Option<Vec<u8>> {
        let list = table(self.address, read)?;
        let addresses = list.get(HEADER..)?.chunks_exact(self.width).map(number);
        addresses.into_iter().find_map(|address| {
            let head = read(PhysRange::with_length(address, 4))?;
            if head == signature { table(address, read) } else { None }
        })
    }
}

/// The table at an address, if its length and its sum are right.
fn table(address: u64, read: Read<'_>) -> Option<Vec<u8>> {
    let head = read(PhysRange::with_length(address, HEADER as u64))?;
    let length = number(head.get(4..8)?);
    if !(HEADER as u64..=TABLE_LIMIT.into()).contains(&length) {
        return None;
    }
    read(PhysRange::with_length(address, length)).filter(|table| sum(table) == 0)
}

/// A serial port that a table names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SerialPort {
    /// Its first I/O port.
    pub port: u16,
    /// What its clock of 115200 is divided by; none if the firmware's own setting is to stay.
    pub divisor: Option<u8>,
}

/// The serial console, by the table SPCR ("Serial Port Console Redirection Table", Microsoft), if it is a 16550 behind
/// I/O ports.
pub fn serial_console(root: Root, read: Read<'_>) -> Option<SerialPort> {
    const IO_SPACE: u8 = 1;
    let table = root.table(b"SPCR", read)?;
    let byte = |place: usize| table.get(place).copied().unwrap_or(0);
    // A 16550, its subset, or one that the address describes.
    let is_16550 = matches!(byte(36), 0 | 1 | 0x12);
    let port = u16::try_from(number(table.get(44..52)?)).ok().filter(|port| *port != 0)?;
    let divisor = match byte(58) {
        3 => Some(12),
        4 => Some(6),
        6 => Some(2),
        7 => Some(1),
        _ => None,
    };
    (is_16550 && byte(40) == IO_SPACE).then_some(SerialPort { port, divisor })
}

fn sum(bytes: &[u8]) -> u8 {
    bytes.iter().fold(0, |sum, byte| sum.wrapping_add(*byte))
}

/// The bytes of a number, the lowest first.
fn number(bytes: &[u8]) -> u64 {
    bytes.iter().rev().fold(0, |number, byte| number << 8 | u64::from(*byte))
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::vec;
    use proptest::prelude::*;

    const MEMORY: u64 = 0x7ff_0000;
    const COM2: SerialPort = SerialPort { port: 0x2f8, divisor: Some(1) };

    /// Makes the bytes' sum 0 by the one at `place`.
    fn sealed(mut bytes: Vec<u8>, place: usize) -> Vec<u8> {
        bytes[place] = 0;
        bytes[place] = sum(&bytes).wrapping_neg();
        bytes
    }

    fn table(signature: &[u8; 4], rest: &[u8]) -> Vec<u8> {
        let mut out = signature.to_vec();
        out.extend(u32::try_from(36 + rest.len()).unwrap().to_le_bytes());
        out.resize(36, b'x');
        out.extend(rest);
        sealed(out, 9)
    }

    /// A table SPCR of 80 bytes.
    fn spcr(interface: u8, space: u8, port: u64, baud: u8) -> Vec<u8> {
        let mut rest = vec![0; 44];
        rest[0] = interface;
        rest[4..8].copy_from_slice(&[space, 8, 0, 1]);
        rest[8..16].copy_from_slice(&port.to_le_bytes());
        rest[22] = baud;
        table(b"SPCR", &rest)
    }

    /// A BIOS and the memory with its tables: the list, another table, and this one.
    fn machine(last: &[u8], width: usize) -> (Vec<u8>, Vec<u8>) {
        let addresses: Vec<u8> = [0x200_u64, 0x400]
            .iter()
            .flat_map(|offset| (MEMORY + offset).to_le_bytes()[..width].to_vec())
            .collect();
        let mut memory = vec![0; 0x1000];
        for (offset, table) in
            [(0x100, table(b"XSDT", &addresses)), (0x200, table(b"FACP", &[1; 80])), (0x400, last.to_vec())]
        {
            memory[offset..offset + table.len()].copy_from_slice(&table);
        }
        let mut pointer = b"RSD PTR 0iPXEt\x02\0".to_vec();
        pointer.resize(36, 0);
        pointer[15] = if width == 8 { 2 } else { 0 };
        let list = MEMORY + 0x100;
        if width == 8 {
            pointer[20] = 36;
            pointer[24..32].copy_from_slice(&list.to_le_bytes());
        } else {
            pointer[16..20].copy_from_slice(&list.to_le_bytes()[..4]);
        }
        let pointer = sealed(pointer, 8);
        let pointer = if width == 8 { sealed(pointer, 32) } else { pointer };
        let mut bios = vec![0xff; 0x1000];
        bios[0x330..0x330 + 36].copy_from_slice(&pointer);
        (bios, memory)
    }

    fn console(bios: &[u8], memory: &[u8]) -> Option<SerialPort> {
        let read = |range: PhysRange| {
            let start = usize::try_from(range.start().checked_sub(MEMORY)?).ok()?;
            memory.get(start..start.checked_add(usize::try_from(range.length()).ok()?)?).map(<[u8]>::to_vec)
        };
        serial_console(Root::new(find_root_pointer(bios)?.1)?, &read)
    }

    #[test]
    fn the_console_is_found_by_both_lists() {
        for width in [4, 8] {
            let (bios, memory) = machine(&spcr(0, 1, 0x2f8, 7), width);
            assert_eq!(console(&bios, &memory), Some(COM2));
        }
    }

    #[test]
    fn only_a_16550_at_io_ports_is_of_use() {
        let cases = [
            (spcr(0x12, 1, 0x3f8, 0), Some(SerialPort { port: 0x3f8, divisor: None })),
            (spcr(1, 1, 0x3f8, 3), Some(SerialPort { port: 0x3f8, divisor: Some(12) })),
            (spcr(3, 1, 0x3f8, 7), None),
            (spcr(0, 0, 0xfe00_0000, 7), None),
            (spcr(0, 1, 0, 7), None),
            (spcr(0, 1, 0x1_03f8, 7), None),
            (table(b"SPCR", &[0; 4]), None),
            (table(b"DBGP", &[0; 44]), None),
        ];
        for (table, port) in cases {
            let (bios, memory) = machine(&table, 8);
            assert_eq!(console(&bios, &memory), port);
        }
    }

    #[test]
    fn wrong_sums_and_lengths_are_refused() {
        let (bios, memory) = machine(&spcr(0, 1, 0x2f8, 7), 8);
        // The root pointer, the list, the table's own bytes, and its length.
        let mut other = bios.clone();
        other[0x333 + 8] ^= 1;
        assert_eq!(console(&other, &memory), None);
        for (place, value) in [(0x110, b'y'), (0x430, 7), (0x404, 35), (0x406, 9)] {
            let mut other = memory.clone();
            other[place] = value;
            assert_eq!(console(&bios, &other), None, "{place:#x}");
        }
    }

    proptest! {
        #[test]
        fn any_damage_does_no_harm(
            long in any::<bool>(),
            changes in proptest::collection::vec((0..0x600_usize, any::<u8>()), 0..8),
            cut in 0..0x1000_usize,
        ) {
            let (mut bios, mut memory) = machine(&spcr(0, 1, 0x2f8, 7), if long { 8 } else { 4 });
            for (place, value) in changes {
                memory[place] = value;
                bios[place] = value;
            }
            let _ = console(&bios, &memory[..cut]);
            let _ = console(&bios[..cut], &memory);
        }
    }
}
