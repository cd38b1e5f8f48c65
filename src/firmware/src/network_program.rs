//! Running another network boot program (PXE 2.1 section 4.4.5), which comes back to us.
//!
//! What we have of memory is hidden from it. Where a driver of ours has the card, the program finds a PXE stack of ours
//! ([`exported`]). Else it finds the vendor's whole, of which nothing can be freed ([`lend`]); then the card is not ours
//! meanwhile, and is opened again afterwards, as far as the program has left it so that it can be.

use alloc::format;
use alloc::vec::Vec;
use base::boot_info::{BootInfo, E820Entry};
use base::{Error, PhysRange};
use hw::guest::{self, ENTRY, Program, TableRoom};
use nic::Nic;
use script::ImageId;
use uri::Uri;

use crate::errors;
use crate::exported::{self, Exported};
use crate::machine::Machine;
use crate::network::{Device, Network};
use crate::screen::say;
use crate::vendor::lend;

/// Bytes of memory that are kept for what commands download while a program runs: scripts.
const KEPT: u64 = 1 << 20;

/// The most bytes that a program may have.
pub(crate) fn capacity() -> u64 {
    // An UNDI that we loaded lies below the low block.
    let end = hw::low::linear().min(u32::from(hw::low::found_base_memory_kib()) * 1024);
    u64::from(end).saturating_sub(u64::from(ENTRY) + (guest::TABLE_LIMIT + exported::ROOM) as u64)
}

impl Machine {
    /// Runs the program until it returns. An error of its own is one of ours.
    pub(crate) fn run_network_program(&mut self, id: ImageId) -> Result<(), Error> {
        let image = self.images.image(id).ok_or_else(|| errors::GONE.of("the program"))?;
        let (name, handle, length) = (image.name.clone(), image.handle, image.size);
        let origin = Uri::parse(&image.uri).ok().filter(Uri::is_absolute);
        let arguments = image.command_line.clone();
        let is_ours = self.network.as_ref().is_some_and(|network| network.port.nic().is_native());
        let vendor = self.vendor.as_ref().map(|vendor| vendor.pxe(&self.info));
        if !is_ours && vendor.is_none() {
            return Err(errors::NO_STACK.of(name));
        }
        self.screen.show_text();
        if !is_ours {
            self.quiet_vendor()?;
        }
        say!(self.screen, "Starting {name} at 0:7C00");
        let answer = if is_ours {
            self.run_with_ours(handle, length, origin, &arguments)
        } else {
            let devices = self.lend_card();
            let vendor = vendor.unwrap_or_default();
            let answer = TableRoom::try_new().and_then(|mut table| {
                let lent = lend(vendor, &mut table);
                self.place_program(&mut table, handle, length, lent, false)?.run(None)
            });
            self.take_card_back(devices);
            answer
        };
        self.memory.take_back();
        match answer {
            None => Err(errors::NO_BASE_MEMORY.of(name)),
            Some(0) => Ok(()),
            Some(status) => Err(errors::PROGRAM_FAILED.of(format!("{name} (status {status:#06x})"))),
        }
    }

    /// Runs the program with a PXE stack of ours.
    fn run_with_ours(
        &mut self,
        handle: script::Handle,
        length: u64,
        origin: Option<Uri>,
        arguments: &[u8],
    ) -> Option<u16> {
        let mut table = TableRoom::try_new()?;
        let mut stack = Exported::try_new()?;
        let program = self.place_program(&mut table, handle, length, stack.pxe(), true)?;
        let answer = stack.run(self, program, origin, arguments);
        self.screen.say(b"\n");
        answer
    }

    /// Puts the program where it runs; none if there is no room.
    fn place_program<'a>(
        &mut self,
        table: &'a mut TableRoom,
        handle: script::Handle,
        length: u64,
        pxe: guest::Pxe,
        is_ours: bool,
    ) -> Option<Program<'a>> {
        let program = PhysRange::with_length(ENTRY.into(), length);
        let room = u64::from(hw::low::allocated());
        let from = self.store.pages(handle)?.range().start();
        let (handles, pages) = self.store.take_pages(&mut self.memory);
        let (is_placed, pages) = match self.memory.take_all(pages) {
            Ok(mut memory) => {
                let is_placed = program.end() <= room && memory.copy(from, program.start(), length);
                (is_placed, memory.into_pages())
            }
            Err(pages) => (false, pages),
        };
        self.store.put_pages(handles, pages);
        if !is_placed {
            return None;
        }
        Program::try_new(table, pxe, is_ours, self.memory.lend(KEPT), entries(&self.info))
    }

    /// Closes the card. A ROM of which a call was abandoned is entered by nobody any more: a program would wait for it for
    /// ever.
    fn quiet_vendor(&mut self) -> Result<(), Error> {
        let Some(undi) = self.network.as_mut().and_then(|network| network.port.nic_mut().undi()) else {
            return Ok(());
        };
        undi.close();
        if undi.is_alive() { Ok(()) } else { Err(undi::errors::HANGS.of("an earlier call")) }
    }

    /// Leaves the card to a program that uses the vendor's stack.
    fn lend_card(&mut self) -> Option<(Device, Vec<Device>)> {
        self.vendor_was_lent = true;
        let Network { device, waiting, .. } = self.network.take()?;
        crate::vendor::hush();
        Some((device, waiting))
    }

    fn take_card_back(&mut self, devices: Option<(Device, Vec<Device>)>) {
        self.screen.say(b"\n");
        if let Err(error) = self.open_network() {
            self.screen.error(&error);
        }
        if let (Some(network), Some(devices)) = (&mut self.network, devices) {
            (network.device, network.waiting) = devices;
            network.enter();
        }
    }
}

/// The BIOS's map of memory.
pub(crate) fn entries(info: &BootInfo) -> &[E820Entry] {
    info.e820.get(..info.e820_count as usize).unwrap_or_default()
}
