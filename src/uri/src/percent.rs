//! Percent-encoding, RFC 3986 section 2.

use crate::MAXIMUM_LENGTH;
use alloc::{string::String, vec::Vec};
use base::encoding::{digit, push_escaped};
use base::text::{ascii, has};

/// Percent-encodes all of `bytes` that may not stand as itself in a path, `/` excepted.
pub fn encode(bytes: &[u8]) -> String {
    let mut text = Vec::new();
    for &byte in bytes {
        push_escaped(&mut text, byte, is_unreserved(byte) || has(b"/:@!$&'()*+,;=", byte));
    }
    ascii(text)
}

/// Percent-decodes one component; a `%` without two digits stands for itself.
pub fn decode(text: &str) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&first, tail)) = rest.split_first() {
        rest = tail;
        match escape(first, tail) {
            Some((byte, tail)) => {
                bytes.push(byte);
                rest = tail;
            }
            None => bytes.push(first),
        }
    }
    bytes
}

/// `bytes` with everything encoded that is not printable ASCII, blanks included, and what stands in `marks`; none
/// where that is too long.
pub(crate) fn clean(bytes: &[u8], marks: &[u8]) -> Option<String> {
    let mut clean = Vec::new();
    for &byte in bytes {
        push_escaped(&mut clean, byte, byte.is_ascii_graphic() && !has(marks, byte));
        if clean.len() > MAXIMUM_LENGTH {
            return None;
        }
    }
    Some(ascii(clean))
}

/// The byte that `first` and the begin of `tail` encode, and what follows.
fn escape(first: u8, tail: &[u8]) -> Option<(u8, &[u8])> {
    let ([high, low], rest) = tail.split_first_chunk::<2>()?;
    (first == b'%').then_some(())?;
    Some((digit(*high)? << 4 | digit(*low)?, rest))
}

fn is_unreserved(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || has(b"-._~", byte)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn lone_percent_signs_stand_for_themselves() {
        assert_eq!(decode("a%2Fb%2fc%"), b"a/b/c%");
        assert_eq!(decode("%zz%4"), b"%zz%4");
        assert_eq!(encode(b"a b\\c?d#e/\xff%"), "a%20b%5Cc%3Fd%23e/%FF%25");
        assert_eq!(clean(b"100% a%20b\xe4", b"").as_deref(), Some("100%%20a%20b%E4"));
        assert_eq!(clean(b"a@b", b"@").as_deref(), Some("a%40b"));
    }

    proptest! {
        #[test]
        fn what_is_encoded_is_decoded_again(bytes in proptest::collection::vec(any::<u8>(), 0..100)) {
            prop_assert_eq!(decode(&encode(&bytes)), bytes);
        }
    }
}
