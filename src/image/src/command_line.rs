//! The arguments of a kernel that its loader must know.

/// The words of a command line, which may be in any encoding.
pub(crate) fn words(command_line: &[u8]) -> impl Iterator<Item = &[u8]> {
    command_line.split(u8::is_ascii_whitespace).filter(|word| !word.is_empty())
}

/// What follows a `name=` at the beginning of a word.
pub(crate) fn value<'a>(word: &'a [u8], name: &[u8]) -> Option<&'a str> {
    core::str::from_utf8(word.strip_prefix(name)?).ok()
}

/// A number in C notation (decimal, `0x` hexadecimal, `0` octal) at the start of `text`, and what follows it.
fn number(text: &str) -> Option<(u64, &str)> {
    let (digits, radix) = match text.strip_prefix("0x").or_else(|| text.strip_prefix("0X")) {
        Some(digits) => (digits, 16),
        None if text.starts_with('0') => (text, 8),
        None => (text, 10),
    };
    let end = digits.bytes().position(|byte| !char::from(byte).is_digit(radix)).unwrap_or(digits.len());
    let (digits, rest) = digits.split_at_checked(end)?;
    Some((base::text::number(digits, radix)?, rest))
}

/// The number of bytes that `mem=` leaves to the kernel, the smallest where there are several; none if it says none.
pub fn memory_limit(command_line: &[u8]) -> Option<u64> {
    let limit = |value: &str| {
        let (number, suffix) = number(value)?;
        let shift = match suffix.as_bytes().first() {
            Some(b'K' | b'k') => 10,
            Some(b'M' | b'm') => 20,
            Some(b'G' | b'g') => 30,
            Some(b'T' | b't') => 40,
            _ => 0,
        };
        Some(number.saturating_mul(1 << shift)).filter(|bytes| *bytes != 0)
    };
    words(command_line).filter_map(|word| limit(value(word, b"mem=")?)).min()
}

/// The video mode that the last `vga=` asks for, as `vid_mode` of the setup header holds it.
pub fn video_mode(command_line: &[u8]) -> Option<u16> {
    match words(command_line).filter_map(|word| value(word, b"vga=")).last()? {
        "normal" => Some(0xffff),
        "ext" => Some(0xfffe),
        "ask" => Some(0xfffd),
        value => u16::try_from(number(value)?.0).ok(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn memory_limits() {
        assert_eq!(memory_limit(b"quiet mem=512M ro"), Some(512 << 20));
        assert_eq!(memory_limit(b"mem=0x1000k mem=1G"), Some(4 << 20));
        assert_eq!(memory_limit(b"mem=nopentium memx=1M xmem=2M"), None);
        assert_eq!(memory_limit(b"mem=0 mem="), None);
        assert_eq!(memory_limit(b"mem=99999999999T"), Some(u64::MAX));
        assert_eq!(memory_limit(b"mem=99999999999999999999999"), None);
    }

    #[test]
    fn video_modes() {
        assert_eq!(video_mode(b"vga=ask vga=ext"), Some(0xfffe));
        assert_eq!(video_mode(b"vga=normal"), Some(0xffff));
        assert_eq!(video_mode(b"vga=ask"), Some(0xfffd));
        assert_eq!(video_mode(b"vga=0x317"), Some(0x317));
        assert_eq!(video_mode(b"vga=791"), Some(791));
        assert_eq!(video_mode(b"vga=0"), Some(0));
        assert_eq!(video_mode(b"vga=65536"), None);
        assert_eq!(video_mode(b"quiet"), None);
    }

    proptest! {
        #[test]
        fn any_text_is_survived(text in "(mem=|vga=)?[0-9a-fxXkKmMé ]{0,30}") {
            memory_limit(text.as_bytes());
            video_mode(text.as_bytes());
        }
    }
}
