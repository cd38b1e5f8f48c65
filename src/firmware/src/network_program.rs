//! Running another network boot program (PXE 2.1 section 4.4.5), which comes back to us.
//!
//! It finds the vendor's stack whole, as we found it; what we have of memory is hidden from it. Meanwhile the card is
//! not ours, and afterwards it is opened again, as far as the program has left it so that it can be.

use alloc::format;
use base::{Error, PhysRange};
use dhcp::Lease;
use hw::guest::{self, ENTRY};
use script::ImageId;

use crate::drivers::Native;
use crate::errors;
use crate::machine::Machine;
use crate::screen::say;

/// The most bytes that a program may have.
pub(crate) fn capacity() -> u64 {
    // An UNDI that we loaded lies below the low block.
    let end = hw::low::linear().min(u32::from(hw::low::found_base_memory_kib()) * 1024);
    u64::from(end).saturating_sub(u64::from(ENTRY) + guest::TABLE_LIMIT as u64)
}

impl Machine {
    /// Runs the program until it returns. An error of its own is one of ours.
    pub(crate) fn run_network_program(&mut self, id: ImageId) -> Result<(), Error> {
        let image = self.images.image(id).ok_or_else(|| errors::GONE.of("the program"))?;
        let (name, handle, length) = (image.name.clone(), image.handle, image.size);
        let Some(vendor) = &self.vendor else { return Err(errors::NO_STACK.of(name)) };
        let pxe = vendor.pxe(&self.info);
        self.screen.show_text();
        say!(self.screen, "Starting {name} at 0:7C00");
        let (native, lease) = self.lend_card();
        let answer = self.place_program(handle, length).then(|| {
            let entries = self.info.e820.get(..self.info.e820_count as usize).unwrap_or_default();
            guest::run(pxe, &self.memory, entries)
        });
        self.take_card_back(native, lease);
        match answer.flatten() {
            None => Err(errors::NO_BASE_MEMORY.of(name)),
            Some(0) => Ok(()),
            Some(status) => Err(errors::PROGRAM_FAILED.of(format!("{name} (status {status:#06x})"))),
        }
    }

    /// Puts the program where it runs; false if there is no room.
    fn place_program(&mut self, handle: script::Handle, length: u64) -> bool {
        let program = PhysRange::with_length(ENTRY.into(), length);
        let room = u64::from(hw::low::allocated()).saturating_sub(guest::TABLE_LIMIT as u64);
        let Some(from) = self.store.pages(handle).map(|pages| pages.range().start()) else { return false };
        let (handles, pages) = self.store.take_pages();
        let (is_placed, pages) = match self.memory.take_all(pages) {
            Ok(mut memory) => {
                let is_placed = program.end() <= room && memory.copy(from, program.start(), length);
                (is_placed, memory.into_pages())
            }
            Err(pages) => (false, pages),
        };
        self.store.put_pages(handles, pages);
        is_placed
    }

    /// Leaves the card to a program that uses the vendor's stack. What is needed to take it back comes back.
    fn lend_card(&mut self) -> (Option<Native>, Option<Lease>) {
        let Some(mut network) = self.network.take() else { return (None, None) };
        let lease = network.lease.take();
        let native = network.into_card().lend();
        crate::vendor::hush();
        (native, lease)
    }

    fn take_card_back(&mut self, native: Option<Native>, lease: Option<Lease>) {
        self.screen.say(b"\n");
        let result = self.open_network(native).and_then(|()| match (&mut self.network, lease) {
            (Some(network), Some(lease)) => network.apply(lease),
            _ => Ok(()),
        });
        if let Err(error) = result {
            self.screen.error(&error);
        }
    }
}
