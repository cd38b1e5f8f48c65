//! What kind of thing an image is, by its first bytes.

use crate::{archive, bzimage, elf, multiboot};
use base::image_header::ImageHeader;

/// What an image is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// `#!ipxe` or `#!gpxe` and white space.
    Script,
    /// An image of our own family.
    Own(ImageHeader),
    /// A Linux kernel with a setup header.
    BzImage,
    /// A program with a header of multiboot, which may be ELF.
    Multiboot,
    /// Another ELF file.
    Elf,
    /// A file that is compressed, by the program of this name.
    Archive(&'static str),
    /// Nothing that has a mark, and no text: perhaps a network boot program, which is loaded at 0:7C00h and called.
    Code,
    /// Text without a mark, or nothing at all.
    Text,
}

/// Text shows in so many bytes, of which machine code has some that are no characters.
const TEXT_LENGTH: usize = 32;

/// How many first bytes of an image [`recognise`] wants to see, if it has so many.
pub const RECOGNISE_LENGTH: usize = multiboot::SEARCH;

/// What an image is that begins with `first`.
pub fn recognise(first: &[u8]) -> Format {
    let script = first.strip_prefix(b"#!ipxe").or_else(|| first.strip_prefix(b"#!gpxe"));
    if script.is_some_and(|rest| rest.first().is_some_and(u8::is_ascii_whitespace)) {
        return Format::Script;
    }
    if let Some(header) = ImageHeader::read(first) {
        return Format::Own(header);
    }
    if bzimage::is_kernel(first) {
        return Format::BzImage;
    }
    if multiboot::is_multiboot(first) {
        return Format::Multiboot;
    }
    if elf::is_elf(first) {
        return Format::Elf;
    }
    if let Some(kind) = archive::archive(first) {
        return Format::Archive(kind);
    }
    let is_character = |byte: &u8| byte.is_ascii_graphic() || byte.is_ascii_whitespace();
    if first.iter().take(TEXT_LENGTH).all(is_character) { Format::Text } else { Format::Code }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::vec;
    use base::image_header;

    #[test]
    fn each_format_has_its_mark() {
        assert_eq!(recognise(b"#!ipxe\nboot"), Format::Script);
        assert_eq!(recognise(b"#!gpxe\r\nboot"), Format::Script);
        assert_eq!(recognise(b"#!ipxe"), Format::Text);
        assert_eq!(recognise(b"#!ipxes\n"), Format::Text);
        assert_eq!(recognise(b""), Format::Text);
        assert_eq!(recognise(b"<!DOCTYPE html>\r\n"), Format::Text);
        assert_eq!(recognise(b"\xfa\xea\x47\x7c\x00\x00boot"), Format::Code);
        let own = ImageHeader { magic: image_header::MAGIC, image_length: 7, ..ImageHeader::default() };
        let mut image = vec![0; image_header::OFFSET];
        image.extend_from_slice(&own.to_bytes());
        assert_eq!(recognise(&image), Format::Own(own));
        let mut kernel = vec![0; 0x206];
        kernel[0x1fe..0x200].copy_from_slice(&[0x55, 0xaa]);
        assert_eq!(recognise(&kernel), Format::Code);
        kernel[0x202..].copy_from_slice(b"HdrS");
        assert_eq!(recognise(&kernel), Format::BzImage);
        assert_eq!(recognise(&kernel[..0x205]), Format::Code);
        assert_eq!(recognise(b"\x1f\x8b\x08\0"), Format::Archive("gzip"));
        assert_eq!(recognise(b"\x78\x9c\0"), Format::Archive("zlib"));
        assert_eq!(recognise(b"\xfd7zXZ\0\0"), Format::Archive("xz"));
        assert_eq!(recognise(b"\x28\xb5\x2f\xfd\x24"), Format::Archive("zstd"));
        assert_eq!(recognise(b"\x7fELF"), Format::Elf);
        // A header of multiboot says more than ELF's, where it is not too far behind.
        let header = [0x1bad_b002_u32, 3, 0xe452_4ffb].map(u32::to_le_bytes).concat();
        let mut program = b"\x7fELF".to_vec();
        program.resize(8180, 0);
        program.extend(&header);
        assert_eq!(recognise(&program), Format::Multiboot);
        assert_eq!(recognise(&program[..8191]), Format::Elf);
        program.insert(4, 0);
        assert_eq!(recognise(&program), Format::Elf);
    }
}
