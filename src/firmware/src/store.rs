//! The bytes of images: where downloads go.

use alloc::boxed::Box;
use alloc::format;
use alloc::vec::Vec;
use base::{Error, ErrorKind, Instant, Sink};
use hw::memory::{Pages, PhysicalMemory};
use image::{Deflate, Unpacker};
use script::Handle;

use crate::ahead::{Ahead, Inside};
use crate::errors;
use crate::machine::Machine;
use crate::screen::say;

/// The content of all images, by handle.
#[derive(Debug, Default)]
pub(crate) struct Store {
    contents: Vec<(Handle, Pages)>,
    next: u32,
    /// What was unpacked ahead.
    pub(crate) inside: Inside,
}

impl Store {
    /// Takes a finished download.
    pub(crate) fn add(&mut self, pages: Pages) -> Handle {
        let handle = Handle(self.next);
        self.next += 1;
        self.contents.push((handle, pages));
        handle
    }

    /// The bytes of an image; empty if it is gone.
    pub(crate) fn bytes(&self, handle: Handle) -> &[u8] {
        self.pages(handle).map(Pages::bytes).unwrap_or_default()
    }

    /// The pages of an image.
    pub(crate) fn pages(&self, handle: Handle) -> Option<&Pages> {
        self.contents.iter().find(|(other, _)| *other == handle).map(|(_, pages)| pages)
    }

    /// Gives an image's memory back.
    pub(crate) fn release(&mut self, handle: Handle, memory: &mut PhysicalMemory) {
        if let Some(place) = self.contents.iter().position(|(other, _)| *other == handle) {
            memory.free(self.contents.swap_remove(place).1);
        }
        if let Some(inside) = self.inside.take(handle) {
            memory.free(inside);
        }
    }

    /// Takes all pages out, for the boot that needs all memory. What was unpacked of another image is given up.
    pub(crate) fn take_pages(&mut self, memory: &mut PhysicalMemory) -> (Vec<Handle>, Vec<Pages>) {
        self.inside.forget(memory);
        let mut taken = (Vec::new(), Vec::new());
        for (handle, pages) in core::mem::take(&mut self.contents) {
            taken.0.push(handle);
            taken.1.push(pages);
        }
        taken
    }

    /// Puts back what [`take_pages`](Self::take_pages) took.
    pub(crate) fn put_pages(&mut self, handles: Vec<Handle>, pages: Vec<Pages>) {
        self.contents = base::list(handles.into_iter().zip(pages));
    }
}

/// How an archive begins to be unpacked.
type Begin = fn(&[u8]) -> Result<Box<dyn Unpacker>, &'static ErrorKind>;

/// By what [`image::recognise`] calls it.
const ARCHIVES: &[(&str, Begin)] = &[
    ("gzip", |archive| Ok(Box::new(Deflate::try_new(archive)?))),
    ("zlib", |archive| Ok(Box::new(Deflate::try_new(archive)?))),
    #[cfg(feature = "archives")]
    ("xz", |archive| Ok(Box::new(image::Xz::try_new(archive)?))),
    #[cfg(feature = "archives")]
    ("zstd", |_| Ok(Box::new(image::Zstd::new()))),
];

/// An archive that is being unpacked, and the memory for what is in it.
pub(crate) struct Unpacking {
    pub(crate) unpacker: Box<dyn Unpacker>,
    pub(crate) pages: Pages,
}

impl Unpacking {
    /// Begins to unpack that `archive`, of which the first bytes are there. Nobody knows how much is in it.
    pub(crate) fn try_new(
        name: &str,
        kind: &str,
        archive: &[u8],
        memory: &mut PhysicalMemory,
    ) -> Result<Self, Error> {
        let begin = ARCHIVES.iter().find(|(other, _)| *other == kind);
        let (_, begin) = begin.ok_or_else(|| errors::NOT_BUILT.of(kind))?;
        let unpacker = begin(archive).map_err(|kind| kind.of(name))?;
        let pages = memory.allocate_largest(KERNEL_PLACE);
        Ok(Self { unpacker, pages: pages.ok_or_else(|| no_room(1, memory))? })
    }

    /// Makes a step with what there is of the archive.
    pub(crate) fn step(&mut self, archive: &[u8]) -> Result<Option<usize>, &'static ErrorKind> {
        self.unpacker.step(archive, self.pages.room_mut())
    }
}

impl Machine {
    /// What is in an archive of that kind.
    pub(crate) fn unpack(&mut self, name: &str, kind: &str, archive: Handle) -> Result<Pages, Error> {
        if let Some(pages) = self.store.inside.take(archive) {
            return Ok(pages);
        }
        let unpacking = Unpacking::try_new(name, kind, self.store.bytes(archive), &mut self.memory)?;
        say!(self.screen, "Unpacking {name}");
        self.unpack_rest(name, unpacking, archive)
    }

    /// Goes on with an archive, to its end. The loop runs meanwhile, so Ctrl-C ends it.
    pub(crate) fn unpack_rest(
        &mut self,
        name: &str,
        mut unpacking: Unpacking,
        archive: Handle,
    ) -> Result<Pages, Error> {
        let length = loop {
            let step = unpacking.step(self.store.bytes(archive)).map_err(|kind| kind.of(name));
            if let Some(length) = step.transpose().or_else(|| self.round(Instant::ZERO).err().map(Err)) {
                break length;
            }
        };
        let mut pages = unpacking.pages;
        match length {
            Ok(length) => {
                pages.set_length(length);
                self.memory.trim(&mut pages);
                Ok(pages)
            }
            Err(error) => {
                self.memory.free(pages);
                Err(error)
            }
        }
    }
}

/// A download on its way into memory.
#[derive(Default)]
pub(crate) struct Target {
    pages: Option<Pages>,
    /// The most bytes that are of use, by what is to become of them.
    limit: Option<u64>,
    ahead: Ahead,
}

impl Target {
    /// Nothing yet, and at most `limit` bytes to come.
    pub(crate) fn new(limit: Option<u64>, ahead: Ahead) -> Self {
        Self { pages: None, limit, ahead }
    }

    /// Unpacks some of what has come, if that is wanted. Whether there is more to do before more comes.
    pub(crate) fn unpack(&mut self, memory: &mut PhysicalMemory) -> bool {
        self.ahead.step(self.pages.as_ref().map(Pages::bytes).unwrap_or_default(), memory)
    }

    /// A sink that puts bytes here.
    pub(crate) fn writer<'a>(&'a mut self, memory: &'a mut PhysicalMemory) -> Writer<'a> {
        Writer { target: self, memory }
    }

    /// Ends the download: gives back what is not needed of its pages.
    pub(crate) fn finish(mut self, memory: &mut PhysicalMemory) -> Result<(Pages, Ahead), Error> {
        let mut pages = match self.pages.take() {
            Some(pages) => pages,
            None => memory.allocate(1, KERNEL_PLACE).ok_or_else(|| no_room(1, memory))?,
        };
        memory.trim(&mut pages);
        Ok((pages, self.ahead))
    }

    /// Throws the download away.
    pub(crate) fn abandon(mut self, memory: &mut PhysicalMemory) {
        self.ahead.forget(memory);
        if let Some(pages) = self.pages {
            memory.free(pages);
        }
    }
}

/// Kernels unpack themselves below this; images are put elsewhere if there is room, so that they need not be moved twice.
const KERNEL_PLACE: u64 = 64 << 20;

/// The sink of a download, for as long as bytes are at hand.
pub(crate) struct Writer<'a> {
    target: &'a mut Target,
    memory: &'a mut PhysicalMemory,
}

impl Sink for Writer<'_> {
    fn announce(&mut self, length: u64) -> Result<(), Error> {
        if let Some(limit) = self.target.limit.filter(|limit| length > *limit) {
            return Err(errors::NO_ROOM.of(format!(
                "it needs {} KiB, there are {} KiB",
                length >> 10,
                limit >> 10
            )));
        }
        if let Some(pages) = self.target.pages.take() {
            self.memory.free(pages);
        }
        let pages = self.memory.allocate(length, KERNEL_PLACE);
        // A program that has called for more than is kept for that ends by it.
        let pages = pages.or_else(|| self.memory.allocate_of_program(length, KERNEL_PLACE));
        self.target.pages = Some(pages.ok_or_else(|| no_room(length, self.memory))?);
        Ok(())
    }

    fn write(&mut self, data: &[u8]) -> Result<(), Error> {
        if self.target.pages.is_none() {
            // Nobody knows how long it becomes: all of the largest free range, until it is there.
            let pages = self.memory.allocate_largest(KERNEL_PLACE);
            self.target.pages = Some(pages.ok_or_else(|| no_room(1, self.memory))?);
        }
        let Some(pages) = self.target.pages.as_mut() else { return Ok(()) };
        let start = pages.length();
        let end = start + data.len();
        let Some(room) = pages.room_mut().get_mut(start..end) else {
            return Err(no_room(end as u64, self.memory));
        };
        room.copy_from_slice(data);
        pages.set_length(end);
        Ok(())
    }

    fn restart(&mut self) {
        self.target.ahead.forget(self.memory);
        if let Some(pages) = self.target.pages.as_mut() {
            pages.set_length(0);
        }
    }
}

fn no_room(length: u64, memory: &PhysicalMemory) -> Error {
    let (needed, largest) = (length.div_ceil(1024), memory.largest() >> 10);
    let object = format!("it needs {needed} KiB, there are {largest} KiB in one piece");
    errors::NO_ROOM.of(object)
}
