//! Reading text from outside. Each of these is one function of the program, where the standard library's generic
//! ones are made anew for each kind of pattern and each place.

use crate::encoding::digit;
use alloc::string::String;
use alloc::vec::Vec;

/// What stands before the first `mark`, an ASCII character, and what stands behind it if there is one.
#[inline(never)]
pub fn cut(text: &str, mark: u8) -> (&str, Option<&str>) {
    match text.bytes().position(|byte| byte == mark) {
        Some(place) => (text.get(..place).unwrap_or_default(), text.get(place + 1..)),
        None => (text, None),
    }
}

/// The same of bytes in any encoding.
#[inline(never)]
pub fn cut_bytes(bytes: &[u8], mark: u8) -> (&[u8], Option<&[u8]>) {
    match bytes.iter().position(|byte| *byte == mark) {
        Some(place) => (bytes.get(..place).unwrap_or_default(), bytes.get(place + 1..)),
        None => (bytes, None),
    }
}

/// What stands before the last `mark`, an ASCII character, if there is one, and what stands behind it.
#[inline(never)]
pub fn cut_last(text: &str, mark: u8) -> (Option<&str>, &str) {
    match text.bytes().rposition(|byte| byte == mark) {
        Some(place) => (text.get(..place), text.get(place + 1..).unwrap_or_default()),
        None => (None, text),
    }
}

/// `text` without the `mark`s, ASCII characters, at its end.
#[inline(never)]
pub fn trim_end(text: &str, mark: u8) -> &str {
    let end = text.bytes().rposition(|byte| byte != mark).map_or(0, |last| last + 1);
    text.get(..end).unwrap_or_default()
}

/// Whether `mark` is one of `bytes`.
#[inline(never)]
pub fn has(bytes: &[u8], mark: u8) -> bool {
    bytes.iter().copied().any(|byte| byte == mark)
}

/// The number that `text` is, perhaps with a plus sign, of this radix, 16 at most.
#[inline(never)]
pub fn number(text: &str, radix: u32) -> Option<u64> {
    let digits = text.strip_prefix('+').unwrap_or(text).as_bytes();
    let mut number = None;
    for letter in digits {
        let digit = digit(*letter).filter(|digit| u32::from(*digit) < radix)?;
        number = Some(number.unwrap_or(0_u64).checked_mul(radix.into())?.checked_add(digit.into())?);
    }
    number
}

/// Whether the two differ in the case of ASCII letters at most.
#[inline(never)]
pub fn same_word(left: &[u8], right: &[u8]) -> bool {
    left.eq_ignore_ascii_case(right)
}

/// `bytes` as text, everything replaced by `?` that is not printable ASCII.
#[inline(never)]
pub fn printable(bytes: &[u8]) -> String {
    let printed = |byte: &u8| if (b' '..=b'~').contains(byte) { *byte } else { b'?' };
    ascii(crate::list(bytes.iter().map(printed)))
}

/// `bytes` as text, U+FFFD in place of what is no UTF-8.
#[inline(never)]
pub fn lossy(mut bytes: &[u8]) -> String {
    let mut text = String::new();
    loop {
        let error = match core::str::from_utf8(bytes) {
            Ok(rest) => {
                text.push_str(rest);
                return text;
            }
            Err(error) => error,
        };
        let (valid, behind) = bytes.split_at(error.valid_up_to());
        text.push_str(core::str::from_utf8(valid).unwrap_or_default());
        text.push(char::REPLACEMENT_CHARACTER);
        bytes = error.error_len().and_then(|length| behind.get(length..)).unwrap_or_default();
    }
}

/// `bytes`, which are ASCII, as text.
#[inline(never)]
pub fn ascii(bytes: Vec<u8>) -> String {
    String::from_utf8(bytes).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn marks_divide() {
        assert_eq!(cut("a:b:c", b':'), ("a", Some("b:c")));
        assert_eq!(cut(":", b':'), ("", Some("")));
        assert_eq!(cut("\u{e4}", b':'), ("\u{e4}", None));
        assert_eq!(cut_bytes(b"a:b:c", b':'), (&b"a"[..], Some(&b"b:c"[..])));
        assert_eq!(cut_bytes(b"\xff", b':'), (&b"\xff"[..], None));
        assert_eq!(cut_last("a:b:c", b':'), (Some("a:b"), "c"));
        assert_eq!(cut_last("a", b':'), (None, "a"));
        assert_eq!(trim_end("\u{e4}. a..", b'.'), "\u{e4}. a");
        assert_eq!((trim_end("\u{e4}", b'.'), trim_end("..", b'.'), trim_end("", b'.')), ("\u{e4}", "", ""));
        assert!(has(b"a:b", b':') && !has(b"ab", b':') && !has(b"", b':'));
    }

    #[test]
    fn numbers_are_read_as_by_the_standard_library() {
        for text in [
            "",
            "+",
            "-1",
            "++1",
            "+7",
            "8",
            "0f",
            "0G",
            "1 ",
            "18446744073709551615",
            "18446744073709551616",
        ] {
            for radix in [8, 10, 16] {
                assert_eq!(number(text, radix), u64::from_str_radix(text, radix).ok(), "{text} {radix}");
            }
        }
    }

    #[test]
    fn what_is_no_text_is_replaced_as_by_the_standard_library() {
        for bytes in [
            &b""[..],
            b"text",
            b"\xff",
            b"a\xe2\x82b",
            b"a\xe2\x82",
            b"\xf0\x9f\x98\xe2\x82\xac\xc3",
            "\u{20ac}\u{1f600}".as_bytes(),
            b"\xed\xa0\x80z",
        ] {
            assert_eq!(lossy(bytes), String::from_utf8_lossy(bytes), "{bytes:x?}");
        }
    }
}
