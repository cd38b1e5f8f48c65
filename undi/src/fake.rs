//! A ROM that misbehaves as it is told, for the tests.

use crate::abi::{self, BangPxe, CachedInfo, Information, NicType, Opcode, PxenvPlus, Status};
use crate::control::{RECEIVE_SLOTS, SLOT_LENGTH, TRANSMIT_SLOTS};
use crate::driver::{Order, Outcome, Rom};
use crate::errors;
use crate::find::Memory;
use alloc::collections::VecDeque;
use alloc::vec;
use alloc::vec::Vec;
use base::{Error, MacAddress, SegOff};
use zerocopy::{FromBytes, FromZeros, IntoBytes};

pub(crate) const MAC: [u8; 6] = [0x52, 0x54, 0, 1, 2, 3];

/// A sound `!PXE`: UNDI at 0x9980:0 (data) and 0x9a00:0 (code), base code at 0x9700:0.
pub(crate) fn bang_pxe(entry: SegOff) -> [u8; 0x58] {
    let segment = |segment: u16, size: u16| abi::SegmentDescriptor {
        segment: segment.into(),
        address: (u32::from(segment) << 4).into(),
        size: size.into(),
    };
    let mut pxe = BangPxe::new_zeroed();
    pxe.signature = *b"!PXE";
    pxe.length = 0x58;
    pxe.entry = entry.into();
    pxe.segment_count = 7;
    pxe.undi_data = segment(0x9980, 0x800);
    pxe.undi_code = segment(0x9a00, 0x2000);
    pxe.base_code = segment(0x9700, 0x1800);
    let sum = pxe.as_bytes().iter().fold(0u8, |sum, byte| sum.wrapping_add(*byte));
    pxe.checksum = 0u8.wrapping_sub(sum);
    zerocopy::transmute!(pxe)
}

/// A sound `PXENV+`.
pub(crate) fn pxenv(entry: SegOff, version: u16, bang_pxe: SegOff) -> [u8; 0x2c] {
    let mut env = PxenvPlus::new_zeroed();
    env.signature = *b"PXENV+";
    env.version = version.into();
    env.length = 0x2c;
    env.entry = entry.into();
    env.base_code_segment = 0x9700.into();
    env.base_code_size = 0x1800.into();
    env.bang_pxe = bang_pxe.into();
    let sum = env.as_bytes().iter().fold(0u8, |sum, byte| sum.wrapping_add(*byte));
    env.checksum = 0u8.wrapping_sub(sum);
    zerocopy::transmute!(env)
}

/// When the card's frames can be seen.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Sees {
    /// START says OURS when there are some.
    Start,
    /// START does so only when the interrupt came.
    Interrupt,
    /// START never does; PROCESS has them.
    Process,
}

pub(crate) struct FakeRom {
    pub(crate) memory: Vec<u8>,
    pub(crate) calls: Vec<Opcode>,
    /// Calls that fail so many times.
    pub(crate) failing: Vec<(Opcode, Status, u32)>,
    pub(crate) hangs_at: Option<Opcode>,
    /// PROCESS without an interrupt before it never comes back.
    pub(crate) locks_up_at_process: bool,
    pub(crate) nic_type: Option<NicType>,
    pub(crate) information: Information,
    pub(crate) cached: Vec<u8>,
    pub(crate) cached_at: SegOff,
    pub(crate) cached_size: Option<u16>,
    pub(crate) filter: u16,
    pub(crate) sees: Sees,
    /// Frames on their way in.
    pub(crate) wire: VecDeque<Vec<u8>>,
    /// The wire never runs dry.
    pub(crate) endless: bool,
    /// Frames that went out.
    pub(crate) sent: Vec<Vec<u8>>,
    /// Frames that the ROM takes before it is out of resources.
    pub(crate) resources: u16,
    /// Refuses for good each frame of this first byte.
    pub(crate) refuses: Option<u8>,
    /// Says "sent" so many times in the next pump.
    pub(crate) completes: u16,
    pub(crate) strange_interrupts: bool,
    pub(crate) hooked: Option<u8>,
    pub(crate) hooked_over: bool,
    pub(crate) orders: Vec<Order>,
    pub(crate) slots: Vec<Vec<u8>>,
    pub(crate) write: usize,
    pub(crate) transmit: Vec<Vec<u8>>,
    pub(crate) transmit_next: usize,
    pub(crate) scratch: Vec<u8>,
}

impl Default for FakeRom {
    fn default() -> Self {
        let mut information = Information::new_zeroed();
        information.interrupt = 11.into();
        information.mtu = 1500.into();
        information.address_length = 6.into();
        information.current_address[..6].copy_from_slice(&MAC);
        information.permanent_address[..6].copy_from_slice(&[0x52, 0x54, 0, 9, 9, 9]);
        Self {
            memory: vec![0; 0x10_0000],
            calls: Vec::new(),
            failing: Vec::new(),
            hangs_at: None,
            locks_up_at_process: false,
            nic_type: None,
            information,
            cached: Vec::new(),
            cached_at: SegOff::default(),
            cached_size: None,
            filter: 0,
            sees: Sees::Start,
            wire: VecDeque::new(),
            endless: false,
            sent: Vec::new(),
            resources: u16::MAX,
            refuses: None,
            completes: 0,
            strange_interrupts: false,
            hooked: None,
            hooked_over: false,
            orders: Vec::new(),
            slots: vec![Vec::new(); RECEIVE_SLOTS],
            write: 0,
            transmit: vec![Vec::new(); TRANSMIT_SLOTS],
            transmit_next: 0,
            scratch: vec![0; SLOT_LENGTH],
        }
    }
}

impl Memory for FakeRom {
    fn read(&self, address: u32, into: &mut [u8]) -> bool {
        self.memory.as_slice().read(address, into)
    }
}

impl Rom for FakeRom {
    fn call(&mut self, opcode: Opcode, parameters: &mut [u8]) -> Result<Status, Error> {
        self.calls.push(opcode);
        if self.hangs_at == Some(opcode) {
            return Err(errors::HANGS.of(opcode.name()));
        }
        if let Some((_, status, left)) = self.failing.iter_mut().find(|(call, ..)| *call == opcode)
            && *left > 0
        {
            *left -= 1;
            return Ok(*status);
        }
        match opcode {
            Opcode::GET_INFORMATION => parameters.copy_from_slice(self.information.as_bytes()),
            Opcode::GET_NIC_TYPE => {
                // A9: without a type of its own the ROM writes the rest only.
                let own = self.nic_type.unwrap_or(NicType {
                    kind: parameters[2],
                    vendor: 0x8086.into(),
                    device: 0x1572.into(),
                    bus_device_function: 0x0100.into(),
                    ..NicType::default()
                });
                parameters.copy_from_slice(own.as_bytes());
            }
            Opcode::OPEN => {
                self.filter = abi::Open::read_from_bytes(parameters).unwrap().filter.get();
            }
            Opcode::GET_CACHED_INFO => {
                let mut cached = CachedInfo::read_from_bytes(parameters).unwrap();
                let length = self.cached.len().min(SLOT_LENGTH);
                if self.cached.is_empty() {
                    return Ok(Status::FAILURE);
                } else if cached.size.get() == 0 {
                    let at = self.cached_at.linear() as usize;
                    if let Some(memory) = self.memory.get_mut(at..at + length) {
                        memory.copy_from_slice(&self.cached[..length]);
                    }
                    cached.buffer = self.cached_at.into();
                } else {
                    self.scratch[..length].copy_from_slice(&self.cached[..length]);
                }
                cached.size = self.cached_size.unwrap_or(u16::try_from(length).unwrap_or(u16::MAX)).into();
                parameters.copy_from_slice(cached.as_bytes());
            }
            _ => {}
        }
        Ok(Status::SUCCESS)
    }

    fn scratch(&self) -> (SegOff, &[u8]) {
        (SegOff::new(0x1000, 0), &self.scratch)
    }

    fn set_entry(&mut self, _entry: SegOff) {}

    fn hook(&mut self, line: u8) {
        assert_eq!(self.hooked.replace(line), None);
    }

    fn unhook(&mut self) -> bool {
        assert!(self.hooked.is_some());
        if !self.hooked_over {
            self.hooked = None;
        }
        !self.hooked_over
    }

    fn receive_slots(&self) -> usize {
        self.slots.len()
    }

    fn frame(&self, slot: usize) -> &[u8] {
        &self.slots[slot]
    }

    fn load(&mut self, slot: usize, frame: &[u8], _station: MacAddress) -> bool {
        self.transmit[slot] = frame.to_vec();
        true
    }

    fn reset(&mut self) {
        self.write = 0;
        self.transmit_next = 0;
    }

    fn pump(&mut self, order: &Order) -> Result<Outcome, Error> {
        self.orders.push(*order);
        let mut outcome = Outcome::default();
        while outcome.taken < order.transmit && self.resources > 0 {
            let frame = self.transmit[self.transmit_next].clone();
            self.transmit_next = (self.transmit_next + 1) % TRANSMIT_SLOTS;
            if self.refuses == Some(frame[0]) {
                outcome.refused |= 1 << outcome.taken;
            } else {
                self.resources -= 1;
                self.sent.push(frame);
            }
            outcome.taken += 1;
        }
        if order.process_first && self.locks_up_at_process {
            return Err(errors::HANGS.of(Opcode::ISR.name()));
        }
        outcome.completed = core::mem::take(&mut self.completes);
        outcome.line_lost = self.strange_interrupts && order.interrupts;
        let visible = match self.sees {
            Sees::Start => true,
            Sees::Interrupt => order.interrupts,
            Sees::Process => order.process_first,
        };
        let mut calls = order.calls;
        while visible && outcome.frames < order.room && calls > 0 {
            calls -= 1;
            let frame = match self.wire.pop_front() {
                Some(frame) => frame,
                None if self.endless => vec![0xee; 60],
                None => break,
            };
            outcome.interrupts += u16::from(self.sees == Sees::Interrupt);
            self.slots[self.write] = frame;
            self.write = (self.write + 1) % self.slots.len();
            outcome.frames += 1;
        }
        Ok(outcome)
    }
}
