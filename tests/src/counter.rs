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

const FIRST_COUNTER: usize = 8;
const INSTRUCTIONS: usize = FIRST_COUNTER;
const CR0: usize = FIRST_COUNTER + 1;
const WRMSR: usize = FIRST_COUNTER + 7;
const EVENT_COUNT: usize = 2;

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

/// The counters that the plugin writes to `path`, and the number of events so far: the first is the first
/// instruction at 7C00h, the image's.
pub fn read(path: &Path) -> Result<(Counters, u64)> {
    let bytes = fs::read(path).context(path.display())?;
    parse(&bytes).ok_or_else(|| Failure(format!("{}: the plugin did not write this", path.display())))
}

fn parse(bytes: &[u8]) -> Option<(Counters, u64)> {
    let word = |index: usize| Some(u64::from_le_bytes(*bytes.get(index * 8..)?.first_chunk()?));
    if !bytes.starts_with(b"NBCOUNT1") {
        return None;
    }
    let counters =
        Counters { instructions: word(INSTRUCTIONS)?, cr0_writes: word(CR0)?, msr_writes: word(WRMSR)? };
    Some((counters, word(EVENT_COUNT)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counters_are_where_the_plugin_puts_them() {
        let mut bytes = b"NBCOUNT1".to_vec();
        for word in 1..64_u64 {
            bytes.extend_from_slice(&word.to_le_bytes());
        }
        let counters = Counters { instructions: 8, cr0_writes: 9, msr_writes: 15 };
        assert_eq!(parse(&bytes), Some((counters, 2)));
        assert_eq!(parse(&bytes[..100]), None);
    }
}
