//! A script as the checks see it: lines, commands and words with their places, and what is not known before it runs.

use script::innermost;
use script::lexer::{BadLine, Cursor, Operator, next_command, split_label};

/// Stands in a word for each byte of a reference: its value is known only when the script runs.
pub(super) const UNKNOWN: u8 = 0;

#[derive(Debug, Default)]
pub(super) struct Script {
    pub(super) lines: Vec<Line>,
    /// Why the last line cannot be read, if so.
    pub(super) bad: Option<(BadLine, u32)>,
}

/// A line, with those that continue it.
#[derive(Debug, Default)]
pub(super) struct Line {
    pub(super) label: Option<Word>,
    /// What stands before each command, and its words.
    pub(super) commands: Vec<(Operator, Vec<Word>)>,
    /// What the lines of the file add to it.
    pieces: Vec<(u32, Vec<u8>)>,
}

#[derive(Clone, Debug)]
pub(super) struct Word {
    /// What was written, with [`UNKNOWN`] for all references.
    pub(super) text: Vec<u8>,
    /// What the references name, from inside out, and where in the word they begin.
    pub(super) references: Vec<(Vec<u8>, usize)>,
    /// Where it begins in the line.
    pub(super) offset: usize,
}

impl Script {
    pub(super) fn parse(text: &[u8]) -> Self {
        let mut script = Self::default();
        let mut cursor = Cursor::default();
        loop {
            let mut pieces = cursor;
            match cursor.next_line(text) {
                None => return script,
                Some(Err(bad)) => {
                    script.bad = Some((bad, cursor.line));
                    return script;
                }
                Some(Ok(line)) => {
                    let mut parsed = Line::parse(&line);
                    while pieces != cursor
                        && let Some(piece) = pieces.next_piece(text)
                    {
                        let piece = piece.strip_suffix(b"\r").unwrap_or(piece);
                        let piece = piece.strip_suffix(b"\\").unwrap_or(piece);
                        parsed.pieces.push((pieces.line, piece.to_vec()));
                    }
                    script.lines.push(parsed);
                }
            }
        }
    }
}

impl Line {
    fn parse(line: &[u8]) -> Self {
        let (label, rest) = split_label(line);
        let label = label.map(|label| Word {
            text: label.to_vec(),
            references: Vec::new(),
            offset: offset(line, label).saturating_sub(1),
        });
        let mut commands = Vec::new();
        let mut position = line.len() - rest.len();
        let mut operator = Some(Operator::Always);
        while let Some(before) = operator {
            let (words, next) = next_command(line, &mut position);
            // One without words does nothing, but that succeeds.
            if !words.is_empty() || before != Operator::Always {
                commands.push((before, words.into_iter().map(|word| Word::parse(line, word)).collect()));
            }
            operator = next;
        }
        Self { label, commands, pieces: Vec::new() }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.label.is_none() && self.commands.is_empty()
    }

    /// The line of the file and the column, in characters from 1, of a place in this line.
    pub(super) fn place(&self, offset: usize) -> (u32, usize) {
        let mut rest = offset;
        for (line, piece) in &self.pieces {
            if let Some(before) = piece.get(..rest).filter(|before| before.len() < piece.len()) {
                return (*line, String::from_utf8_lossy(before).chars().count() + 1);
            }
            rest = rest.saturating_sub(piece.len());
        }
        (self.pieces.last().map_or(1, |piece| piece.0), 1)
    }
}

impl Word {
    fn parse(line: &[u8], word: &[u8]) -> Self {
        let mut text = word.to_vec();
        let mut references = Vec::new();
        while let Some((start, end)) = innermost(&text) {
            let Some(reference) = text.get_mut(start..=end) else { break };
            let name = reference.get(2..reference.len() - 1).unwrap_or_default().to_vec();
            reference.fill(UNKNOWN);
            references.push((name, start));
        }
        Self { text, references, offset: offset(line, word) }
    }

    pub(super) fn is_known(&self) -> bool {
        !self.text.contains(&UNKNOWN)
    }

    /// With a number in place of what is not known, which is good wherever any value may be.
    pub(super) fn sample(&self) -> Vec<u8> {
        let mut sample = self.text.clone();
        sample.dedup_by(|next, last| *next == UNKNOWN && *last == UNKNOWN);
        sample.iter_mut().filter(|byte| **byte == UNKNOWN).for_each(|byte| *byte = b'1');
        sample
    }
}

/// Where in `line` its part begins.
fn offset(line: &[u8], part: &[u8]) -> usize {
    part.as_ptr().addr() - line.as_ptr().addr()
}

/// Whether `pattern`, in which [`UNKNOWN`] stands for anything, can become `text`.
pub(super) fn matches(pattern: &[u8], text: &[u8]) -> bool {
    let (mut at, mut place) = (0, 0);
    // Behind the last reference, and up to where in the text it is taken to reach.
    let mut retry = None;
    while let Some(byte) = text.get(place) {
        match pattern.get(at) {
            Some(&UNKNOWN) => {
                at += 1;
                retry = Some((at, place));
            }
            Some(wanted) if wanted == byte => (at, place) = (at + 1, place + 1),
            _ => {
                let Some((behind, reached)) = retry else { return false };
                (at, place) = (behind, reached + 1);
                retry = Some((at, place));
            }
        }
    }
    pattern.get(at..).unwrap_or_default().iter().all(|byte| *byte == UNKNOWN)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_known_matches_anything() {
        for (pattern, text, is_match) in [
            ("boot_\0", "boot_", true),
            ("boot_\0", "boot_x", true),
            ("boot_\0", "boo", false),
            ("\0-\0-c", "a-b-x-c", true),
            ("\0-\0-c", "a-c", false),
            ("\0\0\0", "", true),
            ("ab", "ab", true),
            ("ab", "abc", false),
        ] {
            assert_eq!(matches(pattern.as_bytes(), text.as_bytes()), is_match, "{pattern:?} {text}");
        }
    }

    #[test]
    fn places_are_those_of_the_file() {
        let script = Script::parse("#!ipxe\n  :läbel echo \\\r\n  one ${a} \\\n x${b${c}}\n".as_bytes());
        let line = &script.lines[1];
        assert_eq!(line.place(line.label.as_ref().unwrap().offset), (2, 3));
        let words = &line.commands[0].1;
        let places: Vec<_> = words.iter().map(|word| line.place(word.offset)).collect();
        assert_eq!(places, [(2, 10), (3, 3), (3, 7), (4, 2)]);
        assert_eq!(words[3].references, [(b"c".to_vec(), 4), (b"b\0\0\0\0".to_vec(), 1)]);
        assert_eq!(words[3].sample(), b"x1");
    }
}
