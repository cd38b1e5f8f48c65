//! Starting an operating system: a Linux kernel, or a program for protected mode.

use alloc::vec::Vec;
use base::{Error, PhysRange, SegOff};
use hw::leave::Program;
use hw::memory::FreeMemory;
use image::{Entry, Initrd, Kernel, Memory, Surroundings};
use memmap::Owner;
use script::{ImageId, Type};
use undi::Purpose;

use crate::errors;
use crate::host::BZIMAGE;
use crate::machine::Machine;
use crate::screen::say;

/// What a program is told of its loader.
const LOADER: &str = concat!("iPXE ", env!("CARGO_PKG_VERSION"), "+rs");

impl Machine {
    /// Starts the program, with all other images as initrds or modules. Comes back only with an error, and then with
    /// everything as it was.
    pub(crate) fn boot(&mut self, id: ImageId) -> Result<(), Error> {
        let image = self.images.image(id).ok_or_else(|| errors::GONE.of("the kernel"))?;
        let is_linux = image.kind == Type::Program(BZIMAGE);
        let name = image.name.clone();
        let acpi = self.acpi_root_pointer();
        let place = |image: &script::Image| {
            self.store.pages(image.handle).map(used).ok_or_else(|| errors::GONE.of("an image"))
        };
        let (uri, command_line) = (&image.uri, &image.command_line);
        let kernel = Kernel { name: &name, uri, image: place(image)?, command_line };
        let mut initrds = Vec::new();
        for other in self.images.registered().filter(|other| other.id() != id) {
            let (uri, command_line) = (&other.uri, &other.command_line);
            initrds.push(Initrd { uri, image: place(other)?, command_line });
        }

        // The ring of frames is in base memory until the network is closed, which is after the plan has succeeded.
        let mut map = self.memory.map().clone();
        let ring = PhysRange::new(hw::low::allocated().into(), hw::low::linear().into());
        // What is not mapped cannot be filled.
        let beyond = PhysRange::new(self.memory.end(), u64::MAX);
        if map.reserve(ring, Owner::FrameRing).is_err() || map.reserve(beyond, Owner::Program).is_err() {
            return Err(errors::NO_ROOM.of("the memory map is too scattered"));
        }
        let (handles, pages) = self.store.take_pages(&mut self.memory);
        let memory = match self.memory.take_all(pages) {
            Ok(memory) => Place(memory),
            Err(pages) => {
                self.store.put_pages(handles, pages);
                return Err(errors::GONE.of(name));
            }
        };
        let surroundings = Surroundings {
            loader: LOADER,
            e820: self.info.e820.get(..self.info.e820_count as usize).unwrap_or_default(),
            base_memory_kib: hw::low::found_base_memory_kib(),
            acpi: acpi.as_ref().map(|(address, pointer)| (*address, pointer.as_slice())),
        };
        let plan = if is_linux {
            image::plan_linux(&kernel, &initrds, &surroundings, &map, &memory)
        } else {
            image::plan_executable(&kernel, &initrds, &surroundings, &map, &memory)
        };
        let plan = match plan {
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
            "Booting {name}: kernel {} KiB at {:#x}, {} {} KiB at {:#x}, {} at {:#x}",
            size(plan.program),
            plan.program.start(),
            if is_linux { "initrds" } else { "modules" },
            size(plan.initrds),
            plan.initrds.start(),
            if is_linux { "setup" } else { "information" },
            plan.parameters.start(),
        );
        self.depart(Purpose::System);
        say!(self.screen, "Base memory in use: {} KiB", hw::low::in_use().div_ceil(1024));
        // Nothing of the network is left that could use memory; all pages are held, so this cannot fail.
        let Ok(memory) = self.memory.take_all(pages) else { return Err(errors::GONE.of(name)) };
        match image::execute(&plan, &mut Place(memory)) {
            // Linux boot protocol, "Running the kernel".
            Entry::Real { segment, code_segment, instruction, stack } => hw::leave::start(&Program {
                entry: SegOff::new(code_segment, instruction),
                segment,
                stack,
                edx: 0,
                interrupts: false,
            }),
            Entry::Protected { instruction, eax, ebx, esi } => {
                hw::leave::start_protected(instruction, eax, ebx, esi)
            }
        }
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
