//! SMBIOS entry points and structures that say anything.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    if let Some((range, _)) = smbios::find_table(data) {
        assert!(range.length() <= smbios::TABLE_LIMIT);
    }
    for kind in [smbios::BIOS, smbios::SYSTEM, smbios::BOARD] {
        let Some(structure) = smbios::find(data, kind, 0) else { continue };
        for offset in 0..10 {
            if let Some(text) = structure.string(offset) {
                assert!(!text.is_empty() && text.len() < data.len());
                assert!(text.bytes().all(|byte| (b' '..=b'~').contains(&byte)));
            }
        }
        let _ = structure.uuid(8);
    }
});
