//! The card: its states, what is received and sent, and what it says of itself.

use super::*;
use nic::Counters;

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
    assert!(world.network.is_released);
    world.services.close(&mut world.network);
    assert!(world.network.card.is_open);
}

#[test]
fn an_undi_alone_is_started_first_and_knows_no_other_calls() {
    let World { mut memory, mut network, .. } = World::new();
    network.card.is_open = false;
    let mut undi = Undi::stopped(fence(), FRAME, 1518);
    let mut call = |opcode| undi.call(opcode, BLOCK, &mut memory, &mut network);
    assert_eq!(call(Opcode::INITIALIZE), Status::INVALID_STATE);
    let answers = [Opcode::STARTUP, Opcode::INITIALIZE, Opcode::OPEN].map(&mut call);
    assert_eq!(answers, [Status::SUCCESS; 3]);
    for opcode in (0..=0x200).chain([0xffff]) {
        let is_known = matches!(opcode, 0..=0x0e | 0x11..=0x15);
        assert_eq!(call(Opcode(opcode)) != Status::UNSUPPORTED, is_known, "{opcode:#x}");
    }
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
    assert!(!world.network.is_released);
    world.plain(Opcode::SHUTDOWN);
    world.network.failure = Some(Status::KEEP_UNDI);
    assert_eq!(world.plain(Opcode::STOP_UNDI), Status::KEEP_UNDI);
    world.network.failure = None;
    assert_eq!(world.plain(Opcode::STOP_UNDI), Status::SUCCESS);
    assert!(world.network.is_released);
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
    world.services.undi.room = 64;
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
    world.services.undi.room = 1518;
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
fn the_station_keeps_its_address() {
    let mut world = World::new();
    let set = |mac: [u8; 6]| move |block: &mut SetStationAddress| block.address[..6].copy_from_slice(&mac);
    assert_eq!(
        world.with(Opcode::SET_STATION_ADDRESS, set([1, 0, 0, 0, 0, 5])).0,
        Status::INVALID_MAC_ADDRESS
    );
    assert_eq!(world.with(Opcode::SET_STATION_ADDRESS, set([2, 0, 0, 0, 0, 5])).0, Status::UNSUPPORTED);
    assert_eq!(world.with(Opcode::SET_STATION_ADDRESS, set(MAC.0)).0, Status::SUCCESS);
    world.call(Opcode::OPEN, &mut [0_u8; 136]);
    assert_eq!(world.with(Opcode::SET_STATION_ADDRESS, set(MAC.0)).0, Status::INVALID_STATE);
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
