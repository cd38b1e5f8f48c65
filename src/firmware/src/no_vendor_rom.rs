//! In place of the vendor's stack, in a build without its UNDI: the option ROM of a card is what that would have been in.
//! That there is none is known when the build is compiled, so nothing is left of what would be done with it.

use base::boot_info::BootInfo;
use base::{Error, MacAddress, SegOff};
use hw::memory::PhysicalMemory;
use undi::abi::{Opcode, Status};
use undi::driver::{Order, Outcome, Rom};
use undi::find::Memory;
use undi::{UndiNic, VendorStack};

use crate::errors;
use crate::vendor::Cached;

/// This build loads no UNDI.
pub(crate) const LOADS: bool = false;

/// No stack has started us.
pub(crate) enum Vendor {}

impl Vendor {
    pub(crate) fn stack(&self) -> &VendorStack {
        match *self {}
    }

    pub(crate) fn cached(&self) -> &Cached {
        match *self {}
    }
}

/// There is none.
pub(crate) enum VendorRom {}

impl VendorRom {
    pub(crate) fn give_frames_back(&mut self) {
        match *self {}
    }
}

/// Nothing was found.
pub(crate) enum Found {}

impl AsRef<str> for Found {
    fn as_ref(&self) -> &str {
        match *self {}
    }
}

/// None is looked for: the image is for the card that its ROM is on.
pub(crate) fn find(
    _: &BootInfo,
    _: &mut PhysicalMemory,
    _: &mut Option<Found>,
) -> Result<(Vendor, UndiNic<VendorRom>), Error> {
    Err(errors::NO_CARD.of("this image has no driver for the card whose ROM it is in"))
}

/// No call of a ROM was shown.
pub(crate) fn hush() {}

impl Memory for VendorRom {
    fn read(&self, _: u32, _: &mut [u8]) -> bool {
        match *self {}
    }
}

impl Rom for VendorRom {
    fn call(&mut self, _: Opcode, _: &mut [u8]) -> Result<Status, Error> {
        match *self {}
    }

    fn scratch(&self) -> (SegOff, &[u8]) {
        match *self {}
    }

    fn set_entry(&mut self, _: SegOff) {
        match *self {}
    }

    fn hook(&mut self, _: u8) {
        match *self {}
    }

    fn unhook(&mut self) -> bool {
        match *self {}
    }

    fn receive_slots(&self) -> usize {
        match *self {}
    }

    fn frame(&self, _: usize) -> &[u8] {
        match *self {}
    }

    fn load(&mut self, _: usize, _: &[u8], _: MacAddress) -> bool {
        match *self {}
    }

    fn reset(&mut self) {
        match *self {}
    }

    fn pump(&mut self, _: &Order) -> Result<Outcome, Error> {
        match *self {}
    }
}
