//! Files by TFTP, in packets and whole, and another program in the place of the one that calls.

use super::*;

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
