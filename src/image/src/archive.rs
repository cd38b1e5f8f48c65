//! Archives that hold one file, unpacked from memory to memory: all of one, or what has come of it.
//!
//! What was unpacked is what distances look back into: no decoder has a window of its own, so that none has to be
//! allocated by what a file says.

mod deflate;
mod xz;
mod zstd;

pub use deflate::Deflate;
pub use xz::Xz;
pub use zstd::Zstd;

use base::ErrorKind;

/// An archive that is being unpacked, step by step, into memory in one piece.
pub trait Unpacker {
    /// Unpacks some more of `archive` into `room`, which is what it was in the step before. Returns the length of the
    /// whole when it is there, and right by its check. Each step takes bounded time, and there are finitely many.
    ///
    /// An archive that is still coming is one that ends too early: what a step then returns, a length or
    /// [`SHORT_ARCHIVE`](crate::errors::SHORT_ARCHIVE), says nothing about the whole. The steps go on where they were
    /// when there is more of `archive`, in front of which nothing has changed.
    fn step(&mut self, archive: &[u8], room: &mut [u8]) -> Result<Option<usize>, &'static ErrorKind>;

    /// Bytes that are unpacked so far.
    fn made(&self) -> usize;
}

/// The kind of archive that a file is which begins with `first`, as `imgstat` shows it.
pub(crate) fn archive(first: &[u8]) -> Option<&'static str> {
    if first.starts_with(deflate::GZIP) {
        return Some("gzip");
    }
    if first.starts_with(xz::MAGIC) {
        return Some("xz");
    }
    if first.starts_with(zstd::MAGIC) {
        return Some("zstd");
    }
    deflate::is_zlib(first).then_some("zlib")
}

/// A CRC of reflected bits.
macro_rules! crc {
    ($name:ident, $number:ty, $polynomial:expr) => {
        /// The sum of what `sum` is of and of `bytes` behind it, half a byte at a time.
        fn $name(sum: $number, bytes: &[u8]) -> $number {
            static TABLE: [$number; 16] = {
                let mut table = [0; 16];
                let mut index = 0;
                let mut half: $number = 0;
                while index < table.len() {
                    let mut sum = half;
                    let mut bit = 0;
                    while bit < 4 {
                        sum = sum >> 1 ^ $polynomial & (sum & 1).wrapping_neg();
                        bit += 1;
                    }
                    #[allow(clippy::indexing_slicing, reason = "evaluated when it is compiled")]
                    {
                        table[index] = sum;
                    }
                    index += 1;
                    half += 1;
                }
                table
            };
            let half = |sum: $number| sum >> 4 ^ TABLE.get((sum & 15) as usize).copied().unwrap_or(0);
            !bytes.iter().fold(!sum, |sum, byte| half(half(sum ^ <$number>::from(*byte))))
        }
    };
}

// RFC 1952, section 8, and "The .xz File Format", section 6.
crc!(crc32, u32, 0xedb8_8320);
crc!(crc64, u64, 0xc96c_5795_d787_0f42);

#[cfg(test)]
#[allow(clippy::cast_possible_truncation, reason = "the fixtures are small")]
pub(crate) mod tests {
    use super::*;
    use crate::errors;
    use alloc::vec;
    use alloc::vec::Vec;

    /// What is unpacked into so much room.
    pub(crate) fn unpack_with(
        unpacker: &mut dyn Unpacker,
        archive: &[u8],
        room: usize,
    ) -> Result<Vec<u8>, &'static ErrorKind> {
        let mut room = vec![0; room];
        let length = steps(unpacker, archive, &mut room)?;
        room.truncate(length);
        Ok(room)
    }

    /// What all steps come to.
    fn steps(
        unpacker: &mut dyn Unpacker,
        archive: &[u8],
        room: &mut [u8],
    ) -> Result<usize, &'static ErrorKind> {
        // Each step but the last takes something, or makes all that it may.
        for _ in 0..archive.len() + 2 {
            if let Some(length) = unpacker.step(archive, room)? {
                assert_eq!(unpacker.made(), length);
                return Ok(length);
            }
        }
        panic!("without end");
    }

    /// What is unpacked of an archive that comes in pieces, which end at the `cuts` and with the whole.
    pub(crate) fn unpack_in_pieces<U: Unpacker>(
        begin: impl Fn(&[u8]) -> Result<U, &'static ErrorKind>,
        archive: &[u8],
        room: usize,
        cuts: impl IntoIterator<Item = usize>,
    ) -> Result<Vec<u8>, &'static ErrorKind> {
        let mut room = vec![0; room];
        let mut unpacker = None;
        for cut in cuts.into_iter().filter(|cut| *cut < archive.len()) {
            let come = &archive[..cut];
            let begun = unpacker.take().map_or_else(|| begin(come), Ok);
            let step = begun.and_then(|begun| steps(unpacker.insert(begun), come, &mut room));
            step.map(drop).or_else(|kind| if kind == &errors::SHORT_ARCHIVE { Ok(()) } else { Err(kind) })?;
        }
        let mut unpacker = unpacker.map_or_else(|| begin(archive), Ok)?;
        let length = steps(&mut unpacker, archive, &mut room)?;
        room.truncate(length);
        Ok(room)
    }

    /// What is in the fixtures, which the field's own programs have made.
    pub(crate) fn content() -> Vec<u8> {
        let mut content = Vec::new();
        for number in 0..200_u32 {
            content.extend(alloc::format!("{number} {}\n", number * number * 7919 % 10007).bytes());
        }
        let text = content.clone();
        let mut state = 1_u32;
        for _ in 0..300 {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            content.push((state >> 24) as u8);
        }
        content.resize(content.len() + 3000, 0);
        content.extend(&text[..500]);
        content
    }

    /// Each fixture is unpacked into just enough room and refused less; without its end it is too short; and if a bit of
    /// it is wrong, what comes out is right or refused, where there is a check.
    pub(crate) fn unpacks<U: Unpacker>(
        begin: fn(&[u8]) -> Result<U, &'static ErrorKind>,
        archive: &[u8],
        is_checked: bool,
    ) {
        let content = content();
        let unpack = |archive: &[u8], room| unpack_with(&mut begin(archive)?, archive, room);
        assert!(unpack(archive, content.len()).unwrap() == content);
        assert!(unpack(&[archive, &[0; 8]].concat(), content.len() + 9).unwrap() == content);
        assert_eq!(unpack(archive, content.len() - 1).unwrap_err(), &errors::LARGE_ARCHIVE);
        for size in [1, 2, 3, 100, 1000] {
            let cuts = || (0..archive.len()).step_by(size);
            assert!(unpack_in_pieces(begin, archive, content.len(), cuts()).unwrap() == content, "{size}");
            let less = unpack_in_pieces(begin, archive, content.len() - 1, cuts());
            assert_eq!(less.unwrap_err(), &errors::LARGE_ARCHIVE);
        }
        for length in 0..archive.len() {
            let cut = unpack(&archive[..length], content.len());
            assert!(cut.is_err() || !is_checked, "{length}");
        }
        for place in 0..archive.len() {
            let mut wrong = archive.to_vec();
            wrong[place] ^= 1 << (place % 8);
            let unpacked = unpack(&wrong, content.len() + 100);
            let cuts = (place / 2..archive.len()).step_by(place % 50 + 20);
            assert_eq!(unpack_in_pieces(begin, &wrong, content.len() + 100, cuts), unpacked);
            assert!(!is_checked || unpacked.is_err() || unpacked == Ok(content.clone()), "{place}");
        }
    }

    #[test]
    fn sums_are_those_of_the_field() {
        // The check values of CRC-32 and CRC-64/XZ: of the digits 1 to 9.
        assert_eq!(crc32(0, b"123456789"), 0xcbf4_3926);
        assert_eq!(crc64(0, b"123456789"), 0x995d_c9bb_df19_39fa);
        assert_eq!(crc64(crc64(0, b"1234"), b"56789"), 0x995d_c9bb_df19_39fa);
    }
}
