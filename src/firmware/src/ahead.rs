//! What is in an archive that is to be started, unpacked while the archive comes.
//!
//! The bytes as they came are kept, since digests and signatures are of them, and the download may go on elsewhere. Each
//! round of the download makes one step, so it waits for no more than that. Whatever goes wrong, unpacking is given up
//! without a word: the archive is unpacked when it is started, as any other, and what is wrong with it is said then.

use base::Error;
use hw::memory::{Pages, PhysicalMemory};
use image::errors::SHORT_ARCHIVE;
use image::{Format, RECOGNISE_LENGTH, recognise};
use script::errors::CANCELLED;
use script::{Fetched, Handle};

use crate::machine::Machine;
use crate::screen::say;
use crate::store::Unpacking;

/// An archive that is unpacked while it comes, if it is one.
#[derive(Default)]
pub(crate) struct Ahead {
    /// Whether it is to be, and nothing was in the way so far.
    is_wanted: bool,
    unpacking: Option<Unpacking>,
}

impl Ahead {
    /// For a file that is to be started, or not.
    pub(crate) fn new(is_wanted: bool) -> Self {
        Self { is_wanted, unpacking: None }
    }

    /// Makes a step with what has come. Whether there is more to do before more comes.
    pub(crate) fn step(&mut self, come: &[u8], memory: &mut PhysicalMemory) -> bool {
        let Some(first) = come.get(..RECOGNISE_LENGTH).filter(|_| self.is_wanted) else { return false };
        if self.unpacking.is_none()
            && let Format::Archive(kind) = recognise(first)
        {
            self.unpacking = Unpacking::try_new("", kind, come, memory).ok();
        }
        match self.unpacking.as_mut().map(|unpacking| unpacking.step(come)) {
            Some(Ok(None)) => return true,
            Some(Ok(Some(_))) => {}
            Some(Err(kind)) if kind == &SHORT_ARCHIVE => {}
            _ => {
                self.is_wanted = false;
                self.forget(memory);
            }
        }
        false
    }

    /// Gives up what was unpacked, of bytes that do not count any more. It begins anew with others.
    pub(crate) fn forget(&mut self, memory: &mut PhysicalMemory) {
        if let Some(unpacking) = self.unpacking.take() {
            memory.free(unpacking.pages);
        }
    }
}

/// What is in the archive that was fetched last to be started.
#[derive(Debug, Default)]
pub(crate) struct Inside(Option<(Handle, Pages)>);

impl Inside {
    /// Takes it, if it is of that archive.
    pub(crate) fn take(&mut self, archive: Handle) -> Option<Pages> {
        self.0.take_if(|(of, _)| *of == archive).map(|(_, pages)| pages)
    }

    /// Gives it up.
    pub(crate) fn forget(&mut self, memory: &mut PhysicalMemory) {
        if let Some((_, pages)) = self.0.take() {
            memory.free(pages);
        }
    }
}

impl Machine {
    /// Unpacks the rest of an archive of which all has come, and keeps what is in it. Fails by Ctrl-C only, and then the
    /// archive is gone.
    pub(crate) fn unpack_ahead(&mut self, ahead: Ahead, archive: &Fetched) -> Result<(), Error> {
        let Some(unpacking) = ahead.unpacking else { return Ok(()) };
        let Fetched { name, handle, .. } = archive;
        let made = unpacking.unpacker.made() >> 10;
        say!(self.screen, "Unpacking {name}: {made} KiB are there already");
        match self.unpack_rest(name, unpacking, *handle) {
            Err(error) if error.is(&CANCELLED) => {
                self.store.release(*handle, &mut self.memory);
                return Err(error);
            }
            inside => self.store.inside = Inside(inside.ok().map(|pages| (*handle, pages))),
        }
        Ok(())
    }
}
