//! The vendor's PXE stack: what was found of it, and what it keeps for us.

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;
use base::boot_info::BootInfo;
use hw::guest::Pxe;
use hw::low::LowMemory;
use undi::lent;
use undi::rom::BaseMemory;

pub(crate) use crate::vendor_rom::{Vendor, find, hush};

/// The packets of the ROM's own DHCP exchange.
#[derive(Debug, Default)]
pub(crate) struct Cached {
    pub(crate) discover: Option<Vec<u8>>,
    pub(crate) ack: Option<Vec<u8>>,
    pub(crate) reply: Option<Vec<u8>>,
}

impl Vendor {
    /// Where a program that we start finds the stack: what the ROM that started us has told, and the structure that was
    /// found.
    pub(crate) fn pxe(&self, info: &BootInfo) -> Pxe {
        let told = Pxe { bang_pxe: info.entry_stack_pointer, pxenv: info.entry_es_bx };
        match self.stack().is_bang_pxe {
            true => Pxe { bang_pxe: self.stack().structure, ..told },
            false => Pxe { pxenv: self.stack().structure, ..told },
        }
    }
}

/// The vendor's stack as a program is shown it, while the value lives ([`undi::lent`]).
pub(crate) struct Lent {
    _memory: LowMemory,
    pxe: Pxe,
}

impl Lent {
    /// Of the stack that is at `own`. None if base memory has no room. It must be the last that is taken of that before
    /// the program is started.
    pub(crate) fn try_new(own: Pxe) -> Option<Self> {
        let mut memory = LowMemory::allocate_data(lent::ROOM)?;
        let segment = memory.far().segment;
        let told = [own.bang_pxe, own.pxenv];
        let [bang_pxe, pxenv] = lent::lend(&BaseMemory, told, segment, memory.bytes_mut());
        Some(Self { _memory: memory, pxe: Pxe { bang_pxe, pxenv } })
    }

    /// What a program finds.
    pub(crate) fn pxe(&self) -> Pxe {
        self.pxe
    }
}

/// A card's place as people write it: `00:03.0`.
pub(crate) fn shown(place: u16) -> String {
    format!("{:02x}:{:02x}.{}", place >> 8, place >> 3 & 0x1f, place & 7)
}
