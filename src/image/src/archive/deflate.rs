//! gzip and zlib.
//!
//! Sources: RFC 1952 (gzip), RFC 1950 (zlib); section numbers are of the former. The bytes between head and tail are
//! those of `inflate`.

use super::{Unpacker, crc32};
use crate::bytes::{u8_at, u16_at, u32_at};
use crate::errors;
use alloc::boxed::Box;
use base::ErrorKind;
use inflate::{Fault, Inflate};

/// What a gzip file begins with: its identification, and the one method of compression that there is (2.3.1).
pub(super) const GZIP: &[u8] = &[0x1f, 0x8b, 8];
/// Bytes of its head, without what flags add, and of its tail.
const HEAD: usize = 10;
const TAIL: usize = 8;
/// Bytes of zlib's head, and of its tail, the Adler-32 of what is unpacked (RFC 1950 section 2.2).
const ZLIB_HEAD: usize = 2;
const ZLIB_TAIL: usize = 4;

/// A file of zlib as programs make it: with the largest window there is.
pub(super) fn is_zlib(first: &[u8]) -> bool {
    matches!(*first, [0x78, flags, ..] if inflate::is_zlib([0x78, flags]))
}

/// The most bytes that one step makes.
const STEP: usize = 256 << 10;

/// A file of gzip or zlib that is being unpacked.
pub struct Deflate {
    state: Box<Inflate>,
    is_gzip: bool,
    /// Bytes of the head.
    head: usize,
    /// The sum of what is unpacked: the CRC-32 for gzip, for zlib the Adler-32.
    sum: u32,
}

impl Deflate {
    /// The file with these bytes.
    pub fn try_new(archive: &[u8]) -> Result<Self, &'static ErrorKind> {
        let is_gzip = archive.starts_with(GZIP);
        let (head, sum) = if is_gzip {
            (gzip_head(archive).ok_or(&errors::SHORT_ARCHIVE)?, 0)
        } else {
            let first = archive.first_chunk().ok_or(&errors::SHORT_ARCHIVE)?;
            if !inflate::is_zlib(*first) {
                return Err(&errors::BAD_ARCHIVE);
            }
            (ZLIB_HEAD, 1)
        };
        Ok(Self { state: Box::default(), is_gzip, head, sum })
    }

    /// The bytes that are not used up.
    fn rest<'a>(&self, archive: &'a [u8]) -> &'a [u8] {
        archive.get(self.head + self.state.taken..).unwrap_or_default()
    }

    /// The tail: CRC32 and ISIZE (2.3.1), or zlib's. What comes behind it, padding mostly, is let be.
    fn check_tail(&self, archive: &[u8]) -> Result<usize, &'static ErrorKind> {
        let made = self.state.made;
        let rest = self.rest(archive);
        let is_right = if self.is_gzip {
            let tail = rest.get(..TAIL).ok_or(&errors::SHORT_ARCHIVE)?;
            u32_at(tail, 0) == self.sum && u64::from(u32_at(tail, 4)) == made as u64 & u64::from(u32::MAX)
        } else {
            let tail = rest.get(..ZLIB_TAIL).ok_or(&errors::SHORT_ARCHIVE)?;
            u32_at(tail, 0).swap_bytes() == self.sum
        };
        if is_right { Ok(made) } else { Err(&errors::WRONG_SUM) }
    }
}

impl Unpacker for Deflate {
    fn step(&mut self, archive: &[u8], room: &mut [u8]) -> Result<Option<usize>, &'static ErrorKind> {
        let mut bytes = self.rest(archive).iter();
        let before = self.state.made;
        let is_all = self.state.run(&mut || bytes.next().copied(), room, before + STEP);
        let new = room.get(before..self.state.made).unwrap_or_default();
        self.sum = if self.is_gzip { crc32(self.sum, new) } else { adler32(self.sum, new) };
        match is_all {
            Ok(true) => self.check_tail(archive).map(Some),
            Ok(false) => Ok(None),
            Err(Fault::Short) => Err(&errors::SHORT_ARCHIVE),
            Err(Fault::Bad) => Err(&errors::BAD_ARCHIVE),
            Err(Fault::Large) => Err(&errors::LARGE_ARCHIVE),
        }
    }

    fn made(&self) -> usize {
        self.state.made
    }
}

/// The Adler-32 of what `sum` is of and of `bytes` behind it (RFC 1950 section 9): sums modulo a prime, without dividing.
fn adler32(sum: u32, bytes: &[u8]) -> u32 {
    const PRIME: u32 = 65_521;
    let reduced = |sum: u32| sum.checked_sub(PRIME).unwrap_or(sum);
    let (low, high) = bytes.iter().fold((sum & 0xffff, sum >> 16), |(low, high), byte| {
        let low = reduced(low + u32::from(*byte));
        (low, reduced(high + low))
    });
    high << 16 | low
}

/// Bytes of the head of a gzip file, with all that its flags name (2.3.1); none if it ends before.
fn gzip_head(archive: &[u8]) -> Option<usize> {
    const HEAD_SUM: u8 = 1 << 1;
    const EXTRA: u8 = 1 << 2;
    const NAME: u8 = 1 << 3;
    const COMMENT: u8 = 1 << 4;
    let flags = u8_at(archive, 3);
    let mut rest = archive.get(HEAD..)?;
    if flags & EXTRA != 0 {
        rest = rest.get(2 + usize::from(u16_at(rest, 0))..)?;
    }
    for text in [NAME, COMMENT] {
        if flags & text != 0 {
            let end = rest.iter().position(|byte| *byte == 0)?;
            rest = rest.get(end + 1..)?;
        }
    }
    if flags & HEAD_SUM != 0 {
        rest = rest.get(2..)?;
    }
    Some(archive.len() - rest.len())
}

#[cfg(test)]
mod tests {
    use super::super::archive;
    use super::super::tests::{unpack_in_pieces, unpack_with};
    use super::*;
    use alloc::vec;
    use alloc::vec::Vec;
    use miniz_oxide::deflate::{compress_to_vec, compress_to_vec_zlib};
    use proptest::prelude::*;

    fn unpack(archive: &[u8], room: usize) -> Result<Vec<u8>, &'static ErrorKind> {
        unpack_with(&mut Deflate::try_new(archive)?, archive, room)
    }

    /// A gzip file with that flag byte, and the parts that it announces.
    fn gzip(flags: u8, parts: &[u8], content: &[u8]) -> Vec<u8> {
        let mut out = vec![0x1f, 0x8b, 8, flags, 1, 2, 3, 4, 2, 3];
        out.extend(parts);
        out.extend(compress_to_vec(content, 6));
        out.extend(crc32(0, content).to_le_bytes());
        out.extend(u32::try_from(content.len()).unwrap().to_le_bytes());
        out
    }

    fn kind(result: Result<Vec<u8>, &'static ErrorKind>) -> &'static ErrorKind {
        result.unwrap_err()
    }

    #[test]
    fn a_file_as_gzip_makes_it() {
        // printf 'hello, hello, hello\n' | gzip -9
        let bytes = [
            0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 2, 3, 0xcb, 0x48, 0xcd, 0xc9, 0xc9, 0xd7, 0x51, 0xc8, 0x40, 0xa2,
            0xb8, 0x00, 0xe7, 0x42, 0x6e, 0x52, 0x14, 0, 0, 0,
        ];
        assert_eq!(archive(&bytes), Some("gzip"));
        assert_eq!(unpack(&bytes, 100).unwrap(), b"hello, hello, hello\n");
    }

    #[test]
    fn each_part_of_the_head_is_passed_over() {
        for (flags, parts) in [
            (0, &b""[..]),
            (1, b""),
            (2, b"ss"),
            (4, b"\x03\x00abc"),
            (8, b"name\0"),
            (0x10, b"comment\0"),
            (0x1e, b"\x00\x00\0\0ss"),
        ] {
            let file = gzip(flags, parts, b"content");
            assert_eq!(unpack(&file, 7).unwrap(), b"content", "{flags}");
            let in_bytes = unpack_in_pieces(Deflate::try_new, &file, 7, 3..file.len());
            assert_eq!(in_bytes.unwrap(), b"content", "{flags}");
            for length in 3..file.len() {
                assert_eq!(kind(unpack(&file[..length], 7)), &errors::SHORT_ARCHIVE, "{flags} {length}");
            }
        }
    }

    #[test]
    fn zlib_is_checked_too() {
        let file = compress_to_vec_zlib(b"content", 6);
        assert_eq!(archive(&file), Some("zlib"));
        assert_eq!(unpack(&file, 7).unwrap(), b"content");
        assert_eq!(kind(unpack(&file[..file.len() - 1], 7)), &errors::SHORT_ARCHIVE);
        let mut wrong = file.clone();
        *wrong.last_mut().unwrap() ^= 1;
        assert_eq!(kind(unpack(&wrong, 7)), &errors::WRONG_SUM);
        assert_eq!(archive(&[0x78, 0x9d]), None);
        assert_eq!(archive(&[0x78, 0xbb]), None);
        assert_eq!(archive(&[0x78]), None);
        assert_eq!(kind(unpack(&[0x78], 7)), &errors::SHORT_ARCHIVE);
        assert_eq!(kind(unpack(&[0x78, 0x9d, 3, 0, 0, 0, 0, 1], 7)), &errors::BAD_ARCHIVE);
        // The sum's own overflows.
        let content = vec![255; 70_000];
        assert_eq!(unpack(&compress_to_vec_zlib(&content, 1), content.len()).unwrap(), content);
    }

    #[test]
    fn what_is_wrong_is_said() {
        let content = vec![7; 3 * STEP + 5];
        let file = gzip(0, b"", &content);
        assert_eq!(unpack(&file, content.len()).unwrap(), content);
        assert_eq!(kind(unpack(&file, content.len() - 1)), &errors::LARGE_ARCHIVE);
        assert_eq!(kind(unpack(&file, 0)), &errors::LARGE_ARCHIVE);
        for place in 1..=8 {
            let mut wrong = file.clone();
            let place = wrong.len() - place;
            wrong[place] ^= 0x80;
            assert_eq!(kind(unpack(&wrong, content.len())), &errors::WRONG_SUM);
        }
        let mut wrong = file.clone();
        // A block of the type that is not defined.
        wrong[10] |= 6;
        assert_eq!(kind(unpack(&wrong, content.len())), &errors::BAD_ARCHIVE);
        // What is behind the tail does not matter.
        let padded = [&file[..], &[0; 100]].concat();
        assert_eq!(unpack(&padded, content.len()).unwrap(), content);
    }

    proptest! {
        #[test]
        fn what_was_packed_is_unpacked(
            pieces in prop::collection::vec((any::<u8>(), 1usize..3000), 0..40),
            level in 0u8..10,
            more in 0usize..10,
            cuts in prop::collection::btree_set(3usize..9000, 0..40),
        ) {
            let content: Vec<u8> = pieces.iter().flat_map(|(byte, count)| vec![*byte; *count]).collect();
            let zlib = compress_to_vec_zlib(&content, level);
            for file in [gzip(0, b"", &content), zlib] {
                let room = content.len() + more;
                prop_assert!(unpack(&file, room).unwrap() == content);
                let in_pieces = unpack_in_pieces(Deflate::try_new, &file, room, cuts.iter().copied());
                prop_assert!(in_pieces.unwrap() == content);
            }
        }

        #[test]
        fn any_bytes_are_survived(
            noise in prop::collection::vec(any::<u8>(), 0..300),
            is_gzip: bool,
            room in 0usize..1000,
        ) {
            let mut file = if is_gzip { GZIP.to_vec() } else { vec![0x78, 0x9c] };
            file.extend(noise);
            if let Ok(content) = unpack(&file, room) {
                prop_assert!(content.len() <= room);
            }
        }
    }
}
