//! Calls in protected mode.

use super::*;

/// A world whose program calls in protected mode. Its selectors: 8 our data, 10h all from BLOCK on, 18h a page above 1 MiB,
/// 20h one that expands down, 28h one that is not present, 30h a call gate, 38h an LDT. In that, 4 is as 10h, and Ch a
/// call gate.
fn protected() -> World {
    const TABLE: PhysRange = PhysRange::new(0x5000, 0x5040);
    const LOCAL_TABLE: u64 = TABLE.end();
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
        segment(LOCAL_TABLE, 15, 0x82),
        segment(BLOCK.linear().into(), 0xffff, 0x93),
        segment(0, 0xffff, 0x8c),
    ];
    let mut world = World::new();
    for (place, entry) in (0..).zip(entries) {
        world.put(SegOff::new(0x500, place * 8), &entry.to_le_bytes());
    }
    world.memory.selectors = Some(Selectors { table: TABLE, local: 0x38, data: 8 });
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
    for segment in [0x10, 4, 7] {
        assert_eq!(call(&mut world, at(segment, 0)), Answer::Return(Status::SUCCESS));
        let told = CachedInfo::read_from_bytes(world.at(BLOCK, size_of::<CachedInfo>())).unwrap();
        assert_eq!(SegOff::from(told.buffer), at(8, 1260));
    }
    // What is not a segment, or lies beyond one, or beyond the table.
    for (segment, offset) in [
        (0, 0),
        (3, 0),
        (0xc, 0),
        (0x14, 0),
        (4, 0xfff8),
        (0x20, 0),
        (0x28, 0),
        (0x30, 0),
        (0x38, 0),
        (0x40, 0),
        (0xfff8, 0),
        (0xfffc, 0),
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
fn local_selectors_mean_nothing_without_a_table_for_them() {
    // None, one that is not in the GDT, and others that are no LDT.
    for local in [0, 0x3c, 0x40, 0x10, 0x28, 0x30] {
        let mut world = protected();
        world.memory.selectors = world.memory.selectors.map(|selectors| Selectors { local, ..selectors });
        world.put(BLOCK, &[0; 16]);
        let World { services, memory, network } = &mut world;
        let answer = services.call(Opcode::GET_INFORMATION, SegOff::new(4, 0), memory, network);
        assert_eq!(answer, Answer::Return(Status::INVALID_PARAMETER), "{local:x}");
        assert!(memory.written.is_empty());
    }
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
        let World { memory, network, .. } = &mut world;
        let mut undi = Undi::stopped(fence(), FRAME, 1518);
        assert_eq!(undi.call(Opcode::STARTUP, SegOff::new(0x10, 0), memory, network), Status::FAILURE);
    }
    let mut bytes = bang_pxe(&Places::default());
    let (pxe, _) = BangPxe::mut_from_prefix(&mut bytes).unwrap();
    (pxe.undi_code.segment, pxe.undi_data.segment) = (0x18.into(), 0x20.into());
    assert_eq!([0x18, 0x10].map(|code| data_selector(&bytes, code)), [0x20, 0]);
    assert_eq!(data_selector(&bytes[1..], 0x18), 0);
}
