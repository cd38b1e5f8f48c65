//! Pictures of all kinds, written here and read by us and by the crate `png`.

use crate::{Picture, errors};
use alloc::vec;
use alloc::vec::Vec;
use base::{Error, ErrorKind};
use miniz_oxide::deflate::compress_to_vec_zlib;
use proptest::prelude::*;
use std::io::Cursor;

extern crate std;

/// Colour types and the depths that each may have.
const FORMATS: [(u8, u8); 15] = [
    (0, 1),
    (0, 2),
    (0, 4),
    (0, 8),
    (0, 16),
    (2, 8),
    (2, 16),
    (3, 1),
    (3, 2),
    (3, 4),
    (3, 8),
    (4, 8),
    (4, 16),
    (6, 8),
    (6, 16),
];

const ADAM7: [[usize; 4]; 7] =
    [[0, 0, 8, 8], [4, 0, 8, 8], [0, 4, 4, 8], [2, 0, 4, 4], [0, 2, 2, 4], [1, 0, 2, 2], [0, 1, 1, 2]];

/// All colours as they come, and their places once.
fn decoded(bytes: &[u8]) -> Result<(u32, u32, Vec<u32>), Error> {
    let picture = Picture::open(bytes)?;
    let mut pixels = vec![None; (picture.width * picture.height) as usize];
    picture.decode(&mut |column, row, colour| {
        let place = &mut pixels[(row * picture.width + column) as usize];
        assert!(colour < 1 << 24 && place.is_none());
        *place = Some(colour);
    })?;
    let pixels = pixels.into_iter().map(|pixel| pixel.expect("each pixel is given out"));
    Ok((picture.width, picture.height, pixels.collect()))
}

fn fails(bytes: &[u8], kind: &ErrorKind) -> bool {
    decoded(bytes).is_err_and(|error| error.is(kind))
}

fn chunk(kind: &[u8; 4], data: &[u8]) -> Vec<u8> {
    let mut out = (data.len() as u32).to_be_bytes().to_vec();
    out.extend(kind);
    out.extend(data);
    let mut sum = !0u32;
    for byte in kind.iter().chain(data) {
        sum ^= u32::from(*byte);
        (0..8).for_each(|_| sum = sum >> 1 ^ if sum & 1 == 1 { 0xedb8_8320 } else { 0 });
    }
    out.extend((!sum).to_be_bytes());
    out
}

/// What a file is made of. Its samples are noise, so all values come up.
#[derive(Clone, Debug)]
struct Recipe {
    width: usize,
    height: usize,
    format: (u8, u8),
    interlaced: bool,
    transparent: bool,
    noise: Vec<u8>,
    /// Bytes of each IDAT chunk.
    piece: usize,
}

impl Recipe {
    fn file(&self) -> Vec<u8> {
        let (colour_type, depth) = self.format;
        let channels = [1, 0, 3, 1, 2, 0, 4][usize::from(colour_type)];
        let mut noise = self.noise.iter().cycle();
        let mut raw = Vec::new();
        let whole = [[0, 0, 1, 1]];
        let passes = if self.interlaced { &ADAM7[..] } else { &whole };
        for [x, y, step, row_step] in passes {
            if *x >= self.width || *y >= self.height {
                continue;
            }
            let pixels = (self.width - x).div_ceil(*step);
            for row in 0..(self.height - y).div_ceil(*row_step) {
                // Every filter in turn; whatever the bytes are, they mean something.
                raw.push(((row + *noise.next().unwrap() as usize) % 5) as u8);
                let bytes = (pixels * channels * usize::from(depth)).div_ceil(8);
                raw.extend(noise.by_ref().take(bytes));
            }
        }
        let mut header = Vec::new();
        header.extend((self.width as u32).to_be_bytes());
        header.extend((self.height as u32).to_be_bytes());
        header.extend([depth, colour_type, 0, 0, self.interlaced.into()]);
        let mut out = crate::png::SIGNATURE.to_vec();
        out.extend(chunk(b"IHDR", &header));
        out.extend(chunk(b"tEXt", b"Comment\0skipped"));
        if colour_type == 3 {
            let colours: Vec<_> = (0..3 << depth).map(|byte| (byte * 7) as u8).collect();
            out.extend(chunk(b"PLTE", &colours));
        }
        if self.transparent {
            match colour_type {
                0 => out.extend(chunk(b"tRNS", &[0, 1])),
                2 => out.extend(chunk(b"tRNS", &[0, self.noise[0], 0, self.noise[1], 0, self.noise[2]])),
                3 => out.extend(chunk(b"tRNS", &[0, 77])),
                _ => {}
            }
        }
        for piece in compress_to_vec_zlib(&raw, 6).chunks(self.piece) {
            out.extend(chunk(b"IDAT", piece));
        }
        out.extend(chunk(b"IEND", b""));
        out
    }
}

fn any_recipe() -> impl Strategy<Value = Recipe> {
    (
        1..40_usize,
        1..40_usize,
        prop::sample::select(&FORMATS[..]),
        any::<bool>(),
        any::<bool>(),
        proptest::collection::vec(any::<u8>(), 3..400),
        1..300_usize,
    )
        .prop_map(|(width, height, format, interlaced, transparent, noise, piece)| Recipe {
            width,
            height,
            format,
            interlaced,
            transparent,
            noise,
            piece,
        })
}

/// The same by the crate `png`: eight bits for each part, on black.
fn reference(file: &[u8]) -> Vec<u32> {
    let mut decoder = png::Decoder::new(Cursor::new(file));
    decoder.set_transformations(png::Transformations::EXPAND);
    let mut reader = decoder.read_info().unwrap();
    let mut bytes = vec![0; reader.output_buffer_size().unwrap()];
    let info = reader.next_frame(&mut bytes).unwrap();
    let width = if info.bit_depth == png::BitDepth::Sixteen { 2 } else { 1 };
    let channels = info.color_type.samples();
    let parts: Vec<u32> = bytes
        .chunks(width)
        .map(|part| part.iter().fold(0, |value, byte| value << 8 | u32::from(*byte)))
        .collect();
    let largest = (1u64 << (8 * width)) as u32 - 1;
    let mut out = Vec::new();
    for pixel in parts.chunks(channels) {
        let alpha = if channels.is_multiple_of(2) { pixel[channels - 1] } else { largest };
        let part = |number: usize| {
            let value = if channels < 3 { pixel[0] } else { pixel[number] };
            (u64::from(value) * u64::from(alpha) / u64::from(largest) * 255 / u64::from(largest)) as u32
        };
        out.push(part(0) << 16 | part(1) << 8 | part(2));
    }
    out
}

#[test]
fn a_size_is_believed_within_limits() {
    let head = |width: u32, height: u32| {
        let mut header = Vec::new();
        header.extend(width.to_be_bytes());
        header.extend(height.to_be_bytes());
        header.extend([8, 2, 0, 0, 0]);
        let mut file = crate::png::SIGNATURE.to_vec();
        file.extend(chunk(b"IHDR", &header));
        file
    };
    assert!(Picture::open(&head(4096, 4096)).is_ok());
    for (width, height) in [(4097, 4096), (8193, 1), (1, u32::MAX), (u32::MAX, u32::MAX)] {
        assert!(fails(&head(width, height), &errors::TOO_LARGE), "{width} x {height}");
    }
    assert!(fails(&head(0, 5), &errors::DAMAGED));
    // There are no pixels at all.
    assert!(fails(&head(2, 2), &errors::DAMAGED));
    assert!(fails(b"P5 9000 2 255 ", &errors::TOO_LARGE));
}

#[test]
fn other_files_are_no_pictures() {
    for file in [&b""[..], b"P7\n1 1\n", b"GIF89a", b"P5 x", b"P5 1 1 0\n.", b"P5 1 1 65536\n..", b"#!ipxe\n"]
    {
        assert!(fails(file, &errors::UNKNOWN), "{file:?}");
    }
}

#[test]
fn anymaps_of_all_kinds_are_read() {
    const BLACK: u32 = 0;
    const WHITE: u32 = 0xff_ffff;
    let bits = [BLACK, WHITE, WHITE, BLACK];
    let cases: [(&[u8], &[u32]); 9] = [
        (b"P1\n# bits\n2 2\n1 0\n0 1\n", &bits),
        (b"P1 2 2 1001", &bits),
        (b"P4\n2 2\n\x80\x40", &bits),
        (b"P2 2 1 3 0 2", &[BLACK, 0xaa_aaaa]),
        (b"P5 2 1 255\n\x00\x80", &[BLACK, 0x80_8080]),
        (b"P5 2 1 65535\n\x00\x00\x80\x80", &[BLACK, 0x80_8080]),
        (b"P3 2 1\n100\n100 0 0  0 50 #\n100", &[0xff_0000, 0x00_7fff]),
        (b"P6 1 2 255\n\x01\x02\x03\x0a\x0b\x0c", &[0x01_0203, 0x0a_0b0c]),
        // More than the largest value is the largest.
        (b"P2 1 1 10 99", &[WHITE]),
    ];
    for (file, pixels) in cases {
        let (width, height, seen) = decoded(file).unwrap();
        assert_eq!((width * height) as usize, pixels.len());
        assert_eq!(seen, pixels, "{}", file.escape_ascii());
    }
    for file in
        [&b"P1 2 2 100"[..], b"P4 9 1 \x00", b"P5 2 2 255 abc", b"P6 1 1 256 abcde", b"P3 1 1 9 1 2 x"]
    {
        assert!(fails(file, &errors::DAMAGED), "{}", file.escape_ascii());
    }
}

#[test]
fn more_than_the_window_is_decompressed() {
    let recipe = Recipe {
        width: 300,
        height: 200,
        format: (6, 8),
        interlaced: true,
        transparent: false,
        noise: (0..=255).collect(),
        piece: 1 << 16,
    };
    let file = recipe.file();
    assert_eq!(decoded(&file).unwrap().2, reference(&file));
}

proptest! {
    #[test]
    fn png_is_read_as_others_read_it(recipe in any_recipe()) {
        let file = recipe.file();
        let (width, height, pixels) = decoded(&file).unwrap();
        prop_assert_eq!((width as usize, height as usize), (recipe.width, recipe.height));
        prop_assert_eq!(pixels, reference(&file));
    }

    #[test]
    fn a_file_that_is_cut_off_is_noticed(recipe in any_recipe(), cut in 0.0..0.9) {
        let file = recipe.file();
        // The sum, the last chunk, and up to two bytes of compressed data may be missing.
        let length = ((file.len() - 40) as f64 * cut) as usize;
        prop_assert!(decoded(&file[..length]).is_err());
    }

    #[test]
    fn damage_does_no_harm(recipe in any_recipe(), place in any::<prop::sample::Index>(), byte in any::<u8>()) {
        let mut file = recipe.file();
        let place = place.index(file.len());
        file[place] = byte;
        let _ = Picture::open(&file).map(|picture| picture.decode(&mut |column, row, _| {
            assert!(column < picture.width && row < picture.height);
        }));
    }

    #[test]
    fn any_text_does_no_harm(file in "P[1-6][ 0-9#\n]{0,60}") {
        let _ = Picture::open(file.as_bytes()).map(|picture| picture.decode(&mut |_, _, _| ()));
    }
}
