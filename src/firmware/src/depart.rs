//! Leaving: to another program, to the program that started us, or to the BIOS.

use nic::Nic;
use undi::{Keep, Purpose, leave};

use crate::errors;
use crate::machine::Machine;
use crate::screen::say;

/// The ways to the next boot device, the best one first; the number of each is remembered.
const WAYS: [&str; 3] = ["returning to what started us", "INT 18h", "the first disk"];

impl Machine {
    /// Makes the card quiet, without giving anything up: for a restart.
    pub(crate) fn close_network(&mut self) {
        if let Some(mut network) = self.network.take() {
            network.port.nic_mut().close();
        }
    }

    /// Takes down everything of ours that a next program would notice, and gives up what the image does not want
    /// kept of the vendor's stack: the card is quiet, the vectors and the base memory mark are as they were found
    /// or better. Says whether a far return into the vendor's stack is still possible. The card's line is masked either
    /// way.
    pub(crate) fn depart(&mut self, purpose: Purpose) -> bool {
        self.screen.show_text();
        let mut undi = self.network.take().and_then(|network| network.into_card().into_undi());
        if let Some(undi) = &mut undi {
            // First, as a ROM may have handlers over ours while the card is open.
            undi.close();
            undi.rom().give_frames_back();
        }
        // Last in, first out: the ROM is to see the mark that it left.
        hw::leave::release_base_memory(hw::low::found_base_memory_kib());
        let is_whole = !self.vendor_was_lent;
        let (Some(mut undi), Some(vendor)) = (undi, &self.vendor) else {
            return is_whole && !self.vendor_hangs;
        };
        say!(self.screen, "UNDI: {}", undi.mode());
        let departure = leave(&mut undi, vendor.stack(), Keep::from_bits(self.header.keep), purpose);
        let pci = undi.identity().pci;
        self.line = undi.line();
        drop(undi);
        crate::vendor::hush();
        for line in &departure.lines {
            say!(self.screen, "UNDI: {line}");
        }
        if let Some(line) = departure.mask {
            hw::pic::mask(line);
        }
        hw::leave::release_base_memory(departure.mark_kib);
        // Whoever goes on with the vendor's stack needs the card as the vendor set it up.
        let may_return = is_whole && departure.may_return;
        let is_used = purpose == Purpose::NextDevice && may_return;
        if let Some(pci) = pci.filter(|_| !is_used) {
            hw::pci::set_bus_mastering(pci.bus_device_function, pci.vendor, pci.device, false);
        }
        may_return
    }

    /// Leaves to the next boot device by the best way there is, and says by which. A way that comes back, or has led
    /// back to us before, is followed by the next one (field note A17).
    pub(crate) fn exit(&mut self) -> ! {
        let may_return = self.depart(Purpose::NextDevice) && hw::leave::can_return_to_caller(&self.info);
        let mut tried = hw::leave::remembered();
        for (number, way) in WAYS.iter().enumerate().skip(usize::from(!may_return)) {
            let bit = 1 << number;
            if tried & bit != 0 {
                say!(self.screen, "Not again by {way}: it has led back here");
                continue;
            }
            say!(self.screen, "Leaving to the next boot device: {way}");
            tried |= bit;
            hw::leave::remember(tried);
            match number {
                0 => {
                    // The only way on which somebody is sure to wait for the card's interrupts.
                    if let Some(line) = self.line.filter(|line| self.found_masks & 1 << line == 0) {
                        hw::pic::unmask(line);
                    }
                    hw::leave::return_to_caller(self.info.entry_stack, 0)
                }
                1 => hw::leave::next_boot_device(),
                _ => self.screen.error(&errors::NO_WAY_OUT.of(hw::leave::first_disk())),
            }
        }
        hw::leave::remember(0);
        hw::power::reboot_soon()
    }
}
