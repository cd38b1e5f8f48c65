//! The calls of iPXE: files by any address, commands, arguments.

use super::*;

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
    // One that takes the program's memory: nothing of it is written to any more.
    world.network.is_taken = true;
    world.memory.written.clear();
    for (failure, status) in [(Some(Status::FAILURE), Status::FAILURE), (None, Status::SUCCESS)] {
        world.network.failure = failure;
        world.put(BLOCK, FileExec { command: far(TEXT), ..FileExec::new_zeroed() }.as_bytes());
        let World { services, memory, network } = &mut world;
        let answer = services.call(Opcode::FILE_EXEC, BLOCK, memory, network);
        assert_eq!(answer, Answer::Return(status));
    }
    assert!(world.memory.written.is_empty());
    world.network.is_taken = false;

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
