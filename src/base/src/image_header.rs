//! The header that every image of the family carries, and that tells one build from another.
//!
//! An image is `prefix | unpacker | compressed payload | trailer`. The header lies in the prefix at a fixed place.
//! `image-variants` writes it, the prefix and the unpacker use it, and `firmware` reads it from files that it is
//! offered, to see whether they are itself. All numbers are little-endian.
//!
//! The payload unpacks to `core text | core read-only data | core data | low block`, each part but the last a
//! multiple of 4 KiB. The trailer is what a site appends, so far a script, or what a boot loader
//! hands over that takes the image for a kernel (`image::handed_over`).

/// Where the header begins in an image.
pub const OFFSET: usize = 0x10;

/// The first bytes of the header.
pub const MAGIC: [u8; 8] = *b"iPXE-rs\x01";

/// What stands in the prefix of an image. The layout is that of the bytes: the assembly names the same offsets.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(C)]
pub struct ImageHeader {
    /// [`MAGIC`].
    pub magic: [u8; 8],
    /// A digest of the payload: equal ids mean the same firmware.
    pub build_id: [u8; 8],
    /// What of the vendor's stack this image wants kept: [`KEEP_UNDI`], [`KEEP_PXE`].
    pub keep: u32,
    /// What may drive the card: [`DRIVER_UNDI`], [`DRIVER_NATIVE`].
    pub drivers: u32,
    /// Length of the image without its trailer.
    pub image_length: u32,
    /// Length of the script that follows the image, 0 for none.
    pub script_length: u32,
    /// Where the compressed payload begins in the image.
    pub payload_offset: u32,
    /// Its compressed length.
    pub payload_length: u32,
    /// Bytes of core text, a multiple of 4 KiB. Execution starts at its first byte.
    pub core_text_length: u32,
    /// Bytes of read-only data, a multiple of 4 KiB.
    pub core_rodata_length: u32,
    /// Bytes of initialised data, a multiple of 4 KiB.
    pub core_data_length: u32,
    /// Bytes of zeroed memory after the data (stack and bss), a multiple of 4 KiB.
    pub core_bss_length: u32,
    /// Bytes of the low block in the payload.
    pub low_length: u32,
    /// Bytes of memory the low block needs, zeroed after `low_length`, a multiple of 4 KiB.
    pub low_memory_length: u32,
    /// In memory only: the card whose ROM started the image, [`CARD_KNOWN`] and bus, device and function, with
    /// [`CARD_LOADED`] if that was by the ROM's UNDI loader; else 0.
    pub card: u32,
}

/// In [`ImageHeader::card`]: there is one.
pub const CARD_KNOWN: u32 = 1 << 16;
/// The image is to be the UNDI of whoever has called the loader.
pub const CARD_LOADED: u32 = 1 << 17;

/// Bytes of base memory that an image which is loaded as an UNDI needs beside its low block: what is lost to the page
/// boundary above that, and what the core keeps below.
pub const UNDI_ROOM: u32 = 9 << 10;

/// Keep the vendor's UNDI.
pub const KEEP_UNDI: u32 = 1;
/// Keep the vendor's PXE base code.
pub const KEEP_PXE: u32 = 2;

/// The vendor's UNDI.
pub const DRIVER_UNDI: u32 = 1;
/// Drivers of our own, for the cards that they know.
pub const DRIVER_NATIVE: u32 = 4;

/// Where the boot sector of a disk says where the image is on it: the first block (64 bits), how many there are and
/// the bytes of one (16 bits each), up to the partition table.
pub const BOOT_SECTOR_PARAMETERS: usize = 0x1b0 - 4;

/// Where an option ROM says what it is made of: the blocks of 512 bytes that stay when its image is kept elsewhere, the
/// place of the card's bus, device and function in its name (16 bits each); where the image begins, its length, and the
/// sum of its dwords (32 bits each).
pub const ROM_PARAMETERS: usize = 0x20;

/// Bytes of the header.
pub const LENGTH: usize = size_of::<ImageHeader>();

const _: () = assert!(LENGTH == 68);

impl ImageHeader {
    /// The header of `image`, if it begins like one of ours.
    pub fn read(image: &[u8]) -> Option<Self> {
        let bytes: &[u8; LENGTH] = image.get(OFFSET..)?.first_chunk()?;
        let (magic, rest) = bytes.split_first_chunk()?;
        let (build_id, rest) = rest.split_first_chunk()?;
        let words: &[[u8; 4]; 13] = rest.as_chunks().0.first_chunk()?;
        let [
            keep,
            drivers,
            image_length,
            script_length,
            payload_offset,
            payload_length,
            core_text_length,
            core_rodata_length,
            core_data_length,
            core_bss_length,
            low_length,
            low_memory_length,
            card,
        ] = words.map(u32::from_le_bytes);
        (*magic == MAGIC).then_some(Self {
            magic: *magic,
            build_id: *build_id,
            keep,
            drivers,
            image_length,
            script_length,
            payload_offset,
            payload_length,
            core_text_length,
            core_rodata_length,
            core_data_length,
            core_bss_length,
            low_length,
            low_memory_length,
            card,
        })
    }

    /// The bytes that belong at [`OFFSET`].
    pub fn to_bytes(&self) -> [u8; LENGTH] {
        let words = [
            self.keep,
            self.drivers,
            self.image_length,
            self.script_length,
            self.payload_offset,
            self.payload_length,
            self.core_text_length,
            self.core_rodata_length,
            self.core_data_length,
            self.core_bss_length,
            self.low_length,
            self.low_memory_length,
            self.card,
        ];
        let mut bytes = [0; LENGTH];
        let all = self.magic.iter().chain(&self.build_id).copied();
        let all = all.chain(words.iter().flat_map(|word| word.to_le_bytes()));
        for (to, from) in bytes.iter_mut().zip(all) {
            *to = from;
        }
        bytes
    }

    /// Bus, device and function of the card whose ROM started the image.
    pub fn card(&self) -> Option<u16> {
        (self.card & CARD_KNOWN != 0).then_some((self.card & 0xffff) as u16)
    }

    /// Whether the UNDI loader of the card's ROM has started the image.
    pub fn is_loaded(&self) -> bool {
        self.card & CARD_LOADED != 0
    }

    /// Whether the image that this header is from is the same firmware for the same cards.
    pub fn is_same_firmware(&self, other: &Self) -> bool {
        self.build_id == other.build_id && self.drivers == other.drivers
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::vec;

    #[test]
    fn what_is_written_is_read_again() {
        let header = ImageHeader {
            magic: MAGIC,
            build_id: *b"01234567",
            keep: KEEP_UNDI,
            image_length: 0x0102_0304,
            low_memory_length: 0x6000,
            card: CARD_KNOWN | 0x0310,
            ..ImageHeader::default()
        };
        let mut image = vec![0; OFFSET];
        image.extend_from_slice(&header.to_bytes());
        assert_eq!(ImageHeader::read(&image), Some(header));
        assert_eq!((header.card(), ImageHeader::default().card()), (Some(0x0310), None));
        image.pop();
        assert_eq!(ImageHeader::read(&image), None);
    }

    #[test]
    fn foreign_images_have_no_header() {
        assert_eq!(ImageHeader::read(&[0; 512]), None);
    }
}
