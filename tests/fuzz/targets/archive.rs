//! Archives: any bytes, unpacked step by step into little room, at once and in pieces, and as DEFLATE without a head to what others make of it.
#![no_main]

use base::ErrorKind;
use image::errors::SHORT_ARCHIVE;
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
        (run, library) => {
            assert!(matches!(run, Err(Fault::Short | Fault::Bad | Fault::Large)) && library.is_err())
        }
    }
}

/// What all steps come to with what there is of an archive.
fn steps(unpacker: &mut dyn Unpacker, archive: &[u8], room: &mut [u8]) -> Result<usize, &'static ErrorKind> {
    // Each step takes something, or makes a whole step's output.
    for _ in 0..archive.len() + 4 {
        if let Some(length) = unpacker.step(archive, room)? {
            assert!(length <= ROOM && length == unpacker.made());
            return Ok(length);
        }
    }
    panic!("an archive without end");
}

/// The same comes out whether all of an archive is there or it comes in pieces of that size.
fn unpack(archive: &[u8], size: usize) {
    let begin = |come: &[u8]| -> Result<Box<dyn Unpacker>, _> {
        match recognise(archive) {
            Format::Archive("xz") => Ok(Box::new(Xz::try_new(come)?)),
            Format::Archive("zstd") => Ok(Box::new(Zstd::new())),
            _ => Ok(Box::new(Deflate::try_new(come)?)),
        }
    };
    let mut room = vec![0; ROOM];
    let at_once = begin(archive).and_then(|mut unpacker| steps(&mut *unpacker, archive, &mut room));
    let mut other_room = vec![0; ROOM];
    let mut unpacker = None;
    // The first three bytes tell what it is.
    for end in (3..archive.len()).step_by(size).chain([archive.len()]) {
        let come = &archive[..end];
        let begun = unpacker.take().map_or_else(|| begin(come), Ok);
        let step = begun.and_then(|begun| steps(&mut **unpacker.insert(begun), come, &mut other_room));
        match step {
            _ if end == archive.len() => assert_eq!(step, at_once),
            Err(kind) if kind != &SHORT_ARCHIVE => return assert_eq!(at_once, Err(kind)),
            _ => {}
        }
    }
    if let Ok(length) = at_once {
        assert!(room[..length] == other_room[..length]);
    }
}

fuzz_target!(|data: &[u8]| {
    agrees(data);
    unpack(data, 1 + data.iter().map(|byte| usize::from(*byte)).sum::<usize>() % 300);
});
