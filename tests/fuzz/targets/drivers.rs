//! Drivers of ours and a card that says anything: in its registers, which a serial memory's bits come through as well,
//! in its configuration space, and in the memory that both share, where each look may find something else.
//!
//! The input is pieces: the card and what is done with it; what its registers have; its configuration space; what is
//! said in place of its registers, and of memory; what its serial memory has; what its registers have while it has the
//! bus, if that differs. For the USB controller they are those of [`usb_network::trial`]: it works, as long as the
//! input does not say otherwise, as no registers that stay as they are do what a controller's rings do.
#![no_main]

use base::{Duration, Error};
use core::cell::{Cell, RefCell};
use hw::device::{Device, DeviceMemory, HostMemory, Lies};
use hw::microwire::{HostMicrowire, Wires};
use libfuzzer_sys::fuzz_target;
use nic::{Nic, PciIdentity};
use std::rc::Rc;

/// A card of each family. The USB controller comes behind them.
const CARDS: [(u16, u16); 16] = [
    (0x8086, 0x1008), // e1000: 82544
    (0x8086, 0x100e), // 82540EM
    (0x8086, 0x10d3), // 82574L
    (0x8086, 0x15b8), // I219
    (0x8086, 0x10c9), // 82576
    (0x8086, 0x15f2), // I225
    (0x8086, 0x1229), // eepro100
    (0x10ec, 0x8029), // ns8390
    (0x1106, 0x0926), // by words
    (0x1022, 0x2000), // pcnet32
    (0x10ec, 0x8139), // rtl8139
    (0x10ec, 0x8168), // rtl8169
    (0x1011, 0x0019), // tulip: 21143
    (0x1317, 0x0985), // AN983
    (0x1af4, 0x1000), // virtio-net
    (0x15ad, 0x07b0), // vmxnet3
];

/// How the wires of a card's serial memory are reached.
#[derive(Clone, Copy)]
struct SerialWires {
    vendor: u16,
    device: u16,
    bar: u8,
    register: u32,
    select: u32,
    clock: u32,
}

/// Cards with a serial memory, which no guess gets through.
const SERIAL_MEMORIES: [SerialWires; 2] = [
    SerialWires { vendor: 0x8086, device: 0x1229, bar: 1, register: 0x0e, select: 1 << 1, clock: 1 << 0 },
    SerialWires { vendor: 0x1011, device: 0x0019, bar: 0, register: 0x48, select: 1 << 0, clock: 1 << 1 },
];
/// The bits to it and from it, which are the same for both.
const SERIAL_IN: u32 = 1 << 2;
const SERIAL_OUT: u32 = 1 << 3;

/// Registers of all regions; they lie one above the other.
const REGISTERS: usize = 4096;

/// The card, and what it shares with the driver.
#[derive(Default)]
struct State {
    registers: RefCell<Vec<u8>>,
    /// Registers have what was written to them, not what they had at first.
    keeps: bool,
    /// What they have instead while the card has the bus, if that is something else.
    registers_at_work: Vec<u8>,
    serial: Option<(RefCell<HostMicrowire>, SerialWires)>,
    configuration: Vec<u8>,
    said: RefCell<Lies>,
    memory_said: RefCell<Lies>,
    is_master: Cell<bool>,
    waited: Cell<u64>,
    steps: Vec<u8>,
}

type World = Rc<State>;

struct Card(World);

impl Card {
    fn read<const SIZE: usize>(&self, bar: u8, offset: u32) -> [u8; SIZE] {
        let at_rest = self.0.registers.borrow();
        let at_work = &self.0.registers_at_work;
        let registers = if self.0.is_master.get() && !at_work.is_empty() { at_work } else { &*at_rest };
        let mut bytes = [0; 4];
        for (byte, at) in bytes.iter_mut().zip(place(bar, offset)..) {
            *byte = registers[at % REGISTERS];
        }
        let mut value = u32::from_le_bytes(bytes);
        if let Some((serial, wires)) = &self.0.serial
            && (wires.bar, wires.register) == (bar, offset)
        {
            value = if serial.borrow().output() { value | SERIAL_OUT } else { value & !SERIAL_OUT };
        }
        let said = self.0.said.borrow_mut().instead_of(value).to_le_bytes();
        core::array::from_fn(|at| said[at])
    }

    fn write(&mut self, bar: u8, offset: u32, value: &[u8]) {
        if let Some((serial, wires)) = &self.0.serial
            && (wires.bar, wires.register) == (bar, offset)
        {
            let value = value.iter().rev().fold(0, |sum, byte| sum << 8 | u32::from(*byte));
            let bit = |bit: u32| value & bit != 0;
            let (is_selected, clock, data) = (bit(wires.select), bit(wires.clock), bit(SERIAL_IN));
            serial.borrow_mut().set(Wires { is_selected, clock, data });
        }
        if self.0.keeps {
            let mut registers = self.0.registers.borrow_mut();
            for (byte, at) in value.iter().zip(place(bar, offset)..) {
                registers[at % REGISTERS] = *byte;
            }
        }
    }
}

fn place(bar: u8, offset: u32) -> usize {
    usize::from(bar) * 256 + offset as usize % REGISTERS
}

impl Device for Card {
    fn read8(&self, bar: u8, offset: u32) -> u8 {
        u8::from_le_bytes(self.read(bar, offset))
    }
    fn read16(&self, bar: u8, offset: u32) -> u16 {
        u16::from_le_bytes(self.read(bar, offset))
    }
    fn read32(&self, bar: u8, offset: u32) -> u32 {
        u32::from_le_bytes(self.read(bar, offset))
    }
    fn write8(&mut self, bar: u8, offset: u32, value: u8) {
        self.write(bar, offset, &value.to_le_bytes());
    }
    fn write16(&mut self, bar: u8, offset: u32, value: u16) {
        self.write(bar, offset, &value.to_le_bytes());
    }
    fn write32(&mut self, bar: u8, offset: u32, value: u32) {
        self.write(bar, offset, &value.to_le_bytes());
    }
    fn read_configuration(&self, offset: u16) -> u32 {
        assert!(offset.is_multiple_of(4), "there is no register {offset:#x}");
        if offset >= 256 {
            return u32::MAX;
        }
        let byte = |at: u16| self.0.configuration.get(usize::from(offset + at)).copied().unwrap_or_default();
        u32::from_le_bytes([byte(0), byte(1), byte(2), byte(3)])
    }
    fn set_bus_mastering(&mut self, is_on: bool) {
        self.0.is_master.set(is_on);
    }
    fn wait(&self, length: Duration) {
        self.0.waited.set(self.0.waited.get() + length.as_micros());
        assert!(self.0.waited.get() < 1_000_000, "the driver waits for ever");
    }
}

/// Memory that the card writes to behind the driver's back.
struct Memory(HostMemory, World);

impl Memory {
    fn said(&self, truth: u32) -> u32 {
        self.1.memory_said.borrow_mut().instead_of(truth)
    }
}

impl DeviceMemory for Memory {
    fn address(&self) -> u64 {
        self.0.address()
    }
    fn length(&self) -> usize {
        self.0.length()
    }
    fn read16(&self, offset: usize) -> u16 {
        self.said(self.0.read16(offset).into()) as u16
    }
    fn read32(&self, offset: usize) -> u32 {
        self.said(self.0.read32(offset))
    }
    fn read64(&self, offset: usize) -> u64 {
        self.1.memory_said.borrow_mut().instead_of_long(self.0.read64(offset))
    }
    fn write16(&mut self, offset: usize, value: u16) {
        self.0.write16(offset, value);
    }
    fn write32(&mut self, offset: usize, value: u32) {
        self.0.write32(offset, value);
    }
    fn write64(&mut self, offset: usize, value: u64) {
        self.0.write64(offset, value);
    }
    fn bytes(&self, offset: usize, length: usize) -> &[u8] {
        self.0.bytes(offset, length)
    }
    fn bytes_mut(&mut self, offset: usize, length: usize) -> &mut [u8] {
        self.0.bytes_mut(offset, length)
    }
}

/// Whatever the card says, the driver neither panics nor hangs nor gives more than a frame, and it takes the bus from a
/// card that is not at work.
fn try_out<N: Nic>(world: World, memory: usize, make: impl Fn(Card, Memory) -> Result<N, Error>) {
    let made = make(Card(world.clone()), Memory(HostMemory(vec![0; memory]), world.clone()));
    assert!(!world.is_master.get(), "a card has the bus before it is opened");
    let Ok(mut nic) = made else { return };
    nic::try_all(&mut nic, &world.steps, |_| world.is_master.get(), |_| world.waited.set(0));
}

/// Tries the driver that is for the card.
fn try_its_driver(world: World, pci: PciIdentity) {
    let is_for = |drives: fn(u16, u16) -> bool| drives(pci.vendor, pci.device);
    if is_for(e1000::drives) {
        try_out(world, e1000::MEMORY, |card, memory| e1000::E1000::try_new(card, memory, pci));
    } else if is_for(eepro100::drives) {
        try_out(world, eepro100::MEMORY, |card, memory| eepro100::Eepro100::try_new(card, memory, pci));
    } else if is_for(ns8390::drives) {
        try_out(world, ns8390::MEMORY, |card, memory| ns8390::Ns8390::try_new(card, memory, pci));
    } else if is_for(pcnet32::drives) {
        try_out(world, pcnet32::MEMORY, |card, memory| pcnet32::Pcnet32::try_new(card, memory, pci));
    } else if is_for(rtl8139::drives) {
        try_out(world, rtl8139::MEMORY, |card, memory| rtl8139::Rtl8139::try_new(card, memory, pci));
    } else if is_for(rtl8169::drives) {
        try_out(world, rtl8169::MEMORY, |card, memory| rtl8169::Rtl8169::try_new(card, memory, pci));
    } else if is_for(tulip::drives) {
        try_out(world, tulip::MEMORY, |card, memory| tulip::Tulip::try_new(card, memory, pci));
    } else if is_for(virtio_net::drives) {
        try_out(world, virtio_net::MEMORY, |card, memory| virtio_net::VirtioNet::try_new(card, memory, pci));
    } else if is_for(vmxnet3::drives) {
        try_out(world, vmxnet3::MEMORY, |card, memory| vmxnet3::Vmxnet3::try_new(card, memory, pci));
    } else {
        panic!("no driver is for {pci:?}");
    }
}

fuzz_target!(|data: &[u8]| {
    let mut pieces = fuzz::pieces(data);
    let mut piece = || pieces.next().unwrap_or_default();
    let [card, keeps, steps @ ..] = piece() else { return };
    let steps = steps.get(..60).unwrap_or(steps);
    let Some((vendor, device)) = CARDS.get(usize::from(*card) % (CARDS.len() + 1)).copied() else {
        usb_network::trial::play(*keeps, steps, pieces);
        return;
    };
    let registers = [piece(), &[0]].concat().into_iter().cycle().take(REGISTERS).collect();
    let configuration = piece().to_vec();
    let mut lies = || RefCell::new(Lies::new(piece()));
    let (said, memory_said) = (lies(), lies());
    let words: Vec<u16> =
        piece().as_chunks().0.iter().map(|word| u16::from_le_bytes(*word)).take(64).collect();
    let wires = SERIAL_MEMORIES.into_iter().find(|wires| (wires.vendor, wires.device) == (vendor, device));
    let serial = wires.map(|wires| (HostMicrowire::new(&words, 64).into(), wires));
    let world = State {
        registers: RefCell::new(registers),
        keeps: keeps & 1 != 0,
        configuration,
        registers_at_work: piece().iter().copied().cycle().take(REGISTERS).collect(),
        serial,
        said,
        memory_said,
        steps: steps.to_vec(),
        ..State::default()
    };
    try_its_driver(world.into(), PciIdentity { bus_device_function: 0x10, vendor, device });
});
