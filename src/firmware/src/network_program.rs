//! Starting another network boot program in our place (PXE 2.1 section 4.4.5).
//!
//! It finds what we found: the vendor's stack whole, base memory as it was, the same registers, and on the entry stack
//! the return address and the pointer to `!PXE`. So it returns to the PXE ROM and not to us: nothing hides our memory
//! from it.

use base::{Error, PhysRange};
use hw::leave::NETWORK_PROGRAM;
use script::ImageId;
use undi::Purpose;

use crate::errors;
use crate::machine::Machine;
use crate::screen::say;

/// What the prefix has saved on the entry stack, the return address and the pointer above it.
const ENTRY_FRAME: u64 = 64;

/// The most bytes that a program may have.
pub(crate) fn capacity() -> u64 {
    // An UNDI that we loaded lies below the low block.
    let end = hw::low::linear().min(u32::from(hw::low::found_base_memory_kib()) * 1024);
    end.saturating_sub(NETWORK_PROGRAM).into()
}

impl Machine {
    /// Starts the program. Comes back only with an error, before anything is touched.
    pub(crate) fn start_network_program(&mut self, id: ImageId) -> Result<(), Error> {
        let image = self.images.image(id).ok_or_else(|| errors::GONE.of("the program"))?;
        let name = image.name.clone();
        let gone = || errors::GONE.of(name.as_str());
        let from = self.store.pages(image.handle).ok_or_else(gone)?.range().start();
        let program = PhysRange::with_length(NETWORK_PROGRAM.into(), image.size);
        let frame = PhysRange::with_length(self.info.entry_stack.linear().into(), ENTRY_FRAME);
        if self.vendor.is_none() || program.overlaps(frame) || !hw::leave::can_return_to_caller(&self.info) {
            return Err(errors::NO_STACK.of(name));
        }
        let (handles, pages) = self.store.take_pages();
        let pages = match self.memory.take_all(pages) {
            Ok(memory) => memory.into_pages(),
            Err(pages) => {
                self.store.put_pages(handles, pages);
                return Err(gone());
            }
        };
        self.screen.show_text();
        say!(self.screen, "Starting {name} at 0:7C00");
        self.depart(Purpose::NetworkProgram);
        // Nothing of the network is left in base memory, and all pages are held, so neither of these can fail.
        let Ok(mut memory) = self.memory.take_all(pages) else { return Err(gone()) };
        if !memory.copy(from, program.start(), program.length()) {
            return Err(gone());
        }
        hw::leave::start_network_program(self.info.entry_stack)
    }
}
