//! The types of settings: how bytes are written as text, and text read as bytes.

use alloc::vec::Vec;
use core::fmt::Write;

/// A type. This is the one place that knows how each is parsed and formatted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// The bytes themselves, up to the first zero byte.
    String,
    /// Text with `%20` escapes for the stored bytes.
    UriString,
    /// Dotted quad; of a list the first address.
    Ipv4,
    /// Signed decimal, one byte.
    Int8,
    /// Signed decimal, two bytes, big-endian.
    Int16,
    /// Signed decimal, four bytes, big-endian.
    Int32,
    /// Hexadecimal with `0x`, one byte.
    Uint8,
    /// Hexadecimal with `0x`, two bytes, big-endian.
    Uint16,
    /// Hexadecimal with `0x`, four bytes, big-endian.
    Uint32,
    /// `aa:bb`.
    Hex,
    /// `aa-bb`.
    HexHyp,
    /// `aabb`.
    HexRaw,
    /// RFC 9562 text, bytes in the order of the text.
    Uuid,
    /// The same text, the first three fields little-endian in the bytes.
    Guid,
}

const NAMES: [(&str, Kind); 14] = [
    ("string", Kind::String),
    ("uristring", Kind::UriString),
    ("ipv4", Kind::Ipv4),
    ("int8", Kind::Int8),
    ("int16", Kind::Int16),
    ("int32", Kind::Int32),
    ("uint8", Kind::Uint8),
    ("uint16", Kind::Uint16),
    ("uint32", Kind::Uint32),
    ("hex", Kind::Hex),
    ("hexhyp", Kind::HexHyp),
    ("hexraw", Kind::HexRaw),
    ("uuid", Kind::Uuid),
    ("guid", Kind::Guid),
];

impl Kind {
    /// The type of that name.
    pub fn named(name: &[u8]) -> Option<Self> {
        NAMES.iter().find(|entry| entry.0.as_bytes() == name).map(|entry| entry.1)
    }

    /// Its name.
    pub fn name(self) -> &'static str {
        NAMES.iter().find(|entry| entry.1 == self).map_or("", |entry| entry.0)
    }

    /// The bytes that `text` stands for; none where it is malformed.
    pub fn parse(self, text: &[u8]) -> Option<Vec<u8>> {
        match self {
            Self::String => Some(text.to_vec()),
            Self::UriString => Some(unescape(text)),
            Self::Ipv4 => parse_ipv4(text),
            Self::Int8 | Self::Uint8 => number_bytes(text, 1),
            Self::Int16 | Self::Uint16 => number_bytes(text, 2),
            Self::Int32 | Self::Uint32 => number_bytes(text, 4),
            Self::Hex => parse_hex(text, Some(b':')),
            Self::HexHyp => parse_hex(text, Some(b'-')),
            Self::HexRaw => parse_hex(text, None),
            Self::Uuid => parse_uuid(text),
            Self::Guid => parse_uuid(text).map(swap_fields),
        }
    }

    /// `value` as text; none where these bytes cannot be of this type. Numbers are printed whole, whatever the width
    /// of the type.
    pub fn format(self, value: &[u8]) -> Option<Vec<u8>> {
        match self {
            Self::String => Some(value.split(|byte| *byte == 0).next().unwrap_or_default().to_vec()),
            Self::UriString => Some(escape(value)),
            Self::Ipv4 => value.first_chunk().map(|[a, b, c, d]| written(format_args!("{a}.{b}.{c}.{d}"))),
            Self::Int8 | Self::Int16 | Self::Int32 => {
                Self::integer(value).map(|number| written(format_args!("{number}")))
            }
            Self::Uint8 | Self::Uint16 | Self::Uint32 => {
                unsigned(value).map(|number| written(format_args!("{number:#x}")))
            }
            Self::Hex => Some(format_hex(value, Some(b':'))),
            Self::HexHyp => Some(format_hex(value, Some(b'-'))),
            Self::HexRaw => Some(format_hex(value, None)),
            Self::Uuid => format_uuid(value),
            Self::Guid => {
                (value.len() == 16).then(|| swap_fields(value.to_vec())).and_then(|v| format_uuid(&v))
            }
        }
    }

    /// Whether values of this type can be counted up.
    pub fn is_number(self) -> bool {
        matches!(self, Self::Int8 | Self::Int16 | Self::Int32 | Self::Uint8 | Self::Uint16 | Self::Uint32)
    }

    /// `value` as a big-endian two's complement number of up to eight bytes.
    pub fn integer(value: &[u8]) -> Option<i64> {
        let first = match value.first() {
            Some(byte) if *byte >= 0x80 => -1,
            _ => 0,
        };
        (value.len() <= 8).then(|| value.iter().fold(first, |number, byte| number << 8 | i64::from(*byte)))
    }
}

/// A number as scripts write it: decimal, `0x` hexadecimal or `0` octal, perhaps with a sign. Negative ones are in
/// two's complement, too large ones are cut to the largest.
pub fn number(text: &[u8]) -> Option<u64> {
    let (negative, text) = match text.trim_ascii_start() {
        [b'-', rest @ ..] => (true, rest),
        [b'+', rest @ ..] => (false, rest),
        all => (false, all),
    };
    let (radix, digits) = match text {
        [b'0', b'x' | b'X', rest @ ..] => (16, rest),
        [b'0', rest @ ..] if !rest.is_empty() => (8, rest),
        all => (10, all),
    };
    if digits.is_empty() {
        return None;
    }
    let mut number = 0_u64;
    for digit in digits {
        let digit = char::from(*digit).to_digit(radix)?;
        number = number.saturating_mul(radix.into()).saturating_add(digit.into());
    }
    Some(if negative { number.wrapping_neg() } else { number })
}

fn number_bytes(text: &[u8], width: usize) -> Option<Vec<u8>> {
    number(text)?.to_be_bytes().last_chunk::<4>().and_then(|bytes| bytes.get(4 - width..)).map(<[u8]>::to_vec)
}

fn unsigned(value: &[u8]) -> Option<u64> {
    (value.len() <= 8).then(|| value.iter().fold(0, |number, byte| number << 8 | u64::from(*byte)))
}

fn written(text: core::fmt::Arguments<'_>) -> Vec<u8> {
    let mut out = alloc::string::String::new();
    // Writing to a string cannot fail.
    let _ = out.write_fmt(text);
    out.into_bytes()
}

fn digit(byte: u8) -> Option<u8> {
    char::from(byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok())
}

fn hex_byte(text: &[u8]) -> Option<(u8, &[u8])> {
    let ([high, low], rest) = text.split_first_chunk()?;
    Some((digit(*high)? << 4 | digit(*low)?, rest))
}

fn parse_hex(text: &[u8], separator: Option<u8>) -> Option<Vec<u8>> {
    let mut out = Vec::new();
    let (byte, mut rest) = hex_byte(text)?;
    out.push(byte);
    while !rest.is_empty() {
        if let Some(separator) = separator {
            rest = rest.strip_prefix(&[separator])?;
        }
        let (byte, after) = hex_byte(rest)?;
        out.push(byte);
        rest = after;
    }
    Some(out)
}

fn push_hex(out: &mut Vec<u8>, byte: u8) {
    for nibble in [byte >> 4, byte & 0xf] {
        out.push(if nibble < 10 { b'0' + nibble } else { b'a' - 10 + nibble });
    }
}

fn format_hex(value: &[u8], separator: Option<u8>) -> Vec<u8> {
    let mut out = Vec::new();
    for byte in value {
        if !out.is_empty() {
            out.extend(separator);
        }
        push_hex(&mut out, *byte);
    }
    out
}

fn parse_ipv4(text: &[u8]) -> Option<Vec<u8>> {
    let mut out = Vec::new();
    for part in text.split(|byte| *byte == b'.') {
        out.push(u8::try_from(number(part)?).ok()?);
    }
    (out.len() == 4).then_some(out)
}

/// The hyphens stand before these bytes.
const HYPHENS: [usize; 4] = [4, 6, 8, 10];

fn parse_uuid(text: &[u8]) -> Option<Vec<u8>> {
    let mut rest = text;
    let mut out = Vec::new();
    while out.len() < 16 {
        if HYPHENS.contains(&out.len()) {
            rest = rest.strip_prefix(b"-").unwrap_or(rest);
        }
        let (byte, after) = hex_byte(rest)?;
        out.push(byte);
        rest = after;
    }
    rest.is_empty().then_some(out)
}

fn format_uuid(value: &[u8]) -> Option<Vec<u8>> {
    let mut out = Vec::new();
    for (index, byte) in value.iter().enumerate() {
        if HYPHENS.contains(&index) {
            out.push(b'-');
        }
        push_hex(&mut out, *byte);
    }
    (value.len() == 16).then_some(out)
}

fn swap_fields(mut value: Vec<u8>) -> Vec<u8> {
    if let [a, b, c, d, e, f, g, h, ..] = value.as_mut_slice() {
        core::mem::swap(a, d);
        core::mem::swap(b, c);
        core::mem::swap(e, f);
        core::mem::swap(g, h);
    }
    value
}

fn unescape(text: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    let mut rest = text;
    while let [first, after @ ..] = rest {
        let (byte, after) = hex_byte(after).filter(|_| *first == b'%').unwrap_or((*first, after));
        out.push(byte);
        rest = after;
    }
    out
}

fn escape(value: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    for byte in value {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => out.push(*byte),
            _ => {
                out.push(b'%');
                for nibble in [byte >> 4, byte & 0xf] {
                    out.push(if nibble < 10 { b'0' + nibble } else { b'A' - 10 + nibble });
                }
            }
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::string::String;
    use proptest::prelude::*;

    fn text(kind: Kind, value: &[u8]) -> Option<String> {
        kind.format(value).map(|text| String::from_utf8(text).unwrap())
    }

    fn through(kind: Kind, input: &str) -> Option<String> {
        kind.parse(input.as_bytes()).and_then(|value| text(kind, &value))
    }

    #[test]
    fn integers_are_cut_to_their_width() {
        let cases = [
            (Kind::Int8, "200", "-56"),
            (Kind::Uint8, "200", "0xc8"),
            (Kind::Int16, "40000", "-25536"),
            (Kind::Uint16, "-1", "0xffff"),
            (Kind::Int32, "4294967295", "-1"),
            (Kind::Uint32, "16", "0x10"),
            (Kind::Int32, "010", "8"),
            (Kind::Int32, "0x1F", "31"),
            (Kind::Uint8, "300", "0x2c"),
            (Kind::Uint32, "+18", "0x12"),
        ];
        for (kind, input, output) in cases {
            assert_eq!(through(kind, input).as_deref(), Some(output), "{input}");
        }
        for bad in ["12x", "ten", "0xZZ", "1 2", "", "-", "0x", "08"] {
            assert_eq!(Kind::Int32.parse(bad.as_bytes()), None, "{bad}");
        }
    }

    #[test]
    fn a_type_reads_the_stored_bytes_anew() {
        let value = [0xff, 0xff, 0xff, 0xf0];
        assert_eq!(text(Kind::Int8, &value).unwrap(), "-16");
        assert_eq!(text(Kind::Uint16, &value).unwrap(), "0xfffffff0");
        assert_eq!(text(Kind::Ipv4, &value).unwrap(), "255.255.255.240");
        assert_eq!(text(Kind::Int32, b"10").unwrap(), "12592");
        assert_eq!(text(Kind::Int32, &[1; 10]), None);
        assert_eq!(text(Kind::Ipv4, &[65]), None);
        assert_eq!(text(Kind::Int8, &[0x7f]).unwrap(), "127");
        assert_eq!(text(Kind::Uuid, &[0, 1, 2, 3, 4]), None);
        assert_eq!(text(Kind::String, b"pxe.img\0\0").unwrap(), "pxe.img");
    }

    #[test]
    fn byte_strings_come_in_pairs_of_digits() {
        assert_eq!(through(Kind::Hex, "00:11:AA:fF").unwrap(), "00:11:aa:ff");
        assert_eq!(through(Kind::HexHyp, "01-02-0a").unwrap(), "01-02-0a");
        assert_eq!(through(Kind::HexRaw, "deadBEEF").unwrap(), "deadbeef");
        for (kind, bad) in [
            (Kind::Hex, "0011"),
            (Kind::HexRaw, "abc"),
            (Kind::HexHyp, "01:02"),
            (Kind::Hex, "1:2"),
            (Kind::HexRaw, "0g"),
            (Kind::Hex, "01:"),
        ] {
            assert_eq!(kind.parse(bad.as_bytes()), None, "{bad}");
        }
    }

    #[test]
    fn addresses_have_four_parts_in_any_base() {
        assert_eq!(through(Kind::Ipv4, "0xc0.0.010.1").unwrap(), "192.0.8.1");
        for bad in ["192.0.2", "192.0.2.256", "192.0.2.7.1", "boot.example", "1.2.3."] {
            assert_eq!(Kind::Ipv4.parse(bad.as_bytes()), None, "{bad}");
        }
    }

    #[test]
    fn the_first_fields_of_a_guid_are_swapped() {
        let plain = "01234567-89ab-cdef-0123-456789abcdef";
        assert_eq!(through(Kind::Uuid, "01234567-89AB-cdef-0123-456789abcdef").unwrap(), plain);
        assert_eq!(through(Kind::Guid, plain).unwrap(), plain);
        let value = Kind::Uuid.parse(plain.as_bytes()).unwrap();
        assert_eq!(text(Kind::Guid, &value).unwrap(), "67452301-ab89-efcd-0123-456789abcdef");
        assert!(Kind::Uuid.parse(b"000102030405060708090a0b0c0d0e0f").is_some());
        assert_eq!(Kind::Uuid.parse(b"00010203"), None);
    }

    #[test]
    fn escapes_go_both_ways_and_broken_ones_stay() {
        let value = Kind::UriString.parse(b"a%2Fb%20c%zz").unwrap();
        assert_eq!(value, b"a/b c%zz");
        assert_eq!(text(Kind::UriString, &value).unwrap(), "a%2Fb%20c%25zz");
        assert_eq!(text(Kind::UriString, b"key=x&y+z").unwrap(), "key%3Dx%26y%2Bz");
    }

    proptest! {
        #[test]
        fn nothing_panics(text in proptest::collection::vec(any::<u8>(), 0..80)) {
            for (_, kind) in NAMES {
                let _ = kind.parse(&text);
                let _ = kind.format(&text);
            }
        }

        #[test]
        fn what_is_formatted_parses_to_the_same(value in proptest::collection::vec(any::<u8>(), 1..40)) {
            for kind in [Kind::Hex, Kind::HexHyp, Kind::HexRaw, Kind::UriString] {
                prop_assert_eq!(kind.parse(&kind.format(&value).unwrap()), Some(value.clone()));
            }
        }

        #[test]
        fn uuids_survive(value in any::<[u8; 16]>()) {
            for kind in [Kind::Uuid, Kind::Guid] {
                prop_assert_eq!(kind.parse(&kind.format(&value).unwrap()), Some(value.to_vec()));
            }
        }

        #[test]
        fn numbers_survive(value in any::<[u8; 4]>()) {
            for kind in [Kind::Int32, Kind::Uint32, Kind::Ipv4] {
                prop_assert_eq!(kind.parse(&kind.format(&value).unwrap()), Some(value.to_vec()));
            }
        }
    }
}
