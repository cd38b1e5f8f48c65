//! PNG.

use crate::colour;
use alloc::boxed::Box;
use alloc::vec::Vec;
use inflate::{Inflate, LONGEST, WINDOW};

/// What a file begins with (section 5.2).
pub(crate) const SIGNATURE: &[u8] = b"\x89PNG\r\n\x1a\n";

/// How much is decompressed before what distances look back into (section 10.1) is moved to the front.
const ROOM: usize = 2 * WINDOW;

/// The bits of a colour type (section 6.1).
const PALETTE: u8 = 1;
const COLOUR: u8 = 2;
const ALPHA: u8 = 4;

/// Where the pixels of a pass begin, and the steps between them: column, row, step of columns, step of rows.
type Pass = [u32; 4];
/// Pictures that are not interlaced have one pass.
const WHOLE: &[Pass] = &[[0, 0, 1, 1]];
/// Interlace method Adam7 (section 8.2).
const ADAM7: &[Pass] =
    &[[0, 0, 8, 8], [4, 0, 8, 8], [0, 4, 4, 8], [2, 0, 4, 4], [0, 2, 2, 4], [1, 0, 2, 2], [0, 1, 1, 2]];

/// How the pixels are written.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Png<'a> {
    /// Bits of a sample: 1, 2, 4, 8 or 16.
    depth: usize,
    colour_type: u8,
    passes: &'static [Pass],
    /// The file behind the header.
    rest: Chunks<'a>,
}

/// The chunks of a file (section 5.3): type and data. What is cut off ends them; their sums are not looked at.
#[derive(Clone, Copy, Debug)]
struct Chunks<'a>(&'a [u8]);

impl<'a> Iterator for Chunks<'a> {
    type Item = (&'a [u8; 4], &'a [u8]);

    fn next(&mut self) -> Option<Self::Item> {
        let (length, rest) = self.0.split_first_chunk()?;
        let (kind, rest) = rest.split_first_chunk()?;
        let (data, rest) = rest.split_at_checked(usize::try_from(u32::from_be_bytes(*length)).ok()?)?;
        self.0 = rest.get(4..).unwrap_or_default();
        Some((kind, data))
    }
}

impl<'a> Png<'a> {
    /// Width, height and format, by the chunk IHDR (section 11.2.2).
    pub(crate) fn open(bytes: &'a [u8]) -> Option<(u32, u32, Self)> {
        let mut rest = Chunks(bytes.get(SIGNATURE.len()..)?);
        let (b"IHDR", header) = rest.next()? else { return None };
        let (width, header) = header.split_first_chunk()?;
        let (height, header) = header.split_first_chunk()?;
        let [depth, colour_type, 0, 0, interlace] = *header else { return None };
        let is_known = match colour_type {
            0 => matches!(depth, 1 | 2 | 4 | 8 | 16),
            3 => matches!(depth, 1 | 2 | 4 | 8),
            2 | 4 | 6 => matches!(depth, 8 | 16),
            _ => false,
        };
        let passes = match interlace {
            0 => WHOLE,
            1 => ADAM7,
            _ => return None,
        };
        let png = Self { depth: depth.into(), colour_type, passes, rest };
        is_known.then_some((u32::from_be_bytes(*width), u32::from_be_bytes(*height), png))
    }

    /// Gives out all pixels; none if they are not all there. The sum behind them is not looked at: what is missing
    /// shows, and a wrong pixel does no harm.
    pub(crate) fn decode(&self, width: u32, height: u32, pixel: &mut dyn FnMut(u32, u32, u32)) -> Option<()> {
        let mut rows = Rows::new(self, width, height);
        let mut chunks = self.rest;
        let mut data: &[u8] = &[];
        // Palette and transparency come before the pixels (section 5.6), and compressed data goes on from one chunk to
        // the next.
        let mut next = |rows: &mut Rows<'a>| loop {
            if let Some((first, rest)) = data.split_first() {
                data = rest;
                return Some(*first);
            }
            match chunks.next()? {
                (b"PLTE", colours) => rows.palette = colours,
                (b"tRNS", alphas) => rows.transparency = alphas,
                (b"IDAT", pixels) => data = pixels,
                _ => {}
            }
        };
        if !inflate::is_zlib([next(&mut rows)?, next(&mut rows)?]) {
            return None;
        }
        let mut state = Box::<Inflate>::default();
        let mut room = alloc::vec![0; ROOM + LONGEST];
        loop {
            let before = state.made;
            // What was decompressed before a fault counts.
            let run = state.run(&mut || next(&mut rows), &mut room, ROOM);
            rows.take(room.get(before..state.made)?, pixel);
            if rows.are_complete() {
                return Some(());
            }
            if run != Ok(false) {
                return None;
            }
            room.copy_within(state.made - WINDOW..state.made, 0);
            state.made = WINDOW;
        }
    }
}

/// Puts the decompressed bytes together to rows, and rows apart to pixels.
struct Rows<'a> {
    png: Png<'a>,
    width: u32,
    height: u32,
    /// Three bytes for each colour (section 11.2.3).
    palette: &'a [u8],
    /// How opaque the colours of the palette are, or the one that is not (section 11.3.2).
    transparency: &'a [u8],
    /// The passes that are not complete.
    passes: &'static [Pass],
    /// The row of the picture that is being put together.
    row: u32,
    /// Its filter and its bytes so far.
    current: Vec<u8>,
    /// The row before it in this pass, in which nothing is filtered; empty for the first one.
    previous: Vec<u8>,
}

impl<'a> Rows<'a> {
    fn new(png: &Png<'a>, width: u32, height: u32) -> Self {
        let mut rows = Self {
            png: *png,
            width,
            height,
            palette: &[],
            transparency: &[],
            passes: png.passes,
            row: 0,
            current: Vec::new(),
            previous: Vec::new(),
        };
        rows.skip_empty_passes();
        rows
    }

    /// Passes without pixels are not in the file.
    fn skip_empty_passes(&mut self) {
        while let [[column, row, ..], rest @ ..] = self.passes
            && (*column >= self.width || *row >= self.height)
        {
            self.passes = rest;
        }
        self.row = self.passes.first().map_or(0, |pass| pass[1]);
    }

    fn are_complete(&self) -> bool {
        self.passes.is_empty()
    }

    fn channels(&self) -> usize {
        match self.png.colour_type {
            0 | 3 => 1,
            4 => 2,
            2 => 3,
            _ => 4,
        }
    }

    fn take(&mut self, mut bytes: &[u8], pixel: &mut dyn FnMut(u32, u32, u32)) {
        while let [[first, _, step, row_step], rest @ ..] = self.passes {
            let pixels = (self.width - first).div_ceil(*step);
            let bits = self.channels() * self.png.depth;
            // At most 64 bits for each of at most 8192 pixels.
            let length = 1 + (pixels as usize * bits).div_ceil(8);
            let (taken, left) = bytes.split_at(bytes.len().min(length - self.current.len()));
            self.current.extend_from_slice(taken);
            bytes = left;
            if self.current.len() < length {
                return;
            }
            unfilter(&mut self.current, &self.previous, bits.div_ceil(8));
            for (index, column) in (*first..self.width).step_by(*step as usize).enumerate() {
                pixel(column, self.row, self.colour(index));
            }
            core::mem::swap(&mut self.current, &mut self.previous);
            self.current.clear();
            self.row += row_step;
            if self.row >= self.height {
                self.passes = rest;
                self.previous.clear();
                self.skip_empty_passes();
            }
        }
    }

    /// A sample of the current row.
    fn sample(&self, index: usize) -> u32 {
        let depth = self.png.depth;
        let byte = |place: usize| u32::from(self.current.get(1 + place).copied().unwrap_or(0));
        let bit = index * depth;
        match depth {
            16 => byte(bit / 8) << 8 | byte(bit / 8 + 1),
            _ => byte(bit / 8) >> (8 - depth - bit % 8) & ((1 << depth) - 1),
        }
    }

    /// The colour of a pixel of the current row, on black.
    fn colour(&self, index: usize) -> u32 {
        let colour_type = self.png.colour_type;
        let channels = self.channels();
        let first = index * channels;
        let mut largest = (1 << self.png.depth) - 1;
        let mut alpha = largest;
        let mut parts = [self.sample(first); 3];
        if colour_type & PALETTE != 0 {
            let [number, ..] = parts.map(|part| part as usize);
            let entry = self.palette.get(3 * number..).and_then(|entries| entries.first_chunk::<3>());
            parts = entry.map_or([0; 3], |entry| entry.map(u32::from));
            largest = 255;
            alpha = self.transparency.get(number).map_or(255, |alpha| u32::from(*alpha));
        } else {
            if colour_type & COLOUR != 0 {
                parts = [0, 1, 2].map(|part| self.sample(first + part));
            }
            let is_key = |(part, key): (&u32, &[u8; 2])| *part == u32::from(u16::from_be_bytes(*key));
            let (keys, _) = self.transparency.as_chunks();
            if colour_type & ALPHA != 0 {
                alpha = self.sample(first + channels - 1);
            } else if keys.len() == channels && parts.iter().zip(keys).all(is_key) {
                alpha = 0;
            }
        }
        colour(parts.map(|part| part * alpha / largest), largest)
    }
}

/// Undoes the filter of a row, whose type is its first byte (section 9.2), in place. `step` is the bytes of a pixel,
/// at least one. What comes before the row's or the pass's first pixel counts as 0.
fn unfilter(row: &mut [u8], previous: &[u8], step: usize) {
    let filter = row.first().copied().unwrap_or(0);
    for place in 1..row.len() {
        let before = place.checked_sub(step).filter(|before| *before > 0);
        let at = |row: &[u8], place: Option<usize>| {
            i16::from(place.and_then(|place| row.get(place)).copied().unwrap_or(0))
        };
        let (left, up, corner) = (at(row, before), at(previous, Some(place)), at(previous, before));
        let guess = match filter {
            1 => left,
            2 => up,
            3 => (left + up) / 2,
            4 => {
                // Paeth: whichever is nearest to left + up - corner.
                let nearest =
                    [left, up, corner].into_iter().min_by_key(|part| (left + up - corner - part).abs());
                nearest.unwrap_or(0)
            }
            _ => 0,
        };
        if let Some(byte) = row.get_mut(place) {
            *byte = byte.wrapping_add((guess & 0xff) as u8);
        }
    }
}
