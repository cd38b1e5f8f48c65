//! Archives: any bytes, unpacked step by step into little room.
#![no_main]

use image::Unpacker;
use libfuzzer_sys::fuzz_target;

/// More than one step makes.
const ROOM: usize = 600_000;

fuzz_target!(|data: &[u8]| {
    let mut room = vec![0; ROOM];
    let Ok(mut unpacker) = Unpacker::new("archive", data) else { return };
    for _ in 0..4 {
        match unpacker.step(data, &mut room) {
            Ok(None) => {}
            Ok(Some(length)) => return assert!(length <= ROOM),
            Err(_) => return,
        }
    }
    panic!("an archive without end");
});
