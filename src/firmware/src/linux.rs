//! Starting a Linux kernel.

use alloc::vec::Vec;
use base::{Error, PhysRange, SegOff};
use hw::leave::Program;
use hw::memory::FreeMemory;
use image::{Initrd, Kernel, Memory};
use memmap::Owner;
use script::ImageId;
use undi::Purpose;

use crate::errors;
use crate::machine::Machine;
use crate::screen::say;

impl Machine {
    /// Starts the kernel, with all other images as initrds. Comes back only with an error, and then with everything
    /// as it was.
    pub(crate) fn boot_linux(&mut self, id: ImageId) -> Result<(), Error> {
        let range = |handle| self.store.pages(handle).map(used).ok_or_else(|| errors::GONE.of("an image"));
        let image = self.images.image(id).ok_or_else(|| errors::GONE.of("the kernel"))?;
        let name = image.name.clone();
        let kernel = range(image.handle)?;
        let command_line = image.command_line.clone();
        let initrds: Result<Vec<_>, Error> = self
            .images
            .registered()
            .filter(|other| other.id() != id)
            .map(|other| Ok((range(other.handle)?, other.command_line.clone())))
            .collect();
        let initrds = initrds?;

        // The ring of frames is in base memory until the network is closed, which is after the plan has succeeded.
        let mut map = self.memory.map().clone();
        let ring = PhysRange::new(hw::low::allocated().into(), hw::low::linear().into());
        if map.reserve(ring, Owner::FrameRing).is_err() {
            return Err(errors::NO_ROOM.of("the memory map is too scattered"));
        }
        let (handles, pages) = self.store.take_pages();
        let memory = match self.memory.take_all(pages) {
            Ok(memory) => Place(memory),
            Err(pages) => {
                self.store.put_pages(handles, pages);
                return Err(errors::GONE.of(name));
            }
        };
        let initrds: Vec<_> =
            initrds.iter().map(|(image, command_line)| Initrd { image: *image, command_line }).collect();
        let kernel = Kernel { name: &name, image: kernel, command_line: &command_line };
        let plan = match image::plan(&kernel, &initrds, &map, &memory) {
            Ok(plan) => plan,
            Err(error) => {
                self.store.put_pages(handles, memory.0.into_pages());
                return Err(error);
            }
        };
        let pages = memory.0.into_pages();
        let size = |range: PhysRange| range.length() >> 10;
        self.screen.show_text();
        say!(
            self.screen,
            "Booting {name}: kernel {} KiB at {:#x}, initrds {} KiB at {:#x}, setup at {:#x}",
            size(plan.protected_mode),
            plan.protected_mode.start(),
            size(plan.initrds),
            plan.initrds.start(),
            plan.real_mode.start(),
        );
        self.depart(Purpose::System);
        say!(self.screen, "{} KiB of base memory are in use", hw::low::in_use().div_ceil(1024));
        // Nothing of the network is left that could use memory; all pages are held, so this cannot fail.
        let Ok(memory) = self.memory.take_all(pages) else { return Err(errors::GONE.of(name)) };
        let entry = image::execute(&plan, &mut Place(memory));
        // Linux boot protocol, "Running the kernel".
        hw::leave::start(&Program {
            entry: SegOff::new(entry.code_segment, entry.instruction),
            segment: entry.segment,
            stack: entry.stack,
            edx: 0,
            interrupts: false,
        })
    }
}

/// The bytes in use of an image's pages.
fn used(pages: &hw::memory::Pages) -> PhysRange {
    PhysRange::with_length(pages.range().start(), pages.length() as u64)
}

/// Physical memory for the plan. Every range of a plan is free by the map, so none is refused.
struct Place<'a>(FreeMemory<'a>);

impl Memory for Place<'_> {
    fn read(&self, from: u64, to: &mut [u8]) {
        if let Some(bytes) = self.0.bytes(PhysRange::with_length(from, to.len() as u64)) {
            to.copy_from_slice(bytes);
        }
    }

    fn write(&mut self, to: u64, from: &[u8]) {
        if let Some(bytes) = self.0.bytes_mut(PhysRange::with_length(to, from.len() as u64)) {
            bytes.copy_from_slice(from);
        }
    }

    fn copy(&mut self, from: u64, to: u64, length: u64) {
        self.0.copy(from, to, length);
    }

    fn zero(&mut self, range: PhysRange) {
        if let Some(bytes) = self.0.bytes_mut(range) {
            bytes.fill(0);
        }
    }
}
