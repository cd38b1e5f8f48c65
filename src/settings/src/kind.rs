//! The types of settings: how bytes are written as text, and text read as bytes.

use alloc::vec::Vec;
use base::encoding::{BASE64, base64, digit, push_escaped};
use base::text::{cut_bytes, has};
use core::fmt::Write;

/// A type. This is the one place that knows how each is parsed and formatted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// The bytes themselves, up to the first zero byte.
    String,
    /// Text with `%20` escapes for the stored bytes: for blanks, for what cannot be printed, and for what means
    /// something in an address or a query, `%/#:@?=&+`.
    UriString,
    /// Dotted quad; of a list the first address.
    Ipv4,
    /// RFC 5952 text; of a list the first address. A single colon at an end is read as if a 0 stood outside of it.
    Ipv6,
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
    /// RFC 4648 section 4, blanks allowed.
    Base64,
    /// RFC 9562 text, bytes in the order of the text.
    Uuid,
    /// The same text, the first three fields little-endian in the bytes.
    Guid,
    /// Where a PCI function is, `0000:00:03.0`. Only shown, never read.
    BusDevFn,
    /// A DNS search list, RFC 3397, shown with blanks between the names. Only shown, never read.
    DnsSearchList,
}

const NAMES: [(&str, Kind); 18] = [
    ("string", Kind::String),
    ("uristring", Kind::UriString),
    ("ipv4", Kind::Ipv4),
    ("ipv6", Kind::Ipv6),
    ("int8", Kind::Int8),
    ("int16", Kind::Int16),
    ("int32", Kind::Int32),
    ("uint8", Kind::Uint8),
    ("uint16", Kind::Uint16),
    ("uint32", Kind::Uint32),
    ("hex", Kind::Hex),
    ("hexhyp", Kind::HexHyp),
    ("hexraw", Kind::HexRaw),
    ("base64", Kind::Base64),
    ("uuid", Kind::Uuid),
    ("guid", Kind::Guid),
    ("busdevfn", Kind::BusDevFn),
    ("dnssl", Kind::DnsSearchList),
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
            Self::Ipv6 => parse_ipv6(text),
            Self::Int8 | Self::Uint8 => number_bytes(text, 1),
            Self::Int16 | Self::Uint16 => number_bytes(text, 2),
            Self::Int32 | Self::Uint32 => number_bytes(text, 4),
            Self::Hex => parse_hex(text, Some(b':')),
            Self::HexHyp => parse_hex(text, Some(b'-')),
            Self::HexRaw => parse_hex(text, None),
            Self::Base64 => parse_base64(text),
            Self::Uuid => parse_uuid(text),
            Self::Guid => parse_uuid(text).map(swap_fields),
            Self::BusDevFn | Self::DnsSearchList => None,
        }
    }

    /// `value` as text; none where these bytes cannot be of this type. Numbers are printed whole, whatever the width
    /// of the type.
    pub fn format(self, value: &[u8]) -> Option<Vec<u8>> {
        match self {
            Self::String => Some(cut_bytes(value, 0).0.to_vec()),
            Self::UriString => Some(escape(value)),
            Self::Ipv4 => value.first_chunk().map(|[a, b, c, d]| written(format_args!("{a}.{b}.{c}.{d}"))),
            Self::Ipv6 => value.first_chunk().map(format_ipv6),
            Self::Int8 | Self::Int16 | Self::Int32 => {
                Self::integer(value).map(|number| written(format_args!("{number}")))
            }
            Self::Uint8 | Self::Uint16 | Self::Uint32 => {
                unsigned(value).map(|number| written(format_args!("{number:#x}")))
            }
            Self::Hex => Some(format_hex(value, Some(b':'))),
            Self::HexHyp => Some(format_hex(value, Some(b'-'))),
            Self::HexRaw => Some(format_hex(value, None)),
            Self::Base64 => Some(base64(value)),
            Self::Uuid => format_uuid(value),
            Self::Guid => {
                (value.len() == 16).then(|| swap_fields(value.to_vec())).and_then(|v| format_uuid(&v))
            }
            Self::BusDevFn => unsigned(value).map(format_location),
            Self::DnsSearchList => format_search_list(value),
        }
    }

    /// Whether values of this type can be counted up.
    pub fn is_number(self) -> bool {
        matches!(self, Self::Int8 | Self::Int16 | Self::Int32 | Self::Uint8 | Self::Uint16 | Self::Uint32)
    }

    /// `value` as a number of this type, whatever its width; none where it has more than eight bytes.
    pub fn number(self, value: &[u8]) -> Option<i64> {
        match self {
            Self::Uint8 | Self::Uint16 | Self::Uint32 => unsigned(value).map(u64::cast_signed),
            _ => Self::integer(value),
        }
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
/// two's complement; of too large ones the low 64 bits are taken. It is that of C's `strtoul`: a sign, a blank or a
/// prefix without digits is 0.
pub fn number(text: &[u8]) -> Option<u64> {
    if text.is_empty() {
        return None;
    }
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
    let mut number = 0_u64;
    for letter in digits {
        let digit = digit(*letter).filter(|digit| *digit < radix)?;
        number = number.wrapping_mul(radix.into()).wrapping_add(digit.into());
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

fn parse_ipv6(text: &[u8]) -> Option<Vec<u8>> {
    let mut out = Vec::new();
    let mut gap = None;
    let mut parts = text.split(|byte| *byte == b':').enumerate().peekable();
    while let Some((index, part)) = parts.next() {
        if part.is_empty() && index > 0 && parts.peek().is_some() {
            if gap.replace(out.len()).is_some() {
                return None;
            }
            continue;
        }
        let mut group = 0_u32;
        for byte in part {
            group = group << 4 | u32::from(digit(*byte)?);
            if group > 0xffff {
                return None;
            }
        }
        out.extend_from_slice(group.to_be_bytes().last_chunk::<2>()?);
        if out.len() > 16 {
            return None;
        }
    }
    if let Some(gap) = gap {
        // It stands for something, if only for what was read into a colon at an end.
        if out.len() == 16 && !text.starts_with(b":") && !text.ends_with(b":") {
            return None;
        }
        let tail = out.split_off(gap);
        out.resize(16_usize.checked_sub(tail.len())?, 0);
        out.extend_from_slice(&tail);
    }
    (out.len() == 16).then_some(out)
}

fn format_ipv6(value: &[u8; 16]) -> Vec<u8> {
    let (groups, _) = value.as_chunks::<2>();
    // The longest run of zero groups, of equal ones the first; a single group is no run.
    let (mut gap, mut length, mut run) = (0, 1, 0);
    for (index, group) in groups.iter().enumerate() {
        run = if *group == [0, 0] { run + 1 } else { 0 };
        if run > length {
            (gap, length) = (index + 1 - run, run);
        }
    }
    let mut out = Vec::new();
    let mut index = 0;
    while let Some(group) = groups.get(index) {
        if length > 1 && index == gap {
            out.extend_from_slice(b"::");
            index += length;
            continue;
        }
        if !out.is_empty() && !out.ends_with(b":") {
            out.push(b':');
        }
        out.extend(written(format_args!("{:x}", u16::from_be_bytes(*group))));
        index += 1;
    }
    out
}

fn parse_base64(text: &[u8]) -> Option<Vec<u8>> {
    let mut out = Vec::new();
    let (mut bits, mut count, mut padding) = (0_u32, 0, 0);
    for byte in text.iter().filter(|byte| !byte.is_ascii_whitespace()) {
        if *byte == b'=' {
            padding += 2;
            continue;
        }
        let value = BASE64.iter().position(|letter| letter == byte).filter(|_| padding == 0)?;
        bits = bits << 6 | u32::try_from(value).ok()?;
        count += 6;
        if count >= 8 {
            count -= 8;
            out.push((bits >> count).to_be_bytes()[3]);
        }
    }
    // Each sign of padding stands for two bits that were too many.
    (padding == count && padding <= 4).then_some(out)
}

/// Bits 31:16 are the segment, 15:8 the bus, 7:3 the device, 2:0 the function.
fn format_location(value: u64) -> Vec<u8> {
    let [_, _, _, _, a, b, bus, function] = value.to_be_bytes();
    let mut out = Vec::new();
    push_hex(&mut out, a);
    push_hex(&mut out, b);
    for byte in [bus, function >> 3] {
        out.push(b':');
        push_hex(&mut out, byte);
    }
    out.extend_from_slice(&[b'.', b'0' + (function & 7)]);
    out
}

/// The longest text of a search list, in bytes.
const SEARCH_LIST: usize = 4096;

/// Names as in RFC 1035 section 4.1.4, one behind the other.
fn format_search_list(value: &[u8]) -> Option<Vec<u8>> {
    let mut out = Vec::new();
    let mut next = 0;
    while next < value.len() {
        if !out.is_empty() {
            out.push(b' ');
        }
        let begin = out.len();
        let (mut place, mut end) = (next, None);
        loop {
            let length = usize::from(*value.get(place)?);
            if length >= 0xc0 {
                // Only backwards; and a circle would have to go through labels, which make the text longer.
                let target = (length & 0x3f) << 8 | usize::from(*value.get(place + 1)?);
                end = end.or(Some(place + 2));
                place = Some(target).filter(|target| *target < place)?;
                continue;
            }
            place += 1;
            if length == 0 {
                break;
            }
            if out.len() > begin {
                out.push(b'.');
            }
            out.extend_from_slice(value.get(place..place + length).filter(|_| length < 64)?);
            place += length;
            if out.len() > SEARCH_LIST {
                return None;
            }
        }
        next = end.unwrap_or(place);
    }
    Some(out)
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

/// The other form of a UUID: the first three fields big-endian or little-endian.
pub fn swap_fields(mut value: Vec<u8>) -> Vec<u8> {
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
        rest = after;
        let mut byte = *first;
        if byte == b'%'
            && let Some(high) = after.first().copied().and_then(digit)
        {
            // One digit is enough.
            let low = after.get(1).copied().and_then(digit);
            byte = low.map_or(high, |low| high << 4 | low);
            rest = after.get(1 + usize::from(low.is_some())..).unwrap_or_default();
        }
        out.push(byte);
    }
    out
}

fn escape(value: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    for byte in value {
        push_escaped(&mut out, *byte, byte.is_ascii_graphic() && !has(b"%/#:@?=&+", *byte));
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
            (Kind::Uint32, "0x112233445566778899", "0x66778899"),
        ];
        for (kind, input, output) in cases {
            assert_eq!(through(kind, input).as_deref(), Some(output), "{input}");
        }
        for nothing in ["-", "+", "0x", " ", "-0X"] {
            assert_eq!(through(Kind::Int32, nothing).as_deref(), Some("0"), "{nothing}");
        }
        for bad in ["12x", "ten", "0xZZ", "1 2", "", "- 1", "08", "1 "] {
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
        assert_eq!((Kind::Int32.number(&[0xc8]), Kind::Uint32.number(&[0xc8])), (Some(-56), Some(200)));
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
    fn ipv6_addresses_are_shown_in_their_shortest_form() {
        for (input, output) in [
            ("2001:DB8:0:0:0:0:0:1", "2001:db8::1"),
            ("fe80::1:0:0:2", "fe80::1:0:0:2"),
            ("1:0:0:2:3:0:0:4", "1::2:3:0:0:4"),
            ("1:0:2:3:4:5:6:7", "1:0:2:3:4:5:6:7"),
            ("::", "::"),
            ("::1", "::1"),
            ("1::", "1::"),
            ("1:2:3:4:5:6:7::", "1:2:3:4:5:6:7:0"),
            ("::2:3:4:5:6:7:8", "0:2:3:4:5:6:7:8"),
            ("1:2:3:4:5:6:7:", "1:2:3:4:5:6:7:0"),
            (":2:3:4:5:6:7:8", "0:2:3:4:5:6:7:8"),
            ("00fe80::000001", "fe80::1"),
        ] {
            assert_eq!(through(Kind::Ipv6, input).as_deref(), Some(output), "{input}");
        }
        for bad in [
            "1:2:3",
            "1::2::3",
            "12345::",
            "",
            ":",
            "1:",
            ":::",
            "1:2:3:4:5:6:7:8:9",
            "1:2:3:4::5:6:7:8",
            "::g",
            "::1%0",
            "::ffff:192.0.2.1",
        ] {
            assert_eq!(Kind::Ipv6.parse(bad.as_bytes()), None, "{bad}");
        }
        assert_eq!(text(Kind::Ipv6, &[0; 15]), None);
    }

    #[test]
    fn base64_needs_its_padding() {
        for (plain, coded) in
            [("A", "QQ=="), ("AB", "QUI="), ("ABC", "QUJD"), ("hello world", "aGVsbG8gd29ybGQ=")]
        {
            assert_eq!(Kind::Base64.parse(coded.as_bytes()).unwrap(), plain.as_bytes());
            assert_eq!(text(Kind::Base64, plain.as_bytes()).unwrap(), coded);
        }
        assert_eq!(Kind::Base64.parse(b"aGVs bG8=").unwrap(), b"hello");
        for bad in ["a*b=", "aGVsbG8", "QQ=", "QUJD=", "====", "Q=Q=", "QQ==A"] {
            assert_eq!(Kind::Base64.parse(bad.as_bytes()), None, "{bad}");
        }
    }

    #[test]
    fn some_types_are_only_shown() {
        for (kind, value, output) in [
            (Kind::BusDevFn, &[0, 0, 0, 0x18][..], "0000:00:03.0"),
            (Kind::BusDevFn, &[0, 2, 1, 0x19], "0002:01:03.1"),
            (Kind::BusDevFn, &[0x19], "0000:00:03.1"),
            (
                Kind::DnsSearchList,
                b"\x03lab\x07example\0\x02qa\xc0\x04\x01x\xc0\x0d",
                "lab.example qa.example x.qa.example",
            ),
            (Kind::DnsSearchList, b"", ""),
        ] {
            assert_eq!(text(kind, value).as_deref(), Some(output));
            assert_eq!(kind.parse(output.as_bytes()), None);
        }
        for bad in [&b"\x03la"[..], b"\x01a\xc0\x00", b"\xc0\x00", b"\x01a\xc0\x05\0\0", b"\x40", b"\x01a"] {
            assert_eq!(text(Kind::DnsSearchList, bad), None, "{bad:?}");
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
        assert_eq!(text(Kind::UriString, b"#:@?\t\xe4~").unwrap(), "%23%3A%40%3F%09%E4~");
        let plain = "!\"$'()*,-.;<>[\\]^_`{|}";
        assert_eq!(text(Kind::UriString, plain.as_bytes()).unwrap(), plain);
        assert_eq!(Kind::UriString.parse(b"%4z%%41%").unwrap(), b"\x04z%A%");
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
            for kind in [Kind::Hex, Kind::HexHyp, Kind::HexRaw, Kind::Base64, Kind::UriString] {
                prop_assert_eq!(kind.parse(&kind.format(&value).unwrap()), Some(value.clone()));
            }
        }

        #[test]
        fn uuids_survive(value in any::<[u8; 16]>()) {
            for kind in [Kind::Uuid, Kind::Guid, Kind::Ipv6] {
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
