//! Archives: any bytes, unpacked step by step into little room, and as DEFLATE without a head to what others make of it.
#![no_main]

use image::{Deflate, Format, Unpacker, Xz, Zstd, recognise};
use inflate::{Fault, Inflate};
use libfuzzer_sys::fuzz_target;
use miniz_oxide::inflate::decompress_slice_iter_to_slice;

/// More than one step makes.
const ROOM: usize = 600_000;

/// What comes out is what comes out of a library, or neither has it.
fn agrees(data: &[u8]) {
    let mut ours = vec![0; ROOM];
    let mut theirs = vec![0; ROOM];
    let mut bytes = data.iter().copied();
    let mut inflate = Inflate::default();
    let run = inflate.run(&mut || bytes.next(), &mut ours, usize::MAX);
    match (run, decompress_slice_iter_to_slice(&mut theirs, [data].into_iter(), false, true)) {
        (Ok(is_all), Ok(made)) => assert!(is_all && ours[..inflate.made] == theirs[..made]),
        (run, library) => assert!(matches!(run, Err(Fault::Short | Fault::Bad | Fault::Large)) && library.is_err()),
    }
}

fuzz_target!(|data: &[u8]| {
    agrees(data);
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
