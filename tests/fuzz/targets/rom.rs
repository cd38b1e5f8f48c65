//! Our check of option ROMs on any file, its length and sums made right.
#![no_main]

use image_variants::rom::check;
use libfuzzer_sys::fuzz_target;

const BLOCK: usize = 512;

fuzz_target!(|data: &[u8]| {
    let _ = check(data);
    let mut rom = data.to_vec();
    rom.resize(rom.len().next_multiple_of(BLOCK).clamp(BLOCK, 16 * BLOCK), 0);
    let blocks = (rom.len() / BLOCK) as u8;
    rom[..3].copy_from_slice(&[0x55, 0xaa, blocks]);
    // Byte 9 of the Plug and Play header, byte 5 of the UNDI structure and byte 6 of the ROM make the sums right.
    for (pointer, length, at) in [(Some(0x1a), 0x20, 9), (Some(0x16), 0x16, 5), (None, rom.len(), 6)] {
        let start = pointer.map_or(0, |at| usize::from(u16::from_le_bytes([rom[at], rom[at + 1]])));
        let sum = rom.iter().skip(start).take(length).fold(0u8, |sum, byte| sum.wrapping_add(*byte));
        if let Some(byte) = rom.get_mut(start + at) {
            *byte = byte.wrapping_sub(sum);
        }
    }
    if let Ok(found) = check(&rom) {
        assert!(!found.product.is_empty() && found.devices.len() <= 256);
        if let Some((at, length)) = found.image {
            assert!(at > 0 && at + length <= rom.len());
        }
    }
});
