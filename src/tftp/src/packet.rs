//! The packets of RFC 1350 and RFC 2347.

use base::text::{cut_bytes, number, same_word};

/// What a client may receive.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Packet<'a> {
    Data { block: u16, data: &'a [u8] },
    Acknowledgement(u16),
    Error { code: u16, message: &'a [u8] },
    OptionAck(OptionAck),
}

/// The options of an OACK that we ever ask for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct OptionAck {
    pub(crate) block_size: Option<u64>,
    pub(crate) window_size: Option<u64>,
    pub(crate) total: Option<u64>,
}

pub(crate) const ILLEGAL_OPERATION: u16 = 4;
pub(crate) const UNKNOWN_TRANSFER: u16 = 5;
pub(crate) const DISK_FULL: u16 = 3;
pub(crate) const UNDEFINED: u16 = 0;
pub(crate) const BAD_OPTIONS: u16 = 8;

impl<'a> Packet<'a> {
    pub(crate) fn parse(datagram: &'a [u8]) -> Option<Self> {
        let (operation, rest) = take_word(datagram)?;
        match operation {
            3 => take_word(rest).map(|(block, data)| Self::Data { block, data }),
            4 => take_word(rest).map(|(block, _)| Self::Acknowledgement(block)),
            5 => {
                let (code, rest) = take_word(rest)?;
                let message = cut_bytes(rest, 0).0;
                Some(Self::Error { code, message })
            }
            6 => Some(Self::OptionAck(OptionAck::parse(rest))),
            _ => None,
        }
    }
}

impl OptionAck {
    /// Unknown options do not count; a value that is not a number reads as the largest one.
    fn parse(text: &[u8]) -> Self {
        let mut options = Self::default();
        let mut words = text.split(|&b| b == 0);
        while let (Some(name), Some(value)) = (words.next(), words.next()) {
            let place = if same_word(name, b"blksize") {
                &mut options.block_size
            } else if same_word(name, b"windowsize") {
                &mut options.window_size
            } else if same_word(name, b"tsize") {
                &mut options.total
            } else {
                continue;
            };
            *place = Some(
                core::str::from_utf8(value).ok().and_then(|value| number(value, 10)).unwrap_or(u64::MAX),
            );
        }
        options
    }
}

/// Writes packets into a buffer that may turn out too small.
pub(crate) struct Writer<'a> {
    buffer: &'a mut [u8],
    length: usize,
}

impl<'a> Writer<'a> {
    pub(crate) fn new(buffer: &'a mut [u8]) -> Self {
        Self { buffer, length: 0 }
    }

    pub(crate) fn bytes(&mut self, bytes: &[u8]) -> &mut Self {
        if let Some(place) = self.buffer.get_mut(self.length..).and_then(|rest| rest.get_mut(..bytes.len())) {
            place.copy_from_slice(bytes);
        }
        self.length += bytes.len();
        self
    }

    pub(crate) fn word(&mut self, word: u16) -> &mut Self {
        self.bytes(&word.to_be_bytes())
    }

    /// Text and the zero that ends it.
    pub(crate) fn text(&mut self, text: &[u8]) -> &mut Self {
        self.bytes(text).bytes(&[0])
    }

    pub(crate) fn option(&mut self, name: &[u8], value: u16) {
        let mut digits = [b'0'; 5];
        let mut rest = value;
        for digit in digits.iter_mut().rev() {
            *digit += (rest % 10) as u8;
            rest /= 10;
        }
        let zeros = digits.iter().take(4).take_while(|&&digit| digit == b'0').count();
        self.text(name).text(digits.get(zeros..).unwrap_or_default());
    }

    /// The length, if all of it had room.
    pub(crate) fn finish(&self) -> Option<usize> {
        (self.length <= self.buffer.len()).then_some(self.length)
    }
}

fn take_word(bytes: &[u8]) -> Option<(u16, &[u8])> {
    bytes.split_first_chunk().map(|(word, rest)| (u16::from_be_bytes(*word), rest))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn packets_are_told_apart() {
        assert_eq!(Packet::parse(b"\0\x03\x12\x34ab"), Some(Packet::Data { block: 0x1234, data: b"ab" }));
        assert_eq!(Packet::parse(b"\0\x05\0\x01gone\0x"), Some(Packet::Error { code: 1, message: b"gone" }));
        assert_eq!(Packet::parse(b"\0\x04\x12\x34"), Some(Packet::Acknowledgement(0x1234)));
        for bad in
            [&b""[..], b"\0", b"\0\x03", b"\0\x03\0", b"\0\x04\0", b"\0\x05\0", b"\0\x02a\0", b"\x03\0\0\0"]
        {
            assert_eq!(Packet::parse(bad), None);
        }
    }

    #[test]
    fn option_acknowledgements_are_read_leniently() {
        let options =
            OptionAck::parse(b"BLKSIZE\x001468\0timeout\x001\0tsize\x0099999999999\0windowsize\x0016");
        assert_eq!(
            options,
            OptionAck { block_size: Some(1468), window_size: Some(16), total: Some(99_999_999_999) }
        );
        assert_eq!(OptionAck::parse(b"blksize\0many\0tsize").block_size, Some(u64::MAX));
    }

    #[test]
    fn numbers_have_no_leading_zeros() {
        for (value, text) in [(0, &b"a\x000\0"[..]), (1468, b"a\x001468\0"), (65535, b"a\x0065535\0")] {
            let mut buffer = [0; 16];
            let mut writer = Writer::new(&mut buffer);
            writer.option(b"a", value);
            let length = writer.finish().unwrap();
            assert_eq!(&buffer[..length], text);
        }
        assert_eq!(Writer::new(&mut [0; 3]).bytes(b"abcd").finish(), None);
    }

    proptest! {
        #[test]
        fn any_bytes_are_safe(bytes in proptest::collection::vec(any::<u8>(), 0..64), kind in 0u8..8) {
            let _ = Packet::parse(&bytes);
            let mut packet = alloc::vec![0, kind];
            packet.extend_from_slice(&bytes);
            let _ = Packet::parse(&packet);
        }
    }
}
