//! In a build that is as small as it can be: archives are unpacked when they are started.

use base::Error;
use hw::memory::{Pages, PhysicalMemory};
use script::{Fetched, Handle};

use crate::machine::Machine;

/// Nothing that is unpacked while it comes.
#[derive(Default)]
pub(crate) struct Ahead;

impl Ahead {
    /// For any file.
    pub(crate) fn new(_: bool) -> Self {
        Self
    }

    /// Does nothing.
    pub(crate) fn step(&mut self, _: &[u8], _: &mut PhysicalMemory) -> bool {
        false
    }

    /// There is nothing.
    pub(crate) fn forget(&mut self, _: &mut PhysicalMemory) {}
}

/// Nothing that is in an archive.
#[derive(Debug, Default)]
pub(crate) struct Inside;

impl Inside {
    /// None.
    pub(crate) fn take(&mut self, _: Handle) -> Option<Pages> {
        None
    }

    /// There is nothing.
    pub(crate) fn forget(&mut self, _: &mut PhysicalMemory) {}
}

impl Machine {
    /// Does nothing.
    pub(crate) fn unpack_ahead(&mut self, _: Ahead, _: &Fetched) -> Result<(), Error> {
        Ok(())
    }
}
