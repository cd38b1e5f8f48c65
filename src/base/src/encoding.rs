//! Bytes as text: hexadecimal digits, percent-encoding and base64, of which several crates need the same.

use alloc::vec::Vec;

/// The letters that stand for 0 to 63 (RFC 4648 section 4).
pub const BASE64: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/// What a hexadecimal digit stands for.
#[inline(never)]
pub fn digit(letter: u8) -> Option<u8> {
    match letter {
        b'0'..=b'9' => Some(letter - b'0'),
        b'a'..=b'f' => Some(letter - b'a' + 10),
        b'A'..=b'F' => Some(letter - b'A' + 10),
        _ => None,
    }
}

/// Adds a byte: as itself where that `is_legal`, else percent-encoded (RFC 3986 section 2.1).
#[inline(never)]
pub fn push_escaped(text: &mut Vec<u8>, byte: u8, is_legal: bool) {
    if is_legal {
        text.push(byte);
        return;
    }
    text.push(b'%');
    for digit in [byte >> 4, byte & 15] {
        text.push(digit + if digit < 10 { b'0' } else { b'A' - 10 });
    }
}

/// `bytes` in base64, padded.
#[inline(never)]
pub fn base64(bytes: &[u8]) -> Vec<u8> {
    let mut text = Vec::new();
    for group in bytes.chunks(3) {
        let bits =
            group.iter().fold(0, |bits, byte| bits << 8 | usize::from(*byte)) << (8 * (3 - group.len()));
        for place in 0..4 {
            let letter = BASE64.get(bits >> (18 - 6 * place) & 63).filter(|_| place <= group.len());
            text.push(*letter.unwrap_or(&b'='));
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn examples_of_rfc_4648() {
        for (bytes, expected) in [
            ("", ""),
            ("f", "Zg=="),
            ("fo", "Zm8="),
            ("foo", "Zm9v"),
            ("foob", "Zm9vYg=="),
            ("fooba", "Zm9vYmE="),
            ("foobar", "Zm9vYmFy"),
            ("\u{3fb}\u{7ff}", "z7vfvw=="),
        ] {
            assert_eq!(base64(bytes.as_bytes()), expected.as_bytes());
        }
        assert_eq!(base64(&[0xfb, 0xff, 0xfe]), b"+//+");
    }

    #[test]
    fn digits_and_escapes_are_each_others_reverse() {
        let mut text = Vec::new();
        push_escaped(&mut text, b'a', true);
        push_escaped(&mut text, 0xe4, false);
        assert_eq!(text, b"a%E4");
        assert_eq!([b'E', b'4', b'f'].map(digit), [Some(14), Some(4), Some(15)]);
        assert_eq!([b'g', b'G', b'/', b':', b'@', b'`'].map(digit), [None; 6]);
    }
}
