//! `!PXE` and `PXENV+`, seen by our own client.

use super::*;
use crate::find::{self, Segment};

#[test]
fn the_structures_are_found_and_sound() {
    let segment = |segment, size| Segment { segment, size };
    let places = Places {
        entry: SegOff::new(0x9000, 0x1800),
        protected_entry: SegOff::new(0x9000, 0x1900),
        register_entry: SegOff::new(0x9000, 0x1810),
        bang_pxe: SegOff::new(0x9000, 0x1000),
        undi_rom_id: SegOff::new(0xd000, 0x80),
        stack: segment(0x9600, 0x800),
        undi_data: segment(0x9000, 0x2000),
        undi_code: segment(0x9200, 0x1000),
        base_data: segment(0x9400, 0x10),
        base_code: segment(0x9500, 0x20),
    };
    let mut memory = vec![0; 0x10_0000];
    memory[0x9_1000..0x9_1058].copy_from_slice(&bang_pxe(&places));
    memory[0x9_2000..0x9_202c].copy_from_slice(&pxenv_plus(&places));
    memory[0x413..0x415].copy_from_slice(&[0x40, 2]);
    // By the eyes of our own client.
    for hints in [
        find::Hints { stack: SegOff::new(0x9000, 0x1000), ..find::Hints::default() },
        find::Hints { es_bx: SegOff::new(0x9000, 0x2000), ..find::Hints::default() },
        find::Hints::default(),
    ] {
        let stack = find::find(&&memory[..], &hints).unwrap();
        assert!(stack.is_bang_pxe && stack.findings.is_empty(), "{:?}", stack.findings);
        assert_eq!((stack.entry, stack.structure.linear()), (places.entry, 0x9_1000));
        assert_eq!(stack.undi, [places.undi_data, places.undi_code, places.undi_code]);
        assert_eq!(stack.base_code, [places.base_data, places.base_code, places.base_code, places.stack]);
    }
    // PXENV+ by itself has its own entry.
    memory[0x9_1000..0x9_1058].fill(0);
    let stack = find::find(&&memory[..], &find::Hints::default()).unwrap();
    assert_eq!((stack.is_bang_pxe, stack.entry), (false, places.register_entry));
    let pxe = BangPxe::read_from_bytes(&bang_pxe(&places)).unwrap();
    assert_eq!(SegOff::from(pxe.entry_esp), places.protected_entry);
    assert_eq!((pxe.undi_code.address.get(), pxe.segment_count), (0x9_2000, 7));
    assert_eq!((SegOff::from(pxe.undi_rom_id), pxe.base_rom_id), (places.undi_rom_id, FarPointer::default()));
}
