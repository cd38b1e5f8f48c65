//! Lines, labels, words and operators.
//!
//! Words are separated by blanks and nothing else: there are no quotes and no escapes.

use alloc::vec::Vec;
use base::text::cut_bytes;

/// Whether `content` is a script: the magic word and a blank behind it.
pub fn is_script(content: &[u8]) -> bool {
    match content.strip_prefix(b"#!ipxe").or_else(|| content.strip_prefix(b"#!gpxe")) {
        Some([next, ..]) => is_blank(*next),
        _ => false,
    }
}

/// A place between two lines of a script.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Cursor {
    offset: usize,
    /// Lines before this place, as an editor counts them.
    pub line: u32,
}

/// Why there is no next line.
#[derive(Debug, PartialEq, Eq)]
pub enum BadLine {
    /// The file ends behind a backslash.
    Dangling,
    /// It is longer than [`LENGTH`].
    TooLong,
}

/// The most bytes of a line, with those that continue it. Its words, if they are short, take 40 times as much memory.
const LENGTH: usize = 32 << 10;

impl Cursor {
    /// Reads one line, with those that continue it, and moves behind it. None at the end.
    pub fn next_line(&mut self, script: &[u8]) -> Option<Result<Vec<u8>, BadLine>> {
        let mut whole = Vec::new();
        let mut piece = self.next_piece(script)?;
        loop {
            if whole.len() + piece.len() > LENGTH {
                return Some(Err(BadLine::TooLong));
            }
            whole.extend_from_slice(piece);
            // What a piece ends with may stand in the ones before it, which it is joined to.
            whole.pop_if(|byte| *byte == b'\r');
            if whole.pop_if(|byte| *byte == b'\\').is_none() {
                // As iPXE's lines, which are strings of C.
                whole.truncate(cut_bytes(&whole, 0).0.len());
                return Some(Ok(whole));
            }
            let Some(next) = self.next_piece(script) else { return Some(Err(BadLine::Dangling)) };
            piece = next;
        }
    }

    /// Reads a line of the file, which may be a piece of a line of the script only.
    pub fn next_piece<'a>(&mut self, script: &'a [u8]) -> Option<&'a [u8]> {
        let rest = script.get(self.offset..).filter(|rest| !rest.is_empty())?;
        let end = rest.iter().position(|byte| *byte == b'\n').unwrap_or(rest.len());
        self.line = self.line.saturating_add(1);
        self.offset = script.len().min(self.offset + end + 1);
        rest.get(..end)
    }
}

/// The place of the first line with that label.
pub(crate) fn find_label(script: &[u8], name: &[u8]) -> Option<Cursor> {
    let mut cursor = Cursor::default();
    loop {
        let place = cursor;
        let line = cursor.next_line(script)?.ok()?;
        if split_label(&line).0 == Some(name) {
            return Some(place);
        }
    }
}

/// The place behind the `end` that belongs to a loop, whose body is at `cursor`.
pub(crate) fn behind_loop(script: &[u8], mut cursor: Cursor) -> Option<Cursor> {
    let mut depth = 1;
    while depth > 0 {
        let line = cursor.next_line(script)?.ok()?;
        match first_word(&line) {
            b"while" => depth += 1,
            b"end" => depth -= 1,
            _ => {}
        }
    }
    Some(cursor)
}

/// The place of the `while` whose loop ends before `behind`.
pub(crate) fn find_loop(script: &[u8], behind: Cursor) -> Option<Cursor> {
    let mut cursor = Cursor::default();
    loop {
        let place = cursor;
        let line = cursor.next_line(script)?.ok()?;
        if first_word(&line) == b"while" && behind_loop(script, cursor) == Some(behind) {
            return Some(place);
        }
    }
}

fn first_word(line: &[u8]) -> &[u8] {
    next_word(split_label(line).1, &mut 0).unwrap_or_default()
}

/// A line's label, and the rest of it.
pub fn split_label(line: &[u8]) -> (Option<&[u8]>, &[u8]) {
    let Some(text) = line.trim_ascii_start().strip_prefix(b":") else { return (None, line) };
    let end = text.iter().position(|byte| is_blank(*byte)).unwrap_or(text.len());
    text.split_at_checked(end).map_or((None, line), |(label, rest)| (Some(label), rest))
}

/// What stands between two commands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Operator {
    /// `;`, and the beginning of a line.
    Always,
    /// `&&`
    And,
    /// `||`
    Or,
}

/// The words of the command at `position`, which are parts of `line`, and the operator behind it. Moves behind that.
pub fn next_command<'a>(line: &'a [u8], position: &mut usize) -> (Vec<&'a [u8]>, Option<Operator>) {
    let mut words = Vec::new();
    while let Some(word) = next_word(line, position) {
        let operator = match word {
            b";" => Operator::Always,
            b"&&" => Operator::And,
            b"||" => Operator::Or,
            [b'#', ..] => return (words, None),
            _ => {
                words.push(word);
                continue;
            }
        };
        return (words, Some(operator));
    }
    (words, None)
}

fn next_word<'a>(line: &'a [u8], position: &mut usize) -> Option<&'a [u8]> {
    let rest = line.get(*position..)?;
    let start = rest.iter().position(|byte| !is_blank(*byte))?;
    let rest = rest.get(start..)?;
    let length = rest.iter().position(|byte| is_blank(*byte)).unwrap_or(rest.len());
    *position += start + length;
    rest.get(..length)
}

fn is_blank(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t'..=b'\r')
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::vec;
    use proptest::prelude::*;

    #[test]
    fn the_magic_needs_a_blank_behind_it() {
        for good in ["#!ipxe\n", "#!gpxe\t\n", "#!ipxe -- text", "#!ipxe\r\n"] {
            assert!(is_script(good.as_bytes()), "{good}");
        }
        for bad in [" #!ipxe\n", "#!IPXE\n", "#!ipxe2\n", "#!ipxe", ""] {
            assert!(!is_script(bad.as_bytes()), "{bad}");
        }
    }

    fn lines(script: &str) -> Vec<Result<Vec<u8>, BadLine>> {
        let mut cursor = Cursor::default();
        core::iter::from_fn(|| cursor.next_line(script.as_bytes())).collect()
    }

    #[test]
    fn a_backslash_joins_lines() {
        assert_eq!(lines("al\\\npha\none \\\r\ntwo"), [Ok(b"alpha".to_vec()), Ok(b"one two".to_vec())]);
        assert_eq!(lines("a\\\n"), [Err(BadLine::Dangling)]);
        assert_eq!(lines("a\\"), [Err(BadLine::Dangling)]);
        assert_eq!(lines("a\\\n\n"), [Ok(b"a".to_vec())]);
        assert_eq!(lines("a\\\\\nb"), [Ok(b"a\\b".to_vec())]);
        assert_eq!(lines("a\\\\\n\nb\\\n\r\r\nc"), [Ok(b"ab\r".to_vec()), Ok(b"c".to_vec())]);
        assert_eq!(lines("a\0b\\\nc\nd"), [Ok(b"a".to_vec()), Ok(b"d".to_vec())]);
        assert_eq!(lines("\n\nx"), [Ok(vec![]), Ok(vec![]), Ok(b"x".to_vec())]);
    }

    #[test]
    fn lines_are_counted_as_an_editor_does() {
        let mut cursor = Cursor::default();
        let script = b"a\nb\\\nc\nd";
        assert!(cursor.next_line(script).is_some() && cursor.next_line(script).is_some());
        assert_eq!(cursor.line, 3);
        assert_eq!(find_label(b"x\n:a\\\nb\n :b c", b"b").unwrap().line, 3);
        assert_eq!(find_label(b"x\n:a\\\nb\n :b c", b"a"), None);
    }

    #[test]
    fn labels_end_at_a_blank() {
        assert_eq!(split_label(b" \t:again inc n"), (Some(&b"again"[..]), &b" inc n"[..]));
        assert_eq!(split_label(b"echo :x"), (None, &b"echo :x"[..]));
        assert_eq!(split_label(b":"), (Some(&b""[..]), &b""[..]));
    }

    #[test]
    fn operators_stand_alone() {
        let mut position = 0;
        let line = b"echo a&&b ;; | ||| && x #y && z";
        let (words, operator) = next_command(line, &mut position);
        assert_eq!((words.len(), operator), (5, Some(Operator::And)));
        let (words, operator) = next_command(line, &mut position);
        assert_eq!((words, operator), (vec![&b"x"[..]], None));
    }

    proptest! {
        #[test]
        fn every_script_ends(script in proptest::collection::vec(
            prop_oneof![Just(b'\n'), Just(b'\\'), Just(b'\r'), Just(b':'), Just(b' '), any::<u8>()], 0..200,
        )) {
            let mut cursor = Cursor::default();
            let mut count = 0;
            while let Some(line) = cursor.next_line(&script) {
                count += 1;
                prop_assert!(count <= script.len());
                let line = line.unwrap_or_default();
                let _ = split_label(&line);
                let mut position = 0;
                while next_command(&line, &mut position).1.is_some() {}
                prop_assert!(position <= line.len());
            }
            let _ = find_label(&script, b"x");
        }
    }
}
