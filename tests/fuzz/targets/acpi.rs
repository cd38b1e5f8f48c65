//! The tables of ACPI: any BIOS, and any memory that its tables lie in.
#![no_main]

use libfuzzer_sys::fuzz_target;

/// Where the memory begins.
const MEMORY: u64 = 0x1000;

fuzz_target!(|data: &[u8]| {
    // The BIOS's part ends where the memory begins.
    let bios = data.get(..64).unwrap_or(data);
    let read = |range: base::PhysRange| {
        let start = usize::try_from(range.start().checked_sub(MEMORY)?).ok()?;
        let end = start.checked_add(usize::try_from(range.length()).ok()?)?;
        assert!(range.length() <= u64::from(acpi::TABLE_LIMIT), "read without a limit");
        data.get(start..end).map(<[u8]>::to_vec)
    };
    if let Some(root) = acpi::find_root_pointer(bios).and_then(|(_, pointer)| acpi::Root::new(pointer)) {
        let port = acpi::serial_console(root, &read);
        assert!(port.is_none_or(|port| port.port != 0));
    }
});
