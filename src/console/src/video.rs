//! Modes of the screen that show pixels, as the video BIOS describes them (VESA BIOS Extension, Core Functions
//! Standard 3.0; section numbers are its).

/// Bytes of a description (section 4.4).
pub const MODE_INFO_LENGTH: usize = 256;

/// A mode whose pixels lie in memory one after another, each with its own colour.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct VideoMode {
    /// What the BIOS calls it.
    pub number: u16,
    /// Pixels of a row.
    pub width: u16,
    /// Rows.
    pub height: u16,
    /// Bits of a pixel that mean something.
    pub depth: u8,
    /// Bytes from one row to the next.
    pub pitch: u16,
    /// Where red, green and blue are in a pixel: how many bits, from which on.
    pub fields: [[u8; 2]; 3],
    /// The physical address of the first pixel.
    pub address: u32,
}

impl VideoMode {
    /// Reads a description, if it is of such a mode.
    pub fn parse(number: u16, info: &[u8; MODE_INFO_LENGTH]) -> Option<Self> {
        let byte = |place: usize| info.get(place).copied().unwrap_or(0);
        let word = |place: usize| u16::from_le_bytes([byte(place), byte(place + 1)]);
        // Supported by the hardware, in colour, graphics, with all pixels in memory.
        const WANTED: u16 = 1 << 0 | 1 << 3 | 1 << 4 | 1 << 7;
        const DIRECT_COLOUR: u8 = 6;
        if word(0) & WANTED != WANTED || byte(27) != DIRECT_COLOUR {
            return None;
        }
        // Version 3 has values of their own for this kind of access; before, they are zero.
        let (pitch, fields) = if word(50) != 0 { (word(50), 54) } else { (word(16), 31) };
        let mode = Self {
            number,
            width: word(18),
            height: word(20),
            depth: byte(25),
            pitch,
            fields: [0, 2, 4].map(|part| [byte(fields + part), byte(fields + part + 1)]),
            address: u32::from(word(42)) << 16 | u32::from(word(40)),
        };
        let is_sane =
            |[bits, from]: [u8; 2]| (1..=8).contains(&bits) && u16::from(bits) + u16::from(from) <= 32;
        let is_useful = (15..=32).contains(&mode.depth)
            && mode.fields.into_iter().all(is_sane)
            && mode.width.min(mode.height) > 0
            && usize::from(mode.pitch) >= usize::from(mode.width) * mode.bytes();
        is_useful.then_some(mode)
    }

    /// Bytes of a pixel.
    pub fn bytes(&self) -> usize {
        usize::from(self.depth).div_ceil(8)
    }

    /// Bytes of all rows.
    pub fn length(&self) -> usize {
        usize::from(self.pitch) * usize::from(self.height)
    }

    /// How well the mode suits who wants at least so many pixels in each direction, and bits: the less, the better. The
    /// smallest screen is best, and of several the one with most colours.
    pub fn rank(&self, width: u32, height: u32, depth: u32) -> Option<(u32, u8)> {
        let (across, down) = (u32::from(self.width), u32::from(self.height));
        (across >= width && down >= height && u32::from(self.depth) >= depth)
            .then_some((across * down, u8::MAX - self.depth))
    }

    /// A colour, 24 bits, as a pixel.
    pub(crate) fn pixel(&self, colour: u32) -> [u8; 4] {
        let [_, parts @ ..] = colour.to_be_bytes();
        let pixel = parts
            .iter()
            .zip(self.fields)
            .fold(0, |pixel, (part, [bits, from])| pixel | (u32::from(*part) >> (8 - bits)) << from);
        pixel.to_le_bytes()
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use proptest::prelude::*;

    /// What QEMU's VGA says of 1024x768 in 32 bits.
    pub(crate) fn info() -> [u8; MODE_INFO_LENGTH] {
        let mut info = [0; MODE_INFO_LENGTH];
        info[..2].copy_from_slice(&0x9b_u16.to_le_bytes());
        info[16..18].copy_from_slice(&4096_u16.to_le_bytes());
        info[18..20].copy_from_slice(&1024_u16.to_le_bytes());
        info[20..22].copy_from_slice(&768_u16.to_le_bytes());
        info[25] = 32;
        info[27] = 6;
        info[31..37].copy_from_slice(&[8, 16, 8, 8, 8, 0]);
        info[40..44].copy_from_slice(&0xfd00_0000_u32.to_le_bytes());
        info
    }

    #[test]
    fn a_description_is_read() {
        let mode = VideoMode::parse(0x144, &info()).unwrap();
        assert_eq!((mode.number, mode.width, mode.height, mode.depth), (0x144, 1024, 768, 32));
        assert_eq!((mode.pitch, mode.bytes(), mode.length()), (4096, 4, 4096 * 768));
        assert_eq!(mode.address, 0xfd00_0000);
        assert_eq!(mode.pixel(0x12_3456), [0x56, 0x34, 0x12, 0]);
    }

    #[test]
    fn version_3_has_fields_of_its_own() {
        let mut info = info();
        info[25] = 16;
        info[50..52].copy_from_slice(&2304_u16.to_le_bytes());
        info[54..60].copy_from_slice(&[5, 11, 6, 5, 5, 0]);
        let mode = VideoMode::parse(1, &info).unwrap();
        assert_eq!((mode.pitch, mode.bytes()), (2304, 2));
        assert_eq!(mode.pixel(0xff_0000), [0x00, 0xf8, 0, 0]);
        assert_eq!(mode.pixel(0x00_ffff), [0xff, 0x07, 0, 0]);
    }

    #[test]
    fn modes_that_are_no_use_are_left_out() {
        for (place, value) in
            [(0, 0x1b), (0, 0x9a), (27, 4), (25, 8), (25, 33), (17, 1), (31, 0), (31, 9), (32, 25), (21, 0)]
        {
            let mut info = info();
            info[20] = 0;
            info[place] = value;
            assert_eq!(VideoMode::parse(1, &info), None, "byte {place} is {value}");
        }
        let mut narrow = info();
        narrow[16..18].copy_from_slice(&4095_u16.to_le_bytes());
        assert_eq!(VideoMode::parse(1, &narrow), None);
    }

    #[test]
    fn the_smallest_that_suffices_is_best() {
        let mode = |width, height, depth| VideoMode {
            width,
            height,
            depth,
            ..VideoMode::parse(1, &info()).unwrap()
        };
        let modes = [
            mode(640, 480, 16),
            mode(640, 480, 32),
            mode(800, 600, 16),
            mode(800, 600, 24),
            mode(1024, 768, 32),
            mode(1280, 800, 16),
        ];
        let best = |width, height, depth| {
            let ranked = modes.iter().filter_map(|mode| Some((mode.rank(width, height, depth)?, mode)));
            ranked.min_by_key(|ranked| ranked.0).map(|ranked| (ranked.1.width, ranked.1.depth))
        };
        assert_eq!(best(1, 1, 0), Some((640, 32)));
        assert_eq!(best(641, 1, 0), Some((800, 24)));
        assert_eq!(best(1, 1, 25), Some((640, 32)));
        assert_eq!(best(1, 700, 24), Some((1024, 32)));
        assert_eq!(best(1280, 800, 0), Some((1280, 16)));
        assert_eq!(best(1280, 800, 17), None);
        assert_eq!(best(70_000, 0, 0), None);
    }

    proptest! {
        #[test]
        fn any_description_is_fine(bytes in proptest::collection::vec(any::<u8>(), MODE_INFO_LENGTH), colour in 0..=0xff_ffff_u32) {
            let mut info: [u8; MODE_INFO_LENGTH] = bytes.try_into().unwrap();
            info[0] |= 0x99;
            info[27] = 6;
            if let Some(mode) = VideoMode::parse(1, &info) {
                let _ = mode.pixel(colour);
            }
        }
    }
}
