//! Portable anymaps: bitmaps, grey maps and pixmaps, in plain text or as bytes.

use crate::colour;

/// What stands behind the head.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Anymap<'a> {
    /// The digit behind the letter P: 1 to 3 for text, 4 to 6 for bytes; each bits, grey, colours.
    kind: u8,
    largest: u32,
    data: &'a [u8],
}

impl<'a> Anymap<'a> {
    /// Width, height and format.
    pub(crate) fn open(bytes: &'a [u8]) -> Option<(u32, u32, Self)> {
        let [b'P', kind @ b'1'..=b'6', rest @ ..] = bytes else { return None };
        let kind = kind - b'0';
        let mut data = rest;
        let width = number(&mut data)?;
        let height = number(&mut data)?;
        let largest = if kind % 3 == 1 { 1 } else { number(&mut data)? };
        if !(1..=0xffff).contains(&largest) {
            return None;
        }
        // One white space character ends the head.
        Some((width, height, Self { kind, largest, data: data.get(1..)? }))
    }

    /// Gives out all pixels; none if they are not all there.
    pub(crate) fn decode(&self, width: u32, height: u32, pixel: &mut dyn FnMut(u32, u32, u32)) -> Option<()> {
        let mut data = self.data;
        for row in 0..height {
            for column in 0..width {
                let is_bit = self.kind % 3 == 1;
                let mut part = || -> Option<u32> {
                    let value = match self.kind {
                        1 => digit(&mut data)?,
                        2 | 3 => number(&mut data)?,
                        4 => {
                            let byte = u32::from(*data.first()?);
                            if column % 8 == 7 || column + 1 == width {
                                data = data.get(1..)?;
                            }
                            byte >> (7 - column % 8) & 1
                        }
                        _ => {
                            let (value, rest) =
                                data.split_at_checked(if self.largest < 256 { 1 } else { 2 })?;
                            data = rest;
                            value.iter().fold(0, |value, byte| value << 8 | u32::from(*byte))
                        }
                    };
                    let value = value.min(self.largest);
                    // A bit that is set is black.
                    Some(if is_bit { 1 - value } else { value })
                };
                let first = part()?;
                let parts = if self.kind.is_multiple_of(3) { [first, part()?, part()?] } else { [first; 3] };
                pixel(column, row, colour(parts, self.largest));
            }
        }
        Some(())
    }
}

/// Passes by white space, and comments from `#` to the end of the line.
fn skip_space(data: &mut &[u8]) {
    let mut is_comment = false;
    while let [byte, rest @ ..] = *data {
        is_comment = if is_comment { *byte != b'\n' } else { *byte == b'#' };
        if !is_comment && !byte.is_ascii_whitespace() {
            return;
        }
        *data = rest;
    }
}

/// Takes a decimal number, and what comes before it.
fn number(data: &mut &[u8]) -> Option<u32> {
    let mut value = digit(data)?;
    while let [digit @ b'0'..=b'9', rest @ ..] = *data {
        value = value.checked_mul(10)?.checked_add(u32::from(digit - b'0'))?;
        *data = rest;
    }
    Some(value)
}

/// Takes one decimal digit, and what comes before it.
fn digit(data: &mut &[u8]) -> Option<u32> {
    skip_space(data);
    let [digit @ b'0'..=b'9', rest @ ..] = *data else { return None };
    *data = rest;
    Some(u32::from(digit - b'0'))
}
