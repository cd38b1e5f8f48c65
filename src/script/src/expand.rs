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
        let value = text.get(start + 2..end).and_then(|name| settings.text(name)).unwrap_or_default();
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
