//! Pictures: any file gives out pixels that it has, each at most once, in bounded memory and time.
#![no_main]

use libfuzzer_sys::fuzz_target;
use picture::{AREA_LIMIT, Picture, SIDE_LIMIT};

fuzz_target!(|data: &[u8]| {
    let Ok(picture) = Picture::open(data) else { return };
    let (width, height) = (picture.width, picture.height);
    assert!((1..=SIDE_LIMIT).contains(&width) && (1..=SIDE_LIMIT).contains(&height));
    assert!(width * height <= AREA_LIMIT);
    // Large ones only take long.
    if width * height > 1 << 16 {
        return;
    }
    let mut seen = vec![false; (width * height) as usize];
    let complete = picture.decode(&mut |column, row, colour| {
        assert!(column < width && row < height && colour < 1 << 24);
        assert!(!std::mem::replace(&mut seen[(row * width + column) as usize], true), "twice");
    });
    assert!(complete.is_err() || seen.into_iter().all(|seen| seen), "not all pixels");
});
