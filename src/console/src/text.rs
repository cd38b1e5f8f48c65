//! Text from outside, made safe, and numbers made short.

use alloc::string::String;
use core::fmt::Write;

/// `text` with everything replaced by `?` that is not printable ASCII: names come from the network and must not
/// carry the terminal's control sequences.
pub fn printable(text: &str) -> String {
    // One byte of each character: all but those that continue one.
    let characters = base::list(text.bytes().filter(|byte| byte & 0xc0 != 0x80));
    printable_bytes(&characters)
}

/// The same for bytes, one character for each.
pub fn printable_bytes(bytes: &[u8]) -> String {
    base::text::printable(bytes)
}

/// `text` cut to `width` characters; what was cut off in the middle is replaced by `..`.
pub(crate) fn shortened(text: &str, width: usize) -> String {
    let mut out = printable(text);
    if out.len() > width {
        let tail = width.saturating_sub(2) / 2;
        let rest = out.split_off(out.len() - tail);
        out.truncate(width.saturating_sub(2 + tail));
        out.push_str("..");
        out.push_str(&rest);
        out.truncate(width);
    }
    out
}

/// `512 bytes`, `1.5 KiB`, `12.0 MiB`: at most nine characters.
pub(crate) fn push_size(out: &mut String, bytes: u64) {
    const UNITS: [(&str, u32); 3] = [("KiB", 10), ("MiB", 20), ("GiB", 30)];
    let unit = UNITS.iter().rev().find(|unit| bytes >> unit.1 != 0);
    // Writing to a string cannot fail.
    let _ = match unit {
        None => write!(out, "{bytes} bytes"),
        Some((name, shift)) => {
            let tenths = (bytes >> (shift - 10)).saturating_mul(10) >> 10;
            write!(out, "{}.{} {name}", tenths / 10, tenths % 10)
        }
    };
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn control_sequences_do_not_come_through() {
        assert_eq!(printable("a\u{1b}[2Jb\u{e4}\u{9b}c\n"), "a?[2Jb??c?");
        assert_eq!(printable_bytes(b"\x00\xffok\x7f"), "??ok?");
    }

    #[test]
    fn sizes_are_short() {
        for (bytes, text) in [
            (0, "0 bytes"),
            (1023, "1023 bytes"),
            (1024, "1.0 KiB"),
            (1536, "1.5 KiB"),
            (64 << 20, "64.0 MiB"),
            ((1 << 30) - 1, "1023.9 MiB"),
        ] {
            let mut out = String::new();
            push_size(&mut out, bytes);
            assert_eq!(out, text);
        }
    }

    proptest! {
        #[test]
        fn cut_text_fits(text in ".{0,100}", width in 0_usize..100) {
            let out = shortened(&text, width);
            prop_assert!(out.len() <= width && out.bytes().all(|byte| (b' '..=b'~').contains(&byte)));
        }

        #[test]
        fn any_size_can_be_written(bytes in any::<u64>()) {
            push_size(&mut String::new(), bytes);
        }
    }
}
