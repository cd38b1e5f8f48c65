//! The chunked transfer coding, RFC 9112 section 7.1.

use base::encoding::digit;

/// The most bytes of one size line with its extensions, or of all trailers.
const OVERHEAD_LIMIT: u16 = 8192;

/// Takes the data out of chunks, from pieces of any size.
#[derive(Default)]
pub(crate) struct Chunked {
    state: State,
    /// The size being read, or what is left of the chunk.
    remaining: u64,
    /// Bytes since the last data.
    overhead: u16,
}

#[derive(Default, PartialEq, Eq)]
enum State {
    /// Before the first digit of a size.
    #[default]
    SizeStart,
    Size,
    Extension,
    Data,
    DataEnd,
    /// At the begin of a trailer line.
    TrailerStart,
    Trailer,
    Finished,
}

/// The bytes are not chunks.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Malformed;

impl Chunked {
    /// Whether the last chunk and the trailers have passed.
    pub(crate) fn is_finished(&self) -> bool {
        self.state == State::Finished
    }

    /// Takes a piece off `input`, which is not empty: gives data, perhaps none, and the rest of the input.
    pub(crate) fn take<'a>(&mut self, input: &'a [u8]) -> Result<(&'a [u8], &'a [u8]), Malformed> {
        if self.state == State::Data {
            let length = usize::try_from(self.remaining).unwrap_or(usize::MAX).min(input.len());
            let (data, rest) = input.split_at_checked(length).ok_or(Malformed)?;
            self.remaining -= length as u64;
            if self.remaining == 0 {
                self.overhead = 0;
                self.state = State::DataEnd;
            }
            return Ok((data, rest));
        }
        let (&byte, rest) = input.split_first().ok_or(Malformed)?;
        self.overhead += 1;
        if self.overhead > OVERHEAD_LIMIT {
            return Err(Malformed);
        }
        self.state = match (&self.state, byte) {
            (State::SizeStart | State::Size, b'0'..=b'9' | b'a'..=b'f' | b'A'..=b'F') => {
                let digit = digit(byte).unwrap_or(0);
                self.remaining =
                    self.remaining.checked_mul(16).ok_or(Malformed)?.saturating_add(u64::from(digit));
                State::Size
            }
            (State::Size | State::Extension, b'\n') if self.remaining > 0 => State::Data,
            (State::Size | State::Extension, b'\n') => State::TrailerStart,
            (State::Size, b';' | b' ' | b'\t' | b'\r') | (State::Extension, _) => State::Extension,
            (State::DataEnd, b'\r') => State::DataEnd,
            (State::DataEnd, b'\n') => State::SizeStart,
            (State::TrailerStart, b'\n') => State::Finished,
            (State::Trailer, b'\n') | (State::TrailerStart, b'\r') => State::TrailerStart,
            (State::Trailer | State::TrailerStart, _) => State::Trailer,
            _ => return Err(Malformed),
        };
        Ok((&[], rest))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::vec::Vec;
    use proptest::prelude::*;

    /// The data and what follows the chunks.
    fn decode(mut input: &[u8]) -> Result<(Vec<u8>, &[u8], bool), Malformed> {
        let (mut chunked, mut all) = (Chunked::default(), Vec::new());
        while !input.is_empty() && !chunked.is_finished() {
            let (data, rest) = chunked.take(input)?;
            assert!(rest.len() < input.len());
            all.extend_from_slice(data);
            input = rest;
        }
        Ok((all, input, chunked.is_finished()))
    }

    #[test]
    fn extensions_and_trailers_are_skipped() {
        let input = b"5;name=\"v\"\r\nhello\r\n0A \r\n, world...\r\n000\r\nDigest: x\r\nMore: y\r\n\r\nrest";
        assert_eq!(decode(input), Ok((b"hello, world...".to_vec(), &b"rest"[..], true)));
        assert_eq!(decode(b"1\nx\n0\n\n"), Ok((b"x".to_vec(), &b""[..], true)));
        assert_eq!(decode(b"5\r\nhel"), Ok((b"hel".to_vec(), &b""[..], false)));
    }

    #[test]
    fn hostile_sizes_are_refused() {
        for bad in ["g\r\n", "\r\n", ";x\r\n", "-1\r\n", "0x5\r\n", "10000000000000000\r\n", "1\r\nxy\r\n"] {
            assert_eq!(decode(bad.as_bytes()), Err(Malformed), "{bad}");
        }
        let endless = [&b"1;"[..], &[b'x'; 10_000]].concat();
        assert_eq!(decode(&endless), Err(Malformed));
        let endless = [&b"0\r\n"[..], &b"a: b\r\n".repeat(2000)].concat();
        assert_eq!(decode(&endless), Err(Malformed));
        assert_eq!(decode(b"ffffffffffffffff\r\nabc"), Ok((b"abc".to_vec(), &b""[..], false)));
    }

    proptest! {
        #[test]
        fn any_bytes_are_safe(bytes in proptest::collection::vec(
            prop_oneof![Just(b'\r'), Just(b'\n'), Just(b'0'), Just(b'1'), Just(b';'), any::<u8>()], 0..200)) {
            let _ = decode(&bytes);
        }
    }
}
