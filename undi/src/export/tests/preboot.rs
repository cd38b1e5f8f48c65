//! The cached packets, and the base code as a whole.

use super::*;

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
    assert_eq!(world.plain(Opcode::UNLOAD_STACK), Status::SUCCESS);
    assert!(world.network.ports.is_empty() && !world.network.is_released);
    assert_eq!(world.plain(Opcode::UDP_OPEN), Status::FAILURE);
    assert_eq!(world.plain(Opcode::START_BASE), Status::FAILURE);
    // The UNDI works on.
    assert_eq!(world.call(Opcode::OPEN, &mut [0_u8; 136]), Status::SUCCESS);
}
