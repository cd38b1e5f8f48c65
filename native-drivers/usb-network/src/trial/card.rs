//! A controller and devices on its ports.

use super::shared::Shared;
use crate::registers::{
    BAR, capability, command, completion, operational, port, runtime, speed, status, trb,
};
use crate::request;
use alloc::rc::Rc;
use alloc::vec;
use alloc::vec::Vec;
use core::cell::{Cell, RefCell};
use hw::device::{HOST_MEMORY_ADDRESS, Host, HostDevice, Lies};

const OPERATIONAL: u32 = 0x40;
const RUNTIME: u32 = 0x2000;
const DOORBELLS: u32 = 0x3000;
const EXTENDED: u32 = 0x4000;

/// A device refuses a request.
const STALL: u32 = 6;

/// A configuration of another class, with a descriptor of HID and one endpoint.
pub(crate) const OTHER_CONFIGURATION: [u8; 34] = [
    9, 2, 34, 0, 1, 1, 0, 0xa0, 50, //
    9, 4, 0, 0, 1, 3, 1, 1, 0, //
    9, 0x21, 0x11, 1, 0, 1, 0x22, 63, 0, //
    7, 5, 0x81, 3, 8, 0, 10,
];

/// A device.
#[derive(Debug, Default)]
pub(crate) struct Gadget {
    pub(crate) device: Vec<u8>,
    pub(crate) configurations: Vec<Vec<u8>>,
    pub(crate) mac: &'static str,
    /// The request that it stalls at.
    pub(crate) stalls: Option<[u8; 2]>,
    /// The request that it never ends.
    pub(crate) hangs: Option<[u8; 2]>,
    /// It answers nothing at all.
    is_silent: bool,
    speed: u32,
    /// Bytes of a packet of frames.
    packet: usize,
    pub(crate) configuration: u8,
    pub(crate) setting: u8,
    pub(crate) filter: u32,
    /// It speaks Remote NDIS: what it says next, the first one first.
    pub(crate) words: Vec<Vec<u8>>,
    /// What it says before each answer.
    pub(crate) gossip: Vec<Vec<u8>>,
    /// What it has been told by messages, in whole.
    pub(crate) heard: Vec<Vec<u8>>,
    /// The status of its answer to that kind of message, and the bytes of a transfer that it takes.
    pub(crate) status: (u32, u32),
    pub(crate) transfer: u32,
    pub(crate) medium: u32,
    /// What it has been sent: whole frames, and the beginning of one.
    pub(crate) frames: Vec<Vec<u8>>,
    part: Vec<u8>,
}

impl Gadget {
    pub(crate) fn adapter(speed: u32, packet: u16) -> Self {
        let [low, high] = packet.to_le_bytes();
        let control_packet = if speed > speed::HIGH { 9 } else { 64 };
        let mut configuration = vec![
            9, 2, 0, 0, 2, 2, 0, 0x80, 50, //
            9, 4, 0, 0, 1, 2, 6, 0, 0, // control
            5, 0x24, 0, 0x10, 1, // header
            5, 0x24, 6, 0, 1, // union
            13, 0x24, 0xf, 5, 0, 0, 0, 0, 0xea, 5, 0, 0, 0, // Ethernet
            7, 5, 0x81, 3, 16, 0, 9, //
            9, 4, 1, 0, 0, 10, 0, 0, 0, // data, without endpoints
            9, 4, 1, 1, 2, 10, 0, 0, 0, // and with both
            7, 5, 0x82, 2, low, high, 0, //
            7, 5, 0x02, 2, low, high, 0,
        ];
        configuration[2] = configuration.len() as u8;
        let device = vec![18, 1, 0, 2, 2, 0, 0, control_packet, 0x25, 5, 0xa2, 0xa4, 0, 0, 1, 2, 3, 1];
        Self {
            device,
            configurations: vec![configuration],
            mac: "405400123456",
            speed,
            packet: packet.into(),
            ..Self::default()
        }
    }

    pub(crate) fn keyboard() -> Self {
        let device = vec![18, 1, 0, 2, 0, 0, 0, 8, 0x27, 6, 1, 0, 0, 0, 1, 2, 3, 1];
        Self {
            device,
            configurations: vec![OTHER_CONFIGURATION.to_vec()],
            speed: speed::LOW,
            packet: 8,
            ..Self::default()
        }
    }

    pub(crate) fn silent() -> Self {
        Self { is_silent: true, ..Self::keyboard() }
    }

    /// An adapter of Remote NDIS, of that class.
    pub(crate) fn remote_ndis(class: [u8; 3], speed: u32, packet: u16) -> Self {
        let [low, high] = packet.to_le_bytes();
        let [class, subclass, protocol] = class;
        let mut configuration = vec![
            9, 2, 0, 0, 2, 3, 0, 0x80, 50, //
            9, 4, 4, 0, 1, class, subclass, protocol, 0, // control
            5, 0x24, 0, 0x10, 1, // header
            5, 0x24, 1, 0, 5, // call management
            4, 0x24, 2, 0, // abstract control
            5, 0x24, 6, 4, 5, // union
            7, 5, 0x81, 3, 8, 0, 9, //
            9, 4, 5, 0, 2, 10, 0, 0, 0, // data
            7, 5, 0x82, 2, low, high, 0, //
            7, 5, 0x02, 2, low, high, 0,
        ];
        configuration[2] = configuration.len() as u8;
        let mut gadget = Self::adapter(speed, packet);
        gadget.configurations = vec![configuration];
        gadget.transfer = 4096;
        gadget
    }

    /// Hears a message of Remote NDIS, and has an answer then.
    fn hear(&mut self, message: &[u8], is_hostile: bool) {
        let words: Vec<_> =
            message.chunks_exact(4).map(|word| u32::from_le_bytes(word.try_into().unwrap())).collect();
        self.heard.push(message.to_vec());
        let [kind, length, request, ..] = words[..] else { return };
        assert!(is_hostile || length as usize == message.len());
        // Behind the words, and what it is there is said at an offset.
        let answer = |rest: &[u32], bytes: &[u8]| {
            let length = 12 + 4 * rest.len() + bytes.len();
            let words = [kind | 1 << 31, length as u32, request];
            words
                .iter()
                .chain(rest)
                .flat_map(|word| word.to_le_bytes())
                .chain(bytes.iter().copied())
                .collect()
        };
        let status = if self.status.0 == kind { self.status.1 } else { 0 };
        let said = match (kind, &words[3..]) {
            (2, [1, 0, _]) => answer(&[status, 1, 0, 1, self.medium, 1, self.transfer, 3, 0, 0], &[]),
            // Four bytes are left out before what was asked for.
            (4, [0x0101_0101, 0, 0, 0]) => answer(&[status, 6, 20, 0], &[0x40, 0x54, 0, 0x12, 0x34, 0x56]),
            (4, [0x0001_0106, 0, 0, 0]) => answer(&[status, 4, 16], &1400_u32.to_le_bytes()),
            (5, [0x0001_010e, 4, 20, 0, filter]) => {
                self.filter = *filter;
                answer(&[status], &[])
            }
            (0x8000_0008, [0]) => return,
            _ if is_hostile => return,
            _ => panic!("{words:x?}"),
        };
        self.words.extend(self.gossip.iter().cloned());
        self.words.push(said);
    }

    /// What it answers to a request with these data; none is a stall.
    fn answer(&mut self, setup: [u8; 8], data: &[u8], is_hostile: bool) -> Option<Vec<u8>> {
        let [kind, number, value, value_high, index, ..] = setup;
        let value = u16::from_le_bytes([value, value_high]);
        if self.stalls == Some([kind, number]) {
            return None;
        }
        match [kind, number] {
            request::GET_DESCRIPTOR => match value & 0xff00 {
                request::DEVICE => {
                    let mut device = self.device.clone();
                    if let Some(count) = device.get_mut(17) {
                        *count = self.configurations.len() as u8;
                    }
                    Some(device)
                }
                request::CONFIGURATION => self.configurations.get(usize::from(value & 0xff)).cloned(),
                request::STRING if value & 0xff == 0 => Some(vec![4, 3, 9, 4]),
                // English, by the list of languages.
                request::STRING if (value & 0xff, index) == (5, 9) => {
                    let mut string = vec![2 + 2 * self.mac.len() as u8, 3];
                    string.extend(self.mac.encode_utf16().flat_map(u16::to_le_bytes));
                    Some(string)
                }
                _ => None,
            },
            request::SET_CONFIGURATION => {
                self.configuration = value as u8;
                Some(vec![])
            }
            request::SET_INTERFACE => {
                self.setting = value as u8;
                Some(vec![])
            }
            request::SET_PACKET_FILTER => {
                self.filter = value.into();
                Some(vec![])
            }
            request::SEND_COMMAND if (value, index) == (0, 4) && self.transfer > 0 => {
                self.hear(data, is_hostile);
                Some(vec![])
            }
            request::GET_RESPONSE if (value, index) == (0, 4) && self.transfer > 0 => {
                Some(if self.words.is_empty() { vec![0] } else { self.words.remove(0) })
            }
            _ => None,
        }
    }
}

/// Where the controller is in a ring.
#[derive(Clone, Copy, Debug)]
struct Place {
    address: u64,
    cycle: u32,
}

impl Place {
    fn new(pointer: u64) -> Self {
        Self { address: pointer & !0xf, cycle: (pointer & 1) as u32 }
    }
}

/// An entry of a ring: where it is, and its words.
#[derive(Clone, Copy, Debug)]
struct Entry {
    address: u64,
    parameter: u64,
    status: u32,
    control: u32,
}

#[derive(Debug)]
pub(crate) struct Card {
    pub(crate) host: Host,
    /// What is said in place of registers.
    pub(crate) said: RefCell<Lies>,
    memory: Rc<[Cell<u8>]>,
    /// All that was written to registers.
    pub(crate) writes: Rc<RefCell<Vec<(u32, u32)>>>,
    pub(crate) has_large_contexts: bool,
    pub(crate) own_pages: u32,
    pub(crate) legacy: Option<u32>,
    /// It is not there any more.
    pub(crate) is_gone: bool,
    /// It carries out nothing.
    pub(crate) is_mute: bool,
    /// Nothing is asserted of what it is told.
    pub(crate) is_hostile: bool,
    /// It does not send what it is told to.
    pub(crate) is_slow: bool,
    /// What becomes of the next events, the first one first; 0 is nothing.
    pub(crate) twists: Vec<u8>,
    pub(crate) command: u32,
    /// Registers of 64 bits, by offset.
    long: alloc::collections::BTreeMap<u32, u64>,
    pub(crate) ports: Vec<u32>,
    gadgets: Vec<Option<Gadget>>,
    /// The device that has the slot.
    addressed: Option<usize>,
    is_enabled: bool,
    pub(crate) control_packet: u32,
    commands: Option<Place>,
    pipes: [Option<Place>; 32],
    halted: u32,
    /// The request that its device does not end.
    hung: Option<Entry>,
    /// How often an endpoint was revived.
    pub(crate) revived: usize,
    /// Events that were ever posted.
    posted: u64,
}

impl Card {
    pub(crate) fn new(memory: &Shared, gadgets: Vec<Option<Gadget>>) -> Self {
        let mut card = Self {
            host: Host::default(),
            said: RefCell::default(),
            memory: memory.cells(),
            writes: Rc::default(),
            has_large_contexts: false,
            own_pages: 0,
            legacy: None,
            is_gone: false,
            is_mute: false,
            is_hostile: false,
            is_slow: false,
            twists: Vec::new(),
            command: 0,
            long: Default::default(),
            ports: vec![0; gadgets.len()],
            gadgets,
            addressed: None,
            is_enabled: false,
            control_packet: 0,
            commands: None,
            pipes: [None; 32],
            halted: 0,
            hung: None,
            revived: 0,
            posted: 0,
        };
        card.reset();
        card
    }

    /// Whether it is halted and reset, and reaches no memory.
    pub(crate) fn is_quiet(&self) -> bool {
        self.command == 0 && !self.host.is_master && !self.is_enabled && self.long.is_empty()
    }

    pub(crate) fn gadget(&mut self, port: usize) -> &mut Gadget {
        self.gadgets[port].as_mut().unwrap()
    }

    pub(crate) fn unplug(&mut self, port: usize) {
        self.gadgets[port] = None;
        self.ports[port] = port::POWER | 1 << 17;
    }

    /// A port, by its number, has a status that is no consequence of anything.
    pub(crate) fn set_port(&mut self, bytes: &[u8]) {
        self.is_hostile = true;
        if let [number, a, b, c, d, ..] = *bytes
            && let Some(status) = self.ports.get_mut(usize::from(number))
        {
            *status = u32::from_le_bytes([a, b, c, d]);
        }
    }

    /// Puts an event into the ring that nothing has led to, as memory has it.
    pub(crate) fn tell(&mut self, event: &[u8]) {
        self.is_hostile = true;
        let mut words = [0; 16];
        for (word, byte) in words.iter_mut().zip(event) {
            *word = *byte;
        }
        let word = |at: usize| u32::from_le_bytes([words[at], words[at + 1], words[at + 2], words[at + 3]]);
        // Without the driver's address, so that it may as well be one of the driver's.
        let parameter = HOST_MEMORY_ADDRESS.wrapping_add(u64::from(word(4)) << 32 | u64::from(word(0)));
        self.put_event(parameter, word(8), word(12));
    }

    fn reset(&mut self) {
        self.command = 0;
        self.long.clear();
        (self.addressed, self.is_enabled, self.commands, self.pipes) = (None, false, None, [None; 32]);
        (self.halted, self.posted, self.hung) = (0, 0, None);
        for number in 0..self.ports.len() {
            self.power(number);
        }
    }

    fn power(&mut self, number: usize) {
        self.ports[number] = port::POWER;
        if let Some(gadget) = &self.gadgets[number] {
            // What was changed is said, and devices of USB 3 need no reset.
            let is_enabled = if gadget.speed > speed::HIGH { port::ENABLED } else { 0 };
            self.ports[number] |= port::CONNECTED | gadget.speed << 10 | 1 << 17 | is_enabled;
        }
    }

    /// Where an address is in the driver's memory.
    fn find(&self, address: u64, length: usize) -> Option<usize> {
        let offset = address.checked_sub(HOST_MEMORY_ADDRESS).map(|offset| offset as usize);
        let place =
            offset.filter(|offset| offset.checked_add(length).is_some_and(|end| end <= self.memory.len()));
        assert!(self.is_hostile || (place.is_some() && self.host.is_master), "{address:x}");
        place
    }

    fn load(&self, address: u64, length: usize) -> Vec<u8> {
        let Some(place) = self.find(address, length) else { return vec![0; length] };
        self.memory[place..place + length].iter().map(Cell::get).collect()
    }

    fn store(&self, address: u64, bytes: &[u8]) {
        let Some(place) = self.find(address, bytes.len()) else { return };
        for (cell, byte) in self.memory[place..].iter().zip(bytes) {
            cell.set(*byte);
        }
    }

    fn load32(&self, address: u64) -> u32 {
        u32::from_le_bytes(self.load(address, 4).try_into().unwrap())
    }

    fn load64(&self, address: u64) -> u64 {
        u64::from_le_bytes(self.load(address, 8).try_into().unwrap())
    }

    fn long(&self, register: u32) -> u64 {
        self.long.get(&register).copied().unwrap_or_default()
    }

    /// The next entry of a ring that is the controller's, links followed.
    fn next(&self, place: &mut Place) -> Option<Entry> {
        for _ in 0..2 {
            let address = place.address;
            let entry = Entry {
                address,
                parameter: self.load64(address),
                status: self.load32(address + 8),
                control: self.load32(address + 12),
            };
            if entry.control & trb::CYCLE != place.cycle || entry.control & trb::KIND == 0 {
                return None;
            }
            if entry.control & trb::KIND != trb::LINK {
                place.address += 16;
                return Some(entry);
            }
            place.address = entry.parameter;
            place.cycle ^= entry.control >> 1 & 1;
        }
        None
    }

    fn post(&mut self, parameter: u64, status: u32, control: u32) {
        let twist = if self.twists.is_empty() { 0 } else { self.twists.remove(0) };
        let (mut parameter, mut status, mut control) = (parameter, status, control);
        self.is_hostile |= twist != 0;
        match twist % 8 {
            1 => return,
            2 => status ^= u32::from(twist) << 20,
            3 => parameter ^= u64::from(twist) << 4,
            4 => control ^= u32::from(twist) << 13,
            5 => status ^= u32::from(twist) << 4,
            6 => control ^= u32::from(twist) << 8,
            7 => self.put_event(parameter, status, control),
            _ => {}
        }
        self.put_event(parameter, status, control);
    }

    fn put_event(&mut self, parameter: u64, status: u32, control: u32) {
        let table = self.long(RUNTIME + runtime::SEGMENT_TABLE);
        if table == 0 {
            return;
        }
        let (ring, size) = (self.load64(table), u64::from(self.load32(table + 8)).max(1));
        let (index, round) = (self.posted % size, self.posted / size);
        let address = ring + 16 * index;
        let next = ring + 16 * ((index + 1) % size);
        let dequeue = self.long(RUNTIME + runtime::DEQUEUE) & !0xf;
        assert!(self.is_hostile || next != dequeue, "the event ring is full");
        self.store(address, &parameter.to_le_bytes());
        self.store(address + 8, &status.to_le_bytes());
        let cycle = (round & 1 == 0) as u32;
        self.store(address + 12, &(control & !trb::CYCLE | cycle).to_le_bytes());
        self.posted += 1;
    }

    fn end_command(&mut self, entry: Entry, code: u32) {
        self.post(entry.address, code << 24, trb::COMMAND_EVENT | trb::slot(1));
    }

    fn end_transfer(&mut self, entry: Entry, endpoint: usize, code: u32, rest: u32) {
        if code != completion::SUCCESS && code != completion::SHORT {
            self.halted |= 1 << endpoint;
        }
        let control = trb::TRANSFER_EVENT | trb::slot(1) | trb::endpoint(endpoint as u32);
        self.post(entry.address, code << 24 | rest, control);
    }

    fn run_commands(&mut self) {
        let Some(mut place) = self.commands else { return };
        while let Some(entry) = self.next(&mut place) {
            let code = self.run_command(entry).unwrap_or(17);
            self.end_command(entry, code);
        }
        self.commands = Some(place);
    }

    /// The code that a command ends with; none if its parameters are wrong.
    fn run_command(&mut self, entry: Entry) -> Option<u32> {
        let size = if self.has_large_contexts { 64 } else { 32 };
        let added = |card: &Self| card.load32(entry.parameter.wrapping_add(4));
        let context = |index: u64| entry.parameter.wrapping_add((index + 1) * size);
        let kind = entry.control & trb::KIND;
        assert!(self.is_hostile || kind == trb::ENABLE_SLOT || entry.control >> 24 == 1);
        match kind {
            trb::ENABLE_SLOT => {
                assert!(self.is_hostile || !self.is_enabled, "there is one slot");
                self.is_enabled = true;
            }
            trb::DISABLE_SLOT => {
                (self.is_enabled, self.addressed, self.pipes) = (false, None, [None; 32]);
            }
            trb::ADDRESS_DEVICE => {
                let (first, second) = (self.load32(context(0)), self.load32(context(0) + 4));
                let port = (second >> 16 & 0xff).wrapping_sub(1) as usize;
                let status = *self.ports.get(port)?;
                if !self.is_hostile {
                    assert_eq!(added(self), 3);
                    assert!(status & port::ENABLED != 0);
                    assert_eq!((first >> 20 & 0xf, first >> 27), (port::speed(status), 1));
                    // The device's context is where the array says.
                    let array = self.long(OPERATIONAL + operational::CONTEXTS);
                    self.find(self.load64(array + 8), 32 * size as usize);
                    if self.own_pages > 0 {
                        let pages = self.load64(array);
                        for page in 0..u64::from(self.own_pages) {
                            let page = self.load64(pages + 8 * page);
                            assert!(page.is_multiple_of(4096));
                            self.find(page, 4096);
                        }
                    }
                }
                self.pipes[1] = Some(Place::new(self.load64(context(1) + 8)));
                self.control_packet = self.load32(context(1) + 4) >> 16;
                if self.gadgets.get(port)?.as_ref()?.is_silent {
                    return Some(4);
                }
                self.addressed = Some(port);
            }
            trb::EVALUATE_CONTEXT => {
                assert!(self.is_hostile || added(self) == 2);
                self.control_packet = self.load32(context(1) + 4) >> 16;
            }
            trb::CONFIGURE_ENDPOINT => {
                let added = added(self);
                for index in (2..32_u64).filter(|index| added >> index & 1 != 0) {
                    let word = self.load32(context(index) + 4);
                    let kind = word >> 3 & 7;
                    assert!(self.is_hostile || word >> 16 != 0 && (kind & 4 != 0) == (index & 1 != 0));
                    self.pipes[index as usize] = Some(Place::new(self.load64(context(index) + 8)));
                }
            }
            trb::RESET_ENDPOINT => {
                self.halted &= !(1 << (entry.control >> 16 & 0x1f));
                self.revived += 1;
            }
            trb::SET_DEQUEUE => {
                self.pipes[(entry.control >> 16 & 0x1f) as usize] = Some(Place::new(entry.parameter));
            }
            _ => return Some(5),
        }
        Some(completion::SUCCESS)
    }

    fn run_requests(&mut self) {
        let (Some(port), Some(mut place)) = (self.addressed, self.pipes[1]) else { return };
        if let Some(hung) = self.hung {
            let is_there = self.load32(hung.address + 12) == hung.control;
            assert!(self.is_hostile || is_there, "what is being carried out was written over");
            return;
        }
        while self.halted >> 1 & 1 == 0
            && let Some(setup) = self.next(&mut place)
        {
            assert!(self.is_hostile || setup.control & trb::KIND == trb::SETUP && setup.status == 8);
            let bytes = setup.parameter.to_le_bytes();
            if self.gadgets[port].as_ref().is_some_and(|gadget| gadget.hangs == Some([bytes[0], bytes[1]])) {
                self.hung = Some(setup);
                return;
            }
            let length = u16::from_le_bytes([bytes[6], bytes[7]]);
            let data = if length > 0 { self.next(&mut place) } else { None };
            let is_in = bytes[0] & 0x80 != 0;
            let told = data.filter(|_| !is_in).map(|data| self.load(data.parameter, length.into()));
            let told = told.unwrap_or_default();
            let is_hostile = self.is_hostile;
            let gadget = self.gadgets[port].as_mut();
            let answer = gadget.and_then(|gadget| gadget.answer(bytes, &told, is_hostile));
            let Some(mut answer) = answer else {
                self.end_transfer(data.unwrap_or(setup), 1, STALL, 0);
                break;
            };
            answer.truncate(length.into());
            if let Some(data) = data.filter(|_| is_in) {
                self.store(data.parameter, &answer);
                if answer.len() < usize::from(length) {
                    let rest = u32::from(length) - answer.len() as u32;
                    self.end_transfer(data, 1, completion::SHORT, rest);
                }
            }
            let Some(end) = self.next(&mut place) else { break };
            assert!(self.is_hostile || end.control & trb::KIND == trb::STATUS);
            // All stages say where their data go; the last one goes the other way.
            let [setup_stage, data_stage, end_stage] = match (length, is_in) {
                (0, _) => [0, 0, trb::IN],
                (_, false) => [trb::DATA_OUT, 0, trb::IN],
                (_, true) => [trb::DATA_IN, trb::IN, 0],
            };
            let direction = |entry: Entry, mask| entry.control & mask;
            assert!(self.is_hostile || direction(setup, trb::DATA_IN) == setup_stage);
            assert!(self.is_hostile || data.is_none_or(|data| direction(data, trb::IN) == data_stage));
            assert!(self.is_hostile || direction(end, trb::IN) == end_stage);
            self.end_transfer(end, 1, completion::SUCCESS, 0);
        }
        self.pipes[1] = Some(place);
    }

    /// Sends what the driver has given, by the only endpoint that there is for that.
    pub(crate) fn send(&mut self) {
        const OUTPUT: usize = 4;
        let (Some(port), Some(mut place)) = (self.addressed, self.pipes[OUTPUT]) else { return };
        while !self.is_slow
            && self.halted >> OUTPUT & 1 == 0
            && let Some(entry) = self.next(&mut place)
        {
            let length = (entry.status & 0x1_ffff) as usize;
            let bytes = self.load(entry.parameter, length);
            if let Some(gadget) = &mut self.gadgets[port] {
                gadget.part.extend(bytes);
                if length == 0 || !length.is_multiple_of(gadget.packet) {
                    gadget.frames.push(core::mem::take(&mut gadget.part));
                }
            }
            if entry.control & trb::ON_COMPLETION != 0 {
                self.end_transfer(entry, OUTPUT, completion::SUCCESS, 0);
            }
        }
        self.pipes[OUTPUT] = Some(place);
    }

    /// Ends the next transfer of an endpoint with these bytes; false if there is none.
    fn fill(&mut self, endpoint: usize, bytes: &[u8]) -> bool {
        let Some(mut place) = self.pipes[endpoint] else { return false };
        let Some(entry) = self.next(&mut place) else { return false };
        self.pipes[endpoint] = Some(place);
        let length = entry.status & 0x1_ffff;
        let bytes = bytes.get(..length as usize).unwrap_or(bytes);
        self.store(entry.parameter, bytes);
        let rest = length.saturating_sub(bytes.len() as u32);
        let code = if rest > 0 { completion::SHORT } else { completion::SUCCESS };
        self.end_transfer(entry, endpoint, code, rest);
        true
    }

    /// A frame comes from the wire; false if the driver has no room.
    pub(crate) fn deliver(&mut self, frame: &[u8]) -> bool {
        self.fill(5, frame)
    }

    /// The adapter tells something.
    pub(crate) fn notify(&mut self, bytes: &[u8]) -> bool {
        self.fill(3, bytes)
    }

    /// The next transfer of an endpoint ends with an error.
    pub(crate) fn fail(&mut self, endpoint: u32) {
        let endpoint = endpoint as usize;
        let Some(place) = self.pipes[endpoint].filter(|_| self.halted >> endpoint & 1 == 0) else { return };
        let entry = Entry { address: place.address, parameter: 0, status: 0, control: 0 };
        self.end_transfer(entry, endpoint, 4, 0);
    }
}

impl HostDevice for Card {
    fn host(&self) -> &Host {
        &self.host
    }

    fn host_mut(&mut self) -> &mut Host {
        &mut self.host
    }

    fn read(&self, bar: u8, offset: u32, size: usize) -> u32 {
        assert!(self.is_hostile || (bar, size) == (BAR, 4));
        const PORTS: u32 = OPERATIONAL + operational::PORTS;
        if self.is_gone {
            return u32::MAX;
        }
        let truth = match offset {
            capability::LENGTH => 0x0110_0000 | OPERATIONAL,
            capability::STRUCTURE_1 => (self.ports.len() as u32) << 24 | 1 << 8 | 64,
            capability::STRUCTURE_2 => (self.own_pages >> 5) << 21 | self.own_pages << 27,
            capability::PARAMETERS => {
                let contexts = if self.has_large_contexts { capability::LARGE_CONTEXTS } else { 0 };
                (EXTENDED / 4) << 16 | contexts
            }
            capability::DOORBELLS => DOORBELLS,
            capability::RUNTIME => RUNTIME,
            // Supported Protocol, four words long, and then perhaps USB Legacy Support.
            EXTENDED => 0x0200_0002 | if self.legacy.is_some() { 4 << 8 } else { 0 },
            0x4010 => self.legacy.unwrap_or_default() | 1,
            0x40 => self.command,
            0x44 if self.command & command::RUN == 0 => status::HALTED,
            0x44 => 1 << 4,
            0x48 => 1,
            PORTS.. if offset < RUNTIME => {
                self.ports.get(((offset - PORTS) / 16) as usize).copied().unwrap_or(u32::MAX)
            }
            _ if self.is_hostile => 0,
            _ => panic!("{offset:x}"),
        };
        self.said.borrow_mut().instead_of(truth)
    }

    fn write(&mut self, _: u8, offset: u32, size: usize, value: u32) {
        const PORTS: u32 = OPERATIONAL + operational::PORTS;
        const STATUS_TABLE: u32 = RUNTIME + runtime::SEGMENT_TABLE;
        const DEQUEUE: u32 = RUNTIME + runtime::DEQUEUE;
        self.writes.borrow_mut().push((offset, value));
        assert!(self.is_hostile || size == if offset == 0x4013 { 1 } else { 4 });
        if self.is_gone {
            return;
        }
        match offset {
            0x40 if value & command::RESET != 0 => self.reset(),
            0x40 => {
                self.command = value;
                if value & command::RUN != 0 {
                    assert!(self.is_hostile || self.host.is_master);
                    self.commands = Some(Place::new(self.long(0x58)));
                }
            }
            // Two halves each.
            0x58 | 0x70 | STATUS_TABLE | DEQUEUE => _ = self.long.insert(offset, value.into()),
            0x5c | 0x74 | 0x2034 | 0x203c => {
                *self.long.entry(offset - 4).or_default() |= u64::from(value) << 32;
            }
            0x78 => assert!(self.is_hostile || value == 1, "slots"),
            0x2028 => assert!(self.is_hostile || value == 1, "segments"),
            0x4013 => {
                if let Some(legacy) = &mut self.legacy {
                    *legacy = *legacy & 0xff_ffff | value << 24;
                }
            }
            DOORBELLS if !self.is_mute => self.run_commands(),
            0x3004 if !self.is_mute => match value {
                1 => self.run_requests(),
                4 => self.send(),
                _ => {}
            },
            PORTS.. if offset < RUNTIME => {
                let number = ((offset - PORTS) / 16) as usize;
                assert!(self.is_hostile || value & port::ENABLED == 0, "that would disable it");
                let Some(status) = self.ports.get_mut(number) else { return };
                if value & port::POWER == 0 {
                    *status = 0;
                } else if *status & port::POWER == 0 {
                    self.power(number);
                } else if value & port::RESET != 0 && *status & port::CONNECTED != 0 {
                    *status |= port::ENABLED | 1 << 21;
                }
            }
            _ => {}
        }
    }
}
