//! How the machine talks to its user: the serial console and the keyboard layout, by what the BIOS says and by settings.

use alloc::vec::Vec;
use base::Error;
use console::Keymap;
use hw::{bios, serial};

use crate::dialogue::shown;
use crate::errors;
use crate::machine::Machine;

/// What was last done of what settings say.
#[derive(Debug, Default)]
pub(crate) struct Preferences {
    /// How often settings had changed then.
    changes: u32,
    values: [Vec<u8>; PREFERENCES.len()],
}

/// Settings that are obeyed as soon as they change.
const PREFERENCES: [(&[u8], Obey); 2] = [(b"serial-port", use_serial_port), (b"keymap", use_keymap)];

/// Obeys a setting; empty where it was cleared.
type Obey = fn(&mut Machine, &str) -> Result<(), Error>;

impl Machine {
    /// Uses the serial console that the BIOS's tables name, if they name one.
    pub(crate) fn open_named_console(&mut self) {
        let read = |range| hw::memory::firmware_data(&self.info, range);
        let root = self.acpi_root_pointer().and_then(|(_, pointer)| acpi::Root::new(&pointer));
        if let Some(console) = root.and_then(|root| acpi::serial_console(root, &read)) {
            serial::open(console.port, console.divisor);
        }
    }

    /// The root pointer of ACPI, if the BIOS has one, and where it is.
    pub(crate) fn acpi_root_pointer(&self) -> Option<(u64, Vec<u8>)> {
        let search = |start: u64, bytes: &[u8]| {
            let (place, pointer) = acpi::find_root_pointer(bytes)?;
            Some((start + place as u64, pointer.to_vec()))
        };
        let upper = || hw::memory::firmware_data(&self.info, acpi::SEARCH);
        let (start, bytes) = bios::extended_data();
        search(start.into(), &bytes).or_else(|| search(acpi::SEARCH.start(), &upper()?))
    }

    /// Obeys settings that have changed.
    pub(crate) fn obey_settings(&mut self) {
        let changes = self.settings.changes();
        if core::mem::replace(&mut self.preferences.changes, changes) == changes {
            return;
        }
        for (place, (name, obey)) in PREFERENCES.iter().enumerate() {
            let value = self.settings.text(name).unwrap_or_default();
            if let Some(old) = self.preferences.values.get_mut(place)
                && *old != value
            {
                old.clone_from(&value);
                if let Err(error) = obey(self, &shown(&value)) {
                    self.screen.error(&error);
                }
            }
        }
    }
}

/// COM1 to COM4 by number, at 115200 bits a second; 0 for none.
fn use_serial_port(_: &mut Machine, number: &str) -> Result<(), Error> {
    let is_done = match settings::number(number.as_bytes()) {
        Some(0) => {
            serial::close();
            true
        }
        wanted => wanted.and_then(bios::serial_port).is_some_and(|port| serial::open(port, Some(1))),
    };
    if is_done || number.is_empty() { Ok(()) } else { Err(errors::NO_SERIAL_PORT.of(number)) }
}

fn use_keymap(machine: &mut Machine, name: &str) -> Result<(), Error> {
    let name = if name.is_empty() { "us" } else { name };
    machine.keyboard.keymap = Keymap::named(name).ok_or_else(|| errors::NO_KEYMAP.of(name))?;
    Ok(())
}
