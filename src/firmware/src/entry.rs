//! The first code of the core, and the only module here with `unsafe`.
//!
//! What is true on entry: the unpacker mapped the core, chose the low block's place and filled the record that it
//! passes in RDI. The stack is still the prefix's, in memory that is about to be used for other things.
#![allow(unsafe_code, reason = "entry from the unpacker")]

use alloc::string::ToString;
use base::boot_info::BootInfo;
use base::image_header::{self, ImageHeader};
use nic::Nic;
use settings::{Kind, Tree};

use crate::host::FEATURES;
use crate::machine::Machine;
use crate::network::CARD;
use crate::screen::say;
use crate::{lease, resident, vendor};

core::arch::global_asm!(
    "
    .section .text.entry, \"ax\"
    .globl core_start
core_start:
    movabsq $core_stack_top, %rsp
    xorl    %ebp, %ebp
    call    {start}
    ud2
    .text
    ",
    start = sym start,
    options(att_syntax),
);

extern "C" fn start(info: &BootInfo) -> ! {
    let info = info.clone();
    let mut head = [0; image_header::OFFSET + image_header::LENGTH];
    hw::low::read(info.image, &mut head);
    let header = ImageHeader::read(&head).unwrap_or_default();
    // SAFETY: this is the first thing that runs, and the record is the one that we were given.
    let memory = unsafe { hw::init(&info, header.build_id) };
    let mut machine = Machine::new(info, header, memory);
    resident::serve(&mut machine);
    introduce(&mut machine);
    machine.autoboot()
}

/// What scripts see as `version`.
pub(crate) const VERSION: &str = concat!(env!("CARGO_PKG_VERSION"), "+rs");

/// Says who we are, and brings the card up.
fn introduce(machine: &mut Machine) {
    crate::hardware::publish(machine);
    let builtin = Tree::BUILTIN;
    for (name, value) in [("version", VERSION), ("platform", "pcbios"), ("buildarch", "x86_64")] {
        machine.settings.publish(builtin, name.as_bytes(), Kind::String, Some(value.as_bytes()));
    }
    machine.open_named_console();
    say!(machine.screen, "\niPXE {VERSION}, in Rust, for PC BIOS: {FEATURES}. Ctrl-B: shell");
    let result = machine.open_network();
    machine.log_stack();
    match result {
        Ok(()) => {
            let Some(network) = &machine.network else { return };
            let identity = network.port.nic().identity();
            let place = identity.pci.map_or(0, |pci| pci.bus_device_function);
            let way = machine.vendor.as_ref().map(|vendor| vendor.stack().way.text());
            say!(
                machine.screen,
                "net0: {} by {}, PCI {}; {}{}",
                identity.mac,
                identity.driver,
                vendor::shown(place),
                if way.is_some() { "PXE stack by " } else { "no PXE stack" },
                way.unwrap_or_default()
            );
            if let Ok(block) = lease::publish_card(&mut machine.settings, CARD, identity) {
                machine.settings.open_card(block);
            }
            if vendor::LOADS {
                machine.name_other_cards();
            }
        }
        Err(error) => {
            machine.screen.error(&error);
            machine.note("network card", error.to_string());
        }
    }
}

#[panic_handler]
fn panic(_: &core::panic::PanicInfo<'_>) -> ! {
    // SAFETY: raises the exception whose handler prints what is known.
    unsafe { core::arch::asm!("ud2", options(noreturn)) }
}
