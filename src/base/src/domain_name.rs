//! Names of hosts as they stand in messages of DNS, and in options of DHCP: labels with their lengths, ended by a zero.
//! They are kept in lower case and without compression.

use alloc::string::String;
use alloc::vec::Vec;

/// The longest name in a message, its last zero counted (RFC 1035 section 2.3.4).
pub const NAME_LIMIT: usize = 255;

/// The name of `text` for a message; none if it cannot be one. A dot at the end is ignored.
pub fn of_text(text: &str) -> Option<Vec<u8>> {
    let text = text.strip_suffix('.').unwrap_or(text);
    let mut name = Vec::new();
    for label in text.as_bytes().split(|byte| *byte == b'.') {
        let length = u8::try_from(label.len()).ok().filter(|length| (1..64).contains(length))?;
        if !label.iter().all(u8::is_ascii_graphic) {
            return None;
        }
        name.push(length);
        name.extend(label.iter().map(u8::to_ascii_lowercase));
    }
    name.push(0);
    (name.len() <= NAME_LIMIT).then_some(name)
}

/// The text of a name, without a dot at the end; none if a label would not be one there.
pub fn to_text(name: &[u8]) -> Option<String> {
    let mut text = String::new();
    let mut rest = name;
    loop {
        let (&length, after) = rest.split_first()?;
        if length == 0 {
            return Some(text);
        }
        let (label, after) = after.split_at_checked(usize::from(length))?;
        if !label.iter().all(|byte| byte.is_ascii_graphic() && *byte != b'.') {
            return None;
        }
        if !text.is_empty() {
            text.push('.');
        }
        text.push_str(core::str::from_utf8(label).ok()?);
        rest = after;
    }
}

/// The name at `position`, and where the message goes on after it. A pointer may only point before the part of the name
/// that it ends, so that there are no circles (RFC 1035 section 4.1.4).
pub fn read(message: &[u8], position: usize) -> Option<(Vec<u8>, usize)> {
    let mut name = Vec::new();
    let mut part = position;
    let mut at = position;
    let mut end = None;
    loop {
        let length = *message.get(at)?;
        let after = at.checked_add(1)?;
        match length {
            0..64 => {
                at = after.checked_add(usize::from(length))?;
                name.push(length);
                name.extend(message.get(after..at)?.iter().map(u8::to_ascii_lowercase));
                if name.len() > NAME_LIMIT {
                    return None;
                }
                if length == 0 {
                    return Some((name, end.unwrap_or(at)));
                }
            }
            0xc0.. => {
                let target = usize::from(u16::from_be_bytes([length & 0x3f, *message.get(after)?]));
                end = end.or(after.checked_add(1));
                if target >= part {
                    return None;
                }
                part = target;
                at = target;
            }
            _ => return None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_the_same_after_a_message_in_lower_case() {
        let name = of_text("WWW.Example.org.").unwrap();
        assert_eq!(name, b"\x03www\x07example\x03org\0");
        assert_eq!(read(&name, 0), Some((name.clone(), name.len())));
        assert_eq!(read(b"\x03ORG\0\x01a\xc0\0\xff", 5), Some((b"\x01a\x03org\0".to_vec(), 9)));
        assert_eq!(to_text(&name).as_deref(), Some("www.example.org"));
        assert_eq!(to_text(b"\0").as_deref(), Some(""));
    }

    #[test]
    fn what_is_no_name_of_a_host_has_no_text() {
        for name in [&b"\x03a.b\0"[..], b"\x03a b\0", b"\x01\xff\0", b"\x02a", b"\x01a", b""] {
            assert_eq!(to_text(name), None, "{name:?}");
        }
    }
}
