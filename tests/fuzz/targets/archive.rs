//! Archives: any bytes, unpacked step by step into little room.
#![no_main]

use image::{Deflate, Format, Unpacker, Xz, Zstd, recognise};
use libfuzzer_sys::fuzz_target;

/// More than one step makes.
const ROOM: usize = 600_000;

fuzz_target!(|data: &[u8]| {
    let mut room = vec![0; ROOM];
    let unpacker: Result<Box<dyn Unpacker>, _> = match recognise(data) {
        Format::Archive("xz") => Xz::try_new(data).map(|unpacker| Box::new(unpacker) as _),
        Format::Archive("zstd") => Ok(Box::new(Zstd::new())),
        _ => Deflate::try_new(data).map(|unpacker| Box::new(unpacker) as _),
    };
    let Ok(mut unpacker) = unpacker else { return };
    // Each step takes something, or makes a whole step's output.
    for _ in 0..data.len() + 4 {
        match unpacker.step(data, &mut room) {
            Ok(None) => {}
            Ok(Some(length)) => return assert!(length <= ROOM),
            Err(_) => return,
        }
    }
    panic!("an archive without end");
});
