//! The counter plugin: how often the guest's processor does what costs.

use crate::failure::{Context, Failure, Result};
use crate::paths;
use crate::process::{run, tool};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Counters at one moment.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counters {
    /// Instructions.
    pub instructions: u64,
    /// Writes of CR0: two for a way from protected to real mode and back, also those of the card's ROM.
    pub cr0_writes: u64,
    /// Writes of model-specific registers: two for a way from long mode to real mode and back (EFER both times),
    /// and none of the card's ROM.
    pub msr_writes: u64,
}

impl std::ops::Sub for Counters {
    type Output = Self;

    fn sub(self, earlier: Self) -> Self {
        Self {
            instructions: self.instructions - earlier.instructions,
            cr0_writes: self.cr0_writes - earlier.cr0_writes,
            msr_writes: self.msr_writes - earlier.msr_writes,
        }
    }
}

impl std::ops::Add for Counters {
    type Output = Self;

    fn add(self, more: Self) -> Self {
        Self {
            instructions: self.instructions + more.instructions,
            cr0_writes: self.cr0_writes + more.cr0_writes,
            msr_writes: self.msr_writes + more.msr_writes,
        }
    }
}

/// The counters at an event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Event {
    /// The number that the guest gave it, or more than 32 bits.
    pub id: u64,
    /// Nanoseconds of the host's clock.
    pub at: u64,
    /// What had been done then.
    pub counters: Counters,
}

// Places of words in the plugin's file.
const EVENT_COUNT: usize = 2;
const COUNTERS: usize = 8;
const FIRST_EVENT: usize = 64;
const EVENT_SIZE: usize = 40;
// And in an event.
const EVENT_ID: usize = 0;
const EVENT_TIME: usize = 1;
const EVENT_COUNTERS: usize = 2;
// Places among the counters.
const INSTRUCTIONS: usize = 0;
const CR0: usize = 1;
const WRMSR: usize = 7;

/// Builds the plugin for the QEMU in use.
pub fn build() -> Result<PathBuf> {
    let source = paths::root().join("tests/plugin/nbcount.c");
    let folder = paths::target().join("plugin");
    fs::create_dir_all(&folder).context(folder.display())?;
    let object = folder.join("libnbcount.so");
    let flags = run(Command::new(tool("pkg-config")?).args(["--cflags", "glib-2.0"]))?;
    let mut command = Command::new(tool("gcc")?);
    command.args(["-O2", "-shared", "-fPIC", "-w"]).args(flags.split_whitespace());
    run(command.arg("-o").arg(&object).arg(source))?;
    Ok(object)
}

/// The counters that the plugin writes to `path`, and the events so far: the first is the first instruction at 7C00h,
/// the image's.
pub fn read(path: &Path) -> Result<(Counters, Vec<Event>)> {
    let bytes = fs::read(path).context(path.display())?;
    parse(&bytes).ok_or_else(|| Failure(format!("{}: the plugin did not write this", path.display())))
}

fn parse(bytes: &[u8]) -> Option<(Counters, Vec<Event>)> {
    let word = |index: usize| Some(u64::from_le_bytes(*bytes.get(index * 8..)?.first_chunk()?));
    let counters = |first: usize| {
        Some(Counters {
            instructions: word(first + INSTRUCTIONS)?,
            cr0_writes: word(first + CR0)?,
            msr_writes: word(first + WRMSR)?,
        })
    };
    if !bytes.starts_with(b"NBCOUNT1") {
        return None;
    }
    let count = usize::try_from(word(EVENT_COUNT)?).ok()?;
    let places = (FIRST_EVENT..).step_by(EVENT_SIZE).take(count);
    let events = places.map(|first| {
        Some(Event {
            id: word(first + EVENT_ID)?,
            at: word(first + EVENT_TIME)?,
            counters: counters(first + EVENT_COUNTERS)?,
        })
    });
    Some((counters(COUNTERS)?, events.collect::<Option<_>>()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counters_are_where_the_plugin_puts_them() {
        let mut bytes = b"NBCOUNT1".to_vec();
        for word in 1..144_u64 {
            bytes.extend_from_slice(&word.to_le_bytes());
        }
        let counters = Counters { instructions: 8, cr0_writes: 9, msr_writes: 15 };
        let event = |first: u64| Event {
            id: first,
            at: first + 1,
            counters: Counters { instructions: first + 2, cr0_writes: first + 3, msr_writes: first + 9 },
        };
        assert_eq!(parse(&bytes), Some((counters, vec![event(64), event(104)])));
        assert_eq!(parse(&bytes[..100]), None);
    }
}
