//! Datagrams.

use super::*;

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
