//! An xHCI controller that nobody else uses (xHCI 1.2, section 4), and one device on it.

use crate::registers::{
    BAR, capability, command, completion, context, extended, operational, port, runtime, speed, status, trb,
};
use crate::ring::{ENTRY, Event, EventRing, Ring};
use base::{Duration, Error};
use hw::device::{Device, DeviceMemory};
use nic::errors;

/// The slot of the device: there is one at a time.
pub(crate) const SLOT: u32 = 1;
/// The endpoint of control transfers.
const CONTROL: u32 = 1;

const PAGE: usize = 4096;
/// Pages that a controller may want for itself. More than any is known to want.
const SCRATCHPADS: usize = 256;
/// Entries of each ring, in a page of its own.
pub(crate) const SLOTS: usize = PAGE / ENTRY - 1;

/// What is shared with the controller, by pages (section 6, table 6-1): the array of contexts and that of its own pages,
/// the table of the event ring's segments, contexts, rings, what control transfers carry, and its own pages.
const ARRAY: usize = 0;
const OWN_PAGES: usize = 2048;
const SEGMENT_TABLE: usize = PAGE;
const INPUT_CONTEXT: usize = 2 * PAGE;
const DEVICE_CONTEXT: usize = 3 * PAGE;
const COMMANDS: usize = 4 * PAGE;
pub(crate) const EVENTS: usize = 5 * PAGE;
const CONTROLS: usize = 6 * PAGE;
const CONTROL_DATA: usize = 7 * PAGE;
const SCRATCHPAD: usize = 8 * PAGE;

/// Bytes of memory that are shared with the controller. What comes behind is the holder's.
pub(crate) const MEMORY: usize = SCRATCHPAD + SCRATCHPADS * PAGE;

/// The most bytes of a control transfer's data.
pub(crate) const DATA_LIMIT: u16 = PAGE as u16;

/// A step of waiting, and how many of them the controller is given from when it is taken until it is in use.
const STEP: Duration = Duration::from_micros(100);
const STEPS_PER_MILLISECOND: u32 = 10;
const PATIENCE: u32 = 500 * STEPS_PER_MILLISECOND;
/// The same, until it is as it was found.
const FAREWELL: u32 = 150 * STEPS_PER_MILLISECOND;

/// Milliseconds: what a command, a transfer or a port's reset takes at most.
const ANSWER: u32 = 100;
/// For devices to be seen after power was given to their ports (USB 2.0, section 7.1.7.3).
const ATTACHMENT: u32 = 100;
/// After a port's reset (USB 2.0, section 7.1.7.5).
const RECOVERY: u32 = 10;
/// After a device has its address (USB 2.0, section 9.2.6.3).
const ADDRESSED: u32 = 2;

/// A request to a device (USB 2.0, table 9-2).
#[derive(Clone, Copy, Debug)]
pub(crate) struct Request {
    /// Direction, type and recipient, and what is asked for.
    pub(crate) kind: [u8; 2],
    pub(crate) value: u16,
    pub(crate) index: u16,
    /// Bytes that the device answers with at most, or is sent.
    pub(crate) length: u16,
}

/// An endpoint to be set up: its index, its context's second word, its ring.
pub(crate) struct Pipe {
    pub(crate) index: u32,
    pub(crate) kind: u32,
    pub(crate) interval: u32,
    pub(crate) packet: u16,
    pub(crate) ring: Ring,
}

/// The controller.
#[derive(Debug)]
pub(crate) struct Controller<D: Device, M: DeviceMemory> {
    pub(crate) device: D,
    pub(crate) memory: M,
    operational: u32,
    runtime: u32,
    doorbells: u32,
    /// Where USB Legacy Support is.
    legacy: Option<u32>,
    ports: u8,
    /// Ports that have no power as long as nobody uses the controller.
    unpowered: [u64; 4],
    /// Bytes of a context.
    context: usize,
    own_pages: usize,
    is_ours: bool,
    /// Steps that may still be waited.
    patience: u32,
    /// The port and speed of the device.
    place: (u8, u32),
    commands: Ring,
    control: Ring,
    events: EventRing,
}

impl<D: Device, M: DeviceMemory> Controller<D, M> {
    /// Looks at the controller; nothing of it is changed. `memory` has [`MEMORY`] bytes.
    pub(crate) fn try_new(device: D, memory: M) -> Result<Self, Error> {
        let read = |register| device.read32(BAR, register);
        let (head, structure, parameters) =
            (read(capability::LENGTH), read(capability::STRUCTURE_1), read(capability::PARAMETERS));
        if head == u32::MAX {
            return Err(errors::NO_ANSWER.of("its USB controller's registers are all ones"));
        }
        let pages = read(capability::STRUCTURE_2);
        let own_pages = ((pages >> 21 & 0x1f) << 5 | pages >> 27) as usize;
        let operational = head & 0xff;
        let mut controller = Self {
            operational,
            runtime: read(capability::RUNTIME) & !0x1f,
            doorbells: read(capability::DOORBELLS) & !3,
            legacy: legacy_support(&device, parameters >> 16),
            ports: (structure >> 24) as u8,
            unpowered: [0; 4],
            context: if parameters & capability::LARGE_CONTEXTS != 0 { 64 } else { 32 },
            own_pages,
            is_ours: false,
            patience: 0,
            place: (0, 0),
            commands: Ring::default(),
            control: Ring::default(),
            events: EventRing::default(),
            device,
            memory,
        };
        if controller.operation(operational::PAGE_SIZE) & 1 == 0 || own_pages > SCRATCHPADS {
            return Err(errors::UNSUPPORTED.of(alloc::format!("{own_pages} pages for its USB controller")));
        }
        controller.check_unused()?;
        for number in 1..=controller.ports {
            if controller.port(number) & port::POWER == 0
                && let Some(word) = controller.unpowered.get_mut(usize::from(number / 64))
            {
                *word |= 1 << (number % 64);
            }
        }
        Ok(controller)
    }

    /// Whether nobody uses the controller. A BIOS that serves a keyboard or a disk on it keeps it running, and owns it
    /// where it can say so (section 7.1.1): then the BIOS's keyboard would be gone.
    fn check_unused(&self) -> Result<(), Error> {
        let is_owned = |at| self.device.read32(BAR, at) & extended::BIOS_OWNED != 0;
        if self.legacy.is_some_and(is_owned) {
            return Err(errors::IN_USE.of("owns"));
        }
        match self.operation(operational::STATUS) & status::HALTED {
            0 => Err(errors::IN_USE.of("runs")),
            _ => Ok(()),
        }
    }

    /// Takes the controller, if nobody else uses it, and starts it (section 4.2).
    pub(crate) fn take(&mut self) -> Result<(), Error> {
        self.release();
        self.check_unused()?;
        self.is_ours = true;
        self.own(true);
        self.patience = PATIENCE;
        self.reset()?;
        self.place = (0, 0);
        self.memory.bytes_mut(0, EVENTS).fill(0);
        self.commands = Ring::new(&mut self.memory, COMMANDS, SLOTS);
        self.events = EventRing::new(&mut self.memory, EVENTS, SLOTS);
        let base = self.memory.address();
        let place = |offset: usize| base + offset as u64;
        for page in 0..self.own_pages {
            self.memory.write64(OWN_PAGES + 8 * page, place(SCRATCHPAD + page * PAGE));
        }
        if self.own_pages > 0 {
            self.memory.write64(ARRAY, place(OWN_PAGES));
        }
        self.memory.write64(ARRAY + 8 * SLOT as usize, place(DEVICE_CONTEXT));
        self.memory.write64(SEGMENT_TABLE, place(EVENTS));
        self.memory.write32(SEGMENT_TABLE + 8, SLOTS as u32);
        self.device.set_bus_mastering(true);
        self.operate(operational::CONFIGURE, SLOT);
        self.write64(self.operational.wrapping_add(operational::CONTEXTS), place(ARRAY));
        let commands = self.commands.dequeue(&self.memory);
        self.write64(self.operational.wrapping_add(operational::COMMAND_RING), commands);
        let segments = self.runtime.wrapping_add(runtime::SEGMENTS);
        self.device.write32(BAR, segments, 1);
        self.tell_events_seen();
        self.write64(self.runtime.wrapping_add(runtime::SEGMENT_TABLE), place(SEGMENT_TABLE));
        self.operate(operational::COMMAND, command::RUN);
        if !self.becomes(ANSWER, |controller| {
            controller.operation(operational::STATUS) & (status::HALTED | status::NOT_READY) == 0
        }) {
            return Err(errors::NO_ANSWER.of("its USB controller does not start"));
        }
        for number in 1..=self.ports {
            if self.port(number) & port::POWER == 0 {
                self.change_port(number, port::POWER);
            }
        }
        self.pause(ATTACHMENT);
        Ok(())
    }

    /// Leaves the controller as it was found: halted and reset, with power where there was power. It writes to no memory
    /// any more.
    pub(crate) fn release(&mut self) {
        if !core::mem::take(&mut self.is_ours) {
            return;
        }
        self.patience = FAREWELL;
        // One that does not answer cannot be made quieter than by taking the bus from it.
        let is_reset = self.reset().is_ok();
        self.device.set_bus_mastering(false);
        for number in 1..=self.ports {
            let word = self.unpowered.get(usize::from(number / 64)).copied().unwrap_or_default();
            if is_reset && word >> (number % 64) & 1 != 0 {
                let status = self.port(number) & port::KEPT & !port::POWER;
                self.operate(port_register(number), status);
            }
        }
        self.own(false);
    }

    /// Says whether the controller is ours, where that can be said.
    fn own(&mut self, is_ours: bool) {
        if let Some(at) = self.legacy {
            self.device.write8(BAR, at.wrapping_add(extended::SYSTEM_OWNED), is_ours.into());
        }
    }

    fn reset(&mut self) -> Result<(), Error> {
        self.operate(operational::COMMAND, 0);
        let is_halted = |controller: &Self| controller.operation(operational::STATUS) & status::HALTED != 0;
        if !self.becomes(ANSWER, is_halted) {
            return Err(errors::NO_ANSWER.of("its USB controller does not halt"));
        }
        self.operate(operational::COMMAND, command::RESET);
        // Some of Intel's are not to be read at once (a fact from Linux's driver).
        self.pause(1);
        let is_reset = |controller: &Self| {
            controller.operation(operational::COMMAND) & command::RESET == 0
                && controller.operation(operational::STATUS) & status::NOT_READY == 0
        };
        match self.becomes(ANSWER, is_reset) {
            true => Ok(()),
            false => Err(errors::NO_ANSWER.of("its USB controller's reset does not end")),
        }
    }

    /// How many ports there are; they count from 1.
    pub(crate) fn ports(&self) -> u8 {
        self.ports
    }

    /// Whether the controller works, and has the device.
    pub(crate) fn is_well(&self) -> bool {
        /// All ones is a controller that is gone.
        const FAULTS: u32 = status::HALTED | status::SYSTEM_ERROR | status::CONTROLLER_ERROR;
        self.operation(operational::STATUS) & FAULTS == 0 && self.port(self.place.0) & port::CONNECTED != 0
    }

    /// Resets the device on a port and gives it an address (section 4.3). Whether there is one.
    pub(crate) fn attach(&mut self, number: u8) -> Result<bool, Error> {
        let is_there = self.port(number) & port::CONNECTED != 0;
        if !is_there || !self.enable_port(number) {
            return Ok(false);
        }
        let speed = port::speed(self.port(number));
        self.place = (number, speed);
        self.memory.bytes_mut(DEVICE_CONTEXT, PAGE).fill(0);
        self.control = Ring::new(&mut self.memory, CONTROLS, SLOTS);
        if self.order(0, trb::ENABLE_SLOT)?.slot() != SLOT {
            return Err(errors::NO_ANSWER.of("its USB controller gives a slot that it does not have"));
        }
        // What a device of full speed takes is not known yet, but no answer that is asked for until then is longer.
        let packet = match speed {
            speed::LOW => 8,
            speed::FULL | speed::HIGH => 64,
            _ => 512,
        };
        self.set_control_packet(packet);
        self.order(self.input(), trb::ADDRESS_DEVICE | trb::slot(SLOT))?;
        self.pause(ADDRESSED);
        Ok(true)
    }

    /// Takes the device's slot from it.
    pub(crate) fn detach(&mut self) -> Result<(), Error> {
        self.order(0, trb::DISABLE_SLOT | trb::slot(SLOT)).map(drop)
    }

    /// The speed of the device, one of [`speed`].
    pub(crate) fn speed(&self) -> u32 {
        self.place.1
    }

    fn enable_port(&mut self, number: u8) -> bool {
        // A port of USB 3 enables itself.
        if self.port(number) & port::ENABLED == 0 {
            self.change_port(number, port::RESET);
            self.becomes(ANSWER, |controller| controller.port(number) & port::RESET == 0);
            self.pause(RECOVERY);
        }
        self.port(number) & port::ENABLED != 0
    }

    /// Writes the device's slot context and that of its control endpoint where commands find them.
    fn set_control_packet(&mut self, packet: u16) {
        let dequeue = self.control.dequeue(&self.memory);
        self.begin_input(1 | 1 << CONTROL, CONTROL);
        self.put_endpoint(CONTROL, 0, context::endpoint(context::CONTROL, packet), dequeue, 8);
    }

    /// Tells the controller how many bytes a packet of control transfers has.
    pub(crate) fn correct_control_packet(&mut self, packet: u16) -> Result<(), Error> {
        self.set_control_packet(packet);
        self.memory.write32(INPUT_CONTEXT + context::ADDED, 1 << CONTROL);
        self.order(self.input(), trb::EVALUATE_CONTEXT | trb::slot(SLOT)).map(drop)
    }

    /// Sets up the device's endpoints (section 4.6.6).
    pub(crate) fn configure(&mut self, pipes: &[Pipe]) -> Result<(), Error> {
        let added = pipes.iter().fold(1, |added, pipe| added | 1 << pipe.index);
        let last = pipes.iter().fold(CONTROL, |last, pipe| last.max(pipe.index));
        self.begin_input(added, last);
        for pipe in pipes {
            let dequeue = pipe.ring.dequeue(&self.memory);
            let kind = context::endpoint(pipe.kind, pipe.packet);
            let is_periodic = pipe.kind == context::INTERRUPT_IN;
            let load = u32::from(pipe.packet) << if is_periodic { 16 } else { 0 } | u32::from(pipe.packet);
            self.put_endpoint(pipe.index, pipe.interval << 16, kind, dequeue, load);
        }
        self.order(self.input(), trb::CONFIGURE_ENDPOINT | trb::slot(SLOT)).map(drop)
    }

    /// Begins the input context (section 6.2.5): what is added to the device, and the last endpoint that it has then.
    fn begin_input(&mut self, added: u32, last: u32) {
        let (number, speed) = self.place;
        self.memory.bytes_mut(INPUT_CONTEXT, PAGE).fill(0);
        self.memory.write32(INPUT_CONTEXT + context::ADDED, added);
        let slot = INPUT_CONTEXT + self.context;
        self.memory.write32(slot, context::slot(speed, last));
        self.memory.write32(slot + 4, context::port(number));
    }

    /// Where commands find the input context.
    fn input(&self) -> u64 {
        self.memory.address() + INPUT_CONTEXT as u64
    }

    /// Writes an endpoint's context (section 6.2.3) into the input context, where one more comes before it.
    fn put_endpoint(&mut self, index: u32, interval: u32, kind: u32, dequeue: u64, load: u32) {
        let at = INPUT_CONTEXT + (index as usize + 1) * self.context;
        self.memory.write32(at, interval);
        self.memory.write32(at + 4, kind);
        self.memory.write64(at + 8, dequeue);
        self.memory.write32(at + 16, load);
    }

    /// Has a command carried out (section 4.6).
    fn order(&mut self, parameter: u64, control: u32) -> Result<Event, Error> {
        self.check_patience()?;
        let entry = self.commands.push(&mut self.memory, parameter, 0, control);
        self.ring(0, 0);
        let event = self.await_event(|event| event.kind() == trb::COMMAND_EVENT && event.entry == entry)?;
        match event.code {
            completion::SUCCESS => Ok(event),
            code => Err(failed("command", (control & trb::KIND) >> 10, code)),
        }
    }

    /// Has a request carried out that has such data for the device.
    pub(crate) fn send(&mut self, request: Request, data: &[u8]) -> Result<(), Error> {
        let room = self.memory.bytes_mut(CONTROL_DATA, usize::from(DATA_LIMIT));
        let data = room.iter_mut().zip(data).map(|(place, byte)| *place = *byte).count();
        self.request(Request { length: data as u16, ..request }).map(drop)
    }

    /// Has a request carried out (section 4.11.2.2). What the device answers.
    pub(crate) fn request(&mut self, request: Request) -> Result<&[u8], Error> {
        /// Bit 7 of a request's kind: data come from the device.
        const FROM_DEVICE: u8 = 1 << 7;
        self.check_patience()?;
        let Request { kind: [kind, number], value, index, length } = request;
        let length = length.min(DATA_LIMIT);
        let [value, index] = [value, index].map(u64::from);
        let setup =
            u64::from(kind) | u64::from(number) << 8 | value << 16 | index << 32 | u64::from(length) << 48;
        // The status stage goes against the data.
        let (follows, data_direction, answer) = match length {
            0 => (0, 0, trb::IN),
            _ if kind & FROM_DEVICE == 0 => (trb::DATA_OUT, 0, trb::IN),
            _ => (trb::DATA_IN, trb::IN, 0),
        };
        let memory = &mut self.memory;
        self.control.push(memory, setup, 8, trb::SETUP | trb::IMMEDIATE | follows);
        let mut data = 0;
        if length > 0 {
            let place = memory.address() + CONTROL_DATA as u64;
            data =
                self.control.push(memory, place, length.into(), trb::DATA | data_direction | trb::ON_SHORT);
        }
        let end = self.control.push(memory, 0, 0, trb::STATUS | trb::ON_COMPLETION | answer);
        self.ring(SLOT, CONTROL);
        let mut rest = 0;
        for _ in 0..2 {
            let event = self.await_event(|event| {
                event.kind() == trb::TRANSFER_EVENT && event.slot() == SLOT && event.endpoint() == CONTROL
            })?;
            match event.code {
                completion::SHORT if event.entry == data => rest = event.rest,
                completion::SUCCESS if event.entry == end => {
                    let answered = usize::from(length).saturating_sub(rest);
                    return Ok(self.memory.bytes(CONTROL_DATA, answered));
                }
                code => {
                    self.revive_control()?;
                    return Err(failed("request", number.into(), code));
                }
            }
        }
        Err(errors::NO_ANSWER.of("USB requests do not end"))
    }

    /// Lets the control endpoint, which has halted, go on behind the request that failed (section 4.6.8).
    fn revive_control(&mut self) -> Result<(), Error> {
        let place = trb::slot(SLOT) | trb::endpoint(CONTROL);
        self.order(0, trb::RESET_ENDPOINT | place)?;
        let dequeue = self.control.dequeue(&self.memory);
        self.order(dequeue, trb::SET_DEQUEUE | place).map(drop)
    }

    /// Tells the controller of what is new for an endpoint, or, with two zeros, of commands.
    pub(crate) fn ring(&mut self, slot: u32, endpoint: u32) {
        self.device.write32(BAR, self.doorbells.wrapping_add(4 * slot), endpoint);
    }

    /// Whether an event has not been looked at.
    pub(crate) fn has_event(&self) -> bool {
        self.events.has_event(&self.memory)
    }

    /// The next event.
    pub(crate) fn next_event(&mut self) -> Option<Event> {
        self.events.take(&self.memory)
    }

    /// Lets the controller have the room of the events that were looked at.
    pub(crate) fn tell_events_seen(&mut self) {
        let next = self.events.dequeue(&self.memory) | runtime::NOT_BUSY;
        self.write64(self.runtime.wrapping_add(runtime::DEQUEUE), next);
    }

    /// Waits for an event. Others are of no interest meanwhile.
    fn await_event(&mut self, is_it: impl Fn(&Event) -> bool) -> Result<Event, Error> {
        for _ in 0..ANSWER * STEPS_PER_MILLISECOND {
            // No more than there is room for, however fast they come.
            for _ in 0..SLOTS {
                let Some(event) = self.next_event() else { break };
                if is_it(&event) {
                    self.tell_events_seen();
                    return Ok(event);
                }
            }
            if !self.step() {
                break;
            }
        }
        self.tell_events_seen();
        Err(errors::NO_ANSWER.of(TOO_LATE))
    }

    /// Whether an answer could still be waited for. Where it could not, nothing more is asked for: what has no answer
    /// yet stays in its ring, and must not be written over while the controller may be about to read it.
    fn check_patience(&self) -> Result<(), Error> {
        match self.patience {
            0 => Err(errors::NO_ANSWER.of(TOO_LATE)),
            _ => Ok(()),
        }
    }

    /// Waits a step; false if that was too long already.
    fn step(&mut self) -> bool {
        let is_patient = self.patience > 0;
        if is_patient {
            self.patience -= 1;
            self.device.wait(STEP);
        }
        is_patient
    }

    fn becomes(&mut self, milliseconds: u32, is_so: impl Fn(&Self) -> bool) -> bool {
        for _ in 0..milliseconds * STEPS_PER_MILLISECOND {
            if is_so(self) {
                return true;
            }
            if !self.step() {
                break;
            }
        }
        is_so(self)
    }

    pub(crate) fn pause(&mut self, milliseconds: u32) {
        for _ in 0..milliseconds * STEPS_PER_MILLISECOND {
            self.step();
        }
    }

    fn operation(&self, register: u32) -> u32 {
        self.device.read32(BAR, self.operational.wrapping_add(register))
    }

    fn operate(&mut self, register: u32, value: u32) {
        self.device.write32(BAR, self.operational.wrapping_add(register), value);
    }

    /// The status of a port.
    fn port(&self, number: u8) -> u32 {
        self.operation(port_register(number))
    }

    fn change_port(&mut self, number: u8, change: u32) {
        let status = self.port(number);
        self.operate(port_register(number), status & port::KEPT | change);
    }

    /// The low half of a register of 64 bits is written first (section 5.1).
    fn write64(&mut self, register: u32, value: u64) {
        self.device.write32(BAR, register, value as u32);
        self.device.write32(BAR, register.wrapping_add(4), (value >> 32) as u32);
    }
}

/// What a command or request is that has no answer in time.
const TOO_LATE: &str = "USB commands are not carried out";

fn failed(what: &str, number: u32, code: u32) -> Error {
    errors::NO_ANSWER.of(alloc::format!("USB {what} {number} ends with code {code}"))
}

/// Where a port's status is among the operational registers.
fn port_register(number: u8) -> u32 {
    operational::PORTS + 16 * u32::from(number.saturating_sub(1))
}

/// Where USB Legacy Support is, if the controller has it; `first` as the capability register says it.
fn legacy_support(device: &impl Device, first: u32) -> Option<u32> {
    /// As many as there are kinds.
    const CAPABILITIES: u32 = 256;
    let (mut at, mut next) = (0_u32, first);
    for _ in 0..CAPABILITIES {
        if next == 0 {
            break;
        }
        at = at.checked_add(4 * next)?;
        let head = device.read32(BAR, at);
        if head & 0xff == extended::LEGACY {
            return Some(at);
        }
        next = head >> 8 & 0xff;
    }
    None
}
