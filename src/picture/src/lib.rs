//! Pictures in files, as pixels: PNG (W3C Recommendation "Portable Network Graphics", second edition; section numbers
//! are its) and the portable anymaps of Netpbm (`pbm(5)`, `pgm(5)`, `ppm(5)`).
//!
//! [`Picture::open`] looks at the size only; [`Picture::decode`] hands out pixel by pixel, so no memory is needed that
//! grows with the picture: for a PNG the 32 KiB that its compression looks back, and two rows.
#![no_std]

extern crate alloc;

mod anymap;
pub mod errors;
mod png;
#[cfg(test)]
#[allow(clippy::cast_possible_truncation, reason = "the pictures of a test are small")]
mod tests;

use anymap::Anymap;
use base::Error;
use png::Png;

/// The most pixels of a row, and the most rows.
pub const SIDE_LIMIT: u32 = 8192;
/// The most pixels.
pub const AREA_LIMIT: u32 = 16 << 20;

/// A picture whose size is known, and sane.
#[derive(Debug)]
pub struct Picture<'a> {
    /// Pixels of a row.
    pub width: u32,
    /// Rows.
    pub height: u32,
    format: Format<'a>,
}

#[derive(Debug)]
enum Format<'a> {
    Png(Png<'a>),
    Anymap(Anymap<'a>),
}

impl<'a> Picture<'a> {
    /// Reads the head of a file.
    pub fn open(bytes: &'a [u8]) -> Result<Self, Error> {
        let (width, height, format) = if bytes.starts_with(png::SIGNATURE) {
            let (width, height, png) = Png::open(bytes).ok_or_else(|| errors::DAMAGED.error())?;
            (width, height, Format::Png(png))
        } else {
            let (width, height, anymap) = Anymap::open(bytes).ok_or_else(|| errors::UNKNOWN.error())?;
            (width, height, Format::Anymap(anymap))
        };
        // The product does not overflow if the sides are within their limit.
        if width.max(height) > SIDE_LIMIT || width * height > AREA_LIMIT {
            return Err(errors::TOO_LARGE.error());
        }
        if width.min(height) == 0 {
            return Err(errors::DAMAGED.error());
        }
        Ok(Self { width, height, format })
    }

    /// Gives each pixel to `pixel`: its column, its row, and its colour on black, 24 bits: red, green, blue. The order
    /// is that of the file, which for interlaced pictures is not that of the rows. If the file is damaged, what came
    /// before the damage was given out.
    pub fn decode(&self, pixel: &mut dyn FnMut(u32, u32, u32)) -> Result<(), Error> {
        let complete = match &self.format {
            Format::Png(png) => png.decode(self.width, self.height, pixel),
            Format::Anymap(anymap) => anymap.decode(self.width, self.height, pixel),
        };
        complete.ok_or_else(|| errors::DAMAGED.error())
    }
}

/// A colour of its parts, red first, each of which is at most `largest`.
fn colour(parts: [u32; 3], largest: u32) -> u32 {
    parts.iter().fold(0, |colour, part| (colour << 8) | (part * 255 / largest))
}
