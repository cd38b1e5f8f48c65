//! The vendor's PXE stack: what was found of it, and what it keeps for us.

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;
use base::boot_info::BootInfo;
use hw::guest::{Pxe, TableRoom};
use undi::lent;
use undi::rom::BaseMemory;

pub(crate) use crate::vendor_rom::{Found, LOADS, Vendor, find, hush};

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

/// The vendor's stack, which is at `own`, as a program is shown it ([`undi::lent`]). The room must be the last that is
/// taken of base memory before the program is started.
pub(crate) fn lend(own: Pxe, room: &mut TableRoom) -> Pxe {
    let (segment, room) = room.take(lent::ROOM);
    let [bang_pxe, pxenv] = lent::lend(&BaseMemory, [own.bang_pxe, own.pxenv], segment, room);
    Pxe { bang_pxe, pxenv }
}

/// A card's place as people write it: `00:03.0`.
pub(crate) fn shown(place: u16) -> String {
    format!("{:02x}:{:02x}.{}", place >> 8, place >> 3 & 0x1f, place & 7)
}
