//! What the emulator's screen shows, as pixels.

use crate::failure::{Context, Failure, Result};
use std::fs::File;
use std::io::BufReader;
use std::path::Path;

/// A picture of the screen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Screen {
    /// Columns of pixels; text modes have 720.
    pub width: u32,
    /// Rows.
    pub height: u32,
    pixels: Vec<[u8; 3]>,
}

/// What text modes are shown in.
pub const TEXT_MODE: (u32, u32) = (720, 400);
/// The usual colour of text.
pub const WHITE: [u8; 3] = [0xaa; 3];

impl Screen {
    /// Reads what the emulator wrote.
    pub(crate) fn read(path: impl AsRef<Path>) -> Result<Self> {
        let path = path.as_ref().display();
        let file = File::open(path.to_string()).context(&path)?;
        let mut reader = png::Decoder::new(BufReader::new(file)).read_info().context(&path)?;
        let length = reader.output_buffer_size().ok_or_else(|| Failure(format!("{path} is too large")))?;
        let mut bytes = vec![0; length];
        let info = reader.next_frame(&mut bytes).context(&path)?;
        if (info.color_type, info.bit_depth) != (png::ColorType::Rgb, png::BitDepth::Eight) {
            return Err(Failure(format!("{path} is of another kind than the emulator's pictures were")));
        }
        let pixels = bytes.as_chunks().0.to_vec();
        Ok(Self { width: info.width, height: info.height, pixels })
    }

    /// Columns and rows.
    pub fn size(&self) -> (u32, u32) {
        (self.width, self.height)
    }

    /// The colour of a pixel: red, green, blue.
    pub fn pixel(&self, column: u32, row: u32) -> [u8; 3] {
        self.pixels.get((row * self.width + column) as usize).copied().unwrap_or_default()
    }

    /// Whether all pixels of a part have that colour.
    pub fn is_all(&self, columns: std::ops::Range<u32>, rows: std::ops::Range<u32>, colour: [u8; 3]) -> bool {
        rows.into_iter().all(|row| columns.clone().all(|column| self.pixel(column, row) == colour))
    }

    /// How many pixels have that colour.
    pub fn count(&self, colour: [u8; 3]) -> usize {
        self.pixels.iter().filter(|pixel| **pixel == colour).count()
    }
}

/// A PNG of these pixels, row by row.
pub fn encode(width: u32, height: u32, pixels: &[[u8; 3]]) -> Result<Vec<u8>> {
    let mut out = Vec::new();
    let mut encoder = png::Encoder::new(&mut out, width, height);
    encoder.set_color(png::ColorType::Rgb);
    let mut writer = encoder.write_header().context("PNG")?;
    writer.write_image_data(pixels.as_flattened()).context("PNG")?;
    writer.finish().context("PNG")?;
    Ok(out)
}
