//! Leaving: to another program, to the program that started us, or to the BIOS.

use undi::{Keep, leave};

use crate::machine::Machine;
use crate::screen::say;

/// What remains possible after everything of ours was taken down.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum WayBack {
    /// The vendor's stack is whole: a far return goes on with its next boot device.
    Caller,
    /// Something of it was given up.
    Bios,
}

impl Machine {
    /// Makes the card quiet, without giving anything up: for a restart.
    pub(crate) fn close_network(&mut self) {
        if let Some(mut network) = self.network.take() {
            nic::Nic::close(network.port.nic_mut());
        }
    }

    /// Takes down everything of ours that a next program would notice, and gives up what the image does not want
    /// kept of the vendor's stack: the card is quiet, the vectors and the base memory mark are as they were found
    /// or better.
    pub(crate) fn depart(&mut self) -> WayBack {
        let found = hw::low::found_base_memory_kib();
        let own_kib = found.saturating_sub(hw::low::base_memory_kib());
        let (Some(mut network), Some(vendor)) = (self.network.take(), &self.vendor) else {
            hw::leave::release_base_memory(found);
            return WayBack::Bios;
        };
        say!(self.screen, "UNDI: {}", network.port.nic().mode());
        let keep = Keep::from_bits(self.header.keep);
        let departure = leave(network.port.nic_mut(), &vendor.stack, keep, own_kib);
        drop(network);
        crate::vendor::hush();
        for line in &departure.lines {
            say!(self.screen, "UNDI: {line}");
        }
        if let Some(line) = departure.mask {
            hw::pic::mask(line);
        }
        hw::leave::release_base_memory(departure.mark_kib.unwrap_or(found));
        if departure.may_return && keep.pxe && keep.undi { WayBack::Caller } else { WayBack::Bios }
    }

    /// Leaves to the next boot device, by the best way there is, and says by which.
    pub(crate) fn exit(mut self) -> ! {
        let way = self.depart();
        if way == WayBack::Caller && hw::leave::can_return_to_caller(&self.info) {
            say!(self.screen, "Leaving to the next boot device: returning to the PXE ROM");
            hw::leave::return_to_caller(self.info.entry_stack, 0)
        }
        say!(self.screen, "Leaving to the next boot device: INT 18h");
        hw::leave::next_boot_device()
    }
}
