//! Each call with right and wrong parameters, and all of them with any.

use super::fake::*;
use super::*;
use crate::abi::base_code::*;
use crate::abi::file::*;
use crate::abi::*;
use crate::find::{self, Segment};
use alloc::vec;
use base::{MacAddress, PhysRange};
use core::net::SocketAddrV4;
use nic::Counters;
use proptest::prelude::*;

fn far(at: SegOff) -> FarPointer {
    at.into()
}

fn name(text: &[u8]) -> FileName {
    let mut name = [0; 128];
    name[..text.len()].copy_from_slice(text);
    name
}

/// An Ethernet frame with 46 bytes of payload.
fn frame(to: MacAddress, kind: u16, fill: u8) -> Vec<u8> {
    [&to.0[..], &[2, 0, 0, 0, 0, 9], &kind.to_be_bytes(), &[fill; 46]].concat()
}

/// A world in which the program has opened the UNDI.
fn opened(filter: u16) -> World {
    let mut world = World::new();
    assert_eq!(world.with(Opcode::OPEN, |open: &mut Open| open.filter = filter.into()).0, Status::SUCCESS);
    world
}

fn isr(world: &mut World, function: u16) -> Isr {
    let (status, isr) = world.with(Opcode::ISR, |isr: &mut Isr| isr.function = function.into());
    assert_eq!(status, Status::SUCCESS);
    isr
}

/// All frames that a program receives until nothing is left.
fn received(world: &mut World) -> Vec<Vec<u8>> {
    let mut frames = Vec::new();
    if isr(world, ISR_START).function.get() != ISR_OURS {
        return frames;
    }
    let mut next = isr(world, ISR_PROCESS);
    let mut frame = Vec::new();
    while next.function.get() != ISR_DONE {
        if next.function.get() == ISR_RECEIVE {
            frame.extend_from_slice(world.at(next.frame.into(), next.buffer_length.get().into()));
            if frame.len() == usize::from(next.frame_length.get()) {
                frames.push(core::mem::take(&mut frame));
            }
        }
        next = isr(world, ISR_GET_NEXT);
    }
    assert!(frame.is_empty());
    frames
}

#[test]
fn the_undi_goes_through_its_states() {
    let mut world = World::new();
    for (opcode, is_open, status) in [
        (Opcode::STARTUP, true, Status::SUCCESS),
        (Opcode::INITIALIZE, true, Status::SUCCESS),
        (Opcode::OPEN, true, Status::SUCCESS),
        (Opcode::CLOSE, true, Status::SUCCESS),
        (Opcode::SHUTDOWN, false, Status::SUCCESS),
        (Opcode::OPEN, false, Status::INVALID_STATE),
        (Opcode::CLOSE, false, Status::INVALID_STATE),
        (Opcode::RESET_ADAPTER, false, Status::INVALID_STATE),
        (Opcode::UDP_OPEN, false, Status::INVALID_STATE),
        (Opcode::FILE_OPEN, false, Status::INVALID_STATE),
        (Opcode::SHUTDOWN, false, Status::SUCCESS),
        (Opcode::INITIALIZE, true, Status::SUCCESS),
        (Opcode::OPEN, true, Status::SUCCESS),
        (Opcode::RESET_ADAPTER, true, Status::SUCCESS),
        (Opcode::CLEANUP, false, Status::SUCCESS),
        (Opcode::INITIALIZE, false, Status::INVALID_STATE),
        (Opcode::GET_STATISTICS, false, Status::INVALID_STATE),
        (Opcode::STARTUP, false, Status::SUCCESS),
        (Opcode::STOP_UNDI, false, Status::SUCCESS),
        (Opcode::STARTUP, false, Status::INVALID_STATE),
        (Opcode::START_UNDI, false, Status::INVALID_STATE),
        (Opcode::CLEANUP, false, Status::INVALID_STATE),
        (Opcode::STOP_UNDI, false, Status::INVALID_STATE),
    ] {
        assert_eq!(world.call(opcode, &mut [0_u8; 136]), status, "{}", opcode.name());
        assert_eq!(world.network.card.is_open, is_open, "after {}", opcode.name());
    }
    assert_eq!(world.network.released, [Part::Undi]);
    world.services.close(&mut world.network);
    assert!(world.network.card.is_open);
}

#[test]
fn a_card_that_does_not_open_is_told_of() {
    for opcode in [Opcode::INITIALIZE, Opcode::RESET_ADAPTER] {
        let mut world = World::new();
        if opcode == Opcode::INITIALIZE {
            world.plain(Opcode::SHUTDOWN);
        }
        world.network.card.is_broken = true;
        assert_eq!(world.call(opcode, &mut [0_u8; 132]), Status::CANNOT_INITIALIZE);
        assert_eq!(world.call(Opcode::OPEN, &mut [0_u8; 136]), Status::INVALID_STATE);
        world.network.card.is_broken = false;
        assert_eq!(world.call(Opcode::INITIALIZE, &mut [0_u8; 132]), Status::SUCCESS);
    }
    let mut world = opened(7);
    world.network.card.is_broken = true;
    assert_eq!(isr(&mut world, ISR_START).function.get(), ISR_NOT_OURS);
}

#[test]
fn the_undi_is_started_for_its_own_card_only() {
    let mut world = World::new();
    let mut start = |ax: u16| world.with(Opcode::START_UNDI, |start: &mut StartUndi| start.ax = ax.into()).0;
    assert_eq!(start(0x18), Status::SUCCESS);
    assert_eq!(start(0x20), Status::CANNOT_INITIALIZE);
}

#[test]
fn one_number_asks_for_the_state_and_stops() {
    let mut world = World::new();
    let state = |world: &mut World| world.with(Opcode::STOP_UNDI, |_: &mut GetState| {}).1.state;
    assert_eq!(state(&mut world), 2);
    world.call(Opcode::OPEN, &mut [0_u8; 136]);
    assert_eq!(state(&mut world), 3);
    assert!(world.network.released.is_empty());
    world.plain(Opcode::SHUTDOWN);
    world.network.failure = Some(Status::KEEP_UNDI);
    assert_eq!(world.plain(Opcode::STOP_UNDI), Status::KEEP_UNDI);
    world.network.failure = None;
    assert_eq!(world.plain(Opcode::STOP_UNDI), Status::SUCCESS);
    assert_eq!(world.network.released, [Part::Undi]);
}

#[test]
fn frames_are_received_as_the_filter_says() {
    let group = MacAddress([1, 0, 0x5e, 0, 0, 1]);
    let other = MacAddress([2, 0, 0, 0, 0, 7]);
    let frames: Vec<_> = [MAC, MacAddress::BROADCAST, group, other].map(|to| frame(to, 0x0800, 1)).into();
    for (filter, expected) in [
        (0, &[][..]),
        (1, &[0]),
        (2, &[1]),
        (3, &[0, 1]),
        (4, &[0, 1, 2, 3]),
        (8, &[]),
        (0xffff, &[0, 1, 2, 3]),
    ] {
        let mut world = opened(filter);
        world.network.card.arrived.extend(frames.clone());
        world.network.card.arrived.push_back(vec![0xff; 13]);
        let got: Vec<_> = received(&mut world);
        let got: Vec<_> =
            got.iter().map(|got| frames.iter().position(|frame| frame == got).unwrap()).collect();
        assert_eq!(got, expected, "filter {filter}");
        assert!(world.network.card.arrived.is_empty());
    }
    // A group, by each of the three calls that name some.
    let mut world = World::new();
    let list = |address: MacAddress| {
        let mut list = MulticastList { count: 1.into(), ..MulticastList::default() };
        list.addresses[0][..6].copy_from_slice(&address.0);
        list
    };
    world.with(Opcode::OPEN, |open: &mut Open| open.multicast = list(group));
    world.network.card.arrived.extend(frames.clone());
    assert_eq!(received(&mut world), [frames[2].clone()]);
    for opcode in [Opcode::SET_MCAST_ADDRESS, Opcode::RESET_ADAPTER] {
        assert_eq!(world.with(opcode, |_: &mut SetMulticast| {}).0, Status::SUCCESS);
        world.network.card.arrived.extend(frames.clone());
        assert_eq!(received(&mut world).len(), 0);
        let set = |block: &mut SetMulticast| block.multicast = list(group);
        assert_eq!(world.with(opcode, set).0, Status::SUCCESS);
        world.network.card.arrived.extend(frames.clone());
        assert_eq!(received(&mut world).len(), 1);
        let too_many = |block: &mut SetMulticast| block.multicast.count = 9.into();
        assert_eq!(world.with(opcode, too_many).0, Status::INVALID_PARAMETER);
    }
    assert_eq!(world.with(Opcode::OPEN, |open: &mut Open| open.multicast.count = 9.into()).0.0, 0x6c);
    // Another filter while the card is open, and only then.
    let set = |filter: &mut SetPacketFilter| filter.filter = 4;
    assert_eq!(world.with(Opcode::SET_PACKET_FILTER, set).0, Status::SUCCESS);
    world.network.card.arrived.extend(frames);
    assert_eq!(received(&mut world).len(), 4);
    world.plain(Opcode::CLOSE);
    assert_eq!(world.with(Opcode::SET_PACKET_FILTER, set).0, Status::INVALID_STATE);
    assert_eq!(world.call(Opcode::SET_MCAST_ADDRESS, &mut [0_u8; 132]), Status::INVALID_STATE);
}

#[test]
fn a_frame_is_described_and_comes_in_parts() {
    let mut world = opened(7);
    world.services.buffers.frame_room = 64;
    let long = [&frame(MacAddress::BROADCAST, 0x0806, 5)[..], &[6; 80]].concat();
    world.network.card.arrived.push_back(long.clone());
    assert_eq!(isr(&mut world, ISR_START).function.get(), ISR_OURS);
    // Asked again, it is still ours, and nothing is lost.
    assert_eq!(isr(&mut world, ISR_START).function.get(), ISR_OURS);
    let mut whole = Vec::new();
    for (function, length) in [(ISR_PROCESS, 64), (ISR_GET_NEXT, 64), (ISR_GET_NEXT, 12)] {
        let part = isr(&mut world, function);
        assert_eq!((part.function.get(), part.buffer_length.get()), (ISR_RECEIVE, length));
        assert_eq!((part.frame_length.get(), part.header_length.get()), (140, 14));
        assert_eq!((part.protocol, part.kind), (PROTOCOL_ARP, FRAME_BROADCAST));
        whole.extend_from_slice(world.at(part.frame.into(), length.into()));
    }
    assert_eq!(whole, long);
    assert_eq!(isr(&mut world, ISR_GET_NEXT).function.get(), ISR_DONE);
    world.services.buffers.frame_room = 1518;
    for (to, ether_type, protocol, kind) in [
        (MAC, 0x0800, PROTOCOL_IP, FRAME_DIRECTED),
        (MAC, 0x8035, PROTOCOL_RARP, FRAME_DIRECTED),
        (MacAddress([1, 0, 0x5e, 0, 0, 1]), 0x86dd, PROTOCOL_OTHER, FRAME_MULTICAST),
    ] {
        world.network.card.arrived.push_back(frame(to, ether_type, 0));
        isr(&mut world, ISR_START);
        let part = isr(&mut world, ISR_PROCESS);
        assert_eq!((part.protocol, part.kind), (protocol, kind));
    }
    assert_eq!(world.with(Opcode::ISR, |isr: &mut Isr| isr.function = 4.into()).0, Status::INVALID_PARAMETER);
}

#[test]
fn a_flood_is_received_in_turns() {
    let mut world = opened(1);
    for _ in 0..200 {
        world.network.card.arrived.push_back(frame(MAC, 0x0800, 0));
    }
    assert_eq!(received(&mut world).len(), 64);
    assert_eq!(received(&mut world).len(), 64);
    // Those that are not wanted count as well.
    world.network.card.arrived.clear();
    for _ in 0..200 {
        world.network.card.arrived.push_back(frame(MacAddress([2; 6]), 0x0800, 0));
    }
    assert_eq!(isr(&mut world, ISR_START).function.get(), ISR_NOT_OURS);
    assert_eq!(world.network.card.arrived.len(), 136);
}

#[test]
fn without_open_the_card_is_not_looked_at() {
    let mut world = World::new();
    world.network.card.arrived.push_back(frame(MAC, 0x0800, 0));
    assert_eq!(isr(&mut world, ISR_START).function.get(), ISR_NOT_OURS);
    assert_eq!(isr(&mut world, ISR_PROCESS).function.get(), ISR_DONE);
    assert_eq!(isr(&mut world, ISR_GET_NEXT).function.get(), ISR_DONE);
    assert_eq!(world.network.card.arrived.len(), 1);
    assert_eq!(world.with(Opcode::TRANSMIT, |_: &mut Transmit| {}).0, Status::INVALID_STATE);
}

/// Sends what `fill` describes, with the descriptor at [`TEXT`].
fn transmit(world: &mut World, tbd: &TransmitDescriptor, fill: impl FnOnce(&mut Transmit)) -> Status {
    world.put(TEXT, tbd.as_bytes());
    let (status, _) = world.with(Opcode::TRANSMIT, |block: &mut Transmit| {
        block.descriptor = far(TEXT);
        fill(block);
    });
    status
}

#[test]
fn frames_are_sent_with_and_without_a_header() {
    let mut world = opened(1);
    world.put(DATA, &[0xab; 2000]);
    let tbd = TransmitDescriptor { length: 60.into(), data: far(DATA), ..TransmitDescriptor::default() };
    assert_eq!(transmit(&mut world, &tbd, |_| {}), Status::SUCCESS);
    assert_eq!(world.network.card.sent, [vec![0xab; 60]]);
    // It is told of once.
    assert_eq!(isr(&mut world, ISR_START).function.get(), ISR_OURS);
    assert_eq!(isr(&mut world, ISR_PROCESS).function.get(), ISR_TRANSMIT);
    assert_eq!(isr(&mut world, ISR_GET_NEXT).function.get(), ISR_DONE);
    assert_eq!(isr(&mut world, ISR_START).function.get(), ISR_NOT_OURS);

    let to = SegOff::new(0x2000, 0x700);
    world.put(to, &[4, 5, 6, 7, 8, 9]);
    for (protocol, ether_type) in [(PROTOCOL_IP, 0x0800_u16), (PROTOCOL_ARP, 0x0806), (PROTOCOL_RARP, 0x8035)]
    {
        for (flag, destination) in [(TO_ADDRESS, [4, 5, 6, 7, 8, 9]), (TO_BROADCAST, [0xff; 6])] {
            let status = transmit(&mut world, &tbd, |block| {
                block.protocol = protocol;
                block.flag = flag;
                block.destination = far(to);
            });
            let expected = [&destination[..], &MAC.0, &ether_type.to_be_bytes(), &[0xab; 60]].concat();
            assert_eq!((status, world.network.card.sent.last()), (Status::SUCCESS, Some(&expected)));
        }
    }
}

#[test]
fn a_frame_may_lie_in_many_places() {
    let mut world = opened(1);
    for place in 0..10_u8 {
        world.put(SegOff::new(0x3000, 0x100 * u16::from(place)), &[place; 16]);
    }
    let mut tbd = TransmitDescriptor { length: 16.into(), data: far(DATA), ..TransmitDescriptor::default() };
    tbd.block_count = 8.into();
    for (place, block) in (0_u16..).zip(&mut tbd.blocks) {
        let offset = 0x100 * (place + 1);
        // The same address as a far pointer, and as a physical address.
        let data = if place < 7 { SegOff::new(0x3000, offset) } else { SegOff::new(3, offset) };
        *block = TransmitBlock { kind: (place < 7).into(), reserved: 0, length: 16.into(), data: far(data) };
    }
    assert_eq!(transmit(&mut world, &tbd, |_| {}), Status::SUCCESS);
    let expected: Vec<u8> = (0..9).flat_map(|place| [place; 16]).collect();
    assert_eq!(world.network.card.sent, [expected]);
    tbd.blocks[2].kind = 2;
    assert_eq!(transmit(&mut world, &tbd, |_| {}), Status::INVALID_PARAMETER);
    tbd.block_count = 9.into();
    assert_eq!(transmit(&mut world, &tbd, |_| {}), Status::INVALID_PARAMETER);
}

#[test]
fn what_cannot_be_sent_is_refused() {
    let mut world = opened(1);
    let tbd = |length: u16, data: SegOff| TransmitDescriptor {
        length: length.into(),
        data: far(data),
        ..TransmitDescriptor::default()
    };
    let send = |world: &mut World, tbd, fill: fn(&mut Transmit)| transmit(world, &tbd, fill);
    for length in [0, 13, 1519, 0xffff] {
        assert_eq!(send(&mut world, tbd(length, DATA), |_| {}), Status::INVALID_PARAMETER, "{length}");
    }
    for data in [SegOff::default(), SegOff::new(0x3000, 0xfff0), SegOff::new(0xffff, 0x10)] {
        assert_eq!(send(&mut world, tbd(60, data), |_| {}), Status::INVALID_PARAMETER, "{data}");
    }
    assert_eq!(send(&mut world, tbd(60, DATA), |block| block.protocol = 4), Status::INVALID_PARAMETER);
    let flag = |block: &mut Transmit| (block.protocol, block.flag) = (1, 2);
    assert_eq!(send(&mut world, tbd(60, DATA), flag), Status::INVALID_PARAMETER);
    // The address of nobody.
    assert_eq!(send(&mut world, tbd(60, DATA), |block| block.protocol = 1), Status::INVALID_PARAMETER);
    let descriptor = |block: &mut Transmit| block.descriptor = FarPointer::default();
    assert_eq!(send(&mut world, tbd(60, DATA), descriptor), Status::INVALID_PARAMETER);
    assert!(world.network.card.sent.is_empty());
    world.network.card.room = 0;
    assert_eq!(send(&mut world, tbd(60, DATA), |_| {}), Status::OUT_OF_RESOURCES);
    world.network.card.is_broken = true;
    assert_eq!(send(&mut world, tbd(60, DATA), |_| {}), Status::TRANSMIT_ERROR);
}

#[test]
fn the_station_gets_another_address_while_its_card_is_closed() {
    let mut world = World::new();
    let set = |first: u8| {
        move |block: &mut SetStationAddress| block.address[..6].copy_from_slice(&[first, 0, 0, 0, 0, 5])
    };
    assert_eq!(world.with(Opcode::SET_STATION_ADDRESS, set(1)).0, Status::INVALID_MAC_ADDRESS);
    assert_eq!(world.with(Opcode::SET_STATION_ADDRESS, set(2)).0, Status::SUCCESS);
    let (_, information) = world.with(Opcode::GET_INFORMATION, |_: &mut Information| {});
    assert_eq!(information.current_address[..7], [2, 0, 0, 0, 0, 5, 0]);
    assert_eq!(information.permanent_address[..6], MAC.0);
    world.call(Opcode::OPEN, &mut [0_u8; 136]);
    assert_eq!(world.with(Opcode::SET_STATION_ADDRESS, set(2)).0, Status::INVALID_STATE);
    world.plain(Opcode::CLOSE);
    world.network.failure = Some(Status::UNSUPPORTED);
    assert_eq!(world.with(Opcode::SET_STATION_ADDRESS, set(2)).0, Status::UNSUPPORTED);
}

#[test]
fn the_card_never_interrupts() {
    let mut world = World::new();
    let (status, information) = world.with(Opcode::GET_INFORMATION, |block: &mut Information| {
        // What the program left in its structure does not stay.
        block.interrupt = 11.into();
        block.base_io = 0x300.into();
    });
    assert_eq!((status, information.interrupt.get(), information.base_io.get()), (Status::SUCCESS, 0, 0));
    assert_eq!((information.mtu.get(), information.hardware_type.get()), (1500, 1));
    assert_eq!((information.address_length.get(), information.receive_buffers.get()), (6, 32));
    let (status, interface) = world.with(Opcode::GET_IFACE_INFO, |_: &mut InterfaceInfo| {});
    assert_eq!((status, &interface.kind[..10]), (Status::SUCCESS, &b"DIX+802.3\0"[..]));
    assert_eq!((interface.speed.get(), interface.services.get() & 0x1000), (1_000_000_000, 0));
}

#[test]
fn the_card_is_named() {
    let mut world = World::new();
    let (status, kind) = world.with(Opcode::GET_NIC_TYPE, |_: &mut NicType| {});
    assert_eq!(
        (status, kind.kind, kind.vendor.get(), kind.device.get()),
        (Status::SUCCESS, 2, 0x8086, 0x100e)
    );
    assert_eq!(
        (kind.bus_device_function.get(), kind.class, kind.subsystem_vendor.get()),
        (0x18, [2, 0, 0, 0], 0xffff)
    );
    world.network.card.identity.pci = None;
    assert_eq!(world.with(Opcode::GET_NIC_TYPE, |_: &mut NicType| {}).0, Status::UNSUPPORTED);
}

#[test]
fn frames_are_counted_from_the_last_clearing() {
    let mut world = World::new();
    let counters = Counters { received: 10, sent: 7, receive_drops: 3, send_errors: 0 };
    world.network.card.counters = counters;
    let get = |world: &mut World| {
        let (status, block) = world.with(Opcode::GET_STATISTICS, |_: &mut Statistics| {});
        assert_eq!(status, Status::SUCCESS);
        [block.sent, block.received, block.checksum_errors, block.resource_errors].map(|number| number.get())
    };
    assert_eq!(get(&mut world), [7, 10, 0, 3]);
    assert_eq!(world.plain(Opcode::CLEAR_STATISTICS), Status::SUCCESS);
    assert_eq!(get(&mut world), [0; 4]);
    world.network.card.counters.received = u64::MAX;
    assert_eq!(get(&mut world), [0, u32::MAX, 0, 0]);
    world.network.card.counters = Counters { received: 1, ..Counters::default() };
    assert_eq!(get(&mut world)[1], 1);
}

#[test]
fn a_group_has_its_mac_address() {
    let mut world = World::new();
    let get = |world: &mut World, ip| {
        world.with(Opcode::GET_MCAST_ADDRESS, |block: &mut GetMulticastAddress| block.ip = ip)
    };
    let (status, block) = get(&mut world, [239, 129, 2, 3]);
    assert_eq!((status, &block.mac[..7]), (Status::SUCCESS, &[1, 0, 0x5e, 1, 2, 3, 0][..]));
    assert_eq!(get(&mut world, [10, 0, 0, 1]).0, Status::INVALID_PARAMETER);
}

#[test]
fn what_is_not_there_is_unsupported() {
    let mut world = World::new();
    let known =
        [0..=0x0e, 0x11..=0x15, 0x20..=0x25, 0x30..=0x33, 0x70..=0x71, 0x73..=0x73, 0x75..=0x76, 0xe0..=0xe8];
    for opcode in (0..=0x200).chain([0xffff]) {
        if !known.iter().any(|range| range.contains(&opcode)) {
            assert_eq!(world.plain(Opcode(opcode)), Status::UNSUPPORTED, "{opcode:#x}");
        }
    }
}

fn cached(world: &mut World, kind: u16, size: u16, buffer: SegOff) -> (Status, CachedInfo) {
    world.with(Opcode::GET_CACHED_INFO, |block: &mut CachedInfo| {
        (block.kind, block.size) = (kind.into(), size.into());
        block.buffer = far(buffer);
        block.limit = 0xaaaa.into();
    })
}

#[test]
fn packets_are_copied_or_pointed_at() {
    let mut world = World::new();
    for (kind, fill, length) in [(1, 1, 548), (2, 2, 300), (3, 2, 300)] {
        // A copy, which leaves BufferLimit alone and writes no more than the packet has.
        let (status, block) = cached(&mut world, kind, 2000, DATA);
        assert_eq!((status, block.size.get(), block.limit.get()), (Status::SUCCESS, length, 0xaaaa));
        assert_eq!(world.at(DATA, length.into()), vec![fill; length.into()]);
        assert_eq!(
            world.memory.written,
            [PhysRange::with_length(0x3_0000, length.into()), PhysRange::with_length(0x2_0010, 12)]
        );
        world.memory.written.clear();
        // Too little room.
        let (status, block) = cached(&mut world, kind, 100, DATA);
        assert_eq!((status, block.size.get()), (Status::SUCCESS, 100));
        world.memory.written.clear();
        // A pointer.
        let (status, block) = cached(&mut world, kind, 0, DATA);
        assert_eq!((status, block.size.get(), block.limit.get()), (Status::SUCCESS, length, 1260));
        assert_eq!(SegOff::from(block.buffer), SegOff::new(0x9000, (kind - 1) * 1260));
        assert_eq!(world.at(block.buffer.into(), length.into()), vec![fill; length.into()]);
        world.memory.written.clear();
    }
    for kind in [0, 4, 0xffff] {
        assert_eq!(cached(&mut world, kind, 0, DATA).0, Status::INVALID_PARAMETER);
    }
    for buffer in
        [SegOff::default(), SegOff::new(0, 0x400), SegOff::new(0x8fff, 0), BLOCK, SegOff::new(0x9fff, 0)]
    {
        assert_eq!(cached(&mut world, 2, 2000, buffer).0, Status::INVALID_PARAMETER, "{buffer}");
    }
}

#[test]
fn a_packet_that_was_changed_in_place_counts() {
    let mut world = World::new();
    world.put(SegOff::new(0x9000, 2 * 1260), &[9; 400]);
    let (_, block) = cached(&mut world, 3, 2000, DATA);
    assert_eq!((block.size.get(), world.at(DATA, 400)), (400, &[9; 400][..]));
    assert_eq!(cached(&mut world, 3, 0, DATA).1.size.get(), 400);
}

#[test]
fn packets_longer_than_their_place_are_cut_and_missing_ones_are_not_there() {
    let mut world = World::new();
    let packets = Packets { discover: Vec::new(), ack: vec![5; 1400], reply: vec![6; 260] };
    assert!(world.services.install(&mut world.memory, &packets));
    assert_eq!(cached(&mut world, 1, 0, DATA).0, Status::INVALID_PARAMETER);
    assert_eq!(cached(&mut world, 2, 2000, DATA).1.size.get(), 1260);
    assert_eq!(world.at(SegOff::new(0x9000, 2 * 1260), 3), [6; 3]);
    assert_eq!(cached(&mut world, 3, 2000, DATA).1.size.get(), 260);
}

#[test]
fn the_base_code_stops_starts_and_is_unloaded() {
    let mut world = World::new();
    world.plain(Opcode::UDP_OPEN);
    let (_, mut open) = world.with(Opcode::TFTP_OPEN, tftp_open);
    assert_eq!(world.plain(Opcode::STOP_BASE), Status::SUCCESS);
    assert!(world.network.files.is_empty());
    for opcode in
        [Opcode::UDP_OPEN, Opcode::UDP_CLOSE, Opcode::TFTP_OPEN, Opcode::TFTP_CLOSE, Opcode::RESTART_TFTP]
    {
        assert_eq!(world.call(opcode, &mut open), Status::FAILURE, "{:#x}", opcode.0);
    }
    world.network.failure = Some(Status::DHCP_TIMEOUT);
    assert_eq!(world.plain(Opcode::START_BASE), Status::DHCP_TIMEOUT);
    world.network.failure = None;
    assert_eq!(world.plain(Opcode::START_BASE), Status::SUCCESS);
    assert_eq!(world.plain(Opcode::START_BASE), Status::SUCCESS);
    assert_eq!((world.network.exchanges, cached(&mut world, 2, 0, DATA).1.size.get()), (1, 310));
    assert_eq!(world.plain(Opcode::UDP_OPEN), Status::SUCCESS);
    world.network.failure = Some(Status::KEEP_ALL);
    assert_eq!(world.plain(Opcode::UNLOAD_STACK), Status::KEEP_ALL);
    assert_eq!(world.plain(Opcode::UDP_CLOSE), Status::SUCCESS);
    world.network.failure = None;
    assert_eq!(world.plain(Opcode::UNLOAD_STACK), Status::SUCCESS);
    assert_eq!(world.network.released, [Part::BaseCode]);
    assert_eq!(world.plain(Opcode::UDP_OPEN), Status::FAILURE);
    assert_eq!(world.plain(Opcode::START_BASE), Status::FAILURE);
    // The UNDI works on.
    assert_eq!(world.call(Opcode::OPEN, &mut [0_u8; 136]), Status::SUCCESS);
}

fn tftp_open(block: &mut TftpOpen) {
    block.server = SERVER.octets();
    block.name = name(b"boot/file");
    block.packet_size = 512.into();
}

fn tftp_read(world: &mut World, buffer: SegOff) -> (Status, TftpRead) {
    world.with(Opcode::TFTP_READ, |block: &mut TftpRead| block.buffer = far(buffer))
}

#[test]
fn a_file_is_read_packet_by_packet() {
    let mut world = World::new();
    let (status, block) = world.with(Opcode::TFTP_OPEN, |block: &mut TftpOpen| {
        tftp_open(block);
        block.gateway = [10, 0, 0, 9];
        block.port = 70.into();
        block.packet_size = 9000.into();
    });
    assert_eq!((status, block.packet_size.get()), (Status::SUCCESS, 1468));
    let asked = Asked::Tftp {
        server: SERVER,
        gateway: Some([10, 0, 0, 9].into()),
        port: 70,
        name: b"boot/file".to_vec(),
        packet_size: 1468,
    };
    assert_eq!(world.network.asked, [asked]);
    assert_eq!(world.with(Opcode::TFTP_OPEN, tftp_open).0, Status::TFTP_OPEN);
    let (status, block) = tftp_read(&mut world, DATA);
    assert_eq!((status, block.number.get(), block.size.get()), (Status::SUCCESS, 1, 1468));
    assert_eq!(world.at(DATA, 1468), &world.network.content[..1468]);
    for buffer in [
        SegOff::default(),
        BLOCK,
        SegOff::new(0x8fb0, 0),
        SegOff::new(0x3000, 0xff00),
        SegOff::new(0xb800, 0),
    ] {
        assert_eq!(tftp_read(&mut world, buffer).0, Status::INVALID_PARAMETER, "{buffer}");
    }
    // Nothing was lost by that.
    let (status, block) = tftp_read(&mut world, DATA);
    assert_eq!((status, block.number.get(), block.size.get()), (Status::SUCCESS, 2, 32));
    assert_eq!(world.at(DATA, 32), &world.network.content[1468..]);
    assert_eq!(tftp_read(&mut world, DATA).1.size.get(), 0);
    world.network.failure = Some(Status::TFTP_READ_TIMEOUT);
    assert_eq!(tftp_read(&mut world, DATA).0, Status::TFTP_READ_TIMEOUT);
    assert_eq!(world.plain(Opcode::TFTP_CLOSE), Status::SUCCESS);
    assert_eq!(world.plain(Opcode::TFTP_CLOSE), Status::TFTP_CLOSED);
    assert_eq!(tftp_read(&mut world, DATA).0, Status::TFTP_CLOSED);
}

#[test]
fn a_file_that_makes_no_sense_is_not_opened() {
    let mut world = World::new();
    let mut open = |fill: fn(&mut TftpOpen)| {
        world.with(Opcode::TFTP_OPEN, |block| {
            tftp_open(block);
            fill(block);
        })
    };
    assert_eq!(open(|block| block.server = [0; 4]).0, Status::INVALID_PARAMETER);
    assert_eq!(open(|block| block.name = [0; 128]).0, Status::INVALID_PARAMETER);
    assert_eq!(open(|block| block.packet_size = 511.into()).0, Status::TFTP_PACKET_SIZE);
    // A name may fill its field, and no size is the least.
    let (status, block) = open(|block| (block.name, block.packet_size) = ([b'a'; 128], 0.into()));
    assert_eq!((status, block.packet_size.get()), (Status::SUCCESS, 512));
    assert!(
        matches!(&world.network.asked[..], [Asked::Tftp { name, port: 69, gateway: None, .. }] if name.len() == 128)
    );
    world.plain(Opcode::TFTP_CLOSE);
    world.network.failure = Some(Status::TFTP_NOT_FOUND);
    assert_eq!(world.with(Opcode::TFTP_OPEN, tftp_open).0, Status::TFTP_NOT_FOUND);
    world.network.failure = None;
    assert_eq!(world.with(Opcode::TFTP_OPEN, tftp_open).0, Status::SUCCESS);
}

fn read_file(world: &mut World, opcode: Opcode, buffer: u32, size: u32) -> (Status, u32) {
    let (status, block) = world.with(opcode, |block: &mut TftpReadFile| {
        block.server = SERVER.octets();
        block.name = name(b"file");
        (block.buffer, block.size) = (buffer.into(), size.into());
    });
    (status, block.size.get())
}

#[test]
fn a_whole_file_is_read_anywhere_in_memory() {
    for opcode in [Opcode::TFTP_READ_FILE, Opcode::MTFTP_READ_FILE] {
        let mut world = World::new();
        world.network.content = (0..=250).cycle().take(40_000).collect();
        for buffer in [0x3_0000, 0x10_0000] {
            assert_eq!(read_file(&mut world, opcode, buffer, 50_000), (Status::SUCCESS, 40_000));
            assert_eq!(world.memory.bytes[buffer as usize..][..40_000], world.network.content);
        }
        assert_eq!(read_file(&mut world, opcode, 0x3_0000, 40_000).0, Status::SUCCESS);
        world.memory.written.clear();
        // Too long, as is known before, and as turns out.
        assert_eq!(read_file(&mut world, opcode, 0x3_0000, 39_999).0, Status::OUT_OF_RESOURCES);
        assert_eq!(world.memory.written, [PhysRange::with_length(0x2_0010, 2)]);
        world.network.knows_size = false;
        assert_eq!(read_file(&mut world, opcode, 0x3_0000, 39_999).0, Status::OUT_OF_RESOURCES);
        assert_eq!(read_file(&mut world, opcode, 0x3_0000, 40_000).0, Status::SUCCESS);
        world.memory.written.clear();
        for (buffer, size) in [
            (0, 50_000),
            (0x400, 50_000),
            (0x8_f000, 0x2000),
            (0x9_f000, 0x2000),
            (0xf_f000, 0x2000),
            (0x2_0000, 0x1000),
            (0xffff_f000, 0x2000),
            (0x3_0000, 0),
        ] {
            assert_eq!(
                read_file(&mut world, opcode, buffer, size).0,
                Status::INVALID_PARAMETER,
                "{buffer:#x}"
            );
        }
        assert!(world.memory.written.iter().all(|range| *range == PhysRange::with_length(0x2_0010, 2)));
        // RAM is not there.
        assert_eq!(read_file(&mut world, opcode, 0x17_f000, 50_000).0, Status::INVALID_PARAMETER);
        world.network.failure = Some(Status::TFTP_OPEN_TIMEOUT);
        assert_eq!(read_file(&mut world, opcode, 0x3_0000, 40_000).0, Status::TFTP_OPEN_TIMEOUT);
        assert!(world.network.files.is_empty());
    }
}

#[test]
fn a_file_is_as_long_as_its_server_says() {
    let mut world = World::new();
    let get = |world: &mut World, server: Ipv4Addr| {
        world.with(Opcode::TFTP_GET_FSIZE, |block: &mut TftpGetFileSize| {
            block.server = server.octets();
            block.name = name(b"file");
        })
    };
    let (status, block) = get(&mut world, SERVER);
    assert_eq!((status, block.size.get()), (Status::SUCCESS, 1500));
    assert_eq!(get(&mut world, Ipv4Addr::UNSPECIFIED).0, Status::INVALID_PARAMETER);
    world.network.knows_size = false;
    assert_eq!(get(&mut world, SERVER).0, Status::TFTP_NO_SIZE);
    assert!(world.network.files.is_empty());
    world.network.failure = Some(Status::TFTP_NOT_FOUND);
    assert_eq!(get(&mut world, SERVER).0, Status::TFTP_NOT_FOUND);
}

#[test]
fn another_program_takes_the_place_of_the_one_that_calls() {
    let mut world = World::new();
    world.network.content = vec![0x90; 0x3_0000];
    let mut block = TftpReadFile::new_zeroed();
    (block.server, block.name) = (SERVER.octets(), name(b"next"));
    let restart = |world: &mut World, block: &TftpReadFile| {
        world.put(BLOCK, block.as_bytes());
        world.services.call(Opcode::RESTART_TFTP, BLOCK, &mut world.memory, &mut world.network)
    };
    // It covers the parameters, too.
    assert_eq!(restart(&mut world, &block), Answer::Restart);
    assert_eq!(world.at(SegOff::new(0, 0x7c00), 0x1_0000), vec![0x90; 0x1_0000]);
    assert_eq!(world.at(BLOCK, 2), [0x90; 2]);
    // Into our own memory it does not reach.
    world.network.content = vec![0x90; 0x8_9000];
    assert_eq!(restart(&mut world, &block), Answer::Return(Status::INVALID_PARAMETER));
    assert!(world.at(SegOff::new(0x9000, 0x2000), 16).iter().all(|byte| *byte == 0));
    world.network.content = vec![0x90; 0x9_9000];
    assert_eq!(restart(&mut world, &block), Answer::Return(Status::OUT_OF_RESOURCES));
    world.network.content = Vec::new();
    assert_eq!(restart(&mut world, &block), Answer::Return(Status::FAILURE));
    block.name = [0; 128];
    assert_eq!(restart(&mut world, &block), Answer::Return(Status::INVALID_PARAMETER));
    assert_eq!(world.at(BLOCK, 2), Status::INVALID_PARAMETER.0.to_le_bytes());
    assert!(world.network.files.is_empty());
}

fn udp_read(world: &mut World, to: [u8; 4], port: u16, size: u16) -> (Status, UdpRead) {
    world.with(Opcode::UDP_READ, |block: &mut UdpRead| {
        (block.destination, block.destination_port) = (to, port.into());
        (block.size, block.buffer) = (size.into(), far(DATA));
    })
}

#[test]
fn datagrams_are_written_and_read() {
    let mut world = World::new();
    world.put(TEXT, b"hello");
    let write = |world: &mut World, from: u16, to: u16| {
        world.with(Opcode::UDP_WRITE, |block: &mut UdpWrite| {
            (block.destination, block.gateway) = (SERVER.octets(), [10, 0, 0, 9]);
            (block.source_port, block.destination_port) = (from.into(), to.into());
            (block.size, block.buffer) = (5.into(), far(TEXT));
        })
    };
    assert_eq!(write(&mut world, 68, 4011).0, Status::UDP_CLOSED);
    assert_eq!(udp_read(&mut world, [0; 4], 0, 100).0, Status::UDP_CLOSED);
    assert_eq!(world.plain(Opcode::UDP_CLOSE), Status::UDP_CLOSED);
    assert_eq!(world.plain(Opcode::UDP_OPEN), Status::SUCCESS);
    assert_eq!(world.plain(Opcode::UDP_OPEN), Status::UDP_OPEN);
    assert_eq!(write(&mut world, 68, 4011).0, Status::SUCCESS);
    assert_eq!(write(&mut world, 0, 69).0, Status::SUCCESS);
    assert_eq!(write(&mut world, 68, 0).0, Status::INVALID_PARAMETER);
    let sent = |port, to| SentDatagram {
        port,
        to: SocketAddrV4::new(SERVER, to),
        gateway: Some([10, 0, 0, 9].into()),
        data: b"hello".to_vec(),
    };
    assert_eq!(world.network.sent, [sent(68, 4011), sent(2069, 69)]);
    assert_eq!(world.network.ports, [68, 2069]);

    // Several wait; each is read from the port that it came to.
    let from = SocketAddrV4::new(SERVER, 4011);
    for (port, data) in [(68, vec![1; 300]), (2069, vec![2; 10]), (68, vec![3; 20])] {
        world.network.datagrams.push((port, from, ADDRESS, data));
    }
    let (status, block) = udp_read(&mut world, ADDRESS.octets(), 68, 500);
    assert_eq!((status, block.size.get(), world.at(DATA, 300)), (Status::SUCCESS, 300, &[1; 300][..]));
    assert_eq!((block.source, block.source_port.get()), (SERVER.octets(), 4011));
    assert_eq!((block.destination, block.destination_port.get()), (ADDRESS.octets(), 68));
    // From any port, and cut.
    let (status, block) = udp_read(&mut world, [0; 4], 0, 8);
    assert_eq!((status, block.size.get(), block.destination_port.get()), (Status::SUCCESS, 8, 68));
    assert_eq!(udp_read(&mut world, [0; 4], 0, 100).1.destination_port.get(), 2069);
    assert_eq!(udp_read(&mut world, [0; 4], 0, 100).0, Status::FAILURE);
    // Only what was sent to that address.
    world.network.datagrams.push((68, from, Ipv4Addr::BROADCAST, vec![4; 4]));
    assert_eq!(udp_read(&mut world, ADDRESS.octets(), 68, 100).0, Status::FAILURE);
    world.network.datagrams.push((68, from, Ipv4Addr::BROADCAST, vec![4; 4]));
    assert_eq!(udp_read(&mut world, [255; 4], 68, 100).0, Status::SUCCESS);
    // A port that was only read at.
    assert_eq!(udp_read(&mut world, [0; 4], 5000, 100).0, Status::FAILURE);
    world.network.datagrams.push((5000, from, ADDRESS, vec![5; 5]));
    assert_eq!(udp_read(&mut world, [0; 4], 5000, 100).1.size.get(), 5);
    world.network.failure = Some(Status::ARP_TIMEOUT);
    assert_eq!(write(&mut world, 68, 4011).0, Status::ARP_TIMEOUT);
    assert_eq!(world.plain(Opcode::UDP_CLOSE), Status::SUCCESS);
    assert!(world.network.ports.is_empty());
}

#[test]
fn udp_takes_the_address_that_it_is_given() {
    let mut world = World::new();
    let open = |world: &mut World, address| {
        world.with(Opcode::UDP_OPEN, |block: &mut UdpOpen| block.address = address).0
    };
    for address in [[255; 4], [224, 0, 0, 1], [127, 0, 0, 1]] {
        assert_eq!(open(&mut world, address), Status::INVALID_PARAMETER);
    }
    world.network.failure = Some(Status::FAILURE);
    assert_eq!(open(&mut world, [10, 0, 0, 77]), Status::FAILURE);
    // Its own one is not set again.
    assert_eq!(open(&mut world, ADDRESS.octets()), Status::SUCCESS);
    world.network.failure = None;
    world.plain(Opcode::UDP_CLOSE);
    assert_eq!(open(&mut world, [10, 0, 0, 77]), Status::SUCCESS);
    assert_eq!(world.network.address, Some([10, 0, 0, 77].into()));
}

#[test]
fn many_ports_do_not_fill_memory() {
    let mut world = World::new();
    world.plain(Opcode::UDP_OPEN);
    for port in 1000..1100 {
        udp_read(&mut world, [0; 4], port, 100);
    }
    assert_eq!(world.network.ports, (1092..1100).collect::<Vec<_>>());
}

#[test]
fn pointers_that_lead_nowhere_are_refused_by_udp() {
    let mut world = World::new();
    world.plain(Opcode::UDP_OPEN);
    for buffer in
        [SegOff::default(), BLOCK, SegOff::new(0x9000, 0), SegOff::new(0x2000, 0xffff), SegOff::new(0x40, 0)]
    {
        let (status, _) = world.with(Opcode::UDP_READ, |block: &mut UdpRead| {
            (block.destination_port, block.size, block.buffer) = (68.into(), 100.into(), far(buffer));
        });
        assert_eq!(status, Status::INVALID_PARAMETER, "{buffer}");
    }
    for buffer in [SegOff::default(), SegOff::new(0x2000, 0xffff), SegOff::new(0xffff, 0xf)] {
        let (status, _) = world.with(Opcode::UDP_WRITE, |block: &mut UdpWrite| {
            (block.destination, block.destination_port) = (SERVER.octets(), 69.into());
            (block.size, block.buffer) = (100.into(), far(buffer));
        });
        assert_eq!(status, Status::INVALID_PARAMETER, "{buffer}");
    }
    assert!(world.network.sent.is_empty());
}

fn file_open(world: &mut World, uri: &[u8]) -> (Status, u16) {
    world.put(TEXT, uri);
    let (status, block) = world.with(Opcode::FILE_OPEN, |block: &mut FileOpen| block.name = far(TEXT));
    (status, block.handle.get())
}

#[test]
fn any_address_is_read() {
    let mut world = World::new();
    let (status, handle) = file_open(&mut world, b"http://server/file\0");
    assert_eq!(
        (status, &world.network.asked[..]),
        (Status::SUCCESS, &[Asked::Uri(b"http://server/file".to_vec())][..])
    );
    let (status, second) = file_open(&mut world, b"second\0");
    assert!(status == Status::SUCCESS && second != handle);
    let select = |world: &mut World, handle: u16| {
        world.with(Opcode::FILE_SELECT, |block: &mut FileSelect| block.handle = handle.into())
    };
    let read = |world: &mut World, handle: u16, buffer| {
        world.with(Opcode::FILE_READ, |block: &mut FileRead| {
            (block.handle, block.size, block.buffer) = (handle.into(), 1000.into(), far(buffer));
        })
    };
    let size = |world: &mut World, handle: u16| {
        world.with(Opcode::GET_FILE_SIZE, |block: &mut GetFileSize| block.handle = handle.into())
    };
    assert_eq!(size(&mut world, handle).1.size.get(), 1500);
    world.network.is_ready = false;
    assert_eq!(select(&mut world, handle).1.ready.get(), 0);
    assert_eq!(read(&mut world, handle, DATA).0, Status::TFTP_OPEN);
    world.network.is_ready = true;
    assert_eq!(select(&mut world, handle).1.ready.get(), 1);
    assert_eq!(read(&mut world, handle, SegOff::new(0x9000, 0)).0, Status::INVALID_PARAMETER);
    for length in [1000, 500, 0] {
        let (status, block) = read(&mut world, handle, DATA);
        assert_eq!((status, block.size.get()), (Status::SUCCESS, length));
    }
    assert_eq!(world.at(DATA, 500), &world.network.content[1000..]);
    world.network.knows_size = false;
    assert_eq!(size(&mut world, handle).0, Status::TFTP_NO_SIZE);
    let close = |world: &mut World, handle: u16| {
        world.with(Opcode::FILE_CLOSE, |block: &mut FileClose| block.handle = handle.into()).0
    };
    assert_eq!(close(&mut world, handle), Status::SUCCESS);
    for status in [
        close(&mut world, handle),
        select(&mut world, handle).0,
        read(&mut world, handle, DATA).0,
        size(&mut world, handle).0,
    ] {
        assert_eq!(status, Status::INVALID_PARAMETER);
    }
    assert_eq!(world.network.files.len(), 1);
    world.services.close(&mut world.network);
    assert!(world.network.files.is_empty());
}

#[test]
fn addresses_without_an_end_are_refused_and_so_are_too_many() {
    let mut world = World::new();
    assert_eq!(file_open(&mut world, b"\0").0, Status::INVALID_PARAMETER);
    assert_eq!(file_open(&mut world, &[b'a'; 4000]).0, Status::INVALID_PARAMETER);
    for name in [SegOff::default(), SegOff::new(0x2000, 0xfffe), SegOff::new(0xffff, 0xc)] {
        world.put(SegOff::new(0x2000, 0xfffe), b"aa");
        world.put(SegOff::new(0xffff, 0xc), b"aaaa");
        let (status, _) = world.with(Opcode::FILE_OPEN, |block: &mut FileOpen| block.name = far(name));
        assert_eq!(status, Status::INVALID_PARAMETER, "{name}");
    }
    for _ in 0..8 {
        assert_eq!(file_open(&mut world, b"x\0").0, Status::SUCCESS);
    }
    assert_eq!(file_open(&mut world, b"x\0").0, Status::OUT_OF_RESOURCES);
}

#[test]
fn the_file_calls_say_what_they_are() {
    let mut world = World::new();
    let check = |world: &mut World, magic: u32, size: u16| {
        world.with(Opcode::FILE_API_CHECK, |block: &mut FileApiCheck| {
            (block.magic, block.size) = (magic.into(), size.into());
        })
    };
    let (status, block) = check(&mut world, 0x91d4_47b2, 20);
    assert_eq!((status, block.magic.get(), block.size.get()), (Status::SUCCESS, 0xe9c1_7b20, 20));
    // PXELINUX asks for open, close, read and check, gpxecmd.c32 for FILE_EXEC. The mask is true.
    assert_eq!(block.mask.get(), 0x17f);
    for number in 0..9 {
        let is_there = world.plain(Opcode(0xe0 + number)) != Status::UNSUPPORTED;
        assert_eq!(block.mask.get() >> number & 1 != 0, is_there, "call {number}");
    }
    assert_eq!(check(&mut world, 0x91d4_47b3, 20).0, Status::BAD_FUNCTION);
    assert_eq!(check(&mut world, 0x91d4_47b2, 19).0, Status::OUT_OF_RESOURCES);
}

#[test]
fn commands_run_and_arguments_are_told() {
    let mut world = World::new();
    world.put(TEXT, b"echo hello\0");
    let run = |world: &mut World, at| {
        world.with(Opcode::FILE_EXEC, |block: &mut FileExec| block.command = far(at)).0
    };
    assert_eq!(run(&mut world, TEXT), Status::SUCCESS);
    assert_eq!(world.network.commands, [b"echo hello"]);
    assert_eq!(run(&mut world, SegOff::default()), Status::INVALID_PARAMETER);
    world.network.failure = Some(Status::FAILURE);
    assert_eq!(run(&mut world, TEXT), Status::FAILURE);
    world.network.failure = None;

    let arguments = |world: &mut World, size: u16, buffer| {
        let (status, block) = world.with(Opcode::FILE_CMDLINE, |block: &mut FileCommandLine| {
            (block.size, block.buffer) = (size.into(), far(buffer));
        });
        (status, block.size.get())
    };
    assert_eq!(arguments(&mut world, 100, DATA), (Status::SUCCESS, 13));
    assert_eq!(world.at(DATA, 14), b"quiet splash\0\0");
    assert_eq!(arguments(&mut world, 0, SegOff::default()), (Status::SUCCESS, 13));
    assert_eq!(arguments(&mut world, 5, SegOff::new(0x4000, 0)), (Status::SUCCESS, 13));
    assert_eq!(world.at(SegOff::new(0x4000, 0), 6), b"quiet\0");
    assert_eq!(arguments(&mut world, 100, SegOff::default()).0, Status::INVALID_PARAMETER);
    world.services.arguments.clear();
    assert_eq!(arguments(&mut world, 100, DATA), (Status::SUCCESS, 0));
}

/// A world whose program calls in protected mode. Its selectors: 8 our data, 10h all from BLOCK on, 18h a page above 1 MiB,
/// 20h one that expands down, 28h one that is not present, 30h a call gate.
fn protected() -> World {
    const TABLE: PhysRange = PhysRange::new(0x5000, 0x5038);
    let segment = |base: u64, limit: u64, access: u64| {
        limit & 0xffff | (base & 0xff_ffff) << 16 | access << 40 | limit >> 16 << 48 | base >> 24 << 56
    };
    let entries = [
        0,
        segment(0x9_0000, 0xffff, 0x93),
        segment(BLOCK.linear().into(), 0xffff, 0x93),
        segment(0x11_0000, 0, 0x92) | 1 << 55,
        segment(0x1000, 0, 0x96),
        segment(0, 0xffff, 0x12),
        segment(0, 0xffff, 0x8c),
    ];
    let mut world = World::new();
    for (place, entry) in (0..).zip(entries) {
        world.put(SegOff::new(0x500, place * 8), &entry.to_le_bytes());
    }
    world.memory.selectors = Some(Selectors { table: TABLE, data: 8 });
    world
}

#[test]
fn a_call_in_protected_mode_names_memory_by_selectors() {
    let mut world = protected();
    let at = |segment, offset| SegOff::new(segment, offset);
    let call = |world: &mut World, parameters| {
        world.put(BLOCK, CachedInfo { kind: 2.into(), ..CachedInfo::new_zeroed() }.as_bytes());
        let World { services, memory, network } = world;
        services.call(Opcode::GET_CACHED_INFO, parameters, memory, network)
    };
    assert_eq!(call(&mut world, at(0x10, 0)), Answer::Return(Status::SUCCESS));
    let told = CachedInfo::read_from_bytes(world.at(BLOCK, size_of::<CachedInfo>())).unwrap();
    assert_eq!(SegOff::from(told.buffer), at(8, 1260));
    // What is not a segment, or lies beyond one, or beyond the table.
    for (segment, offset) in [
        (0, 0),
        (3, 0),
        (0x14, 0),
        (0x20, 0),
        (0x28, 0),
        (0x30, 0),
        (0x38, 0),
        (0xfff8, 0),
        (0x10, 0xfff8),
        (0x18, 0x1000),
    ] {
        world.memory.written.clear();
        let answer = call(&mut world, at(segment, offset));
        assert_eq!(answer, Answer::Return(Status::INVALID_PARAMETER), "{segment:x}:{offset:x}");
        assert!(world.memory.written.is_empty());
    }
    // A buffer above 1 MiB, where real mode has none, and one that is ours.
    for (segment, status) in [(0x18, Status::SUCCESS), (8, Status::INVALID_PARAMETER)] {
        let block = FileCommandLine {
            size: 100.into(),
            buffer: far(at(segment, 0x10)),
            ..FileCommandLine::default()
        };
        world.put(BLOCK, block.as_bytes());
        let World { services, memory, network } = &mut world;
        let answer = services.call(Opcode::FILE_CMDLINE, at(0x10, 0), memory, network);
        assert_eq!(answer, Answer::Return(status));
    }
    assert_eq!(world.memory.bytes[0x11_0010..][..13], *b"quiet splash\0");
}

#[test]
fn a_call_in_protected_mode_without_selectors_fails() {
    for data in [0, 0x10, 0x28, 0x80] {
        let mut world = protected();
        world.memory.selectors = world.memory.selectors.map(|selectors| Selectors { data, ..selectors });
        world.put(BLOCK, &[0; 16]);
        let World { services, memory, network } = &mut world;
        let answer = services.call(Opcode::GET_INFORMATION, SegOff::new(0x10, 0), memory, network);
        assert_eq!(answer, Answer::Return(Status::FAILURE));
        assert_eq!(world.at(BLOCK, 4), [1, 0, 0, 0]);
    }
    let mut bytes = bang_pxe(&Places::default());
    let (pxe, _) = BangPxe::mut_from_prefix(&mut bytes).unwrap();
    (pxe.undi_code.segment, pxe.undi_data.segment) = (0x18.into(), 0x20.into());
    assert_eq!([0x18, 0x10].map(|code| data_selector(&bytes, code)), [0x20, 0]);
    assert_eq!(data_selector(&bytes[1..], 0x18), 0);
}

#[test]
fn parameters_that_cannot_be_answered_in_are_not_touched() {
    for at in [
        SegOff::default(),
        SegOff::new(0, 0x400),
        SegOff::new(0x4f, 0xe),
        SegOff::new(0x9000, 0x100),
        SegOff::new(0x8fff, 0xf),
        SegOff::new(0xa000, 0),
        SegOff::new(0x9fff, 0xf),
        SegOff::new(0x2000, 0xffff),
        SegOff::new(0xffff, 0x10),
        SegOff::new(0xffff, 0xffff),
    ] {
        for opcode in [Opcode::UDP_OPEN, Opcode::STARTUP, Opcode(0x99), Opcode::RESTART_TFTP] {
            let mut world = World::new();
            let answer = world.services.call(opcode, at, &mut world.memory, &mut world.network);
            assert_eq!(answer, Answer::Return(Status::INVALID_PARAMETER), "{at}");
            assert_eq!((answer.ax(), world.memory.written.len()), (EXIT_FAILURE, 0));
        }
    }
}

#[test]
fn the_structures_are_found_and_sound() {
    let segment = |segment, size| Segment { segment, size };
    let places = Places {
        entry: SegOff::new(0x9000, 0x1800),
        protected_entry: SegOff::new(0x9000, 0x1900),
        register_entry: SegOff::new(0x9000, 0x1810),
        bang_pxe: SegOff::new(0x9000, 0x1000),
        undi_rom_id: SegOff::new(0xd000, 0x80),
        stack: segment(0x9600, 0x800),
        undi_data: segment(0x9000, 0x2000),
        undi_code: segment(0x9200, 0x1000),
        base_data: segment(0x9400, 0x10),
        base_code: segment(0x9500, 0x20),
    };
    let mut memory = vec![0; 0x10_0000];
    memory[0x9_1000..0x9_1058].copy_from_slice(&bang_pxe(&places));
    memory[0x9_2000..0x9_202c].copy_from_slice(&pxenv_plus(&places));
    memory[0x413..0x415].copy_from_slice(&[0x40, 2]);
    // By the eyes of our own client.
    for hints in [
        find::Hints { stack: SegOff::new(0x9000, 0x1000), ..find::Hints::default() },
        find::Hints { es_bx: SegOff::new(0x9000, 0x2000), ..find::Hints::default() },
        find::Hints::default(),
    ] {
        let stack = find::find(&&memory[..], &hints).unwrap();
        assert!(stack.is_bang_pxe && stack.findings.is_empty(), "{:?}", stack.findings);
        assert_eq!((stack.entry, stack.structure.linear()), (places.entry, 0x9_1000));
        assert_eq!(stack.undi, [places.undi_data, places.undi_code, places.undi_code]);
        assert_eq!(stack.base_code, [places.base_data, places.base_code, places.base_code, places.stack]);
    }
    // PXENV+ by itself has its own entry.
    memory[0x9_1000..0x9_1058].fill(0);
    let stack = find::find(&&memory[..], &find::Hints::default()).unwrap();
    assert_eq!((stack.is_bang_pxe, stack.entry), (false, places.register_entry));
    let pxe = BangPxe::read_from_bytes(&bang_pxe(&places)).unwrap();
    assert_eq!(SegOff::from(pxe.entry_esp), places.protected_entry);
    assert_eq!((pxe.undi_code.address.get(), pxe.segment_count), (0x9_2000, 7));
    assert_eq!((SegOff::from(pxe.undi_rom_id), pxe.base_rom_id), (places.undi_rom_id, FarPointer::default()));
}

/// Bytes of parameters, and what else a call may write to by what they say: offset of a far pointer and of a word with
/// the room there.
fn shape(opcode: u16) -> (u64, Option<(usize, usize)>) {
    match opcode {
        0x00 => (12, None),
        0x03 => (14, None),
        0x04 | 0x09 => (132, None),
        0x06 => (136, None),
        0x08 => (20, None),
        0x0a | 0x0d => (18, None),
        0x0b => (3, None),
        0x0c => (50, None),
        0x11 => (22, None),
        0x12 => (17, None),
        0x13 => (42, None),
        0x14 => (16, None),
        0x15 | 0x70 => (12, None),
        0x20 | 0x25 => (142, None),
        0x23 | 0x24 => (158, None),
        0x22 => (10, None),
        0x30 => (6, None),
        0x32 => (20, Some((16, 14))),
        0x33 => (20, None),
        0x71 => (12, Some((6, 4))),
        0xe0 => (12, None),
        0xe1 => (4, None),
        0xe2 | 0xe5 | 0xe7 => (6, None),
        0xe3 => (10, Some((6, 4))),
        0xe4 => (8, None),
        0xe6 => (20, None),
        0xe8 => (8, Some((4, 2))),
        _ => (2, None),
    }
}

fn opcodes() -> impl Strategy<Value = u16> {
    prop_oneof![
        0..=0x16_u16,
        0x20..=0x26_u16,
        0x30..=0x34_u16,
        0x6f..=0x77_u16,
        0xdf..=0xe9_u16,
        any::<u16>()
    ]
}

/// Far pointers, many of them near to what matters.
fn pointers() -> impl Strategy<Value = SegOff> {
    let segment = prop_oneof![
        Just(0x2000_u16),
        Just(0),
        Just(0x40),
        0x8ff0..0x9010_u16,
        0x9ff0..0xa010_u16,
        any::<u16>()
    ];
    let offset = prop_oneof![0..0x40_u16, 0xff00..=0xffff_u16, any::<u16>()];
    (segment, offset).prop_map(|(segment, offset)| SegOff::new(segment, offset))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]
    #[test]
    fn whatever_is_called_nothing_else_is_written(
        calls in proptest::collection::vec(
            (opcodes(), pointers(), pointers(), proptest::collection::vec(any::<u8>(), 158), any::<bool>()), 1..12),
        failing in any::<bool>(),
    ) {
        let mut world = World::new();
        let own = [PhysRange::with_length(0x9_0000, 3 * 1260), PhysRange::with_length(0x9_1000, 1518)];
        for (opcode, at, buffer, mut bytes, is_tame) in calls {
            world.network.card.arrived.push_back(frame(MAC, 0x0800, 3));
            world.network.datagrams.push((68, SocketAddrV4::new(SERVER, 69), ADDRESS, vec![1; 600]));
            world.network.failure = (failing && bytes[157] & 3 == 0).then_some(Status::FAILURE);
            let (length, pointer) = shape(opcode);
            // Half of the calls are such that more than a refusal comes of them.
            let place = match (opcode, pointer) {
                (0x22, _) => Some((6, None)),
                (_, Some((place, size))) => Some((place, Some(size))),
                _ => None,
            };
            let at = if is_tame { BLOCK } else { at };
            if is_tame {
                bytes[2..6].copy_from_slice(&if opcode == 0x71 { [2, 0, 0, 4] } else { SERVER.octets() });
                bytes[3] = if matches!(opcode, 0x14 | 0x71) { 0 } else { bytes[3] };
            }
            if let Some((place, _)) = place {
                bytes[place..place + 4].copy_from_slice(far(buffer).as_bytes());
            }
            let start = at.linear() as usize;
            if start + bytes.len() <= MEMORY_END && start >= 0x500 {
                world.put(at, &bytes);
            }
            world.memory.written.clear();
            let answer = world.services.call(Opcode(opcode), at, &mut world.memory, &mut world.network);
            prop_assert!(matches!(answer, Answer::Return(_)) || opcode == 0x73);
            let word = |place: usize| u64::from(u16::from_le_bytes([bytes[place], bytes[place + 1]]));
            let room = match (opcode, place) {
                (0x23 | 0x24, _) => {
                    let number = |at: usize| u32::from_le_bytes(bytes[at..at + 4].try_into().unwrap());
                    PhysRange::with_length(number(134).into(), number(130).into())
                }
                (0x73, _) => PhysRange::new(0x7c00, 0xa_0000),
                (_, Some((_, size))) => PhysRange::with_length(buffer.linear().into(), size.map_or(1468, word)),
                _ => PhysRange::default(),
            };
            let block = PhysRange::with_length(at.linear().into(), length);
            for written in &world.memory.written {
                let is_own = own.iter().any(|own| own.contains(*written));
                prop_assert!(is_own || block.contains(*written) || room.contains(*written), "{opcode:#x} {written:?}");
                let is_ram = (written.start() >= 0x500 && written.end() <= 0xa_0000) || written.start() >= 0x10_0000;
                prop_assert!(is_own || (is_ram && !written.overlaps(RESERVED)), "{opcode:#x} {written:?}");
            }
        }
        world.services.close(&mut world.network);
        prop_assert!(world.network.ports.is_empty() && world.network.files.is_empty());
        prop_assert!(world.network.card.is_open);
    }
}
