//! Option ROMs that say anything, their checksums made right.
#![no_main]

use libfuzzer_sys::fuzz_target;
use undi::option_rom::find;

const SPACE: usize = 0xc_0000;
const BLOCK: usize = 512;
/// Where the search ends.
const END: usize = 0xf_0000;

fuzz_target!(|data: &[u8]| {
    let data = data.get(..END - SPACE).unwrap_or(data);
    let mut memory = vec![0; END];
    memory[SPACE..SPACE + data.len()].copy_from_slice(data);
    let device = |at: usize| data.get(at..at + 2).map_or(0, |bytes| u16::from_le_bytes([bytes[0], bytes[1]]));
    let (vendor, device) = (device(8), device(10));
    let _ = find(&&memory[..], vendor, device);
    // Byte 7 of a ROM and byte 5 of its UNDI structure make the sums right.
    let length = usize::from(memory[SPACE + 2]) * BLOCK;
    let undi = SPACE + usize::from(u16::from_le_bytes([memory[SPACE + 0x16], memory[SPACE + 0x17]]));
    memory[SPACE..SPACE + 2].copy_from_slice(&[0x55, 0xaa]);
    for (start, length, at) in [(undi, 0x16, undi + 5), (SPACE, length, SPACE + 7)] {
        let sum = memory.iter().skip(start).take(length).fold(0u8, |sum, byte| sum.wrapping_add(*byte));
        if let Some(byte) = memory.get_mut(at) {
            *byte = byte.wrapping_sub(sum);
        }
    }
    if let Some(rom) = find(&&memory[..], vendor, device) {
        assert!(rom.data_size > 0 && rom.code_size > 0 && rom.loader.linear() as usize >= SPACE);
    }
});
