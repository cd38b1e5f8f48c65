//! The machine's UUID, from the SMBIOS tables (DMTF DSP0134).

use alloc::vec;

/// Where the entry point structure of a BIOS lies, on a 16-byte boundary.
const SEARCH: core::ops::Range<u32> = 0xf_0000..0x10_0000;
const SYSTEM_INFORMATION: u8 = 1;
const END_OF_TABLE: u8 = 127;
/// The most bytes of tables that are looked at.
const TABLE_LIMIT: u16 = 16 * 1024;

/// The UUID as its structure has it; none if the machine has none.
pub(crate) fn uuid() -> Option<[u8; 16]> {
    let mut entry = [0; 32];
    let found = SEARCH.step_by(16).any(|address| {
        hw::low::read(address, &mut entry);
        entry.starts_with(b"_SM_") && entry.get(16..21) == Some(b"_DMI_")
    });
    let [length_low, length_high, a, b, c, d] = *entry.get(22..28)?.first_chunk()?;
    let address = u32::from_le_bytes([a, b, c, d]);
    // Tables above 1 MiB are left alone: nothing says what else is there.
    if !found || address >= SEARCH.end {
        return None;
    }
    let mut table = vec![0; u16::from_le_bytes([length_low, length_high]).min(TABLE_LIMIT).into()];
    hw::low::read(address, &mut table);
    find_uuid(&table)
}

/// Walks the structures: each has a formatted part, whose length it names, and strings up to two zero bytes.
fn find_uuid(mut table: &[u8]) -> Option<[u8; 16]> {
    while let [kind, length, ..] = *table {
        let formatted = table.get(..usize::from(length)).filter(|part| part.len() >= 4)?;
        if kind == SYSTEM_INFORMATION {
            let uuid = *formatted.get(8..24)?.first_chunk::<16>()?;
            return Some(uuid)
                .filter(|uuid| uuid.iter().any(|byte| *byte != 0) && uuid.iter().any(|byte| *byte != 0xff));
        }
        if kind == END_OF_TABLE {
            return None;
        }
        let strings = table.get(usize::from(length)..)?;
        let end = strings.windows(2).position(|pair| pair == [0, 0])?;
        table = strings.get(end + 2..)?;
    }
    None
}
