//! References to settings in words: `${net0/mac:hexhyp}`.

use crate::errors::EXPANSION;
use crate::location::readable;
use alloc::vec::Vec;
use base::Error;
use settings::Tree;

/// `word` with all references replaced, the innermost first. A value that contains references is expanded again; a
/// setting that is missing or cannot be read stands for nothing; what is not a whole reference stays as it is.
pub fn expand(settings: &Tree, word: &[u8]) -> Result<Vec<u8>, Error> {
    let mut text = word.to_vec();
    for _ in 0..ROUNDS {
        let Some((start, end)) = innermost(&text) else { return Ok(text) };
        let value = text.get(start + 2..end).and_then(|name| value(settings, name)).unwrap_or_default();
        if text.len() + value.len() > LENGTH {
            break;
        }
        let rest = text.split_off(end + 1);
        text.truncate(start);
        text.extend_from_slice(&value);
        text.extend_from_slice(&rest);
    }
    Err(EXPANSION.of(readable(word)))
}

/// What a reference stands for: the text of a setting, or a slice of it. A start below 0 counts from the end.
fn value(settings: &Tree, reference: &[u8]) -> Option<Vec<u8>> {
    let (reference, start, length) = slice(reference);
    let mut text = settings.text(reference)?;
    let count = |number: i64| usize::try_from(number).unwrap_or(usize::MAX);
    let start = if start < 0 {
        text.len().saturating_sub(count(start.wrapping_neg()))
    } else {
        count(start).min(text.len())
    };
    text.drain(..start);
    text.truncate(count(length));
    Some(text)
}

/// Takes `reference:START` or `reference:START:LENGTH` apart. Without a slice they are 0 and -1, which is all.
pub fn slice(reference: &[u8]) -> (&[u8], i64, i64) {
    let Some((rest, last)) = last_number(reference) else { return (reference, 0, -1) };
    match last_number(rest) {
        Some((rest, start)) => (rest, start, last),
        None => (rest, last, -1),
    }
}

fn last_number(reference: &[u8]) -> Option<(&[u8], i64)> {
    let colon = reference.iter().rposition(|byte| *byte == b':')?;
    let text = reference.get(colon + 1..)?;
    let number = settings::number(text).filter(|_| text.last().is_some_and(u8::is_ascii_hexdigit))?;
    Some((reference.get(..colon)?, number.cast_signed()))
}

/// How many references one word may have, those in values included.
const ROUNDS: usize = 4096;
/// How long a word may become.
const LENGTH: usize = 64 << 10;

/// Where the first innermost reference begins and where its closing brace is.
pub fn innermost(text: &[u8]) -> Option<(usize, usize)> {
    let first = text.windows(2).position(|pair| pair == b"${")?;
    let end = first + text.get(first..)?.iter().position(|byte| *byte == b'}')?;
    let start = text.get(..end)?.windows(2).rposition(|pair| pair == b"${")?;
    Some((start, end))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn tree(values: &[(&str, &str)]) -> Tree {
        let mut tree = Tree::new();
        for (name, value) in values {
            tree.store(name.as_bytes(), value.as_bytes()).unwrap();
        }
        tree
    }

    fn expanded(tree: &Tree, word: &str) -> alloc::string::String {
        alloc::string::String::from_utf8(expand(tree, word.as_bytes()).unwrap()).unwrap()
    }

    #[test]
    fn the_innermost_goes_first() {
        let tree = tree(&[
            ("colour", "red"),
            ("red-code", "31"),
            ("i:int32", "2"),
            ("slot2", "second"),
            ("b", "bee"),
        ]);
        for (word, output) in [
            ("${${colour}-code}", "31"),
            ("${slot${i}}", "second"),
            ("a${b", "a${b"),
            ("[${}]", "[]"),
            ("${b}}", "bee}"),
            ("$${b}", "$bee"),
            ("${a${b}", "${abee"),
            ("}${b}{", "}bee{"),
            ("${none}${none}", ""),
            ("${b:colour}", ""),
        ] {
            assert_eq!(expanded(&tree, word), output, "{word}");
        }
    }

    #[test]
    fn slices_are_cut_out_of_the_text() {
        let tree = tree(&[
            ("t", "abcdef"),
            ("net0/mac", "52:54:00:12:34:56"),
            ("n:int32", "-5"),
            ("1", "192.0.2.1"),
        ]);
        for (word, output) in [
            ("${t:2}", "cdef"),
            ("${t:0:3}", "abc"),
            ("${t:-2}", "ef"),
            ("${t:-4:0x2}", "cd"),
            ("${t:4:9}", "ef"),
            ("${t:9}${t:0:0}", ""),
            ("${t:-9}", "abcdef"),
            ("${t:1:-9}", "bcdef"),
            ("${net0/mac:hexraw:-6}", "123456"),
            ("${net0/mac:0:8}", "52:54:00"),
            ("${n:1}", "5"),
            ("${1:0:3}", "192"),
            ("${t:string:1:1}", "b"),
            ("${t:1:2:3}${t:x:1}${none:1}", ""),
            ("${t:}${t:-}${t:+}${t:0x}${t:1:}", ""),
            ("${t:-9223372036854775808:9223372036854775807}", "abcdef"),
        ] {
            assert_eq!(expanded(&tree, word), output, "{word}");
        }
    }

    #[test]
    fn values_are_expanded_again() {
        let tree = tree(&[
            ("file", "http://${server}/${net0/mac:hexhyp}"),
            ("server", "192.0.2.5"),
            ("net0/mac", "52:54:00:12:34:56"),
        ]);
        assert_eq!(expanded(&tree, "${file}"), "http://192.0.2.5/52-54-00-12-34-56");
    }

    #[test]
    fn endless_references_are_an_error() {
        let tree = tree(&[("x", "${x}"), ("y", "a${y}b"), ("p", "${q}${q}${q}"), ("q", "${p}")]);
        for word in ["${x}", "${y}", "${p}"] {
            assert!(expand(&tree, word.as_bytes()).unwrap_err().is(&EXPANSION));
        }
        let open = "${".repeat(2048);
        assert_eq!(expanded(&tree, &open), open);
        let closed = open + &"}".repeat(2048);
        assert!(expanded(&tree, &closed).is_empty());
        assert_eq!(expanded(&tree, &"${}".repeat(1400)), "");
    }

    proptest! {
        #[test]
        fn it_ends_with_any_word(word in "[$\\{\\}xyz/:.]{0,60}", value in "[$\\{\\}xyz]{0,8}") {
            let tree = tree(&[("x", &value), ("y", &value)]);
            if let Ok(text) = expand(&tree, word.as_bytes()) {
                prop_assert!(innermost(&text).is_none());
            }
        }
    }
}
