//! Intel's 8255x Fast Ethernet controllers (82557 to 82559, 82550, 82551), and those in Intel's chipsets (82562,
//! 82801).
//!
//! By the 8255x Open Source Software Developer Manual (revision 1.3, "manual"). The card has two units: one carries
//! commands out, of which sending a frame is one; the other receives. Each goes along a chain of structures in
//! memory, with a frame's bytes behind each, to one that is marked as the last. The card is polled: its interrupts
//! stay masked. The documents were not at hand when this was written, so numbers of sections may be wrong.
#![no_std]
#![allow(clippy::cast_possible_truncation, reason = "numbers are cut into the sizes that registers have")]

#[cfg(test)]
extern crate alloc;

#[cfg(test)]
mod tests;

use base::{Duration, Error, Instant, MacAddress};
use hw::device::{Device, DeviceMemory};
use hw::microwire::Microwire;
use nic::ring::ReceiveRing;
use nic::{Counters, FRAME_CAPACITY, Identity, Link, Nic, PciIdentity, errors};

const RECEIVE_SLOTS: usize = 64;
const TRANSMIT_SLOTS: usize = 16;
/// Bytes of a slot: the structure and a frame behind it.
const SLOT: usize = 2048;
/// Bytes of the structure, and of the frame that a slot has room for.
const HEADER: usize = 16;
const ROOM: usize = 1536;

/// Where the two commands are that set the card up, and what follows.
const ADDRESS_SETUP: usize = 0;
const CONFIGURE: usize = 32;
const RECEIVE: usize = 128;
const TRANSMIT: usize = RECEIVE + RECEIVE_SLOTS * SLOT;

/// Bytes of memory that the driver and the card share.
pub const MEMORY: usize = TRANSMIT + TRANSMIT_SLOTS * SLOT;

/// The region of the registers: ports.
const PORTS: u8 = 1;

// Registers (manual, section 6.3). Offsets in bytes.
/// The states of both units.
const STATUS: u32 = 0x00;
const COMMAND: u32 = 0x02;
const INTERRUPT_MASK: u32 = 0x03;
const POINTER: u32 = 0x04;
const PORT: u32 = 0x08;
const SERIAL_MEMORY: u32 = 0x0e;
const MANAGEMENT: u32 = 0x10;

/// Bits of [`STATUS`]: the command unit is at work if the first is set; the receive unit's state.
const COMMANDS_ACTIVE: u8 = 1 << 7;
const RECEIVE_STATE: u8 = 0xf << 2;
const RECEIVE_READY: u8 = 4 << 2;

/// What is written to [`COMMAND`] (manual, section 6.3.2.2): 0 once it was taken.
const COMMANDS_START: u8 = 1 << 4;
const COMMANDS_BASE: u8 = 6 << 4;
const RECEIVE_START: u8 = 1;
const RECEIVE_BASE: u8 = 6;

/// What is written to [`PORT`] (manual, section 6.3.3).
const RESET: u32 = 0;
/// Lets the card go off the bus first.
const SELECTIVE_RESET: u32 = 2;

/// Bits of [`SERIAL_MEMORY`] (manual, section 6.3.4).
const MICROWIRE_CLOCK: u16 = 1 << 0;
const MICROWIRE_SELECT: u16 = 1 << 1;
const MICROWIRE_DATA: u16 = 1 << 2;
const MICROWIRE_OUTPUT: u16 = 1 << 3;
/// The word of the serial memory that names the first PHY.
const MEMORY_PHY: u16 = 6;

/// Bits of [`MANAGEMENT`] (manual, section 6.3.6).
const MANAGEMENT_READ: u32 = 2 << 26;
const MANAGEMENT_READY: u32 = 1 << 28;
/// BMSR of every PHY (IEEE 802.3, section 22.2.4.2), and its bit for the link.
const PHY_STATUS: u32 = 1;
const PHY_LINK: u16 = 1 << 2;

/// Of a structure's first double word: what became of it, and what it is (manual, sections 6.4.2 and 6.4.3).
const DONE: u16 = 1 << 15;
const OK: u16 = 1 << 13;
const LAST: u16 = 1 << 15;
const SET_ADDRESS: u16 = 1;
const SET_CONFIGURATION: u16 = 2;
const SEND: u16 = 4;
/// In place of an address: the bytes are right behind the structure.
const BEHIND: u32 = u32::MAX;
/// Of the last double word: how many bytes, all of them, and sending begins when as many as can be are in the card.
const LENGTH: u16 = 0x3fff;
const ALL: u32 = 1 << 15;
const THRESHOLD: u32 = 0xe0 << 16;

/// The configuration (manual, section 6.4.2.3): what the manual recommends, with MII, long frames and all multicasts.
const CONFIGURATION: [u8; 22] = [
    22, 0x08, 0, 0, 0, 0, 0x32, 0x03, 0x01, 0, 0x2e, 0, 0x60, 0, 0xf2, 0x48, 0, 0x40, 0xfa, 0x80, 0x3f, 0x0d,
];

/// Intel's devices, as listed in the PCI ID database.
const CARDS: &[u16] = &[
    0x1029, 0x1030, 0x1031, 0x1032, 0x1033, 0x1034, 0x1035, 0x1036, 0x1037, 0x1038, 0x1039, 0x103a, 0x103b,
    0x103c, 0x103d, 0x103e, 0x1050, 0x1051, 0x1052, 0x1053, 0x1054, 0x1055, 0x1056, 0x1057, 0x1059, 0x1064,
    0x1065, 0x1066, 0x1067, 0x1068, 0x1069, 0x106a, 0x106b, 0x1091, 0x1092, 0x1093, 0x1094, 0x1095, 0x10fe,
    0x1209, 0x1227, 0x1228, 0x1229, 0x2449, 0x2459, 0x245d, 0x27dc, 0x5200, 0x5201,
];

/// Whether the driver is for a card.
pub fn drives(vendor: u16, device: u16) -> bool {
    vendor == 0x8086 && CARDS.contains(&device)
}

/// A card.
#[derive(Debug)]
pub struct Eepro100<D: Device, M: DeviceMemory> {
    device: D,
    memory: M,
    identity: Identity,
    is_open: bool,
    /// It did not take the order to send.
    is_stuck: bool,
    /// The number of the PHY.
    phy: u32,
    receiving: ReceiveRing<RECEIVE_SLOTS>,
    /// The slot of the next frame to be sent, how many before it wait, and how many before those are on their way.
    next_sent: usize,
    waiting: usize,
    sending: usize,
    counters: Counters,
}

impl<D: Device, M: DeviceMemory> Eepro100<D, M> {
    /// The driver of a card, which is reset and stays quiet. `memory` has [`MEMORY`] bytes.
    pub fn try_new(device: D, memory: M, pci: PciIdentity) -> Result<Self, Error> {
        if memory.length() < MEMORY {
            return Err(errors::NO_MEMORY.error());
        }
        let mut nic = Self {
            device,
            memory,
            identity: Identity::new("eepro100", pci),
            is_open: false,
            is_stuck: false,
            phy: 1,
            receiving: ReceiveRing::default(),
            next_sent: 0,
            waiting: 0,
            sending: 0,
            counters: Counters::default(),
        };
        nic.reset()?;
        let serial = Microwire::<D> {
            set: |device, wires| {
                let bit = |is_set: bool, bit: u16| if is_set { bit } else { 0 };
                let value = bit(wires.is_selected, MICROWIRE_SELECT)
                    | bit(wires.clock, MICROWIRE_CLOCK)
                    | bit(wires.data, MICROWIRE_DATA);
                device.write16(PORTS, SERIAL_MEMORY, value);
            },
            get: |device| device.read16(PORTS, SERIAL_MEMORY) & MICROWIRE_OUTPUT != 0,
        };
        let words = serial.words(&mut nic.device, 0).zip(serial.words(&mut nic.device, MEMORY_PHY));
        let Some((address, [phy])) = words else {
            return Err(errors::NO_ANSWER.of("its serial memory is not there"));
        };
        nic.identity.set_address(MacAddress::from_words(address))?;
        // Those inside of cards, and in chipsets, are the first.
        nic.phy = Some(u32::from(phy & 0xff)).filter(|phy| (1..32).contains(phy)).unwrap_or(1);
        Ok(nic)
    }

    fn status(&self) -> u8 {
        self.device.read8(PORTS, STATUS)
    }

    /// Stops everything: no interrupts, no frames, no access to memory (manual, section 6.3.3).
    fn reset(&mut self) -> Result<(), Error> {
        (self.is_open, self.is_stuck) = (false, false);
        for reset in [SELECTIVE_RESET, RESET] {
            self.device.write32(PORTS, PORT, reset);
            // The card is not to be looked at for 10 microseconds.
            self.device.wait(Duration::from_micros(20));
        }
        self.device.write8(PORTS, INTERRUPT_MASK, 1);
        let is_over = self.device.becomes(|device| device.read8(PORTS, STATUS) == 0);
        self.device.set_bus_mastering(false);
        if is_over { Ok(()) } else { Err(errors::NO_ANSWER.of("its reset does not end")) }
    }

    /// Gives one of the units an order, after the last one was taken.
    fn order(&mut self, command: u8, pointer: u32) -> Result<(), Error> {
        if !self.device.becomes(|device| device.read8(PORTS, COMMAND) == 0) {
            return Err(errors::NO_ANSWER.of("it takes no commands"));
        }
        self.device.write32(PORTS, POINTER, pointer);
        self.device.write8(PORTS, COMMAND, command);
        Ok(())
    }

    /// The card's address of what is at `offset`.
    fn address(&self, offset: usize) -> u32 {
        self.memory.address() as u32 + offset as u32
    }

    /// Sets the card up, lays out both chains, and starts to receive.
    fn start(&mut self) -> Result<(), Error> {
        self.receiving = ReceiveRing::default();
        (self.next_sent, self.waiting, self.sending) = (0, 0, 0);
        let link = self.address(CONFIGURE);
        self.put(ADDRESS_SETUP, SET_ADDRESS, link);
        self.memory.bytes_mut(ADDRESS_SETUP + 8, 6).copy_from_slice(&self.identity.mac.0);
        self.put(CONFIGURE, SET_CONFIGURATION | LAST, link);
        self.memory.bytes_mut(CONFIGURE + 8, CONFIGURATION.len()).copy_from_slice(&CONFIGURATION);
        for slot in 0..TRANSMIT_SLOTS {
            let link = self.address(transmit_slot((slot + 1) % TRANSMIT_SLOTS));
            self.put(transmit_slot(slot), SEND, link);
            self.memory.write32(transmit_slot(slot) + 8, BEHIND);
        }
        for slot in 0..RECEIVE_SLOTS {
            let link = self.address(receive_slot((slot + 1) % RECEIVE_SLOTS));
            self.put(receive_slot(slot), 0, link);
            self.memory.write32(receive_slot(slot) + 8, BEHIND);
        }
        for slot in 0..RECEIVE_SLOTS {
            self.give(slot);
        }

        self.device.set_bus_mastering(true);
        self.order(COMMANDS_BASE, 0)?;
        self.order(RECEIVE_BASE, 0)?;
        self.order(COMMANDS_START, self.address(ADDRESS_SETUP))?;
        // Until it has taken the order, it looks as if it had carried it out.
        self.device.wait(Duration::from_micros(100));
        if !self.device.becomes(|device| device.read8(PORTS, STATUS) & COMMANDS_ACTIVE == 0) {
            return Err(errors::NO_ANSWER.of("it does not carry out its configuration"));
        }
        self.order(RECEIVE_START, self.address(receive_slot(0)))
    }

    /// Begins a structure.
    fn put(&mut self, offset: usize, command: u16, link: u32) {
        self.memory.write32(offset, u32::from(command) << 16);
        self.memory.write32(offset + 4, link);
    }

    /// Lets the card receive into a slot, as the last one; the one before is not the last any more.
    fn give(&mut self, slot: usize) {
        let offset = receive_slot(slot);
        self.memory.write32(offset + 12, (ROOM as u32) << 16);
        self.memory.write32(offset, u32::from(LAST) << 16);
        // The card may write the other half of this one at the same time.
        self.memory.write16(receive_slot((slot + RECEIVE_SLOTS - 1) % RECEIVE_SLOTS) + 2, 0);
    }

    /// Takes back the slot whose frame was shown.
    fn give_back(&mut self) {
        if let Some(shown) = self.receiving.take_shown() {
            self.give(shown);
        }
    }

    /// What became of the next slot.
    fn received(&self) -> u16 {
        self.memory.read16(receive_slot(self.receiving.next()))
    }

    /// Takes back the slots of frames that have been sent, and sends those that wait.
    fn send(&mut self) -> Result<(), Error> {
        while self.sending > 0 {
            let oldest = (self.next_sent + 2 * TRANSMIT_SLOTS - self.waiting - self.sending) % TRANSMIT_SLOTS;
            if self.memory.read16(transmit_slot(oldest)) & DONE == 0 {
                break;
            }
            self.sending -= 1;
            self.counters.sent += 1;
        }
        // Nothing is added to a chain that the card is at: whether it has seen the end already cannot be known.
        if self.sending > 0 || self.waiting == 0 || self.status() & COMMANDS_ACTIVE != 0 {
            return Ok(());
        }
        self.sending = core::mem::take(&mut self.waiting);
        let first = (self.next_sent + TRANSMIT_SLOTS - self.sending) % TRANSMIT_SLOTS;
        let last = (self.next_sent + TRANSMIT_SLOTS - 1) % TRANSMIT_SLOTS;
        self.memory.write32(transmit_slot(last), u32::from(SEND | LAST) << 16);
        let order = self.order(COMMANDS_START, self.address(transmit_slot(first)));
        self.is_stuck = order.is_err();
        order
    }

    /// A register of the PHY; none if it does not answer.
    fn phy_register(&mut self, number: u32) -> Option<u16> {
        self.device.write32(PORTS, MANAGEMENT, MANAGEMENT_READ | self.phy << 21 | number << 16);
        let is_ready = self.device.becomes(|device| device.read32(PORTS, MANAGEMENT) & MANAGEMENT_READY != 0);
        Some(self.device.read32(PORTS, MANAGEMENT) as u16).filter(|value| is_ready && *value != u16::MAX)
    }
}

fn receive_slot(slot: usize) -> usize {
    RECEIVE + slot * SLOT
}

fn transmit_slot(slot: usize) -> usize {
    TRANSMIT + slot * SLOT
}

impl<D: Device, M: DeviceMemory> Nic for Eepro100<D, M> {
    fn identity(&self) -> &Identity {
        &self.identity
    }

    fn open(&mut self) -> Result<(), Error> {
        self.reset()?;
        if let Err(error) = self.start() {
            self.close();
            return Err(error);
        }
        self.is_open = true;
        Ok(())
    }

    fn close(&mut self) {
        // A card that does not answer cannot be made quieter than by taking the bus from it, which was done.
        let _ = self.reset();
    }

    fn link(&mut self) -> Link {
        // A link that was lost is told once, even if it is there again: the second answer is of now.
        let _ = self.phy_register(PHY_STATUS);
        match self.phy_register(PHY_STATUS) {
            None => Link::Unknown,
            Some(status) if status & PHY_LINK != 0 => Link::Up,
            Some(_) => Link::Down,
        }
    }

    fn poll(&mut self, _now: Instant, _until: Instant) -> Result<(), Error> {
        if !self.is_open {
            return Ok(());
        }
        if self.is_stuck {
            self.close();
            return Err(errors::NO_ANSWER.of("it takes no commands"));
        }
        self.send()?;
        self.give_back();
        // Where it has come to the last slot, it stops, and is started again when all it has received was seen.
        if self.status() & RECEIVE_STATE != RECEIVE_READY && self.received() & DONE == 0 {
            self.order(RECEIVE_START, self.address(receive_slot(self.receiving.next())))?;
        }
        Ok(())
    }

    fn may_have_received(&self) -> bool {
        !self.is_open || self.received() & DONE != 0
    }

    fn receive(&mut self) -> Option<&[u8]> {
        // As many as there are slots: a card that fills them faster than we look must not keep us here.
        for _ in 0..RECEIVE_SLOTS {
            if !self.is_open {
                return None;
            }
            self.give_back();
            let status = self.received();
            if status & DONE == 0 {
                return None;
            }
            let offset = receive_slot(self.receiving.next());
            self.receiving.show();
            let length = usize::from(self.memory.read16(offset + 12) & LENGTH);
            if status & OK != 0 && length <= FRAME_CAPACITY {
                self.counters.received += 1;
                return Some(self.memory.bytes(offset + HEADER, length));
            }
            self.counters.receive_drops += 1;
        }
        None
    }

    fn can_transmit(&self) -> bool {
        self.is_open && !self.is_stuck && self.waiting + self.sending < TRANSMIT_SLOTS
    }

    fn transmit(&mut self, frame: &[u8]) -> bool {
        // An order that was not taken is told by the next poll, and nothing is sent until then.
        let _ = self.send();
        if !self.can_transmit() {
            return false;
        }
        let offset = transmit_slot(self.next_sent);
        let Some(length) = nic::put_padded(frame, self.memory.bytes_mut(offset + HEADER, ROOM)) else {
            self.counters.send_errors += 1;
            return true;
        };
        self.memory.write32(offset + 12, length as u32 | ALL | THRESHOLD);
        self.memory.write32(offset, u32::from(SEND) << 16);
        self.next_sent = (self.next_sent + 1) % TRANSMIT_SLOTS;
        self.waiting += 1;
        let _ = self.send();
        true
    }

    fn counters(&self) -> Counters {
        self.counters
    }

    fn frames_ahead(&self) -> u16 {
        // The slot of the frame that is shown is not the card's.
        (RECEIVE_SLOTS - 1) as u16
    }
}
