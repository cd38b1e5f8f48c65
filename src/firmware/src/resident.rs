//! Being the UNDI of a program that has called the UNDI loader of our ROM (PXE 2.1 section 3.1), with a driver of ours.
//!
//! The loader's return is the start of a program that we stay beneath ([`Program::stay`]): it finds the two structures
//! of PXE, and its calls are answered by an [`Undi`]. All that we have of base memory lies in the segment that the
//! loader was given for code; what we have above 1 MiB is hidden from INT 15h until STOP_UNDI.

use alloc::boxed::Box;
use base::image_header::UNDI_ROOM;
use base::{Error, Instant, SegOff};
use core::convert::Infallible;
use hw::guest::{self, Call, Program, TableRoom};
use hw::low::LowMemory;
use nic::Nic;
use undi::Purpose;
use undi::abi::{Opcode, Status};
use undi::export::{self, Answer, Card, Places, Undi};
use undi::find::Segment;

use crate::exported::{BANG_PXE, FRAME_ROOM, Memory, PXENV, SPEED, put};
use crate::machine::Machine;
use crate::network_program::entries;
use crate::{drivers, errors};

/// Where frames are handed over, behind the structures.
const FRAME: u16 = 0x100;
const LENGTH: u16 = FRAME + FRAME_ROOM;
/// What is asked of the loader's caller is enough: our memory ends on the page boundary below the end of the segment.
const _: () = {
    const PAGE: usize = 4096;
    let taken = PAGE + guest::TABLE_LIMIT.next_multiple_of(1024) + (LENGTH as usize).next_multiple_of(1024);
    assert!(taken <= UNDI_ROOM as usize);
};

/// Serves the program that has called the loader, if one has. If that fails, the loader returns with failure.
pub(crate) fn serve(machine: &mut Machine) {
    if !machine.header.is_loaded() {
        return;
    }
    let Err(error) = stay(machine);
    machine.screen.error(&error);
    machine.depart(Purpose::NextDevice);
    hw::leave::return_to_caller(machine.info.entry_stack, export::EXIT_FAILURE)
}

fn stay(machine: &mut Machine) -> Result<Infallible, Error> {
    let no_room = || errors::NO_BASE_MEMORY.of("an UNDI");
    let native = drivers::native(machine.header.card()).into_iter().next();
    let native = native
        .ok_or_else(|| errors::NO_CARD.of("this ROM has no driver for the card that its UNDI is for"))?;
    let mut nic = native.start(&mut machine.memory)?;
    nic.close();
    let mut table = TableRoom::try_new().ok_or_else(no_room)?;
    // All of the segment that we were given belongs to one of the two that the structures name.
    let top = u32::from(hw::low::found_base_memory_kib()) * 1024;
    let rest =
        hw::low::allocated().checked_sub(top.saturating_sub(machine.header.low_memory_length + UNDI_ROOM));
    let rest = rest.filter(|rest| *rest >= LENGTH.into()).ok_or_else(no_room)?;
    let mut own = LowMemory::allocate_data(rest as usize).ok_or_else(no_room)?;
    let segment = own.far().segment;
    let at = |offset| SegOff::new(segment, offset);
    let size = |end: u32, start: u32| u16::try_from(end.saturating_sub(start)).unwrap_or(u16::MAX);
    let low = hw::low::linear();
    let places = Places {
        entry: guest::entry_by_stack(),
        protected_entry: guest::protected_entry(),
        register_entry: guest::entry_by_registers(),
        bang_pxe: at(BANG_PXE),
        undi_data: Segment { segment, size: size(low, own.far().linear()) },
        undi_code: Segment { segment: hw::low::segment(), size: size(top, low) },
        ..Places::default()
    };
    put(&mut own, BANG_PXE, &export::bang_pxe(&places));
    put(&mut own, PXENV, &export::pxenv_plus(&places));
    let pxe = guest::Pxe { bang_pxe: at(BANG_PXE), pxenv: at(PXENV) };
    let map = machine.memory.map().clone();
    let program =
        Program::try_new(&mut table, pxe, false, map, entries(&machine.info)).ok_or_else(no_room)?;
    let mut wire = Wire { nic, is_released: false };
    let mut undi = None;
    program.stay(machine.info.entry_stack, &mut |call: Call, memory: &mut guest::Memory<'_>| {
        let mut memory = Memory { own: &mut own, theirs: memory, protected: call.protected };
        let undi = undi.get_or_insert_with(|| Undi::stopped(memory.fence(), at(FRAME), FRAME_ROOM));
        let status = undi.call(Opcode(call.opcode), call.parameters, &mut memory, &mut wire);
        (Answer::Return(status).ax(), !wire.is_released)
    })
}

/// The card, and nothing above it.
struct Wire {
    nic: Box<dyn Nic>,
    is_released: bool,
}

impl Card for Wire {
    fn nic(&mut self) -> Result<&mut dyn Nic, Status> {
        Ok(&mut *self.nic)
    }

    fn now(&self) -> Instant {
        hw::clock::now()
    }

    fn speed(&mut self) -> u32 {
        SPEED
    }

    /// STOP_UNDI leaves nothing of us behind, or changes nothing.
    fn release(&mut self) -> Result<(), Status> {
        if !guest::is_on_top() {
            return Err(Status::KEEP_UNDI);
        }
        if let Some(pci) = self.nic.identity().pci {
            hw::pci::set_bus_mastering(pci.bus_device_function, pci.vendor, pci.device, false);
        }
        self.is_released = true;
        Ok(())
    }
}
