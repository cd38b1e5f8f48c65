//! UNDI: the card itself (PXE 2.1 section 4.4).
//!
//! The card never interrupts: a program that polls asks UNDI_ISR START, as it does for each interrupt. A frame is
//! handed over in parts where it is longer than the buffer in base memory.

use super::memory::{Fence, Guarded, word};
use super::world::{Card, Memory};
use crate::abi::{
    FRAME_BROADCAST, FRAME_DIRECTED, FRAME_MULTICAST, GetMulticastAddress, GetState, ISR_DONE, ISR_GET_NEXT,
    ISR_NOT_OURS, ISR_OURS, ISR_PROCESS, ISR_RECEIVE, ISR_START, ISR_TRANSMIT, Information, Initialize,
    InterfaceInfo, Isr, MulticastList, NIC_PCI, NicType, Opcode, Open, PROTOCOL_ARP, PROTOCOL_IP,
    PROTOCOL_OTHER, PROTOCOL_RARP, PROTOCOL_UNKNOWN, PacketFilter, Plain, SetMulticast, SetPacketFilter,
    SetStationAddress, StartUndi, Statistics, Status, TO_ADDRESS, TO_BROADCAST, Transmit, TransmitDescriptor,
    UnloadStack,
};
use alloc::vec::Vec;
use base::{MacAddress, SegOff};
use core::net::Ipv4Addr;
use nic::{Counters, FRAME_CAPACITY};
use zerocopy::{FromZeros, IntoBytes};

const HEADER: usize = 14;
/// Frames that are looked at between START and DONE: a program may call until nothing comes any more.
const LOOKS: u8 = 64;
/// What a transmit descriptor's block may be (PXE 2.1 section 4.4.8, TDPtrType).
const BLOCK_PHYSICAL: u8 = 0;
const BLOCK_FAR: u8 = 1;
/// Bits of ServiceFlags: broadcast, multicast, reset, open and close. Clear are those that promise frames for others,
/// another address and interrupts: our drivers have none of these.
const SERVICES: u32 = 0x0001 | 0x0002 | 0x0400 | 0x0800;

/// How far the UNDI is, in the numbers of UNDI_GET_STATE from `Started` on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum State {
    /// STOP_UNDI: it is gone.
    Released,
    Stopped,
    Started,
    /// The card works for the base code.
    Initialized,
    /// Frames are the program's.
    Opened,
}

/// The UNDI that one program uses.
#[derive(Debug)]
pub struct Undi {
    pub(super) fence: Fence,
    place: SegOff,
    pub(super) room: u16,
    state: State,
    filter: u16,
    multicast: Vec<MacAddress>,
    /// Frames sent of which UNDI_ISR has not told yet.
    sent: u16,
    /// The frame that is handed over, and how much of it was; empty if none is.
    frame: Vec<u8>,
    delivered: usize,
    /// Frames that may still be looked at before DONE.
    looks: u8,
    /// What CLEAR_STATISTICS found.
    cleared: Counters,
}

impl Undi {
    /// An UNDI for a program to whom the card comes open, and works for the base code. Frames are handed over in `room`
    /// bytes, at least 64, at `place`: ours in base memory, and in the fence. Longer ones come in parts.
    pub fn new(fence: Fence, place: SegOff, room: u16) -> Self {
        Self {
            fence,
            place,
            room,
            state: State::Initialized,
            filter: 0,
            multicast: Vec::new(),
            sent: 0,
            frame: Vec::new(),
            delivered: 0,
            looks: 0,
            cleared: Counters::default(),
        }
    }

    /// The same for one that is loaded and not started yet: the card is closed.
    pub fn stopped(fence: Fence, place: SegOff, room: u16) -> Self {
        Self { state: State::Stopped, ..Self::new(fence, place, room) }
    }

    /// Carries out a call with its parameters at `parameters`, as [`Services`](super::Services) do: those of the card
    /// only, all others are unsupported. Its status.
    pub fn call(
        &mut self,
        opcode: Opcode,
        parameters: SegOff,
        memory: &mut dyn Memory,
        card: &mut dyn Card,
    ) -> Status {
        let mut memory = Guarded::new(memory, self.fence, parameters);
        if memory.names(self.place) {
            self.carry_out(opcode, &mut memory, card)
        } else {
            memory.refuse(Status::FAILURE)
        }
    }

    /// The same, once it is known that the program can name our buffers.
    pub(super) fn carry_out(
        &mut self,
        opcode: Opcode,
        memory: &mut Guarded<'_>,
        card: &mut dyn Card,
    ) -> Status {
        match opcode {
            Opcode::START_UNDI => memory.with(|_, block| self.start(card, block)),
            Opcode::STARTUP => memory.with(|_, _: &mut Plain| self.startup()),
            Opcode::CLEANUP => memory.with(|_, _: &mut Plain| self.cleanup(card)),
            Opcode::INITIALIZE => memory.with(|_, _: &mut Initialize| self.initialize(card)),
            Opcode::RESET_ADAPTER => memory.with(|_, block| self.reset(card, block)),
            Opcode::SHUTDOWN => memory.with(|_, _: &mut Plain| self.shutdown(card)),
            Opcode::OPEN => memory.with(|_, block| self.open(block)),
            Opcode::CLOSE => memory.with(|_, _: &mut Plain| self.close()),
            Opcode::TRANSMIT => memory.with(|memory, block| self.transmit(card, memory, block)),
            Opcode::SET_MCAST_ADDRESS => memory.with(|_, block| self.set_multicast(block)),
            Opcode::SET_STATION_ADDRESS => memory.with(|_, block| self.set_address(card, block)),
            Opcode::SET_PACKET_FILTER => memory.with(|_, block| self.set_filter(block)),
            Opcode::GET_INFORMATION => memory.with(|_, block| information(card, block)),
            Opcode::GET_STATISTICS => memory.with(|_, block| self.statistics(card, block)),
            Opcode::CLEAR_STATISTICS => memory.with(|_, _: &mut Plain| self.clear_statistics(card)),
            Opcode::GET_MCAST_ADDRESS => memory.with(|_, block| multicast_address(block)),
            Opcode::GET_NIC_TYPE => memory.with(|_, block| nic_type(card, block)),
            Opcode::GET_IFACE_INFO => memory.with(|_, block| interface(card, block)),
            Opcode::ISR => memory.with(|memory, block| self.isr(card, memory, block)),
            // Both calls have this number. An UNDI is stopped after it was shut down, so one at work is asked for its
            // state.
            Opcode::STOP_UNDI if self.is_ready() => memory.with(|_, block| self.state(block)),
            Opcode::STOP_UNDI => memory.with(|_, _: &mut UnloadStack| self.stop(card)),
            // UNDI_INITIATE_DIAGS and UNDI_FORCE_INTERRUPT are among them: there is nothing to be tested by a program,
            // and our cards never interrupt.
            _ => memory.refuse(Status::UNSUPPORTED),
        }
    }

    /// Whether the card was initialized, and not shut down: the base code can use it.
    pub(super) fn is_ready(&self) -> bool {
        self.state >= State::Initialized
    }

    fn require(&self, state: State) -> Result<(), Status> {
        if self.state >= state { Ok(()) } else { Err(Status::INVALID_STATE) }
    }

    /// Gives the card back to the stack, open.
    pub(super) fn give_back(&mut self, card: &mut dyn Card) {
        if !self.is_ready() {
            // A card that does not open is found broken by the stack's next poll.
            let _ = card.nic().map(|nic| nic.open());
        }
        *self = Self::new(self.fence, self.place, self.room);
    }

    fn start(&self, card: &mut dyn Card, block: &StartUndi) -> Result<(), Status> {
        self.require(State::Stopped)?;
        match card.nic()?.identity().pci {
            Some(pci) if pci.bus_device_function != block.ax.get() => Err(Status::CANNOT_INITIALIZE),
            _ => Ok(()),
        }
    }

    fn startup(&mut self) -> Result<(), Status> {
        self.require(State::Stopped)?;
        self.state = self.state.max(State::Started);
        Ok(())
    }

    fn cleanup(&mut self, card: &mut dyn Card) -> Result<(), Status> {
        self.shutdown(card)?;
        self.state = State::Stopped;
        Ok(())
    }

    fn initialize(&mut self, card: &mut dyn Card) -> Result<(), Status> {
        self.require(State::Started)?;
        if self.state == State::Started {
            card.nic()?.open().map_err(|_| Status::CANNOT_INITIALIZE)?;
        }
        self.rest();
        Ok(())
    }

    fn shutdown(&mut self, card: &mut dyn Card) -> Result<(), Status> {
        self.require(State::Stopped)?;
        if self.is_ready() {
            self.rest();
            card.nic()?.close();
            self.state = State::Started;
        }
        Ok(())
    }

    fn stop(&mut self, card: &mut dyn Card) -> Result<(), Status> {
        self.require(State::Stopped)?;
        card.release()?;
        self.state = State::Released;
        Ok(())
    }

    fn reset(&mut self, card: &mut dyn Card, block: &SetMulticast) -> Result<(), Status> {
        self.require(State::Initialized)?;
        let multicast = addresses(&block.multicast)?;
        let nic = card.nic()?;
        nic.close();
        if nic.open().is_err() {
            self.state = State::Started;
            return Err(Status::CANNOT_INITIALIZE);
        }
        self.multicast = multicast;
        self.forget_frames();
        Ok(())
    }

    fn open(&mut self, block: &Open) -> Result<(), Status> {
        self.require(State::Initialized)?;
        self.multicast = addresses(&block.multicast)?;
        self.filter = block.filter.get();
        self.forget_frames();
        self.state = State::Opened;
        Ok(())
    }

    fn close(&mut self) -> Result<(), Status> {
        self.require(State::Initialized)?;
        self.rest();
        Ok(())
    }

    /// The card is the base code's.
    fn rest(&mut self) {
        self.state = State::Initialized;
        self.forget_frames();
    }

    fn forget_frames(&mut self) {
        self.sent = 0;
        self.frame.clear();
        self.delivered = 0;
    }

    fn set_multicast(&mut self, block: &SetMulticast) -> Result<(), Status> {
        self.require(State::Opened)?;
        self.multicast = addresses(&block.multicast)?;
        Ok(())
    }

    fn set_filter(&mut self, block: &SetPacketFilter) -> Result<(), Status> {
        self.require(State::Opened)?;
        self.filter = block.filter.into();
        Ok(())
    }

    /// The card keeps its address, so that is the only one that it can be given.
    fn set_address(&self, card: &mut dyn Card, block: &SetStationAddress) -> Result<(), Status> {
        if self.state != State::Initialized && self.state != State::Started {
            return Err(Status::INVALID_STATE);
        }
        let mac = mac(&block.address);
        if !mac.is_unicast() {
            return Err(Status::INVALID_MAC_ADDRESS);
        }
        if mac == card.nic()?.identity().mac { Ok(()) } else { Err(Status::UNSUPPORTED) }
    }

    fn state(&self, block: &mut GetState) -> Result<(), Status> {
        block.state = match self.state {
            State::Released | State::Stopped => 0,
            State::Started => 1,
            State::Initialized => 2,
            State::Opened => 3,
        };
        Ok(())
    }

    fn statistics(&self, card: &mut dyn Card, block: &mut Statistics) -> Result<(), Status> {
        self.require(State::Started)?;
        let now = card.nic()?.counters();
        // The card counts anew where it was opened after CLEAR_STATISTICS.
        let since =
            |now: u64, then: u64| u32::try_from(now.checked_sub(then).unwrap_or(now)).unwrap_or(u32::MAX);
        block.sent = since(now.sent, self.cleared.sent).into();
        block.received = since(now.received, self.cleared.received).into();
        block.checksum_errors = 0.into();
        block.resource_errors = since(now.receive_drops, self.cleared.receive_drops).into();
        Ok(())
    }

    fn clear_statistics(&mut self, card: &mut dyn Card) -> Result<(), Status> {
        self.require(State::Started)?;
        self.cleared = card.nic()?.counters();
        Ok(())
    }

    fn transmit(
        &mut self,
        card: &mut dyn Card,
        memory: &Guarded<'_>,
        block: &Transmit,
    ) -> Result<(), Status> {
        self.require(State::Opened)?;
        let mut frame = Vec::with_capacity(FRAME_CAPACITY);
        let ether_type: Option<u16> = match block.protocol {
            PROTOCOL_UNKNOWN => None,
            PROTOCOL_IP => Some(0x0800),
            PROTOCOL_ARP => Some(0x0806),
            PROTOCOL_RARP => Some(0x8035),
            _ => return Err(Status::INVALID_PARAMETER),
        };
        if let Some(ether_type) = ether_type {
            let mut to = MacAddress::BROADCAST.0;
            match block.flag {
                TO_ADDRESS => memory.read(block.destination.into(), &mut to)?,
                TO_BROADCAST => {}
                _ => return Err(Status::INVALID_PARAMETER),
            }
            frame.extend_from_slice(&to);
            frame.extend_from_slice(&card.nic()?.identity().mac.0);
            frame.extend_from_slice(&ether_type.to_be_bytes());
        }
        gather(memory, block.descriptor.into(), &mut frame)?;
        if frame.len() < HEADER {
            return Err(Status::INVALID_PARAMETER);
        }
        let now = card.now();
        let nic = card.nic()?;
        if !nic.can_transmit() {
            nic.poll(now, now).map_err(|_| Status::TRANSMIT_ERROR)?;
        }
        if !nic.transmit(&frame) {
            return Err(Status::OUT_OF_RESOURCES);
        }
        nic.poll(now, now).map_err(|_| Status::TRANSMIT_ERROR)?;
        self.sent = self.sent.saturating_add(1);
        Ok(())
    }

    fn isr(&mut self, card: &mut dyn Card, memory: &mut Guarded<'_>, block: &mut Isr) -> Result<(), Status> {
        match block.function.get() {
            ISR_START => {
                let ours = self.state == State::Opened && self.has_news(card);
                block.function = if ours { ISR_OURS } else { ISR_NOT_OURS }.into();
                Ok(())
            }
            ISR_PROCESS | ISR_GET_NEXT if self.state != State::Opened => {
                block.function = ISR_DONE.into();
                Ok(())
            }
            ISR_PROCESS | ISR_GET_NEXT => self.next(card, memory, block),
            _ => Err(Status::INVALID_PARAMETER),
        }
    }

    /// Whether a frame was sent, or one is there.
    fn has_news(&mut self, card: &mut dyn Card) -> bool {
        let now = card.now();
        self.looks = LOOKS;
        // A card that does not answer has nothing new.
        let Ok(nic) = card.nic() else { return false };
        let _ = nic.poll(now, now);
        self.sent > 0 || self.has_frame(card)
    }

    /// Whether a frame is there to be handed over.
    fn has_frame(&mut self, card: &mut dyn Card) -> bool {
        if self.delivered < self.frame.len() {
            return true;
        }
        self.frame.clear();
        self.delivered = 0;
        let Ok(nic) = card.nic() else { return false };
        let station = nic.identity().mac;
        while self.looks > 0
            && let Some(frame) = nic.receive()
        {
            self.looks -= 1;
            if frame.len() <= FRAME_CAPACITY && self.admits(frame, station) {
                self.frame.extend_from_slice(frame);
                return true;
            }
        }
        false
    }

    /// Whether the program wants the frame.
    fn admits(&self, frame: &[u8], station: MacAddress) -> bool {
        let Some(to) = frame.first_chunk::<6>().filter(|_| frame.len() >= HEADER) else { return false };
        let to = MacAddress(*to);
        let filter = PacketFilter::from_bits_truncate(self.filter);
        filter.contains(PacketFilter::PROMISCUOUS)
            || (filter.contains(PacketFilter::DIRECTED) && to == station)
            || (filter.contains(PacketFilter::BROADCAST) && to == MacAddress::BROADCAST)
            || self.multicast.contains(&to)
    }

    /// PROCESS and GET_NEXT: the next event.
    fn next(&mut self, card: &mut dyn Card, memory: &mut Guarded<'_>, block: &mut Isr) -> Result<(), Status> {
        if self.sent > 0 {
            self.sent -= 1;
            block.function = ISR_TRANSMIT.into();
            return Ok(());
        }
        if !self.has_frame(card) {
            self.looks = LOOKS;
            block.function = ISR_DONE.into();
            return Ok(());
        }
        let rest = self.frame.get(self.delivered..).unwrap_or_default();
        let part = rest.get(..rest.len().min(self.room.into())).unwrap_or_default();
        memory.write_own(self.place, part)?;
        self.delivered += part.len();
        block.function = ISR_RECEIVE.into();
        block.buffer_length = word(part.len()).into();
        block.frame_length = word(self.frame.len()).into();
        block.header_length = word(HEADER).into();
        block.frame = memory.told(self.place);
        (block.protocol, block.kind) = classify(&self.frame);
        Ok(())
    }
}

/// Collects the bytes that a transmit descriptor names.
fn gather(memory: &Guarded<'_>, at: SegOff, frame: &mut Vec<u8>) -> Result<(), Status> {
    let mut descriptor = TransmitDescriptor::new_zeroed();
    // What follows the used blocks need not be there.
    const WITHOUT_BLOCKS: usize = 8;
    memory.read(at, descriptor.as_mut_bytes().get_mut(..WITHOUT_BLOCKS).unwrap_or_default())?;
    let count = usize::from(descriptor.block_count.get());
    if count > descriptor.blocks.len() {
        return Err(Status::INVALID_PARAMETER);
    }
    let length = WITHOUT_BLOCKS + count * size_of_val(&descriptor.blocks) / descriptor.blocks.len();
    memory.read(at, descriptor.as_mut_bytes().get_mut(..length).unwrap_or_default())?;
    let immediate = grow(frame, descriptor.length.get())?;
    memory.read(descriptor.data.into(), immediate)?;
    for block in descriptor.blocks.iter().take(count) {
        let bytes = grow(frame, block.length.get())?;
        let far = SegOff::from(block.data);
        match block.kind {
            BLOCK_FAR => memory.read(far, bytes)?,
            BLOCK_PHYSICAL => {
                let address = u64::from(far.segment) << 16 | u64::from(far.offset);
                memory.read_physical(address, bytes)?;
            }
            _ => return Err(Status::INVALID_PARAMETER),
        }
    }
    Ok(())
}

/// Makes room for `length` more bytes of a frame, and gives it.
fn grow(frame: &mut Vec<u8>, length: u16) -> Result<&mut [u8], Status> {
    let start = frame.len();
    let end = start + usize::from(length);
    if end > FRAME_CAPACITY {
        return Err(Status::INVALID_PARAMETER);
    }
    frame.resize(end, 0);
    Ok(frame.get_mut(start..).unwrap_or_default())
}

/// Protocol and kind of destination of a frame, for UNDI_ISR.
fn classify(frame: &[u8]) -> (u8, u8) {
    let protocol = match frame.get(12..HEADER) {
        Some([0x08, 0x00]) => PROTOCOL_IP,
        Some([0x08, 0x06]) => PROTOCOL_ARP,
        Some([0x80, 0x35]) => PROTOCOL_RARP,
        _ => PROTOCOL_OTHER,
    };
    let kind = match frame.first_chunk::<6>() {
        Some(to) if *to == MacAddress::BROADCAST.0 => FRAME_BROADCAST,
        Some([first, ..]) if first & 1 != 0 => FRAME_MULTICAST,
        _ => FRAME_DIRECTED,
    };
    (protocol, kind)
}

fn mac(address: &[u8; 16]) -> MacAddress {
    let [a, b, c, d, e, f, ..] = *address;
    MacAddress([a, b, c, d, e, f])
}

fn address_field(mac: MacAddress) -> [u8; 16] {
    let [a, b, c, d, e, f] = mac.0;
    [a, b, c, d, e, f, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]
}

fn addresses(list: &MulticastList) -> Result<Vec<MacAddress>, Status> {
    let list = list.addresses.get(..list.count.get().into()).ok_or(Status::INVALID_PARAMETER)?;
    Ok(list.iter().map(mac).collect())
}

fn information(card: &mut dyn Card, block: &mut Information) -> Result<(), Status> {
    const ETHERNET: u16 = 1;
    let nic = card.nic()?;
    let identity = nic.identity();
    *block = Information {
        mtu: identity.mtu.into(),
        hardware_type: ETHERNET.into(),
        address_length: 6.into(),
        current_address: address_field(identity.mac),
        permanent_address: address_field(identity.permanent_mac),
        receive_buffers: nic.frames_ahead().max(1).into(),
        transmit_buffers: 1.into(),
        // No port, no interrupt, no ROM.
        ..Information::default()
    };
    Ok(())
}

fn nic_type(card: &mut dyn Card, block: &mut NicType) -> Result<(), Status> {
    const NETWORK_CONTROLLER: u8 = 2;
    const UNKNOWN: u16 = 0xffff;
    let pci = card.nic()?.identity().pci.ok_or(Status::UNSUPPORTED)?;
    *block = NicType {
        kind: NIC_PCI,
        vendor: pci.vendor.into(),
        device: pci.device.into(),
        class: [NETWORK_CONTROLLER, 0, 0, 0],
        bus_device_function: pci.bus_device_function.into(),
        subsystem_vendor: UNKNOWN.into(),
        subsystem_device: UNKNOWN.into(),
        ..NicType::default()
    };
    Ok(())
}

fn interface(card: &mut dyn Card, block: &mut InterfaceInfo) -> Result<(), Status> {
    *block = InterfaceInfo {
        kind: *b"DIX+802.3\0\0\0\0\0\0\0",
        speed: card.speed().into(),
        services: SERVICES.into(),
        ..InterfaceInfo::default()
    };
    Ok(())
}

/// RFC 1112 section 6.4.
fn multicast_address(block: &mut GetMulticastAddress) -> Result<(), Status> {
    if !Ipv4Addr::from(block.ip).is_multicast() {
        return Err(Status::INVALID_PARAMETER);
    }
    let [_, b, c, d] = block.ip;
    block.mac = address_field(MacAddress([0x01, 0x00, 0x5e, b & 0x7f, c, d]));
    Ok(())
}
