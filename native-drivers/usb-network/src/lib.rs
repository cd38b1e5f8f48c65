//! USB network adapters of the classes CDC-ECM (Communications Device Class 1.2; its subclass specification for
//! Ethernet Control Model Devices 1.2, "ECM120") and Remote NDIS (Microsoft's [MS-RNDIS]), on a port of an xHCI
//! controller (eXtensible Host Controller Interface 1.2). Where a device has both, CDC-ECM is taken.
//!
//! A BIOS may use the controller for its keyboard. Then nothing of it is touched, which is said. The controller is polled:
//! it is asked for no interrupts. Behind hubs nothing is looked for.
//!
//! By CDC-ECM a frame is a transfer, whose end is a packet that is not full: where a frame's packets are all full, one
//! without bytes follows. By Remote NDIS a frame is in a message, and a transfer to us may have several. Opening waits
//! for the controller and its devices, up to half a second.
#![no_std]
#![allow(clippy::cast_possible_truncation, reason = "numbers are cut into the sizes that fields have")]

extern crate alloc;

pub mod descriptors;
mod registers;
mod ring;
pub mod rndis;
#[cfg(test)]
mod tests;
#[cfg(not(target_os = "none"))]
pub mod trial;
mod xhci;

use alloc::vec::Vec;
use base::{Error, Instant, MacAddress};
use core::ops::Range;
use descriptors::{Adapter, Class, Endpoint};
use hw::device::{Device, DeviceMemory};
use nic::{Counters, FRAME_CAPACITY, Identity, Link, Nic, PciIdentity, errors};
use registers::{completion, context, speed, trb};
use ring::{Event, Ring};
use rndis::Heard;
use xhci::{Controller, DATA_LIMIT, Pipe, Request, SLOT};

/// Frames that there is room for on their way in. One entry of a ring is never the controller's.
const RECEIVE_SLOTS: usize = 128;
/// Frames that may wait to be sent, each by two transfers at most.
const TRANSMIT_SLOTS: usize = 32;
/// Bytes of a frame's buffer, a multiple of every packet's.
const BUFFER: usize = 2048;
/// Bytes of an Ethernet frame's header.
const ETHERNET_HEADER: u32 = 14;
/// Transfers that are given back to the controller at once.
const REFILL: usize = 16;

const RECEIVE_RING: usize = xhci::MEMORY;
const TRANSMIT_RING: usize = RECEIVE_RING + 4096;
const NOTIFY_RING: usize = TRANSMIT_RING + 4096;
const NOTIFICATIONS: usize = NOTIFY_RING + 4096;
const RECEIVE_BUFFERS: usize = NOTIFICATIONS + 4096;
const TRANSMIT_BUFFERS: usize = RECEIVE_BUFFERS + RECEIVE_SLOTS * BUFFER;

/// Bytes of memory that the driver and the controller share.
pub const MEMORY: usize = TRANSMIT_BUFFERS + TRANSMIT_SLOTS * BUFFER;

/// Requests (USB 2.0, table 9-4; ECM120, table 6): direction, type and recipient, and number.
mod request {
    pub(crate) const GET_DESCRIPTOR: [u8; 2] = [0x80, 6];
    pub(crate) const SET_CONFIGURATION: [u8; 2] = [0x00, 9];
    pub(crate) const SET_INTERFACE: [u8; 2] = [0x01, 11];
    pub(crate) const SET_PACKET_FILTER: [u8; 2] = [0x21, 0x43];
    /// Messages to and from the device (CDC 1.2, section 6.2).
    pub(crate) const SEND_COMMAND: [u8; 2] = [0x21, 0];
    pub(crate) const GET_RESPONSE: [u8; 2] = [0xa1, 1];

    /// Types of descriptors, as GET_DESCRIPTOR has them.
    pub(crate) const DEVICE: u16 = 0x100;
    pub(crate) const CONFIGURATION: u16 = 0x200;
    pub(crate) const STRING: u16 = 0x300;

    /// Frames to the station, broadcasts, and all groups (ECM120, table 8).
    pub(crate) const USUAL_FRAMES: u16 = 1 << 1 | 1 << 2 | 1 << 3;
}

/// An adapter and the controller that it is on.
#[derive(Debug)]
pub struct UsbNetwork<D: Device, M: DeviceMemory> {
    controller: Controller<D, M>,
    identity: Identity,
    adapter: Option<Adapter>,
    is_open: bool,
    /// A transfer failed, or ended out of order.
    is_broken: bool,
    /// It has been opened anew, and no frame has come since.
    is_suspect: bool,
    link: Link,
    receive: Ring,
    transmit: Ring,
    notify: Ring,
    /// Where the transfers are that frames are received by, and how many bytes each has; then: transfers given to the
    /// controller, ended, shown, and given back by the stack, all counted without end.
    received: Vec<Received>,
    given: usize,
    ended: usize,
    shown: usize,
    seen: usize,
    /// Where the next message is in the transfer that is to be shown.
    place: usize,
    /// Where the last transfers of the frames on their way out are; then: frames given to the controller, and sent.
    sending: [u64; TRANSMIT_SLOTS],
    filled: usize,
    sent: usize,
    counters: Counters,
}

/// A transfer of a frame to us.
#[derive(Clone, Copy, Debug, Default)]
struct Received {
    entry: u64,
    length: usize,
}

impl<D: Device, M: DeviceMemory> UsbNetwork<D, M> {
    /// The driver of the first adapter on a controller, which is quiet. `memory` has [`MEMORY`] bytes. An error if there
    /// is none, or if the BIOS uses the controller.
    pub fn try_new(device: D, memory: M, pci: PciIdentity) -> Result<Self, Error> {
        if memory.length() < MEMORY {
            return Err(errors::NO_MEMORY.error());
        }
        let mut nic = Self {
            controller: Controller::try_new(device, memory)?,
            identity: Identity::new("cdc-ecm", pci),
            adapter: None,
            is_open: false,
            is_broken: false,
            is_suspect: false,
            link: Link::Unknown,
            receive: Ring::default(),
            transmit: Ring::default(),
            notify: Ring::default(),
            received: alloc::vec![Received::default(); RECEIVE_SLOTS],
            given: 0,
            ended: 0,
            shown: 0,
            seen: 0,
            place: 0,
            sending: [0; TRANSMIT_SLOTS],
            filled: 0,
            sent: 0,
            counters: Counters::default(),
        };
        let result = nic.find();
        nic.close();
        result?;
        Ok(nic)
    }

    /// Takes the controller and finds the adapter, which is ready but for its frames.
    fn find(&mut self) -> Result<Adapter, Error> {
        self.controller.take()?;
        let mut result = Err(errors::NO_ADAPTER.error());
        for port in 1..=self.controller.ports() {
            match self.controller.attach(port) {
                Ok(false) => continue,
                Ok(true) => match self.examine() {
                    Ok(Some(adapter)) => match self.prepare(adapter) {
                        Ok(()) => return Ok(adapter),
                        Err(error) => result = Err(error),
                    },
                    Ok(None) => {}
                    Err(error) => result = Err(error),
                },
                Err(error) => result = Err(error),
            }
            // Where this fails, so will the next one: there is one slot.
            if let Err(error) = self.controller.detach() {
                return Err(result.err().unwrap_or(error));
            }
        }
        result
    }

    /// Asks the device for a descriptor of at most so many bytes.
    fn descriptor(&mut self, value: u16, index: u16, length: u16) -> Result<&[u8], Error> {
        self.controller.request(Request { kind: request::GET_DESCRIPTOR, value, index, length })
    }

    /// Looks for a network adapter in the device's configurations.
    fn examine(&mut self) -> Result<Option<Adapter>, Error> {
        let head = self.descriptor(request::DEVICE, 0, 8)?;
        let Some(packet) = head.get(7).copied() else { return Ok(None) };
        if self.controller.speed() == speed::FULL && matches!(packet, 8 | 16 | 32) {
            self.controller.correct_control_packet(packet.into())?;
        }
        let configurations = self.descriptor(request::DEVICE, 0, 18)?.get(17).copied().unwrap_or_default();
        let mut found = None;
        for index in 0..u16::from(configurations) {
            let head = self.descriptor(request::CONFIGURATION | index, 0, 9)?;
            let [_, _, low, high, ..] = *head else { break };
            let length = u16::from_le_bytes([low, high]).min(DATA_LIMIT);
            let adapter = descriptors::adapter(self.descriptor(request::CONFIGURATION | index, 0, length)?);
            let is_better = adapter.is_some_and(|adapter| adapter.class != Class::RemoteNdis);
            if found.is_none() || is_better {
                found = adapter;
            }
            if is_better {
                break;
            }
        }
        Ok(found)
    }

    /// Sets up the adapter's endpoints, and learns its address and size of frames.
    fn prepare(&mut self, adapter: Adapter) -> Result<(), Error> {
        let memory = &mut self.controller.memory;
        self.receive = Ring::new(memory, RECEIVE_RING, RECEIVE_SLOTS);
        self.transmit = Ring::new(memory, TRANSMIT_RING, xhci::SLOTS);
        self.notify = Ring::new(memory, NOTIFY_RING, xhci::SLOTS);
        let pipe = |endpoint: Endpoint, kind, interval, ring| Pipe {
            index: endpoint.index(),
            kind,
            interval,
            packet: endpoint.packet,
            ring,
        };
        let mut pipes = alloc::vec![
            pipe(adapter.input, context::BULK_IN, 0, self.receive),
            pipe(adapter.output, context::BULK_OUT, 0, self.transmit),
        ];
        if let Some(notify) = adapter.notify {
            let interval = interval(self.controller.speed(), notify.interval);
            pipes.push(pipe(notify, context::INTERRUPT_IN, interval, self.notify));
        }
        self.controller.configure(&pipes)?;
        self.order(request::SET_CONFIGURATION, adapter.configuration.into(), 0)?;
        // A device may refuse to be told the setting that it has at first (USB 2.0, section 9.4.10).
        if adapter.setting > 0 {
            self.order(request::SET_INTERFACE, adapter.setting.into(), adapter.data)?;
        }
        self.adapter = Some(adapter);
        let (driver, mac, frame) = match adapter.class {
            Class::Ethernet { mac_string, segment } => {
                // The first string lists languages.
                let language = match *self.descriptor(request::STRING, 0, 4)? {
                    [_, _, low, high] => u16::from_le_bytes([low, high]),
                    _ => 0,
                };
                let string = self.descriptor(request::STRING | u16::from(mac_string), language, 255)?;
                let mac = descriptors::mac_address(string);
                ("cdc-ecm", mac, u32::from(segment).saturating_sub(ETHERNET_HEADER))
            }
            Class::RemoteNdis => {
                let answer = self.converse(&rndis::initialize(BUFFER as u32))?;
                let Some(limit) = rndis::transfer_limit(&answer) else {
                    return Err(errors::UNSUPPORTED.of("RNDIS without Ethernet"));
                };
                let answer = self.converse(&rndis::query(rndis::object::PERMANENT_ADDRESS))?;
                let mac = rndis::information(&answer).and_then(|bytes| bytes.first_chunk());
                let mac = mac.map(|mac| MacAddress(*mac));
                let question = rndis::query(rndis::object::MAXIMUM_FRAME_SIZE);
                let answer = self.converse(&question).unwrap_or_default();
                let frame = rndis::information(&answer).and_then(|bytes| bytes.first_chunk());
                let frame = frame.map_or(u32::MAX, |frame| u32::from_le_bytes(*frame));
                ("rndis", mac, frame.min(limit.saturating_sub(rndis::HEADER as u32 + ETHERNET_HEADER)))
            }
        };
        self.identity.driver = driver;
        self.identity.mtu = frame.clamp(576, 1500) as u16;
        self.identity.set_address(mac.unwrap_or(MacAddress([0; 6])))
    }

    /// Tells the device something that has no data.
    fn order(&mut self, kind: [u8; 2], value: u16, index: u8) -> Result<(), Error> {
        self.controller.request(Request { kind, value, index: index.into(), length: 0 }).map(drop)
    }

    /// Sends an RNDIS message; what the device answers to it.
    fn converse(&mut self, question: &[u8]) -> Result<Vec<u8>, Error> {
        /// How often the answer is asked for, and milliseconds between.
        const ATTEMPTS: u32 = 100;
        const PAUSE: u32 = 2;
        /// Bytes of an answer, as Windows asks for it, and more than any is long.
        const ANSWER: u16 = 1025;
        let index = self.adapter.map_or(0, |adapter| adapter.control).into();
        let command = Request { kind: request::SEND_COMMAND, value: 0, index, length: 0 };
        let response = Request { kind: request::GET_RESPONSE, value: 0, index, length: ANSWER };
        // Some devices have no answer until they could say that they have one (a fact from Linux's driver).
        self.ask_for_notification();
        self.controller.send(command, question)?;
        for _ in 0..ATTEMPTS {
            // A device that has none yet is to say a byte of zero; some refuse.
            let said = self.controller.request(response).map_or(Vec::new(), |said| said.to_vec());
            match rndis::heard(&said, question) {
                Heard::Done => return Ok(said),
                Heard::Refused(status) => {
                    return Err(
                        errors::NO_ANSWER.of(alloc::format!("an RNDIS message ends with status {status:x}"))
                    );
                }
                Heard::KeepAlive(answer) => self.controller.send(command, &answer)?,
                Heard::Other => self.controller.pause(PAUSE),
            }
        }
        Err(errors::NO_ANSWER.of("RNDIS messages have no answer"))
    }

    /// Makes the adapter send and receive.
    fn start(&mut self) -> Result<(), Error> {
        let adapter = self.find()?;
        (self.given, self.ended, self.shown, self.seen, self.place) = (0, 0, 0, 0, 0);
        (self.filled, self.sent) = (0, 0);
        self.link = Link::Unknown;
        match adapter.class {
            Class::Ethernet { .. } => {
                // Not every adapter can filter. One that cannot sends all frames.
                _ = self.order(request::SET_PACKET_FILTER, request::USUAL_FRAMES, adapter.control);
            }
            Class::RemoteNdis => {
                let message = rndis::set(rndis::object::PACKET_FILTER, rndis::object::USUAL_FRAMES);
                self.converse(&message)?;
            }
        }
        // Whoever waits for the end of a request hears of nothing else, so frames may come from here on only.
        self.give(RECEIVE_SLOTS - 1);
        self.ask_for_notification();
        Ok(())
    }

    /// Gives the controller transfers to receive by.
    fn give(&mut self, count: usize) {
        let Some(adapter) = self.adapter else { return };
        for _ in 0..count {
            let slot = self.given % RECEIVE_SLOTS;
            let memory = &mut self.controller.memory;
            let place = memory.address() + receive_buffer(slot) as u64;
            let kind = trb::NORMAL | trb::ON_COMPLETION | trb::ON_SHORT;
            let entry = self.receive.push(memory, place, BUFFER as u32, kind);
            if let Some(received) = self.received.get_mut(slot) {
                *received = Received { entry, length: 0 };
            }
            self.given = self.given.wrapping_add(1);
        }
        self.controller.ring(SLOT, adapter.input.index());
    }

    /// Gives back the transfers whose frames were seen.
    fn refill(&mut self) {
        let count = self.shown.wrapping_sub(self.seen);
        if count > 0 {
            self.seen = self.shown;
            self.give(count);
        }
    }

    /// Where the next frame is in the transfer that is to be shown, which is that of `slot`. Without one the transfer
    /// has been shown.
    fn next_frame(&mut self, slot: usize) -> Range<usize> {
        let length = self.received.get(slot).map_or(0, |received| received.length);
        let is_ethernet = self.adapter.is_some_and(|adapter| adapter.class != Class::RemoteNdis);
        let next = match is_ethernet {
            true => None,
            false => {
                let bytes = self.controller.memory.bytes(receive_buffer(slot), length);
                rndis::next_frame(bytes, self.place)
            }
        };
        if let Some((frame, place)) = next {
            self.place = place;
            return frame;
        }
        self.place = 0;
        self.shown = self.shown.wrapping_add(1);
        0..if is_ethernet { length } else { 0 }
    }

    fn ask_for_notification(&mut self) {
        let Some(notify) = self.adapter.and_then(|adapter| adapter.notify) else { return };
        let memory = &mut self.controller.memory;
        let place = memory.address() + NOTIFICATIONS as u64;
        let kind = trb::NORMAL | trb::ON_COMPLETION | trb::ON_SHORT;
        // A packet each: those that say most are longer than some adapters' packets, and what we want to know is not.
        self.notify.push(memory, place, notify.packet.into(), kind);
        self.controller.ring(SLOT, notify.index());
    }

    /// Looks at all that the controller has told.
    fn look(&mut self) {
        // As many as there is room for: a controller that is faster than we are must not keep us here.
        for number in 0..xhci::SLOTS {
            let Some(event) = self.controller.next_event() else {
                if number > 0 {
                    self.controller.tell_events_seen();
                }
                return;
            };
            if event.kind() == trb::TRANSFER_EVENT && event.slot() == SLOT {
                self.end_transfer(&event);
            }
        }
        self.controller.tell_events_seen();
    }

    fn end_transfer(&mut self, event: &Event) {
        let Some(adapter) = self.adapter else { return };
        let is_good = matches!(event.code, completion::SUCCESS | completion::SHORT);
        let endpoint = event.endpoint();
        let is_expected = if endpoint == adapter.input.index() {
            let received = self.received.get_mut(self.ended % RECEIVE_SLOTS);
            let is_given = self.ended != self.given;
            match received.filter(|received| is_given && is_good && received.entry == event.entry) {
                Some(received) => {
                    received.length = BUFFER.saturating_sub(event.rest);
                    self.ended = self.ended.wrapping_add(1);
                    true
                }
                None => false,
            }
        } else if endpoint == adapter.output.index() {
            let expected = self.sending.get(self.sent % TRANSMIT_SLOTS);
            let is_sent = self.sent != self.filled && is_good && expected == Some(&event.entry);
            self.sent = self.sent.wrapping_add(is_sent.into());
            self.counters.sent += u64::from(is_sent);
            is_sent
        } else {
            // An adapter that fails in telling of its cable is asked no more.
            if let Some(notify) = adapter.notify.filter(|notify| is_good && notify.index() == endpoint) {
                self.take_notification(usize::from(notify.packet).saturating_sub(event.rest));
            }
            true
        };
        self.is_broken |= !is_expected;
    }

    /// Reads what the adapter tells, in so many bytes, of its cable (CDC 1.2, section 6.3.1).
    fn take_notification(&mut self, length: usize) {
        /// From an interface, of its class.
        const NETWORK_CONNECTION: [u8; 2] = [0xa1, 0];
        let bytes = self.controller.memory.bytes(NOTIFICATIONS, length);
        if let [kind, number, value, _, _, _, _, _, ..] = *bytes
            && [kind, number] == NETWORK_CONNECTION
        {
            self.link = if value == 0 { Link::Down } else { Link::Up };
        }
        self.ask_for_notification();
    }
}

/// The interval of an interrupt endpoint: 2 to the power of it, in units of 125 us (xHCI 1.2, section 6.2.3.6).
fn interval(speed: u32, interval: u8) -> u32 {
    match speed {
        // In milliseconds.
        speed::LOW | speed::FULL => (u32::from(interval.max(1)).ilog2() + 3).min(10),
        _ => u32::from(interval.clamp(1, 16)) - 1,
    }
}

fn receive_buffer(slot: usize) -> usize {
    RECEIVE_BUFFERS + slot * BUFFER
}

fn transmit_buffer(slot: usize) -> usize {
    TRANSMIT_BUFFERS + slot * BUFFER
}

impl<D: Device, M: DeviceMemory> Nic for UsbNetwork<D, M> {
    fn identity(&self) -> &Identity {
        &self.identity
    }

    fn open(&mut self) -> Result<(), Error> {
        let result = self.start();
        (self.is_broken, self.is_open) = (false, result.is_ok());
        if result.is_err() {
            self.close();
        }
        result
    }

    fn close(&mut self) {
        self.is_open = false;
        self.controller.release();
    }

    fn link(&mut self) -> Link {
        if self.is_open && self.controller.is_well() { self.link } else { Link::Down }
    }

    fn poll(&mut self, _now: Instant, _until: Instant) -> Result<(), Error> {
        if !self.is_open {
            return Ok(());
        }
        self.look();
        self.refill();
        if !self.is_broken && self.controller.is_well() {
            return Ok(());
        }
        if core::mem::replace(&mut self.is_suspect, true) {
            self.close();
            return Err(errors::NO_ANSWER.of("its USB transfers fail"));
        }
        self.open()
    }

    fn may_have_received(&self) -> bool {
        !self.is_open || self.shown != self.ended || self.controller.has_event()
    }

    fn receive(&mut self) -> Option<&[u8]> {
        // As many as there are slots: a device that fills them faster than we look must not keep us here.
        for _ in 0..RECEIVE_SLOTS {
            if !self.is_open {
                return None;
            }
            // The frame that was shown last is seen now.
            if self.shown.wrapping_sub(self.seen) >= REFILL {
                self.refill();
            }
            if self.shown == self.ended {
                self.look();
                if self.shown == self.ended {
                    return None;
                }
            }
            let slot = self.shown % RECEIVE_SLOTS;
            let frame = self.next_frame(slot);
            match frame.len() {
                // The end of a frame that is a multiple of packets long, or of a transfer's messages.
                0 => {}
                1..=FRAME_CAPACITY => {
                    self.counters.received += 1;
                    self.is_suspect = false;
                    let place = receive_buffer(slot) + frame.start;
                    return Some(self.controller.memory.bytes(place, frame.len()));
                }
                _ => self.counters.receive_drops += 1,
            }
        }
        None
    }

    fn can_transmit(&self) -> bool {
        self.is_open && self.filled.wrapping_sub(self.sent) < TRANSMIT_SLOTS
    }

    fn transmit(&mut self, frame: &[u8]) -> bool {
        // One that is not open may be the BIOS's by now, so not even its events are looked at.
        if self.is_open && !self.can_transmit() {
            self.look();
        }
        let Some(adapter) = self.adapter.filter(|_| self.can_transmit()) else { return false };
        let slot = self.filled % TRANSMIT_SLOTS;
        let memory = &mut self.controller.memory;
        let packet = adapter.output.packet.into();
        let room = memory.bytes_mut(transmit_buffer(slot), BUFFER);
        let length = match adapter.class {
            Class::Ethernet { .. } => nic::put_padded(frame, room),
            Class::RemoteNdis => room
                .get_mut(rndis::HEADER..)
                .and_then(|room| nic::put_padded(frame, room))
                .and_then(|length| rndis::wrap(room, length, packet)),
        };
        let Some(length) = length else {
            self.counters.send_errors += 1;
            return true;
        };
        let place = memory.address() + transmit_buffer(slot) as u64;
        let is_full = length.is_multiple_of(packet);
        let tell = trb::NORMAL | trb::ON_COMPLETION;
        let mut entry =
            self.transmit.push(memory, place, length as u32, if is_full { trb::NORMAL } else { tell });
        if is_full {
            entry = self.transmit.push(memory, place, 0, tell);
        }
        if let Some(sending) = self.sending.get_mut(slot) {
            *sending = entry;
        }
        self.filled = self.filled.wrapping_add(1);
        self.controller.ring(SLOT, adapter.output.index());
        true
    }

    fn counters(&self) -> Counters {
        self.counters
    }

    fn frames_ahead(&self) -> u16 {
        // One is never the controller's, some wait to be given back, and one may be the end of another.
        ((RECEIVE_SLOTS - 1 - REFILL) / 2) as u16
    }
}
